//! CRC-32 as gzip has it (RFC 1952 §8), which can be put together from those of parts.
//!
//! A table of 1 KiB and a byte at a time: what is summed is compressed as well, which takes many times as long. The crate for it, faster by far, was
//! 19 KB of the program.

/// The polynomial, its coefficients from the lowest bit to the highest turned around: the highest power is bit 0.
const POLYNOMIAL: u32 = 0xedb8_8320;
/// What each byte does to the remainder.
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut remainder = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            remainder = times_x(remainder);
            bit += 1;
        }
        table[byte] = remainder;
        byte += 1;
    }
    table
}

/// The product with x, modulo the polynomial.
const fn times_x(value: u32) -> u32 {
    (value >> 1) ^ (POLYNOMIAL & (value & 1).wrapping_neg())
}

/// The product of two polynomials, modulo the polynomial.
fn product(mut left: u32, right: u32) -> u32 {
    let mut sum = 0;
    for power in (0..32).rev() {
        sum ^= left & ((right >> power) & 1).wrapping_neg();
        left = times_x(left);
    }
    sum
}

/// The checksum of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crc32 {
    value: u32,
    /// How many bytes it is of.
    length: usize,
}

impl Crc32 {
    /// The checksum of `bytes`.
    pub fn of(bytes: &[u8]) -> Crc32 {
        let step = |sum: u32, &byte: &u8| TABLE[(sum as u8 ^ byte) as usize] ^ (sum >> 8);
        Crc32 { value: !bytes.iter().fold(!0, step), length: bytes.len() }
    }

    /// The checksum of these bytes and, behind them, those of `next`: the former moved up by the length of the latter, x^(8·length), plus the
    /// latter, since the inversions at both ends cancel out.
    #[must_use]
    pub fn then(self, next: Crc32) -> Crc32 {
        // x^8, and by squaring x^16, x^32 and so on; 1 is the highest bit.
        let (mut moved, mut power, mut rest) = (self.value, 1 << 23, next.length);
        while rest > 0 {
            if rest & 1 == 1 {
                moved = product(moved, power);
            }
            power = product(power, power);
            rest >>= 1;
        }
        Crc32 { value: moved ^ next.value, length: self.length + next.length }
    }

    /// The end of a gzip file with these bytes: the checksum and the length modulo 2^32 (RFC 1952 §2.3.1).
    pub fn gzip_trailer(self) -> [u8; 8] {
        let number = u64::from(self.value) | u64::from(self.length as u32) << 32;
        number.to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_nine_digits_is_the_known_one() {
        // The check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms.
        assert_eq!(Crc32::of(b"123456789").value, 0xcbf4_3926);
        assert_eq!(Crc32::of(b"").value, 0);
    }

    #[test]
    fn parts_put_together_have_the_checksum_of_the_whole() {
        let bytes: Vec<u8> = (0..700u32).map(|number| ((number * number) >> 3) as u8).collect();
        for cut in 0..=bytes.len() {
            let (left, right) = bytes.split_at(cut);
            assert_eq!(Crc32::of(left).then(Crc32::of(right)), Crc32::of(&bytes), "{cut}");
        }
    }
}
