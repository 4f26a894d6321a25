//! Writes a history into a log: posts, edits, deletions and compactions, and what was promised of each.

use std::collections::{BTreeMap, BTreeSet};

use sayso::{
    comment::{Comment, Status},
    error::Error,
    log::{CommitError, Log, scan::Location},
    store::{
        compact::{CompactedLog, CompactionJob},
        index::{Entry, Index},
        visibility::Visibility,
    },
};

use super::{Opened, open};
use crate::model::{Chance, Machine};

/// One line as it was submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    id: u64,
    bytes: Vec<u8>,
}

/// What a log may hold if the machine stops.
#[derive(Debug, Clone, Default)]
pub(super) struct Truth {
    /// `commit` said that these are durable.
    acknowledged: Vec<Line>,
    /// Batches that were tried since, each behind what is acknowledged.
    attempts: Vec<Vec<Line>>,
    /// A compaction that took only the newest line of each comment of so many lines; 0: none.
    pub(super) compacted: BTreeSet<usize>,
}

impl Truth {
    /// Whether these lines are what was acknowledged and the beginning of what was submitted.
    pub(super) fn allows(&self, lines: &[Vec<u8>]) -> bool {
        let nothing = Vec::new();
        self.compacted.iter().any(|&compacted| {
            self.attempts.iter().chain([&nothing]).any(|attempt| {
                let (old, newer) = self.acknowledged.split_at(compacted);
                let kept = newest(old).chain(newer).chain(attempt).map(|line| &line.bytes);
                lines.len() >= newest(old).count() + newer.len()
                    && lines.len() <= newest(old).count() + newer.len() + attempt.len()
                    && lines.iter().zip(kept).all(|(there, submitted)| there == submitted)
            })
        })
    }
}

/// What a compaction keeps.
fn newest(lines: &[Line]) -> impl Iterator<Item = &Line> {
    let last: BTreeMap<u64, usize> =
        lines.iter().enumerate().map(|(at, line)| (line.id, at)).collect();
    lines.iter().enumerate().filter(move |(at, line)| last[&line.id] == *at).map(|(_, line)| line)
}

/// What a batch does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    Post {
        content_bytes: usize,
        page: usize,
    },
    /// Of the comment with this number, from 0.
    Edit(usize),
    Hide(usize),
    Delete(usize),
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Write(Vec<Act>),
    /// Takes the list of what is wanted.
    BeginCompaction,
    /// The long part.
    Rewrite,
    /// Takes the place of the old log.
    Adopt,
}

/// A history in which every kind of step stands beside every other, different for each seed.
pub(super) fn script(seed: u64, writes: usize) -> Vec<Step> {
    let mut chance = Chance(seed);
    let (mut steps, mut comments, mut compaction) = (Vec::new(), 0, 0);
    for write in 0..writes {
        let mut acts = Vec::new();
        for _ in 0..1 + chance.below(4) {
            let content_bytes = [1, 7, 20, 60, 130][chance.below(5)];
            let act = match chance.below(8) {
                0 | 1 if comments > 0 => Act::Edit(chance.below(comments)),
                2 if comments > 0 => Act::Delete(chance.below(comments)),
                3 if comments > 0 => Act::Hide(chance.below(comments)),
                _ => Act::Post { content_bytes, page: chance.below(3) },
            };
            comments += usize::from(matches!(act, Act::Post { .. }));
            acts.push(act);
        }
        steps.push(Step::Write(acts));
        // With writes between the parts of a compaction, and sometimes without.
        if write > 2 && chance.below(3) > 0 {
            steps.push([Step::BeginCompaction, Step::Rewrite, Step::Adopt][compaction % 3].clone());
            compaction += 1;
        }
    }
    steps
}

/// Who writes a history into a log, and remembers what was promised.
pub(super) struct Writer {
    pub(super) machine: Machine,
    log: Log,
    index: Index,
    comments: Vec<Comment>,
    pub(super) truth: Truth,
    pub(super) header_bytes: usize,
    /// From which moment on which truth holds.
    truths: Vec<(usize, Truth)>,
    job: Option<CompactionJob>,
    made: Option<CompactedLog>,
    begun_at: usize,
}

impl Writer {
    pub(super) fn new(machine: Machine) -> Result<Writer, Error> {
        let Opened { log, .. } = open(&machine, 0)?;
        let truth = Truth { compacted: BTreeSet::from([0]), ..Truth::default() };
        Ok(Writer {
            header_bytes: log.end() as usize,
            machine,
            log,
            index: Index::default(),
            comments: Vec::new(),
            truths: vec![(0, truth.clone())],
            truth,
            job: None,
            made: None,
            begun_at: 0,
        })
    }

    fn note(&mut self) {
        self.truths.push((self.machine.age(), self.truth.clone()));
    }

