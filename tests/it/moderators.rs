//! Who a moderator is: the lines of the token file, read again on SIGHUP, and how often an address may guess.

use std::{
    fs::{Permissions, set_permissions},
    os::unix::fs::PermissionsExt,
    time::Instant,
};

use serde_json::json;

use super::support::{
    client::{JSON, KEY, OTHER_KEY, Response, bearer, get, post, posted, request},
    frames::Client,
    server::{Folder, Server, Signal, TIMEOUT, sayso},
};

const ADA: &str = "ada-has-a-token-of-her-own";
const BOB: &str = "bob-has-a-token-of-his-own";
const EVE: &str = "eve-comes-later-with-a-token";
const GUESS: &str = "a-guess-that-is-no-token-at-all";

/// The header line of a proxy on the same machine, which is believed.
fn client(address: &str) -> String {
    format!("X-Forwarded-For: {address}\r\n")
}

/// Shows a token for something that only moderators may do.
fn hide(server: &Server, id: u64, from: &str, token: &str) -> Response {
    let headers = format!("{}{}", client(from), bearer(token));
    request(server, "PATCH", &format!("/api/comments/{id}"), &headers, "{\"status\":\"hidden\"}")
}

/// Sends SIGHUP and waits until the log says so for the `times`th time.
#[track_caller]
fn hang_up(server: &Server, said: &str, times: usize) {
    server.signal(Signal::HUP);
    let start = Instant::now();
    while server.stderr().matches(said).count() < times {
        assert!(start.elapsed() < TIMEOUT, "{said:?} is not in:\n{}", server.stderr());
        get(server, "/healthz");
    }
}

#[track_caller]
fn assert_no_token(said: &str) {
    for token in [ADA, BOB, EVE, GUESS] {
        assert!(!said.contains(token), "{token} is in:\n{said}");
    }
}

#[test]
fn each_moderator_has_a_token_and_the_log_says_who_has_done_what() {
    let lines = format!("# who may in\n\nada {ADA}\nbob  {BOB}\n");
    let mut server = Server::builder().token_file(&lines).shell("").start();
    for content in ["first", "second", "third"] {
        posted(&server, content);
    }
    assert_eq!(hide(&server, 1, "192.0.2.1", ADA).status, 200);
    let path = "/api/comments/2";
    let edited = request(&server, "PATCH", path, &bearer(BOB), "{\"content\":\"better\"}");
    assert_eq!(edited.status, 200, "{edited:?}");
    assert_eq!(request(&server, "DELETE", "/api/comments/3", &bearer(ADA), "").status, 200);
    let hidden = request(&server, "GET", "/api/comments", &bearer(BOB), "");
    assert_eq!(hidden.json()["comments"][0]["content"], "first", "{hidden:?}");
    assert_eq!(hide(&server, 2, "192.0.2.1", GUESS).status, 401);
    assert!(server.stop().success());
    let log = server.stderr();
    for said in ["ada hid comment 1", "bob edited comment 2", "ada deleted comment 3"] {
        assert!(log.contains(said), "{said:?} is not in:\n{log}");
    }
    assert!(log.contains("refused a wrong token"), "{log}");
    assert_no_token(&log);
    assert_no_token(&server.log_text());
}

