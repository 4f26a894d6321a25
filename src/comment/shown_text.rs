//! What a reader sees of a text: whether there is anything to see, and whether an address is among it.
//!
//! Pure. Decides nothing: `draft` refuses what is blank, and the hub may hold what has an address.

use crate::comment::folding::fold;

/// Ends of host names that count as an address without `http` or `www` before them, folded. A comment that is held in vain costs a
/// moderator a moment, so the list has what is common in spam and leaves out what also ends the names of files (`.md`, `.rs`, `.sh`),
/// words that often begin a sentence (`.in`, `.is`, `.it`), and what is common in code (`.name`, `.page`).
#[rustfmt::skip]
const TOP_LEVEL_DOMAINS: [&str; 147] = [
    "agency", "ai", "app", "asia", "au", "bet", "bid", "biz", "blog", "br", "ca", "cam", "casino", "cash", "cc", "center", "cfd", "ch",
    "chat", "click", "cloud", "club", "cn", "co", "com", "company", "cyou", "cz", "dating", "de", "deals", "dev", "digital", "dk", "edu",
    "es", "eu", "exchange", "expert", "fi", "finance", "fm", "fr", "fun", "fyi", "gg", "gift", "global", "gov", "gr", "guru", "hk", "hu",
    "icu", "ie", "il", "info", "ink", "io", "ir", "jp", "kr", "kz", "lat", "life", "link", "live", "loan", "loans", "lol", "lt", "ltd",
    "lv", "ly", "marketing", "me", "mobi", "money", "monster", "mx", "net", "news", "nl", "nz", "online", "org", "pharmacy", "ph", "pics",
    "pl", "poker", "porn", "press", "pro", "promo", "pt", "pw", "quest", "rent", "reviews", "ro", "rocks", "ru", "sale", "sbs", "se",
    "sex", "sexy", "sg", "shop", "site", "sk", "skin", "social", "solutions", "space", "store", "su", "tech", "tips", "tk", "today", "top",
    "trade", "trading", "travel", "tv", "tw", "ua", "uk", "vip", "vn", "website", "wiki", "win", "ws", "wtf", "xxx", "xyz", "za",
    "рф", "рус", "москва", "укр", "бел", "срб", "みんな",
];
/// Schemes of addresses with a host.
const SCHEMES: [&[u8]; 5] = [b"http", b"https", b"ftp", b"ipfs", b"tg"];
/// Schemes of addresses that have no `//`.
const SCHEMES_WITHOUT_HOST: [&[u8]; 2] = [b"magnet", b"mailto"];
/// A full stop that may also end a sentence, in a text that [`seen`] has returned. Behind it, only a known end makes a host name.
const SENTENCE_STOP: u8 = 1;
/// Letters of other alphabets that look like Latin ones, folded.
#[rustfmt::skip]
const LOOK_ALIKES: [(char, &str); 23] = [
    ('a', "аαɑ"), ('b', "вβ"), ('c', "сϲ"), ('d', "ԁ"), ('e', "еε"), ('f', "ϝ"), ('g', "ɡ"), ('h', "һнհ"), ('i', "іιıɩ"), ('j', "јϳ"),
    ('k', "кκ"), ('l', "ӏⅼ"), ('m', "мⅿ"), ('n', "ոη"), ('o', "оοօσ"), ('p', "рρ"), ('r', "гᴦ"), ('s', "ѕꜱ"), ('t', "тτ"), ('u', "υսц"),
    ('v', "νѵ"), ('w', "ԝω"), ('x', "хχ"),
];
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

/// How many web addresses a reader sees: with a scheme or `www`, or a host name that ends as most do, has a path, or ends in another
/// script; numeric addresses with a port or a path, and addresses of mail. Looks through invisible characters and styles of letters.
/// Of what is written together, each scheme counts.
pub fn count_addresses(text: &str) -> usize {
    if text.is_ascii() {
        return count_plain_addresses(text.as_bytes());
    }
    let seen = seen(text);
    let count = count_plain_addresses(seen.as_bytes());
    if !text.contains(['\u{202d}', '\u{202e}']) {
        return count;
    }
    // The text, or a part of it, is shown in the other direction.
    let reversed: String = seen.chars().rev().collect();
    let is_joined = |three: &[u8]| {
        is_label_byte(three[0])
            && matches!(three[1], b'.' | SENTENCE_STOP)
            && is_label_byte(three[2])
    };
    let has_stop_in_word = seen.as_bytes().windows(3).any(is_joined);
    count.max(count_plain_addresses(reversed.as_bytes())).max(usize::from(has_stop_in_word))
}

