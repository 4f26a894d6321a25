//! The hash that binds a line to all lines before it, for logs that several machines keep alike.
//!
//! ```text
//! {"seq":7, … ,"h":"3.0123456789abcdef","more":1,"crc":"5d0c1a7e"}\n
//! ```
//!
//! Two logs whose lines with the same `seq` have the same hash are the same up to there, whatever compaction has taken out of them. A log of
//! one machine alone has no hashes. Stands in the file only, before `more`. Knows no files.

use std::fmt;

use sha2::{Digest, Sha256};

/// What stands before the hash in the file.
pub const FIELD: &[u8] = b",\"h\":\"";
/// Hex digits of the hash.
const DIGITS: usize = 16;
/// Bytes that the field has at most: a number has at most 20 digits.
pub const FIELD_BYTES_MAX: usize = FIELD.len() + 20 + 1 + DIGITS + 1;

/// See the [module](self). The first line follows from `ChainHash::default()`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainHash {
    /// Number of the run in which the line was first appended to the stream; 0 for lines from before there was one.
    pub run: u64,
    /// The first 8 bytes of SHA-256 over the hash before as it is written, a line feed, the run's number in decimal, a line feed, and the line
    /// from `{` to `}`.
    pub hash: u64,
}

impl ChainHash {
    /// Returns the hash of `line`, given from `{` to `}`, that is first appended in the run with this number, behind the line with this hash.
    pub fn next(self, run: u64, line: &[u8]) -> ChainHash {
        self.next_in_parts(run, &[line])
    }

    /// The same for a line without its closing `}`.
    pub fn next_open(self, run: u64, open: &[u8]) -> ChainHash {
        self.next_in_parts(run, &[open, b"}"])
    }

    fn next_in_parts(self, run: u64, parts: &[&[u8]]) -> ChainHash {
        let mut hasher = Sha256::new_with_prefix(format!("{self}\n{run}\n"));
        for part in parts {
            hasher.update(part);
        }
        let digest = hasher.finalize();
        let first = digest.first_chunk().expect("SHA-256 has 32 bytes");
        ChainHash { run, hash: u64::from_be_bytes(*first) }
    }

    /// Parses what is written: `N.HASH`, as `Display` writes it and in no other form.
    pub fn parse(text: &[u8]) -> Option<ChainHash> {
        let (run, hash) = text.split_at(text.len().checked_sub(1 + DIGITS)?);
        let is_one_form = !matches!(run, [b'0', _, ..])
            && run.iter().all(u8::is_ascii_digit)
            && hash[1..].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let (run, hash) = (str::from_utf8(run).ok()?, str::from_utf8(hash).ok()?);
        let hash = u64::from_str_radix(hash.strip_prefix('.').filter(|_| is_one_form)?, 16).ok()?;
        Some(ChainHash { run: run.parse().ok()?, hash })
    }

    /// Splits the field off the end of a line that lacks its closing `}`. Returns the line without it, and the hash.
    ///
    /// No text of a comment is taken for the field: in a text, quotes are escaped, and the byte before the field's first quote is a comma and
    /// no backslash. So that quote begins a name, and what ends a line is a field of the line itself.
    pub fn split_off(line: &[u8]) -> Option<(&[u8], ChainHash)> {
        let text = line.strip_suffix(b"\"")?;
        // Most lines without the field end here.
        if *text.get(text.len().checked_sub(1 + DIGITS)?)? != b'.' {
            return None;
        }
        let from = text.iter().rposition(|byte| *byte == b'"')? + 1;
        let before = text[..from].strip_suffix(FIELD)?;
        Some((before, ChainHash::parse(&text[from..])?))
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:016x}", self.run, self.hash)
    }
}

/// A line and its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainedLine {
    /// Position in the log.
    pub seq: u64,
    /// Its hash.
    pub chain: ChainHash,
    /// The line from `{` to `}`.
    pub line: Box<[u8]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_depends_on_everything_before_it() {
        let first = ChainHash::default().next(0, b"{\"seq\":1}");
        let second = first.next(3, b"{\"seq\":2}");
        assert_eq!(first.to_string().len(), 2 + DIGITS);
        assert_ne!(second, first.next(4, b"{\"seq\":2}"));
        assert_ne!(second.hash, first.next(4, b"{\"seq\":2}").hash);
        assert_ne!(second, first.next(3, b"{\"seq\":3}"));
        assert_ne!(second, ChainHash::default().next(3, b"{\"seq\":2}"));
        assert_eq!(second, first.next_open(3, b"{\"seq\":2"));
    }

    #[test]
    fn only_what_is_written_is_parsed() {
        let hash = ChainHash { run: u64::MAX, hash: 0xab };
        assert_eq!(ChainHash::parse(hash.to_string().as_bytes()), Some(hash));
        assert_eq!(hash.to_string().len() + FIELD.len() + 1, FIELD_BYTES_MAX);
        for wrong in [
            "",
            "3",
            "3.",
            ".ab",
            "3.ab",
            "+3.00000000000000ab",
            "03.00000000000000ab",
            "00.00000000000000ab",
            "3.+0000000000000ab",
            "3:00000000000000ab",
            "18446744073709551616.00000000000000ab",
            "3.00000000000000AB",
        ] {
            assert_eq!(ChainHash::parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert!(ChainHash::parse(b"0.00000000000000ab").is_some());
    }

    #[test]
    fn no_text_of_a_comment_is_taken_for_the_field() {
        let field = r#","h":"3.00000000000000ab""#;
        let line = |text: &str| {
            let text = serde_json::to_string(text).unwrap();
            format!(r#"{{"seq":1,"content":{text}"#).into_bytes()
        };
        // The text's own last quote, or the one that ends the text, stands where that of the field would.
        let without_last_quote = field.strip_suffix('"').unwrap();
        let texts = [field, without_last_quote, "3.00000000000000ab", ".00000000000000ab", ""];
        for text in texts.map(line) {
            assert_eq!(ChainHash::split_off(&text), None, "{}", text.escape_ascii());
            let with = [&text[..], field.as_bytes()].concat();
            let hash = ChainHash { run: 3, hash: 0xab };
            assert_eq!(ChainHash::split_off(&with), Some((&text[..], hash)));
        }
    }
}
