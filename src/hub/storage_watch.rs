//! Notices that the log was removed, replaced or truncated under the running server, and saves what it still holds.
//!
//! Looks every few seconds, before a compaction puts its file in the log's place, and when sayso stops; a length that is wrong and a file
//! without a name are noticed before each write, too. From then on posts are refused and readers are served, until sayso is restarted.

use std::{
    sync::atomic::Ordering::Relaxed,
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use super::Hub;
use crate::util::threads;

/// How often the log's name is looked up.
pub(super) const WATCH_INTERVAL: Duration = Duration::from_secs(5);

/// What the hub knows of the log's file.
pub(super) struct StorageWatch {
    /// When to look again.
    pub(super) due: Instant,
    rescue: Option<Rescue>,
}

/// The thread that copies a lost log. Whoever drops it waits for the copy, which may be the last one.
struct Rescue(Option<JoinHandle<()>>);

impl Default for StorageWatch {
    fn default() -> StorageWatch {
        StorageWatch { due: Instant::now() + WATCH_INTERVAL, rescue: None }
    }
}

impl<S> Hub<S> {
    /// Looks whether the log's name still leads to the log.
    pub(super) fn watch_storage(&mut self) {
        self.storage_watch.due = Instant::now() + WATCH_INTERVAL;
        if self.log.failed().is_none()
            && let Err(error) = self.log.check_file()
        {
            self.storage_fault(error);
        }
    }

    /// Copies what the log's file still holds, in a thread of its own: readers are served meanwhile.
    pub(super) fn rescue_log(&mut self) {
        if self.storage_watch.rescue.is_some() {
            return;
        }
        let rescue = self.log.rescue(SystemTime::now());
        let refused = if self.stopping {
            "sayso is stopping"
        } else {
            "comments are refused until sayso is restarted: stop it"
        };
        let stats = self.stats.clone();
        stats.is_lost.store(true, Relaxed);
        stats.is_rescuing.store(true, Relaxed);
        let work = move || {
            match rescue() {
                Ok(Some(copy)) => log::error!(
                    "what the log still held is saved in {}; {refused}, put the file that you want to go on with in the log's place, this copy for \
                     example, and start it again",
                    copy.display()
                ),
                Ok(None) => log::error!(
                    "the log's file is empty, so there is nothing to save; {refused}, put a backup in the log's place, and start it again"
                ),
                Err(error) => log::error!(
                    "what the log still holds can't be saved: {error}; before you stop sayso, copy it from /proc/{}/fd",
                    std::process::id()
                ),
            }
            stats.is_rescuing.store(false, Relaxed);
        };
        match threads::start("rescue", work) {
            Ok(thread) => self.storage_watch.rescue = Some(Rescue(Some(thread))),
            Err(error) => {
                self.stats.is_rescuing.store(false, Relaxed);
                log::error!("can't start thread rescue: {error}");
            }
        }
    }
}

impl Drop for Rescue {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            let _ = thread.join();
        }
    }
}