/// A text as a reader sees it, folded, with a space for other scripts' punctuation and [`SENTENCE_STOP`] for full stops that may end a
/// sentence.
fn seen(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut chars =
        text.chars().filter(|char| char.is_whitespace() || !is_invisible(*char)).peekable();
    // The last two characters.
    let mut before = (' ', ' ');
    while let Some(char) = chars.next() {
        let plain = match char {
            '.' => match chars.peek() {
                Some(next) if !next.is_ascii() && is_end_of_sentence(before, *next) => '\u{3002}',
                _ => '.',
            },
            // Full stops that a host name may have instead of a plain one (UTS #46).
            '\u{3002}' | '\u{ff0e}' | '\u{ff61}' | '\u{fe12}' => '\u{3002}',
            '\u{2024}' | '\u{fe52}' => '.',
            '\u{2044}' | '\u{2215}' => '/',
            '\u{2236}' | '\u{a789}' | '\u{fe13}' | '\u{fe55}' => ':',
            '\u{fe6b}' => '@',
            '\u{a1}'..='\u{a9}'
            | '\u{ab}'..='\u{b1}'
            | '\u{b4}'
            | '\u{b6}'..='\u{b8}'
            | '\u{bb}'..='\u{bf}' => ' ',
            '\u{2010}'..='\u{205e}' | '\u{2190}'..='\u{23ff}' | '\u{2500}'..='\u{27bf}' => ' ',
            '\u{3000}'..='\u{3004}' | '\u{3008}'..='\u{3020}' | '\u{1f200}'..='\u{1faff}' => ' ',
            char => char,
        };
        shown.push(plain);
        before = (before.1, char);
    }
    fold(&shown).replace('\u{3002}', "\u{1}")
}

/// Whether a full stop between these two characters and a letter of another script likely ends a sentence or an abbreviation of one letter.
fn is_end_of_sentence(before: (char, char), next: char) -> bool {
    let is_one_letter =
        !before.0.is_alphanumeric() && before.1.to_lowercase().ne(before.1.to_uppercase());
    is_one_letter || next.is_uppercase()
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
    let (mut count, mut is_inside, mut is_mail) = (0, false, false);
    for (at, byte) in text.iter().enumerate() {
        let (before, behind) = (&text[..at], &text[at + 1..]);
        let begins = match byte {
            b':' => is_scheme(before, behind),
            b'/' if !is_inside => is_host_without_scheme(before, behind),
            b'.' | &SENTENCE_STOP if !is_inside => {
                ends_with(before, &[b"www"]) || is_host(before, *byte, behind, is_mail)
            }
            _ => false,
        };
        count += usize::from(begins);
        is_inside =
            begins || (is_inside && (is_label_byte(*byte) || b"._~:/?#@!$&+=%".contains(byte)));
        is_mail = match byte {
            b'@' => before.last().is_some_and(|byte| is_label_byte(*byte)),
            _ => is_mail && (is_label_byte(*byte) || *byte == b'.'),
        };
    }
    count
}

/// Whether a colon between these ends a scheme with an address behind it.
fn is_scheme(before: &[u8], behind: &[u8]) -> bool {
    (behind.starts_with(b"//") && ends_with(before, &SCHEMES))
        || (ends_with(before, &SCHEMES_WITHOUT_HOST)
            && behind.first().is_some_and(|byte| *byte == b'?' || is_label_byte(*byte)))
}

/// Whether a slash begins `//host/path`, which browsers take for an address with the page's own scheme.
fn is_host_without_scheme(before: &[u8], behind: &[u8]) -> bool {
    let is_first =
        !before.last().is_some_and(|byte| is_label_byte(*byte) || b":/._".contains(byte));
    let Some(host) = behind.strip_prefix(b"/").filter(|_| is_first) else { return false };
    let length = host.iter().take_while(|byte| is_label_byte(**byte)).count();
    length > 0 && host.get(length) == Some(&b'/')
}

