//! Users that are not taken, each with a sentence, and what that costs whom.

use serde_json::{Value, json};

use super::{
    HOUR, OTHER_SECRET, SECRET, SITE, ask, builder, claims, from_site, id, in_an_hour, refused,
    say, sign_with, user,
};
use crate::support::{
    client::{Connection, JSON, Response, TOKEN, bearer, check_sentence, request},
    frames::Client,
    server::Server,
};

/// A post on a connection that is kept alive.
fn post_on(connection: &mut Connection, host: &str, user: &str) -> Response {
    let body = json!({"content": "x", "user": user}).to_string();
    let length = body.len();
    let headers = from_site();
    connection.exchange(format!(
        "POST /api/comments HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    ))
}

#[test]
fn each_changed_byte_and_each_shortened_user_is_refused() {
    let server = builder(&[]).start();
    let (mut connection, host) = (server.connection(), server.address.to_string());
    let good = user("Ada");
    let mut try_user = |user: &str| {
        let response = post_on(&mut connection, &host, user);
        let code = response.json()["code"].as_str().unwrap_or_default().to_owned();
        assert!(matches!(&*code, "user_forged" | "user_malformed"), "{user}: {response:?}");
        check_sentence(&response.error(), &["user"]);
    };
    for at in 0..good.len() {
        for bit in [0, 5] {
            let mut bytes = good.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            try_user(&String::from_utf8(bytes).unwrap());
        }
        try_user(&good[..at]);
    }
    assert_eq!(post_on(&mut connection, &host, &good).status, 201);
    assert_eq!(server.log_text().lines().count(), 2);
}

/// Users that are not taken, each with status, code and parts of the sentence.
fn bad_users() -> Vec<(String, u16, &'static str, Vec<&'static str>)> {
    let with = |field: &str, value: Value| {
        let mut claims = claims("Ada");
        claims[field] = value;
        sign_with(SECRET, &claims)
    };
    let now = in_an_hour() - HOUR;
    vec![
        (with("until", (now - 1).into()), 403, "user_expired", vec!["until", "and it is"]),
        (with("until", 0.into()), 403, "user_expired", vec!["until 1970-01-01T00:00:00.000Z"]),
        (with("until", (now + 25 * HOUR).into()), 400, "user_too_far_ahead", vec!["24 h"]),
        (
            with("site", "https://other.example".into()),
            403,
            "user_of_other_site",
            vec!["https://other.example", SITE],
        ),
        (sign_with(OTHER_SECRET, &claims("Ada")), 403, "user_forged", vec!["--sign-on-file"]),
        ("x".repeat(3 * 1024), 400, "user_malformed", vec!["3072 bytes", "2048"]),
        (with("id", "".into()), 400, "user_malformed", vec!["id is 0 bytes", "1 to 128"]),
        (with("name", " ".into()), 400, "user_malformed", vec!["name is empty"]),
        (with("moderator", "yes".into()), 400, "user_malformed", vec!["boolean"]),
        (String::new(), 400, "user_malformed", vec!["64 lower-case hexadecimal digits"]),
    ]
}

#[test]
fn a_user_that_is_not_taken_is_refused_the_same_everywhere_and_changes_nothing() {
    let server = builder(&[]).moderator(TOKEN).start();
    say(&server, &user("Ada"), "first");
    let before = server.log_bytes();
    let mut client =
        Client::open(&server, "/ws/comments/", &format!("Origin: {SITE}\r\n")).unwrap();
    for (user, status, code, parts) in bad_users() {
        for (method, target, body) in [
            ("POST", "/api/comments", json!({"content": "x"})),
            ("PATCH", "/api/comments/1", json!({"content": "x"})),
            ("PATCH", "/api/comments/1", json!({"status": "hidden"})),
            ("DELETE", "/api/comments/1", Value::Null),
            ("POST", "/api/comments/1/like", json!({"on": true})),
            ("POST", "/api/comments/1/flag", Value::Null),
            ("GET", "/api/mine", Value::Null),
            ("DELETE", "/api/mine", Value::Null),
            ("GET", "/api/user", Value::Null),
        ] {
            let response = ask(&server, &user, method, target, body);
            refused(&response, status, code);
            check_sentence(&response.error(), &parts);
        }
        for mut message in [
            json!({"content": "x"}),
            json!({"edit": 1, "content": "x"}),
            json!({"delete": 1}),
            json!({"like": 1, "on": true}),
            json!({"flag": 1}),
            json!({}),
        ] {
            message["user"] = user.clone().into();
            message["nonce"] = "4f1c6d0be2a94f07".into();
            client.send(&message);
            let error = client.line();
            // More messages than posts are limited in a second, but a user is looked at first.
            assert_eq!(error["code"], code, "{message}: {error}");
            assert_eq!(error["nonce"], "4f1c6d0be2a94f07");
        }
    }
    assert_eq!(server.log_bytes(), before);
}

#[test]
fn a_user_needs_an_origin_which_the_sentence_names() {
    let server = builder(&[]).start();
    let body = json!({"content": "x", "user": user("Ada")});
    let response = request(&server, "POST", "/api/comments", JSON, &body.to_string());
    refused(&response, 403, "user_of_other_site");
    check_sentence(
        &response.error(),
        &["does not say which site", "send Origin: https://blog.example"],
    );
    let mut client = Client::plain(&server);
    client.send(&body);
    assert_eq!(client.line()["error"], response.error());
}

#[test]
fn a_site_that_may_not_embed_comments_can_not_sign_for_itself() {
    let server = builder(&[]).start();
    let mut claims = claims("Ada");
    claims["site"] = "https://evil.example".into();
    let user = sign_with(SECRET, &claims);
    let headers = format!("Authorization: Sayso {user}\r\nOrigin: https://evil.example\r\n{JSON}");
    for (method, target) in [("POST", "/api/comments"), ("GET", "/api/user"), ("GET", "/api/mine")]
    {
        refused(&request(&server, method, target, &headers, "{}"), 403, "origin_not_allowed");
    }
}

#[test]
fn without_a_secret_a_user_is_refused_and_never_taken_for_nobody() {
    let server = Server::start(&["--allow-origin", SITE]);
    let response = ask(&server, &user("Ada"), "POST", "/api/comments", json!({"content": "x"}));
    refused(&response, 400, "no_sign_on");
    check_sentence(&response.error(), &["--sign-on-file"]);
    let mut client = Client::plain(&server);
    client.send(&json!({"content": "x", "user": user("Ada")}));
    assert_eq!(client.line()["code"], "no_sign_on");
    assert_eq!(server.log_text().lines().count(), 1);
}

#[test]
fn forged_users_cost_the_author_nothing_and_count_as_no_tokens() {
    let server = builder(&["--rate", "1/600"]).moderator(TOKEN).start();
    let forged = sign_with(OTHER_SECRET, &claims("Ada"));
    for _ in 0..30 {
        let response = ask(&server, &forged, "POST", "/api/comments", json!({"content": "x"}));
        refused(&response, 403, "user_forged");
    }
    let first = id(&say(&server, &user("Ada"), "the bucket is full"));
    let target = format!("/api/comments/{first}");
    for _ in 0..30 {
        let hide = json!({"status": "hidden"});
        refused(&ask(&server, &forged, "PATCH", &target, hide), 403, "user_forged");
    }
    let hide = json!({"status": "hidden"}).to_string();
    let hidden = request(&server, "PATCH", &target, &bearer(TOKEN), &hide);
    assert_eq!(hidden.status, 200, "the address may still show a token: {hidden:?}");
}
