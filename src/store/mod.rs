//! An opened log and what is in it: the one way from the file to the index.
//!
//! Knows no threads; who opens it has it.

pub mod compact;
pub mod history;
pub mod index;
pub mod likes;
pub mod nonces;
pub mod record;
pub mod visibility;

use std::{path::Path, time::SystemTime};

use crate::{
    comment::Author,
    error::Error,
    log::SyncMode,
    log::scan::Location,
    log::storage::FileStorage,
    log::{FILE_NAME, Log},
    store::index::{Entry, Index},
    store::likes::{KIND, Likes},
    store::record::LineSummary,
    store::visibility::Visibility,
};

/// Everything that was ever written, ready for more.
pub struct Store {
    /// The file.
    pub log: Log,
    /// Where everything lies in it.
    pub index: Index,
    /// Who likes what.
    pub likes: Likes,
    /// Authors of a comment that everyone sees; empty unless asked for.
    pub approved: Vec<Author>,
}

impl Store {
    /// Opens the log in the folder `data`, which must exist and be locked.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open(data: &Path, sync: SyncMode, with_authors: bool) -> Result<Store, Error> {
        let path = data.join(FILE_NAME);
        let disk = Box::new(FileStorage::open(&path)?);
        let mut index = Index::default();
        let mut likes = Likes::default();
        let mut approved = Vec::new();
        let mut last_seq = 0;
        let (log, torn) = Log::open(disk, &path, sync, SystemTime::now(), |line, place| {
            let record = LineSummary::parse(line)?;
            // The scan refuses it, so it must not be remembered: it may be cut off.
            if record.seq <= last_seq {
                return Ok(record.seq);
            }
            last_seq = record.seq;
            if let Some(entry) = entry(&record, place) {
                index.load(entry);
                if with_authors && entry.visibility == Visibility::Public {
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
        index.finish_loading();
        let is_gone = |id| index.find(id).is_none_or(|item| item.visibility.is_deleted());
        likes.finish_loading(|id| index.page_of(id).filter(|_| !is_gone(id)));
        ::log::info!("{} comments on {} pages", index.comment_count(), index.page_count());
        Ok(Store { log, index, likes, approved })
    }
}

/// What the index keeps of a line; nothing of lines that are not comments.
fn entry<'r>(record: &'r LineSummary<'_>, place: Location) -> Option<Entry<'r>> {
    record.kind.is_empty().then(|| Entry {
        id: record.id,
        seq: record.seq,
        place,
        visibility: Visibility::of(record.status, record.deleted),
        page: &record.page,
        nonce: Some(&*record.nonce).filter(|nonce| !nonce.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::trailer::append_trailer;

    #[test]
    fn a_line_whose_seq_does_not_rise_is_kept_aside_and_not_remembered() {
        let data = std::env::temp_dir().join(format!("sayso-archive-{}", std::process::id()));
        std::fs::create_dir_all(&data).unwrap();
        let (mut bytes, mut crc) = (Vec::new(), 0);
        for line in [
            r#"{"sayso":1,"log":"9c41f0aa53d7e6b2","created_at":"","next":1"#,
            r#"{"seq":7,"id":7,"page":"/","content":"a","created_at":"""#,
            r#"{"seq":7,"id":7,"page":"/","content":"b","created_at":"""#,
        ] {
            let start = bytes.len();
            bytes.extend_from_slice(line.as_bytes());
            crc = append_trailer(&mut bytes, start, false, crc);
        }
        std::fs::write(data.join(FILE_NAME), &bytes).unwrap();
        for _ in 0..2 {
            let store = Store::open(&data, SyncMode::Always, false).unwrap();
            assert_eq!((store.index.comment_count(), store.log.next_seq()), (1, 8));
            let place = store.index.find(7).unwrap().place;
            assert!(place.offset < store.log.end());
            assert!(
                store
                    .log
                    .read(place)
                    .unwrap()
                    .starts_with(br#"{"seq":7,"id":7,"page":"/","content":"a""#)
            );
        }
        std::fs::remove_dir_all(&data).unwrap();
    }
}
