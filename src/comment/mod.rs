//! A comment and its encoding: the same JSON line is the record in the log, the WebSocket message and the item of a history.
//!
//! Pure: knows no clock, thread or file. The caller provides `seq` and the time.

pub mod block_list;
pub mod did;
pub mod draft;
pub mod folding;
pub mod hold_reason;
pub mod markup;
pub mod proof_of_work;
pub mod rejection;
pub mod server_message;
pub mod shown_text;
pub mod signed_user;

use std::fmt;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde::de::Error as _;
use sha2::{Digest, Sha256};

use crate::util::json::{self, Slot};

/// An author's public pseudonym: the first 16 bytes of SHA-256(`"sayso author\0"` + key).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Author([u8; 16]);

impl Author {
    /// The pseudonym that belongs to a secret key.
    pub fn from_key(key: &str) -> Author {
        let digest =
            Sha256::new().chain_update(b"sayso author\0").chain_update(key.as_bytes()).finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Author(bytes)
    }

    /// The pseudonym that these bytes are.
    pub fn from_bytes(bytes: [u8; 16]) -> Author {
        Author(bytes)
    }

    /// Parses what `Display` writes; `None` if it is anything else.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// Everyone.
    #[default]
    Public,
    /// Its author and moderators; it has never been public.
    Pending,
    /// Moderators; it was public and a moderator has hidden it.
    Hidden,
}

impl Status {
    fn json_value(self) -> Option<&'static str> {
        match self {
            Status::Public => None,
            Status::Pending => Some("pending"),
            Status::Hidden => Some("hidden"),
        }
    }
}

/// One line of the log: a comment, or another record with a `kind`. Unknown fields are ignored, so that the files of later versions can
/// be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comment {
    /// The sequence number of this line.
    pub seq: u64,
    /// The `seq` of the comment's first line.
    pub id: u64,
    /// The page that the comment belongs to.
    pub page: String,
    /// The id of the comment that this one replies to.
    pub parent: Option<u64>,
    /// The display name; `None` if anonymous.
    pub name: Option<String>,
    /// The author's pseudonym, see [`Author`].
    pub author: Option<String>,
    /// The text as it was written; empty if the comment is deleted.
    pub content: String,
    /// The safe HTML of `content`; `None` if the text has no markup.
    pub html: Option<String>,
    /// When the comment was posted: RFC 3339, UTC, with milliseconds.
    pub created_at: String,
    /// When it was last edited, or deleted, in the same format.
    pub edited_at: Option<String>,
    /// Whether the comment is deleted: then content, html, name and author are removed.
    pub deleted: bool,
    /// The random text by which the client identifies this post.
    pub nonce: Option<String>,
    /// Who may see the comment.
    pub status: Status,
    /// The type of a record that is no comment, such as a like; such a record has neither page nor text.
    pub kind: Option<String>,
    /// Of a like: whether it is given (`true`) or withdrawn.
    pub on: bool,
    /// Whether it stands before the other comments of its page.
    pub pinned: bool,
    /// The moderator who wrote it in the site's name.
    pub moderator: Option<String>,
    /// Whether a moderator has changed what somebody else wrote.
    pub mod_edited: bool,
    /// Whether the host page vouches for its author.
    pub verified: bool,
    /// The comment system that it was imported from.
    pub imported: Option<String>,
}

