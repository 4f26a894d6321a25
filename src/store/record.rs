//! Parses the fields of a line that opening a log needs: no text of comments, and nothing copied unless JSON has escapes.
//!
//! A line as sayso writes it is parsed straight through, field by field in their order. Any other line is parsed by serde_json,
//! which decides what is valid. Pure; the checksum was verified before.

use std::{borrow::Cow, time::UNIX_EPOCH};

use crate::{
    comment::{Comment, Status},
    limits::SEQ_MAX,
    store::likes::KIND,
};

/// The fields of a line that the store needs. Lines of every kind have a `seq`; the other fields are those of [`Comment`].
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LineSummary<'a> {
    /// Position of the line in the log.
    pub seq: u64,
    /// `id` of the comment; 0 if absent.
    pub id: u64,
    /// The page; empty if absent.
    pub page: Cow<'a, str>,
    /// `id` of the comment that this one answers.
    pub parent: Option<u64>,
    /// Pseudonym of the author; empty if absent.
    pub author: Cow<'a, str>,
    /// The client's own mark for the post; empty if absent.
    pub nonce: Cow<'a, str>,
    /// Whether the comment was deleted.
    pub deleted: bool,
    /// Who may see the comment.
    pub status: Status,
    /// In a like's line: whether the like was given, not taken back.
    pub on: bool,
    /// Whether it stands before the other comments of its page.
    pub pinned: bool,
    /// Of an imported comment: when it was written, in ms since 1970. Others were written in the order of their ids.
    pub time: Option<u64>,
    /// Kind of the line; empty for a comment.
    pub kind: Cow<'a, str>,
}

/// When a comment was written, in ms since 1970, as its line says; `None` if that can't be read.
pub fn time_of(line: &[u8]) -> Option<u64> {
    let mut parser = FastParser(line);
    match parser.seq().and_then(|_| parser.start(&mut LineSummary::default())) {
        Some(created_at) => parse_time(str::from_utf8(created_at).ok()?),
        None => parse_time(&Comment::parse(line).ok()?.created_at),
    }
}

/// A time in RFC 3339 in ms since 1970; times before become 1970.
pub fn parse_time(time: &str) -> Option<u64> {
    let time = humantime::parse_rfc3339(time).ok()?;
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).ok()
}

impl From<Comment> for LineSummary<'_> {
    fn from(line: Comment) -> Self {
        let text = |field: Option<String>| Cow::Owned(field.unwrap_or_default());
        LineSummary {
            seq: line.seq,
            id: line.id,
            page: Cow::Owned(line.page),
            parent: line.parent,
            author: text(line.author),
            nonce: text(line.nonce),
            deleted: line.deleted,
            status: line.status,
            on: line.on,
            pinned: line.pinned,
            time: line.imported.and_then(|_| parse_time(&line.created_at)),
            kind: text(line.kind),
        }
    }
}

impl<'a> LineSummary<'a> {
    /// Parses a line as it is in the file, trailer included.
    ///
    /// # Errors
    /// A phrase that continues "line 7: ", if the line is not JSON or a field is missing or out of range.
    pub fn parse(line: &'a [u8]) -> Result<LineSummary<'a>, String> {
        let summary = match FastParser(line).parse() {
            Some(summary) => summary,
            None => {
                // The error may quote the line, and is printed on a terminal.
                let printable =
                    |error: serde_json::Error| error.to_string().replace(char::is_control, "?");
                Comment::parse(line)
                    .map_err(|error| format!("it is not a comment: {}", printable(error)))?
                    .into()
            }
        };
        summary.check()
    }

    fn check(self) -> Result<LineSummary<'a>, String> {
        if self.seq > SEQ_MAX {
            return Err(format!("its seq is {}, but at most {SEQ_MAX} is allowed", self.seq));
        }
        if !self.kind.is_empty() {
            return Ok(self);
        }
        let seq_delta = self.seq.checked_sub(self.id).filter(|delta| *delta <= u64::from(u32::MAX));
        if self.id == 0 || seq_delta.is_none() {
            return Err(format!("its id {} does not go with its seq {}", self.id, self.seq));
        }
        if self.page.is_empty() {
            return Err("it has no page".into());
        }
        Ok(self)
    }
}

/// What is left of a line. Every method removes what it is named after from the front, or returns `None` if the line is not as
/// [`LineParts::encode`](crate::comment::LineParts::encode) writes it.
struct FastParser<'a>(&'a [u8]);

