//! The trailer of a log line: what the file has behind the public line, and how it is verified.
//!
//! ```text
//! {"seq":7, … }                                what readers get
//! {"seq":7, … ,"more":1,"crc":"5d0c1a7e"}\n    what the file holds; `more` only if the same write goes on
//! ```
//!
//! Between the two may stand [`h`](super::chain).
//!
//! The checksum is CRC-32C (Castagnoli, RFC 3720 §12.1) over the line from `{` up to, but not including, `,"crc"`. It
//! continues from the checksum of the line before, so a line is valid only behind the line it was written behind. Knows no files.

use crc32c::crc32c_append;

use super::chain::{ChainHash, FIELD, FIELD_BYTES_MAX, without_hash};

pub(super) const CRC: &[u8] = b",\"crc\":\"";
pub(super) const MORE: &[u8] = b",\"more\":1";
/// `,"crc":"`, 8 hex digits, `"}`.
pub(super) const CRC_BYTES: usize = CRC.len() + 8 + 2;
/// Bytes that a trailer adds to a public line at most, line feed included. The `}` does not count: the public line has one too.
pub const TRAILER_BYTES_MAX: usize = FIELD_BYTES_MAX + MORE.len() + CRC_BYTES;

/// Completes the line that begins at `start` in `out` and lacks its closing `}`, and returns its checksum. `before` is the checksum
/// of the line before it.
pub fn append_trailer(out: &mut Vec<u8>, start: usize, more: bool, before: u32) -> u32 {
    debug_assert_eq!(out[start], b'{', "a line begins at its start");
    if more {
        out.extend_from_slice(MORE);
    }
    let crc = crc32c_append(before, &out[start..]);
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
    /// The same with the hash behind it, if the line has one: what a copy of the line keeps.
    pub chained: &'a [u8],
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
        let (chained, more) = match covered.strip_suffix(MORE) {
            Some(chained) => (chained, true),
            None => (covered, false),
        };
        Some(Trailer { open: without_hash(chained), chained, more, crc, covered })
    }

    /// Returns the hash that binds the line to those before it; a log of one machine has none.
    pub fn chain(&self) -> Option<ChainHash> {
        let field = &self.chained[self.open.len()..];
        ChainHash::parse(field.strip_prefix(FIELD)?.strip_suffix(b"\"")?)
    }

    /// Whether the checksum is right for a line behind one with the checksum `before`.
    pub fn verify(&self, before: u32) -> bool {
        crc32c_append(before, self.covered) == self.crc
    }
}

#[cfg(test)]
mod tests {
    use crc32c::crc32c;

    use super::*;

    /// The example of the documented format.
    const DOCUMENTED: &str = r#"{"sayso":1,"log":"9c41f0aa53d7e6b2","created_at":"2026-11-22T05:07:13.123Z","next":1,"crc":"e8d10d96"}
{"seq":1,"id":1,"page":"/","name":"Ada","author":"q83vEjRWeJCrze8SNFZ4kA","content":"First!","created_at":"2026-11-22T05:08:00.001Z","nonce":"4f1c6d0be2a94f07","crc":"a7123ee8"}
{"seq":2,"id":2,"page":"/","parent":1,"content":"Second.","created_at":"2026-11-22T05:08:00.001Z","nonce":"77ab03c1d95e4a12","more":1,"crc":"32ea09ad"}
{"seq":3,"id":1,"page":"/","name":"Ada","author":"q83vEjRWeJCrze8SNFZ4kA","content":"First *indeed*","html":"<p>First <em>indeed</em></p>","created_at":"2026-11-22T05:08:00.001Z","edited_at":"2026-11-22T05:09:30.250Z","nonce":"4f1c6d0be2a94f07","crc":"bb1f3057"}
"#;

    #[test]
    fn the_documented_lines_are_sealed_as_documented() {
        let (mut out, mut crc) = (Vec::new(), 0);
        for line in DOCUMENTED.lines() {
            let trailer = Trailer::of(line.as_bytes()).unwrap();
            assert!(trailer.verify(crc), "{line}");
            let start = out.len();
            out.extend_from_slice(trailer.open);
            crc = append_trailer(&mut out, start, trailer.more, crc);
            assert_eq!(crc, trailer.crc, "{line}");
        }
        assert_eq!(str::from_utf8(&out), Ok(DOCUMENTED));
    }

    #[test]
    fn the_check_value_and_the_examples_of_rfc_3720_come_out() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let rising: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&rising), 0x46dd_794e);
        assert_eq!((crc32c(b""), crc32c_append(7, b"")), (0, 7));
    }

    #[test]
    fn a_checksum_is_the_same_in_any_parts_and_lengths() {
        // Bit by bit, as the polynomial is defined.
        let step = |crc: u32, _| (crc >> 1) ^ ((crc & 1) * 0x82f6_3b78);
        let slowly = |before: u32, bytes: &[u8]| {
            !bytes.iter().fold(!before, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
        };
        let bytes: Vec<u8> = (0..3_000u32).map(|n| ((n * n) >> 3) as u8).collect();
        for end in (0..300).chain([1_023, 1_024, 1_025, 2_047, 3_000]) {
            let whole = slowly(7, &bytes[..end]);
            for at in [0, end / 3, end / 2, end] {
                let parts = crc32c_append(crc32c_append(7, &bytes[..at]), &bytes[at..end]);
                assert_eq!(parts, whole, "{at} of {end}");
            }
        }
    }

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
    fn a_hash_is_no_part_of_the_public_line() {
        for more in [false, true] {
            let mut out = br#"{"seq":1,"h":"7.00000000000000ab""#.to_vec();
            let crc = append_trailer(&mut out, 0, more, 77);
            let trailer = Trailer::of(out.strip_suffix(b"\n").unwrap()).unwrap();
            assert_eq!((trailer.open, trailer.more, trailer.crc), (&b"{\"seq\":1"[..], more, crc));
            assert_eq!(trailer.chained, br#"{"seq":1,"h":"7.00000000000000ab""#);
            assert_eq!(trailer.chain(), Some(ChainHash { run: 7, hash: 0xab }));
            assert!(trailer.verify(77));
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
