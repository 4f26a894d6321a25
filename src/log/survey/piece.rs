//! A stretch of bytes that is, or once was, a line.
//!
//! Knows only its own bytes, not what lies around it.

use std::borrow::Cow;

use crc32c::crc32c_append;

use crate::log::{
    chain::without_hash,
    lines::{RAW_LINE_BYTES_MAX, RawLine},
    scan::Location,
    trailer::{CRC, CRC_BYTES, MORE, Trailer, append_trailer},
};

/// How sayso begins a line. Quotes in texts are escaped, so this stands nowhere else.
const BEGINNINGS: [&[u8]; 2] = [b"{\"seq\":", b"{\"sayso\":"];
/// Bytes that are kept of each end of a piece that is longer than a line can be.
const END_BYTES_KEPT: usize = 4_096;

/// See the [module](self).
#[derive(Debug, Clone)]
pub struct Piece {
    /// Number of the line in the file that it lies in.
    pub line: u64,
    /// What is wrong with it, as a phrase that continues "line 7: ".
    pub why: String,
    /// The bytes, without `\n`.
    pub bytes: Vec<u8>,
    offset: u64,
    /// Whether a `\n` follows.
    is_ended: bool,
    /// Where the trailer begins, or would.
    covered: usize,
}

/// A trailer that follows from a known checksum.
pub(super) struct End {
    /// The line's checksum.
    pub(super) crc: u32,
    /// Whether the trailer is as it must be.
    pub(super) is_exact: bool,
    /// Where the line ends in the piece.
    at: usize,
}

/// Splits a line of the file where other lines begin in it.
pub(super) fn split(number: u64, raw: &RawLine) -> Vec<Piece> {
    let begins = |at: &usize| BEGINNINGS.iter().any(|start| raw.bytes[*at..].starts_with(start));
    let braces = raw.bytes.iter().enumerate().filter(|(_, byte)| **byte == b'{');
    let mut starts: Vec<usize> = braces.map(|(at, _)| at).filter(begins).collect();
    if starts.first() != Some(&0) {
        starts.insert(0, 0);
    }
    let ends = starts.iter().skip(1).copied().chain([raw.bytes.len()]);
    let parts = starts.iter().zip(ends).map(|(&start, end)| {
        let (offset, is_last) = (raw.offset + start as u64, end == raw.bytes.len());
        Piece::new(number, offset, raw.bytes[start..end].to_vec(), raw.ended && is_last)
    });
    parts.collect()
}

impl Piece {
    pub(super) fn of(line: u64, raw: &RawLine, why: String) -> Piece {
        Piece { why, ..Piece::new(line, raw.offset, raw.bytes.to_vec(), raw.ended) }
    }

    fn new(line: u64, offset: u64, bytes: Vec<u8>, is_ended: bool) -> Piece {
        let mut piece = Piece { line, why: String::new(), bytes, offset, is_ended, covered: 0 };
        piece.measure();
        piece
    }

    fn measure(&mut self) {
        if self.bytes.len() > 2 * RAW_LINE_BYTES_MAX {
            let tail = self.bytes.split_off(self.bytes.len() - END_BYTES_KEPT);
            self.bytes.truncate(END_BYTES_KEPT);
            self.bytes.push(0);
            self.bytes.extend(tail);
        }
        let trailer = self.bytes.windows(CRC.len()).position(|window| window == CRC);
        self.covered = trailer.unwrap_or(self.bytes.len().saturating_sub(CRC_BYTES));
        self.why = match self.stated() {
            _ if self.has_zeros() => "it has zero bytes, which no write puts there".into(),
            _ if self.bytes.len() > RAW_LINE_BYTES_MAX => {
                format!("it has more than {RAW_LINE_BYTES_MAX} bytes")
            }
            _ if trailer.is_none() && !self.is_ended => "it does not end with a line feed".into(),
            None => "it does not end with a checksum".into(),
            Some(crc) => format!("its checksum is not {crc:08x}"),
        };
    }

    /// Drops the bytes, so that a file of nothing but damage fits into memory.
    pub(super) fn forget(&mut self) {
        self.bytes = vec![0];
        self.covered = 0;
    }

    /// Whether it holds zeros: bytes that never reached the disk, or were taken from it.
    pub fn has_zeros(&self) -> bool {
        self.bytes.contains(&0)
    }

