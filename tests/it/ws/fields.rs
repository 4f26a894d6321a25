//! The fields of a message, each at its limit and one past it.

use std::time::Instant;

use serde_json::{Value, json};

use super::{refused, refused_upgrade, says, works};
use crate::support::{
    client::{KEY, bearer, encoded, get, post, request},
    frames::{Client, FIN, SUBPROTOCOL, TEXT, frame},
    server::Server,
};

#[test]
fn content_of_8192_bytes_passes_and_one_byte_more_is_refused() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    for longest in ["x".repeat(8192), "ü".repeat(4096), "\u{1F600}".repeat(2048)] {
        client.send(&json!({ "content": longest }));
        assert_eq!(client.line()["content"], *longest);
        // What is trimmed away doesn't count.
        client.send(&json!({ "content": format!(" \n{longest}\t ") }));
        assert_eq!(client.line()["content"], *longest);
    }
    refused(
        &mut client,
        json!({"content": "x".repeat(8193)}),
        &["content is 8193 bytes, at most 8192 are allowed"],
    );
    refused(
        &mut client,
        json!({"content": "x".repeat(9000)}),
        &["content is 9000 bytes, at most 8192 are allowed"],
    );
    refused(&mut client, json!({"content": "ü".repeat(4096) + "x"}), &["8193", "8192"]);
    for empty in ["", " ", "\n\t \r\n"] {
        refused(&mut client, json!({ "content": empty }), &["content"]);
    }
}

#[test]
fn names_have_64_characters_and_not_65() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    for name in ["n".repeat(64), "ß".repeat(64), "\u{1F600}".repeat(64), "A".into()] {
        client.send(&json!({"content": "x", "name": format!("  {name}\t")}));
        assert_eq!(client.line()["name"], *name);
    }
    for nobody in ["", "   ", "\t"] {
        client.send(&json!({"content": "x", "name": nobody}));
        assert!(client.line().get("name").is_none(), "{nobody:?} is anonymous");
    }
    refused(&mut client, json!({"content": "x", "name": "n".repeat(65)}), &["name", "65", "64"]);
    refused(&mut client, json!({"content": "x", "name": "ß".repeat(65)}), &["name", "65", "64"]);
}

#[test]
fn what_shows_nothing_is_refused_as_a_text_and_as_a_name() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    for nothing in [
        "\u{200b}\u{2060}\u{feff}",
        "\u{3164}\u{115f}",
        "\u{2800}",
        "\u{fe0f}\u{e0041}",
        "\u{202e}\u{2066}",
    ] {
        refused(&mut client, json!({ "content": nothing }), &["content", "visible"]);
        refused(&mut client, json!({"content": "x", "name": nothing}), &["name", "visible"]);
    }
    // References to what shows nothing stay as they were written.
    client.send(&json!({"content": "&#8203;&#x2800;"}));
    assert!(client.line().get("html").is_none());
    for shown in ["-", "\u{2764}\u{fe0f}", "\u{200b}.", "```", "1."] {
        client.send(&json!({"content": shown, "name": "Ada"}));
        assert_eq!(client.line()["content"], shown);
    }
}

#[test]
fn a_name_never_turns_the_direction_of_what_stands_behind_it() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    for (given, kept) in [
        ("Ada\u{202e}moc.live", "Adamoc.live"),
        ("\u{2066}Ada\u{2069}", "Ada"),
        ("\u{200f}Ada \u{200e}", "Ada"),
        ("A\u{200f}da", "A\u{200f}da"),
        ("\u{202b}\u{5d0}\u{202c}", "\u{5d0}"),
    ] {
        client.send(&json!({"content": "x", "name": given}));
        assert_eq!(client.line()["name"], kept, "{}", given.escape_unicode());
    }
}

#[test]
fn a_message_that_names_another_page_is_refused_and_posted_nowhere() {
    let server = Server::start(&[]);
    let mut client = Client::open(&server, "/ws/comments/?page=own", "").unwrap();
    for message in [
        json!({"content": "astray", "page": "other"}),
        json!({"content": "astray", "page": ""}),
        json!({"typing": true, "page": "/"}),
        json!({"key": KEY, "page": "other"}),
    ] {
        refused(&mut client, message, &["page", "socket"]);
    }
    client.send(&json!({"content": "arrived", "page": "own"}));
    assert_eq!(client.line()["content"], "arrived");
    let counts = get(&server, "/api/counts?page=own&page=other&page=/").json();
    assert_eq!(counts, json!({"own": 5, "other": 0, "/": 0}));
}

