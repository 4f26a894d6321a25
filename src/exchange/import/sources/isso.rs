//! Isso's comments: what `sqlite3 -json` prints of its database, or its generic JSON with a list of threads.
//!
//! ```text
//! sqlite3 -json comments.db "SELECT t.uri,c.id,c.parent,c.created,c.modified,c.mode,c.text,c.author
//!   FROM comments c JOIN threads t ON c.tid=t.id ORDER BY c.created"
//! ```

use super::super::collect::Collector;
use super::super::error::ImportError;
use super::super::html::decode_entities;
use super::super::input::Input;
use super::super::json::{self, Field, Layout, Row};
use super::super::record::{ImportedComment, Markup, PageRef};
use crate::comment::Status;

const LAYOUT: Layout = Layout {
    lists: &["", "comments"],
    objects: &[],
    fields: &["uri", "id", "parent", "created", "modified", "mode", "text", "author"],
};
/// `mode` of a comment that waits.
const PENDING: Field = Field::Integer(2);
/// `mode` of a deleted comment that others answer.
const DELETED: Field = Field::Integer(4);

pub fn read(input: Input, out: &mut Collector) -> Result<(), ImportError> {
    json::document(input, LAYOUT, &mut |list, row, thread| {
        if list == "comments" {
            // Ids of the generic form may begin anew in each thread.
            let page = thread.text("id").ok_or_else(|| {
                ImportError::at(row.line, "the comments of a thread stand before its id")
            })?;
            let scope = format!("{page} ");
            return take(row, Some(page), &scope, out);
        }
        // A thread of the generic form was read with its comments.
        if row.has("comments") { Ok(()) } else { take(row, row.text("uri"), "", out) }
    })
}

fn take(
    row: &mut Row,
    page: Option<String>,
    scope: &str,
    out: &mut Collector,
) -> Result<(), ImportError> {
    let scoped = |id: String| [scope, &id].concat();
    out.comment(ImportedComment {
        line: row.line,
        id: row.text("id").map(scoped).unwrap_or_default(),
        parent: row.text("parent").map(scoped),
        page: page.map(PageRef::Address),
        // Names are escaped since version 0.14, once.
        name: row.text("author").map(|name| decode_entities(&name)),
        created_at: row.time("created"),
        edited_at: row.time("modified"),
        status: if *row.field("mode") == PENDING { Status::Pending } else { Status::Public },
        deleted: *row.field("mode") == DELETED,
        text: row.raw("text"),
        // What Isso imported from elsewhere is HTML.
        markup: Markup::Guess,
        ..ImportedComment::default()
    })
}
