//! What the log's lines mean, in memory: opens the log and builds the index of comments and the table of likes from it.
//!
//! Knows no threads: whoever opens the store owns it.

#[cfg(all(test, feature = "redis"))]
mod chained_tests;
pub mod compact;
pub mod history;
pub mod index;
pub mod likes;
pub mod moderation;
pub mod nonces;
pub mod record;
pub mod repair;
pub mod snapshot;
mod startup;
pub mod visibility;

use std::{collections::HashSet, path::Path, time::SystemTime};

use crate::{
    comment::{Author, Comment, did::Did},
    error::Error,
    log::SyncMode,
    log::scan::Location,
    log::storage::FileStorage,
    log::{FILE_NAME, Log, TornTail},
    store::index::{Entry, Index},
    store::likes::{KIND, Likes},
    store::moderation::Moderation,
    store::moderation::line::{self, ModerationLine},
    store::record::LineSummary,
    store::visibility::Visibility,
    util::{clock::rfc3339, order::order_by_key, text::counted},
};

/// An opened log and what was read from it.
pub struct Store {
    /// The log, ready to append to.
    pub log: Log,
    /// Where each comment's newest line lies in the log.
    pub index: Index,
    /// Who likes which comment.
    pub likes: Likes,
    /// What moderators have decided.
    pub moderation: Moderation,
    /// The authors that `--hold new` trusts, as far as present lines tell; empty unless asked for.
    pub approved: HashSet<Author>,
    /// `created_at` of the newest comment; empty if there is none.
    pub last_created_at: String,
}

impl Store {
    /// Opens the log in the folder `data`, which must exist and be locked. With `with_authors`, `approved` is filled.
    ///
    /// # Errors
    /// As [`Log::open`], and [`Error::Other`] if comments lie beside the log that are not in it, or if it has lost all that it held.
    pub fn open(data: &Path, sync: SyncMode, with_authors: bool) -> Result<Store, Error> {
        startup::check(data, &data.join(FILE_NAME))?;
        Store::open_as(data, sync, with_authors, false)
    }

    /// The same for a log that other machines keep too: lines that have no [hash](crate::log::chain) yet get one, durably, and all hashes are
    /// verified.
    ///
    /// # Errors
    /// As [`Store::open`], and [`Error::Io`] if the log can't be rewritten.
    #[cfg(feature = "redis")]
    pub fn open_chained(data: &Path, sync: SyncMode, with_authors: bool) -> Result<Store, Error> {
        let path = data.join(FILE_NAME);
        startup::check(data, &path)?;
        let store = Store::open_as(data, sync, with_authors, true)?;
        if !store.log.lacks_hashes() {
            return Ok(store);
        }
        store.log.add_hashes().map_err(Error::io("add hashes to", &path))?;
        ::log::info!("each line of {} has a hash now, for several machines", path.display());
        Store::open_as(data, sync, with_authors, true)
    }

    fn open_as(
        data: &Path,
        sync: SyncMode,
        with_authors: bool,
        is_chained: bool,
    ) -> Result<Store, Error> {
        let path = data.join(FILE_NAME);
        let storage = Box::new(FileStorage::open(&path)?);
        let mut index = Index::default();
        let mut likes = Likes::default();
        let mut moderation = Moderation::default();
        let mut decisions = Vec::new();
        let (mut deletions, mut newest) = (Vec::new(), (0, None));
        let each = |line: &[u8], location: Location| {
            let summary = LineSummary::parse(line)?;
            if let Some(entry) = entry(&summary, location) {
                index.load(entry);
                moderation.load_pin(entry.id, summary.pinned);
                // An imported one says nothing about the clock.
                if entry.id >= newest.0 && entry.time.is_none() {
                    newest = (entry.id, Some(location));
                }
                if with_authors && let Some(author) = Author::parse(&summary.author) {
                    decisions.push((entry.id, entry.seq, author));
                }
            }
            if summary.id > summary.seq {
                // What is about a comment that comes later makes no sense.
            } else if summary.kind == KIND
                && let Some(author) = Author::parse(&summary.author)
            {
                likes.load(summary.id, author, summary.on);
            } else if line::KINDS.contains(&&*summary.kind) {
                moderation.load(line, location);
                if with_authors && let Some(author) = deleted_author(line) {
                    deletions.push((location.offset, author));
                }
            }
            Ok(summary.seq)
        };
        let (log, torn) = open_log(storage, &path, sync, is_chained, each)?;
        if let Some(torn) = torn {
            let (bytes, kept) = (torn.bytes, torn.kept.display());
            if torn.is_cut_short {
                ::log::warn!(
                    "the last write was interrupted and never acknowledged; its {bytes} bytes are saved in {kept}"
                );
            } else {
                ::log::warn!(
                    "the last write was interrupted, or damaged later; its {bytes} bytes are saved in {kept}; if the machine did \
                     not crash, it may have been acknowledged: what it did, such as deleting a comment, is undone"
                );
            }
        }
        let time_of = &|location| record::time_of(&log.read(location).ok()?);
        index.finish_loading(moderation.moves_made().into_iter(), time_of);
        let exists = |id| index.find(id).is_some_and(|comment| !comment.visibility.is_deleted());
        likes.finish_loading(|id| index.page_of(id).filter(|_| exists(id)));
        // Where other machines keep the log too, this one's clock must not end a ban.
        let now = if is_chained { String::new() } else { rfc3339(SystemTime::now()) };
        moderation.finish_loading(&index, &now);
        let comments = counted(index.comment_count(), "comment");
        ::log::info!("{comments} on {}", counted(index.page_count(), "page"));
        let approved = approved(&index, &moderation, &decisions, deletions);
        let newest = newest.1.map(|location| log.read(location)).transpose();
        let newest = newest.map_err(Error::io("read", &path))?;
        let newest = newest.and_then(|line| Comment::parse(&line).ok());
        let last_created_at = newest.map_or(String::new(), |comment| comment.created_at);
        Ok(Store { log, index, likes, moderation, approved, last_created_at })
    }
}