impl<'a> FastParser<'a> {
    fn parse(mut self) -> Option<LineSummary<'a>> {
        let mut summary = LineSummary { seq: self.seq()?, ..LineSummary::default() };
        if self.has(b",\"kind\":\"like\",\"id\":") {
            return self.like(summary);
        }
        let created_at = self.start(&mut summary)?;
        if self.has(b",\"edited_at\":\"") {
            self.skip_text()?;
        }
        summary.deleted = self.has(b",\"deleted\":true");
        if self.has(b",\"nonce\":\"") {
            summary.nonce = self.text()?;
        }
        if self.has(b",\"status\":\"pending\"") {
            summary.status = Status::Pending;
        } else if self.has(b",\"status\":\"hidden\"") {
            summary.status = Status::Hidden;
        }
        summary.pinned = self.has(b",\"pinned\":true");
        if self.has(b",\"mod\":\"") {
            self.skip_text()?;
        }
        self.has(b",\"mod_edited\":true");
        self.has(b",\"verified\":true");
        if self.has(b",\"imported\":\"") {
            self.skip_text()?;
            summary.time = str::from_utf8(created_at).ok().and_then(parse_time);
        }
        self.end().then_some(summary)
    }

    fn seq(&mut self) -> Option<u64> {
        self.literal(b"{\"seq\":")?;
        self.number()
    }

    /// Parses a comment, behind its `seq`, up to its time, which comes as it stands there.
    #[inline(always)]
    fn start(&mut self, summary: &mut LineSummary<'a>) -> Option<&'a [u8]> {
        self.literal(b",\"id\":")?;
        summary.id = self.number()?;
        self.literal(b",\"page\":\"")?;
        summary.page = self.text()?;
        if self.has(b",\"parent\":") {
            summary.parent = Some(self.number()?);
        }
        if self.has(b",\"name\":\"") {
            self.skip_text()?;
        }
        if self.has(b",\"author\":\"") {
            summary.author = self.text()?;
        }
        if self.has(b",\"content\":\"") {
            self.skip_text()?;
        }
        if self.has(b",\"html\":\"") {
            self.skip_text()?;
        }
        self.literal(b",\"created_at\":\"")?;
        let created_at = self.0;
        self.skip_text()?;
        Some(&created_at[..created_at.len() - self.0.len() - 1])
    }

    /// Parses what [`encode`](crate::store::likes::encode) writes behind the kind.
    fn like(mut self, mut summary: LineSummary<'a>) -> Option<LineSummary<'a>> {
        summary.kind = Cow::Borrowed(KIND);
        summary.id = self.number()?;
        self.literal(b",\"author\":\"")?;
        summary.author = self.text()?;
        summary.on = self.has(b",\"on\":true");
        if !summary.on {
            self.literal(b",\"on\":false")?;
        }
        self.end().then_some(summary)
    }

    /// Whether only a trailer is left.
    fn end(mut self) -> bool {
        if self.has(b",\"h\":\"") && self.skip_text().is_none() {
            return false;
        }
        self.has(b",\"more\":1");
        self.has(b",\"crc\":\"") && self.skip_text().is_some() && self.0 == b"}"
    }

    fn has<const N: usize>(&mut self, literal: &[u8; N]) -> bool {
        self.literal(literal).is_some()
    }

    /// The length is known at compile time, so that the comparison is two instructions and no call.
    fn literal<const N: usize>(&mut self, literal: &[u8; N]) -> Option<()> {
        let (_, rest) = self.0.split_first_chunk().filter(|(first, _)| *first == literal)?;
        self.0 = rest;
        Some(())
    }

    /// Parses at most 19 digits: these always fit into 64 bits.
    fn number(&mut self) -> Option<u64> {
        let (mut number, mut len) = (0, 0);
        while len < 19
            && let Some(digit @ b'0'..=b'9') = self.0.get(len)
        {
            number = number * 10 + u64::from(digit - b'0');
            len += 1;
        }
        // JSON allows no leading zero.
        let is_number = len == 1 || (len > 1 && self.0[0] != b'0');
        self.0 = self.0.get(len..).filter(|_| is_number)?;
        Some(number)
    }

    /// Parses a string without escapes, behind its opening quote.
    fn text(&mut self) -> Option<Cow<'a, str>> {
        let mut len = 0;
        loop {
            match *self.0.get(len)? {
                b'"' => break,
                b'\\' | ..0x20 => return None,
                _ => len += 1,
            }
        }
        let text = str::from_utf8(&self.0[..len]).ok()?;
        self.0 = &self.0[len + 1..];
        Some(Cow::Borrowed(text))
    }

    /// Skips a string behind its opening quote. Whether it is valid UTF-8 is checked when the comment is sent.
    fn skip_text(&mut self) -> Option<()> {
        let mut len = 0;
        loop {
            match *self.0.get(len)? {
                b'"' => break,
                b'\\' => match self.0.get(len + 1)? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => len += 2,
                    _ => return None,
                },
                ..0x20 => return None,
                _ => len += 1,
            }
        }
        self.0 = &self.0[len + 1..];
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{comment::Author, store::likes::encode};

    fn parsed_by_serde(line: &[u8]) -> LineSummary<'_> {
        Comment::parse(line).unwrap().into()
    }

    /// Lines with every field, with only the required ones, and a tombstone; likes; each with and without `more` and `h`.
    fn lines() -> Vec<Vec<u8>> {
        let full = Comment {
            seq: 1_234_567,
            id: 12,
            page: "blog.example/\u{e9}t\u{e9}".into(),
            parent: Some(7),
            name: Some("Ada \"the\" \\ \u{1f389}".into()),
            author: Some(Author::from_key("0123456789abcdef").to_string()),
            content: "First *indeed* \"so\"\n\tand\\more".into(),
            html: Some("<p>First</p>".into()),
            created_at: "2026-11-22T05:08:00.001Z".into(),
            edited_at: Some("2026-11-22T05:09:00.001Z".into()),
            nonce: Some("4f1c4f1c4f1c4f1c".into()),
            status: Status::Hidden,
            ..Comment::default()
        };
        let minimal = Comment { seq: 1, id: 1, page: "/".into(), ..Comment::default() };
        let mut tombstone = Comment { status: Status::Pending, ..full.clone() };
        tombstone.make_tombstone();
        let marked = Comment {
            pinned: true,
            moderator: Some("ada".into()),
            mod_edited: true,
            verified: true,
            imported: Some("disqus".into()),
            created_at: "2016-11-22T05:08:00.001Z".into(),
            ..minimal.clone()
        };
        let lines = [full, minimal, tombstone, marked].map(|comment| {
            let mut line = Vec::new();
            comment.encode(&mut line);
            line.pop();
            line
        });
        let likes = [true, false].map(|on| {
            let mut line = encode(1_234_567, 12, Author::from_key("0123456789abcdef"), on);
            line.pop();
            line
        });
        let trailers = [
            r#","crc":"5d0c1a7e"}"#,
            r#","more":1,"crc":"5d0c1a7e"}"#,
            r#","h":"3.0123456789abcdef","more":1,"crc":"5d0c1a7e"}"#,
        ]
        .map(str::as_bytes);
        lines
            .iter()
            .chain(&likes)
            .flat_map(|line| trailers.map(|trailer| [line, trailer].concat()))
            .collect()
    }

    #[test]
    fn a_line_as_sayso_writes_it_needs_no_serde() {
        for line in lines() {
            let read = FastParser(&line).parse().expect("sayso writes it this way");
            assert_eq!(read, parsed_by_serde(&line));
        }
    }

    #[test]
    fn both_parsers_agree_on_every_changed_line() {
        let (mut equal, mut left_to_serde) = (0, 0);
        let mut check = |line: &[u8]| match FastParser(line).parse() {
            Some(read) => match Comment::parse(line) {
                Ok(comment) => {
                    assert_eq!(read, comment.into(), "{line:?}");
                    equal += 1;
                }
                Err(_) => assert!(str::from_utf8(line).is_err(), "{line:?}"),
            },
            None => left_to_serde += 1,
        };
        for line in lines() {
            for at in 0..line.len() {
                for byte in 0..=255 {
                    let mut changed = line.clone();
                    changed[at] = byte;
                    check(&changed);
                }
                check(&line[..at]);
                check(&[&line[..at], &line[at + 1..]].concat());
                check(&[&line[..at], b"\"", &line[at..]].concat());
                check(&[&line[..at], b"0", &line[at..]].concat());
            }
        }
        assert!(
            equal > 10_000 && left_to_serde > 10_000,
            "{equal} parsed, {left_to_serde} left to serde"
        );
    }

    #[test]
    fn other_orders_and_unknown_fields_are_accepted() {
        let line = br#"{"id":3, "seq":4,"new":[{}],"page":"a\"b","crc":"0"}"#;
        let summary = LineSummary::parse(line).unwrap();
        assert_eq!((summary.seq, summary.id, &*summary.page), (4, 3, "a\"b"));
        assert!(
            LineSummary::parse(br#"{"seq":4,"kind":"like"}"#).is_ok(),
            "other kinds have no page"
        );
        let quoted = LineSummary::parse(b"{\"seq\":1,\"status\":\"a\\n\\u001b[2Jb\"}").unwrap_err();
        assert!(quoted.contains("`a??[2Jb`"), "{quoted:?}");
        assert!(LineSummary::parse(br#"{"seq":4611686018427387904,"kind":"new"}"#).is_ok());
        let beyond =
            LineSummary::parse(br#"{"seq":4611686018427387905,"kind":"new"}"#).unwrap_err();
        assert!(beyond.contains("at most 4611686018427387904"), "{beyond}");
        for wrong in ["{\"seq\":4,\"id\":5,\"page\":\"/\"}", "{\"seq\":4,\"id\":4}", "{\"seq\":4"] {
            assert!(LineSummary::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
