//! Writes text so that Markdown shows it as it is.
//!
//! Pure. Addresses stay as they are, since sayso makes links of them itself.

use crate::comment::markup::url;

/// How much is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// What may be markup where it stands.
    Markup,
    /// That, and brackets, which would end a link's text.
    InLink,
    /// All punctuation.
    Everything,
}

/// Appends a text that is part of a paragraph.
pub fn push_text(out: &mut String, text: &str, escape: Escape) {
    // Brackets alone are no link.
    let escapes_brackets = escape == Escape::InLink || text.contains("](");
    let mut at = 0;
    let mut address = url::find(text, 0);
    let mut before = out.chars().next_back();
    while let Some(char) = text[at..].chars().next() {
        if let Some(range) = address.clone().filter(|range| range.start == at)
            && !before.is_some_and(char::is_alphanumeric)
        {
            out.push_str(&text[range.clone()]);
            before = text[range.clone()].chars().next_back();
            at = range.end;
            address = url::find(text, at);
            continue;
        }
        let behind = &text[at + char.len_utf8()..];
        let needed = match char {
            _ if !char.is_ascii_punctuation() => false,
            _ if escape == Escape::Everything => true,
            '[' | ']' => escapes_brackets,
            _ => is_markup(char, before, behind),
        };
        if needed {
            out.push('\\');
        }
        out.push(char);
        before = Some(char);
        at += char.len_utf8();
        if address.as_ref().is_some_and(|range| range.start < at) {
            address = url::find(text, at);
        }
    }
}

/// Whether a character may be markup where it stands.
fn is_markup(char: char, before: Option<char>, behind: &str) -> bool {
    let next = behind.chars().next();
    let is_space = |char: Option<char>| char.is_some_and(char::is_whitespace);
    let is_word = |char: Option<char>| char.is_some_and(char::is_alphanumeric);
    match char {
        '`' => true,
        '\\' => next.is_none_or(|next| next.is_ascii_punctuation() || next == '\n'),
        '*' => !(is_space(before) && is_space(next)),
        '_' => !(is_word(before) && is_word(next)),
        '~' => before == Some('~') || next == Some('~'),
        '!' => next == Some('['),
        '<' => next.is_some_and(|next| next.is_ascii_alphanumeric()),
        '&' => {
            let is_name = |char: &char| char.is_ascii_alphanumeric() || *char == '#';
            let name = behind.chars().take_while(is_name).count();
            name > 0 && behind[name..].starts_with(';')
        }
        _ => false,
    }
}

/// Appends a line of a paragraph, whose inline markup is written, so that its start is no start of a block.
pub fn push_line(out: &mut String, line: &str) {
    let rest = line.trim_start_matches(|char: char| char.is_ascii_digit());
    let digits = line.len() - rest.len();
    let ends = |text: &str| text.is_empty() || text.starts_with([' ', '\t']);
    let is_row = |marker: char| {
        line.chars().all(|char| char == marker || char == ' ') && line.contains(marker)
    };
    let hashes = line.len() - line.trim_start_matches('#').len();
    let escape_at = match line.chars().next() {
        Some('#') if hashes <= 6 && ends(&line[hashes..]) => Some(0),
        Some('>') => Some(0),
        Some('-' | '+' | '*') if ends(&line[1..]) => Some(0),
        Some('-' | '=') if is_row('-') || is_row('=') => Some(0),
        Some('0'..='9') if digits <= 9 && rest.starts_with(['.', ')']) && ends(&rest[1..]) => {
            Some(digits)
        }
        _ => None,
    };
    let (start, end) = line.split_at(escape_at.unwrap_or(0));
    out.push_str(start);
    if escape_at.is_some() {
        out.push('\\');
    }
    out.push_str(end);
}

/// A link's destination as it stands between `(` and `)`.
pub fn destination(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for char in url.chars() {
        match char {
            '(' => out.push_str("%28"),
            ')' => out.push_str("%29"),
            '<' => out.push_str("%3C"),
            '>' => out.push_str("%3E"),
            '\\' => out.push_str("%5C"),
            '"' => out.push_str("%22"),
            '`' => out.push_str("%60"),
            '&' => out.push_str("&amp;"),
            char if char.is_whitespace() => out.push_str("%20"),
            char => out.push(char),
        }
    }
    out
}

/// A run of backticks, longer than any in the code.
pub fn fence(code: &str, least: usize) -> String {
    let longest = code.split(|char| char != '`').map(str::len).max().unwrap_or(0);
    "`".repeat((longest + 1).max(least))
}

/// Appends inline code.
pub fn push_code(out: &mut String, code: &str) {
    let code: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
    if code.is_empty() {
        return;
    }
    let fence = fence(&code, 1);
    let space = if code.starts_with('`') || code.ends_with('`') { " " } else { "" };
    for part in [&*fence, space, &code, space, &fence] {
        out.push_str(part);
    }
}