#[test]
fn a_hangup_lets_in_who_was_added_and_nobody_who_was_removed() {
    let lines = format!("ada {ADA}\nbob {BOB}\n");
    let mut server = Server::builder().token_file(&lines).shell("").start();
    for n in 1..=6 {
        posted(&server, &format!("comment {n}"));
    }
    let mut reader = Client::full(&server, "");
    assert_eq!(hide(&server, 1, "192.0.2.1", BOB).status, 200);
    server.write_token_file(&format!("ada {ADA}\neve {EVE}\n"));
    assert_eq!(hide(&server, 2, "192.0.2.1", EVE).status, 401, "only a signal makes it count");
    hang_up(&server, "again: 2 moderators", 1);
    assert_eq!(hide(&server, 2, "192.0.2.1", EVE).status, 200);
    assert_eq!(hide(&server, 3, "192.0.2.1", ADA).status, 200);
    assert_eq!(hide(&server, 4, "192.0.2.1", BOB).status, 401);

    let bad = format!("ada {ADA}\n\nbob {BOB} {GUESS}\n");
    for (times, text) in [(1, &*bad), (2, "# nobody\n"), (3, "ada short\n")] {
        server.write_token_file(text);
        hang_up(&server, "the moderators stay as they were", times);
    }
    assert!(server.stderr().contains("line 3 has 3 words"), "{}", server.stderr());
    std::fs::remove_file(server.token_file_path()).unwrap();
    hang_up(&server, "the moderators stay as they were", 4);
    assert_eq!(hide(&server, 4, "192.0.2.1", BOB).status, 401);
    assert_eq!(hide(&server, 4, "192.0.2.1", EVE).status, 200);
    // 1 to 4 have gone, and nobody who reads has noticed more than that.
    assert_eq!([1, 2, 3, 4].map(|_| reader.line()["id"].as_u64().unwrap()), [1, 2, 3, 4]);
    assert!(server.stop().success());
    assert_no_token(&server.stderr());
}

