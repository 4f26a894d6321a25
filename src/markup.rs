//! Comment text → safe HTML: a subset of Markdown, written element by element from an allowlist.
//!
//! Pure, and knows nothing of comments. What the text says as HTML is shown as text; no source text ever reaches the output
//! but through [`escape`]. The parser (CommonMark 0.31) neither recurses nor looks back without bound; the tests measure it.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, TextMergeWithOffset};

use crate::limits::{HTML_BYTES_MAX, HTML_DEPTH_MAX};
use crate::url;

/// Characters that mean something to Markdown but must not here, and what stands for them while it is parsed: noncharacters
/// (Unicode §23.7), which are neither space nor punctuation to any rule of Markdown.
const STAND_INS: [(char, char); 4] =
    [(':', '\u{fdd0}'), ('*', '\u{fdd1}'), ('_', '\u{fdd2}'), ('~', '\u{fdd3}')];

/// The rendering of a comment's text, or nothing where the text itself shows just the same, or where the rendering is longer
/// than [`HTML_BYTES_MAX`] or deeper than [`HTML_DEPTH_MAX`].
///
/// Elements: `p br em strong del code pre blockquote ul ol[start] li a[href][rel]`. Differs from CommonMark in that a line
/// break in the text is one in the rendering; bare `http` and `https` addresses are links; headings are bold paragraphs;
/// images are links to them; rules, and the definitions of reference links (which would swallow `[Ada]: hello`), are text;
/// only `http`, `https` and `mailto` links are links.
pub fn html(content: &str) -> Option<String> {
    if content.contains(STAND_INS.map(|(_, stand_in)| stand_in)) {
        return None;
    }
    let source = disguise(content);
    let mut writer = Writer::default();
    let parser = Parser::new_ext(&source, Options::ENABLE_STRIKETHROUGH);
    for (event, place) in TextMergeWithOffset::new(parser.into_offset_iter()) {
        match event {
            Event::Rule => writer.rule(&source[place])?,
            event => writer.take(event)?,
        }
        if writer.out.len() > HTML_BYTES_MAX {
            return None;
        }
    }
    assert!(writer.open.is_empty(), "the parser ends what it starts");
    writer.shows_more_than(content).then_some(writer.out)
}

/// Writes the elements. Every method that opens one says nothing where that is too deep.
#[derive(Default)]
struct Writer {
    out: String,
    /// What a reader sees, with line feeds for breaks and paragraphs.
    shown: String,
    /// Whether anything but paragraphs and breaks was written.
    rich: bool,
    open: Vec<&'static str>,
    anchors: Vec<Anchor>,
    /// How many images we are in: theirs is text only, whatever it says.
    images: usize,
    linked: bool,
    preformatted: bool,
}

/// A link or an image, which may have come to nothing.
struct Anchor {
    /// Empty where the address is not allowed.
    url: String,
    /// Whether it opened an `a`.
    opened: bool,
    shown_before: usize,
}

impl Writer {
    fn take(&mut self, event: Event) -> Option<()> {
        match event {
            Event::Start(Tag::Link { link_type, dest_url, .. }) => {
                let mail = link_type == pulldown_cmark::LinkType::Email;
                let scheme = if mail { "mailto:" } else { "" };
                self.start_anchor(&format!("{scheme}{}", restore(&dest_url)))?;
            }
            Event::Start(Tag::Image { dest_url, .. }) => {
                self.start_anchor(&restore(&dest_url))?;
                self.images += 1;
            }
            Event::End(TagEnd::Image) => {
                self.images -= 1;
                self.end_anchor();
            }
            Event::End(TagEnd::Link) => self.end_anchor(),
            Event::Start(tag) if self.images == 0 => self.start(&tag)?,
            Event::End(tag) if self.images == 0 => self.end(tag),
            Event::Start(_) | Event::End(_) => {}
            Event::Text(text) => self.text(&restore(&text))?,
            Event::Html(text) | Event::InlineHtml(text) => self.raw(&restore(&text))?,
            Event::Code(text) if self.images == 0 => {
                self.start_rich("code", "<code>")?;
                self.show(&restore(&text));
                self.close();
            }
            Event::Code(text) => self.show(&restore(&text)),
            Event::SoftBreak | Event::HardBreak if self.images == 0 => self.line_break()?,
            Event::SoftBreak | Event::HardBreak => self.show(" "),
            // Only with options that are off.
            Event::Rule
            | Event::FootnoteReference(_)
            | Event::TaskListMarker(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_) => {}
        }
        Some(())
    }

