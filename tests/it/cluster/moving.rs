//! Moving to another Redis and back to one machine, as `src/cluster/README.md` says.

use super::{
    authors::{Authors, check_acknowledged},
    crowd::Crowd,
    failover::replica_of,
    nodes::{Cluster, lines, node},
    switch::Switch,
};
use crate::support::{
    client::posted,
    redis::Redis,
    server::{Builder, Server},
};

const READERS: usize = 30;
const AUTHORS: usize = 6;
const ROUND: usize = 40;

#[test]
fn nodes_move_to_another_redis_one_after_the_other_while_people_write() {
    let Some(mut first) = Redis::start(&[]) else { return };
    // The address of Redis in the settings of each node.
    let settings = [0; 3].map(|_| Switch::to(first.port()));
    let nodes = settings.iter().map(|setting| node(&setting.url())).map(Builder::start);
    let mut cluster = Cluster::of(nodes.collect());
    let crowd = Crowd::join(&cluster.addresses, READERS);
    let authors = Authors::start(&cluster.addresses, AUTHORS);
    authors.allow(ROUND);
    authors.wait_for_all_but(0);

    authors.allow(ROUND);
    let Some((second, _link)) = replica_of(&first) else { return };
    first.stop();
    second.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    for (number, setting) in settings.iter().enumerate() {
        cluster.stop(number);
        setting.turn(Some(second.port()));
        cluster.restart(number);
        authors.allow(ROUND);
        authors.wait_for_all_but(ROUND / 2);
    }
    let acknowledged = authors.finish();
    let lines = cluster.agree();
    check_acknowledged(&acknowledged, &lines);
    crowd.leave(&lines);
    assert_eq!(second.run::<usize>(&["XLEN", "sayso:{main}:stream"]), lines.len());
}

/// Forgets what the nodes keep in Redis.
fn delete_keys(redis: &Redis) {
    let keys = ["stream", "meta", "runs"].map(|key| format!("sayso:{{main}}:{key}"));
    assert_eq!(redis.run::<usize>(&["DEL", &keys[0], &keys[1], &keys[2]]), 3);
}

#[test]
fn all_nodes_go_back_to_a_backup_of_one() {
    let Some(redis) = Redis::start(&[]) else { return };
    let mut cluster = Cluster::start(&redis.url(), 3);
    posted(&cluster.nodes[0], "before the backup");
    let before = cluster.agree();
    let backup = cluster.nodes[0].log_bytes();
    posted(&cluster.nodes[1], "after the backup");
    cluster.agree();
    for number in 0..3 {
        cluster.stop(number);
        cluster.nodes[number].write_log(&backup);
    }
    delete_keys(&redis);
    for number in 0..3 {
        cluster.restart(number);
    }
    assert_eq!(cluster.agree(), before);
    posted(&cluster.nodes[2], "from here on");
    assert_eq!(cluster.agree().len(), before.len() + 1);
}

#[test]
fn one_of_the_nodes_goes_on_alone_with_everything_and_later_with_the_others_again() {
    let Some(redis) = Redis::start(&[]) else { return };
    let mut cluster = Cluster::start(&redis.url(), 3);
    let authors = Authors::start(&cluster.addresses, AUTHORS);
    authors.allow(ROUND);
    let acknowledged = authors.finish();
    let before = cluster.agree();
    for number in 0..3 {
        cluster.stop(number);
    }
    delete_keys(&redis);
    let alone = Server::builder().stopped();
    alone.write_log(cluster.nodes[1].log_bytes());
    let mut alone = alone;
    alone.restart();
    posted(&alone, "alone again");
    let after = lines(&alone.log_text());
    check_acknowledged(&acknowledged, &before);
    assert_eq!((&after[..before.len()], after.len()), (&before[..], before.len() + 1));
    alone.check();
    alone.stop();

    cluster.nodes[1].write_log(alone.log_bytes());
    for number in [1, 0, 2] {
        cluster.restart(number);
    }
    assert_eq!(cluster.agree(), lines(&cluster.nodes[1].log_text()));
    posted(&cluster.nodes[0], "together again");
    assert_eq!(cluster.agree().len(), before.len() + 2);
}
