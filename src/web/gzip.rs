//! gzip (RFC 1952) for responses: of whole bodies, and of cached bodies with a few bytes that differ in each response.
//!
//! Knows no request.

use std::io::{self, Read, Write};

use flate2::{
    Compression, Crc,
    read::GzDecoder,
    write::{DeflateEncoder, GzEncoder},
};

/// A gzip header without file name, time and operating system (RFC 1952 §2.3).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The byte before the length of a stored block that is not the last one (RFC 1951 §3.2.4).
const STORED: u8 = 0;
/// The fastest level, since a client waits while its response is compressed.
const LEVEL: Compression = Compression::fast();

/// Compresses `bytes`.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), LEVEL);
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("writing to a vector never fails")
}

/// Decompresses a gzip file.
///
/// # Errors
/// Fails if `bytes` is not a complete gzip file.
pub fn gunzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut content)?;
    Ok(content)
}

/// A compressed body with a gap that is filled anew for each response, without compressing the rest again.
///
/// A gzip file with several members would be simpler, but browsers decompress only the first. So the gap is a stored block of its own,
/// and the blocks behind it refer to nothing before it.
pub struct Template {
    /// The gzip header and the blocks before the gap, which end at a byte boundary.
    head: Vec<u8>,
    head_crc: Crc,
    /// The blocks behind the gap, with the last one.
    tail: Vec<u8>,
    tail_crc: Crc,
}

impl Template {
    /// Compresses the bytes before and after the gap.
    pub fn new(head: &[u8], tail: &[u8]) -> Template {
        Template::compress(head, tail).expect("writing to a vector never fails")
    }

    fn compress(head: &[u8], tail: &[u8]) -> io::Result<Template> {
        let (mut head_crc, mut tail_crc) = (Crc::new(), Crc::new());
        head_crc.update(head);
        tail_crc.update(tail);
        let mut encoder = DeflateEncoder::new(HEADER.to_vec(), LEVEL);
        encoder.write_all(head)?;
        // `flush` ends the block at a byte boundary. `finish` would mark it as the last one.
        encoder.flush()?;
        let head = encoder.get_ref().clone();
        let mut encoder = DeflateEncoder::new(Vec::new(), LEVEL);
        encoder.write_all(tail)?;
        Ok(Template { head, head_crc, tail: encoder.finish()?, tail_crc })
    }

    /// The gzip file with `middle` in the gap, at most 65,535 bytes: one stored block.
    pub fn fill(&self, middle: &[u8]) -> Vec<u8> {
        let length =
            u16::try_from(middle.len()).expect("the gap is filled with at most 65,535 bytes");
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
    fn decompressing_returns_the_compressed_bytes() {
        for text in ["", "a", &"abc ".repeat(10_000)] {
            assert_eq!(gunzip(&gzip(text.as_bytes())).unwrap(), text.as_bytes());
        }
        assert!(gzip(&[b'a'; 10_000]).len() < 200);
        assert!(gunzip(&gzip(b"abc")[..12]).is_err() && gunzip(b"abc").is_err());
    }

    #[test]
    fn a_template_is_filled_any_number_of_times() {
        let long = "<p>again and again</p>".repeat(3_000);
        for (head, tail) in [("", ""), ("a", "b"), (&*long, &*long), (&*long, ""), ("", &*long)] {
            let template = Template::new(head.as_bytes(), tail.as_bytes());
            for middle in ["", "0123456789012345678901", &long[..40_000]] {
                let whole = gunzip(&template.fill(middle.as_bytes())).unwrap();
                assert!(whole == [head, middle, tail].concat().as_bytes(), "{middle}");
            }
            assert!(template.fill(b"x").len() < 2_000);
        }
    }
}
