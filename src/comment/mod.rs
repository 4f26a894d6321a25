//! A comment, and its one encoding: the JSON line that is log record, WebSocket message and history item alike.
//!
//! Pure: no clock, no thread, no file. `seq` and the time are given by whoever knows them.

pub mod draft;
pub mod markup;
pub mod proof_of_work;
pub mod rejection;
pub mod server_message;

use std::fmt;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The author's public pseudonym: the first 16 bytes of SHA-256(`"sayso author\0"` + key).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Author([u8; 16]);

impl Author {
    /// The pseudonym that belongs to a secret key.
    pub fn from_key(key: &str) -> Author {
        let digest =
            Sha256::new().chain_update(b"sayso author\0").chain_update(key.as_bytes()).finalize();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Author(first)
    }

    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Author> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Author(bytes.try_into().ok()?))
    }
}

/// Base64url without padding (RFC 4648 §5), 22 characters.
impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Who may see a comment; absent in the line means [`Status::Public`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everyone.
    #[default]
    Public,
    /// Its author and moderators; it never was public.
    Pending,
    /// Moderators; it was public and is taken away for now.
    Hidden,
}

impl Status {
    fn mark(self) -> Option<&'static str> {
        match self {
            Status::Public => None,
            Status::Pending => Some("pending"),
            Status::Hidden => Some("hidden"),
        }
    }
}

/// One comment as a line of the log says it. Unknown fields are passed over, so that a later sayso's file can be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Comment {
    /// Position of this line in the log.
    pub seq: u64,
    /// The `seq` of the comment's first line.
    #[serde(default)]
    pub id: u64,
    /// What is commented on.
    #[serde(default)]
    pub page: String,
    /// The comment that this one answers.
    #[serde(default)]
    pub parent: Option<u64>,
    /// Display name; absent: anonymous.
    #[serde(default)]
    pub name: Option<String>,
    /// Public pseudonym, see [`Author`].
    #[serde(default)]
    pub author: Option<String>,
    /// What was written; empty once deleted.
    #[serde(default)]
    pub content: String,
    /// Safe HTML of `content`, where that is more than plain text.
    #[serde(default)]
    pub html: Option<String>,
    /// RFC 3339, UTC, milliseconds.
    #[serde(default)]
    pub created_at: String,
    /// Likewise, of the last edit.
    #[serde(default)]
    pub edited_at: Option<String>,
    /// Content, html, name and author are gone.
    #[serde(default)]
    pub deleted: bool,
    /// The client's own mark for this post.
    #[serde(default)]
    pub nonce: Option<String>,
    /// Who may see it.
    #[serde(default)]
    pub status: Status,
    /// Anything but a comment names what it is, and has neither page nor text.
    #[serde(default)]
    pub kind: Option<String>,
    /// Of a heart: given, not taken.
    #[serde(default)]
    pub on: bool,
}

impl Comment {
    /// Reads one line, or one item of a history.
    ///
    /// # Errors
    /// Where the bytes are not JSON with the fields that every line has.
    pub fn parse(line: &[u8]) -> Result<Comment, serde_json::Error> {
        serde_json::from_slice(line)
    }

    /// Whether the comment counts, and is shown, for everyone.
    pub fn is_visible(&self) -> bool {
        !self.deleted && self.status == Status::Public && self.kind.is_none()
    }

    /// Takes away what a deletion must take away.
    pub fn make_tombstone(&mut self) {
        self.deleted = true;
        self.name = None;
        self.author = None;
        self.content.clear();
        self.html = None;
        self.edited_at = None;
    }

    /// Appends the comment's line to `out`, as it is sent: from `{` to `}`, without checksum and line feed.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let body = Body {
            page: &self.page,
            parent: self.parent,
            name: self.name.as_deref(),
            author: self.author.as_deref(),
            content: &self.content,
            html: self.html.as_deref(),
        };
        let mut encoded = Vec::with_capacity(self.content.len() + 128);
        body.encode(&mut encoded);
        LineParts {
            seq: self.seq,
            id: self.id,
            body: &encoded,
            created_at: &self.created_at,
            edited_at: self.edited_at.as_deref(),
            deleted: self.deleted,
            nonce: self.nonce.as_deref(),
            status: self.status,
        }
        .encode(out);
    }
}

/// The part of a line that its writer decides: the expensive one, encoded by the thread that reads the draft.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    /// See [`Comment::page`].
    pub page: &'a str,
    /// See [`Comment::parent`].
    pub parent: Option<u64>,
    /// See [`Comment::name`].
    pub name: Option<&'a str>,
    /// See [`Comment::author`].
    pub author: Option<&'a str>,
    /// Left out where empty, as in a tombstone.
    pub content: &'a str,
    /// See [`Comment::html`].
    pub html: Option<&'a str>,
}

