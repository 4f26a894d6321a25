//! The lines of a batch that is not written yet.
//!
//! Knows no files: the log writes the bytes when it commits the batch.

use crate::log::trailer::append_trailer;

/// Capacity that the buffer keeps after a batch.
const BUFFER_BYTES_KEPT: usize = 1 << 20;

/// Staged lines with their trailers. The last line has none yet: only the next line, or the commit, decides whether it gets `more`.
#[derive(Default)]
pub(super) struct StagedLines {
    bytes: Vec<u8>,
    /// Where the line without a trailer begins in `bytes`.
    open_line: Option<usize>,
    count: u64,
    /// Checksum of the last line that has its trailer; at first, that of the last line of the log.
    crc: u32,
}

impl StagedLines {
    /// Drops all lines. `crc` is the checksum of the last line of the log.
    pub(super) fn clear(&mut self, crc: u32) {
        self.bytes.clear();
        self.bytes.shrink_to(BUFFER_BYTES_KEPT);
        (self.open_line, self.count, self.crc) = (None, 0, crc);
    }

    /// Adds a public line, from `{` to `}`. Returns where it begins and its length without the `}`.
    pub(super) fn push(&mut self, line: &[u8]) -> (usize, usize) {
        assert!(
            line.first() == Some(&b'{') && line.last() == Some(&b'}'),
            "a line is one JSON object"
        );
        self.close_line(true);
        let (start, len) = (self.bytes.len(), line.len() - 1);
        self.bytes.extend_from_slice(&line[..len]);
        self.open_line = Some(start);
        self.count += 1;
        (start, len)
    }

    /// Appends a field that stands in the file only, and its comma, to the last line.
    #[cfg(feature = "redis")]
    pub(super) fn extend_last(&mut self, field: &[u8]) {
        assert!(self.open_line.is_some(), "there is a last line");
        self.bytes.extend_from_slice(field);
    }

    /// Completes the last line.
    pub(super) fn close(&mut self) {
        self.close_line(false);
    }

    fn close_line(&mut self, more: bool) {
        if let Some(start) = self.open_line.take() {
            self.crc = append_trailer(&mut self.bytes, start, more, self.crc);
        }
    }

    /// Returns the lines as they are written to the file.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the number of lines.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Whether nothing is staged.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the checksum of the last line that has its trailer.
    pub(super) fn crc(&self) -> u32 {
        self.crc
    }
}
