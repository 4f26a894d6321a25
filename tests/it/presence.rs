//! How many readers a page has on all machines, and who types there: what goes over a Redis channel.

use crate::support::{redis::Redis, server::Signal};

#[test]
fn a_server_of_a_tests_own_can_be_killed_stopped_and_started_again() {
    let Some(mut redis) = Redis::start(&["appendonly yes", "appendfsync always"]) else { return };
    let other = Redis::start(&[]).unwrap();
    assert_ne!(redis.port(), other.port());
    redis.run::<()>(&["SET", "a", "1"]);
    assert_eq!(other.run::<Option<String>>(&["GET", "a"]), None);
    redis.kill();
    assert!(redis::Client::open(redis.url()).unwrap().get_connection().is_err());
    redis.restart();
    assert_eq!(redis.run::<Option<String>>(&["GET", "a"]).as_deref(), Some("1"));
    redis.signal(Signal::STOP);
    redis.signal(Signal::CONT);
    redis.stop();
    redis.configure(&["maxmemory 50mb"]);
    redis.restart();
    assert_eq!(redis.run::<Vec<String>>(&["CONFIG", "GET", "maxmemory"])[1], "52428800");
    assert_eq!(redis.run::<Option<String>>(&["GET", "a"]).as_deref(), Some("1"));
    redis.restart_empty();
    assert_eq!(redis.run::<Option<String>>(&["GET", "a"]), None);
    let mut over_socket = redis::Client::open(redis.unix_url()).unwrap().get_connection().unwrap();
    assert_eq!(redis::cmd("PING").query::<String>(&mut over_socket).unwrap(), "PONG");
}
