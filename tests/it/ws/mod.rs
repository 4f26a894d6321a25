//! The WebSocket at its limits.

mod fields;
mod frames;
mod handshake;
mod messages;
mod moderation;
mod readers;

use serde_json::{Value, json};

use crate::support::{
    client::{Response, check_sentence},
    frames::Client,
    server::Server,
};

/// Checks that an error is one sentence with these parts, and gives its nonce.
fn says(error: &Value, parts: &[&str]) -> Value {
    let sentence = error["error"].as_str().unwrap_or_else(|| panic!("no error: {error}"));
    check_sentence(sentence, parts);
    assert!(!sentence.starts_with(|first: char| first.is_uppercase()), "{sentence:?}");
    error["nonce"].clone()
}

/// Sends what must be refused with a sentence that has these parts and echoes the nonce; then the connection still works.
fn refused(client: &mut Client, mut message: Value, parts: &[&str]) {
    let nonce = format!("refused-{:016x}", message.to_string().len());
    message["nonce"] = json!(nonce);
    client.send(&message);
    assert_eq!(says(&client.line(), parts), nonce, "the error of {message} echoes its nonce");
    works(client);
}

/// The connection takes a comment and gives its line back as the next thing it says about comments.
fn works(client: &mut Client) {
    client.send(&json!({"content": "still here"}));
    assert_eq!(client.line()["content"], "still here");
}

/// Asks for a WebSocket in a way that must be refused.
fn refused_upgrade(server: &Server, target: &str, headers: &str) -> Response {
    Client::open(server, target, headers).err().unwrap_or_else(|| panic!("{target} is upgraded"))
}
