//! Parses what clients send, checks its limits, and encodes new comments. The thread that reads the message does all this work, so
//! that the hub has little to do.
//!
//! Knows no socket and no state: the hub decides whether a parent exists and whether a key is the author's.

mod nonce;
mod text;

use std::sync::Arc;

use nonce::check_nonce;
pub use nonce::check_nonce_length;
pub use text::{PlainText, Text};

use crate::{
    comment::block_list::BlockList,
    comment::hold_reason::HoldReason,
    comment::rejection::Rejection,
    comment::shown_text::{count_addresses, is_blank, is_direction_override},
    comment::signed_user::SignedUser,
    comment::{Author, Body, Status},
    limits::{KEY_BYTES_MAX, KEY_BYTES_MIN, NAME_CHARS_MAX, PAGE_BYTES_MAX, REASON_CHARS_MAX},
    util::json::{self, Slot},
    util::text::{shorten, shorten_middle},
};

/// How much of the start and of the end of a parser's error message is repeated, in characters.
const ERROR_END_CHARS: usize = 80;
/// How much of a page's name is repeated, in characters.
const PAGE_ECHO_CHARS: usize = 80;
/// How much of a status that is none is repeated, in characters.
const STATUS_ECHO_CHARS: usize = 40;

/// A client's message: the JSON object of a WebSocket text frame or an HTTP body, or a form. It is parsed into this struct, never
/// into a `Value`, so that nested JSON takes no stack. Unknown fields are ignored.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ClientMessage {
    /// The page of a post over HTTP. A WebSocket has its page from the handshake, and takes no other.
    pub page: Option<String>,
    /// The text of a new or edited comment.
    pub content: Option<String>,
    /// The display name of the author.
    pub name: Option<String>,
    /// The id of the comment that this one replies to.
    pub parent: Option<u64>,
    /// The author's secret key.
    pub key: Option<String>,
    /// The host page's user, as the host page has signed it; counts instead of `key` and `name`.
    pub user: Option<String>,
    /// The same once `hub::sign_on` has checked it. No field of the object.
    pub signed: Option<SignedUser>,
    /// A random text that identifies this post; an error repeats it.
    pub nonce: Option<String>,
    /// The id of the comment to edit.
    pub edit: Option<u64>,
    /// The id of the comment to delete.
    pub delete: Option<u64>,
    /// The id of the comment to like.
    pub like: Option<u64>,
    /// `true` likes the comment, `false` withdraws the like.
    pub on: Option<bool>,
    /// The id of the comment that a moderator should look at.
    pub flag: Option<u64>,
    /// Whether the client is typing.
    pub typing: Option<bool>,
    /// The status that a moderator gives a comment: `public`, `hidden` or `pending`.
    pub status: Option<String>,
    /// Whether a moderator pins the comment.
    pub pinned: Option<bool>,
    /// One line that a moderator tells the author.
    pub reason: Option<String>,
    /// The `seq` of the line that a moderator decides about.
    pub seen: Option<u64>,
    /// A moderator's token, on their WebSocket.
    pub token: Option<String>,
    /// The proof of work of a post, see [`proof_of_work`](crate::comment::proof_of_work).
    pub proof: Option<String>,
}

/// A new comment that is valid, with its body encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The page that it belongs to.
    pub page: Box<str>,
    /// The id of the comment that it replies to.
    pub parent: Option<u64>,
    /// The author, if the client sent a key.
    pub author: Option<Author>,
    /// The nonce that identifies this post.
    pub nonce: Option<Box<str>>,
    /// The encoded part of the line, by [`Body::encode`].
    pub body: Vec<u8>,
    /// How many links and addresses the text and the name have.
    pub links: usize,
    /// Why the comment must wait, as far as its text and name tell without the hub's rules.
    pub held_for: Option<HoldReason>,
    /// The length of the text in bytes.
    pub length: usize,
    /// The moderator who writes it in the site's name.
    pub moderator: Option<Arc<str>>,
    /// Whether the host page vouches for its author.
    pub verified: bool,
}

