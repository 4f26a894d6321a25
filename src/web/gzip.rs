//! gzip (RFC 1952) for answers: of a whole one, and of one whose few bytes in the middle are other ones each time.
//!
//! Knows no request.

use std::io::{self, Read, Write};

use flate2::{
    Compression, Crc,
    read::GzDecoder,
    write::{DeflateEncoder, GzEncoder},
};

/// No name, no time, no system (RFC 1952 §2.3).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// A stored block that is not the last one (RFC 1951 §3.2.4) has this in front of its length.
const STORED: u8 = 0;
/// A client waits while its answer is compressed, so the fastest level.
const LEVEL: Compression = Compression::fast();

/// These bytes, compressed.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), LEVEL);
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("a vector takes all bytes")
}

/// The content of a gzip file, if it is one.
pub fn gunzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut content)?;
    Ok(content)
}

/// Bytes that are compressed but for a gap, and can be sent as one gzip file again and again, with something else in the gap.
///
/// One file of several members would be simpler, but browsers take only the first. So the gap is a stored block of its own, and what
/// follows refers to nothing before it.
pub struct Gap {
    /// From the gzip header to the end of a block, which ends with a byte.
    head: Vec<u8>,
    head_crc: Crc,
    /// Blocks up to the last one.
    tail: Vec<u8>,
    tail_crc: Crc,
}

impl Gap {
    /// Compresses what is before and after the gap.
    pub fn new(head: &[u8], tail: &[u8]) -> Gap {
        Gap::pack(head, tail).expect("a vector takes all bytes")
    }

    fn pack(head: &[u8], tail: &[u8]) -> io::Result<Gap> {
        let (mut head_crc, mut tail_crc) = (Crc::new(), Crc::new());
        head_crc.update(head);
        tail_crc.update(tail);
        let mut encoder = DeflateEncoder::new(HEADER.to_vec(), LEVEL);
        encoder.write_all(head)?;
        // Ends the block and fills up the byte; only `finish` would mark it as the last.
        encoder.flush()?;
        let head = encoder.get_ref().clone();
        let mut encoder = DeflateEncoder::new(Vec::new(), LEVEL);
        encoder.write_all(tail)?;
        Ok(Gap { head, head_crc, tail: encoder.finish()?, tail_crc })
    }

    /// The gzip file with this in the gap, which one stored block must hold.
    pub fn filled(&self, middle: &[u8]) -> Vec<u8> {
        let length = u16::try_from(middle.len()).expect("a gap is short");
        let mut crc = Crc::new();
        crc.combine(&self.head_crc);
        let mut middle_crc = Crc::new();
        middle_crc.update(middle);
        crc.combine(&middle_crc);
        crc.combine(&self.tail_crc);
        [
            &self.head[..],
            &[STORED],
            &length.to_le_bytes(),
            &(!length).to_le_bytes(),
            middle,
            &self.tail,
            &crc.sum().to_le_bytes(),
            &crc.amount().to_le_bytes(),
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_compressed_comes_back() {
        for text in ["", "a", &"abc ".repeat(10_000)] {
            assert_eq!(gunzip(&gzip(text.as_bytes())).unwrap(), text.as_bytes());
        }
        assert!(gzip(&[b'a'; 10_000]).len() < 200);
        assert!(gunzip(&gzip(b"abc")[..12]).is_err() && gunzip(b"abc").is_err());
    }

    #[test]
    fn a_gap_is_filled_again_and_again() {
        let long = "<p>again and again</p>".repeat(3_000);
        for (head, tail) in [("", ""), ("a", "b"), (&*long, &*long), (&*long, ""), ("", &*long)] {
            let gap = Gap::new(head.as_bytes(), tail.as_bytes());
            for middle in ["", "0123456789012345678901", &long[..40_000]] {
                let whole = gunzip(&gap.filled(middle.as_bytes())).unwrap();
                assert!(whole == [head, middle, tail].concat().as_bytes(), "{middle}");
            }
            assert!(gap.filled(b"x").len() < 2_000);
        }
    }
}
