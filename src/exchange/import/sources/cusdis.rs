//! Cusdis' comments: what `sqlite3 -json` prints of its database, since it has no export.
//!
//! ```text
//! sqlite3 -json db.sqlite "SELECT p.slug,p.url,p.projectId,c.id,c.parentId,c.created_at,c.deletedAt,c.moderatorId,
//!   c.by_nickname,c.content,c.approved FROM comments c JOIN pages p ON c.pageId=p.id ORDER BY c.created_at"
//! ```

use super::super::collect::Collector;
use super::super::error::ImportError;
use super::super::input::Input;
use super::super::json::{self, Layout};
use super::super::page;
use super::super::record::{ImportedComment, Markup, PageRef};
use crate::comment::Status;

const LAYOUT: Layout = Layout {
    lists: &[""],
    objects: &[],
    fields: &[
        "slug",
        "url",
        "projectId",
        "id",
        "parentId",
        "created_at",
        "deletedAt",
        "moderatorId",
        "by_nickname",
        "content",
        "approved",
    ],
};

pub fn read(input: Input, out: &mut Collector) -> Result<(), ImportError> {
    json::document(input, LAYOUT, &mut |_, row, _| {
        let url = row.text("url").filter(|url| page::host(url).is_some());
        let is_site_author = row.field("moderatorId").is_given();
        let is_approved = row.is_true("approved") || is_site_author;
        out.comment(ImportedComment {
            line: row.line,
            site: row.text("projectId"),
            id: row.text("id").unwrap_or_default(),
            parent: row.text("parentId"),
            page: url.or(row.text("slug")).map(PageRef::Address),
            name: row.text("by_nickname"),
            created_at: row.time("created_at"),
            status: if is_approved { Status::Public } else { Status::Pending },
            // A deleted row keeps its text.
            deleted: row.field("deletedAt").is_given(),
            text: row.raw("content"),
            markup: Markup::Guess,
            is_site_author,
            ..ImportedComment::default()
        })
    })
}
