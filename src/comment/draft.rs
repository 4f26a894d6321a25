//! What a client says, untrusted, becomes typed and encoded here, in the thread that read it: parsing, limits, markup and JSON
//! escaping are done before the hub sees it.
//!
//! Knows no socket and no state: whether a parent exists or a key is the author's is the hub's to say.

use std::borrow::Cow;

use serde::Deserialize;

use crate::{
    comment::markup,
    comment::rejection::Rejection,
    comment::{Author, Body},
    limits::{
        CONTENT_BYTES_MAX, KEY_BYTES_MAX, KEY_BYTES_MIN, NAME_CHARS_MAX, NONCE_BYTES_MAX,
        NONCE_BYTES_MIN, PAGE_BYTES_MAX,
    },
};

/// Characters of an error's beginning and of its end that are said.
const WHY_END_CHARS: usize = 80;

/// A client's message: the JSON object of a WebSocket text frame or an HTTP body, or a form. Typed, never `Value`, so that nesting
/// costs no stack; fields that sayso doesn't know are passed over.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
pub struct ClientMessage {
    /// The page, over HTTP; a socket has one already.
    pub page: Option<String>,
    /// The text of a post or an edit.
    pub content: Option<String>,
    /// Display name of a post, or who is typing.
    pub name: Option<String>,
    /// The comment that is answered.
    pub parent: Option<u64>,
    /// The author's secret.
    pub key: Option<String>,
    /// The client's mark for this post; echoed in its error.
    pub nonce: Option<String>,
    /// The comment to edit.
    pub edit: Option<u64>,
    /// The comment to delete.
    pub delete: Option<u64>,
    /// The comment to like.
    pub like: Option<u64>,
    /// Whether to like it, or not any more.
    pub on: Option<bool>,
    /// Somebody is writing.
    pub typing: Option<bool>,
    /// A moderator's word on who may see the comment.
    pub status: Option<String>,
    /// What a post has cost, see [`proof`](crate::comment::proof_of_work).
    pub proof: Option<String>,
}

/// A new comment, valid, its body encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What is commented on.
    pub page: Box<str>,
    /// The comment that is answered.
    pub parent: Option<u64>,
    /// Whose it is.
    pub author: Option<Author>,
    /// The client's mark.
    pub nonce: Option<Box<str>>,
    /// Everything else, as [`Body::encode`] wrote it.
    pub body: Vec<u8>,
    /// The text has a link.
    pub links: bool,
    /// Bytes of the text.
    pub length: usize,
}

/// A text that may replace a comment's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Trimmed, with `\n` as only line break.
    pub content: String,
    /// Its safe HTML, where it is more than plain text.
    pub html: Option<String>,
}

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A new comment.
    Post(Draft),
    /// Another text for a comment.
    Edit(u64, Text, Option<Author>),
    /// Away with a comment.
    Delete(u64, Option<Author>),
    /// A heart for a comment, given or taken.
    Like(u64, bool, Author),
    /// The socket belongs to this author.
    Identify(Author),
    /// Somebody is writing, under this name.
    Typing(Option<String>),
    /// Somebody has stopped writing, which nobody needs to know.
    Nothing,
}

impl ClientMessage {
    /// Reads JSON.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] with the place where it stops being one.
    pub fn parse(json: &[u8]) -> Result<ClientMessage, Rejection> {
        serde_json::from_slice(json)
            .map_err(|error| Rejection::Malformed(shortened(error.to_string())))
    }

    /// The nonce of JSON that is no message because of another field, so that its client can tell the error apart.
    pub fn nonce_in(json: &[u8]) -> Option<String> {
        #[derive(Deserialize)]
        struct Marked {
            nonce: Option<String>,
        }
        serde_json::from_slice::<Marked>(json).ok()?.nonce
    }

