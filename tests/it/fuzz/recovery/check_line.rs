//! A second reader of lines, by a checksum and a JSON reader of its own.

use serde_json::Value;

pub(super) const CRC_BYTES: usize = ",\"crc\":\"00000000\"}".len();

/// What a line's checksum covers, and the checksum.
pub(super) fn stated(line: &[u8]) -> Option<(&[u8], u32)> {
    let (covered, crc_field) = line.split_at_checked(line.len().checked_sub(CRC_BYTES)?)?;
    let digits = crc_field.strip_prefix(b",\"crc\":\"")?.strip_suffix(b"\"}")?;
    let is_crc = digits.iter().all(|digit| b"0123456789abcdef".contains(digit));
    let crc = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (is_crc && covered.first() == Some(&b'{')).then_some((covered, crc))
}

/// RFC 3720 §12.1: what each byte does to the checksum, worked out a bit at a time.
const CRC32C: [u32; 256] = {
    let (mut table, mut byte) = ([0; 256], 0);
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = crc >> 1 ^ (0x82f6_3b78 * (crc & 1));
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

pub(super) fn crc32c(before: u32, bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!before, |crc, &byte| crc >> 8 ^ CRC32C[(crc as u8 ^ byte) as usize])
}

/// Lines of a file, each with whether it has an end.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(|line| match line.strip_suffix(b"\n") {
        Some(line) => (line, true),
        None => (line, false),
    })
}

/// The line's `seq` and checksum, where it is good behind one with these.
pub(super) fn check_line(line: &[u8], crc: u32, seq: u64) -> Option<(u64, u32)> {
    let (covered, stated) = stated(line).filter(|(covered, crc_)| crc32c(crc, covered) == *crc_)?;
    assert!(covered.len() < line.len());
    // Whether its text is UTF-8 is asked when somebody reads it.
    let json: Value = serde_json::from_str(&String::from_utf8_lossy(line)).ok()?;
    let own = json.get("seq").and_then(Value::as_u64).filter(|own| *own > seq)?;
    Some((own, stated))
}
