//! What becomes of decisions when the disk is full, when a log is repaired, and in the trust of `--hold new`.

use std::fs;

use serde_json::{Value, json};

use super::{admin, builder, done, found, ids, patch, post_id, refused};
use crate::support::{
    client::{KEY, OTHER_KEY, Response, bearer, get, post, request},
    frames::Client,
    server::Server,
};

fn author(key: &str) -> String {
    sayso::comment::Author::from_key(key).to_string()
}

#[test]
fn what_finds_no_room_on_the_disk_has_not_happened() {
    let mut server = builder(&["--flags-hold", "1"]).start();
    for n in 1..=3 {
        post_id(&server, json!({"content": format!("comment {n}"), "key": KEY}));
    }
    patch(&server, 3, json!({"status": "hidden"}));
    let seen = |server: &Server| {
        let about = format!("/api/admin/authors/{}", author(KEY));
        [
            found(server, "")["comments"].clone(),
            done(server, "GET", "/api/admin/bans", Value::Null, 200),
            done(server, "GET", "/api/admin/pages", Value::Null, 200),
            done(server, "GET", &about, Value::Null, 200),
            get(server, "/api/comments?since=0").json(),
        ]
    };
    let before = seen(&server);
    let mut reader = Client::full(&server, "");
    reader.json();
    let length = server.log_bytes().len();
    server.limit_file_size(Some(length as u64 + 20));
    let flag =
        |server: &Server| request(server, "POST", "/api/comments/1/flag", &bearer(OTHER_KEY), "");
    let note = format!("/api/admin/authors/{}/note", author(KEY));
    let everything = |server: &Server| -> Vec<Response> {
        vec![
            admin(server, "POST", "/api/admin/bans", json!({"author": author(KEY), "hide": true})),
            admin(
                server,
                "POST",
                "/api/admin/bans",
                json!({"comment": 1, "address": true, "hide": true}),
            ),
            admin(server, "PATCH", "/api/admin/pages", json!({"page": "/", "locked": true})),
            admin(server, "PUT", &note, json!({"note": "x"})),
            admin(server, "PATCH", "/api/comments/1", json!({"status": "hidden", "reason": "x"})),
            admin(server, "PATCH", "/api/comments/3", json!({"status": "public"})),
            admin(server, "PATCH", "/api/comments/1", json!({"pinned": true})),
            admin(server, "DELETE", "/api/comments/2", Value::Null),
            flag(server),
        ]
    };
    for response in everything(&server) {
        refused(&response, 503, "storage_full");
    }
    assert_eq!(seen(&server), before);
    server.limit_file_size(None);
    assert_eq!(seen(&server), before);
    post_id(&server, json!({"content": "not banned", "key": KEY}));
    assert_eq!(reader.line()["content"], "not banned", "and nobody has heard of any of it");
    assert_eq!(flag(&server).status, 204);
    assert_eq!(reader.line()["status"], "hidden", "the flag was not counted as one before");
    server.check();
    server.kill();
    server.restart();
    assert_eq!(done(&server, "GET", "/api/admin/bans", Value::Null, 200)["bans"], json!([]));
    let banned = json!({"author": author(KEY), "hide": true});
    let banned = done(&server, "POST", "/api/admin/bans", banned, 201);
    assert_eq!(banned["hidden"].as_array().unwrap().len(), 2, "{banned}");
}

