//! The exports of Commento, Commento++ and Comentario: version 1 with hexadecimal ids, version 3 with pages.
//!
//! Knows no other JSON.

use serde::Deserialize;

use super::super::collect::Collector;
use super::super::error::ImportError;
use super::super::input::Input;
use super::super::json::{self, Field, Layout};
use super::super::record::{ImportedComment, ImportedPage, PageRef};
use crate::comment::Status;

const LAYOUT: Layout = Layout { lists: &["comments", "commenters", "pages"], objects: &[] };

/// An entry of any of the lists.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Entry {
    // Version 1.
    comment_hex: Field,
    commenter_hex: Field,
    parent_hex: Field,
    domain: Field,
    host: Field,
    state: Field,
    creation_date: Field,
    deleted: Field,
    // Version 3.
    id: Field,
    parent_id: Field,
    page_id: Field,
    is_sticky: Field,
    is_approved: Field,
    is_pending: Field,
    is_deleted: Field,
    is_readonly: Field,
    created_time: Field,
    edited_time: Field,
    user_created: Field,
    author_name: Field,
    // Both.
    url: Field,
    path: Field,
    markdown: Field,
    name: Field,
    is_moderator: Field,
}

pub fn read(input: Input, out: &mut Collector) -> Result<(), ImportError> {
    json::document(input, LAYOUT, &mut |list, line, entry: Entry| match list {
        "pages" => {
            let address = entry.path.text().map(|path| rooted(&path));
            let locked = entry.is_readonly.is_true();
            if let Some(id) = entry.id.text() {
                out.page(&id, ImportedPage { address, locked, deleted: false });
            }
            Ok(())
        }
        "commenters" => match entry.commenter_hex.text().or(entry.id.text()).filter(is_somebody) {
            Some(id) => {
                let name = entry.name.text().unwrap_or_default();
                out.person(&id, &name, entry.is_moderator.is_true())
            }
            None => Ok(()),
        },
        _ if entry.page_id.text().is_some() => out.comment(version_3(entry, line)),
        _ => out.comment(version_1(entry, line)),
    })
}

fn version_1(entry: Entry, line: u64) -> ImportedComment {
    let site = entry.domain.text().or(entry.host.text());
    let path = entry.path.text().or(entry.url.text()).map(|path| rooted(&path));
    let page = match &site {
        Some(site) => path.map(|path| format!("https://{site}{path}")),
        None => path,
    };
    let commenter = entry.commenter_hex.text().filter(is_somebody);
    let text = entry.markdown.into_raw();
    ImportedComment {
        line,
        site,
        id: entry.comment_hex.text().unwrap_or_default(),
        parent: entry.parent_hex.text().filter(|parent| parent != "root" && is_somebody(parent)),
        page: page.map(PageRef::Address),
        author: commenter.clone(),
        person: commenter,
        created_at: entry.creation_date.time(),
        status: match entry.state.text().as_deref() {
            Some("unapproved") => Status::Pending,
            Some("flagged") => Status::Hidden,
            _ => Status::Public,
        },
        // The flag is never set in what Commento exports.
        deleted: entry.deleted.is_true() || is_deleted(&text),
        text,
        ..ImportedComment::default()
    }
}

fn version_3(entry: Entry, line: u64) -> ImportedComment {
    let user = entry.user_created.text().filter(is_somebody);
    let author_name = entry.author_name.text();
    let text = entry.markdown.into_raw();
    ImportedComment {
        line,
        id: entry.id.text().unwrap_or_default(),
        parent: entry.parent_id.text().filter(is_somebody),
        page: entry.page_id.text().map(PageRef::Id),
        // The list of pages has no host.
        page_url: entry.url.text(),
        author: user.clone(),
        person: user.filter(|_| author_name.is_none()),
        name: author_name,
        created_at: entry.created_time.time(),
        edited_at: entry.edited_time.time(),
        status: match (entry.is_approved.is_true(), entry.is_pending.is_true()) {
            (true, _) => Status::Public,
            (false, true) => Status::Pending,
            (false, false) => Status::Hidden,
        },
        deleted: entry.is_deleted.is_true() || is_deleted(&text),
        pinned: entry.is_sticky.is_true(),
        text,
        ..ImportedComment::default()
    }
}

fn is_deleted(markdown: &str) -> bool {
    matches!(markdown.trim(), "" | "[deleted]")
}

/// Whether an id is more than zeros, `anonymous` or `deleted`.
fn is_somebody(id: &String) -> bool {
    !matches!(&**id, "anonymous" | "deleted") && id.bytes().any(|byte| byte != b'0' && byte != b'-')
}

fn rooted(path: &str) -> String {
    if path.starts_with('/') || path.contains("://") { path.into() } else { format!("/{path}") }
}
