//! Decompression, for the few clients that don't take what is stored compressed: gzip (RFC 1952) around deflate (RFC 1951).
//!
//! Small rather than fast: a bit at a time, as canonical Huffman codes are defined. Takes every input: what is malformed or cut
//! off is `None`, and no more is written than the end of the input says.

/// What no file that is served is longer than, decompressed; bytes.
const LENGTH_MAX: usize = 16 << 20;
/// Bits of the longest code.
const CODE_BITS_MAX: usize = 15;
/// The order in which the lengths of the lengths' codes are given (§3.2.7).
const LENGTHS_ORDER: [u8; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The content of a gzip file of one member without optional header fields, as `build.rs` makes them. Its checksum is not looked
/// at: what is embedded was checked by whoever checked the binary.
pub fn gunzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let body = bytes.strip_prefix(&[0x1f, 0x8b, 8, 0])?.get(6..)?;
    let (body, length) = body.split_last_chunk::<4>()?;
    let (body, _crc) = body.split_last_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    let out = inflate(body, length)?;
    (out.len() == length).then_some(out)
}

/// The content of a deflate stream, if that is at most `length` bytes.
fn inflate(bytes: &[u8], length: usize) -> Option<Vec<u8>> {
    if length > LENGTH_MAX {
        return None;
    }
    let mut bits = Bits { bytes, at: 0 };
    let mut out = Vec::with_capacity(length);
    loop {
        let is_last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => stored(&mut bits, &mut out)?,
            1 => {
                let (literals, distances) = fixed();
                block(&mut bits, &literals, &distances, &mut out, length)?;
            }
            2 => {
                let (literals, distances) = dynamic(&mut bits)?;
                block(&mut bits, &literals, &distances, &mut out, length)?;
            }
            _ => return None,
        }
        if out.len() > length {
            return None;
        }
        if is_last {
            return Some(out);
        }
    }
}

/// §3.2.4
fn stored(bits: &mut Bits, out: &mut Vec<u8>) -> Option<()> {
    bits.at = bits.at.next_multiple_of(8);
    let (count, inverted) = (bits.take(16)?, bits.take(16)?);
    let start = bits.at / 8;
    let copied =
        bits.bytes.get(start..start + count as usize).filter(|_| count ^ inverted == 0xffff)?;
    out.extend_from_slice(copied);
    bits.at += copied.len() * 8;
    Some(())
}

/// §3.2.6
fn fixed() -> (Code, Code) {
    let mut lengths = [8; 288];
    lengths[144..256].fill(9);
    lengths[256..280].fill(7);
    (Code::of(&lengths), Code::of(&[5; 30]))
}

