//! What a moderator decides about one comment: shows, hides, rejects, pins, edits, deletes, and takes it back.

use serde_json::{Value, json};

use super::{admin, builder, done, found, ids, patch, post_id, refused};
use crate::support::{
    client::{KEY, OTHER_KEY, bearer, get, post, request},
    frames::Client,
    server::Server,
};

/// The line of a comment as the moderator sees it.
fn line(server: &Server, id: u64) -> Value {
    let found = found(server, &format!("q=%23sayso-{id}"));
    found["comments"][0].clone()
}

/// Restarts after `kill -9`, and compacts: what was decided must be as it was.
fn assert_it_stays(server: &mut Server) {
    let seen = |server: &Server| {
        let admin = found(server, "limit=200")["comments"].clone();
        let reader = get(server, "/api/comments?limit=200").json();
        (admin, reader["comments"].clone(), reader["pinned"].clone(), reader["locked"].clone())
    };
    let before = seen(server);
    server.kill();
    server.restart();
    assert_eq!(seen(server), before, "after a restart");
    server.compact();
    assert_eq!(seen(server), before, "after a compaction");
    server.check();
    server.kill();
    server.restart();
    assert_eq!(seen(server), before, "after both");
}

#[test]
fn every_decision_is_noted_and_outlives_the_process() {
    let mut server = builder(&[]).start();
    for n in 1..=6 {
        post_id(&server, json!({"content": format!("comment {n}"), "key": KEY, "name": "Eve"}));
    }
    let hidden = patch(&server, 1, json!({"status": "hidden", "reason": " Off topic "}));
    assert_eq!((&hidden["status"], &hidden["content"]), (&json!("hidden"), &json!("comment 1")));
    let note = &hidden["note"];
    assert_eq!(
        (&note["did"], &note["reason"], &note["by"], &note["why"]),
        (&json!("hide"), &json!("Off topic"), &json!("ada"), &Value::Null)
    );
    assert!(note["created_at"].is_string());
    let shown = patch(&server, 1, json!({"status": "public"}));
    assert_eq!((&shown["status"], &shown["note"]["did"]), (&Value::Null, &json!("approve")));
    let pinned = patch(&server, 2, json!({"pinned": true}));
    assert_eq!((&pinned["pinned"], &pinned["note"]["did"]), (&json!(true), &json!("pin")));
    let edited = patch(&server, 3, json!({"content": "better words", "reason": "Be kind"}));
    assert_eq!(
        (&edited["content"], &edited["mod_edited"], &edited["note"]["did"]),
        (&json!("better words"), &json!(true), &json!("edit"))
    );
    patch(&server, 4, json!({"status": "hidden"}));
    let gone =
        done(&server, "DELETE", "/api/comments/5", json!({"reason": "Spam", "seen": 5}), 200);
    assert_eq!((&gone["deleted"], &gone["note"]["did"]), (&json!(true), &json!("delete")));
    assert_eq!((&gone["content"], &gone["author"]), (&Value::Null, &Value::Null));
    done(&server, "DELETE", "/api/comments/6", Value::Null, 200);
    assert_eq!(ids(&server, "status=hidden"), [4]);
    assert_eq!(ids(&server, "status=deleted"), [6, 5]);
    assert_eq!(ids(&server, "status=public"), [3, 2, 1]);
    let pinned = get(&server, "/api/comments").json();
    assert_eq!(pinned["pinned"], json!([2]));
    // A reader sees neither notes nor what was hidden.
    let text = get(&server, "/api/comments?since=0").body;
    for secret in ["note", "Off topic", "Be kind", "comment 4", "comment 5", "ada"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert!(text.contains("\"mod_edited\":true"), "everybody sees that a moderator has edited");
    assert_it_stays(&mut server);
}

#[test]
fn a_rejected_comment_is_listed_as_hidden_and_no_reader_ever_hears_of_it() {
    let mut server = builder(&["--hold", "all"]).start();
    let id = post_id(&server, json!({"content": "never shown", "key": KEY}));
    let mut reader = Client::full(&server, "");
    assert_eq!(line(&server, id)["note"]["why"], "all");
    assert_eq!((ids(&server, "status=pending"), ids(&server, "status=hidden")), (vec![1], vec![]));
    let rejected = patch(&server, id, json!({"status": "hidden", "reason": "No"}));
    assert_eq!(
        (&rejected["status"], &rejected["note"]["did"]),
        (&json!("pending"), &json!("hide"))
    );
    assert_eq!((ids(&server, "status=pending"), ids(&server, "status=hidden")), (vec![], vec![1]));
    assert_it_stays(&mut server);
    assert_eq!(ids(&server, "status=hidden"), [1], "still rejected");
    // Once more changes nothing; taking it back makes it wait again.
    let again = patch(&server, id, json!({"status": "hidden"}));
    assert_eq!(again["note"]["reason"], "No");
    let back = patch(&server, id, json!({"status": "pending"}));
    assert_eq!((&back["note"]["did"], &back["note"]["why"]), (&json!("hold"), &json!("undo")));
    assert_eq!(ids(&server, "status=pending"), [1]);
    refused(
        &admin(&server, "PATCH", "/api/comments/1", json!({"pinned": true})),
        409,
        "not_yet_public",
    );
    for (id, expected) in [(1, 200), (2, 404)] {
        let path = format!("/api/comments/{id}");
        let response = admin(&server, "PATCH", &path, json!({"status": "pending"}));
        assert_eq!(response.status, expected, "{response:?}");
    }
    let body = get(&server, "/api/comments?since=0").body;
    assert!(body.contains("\"comments\":[]"), "{body}");
    drop(reader.socket.close(None));
    let mut reader = Client::full(&server, "");
    patch(&server, id, json!({"status": "public"}));
    assert_eq!(reader.line()["content"], "never shown");
    let response = admin(&server, "PATCH", "/api/comments/1", json!({"status": "pending"}));
    refused(&response, 409, "not_rejected");
    assert_it_stays(&mut server);
}

#[test]
fn nobody_decides_on_a_line_that_they_have_not_seen() {
    let server = builder(&[]).start();
    let id = post_id(&server, json!({"content": "harmless", "key": KEY}));
    let edit = json!({"content": "harmful", "key": KEY}).to_string();
    let edited = request(&server, "PATCH", "/api/comments/1", &bearer(KEY), &edit).json();
    for (method, body) in [
        ("PATCH", json!({"status": "hidden", "seen": id})),
        ("PATCH", json!({"pinned": true, "seen": id})),
        ("PATCH", json!({"content": "x", "seen": id})),
        ("DELETE", json!({"seen": id})),
    ] {
        let response = admin(&server, method, "/api/comments/1", body);
        refused(&response, 409, "changed_meanwhile");
        let error = response.json();
        assert_eq!((&error["comment"], &error["line"]), (&json!(1), &edited), "{response:?}");
    }
    patch(&server, id, json!({"status": "hidden", "seen": edited["seq"]}));
    // For others it means nothing.
    let response = request(&server, "DELETE", "/api/comments/1", &bearer(KEY), "{\"seen\":1}");
    assert_eq!(response.status, 200, "{response:?}");
}

#[test]
fn only_moderators_pin_and_no_more_than_ten_of_a_page() {
    let mut server = builder(&[]).start();
    for n in 1..=12 {
        post_id(&server, json!({"content": format!("comment {n}"), "key": KEY}));
    }
    let pin =
        |id: u64| admin(&server, "PATCH", &format!("/api/comments/{id}"), json!({"pinned": true}));
    for (headers, code) in [(bearer(KEY), "wrong_token"), (bearer(OTHER_KEY), "wrong_token")] {
        let response = request(&server, "PATCH", "/api/comments/1", &headers, "{\"pinned\":true}");
        assert_eq!(response.json()["code"], code);
    }
    for id in 1..=10 {
        assert_eq!(pin(id).status, 200);
    }
    refused(&pin(11), 409, "pins_full");
    assert_eq!(pin(10).status, 200, "it is pinned already");
    let mut reader = Client::full(&server, "");
    assert_eq!(reader.json()["hello"]["pinned"], json!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]));
    patch(&server, 3, json!({"pinned": false}));
    assert_eq!((&reader.line()["id"], pin(11).status), (&json!(3), 200));
    let line = reader.line();
    assert_eq!((&line["id"], &line["pinned"]), (&json!(11), &json!(true)));
    // What is hidden or deleted is not pinned any more, even if it comes back.
    patch(&server, 1, json!({"status": "hidden"}));
    patch(&server, 1, json!({"status": "public"}));
    request(&server, "DELETE", "/api/comments/2", &bearer(KEY), "");
    let pinned = |server: &Server| get(server, "/api/comments").json()["pinned"].clone();
    assert_eq!(pinned(&server), json!([4, 5, 6, 7, 8, 9, 10, 11]));
    let elsewhere = post_id(&server, json!({"content": "elsewhere", "page": "/b"}));
    patch(&server, elsewhere, json!({"pinned": true}));
    assert_it_stays(&mut server);
}

