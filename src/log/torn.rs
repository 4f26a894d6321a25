//! The torn tail of a log: saves it beside the log and cuts it off.
//!
//! Does not decide what is torn; [`scan`](mod@super::scan) does.

use std::{io, path::PathBuf, sync::Arc, time::SystemTime};

use crate::log::{
    dated,
    lines::RAW_LINE_BYTES_MAX,
    storage::{ReadAt, Storage},
    trailer::CRC,
};

/// A torn tail that was saved and cut off when the log was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The file that the bytes were saved to.
    pub kept: PathBuf,
    /// Number of bytes.
    pub bytes: u64,
    /// Whether the write stopped within its first bad line, so that it was never acknowledged. Otherwise the bytes may also be an
    /// acknowledged write that was damaged later.
    pub is_cut_short: bool,
}

/// Saves the bytes `from..to` beside the log and cuts them off.
pub(super) fn save_torn_tail(
    storage: &mut dyn Storage,
    from: u64,
    to: u64,
    now: SystemTime,
) -> io::Result<TornTail> {
    let is_cut_short = is_cut_short(&*storage.reader(), from, to)?;
    let mut tail = FileRange::new(storage.reader(), from, to);
    let kept = storage.save_copy(&dated(".torn", now), &mut tail)?;
    storage.truncate(from)?;
    storage.sync()?;
    Ok(TornTail { kept, bytes: to - from, is_cut_short })
}

/// Whether these bytes are one line of which the end was never written.
fn is_cut_short(reader: &dyn ReadAt, from: u64, to: u64) -> io::Result<bool> {
    let mut line = vec![0; (to - from).min(RAW_LINE_BYTES_MAX as u64) as usize];
    reader.read_exact_at(&mut line, from)?;
    let has_end = line.contains(&b'\n') || line.windows(CRC.len()).any(|window| window == CRC);
    Ok(!has_end && !line.contains(&0) && line.len() as u64 == to - from)
}

/// Streams the bytes `from..to` of a file.
pub(super) struct FileRange {
    reader: Arc<dyn ReadAt>,
    from: u64,
    to: u64,
}

impl FileRange {
    pub(super) fn new(reader: Arc<dyn ReadAt>, from: u64, to: u64) -> FileRange {
        FileRange { reader, from, to }
    }
}

impl io::Read for FileRange {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = bytes.len().min((self.to - self.from) as usize);
        self.reader.read_exact_at(&mut bytes[..count], self.from)?;
        self.from += count as u64;
        Ok(count)
    }
}