/// §3.2.7
fn dynamic(bits: &mut Bits) -> Option<(Code, Code)> {
    let literals = bits.take(5)? as usize + 257;
    let distances = bits.take(5)? as usize + 1;
    let count = bits.take(4)? as usize + 4;
    let mut lengths = [0; 19];
    for &at in &LENGTHS_ORDER[..count] {
        lengths[at as usize] = bits.take(3)? as u8;
    }
    let code = Code::of(&lengths);
    let mut lengths = Vec::with_capacity(literals + distances);
    while lengths.len() < literals + distances {
        let (length, times) = match code.next(bits)? {
            symbol @ 0..16 => (symbol as u8, 1),
            16 => (*lengths.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            _ => (0, 11 + bits.take(7)?),
        };
        lengths.extend(std::iter::repeat_n(length, times as usize));
    }
    if lengths.len() > literals + distances {
        return None;
    }
    let (literals, distances) = lengths.split_at(literals);
    Some((Code::of(literals), Code::of(distances)))
}

/// §3.2.5
fn block(
    bits: &mut Bits,
    literals: &Code,
    distances: &Code,
    out: &mut Vec<u8>,
    length: usize,
) -> Option<()> {
    loop {
        let symbol = u32::from(literals.next(bits)?);
        let count = match symbol {
            0..256 => {
                out.push(symbol as u8);
                1
            }
            256 => return Some(()),
            257..265 => symbol - 254,
            265..285 => {
                let extra = (symbol - 261) / 4;
                3 + (((symbol - 261) % 4 + 4) << extra) + bits.take(extra)?
            }
            285 => 258,
            _ => return None,
        };
        if symbol > 256 {
            let distance = match u32::from(distances.next(bits)?) {
                symbol @ 0..4 => symbol + 1,
                symbol @ 4..30 => {
                    let extra = symbol / 2 - 1;
                    1 + ((symbol % 2 + 2) << extra) + bits.take(extra)?
                }
                _ => return None,
            };
            let from = out.len().checked_sub(distance as usize)?;
            // Byte after byte: a match may reach into what it makes.
            for at in from..from + count as usize {
                out.push(out[at]);
            }
        }
        if out.len() > length {
            return None;
        }
    }
}

/// A canonical Huffman code (§3.2.2).
struct Code {
    /// Symbols of each length.
    counts: [u16; CODE_BITS_MAX + 1],
    /// Symbols by length, then by value.
    symbols: Vec<u16>,
}

impl Code {
    fn of(lengths: &[u8]) -> Code {
        let mut counts = [0; CODE_BITS_MAX + 1];
        for &length in lengths {
            counts[length as usize] += 1;
        }
        let mut symbols = Vec::with_capacity(lengths.len());
        for wanted in 1..=CODE_BITS_MAX as u8 {
            for (symbol, &length) in lengths.iter().enumerate() {
                if length == wanted {
                    symbols.push(symbol as u16);
                }
            }
        }
        Code { counts, symbols }
    }

    /// The symbol whose code comes next; `None` where none has it.
    fn next(&self, bits: &mut Bits) -> Option<u16> {
        // What was read, less the first code of the length; and how many symbols have shorter ones.
        let (mut code, mut shorter) = (0, 0);
        for &count in &self.counts[1..] {
            code += bits.take(1)?;
            let count = u32::from(count);
            if code < count {
                return self.symbols.get((shorter + code) as usize).copied();
            }
            shorter += count;
            code = (code - count) << 1;
        }
        None
    }
}

/// Bits from the lowest of each byte on (§3.1.1).
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// A number of at most 16 bits, the first of which counts least.
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut number = 0;
        for bit in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            number |= u32::from(byte >> (self.at % 8) & 1) << bit;
            self.at += 1;
        }
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Nothing, one byte, text, one long run, noise beyond one stored block, and all of these.
    fn samples() -> Vec<Vec<u8>> {
        let mut seed = 1_u32;
        let noise = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        let noise: Vec<u8> = std::iter::repeat_with(noise).take(70_000).collect();
        let text = include_bytes!("inflate.rs").to_vec();
        let run = vec![b'a'; 100_000];
        let all = [&noise[..], &text, &run, &text].concat();
        vec![Vec::new(), vec![7], b"abcabcabcd".to_vec(), text, run, noise, all]
    }

    #[test]
    fn what_an_encoder_made_at_any_level_comes_back_as_it_was() {
        for sample in samples() {
            for level in 0..10 {
                let packed = gzip(&sample, level);
                assert!(gunzip(&packed).as_ref() == Some(&sample), "{} at {level}", sample.len());
            }
        }
    }

    #[test]
    fn what_is_cut_off_is_nothing() {
        for level in [0, 1, 9] {
            let packed = gzip(&include_bytes!("inflate.rs")[..3_000], level);
            for end in 0..packed.len() {
                assert_eq!(gunzip(&packed[..end]), None, "{end} bytes at level {level}");
            }
        }
    }

    #[test]
    fn no_changed_bit_makes_more_than_was_announced_or_ends_the_process() {
        let sample = &include_bytes!("inflate.rs")[..1_000];
        for level in [0, 1, 9] {
            let packed = gzip(sample, level);
            for bit in 0..packed.len() * 8 {
                let mut changed = packed.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let announced = u32::from_le_bytes(*changed.last_chunk().unwrap()) as usize;
                assert!(gunzip(&changed).is_none_or(|out| out.len() == announced), "bit {bit}");
            }
        }
    }
}
