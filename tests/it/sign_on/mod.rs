//! Users whom a host page signs: who they are to sayso, what they and their moderators may do, and who is refused.

mod authors;
mod moderators;
mod refusals;
mod secrets;
mod snippets;

use std::time::{SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use sayso::util::hmac::hmac_sha256;
use serde_json::{Value, json};

use crate::support::{
    client::{JSON, Response, request},
    server::{Builder, Server},
};

const SECRET: &str = "a-secret-of-the-host-page-and-of-sayso-and-nobody-else";
const OTHER_SECRET: &str = "another-secret-which-is-as-long-as-the-first-one-is-or-so";
const SITE: &str = "https://blog.example";
const HOUR: u64 = 3_600;

fn builder(flags: &[&str]) -> Builder {
    Server::builder().sign_on_file(SECRET).flags(&["--allow-origin", SITE]).flags(flags)
}

fn in_an_hour() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + HOUR
}

/// What a host page signs about a user that is called as its id.
fn claims(id: &str) -> Value {
    json!({"id": id, "name": id, "site": SITE, "until": in_an_hour()})
}

fn sign_with(secret: &str, claims: &Value) -> String {
    let text = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    let mac = hmac_sha256(secret.as_bytes(), &[text.as_bytes()]);
    let digits: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{text}.{digits}")
}

/// A user as the host page signs it.
fn user(id: &str) -> String {
    sign_with(SECRET, &claims(id))
}

fn moderator(id: &str) -> String {
    let mut claims = claims(id);
    claims["moderator"] = true.into();
    sign_with(SECRET, &claims)
}

/// Header lines of a JSON request by a page of the site.
fn from_site() -> String {
    format!("Origin: {SITE}\r\n{JSON}")
}

/// The same, of this user.
fn signed(user: &str) -> String {
    format!("Authorization: Sayso {user}\r\n{}", from_site())
}

/// A request of this user. `null` is no body.
fn ask(server: &Server, user: &str, method: &str, target: &str, body: Value) -> Response {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    request(server, method, target, &signed(user), &body)
}

#[track_caller]
fn done(server: &Server, user: &str, method: &str, target: &str, body: Value) -> Value {
    let response = ask(server, user, method, target, body);
    assert!(matches!(response.status, 200..=202), "{method} {target}: {response:?}");
    response.json()
}

/// A post of this user, which must succeed.
#[track_caller]
fn say(server: &Server, user: &str, content: &str) -> Value {
    done(server, user, "POST", "/api/comments", json!({ "content": content }))
}

#[track_caller]
fn id(line: &Value) -> u64 {
    line["id"].as_u64().unwrap_or_else(|| panic!("{line}"))
}

#[track_caller]
fn refused(response: &Response, status: u16, code: &str) {
    assert_eq!((response.status, &response.json()["code"]), (status, &code.into()), "{response:?}");
}
