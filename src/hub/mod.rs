//! All state, and the one thread that changes it.
//!
//! The hub takes what lies in its inbox, gives each draft its `seq` and time, makes the whole batch durable with one write and one
//! sync, publishes it, and takes the next batch. Idle, a batch is one comment; busy, batches grow by themselves. Queries are
//! served after the batch, so that nobody sees what is not on disk. Knows no sockets and no HTTP.

mod addresses;
mod answers;
#[cfg(feature = "redis")]
mod apply;
pub mod bans;
mod batch;
mod closing;
#[cfg(feature = "redis")]
pub mod cluster_stats;
pub mod command;
mod compaction;
mod decisions;
mod find;
pub mod gate;
#[cfg(feature = "exchange")]
pub mod imports;
mod likes;
pub mod line_cache;
pub mod link;
pub mod measure;
mod moderation;
pub mod moderators;
pub mod moves;
pub mod newest;
pub mod news;
#[cfg(feature = "redis")]
pub mod order;
#[cfg_attr(not(feature = "redis"), path = "alone.rs")]
mod ordering;
mod posts;
#[cfg(feature = "redis")]
pub mod presence;
mod publish;
pub mod rate_limit;
mod reads;
pub mod rules;
pub mod screen;
pub mod sign_on;
pub mod stats;
mod storage_watch;
mod typing;
mod whole_threads;

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant, SystemTime},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::{
    comment::{Author, rejection::Rejection},
    fanout::subscribers::Subscribers,
    http::forwarded::ClientKey,
    hub::{
        addresses::Addresses,
        batch::Batch,
        closing::ClosingTimes,
        command::{Command, Stats},
        compaction::Compaction,
        line_cache::LineCache,
        rate_limit::{DuplicateFilter, KEYS_RATE, REFUSED_RATE, RateLimiter},
        rules::Rules,
        storage_watch::StorageWatch,
        typing::SearchBudget,
    },
    log::{CommitError, Log, runs::Runs},
    store::{
        compact::live_bytes, index::Index, likes::Likes, moderation::Moderation,
        visibility::Visibility,
    },
    util::{clock::Clock, threads},
};

/// The shortest time between two messages about changed numbers of readers, comments or likes.
const CHANGES_INTERVAL: Duration = Duration::from_secs(1);
/// How often each page is told its highest `seq`.
const SEQ_INTERVAL: Duration = Duration::from_secs(25);

/// The hub's state. One thread owns it; dropping it ends the shards.
pub struct Hub<S> {
    log: Log,
    log_id: Arc<str>,
    runs: Runs,
    index: Index,
    likes: Likes,
    moderation: Moderation,
    /// Which comment came from where.
    addresses: Addresses,
    /// Comments and the addresses that have flagged them in this run.
    flagged_from: HashSet<(u64, ClientKey)>,
    closing_times: ClosingTimes,
    /// When readers were told last which pages have closed.
    closings_told: Option<SystemTime>,
    subscribers: Subscribers<S>,
    /// `None`: anybody may post as fast as they like.
    post_limiter: Option<RateLimiter>,
    like_limiter: Option<RateLimiter>,
    /// Of writes that change nothing.
    refused_limiter: RateLimiter,
    /// Of keys that sockets show.
    key_limiter: RateLimiter,
    duplicates: Option<DuplicateFilter>,
    rules: Rules,
    /// Authors of whom a comment was approved and none hidden or deleted by a moderator since; only kept for `--hold new`.
    approved: HashSet<Author>,
    stats: Arc<Stats>,
    batch: Batch<S>,
    clock: Clock,
    /// `created_at` of the batch's lines.
    now: String,
    started: Instant,
    stopping: bool,
    compaction: Compaction,
    storage_watch: StorageWatch,
    line_cache: LineCache,
    search_budget: SearchBudget,
    /// What waits to be ordered, if lines are not ordered here.
    #[cfg(feature = "redis")]
    proposals: Option<ordering::Proposals<S>>,
}

