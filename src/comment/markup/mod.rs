//! Renders a comment's text, a subset of Markdown, as safe HTML that contains only elements from an allowlist.
//!
//! Pure; knows nothing of comments. HTML in the text is shown as text: every part of the text reaches the output through
//! [`writer::Writer`], which escapes it. [`blocks`] finds quotes, lists and paragraphs line by line, [`inline`] emphasis and links in
//! one paragraph. Both follow CommonMark 0.31, whose sections each file names, take time in proportion to the text, and don't recurse.
//! The tests compare every rendering with that of `oracle`, which is the crate pulldown-cmark behind the same allowlist.

mod blocks;
mod emphasis;
mod inline;
mod line;
mod link;
mod punctuation;
mod steps;
pub(crate) mod url;
mod writer;

use blocks::{Block, Leaf};
use writer::{Tag, Writer};

/// Renders a comment's text. Returns `None` if the plain text would look the same, or if the rendering is longer than
/// [`HTML_BYTES_MAX`](crate::limits::HTML_BYTES_MAX) or nested deeper than [`HTML_DEPTH_MAX`](crate::limits::HTML_DEPTH_MAX).
///
/// Writes the elements `p br em strong del code pre blockquote ul ol[start] li a[href][rel]`. Differs from CommonMark:
///
/// - Every line break is kept, and bare `http` and `https` addresses become links, whatever punctuation is in them.
/// - Headings become bold paragraphs, images become links, and `~~` strikes through.
/// - Only `http`, `https` and `mailto` links are allowed.
/// - HTML, rules, indented code, and reference links with their definitions (which would hide `[Ada]: hello`) stay text.
/// - Of the named entities only the most common ones are known, see [`link::ENTITIES`].
/// - In code, white space around a line break is one space, as a browser shows it anyway.
/// - A link's title ends in its line and contains no backslash and no web address. An address in angle brackets is in the line of the
///   `](`. A `#` at the end of a heading closes it only behind a space, not behind a tab.
/// - Outside of the first 65,536 characters only symbols and emojis are punctuation, see [`punctuation`].
pub fn html(content: &str) -> Option<String> {
    if is_plain(content) {
        return None;
    }
    render(content)
}

/// Whether the text contains no character that could be markup. Most comments need no parser.
fn is_plain(content: &str) -> bool {
    let mut begins_line = true;
    for byte in content.bytes() {
        match byte {
            b'*' | b'_' | b'~' | b'`' | b'[' | b'<' | b'&' | b'\\' | b':' => return false,
            b'#' | b'>' | b'-' | b'+' | b'=' | b'0'..=b'9' if begins_line => return false,
            b'\n' => begins_line = true,
            b' ' | b'\t' => {}
            _ => begins_line = false,
        }
    }
    true
}

fn render(content: &str) -> Option<String> {
    let (blocks, text) = blocks::parse(content)?;
    let mut writer = Writer::default();
    // For each block that is open, whether its paragraphs are written as such.
    let mut loose = vec![true];
    for block in blocks {
        match block {
            Block::Quote => {
                writer.open(Tag::Quote)?;
                loose.push(true);
            }
            Block::List { first, loose: is_loose } => {
                match first {
                    Some(first) => writer.open_numbers(first.into())?,
                    None => writer.open(Tag::Bullets)?,
                }
                loose.push(is_loose);
            }
            Block::Item => {
                writer.open(Tag::Item)?;
                loose.push(loose.last() == Some(&true));
            }
            Block::End => {
                writer.close();
                loose.pop();
            }
            Block::Leaf(Leaf::Paragraph, place) if loose.last() == Some(&false) => {
                inline::write(&mut writer, &text[place])?;
            }
            Block::Leaf(leaf, place) => write_leaf(&mut writer, leaf, &text[place])?,
        }
        if writer.is_too_long() {
            return None;
        }
    }
    writer.finish(content)
}

fn write_leaf(writer: &mut Writer, leaf: Leaf, text: &str) -> Option<()> {
    if leaf == Leaf::Heading && text.is_empty() {
        return Some(());
    }
    let (outer, inner) = match leaf {
        Leaf::Paragraph | Leaf::Indented | Leaf::Rule => (Tag::Paragraph, None),
        Leaf::Heading => (Tag::Paragraph, Some(Tag::Strong)),
        Leaf::Code => (Tag::Pre, Some(Tag::Code)),
    };
    writer.open(outer)?;
    if let Some(inner) = inner {
        writer.open(inner)?;
    }
    match leaf {
        Leaf::Rule => writer.text(text),
        Leaf::Code => writer.text(text.strip_suffix('\n').unwrap_or(text)),
        Leaf::Paragraph | Leaf::Indented | Leaf::Heading => inline::write(writer, text)?,
    }
    if inner.is_some() {
        writer.close();
    }
    writer.close();
    Some(())
}

#[cfg(test)]
mod allowlist;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod differences;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod oracle;

#[cfg(test)]
mod tests {
    use super::allowlist::check;
    use super::*;

    fn rendered(content: &str) -> String {
        html(content).unwrap_or_else(|| panic!("{content:?} was not rendered"))
    }

    fn link(url: &str, text: &str) -> String {
        format!("<a href=\"{url}\" rel=\"nofollow ugc noopener\">{text}</a>")
    }