#[test]
fn a_repair_keeps_what_moderators_have_decided() {
    let mut server = builder(&["--hold", "links"]).start();
    for n in 1..=4 {
        post_id(&server, json!({"content": format!("comment {n}"), "key": KEY}));
    }
    patch(&server, 2, json!({"status": "hidden", "reason": "Off topic"}));
    let waiting = post_id(&server, json!({"content": "http://a.example/", "key": OTHER_KEY}));
    patch(&server, waiting, json!({"status": "hidden"}));
    request(&server, "POST", "/api/comments/1/flag", &bearer(OTHER_KEY), "");
    done(&server, "POST", "/api/admin/bans", json!({"author": author(KEY)}), 201);
    done(&server, "PATCH", "/api/admin/pages", json!({"page": "/b", "locked": true}), 200);
    let note = format!("/api/admin/authors/{}/note", author(KEY));
    done(&server, "PUT", &note, json!({"note": "a note"}), 200);
    let seen = |server: &Server| {
        [2, waiting].map(|id| found(server, &format!("q=%23sayso-{id}"))["comments"].clone())
    };
    let before = seen(&server);
    assert!(server.stop().success());
    // A letter of another comment's text is another one.
    let text = server.log_text();
    assert!(text.contains("comment 4"));
    fs::write(server.log(), text.replacen("comment 4", "commemt 4", 1)).unwrap();
    let output = server.run(&["repair"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    server.restart();
    assert_eq!(seen(&server), before);
    assert_eq!(found(&server, "q=%23sayso-1")["comments"][0]["flags"], 1);
    refused(&post(&server, &json!({"content": "x", "key": KEY})), 403, "banned");
    refused(&post(&server, &json!({"content": "x", "page": "/b"})), 403, "page_locked");
    let about =
        done(&server, "GET", &format!("/api/admin/authors/{}", author(KEY)), Value::Null, 200);
    assert_eq!(about["note"]["reason"], "a note");
    server.check();
}

#[test]
fn the_trust_of_hold_new_is_the_same_after_a_restart_and_a_compaction() {
    let mut server = builder(&["--hold", "new"]).start();
    let mut number = 0;
    let mut write = |server: &Server, key: &str| {
        number += 1;
        let response = post(server, &json!({"content": format!("comment {number}"), "key": key}));
        (response.status, response.json()["id"].as_u64().unwrap())
    };
    let again = |server: &mut Server, is_compacted: bool| {
        if is_compacted {
            server.compact();
        }
        server.kill();
        server.restart();
    };
    for is_compacted in [false, true] {
        let key = format!("{KEY}-{is_compacted}");
        let (status, first) = write(&server, &key);
        assert_eq!(status, 202);
        patch(&server, first, json!({"status": "public"}));
        assert_eq!(write(&server, &key).0, 201);
        again(&mut server, is_compacted);
        let (status, second) = write(&server, &key);
        assert_eq!(status, 201);
        // Rejecting, hiding and deleting by a moderator take it away; deleting one's own does not.
        request(&server, "DELETE", &format!("/api/comments/{second}"), &bearer(&key), "");
        again(&mut server, is_compacted);
        let (status, third) = write(&server, &key);
        assert_eq!(status, 201);
        done(&server, "DELETE", &format!("/api/comments/{third}"), Value::Null, 200);
        assert_eq!(write(&server, &key).0, 202);
        again(&mut server, is_compacted);
        let (status, fourth) = write(&server, &key);
        assert_eq!(status, 202);
        patch(&server, fourth, json!({"status": "public"}));
        let (status, fifth) = write(&server, &key);
        assert_eq!(status, 201);
        patch(&server, fifth, json!({"status": "hidden"}));
        again(&mut server, is_compacted);
        assert_eq!(write(&server, &key).0, 202);
        assert!(ids(&server, "status=hidden").contains(&fifth));
    }
}

#[test]
fn the_trust_of_hold_new_is_what_moderators_have_decided_last_also_after_a_restart() {
    let mut server = builder(&["--hold", "new", "--flags-hold", "1"]).start();
    let mut number = 0;
    let mut write = |server: &Server, key: &str| {
        number += 1;
        let response = post(server, &json!({"content": format!("comment {number}"), "key": key}));
        (response.status, response.json()["id"].as_u64().unwrap())
    };
    let (rejected, flagged) = (format!("{KEY}-rejected"), format!("{KEY}-flagged"));
    let [first, second] = [write(&server, &rejected).1, write(&server, &rejected).1];
    patch(&server, second, json!({"status": "public"}));
    patch(&server, first, json!({"status": "hidden"}));
    let third = write(&server, &flagged).1;
    patch(&server, third, json!({"status": "public"}));
    let fourth = write(&server, &flagged).1;
    let path = format!("/api/comments/{fourth}/flag");
    assert_eq!(request(&server, "POST", &path, &bearer(OTHER_KEY), "").status, 204);
    assert!(ids(&server, "status=hidden").contains(&fourth));
    for _ in 0..2 {
        assert_eq!(
            write(&server, &rejected).0,
            202,
            "the older one was rejected after the newer was approved"
        );
        assert_eq!(write(&server, &flagged).0, 201, "readers' flags are no decision");
        server.kill();
        server.restart();
    }
    server.compact();
    server.kill();
    server.restart();
    assert_eq!((write(&server, &rejected).0, write(&server, &flagged).0), (202, 201));
}

#[test]
fn what_a_moderator_edits_waits_as_before_or_again() {
    let mut server = builder(&["--hold", "links"]).start();
    let link = "see http://a.example/";
    let rejected = post_id(&server, json!({"content": link, "key": KEY}));
    patch(&server, rejected, json!({"status": "hidden"}));
    let edited = post_id(&server, json!({"content": "harmless", "key": KEY}));
    let edit = json!({"content": link}).to_string();
    let response =
        request(&server, "PATCH", &format!("/api/comments/{edited}"), &bearer(KEY), &edit);
    assert_eq!(response.json()["status"], "hidden", "{response:?}");
    for id in [rejected, edited] {
        patch(&server, id, json!({"content": "see there"}));
    }
    for _ in 0..2 {
        assert_eq!(ids(&server, "status=pending"), [edited, rejected]);
        assert_eq!(ids(&server, "status=hidden"), [0_u64; 0]);
        server.kill();
        server.restart();
    }
    for id in [rejected, edited] {
        assert_eq!(patch(&server, id, json!({"status": "public"}))["content"], "see there");
    }
    server.check();
}

#[test]
fn decisions_at_once_are_each_carried_out_whole() {
    let mut server = builder(&[]).start();
    for n in 0..40 {
        post_id(&server, json!({"content": format!("comment {n}"), "key": KEY}));
    }
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let server = &server;
            scope.spawn(move || {
                for n in 0..5 {
                    let id = thread * 5 + n + 1;
                    patch(server, id, json!({"status": "hidden"}));
                    patch(server, id, json!({"status": "public", "reason": "back"}));
                    let path = format!("/api/comments/{id}/flag");
                    let flag = request(server, "POST", &path, &bearer(OTHER_KEY), "");
                    assert!(matches!(flag.status, 204), "{flag:?}");
                }
            });
        }
    });
    let before = found(&server, "limit=200")["comments"].clone();
    assert_eq!(before.as_array().unwrap().len(), 40);
    assert!(
        before.as_array().unwrap().iter().all(|line| line["flags"] == 1 || line["flags"].is_null())
    );
    server.kill();
    server.restart();
    assert_eq!(found(&server, "limit=200")["comments"], before);
    server.compact();
    server.check();
    assert_eq!(found(&server, "limit=200")["comments"], before);
}
