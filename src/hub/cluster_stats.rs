//! What is known of the stream that several machines append to, for `/healthz` and `/metrics`.
//!
//! Whoever orders the lines sets it; anybody may read it without asking. Everybody may see it, so no sentence in it names an address or
//! has a password.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
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
