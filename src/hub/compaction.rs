//! Compaction while serving: a thread rewrites the log, and the hub switches to the result between two batches.
//!
//! Knows neither files nor what a line says.

use std::{
    io, mem,
    sync::atomic::Ordering::Relaxed,
    task::Poll,
    time::{Duration, Instant},
};

use super::Hub;
#[cfg(feature = "redis")]
use crate::store::compact::NEWEST_LINES_KEPT;
use crate::{
    hub::command::Callback,
    store::compact::{CompactedLog, CompactionJob, is_worth_it},
    util::slot::{Slot, slot},
    util::threads,
};

/// A failed compaction is not tried again by itself before this has passed.
const COMPACTION_RETRY_INTERVAL: Duration = Duration::from_secs(600);

/// While a compaction is under way, the hub looks so often whether it is done. Waiting for two channels would bring the outcome at once, but
/// is 10 KB of the program.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// How long a compaction that was asked for waits until the log may be compacted: three times as long as it takes to connect again and to bring
/// Redis what it has lost.
#[cfg(feature = "redis")]
const PERMISSION_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a log is not compacted, once [`PERMISSION_TIMEOUT`] has passed.
#[cfg(feature = "redis")]
const STREAM_NEEDS_LINES: &str = "the stream in Redis may still need lines of this log; try again once this machine is connected";

/// Called with the log's bytes before and after a compaction, or with why it failed.
type OnCompacted = Callback<Result<(u64, u64), String>>;

/// What the hub knows of compactions past and present.
#[derive(Default)]
pub(super) struct Compaction {
    /// Gets what the thread makes, which is nothing if it panics; there is one while a compaction is under way.
    running: Option<Slot<io::Result<CompactedLog>>>,
    callbacks: Vec<OnCompacted>,
    /// Since when one that was asked for waits until the log may be compacted.
    #[cfg(feature = "redis")]
    pub(super) waits_since: Option<Instant>,
    /// When it failed last.
    failed: Option<Instant>,
    /// The log's bytes after the last one: what that could not drop, the next one can't drop either.
    compacted_to: u64,
    /// How many of the newest lines stay as they are, if not [`NEWEST_LINES_KEPT`].
    #[cfg(feature = "redis")]
    newest_kept: Option<u64>,
}

impl Compaction {
    /// How long the hub may wait for a command before it looks whether the compacted log is there.
    pub(super) fn longest_wait(&self) -> Duration {
        if self.running.is_some() || self.is_waiting() { LOOK_INTERVAL } else { Duration::MAX }
    }

    #[cfg(feature = "redis")]
    fn is_waiting(&self) -> bool {
        self.waits_since.is_some()
    }

    /// A log of one machine may always be compacted.
    #[cfg(not(feature = "redis"))]
    fn is_waiting(&self) -> bool {
        false
    }

    fn has_just_failed(&self) -> bool {
        self.failed.is_some_and(|failed| failed.elapsed() < COMPACTION_RETRY_INTERVAL)
    }
}

impl<S> Hub<S> {
    /// Lets compactions of a log that several machines keep leave so many of its newest lines as they are.
    #[cfg(feature = "redis")]
    pub fn keep_newest(&mut self, lines: u64) {
        self.compaction.newest_kept = Some(lines);
    }

    /// Begins a compaction, unless one is under way; the callback is called at its end either way. While the stream may still need lines of
    /// the log, it waits.
    pub(super) fn compact(&mut self, callback: OnCompacted) {
        self.compaction.callbacks.push(callback);
        #[cfg(feature = "redis")]
        if !self.may_compact() {
            self.compaction.waits_since.get_or_insert_with(Instant::now);
            return;
        }
        if self.compaction.running.is_none() {
            self.start_compaction();
        }
    }

