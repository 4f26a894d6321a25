//! Starts named threads, catches their panics, and drains their inboxes.
//!
//! The closures are boxed, so that the binary has one copy of the code that starts a thread instead of one per caller.

use std::{
    io, iter,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread::{self, Builder, JoinHandle},
};

use crossbeam_channel::Receiver;

use crate::util::address_space::{self, RESERVE_BYTES};

/// The stack of a thread that reads WebSocket frames, in bytes. Only touched pages cost memory; debug builds touch more than
/// release builds.
pub const READER_STACK_BYTES: usize = 256 * 1024;
/// The stack of a thread that speaks HTTP, in bytes. It differs from [`READER_STACK_BYTES`] on purpose: the C library reuses the stacks
/// of ended threads by size, with up to 16 KiB of touched pages on each, and a thread that reads for hours should not inherit the stack
/// on which a handshake was made.
pub const HTTP_STACK_BYTES: usize = 192 * 1024;

/// Starts a thread with the default stack size.
///
/// # Errors
/// Fails if the operating system can't create another thread.
pub fn start(
    name: impl Into<String>,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    spawn(Builder::new().name(name.into()), Box::new(work))
}

/// Starts a connection's thread, named `conn-<number>`.
///
/// # Errors
/// Fails if the operating system can't create another thread, or if that would use up the limit of address space: without room for
/// its stacks the process would be aborted.
pub fn start_connection(
    number: u64,
    stack_bytes: usize,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    spawn_connection(number, stack_bytes, Box::new(work))
}

fn spawn_connection(
    number: u64,
    stack_bytes: usize,
    work: Box<dyn FnOnce() + Send>,
) -> io::Result<JoinHandle<()>> {
    let live = LiveThread::start();
    // The C library keeps the stacks of ended threads for new ones; those are mapped already.
    let needed = if live.has_used_stack { RESERVE_BYTES / 2 } else { RESERVE_BYTES };
    if !address_space::has_room(needed) {
        let limit = address_space::limit().unwrap_or_default();
        let message = format!("the limit of {limit} bytes of address space leaves no room for it");
        return Err(io::Error::new(io::ErrorKind::OutOfMemory, message));
    }
    let builder = Builder::new().name(format!("conn-{number}"));
    let work = move || {
        work();
        drop(live);
    };
    spawn(builder.stack_size(stack_bytes), Box::new(work))
}

/// The connections' threads that live, and the most that have ever lived at once.
static LIVE: AtomicU32 = AtomicU32::new(0);
static LIVE_PEAK: AtomicU32 = AtomicU32::new(0);

/// Counts a connection's thread until it is dropped.
struct LiveThread {
    /// Whether there have been more of them, so that a stack is left.
    has_used_stack: bool,
}

impl LiveThread {
    fn start() -> LiveThread {
        let live = LIVE.fetch_add(1, Relaxed) + 1;
        LiveThread { has_used_stack: LIVE_PEAK.fetch_max(live, Relaxed) >= live }
    }
}

impl Drop for LiveThread {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Relaxed);
    }
}

fn spawn(builder: Builder, work: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
    builder.spawn(work)
}

/// Returns `first` and then everything else in the inbox, after yielding once to other threads. Without the yield batches would stay
/// small on few cores, since no sender runs while the receiver works. On an idle machine it takes less than a microsecond.
pub fn drain_after_yield<T>(first: T, inbox: &Receiver<T>) -> impl Iterator<Item = T> {
    thread::yield_now();
    iter::once(first).chain(inbox.try_iter())
}

/// Runs `work` and returns whether it finished without a panic. After a panic the caller must not rely on anything that `work` was
/// changing.
pub fn catch_panic(work: Box<dyn FnOnce() + '_>) -> bool {
    catch_unwind(AssertUnwindSafe(work)).is_ok()
}
