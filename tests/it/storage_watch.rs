//! A log that somebody removes, replaces or truncates while sayso uses it.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Instant,
};

use serde_json::{Value, json};

use crate::support::{
    client::{KEY, bearer, get, history_since, post, posted, request},
    frames::Client,
    server::{Server, TIMEOUT, output},
};

/// A server with three comments, one of them edited, and the bytes of its log.
fn three() -> (Server, Vec<u8>) {
    let server = Server::start(&[]);
    for n in 1..=3 {
        post(&server, &json!({"content": format!("comment {n}"), "key": KEY}));
    }
    let edit =
        request(&server, "PATCH", "/api/comments/2", &bearer(KEY), "{\"content\":\"edited\"}");
    assert_eq!(edit.status, 200, "{edit:?}");
    let bytes = server.log_bytes();
    (server, bytes)
}

/// Asks until `found` has an answer.
fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < TIMEOUT, "{what}");
        thread::yield_now();
    }
}

/// Waits until the server says that its storage has failed, and returns why.
fn failed(server: &Server) -> String {
    let health = until("nothing is noticed", || {
        Some(get(server, "/healthz")).filter(|health| health.status == 503)
    });
    assert_eq!(health.json()["status"], "failing");
    health.json()["reasons"][0].as_str().unwrap().to_owned()
}

/// The one copy beside the log, once it is whole.
fn rescued(server: &Server, expected: &[u8]) -> PathBuf {
    until("nothing is rescued", || {
        let files = fs::read_dir(server.data()).unwrap().map(|entry| entry.unwrap().path());
        let is_copy = |path: &PathBuf| path.to_str().unwrap().contains("comments.jsonl.rescued-");
        let copies: Vec<PathBuf> = files.filter(is_copy).collect();
        assert!(copies.len() <= 1, "{copies:?}");
        copies.into_iter().next().filter(|copy| fs::read(copy).unwrap() == expected)
    })
}

/// Posts are refused, and whoever reads notices nothing.
fn serves_readers_only(server: &Server, before: &[Value]) {
    let refused = post(server, &json!({"content": "lost"}));
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.error().contains("until sayso is restarted"), "{refused:?}");
    assert_eq!(history_since(server, "/", 0), before);
    assert_eq!(get(server, "/").status, 200);
    let mut reader = Client::full(server, "last=3");
    assert!(reader.json()["hello"].is_object());
    assert_eq!(reader.line()["content"], before[0]["content"]);
}

#[test]
fn a_stop_notices_a_log_that_was_moved_away_after_the_last_look_and_rescues_what_was_acknowledged_since()
 {
    for replaces in [false, true] {
        let mut server = Server::builder().shell("").start();
        posted(&server, "before");
        fs::rename(server.log(), server.data().join("elsewhere.jsonl")).unwrap();
        if replaces {
            server.write_log("another file");
        }
        // Still acknowledged, unless the server has just looked by itself.
        let status = post(&server, &json!({"content": "after"})).status;
        assert!(status == 201 || status == 503, "{status}");
        let bytes = fs::read(server.data().join("elsewhere.jsonl")).unwrap();
        assert_eq!(server.stop().code(), Some(1));
        rescued(&server, &bytes);
        let said = server.stderr();
        let sentence = "sayso: comments.jsonl was changed while sayso used it: ";
        assert!(said.lines().last().unwrap().starts_with(sentence), "{said}");
        assert!(said.contains("what the log still held is saved in "), "{said}");
    }
}

#[test]
fn a_post_after_the_log_was_removed_or_replaced_is_refused_at_once() {
    for replaces in [false, true] {
        let (mut server, bytes) = three();
        if replaces {
            let other = server.data().join("other.jsonl");
            fs::write(&other, "").unwrap();
            fs::rename(other, server.log()).unwrap();
        } else {
            fs::remove_file(server.log()).unwrap();
        }
        assert_eq!(post(&server, &json!({"content": "lost"})).status, 503);
        assert_eq!(server.stop().code(), Some(1));
        rescued(&server, &bytes);
    }
}

