//! Every cut and every flipped bit of a small log.

use std::time::Instant;

use sayso::{
    error::Error,
    log::{survey::survey, trailer::Trailer},
};

use super::{nothing_is_dropped, open, parsed};
use crate::model::Machine;

/// A log of a hundred lines, header included, of writes of one to three lines, and where its lines end.
fn hundred_lines() -> (Vec<u8>, Vec<usize>) {
    let machine = Machine::holding(Vec::new());
    let mut log = open(&machine, 0).unwrap().log;
    while log.next_seq() < 100 {
        for _ in 0..(1 + log.next_seq() % 3).min(100 - log.next_seq()) {
            let seq = log.next_seq();
            // What a line of several machines has in the file.
            let hash = if seq.is_multiple_of(2) { r#","h":"3.0123456789abcdef""# } else { "" };
            log.stage(format!("{{\"seq\":{seq},\"id\":{seq},\"page\":\"/\"{hash}}}").as_bytes());
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

/// `sayso check` names the line and no other.
fn survey_names(flipped: &[u8], line: u64) {
    let reader = Machine::holding(flipped.to_vec()).disk().reader();
    let surveyed = survey(reader, flipped.len() as u64, &mut parsed, &mut |_| {}).unwrap();
    let lines: Vec<u64> = surveyed.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [line]);
}
