//! Compaction: rewrites the log with only the newest line of each comment, so that deleted text is physically gone.
//!
//! Keeps one line for each like there is, those that moderation needs, and all lines of unknown kinds. Every `seq` keeps its value, so cursors stay valid. The long
//! part ([`CompactionJob::work`]) needs neither the hub nor the index: it works on a list of offsets, in a thread of its own or in
//! `sayso compact`. Where several machines keep the log, its newest lines are kept as they are, so that machines can compare and heal.
//! Knows neither threads nor who waits.

#[cfg(feature = "redis")]
mod newest;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Acquire},
    },
};

use crate::{
    comment::Author,
    log::scan::{Header, Location},
    log::storage::{ReadAt, Storage},
    log::writer::{FinishedLog, LogWriter, copy, rewrite},
    log::{Log, Replaced},
    store::index::Index,
    store::likes::{KIND, Likes, LiveLikes},
    store::moderation::{Moderation, line::KINDS},
    store::record::LineSummary,
};

/// Bytes that may be left to copy when the new log replaces the old one, which the hub waits for.
const FINAL_COPY_BYTES_MAX: u64 = 64 * 1024;
/// How often lines that were appended meanwhile are copied, so that a log growing faster than it is copied doesn't keep the
/// compaction running for ever.
const CATCH_UPS_MAX: u32 = 20;
/// Size from which a log is compacted without being asked to.
const LOG_BYTES_MIN: u64 = 1 << 20;

/// The newest lines of a log that several machines keep, which a compaction leaves as they are.
#[cfg(feature = "redis")]
pub const NEWEST_LINES_KEPT: u64 = 1_000;

/// The input of a compaction: a snapshot made between two batches, which stays valid while the log grows.
pub struct CompactionJob {
    reader: Arc<dyn ReadAt>,
    /// Length of the log at the snapshot, in bytes.
    from: u64,
    /// Checksum of the last line at the snapshot.
    crc: u32,
    header: Header,
    #[cfg(feature = "redis")]
    newest: Option<newest::NewestKept>,
    /// The empty file that the new log is written to.
    target: Box<dyn Storage>,
    /// Offset of each comment's newest line, by comment number.
    offsets: Vec<u64>,
    likes: LiveLikes,
    /// Offsets of the lines that moderation needs, rising.
    moderation: Vec<u64>,
    /// Length of the log now, in bytes.
    end: Arc<AtomicU64>,
}

/// The output of a compaction, ready to replace the log.
pub struct CompactedLog {
    finished: FinishedLog,
    /// See [`CompactionJob`].
    from: u64,
    /// Offset in the old log up to which newer lines are copied.
    copied_to: u64,
    /// Checksum of the last line that is copied.
    crc: u32,
    /// New offset of each comment's newest line at the snapshot, by comment number.
    offsets: Vec<u64>,
    /// Old and new offsets of the lines that moderation needed at the snapshot, by rising old ones.
    moderation: Vec<(u64, u64)>,
    /// `seq` of the first line behind the last one that was dropped; 0 if none was.
    #[cfg(feature = "redis")]
    whole_from: u64,
}

/// Whether the log is large enough and most of its bytes are lines that later ones have replaced.
pub fn is_worth_it(log: &Log, index: &Index, likes: &Likes, moderation: &Moderation) -> bool {
    let live = live_bytes(index, likes, moderation);
    log.end() >= LOG_BYTES_MIN && live * 2 < log.end()
}

/// Bytes of the log that a compaction would keep.
pub fn live_bytes(index: &Index, likes: &Likes, moderation: &Moderation) -> u64 {
    index.live_bytes() + likes.live_bytes() + moderation.live_bytes()
}

impl CompactionJob {
    /// Takes a snapshot of what is to be kept. Nothing may be staged.
    ///
    /// # Errors
    /// Fails if the new file can't be created.
    pub fn new(
        log: &Log,
        index: &Index,
        likes: &Likes,
        moderation: &mut Moderation,
    ) -> io::Result<CompactionJob> {
        Ok(CompactionJob {
            reader: log.reader(),
            from: log.end(),
            crc: log.crc(),
            header: log.next_header(),
            target: log.create_sibling()?,
            offsets: index.offsets(),
            likes: likes.live(),
            moderation: moderation.offsets(),
            end: log.shared_end(),
            #[cfg(feature = "redis")]
            newest: None,
        })
    }