    /// Begins the compaction that waits, if the log may be compacted by now, or gives it up.
    #[cfg(feature = "redis")]
    fn look_at_waiting_compaction(&mut self) {
        let Some(since) = self.compaction.waits_since else { return };
        if self.compaction.running.is_some() {
            // Its end answers everybody.
            self.compaction.waits_since = None;
        } else if self.may_compact() {
            self.compaction.waits_since = None;
            self.start_compaction();
        } else if since.elapsed() >= PERMISSION_TIMEOUT {
            self.compaction.waits_since = None;
            self.report_compaction(Err(STREAM_NEEDS_LINES.into()));
        }
    }

    /// Begins a compaction if most of the log is stale. Called once a batch, so it only compares a few numbers.
    pub(super) fn compact_if_worth_it(&mut self) {
        let compaction = &self.compaction;
        let may_begin = compaction.running.is_none()
            && !compaction.has_just_failed()
            && !self.stopping
            && self.may_compact()
            && self.stats.failed.get().is_none()
            && self.log.end() >= compaction.compacted_to * 2;
        if may_begin && is_worth_it(&self.log, &self.index, &self.likes, &self.moderation) {
            self.start_compaction();
        }
    }

    fn start_compaction(&mut self) {
        if let Some(why) = self.log.failed() {
            let why = why.to_owned();
            return self.report_compaction(Err(why));
        }
        let job = CompactionJob::new(&self.log, &self.index, &self.likes, &mut self.moderation);
        #[cfg(feature = "redis")]
        let job = match self.is_shared() {
            true => job.map(|job| {
                job.keep_newest(&self.log, self.compaction.newest_kept.unwrap_or(NEWEST_LINES_KEPT))
            }),
            false => job,
        };
        let started = job.and_then(|job| {
            let (take, slot) = slot();
            // The hub may have ended meanwhile; then nobody wants the new file.
            threads::start("compact", move || take(job.work()))?;
            Ok(slot)
        });
        match started {
            Ok(running) => self.compaction.running = Some(running),
            Err(error) => self.report_compaction(Err(error.to_string())),
        }
    }

    /// Puts the compacted log in the place of the log, if it is there by now.
    pub fn look_at_compaction(&mut self) {
        #[cfg(feature = "redis")]
        self.look_at_waiting_compaction();
        if let Some(running) = &self.compaction.running
            && let Poll::Ready(outcome) = running.look()
        {
            self.compaction.running = None;
            self.finish_compaction(outcome);
        }
    }

    /// `None`: the thread has panicked.
    fn finish_compaction(&mut self, compacted: Option<io::Result<CompactedLog>>) {
        // Nothing is put in the place of a file that somebody else has put there.
        self.watch_storage();
        let before = self.log.end();
        let replaced = compacted
            .unwrap_or_else(|| Err(io::Error::other("its thread has panicked")))
            .and_then(|compacted| match self.log.failed() {
                Some(why) => Err(io::Error::other(why.to_owned())),
                None => {
                    compacted.replace_with(&mut self.log, &mut self.index, &mut self.moderation)
                }
            });
        match replaced {
            Ok(replaced) => {
                self.line_cache.clear();
                self.tell_end();
                self.compaction.compacted_to = self.log.end();
                self.stats.counters.compactions.fetch_add(1, Relaxed);
                log::info!("the log was compacted from {before} to {} bytes", self.log.end());
                // Freeing a large file takes a file system many milliseconds, which the hub need not wait for.
                let _ = threads::start("compact", move || drop(replaced));
                self.report_compaction(Ok((before, self.log.end())));
            }
            Err(error) => {
                if let Some(why) = self.log.failed() {
                    let _ = self.stats.failed.set(why.to_owned());
                }
                if self.log.is_lost() {
                    self.rescue_log();
                }
                self.report_compaction(Err(error.to_string()));
            }
        }
    }

    fn report_compaction(&mut self, outcome: Result<(u64, u64), String>) {
        if let Err(why) = &outcome {
            self.compaction.failed = Some(Instant::now());
            log::error!("the log could not be compacted: {why}");
        }
        for callback in mem::take(&mut self.compaction.callbacks) {
            callback(outcome.clone());
        }
    }
}
