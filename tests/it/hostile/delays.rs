//! Clients that take their time: a byte now and then, or an answer that they never read.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use tungstenite::{Error, Message};

use super::{Calm, status};
use crate::support::{
    client::{get, posted},
    frames::{Client, FIN, PING, TEXT, frame},
    server::{Server, TIMEOUT},
};

/// The pace of who wants to stay as long as possible.
const PACE: Duration = Duration::from_secs(1);
/// What a page that is asked for meanwhile may take: far above what it does take, a few milliseconds.
const PAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long nothing may be asked on a connection, and nothing be heard of a reader: the table in src/web/README.md.
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(60);
const SILENCE_MAX: Duration = Duration::from_secs(75);

/// The longest that a page takes, asked for again and again until `done`.
fn slowest_page(server: &Server, mut done: impl FnMut() -> bool) -> Duration {
    let mut slowest = Duration::ZERO;
    while !done() {
        let start = Instant::now();
        assert_eq!(get(server, "/").status, 200);
        slowest = slowest.max(start.elapsed());
    }
    assert!(slowest < PAGE_TIMEOUT, "the page took {slowest:?}");
    slowest
}

/// Sends each of the streams one byte a second, and gives what each has been told once all of them are ended.
fn one_byte_a_second(server: &Server, streams: Vec<TcpStream>, byte: u8) -> Vec<String> {
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
    let slowest = slowest_page(server, || {
        // The pace is what is shown here; between two bytes there are pages.
        thread::sleep(next.saturating_duration_since(Instant::now()).min(PACE / 10));
        if Instant::now() < next {
            return false;
        }
        next += PACE;
        assert!(start.elapsed() < 2 * TIMEOUT, "{} are still there", open.len());
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
    let server = Server::start(&[]);
    let calm = Calm::of(&server);
    let start = Instant::now();
    let streams: Vec<TcpStream> = (0..500).map(|_| server.connect()).collect();
    let beginning = b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ";
    // All but those that what follows would make malformed.
    let cuts: Vec<usize> =
        (0..=beginning.len()).filter(|&cut| !beginning[..cut].ends_with(b"\r")).collect();
    for (n, mut stream) in streams.iter().enumerate() {
        stream.write_all(&beginning[..cuts[n % cuts.len()]]).unwrap();
    }
    for response in one_byte_a_second(&server, streams, b'a') {
        assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
        assert!(response.contains("of the head arrived within 10 s"), "{response}");
    }
    assert!(start.elapsed() >= Duration::from_secs(10), "only the deadline ends them");
    calm.returns(&server);
}

#[test]
fn sixty_four_slow_bodies_and_as_many_who_never_read_keep_nobody_from_the_page() {
    let server = Server::start(&[]);
    let calm = Calm::of(&server);
    for n in 0..100 {
        posted(&server, &format!("{n} {}", "long ".repeat(1_600)));
    }
    let whole = get(&server, "/api/comments?limit=200").body.len();
    assert!(whole > 700_000, "{whole}");
    // As many as there are exchanges, and far more than a socket's buffers swallow.
    let history = b"GET /api/comments?limit=200 HTTP/1.1\r\nHost: x\r\n\r\n";
    let never_read: Vec<TcpStream> = (0..64)
        .map(|_| {
            let mut stream = server.connect();
            rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 4_096).unwrap();
            stream.write_all(&history.repeat(20)).unwrap();
            stream
        })
        .collect();
    let slow: Vec<TcpStream> = (0..64)
        .map(|_| {
            let mut stream = server.connect();
            let head = "POST /api/comments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 65536\r\n\r\n{";
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    for response in one_byte_a_second(&server, slow, b' ') {
        assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
        assert!(response.contains("of 65536 bytes of the body arrived within 10 s"), "{response}");
    }
    println!("{} KiB while 64 answers wait", status(&server, "VmRSS"));
    // They are ended though they are still there, and have not been answered.
    calm.is_back_in_threads(&server);
    let mut pages = 0;
    slowest_page(&server, || std::mem::replace(&mut pages, 1) == 1);
    drop(never_read);
    calm.returns(&server);
}

/// How long it takes until the other side ends the connection; what it says until then is read and never answered.
fn ended_after(start: Instant, mut stream: TcpStream) -> Duration {
    stream.set_read_timeout(Some(SILENCE_MAX + TIMEOUT)).unwrap();
    std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    start.elapsed()
}

#[test]
fn who_asks_nothing_for_60_s_or_answers_no_ping_for_75_is_ended_and_who_answers_stays() {
    let server = Server::start(&[]);
    let calm = Calm::of(&server);
    let start = Instant::now();
    let mut idle = server.connection();
    assert_eq!(idle.exchange("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    let (idle, _) = idle.into_parts();
    let silent = Client::full(&server, "page=silence").socket.into_inner();
    let mut reader = Client::full(&server, "page=silence");
    let readers = |count: u64| json!({ "readers": count });
    reader.until(&readers(2));
    thread::scope(|scope| {
        let idle = scope.spawn(|| ended_after(start, idle));
        let silent = scope.spawn(|| ended_after(start, silent));
        // Reading answers the pings. That there is one reader less is told once the silent one has been ended.
        reader.socket.get_ref().set_read_timeout(Some(SILENCE_MAX + TIMEOUT)).unwrap();
        while reader.json() != readers(1) {}
        let (idle, silent) = (idle.join().unwrap(), silent.join().unwrap());
        println!("ended after {idle:?} and {silent:?}");
        assert!(KEEP_ALIVE_IDLE <= idle && idle < SILENCE_MAX, "{idle:?}");
        assert!(SILENCE_MAX <= silent, "{silent:?}");
    });
    reader.send(&json!({"content": "still here"}));
    assert_eq!(reader.line()["content"], "still here");
    drop(reader);
    calm.returns(&server);
}

#[test]
fn an_unfinished_message_ends_with_1008_after_30_s_however_many_pings_come_in_between() {
    let server = Server::start(&[]);
    let calm = Calm::of(&server);
    let start = Instant::now();
    let mut client = Client::plain(&server);
    client.send_bytes(&frame(TEXT, b"{\"content\":"));
    let mut ended = None;
    // As who wants to stay would do it.
    client.socket.get_ref().set_read_timeout(Some(PACE)).unwrap();
    while ended.is_none() {
        assert!(start.elapsed() < 2 * TIMEOUT, "it is still there");
        match client.socket.read() {
            Ok(Message::Close(close)) => ended = close,
            Ok(_) => {}
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                client.send_bytes(&frame(FIN | PING, b""));
            }
            Err(error) => panic!("no close frame: {error}"),
        }
    }
    let ended = ended.unwrap();
    assert_eq!((u16::from(ended.code), &*ended.reason), (1008, "a message took more than 30 s"));
    assert!(start.elapsed() >= Duration::from_secs(30), "only the deadline ends it");
    drop(client);
    calm.returns(&server);
}

/// The bytes that the kernel keeps for the client of this stream on the server's side; `None` once it has forgotten the connection.
fn untaken(server: &Server, stream: &TcpStream) -> Option<u64> {
    let port = |address: std::net::SocketAddr| format!(":{:04X}", address.port());
    // A stream that has been reset no longer knows its peer.
    let (own, peer) = (port(stream.local_addr().unwrap()), port(server.address));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, remote, queues) = (fields.get(1)?, fields.get(2)?, fields.get(4)?);
        let is_it = local.ends_with(&peer) && remote.ends_with(&own);
        let unsent = u64::from_str_radix(queues.split(':').next()?, 16);
        is_it.then(|| unsent.expect("the queue is a number"))
    })
}

#[test]
fn a_history_that_is_not_read_takes_little_of_the_kernel_and_ends_with_a_reset() {
    let server = Server::start(&[]);
    let calm = Calm::of(&server);
    for n in 0..100 {
        posted(&server, &format!("{n} {}", "long ".repeat(1_600)));
    }
    let ask = |keep: &str| {
        let mut stream = server.connect();
        rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 4_096).unwrap();
        let head = format!("GET /api/comments?limit=200 HTTP/1.1\r\nHost: x\r\n{keep}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let deaf = [ask(""), ask("Connection: close\r\n")];
    let start = Instant::now();
    let mut most = 0;
    for stream in &deaf {
        while let Some(bytes) = untaken(&server, stream) {
            most = most.max(bytes);
            assert!(start.elapsed() < 3 * TIMEOUT, "{bytes} bytes are still kept");
            // Nothing tells that a connection has ended but looking, or reading, which would take what is to be left.
            thread::sleep(PACE / 20);
        }
    }
    println!("at most {most} bytes, for {:?}", start.elapsed());
    assert!(0 < most && most <= 256 * 1024, "{most} bytes were kept");
    for mut stream in deaf {
        let ended = std::io::copy(&mut stream, &mut std::io::sink());
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
    calm.returns(&server);
}
