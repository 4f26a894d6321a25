//! The flags of one comment, and what becomes of them by what a moderator or the author does.
//!
//! Pure.

use crate::{
    comment::{Author, did::Did},
    log::scan::Location,
    store::moderation::{Note, journal::Logged},
};

/// The flags of a comment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// Who flagged it, and the lines that say so, oldest first.
    pub flags: Vec<(Author, Location)>,
    /// How many of these a moderator has settled by approving or hiding the comment.
    pub settled: usize,
    /// Whether a moderator has left the present text public, so that flags no longer hide it; see [`Note::approves`].
    pub is_approved: bool,
}

impl Flags {
    /// How many a moderator has not looked at.
    pub fn unsettled(&self) -> usize {
        self.flags.len() - self.settled
    }
}

/// Settled flags need no line: a compaction drops them.
impl Logged for Flags {
    fn each_line(&mut self, visit: &mut dyn FnMut(&mut Location)) {
        self.flags[self.settled..].iter_mut().for_each(|(_, location)| visit(location));
    }

    fn bytes(&self) -> u64 {
        self.flags[self.settled..].iter().map(|(_, location)| u64::from(location.len)).sum()
    }
}

/// What becomes of a comment's flags by what was done to it.
pub(super) fn settled(flags: &Flags, note: Note) -> Flags {
    let mut flags = flags.clone();
    match (note.did, note.is_moderators) {
        (Did::Approve, _) => (flags.settled, flags.is_approved) = (flags.flags.len(), true),
        (Did::Hide, true) => flags.settled = flags.flags.len(),
        (Did::Pin | Did::Unpin | Did::Edit, true) => flags.is_approved = true,
        // What was said of its flags was said of another text.
        (Did::Edit | Did::Hold, false) => (flags.settled, flags.is_approved) = (0, false),
        _ => {}
    }
    flags
}
