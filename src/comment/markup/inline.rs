//! A paragraph's text → marks, one for each byte, → HTML: emphasis, code, links and breaks (CommonMark 0.31, §6, and phase 2 of its
//! appendix). HTML is text.
//!
//! Two passes, neither of which recurses: what depends on a later character is marked when that one is found.

use std::ops::Range;

use super::emphasis::{self, Run};
use super::link;
use super::steps;
use super::writer::{Tag, Writer};
use crate::comment::markup::url;

/// A space at the start of a line that is not shown. Behind it, a line of indented code begins no other block.
pub const UNSHOWN_SPACE: &str = "&#32;";

/// What a byte of the text means.
#[derive(Clone, Copy, PartialEq)]
pub enum Mark {
    /// Itself.
    Text,
    /// A backslash, or the rest of a mark that the first byte stands for.
    Nothing,
    /// Emphasis begins.
    Start(Tag),
    /// The emphasis that began last ends.
    End,
    Break,
    Entity,
    /// Code in backticks, and where they end.
    Code(u32),
    /// An address that is a link by itself, with or without angle brackets, and where it ends.
    Address(u32),
    /// The `[` of the anchor with a number.
    Anchor(u32),
    /// The `]` of the anchor with a number.
    AnchorEnd(u32),
}

/// A link or an image.
struct Anchor {
    /// Empty if the address is not allowed.
    url: String,
    image: bool,
    /// Where the text goes on.
    end: usize,
}

/// A `[` or `![` that may become an anchor.
struct Bracket {
    at: usize,
    image: bool,
    /// How many runs there were before it.
    runs: usize,
}

/// Writes the text of a leaf. Returns `None` if that is nested too deep.
pub fn write(writer: &mut Writer, text: &str) -> Option<()> {
    let mut scan = Scan {
        text,
        marks: vec![Mark::Text; text.len()],
        anchors: Vec::new(),
        runs: Vec::new(),
        brackets: Vec::new(),
        linked: 0,
        addresses: addresses(text),
        passed: 0,
        last_ticks: Vec::new(),
    };
    scan.mark_all();
    MarkWriter { scan: &scan, writer, open: Vec::new(), images: 0, linked: false }.write()
}

struct Scan<'a> {
    text: &'a str,
    marks: Vec<Mark>,
    anchors: Vec<Anchor>,
    runs: Vec<Run>,
    brackets: Vec<Bracket>,
    /// How many of the brackets are around a link, so that only images can come of them.
    linked: usize,
    /// The bare web addresses.
    addresses: Vec<Range<usize>>,
    /// How many of them have been passed.
    passed: usize,
    /// For each number of backticks, the position behind the last row of so many; empty until it is needed.
    last_ticks: Vec<usize>,
}

