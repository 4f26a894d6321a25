//! Checks that rendered HTML contains nothing but the allowed elements. Compiled for tests only.

/// Parses HTML strictly: it may contain only the allowed tags, exactly as they are written and closed in order, and `<` and `"` nowhere
/// else. Returns the depth of nesting.
pub fn check(html: &str) -> usize {
    const NAMES: [&str; 11] =
        ["p", "em", "strong", "del", "code", "pre", "blockquote", "ul", "ol", "li", "a"];
    let (mut open, mut deepest, mut rest) = (Vec::new(), 0, html);
    while let Some(at) = rest.find('<') {
        check_text(&rest[..at]);
        let end = at + rest[at..].find('>').expect("every tag is closed by >");
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
                let url = attributes.strip_prefix("href=\"").expect("every link has an address");
                let url = url
                    .strip_suffix("\" rel=\"nofollow ugc noopener\"")
                    .expect("every link has its rel");
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

/// The text that a reader sees of HTML that [`check`] has accepted, without line breaks.
pub fn shown_text(html: &str) -> String {
    let parts = html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
    entities.iter().fold(parts.collect(), |text: String, (name, char)| text.replace(name, char))
}
