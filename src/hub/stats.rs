//! What anybody may read without asking the hub, and what is counted for monitoring, once a batch.
//!
//! Does not know how it is told.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use super::Hub;
use crate::{
    fanout,
    hub::{gate::Gate, news::Listener, screen::Screen},
    log::CommitError,
    net,
    util::histogram::Histogram,
};

/// Bounds of [`Counters::batch_lines`]. Batches grow by doubling load, and take at most 1,024 commands; an import's are longer.
const BATCH_LINES_BOUNDS: [u64; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
/// Bounds of [`Counters::commit_micros`]: 50 µs to 5 s, two or three to a power of ten. A server's disk syncs in 50 µs to 1 ms, a
/// laptop's in some ms, a memory card in 5 to 100, and a card or cloud volume that stalls takes seconds.
const COMMIT_MICROS_BOUNDS: [u64; 14] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
    5_000_000,
];

/// What anybody may read without asking the hub.
#[derive(Debug, Default)]
pub struct Stats {
    /// Highest durable `seq` of the log.
    pub seq: AtomicU64,
    /// Whether the last batch found no room on the disk.
    pub full: AtomicBool,
    /// Why storage can't be trusted any more.
    pub failed: OnceLock<String>,
    /// Whether storage has failed because the log was removed, replaced or changed by somebody else.
    pub is_lost: AtomicBool,
    /// Whether what a lost log still holds is being saved, so that the process must not end yet.
    pub is_rescuing: AtomicBool,
    /// Comments, deleted ones included.
    pub comments: AtomicU64,
    /// Comments that wait for a moderator.
    pub pending: AtomicU64,
    /// Comments with flags that no moderator has settled.
    pub flagged: AtomicU64,
    /// Sockets that follow something.
    pub readers: AtomicU64,
    /// Totals since the start, and what only monitoring asks for.
    pub counters: Counters,
    /// What the public port counts.
    pub net: Arc<net::counters::Counters>,
    /// What each shard counts.
    pub shards: Vec<Arc<fanout::counters::Counters>>,
    /// Bytes in all outboxes.
    pub outbox_bytes: Arc<AtomicUsize>,
    /// Who posts too fast.
    pub gate: Gate,
    /// What comments are looked through for.
    pub screen: Screen,
    /// Who follows the log.
    pub listeners: OnceLock<Vec<Arc<Listener>>>,
    /// What is known of the stream of several machines, if there are any.
    #[cfg(feature = "redis")]
    pub cluster: OnceLock<Arc<super::cluster_stats::ClusterStats>>,
}

impl Stats {
    /// Whether this machine's log has parted from those of the others.
    pub fn is_parted(&self) -> bool {
        #[cfg(feature = "redis")]
        if let Some(cluster) = self.cluster.get() {
            return cluster.parted.get().is_some();
        }
        false
    }

    /// The time that comments, bans and signatures go by: that of all machines, if there are several.
    pub fn now(&self) -> SystemTime {
        #[cfg(feature = "redis")]
        if let Some(cluster) = self.cluster.get() {
            return cluster.clock.now();
        }
        SystemTime::now()
    }
}

/// Totals since the start. The hub's thread alone adds to them, once a batch.
#[derive(Debug)]
pub struct Counters {
    /// When it was, in ms since 1970.
    pub started: u64,
    /// New comments, held and imported ones included.
    pub posts: AtomicU64,
    /// Readers' flags.
    pub flags: AtomicU64,
    /// Finished compactions.
    pub compactions: AtomicU64,
    /// Lines in each batch, lines of all kinds.
    pub batch_lines: Histogram,
    /// Time of each batch's write and sync, in µs.
    pub commit_micros: Histogram,
    /// Pages with comments that are not deleted.
    pub pages: AtomicU64,
    /// Length of the log.
    pub log_bytes: AtomicU64,
    /// How much of it a compaction would keep.
    pub live_bytes: AtomicU64,
}

impl Default for Counters {
    fn default() -> Counters {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Counters {
            started: now.as_millis() as u64,
            posts: AtomicU64::default(),
            flags: AtomicU64::default(),
            compactions: AtomicU64::default(),
            batch_lines: Histogram::new(&BATCH_LINES_BOUNDS),
            commit_micros: Histogram::new(&COMMIT_MICROS_BOUNDS),
            pages: AtomicU64::default(),
            log_bytes: AtomicU64::default(),
            live_bytes: AtomicU64::default(),
        }
    }
}

impl<S> Hub<S> {
    /// Commits the log's batch, and counts it.
    pub(super) fn commit_log(&mut self) -> Result<(), CommitError> {
        let lines = self.log.next_seq() - 1 - self.stats.seq.load(Relaxed);
        let started = Instant::now();
        let written = self.log.commit();
        let counters = &self.stats.counters;
        counters.commit_micros.record(started.elapsed().as_micros() as u64);
        if written.is_ok() {
            let posts = self.batch.lines.iter().filter(|staged| staged.before.is_none()).count();
            counters.batch_lines.record(lines);
            counters.posts.fetch_add(posts as u64, Relaxed);
            counters.flags.fetch_add(self.batch.flagged_from.len() as u64, Relaxed);
        }
        written
    }
}
