//! What is inside the brackets of links: addresses and titles, escapes and entities (CommonMark 0.31, §2.4, §2.5, §6.3 and §6.5).
//!
//! Each function looks from one position on, and no further than to what ends it.

use std::ops::Range;

use super::steps;
use super::url;

/// Brackets in brackets in an address; CommonMark asks for three, its reference for 32.
const BRACKETS_MAX: usize = 33;
/// Digits of an entity, decimal and hexadecimal.
const DIGITS_MAX: [usize; 2] = [7, 6];
/// The letters and digits of a label of a host's name.
const LABEL_BYTES_MAX: usize = 63;
/// The most common of HTML's names, each with its character. All 2,125 would take 190 KB.
pub const ENTITIES: &str = "amp;& lt;< gt;> quot;\" apos;' nbsp;\u{a0} copy;\u{a9} reg;\u{ae} trade;\u{2122} hellip;\u{2026} mdash;\u{2014} \
    ndash;\u{2013} laquo;\u{ab} raquo;\u{bb} lsquo;\u{2018} rsquo;\u{2019} ldquo;\u{201c} rdquo;\u{201d} euro;\u{20ac} pound;\u{a3} \
    sect;\u{a7} para;\u{b6} times;\u{d7} deg;\u{b0} plusmn;\u{b1} middot;\u{b7} bull;\u{2022} rarr;\u{2192} larr;\u{2190}";

/// Returns the address after a `(`, still escaped, and the position after the `)`. A title is passed over. `addresses` are the
/// bare web addresses from there on: their brackets don't count, and a title contains none.
pub fn destination<'t>(
    text: &'t str,
    from: usize,
    addresses: &[Range<usize>],
) -> Option<(&'t str, usize)> {
    let bytes = text.as_bytes();
    let start = skip_spaces(bytes, from);
    let is_pointed = bytes.get(start) == Some(&b'<') && is_pointed(text, start);
    let place = if is_pointed {
        start + 1..until(bytes, start + 1, b'>', b"<\n")?
    } else {
        bare(bytes, start, addresses)?
    };
    let mut end = skip_spaces(bytes, place.end + usize::from(is_pointed));
    if let Some(behind) = title_end(text, end)
        && !addresses
            .iter()
            .take_while(|address| address.start < behind)
            .any(|address| address.start >= end)
    {
        end = skip_spaces(bytes, behind);
    }
    (bytes.get(end) == Some(&b')')).then_some((&text[place], end + 1))
}

/// Whether the `<` at a position begins an address in angle brackets: in the line of the `](`, and closed in it.
fn is_pointed(text: &str, at: usize) -> bool {
    let is_closed = text[at + 1..]
        .find(['<', '>', '\n'])
        .is_some_and(|end| text[at + 1 + end..].starts_with('>'));
    let is_here = text[..at].trim_end_matches([' ', '\t']).ends_with("](");
    is_closed && is_here || autolink(&text[at..]).is_some()
}

/// An address without angle brackets, up to a space or a bracket that it did not open.
fn bare(bytes: &[u8], start: usize, addresses: &[Range<usize>]) -> Option<Range<usize>> {
    let (mut at, mut depth) = (start, 0);
    let mut addresses = addresses.iter().peekable();
    loop {
        while let Some(address) = addresses.next_if(|address| address.start <= at) {
            steps::count(1);
            at = address.end.max(at);
        }
        steps::count(1);
        match bytes.get(at)? {
            b'\\' if is_escape(bytes, at) => at += 1,
            b'(' if depth == BRACKETS_MAX => return None,
            b'(' => depth += 1,
            b')' if depth > 0 => depth -= 1,
            b')' => break,
            byte if *byte <= b' ' => break,
            _ => {}
        }
        at += 1;
    }
    (depth == 0).then_some(start..at)
}

/// Where the title ends that begins at a position. It has no escape in it and ends in its line, with a quote that can't begin one: so the
/// search for its end is short.
fn title_end(text: &str, at: usize) -> Option<usize> {
    let opens = *text.as_bytes().get(at)?;
    let closes = match opens {
        b'"' | b'\'' => opens,
        b'(' => b')',
        _ => return None,
    };
    let rest = &text.as_bytes()[at + 1..];
    let is_end = |byte: &u8| [opens, closes, b'\\', b'\n'].contains(byte);
    let length = rest.iter().position(is_end)?;
    steps::count(length);
    let begins_one =
        opens == closes && rest[..length].last().is_none_or(|last| b" \t>".contains(last));
    (rest[length] == closes && !begins_one).then_some(at + length + 2)
}

/// Where something ends that can't contain some characters unless they are escaped.
fn until(bytes: &[u8], from: usize, end: u8, never: &[u8]) -> Option<usize> {
    let mut at = from;
    loop {
        let byte = *bytes.get(at)?;
        steps::count(1);
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

/// The address in angle brackets at the start of `text`, if it may be linked (§6.5).
pub fn autolink(text: &str) -> Option<&str> {
    let end = |char: char| "<>\"`\\".contains(char) || char.is_whitespace() || char.is_control();
    let rest = text.strip_prefix('<')?;
    let inside = &rest[..rest.find(end).filter(|end| rest[*end..].starts_with('>'))?];
    (url::is_allowed(inside) || is_mail(inside)).then_some(inside)
}

/// Whether a text is an e-mail address in its usual form.
fn is_mail(text: &str) -> bool {
    let is_name = |to: &str| {
        to.starts_with(|char: char| char.is_ascii_alphanumeric())
            && to.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte))
    };
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.split_once('@').is_some_and(|(to, host)| is_name(to) && host.split('.').all(is_label))
}

/// Whether a backslash stands before punctuation, which it takes the meaning from.
pub fn is_escape(bytes: &[u8], at: usize) -> bool {
    bytes[at] == b'\\' && bytes.get(at + 1).is_some_and(u8::is_ascii_punctuation)
}

/// The character that the entity at a position stands for, and its length.
pub fn entity(text: &str, at: usize) -> Option<(char, usize)> {
    let rest = text[at..].strip_prefix('&')?;
    let (char, length) = if let Some(number) = rest.strip_prefix('#') {
        let (radix, digits) = match number.strip_prefix(['x', 'X']) {
            Some(digits) => (16, digits),
            None => (10, number),
        };
        let most = DIGITS_MAX[usize::from(radix == 16)];
        let length = digits.chars().take(most).take_while(|char| char.is_digit(radix)).count();
        let code = u32::from_str_radix(&digits[..length], radix).ok()?;
        let char = char::from_u32(code).filter(|char| *char != '\0').unwrap_or('\u{fffd}');
        (char, rest.len() - digits.len() + length)
    } else {
        named(rest)?
    };
    rest[length..].starts_with(';').then_some((char, length + 2))
}

/// The character whose name `rest` begins with, and the length of the name.
fn named(rest: &str) -> Option<(char, usize)> {
    let name = &rest[..rest.bytes().take_while(u8::is_ascii_alphanumeric).count()];
    let mut known = ENTITIES.split(' ').filter_map(|entity| entity.split_once(';'));
    let (_, char) = known.find(|(known, _)| *known == name)?;
    Some((char.chars().next()?, name.len()))
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
        // What was found is ASCII, and so is what is escaped.
        out.push_str(&text[at..at + 1]);
        at += 1;
    }
    out.push_str(&text[at..]);
    out
}
