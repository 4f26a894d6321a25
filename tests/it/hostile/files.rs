//! The limit of open files, reached and left again.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, prlimit};

use super::{Calm, files};
use crate::support::{
    client::posted,
    frames::Client,
    server::{Server, TIMEOUT},
};

const PAGE: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
/// Which of those who open files finds none is chance where there are few; one sweep over how many are left is nearly always enough.
const SWEEPS_MAX: usize = 5;

/// The status of what comes on a connection; `None` where it is closed without a word.
fn status_of(stream: &mut TcpStream) -> Option<String> {
    let mut first = [0; 12];
    stream.read_exact(&mut first).ok()?;
    Some(String::from_utf8_lossy(&first[9..]).into_owned())
}

/// Asks for the page until it comes.
fn page_comes_back(server: &Server) {
    let start = Instant::now();
    loop {
        let mut stream = server.connect();
        // Who is turned away may be closed already.
        let _ = stream.write_all(PAGE);
        if status_of(&mut stream).as_deref() == Some("200") {
            return;
        }
        assert!(start.elapsed() < TIMEOUT, "the page does not come back");
    }
}

#[test]
fn sixty_four_files_taken_by_who_say_nothing_and_by_who_ask_are_had_again() {
    let mut server = Server::builder().shell("ulimit -n 64;").start();
    let calm = Calm::of(&server);
    posted(&server, "before");
    for round in 0..3 {
        // Nobody says anything; then everybody asks for something, at once.
        let mut streams: Vec<TcpStream> = (0..300).map(|_| server.connect()).collect();
        if round > 0 {
            for stream in &mut streams {
                let _ = stream.write_all(PAGE);
            }
            // Who asks after the server has said its word may get a reset instead of it.
            let answers: Vec<_> = streams.iter_mut().map(status_of).collect();
            let count = |status| answers.iter().filter(|one| one.as_deref() == status).count();
            let (served, refused, silent) = (count(Some("200")), count(Some("503")), count(None));
            println!("{served} served, {refused} refused, {silent} closed");
            assert!(served > 0 && refused > 0, "{answers:?}");
            assert_eq!(served + refused + silent, 300, "nothing else is said: {answers:?}");
        }
        drop(streams);
        page_comes_back(&server);
    }
    // Readers, who stay for as long as they like: who has come is served to the end.
    let mut readers = Vec::new();
    while readers.len() < 64 {
        match Client::open(&server, "/ws/comments/?page=files", "") {
            Ok(reader) => readers.push(reader),
            Err(refusal) => {
                assert!(refusal.status == 503, "{refusal:?}");
                break;
            }
        }
    }
    assert!((10..64).contains(&readers.len()), "{} readers", readers.len());
    readers[0].send(&serde_json::json!({"content": "to all of them"}));
    for reader in &mut readers {
        assert_eq!(reader.line()["content"], "to all of them");
    }
    drop(readers);
    page_comes_back(&server);
    calm.returns(&server);
    assert!(server.is_running());
}

/// The limit of open files under which a server can open `spare` more: descriptors are the lowest numbers that are free.
fn first_not_open(server: &Server, spare: u64) -> u64 {
    let taken: Vec<u64> = std::fs::read_dir(format!("/proc/{}/fd", server.pid().as_raw_pid()))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    (0..).filter(|number| !taken.contains(number)).nth(spare as usize).unwrap()
}

#[test]
fn a_tiny_http_that_finds_no_file_left_dies_and_the_page_comes_back() {
    let server = Server::builder().shell("").start();
    let calm = Calm::of(&server);
    let pid = Some(server.pid());
    let limit = |most: u64| {
        let new = Rlimit { current: Some(most), maximum: Some(most.max(1_000)) };
        prlimit(pid, Resource::Nofile, new).unwrap();
    };
    // Beyond what the server has prepared for: its limit falls under it. One file more and one less are each somebody else's
    // failure: the listener's, the upstream's, tiny_http's; four clients' exchanges take 12 and the copies.
    let mut broken = Vec::new();
    let has_died = || server.stderr().contains("the private web server has died, restarting it");
    for _ in 0..SWEEPS_MAX {
        for spare in 0..=12 {
            limit(first_not_open(&server, spare));
            let mut streams: Vec<TcpStream> = (0..4).map(|_| server.connect()).collect();
            for stream in &mut streams {
                // A connection may wait while the listener itself has no descriptor left.
                stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
                let _ = stream.write_all(PAGE);
            }
            broken.push((spare, streams.iter_mut().map(status_of).collect::<Vec<_>>()));
            drop(streams);
            limit(1_000);
            page_comes_back(&server);
        }
        if has_died() {
            break;
        }
    }
    println!("{broken:?}\n{}", server.stderr());
    assert!(has_died(), "{broken:?} {}", server.stderr());
    assert!(files(&server) <= 1_000);
    calm.returns(&server);
}
