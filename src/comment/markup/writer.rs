//! Writes HTML: escapes all text, writes only the elements of [`Tag`], and closes each in order.
//!
//! Knows no Markdown.

use std::fmt::Write;

use crate::comment::shown_text::is_blank;
use crate::limits::{HTML_BYTES_MAX, HTML_DEPTH_MAX};
use crate::util::html::Escaped;

/// The allowed elements, except `br`.
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

/// The HTML written so far, and the text that it shows.
#[derive(Default)]
pub struct Writer {
    out: String,
    /// The text that a reader sees, with a line feed for each line break and paragraph.
    shown: String,
    /// The length of [`Self::shown`] up to the end of the last text that shows something.
    visible_end: usize,
    /// Whether the HTML has more than paragraphs and line breaks.
    is_rich: bool,
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
    /// Opens an element without attributes. Returns `None` if it would be nested too deep.
    pub fn open(&mut self, tag: Tag) -> Option<()> {
        self.start(tag)?;
        self.out.push('>');
        Some(())
    }

    /// Opens an `ol` that counts from `first`. Returns `None` if it would be nested too deep.
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

    /// Opens an `a`; the caller has checked that `url` is allowed. Returns `None` if it would be nested too deep.
    pub fn open_link(&mut self, url: &str) -> Option<()> {
        self.start(Tag::Link)?;
        self.out.push_str(" href=\"");
        self.escaped(&url.replace(' ', "%20"));
        self.out.push_str("\" rel=\"nofollow ugc noopener\">");
        Some(())
    }

    /// Closes the element that was opened last.
    pub fn close(&mut self) {
        let tag = self.open.pop().expect("every element is opened before it is closed");
        self.out.push_str("</");
        self.out.push_str(tag.name());
        self.out.push('>');
        if tag == Tag::Paragraph {
            self.shown.push('\n');
        }
    }

    /// Writes a `br`. Returns `None` if it is nested too deep.
    pub fn line_break(&mut self) -> Option<()> {
        self.out.push_str("<br>");
        self.shown.push('\n');
        (self.open.len() < HTML_DEPTH_MAX).then_some(())
    }

    /// Writes text, escaped.
    pub fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.escaped(text);
        self.shown.push_str(text);
        if !is_blank(text) {
            self.visible_end = self.shown.len();
        }
    }

    /// Marks the HTML as different from the plain text, even if it has no elements for that.
    pub fn mark_as_rich(&mut self) {
        self.is_rich = true;
    }

    /// The current position in the text, for [`Self::has_text_since`].
    pub fn position(&self) -> usize {
        self.shown.len()
    }

    /// Whether any text that shows something was written since `position`.
    pub fn has_text_since(&self, position: usize) -> bool {
        self.visible_end > position
    }

    /// Whether the HTML is longer than [`HTML_BYTES_MAX`].
    pub fn is_too_long(&self) -> bool {
        self.out.len() > HTML_BYTES_MAX
    }

    /// Returns the HTML if it shows more than the plain text `content` and is not too long. White space at the ends of lines and the
    /// number of empty lines make no difference.
    pub fn finish(self, content: &str) -> Option<String> {
        assert!(self.open.is_empty(), "every element is closed");
        let differs =
            self.visible_end > 0 && (self.is_rich || !lines(&self.shown).eq(lines(content)));
        (differs && !self.is_too_long()).then_some(self.out)
    }

    fn escaped(&mut self, text: &str) {
        write!(self.out, "{}", Escaped(text)).expect("writing to a string never fails");
    }

    fn start(&mut self, tag: Tag) -> Option<()> {
        if self.open.len() == HTML_DEPTH_MAX {
            return None;
        }
        self.open.push(tag);
        self.out.push('<');
        self.out.push_str(tag.name());
        self.is_rich |= tag != Tag::Paragraph;
        Some(())
    }
}

/// The lines of a text, trimmed, without the empty ones.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').map(str::trim).filter(|line| !line.is_empty())
}