impl Comment {
    /// Parses one line of the log or one item of a history.
    ///
    /// # Errors
    /// Fails if the bytes are not JSON with the fields that every line has.
    pub fn parse(line: &[u8]) -> Result<Comment, serde_json::Error> {
        let (mut read, mut status) = (Comment::default(), "public".to_owned());
        let mut fields = [
            ("seq", Slot::Number(&mut read.seq)),
            ("id", Slot::Number(&mut read.id)),
            ("page", Slot::Text(&mut read.page)),
            ("parent", Slot::OptionalNumber(&mut read.parent)),
            ("name", Slot::OptionalText(&mut read.name)),
            ("author", Slot::OptionalText(&mut read.author)),
            ("content", Slot::Text(&mut read.content)),
            ("html", Slot::OptionalText(&mut read.html)),
            ("created_at", Slot::Text(&mut read.created_at)),
            ("edited_at", Slot::OptionalText(&mut read.edited_at)),
            ("deleted", Slot::Flag(&mut read.deleted)),
            ("nonce", Slot::OptionalText(&mut read.nonce)),
            ("kind", Slot::OptionalText(&mut read.kind)),
            ("on", Slot::Flag(&mut read.on)),
            ("pinned", Slot::Flag(&mut read.pinned)),
            ("mod", Slot::OptionalText(&mut read.moderator)),
            ("mod_edited", Slot::Flag(&mut read.mod_edited)),
            ("verified", Slot::Flag(&mut read.verified)),
            ("imported", Slot::OptionalText(&mut read.imported)),
            ("status", Slot::Text(&mut status)),
        ];
        json::read(line, 1, &mut fields)?;
        read.status = match &*status {
            "public" => Status::Public,
            "pending" => Status::Pending,
            "hidden" => Status::Hidden,
            other => {
                let known = &["public", "pending", "hidden"];
                return Err(serde_json::Error::unknown_variant(other, known));
            }
        };
        Ok(read)
    }

    /// Whether everyone may see the comment. Only such comments are counted.
    pub fn is_visible(&self) -> bool {
        !self.deleted && self.status == Status::Public && self.kind.is_none()
    }

    /// Marks the comment as deleted and removes everything that its author wrote. Where it was imported from stays: its place among the
    /// others goes by that.
    pub fn make_tombstone(&mut self) {
        self.deleted = true;
        self.name = None;
        self.author = None;
        self.content.clear();
        self.html = None;
        self.edited_at = None;
        self.pinned = false;
        self.moderator = None;
        self.mod_edited = false;
        self.verified = false;
    }

    fn marks(&self) -> Marks<'_> {
        Marks {
            pinned: self.pinned,
            moderator: self.moderator.as_deref(),
            mod_edited: self.mod_edited,
            verified: self.verified,
            imported: self.imported.as_deref(),
        }
    }

    /// Appends the comment's line as clients receive it: from `{` to `}`, without checksum and line feed.
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
            marks: self.marks(),
        }
        .encode(out);
    }
}

/// The part of a line that its author provides. It is the larger part; the thread that reads the draft encodes it.
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
    /// See [`Comment::content`]; left out if empty, as in a tombstone.
    pub content: &'a str,
    /// See [`Comment::html`].
    pub html: Option<&'a str>,
}

impl Body<'_> {
    /// Appends the fields from `,"page":` to `html`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        append_text(out, ",\"page\":", Some(self.page));
        if let Some(parent) = self.parent {
            out.extend_from_slice(b",\"parent\":");
            append_number(out, parent);
        }
        append_text(out, ",\"name\":", self.name);
        append_text(out, ",\"author\":", self.author);
        append_text(out, ",\"content\":", Some(self.content).filter(|content| !content.is_empty()));
        append_text(out, ",\"html\":", self.html);
    }
}

/// The parts of a line that the hub adds before and after the body.
#[derive(Debug, Clone, Copy)]
pub struct LineParts<'a> {
    /// See [`Comment::seq`].
    pub seq: u64,
    /// See [`Comment::id`].
    pub id: u64,
    /// The fields that [`Body::encode`] wrote.
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
    /// What few comments have.
    pub marks: Marks<'a>,
}

/// The fields at the end of a line that few comments have.
#[derive(Debug, Clone, Copy, Default)]
pub struct Marks<'a> {
    /// See [`Comment::pinned`].
    pub pinned: bool,
    /// See [`Comment::moderator`].
    pub moderator: Option<&'a str>,
    /// See [`Comment::mod_edited`].
    pub mod_edited: bool,
    /// See [`Comment::verified`].
    pub verified: bool,
    /// See [`Comment::imported`].
    pub imported: Option<&'a str>,
}

