//! A part of a page's history: selected by the hub and read outside it, by the connection's thread for a WebSocket and by the last
//! `web-N` thread for HTTP.
//!
//! Reading many lines may wait for the disk, so the hub doesn't do it. (It reads single lines, for edits and known nonces, and at most
//! 50 of an author's pending comments.) Does not know who reads it.

use std::{io, sync::Arc};

use crate::{
    comment::Comment, log::read_line, log::storage::ReadAt, store::index::CommentRef,
    store::visibility::Visibility,
};

/// The lines to read, and what is sent along with them.
#[derive(Clone)]
pub struct History {
    /// Id of the log that the lines are in.
    pub log: Arc<str>,
    /// Mark of the run that reads it: with it, `seq` is a cursor that proves itself.
    pub mark: Arc<str>,
    /// The highest `seq` on the page among lines that everyone gets.
    pub seq: u64,
    /// Number of public comments on the page.
    pub count: u64,
    /// The lines, in the order in which they are sent.
    pub items: Vec<CommentRef>,
    /// For each item, its line if that is in memory.
    pub recent: Vec<Option<Arc<[u8]>>>,
    /// Comment ids and their numbers of likes, where there are any: those of the items or, for a new reader and for one that
    /// catches up, those of the page's newest liked comments.
    pub likes: Vec<(u64, u64)>,
    /// Ids of the first comments of threads and how many answers each has, of those threads that have more than `items` holds.
    pub answers: Vec<(u64, u64)>,
    /// Whether more lines were found than `items` holds: older ones, or newer ones if the reader asked with `since`.
    pub more: bool,
    /// The log. The handle stays valid while the log is compacted.
    pub file: Arc<dyn ReadAt>,
    /// Whether hidden comments are shown in full.
    pub moderator: bool,
    /// Whether the page is closed to new comments.
    pub locked: bool,
    /// The page's pinned comments, by rising id.
    pub pinned: Vec<u64>,
}

impl History {
    /// Reads the lines one after another and passes each to `each`, from `{` to `}`. Unless the reader is a moderator, lines of
    /// hidden comments are passed as tombstones.
    ///
    /// # Errors
    /// Fails if reading the log fails.
    pub fn read(&self, mut each: impl FnMut(&CommentRef, &[u8])) -> io::Result<()> {
        self.read_each(&mut each)
    }

    /// Once for all callers, so that the binary has it once.
    fn read_each(&self, each: &mut dyn FnMut(&CommentRef, &[u8])) -> io::Result<()> {
        let mut line = Vec::new();
        for (item, recent) in self.items.iter().zip(&self.recent) {
            line.clear();
            match recent {
                Some(recent) => line.extend_from_slice(recent),
                None => read_line(&*self.file, item.location, &mut line)?,
            }
            if item.visibility == Visibility::Hidden && !self.moderator {
                line = redacted(&line)?;
            }
            each(item, &line);
        }
        Ok(())
    }
}

/// Turns a hidden comment's line into the tombstone that everyone but moderators sees.
///
/// # Errors
/// `InvalidData` if the line is not a comment's.
pub fn redacted(line: &[u8]) -> io::Result<Vec<u8>> {
    let mut comment = Comment::parse(line)?;
    comment.make_tombstone();
    let mut out = Vec::new();
    comment.encode(&mut out);
    Ok(out)
}
