//! A second hub that is only given the first one's lines, compared with the first and with one that a start makes of its file.

mod disk;
mod nonsense;
mod operations;
mod state;

use std::collections::BTreeSet;

use crossbeam_channel::Receiver;

use super::*;
use crate::{
    fanout::ShardCommand,
    hub::rules::{Hold, Rules},
};
use disk::{Disk, hub, restarted};
use nonsense::May;
use operations::{Chance, Operations};
use state::{Sent, sent, state};

/// Batches of a run, each of one to six commands, or of one.
const ROUNDS: usize = 300;

fn rules(hold: Hold, close_after: Option<u32>) -> Rules {
    Rules {
        hold,
        max_links: None,
        flags_hold: Some(2),
        close_after,
        salt: [7; 32],
        page_prefix: Vec::new(),
        max_pages: 1_000,
    }
}

/// A hub, its file, and what its readers are sent.
struct Node {
    hub: Hub<()>,
    disk: Disk,
    commands: Receiver<ShardCommand<()>>,
    /// How many lines it was given of each kind.
    counts: Counts,
}

type Counts = [usize; LineKind::Other as usize + 1];

impl Node {
    fn new(rules: &Rules) -> Node {
        let (hub, disk, commands) = hub(rules);
        Node { hub, disk, commands, counts: [0; LineKind::Other as usize + 1] }
    }

    fn sent(&mut self) -> Sent {
        sent(&mut self.hub, &self.commands)
    }

    /// Takes lines in batches as chance has it. Returns how many of these were taken back.
    fn apply_all(&mut self, lines: &[ChainedLine], chance: &mut Chance) -> usize {
        let (mut at, mut failed) = (0, 0);
        while at < lines.len() {
            let (start, len) = (at, 1 + chance.below(12) as usize);
            self.hub.index.begin();
            let mut chain = self.hub.log.chain();
            while at < lines.len() && at < start + len && !self.hub.must_commit_before(&lines[at]) {
                let line = lines[at].line.clone();
                chain = chain.next(1 + lines[at].seq / 300, &line);
                let line = ChainedLine { seq: lines[at].seq, chain, line };
                let applied = self.hub.apply(&line).unwrap();
                assert_eq!(applied.seq, lines[at].seq);
                self.counts[applied.what as usize] += 1;
                at += 1;
            }
            self.hub.commit_batch();
            if self.hub.log.next_seq() != lines[at - 1].seq + 1 {
                assert_eq!(self.hub.log.next_seq(), lines[start].seq);
                (at, failed) = (start, failed + 1);
            }
        }
        failed
    }
}

fn assert_same(a: &[String], b: &[String], what: &str) {
    for (a, b) in a.iter().zip(b) {
        assert_eq!(a, b, "{what}");
    }
    assert_eq!(a.len(), b.len(), "{what}");
}

/// Runs operations on one hub and gives its lines to another. Returns how many lines of each kind it was given.
fn run(seed: u64, rules: &Rules, moves: bool, fails_each: u64) -> Counts {
    let (mut first, mut second) = (Node::new(rules), Node::new(rules));
    let mut operations = Operations::new(seed, moves);
    let mut chance = Chance(seed + 1);
    let (mut taken, mut failed, mut closed) = (0, 0, [(); 2].map(|()| BTreeSet::new()));
    second.disk.fail_each(fails_each);
    // Effects follow all lines of a batch, so with --hold new the first one's trust depends on where batches end.
    let (len_max, rounds) = if rules.hold == Hold::New { (1, 3 * ROUNDS) } else { (6, ROUNDS) };
    for round in 0..rounds {
        let len = 1 + chance.below(len_max);
        let batch: Vec<_> = (0..len).map(|_| operations.next(&first.hub)).collect();
        first.hub.process_batch(&mut batch.into_iter());
        if !chance.one_in(30) && round + 1 < rounds {
            continue;
        }
        let lines = first.disk.lines();
        failed += second.apply_all(&lines[taken..], &mut chance);
        taken = lines.len();
        let what = format!("seed {seed}, round {round}, {taken} lines");
        second.hub.now = first.hub.now.clone();
        let states = [&first, &second].map(|node| state(&node.hub, &operations.nonces, false));
        assert_same(&states[0], &states[1], &what);
        assert_eq!(first.hub.approved, second.hub.approved, "{what}");
        let mut sent = [&mut first, &mut second].map(Node::sent);
        if moves {
            // Whether a page closes before its readers move or after them depends on where batches end; how it is in the end does not.
            sent.iter_mut().zip(&mut closed).for_each(|(sent, closed)| keep_closed(sent, closed));
            assert_eq!(closed[0], closed[1], "{what}");
        }
        for (to, messages) in &sent[0] {
            assert_eq!(Some(messages), sent[1].get(to), "{to}, {what}");
        }
        assert_eq!(sent[0], sent[1], "{what}");
        let mut started = restarted(&second.disk.bytes(), rules);
        started.now = first.hub.now.clone();
        let started = state(&started, &operations.nonces, true);
        assert_same(&state(&second.hub, &operations.nonces, true), &started, &what);
    }
    assert!(taken > ROUNDS / 2, "{taken} lines");
    assert_eq!(failed > 10, fails_each > 0, "{failed} failed");
    second.counts
}

