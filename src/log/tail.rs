//! Reads the lines behind a sequence number, without reading those before it.
//!
//! Every line's `seq` is above that of the line before, so the place is found by halving. Does not check checksums: whoever reads so
//! reads what the hub has written.

#[cfg(feature = "redis")]
mod chained;

use std::{io, sync::Arc};

#[cfg(feature = "redis")]
pub use self::chained::{
    chained_after, chained_at, is_chained, nth_newest, seq_at, start_of_newest,
};
use super::{
    lines::{Lines, RAW_LINE_BYTES_MAX},
    scan::seq_of,
    storage::ReadAt,
};

/// Bytes that are read through instead of being halved further.
const HALVED_BYTES_MIN: u64 = 64 * 1024;
/// Bytes of the first read that looks for the beginning of a line; most lines are shorter.
const LOOK_BYTES: usize = 4 * 1024;
/// Bytes of a line that are enough to read a `seq` that sayso has written.
const SEQ_BYTES: usize = 32;

/// Passes the lines with a `seq` above `after`, among the first `end` bytes of a log, to `each`: their `seq`, and the line as it is in the
/// file. Ends when there are no more, or when `each` returns `false`.
///
/// # Errors
/// Fails if reading fails.
pub fn lines_after(
    reader: Arc<dyn ReadAt>,
    end: u64,
    after: u64,
    each: &mut dyn FnMut(u64, &[u8]) -> bool,
) -> io::Result<()> {
    let start = place_before(&*reader, end, after)?;
    let mut lines = Lines::starting_at(reader, start, end, RAW_LINE_BYTES_MAX);
    while let Some(line) = lines.next()? {
        // The header has none.
        let Some(seq) = seq_of(line.bytes) else { continue };
        if seq > after && !each(seq, line.bytes) {
            return Ok(());
        }
    }
    Ok(())
}

/// The beginning of a line from which on every line with a `seq` above `after` is found, and not many before.
fn place_before(reader: &dyn ReadAt, end: u64, after: u64) -> io::Result<u64> {
    let (mut low, mut high) = (0, end);
    while high - low > HALVED_BYTES_MIN {
        let middle = low + (high - low) / 2;
        match first_line(reader, middle, high)? {
            Some((at, seq)) if seq <= after => low = at,
            // Every line that begins behind the middle is behind the place, or there is none.
            _ => high = middle,
        }
    }
    Ok(low)
}

/// Where the first line that begins between `from` and `end` begins, and its `seq`.
fn first_line(reader: &dyn ReadAt, from: u64, end: u64) -> io::Result<Option<(u64, u64)>> {
    let mut len = LOOK_BYTES;
    loop {
        let mut bytes = vec![0; (end - from).min(len as u64) as usize];
        reader.read_exact_at(&mut bytes, from)?;
        let is_all = bytes.len() < len || len > RAW_LINE_BYTES_MAX + SEQ_BYTES;
        match bytes.iter().position(|byte| *byte == b'\n') {
            Some(at) if is_all || at + SEQ_BYTES < bytes.len() => {
                return Ok(seq_of(&bytes[at + 1..]).map(|seq| (from + at as u64 + 1, seq)));
            }
            None if is_all => return Ok(None),
            _ => len *= 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{log::trailer::append_trailer, util::text::counted};

    /// A log in memory, and how many bytes of it were read.
    struct Counting(Vec<u8>, std::sync::atomic::AtomicUsize);

    impl ReadAt for Counting {
        fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
            self.1.fetch_add(bytes.len(), std::sync::atomic::Ordering::Relaxed);
            let from = self.0.get(offset as usize..offset as usize + bytes.len());
            bytes.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }
    }

    /// Lines whose `seq` rises by three, of lengths that make one stand across every kind of boundary.
    fn log(lines: u64) -> Counting {
        let (mut bytes, mut crc) = (Vec::new(), 0);
        let mut push = |line: String| {
            let start = bytes.len();
            bytes.extend_from_slice(line.as_bytes());
            crc = append_trailer(&mut bytes, start, false, crc);
        };
        push(r#"{"sayso":1,"log":"9c41f0aa53d7e6b2","created_at":"","next":1"#.into());
        for number in 1..=lines {
            let length = if number % 97 == 0 { 90_000 } else { number as usize % 300 };
            push(format!(r#"{{"seq":{},"kind":"x","text":"{}""#, number * 3, "x".repeat(length)));
        }
        Counting(bytes, Default::default())
    }

    fn seqs_after(log: &Arc<Counting>, after: u64, max: usize) -> Vec<u64> {
        let (reader, end): (Arc<dyn ReadAt>, _) = (log.clone(), log.0.len() as u64);
        let mut found = Vec::new();
        lines_after(reader, end, after, &mut |seq, line| {
            assert!(line.starts_with(format!("{{\"seq\":{seq},").as_bytes()));
            found.push(seq);
            found.len() < max
        })
        .unwrap();
        found
    }

    #[test]
    fn exactly_the_lines_behind_a_seq_are_found_wherever_it_is() {
        let log = Arc::new(log(700));
        for after in 0..=2_103 {
            let first = (after / 3 + 1) * 3;
            let expected: Vec<u64> =
                (0..3).map(|n| first + n * 3).filter(|s| *s <= 2_100).collect();
            assert_eq!(seqs_after(&log, after, 3), expected, "{after}");
        }
        assert_eq!(seqs_after(&log, 0, usize::MAX).len(), 700);
    }

    #[test]
    fn a_long_log_is_not_read_from_its_start() {
        let log = Arc::new(log(20_000));
        assert_eq!(seqs_after(&log, 59_997, 3), [60_000]);
        let read = log.1.load(std::sync::atomic::Ordering::Relaxed);
        assert!(read * 5 < log.0.len(), "{} of {}", counted(read, "byte"), log.0.len());
    }

    #[test]
    fn an_empty_log_has_none() {
        assert!(seqs_after(&Arc::new(log(0)), 0, 1).is_empty());
        assert!(seqs_after(&Arc::new(Counting(Vec::new(), Default::default())), 0, 1).is_empty());
    }
}
