//! What the log says of clients and moderators, and what it never says.

use serde_json::{Value, json};

use super::support::{
    client::{JSON, KEY, OTHER_KEY, TOKEN, bearer, post, posted, request},
    frames::Client,
    server::Server,
};

const ADDRESS: &str = "203.0.113.77";

/// Does one of everything that is worth a line, as a client behind a proxy, and returns what the server has logged.
fn log_of(flags: &[&str]) -> String {
    let flags = [&["--hold", "links"], flags].concat();
    let mut server = Server::builder().moderator(TOKEN).flags(&flags).shell("").start();
    let from = format!("X-Forwarded-For: {ADDRESS}\r\n");
    let id = posted(&server, "first")["id"].clone();
    let path = format!("/api/comments/{id}");
    let mut client = Client::open(&server, "/ws/comments/", &from).unwrap();
    client.send(&json!({"content": "x", "parent": 99}));
    assert_eq!(client.line()["code"], "unknown_parent");
    client.send(&json!({"content": "x", "key": "short"}));
    assert_eq!(client.line()["code"], "key_length");
    client.send(&json!({"content": "see https://spam.example"}));
    let held = client.line()["id"].clone();
    for (method, path, headers, body, status) in [
        ("POST", "/api/comments", JSON, "{\"content\":\"\"}", 400),
        ("POST", "/api/comments", JSON, "{\"content\":\"\"}", 400),
        ("PATCH", &path, &bearer("wrong"), "{\"status\":\"hidden\"}", 401),
        ("PATCH", &path, &bearer(TOKEN), "{\"status\":\"hidden\"}", 200),
        ("PATCH", &path, &bearer(TOKEN), "{\"status\":\"public\"}", 200),
        ("DELETE", &path, &bearer(TOKEN), "", 200),
        ("GET", "/wp-login.php", "", "", 404),
    ] {
        let response = request(&server, method, path, &format!("{from}{headers}"), body);
        assert_eq!(response.status, status, "{response:?}");
    }
    let log_before_stop = server.stderr();
    assert!(log_before_stop.contains(&format!("comment {held} waits for a moderator")));
    assert!(server.stop().success());
    let log = server.stderr();
    for said in [
        "refused with unknown_parent",
        "refused with key_length",
        "refused with content_empty",
        "refused a wrong token",
        &format!("moderator hid comment {id}"),
        &format!("moderator published comment {id}"),
        &format!("moderator deleted comment {id}"),
    ] {
        assert!(log.contains(said), "{said:?} is not in:\n{log}");
    }
    for secret in [TOKEN, "short", "spam.example", "wp-login"] {
        assert!(!log.contains(secret), "{secret:?} is in:\n{log}");
    }
    log
}

#[test]
fn the_log_says_what_was_refused_held_and_moderated_and_names_no_address() {
    let log = log_of(&[]);
    assert!(!log.contains(ADDRESS), "{log}");
}

#[test]
fn the_log_names_addresses_only_if_asked_to() {
    let log = log_of(&["--log-addresses"]);
    for said in ["refused with unknown_parent", "refused a wrong token", "waits for a moderator"] {
        let line = log.lines().find(|line| line.contains(said)).unwrap();
        assert!(line.contains(&format!(", from {ADDRESS}")), "{line}");
    }
}

#[test]
fn a_thousand_refusals_of_one_kind_are_a_line_a_second() {
    let mut server = Server::builder().shell("").start();
    let started = std::time::Instant::now();
    for _ in 0..1_000 {
        assert_eq!(post(&server, &json!({"content": ""})).status, 400);
    }
    let seconds = started.elapsed().as_secs() as usize;
    assert!(server.stop().success());
    let log = server.stderr();
    let lines = log.matches("refused with content_empty").count();
    assert!((1..=seconds + 2).contains(&lines), "{lines} lines in {seconds} s:\n{log}");
}

