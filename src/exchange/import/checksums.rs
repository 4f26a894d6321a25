//! Verifies the checksums of a log's lines while the lines are read as JSON.
//!
//! Knows no JSON, and no file.

use super::input::ENTRY_BYTES_MAX;
use crate::log::trailer::Trailer;

/// How a line begins that names the log, behind which checksums begin anew.
const HEADER_START: &[u8] = b"{\"sayso\":";
/// What stands in a line that has a checksum, and in no text: there, quotes are escaped.
const FIELD: &[u8] = b",\"crc\":";

/// The lines so far.
#[derive(Debug, Default)]
pub struct Checksums {
    /// The current line as far as it is read.
    line: Vec<u8>,
    /// How many lines were read.
    lines: u64,
    /// The checksum of the line before.
    crc: u32,
    /// Whether the header has a checksum, so that every line must have one.
    is_log: bool,
    broken: Option<u64>,
}

impl Checksums {
    /// Takes the next bytes.
    pub fn take(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&bytes[..end]);
            self.end_line();
            bytes = &bytes[end + 1..];
        }
        self.line.extend_from_slice(bytes);
        if self.line.len() as u64 > ENTRY_BYTES_MAX {
            // A log has no line of that length.
            self.broken.get_or_insert(self.lines + 1);
            self.line.clear();
        }
    }

    /// Ends the last line, which may lack its line feed.
    pub fn finish(&mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
    }

    /// The first line whose checksum is not right, counted from 1.
    pub fn broken(&self) -> Option<u64> {
        self.broken
    }

    fn end_line(&mut self) {
        self.lines += 1;
        let line = self.line.trim_ascii();
        if line.starts_with(HEADER_START) {
            (self.crc, self.is_log) = (0, false);
        }
        let has_field = || line.windows(FIELD.len()).any(|bytes| bytes == FIELD);
        match Trailer::of(line) {
            Some(trailer) if trailer.verify(self.crc) => {
                (self.crc, self.is_log) = (trailer.crc, true);
            }
            None if line.is_empty() || !self.is_log && !has_field() => {}
            _ => _ = self.broken.get_or_insert(self.lines),
        }
        self.line.clear();
    }
}
