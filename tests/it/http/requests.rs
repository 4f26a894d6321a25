//! Requests at their limits: heads and bodies of any size, in any spelling and at any pace.

use std::io::{Read, Write};

use serde_json::json;

use super::says;
use crate::support::{
    client::{JSON, get, posted, request},
    server::Server,
};

#[test]
fn a_body_of_64_kib_passes_and_one_byte_more_is_413() {
    let server = Server::start(&[]);
    let padded = |length: usize| {
        let body = json!({"content": "padded"}).to_string();
        let spaces = " ".repeat(length - body.len());
        body + &spaces
    };
    assert_eq!(request(&server, "POST", "/api/comments", JSON, &padded(65_536)).status, 201);
    says(
        &request(&server, "POST", "/api/comments", JSON, &padded(65_537)),
        413,
        &["65537", "65536"],
    );
    // Only claimed: refused at once, without reading and without making room.
    for length in [
        "65537",
        "4294967296",
        "4611686018427387904",
        "9223372036854775807",
        "18446744073709551615",
    ] {
        let head = format!(
            "POST /api/comments HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: {length}\r\n\r\n"
        );
        let response = server.raw(head.as_bytes());
        assert!(response.starts_with("HTTP/1.1 413 "), "{length}: {response}");
        assert!(response.contains(length), "{response}");
    }
    for path in ["/", "/nothing", "/embed.js"] {
        let response = request(&server, "POST", path, JSON, &padded(65_537));
        assert_eq!(response.status, 413, "{path}");
    }
    assert_eq!(get(&server, "/healthz").status, 200);
}

#[test]
fn a_head_of_16_kib_and_64_headers_passes_and_more_is_431() {
    let server = Server::start(&[]);
    let of_length = |length: usize| {
        let start = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: ";
        format!("{start}{}\r\n\r\n", "a".repeat(length - start.len() - 4))
    };
    assert!(server.raw(of_length(16_384).as_bytes()).starts_with("HTTP/1.1 200 "));
    let response = server.raw(of_length(16_385).as_bytes());
    assert!(response.starts_with("HTTP/1.1 431 ") && response.contains("16384"), "{response}");
    let with_headers = |count: usize| {
        let more: String = (2..count).map(|n| format!("X-{n}: y\r\n")).collect();
        format!("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n")
    };
    assert!(server.raw(with_headers(64).as_bytes()).starts_with("HTTP/1.1 200 "));
    let response = server.raw(with_headers(65).as_bytes());
    assert!(response.starts_with("HTTP/1.1 431 ") && response.contains("64"), "{response}");
    // Megabytes of head: the answer arrives all the same.
    let response = server.raw(format!("GET /{} HTTP/1.1\r\n", "a".repeat(200_000)).as_bytes());
    assert!(response.starts_with("HTTP/1.1 431 "), "{response}");
}

#[test]
fn anything_ambiguous_in_a_head_is_400_and_the_end_of_the_connection() {
    let server = Server::start(&[]);
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    for head in [
        "GET / HTTP/1.1\nHost: x\n\n",
        "GET / HTTP/1.1\r\nHost: x\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\tc\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: x\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nhost: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /api/comments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\ntransfer-encoding:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: five\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: \u{661}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nNo colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n: empty\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nÜ: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA\u{1}: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: \u{0}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n",
        "GET /ü HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /\u{1} HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /\u{7f} HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.2\r\nHost: x\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        "GET / HTTP/0.9\r\nHost: x\r\n\r\n",
        "GET / http/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1x\r\nHost: x\r\n\r\n",
        "GET /\r\n\r\n",
        "GET\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}\r\n\r\n",
        "G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET nothing HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let response = server.raw(format!("{head}{smuggled}").as_bytes());
        assert!(response.starts_with("HTTP/1.1 400 "), "{head:?}: {response}");
        assert_eq!(
            response.lines().filter(|line| line.starts_with("HTTP/1.1 ")).count(),
            1,
            "nothing behind it is read: {head:?}: {response}"
        );
        assert!(
            response.to_ascii_lowercase().contains("connection: close")
                && response.contains("{\"error\":\""),
            "{head:?}: {response}"
        );
    }
    assert_eq!(get(&server, "/healthz").status, 200);
}

#[test]
fn requests_of_one_connection_are_answered_in_order() {
    let server = Server::start(&[]);
    let body = json!({"content": "in between"}).to_string();
    let post = format!(
        "POST /api/comments HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let bytes = format!(
        "GET /api/counts?page=first HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\n{post}\
         GET /nothing HTTP/1.1\r\nHost: x\r\n\r\nGET /api/counts?page=/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n\
         GET /after-the-end HTTP/1.1\r\nHost: x\r\n\r\n"
    );
    let response = server.raw(bytes.as_bytes());
    let statuses: Vec<&str> = response.split("HTTP/1.1 ").skip(1).map(|each| &each[..3]).collect();
    assert_eq!(statuses, ["200", "200", "201", "404", "200"], "{response}");
    assert!(response.contains("{\"first\":0}") && response.ends_with("{\"/\":1}"), "{response}");
    // HTTP/1.0 ends by itself, and stays on request.
    let response = server.raw(b"GET /healthz HTTP/1.0\r\nHost: x\r\n\r\n");
    assert!(response.contains(" 200 ") && response.ends_with("{\"status\":\"ok\"}"), "{response}");
    let response = server.raw(
        b"GET /healthz HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\nGET /nothing HTTP/1.0\r\nHost: x\r\n\r\n",
    );
    assert!(response.contains(" 200 ") && response.contains(" 404 "), "{response}");
}

#[test]
fn a_client_that_expects_100_is_told_to_go_on() {
    let server = Server::start(&[]);
    let mut connection = server.connection();
    let body = json!({"content": "expected"}).to_string();
    let head = format!(
        "POST /api/comments HTTP/1.1\r\nHost: x\r\n{JSON}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let first = connection.exchange(head);
    assert!(first.status == 100 && connection.buffer().is_empty(), "{first:?}");
    assert_eq!(connection.exchange(body).status, 201);
    let head = format!(
        "POST /api/comments HTTP/1.1\r\nHost: x\r\n{JSON}Expect: 100-continue\r\nContent-Length: 65537\r\n\r\n"
    );
    assert!(
        server.raw(head.as_bytes()).starts_with("HTTP/1.1 413 "),
        "not told to go on with what is refused"
    );
}

#[test]
fn a_slow_client_and_one_that_goes_hold_up_nobody() {
    let server = Server::start(&[]);
    // More than web threads and exchanges, each in the middle of something.
    let mut stuck = Vec::new();
    for n in 0..150 {
        let mut stream = server.connect();
        let part = match n % 3 {
            0 => "GET / HT",
            1 => {
                "POST /api/comments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"content\""
            }
            _ => "GET /embed.js HTTP/1.1\r\nHost: x\r\n\r\n",
        };
        stream.write_all(part.as_bytes()).unwrap();
        stuck.push(stream);
    }
    assert_eq!(get(&server, "/").status, 200);
    assert_eq!(posted(&server, "goes through")["id"], 1);
    drop(stuck);
    assert_eq!(
        get(&server, "/api/comments").json()["comments"].as_array().unwrap().len(),
        1,
        "half a post is none"
    );
}

#[test]
fn the_answer_to_a_refusal_arrives_though_the_client_goes_on_sending() {
    let server = Server::start(&[]);
    let mut stream = server.connect();
    let head =
        format!("POST /api/comments HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: 200000\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&[b'x'; 200_000]).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 413 ") && response.contains("200000"), "{response}");
}
