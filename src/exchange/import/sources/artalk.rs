//! Artrans, the list that Artalk exports and that its tool makes of other systems' exports.
//!
//! Knows no other JSON.

use serde::Deserialize;

use super::super::collect::Collector;
use super::super::error::ImportError;
use super::super::input::Input;
use super::super::json::{self, Field, Layout};
use super::super::record::{ImportedComment, Markup, PageRef};
use crate::comment::Status;

const LAYOUT: Layout = Layout { lists: &[""], objects: &[] };

#[derive(Deserialize, Default)]
#[serde(default)]
struct Row {
    id: Field,
    rid: Field,
    content: Field,
    created_at: Field,
    /// The first version's name of the time.
    date: Field,
    is_pending: Field,
    is_pinned: Field,
    nick: Field,
    page_key: Field,
    page_admin_only: Field,
    site_name: Field,
}

pub fn read(input: Input, out: &mut Collector) -> Result<(), ImportError> {
    json::document(input, LAYOUT, &mut |_, line, row: Row| {
        let page = row.page_key.text();
        if let Some(page) = page.as_deref().filter(|_| row.page_admin_only.is_true()) {
            out.lock(page, true);
        }
        out.comment(ImportedComment {
            line,
            site: row.site_name.text(),
            id: row.id.text().unwrap_or_default(),
            parent: row.rid.text().filter(|parent| parent != "0"),
            page: page.map(PageRef::Address),
            name: row.nick.text(),
            text: row.content.into_raw(),
            markup: Markup::Guess,
            created_at: row.created_at.time().or(row.date.time()),
            status: if row.is_pending.is_true() { Status::Pending } else { Status::Public },
            pinned: row.is_pinned.is_true(),
            ..ImportedComment::default()
        })
    })
}
