//! Any bytes as a client's message: what is taken is what was said, in one line of the log that reads back the same.
//!
//! Says for itself what a message may be, from the limits alone.

use sayso::{
    comment::draft::{Action, ClientMessage, Draft, Text},
    comment::rejection::Rejection,
    comment::shown_text::{is_blank, is_direction_override},
    comment::{Author, Comment, LineParts, Marks, Status},
    limits::{
        CONTENT_BYTES_MAX, KEY_BYTES_MAX, KEY_BYTES_MIN, LINE_BYTES_MAX, MESSAGE_BYTES_MAX,
        NAME_CHARS_MAX, NONCE_BYTES_MAX, NONCE_BYTES_MIN, PAGE_BYTES_MAX, SEQ_MAX,
    },
    log::trailer::{Trailer, append_trailer},
    store::record::LineSummary,
};
use serde_json::Value;

use super::markup;

/// An error is a sentence, and a nonce beside it: longest where it tells a page's name, in letters that have to be escaped.
const ERROR_BYTES_MAX: usize = 4 * 1024;
const TIME: &str = "2026-11-22T05:08:00.001Z";

/// Reads a message as a socket and as HTTP do; whether a comment comes of it.
pub fn check(data: &[u8]) -> bool {
    let data = &data[..data.len().min(MESSAGE_BYTES_MAX)];
    let message = match ClientMessage::parse(data) {
        Ok(message) => message,
        Err(reject) => {
            check_reject(&reject, None);
            check_reject(&reject, ClientMessage::nonce_in(data).as_deref());
            return false;
        }
    };
    check_fields(&message, data);
    let page = message.page.as_deref().unwrap_or("/");
    let intent = message.action(page);
    if let ClientMessage { content: Some(content), edit: None, delete: None, like: None, .. } =
        &message
    {
        let may = may_be_page(page)
            && message.nonce.as_deref().is_none_or(may_be_nonce)
            && message.key.as_deref().is_none_or(may_be_key)
            && may_be_name(message.name.as_deref().unwrap_or_default())
            && may_be_content(content);
        assert_eq!(intent.is_ok(), may, "{intent:?} of {message:?}");
    }
    match intent {
        Ok(Action::Post(post)) => {
            check_draft(&message, page, &post.render());
            true
        }
        Ok(Action::Edit(id, text, author)) => {
            assert_eq!((Some(id), author), (message.edit, message.key.as_deref().map(from_key)));
            check_edit(&message, text.render());
            true
        }
        Ok(Action::Like(id, on, author)) => {
            assert_eq!((Some(id), on), (message.like, message.on.unwrap_or(true)));
            let mut line = sayso::store::likes::encode(SEQ_MAX, id, author, on);
            line.pop();
            assert_eq!(check_line(&line).kind.as_deref(), Some("like"));
            true
        }
        Ok(_) => false,
        Err(reject) => {
            check_reject(&reject, message.nonce.as_deref());
            false
        }
    }
}

