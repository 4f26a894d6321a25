//! Sockets of readers whom nothing concerns: every line that they get is compared with what everyone might see when it was written.

use std::{
    collections::{HashMap, HashSet},
    sync::mpsc::{Receiver, channel},
    thread::{self, JoinHandle},
};

use serde_json::{Value, json};
use tungstenite::Message;

use super::world::{PAGES, STRANGER};
use crate::support::{
    client::encoded,
    frames::{Client, SUBPROTOCOL},
    server::Server,
};

/// The words of names and texts in what was sent.
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let starts = text.match_indices("nam").chain(text.match_indices("sec"));
    starts.filter_map(|(at, _)| {
        let word = text.get(at..at + 9)?;
        word[3..].bytes().all(|byte| byte.is_ascii_digit()).then(|| word.to_owned())
    })
}

/// See the [module](self).
pub struct Readers {
    threads: Vec<JoinHandle<()>>,
    /// What came, unread; ends when all sockets have ended.
    texts: Receiver<String>,
    stop: Vec<std::net::TcpStream>,
    pub seen: usize,
}

impl Readers {
    /// Follows every page live, in each way that there is.
    pub fn connect(server: &Server) -> Readers {
        let (sender, texts) = channel();
        let (mut threads, mut stop) = (Vec::new(), Vec::new());
        for page in PAGES.map(encoded) {
            for (query, headers) in [
                (format!("page={page}"), ""),
                (format!("page={page}&last=50"), SUBPROTOCOL),
                (format!("count={page}"), SUBPROTOCOL),
            ] {
                let target = format!("/ws/comments/?{query}");
                let mut client = Client::open(server, &target, headers).unwrap();
                if !query.starts_with("count") {
                    client.send(&json!({ "key": STRANGER }));
                }
                client.socket.get_ref().set_read_timeout(None).unwrap();
                stop.push(client.socket.get_ref().try_clone().unwrap());
                let sender = sender.clone();
                threads.push(thread::spawn(move || {
                    while let Ok(message) = client.socket.read() {
                        if let Message::Text(text) = message {
                            let _ = sender.send(text.to_string());
                        }
                    }
                }));
            }
        }
        Readers { threads, texts, stop, seen: 0 }
    }

    /// Ends the sockets and checks all that they got.
    pub fn drain(&mut self, lines: &HashMap<u64, HashSet<String>>) {
        for socket in self.stop.drain(..) {
            let _ = socket.shutdown(std::net::Shutdown::Read);
        }
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
        for text in self.texts.try_iter() {
            self.seen += check(&text, lines);
        }
    }

    /// Connects anew, fresh and with a cursor, and checks what is sent first.
    pub fn fresh(&mut self, server: &Server, lines: &HashMap<u64, HashSet<String>>) {
        for page in PAGES.map(encoded) {
            let mut client = Client::full(server, &format!("page={page}&last=200"));
            let hello = client.json();
            let log = hello["hello"]["log"].as_str().unwrap();
            let resumed = Client::full(server, &format!("page={page}&since=0&log={log}"));
            for mut client in [client, resumed] {
                client.send(&json!({"like": 1, "on": true, "key": "x"}));
                loop {
                    let text = client.text();
                    if text.contains("\"key_length\"") {
                        break;
                    }
                    self.seen += check(&text, lines);
                }
            }
        }
    }
}

/// Checks one message, and returns how many words it has.
#[track_caller]
fn check(text: &str, lines: &HashMap<u64, HashSet<String>>) -> usize {
    let message: Value = serde_json::from_str(text).unwrap();
    let known = message["seq"].as_u64().filter(|_| message["id"].is_u64());
    let allowed = known.and_then(|seq| lines.get(&seq));
    let mut seen = 0;
    for word in words(text) {
        // A name may also be that of somebody who types, which nobody does here.
        let is_allowed = allowed.is_some_and(|words| words.contains(&word));
        assert!(is_allowed, "{word} is nobody's business: {text}");
        seen += 1;
    }
    seen
}
