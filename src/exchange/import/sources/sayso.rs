//! sayso's own lines: a log, with all its versions of a comment, or an export. Of several lines of a comment the last counts.
//!
//! The lines of a log must have the right checksums; an export has none.

use super::super::collect::Collector;
use super::super::error::ImportError;
use super::super::input::Input;
use super::super::json::{self, Layout, Row};
use super::super::record::{ImportedComment, PageRef};
use super::super::report::Reason;
use crate::comment::{Author, Status};

const LAYOUT: Layout = Layout {
    lists: &[],
    objects: &[],
    // `sayso` is the header's version.
    fields: &[
        "sayso",
        "log",
        "id",
        "page",
        "parent",
        "name",
        "author",
        "content",
        "created_at",
        "edited_at",
        "deleted",
        "nonce",
        "status",
        "pinned",
        "mod",
        "mod_edited",
        "verified",
        "imported",
        "kind",
        "locked",
    ],
};

pub fn read(mut input: Input, out: &mut Collector) -> Result<(), ImportError> {
    let checksums = input.checksums();
    let read = lines(input, out);
    if read.is_ok() {
        checksums.borrow_mut().finish();
    }
    // What is damaged may be no JSON on a later line.
    match checksums.borrow().broken() {
        Some(line) => Err(ImportError::at(
            line,
            "the checksum is wrong: the line is damaged, or one before it is missing; sayso repair mends a log",
        )),
        None => read,
    }
}

fn lines(input: Input, out: &mut Collector) -> Result<(), ImportError> {
    let mut log = String::new();
    json::lines(input, LAYOUT, &mut |_, row, _| {
        if row.has("sayso") {
            log = row.text("log").unwrap_or_default();
            return Ok(());
        }
        match (row.text("kind").as_deref(), row.text("page")) {
            (None, _) => out.comment(comment(row, &log)),
            (Some("page"), Some(page)) if row.has("locked") => {
                out.lock(&page, row.is_true("locked"));
                Ok(())
            }
            _ => out.leave_out(row.line, Reason::NoComment),
        }
    })
}

fn comment(row: &mut Row, log: &str) -> ImportedComment {
    let id = |id: String| format!("{log}/{id}");
    ImportedComment {
        line: row.line,
        id: row.text("id").map(id).unwrap_or_default(),
        parent: row.text("parent").map(id),
        page: row.text("page").map(PageRef::Address),
        name: row.text("name"),
        pseudonym: row.text("author").filter(|author| Author::parse(author).is_some()),
        text: row.raw("content"),
        created_at: row.time("created_at"),
        edited_at: row.time("edited_at"),
        status: match row.text("status").as_deref() {
            Some("pending") => Status::Pending,
            Some("hidden") => Status::Hidden,
            _ => Status::Public,
        },
        deleted: row.is_true("deleted"),
        pinned: row.is_true("pinned"),
        is_site_author: row.field("mod").is_given(),
        moderator: row.text("mod"),
        mod_edited: row.is_true("mod_edited"),
        verified: row.is_true("verified"),
        imported: row.text("imported"),
        nonce: row.text("nonce"),
        ..ImportedComment::default()
    }
}
