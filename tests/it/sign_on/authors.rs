//! What a signed user is as an author.

use serde_json::{Value, json};

use super::{
    SITE, ask, builder, claims, done, from_site, id, moderator, refused, say, sign_with, signed,
    user,
};
use crate::support::{
    client::{JSON, KEY, TOKEN, bearer, get, post, request},
    frames::{Client, SUBPROTOCOL},
    server::Server,
};

/// A WebSocket opened by a page of the site.
fn socket(server: &Server) -> Client {
    let headers = format!("{SUBPROTOCOL}Origin: {SITE}\r\n");
    Client::open(server, "/ws/comments/", &headers).unwrap()
}

/// The next message with this field.
fn next_with(client: &mut Client, field: &str) -> Value {
    loop {
        let message = client.json();
        if message.get(field).is_some() {
            return message;
        }
    }
}

#[test]
fn a_signed_user_is_the_same_verified_author_however_the_user_comes() {
    let server = builder(&[]).start();
    let ada = user("Ada");
    let in_header = say(&server, &ada, "in the header");
    let body = json!({"content": "in the body", "user": ada, "name": "Eve", "key": KEY});
    let in_body = request(&server, "POST", "/api/comments", &from_site(), &body.to_string()).json();
    let mut client = socket(&server);
    client.send(&json!({"content": "in a message", "user": ada, "name": "Eve", "key": KEY}));
    let in_message = client.line();
    for line in [&in_header, &in_body, &in_message] {
        assert_eq!(line["name"], "Ada", "{line}");
        assert_eq!(line["verified"], true, "{line}");
        assert_eq!(line["author"], in_header["author"], "{line}");
    }
    let known = done(&server, &ada, "GET", "/api/user", Value::Null);
    assert_eq!(known["user"]["author"], in_header["author"]);
    assert_ne!(say(&server, &user("Bob"), "another")["author"], in_header["author"]);
    let unsigned = post(&server, &json!({"content": "x", "name": "Ada", "verified": true})).json();
    assert_eq!((&unsigned["name"], unsigned.get("verified")), (&json!("Ada"), None));
    assert!(server.log_text().contains(",\"verified\":true,\"crc\":"));
}

#[test]
fn a_new_name_is_that_of_new_comments_and_the_author_stays() {
    let server = builder(&[]).start();
    let mut renamed = claims("Ada");
    renamed["name"] = "Countess of Lovelace".into();
    let first = say(&server, &user("Ada"), "first");
    let second = say(&server, &sign_with(super::SECRET, &renamed), "second");
    assert_eq!(first["author"], second["author"]);
    let history = get(&server, "/api/comments").json();
    assert_eq!(history["comments"][0]["name"], "Ada");
    assert_eq!(history["comments"][1]["name"], "Countess of Lovelace");
}

#[test]
fn a_verified_comment_stays_so_through_edits_of_its_author_and_of_nobody_else() {
    let server = builder(&[]).moderator(TOKEN).start();
    let (ada, bob) = (user("Ada"), user("Bob"));
    let comment = id(&say(&server, &ada, "first"));
    let target = format!("/api/comments/{comment}");
    let edited = done(&server, &ada, "PATCH", &target, json!({"content": "second"}));
    assert_eq!((&edited["verified"], &edited["name"]), (&json!(true), &json!("Ada")));
    let text = json!({"content": "third"}).to_string();
    refused(&request(&server, "PATCH", &target, &signed(&bob), &text), 403, "not_author");
    refused(&request(&server, "PATCH", &target, &bearer(KEY), &text), 403, "not_author");
    let with_key = json!({"content": "third", "key": edited["author"]}).to_string();
    refused(&request(&server, "PATCH", &target, JSON, &with_key), 403, "not_author");
    let by_moderator = request(&server, "PATCH", &target, &bearer(TOKEN), &text).json();
    assert_eq!(by_moderator["verified"], true);
    assert_eq!(by_moderator["mod_edited"], true);
    let mut client = socket(&server);
    client.send(&json!({"edit": comment, "content": "fourth", "user": bob}));
    assert_eq!(client.line()["code"], "not_author");
    client.send(&json!({"edit": comment, "content": "fourth", "user": ada}));
    let line = client.line();
    assert_eq!((&line["content"], &line["verified"]), (&json!("fourth"), &json!(true)));
    client.send(&json!({"delete": comment, "user": ada}));
    let tombstone = client.line();
    assert_eq!((&tombstone["deleted"], tombstone.get("verified")), (&json!(true), None));
}

#[test]
fn a_comment_with_a_key_is_never_made_verified() {
    let server = builder(&[]).start();
    let keyed = post(&server, &json!({"content": "mine", "key": KEY, "name": "Ada"})).json();
    let target = format!("/api/comments/{}", id(&keyed));
    let claim = json!({"content": "better", "verified": true, "key": KEY, "user": user("Ada")});
    let stolen = request(&server, "PATCH", &target, &from_site(), &claim.to_string());
    refused(&stolen, 403, "not_author");
    let claim = json!({"content": "better", "verified": true, "key": KEY}).to_string();
    let edited = request(&server, "PATCH", &target, &bearer(KEY), &claim);
    assert_eq!((edited.status, edited.json().get("verified")), (200, None), "{edited:?}");
    assert!(!server.log_text().contains("verified"));
}

