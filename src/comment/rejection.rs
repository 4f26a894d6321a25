//! Why a request of a client is refused, with a message that states the value and the limit.
//!
//! Knows neither HTTP nor WebSocket. Both send the same message; only HTTP adds the status code (RFC 9110 §15, RFC 6585 §4).

mod message;

use crate::limits::Rate;
use crate::limits::{
    CONTENT_BYTES_MAX, KEY_BYTES_MAX, KEY_BYTES_MIN, NAME_CHARS_MAX, NONCE_BYTES_MAX,
    NONCE_BYTES_MIN, PAGE_BYTES_MAX,
};
use crate::util::error_body::{ErrorBody, Values};

/// The longest nonce that an error repeats, in bytes. It is longer than a valid one, so that the error about its length repeats it too.
const ECHO_BYTES_MAX: usize = 4 * NONCE_BYTES_MAX;

/// Why a request is refused. A refused request has changed nothing. The name of a variant, in snake case, is its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// Not a valid message; the text tells what is wrong.
    Malformed(String),
    /// A parameter with an invalid value.
    BadParameter {
        /// The name of the parameter.
        name: &'static str,
        /// Its value, shortened.
        value: String,
        /// A description of the values that are allowed.
        allowed: &'static str,
    },
    /// The text is missing or only white space.
    ContentEmpty,
    /// The text is too long: its bytes after trimming.
    ContentTooLong(usize),
    /// A control character other than a line feed or a tab in the text.
    ControlCharacter {
        /// The name of the field.
        field: &'static str,
        /// The control character.
        character: char,
        /// Its position in bytes.
        at: usize,
    },
    /// The name is too long: its characters after trimming.
    NameTooLong(usize),
    /// The name has only characters that show nothing.
    NameInvisible,
    /// A moderator's text is too long.
    TextTooLong {
        /// The name of the field.
        field: &'static str,
        /// Its characters after trimming.
        characters: usize,
        /// How many it may have.
        max: usize,
    },
    /// The page is empty or too long: its bytes.
    PageLength(usize),
    /// The page has none of the prefixes of `--page-prefix`.
    PageNotAllowed(String),
    /// A message over a WebSocket names this page, shortened, which is another than the socket's.
    OtherPage(String),
    /// As many pages as `--max-pages` allows have comments, or so many that deleted ones are counted too (`true`).
    TooManyPages(u32, bool),
    /// The key is too short or too long: its bytes.
    KeyLength(usize),
    /// The nonce is too short or too long: its bytes.
    NonceLength(usize),
    /// The nonce is one of those that imported comments have.
    NonceReserved,
    /// The parent does not exist on this page or is deleted.
    UnknownParent(u64),
    /// The comment does not exist.
    UnknownComment(u64),
    /// The comment belongs to another author.
    NotAuthor(u64),
    /// The comment was written without a key, so it is nobody's to change.
    WrittenWithoutKey(u64),
    /// Only a moderator may do this, and there is no token.
    NotModerator,
    /// Only a moderator may do this, and the token is wrong.
    WrongToken,
    /// The comment is on another page than the WebSocket.
    NotOnPage(u64),
    /// The comment is not public, so it can't be pinned.
    NotYetPublic(u64),
    /// The comment is hidden, so it can't be liked.
    Hidden(u64),
    /// A like, a flag, or a request for one's own comments without a key.
    KeyMissing,
    /// A host page's user that sayso can't read; the text tells why.
    UserMalformed(String),
    /// A host page's user with another signature than the secret makes.
    UserForged,
    /// A host page's user that was signed until then, and what time it is.
    UserExpired(String, String),
    /// A host page's user that is signed until then, and until when it may be at most.
    UserTooFarAhead(String, String),
    /// A host page's user that is signed for this site, and comes from that one; empty if the request names none.
    UserOfOtherSite(String, String),
    /// A host page's user where there is no secret to check it with.
    NoSignOn,
    /// The largest number of likes is reached, of what the text names.
    LikesFull(usize, &'static str),
    /// The nonce belongs to a comment that this client may not see.
    NonceTaken,
    /// The author or the address is banned until then.
    Banned(String),
    /// The page is closed to new comments.
    PageLocked(String),
    /// The largest number of flags is reached, of what the text names.
    FlagsFull(usize, &'static str),
    /// The page has the largest number of pinned comments.
    PinsFull(usize),
    /// There are as many bans, or pages that were closed or opened, as there may be.
    ModerationFull(usize, &'static str),
    /// A page can't be moved to one whose comments are on it: the two.
    CantMove(String, String),
    /// A page has moved already: its name, and where its comments are now.
    MovedAlready(String, String),
    /// The comment has a newer line than the one that the moderator has seen: its id, and that line.
    ChangedMeanwhile(u64, String),
    /// Nothing is known of where the comment came from, so that can't be banned.
    AddressUnknown(u64),
    /// The comment has no author who could be banned.
    NobodyToBan(u64),
    /// There is no such ban.
    UnknownBan(String),
    /// The comment was not rejected, so it can't be made to wait again.
    NotRejected(u64),
    /// The client's cursor, this `seq`, is beyond what the log shares with what the client has received.
    StaleCursor(u64),
    /// The comment is deleted, so it can't be edited.
    Deleted(u64),
    /// The rate limit of the address or the author is exceeded.
    TooFast {
        /// Seconds until the next is allowed.
        wait: u32,
        /// The rate that is allowed.
        rate: Rate,
        /// What is counted, such as comments.
        what: &'static str,
    },
    /// The same text was posted on the same page within this many seconds.
    Duplicate(u64),
    /// The invisible field of the form is filled in.
    HoneypotFilled,
    /// The form was sent too soon after it was shown; seconds to wait.
    SubmittedTooSoon(u32),
    /// The proof of work with this many bits is missing or wrong.
    ProofMissing(u8),
    /// More messages other than posts than are allowed in a second.
    TooManyFrames(u32),
    /// The disk is full; there may be room again later.
    StorageFull,
    /// The machine can't use the Redis that keeps the order of several machines' comments. Why is no business of whoever posts.
    StreamUnavailable,
    /// The disk failed; only a restart helps.
    StorageFailed,
    /// sayso is being stopped.
    Stopping,
}

impl Rejection {
    /// The address has made too many writes that changed nothing.
    pub fn too_many_refused(wait: u32, rate: Rate) -> Rejection {
        Rejection::TooFast { wait, rate, what: "refused or repeated messages" }
    }

    /// The HTTP status code.
    pub fn status(&self) -> u16 {
        match self {
            Rejection::WrongToken => 401,
            Rejection::NotAuthor(_)
            | Rejection::WrittenWithoutKey(_)
            | Rejection::NotModerator
            | Rejection::PageNotAllowed(_)
            | Rejection::Banned(_)
            | Rejection::PageLocked(_)
            | Rejection::UserForged
            | Rejection::UserExpired(..)
            | Rejection::UserOfOtherSite(..)
            | Rejection::ProofMissing(_) => 403,
            Rejection::UnknownComment(_) | Rejection::NotOnPage(_) | Rejection::UnknownBan(_) => {
                404
            }
            Rejection::Deleted(_)
            | Rejection::Hidden(_)
            | Rejection::LikesFull(..)
            | Rejection::FlagsFull(..)
            | Rejection::PinsFull(_)
            | Rejection::ModerationFull(..)
            | Rejection::CantMove(..)
            | Rejection::MovedAlready(..)
            | Rejection::ChangedMeanwhile(..)
            | Rejection::AddressUnknown(_)
            | Rejection::NobodyToBan(_)
            | Rejection::NotRejected(_)
            | Rejection::NonceTaken
            | Rejection::Duplicate(_)
            | Rejection::NotYetPublic(_)
            | Rejection::StaleCursor(_) => 409,
            Rejection::ContentTooLong(_) => 413,
            Rejection::TooFast { .. }
            | Rejection::SubmittedTooSoon(_)
            | Rejection::TooManyFrames(_) => 429,
            Rejection::StorageFull
            | Rejection::StreamUnavailable
            | Rejection::StorageFailed
            | Rejection::Stopping
            | Rejection::TooManyPages(..) => 503,
            _ => 400,
        }
    }

    /// After how many seconds the same may succeed, if waiting helps.
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Rejection::TooFast { wait, .. } | Rejection::SubmittedTooSoon(wait) => Some(*wait),
            Rejection::TooManyFrames(_) => Some(1),
            Rejection::StorageFull | Rejection::StreamUnavailable | Rejection::Stopping => Some(5),
            _ => None,
        }
    }

    /// Names the kind of error, for programs and translations.
    pub fn code(&self) -> &'static str {
        match self {
            Rejection::Malformed(_) => "malformed",
            Rejection::BadParameter { .. } => "bad_parameter",
            Rejection::ContentEmpty => "content_empty",
            Rejection::ContentTooLong(_) => "content_too_long",
            Rejection::ControlCharacter { .. } => "control_character",
            Rejection::NameTooLong(_) => "name_too_long",
            Rejection::NameInvisible => "name_invisible",
            Rejection::TextTooLong { .. } => "text_too_long",
            Rejection::PageLength(_) => "page_length",
            Rejection::PageNotAllowed(_) => "page_not_allowed",
            Rejection::OtherPage(_) => "other_page",
            Rejection::TooManyPages(..) => "too_many_pages",
            Rejection::KeyLength(_) => "key_length",
            Rejection::NonceLength(_) => "nonce_length",
            Rejection::NonceReserved => "nonce_reserved",
            Rejection::UnknownParent(_) => "unknown_parent",
            Rejection::UnknownComment(_) => "unknown_comment",
            Rejection::NotAuthor(_) => "not_author",
            Rejection::WrittenWithoutKey(_) => "written_without_key",
            Rejection::NotModerator => "not_moderator",
            Rejection::WrongToken => "wrong_token",
            Rejection::NotOnPage(_) => "not_on_page",
            Rejection::NotYetPublic(_) => "not_yet_public",
            Rejection::Hidden(_) => "hidden",
            Rejection::KeyMissing => "key_missing",
            Rejection::UserMalformed(_) => "user_malformed",
            Rejection::UserForged => "user_forged",
            Rejection::UserExpired(..) => "user_expired",
            Rejection::UserTooFarAhead(..) => "user_too_far_ahead",
            Rejection::UserOfOtherSite(..) => "user_of_other_site",
            Rejection::NoSignOn => "no_sign_on",
            Rejection::LikesFull(..) => "likes_full",
            Rejection::NonceTaken => "nonce_taken",
            Rejection::Banned(_) => "banned",
            Rejection::PageLocked(_) => "page_locked",
            Rejection::FlagsFull(..) => "flags_full",
            Rejection::PinsFull(_) => "pins_full",
            Rejection::ModerationFull(..) => "moderation_full",
            Rejection::CantMove(..) => "cant_move",
            Rejection::MovedAlready(..) => "moved_already",
            Rejection::ChangedMeanwhile(..) => "changed_meanwhile",
            Rejection::AddressUnknown(_) => "address_unknown",
            Rejection::NobodyToBan(_) => "nobody_to_ban",
            Rejection::UnknownBan(_) => "unknown_ban",
            Rejection::NotRejected(_) => "not_rejected",
            Rejection::StaleCursor(_) => "stale_cursor",
            Rejection::Deleted(_) => "deleted",
            Rejection::TooFast { .. } => "too_fast",
            Rejection::Duplicate(_) => "duplicate",
            Rejection::HoneypotFilled => "honeypot_filled",
            Rejection::SubmittedTooSoon(_) => "submitted_too_soon",
            Rejection::ProofMissing(_) => "proof_missing",
            Rejection::TooManyFrames(_) => "too_many_frames",
            Rejection::StorageFull => "storage_full",
            Rejection::StreamUnavailable => "stream_unavailable",
            Rejection::StorageFailed => "storage_failed",
            Rejection::Stopping => "stopping",
        }
    }

    /// What the message states, by name.
    pub fn values(&self) -> Values {
        let none = Values::default();
        match self {
            Rejection::BadParameter { name, value, allowed } => {
                none.with("parameter", *name).with("value", &**value).with("allowed", *allowed)
            }
            Rejection::ContentTooLong(bytes) => {
                none.with("bytes", *bytes).with("max", CONTENT_BYTES_MAX)
            }
            Rejection::ControlCharacter { field, character, at } => none
                .with("field", *field)
                .with("character", &*unicode_name(*character))
                .with("at", *at),
            Rejection::NameTooLong(characters) => {
                none.with("characters", *characters).with("max", NAME_CHARS_MAX)
            }
            Rejection::TextTooLong { field, characters, max } => {
                none.with("field", *field).with("characters", *characters).with("max", *max)
            }
            Rejection::PageLength(bytes) => {
                none.with("bytes", *bytes).with("min", 1_u32).with("max", PAGE_BYTES_MAX)
            }
            Rejection::KeyLength(bytes) => {
                none.with("bytes", *bytes).with("min", KEY_BYTES_MIN).with("max", KEY_BYTES_MAX)
            }
            Rejection::NonceLength(bytes) => {
                none.with("bytes", *bytes).with("min", NONCE_BYTES_MIN).with("max", NONCE_BYTES_MAX)
            }
            Rejection::PageNotAllowed(page)
            | Rejection::OtherPage(page)
            | Rejection::PageLocked(page) => none.with("page", &**page),
            Rejection::Banned(until) => none.with("until", &**until),
            Rejection::CantMove(page, to) | Rejection::MovedAlready(page, to) => {
                none.with("page", &**page).with("to", &**to)
            }
            Rejection::UserExpired(until, now) => none.with("until", &**until).with("now", &**now),
            Rejection::UserTooFarAhead(until, max) => {
                none.with("until", &**until).with("max", &**max)
            }
            Rejection::UserOfOtherSite(site, origin) => {
                none.with("site", &**site).with("origin", &**origin)
            }
            Rejection::UnknownBan(key) => none.with("value", &**key),
            Rejection::PinsFull(max) => none.with("max", *max),
            Rejection::TooManyPages(max, _) | Rejection::TooManyFrames(max) => {
                none.with("max", *max)
            }
            Rejection::UnknownParent(id)
            | Rejection::UnknownComment(id)
            | Rejection::NotAuthor(id)
            | Rejection::WrittenWithoutKey(id)
            | Rejection::NotOnPage(id)
            | Rejection::NotYetPublic(id)
            | Rejection::Hidden(id)
            | Rejection::ChangedMeanwhile(id, _)
            | Rejection::AddressUnknown(id)
            | Rejection::NobodyToBan(id)
            | Rejection::NotRejected(id)
            | Rejection::Deleted(id) => none.with("comment", *id),
            Rejection::StaleCursor(since) => none.with("since", *since),
            Rejection::LikesFull(max, what)
            | Rejection::FlagsFull(max, what)
            | Rejection::ModerationFull(max, what) => none.with("max", *max).with("of", *what),
            Rejection::TooFast { rate, what, .. } => {
                none.with("what", *what).with("max", rate.posts).with("seconds", rate.seconds)
            }
            Rejection::Duplicate(seconds) => none.with("seconds", *seconds),
            Rejection::ProofMissing(bits) => none.with("bits", u32::from(*bits)),
            Rejection::Malformed(_)
            | Rejection::ContentEmpty
            | Rejection::NameInvisible
            | Rejection::NotModerator
            | Rejection::WrongToken
            | Rejection::KeyMissing
            | Rejection::UserMalformed(_)
            | Rejection::UserForged
            | Rejection::NoSignOn
            | Rejection::NonceTaken
            | Rejection::NonceReserved
            | Rejection::HoneypotFilled
            | Rejection::SubmittedTooSoon(_)
            | Rejection::StorageFull
            | Rejection::StreamUnavailable
            | Rejection::StorageFailed
            | Rejection::Stopping => none,
        }
    }

    /// Encodes the error as HTTP and WebSocket send it. `nonce` is the client's own; it is left out if it is far too long.
    pub fn to_json(&self, nonce: Option<&str>) -> String {
        let nonce = nonce.filter(|nonce| nonce.len() <= ECHO_BYTES_MAX);
        let (error, values) = (&*self.to_string(), &self.values());
        let retry_after = self.retry_after();
        let mut json = ErrorBody { error, code: self.code(), values, retry_after, nonce }.to_json();
        if let Rejection::ChangedMeanwhile(_, line) = self {
            json.pop();
            json.push_str(",\"line\":");
            json.push_str(line);
            json.push('}');
        }
        json
    }
}

impl std::error::Error for Rejection {}

/// A character as the Unicode Standard writes it, such as `U+000B`.
fn unicode_name(character: char) -> String {
    format!("U+{:04X}", character as u32)
}
