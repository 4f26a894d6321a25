//! The moderators' WebSocket: who gets in, and that it brings every line in the order of the log.

use std::time::Instant;

use serde_json::{Value, json};

use super::{NAME, builder, done, patch, post_id};
use crate::support::{
    client::{KEY, OTHER_KEY, Response, TOKEN, bearer, get, request},
    frames::{BINARY, Client, FIN, PING, frame},
    server::{Server, Signal, TIMEOUT},
};

const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol: sayso.admin.1\r\n";

fn open(server: &Server, headers: &str) -> Result<Client, Response> {
    Client::open(server, "/ws/admin/", &format!("{SUBPROTOCOL}{headers}"))
}

/// A moderator's socket, and its hello.
fn moderator(server: &Server) -> (Client, Value) {
    let mut client = open(server, "").unwrap();
    client.send(&json!({"token": TOKEN}));
    let hello = client.json()["hello"].clone();
    (client, hello)
}

/// The next line of the log, passing over totals and the like.
fn next_line(client: &mut Client) -> String {
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < TIMEOUT, "no line comes");
        let text = client.text();
        let message: Value = serde_json::from_str(&text).unwrap();
        if message.get("created_at").is_some() || message.get("kind").is_some() {
            return text;
        }
    }
}

/// The lines of the log as clients get them, without the header.
fn lines(server: &Server) -> Vec<String> {
    let text = server.log_text();
    let lines = text.lines().skip(1).map(|line| {
        let end = line.rfind(",\"crc\"").unwrap_or_else(|| panic!("no checksum: {line}"));
        let line = &line[..end];
        // Whether more of its batch follows, which only the log says.
        let line = line.rsplit_once(",\"more\":").map_or(line, |(line, _)| line);
        format!("{line}}}")
    });
    lines.collect()
}

#[test]
fn hello_says_what_there_is() {
    let server = builder(&["--hold", "links"]).start();
    post_id(&server, json!({"content": "one", "key": KEY}));
    post_id(&server, json!({"content": "http://a.example/", "key": KEY}));
    post_id(&server, json!({"content": "three"}));
    done(&server, "DELETE", "/api/comments/4", Value::Null, 200);
    done(&server, "POST", "/api/admin/bans", json!({"comment": 1, "seconds": 60}), 201);
    let _reader = Client::full(&server, "");
    let (_client, hello) = moderator(&server);
    let history = get(&server, "/api/comments").json();
    let expected = json!({
        "log": history["log"], "mark": history["mark"], "seq": 7, "name": NAME, "pending": 1, "flagged": 0,
        "hold": "links", "public": 1, "hidden": 0, "deleted": 1, "banned": 1, "readers": 2
    });
    assert_eq!(hello, expected);
}

#[test]
fn every_line_of_every_page_and_kind_comes_in_the_order_of_the_log() {
    let server = builder(&["--hold", "links"]).start();
    post_id(&server, json!({"content": "before", "key": KEY}));
    let (mut client, hello) = moderator(&server);
    let seen = hello["seq"].as_u64().unwrap() as usize;
    let mut reader = Client::full(&server, "page=/b");
    for n in 0..20 {
        let page = if n % 2 == 0 { "/a" } else { "/b" };
        let id =
            post_id(&server, json!({"content": format!("comment {n}"), "page": page, "key": KEY}));
        let path = format!("/api/comments/{id}");
        request(&server, "POST", &format!("{path}/like"), &bearer(OTHER_KEY), "{\"on\":true}");
        request(&server, "POST", &format!("{path}/flag"), &bearer(OTHER_KEY), "");
        let edit = format!("{{\"content\":\"better {n}\"}}");
        request(&server, "PATCH", &path, &bearer(KEY), &edit);
        patch(&server, id, json!({"status": "hidden", "reason": "Off topic"}));
        post_id(&server, json!({"content": format!("http://a.example/{n}"), "page": page}));
    }
    done(&server, "PATCH", "/api/admin/pages", json!({"page": "/b", "locked": true}), 200);
    done(&server, "POST", "/api/admin/bans", json!({"comment": 2, "hide": true}), 201);
    let author = sayso::comment::Author::from_key(KEY).to_string();
    let note = json!({"note": "a troll"});
    done(&server, "PUT", &format!("/api/admin/authors/{author}/note"), note, 200);
    let expected = lines(&server);
    assert!(expected.len() > 120);
    for line in &expected[seen..] {
        assert_eq!(&next_line(&mut client), line);
    }
    // Readers get no line of another kind.
    reader.until(&json!({"locked": true}));
}

