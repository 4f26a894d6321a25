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
/// Digits of the largest number of a run.
const NUMBER_DIGITS_MAX: usize = 20;
/// Bytes that the field has at most.
pub const FIELD_BYTES_MAX: usize = FIELD.len() + NUMBER_DIGITS_MAX + 1 + DIGITS + 1;

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
}

/// Returns a line that lacks its closing `}` without the field, if the line ends with it. Whether its number is one that a run can have,
/// [`Trailer::chain`](super::trailer::Trailer::chain) tells.
///
/// No text of a comment is taken for the field: in a text, quotes are escaped, and the byte before the field's first quote is a comma and no
/// backslash. So that quote begins a name, and what ends a line is a field of the line itself.
pub fn without_hash(line: &[u8]) -> &[u8] {
    let split = || {
        let text = line.strip_suffix(b"\"")?;
        let dot = text.len().checked_sub(1 + DIGITS)?;
        let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text[dot] != b'.' || !text[dot + 1..].iter().all(is_hex) {
            return None;
        }
        let from = text[..dot].iter().rposition(|byte| !byte.is_ascii_digit())? + 1;
        let is_number = (1..=NUMBER_DIGITS_MAX).contains(&(dot - from));
        text[..from].strip_suffix(FIELD).filter(|_| is_number)
    };
    split().unwrap_or(line)
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
            assert_eq!(without_hash(&text), text, "{}", text.escape_ascii());
            let with = [&text[..], field.as_bytes()].concat();
            assert_eq!(without_hash(&with), text);
        }
        for wrong in [
            r#"{"a":"","h":".00000000000000ab""#,
            r#"{"a":"","h":"-3.00000000000000ab""#,
            r#"{"a":"","h":"3.00000000000000aB""#,
            r#"{"a":"","h":"3.0000000000000ab""#,
            r#"{"a":"","h":"3.00000000000000ab"#,
            r#"{"a":"","h":"123456789012345678901.00000000000000ab""#,
            r#"{"a":"","g":"3.00000000000000ab""#,
        ] {
            assert_eq!(without_hash(wrong.as_bytes()), wrong.as_bytes());
        }
    }
}
