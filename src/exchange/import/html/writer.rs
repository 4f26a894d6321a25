//! Writes Markdown for the tokens of HTML.
//!
//! Takes one token after the other. Remembers what is open, to a bounded depth.

use super::blocks::{BLOCKS_MAX, Blocks};
use super::entities::decode_entities;
use super::escape::{Escape, destination, fence, push_code, push_line, push_text};
use super::tokens::{Token, attribute};
use crate::comment::markup::url;
use crate::exchange::import::text::clip;
use crate::limits::CONTENT_BYTES_MAX;

/// How many inline elements may be open.
const MARKS_MAX: usize = 16;
/// Beyond so many bytes nothing more is written: a comment has fewer.
const MARKDOWN_BYTES_MAX: usize = 2 * CONTENT_BYTES_MAX;

/// How much markup is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// All that there is.
    Everything,
    /// No emphasis.
    NoEmphasis,
    /// Only text, with all punctuation escaped.
    TextOnly,
}

/// Inline elements.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Em,
    Strong,
    Del,
    Code,
    Link,
}

/// An inline element that is open.
struct Mark {
    kind: Kind,
    /// Where in the paragraph it begins.
    start: usize,
    /// Where in the shown text it begins.
    shown_start: usize,
    url: String,
    /// It began in an earlier paragraph, where its text stands.
    is_continued: bool,
}

/// Writes Markdown.
pub struct MarkdownWriter {
    level: Level,
    keeps_lines: bool,
    blocks: Blocks,
    /// The paragraph that is open.
    paragraph: String,
    marks: Vec<Mark>,
    /// The content of the `pre` that is open.
    pre: Option<String>,
    /// The text that a reader will see.
    shown: String,
}

impl MarkdownWriter {
    pub fn new(level: Level, keeps_lines: bool) -> MarkdownWriter {
        MarkdownWriter {
            level,
            keeps_lines,
            blocks: Blocks::new(if level == Level::TextOnly { 0 } else { BLOCKS_MAX }),
            paragraph: String::new(),
            marks: Vec::new(),
            pre: None,
            shown: String::new(),
        }
    }

    /// The Markdown, and the text that it must show.
    pub fn finish(mut self) -> (String, String) {
        self.end_text();
        (self.blocks.into_markdown(), self.shown)
    }

    pub fn token(&mut self, token: Token) {
        if self.blocks.len() + self.paragraph.len() > MARKDOWN_BYTES_MAX {
            return;
        }
        match token {
            Token::Text(text) => {
                self.text(clip(&decode_entities(text), MARKDOWN_BYTES_MAX));
            }
            Token::Open(name, attributes) => {
                self.open(&name.to_ascii_lowercase(), attributes);
            }
            Token::Close(name) => self.close(&name.to_ascii_lowercase()),
        }
    }

