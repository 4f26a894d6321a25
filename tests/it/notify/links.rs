//! The links by which a moderator decides from a message: what they do, and everything that makes one no longer do it.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use sayso::hub::link::{KEY_FILE, LINK_PATH, LINK_SECONDS, Link, Signer};
use serde_json::{Value, json};

use super::{Program, TELLS};
use crate::support::{
    client::{FORM, KEY, Response, TOKEN, bearer, get, post, posted, request},
    server::{Builder, Server, Signal},
};

/// Where the server says that it is.
const URL: &str = "https://talk.example";
/// What a browser sends with the form.
const BROWSER: &str = "Origin: null\r\nSec-Fetch-Site: same-origin\r\n";

fn builder(program: &Program) -> Builder {
    let [flag, path] = program.flags();
    Server::builder().token_file(&format!("ada {TOKEN}\nbob another-{TOKEN}\n")).flags(&[
        &flag,
        &path,
        "--public-url",
        URL,
        "--hold",
        "links",
    ])
}

/// The paths of an event's two links: to approve, and to hide.
#[track_caller]
fn paths(event: &Value) -> (String, String) {
    let path = |name: &str| {
        let link = event["links"][name].as_str().unwrap_or_else(|| panic!("{event}"));
        link.strip_prefix(URL).unwrap().to_owned()
    };
    (path("approve"), path("hide"))
}

/// Presses the button on the page of a link.
fn press(server: &Server, path: &str) -> Response {
    let headers = format!("{BROWSER}{FORM}");
    request(server, "POST", path, &headers, "")
}

/// A comment that waits, and the paths of its links.
fn held(server: &Server, program: &Program) -> (Value, String, String) {
    let line = post(server, &json!({"content": "see https://x.example", "key": KEY})).json();
    let event = program.next();
    assert_eq!(event["event"], "held");
    let (approve, hide) = paths(&event);
    (line["id"].clone(), approve, hide)
}

fn patch(server: &Server, id: &Value, key: &str, body: Value) {
    let path = format!("/api/comments/{id}");
    let response = request(server, "PATCH", &path, &bearer(key), &body.to_string());
    assert_eq!(response.status, 200, "{response:?}");
}

/// The statuses of all comments, as moderators see them.
fn statuses(server: &Server) -> Vec<String> {
    let found = request(server, "GET", "/api/admin/comments", &bearer(TOKEN), "").json();
    let state = |line: &Value| match &line["note"]["did"] {
        Value::String(did) if line["status"] == "pending" => format!("pending, {did}"),
        _ => line["status"].as_str().unwrap_or("public").to_owned(),
    };
    found["comments"].as_array().unwrap().iter().map(state).collect()
}

/// Asserts that a page says that nothing was done, and why.
#[track_caller]
fn refused(response: &Response, status: u16, why: &str) {
    let said =
        (response.status, response.body.contains("Nothing was done"), response.body.contains(why));
    assert_eq!(said, (status, true, true), "{response:?}");
    untraced(response);
}

/// Asserts that a page leaves nothing behind, and that nobody else may use it.
#[track_caller]
fn untraced(response: &Response) {
    for (name, value) in [
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Robots-Tag", "noindex, nofollow"),
        ("X-Frame-Options", "DENY"),
        ("X-Content-Type-Options", "nosniff"),
    ] {
        assert_eq!(response.header(name).as_deref(), Some(value), "{name}: {response:?}");
    }
    let policy = response.header("Content-Security-Policy").unwrap();
    for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("script-src") && response.header("ETag").is_none(), "{response:?}");
    assert!(response.header("Access-Control-Allow-Origin").is_none(), "{response:?}");
}

#[test]
fn a_link_shows_the_comment_and_the_button_on_its_page_decides() {
    let program = Program::new(TELLS);
    let server = builder(&program).start();
    let line =
        post(&server, &json!({"content": "<i>see</i> https://x.example", "name": "Eve <b>"}));
    assert_eq!(line.status, 202);
    let (approve, _) = paths(&program.next());
    let page = get(&server, &approve);
    assert_eq!(page.status, 200);
    untraced(&page);
    for part in [
        "&lt;i&gt;see&lt;/i&gt; https://x.example",
        "Eve &lt;b&gt;",
        "(links)",
        "<form method=\"post\">",
    ] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    assert!(!page.body.contains("<script") && !page.body.contains("<i>"), "{}", page.body);
    let done = press(&server, &approve);
    assert!(done.status == 200 && done.body.contains("Approved"), "{done:?}");
    untraced(&done);
    let history = get(&server, "/api/comments").json();
    assert_eq!(history["comments"][0]["content"], "<i>see</i> https://x.example");
    let found = request(&server, "GET", "/api/admin/comments", &bearer(TOKEN), "").json();
    assert_eq!(
        (&found["comments"][0]["note"]["by"], &found["comments"][0]["note"]["did"]),
        (&json!("ada"), &json!("approve"))
    );
    // A public comment can be hidden, and only its own link does it.
    posted(&server, "public");
    let (_, hide) = paths(&program.next());
    assert!(press(&server, &hide).body.contains("Hidden"));
    assert_eq!(statuses(&server), ["hidden", "public"]);
}

