//! CRC-32C (Castagnoli, RFC 3720 §12.1 and appendix B.4), continued from what came before.
//!
//! Pure. Eight bytes a step by eight tables ("slicing-by-8": Kounavis and Berry, "A Systematic Approach to Building High Performance
//! Software-Based CRC Generators", 2005). The tables are made at the first use: in the binary they, and the other ways of a crate that
//! has them all, would be 18 KB; an instruction for it is out of reach without `unsafe`.

use std::sync::OnceLock;

/// The polynomial, its lowest power first.
const POLYNOMIAL: u32 = 0x82f6_3b78;

type Tables = [[u32; 256]; 8];

static TABLES: OnceLock<Box<Tables>> = OnceLock::new();

/// The checksum of `bytes` alone.
pub fn crc32c(bytes: &[u8]) -> u32 {
    append(0, bytes)
}

/// The checksum of something whose checksum is `before`, followed by `bytes`.
pub fn append(before: u32, bytes: &[u8]) -> u32 {
    let tables = TABLES.get_or_init(make);
    let mut crc = !before;
    let (steps, rest) = bytes.as_chunks::<8>();
    for step in steps {
        let x = u64::from_le_bytes(*step) ^ u64::from(crc);
        let at = |table: usize| tables[table][usize::from((x >> (56 - 8 * table)) as u8)];
        crc = at(0) ^ at(1) ^ at(2) ^ at(3) ^ at(4) ^ at(5) ^ at(6) ^ at(7);
    }
    for byte in rest {
        crc = (crc >> 8) ^ tables[0][usize::from(crc as u8 ^ byte)];
    }
    !crc
}

/// Of each byte the remainder, followed by no, one, two … seven bytes of zero.
fn make() -> Box<Tables> {
    let mut tables = Box::new([[0; 256]; 8]);
    for byte in 0..256 {
        let mut crc = byte as u32;
        for _ in 0..8 {
            crc = (crc >> 1) ^ ((crc & 1) * POLYNOMIAL);
        }
        tables[0][byte] = crc;
    }
    for table in 1..8 {
        for byte in 0..256 {
            let crc = tables[table - 1][byte];
            tables[table][byte] = (crc >> 8) ^ tables[0][usize::from(crc as u8)];
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit by bit, as the polynomial is defined.
    fn slowly(before: u32, bytes: &[u8]) -> u32 {
        let step = |crc: u32, _| (crc >> 1) ^ ((crc & 1) * POLYNOMIAL);
        !bytes.iter().fold(!before, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
    }

    #[test]
    fn the_check_value_and_the_examples_of_rfc_3720_come_out() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let rising: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&rising), 0x46dd_794e);
        assert_eq!(crc32c(b""), 0);
    }

    #[test]
    fn it_is_the_same_in_any_parts_and_lengths() {
        let bytes: Vec<u8> = (0..300u32).map(|n| ((n * n) >> 3) as u8).collect();
        for end in 0..bytes.len() {
            let whole = slowly(7, &bytes[..end]);
            for at in [0, end / 3, end / 2, end] {
                assert_eq!(
                    append(append(7, &bytes[..at]), &bytes[at..end]),
                    whole,
                    "{at} of {end}"
                );
            }
        }
    }
}
