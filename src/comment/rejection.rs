//! What a client did wrong, as a sentence with the value and the limit.
//!
//! Knows neither HTTP nor WebSocket: both say the same sentence; the status code beside it is the one place where a
//! kind of mistake gets a number (RFC 9110 §15, RFC 6585 §4).

use std::fmt;

use crate::comment::server_message::ServerMessage;
use crate::limits::Rate;
use crate::limits::{
    CONTENT_BYTES_MAX, KEY_BYTES_MAX, KEY_BYTES_MIN, NAME_CHARS_MAX, NONCE_BYTES_MAX,
    NONCE_BYTES_MIN, PAGE_BYTES_MAX,
};

/// Of a nonce that is echoed, at most: somewhat longer than it may be, so that its error too is told apart.
const ECHO_BYTES_MAX: usize = 4 * NONCE_BYTES_MAX;

/// Why something a client asked for is not done. Nothing has changed when one of these is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// Not the JSON that is expected here; the text says where it stops making sense.
    Malformed(String),
    /// A parameter of an address that can't be read, with what it may be.
    BadParameter {
        /// The parameter's.
        name: &'static str,
        /// As given, shortened.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// Nothing but white space.
    ContentEmpty,
    /// Bytes of UTF-8 after trimming.
    ContentTooLong(usize),
    /// A control character other than line feed and tab in content.
    ControlCharacter {
        /// The field's name.
        field: &'static str,
        /// Which.
        character: char,
        /// Bytes before it.
        at: usize,
    },
    /// Characters after trimming.
    NameTooLong(usize),
    /// Bytes; 0 is as wrong as too many.
    PageLength(usize),
    /// The page starts with none of `--page-prefix`.
    PageNotAllowed(String),
    /// `--max-pages` pages have comments already.
    TooManyPages(u32),
    /// Bytes.
    KeyLength(usize),
    /// Bytes.
    NonceLength(usize),
    /// No such comment on this page to answer, or it is deleted.
    UnknownParent(u64),
    /// No such comment.
    UnknownComment(u64),
    /// Somebody else's comment, or one without an author.
    NotAuthor(u64),
    /// A moderator's action without `--admin-token-file` or with a wrong token.
    NotModerator,
    /// The comment is on another page than the socket.
    NotOnPage(u64),
    /// The comment waits for a moderator, so it can't be taken away.
    NotYetPublic(u64),
    /// The comment is taken away for now, so it can't be liked.
    Hidden(u64),
    /// A heart is somebody's.
    KeyMissing,
    /// So many hearts there may be, of what the text names.
    LikesFull(usize, &'static str),
    /// The nonce is that of a comment which this client may not see.
    NonceTaken,
    /// The log has gone back since this `seq` was received, or the client comes from another log.
    StaleCursor(u64),
    /// The comment is deleted, so it can't be edited.
    Deleted(u64),
    /// The bucket of the address or the author is empty.
    TooFast {
        /// Seconds until there is room for one.
        wait: u32,
        /// What is allowed.
        rate: Rate,
        /// Comments, or what else.
        what: &'static str,
    },
    /// The same on the same page, within so many seconds.
    Duplicate(u64),
    /// The form's field that only programs fill in is filled in.
    HoneypotFilled,
    /// A form sent so soon that nobody can have written in it; seconds to wait.
    SubmittedTooSoon(u32),
    /// The proof of work of so many bits.
    ProofMissing(u8),
    /// Non-post frames beyond the limit a second.
    TooManyFrames(u32),
    /// The disk has no room; it may have again.
    StorageFull,
    /// The disk failed; only a restart helps.
    StorageFailed,
    /// sayso is being stopped.
    Stopping,
}

impl Rejection {
    /// The HTTP status that goes with the sentence.
    pub fn status(&self) -> u16 {
        match self {
            Rejection::NotAuthor(_)
            | Rejection::NotModerator
            | Rejection::PageNotAllowed(_)
            | Rejection::ProofMissing(_) => 403,
            Rejection::UnknownComment(_) | Rejection::NotOnPage(_) => 404,
            Rejection::Deleted(_)
            | Rejection::Hidden(_)
            | Rejection::LikesFull(..)
            | Rejection::NonceTaken
            | Rejection::Duplicate(_)
            | Rejection::NotYetPublic(_)
            | Rejection::StaleCursor(_) => 409,
            Rejection::ContentTooLong(_) => 413,
            Rejection::TooFast { .. }
            | Rejection::SubmittedTooSoon(_)
            | Rejection::TooManyFrames(_) => 429,
            Rejection::StorageFull
            | Rejection::StorageFailed
            | Rejection::Stopping
            | Rejection::TooManyPages(_) => 503,
            _ => 400,
        }
    }

    /// Seconds after which the same may succeed, where waiting helps.
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Rejection::TooFast { wait, .. } | Rejection::SubmittedTooSoon(wait) => Some(*wait),
            Rejection::TooManyFrames(_) => Some(1),
            Rejection::StorageFull | Rejection::Stopping => Some(5),
            _ => None,
        }
    }

    /// The kind of error, for programs that do something about it.
    pub fn code(&self) -> Option<&'static str> {
        matches!(self, Rejection::StaleCursor(_)).then_some("stale_cursor")
    }

    /// The error as the JSON object that both wires send; `nonce` is the client's own, if it gave one that is not far too long.
    pub fn to_json(&self, nonce: Option<&str>) -> String {
        let nonce = nonce.filter(|nonce| nonce.len() <= ECHO_BYTES_MAX);
        let (error, retry_after) = (&*self.to_string(), self.retry_after());
        ServerMessage::Error { error, code: self.code(), retry_after, nonce }.to_json()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejection::Malformed(why) => {
                write!(f, "this is not a message sayso understands: {why}")
            }
            Rejection::BadParameter { name, value, allowed } => {
                write!(f, "{name} is {value:?}, but must be {allowed}")
            }
            Rejection::ContentEmpty => write!(f, "content is empty, at least 1 byte is needed"),
            Rejection::ContentTooLong(n) => {
                write!(f, "content is {n} bytes, at most {CONTENT_BYTES_MAX} are allowed")
            }
            Rejection::ControlCharacter { field, character, at } => write!(
                f,
                "{field} has the control character U+{:04X} at byte {at}, only line breaks and tabs in content are allowed",
                *character as u32
            ),
            Rejection::NameTooLong(n) => {
                write!(f, "name is {n} characters, at most {NAME_CHARS_MAX} are allowed")
            }
            Rejection::PageLength(n) => {
                write!(f, "page is {n} bytes, 1 to {PAGE_BYTES_MAX} are allowed")
            }
            Rejection::PageNotAllowed(page) => {
                write!(f, "page {page:?} may not be commented on here")
            }
            Rejection::TooManyPages(n) => {
                write!(f, "there are {n} pages with comments, no more are allowed")
            }
            Rejection::KeyLength(n) => {
                write!(f, "key is {n} bytes, {KEY_BYTES_MIN} to {KEY_BYTES_MAX} are allowed")
            }
            Rejection::NonceLength(n) => {
                write!(f, "nonce is {n} bytes, {NONCE_BYTES_MIN} to {NONCE_BYTES_MAX} are allowed")
            }
            Rejection::KeyMissing => write!(f, "key is missing, a like needs one"),
            Rejection::Hidden(id) => write!(f, "comment {id} is taken away for now"),
            Rejection::LikesFull(max, what) => {
                write!(f, "{what} already has {max} likes, no more are allowed")
            }
            Rejection::UnknownParent(id) => {
                write!(f, "there is no comment {id} on this page to answer")
            }
            Rejection::UnknownComment(id) => write!(f, "there is no comment {id}"),
            Rejection::NotAuthor(id) => write!(f, "comment {id} was written with another key"),
            Rejection::NotModerator => write!(f, "this needs the moderator's token"),
            Rejection::NotOnPage(id) => write!(f, "there is no comment {id} on this page"),
            Rejection::NotYetPublic(id) => {
                write!(f, "comment {id} was never public; delete it, or make it public")
            }
            Rejection::NonceTaken => {
                write!(f, "the nonce belongs to another comment, a new comment needs a new one")
            }
            Rejection::StaleCursor(since) => {
                write!(f, "seq {since} is not of this log as it is now; load the comments anew")
            }
            Rejection::Deleted(id) => write!(f, "comment {id} is deleted"),
            Rejection::TooFast { wait, rate: Rate { posts, seconds }, what } => {
                write!(
                    f,
                    "at most {posts} {what} in {seconds} s are allowed, try again in {wait} s"
                )
            }
            Rejection::Duplicate(seconds) => {
                write!(
                    f,
                    "you have said exactly this here within the last {seconds} s, once is enough"
                )
            }
            Rejection::HoneypotFilled => write!(f, "website is filled in, and must stay empty"),
            Rejection::SubmittedTooSoon(wait) => {
                write!(f, "that was quicker than anybody writes, try again in {wait} s")
            }
            Rejection::ProofMissing(bits) => write!(
                f,
                "proof is missing or wrong, a proof of work of {bits} bits is asked for; the page makes one where it has JavaScript"
            ),
            Rejection::TooManyFrames(n) => {
                write!(f, "more than {n} messages in a second, slow down")
            }
            Rejection::StorageFull => write!(f, "storage is full, try again"),
            Rejection::StorageFailed => {
                write!(f, "storage has failed, comments can't be saved until sayso is restarted")
            }
            Rejection::Stopping => write!(f, "sayso is stopping, try again"),
        }
    }
}

impl std::error::Error for Rejection {}
