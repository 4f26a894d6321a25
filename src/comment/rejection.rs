//! What a client did wrong, as a sentence with the value and the limit.
//!
//! Knows neither HTTP nor WebSocket: both say the same sentence; the status code beside it is the one place where a
//! kind of mistake gets a number (RFC 9110 §15, RFC 6585 §4).

use std::fmt;

use crate::cli::values::Rate;
use crate::comment::server_message::ServerMessage;
use crate::limits::{
    CONTENT_BYTES_MAX, KEY_BYTES_MAX, KEY_BYTES_MIN, NAME_CHARS_MAX, NONCE_BYTES_MAX,
    NONCE_BYTES_MIN, PAGE_BYTES_MAX,
};

/// Of a nonce that is echoed, at most: somewhat longer than it may be, so that its error too is told apart.
const ECHO_BYTES_MAX: usize = 4 * NONCE_BYTES_MAX;

/// Why something a client asked for is not done. Nothing has changed when one of these is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reject {
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
    NeverPublic(u64),
    /// The comment is taken away for now, so it can't be liked.
    Hidden(u64),
    /// A heart is somebody's.
    KeyMissing,
    /// So many hearts there may be, of what the text names.
    LikesFull(usize, &'static str),
    /// The nonce is that of a comment which this client may not see.
    NonceTaken,
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
    SaidBefore(u64),
    /// The form's field that only programs fill in is filled in.
    Trapped,
    /// A form sent so soon that nobody can have written in it; seconds to wait.
    TooQuick(u32),
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

impl Reject {
    /// The HTTP status that goes with the sentence.
    pub fn status(&self) -> u16 {
        match self {
            Reject::NotAuthor(_)
            | Reject::NotModerator
            | Reject::PageNotAllowed(_)
            | Reject::ProofMissing(_) => 403,
            Reject::UnknownComment(_) | Reject::NotOnPage(_) => 404,
            Reject::Deleted(_)
            | Reject::Hidden(_)
            | Reject::LikesFull(..)
            | Reject::NonceTaken
            | Reject::SaidBefore(_)
            | Reject::NeverPublic(_) => 409,
            Reject::ContentTooLong(_) => 413,
            Reject::TooFast { .. } | Reject::TooQuick(_) | Reject::TooManyFrames(_) => 429,
            Reject::StorageFull
            | Reject::StorageFailed
            | Reject::Stopping
            | Reject::TooManyPages(_) => 503,
            _ => 400,
        }
    }

    /// Seconds after which the same may succeed, where waiting helps.
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Reject::TooFast { wait, .. } | Reject::TooQuick(wait) => Some(*wait),
            Reject::TooManyFrames(_) => Some(1),
            Reject::StorageFull | Reject::Stopping => Some(5),
            _ => None,
        }
    }

    /// The error as the JSON object that both wires send; `nonce` is the client's own, if it gave one that is not far too long.
    pub fn to_json(&self, nonce: Option<&str>) -> String {
        let nonce = nonce.filter(|nonce| nonce.len() <= ECHO_BYTES_MAX);
        let (error, retry_after) = (&*self.to_string(), self.retry_after());
        ServerMessage::Error { error, retry_after, nonce }.to_json()
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reject::Malformed(why) => write!(f, "this is not a message sayso understands: {why}"),
            Reject::BadParameter { name, value, allowed } => {
                write!(f, "{name} is {value:?}, but must be {allowed}")
            }
            Reject::ContentEmpty => write!(f, "content is empty, at least 1 byte is needed"),
            Reject::ContentTooLong(n) => {
                write!(f, "content is {n} bytes, at most {CONTENT_BYTES_MAX} are allowed")
            }
            Reject::ControlCharacter { field, character, at } => write!(
                f,
                "{field} has the control character U+{:04X} at byte {at}, only line breaks and tabs in content are allowed",
                *character as u32
            ),
            Reject::NameTooLong(n) => {
                write!(f, "name is {n} characters, at most {NAME_CHARS_MAX} are allowed")
            }
            Reject::PageLength(n) => {
                write!(f, "page is {n} bytes, 1 to {PAGE_BYTES_MAX} are allowed")
            }
            Reject::PageNotAllowed(page) => write!(f, "page {page:?} may not be commented on here"),
            Reject::TooManyPages(n) => {
                write!(f, "there are {n} pages with comments, no more are allowed")
            }
            Reject::KeyLength(n) => {
                write!(f, "key is {n} bytes, {KEY_BYTES_MIN} to {KEY_BYTES_MAX} are allowed")
            }
            Reject::NonceLength(n) => {
                write!(f, "nonce is {n} bytes, {NONCE_BYTES_MIN} to {NONCE_BYTES_MAX} are allowed")
            }
            Reject::KeyMissing => write!(f, "key is missing, a like needs one"),
            Reject::Hidden(id) => write!(f, "comment {id} is taken away for now"),
            Reject::LikesFull(max, what) => {
                write!(f, "{what} already has {max} likes, no more are allowed")
            }
            Reject::UnknownParent(id) => {
                write!(f, "there is no comment {id} on this page to answer")
            }
            Reject::UnknownComment(id) => write!(f, "there is no comment {id}"),
            Reject::NotAuthor(id) => write!(f, "comment {id} was written with another key"),
            Reject::NotModerator => write!(f, "this needs the moderator's token"),
            Reject::NotOnPage(id) => write!(f, "there is no comment {id} on this page"),
            Reject::NeverPublic(id) => {
                write!(f, "comment {id} was never public; delete it, or make it public")
            }
            Reject::NonceTaken => {
                write!(f, "the nonce belongs to another comment, a new comment needs a new one")
            }
            Reject::Deleted(id) => write!(f, "comment {id} is deleted"),
            Reject::TooFast { wait, rate: Rate { posts, seconds }, what } => {
                write!(
                    f,
                    "at most {posts} {what} in {seconds} s are allowed, try again in {wait} s"
                )
            }
            Reject::SaidBefore(seconds) => {
                write!(
                    f,
                    "you have said exactly this here within the last {seconds} s, once is enough"
                )
            }
            Reject::Trapped => write!(f, "website is filled in, and must stay empty"),
            Reject::TooQuick(wait) => {
                write!(f, "that was quicker than anybody writes, try again in {wait} s")
            }
            Reject::ProofMissing(bits) => write!(
                f,
                "proof is missing or wrong, a proof of work of {bits} bits is asked for; the page makes one where it has JavaScript"
            ),
            Reject::TooManyFrames(n) => write!(f, "more than {n} messages in a second, slow down"),
            Reject::StorageFull => write!(f, "storage is full, try again"),
            Reject::StorageFailed => {
                write!(f, "storage has failed, comments can't be saved until sayso is restarted")
            }
            Reject::Stopping => write!(f, "sayso is stopping, try again"),
        }
    }
}

impl std::error::Error for Reject {}
