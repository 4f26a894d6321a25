//! What a host page's moderators may do: change who sees a comment, and delete it.

use serde_json::{Value, json};

use super::{SITE, ask, builder, done, from_site, id, moderator, refused, say, signed, user};
use crate::support::{
    client::{TOKEN, bearer, get, request},
    frames::{Client, SUBPROTOCOL},
};

#[test]
fn a_moderator_hides_shows_and_deletes_and_the_log_says_who() {
    let mut server = builder(&[]).moderator(TOKEN).shell("").start();
    let (ada, bob) = (user("Ada"), moderator("Bob"));
    let comment = id(&say(&server, &ada, "first"));
    let target = format!("/api/comments/{comment}");
    let hide = json!({"status": "hidden", "reason": "off topic"});
    assert_eq!(done(&server, &bob, "PATCH", &target, hide)["status"], "hidden");
    let shown = get(&server, "/api/comments").json();
    assert_eq!(shown["comments"][0].get("content"), None, "{shown}");
    let show = json!({"status": "public"});
    assert_eq!(done(&server, &bob, "PATCH", &target, show)["content"], "first");
    assert_eq!(done(&server, &bob, "DELETE", &target, Value::Null)["deleted"], true);
    let log = server.log_text();
    for did in ["hide", "approve", "delete"] {
        let note = log.lines().find(|line| line.contains(&format!("\"did\":\"{did}\"")));
        let note: Value = serde_json::from_str(note.unwrap_or_else(|| panic!("{did}"))).unwrap();
        assert_eq!(note["by"], "Bob (https://blog.example)", "{did}");
    }
    assert!(server.stop().success());
    let said = server.stderr();
    for what in ["hid", "published", "deleted"] {
        let sentence = format!("Bob (https://blog.example) {what} comment {comment}");
        assert!(said.contains(&sentence), "{sentence}: {said}");
    }
}

#[test]
fn who_is_no_moderator_changes_nobodys_comment() {
    let server = builder(&[]).moderator(TOKEN).start();
    let comment = id(&say(&server, &user("Ada"), "first"));
    let target = format!("/api/comments/{comment}");
    let bob = user("Bob");
    refused(
        &ask(&server, &bob, "PATCH", &target, json!({"status": "hidden"})),
        403,
        "not_moderator",
    );
    refused(&ask(&server, &bob, "DELETE", &target, Value::Null), 403, "not_author");
}

#[test]
fn a_moderator_can_not_ban_pin_edit_list_answer_or_use_admin() {
    let server = builder(&[]).moderator(TOKEN).start();
    let line = say(&server, &user("Ada"), "first");
    let target = format!("/api/comments/{}", id(&line));
    let bob = moderator("Bob");
    refused(&ask(&server, &bob, "PATCH", &target, json!({"pinned": true})), 403, "not_moderator");
    refused(&ask(&server, &bob, "PATCH", &target, json!({"content": "x"})), 403, "not_author");
    let own = format!("Origin: http://{}\r\n", server.address);
    let author = line["author"].as_str().unwrap();
    for (method, path, body) in [
        ("POST", "/api/admin/bans".to_owned(), json!({"author": author})),
        ("GET", "/api/admin/bans".into(), Value::Null),
        ("GET", "/api/admin/comments".into(), Value::Null),
        ("POST", "/api/admin/comments".into(), json!({"content": "x", "page": "/"})),
        ("GET", format!("/api/admin/authors/{author}"), Value::Null),
        ("PATCH", "/api/admin/pages".into(), json!({"page": "/", "locked": true})),
    ] {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = signed(&bob).replace(&format!("Origin: {SITE}\r\n"), &own);
        refused(&request(&server, method, &path, &headers, &body), 403, "not_moderator");
    }
    let mut admin =
        Client::open(&server, "/ws/admin/", "Sec-WebSocket-Protocol: sayso.admin.1\r\n").unwrap();
    admin.send(&json!({ "token": bob }));
    assert_eq!(admin.close_code(), Some(1008));
    let history = get(&server, "/api/comments").json();
    assert_eq!(history["comments"], json!([line]));
}

