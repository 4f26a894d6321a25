//! Waline's export of its tables, as its file or as its API answers.
//!
//! Knows no other JSON.

use serde::Deserialize;

use super::super::collect::Collector;
use super::super::error::ImportError;
use super::super::input::Input;
use super::super::json::{self, Field, Layout};
use super::super::record::{ImportedComment, Markup, PageRef};
use super::super::report::Reason;
use crate::comment::Status;

const LAYOUT: Layout = Layout { lists: &["Comment", "Users"], objects: &["data"] };

/// A comment or a user.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Row {
    #[serde(rename = "objectId")]
    object_id: Field,
    id: Field,
    user_id: Field,
    comment: Field,
    #[serde(rename = "insertedAt")]
    inserted_at: Field,
    #[serde(rename = "createdAt")]
    created_at: Field,
    nick: Field,
    pid: Field,
    rid: Field,
    sticky: Field,
    status: Field,
    url: Field,
    display_name: Field,
    #[serde(rename = "type")]
    kind: Field,
}

pub fn read(input: Input, out: &mut Collector) -> Result<(), ImportError> {
    json::document(input, LAYOUT, &mut |list, line, row: Row| {
        let id = row.object_id.text().or(row.id.text());
        if list == "Users" {
            let name = row.display_name.text().unwrap_or_default();
            let is_site_author = row.kind.text().as_deref() == Some("administrator");
            return id.map_or(Ok(()), |id| out.person(&id, &name, is_site_author));
        }
        let status = match row.status.text().as_deref() {
            Some("spam") => return out.leave_out(line, Reason::Spam),
            Some("waiting") => Status::Pending,
            _ => Status::Public,
        };
        let is_given = |id: &String| id != "0";
        let user = row.user_id.text().filter(is_given);
        out.comment(ImportedComment {
            line,
            id: id.unwrap_or_default(),
            parent: row.pid.text().filter(is_given).or(row.rid.text().filter(is_given)),
            page: row.url.text().map(PageRef::Address),
            name: row.nick.text(),
            author: user.clone(),
            person: user,
            text: row.comment.into_raw(),
            markup: Markup::Guess,
            created_at: row.inserted_at.time().or(row.created_at.time()),
            status,
            pinned: row.sticky.is_true(),
            ..ImportedComment::default()
        })
    })
}
