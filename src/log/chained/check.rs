//! Looks for lines whose hash does not follow from the line before, though no compaction explains it.
//!
//! Knows nothing of damage: a log is looked at once its checksums are right.

use crate::log::{chain::ChainHash, survey::Problem, trailer::Trailer};

/// Breaks that are remembered; a log with more has been changed by another program, and the first ones say where.
const BREAKS_MAX: usize = 1_000;

/// What was read so far.
#[derive(Default)]
pub struct HashCheck {
    lines: u64,
    seq: u64,
    chain: ChainHash,
    /// The line before has no hash.
    is_interrupted: bool,
    breaks: Vec<Break>,
}

struct Break {
    problem: Problem,
    /// If a compaction has dropped lines before it, the header's `next` is at least this.
    next_min: Option<u64>,
}

impl HashCheck {
    /// Takes the next line, as it is in the file.
    pub fn take(&mut self, seq: u64, line: &[u8]) {
        self.lines += 1;
        let (before, was_interrupted) = (self.seq, self.is_interrupted);
        self.seq = seq;
        let Some((open, chain)) = Trailer::of(line).and_then(|it| Some((it.open, it.chain()?)))
        else {
            self.is_interrupted = true;
            return;
        };
        let follows = chain == self.chain.next_open(chain.run, open) && !was_interrupted;
        (self.chain, self.is_interrupted) = (chain, false);
        if follows || self.breaks.len() == BREAKS_MAX {
            return;
        }
        let why = match was_interrupted {
            true => "it has h, and the line before has none",
            false => "its h does not follow from that of the line before",
        };
        // The header is line 1.
        let problem = Problem { line: self.lines + 1, why: why.into() };
        let next_min = (seq > before + 1 && !was_interrupted).then_some(seq);
        self.breaks.push(Break { problem, next_min });
    }

    /// What is wrong in a log whose header has this `next`.
    pub fn problems(self, next: u64) -> Vec<Problem> {
        let is_explained = |found: &Break| found.next_min.is_some_and(|min| min <= next);
        let unexplained = self.breaks.into_iter().filter(|found| !is_explained(found));
        unexplained.map(|found| found.problem).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{chained::field, trailer::append_trailer};

    /// The lines of a log, each with its hash or without, and its `seq`.
    fn found(lines: &[(u64, Option<ChainHash>)], next: u64) -> Vec<u64> {
        let mut check = HashCheck::default();
        for (seq, chain) in lines {
            let mut line = open(*seq);
            line.extend(chain.map(field).unwrap_or_default());
            append_trailer(&mut line, 0, false, 0);
            line.pop();
            check.take(*seq, &line);
        }
        check.problems(next).into_iter().map(|problem| problem.line).collect()
    }

    fn open(seq: u64) -> Vec<u8> {
        format!("{{\"seq\":{seq},\"kind\":\"x\"").into_bytes()
    }

    #[test]
    fn a_break_is_named_unless_a_compaction_has_dropped_lines_there() {
        let mut hashes = vec![ChainHash::default()];
        for seq in 1..=9 {
            hashes.push(hashes[seq as usize - 1].next_open(seq / 4, &open(seq)));
        }
        let with = |seqs: &[u64]| -> Vec<_> {
            seqs.iter().map(|seq| (*seq, Some(hashes[*seq as usize]))).collect()
        };
        let all = with(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(found(&all, 1), [0u64; 0]);
        // Lines 3, 4 and 6 are missing, and line 1.
        let some = with(&[2, 5, 7, 8, 9]);
        assert_eq!(found(&some, 7), [0u64; 0]);
        assert_eq!(found(&some, 6), [4]);
        assert_eq!(found(&some, 1), [2, 3, 4]);
        for at in 0..all.len() {
            let mut changed = all.clone();
            changed[at].1.as_mut().unwrap().hash ^= 1;
            let breaks: Vec<u64> = (at as u64 + 2..=10).take(2).collect();
            assert_eq!(found(&changed, 100), breaks, "no compaction changes a hash");
            // The first lines of a log, or the last ones, may be from a sayso that was alone.
            changed[at].1 = None;
            let behind: Vec<u64> = (at as u64 + 3..=10).take(1).collect();
            assert_eq!(found(&changed, 100), behind);
        }
        assert_eq!(found(&[(1, None), (2, None)], 1), [0u64; 0]);
    }
}
