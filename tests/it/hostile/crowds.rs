//! Too many at once: more than may come, and a thousand who never read.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream},
    os::fd::OwnedFd,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Instant,
};

use rustix::{
    net::{AddressFamily, SocketType, bind, connect, ipproto, socket, sockopt},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use serde_json::json;

use super::{Calm, LOOK_INTERVAL, eventually, reset, status, turn};
use crate::{
    client::{Client, read_head},
    program::{Folder, PATIENCE, Program},
};

const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
/// What may wait for all readers (DESIGN.md, the ideas), KiB.
const BACKLOGS_KIB: u64 = 64 * 1024;

/// The piece of the past that each of a thousand threads has in the making, in a buffer that has grown by doubling, and the stack
/// that it has touched.
const PIECES_KIB: u64 = 1_000 * 128;

/// As many files as this user may open: one crowd is on this side, too.
fn raise_own_limit() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

/// A connection from an address of its own for each thousand, so that they use up nobody's ports.
fn connect_from(program: &Program, number: usize, receive_bytes: Option<usize>) -> TcpStream {
    let SocketAddr::V4(to) = program.address else { panic!("not IPv4") };
    let own = SocketAddrV4::new(Ipv4Addr::new(127, 0, 1, (number / 1_000) as u8), 0);
    let socket: OwnedFd =
        socket(AddressFamily::INET, SocketType::STREAM, Some(ipproto::TCP)).unwrap();
    if let Some(bytes) = receive_bytes {
        sockopt::set_socket_recv_buffer_size(&socket, bytes).unwrap();
    }
    bind(&socket, &own).unwrap();
    connect(&socket, &to).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn status_of(stream: &mut TcpStream) -> String {
    let (head, rest) = read_head(stream);
    let length: usize = crate::client::header(&head, "content-length").unwrap().parse().unwrap();
    stream.read_exact(&mut vec![0; length - rest.len()]).unwrap();
    head.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn of_fifteen_thousand_connections_a_thousand_are_served_and_new_ones_once_they_have_gone() {
    let _turn = turn();
    raise_own_limit();
    let folder = Folder::new();
    let program = Program::start(&folder.0, &["--max-connections", "1000"]);
    let calm = Calm::of(&program);
    // What served a reader must have gone: every place counts.
    calm.is_back_in_threads(&program);
    let page = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let start = Instant::now();
    for round in 0..2 {
        let serve = |stream: &mut TcpStream| {
            stream.write_all(page).unwrap();
            assert_eq!(status_of(stream), "200");
        };
        let mut within: Vec<TcpStream> = (0..1_000)
            .map(|number| {
                let mut stream = connect_from(&program, number, None);
                serve(&mut stream);
                stream
            })
            .collect();
        // Once is enough for all of them, and the second time for some.
        let beyond: Vec<TcpStream> = (1_000..[15_000, 2_000][round])
            .map(|number| {
                let mut stream = connect_from(&program, number, None);
                assert_eq!(status_of(&mut stream), "503", "number {number}");
                stream
            })
            .collect();
        within.iter_mut().for_each(serve);
        let peak = status(&program, "Threads");
        assert!(peak <= calm.threads + 1_000 + 64, "{peak} threads");
        println!(
            "{} beyond after {:?}, {peak} threads, {} KiB",
            beyond.len(),
            start.elapsed(),
            status(&program, "VmRSS")
        );
        // Those beyond may stay: they have no place.
        drop(within);
        eventually(
            "no place is given back",
            || status(&program, "Threads") < 100,
            || status(&program, "Threads"),
        );
        for number in 0..10 {
            serve(&mut connect_from(&program, number, None));
        }
        drop(beyond);
        calm.is_back_in_threads(&program);
    }
    calm.returns(&folder, &program);
}

/// Readers who never read, of whom the kernel takes as little as it can.
fn deaf(program: &Program, query: &str) -> Vec<TcpStream> {
    let upgrade = format!("GET /ws/comments/?{query} HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n");
    (0..1_000)
        .map(|number| {
            let mut stream = connect_from(program, number, Some(4_096));
            stream.write_all(upgrade.as_bytes()).unwrap();
            stream
        })
        .collect()
}

/// Does something and says how much memory sayso had at most meanwhile, KiB.
fn most_memory<T>(program: &Program, work: impl FnOnce() -> T) -> (u64, T) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Relaxed) {
                most = most.max(status(program, "VmRSS"));
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
fn a_thousand_who_never_read_are_shut_out_and_whoever_reads_gets_all_in_order() {
    let _turn = turn();
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    let calm = Calm::of(&program);
    let mut reader = Client::full(&program, "");
    reader.json();
    let deaf = deaf(&program, "page=/");
    reader.until(&json!({"readers": 1_001}));
    let before = status(&program, "VmRSS");
    let (most, ()) = most_memory(&program, || {
        thread::scope(|scope| {
            for author in 0..4 {
                let mut client = Client::plain(&program);
                scope.spawn(move || {
                    for n in 0..60 {
                        let content = format!("{author} {n:02} {}", "long ".repeat(1_600));
                        client.send(&json!({"content": content.trim()}));
                        while !client.line()["content"].as_str().unwrap().starts_with(&content[..5])
                        {
                        }
                    }
                });
            }
            let mut next = [0; 4];
            let mut last = 0;
            for _ in 0..240 {
                let line = reader.line();
                let content = line["content"].as_str().unwrap();
                let (author, n) =
                    (content[..1].parse::<usize>().unwrap(), content[2..4].parse::<u64>().unwrap());
                assert_eq!(n, next[author], "author {author}");
                assert!(line["seq"].as_u64().unwrap() > last, "{}", line["seq"]);
                (next[author], last) = (n + 1, line["seq"].as_u64().unwrap());
            }
        });
    });
    println!("{before} KiB with a thousand readers, {most} at most");
    assert!(most < before + BACKLOGS_KIB, "{before} KiB became {most}");
    // They are shut out though they are still there.
    reader.until(&json!({"readers": 1}));
    drop(reader);
    calm.is_back_in_threads(&program);
    drop(deaf);
    calm.returns(&folder, &program);
}

#[test]
fn a_thousand_who_ask_for_the_past_and_never_read_it_have_no_more_than_their_share() {
    let _turn = turn();
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    let calm = Calm::of(&program);
    let mut author = Client::plain(&program);
    for n in 0..60 {
        author.send(&json!({"content": format!("{n} {}", "long ".repeat(1_600)).trim()}));
        author.line();
    }
    let before = status(&program, "VmRSS");
    let limit = before + BACKLOGS_KIB + PIECES_KIB;
    let gone = || {
        // All but the author.
        let are_gone = || status(&program, "Threads") <= calm.threads + 1;
        eventually("they are still there", are_gone, || status(&program, "Threads"));
    };
    let (most, deaf_ones) = most_memory(&program, || {
        let deaf = deaf(&program, "page=/&last=200");
        author.send(&json!({"content": "heard by who listens"}));
        assert_eq!(author.line()["content"], "heard by who listens");
        // Their histories are given up, and they with them, though they are still there.
        gone();
        deaf
    });
    drop(deaf_ones);
    let left = status(&program, "VmRSS");
    println!("{before} KiB before a thousand, {most} at most, {left} left");
    assert!(most < limit, "{before} KiB became {most}");
    // The C library keeps such pieces, each smaller than what it would give back at once, up to the most that there were; another
    // crowd gets those, and leaves no more.
    let (again, ()) = most_memory(&program, || {
        let deaf = deaf(&program, "page=/&last=200");
        let are_there = || status(&program, "Threads") > 1_000;
        eventually("they have not come", are_there, || status(&program, "Threads"));
        deaf.into_iter().for_each(reset);
        gone();
    });
    println!("{again} KiB at most with another thousand, {} left", status(&program, "VmRSS"));
    assert!(again < limit, "{before} KiB became {again}");
    drop(author);
    Calm { resident_kib: left.max(calm.resident_kib), ..calm }.returns(&folder, &program);
}
