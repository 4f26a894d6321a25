//! What is said back: a sentence to whom it concerns for what is refused, and the line for what is not.

use serde_json::{Value, json};
use tungstenite::Message;

use super::{refused, says, works};
use crate::support::{
    client::{JSON, KEY, OTHER_KEY, get, post, posted, request},
    frames::{Client, FIN, TEXT, frame},
    server::Server,
};

#[test]
fn every_refusal_echoes_the_nonce_and_leaves_the_connection_open() {
    let server = Server::start(&[]);
    let keyless = posted(&server, "without key")["id"].clone();
    let mine = post(&server, &json!({"content": "mine", "key": KEY})).json()["id"].clone();
    let mut client = Client::full(&server, "");
    for (message, parts) in [
        (json!({"content": "x", "parent": 77}), &["77"][..]),
        (json!({"content": "x", "parent": 0}), &["0"]),
        (json!({"content": "x", "parent": -1}), &[]),
        (json!({"content": "x", "parent": "1"}), &[]),
        (json!({"content": "x", "parent": 1.5}), &[]),
        (json!({"content": 5}), &[]),
        (json!({"content": null}), &[]),
        (json!({"content": ["x"]}), &[]),
        (json!({"content": "x", "name": 7}), &[]),
        (json!({"content": "x", "key": 7}), &[]),
        (json!({"edit": mine, "content": "x", "key": OTHER_KEY}), &["another key"]),
        (json!({"edit": mine, "content": "x".repeat(8193), "key": KEY}), &["8193", "8192"]),
        (json!({"edit": mine, "content": " ", "key": KEY}), &["content"]),
        (json!({"edit": mine, "key": KEY}), &["content"]),
        (json!({"edit": mine, "content": "x"}), &["key"]),
        (json!({"edit": keyless, "content": "x", "key": KEY}), &["key"]),
        (json!({"edit": 77, "content": "x", "key": KEY}), &["77"]),
        (json!({"edit": 0, "content": "x", "key": KEY}), &["0"]),
        (json!({"edit": u64::MAX, "content": "x", "key": KEY}), &["18446744073709551615"]),
        (json!({"delete": mine, "key": OTHER_KEY}), &["another key"]),
        (json!({ "delete": mine }), &["key"]),
        (json!({"delete": keyless, "key": KEY}), &["key"]),
        (json!({"delete": 77, "key": KEY}), &["77"]),
        (json!({"typing": "yes"}), &[]),
        (json!({}), &[]),
    ] {
        refused(&mut client, message, parts);
    }
    let history = get(&server, "/api/comments").json();
    for comment in history["comments"].as_array().unwrap() {
        assert!(
            comment.get("edited_at").is_none() && comment.get("deleted").is_none(),
            "{comment}"
        );
    }
}

#[test]
fn an_error_stays_a_sentence_however_long_what_it_is_about() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    // Six bytes each where it is quoted, and where JSON has to escape it.
    let (quoted, escaped) = ("\u{7f}".repeat(60_000), "\u{1}".repeat(60_000));
    for (message, part) in [
        (format!("{{\"edit\":\"{quoted}\"}}"), "expected u64 at line 1 column 60010"),
        (format!("{{\"content\":\"x\",\"nonce\":\"{quoted}\"}}"), "nonce is 60000 bytes"),
        (format!("{{\"nonce\":\"{escaped}\"}}"), "control character"),
    ] {
        client.socket.send(Message::text(message)).unwrap();
        let error = client.text();
        assert!(error.len() < 1_000, "{} bytes of error", error.len());
        says(&serde_json::from_str(&error).unwrap(), &[part]);
    }
    works(&mut client);
}

