//! Somebody who can reach Redis writes there by hand: nodes say a sentence, none crashes, and none loses a line of its own log.

use std::{fs, io::ErrorKind, path::PathBuf};

use serde_json::{Value, json};

use super::nodes::{Cluster, ask, lines, until};
use crate::support::{
    client::{JSON, post},
    redis::Redis,
    server::Server,
};

const STREAM: &str = "sayso:{main}:stream";
const META: &str = "sayso:{main}:meta";
const RUNS: &str = "sayso:{main}:runs";
/// Comments before the attack.
const COMMENTS: usize = 12;

/// Two nodes with comments on both, and their log.
fn filled(redis: &Redis) -> (Cluster, Vec<String>) {
    let cluster = Cluster::start(&redis.url(), 2);
    for n in 0..COMMENTS {
        let body = json!({"content": format!("comment {n}")});
        until(
            || (post(&cluster.nodes[n % 2], &body).status == 201).then_some(()),
            || cluster.nodes[n % 2].stderr(),
        );
    }
    let lines = cluster.agree();
    (cluster, lines)
}

/// Whatever is in Redis: every node runs, serves all comments, and has each line that it had.
#[track_caller]
fn nothing_is_lost(cluster: &mut Cluster, before: &[String]) {
    for (at, node) in cluster.nodes.iter_mut().enumerate() {
        assert!(node.is_running(), "node {at} has ended: {}", node.stderr());
        let (status, history) =
            ask(node.address, "GET", "/api/comments?page=/&limit=200", "", "").unwrap();
        let count = history.matches("\"id\":").count();
        assert!(status == 200 && count >= COMMENTS, "node {at} serves {count} comments: {history}");
        let log = lines(&node.log_text());
        assert!(log.starts_with(before), "node {at} has other lines than before: {log:?}");
        assert!(!node.stderr().contains("panicked"), "{}", node.stderr());
        node.check();
    }
}

/// Waits until either node says something with these words.
#[track_caller]
fn is_said(cluster: &Cluster, words: &[&str]) {
    let said = || cluster.nodes.iter().map(|node| node.stderr()).collect::<String>();
    let has_all = || {
        let text = said();
        words.iter().all(|word| text.contains(word)).then_some(())
    };
    until(has_all, || format!("nobody says {words:?}: {}", said()));
}

/// The id of the entry that would be next.
fn next_id(redis: &Redis) -> String {
    let seq: u64 = redis.run::<String>(&["HGET", META, "seq"]).parse().unwrap();
    format!("{}-0", seq + 1)
}

#[test]
fn an_entry_that_no_node_has_written_is_told_and_not_taken() {
    let rubbish: [&[&str]; 6] = [
        &["x", "y"],
        &["l", "not JSON", "h", "1.0123456789abcdef", "r", "0123456789abcdef"],
        &["l", "{}", "h", "1.0123456789abcdef", "r", "0123456789abcdef"],
        &["l", "{\"seq\":1,\"id\":1}", "h", "1.0123456789abcdef", "r", "0123456789abcdef"],
        &["l", "\u{0}\u{1}", "h", "", "r", ""],
        &["l", "{}", "h", "99999999999999999999.zz", "r", "\u{e9}"],
    ];
    for fields in rubbish {
        let Some(redis) = Redis::start(&[]) else { return };
        let (mut cluster, before) = filled(&redis);
        let id = next_id(&redis);
        let words = [&["XADD", STREAM, &id][..], fields].concat();
        redis.run::<String>(&words);
        is_said(&cluster, &["stream"]);
        nothing_is_lost(&mut cluster, &before);
        is_unavailable_until_the_keys_are_deleted(&redis, &cluster);
        nothing_is_lost(&mut cluster, &before);
    }
}

/// Checks that all nodes say why they take nothing, and take what comes once a person has done what they say.
#[track_caller]
fn is_unavailable_until_the_keys_are_deleted(redis: &Redis, cluster: &Cluster) {
    for node in &cluster.nodes {
        let health = || ask(node.address, "GET", "/healthz", "", "").unwrap().1;
        let is_told = || {
            let health: Value = serde_json::from_str(&health()).unwrap();
            let why = health["cluster"]["why"].as_str().unwrap_or_default().to_owned();
            let is_connected = health["cluster"]["connected"] == true;
            (why.contains("delete the three keys") && !is_connected).then_some(())
        };
        until(is_told, health);
    }
    redis.run::<usize>(&["DEL", STREAM, META, RUNS]);
    for node in &cluster.nodes {
        let body = json!({"content": "afterwards"});
        until(|| (post(node, &body).status == 201).then_some(()), || node.stderr());
    }
}

#[test]
fn a_forged_line_of_the_right_form_is_not_taken() {
    let Some(redis) = Redis::start(&[]) else { return };
    let (mut cluster, before) = filled(&redis);
    let id = next_id(&redis);
    let seq = id.strip_suffix("-0").unwrap();
    let run: String = redis.run(&["HGET", META, "run"]);
    let line = format!(
        "{{\"seq\":{seq},\"id\":{seq},\"page\":\"/\",\"content\":\"forged\",\"created_at\":\"2026-11-27T00:00:00.000Z\",\"nonce\":\"0123456789abcdef\"}}"
    );
    redis.run::<String>(&["XADD", STREAM, &id, "l", &line, "h", "1.0123456789abcdef", "r", &run]);
    is_said(&cluster, &["the stream in Redis has an entry that no node has written"]);
    is_unavailable_until_the_keys_are_deleted(&redis, &cluster);
    nothing_is_lost(&mut cluster, &before);
    for node in &cluster.nodes {
        assert!(!node.log_text().contains("forged"));
    }
}

