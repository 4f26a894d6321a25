//! The words, phrases and expressions of `--block-file`: parses the list, and finds what of it a comment has.
//!
//! Pure. Everything is compared [folded](super::folding). A phrase is found as whole words, whatever stands between them; its cost is one
//! look-up a word of the comment, however long the list is. Scripts that put no spaces between words are compared letter by letter.

use std::{collections::HashMap, sync::Arc};

use regex_lite::{Regex, RegexBuilder};

use crate::{
    comment::folding::fold,
    comment::shown_text::of_html,
    util::text::{quote, shorten},
};

/// Bytes of the file.
pub const BLOCK_FILE_BYTES_MAX: usize = 1024 * 1024;
/// Words and phrases, one a line.
pub const BLOCK_PHRASES_MAX: usize = 10_000;
/// Words of one phrase: bounds what a comment costs that repeats the beginning of a phrase.
pub const BLOCK_PHRASE_WORDS_MAX: usize = 16;
/// Expressions: each reads the whole comment.
pub const BLOCK_EXPRESSIONS_MAX: usize = 200;
/// Bytes of one expression once it is compiled: the time that it takes grows with them.
pub const BLOCK_EXPRESSION_BYTES_MAX: usize = 8 * 1024;
/// How much of a wrong expression's error is repeated, in characters.
const ERROR_CHARS: usize = 200;
/// The node of [`BlockList::steps`] at which every phrase begins.
const ROOT: u32 = 0;

/// A parsed list.
#[derive(Debug, Default)]
pub struct BlockList {
    /// Each word of a phrase has a number.
    words: HashMap<Arc<str>, u32>,
    /// From a node, by a word's number, to the next node. See [`step`].
    steps: HashMap<u64, u32>,
    /// For each node, the phrase that ends there, as it stands in the file.
    ends: Vec<Option<Box<str>>>,
    phrases: usize,
    /// With the line that each stands in.
    expressions: Vec<(Regex, Box<str>)>,
}

/// The first line that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Its number, from 1.
    pub number: usize,
    /// What is wrong with it, as a sentence's continuation of "words.txt:7: ".
    pub why: String,
}

impl BlockList {
    /// Parses a file.
    ///
    /// # Errors
    /// The first line that is wrong. The caller checks [`BLOCK_FILE_BYTES_MAX`].
    pub fn parse(file: &[u8]) -> Result<BlockList, BadLine> {
        let mut list = BlockList { ends: vec![None], ..BlockList::default() };
        let file = file.strip_prefix("\u{feff}".as_bytes()).unwrap_or(file);
        for (at, line) in file.split(|byte| *byte == b'\n').enumerate() {
            let added = match str::from_utf8(line) {
                Ok(line) => list.add(line.trim()),
                Err(_) => Err("this line is not UTF-8".into()),
            };
            added.map_err(|why| BadLine { number: at + 1, why })?;
        }
        Ok(list)
    }

    /// How many phrases and how many expressions it has.
    pub fn len(&self) -> (usize, usize) {
        (self.phrases, self.expressions.len())
    }

    /// Whether it has neither.
    pub fn is_empty(&self) -> bool {
        self.len() == (0, 0)
    }

