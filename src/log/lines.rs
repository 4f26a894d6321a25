//! Splits a file into lines, read in large chunks.
//!
//! Knows neither checksums nor what a line says.

use std::{
    io::{self, BufRead},
    sync::Arc,
};

use crate::{
    limits::LINE_BYTES_MAX,
    log::storage::ReadAt,
    log::trailer::{TRAILER_BYTES_MAX, Trailer},
};

/// Bytes per read: large enough that the cost of system calls vanishes, small enough for a Raspberry Pi.
const CHUNK_BYTES: usize = 1 << 20;
/// Bytes of a line in the file, trailer included, `\n` excluded.
pub(super) const RAW_LINE_BYTES_MAX: usize = LINE_BYTES_MAX + TRAILER_BYTES_MAX;

/// A line as it is in the file, or the first bytes of one that is too long.
pub(super) struct RawLine<'a> {
    pub(super) offset: u64,
    /// The line without its `\n`.
    pub(super) bytes: &'a [u8],
    /// Whether a `\n` follows.
    pub(super) ended: bool,
}

impl RawLine<'_> {
    /// Whether the line shows that it was the last of its write: it has a trailer without `more`. A line with a zero byte shows
    /// nothing: JSON has no zero bytes, so they are pages that never reached the disk, and `more` may have been on one of them.
    pub(super) fn ends_a_write(&self) -> bool {
        self.ended
            && Trailer::of(self.bytes).is_some_and(|trailer| !trailer.more)
            && !self.bytes.contains(&0)
    }
}

/// Splits a file into lines.
pub(super) struct Lines {
    reader: Arc<dyn ReadAt>,
    length: u64,
    /// Bytes after which a line that has not ended is returned in parts.
    bytes_max: usize,
    /// `buffer[start..end]` has been read but not returned; it begins at `offset` in the file. The buffer never shrinks, so that
    /// no byte of it is zeroed twice.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
}

impl Lines {
    pub(super) fn new(reader: Arc<dyn ReadAt>, length: u64, bytes_max: usize) -> Lines {
        Lines::starting_at(reader, 0, length, bytes_max)
    }

    /// Begins at an offset at which a line begins.
    pub(super) fn starting_at(
        reader: Arc<dyn ReadAt>,
        offset: u64,
        length: u64,
        bytes_max: usize,
    ) -> Lines {
        Lines { reader, length, bytes_max, buffer: Vec::new(), start: 0, end: 0, offset }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<RawLine<'_>>> {
        let mut searched = 0;
        loop {
            let unread = &self.buffer[self.start..self.end];
            let found = newline(&unread[searched..]).map(|at| at + searched);
            let whole = self.offset + unread.len() as u64 == self.length;
            let (len, ended) = match found {
                Some(at) if at <= self.bytes_max => (at, true),
                _ if unread.len() >= self.bytes_max => (self.bytes_max, false),
                _ if whole && unread.is_empty() => return Ok(None),
                _ if whole => (unread.len(), false),
                _ => {
                    searched = unread.len();
                    self.fill()?;
                    continue;
                }
            };
            let (start, offset) = (self.start, self.offset);
            let used = len + usize::from(ended);
            self.start += used;
            self.offset += used as u64;
            return Ok(Some(RawLine { offset, bytes: &self.buffer[start..start + len], ended }));
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        let have = self.end - self.start;
        let from = self.offset + have as u64;
        (self.start, self.end) = (0, have + (self.length - from).min(CHUNK_BYTES as u64) as usize);
        self.buffer.resize(self.buffer.len().max(self.end), 0);
        self.reader.read_exact_at(&mut self.buffer[have..self.end], from)
    }
}

/// Finds the first `\n`. `skip_until` is the only stable function of the standard library that searches with the C library's
/// fast `memchr`.
fn newline(bytes: &[u8]) -> Option<usize> {
    let skipped = (&mut &*bytes).skip_until(b'\n').expect("reading from memory does not fail");
    bytes[..skipped].ends_with(b"\n").then(|| skipped - 1)
}
