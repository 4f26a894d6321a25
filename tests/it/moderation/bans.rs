//! Bans: of authors and addresses, what they take away at once, what they hide, and how they end.

use serde_json::{Value, json};

use super::{admin, builder, done, found, ids, patch, post_id, refused};
use crate::support::{
    client::{JSON, KEY, OTHER_KEY, Response, bearer, get, post, request},
    frames::Client,
    server::Server,
};

fn author(key: &str) -> String {
    sayso::comment::Author::from_key(key).to_string()
}

#[track_caller]
fn ban(server: &Server, body: Value) -> Value {
    done(server, "POST", "/api/admin/bans", body, 201)
}

fn unban(server: &Server, key: &str, restore: bool) -> Value {
    let query = if restore { "?restore=true" } else { "" };
    done(server, "DELETE", &format!("/api/admin/bans/{key}{query}"), Value::Null, 200)
}

fn bans(server: &Server) -> Value {
    done(server, "GET", "/api/admin/bans", Value::Null, 200)["bans"].clone()
}

/// A post from this address.
fn post_from(server: &Server, address: &str, body: &Value) -> Response {
    let headers = format!("X-Forwarded-For: {address}\r\n{JSON}");
    request(server, "POST", "/api/comments", &headers, &body.to_string())
}

#[test]
fn a_ban_of_an_address_hides_nothing_that_a_moderator_has_written_from_there() {
    let server = builder(&[]).start();
    let spam = post_id(&server, json!({"content": "spam", "key": KEY}));
    let answer = json!({"content": "an answer", "parent": spam});
    let site = done(&server, "POST", "/api/admin/comments", answer, 201)["id"].as_u64().unwrap();
    let of_site = json!({"comment": site, "address": true});
    refused(&admin(&server, "POST", "/api/admin/bans", of_site), 409, "address_unknown");
    let banned = ban(&server, json!({"comment": spam, "address": true, "hide": true}));
    assert_eq!(banned["hidden"], json!([spam]));
    assert_eq!(ids(&server, "status=public"), [site]);
}

#[test]
fn a_banned_author_can_do_nothing_from_then_on_but_delete_their_own() {
    let mut server = builder(&[]).start();
    let mine = post_id(&server, json!({"content": "mine", "key": KEY, "name": "Eve"}));
    let own = post_id(&server, json!({"content": "mine, too", "key": KEY, "name": "Eve"}));
    let other = post_id(&server, json!({"content": "another's", "key": OTHER_KEY}));
    let mut eve = Client::full(&server, "");
    eve.send(&json!({"key": KEY}));
    let mut reader = Client::full(&server, "");
    let banned = ban(&server, json!({"author": author(KEY), "seconds": 3_600}));
    let one = &banned["bans"][0];
    assert_eq!((&one["author"], &one["by"]), (&json!(author(KEY)), &json!("ada")));
    assert_eq!(
        (&one["address"], &one["hold"], &banned["hidden"]),
        (&Value::Null, &Value::Null, &json!([]))
    );
    let until = one["until"].as_str().unwrap().to_owned();
    assert_eq!(bans(&server), json!([one]));

    for message in [
        json!({"content": "more", "key": KEY}),
        json!({"edit": mine, "content": "worse", "key": KEY}),
        json!({"like": other, "on": true, "key": KEY}),
        json!({"flag": other, "key": KEY}),
    ] {
        eve.send(&message);
        let error = eve.line();
        assert_eq!(
            (&error["code"], &error["until"]),
            (&json!("banned"), &json!(until)),
            "{message}"
        );
    }
    eve.send(&json!({"typing": true}));
    eve.send(&json!({"delete": own, "key": KEY}));
    assert_eq!(eve.line()["deleted"], true);
    // Nobody was told that Eve types.
    loop {
        let message = reader.json();
        assert!(message.get("typing").is_none(), "{message}");
        if message["deleted"] == true {
            break;
        }
    }
    for is_restarted in [false, true] {
        for (method, path, body) in [
            ("POST", "/api/comments".to_owned(), json!({"content": "more"})),
            ("PATCH", format!("/api/comments/{mine}"), json!({"content": "worse"})),
            ("POST", format!("/api/comments/{other}/like"), json!({"on": true})),
            ("POST", format!("/api/comments/{other}/flag"), Value::Null),
        ] {
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let response = request(&server, method, &path, &bearer(KEY), &body);
            refused(&response, 403, "banned");
            assert!(response.error().contains(&until), "{response:?}");
        }
        // Without the key, it is somebody else.
        assert_eq!(post(&server, &json!({"content": format!("{is_restarted}")})).status, 201);
        server.kill();
        server.restart();
        server.compact();
        server.check();
    }
    assert_eq!(unban(&server, &author(KEY), false), json!({"restored": []}));
    assert_eq!(bans(&server), json!([]));
    post_id(&server, json!({"content": "again", "key": KEY}));
    let response =
        admin(&server, "DELETE", &format!("/api/admin/bans/{}", author(KEY)), Value::Null);
    refused(&response, 404, "unknown_ban");
    for _ in 0..2 {
        server.kill();
        server.restart();
        assert_eq!(bans(&server), json!([]), "also after a restart");
        server.compact();
    }
}

