//! Hostile WebSocket clients, next to one who only reads and writes.

use std::{io::Write, net::TcpStream, thread};

use serde_json::json;
use tungstenite::Message;

use super::Calm;
use crate::support::{
    client::{JSON, KEY, TOKEN, bearer, request},
    frames::{BINARY, CONTINUE, Client, FIN, PING, PONG, TEXT, frame, frame_head},
    server::{Server, TIMEOUT},
};

/// Sends on and on until the server ends the connection; its writes must not wait for a reader who does not read.
fn flood(stream: &TcpStream, bytes: &[u8], times: usize) {
    let mut stream = stream.try_clone().unwrap();
    let bytes = bytes.to_vec();
    thread::spawn(move || (0..times).all(|_| stream.write_all(&bytes).is_ok()));
}

/// What is said meanwhile is heard, as the next comment.
fn undisturbed(bystander: &mut Client, what: &str) {
    bystander.send(&json!({"content": format!("in spite of {what}")}));
    assert_eq!(bystander.line()["content"], format!("in spite of {what}"));
}

#[test]
fn who_breaks_the_rules_of_frames_is_told_with_the_code_and_nobody_else_is_disturbed() {
    let server = Server::start(&[]);
    let calm = Calm::of(&server);
    let mut bystander = Client::full(&server, "");
    let text = b"{\"content\":\"x\"}";
    let spaces = [b' '; 65_536];
    let malformed: Vec<u8> = (0..20).flat_map(|_| frame(FIN | TEXT, b"{\"content\":")).collect();
    let pings: Vec<u8> = (0..1_000).flat_map(|_| frame(FIN | PING, &[b'p'; 125])).collect();
    let pongs: Vec<u8> = (0..1_000).flat_map(|_| frame(FIN | PONG, &[b'p'; 125])).collect();
    let unmasked =
        |first, bytes: &[u8]| [&frame_head(first, 0, bytes.len() as u64), bytes].concat();
    // What is sent first, what is sent then again and again, and with which code it ends.
    let cases: [(&str, Vec<u8>, Vec<u8>, u16); 19] = [
        ("an unmasked text", vec![], unmasked(FIN | TEXT, text), 1002),
        ("an unmasked ping", vec![], unmasked(FIN | PING, b""), 1002),
        ("an unmasked fragment", frame(TEXT, b"{"), unmasked(CONTINUE, b"}"), 1002),
        ("reserved bits", vec![], frame(FIN | 0x40 | TEXT, text), 1002),
        ("reserved bits of a ping", vec![], frame(FIN | 0x10 | PING, b""), 1002),
        ("a reserved opcode", vec![], frame(FIN | 3, text), 1002),
        ("a reserved control opcode", vec![], frame(FIN | 11, b""), 1002),
        (
            "a length of 63 bits and one more",
            vec![],
            [&frame_head(FIN | TEXT, 0x80, 1 << 63)[..], text].concat(),
            1009,
        ),
        ("a binary frame", vec![], frame(FIN | BINARY, text), 1003),
        ("no UTF-8", vec![], frame(FIN | TEXT, b"{\"content\":\"\xff\"}"), 1007),
        (
            "no UTF-8 in the last of many fragments",
            frame(TEXT, b"{\"content\":\""),
            frame(FIN | CONTINUE, b"\xe2\x28"),
            1007,
        ),
        ("twenty malformed in a row", vec![], malformed, 1008),
        ("a flood of pings", vec![], pings.clone(), 1008),
        ("a flood of pings within a text", frame(TEXT, b"{"), pings, 1008),
        ("a flood of pongs", vec![], pongs, 1008),
        ("one byte too many", frame(TEXT, &spaces), frame(FIN | CONTINUE, b" "), 1009),
        ("one byte too many in one frame", vec![], frame(FIN | TEXT, &[b' '; 65_537]), 1009),
        ("fragments without end", frame(TEXT, b"{"), frame(CONTINUE, b" "), 1009),
        (
            "large fragments without end",
            frame(TEXT, b"{"),
            frame(CONTINUE, &spaces[..30_000]),
            1009,
        ),
    ];
    for (what, first, then, code) in cases {
        let mut client = Client::plain(&server);
        client.socket.get_mut().write_all(&first).unwrap();
        flood(client.socket.get_ref(), &then, 70_000);
        assert_eq!(client.close_code(), Some(code), "{what}");
        undisturbed(&mut bystander, what);
    }
    drop(bystander);
    calm.returns(&server);
}

