//! Lines → blocks: quotes, lists, code, headings and paragraphs (CommonMark 0.31, §4, §5, and phase 1 of its appendix).
//!
//! Knows nothing of what is inside a paragraph. A line is compared with at most [`HTML_DEPTH_MAX`] open blocks, whatever came before
//! it, so that the time is in proportion to the text.

use std::ops::Range;

use super::inline::UNSHOWN_SPACE;
use super::line::{self, Line, Marker};
use crate::limits::HTML_DEPTH_MAX;

/// A piece of the document in reading order. Quotes, lists and items go on until their `End`.
pub enum Block {
    Quote,
    List {
        /// The first number, if they have numbers.
        first: Option<u32>,
        /// Whether empty lines set its items or their parts apart, so that their paragraphs are paragraphs.
        loose: bool,
    },
    Item,
    End,
    /// A range of the text that [`parse`] returns beside the blocks.
    Leaf(Leaf, Range<usize>),
}

/// A block without blocks in it.
#[derive(Clone, Copy, PartialEq)]
pub enum Leaf {
    Paragraph,
    /// A paragraph of indented code (§4.4), which is a paragraph in tight lists too.
    Indented,
    Heading,
    /// What CommonMark calls a thematic break.
    Rule,
    Code,
}

/// Returns the blocks of a text, and what is in their leaves, without the marks and indents of the blocks around them. Returns `None`
/// if they are nested deeper than [`HTML_DEPTH_MAX`].
pub fn parse(content: &str) -> Option<(Vec<Block>, String)> {
    let mut builder = Builder { text: String::with_capacity(content.len()), ..Builder::default() };
    let mut rest = content;
    while let Some((line, behind)) = rest.split_once('\n') {
        builder.line(Line::new(line), false)?;
        rest = behind;
    }
    if !rest.is_empty() {
        builder.line(Line::new(rest), true)?;
    }
    builder.keep(0);
    Some((builder.blocks, builder.text))
}

#[derive(Default)]
struct Builder {
    blocks: Vec<Block>,
    text: String,
    open: Vec<Container>,
    /// The leaf in the last open block, and where its text begins.
    leaf: Option<(OpenLeaf, usize)>,
    /// Whether the last line was empty, in a way that can make a list loose (§5.3).
    blank: bool,
    /// Whether the last line of the paragraph ends with white space behind a backslash, which then is one before no line break.
    is_spaced: bool,
}

enum Container {
    Quote,
    /// The character that its items have in common, and which block it is.
    List(u8, usize),
    /// How far its later lines are indented, and how many blocks there were when it began.
    Item(usize, usize),
}

/// A leaf that the next line may belong to.
#[derive(Clone, Copy, PartialEq)]
enum OpenLeaf {
    Paragraph,
    Indented,
    /// The fence that ends it, and its indent, which its lines may have too.
    Code(u8, usize, usize),
}

/// What a line, or what remains of it, begins.
#[derive(PartialEq)]
enum Begun {
    Nothing,
    Container,
    Leaf,
}

impl Builder {
    fn line(&mut self, mut line: Line, is_last: bool) -> Option<()> {
        let mut kept = self.continued(&mut line);
        if kept == self.open.len() && self.continue_code(&mut line, is_last) {
            return Some(());
        }
        let mut begun = Begun::Nothing;
        while !line.is_blank() {
            match self.begin(&mut line, kept)? {
                Begun::Nothing => break,
                Begun::Container => (begun, kept) = (Begun::Container, self.open.len()),
                Begun::Leaf => {
                    self.blank = false;
                    return Some(());
                }
            }
        }
        if line.is_blank() {
            self.keep(kept);
            let quote = matches!(self.open.last(), Some(Container::Quote));
            self.blank = begun == Begun::Nothing && !quote;
            return Some(());
        }
        // A paragraph takes the line even if the blocks around it don't: "lazy continuation".
        if begun == Begun::Nothing && self.is_in_paragraph() {
            self.text.push_str(if self.is_spaced { " \n" } else { "\n" });
            self.text.push_str(line.trimmed());
        } else {
            self.keep(kept);
            self.set_apart(false);
            let is_code = line.indent() > 3;
            let kind = if is_code { OpenLeaf::Indented } else { OpenLeaf::Paragraph };
            self.leaf = Some((kind, self.text.len()));
            if is_code {
                self.indented(&line);
            } else {
                self.text.push_str(line.trimmed());
            }
        }
        self.is_spaced = line.is_spaced_backslash();
        self.blank = false;
        Some(())
    }

    /// How many of the open blocks the line belongs to, from the outermost; removes their marks and indents from it.
    fn continued(&self, line: &mut Line) -> usize {
        for (kept, container) in self.open.iter().enumerate() {
            let goes_on = match *container {
                Container::Quote => line.skip_quote(),
                Container::List(..) => true,
                Container::Item(indent, before) if line.is_blank() => {
                    line.skip(indent.min(line.indent()));
                    self.blocks.len() > before || self.leaf.is_some()
                }
                Container::Item(indent, _) => {
                    let goes_on = line.indent() >= indent;
                    if goes_on {
                        line.skip(indent);
                    }
                    goes_on
                }
            };
            if !goes_on {
                return kept;
            }
        }
        self.open.len()
    }