#[test]
fn a_banned_address_is_known_by_its_hash_alone_whatever_key_it_shows() {
    let mut server = builder(&[]).shell("").start();
    let evil = "203.0.113.77";
    let first = post_from(&server, evil, &json!({"content": "first", "key": KEY})).json();
    let anonymous = post_from(&server, evil, &json!({"content": "nobody's"})).json();
    let other = post_from(&server, "203.0.113.78", &json!({"content": "beside"})).json();
    let mut open = Client::open(
        &server,
        "/ws/comments/",
        &format!("X-Forwarded-For: {evil}\r\nSec-WebSocket-Protocol: sayso.1\r\n"),
    )
    .unwrap();
    let banned = ban(&server, json!({"comment": first["id"], "address": true, "hide": true}));
    assert_eq!(banned["bans"].as_array().unwrap().len(), 2);
    assert_eq!(banned["bans"][0]["author"], author(KEY));
    let hash = banned["bans"][1]["address"].as_str().unwrap().to_owned();
    assert_eq!((hash.len(), &banned["bans"][1]["author"]), (22, &Value::Null));
    assert!(banned["bans"][1]["until"].as_str().unwrap().starts_with("9999-12-31"), "for ever");
    let mut hidden: Vec<u64> = serde_json::from_value(banned["hidden"].clone()).unwrap();
    hidden.sort_unstable();
    assert_eq!(json!(hidden), json!([first["id"], anonymous["id"]]), "but not {}", other["id"]);
    open.send(&json!({"content": "again", "key": "another-key-of-the-same"}));
    assert_eq!(open.line()["id"], first["id"], "the tombstones come first");
    assert_eq!(open.line()["id"], anonymous["id"]);
    assert_eq!(open.line()["code"], "banned");
    for is_restarted in [false, true] {
        refused(&post_from(&server, evil, &json!({"content": "x"})), 403, "banned");
        let content = format!("not from there {is_restarted}");
        assert_eq!(post_from(&server, "203.0.113.78", &json!({"content": content})).status, 201);
        assert!(server.stop().success());
        server.restart();
        server.compact();
    }
    assert!(!server.log_text().contains(evil) && !server.stderr().contains(evil));
    // One undo takes back all that the step has hidden, also of others.
    let restored = unban(&server, &author(KEY), true);
    let mut ids: Vec<u64> = serde_json::from_value(restored["restored"].clone()).unwrap();
    ids.sort_unstable();
    assert_eq!(ids, hidden);
    refused(&post_from(&server, evil, &json!({"content": "x"})), 403, "banned");
    assert_eq!(unban(&server, &hash, true), json!({"restored": []}));
    assert_eq!(post_from(&server, evil, &json!({"content": "x"})).status, 201);
}

#[test]
fn what_somebody_who_is_held_writes_waits() {
    let server = builder(&[]).start();
    let id = post_id(&server, json!({"content": "before", "key": KEY}));
    ban(&server, json!({"comment": id, "hold": true, "seconds": 60}));
    let held = post(&server, &json!({"content": "after", "key": KEY}));
    assert_eq!((held.status, &held.json()["status"]), (202, &json!("pending")));
    let edited =
        request(&server, "PATCH", "/api/comments/1", &bearer(KEY), "{\"content\":\"now\"}");
    assert_eq!(edited.status, 200, "{edited:?}");
    // What an edit has hidden waits too.
    assert_eq!(ids(&server, "status=pending"), [held.json()["id"].as_u64().unwrap(), 1]);
    assert_eq!(ids(&server, "status=hidden"), [0_u64; 0]);
    let notes = found(&server, "limit=2")["comments"].clone();
    assert!(
        notes.as_array().unwrap().iter().all(|line| line["note"]["why"] == "author"),
        "{notes}"
    );
    // Likes and flags are free.
    let other = post_id(&server, json!({"content": "another's"}));
    let path = format!("/api/comments/{other}/like");
    assert_eq!(request(&server, "POST", &path, &bearer(KEY), "{\"on\":true}").status, 200);
    // A ban instead of the hold, and the other way round.
    ban(&server, json!({"author": author(KEY), "seconds": 60}));
    refused(&post(&server, &json!({"content": "x", "key": KEY})), 403, "banned");
    assert_eq!(bans(&server).as_array().unwrap().len(), 1);
    assert_eq!(bans(&server)[0]["hold"], Value::Null);
}