fn sum(counts: &[Counts]) -> Counts {
    std::array::from_fn(|what| counts.iter().map(|counts| counts[what]).sum())
}

/// Moves what readers are told of closed pages to those topics for which a page is closed.
fn keep_closed(sent: &mut Sent, closed: &mut BTreeSet<String>) {
    for (to, messages) in sent.extract_if(.., |to, _| to.ends_with(" locked")) {
        match messages.last().is_some_and(|last| last.contains("true")) {
            true => closed.insert(to),
            false => closed.remove(&to),
        };
    }
}

#[test]
fn a_hub_that_is_given_the_lines_of_another_is_like_it_and_like_a_start() {
    let mut counts = Vec::new();
    for (seed, hold) in [(1, Hold::None), (2, Hold::New), (3, Hold::Links), (4, Hold::All)] {
        for close_after in [None, Some(3_000)] {
            counts.push(run(seed * 10, &rules(hold, close_after), false, 0));
        }
    }
    let counts = sum(&counts);
    for (what, count) in counts.iter().enumerate().take(LineKind::Moved as usize) {
        assert!(*count > 50, "{what}: {counts:?}");
    }
    assert_eq!(counts[LineKind::Moved as usize..], [0, 0]);
}

#[test]
fn pages_that_have_moved_elsewhere_move_here_too() {
    let mut counts = Vec::new();
    for seed in 100..103 {
        counts.push(run(seed, &rules(Hold::None, Some(3_000)), true, 0));
        counts.push(run(seed, &rules(Hold::New, None), true, 0));
    }
    let moved = sum(&counts)[LineKind::Moved as usize];
    assert!(moved > 50, "{moved} moves");
}

#[test]
fn a_batch_that_finds_no_room_leaves_nothing_and_can_be_applied_again() {
    for seed in 200..202 {
        run(seed, &rules(Hold::None, Some(3_000)), seed % 2 == 0, 3);
    }
}

/// Gives a hub lines that no sayso writes, some behind a history as it should be.
fn run_nonsense(seed: u64, may: May) -> (usize, usize) {
    let rules = rules(Hold::None, Some(3_000));
    let (mut first, mut node) = (Node::new(&rules), Node::new(&rules));
    let (mut operations, mut chance) = (Operations::new(seed, may.move_pages), Chance(seed));
    for _ in 0..60 {
        let command = operations.next(&first.hub);
        first.hub.process_batch(&mut std::iter::once(command));
    }
    node.apply_all(&first.disk.lines(), &mut chance);
    let (mut taken, mut refused) = (0, 0);
    for round in 0..120 {
        node.hub.index.begin();
        let mut last = node.hub.log.chain();
        for _ in 0..1 + chance.below(5) {
            let next = node.hub.log.next_seq();
            // Another machine may have left some out.
            let seq = if chance.one_in(9) { next + 1 + chance.below(3) } else { next };
            let line = nonsense::line(&node.hub, seq, &mut chance, may);
            let chain = last.next(7, &line);
            let ordered = ChainedLine { seq, chain, line: line.into() };
            let damaged = ChainedLine { chain: last, ..ordered.clone() };
            assert!(node.hub.must_commit_before(&ordered) || node.hub.apply(&damaged).is_err());
            if node.hub.must_commit_before(&ordered) {
                break;
            }
            let before = (node.hub.batch.bytes.len(), node.hub.batch.records);
            match node.hub.apply(&ordered) {
                Ok(applied) => {
                    assert_eq!((applied.seq, node.hub.log.next_seq()), (seq, seq + 1));
                    (taken, last) = (taken + 1, chain);
                }
                Err(why) => {
                    assert!(why.starts_with(&format!("line {seq} ")), "{why}");
                    assert_eq!(node.hub.log.next_seq(), next);
                    assert_eq!(before, (node.hub.batch.bytes.len(), node.hub.batch.records));
                    refused += 1;
                }
            }
        }
        node.hub.commit_batch();
        node.sent();
        if round % 6 == 5 {
            let mut started = restarted(&node.disk.bytes(), &rules);
            started.now = first.hub.now.clone();
            node.hub.now = first.hub.now.clone();
            node.hub.moderation.forget_ended_bans(&first.hub.now);
            let states = [&node.hub, &started].map(|hub| state(hub, &[], true));
            if may.change_times {
                continue;
            }
            assert_same(&states[0], &states[1], &format!("seed {seed}, round {round}"));
        }
    }
    (taken, refused)
}

