//! One HTTP connection: requests in, answers out, each within its deadline, in order, however they are cut into packets.
//!
//! Generic over the line, clock included, so that its tests need neither socket nor patience. Knows no route.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::time::{Duration, Instant};

use crate::http::request::{self, HttpError, RequestHead};
use crate::http::response::Response;

/// For a head to come, in all: from the connection's first moment or, later, from the head's first byte.
pub const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// For a body to come, in all, from the end of its head.
pub const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// Between an answer and the next request; browsers let go after a minute or two by themselves.
pub const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(60);
/// For an answer to be taken, in all: 1 MiB at 50 KB/s.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(20);
/// How long what a refused client still sends is taken off it, so that it reads why instead of a reset.
pub const DISCARD_DEADLINE: Duration = Duration::from_secs(2);
/// How much of it, bytes.
pub const DISCARD_BYTES_MAX: usize = 256 * 1024;

/// One read: most requests fit, and it lies on the stack, so an idle connection keeps no buffer.
const READ_BYTES: usize = 4 * 1024;

/// A stream that gives up when it is told to, and the clock that it goes by.
pub trait Transport: Read + Write {
    /// No later read blocks longer; a longer wait is [`ErrorKind::WouldBlock`] or [`ErrorKind::TimedOut`].
    ///
    /// # Errors
    /// What the operating system says.
    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()>;

    /// Likewise for writes.
    ///
    /// # Errors
    /// What the operating system says.
    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()>;

    /// Tells the other side that nothing more is written.
    fn finish(&mut self);

    /// The time.
    fn now(&self) -> Instant;
}

/// Why no further request is answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Closed {
    /// The other side went away, was idle for long, or does not take its answer.
    Gone,
    /// The last answer is written.
    Done,
    /// What came can't be answered otherwise, and what follows it could be anything.
    Refused(HttpError),
}

/// One connection between two requests, or in one.
#[derive(Debug)]
pub struct HttpStream<L> {
    line: L,
    /// What was read and is not used yet: a beginning, a body, or requests sent ahead.
    input: Vec<u8>,
    /// How much of a beginning [`request::parse_partial`] has looked at.
    seen: usize,
    /// When the first head must have come; none once it has.
    first: Option<Instant>,
}

impl<L: Transport> HttpStream<L> {
    /// With somebody who has just come.
    pub fn new(line: L) -> HttpStream<L> {
        let first = Some(line.now() + HEAD_DEADLINE);
        HttpStream { line, input: Vec::new(), seen: 0, first }
    }

    /// The next request's head.
    ///
    /// # Errors
    /// [`Closed::Gone`] where nothing comes, [`Closed::Refused`] where it is too slow, too large or malformed.
    pub fn head(&mut self) -> Result<RequestHead, Closed> {
        let mut deadline = self.first.take();
        if self.input.is_empty() {
            self.input = Vec::new();
            let timeout = deadline.map_or(KEEP_ALIVE_IDLE, |first| self.left(first));
            match self.read(timeout) {
                Ok(()) => {}
                Err(ReadError::Late | ReadError::Gone) => return Err(Closed::Gone),
            }
        }
        let deadline = *deadline.get_or_insert(self.line.now() + HEAD_DEADLINE);
        loop {
            if let Some((head, end)) =
                request::parse_partial(&self.input, &mut self.seen).map_err(Closed::Refused)?
            {
                self.input.drain(..end);
                self.seen = 0;
                return Ok(head);
            }
            let timeout = self.left(deadline);
            self.read(timeout).map_err(|missed| {
                let (n, seconds) = (self.input.len(), HEAD_DEADLINE.as_secs());
                missed.end(|| format!("only {n} bytes of the head came within {seconds} s"))
            })?;
        }
    }

