//! Lines → blocks: quotes, lists, fenced code, headings and paragraphs (CommonMark 0.31, §4, §5 and its appendix, phase 1).
//!
//! Knows nothing of what is inside a paragraph. A line is compared with at most [`HTML_DEPTH_MAX`] open blocks, whatever
//! came before it, so the time is in proportion to the text.

use std::ops::Range;

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

#[derive(Clone, Copy, PartialEq)]
pub enum Leaf {
    Paragraph,
    Heading,
    /// What CommonMark calls a thematic break.
    Rule,
    Code,
}

/// The blocks of a text and what is in their leaves, without the marks and indents of the blocks they are in; nothing where
/// it nests deeper than [`HTML_DEPTH_MAX`].
pub fn parse(content: &str) -> Option<(Vec<Block>, String)> {
    let mut builder = Builder::default();
    for line in content.lines() {
        builder.line(Line::new(line))?;
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
    leaf: Option<(Growing, usize)>,
    /// Whether the last line was empty, in a way that can make a list loose.
    blank: bool,
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
enum Growing {
    Paragraph,
    /// The fence that ends it, and its indent, of which its lines are freed.
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
    fn line(&mut self, mut line: Line) -> Option<()> {
        let mut kept = self.continued(&mut line);
        if let Some((Growing::Code(fence, length, indent), _)) = self.leaf
            && kept == self.open.len()
        {
            if line.is_closing_fence(fence, length) {
                self.end_leaf();
            } else {
                line.skip(indent.min(line.indent()));
                line.append_to(&mut self.text);
                self.text.push('\n');
            }
            self.blank = false;
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
        // A paragraph takes the line even where the blocks around it don't: "lazy continuation".
        if begun == Begun::Nothing && self.is_in_paragraph() {
            self.text.push('\n');
        } else {
            self.keep(kept);
            self.set_apart(false);
            self.leaf = Some((Growing::Paragraph, self.text.len()));
        }
        self.text.push_str(line.trimmed());
        self.blank = false;
        Some(())
    }

    /// How many of the open blocks the line belongs to, from the outermost; takes their marks and indents from it.
    fn continued(&self, line: &mut Line) -> usize {
        for (kept, container) in self.open.iter().enumerate() {
            let goes_on = match *container {
                Container::Quote => line.skip_quote(),
                Container::List(..) => true,
                Container::Item(_, before) if line.is_blank() => {
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

    /// Begins the block that the line begins, if it does, in the first `kept` of the open ones; says nothing where that is
    /// too deep.
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
            self.leaf = Some((Growing::Code(fence, length, indent), self.text.len()));
        } else if interrupts && line::is_underline(rest) {
            let (_, from) = self.leaf.take().expect("it is in a paragraph");
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
        matches!(self.leaf, Some((Growing::Paragraph, _)))
    }

    /// Makes way for a new block in the last open one. An item alone can be right in a list; anything else ends it.
    fn set_apart(&mut self, item: bool) {
        if !item && matches!(self.open.last(), Some(Container::List(..))) {
            self.pop();
        }
        let up = if item { 1 } else { 2 };
        if std::mem::take(&mut self.blank)
            && (item || matches!(self.open.last(), Some(Container::Item(..))))
            && let Some(Container::List(_, at)) = self.open.iter().nth_back(up - 1)
            && let Block::List { loose, .. } = &mut self.blocks[*at]
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
        if let Some((growing, from)) = self.leaf.take() {
            let leaf = match growing {
                Growing::Paragraph => Leaf::Paragraph,
                Growing::Code(..) => Leaf::Code,
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
