//! More than may come.

use std::time::Instant;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{Calm, crowds::connect_from, eventually, status, turn};
use crate::support::{client::Connection, server::Server};

/// As many files as this user may open: one crowd is on this side, too.
fn raise_own_limit() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

#[test]
fn of_fifteen_thousand_connections_a_thousand_are_served_and_new_ones_once_they_have_gone() {
    let _turn = turn();
    raise_own_limit();
    let server = Server::start(&["--max-connections", "1000"]);
    let calm = Calm::of(&server);
    // What served a reader must have gone: every place counts.
    calm.is_back_in_threads(&server);
    let page = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let start = Instant::now();
    for round in 0..2 {
        let serve = |stream: &mut Connection| {
            assert_eq!(stream.exchange(page).status, 200);
        };
        let mut within: Vec<Connection> = (0..1_000)
            .map(|number| {
                let mut stream = Connection::on(connect_from(&server, number, None));
                serve(&mut stream);
                stream
            })
            .collect();
        // Once is enough for all of them, and the second time for some.
        let beyond: Vec<Connection> = (1_000..[15_000, 2_000][round])
            .map(|number| {
                let mut stream = Connection::on(connect_from(&server, number, None));
                assert_eq!(stream.exchange(page).status, 503, "number {number}");
                stream
            })
            .collect();
        within.iter_mut().for_each(serve);
        let peak = status(&server, "Threads");
        assert!(peak <= calm.threads + 1_000 + 64, "{peak} threads");
        println!(
            "{} beyond after {:?}, {peak} threads, {} KiB",
            beyond.len(),
            start.elapsed(),
            status(&server, "VmRSS")
        );
        // Those beyond may stay: they have no place.
        drop(within);
        eventually(
            "no place is given back",
            || status(&server, "Threads") < 100,
            || status(&server, "Threads"),
        );
        for number in 0..10 {
            serve(&mut Connection::on(connect_from(&server, number, None)));
        }
        drop(beyond);
        calm.is_back_in_threads(&server);
    }
    calm.returns(&server);
}