#[test]
fn a_reason_is_told_to_its_author_alone() {
    let server = builder(&["--hold", "links"]).start();
    let id = post_id(&server, json!({"content": "mine", "key": KEY}));
    let other = post_id(&server, json!({"content": "http://a.example/", "key": KEY}));
    let mut author = Client::full(&server, "");
    author.send(&json!({"key": KEY}));
    author.line();
    let mut stranger = Client::full(&server, "");
    stranger.send(&json!({"key": OTHER_KEY}));
    patch(&server, id, json!({"status": "hidden", "reason": "Off topic"}));
    patch(&server, other, json!({"status": "hidden", "reason": "No links"}));
    let told = |client: &mut Client| loop {
        let message = client.json();
        if message.get("note").is_some() {
            return (message["note"]["id"].clone(), message["note"]["reason"].clone());
        }
    };
    assert_eq!(told(&mut author), (json!(id), json!("Off topic")));
    assert_eq!(told(&mut author), (json!(other), json!("No links")));
    let mut again = Client::full(&server, "");
    again.send(&json!({"key": KEY}));
    assert_eq!([told(&mut again).0, told(&mut again).0], [json!(id), json!(other)]);
    // Elsewhere, nothing is said of this page.
    let mut elsewhere = Client::full(&server, "page=/b");
    elsewhere.send(&json!({"key": KEY}));
    let last = post(&server, &json!({"content": "last"})).json();
    post_id(&server, json!({"content": "last", "page": "/b"}));
    loop {
        let message = stranger.json();
        assert!(message.get("note").is_none(), "{message}");
        if message == last {
            break;
        }
    }
    loop {
        let message = elsewhere.json();
        assert!(message.get("note").is_none(), "{message}");
        if message["content"] == "last" {
            break;
        }
    }
}