/// Whether the text before and behind a full stop is that of a host name. `is_mail`: the name stands behind `user@`.
fn is_host(before: &[u8], stop: u8, behind: &[u8], is_mail: bool) -> bool {
    if !before.last().is_some_and(|byte| is_label_byte(*byte) && *byte != b'-') {
        return false;
    }
    let length = behind.iter().take_while(|byte| is_label_byte(**byte)).count();
    let (label, rest) = behind.split_at(length);
    // A further label decides instead of this one.
    if matches!(rest, [b'.', next, ..] if is_label_byte(*next)) {
        return false;
    }
    let is_word = length >= 2 && label.iter().all(u8::is_ascii_alphabetic);
    let has_path = rest.first() == Some(&b'/');
    is_known_end(label)
        || (is_word && (has_path || is_mail))
        || (stop == b'.' && (is_foreign_word(label) || is_numeric(before, label, rest)))
}

/// Whether a label, or what of it looks like ASCII up to a letter of another script, is a known end of host names.
fn is_known_end(label: &[u8]) -> bool {
    let is_known = |label: &[u8]| {
        TOP_LEVEL_DOMAINS.iter().any(|name| label.eq_ignore_ascii_case(name.as_bytes()))
    };
    if label.len() > 4 && label[..4].eq_ignore_ascii_case(b"xn--") {
        return true;
    }
    if label.is_ascii() || is_known(label) {
        return is_known(label);
    }
    let text = std::str::from_utf8(label).unwrap_or_default();
    let look = text.chars().map_while(|char| match char {
        _ if char.is_ascii() => Some(char),
        _ => look_alike(char),
    });
    // No known end is longer.
    is_known(look.take(20).collect::<String>().as_bytes())
}

/// The Latin letter that a letter of another alphabet looks like.
pub fn look_alike(char: char) -> Option<char> {
    LOOK_ALIKES.iter().find(|(_, like)| like.contains(char)).map(|(char, _)| *char)
}

/// Whether a label begins with at least two letters of another script.
fn is_foreign_word(label: &[u8]) -> bool {
    if label.first().is_none_or(u8::is_ascii) {
        return false;
    }
    let mut chars = std::str::from_utf8(label).unwrap_or_default().chars();
    chars.next().is_some_and(char::is_alphabetic)
        && chars.next().is_some_and(|char| !char.is_ascii())
}

/// Whether `before.label` is four numbers with a port or a path behind them.
fn is_numeric(before: &[u8], label: &[u8], rest: &[u8]) -> bool {
    let is_number =
        |part: &[u8]| (1..=3).contains(&part.len()) && part.iter().all(u8::is_ascii_digit);
    let has_more = match rest {
        [b'/', ..] => true,
        [b':', next, ..] => next.is_ascii_digit(),
        _ => false,
    };
    if !has_more || !is_number(label) {
        return false;
    }
    // Three numbers of three digits, two full stops between them, and what is before.
    let near = &before[before.len().saturating_sub(12)..];
    let start = near.iter().rposition(|byte| !byte.is_ascii_digit() && *byte != b'.');
    if start.is_some_and(|at| is_label_byte(near[at])) {
        return false;
    }
    let near = &near[start.map_or(0, |at| at + 1)..];
    near.split(|byte| *byte == b'.').count() == 3 && near.split(|byte| *byte == b'.').all(is_number)
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
            "пример.рф/купить",
            "evil.москва",
            "evil.Москва",
            "例え.みんな",
            "xn--e1afmkfd.xn--p1ai/x",
            "1.2.3.4/x",
            "see 1.2.3.4:8080/x",
            "evil.ｃｏｍ",
            "ｈｔｔｐ://evil",
            "https：//evil",
            "evil︒com",
            "ⓔⓥⓘⓛ.ⓒⓞⓜ",
            "𝐞𝐯𝐢𝐥.𝐜𝐨𝐦",
            "evil.cℴm",
            "evil.cοm",
            "evil.СОМ",
            "\u{202e}moc.live",
            "\u{202e}x/live//:ptth",
            "//evil/x",
            "magnet:?xt=urn:btih:1",
            "user@evil.travel",
            "user@evil.example",
            "ftp://x",
            "我的网站evil.com，很好",
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
            "file.md, 3.14, v1.2.3, v1.2.3.4/5, Node.js",
            "the end.Next sentence",
            "и т.д. и т.п., т.е.это, 3.5млн",
            "Конец.Потом начало",
            "你好。再见。是/否",
            "Node.jsで main.rsを",
            "Node.js—это",
            "C'est fini…Oui",
            "// a comment, either//or",
            "note: this, 10:30, @user.name",
            "да...нет",
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
