//! Every line of small logs, damaged in every place.

use std::{collections::BTreeMap, ops::Range};

use sayso::comment::Comment;

use super::{lines, logs, parsed, repair};
use crate::model::Chance;

/// A good log, and what its lines say.
struct Original {
    bytes: Vec<u8>,
    /// Where each line lies, header included, with its `\n`.
    spans: Vec<Range<usize>>,
    /// The lines behind the header.
    lines: Vec<Comment>,
    /// The bytes that are damaged one after the other.
    places: Vec<usize>,
}

impl Original {
    /// `skipped` are lines that are damaged in another log.
    fn new(bytes: Vec<u8>, skipped: Range<usize>) -> Original {
        let mut start = 0;
        let spans = lines(&bytes).map(|line| {
            let span = start..start + line.len() + 1;
            start = span.end;
            span
        });
        let spans: Vec<Range<usize>> = spans.collect();
        let lines = lines(&bytes).skip(1).map(parsed).collect();
        let places = spans.iter().enumerate().filter(|(line, _)| !skipped.contains(line));
        let places = places.flat_map(|(_, span)| span.clone()).collect();
        Original { bytes, spans, lines, places }
    }

    fn newest<'c>(lines: impl Iterator<Item = &'c Comment>) -> BTreeMap<u64, &'c Comment> {
        let comments = lines.filter(|line| line.kind.is_none());
        comments.map(|comment| (comment.id, comment)).collect()
    }

    /// The lines that don't overlap these bytes.
    fn intact(&self, touched: &Range<usize>) -> Vec<&Comment> {
        let spans = self.spans.iter().skip(1).zip(&self.lines);
        let apart = |span: &Range<usize>| span.end <= touched.start || touched.end <= span.start;
        spans.filter(|(span, _)| apart(span)).map(|(_, line)| line).collect()
    }

    /// Repairs a damaged log and checks what must hold. `touched` are the bytes that are not as they were.
    fn check(&self, damaged: &[u8], touched: &Range<usize>, what: &str) -> usize {
        let repaired = repair(damaged);
        let shown = Original::newest(self.lines.iter());
        for comment in repaired.comments.values().filter(|comment| comment.is_visible()) {
            let before = shown.get(&comment.id).filter(|before| before.is_visible());
            let before = before.unwrap_or_else(|| panic!("{what} shows {comment:?}"));
            assert_eq!(
                (&comment.content, &comment.name, &comment.page),
                (&before.content, &before.name, &before.page),
                "{what} shows what nobody was shown"
            );
        }
        for (id, intact) in Original::newest(self.intact(touched).into_iter()) {
            let kept = repaired.comments.get(&id);
            let kept = kept.unwrap_or_else(|| panic!("{what} loses the intact {intact:?}"));
            assert!(kept.seq >= intact.seq, "{what} loses the intact {intact:?}");
            let is = |line: &&Comment| *kept == Comment { status: kept.status, ..(*line).clone() };
            // A newer line that was damaged may be kept, but nobody is shown it.
            let is_written = self.lines.iter().any(|line| is(&line)) || !kept.is_visible();
            assert!(is_written && (is(&intact) || kept.seq > intact.seq), "{what} makes {kept:?}");
        }
        repaired.hidden.len()
    }
}

fn originals() -> [Original; 2] {
    let young = Original::new(logs::young(), 0..0);
    // Its middle is the young log over again.
    [young, Original::new(logs::compacted(), 9..20)]
}

#[test]
fn every_flipped_bit_shows_nothing_that_was_not_shown_and_costs_no_other_line() {
    for original in originals() {
        let mut hidden = 0;
        for bit in original.places.iter().flat_map(|at| at * 8..at * 8 + 8) {
            let (at, mut damaged) = (bit / 8, original.bytes.clone());
            damaged[at] ^= 1 << (bit % 8);
            hidden += original.check(&damaged, &(at..at + 1), &format!("bit {bit}"));
        }
        println!("{hidden} comments hidden by {} flipped bits", original.places.len() * 8);
    }
}

