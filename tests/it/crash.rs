//! Power cuts at every moment, full and failing media, cut and flipped files: what was acknowledged is there, and nothing is
//! changed or dropped in silence.
//!
//! Everything here runs on the [model disk](crate::model) in memory; nothing waits.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use sayso::{
    cli::config::SyncMode,
    comment::{Comment, Status},
    error::Error,
    log::scan::{Location, scan_all},
    log::trailer::Trailer,
    log::{CommitError, Log, TornTail},
    store::compact::{CompactedLog, CompactionJob},
    store::index::{CommentRef, Entry, Index},
    store::record::LineSummary,
    store::visibility::Visibility,
};

use crate::model::{Care, Chance, Faults, Machine, Moment};

/// One line as it was submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LineParts {
    id: u64,
    bytes: Vec<u8>,
}

/// What a log may hold if the machine stops.
#[derive(Debug, Clone, Default)]
struct Truth {
    /// `commit` said that these are durable.
    acknowledged: Vec<LineParts>,
    /// Batches that were tried since, each behind what is acknowledged.
    attempts: Vec<Vec<LineParts>>,
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
fn newest(lines: &[LineParts]) -> impl Iterator<Item = &LineParts> {
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
struct LogWriter {
    machine: Machine,
    log: Log,
    index: Index,
    comments: Vec<Comment>,
    truth: Truth,
    header_bytes: usize,
    /// From which moment on which truth holds.
    truths: Vec<(usize, Truth)>,
    job: Option<CompactionJob>,
    made: Option<CompactedLog>,
    begun_at: usize,
}

impl LogWriter {
    fn new(machine: Machine) -> Result<LogWriter, Error> {
        let Opened { log, .. } = open(&machine, 0)?;
        let truth = Truth { compacted: BTreeSet::from([0]), ..Truth::default() };
        Ok(LogWriter {
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

    fn step(&mut self, step: &Step) -> Result<(), CommitError> {
        match step {
            Step::Write(acts) => return self.write(acts),
            Step::BeginCompaction => {
                self.begun_at = self.truth.acknowledged.len();
                self.job = CompactionJob::new(&self.log, &self.index, &Default::default()).ok();
            }
            Step::Rewrite => self.made = self.job.take().and_then(|job| job.work().ok()),
            Step::Adopt => self.replace_with(),
        }
        Ok(())
    }

    fn replace_with(&mut self) {
        let Some(made) = self.made.take() else { return };
        let before = self.truth.compacted.clone();
        self.truth.compacted.insert(self.begun_at);
        self.note();
        if made.replace_with(&mut self.log, &mut self.index).is_ok() {
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
            batch.push(LineParts { id: comment.id, bytes });
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
            assert_eq!(self.log.read(item.place).unwrap(), line.bytes);
        }
        let ids: BTreeSet<u64> = self.truth.acknowledged.iter().map(|line| line.id).collect();
        assert_eq!(self.index.comment_count(), ids.len());
    }
}

fn entry(comment: &Comment, place: Location) -> Entry<'_> {
    Entry {
        id: comment.id,
        seq: comment.seq,
        place,
        visibility: Visibility::of(comment.status, comment.deleted),
        page: &comment.page,
        nonce: comment.nonce.as_deref(),
    }
}

struct Opened {
    log: Log,
    torn: Option<TornTail>,
    /// As they are sent.
    lines: Vec<Vec<u8>>,
}

/// Opens the log on a machine; every call is one second later.
fn open(machine: &Machine, second: u64) -> Result<Opened, Error> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + second);
    let mut lines = Vec::new();
    let each = |line: &[u8], place: Location| {
        let seq = parsed(line)?;
        let open = Trailer::of(line).expect("the scan has seen the seal").open;
        assert_eq!(open.len(), place.len as usize, "a line lies where it is said to");
        lines.push([open, b"}"].concat());
        Ok(seq)
    };
    let (log, torn) =
        Log::open(machine.disk(), Path::new("model.jsonl"), SyncMode::Always, now, each)?;
    Ok(Opened { log, torn, lines })
}

/// As `parse`, which is pure, with a memory: the same lines come tens of thousands of times.
fn parsed(line: &[u8]) -> Result<u64, String> {
    thread_local!(static KNOWN: RefCell<HashMap<Vec<u8>, u64>> = RefCell::default());
    KNOWN.with_borrow_mut(|known| {
        if let Some(seq) = known.get(line) {
            return Ok(*seq);
        }
        let seq = LineSummary::parse(line)?.seq;
        known.insert(line.to_owned(), seq);
        Ok(seq)
    })
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

/// Every crash of a machine that was written to, at one of these moments.
fn crash_within(writer: &LogWriter, moments: Range<usize>, care: Care, tally: &mut Tally) {
    let mut chance = Chance(7);
    for (number, moment) in writer.machine.moments().iter().enumerate() {
        if moments.contains(&number) {
            crash_at(writer, number, moment, care, &mut chance, tally);
        }
    }
}

fn crash_everywhere(writer: &LogWriter, care: Care, tally: &mut Tally) {
    crash_within(writer, 0..usize::MAX, care, tally);
}

fn crash_at(
    writer: &LogWriter,
    number: usize,
    moment: &Moment,
    care: Care,
    chance: &mut Chance,
    tally: &mut Tally,
) {
    let truth = writer.truth_at(number);
    moment.crashes(care, chance, &mut |bytes| crash_to(writer, &bytes, truth, tally));
}

fn crash_to(writer: &LogWriter, bytes: &[u8], truth: &Truth, tally: &mut Tally) {
    // A header is far smaller than a sector, and no medium writes half a sector.
    let header = &bytes[..bytes.len().min(writer.header_bytes)];
    if header.contains(&0) && header.iter().any(|&byte| byte != 0) {
        return;
    }
    tally.crashes += 1;
    let recovered = must_recover(bytes, truth);
    let torn = recovered.len() < bytes.len();
    tally.torn += usize::from(torn);
    if torn && tally.torn.is_multiple_of(32) {
        crash_while_recovering(bytes, truth, tally);
    }
}

/// Where several operations are under way, what comes of them may lie side by side.
fn mix_within(writer: &LogWriter, moments: Range<usize>, chance: &mut Chance, tally: &mut Tally) {
    let care = Care { mixtures: 24, ..CARE };
    for (number, moment) in writer.machine.moments().iter().enumerate() {
        if moments.contains(&number) && moment.under_way() > 1 {
            let truth = writer.truth_at(number);
            moment.mixtures(care, chance, &mut |bytes| crash_to(writer, &bytes, truth, tally));
        }
    }
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
    // How it goes on from here depends on the recovered file alone.
    if !bytes.len().is_multiple_of(4) {
        return cut;
    }
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

const CARE: Care = Care { page: 64, mixtures: 4, only_last: false };

#[test]
fn after_every_crash_what_was_acknowledged_is_there_and_nothing_else_than_what_was_written() {
    let (start, mut tally) = (Instant::now(), Tally::default());
    for (seed, page) in [(1, 16), (2, 32), (3, 64), (4, 128)] {
        let mut writer = LogWriter::new(Machine::holding(Vec::new())).unwrap();
        for step in script(seed, 10) {
            writer.step(&step).unwrap();
        }
        assert!(writer.truth.compacted.first() > Some(&0), "the log was compacted");
        crash_everywhere(&writer, Care { page, ..CARE }, &mut tally);
    }
    tally.say("posts, edits, deletions and compactions", start);
    assert!(tally.crashes > 15_000 && tally.torn > 10_000, "{} are not enough", tally.crashes);
    assert!(tally.crashes_while_recovering > 2_000);
}

#[test]
fn a_medium_that_fills_up_at_any_byte_refuses_a_batch_as_a_whole_and_takes_it_when_there_is_room() {
    let (start, mut tally) = (Instant::now(), Tally::default());
    let steps = script(5, 7);
    let (mut refused, mut chance) = (0, Chance(11));
    for room in 0.. {
        let machine = Machine::holding(Vec::new());
        let mut writer = LogWriter::new(machine.clone()).unwrap();
        machine.set_faults(Faults { room: Some(room), ..Faults::default() });
        let mut first = None;
        for step in &steps {
            let age = machine.age();
            match writer.step(step) {
                Ok(()) => {}
                Err(fault) => {
                    assert_eq!(fault, CommitError::Full, "{room} bytes");
                    refused += 1;
                    // What is smaller may still fit; after that, somebody makes room.
                    let _ =
                        writer.step(&Step::Write(vec![Act::Post { content_bytes: 1, page: 0 }]));
                    machine.set_faults(Faults::default());
                    writer.step(step).unwrap();
                    first = Some(age..machine.age());
                    break;
                }
            }
        }
        let opened = open(&machine, 0).unwrap();
        assert!(opened.torn.is_none() && writer.truth.allows(&opened.lines), "{room} bytes");
        let first = first.unwrap_or_default();
        if room % 601 == 0 {
            crash_within(&writer, first.clone(), CARE, &mut tally);
        }
        if room % 16 == 0 {
            mix_within(&writer, first, &mut chance, &mut tally);
        }
        // All of it fitted, the compactions too.
        if machine.faults().room.is_some() {
            println!("a full medium: {refused} batches refused, {room} bytes hold everything");
            break;
        }
    }
    assert!(refused > 500, "{refused} refusals");
    tally.say("a full medium", start);
    assert!(tally.crashes > 5_000);
}

#[test]
fn after_a_failed_sync_no_later_success_is_believed_and_a_restart_finds_what_was_acknowledged() {
    let (start, mut tally) = (Instant::now(), Tally::default());
    let steps = script(6, 12);
    let (mut failures, mut survived) = (0, 0);
    for syncs in 0.. {
        let machine = Machine::holding(Vec::new());
        machine.set_faults(Faults { syncs: Some(syncs), ..Faults::default() });
        let Ok(mut writer) = LogWriter::new(machine.clone()) else {
            assert_eq!(syncs, 0, "only the first sync is needed to begin");
            assert!(open(&machine, 1).is_ok());
            continue;
        };
        let (mut failed, mut failed_at) = (false, 0);
        for step in &steps {
            if machine.faults().syncs.is_some() {
                failed_at = machine.age();
            }
            match writer.step(step) {
                Ok(()) => assert!(!failed || !matches!(step, Step::Write(_)), "sync {syncs}"),
                Err(fault) => {
                    assert!(matches!(fault, CommitError::Failed(_)), "{fault}");
                    failed = true;
                }
            }
        }
        if machine.faults().syncs.is_some() {
            break;
        }
        failures += usize::from(failed);
        survived += usize::from(!failed);
        // Up to there it is as without the failure, and behind it no line is ever accepted.
        if syncs % 4 == 1 {
            crash_within(&writer, failed_at..failed_at + 5, CARE, &mut tally);
        }
    }
    println!("a failing sync: {failures} times for good, {survived} times only a compaction");
    assert!(failures > 12 && survived > 0);
    tally.say("a failing sync", start);
    assert!(tally.crashes > 2_000);
}

#[test]
fn a_torn_tail_that_can_not_be_kept_aside_is_not_cut() {
    let machine = Machine::holding(Vec::new());
    let mut writer = LogWriter::new(machine.clone()).unwrap();
    let post = Step::Write(vec![Act::Post { content_bytes: 60, page: 0 }; 3]);
    writer.step(&post).unwrap();
    let torn = [&machine.bytes()[..], b"{\"seq\":4,\"id\""].concat();
    let no_room = Faults { room: Some(5), ..Faults::default() };
    let failures = (0..3).map(|syncs| Faults { syncs: Some(syncs), ..Faults::default() });
    for (number, faults) in [no_room].into_iter().chain(failures).enumerate() {
        let machine = Machine::holding(torn.clone());
        machine.set_faults(faults);
        let opened = open(&machine, 0);
        assert_eq!(opened.is_err(), number < 3, "two syncs are enough");
        assert!(number > 1 || machine.bytes() == torn, "nothing is cut before it is kept");
        machine.set_faults(Faults::default());
        assert_eq!(open(&machine, 1).unwrap().lines.len(), 3);
        assert!(machine.asides().values().any(|aside| torn.ends_with(aside) && aside.len() == 13));
    }
}

#[test]
fn a_medium_that_can_neither_write_nor_cut_back_has_failed() {
    let machine = Machine::holding(Vec::new());
    let mut writer = LogWriter::new(machine.clone()).unwrap();
    let post = Step::Write(vec![Act::Post { content_bytes: 60, page: 0 }; 3]);
    writer.step(&post).unwrap();
    machine.set_faults(Faults { room: Some(100), cut: true, ..Faults::default() });
    assert!(matches!(writer.step(&post), Err(CommitError::Failed(_))));
    machine.set_faults(Faults::default());
    assert!(matches!(writer.step(&post), Err(CommitError::Failed(_))), "also with room");
    let mut tally = Tally::default();
    crash_everywhere(&writer, CARE, &mut tally);
    assert!(tally.torn > 0);
}

/// A log of a hundred lines, header included, of writes of one to three lines, and where its lines end.
fn hundred_lines() -> (Vec<u8>, Vec<usize>) {
    let machine = Machine::holding(Vec::new());
    let mut log = open(&machine, 0).unwrap().log;
    while log.next_seq() < 100 {
        for _ in 0..(1 + log.next_seq() % 3).min(100 - log.next_seq()) {
            let seq = log.next_seq();
            log.stage(format!("{{\"seq\":{seq},\"id\":{seq},\"page\":\"/\"}}").as_bytes());
        }
        log.commit().unwrap();
    }
    let bytes = machine.bytes();
    let feeds = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let ends: Vec<usize> = feeds.map(|(at, _)| at + 1).collect();
    assert_eq!(ends.len(), 100);
    (bytes, ends)
}

#[test]
fn every_truncation_of_a_hundred_lines_keeps_the_whole_lines_and_sets_the_rest_aside() {
    let (whole, ends) = hundred_lines();
    for length in 0..=whole.len() {
        let lines = ends.partition_point(|end| *end <= length);
        let machine = Machine::holding(whole[..length].to_vec());
        let opened = open(&machine, 0).unwrap();
        let cut = nothing_is_dropped(&whole[..length], &machine, &opened);
        assert_eq!(cut.len(), if lines == 0 { 0 } else { ends[lines - 1] });
        assert_eq!(opened.lines.len(), lines.saturating_sub(1), "{length} bytes");
        assert_eq!(opened.torn.is_some(), cut.len() < length);
    }
    println!("{} truncations", whole.len() + 1);
}

#[test]
fn every_flipped_bit_of_a_hundred_lines_is_refused_with_its_line_or_set_aside_with_the_last_write()
{
    let (start, (whole, ends)) = (Instant::now(), hundred_lines());
    let ends_a_write = |line: usize| {
        let begin = if line == 1 { 0 } else { ends[line - 2] };
        !Trailer::of(&whole[begin..ends[line - 1] - 1]).unwrap().more
    };
    let last_write = (1..100).rev().find(|line| ends_a_write(*line)).unwrap() + 1;
    let write_before = (1..last_write - 1).rev().find(|line| ends_a_write(*line)).unwrap() + 1;
    let (mut refused, mut recovered) = (0, 0);
    for bit in 0..whole.len() * 8 {
        let line = ends.partition_point(|end| *end <= bit / 8) + 1;
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let machine = Machine::holding(flipped.clone());
        match open(&machine, 0) {
            Err(error) => {
                assert!(line < last_write, "the last write may be torn: bit {bit}: {error}");
                let found = match error {
                    Error::Damaged { line, .. } => line,
                    Error::NotALog { .. } => 1,
                    other => panic!("bit {bit}: {other}"),
                };
                assert_eq!(found, line as u64, "bit {bit}");
                assert_eq!(machine.age(), 0, "what is refused is left alone");
                refused += 1;
            }
            Ok(opened) => {
                // With the last line of the write before it, the end of that write is gone, so that both look like one.
                assert!(line >= last_write || line == last_write - 1, "line {line}, bit {bit}");
                let cut = nothing_is_dropped(&flipped, &machine, &opened);
                assert_eq!(cut, whole[..ends[line - 2]], "bit {bit}");
                assert!(opened.torn.is_some());
                recovered += 1;
            }
        }
        if bit % 64 == 3 {
            survey_names(&flipped, line as u64);
        }
    }
    assert!(write_before < last_write);
    println!("{refused} flipped bits refused, {recovered} set aside, in {:?}", start.elapsed());
    assert_eq!(refused + recovered, whole.len() * 8);
}

/// `sayso check` names the line, and perhaps the one behind it.
fn survey_names(flipped: &[u8], line: u64) {
    let machine = Machine::holding(flipped.to_vec());
    let mut each = |line: &[u8], _: Location| parsed(line);
    let length = flipped.len() as u64;
    let (_, problems) = scan_all(machine.disk().reader(), length, &mut each).unwrap();
    let lines: Vec<u64> = problems.iter().map(|problem| problem.line).collect();
    assert!(lines.first() == Some(&line), "{lines:?} instead of {line}");
    assert!(
        lines.len() <= 2 && lines.iter().all(|found| found - line <= 1),
        "{lines:?}, not {line}"
    );
}

/// A comment as the naive index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    id: u64,
    seq: u64,
    place: Location,
    visibility: Visibility,
    page: String,
    nonce: Option<String>,
}

/// All comments by id, searched from end to end.
#[derive(Debug, Clone, Default)]
struct Naive(BTreeMap<u64, Known>);

impl Naive {
    fn put(&mut self, known: &Known) {
        let nonce = self.0.get(&known.id).and_then(|known| known.nonce.clone());
        let nonce = known.nonce.clone().or(nonce);
        self.0.insert(known.id, Known { nonce, ..known.clone() });
    }

    /// Every question the index answers, with the naive answer.
    fn agrees(&self, index: &Index, pages: &[&str], chance: &mut Chance) {
        assert_eq!(index.comment_count(), self.0.len());
        let used: BTreeSet<&str> = self.0.values().map(|known| &*known.page).collect();
        assert_eq!(index.page_count(), used.len());
        assert_eq!(
            index.live_bytes(),
            self.0.values().map(|k| u64::from(k.place.len)).sum::<u64>()
        );
        assert_eq!(
            index.offsets(),
            self.0.values().map(|known| known.place.offset).collect::<Vec<_>>()
        );
        for known in self.0.values() {
            let item = item(known);
            assert_eq!(index.find(known.id), Some(item));
            if let Some(nonce) = &known.nonce {
                assert_eq!(index.find_nonce(nonce, |hit| hit.id == known.id), Some(item));
            }
        }
        assert_eq!(index.find(self.0.len() as u64 * 9 + 1), None);
        for &page in pages {
            let here: Vec<&Known> = self.0.values().filter(|known| known.page == page).collect();
            assert_eq!(index.has_page(page), !here.is_empty());
            let public = here.iter().filter(|known| known.visibility == Visibility::Public).count();
            assert_eq!(index.count(page), public as u64);
            let cursor = chance.below(60) as u64;
            let newest = here.iter().rev().filter(|k| k.id < cursor).map(|k| item(k));
            assert!(index.newest(page, Some(cursor)).eq(newest), "before {cursor}");
            let mut since: Vec<CommentRef> =
                here.iter().filter(|known| known.seq > cursor).map(|k| item(k)).collect();
            since.sort_by_key(|item| item.seq);
            assert!(index.since(page, cursor).eq(since), "since {cursor}");
            assert!(here.iter().all(|known| index.find_on(page, known.id) == Some(item(known))));
        }
    }
}

fn item(known: &Known) -> CommentRef {
    CommentRef { id: known.id, seq: known.seq, place: known.place, visibility: known.visibility }
}

#[test]
fn a_batch_that_is_taken_back_leaves_the_index_as_it_was() {
    const PAGES: [&str; 5] = ["/", "a", "b", "c", "never"];
    const SIGHTS: [Visibility; 5] = [
        Visibility::Public,
        Visibility::Public,
        Visibility::Hidden,
        Visibility::Pending,
        Visibility::Deleted,
    ];
    let mut rolled_back = 0;
    for seed in 0..40 {
        let mut chance = Chance(seed);
        let (mut index, mut naive) = (Index::default(), Naive::default());
        let (mut seq, mut end, mut lines) = (1, 100, Vec::new());
        // What everyone of a page was last told; a line that is taken back was never told.
        let mut seqs: BTreeMap<String, u64> = BTreeMap::new();
        for _ in 0..30 {
            let before = (naive.clone(), seqs.clone(), seq, end, lines.len());
            index.begin();
            for _ in 0..1 + chance.below(6) {
                let ids: Vec<u64> = naive.0.keys().copied().collect();
                let is_new = ids.is_empty() || chance.below(2) == 0;
                let id = if is_new { seq } else { ids[chance.below(ids.len())] };
                let page = match naive.0.get(&id) {
                    Some(known) => known.page.clone(),
                    None => PAGES[chance.below(4)].to_owned(),
                };
                let nonce = (is_new && chance.below(3) > 0).then(|| format!("{seed}-nonce-{seq}"));
                let place = Location { offset: end, len: 20 + chance.below(900) as u32 };
                let known =
                    Known { id, seq, place, visibility: SIGHTS[chance.below(5)], page, nonce };
                index.put(known_entry(&known));
                naive.put(&known);
                if known.visibility.is_shared() {
                    seqs.insert(known.page.clone(), seq);
                }
                lines.push(known);
                (seq, end) = (seq + 1, end + u64::from(place.len) + 19);
            }
            if chance.below(2) == 0 {
                index.commit();
            } else {
                naive.agrees(&index, &PAGES, &mut chance);
                index.roll_back();
                rolled_back += 1;
                (naive, seqs, seq, end) = (before.0, before.1, before.2, before.3);
                lines.truncate(before.4);
            }
            naive.agrees(&index, &PAGES, &mut chance);
            for page in PAGES {
                assert_eq!(index.seq(page), seqs.get(page).copied().unwrap_or(0), "{page}");
            }
        }
        let mut loaded = Index::default();
        for known in &lines {
            let nonce = naive.0[&known.id].nonce.clone();
            loaded.load(known_entry(&Known { nonce, ..known.clone() }));
        }
        loaded.finish_loading();
        naive.agrees(&loaded, &PAGES, &mut chance);
        // The same after a compaction: only the newest line of each, in the order of the lines.
        let mut compacted = Index::default();
        let mut newest: Vec<&Known> = naive.0.values().collect();
        newest.sort_by_key(|known| known.seq);
        newest.iter().for_each(|known| compacted.load(known_entry(known)));
        compacted.finish_loading();
        naive.agrees(&compacted, &PAGES, &mut chance);
    }
    println!("{rolled_back} batches taken back");
    assert!(rolled_back > 400);
}

fn known_entry(known: &Known) -> Entry<'_> {
    let Known { id, seq, place, visibility, page, nonce } = known;
    let (id, seq, place, visibility, nonce) = (*id, *seq, *place, *visibility, nonce.as_deref());
    Entry { id, seq, place, visibility, page, nonce }
}
