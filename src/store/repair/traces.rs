//! What can still be read of a damaged line.
//!
//! Looks for fields where sayso writes them. Quotes in texts are escaped, so no text can look like a field.

use std::borrow::Cow;

use crate::comment::{Comment, Status};

/// Fields of a line, each as it stands there: texts are JSON, without their quotes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Traces<'t> {
    pub(super) seq: Option<u64>,
    pub(super) id: Option<u64>,
    pub(super) page: Option<Cow<'t, [u8]>>,
    pub(super) created_at: Option<Cow<'t, [u8]>>,
    pub(super) nonce: Option<Cow<'t, [u8]>>,
    /// It is no comment's line.
    pub(super) has_kind: bool,
    /// It says what no comment's first line says.
    pub(super) has_changed: bool,
}

impl<'t> Traces<'t> {
    pub(super) fn of_comment(comment: &Comment) -> Traces<'static> {
        let json = |text: &str| {
            let quoted = serde_json::to_vec(text).expect("a vector takes every string");
            Some(Cow::Owned(quoted[1..quoted.len() - 1].to_vec()))
        };
        Traces {
            seq: Some(comment.seq),
            id: Some(comment.id),
            page: json(&comment.page),
            created_at: json(&comment.created_at),
            nonce: comment.nonce.as_deref().and_then(json),
            has_kind: comment.kind.is_some(),
            has_changed: comment.deleted
                || comment.edited_at.is_some()
                || comment.status == Status::Hidden,
        }
    }

    pub(super) fn of_piece(bytes: &'t [u8]) -> Traces<'t> {
        Traces {
            seq: number(bytes, b"\"seq\":"),
            id: number(bytes, b",\"id\":"),
            page: text(bytes, b",\"page\":\""),
            created_at: text(bytes, b",\"created_at\":\""),
            nonce: text(bytes, b",\"nonce\":\""),
            has_kind: find(bytes, b",\"kind\":\"").is_some(),
            has_changed: [&b",\"edited_at\":"[..], b",\"deleted\":", b",\"status\":\"hidden\""]
                .iter()
                .any(|field| find(bytes, field).is_some()),
        }
    }
}

/// What stands behind the first `field`.
fn find<'t>(bytes: &'t [u8], field: &[u8]) -> Option<&'t [u8]> {
    let at = bytes.windows(field.len()).position(|window| window == field)?;
    Some(&bytes[at + field.len()..])
}

fn number(bytes: &[u8], field: &[u8]) -> Option<u64> {
    let rest = find(bytes, field)?;
    let (digits, behind) = rest.split_at(rest.iter().take_while(|b| b.is_ascii_digit()).count());
    let is_number = behind.starts_with(b",") && !digits.starts_with(b"0");
    str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

fn text<'t>(bytes: &'t [u8], field: &[u8]) -> Option<Cow<'t, [u8]>> {
    let rest = find(bytes, field)?;
    let mut at = 0;
    while *rest.get(at)? != b'"' {
        at += 1 + usize::from(rest[at] == b'\\');
    }
    Some(Cow::Borrowed(&rest[..at]))
}
