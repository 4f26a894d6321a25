//! Hostile texts against the markup, and the reader that holds its output to the allowlist. Compiled for tests only.

use super::*;
use crate::limits::{CONTENT_BYTES_MAX, HTML_BYTES_MAX, HTML_DEPTH_MAX};
use crate::util::threads::READER_STACK_BYTES;

/// Reads the output back with the strictest reader that takes it: only the allowed tags in the one way they are
/// written, each closed in turn, and `<` and `"` nowhere else. Returns the depth.
pub fn check(html: &str) -> usize {
    const NAMES: [&str; 11] =
        ["p", "em", "strong", "del", "code", "pre", "blockquote", "ul", "ol", "li", "a"];
    let (mut open, mut deepest, mut rest) = (Vec::new(), 0, html);
    while let Some(at) = rest.find('<') {
        check_text(&rest[..at]);
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{html}");
            continue;
        }
        deepest = deepest.max(open.len() + 1);
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        match name {
            "br" => assert_eq!(tag, "br"),
            "a" => {
                assert!(!open.contains(&"a"), "{html}");
                let url = attributes.strip_prefix("href=\"").expect("a link goes somewhere");
                let url = url
                    .strip_suffix("\" rel=\"nofollow ugc noopener\"")
                    .expect("a link has its rel");
                check_text(url);
                let lower = url.to_ascii_lowercase();
                let schemes = ["http://", "https://", "mailto:"];
                assert!(schemes.iter().any(|scheme| lower.starts_with(scheme)), "{html}");
            }
            "ol" if !attributes.is_empty() => {
                let start =
                    attributes.strip_prefix("start=\"").and_then(|rest| rest.strip_suffix('"'));
                assert!(start.is_some_and(|start| start.parse::<u32>().is_ok()), "{html}");
            }
            name => {
                assert!(NAMES.contains(&name) && attributes.is_empty(), "<{tag}> in {html}")
            }
        }
        if name != "br" {
            open.push(name);
        }
    }
    check_text(rest);
    assert!(open.is_empty(), "{html}");
    deepest
}

fn check_text(text: &str) {
    assert!(!text.contains(['<', '>', '"']), "{text}");
    for (at, _) in text.match_indices('&') {
        let known = ["&amp;", "&lt;", "&gt;", "&quot;"];
        assert!(known.iter().any(|entity| text[at..].starts_with(entity)), "{text}");
    }
}

#[test]
fn links_that_are_not_allowed_are_their_text() {
    for url in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "&#106;avascript:alert(1)",
        "&#x6A;avascript&colon;alert(1)",
        "java&#10;script:alert(1)",
        "&#1;https://a.example",
        "<\u{a0}https://a.example>",
        "https&#58;alert(1)",
        "https:a.example",
        "https:///a.example",
        "https://",
        "https://a&#10;b",
        "mailto:",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "//a.example",
        "/a",
        "a",
        "#a",
        "\\\\a.example",
        "xhttps://a.example",
    ] {
        for content in [format!("*a* [t]({url})"), format!("*a* ![t]({url})")] {
            let html = html(&content).expect("it has emphasis");
            check(&html);
            assert!(!html.contains("<a"), "{content}: {html}");
            assert!(html.contains("<em>a</em>"), "{content}: {html}");
        }
    }
}

#[test]
fn the_deepest_rendering_passes_and_one_deeper_stays_plain() {
    let quotes = |n: usize| html(&format!("{}a", "> ".repeat(n)));
    assert_eq!(check(&quotes(HTML_DEPTH_MAX - 1).unwrap()), HTML_DEPTH_MAX);
    assert_eq!(quotes(HTML_DEPTH_MAX), None);
    let broken = |n: usize| html(&format!("{}a\nb", "> ".repeat(n)));
    assert_eq!(check(&broken(HTML_DEPTH_MAX - 2).unwrap()), HTML_DEPTH_MAX);
    assert_eq!(broken(HTML_DEPTH_MAX - 1), None);
}

#[test]
fn the_longest_rendering_passes_and_one_byte_more_stays_plain() {
    let empty = "<p><em>a</em></p>".len();
    let text = |bytes: usize| format!("*a*{}", "&".repeat(bytes / 5) + &"b".repeat(bytes % 5));
    assert_eq!(html(&text(HTML_BYTES_MAX - empty)).unwrap().len(), HTML_BYTES_MAX);
    assert_eq!(html(&text(HTML_BYTES_MAX - empty + 1)), None);
}

/// Numbers that look random and are the same in every run (Marsaglia's xorshift64).
fn numbers() -> impl FnMut(usize) -> usize {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    }
}

