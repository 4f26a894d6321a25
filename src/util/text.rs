//! Short texts: shortening and quoting what a peer sent, and reading decimal numbers strictly.
//!
//! Pure.

use std::str::FromStr;

/// The longest quotation in an error message, in characters.
pub const QUOTE_CHARS_MAX: usize = 60;

/// The first `chars_max` characters of `text`, with `…` appended where some are left out.
pub fn shorten(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}

/// The first and the last `end_chars` characters of `text`, with `…` between them where some are left out.
pub fn shorten_middle(text: &str, end_chars: usize) -> String {
    let head = text.char_indices().nth(end_chars).map(|(end, _)| end);
    let tail = text.char_indices().nth_back(end_chars.saturating_sub(1)).map(|(start, _)| start);
    match (head, tail) {
        (Some(head), Some(tail)) if head < tail => format!("{}…{}", &text[..head], &text[tail..]),
        _ => text.into(),
    }
}

/// `text` in quotes for an error message: escaped, and at most [`QUOTE_CHARS_MAX`] characters of it.
pub fn quote(text: &str) -> String {
    format!("{:?}", shorten(text, QUOTE_CHARS_MAX))
}

/// Whether a flag is off, for serde, which leaves such fields out.
pub fn is_false(flag: &bool) -> bool {
    !flag
}

/// `1 comment`, `2 comments`: a number of things whose plural ends in s.
pub fn counted(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// Whether `text` is one or more ASCII digits.
pub fn is_decimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The number written in `text`; `None` where it has anything but digits or does not fit into `T`. Unlike `str::parse`,
/// it refuses a sign.
pub fn parse_decimal<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| is_decimal(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_at_the_limit_is_kept_and_a_longer_one_is_cut_between_characters() {
        assert_eq!(shorten("éé", 2), "éé");
        assert_eq!(shorten("ééa", 2), "éé…");
        assert_eq!(shorten("", 0), "");
        assert_eq!(shorten_middle("éaaé", 2), "éaaé");
        assert_eq!(shorten_middle("éabcé", 2), "éa…cé");
        assert_eq!(quote("a\n\""), r#""a\n\"""#);
        assert_eq!(quote(&"a".repeat(QUOTE_CHARS_MAX + 1)).chars().count(), QUOTE_CHARS_MAX + 3);
    }

    #[test]
    fn only_one_thing_is_no_plural() {
        let counts = [0, 1, 2].map(|count| counted(count, "page"));
        assert_eq!(counts, ["0 pages", "1 page", "2 pages"]);
    }

    #[test]
    fn a_decimal_number_has_digits_only() {
        assert_eq!(parse_decimal::<u8>("007"), Some(7));
        for text in ["", "+1", "-1", " 1", "1_0", "256", "\u{661}"] {
            assert_eq!(parse_decimal::<u8>(text), None, "{text:?}");
        }
    }
}