#[test]
fn a_wrong_token_is_401_whatever_its_length_and_another_authors_key_403() {
    let server = Server::builder().moderator(TOKEN).start();
    let id = post(&server, &json!({"content": "mine", "key": KEY})).json()["id"].clone();
    let path = format!("/api/comments/{id}");
    let long = "x".repeat(1_000);
    // Each token comes from an address of its own, since ten wrong ones from one are too many.
    let send = |method: &str, bearer_token: &str, body: &str| {
        let from = format!("X-Forwarded-For: 192.0.2.{}\r\n", bearer_token.len() % 256);
        request(&server, method, &path, &format!("{from}{}", bearer(bearer_token)), body)
    };
    for token in ["x", KEY, OTHER_KEY, &TOKEN[1..], &long] {
        let response = send("PATCH", token, "{\"status\":\"hidden\"}");
        assert_eq!((response.status, &*response.error()), (401, "wrong token"), "{token}");
        assert_eq!(response.header("www-authenticate").as_deref(), Some("Bearer"));
    }
    for token in ["x", OTHER_KEY, &TOKEN[1..], &long] {
        for (method, body) in [("PATCH", "{\"content\":\"theirs\"}"), ("DELETE", "")] {
            let response = send(method, token, body);
            assert_eq!((response.status, &response.json()["code"]), (403, &json!("not_author")));
        }
    }
    let without = request(&server, "PATCH", &path, JSON, "{\"status\":\"hidden\"}");
    assert_eq!((without.status, &without.json()["code"]), (403, &json!("not_moderator")));
    assert_eq!(send("PATCH", KEY, "{\"content\":\"still mine\"}").status, 200);
    assert_eq!(send("PATCH", TOKEN, "{\"status\":\"hidden\"}").status, 200);
}

#[test]
fn unknown_variables_are_warned_about_with_the_one_that_was_meant() {
    let mut server = Server::builder()
        .env("SAYSO_MAX_PAGE", "7")
        .env("SAYSO_TITLE", "Known")
        .env("OTHER", "1")
        .shell("")
        .start();
    assert!(server.stop().success());
    let log = server.stderr();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("variable")).collect();
    let [warning] = warnings[..] else { panic!("{log}") };
    assert!(
        warning.contains("SAYSO_MAX_PAGE ") && warning.contains("SAYSO_MAX_PAGES"),
        "{warning}"
    );
}

#[test]
fn debug_messages_are_logged_if_asked_for_and_libraries_stay_silent() {
    let mut server = Server::builder().flags(&["--log-level", "debug"]).shell("").start();
    let mut client = Client::plain(&server);
    client.send(&json!({"content": "hello"}));
    client.line();
    server.raw(b"GET / HTTP/1.1\n");
    drop(client);
    assert!(server.stop().success());
    let log = server.stderr();
    assert!(log.contains(" debug sayso"), "{log}");
    assert!(!log.contains("tungstenite") && !log.contains("tiny_http"), "{log}");
}

#[test]
fn a_log_with_one_comment_is_told_in_the_singular() {
    let mut server = Server::builder().shell("").start();
    posted(&server, "the only one");
    assert!(server.stop().success());
    server.restart();
    assert!(server.stderr().contains(": 1 comment on 1 page\n"), "{}", server.stderr());
}

#[test]
fn with_log_format_json_each_line_is_an_object_also_when_sayso_does_not_start() {
    let flags = ["--log-format", "json", "--log-level", "debug"];
    let mut server = Server::builder().flags(&flags).env("SAYSO_LISTN", "x").shell("").start();
    assert_eq!(post(&server, &json!({"content": ""})).status, 400);
    let second = server.run(&[&["--listen", "127.0.0.1:0"], &flags[..]].concat());
    assert!(server.stop().success());
    let listens = server.stderr();
    let fails = String::from_utf8(second.stderr).unwrap();
    for (said, expected) in [
        (&listens, "refused with content_empty"),
        (&listens, "SAYSO_LISTN is set, but"),
        (&listens, "stopping"),
        (&fails, "another sayso"),
    ] {
        let messages: Vec<String> = said
            .lines()
            .map(|line| {
                let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
                let fields: Vec<_> = value.as_object().unwrap().keys().collect();
                assert_eq!(fields.len(), 4, "{line}");
                assert!(
                    ["error", "warn", "info", "debug"].contains(&value["level"].as_str().unwrap())
                );
                assert!(value["target"].as_str().unwrap().starts_with("sayso"), "{line}");
                assert!(value["time"].as_str().unwrap().ends_with('Z'), "{line}");
                value["message"].as_str().unwrap().to_owned()
            })
            .collect();
        assert!(messages.iter().any(|message| message.contains(expected)), "{expected}: {said}");
    }
}