    #[test]
    fn each_element_is_written_as_documented() {
        for (content, html) in [
            ("First *indeed*", "<p>First <em>indeed</em></p>"),
            ("**a** ~~b~~ `<c>`", "<p><strong>a</strong> <del>b</del> <code>&lt;c&gt;</code></p>"),
            ("*a*\nb\n\nc", "<p><em>a</em><br>b</p><p>c</p>"),
            ("# Hi\n\na", "<p><strong>Hi</strong></p><p>a</p>"),
            ("Hi\n---\na", "<p><strong>Hi</strong></p><p>a</p>"),
            ("```rust\nfn a<T>()\n\n  b\n```", "<pre><code>fn a&lt;T&gt;()\n\n  b</code></pre>"),
            ("> a\n> b\n\nc", "<blockquote><p>a<br>b</p></blockquote><p>c</p>"),
            ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
            ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
            ("7. a", "<ol start=\"7\"><li>a</li></ol>"),
            (
                "- a\n\n- b\n  1. c",
                "<ul><li><p>a</p></li><li><p>b</p><ol><li>c</li></ol></li></ul>",
            ),
            ("*a*\n\n* * *", "<p><em>a</em></p><p>* * *</p>"),
            ("a \\* b &amp; c", "<p>a * b &amp; c</p>"),
            ("a\\\nb", "<p>a<br>b</p>"),
            (
                "<div>\n**a**\n</div>\n\n*b*",
                "<p>&lt;div&gt;<br><strong>a</strong><br>&lt;/div&gt;</p><p><em>b</em></p>",
            ),
            ("*a* <b onclick='x'>c</b>", "<p><em>a</em> &lt;b onclick='x'&gt;c&lt;/b&gt;</p>"),
            ("*a* | b\n--|--\nc | d", "<p><em>a</em> | b<br>--|--<br>c | d</p>"),
        ] {
            assert_eq!(rendered(content), html, "{content:?}");
            check(html);
        }
    }

    #[test]
    fn a_text_that_looks_the_same_without_markup_is_not_rendered() {
        for plain in [
            "First!",
            "a\nb\n\nc",
            "a  \nb",
            "a\n\n\n\nb",
            "1 < 2 & \"3\" > 'x'",
            "<img src=x onerror=alert(1)>",
            "<script>\nalert(1)\n</script>",
            "<!-- a\nb -->",
            "snake_case_name and 2 * 3 * 4",
            "a\n\n***\n\nb",
            "[Ada]: hello\n[Bob]: https",
            "[x] [y][z] ![w]",
            "#nospace",
            "\u{5d0}\u{1f389}",
            "",
            " ",
            "#",
            "-",
            "```\n```",
            "[](javascript:x)",
        ] {
            assert_eq!(html(plain), None, "{plain:?}");
        }
    }

    #[test]
    fn links_with_an_allowed_scheme_are_links() {
        let a = |url: &str, text: &str| format!("<p>{}</p>", link(url, text));
        for (content, html) in [
            ("[t](https://a.example \"title\")", a("https://a.example", "t")),
            (
                "[t](HTTP://a.example/?a=1&b=\"c\")",
                a("HTTP://a.example/?a=1&amp;b=&quot;c&quot;", "t"),
            ),
            ("[t](<https://a.example/b c>)", a("https://a.example/b%20c", "t")),
            ("[t](mailto:ada@a.example)", a("mailto:ada@a.example", "t")),
            ("[t](&#104;ttps://a.example)", a("https://a.example", "t")),
            ("<https://a_b.example/c_d>", a("https://a_b.example/c_d", "https://a_b.example/c_d")),
            ("<ada@a.example>", a("mailto:ada@a.example", "ada@a.example")),
            (
                "[*t* https://b.example](https://a.example)",
                a("https://a.example", "<em>t</em> https://b.example"),
            ),
            ("[](https://a.example)", a("https://a.example", "https://a.example")),
            ("![a *b*](https://a.example/c.png)", a("https://a.example/c.png", "a b")),
            (
                "![](https://a.example/c.png)",
                a("https://a.example/c.png", "https://a.example/c.png"),
            ),
            ("[![b](https://b.example)](https://a.example)", a("https://a.example", "b")),
            ("[![b](https://b.example)](x:y)", a("https://b.example", "b")),
            ("![a [b](https://b.example)](https://a.example)", a("https://a.example", "a b")),
        ] {
            assert_eq!(rendered(content), html, "{content:?}");
            check(&html);
        }
    }

    #[test]
    fn bare_addresses_are_links_even_with_emphasis_characters() {
        for (before, url, after) in [
            ("see ", "https://a.example", ", and"),
            ("(", "https://a.example/b_(c)", ")."),
            ("*x*: ", "https://a.example/__init__.py", ";"),
            ("_", "https://a.example/*b*/~c~d", "_"),
            ("[", "https://[::1]:8000/x", "]:"),
            ("'", "https://a.example/it's", "'"),
        ] {
            let html = rendered(&format!("{before}{url}{after}"));
            assert!(html.contains(&link(url, url)), "{html}");
        }
        assert!(!rendered("`https://a.example`").contains("<a"));
        assert!(!rendered("```\nhttps://a.example\n```").contains("<a"));
        assert_eq!(rendered("https://a.example https://b.example").matches("<a ").count(), 2);
    }

    #[test]
    fn link_definitions_are_shown_as_text() {
        let html = rendered("[Ada]: hello\n[Bob]: https://b.example\n\n[Ada]: again *twice*");
        assert!(html.starts_with("<p>[Ada]: hello<br>[Bob]: <a "), "{html}");
        assert!(html.ends_with("<p>[Ada]: again <em>twice</em></p>"), "{html}");
        assert_eq!(rendered("`[a]: b`"), "<p><code>[a]: b</code></p>");
        assert_eq!(
            rendered("```\n[a]: https://b_c*d\n```"),
            "<pre><code>[a]: https://b_c*d</code></pre>"
        );
    }
}
