//! The only way to the output: text goes in escaped, and each element comes from [`Tag`] and is closed in turn.
//!
//! Knows nothing of Markdown.

use crate::limits::{HTML_BYTES_MAX, HTML_DEPTH_MAX};

/// The elements, all there are but for `br`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tag {
    Paragraph,
    Em,
    Strong,
    Del,
    Code,
    Pre,
    Quote,
    Bullets,
    Numbers,
    Item,
    Link,
}

#[derive(Default)]
pub struct Writer {
    out: String,
    /// What a reader sees, with line feeds for breaks and paragraphs.
    shown: String,
    /// Bytes of [`Self::shown`] up to the last text that is not only white space.
    visible: usize,
    /// Whether anything but paragraphs and breaks was written.
    rich: bool,
    open: Vec<Tag>,
}

impl Tag {
    fn name(self) -> &'static str {
        match self {
            Tag::Paragraph => "p",
            Tag::Em => "em",
            Tag::Strong => "strong",
            Tag::Del => "del",
            Tag::Code => "code",
            Tag::Pre => "pre",
            Tag::Quote => "blockquote",
            Tag::Bullets => "ul",
            Tag::Numbers => "ol",
            Tag::Item => "li",
            Tag::Link => "a",
        }
    }
}

impl Writer {
    /// Opens an element without attributes, or says nothing where that is too deep.
    pub fn open(&mut self, tag: Tag) -> Option<()> {
        self.start(tag)?;
        self.out.push('>');
        Some(())
    }

    /// Opens an `ol`.
    pub fn open_numbers(&mut self, first: u64) -> Option<()> {
        self.start(Tag::Numbers)?;
        if first != 1 {
            self.out.push_str(" start=\"");
            self.out.push_str(&first.to_string());
            self.out.push('"');
        }
        self.out.push('>');
        Some(())
    }

    /// Opens an `a`, which the caller has found allowed.
    pub fn open_link(&mut self, url: &str) -> Option<()> {
        self.start(Tag::Link)?;
        self.out.push_str(" href=\"");
        for char in url.chars() {
            if char == ' ' {
                self.out.push_str("%20");
            } else {
                escape(&mut self.out, char);
            }
        }
        self.out.push_str("\" rel=\"nofollow ugc noopener\">");
        Some(())
    }

    /// Closes what was opened last.
    pub fn close(&mut self) {
        let tag = self.open.pop().expect("only what was opened is closed");
        self.out.push_str("</");
        self.out.push_str(tag.name());
        self.out.push('>');
        if tag == Tag::Paragraph {
            self.shown.push('\n');
        }
    }

    /// Writes a `br`, or says nothing where that is too deep.
    pub fn line_break(&mut self) -> Option<()> {
        self.out.push_str("<br>");
        self.shown.push('\n');
        (self.open.len() < HTML_DEPTH_MAX).then_some(())
    }

    pub fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        for char in text.chars() {
            escape(&mut self.out, char);
        }
        self.shown.push_str(text);
        if !text.trim().is_empty() {
            self.visible = self.shown.len();
        }
    }

    /// Tells that what was written differs from the text although no element does.
    pub fn enrich(&mut self) {
        self.rich = true;
    }

    /// Where the text is now, for [`Self::shows_since`].
    pub fn place(&self) -> usize {
        self.shown.len()
    }

    /// Whether anything but white space was written since.
    pub fn shows_since(&self, place: usize) -> bool {
        self.visible > place
    }

    pub fn is_too_long(&self) -> bool {
        self.out.len() > HTML_BYTES_MAX
    }

    /// The output, where it says anything that the text alone doesn't. White space at the ends of lines and the number of
    /// empty lines say nothing.
    pub fn finish(self, content: &str) -> Option<String> {
        assert!(self.open.is_empty(), "what was opened is closed");
        let says_more = self.visible > 0 && (self.rich || !lines(&self.shown).eq(lines(content)));
        (says_more && !self.is_too_long()).then_some(self.out)
    }

    fn start(&mut self, tag: Tag) -> Option<()> {
        if self.open.len() == HTML_DEPTH_MAX {
            return None;
        }
        self.open.push(tag);
        self.out.push('<');
        self.out.push_str(tag.name());
        self.rich |= tag != Tag::Paragraph;
        Some(())
    }
}

/// The lines of a text, trimmed, without those that are empty.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').map(str::trim).filter(|line| !line.is_empty())
}

/// Text → text in HTML, in an element or in a quoted attribute.
fn escape(out: &mut String, char: char) {
    match char {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        char => out.push(char),
    }
}
