//! Generates texts by a grammar of Markdown, with mistakes such as people make. Compiled for tests only.
//!
//! Knows nothing of how they are rendered.

/// Generates texts; the same ones in every run.
pub struct Generator {
    state: u64,
    out: String,
}

const WORDS: [&str; 18] = [
    "a",
    "b c",
    "Ada",
    "1",
    "x_y",
    "e.g.",
    "(b)",
    "\"c\"",
    "it's",
    "\u{e9}",
    "\u{5d0}",
    "\u{e01}\u{e48}",
    "\u{201c}q\u{201d}",
    "\u{1f389}",
    "5 < 6",
    "a & b",
    "\u{a0}",
    "!",
];
const DESTINATIONS: [&str; 24] = [
    "https://a.example",
    "http://a.b/c_d_e",
    "https://a.b/(c)",
    "https://a.b/((c))",
    "<https://a.b>",
    "<https://a.b c>",
    "mailto:a@b.c",
    "x",
    "",
    "<>",
    "javascript:x",
    "https://a.b?c=1&amp;d=2",
    "https://a.b/\\)",
    " https://a.b ",
    "\nhttps://a.b\n",
    "https://a.b \"t\"",
    "https://a.b 't'",
    "https://a.b (t)",
    "https://a.b \"t",
    "<https://a.b>\"t\"",
    "https://a.b\n'title'",
    "a b",
    "https://a.b/*c*",
    "https://a.b \"t\\\"u\"",
];
const ATOMS: [&str; 40] = [
    "`c`",
    "``c ` d``",
    "` c `",
    "`c\nd`",
    "`",
    "``",
    "\\*",
    "\\_",
    "\\`",
    "\\[",
    "\\\\",
    "\\a",
    "\\<",
    "&amp;",
    "&lt;",
    "&#42;",
    "&#x2A;",
    "&nosuch;",
    "&copy;",
    "&",
    "&#0;",
    "&#10;",
    "<b>",
    "</b>",
    "<!-- c -->",
    "<https://a.b/c_d>",
    "<ada@a.b>",
    "<x:y>",
    "<a@b_c>",
    "https://a.b/c_d_",
    "(https://a.b/c)",
    "http://a.b, ",
    "https://a.b/*c*",
    "mailto:a@b",
    "  \n",
    "\\\n",
    "\n",
    "[",
    "]",
    "![",
];
const MARKS: [&str; 10] = ["*", "_", "**", "__", "***", "___", "~~", "~", "****", "**_"];

impl Generator {
    /// A generator that begins with a number other than zero.
    pub fn new(state: u64) -> Generator {
        Generator { state, out: String::new() }
    }

    /// A number below `count` (Marsaglia's xorshift64).
    pub fn below(&mut self, count: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) as usize % count
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    fn inlines(&mut self, depth: usize) {
        for _ in 0..1 + self.below(4) {
            self.inline(depth);
            let space = self.one(&["", "", " "]);
            self.out.push_str(space);
        }
    }

    fn inline(&mut self, depth: usize) {
        match self.below(if depth == 0 { 6 } else { 11 }) {
            0..=2 => {
                let word = self.one(&WORDS);
                self.out.push_str(word);
            }
            3 | 4 => {
                let atom = self.one(&ATOMS);
                self.out.push_str(atom);
            }
            5 => {
                let mark = self.one(&MARKS);
                self.out.push_str(mark);
            }
            6..=8 => {
                let mark = self.one(&MARKS);
                self.out.push_str(mark);
                self.inlines(depth - 1);
                let mark = if self.below(5) == 0 { self.one(&MARKS) } else { mark };
                self.out.push_str(mark);
            }
            _ => {
                let open = self.one(&["[", "[", "!["]);
                self.out.push_str(open);
                self.inlines(depth - 1);
                let destination = self.one(&DESTINATIONS);
                self.out.push_str("](");
                self.out.push_str(destination);
                let close = self.one(&[")", ")", ")", ")", ""]);
                self.out.push_str(close);
            }
        }
    }