#[test]
fn who_says_half_a_frame_or_nothing_for_ever_disturbs_nobody() {
    let server = Server::start(&[]);
    let calm = Calm::of(&server);
    let mut bystander = Client::full(&server, "");
    let whole = frame(FIN | TEXT, &[b' '; 200]);
    let mut halves = Vec::new();
    for length in [0, 1, 2, 3, 4, 5, 8, 9, 100, whole.len() - 1] {
        for before in [vec![], frame(TEXT, b"{"), frame(FIN | PING, b"p")] {
            let mut client = Client::plain(&server);
            client.socket.get_mut().write_all(&[&before, &whole[..length]].concat()).unwrap();
            halves.push(client);
        }
    }
    undisturbed(&mut bystander, "halves");
    // They are sent what everybody is sent all the same.
    for client in &mut halves {
        loop {
            match client.socket.read().unwrap() {
                Message::Pong(_) => {}
                message => {
                    assert!(message.to_text().unwrap().contains("in spite of halves"));
                    break;
                }
            }
        }
    }
    // Fragments with nothing in them never make too much; they are nobody's business but their sender's.
    let empty: Vec<u8> = (0..10_000).flat_map(|_| frame(CONTINUE, b"")).collect();
    for client in halves.iter().take(4) {
        client.socket.get_ref().set_write_timeout(Some(TIMEOUT)).unwrap();
        flood(client.socket.get_ref(), &[frame(TEXT, b""), empty.clone()].concat(), 3);
    }
    for n in 0..20 {
        undisturbed(&mut bystander, &format!("empty fragments, {n}"));
    }
    drop((halves, bystander));
    calm.returns(&server);
}

#[test]
fn nesting_without_end_is_refused_wherever_json_is_read() {
    let server = Server::builder().moderator(TOKEN).start();
    let calm = Calm::of(&server);
    let mut client = Client::full(&server, "");
    client.send(&json!({"content": "mine", "key": KEY}));
    let id = client.line()["id"].clone();
    let author = bearer(KEY);
    let moderator = bearer(TOKEN);
    let comment = format!("/api/comments/{id}");
    for opening in ["[", "{\"a\":", "[{\"a\":"] {
        // As deep as fits in a message, as deep as was asked for, closed and not closed.
        for (depth, status) in [(65_000 / opening.len(), 400), (100_000, 413)] {
            let open = opening.repeat(depth);
            let closed: String = opening
                .chars()
                .rev()
                .filter_map(|c| match c {
                    '[' => Some(']'),
                    '{' => Some('}'),
                    _ => None,
                })
                .collect();
            let halved = opening.repeat(depth / 2) + "0" + &closed.repeat(depth / 2);
            for nest in [open, halved] {
                for field in
                    ["content", "name", "key", "nonce", "parent", "edit", "status", "other"]
                {
                    let body = format!("{{\"{field}\":{nest}");
                    for (method, path, headers) in [
                        ("POST", "/api/comments", JSON),
                        ("PATCH", &comment, &author),
                        ("PATCH", &comment, &moderator),
                        ("DELETE", &comment, &author),
                    ] {
                        // A body that nobody asked for may not be looked at; only that it is not too long.
                        if method == "DELETE" && status == 400 {
                            continue;
                        }
                        let response = request(&server, method, path, headers, &body);
                        assert_eq!(response.status, status, "{method} {field}: {response:?}");
                        assert!(response.error().len() < 300, "{response:?}");
                    }
                    if status == 400 {
                        let bytes = frame(FIN | TEXT, body.as_bytes());
                        client.socket.get_mut().write_all(&bytes).unwrap();
                        let error = client.line();
                        assert!(error["error"].as_str().unwrap().len() < 300, "{field}: {error}");
                        undisturbed(&mut client, field);
                    }
                }
            }
        }
    }
    drop(client);
    calm.returns(&server);
}
