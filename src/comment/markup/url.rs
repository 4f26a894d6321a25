//! Web addresses in running text: where one begins and ends, and which may become a link.
//!
//! Pure. Knows neither Markdown nor HTML.

use std::ops::Range;

/// The next `http://…` or `https://…` from a position on, without the punctuation that ends a sentence and without a
/// closing bracket that it did not open. Takes time in proportion to what it passes over.
pub fn find(text: &str, from: usize) -> Option<Range<usize>> {
    let mut seen = from;
    while let Some(found) = text[seen..].find("://") {
        let host = seen + found + "://".len();
        let start = ["https", "http"].into_iter().find_map(|scheme| {
            let start = (seen + found).checked_sub(scheme.len()).filter(|start| *start >= from)?;
            text.get(start..seen + found)?.eq_ignore_ascii_case(scheme).then_some(start)
        });
        if let Some(start) = start
            && !text[..start].ends_with(char::is_alphanumeric)
            && is_host(&text[host..])
            && let length @ 1.. = length(&text[host..])
        {
            return Some(start..host + length);
        }
        seen = host;
    }
    None
}

/// How much of a text that begins after `://` belongs to the address.
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

/// Whether an address may be linked: an allowlist of beginnings, without any white space that a browser would skip before
/// it looks for the scheme.
pub fn is_allowed(url: &str) -> bool {
    let after = |scheme: &str| {
        let (start, rest) = url.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    let web = after("https://").or_else(|| after("http://"));
    let allowed =
        web.is_some_and(is_host) || after("mailto:").is_some_and(|to| !to.trim().is_empty());
    allowed && !url.contains(char::is_control)
}

fn is_host(rest: &str) -> bool {
    rest.starts_with(|first: char| first.is_alphanumeric() || first == '[')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_ends_before_what_ends_the_sentence() {
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
            // A letter right before the scheme makes it a part of a word.
            let expected = (!before.ends_with(char::is_alphanumeric)).then_some(url);
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_has_no_host_is_no_address() {
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
    fn one_after_another_is_found() {
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
    fn only_web_and_mail_may_be_linked() {
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
