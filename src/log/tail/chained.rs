//! Reads lines with their hashes behind or at a sequence number, or so many from the end, without reading the whole log.
//!
//! Checks neither checksums nor hashes.

use std::{io, sync::Arc};

use super::{HALVED_BYTES_MIN, lines_after};
use crate::log::{
    chain::ChainedLine,
    lines::{Lines, RAW_LINE_BYTES_MAX},
    scan::seq_of,
    storage::ReadAt,
    trailer::Trailer,
};

/// Returns the lines with a `seq` above `after` among the first `end` bytes of a log: at most `lines_max`, and at most `bytes_max` bytes
/// from `{` to `}`, but at least one line if there is one.
///
/// # Errors
/// Fails if reading fails, and with `InvalidData` if one of the lines has no hash.
pub fn chained_after(
    reader: Arc<dyn ReadAt>,
    end: u64,
    after: u64,
    lines_max: usize,
    bytes_max: usize,
) -> io::Result<Vec<ChainedLine>> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    let mut failure = None;
    lines_after(reader, end, after, &mut |seq, line| match chained(seq, line) {
        Ok(line) => {
            bytes += line.line.len();
            let fits = found.is_empty() || bytes <= bytes_max;
            if fits {
                found.push(line);
            }
            fits && found.len() < lines_max
        }
        Err(error) => {
            failure = Some(error);
            false
        }
    })?;
    failure.map_or(Ok(found), Err)
}

/// Returns the line with this `seq`, if the log has it.
///
/// # Errors
/// As [`chained_after`].
pub fn chained_at(reader: Arc<dyn ReadAt>, end: u64, seq: u64) -> io::Result<Option<ChainedLine>> {
    let Some(after) = seq.checked_sub(1) else { return Ok(None) };
    let found = chained_after(reader, end, after, 1, 0)?;
    Ok(found.into_iter().next().filter(|line| line.seq == seq))
}

/// Returns the oldest of the newest `lines` lines; `None` if the log has fewer.
///
/// # Errors
/// As [`chained_after`].
pub fn nth_newest(
    reader: Arc<dyn ReadAt>,
    end: u64,
    lines: u64,
) -> io::Result<Option<ChainedLine>> {
    let (start, found) = start_of_newest(&*reader, end, lines)?;
    if found < lines || found == 0 {
        return Ok(None);
    }
    let found = line_at(reader, start, end, chained)?;
    found.transpose()
}

/// Whether the last line has a hash.
///
/// # Errors
/// Fails if reading fails.
pub fn is_chained(reader: Arc<dyn ReadAt>, end: u64) -> io::Result<bool> {
    let (start, _) = start_of_newest(&*reader, end, 1)?;
    let found = line_at(reader, start, end, |seq, line| chained(seq, line).is_ok())?;
    Ok(found.unwrap_or_default())
}

/// Returns the `seq` of the line that begins at `start`, among the first `end` bytes of a log; `None` if none does.
///
/// # Errors
/// Fails if reading fails, and with `InvalidData` if the line has no `seq`.
pub fn seq_at(reader: Arc<dyn ReadAt>, start: u64, end: u64) -> io::Result<Option<u64>> {
    line_at(reader, start, end, |seq, _| seq)
}

fn line_at<T>(
    reader: Arc<dyn ReadAt>,
    start: u64,
    end: u64,
    take: impl FnOnce(u64, &[u8]) -> T,
) -> io::Result<Option<T>> {
    let mut lines = Lines::starting_at(reader, start, end, RAW_LINE_BYTES_MAX);
    let Some(line) = lines.next()? else { return Ok(None) };
    let seq = seq_of(line.bytes).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Some(take(seq, line.bytes)))
}

/// Where the newest `lines` lines among the first `end` bytes of a log begin, in bytes, and how many they are: all behind the header, if there
/// are not so many. Reads the log from its end, part by part.
///
/// # Errors
/// Fails if reading fails.
pub fn start_of_newest(reader: &dyn ReadAt, end: u64, lines: u64) -> io::Result<(u64, u64)> {
    let (mut start, mut found, mut to) = (end, 0, end);
    let mut part = Vec::new();
    while to > 0 && found < lines {
        let from = to.saturating_sub(HALVED_BYTES_MIN);
        part.resize((to - from) as usize, 0);
        reader.read_exact_at(&mut part, from)?;
        // A line begins behind a line feed, but behind the last one.
        let feeds = (0..part.len()).rev().filter(|at| part[*at] == b'\n');
        let starts = feeds.map(|at| from + at as u64 + 1).filter(|start| *start < end);
        for at in starts.take((lines - found) as usize) {
            (start, found) = (at, found + 1);
        }
        to = from;
    }
    Ok((start, found))
}