#[test]
fn json_nested_100_000_deep_is_a_sentence_or_too_long_and_never_a_crash() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    for opening in ["[", "{\"a\":", "{\"content\":[", "{\"content\":\"x\",\"other\":["] {
        let tail = if opening.ends_with('[') { "[" } else { "{\"a\":" };
        let open = opening.to_owned() + &tail.repeat((65_000 - opening.len()) / tail.len());
        client.send_bytes(&frame(FIN | TEXT, open.as_bytes()));
        says(&client.line(), &[]);
        works(&mut client);
        let response = request(&server, "POST", "/api/comments", JSON, &open);
        assert_eq!(response.status, 400, "{opening}");
        assert!(response.error().len() < 300, "{}", response.error().len());
    }
    let closed = "[".repeat(30_000) + &"]".repeat(30_000);
    let message = format!("{{\"content\":\"x\",\"other\":{closed}}}");
    client.send_bytes(&frame(FIN | TEXT, message.as_bytes()));
    client.line();
    works(&mut client);
    client.send_bytes(&frame(FIN | TEXT, "[".repeat(100_000).as_bytes()));
    assert_eq!(client.close_code(), Some(1009));
    let deep = "[".repeat(100_000);
    let response = request(&server, "POST", "/api/comments", JSON, &deep);
    assert_eq!(response.status, 413);
}

#[test]
fn deep_markup_is_stored_as_it_was_written_and_the_server_goes_on() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    for part in [
        "> ", "- ", "*", "**a ", "[", "![", "(", "`", "<", "&", "[a](", "1. ", "_a", "\\", "|",
        "~", "[^1]", "\n#", "    ",
    ] {
        let content = part.repeat(8_192 / part.len()) + "";
        client.send(&json!({"content": format!("x{}", &content[..content.len() - part.len()])}));
        let line = client.line();
        assert!(
            line["content"].as_str().is_some_and(|content| content.starts_with('x')),
            "{part:?}: {line}"
        );
        let html = line["html"].as_str().unwrap_or_default();
        assert!(html.len() <= 32 * 1024, "{part:?} makes {} bytes", html.len());
    }
    let quoted = "> ".repeat(40) + "deep";
    client.send(&json!({ "content": quoted }));
    let line = client.line();
    let levels = line["html"].as_str().unwrap_or_default().matches("<blockquote>").count();
    assert!(levels <= 16, "{levels} levels: {line}");
    assert_eq!(line["content"], quoted.trim());
}

#[test]
fn a_known_nonce_is_answered_to_its_sender_only_with_the_present_line() {
    let server = Server::start(&[]);
    let mut author = Client::full(&server, "");
    let mut reader = Client::full(&server, "");
    let first = json!({"content": "once", "key": KEY, "nonce": "nonce-of-a-comment"});
    author.send(&first);
    let line = author.line();
    assert_eq!(reader.line(), line);
    author.send(&first);
    assert_eq!(author.line(), line);
    author.send(&json!({"edit": line["id"], "content": "edited", "key": KEY}));
    let edited = author.line();
    assert_eq!(reader.line(), edited, "nothing between them");
    author.send(&json!({"content": "something else", "nonce": "nonce-of-a-comment"}));
    assert_eq!(author.line(), edited);
    author.send(&json!({"delete": line["id"], "key": KEY}));
    let tombstone = author.line();
    assert_eq!(reader.line(), tombstone, "nothing between them");
    author.send(&first);
    assert_eq!(author.line(), tombstone);
    assert_eq!(post(&server, &first).json(), tombstone);
    // Two of one nonce in one write, from two connections: one comment.
    let twin = json!({"content": "twin", "nonce": "nonce-of-the-twins"});
    let both = frame(FIN | TEXT, twin.to_string().as_bytes()).repeat(2);
    author.send_bytes(&both);
    reader.send_bytes(&both);
    let twins: Vec<Value> = (0..2).map(|_| author.line()).collect();
    assert_eq!(twins[0], twins[1]);
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 1}));
}

#[test]
fn a_change_is_acknowledged_or_refused_from_whichever_page_it_comes() {
    let server = Server::start(&[]);
    let line = post(&server, &json!({"content": "first", "key": KEY, "page": "a"})).json();
    let mut elsewhere = Client::full(&server, "page=b");
    elsewhere.send(&json!({"edit": line["id"], "content": "second", "key": KEY}));
    elsewhere.send(&json!({"content": "on b"}));
    let first = elsewhere.line();
    let acknowledged = first["content"] == "second" || first.get("error").is_some();
    assert!(acknowledged, "the edit is passed over in silence: {first}");
    assert_eq!(elsewhere.line()["content"], "on b");
}
