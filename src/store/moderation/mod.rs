//! What moderators and readers' flags have decided, in memory: the newest note of each comment, flags, bans, closed pages, pinned
//! comments. All of it stands in the log, as lines of their own kinds and as the field `pinned` of comments.
//!
//! Keeps of a line little more than where it lies, so that a note costs some 60 bytes. Knows no files and nobody who asks.

mod flagging;
mod flags;
pub mod journal;
mod kept;
pub mod line;
pub mod moves;

use std::{collections::HashSet, sync::Arc};

pub use flags::Flags;
use flags::settled;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};

use crate::{
    comment::{Author, did::Did},
    log::scan::Location,
    store::index::Index,
    store::moderation::journal::{Journal, Logged},
    store::moderation::line::ModerationLine,
    store::visibility::Visibility,
};

/// Stored flags of one comment.
pub const FLAGS_A_COMMENT_MAX: usize = 1_000;
/// Stored flags of all comments, about 3 MB.
pub const FLAGS_MAX: usize = 100_000;
/// Bans in force.
pub const BANS_MAX: usize = 10_000;
/// Pinned comments of one page.
pub const PINS_A_PAGE_MAX: usize = 10;
/// Pages that a moderator has closed or opened, about 20 MB with the longest names.
pub const PAGE_STATES_MAX: usize = 30_000;
/// Authors about whom moderators have noted something, about 1 MB.
pub const AUTHOR_NOTES_MAX: usize = 10_000;
/// Comments of one author whose notes with a reason are remembered for the author, the newest.
pub const REASONS_AN_AUTHOR_MAX: usize = 10;

/// Who is banned, or whom a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BanKey {
    /// An author.
    Author(Author),
    /// Everybody who writes from an address with this hash.
    Address(AddressHash),
}

/// A salted hash of a client's address.
pub type AddressHash = [u8; 16];

/// Encodes an address's hash as it stands in a line: base64url without padding, 22 characters.
pub fn encode_address(hash: AddressHash) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(hash)
}

/// Parses what [`encode_address`] writes; `None` if it is anything else.
pub fn parse_address(text: &str) -> Option<AddressHash> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// A ban.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// When it ends, in RFC 3339; times so written sort like texts.
    pub until: Box<str>,
    /// Whether what is written waits instead of being refused.
    pub hold: bool,
    /// Its line.
    pub location: Location,
}

/// The newest note of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// What it says was done.
    pub did: Did,
    /// Whether a moderator did it, and not the author or sayso itself.
    pub is_moderators: bool,
    /// Its line.
    pub location: Location,
}

impl Note {
    /// Whether a moderator has looked at the present text and left it public, so that flags do not hide it.
    pub fn approves(&self) -> bool {
        self.is_moderators && matches!(self.did, Did::Approve | Did::Pin | Did::Unpin | Did::Edit)
    }
}

/// What a moderator has decided about a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageState {
    /// Whether it is closed to posts.
    pub locked: bool,
    /// Its line.
    pub location: Location,
}

macro_rules! one_line {
    ($type:ty) => {
        impl Logged for $type {
            fn each_line(&mut self, visit: &mut dyn FnMut(&mut Location)) {
                visit(&mut self.location);
            }

            fn bytes(&self) -> u64 {
                self.location.len.into()
            }
        }
    };
}

one_line!(Ban);
one_line!(Note);
one_line!(PageState);
one_line!(moves::Move);

/// What no line is kept for.
impl Logged for Vec<u64> {
    fn each_line(&mut self, _: &mut dyn FnMut(&mut Location)) {}