impl Scan<'_> {
    fn mark_all(&mut self) {
        let mut at = 0;
        while at < self.text.len() {
            while self.addresses.get(self.passed).is_some_and(|address| address.start < at) {
                self.passed += 1;
            }
            at = match self.addresses.get(self.passed) {
                Some(address) if address.start == at => {
                    self.marks[at] = Mark::Address(address.end as u32);
                    address.end
                }
                _ => self.mark(at),
            };
        }
        emphasis::pair(&self.runs, &mut self.marks);
    }

    /// Marks what is at a position, and returns where to go on.
    fn mark(&mut self, at: usize) -> usize {
        let bytes = self.text.as_bytes();
        steps::count(1);
        match bytes[at] {
            b'\\' if link::is_escape(bytes, at) => {
                self.marks[at] = Mark::Nothing;
                return at + 2;
            }
            b'\\' if bytes.get(at + 1) == Some(&b'\n') => self.marks[at] = Mark::Nothing,
            b'\n' => {
                self.marks[at] = Mark::Break;
                if at > 0 && bytes[at - 1] == b' ' {
                    self.marks[at - 1] = Mark::Nothing;
                }
            }
            b'`' => return self.code(at),
            b'<' => {
                if let Some(address) = link::autolink(&self.text[at..]) {
                    let end = at + address.len() + 2;
                    self.marks[at] = Mark::Address(end as u32);
                    return end;
                }
            }
            b'&' => {
                if let Some((_, length)) = link::entity(self.text, at) {
                    self.marks[at] = Mark::Entity;
                    return at + length;
                }
            }
            b'*' | b'_' | b'~' => {
                let run = Run::at(self.text, at);
                self.runs.push(run);
                return run.end();
            }
            b'!' if bytes.get(at + 1) == Some(&b'[') => {
                self.brackets.push(Bracket { at, image: true, runs: self.runs.len() });
                return at + 2;
            }
            b'[' => self.brackets.push(Bracket { at, image: false, runs: self.runs.len() }),
            b']' => return self.bracket_end(at),
            _ => {}
        }
        at + 1
    }

    /// Code ends with as many backticks as it begins with (§6.1); if there are none later, they are text.
    fn code(&mut self, at: usize) -> usize {
        if self.last_ticks.is_empty() {
            self.find_last_ticks(at);
        }
        let bytes = self.text.as_bytes();
        let behind = at + row_length(bytes, at);
        let length = behind - at;
        if self.last_ticks[length] <= behind {
            return behind;
        }
        let mut end = behind;
        while let Some(found) = self.text[end..].find('`') {
            let start = end + found;
            steps::count(found + 1);
            end = start + row_length(bytes, start);
            if end - start == length {
                self.marks[at] = Mark::Code(end as u32);
                return end;
            }
        }
        behind
    }

    fn find_last_ticks(&mut self, from: usize) {
        let mut at = from;
        while let Some(found) = self.text[at..].find('`') {
            let length = row_length(self.text.as_bytes(), at + found);
            at += found + length;
            // An escape may take the first one away.
            if self.last_ticks.len() <= length {
                self.last_ticks.resize(length + 1, 0);
            }
            self.last_ticks[length] = at;
        }
    }

    fn bracket_end(&mut self, at: usize) -> usize {
        let Some(bracket) = self.brackets.pop() else { return at + 1 };
        let is_dead = self.brackets.len() < self.linked && !bracket.image;
        self.linked = self.linked.min(self.brackets.len());
        if is_dead || self.text.as_bytes().get(at + 1) != Some(&b'(') {
            return at + 1;
        }
        let addresses = &self.addresses[self.passed..];
        let Some((raw, end)) = link::destination(self.text, at + 2, addresses) else {
            return at + 1;
        };
        let mut url = link::unescape(raw);
        if !url::is_allowed(&url) {
            url.clear();
        }
        // Emphasis in a link doesn't concern what is around it.
        emphasis::pair(&self.runs[bracket.runs..], &mut self.marks);
        self.runs.truncate(bracket.runs);
        self.marks[bracket.at] = Mark::Anchor(self.anchors.len() as u32);
        if bracket.image {
            self.marks[bracket.at + 1] = Mark::Nothing;
        } else {
            self.linked = self.brackets.len();
        }
        self.marks[at] = Mark::AnchorEnd(self.anchors.len() as u32);
        self.anchors.push(Anchor { url, image: bracket.image, end });
        end
    }
}

/// All bare web addresses of a text.
pub fn addresses(text: &str) -> Vec<Range<usize>> {
    let next = |last: &Range<usize>| url::find(text, last.end);
    std::iter::successors(url::find(text, 0), next).collect()
}

/// How many backticks there are in a row.
fn row_length(bytes: &[u8], at: usize) -> usize {
    let length = bytes[at..].iter().take_while(|byte| **byte == b'`').count();
    steps::count(length);
    length
}

/// Writes what is marked.
struct MarkWriter<'a> {
    scan: &'a Scan<'a>,
    writer: &'a mut Writer,
    /// For each anchor that is open, whether it opened an `a`, and where its text began.
    open: Vec<(bool, usize)>,
    /// How many images are open. Their content is written as text only.
    images: usize,
    /// Whether an `a` is open.
    linked: bool,
}

