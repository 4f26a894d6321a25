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
    net::TcpStream,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    client::get,
    frames::Client,
    server::{Server, TIMEOUT},
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

/// How a server was before anybody was hostile.
struct Calm {
    threads: u64,
    files: usize,
    resident_kib: u64,
}

impl Calm {
    /// Of a server that has just been started: threads and files are counted before the first request, and memory behind it, since
    /// what serving one reader takes is taken for good.
    fn of(server: &Server) -> Calm {
        let all_named = |names: &[String]| {
            let named =
                ["hub", "fanout-0", "listener", "web", "web-0", "web-1", "web-2", "web-3", "ctl"];
            named.iter().all(|name| names.iter().any(|one| one == name))
        };
        // Threads name themselves, and tiny_http's begin when it gets to it.
        let unnamed = |names: &[String]| names.iter().filter(|name| *name == "sayso").count();
        let is_ready = |names: &[String]| all_named(names) && unnamed(names) == UNNAMED;
        eventually("threads are missing", || is_ready(&names(server)), || names(server));
        let (threads, files) = (status(server, "Threads"), files(server));
        serve_a_reader(server);
        Calm { threads, files, resident_kib: status(server, "VmRSS") }
    }

    /// Waits until no thread, no open file and no memory is left of those who have gone; then a reader is served, and the log whole.
    fn returns(&self, server: &Server) {
        self.is_back_in_threads(server);
        eventually("files are left open", || files(server) <= self.files, || files(server));
        let limit = self.resident_kib + KEPT_KIB;
        let resident = || status(server, "VmRSS");
        eventually("memory is left", || resident() <= limit, resident);
        println!("{} KiB before, {} KiB after", self.resident_kib, resident());
        serve_a_reader(server);
        server.check();
    }

    /// tiny_http keeps a thread that has nothing to do for 5 s.
    fn is_back_in_threads(&self, server: &Server) {
        let left = || (status(server, "Threads"), self.threads, names(server));
        eventually("threads are left over", || status(server, "Threads") <= self.threads, left);
    }
}

/// Waits for an end that nobody tells of; what is there instead is said if it does not come.
fn eventually<T: std::fmt::Debug>(what: &str, done: impl Fn() -> bool, instead: impl Fn() -> T) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < 2 * TIMEOUT, "{what}: {:?}", instead());
        thread::sleep(LOOK_INTERVAL);
    }
}

/// The page comes, and a comment reaches its author and somebody else.
fn serve_a_reader(server: &Server) {
    let page = get(server, "/");
    assert!(page.status == 200 && page.body.contains("<html"), "{page:?}");
    let mut reader = Client::full(server, "page=calm");
    let mut author = Client::full(server, "page=calm");
    author.send(&json!({"content": "all is well"}));
    assert_eq!(author.line()["content"], "all is well");
    assert_eq!(reader.line()["content"], "all is well");
}

/// A number of /proc/PID/status; sizes are in KiB.
fn status(server: &Server, field: &str) -> u64 {
    let path = format!("/proc/{}/status", server.pid().as_raw_pid());
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()).unwrap().parse().unwrap()
}

fn files(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.pid().as_raw_pid())).unwrap().count()
}

fn names(server: &Server) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid().as_raw_pid())).unwrap();
    // Some end while they are looked at.
    let names = tasks.flatten().flat_map(|task| std::fs::read_to_string(task.path().join("comm")));
    names.map(|name| name.trim().to_owned()).collect()
}

/// Closes with a reset, whatever is still on the way.
fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
}