    fn bytes(&self) -> u64 {
        0
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Moderation {
    /// The newest note of each comment that has any, by comment.
    pub notes: Journal<u64, Note>,
    /// The flags of each comment that has any.
    pub flags: Journal<u64, Flags>,
    /// Bans, ended ones too until the next start.
    pub bans: Journal<BanKey, Ban>,
    /// What moderators have decided about pages.
    pub pages: Journal<Arc<str>, PageState>,
    /// Pages that have moved.
    pub moves: Journal<Arc<str>, moves::Move>,
    /// Pages that others were moved to.
    depths: Journal<Arc<str>, moves::Depth>,
    /// Private notes about authors; the keys are those of bans, so that there is one code.
    pub author_notes: Journal<BanKey, Note>,
    /// The pinned comments of each page by rising id, by the page's number: as wide as other keys, so that there is one code.
    pub pins: Journal<u64, Vec<u64>>,
    /// Comments whose newest note has a reason for their author, oldest first.
    pub reasons: Journal<BanKey, Vec<u64>>,
    /// Comments that were never public and that a moderator has rejected; the lists are empty.
    pub rejected: Journal<u64, Vec<u64>>,
    /// Comments that were public until an edit which a moderator must look at: hidden, and they wait; the lists are empty.
    pub held_edits: Journal<u64, Vec<u64>>,
    /// How many flags there are, and how many of them are settled.
    flag_count: usize,
    settled_count: usize,
    /// How many comments have unsettled ones.
    flagged_count: u64,
    /// While a log is read: pinned comments.
    loaded_pins: HashSet<u64>,
}

impl Moderation {
    /// Adds a line of one of [`line::KINDS`] while the log is read. A line that makes no sense is passed over.
    pub fn load(&mut self, bytes: &[u8], location: Location) {
        let Ok(line) = ModerationLine::parse(bytes) else { return };
        let author = line.author.as_deref().and_then(Author::parse);
        match (&*line.kind, line.id) {
            ("flag", Some(id)) => {
                let Some(author) = author else { return };
                let flags = match line.on {
                    Some(false) => self.flags_without(id, author),
                    _ => Some(self.flags_with(id, author, location)),
                };
                self.flags.load(id, flags);
            }
            ("ban", _) => {
                let address = line.address.as_deref().and_then(parse_address);
                let key = author.map(BanKey::Author).or(address.map(BanKey::Address));
                if let (Some(key), Some(until)) = (key, line.until) {
                    // One that ended when it was written lifts the ban, whatever the clock says now.
                    let is_ban = until > line.created_at;
                    let ban = Ban { until: until.into(), hold: line.hold, location };
                    self.bans.load(key, Some(ban).filter(|_| is_ban));
                }
            }
            ("page", _) => match (line.page, line.locked, line.moved) {
                (Some(old), _, Some(new)) => self.load_move(&old, &new, line.seq, location),
                (Some(page), Some(locked), None) => {
                    self.pages.load(page.into(), Some(PageState { locked, location }));
                }
                _ => {}
            },
            ("note", Some(id)) => {
                let Some(did) = line.did else { return };
                let note = Note { did, is_moderators: line.by.is_some(), location };
                self.notes.load(id, Some(note));
                if let Some(flags) = self.flags.get(&id) {
                    let flags = settled(flags, note);
                    self.flags.load(id, Some(flags));
                }
                if let Some(author) = author.filter(|_| line.reason.is_some()) {
                    let reasons = self.reasons_with(author, id);
                    self.reasons.load(BanKey::Author(author), Some(reasons));
                }
            }
            ("note", None) => {
                if let (Some(author), Some(reason)) = (author, line.reason) {
                    let note = Note { did: Did::Edit, is_moderators: true, location };
                    self.author_notes
                        .load(BanKey::Author(author), Some(note).filter(|_| !reason.is_empty()));
                }
            }
            _ => {}
        }
    }

    /// Notes while the log is read whether a comment's newest line says that it is pinned.
    pub fn load_pin(&mut self, id: u64, is_pinned: bool) {
        if is_pinned {
            self.loaded_pins.insert(id);
        } else if !self.loaded_pins.is_empty() {
            self.loaded_pins.remove(&id);
        }
    }

    /// Ends reading the log. Drops what is about comments that are gone, and bans that have ended before `now`.
    pub fn finish_loading(&mut self, index: &Index, now: &str) {
        let mut pinned: Vec<u64> = std::mem::take(&mut self.loaded_pins).into_iter().collect();
        pinned.sort_unstable();
        for id in pinned {
            if let Some(page) = index.page_of(id).map(u64::from) {
                let mut pins = self.pins.get(&page).cloned().unwrap_or_default();
                pins.push(id);
                self.pins.load(page, Some(pins));
            }
        }
        let visibility = |id: &u64| index.find(*id).map(|comment| comment.visibility);
        self.notes.retain(|id, _| visibility(id).is_some());
        self.flags.retain(|id, _| visibility(id).is_some_and(|is| !is.is_deleted()));
        self.bans.retain(|_, ban| &*ban.until > now);
        self.count_flags();
        for (id, note) in self.notes.iter() {
            match (note.did, visibility(id)) {
                (Did::Hide, Some(Visibility::Pending)) => {
                    self.rejected.load(*id, Some(Vec::new()));
                }
                (Did::Hold, Some(Visibility::Hidden)) => {
                    self.held_edits.load(*id, Some(Vec::new()));
                }
                _ => {}
            }
        }
    }

    fn set_flags(&mut self, id: u64, flags: Option<Flags>) {
        let count = |flags: Option<&Flags>| {
            flags.map_or((0, 0, 0), |flags| {
                (flags.flags.len(), u64::from(flags.unsettled() > 0), flags.settled)
            })
        };
        let (before, now) = (count(self.flags.get(&id)), count(flags.as_ref()));
        self.flag_count = self.flag_count - before.0 + now.0;
        self.flagged_count = self.flagged_count - before.1 + now.1;
        self.settled_count = self.settled_count - before.2 + now.2;
        self.flags.set(id, flags);
    }

    /// Counts anew what [`Moderation::set_flags`] keeps count of.
    fn count_flags(&mut self) {
        self.flag_count = self.flags.iter().map(|(_, flags)| flags.flags.len()).sum();
        self.settled_count = self.flags.iter().map(|(_, flags)| flags.settled).sum();
        let flagged = self.flags.iter().filter(|(_, flags)| flags.unsettled() > 0);
        self.flagged_count = flagged.count() as u64;
    }

    /// Takes in a note about a comment. `author` is whose comment it is, given if the note has a reason for them.
    pub fn note(&mut self, id: u64, note: Note, author: Option<Author>) {
        self.notes.set(id, Some(note));
        if let Some(flags) = self.flags.get(&id) {
            let flags = settled(flags, note);
            self.set_flags(id, Some(flags));
        }
        if let Some(author) = author {
            let reasons = self.reasons_with(author, id);
            self.reasons.set(BanKey::Author(author), Some(reasons));
        }
    }

    fn reasons_with(&self, author: Author, id: u64) -> Vec<u64> {
        let mut reasons = self.reasons.get(&BanKey::Author(author)).cloned().unwrap_or_default();
        reasons.retain(|known| *known != id);
        reasons.push(id);
        let surplus = reasons.len().saturating_sub(REASONS_AN_AUTHOR_MAX);
        reasons.drain(..surplus);
        reasons
    }

    /// Forgets the flags of a comment that was deleted.
    pub fn forget_flags(&mut self, id: u64) {
        if self.flags.get(&id).is_some() {
            self.set_flags(id, None);
        }
    }

    /// Whether the comment, which was never public, was rejected.
    pub fn set_rejected(&mut self, id: u64, is_rejected: bool) {
        if self.rejected.get(&id).is_some() != is_rejected {
            self.rejected.set(id, is_rejected.then(Vec::new));
        }
    }

    /// Whether the comment, which was public, waits because of an edit.
    pub fn set_held_edit(&mut self, id: u64, waits: bool) {
        if self.held_edits.get(&id).is_some() != waits {
            self.held_edits.set(id, waits.then(Vec::new));
        }
    }

    /// Pins a comment or takes its pin away.
    pub fn set_pinned(&mut self, page: u32, id: u64, is_pinned: bool) {
        let page = u64::from(page);
        let mut pins = self.pins.get(&page).cloned().unwrap_or_default();
        match (pins.binary_search(&id), is_pinned) {
            (Err(at), true) => pins.insert(at, id),
            (Ok(at), false) => drop(pins.remove(at)),
            _ => return,
        }
        self.pins.set(page, Some(pins).filter(|pins| !pins.is_empty()));
    }

    /// Returns the ban of `key` that is in force at `now`.
    pub fn ban(&self, key: BanKey, now: &str) -> Option<&Ban> {
        self.bans.get(&key).filter(|ban| &*ban.until > now)
    }

    /// Forgets bans that have ended before `now`. That needs no line, since a start does the same.
    pub fn forget_ended_bans(&mut self, now: &str) {
        self.bans.retain(|_, ban| &*ban.until > now);
    }

    /// Returns how many comments have flags that no moderator has settled.
    pub fn flagged_count(&self) -> u64 {
        self.flagged_count
    }

    /// Keeps the changes made so far.
    pub fn commit(&mut self) {
        self.notes.commit();
        self.flags.commit();
        self.bans.commit();
        self.pages.commit();
        self.moves.commit();
        self.depths.commit();
        self.author_notes.commit();
        self.pins.commit();
        self.reasons.commit();
        self.rejected.commit();
        self.held_edits.commit();
    }

    /// Takes back the changes made since the last commit.
    pub fn roll_back(&mut self) {
        self.notes.roll_back();
        self.flags.roll_back();
        self.bans.roll_back();
        self.pages.roll_back();
        self.moves.roll_back();
        self.depths.roll_back();
        self.author_notes.roll_back();
        self.pins.roll_back();
        self.reasons.roll_back();
        self.rejected.roll_back();
        self.held_edits.roll_back();
        self.count_flags();
    }
}

#[cfg(test)]
mod tests;
