//! The newest lines of a log that several machines keep: a compaction leaves them as they are, so that any two machines have lines in common
//! to compare, and one that others are behind can send them theirs.
//!
//! Knows neither the machines nor how many lines that takes.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    io,
};

use super::CompactionJob;
use crate::{
    comment::Author,
    log::scan::{Location, ScanError, scan, seq_of},
    log::tail::{seq_at, start_of_newest},
    store::likes::KIND,
    store::record::LineSummary,
};

/// What is asked for.
pub(super) struct NewestKept {
    pub(super) lines: u64,
    /// `next` of the old log's header.
    pub(super) header_next: u64,
}

/// Which lines are kept for this, and what the others leave behind.
pub(super) struct Kept {
    /// Where the lines that are kept as they are begin, in bytes.
    from: u64,
    /// `next` of the new log's header. It promises that there is one line of each comment below, so it goes no further than the kept lines.
    pub(super) next: u64,
    /// Where the newest line of each like lies. Otherwise, the first one that gives it would be kept, and machines that have compacted at
    /// different times would differ.
    likes: HashMap<u64, u64>,
    hasher: RandomState,
    gap: Option<Gap>,
}

/// What the last line that was dropped leaves behind.
#[derive(Default)]
struct Gap {
    /// `seq` of the first line behind it.
    end: u64,
    /// No line behind it was seen yet.
    is_open: bool,
}

impl Kept {
    /// Reads the log once, for its likes, if newest lines are to be kept.
    pub(super) fn of(job: &CompactionJob) -> io::Result<Kept> {
        let (likes, hasher) = (HashMap::new(), RandomState::new());
        let Some(newest) = &job.newest else {
            return Ok(Kept { from: u64::MAX, next: job.header.next, likes, hasher, gap: None });
        };
        let (from, _) = start_of_newest(&*job.reader, job.from, newest.lines)?;
        let first = seq_at(job.reader.clone(), from, job.from)?;
        let next = first.map_or(job.header.next, |first| first.max(newest.header_next));
        let mut kept = Kept { from, next, likes, hasher, gap: Some(Gap::default()) };
        let each = &mut |line: &[u8], location: Location| {
            if let Some(key) = kept.like(line) {
                kept.likes.insert(key, location.offset);
            }
            seq_of(line).ok_or_else(String::new)
        };
        match scan(job.reader.clone(), job.from, each) {
            Err(ScanError::Io(error)) => Err(error),
            // Damage is noticed when the lines are copied.
            _ => Ok(kept),
        }
    }

    /// Whether a line is kept. `is_wanted` tells of those that a compaction may drop.
    pub(super) fn keeps(
        &mut self,
        line: &[u8],
        location: Location,
        is_wanted: impl FnOnce(&[u8], Location) -> bool,
    ) -> bool {
        let is_outdated = |kept: &Kept| {
            let newest = kept.like(line).and_then(|key| kept.likes.get(&key));
            newest.is_some_and(|newest| *newest != location.offset)
        };
        let keeps = location.offset >= self.from
            || !(self.gap.is_some() && is_outdated(self)) && is_wanted(line, location);
        if let Some(gap) = &mut self.gap
            && (gap.is_open || !keeps)
        {
            let seq = seq_of(line).unwrap_or_default();
            *gap = Gap { end: seq + u64::from(!keeps), is_open: !keeps };
        }
        keeps
    }

    /// `seq` of the first line behind the last one that was dropped; 0 if none was.
    pub(super) fn whole_from(&self) -> u64 {
        self.gap.as_ref().map_or(0, |gap| gap.end)
    }

    /// What tells a like from all others, if the line is one's.
    fn like(&self, line: &[u8]) -> Option<u64> {
        let line = LineSummary::parse(line).ok().filter(|line| line.kind == KIND)?;
        Some(self.hasher.hash_one((line.id, Author::parse(&line.author)?)))
    }
}