    /// The body that the head announced, after `100 Continue` where the client waits for that.
    ///
    /// # Errors
    /// [`Closed::Refused`] where it is too slow.
    pub fn body(&mut self, head: &RequestHead) -> Result<Vec<u8>, Closed> {
        let length = head.content_length();
        if length == 0 {
            return Ok(Vec::new());
        }
        if head.expects_continue() && self.input.is_empty() {
            self.write(&mut [IoSlice::new(b"HTTP/1.1 100 Continue\r\n\r\n")])?;
        }
        let deadline = self.line.now() + BODY_DEADLINE;
        while self.input.len() < length {
            let timeout = self.left(deadline);
            self.read(timeout).map_err(|missed| {
                let (n, seconds) = (self.input.len(), BODY_DEADLINE.as_secs());
                missed.end(|| {
                    format!("only {n} bytes of {length} of the body came within {seconds} s")
                })
            })?;
        }
        let rest = self.input.split_off(length);
        Ok(std::mem::replace(&mut self.input, rest))
    }

    /// Writes the answer to a request whose body has been read, head and body at once; `stays` is whether this side is
    /// willing to go on.
    ///
    /// # Errors
    /// [`Closed::Done`] where it was the last, [`Closed::Gone`] where it is not taken in time.
    pub fn answer(
        &mut self,
        head: &RequestHead,
        answer: &Response,
        stays: bool,
    ) -> Result<(), Closed> {
        let stays = stays && head.keep_alive();
        let beginning = answer.head(head.version(), stays);
        self.write(&mut [IoSlice::new(&beginning), IoSlice::new(answer.body_for(head))])?;
        if stays { Ok(()) } else { Err(Closed::Done) }
    }

    /// What was read behind the last head, for whoever goes on in another protocol.
    pub fn buffered(&self) -> &[u8] {
        &self.input
    }

    /// Says the last word, if there is one to say, and sees to it that it arrives: a socket that is closed while unread
    /// bytes lie in it sends a reset, which may overtake the answer.
    pub fn end(mut self, why: &Closed) {
        match why {
            Closed::Gone => return,
            Closed::Done => {}
            Closed::Refused(refusal) => {
                let answer = Response::refusal(refusal);
                let beginning = answer.head(request::Version::Http11, false);
                let parts = &mut [IoSlice::new(&beginning), IoSlice::new(answer.body())];
                if self.write(parts).is_err() {
                    return;
                }
            }
        }
        self.line.finish();
        let deadline = self.line.now() + DISCARD_DEADLINE;
        let mut discarded = 0;
        while discarded < DISCARD_BYTES_MAX {
            self.input.clear();
            let timeout = self.left(deadline);
            if self.read(timeout).is_err() {
                return;
            }
            discarded += self.input.len();
        }
    }

    fn left(&self, deadline: Instant) -> Duration {
        deadline.saturating_duration_since(self.line.now())
    }

    /// Appends what comes next to the input.
    fn read(&mut self, timeout: Duration) -> Result<(), ReadError> {
        if timeout.is_zero() {
            return Err(ReadError::Late);
        }
        self.line.set_read_timeout(timeout).map_err(|_| ReadError::Gone)?;
        let mut bytes = [0; READ_BYTES];
        loop {
            match self.line.read(&mut bytes) {
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

    /// Writes all parts, with one system call where the other side keeps up.
    fn write(&mut self, mut parts: &mut [IoSlice<'_>]) -> Result<(), Closed> {
        let deadline = self.line.now() + WRITE_DEADLINE;
        let mut timeout = WRITE_DEADLINE;
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            if timeout.is_zero() || self.line.set_write_timeout(timeout).is_err() {
                return Err(Closed::Gone);
            }
            match self.line.write_vectored(parts) {
                Ok(0) => return Err(Closed::Gone),
                Ok(n) => IoSlice::advance_slices(&mut parts, n),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Closed::Gone),
            }
            if !parts.is_empty() {
                timeout = self.left(deadline);
            }
        }
        Ok(())
    }
}

/// Why a read brought nothing.
#[derive(Debug)]
enum ReadError {
    Late,
    Gone,
}

impl ReadError {
    fn of(error: &io::Error) -> ReadError {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => ReadError::Late,
            _ => ReadError::Gone,
        }
    }

    /// Who is late is told so; who is gone is not.
    fn end(self, message: impl FnOnce() -> String) -> Closed {
        match self {
            ReadError::Late => Closed::Refused(HttpError::new(408, message())),
            ReadError::Gone => Closed::Gone,
        }
    }
}

#[cfg(test)]
mod tests;
