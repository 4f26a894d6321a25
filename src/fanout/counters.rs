//! What a shard counts for monitoring.
//!
//! The shard counts in plain numbers and publishes them once a turn, so that sending to a reader touches nothing that another core reads.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a shard has sent, and the buffer that it sends from.
#[derive(Default)]
pub struct Sends {
    /// A buffer in which small frames are joined; reused between sends.
    pub(super) scratch: Vec<u8>,
    /// Frames of published lines, once for each reader that they were for.
    pub frames: u64,
    /// Bytes that sockets have taken.
    pub bytes: u64,
    /// Readers closed because their outbox has overflowed.
    pub closed_slow: u64,
}

/// The published numbers of a [`Sends`]. Only its shard writes them.
#[derive(Debug, Default)]
pub struct Counters {
    /// [`Sends::frames`].
    pub frames: AtomicU64,
    /// [`Sends::bytes`].
    pub bytes: AtomicU64,
    /// [`Sends::closed_slow`].
    pub closed_slow: AtomicU64,
}

impl Counters {
    pub(super) fn publish(&self, sends: &Sends) {
        self.frames.store(sends.frames, Relaxed);
        self.bytes.store(sends.bytes, Relaxed);
        self.closed_slow.store(sends.closed_slow, Relaxed);
    }
}
