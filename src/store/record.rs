//! What opening a log remembers of each line: no text, and nothing copied where JSON has no escapes.
//!
//! A line as sayso writes it is read straight through, field after field in their order; anything else is given to serde_json,
//! which has the last word on what JSON is. Pure; whether a checksum is right was asked before.

use std::borrow::Cow;

use crate::{
    comment::{Comment, Status},
    limits::SEQ_MAX,
    store::likes::KIND,
};

/// Lines of every kind have a `seq`; the rest is a comment's.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LineSummary<'a> {
    /// See [`Comment::seq`], and so on.
    pub seq: u64,
    /// 0 if absent.
    pub id: u64,
    /// Empty if absent.
    pub page: Cow<'a, str>,
    /// Empty if absent.
    pub author: Cow<'a, str>,
    /// Empty if absent.
    pub nonce: Cow<'a, str>,
    /// `false` if absent.
    pub deleted: bool,
    /// Public if absent.
    pub status: Status,
    /// Of a heart: given, not taken.
    pub on: bool,
    /// Empty if absent, as a comment's is.
    pub kind: Cow<'a, str>,
}

impl From<Comment> for LineSummary<'_> {
    fn from(line: Comment) -> Self {
        let text = |field: Option<String>| Cow::Owned(field.unwrap_or_default());
        LineSummary {
            seq: line.seq,
            id: line.id,
            page: Cow::Owned(line.page),
            author: text(line.author),
            nonce: text(line.nonce),
            deleted: line.deleted,
            status: line.status,
            on: line.on,
            kind: text(line.kind),
        }
    }
}

impl<'a> LineSummary<'a> {
    /// Reads a line of the file.
    ///
    /// # Errors
    /// A sentence, where it is none that sayso writes.
    pub fn parse(line: &'a [u8]) -> Result<LineSummary<'a>, String> {
        let record = match FastParser(line).record() {
            Some(record) => record,
            None => {
                // It may quote the line, and is printed.
                let said =
                    |error: serde_json::Error| error.to_string().replace(char::is_control, "?");
                Comment::parse(line)
                    .map_err(|error| format!("it is no comment: {}", said(error)))?
                    .into()
            }
        };
        record.check()
    }

    fn check(self) -> Result<LineSummary<'a>, String> {
        if self.seq > SEQ_MAX {
            return Err(format!("its seq is {}, at most {SEQ_MAX} is believed", self.seq));
        }
        if !self.kind.is_empty() {
            return Ok(self);
        }
        let lead = self.seq.checked_sub(self.id).filter(|lead| *lead <= u64::from(u32::MAX));
        if self.id == 0 || lead.is_none() {
            return Err(format!("its id is {}, its seq {}", self.id, self.seq));
        }
        if self.page.is_empty() {
            return Err("it has no page".into());
        }
        Ok(self)
    }
}

/// What is left of a line. Every method takes what it names off the front, or returns `None`: then the line is not as
/// [`LineParts::encode`](crate::comment::Line::encode) writes it.
struct FastParser<'a>(&'a [u8]);

