//! Finds web addresses in a text, and decides which may become links.
//!
//! Pure. Knows neither Markdown nor HTML.

use std::ops::Range;

/// Finds the first `http://…` or `https://…` at or behind `from`, without trailing punctuation and without a closing bracket that has no
/// opening one in the address. Takes time in proportion to the distance.
pub fn find(text: &str, from: usize) -> Option<Range<usize>> {
    let mut searched = from;
    while let Some(found) = text[searched..].find("://") {
        let host = searched + found + "://".len();
        let start = ["https", "http"].into_iter().find_map(|scheme| {
            let start =
                (searched + found).checked_sub(scheme.len()).filter(|start| *start >= from)?;
            text.get(start..searched + found)?.eq_ignore_ascii_case(scheme).then_some(start)
        });
        if let Some(start) = start
            && !text[..start].ends_with(char::is_alphanumeric)
            && starts_with_host(&text[host..])
            && let length @ 1.. = length(&text[host..])
        {
            return Some(start..host + length);
        }
        searched = host;
    }
    None
}

/// How many bytes of `rest`, the text behind `://`, belong to the address.
fn length(rest: &str) -> usize {
    let (mut round, mut square) = (0, 0);
    let end = rest.find(|char: char| {
        match char {
            '(' => round += 1,
            ')' => round -= 1,
            '[' => square += 1,
            ']' => square -= 1,
            _ => {}
        }
        let ends = char.is_whitespace() || char.is_control() || "<>\"`\\".contains(char);
        ends || round < 0 || square < 0
    });
    rest[..end.unwrap_or(rest.len())]
        .trim_end_matches(['?', '!', '.', ',', ':', ';', '*', '_', '~', '\'', '(', '['])
        .len()
}

/// Whether an address may be linked: it must begin with an allowed scheme, without the white space that a browser would ignore before
/// it.
pub fn is_allowed(url: &str) -> bool {
    let after = |scheme: &str| {
        let (start, rest) = url.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    let web = after("https://").or_else(|| after("http://"));
    let allowed = web.is_some_and(starts_with_host)
        || after("mailto:").is_some_and(|to| !to.trim().is_empty());
    allowed && !url.contains(char::is_control)
}

fn starts_with_host(rest: &str) -> bool {
    rest.starts_with(|first: char| first.is_alphanumeric() || first == '[')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_ends_before_the_punctuation_of_its_sentence() {
        for (before, url, after) in [
            ("see ", "https://a.example", ""),
            ("", "http://a.example/b", ", and"),
            ("(", "https://a.example/b_(c)", ")."),
            ("[", "https://a.example/b[c]", "]"),
            ("", "HTTPS://A.Example/?q=1&r=(2)#d", "!?"),
            ("", "https://[::1]:8000/x", "]"),
            ("\u{201c}", "https://\u{e4}.example/\u{fc}", " \u{201d}"),
            ("'", "https://a.example/it's", "'"),
            ("\"", "https://a.example", "\""),
            ("<", "https://a.example", ">"),
            ("http", "http://a.example", "\\@b.example"),
            ("://x https://", " https://a.example", "*_~"),
        ] {
            let (text, url) = (format!("{before}{url}{after}"), url.trim());
            let found = find(&text, 0).map(|range| &text[range]);
            // Directly behind a letter, the scheme is part of a word.
            let expected = (!before.ends_with(char::is_alphanumeric)).then_some(url);
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_text_without_a_host_is_no_address() {
        for none in [
            "",
            "https://",
            "https:// a",
            "https:a",
            "ftp://a",
            "://a",
            "https://[",
            "https://-",
            "http:\n//a",
        ] {
            assert_eq!(find(none, 0), None, "{none}");
        }
    }

    #[test]
    fn every_address_of_a_text_is_found() {
        let text = "https://a.example,http://b.example https://c.example";
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(range) = find(text, from) {
            from = range.end;
            found.push(&text[range]);
        }
        assert_eq!(found, ["https://a.example,http://b.example", "https://c.example"]);
    }

    #[test]
    fn only_web_and_mail_addresses_may_be_linked() {
        for allowed in
            ["https://a", "HTTP://[::1]/", "mailto:a@b", "https://\u{e4}.example", "MailTo:a"]
        {
            assert!(is_allowed(allowed), "{allowed}");
        }
        for wrong in [
            "",
            "https:a",
            "https:///a",
            "https://",
            "mailto:",
            "javascript:alert(1)",
            "data:text/html,x",
            "//a",
            "/a",
            "#a",
            " https://a",
            "\thttps://a",
            "\u{1}https://a",
            "https://a\nb",
            "https://a\0",
            "ht\ntps://a",
            "https\u{ff1a}//a",
        ] {
            assert!(!is_allowed(wrong), "{wrong:?}");
        }
    }
}
