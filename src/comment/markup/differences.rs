//! Compares renderings with those of pulldown-cmark, for texts that a grammar of Markdown generates. Compiled for tests only.
//!
//! `SAYSO_ROUNDS=10000000 cargo test --release --lib markup::differences` compares more of them.

use std::{fs, path::Path};

use super::inline::addresses;
use super::{html, oracle};
use crate::limits::CONTENT_BYTES_MAX;

/// Texts compared by each test.
const ROUNDS: usize = 120_000;

/// What the two read differently, each of it documented at [`html`].
fn is_known(content: &str) -> bool {
    let entities = content.split('&').skip(1).filter_map(|rest| rest.split_once(';'));
    let has_rare_entity = entities.map(|(name, _)| name).any(|name| {
        name.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && super::link::entity(&format!("&{name};"), 0).is_none()
    });
    has_rare_entity
        // The space that is put before indented code is not shown where a line begins with it, which may be in a list.
        || content.contains("&#32;")
        // Behind the `#` at the end of a heading may be tabs.
        || content.lines().any(|line| line.contains('#') && line.ends_with('\t'))
        // pulldown-cmark may show the backslash instead of breaking the line before the end of a link's text.
        || content.split("\\\n").skip(1).any(|rest| rest.trim_start_matches([' ', '\t', '>']).starts_with("]("))
        || content.contains(|char: char| char.is_control() && !"\n\t".contains(char))
        // An empty item that ends a quote in an item doesn't end that one.
        || content.lines().any(|line| line.contains('>') && ends_with_marker(line))
        // A quote's `>` may not be indented by a tab.
        || content.contains("\t>")
        || has_cut_entity(content)
        || has_odd_destination(content)
}

/// Whether a line ends with what begins an item of a list.
fn ends_with_marker(line: &str) -> bool {
    line.trim_end_matches([' ', '\t']).ends_with(['-', '+', '*', '.', ')'])
}

/// Whether there is an entity that ends behind an address, in what could be the destination of a link. The oracle shows both.
fn has_cut_entity(content: &str) -> bool {
    addresses(content)
        .into_iter()
        .any(|address| content[address.end..].starts_with(';') && content[address].contains('&'))
}

/// Whether there could be a link to an address that [`oracle`] reads differently: it takes a `(` behind a space or `>` for the start of
/// a title, and leaves the entities of a web address alone that doesn't begin right behind the `](`.
fn has_odd_destination(content: &str) -> bool {
    content.split("](").skip(1).any(|rest| {
        let word = rest.trim_start_matches([' ', '\t', '\n', '>']);
        let skipped = &rest[..rest.len() - word.len()];
        let word = word.split([' ', '\t', '\n']).next().unwrap_or_default().trim_start_matches('<');
        let is_space = |char: char| char == '>' || char.is_whitespace();
        let has_bracket = word.match_indices('(').any(|(at, _)| word[..at].ends_with(is_space));
        let has_entity = addresses(word).iter().any(|address| {
            (address.start > 0 || skipped.contains('\n')) && word[address.clone()].contains('&')
        });
        has_bracket || has_entity || !skipped.is_empty() && word.starts_with('(')
    })
}

/// HTML without spaces and tabs, except in `pre`.
fn without_spaces(html: &str) -> String {
    let mut out = String::new();
    for (number, part) in html.split("<pre>").enumerate() {
        let (pre, rest) = part.split_once("</pre>").filter(|_| number > 0).unwrap_or(("", part));
        out.push_str(pre);
        out.extend(rest.chars().filter(|char| !" \t".contains(*char)));
    }
    out
}

/// What was compared.
#[derive(Default)]
pub struct Comparison {
    /// Texts with markup that are rendered equally.
    equal: usize,
    different: Vec<String>,
}

impl Comparison {
    /// Renders a text with both.
    pub fn add(&mut self, content: &str) {
        let own = html(content);
        let oracle::Rendering { html: other, has_html } = oracle::render(content);
        // White space around a line break in code is one space, and a heading doesn't end with a tab. A browser shows the same.
        let may_have_spaces = content.contains('\n') && content.contains('`')
            || content.contains('#') && content.contains('\t');
        let spaced = |html: &Option<String>| html.as_deref().map(without_spaces);
        if own == other || may_have_spaces && spaced(&own) == spaced(&other) {
            self.equal += usize::from(own.is_some());
        } else if !has_html && !is_known(content) {
            self.different.push(format!("{content:?}\n  own: {own:?}\nother: {other:?}\n"));
        }
    }

    /// Panics if there are differences, or fewer than `least` equal texts.
    pub fn check(self, least: usize) {
        let Comparison { equal, mut different } = self;
        different.sort_by_key(String::len);
        let first = &different[..different.len().min(6)];
        assert!(different.is_empty(), "{} differ: {}", different.len(), first.concat());
        assert!(equal >= least, "{equal} of them have markup");
    }
}

/// Generates texts; the same ones in every run.
struct Author {
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

impl Author {
    fn below(&mut self, count: usize) -> usize {
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

    fn text(&mut self) -> Vec<String> {
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

    fn document(&mut self) -> String {
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

fn rounds() -> usize {
    std::env::var("SAYSO_ROUNDS")
        .map_or(ROUNDS, |rounds| rounds.parse().expect("SAYSO_ROUNDS is a number"))
}

fn author(state: u64) -> Author {
    Author { state, out: String::new() }
}

#[test]
fn paragraphs_are_rendered_as_by_pulldown_cmark() {
    let mut author = author(0x9e37_79b9_7f4a_7c15);
    let mut comparison = Comparison::default();
    (0..rounds()).for_each(|_| comparison.add(author.text().join("\n").trim()));
    comparison.check(rounds() / 2);
}

#[test]
fn documents_are_rendered_as_by_pulldown_cmark() {
    let mut author = author(0x2545_f491_4f6c_dd1d);
    let mut comparison = Comparison::default();
    (0..rounds()).for_each(|_| comparison.add(&author.document()));
    comparison.check(rounds() / 2);
}

#[test]
fn rows_of_signs_are_rendered_as_by_pulldown_cmark() {
    const SIGNS: [&str; 4] = [
        "*_a ~(.\u{201c}\n",
        "`[]()!\\<>a\"'\n ",
        "->+*1.) \t\na#`~=",
        "*_~`[]()!<>&;:\\#-+1.=|\"'/@ \t\na\u{e9}",
    ];
    let mut author = author(0xda94_2042_e4dd_58b5);
    let mut comparison = Comparison::default();
    for round in 0..rounds() {
        let signs: Vec<char> = SIGNS[round % SIGNS.len()].chars().collect();
        let length = 1 + author.below(24);
        let text: String = (0..length).map(|_| signs[author.below(signs.len())]).collect();
        comparison.add(text.trim());
    }
    comparison.check(rounds() / 8);
}

#[test]
fn kept_seeds_are_rendered_as_by_pulldown_cmark() {
    // The crate as it is published comes without them.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds/markup");
    let Ok(files) = fs::read_dir(folder) else { return };
    let mut comparison = Comparison::default();
    for file in files {
        let seed =
            fs::read(file.expect("the folder can be read").path()).expect("a seed is a file");
        comparison.add(&String::from_utf8_lossy(&seed[..seed.len().min(CONTENT_BYTES_MAX)]));
    }
    comparison.check(10);
}
