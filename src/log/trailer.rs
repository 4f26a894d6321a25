//! The outer form of a log line: what is appended to the public line in the file, and how it is checked.
//!
//! ```text
//! {"seq":7, … }            what readers get
//! {"seq":7, … ,"more":1,"crc":"5d0c1a7e"}\n   what the file holds; `more` only where the same write goes on
//! ```
//!
//! The checksum is CRC-32C (Castagnoli, RFC 3720 §12.1) over the line from `{` up to, without, `,"crc"`, continued from
//! the checksum of the line before: a line fits only behind the one that it was written behind. Knows no files.

use crate::util::crc;

const CRC: &[u8] = b",\"crc\":\"";
const MORE: &[u8] = b",\"more\":1";
/// `,"crc":"` and 8 digits and `"}`.
const SEAL_BYTES: usize = CRC.len() + 8 + 2;
/// What sealing adds to a public line at most, line feed included: `}` is there already.
pub const SEALED_EXTRA_MAX: usize = MORE.len() + SEAL_BYTES;

/// Ends the line that `out` holds from `start` on, which lacks its closing `}`, and returns its checksum.
pub fn append_trailer(out: &mut Vec<u8>, start: usize, more: bool, before: u32) -> u32 {
    debug_assert_eq!(out[start], b'{', "a line begins where it is said to");
    if more {
        out.extend_from_slice(MORE);
    }
    let crc = crc::append(before, &out[start..]);
    out.extend_from_slice(CRC);
    out.extend_from_slice(format!("{crc:08x}").as_bytes());
    out.extend_from_slice(b"\"}\n");
    crc
}

/// A line of the file taken apart; whether it fits is asked with [`Trailer::verify`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailer<'a> {
    /// The public line without its closing `}`.
    pub open: &'a [u8],
    /// The write that brought this line goes on with the next one.
    pub more: bool,
    /// The checksum that the line states.
    pub crc: u32,
    covered: &'a [u8],
}

impl<'a> Trailer<'a> {
    /// Takes a line without its `\n` apart; `None` if it does not end as a sealed line must.
    pub fn of(line: &'a [u8]) -> Option<Trailer<'a>> {
        let covered = &line[..line.len().checked_sub(SEAL_BYTES)?];
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

    /// Whether the line is what was written behind a line with the checksum `before`.
    pub fn verify(&self, before: u32) -> bool {
        crc::append(before, self.covered) == self.crc
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_line_comes_apart_as_it_was_put_together() {
        for more in [false, true] {
            let mut out = b"before\n{\"seq\":1".to_vec();
            let crc = append_trailer(&mut out, 7, more, 77);
            let line = out[7..].strip_suffix(b"\n").unwrap();
            let sealed = Trailer::of(line).unwrap();
            assert_eq!((sealed.open, sealed.more, sealed.crc), (&b"{\"seq\":1"[..], more, crc));
            assert!(sealed.verify(77) && !sealed.verify(78));
        }
    }

    #[test]
    fn every_flipped_bit_of_a_sealed_line_is_noticed() {
        let mut line = b"{\"seq\":1,\"content\":\"hi\"".to_vec();
        append_trailer(&mut line, 0, true, 5);
        line.pop();
        for bit in 0..line.len() * 8 {
            let mut flipped = line.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!Trailer::of(&flipped).is_some_and(|sealed| sealed.verify(5)), "bit {bit}");
        }
    }
}
