//! The exports of Twikoo and Valine: a list, an object with `results`, or an object on each line.
//!
//! Knows no other JSON.

use super::super::collect::Collector;
use super::super::error::ImportError;
use super::super::input::Input;
use super::super::json::{self, Layout, Row};
use super::super::record::{ImportedComment, Markup, PageRef};
use super::super::report::Reason;

const LAYOUT: Layout = Layout {
    lists: &["", "results"],
    objects: &[],
    fields: &[
        "_id",
        "objectId",
        "nick",
        "url",
        "href",
        "pid",
        "rid",
        "comment",
        "isSpam",
        "created",
        "insertedAt",
        "createdAt",
        "top",
        "master",
    ],
};
/// Within so many bytes the first key of an object is seen.
const FIRST_KEY_BYTES: usize = 256;

pub fn read(mut input: Input, out: &mut Collector) -> Result<(), ImportError> {
    let start = input.peek(FIRST_KEY_BYTES).map_err(ImportError::Read)?;
    let start = String::from_utf8_lossy(start);
    let object = start.trim_start().strip_prefix('{');
    let is_lines = object.is_some_and(|inside| !inside.trim_start().starts_with("\"results\""));
    let each = &mut |_: &'static str, row: &mut Row, _: &Row| take(row, out);
    if is_lines { json::lines(input, LAYOUT, each) } else { json::document(input, LAYOUT, each) }
}

fn take(row: &mut Row, out: &mut Collector) -> Result<(), ImportError> {
    if row.is_true("isSpam") {
        return out.leave_out(row.line, Reason::Spam);
    }
    let times = ["created", "insertedAt", "createdAt"];
    out.comment(ImportedComment {
        line: row.line,
        id: row.text("_id").or(row.text("objectId")).unwrap_or_default(),
        parent: row.text("pid").or(row.text("rid")),
        page: row.text("url").map(PageRef::Address),
        page_url: row.text("href"),
        name: row.text("nick"),
        text: row.raw("comment"),
        markup: Markup::Html,
        created_at: times.iter().find_map(|name| row.time(name)),
        pinned: row.is_true("top"),
        is_site_author: row.is_true("master"),
        ..ImportedComment::default()
    })
}
