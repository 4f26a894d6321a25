//! A second hub that is only given the first one's lines, compared with the first and with one that a start makes of its file.

mod disk;
mod nonsense;
mod operations;
mod state;

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
const ROUNDS: usize = 500;

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

type Counts = [usize; What::Other as usize + 1];

impl Node {
    fn new(rules: &Rules) -> Node {
        let (hub, disk, commands) = hub(rules);
        Node { hub, disk, commands, counts: [0; What::Other as usize + 1] }
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
            while at < lines.len() && at < start + len && !self.hub.must_commit_before(&lines[at]) {
                let applied = self.hub.apply(&lines[at]).unwrap();
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
    let (mut taken, mut failed) = (0, 0);
    second.disk.fail_each(fails_each);
    // Effects follow all lines of a batch, so with --hold new the first one's trust depends on where batches end.
    let (len_max, rounds) = if rules.hold == Hold::New { (1, 3 * ROUNDS) } else { (6, ROUNDS) };
    for round in 0..rounds {
        let len = 1 + chance.below(len_max);
        let batch: Vec<_> = (0..len).map(|_| operations.next(&first.hub)).collect();
        first.hub.process_batch(&mut batch.into_iter());
        if !chance.one_in(25) && round + 1 < rounds {
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
            sent.iter_mut().for_each(keep_last_locked);
        }
        assert_eq!(sent[0], sent[1], "{what}");
        let mut started = restarted(&second.disk.bytes(), rules);
        started.now = first.hub.now.clone();
        let started = state(&started, &operations.nonces, true);
        assert_same(&state(&second.hub, &operations.nonces, true), &started, &what);
    }
    assert!(taken > ROUNDS, "{taken} lines");
    assert_eq!(failed > 10, fails_each > 0, "{failed} failed");
    second.counts
}

fn sum(counts: &[Counts]) -> Counts {
    std::array::from_fn(|what| counts.iter().map(|counts| counts[what]).sum())
}

fn keep_last_locked(sent: &mut Sent) {
    for (_, messages) in sent.iter_mut().filter(|(to, _)| to.ends_with(" locked")) {
        messages.drain(..messages.len() - 1);
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
    for (what, count) in counts.iter().enumerate().take(What::Moved as usize) {
        assert!(*count > 100, "{what}: {counts:?}");
    }
    assert_eq!(counts[What::Moved as usize..], [0, 0]);
}

#[test]
fn pages_that_have_moved_elsewhere_move_here_too() {
    let mut counts = Vec::new();
    for seed in 100..104 {
        counts.push(run(seed, &rules(Hold::None, Some(3_000)), true, 0));
        counts.push(run(seed, &rules(Hold::New, None), true, 0));
    }
    let moved = sum(&counts)[What::Moved as usize];
    assert!(moved > 100, "{moved} moves");
}

#[test]
fn a_batch_that_finds_no_room_leaves_nothing_and_can_be_applied_again() {
    for seed in 200..204 {
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
        for _ in 0..1 + chance.below(5) {
            let seq = node.hub.log.next_seq();
            let line = nonsense::line(&node.hub, &mut chance, may);
            let ordered = ChainedLine { seq, chain: Default::default(), line: line.into() };
            if node.hub.must_commit_before(&ordered) {
                break;
            }
            let before = (node.hub.batch.bytes.len(), node.hub.batch.records);
            match node.hub.apply(&ordered) {
                Ok(applied) => {
                    assert_eq!((applied.seq, node.hub.log.next_seq()), (seq, seq + 1));
                    taken += 1;
                }
                Err(why) => {
                    assert!(why.starts_with(&format!("line {seq} ")), "{why}");
                    assert_eq!(node.hub.log.next_seq(), seq);
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
    for seed in 300..320 {
        let (some, others) =
            run_nonsense(seed, May { move_pages: seed % 2 == 0, change_times: seed % 10 == 0 });
        (taken, refused) = (taken + some, refused + others);
    }
    assert!(taken > 2_000 && refused > 500, "{taken} taken, {refused} refused");
}
