//! Reads requests from one connection and writes their responses, in order and each within a deadline, however the bytes are
//! split into packets.
//!
//! Generic over the transport, including its clock, so that its tests need no socket and do not wait. Knows no route.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::time::{Duration, Instant};

use crate::http::request::{self, HttpError, RequestHead};
use crate::http::response::Response;

/// The time for a whole head: from the accept for the first one, from its first byte for later ones.
pub const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// The time for a whole body, from the end of its head.
pub const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// The time between a response and the next request. Browsers close idle connections themselves after a minute or two.
pub const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(60);
/// The time for the client to take a whole response: 1 MiB at 50 KB/s. What is not taken by then ends with a reset.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(20);
/// How long the rest of a refused client's bytes is read and discarded, so that the client gets the response instead of a reset.
pub const DISCARD_DEADLINE: Duration = Duration::from_secs(2);
/// How many of those bytes are read.
pub const DISCARD_BYTES_MAX: usize = 256 * 1024;

/// Bytes per read. Most requests fit, and the buffer is on the stack, so an idle connection has none.
const READ_BYTES: usize = 4 * 1024;

/// A byte stream with timeouts, and the clock that they are measured by.
pub trait Transport: Read + Write {
    /// Sets the longest time that a read blocks; it then fails with [`ErrorKind::WouldBlock`] or [`ErrorKind::TimedOut`].
    ///
    /// # Errors
    /// Returns the operating system's error.
    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()>;

    /// Sets the longest time that a write blocks.
    ///
    /// # Errors
    /// Returns the operating system's error.
    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()>;

    /// Closes the sending direction.
    fn shutdown_write(&mut self);

    /// How long closing waits for the client to take what was written. Zero: what it has not taken is dropped at once, with a reset.
    fn set_linger(&mut self, timeout: Duration);

    /// The present time.
    fn now(&self) -> Instant;
}

/// Why the connection serves no further request.
#[derive(Debug, PartialEq, Eq)]
pub enum Closed {
    /// The client left, or has never sent anything.
    Gone,
    /// The client has sent no further request for too long.
    Idle,
    /// The client has not taken its response in time.
    NotTaken,
    /// The last response is written.
    Done,
    /// The request is refused with this error, and where the next one would begin is unknown.
    Refused(HttpError),
}

/// The server's side of one HTTP connection.
#[derive(Debug)]
pub struct HttpStream<T> {
    transport: T,
    /// Bytes read and not used yet: part of a head, a body, or pipelined requests.
    input: Vec<u8>,
    /// How much of `input` [`request::parse_partial`] has scanned.
    scanned: usize,
    /// The deadline of the first head; `None` once that has been asked for.
    first_deadline: Option<Instant>,
    /// The deadline for the client to take the latest response; `None` before the first.
    taken_by: Option<Instant>,
}

impl<T: Transport> HttpStream<T> {
    /// Begins with a connection that has just been accepted.
    pub fn new(transport: T) -> HttpStream<T> {
        HttpStream::with_head_deadline(transport, HEAD_DEADLINE)
    }

    /// The same with another time for the first head.
    pub fn with_head_deadline(transport: T, timeout: Duration) -> HttpStream<T> {
        let first_deadline = Some(transport.now() + timeout);
        HttpStream { transport, input: Vec::new(), scanned: 0, first_deadline, taken_by: None }
    }

    /// Reads the next request's head.
    ///
    /// # Errors
    /// [`Closed::Gone`] or [`Closed::Idle`] if nothing arrives, [`Closed::Refused`] if the head is too slow, too large or malformed.
    pub fn read_head(&mut self) -> Result<RequestHead, Closed> {
        let mut deadline = self.first_deadline.take();
        if self.input.is_empty() {
            self.input = Vec::new();
            let timeout = deadline.map_or(KEEP_ALIVE_IDLE, |deadline| self.remaining(deadline));
            match self.read(timeout) {
                Ok(()) => {}
                Err(ReadError::TimedOut) if self.taken_by.is_some() => return Err(Closed::Idle),
                Err(ReadError::TimedOut | ReadError::Gone) => return Err(Closed::Gone),
            }
        }
        let deadline = *deadline.get_or_insert(self.transport.now() + HEAD_DEADLINE);
        loop {
            if let Some((head, end)) =
                request::parse_partial(&self.input, &mut self.scanned).map_err(Closed::Refused)?
            {
                self.input.drain(..end);
                self.scanned = 0;
                return Ok(head);
            }
            let timeout = self.remaining(deadline);
            self.read(timeout).map_err(|error| {
                let (n, seconds) = (self.input.len(), HEAD_DEADLINE.as_secs());
                let message = || format!("only {n} bytes of the head arrived within {seconds} s");
                error.close(seconds, message)
            })?;
        }
    }

    /// Reads the request's body. Sends `100 Continue` first if the client waits for it.
    ///
    /// # Errors
    /// [`Closed::Refused`] if the body is too slow, [`Closed::Gone`] if the client leaves.
    pub fn read_body(&mut self, head: &RequestHead) -> Result<Vec<u8>, Closed> {
        let length = head.content_length();
        if length == 0 {
            return Ok(Vec::new());
        }
        if head.expects_continue() && self.input.is_empty() {
            self.write(&mut [IoSlice::new(b"HTTP/1.1 100 Continue\r\n\r\n")])?;
        }
        let deadline = self.transport.now() + BODY_DEADLINE;
        while self.input.len() < length {
            let timeout = self.remaining(deadline);
            self.read(timeout).map_err(|error| {
                let (n, seconds) = (self.input.len(), BODY_DEADLINE.as_secs());
                error.close(seconds, || {
                    format!("only {n} of {length} bytes of the body arrived within {seconds} s")
                })
            })?;
        }
        let rest = self.input.split_off(length);
        Ok(std::mem::replace(&mut self.input, rest))
    }

