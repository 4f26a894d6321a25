//! Over failures, `kill -9`, compactions and wrong cursors: every comment at least once, and for each kill one at most twice.

use std::{fs, path::PathBuf};

use serde_json::json;

use super::{Program, TELLS, text, until};
use crate::support::{
    client::{KEY, bearer, get, post, posted, request},
    server::{Builder, Server},
};

fn builder(program: &Program) -> Builder {
    let [flag, path] = program.flags();
    // Behind a line of shell, its stderr is kept.
    Server::builder().flags(&[&flag, &path]).shell("")
}

fn cursor_path(server: &Server) -> PathBuf {
    let entries = fs::read_dir(server.data().join("notify")).unwrap();
    let paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    let [path] = &paths[..] else { panic!("{paths:?}") };
    path.clone()
}

/// The log's id and the sequence number in the cursor.
fn cursor(server: &Server) -> (String, u64) {
    let text = fs::read_to_string(cursor_path(server)).unwrap();
    let words: Vec<&str> = text.split_whitespace().collect();
    (words[0].to_owned(), words[1].parse().unwrap())
}

#[test]
fn a_program_that_fails_is_told_everything_once_it_works_over_a_kill_in_between() {
    let fails = "echo '{\"line\":{\"content\":\"a try\"}}' >\"$D/told\"; echo no luck >&2; exit 3";
    let program = Program::new(fails);
    let mut server = builder(&program).start();
    for number in 1..=3 {
        posted(&server, &format!("comment {number}"));
    }
    for _ in 0..2 {
        assert_eq!(program.next_text(), "a try");
    }
    server.kill();
    let said = server.stderr();
    assert!(
        said.contains("program-")
            && said
                .contains("has failed, the next try is in 1 s: exit status: 3; it says: no luck"),
        "{said}"
    );
    server.restart();
    assert_eq!(program.next_text(), "a try");
    program.write(TELLS);
    posted(&server, "comment 4");
    for number in 1..=4 {
        assert_eq!(program.next_text(), format!("comment {number}"));
    }
    posted(&server, "last");
    assert_eq!(program.next_text(), "last");
}

#[test]
fn over_many_kills_nothing_is_lost_and_each_repeats_one_at_most() {
    const KILLS: usize = 8;
    // Hands on in between, so that it is killed before, while and after it tells.
    let program =
        Program::new(&format!("{TELLS}; [ $(($(wc -l <\"$D/runs\") % 2)) = 0 ] || sleep 0.02"));
    let mut server = builder(&program).start();
    let (mut told, mut count) = (Vec::new(), 0);
    for kill in 0..KILLS {
        for _ in 0..4 {
            count += 1;
            posted(&server, &format!("comment {count}"));
        }
        for _ in 0..=kill % 3 {
            told.push(program.next_text());
        }
        server.kill();
        server.restart();
    }
    let last = format!("comment {count}");
    while told.last() != Some(&last) {
        told.push(program.next_text());
    }
    posted(&server, "the end");
    let mut rest = program.next_text();
    while rest != "the end" {
        told.push(rest);
        rest = program.next_text();
    }
    for number in 1..=count {
        let comment = format!("comment {number}");
        assert!(told.contains(&comment), "{comment} is not told: {told:?}");
    }
    assert!(told.len() <= count + KILLS, "{} of {count} are told: {told:?}", told.len());
}

#[test]
fn a_kill_while_the_program_runs_repeats_that_one_event() {
    let program = Program::new(&format!("{TELLS}; read _ <\"$D/go\""));
    let mut server = builder(&program).start();
    for number in 1..=3 {
        posted(&server, &format!("comment {number}"));
    }
    assert_eq!(program.next_text(), "comment 1");
    program.let_go();
    assert_eq!(program.next_text(), "comment 2");
    server.kill();
    // The program that nobody waits for any more takes one, too.
    program.let_go();
    server.restart();
    assert_eq!(program.next_text(), "comment 2");
    program.let_go();
    assert_eq!(program.next_text(), "comment 3");
    program.let_go();
}