#[test]
fn a_mail_scanner_that_follows_every_link_changes_nothing() {
    let program = Program::new(TELLS);
    let server = builder(&program).start();
    let (_, approve, hide) = held(&server, &program);
    let before = server.log_bytes();
    for path in [&approve, &hide] {
        for method in ["GET", "HEAD"] {
            for headers in [
                "",
                "Sec-Purpose: prefetch\r\n",
                "Origin: https://scanner.example\r\nSec-Fetch-Site: cross-site\r\n",
            ] {
                let response = request(&server, method, path, headers, "");
                assert_eq!(response.status, 200, "{response:?}");
                untraced(&response);
            }
        }
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
            let response = request(&server, method, path, "", "");
            assert_eq!(
                (response.status, response.header("Allow").as_deref()),
                (405, Some("GET, HEAD, POST"))
            );
            untraced(&response);
        }
    }
    assert_eq!(server.log_bytes(), before);
    assert_eq!(statuses(&server), ["pending, hold"]);
    assert!(press(&server, &approve).body.contains("Approved"));
}

#[test]
fn only_the_page_behind_the_link_can_press_its_button() {
    let program = Program::new(TELLS);
    let server = builder(&program).flags(&["--allow-origin", "https://blog.example"]).start();
    let (_, approve, _) = held(&server, &program);
    let own = format!("Origin: http://{}\r\n", server.address);
    for foreign in [
        "Origin: https://evil.example\r\n",
        "Origin: https://blog.example\r\n",
        "Origin: null\r\n",
        "Origin: null\r\nSec-Fetch-Site: cross-site\r\n",
        "Origin: null\r\nSec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Origin: https://evil.example\r\nSec-Fetch-Site: same-origin\r\n",
    ] {
        let response = request(&server, "POST", &approve, foreign, "");
        refused(&response, 403, "Only the page behind the link itself");
    }
    assert_eq!(statuses(&server), ["pending, hold"]);
    assert_eq!(request(&server, "POST", &approve, &own, "").status, 200);
    // What is no browser says nothing of where it comes from.
    let (_, approve, _) = held(&server, &program);
    assert_eq!(request(&server, "POST", &approve, "", "").status, 200);
    assert_eq!(statuses(&server), ["public", "public"]);
}

#[test]
fn a_link_is_good_for_one_decision_whoever_takes_it() {
    let program = Program::new(TELLS);
    let server = builder(&program).start();
    // A comment that waits keeps its line when it is rejected; only a note says so.
    let (_, approve, hide) = held(&server, &program);
    assert!(press(&server, &hide).body.contains("Hidden"));
    for path in [&hide, &approve] {
        refused(&press(&server, path), 409, "ada has hidden this comment already");
        refused(&get(&server, path), 409, "ada has hidden this comment already");
    }
    assert_eq!(statuses(&server), ["pending, hide"]);
    let (id, approve, hide) = held(&server, &program);
    patch(&server, &id, &format!("another-{TOKEN}"), json!({"status": "public"}));
    for path in [&hide, &approve] {
        refused(&press(&server, path), 409, "bob has approved this comment already");
    }
    assert_eq!(statuses(&server), ["public", "pending, hide"]);
    // A decision that was taken back has been one all the same.
    let (id, approve, _) = held(&server, &program);
    patch(&server, &id, TOKEN, json!({"status": "hidden"}));
    patch(&server, &id, TOKEN, json!({"status": "pending"}));
    refused(&press(&server, &approve), 409, "decided on this comment already");
}

#[test]
fn a_link_is_for_the_text_that_was_sent() {
    let program = Program::new(TELLS);
    let server = builder(&program).start();
    let (id, approve, hide) = held(&server, &program);
    patch(&server, &id, KEY, json!({"content": "worse: https://y.example"}));
    for path in [&hide, &approve] {
        refused(&press(&server, path), 409, "edited after the message was sent");
        refused(&get(&server, path), 409, "edited after the message was sent");
    }
    let (id, approve, _) = held(&server, &program);
    let delete = request(&server, "DELETE", &format!("/api/comments/{id}"), &bearer(KEY), "");
    assert_eq!(delete.status, 200);
    for response in [get(&server, &approve), press(&server, &approve)] {
        refused(&response, 409, "deleted meanwhile");
    }
    assert_eq!(statuses(&server), ["pending, hold", "pending, hold"]);
}

