//! The disk of one node is full: whoever posts there is told so, the others go on, and it catches up by itself once there is room.

use std::thread;

use serde_json::{Value, json};

use super::{
    crowd::Crowd,
    nodes::{Cluster, ask, node, until},
    switch::Switch,
};
use crate::{
    faults::SmallDisk,
    support::{
        client::{JSON, check_sentence, get, post, posted},
        redis::Redis,
        server::Server,
    },
};

/// What a full disk leaves, in bytes: less than four of the texts.
const LEFT: usize = 20_000;

fn text(name: &str) -> Value {
    json!({"content": "x".repeat(6_000), "nonce": format!("nonce-of-{name:0>16}")})
}

fn length(redis: &Redis) -> usize {
    redis.run(&["XLEN", "sayso:{main}:stream"])
}

/// Two nodes, of which the second has a full disk from `fill` to `make_room`.
fn a_full_node(
    redis: &Redis,
    mut cluster: Cluster,
    fill: &dyn Fn(&Server),
    make_room: &dyn Fn(&Server),
) {
    cluster.restart(1);
    let crowd = Crowd::join(&cluster.addresses, 4);
    posted(&cluster.nodes[0], "while there is room");
    cluster.agree();
    fill(&cluster.nodes[1]);
    let full = &cluster.nodes[1];
    let names = (0..100).map(|number| number.to_string());
    let mut refused = names.skip_while(|name| post(full, &text(name)).status == 201);
    let refused = refused.next().expect("its disk is never full");
    // Nothing of it is with the others, so nobody has to wait for what can't be stored here.
    let before = length(redis);
    for _ in 0..3 {
        let said = post(full, &text(&refused));
        assert_eq!((said.status, &said.json()["code"]), (503, &json!("storage_full")), "{said:?}");
        check_sentence(&said.error(), &["storage is full"]);
        assert_eq!(length(redis), before);
    }
    let metrics = get(full, "/metrics").body;
    assert!(metrics.contains("\nsayso_cluster_waiting 0\n"), "{metrics}");

    // The others go on, and it is behind them.
    for name in ["a", "b", "c", "d", "e"] {
        assert_eq!(post(&cluster.nodes[0], &text(name)).status, 201);
    }
    until(
        || (get(full, "/healthz").json()["cluster"]["behind"] != 0).then_some(()),
        || get(full, "/healthz").body,
    );
    let said = post(full, &text(&refused));
    assert_eq!((said.status, &said.json()["code"]), (503, &json!("storage_full")), "{said:?}");
    let (status, history) =
        ask(full.address, "GET", "/api/comments?page=/&limit=200", "", "").unwrap();
    assert!(status == 200 && history.contains("while there is room"), "{history}");
    assert_eq!(get(full, "/").status, 200);
    full.check();

    make_room(full);
    cluster.agree();
    let full = &cluster.nodes[1];
    let id = until(
        || Some(post(full, &text(&refused))).filter(|said| said.status == 201),
        || full.stderr(),
    );
    assert_eq!(post(full, &text(&refused)).json()["id"], id.json()["id"]);
    let lines = cluster.agree();
    let nonce = text(&refused)["nonce"].to_string();
    assert_eq!(lines.iter().filter(|line| line.contains(&nonce)).count(), 1);
    assert_eq!(lines.len(), before + 6);
    assert_eq!(get(full, "/healthz").json()["cluster"]["behind"], 0);
    crowd.leave(&lines);
}

/// One that runs, and one that is still to be started.
fn two(redis: &Redis) -> Cluster {
    Cluster::of(vec![node(&redis.url()).start(), node(&redis.url()).stopped()])
}

#[test]
fn a_node_whose_disk_is_full_says_so_proposes_nothing_and_catches_up_once_there_is_room() {
    let Some(redis) = Redis::start(&[]) else { return };
    let cluster = two(&redis);
    let Some(disk) = SmallDisk::mount(cluster.nodes[1].data(), 1 << 20) else { return };
    a_full_node(&redis, cluster, &|_| disk.fill(LEFT), &|_| disk.make_room());
}

#[test]
fn a_node_whose_log_may_not_grow_does_the_same() {
    let Some(redis) = Redis::start(&[]) else { return };
    let cluster = two(&redis);
    let fill = |node: &Server| node.limit_file_size(Some(LEFT as u64));
    a_full_node(&redis, cluster, &fill, &|node| node.limit_file_size(None));
}

#[test]
fn what_was_proposed_before_the_disk_was_full_is_stored_once_there_is_room() {
    let Some(redis) = Redis::start(&[]) else { return };
    let address = Switch::to(redis.port());
    let cluster = Cluster::of(vec![node(&redis.url()).start(), node(&address.url()).start()]);
    posted(&cluster.nodes[0], "before");
    posted(&cluster.nodes[1], "before, too");
    cluster.agree();
    let full = &cluster.nodes[1];
    address.hold(true);
    let (host, body) = (full.address, text("on its way").to_string());
    let posting = thread::spawn(move || ask(host, "POST", "/api/comments", JSON, &body));
    let is_proposed =
        || get(full, "/metrics").body.contains("\nsayso_cluster_waiting 1\n").then_some(());
    until(is_proposed, || get(full, "/metrics").body);
    full.limit_file_size(Some(full.log_bytes().len() as u64));
    address.hold(false);
    // The other node has it, and this one can't store it.
    until(|| (cluster.logs()[0].len() == 3).then_some(()), || "it was not appended".into());
    until(|| full.stderr().contains("storage is full").then_some(()), || full.stderr());
    assert_eq!(cluster.logs()[1].len(), 2);
    full.limit_file_size(None);
    // Either is right: that it was told by then, or that its client has waited for less long.
    let answer = posting.join().unwrap();
    assert!(!matches!(answer, Ok((status, _)) if !matches!(status, 201 | 503)), "{answer:?}");
    let again = until(
        || Some(post(full, &text("on its way"))).filter(|said| said.status != 503),
        || full.stderr(),
    );
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(cluster.agree().len(), 3);
}