#[test]
fn what_a_moderator_says_has_limits() {
    let server = builder(&[]).start();
    post_id(&server, json!({"content": "one", "key": KEY}));
    let hide = |reason: String| {
        admin(&server, "PATCH", "/api/comments/1", json!({"status": "hidden", "reason": reason}))
    };
    let response = hide("ä".repeat(201));
    refused(&response, 400, "text_too_long");
    let error = response.json();
    assert_eq!(
        (&error["field"], &error["characters"], &error["max"]),
        (&json!("reason"), &json!(201), &json!(200))
    );
    refused(&hide("two\nlines".into()), 400, "control_character");
    assert_eq!(hide("ä".repeat(200)).status, 200);
    for (body, code) in [
        (json!({"status": "gone"}), "bad_parameter"),
        (json!({"status": "public", "pinned": true}), "malformed"),
        (json!({"content": "x", "pinned": true}), "malformed"),
        (json!({}), "content_empty"),
    ] {
        refused(&admin(&server, "PATCH", "/api/comments/1", body), 400, code);
    }
}

#[test]
fn an_answer_in_the_sites_name_says_who_has_written_it() {
    let mut server = builder(&["--hold", "all", "--close-after", "1"]).start();
    let first = post_id(&server, json!({"content": "a question", "key": KEY}));
    patch(&server, first, json!({"status": "public"}));
    let mut reader = Client::full(&server, "");
    let body = json!({
        "page": "/", "content": "an answer", "parent": first, "nonce": "0123456789abcdef-answer",
        "name": "Somebody", "key": KEY
    });
    let line = done(&server, "POST", "/api/admin/comments", body.clone(), 201);
    assert_eq!((&line["mod"], &line["parent"]), (&json!("ada"), &json!(first)));
    assert_eq!(
        (&line["name"], &line["author"], &line["status"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(reader.line(), line);
    assert_eq!(done(&server, "POST", "/api/admin/comments", body, 200), line, "the nonce is known");
    let response = admin(&server, "POST", "/api/admin/comments", json!({"content": " "}));
    refused(&response, 400, "content_empty");
    // Nobody else writes in that name.
    let fake = post(&server, &json!({"content": "fake", "mod": "ada", "moderator": "ada"}));
    assert_eq!(fake.json()["mod"], Value::Null);
    let edited =
        patch(&server, line["id"].as_u64().unwrap(), json!({"content": "a better answer"}));
    assert_eq!((&edited["mod"], &edited["mod_edited"]), (&json!("ada"), &Value::Null));
    assert_it_stays(&mut server);
}
