//! What is true of an entry, in one number of the temporary file.
//!
//! Pure.

use crate::comment::Status;

/// What is true of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(pub u16);

impl Flags {
    /// Waits for a moderator.
    pub const PENDING: u16 = 1;
    /// Hidden.
    pub const HIDDEN: u16 = 2;
    /// Deleted.
    pub const DELETED: u16 = 4;
    /// Deleted only because it has no text.
    pub const EMPTY: u16 = 8;
    /// Pinned.
    pub const PINNED: u16 = 16;
    /// Written by the site's owner or a moderator.
    pub const SITE_AUTHOR: u16 = 32;
    /// Its text was cut.
    pub const TEXT_SHORTENED: u16 = 64;
    /// Its name was cut.
    pub const NAME_SHORTENED: u16 = 128;
    /// A moderator edited it.
    pub const MOD_EDITED: u16 = 256;
    /// A host page said who wrote it.
    pub const VERIFIED: u16 = 512;
    /// Its time was in the future.
    pub const FROM_FUTURE: u16 = 1_024;
    /// Its name was a mail address.
    pub const MAIL_NAME: u16 = 2_048;

    /// Whether a flag is set.
    pub fn has(self, flag: u16) -> bool {
        self.0 & flag != 0
    }

    /// Sets a flag if `on`.
    pub fn set(&mut self, flag: u16, on: bool) {
        self.0 |= if on { flag } else { 0 };
    }

    /// The status that the flags say.
    pub fn status(self) -> Status {
        match (self.has(Flags::PENDING), self.has(Flags::HIDDEN)) {
            (true, _) => Status::Pending,
            (_, true) => Status::Hidden,
            _ => Status::Public,
        }
    }
}
