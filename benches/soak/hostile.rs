//! Hostile and broken clients: one attack after the other, until the end.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use rustix::net::sockopt::set_socket_linger;

use super::{
    Shared,
    requests::{ask, connect, open},
};

/// Half-open requests that one attacker holds at once.
const IDLE: usize = 60;

/// Requests that are sent as they are.
const RAW: [&str; 14] = [
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4611686018427387904\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nx",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "GET / HTTP/1.1\nHost: a\n\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /ws/comments/ HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
];
/// Frames that are sent: opcode, whether masked, payload.
const FRAMES: [(u8, bool, &[u8]); 8] = [
    (0x81, false, b"{}"),
    (0x82, true, b"binary"),
    (0xc1, true, b"{}"),
    (0x83, true, b"reserved"),
    (0x01, true, b"{\"content\":\""),
    (0x81, true, b"\xff\xfe"),
    (0x89, true, &[0; 126]),
    (0x81, true, b"rubbish"),
];

/// Attacks until the end.
pub fn attack(shared: &Shared, n: u64) {
    let from = format!("198.18.0.{n}");
    let mut idle: Vec<TcpStream> = Vec::new();
    for count in 0usize.. {
        if !shared.goes_on() {
            return;
        }
        match count % 9 {
            0 | 1 => raw(shared, RAW[count / 9 % RAW.len()].as_bytes()),
            2 => raw(
                shared,
                format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(100_000))
                    .as_bytes(),
            ),
            3 => frames(shared, count / 9, &from),
            4 => reset(shared, count),
            5 => {
                let nested = format!("{{\"content\":{}", "[".repeat(60_000));
                ask(shared, "POST", "/api/comments", &from, &nested);
            }
            6 => {
                // Slow requests: one byte, and no more.
                idle.extend(connect(shared).filter(|mut stream| stream.write_all(b"G").is_ok()));
                if idle.len() > IDLE {
                    idle.clear();
                }
            }
            7 => never_read(shared, &from),
            _ => {
                let spam = "{\"content\":\"the same over and over again, bought cheaply\"}";
                ask(shared, "POST", "/api/comments", &from, spam);
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn raw(shared: &Shared, bytes: &[u8]) {
    let Some(mut stream) = connect(shared) else { return };
    let _ = stream.write_all(bytes);
    let mut answer = [0; 64];
    let read = stream.read(&mut answer).unwrap_or(0);
    let status = String::from_utf8_lossy(&answer[..read]);
    let status = status.split(' ').nth(1).unwrap_or("nothing");
    shared.count(format!("hostile requests: {status}"));
}

fn frames(shared: &Shared, which: usize, from: &str) {
    let Some(mut socket) = open(shared, "page=/", from) else { return };
    let (first, is_masked, payload) = FRAMES[which % FRAMES.len()];
    let length = payload.len().min(125) as u8;
    let mut frame = vec![first, length | if is_masked { 0x80 } else { 0 }];
    if is_masked {
        frame.extend([0; 4]);
    }
    frame.extend(&payload[..usize::from(length)]);
    for _ in 0..25 {
        if socket.get_mut().write_all(&frame).is_err() {
            break;
        }
    }
    while super::requests::text(shared, &mut socket).is_some_and(|text| !text.is_empty()) {}
}

/// Begins a request and resets the connection.
fn reset(shared: &Shared, count: usize) {
    let request = b"POST /api/comments HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"content\":\"hi\"}";
    let Some(mut stream) = connect(shared) else { return };
    let _ = stream.write_all(&request[..count % request.len()]);
    let _ = set_socket_linger(&stream, Some(Duration::ZERO));
    shared.count("connections: reset");
}

/// Requests much and reads none of it.
fn never_read(shared: &Shared, from: &str) {
    let Some(socket) = open(shared, "page=/soak&last=200", from) else { return };
    shared.count("readers: never read");
    thread::sleep(Duration::from_millis(500));
    drop(socket);
}
