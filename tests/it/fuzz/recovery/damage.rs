//! What is done to a file that was written well.

use sayso::limits::LINE_BYTES_MAX;

use super::{
    check_line::{CRC_BYTES, crc32c, stated},
    script::Script,
};

/// A file does not grow beyond this by what is done to it, but for one long line.
const FILE_BYTES_MAX: usize = 16 * 1024;

fn span(bytes: &[u8], script: &mut Script) -> std::ops::Range<usize> {
    let from = script.number() % (bytes.len() + 1);
    let most = (bytes.len() - from).min(1 + script.number() % 1024);
    from..from + most
}

fn line_span(bytes: &[u8], script: &mut Script) -> std::ops::Range<usize> {
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let number = script.byte() % lines.len().max(1);
    let from = lines[..number.min(lines.len())].iter().map(|line| line.len()).sum();
    from..from + lines.get(number).map_or(0, |line| line.len())
}

pub(super) fn mistreat(bytes: &mut Vec<u8>, script: &mut Script, one_long_line: &mut bool) {
    let deed = script.byte() % 16;
    match deed {
        0 => bytes.truncate(script.number() % (bytes.len() + 1)),
        1 | 2 if !bytes.is_empty() => {
            let at = script.number() % bytes.len();
            bytes[at] ^= 1 << (script.byte() % 8);
        }
        3 => {
            let span = span(bytes, script);
            bytes[span].fill(0);
        }
        4 => drop(bytes.drain(span(bytes, script))),
        5 | 6 => {
            let copy = bytes[span(bytes, script)].to_vec();
            let at = script.number() % (bytes.len() + 1);
            if deed == 5 {
                insert(bytes, at, &copy);
            } else {
                overwrite(bytes, at, &copy);
            }
        }
        7 | 8 => {
            let at = script.number() % (bytes.len() + 1);
            let count = script.byte() % 24;
            let new = script.bytes(count);
            if deed == 7 { insert(bytes, at, new) } else { overwrite(bytes, at, new) }
        }
        9 => drop(bytes.drain(line_span(bytes, script))),
        10 | 11 => {
            let copy = bytes[line_span(bytes, script)].to_vec();
            let at = if deed == 10 { bytes.len() } else { line_span(bytes, script).start };
            insert(bytes, at, &copy);
        }
        12 | 13 => rewrite_crc(bytes, script),
        // Seldom, as it takes long.
        14 if *one_long_line && script.byte() < 64 => {
            *one_long_line = false;
            let at = line_span(bytes, script).start;
            let long = vec![b"x{\n"[script.byte() % 3]; LINE_BYTES_MAX + script.byte()];
            bytes.splice(at..at, long);
        }
        _ => {
            let span = span(bytes, script);
            bytes[span].reverse();
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    if bytes.len() + new.len() <= FILE_BYTES_MAX {
        bytes.splice(at..at, new.iter().copied());
    }
}

fn overwrite(bytes: &mut [u8], at: usize, new: &[u8]) {
    let count = new.len().min(bytes.len() - at);
    bytes[at..at + count].copy_from_slice(&new[..count]);
}

/// Gives every line from one on the checksum that belongs there: then only what the lines say can be wrong.
fn rewrite_crc(bytes: &mut [u8], script: &mut Script) {
    let from = line_span(bytes, script).start;
    let mut crc = before(&bytes[..from]);
    let mut rest = &mut bytes[from..];
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, later) = rest.split_at_mut(end + 1);
        let Some(covered) = end.checked_sub(CRC_BYTES) else { return };
        crc = crc32c(crc, &line[..covered]);
        line[covered..end].copy_from_slice(format!(",\"crc\":\"{crc:08x}\"}}").as_bytes());
        rest = later;
    }
}

/// The checksum that the last line states, or that of none.
fn before(bytes: &[u8]) -> u32 {
    let line = bytes.strip_suffix(b"\n").unwrap_or_default();
    stated(line.rsplit(|byte| *byte == b'\n').next().unwrap_or_default())
        .map_or(0, |crc_field| crc_field.1)
}
