//! A log written anew: the lines that are still wanted, sealed behind one another, on a fresh disk.
//!
//! Knows neither comments nor why a line is wanted; compaction and repair do.

use std::{io, sync::Arc};

use crate::{
    log::scan::{Header, Place, Tail, scan},
    log::storage::{Disk, ReadAt},
    log::trailer::{Sealed, seal},
};

/// Bytes written at once, and synced: a file system that flushes other files' data with ours (ext4's ordered mode) then never makes
/// the log that is in use wait for more than this.
const CHUNK_BYTES: usize = 1 << 20;

/// A log in the making.
pub struct Writer {
    disk: Box<dyn Disk>,
    buffer: Vec<u8>,
    written: u64,
    crc: u32,
}

/// A log that is written and synced, and not yet in its place.
pub struct Written {
    /// Holds it.
    pub disk: Box<dyn Disk>,
    /// Its length, bytes.
    pub end: u64,
    /// Checksum of its last line.
    pub crc: u32,
}

/// The first line of a log, and its checksum.
pub fn header_line(header: &Header) -> (Vec<u8>, u32) {
    let mut line = header.open_line();
    let crc = seal(&mut line, 0, false, 0);
    (line, crc)
}

impl Writer {
    /// Begins a log on an empty disk.
    pub fn begin(disk: Box<dyn Disk>, header: &Header) -> Writer {
        let (buffer, crc) = header_line(header);
        Writer { disk, buffer, written: 0, crc }
    }

    /// Goes on with a log that was finished.
    pub fn reopen(log: Written) -> Writer {
        Writer { disk: log.disk, buffer: Vec::new(), written: log.end, crc: log.crc }
    }

    /// Adds a line, given without its closing `}`, and says where it begins.
    ///
    /// # Errors
    /// Of the medium.
    pub fn line(&mut self, open: &[u8], more: bool) -> io::Result<u64> {
        let start = self.buffer.len();
        let offset = self.written + start as u64;
        self.buffer.extend_from_slice(open);
        self.crc = seal(&mut self.buffer, start, more, self.crc);
        if self.buffer.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(offset)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.disk.append(&self.buffer, self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        self.disk.sync()
    }

    /// Makes it durable.
    ///
    /// # Errors
    /// Of the medium.
    pub fn finish(mut self) -> io::Result<Written> {
        self.flush()?;
        Ok(Written { disk: self.disk, end: self.written, crc: self.crc })
    }
}

/// Writes those lines of the first `end` bytes of a log anew that `wants` wants; `moved` hears where each was and is. The log is
/// verified on the way, so that damage is never copied as if it were good.
///
/// # Errors
/// Of the medium; `InvalidData` where the log is not as it was written.
pub fn rewrite(
    reader: Arc<dyn ReadAt>,
    end: u64,
    writer: &mut Writer,
    mut wants: impl FnMut(&[u8], Place) -> bool,
    mut moved: impl FnMut(u64, u64),
) -> io::Result<()> {
    let mut failure = None;
    let found = scan(reader, end, &mut |line, place| {
        if failure.is_none() && wants(line, place) {
            let open = Sealed::of(line).expect("a scanned line is sealed").open;
            match writer.line(open, false) {
                Ok(offset) => moved(place.offset, offset),
                Err(error) => failure = Some(error),
            }
        }
        seq_of(line)
    });
    let found = found.map_err(|why| why.map_or_else(|error| error, io::Error::other))?;
    match failure {
        Some(error) => Err(error),
        None if found.tail != Tail::Clean => Err(io::ErrorKind::InvalidData.into()),
        None => Ok(()),
    }
}

/// Copies the lines of `bytes` as they are, `more` included, behind what is written. `crc` is the checksum of the line before them; returns
/// that of the last.
///
/// # Errors
/// Of the medium; `InvalidData` where a line is not as it was written.
pub fn copy(bytes: &[u8], mut crc: u32, writer: &mut Writer) -> io::Result<u32> {
    for line in bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
        let sealed = Sealed::of(line).filter(|sealed| sealed.fits(crc));
        let sealed = sealed.ok_or(io::ErrorKind::InvalidData)?;
        writer.line(sealed.open, sealed.more)?;
        crc = sealed.crc;
    }
    Ok(crc)
}

/// The number behind `{"seq":`, where every line has it.
fn seq_of(line: &[u8]) -> Result<u64, String> {
    let digits = line.strip_prefix(b"{\"seq\":").unwrap_or_default();
    let len = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = str::from_utf8(&digits[..len]).unwrap_or_default();
    text.parse().map_err(|_| "it does not begin with a seq".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::storage::FileDisk;

    #[test]
    fn no_flipped_bit_is_copied_as_if_it_were_good() {
        let path = std::env::temp_dir().join(format!("sayso-rewrite-{}", std::process::id()));
        let mut bytes = Vec::new();
        let mut crc = 7;
        for (line, more) in [(r#"{"seq":1"#, true), (r#"{"seq":2"#, false)] {
            let start = bytes.len();
            bytes.extend_from_slice(line.as_bytes());
            crc = seal(&mut bytes, start, more, crc);
        }
        let header = Header { log: "0".repeat(16), created_at: String::new(), next: 1 };
        let mut writer = Writer::begin(Box::new(FileDisk::open(&path).unwrap()), &header);
        assert_eq!(copy(&bytes, 7, &mut writer).unwrap(), crc);
        assert!(copy(&bytes, 8, &mut writer).is_err(), "these lines stand behind another");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(copy(&flipped, 7, &mut writer).is_err(), "bit {bit}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