#[cfg_attr(not(feature = "redis"), allow(unused_variables))]
fn open_log(
    storage: Box<FileStorage>,
    path: &Path,
    sync: SyncMode,
    is_chained: bool,
    each: impl FnMut(&[u8], Location) -> Result<u64, String>,
) -> Result<(Log, Option<TornTail>), Error> {
    #[cfg(feature = "redis")]
    if is_chained {
        return Log::open_chained(storage, path, sync, SystemTime::now(), each);
    }
    Log::open(storage, path, sync, SystemTime::now(), each)
}

/// The authors of whom a comment was approved, and none hidden, rejected or deleted by a moderator since. Of `lines`, the `id`, `seq` and
/// author of comments, those that are present count; `deletions` are where moderators' notes on deletions lie, and of whose comments.
fn approved(
    index: &Index,
    moderation: &Moderation,
    lines: &[(u64, u64, Author)],
    deletions: Vec<(u64, Author)>,
) -> HashSet<Author> {
    let mut decisions: Vec<_> = deletions.into_iter().map(|(at, who)| (at, who, false)).collect();
    for &(id, seq, author) in lines {
        let Some(present) = index.find(id).filter(|comment| comment.seq == seq) else { continue };
        let (at, note) = (present.location.offset, moderation.notes.get(&id));
        // A decision may be a note alone, long behind the line.
        let hidden_at = match note {
            Some(note) if note.did == Did::Hide => {
                note.is_moderators.then_some(note.location.offset)
            }
            // Its author's own edit must be looked at.
            Some(note) if note.did == Did::Hold => None,
            _ => Some(at),
        };
        match present.visibility {
            Visibility::Public => decisions.push((at, author, true)),
            Visibility::Hidden => decisions.extend(hidden_at.map(|at| (at, author, false))),
            Visibility::Pending if moderation.rejected.get(&id).is_some() => {
                decisions.extend(hidden_at.map(|at| (at, author, false)));
            }
            _ => {}
        }
    }
    let order = order_by_key(&mut decisions.iter().map(|decision| decision.0));
    let mut approved = HashSet::new();
    for (_, author, is_trusted) in order.into_iter().map(|at| decisions[at as usize]) {
        if is_trusted {
            approved.insert(author);
        } else {
            approved.remove(&author);
        }
    }
    approved
}

/// The author of a comment that a moderator has deleted, if a line says that.
fn deleted_author(line: &[u8]) -> Option<Author> {
    let line = ModerationLine::parse(line).ok()?;
    line.author.filter(|_| line.did == Some(Did::Delete)).and_then(|author| Author::parse(&author))
}

/// Returns what the index needs to know of a comment's line, or `None` if the line is of another kind.
fn entry<'s>(summary: &'s LineSummary<'_>, location: Location) -> Option<Entry<'s>> {
    summary.kind.is_empty().then(|| Entry {
        id: summary.id,
        seq: summary.seq,
        location,
        visibility: Visibility::of(summary.status, summary.deleted),
        page: &summary.page,
        parent: summary.parent,
        nonce: Some(&*summary.nonce).filter(|nonce| !nonce.is_empty()),
        time: summary.time,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::trailer::append_trailer;

    #[test]
    fn a_line_whose_seq_does_not_rise_is_set_aside_and_not_indexed() {
        let data = std::env::temp_dir().join(format!("sayso-store-{}", std::process::id()));
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
            let location = store.index.find(7).unwrap().location;
            assert!(location.offset < store.log.end());
            let line = store.log.read(location).unwrap();
            assert!(line.starts_with(br#"{"seq":7,"id":7,"page":"/","content":"a""#));
        }
        std::fs::remove_dir_all(&data).unwrap();
    }
}
