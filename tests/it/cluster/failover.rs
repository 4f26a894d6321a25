//! Redis comes back with less than it had: a replica that lacks the last comments takes over, or everything is gone.

use serde_json::{Value, json};

use super::{
    authors::{Authors, check_acknowledged},
    crowd::Crowd,
    nodes::{Cluster, ask, node, until},
    switch::Switch,
};
use crate::support::{redis::Redis, server::Builder};

const READERS: usize = 60;
const AUTHORS: usize = 6;
const ROUND: usize = 40;

/// A replica of this server, with the address of the connection between both.
pub fn replica_of(master: &Redis) -> Option<(Redis, Switch)> {
    let link = Switch::to(master.port());
    let port = link.port().to_string();
    let replica = Redis::start(&[&format!("replicaof 127.0.0.1 {port}")])?;
    let is_up = || {
        let info: String = replica.run(&["INFO", "replication"]);
        info.contains("master_link_status:up").then_some(())
    };
    until(is_up, || replica.run(&["INFO", "replication"]));
    Some((replica, link))
}

fn length(redis: &Redis) -> usize {
    redis.run(&["XLEN", "sayso:{main}:stream"])
}

#[test]
fn what_a_replica_lacks_when_it_takes_over_comes_back_from_the_nodes() {
    let Some(mut first) = Redis::start(&[]) else { return };
    let Some((second, link)) = replica_of(&first) else { return };
    let address = Switch::to(first.port());
    let cluster = Cluster::start(&address.url(), 3);
    let crowd = Crowd::join(&cluster.addresses, READERS);
    let authors = Authors::start(&cluster.addresses, AUTHORS);
    authors.allow(ROUND);
    authors.wait_for_all_but(0);
    until(|| (length(&second) == length(&first)).then_some(()), || "the replica lags".into());

    link.hold(true);
    authors.allow(ROUND);
    authors.wait_for_all_but(0);
    let (all, left) = (length(&first), length(&second));
    assert_eq!((all, left), (2 * ROUND, ROUND));
    authors.allow(ROUND);
    authors.wait_for_all_but(ROUND / 2);
    first.kill();
    second.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    address.turn(Some(second.port()));
    authors.wait_for_all_but(0);
    authors.allow(ROUND);

    let acknowledged = authors.finish();
    let lines = cluster.agree();
    check_acknowledged(&acknowledged, &lines);
    assert_eq!(length(&second), lines.len());
    crowd.leave(&lines);
    cluster.agree_after_compaction();
}

#[test]
fn two_failovers_with_a_node_killed_in_between_lose_nothing_that_was_acknowledged() {
    let Some(mut first) = Redis::start(&[]) else { return };
    let Some((mut second, link)) = replica_of(&first) else { return };
    let address = Switch::to(first.port());
    let mut cluster = Cluster::start(&address.url(), 3);
    let authors = Authors::start(&cluster.addresses, AUTHORS);
    authors.allow(ROUND);
    authors.wait_for_all_but(0);
    link.hold(true);
    authors.allow(ROUND);
    authors.wait_for_all_but(0);
    first.kill();
    second.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    cluster.kill(0);
    address.turn(Some(second.port()));
    authors.allow(ROUND);
    authors.wait_for_all_but(0);
    cluster.restart(0);

    first.restart_empty();
    first.run::<()>(&["REPLICAOF", "127.0.0.1", &second.port().to_string()]);
    until(|| (length(&second) == length(&first)).then_some(()), || "the replica lags".into());
    first.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    authors.allow(ROUND);
    authors.wait_for_all_but(0);
    second.kill();
    address.turn(Some(first.port()));
    authors.allow(ROUND);
    let acknowledged = authors.finish();
    check_acknowledged(&acknowledged, &cluster.agree());
}

#[test]
fn a_redis_that_comes_back_empty_is_filled_from_the_nodes() {
    let Some(mut redis) = Redis::start(&[]) else { return };
    let cluster = Cluster::start(&redis.url(), 3);
    let crowd = Crowd::join(&cluster.addresses, READERS);
    let authors = Authors::start(&cluster.addresses, AUTHORS);
    for _ in 0..2 {
        authors.allow(ROUND);
        authors.wait_for_all_but(ROUND / 2);
        redis.restart_empty();
        authors.wait_for_all_but(0);
    }
    authors.allow(ROUND);
    let acknowledged = authors.finish();
    let lines = cluster.agree();
    check_acknowledged(&acknowledged, &lines);
    crowd.leave(&lines);
    cluster.agree_after_compaction();
}

#[test]
fn readers_go_on_reading_and_are_told_why_they_can_not_post_while_redis_is_cut_off() {
    let Some(redis) = Redis::start(&[]) else { return };
    let address = Switch::to(redis.port());
    let cluster = Cluster::start(&address.url(), 2);
    let authors = Authors::start(&cluster.addresses, 2);
    authors.allow(4);
    authors.wait_for_all_but(0);
    address.turn(None);
    authors.allow(2);
    authors.wait_for_refusals(4);
    for node in &cluster.nodes {
        let (status, history) = ask(node.address, "GET", "/api/comments?page=/", "", "").unwrap();
        assert!(status == 200 && history.matches("\"id\":").count() == 4, "{history}");
        // A proxy must go on sending readers here.
        let (status, health) = ask(node.address, "GET", "/healthz", "", "").unwrap();
        let health: Value = serde_json::from_str(&health).unwrap();
        assert_eq!((status, &health["cluster"]["connected"]), (200, &json!(false)), "{health}");
    }
    address.turn(Some(redis.port()));
    let sentences = authors.refusals();
    check_acknowledged(&authors.finish(), &cluster.agree());
    assert_eq!(sentences, ["\"nothing can be stored at the moment, try again\""]);
}

#[test]
fn a_node_that_is_cut_off_from_redis_serves_what_it_has_and_then_what_it_has_missed() {
    let Some(redis) = Redis::start(&[]) else { return };
    let address = Switch::to(redis.port());
    let nodes = [node(&redis.url()), node(&redis.url()), node(&address.url())];
    let cluster = Cluster::of(nodes.map(Builder::start).into());
    let crowd = Crowd::join(&cluster.addresses, READERS);
    let authors = Authors::start(&cluster.addresses, AUTHORS);
    for is_silent in [true, false, true] {
        authors.allow(ROUND);
        authors.wait_for_all_but(ROUND / 2);
        // Either nothing comes any more, or the connection is closed and there is no new one.
        match is_silent {
            true => address.hold(true),
            false => address.turn(None),
        }
        authors.wait_for_all_but(0);
        authors.allow(ROUND);
        authors.wait_for_all_but(0);
        match is_silent {
            true => address.hold(false),
            false => address.turn(Some(redis.port())),
        }
        crowd.wait_for(authors.acknowledged());
    }
    let acknowledged = authors.finish();
    let lines = cluster.agree();
    check_acknowledged(&acknowledged, &lines);
    let returns = crowd.leave(&lines);
    assert_eq!(returns.reloaded, 0, "{returns:?}");
}
