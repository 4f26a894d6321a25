//! Flags that whoever gave them takes back.
//!
//! Knows no lines.

use super::{Flags, Moderation};
use crate::comment::Author;

impl Moderation {
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
