//! Well-behaved clients: writers that repeat a post until it is acknowledged, readers that resume, visitors that load pages.

use std::{
    collections::HashSet,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tungstenite::Message;

use super::{
    Shared,
    requests::{ask, open, text},
};

/// Between two posts of one writer.
const PAUSE: Duration = Duration::from_millis(150);
/// After a connection that has ended.
const AWAY: Duration = Duration::from_millis(200);
const PAGE: &str = "/soak";

/// Posts until the end, each until it is acknowledged; now and then over HTTP, or with an edit, a like or a deletion.
pub fn write(shared: &Shared, n: u64) {
    let from = format!("198.51.100.{n}");
    let key = format!("soak-writer-key-{n:02}");
    let mut socket = None;
    for count in 0.. {
        if !shared.goes_on() {
            return;
        }
        let nonce = format!("soak-nonce-{n:03}-{count:08}");
        let content = format!("comment {count} of *writer* {n}, see https://example.org/{count}");
        let draft =
            json!({"page": PAGE, "content": content, "key": key, "nonce": nonce, "name": "W"});
        let id = loop {
            let id = match count % 10 {
                0 => post(shared, &from, &draft),
                _ => send(shared, &mut socket, &from, &draft),
            };
            match id {
                Some(id) => break id,
                None if !shared.goes_on() => return,
                None => thread::sleep(AWAY),
            }
        };
        shared.acknowledged.lock().expect("no thread panics with it").insert(nonce, id);
        shared.count("comments acknowledged");
        let change = match count % 10 {
            3 => json!({"edit": id, "content": format!("{content} (edited)"), "key": key}),
            5 => json!({"like": id, "on": true, "key": key}),
            7 => json!({"delete": id, "key": key}),
            _ => json!({"typing": true, "name": "W"}),
        };
        if let Some(socket) = &mut socket {
            let _ = socket.send(Message::text(change.to_string()));
        }
        thread::sleep(PAUSE);
    }
}

fn post(shared: &Shared, from: &str, draft: &Value) -> Option<u64> {
    let (status, body) = ask(shared, "POST", "/api/comments", from, &draft.to_string())?;
    let line: Value = serde_json::from_str(&body).ok()?;
    line["id"].as_u64().filter(|_| matches!(status, 200 | 201))
}

type Socket = tungstenite::WebSocket<TcpStream>;

fn send(shared: &Shared, socket: &mut Option<Socket>, from: &str, draft: &Value) -> Option<u64> {
    if socket.is_none() {
        *socket = open(shared, &format!("page={PAGE}"), from);
    }
    let open = socket.as_mut()?;
    let id = open.send(Message::text(draft.to_string())).ok().and_then(|()| {
        for _ in 0..2_000 {
            let Ok(line) = serde_json::from_str::<Value>(&text(shared, open)?) else { continue };
            if line["nonce"] == draft["nonce"] {
                if line["error"].is_string() {
                    shared
                        .count(format!("refused: {}", line["error"].as_str().unwrap_or_default()));
                }
                return line["id"].as_u64();
            }
        }
        None
    });
    if id.is_none() {
        *socket = None;
    }
    id
}

/// Reads and resumes until the end: each line once, in order.
pub fn read(shared: &Shared, n: u64) {
    let from = format!("203.0.113.{n}");
    let (mut log, mut seq, mut seen) = (String::new(), 0, HashSet::new());
    while shared.goes_on() {
        let query = match log.is_empty() {
            true => format!("page={PAGE}"),
            false => format!("page={PAGE}&since={seq}&log={log}"),
        };
        let Some(mut socket) = open(shared, &query, &from) else {
            thread::sleep(AWAY);
            continue;
        };
        shared.count("readers: connected");
        while let Some(message) = text(shared, &mut socket).filter(|_| shared.goes_on()) {
            let Ok(message) = serde_json::from_str::<Value>(&message) else { continue };
            if let Some(hello) = message.get("hello") {
                if log.is_empty() {
                    seq = hello["seq"].as_u64().unwrap_or(0);
                }
                let is_gap = hello["resumed"] == false || (!log.is_empty() && hello["log"] != *log);
                log = hello["log"].as_str().unwrap_or_default().to_owned();
                if is_gap {
                    shared.count("readers: not resumed");
                    break;
                }
            } else if let Some(line) = message["seq"].as_u64() {
                if message.get("id").is_none() {
                    // The highest seq so far: a reader that has seen less has missed something.
                    if line > seq {
                        shared.count("readers: missed or doubled");
                    }
                    continue;
                }
                shared.count("deliveries");
                if line <= seq || !seen.insert(line) {
                    shared.count("readers: missed or doubled");
                }
                seq = seq.max(line);
            }
        }
    }
}

/// Loads what a browser loads, until the end.
pub fn visit(shared: &Shared, n: u64) {
    let from = format!("192.0.2.{n}");
    for count in 0.. {
        if !shared.goes_on() {
            return;
        }
        let target = match count % 6 {
            0 => "/embed.js".to_owned(),
            1 => format!("/?page={PAGE}"),
            2 => format!("/api/comments?page={PAGE}&limit=200"),
            3 => format!("/api/counts?page={PAGE}"),
            4 => "/healthz".to_owned(),
            _ => format!("/api/comments?page={PAGE}&since={}", count * 3),
        };
        if ask(shared, "GET", &target, &from, "").is_none() {
            thread::sleep(AWAY);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Every comment of the page, deleted ones too: its id and nonce.
pub fn all(address: SocketAddr) -> Result<Vec<(u64, String)>, String> {
    let (mut found, mut since) = (Vec::new(), 0);
    loop {
        let mut stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
        let head = format!(
            "GET /api/comments?page={PAGE}&since={since}&limit=200 HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).map_err(|error| error.to_string())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("an answer without a body")?;
        let history: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
        for line in history["comments"].as_array().ok_or("a history without comments")? {
            let nonce = line["nonce"].as_str().unwrap_or_default().to_owned();
            found.push((line["id"].as_u64().ok_or("a line without id")?, nonce));
            since = line["seq"].as_u64().ok_or("a line without seq")?;
        }
        if history["more"] != true {
            return Ok(found);
        }
    }
}
