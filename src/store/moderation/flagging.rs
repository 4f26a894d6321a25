//! Flags: given, and taken back by whoever gave them.
//!
//! Knows no lines.

use super::{FLAGS_A_COMMENT_MAX, FLAGS_MAX, Flags, Moderation, Note};
use crate::{comment::Author, log::scan::Location};

impl Moderation {
    /// Whether there is room for one more flag of this comment. Where all flags together are too many, forgets the settled ones, as a
    /// compaction does.
    pub fn make_room_for_flag(&mut self, id: u64) -> bool {
        if self.flag_count >= FLAGS_MAX && self.settled_count > 0 {
            for flags in self.flags.values_mut() {
                flags.flags.drain(..std::mem::take(&mut flags.settled));
            }
            self.flags.recount_bytes();
            self.count_flags();
        }
        let flags = self.flags.get(&id).map_or(0, |flags| flags.flags.len());
        flags < FLAGS_A_COMMENT_MAX && self.flag_count < FLAGS_MAX
    }

    /// Adds a flag whose line lies at `location`. Returns the comment's flags.
    pub fn flag(&mut self, id: u64, author: Author, location: Location) -> &Flags {
        let flags = self.flags_with(id, author, location);
        self.set_flags(id, Some(flags));
        self.flags.get(&id).expect("it was just set")
    }

    /// A comment's flags with one more.
    pub(super) fn flags_with(&self, id: u64, author: Author, location: Location) -> Flags {
        let mut flags = self.flags.get(&id).cloned().unwrap_or_else(|| Flags {
            is_approved: self.notes.get(&id).is_some_and(Note::approves),
            ..Flags::default()
        });
        flags.flags.push((author, location));
        flags
    }

    /// The comments that `author` has flagged.
    pub fn flagged_by(&self, author: Author) -> Vec<u64> {
        let is_by = |flags: &Flags| flags.flags.iter().any(|(by, _)| *by == author);
        self.flags.iter().filter(|(_, flags)| is_by(flags)).map(|(id, _)| *id).collect()
    }

    /// Removes a flag.
    pub fn unflag(&mut self, id: u64, author: Author) {
        let flags = self.flags_without(id, author);
        self.set_flags(id, flags);
    }

    /// A comment's flags without that of one author.
    pub(super) fn flags_without(&self, id: u64, author: Author) -> Option<Flags> {
        let mut flags = self.flags.get(&id)?.clone();
        if let Some(at) = flags.flags.iter().position(|(by, _)| *by == author) {
            flags.flags.remove(at);
            flags.settled -= usize::from(at < flags.settled);
        }
        Some(flags).filter(|flags| !flags.flags.is_empty())
    }
}