    /// What was true when the machine had gone through so many operations.
    pub(super) fn truth_at(&self, moment: usize) -> &Truth {
        let at = self.truths.partition_point(|(from, _)| *from <= moment);
        &self.truths[at - 1].1
    }

    pub(super) fn step(&mut self, step: &Step) -> Result<(), CommitError> {
        match step {
            Step::Write(acts) => return self.write(acts),
            Step::BeginCompaction => {
                self.begun_at = self.truth.acknowledged.len();
                self.job = CompactionJob::new(
                    &self.log,
                    &self.index,
                    &Default::default(),
                    &mut Default::default(),
                )
                .ok();
            }
            Step::Rewrite => self.made = self.job.take().and_then(|job| job.work().ok()),
            Step::Adopt => self.adopt(),
        }
        Ok(())
    }

    fn adopt(&mut self) {
        let Some(made) = self.made.take() else { return };
        let before = self.truth.compacted.clone();
        self.truth.compacted.insert(self.begun_at);
        self.note();
        if made.replace_with(&mut self.log, &mut self.index, &mut Default::default()).is_ok() {
            self.truth.compacted = BTreeSet::from([self.begun_at]);
        } else if self.log_takes_a_line() {
            self.truth.compacted = before;
        }
        self.note();
    }

    /// Whether the log would still take one, without trying to write.
    fn log_takes_a_line(&self) -> bool {
        self.machine.moments().last().is_none_or(|moment| moment.has_one_name())
    }

    fn write(&mut self, acts: &[Act]) -> Result<(), CommitError> {
        let comments_before = self.comments.clone();
        let (first, end) = (self.log.next_seq(), self.log.end());
        let mut batch = Vec::new();
        self.index.begin();
        for &act in acts {
            let seq = self.log.next_seq();
            let comment = self.act(act, seq);
            let mut bytes = Vec::new();
            comment.encode(&mut bytes);
            let place = self.log.stage(&bytes);
            assert_eq!(self.log.read(place).unwrap(), bytes, "a staged line can be read");
            self.index.put(entry(&comment, place));
            batch.push(Line { id: comment.id, bytes });
        }
        self.truth.attempts.push(batch);
        self.note();
        let outcome = self.log.commit();
        match &outcome {
            Ok(()) => {
                let batch = self.truth.attempts.pop().expect("it was pushed");
                self.truth.attempts.clear();
                self.truth.acknowledged.extend(batch);
                self.index.commit();
            }
            Err(_) => {
                self.comments = comments_before;
                self.index.roll_back();
                assert_eq!((self.log.next_seq(), self.log.end()), (first, end), "nothing happened");
            }
        }
        self.note();
        if outcome.is_err() {
            self.reads_as_acknowledged();
        }
        outcome
    }

    fn act(&mut self, act: Act, seq: u64) -> Comment {
        if let Act::Post { content_bytes, page } = act {
            let comment = Comment {
                seq,
                id: seq,
                page: ["/", "/talk", "b.example/post"][page].into(),
                content: format!("{seq}:{}", "x".repeat(content_bytes)),
                created_at: "2026-11-22T05:08:00.001Z".into(),
                nonce: (!seq.is_multiple_of(3)).then(|| format!("nonce-nonce-{seq:04}")),
                ..Comment::default()
            };
            self.comments.push(comment.clone());
            return comment;
        }
        let (Act::Edit(number) | Act::Hide(number) | Act::Delete(number)) = act else {
            unreachable!("a post is done")
        };
        let count = self.comments.len();
        if count == 0 {
            return self.act(Act::Post { content_bytes: 3, page: 0 }, seq);
        }
        let comment = &mut self.comments[number % count];
        comment.seq = seq;
        match act {
            Act::Delete(_) => comment.make_tombstone(),
            Act::Hide(_) => comment.status = Status::Hidden,
            _ => comment.content = format!("{seq}, edited"),
        }
        comment.clone()
    }

    /// Every comment's newest acknowledged line is where the index says, whatever went wrong.
    fn reads_as_acknowledged(&self) {
        for line in newest(&self.truth.acknowledged) {
            let item = self.index.find(line.id).expect("an acknowledged comment is known");
            assert_eq!(self.log.read(item.location).unwrap(), line.bytes);
        }
        let ids: BTreeSet<u64> = self.truth.acknowledged.iter().map(|line| line.id).collect();
        assert_eq!(self.index.comment_count(), ids.len());
    }
}

fn entry(comment: &Comment, location: Location) -> Entry<'_> {
    Entry {
        id: comment.id,
        seq: comment.seq,
        location,
        visibility: Visibility::of(comment.status, comment.deleted),
        page: &comment.page,
        parent: comment.parent,
        nonce: comment.nonce.as_deref(),
    }
}
