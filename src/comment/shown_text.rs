//! What a reader sees of a text: whether there is anything to see, and whether an address is among it.
//!
//! Pure. Decides nothing: `draft` refuses what is blank, and the hub may hold what has an address.

/// Ends of host names that count as an address without `http` or `www` before them. A comment that is held in vain costs a
/// moderator a moment, so the list has what is common in spam and leaves out what also ends the names of files (`.md`, `.rs`, `.sh`).
const TOP_LEVEL_DOMAINS: [&str; 44] = [
    "app", "au", "bet", "biz", "blog", "br", "ca", "casino", "cc", "ch", "click", "club", "cn",
    "co", "com", "de", "dev", "edu", "eu", "fr", "gov", "icu", "info", "io", "jp", "kr", "link",
    "ly", "me", "net", "nl", "online", "org", "pl", "ru", "shop", "site", "store", "top", "tv",
    "uk", "vip", "ws", "xyz",
];
/// What a host name in another script may have instead of a full stop (UTS #46), and U+2024, which looks like one.
const OTHER_FULL_STOPS: [char; 4] = ['\u{3002}', '\u{ff0e}', '\u{ff61}', '\u{2024}'];
/// Elements of rendered comments that do not begin a new line.
const INLINE_ELEMENTS: [&str; 5] = ["em", "strong", "del", "code", "a"];

/// Whether a character shows nothing: white space, control and format characters (Default_Ignorable_Code_Point of Unicode), and letters
/// that are blank by definition.
pub fn is_invisible(char: char) -> bool {
    char.is_whitespace()
        || char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d159}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a text shows nothing at all.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_invisible)
}

/// Whether a character turns the direction of the text around it until it is taken back, which would also turn what follows a name.
pub fn is_direction_override(char: char) -> bool {
    matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text of rendered HTML, as [`markup`](super::markup) writes it, with a space where a block or a line begins.
pub fn of_html(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut parts = html.split('<');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (tag, rest) = part.split_once('>').unwrap_or(("", part));
        let name = tag.trim_start_matches('/').split(' ').next().unwrap_or_default();
        if !INLINE_ELEMENTS.contains(&name) {
            text.push(' ');
        }
        text.push_str(rest);
    }
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
    match text.contains('&') {
        true => entities.iter().fold(text, |text, (name, char)| text.replace(name, char)),
        false => text,
    }
}

/// Whether a reader sees a web address.
pub fn has_address(text: &str) -> bool {
    count_addresses(text) > 0
}

/// How many web addresses a reader sees: with `http`, `https` or `www`, or a host name that ends as most do or has a path. Looks through
/// invisible characters. Of what is written together, each `http` counts.
pub fn count_addresses(text: &str) -> usize {
    if text.is_ascii() {
        return count_plain_addresses(text.as_bytes());
    }
    let seen = text.chars().filter(|char| char.is_whitespace() || !is_invisible(*char));
    let seen: String =
        seen.map(|char| if OTHER_FULL_STOPS.contains(&char) { '.' } else { char }).collect();
    count_plain_addresses(seen.as_bytes())
}

/// How many links rendered HTML shows: those that it has, and addresses elsewhere in its text.
pub fn count_links(html: &str) -> usize {
    let links = html.split("<a ").skip(1).map(|rest| rest.split("</a>").next().unwrap_or(rest));
    let unseen = links.filter(|link| {
        link.split_once('>').is_some_and(|(_, label)| !has_address(&of_html(label)))
    });
    // Of links without a space between them, the addresses may look like one.
    (count_addresses(&of_html(html)) + unseen.count()).max(html.matches("<a ").count())
}

fn count_plain_addresses(text: &[u8]) -> usize {
    let (mut count, mut is_inside) = (0, false);
    for (at, byte) in text.iter().enumerate() {
        let begins = match byte {
            b':' => text[at..].starts_with(b"://") && ends_with(&text[..at], &[b"http", b"https"]),
            b'.' if !is_inside => {
                ends_with(&text[..at], &[b"www"]) || is_host(&text[..at], &text[at + 1..])
            }
            _ => false,
        };
        count += usize::from(begins);
        is_inside =
            begins || (is_inside && (is_label_byte(*byte) || b"._~:/?#@!$&+=%".contains(byte)));
    }
    count
}

