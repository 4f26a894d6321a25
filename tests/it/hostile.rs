//! Hostile clients, each in its own way; and after each of them everything is as it was before.

mod crowds;
mod delays;
mod files;
mod frames;
mod heads;
mod many;
mod readers;
mod resets;
mod splits;

use std::{
    io::Read,
    net::TcpStream,
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    client::{Answer, Client, get, header},
    program::{Folder, PATIENCE, Program, command},
};

/// What may stay of the memory that a crowd took, KiB. sayso keeps nothing for who has gone, but the C library does: 40 MiB of ended
/// threads' stacks (200 of them, of which some 30 KiB each were touched, in a debug build), and of each of its arenas, eight for each
/// core, up to the 2 MiB that it gives back only together once pieces of 1 MiB, as answers are, have been freed.
const KEPT_KIB: u64 = 40 * 1024;
/// The thread `main`, tiny_http's that accepts, and the four that it has ready.
const UNNAMED: usize = 6;
/// Between two looks at what is waited for.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Those that take most of the machine take turns, or the other tests would wait for them.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a program was before anybody was hostile.
struct Calm {
    threads: u64,
    files: usize,
    resident_kib: u64,
}

impl Calm {
    /// Of a program that has just been started: threads and files are counted before the first request, and memory behind it, since
    /// what serving one reader takes is taken for good.
    fn of(program: &Program) -> Calm {
        let all_named = |names: &[String]| {
            let named = ["hub", "fanout-0", "listener", "web", "web-0", "web-1", "web-2", "web-3"];
            named.iter().all(|name| names.iter().any(|one| one == name))
        };
        // Threads name themselves, and tiny_http's begin when it gets to it.
        let unnamed = |names: &[String]| names.iter().filter(|name| *name == "sayso").count();
        let is_ready = |names: &[String]| all_named(names) && unnamed(names) == UNNAMED;
        eventually("threads are missing", || is_ready(&names(program)), || names(program));
        let (threads, files) = (status(program, "Threads"), files(program));
        serve_a_reader(program);
        Calm { threads, files, resident_kib: status(program, "VmRSS") }
    }

    /// Waits until no thread, no open file and no memory is left of those who have gone; then a reader is served, and the log whole.
    fn returns(&self, folder: &Folder, program: &Program) {
        self.is_back_in_threads(program);
        eventually("files are left open", || files(program) <= self.files, || files(program));
        let limit = self.resident_kib + KEPT_KIB;
        let resident = || status(program, "VmRSS");
        eventually("memory is left", || resident() <= limit, resident);
        println!("{} KiB before, {} KiB after", self.resident_kib, resident());
        serve_a_reader(program);
        let check = command().args(["check", "--data"]).arg(&folder.0).output().unwrap();
        assert_eq!(check.status.code(), Some(0), "{check:?}");
    }

    /// tiny_http keeps a thread that has nothing to do for 5 s.
    fn is_back_in_threads(&self, program: &Program) {
        let left = || (status(program, "Threads"), self.threads, names(program));
        eventually("threads are left over", || status(program, "Threads") <= self.threads, left);
    }
}

/// Starts sayso behind a line of shell, with what it says on stderr in a file of its folder.
fn start_after(shell: &str, folder: &Folder) -> Program {
    let told = folder.0.join("stderr");
    let mut command = Command::new("sh");
    command.env_clear().env("PATH", "/usr/bin:/bin").env("TOLD", told);
    command.args(["-c", &format!("{shell} exec \"$0\" \"$@\" 2>>\"$TOLD\"")]);
    command.arg(env!("CARGO_BIN_EXE_sayso")).args(["--listen", "127.0.0.1:0", "--rate", "off"]);
    command.args(["--max-per-address", "10000", "--data"]).arg(&folder.0);
    Program::spawn(&mut command)
}

/// What a program that was started so has said.
fn told(folder: &Folder) -> String {
    std::fs::read_to_string(folder.0.join("stderr")).unwrap()
}

/// Waits for an end that nobody tells of; what is there instead is said if it does not come.
fn eventually<T: std::fmt::Debug>(what: &str, done: impl Fn() -> bool, instead: impl Fn() -> T) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < 2 * PATIENCE, "{what}: {:?}", instead());
        thread::sleep(LOOK_INTERVAL);
    }
}

/// The page comes, and a comment reaches its author and somebody else.
fn serve_a_reader(program: &Program) {
    let page = get(program, "/");
    assert!(page.status == 200 && page.body.contains("<html"), "{page:?}");
    let mut reader = Client::full(program, "page=calm");
    let mut author = Client::full(program, "page=calm");
    author.send(&json!({"content": "all is well"}));
    assert_eq!(author.line()["content"], "all is well");
    assert_eq!(reader.line()["content"], "all is well");
}

/// A number of /proc/PID/status; sizes are in KiB.
fn status(program: &Program, field: &str) -> u64 {
    let path = format!("/proc/{}/status", program.child.id());
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()).unwrap().parse().unwrap()
}

fn files(program: &Program) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", program.child.id())).unwrap().count()
}

fn names(program: &Program) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", program.child.id())).unwrap();
    // Some end while they are looked at.
    let names = tasks.flatten().flat_map(|task| std::fs::read_to_string(task.path().join("comm")));
    names.map(|name| name.trim().to_owned()).collect()
}

/// Closes with a reset, whatever is still on the way.
fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
}

/// The answers of one connection, one after the other, however many come at once.
struct Answers {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Answers {
    fn of(stream: TcpStream) -> Answers {
        Answers { stream, bytes: Vec::new() }
    }

    /// The next, which must have a length; it has no body where the request was HEAD.
    fn next(&mut self, has_body: bool) -> Answer {
        let end = loop {
            match self.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.more(),
            }
        };
        let head = String::from_utf8(self.bytes.drain(..end).collect()).unwrap();
        let length = header(&head, "content-length").filter(|_| has_body);
        let length = length.map_or(0, |length| length.parse().unwrap());
        while self.bytes.len() < length {
            self.more();
        }
        let body = String::from_utf8(self.bytes.drain(..length).collect()).unwrap();
        Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body }
    }

    fn more(&mut self) {
        let mut chunk = [0; 4096];
        let count = self.stream.read(&mut chunk).unwrap();
        assert!(count > 0, "the end, behind {:?}", String::from_utf8_lossy(&self.bytes));
        self.bytes.extend_from_slice(&chunk[..count]);
    }
}
