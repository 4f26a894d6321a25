//! The newest lines, kept in memory, so that joining readers and page loads usually read no file.
//!
//! Bounded by bytes; what is not here is in the log. Knows lines only by where they lie.

use std::{collections::VecDeque, sync::Arc};

/// Bytes of lines that are kept: thousands of usual ones, 20 of the longest.
pub const LINE_CACHE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Lines by rising offset.
#[derive(Debug, Default)]
pub struct LineCache {
    lines: VecDeque<(u64, Arc<[u8]>)>,
    bytes: usize,
}

impl LineCache {
    /// Keeps a line, from `{` to `}`, that begins at `offset`, after all that are here.
    pub fn push(&mut self, offset: u64, line: &[u8]) {
        assert!(self.lines.back().is_none_or(|(last, _)| *last < offset), "a log only grows");
        self.bytes += line.len();
        self.lines.push_back((offset, line.into()));
        while self.bytes > LINE_CACHE_BYTES_MAX {
            let oldest = self.lines.pop_front();
            self.bytes -= oldest.map_or(0, |(_, line)| line.len());
        }
    }

    /// The line that begins at `offset`, if it is here.
    pub fn get(&self, offset: u64) -> Option<Arc<[u8]>> {
        let at = self.lines.binary_search_by_key(&offset, |(offset, _)| *offset).ok()?;
        Some(self.lines[at].1.clone())
    }

    /// Forgets everything: the log was written anew.
    pub fn clear(&mut self) {
        *self = LineCache::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_there_and_the_bound_is_kept() {
        let mut recent = LineCache::default();
        let line = [b'x'; 1_000];
        for n in 0..10_000 {
            recent.push(n * 7, &line);
            assert!(recent.bytes <= LINE_CACHE_BYTES_MAX);
        }
        assert!(recent.get(9_999 * 7).is_some() && recent.get(9_999 * 7 - 1).is_none());
        assert!(recent.get(0).is_none());
        let kept = (0..10_000u64).filter(|n| recent.get(n * 7).is_some()).count();
        assert_eq!(kept, LINE_CACHE_BYTES_MAX / 1_000);
        recent.clear();
        assert!(recent.get(9_999 * 7).is_none());
        recent.push(0, &line);
    }
}