    /// What the message asks for, on a socket of `page`.
    ///
    /// # Errors
    /// Whatever limit it breaks first.
    pub fn action(&self, page: &str) -> Result<Action, Rejection> {
        // Most messages are this, and its checks are done on the way.
        if let ClientMessage { content: Some(_), edit: None, delete: None, like: None, .. } = self {
            return Ok(Action::Post(self.draft(page)?));
        }
        nonce(self.nonce.as_deref())?;
        let author = author(self.key.as_deref())?;
        match self {
            ClientMessage { edit: Some(_), delete: Some(_), .. } => {
                Err(Rejection::Malformed("it has both edit and delete".into()))
            }
            ClientMessage { like: Some(id), edit: None, delete: None, content: None, .. } => {
                let (on, author) = self.heart()?;
                Ok(Action::Like(*id, on, author))
            }
            ClientMessage { like: Some(_), .. } => {
                Err(Rejection::Malformed("it has like and something else to do".into()))
            }
            ClientMessage { edit: Some(id), .. } => {
                Ok(Action::Edit(*id, Text::of(self.content.as_deref())?, author))
            }
            ClientMessage { delete: Some(id), .. } => Ok(Action::Delete(*id, author)),
            ClientMessage { typing: Some(false), .. } => Ok(Action::Nothing),
            ClientMessage { typing: Some(true), .. } => {
                Ok(Action::Typing(name(self.name.as_deref())?))
            }
            ClientMessage { key: Some(_), .. } => {
                Ok(Action::Identify(author.expect("a key has an author")))
            }
            _ => Err(Rejection::Malformed(
                "it has none of content, edit, delete, like, key and typing".into(),
            )),
        }
    }

    /// Whether a heart is given, and whose it is.
    ///
    /// # Errors
    /// [`Rejection::KeyMissing`], [`Rejection::KeyLength`], [`Rejection::Malformed`]
    pub fn heart(&self) -> Result<(bool, Author), Rejection> {
        let author = author(self.key.as_deref())?.ok_or(Rejection::KeyMissing)?;
        let on = self.on.ok_or_else(|| {
            Rejection::Malformed("on is missing, a like needs true or false".into())
        })?;
        Ok((on, author))
    }

    /// The new comment that the message is.
    ///
    /// # Errors
    /// Whatever limit it breaks first.
    pub fn draft(&self, page: &str) -> Result<Draft, Rejection> {
        check_page(page)?;
        let nonce = nonce(self.nonce.as_deref())?;
        let author = author(self.key.as_deref())?;
        let name = name(self.name.as_deref())?;
        let text = Text::of(self.content.as_deref())?;
        let pseudonym = author.map(|author| author.to_string());
        let mut body = Vec::with_capacity(text.content.len() + 128);
        Body {
            page,
            parent: self.parent,
            name: name.as_deref(),
            author: pseudonym.as_deref(),
            content: &text.content,
            html: text.html.as_deref(),
        }
        .encode(&mut body);
        Ok(Draft {
            page: page.into(),
            parent: self.parent,
            author,
            nonce,
            body,
            links: text.has_links(),
            length: text.content.len(),
        })
    }
}

impl Text {
    /// # Errors
    /// Where the text is empty, too long, or has control characters.
    pub fn of(content: Option<&str>) -> Result<Text, Rejection> {
        let mut content = Cow::Borrowed(content.ok_or(Rejection::ContentEmpty)?);
        if content.contains('\r') {
            content = content.replace("\r\n", "\n").replace('\r', "\n").into();
        }
        let content = content.trim();
        if content.is_empty() {
            return Err(Rejection::ContentEmpty);
        }
        if content.len() > CONTENT_BYTES_MAX {
            return Err(Rejection::ContentTooLong(content.len()));
        }
        check_characters("content", content, |c| c == '\n' || c == '\t')?;
        Ok(Text { content: content.into(), html: markup::html(content) })
    }

    /// Whether the text leads anywhere.
    pub fn has_links(&self) -> bool {
        let text = self.content.as_bytes();
        let begins_link = |(at, byte): (usize, &u8)| match byte {
            b':' => text[at..].starts_with(b"://") && ends_with(&text[..at], &[b"http", b"https"]),
            b'.' => ends_with(&text[..at], &[b"www"]),
            _ => false,
        };
        text.iter().enumerate().any(begins_link)
            || self.html.as_deref().is_some_and(|html| html.contains("<a "))
    }
}

/// Whether a text ends with one of these, in letters of any case.
fn ends_with(text: &[u8], ends: &[&[u8]]) -> bool {
    let is = |end: &&[u8]| {
        text.len() >= end.len() && text[text.len() - end.len()..].eq_ignore_ascii_case(end)
    };
    ends.iter().any(is)
}

