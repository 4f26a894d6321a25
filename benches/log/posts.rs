//! Durable posts a second from authors who each wait for their own line, beside as many threads that each insert one row a transaction
//! into SQLite (WAL, synchronous=FULL): the same bytes, the same file system, in turns. One thread plays all authors, so that they cost
//! little themselves.

use std::{
    fs,
    path::Path,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, EventData, EventFlags},
    time::Timespec,
};

use rig::table::{Bar, Table, median, percentile};

use super::{Plan, clients::Author};
use crate::{log_file, program::Program};

/// Far longer than a row waits for its turn.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest wait for any line.
const TIMEOUT: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// What one side achieved in one or more turns.
#[derive(Default)]
pub struct Turns {
    pub rates: Vec<f64>,
    /// Of each post, seconds.
    latencies: Vec<f64>,
}

pub fn measure(plan: &Plan, folder: &Path, table: &mut Table) {
    let data = folder.join("sayso");
    let program = Program::start(&data);
    let mut seqs = vec![Author::join(&program, "first").post()];
    let line = last_line(&data.join(log_file::NAME_IN_FOLDER));
    let peer = Peer::new(folder.join("sqlite.db"), line);
    let mut one_at_a_time = 0.0;
    for &authors in plan.authors {
        let (mut ours, mut theirs) = (Turns::default(), Turns::default());
        for _ in 0..plan.rounds {
            seqs.extend(post(&program, authors, plan.window, &mut ours));
            peer.insert(authors, plan.window, &mut theirs);
        }
        let is_most = Some(&authors) == plan.authors.last();
        let what = format!("durable posts/s, {authors} authors, each on a page of its own");
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
        } else if is_most && one_at_a_time > 0.0 {
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

/// Posts for one window; returns the `seq`s of all posts.
pub fn post(program: &Program, authors: usize, window: Duration, turns: &mut Turns) -> Vec<u64> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("there is epoll");
    let mut seqs = Vec::new();
    let mut posters: Vec<(Author, Duration)> = Vec::new();
    for number in 0..authors {
        let mut author = Author::join(program, &format!("page-{number}"));
        // The first post makes the page.
        seqs.push(author.post());
        epoll::add(&epoll, author.socket(), EventData::new_u64(number as u64), EventFlags::IN)
            .expect("a socket can be waited for");
        posters.push((author, Duration::ZERO));
    }
    let start = Instant::now();
    posters.iter_mut().for_each(|(author, _)| author.send());
    let (mut in_flight, mut count) = (authors, 0);
    let mut events = Vec::with_capacity(authors);
    while in_flight > 0 {
        events.clear();
        epoll::wait(&epoll, spare_capacity(&mut events), Some(&TIMEOUT))
            .expect("sockets can be waited for");
        assert!(!events.is_empty(), "{in_flight} lines do not come");
        for event in &events {
            let (author, sent_at) = &mut posters[event.data.u64() as usize];
            seqs.push(author.receive());
            let now = start.elapsed();
            // What ends after the time is up is not counted.
            if now > window {
                in_flight -= 1;
                continue;
            }
            turns.latencies.push((now - *sent_at).as_secs_f64());
            count += 1;
            *sent_at = now;
            author.send();
        }
    }
    turns.rates.push(f64::from(count) / window.as_secs_f64());
    seqs
}

/// SQLite, set up for durable rows from many threads.
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

    fn insert(&self, threads: usize, window: Duration, turns: &mut Turns) {
        let before = self.count();
        let insert = |(connection, rows): &mut (Connection, usize)| {
            *rows += connection
                .prepare_cached("INSERT INTO comments (line) VALUES (?1)")
                .and_then(|mut insert| insert.execute([&self.line]))
                .expect("SQLite inserts a row");
        };
        let rows = run_threads(threads, window, turns, || (self.connect(), 0), insert);
        assert_eq!(self.count() - before, rows, "every row is there");
    }
}

/// Lets each thread insert one row after the other until the window ends; returns the number of rows.
fn run_threads(
    threads: usize,
    window: Duration,
    turns: &mut Turns,
    connect: impl Fn() -> (Connection, usize) + Sync,
    insert: impl Fn(&mut (Connection, usize)) + Sync,
) -> usize {
    let barrier = Barrier::new(threads);
    let work = || {
        let mut peer = connect();
        barrier.wait();
        let start = Instant::now();
        let (mut before, mut latencies) = (Duration::ZERO, Vec::new());
        while before < window {
            insert(&mut peer);
            let now = start.elapsed();
            if now <= window {
                latencies.push((now - before).as_secs_f64());
            }
            before = now;
        }
        (peer.1, latencies)
    };
    let done: Vec<(usize, Vec<f64>)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("nobody fails")).collect()
    });
    let count: usize = done.iter().map(|(_, latencies)| latencies.len()).sum();
    turns.rates.push(count as f64 / window.as_secs_f64());
    turns.latencies.extend(done.iter().flat_map(|(_, latencies)| latencies));
    done.iter().map(|(rows, _)| rows).sum()
}

fn last_line(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).expect("the log can be read");
    bytes.split_inclusive(|&byte| byte == b'\n').next_back().expect("it has lines").to_vec()
}