    /// Keeps the newest `lines` lines of the log as they are, whatever later ones say.
    #[cfg(feature = "redis")]
    pub fn keep_newest(mut self, log: &Log, lines: u64) -> CompactionJob {
        self.newest = Some(newest::NewestKept { lines, header_next: log.header_next() });
        self
    }

    /// Writes the new log, which takes as long as reading the old one, and catches up with lines that were appended meanwhile.
    ///
    /// # Errors
    /// Fails if reading or writing fails, and with `InvalidData` if the log is damaged.
    pub fn work(self) -> io::Result<CompactedLog> {
        #[cfg(feature = "redis")]
        let mut kept = newest::Kept::of(&self)?;
        #[cfg(feature = "redis")]
        let header = Header { next: kept.next, ..self.header };
        #[cfg(not(feature = "redis"))]
        let header = self.header;
        let CompactionJob { reader, from, mut crc, target, offsets: old, mut likes, .. } = self;
        let (wanted, end) = (self.moderation, self.end);
        let mut numbers_by_offset: Vec<(u64, u64)> = old.iter().copied().zip(0..).collect();
        numbers_by_offset.sort_unstable();
        let find = |offset: u64| {
            let found = numbers_by_offset.binary_search_by_key(&offset, |entry| entry.0);
            found.ok().map(|at| numbers_by_offset[at].1)
        };
        #[cfg_attr(not(feature = "redis"), allow(unused_mut))]
        let mut is_wanted = |line: &[u8], location: Location| {
            find(location.offset).is_some()
                || LineSummary::parse(line).is_ok_and(|line| match Author::parse(&line.author) {
                    Some(author) if line.kind == KIND => likes.claim(line.id, author, line.on),
                    _ if KINDS.contains(&&*line.kind) => {
                        wanted.binary_search(&location.offset).is_ok()
                    }
                    _ => !line.kind.is_empty(),
                })
        };
        #[cfg(not(feature = "redis"))]
        let keeps = is_wanted;
        #[cfg(feature = "redis")]
        let keeps = |line: &[u8], location: Location| kept.keeps(line, location, &mut is_wanted);
        let mut moderation = Vec::with_capacity(wanted.len());
        let mut offsets = vec![u64::MAX; old.len()];
        let mut writer = LogWriter::begin(target, &header);
        rewrite(reader.clone(), from, &mut writer, keeps, |old_offset, new_offset| {
            if let Some(number) = find(old_offset) {
                offsets[number as usize] = new_offset;
            } else if wanted.binary_search(&old_offset).is_ok() {
                moderation.push((old_offset, new_offset));
            }
        })?;
        assert!(moderation.len() == wanted.len(), "every line that moderation needs is in the log");
        assert!(
            offsets.iter().all(|&offset| offset != u64::MAX),
            "every comment's newest line is in the log"
        );
        let mut copied_to = from;
        for _ in 0..CATCH_UPS_MAX {
            let now = end.load(Acquire);
            if now - copied_to < FINAL_COPY_BYTES_MAX {
                break;
            }
            let mut bytes = vec![0; (now - copied_to) as usize];
            reader.read_exact_at(&mut bytes, copied_to)?;
            crc = copy(&bytes, crc, &mut writer)?;
            copied_to = now;
        }
        Ok(CompactedLog {
            finished: writer.finish()?,
            from,
            copied_to,
            crc,
            offsets,
            moderation,
            #[cfg(feature = "redis")]
            whole_from: kept.whole_from(),
        })
    }
}

impl CompactedLog {
    /// Copies the last newer lines, replaces the log, and updates index and moderation. Nothing may be staged. Returns the old log, see
    /// [`Log::replace_with`].
    ///
    /// # Errors
    /// As [`Log::replace_with`]; both are then unchanged.
    pub fn replace_with(
        self,
        log: &mut Log,
        index: &mut Index,
        moderation: &mut Moderation,
    ) -> io::Result<Replaced> {
        let (shift, replaced) = log.replace_with(self.finished, self.copied_to, self.crc)?;
        #[cfg(feature = "redis")]
        log.drop_lines_before(self.whole_from);
        index.relocate(&self.offsets, self.from, shift);
        moderation.relocate(&self.moderation, self.from, shift);
        Ok(replaced)
    }
}
