//! What one reader is still owed, and the socket it goes to.
//!
//! Bounded: a backlog over [`OUTBOX_BYTES_MAX`], or all of them over [`OUTBOXES_BYTES_MAX`], is an overflow; who owns the backlog
//! then gives up on the reader. Knows frames only as far as where one ends.

use std::{
    collections::VecDeque,
    io,
    net::{Shutdown, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use crossbeam_channel::Sender;
use rustix::net::{SendFlags, send};

use crate::fanout::frame::{self, Frames};

/// What may wait for one reader, behind the 128 KiB that its socket takes: a few seconds of a busy page on a bad line.
pub const OUTBOX_BYTES_MAX: usize = 256 * 1024;
/// What may wait for all readers.
pub const OUTBOXES_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Small frames are copied together up to here, so that one send takes them.
const GATHER_BYTES_MAX: usize = 64 * 1024;

/// The write side of a socket, which never waits.
pub trait Sink {
    /// Takes some of `bytes`.
    ///
    /// # Errors
    /// `WouldBlock` where there is no room now; any other error is the end.
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;

    /// No more is written, or with [`Shutdown::Both`] also no more read.
    fn shut(&self, how: Shutdown);
}

impl Sink for Arc<TcpStream> {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match send(&**self, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Err(rustix::io::Errno::INTR) => {}
                done => return Ok(done?),
            }
        }
    }

    fn shut(&self, how: Shutdown) {
        // A peer that has gone already is no error.
        let _ = self.shutdown(how);
    }
}

/// How far a flush came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Nothing waits.
    Clear,
    /// The socket is full.
    Blocked,
}

/// See the [module](self).
pub struct Outbox<S> {
    sink: S,
    queue: VecDeque<Frames>,
    /// While the reader joins: live frames that wait behind its history.
    held: Option<Vec<Frames>>,
    /// Bytes of the first in `queue` that are sent.
    sent: usize,
    /// Bytes that wait, in `queue` and `held`.
    bytes: usize,
    /// The socket took less than it was given.
    blocked: bool,
    waiting_in_all: Arc<AtomicUsize>,
    listener: Option<Sender<()>>,
    overflown: bool,
    ended: bool,
}

impl<S: Sink> Outbox<S> {
    /// An empty one that holds live frames back; `waiting_in_all` counts the bytes of all backlogs.
    pub fn new(sink: S, waiting_in_all: Arc<AtomicUsize>) -> Outbox<S> {
        Outbox {
            sink,
            queue: VecDeque::new(),
            held: Some(Vec::new()),
            sent: 0,
            bytes: 0,
            blocked: false,
            waiting_in_all,
            listener: None,
            overflown: false,
            ended: false,
        }
    }

    /// Adds whole frames that are the reader's own.
    pub fn push(&mut self, frames: Frames) {
        if self.reserve(&frames) {
            self.queue.push_back(frames);
        }
    }

    /// Adds the last that a reader is sent, whatever waits before it.
    pub fn push_last(&mut self, frames: Frames) {
        if !self.ended && !frames.is_empty() {
            self.count(frames.len());
            self.queue.push_back(frames);
        }
    }

    /// Adds whole frames that everyone gets: behind the history, if that is still to come.
    pub fn push_live(&mut self, frames: &Frames) {
        if self.reserve(frames) {
            match &mut self.held {
                Some(held) => held.push(frames.clone()),
                None => self.queue.push_back(frames.clone()),
            }
        }
    }

    /// Sends whole frames that everyone gets without putting them into the queue, as can be done for a reader that keeps up: no counting,
    /// no copy of the handle. What the socket does not take waits. `None`: something waits before these or was dropped.
    pub fn try_send(&mut self, frames: &Frames) -> Option<Flow> {
        let waits = !self.queue.is_empty() || self.held.is_some();
        if waits || self.overflown || self.ended || frames.is_empty() {
            return None;
        }
        let taken = match self.sink.send(frames) {
            Ok(taken) if taken == frames.len() => return Some(Flow::Clear),
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => {
                self.abort();
                return Some(Flow::Clear);
            }
        };
        self.count(frames.len());
        self.queue.push_back(frames.clone());
        self.consume(taken);
        self.blocked = true;
        Some(Flow::Blocked)
    }