#[test]
fn a_removed_log_is_noticed_and_rescued_and_a_restart_says_how_to_put_it_back() {
    let (mut server, bytes) = three();
    let before = history_since(&server, "/", 0);
    fs::remove_file(server.log()).unwrap();
    let why = failed(&server);
    assert!(why.contains("comments.jsonl") && why.contains("removed"), "{why}");
    serves_readers_only(&server, &before);
    let copy = rescued(&server, &bytes);
    assert_eq!(server.stop().code(), Some(1));
    assert!(!server.log().exists());
    // Starting again is what anybody tries first. It must not begin an empty log.
    let refused = server.run_second();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(!server.log().exists(), "nothing was begun");
    let (_, command) = said.split_once("put it back with: ").unwrap_or_else(|| panic!("{said}"));
    let (command, _) = command.split_once(';').unwrap();
    assert!(command.contains(copy.to_str().unwrap()), "{command}");
    let moved = output(Command::new("sh").args(["-c", command]), TIMEOUT);
    assert!(moved.status.success(), "{moved:?}");
    server.restart();
    assert_eq!(history_since(&server, "/", 0), before);
    assert_eq!(get(&server, "/healthz").status, 200);
    assert_eq!(posted(&server, "on it goes")["seq"], 5);
    server.check();
}

#[test]
fn a_log_in_whose_place_another_file_is_put_is_rescued_and_that_file_is_left_alone() {
    let (mut server, bytes) = three();
    let before = history_since(&server, "/", 0);
    let other = Server::start(&[]);
    posted(&other, "from elsewhere");
    let foreign = other.log_bytes();
    let coming = server.data().join("other.jsonl");
    fs::write(&coming, &foreign).unwrap();
    fs::rename(&coming, server.log()).unwrap();
    let compacted = server.run(&["compact"]);
    assert_eq!(compacted.status.code(), Some(1), "before anything is renamed: {compacted:?}");
    let why = failed(&server);
    assert!(why.contains("another file is in its place"), "{why}");
    serves_readers_only(&server, &before);
    let copy = rescued(&server, &bytes);
    assert_eq!(server.stop().code(), Some(1));
    assert_eq!(server.log_bytes(), foreign, "nothing was written to it or put in its place");
    server.restart();
    assert_eq!(history_since(&server, "/", 0)[0]["content"], "from elsewhere");
    assert!(server.stop().success());
    fs::rename(copy, server.log()).unwrap();
    server.restart();
    assert_eq!(history_since(&server, "/", 0), before);
}

#[test]
fn a_truncated_log_takes_no_post_from_then_on() {
    for kept in [0, 60] {
        let (mut server, bytes) = three();
        let file = OpenOptions::new().write(true).open(server.log()).unwrap();
        let end = bytes[..bytes.len() - kept].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        let end = if kept == 0 { 0 } else { end };
        file.set_len(end as u64).unwrap();
        // At once, though it was not looked up since.
        let refused = post(&server, &json!({"content": "lost"}));
        assert_eq!(refused.status, 503, "{refused:?}");
        let why = failed(&server);
        let lengths = format!("truncated from {} to {end} bytes", bytes.len());
        assert!(why.contains(&lengths), "{why}");
        assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 3}));
        if end > 0 {
            rescued(&server, &bytes[..end]);
        }
        assert_eq!(server.stop().code(), Some(1));
        assert_eq!(server.log_bytes(), &bytes[..end], "nothing was written behind the end");
        server.restart();
        assert_eq!(get(&server, "/healthz").status, 200, "a restart believes the file again");
    }
}

#[test]
fn a_log_that_another_program_appends_to_is_not_written_over() {
    let (mut server, bytes) = three();
    let mut file = OpenOptions::new().append(true).open(server.log()).unwrap();
    file.write_all(b"a line of somebody else\n").unwrap();
    assert_eq!(post(&server, &json!({"content": "lost"})).status, 503);
    assert!(failed(&server).contains("lengthened"));
    assert_eq!(server.stop().code(), Some(1));
    assert_eq!(server.log_bytes(), [&bytes[..], b"a line of somebody else\n"].concat());
    assert!(rescued(&server, &server.log_bytes()).exists());
}