#[test]
fn a_ban_hides_all_of_an_authors_in_one_step_and_an_undo_shows_them_again() {
    let mut server = builder(&["--hold", "links"]).start();
    for n in 0..520 {
        let page = format!("/{}", n % 7);
        post_id(&server, json!({"content": format!("comment {n}"), "page": page, "key": KEY}));
    }
    let waiting = post_id(&server, json!({"content": "http://a.example/", "key": KEY}));
    let by_hand = post_id(&server, json!({"content": "hidden by hand", "key": KEY}));
    patch(&server, by_hand, json!({"status": "hidden"}));
    let other = post_id(&server, json!({"content": "another's", "key": OTHER_KEY}));
    let mut reader = Client::full(&server, "page=/3");
    let banned = ban(&server, json!({"author": author(KEY), "hide": true, "seconds": 60}));
    assert_eq!(banned["hidden"].as_array().unwrap().len(), 521);
    assert_eq!(banned["more"], Value::Null);
    assert_eq!(reader.line()["status"], "hidden");
    assert_eq!(
        (ids(&server, "status=public"), ids(&server, "status=pending")),
        (vec![other], vec![])
    );
    assert_eq!(get(&server, "/api/counts?page=/3").json(), json!({"/3": 0}));
    server.kill();
    server.restart();
    server.compact();
    let about =
        done(&server, "GET", &format!("/api/admin/authors/{}", author(KEY)), Value::Null, 200);
    assert_eq!((&about["hidden"], &about["rejected"]), (&json!(522), &json!(1.0)));
    assert_eq!(about["ban"]["by"], "ada");
    let restored = unban(&server, &author(KEY), true);
    assert_eq!(restored["restored"].as_array().unwrap().len(), 521);
    assert_eq!(ids(&server, "status=pending"), [waiting]);
    assert_eq!(ids(&server, "status=hidden"), [by_hand], "no ban has hidden that");
    assert_eq!(get(&server, "/api/counts?page=/3").json(), json!({"/3": 74}));
    server.check();
}

#[test]
fn a_ban_that_can_not_be_meant_is_refused_and_changes_nothing() {
    let mut server = builder(&[]).start();
    let keyless = post_id(&server, json!({"content": "nobody's"}));
    let mine = post_id(&server, json!({"content": "mine", "key": KEY}));
    let length = server.log_bytes().len();
    for (body, status, code) in [
        (json!({}), 400, "malformed"),
        (json!({"author": author(KEY), "comment": mine}), 400, "malformed"),
        (json!({"author": author(KEY), "address": true}), 400, "malformed"),
        (json!({"author": "ada"}), 400, "bad_parameter"),
        (json!({"comment": mine, "seconds": 0}), 400, "bad_parameter"),
        (json!({"comment": mine, "seconds": 3_153_600_001_u64}), 400, "bad_parameter"),
        (json!({"comment": mine, "seconds": -1}), 400, "malformed"),
        (json!({"comment": 99}), 404, "unknown_comment"),
        (json!({"comment": keyless}), 409, "nobody_to_ban"),
    ] {
        refused(&admin(&server, "POST", "/api/admin/bans", body), status, code);
    }
    assert_eq!(server.log_bytes().len(), length);
    ban(&server, json!({"comment": mine, "seconds": 3_153_600_000_u64}));
    ban(&server, json!({"comment": keyless, "address": true}));
    server.kill();
    server.restart();
    let response =
        admin(&server, "POST", "/api/admin/bans", json!({"comment": mine, "address": true}));
    refused(&response, 409, "address_unknown");
    refused(&admin(&server, "DELETE", "/api/admin/bans/x", Value::Null), 404, "unknown_ban");
}

#[test]
fn a_ban_ends_by_itself() {
    let server = builder(&[]).start();
    ban(&server, json!({"author": author(KEY), "seconds": 1}));
    let start = std::time::Instant::now();
    while post(&server, &json!({"content": "am I back", "key": KEY})).status == 403 {
        assert!(start.elapsed() < crate::support::server::TIMEOUT, "it never ends");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(bans(&server), json!([]));
}