    fn start(&mut self, tag: &Tag) -> Option<()> {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => self.start_plain("p", "<p>"),
            Tag::Heading { .. } => {
                self.start_plain("p", "<p>")?;
                self.start_rich("strong", "<strong>")
            }
            Tag::BlockQuote(_) => self.start_rich("blockquote", "<blockquote>"),
            Tag::CodeBlock(_) => {
                self.preformatted = true;
                self.start_rich("pre", "<pre>")?;
                self.start_rich("code", "<code>")
            }
            Tag::List(None) => self.start_rich("ul", "<ul>"),
            Tag::List(Some(1)) => self.start_rich("ol", "<ol>"),
            Tag::List(Some(first)) => self.start_rich("ol", &format!("<ol start=\"{first}\">")),
            Tag::Item => self.start_rich("li", "<li>"),
            Tag::Emphasis => self.start_rich("em", "<em>"),
            Tag::Strong => self.start_rich("strong", "<strong>"),
            Tag::Strikethrough => self.start_rich("del", "<del>"),
            // Only with options that are off; links and images are taken before.
            _ => None,
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::CodeBlock => {
                self.preformatted = false;
                if self.out.ends_with('\n') {
                    self.out.pop();
                }
                self.close();
                self.close();
            }
            // A block of HTML ends with a line feed.
            TagEnd::HtmlBlock => {
                self.out.truncate(self.out.trim_end_matches("<br>").len());
                self.close();
            }
            TagEnd::Heading(_) => {
                self.close();
                self.close();
            }
            _ => self.close(),
        }
        if matches!(tag, TagEnd::Paragraph | TagEnd::HtmlBlock) {
            self.shown.push_str("\n\n");
        }
    }

    fn start_plain(&mut self, name: &'static str, tag: &str) -> Option<()> {
        self.open.push(name);
        self.out.push_str(tag);
        (self.open.len() <= HTML_DEPTH_MAX).then_some(())
    }

    fn start_rich(&mut self, name: &'static str, tag: &str) -> Option<()> {
        self.rich = true;
        self.start_plain(name, tag)
    }

    fn close(&mut self) {
        let name = self.open.pop().expect("the parser ends only what it has started");
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    fn line_break(&mut self) -> Option<()> {
        self.out.push_str("<br>");
        self.shown.push('\n');
        (self.open.len() < HTML_DEPTH_MAX).then_some(())
    }

    fn rule(&mut self, source: &str) -> Option<()> {
        self.start_plain("p", "<p>")?;
        self.show(&restore(source.trim()));
        self.end(TagEnd::Paragraph);
        Some(())
    }

    fn start_anchor(&mut self, url: &str) -> Option<()> {
        let url = if url::is_allowed(url) { url.to_string() } else { String::new() };
        let opened = !url.is_empty() && !self.linked && self.images == 0;
        if opened {
            self.start_link(&url)?;
        }
        // What is not shown differs from what was written, so that has to be told.
        self.rich = true;
        self.anchors.push(Anchor { url, opened, shown_before: self.shown.len() });
        Some(())
    }

    /// A link without text shows where it goes, so that nothing can be clicked unseen.
    fn end_anchor(&mut self) {
        let anchor = self.anchors.pop().expect("the parser ends only what it has started");
        if self.shown[anchor.shown_before..].trim().is_empty() {
            self.show(&anchor.url);
        }
        if anchor.opened {
            self.end_link();
        }
    }

    fn start_link(&mut self, url: &str) -> Option<()> {
        self.linked = true;
        let mut tag = String::from("<a href=\"");
        escape(&mut tag, &url.replace(' ', "%20"));
        tag.push_str("\" rel=\"nofollow ugc noopener\">");
        self.start_rich("a", &tag)
    }

    fn end_link(&mut self) {
        self.linked = false;
        self.close();
    }

    fn text(&mut self, text: &str) -> Option<()> {
        if self.linked || self.preformatted || self.images > 0 {
            self.show(text);
            return Some(());
        }
        let mut from = 0;
        while let Some(place) = url::find(text, from) {
            self.show(&text[from..place.start]);
            self.start_link(&text[place.clone()])?;
            self.show(&text[place.clone()]);
            self.end_link();
            from = place.end;
        }
        self.show(&text[from..]);
        Some(())
    }

    /// HTML as text, with its own line feeds as breaks.
    fn raw(&mut self, text: &str) -> Option<()> {
        for (i, line) in text.split('\n').enumerate() {
            if i > 0 && self.images == 0 {
                self.line_break()?;
            }
            self.text(line)?;
        }
        Some(())
    }

    fn show(&mut self, text: &str) {
        escape(&mut self.out, text);
        self.shown.push_str(text);
    }

    /// Whether the rendering says anything that the text alone doesn't. White space at the ends of lines and the
    /// number of empty lines say nothing.
    fn shows_more_than(&self, content: &str) -> bool {
        let shows_something = !self.shown.trim().is_empty();
        shows_something && (self.rich || !lines(&self.shown).eq(lines(content)))
    }
}

/// The lines of a text, trimmed, without those that are empty.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// Takes the meaning from what must have none: the colon of a link's definition, and emphasis inside a bare address.
fn disguise(content: &str) -> String {
    let mut source = String::with_capacity(content.len());
    let mut from = 0;
    while let Some(place) = url::find(content, from) {
        source.push_str(&content[from..place.start]);
        for char in content[place.clone()].chars() {
            let stand_in = STAND_INS.iter().find(|(meant, _)| *meant == char && char != ':');
            source.push(stand_in.map_or(char, |(_, stand_in)| *stand_in));
        }
        from = place.end;
    }
    source.push_str(&content[from..]);
    source.replace("]:", "]\u{fdd0}")
}

/// Undoes [`disguise`].
fn restore(text: &str) -> String {
    let meant = |char| {
        STAND_INS.iter().find(|(_, stand_in)| *stand_in == char).map_or(char, |(meant, _)| *meant)
    };
    text.chars().map(meant).collect()
}

/// Text → text in HTML, in an element or in a quoted attribute. The only way to the output for what was written.
fn escape(out: &mut String, text: &str) {
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            char => out.push(char),
        }
    }
}

#[cfg(test)]
mod attacks;

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
                "<p>&lt;div&gt;<br>**a**<br>&lt;/div&gt;</p><p><em>b</em></p>",
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
