//! Durable posts a second from authors who each wait for their own line, beside as many threads that each insert one row a transaction
//! into SQLite: the same bytes, the same file system, turn by turn.

use std::{
    fs,
    path::Path,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;

use crate::{
    Plan,
    author::Author,
    rig::{
        program::Program,
        table::{Bar, Table, median, percentile},
    },
};

/// Far beyond what a row waits for its turn.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// What one or more turns of one side gave.
#[derive(Default)]
struct Turns {
    rates: Vec<f64>,
    /// Of each post, seconds.
    latencies: Vec<f64>,
}

pub fn measure(plan: &Plan, folder: &Path, table: &mut Table) {
    let data = folder.join("sayso");
    let program = Program::start(&data);
    let mut seqs = vec![Author::join(&program, "first").post()];
    let line = last_line(&data.join("comments.jsonl"));
    let peer = Peer::new(folder.join("sqlite.db"), line);
    let mut one_at_a_time = 0.0;
    for authors in plan.authors {
        let (mut ours, mut theirs) = (Turns::default(), Turns::default());
        for _ in 0..plan.rounds {
            seqs.extend(sayso(&program, authors, plan.window, &mut ours));
            peer.turn(authors, plan.window, &mut theirs);
        }
        let is_most = authors == plan.authors[2];
        let what = format!("durable posts/s, {authors} authors");
        let (rate, beside) = (median(&mut ours.rates), median(&mut theirs.rates));
        let bar = if is_most { Bar::AtLeast(10.0) } else { Bar::None };
        table.ratio(&what, rate, "SQLite", beside, bar);
        for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
            let of = |turns: &mut Turns| percentile(&mut turns.latencies, part) * 1e3;
            let (ours, theirs) = (of(&mut ours), of(&mut theirs));
            table.ratio(&format!("  {name}, ms"), ours, "SQLite", theirs, Bar::None);
        }
        if authors == 1 {
            one_at_a_time = beside;
        } else if is_most {
            let beside = "SQLite, 1 thread";
            table.ratio(&format!("{authors} authors"), rate, beside, one_at_a_time, Bar::None);
        }
    }
    let count = seqs.len();
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(seqs.len(), count, "no two comments have the same seq");
    assert_eq!(*seqs.last().expect("there are some") as usize, count, "and none is missing");
    let size = peer.line.len();
    table.note("durable posts/s", &format!("a line takes {size} bytes; {count} posts in all"));
}

/// One turn; returns the `seq`s of all that was posted.
fn sayso(program: &Program, authors: usize, window: Duration, turns: &mut Turns) -> Vec<u64> {
    let join = |number| {
        let mut author = Author::join(program, &format!("page-{number}"));
        // The first post makes the page.
        let seqs = vec![author.post()];
        (author, seqs)
    };
    let post = |(author, seqs): &mut (Author, Vec<u64>)| seqs.push(author.post());
    turn(authors, window, turns, join, post).into_iter().flat_map(|(_, seqs)| seqs).collect()
}

/// SQLite as it is set up for durable rows from many threads.
struct Peer {
    path: std::path::PathBuf,
    line: Vec<u8>,
}

impl Peer {
    fn new(path: std::path::PathBuf, line: Vec<u8>) -> Peer {
        let peer = Peer { path, line };
        let connection = peer.connect();
        let mode: String = connection
            .query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))
            .expect("SQLite takes a journal mode");
        assert_eq!(mode, "wal");
        connection
            .execute_batch("CREATE TABLE comments (seq INTEGER PRIMARY KEY, line BLOB NOT NULL)")
            .expect("SQLite makes a table");
        peer
    }

    fn connect(&self) -> Connection {
        let connection = Connection::open(&self.path).expect("SQLite opens its file");
        connection.busy_timeout(BUSY_TIMEOUT).expect("SQLite takes a timeout");
        connection.execute_batch("PRAGMA synchronous=FULL").expect("SQLite syncs each transaction");
        connection
    }

    fn count(&self) -> usize {
        let sql = "SELECT count(*) FROM comments";
        self.connect().query_row(sql, [], |row| row.get(0)).expect("SQLite counts")
    }

    fn turn(&self, threads: usize, window: Duration, turns: &mut Turns) {
        let before = self.count();
        let insert = |(connection, rows): &mut (Connection, usize)| {
            *rows += connection
                .prepare_cached("INSERT INTO comments (line) VALUES (?1)")
                .and_then(|mut insert| insert.execute([&self.line]))
                .expect("SQLite inserts a row");
        };
        let done = turn(threads, window, turns, |_| (self.connect(), 0), insert);
        let rows: usize = done.iter().map(|(_, rows)| rows).sum();
        assert_eq!(self.count() - before, rows, "every row is there");
    }
}

/// Lets as many workers as there are authors, each made by `join` in its own thread, take one `step` after the other until the time is up.
fn turn<W: Send>(
    authors: usize,
    window: Duration,
    turns: &mut Turns,
    join: impl Fn(usize) -> W + Sync,
    step: impl Fn(&mut W) + Sync,
) -> Vec<W> {
    let barrier = Barrier::new(authors);
    let work = |number| {
        let mut worker = join(number);
        barrier.wait();
        let start = Instant::now();
        let (mut before, mut latencies) = (Duration::ZERO, Vec::new());
        while before < window {
            step(&mut worker);
            let now = start.elapsed();
            // What ends after the time is up is not counted.
            if now <= window {
                latencies.push((now - before).as_secs_f64());
            }
            before = now;
        }
        (worker, latencies)
    };
    let work = &work;
    let done: Vec<(W, Vec<f64>)> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..authors).map(|number| scope.spawn(move || work(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("nobody fails")).collect()
    });
    let count: usize = done.iter().map(|(_, latencies)| latencies.len()).sum();
    turns.rates.push(count as f64 / window.as_secs_f64());
    let mut workers = Vec::new();
    for (worker, latencies) in done {
        workers.push(worker);
        turns.latencies.extend(latencies);
    }
    workers
}

fn last_line(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).expect("the log can be read");
    bytes.split_inclusive(|&byte| byte == b'\n').next_back().expect("it has lines").to_vec()
}