/// # Errors
/// Unless `page` is 1 to 512 bytes without control characters.
pub fn check_page(page: &str) -> Result<(), Rejection> {
    if page.is_empty() || page.len() > PAGE_BYTES_MAX {
        return Err(Rejection::PageLength(page.len()));
    }
    check_characters("page", page, |_| false)
}

/// The author that a key stands for.
///
/// # Errors
/// [`Rejection::KeyLength`]
pub fn author(key: Option<&str>) -> Result<Option<Author>, Rejection> {
    match key {
        Some(key) if !(KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len()) => {
            Err(Rejection::KeyLength(key.len()))
        }
        key => Ok(key.map(Author::from_key)),
    }
}

/// What serde says quotes the value that it did not expect, whole and escaped: up to seven times of what was sent.
fn shortened(why: String) -> String {
    let ends =
        why.char_indices().nth(WHY_END_CHARS).zip(why.char_indices().nth_back(WHY_END_CHARS - 1));
    match ends {
        Some(((head, _), (tail, _))) if head < tail => format!("{}…{}", &why[..head], &why[tail..]),
        _ => why,
    }
}

fn nonce(nonce: Option<&str>) -> Result<Option<Box<str>>, Rejection> {
    match nonce {
        Some(nonce) if !(NONCE_BYTES_MIN..=NONCE_BYTES_MAX).contains(&nonce.len()) => {
            Err(Rejection::NonceLength(nonce.len()))
        }
        Some(nonce) => check_characters("nonce", nonce, |_| false).map(|()| Some(nonce.into())),
        None => Ok(None),
    }
}

fn name(name: Option<&str>) -> Result<Option<String>, Rejection> {
    let name = name.unwrap_or_default().trim();
    let characters = name.chars().count();
    if characters > NAME_CHARS_MAX {
        return Err(Rejection::NameTooLong(characters));
    }
    check_characters("name", name, |_| false)?;
    Ok(Some(name.to_owned()).filter(|name| !name.is_empty()))
}

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
mod tests {
    use super::*;

    fn post(message: ClientMessage) -> Result<Draft, Rejection> {
        match message.action("/")? {
            Action::Post(draft) => Ok(draft),
            other => panic!("not a post: {other:?}"),
        }
    }

    fn said(content: &str) -> ClientMessage {
        ClientMessage { content: Some(content.into()), ..ClientMessage::default() }
    }

