//! The first line and the last lines of a log, for whoever compares two logs without reading them.
//!
//! Proves nothing about what lies between.

use std::{fs::File, io, os::unix::fs::FileExt};

use crate::log::{
    lines::RAW_LINE_BYTES_MAX,
    scan::{parse_header, seq_of},
    trailer::Trailer,
};

/// Bytes of the file's end that are read. Two whole lines are among them, so that one proves the other.
const TAIL_BYTES: usize = 3 * (RAW_LINE_BYTES_MAX + 1);

/// What the two ends of a file say.
pub struct Ends {
    /// Length of the file, in bytes.
    pub length: u64,
    /// Whether the file ends within its first line.
    pub is_cut_in_header: bool,
    /// The log's id and its last used `seq`; `None` if the ends don't tell both.
    pub known: Option<(String, u64)>,
}

/// Reads the two ends of a file.
///
/// # Errors
/// Fails if reading fails.
pub fn ends(file: &File) -> io::Result<Ends> {
    let length = file.metadata()?.len();
    let mut first = vec![0; length.min(RAW_LINE_BYTES_MAX as u64 + 1) as usize];
    file.read_exact_at(&mut first, 0)?;
    let end = first.iter().position(|byte| *byte == b'\n');
    let is_cut_in_header = end.is_none() && first.len() as u64 == length;
    let header = end.and_then(|end| parse_header(&first[..end]).ok());
    let from = length.saturating_sub(TAIL_BYTES as u64);
    let mut tail = vec![0; (length - from) as usize];
    file.read_exact_at(&mut tail, from)?;
    let known = header.and_then(|(header, _)| {
        let header_seq = (from == 0).then(|| header.next.saturating_sub(1));
        let last = last_seq(&tail).or(header_seq)?;
        Some((header.log, last.max(header.next.saturating_sub(1))))
    });
    Ok(Ends { length, is_cut_in_header, known })
}

/// The highest `seq` of the whole lines that follow from the one before.
fn last_seq(tail: &[u8]) -> Option<u64> {
    let whole = tail.iter().rposition(|byte| *byte == b'\n')?;
    let (mut last, mut previous) = (None, None);
    for line in tail[..whole].split(|byte| *byte == b'\n') {
        let trailer = Trailer::of(line);
        if let (Some(trailer), Some(previous)) = (&trailer, previous)
            && trailer.verify(previous)
        {
            last = last.max(seq_of(line));
        }
        previous = trailer.map(|trailer| trailer.crc);
    }
    last
}
