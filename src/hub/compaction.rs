//! Compaction while serving: a thread does the long part, the hub takes over what it made between two batches.
//!
//! Knows neither files nor what a line says.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::Hub;
use crate::{
    hub::command::Callback,
    store::compact::{CompactedLog, CompactionJob, is_worth_it},
    util::threads,
};

/// A compaction that failed is not tried again by itself before this has passed.
const RETRY_INTERVAL: Duration = Duration::from_secs(600);

/// Who hears how a compaction ended.
type OnCompacted = Callback<Result<(u64, u64), String>>;

/// A compaction that is under way.
#[derive(Default)]
pub(super) struct Compaction {
    running: Option<Running>,
    listeners: Vec<OnCompacted>,
    /// When it failed last.
    failed: Option<Instant>,
    /// What the last one left, bytes: what it could not drop then it can't drop now.
    compacted_to: u64,
}

impl Compaction {
    fn has_just_failed(&self) -> bool {
        self.failed.is_some_and(|failed| failed.elapsed() < RETRY_INTERVAL)
    }
}

struct Running {
    thread: JoinHandle<()>,
    /// Written once, by the thread, before it ends.
    made: Arc<Mutex<Option<io::Result<CompactedLog>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S> Hub<S> {
    /// Whether the hub must look again soon.
    pub(super) fn is_compacting(&self) -> bool {
        self.compaction.running.is_some()
    }

    /// Begins to compact, if that is not under way.
    pub(super) fn compact(&mut self, listener: OnCompacted) {
        self.compaction.listeners.push(listener);
        if !self.is_compacting() {
            self.begin_to_compact();
        }
    }

    /// Once a turn: takes over what was compacted, or begins if most of the log is stale.
    pub(super) fn poll_compaction(&mut self) {
        match self.compaction.running.take_if(|running| running.thread.is_finished()) {
            Some(Running { made, .. }) => {
                let made = lock(&made).take();
                self.take_over(
                    made.unwrap_or_else(|| Err(io::Error::other("its thread has panicked"))),
                );
            }
            None if self.is_compacting() || self.compaction.has_just_failed() => {}
            None if self.stats.failed.get().is_some() || self.stopping => {}
            None if self.log.end() < self.compaction.compacted_to * 2 => {}
            None if is_worth_it(&self.log, &self.index, &self.likes) => self.begin_to_compact(),
            None => {}
        }
    }

    fn begin_to_compact(&mut self) {
        let begun = CompactionJob::new(&self.log, &self.index, &self.likes).and_then(|job| {
            let made = Arc::new(Mutex::new(None));
            let place = made.clone();
            let work = move || *lock(&place) = Some(job.work());
            Ok(Running { thread: threads::start("compact", work)?, made })
        });
        match begun {
            Ok(running) => self.compaction.running = Some(running),
            Err(error) => self.tell_listeners(Err(error.to_string())),
        }
    }

    fn take_over(&mut self, made: io::Result<CompactedLog>) {
        let before = self.log.end();
        let done = made.and_then(|made| made.replace_with(&mut self.log, &mut self.index));
        match done {
            Ok(replaced) => {
                self.recent.clear();
                self.compaction.compacted_to = self.log.end();
                log::info!("the log was compacted from {before} to {} bytes", self.log.end());
                // Freeing a large file takes a file system many milliseconds; that is nothing the hub should wait for.
                let _ = threads::start("compact", move || drop(replaced));
                self.tell_listeners(Ok((before, self.log.end())));
            }
            Err(error) => {
                if let Some(why) = self.log.failed() {
                    let _ = self.stats.failed.set(why.to_owned());
                }
                self.tell_listeners(Err(error.to_string()));
            }
        }
    }

    fn tell_listeners(&mut self, outcome: Result<(u64, u64), String>) {
        if let Err(why) = &outcome {
            self.compaction.failed = Some(Instant::now());
            log::error!("the log could not be compacted: {why}");
        }
        for listener in std::mem::take(&mut self.compaction.listeners) {
            listener(outcome.clone());
        }
    }
}