/// Whether the text before and behind a full stop is that of a host name.
fn is_host(before: &[u8], behind: &[u8]) -> bool {
    if !before.last().is_some_and(|byte| is_label_byte(*byte) && *byte != b'-') {
        return false;
    }
    let length = behind.iter().take_while(|byte| is_label_byte(**byte)).count();
    let (label, rest) = behind.split_at(length);
    // A further label decides instead of this one.
    if matches!(rest, [b'.', next, ..] if is_label_byte(*next)) {
        return false;
    }
    let is_known = TOP_LEVEL_DOMAINS.iter().any(|name| label.eq_ignore_ascii_case(name.as_bytes()));
    let is_word = length >= 2 && label.iter().all(u8::is_ascii_alphabetic);
    is_known || (is_word && rest.first() == Some(&b'/'))
}

fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || !byte.is_ascii()
}

/// Whether `text` ends with one of `ends`, ignoring case.
fn ends_with(text: &[u8], ends: &[&[u8]]) -> bool {
    let matches = |end: &&[u8]| {
        text.len() >= end.len() && text[text.len() - end.len()..].eq_ignore_ascii_case(end)
    };
    ends.iter().any(matches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_nothing_is_blank() {
        for blank in [
            "",
            " \u{a0}\u{3000}\n",
            "\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}",
            "\u{3164}\u{115f}\u{1160}\u{ffa0}",
            "\u{2800}",
            "\u{fe0f}\u{e0100}",
            "\u{e0041}\u{e007f}",
            "\u{ad}\u{34f}\u{61c}\u{180e}\u{202e}\u{2066}\u{2069}",
        ] {
            assert!(is_blank(blank), "{}", blank.escape_unicode());
        }
        for shown in ["a", "\u{200b}.", "\u{301}", "❤\u{fe0f}", "👨\u{200d}👩", "\u{e000}", "ㅤㅏ"]
        {
            assert!(!is_blank(shown), "{}", shown.escape_unicode());
        }
    }

    #[test]
    fn an_address_is_seen_in_each_way_of_writing_it() {
        for address in [
            "http://x",
            "see HTTPS://x.y",
            "WWW.x",
            "example.com",
            "Example.COM!",
            "a.b.example.co.uk.",
            "buy at spam.shop now",
            "t.me/x",
            "bit.ly",
            "foo.bar/baz",
            "me@example.org",
            "exam\u{200b}ple\u{ad}.c\u{2060}om",
            "example。com",
            "пример.com",
        ] {
            assert!(has_address(address), "{address}");
        }
        for text in [
            "First!",
            "e.g. this, i.e. that",
            "1.5/2",
            "README.md and main.rs",
            "no.Then yes",
            "wait...com",
            "and/or",
            "a . com",
            ".com",
            "http:/x",
            "x.",
        ] {
            assert!(!has_address(text), "{text}");
        }
    }

    #[test]
    fn addresses_are_counted_one_by_one() {
        for (text, count) in [
            ("none.at all", 0),
            ("http://www.example.com/a.b/index.html?x=y.com#z", 1),
            ("www.example.com.", 1),
            ("me@example.org", 1),
            ("http://a.com http://b.com", 2),
            ("http://a.comhttps://b.com", 2),
            ("a.com,b.com;(c.com)", 3),
            ("a.com\nb.com", 2),
            ("[a.com](http://b.com)", 2),
            ("a.c\u{ad}om b.com", 2),
        ] {
            assert_eq!(count_addresses(text), count, "{text}");
        }
        for (html, count) in [
            ("<p>none</p>", 0),
            ("<p><a href=\"http://a.com\">one</a></p>", 1),
            ("<p><a href=\"http://a.com\">a.com</a></p>", 1),
            ("<a href=\"x\">a.com</a><a href=\"y\">b.com</a>", 2),
            (
                "<p><a href=\"http://a.com\">x</a> exam<strong>ple</strong>.com <a href=\"b\">b.com</a></p>",
                3,
            ),
        ] {
            assert_eq!(count_links(html), count, "{html}");
        }
    }

    #[test]
    fn the_text_of_html_has_a_space_between_blocks_and_none_within_a_word() {
        let html = "<p>exam<strong>ple</strong>.com</p><ul><li>a<br>&lt;b&gt; &amp;lt;</li></ul>";
        assert_eq!(of_html(html), " example.com   a <b> &lt;  ");
        assert_eq!(of_html("<pre><code>x\n</code></pre>"), " x\n ");
    }
}
