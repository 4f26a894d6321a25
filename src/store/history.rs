//! A part of a page's history: which lines, and how to read them as everyone may see them.
//!
//! Made by the hub, read by the thread that asked: reading waits for the disk, the hub must not.

use std::{io, sync::Arc};

use crate::{
    comment::Comment, log::read_line, log::storage::ReadAt, store::index::CommentRef,
    store::visibility::Visibility,
};

/// Lines to read, and what goes with them.
#[derive(Clone)]
pub struct History {
    /// Of the log that the lines are in.
    pub log: Arc<str>,
    /// The highest `seq` that the page has for everyone.
    pub seq: u64,
    /// Comments on the page that everyone sees.
    pub count: u64,
    /// In the order in which they are sent.
    pub items: Vec<CommentRef>,
    /// The lines of those items that are in memory.
    pub recent: Vec<Option<Arc<[u8]>>>,
    /// Hearts by id, where there are any: of the items, or, for a new reader and who catches up, of the
    /// page's newest comments that have some.
    pub likes: Vec<(u64, u64)>,
    /// There are more, older (or with `since`, newer) ones.
    pub more: bool,
    /// Stays good while the log is rewritten.
    pub file: Arc<dyn ReadAt>,
    /// Hidden comments are shown in full.
    pub moderator: bool,
}

impl History {
    /// Reads the lines one after another and gives each to `each`, from `{` to `}`.
    ///
    /// # Errors
    /// Of the medium.
    pub fn read(&self, mut each: impl FnMut(&CommentRef, &[u8])) -> io::Result<()> {
        let mut line = Vec::new();
        for (item, recent) in self.items.iter().zip(&self.recent) {
            line.clear();
            match recent {
                Some(recent) => line.extend_from_slice(recent),
                None => read_line(&*self.file, item.place, &mut line)?,
            }
            if item.visibility == Visibility::Hidden && !self.moderator {
                line = redacted(&line)?;
            }
            each(item, &line);
        }
        Ok(())
    }
}

/// A hidden comment's line as everyone sees it: in the form of a tombstone.
///
/// # Errors
/// `InvalidData` if the line is no comment's.
pub fn redacted(line: &[u8]) -> io::Result<Vec<u8>> {
    let mut comment = Comment::parse(line)?;
    comment.make_tombstone();
    let mut out = Vec::new();
    comment.encode(&mut out);
    Ok(out)
}
