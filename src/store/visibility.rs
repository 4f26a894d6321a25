//! Who sees a comment's newest line, and where that lies: 8 bytes a comment.
//!
//! Pure.

use crate::{comment::Status, log::scan::Place};

/// Who sees a comment's newest line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Sight {
    /// Everyone, and it counts.
    Public,
    /// Everyone, as a tombstone.
    Deleted,
    /// Moderators; a tombstone for everyone else.
    Hidden,
    /// Its author and moderators.
    Pending,
    /// The tombstone of a comment that never was public: its author and moderators.
    PendingDeleted,
}

impl Sight {
    /// What a line's `status` and `deleted` mean for it.
    pub fn of(status: Status, deleted: bool) -> Sight {
        match (status, deleted) {
            (Status::Pending, true) => Sight::PendingDeleted,
            (Status::Pending, false) => Sight::Pending,
            (_, true) => Sight::Deleted,
            (Status::Hidden, false) => Sight::Hidden,
            (Status::Public, false) => Sight::Public,
        }
    }

    /// Whether nothing is left to see.
    pub fn is_deleted(self) -> bool {
        matches!(self, Sight::Deleted | Sight::PendingDeleted)
    }

    /// Whether everyone gets a line of it, in whatever form.
    pub fn is_shared(self) -> bool {
        !matches!(self, Sight::Pending | Sight::PendingDeleted)
    }
}

/// Offset (44 bits: 16 TiB), length (17 bits: 128 KiB) and sight (3 bits) of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed(u64);

impl Packed {
    /// Both in 8 bytes.
    pub fn new(place: Place, sight: Sight) -> Packed {
        assert!(
            place.offset < 1 << 44 && place.len < 1 << 17,
            "a log has at most 16 TiB, a line at most 128 KiB"
        );
        Packed(place.offset << 20 | u64::from(place.len) << 3 | sight as u64)
    }

    /// Where the line lies.
    pub fn place(self) -> Place {
        Place { offset: self.0 >> 20, len: (self.0 >> 3) as u32 & 0x1_ffff }
    }

    /// The line's length.
    pub fn bytes(self) -> u64 {
        u64::from(self.place().len)
    }

    /// Who may see it.
    pub fn sight(self) -> Sight {
        match self.0 & 7 {
            0 => Sight::Public,
            1 => Sight::Deleted,
            2 => Sight::Hidden,
            3 => Sight::Pending,
            _ => Sight::PendingDeleted,
        }
    }
}