    /// Writes the response to a request whose body has been read. The connection stays open if `keep_alive` is set and the
    /// client wants it, too.
    ///
    /// # Errors
    /// [`Closed::Done`] if this was the last response, [`Closed::NotTaken`] if the client does not take it in time.
    pub fn respond(
        &mut self,
        head: &RequestHead,
        response: &Response,
        keep_alive: bool,
    ) -> Result<(), Closed> {
        let keep_alive = keep_alive && head.keep_alive();
        let response_head = response.head(head.version(), keep_alive);
        self.write(&mut [IoSlice::new(&response_head), IoSlice::new(response.body_for(head))])?;
        if keep_alive { Ok(()) } else { Err(Closed::Done) }
    }

    /// The bytes read after the last head, for a connection that switches to another protocol.
    pub fn buffered(&self) -> &[u8] {
        &self.input
    }

    /// Ends the connection: writes the error, if there is one, and reads on until the client closes too, since closing a socket with
    /// unread bytes sends a reset, which may overtake the response. Whoever has neither closed nor taken everything by the
    /// deadline gets a reset, so that the kernel keeps nothing for a connection that is no longer counted.
    pub fn close(mut self, reason: &Closed) {
        let mut deadline = self.transport.now() + DISCARD_DEADLINE;
        match reason {
            Closed::Gone => return self.linger(),
            Closed::NotTaken => return self.transport.set_linger(Duration::ZERO),
            Closed::Idle => {}
            Closed::Done => deadline = self.taken_by.map_or(deadline, |by| by.max(deadline)),
            Closed::Refused(error) => {
                let response = Response::from_error(error);
                let head = response.head(request::Version::Http11, false);
                let parts = &mut [IoSlice::new(&head), IoSlice::new(&response.body)];
                if self.write(parts).is_err() {
                    return self.transport.set_linger(Duration::ZERO);
                }
            }
        }
        self.transport.shutdown_write();
        let mut discarded = 0;
        while discarded < DISCARD_BYTES_MAX {
            self.input.clear();
            let timeout = self.remaining(deadline);
            match self.read(timeout) {
                Ok(()) => discarded += self.input.len(),
                Err(ReadError::Gone) => return self.linger(),
                Err(ReadError::TimedOut) => break,
            }
        }
        self.transport.set_linger(Duration::ZERO);
    }

    /// A client that sends nothing more may still be reading (a half-closed connection): waits for it until it has taken the latest
    /// response, or the time for that is over.
    fn linger(&mut self) {
        if let Some(deadline) = self.taken_by {
            let timeout = self.remaining(deadline);
            self.transport.set_linger(timeout);
        }
    }

    fn remaining(&self, deadline: Instant) -> Duration {
        deadline.saturating_duration_since(self.transport.now())
    }

    /// Reads once and appends the bytes to the input.
    fn read(&mut self, timeout: Duration) -> Result<(), ReadError> {
        if timeout.is_zero() {
            return Err(ReadError::TimedOut);
        }
        self.transport.set_read_timeout(timeout).map_err(|_| ReadError::Gone)?;
        let mut bytes = [0; READ_BYTES];
        loop {
            match self.transport.read(&mut bytes) {
                Ok(0) => return Err(ReadError::Gone),
                Ok(n) => {
                    self.input.extend_from_slice(&bytes[..n]);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(ReadError::of(&error)),
            }
        }
    }

    /// Writes all parts, with one system call if the client keeps up.
    fn write(&mut self, mut parts: &mut [IoSlice<'_>]) -> Result<(), Closed> {
        let deadline = self.transport.now() + WRITE_DEADLINE;
        self.taken_by = Some(deadline);
        let mut timeout = WRITE_DEADLINE;
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            if timeout.is_zero() || self.transport.set_write_timeout(timeout).is_err() {
                return Err(Closed::NotTaken);
            }
            match self.transport.write_vectored(parts) {
                Ok(0) => return Err(Closed::NotTaken),
                Ok(n) => IoSlice::advance_slices(&mut parts, n),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Closed::NotTaken),
            }
            if !parts.is_empty() {
                timeout = self.remaining(deadline);
            }
        }
        Ok(())
    }
}

/// Why a read returned no bytes.
#[derive(Debug)]
enum ReadError {
    /// Nothing arrived in time.
    TimedOut,
    /// The connection is broken or closed.
    Gone,
}

impl ReadError {
    fn of(error: &io::Error) -> ReadError {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => ReadError::TimedOut,
            _ => ReadError::Gone,
        }
    }

    /// Turns a timeout after so many seconds into a 408 with this message.
    fn close(self, seconds: u64, message: impl FnOnce() -> String) -> Closed {
        match self {
            ReadError::TimedOut => {
                Closed::Refused(HttpError::new(408, message()).with("seconds", seconds))
            }
            ReadError::Gone => Closed::Gone,
        }
    }
}

#[cfg(test)]
mod tests;
