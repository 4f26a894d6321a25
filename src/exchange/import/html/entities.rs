//! Decodes the entities of HTML. Names are looked up in the table that the XML reader has.
//!
//! Pure.

use quick_xml::escape::resolve_html5_entity;

/// The longest name of an entity, bytes.
const NAME_BYTES_MAX: usize = 40;
/// What browsers show for the numbers 128 to 159 (HTML Standard, "numeric character reference end state").
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// What an entity stands for; its name is what is between `&` and `;`.
pub fn entity(name: &str) -> Option<String> {
    if let Some(number) = name.strip_prefix('#') {
        let hexadecimal = number.strip_prefix(['x', 'X']);
        let digits = hexadecimal.unwrap_or(number);
        let radix = if hexadecimal.is_some() { 16 } else { 10 };
        if digits.is_empty() || !digits.chars().all(|char| char.is_digit(radix)) {
            return None;
        }
        let code = u32::from_str_radix(digits, radix).unwrap_or(u32::MAX);
        let char = match code {
            128..=159 => WINDOWS_1252[code as usize - 128],
            _ => char::from_u32(code).filter(|_| code > 0).unwrap_or('\u{fffd}'),
        };
        return Some(char.into());
    }
    match name {
        "amp" => Some("&".into()),
        "lt" => Some("<".into()),
        "gt" => Some(">".into()),
        "quot" => Some("\"".into()),
        "apos" => Some("'".into()),
        "nbsp" => Some("\u{a0}".into()),
        _ => resolve_html5_entity(name).map(str::to_owned),
    }
}

/// A text with its entities decoded, once. What is none stays.
pub fn decode_entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(NAME_BYTES_MAX + 2).position(|byte| byte == b';');
        match end.and_then(|end| Some((entity(&rest[1..end])?, end))) {
            Some((decoded, end)) => {
                out.push_str(&decoded);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_decoded_once_and_what_is_none_stays() {
        for (text, expected) in [
            ("&lt;b&gt; &amp;amp; &quot;&apos;&#39;&#x27;", "<b> &amp; \"'''"),
            ("&laquo;&nbsp;&hellip;&copy;&Auml;", "«\u{a0}…©Ä"),
            ("&#146;&#8217;", "’’"),
            ("&#0;&#x110000;&#xD800;&#99999999999;", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            ("a & b &c; &; &#; &#x; &#1a; && &\u{e9};", "a & b &c; &; &#; &#x; &#1a; && &\u{e9};"),
            ("AT&T; x=1&copy", "AT&T; x=1&copy"),
        ] {
            assert_eq!(decode_entities(text), expected, "{text}");
        }
    }
}