#[test]
fn a_compaction_in_between_loses_nothing() {
    let program = Program::new(&format!("{TELLS}; read _ <\"$D/go\""));
    let mut server = builder(&program).start();
    posted(&server, "busy");
    assert_eq!(program.next_text(), "busy");
    let make = |content: &str| {
        post(&server, &json!({"content": content, "key": KEY})).json()["id"].clone()
    };
    let [first, _, third] = ["one", "two", "three"].map(make);
    for (id, content) in [(&third, "three again"), (&first, "one again")] {
        let body = json!({ "content": content }).to_string();
        let path = format!("/api/comments/{id}");
        assert_eq!(request(&server, "PATCH", &path, &bearer(KEY), &body).status, 200);
    }
    // Now the first comment's only line is the last of all.
    server.compact();
    let told = |server: &mut Server, restarts: bool| {
        if restarts {
            server.kill();
            server.restart();
            program.let_go();
            program.next();
        }
        program.let_go();
        program.next_text()
    };
    assert_eq!(told(&mut server, false), "one again");
    assert_eq!(told(&mut server, true), "two");
    server.compact();
    assert_eq!(told(&mut server, true), "three again");
    program.let_go();
    posted(&server, "last");
    assert_eq!(program.next_text(), "last");
    program.let_go();
}

#[test]
fn with_a_cursor_that_is_not_of_this_log_it_begins_at_the_end() {
    let program = Program::new(TELLS);
    let mut server = builder(&program).start();
    posted(&server, "one");
    assert_eq!(program.next_text(), "one");
    assert!(server.stop().success());
    let good = cursor(&server);
    assert_eq!(good.1, 1);
    for (number, (wrong, why)) in [
        ("0123456789abcdef 1 0\n".to_owned(), "of another log"),
        (format!("{} 1000 0\n", good.0), "behind the log’s end"),
        ("0123".to_owned(), "damaged"),
    ]
    .into_iter()
    .enumerate()
    {
        // Comments that the program missed.
        let path = cursor_path(&server);
        fs::remove_file(&path).unwrap();
        program.write("exit 1");
        server.restart();
        posted(&server, &format!("missed {number}"));
        assert!(server.stop().success());
        fs::write(path, wrong).unwrap();
        program.write(TELLS);
        server.restart();
        posted(&server, &format!("after {number}"));
        assert_eq!(program.next_text(), format!("after {number}"));
        let said = server.stderr();
        assert!(said.contains(why) && said.contains("begins at the log’s end"), "{said}");
        assert!(server.stop().success());
        assert_eq!(cursor(&server), (good.0.clone(), 3 + 2 * number as u64));
    }
}

#[test]
fn what_is_passed_over_is_not_looked_at_again_after_a_stop() {
    let program = Program::new(TELLS);
    let mut server = builder(&program).start();
    let line = post(&server, &json!({"content": "one", "key": KEY})).json();
    assert_eq!(text(&program.next()), "one");
    let like = format!("/api/comments/{}/like", line["id"]);
    assert_eq!(request(&server, "POST", &like, &bearer(KEY), "{\"on\":true}").status, 200);
    let is_seen = || {
        let metrics = get(&server, "/metrics").body;
        metrics.lines().any(|line| line.starts_with("sayso_notify_lag{") && line.ends_with("} 0"))
    };
    until("it has not seen the like", is_seen);
    assert!(server.stop().success());
    assert_eq!(cursor(&server).1, 2);
}

#[test]
fn a_cursor_that_cannot_be_read_for_now_is_kept_and_nothing_behind_it_is_lost() {
    let program = Program::new(TELLS);
    let mut server = builder(&program).start();
    posted(&server, "told");
    assert_eq!(program.next_text(), "told");
    assert!(server.stop().success());
    let path = cursor_path(&server);
    program.write("exit 1");
    server.restart();
    posted(&server, "missed");
    until("the program has not failed", || program.runs() == 1 + 1);
    assert!(server.stop().success());
    // A folder can't be read as a file, not even by root.
    let aside = server.data().join("aside");
    fs::rename(&path, &aside).unwrap();
    fs::create_dir(&path).unwrap();
    program.write(TELLS);
    server.restart();
    posted(&server, "after");
    until("it is not said", || server.stderr().contains("its cursor can’t be read"));
    assert_eq!(program.runs(), 1 + 1, "before, and the one that failed");
    fs::remove_dir(&path).unwrap();
    fs::rename(&aside, &path).unwrap();
    assert_eq!(program.next_text(), "missed");
    assert_eq!(program.next_text(), "after");
}