impl Marks<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        append_flag(out, b",\"pinned\":true", self.pinned);
        append_text(out, ",\"mod\":", self.moderator);
        append_flag(out, b",\"mod_edited\":true", self.mod_edited);
        append_flag(out, b",\"verified\":true", self.verified);
        append_text(out, ",\"imported\":", self.imported);
    }
}

impl LineParts<'_> {
    /// Appends the whole line, without checksum and line feed.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"seq\":");
        append_number(out, self.seq);
        out.extend_from_slice(b",\"id\":");
        append_number(out, self.id);
        out.extend_from_slice(self.body);
        append_text(out, ",\"created_at\":", Some(self.created_at));
        append_text(out, ",\"edited_at\":", self.edited_at);
        append_flag(out, b",\"deleted\":true", self.deleted);
        append_text(out, ",\"nonce\":", self.nonce);
        append_text(out, ",\"status\":", self.status.json_value());
        self.marks.encode(out);
        out.push(b'}');
    }
}

fn append_number(out: &mut Vec<u8>, n: u64) {
    serde_json::to_writer(out, &n).expect("writing to a vector never fails");
}

fn append_flag(out: &mut Vec<u8>, field: &[u8], value: bool) {
    if value {
        out.extend_from_slice(field);
    }
}

/// Appends a field and its text as JSON, if there is one. `field` is what stands before the value.
pub fn append_text(out: &mut Vec<u8>, field: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    out.extend_from_slice(field.as_bytes());
    serde_json::to_writer(out, value).expect("writing to a vector never fails");
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

    fn marked() -> Comment {
        Comment {
            pinned: true,
            moderator: Some("ada".into()),
            mod_edited: true,
            verified: true,
            imported: Some("disqus".into()),
            ..sample()
        }
    }

    #[test]
    fn marks_stand_at_the_end_of_the_line() {
        let mut line = Vec::new();
        marked().encode(&mut line);
        let line = String::from_utf8(line).unwrap();
        let end =
            r#","pinned":true,"mod":"ada","mod_edited":true,"verified":true,"imported":"disqus"}"#;
        assert!(line.ends_with(end), "{line}");
    }

    #[test]
    fn a_comment_can_be_parsed_from_its_line() {
        for status in [Status::Public, Status::Pending, Status::Hidden] {
            let comment = Comment { status, parent: Some(9), ..marked() };
            let mut line = Vec::new();
            comment.encode(&mut line);
            assert_eq!(Comment::parse(&line).unwrap(), comment);
        }
    }

    #[test]
    fn fields_have_the_documented_order_and_absent_ones_are_left_out() {
        let mut line = Vec::new();
        Comment { author: None, ..sample() }.encode(&mut line);
        assert_eq!(
            String::from_utf8(line).unwrap(),
            r#"{"seq":3,"id":1,"page":"/","name":"Ada","content":"First *indeed* \"so\"\n","html":"<p>First <em>indeed</em></p>","created_at":"2026-11-22T05:08:00.001Z","edited_at":"2026-11-22T05:09:00.001Z","nonce":"4f1c4f1c4f1c4f1c"}"#
        );
    }

    #[test]
    fn a_tombstone_keeps_id_page_parent_time_nonce_status_and_where_it_is_from_only() {
        let mut comment = Comment { seq: 4, parent: Some(1), status: Status::Pending, ..marked() };
        comment.make_tombstone();
        let mut line = Vec::new();
        comment.encode(&mut line);
        assert_eq!(
            String::from_utf8(line).unwrap(),
            r#"{"seq":4,"id":1,"page":"/","parent":1,"created_at":"2026-11-22T05:08:00.001Z","deleted":true,"nonce":"4f1c4f1c4f1c4f1c","status":"pending","imported":"disqus"}"#
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
