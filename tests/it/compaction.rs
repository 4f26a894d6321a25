//! Compaction while everybody goes on: by hand and by itself.

use std::{
    fs,
    io::Write,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    client::{KEY, bearer, get, history_since, post, posted, request},
    frames::Client,
    server::{Server, TIMEOUT},
};

fn edit(server: &Server, id: u64, content: &str) -> Value {
    let headers = bearer(KEY);
    let response = request(
        server,
        "PATCH",
        &format!("/api/comments/{id}"),
        &headers,
        &json!({ "content": content }).to_string(),
    );
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

/// All lines of the page `/`, by `since`.
fn all(server: &Server) -> Vec<Value> {
    history_since(server, "/", 0)
}

#[test]
fn what_was_deleted_is_gone_from_the_file_and_all_else_is_as_before() {
    let mut server = Server::start(&[]);
    for n in 0..20 {
        let nonce = format!("nonce-nonce-nonce-{n:03}");
        post(&server, &json!({"content": format!("first words {n}"), "key": KEY, "nonce": nonce}));
    }
    edit(&server, 3, "second words");
    let headers = bearer(KEY);
    assert_eq!(request(&server, "DELETE", "/api/comments/5", &headers, "").status, 200);
    let (before, log) = (all(&server), get(&server, "/api/comments").json()["log"].clone());
    let mut reader = Client::full(&server, &format!("since=19&log={}", log.as_str().unwrap()));
    server.compact();
    let text = server.log_text();
    assert!(!text.contains("first words 4\"") && !text.contains("first words 2\""), "{text}");
    assert!(text.contains("second words") && text.contains("first words 1\""));
    server.check();
    assert_eq!(all(&server), before);
    assert_eq!(reader.json()["hello"]["resumed"], true);
    assert_eq!(reader.line()["seq"], 20);
    // Nonces are known for ever, also that of the deleted comment.
    for n in [2, 4, 7] {
        let nonce = format!("nonce-nonce-nonce-{n:03}");
        assert_eq!(post(&server, &json!({"content": "again", "nonce": nonce})).status, 200, "{n}");
    }
    assert_eq!(posted(&server, "next")["seq"], 23);
    server.stop();
    server.check();
    server.restart();
    assert_eq!(all(&server)[..before.len()], before[..]);
    assert_eq!(edit(&server, 5 - 1, "edited after a compaction and a restart")["seq"], 24);
    assert_eq!(get(&server, "/api/comments").json()["log"], log);
    server.stop();
    server.compact();
    server.restart();
    assert_eq!(posted(&server, "after a compaction by hand")["seq"], 25);
    assert_eq!(all(&server).len(), 22);
}

#[test]
fn posts_and_edits_go_on_while_the_log_is_compacted_again_and_again() {
    let mut server = Server::start(&[]);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let authors: Vec<_> = (0..4)
            .map(|author| {
                let (mut client, server) = (Client::full(&server, ""), &server);
                scope.spawn(move || {
                    let mut lines = 0;
                    for n in 0..150 {
                        let nonce = format!("author-{author}-comment-{n:04}");
                        client
                            .send(&json!({"content": "x".repeat(500), "nonce": nonce, "key": KEY}));
                        let mine = |line: &Value| line["nonce"] == nonce.as_str();
                        let posted = std::iter::from_fn(|| Some(client.line())).find(mine).unwrap();
                        edit(server, posted["id"].as_u64().unwrap(), &format!("{author}/{n}"));
                        lines += 1;
                    }
                    lines
                })
            })
            .collect();
        let (server, stop) = (&server, &done);
        let compactor = scope.spawn(move || {
            let (start, mut count) = (std::time::Instant::now(), 0);
            while !stop.load(Relaxed) {
                assert!(start.elapsed() < TIMEOUT);
                server.compact();
                count += 1;
            }
            count
        });
        let lines: u32 = authors.into_iter().map(|author| author.join().unwrap()).sum();
        done.store(true, Relaxed);
        assert_eq!(lines, 600);
        assert!(compactor.join().unwrap() > 1, "there was time for several");
    });
    let before = all(&server);
    assert_eq!(before.len(), 600);
    assert!(before.iter().all(|line| line["content"].as_str().unwrap().contains('/')));
    server.check();
    server.kill();
    server.check();
    server.restart();
    assert_eq!(all(&server), before);
}

#[test]
fn a_folder_whose_path_is_too_long_for_a_socket_is_compacted_by_its_server_too() {
    let mut server = Server::builder().data("a-long-name-for-a-folder/".repeat(8)).start();
    let id = posted(&server, "first")["id"].as_u64().unwrap();
    assert_eq!(id, 1);
    server.compact();
    assert!(server.stop().success());
    // The next server, and one that was killed, leave nothing in each other's way.
    server.restart();
    server.compact();
    server.kill();
    server.restart();
    server.compact();
    assert_eq!(all(&server).len(), 1);
}

#[test]
fn a_check_takes_no_write_under_way_for_damage() {
    let mut server = Server::start(&["--sync", "never"]);
    (0..200).for_each(|n| drop(posted(&server, &format!("comment {n}"))));
    assert!(server.stop().success());
    // A server that is caught in the middle of every single line.
    let bytes = server.log_bytes();
    let lines: Vec<_> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
    server.write_log(lines[0]);
    let mut file = fs::OpenOptions::new().append(true).open(server.log()).unwrap();
    thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for line in &lines[1..] {
                let (half, rest) = line.split_at(line.len() / 2);
                file.write_all(half).unwrap();
                thread::sleep(Duration::from_millis(3));
                file.write_all(rest).unwrap();
            }
        });
        let length = || fs::metadata(server.log()).unwrap().len();
        while !writer.is_finished() {
            let before = length();
            let output = server.run(&["check"]);
            // On a machine that lets the writer stand in the middle of one line all the while, that is what there is to see.
            assert!(output.status.success() || length() == before, "{output:?}");
        }
        server.check();
    });
    assert_eq!(server.log_bytes(), bytes);
}

#[test]
fn a_log_that_is_mostly_stale_is_compacted_by_itself() {
    let server = Server::start(&[]);
    post(&server, &json!({"content": "first", "key": KEY}));
    let start = std::time::Instant::now();
    let mut longest = 0;
    loop {
        edit(&server, 1, &format!("{longest:0>8000}"));
        let length = fs::metadata(server.log()).unwrap().len();
        if length < longest {
            break;
        }
        longest = length;
        assert!(start.elapsed() < TIMEOUT, "still {length} bytes");
    }
    assert!(longest >= 1 << 20, "{longest} bytes are not worth it");
    server.check();
    assert_eq!(all(&server).len(), 1);
}