fn chained(seq: u64, line: &[u8]) -> io::Result<ChainedLine> {
    let parts = Trailer::of(line).and_then(|trailer| Some((trailer.open, trailer.chain()?)));
    let no_hash = || io::Error::new(io::ErrorKind::InvalidData, format!("line {seq} has no hash"));
    let (open, chain) = parts.ok_or_else(no_hash)?;
    Ok(ChainedLine { seq, chain, line: [open, b"}"].concat().into() })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;
    use crate::log::{chain::ChainHash, chained::field, trailer::append_trailer};

    /// A log in memory, and how many bytes of it were read.
    struct Counting(Vec<u8>, AtomicUsize);

    impl ReadAt for Counting {
        fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
            self.1.fetch_add(bytes.len(), Relaxed);
            let from = self.0.get(offset as usize..offset as usize + bytes.len());
            bytes.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }
    }

    /// Lines whose `seq` rises by two, and what they are.
    fn log(lines: u64) -> (Arc<Counting>, Vec<ChainedLine>) {
        let (mut bytes, mut crc, mut all) = (b"{\"sayso\":1".to_vec(), 0, Vec::new());
        crc = append_trailer(&mut bytes, 0, false, crc);
        let mut chain = ChainHash::default();
        for seq in (1..=lines).map(|number| number * 2) {
            let length = if seq % 194 == 0 { 90_000 } else { seq as usize % 300 };
            let line = format!(r#"{{"seq":{seq},"kind":"x","text":"{}"}}"#, "x".repeat(length))
                .into_bytes();
            chain = chain.next(seq / 50, &line);
            let start = bytes.len();
            bytes.extend_from_slice(&line[..line.len() - 1]);
            bytes.extend(field(chain));
            crc = append_trailer(&mut bytes, start, seq % 3 == 0, crc);
            all.push(ChainedLine { seq, chain, line: line.into() });
        }
        (Arc::new(Counting(bytes, AtomicUsize::new(0))), all)
    }

    #[test]
    fn lines_are_found_by_their_seq_with_their_hashes() {
        let (log, all) = log(700);
        let end = log.0.len() as u64;
        for seq in (0..=1_402).step_by(7) {
            let behind: Vec<_> = all.iter().filter(|line| line.seq > seq).take(3).collect();
            let found = chained_after(log.clone(), end, seq, 3, usize::MAX).unwrap();
            assert_eq!(found.iter().collect::<Vec<_>>(), behind, "{seq}");
            let at = chained_at(log.clone(), end, seq).unwrap();
            assert_eq!(at.as_ref(), all.iter().find(|line| line.seq == seq), "{seq}");
        }
        assert_eq!(chained_after(log.clone(), end, 0, usize::MAX, usize::MAX).unwrap(), all);
        let bytes = all[..2].iter().map(|line| line.line.len()).sum();
        for (bytes_max, count) in [(0, 1), (bytes - 1, 1), (bytes, 2), (bytes + 1, 2)] {
            let found = chained_after(log.clone(), end, 0, usize::MAX, bytes_max).unwrap();
            assert_eq!(found, all[..count], "{bytes_max}");
        }
    }

    #[test]
    fn so_many_lines_from_the_end_are_found_without_the_others() {
        let (log, all) = log(700);
        let end = log.0.len() as u64;
        for lines in (0..=50).chain((51..=690).step_by(29)).chain(691..=702) {
            let at = all.len().checked_sub(lines as usize).filter(|_| lines > 0);
            let found = nth_newest(log.clone(), end, lines).unwrap();
            assert_eq!(found.as_ref(), at.and_then(|at| all.get(at)), "{lines}");
            assert_eq!(start_of_newest(&*log, end, lines).unwrap().1, lines.min(700));
        }
        assert!(is_chained(log.clone(), end).unwrap());
        log.1.store(0, Relaxed);
        nth_newest(log.clone(), end, 60).unwrap().unwrap();
        let read = log.1.load(Relaxed);
        assert!(read * 3 < log.0.len(), "{read} of {}", log.0.len());
    }

    #[test]
    fn a_line_without_a_hash_is_an_error_and_an_empty_log_has_none() {
        let (empty, _) = log(0);
        let end = empty.0.len() as u64;
        assert_eq!(chained_after(empty.clone(), end, 0, 9, 9).unwrap(), []);
        assert_eq!(chained_at(empty.clone(), end, 1).unwrap(), None);
        assert_eq!(nth_newest(empty.clone(), end, 1).unwrap(), None);
        assert!(!is_chained(empty.clone(), end).unwrap());
        let mut bytes = empty.0.clone();
        bytes.extend_from_slice(b"{\"seq\":1,\"kind\":\"x\"");
        append_trailer(&mut bytes, end as usize, false, 0);
        let (end, log) = (bytes.len() as u64, Arc::new(Counting(bytes, AtomicUsize::new(0))));
        assert!(chained_after(log.clone(), end, 0, 9, 9).is_err());
        assert!(chained_at(log.clone(), end, 1).is_err());
        assert!(nth_newest(log.clone(), end, 1).is_err() && !is_chained(log, end).unwrap());
    }
}
