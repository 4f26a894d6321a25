//! What readers notice of a large import into a running server, and of an export beside it: how long a comment takes from its author to
//! a reader of another page than those that are imported, before and meanwhile.

use std::{
    fs::{self, File},
    io::{BufWriter, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rig::{
    messages::{CONTENT, NAME},
    process::Process,
    table::{Bar, Rows, Table, digits, percentile},
};
use tungstenite::{Message, WebSocket, protocol::Role};

use crate::{
    Arguments,
    program::{Folder, Program, binary},
};

/// The page whose readers are watched; nothing is imported to it.
const PAGE: &str = "watched";
/// Pages that are imported to.
const PAGES: u64 = 1_000;
/// Of the author. At this rate a server with nothing else to do is idle most of the time.
const POSTS_PER_SECOND: u32 = 50;
/// What an import or an export may take of this machine's memory, bytes; see `src/exchange`.
const MEMORY_MAX: f64 = 64.0 * 1024.0 * 1024.0;
/// About what one request of an import makes of lines.
const BATCH_BYTES: usize = 32 * 1024;
/// An answer to the handshake is shorter.
const HEAD_BYTES_MAX: usize = 4_096;

/// How much is measured.
struct Plan {
    /// Comments that are imported.
    comments: u64,
    /// Posts before the import.
    posts: usize,
    /// Syncs that are measured.
    syncs: usize,
    /// Exports, one after another: one alone takes too short for a percentile.
    exports: usize,
}

const FULL: Plan = Plan { comments: 1_000_000, posts: 1_000, syncs: 500, exports: 4 };
const TINY: Plan = Plan { comments: 1_000, posts: 3, syncs: 3, exports: 1 };

/// # Errors
/// Fails if sayso was built without imports, or takes no such number of comments.
pub fn run(arguments: &Arguments, folder: &Folder) -> Result<(), String> {
    if !cfg!(feature = "exchange") {
        let advice = "imports are measured with cargo bench --features exchange import";
        println!("{advice}");
        return if arguments.measures { Err(advice.into()) } else { Ok(()) };
    }
    let mut plan = if arguments.measures { FULL } else { TINY };
    if let Some(count) = arguments.rest.first() {
        let count = count.parse().map_err(|_| format!("{count} is no number of comments"))?;
        plan.comments = if arguments.measures { count } else { plan.comments };
    }
    let mut table = Table::new(Rows::All, arguments.measures);
    measure(&plan, &folder.join("import"), &mut table)?;
    table.print_notes();
    Ok(())
}

fn measure(plan: &Plan, folder: &Path, table: &mut Table) -> Result<(), String> {
    let file = folder.join("export.jsonl");
    write_export(&file, plan.comments).map_err(|error| error.to_string())?;
    let sync = percentile(&mut batch_syncs(folder, plan.syncs), 0.99);
    let data = folder.join("data");
    let program = Program::start(&data);
    let mut watch = Watch::start(&program);
    watch.posts(|posts| posts < plan.posts / 10);
    let before = watch.posts(|posts| posts < plan.posts);
    let what = format!("{} comments", digits(plan.comments as f64));
    let arguments = ["import", "--from", "remark42", text(&file), "--data", text(&data)];
    let import = watch.beside(&arguments, 1)?;
    compare(table, (&format!("importing {what}"), &before, &import.times), sync);
    let again = watch.posts(|posts| posts < plan.posts);
    let out = folder.join("comments.csv");
    let arguments = ["export", "--to", "csv", text(&out), "--data", text(&data)];
    let export = watch.beside(&arguments, plan.exports)?;
    compare(table, (&format!("exporting {what}"), &again, &export.times), sync);
    for (name, beside) in [("import", &import), ("export", &export)] {
        let what = format!("memory of the {name} beside a server, bytes");
        table.limit(&what, beside.peak as f64, Bar::AtMost(MEMORY_MAX));
        let took = beside.took.as_secs_f64();
        table.note(
            &what,
            &format!("it took {took:.1} s, and {} posts were made", beside.times.len()),
        );
    }
    Ok(())
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the bench's folder has a name in UTF-8")
}

/// The rows of one thing that is done beside a server.
fn compare(table: &mut Table, (what, before, meanwhile): (&str, &[f64], &[f64]), sync: f64) {
    let [mut before, mut meanwhile] = [before.to_vec(), meanwhile.to_vec()];
    for (name, part, bar) in [("p50", 0.5, Bar::None), ("p99", 0.99, Bar::AtMost(1.0))] {
        let [before, meanwhile] =
            [&mut before, &mut meanwhile].map(|times| percentile(times, part) * 1e3);
        let what = format!("push latency {name}, ms, while {what}");
        match bar {
            Bar::None => table.ratio(&what, meanwhile, "before", before, bar),
            bar => {
                let limit = 1.2 * before + sync * 1e3;
                table.ratio(&what, meanwhile, "1.2 × before + sync", limit, bar);
                table.note(
                    &what,
                    &format!("before {before:.3} ms, a batch's sync {:.3} ms", sync * 1e3),
                );
            }
        }
    }
    let longest = percentile(&mut meanwhile, 1.0) * 1e3;
    table.note(&format!("longest while {what}"), &format!("{longest:.1} ms"));
}

/// A backup of Remark42, some 550 bytes a comment. Each third comment answers another one.
fn write_export(path: &PathBuf, comments: u64) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    writeln!(out, "{{\"version\":1,\"users\":[],\"posts\":[]}}")?;
    for number in 0..comments {
        let page = number % PAGES;
        let parent = match number.checked_sub(PAGES) {
            Some(parent) if number % 3 == 0 => format!("{parent:032x}"),
            _ => String::new(),
        };
        // Some 2½ minutes apart, so that a million take five years.
        let (minutes, user) = (number * 5 / 2, number % 50_000);
        let (day, minute) = (minutes / 1_440, minutes % 1_440);
        let (year, month, day) = (2015 + day / 336, day % 336 / 28 + 1, day % 28 + 1);
        let (hour, minute) = (minute / 60, minute % 60);
        writeln!(
            out,
            "{{\"id\":\"{number:032x}\",\"pid\":\"{parent}\",\"text\":\"<p>{CONTENT}</p>\",\"orig\":\"{CONTENT}\",\
             \"user\":{{\"name\":\"{NAME}\",\"id\":\"github_{user:040x}\",\"picture\":\"\",\"ip\":\"\",\"admin\":false}},\
             \"locator\":{{\"site\":\"blog\",\"url\":\"https://blog.example/posts/{page}/\"}},\"score\":0,\"votes\":{{}},\
             \"time\":\"{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:00Z\"}}"
        )?;
    }
    // What is still to be written would be written while something is measured.
    out.into_inner()?.sync_all()
}

/// How long it takes to append a batch of an import to a file and to sync it, in seconds. A post that comes meanwhile waits for that.
fn batch_syncs(folder: &Path, count: usize) -> Vec<f64> {
    let mut file = File::create(folder.join("appended")).expect("the folder can be written to");
    let mut append = |_| {
        let start = Instant::now();
        file.write_all(&[b'a'; BATCH_BYTES]).expect("a file can be written to");
        file.sync_data().expect("a file can be synced");
        start.elapsed().as_secs_f64()
    };
    (0..count).map(&mut append).collect()
}

/// What was seen while something else was done.
struct Beside {
    /// Seconds from an author's post to a reader.
    times: Vec<f64>,
    /// How long it took.
    took: Duration,
    /// What it needed of memory at most, bytes.
    peak: u64,
}

/// An author and a reader of one page.
struct Watch {
    author: WebSocket<TcpStream>,
    reader: WebSocket<TcpStream>,
    posts: u64,
    next: Instant,
}

impl Watch {
    fn start(program: &Program) -> Watch {
        let [author, reader] = [(); 2].map(|()| join(program));
        Watch { author, reader, posts: 0, next: Instant::now() }
    }

    /// Posts at a steady rate as long as `goes_on`, which is told how often. Returns how long each post took until its author and its
    /// reader had the line, in seconds. A post that had to wait because the one before it took too long has waited from its turn on.
    fn posts(&mut self, mut goes_on: impl FnMut(usize) -> bool) -> Vec<f64> {
        let mut times = Vec::new();
        self.next = Instant::now();
        while goes_on(times.len()) {
            let wait = self.next.saturating_duration_since(Instant::now());
            thread::sleep(wait);
            let start = if wait.is_zero() { self.next } else { Instant::now() };
            self.next += Duration::from_secs(1) / POSTS_PER_SECOND;
            self.posts += 1;
            let nonce = format!("watched-{:024}", self.posts);
            let post =
                format!("{{\"content\":\"{CONTENT}\",\"name\":\"{NAME}\",\"nonce\":\"{nonce}\"}}");
            self.author.send(Message::text(post)).expect("sayso reads");
            for socket in [&mut self.reader, &mut self.author] {
                let line = next_line(socket);
                assert!(line.contains(&nonce), "not the line of post {nonce}: {line}");
            }
            times.push(start.elapsed().as_secs_f64());
        }
        times
    }

    /// Posts while sayso is run with these arguments, so many times.
    fn beside(&mut self, arguments: &[&str], count: usize) -> Result<Beside, String> {
        let mut all = Beside { times: Vec::new(), took: Duration::ZERO, peak: 0 };
        for _ in 0..count {
            if arguments[0] == "export" {
                // It never replaces a file.
                let _ = fs::remove_file(arguments[3]);
            }
            let mut child = spawn(arguments);
            let (start, process) = (Instant::now(), Process(child.id()));
            let mut status = None;
            let times = self.posts(|_| {
                // Until it has been waited for, it has a status, however empty.
                all.peak = all.peak.max(process.resources().peak);
                status = child.try_wait().expect("a child can be waited for");
                status.is_none()
            });
            all.took += start.elapsed();
            all.times.extend(times);
            if !status.is_some_and(|status| status.success()) {
                return Err(format!("sayso {} failed", arguments.join(" ")));
            }
        }
        Ok(all)
    }
}

fn spawn(arguments: &[&str]) -> Child {
    let mut command = Command::new(binary());
    command.env_clear().args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null()).spawn().expect("sayso can be started")
}

/// A WebSocket that follows the page.
fn join(program: &Program) -> WebSocket<TcpStream> {
    let mut stream = program.connect();
    let head = format!(
        "GET /ws/comments/?page={PAGE} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        program.address
    );
    stream.write_all(head.as_bytes()).expect("sayso reads");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("sayso answers");
        answer.push(byte[0]);
        assert!(answer.len() < HEAD_BYTES_MAX, "the head of an answer ends");
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "sayso speaks WebSocket");
    WebSocket::from_raw_socket(stream, Role::Client, None)
}

/// The next line; pings are answered on the way.
fn next_line(socket: &mut WebSocket<TcpStream>) -> String {
    loop {
        match socket.read().expect("an answer comes in time") {
            Message::Text(line) => return line.as_str().to_owned(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("not a line: {other:?}"),
        }
    }
}
