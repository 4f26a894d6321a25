//! Compaction: only the newest line of each comment stays, so that what was deleted is physically gone.
//!
//! The long part needs neither the hub nor the index: it works on a list of offsets, in a thread of its own or in `sayso compact`.
//! `seq`s keep their values, so cursors stay good. Of hearts only those that there are stay, one line each. Lines of kinds that this sayso doesn't know are all kept.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Acquire},
    },
};

use crate::{
    comment::Author,
    log::scan::Header,
    log::storage::{ReadAt, Storage},
    log::writer::{FinishedLog, LogWriter, copy, rewrite},
    log::{Log, Replaced},
    store::index::Index,
    store::likes::{KIND, Likes, LiveLikes},
    store::record::LineSummary,
};

/// What is left to be copied while the hub waits, bytes.
const LAST_BYTES_MAX: u64 = 64 * 1024;
/// A log that grows faster than it is copied is not run after for ever.
const CATCH_UPS_MAX: u32 = 20;
/// A log that is worth it has at least this many bytes.
const WORTH_BYTES_MIN: u64 = 1 << 20;

/// What the long part works on: taken between two batches, good while the log goes on.
pub struct CompactionJob {
    reader: Arc<dyn ReadAt>,
    /// Bytes of the log at that moment.
    from: u64,
    /// Checksum of its last line then.
    crc: u32,
    header: Header,
    fresh: Box<dyn Storage>,
    /// Of each comment's newest line, by number.
    offsets: Vec<u64>,
    likes: LiveLikes,
    /// Where the log ends by now.
    end: Arc<AtomicU64>,
}

/// What the long part made.
pub struct CompactedLog {
    written: FinishedLog,
    from: u64,
    /// Up to here later lines are copied already.
    caught_up: u64,
    /// Checksum of the last of them.
    crc: u32,
    offsets: Vec<u64>,
}

/// Whether most of the log's bytes are lines that later ones have overtaken.
pub fn is_worth_it(log: &Log, index: &Index, likes: &Likes) -> bool {
    let live = index.live_bytes() + likes.live_bytes();
    log.end() >= WORTH_BYTES_MIN && live * 2 < log.end()
}

impl CompactionJob {
    /// # Errors
    /// Where no new file can be made.
    pub fn new(log: &Log, index: &Index, likes: &Likes) -> io::Result<CompactionJob> {
        Ok(CompactionJob {
            reader: log.reader(),
            from: log.end(),
            crc: log.crc(),
            header: log.next_header(),
            fresh: log.create_sibling()?,
            offsets: index.offsets(),
            likes: likes.wanted(),
            end: log.shared_end(),
        })
    }

    /// The long part.
    ///
    /// # Errors
    /// Of the medium; `InvalidData` where the log is not as it was written.
    pub fn work(self) -> io::Result<CompactedLog> {
        let CompactionJob { reader, from, mut crc, header, fresh, offsets: old, mut likes, end } =
            self;
        let mut by_offset: Vec<(u64, u32)> =
            (0u32..).zip(&old).map(|(number, &offset)| (offset, number)).collect();
        by_offset.sort_unstable();
        let mut offsets = vec![u64::MAX; old.len()];
        let mut writer = LogWriter::begin(fresh, &header);
        let find = |offset: u64| by_offset.binary_search_by_key(&offset, |entry| entry.0);
        let wants = |line: &[u8], place: crate::log::scan::Location| {
            find(place.offset).is_ok()
                || LineSummary::parse(line).is_ok_and(|record| {
                    match Author::parse(&record.author) {
                        Some(author) if record.kind == KIND => {
                            likes.takes(record.id, author, record.on)
                        }
                        _ => !record.kind.is_empty(),
                    }
                })
        };
        rewrite(reader.clone(), from, &mut writer, wants, |was, is| {
            if let Ok(at) = find(was) {
                offsets[by_offset[at].1 as usize] = is;
            }
        })?;
        assert!(
            offsets.iter().all(|&offset| offset != u64::MAX),
            "every comment's newest line is in the log"
        );
        let mut caught_up = from;
        for _ in 0..CATCH_UPS_MAX {
            let now = end.load(Acquire);
            if now - caught_up < LAST_BYTES_MAX {
                break;
            }
            let mut bytes = vec![0; (now - caught_up) as usize];
            reader.read_exact_at(&mut bytes, caught_up)?;
            crc = copy(&bytes, crc, &mut writer)?;
            caught_up = now;
        }
        Ok(CompactedLog { written: writer.finish()?, from, caught_up, crc, offsets })
    }
}

impl CompactedLog {
    /// The short part: puts the new log in the old one's place. Nothing may be staged.
    ///
    /// # Errors
    /// As [`Log::replace_with`].
    pub fn replace_with(self, log: &mut Log, index: &mut Index) -> io::Result<Replaced> {
        let (shift, replaced) = log.replace_with(self.written, self.caught_up, self.crc)?;
        index.relocate(&self.offsets, self.from, shift);
        Ok(replaced)
    }
}