/// A new comment whose fields are checked. Its text is not rendered yet: that takes up to milliseconds, so everything that may refuse the
/// comment for less comes before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post<'m> {
    page: &'m str,
    parent: Option<u64>,
    /// The author, if the client sent a key.
    pub author: Option<Author>,
    nonce: Option<&'m str>,
    name: Option<String>,
    verified: bool,
    text: PlainText,
}

/// What a WebSocket message requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action<'m> {
    /// Posts a comment.
    Post(Post<'m>),
    /// Replaces the text of a comment.
    Edit(u64, PlainText, Option<Author>),
    /// Deletes a comment.
    Delete(u64, Option<Author>),
    /// Changes who may see a comment.
    Status(u64, Status, Option<Author>),
    /// Likes a comment (`true`) or withdraws the like.
    Like(u64, bool, Author),
    /// Tells that a moderator should look at a comment.
    Flag(u64, Author),
    /// Tells whose WebSocket this is.
    Identify(Author),
    /// Somebody is typing. Under which name that is told is not theirs to say.
    Typing,
    /// Somebody has stopped typing, which needs no action.
    Nothing,
}

impl ClientMessage {
    /// Parses a message from JSON.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] with the position where parsing failed.
    pub fn parse(json: &[u8]) -> Result<ClientMessage, Rejection> {
        let mut read = ClientMessage::default();
        let mut fields = [
            ("page", Slot::OptionalText(&mut read.page)),
            ("content", Slot::OptionalText(&mut read.content)),
            ("name", Slot::OptionalText(&mut read.name)),
            ("parent", Slot::OptionalNumber(&mut read.parent)),
            ("key", Slot::OptionalText(&mut read.key)),
            ("user", Slot::OptionalText(&mut read.user)),
            ("nonce", Slot::OptionalText(&mut read.nonce)),
            ("edit", Slot::OptionalNumber(&mut read.edit)),
            ("delete", Slot::OptionalNumber(&mut read.delete)),
            ("like", Slot::OptionalNumber(&mut read.like)),
            ("on", Slot::OptionalFlag(&mut read.on)),
            ("flag", Slot::OptionalNumber(&mut read.flag)),
            ("typing", Slot::OptionalFlag(&mut read.typing)),
            ("status", Slot::OptionalText(&mut read.status)),
            ("pinned", Slot::OptionalFlag(&mut read.pinned)),
            ("reason", Slot::OptionalText(&mut read.reason)),
            ("seen", Slot::OptionalNumber(&mut read.seen)),
            ("token", Slot::OptionalText(&mut read.token)),
            ("proof", Slot::OptionalText(&mut read.proof)),
        ];
        json::read(json, 0, &mut fields).map_err(|error| Rejection::Malformed(describe(&error)))?;
        Ok(read)
    }

    /// The nonce of a message that could not be parsed because of another field, so that the error can repeat it.
    pub fn nonce_in(json: &[u8]) -> Option<String> {
        let mut nonce = None;
        json::read(json, 0, &mut [("nonce", Slot::OptionalText(&mut nonce))]).ok()?;
        nonce
    }

