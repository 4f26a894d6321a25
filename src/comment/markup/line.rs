//! One line: its indent in columns, and what the marks at its beginning mean alone (CommonMark 0.31, §2.2, §4 and §5.2).
//!
//! Knows nothing of the lines before it.

use super::steps;

/// White space within a line.
pub const SPACE: [char; 2] = [' ', '\t'];

/// What remains of a line.
pub struct Line<'a> {
    rest: &'a str,
    /// Where `rest` begins. Tabs go on to the next multiple of four.
    column: usize,
    /// Columns before `rest` of a tab that was only partly skipped.
    spare: usize,
}

impl<'a> Line<'a> {
    pub fn new(rest: &'a str) -> Line<'a> {
        Line { rest, column: 0, spare: 0 }
    }

    pub fn is_blank(&self) -> bool {
        self.rest.bytes().all(|byte| b" \t".contains(&byte))
    }

    pub fn trimmed(&self) -> &'a str {
        self.rest.trim_matches(SPACE)
    }

    /// Whether the line ends with a backslash and white space.
    pub fn is_spaced_backslash(&self) -> bool {
        self.rest.ends_with(SPACE) && self.rest.trim_end_matches(SPACE).ends_with('\\')
    }

    /// Columns of white space.
    pub fn indent(&self) -> usize {
        let mut column = self.column;
        for byte in self.rest.bytes() {
            match byte {
                b' ' => column += 1,
                b'\t' => column += 4 - column % 4,
                _ => break,
            }
        }
        steps::count(1 + column - self.column);
        self.spare + column - self.column
    }

    /// Removes columns, which must be white space or ASCII.
    pub fn skip(&mut self, columns: usize) {
        for _ in 0..columns {
            if self.spare > 0 {
                self.spare -= 1;
                continue;
            }
            let Some(&byte) = self.rest.as_bytes().first() else { return };
            steps::count(1);
            let width = if byte == b'\t' { 4 - self.column % 4 } else { 1 };
            self.rest = &self.rest[1..];
            self.column += width;
            self.spare = width - 1;
        }
    }

    /// Removes a `>` and the space after it, if there is one (§5.1).
    pub fn skip_quote(&mut self) -> bool {
        let indent = self.indent();
        let found = indent <= 3 && self.rest.trim_start_matches(SPACE).starts_with('>');
        if found {
            self.skip(indent + 1);
            self.skip(self.indent().min(1));
        }
        found
    }

    /// Appends what remains, with the rest of a tab as spaces.
    pub fn append_to(&self, text: &mut String) {
        for _ in 0..self.spare {
            text.push(' ');
        }
        text.push_str(self.rest);
    }

    /// Whether the line ends code that was fenced by `length` times `fence` (§4.5).
    pub fn is_closing_fence(&self, fence: u8, length: usize) -> bool {
        let mark = self.rest.trim_start_matches(SPACE).trim_end_matches(' ');
        self.indent() <= 3 && mark.len() >= length && mark.bytes().all(|byte| byte == fence)
    }
}

/// What begins an item of a list (§5.2).
pub struct Marker {
    pub width: usize,
    /// The character that all items of a list have in common.
    pub kind: u8,
    pub number: Option<u32>,
    /// Whether it can come right after a line of a paragraph.
    pub can_interrupt: bool,
}

impl Marker {
    pub fn of(rest: &str) -> Option<Marker> {
        let digits = rest.bytes().take(10).take_while(u8::is_ascii_digit).count();
        let kind = *rest.as_bytes().get(digits)?;
        let number = match kind {
            b'-' | b'+' | b'*' if digits == 0 => None,
            // Ten digits may be more than fits, in a browser too.
            b'.' | b')' if (1..10).contains(&digits) => Some(rest[..digits].parse().ok()?),
            _ => return None,
        };
        let width = digits + 1;
        let after = &rest[width..];
        let can_interrupt = !after.is_empty() && number.is_none_or(|number| number == 1);
        let is_marker = after.is_empty() || after.starts_with(SPACE);
        is_marker.then_some(Marker { width, kind, number, can_interrupt })
    }
}

/// The text of a heading that begins with `#` (§4.2).
pub fn heading(rest: &str) -> Option<&str> {
    let text = rest.trim_start_matches('#');
    let level = rest.len() - text.len();
    if !(1..=6).contains(&level) || !(text.is_empty() || text.starts_with(SPACE)) {
        return None;
    }
    let text = text.trim_start_matches(SPACE);
    let open = text.trim_end_matches('#');
    let is_closed = open.is_empty() || open.ends_with(' ');
    Some(if is_closed { open.trim_end_matches(SPACE) } else { text })
}

/// The character and the length of a fence that begins code (§4.5).
pub fn fence(rest: &str) -> Option<(u8, usize)> {
    let fence = *rest.as_bytes().first().filter(|byte| b"`~".contains(byte))?;
    let length = rest.bytes().take_while(|byte| *byte == fence).count();
    let is_fence = length >= 3 && (fence == b'~' || !rest[length..].contains('`'));
    is_fence.then_some((fence, length))
}

/// Whether the line makes a heading of the paragraph before it (§4.3).
pub fn is_underline(rest: &str) -> bool {
    rest.bytes().all(|byte| byte == b'=') || rest.bytes().all(|byte| byte == b'-')
}

/// Whether the line is a rule, in CommonMark a thematic break (§4.1).
pub fn is_rule(rest: &str) -> bool {
    let Some(&mark) = rest.as_bytes().first() else { return false };
    if !b"*-_".contains(&mark) {
        return false;
    }
    steps::count(rest.len());
    let count = rest.bytes().filter(|byte| *byte == mark).count();
    let spaces = rest.bytes().filter(|byte| b" \t".contains(byte)).count();
    count >= 3 && count + spaces == rest.len()
}