fn from_key(key: &str) -> Author {
    Author::from_key(key)
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

fn may_be_page(page: &str) -> bool {
    (1..=PAGE_BYTES_MAX).contains(&page.len()) && !has_control(page)
}

fn may_be_nonce(nonce: &str) -> bool {
    (NONCE_BYTES_MIN..=NONCE_BYTES_MAX).contains(&nonce.len()) && !has_control(nonce)
}

fn may_be_key(key: &str) -> bool {
    (KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len())
}

fn may_be_name(name: &str) -> bool {
    let shown = shown_name(name);
    let is_empty = name.trim().is_empty();
    !has_control(name.trim())
        && (is_empty || !is_blank(&shown))
        && shown.chars().count() <= NAME_CHARS_MAX
}

/// The name without what would turn the direction of the text behind it.
fn shown_name(name: &str) -> String {
    let name: String = name.trim().chars().filter(|char| !is_direction_override(*char)).collect();
    let is_mark = |char: char| matches!(char, '\u{200e}' | '\u{200f}' | '\u{61c}');
    name.trim_matches(|char: char| char.is_whitespace() || is_mark(char)).to_owned()
}

/// The text as it is kept.
fn kept(content: &str) -> String {
    content.split("\r\n").map(|line| line.replace('\r', "\n")).collect::<Vec<_>>().join("\n")
}

fn may_be_content(content: &str) -> bool {
    let kept = kept(content);
    let content = kept.trim();
    (1..=CONTENT_BYTES_MAX).contains(&content.len())
        && !is_blank(content)
        && !content.chars().any(|char| char.is_control() && char != '\n' && char != '\t')
}

/// Each field is the one of that name in the object.
fn check_fields(message: &ClientMessage, data: &[u8]) {
    // Numbers that are beyond a float's range are none to `Value`.
    let Ok(json) = serde_json::from_slice::<Value>(data) else { return };
    // serde takes a list of all the fields for a struct too.
    let Value::Object(fields) = &json else { return };
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let number = |name: &str| fields.get(name).and_then(Value::as_u64);
    let truth = |name: &str| fields.get(name).and_then(Value::as_bool);
    let ClientMessage { page, content, name, parent, key, nonce, .. } = message;
    for (field, said) in
        [("page", page), ("content", content), ("name", name), ("key", key), ("nonce", nonce)]
    {
        assert_eq!(said.as_deref(), text(field), "{field}");
    }
    let ClientMessage { edit, delete, like, on, typing, .. } = message;
    for (field, said) in [("parent", parent), ("edit", edit), ("delete", delete), ("like", like)] {
        assert_eq!(*said, number(field), "{field}");
    }
    assert_eq!((*on, *typing), (truth("on"), truth("typing")));
}

fn check_reject(reject: &Rejection, nonce: Option<&str>) {
    let json = reject.to_json(nonce);
    assert!(json.len() <= ERROR_BYTES_MAX, "{} bytes of error: {json:.200}…", json.len());
    let said: Value = serde_json::from_str(&json).expect("an error is JSON");
    assert_eq!(said["error"].as_str(), Some(&*reject.to_string()));
    let echo = said.get("nonce").and_then(Value::as_str);
    assert!(echo == nonce || nonce.is_some_and(|nonce| nonce.len() > NONCE_BYTES_MAX), "{json}");
    assert!((400..=503).contains(&reject.status()));
}

fn check_draft(message: &ClientMessage, page: &str, draft: &Draft) {
    let content = kept(message.content.as_deref().unwrap_or_default());
    let name = shown_name(message.name.as_deref().unwrap_or_default());
    let author = message.key.as_deref().map(from_key);
    assert_eq!((&*draft.page, draft.parent, draft.author), (page, message.parent, author));
    assert_eq!(draft.nonce.as_deref(), message.nonce.as_deref());
    for (status, edited_at) in [(Status::Public, None), (Status::Pending, Some(TIME))] {
        let (seq, id) = (SEQ_MAX, SEQ_MAX);
        let mut line = Vec::new();
        let nonce = draft.nonce.as_deref();
        let body = &draft.body;
        LineParts {
            seq,
            id,
            body,
            created_at: TIME,
            edited_at,
            deleted: false,
            nonce,
            status,
            marks: Marks::default(),
        }
        .encode(&mut line);
        line.pop();
        let comment = check_line(&line);
        let html = comment.html.clone();
        let said = Comment {
            seq,
            id,
            page: page.to_owned(),
            parent: message.parent,
            name: Some(name.clone()).filter(|name| !name.is_empty()),
            author: author.map(|author| author.to_string()),
            content: content.trim().to_owned(),
            html: html.clone(),
            created_at: TIME.to_owned(),
            edited_at: edited_at.map(str::to_owned),
            nonce: message.nonce.clone(),
            status,
            ..Comment::default()
        };
        assert_eq!(comment, said);
        check_html(content.trim(), html.as_deref(), draft.links);
    }
}

fn check_edit(message: &ClientMessage, text: Text) {
    let content = kept(message.content.as_deref().unwrap_or_default());
    assert_eq!(text.content, content.trim());
    check_html(content.trim(), text.html.as_deref(), text.count_links());
    let mut line = Vec::new();
    let Text { content, html } = text;
    let comment = Comment { seq: 2, id: 1, page: "/".into(), content, html, ..Comment::default() };
    comment.encode(&mut line);
    line.pop();
    assert_eq!(check_line(&line), comment);
}

fn check_html(content: &str, html: Option<&str>, links: usize) {
    if let Some(html) = html {
        assert!(!markup::read(html).trim().is_empty(), "{content:?} shows nothing: {html}");
        assert!(links >= html.matches("<a ").count(), "a link that nobody was told of: {html}");
    }
    let lower = content.to_ascii_lowercase();
    assert!(links > 0 || !(lower.contains("http://") || lower.contains("https://")), "{content:?}");
}

/// A line without its `}`: short enough, one line, read back alike by everyone who reads it, with a trailer or without.
fn check_line(open: &[u8]) -> Comment {
    assert!(open.len() < LINE_BYTES_MAX, "{} bytes", open.len());
    assert!(!open.iter().any(|byte| *byte < 0x20 || *byte == 0x7f), "a control character");
    let line = [open, b"}"].concat();
    let value: Value = serde_json::from_slice(&line).expect("a line is JSON");
    let comment = Comment::parse(&line).expect("a line is a comment");
    let names = value.as_object().expect("a line is an object").len();
    // Quotes in a text are escaped, so a comma and two quotes around a name are its own.
    let text = std::str::from_utf8(&line).expect("a line is UTF-8");
    assert!(names >= 4 && text.starts_with("{\"seq\":"));
    let mut with_trailer = open.to_vec();
    append_trailer(&mut with_trailer, 0, true, 7);
    with_trailer.pop();
    let taken_apart = Trailer::of(&with_trailer).expect("it has a trailer");
    assert!(taken_apart.verify(7) && taken_apart.more && taken_apart.open == open);
    assert_eq!(
        LineSummary::parse(&with_trailer).expect("it is a record"),
        LineSummary::from(comment.clone())
    );
    if comment.kind.is_none() {
        let mut again = Vec::new();
        comment.encode(&mut again);
        assert_eq!(again, line);
    }
    comment
}
