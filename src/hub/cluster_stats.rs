//! What is known of the stream that several machines append to, for `/healthz` and `/metrics`.
//!
//! Whoever orders the lines sets it; anybody may read it without asking. Everybody may see it, so no sentence in it names an address or
//! has a password.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// See the [module](self).
#[derive(Debug, Default)]
pub struct ClusterStats {
    /// Whether this machine is attached to the stream, so that it can append to it and reads what others append.
    pub connected: AtomicBool,
    /// `seq` of the stream's last line, as far as this machine knows.
    pub stream_seq: AtomicU64,
    /// Lines that were proposed and have not come back yet.
    pub in_flight: AtomicU64,
    /// How often this machine was attached, and compared its log with the stream.
    pub attaches: AtomicU64,
    /// How often it gave the stream lines back that Redis had lost.
    pub heals: AtomicU64,
    /// Posts and other changes that were refused because nothing could be ordered.
    pub refused: AtomicU64,
    /// Why nothing can be ordered by this process any more: its log has parted from the others'; says what a person must do.
    pub parted: OnceLock<Arc<str>>,
    /// The time that all machines agree on.
    pub clock: ClusterClock,
    error: Mutex<Option<Arc<str>>>,
}

impl ClusterStats {
    /// Returns how many lines of the stream are not in this machine's log yet, whose last one is `seq`.
    pub fn behind(&self, seq: u64) -> u64 {
        self.stream_seq.load(Relaxed).saturating_sub(seq)
    }

    /// Sets why this machine is not attached, or `None` once it is.
    pub fn set_error(&self, error: Option<Arc<str>>) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    /// Returns why this machine is not attached.
    pub fn error(&self) -> Option<Arc<str>> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Redis' clock, carried on by this machine's monotonic one from when it was read last. So it doesn't matter what this machine's clock
/// says, or that it is set meanwhile. Until it was read, it is what this machine's clock said at the start.
#[derive(Debug)]
pub struct ClusterClock {
    began: Instant,
    /// What Redis' clock showed at `began`, in ms since 1970.
    at_begin: AtomicU64,
}

impl ClusterClock {
    /// Redis' clock shows this now, in ms since 1970.
    pub fn set(&self, millis: u64) {
        self.at_begin.store(millis.saturating_sub(self.elapsed()), Relaxed);
    }

    /// Returns the time.
    pub fn now(&self) -> SystemTime {
        let millis = self.at_begin.load(Relaxed).saturating_add(self.elapsed());
        UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH)
    }

    fn elapsed(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
}

impl Default for ClusterClock {
    fn default() -> ClusterClock {
        let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        ClusterClock { began: Instant::now(), at_begin: AtomicU64::new(here.as_millis() as u64) }
    }
}
