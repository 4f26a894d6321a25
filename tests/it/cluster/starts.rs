//! A node comes to others: without a log, with a copy, with another log, after too long an absence, or after it has gone its own way. What it
//! then says a person must do is done here, and works.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{
    authors::{Authors, check_acknowledged},
    nodes::{Cluster, lines, node, sent, until},
    switch::Switch,
};
use crate::support::{
    client::{get, post},
    redis::Redis,
    server::{Builder, Server},
};

/// The least that can be kept.
const KEEP: &str = "1000";

#[track_caller]
fn posted(node: &Server, content: &str) {
    let body = json!({ "content": content });
    until(|| (post(node, &body).status == 201).then_some(()), || node.stderr());
}

fn write(cluster: &Cluster, count: usize) {
    let authors = Authors::start(&cluster.addresses, 8);
    authors.allow(count);
    check_acknowledged(&authors.finish(), &cluster.agree());
}

/// Waits until a node has ended by itself, as with a fault, and returns what it said last.
#[track_caller]
fn last_words(node: &mut Server) -> String {
    assert_eq!(node.wait().code(), Some(1), "{}", node.stderr());
    node.stderr().lines().last().unwrap().to_owned()
}

/// The file that a node has kept, which its last words name.
#[track_caller]
fn kept(node: &Server, words: &str) -> PathBuf {
    let folder = fs::read_dir(node.data()).unwrap().map(|entry| entry.unwrap().path());
    let is_kept = |path: &PathBuf| path.to_str().unwrap().contains("comments.jsonl.diverged-");
    let found: Vec<PathBuf> = folder.filter(is_kept).collect();
    let [kept] = &found[..] else { panic!("{found:?}: {words}") };
    let (data, kept) = (node.data().display(), kept.display());
    let command = format!("sayso import --from sayso --data {data} {kept}");
    assert!(words.contains(&command), "{words}");
    found[0].clone()
}

/// What a stopped node asks for: another node's log, and then what only the kept one has.
#[track_caller]
fn follow_advice(cluster: &mut Cluster, number: usize, from: usize, kept: &Path) {
    fs::copy(cluster.nodes[from].log(), cluster.nodes[number].log()).unwrap();
    cluster.restart(number);
    #[cfg(feature = "exchange")]
    {
        let import = ["import", "--from", "sayso", kept.to_str().unwrap()];
        let output = cluster.nodes[number].run(&import);
        assert!(output.status.success(), "{output:?}");
    }
    #[cfg(not(feature = "exchange"))]
    let _ = kept;
}

#[test]
fn a_node_without_a_log_gets_all_that_the_stream_holds() {
    let Some(redis) = Redis::start(&[]) else { return };
    let mut cluster = Cluster::start(&redis.url(), 1);
    write(&cluster, 50);
    cluster.nodes.push(node(&redis.url()).start());
    assert_eq!(cluster.agree().len(), 50);
    posted(&cluster.nodes[1], "from the new one");
    assert_eq!(cluster.agree().len(), 51);
}

#[test]
fn a_node_with_a_copy_of_anothers_log_goes_on_from_there_and_one_without_is_told_to_take_one() {
    let Some(redis) = Redis::start(&[]) else { return };
    let keep = |builder: Builder| builder.flags(&["--redis-keep", KEEP]);
    let mut cluster = Cluster::of(vec![keep(node(&redis.url())).start()]);
    write(&cluster, 1_200);
    let length: usize = redis.run(&["XLEN", "sayso:{main}:stream"]);
    assert!((1_000..1_200).contains(&length), "{length} entries are kept");

    let copy = keep(node(&redis.url())).stopped();
    fs::copy(cluster.nodes[0].log(), copy.log()).unwrap();
    cluster.nodes.push(copy);
    cluster.addresses.lock().unwrap().push(None);
    cluster.restart(1);
    posted(&cluster.nodes[1], "from the copy");
    assert_eq!(cluster.agree().len(), 1_201);

    let mut without = keep(node(&redis.url())).start();
    let said = last_words(&mut without);
    assert!(said.contains("copy another node's comments.jsonl"), "{said}");
}

#[test]
fn a_node_that_was_away_for_longer_than_the_stream_reaches_stops_and_says_what_to_do() {
    let Some(redis) = Redis::start(&[]) else { return };
    let keep = |builder: Builder| builder.flags(&["--redis-keep", KEEP]).start();
    let mut cluster = Cluster::of((0..2).map(|_| keep(node(&redis.url()))).collect());
    write(&cluster, 20);
    cluster.nodes[1].stop();
    let away = cluster.nodes.pop().unwrap();
    cluster.addresses.lock().unwrap().pop();
    write(&cluster, 1_200);
    cluster.nodes.push(away);
    cluster.addresses.lock().unwrap().push(None);
    cluster.restart(1);
    let said = last_words(&mut cluster.nodes[1]);
    assert!(said.contains("away for so long"), "{said}");
    let kept = kept(&cluster.nodes[1], &said);
    follow_advice(&mut cluster, 1, 0, &kept);
    posted(&cluster.nodes[1], "here again");
    assert_eq!(cluster.agree().len(), 1_221);
}

