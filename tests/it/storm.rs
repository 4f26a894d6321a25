//! Many at once, with readers that come and go and a server that is killed: everything once, in order.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use serde_json::{Value, json};

use crate::support::{
    client::history_since,
    frames::Client,
    server::{Server, Signal, TIMEOUT},
};

const AUTHORS: usize = 8;
const COMMENTS_EACH: usize = 125;

fn nonce(author: usize, n: usize) -> String {
    format!("author-{author:03}-comment-{n:05}")
}

/// Reads lines until `count` different comments were seen; panics on a double or a step back.
fn read_in_order(client: &mut Client, since: u64, count: usize) -> Vec<Value> {
    let mut seen: Vec<Value> = Vec::new();
    let mut last = since;
    while seen.len() < count {
        let line = client.line();
        let seq = line["seq"].as_u64().unwrap_or_else(|| panic!("no line: {line}"));
        assert!(seq > last, "line {seq} came behind {last}");
        last = seq;
        seen.push(line);
    }
    seen
}

#[test]
fn fifty_clients_see_a_thousand_comments_once_and_in_order_while_others_come_and_go() {
    let server = Arc::new(Server::start(&[]));
    let total = AUTHORS * COMMENTS_EACH;
    let log = Client::full(&server, "").json()["hello"]["log"].as_str().unwrap().to_owned();
    thread::scope(|scope| {
        let stayers: Vec<_> = (0..50)
            .map(|_| {
                let mut client = Client::full(&server, "");
                assert_eq!(client.json()["hello"]["seq"], 0);
                scope.spawn(move || read_in_order(&mut client, 0, total))
            })
            .collect();
        for reader in 0..10 {
            let (server, log) = (server.clone(), log.clone());
            scope.spawn(move || read_and_resume(&server, &log, total, reader));
        }
        for author in 0..AUTHORS {
            let mut client = Client::plain(&server);
            scope.spawn(move || {
                for n in 0..COMMENTS_EACH {
                    client.send(
                        &json!({"content": format!("{author}/{n}"), "nonce": nonce(author, n)}),
                    );
                    let wanted = nonce(author, n);
                    while client.json()["nonce"] != wanted.as_str() {}
                }
            });
        }
        let seen: Vec<Vec<Value>> =
            stayers.into_iter().map(|stayer| stayer.join().unwrap()).collect();
        for lines in &seen[1..] {
            assert_eq!(lines, &seen[0]);
        }
        let contents: HashSet<&str> =
            seen[0].iter().map(|line| line["content"].as_str().unwrap()).collect();
        assert_eq!(contents.len(), total);
    });
}

/// Connects, reads a little, leaves, resumes: together its connections must be the whole, once and in order.
fn read_and_resume(server: &Server, log: &str, total: usize, seed: usize) {
    let (mut cursor, mut seen, mut round) = (0, 0, seed);
    while seen < total {
        let mut client = Client::full(server, &format!("since={cursor}&log={log}"));
        assert_eq!(client.json()["hello"]["resumed"], true, "cursor {cursor}");
        round = (round * 31 + 7) % 1_009;
        let stay = (1 + round % 97).min(total - seen);
        for line in read_in_order(&mut client, cursor, stay) {
            cursor = line["seq"].as_u64().unwrap();
            seen += 1;
        }
    }
}

#[test]
fn after_kill_9_everything_seen_or_acknowledged_is_there_once() {
    let mut server = Server::builder().stopped();
    let seen_by_anybody: Mutex<BTreeMap<u64, Value>> = Mutex::default();
    let mut next = [0; AUTHORS];
    for round in 0..4 {
        server.restart();
        let kill_at = 40 + round * 35;
        let lines_seen = AtomicBool::new(false);
        thread::scope(|scope| {
            let mut watcher = Client::full(&server, "");
            let (seen, lines_seen) = (&seen_by_anybody, &lines_seen);
            scope.spawn(move || {
                let mut count = 0;
                while let Ok(message) = watcher.socket.read() {
                    let Ok(text) = message.into_text() else { continue };
                    let Ok(line) = serde_json::from_str::<Value>(&text) else { continue };
                    if let Some(seq) = line["seq"].as_u64().filter(|_| line.get("id").is_some()) {
                        seen.lock().unwrap().insert(seq, line);
                        count += 1;
                        if count == kill_at {
                            lines_seen.store(true, Relaxed);
                        }
                    }
                }
                lines_seen.store(true, Relaxed);
            });
            for (author, next) in next.iter_mut().enumerate() {
                let mut client = Client::plain(&server);
                scope.spawn(move || while post_until_dead(&mut client, author, next) {});
            }
            let start = std::time::Instant::now();
            while !lines_seen.load(Relaxed) {
                assert!(start.elapsed() < TIMEOUT);
                thread::yield_now();
            }
            server.signal(Signal::KILL);
        });
        server.wait();
    }
    server.restart();
    // Whoever got no answer asks again with the same nonce.
    for (author, next) in next.iter().enumerate() {
        let mut client = Client::plain(&server);
        client.send(&json!({"content": format!("{author}/{next}"), "nonce": nonce(author, *next)}));
        assert_eq!(client.json()["nonce"], nonce(author, *next).as_str());
    }
    let lines = history_since(&server, "/", 0);
    let by_seq = |line: Value| (line["seq"].as_u64().unwrap(), line);
    let all: BTreeMap<u64, Value> = lines.into_iter().map(by_seq).collect();
    for (seq, line) in seen_by_anybody.lock().unwrap().iter() {
        assert_eq!(all.get(seq), Some(line), "somebody saw {seq}");
    }
    let mut nonces: Vec<&str> = all.values().map(|line| line["nonce"].as_str().unwrap()).collect();
    nonces.sort_unstable();
    let expected: Vec<String> =
        (0..AUTHORS).flat_map(|author| (0..=next[author]).map(move |n| nonce(author, n))).collect();
    assert_eq!(nonces, expected, "every acknowledged comment is there once, and nothing else");
}

/// Sends comment `next` and waits for its line; `false` once the server is gone.
fn post_until_dead(client: &mut Client, author: usize, next: &mut usize) -> bool {
    let message = json!({"content": format!("{author}/{next}"), "nonce": nonce(author, *next)});
    if client.socket.send(tungstenite::Message::text(message.to_string())).is_err() {
        return false;
    }
    loop {
        let Ok(received) = client.socket.read() else { return false };
        let Ok(text) = received.into_text() else { continue };
        let Ok(line) = serde_json::from_str::<Value>(&text) else { continue };
        if line["nonce"] == nonce(author, *next).as_str() {
            *next += 1;
            return true;
        }
    }
}
