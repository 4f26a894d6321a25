//! What is inside the brackets of links: addresses, escapes and entities (CommonMark 0.31, §2.4, §2.5, §6.3 and §6.5).
//!
//! Each function looks from one position on, and no further than to what would end it.

use std::ops::Range;

/// Brackets in brackets in an address; CommonMark asks for three, its reference for 32.
const BRACKETS_MAX: usize = 32;
/// Longer than any in use: `&#x10ffff;` and leading zeros.
const ENTITY_BYTES_MAX: usize = 12;

/// The address after a `(`, still escaped, and the position after the `)`. A title is passed over.
pub fn destination(text: &str, from: usize) -> Option<(&str, usize)> {
    let bytes = text.as_bytes();
    let start = skip_spaces(bytes, from);
    let place = if bytes.get(start) == Some(&b'<') {
        start + 1..until(bytes, start + 1, b'>', b"<\n")?
    } else {
        bare(bytes, start)?
    };
    let after = place.end + usize::from(bytes[start] == b'<');
    let mut end = skip_spaces(bytes, after);
    let title = match bytes.get(end)? {
        b'"' => until(bytes, end + 1, b'"', b""),
        b'\'' => until(bytes, end + 1, b'\'', b""),
        b'(' => until(bytes, end + 1, b')', b"("),
        _ => None,
    };
    if let Some(title) = title
        && end > after
    {
        end = skip_spaces(bytes, title + 1);
    }
    (bytes.get(end) == Some(&b')')).then_some((&text[place], end + 1))
}

/// An address without angle brackets, up to a space or a bracket that it did not open.
fn bare(bytes: &[u8], start: usize) -> Option<Range<usize>> {
    let (mut at, mut depth) = (start, 0);
    loop {
        match bytes.get(at)? {
            b'\\' if is_escape(bytes, at) => at += 1,
            b'(' if depth == BRACKETS_MAX => return None,
            b'(' => depth += 1,
            b')' if depth > 0 => depth -= 1,
            b')' => break,
            byte if *byte <= b' ' || *byte == 0x7f => break,
            _ => {}
        }
        at += 1;
    }
    (depth == 0).then_some(start..at)
}

/// Where something ends that cannot hold some characters, but for escaped ones.
fn until(bytes: &[u8], from: usize, end: u8, never: &[u8]) -> Option<usize> {
    let mut at = from;
    loop {
        let byte = *bytes.get(at)?;
        if byte == end {
            return Some(at);
        }
        if never.contains(&byte) {
            return None;
        }
        at += if is_escape(bytes, at) { 2 } else { 1 };
    }
}

fn skip_spaces(bytes: &[u8], from: usize) -> usize {
    from + bytes[from..].iter().take_while(|byte| b" \t\n".contains(byte)).count()
}

/// The position of the `>` of an address in angle brackets, which begin at a position.
pub fn angle_end(text: &str, from: usize) -> Option<usize> {
    let end = |char: char| "<>\"`\\".contains(char) || char.is_whitespace() || char.is_control();
    let length = text[from + 1..].find(end)?;
    text[from + 1 + length..].starts_with('>').then_some(from + 1 + length)
}

/// Whether a text is an address of e-mail, in its plain form.
pub fn is_mail(text: &str) -> bool {
    let is_plain = |part: &str| {
        part.starts_with(|char: char| char.is_ascii_alphanumeric())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte))
    };
    text.split_once('@').is_some_and(|(to, host)| is_plain(to) && is_plain(host))
}

/// Whether a backslash stands before punctuation, which it takes the meaning from.
pub fn is_escape(bytes: &[u8], at: usize) -> bool {
    bytes[at] == b'\\' && bytes.get(at + 1).is_some_and(u8::is_ascii_punctuation)
}

/// The character that the entity at a position stands for, and how long it is: the five that HTML needs, and numbers.
pub fn entity(text: &str, at: usize) -> Option<(char, usize)> {
    let bytes = &text.as_bytes()[at..];
    if bytes[0] != b'&' {
        return None;
    }
    let end = bytes.iter().take(ENTITY_BYTES_MAX).position(|byte| *byte == b';')?;
    let name = &text[at + 1..at + end];
    let char = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let (digits, radix) = match number.strip_prefix(['x', 'X']) {
                Some(digits) => (digits, 16),
                None => (number, 10),
            };
            // A sign would be a number to Rust.
            if !digits.starts_with(|char: char| char.is_ascii_hexdigit()) {
                return None;
            }
            char::from_u32(u32::from_str_radix(digits, radix).ok()?)?
        }
    };
    Some((char, end + 1))
}

/// A text without the escapes and entities in it.
pub fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = text[at..].find(['\\', '&']) {
        out.push_str(&text[at..at + found]);
        at += found;
        if let Some((char, length)) = entity(text, at) {
            out.push(char);
            at += length;
            continue;
        }
        if is_escape(text.as_bytes(), at) {
            at += 1;
        }
        // The first is ASCII, and so is what is escaped.
        out.push_str(&text[at..at + 1]);
        at += 1;
    }
    out.push_str(&text[at..]);
    out
}
