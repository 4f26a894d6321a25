//! The outbox of one reader: the frames that its socket has not taken yet.
//!
//! Bounded: it overflows when it holds more than [`OUTBOX_BYTES_MAX`], or when all outboxes together hold more than
//! [`OUTBOXES_BYTES_MAX`]. The shard then closes the reader. Knows nothing of a frame but where it ends.

use std::{
    collections::VecDeque,
    io,
    net::Shutdown,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use crossbeam_channel::Sender;

use crate::{
    fanout::{
        counters::Sends,
        frame::{self, Frames},
    },
    util::stream::Stream,
};

/// Bytes in one outbox, beyond the 128 KiB that the socket buffers: a few seconds of a busy page on a bad connection.
pub const OUTBOX_BYTES_MAX: usize = 256 * 1024;
/// Bytes in all outboxes together.
pub const OUTBOXES_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of small frames that are copied together for one send.
const GATHER_BYTES_MAX: usize = 64 * 1024;

/// The write side of a socket. It never blocks.
pub trait Sink {
    /// Sends some of `bytes` and returns how many.
    ///
    /// # Errors
    /// `WouldBlock` if the socket takes nothing now; after any other error it never will.
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Shuts the write side, or with [`Shutdown::Both`] both sides.
    fn shut(&self, how: Shutdown);
}

impl Sink for Arc<Stream> {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.send_now(bytes)
    }

    fn shut(&self, how: Shutdown) {
        // The peer may have gone already, which is no error.
        let _ = self.shutdown(how);
    }
}

/// Whether an outbox was emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Nothing is left to send.
    Clear,
    /// The socket is full.
    Blocked,
}

/// Frames for one reader, and the socket they go to.
pub struct Outbox<S> {
    sink: S,
    queue: VecDeque<Frames>,
    /// Live frames that are held back while the reader gets its history.
    held: Option<Vec<Frames>>,
    /// How many bytes of the first frames in `queue` are sent.
    sent: usize,
    /// Unsent bytes in `queue` and `held`.
    bytes: usize,
    /// Whether the socket took less than it was given.
    blocked: bool,
    /// Unsent bytes in all outboxes.
    total_bytes: Arc<AtomicUsize>,
    /// Notified when the queue is empty.
    on_sent: Option<Sender<()>>,
    overflowed: bool,
    /// Whether the write side of the socket is shut.
    ended: bool,
}

impl<S: Sink> Outbox<S> {
    /// Makes an empty outbox that holds live frames back. `total_bytes` counts the bytes of all outboxes.
    pub fn new(sink: S, total_bytes: Arc<AtomicUsize>) -> Outbox<S> {
        Outbox {
            sink,
            queue: VecDeque::new(),
            held: Some(Vec::new()),
            sent: 0,
            bytes: 0,
            blocked: false,
            total_bytes,
            on_sent: None,
            overflowed: false,
            ended: false,
        }
    }

    /// Appends whole frames that are for this reader only.
    pub fn push(&mut self, frames: Frames) {
        if self.reserve(&frames) {
            self.queue.push_back(frames);
        }
    }

    /// Appends the last frames that a reader is sent. They don't count towards an overflow.
    pub fn push_last(&mut self, frames: Frames) {
        if !self.ended && !frames.is_empty() {
            self.count(frames.len());
            self.queue.push_back(frames);
        }
    }

    /// Appends whole frames that everyone gets. They are held back while the reader gets its history.
    pub fn push_live(&mut self, frames: &Frames) {
        if self.reserve(frames) {
            match &mut self.held {
                Some(held) => held.push(frames.clone()),
                None => self.queue.push_back(frames.clone()),
            }
        }
    }

    /// Sends whole frames that everyone gets, without queueing them first: for a reader that keeps up this saves counting and
    /// a copy of the handle. What the socket does not take is queued. Returns `None` and does nothing if other frames come first or if
    /// the outbox has overflowed or ended.
    pub fn try_send(&mut self, frames: &Frames, sends: &mut Sends) -> Option<Flow> {
        let others_come_first = !self.queue.is_empty() || self.held.is_some();
        if others_come_first || self.overflowed || self.ended || frames.is_empty() {
            return None;
        }
        let taken = match self.sink.send(frames) {
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => {
                self.abort();
                return Some(Flow::Clear);
            }
        };
        sends.bytes += taken as u64;
        if taken == frames.len() {
            return Some(Flow::Clear);
        }
        self.count(frames.len());
        self.queue.push_back(frames.clone());
        self.consume(taken);
        self.blocked = true;
        Some(Flow::Blocked)
    }

    /// Ends the history: queues the live frames that were held back.
    pub fn go_live(&mut self) {
        self.queue.extend(self.held.take().unwrap_or_default());
    }

