//! The lines that moderation needs: which ones a compaction must keep, and where they lie after it.
//!
//! Does not know what they say.

use super::Moderation;
use crate::log::scan::Location;

impl Moderation {
    /// About how many bytes of lines a compaction keeps.
    pub fn live_bytes(&self) -> u64 {
        self.notes.bytes()
            + self.flags.bytes()
            + self.bans.bytes()
            + self.pages.bytes()
            + self.moves.bytes()
            + self.author_notes.bytes()
    }

    /// The offsets of the lines that a compaction must keep, rising.
    pub fn offsets(&mut self) -> Vec<u64> {
        let mut offsets = Vec::new();
        self.each_line(&mut |location| offsets.push(location.offset));
        offsets.sort_unstable();
        offsets
    }

    /// Updates all locations after the log was rewritten: `moved` has pairs of old and new offsets, by rising old ones, of lines
    /// before `from`; later lines have moved by `shift` bytes.
    pub fn relocate(&mut self, moved: &[(u64, u64)], from: u64, shift: i64) {
        let find = |offset| moved.binary_search_by_key(&offset, |pair| pair.0);
        // The lines of those that were settled at the snapshot are gone, even if an edit has unsettled them since.
        for flags in self.flags.values_mut() {
            flags.flags.drain(..std::mem::take(&mut flags.settled));
            flags.flags.retain(|(_, at)| at.offset >= from || find(at.offset).is_ok());
        }
        self.flags.recount_bytes();
        self.count_flags();
        self.each_line(&mut |location| {
            let offset = location.offset;
            location.offset = if offset >= from {
                offset.checked_add_signed(shift).expect("a line stays within the file")
            } else {
                moved[find(offset).expect("a compaction keeps every line that is asked for")].1
            };
        });
    }

    fn each_line(&mut self, visit: &mut dyn FnMut(&mut Location)) {
        self.notes.each_line(visit);
        self.flags.each_line(visit);
        self.bans.each_line(visit);
        self.pages.each_line(visit);
        self.moves.each_line(visit);
        self.author_notes.each_line(visit);
    }
}