#[test]
fn lines_that_make_no_sense_count_as_much_as_for_a_start() {
    let (mut taken, mut refused) = (0, 0);
    for seed in 300..312 {
        let (some, others) =
            run_nonsense(seed, May { move_pages: seed % 2 == 0, change_times: seed % 10 == 0 });
        (taken, refused) = (taken + some, refused + others);
    }
    assert!(taken > 1_500 && refused > 300, "{taken} taken, {refused} refused");
}

#[test]
fn a_line_is_published_on_the_page_that_the_first_line_of_its_comment_names() {
    let mut node = Node::new(&rules(Hold::None, None));
    node.sent();
    let line = |seq: u64, page: &str, content: &str| {
        let time = "2026-11-22T05:08:00.001Z";
        let line = format!(
            r#"{{"seq":{seq},"id":1,"page":"{page}","content":"{content}","created_at":"{time}"}}"#
        );
        ChainedLine { seq, chain: Default::default(), line: line.into_bytes().into() }
    };
    node.apply_all(&[line(1, "/a", "first"), line(2, "/b", "second")], &mut Chance(1));
    let sent: Vec<_> =
        node.sent().into_iter().filter(|(to, _)| to.ends_with("full line")).collect();
    let topics: Vec<_> = sent.iter().map(|(to, lines)| (to.as_str(), lines.len())).collect();
    assert_eq!(topics, [("topic 000 full line", 2), ("topic 001 full line", 2)]);
}

#[test]
fn what_was_learned_of_a_page_is_forgotten_with_its_batch() {
    let rules = rules(Hold::None, Some(1));
    let mut node = Node::new(&rules);
    let line = |page: &str, time: &str| {
        let line = format!(
            r#"{{"seq":1,"id":1,"page":"{page}","content":"x","created_at":"{time}","imported":"x"}}"#
        );
        ChainedLine { seq: 1, chain: Default::default(), line: line.into_bytes().into() }
    };
    node.disk.fail_each(1);
    node.hub.index.begin();
    let old = line("/old", "2001-03-04T05:06:07.000Z");
    let chain = node.hub.log.chain().next(1, &old.line);
    node.hub.apply(&ChainedLine { chain, ..old }).unwrap();
    node.hub.check_lock("/old").unwrap_err();
    node.hub.commit_batch();
    node.disk.fail_each(0);
    node.apply_all(&[line("/new", "9000-03-04T05:06:07.000Z")], &mut Chance(1));
    assert_eq!(node.hub.check_lock("/new"), Ok(()));
}

#[test]
fn what_can_not_stand_in_the_log_is_refused_with_a_sentence() {
    let mut node = Node::new(&rules(Hold::None, None));
    node.hub.index.begin();
    let long = format!(r#"{{"seq":1,"kind":"x","y":"{}"}}"#, "z".repeat(LINE_BYTES_MAX));
    for (line, why) in [
        (&b"{\"seq\":1,\n\"kind\":\"x\"}"[..], "not one JSON object on one line"),
        (b"{\"seq\":1,\"kind\":\"x\"}\n", "not one JSON object on one line"),
        (b"{\"seq\":1,\"kind\":\"\xff\"}", "in UTF-8"),
        (b"", "not one JSON object"),
        (b"{", "not one JSON object"),
        (b"[1]", "not one JSON object"),
        (br#"{"seq":1,"kind":"x"}}"#, "it is not a comment"),
        (br#"{"seq":1,"kind":"x","more":1}"#, "a field that only the file has"),
        (br#"{"seq":1,"kind":"x","h":"3.00000000000000ab"}"#, "a field that only the file has"),
        (br#"{"seq":2,"kind":"x"}"#, "its seq is 2, and the next one is 1"),
        (br#"{"seq":1,"id":2,"page":"/"}"#, "its id 2 does not go with its seq 1"),
        (br#"{"seq":1,"id":0,"page":"/"}"#, "its id 0 does not go with its seq 1"),
        (br#"{"seq":1,"id":1,"page":""}"#, "it has no page"),
        (br#"{"seq":1,"id":1,"page":"/","status":"new"}"#, "unknown variant"),
        (long.as_bytes(), "at most 98304 are allowed"),
    ] {
        let chain = node.hub.log.chain().next(1, line);
        let ordered = ChainedLine { seq: 1, chain, line: line.into() };
        let error = node.hub.apply(&ordered).unwrap_err();
        let shown = String::from_utf8_lossy(&line[..line.len().min(90)]);
        assert!(error.starts_with("line 1 can't be stored: "), "{error}");
        assert!(error.contains(why), "{shown}: {error}");
    }
    let line = br#"{"seq":5,"id":3,"page":"/"}"#;
    let chain = node.hub.log.chain().next(1, line);
    let unknown = ChainedLine { seq: 5, chain, line: line[..].into() };
    let error = node.hub.apply(&unknown).unwrap_err();
    assert!(error.ends_with("it changes comment 3, which this log does not have"), "{error}");
    let end = node.disk.bytes();
    node.hub.commit_batch();
    assert_eq!(node.disk.bytes(), end, "none of them is in the batch");
}