#[test]
fn whatever_is_put_together_only_the_allowed_elements_come_out() {
    const PARTS: [&str; 64] = [
        "*",
        "**",
        "_",
        "__",
        "~",
        "~~",
        "`",
        "``",
        "```\n",
        "\n",
        "\n\n",
        "    ",
        "\t",
        "> ",
        "- ",
        "+ ",
        "1. ",
        "999999999. ",
        "# ",
        "\n---\n",
        "\n===\n",
        "***",
        "[",
        "]",
        "(",
        ")",
        "![",
        "](",
        "]:",
        "](javascript:alert(1))",
        "](https://a.example)",
        "](<https://a b>)",
        "](data:text/html,x)",
        "<",
        ">",
        "</p>",
        "<script>",
        "</script>",
        "<img src=x onerror=alert(1)>",
        "<a href=\"javascript:x\">",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?x",
        "?>",
        "<https://a.example/\"onclick=x>",
        "<javascript:x>",
        "<ada@a.example>",
        "https://a.example/",
        "HTTP://[::1]",
        "mailto:a@b",
        "&lt;",
        "&#60;",
        "&quot;",
        "&",
        "\\",
        "\"",
        "'",
        " ",
        "a",
        "\u{e9}",
        "| a | b |\n|--|--|\n",
        "[^1]",
    ];
    let (mut number, mut rich) = (numbers(), 0);
    for _ in 0..12_000 {
        let content: String = (0..1 + number(14)).map(|_| PARTS[number(PARTS.len())]).collect();
        if let Some(html) = html(content.trim()) {
            assert!(check(&html) <= HTML_DEPTH_MAX && html.len() <= HTML_BYTES_MAX, "{content:?}");
            rich += 1;
        }
    }
    assert!(rich > 4_000, "{rich} of the texts had markup");
}

#[test]
fn no_definition_of_a_link_is_swallowed() {
    for definition in [
        "[Ada]: hello",
        "[Ada]:hello",
        "[Ada]:\nhello",
        "[Ada]: hello \"there\"",
        "[Ada]: hello\n'there'",
        "[Ada]: hello\n(there\nthen)",
        "[Ada]: <hello> (there)",
        "[Ada]: <hello there>",
        "[Ada\nand Bob]: hello",
        "[Ada \\] B]: hello",
        "[Ada\\]: hello",
        "[Ada]: hello\n[Bob]: there",
        "[a <https://x]:y>",
        "[https://a.example/[b]: hello",
        "[`a]: b` hello",
        "[~]: hello",
        "   [Ada]: hello",
        "[^1]: hello",
        "[Ada]: https://a.example/[b]:c \"hello\"",
    ] {
        for (before, after) in [
            ("", ""),
            ("> ", ""),
            ("- ", ""),
            ("1. a\n   ", ""),
            ("> - > ", ""),
            ("*x*\n\n", "\n\n*y*"),
            ("# x\n", "\n"),
        ] {
            let lines = definition.replace(
                '\n',
                &format!(
                    "\n{}",
                    if before.contains('>') { before.replace('-', " ") } else { "  ".into() }
                ),
            );
            let content = format!("{before}{lines}{after}\n\n*z* [Ada] [text][Ada] ![Ada]");
            let html = html(&content).expect("it has emphasis");
            check(&html);
            assert!(letters(&letters_shown(&html)).eq(letters(&content)), "{content:?}: {html}");
            assert!(html.contains("[Ada] [text][Ada] ![Ada]"), "{content:?}: {html}");
        }
    }
}

/// What a reader sees of HTML that [`check`] has found right, in letters: breaks and tags show none.
fn letters_shown(html: &str) -> String {
    let text = html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
    entities.iter().fold(text.collect(), |text: String, (name, char)| text.replace(name, char))
}

#[test]
fn what_is_plain_at_first_sight_has_no_rendering() {
    // Every text of four of these, among letters that keep them apart or don't.
    const SIGNS: &[u8] = b"a7 \t\n#>-+=.)!]@/|;\"'({^$%,?";
    let count = SIGNS.len();
    let mut plain = 0;
    for number in 0..count.pow(4) {
        let at = |place: u32| SIGNS[number / count.pow(place) % count] as char;
        let text: String = (0..4).map(at).collect();
        if is_plain(&text) {
            assert_eq!(rendering(&text), None, "{text:?}");
            plain += 1;
        }
    }
    assert!(plain > 100_000, "{plain} of {} are plain", count.pow(4));
    assert!(is_plain("I had the same (twice), it's in the 2nd edition!"));
}

fn letters(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|char| char.is_alphabetic())
}