    /// The line of the list that a comment has in its text as it was written, in its text as it is shown, or in its name.
    pub fn find(&self, content: &str, html: Option<&str>, name: Option<&str>) -> Option<&str> {
        let shown = html.map(of_html);
        [Some(content), shown.as_deref(), name].into_iter().flatten().find_map(|text| {
            let text = fold(text);
            self.find_phrase(&text).or_else(|| self.find_expression(&text))
        })
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        match line.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
            _ if line.is_empty() || line.starts_with('#') => Ok(()),
            Some(expression) => self.add_expression(line, expression),
            None => self.add_phrase(line),
        }
    }

    fn add_phrase(&mut self, line: &str) -> Result<(), String> {
        if self.phrases == BLOCK_PHRASES_MAX {
            return Err(format!("this is one phrase more than the {BLOCK_PHRASES_MAX} allowed"));
        }
        let folded = fold(line);
        // The words would be found without it, so more would be held than is written here.
        let edges = [folded.chars().next(), folded.chars().next_back()];
        if let Some(edge) = edges.into_iter().flatten().find(|char| !is_word_char(*char)) {
            return Err(format!(
                "a phrase begins and ends with a letter or a digit, not with {edge:?}; write an /expression/ to find other characters"
            ));
        }
        let count = words(&folded).count();
        if !(1..=BLOCK_PHRASE_WORDS_MAX).contains(&count) {
            return Err(format!(
                "a phrase has 1 to {BLOCK_PHRASE_WORDS_MAX} words, this one has {count}"
            ));
        }
        let mut node = ROOT;
        for word in words(&folded) {
            let number = match self.words.get(word) {
                Some(number) => *number,
                None => {
                    let number = self.words.len() as u32;
                    self.words.insert(word.into(), number);
                    number
                }
            };
            let next = self.ends.len() as u32;
            node = *self.steps.entry(step(node, number)).or_insert(next);
            if node == next {
                self.ends.push(None);
            }
        }
        self.ends[node as usize] = Some(line.into());
        self.phrases += 1;
        Ok(())
    }

    fn add_expression(&mut self, line: &str, expression: &str) -> Result<(), String> {
        if self.expressions.len() == BLOCK_EXPRESSIONS_MAX {
            return Err(format!(
                "this is one expression more than the {BLOCK_EXPRESSIONS_MAX} allowed"
            ));
        }
        let regex = RegexBuilder::new(&fold_literals(expression))
            .case_insensitive(true)
            .size_limit(BLOCK_EXPRESSION_BYTES_MAX)
            .build()
            .map_err(|error| {
                let why = shorten(&error.to_string().replace('\n', " "), ERROR_CHARS);
                format!("the expression {} can't be used: {why}", quote(line))
            })?;
        if regex.is_match("") {
            return Err(format!(
                "the expression {} matches every text, even an empty one",
                quote(line)
            ));
        }
        self.expressions.push((regex, line.into()));
        Ok(())
    }

    fn find_phrase(&self, folded: &str) -> Option<&str> {
        if self.phrases == 0 {
            return None;
        }
        // Of each phrase that has begun, how far it has come.
        let (mut nodes, mut count) = ([ROOT; BLOCK_PHRASE_WORDS_MAX + 1], 0);
        for word in words(folded) {
            let Some(number) = self.words.get(word) else {
                count = 0;
                continue;
            };
            nodes[count] = ROOT;
            let begun = count + 1;
            count = 0;
            for at in 0..begun {
                let Some(next) = self.steps.get(&step(nodes[at], *number)) else { continue };
                if let Some(phrase) = &self.ends[*next as usize] {
                    return Some(phrase);
                }
                nodes[count] = *next;
                count += 1;
            }
        }
        None
    }

    fn find_expression(&self, folded: &str) -> Option<&str> {
        let mut expressions = self.expressions.iter();
        let (_, line) = expressions.find(|(regex, _)| regex.is_match(folded))?;
        Some(line)
    }
}

/// Folds the letters of an expression that are not ASCII; the others are matched in either case. An escape keeps its meaning.
fn fold_literals(expression: &str) -> String {
    let mut folded = String::with_capacity(expression.len());
    let mut buffer = [0; 4];
    for char in expression.chars() {
        match char.is_ascii() {
            true => folded.push(char),
            false => folded.push_str(&fold(char.encode_utf8(&mut buffer))),
        }
    }
    folded
}

/// The words of a folded text. In scripts that put no spaces between words, each letter is one.
fn words(folded: &str) -> impl Iterator<Item = &str> {
    let mut rest = folded;
    std::iter::from_fn(move || {
        rest = &rest[rest.find(is_word_char)?..];
        let first = rest.chars().next()?;
        let length = match is_unspaced(first) {
            true => first.len_utf8(),
            false => {
                rest.find(|char| !is_word_char(char) || is_unspaced(char)).unwrap_or(rest.len())
            }
        };
        let (word, behind) = rest.split_at(length);
        rest = behind;
        Some(word)
    })
}

/// The key of [`BlockList::steps`].
fn step(node: u32, word: u32) -> u64 {
    u64::from(node) << 32 | u64::from(word)
}

fn is_word_char(char: char) -> bool {
    // Vowel signs and the like of Indian and other Brahmic scripts are no letters to Unicode; danda is the full stop there.
    char.is_alphanumeric()
        || matches!(char, '\u{900}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' if !matches!(char, '\u{964}' | '\u{965}'))
}

/// Whether a script puts no spaces between words: Thai, Lao, Tibetan, Burmese, Khmer, Japanese and Chinese.
fn is_unspaced(char: char) -> bool {
    matches!(char,
        '\u{e00}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3005}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests;
