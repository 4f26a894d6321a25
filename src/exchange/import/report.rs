//! What an import brings, what it leaves out, and what it changes.
//!
//! Pure.

use std::fmt;

/// Why an entry is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reason {
    /// Marked as spam.
    Spam = 1,
    /// A pingback, a like, or another record that is no comment.
    NoComment,
    /// Belongs to a site that `--only` doesn't name.
    OtherSite,
    /// Its page is not in the file, or has no address.
    NoPage,
    /// Its page is deleted.
    PageDeleted,
    /// Deleted, and nothing answers it.
    Deleted,
    /// Has no text, and nothing answers it.
    Empty,
    /// Has no time.
    NoTime,
    /// An earlier entry has the same id.
    Repeated,
}

/// What was changed in an entry that is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Change {
    /// The comment that it answers is not imported, so it stands at the top level.
    ParentMissing,
    /// It answers a comment of another page, so it stands at the top level.
    ParentElsewhere,
    /// It answers itself over others, so it stands at the top level.
    ParentLoop,
    /// The text was longer than a comment may be.
    TextShortened,
    /// The name was longer than a name may be.
    NameShortened,
    /// Its page has so many pinned comments already.
    Unpinned,
    /// Its page is not for everyone, so it waits for a moderator.
    PageHeld,
    /// Its time was more than a day ahead, so it has that of the import.
    FromFuture,
    /// Its name was a mail address, of which the part before the `@` is kept.
    MailName,
}

/// The number of [`Reason`]s, counted from 1.
pub const REASONS: usize = 9;
/// The number of [`Change`]s.
pub const CHANGES: usize = 9;

impl Reason {
    /// All, in the order of their numbers.
    pub const ALL: [Reason; REASONS] = [
        Reason::Spam,
        Reason::NoComment,
        Reason::OtherSite,
        Reason::NoPage,
        Reason::PageDeleted,
        Reason::Deleted,
        Reason::Empty,
        Reason::NoTime,
        Reason::Repeated,
    ];
}

impl Change {
    /// All, in the order of their numbers.
    pub const ALL: [Change; CHANGES] = [
        Change::ParentMissing,
        Change::ParentElsewhere,
        Change::ParentLoop,
        Change::TextShortened,
        Change::NameShortened,
        Change::Unpinned,
        Change::PageHeld,
        Change::FromFuture,
        Change::MailName,
    ];
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Spam => "it is marked as spam",
            Reason::NoComment => "it is no comment",
            Reason::OtherSite => "it belongs to another site",
            Reason::NoPage => "its page is not in the file or has no address",
            Reason::PageDeleted => "its page is deleted",
            Reason::Deleted => "it is deleted and nothing answers it",
            Reason::Empty => "it has no text and nothing answers it",
            Reason::NoTime => "it has no time",
            Reason::Repeated => "an earlier one has the same id",
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Change::ParentMissing => "what it answers is not imported, so it is no answer",
            Change::ParentElsewhere => "what it answers is on another page, so it is no answer",
            Change::ParentLoop => "it answers itself, so it is no answer",
            Change::TextShortened => "its text is too long and is cut",
            Change::NameShortened => "its name is too long and is cut",
            Change::Unpinned => "its page has too many pinned comments",
            Change::PageHeld => {
                "its page is private, unpublished or has a password, so it waits for a moderator"
            }
            Change::FromFuture => {
                "its time is more than a day ahead, so it has the time of the import"
            }
            Change::MailName => "its name is a mail address and is cut before the @",
        })
    }
}

/// What an import brings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Pages that get a comment.
    pub pages: usize,
    /// Comments with text, whoever may see them.
    pub comments: usize,
    /// Those of them that wait for a moderator.
    pub pending: usize,
    /// Those of them that are hidden.
    pub hidden: usize,
    /// Deleted comments that keep their place because of their answers.
    pub tombstones: usize,
    /// Different authors.
    pub authors: usize,
    /// Comments without an author.
    pub without_author: usize,
    /// Pages that are closed to new comments.
    pub locked: usize,
    /// The sites that the export names, in the order in which they come.
    pub sites: Vec<String>,
    /// How many entries are left out for each [`Reason`].
    pub left_out: [usize; REASONS],
    /// How many comments are changed in each way.
    pub changed: [usize; CHANGES],
}

impl Report {
    /// How many entries are left out for a reason.
    pub fn left_out_for(&self, reason: Reason) -> usize {
        self.left_out[reason as usize - 1]
    }

    /// How many comments are changed in a way.
    pub fn changed_by(&self, change: Change) -> usize {
        self.changed[change as usize]
    }
}

/// An entry that is left out or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice<T> {
    /// The line on which it begins.
    pub line: u64,
    /// Its number among the entries, counted from 1: an export may be one line.
    pub entry: u64,
    /// Why, or how.
    pub what: T,
}

/// How far the reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read, unpacked.
    pub bytes: u64,
    /// Entries read.
    pub entries: u64,
}
