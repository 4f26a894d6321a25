//! What `src/cluster/README.md` says to write into files works as it stands there, and its figures hold.

use std::ffi::OsString;

use sayso::cli::{Subcommand, parse};
use serde_json::json;

use super::{
    authors::{Authors, check_acknowledged},
    nodes::{Cluster, check_refusal, node, until},
};
use crate::support::{
    client::{post, posted},
    redis::Redis,
    server::{Builder, Server},
};

const README: &str = include_str!("../../../src/cluster/README.md");
const STREAM: &str = "sayso:{main}:stream";

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    README.split(&start).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The lines of a block, less those that are only good on the machine of the example.
fn lines<'b>(block: &'b str, without: &[&str]) -> Vec<&'b str> {
    for word in without {
        assert!(block.contains(word), "{word} is not in {block}");
    }
    let is_general = |line: &&str| !without.iter().any(|word| line.starts_with(word));
    block.lines().filter(is_general).collect()
}

#[test]
fn redis_as_configured_takes_what_nodes_ask_and_its_password_is_in_no_log() {
    let [main, replicas] = blocks("conf")[..] else { panic!("{:?}", blocks("conf")) };
    // Without its user, so that the test itself gets in; the user is made with the same words.
    let config = lines(main, &["bind ", "user "]);
    let Some(redis) = Redis::start(&config) else { return };
    let rules = main.lines().find_map(|line| line.strip_prefix("user sayso ")).unwrap();
    let words: Vec<&str> =
        ["ACL", "SETUSER", "sayso"].into_iter().chain(rules.split(' ')).collect();
    redis.run::<()>(&words);
    assert_eq!(redis.run::<(String, String)>(&["CONFIG", "GET", "appendfsync"]).1, "always");

    let variable = blocks("text").into_iter().find_map(|block| block.strip_prefix("SAYSO_REDIS="));
    let url = variable
        .unwrap()
        .trim_end()
        .replace("10.0.0.4:6379", &format!("127.0.0.1:{}", redis.port()));
    assert!(url.contains("PASSWORD"));
    let loud = |builder: Builder| builder.flags(&["--log-level", "trace"]).start();
    let cluster = Cluster::of((0..2).map(|_| loud(node(&url))).collect());
    let authors = Authors::start(&cluster.addresses, 2);
    authors.allow(10);
    let acknowledged = authors.finish();
    check_acknowledged(&acknowledged, &cluster.agree());
    for node in &cluster.nodes {
        assert!(!node.stderr().contains("PASSWORD") && !node.stderr().contains("panicked"));
    }
    let denied: Vec<Vec<redis::Value>> = redis.run(&["ACL", "LOG"]);
    assert!(denied.is_empty(), "{denied:?}");

    // With these lines, a Redis without a replica within reach appends nothing.
    for line in replicas.lines() {
        let (name, value) = line.split_once(' ').unwrap();
        redis.run::<()>(&["CONFIG", "SET", name, value]);
    }
    let refused = post(&cluster.nodes[0], &json!({"content": "on the smaller side"}));
    check_refusal(&cluster.nodes[0], &refused, "NOREPLICAS");
    redis.run::<()>(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    until(
        || (post(&cluster.nodes[0], &json!({"content": "again"})).status == 201).then_some(()),
        || cluster.nodes[0].stderr(),
    );
}

#[test]
fn a_wrong_password_is_told_without_it() {
    let Some(redis) = Redis::start(&["user sayso on >right ~* &* +@all"]) else { return };
    let url = format!("redis://sayso:wr0ng@127.0.0.1:{}", redis.port());
    let mut alone = Server::start(&[]);
    posted(&alone, "from before");
    alone.stop();
    let mut started = node(&url).flags(&["--log-level", "trace"]).stopped();
    started.write_log(alone.log_bytes());
    started.restart();
    let refused = post(&started, &json!({"content": "hello"}));
    assert_eq!(refused.status, 503, "{refused:?}");
    until(|| started.stderr().contains("Redis").then_some(()), || started.stderr());
    assert!(!started.stderr().contains("wr0ng") && !refused.body.contains("wr0ng"));
}

#[test]
fn the_flags_of_the_unit_are_taken() {
    let [unit] = blocks("ini")[..] else { panic!("one unit") };
    let mut start =
        unit.lines().filter_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/sayso "));
    let flags = start.next_back().unwrap().split(' ').map(OsString::from);
    let variable = blocks("text").into_iter().find_map(|block| block.strip_prefix("SAYSO_REDIS="));
    let variable = variable.unwrap().trim_end();
    let parsed = parse(flags, |name| (name == "SAYSO_REDIS").then(|| variable.into()));
    let Ok(Subcommand::Serve(config)) = parsed else { panic!("{parsed:?}") };
    assert_eq!(config.redis.unwrap().address, "10.0.0.4:6379");
}

#[test]
fn an_entry_takes_no_more_memory_than_the_readme_says() {
    let Some(redis) = Redis::start(&[]) else { return };
    let cluster = Cluster::start(&redis.url(), 1);
    let padding = "x".repeat(110);
    let authors = Authors::start(&cluster.addresses, 8);
    authors.allow(1);
    authors.finish();
    let count = 500;
    let before: usize = redis.run(&["MEMORY", "USAGE", STREAM, "SAMPLES", "0"]);
    let mut client = crate::support::frames::Client::full(&cluster.nodes[0], "");
    for n in 0..count {
        client.send(&json!({"content": format!("{padding}{n:05}"), "nonce": format!("nonce-of-comment-{n:05}"), "name": "Ada Lovelace"}));
    }
    for _ in 0..count {
        assert!(client.line().get("error").is_none());
    }
    let after: usize = redis.run(&["MEMORY", "USAGE", STREAM, "SAMPLES", "0"]);
    let log = cluster.nodes[0].log_text();
    let line = log.lines().last().unwrap().split(",\"h\":").next().unwrap().len();
    let each = (after - before) / count;
    assert!((200..=300).contains(&line), "a line of {line} bytes");
    assert!(README.contains("An entry of a line of 300 bytes takes 420 bytes of memory"));
    assert!(each <= 420, "{each} bytes");
}
