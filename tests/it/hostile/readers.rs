//! Readers who never read, while there is much to read.

use std::thread;

use serde_json::json;

use super::{
    Calm,
    crowds::{BACKLOGS_KIB, deaf, most_memory},
    status, turn,
};
use crate::support::{frames::Client, server::Server};

#[test]
fn a_thousand_who_never_read_are_shut_out_and_whoever_reads_gets_all_in_order() {
    let _turn = turn();
    let server = Server::start(&[]);
    let calm = Calm::of(&server);
    let mut reader = Client::full(&server, "");
    reader.json();
    let deaf = deaf(&server, "page=/");
    reader.until(&json!({"readers": 1_001}));
    let before = status(&server, "VmRSS");
    let (most, ()) = most_memory(&server, || {
        thread::scope(|scope| {
            for author in 0..4 {
                let mut client = Client::plain(&server);
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
    calm.is_back_in_threads(&server);
    drop(deaf);
    calm.returns(&server);
}