    /// The history is pushed: what was held follows it.
    pub fn go_live(&mut self) {
        self.queue.extend(self.held.take().unwrap_or_default());
    }

    /// Counts `frames`, unless they are too many. A reader whose socket takes what it is given may get more at once.
    fn reserve(&mut self, frames: &Frames) -> bool {
        let waits = self.blocked || self.held.is_some();
        let is_much = |now: usize, limit| now + frames.len() > limit;
        self.overflown |= waits
            && (is_much(self.bytes, OUTBOX_BYTES_MAX)
                || is_much(self.waiting_in_all.load(Relaxed), OUTBOXES_BYTES_MAX));
        let admitted = !self.ended && !self.overflown && !frames.is_empty();
        if admitted {
            self.count(frames.len());
        }
        admitted
    }

    /// `listener` hears when everything pushed so far is sent, or never will be by being dropped.
    pub fn tell_when_sent(&mut self, listener: Option<Sender<()>>) {
        if listener.is_some() {
            self.listener = listener;
        }
    }

    /// Whether more waits than may.
    pub fn has_overflown(&self) -> bool {
        self.overflown
    }

    /// Sends as much as the socket takes.
    pub fn flush(&mut self, scratch: &mut Vec<u8>) -> Flow {
        while !self.queue.is_empty() {
            match self.send_some(scratch) {
                Ok(true) => {}
                Ok(false) => {
                    self.blocked = true;
                    self.overflown |= self.bytes > OUTBOX_BYTES_MAX
                        || self.waiting_in_all.load(Relaxed) > OUTBOXES_BYTES_MAX;
                    return Flow::Blocked;
                }
                Err(_) => self.abort(),
            }
        }
        self.blocked = false;
        if let Some(listener) = self.listener.take() {
            let _ = listener.try_send(());
        }
        Flow::Clear
    }

    /// One send; `false` if the socket takes no more.
    fn send_some(&mut self, scratch: &mut Vec<u8>) -> io::Result<bool> {
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
        let wanted = gathered.len();
        match self.sink.send(gathered) {
            Ok(taken) => {
                self.consume(taken);
                Ok(taken == wanted)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn consume(&mut self, taken: usize) {
        self.uncount(taken);
        let mut left = self.sent + taken;
        while self.queue.front().is_some_and(|frames| left >= frames.len()) {
            left -= self.queue.pop_front().map_or(0, |frames| frames.len());
        }
        self.sent = left;
    }

    /// Keeps the frame that is sent in part, drops all others, and appends `close`.
    pub fn drop_for_close(&mut self, close: Frames) {
        let rest = self.rest_of_partial_frame();
        self.clear();
        (self.overflown, self.blocked) = (false, false);
        self.push_last(rest.into());
        self.push_last(close);
    }

    fn rest_of_partial_frame(&self) -> Vec<u8> {
        let Some(first) = self.queue.front().filter(|_| self.sent > 0) else { return Vec::new() };
        let mut end = 0;
        while end < self.sent {
            // Only a greeting is no frame; it is then sent to its end.
            end += frame::len_of_first(&first[end..]).unwrap_or(first.len());
        }
        first[self.sent..end.min(first.len())].to_vec()
    }

    /// No more is sent: what the peer still says is read by whoever reads.
    pub fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.sink.shut(Shutdown::Write);
        }
    }

    /// Away with everything; the reading thread sees the end of the stream.
    pub fn abort(&mut self) {
        self.clear();
        self.ended = true;
        self.sink.shut(Shutdown::Both);
    }

    fn clear(&mut self) {
        self.queue.clear();
        self.held = None;
        self.listener = None;
        self.sent = 0;
        self.uncount(self.bytes);
    }

    fn count(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.waiting_in_all.fetch_add(bytes, Relaxed);
    }

    fn uncount(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.waiting_in_all.fetch_sub(bytes, Relaxed);
    }
}

impl<S> Drop for Outbox<S> {
    fn drop(&mut self) {
        self.waiting_in_all.fetch_sub(self.bytes, Relaxed);
    }
}