    fn open(&mut self, name: &str, attributes: &str) {
        match name {
            "br" => self.line_break(),
            "em" | "i" | "cite" => self.open_mark(Kind::Em, String::new()),
            "strong" | "b" => self.open_mark(Kind::Strong, String::new()),
            "del" | "s" | "strike" => self.open_mark(Kind::Del, String::new()),
            "code" | "tt" | "kbd" | "samp" => self.open_mark(Kind::Code, String::new()),
            "a" => {
                let url = decode_entities(attribute(attributes, "href").unwrap_or_default());
                self.open_mark(Kind::Link, url.trim().to_owned());
            }
            "img" => self.image(attributes),
            "pre" => {
                self.end_paragraph();
                self.pre.get_or_insert_default();
            }
            "blockquote" => {
                self.end_text();
                self.blocks.open_quote();
            }
            "ul" | "ol" => {
                self.end_text();
                let start = attribute(attributes, "start").and_then(|start| start.parse().ok());
                self.blocks.open_list((name == "ol").then(|| start.unwrap_or(1)));
            }
            "li" => {
                self.end_text();
                self.blocks.open_item();
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.end_paragraph();
                self.open_mark(Kind::Strong, String::new());
            }
            _ if is_block(name) => self.end_paragraph(),
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "em" | "i" | "cite" => self.close_mark(Kind::Em),
            "strong" | "b" => self.close_mark(Kind::Strong),
            "del" | "s" | "strike" => self.close_mark(Kind::Del),
            "code" | "tt" | "kbd" | "samp" => self.close_mark(Kind::Code),
            "a" => self.close_mark(Kind::Link),
            "pre" => self.end_pre(),
            "blockquote" | "ul" | "ol" => {
                self.end_text();
                self.blocks.close(name == "blockquote");
            }
            "li" => {
                self.end_text();
                self.blocks.close_item();
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.close_mark(Kind::Strong);
                self.end_paragraph();
            }
            _ if is_block(name) => self.end_paragraph(),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(pre) = &mut self.pre {
            pre.push_str(text);
            return;
        }
        if self.marks.iter().any(|mark| mark.kind == Kind::Code) {
            // Written when it is closed.
            self.paragraph.push_str(text);
            return;
        }
        let text = text.replace("\r\n", "\n");
        let mut rest = &*text;
        while let Some(first) = rest.chars().next() {
            let is_space = first.is_whitespace() && first != '\u{a0}';
            let is_other = |char: char| (char.is_whitespace() && char != '\u{a0}') != is_space;
            let (part, behind) = rest.split_at(rest.find(is_other).unwrap_or(rest.len()));
            rest = behind;
            if is_space {
                self.white_space(part);
            } else {
                // Up to the next line break the text is one, so that an address or a markup in it is seen whole.
                let end = if self.keeps_lines { behind.find('\n') } else { None };
                let (line, after) = behind.split_at(end.unwrap_or(behind.len()));
                let line = [part, &collapse(line)].concat();
                rest = after;
                self.shown.push_str(&line);
                let escape = self.escape();
                push_text(&mut self.paragraph, &line, escape);
            }
        }
    }

    fn escape(&self) -> Escape {
        match self.level {
            Level::TextOnly => Escape::Everything,
            _ if self.marks.iter().any(|mark| mark.kind == Kind::Link) => Escape::InLink,
            _ => Escape::Markup,
        }
    }

    fn white_space(&mut self, space: &str) {
        let lines = space.matches('\n').count();
        if self.keeps_lines && lines > 1 {
            self.end_paragraph();
        } else if self.keeps_lines && lines == 1 {
            self.line_break();
        } else if !self.paragraph.is_empty() && !self.paragraph.ends_with([' ', '\n']) {
            self.paragraph.push(' ');
        }
    }

    fn line_break(&mut self) {
        if let Some(pre) = &mut self.pre {
            pre.push('\n');
        } else {
            self.paragraph.truncate(self.paragraph.trim_end_matches(' ').len());
            self.paragraph.push('\n');
        }
    }

    fn image(&mut self, attributes: &str) {
        let value = |name| decode_entities(attribute(attributes, name).unwrap_or_default());
        let (alt, source) = (value("alt"), value("src"));
        self.open_mark(Kind::Link, source.trim().to_owned());
        self.text(&alt);
        self.close_mark(Kind::Link);
    }

    fn open_mark(&mut self, kind: Kind, url: String) {
        let is_open = self.marks.iter().any(|mark| mark.kind == kind || mark.kind == Kind::Code);
        if is_open || self.pre.is_some() || self.marks.len() == MARKS_MAX {
            return;
        }
        let (start, shown_start) = (self.paragraph.len(), self.shown.len());
        self.marks.push(Mark { kind, start, shown_start, url, is_continued: false });
    }

    /// Closes an inline element, and what was opened in it.
    fn close_mark(&mut self, kind: Kind) {
        if self.pre.is_some() || !self.marks.iter().any(|mark| mark.kind == kind) {
            return;
        }
        while let Some(mark) = self.marks.pop() {
            self.write_mark(&mark);
            if mark.kind == kind {
                break;
            }
        }
    }

    fn write_mark(&mut self, mark: &Mark) {
        let start = mark.start.min(self.paragraph.len());
        let content = self.paragraph.split_off(start);
        if mark.kind == Kind::Code {
            self.shown.push_str(&content);
            match self.level {
                Level::TextOnly => {
                    push_text(&mut self.paragraph, &collapse(&content), Escape::Everything)
                }
                _ => push_code(&mut self.paragraph, &content),
            }
            return;
        }
        let text = content.trim();
        let lead = &content[..content.len() - content.trim_start().len()];
        let trail = if text.is_empty() { "" } else { &content[content.trim_end().len()..] };
        let marker = match mark.kind {
            Kind::Link if text.is_empty() && mark.is_continued => "",
            Kind::Link => {
                let markdown = self.link(mark, text);
                self.paragraph.push_str(lead);
                if self.paragraph.ends_with('!') && markdown.starts_with('[') {
                    self.paragraph.pop();
                    self.paragraph.push_str("\\!");
                }
                self.paragraph.push_str(&markdown);
                self.paragraph.push_str(trail);
                return;
            }
            _ if text.is_empty() || self.level != Level::Everything => "",
            Kind::Em => "*",
            Kind::Strong => "**",
            _ => "~~",
        };
        for part in [lead, marker, text, marker, trail] {
            self.paragraph.push_str(part);
        }
    }

    /// The Markdown of a link. One whose text is its address, or the start and end of it, is written as the address alone.
    fn link(&mut self, mark: &Mark, text: &str) -> String {
        if !url::is_allowed(&mark.url) {
            return text.to_owned();
        }
        let shown = self.shown[mark.shown_start.min(self.shown.len())..].trim();
        let is_shortened = ["…", "..."].iter().any(|dots| shown.contains(dots))
            && !shown.contains(char::is_whitespace)
            && shown.contains(['/', '.']);
        let is_address = shown.is_empty() || shown == mark.url || is_shortened;
        if is_address {
            let start = mark.shown_start.min(self.shown.len());
            self.shown.truncate(start);
            self.shown.push_str(&mark.url);
        }
        if self.level == Level::TextOnly {
            return if is_address {
                // Right behind a word it would be no address.
                let mut escaped = String::from(" ");
                push_text(&mut escaped, &mark.url, Escape::Everything);
                escaped
            } else {
                text.to_owned()
            };
        }
        let can_stand_alone =
            !mark.url.contains(|char: char| "<>\"`\\&".contains(char) || char.is_whitespace());
        if is_address && can_stand_alone && !mark.url.starts_with("mailto:") {
            return ["<", &mark.url, ">"].concat();
        }
        let text = if is_address { "" } else { text };
        ["[", text, "](", &destination(&mark.url), ")"].concat()
    }

    /// Ends whatever text is open, before a block begins or ends.
    fn end_text(&mut self) {
        self.end_pre();
        self.end_paragraph();
    }

    /// Ends the paragraph. What is open in it goes on in the next one.
    fn end_paragraph(&mut self) {
        if self.pre.is_some() {
            return;
        }
        let mut open: Vec<Mark> = Vec::new();
        while let Some(mark) = self.marks.pop() {
            let start = mark.start.min(self.paragraph.len());
            // A link whose text is yet to come is not written as its address.
            if self.paragraph[start..].trim().is_empty() && mark.kind == Kind::Link {
                open.push(mark);
                continue;
            }
            self.write_mark(&mark);
            open.push(Mark { is_continued: true, ..mark });
        }
        let paragraph = std::mem::take(&mut self.paragraph);
        for mark in open.into_iter().rev() {
            self.marks.push(Mark { start: 0, shown_start: self.shown.len(), ..mark });
        }
        let mut lines: Vec<String> = Vec::new();
        for line in paragraph.trim().split('\n') {
            let mut escaped = String::with_capacity(line.len() + 1);
            push_line(&mut escaped, line.trim());
            lines.push(escaped);
        }
        if lines.iter().any(|line| !line.is_empty()) {
            // An empty line ends a paragraph, whether it should or not.
            self.blocks.write(&lines);
        }
    }

    fn end_pre(&mut self) {
        let Some(pre) = self.pre.take() else { return };
        let code = pre.replace("\r\n", "\n");
        let code = code.strip_prefix('\n').unwrap_or(&code).trim_end();
        if code.trim().is_empty() {
            return;
        }
        self.shown.push_str(code);
        if self.level == Level::TextOnly {
            let mut text = String::new();
            push_text(&mut text, code, Escape::Everything);
            self.blocks
                .write(&text.split('\n').map(|line| line.trim().to_owned()).collect::<Vec<_>>());
            return;
        }
        let fence = fence(code, 3);
        let mut lines = vec![fence.clone()];
        lines.extend(code.split('\n').map(str::to_owned));
        lines.push(fence);
        self.blocks.write(&lines);
    }
}

/// Elements that end a paragraph.
fn is_block(name: &str) -> bool {
    matches!(
        name,
        "p" | "div"
            | "hr"
            | "table"
            | "tr"
            | "section"
            | "article"
            | "header"
            | "footer"
            | "figure"
            | "figcaption"
            | "dl"
            | "dt"
            | "dd"
            | "address"
            | "main"
            | "aside"
            | "form"
            | "fieldset"
            | "details"
            | "summary"
            | "center"
    )
}

/// Makes each run of white space one space.
fn collapse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if !char.is_whitespace() || char == '\u{a0}' {
            out.push(char);
        } else if !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out
}
