//! Writes the events of the CommonMark parser as HTML.
//!
//! Takes one event after the other and never looks back. Knows no Markdown syntax.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, LinkType, Options, Parser, Tag as Block, TagEnd};

use super::source::Source;
use crate::comment::markup::writer::{Tag, Writer};
use crate::comment::markup::{link, url};

/// An escaped space before each line of indented code, so that the parser reads the line as part of a paragraph. It is not shown.
const PARAGRAPH_SPACE: &str = "&#32;";

/// Writes a text. Returns `None` if its HTML is too long or nested too deep.
pub fn write(writer: &mut Writer, source: &Source, has_html: &mut bool) -> Option<()> {
    EventWriter::new(writer, source, has_html).write()
}

/// A link or an image that is open.
struct Anchor {
    /// The address; empty if it is not allowed.
    url: String,
    image: bool,
    /// Whether it opened an `a`.
    opened: bool,
    /// The position at which its text starts, for [`Writer::has_text_since`].
    start: usize,
}

struct EventWriter<'a> {
    source: &'a Source,
    writer: &'a mut Writer,
    /// See [`Rendering`](super::Rendering).
    has_html: &'a mut bool,
    /// The code block that is open, and whether it is fenced.
    code: Option<(String, bool)>,
    /// The links and images that are open.
    open: Vec<Anchor>,
    /// How many images are open. Their content is written as text only.
    images: usize,
    /// Whether an `a` is open.
    linked: bool,
    /// The bare addresses that have not been written yet.
    addresses: &'a [Range<usize>],
    /// The text before this position has been written already, as part of an address.
    done: usize,
}

