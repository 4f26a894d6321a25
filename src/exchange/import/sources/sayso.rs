//! sayso's own lines: a log, with all its versions of a comment, or an export. Of several lines of a comment the last counts.
//!
//! Reads no checksums: `sayso check` does.

use serde::Deserialize;

use super::super::collect::Collector;
use super::super::error::ImportError;
use super::super::input::Input;
use super::super::json::{self, Field};
use super::super::record::{ImportedComment, PageRef};
use super::super::report::Reason;
use crate::comment::{Author, Status};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Line {
    /// The header's version.
    sayso: Field,
    log: Field,
    id: Field,
    page: Field,
    parent: Field,
    name: Field,
    author: Field,
    content: Field,
    created_at: Field,
    edited_at: Field,
    deleted: Field,
    nonce: Field,
    status: Field,
    pinned: Field,
    #[serde(rename = "mod")]
    moderator: Field,
    kind: Field,
    locked: Field,
}

pub fn read(input: Input, out: &mut Collector) -> Result<(), ImportError> {
    let mut log = String::new();
    json::lines(input, &mut |number, line: Line| {
        if line.sayso.is_given() {
            log = line.log.text().unwrap_or_default();
            return Ok(());
        }
        match (line.kind.text().as_deref(), line.page.text()) {
            (None, _) => out.comment(comment(line, number, &log)),
            (Some("page"), Some(page)) if line.locked != Field::Absent => {
                out.lock(&page, line.locked.is_true());
                Ok(())
            }
            _ => out.leave_out(number, Reason::NoComment),
        }
    })
}

fn comment(line: Line, number: u64, log: &str) -> ImportedComment {
    let id = |id: String| format!("{log}/{id}");
    ImportedComment {
        line: number,
        id: line.id.text().map(id).unwrap_or_default(),
        parent: line.parent.text().map(id),
        page: line.page.text().map(PageRef::Address),
        name: line.name.text(),
        pseudonym: line.author.text().filter(|author| Author::parse(author).is_some()),
        text: line.content.into_raw(),
        created_at: line.created_at.time(),
        edited_at: line.edited_at.time(),
        status: match line.status.text().as_deref() {
            Some("pending") => Status::Pending,
            Some("hidden") => Status::Hidden,
            _ => Status::Public,
        },
        deleted: line.deleted.is_true(),
        pinned: line.pinned.is_true(),
        is_site_author: line.moderator.is_given(),
        nonce: Some(line.nonce.into_raw()),
        ..ImportedComment::default()
    }
}