#[test]
fn every_run_of_zeros_shows_nothing_that_was_not_shown_and_costs_no_other_line() {
    for original in originals() {
        for &start in &original.places {
            let rest = original.bytes.len() - start;
            let line = original.spans.iter().find(|span| span.contains(&start)).unwrap();
            let to_the_end_of_the_line = line.end - start;
            let lengths = [1, 9, 64, 300, to_the_end_of_the_line, to_the_end_of_the_line + 1, rest];
            for length in lengths.map(|length| length.min(rest)) {
                let mut damaged = original.bytes.clone();
                damaged[start..start + length].fill(0);
                let what = format!("{length} zeros from {start} on");
                let touched = start..start + length;
                if length == rest && line.start > 0 {
                    // Zeros to the end are a torn tail: a start cuts it off and shows what the lines before it say. A line that lacks its line
                    // feed and at most one byte is still proven.
                    let end = if start + 2 >= line.end { line.end } else { line.start };
                    let before = original.bytes[..end].to_vec();
                    Original::new(before, 0..0).check(&damaged, &touched, &what);
                } else {
                    original.check(&damaged, &touched, &what);
                }
            }
        }
    }
}

#[test]
fn every_removed_line_shows_nothing_that_was_not_shown_and_costs_no_other_line() {
    for original in originals() {
        // What is cut off at the end has left no trace.
        let last = original.spans.len() - 1;
        for first in 0..last {
            for end in first + 1..=last {
                let span = original.spans[first].start..original.spans[end - 1].end;
                let mut damaged = original.bytes.clone();
                damaged.drain(span.clone());
                original.check(&damaged, &span, &format!("without lines {first} to {}", end - 1));
            }
        }
    }
}

#[test]
fn every_line_that_is_doubled_or_copied_elsewhere_changes_nothing() {
    for original in originals() {
        let count = original.spans.len();
        for from in 0..count {
            for to in 0..=count {
                let at = original.spans.get(to).map_or(original.bytes.len(), |span| span.start);
                let copy = original.bytes[original.spans[from].clone()].to_vec();
                let mut damaged = original.bytes.clone();
                damaged.splice(at..at, copy);
                let what = format!("line {from} copied to {to}");
                let hidden = original.check(&damaged, &(at..at), &what);
                // What stands at the end may have been written over another line.
                let is_last = to == count || (from, to) == (count - 1, count - 1);
                assert!(hidden == 0 || is_last, "{what}: {hidden} comments are hidden");
            }
        }
    }
}

#[test]
fn every_line_that_another_one_was_written_over_shows_nothing_that_was_not_shown() {
    for original in originals() {
        let count = original.spans.len();
        for (from, to) in (0..count).flat_map(|from| (0..count).map(move |to| (from, to))) {
            let (copy, span) = (&original.bytes[original.spans[from].clone()], &original.spans[to]);
            let mut damaged = original.bytes.clone();
            damaged.splice(span.clone(), copy.to_vec());
            original.check(&damaged, span, &format!("line {from} in the place of {to}"));
        }
    }
}

#[test]
fn every_byte_that_is_missing_or_too_many_shows_nothing_that_was_not_shown() {
    let mut chance = Chance(7);
    for original in originals() {
        for &at in &original.places {
            let mut damaged = original.bytes.clone();
            // A file that only lacks its end has lost nothing that it shows.
            if at + 1 < original.bytes.len() {
                damaged.remove(at);
                original.check(&damaged, &(at..at + 1), &format!("without byte {at}"));
            }
            let mut damaged = original.bytes.clone();
            damaged.insert(at, b"\0\n{}\"1,x"[chance.below(8)]);
            let touched = at.saturating_sub(1)..at + 1;
            original.check(&damaged, &touched, &format!("one byte more at {at}"));
        }
    }
}
