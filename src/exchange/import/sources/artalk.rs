//! Artrans, the list that Artalk exports and that its tool makes of other systems' exports.
//!
//! Knows no other JSON.

use super::super::collect::Collector;
use super::super::error::ImportError;
use super::super::input::Input;
use super::super::json::{self, Layout};
use super::super::record::{ImportedComment, Markup, PageRef};
use crate::comment::Status;

const LAYOUT: Layout = Layout {
    lists: &[""],
    objects: &[],
    // `date` is the first version's name of the time.
    fields: &[
        "id",
        "rid",
        "content",
        "created_at",
        "date",
        "is_pending",
        "is_pinned",
        "nick",
        "page_key",
        "page_admin_only",
        "site_name",
    ],
};

pub fn read(input: Input, out: &mut Collector) -> Result<(), ImportError> {
    json::document(input, LAYOUT, &mut |_, row, _| {
        let page = row.text("page_key");
        if let Some(page) = page.as_deref().filter(|_| row.is_true("page_admin_only")) {
            out.lock(page, true);
        }
        out.comment(ImportedComment {
            line: row.line,
            site: row.text("site_name"),
            id: row.text("id").unwrap_or_default(),
            parent: row.text("rid").filter(|parent| parent != "0"),
            page: page.map(PageRef::Address),
            name: row.text("nick"),
            text: row.raw("content"),
            markup: Markup::Guess,
            created_at: row.time("created_at").or(row.time("date")),
            status: if row.is_true("is_pending") { Status::Pending } else { Status::Public },
            pinned: row.is_true("is_pinned"),
            ..ImportedComment::default()
        })
    })
}