#[test]
fn a_comment_without_a_key_says_why_nobody_can_change_it() {
    let server = Server::start(&[]);
    let id = post(&server, &json!({"content": "nobody's"})).json()["id"].clone();
    let sentence = format!("comment {id} can't be changed: it was written without a key");
    let mut client = Client::plain(&server);
    for message in [json!({"edit": id, "content": "y", "key": KEY}), json!({ "delete": id })] {
        client.send(&message);
        let error = client.line();
        assert_eq!(
            (&error["error"], &error["code"]),
            (&json!(sentence), &json!("written_without_key"))
        );
    }
    let response = request(&server, "DELETE", &format!("/api/comments/{id}"), &bearer(KEY), "");
    assert_eq!((response.status, response.error()), (403, sentence));
}

#[test]
fn keys_have_16_to_128_bytes() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    for key in ["k".repeat(16), "k".repeat(128), "ü".repeat(8), "ü".repeat(64)] {
        client.send(&json!({"content": "x", "key": key}));
        let line = client.line();
        assert_eq!(line["author"].as_str().map(str::len), Some(22), "{line}");
        assert!(!line.to_string().contains(&key), "a key is never in a line: {line}");
        client.send(&json!({"edit": line["id"], "content": "y", "key": key}));
        assert_eq!(client.line()["content"], "y");
        client.send(&json!({ "key": key }));
        works(&mut client);
    }
    for (key, is) in [
        ("k".repeat(15), "15"),
        ("k".repeat(129), "129"),
        ("ü".repeat(64) + "k", "129"),
        (String::new(), "0"),
    ] {
        let limit = if key.len() < 16 { "16" } else { "128" };
        refused(&mut client, json!({"content": "x", "key": key}), &["key", is, limit]);
        refused(&mut client, json!({ "key": key }), &["key", is, limit]);
        refused(&mut client, json!({"edit": 1, "content": "x", "key": key}), &["key", is, limit]);
        refused(&mut client, json!({"delete": 1, "key": key}), &["key", is, limit]);
    }
}

#[test]
fn the_author_is_the_hash_that_the_contract_says() {
    let server = Server::start(&[]);
    // python3: base64.urlsafe_b64encode(hashlib.sha256(b'sayso author\0' + key).digest()[:16])
    let line = post(&server, &json!({"content": "x", "key": KEY})).json();
    assert_eq!(line["author"], "iBDu8sWvp_EC_okWlvSH0Q");
}

#[test]
fn nonces_have_16_to_64_bytes() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    for nonce in ["n".repeat(16), "n".repeat(64), "ü".repeat(8), "ü".repeat(32)] {
        client.send(&json!({"content": "x", "nonce": nonce}));
        assert_eq!(client.line()["nonce"], *nonce);
    }
    for (nonce, is) in [
        ("n".repeat(15), "15"),
        ("n".repeat(65), "65"),
        ("ü".repeat(32) + "n", "65"),
        (String::new(), "0"),
    ] {
        let limit = if nonce.len() < 16 { "16" } else { "64" };
        client.send(&json!({"content": "x", "nonce": nonce}));
        says(&client.line(), &["nonce", is, limit]);
        works(&mut client);
    }
}

#[test]
fn pages_have_1_to_512_bytes_and_no_control_characters() {
    let server = Server::start(&[]);
    for page in ["p".repeat(512), "ü".repeat(256), "a".into(), "host/path ?&=#%+\"<>".into()] {
        let target = format!("/ws/comments/?page={}", encoded(&page));
        let mut client = Client::open(&server, &target, "").unwrap();
        client.send(&json!({"content": "x"}));
        assert_eq!(client.line()["page"], *page);
    }
    for (page, parts) in [
        ("p".repeat(513), vec!["page", "513", "512"]),
        ("ü".repeat(256) + "p", vec!["page", "513", "512"]),
        (String::new(), vec!["page"]),
        ("a\nb".into(), vec!["page"]),
        ("a\0".into(), vec!["page"]),
        ("\u{7f}".into(), vec!["page"]),
        ("\u{85}".into(), vec!["page"]),
    ] {
        for path in ["/ws/comments/?page=", "/ws/comments/?count="] {
            let response =
                refused_upgrade(&server, &format!("{path}{}", encoded(&page)), SUBPROTOCOL);
            assert_eq!(response.status, 400, "{path}{page:?}");
            says(&response.json(), &parts);
        }
    }
    for broken in ["%", "%4", "%zz", "%ff", "%c3", "%ed%a0%80"] {
        let response = refused_upgrade(&server, &format!("/ws/comments/?page=a{broken}"), "");
        assert_eq!(response.status, 400, "{broken}");
        says(&response.json(), &[]);
    }
}

