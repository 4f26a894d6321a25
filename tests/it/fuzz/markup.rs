//! Any text as a comment's: its rendering is small, well formed, and made of allowed elements only.
//!
//! Reads the output with a reader of its own, which knows what may stand in what; nothing of the code under test is asked.

use sayso::{
    comment::markup,
    limits::{CONTENT_BYTES_MAX, HTML_BYTES_MAX, HTML_DEPTH_MAX},
};

/// Renders a text; whether that is more than the text itself.
pub fn check(data: &[u8]) -> bool {
    let data = &data[..data.len().min(CONTENT_BYTES_MAX)];
    let text = String::from_utf8_lossy(data);
    let Some(html) = markup::html(&text) else { return false };
    let shown = read(&html);
    assert!(!shown.trim().is_empty(), "{text:?} shows nothing: {html}");
    let controls = |text: &str| text.chars().filter(|char| is_control(*char)).count();
    assert!(controls(&html) <= controls(&text), "{text:?} gains a control character: {html:?}");
    // Entities stand for letters that the text does not have, and a link without a text of its own shows its address.
    if !text.contains('&') {
        let letters = |text: &str| text.chars().filter(|char| char.is_alphabetic()).collect();
        let (said, seen): (Vec<char>, Vec<char>) = (letters(&text), letters(&shown));
        let mut said = said.iter();
        assert!(seen.iter().all(|char| said.any(|said| said == char)), "{text:?} gains: {html}");
    }
    true
}

fn is_control(char: char) -> bool {
    char.is_control() && char != '\n' && char != '\t'
}

/// What may stand in an element.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    /// Quotes, lists, paragraphs and code; no text.
    Blocks,
    /// Items only.
    Items,
    /// Text and what is in a line; in an item also blocks.
    Anything,
    /// Text and what is in a line.
    Line,
    /// A `code`, once.
    Code,
    /// Text only.
    Text,
}

/// Reads HTML that must be safe, and says what it shows.
pub fn read(html: &str) -> String {
    assert!(html.len() <= HTML_BYTES_MAX, "{} bytes", html.len());
    let mut shown = String::new();
    let mut open: Vec<(&str, Inside)> = Vec::new();
    let mut rest = html;
    while let Some(first) = rest.chars().next() {
        let inside = open.last().map_or(Inside::Blocks, |(_, inside)| *inside);
        if first == '<' {
            let end = rest.find('>').unwrap_or_else(|| panic!("a tag has no end: {html}"));
            let (tag, behind) = (&rest[1..end], &rest[end + 1..]);
            if let Some(name) = tag.strip_prefix('/') {
                let (opened, _) = open.pop().unwrap_or_else(|| panic!("{tag} too much: {html}"));
                assert_eq!(opened, name, "{html}");
                shown.push_str(if name == "p" || name == "li" { "\n" } else { "" });
            } else {
                assert!(open.len() < HTML_DEPTH_MAX, "too deep: {html}");
                let name = tag.split(' ').next().unwrap_or_default();
                let (may, contains) = model(name, inside);
                assert!(may, "{name} where it may not be: {html}");
                assert!(name != "a" || !open.iter().any(|(name, _)| *name == "a"), "{html}");
                check_attributes(name, &tag[name.len()..]);
                match contains {
                    Some(contains) => open.push((name, contains)),
                    None => shown.push('\n'),
                }
            }
            rest = behind;
            continue;
        }
        let may = matches!(inside, Inside::Anything | Inside::Line | Inside::Text);
        assert!(may, "text where none may be: {html}");
        let (char, length) = character(rest);
        shown.push(char);
        rest = &rest[length..];
    }
    assert!(open.is_empty(), "{} elements stay open: {html}", open.len());
    shown
}

/// Whether an element may stand there, and what may stand in it: nothing in a `br`.
fn model(name: &str, inside: Inside) -> (bool, Option<Inside>) {
    let block = matches!(inside, Inside::Blocks | Inside::Anything);
    let line = matches!(inside, Inside::Line | Inside::Anything);
    match name {
        "p" => (block, Some(Inside::Line)),
        "blockquote" => (block, Some(Inside::Blocks)),
        "ul" | "ol" => (block, Some(Inside::Items)),
        "pre" => (block, Some(Inside::Code)),
        "li" => (inside == Inside::Items, Some(Inside::Anything)),
        "code" => (line || inside == Inside::Code, Some(Inside::Text)),
        "em" | "strong" | "del" | "a" => (line, Some(Inside::Line)),
        "br" => (line, None),
        _ => (false, None),
    }
}

fn check_attributes(name: &str, attributes: &str) {
    match name {
        "a" => {
            let quoted = attributes.strip_prefix(" href=\"").and_then(|rest| rest.split_once('"'));
            let (url, behind) = quoted.unwrap_or_else(|| panic!("a link to nowhere{attributes}"));
            assert_eq!(behind, " rel=\"nofollow ugc noopener\"");
            let url = text(url);
            assert!(!url.contains(|char: char| char == ' ' || char.is_control()), "{url:?}");
            let (scheme, goes_on) = url.split_once(':').expect("an address has a scheme");
            match &*scheme.to_ascii_lowercase() {
                "http" | "https" => {
                    let host = goes_on.strip_prefix("//").and_then(|host| host.chars().next());
                    assert!(host.is_some_and(|c| c.is_alphanumeric() || c == '['), "{url:?}");
                }
                "mailto" => assert!(!goes_on.is_empty(), "{url:?}"),
                _ => panic!("a link to {url:?}"),
            }
        }
        "ol" if !attributes.is_empty() => {
            let start = attributes.strip_prefix(" start=\"").and_then(|s| s.strip_suffix('"'));
            let digits = start.unwrap_or_else(|| panic!("a list with{attributes}"));
            let number = digits.len() <= 9 && digits.bytes().all(|byte| byte.is_ascii_digit());
            assert!(number && !digits.is_empty() && digits != "1", "a list from {digits}");
        }
        _ => assert_eq!(attributes, "", "{name} with attributes"),
    }
}

fn text(mut html: &str) -> String {
    let mut text = String::new();
    while !html.is_empty() {
        let (char, length) = character(html);
        text.push(char);
        html = &html[length..];
    }
    text
}

/// The next character of text, which must be escaped where it means something in HTML.
fn character(html: &str) -> (char, usize) {
    const ENTITIES: [(&str, char); 4] =
        [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"')];
    let char = html.chars().next().expect("there is one");
    if char == '&' {
        let known = ENTITIES.iter().find(|(entity, _)| html.starts_with(entity));
        let (entity, char) = known.unwrap_or_else(|| panic!("a bare &: {html}"));
        return (*char, entity.len());
    }
    assert!(!"<>\"".contains(char), "a bare {char}: {html}");
    (char, char.len_utf8())
}
