//! Reads a log from its first line to its last, and tells good lines, a torn tail and damage apart.
//!
//! Changes nothing and knows nothing of comments: a callback judges each line's content. Opening a log and compaction
//! share it; [`survey`](super::survey) goes on behind damage.

use std::{io, sync::Arc, time::SystemTime};

use serde::Serialize;

use crate::{
    limits::SEQ_MAX,
    log::lines::{Lines, RAW_LINE_BYTES_MAX, RawLine},
    log::storage::ReadAt,
    log::trailer::Trailer,
    util::clock::rfc3339,
    util::json::{self, Slot},
};

/// The one format there is.
const FORMAT: u64 = 1;

/// Where a public line lies: `len` bytes from `offset` on. Its closing `}` is not among them, because the file has the trailer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// Offset of the `{`, in bytes from the beginning of the file.
    pub offset: u64,
    /// Length in bytes, without the closing `}`.
    pub len: u32,
}

/// Gets a line as it is in the file, trailer included, and its location. Returns the line's `seq`, or a phrase that says what is
/// wrong with it and continues "line 7: ".
pub type Each<'e> = &'e mut dyn FnMut(&[u8], Location) -> Result<u64, String>;

/// The first line of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// The log's id, 16 hex digits: a cursor is valid only for the log it comes from.
    pub log: String,
    /// When the log was created: RFC 3339, UTC, milliseconds.
    pub created_at: String,
    /// Every `seq` below this counts as used, even if its line was compacted away.
    pub next: u64,
}

/// The first line as it stands in the file, but for its checksum.
#[derive(Serialize)]
struct HeaderLine<'a> {
    sayso: u64,
    log: &'a str,
    created_at: &'a str,
    next: u64,
}

impl Header {
    /// The line without its closing `}`.
    pub fn open_line(&self) -> Vec<u8> {
        let Header { log, created_at, next } = self;
        let line = HeaderLine { sayso: FORMAT, log, created_at, next: *next };
        let mut line = serde_json::to_vec(&line).expect("it has names, texts and numbers only");
        line.pop();
        line
    }

    /// Makes the header of a new log, with a random id.
    ///
    /// # Errors
    /// Fails if the operating system provides no random bytes.
    pub fn new(now: SystemTime, next: u64) -> io::Result<Header> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::from)?;
        let log = format!("{:016x}", u64::from_be_bytes(random));
        Ok(Header { log, created_at: rfc3339(now), next })
    }
}

/// What lies behind the last good line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tail {
    /// Nothing: the file ends there.
    Clean,
    /// Bytes that one interrupted, never acknowledged write explains.
    Torn,
    /// More than one interrupted write explains: acknowledged lines are damaged.
    Damaged {
        /// What is wrong with the first bad line.
        why: String,
    },
}

/// What [`scan`] found.
#[derive(Debug)]
pub struct ScanReport {
    /// The header, or `None` if the file ends within its first line.
    pub header: Option<Header>,
    /// Number of good lines, header included; the first bad line is number `lines + 1`.
    pub lines: u64,
    /// The highest `seq`, or 0 if there is none.
    pub last_seq: u64,
    /// Checksum of the last good line.
    pub crc: u32,
    /// Offset of the end of the last good line, in bytes.
    pub end: u64,
    /// What lies behind `end`.
    pub tail: Tail,
}

/// Why a log could not be scanned.
#[derive(Debug)]
pub enum ScanError {
    /// The first line is not the header of a log that this sayso reads; the text says why.
    NotALog(String),
    /// The storage failed to read.
    Io(io::Error),
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> ScanError {
        ScanError::Io(error)
    }
}

/// Reads the first `length` bytes of a log up to the first bad line. `each` gets every line whose checksum fits and whose `seq`
/// rises; if it rejects the line, the line counts as bad.
///
/// # Errors
/// [`ScanError::NotALog`] if the first line is wrong, [`ScanError::Io`] if reading fails.
pub fn scan(reader: Arc<dyn ReadAt>, length: u64, each: Each) -> Result<ScanReport, ScanError> {
    let mut lines = Lines::new(reader, length, RAW_LINE_BYTES_MAX);
    let mut report =
        ScanReport { header: None, lines: 0, last_seq: 0, crc: 0, end: 0, tail: Tail::Clean };
    match lines.next()? {
        Some(RawLine { bytes, ended: true, .. }) => {
            let (header, crc) = parse_header(bytes).map_err(ScanError::NotALog)?;
            report.header = Some(header);
            (report.lines, report.crc, report.end) = (1, crc, bytes.len() as u64 + 1);
        }
        Some(RawLine { bytes, .. }) if bytes.len() == RAW_LINE_BYTES_MAX => {
            let why = format!("its first line does not end within {RAW_LINE_BYTES_MAX} bytes");
            return Err(ScanError::NotALog(why));
        }
        Some(_) => {
            report.tail = Tail::Torn;
            return Ok(report);
        }
        None => return Ok(report),
    }
    while let Some(raw) = lines.next()? {
        match check_line(&raw, report.crc, report.last_seq, each) {
            Ok((seq, crc)) => {
                (report.last_seq, report.crc) = (seq, crc);
                report.lines += 1;
                report.end = raw.offset + raw.bytes.len() as u64 + 1;
            }
            Err(why) => {
                let bad_line_ended_a_write = raw.ends_a_write();
                report.tail = classify_tail(&mut lines, bad_line_ended_a_write, why)?;
                break;
            }
        }
    }
    Ok(report)
}

