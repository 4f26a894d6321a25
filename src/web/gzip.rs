//! gzip (RFC 1952) for responses: of whole bodies, and of cached bodies with a few bytes that differ in each response.
//!
//! Knows no request.

use miniz_oxide::{
    DataFormat,
    deflate::core::{CompressorOxide, TDEFLFlush, compress_to_output},
    inflate::decompress_to_vec,
};

use crate::web::crc32::Crc32;

/// A gzip header without file name, time and operating system (RFC 1952 §2.3).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The checksum and the length at the end, in bytes.
const TRAILER_BYTES: usize = 8;
/// The byte before the length of a stored block that is not the last one (RFC 1951 §3.2.4).
const STORED: u8 = 0;
/// The fastest level, since a client waits while its response is compressed.
const LEVEL: u8 = 1;

/// Compresses `bytes`.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut file = HEADER.to_vec();
    deflate(bytes, TDEFLFlush::Finish, &mut file);
    file.extend_from_slice(&Crc32::of(bytes).gzip_trailer());
    file
}

/// Decompresses a gzip file with a header as short as [`gzip`] writes it; `None` if `file` is anything else or not complete.
pub fn gunzip(file: &[u8]) -> Option<Vec<u8>> {
    let file = file.strip_prefix(&HEADER[..4])?.get(HEADER.len() - 4..)?;
    let (blocks, end) = file.split_at_checked(file.len().checked_sub(TRAILER_BYTES)?)?;
    let content = decompress_to_vec(blocks).ok()?;
    (end == Crc32::of(&content).gzip_trailer()).then_some(content)
}

/// Appends the blocks of `bytes`. `Sync` ends them at a byte boundary, `Finish` marks the last one as such.
fn deflate(bytes: &[u8], flush: TDEFLFlush, out: &mut Vec<u8>) {
    let mut compressor: Box<CompressorOxide> = Box::default();
    compressor.set_format_and_level(DataFormat::Raw, LEVEL);
    compress_to_output(&mut compressor, bytes, flush, |part| {
        out.extend_from_slice(part);
        true
    });
}

/// A compressed body with a gap that is filled anew for each response, without compressing the rest again.
///
/// A gzip file with several members would be simpler, but browsers decompress only the first. So the gap is a stored block of its own,
/// and the blocks behind it refer to nothing before it.
pub struct Template {
    /// The gzip header and the blocks before the gap, which end at a byte boundary.
    head: Vec<u8>,
    head_crc: Crc32,
    /// The blocks behind the gap, with the last one.
    tail: Vec<u8>,
    tail_crc: Crc32,
}

impl Template {
    /// Compresses the bytes before and after the gap.
    pub fn new(head: &[u8], tail: &[u8]) -> Template {
        let (mut head_blocks, mut tail_blocks) = (HEADER.to_vec(), Vec::new());
        deflate(head, TDEFLFlush::Sync, &mut head_blocks);
        deflate(tail, TDEFLFlush::Finish, &mut tail_blocks);
        let (head_crc, tail_crc) = (Crc32::of(head), Crc32::of(tail));
        Template { head: head_blocks, head_crc, tail: tail_blocks, tail_crc }
    }

    /// The gzip file with `middle` in the gap, at most 65,535 bytes: one stored block.
    pub fn fill(&self, middle: &[u8]) -> Vec<u8> {
        let length =
            u16::try_from(middle.len()).expect("the gap is filled with at most 65,535 bytes");
        let crc = self.head_crc.then(Crc32::of(middle)).then(self.tail_crc);
        let (length, stored) = (length.to_le_bytes(), (!length).to_le_bytes());
        let mut file = [&self.head[..], &[STORED], &length, &stored, middle, &self.tail].concat();
        file.extend_from_slice(&crc.gzip_trailer());
        file
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
        assert!(gunzip(&gzip(b"abc")[..12]).is_none() && gunzip(b"abc").is_none());
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