    /// What the message requests on a WebSocket of `page`.
    ///
    /// # Errors
    /// The first limit that it exceeds, [`Rejection::OtherPage`] if it names another page, or [`Rejection::Malformed`] if it requests
    /// nothing or several things.
    pub fn action<'m>(&'m self, page: &'m str) -> Result<Action<'m>, Rejection> {
        if let Some(other) = self.page.as_deref().filter(|other| *other != page) {
            let page = shorten(other, PAGE_ECHO_CHARS);
            return Err(Rejection::OtherPage(page));
        }
        // Most messages are posts; `post` does their checks.
        if let ClientMessage {
            content: Some(_),
            edit: None,
            delete: None,
            like: None,
            flag: None,
            ..
        } = self
        {
            return Ok(Action::Post(self.post(page)?));
        }
        check_nonce(self.nonce.as_deref())?;
        let author = self.author()?;
        match self {
            ClientMessage { edit: Some(_), delete: Some(_), .. } => {
                Err(Rejection::Malformed("it has both edit and delete".into()))
            }
            ClientMessage {
                flag: Some(id),
                like: None,
                edit: None,
                delete: None,
                content: None,
                ..
            } => Ok(Action::Flag(*id, author.ok_or(Rejection::KeyMissing)?)),
            ClientMessage { flag: Some(_), .. } => {
                Err(Rejection::Malformed("it has flag and something else to do".into()))
            }
            ClientMessage { like: Some(id), edit: None, delete: None, content: None, .. } => {
                let (on, author) = self.like()?;
                Ok(Action::Like(*id, on, author))
            }
            ClientMessage { like: Some(_), .. } => {
                Err(Rejection::Malformed("it has like and something else to do".into()))
            }
            ClientMessage { edit: Some(id), status: Some(_), content: None, .. } => {
                let status = self.status()?.unwrap_or_default();
                Ok(Action::Status(*id, status, author))
            }
            ClientMessage { edit: Some(id), .. } => {
                Ok(Action::Edit(*id, PlainText::of(self.content.as_deref())?, author))
            }
            ClientMessage { delete: Some(id), .. } => Ok(Action::Delete(*id, author)),
            ClientMessage { typing: Some(false), .. } => Ok(Action::Nothing),
            ClientMessage { typing: Some(true), .. } => Ok(Action::Typing),
            _ => author.map(Action::Identify).ok_or_else(|| {
                Rejection::Malformed(
                    "it has none of content, edit, delete, like, flag, key, user and typing".into(),
                )
            }),
        }
    }

    /// Whose message it is: the signed user's, or that of whoever has the key.
    ///
    /// # Errors
    /// [`Rejection::KeyLength`], and [`Rejection::NoSignOn`] for a user that nobody has checked.
    pub fn author(&self) -> Result<Option<Author>, Rejection> {
        match (&self.signed, &self.user) {
            (Some(user), _) => Ok(Some(user.author)),
            (None, Some(_)) => Err(Rejection::NoSignOn),
            (None, None) => author(self.key.as_deref()),
        }
    }

    /// Whether the message likes a comment (`true`) or withdraws the like, and for which author.
    ///
    /// # Errors
    /// [`Rejection::KeyMissing`] or [`Rejection::KeyLength`] without a valid key; [`Rejection::Malformed`] without `on`.
    pub fn like(&self) -> Result<(bool, Author), Rejection> {
        let author = self.author()?.ok_or(Rejection::KeyMissing)?;
        let on = self.on.ok_or_else(|| {
            Rejection::Malformed("on is missing, a like needs true or false".into())
        })?;
        Ok((on, author))
    }

    /// The status that a moderator gives a comment.
    ///
    /// # Errors
    /// [`Rejection::BadParameter`] if it is none.
    pub fn status(&self) -> Result<Option<Status>, Rejection> {
        match self.status.as_deref() {
            None => Ok(None),
            Some("public") => Ok(Some(Status::Public)),
            Some("hidden") => Ok(Some(Status::Hidden)),
            Some("pending") => Ok(Some(Status::Pending)),
            Some(other) => {
                let value = shorten(other, STATUS_ECHO_CHARS);
                let allowed = "public, hidden or pending";
                Err(Rejection::BadParameter { name: "status", value, allowed })
            }
        }
    }

    /// What a moderator tells the author, one line; an empty one is none.
    ///
    /// # Errors
    /// Fails if it is too long or has control characters.
    pub fn reason(&self) -> Result<Option<Box<str>>, Rejection> {
        let reason = moderators_text("reason", self.reason.as_deref(), REASON_CHARS_MAX, false)?;
        Ok(Some(reason).filter(|reason| !reason.is_empty()).map(Box::from))
    }

    /// Checks the message as a new comment on `page`.
    ///
    /// # Errors
    /// The first limit that it exceeds.
    pub fn post<'m>(&'m self, page: &'m str) -> Result<Post<'m>, Rejection> {
        check_page(page)?;
        Ok(Post {
            page,
            parent: self.parent,
            nonce: check_nonce(self.nonce.as_deref())?,
            author: self.author()?,
            name: match &self.signed {
                Some(user) => Some(user.name.clone()),
                None => parse_name(self.name.as_deref())?,
            },
            verified: self.signed.is_some(),
            text: PlainText::of(self.content.as_deref())?,
        })
    }
}

