//! The file with the secret: read at the start and on SIGHUP, and told to nobody.

use std::{
    fs::{Permissions, set_permissions, write},
    os::unix::fs::PermissionsExt,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    OTHER_SECRET, SECRET, SITE, ask, builder, claims, id, moderator, refused, say, sign_with, user,
};
use crate::support::{
    client::TOKEN,
    server::{Folder, Server, Signal, TIMEOUT, sayso},
};

/// Sends SIGHUP and waits until the log says so for the `times`th time.
#[track_caller]
fn hang_up(server: &Server, said: &str, times: usize) {
    server.signal(Signal::HUP);
    let start = Instant::now();
    while server.stderr().matches(said).count() < times {
        assert!(start.elapsed() < TIMEOUT, "{said:?} is not said: {}", server.stderr());
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_hangup_changes_the_secret_and_with_it_everybodys_author() {
    let server = builder(&[]).shell("").start();
    let (old, new) = (user("Ada"), sign_with(OTHER_SECRET, &claims("Ada")));
    let first = say(&server, &old, "first");
    server.write_sign_on_file(&format!("{SECRET}\n{OTHER_SECRET}\n"));
    hang_up(&server, "again: users are the same authors", 1);
    let second = say(&server, &new, "second");
    assert_eq!(first["author"], second["author"], "the first secret makes authors");
    server.write_sign_on_file(OTHER_SECRET);
    hang_up(&server, "again: users are other authors", 1);
    let body = json!({"content": "x"});
    refused(&ask(&server, &old, "POST", "/api/comments", body), 403, "user_forged");
    assert_ne!(say(&server, &new, "third")["author"], first["author"]);
    for (times, bad) in [(1, "short"), (2, ""), (3, "\u{fffd}")] {
        server.write_sign_on_file(bad);
        hang_up(&server, "the secret stays as it was", times);
    }
    say(&server, &new, "fourth");
}

#[test]
fn a_bad_file_is_named_at_the_start_and_its_words_are_not() {
    let folder = Folder::new();
    let (file, data) = (folder.join("secret"), folder.join("data"));
    for (text, said) in [
        ("too-short".into(), "secret 1 of 1 has 9 bytes"),
        (String::new(), "secret 1 of 0 has 0 bytes"),
        (format!("{SECRET}\n{SECRET}\n{SECRET}"), "secret 3 of 3"),
        ("x".repeat(1_025), "1025 bytes, but"),
        ("x".repeat(4_097), "more than 4096 bytes"),
    ] {
        write(&file, &text).unwrap();
        let output = sayso(&["--listen", "127.0.0.1:0", "--data", &data, "--sign-on-file", &file]);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{output:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(said) && error.contains(&file), "{said}: {error}");
        assert!(!error.contains(SECRET) && !error.contains("too-short"), "{error}");
    }
    let missing =
        sayso(&["--listen", "127.0.0.1:0", "--data", &data, "--sign-on-file", "/nowhere"]);
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
}

#[test]
fn a_file_that_everybody_may_read_is_warned_about() {
    let mut server = builder(&[]).shell("").stopped();
    let file = server.data().parent().unwrap().join("sign-on");
    set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    server.restart();
    let warning = "can read the secret that host pages sign with; run: chmod o= ";
    assert!(server.stderr().contains(warning), "{}", server.stderr());
}

#[test]
fn neither_the_secret_nor_what_is_signed_comes_into_a_log_or_a_line() {
    let mut server = builder(&["--log-level", "trace"]).moderator(TOKEN).shell("").start();
    let (ada, bob) = (user("Ada"), moderator("Bob"));
    let expired = sign_with(SECRET, &json!({"id": "x", "name": "x", "site": SITE, "until": 1}));
    let target = format!("/api/comments/{}", id(&say(&server, &ada, "first")));
    ask(&server, &bob, "PATCH", &target, json!({"status": "hidden"}));
    ask(&server, &expired, "POST", "/api/comments", json!({"content": "x"}));
    ask(&server, &ada[1..], "POST", "/api/comments", json!({"content": "x"}));
    assert!(server.stop().success());
    let said = server.stderr();
    assert!(said.contains("user_expired") && said.contains("user_forged"), "{said}");
    for secret in [SECRET, &ada, &bob, &expired].map(|text| &text[text.len() - 20..]) {
        assert!(!said.contains(secret), "{said}");
        assert!(!server.log_text().contains(secret));
    }
}
