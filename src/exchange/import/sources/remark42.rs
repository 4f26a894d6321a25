//! Remark42's backup: a line about users and posts, which may be missing, and a line for each comment.
//!
//! Knows no other JSON.

use super::super::collect::Collector;
use super::super::error::ImportError;
use super::super::input::Input;
use super::super::json::{self, Layout};
use super::super::record::{ImportedComment, Markup, PageRef};

const LAYOUT: Layout = Layout {
    lists: &["posts"],
    objects: &[],
    fields: &[
        "version",
        "url",
        "read_only",
        "id",
        "pid",
        "text",
        "orig",
        "user.id",
        "user.name",
        "user.admin",
        "locator.site",
        "locator.url",
        "time",
        "edit.time",
        "pin",
        "delete",
    ],
};

pub fn read(input: Input, out: &mut Collector) -> Result<(), ImportError> {
    json::lines(input, LAYOUT, &mut |list, row, _| {
        if list == "posts" {
            if let Some(url) = row.text("url").filter(|_| row.is_true("read_only")) {
                out.lock(&url, true);
            }
            return Ok(());
        }
        if row.has("version") {
            return Ok(());
        }
        // A deleted user is nobody in particular.
        let author = row.text("user.id").filter(|id| id != "deleted");
        // What Remark42 itself imported has no source.
        let (text, markup) = match row.text("orig") {
            Some(_) => (row.raw("orig"), Markup::Markdown),
            None => (row.raw("text"), Markup::Html),
        };
        out.comment(ImportedComment {
            line: row.line,
            site: row.text("locator.site"),
            id: row.text("id").unwrap_or_default(),
            parent: row.text("pid"),
            page: row.text("locator.url").map(PageRef::Address),
            name: row.text("user.name").filter(|_| author.is_some()),
            author,
            text,
            markup,
            created_at: row.time("time"),
            edited_at: row.time("edit.time"),
            deleted: row.is_true("delete"),
            pinned: row.is_true("pin"),
            is_site_author: row.is_true("user.admin"),
            ..ImportedComment::default()
        })
    })
}
