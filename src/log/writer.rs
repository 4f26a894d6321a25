//! Writes a log anew: lines of an old log, with new trailers, into an empty file.
//!
//! Knows neither comments nor which lines are kept, and why; compaction and repair do.

use std::{io, sync::Arc};

use crate::{
    log::scan::{Header, Location, ScanError, Tail, scan, seq_of},
    log::storage::{ReadAt, Storage},
    log::trailer::{Trailer, append_trailer},
};

/// Bytes per write, and per sync. Some file systems (ext4 in ordered mode) flush other files' data whenever one file is synced, so
/// a sync of the log in use never has to wait for more than this.
const CHUNK_BYTES: usize = 1 << 20;

/// A log that is being written.
pub struct LogWriter {
    storage: Box<dyn Storage>,
    buffer: Vec<u8>,
    written: u64,
    crc: u32,
}

/// A log that is written and synced but has not replaced the current one yet.
pub struct FinishedLog {
    /// The file that holds the log.
    pub disk: Box<dyn Storage>,
    /// Length of the log, in bytes.
    pub end: u64,
    /// Checksum of the last line.
    pub crc: u32,
}

/// Encodes the first line of a log and returns it with its checksum.
pub fn header_line(header: &Header) -> (Vec<u8>, u32) {
    let mut line = header.open_line();
    let crc = append_trailer(&mut line, 0, false, 0);
    (line, crc)
}

impl LogWriter {
    /// Begins a log in an empty file.
    pub fn begin(storage: Box<dyn Storage>, header: &Header) -> LogWriter {
        let (buffer, crc) = header_line(header);
        LogWriter { storage, buffer, written: 0, crc }
    }

    /// Goes on with a log that was finished before.
    pub fn reopen(log: FinishedLog) -> LogWriter {
        LogWriter { storage: log.disk, buffer: Vec::new(), written: log.end, crc: log.crc }
    }

    /// Appends a line, given without its closing `}`, and returns its offset. The line is written with its chunk.
    ///
    /// # Errors
    /// Fails if writing or syncing fails.
    pub fn line(&mut self, open: &[u8], more: bool) -> io::Result<u64> {
        let start = self.buffer.len();
        let offset = self.written + start as u64;
        self.buffer.extend_from_slice(open);
        self.crc = append_trailer(&mut self.buffer, start, more, self.crc);
        if self.buffer.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(offset)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.storage.append(&self.buffer, self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        self.storage.sync()
    }

    /// Writes and syncs what is left.
    ///
    /// # Errors
    /// Fails if writing or syncing fails.
    pub fn finish(mut self) -> io::Result<FinishedLog> {
        self.flush()?;
        Ok(FinishedLog { disk: self.storage, end: self.written, crc: self.crc })
    }
}

/// Copies those of the first `end` bytes' lines that `keeps` accepts, without `more`. `moved` gets the old and the new offset of each.
/// The old log is verified on the way, so damage is never copied as if it were good.
///
/// # Errors
/// Fails if reading or writing fails, and with `InvalidData` if the old log is damaged.
pub fn rewrite(
    reader: Arc<dyn ReadAt>,
    end: u64,
    writer: &mut LogWriter,
    mut keeps: impl FnMut(&[u8], Location) -> bool,
    mut moved: impl FnMut(u64, u64),
) -> io::Result<()> {
    let mut failure = None;
    let report = scan(reader, end, &mut |line, location| {
        if failure.is_none() && keeps(line, location) {
            let open = Trailer::of(line).expect("a scanned line has a trailer").chained;
            match writer.line(open, false) {
                Ok(offset) => moved(location.offset, offset),
                Err(error) => failure = Some(error),
            }
        }
        seq_of(line).ok_or_else(|| "it has no seq".to_owned())
    });
    let report = report.map_err(|error| match error {
        ScanError::NotALog(why) => io::Error::other(why),
        ScanError::Io(error) => error,
    })?;
    match failure {
        Some(error) => Err(error),
        None if report.tail != Tail::Clean => Err(io::ErrorKind::InvalidData.into()),
        None => Ok(()),
    }
}

/// Appends all lines of `bytes` as they are, `more` included. `previous_crc` is the checksum of the line before them. Returns the
/// checksum of the last one.
///
/// # Errors
/// Fails if writing fails, and with `InvalidData` if a line's checksum is wrong.
pub fn copy(bytes: &[u8], mut previous_crc: u32, writer: &mut LogWriter) -> io::Result<u32> {
    for line in bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
        let trailer = Trailer::of(line).filter(|trailer| trailer.verify(previous_crc));
        let trailer = trailer.ok_or(io::ErrorKind::InvalidData)?;
        writer.line(trailer.chained, trailer.more)?;
        previous_crc = trailer.crc;
    }
    Ok(previous_crc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::storage::FileStorage;

    #[test]
    fn no_flipped_bit_is_copied() {
        let path = std::env::temp_dir().join(format!("sayso-rewrite-{}", std::process::id()));
        let mut bytes = Vec::new();
        let mut crc = 7;
        for (line, more) in [(r#"{"seq":1"#, true), (r#"{"seq":2"#, false)] {
            let start = bytes.len();
            bytes.extend_from_slice(line.as_bytes());
            crc = append_trailer(&mut bytes, start, more, crc);
        }
        let header = Header { log: "0".repeat(16), created_at: String::new(), next: 1 };
        let mut writer = LogWriter::begin(Box::new(FileStorage::open(&path).unwrap()), &header);
        assert_eq!(copy(&bytes, 7, &mut writer).unwrap(), crc);
        assert!(copy(&bytes, 8, &mut writer).is_err(), "the lines were written behind another one");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(copy(&flipped, 7, &mut writer).is_err(), "bit {bit}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