/// Checks a line's end, its checksum and that its `seq` rises, and only then hands it to `each`: what `each` takes in is never
/// cut off later. Returns the line's `seq` and checksum.
fn check_line(
    raw: &RawLine,
    previous_crc: u32,
    last_seq: u64,
    each: Each,
) -> Result<(u64, u32), String> {
    if !raw.ended {
        return Err("it does not end with a line feed".into());
    }
    let trailer = Trailer::of(raw.bytes).ok_or("it does not end with a checksum")?;
    if !trailer.verify(previous_crc) {
        return Err(format!("its checksum is not {:08x}", trailer.crc));
    }
    let seq = seq_of(raw.bytes);
    if let Some(seq) = seq.filter(|seq| *seq <= last_seq) {
        return Err(format!("its seq {seq} does not rise above {last_seq}"));
    }
    let location = Location { offset: raw.offset, len: trailer.open.len() as u32 };
    let accepted = each(raw.bytes, location)?;
    if seq != Some(accepted) {
        return Err(format!("its seq {accepted} can't be confirmed"));
    }
    Ok((accepted, trailer.crc))
}

/// A line's `seq`: behind `{"seq":`, where sayso writes it, or wherever another program has put it.
pub fn seq_of(line: &[u8]) -> Option<u64> {
    let written_by_sayso = || {
        let digits = line.strip_prefix(b"{\"seq\":")?;
        let len = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = digits.split_at(len);
        rest.starts_with(b",").then(|| str::from_utf8(digits).ok()?.parse().ok())?
    };
    written_by_sayso().or_else(|| {
        let mut seq = 0;
        json::read(line, 1, &mut [("seq", Slot::Number(&mut seq))]).ok().map(|()| seq)
    })
}

/// Decides whether the bytes from the first bad line on are torn or damaged. Every write ends with a line without `more`, and at
/// most one write was under way when the machine stopped. So at most one such line may follow the good lines, as the very last;
/// if there is more behind it, the bad part contains acknowledged writes.
fn classify_tail(lines: &mut Lines, bad_line_ended_a_write: bool, why: String) -> io::Result<Tail> {
    let mut write_has_ended = bad_line_ended_a_write;
    while let Some(raw) = lines.next()? {
        if write_has_ended && !raw.bytes.is_empty() {
            return Ok(Tail::Damaged { why });
        }
        write_has_ended |= raw.ends_a_write();
    }
    Ok(Tail::Torn)
}

pub(crate) fn parse_header(line: &[u8]) -> Result<(Header, u32), String> {
    let mut format = 0;
    if json::read(line, 1, &mut [("sayso", Slot::Number(&mut format))]).is_err() {
        return Err("its first line is not a sayso log's".into());
    }
    if format != FORMAT {
        return Err(format!("it has format {format}, this sayso knows format {FORMAT}"));
    }
    let trailer = Trailer::of(line).filter(|trailer| trailer.verify(0));
    let crc = trailer.ok_or("its first line has a wrong checksum")?.crc;
    let (mut log, mut created_at, mut next) = (String::new(), String::new(), 0);
    let mut fields = [
        ("log", Slot::Text(&mut log)),
        ("created_at", Slot::Text(&mut created_at)),
        ("next", Slot::Number(&mut next)),
    ];
    json::read(line, 3, &mut fields)
        .map_err(|error| format!("its first line can't be read: {error}"))?;
    if log.len() != 16 || !log.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(format!("its id {log:?} is not 16 hex digits"));
    }
    if next > SEQ_MAX {
        return Err(format!("its next is {next}, at most {SEQ_MAX} can be believed"));
    }
    Ok((Header { log, created_at, next }, crc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seq_is_found_wherever_it_stands() {
        for (line, seq) in [
            ("{\"seq\":7,\"id\":7}", Some(7)),
            ("{\"id\":7, \"seq\": 9}", Some(9)),
            ("{\"seq\":7}", Some(7)),
            ("{\"seq\":7.5,\"id\":7}", None),
            ("{\"seq\":99999999999999999999,\"id\":7}", None),
            ("{\"id\":7}", None),
            ("{\"seq\":", None),
        ] {
            assert_eq!(seq_of(line.as_bytes()), seq, "{line}");
        }
    }
}