    /// Adds the line to the code that is open, if there is some and the line belongs to it.
    fn continue_code(&mut self, line: &mut Line, is_last: bool) -> bool {
        match self.leaf {
            Some((OpenLeaf::Code(fence, length, indent), _)) => {
                let ends_text = is_last && line.is_blank() && line.indent() <= 3;
                if ends_text || line.is_closing_fence(fence, length) {
                    self.end_leaf();
                } else {
                    line.skip(indent.min(line.indent()));
                    line.append_to(&mut self.text);
                    self.text.push('\n');
                }
                self.blank = false;
                true
            }
            Some((OpenLeaf::Indented, _)) if line.is_blank() || line.indent() > 3 => {
                self.indented(line);
                self.blank = line.is_blank();
                true
            }
            _ => false,
        }
    }

    /// Adds a line of indented code, which is shown as text: an empty one ends a paragraph.
    fn indented(&mut self, line: &Line) {
        let line = line.trimmed().trim();
        let Some((OpenLeaf::Indented, from)) = &mut self.leaf else { return };
        if line.is_empty() {
            if *from < self.text.len() {
                self.blocks.push(Block::Leaf(Leaf::Indented, *from..self.text.len()));
            }
            *from = self.text.len();
            return;
        }
        if *from < self.text.len() {
            self.text.push('\n');
        }
        self.text.push_str(UNSHOWN_SPACE);
        self.text.push_str(line);
    }

    /// Begins the block that the line begins, if any, in the first `kept` of the open ones. Returns `None` if that is too deep.
    fn begin(&mut self, line: &mut Line, kept: usize) -> Option<Begun> {
        let (indent, rest) = (line.indent(), line.trimmed());
        if indent > 3 || rest.starts_with(char::is_alphabetic) {
            return Some(Begun::Nothing);
        }
        let interrupts = kept == self.open.len() && self.is_in_paragraph();
        if line.skip_quote() {
            self.keep(kept);
            self.set_apart(false);
            self.push(Container::Quote, Block::Quote)?;
            return Some(Begun::Container);
        }
        if let Some(heading) = line::heading(rest) {
            self.whole_leaf(Leaf::Heading, heading, kept);
        } else if let Some((fence, length)) = line::fence(rest) {
            self.keep(kept);
            self.set_apart(false);
            self.leaf = Some((OpenLeaf::Code(fence, length, indent), self.text.len()));
        } else if interrupts && line::is_underline(rest) {
            let (_, from) = self.leaf.take()?;
            self.blocks.push(Block::Leaf(Leaf::Heading, from..self.text.len()));
        } else if line::is_rule(rest) {
            self.whole_leaf(Leaf::Rule, rest, kept);
        } else if let Some(marker) = Marker::of(rest)
            && (!interrupts || marker.can_interrupt)
        {
            self.begin_item(line, &marker, kept)?;
            return Some(Begun::Container);
        } else {
            return Some(Begun::Nothing);
        }
        Some(Begun::Leaf)
    }

    fn begin_item(&mut self, line: &mut Line, marker: &Marker, kept: usize) -> Option<()> {
        let before = line.indent() + marker.width;
        line.skip(before);
        let spaces = line.indent();
        // What is further in is indented itself.
        let after = if line.is_blank() || spaces > 4 { 1 } else { spaces };
        line.skip(after);
        self.keep(kept);
        if matches!(self.open.last(), Some(Container::List(kind, _)) if *kind == marker.kind) {
            self.set_apart(true);
        } else {
            self.set_apart(false);
            let list = Container::List(marker.kind, self.blocks.len());
            self.push(list, Block::List { first: marker.number, loose: false })?;
        }
        self.push(Container::Item(before + after, self.blocks.len() + 1), Block::Item)
    }

    fn is_in_paragraph(&self) -> bool {
        matches!(self.leaf, Some((OpenLeaf::Paragraph, _)))
    }

    /// Makes room for a new block in the last open one. Only an item can be right in a list; anything else ends it.
    fn set_apart(&mut self, is_item: bool) {
        if !is_item && matches!(self.open.last(), Some(Container::List(..))) {
            self.pop();
        }
        let up = if is_item { 0 } else { 1 };
        if std::mem::take(&mut self.blank)
            && (is_item || matches!(self.open.last(), Some(Container::Item(..))))
            && let Some(Container::List(_, at)) = self.open.iter().nth_back(up)
            && let Some(Block::List { loose, .. }) = self.blocks.get_mut(*at)
        {
            *loose = true;
        }
    }

    fn push(&mut self, container: Container, block: Block) -> Option<()> {
        self.open.push(container);
        self.blocks.push(block);
        (self.open.len() <= HTML_DEPTH_MAX).then_some(())
    }

    fn pop(&mut self) {
        self.open.pop();
        self.blocks.push(Block::End);
    }

    /// Ends the leaf and all open blocks but the first few.
    fn keep(&mut self, kept: usize) {
        self.end_leaf();
        while self.open.len() > kept {
            self.pop();
        }
    }

    fn end_leaf(&mut self) {
        if let Some((kind, from)) = self.leaf.take() {
            let leaf = match kind {
                OpenLeaf::Paragraph => Leaf::Paragraph,
                OpenLeaf::Indented if from == self.text.len() => return,
                OpenLeaf::Indented => Leaf::Indented,
                OpenLeaf::Code(..) => Leaf::Code,
            };
            self.blocks.push(Block::Leaf(leaf, from..self.text.len()));
        }
    }

    /// A leaf of one line.
    fn whole_leaf(&mut self, leaf: Leaf, text: &str, kept: usize) {
        self.keep(kept);
        self.set_apart(false);
        let from = self.text.len();
        self.text.push_str(text);
        self.blocks.push(Block::Leaf(leaf, from..self.text.len()));
    }
}