    /// Whether there is anything in it but zeros.
    pub fn has_text(&self) -> bool {
        self.bytes.iter().any(|&byte| byte != 0)
    }

    /// Whether it is the beginning of a line that was never written to its end: the commit mark and all before it are missing.
    pub fn is_cut_short(&self) -> bool {
        !self.is_ended && !self.has_zeros() && !self.bytes.windows(CRC.len()).any(|w| w == CRC)
    }

    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Whether a line feed follows, or stands where two lines were taken for one.
    pub(super) fn has_line_feed(&self) -> bool {
        self.is_ended || self.bytes.contains(&b'\n')
    }

    /// The checksum that its end states.
    pub(super) fn stated(&self) -> Option<u32> {
        let (_, trailer) = self.bytes.split_at(self.bytes.len().checked_sub(CRC_BYTES)?);
        let digits = trailer.strip_prefix(CRC)?.strip_suffix(b"\"}")?;
        u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
    }

    /// The checksum it should state behind a line with the checksum `before`.
    pub(super) fn crc_behind(&self, before: u32) -> u32 {
        crc32c_append(before, &self.bytes[..self.covered])
    }

    /// Whether its trailer is right behind a line with the checksum `before`, but for one byte at most.
    pub(super) fn end_behind(&self, before: u32) -> Option<End> {
        if !self.bytes.starts_with(b"{") || self.covered > RAW_LINE_BYTES_MAX - CRC_BYTES {
            return None;
        }
        let crc = self.crc_behind(before);
        let at = self.covered + CRC_BYTES;
        let trailer = self.bytes.get(self.covered..at)?;
        let right = [CRC, format!("{crc:08x}\"}}").as_bytes()].concat();
        let wrong = trailer.iter().zip(&right).filter(|(a, b)| a != b).count();
        (wrong <= 1).then_some(End { crc, is_exact: wrong == 0, at })
    }

    /// Splits off what stands behind the line. A single byte is a damaged line feed.
    pub(super) fn split_off(&mut self, end: &End) -> Option<Piece> {
        let rest = self.bytes.split_off(end.at);
        if end.is_exact {
            self.why = "it does not end with a line feed".into();
        }
        if rest.is_empty() {
            return None;
        }
        let ended = std::mem::replace(&mut self.is_ended, false);
        let offset = self.offset + end.at as u64;
        (rest.len() > 1).then(|| Piece::new(self.line, offset, rest, ended))
    }

    /// Whether `next` is the rest of the same line, behind a byte that has become a line feed.
    pub(super) fn goes_on_with(&self, next: &Piece) -> bool {
        self.is_ended
            && self.line + 1 == next.line
            && self.stated().is_none()
            && self.bytes.starts_with(b"{")
            && !next.bytes.starts_with(b"{")
            && !next.has_zeros()
            && !next.bytes.is_empty()
    }

    /// Appends the rest of the line.
    pub(super) fn append(&mut self, rest: Piece) {
        self.bytes.push(b'\n');
        self.bytes.extend(rest.bytes);
        self.is_ended = rest.is_ended;
        self.measure();
    }

    /// Where the public line lies.
    pub fn location(&self) -> Location {
        let covered = &self.bytes[..self.covered];
        let open = without_hash(covered.strip_suffix(MORE).unwrap_or(covered));
        Location { offset: self.offset, len: open.len() as u32 }
    }

    /// The line, with the trailer that belongs to this checksum.
    pub(super) fn mended(&self, crc: u32) -> Cow<'_, [u8]> {
        let is_right =
            |trailer: &Trailer| trailer.crc == crc && trailer.open.len() < self.covered + 1;
        if Trailer::of(&self.bytes).filter(is_right).is_some() {
            return Cow::Borrowed(&self.bytes);
        }
        let trailer = [CRC, format!("{crc:08x}\"}}").as_bytes()].concat();
        Cow::Owned([&self.bytes[..self.covered], &trailer[..]].concat())
    }

    /// The line with some trailer, for whoever wants to parse it though nothing proves it.
    pub fn as_line(&self) -> Option<Vec<u8>> {
        self.stated()?;
        let mut line = self.bytes[..self.location().len as usize].to_vec();
        if !line.starts_with(b"{") || self.covered + CRC_BYTES != self.bytes.len() {
            return None;
        }
        append_trailer(&mut line, 0, false, 0);
        line.pop();
        Some(line)
    }
}