impl<'a> EventWriter<'a> {
    fn new(writer: &'a mut Writer, source: &'a Source, has_html: &'a mut bool) -> EventWriter<'a> {
        let addresses = source.addresses();
        let (code, open) = (None, Vec::new());
        EventWriter {
            source,
            writer,
            has_html,
            code,
            open,
            images: 0,
            linked: false,
            addresses,
            done: 0,
        }
    }

    fn write(mut self) -> Option<()> {
        // There are no events for reference links, since no definition is left, or for tables, footnotes and other extensions.
        let events = Parser::new_ext(self.source.text(), Options::ENABLE_STRIKETHROUGH);
        let mut events = events.into_offset_iter().peekable();
        while let Some((event, range)) = events.next() {
            match event {
                Event::Start(Block::Heading { .. })
                    if matches!(events.peek(), Some((Event::End(_), _))) =>
                {
                    events.next();
                }
                Event::Start(block) => self.start(block, range)?,
                Event::End(block) => self.end(block)?,
                Event::Text(text) => self.text(&text, range)?,
                Event::Code(text) => self.code_span(&text, range)?,
                Event::SoftBreak | Event::HardBreak if self.images > 0 => self.writer.text(" "),
                Event::SoftBreak | Event::HardBreak => self.writer.line_break()?,
                Event::Rule => {
                    self.writer.open(Tag::Paragraph)?;
                    self.writer.text(self.source.original(range).trim());
                    self.writer.close();
                }
                Event::Html(text) | Event::InlineHtml(text) => self.html(&text, range)?,
                _ => {}
            }
            if self.writer.is_too_long() {
                return None;
            }
        }
        Some(())
    }

    fn start(&mut self, block: Block, range: Range<usize>) -> Option<()> {
        match block {
            Block::Paragraph | Block::HtmlBlock => self.writer.open(Tag::Paragraph)?,
            Block::Heading { .. } => {
                self.writer.open(Tag::Paragraph)?;
                self.writer.open(Tag::Strong)?;
            }
            Block::BlockQuote(_) => self.writer.open(Tag::Quote)?,
            Block::List(None) => self.writer.open(Tag::Bullets)?,
            Block::List(Some(first)) => self.writer.open_numbers(first)?,
            Block::Item => self.writer.open(Tag::Item)?,
            Block::CodeBlock(kind) => {
                self.code = Some((String::new(), matches!(kind, CodeBlockKind::Fenced(_))));
            }
            Block::Emphasis if self.images == 0 => self.writer.open(Tag::Em)?,
            Block::Strong if self.images == 0 => self.writer.open(Tag::Strong)?,
            Block::Strikethrough if self.images == 0 => self.writer.open(Tag::Del)?,
            Block::Link { link_type: LinkType::Autolink | LinkType::Email, .. } => {
                let typed = self.source.original(range.clone());
                *self.has_html |= link::autolink(&typed).is_none();
                self.start_anchor(String::new(), false)?;
                self.address(typed.trim_matches(['<', '>']))?;
                self.done = range.end;
            }
            Block::Link { dest_url, .. } => self.start_anchor(dest_url.into_string(), false)?,
            Block::Image { dest_url, .. } => self.start_anchor(dest_url.into_string(), true)?,
            _ => {}
        }
        Some(())
    }

    fn end(&mut self, block: TagEnd) -> Option<()> {
        match block {
            TagEnd::Heading(_) => {
                self.writer.close();
                self.writer.close();
            }
            TagEnd::Paragraph
            | TagEnd::HtmlBlock
            | TagEnd::BlockQuote(_)
            | TagEnd::List(_)
            | TagEnd::Item => self.writer.close(),
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough if self.images == 0 => {
                self.writer.close();
            }
            TagEnd::CodeBlock => self.code_block()?,
            TagEnd::Link | TagEnd::Image => self.end_anchor(),
            _ => {}
        }
        Some(())
    }

    fn text(&mut self, text: &str, range: Range<usize>) -> Option<()> {
        let source = self.source;
        if let Some((code, _)) = &mut self.code {
            code.push_str(&source.restored(text, range));
            return Some(());
        }
        if range.start < self.done && range.end <= self.done {
            return Some(());
        }
        let typed = &source.text()[range.clone()];
        if typed == PARAGRAPH_SPACE
            && (range.start == 0 || source.text()[..range.start].ends_with('\n'))
        {
            return Some(());
        }
        if typed != text {
            // An entity. One that stands for a control character is shown as typed, since the log contains no control characters.
            if text.contains(char::is_control) {
                self.writer.text(typed);
            } else {
                self.writer.text(text);
            }
            return Some(());
        }
        let mut from = range.start.max(self.done);
        let passed = self.addresses.partition_point(|address| address.start < from);
        self.addresses = &self.addresses[passed..];
        while let Some(address) = self.addresses.first().filter(|a| a.start < range.end) {
            self.writer.text(&source.text()[from..address.start]);
            self.addresses = &self.addresses[1..];
            self.address(&source.original(address.clone()))?;
            self.done = address.end;
            from = address.end.min(range.end);
        }
        self.writer.text(&source.text()[from..range.end]);
        Some(())
    }

    fn code_span(&mut self, text: &str, range: Range<usize>) -> Option<()> {
        let text = self.source.restored(text, range);
        if self.images > 0 {
            self.writer.text(&text);
            return Some(());
        }
        self.writer.open(Tag::Code)?;
        self.writer.text(&text);
        self.writer.close();
        Some(())
    }

    /// Writes fenced code as code, and indented code as paragraphs.
    fn code_block(&mut self) -> Option<()> {
        let (code, is_fenced) = self.code.take()?;
        if is_fenced {
            self.writer.open(Tag::Pre)?;
            self.writer.open(Tag::Code)?;
            self.writer.text(code.strip_suffix('\n').unwrap_or(&code));
            self.writer.close();
            self.writer.close();
            return Some(());
        }
        let mut text = String::with_capacity(2 * code.len());
        for line in code.lines() {
            if !line.trim().is_empty() {
                text.push_str(PARAGRAPH_SPACE);
            }
            text.push_str(line.trim());
            text.push('\n');
        }
        write(self.writer, &Source::new(&text), self.has_html)
    }

    /// Writes HTML as text. [`Source`] escapes every `<` that could begin HTML; this is for what it may have missed.
    fn html(&mut self, text: &str, range: Range<usize>) -> Option<()> {
        *self.has_html = true;
        let text = self.source.restored(text, range);
        for (number, line) in text.trim_end_matches('\n').split('\n').enumerate() {
            if number > 0 {
                self.writer.line_break()?;
            }
            self.writer.text(line);
        }
        Some(())
    }

    fn address(&mut self, address: &str) -> Option<()> {
        if self.linked || self.images > 0 {
            self.writer.text(address);
            return Some(());
        }
        if url::is_allowed(address) {
            self.writer.open_link(address)?;
        } else {
            self.writer.open_link(&["mailto:", address].concat())?;
        }
        self.writer.text(address);
        self.writer.close();
        Some(())
    }

    fn start_anchor(&mut self, mut url: String, image: bool) -> Option<()> {
        if !url::is_allowed(&url) {
            url.clear();
        }
        let opened = !url.is_empty() && !self.linked && self.images == 0;
        if opened {
            self.writer.open_link(&url)?;
            self.linked = true;
        }
        // The text shown differs from the text typed, even if no element is written.
        self.writer.mark_as_rich();
        self.images += usize::from(image);
        self.open.push(Anchor { url, image, opened, start: self.writer.position() });
        Some(())
    }

    /// Closes a link. One without text shows its address, so that no link is invisible.
    fn end_anchor(&mut self) {
        let Some(anchor) = self.open.pop() else { return };
        self.images -= usize::from(anchor.image);
        if !self.writer.has_text_since(anchor.start) {
            self.writer.text(&anchor.url);
        }
        if anchor.opened {
            self.linked = false;
            self.writer.close();
        }
    }
}
