//! Comment text → safe HTML: a subset of Markdown, written element by element from an allowlist.
//!
//! Pure, and knows nothing of comments. What the text says as HTML is shown as text; no source text ever reaches the output
//! but through [`writer::Writer`], which escapes it. `pulldown-cmark` says what the text means by CommonMark; [`source`] takes the
//! meaning from what has none here before that, and [`events`] writes what is left.

mod events;
mod source;
mod url;
mod writer;

use source::Source;
use writer::Writer;

/// Marks of quotes and lists at the beginning of one line; with more it would be deeper than
/// [`HTML_DEPTH_MAX`](crate::limits::HTML_DEPTH_MAX) by far, and every further line would be compared with all of them.
const LINE_MARKS_MAX: usize = 64;

/// The rendering of a comment's text, or nothing where the text itself shows just the same, or where the rendering is longer
/// than [`HTML_BYTES_MAX`](crate::limits::HTML_BYTES_MAX) or deeper than [`HTML_DEPTH_MAX`](crate::limits::HTML_DEPTH_MAX).
///
/// Elements: `p br em strong del code pre blockquote ul ol[start] li a[href][rel]`. Differs from CommonMark in that a line
/// break in the text is one in the rendering; bare `http` and `https` addresses are links; headings are bold paragraphs;
/// images are links to them; HTML, rules, indented code, and links by reference with their definitions (which would swallow
/// `[Ada]: hello`), are text; `~~` strikes through; only `http`, `https` and `mailto` links are links.
pub fn html(content: &str) -> Option<String> {
    if is_plain(content) {
        return None;
    }
    rendering(content)
}

/// Whether nothing in the text can mean anything: what most comments are needs no second look.
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

fn rendering(content: &str) -> Option<String> {
    if content.lines().any(|line| line_marks(line) > LINE_MARKS_MAX) {
        return None;
    }
    let mut writer = Writer::default();
    events::write(&mut writer, &Source::new(content))?;
    writer.finish(content)
}

/// How many quotes and lists could begin in a line. A row of one mark is a rule, and begins none.
fn line_marks(line: &str) -> usize {
    let is_row = |mark: char| line.chars().all(|char| char == mark || " \t".contains(char));
    if is_row('-') || is_row('*') {
        return 0;
    }
    let prefix =
        line.trim_start_matches(|char: char| " \t>-+*.)".contains(char) || char.is_ascii_digit());
    let prefix = &line.as_bytes()[..line.len() - prefix.len()];
    let is_mark = |at: &usize| match prefix[*at] {
        b'>' => true,
        b'-' | b'+' | b'*' | b'.' | b')' => matches!(prefix.get(at + 1), Some(b' ' | b'\t')),
        _ => false,
    };
    (0..prefix.len()).filter(is_mark).count()
}

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod examples;

#[cfg(test)]
mod tests {
    use super::attacks::check;
    use super::*;

    fn some(content: &str) -> String {
        html(content).unwrap_or_else(|| panic!("{content:?} stays plain"))
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
            assert_eq!(some(content), html, "{content:?}");
            check(html);
        }
    }

    #[test]
    fn text_that_shows_the_same_without_markup_stays_plain() {
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
    fn allowed_links_are_links() {
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
            assert_eq!(some(content), html, "{content:?}");
            check(&html);
        }
    }

    #[test]
    fn bare_addresses_are_links_whatever_emphasis_is_in_them() {
        for (before, url, after) in [
            ("see ", "https://a.example", ", and"),
            ("(", "https://a.example/b_(c)", ")."),
            ("*x*: ", "https://a.example/__init__.py", ";"),
            ("_", "https://a.example/*b*/~c~d", "_"),
            ("[", "https://[::1]:8000/x", "]:"),
            ("'", "https://a.example/it's", "'"),
        ] {
            let html = some(&format!("{before}{url}{after}"));
            assert!(html.contains(&link(url, url)), "{html}");
        }
        assert!(!some("`https://a.example`").contains("<a"));
        assert!(!some("```\nhttps://a.example\n```").contains("<a"));
        assert_eq!(some("https://a.example https://b.example").matches("<a ").count(), 2);
    }

    #[test]
    fn definitions_of_links_are_text_and_swallow_nothing() {
        let html = some("[Ada]: hello\n[Bob]: https://b.example\n\n[Ada]: again *twice*");
        assert!(html.starts_with("<p>[Ada]: hello<br>[Bob]: <a "), "{html}");
        assert!(html.ends_with("<p>[Ada]: again <em>twice</em></p>"), "{html}");
        assert_eq!(some("`[a]: b`"), "<p><code>[a]: b</code></p>");
        assert_eq!(
            some("```\n[a]: https://b_c*d\n```"),
            "<pre><code>[a]: https://b_c*d</code></pre>"
        );
    }
}
