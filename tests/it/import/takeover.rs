//! `sayso import --from sayso` of a log that has gone its own way, and imports that are repeated after people have decided something.

use std::fs;

use serde_json::{Value, json};

use super::program::{comments, imports, stopped};
use crate::support::{
    client::{KEY, OTHER_KEY, TOKEN, bearer, get, post, request},
    frames::Client,
    server::{Folder, Server},
};

fn change(server: &Server, method: &str, id: u64, body: &Value) {
    let target = format!("/api/comments/{id}");
    let response = request(server, method, &target, &bearer(TOKEN), &body.to_string());
    assert_eq!(response.status, 200, "{response:?}");
}

fn say(server: &Server, body: &Value) -> u64 {
    let response = post(server, body);
    assert_eq!(response.status, 201, "{response:?}");
    response.json()["id"].as_u64().unwrap()
}

#[test]
fn tombstones_of_a_diverged_log_win_and_other_changes_are_listed() {
    let mut here = Server::builder().moderator(TOKEN).start();
    let nonce = |n: u64| format!("nonce-of-comment-{n}");
    for n in 1..=8 {
        let body =
            json!({"page": "p", "content": format!("comment {n}"), "key": KEY, "nonce": nonce(n)});
        assert_eq!(say(&here, &body), n);
    }
    here.stop();
    let mut there = Server::builder().moderator(TOKEN).stopped();
    fs::copy(here.log(), there.log()).unwrap();
    here.restart();
    there.restart();
    change(&there, "DELETE", 1, &json!({}));
    change(&there, "PATCH", 2, &json!({"content": "edited there"}));
    change(&there, "PATCH", 3, &json!({"status": "hidden"}));
    change(&there, "PATCH", 4, &json!({"pinned": true}));
    let new = say(&there, &json!({"page": "p", "content": "only there", "parent": 5}));
    change(&here, "DELETE", 6, &json!({}));
    change(&here, "PATCH", 7, &json!({"content": "edited here"}));
    let kept = there.log().display().to_string();
    let mut reader = Client::full(&here, "page=p");
    for round in 0..2 {
        let said = imports(&here, &["--from", "sayso", &kept]);
        let counts = if round == 0 { "1 new comment" } else { "0 new comments" };
        assert!(said.contains(counts), "{said}");
        let deleted = "1 deleted here, as in the file";
        assert_eq!(said.contains(deleted), round == 0, "{said}");
        assert!(said.contains("4 left as they are here: text, status or pin differ"), "{said}");
        for id in 1..=new {
            let is_listed = said.contains(&format!("comment {id} stays as it is here"));
            assert_eq!(is_listed, [2, 3, 4, 7].contains(&id), "{id}: {said}");
        }
    }
    let [tombstone, added] = [reader.line(), reader.line()];
    assert_eq!((&tombstone["id"], &tombstone["deleted"]), (&json!(1), &json!(true)));
    assert_eq!((&added["content"], &added["parent"]), (&json!("only there"), &json!(5)));
    let lines = get(&here, "/api/comments?page=p").json()["comments"].clone();
    let line = |id: u64| lines.as_array().unwrap().iter().find(|line| line["id"] == id).unwrap();
    for id in [1, 6] {
        assert_eq!(line(id)["deleted"], true);
    }
    for (id, text) in [(2, "comment 2"), (3, "comment 3"), (4, "comment 4"), (7, "edited here")] {
        assert_eq!((&line(id)["content"], &line(id)["pinned"]), (&json!(text), &Value::Null));
    }
    here.check();
}

