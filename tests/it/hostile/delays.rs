//! Clients that take their time: a byte now and then, or an answer that they never read.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{Calm, status};
use crate::{
    client::{Client, exchange, get, posted},
    program::{Folder, PATIENCE, Program},
};

/// The pace of who wants to stay as long as possible.
const PACE: Duration = Duration::from_secs(1);
/// What a page that is asked for meanwhile may take: far above what it does take, a few milliseconds.
const PAGE_PATIENCE: Duration = Duration::from_secs(5);

/// How long nothing may be asked on a connection, and nothing be heard of a reader: the table in src/web/README.md.
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(60);
const SILENCE_MAX: Duration = Duration::from_secs(75);

/// The longest that a page takes, asked for again and again until `done`.
fn slowest_page(program: &Program, mut done: impl FnMut() -> bool) -> Duration {
    let mut slowest = Duration::ZERO;
    while !done() {
        let start = Instant::now();
        assert_eq!(get(program, "/").status, 200);
        slowest = slowest.max(start.elapsed());
    }
    assert!(slowest < PAGE_PATIENCE, "the page took {slowest:?}");
    slowest
}

/// Sends each of the streams one byte a second, and gives what each has been told once all of them are ended.
fn one_byte_a_second(program: &Program, streams: Vec<TcpStream>, byte: u8) -> Vec<String> {
    let start = Instant::now();
    let mut open: Vec<(TcpStream, Vec<u8>)> = streams
        .into_iter()
        .map(|stream| {
            stream.set_nonblocking(true).unwrap();
            (stream, Vec::new())
        })
        .collect();
    let mut ended = Vec::new();
    let mut next = start;
    let slowest = slowest_page(program, || {
        // The pace is what is shown here; between two bytes there are pages.
        thread::sleep(next.saturating_duration_since(Instant::now()).min(PACE / 10));
        if Instant::now() < next {
            return false;
        }
        next += PACE;
        assert!(start.elapsed() < 2 * PATIENCE, "{} are still there", open.len());
        open.retain_mut(|(stream, told)| {
            // Who has been ended can't be sent anything any more.
            let _ = stream.write(&[byte]);
            let is_open = match stream.read_to_end(told) {
                Err(error) => error.kind() == ErrorKind::WouldBlock,
                Ok(_) => false,
            };
            if !is_open {
                ended.push(String::from_utf8(std::mem::take(told)).unwrap());
            }
            is_open
        });
        open.is_empty()
    });
    println!("{} were ended within {:?}, a page took {slowest:?}", ended.len(), start.elapsed());
    ended
}

#[test]
fn five_hundred_heads_of_one_byte_a_second_are_ended_and_a_page_comes_meanwhile() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    let calm = Calm::of(&program);
    let start = Instant::now();
    let streams: Vec<TcpStream> = (0..500).map(|_| program.connect()).collect();
    let beginning = b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ";
    // All but those that what follows would make malformed.
    let cuts: Vec<usize> =
        (0..=beginning.len()).filter(|&cut| !beginning[..cut].ends_with(b"\r")).collect();
    for (n, mut stream) in streams.iter().enumerate() {
        stream.write_all(&beginning[..cuts[n % cuts.len()]]).unwrap();
    }
    for answer in one_byte_a_second(&program, streams, b'a') {
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("of the head arrived within 10 s"), "{answer}");
    }
    assert!(start.elapsed() >= Duration::from_secs(10), "only the deadline ends them");
    calm.returns(&folder, &program);
}

#[test]
fn sixty_four_slow_bodies_and_as_many_who_never_read_keep_nobody_from_the_page() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    let calm = Calm::of(&program);
    for n in 0..100 {
        posted(&program, &format!("{n} {}", "long ".repeat(1_600)));
    }
    let whole = get(&program, "/api/comments?limit=200").body.len();
    assert!(whole > 700_000, "{whole}");
    // As many as there are exchanges, and far more than a socket's buffers swallow.
    let history = b"GET /api/comments?limit=200 HTTP/1.1\r\nHost: x\r\n\r\n";
    let never_read: Vec<TcpStream> = (0..64)
        .map(|_| {
            let mut stream = program.connect();
            rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 4_096).unwrap();
            stream.write_all(&history.repeat(20)).unwrap();
            stream
        })
        .collect();
    let slow: Vec<TcpStream> = (0..64)
        .map(|_| {
            let mut stream = program.connect();
            let head = "POST /api/comments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 65536\r\n\r\n{";
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    for answer in one_byte_a_second(&program, slow, b' ') {
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("of 65536 bytes of the body arrived within 10 s"), "{answer}");
    }
    println!("{} KiB while 64 answers wait", status(&program, "VmRSS"));
    // They are ended though they are still there, and have not been answered.
    calm.is_back_in_threads(&program);
    let mut pages = 0;
    slowest_page(&program, || std::mem::replace(&mut pages, 1) == 1);
    drop(never_read);
    calm.returns(&folder, &program);
}

/// How long it takes until the other side ends the connection; what it says until then is read and never answered.
fn ended_after(start: Instant, mut stream: TcpStream) -> Duration {
    stream.set_read_timeout(Some(SILENCE_MAX + PATIENCE)).unwrap();
    std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    start.elapsed()
}

#[test]
fn who_asks_nothing_for_60_s_or_answers_no_ping_for_75_is_ended_and_who_answers_stays() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    let calm = Calm::of(&program);
    let start = Instant::now();
    let mut idle = program.connect();
    assert_eq!(exchange(&mut idle, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", true).status, 200);
    let silent = Client::full(&program, "page=silence").socket.into_inner();
    let mut reader = Client::full(&program, "page=silence");
    let readers = |count: u64| json!({ "readers": count });
    reader.until(&readers(2));
    thread::scope(|scope| {
        let idle = scope.spawn(|| ended_after(start, idle));
        let silent = scope.spawn(|| ended_after(start, silent));
        // Reading answers the pings. That there is one reader less is told once the silent one has been ended.
        reader.socket.get_ref().set_read_timeout(Some(SILENCE_MAX + PATIENCE)).unwrap();
        while reader.json() != readers(1) {}
        let (idle, silent) = (idle.join().unwrap(), silent.join().unwrap());
        println!("ended after {idle:?} and {silent:?}");
        assert!(KEEP_ALIVE_IDLE <= idle && idle < SILENCE_MAX, "{idle:?}");
        assert!(SILENCE_MAX <= silent, "{silent:?}");
    });
    reader.send(&json!({"content": "still here"}));
    assert_eq!(reader.line()["content"], "still here");
    drop(reader);
    calm.returns(&folder, &program);
}
