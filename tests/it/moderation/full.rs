//! How many bans, pages and notes about authors there may be: each at its limit and one past it.

use sayso::comment::Author;
use serde_json::{Value, json};

use super::{admin, builder, done, refused};
use crate::{repair::logs::Writer, support::server::Server};

fn author(number: usize) -> String {
    Author::from_key(&format!("key-of-author-{number:06}")).to_string()
}

/// A server whose log has all but one of what there may be.
fn nearly_full(count: usize, line: impl Fn(usize) -> Value) -> Server {
    let mut server = builder(&[]).start();
    assert!(server.stop().success());
    let mut log = Writer::new(1);
    for number in 1..count {
        let Value::Object(fields) = line(number) else { panic!("a line is an object") };
        let fields = Value::Object(fields).to_string();
        let start = format!("{{\"seq\":{number},\"created_at\":\"2026-11-22T05:08:00.000Z\",");
        log.line(fields.replacen('{', &start, 1).as_bytes(), false);
    }
    server.write_log(&log.bytes);
    server.restart();
    server
}

#[test]
fn bans_are_full_at_their_limit_until_one_ends() {
    let server = nearly_full(
        10_000,
        |number| json!({"kind": "ban", "author": author(number), "until": "9999-12-31T23:59:59.999Z"}),
    );
    let ban = |number| admin(&server, "POST", "/api/admin/bans", json!({"author": author(number)}));
    assert_eq!(ban(10_000).status, 201);
    refused(&ban(10_001), 409, "moderation_full");
    assert_eq!(ban(10_000).status, 201, "a known one can be changed");
    done(&server, "DELETE", &format!("/api/admin/bans/{}", author(1)), Value::Null, 200);
    assert_eq!(ban(10_001).status, 201);
}

#[test]
fn pages_are_full_at_their_limit() {
    let server = nearly_full(
        30_000,
        |number| json!({"kind": "page", "page": format!("/{number}"), "locked": true}),
    );
    let lock = |page: &str, locked| {
        admin(&server, "PATCH", "/api/admin/pages", json!({"page": page, "locked": locked}))
    };
    assert_eq!(lock("/30000", true).status, 200);
    refused(&lock("/30001", true), 409, "moderation_full");
    assert_eq!(lock("/30000", false).status, 200, "a known one can be changed");
}

#[test]
fn notes_about_authors_are_full_at_their_limit_until_one_is_removed() {
    let server = nearly_full(
        10_000,
        |number| json!({"kind": "note", "author": author(number), "reason": "a troll", "by": "ada"}),
    );
    let note = |number, note: &str| {
        let path = format!("/api/admin/authors/{}/note", author(number));
        admin(&server, "PUT", &path, json!({"note": note}))
    };
    assert_eq!(note(10_000, "x").status, 200);
    refused(&note(10_001, "x"), 409, "moderation_full");
    assert_eq!((note(10_000, "y").status, note(10_001, "").status), (200, 200));
    assert_eq!((note(1, "").status, note(10_001, "x").status), (200, 200));
}
