//! Reading a log from its first line to its last: which lines are good, and what is behind the last good one.
//!
//! Changes nothing and knows nothing of comments: `each` says whether a line's content is one. Opening and `sayso check` share it.

use std::{
    borrow::Cow,
    io::{self, BufRead},
    sync::Arc,
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use crate::{
    limits::{LINE_BYTES_MAX, SEQ_MAX},
    log::storage::ReadAt,
    log::trailer::{SEALED_EXTRA_MAX, Sealed},
};

/// Bytes read at once: large enough that system calls don't count, small enough for a Raspberry Pi.
const CHUNK_BYTES: usize = 1 << 20;
/// The one format there is.
const FORMAT: u64 = 1;
/// A line in the file without `\n`.
const RAW_LINE_BYTES_MAX: usize = LINE_BYTES_MAX + SEALED_EXTRA_MAX;

/// Where a public line lies: `len` bytes from `offset` on, and then a `}` which the file does not hold there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Bytes from the beginning of the file.
    pub offset: u64,
    /// Bytes without the closing `}`.
    pub len: u32,
}

/// Takes a line, whole as in the file, and its place; returns its `seq`, or says in words why it is none.
pub type Each<'e> = &'e mut dyn FnMut(&[u8], Place) -> Result<u64, String>;

/// The first line of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// The log's id, 16 hex digits: cursors are good only with the log they come from.
    pub log: String,
    /// When it was begun.
    pub created_at: String,
    /// No `seq` below this is given out, though the lines may be gone.
    pub next: u64,
}

/// The first line as it stands in the file, but for its checksum.
#[derive(Serialize, Deserialize)]
struct HeaderLine<'a> {
    sayso: u64,
    log: Cow<'a, str>,
    created_at: Cow<'a, str>,
    next: u64,
}

impl Header {
    /// The line without its closing `}`.
    pub fn open_line(&self) -> Vec<u8> {
        let (log, created_at) = (Cow::from(&self.log), Cow::from(&self.created_at));
        let line = HeaderLine { sayso: FORMAT, log, created_at, next: self.next };
        let mut line = serde_json::to_vec(&line).expect("it has names, texts and numbers only");
        line.pop();
        line
    }

    /// The header of a new log.
    ///
    /// # Errors
    /// Where the operating system has no random bytes.
    pub fn new(now: SystemTime, next: u64) -> io::Result<Header> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::from)?;
        let created_at = humantime::format_rfc3339_millis(now).to_string();
        Ok(Header { log: format!("{:016x}", u64::from_be_bytes(random)), created_at, next })
    }
}

/// What lies behind the last good line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    Clean,
    /// One write that was never acknowledged.
    Torn,
    /// More than one write can explain.
    Damaged {
        /// What is wrong with the first bad line.
        why: String,
    },
}

/// What a whole pass found.
#[derive(Debug)]
pub struct Scan {
    /// `None`: the file ends within its first line.
    pub header: Option<Header>,
    /// Good lines, header included; the first bad one is `lines + 1`.
    pub lines: u64,
    /// Highest `seq`, 0 if there is none.
    pub last_seq: u64,
    /// Checksum of the last good line.
    pub crc: u32,
    /// Bytes up to and with the last good line.
    pub end: u64,
    /// What is behind `end`.
    pub tail: Tail,
}

/// Reads `length` bytes of a log. `each` gets every good line, whole as in the file, and its place; it returns the line's `seq`,
/// or says in words why it is none.
///
/// # Errors
/// `Err(Ok(why))` if this is no log at all, `Err(Err(error))` from the medium.
pub fn scan(
    reader: Arc<dyn ReadAt>,
    length: u64,
    each: Each,
) -> Result<Scan, Result<String, io::Error>> {
    let mut lines = Lines::new(reader, length);
    let mut scan = Scan { header: None, lines: 0, last_seq: 0, crc: 0, end: 0, tail: Tail::Clean };
    match lines.next().map_err(Err)? {
        Some(Raw { bytes, ended: true, .. }) => {
            let (header, crc) = parse_header(bytes).map_err(Ok)?;
            scan.header = Some(header);
            (scan.lines, scan.crc, scan.end) = (1, crc, bytes.len() as u64 + 1);
        }
        Some(Raw { bytes, .. }) if bytes.len() == RAW_LINE_BYTES_MAX => {
            return Err(Ok("its first line has no end".into()));
        }
        Some(_) => {
            scan.tail = Tail::Torn;
            return Ok(scan);
        }
        None => return Ok(scan),
    }
    while let Some(raw) = lines.next().map_err(Err)? {
        let judged = judge(&raw, Some(scan.crc), scan.last_seq, each);
        match judged {
            Ok((seq, crc)) => {
                (scan.last_seq, scan.crc) = (seq, crc);
                scan.lines += 1;
                scan.end = raw.offset + raw.bytes.len() as u64 + 1;
            }
            Err(why) => {
                let ended_write = raw.ends_a_write();
                scan.tail = examine_rest(&mut lines, ended_write, why).map_err(Err)?;
                break;
            }
        }
    }
    Ok(scan)
}

