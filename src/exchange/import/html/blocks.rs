//! Writes the blocks of Markdown: what the lines of a paragraph begin with inside quotes and lists, and where empty lines stand.
//!
//! Knows neither HTML nor what is in a paragraph.

/// How deep quotes and lists may be nested; what is deeper stands in the deepest. The renderer allows 16 elements, and a list is two.
pub const BLOCKS_MAX: usize = 6;
/// The highest number of an item that Markdown allows.
const NUMBER_MAX: u64 = 999_999_999;

/// A block that is open.
enum Block {
    Quote,
    List {
        next: Option<u64>,
        marker: char,
        items: usize,
    },
    /// An item: what its first line begins with, and whether that is written.
    Item {
        marker: String,
        is_begun: bool,
    },
}

/// Markdown, and the blocks in which it goes on.
pub struct Blocks {
    out: String,
    depth_max: usize,
    open: Vec<Block>,
    /// How many blocks beyond the depth are open.
    ignored: usize,
    /// Whether an empty line must stand before the next paragraph.
    gap: bool,
    /// How many of the blocks were open when the last line was written.
    common: usize,
    /// Which of two markers the next list has, so that two lists in a row don't become one.
    is_second_marker: bool,
}

impl Blocks {
    /// An empty text, with blocks to a depth.
    pub fn new(depth_max: usize) -> Blocks {
        Blocks {
            out: String::new(),
            depth_max,
            open: Vec::new(),
            ignored: 0,
            gap: false,
            common: 0,
            is_second_marker: false,
        }
    }

    /// How much is written, bytes.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// The text.
    pub fn into_markdown(self) -> String {
        self.out
    }

    /// Begins a quote.
    pub fn open_quote(&mut self) {
        self.open(Block::Quote);
    }

    /// Begins a list; one that counts begins with a number.
    pub fn open_list(&mut self, first: Option<u64>) {
        let second = std::mem::replace(&mut self.is_second_marker, false);
        let marker = match (first.is_some(), second) {
            (false, false) => '-',
            (false, true) => '+',
            (true, false) => '.',
            (true, true) => ')',
        };
        let next = first.map(|first| first.min(NUMBER_MAX));
        self.open(Block::List { next, marker, items: 0 });
    }

    fn open(&mut self, block: Block) {
        let in_list = matches!(self.open.last(), Some(Block::List { .. }));
        let in_item = matches!(self.open.last(), Some(Block::Item { .. }));
        if self.open.len() >= self.depth_max || in_list {
            self.ignored += 1;
            return;
        }
        // A list may begin right behind the text of an item, if it counts from 1.
        let may_follow = matches!(block, Block::List { next: None | Some(1), .. });
        self.gap = !(in_item && may_follow);
        self.open.push(block);
    }

    /// Begins an item of the list that is open; without one, nothing.
    pub fn open_item(&mut self) {
        self.close_item();
        let Some(Block::List { next, marker, items }) = self.open.last_mut() else { return };
        let marker = match next {
            Some(number) => {
                let text = format!("{number}{marker} ");
                *number = (*number + 1).min(NUMBER_MAX);
                text
            }
            None => format!("{marker} "),
        };
        *items += 1;
        self.gap &= *items == 1;
        self.open.push(Block::Item { marker, is_begun: false });
    }

    /// Ends the item that is open.
    pub fn close_item(&mut self) {
        if matches!(self.open.last(), Some(Block::Item { .. })) {
            self.open.pop();
            self.common = self.common.min(self.open.len());
        }
    }

    /// Ends the innermost quote, or the innermost list.
    pub fn close(&mut self, is_quote: bool) {
        if self.ignored > 0 {
            self.ignored -= 1;
            return;
        }
        let is_it = |block: &Block| match block {
            Block::Quote => is_quote,
            Block::List { .. } => !is_quote,
            Block::Item { .. } => false,
        };
        let Some(at) = self.open.iter().rposition(is_it) else { return };
        self.is_second_marker = matches!(self.open[at], Block::List { marker: '-' | '.', .. });
        self.open.truncate(at);
        self.common = self.common.min(at);
        self.gap = true;
    }

    /// Writes the lines of a paragraph or of code.
    pub fn write(&mut self, lines: &[String]) {
        if !self.out.is_empty() {
            self.out.push('\n');
            if self.gap {
                self.prefix(self.common, true);
                self.out.truncate(self.out.trim_end_matches(' ').len());
                self.out.push('\n');
            }
        }
        for (number, line) in lines.iter().enumerate() {
            if number > 0 {
                self.out.push('\n');
            }
            self.prefix(self.open.len(), false);
            self.out.push_str(line);
            if line.is_empty() {
                self.out.truncate(self.out.trim_end_matches(' ').len());
            }
        }
        self.gap = true;
        self.common = self.open.len();
        self.is_second_marker = false;
    }

    /// Writes what a line begins with in the outermost blocks.
    fn prefix(&mut self, blocks: usize, is_empty_line: bool) {
        for block in &mut self.open[..blocks] {
            match block {
                Block::Quote => self.out.push_str("> "),
                Block::List { .. } => {}
                Block::Item { marker, is_begun: is_begun @ false } if !is_empty_line => {
                    self.out.push_str(marker);
                    *is_begun = true;
                }
                Block::Item { marker, .. } => self.out.push_str(&" ".repeat(marker.len())),
            }
        }
    }
}
