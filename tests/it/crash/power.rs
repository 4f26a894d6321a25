//! Power cuts at every moment, and the tools to go through them.

use std::{ops::Range, time::Instant};

use super::{
    nothing_is_dropped, open,
    writer::{Truth, Writer, script},
};
use crate::model::{Care, Chance, Machine, Moment};

/// What was looked at.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) crashes: usize,
    crashes_while_recovering: usize,
    pub(super) torn: usize,
}

impl Tally {
    pub(super) fn say(&self, what: &str, start: Instant) {
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
pub(super) fn crash_within(writer: &Writer, moments: Range<usize>, care: Care, tally: &mut Tally) {
    let mut chance = Chance(7);
    for (number, moment) in writer.machine.moments().iter().enumerate() {
        if moments.contains(&number) {
            crash_at(writer, number, moment, care, &mut chance, tally);
        }
    }
}

pub(super) fn crash_everywhere(writer: &Writer, care: Care, tally: &mut Tally) {
    crash_within(writer, 0..usize::MAX, care, tally);
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
    moment.crashes(care, chance, &mut |bytes| crash_to(writer, &bytes, truth, tally));
}

fn crash_to(writer: &Writer, bytes: &[u8], truth: &Truth, tally: &mut Tally) {
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
pub(super) fn mix_within(
    writer: &Writer,
    moments: Range<usize>,
    chance: &mut Chance,
    tally: &mut Tally,
) {
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

pub(super) const CARE: Care = Care { page: 64, mixtures: 4, only_last: false };

#[test]
fn after_every_crash_what_was_acknowledged_is_there_and_nothing_else_than_what_was_written() {
    let (start, mut tally) = (Instant::now(), Tally::default());
    for (seed, page) in [(1, 16), (2, 32), (3, 64), (4, 128)] {
        let mut writer = Writer::new(Machine::holding(Vec::new())).unwrap();
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