fn judge(raw: &Raw, before: Option<u32>, last_seq: u64, each: Each) -> Result<(u64, u32), String> {
    if !raw.ended {
        return Err("it has no end".into());
    }
    let sealed = Sealed::of(raw.bytes).ok_or("it does not end with a checksum")?;
    if before.is_some_and(|before| !sealed.fits(before)) {
        return Err(format!("its checksum is not {:08x}", sealed.crc));
    }
    let place = Place { offset: raw.offset, len: sealed.open.len() as u32 };
    let seq = each(raw.bytes, place)?;
    if seq <= last_seq {
        return Err(format!("its seq is {seq}, behind {last_seq}"));
    }
    Ok((seq, sealed.crc))
}

/// A line that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1, the header's.
    pub line: u64,
    /// Goes on after "line 7: ".
    pub why: String,
}

/// Reads a whole log past whatever is wrong in it. `each` gets every line that can be saved, as in the file, and its place, and says
/// whether it is one, as for [`scan`]. A line behind a bad one is measured by the checksum that the bad one states, where it states
/// one; where it does not, a line that `each` takes is believed.
///
/// # Errors
/// Of the medium.
pub fn survey(
    reader: Arc<dyn ReadAt>,
    length: u64,
    each: Each,
) -> io::Result<(Option<Header>, Vec<Problem>)> {
    let mut lines = Lines::new(reader, length);
    let (mut header, mut problems) = (None, Vec::new());
    let (mut before, mut last_seq, mut number) = (None, 0, 0);
    while let Some(raw) = lines.next()? {
        number += 1;
        let judged = if number == 1 {
            parse_header(raw.bytes).map(|(found, _)| header = Some(found))
        } else {
            judge(&raw, before, last_seq, each).map(|(seq, _)| last_seq = seq)
        };
        before = Sealed::of(raw.bytes).map(|sealed| sealed.crc);
        problems.extend(judged.err().map(|why| Problem { line: number, why }));
    }
    Ok((header, problems))
}

/// Torn, or damaged? Every write ends with a line without `more`. One write at most was under way when the machine stopped, so
/// at most one such line may follow the good ones, as the very last. More of them: acknowledged writes are in the bad part.
fn examine_rest(lines: &mut Lines, bad_line_ended_a_write: bool, why: String) -> io::Result<Tail> {
    let mut write_has_ended = bad_line_ended_a_write;
    while let Some(raw) = lines.next()? {
        if write_has_ended && !raw.bytes.is_empty() {
            return Ok(Tail::Damaged { why });
        }
        write_has_ended |= raw.ends_a_write();
    }
    Ok(Tail::Torn)
}

fn parse_header(line: &[u8]) -> Result<(Header, u32), String> {
    #[derive(Deserialize)]
    struct Format {
        sayso: u64,
    }
    let Ok(Format { sayso: format }) = serde_json::from_slice(line) else {
        return Err("its first line is not a sayso log's".into());
    };
    if format != FORMAT {
        return Err(format!("it has format {format}, this sayso knows format {FORMAT}"));
    }
    let sealed = Sealed::of(line).filter(|sealed| sealed.fits(0));
    let crc = sealed.ok_or("its first line has a wrong checksum")?.crc;
    let header: HeaderLine = serde_json::from_slice(line)
        .map_err(|error| format!("its first line can't be read: {error}"))?;
    let HeaderLine { log, created_at, next, .. } = header;
    if log.len() != 16 || !log.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(format!("its id {log:?} is not 16 hex digits"));
    }
    if next > SEQ_MAX {
        return Err(format!("its next is {next}, at most {SEQ_MAX} can be believed"));
    }
    Ok((Header { log: log.into(), created_at: created_at.into(), next }, crc))
}

/// One line, or a piece of what is too long for one.
struct Raw<'a> {
    offset: u64,
    /// Without `\n`.
    bytes: &'a [u8],
    ended: bool,
}

impl Raw<'_> {
    /// Whether the line shows that no other of its write followed. Zeros are pages that did not reach the disk, no JSON has one:
    /// they may have taken the line's `more`.
    fn ends_a_write(&self) -> bool {
        self.ended
            && Sealed::of(self.bytes).is_some_and(|sealed| !sealed.more)
            && !self.bytes.contains(&0)
    }
}

struct Lines {
    reader: Arc<dyn ReadAt>,
    length: u64,
    /// `buffer[start..end]` is what has been read but not given out; it lies at `offset` in the file. Never shrinks, so that
    /// nothing is zeroed twice.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
}

impl Lines {
    fn new(reader: Arc<dyn ReadAt>, length: u64) -> Lines {
        Lines { reader, length, buffer: Vec::new(), start: 0, end: 0, offset: 0 }
    }

    fn next(&mut self) -> io::Result<Option<Raw<'_>>> {
        let mut searched = 0;
        loop {
            let unread = &self.buffer[self.start..self.end];
            let found = newline(&unread[searched..]).map(|at| at + searched);
            let whole = self.offset + unread.len() as u64 == self.length;
            let (len, ended) = match found {
                Some(at) if at <= RAW_LINE_BYTES_MAX => (at, true),
                _ if unread.len() >= RAW_LINE_BYTES_MAX => (RAW_LINE_BYTES_MAX, false),
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
            return Ok(Some(Raw { offset, bytes: &self.buffer[start..start + len], ended }));
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

/// The standard library searches with the C library's `memchr` here, and nowhere else where one can ask it to.
fn newline(bytes: &[u8]) -> Option<usize> {
    let passed = (&mut &*bytes).skip_until(b'\n').expect("reading from memory does not fail");
    bytes[..passed].ends_with(b"\n").then(|| passed - 1)
}
