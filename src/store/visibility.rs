//! Who may see a comment, and both that and the location of its newest line packed into 8 bytes.
//!
//! Pure: knows neither files nor who is asking.

use crate::{comment::Status, log::scan::Location};

/// Who may see a comment's newest line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Visibility {
    /// Everyone sees the comment, and it counts.
    Public,
    /// Everyone sees its tombstone.
    Deleted,
    /// Moderators see the comment, everyone else its tombstone.
    Hidden,
    /// Only its author and moderators see the comment.
    Pending,
    /// Only its author and moderators see its tombstone, because it never was public.
    PendingDeleted,
}

impl Visibility {
    /// Returns what the fields `status` and `deleted` of a line mean.
    pub fn of(status: Status, deleted: bool) -> Visibility {
        match (status, deleted) {
            (Status::Pending, true) => Visibility::PendingDeleted,
            (Status::Pending, false) => Visibility::Pending,
            (_, true) => Visibility::Deleted,
            (Status::Hidden, false) => Visibility::Hidden,
            (Status::Public, false) => Visibility::Public,
        }
    }

    /// Whether everyone sees the comment itself.
    pub fn is_public(self) -> bool {
        self == Visibility::Public
    }

    /// Whether only a tombstone is left.
    pub fn is_deleted(self) -> bool {
        matches!(self, Visibility::Deleted | Visibility::PendingDeleted)
    }

    /// Whether everyone gets a line about the comment, be it a tombstone.
    pub fn is_shared(self) -> bool {
        !matches!(self, Visibility::Pending | Visibility::PendingDeleted)
    }
}

/// A line's offset (44 bits: 16 TiB), length (17 bits: 128 KiB) and visibility (3 bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedLocation(u64);

impl PackedLocation {
    /// Packs a location and a visibility.
    pub fn new(location: Location, visibility: Visibility) -> PackedLocation {
        assert!(
            location.offset < 1 << 44 && location.len < 1 << 17,
            "a log has at most 16 TiB, a line at most 128 KiB"
        );
        PackedLocation(location.offset << 20 | u64::from(location.len) << 3 | visibility as u64)
    }

    /// Returns where the line lies.
    pub fn location(self) -> Location {
        Location { offset: self.0 >> 20, len: (self.0 >> 3) as u32 & 0x1_ffff }
    }

    /// Returns the line's length, in bytes.
    pub fn bytes(self) -> u64 {
        u64::from(self.location().len)
    }

    /// Returns who may see the line.
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
