//! The exports of Twikoo and Valine: a list, an object with `results`, or an object on each line.
//!
//! Knows no other JSON.

use serde::Deserialize;

use super::super::collect::Collector;
use super::super::error::ImportError;
use super::super::input::Input;
use super::super::json::{self, Field, Layout};
use super::super::record::{ImportedComment, Markup, PageRef};
use super::super::report::Reason;

const LAYOUT: Layout = Layout { lists: &["", "results"], objects: &[] };
/// Within so many bytes the first key of an object is seen.
const FIRST_KEY_BYTES: usize = 256;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Row {
    _id: Field,
    #[serde(rename = "objectId")]
    object_id: Field,
    nick: Field,
    url: Field,
    href: Field,
    pid: Field,
    rid: Field,
    comment: Field,
    #[serde(rename = "isSpam")]
    is_spam: Field,
    created: Field,
    #[serde(rename = "insertedAt")]
    inserted_at: Field,
    #[serde(rename = "createdAt")]
    created_at: Field,
    top: Field,
    master: Field,
}

pub fn read(mut input: Input, out: &mut Collector) -> Result<(), ImportError> {
    let start = input.peek(FIRST_KEY_BYTES).map_err(ImportError::Read)?;
    let start = String::from_utf8_lossy(start);
    let object = start.trim_start().strip_prefix('{');
    let is_lines = object.is_some_and(|inside| !inside.trim_start().starts_with("\"results\""));
    if is_lines {
        return json::lines(input, &mut |line, row| take(row, line, out));
    }
    json::document(input, LAYOUT, &mut |_, line, row| take(row, line, out))
}

fn take(row: Row, line: u64, out: &mut Collector) -> Result<(), ImportError> {
    if row.is_spam.is_true() {
        return out.leave_out(line, Reason::Spam);
    }
    out.comment(ImportedComment {
        line,
        id: row._id.text().or(row.object_id.text()).unwrap_or_default(),
        parent: row.pid.text().or(row.rid.text()),
        page: row.url.text().map(PageRef::Address),
        page_url: row.href.text(),
        name: row.nick.text(),
        text: row.comment.into_raw(),
        markup: Markup::Html,
        created_at: row.created.time().or(row.inserted_at.time()).or(row.created_at.time()),
        pinned: row.top.is_true(),
        is_site_author: row.master.is_true(),
        ..ImportedComment::default()
    })
}
