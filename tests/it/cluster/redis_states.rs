//! Redis full, wrongly configured, or not there yet.

use std::{fs, thread};

use serde_json::json;

use super::{
    authors::{Authors, check_acknowledged},
    crowd::Crowd,
    nodes::{Cluster, ask, check_refusal, node, until},
    switch::Switch,
};
use crate::support::{
    client::{JSON, get, post, posted},
    redis::Redis,
};

#[test]
fn a_full_redis_refuses_posts_with_a_sentence_and_takes_them_once_there_is_room() {
    let Some(redis) = Redis::start(&[]) else { return };
    let cluster = Cluster::start(&redis.url(), 2);
    let crowd = Crowd::join(&cluster.addresses, 4);
    let authors = Authors::start(&cluster.addresses, 4);
    authors.allow(8);
    authors.wait_for_all_but(0);
    redis.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = post(&cluster.nodes[0], &json!({"content": "Is there room?"}));
    assert_eq!(refused.status, 503, "{refused:?}");
    check_refusal(&cluster.nodes[0], &refused, "Redis");
    authors.allow(8);
    authors.wait_for_refusals(8);
    for node in &cluster.nodes {
        let (status, history) = ask(node.address, "GET", "/api/comments?page=/", "", "").unwrap();
        assert!(status == 200 && history.matches("\"id\":").count() == 8, "{history}");
    }
    redis.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    let acknowledged = authors.finish();
    let lines = cluster.agree();
    check_acknowledged(&acknowledged, &lines);
    assert_eq!(lines.len(), 16, "the comment that was refused has not come in by the way");
    let returns = crowd.leave(&lines);
    assert_eq!(returns.reloaded, 0, "{returns:?}");
}

#[test]
fn a_redis_that_may_throw_lines_away_is_refused_with_the_setting_that_helps() {
    let Some(redis) = Redis::start(&["maxmemory-policy allkeys-lru"]) else { return };
    let builder = node(&redis.url());
    let stderr = builder.data_path().with_file_name("stderr");
    let starting = thread::spawn(move || builder.start());
    let said = || fs::read_to_string(&stderr).unwrap_or_default();
    until(|| said().contains("maxmemory-policy").then_some(()), said);
    assert!(said().contains("allkeys-lru") && said().contains("noeviction"), "{}", said());
    assert!(!starting.is_finished());
    assert_eq!(redis.run::<usize>(&["DBSIZE"]), 0);

    redis.run::<()>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    let node = starting.join().unwrap();
    until(
        || (post(&node, &json!({"content": "Now it is."})).status == 201).then_some(()),
        || node.stderr(),
    );
}

#[test]
fn a_node_with_a_log_is_read_while_redis_is_away_and_one_without_waits() {
    let Some(redis) = Redis::start(&[]) else { return };
    let address = Switch::to(redis.port());
    let mut cluster = Cluster::start(&address.url(), 1);
    posted(&cluster.nodes[0], "before");
    address.turn(None);
    cluster.kill(0);
    cluster.restart(0);
    assert!(get(&cluster.nodes[0], "/api/comments?page=/").body.contains("before"));
    let refused = post(&cluster.nodes[0], &json!({"content": "meanwhile"}));
    assert_eq!(refused.status, 503, "{refused:?}");
    check_refusal(&cluster.nodes[0], &refused, "Redis");

    let builder = node(&address.url());
    let stderr = builder.data_path().with_file_name("stderr");
    let starting = thread::spawn(move || builder.start());
    until(
        || fs::read_to_string(&stderr).is_ok_and(|said| said.contains("Redis")).then_some(()),
        || "it does not say what it waits for".into(),
    );
    assert!(!starting.is_finished(), "it has nothing to show");
    address.turn(Some(redis.port()));
    let empty = starting.join().unwrap();
    until(
        || (post(&empty, &json!({"content": "after"})).status == 201).then_some(()),
        || empty.stderr(),
    );
    cluster.nodes.push(empty);
    assert_eq!(cluster.agree().len(), 2);
}

#[test]
fn a_node_that_is_asked_to_stop_while_a_post_waits_for_redis_stops_at_once() {
    let Some(redis) = Redis::start(&[]) else { return };
    let address = Switch::to(redis.port());
    let mut node = node(&address.url()).start();
    posted(&node, "before");
    address.hold(true);
    let (host, body) = (node.address, json!({"content": "on its way"}).to_string());
    let posting = thread::spawn(move || ask(host, "POST", "/api/comments", JSON, &body));
    let waits = || {
        let metrics = get(&node, "/metrics").body;
        metrics.contains("\nsayso_cluster_waiting 1\n").then_some(())
    };
    until(waits, || get(&node, "/metrics").body);
    assert!(node.stop().success());
    assert!(!node.stderr().contains("too long"), "{}", node.stderr());
    let answer = posting.join().unwrap();
    assert!(!matches!(answer, Ok((201, _))), "{answer:?}");
    node.check();
}
