//! Who sees a comment's newest line, and where that lies: 8 bytes a comment.
//!
//! Pure.

use crate::{comment::Status, log::scan::Location};

/// Who sees a comment's newest line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Visibility {
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

impl Visibility {
    /// What a line's `status` and `deleted` mean for it.
    pub fn of(status: Status, deleted: bool) -> Visibility {
        match (status, deleted) {
            (Status::Pending, true) => Visibility::PendingDeleted,
            (Status::Pending, false) => Visibility::Pending,
            (_, true) => Visibility::Deleted,
            (Status::Hidden, false) => Visibility::Hidden,
            (Status::Public, false) => Visibility::Public,
        }
    }

    /// Whether nothing is left to see.
    pub fn is_deleted(self) -> bool {
        matches!(self, Visibility::Deleted | Visibility::PendingDeleted)
    }

    /// Whether everyone gets a line of it, in whatever form.
    pub fn is_shared(self) -> bool {
        !matches!(self, Visibility::Pending | Visibility::PendingDeleted)
    }
}

/// Offset (44 bits: 16 TiB), length (17 bits: 128 KiB) and sight (3 bits) of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedLocation(u64);

impl PackedLocation {
    /// Both in 8 bytes.
    pub fn new(place: Location, visibility: Visibility) -> PackedLocation {
        assert!(
            place.offset < 1 << 44 && place.len < 1 << 17,
            "a log has at most 16 TiB, a line at most 128 KiB"
        );
        PackedLocation(place.offset << 20 | u64::from(place.len) << 3 | visibility as u64)
    }

    /// Where the line lies.
    pub fn place(self) -> Location {
        Location { offset: self.0 >> 20, len: (self.0 >> 3) as u32 & 0x1_ffff }
    }

    /// The line's length.
    pub fn bytes(self) -> u64 {
        u64::from(self.place().len)
    }

    /// Who may see it.
    pub fn visibility(self) -> Visibility {
        match self.0 & 7 {
            0 => Visibility::Public,
            1 => Visibility::Deleted,
            2 => Visibility::Hidden,
            3 => Visibility::Pending,
            _ => Visibility::PendingDeleted,
        }
    }
}
