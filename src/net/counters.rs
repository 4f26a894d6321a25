//! What the public port counts for monitoring.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Connections and responses since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections that are open.
    pub open: AtomicU64,
    /// Connections that may be open at once, as far as the system allows.
    pub max: AtomicU64,
    /// Connections refused, in the order of [`Refused::ALL`].
    pub refused: [AtomicU64; 4],
    /// Requests by the first digit of their response's status: 1 to 5.
    pub requests: [AtomicU64; 5],
}

/// Why a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// All connections are taken.
    MaxConnections,
    /// All connections of its address are taken.
    MaxPerAddress,
    /// No thread could be started for it.
    Threads,
    /// No descriptor was left for it.
    OpenFiles,
}

impl Refused {
    /// All reasons, with a word for each.
    pub const ALL: [(Refused, &'static str); 4] = [
        (Refused::MaxConnections, "max_connections"),
        (Refused::MaxPerAddress, "max_per_address"),
        (Refused::Threads, "threads"),
        (Refused::OpenFiles, "open_files"),
    ];
}

impl Counters {
    pub(super) fn count_refused(&self, why: Refused) {
        self.refused[why as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn count_request(&self, status: u16) {
        if let Some(class) = self.requests.get(usize::from(status / 100).wrapping_sub(1)) {
            class.fetch_add(1, Relaxed);
        }
    }
}