    /// Counts `frames` and returns `true`, unless they make the outbox overflow. Frames that nothing keeps from being sent at once may
    /// exceed the limits.
    fn reserve(&mut self, frames: &Frames) -> bool {
        let must_wait = self.blocked || self.held.is_some();
        let exceeds = |bytes: usize, limit| bytes + frames.len() > limit;
        self.overflowed |= must_wait
            && (exceeds(self.bytes, OUTBOX_BYTES_MAX)
                || exceeds(self.total_bytes.load(Relaxed), OUTBOXES_BYTES_MAX));
        let accepted = !self.ended && !self.overflowed && !frames.is_empty();
        if accepted {
            self.count(frames.len());
        }
        accepted
    }

    /// Notifies `on_sent` once everything in the queue is sent, or drops it if that will never happen.
    pub fn notify_when_sent(&mut self, on_sent: Option<Sender<()>>) {
        if on_sent.is_some() {
            self.on_sent = on_sent;
        }
    }

    /// Whether a limit was exceeded.
    pub fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    /// Sends as much as the socket takes.
    pub fn flush(&mut self, sends: &mut Sends) -> Flow {
        while !self.queue.is_empty() {
            match self.send_some(sends) {
                Ok(true) => {}
                Ok(false) => {
                    self.blocked = true;
                    self.overflowed |= self.bytes > OUTBOX_BYTES_MAX
                        || self.total_bytes.load(Relaxed) > OUTBOXES_BYTES_MAX;
                    return Flow::Blocked;
                }
                Err(_) => self.abort(),
            }
        }
        self.blocked = false;
        if let Some(on_sent) = self.on_sent.take() {
            let _ = on_sent.try_send(());
        }
        Flow::Clear
    }

    /// Sends once. Returns `false` if the socket is full.
    fn send_some(&mut self, sends: &mut Sends) -> io::Result<bool> {
        let scratch = &mut sends.scratch;
        let first = &self.queue[0][self.sent..];
        let gathered = if self.queue.len() > 1 && first.len() < GATHER_BYTES_MAX {
            scratch.clear();
            scratch.extend_from_slice(first);
            for frames in self.queue.iter().skip(1) {
                if scratch.len() + frames.len() > GATHER_BYTES_MAX {
                    break;
                }
                scratch.extend_from_slice(frames);
            }
            &scratch[..]
        } else {
            first
        };
        let len = gathered.len();
        match self.sink.send(gathered) {
            Ok(taken) => {
                sends.bytes += taken as u64;
                self.consume(taken);
                Ok(taken == len)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes bytes that the socket has taken from the queue.
    fn consume(&mut self, taken: usize) {
        self.uncount(taken);
        let mut left = self.sent + taken;
        while self.queue.front().is_some_and(|frames| left >= frames.len()) {
            left -= self.queue.pop_front().map_or(0, |frames| frames.len());
        }
        self.sent = left;
    }

    /// Drops all frames except the one that is partly sent, and appends `close`.
    pub fn drop_for_close(&mut self, close: Frames) {
        let rest = self.rest_of_partial_frame();
        self.clear();
        (self.overflowed, self.blocked) = (false, false);
        self.push_last(rest.into());
        self.push_last(close);
    }

    fn rest_of_partial_frame(&self) -> Vec<u8> {
        let Some(first) = self.queue.front().filter(|_| self.sent > 0) else { return Vec::new() };
        let mut end = 0;
        while end < self.sent {
            // Only a greeting is not a frame; all of it is sent.
            end += frame::len_of_first(&first[end..]).unwrap_or(first.len());
        }
        first[self.sent..end.min(first.len())].to_vec()
    }

    /// Shuts the write side of the socket; the reading thread still reads what the peer sends.
    pub fn shutdown_write(&mut self) {
        if !self.ended {
            self.ended = true;
            self.sink.shut(Shutdown::Write);
        }
    }

    /// Drops all frames and shuts both sides of the socket; the reading thread then sees the end of the stream.
    pub fn abort(&mut self) {
        self.clear();
        self.ended = true;
        self.sink.shut(Shutdown::Both);
    }

    fn clear(&mut self) {
        self.queue.clear();
        self.held = None;
        self.on_sent = None;
        self.sent = 0;
        self.uncount(self.bytes);
    }

    fn count(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.total_bytes.fetch_add(bytes, Relaxed);
    }

    fn uncount(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.total_bytes.fetch_sub(bytes, Relaxed);
    }
}

impl<S> Drop for Outbox<S> {
    fn drop(&mut self) {
        self.total_bytes.fetch_sub(self.bytes, Relaxed);
    }
}
