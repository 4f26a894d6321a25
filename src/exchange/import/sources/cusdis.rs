//! Cusdis' comments: what `sqlite3 -json` prints of its database, since it has no export.
//!
//! ```text
//! sqlite3 -json db.sqlite "SELECT p.slug,p.url,p.projectId,c.id,c.parentId,c.created_at,c.deletedAt,c.moderatorId,
//!   c.by_nickname,c.content,c.approved FROM comments c JOIN pages p ON c.pageId=p.id ORDER BY c.created_at"
//! ```

use serde::Deserialize;

use super::super::collect::Collector;
use super::super::error::ImportError;
use super::super::input::Input;
use super::super::json::{self, Field, Layout};
use super::super::page;
use super::super::record::{ImportedComment, Markup, PageRef};
use crate::comment::Status;

const LAYOUT: Layout = Layout { lists: &[""], objects: &[] };

#[derive(Deserialize, Default)]
#[serde(default)]
struct Row {
    slug: Field,
    url: Field,
    #[serde(rename = "projectId")]
    project_id: Field,
    id: Field,
    #[serde(rename = "parentId")]
    parent_id: Field,
    created_at: Field,
    #[serde(rename = "deletedAt")]
    deleted_at: Field,
    #[serde(rename = "moderatorId")]
    moderator_id: Field,
    by_nickname: Field,
    content: Field,
    approved: Field,
}

pub fn read(input: Input, out: &mut Collector) -> Result<(), ImportError> {
    json::document(input, LAYOUT, &mut |_, line, row: Row| {
        let url = row.url.text().filter(|url| page::host(url).is_some());
        let is_site_author = row.moderator_id.is_given();
        out.comment(ImportedComment {
            line,
            site: row.project_id.text(),
            id: row.id.text().unwrap_or_default(),
            parent: row.parent_id.text(),
            page: url.or(row.slug.text()).map(PageRef::Address),
            name: row.by_nickname.text(),
            created_at: row.created_at.time(),
            status: match row.approved.is_true() || is_site_author {
                true => Status::Public,
                false => Status::Pending,
            },
            // A deleted row keeps its text.
            deleted: row.deleted_at.is_given(),
            text: row.content.into_raw(),
            markup: Markup::Guess,
            is_site_author,
            ..ImportedComment::default()
        })
    })
}