#[test]
fn totals_and_readers_come_when_they_change() {
    let server = builder(&["--hold", "all"]).start();
    let (mut client, _) = moderator(&server);
    post_id(&server, json!({"content": "one", "key": KEY}));
    let wait = |client: &mut Client, wanted: &dyn Fn(&Value) -> bool| {
        let start = Instant::now();
        while !wanted(&client.json()) {
            assert!(start.elapsed() < TIMEOUT, "it does not come");
        }
    };
    wait(&mut client, &|message| message["totals"]["pending"] == 1);
    patch(&server, 1, json!({"status": "public"}));
    wait(&mut client, &|message| {
        message["totals"]["pending"] == 0 && message["totals"]["public"] == 1
    });
    let reader = Client::full(&server, "");
    wait(&mut client, &|message| *message == json!({"readers": 2}));
    drop(reader);
    wait(&mut client, &|message| *message == json!({"readers": 1}));
    let counting = Client::open(&server, "/ws/comments/?count=/", "").unwrap();
    wait(&mut client, &|message| *message == json!({"readers": 2}));
    drop(counting);
}

#[test]
fn nobody_gets_in_without_a_token_and_wrong_ones_are_counted() {
    let server = builder(&[]).start();
    for (first, code) in [
        (json!({"token": "a-wrong-token-of-some-length"}), "wrong_token"),
        (json!({"key": KEY}), "not_moderator"),
        (json!("x"), "malformed"),
        (json!({"token": 7}), "malformed"),
    ] {
        let mut client = open(&server, "").unwrap();
        client.send(&first);
        assert_eq!(client.json()["code"], code, "{first}");
        assert_eq!(client.close_code(), Some(1008), "{first}");
    }
    for frames in [frame(FIN | BINARY, b"x"), frame(FIN | PING, b"").repeat(21)] {
        let mut client = open(&server, "").unwrap();
        client.send_bytes(&frames);
        assert_eq!(client.close_code(), Some(1008), "{} bytes", frames.len());
    }
    let from = "X-Forwarded-For: 192.0.2.7\r\n";
    let guess = |token: &str| {
        let mut client = open(&server, from).unwrap();
        client.send(&json!({ "token": token }));
        let answer = client.json();
        assert_eq!(client.close_code(), Some(1008));
        answer["code"].clone()
    };
    for _ in 0..10 {
        assert_eq!(guess("a-wrong-token-of-some-length"), "wrong_token");
    }
    assert_eq!(guess(TOKEN), "too_fast", "it is not even compared");
    let headers = format!("{from}{}", bearer(TOKEN));
    assert_eq!(request(&server, "GET", "/api/admin/bans", &headers, "").status, 429);
    moderator(&server);
}

#[test]
fn only_the_own_site_and_only_with_its_subprotocol() {
    let blog = "https://blog.example";
    let server = builder(&["--allow-origin", blog]).start();
    for origin in [blog, "https://evil.example", "null"] {
        let refused = open(&server, &format!("Origin: {origin}\r\n")).err().unwrap();
        assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("origin_not_allowed")));
    }
    let own = format!("Origin: http://{}\r\n", server.address);
    assert!(open(&server, &own).is_ok());
    for headers in ["", "Sec-WebSocket-Protocol: sayso.1\r\n"] {
        let refused = Client::open(&server, "/ws/admin/", headers).err().unwrap();
        assert_eq!(refused.status, 400, "{refused:?}");
    }
    let server = Server::start(&[]);
    assert_eq!(open(&server, "").err().unwrap().status, 404);
    assert_eq!(get(&server, "/ws/admin/").status, 404);
}

#[test]
fn who_says_nothing_is_sent_away_and_what_is_said_later_changes_nothing() {
    let server = builder(&[]).start();
    let mut silent = open(&server, "").unwrap();
    let (mut client, _) = moderator(&server);
    // A moderator's socket only listens.
    client.send(&json!({"content": "not posted"}));
    client.send(&json!({"token": "another"}));
    post_id(&server, json!({"content": "posted"}));
    assert!(next_line(&mut client).contains("\"posted\""));
    for _ in 0..20 {
        client.send(&json!(["malformed"]));
    }
    assert_eq!(client.close_code(), Some(1008));
    assert_eq!(silent.close_code(), Some(1008), "after 10 s");
}

#[test]
fn a_removed_token_ends_its_sockets_and_no_others() {
    let lines = format!("{NAME} {TOKEN}\nbob another-token-of-some-length\n");
    let server = Server::builder().token_file(&lines).shell("").start();
    let (mut ada, hello) = moderator(&server);
    assert_eq!(hello["name"], NAME);
    let mut bob = open(&server, "").unwrap();
    bob.send(&json!({"token": "another-token-of-some-length"}));
    assert_eq!(bob.json()["hello"]["name"], "bob");
    let mut reader = Client::full(&server, "");
    assert_eq!(reader.json()["hello"]["moderators"], json!([NAME, "bob"]));
    server.write_token_file(&format!("{NAME} {TOKEN}\n"));
    server.signal(Signal::HUP);
    assert_eq!(bob.close_code(), Some(1008));
    post_id(&server, json!({"content": "still there"}));
    assert!(next_line(&mut ada).contains("still there"));
    let mut reader = Client::full(&server, "");
    assert_eq!(reader.json()["hello"]["moderators"], json!([NAME]));
    let mut bob = open(&server, "").unwrap();
    bob.send(&json!({"token": "another-token-of-some-length"}));
    assert_eq!(bob.json()["code"], "wrong_token");
    assert!(!server.stderr().contains("token-of-some"), "{}", server.stderr());
}
