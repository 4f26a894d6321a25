//! Steps in which what was read comes between a question and its answer.

use std::io;

use super::*;
use crate::{
    cluster::call::{Attached, CallKind, Reply},
    log::storage::ReadAt,
};

/// A log of which only the end is known.
struct Unread;

impl ReadAt for Unread {
    fn read_exact_at(&self, _: &mut [u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

fn line(seq: u64) -> ChainedLine {
    let line: Box<[u8]> = format!("{{\"seq\":{seq}}}").into_bytes().into();
    let before = seq.checked_sub(2).map_or(ChainHash::default(), |before| line_chain(before + 1));
    ChainedLine { seq, chain: before.next(0, &line), line }
}

fn line_chain(seq: u64) -> ChainHash {
    line(seq).chain
}

fn end(seq: u64) -> LogEnd {
    let (log, file) = ("9c41f0aa53d7e6b2".into(), Arc::new(Unread));
    LogEnd { log, seq, chain: line_chain(seq), whole_from: 0, file, end: 0 }
}

/// What the script says of a stream with this last line to a node that has at least that.
fn attached(run: &str, seq: u64) -> Reply {
    let last = line_chain(seq);
    Reply::Attached(Box::new(Attached {
        seq,
        run: run.into(),
        low: seq,
        entry: (seq > 0).then_some(last),
        base: (0, ChainHash::default()),
        is_minted: false,
        number: 1,
        last,
        now: 0,
        salt: Salt::default(),
        runs: vec![(run.into(), 1)],
    }))
}

fn attach_call(own: u64) -> Option<CallKind> {
    Some(CallKind::Attach { own })
}

impl Node {
    fn of(seq: u64) -> Node {
        let mut node = Node::new(end(seq), Vec::new(), 0, Salt::default(), 1_000);
        // So that the base needs no look into the log.
        node.newest_kept = 0;
        node
    }

    fn ask(&mut self, link: Link) -> Option<CallKind> {
        let has_call = self.has_call(link);
        let call = self.next_call(link).unwrap();
        assert_eq!(has_call, call.is_some());
        call.map(|call| call.kind)
    }

    fn attach(&mut self, link: Link, run: &str) {
        self.connected(link, "process history".into());
        let call = self.ask(link).unwrap();
        self.replied(link, call, attached(run, self.end.seq)).unwrap();
        assert!(self.is_link_attached(link));
        // As the hub does.
        self.take_news();
    }

    fn read(&mut self, seq: u64, run: &str) -> Vec<u64> {
        let lines = self.follow(vec![Entry { line: line(seq), run: run.into() }]);
        lines.iter().map(|line| line.seq).collect()
    }
}

#[test]
fn what_was_stored_while_it_was_compared_is_compared_too() {
    let mut node = Node::of(4);
    node.connected(Link::Commands, "process history".into());
    let call = node.ask(Link::Commands).unwrap();
    assert_eq!(call, CallKind::Attach { own: 4 });
    node.moved(end(6));
    // The stream has lost 5 and 6, which came from the process before.
    node.replied(Link::Commands, call, attached("a", 4)).unwrap();
    assert!(!node.is_link_attached(Link::Commands));
    assert!(node.take_news().is_empty(), "it speaks no mark under which its last line is not");
    assert_eq!(node.ask(Link::Commands), attach_call(6));
}

#[test]
fn it_is_not_compared_while_what_was_read_is_not_stored() {
    let mut node = Node::of(5);
    node.attach(Link::Commands, "a");
    node.attach(Link::Lines, "a");
    node.lost(Link::Commands);
    assert_eq!(node.read(6, "a"), [6], "it may read while nothing can be compared");
    node.connected(Link::Commands, "other history".into());
    assert_eq!(node.ask(Link::Commands), None);
    node.moved(end(6));
    assert_eq!(node.ask(Link::Commands), attach_call(6));
}

#[test]
fn nothing_is_read_while_it_is_compared() {
    let mut node = Node::of(5);
    node.attach(Link::Commands, "a");
    node.attach(Link::Lines, "a");
    assert_eq!(node.read_after(), Some(5));
    node.lost(Link::Commands);
    node.connected(Link::Commands, "process history".into());
    let call = node.ask(Link::Commands).unwrap();
    assert_eq!(node.read_after(), None);
    assert!(node.read(6, "a").is_empty());
    node.replied(Link::Commands, call, attached("a", 5)).unwrap();
    assert_eq!(node.read_after(), Some(5));
    assert_eq!(node.read(6, "a"), [6]);
}

#[test]
fn nothing_is_read_before_the_hub_knows_the_run() {
    let mut node = Node::of(5);
    for link in [Link::Commands, Link::Lines] {
        node.connected(link, "process history".into());
        let call = node.ask(link).unwrap();
        node.replied(link, call, attached("a", 5)).unwrap();
    }
    assert_eq!(node.read_after(), None);
    assert!(node.read(6, "a").is_empty(), "it would be stored and told under the mark before");
    assert!(matches!(&node.take_news()[..], [Ordered::Runs(..)]));
    assert_eq!((node.read_after(), node.read(6, "a")), (Some(5), vec![6]));
}

#[test]
fn what_could_not_be_stored_keeps_nobody_from_comparing() {
    let mut node = Node::of(5);
    node.attach(Link::Lines, "a");
    assert_eq!(node.read(6, "a"), [6]);
    node.connected(Link::Commands, "process history".into());
    assert_eq!(node.ask(Link::Commands), None);
    node.stored();
    assert_eq!(node.ask(Link::Commands), attach_call(5));
}

#[test]
fn what_was_read_in_another_run_is_read_again() {
    let mut node = Node::of(5);
    node.attach(Link::Commands, "a");
    node.attach(Link::Lines, "a");
    node.lost(Link::Commands);
    node.attach(Link::Commands, "b");
    assert_eq!(node.read_after(), None);
    assert!(node.read(6, "a").is_empty());
    assert_eq!(node.ask(Link::Lines), attach_call(5));
}

#[test]
fn an_entry_that_does_not_follow_after_three_attaches_is_foreign() {
    let mut node = Node::of(5);
    node.attach(Link::Commands, "a");
    for is_foreign in [false, false, true, true] {
        node.attach(Link::Lines, "a");
        assert!(node.read(7, "a").is_empty());
        assert_eq!(node.has_foreign_entry(), is_foreign);
    }
    node.attach(Link::Lines, "a");
    assert_eq!(node.read(6, "a"), [6]);
    assert!(!node.has_foreign_entry());
    node.moved(end(6));
    node.saw_foreign_entry();
    assert!(node.has_foreign_entry());
    node.attach(Link::Lines, "a");
    assert!(node.follow(Vec::new()).is_empty());
    assert!(!node.has_foreign_entry(), "nothing is there any more");
}

#[test]
fn a_stream_that_is_behind_the_log_is_looked_at() {
    let mut node = Node::of(6);
    node.attach(Link::Commands, "a");
    node.attach(Link::Lines, "a");
    assert_eq!(node.readiness(), Readiness::Ready(1));
    for (behind, next) in [(7, None), (5, attach_call(6))] {
        node.propose(vec![line(7)]);
        let call = node.ask(Link::Commands).unwrap();
        node.replied(Link::Commands, call, Reply::Behind(behind)).unwrap();
        assert_eq!(node.ask(Link::Commands), next);
    }
}

#[test]
fn an_answer_that_is_older_than_a_heal_keeps_no_log_from_being_compacted() {
    let mut node = Node::of(6);
    for link in [Link::Commands, Link::Lines] {
        node.connected(link, "process history".into());
        assert_eq!(node.ask(link), attach_call(6));
    }
    // Another machine brings the empty stream all lines between the two answers, of which the older one comes last.
    node.replied(Link::Commands, CallKind::Attach { own: 6 }, attached("a", 6)).unwrap();
    assert!(node.may_compact());
    node.replied(Link::Lines, CallKind::Attach { own: 6 }, attached("a", 0)).unwrap();
    assert!(node.may_compact());
    assert_eq!(node.mark().map(|mark| &**mark), Some("a"));
}

#[test]
fn a_connection_that_is_lost_while_new_lines_wait_does_not_make_them_wait_for_ever() {
    let mut node = Node::of(4);
    node.attach(Link::Commands, "a");
    node.attach(Link::Lines, "a");
    assert_eq!(node.readiness(), Readiness::Ready(1));
    node.propose(vec![line(5)]);
    let call = node.ask(Link::Commands).unwrap();
    node.replied(Link::Commands, call, Reply::Wait(2_900)).unwrap();
    assert_eq!(node.readiness(), Readiness::Soon);
    node.lost(Link::Commands);
    // The run is the same one, so nothing else ends the wait.
    node.attach(Link::Commands, "a");
    assert_eq!(node.readiness(), Readiness::Ready(1));
}

#[test]
fn an_answer_of_an_older_run_that_comes_late_is_not_believed() {
    let mut node = Node::of(6);
    for link in [Link::Commands, Link::Lines] {
        node.connected(link, "process history".into());
        assert_eq!(node.ask(link), attach_call(6));
    }
    // Another machine has taken over between the two answers, of which the older one comes last.
    let attach = || CallKind::Attach { own: 6 };
    node.replied(Link::Commands, attach(), attached("b", 6)).unwrap();
    node.replied(Link::Lines, attach(), attached("a", 6)).unwrap();
    assert_eq!(node.mark().map(|mark| &**mark), Some("b"));
    for link in [Link::Commands, Link::Lines] {
        assert_eq!(node.ask(link), attach_call(6));
        node.replied(link, attach(), attached("b", 6)).unwrap();
    }
    assert!(node.is_attached() && node.may_compact());
    assert_eq!(node.mark().map(|mark| &**mark), Some("b"));
}
