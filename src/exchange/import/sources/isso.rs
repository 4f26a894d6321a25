//! Isso's comments: what `sqlite3 -json` prints of its database, or its generic JSON with a list of threads.
//!
//! ```text
//! sqlite3 -json comments.db "SELECT t.uri,c.id,c.parent,c.created,c.modified,c.mode,c.text,c.author
//!   FROM comments c JOIN threads t ON c.tid=t.id ORDER BY c.created"
//! ```

use serde::Deserialize;

use super::super::collect::Collector;
use super::super::error::ImportError;
use super::super::html::decode_entities;
use super::super::input::Input;
use super::super::json::{self, Field, Layout};
use super::super::record::{ImportedComment, Markup, PageRef};
use crate::comment::Status;

const LAYOUT: Layout = Layout { lists: &[""], objects: &[] };
/// `mode` of a comment that waits.
const PENDING: Field = Field::Integer(2);
/// `mode` of a deleted comment that others answer.
const DELETED: Field = Field::Integer(4);

/// A row of the database, a thread of the generic form, or a comment in it.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Row {
    uri: Field,
    id: Field,
    parent: Field,
    created: Field,
    modified: Field,
    mode: Field,
    text: Field,
    author: Field,
    comments: Option<Vec<Row>>,
}

pub fn read(input: Input, out: &mut Collector) -> Result<(), ImportError> {
    json::document(input, LAYOUT, &mut |_, line, row: Row| match row.comments {
        None => {
            let page = row.uri.text();
            take(row, line, page, |id| id, out)
        }
        Some(comments) => {
            let page = row.id.text();
            // Ids of the generic form may begin anew in each thread.
            let thread = page.clone().unwrap_or_default();
            for comment in comments {
                take(comment, line, page.clone(), |id| format!("{thread} {id}"), out)?;
            }
            Ok(())
        }
    })
}

fn take(
    row: Row,
    line: u64,
    page: Option<String>,
    scoped: impl Fn(String) -> String,
    out: &mut Collector,
) -> Result<(), ImportError> {
    out.comment(ImportedComment {
        line,
        id: row.id.text().map(&scoped).unwrap_or_default(),
        parent: row.parent.text().map(&scoped),
        page: page.map(PageRef::Address),
        // Names are escaped since version 0.14, once.
        name: row.author.text().map(|name| decode_entities(&name)),
        created_at: row.created.time(),
        edited_at: row.modified.time(),
        status: if row.mode == PENDING { Status::Pending } else { Status::Public },
        deleted: row.mode == DELETED,
        text: row.text.into_raw(),
        // What Isso imported from elsewhere is HTML.
        markup: Markup::Guess,
        ..ImportedComment::default()
    })
}
