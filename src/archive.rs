//! An opened log and what is in it: the one way from the file to the index.
//!
//! Knows no threads; who opens it has it.

use std::{path::Path, time::SystemTime};

use crate::{
    comment::Author,
    config::SyncMode,
    disk::FileDisk,
    error::Error,
    index::{Entry, Index},
    likes::{KIND, Likes},
    log::{FILE_NAME, Log},
    record::Record,
    scan::Place,
    sight::Sight,
};

/// Everything that was ever written, ready for more.
pub struct Archive {
    /// The file.
    pub log: Log,
    /// Where everything lies in it.
    pub index: Index,
    /// Who likes what.
    pub likes: Likes,
    /// Authors of a comment that everyone sees; empty unless asked for.
    pub approved: Vec<Author>,
}

impl Archive {
    /// Opens the log in the folder `data`, which must exist and be locked.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open(data: &Path, sync: SyncMode, with_authors: bool) -> Result<Archive, Error> {
        let path = data.join(FILE_NAME);
        let disk = Box::new(FileDisk::open(&path)?);
        let mut index = Index::default();
        let mut likes = Likes::default();
        let mut approved = Vec::new();
        let (log, torn) = Log::open(disk, &path, sync, SystemTime::now(), |line, place| {
            let record = Record::parse(line)?;
            if let Some(entry) = entry(&record, place) {
                index.load(entry);
                if with_authors && entry.sight == Sight::Public {
                    approved.extend(Author::parse(&record.author));
                }
            }
            if record.kind == KIND
                && let Some(author) = Author::parse(&record.author)
            {
                likes.load(record.id, author, record.on);
            }
            Ok(record.seq)
        })?;
        if let Some(torn) = torn {
            let kept = torn.kept.display();
            ::log::warn!(
                "the last write was torn: its {} bytes, never acknowledged, are kept in {kept}",
                torn.bytes
            );
        }
        index.settle();
        let is_gone = |id| index.find(id).is_none_or(|item| item.sight.is_deleted());
        likes.settle(|id| index.page_of(id).filter(|_| !is_gone(id)));
        ::log::info!("{} comments on {} pages", index.comment_count(), index.page_count());
        Ok(Archive { log, index, likes, approved })
    }
}

/// What the index keeps of a line; nothing of lines that are not comments.
fn entry<'r>(record: &'r Record<'_>, place: Place) -> Option<Entry<'r>> {
    record.kind.is_empty().then(|| Entry {
        id: record.id,
        seq: record.seq,
        place,
        sight: Sight::of(record.status, record.deleted),
        page: &record.page,
        nonce: Some(&*record.nonce).filter(|nonce| !nonce.is_empty()),
    })
}