#[test]
fn likes_flags_and_ones_own_comments_are_the_signed_users() {
    let server = builder(&["--flags-hold", "2"]).moderator(TOKEN).start();
    let (ada, bob) = (user("Ada"), user("Bob"));
    let comment = id(&say(&server, &ada, "first"));
    let like = format!("/api/comments/{comment}/like");
    for _ in 0..2 {
        let likes = done(&server, &bob, "POST", &like, json!({"on": true}));
        assert_eq!(likes["likes"][comment.to_string()], 1, "one like of one user");
    }
    let flag = format!("/api/comments/{comment}/flag");
    for _ in 0..2 {
        assert_eq!(ask(&server, &bob, "POST", &flag, Value::Null).status, 204);
    }
    let shown = get(&server, "/api/comments").json();
    assert_eq!(shown["comments"][0]["content"], "first", "two flags of one user are one");
    let mut client = socket(&server);
    client.send(&json!({"like": comment, "on": true, "user": ada}));
    assert_eq!(next_with(&mut client, "likes")["likes"][comment.to_string()], 2);
    client.send(&json!({"flag": comment, "user": bob}));
    assert_eq!(next_with(&mut client, "flagged")["flagged"], comment);

    let mine = done(&server, &ada, "GET", "/api/mine", Value::Null);
    assert_eq!(mine["comments"][0]["id"], comment);
    let theirs = done(&server, &bob, "GET", "/api/mine", Value::Null);
    assert_eq!(theirs["comments"], json!([]));
    assert_eq!(done(&server, &bob, "DELETE", "/api/mine", Value::Null)["deleted"], 0);
    assert_eq!(done(&server, &ada, "DELETE", "/api/mine", Value::Null)["deleted"], 1);
}

#[test]
fn rates_holds_and_bans_are_for_a_signed_user_as_for_any_author() {
    let server = builder(&["--hold", "new", "--rate", "3/600"]).moderator(TOKEN).start();
    let ada = user("Ada");
    // From three addresses, so that only the author's bucket is empty.
    let post = |n: u32| {
        let headers = format!("X-Forwarded-For: 192.0.2.{n}\r\n{}", signed(&ada));
        let body = json!({"content": format!("comment {n}")}).to_string();
        request(&server, "POST", "/api/comments", &headers, &body)
    };
    let held = post(1);
    assert_eq!(held.status, 202, "{held:?}");
    let target = format!("/api/comments/{}", id(&held.json()));
    let approve = json!({"status": "public"}).to_string();
    assert_eq!(request(&server, "PATCH", &target, &bearer(TOKEN), &approve).status, 200);
    assert_eq!(post(2).status, 201, "who was approved once is known");
    assert_eq!(post(3).status, 201);
    refused(&post(4), 429, "too_fast");
    let ban = json!({"author": held.json()["author"], "seconds": 60}).to_string();
    assert_eq!(request(&server, "POST", "/api/admin/bans", &bearer(TOKEN), &ban).status, 201);
    refused(&post(5), 429, "too_fast");
    let like = ask(&server, &ada, "POST", &format!("{target}/like"), json!({"on": true}));
    refused(&like, 403, "banned");
    assert_eq!(ask(&server, &ada, "DELETE", &target, Value::Null).status, 200, "one's own");
}

#[test]
fn a_socket_that_shows_its_user_is_told_who_that_is_and_gets_what_waits() {
    let server = builder(&["--hold", "all"]).moderator(TOKEN).start();
    let (ada, bob) = (user("Ada"), moderator("Bob"));
    let held = say(&server, &ada, "waits");
    let mut client = socket(&server);
    client.send(&json!({ "user": ada }));
    let told = next_with(&mut client, "user");
    let expected = done(&server, &ada, "GET", "/api/user", Value::Null);
    assert_eq!(told, expected);
    assert_eq!(told["user"]["name"], "Ada");
    assert_eq!(told["user"]["author"], held["author"]);
    assert_eq!(client.line()["content"], "waits");
    let target = format!("/api/comments/{}", id(&held));
    let hide = json!({"status": "hidden", "reason": "off topic"}).to_string();
    assert_eq!(request(&server, "PATCH", &target, &bearer(TOKEN), &hide).status, 200);
    assert_eq!(next_with(&mut client, "note")["note"]["reason"], "off topic");
    let mut other = socket(&server);
    other.send(&json!({ "user": bob }));
    assert_eq!(next_with(&mut other, "user")["user"]["moderator"], true);
    say(&server, &bob, "theirs waits too");
    assert_eq!(other.line()["content"], "theirs waits too", "Ada's is not shown to Bob");
}

#[test]
fn a_page_of_saysos_own_origin_needs_no_origin_where_the_browser_sends_none() {
    let server = builder(&[]).start();
    let own = format!("http://{}", server.address);
    let mut claims = claims("Ada");
    claims["site"] = own.into();
    let user = sign_with(super::SECRET, &claims);
    for (fetch_site, status) in [("same-origin", 200), ("none", 403), ("same-site", 403)] {
        let headers = format!("Authorization: Sayso {user}\r\nSec-Fetch-Site: {fetch_site}\r\n");
        let response = request(&server, "GET", "/api/user", &headers, "");
        assert_eq!(response.status, status, "{response:?}");
        assert_eq!(response.header("cache-control").as_deref(), Some("no-store"));
    }
}

#[cfg(feature = "exchange")]
#[test]
fn no_other_comment_systems_verified_user_is_one_here() {
    let server = builder(&[]).start();
    let file = server.data().parent().unwrap().join("export.jsonl");
    let export = crate::import::sample("remark42.jsonl");
    let claims =
        [("\"verified\":false", "\"verified\":true"), ("{\"id\":", "{\"verified\":true,\"id\":")];
    let export = claims.iter().fold(export, |text, (find, put)| text.replace(find, put));
    std::fs::write(&file, export).unwrap();
    let arguments = ["import", "--from", "remark42", "--only", "blog", file.to_str().unwrap()];
    let output = server.run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let log = server.log_text();
    assert!(log.contains("\"imported\":\"remark42\""), "{log}");
    assert!(!log.contains("verified"), "{log}");
}
