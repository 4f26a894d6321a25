//! A thousand who ask for the past and never read it; and how a crowd comes.

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream},
    os::fd::OwnedFd,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use rustix::net::{AddressFamily, SocketType, bind, connect, ipproto, socket, sockopt};
use serde_json::json;

use super::{Calm, LOOK_INTERVAL, eventually, reset, status, turn};
use crate::support::{
    frames::{Client, upgrade},
    server::{Server, TIMEOUT},
};

/// What may wait for all readers (DESIGN.md, the ideas), KiB.
pub(super) const BACKLOGS_KIB: u64 = 64 * 1024;

/// The piece of the past that each of a thousand threads has in the making, in a buffer that has grown by doubling, and the stack
/// that it has touched.
const PIECES_KIB: u64 = 1_000 * 128;

/// A connection from an address of its own for each thousand, so that they use up nobody's ports.
pub(super) fn connect_from(
    server: &Server,
    number: usize,
    receive_bytes: Option<usize>,
) -> TcpStream {
    let SocketAddr::V4(to) = server.address else { panic!("not IPv4") };
    let own = SocketAddrV4::new(Ipv4Addr::new(127, 0, 1, (number / 1_000) as u8), 0);
    let socket: OwnedFd =
        socket(AddressFamily::INET, SocketType::STREAM, Some(ipproto::TCP)).unwrap();
    if let Some(bytes) = receive_bytes {
        sockopt::set_socket_recv_buffer_size(&socket, bytes).unwrap();
    }
    bind(&socket, &own).unwrap();
    connect(&socket, &to).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.set_write_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// Readers who never read, of whom the kernel takes as little as it can.
pub(super) fn deaf(server: &Server, query: &str) -> Vec<TcpStream> {
    let upgrade = upgrade(query);
    (0..1_000)
        .map(|number| {
            let mut stream = connect_from(server, number, Some(4_096));
            stream.write_all(upgrade.as_bytes()).unwrap();
            stream
        })
        .collect()
}

/// Does something and says how much memory sayso had at most meanwhile, KiB.
pub(super) fn most_memory<T>(server: &Server, work: impl FnOnce() -> T) -> (u64, T) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Relaxed) {
                most = most.max(status(server, "VmRSS"));
                thread::sleep(LOOK_INTERVAL);
            }
            most
        });
        let result = work();
        done.store(true, Relaxed);
        (watch.join().unwrap(), result)
    })
}

#[test]
fn a_thousand_who_ask_for_the_past_and_never_read_it_have_no_more_than_their_share() {
    let _turn = turn();
    let server = Server::start(&[]);
    let calm = Calm::of(&server);
    let mut author = Client::plain(&server);
    for n in 0..60 {
        author.send(&json!({"content": format!("{n} {}", "long ".repeat(1_600)).trim()}));
        author.line();
    }
    let before = status(&server, "VmRSS");
    let limit = before + BACKLOGS_KIB + PIECES_KIB;
    let gone = || {
        // All but the author.
        let are_gone = || status(&server, "Threads") <= calm.threads + 1;
        eventually("they are still there", are_gone, || status(&server, "Threads"));
    };
    let (most, deaf_ones) = most_memory(&server, || {
        let deaf = deaf(&server, "page=/&last=200");
        author.send(&json!({"content": "heard by who listens"}));
        assert_eq!(author.line()["content"], "heard by who listens");
        // Their histories are given up, and they with them, though they are still there.
        gone();
        deaf
    });
    drop(deaf_ones);
    let left = status(&server, "VmRSS");
    println!("{before} KiB before a thousand, {most} at most, {left} left");
    assert!(most < limit, "{before} KiB became {most}");
    // The C library keeps such pieces, each smaller than what it would give back at once, up to the most that there were; another
    // crowd gets those, and leaves no more.
    let (again, ()) = most_memory(&server, || {
        let deaf = deaf(&server, "page=/&last=200");
        let are_there = || status(&server, "Threads") > 1_000;
        eventually("they have not come", are_there, || status(&server, "Threads"));
        deaf.into_iter().for_each(reset);
        gone();
    });
    println!("{again} KiB at most with another thousand, {} left", status(&server, "VmRSS"));
    assert!(again < limit, "{before} KiB became {again}");
    drop(author);
    Calm { resident_kib: left.max(calm.resident_kib), ..calm }.returns(&server);
}