#[test]
fn short_hostile_texts_lose_no_letter_and_gain_none() {
    // Nothing here may hide letters, as addresses, titles, entities and what follows a fence do.
    const KEEPING: &[u8] = b"abC**__~~[]![<>&;:\\#-+1.)=|`\"' \t\n\n";
    const HIDING: &[u8] = b"ab*_~[]!(<>&#;:/\\1.)-+=`'\" \n";
    let mut number = numbers();
    for round in 0..100_000 {
        let alphabet = if round % 2 == 0 { KEEPING } else { HIDING };
        let content: String = (0..2 + number(30))
            .map(|_| match number(24) {
                0 if alphabet == HIDING => "](https://a.b",
                1 if alphabet == HIDING => "http://",
                _ => {
                    let at = number(alphabet.len());
                    std::str::from_utf8(&alphabet[at..at + 1]).expect("it is ASCII")
                }
            })
            .collect();
        assert!(!is_plain(&content) || rendering(&content).is_none(), "{content:?} is not plain");
        let Some(html) = html(&content) else { continue };
        assert!(check(&html) <= HTML_DEPTH_MAX, "{content:?}");
        let shown = letters_shown(&html);
        let is_fenced = ["```", "~~~"].iter().any(|fence| content.contains(fence));
        if alphabet == KEEPING && !is_fenced {
            assert!(letters(&shown).eq(letters(&content)), "{content:?}: {html}");
        }
        let mut written = letters(&content);
        assert!(
            letters(&shown).all(|shown| written.any(|char| char == shown)),
            "{content:?}: {html}"
        );
    }
}

/// What is expensive only after something else.
const LONG_TAILS: [(&str, &str); 21] = [
    ("[a](b \"", "a\n"),
    ("[a](<b>(", "a\n"),
    ("[a](b \"c [d](e \"\n", "a\n"),
    ("- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - a", "\n"),
    ("- - - - - - - a", "\n"),
    ("- - - - - - - a", "\n\nb"),
    ("> > > > > > > > > > > > > a", "\nb"),
    ("- > - > - > - > - > a", "\n>"),
    ("- > - > - > - > - > a", "\n  > >"),
    ("- - - - - - - ```\n", "\n"),
    ("- - - - - - -  a\n             ", "\t"),
    ("[a](<b> \"", "[a](<b> '"),
    ("![", "![ ](x)"),
    ("", "![ "),
    ("[a](", "\\("),
    ("", "[a](b "),
    ("", "**a _b ~~c "),
    ("", "a_b*_c**~~"),
    ("", "<a:"),
    ("", "\\```a"),
    ("", "&#1;&#x41;"),
];

#[test]
fn hostile_text_takes_little_stack() {
    let shapes = [
        ">",
        "> ",
        "- ",
        "1. ",
        "+ > ",
        "[",
        "]",
        "![",
        "![[](",
        "[](",
        "[a](",
        "](",
        "[a][",
        "[]:",
        "[a]: b\n",
        "*",
        "**",
        "_",
        "~",
        "*a ",
        "*a **a ",
        "*a_ ",
        "_a __a ",
        "**a*",
        "a**b",
        "*_*",
        "~a~~",
        "`",
        "`a``b",
        "``` ",
        "<",
        "<a ",
        "<a b='",
        "<!--",
        "<!A ",
        "<?",
        "<![CDATA[",
        "</",
        "<https:",
        "&",
        "&#",
        "&amp",
        "\\",
        "\\[",
        "(",
        "[(](",
        "https://",
        "https://a(",
        "https://[",
        "://",
        "http://a ",
        "\t",
        " \n",
        "\n",
        "a\n",
        "# ",
        "a\n=\n",
        "|",
        "|-|\n",
        "* a\n ",
        "- a\n  - ",
        ">\n",
        "\u{e9}*",
        "\"",
        "'",
    ];
    let hostile: Vec<String> = shapes
        .iter()
        .flat_map(|shape| {
            let one = shape.repeat(CONTENT_BYTES_MAX / shape.len());
            let half = CONTENT_BYTES_MAX / 2;
            let nested: String =
                (0..120).map(|depth| "  ".repeat(depth.min(40)) + "- " + shape + "\n").collect();
            let around = one
                .chars()
                .take(half / 2)
                .chain("a".chars())
                .chain(one.chars().rev().take(half / 2))
                .collect();
            [one, nested, around]
        })
        .collect();
    let hostile = hostile.into_iter().chain(LONG_TAILS.map(|(head, tail)| {
        let count = (CONTENT_BYTES_MAX - head.len()) / tail.len();
        [head, &tail.repeat(count), "*b*"].concat()
    }));
    let thread = std::thread::Builder::new().stack_size(READER_STACK_BYTES).spawn(move || {
        for content in hostile {
            html(content.trim()).as_deref().map(check);
        }
    });
    thread.unwrap().join().expect("no overflow, no panic");
}