#[test]
fn a_node_with_another_log_stops_and_says_to_import_it() {
    let Some(redis) = Redis::start(&[]) else { return };
    let mut cluster = Cluster::start(&redis.url(), 1);
    posted(&cluster.nodes[0], "of the one log");
    let mut alone = Server::start(&[]);
    posted(&alone, "of the other log");
    alone.stop();
    let other = node(&redis.url()).stopped();
    other.write_log(alone.log_bytes());
    cluster.nodes.push(other);
    cluster.addresses.lock().unwrap().push(None);
    cluster.restart(1);
    let said = last_words(&mut cluster.nodes[1]);
    assert!(said.contains("another log") && said.contains("import --from sayso"), "{said}");
    // It has got hashes, and is the same otherwise.
    let own: Vec<String> = cluster.logs()[1].iter().map(|line| sent(line)).collect();
    assert_eq!(own, lines(&alone.log_text()));

    let moved = cluster.nodes[1].log().with_file_name("moved.jsonl");
    fs::rename(cluster.nodes[1].log(), &moved).unwrap();
    cluster.restart(1);
    until(
        || get(&cluster.nodes[1], "/").body.contains("of the one log").then_some(()),
        String::new,
    );
    #[cfg(feature = "exchange")]
    {
        let import = ["import", "--from", "sayso", moved.to_str().unwrap()];
        let output = cluster.nodes[1].run(&import);
        assert!(output.status.success(), "{output:?}");
        cluster.agree();
        assert!(get(&cluster.nodes[0], "/").body.contains("of the other log"));
    }
}

#[test]
fn of_two_nodes_that_were_cut_apart_one_stops_and_what_only_it_has_is_brought_back() {
    let (Some(first), Some(second)) = (Redis::start(&[]), Redis::start(&[])) else { return };
    let addresses = [Switch::to(first.port()), Switch::to(first.port())];
    let nodes = addresses.iter().map(|address| node(&address.url()).start());
    let mut cluster = Cluster::of(nodes.collect());
    write(&cluster, 20);
    // Each side has a Redis that takes lines.
    addresses[1].turn(Some(second.port()));
    // One of them without a nonce, as a program may post.
    posted(&cluster.nodes[1], "on the smaller side");
    let with_nonce = json!({"content": "with a nonce", "nonce": "nonce-on-the-smaller-side"});
    assert_eq!(post(&cluster.nodes[1], &with_nonce).status, 201);
    posted(&cluster.nodes[0], "on the larger side");
    addresses[1].turn(Some(first.port()));
    let said = last_words(&mut cluster.nodes[1]);
    assert!(said.contains("different lines"), "{said}");
    let kept = kept(&cluster.nodes[1], &said);
    assert!(fs::read_to_string(&kept).unwrap().contains("on the smaller side"));
    let page = |node: &Server| get(node, "/").body;
    assert!(page(&cluster.nodes[0]).contains("on the larger side"));

    follow_advice(&mut cluster, 1, 0, &kept);
    posted(&cluster.nodes[1], "together again");
    cluster.agree();
    for node in &cluster.nodes {
        assert!(page(node).contains("on the larger side") && page(node).contains("together again"));
        for text in ["with a nonce", "on the smaller side"] {
            assert!(!cfg!(feature = "exchange") || page(node).contains(text), "{text} is lost");
        }
    }
}

#[test]
fn a_log_that_had_no_other_machine_becomes_that_of_several() {
    let Some(redis) = Redis::start(&[]) else { return };
    let mut alone = Server::start(&[]);
    for n in 0..20 {
        posted(&alone, &format!("alone {n}"));
    }
    alone.stop();
    let first = node(&redis.url()).stopped();
    first.write_log(alone.log_bytes());
    let mut cluster = Cluster::of(vec![first]);
    cluster.restart(0);
    posted(&cluster.nodes[0], "with others");
    cluster.nodes.push(node(&redis.url()).start());
    assert_eq!(cluster.agree().len(), 21);

    // And back: without --redis, its log is one like any other.
    cluster.nodes[1].stop();
    let mut again = Server::builder().stopped();
    again.write_log(cluster.nodes[1].log_bytes());
    again.restart();
    posted(&again, "alone again");
    again.check();
    assert_eq!(again.log_text().lines().count(), 23);
}

#[test]
fn a_node_that_was_served_alone_meanwhile_stops_and_what_was_written_is_brought_back() {
    let Some(redis) = Redis::start(&[]) else { return };
    let mut cluster = Cluster::start(&redis.url(), 2);
    write(&cluster, 20);
    cluster.nodes[1].stop();
    let mut alone = Server::builder().stopped();
    alone.write_log(cluster.nodes[1].log_bytes());
    alone.restart();
    posted(&alone, "written alone");
    alone.stop();
    cluster.nodes[1].write_log(alone.log_bytes());
    cluster.restart(1);
    let said = last_words(&mut cluster.nodes[1]);
    let kept = kept(&cluster.nodes[1], &said);
    follow_advice(&mut cluster, 1, 0, &kept);
    posted(&cluster.nodes[1], "together again");
    cluster.agree();
    let page = get(&cluster.nodes[0], "/").body;
    assert!(!cfg!(feature = "exchange") || page.contains("written alone"));
}