/// Waits until a node has answered a post in one way or the other, or has ended with a sentence and kept its log.
#[track_caller]
fn is_answered(node: &mut Server, before: &[String], what: &str) {
    let body = json!({"content": "beside it"}).to_string();
    let answer = ask(node.address, "POST", "/api/comments", JSON, &body);
    match answer {
        Ok((status, said)) => assert!(matches!(status, 201 | 503), "{what}: {status} {said}"),
        // It waits for longer than this client.
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        // It ends.
        Err(_) => {
            node.wait();
        }
    }
    assert!(!node.stderr().contains("panicked"), "{what}: {}", node.stderr());
    if node.is_running() {
        return;
    }
    assert_eq!(node.wait().code(), Some(1), "{what}: {}", node.stderr());
    let said = node.stderr();
    assert!(said.lines().last().unwrap().contains("sayso import --from sayso"), "{what}: {said}");
    let files = fs::read_dir(node.data()).unwrap().map(|entry| entry.unwrap().path());
    let mut logs = files.filter(|path| path.to_str().unwrap().contains("comments.jsonl"));
    let is_whole = |path: &PathBuf| lines(&fs::read_to_string(path).unwrap()).starts_with(before);
    assert!(logs.any(|path| is_whole(&path)), "{what}: its log is gone");
}

#[test]
fn nonsense_in_meta_is_told_and_loses_no_log() {
    for (field, value) in [
        ("seq", "999999"),
        ("seq", "1"),
        ("seq", "minus one"),
        ("log", "0000000000000000"),
        ("run", "ffffffffffffffff"),
        ("num", "x"),
        ("open", "99999999999999"),
        ("redis", "somebody else"),
        ("baseh", "x"),
        ("salt", "short"),
    ] {
        let Some(redis) = Redis::start(&[]) else { return };
        let (mut cluster, before) = filled(&redis);
        redis.run::<usize>(&["HSET", META, field, value]);
        let what = format!("{field} {value}");
        for node in &mut cluster.nodes {
            is_answered(node, &before, &what);
        }
        // New connections, too, find what is there.
        redis.run::<usize>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        for node in &mut cluster.nodes {
            if node.is_running() {
                is_answered(node, &before, &what);
            }
        }
    }
}

#[test]
fn a_missing_key_is_told_and_all_three_missing_are_made_anew() {
    for key in [STREAM, META, RUNS] {
        let Some(redis) = Redis::start(&[]) else { return };
        let (mut cluster, before) = filled(&redis);
        redis.run::<usize>(&["DEL", key]);
        until(
            || (post(&cluster.nodes[0], &json!({"content": "x"})).status == 503).then_some(()),
            || format!("{key} is missed by nobody"),
        );
        is_said(&cluster, &["somebody has changed what the nodes keep in Redis"]);
        nothing_is_lost(&mut cluster, &before);
        redis.run::<()>(&["DEL", STREAM, META, RUNS]);
        until(
            || (post(&cluster.nodes[1], &json!({"content": "again"})).status == 201).then_some(()),
            || cluster.nodes[1].stderr(),
        );
        cluster.agree();
        nothing_is_lost(&mut cluster, &before);
    }
}

#[test]
fn a_salt_that_no_node_has_written_is_told() {
    let Some(redis) = Redis::start(&[]) else { return };
    let (mut cluster, before) = filled(&redis);
    redis.run::<usize>(&["HSET", META, "salt", "short"]);
    // Only new connections are told the salt.
    redis.run::<usize>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    until(
        || (post(&cluster.nodes[0], &json!({"content": "x"})).status == 503).then_some(()),
        || cluster.nodes[0].stderr(),
    );
    is_said(&cluster, &["the nodes keep in Redis (salt)"]);
    nothing_is_lost(&mut cluster, &before);
}

#[test]
fn keys_of_another_type_are_told() {
    for key in [STREAM, META, RUNS] {
        let Some(redis) = Redis::start(&[]) else { return };
        let (mut cluster, before) = filled(&redis);
        redis.run::<usize>(&["DEL", key]);
        redis.run::<()>(&["SET", key, "a text"]);
        // The runs are looked at by new connections only.
        redis.run::<usize>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        until(
            || (post(&cluster.nodes[0], &json!({"content": "x"})).status == 503).then_some(()),
            || format!("{key} is missed by nobody"),
        );
        is_said(&cluster, &["Redis"]);
        nothing_is_lost(&mut cluster, &before);
    }
}

#[test]
fn keys_that_expire_are_made_anew_from_the_nodes() {
    let Some(redis) = Redis::start(&[]) else { return };
    let (mut cluster, before) = filled(&redis);
    for key in [STREAM, META, RUNS] {
        redis.run::<usize>(&["PEXPIRE", key, "1"]);
    }
    until(|| (redis.run::<usize>(&["DBSIZE"]) == 0).then_some(()), || "they do not expire".into());
    until(
        || (post(&cluster.nodes[1], &json!({"content": "again"})).status == 201).then_some(()),
        || cluster.nodes[1].stderr(),
    );
    cluster.agree();
    nothing_is_lost(&mut cluster, &before);
}
