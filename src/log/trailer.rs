//! The trailer of a log line: what the file has behind the public line, and how it is verified.
//!
//! ```text
//! {"seq":7, … }                                what readers get
//! {"seq":7, … ,"more":1,"crc":"5d0c1a7e"}\n    what the file holds; `more` only if the same write goes on
//! ```
//!
//! The checksum is CRC-32C (Castagnoli, RFC 3720 §12.1) over the line from `{` up to, but not including, `,"crc"`. It
//! continues from the checksum of the line before, so a line is valid only behind the line it was written behind. Knows no files.

use crate::util::crc;

const CRC: &[u8] = b",\"crc\":\"";
const MORE: &[u8] = b",\"more\":1";
/// `,"crc":"`, 8 hex digits, `"}`.
const CRC_BYTES: usize = CRC.len() + 8 + 2;
/// Bytes that a trailer adds to a public line at most, line feed included. The `}` does not count: the public line has one too.
pub const TRAILER_BYTES_MAX: usize = MORE.len() + CRC_BYTES;

/// Completes the line that begins at `start` in `out` and lacks its closing `}`, and returns its checksum. `before` is the checksum
/// of the line before it.
pub fn append_trailer(out: &mut Vec<u8>, start: usize, more: bool, before: u32) -> u32 {
    debug_assert_eq!(out[start], b'{', "a line begins at its start");
    if more {
        out.extend_from_slice(MORE);
    }
    let crc = crc::append(before, &out[start..]);
    out.extend_from_slice(CRC);
    out.extend_from_slice(format!("{crc:08x}").as_bytes());
    out.extend_from_slice(b"\"}\n");
    crc
}

/// A line of the file, split into its public part and its trailer. [`Trailer::verify`] checks the checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailer<'a> {
    /// The public line without its closing `}`.
    pub open: &'a [u8],
    /// The write that appended this line goes on with the next one.
    pub more: bool,
    /// The checksum that the line states.
    pub crc: u32,
    covered: &'a [u8],
}

impl<'a> Trailer<'a> {
    /// Splits a line, given without its `\n`. Returns `None` if it does not begin with `{` or has no trailer.
    pub fn of(line: &'a [u8]) -> Option<Trailer<'a>> {
        let covered = &line[..line.len().checked_sub(CRC_BYTES)?];
        let digits = line[covered.len()..].strip_prefix(CRC)?.strip_suffix(b"\"}")?;
        let lower = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        if !covered.starts_with(b"{") || !digits.iter().all(lower) {
            return None;
        }
        let crc = u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
        let (open, more) = match covered.strip_suffix(MORE) {
            Some(open) => (open, true),
            None => (covered, false),
        };
        Some(Trailer { open, more, crc, covered })
    }

    /// Whether the checksum is right for a line behind one with the checksum `before`.
    pub fn verify(&self, before: u32) -> bool {
        crc::append(before, self.covered) == self.crc
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_into_what_it_was_made_of() {
        for more in [false, true] {
            let mut out = b"before\n{\"seq\":1".to_vec();
            let crc = append_trailer(&mut out, 7, more, 77);
            let line = out[7..].strip_suffix(b"\n").unwrap();
            let trailer = Trailer::of(line).unwrap();
            assert_eq!((trailer.open, trailer.more, trailer.crc), (&b"{\"seq\":1"[..], more, crc));
            assert!(trailer.verify(77) && !trailer.verify(78));
        }
    }

    #[test]
    fn every_flipped_bit_of_a_line_is_detected() {
        let mut line = b"{\"seq\":1,\"content\":\"hi\"".to_vec();
        append_trailer(&mut line, 0, true, 5);
        line.pop();
        for bit in 0..line.len() * 8 {
            let mut flipped = line.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!Trailer::of(&flipped).is_some_and(|trailer| trailer.verify(5)), "bit {bit}");
        }
    }
}
