//! Several machines and one Redis, driven through random interleavings, step by step in one thread: real hubs, logs and nodes, and a real
//! Redis that runs the real script. Only threads and sockets between them are the test's own.
//!
//! Machines are killed between any two steps and while they write, replies are lost, requests are done after their connection is gone, Redis
//! loses what was written last, or everything, or fails over. Then no post may be there twice, no line may be missing, no deleted or replaced
//! text may come back, nothing acknowledged may be lost, and everything must come to rest. `SAYSO_HISTORIES=N` runs N histories of each
//! configuration, `SAYSO_SEED=N` the history with that seed alone.

mod checks;
mod clients;
mod config;
mod faults;
mod lines;
mod machine;
mod random;
mod readers;
mod steps;
mod stream;
mod world;

use std::env;

use self::{
    stream::Server,
    world::{Counts, World},
};
/// Histories of each configuration, some three seconds of one core.
const HISTORIES: u64 = 35;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap())
}

fn run(name: &'static str) {
    let Some(mut server) = Server::start() else { return };
    let config = config::config(name);
    let seeds = match number("SAYSO_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SAYSO_HISTORIES").unwrap_or(HISTORIES),
    };
    let mut counts = Counts::default();
    for seed in seeds {
        let mut world = World::new(&config, seed, &mut server);
        world.run();
        counts.add(&world.counts);
    }
    eprintln!("{name}: {counts:?}");
    assert!(counts.acknowledged > counts.histories, "{counts:?}");
}

#[test]
fn nothing_is_lost_where_connections_are_cut() {
    run("conn");
}

#[test]
fn nothing_is_lost_where_a_replica_takes_over() {
    run("failover");
}

#[test]
fn nothing_is_lost_where_a_replica_takes_over_between_three() {
    run("failover3");
}

#[test]
fn nothing_is_lost_where_redis_loses_its_last_second() {
    run("everysec");
}

#[test]
fn nothing_is_lost_where_redis_loses_everything() {
    run("fullloss");
}

#[test]
fn nothing_is_lost_where_two_machines_are_there_in_turns() {
    run("turns");
}

#[test]
fn nothing_is_lost_where_a_machine_is_new() {
    run("newnode");
}

#[test]
fn nothing_is_lost_where_machines_are_late() {
    run("untimely");
}

#[test]
fn nothing_is_lost_where_the_stream_is_short() {
    run("trim");
}

#[test]
fn nothing_is_lost_where_the_stream_is_short_and_a_machine_new() {
    run("trimnew");
}

#[test]
fn nothing_is_lost_where_logs_are_compacted() {
    run("compact");
}

#[test]
fn nothing_is_lost_where_a_machine_was_served_alone() {
    run("alone");
}

#[test]
fn nothing_is_lost_where_logs_have_parted() {
    run("split");
}

#[test]
fn nothing_is_lost_where_an_old_master_is_still_read() {
    run("zombie");
}