impl MarkWriter<'_> {
    fn write(&mut self) -> Option<()> {
        let scan = self.scan;
        let (mut from, mut at) = (0, 0);
        while at < scan.text.len() {
            if scan.marks[at] == Mark::Text {
                at += 1;
                continue;
            }
            self.writer.text(&scan.text[from..at]);
            at = self.take(at)?;
            from = at;
            if self.writer.is_too_long() {
                return None;
            }
        }
        self.writer.text(&scan.text[from..]);
        Some(())
    }

    /// Writes what a mark means, and returns where to go on.
    fn take(&mut self, at: usize) -> Option<usize> {
        let (text, in_image) = (self.scan.text, self.images > 0);
        match self.scan.marks[at] {
            Mark::Start(tag) if !in_image => self.writer.open(tag)?,
            Mark::End if !in_image => self.writer.close(),
            Mark::Break if !in_image => self.writer.line_break()?,
            Mark::Break => self.writer.text(" "),
            Mark::Text | Mark::Nothing | Mark::Start(_) | Mark::End => {}
            Mark::Entity => return Some(self.entity(at)),
            Mark::Code(end) => {
                self.code(text[at..end as usize].trim_matches('`'))?;
                return Some(end as usize);
            }
            Mark::Address(end) => {
                self.address(&text[at..end as usize])?;
                return Some(end as usize);
            }
            Mark::Anchor(number) => self.start_anchor(&self.scan.anchors[number as usize])?,
            Mark::AnchorEnd(number) => {
                let anchor = &self.scan.anchors[number as usize];
                self.end_anchor(anchor);
                return Some(anchor.end);
            }
        }
        Some(at + 1)
    }

    /// Writes the character of an entity. A control character is shown as typed, since the log contains none.
    fn entity(&mut self, at: usize) -> usize {
        let text = self.scan.text;
        let Some((char, length)) = link::entity(text, at) else { return at + 1 };
        let typed = &text[at..at + length];
        if char.is_control() {
            self.writer.text(typed);
        } else if typed != UNSHOWN_SPACE || at > 0 && !text[..at].ends_with('\n') {
            self.writer.text(char.encode_utf8(&mut [0; 4]));
        }
        at + length
    }

    /// Writes code. A space at both ends only sets backticks apart.
    fn code(&mut self, text: &str) -> Option<()> {
        let text = text.replace('\n', " ");
        let inner = text.strip_prefix(' ').and_then(|text| text.strip_suffix(' '));
        let shown = inner.filter(|inner| !inner.trim_matches(' ').is_empty()).unwrap_or(&text);
        if self.images > 0 {
            self.writer.text(shown);
            return Some(());
        }
        self.writer.open(Tag::Code)?;
        self.writer.text(shown);
        self.writer.close();
        Some(())
    }

    fn address(&mut self, typed: &str) -> Option<()> {
        let inside = typed.strip_prefix('<').and_then(|typed| typed.strip_suffix('>'));
        let address = inside.unwrap_or(typed);
        if inside.is_some() {
            // The brackets are not shown.
            self.writer.mark_as_rich();
        }
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

    fn start_anchor(&mut self, anchor: &Anchor) -> Option<()> {
        let opens = !anchor.url.is_empty() && !self.linked && self.images == 0;
        if opens {
            self.writer.open_link(&anchor.url)?;
            self.linked = true;
        }
        // The text shown differs from the text typed, even if no element is written.
        self.writer.mark_as_rich();
        self.open.push((opens, self.writer.position()));
        self.images += usize::from(anchor.image);
        Some(())
    }

    /// Closes a link. One without text shows its address, so that no link is invisible.
    fn end_anchor(&mut self, anchor: &Anchor) {
        let Some((opened, start)) = self.open.pop() else { return };
        self.images -= usize::from(anchor.image);
        if !self.writer.has_text_since(start) {
            self.writer.text(&anchor.url);
        }
        if opened {
            self.linked = false;
            self.writer.close();
        }
    }
}
