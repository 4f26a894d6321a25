//! Readers' flags: what they hide, what a moderator settles, and whose count.

use serde_json::{Value, json};

use super::{admin, builder, found, ids, patch, post_id, refused};
use crate::support::{
    client::{JSON, KEY, OTHER_KEY, Response, bearer, get, request},
    frames::Client,
    server::Server,
};

/// A flag by the key of this number, from the address of this number.
fn flag_from(server: &Server, id: u64, key: u32, address: u32) -> Response {
    let headers = format!(
        "X-Forwarded-For: 192.0.{}.{}\r\nAuthorization: Bearer key-of-a-reader-{key:06}\r\n",
        address / 250,
        address % 250 + 1
    );
    request(server, "POST", &format!("/api/comments/{id}/flag"), &headers, "")
}

#[track_caller]
fn flag(server: &Server, id: u64, number: u32) {
    let response = flag_from(server, id, number, number);
    assert_eq!((response.status, &*response.body), (204, ""), "{response:?}");
}

/// How many unsettled flags a moderator sees.
fn flags(server: &Server, id: u64) -> Value {
    found(server, &format!("q=%23sayso-{id}"))["comments"][0]["flags"].clone()
}

fn is_public(server: &Server, id: u64) -> bool {
    let history = get(server, "/api/comments?since=0").json();
    let comments = history["comments"].as_array().unwrap();
    comments.iter().any(|line| line["id"] == id && line.get("deleted").is_none())
}

fn metric(server: &Server, name: &str) -> String {
    let text = get(server, "/metrics").body;
    let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("{name} is not in {text}")).to_owned()
}

#[test]
fn flags_do_not_hide_what_a_moderator_has_pinned_or_edited_after_the_first_of_them() {
    let mut server = builder(&[]).start();
    let commented = ["pinned", "edited"]
        .map(|content| post_id(&server, json!({"content": content, "key": KEY})));
    for (id, change) in commented.iter().zip([json!({"pinned": true}), json!({"content": "x"})]) {
        flag(&server, *id, 1);
        patch(&server, *id, change);
    }
    for is_compacted in [false, true] {
        if is_compacted {
            server.compact();
        }
        server.kill();
        server.restart();
        for id in &commented {
            for n in 0..3 {
                flag(&server, *id, 10 + 10 * u32::from(is_compacted) + n);
            }
            assert!(is_public(&server, *id), "{is_compacted}");
        }
    }
    server.check();
}

#[test]
fn three_flags_hide_a_comment_until_a_moderator_says_otherwise() {
    let mut server = builder(&[]).start();
    let id = post_id(&server, json!({"content": "disputed", "key": KEY}));
    let other = post_id(&server, json!({"content": "another", "key": KEY}));
    let mut reader = Client::full(&server, "");
    flag(&server, id, 1);
    flag(&server, id, 2);
    flag(&server, other, 1);
    assert!(is_public(&server, id));
    assert_eq!((flags(&server, id), ids(&server, "status=flagged")), (json!(2), vec![other, id]));
    flag(&server, id, 3);
    assert!(!is_public(&server, id));
    assert_eq!(reader.line()["status"], "hidden");
    assert_eq!(metric(&server, "sayso_comments_flagged"), "sayso_comments_flagged 2");
    server.kill();
    server.restart();
    server.compact();
    assert_eq!((flags(&server, id), ids(&server, "status=flagged")), (json!(3), vec![other, id]));
    assert_eq!(metric(&server, "sayso_comments_flagged"), "sayso_comments_flagged 2");
    let note = found(&server, &format!("q=%23sayso-{id}"))["comments"][0]["note"].clone();
    assert_eq!(
        (&note["did"], &note["why"], &note["by"]),
        (&json!("hide"), &json!("flags"), &Value::Null)
    );
    let approved = patch(&server, id, json!({"status": "public"}));
    assert_eq!((&approved["flags"], &approved["status"]), (&Value::Null, &Value::Null));
    assert_eq!(ids(&server, "status=flagged"), [other]);
    // After that, flags only queue, also after a restart and a compaction that drops what was settled.
    for round in 0..3 {
        for n in 0..4 {
            flag(&server, id, 10 + 10 * round + n);
        }
        assert!(is_public(&server, id), "round {round}");
        assert_eq!(flags(&server, id), 4 * (round + 1));
        if round == 0 {
            server.compact();
        }
        server.kill();
        server.restart();
        assert_eq!(flags(&server, id), 4 * (round + 1));
    }
    assert_eq!(patch(&server, id, json!({"status": "public"}))["flags"], Value::Null);
    server.check();
    // Until the text changes.
    let edit = |content: &str| {
        let body = json!({ "content": content }).to_string();
        let path = format!("/api/comments/{id}");
        assert_eq!(request(&server, "PATCH", &path, &bearer(KEY), &body).status, 200);
    };
    edit("worse than before");
    flag(&server, id, 50);
    assert!(!is_public(&server, id), "those from before count anew");
    patch(&server, id, json!({"status": "public"}));
    server.compact();
    edit("worst of all");
    for n in 60..62 {
        flag(&server, id, n);
        assert!(is_public(&server, id), "{n}");
    }
    flag(&server, id, 62);
    assert!(!is_public(&server, id));
}