impl Body<'_> {
    /// Appends `,"page":…` up to and with `html`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        text(out, ",\"page\":", Some(self.page));
        if let Some(parent) = self.parent {
            out.extend_from_slice(b",\"parent\":");
            number(out, parent);
        }
        text(out, ",\"name\":", self.name);
        text(out, ",\"author\":", self.author);
        text(out, ",\"content\":", Some(self.content).filter(|content| !content.is_empty()));
        text(out, ",\"html\":", self.html);
    }
}

/// The part of a line that the hub decides, around the body.
#[derive(Debug, Clone, Copy)]
pub struct LineParts<'a> {
    /// See [`Comment::seq`].
    pub seq: u64,
    /// See [`Comment::id`].
    pub id: u64,
    /// What [`Body::encode`] wrote.
    pub body: &'a [u8],
    /// See [`Comment::created_at`].
    pub created_at: &'a str,
    /// See [`Comment::edited_at`].
    pub edited_at: Option<&'a str>,
    /// See [`Comment::deleted`].
    pub deleted: bool,
    /// See [`Comment::nonce`].
    pub nonce: Option<&'a str>,
    /// See [`Comment::status`].
    pub status: Status,
}

impl LineParts<'_> {
    /// Appends the whole line, without checksum and line feed.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"seq\":");
        number(out, self.seq);
        out.extend_from_slice(b",\"id\":");
        number(out, self.id);
        out.extend_from_slice(self.body);
        text(out, ",\"created_at\":", Some(self.created_at));
        text(out, ",\"edited_at\":", self.edited_at);
        if self.deleted {
            out.extend_from_slice(b",\"deleted\":true");
        }
        text(out, ",\"nonce\":", self.nonce);
        text(out, ",\"status\":", self.status.mark());
        out.push(b'}');
    }
}

fn number(out: &mut Vec<u8>, n: u64) {
    serde_json::to_writer(out, &n).expect("a vector takes every number");
}

fn text(out: &mut Vec<u8>, field: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    out.extend_from_slice(field.as_bytes());
    serde_json::to_writer(out, value).expect("a vector takes every string");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Comment {
        Comment {
            seq: 3,
            id: 1,
            page: "/".into(),
            parent: None,
            name: Some("Ada".into()),
            author: Some(Author::from_key("0123456789abcdef").to_string()),
            content: "First *indeed* \"so\"\n".into(),
            html: Some("<p>First <em>indeed</em></p>".into()),
            created_at: "2026-11-22T05:08:00.001Z".into(),
            edited_at: Some("2026-11-22T05:09:00.001Z".into()),
            nonce: Some("4f1c4f1c4f1c4f1c".into()),
            ..Comment::default()
        }
    }

    #[test]
    fn a_line_reads_back_as_the_comment_it_was() {
        for status in [Status::Public, Status::Pending, Status::Hidden] {
            let comment = Comment { status, parent: Some(9), ..sample() };
            let mut line = Vec::new();
            comment.encode(&mut line);
            assert_eq!(Comment::parse(&line).unwrap(), comment);
        }
    }

    #[test]
    fn fields_stand_in_the_documented_order_and_absent_ones_are_left_out() {
        let mut line = Vec::new();
        Comment { author: None, ..sample() }.encode(&mut line);
        assert_eq!(
            String::from_utf8(line).unwrap(),
            r#"{"seq":3,"id":1,"page":"/","name":"Ada","content":"First *indeed* \"so\"\n","html":"<p>First <em>indeed</em></p>","created_at":"2026-11-22T05:08:00.001Z","edited_at":"2026-11-22T05:09:00.001Z","nonce":"4f1c4f1c4f1c4f1c"}"#
        );
    }

    #[test]
    fn a_tombstone_keeps_id_page_parent_time_nonce_and_status_only() {
        let mut comment = Comment { seq: 4, parent: Some(1), status: Status::Pending, ..sample() };
        comment.make_tombstone();
        let mut line = Vec::new();
        comment.encode(&mut line);
        assert_eq!(
            String::from_utf8(line).unwrap(),
            r#"{"seq":4,"id":1,"page":"/","parent":1,"created_at":"2026-11-22T05:08:00.001Z","deleted":true,"nonce":"4f1c4f1c4f1c4f1c","status":"pending"}"#
        );
    }

    #[test]
    fn a_pseudonym_is_22_characters_and_the_same_for_the_same_key() {
        let author = Author::from_key("0123456789abcdef").to_string();
        assert_eq!(author.len(), 22);
        assert_eq!(author, Author::from_key("0123456789abcdef").to_string());
        assert_ne!(author, Author::from_key("0123456789abcdeg").to_string());
    }
}
