//! Hundreds of readers and some authors on three nodes, while nodes and Redis are killed or stand still.

use super::{
    authors::{Authors, check_acknowledged},
    crowd::{Crowd, Returns},
    nodes::Cluster,
};
use crate::support::redis::Redis;

/// On each node.
const READERS: usize = 200;
/// Two on each node, one of them over WebSocket.
const AUTHORS: usize = 6;
/// Comments between one fault and the next.
const ROUND: usize = 40;

/// Lets the crowd and the authors finish, and compares what everybody has.
#[track_caller]
fn finish(cluster: &Cluster, crowd: Crowd, authors: Authors) -> Returns {
    let acknowledged = authors.finish();
    let lines = cluster.agree();
    let returns = crowd.leave(&lines);
    check_acknowledged(&acknowledged, &lines);
    returns
}

#[test]
fn six_hundred_readers_see_each_comment_once_and_in_order_whoever_is_killed_or_stands_still() {
    let Some(mut redis) = Redis::start(&["appendonly yes", "appendfsync always"]) else { return };
    let mut cluster = Cluster::start(&redis.url(), 3);
    let crowd = Crowd::join(&cluster.addresses, 3 * READERS);
    let authors = Authors::start(&cluster.addresses, AUTHORS);
    // With none left, it ends once each reader has all.
    let round = |left: usize| {
        authors.allow(ROUND);
        authors.wait_for_all_but(left);
        if left == 0 {
            crowd.wait_for(authors.acknowledged());
        }
    };
    round(0);
    for node in 0..3 {
        // Within the round: some comments are on their way.
        round(ROUND / 2);
        cluster.kill(node);
        round(0);
        cluster.restart(node);
        round(0);
    }
    for _ in 0..2 {
        round(ROUND / 2);
        redis.kill();
        authors.wait_for_refusals(AUTHORS);
        redis.restart();
        round(0);
    }
    // Both at once.
    round(ROUND / 2);
    redis.kill();
    cluster.kill(1);
    redis.restart();
    cluster.restart(1);
    round(0);
    round(ROUND / 2);
    Cluster::stand_still(|signal| redis.signal(signal));
    round(0);
    round(ROUND / 2);
    Cluster::stand_still(|signal| cluster.nodes[2].signal(signal));
    round(0);

    let returns = finish(&cluster, crowd, authors);
    assert!(returns.resumed >= 5 * READERS, "{returns:?}");
    // Redis has lost nothing, so every cursor was good.
    assert_eq!(returns.reloaded, 0, "{returns:?}");
    cluster.agree_after_compaction();
}
