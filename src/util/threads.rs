//! Starting a thread: always named, and one piece of code for all of them, which a generic `spawn` would copy for each. And taking
//! turns.

use std::{
    io, iter,
    panic::{AssertUnwindSafe, catch_unwind},
    thread::{self, Builder, JoinHandle},
};

use crossbeam_channel::Receiver;

/// The stack of a thread that reads frames from a WebSocket. Only pages that are touched cost memory; debug builds touch more than
/// release builds.
pub const READER_STACK_BYTES: usize = 256 * 1024;
/// The stack of a thread that speaks HTTP. A smaller one, so that the C library, which keeps the stacks of threads that have ended for
/// later ones with 16 KiB of touched pages on each, never gives one on which a handshake was made to a thread that reads for hours.
pub const HTTP_STACK_BYTES: usize = 192 * 1024;

/// Starts a thread with the usual stack.
///
/// # Errors
/// Where the operating system has no more threads.
pub fn start(
    name: impl Into<String>,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    spawn(Builder::new().name(name.into()), Box::new(work))
}

/// Starts a connection's thread, `conn-<number>`.
///
/// # Errors
/// Where the operating system has no more threads.
pub fn start_connection(
    number: u64,
    stack_bytes: usize,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let builder = Builder::new().name(format!("conn-{number}"));
    spawn(builder.stack_size(stack_bytes), Box::new(work))
}

fn spawn(builder: Builder, work: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
    builder.spawn(work)
}

/// `first`, and then what else is in the inbox. Whoever is ready to put more there goes before: where cores are scarce batches would
/// stay small, as nobody else runs while the receiver works. On an idle machine this takes less than a microsecond.
pub fn drain_after_yield<T>(first: T, inbox: &Receiver<T>) -> impl Iterator<Item = T> {
    thread::yield_now();
    iter::once(first).chain(inbox.try_iter())
}

/// Does something that may panic without ending the thread; `false` if it did. Who goes on must not rely on what it was changing.
pub fn catch_panic(work: Box<dyn FnOnce() + '_>) -> bool {
    catch_unwind(AssertUnwindSafe(work)).is_ok()
}
