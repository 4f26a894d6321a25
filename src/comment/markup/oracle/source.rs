//! Prepares a comment's text for the CommonMark parser: escapes the syntax that sayso doesn't support, and records every escape.
//!
//! Escapes are backslashes before punctuation, which CommonMark doesn't show, except in code; [`Source::restored`] removes them there.
//! Pure; takes time in proportion to the text.

use std::ops::Range;

use crate::comment::markup::url;

/// A prepared text. All positions are byte offsets in it.
pub struct Source {
    text: String,
    /// The positions of the inserted backslashes, ascending.
    inserted: Vec<usize>,
    /// The ranges of the bare web addresses, ascending.
    addresses: Vec<Range<usize>>,
}

impl Source {
    /// Prepares a text. Escapes
    ///
    /// - `<`, so that HTML is text, unless it begins a link (`<https://…>`, `<ada@a.example>`) or the destination of one;
    /// - the `:` after a `]`, so that no line is a link definition, which CommonMark would not show;
    /// - the start of a link's title that may not end in its line, since the parser's search for the end takes quadratic time;
    /// - a single `~`, so that "~5 to ~7" is no strikethrough;
    /// - all punctuation in bare web addresses, so that they contain no emphasis.
    pub fn new(content: &str) -> Source {
        let text = String::with_capacity(content.len() + content.len() / 8);
        let mut source = Source { text, inserted: Vec::new(), addresses: Vec::new() };
        let bytes = content.as_bytes();
        let mut address = url::find(content, 0);
        let mut at = 0;
        while at < bytes.len() {
            while address.as_ref().is_some_and(|address| address.start < at) {
                address = url::find(content, at);
            }
            if let Some(address) = address.as_ref().filter(|address| address.start == at) {
                let is_destination = is_after_link_text(content[..at].trim_end_matches('<'));
                source.address(&content[address.clone()], is_destination);
                at = address.end;
                continue;
            }
            let end = at + token_length(content, at);
            let is_escaped = match &content[at..end] {
                "~" => true,
                "<" => !is_destination(content, at),
                "\"" | "'" | "(" => {
                    let before_address = address.as_ref().map_or(content.len(), |it| it.start);
                    is_open_title(&content[..before_address], at)
                }
                _ => false,
            };
            if is_escaped {
                source.escape();
            }
            for char in content[at..end].chars() {
                if char == ':' && source.text.ends_with(']') {
                    source.escape();
                }
                source.text.push(char);
            }
            at = end;
        }
        source
    }

    /// The prepared text, for the parser.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The ranges of the bare web addresses.
    pub fn addresses(&self) -> &[Range<usize>] {
        &self.addresses
    }

    /// The text of a range as it was typed.
    pub fn original(&self, range: Range<usize>) -> String {
        let mut out = String::with_capacity(range.len());
        let mut from = range.start;
        for inserted in self.inserted_in(&range) {
            out.push_str(&self.text[from..*inserted]);
            from = inserted + 1;
        }
        out.push_str(&self.text[from..range.end]);
        out
    }

    /// Removes the inserted backslashes from `code`, which the parser has found in `range`. The parser has removed the markers of quotes
    /// and lists from it, but these contain no backslashes, so `code` has the same backslashes in the same order as `range`.
    pub fn restored(&self, code: &str, range: Range<usize>) -> String {
        let inserted = self.inserted_in(&range);
        if inserted.is_empty() {
            return code.to_owned();
        }
        let backslashes = self.text[range.clone()].match_indices('\\');
        let mut was_inserted =
            backslashes.map(|(at, _)| inserted.binary_search(&(range.start + at)).is_ok());
        let is_typed = |char: &char| *char != '\\' || was_inserted.next() != Some(true);
        code.chars().filter(is_typed).collect()
    }

    fn inserted_in(&self, range: &Range<usize>) -> &[usize] {
        let from = self.inserted.partition_point(|at| *at < range.start);
        let to = self.inserted.partition_point(|at| *at < range.end);
        &self.inserted[from..to]
    }

    fn escape(&mut self) {
        self.inserted.push(self.text.len());
        self.text.push('\\');
    }

    fn address(&mut self, address: &str, is_destination: bool) {
        let start = self.text.len();
        for char in address.chars() {
            // A destination may contain entities. If it turns out to be none, it is shown as typed anyway.
            if char.is_ascii_punctuation() && !(is_destination && "&#;".contains(char)) {
                self.escape();
            }
            self.text.push(char);
        }
        self.addresses.push(start..self.text.len());
    }
}

/// The length in bytes of the token at `at`: an escape, a run of `~`, an address in angle brackets, or a single character.
fn token_length(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    match rest.as_bytes()[0] {
        b'\\' if rest[1..].starts_with(|char: char| char.is_ascii_punctuation()) => 2,
        b'~' => rest.bytes().take_while(|byte| *byte == b'~').count(),
        b'<' => bracketed_address(rest).map_or(1, |address| address.len() + 2),
        _ => rest.chars().next().map_or(1, char::len_utf8),
    }
}

/// The address in angle brackets at the start of `text`, if it may be linked.
fn bracketed_address(text: &str) -> Option<&str> {
    let end = |char: char| "<>\"`\\".contains(char) || char.is_whitespace() || char.is_control();
    let rest = text.strip_prefix('<')?;
    let inside = &rest[..rest.find(end).filter(|end| rest[*end..].starts_with('>'))?];
    (url::is_allowed(inside) || is_mail(inside)).then_some(inside)
}

/// Whether a text is an e-mail address in its usual form.
fn is_mail(text: &str) -> bool {
    let is_plain = |part: &str| {
        part.starts_with(|char: char| char.is_ascii_alphanumeric())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte))
    };
    text.split_once('@').is_some_and(|(to, host)| is_plain(to) && is_plain(host))
}

/// Whether the `<` at `at` may begin the destination of a link.
fn is_destination(text: &str, at: usize) -> bool {
    let end = text[at + 1..].find(['<', '>', '\n']);
    end.is_some_and(|end| text[at + 1 + end..].starts_with('>')) && is_after_link_text(&text[..at])
}

/// Whether the quote or parenthesis at `at` may begin the title of a link that may not end in the same line.
fn is_open_title(text: &str, at: usize) -> bool {
    if !text[..at].ends_with(|char: char| char.is_whitespace() || char == '>') {
        return false;
    }
    let opens = text.as_bytes()[at];
    let closes = if opens == b'(' { b')' } else { opens };
    let rest = &text.as_bytes()[at + 1..];
    let end = rest.iter().position(|byte| [opens, closes, b'\\', b'\n'].contains(byte));
    match end {
        Some(end) if rest[end] == closes => {
            // The quote at the end may itself begin a title, and would then be escaped.
            opens == closes && rest[..end].last().is_none_or(|before| b" \t>".contains(before))
        }
        _ => true,
    }
}

/// Whether a text ends with `](`, after which a destination follows.
fn is_after_link_text(before: &str) -> bool {
    before.trim_end_matches([' ', '\t']).ends_with("](")
}
