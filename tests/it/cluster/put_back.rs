//! Somebody puts an older state of Redis back. Under a Redis that is started again, nodes bring what it lacks; under one that runs, which no
//! node can tell from a history of its own, each stops with a sentence and keeps its log, and a person starts anew from one of them.

use std::{fs, path::PathBuf};

use serde_json::json;

use super::nodes::{Cluster, ask, lines, until};
use crate::support::{
    client::{JSON, post},
    redis::Redis,
    server::Server,
};

const KEYS: [&str; 3] = ["sayso:{main}:stream", "sayso:{main}:meta", "sayso:{main}:runs"];

#[track_caller]
fn posted(node: &Server, content: &str) {
    let body = json!({ "content": content });
    until(|| (post(node, &body).status == 201).then_some(()), || node.stderr());
}

fn write(cluster: &Cluster, when: &str) -> Vec<String> {
    for n in 0..6 {
        posted(&cluster.nodes[n % 2], &format!("{when} {n}"));
    }
    cluster.agree()
}

#[test]
fn an_older_file_of_redis_under_one_that_starts_again_is_filled_from_the_nodes() {
    let Some(mut redis) = Redis::start(&["dbfilename dump.rdb"]) else { return };
    let cluster = Cluster::start(&redis.url(), 2);
    write(&cluster, "before");
    redis.run::<()>(&["SAVE"]);
    let (file, older) = (redis.data().join("dump.rdb"), redis.data().join("older"));
    fs::copy(&file, &older).unwrap();
    let before = write(&cluster, "after");
    redis.kill();
    fs::rename(&older, &file).unwrap();
    redis.restart();
    assert_eq!(redis.run::<String>(&["HGET", KEYS[1], "seq"]), "6");
    posted(&cluster.nodes[1], "and on");
    let lines = cluster.agree();
    assert!(lines.len() == 13 && lines.starts_with(&before), "{lines:?}");
}

/// Waits until a node that is asked to store something has ended by itself. Returns the log that it has kept.
#[track_caller]
fn has_stopped(node: &mut Server) -> PathBuf {
    let body = json!({"content": "is it still so?"}).to_string();
    let has_ended = || {
        // It may end before it has answered.
        let answer = ask(node.address, "POST", "/api/comments", JSON, &body);
        assert!(!matches!(answer, Ok((201, _))), "{answer:?}");
        (!node.is_running()).then_some(())
    };
    until(has_ended, || "it goes on".into());
    assert_eq!(node.wait().code(), Some(1), "{}", node.stderr());
    let said = node.stderr();
    let said = said.lines().last().unwrap();
    let files = fs::read_dir(node.data()).unwrap().map(|entry| entry.unwrap().path());
    let is_kept = |path: &PathBuf| path.to_str().unwrap().contains("comments.jsonl.diverged-");
    let kept: Vec<PathBuf> = files.filter(is_kept).collect();
    let [kept] = &kept[..] else { panic!("{kept:?}: {said}") };
    assert!(said.contains(kept.to_str().unwrap()) && said.contains("all nodes"), "{said}");
    kept.clone()
}

/// Puts the older state back that `keep` has kept, and does what a person is then told to do.
fn put_back<T>(keep: impl Fn(&Redis) -> T, put: impl Fn(&Redis, T)) {
    let Some(redis) = Redis::start(&[]) else { return };
    let mut cluster = Cluster::start(&redis.url(), 2);
    write(&cluster, "before");
    let older = keep(&redis);
    let before = write(&cluster, "after");
    put(&redis, older);
    assert_eq!(redis.run::<String>(&["HGET", KEYS[1], "seq"]), "6");
    let kept: Vec<PathBuf> = cluster.nodes.iter_mut().map(has_stopped).collect();
    for log in &kept {
        assert_eq!(lines(&fs::read_to_string(log).unwrap()), before);
    }

    redis.run::<usize>(&["DEL", KEYS[0], KEYS[1], KEYS[2]]);
    fs::rename(&kept[0], cluster.nodes[0].log()).unwrap();
    cluster.restart(0);
    fs::copy(cluster.nodes[0].log(), cluster.nodes[1].log()).unwrap();
    cluster.restart(1);
    posted(&cluster.nodes[1], "and on");
    #[cfg(feature = "exchange")]
    {
        let import = ["import", "--from", "sayso", kept[1].to_str().unwrap()];
        let output = cluster.nodes[1].run(&import);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(": 0 new comments") && !said.contains("not brought"), "{said}");
    }
    let lines = cluster.agree();
    assert!(lines.len() == before.len() + 1 && lines.starts_with(&before), "{lines:?}");
}

#[test]
fn another_database_that_is_swapped_in_stops_the_nodes_and_one_of_their_logs_starts_all_again() {
    let keep = |redis: &Redis| {
        for key in KEYS {
            assert_eq!(redis.run::<usize>(&["COPY", key, key, "DB", "1"]), 1);
        }
    };
    put_back(keep, |redis, ()| redis.run(&["SWAPDB", "0", "1"]));
}

#[test]
fn older_keys_that_are_restored_stop_the_nodes_and_one_of_their_logs_starts_all_again() {
    let keep = |redis: &Redis| KEYS.map(|key| redis.run::<Vec<u8>>(&["DUMP", key]));
    put_back(keep, |redis, older| {
        let mut all = redis::pipe();
        all.atomic();
        for (key, value) in KEYS.iter().zip(older) {
            all.cmd("RESTORE").arg(key).arg(0).arg(value).arg("REPLACE");
        }
        all.exec(&mut redis.connection()).unwrap();
    });
}
