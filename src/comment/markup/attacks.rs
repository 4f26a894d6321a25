//! Renders hostile texts and checks the output against the allowlist. Compiled for tests only.

mod stack;

use super::allowlist::{check, shown_text};
use super::differences::Comparison;
use super::*;
use crate::limits::{HTML_BYTES_MAX, HTML_DEPTH_MAX};

#[test]
fn links_with_another_scheme_are_shown_as_text() {
    let mut comparison = Comparison::default();
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
            let html = html(&content).expect("it contains emphasis");
            check(&html);
            comparison.add(&content);
            assert!(!html.contains("<a"), "{content}: {html}");
            assert!(html.contains("<em>a</em>"), "{content}: {html}");
        }
    }
    comparison.check(40);
}

#[test]
fn the_deepest_nesting_is_rendered_and_one_level_more_is_not() {
    let quotes = |n: usize| html(&format!("{}a", "> ".repeat(n)));
    assert_eq!(check(&quotes(HTML_DEPTH_MAX - 1).unwrap()), HTML_DEPTH_MAX);
    assert_eq!(quotes(HTML_DEPTH_MAX), None);
    let broken = |n: usize| html(&format!("{}a\nb", "> ".repeat(n)));
    assert_eq!(check(&broken(HTML_DEPTH_MAX - 2).unwrap()), HTML_DEPTH_MAX);
    assert_eq!(broken(HTML_DEPTH_MAX - 1), None);
}

#[test]
fn the_longest_html_is_rendered_and_one_byte_more_is_not() {
    let empty = "<p><em>a</em></p>".len();
    let text = |bytes: usize| format!("*a*{}", "&".repeat(bytes / 5) + &"b".repeat(bytes % 5));
    assert_eq!(html(&text(HTML_BYTES_MAX - empty)).unwrap().len(), HTML_BYTES_MAX);
    assert_eq!(html(&text(HTML_BYTES_MAX - empty + 1)), None);
}

/// Pseudo-random numbers that are the same in every run (Marsaglia's xorshift64).
fn random_numbers() -> impl FnMut(usize) -> usize {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    }
}

#[test]
fn random_combinations_of_markup_yield_only_allowed_elements() {
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
    let (mut number, mut rich, mut comparison) = (random_numbers(), 0, Comparison::default());
    for _ in 0..12_000 {
        let content: String = (0..1 + number(14)).map(|_| PARTS[number(PARTS.len())]).collect();
        comparison.add(content.trim());
        if let Some(html) = html(content.trim()) {
            assert!(check(&html) <= HTML_DEPTH_MAX && html.len() <= HTML_BYTES_MAX, "{content:?}");
            rich += 1;
        }
    }
    assert!(rich > 4_000, "{rich} of the texts had markup");
    comparison.check(4_000);
}

#[test]
fn no_link_definition_disappears() {
    let mut comparison = Comparison::default();
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
            let html = html(&content).expect("it contains emphasis");
            check(&html);
            comparison.add(&content);
            assert!(letters(&shown_text(&html)).eq(letters(&content)), "{content:?}: {html}");
            assert!(html.contains("[Ada] [text][Ada] ![Ada]"), "{content:?}: {html}");
        }
    }
    comparison.check(100);
}

#[test]
fn a_text_that_is_plain_is_never_rendered() {
    // Every text of four of these characters.
    const SIGNS: &[u8] = b"a7 \t\n#>-+=.)!]@/|;\"'({^$%,?";
    let count = SIGNS.len();
    let mut plain = 0;
    for number in 0..count.pow(4) {
        let at = |digit: u32| SIGNS[number / count.pow(digit) % count] as char;
        let text: String = (0..4).map(at).collect();
        if is_plain(&text) {
            assert_eq!(render(&text), None, "{text:?}");
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
    // Nothing in KEEPING can hide letters, as addresses, titles, entities and the text behind a fence do.
    const KEEPING: &[u8] = b"abC**__~~[]![<>&;:\\#-+1.)=|`\"' \t\n\n";
    const HIDING: &[u8] = b"ab*_~[]!(<>&#;:/\\1.)-+=`'\" \n";
    let (mut number, mut comparison) = (random_numbers(), Comparison::default());
    for round in 0..100_000 {
        let alphabet = if round % 2 == 0 { KEEPING } else { HIDING };
        let content: String = (0..2 + number(30))
            .map(|_| match number(24) {
                0 if alphabet == HIDING => "](https://a.b",
                1 if alphabet == HIDING => "http://",
                _ => {
                    let at = number(alphabet.len());
                    std::str::from_utf8(&alphabet[at..at + 1]).expect("both alphabets are ASCII")
                }
            })
            .collect();
        comparison.add(content.trim());
        assert!(!is_plain(&content) || render(&content).is_none(), "{content:?} is not plain");
        let Some(html) = html(&content) else { continue };
        assert!(check(&html) <= HTML_DEPTH_MAX, "{content:?}");
        let shown = shown_text(&html);
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
    comparison.check(50_000);
}