impl<S> Hub<S> {
    /// The state on top of an opened log.
    pub fn new(
        log: Log,
        runs: Runs,
        (index, likes, moderation): (Index, Likes, Moderation),
        subscribers: Subscribers<S>,
        post_limiter: Option<RateLimiter>,
        rules: Rules,
        stats: Arc<Stats>,
    ) -> Hub<S> {
        if let Some(limiter) = &post_limiter {
            stats.gate.set_post_rate(limiter.rate());
        }
        let started = stats.gate.started();
        let mut hub = Hub {
            log_id: log.id().into(),
            log,
            runs,
            index,
            likes,
            moderation,
            addresses: Addresses::new(rules.salt),
            flagged_from: HashSet::new(),
            closing_times: ClosingTimes::default(),
            closings_told: None,
            subscribers,
            like_limiter: likes::limiter(post_limiter.as_ref()),
            duplicates: post_limiter.as_ref().map(|_| DuplicateFilter::default()),
            post_limiter,
            refused_limiter: RateLimiter::new(REFUSED_RATE),
            key_limiter: RateLimiter::new(KEYS_RATE),
            rules,
            approved: HashSet::new(),
            stats,
            batch: Batch::default(),
            clock: Clock::default(),
            now: String::new(),
            started,
            stopping: false,
            compaction: Compaction::default(),
            storage_watch: StorageWatch::default(),
            line_cache: LineCache::default(),
            search_budget: SearchBudget::default(),
            #[cfg(feature = "redis")]
            proposals: None,
        };
        hub.publish_stats();
        hub
    }

    /// Lets `--hold new` publish what this author writes.
    pub fn approve(&mut self, author: Author) {
        self.approved.insert(author);
    }

    /// Dates no comment before this time, in RFC 3339.
    pub fn set_clock(&mut self, created_at: &str) {
        self.clock = Clock::after(created_at);
    }

    /// Serves until nobody is left who could send a command.
    pub fn run(mut self, inbox: Receiver<Command<S>>) {
        let mut changes_at = Instant::now();
        let mut seqs_at = Instant::now() + SEQ_INTERVAL;
        loop {
            let has_changes = self.subscribers.has_changes();
            let next = if has_changes { changes_at.min(seqs_at) } else { seqs_at };
            let next = next.min(self.storage_watch.due);
            let wait = next.saturating_duration_since(Instant::now());
            let wait = wait.min(self.compaction.longest_wait());
            let wait = wait.min(self.longest_order_wait());
            match inbox.recv_timeout(wait) {
                Ok(first) => self.process_batch(&mut threads::drain_after_yield(first, &inbox)),
                // A batch has looked.
                Err(RecvTimeoutError::Timeout) => self.look_at_order(),
                // The file may be the last trace of a log that was removed, and is gone once it is closed.
                Err(RecvTimeoutError::Disconnected) => return self.watch_storage(),
            }
            self.look_at_compaction();
            self.compact_if_worth_it();
            let now = Instant::now();
            if now >= self.storage_watch.due {
                self.watch_storage();
            }
            if now >= changes_at && self.subscribers.has_changes() {
                changes_at = now + CHANGES_INTERVAL;
                self.tell_totals();
                self.subscribers.tell_changes(
                    |page| self.index.count(page),
                    |id| likes::public_count(&self.index, &self.likes, id),
                );
                self.tell_presence();
            }
            if now >= seqs_at {
                seqs_at = now + SEQ_INTERVAL;
                self.subscribers.tell_seqs(self.log.next_seq() - 1, |page| self.index.seq(page));
                self.close_old_pages();
            }
        }
    }

    fn storage_fault(&mut self, error: CommitError) -> Rejection {
        let message = error.to_string();
        let is_lost = matches!(error, CommitError::Lost(_));
        let (is_new, rejection) = match error {
            CommitError::Full => (!self.stats.full.swap(true, Relaxed), Rejection::StorageFull),
            CommitError::Failed(why) | CommitError::Lost(why) => {
                (self.stats.failed.set(why).is_ok(), Rejection::StorageFailed)
            }
        };
        if is_new {
            log::error!("{message}");
        }
        if is_lost {
            self.rescue_log();
        }
        rejection
    }

    fn unreadable(&self, error: &std::io::Error) -> Rejection {
        log::error!("reading a comment: {error}");
        Rejection::StorageFailed
    }

    fn publish_stats(&mut self) {
        self.stats.seq.store(self.log.next_seq() - 1, Relaxed);
        self.stats.comments.store(self.index.comment_count() as u64, Relaxed);
        let waiting = self.index.count_of(Visibility::Pending);
        let edits = self.moderation.held_edits.len() as u64;
        let rejected = self.moderation.rejected.len() as u64;
        self.stats.pending.store(waiting + edits - rejected, Relaxed);
        self.stats.flagged.store(self.moderation.flagged_count(), Relaxed);
        self.stats.readers.store(self.subscribers.len() as u64, Relaxed);
        let counters = &self.stats.counters;
        counters.pages.store(self.index.live_page_count() as u64, Relaxed);
        counters.log_bytes.store(self.log.end(), Relaxed);
        let live = live_bytes(&self.index, &self.likes, &self.moderation);
        counters.live_bytes.store(live, Relaxed);
    }
}