#[test]
fn over_a_websocket_a_moderator_hides_shows_and_deletes_and_does_not_edit() {
    let server = builder(&[]).start();
    let comment = id(&say(&server, &user("Ada"), "first"));
    let headers = format!("{SUBPROTOCOL}Origin: {SITE}\r\n");
    let mut client = Client::open(&server, "/ws/comments/", &headers).unwrap();
    let bob = moderator("Bob");
    for status in ["hidden", "public"] {
        client.send(&json!({"edit": comment, "status": status, "user": user("Eve")}));
        assert_eq!(client.line()["code"], "not_moderator");
    }
    client.send(&json!({"edit": comment, "content": "x", "user": bob}));
    assert_eq!(client.line()["code"], "not_author");
    client.send(&json!({"edit": comment, "status": "secret", "user": bob}));
    assert_eq!(client.line()["code"], "bad_parameter");
    client.send(&json!({"edit": comment, "status": "public", "user": bob}));
    client.send(&json!({"edit": comment, "status": "hidden", "user": bob}));
    client.send(&json!({"edit": comment, "status": "public", "user": bob}));
    assert_eq!(client.line()["content"], "first", "it is public already");
    assert_eq!(client.line()["status"], "hidden");
    assert_eq!(client.line()["content"], "first");
    client.send(&json!({"delete": comment, "user": user("Eve")}));
    assert_eq!(client.line()["code"], "not_author");
    client.send(&json!({"delete": comment, "user": bob}));
    assert_eq!(client.line()["deleted"], true);
    let log = server.log_text();
    assert_eq!(log.matches("\"by\":\"Bob (https://blog.example)\"").count(), 3, "{log}");
}

#[test]
fn a_decision_about_a_text_that_has_changed_is_refused_with_the_text() {
    let server = builder(&[]).start();
    let (ada, bob) = (user("Ada"), moderator("Bob"));
    let line = say(&server, &ada, "first");
    let target = format!("/api/comments/{}", id(&line));
    done(&server, &ada, "PATCH", &target, json!({"content": "second"}));
    let hide = json!({"status": "hidden", "seen": line["seq"]});
    let response = ask(&server, &bob, "PATCH", &target, hide);
    refused(&response, 409, "changed_meanwhile");
    assert_eq!(response.json()["line"]["content"], "second");
}

#[test]
fn a_banned_moderator_decides_nothing_but_deletes_their_own() {
    let server = builder(&[]).moderator(TOKEN).start();
    let bob = moderator("Bob");
    let others = id(&say(&server, &user("Ada"), "first"));
    let own = say(&server, &bob, "second");
    let ban = json!({"author": own["author"], "seconds": 60}).to_string();
    assert_eq!(request(&server, "POST", "/api/admin/bans", &bearer(TOKEN), &ban).status, 201);
    let target = format!("/api/comments/{others}");
    refused(&ask(&server, &bob, "PATCH", &target, json!({"status": "hidden"})), 403, "banned");
    refused(&ask(&server, &bob, "DELETE", &target, Value::Null), 403, "banned");
    done(&server, &bob, "DELETE", &format!("/api/comments/{}", id(&own)), Value::Null);
}

#[test]
fn a_user_counts_instead_of_a_moderators_token() {
    let server = builder(&[]).moderator(TOKEN).start();
    let comment = id(&say(&server, &user("Ada"), "first"));
    let target = format!("/api/comments/{comment}");
    let body = json!({"status": "hidden", "user": user("Bob")}).to_string();
    let headers = format!("Authorization: Bearer {TOKEN}\r\n{}", from_site());
    refused(&request(&server, "PATCH", &target, &headers, &body), 403, "not_moderator");
}
