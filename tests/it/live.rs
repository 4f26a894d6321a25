//! Comments appear at once, in order, exactly once, in the same bytes everywhere.

use serde_json::{Value, json};

use crate::support::{
    client::{KEY, get, history_since, post, posted},
    frames::Client,
    server::Server,
};

#[test]
fn what_one_plain_client_says_both_receive() {
    let server = Server::start(&[]);
    let (mut one, mut two) = (Client::plain(&server), Client::plain(&server));
    one.send(&json!({"content": "hi"}));
    let line = one.json();
    assert_eq!(line["content"], "hi");
    assert!(
        line["id"].is_u64() && line["seq"].is_u64() && line["created_at"].is_string(),
        "{line}"
    );
    assert_eq!(two.json(), line);
}

#[test]
fn frame_log_line_and_history_item_are_the_same_bytes() {
    let server = Server::start(&[]);
    let mut reader = Client::plain(&server);
    let content = "Grüße \"an\" <alle> & 'mich' \\ *Ende*\n\n\ttab \u{1F600}\u{2028}";
    let response = post(
        &server,
        &json!({"content": content, "name": "Ada", "key": KEY, "nonce": "n".repeat(16)}),
    );
    let frame = reader.text();
    assert_eq!(response.body, frame);
    let log = server.log_text();
    let stored = log.lines().nth(1).unwrap();
    let (public, crc) = stored.rsplit_once(",\"crc\":\"").unwrap();
    assert_eq!((format!("{public}}}"), crc.len()), (frame.clone(), 10));
    let history = get(&server, "/api/comments").body;
    assert!(history.contains(&format!("\"comments\":[{frame}]")), "{history}");
    let mut late = Client::full(&server, "last=1");
    late.text();
    assert_eq!(late.text(), frame);
}

#[test]
fn history_comes_before_live_lines_without_gap_or_double() {
    let server = Server::start(&[]);
    for n in 0..5 {
        posted(&server, &format!("old {n}"));
    }
    let mut reader = Client::full(&server, "last=3");
    let hello = reader.json();
    assert_eq!(hello["hello"]["seq"], 5);
    assert_eq!(hello["hello"]["readers"], 1);
    assert_eq!(hello["hello"].get("resumed"), Some(&Value::Null));
    posted(&server, "new");
    let seen: Vec<Value> = (0..4).map(|_| reader.line()["content"].clone()).collect();
    assert_eq!(seen, ["old 2", "old 3", "old 4", "new"]);
}

#[test]
fn a_reader_resumes_after_its_cursor_and_is_told_when_it_can_not() {
    let server = Server::start(&[]);
    for n in 1..=4 {
        posted(&server, &format!("c{n}"));
    }
    let log = Client::full(&server, "").json()["hello"]["log"].as_str().unwrap().to_owned();
    let mut back = Client::full(&server, &format!("since=2&log={log}"));
    assert_eq!(back.json()["hello"]["resumed"], true);
    assert_eq!((back.line()["seq"].clone(), back.line()["seq"].clone()), (json!(3), json!(4)));
    for wrong in [format!("since=99&log={log}"), "since=2&log=0000000000000000".to_owned()] {
        let mut back = Client::full(&server, &wrong);
        assert_eq!(back.json()["hello"]["resumed"], false, "{wrong}");
    }
}

#[test]
fn a_gap_of_more_than_a_thousand_lines_is_caught_up_over_http() {
    let server = Server::start(&[]);
    let mut writer = Client::plain(&server);
    for n in 0..1_001 {
        writer.send(&json!({"content": format!("c{n}")}));
        writer.text();
    }
    let log = Client::full(&server, "").json()["hello"]["log"].as_str().unwrap().to_owned();
    let mut near = Client::full(&server, &format!("since=1&log={log}"));
    assert_eq!(near.json()["hello"]["resumed"], true);
    for seq in 2..=1_001 {
        assert_eq!(near.line()["seq"], seq);
    }
    let mut far = Client::full(&server, &format!("since=0&log={log}"));
    assert_eq!(far.json()["hello"]["resumed"], false);
    let lines = history_since(&server, "/", 0);
    assert_eq!((lines.len(), &lines[1_000]["seq"]), (1_001, &json!(1_001)));
}

