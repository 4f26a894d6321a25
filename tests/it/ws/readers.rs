//! What readers hear of each other, and what plain clients do not.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{
    client::{KEY, OTHER_KEY, TOKEN, bearer, post, request},
    frames::Client,
    server::Server,
};

#[test]
fn readers_are_counted_per_page_and_counters_are_none() {
    let server = Server::start(&[]);
    let readers = |page: &str| {
        let mut client = Client::full(&server, &format!("page={page}"));
        let count = client.json()["hello"]["readers"].clone();
        (client, count)
    };
    let (mut first, one) = readers("a");
    let mut counter = Client::full(&server, "count=a");
    counter.json();
    let (_elsewhere, alone) = readers("b");
    let (second, two) = readers("a");
    let plain = Client::open(&server, "/ws/comments/?page=a", "").unwrap();
    first.until(&json!({"readers": 3}));
    assert_eq!((one, alone, two), (json!(1), json!(1), json!(2)));
    drop((second, plain));
    first.until(&json!({"readers": 1}));
}

#[test]
fn typing_is_told_at_most_once_a_second() {
    let server = Server::start(&[]);
    let mut reader = Client::full(&server, "");
    let mut elsewhere = Client::full(&server, "page=b");
    let mut writers = [Client::plain(&server), Client::plain(&server)];
    let started = Instant::now();
    for _ in 0..8 {
        for writer in &mut writers {
            writer.send(&json!({"typing": true, "name": "Ada"}));
        }
    }
    writers[0].send(&json!({"content": "done"}));
    writers[0].line();
    let (mut told, mut seen) = (0, Value::Null);
    // It may be told when the second is over: wait for one, and for the comment.
    while told == 0 || seen != "done" {
        let message = reader.json();
        if message.get("typing").is_some() {
            assert_eq!(message, json!({"typing": "Someone"}));
            told += 1;
        }
        if message.get("content").is_some() {
            seen = message["content"].clone();
        }
    }
    assert!(
        told <= 1 + started.elapsed().as_secs(),
        "told {told} times within {:?}",
        started.elapsed()
    );
    elsewhere.json();
    elsewhere.send(&json!({"content": "only this"}));
    let next = elsewhere.json();
    assert_eq!(next["content"], "only this", "other pages don't hear it: {next}");
}

#[test]
fn who_is_shown_as_typing_is_the_author_and_never_a_claimed_name() {
    let server = Server::builder().moderator(TOKEN).flags(&["--hold", "all"]).start();
    let post_as = |page: &str, key: &str, name: &str, status: &str| {
        let message = json!({"content": "x", "page": page, "key": key, "name": name});
        let id = post(&server, &message).json()["id"].clone();
        for status in status.split(' ').filter(|status| !status.is_empty()) {
            let body = json!({ "status": status }).to_string();
            let path = format!("/api/comments/{id}");
            let response = request(&server, "PATCH", &path, &bearer(TOKEN), &body);
            assert_eq!(response.status, 200, "{response:?}");
        }
    };
    post_as("held", KEY, "Ada", "");
    post_as("public", KEY, "Ada", "public");
    post_as("public", OTHER_KEY, "Mallory", "public");
    post_as("renamed", KEY, "Ada", "public");
    post_as("renamed", KEY, "Countess", "public");
    post_as("renamed", KEY, "Held", "");
    post_as("hidden", KEY, "Ada", "public hidden");
    post_as("others", OTHER_KEY, "Mallory", "public");
    // On each page the first announcement comes at once.
    for (page, key, shown) in [
        ("empty", None, "Someone"),
        ("empty-bound", Some(KEY), "Someone"),
        ("held", Some(KEY), "Someone"),
        ("public", Some(KEY), "Ada"),
        ("renamed", Some(KEY), "Countess"),
        ("hidden", Some(KEY), "Someone"),
        ("others", Some(KEY), "Someone"),
    ] {
        let mut reader = Client::full(&server, &format!("page={page}"));
        let mut typist = Client::open(&server, &format!("/ws/comments/?page={page}"), "").unwrap();
        if let Some(key) = key {
            typist.send(&json!({ "key": key }));
        }
        typist.send(&json!({"typing": true, "name": "Mallory"}));
        let told = loop {
            let message = reader.json();
            if message.get("typing").is_some() {
                break message;
            }
        };
        assert_eq!(told, json!({ "typing": shown }), "{page}");
    }
}

#[test]
fn plain_clients_get_nothing_but_lines_with_content_and_errors() {
    let server = Server::start(&[]);
    for n in 0..3 {
        post(&server, &json!({"content": format!("old {n}"), "key": KEY}));
    }
    request(&server, "DELETE", "/api/comments/2", &bearer(KEY), "");
    let mut plain = Client::open(&server, "/ws/comments/?last=200", "").unwrap();
    let mut counter = Client::full(&server, "count=/");
    let mut full = Client::full(&server, "");
    counter.json();
    full.json();
    full.send(&json!({"typing": true, "name": "Ada"}));
    full.send(&json!({"content": "typed", "key": KEY}));
    let typed = full.line()["id"].clone();
    full.send(&json!({"edit": typed, "content": "edited", "key": KEY}));
    full.send(&json!({"delete": typed, "key": KEY}));
    // By the time a count is told, and a reader less, a plain client would have been told too.
    counter.json();
    let mut other = Client::full(&server, "");
    full.until(&json!({"readers": 3}));
    other.send(&json!({"content": "last"}));
    plain.send(&json!({"content": ""}));
    let mut contents = Vec::new();
    let mut errors = 0;
    while contents.last().is_none_or(|last| last != "last") || errors == 0 {
        let message = plain.json();
        if message.get("error").is_some() {
            errors += 1;
            continue;
        }
        contents
            .push(message["content"].as_str().unwrap_or_else(|| panic!("{message}")).to_owned());
    }
    assert_eq!(contents, ["old 0", "old 2", "typed", "edited", "last"]);
    assert_eq!(errors, 1);
}