#[test]
fn a_link_of_a_moderator_who_is_none_any_more_does_nothing() {
    let program = Program::new(TELLS);
    let server = builder(&program).shell("").start();
    let (_, approve, _) = held(&server, &program);
    server.write_token_file(&format!("bob another-{TOKEN}\n"));
    server.signal(Signal::HUP);
    super::until("it is not read", || server.stderr().contains("again: 1 moderator"));
    for response in [get(&server, &approve), press(&server, &approve)] {
        refused(&response, 403, "ada’s, who is no moderator any more");
    }
    let (_, approve, _) = held(&server, &program);
    assert_eq!(press(&server, &approve).status, 200, "the first of the file is bob now");
}

#[test]
fn a_link_is_good_for_three_days_and_no_longer() {
    let program = Program::new(TELLS);
    let server = builder(&program).start();
    let (id, approve, _) = held(&server, &program);
    // Signed as the server does, with its own key.
    let key = fs::read(server.data().join(KEY_FILE)).unwrap().try_into().unwrap();
    let log = get(&server, "/api/comments").json()["log"].as_str().unwrap().to_owned();
    let signer = Signer::new(key, &log);
    let sent = signer.read(approve.strip_prefix(LINK_PATH).unwrap()).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let lasts = sent.until - now;
    assert!((LINK_SECONDS - 600..=LINK_SECONDS).contains(&lasts), "{lasts}");
    assert_eq!(json!(sent.id), id);
    let until = |until| format!("{LINK_PATH}{}", signer.sign(&Link { until, ..sent.clone() }));
    for response in [get(&server, &until(now)), press(&server, &until(now))] {
        refused(&response, 410, "three days");
    }
    assert_eq!(statuses(&server), ["pending, hold"]);
    assert_eq!(press(&server, &until(now + 600)).status, 200);
    assert_eq!(statuses(&server), ["public"]);
}

#[test]
fn a_link_that_was_not_signed_here_is_refused_and_counts_as_a_wrong_token() {
    let (program, other) = (Program::new(TELLS), Program::new(TELLS));
    let server = builder(&program).start();
    let (_, foreign, _) = held(&builder(&other).start(), &other);
    let (_, approve, _) = held(&server, &program);
    let mut wrong = 0;
    let mut flipped = approve.clone().into_bytes();
    let last = flipped.len() - 5;
    flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    for path in
        [&*foreign, &flipped, &approve[..approve.len() - 1], "/m/", "/m/x", &format!("{approve}/")]
    {
        for response in [get(&server, path), press(&server, path)].into_iter().take(10 - wrong) {
            refused(&response, 403, "not one of this server");
            wrong += 1;
        }
    }
    assert_eq!(wrong, 10);
    let response = get(&server, &approve);
    refused(&response, 429, "too many wrong links");
    assert!(response.header("Retry-After").is_some());
    // Tokens are guessed no further either.
    let token = request(&server, "GET", "/api/admin/comments", &bearer(TOKEN), "");
    assert_eq!(token.status, 429, "{token:?}");
}

#[test]
fn without_an_address_or_moderators_there_is_nothing_behind_a_link() {
    let program = Program::new(TELLS);
    let server = builder(&program).start();
    let (_, approve, _) = held(&server, &program);
    for flags in [&["--public-url", URL][..], &[]] {
        let other = Server::start(flags);
        assert_eq!(get(&other, &approve).status, 404);
        assert_eq!(press(&other, &approve).status, 404);
    }
}

#[test]
fn a_link_says_nothing_to_the_log_at_any_level() {
    let program = Program::new(TELLS);
    let mut server =
        builder(&program).flags(&["--log-level", "trace", "--log-addresses"]).shell("").start();
    let (_, approve, hide) = held(&server, &program);
    get(&server, &approve);
    request(&server, "POST", &approve, "Origin: https://evil.example\r\n", "");
    get(&server, &format!("{approve}x"));
    get(&server, "/m/a-wrong-link");
    press(&server, &approve);
    press(&server, &hide);
    assert!(server.stop().success());
    let said = server.stderr();
    assert!(said.contains("ada published comment 1"), "{said}");
    for secret in [
        approve.split('.').next().unwrap(),
        approve.split('.').next_back().unwrap(),
        "a-wrong-link",
        "/m/",
    ] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
}

#[test]
fn a_link_outlives_a_restart_and_works_below_a_base_path() {
    let program = Program::new(TELLS);
    let [flag, path] = program.flags();
    let mut server = Server::builder()
        .token_file(&format!("ada {TOKEN}\n"))
        .flags(&[&flag, &path, "--public-url", &format!("{URL}/talk"), "--base-path", "/talk"])
        .start();
    let body = json!({"content": "one"}).to_string();
    assert_eq!(
        request(&server, "POST", "/talk/api/comments", crate::support::client::JSON, &body).status,
        201
    );
    let (_, hide) = paths(&program.next());
    assert!(hide.starts_with("/talk/m/"), "{hide}");
    let mode = std::fs::metadata(server.data().join("links")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
    server.kill();
    server.restart();
    let page = get(&server, &hide);
    assert!(page.body.contains("href=\"/talk/embed.css\"") && page.status == 200, "{page:?}");
    assert_eq!(press(&server, &hide).status, 200);
}