#[test]
fn last_takes_200_and_not_201() {
    let server = Server::start(&[]);
    let mut writer = Client::plain(&server);
    for n in 1..=201 {
        writer.send(&json!({"content": format!("c{n}")}));
    }
    for _ in 1..=201 {
        writer.line();
    }
    let mut reader = Client::full(&server, "last=200");
    assert_eq!(reader.json()["hello"]["seq"], 201);
    for id in 2..=201 {
        assert_eq!(reader.line()["id"], id);
    }
    for query in ["last=201", "last=18446744073709551616", "last=-1", "last=x", "last=", "last=1.5"]
    {
        let response = refused_upgrade(&server, &format!("/ws/comments/?{query}"), SUBPROTOCOL);
        assert_eq!(response.status, 400, "{query}");
        says(&response.json(), &["last"]);
    }
    let response = refused_upgrade(&server, "/ws/comments/?last=201", "");
    says(&response.json(), &["201", "200"]);
}

#[test]
fn counts_of_100_pages_are_told_and_not_of_101() {
    let server = Server::start(&[]);
    let pages = |count: usize| (0..count).map(|n| format!("&count=p{n}")).collect::<String>();
    let mut counter =
        Client::open(&server, &format!("/ws/comments/?{}", &pages(100)[1..]), SUBPROTOCOL).unwrap();
    let first = counter.json();
    assert_eq!(first["counts"].as_object().map(serde_json::Map::len), Some(100));
    assert!(first["counts"].as_object().unwrap().values().all(|count| *count == 0), "{first}");
    let started = Instant::now();
    for n in 0..100 {
        post(&server, &json!({"content": "x", "page": format!("p{n}")}));
    }
    let (mut told, mut messages) = (0, 0);
    while told < 100 {
        let counts = counter.json()["counts"].as_object().unwrap().clone();
        assert!(counts.values().all(|count| *count == 1), "only what changed: {counts:?}");
        told += counts.len();
        messages += 1;
    }
    // At most one a second from the first post on, however long the posts take.
    assert!(
        messages <= 2 + started.elapsed().as_secs(),
        "{messages} messages in {:?}",
        started.elapsed()
    );
    let response =
        refused_upgrade(&server, &format!("/ws/comments/?{}", &pages(101)[1..]), SUBPROTOCOL);
    assert_eq!(response.status, 400);
    says(&response.json(), &["101", "100"]);
}

#[test]
fn odd_unicode_comes_back_as_it_was_and_control_characters_are_refused() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    let content = "a\u{200b}\u{202e}\u{feff}\u{fffd}\u{10ffff}\u{2028}\u{2029}\n\n\tz";
    client.send(&json!({ "content": content }));
    let text = client.text();
    assert!(!text.bytes().any(|byte| byte < 0x20), "{text:?}");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["content"], content);
    for control in ["\0", "\u{1}", "\u{8}", "\u{1b}", "\u{7f}", "\u{85}", "\u{9f}"] {
        refused(&mut client, json!({ "content": format!("a{control}b") }), &["control"]);
        refused(&mut client, json!({"content": "x", "name": format!("a{control}b")}), &["control"]);
    }
    refused(&mut client, json!({"content": "x", "name": "a\nb"}), &["name"]);
    // Escapes that are no characters.
    for escape in [r"\ud800", r"\udfff\ud800", r"\u12", r"\x41"] {
        client.send_bytes(&frame(FIN | TEXT, format!("{{\"content\":\"{escape}\"}}").as_bytes()));
        says(&client.line(), &[]);
    }
    works(&mut client);
}
