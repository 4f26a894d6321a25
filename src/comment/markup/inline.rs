//! A paragraph's text → marks, one for each byte, → HTML: emphasis, code, links, breaks (CommonMark 0.31, §6 and its
//! appendix, phase 2). HTML is text.
//!
//! Two passes, neither of which recurses: what depends on a later character is marked when that one is found.

use super::emphasis::{self, Run};
use super::link;
use super::writer::{Tag, Writer};
use crate::comment::markup::url;

/// What a byte of the text means.
#[derive(Clone, Copy)]
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
    Code(usize),
    /// An address that is a link without more ado, with or without angle brackets, and where it ends.
    Address(usize),
    /// The `[` of the anchor of a number.
    Anchor(usize),
    /// The `]` of the anchor of a number.
    AnchorEnd(usize),
}

/// A link or an image.
struct Anchor {
    /// Empty where the address is not allowed.
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

/// Writes what the text of a leaf says, or nothing where that is too deep.
pub fn write(writer: &mut Writer, text: &str) -> Option<()> {
    let mut scan = Scan {
        text,
        marks: vec![Mark::Text; text.len()],
        anchors: Vec::new(),
        runs: Vec::new(),
        brackets: Vec::new(),
        linked: 0,
        unended: Vec::new(),
    };
    scan.mark_all();
    Pen { scan: &scan, writer, open: Vec::new(), images: 0, linked: false }.write()
}

struct Scan<'a> {
    text: &'a str,
    marks: Vec<Mark>,
    anchors: Vec<Anchor>,
    runs: Vec<Run>,
    brackets: Vec<Bracket>,
    /// How many of the brackets are around a link, so that only images can come of them.
    linked: usize,
    /// Numbers of backticks that there are not again. A few, as even 1 + 2 + … + 128 would fill a comment.
    unended: Vec<usize>,
}

impl Scan<'_> {
    fn mark_all(&mut self) {
        let mut address = url::find(self.text, 0);
        let mut at = 0;
        while at < self.text.len() {
            while address.as_ref().is_some_and(|address| address.start < at) {
                address = url::find(self.text, at);
            }
            at = match &address {
                Some(address) if address.start == at => {
                    self.marks[at] = Mark::Address(address.end);
                    address.end
                }
                _ => self.mark(at),
            };
        }
        emphasis::pair(&self.runs, &mut self.marks);
    }

    /// Marks what is at a position, and says where to go on.
    fn mark(&mut self, at: usize) -> usize {
        let bytes = self.text.as_bytes();
        match bytes[at] {
            b'\\' if link::is_escape(bytes, at) => {
                self.marks[at] = Mark::Nothing;
                return at + 2;
            }
            b'\\' if bytes.get(at + 1) == Some(&b'\n') => self.marks[at] = Mark::Nothing,
            b'\n' => self.marks[at] = Mark::Break,
            b'`' => return self.code(at),
            b'<' => return self.angle(at),
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

    /// As many backticks as here end it; if there are none later, they are text.
    fn code(&mut self, at: usize) -> usize {
        let ticks = |at: usize| self.text[at..].bytes().take_while(|byte| *byte == b'`').count();
        let (length, mut end) = (ticks(at), at + ticks(at));
        if self.unended.contains(&length) {
            return end;
        }
        while let Some(found) = self.text[end..].find('`') {
            let found = end + found;
            end = found + ticks(found);
            if end - found == length {
                self.marks[at] = Mark::Code(end);
                return end;
            }
        }
        self.unended.push(length);
        at + length
    }

    fn angle(&mut self, at: usize) -> usize {
        let Some(end) = link::angle_end(self.text, at) else { return at + 1 };
        let inside = &self.text[at + 1..end];
        if !url::is_allowed(inside) && !link::is_mail(inside) {
            return at + 1;
        }
        self.marks[at] = Mark::Address(end + 1);
        end + 1
    }

    fn bracket_end(&mut self, at: usize) -> usize {
        let Some(bracket) = self.brackets.pop() else { return at + 1 };
        let is_dead = self.brackets.len() < self.linked && !bracket.image;
        self.linked = self.linked.min(self.brackets.len());
        if is_dead || self.text.as_bytes().get(at + 1) != Some(&b'(') {
            return at + 1;
        }
        let Some((raw, end)) = link::destination(self.text, at + 2) else { return at + 1 };
        let mut url = link::unescape(raw);
        if !url::is_allowed(&url) {
            url.clear();
        }
        // Emphasis in a link is nothing to what is around it.
        emphasis::pair(&self.runs[bracket.runs..], &mut self.marks);
        self.runs.truncate(bracket.runs);
        self.marks[bracket.at] = Mark::Anchor(self.anchors.len());
        if bracket.image {
            self.marks[bracket.at + 1] = Mark::Nothing;
        } else {
            self.linked = self.brackets.len();
        }
        self.marks[at] = Mark::AnchorEnd(self.anchors.len());
        self.anchors.push(Anchor { url, image: bracket.image, end });
        end
    }
}

/// Writes what is marked.
struct Pen<'a> {
    scan: &'a Scan<'a>,
    writer: &'a mut Writer,
    /// Whether each anchor that we are in opened an `a`, and where its text began.
    open: Vec<(bool, usize)>,
    /// How many images we are in: theirs is text only, whatever it says.
    images: usize,
    linked: bool,
}

