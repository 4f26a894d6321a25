//! What moderators do, over HTTP and their WebSocket, and what readers notice of it.

mod access;
mod bans;
mod decisions;
mod durability;
mod flags;
mod full;
mod lists;
mod pages;
mod socket;

use serde_json::Value;

use crate::support::{
    client::{Response, TOKEN, bearer, post, request},
    server::{Builder, Server},
};

/// The moderator's name.
const NAME: &str = "ada";

/// A server with a moderator.
fn builder(flags: &[&str]) -> Builder {
    Server::builder().token_file(&format!("{NAME} {TOKEN}\n")).flags(flags)
}

/// A request with the moderator's token. `null` is no body.
fn admin(server: &Server, method: &str, path: &str, body: Value) -> Response {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    request(server, method, path, &bearer(TOKEN), &body)
}

/// The same, which must succeed with this status.
#[track_caller]
fn done(server: &Server, method: &str, path: &str, body: Value, status: u16) -> Value {
    let response = admin(server, method, path, body);
    assert_eq!(response.status, status, "{method} {path}: {response:?}");
    response.json()
}

#[track_caller]
fn patch(server: &Server, id: u64, body: Value) -> Value {
    done(server, "PATCH", &format!("/api/comments/{id}"), body, 200)
}

/// What moderators find.
#[track_caller]
fn found(server: &Server, query: &str) -> Value {
    done(server, "GET", &format!("/api/admin/comments?{query}"), Value::Null, 200)
}

/// The ids of what moderators find.
#[track_caller]
fn ids(server: &Server, query: &str) -> Vec<u64> {
    let found = found(server, query);
    found["comments"].as_array().unwrap().iter().map(|line| line["id"].as_u64().unwrap()).collect()
}

/// A post, and its id.
#[track_caller]
fn post_id(server: &Server, body: Value) -> u64 {
    let response = post(server, &body);
    assert!(matches!(response.status, 201 | 202), "{response:?}");
    response.json()["id"].as_u64().unwrap()
}

/// Asserts that a response is an error with this status and code.
#[track_caller]
fn refused(response: &Response, status: u16, code: &str) {
    assert_eq!((response.status, &response.json()["code"]), (status, &code.into()), "{response:?}");
}