impl<'a> FastParser<'a> {
    fn record(mut self) -> Option<LineSummary<'a>> {
        let mut record = LineSummary::default();
        self.literal(b"{\"seq\":")?;
        record.seq = self.number()?;
        if self.has(b",\"kind\":\"like\",\"id\":") {
            return self.like(record);
        }
        self.literal(b",\"id\":")?;
        record.id = self.number()?;
        self.literal(b",\"page\":\"")?;
        record.page = self.plain_text()?;
        if self.has(b",\"parent\":") {
            self.number()?;
        }
        if self.has(b",\"name\":\"") {
            self.any_text()?;
        }
        if self.has(b",\"author\":\"") {
            record.author = self.plain_text()?;
        }
        if self.has(b",\"content\":\"") {
            self.any_text()?;
        }
        if self.has(b",\"html\":\"") {
            self.any_text()?;
        }
        self.literal(b",\"created_at\":\"")?;
        self.any_text()?;
        if self.has(b",\"edited_at\":\"") {
            self.any_text()?;
        }
        record.deleted = self.has(b",\"deleted\":true");
        if self.has(b",\"nonce\":\"") {
            record.nonce = self.plain_text()?;
        }
        if self.has(b",\"status\":\"pending\"") {
            record.status = Status::Pending;
        } else if self.has(b",\"status\":\"hidden\"") {
            record.status = Status::Hidden;
        }
        self.end().then_some(record)
    }

    /// What [`encode`](crate::store::likes::encode) writes, behind the kind.
    fn like(mut self, mut record: LineSummary<'a>) -> Option<LineSummary<'a>> {
        record.kind = Cow::Borrowed(KIND);
        record.id = self.number()?;
        self.literal(b",\"author\":\"")?;
        record.author = self.plain_text()?;
        record.on = self.has(b",\"on\":true");
        if !record.on {
            self.literal(b",\"on\":false")?;
        }
        self.end().then_some(record)
    }

    fn end(mut self) -> bool {
        self.has(b",\"more\":1");
        self.has(b",\"crc\":\"") && self.any_text().is_some() && self.0 == b"}"
    }

    fn has<const N: usize>(&mut self, literal: &[u8; N]) -> bool {
        self.literal(literal).is_some()
    }

    /// Of a known length, so that comparing it is two instructions and no call.
    fn literal<const N: usize>(&mut self, literal: &[u8; N]) -> Option<()> {
        let (_, rest) = self.0.split_first_chunk().filter(|(first, _)| *first == literal)?;
        self.0 = rest;
        Some(())
    }

    /// Up to 19 digits, which always fit.
    fn number(&mut self) -> Option<u64> {
        let (mut number, mut len) = (0, 0);
        while len < 19
            && let Some(digit @ b'0'..=b'9') = self.0.get(len)
        {
            number = number * 10 + u64::from(digit - b'0');
            len += 1;
        }
        // JSON has no numbers with a leading zero.
        let is_number = len == 1 || (len > 1 && self.0[0] != b'0');
        self.0 = self.0.get(len..).filter(|_| is_number)?;
        Some(number)
    }

    /// A string without escapes, behind its opening quote.
    fn plain_text(&mut self) -> Option<Cow<'a, str>> {
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

    /// A string that nobody wants to know, behind its opening quote. Whether it is UTF-8 is seen when it is read.
    fn any_text(&mut self) -> Option<()> {
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

    fn slowly(line: &[u8]) -> LineSummary<'_> {
        Comment::parse(line).unwrap().into()
    }

    /// Lines with every field, with none that may be absent, and in between.
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
        let least = Comment { seq: 1, id: 1, page: "/".into(), ..Comment::default() };
        let mut tombstone = Comment { status: Status::Pending, ..full.clone() };
        tombstone.make_tombstone();
        let lines = [full, least, tombstone].map(|comment| {
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
        let ends = [&b",\"crc\":\"5d0c1a7e\"}"[..], b",\"more\":1,\"crc\":\"5d0c1a7e\"}"];
        lines.iter().chain(&likes).flat_map(|line| ends.map(|end| [line, end].concat())).collect()
    }

    #[test]
    fn a_line_as_it_is_written_needs_no_second_reader() {
        for line in lines() {
            let read = FastParser(&line).record().expect("it is as it is written");
            assert_eq!(read, slowly(&line));
        }
    }

    #[test]
    fn no_changed_line_is_read_in_two_ways() {
        let (mut same, mut left) = (0, 0);
        let mut check = |line: &[u8]| match FastParser(line).record() {
            Some(read) => match Comment::parse(line) {
                Ok(comment) => {
                    assert_eq!(read, comment.into(), "{line:?}");
                    same += 1;
                }
                Err(_) => assert!(str::from_utf8(line).is_err(), "{line:?}"),
            },
            None => left += 1,
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
        assert!(same > 10_000 && left > 10_000, "{same} read, {left} left to serde_json");
    }

    #[test]
    fn fields_in_another_order_and_unknown_ones_are_read_too() {
        let line = br#"{"id":3, "seq":4,"new":[{}],"page":"a\"b","crc":"0"}"#;
        let record = LineSummary::parse(line).unwrap();
        assert_eq!((record.seq, record.id, &*record.page), (4, 3, "a\"b"));
        assert!(
            LineSummary::parse(br#"{"seq":4,"kind":"like"}"#).is_ok(),
            "other kinds have no page"
        );
        let raw = LineSummary::parse(b"{\"seq\":1,\"status\":\"a\\n\\u001b[2Jb\"}").unwrap_err();
        assert!(raw.contains("`a??[2Jb`"), "{raw:?}");
        assert!(LineSummary::parse(br#"{"seq":4611686018427387904,"kind":"new"}"#).is_ok());
        let beyond =
            LineSummary::parse(br#"{"seq":4611686018427387905,"kind":"new"}"#).unwrap_err();
        assert!(beyond.contains("at most 4611686018427387904"), "{beyond}");
        for wrong in ["{\"seq\":4,\"id\":5,\"page\":\"/\"}", "{\"seq\":4,\"id\":4}", "{\"seq\":4"] {
            assert!(LineSummary::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