impl Pen<'_> {
    fn write(&mut self) -> Option<()> {
        let scan = self.scan;
        let (mut from, mut at) = (0, 0);
        while at < scan.text.len() {
            if !matches!(scan.marks[at], Mark::Text) {
                self.writer.text(&scan.text[from..at]);
                at = self.take(at)?;
                from = at;
            } else {
                at += 1;
            }
        }
        self.writer.text(&scan.text[from..]);
        Some(())
    }

    /// Writes what a mark means, and says where to go on.
    fn take(&mut self, at: usize) -> Option<usize> {
        let (text, in_image) = (self.scan.text, self.images > 0);
        match self.scan.marks[at] {
            Mark::Start(tag) if !in_image => self.writer.open(tag)?,
            Mark::End if !in_image => self.writer.close(),
            Mark::Break if !in_image => self.writer.line_break()?,
            Mark::Break => self.writer.text(" "),
            Mark::Text | Mark::Nothing | Mark::Start(_) | Mark::End => {}
            Mark::Entity => {
                let (char, length) = link::entity(text, at).expect("it was marked as one");
                // A control character shows nothing, and the log has none.
                if char.is_control() {
                    self.writer.text(&text[at..at + length]);
                } else {
                    self.writer.text(char.encode_utf8(&mut [0; 4]));
                }
                return Some(at + length);
            }
            Mark::Code(end) => {
                self.code(text[at..end].trim_matches('`'))?;
                return Some(end);
            }
            Mark::Address(end) => {
                self.address(&text[at..end])?;
                return Some(end);
            }
            Mark::Anchor(number) => self.start_anchor(&self.scan.anchors[number])?,
            Mark::AnchorEnd(number) => {
                let anchor = &self.scan.anchors[number];
                self.end_anchor(anchor);
                return Some(anchor.end);
            }
        }
        Some(at + 1)
    }

    /// One space at both ends only keeps backticks apart.
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

    fn address(&mut self, text: &str) -> Option<()> {
        let inside = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
        let shown = inside.unwrap_or(text);
        if self.linked || self.images > 0 {
            self.writer.text(shown);
            return Some(());
        }
        if url::is_allowed(shown) {
            self.writer.open_link(shown)?;
        } else {
            self.writer.open_link(&["mailto:", shown].concat())?;
        }
        self.writer.text(shown);
        self.writer.close();
        Some(())
    }

    fn start_anchor(&mut self, anchor: &Anchor) -> Option<()> {
        let opens = !anchor.url.is_empty() && !self.linked && self.images == 0;
        if opens {
            self.writer.open_link(&anchor.url)?;
            self.linked = true;
        }
        // What is not shown differs from what was written, so that has to be told.
        self.writer.enrich();
        self.open.push((opens, self.writer.place()));
        self.images += usize::from(anchor.image);
        Some(())
    }

    /// A link without text shows where it goes, so that nothing can be clicked unseen.
    fn end_anchor(&mut self, anchor: &Anchor) {
        let (opened, place) = self.open.pop().expect("a bracket ends after it begins");
        self.images -= usize::from(anchor.image);
        if !self.writer.shows_since(place) {
            self.writer.text(&anchor.url);
        }
        if opened {
            self.linked = false;
            self.writer.close();
        }
    }
}
