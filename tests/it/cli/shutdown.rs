//! An orderly end, whoever is connected.

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    client::{get, post, posted},
    frames::Client,
    server::{Server, Signal, TIMEOUT},
};

/// A stop takes at most this long, whoever is connected.
const STOP_MAX: Duration = Duration::from_secs(5);

#[test]
fn both_signals_end_with_0_in_time_whoever_is_connected() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start(&[]);
        let mut sockets: Vec<Client> = (0..50)
            .map(|n| if n % 2 == 0 { Client::plain(&server) } else { Client::full(&server, "") })
            .collect();
        let host = server.address;
        let mut kept: Vec<_> = (0..50)
            .map(|_| {
                let mut connection = server.connection();
                let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
                assert_eq!(connection.exchange(request).status, 200);
                connection.into_parts().0
            })
            .collect();
        // Some that are in the middle of something.
        let unfinished: Vec<_> = ["", "GET / HTTP/1.1\r\nHo", "POST /api/comments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"]
            .into_iter()
            .map(|part| {
                let mut stream = server.connect();
                stream.write_all(part.as_bytes()).unwrap();
                stream
            })
            .collect();
        posted(&server, "the last one");
        let started = Instant::now();
        server.signal(signal);
        let status = server.wait();
        let took = started.elapsed();
        assert_eq!(status.code(), Some(0), "{signal:?}");
        assert!(took < STOP_MAX, "{signal:?}: {took:?}");
        for (number, client) in sockets.iter_mut().enumerate() {
            assert_eq!(client.close_code(), Some(1001), "socket {number} at {signal:?}");
        }
        for stream in &mut kept {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).unwrap();
            assert!(rest.is_empty(), "nothing but the end: {:?}", String::from_utf8_lossy(&rest));
        }
        drop(unfinished);
        for socket in [".web.sock", ".ctl.sock"] {
            assert!(!server.data().join(socket).exists(), "{socket} is gone");
        }
        // What was answered is there, and the folder is free.
        server.restart();
        assert_eq!(get(&server, "/api/comments").json()["comments"][0]["content"], "the last one");
    }
}

#[test]
fn readers_that_never_read_do_not_hold_up_the_end() {
    let mut server = Server::start(&[]);
    let deaf: Vec<Client> = (0..10).map(|_| Client::plain(&server)).collect();
    let mut writer = Client::open(&server, "/ws/comments/?page=other", "").unwrap();
    // 4 MiB to each is more than any socket's buffers and less than what is kept for all.
    for _ in 0..100 {
        assert_eq!(post(&server, &json!({"content": "x".repeat(8192)})).status, 201);
    }
    writer.send(&json!({"content": "elsewhere"}));
    writer.line();
    let started = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(started.elapsed() < STOP_MAX, "{:?}", started.elapsed());
    assert_eq!(writer.close_code(), Some(1001));
    drop(deaf);
}

#[test]
fn every_comment_that_was_acknowledged_before_a_stop_is_there_after_it() {
    let mut server = Server::start(&[]);
    let mut writers: Vec<Client> = (0..4).map(|_| Client::plain(&server)).collect();
    for writer in &mut writers {
        for n in 0..50 {
            writer.send(&json!({"content": format!("c{n}")}));
        }
    }
    let mut seen = vec![writers[0].line()["id"].as_u64().unwrap()];
    server.signal(Signal::TERM);
    while let Ok(message) = writers[0].socket.read() {
        match message {
            tungstenite::Message::Text(text) => {
                let line: serde_json::Value = serde_json::from_str(&text).unwrap();
                seen.extend(line["id"].as_u64());
            }
            tungstenite::Message::Close(frame) => {
                assert_eq!(u16::from(frame.unwrap().code), 1001);
                break;
            }
            _ => {}
        }
    }
    assert_eq!(server.wait().code(), Some(0));
    let log = server.log_text();
    assert!(log.ends_with('\n'));
    for id in seen {
        assert!(log.contains(&format!("\"id\":{id},")), "{id} was seen and is lost");
    }
    server.check();
}

#[test]
fn a_second_signal_is_no_disorder() {
    let mut server = Server::start(&[]);
    let mut socket = Client::plain(&server);
    server.signal(Signal::TERM);
    server.signal(Signal::INT);
    assert_eq!(socket.close_code(), Some(1001));
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_hangup_is_noted_and_ends_nothing() {
    let mut server = Server::builder().shell("").start();
    let mut socket = Client::plain(&server);
    let noted = "SIGHUP is ignored";
    for times in 1..=3 {
        server.signal(Signal::HUP);
        // Signals of one kind that wait for the process become one.
        let start = Instant::now();
        while server.stderr().matches(noted).count() < times {
            assert!(start.elapsed() < TIMEOUT, "{}", server.stderr());
            posted(&server, "still here");
            assert_eq!(socket.line()["content"], "still here");
        }
    }
    server.signal(Signal::HUP);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!(socket.close_code(), Some(1001));
}