    #[test]
    fn content_is_trimmed_and_has_one_to_8192_bytes() {
        assert!(post(said(&format!("  {}\r\n ", "x".repeat(8192)))).is_ok());
        assert_eq!(post(said(&"x".repeat(8193))), Err(Rejection::ContentTooLong(8193)));
        assert_eq!(post(said(&"é".repeat(4097))), Err(Rejection::ContentTooLong(8194)));
        assert_eq!(post(said(" \n\t ")), Err(Rejection::ContentEmpty));
        assert_eq!(post(said("a\rb\r\nc")).unwrap().body, br#","page":"/","content":"a\nb\nc""#);
    }

    #[test]
    fn name_key_nonce_and_page_are_taken_at_their_limits_and_refused_past_them() {
        let with = |change: &dyn Fn(&mut ClientMessage)| {
            let mut message = said("hi");
            change(&mut message);
            post(message)
        };
        assert!(with(&|m| m.name = Some(" ".to_owned() + &"é".repeat(64))).is_ok());
        assert_eq!(with(&|m| m.name = Some("é".repeat(65))), Err(Rejection::NameTooLong(65)));
        for (len, good) in [(0, false), (15, false), (16, true), (128, true), (129, false)] {
            assert_eq!(with(&|m| m.key = Some("k".repeat(len))).is_ok(), good, "key of {len}");
        }
        for (len, good) in [(15, false), (16, true), (64, true), (65, false)] {
            assert_eq!(with(&|m| m.nonce = Some("n".repeat(len))).is_ok(), good, "nonce of {len}");
        }
        for (len, good) in [(0, false), (1, true), (512, true), (513, false)] {
            assert_eq!(said("hi").action(&"p".repeat(len)).is_ok(), good, "page of {len}");
        }
    }

    #[test]
    fn control_characters_are_refused_with_their_place() {
        let reject = post(said("ab\u{7}c")).unwrap_err();
        assert_eq!(
            reject,
            Rejection::ControlCharacter { field: "content", character: '\u{7}', at: 2 }
        );
        assert!(reject.to_string().contains("U+0007 at byte 2"), "{reject}");
        assert!(post(ClientMessage { name: Some("a\nb".into()), ..said("hi") }).is_err());
        assert!(said("hi").action("a\u{0}b").is_err());
    }

    #[test]
    fn what_is_no_message_is_refused_with_the_place_where_it_stops_being_one() {
        for json in
            ["", "[]", "7", "{\"content\":5}", "{\"content\":\"a\"", "{\"parent\":-1}", "null"]
        {
            assert!(
                matches!(ClientMessage::parse(json.as_bytes()), Err(Rejection::Malformed(_))),
                "{json}"
            );
        }
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(
            ClientMessage::parse(deep.as_bytes()).and_then(|message| message.action("/")).is_err()
        );
        assert!(matches!(ClientMessage::default().action("/"), Err(Rejection::Malformed(_))));
    }

    #[test]
    fn a_message_says_one_thing() {
        let message = |json: &str| ClientMessage::parse(json.as_bytes()).unwrap().action("/");
        assert!(matches!(message(r#"{"edit":3,"content":"x"}"#), Ok(Action::Edit(3, _, None))));
        assert!(matches!(
            message(r#"{"delete":3,"key":"kkkkkkkkkkkkkkkk"}"#),
            Ok(Action::Delete(3, Some(_)))
        ));
        assert!(matches!(message(r#"{"key":"kkkkkkkkkkkkkkkk"}"#), Ok(Action::Identify(_))));
        assert!(matches!(
            message(r#"{"like":3,"on":true,"key":"kkkkkkkkkkkkkkkk"}"#),
            Ok(Action::Like(3, true, _))
        ));
        let neither = message(r#"{"like":3,"key":"kkkkkkkkkkkkkkkk"}"#);
        assert!(matches!(neither, Err(Rejection::Malformed(_))));
        assert!(matches!(
            message(r#"{"like":3,"on":false,"key":"kkkkkkkkkkkkkkkk"}"#),
            Ok(Action::Like(3, false, _))
        ));
        assert_eq!(message(r#"{"like":3}"#), Err(Rejection::KeyMissing));
        for both in ["\"edit\":3", "\"delete\":3", "\"content\":\"x\""] {
            let json = format!("{{\"like\":3,\"on\":true,\"key\":\"kkkkkkkkkkkkkkkk\",{both}}}");
            assert!(matches!(message(&json), Err(Rejection::Malformed(_))), "{both}");
        }
        assert_eq!(
            message(r#"{"typing":true,"name":"Ada"}"#),
            Ok(Action::Typing(Some("Ada".into())))
        );
    }

    #[test]
    fn a_text_with_an_address_leads_somewhere() {
        let leads = |content: &str| Text::of(Some(content)).unwrap().has_links();
        for text in
            ["http://a", "see HTTPS://a.example", "xhttp://", "WWW.a", "[a](mailto:a@b.example)"]
        {
            assert!(leads(text), "{text}");
        }
        for text in ["http:/a", "ttp://a", "://", "ww.a", "a.b: c", "The end.", "https", "www"] {
            assert!(!leads(text), "{text}");
        }
    }

    #[test]
    fn an_error_quotes_only_the_ends_of_a_long_value() {
        for (value, begin, end) in [
            (
                "\u{7f}".repeat(60_000),
                "invalid type: string \"\\u{7f}",
                ", expected u64 at line 1 column 60010",
            ),
            ("\u{e9}".repeat(70), "invalid type: string \"\u{e9}", "column 150"),
            ("x".into(), "invalid type: string \"x\", expected u64 at line 1 column 11", "11"),
        ] {
            let message = format!("{{\"edit\":\"{value}\"}}");
            let Err(Rejection::Malformed(why)) = ClientMessage::parse(message.as_bytes()) else {
                panic!("a text is no number")
            };
            assert!(why.starts_with(begin) && why.ends_with(end), "{why}");
            assert!(why.chars().count() <= 2 * WHY_END_CHARS + 1, "{why}");
        }
    }
}