    fn blocks(&mut self, depth: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for _ in 0..1 + self.below(3) {
            lines.append(&mut self.block(depth));
            for _ in 0..self.below(3) {
                lines.push(self.one(&["", "", "", "  ", "\t", "     "]).into());
            }
        }
        lines
    }

    /// The lines of a paragraph.
    pub fn text(&mut self) -> Vec<String> {
        self.out.clear();
        let depth = self.below(3);
        self.inlines(depth);
        self.out.split('\n').map(str::to_owned).collect()
    }

    fn block(&mut self, depth: usize) -> Vec<String> {
        let mut lines = match self.below(if depth == 0 { 7 } else { 12 }) {
            0..=2 => self.text(),
            3 => {
                let hashes = self.one(&["# ", "### ", "#", "####### ", "#\t", "# #"]);
                let mut lines = self.text();
                lines[0].insert_str(0, hashes);
                let end = self.one(&["", "", " #", " ##  ", "#", " # a"]);
                lines[0].push_str(end);
                lines
            }
            4 => {
                let mut lines = self.text();
                lines.push(
                    self.one(&["---", "===", "-", "= ", "--- -", "    ---", "***", "_ _ _"]).into(),
                );
                lines
            }
            5 => {
                let fence =
                    self.one(&["```", "~~~", "````", "  ```", "``` rust", "~~~ `x`", "```x`"]);
                let mut lines = vec![fence.to_owned()];
                lines.append(&mut self.text());
                lines.push(self.one(&["", "  indented", "    more", "\ttab", "> x"]).into());
                lines.push(
                    self.one(&["```", "~~~", "`````", "   ```", "    ```", "", "``` x"]).into(),
                );
                lines
            }
            6 => {
                let indent = self.one(&["    ", "     ", "\t", "  \t"]);
                self.text().into_iter().map(|line| format!("{indent}{line}")).collect()
            }
            7 | 8 => {
                let mark = self.one(&["> ", ">", " > ", ">\t", ">  ", "    > "]);
                let lines = self.blocks(depth - 1);
                self.indented(lines, mark, mark)
            }
            _ => {
                let mark = self.one(&[
                    "- ", "* ", "+ ", "1. ", "2) ", "0. ", "-", "-\t", "-   ", "-     ", "10. ",
                    " - ", "007. ",
                ]);
                let indent = " ".repeat(mark.len());
                let mut lines = Vec::new();
                for _ in 0..1 + self.below(3) {
                    let mark =
                        if self.below(8) == 0 { self.one(&["- ", "* ", "3. "]) } else { mark };
                    let item = if self.below(6) == 0 {
                        vec![String::new()]
                    } else {
                        self.blocks(depth - 1)
                    };
                    lines.append(&mut self.indented(item, mark, &indent));
                    if self.below(4) == 0 {
                        lines.push(String::new());
                    }
                }
                lines
            }
        };
        if self.below(8) == 0 {
            let indent = self.one(&[" ", "  ", "   "]);
            lines[0].insert_str(0, indent);
        }
        lines
    }

    /// Lines behind marks, of which a few are missing or shorter.
    fn indented(&mut self, lines: Vec<String>, first: &str, others: &str) -> Vec<String> {
        let indented =
            lines.into_iter().enumerate().map(|(number, line)| match (number, self.below(9)) {
                (0, _) => format!("{first}{line}"),
                (_, 0) => line,
                (_, 1) => format!("{}{line}", &others[1..]),
                (_, 2) if line.is_empty() => line,
                _ => format!("{others}{line}"),
            });
        indented.collect()
    }

    /// A text of several blocks.
    pub fn document(&mut self) -> String {
        let depth = self.below(4);
        let mut text = self.blocks(depth).join("\n");
        // A few damages, such as people make.
        while self.below(3) == 0 && !text.is_empty() {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let at = places[self.below(places.len())];
            match self.below(3) {
                0 => drop(text.remove(at)),
                1 => text.insert_str(at, self.one(&MARKS)),
                _ => text.insert_str(
                    at,
                    self.one(&[
                        "\n", " ", "\t", "\\", "(", ")", "]", "<", ">", "`", ":", "\"", "#", "-",
                        "&",
                    ]),
                ),
            }
        }
        text.trim().to_owned()
    }
}