#[test]
fn what_was_posted_without_a_nonce_is_known_in_the_log_that_it_is_from_and_anywhere_once() {
    let mut server = Server::builder().moderator(TOKEN).start();
    let first = say(&server, &json!({"page": "p", "content": "first"}));
    say(&server, &json!({"page": "p", "content": "answers", "parent": first}));
    say(&server, &json!({"page": "p", "content": "has one", "nonce": "a-nonce-of-sixteen"}));
    change(&server, "PATCH", first, &json!({"content": "edited"}));
    let renamed = server.run(&["rename", "p", "q"]);
    assert!(renamed.status.success(), "{renamed:?}");
    let folder = Folder::new();
    let file = folder.join("exported");
    assert!(server.run(&["export", "--to", "sayso", &file]).status.success());
    let before = server.log_bytes();
    // The log itself, and what was exported of it.
    let log = folder.join("log");
    fs::copy(server.log(), &log).unwrap();
    for file in [&log, &file] {
        let said = imports(&server, &["--from", "sayso", file]);
        assert!(said.contains(": 0 new comments") && !said.contains("stays as it is"), "{said}");
        assert_eq!(server.log_bytes(), before);
    }
    // A backup that was restored may have given the same id to another comment.
    let text = fs::read_to_string(&file).unwrap();
    let at = text.find("\"created_at\":\"2").unwrap() + "\"created_at\":\"".len();
    fs::write(&file, [&text[..at], "1999", &text[at + 4..]].concat()).unwrap();
    assert!(imports(&server, &["--from", "sayso", &file]).contains("1 new comment on"));
    let other = stopped();
    for new in [3, 0] {
        let said = imports(&other, &["--from", "sayso", &log]);
        assert!(said.contains(&format!(": {new} new comments")), "{said}");
    }
    assert_eq!(comments(&other).len(), 3);
    server.check();
    server.stop();
}

#[test]
fn a_page_that_a_moderator_has_opened_again_stays_open() {
    let server = Server::builder().moderator(TOKEN).start();
    let folder = Folder::new();
    let file = folder.join("lines");
    let line = json!({"id": 1, "page": "p", "content": "x", "created_at": "2020-01-01T00:00:00Z", "nonce": "nonce-of-the-line"});
    let locks = ["p", "q"].map(|page| json!({"kind": "page", "page": page, "locked": true}));
    fs::write(&file, format!("{line}\n{}\n{}\n", locks[0], locks[1])).unwrap();
    let is_locked =
        |page| get(&server, &format!("/api/comments?page={page}")).json()["locked"] == true;
    let said = imports(&server, &["--from", "sayso", &file]);
    assert!(is_locked("p") && is_locked("q") && !said.contains("stay open"), "{said}");
    let before = server.log_bytes();
    imports(&server, &["--from", "sayso", &file]);
    assert_eq!(server.log_bytes(), before, "they are closed once");
    assert!(server.run(&["unlock", "p"]).status.success());
    let said = imports(&server, &["--from", "sayso", &file]);
    assert!(said.contains("1 left open, as a moderator has opened the page"), "{said}");
    assert!(!is_locked("p") && is_locked("q"));
    assert_eq!(say(&server, &json!({"page": "p", "content": "open"})), 5);
}

/// As a moderator.
fn decide(server: &Server, method: &str, target: &str, body: &Value) {
    let response = request(server, method, target, &bearer(TOKEN), &body.to_string());
    assert!(matches!(response.status, 200..=204), "{response:?}");
}

/// The sentences about what an import does not bring.
fn not_brought(said: &str) -> Vec<String> {
    let (_, list) = said.split_once("not brought over, for you to repeat:\n").unwrap_or_default();
    list.lines().map(|line| line.strip_prefix("- ").unwrap().to_owned()).collect()
}

