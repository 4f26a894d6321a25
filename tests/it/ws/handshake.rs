//! The handshake: what is upgraded, what is refused and why, and what comes with it.

use std::io::Write;

use serde_json::json;

use super::{refused_upgrade, says, works};
use crate::support::{
    client::{Response, get},
    frames::{Client, FIN, SUBPROTOCOL, TEXT, UPGRADE, frame, upgrade},
    server::Server,
};

/// A handshake without the header lines that start with `without`, and with `with`.
fn handshake(server: &Server, without: &str, with: &str) -> Response {
    let lines = format!("Host: {}\r\n{UPGRADE}", server.address);
    let is_kept = |line: &&str| without.is_empty() || !line.starts_with(without);
    let kept: String = lines.split_inclusive('\n').filter(is_kept).collect();
    server.connection().exchange(format!("GET /ws/comments/ HTTP/1.1\r\n{kept}{with}\r\n"))
}

#[test]
fn resuming_needs_the_subprotocol_and_the_log() {
    let server = Server::start(&[]);
    let log = Client::full(&server, "").json()["hello"]["log"].as_str().unwrap().to_owned();
    for (query, headers, part) in [
        (format!("since=0&log={log}"), "", "sayso.1"),
        ("since=0".into(), SUBPROTOCOL, "log"),
        (format!("since=x&log={log}"), SUBPROTOCOL, "since"),
        (format!("since=-1&log={log}"), SUBPROTOCOL, "since"),
        (format!("since=&log={log}"), SUBPROTOCOL, "since"),
        (format!("since=18446744073709551616&log={log}"), SUBPROTOCOL, "since"),
    ] {
        let response = refused_upgrade(&server, &format!("/ws/comments/?{query}"), headers);
        assert_eq!(response.status, 400, "{query}");
        says(&response.json(), &[part]);
    }
    let mut resumed = Client::full(&server, &format!("since=0&log={log}"));
    assert_eq!(resumed.json()["hello"]["resumed"], true);
}

#[test]
fn only_the_subprotocol_that_is_known_is_spoken() {
    let server = Server::start(&[]);
    for offered in
        ["sayso.1", "chat, sayso.1", "sayso.1,chat", "chat\r\nSec-WebSocket-Protocol: sayso.1"]
    {
        let response = handshake(&server, "", &format!("Sec-WebSocket-Protocol: {offered}\r\n"));
        assert_eq!(
            (response.status, response.header("sec-websocket-protocol").as_deref()),
            (101, Some("sayso.1")),
            "{offered}"
        );
    }
    for offered in ["chat", "sayso.2", "sayso.10", "Sayso.1", "graphql-ws, sayso"] {
        let response = handshake(&server, "", &format!("Sec-WebSocket-Protocol: {offered}\r\n"));
        assert_eq!(
            (response.status, response.header("sec-websocket-protocol")),
            (101, None),
            "{offered}"
        );
    }
    let response = handshake(&server, "", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    assert_eq!((response.status, response.header("sec-websocket-extensions")), (101, None));
}

#[test]
fn a_handshake_is_taken_in_any_spelling_and_refused_with_the_reason() {
    let server = Server::start(&[]);
    for (without, with) in [
        ("Upgrade", "upgrade: WebSocket\r\n"),
        ("Upgrade", "UPGRADE: h2c, websocket\r\n"),
        ("Connection", "connection: keep-alive, upgrade\r\n"),
        ("Connection", "Connection: keep-alive\r\nConnection: Upgrade\r\n"),
        ("Sec-WebSocket-Version", "sec-websocket-version:13\r\n"),
        ("", "Content-Length: 0\r\n"),
    ] {
        assert_eq!(handshake(&server, without, with).status, 101, "{with:?}");
    }
    for version in ["12", "8", "130", "x", ""] {
        let response = handshake(
            &server,
            "Sec-WebSocket-Version",
            &format!("Sec-WebSocket-Version: {version}\r\n"),
        );
        assert_eq!(
            (response.status, response.header("sec-websocket-version").as_deref()),
            (426, Some("13")),
            "{version:?}"
        );
        says(&response.json(), &["13"]);
    }
    for key in [
        "",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZQ",
        "not base64, not at all!!",
        "dGhlIHNhbXBsZSBub25jZQ==,x",
    ] {
        let response =
            handshake(&server, "Sec-WebSocket-Key", &format!("Sec-WebSocket-Key: {key}\r\n"));
        assert_eq!(response.status, 400, "{key:?}");
        says(&response.json(), &[]);
    }
    assert_eq!(handshake(&server, "Sec-WebSocket-Key", "").status, 400);
    let twice = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    assert_eq!(handshake(&server, "", twice).status, 400, "two keys");
    for path in
        ["/ws/", "/ws/nothing/", "/ws/comments/more", "/ws/commentsx", "/WS/comments/", "/nothing"]
    {
        let response = refused_upgrade(&server, path, SUBPROTOCOL);
        assert_eq!(response.status, 404, "{path}");
        says(&response.json(), &[]);
    }
    let response = get(&server, "/ws/comments/");
    assert!(matches!(response.status, 400 | 426), "{response:?}");
}

#[test]
fn the_connection_of_a_refused_handshake_can_be_used_again() {
    let server = Server::start(&[]);
    let mut connection = server.connection();
    let host = server.address;
    let wrong = upgrade("last=201");
    let response = connection.exchange(wrong);
    assert_eq!(response.status, 400);
    if response.header("connection").as_deref() != Some("close") {
        let page = connection.exchange(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(page.status, 200);
        let mut client = Client::open_on(connection, "/ws/comments/", "").unwrap();
        works(&mut client);
    }
}

#[test]
fn frames_sent_together_with_the_handshake_are_not_lost() {
    let server = Server::start(&[]);
    let mut reader = Client::plain(&server);
    let mut eager = server.connect();
    let mut bytes = upgrade("").into_bytes();
    for n in 0..20 {
        bytes.extend(frame(
            FIN | TEXT,
            json!({"content": format!("eager {n}")}).to_string().as_bytes(),
        ));
    }
    eager.write_all(&bytes).unwrap();
    for n in 0..20 {
        assert_eq!(reader.line()["content"], format!("eager {n}"));
    }
}

#[test]
fn a_handshake_from_another_site_that_does_not_say_which_is_refused() {
    let server = Server::start(&["--allow-origin", "https://blog.example"]);
    let cross = "Sec-Fetch-Site: cross-site\r\n";
    let response = handshake(&server, "", cross);
    assert_eq!(response.status, 403, "{response:?}");
    assert_eq!(response.json()["code"], "origin_not_allowed");
    says(&response.json(), &["another site", "--allow-origin"]);
    let own = format!("{cross}Origin: http://{}\r\n", server.address);
    let allowed = format!("{cross}Origin: https://blog.example\r\n");
    for headers in ["", "Sec-Fetch-Site: same-origin\r\n", &own, &allowed] {
        assert_eq!(handshake(&server, "", headers).status, 101, "{headers}");
    }
}
