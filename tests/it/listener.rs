//! The public port against what browsers, proxies and scanners send.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::Instant,
};

use serde_json::json;

use crate::{
    support::client::{Client, exchange, get, header, posted, read_head},
    support::server::{Folder, PATIENCE, Program},
};

fn request_bytes(program: &Program, line: &str, headers: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", program.address).into_bytes()
}

#[test]
fn a_page_and_then_an_upgrade_on_one_connection_are_both_answered() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    let mut stream = program.connect();
    for _ in 0..3 {
        let page = exchange(&mut stream, &request_bytes(&program, "GET /", ""), true);
        assert_eq!((page.status, page.header("connection")), (200, None), "{page:?}");
    }
    let mut client = Client::open_on(stream, "/ws/comments/", "").unwrap();
    client.send(&json!({"content": "over a pooled connection"}));
    assert_eq!(client.line()["content"], "over a pooled connection");
}

#[test]
fn frames_that_come_with_the_handshake_are_not_lost() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    let mut stream = program.connect();
    let mut bytes = request_bytes(
        &program,
        "GET /ws/comments/",
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    );
    let payload = b"{\"content\":\"early\"}";
    bytes.extend_from_slice(&[0x81, 0x80 | payload.len() as u8, 0, 0, 0, 0]);
    bytes.extend_from_slice(payload);
    stream.write_all(&bytes).unwrap();
    let (head, mut rest) = read_head(&mut stream);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let mut chunk = [0; 1024];
    while !String::from_utf8_lossy(&rest).contains("\"content\":\"early\"") {
        let count = stream.read(&mut chunk).unwrap();
        assert!(count > 0);
        rest.extend_from_slice(&chunk[..count]);
    }
}

#[test]
fn a_request_split_at_any_byte_and_two_in_one_piece_are_answered() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    let body = "{\"content\":\"split\"}";
    let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let mut whole = request_bytes(&program, "POST /api/comments", &headers);
    whole.extend_from_slice(body.as_bytes());
    let mut stream = program.connect();
    for at in 1..whole.len() {
        stream.write_all(&whole[..at]).unwrap();
        let answer = exchange(&mut stream, &whole[at..], true);
        assert_eq!(answer.status, 201, "split at {at}: {answer:?}");
    }
    let twice = [&whole[..], &whole[..]].concat();
    assert_eq!(exchange(&mut stream, &twice, true).status, 201);
    assert_eq!(exchange(&mut stream, b"", true).status, 201);
}

#[test]
fn what_could_be_read_in_two_ways_is_refused_and_the_connection_ends() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    let host = format!("Host: {}\r\n", program.address);
    let long = format!("X: {}\r\n", "x".repeat(100_000));
    let many: String = (0..65).map(|n| format!("X-{n}: x\r\n")).collect();
    let cases: Vec<(String, u16)> = vec![
        ("GET / HTTP/1.1\r\n\r\n".into(), 400),
        (format!("GET / HTTP/1.1\r\n{host}{host}\r\n"), 400),
        (format!("GET / HTTP/1.1\n{host}\r\n"), 400),
        (format!("GET / HTTP/1.1\r\n{host}X: a\r\n b\r\n\r\n"), 400),
        (format!("GET /\u{e9} HTTP/1.1\r\n{host}\r\n"), 400),
        (format!("GET /\t HTTP/1.1\r\n{host}\r\n"), 400),
        (format!("GET / HTTP/2.0\r\n{host}\r\n"), 400),
        (format!("GET / HTTP/0.9\r\n{host}\r\n"), 400),
        (format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400),
        (format!("POST / HTTP/1.1\r\n{host}transfer-encoding : identity\r\n\r\n"), 400),
        (format!("POST / HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"), 400),
        (format!("POST / HTTP/1.1\r\n{host}Content-Length: +1\r\n\r\nx"), 400),
        (format!("POST / HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n"), 400),
        (format!("POST / HTTP/1.1\r\n{host}Content-Length: 1, 1\r\n\r\nx"), 400),
        (format!("POST / HTTP/1.1\r\n{host}Content-Length: 65537\r\n\r\n"), 413),
        (format!("POST / HTTP/1.1\r\n{host}Content-Length: 4611686018427387904\r\n\r\n"), 413),
        (format!("GET / HTTP/1.1\r\n{host}{long}\r\n"), 431),
        (format!("GET / HTTP/1.1\r\n{host}{many}\r\n"), 431),
    ];
    for (bytes, status) in cases {
        let shown: String = bytes.chars().take(90).collect();
        let answer = program.raw(bytes.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{shown:?}: {answer:?}");
        assert_eq!(header(&answer, "connection").as_deref(), Some("close"), "{shown:?}");
        assert_eq!(answer.matches("HTTP/1.1 4").count(), 1, "one answer: {shown:?} {answer:?}");
        assert!(answer.contains("{\"error\":\""), "{shown:?}: {answer:?}");
    }
    posted(&program, "still here");
}

#[test]
fn a_body_of_65536_bytes_and_a_head_of_64_headers_pass() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    let mut stream = program.connect();
    let body = format!("{{\"content\":\"long body\",\"x\":\"{}\"}}", "x".repeat(65_536 - 30));
    assert_eq!(body.len(), 65_536);
    let many: String = (0..61).map(|n| format!("X-{n}: x\r\n")).collect();
    let headers =
        format!("{many}Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let mut bytes = request_bytes(&program, "POST /api/comments", &headers);
    bytes.extend_from_slice(body.as_bytes());
    assert_eq!(exchange(&mut stream, &bytes, true).status, 201);
}

/// Starts sayso with at most 64 open files.
fn with_64_files(folder: &Folder) -> Program {
    let mut command = Command::new("sh");
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]);
    command.arg(env!("CARGO_BIN_EXE_sayso")).args(["--listen", "127.0.0.1:0", "--rate", "off"]);
    command.args(["--max-per-address", "10000", "--data"]).arg(&folder.0);
    Program::spawn(&mut command)
}

#[test]
fn two_hundred_connections_against_64_files_are_told_so_and_all_works_again_after() {
    let folder = Folder::new();
    let program = with_64_files(&folder);
    posted(&program, "before");
    let mut streams: Vec<TcpStream> = Vec::new();
    let bytes = request_bytes(&program, "GET /", "");
    for _ in 0..200 {
        let mut stream = program.connect();
        // Who is turned away may be closed already.
        let _ = stream.write_all(&bytes);
        streams.push(stream);
    }
    let (mut served, mut refused) = (0, 0);
    for stream in &mut streams {
        let mut first = [0; 12];
        match stream.read_exact(&mut first) {
            Ok(()) if &first == b"HTTP/1.1 200" => served += 1,
            Ok(()) if &first == b"HTTP/1.1 503" => refused += 1,
            other => panic!("{other:?} {:?}", String::from_utf8_lossy(&first)),
        }
    }
    assert!(served > 0 && refused > 0, "{served} served, {refused} refused");
    drop(streams);
    let start = Instant::now();
    loop {
        let mut stream = program.connect();
        let _ = stream.write_all(&bytes);
        let mut first = [0; 12];
        if stream.read_exact(&mut first).is_ok() && &first == b"HTTP/1.1 200" {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "the page does not come back");
    }
    let mut client = Client::plain(&program);
    client.send(&json!({"content": "after"}));
    assert_eq!(client.line()["content"], "after");
    assert_eq!(get(&program, "/api/counts?page=/").json(), json!({"/": 2}));
}
