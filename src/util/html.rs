//! HTML escaping, for the served page and for rendered comments.
//!
//! Pure. Every attribute that sayso writes is in double quotes, so a single quote needs no escape.

use std::fmt;

/// Displays a text as HTML text that can end neither an element nor a double-quoted attribute.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                _ => "&quot;",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_four_special_characters_are_escaped() {
        let escaped = Escaped("<a href=\"x\">'é' & b</a>").to_string();
        assert_eq!(escaped, "&lt;a href=&quot;x&quot;&gt;'é' &amp; b&lt;/a&gt;");
        assert_eq!(Escaped("").to_string(), "");
    }
}
