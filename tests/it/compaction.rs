//! Compaction while everybody goes on: by hand and by itself.

use std::{
    fs,
    io::Write,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    support::client::{Client, get, post, posted, request},
    support::server::{Folder, PATIENCE, Program, command},
};

const KEY: &str = "0123456789abcdef";

fn edit(program: &Program, id: u64, content: &str) -> Value {
    let headers = format!("Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\n");
    let answer = request(
        program,
        "PATCH",
        &format!("/api/comments/{id}"),
        &headers,
        &json!({ "content": content }).to_string(),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn compact(folder: &Folder) {
    let output = command().args(["compact", "--data"]).arg(&folder.0).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

fn check(folder: &Folder) {
    let output = command().args(["check", "--data"]).arg(&folder.0).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// All lines of the page `/`, by `since`.
fn all(program: &Program) -> Vec<Value> {
    let (mut lines, mut since) = (Vec::new(), 0);
    loop {
        let answer = get(program, &format!("/api/comments?since={since}&limit=200")).json();
        for line in answer["comments"].as_array().unwrap() {
            since = line["seq"].as_u64().unwrap();
            lines.push(line.clone());
        }
        if answer["more"] == false {
            return lines;
        }
    }
}

#[test]
fn what_was_deleted_is_gone_from_the_file_and_all_else_is_as_before() {
    let folder = Folder::new();
    let mut program = Program::start(&folder.0, &[]);
    for n in 0..20 {
        let nonce = format!("nonce-nonce-nonce-{n:03}");
        post(&program, &json!({"content": format!("first words {n}"), "key": KEY, "nonce": nonce}));
    }
    edit(&program, 3, "second words");
    let headers = format!("Authorization: Bearer {KEY}\r\n");
    assert_eq!(request(&program, "DELETE", "/api/comments/5", &headers, "").status, 200);
    let (before, log) = (all(&program), get(&program, "/api/comments").json()["log"].clone());
    let mut reader = Client::full(&program, &format!("since=19&log={}", log.as_str().unwrap()));
    compact(&folder);
    let text = fs::read_to_string(folder.log()).unwrap();
    assert!(!text.contains("first words 4\"") && !text.contains("first words 2\""), "{text}");
    assert!(text.contains("second words") && text.contains("first words 1\""));
    check(&folder);
    assert_eq!(all(&program), before);
    assert_eq!(reader.json()["hello"]["resumed"], true);
    assert_eq!(reader.line()["seq"], 20);
    // Nonces are known for ever, also that of the deleted comment.
    for n in [2, 4, 7] {
        let nonce = format!("nonce-nonce-nonce-{n:03}");
        assert_eq!(post(&program, &json!({"content": "again", "nonce": nonce})).status, 200, "{n}");
    }
    assert_eq!(posted(&program, "next")["seq"], 23);
    program.stop();
    check(&folder);
    let mut program = Program::start(&folder.0, &[]);
    assert_eq!(all(&program)[..before.len()], before[..]);
    assert_eq!(edit(&program, 5 - 1, "edited after a compaction and a restart")["seq"], 24);
    assert_eq!(get(&program, "/api/comments").json()["log"], log);
    program.stop();
    compact(&folder);
    let program = Program::start(&folder.0, &[]);
    assert_eq!(posted(&program, "after a compaction by hand")["seq"], 25);
    assert_eq!(all(&program).len(), 22);
}

#[test]
fn posts_and_edits_go_on_while_the_log_is_compacted_again_and_again() {
    let folder = Folder::new();
    let mut program = Program::start(&folder.0, &[]);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let authors: Vec<_> = (0..4)
            .map(|author| {
                let (mut client, program) = (Client::full(&program, ""), &program);
                scope.spawn(move || {
                    let mut lines = 0;
                    for n in 0..150 {
                        let nonce = format!("author-{author}-comment-{n:04}");
                        client
                            .send(&json!({"content": "x".repeat(500), "nonce": nonce, "key": KEY}));
                        let mine = |line: &Value| line["nonce"] == nonce.as_str();
                        let posted = std::iter::from_fn(|| Some(client.line())).find(mine).unwrap();
                        edit(program, posted["id"].as_u64().unwrap(), &format!("{author}/{n}"));
                        lines += 1;
                    }
                    lines
                })
            })
            .collect();
        let (folder, stop) = (&folder, &done);
        let compactor = scope.spawn(move || {
            let (start, mut count) = (std::time::Instant::now(), 0);
            while !stop.load(Relaxed) {
                assert!(start.elapsed() < PATIENCE);
                compact(folder);
                count += 1;
            }
            count
        });
        let lines: u32 = authors.into_iter().map(|author| author.join().unwrap()).sum();
        done.store(true, Relaxed);
        assert_eq!(lines, 600);
        assert!(compactor.join().unwrap() > 1, "there was time for several");
    });
    let before = all(&program);
    assert_eq!(before.len(), 600);
    assert!(before.iter().all(|line| line["content"].as_str().unwrap().contains('/')));
    check(&folder);
    program.kill();
    check(&folder);
    let program = Program::start(&folder.0, &[]);
    assert_eq!(all(&program), before);
}

#[test]
fn a_folder_whose_path_is_too_long_for_a_socket_is_compacted_by_its_server_too() {
    let parent = Folder::new();
    let folder = Folder(parent.0.join("a-long-name-for-a-folder/".repeat(8)));
    let mut program = Program::start(&folder.0, &[]);
    let id = posted(&program, "first")["id"].as_u64().unwrap();
    assert_eq!(id, 1);
    compact(&folder);
    assert!(program.stop().success());
    // The next server, and one that was killed, leave nothing in each other's way.
    let mut program = Program::start(&folder.0, &[]);
    compact(&folder);
    program.kill();
    let program = Program::start(&folder.0, &[]);
    compact(&folder);
    assert_eq!(all(&program).len(), 1);
}

#[test]
fn a_check_takes_no_write_under_way_for_damage() {
    let folder = Folder::new();
    let mut program = Program::start(&folder.0, &["--sync", "never"]);
    (0..200).for_each(|n| drop(posted(&program, &format!("comment {n}"))));
    assert!(program.stop().success());
    // A server that is caught in the middle of every single line.
    let bytes = fs::read(folder.log()).unwrap();
    let lines: Vec<_> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
    fs::write(folder.log(), lines[0]).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(folder.log()).unwrap();
    thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for line in &lines[1..] {
                let (half, rest) = line.split_at(line.len() / 2);
                file.write_all(half).unwrap();
                thread::sleep(Duration::from_millis(3));
                file.write_all(rest).unwrap();
            }
        });
        let length = || fs::metadata(folder.log()).unwrap().len();
        while !writer.is_finished() {
            let before = length();
            let output = command().args(["check", "--data"]).arg(&folder.0).output().unwrap();
            // On a machine that lets the writer stand in the middle of one line all the while, that is what there is to see.
            assert!(output.status.success() || length() == before, "{output:?}");
        }
        check(&folder);
    });
    assert_eq!(fs::read(folder.log()).unwrap(), bytes);
}

#[test]
fn a_log_that_is_mostly_stale_is_compacted_by_itself() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    post(&program, &json!({"content": "first", "key": KEY}));
    let start = std::time::Instant::now();
    let mut longest = 0;
    loop {
        edit(&program, 1, &"y".repeat(8_000));
        let length = fs::metadata(folder.log()).unwrap().len();
        if length < longest {
            break;
        }
        longest = length;
        assert!(start.elapsed() < PATIENCE, "still {length} bytes");
    }
    assert!(longest >= 1 << 20, "{longest} bytes are not worth it");
    check(&folder);
    assert_eq!(all(&program).len(), 1);
}