#[test]
fn what_a_moderator_has_let_through_is_hidden_by_no_number_of_flags() {
    let mut server = builder(&["--hold", "all", "--flags-hold", "1"]).start();
    let id = post_id(&server, json!({"content": "approved", "key": KEY}));
    patch(&server, id, json!({"status": "public"}));
    patch(&server, id, json!({"pinned": true}));
    server.compact();
    server.kill();
    server.restart();
    flag(&server, id, 1);
    assert!(is_public(&server, id));
    // A moderator's own words are no other text that nobody has looked at.
    patch(&server, id, json!({"status": "public"}));
    patch(&server, id, json!({"content": "edited by a moderator"}));
    flag(&server, id, 2);
    assert!(is_public(&server, id));
    assert_eq!(flags(&server, id), 1);
    // Hiding it settles its flags.
    patch(&server, id, json!({"status": "hidden"}));
    assert_eq!((ids(&server, "status=flagged"), flags(&server, id)), (vec![], Value::Null));
}

#[test]
fn a_key_and_an_address_flag_a_comment_once() {
    let mut server = builder(&["--flags-hold", "2"]).start();
    let id = post_id(&server, json!({"content": "one", "key": KEY}));
    flag(&server, id, 1);
    let length = server.log_bytes().len();
    for (key, address) in [(1, 1), (1, 2), (2, 1)] {
        assert_eq!(flag_from(&server, id, key, address).status, 204);
    }
    assert_eq!((server.log_bytes().len(), flags(&server, id)), (length, json!(1)));
    server.kill();
    server.restart();
    assert_eq!(flag_from(&server, id, 1, 9).status, 204);
    assert_eq!(server.log_bytes().len(), length, "the key is known from the log");
    // Over the WebSocket, only who flags is answered.
    let mut reader = Client::full(&server, "");
    reader.send(&json!({"flag": id, "key": OTHER_KEY}));
    let mut hidden = false;
    loop {
        let message = reader.json();
        hidden |= message["status"] == "hidden";
        if message.get("flagged").is_some() {
            assert_eq!(message, json!({"flagged": id}));
            break;
        }
    }
    if !hidden {
        assert_eq!(reader.line()["status"], "hidden");
    }
    assert!(!is_public(&server, id));
}

#[test]
fn a_flag_needs_a_key_and_a_comment_that_everybody_sees_and_shows_no_token() {
    let server = builder(&["--hold", "links"]).start();
    let id = post_id(&server, json!({"content": "one", "key": KEY}));
    let held = post_id(&server, json!({"content": "http://a.example/", "key": KEY}));
    let send = |id: u64, headers: &str| {
        request(&server, "POST", &format!("/api/comments/{id}/flag"), headers, "")
    };
    refused(&send(id, JSON), 400, "key_missing");
    refused(&send(id, &bearer("short")), 400, "key_length");
    refused(&send(held, &bearer(OTHER_KEY)), 404, "unknown_comment");
    refused(&send(99, &bearer(OTHER_KEY)), 404, "unknown_comment");
    let cross = format!("{}Origin: https://evil.example\r\n", bearer(OTHER_KEY));
    refused(&send(id, &cross), 403, "origin_not_allowed");
    let get = request(&server, "GET", &format!("/api/comments/{id}/flag"), "", "");
    refused(&get, 405, "method_not_allowed");
    for n in 0..20 {
        let response = send(id, &bearer(&format!("a-guess-that-is-a-key-{n}")));
        assert_eq!(response.status, 204, "no token is compared: {response:?}");
    }
    assert_eq!(admin(&server, "GET", "/api/admin/bans", Value::Null).status, 200);
    patch(&server, id, json!({"status": "hidden"}));
    refused(&send(id, &bearer(OTHER_KEY)), 409, "hidden");
    request(&server, "DELETE", &format!("/api/comments/{id}"), &bearer(KEY), "");
    refused(&send(id, &bearer(OTHER_KEY)), 409, "deleted");
}

#[test]
fn without_moderators_flags_hide_nothing() {
    for flags in [&[][..], &["--flags-hold", "off"]] {
        let server = match flags {
            [] => Server::start(&["--flags-hold", "1"]),
            flags => builder(flags).start(),
        };
        let id = post_id(&server, json!({"content": "one", "key": KEY}));
        (1..5).for_each(|n| flag(&server, id, n));
        assert!(is_public(&server, id));
    }
}

#[test]
fn a_comment_has_a_thousand_flags_at_most() {
    let server = builder(&["--flags-hold", "off"]).start();
    let id = post_id(&server, json!({"content": "one", "key": KEY}));
    (0..1_000).for_each(|n| flag(&server, id, n));
    let response = flag_from(&server, id, 1_001, 1_001);
    refused(&response, 409, "flags_full");
    assert_eq!(response.json()["max"], 1_000);
    assert_eq!(flags(&server, id), 1_000);
}
