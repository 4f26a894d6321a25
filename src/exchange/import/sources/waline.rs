//! Waline's export of its tables, as its file or as its API answers.
//!
//! Knows no other JSON.

use super::super::collect::Collector;
use super::super::error::ImportError;
use super::super::input::Input;
use super::super::json::{self, Layout};
use super::super::record::{ImportedComment, Markup, PageRef};
use super::super::report::Reason;
use crate::comment::Status;

const LAYOUT: Layout = Layout {
    lists: &["Comment", "Users"],
    objects: &["data"],
    fields: &[
        "objectId",
        "id",
        "user_id",
        "comment",
        "insertedAt",
        "createdAt",
        "nick",
        "pid",
        "rid",
        "sticky",
        "status",
        "url",
        "display_name",
        "type",
    ],
};

pub fn read(input: Input, out: &mut Collector) -> Result<(), ImportError> {
    json::document(input, LAYOUT, &mut |list, row, _| {
        let id = row.text("objectId").or(row.text("id"));
        if list == "Users" {
            let name = row.text("display_name").unwrap_or_default();
            let is_site_author = row.text("type").as_deref() == Some("administrator");
            return id.map_or(Ok(()), |id| out.person(&id, &name, is_site_author));
        }
        let status = match row.text("status").as_deref() {
            Some("spam") => return out.leave_out(row.line, Reason::Spam),
            Some("waiting") => Status::Pending,
            _ => Status::Public,
        };
        let given = |name: &str| row.text(name).filter(|id| id != "0");
        let (user, parent) = (given("user_id"), given("pid").or(given("rid")));
        out.comment(ImportedComment {
            line: row.line,
            id: id.unwrap_or_default(),
            parent,
            page: row.text("url").map(PageRef::Address),
            name: row.text("nick"),
            author: user.clone(),
            person: user,
            text: row.raw("comment"),
            markup: Markup::Guess,
            created_at: row.time("insertedAt").or(row.time("createdAt")),
            status,
            pinned: row.is_true("sticky"),
            ..ImportedComment::default()
        })
    })
}