#[test]
fn what_a_diverged_log_has_beyond_comments_is_listed_with_what_does_it_again() {
    let mut here = Server::builder().moderator(TOKEN).start();
    let say_as = |server: &Server, page: &str, key: &str| {
        let body = json!({"page": page, "content": format!("{page} by {key}"), "key": key});
        let said = post(server, &body);
        assert_eq!(said.status, 201, "{said:?}");
        (said.json()["id"].as_u64().unwrap(), said.json()["author"].as_str().unwrap().to_owned())
    };
    // What both have in common is nothing to repeat.
    let (first, author) = say_as(&here, "p", KEY);
    let (second, other) = say_as(&here, "q", OTHER_KEY);
    let (third, _) = say_as(&here, "old name", KEY);
    let ban = |author: &str| json!({"author": author, "seconds": 86_400});
    decide(&here, "POST", "/api/admin/bans", &ban(&other));
    decide(&here, "PATCH", "/api/admin/pages", &json!({"page": "q", "locked": true}));
    let like = |server: &Server, id: u64, key: &str, on: bool| {
        let target = format!("/api/comments/{id}/like");
        let liked = request(server, "POST", &target, &bearer(key), &json!({"on": on}).to_string());
        assert_eq!(liked.status, 200, "{liked:?}");
    };
    like(&here, first, KEY, true);
    here.stop();
    let mut there = Server::builder().moderator(TOKEN).stopped();
    fs::copy(here.log(), there.log()).unwrap();
    here.restart();
    there.restart();

    like(&there, first, KEY, false);
    like(&there, third, "a-third-author-has-this-key", true);
    let flagged = request(
        &there,
        "POST",
        &format!("/api/comments/{third}/flag"),
        &bearer("a-third-author-has-this-key"),
        "",
    );
    assert_eq!(flagged.status, 204, "{flagged:?}");
    change(&there, "PATCH", first, &json!({"content": "edited there"}));
    change(&there, "PATCH", second, &json!({"status": "hidden"}));
    change(&there, "PATCH", third, &json!({"pinned": true}));
    decide(&there, "POST", "/api/admin/bans", &ban(&author));
    decide(&there, "DELETE", &format!("/api/admin/bans/{other}"), &json!({}));
    let with_address = json!({"comment": say_as(&there, "p", "a-fourth-author-has-this-key").0, "address": true, "seconds": 86_400});
    decide(&there, "POST", "/api/admin/bans", &with_address);
    decide(&there, "PATCH", "/api/admin/pages", &json!({"page": "q", "locked": false}));
    decide(&there, "PATCH", "/api/admin/pages", &json!({"page": "it's closed", "locked": true}));
    assert!(there.run(&["rename", "old name", "new/name"]).status.success());
    there.stop();

    let kept = there.log().display().to_string();
    let said = imports(&here, &["--from", "sayso", &kept]);
    let list = not_brought(&said);
    let line_of = |id: u64| {
        let is_of = |line: &str| line.contains(&format!("\"id\":{id},\"page\""));
        there.log_text().lines().enumerate().filter(|(_, line)| is_of(line)).last().unwrap().0 + 1
    };
    let text = format!("in line {} of the file", line_of(first));
    for parts in [
        vec![format!("comment {first} "), text],
        vec![format!("comment {second} "), format!("sayso hide {second}")],
        vec![format!("comment {third} "), "it is pinned".into()],
        vec![format!("sayso ban --author={author} --for 86")],
        vec![format!("sayso unban {other}")],
        vec!["banned an address".into(), "sayso ban --comment ID --address --for 86".into()],
        vec!["opened a page: sayso unlock q".into()],
        vec!["renamed a page: sayso rename 'old name' new/name".into()],
        vec![format!("comment {third} of the file was flagged by 1 reader")],
        vec!["1 like given and 1 taken back, on 2 comments".into()],
    ] {
        let has_all = |said: &&String| parts.iter().all(|part| said.contains(part));
        assert_eq!(list.iter().filter(has_all).count(), 1, "{parts:?}: {said}");
    }
    assert!(!said.contains("127.0.0.1") && !said.contains("\"address\""), "{said}");

    // Whoever does what is said is told of no command again.
    let commands: Vec<String> = list
        .iter()
        .filter_map(|said| Some(said.split_once("sayso ")?.1.to_owned()))
        .filter(|command| !command.contains(" ID ") && !command.contains("of the file"))
        .collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for command in &commands {
        let words = format!("printf '%s\\n' {command}");
        let words = std::process::Command::new("sh").args(["-c", &words]).output().unwrap();
        let words = String::from_utf8(words.stdout).unwrap();
        let done = here.run(&words.lines().collect::<Vec<_>>());
        assert!(done.status.success(), "{command}: {done:?}");
    }
    let again = imports(&here, &["--from", "sayso", &kept]);
    for said in not_brought(&again) {
        let is_done =
            commands.iter().any(|command| said.contains(command.split(" --for").next().unwrap()));
        assert!(!is_done, "{said}");
    }
    here.check();
}
