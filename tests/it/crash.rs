//! Power cuts at every moment, full and failing media, cut and flipped files: what was acknowledged is there, and nothing is
//! changed or dropped in silence.
//!
//! Everything here runs on the [model disk](crate::model) in memory; nothing waits.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use sayso::{
    archive::parse,
    comment::{Comment, Status},
    compact::{Compacted, Job},
    config::SyncMode,
    error::Error,
    index::{Entry, Index, Item},
    log::{Fault, Log, Torn},
    scan::{Place, Tail, scan, survey},
    seal::Sealed,
    sight::Sight,
};

use crate::model::{Care, Chance, Faults, Machine, Moment};

/// One line as it was submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    id: u64,
    bytes: Vec<u8>,
}

/// What a log may hold if the machine stops.
#[derive(Debug, Clone, Default)]
struct Truth {
    /// `commit` said that these are durable.
    acknowledged: Vec<Line>,
    /// Batches that were tried since, each behind what is acknowledged.
    attempts: Vec<Vec<Line>>,
    /// A compaction that took only the newest line of each comment of so many lines; 0: none.
    compacted: BTreeSet<usize>,
}

impl Truth {
    /// Whether these lines are what was acknowledged and the beginning of what was submitted.
    fn allows(&self, lines: &[Vec<u8>]) -> bool {
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
enum Act {
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
enum Step {
    Write(Vec<Act>),
    /// Takes the list of what is wanted.
    BeginCompaction,
    /// The long part.
    Rewrite,
    /// Takes the place of the old log.
    Adopt,
}

/// A history in which every kind of step stands beside every other, different for each seed.
fn script(seed: u64, writes: usize) -> Vec<Step> {
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
struct Writer {
    machine: Machine,
    log: Log,
    index: Index,
    comments: Vec<Comment>,
    truth: Truth,
    header_bytes: usize,
    /// From which moment on which truth holds.
    truths: Vec<(usize, Truth)>,
    job: Option<Job>,
    made: Option<Compacted>,
    begun_at: usize,
}

impl Writer {
    fn new(machine: Machine) -> Result<Writer, Error> {
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
    fn truth_at(&self, moment: usize) -> &Truth {
        let at = self.truths.partition_point(|(from, _)| *from <= moment);
        &self.truths[at - 1].1
    }

    fn run(&mut self, steps: &[Step]) {
        for step in steps {
            let _ = self.step(step);
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), Fault> {
        match step {
            Step::Write(acts) => return self.write(acts),
            Step::BeginCompaction => {
                self.begun_at = self.truth.acknowledged.len();
                self.job = Job::new(&self.log, &self.index).ok();
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
        if made.adopt(&mut self.log, &mut self.index).is_ok() {
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

    fn write(&mut self, acts: &[Act]) -> Result<(), Fault> {
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
                self.index.keep();
            }
            Err(_) => {
                self.comments = comments_before;
                self.index.roll_back();
                assert_eq!((self.log.next_seq(), self.log.end()), (first, end), "nothing happened");
            }
        }
        self.note();
        self.reads_as_acknowledged();
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
                nonce: (seq % 3 > 0).then(|| format!("nonce-nonce-{seq:04}")),
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
            Act::Delete(_) => comment.bury(),
            Act::Hide(_) => comment.status = Status::Hidden,
            _ => comment.content = format!("{seq}, edited"),
        }
        comment.clone()
    }

    /// Every comment's newest acknowledged line is where the index says, whatever went wrong.
    fn reads_as_acknowledged(&self) {
        for line in newest(&self.truth.acknowledged) {
            let item = self.index.find(line.id).expect("an acknowledged comment is known");
            assert_eq!(self.log.read(item.place).unwrap(), line.bytes);
        }
        let ids: BTreeSet<u64> = self.truth.acknowledged.iter().map(|line| line.id).collect();
        assert_eq!(self.index.comment_count(), ids.len());
    }
}

fn entry(comment: &Comment, place: Place) -> Entry<'_> {
    Entry {
        id: comment.id,
        seq: comment.seq,
        place,
        sight: Sight::of(comment.status, comment.deleted),
        page: &comment.page,
        nonce: comment.nonce.as_deref(),
    }
}

struct Opened {
    log: Log,
    torn: Option<Torn>,
    /// As they are sent.
    lines: Vec<Vec<u8>>,
}

/// Opens the log on a machine; every call is one second later.
fn open(machine: &Machine, second: u64) -> Result<Opened, Error> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + second);
    let mut lines = Vec::new();
    let each = |line: &[u8], place: Place| {
        let record = parse(line)?;
        let open = Sealed::of(line).expect("the scan has seen the seal").open;
        assert_eq!(open.len(), place.len as usize, "a line lies where it is said to");
        lines.push([open, b"}"].concat());
        Ok(record.seq)
    };
    let (log, torn) =
        Log::open(machine.disk(), Path::new("model.jsonl"), SyncMode::Always, now, each)?;
    Ok(Opened { log, torn, lines })
}

/// What was looked at.
#[derive(Default)]
struct Tally {
    crashes: usize,
    crashes_while_recovering: usize,
    torn: usize,
}

impl Tally {
    fn say(&self, what: &str, start: Instant) {
        println!(
            "{what}: {} crashes, {} of them with a torn tail, and {} while recovering, in {:?}",
            self.crashes,
            self.torn,
            self.crashes_while_recovering,
            start.elapsed()
        );
    }
}

/// Every crash of a machine that was written to.
fn crash_everywhere(writer: &Writer, care: Care, tally: &mut Tally) {
    let mut chance = Chance(7);
    for (number, moment) in writer.machine.moments().iter().enumerate() {
        crash_at(writer, number, moment, care, &mut chance, tally);
    }
}

fn crash_at(
    writer: &Writer,
    number: usize,
    moment: &Moment,
    care: Care,
    chance: &mut Chance,
    tally: &mut Tally,
) {
    let truth = writer.truth_at(number);
    moment.crashes(care, chance, &mut |bytes| {
        // A header is far smaller than a sector, and no medium writes half a sector.
        let header = &bytes[..bytes.len().min(writer.header_bytes)];
        if header.contains(&0) && header.iter().any(|&byte| byte != 0) {
            return;
        }
        tally.crashes += 1;
        let recovered = must_recover(&bytes, truth);
        let torn = recovered.len() < bytes.len();
        tally.torn += usize::from(torn);
        if torn && tally.torn % 16 == 0 {
            crash_while_recovering(&bytes, truth, tally);
        }
    });
}

/// Opens what a crash left, twice, and writes on. Returns what the file was cut to.
fn must_recover(bytes: &[u8], truth: &Truth) -> Vec<u8> {
    let tell = || String::from_utf8_lossy(bytes).into_owned();
    let machine = Machine::holding(bytes.to_vec());
    let first = open(&machine, 0).unwrap_or_else(|error| panic!("{error}\n{}", tell()));
    assert!(truth.allows(&first.lines), "{} lines of {truth:#?}\n{}", first.lines.len(), tell());
    let recovered = machine.bytes();
    let cut = nothing_is_dropped(bytes, &machine, &first);
    let age = machine.age();
    let mut second = open(&machine, 1).unwrap_or_else(|error| panic!("again: {error}\n{}", tell()));
    assert_eq!(second.lines, first.lines);
    assert_eq!((second.log.id(), second.log.end()), (first.log.id(), first.log.end()));
    assert_eq!(second.log.next_seq(), first.log.next_seq());
    assert!(second.torn.is_none() && machine.age() == age, "opening again changes nothing");
    assert_eq!(machine.bytes(), recovered);
    let seq = second.log.next_seq();
    let next = format!("{{\"seq\":{seq},\"id\":{seq},\"page\":\"/\"}}").into_bytes();
    second.log.stage(&next);
    second.log.commit().unwrap();
    let third = open(&machine, 2).unwrap_or_else(|error| panic!("then: {error}\n{}", tell()));
    assert_eq!(third.lines.split_last(), Some((&next, &first.lines[..])), "the log goes on");
    cut
}

/// What is not in the log any more is beside it, byte for byte.
fn nothing_is_dropped(bytes: &[u8], machine: &Machine, opened: &Opened) -> Vec<u8> {
    let asides: Vec<Vec<u8>> = machine.asides().into_values().collect();
    let Some(torn) = &opened.torn else {
        assert!(asides.is_empty());
        assert!(bytes.is_empty() || machine.bytes() == bytes, "a good log is left as it is");
        return bytes.to_vec();
    };
    assert_eq!(asides.len(), 1);
    assert_eq!(torn.bytes, asides[0].len() as u64);
    let cut = bytes.strip_suffix(&asides[0][..]).expect("the end was set aside");
    assert!(cut.is_empty() || machine.bytes() == cut);
    assert_eq!(opened.lines.len(), cut.split_inclusive(|&b| b == b'\n').count().saturating_sub(1));
    cut.to_vec()
}

/// The machine stops again while the torn tail is being set aside and cut.
fn crash_while_recovering(bytes: &[u8], truth: &Truth, tally: &mut Tally) {
    let machine = Machine::holding(bytes.to_vec());
    let lines = open(&machine, 0).unwrap().lines;
    let care = Care { page: 512, mixtures: 0, only_last: false };
    for moment in machine.moments() {
        moment.crashes(care, &mut Chance(0), &mut |left| {
            tally.crashes_while_recovering += 1;
            assert_eq!(open(&Machine::holding(left.clone()), 1).unwrap().lines, lines);
            must_recover(&left, truth);
            let is_kept = moment.asides.values().any(|aside| {
                bytes.strip_suffix(&aside[..]).is_some_and(|rest| left.starts_with(rest))
            });
            assert!(left == bytes || is_kept, "nothing is cut before it is kept");
        });
    }
}

#[test]
fn after_every_crash_what_was_acknowledged_is_there_and_nothing_else_than_what_was_written() {
    let (start, mut tally) = (Instant::now(), Tally::default());
    for (seed, page) in [(1, 16), (2, 32), (3, 64), (4, 128)] {
        let mut writer = Writer::new(Machine::holding(Vec::new())).unwrap();
        writer.run(&script(seed, 12));
        let care = Care { page, mixtures: 4, only_last: false };
        crash_everywhere(&writer, care, &mut tally);
    }
    tally.say("posts, edits, deletions and compactions", start);
    assert!(tally.crashes > 10_000, "{} are not enough", tally.crashes);
    assert!(tally.torn > 5_000 && tally.crashes_while_recovering > 1_000);
}
