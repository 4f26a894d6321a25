//! Which events there are, what is in them, and what is none.

use serde_json::{Value, json};

use super::{Program, TELLS};
use crate::support::{
    client::{KEY, OTHER_KEY, TOKEN, bearer, post, posted, request},
    server::{Builder, Server},
};

fn builder(program: &Program) -> Builder {
    let [flag, path] = program.flags();
    Server::builder().token_file(&format!("ada {TOKEN}\n")).flags(&[&flag, &path])
}

fn patch(server: &Server, id: &Value, key: &str, body: Value) -> Value {
    let path = format!("/api/comments/{id}");
    let response = request(server, "PATCH", &path, &bearer(key), &body.to_string());
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

fn delete(server: &Server, id: &Value) {
    let response = request(server, "DELETE", &format!("/api/comments/{id}"), &bearer(TOKEN), "");
    assert_eq!(response.status, 200, "{response:?}");
}

fn flag(server: &Server, id: &Value, key: &str) {
    let path = format!("/api/comments/{id}/flag");
    // Each from an address of its own.
    let number: u32 = key.bytes().map(u32::from).sum();
    let from = format!("X-Forwarded-For: 192.0.2.{}\r\n", number % 250);
    let response = request(server, "POST", &path, &(bearer(key) + &from), "");
    assert_eq!(response.status, 204, "{response:?}");
}

#[test]
fn a_new_comment_is_told_with_its_line_and_where_it_is_read() {
    let program = Program::new(TELLS);
    let flags = ["--public-url", "https://talk.example", "--allow-origin", "https://blog.example"];
    let server = builder(&program).flags(&flags).start();
    let line = posted(&server, "first \"quoted\"\n$(touch x) <b> \u{1f389}");
    let event = program.next();
    assert_eq!((&event["event"], &event["line"]), (&json!("posted"), &line));
    assert_eq!(event["page_url"], format!("https://talk.example/?page=%2F#sayso-{}", line["id"]));
    for name in ["approve", "hide"] {
        let link = event["links"][name].as_str().unwrap();
        assert!(link.starts_with("https://talk.example/m/"), "{link}");
    }
    let elsewhere = post(&server, &json!({"content": "there", "page": "blog.example/a b"})).json();
    let url = format!("https://blog.example/a%20b#sayso-{}", elsewhere["id"]);
    assert_eq!(program.next()["page_url"], url);
    let foreign =
        post(&server, &json!({"content": "win", "page": "casino.evil.example/win"})).json();
    let url =
        format!("https://talk.example/?page=casino.evil.example%2Fwin#sayso-{}", foreign["id"]);
    assert_eq!(program.next()["page_url"], url);
}

#[test]
fn without_an_address_or_without_moderators_there_are_no_links() {
    let program = Program::new(TELLS);
    let server = builder(&program).start();
    posted(&server, "one");
    let event = program.next();
    let names: Vec<&String> = event.as_object().unwrap().keys().collect();
    assert_eq!(names, ["event", "line"], "{event}");
    assert!(!server.data().join("links").exists());
    let [flag, path] = program.flags();
    let server = Server::start(&[&flag, &path, "--public-url", "https://talk.example"]);
    posted(&server, "two");
    let event = program.next();
    let names: Vec<&String> = event.as_object().unwrap().keys().collect();
    assert_eq!(names, ["event", "line", "page_url"], "{event}");
}

#[test]
fn what_waits_is_told_with_the_reason_and_so_is_an_edit_that_waits() {
    let program = Program::new(TELLS);
    let server = builder(&program).flags(&["--hold", "links"]).start();
    let held = post(&server, &json!({"content": "see https://x.example", "key": KEY})).json();
    let event = program.next();
    assert_eq!((&event["event"], &event["line"]["id"]), (&json!("held"), &held["id"]));
    assert_eq!(
        (&event["line"]["status"], &event["line"]["note"]["why"]),
        (&json!("pending"), &json!("links"))
    );
    // Neither a rejection nor an approval is told, but what the author makes of it is.
    patch(&server, &held["id"], TOKEN, json!({"status": "hidden"}));
    patch(&server, &held["id"], KEY, json!({"content": "do see https://x.example"}));
    let event = program.next();
    assert_eq!(
        (&event["event"], &event["line"]["content"]),
        (&json!("held"), &json!("do see https://x.example"))
    );
    let public = post(&server, &json!({"content": "harmless", "key": KEY})).json();
    assert_eq!(program.next()["event"], "posted");
    patch(&server, &public["id"], KEY, json!({"content": "harmless still"}));
    patch(&server, &public["id"], KEY, json!({"content": "not so: https://x.example"}));
    let event = program.next();
    assert_eq!((&event["event"], &event["line"]["status"]), (&json!("held"), &json!("hidden")));
    assert_eq!(
        (&event["line"]["id"], &event["line"]["note"]["why"]),
        (&public["id"], &json!("links"))
    );
    posted(&server, "last");
    assert_eq!(program.next_text(), "last");
}

#[test]
fn flags_are_told_until_they_hide_a_comment() {
    let program = Program::new(TELLS);
    let server =
        builder(&program).flags(&["--flags-hold", "2", "--trust-proxy", "127.0.0.1"]).start();
    let line = post(&server, &json!({"content": "bad", "key": KEY})).json();
    assert_eq!(program.next()["event"], "posted");
    for (key, status) in [(OTHER_KEY, Value::Null), ("another-key-0123456789", json!("hidden"))] {
        flag(&server, &line["id"], key);
        let event = program.next();
        assert_eq!((&event["event"], &event["line"]["status"]), (&json!("flagged"), &status));
        assert_eq!(event["line"]["id"], line["id"]);
    }
    patch(&server, &line["id"], TOKEN, json!({"status": "public"}));
    posted(&server, "last");
    assert_eq!(program.next_text(), "last");
}

#[test]
fn edits_hearts_decisions_and_what_was_there_before_are_not_told() {
    let program = Program::new(TELLS);
    let mut server = builder(&program).stopped();
    {
        let mut before = Server::start(&[]);
        posted(&before, "before");
        before.stop();
        server.write_log(before.log_bytes());
    }
    server.restart();
    let line = post(&server, &json!({"content": "new", "key": KEY})).json();
    assert_eq!(program.next_text(), "new");
    patch(&server, &line["id"], KEY, json!({"content": "newer"}));
    patch(&server, &line["id"], TOKEN, json!({"pinned": true}));
    patch(&server, &line["id"], TOKEN, json!({"status": "hidden"}));
    let like = format!("/api/comments/{}/like", 1);
    let liked = request(&server, "POST", &like, &bearer(KEY), "{\"on\":true}");
    assert_eq!(liked.status, 200, "{liked:?}");
    let lock = json!({"page": "/x", "locked": true}).to_string();
    assert_eq!(request(&server, "PATCH", "/api/admin/pages", &bearer(TOKEN), &lock).status, 200);
    posted(&server, "last");
    assert_eq!(program.next_text(), "last");
}

/// The program is busy with the first comment while all the others come and go.
#[test]
fn a_comment_is_told_as_it_is_when_its_turn_has_come() {
    let program = Program::new(&format!("{TELLS}; read _ <\"$D/go\""));
    let server = builder(&program)
        .flags(&["--hold", "links", "--flags-hold", "off", "--trust-proxy", "127.0.0.1"])
        .flags(&["--allow-origin", "https://b.example"])
        .start();
    posted(&server, "busy");
    assert_eq!(program.next_text(), "busy");
    let make = |content: &str| {
        post(&server, &json!({"content": content, "key": KEY})).json()["id"].clone()
    };
    let [deleted, hidden, edited, flagged] = ["deleted", "hidden", "edited", "flagged"].map(make);
    let [rejected, approved] =
        ["rejected https://x.example", "approved https://x.example"].map(make);
    delete(&server, &deleted);
    patch(&server, &hidden, TOKEN, json!({"status": "hidden"}));
    patch(&server, &edited, KEY, json!({"content": "edited twice"}));
    patch(&server, &rejected, TOKEN, json!({"status": "hidden"}));
    patch(&server, &approved, TOKEN, json!({"status": "public"}));
    for key in [OTHER_KEY, "another-key-0123456789"] {
        flag(&server, &flagged, key);
    }
    let body = json!({"page": "/", "to": "b.example/"}).to_string();
    assert_eq!(request(&server, "POST", "/api/admin/moves", &bearer(TOKEN), &body).status, 200);
    let told = |_| {
        program.let_go();
        let event = program.next();
        let url = event["page_url"].as_str().unwrap_or_default();
        assert!(url.starts_with("https://b.example/#sayso-"), "{event}");
        let line = &event["line"];
        format!(
            "{} {} {}",
            event["event"].as_str().unwrap(),
            line["content"].as_str().unwrap(),
            line["flags"]
        )
    };
    assert_eq!(
        [0; 4].map(told),
        [
            "posted edited twice null",
            "posted flagged 2",
            "posted approved https://x.example null",
            "flagged flagged 2"
        ]
    );
    program.let_go();
    posted(&server, "last");
    assert_eq!(program.next_text(), "last");
    program.let_go();
}