#[test]
fn a_bad_line_is_named_at_the_start_and_its_words_are_not() {
    let folder = Folder::new();
    let (file, data) = (folder.join("tokens"), folder.join("data"));
    let run = || sayso(&["--listen", "127.0.0.1:0", "--data", &data, "--admin-token-file", &file]);
    for (text, said) in [
        (format!("ada {ADA}\nbob {BOB} {GUESS}\n"), "line 2 has 3 words"),
        (format!("ada {ADA}\n\nbob short\n"), "line 3 has 5 bytes, at least 16"),
        (format!("ada {ADA}\nAda {BOB}\n"), "lines 1 and 2 have the same name"),
        (format!("ada {ADA}\nbob {ADA}\n"), "lines 1 and 2 have the same token"),
        (format!("{}! {ADA}\n", EVE), "name in line 1"),
        ("x".repeat(64 * 1024 + 1), "more than 65536 bytes"),
    ] {
        std::fs::write(&file, &text).unwrap();
        let output = run();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{output:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(said) && error.contains(&file), "{said}: {error}");
        assert_no_token(&error);
        assert!(!error.contains("short"), "{error}");
    }
    std::fs::write(&file, b"ada \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
        .unwrap();
    let output = run();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn a_token_file_that_everybody_may_read_is_warned_about() {
    let mut server = Server::builder().moderator(ADA).shell("").stopped();
    let file = server.token_file_path();
    let mut expected = 0;
    for (mode, is_open) in [(0o600, false), (0o640, false), (0o644, true), (0o604, true)] {
        set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        server.restart();
        expected += usize::from(is_open);
        let warning = format!("can read the moderators' tokens; run: chmod o= {}", file.display());
        assert_eq!(server.stderr().matches(&warning).count(), expected, "{mode:o}");
        assert!(server.stop().success());
    }
    assert_no_token(&server.stderr());
}

#[test]
fn after_ten_wrong_tokens_an_address_waits_and_nobody_else_does() {
    let lines = format!("ada {ADA}\nbob {BOB}\n");
    let mut server = Server::builder().token_file(&lines).shell("").start();
    let mine =
        post(&server, &json!({"content": "mine", "key": KEY})).json()["id"].as_u64().unwrap();
    let other = posted(&server, "another").get("id").unwrap().as_u64().unwrap();
    let (guesser, good) = ("192.0.2.1", "192.0.2.2");
    assert_eq!(hide(&server, other, good, ADA).status, 200);
    for _ in 0..20 {
        assert_eq!(hide(&server, other, good, GUESS).status, 401, "it has shown a right one");
    }
    let path = format!("/api/comments/{mine}");
    let send = |method: &str, path: &str, token: &str, body: &str| {
        let headers = format!("{}{}", client(guesser), bearer(token));
        request(&server, method, path, &headers, body)
    };
    // Of each kind that tells a moderator from others.
    for n in 0..2 {
        let guess = format!("{GUESS}{n}");
        assert_eq!(send("PATCH", &path, &guess, "{\"status\":\"hidden\"}").status, 401);
        assert_eq!(send("PATCH", &path, &guess, "{\"content\":\"x\"}").status, 403);
        assert_eq!(send("DELETE", &path, &guess, "").status, 403);
        assert_eq!(send("DELETE", "/api/comments/99", &guess, "").status, 404);
        assert_eq!(send("GET", "/api/comments", &guess, "").status, 200);
    }
    for token in [GUESS, ADA] {
        for (method, path, body) in [
            ("PATCH", &*path, "{\"status\":\"hidden\"}"),
            ("PATCH", &*path, "{\"content\":\"x\"}"),
            ("DELETE", &*path, ""),
            ("DELETE", "/api/comments/99", ""),
            ("GET", "/api/comments", ""),
        ] {
            let response = send(method, path, token, body);
            let error = response.json();
            assert_eq!((response.status, &error["code"]), (429, &json!("too_fast")), "{method}");
            assert_eq!((&error["what"], &error["max"]), (&json!("wrong tokens"), &json!(10)));
            let wait = error["retry_after"].as_u64().unwrap();
            assert!((1..=60).contains(&wait), "{error}");
            assert_eq!(response.header("retry-after"), Some(wait.to_string()));
        }
    }
    // Without a token, and with an author's key, nothing has changed there; and nothing at all elsewhere.
    let from = client(guesser);
    let without = format!("{from}{JSON}");
    assert_eq!(request(&server, "GET", "/api/comments", &from, "").status, 200);
    assert_eq!(request(&server, "PATCH", &path, &without, "{\"status\":\"hidden\"}").status, 403);
    assert_eq!(
        request(&server, "POST", "/api/comments", &without, "{\"content\":\"y\"}").status,
        201
    );
    assert_eq!(send("PATCH", &path, KEY, "{\"content\":\"still mine\"}").status, 200);
    assert_eq!(hide(&server, mine, good, ADA).status, 200);
    assert_eq!(hide(&server, mine, "192.0.2.3", BOB).status, 200);
    assert!(server.stop().success());
    assert_no_token(&server.stderr());
}

#[test]
fn the_addresses_of_one_64_guess_together() {
    let server = Server::builder().moderator(ADA).start();
    posted(&server, "first");
    for n in 0..10 {
        assert_eq!(hide(&server, 1, &format!("2001:db8:1:2::{n}"), GUESS).status, 401);
    }
    assert_eq!(hide(&server, 1, "2001:db8:1:2:ffff::1", ADA).status, 429);
    assert_eq!(hide(&server, 1, "2001:db8:1:3::1", GUESS).status, 401);
    assert_eq!(hide(&server, 1, "2001:db8:1:3::1", ADA).status, 200);
}

#[test]
fn posts_likes_and_missing_tokens_are_no_guesses() {
    let server = Server::builder().moderator(ADA).start();
    let path = "/api/comments/1";
    posted(&server, "first");
    let headers = bearer(OTHER_KEY);
    for n in 0..30 {
        let content = json!({ "content": format!("comment {n}") }).to_string();
        let post = request(&server, "POST", "/api/comments", &headers, &content);
        assert_eq!(post.status, 201, "{post:?}");
        let on = json!({ "on": n % 2 == 0 }).to_string();
        let like = request(&server, "POST", "/api/comments/1/like", &headers, &on);
        assert_eq!(like.status, 200, "{like:?}");
        assert_eq!(request(&server, "DELETE", path, "", "").status, 403);
        let id = post.json()["id"].as_u64().unwrap();
        let own = format!("/api/comments/{id}");
        assert_eq!(request(&server, "PATCH", &own, &headers, "{\"content\":\"\"}").status, 400);
        assert_eq!(request(&server, "PATCH", &own, &headers, "{\"content\":\"z\"}").status, 200);
        assert_eq!(request(&server, "DELETE", &own, &headers, "").status, 200);
        assert_eq!(request(&server, "DELETE", &own, &headers, "").status, 200, "and once more");
    }
    assert_eq!(request(&server, "DELETE", path, &bearer(ADA), "").status, 200);
}