#[test]
fn pages_do_not_hear_each_other() {
    let server = Server::start(&[]);
    let mut a = Client::full(&server, "page=a");
    let mut b = Client::full(&server, "page=b");
    a.send(&json!({"content": "to a"}));
    b.send(&json!({"content": "to b"}));
    assert_eq!(a.line()["content"], "to a");
    assert_eq!(b.line()["content"], "to b");
    let counts = get(&server, "/api/counts?page=a&page=b&page=c").json();
    assert_eq!(counts, json!({"a": 1, "b": 1, "c": 0}));
}

#[test]
fn edits_and_deletions_are_new_lines_with_the_same_id() {
    let server = Server::start(&[]);
    let (mut author, mut plain) = (Client::full(&server, ""), Client::plain(&server));
    author.json();
    author.send(&json!({"content": "first", "key": KEY, "nonce": "n".repeat(16)}));
    let first = author.line();
    author.send(&json!({"edit": first["id"], "content": "second *try*", "key": KEY}));
    let second = author.line();
    assert_eq!((&second["id"], &second["content"]), (&first["id"], &json!("second *try*")));
    assert_eq!(second["html"], "<p>second <em>try</em></p>");
    assert!(second["edited_at"].is_string() && second["seq"].as_u64() > first["seq"].as_u64());
    assert_eq!((&second["nonce"], &second["created_at"]), (&first["nonce"], &first["created_at"]));
    author.send(&json!({"delete": first["id"], "key": "another key, 16+"}));
    assert_eq!(author.line()["error"], "comment 1 was written with another key");
    author.send(&json!({"delete": first["id"], "key": KEY}));
    let tombstone = author.line();
    assert_eq!(tombstone["deleted"], true);
    for gone in ["content", "html", "name", "author"] {
        assert!(tombstone.get(gone).is_none(), "{tombstone}");
    }
    // The time of the deletion, no longer that of the edit.
    assert!(tombstone["edited_at"].as_str() >= second["edited_at"].as_str(), "{tombstone}");
    assert_eq!(
        (plain.json()["content"].clone(), plain.json()["content"].clone()),
        (json!("first"), json!("second *try*"))
    );
    posted(&server, "next");
    assert_eq!(plain.json()["content"], "next", "a plain client gets no line without content");
    author.send(&json!({"edit": 1, "content": "again", "key": KEY}));
    author.line();
    assert_eq!(author.line()["error"], "comment 1 is deleted");
}

#[test]
fn answers_need_a_parent_on_the_same_page() {
    let server = Server::start(&[]);
    posted(&server, "parent");
    assert_eq!(post(&server, &json!({"content": "x", "parent": 1})).json()["parent"], 1);
    let elsewhere = post(&server, &json!({"content": "x", "parent": 1, "page": "b"}));
    assert_eq!(
        (elsewhere.status, elsewhere.error()),
        (400, "there is no comment 1 on this page to answer".into())
    );
    assert_eq!(post(&server, &json!({"content": "x", "parent": 77})).status, 400);
}

#[test]
fn a_known_nonce_makes_nothing_new_even_after_a_restart() {
    let mut server = Server::start(&[]);
    let body = json!({"content": "once", "nonce": "nonce-nonce-nonce"});
    let first = post(&server, &body);
    let again = post(&server, &body);
    assert_eq!((first.status, again.status, &again.body), (201, 200, &first.body));
    let mut reader = Client::full(&server, "last=10");
    assert_eq!(reader.json()["hello"]["seq"], 1);
    reader.line();
    let mut sender = Client::plain(&server);
    sender.send(&body);
    assert_eq!(sender.text(), first.body);
    server.stop();
    server.restart();
    assert_eq!(post(&server, &body).body, first.body);
    posted(&server, "else");
    let mut reader = Client::full(&server, "last=10");
    reader.json();
    assert_eq!(
        (reader.line()["content"].clone(), reader.line()["content"].clone()),
        (json!("once"), json!("else"))
    );
}

#[test]
fn readers_typing_and_counts_are_told() {
    let server = Server::start(&[]);
    let mut one = Client::full(&server, "");
    one.json();
    let mut counter = Client::full(&server, "count=/&count=other");
    assert_eq!(counter.json(), json!({"counts": {"/": 0, "other": 0}}));
    let mut two = Client::full(&server, "");
    assert_eq!(two.json()["hello"]["readers"], 2);
    one.until(&json!({"readers": 2}));
    two.send(&json!({"typing": true, "name": "Ada"}));
    one.until(&json!({"typing": "Someone"}));
    posted(&server, "counted");
    assert_eq!(counter.json(), json!({"counts": {"/": 1}}));
    drop(two);
    one.until(&json!({"readers": 1}));
}