/// A server whose log is a symbolic link to a file in another folder, which it begins.
fn linked() -> (Server, PathBuf) {
    let mut server = Server::builder().stopped();
    let elsewhere = server.data().with_file_name("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink("../elsewhere/kept.jsonl", server.log()).unwrap();
    server.restart();
    (server, elsewhere)
}

fn names(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap();
    files.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_compaction_rewrites_the_file_that_a_link_leads_to_and_leaves_no_deleted_text_in_it() {
    let (mut server, elsewhere) = linked();
    post(&server, &json!({"content": "a secret", "key": KEY}));
    let is_secret =
        || fs::read_to_string(elsewhere.join("kept.jsonl")).unwrap().contains("a secret");
    for compacts_live in [true, false] {
        assert!(is_secret());
        let id = history_since(&server, "/", 0).last().unwrap()["id"].clone();
        let path = format!("/api/comments/{id}");
        assert_eq!(request(&server, "DELETE", &path, &bearer(KEY), "").status, 200);
        if !compacts_live {
            assert!(server.stop().success());
        }
        server.compact();
        assert!(!is_secret(), "deleted text is on the disk");
        assert_eq!(names(&elsewhere), ["kept.jsonl"]);
        assert!(fs::symlink_metadata(server.log()).unwrap().is_symlink(), "the link stays");
        if compacts_live {
            post(&server, &json!({"content": "a secret again", "key": KEY}));
        }
    }
    server.restart();
    server.check();
    assert_eq!(history_since(&server, "/", 0).len(), 2);
}

#[test]
fn a_link_that_is_made_to_lead_elsewhere_is_noticed() {
    let (server, elsewhere) = linked();
    posted(&server, "first");
    fs::write(elsewhere.join("other.jsonl"), "").unwrap();
    fs::remove_file(server.log()).unwrap();
    std::os::unix::fs::symlink("../elsewhere/other.jsonl", server.log()).unwrap();
    assert!(failed(&server).contains("another file is in its place"));
}

/// Runs the shell command that stands behind `before` in what sayso has said.
fn run_named(said: &str, before: &str) {
    let (_, command) = said.split_once(before).unwrap_or_else(|| panic!("{said}"));
    let command = command.split(';').next().unwrap();
    let moved = output(Command::new("sh").args(["-c", command]), TIMEOUT);
    assert!(moved.status.success(), "{moved:?}");
}

fn refused(server: &Server) -> String {
    let refused = server.run_second();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    said
}

#[test]
fn a_start_is_refused_while_a_rescued_copy_goes_on_where_the_log_ends_or_cannot_be_compared() {
    let (mut server, bytes) = three();
    assert!(server.stop().success());
    let ends: Vec<usize> = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(at, _)| at + 1)
        .collect();
    let backup = &bytes[..ends[2]];
    let copy = server.data().join("comments.jsonl.rescued-2026-11-27T05-00-00.000Z");
    let unreadable = [b"rubbish", &bytes[..]].concat();
    for (rescued, why) in [(&bytes, "up to seq 4, but"), (&unreadable, "can't be compared")] {
        server.write_log(backup);
        fs::write(&copy, rescued).unwrap();
        let said = refused(&server);
        assert!(said.contains(why) && server.log_bytes() == backup, "{said}");
        run_named(&said, "to go on with the log as it is: ");
        server.restart();
        assert_eq!(history_since(&server, "/", 0).len(), 2);
        assert!(server.stop().success());
    }
    server.write_log(backup);
    fs::write(&copy, &bytes).unwrap();
    run_named(&refused(&server), "to go on with that copy: ");
    server.restart();
    assert_eq!(server.log_bytes(), bytes);
    assert_eq!(history_since(&server, "/", 0).len(), 3);
}

#[test]
fn a_rescued_copy_that_holds_nothing_newer_or_is_of_another_log_is_named_once_at_each_start() {
    let mut server = Server::builder().shell("").start();
    posted(&server, "first");
    assert!(server.stop().success());
    let copy = server.data().join("comments.jsonl.rescued-2026-11-27T05-00-00.000Z");
    let (_other, foreign) = three();
    for rescued in [server.log_bytes(), foreign, Vec::new()] {
        fs::write(&copy, rescued).unwrap();
        let before = server.stderr().len();
        server.restart();
        assert_eq!(history_since(&server, "/", 0).len(), 1);
        assert!(server.stop().success());
        let said = server.stderr().split_off(before);
        assert_eq!(said.matches(copy.to_str().unwrap()).count(), 1, "{said}");
    }
}

#[test]
fn a_log_that_ends_within_its_header_is_refused_if_it_was_begun_before() {
    let (mut server, bytes) = three();
    assert!(server.stop().success());
    // The header was whole, says the first start.
    server.write_log(&bytes[..50]);
    assert!(refused(&server).contains("ends within its first line, after 50 bytes"));
    server.write_log(&bytes);
    server.restart();
    assert!(server.stop().success());
    let header = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    for length in [0, 1, 50, header] {
        server.write_log(&bytes[..length]);
        let said = refused(&server);
        assert!(said.contains("held lines up to seq 4; put a backup in its place"), "{said}");
        assert_eq!(server.log_bytes(), &bytes[..length], "nothing was changed");
    }
    run_named(&refused(&server), "without those comments: ");
    server.restart();
    assert_eq!(history_since(&server, "/", 0), [Value::Null; 0]);
}

#[test]
fn an_empty_file_and_a_header_cut_short_by_the_very_first_start_become_a_log() {
    for bytes in ["", "{\"sayso\":1,\"log\":\"9c41"] {
        let mut server = Server::builder().stopped();
        fs::create_dir_all(server.data()).unwrap();
        server.write_log(bytes);
        server.restart();
        posted(&server, "first");
        server.check();
    }
}