impl Post<'_> {
    /// The nonce that identifies this post.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce
    }

    /// Renders and encodes the comment.
    pub fn render(self) -> Draft {
        self.render_with(None)
    }

    /// The same, and looks it through for what `block_list` has.
    pub fn render_with(self, block_list: Option<&BlockList>) -> Draft {
        let text = self.text.render();
        let name = self.name.as_deref();
        let held_for = block_list.and_then(|list| text.blocked_by(list, name));
        let pseudonym = self.author.map(|author| author.to_string());
        let mut body = Vec::with_capacity(text.content.len() + 128);
        Body {
            page: self.page,
            parent: self.parent,
            name: self.name.as_deref(),
            author: pseudonym.as_deref(),
            content: &text.content,
            html: text.html.as_deref(),
        }
        .encode(&mut body);
        Draft {
            page: self.page.into(),
            parent: self.parent,
            author: self.author,
            nonce: self.nonce.map(Box::from),
            body,
            links: text.count_links() + name.map_or(0, count_addresses),
            held_for,
            length: text.content.len(),
            moderator: None,
            verified: self.verified,
        }
    }
}

/// Checks the name of a page.
///
/// # Errors
/// Fails unless `page` is 1 to 512 bytes without control characters.
pub fn check_page(page: &str) -> Result<(), Rejection> {
    if page.is_empty() || page.len() > PAGE_BYTES_MAX {
        return Err(Rejection::PageLength(page.len()));
    }
    check_characters("page", page, |_| false)
}

/// Trims and checks a text that only moderators write; a missing one is empty. `has_lines`: whether it may have more than one.
///
/// # Errors
/// Fails if it has more than `max` characters, or control characters.
pub fn moderators_text<'t>(
    field: &'static str,
    text: Option<&'t str>,
    max: usize,
    has_lines: bool,
) -> Result<&'t str, Rejection> {
    let text = text.unwrap_or_default().trim();
    let characters = text.chars().count();
    if characters > max {
        return Err(Rejection::TextTooLong { field, characters, max });
    }
    check_characters(field, text, |c| has_lines && matches!(c, '\n' | '\t'))?;
    Ok(text)
}

/// The author that belongs to a key.
///
/// # Errors
/// [`Rejection::KeyLength`] if the key is too short or too long.
pub fn author(key: Option<&str>) -> Result<Option<Author>, Rejection> {
    match key {
        Some(key) if !(KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len()) => {
            Err(Rejection::KeyLength(key.len()))
        }
        key => Ok(key.map(Author::from_key)),
    }
}

/// The message of a parser's error, shortened: serde repeats the whole value that it did not expect, escaped, so that the message may
/// be seven times as long as what was sent.
fn describe(error: &serde_json::Error) -> String {
    shorten_middle(&error.to_string(), ERROR_END_CHARS)
}

/// Trims and checks a display name; an empty one is none. Removes what would turn the direction of the text behind it.
///
/// # Errors
/// Fails if it shows nothing, is too long, or has control characters.
pub fn parse_name(name: Option<&str>) -> Result<Option<String>, Rejection> {
    let given = name.unwrap_or_default().trim();
    if given.is_empty() {
        return Ok(None);
    }
    check_characters("name", given, |_| false)?;
    let name: String = given.chars().filter(|char| !is_direction_override(*char)).collect();
    let is_mark = |char: char| matches!(char, '\u{200e}' | '\u{200f}' | '\u{61c}');
    let name = name.trim_matches(|char: char| char.is_whitespace() || is_mark(char));
    if is_blank(name) {
        return Err(Rejection::NameInvisible);
    }
    let length = name.chars().count();
    if length > NAME_CHARS_MAX {
        return Err(Rejection::NameTooLong(length));
    }
    Ok(Some(name.to_owned()))
}

/// Refuses control characters that are not allowed.
fn check_characters(
    field: &'static str,
    text: &str,
    allowed: impl Fn(char) -> bool,
) -> Result<(), Rejection> {
    match text.char_indices().find(|&(_, c)| c.is_control() && !allowed(c)) {
        Some((at, character)) => Err(Rejection::ControlCharacter { field, character, at }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
