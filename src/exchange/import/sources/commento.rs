//! The exports of Commento, Commento++ and Comentario: version 1 with hexadecimal ids, version 3 with pages.
//!
//! Knows no other JSON.

use super::super::collect::Collector;
use super::super::error::ImportError;
use super::super::input::Input;
use super::super::json::{self, Layout, Row};
use super::super::record::{ImportedComment, ImportedPage, PageRef};
use crate::comment::Status;

const LAYOUT: Layout = Layout {
    lists: &["comments", "commenters", "pages"],
    objects: &[],
    fields: &[
        // Version 1.
        "commentHex",
        "commenterHex",
        "parentHex",
        "domain",
        "host",
        "state",
        "creationDate",
        "deleted",
        // Version 3.
        "id",
        "parentId",
        "pageId",
        "isSticky",
        "isApproved",
        "isPending",
        "isDeleted",
        "isReadonly",
        "createdTime",
        "editedTime",
        "userCreated",
        "authorName",
        // Both.
        "url",
        "path",
        "markdown",
        "name",
        "isModerator",
    ],
};

pub fn read(input: Input, out: &mut Collector) -> Result<(), ImportError> {
    json::document(input, LAYOUT, &mut |list, row, _| match list {
        "pages" => {
            let address = row.text("path").map(|path| rooted(&path));
            let locked = row.is_true("isReadonly");
            if let Some(id) = row.text("id") {
                out.page(&id, ImportedPage { address, locked, ..ImportedPage::default() });
            }
            Ok(())
        }
        "commenters" => {
            let id = row.text("commenterHex").or(row.text("id")).filter(is_somebody);
            let name = row.text("name").unwrap_or_default();
            id.map_or(Ok(()), |id| out.person(&id, &name, row.is_true("isModerator")))
        }
        _ if row.text("pageId").is_some() => out.comment(version_3(row)),
        _ => out.comment(version_1(row)),
    })
}

fn version_1(row: &mut Row) -> ImportedComment {
    let site = row.text("domain").or(row.text("host"));
    let path = row.text("path").or(row.text("url")).map(|path| rooted(&path));
    let page = match &site {
        Some(site) => path.map(|path| format!("https://{site}{path}")),
        None => path,
    };
    let commenter = row.text("commenterHex").filter(is_somebody);
    let text = row.raw("markdown");
    ImportedComment {
        line: row.line,
        site,
        id: row.text("commentHex").unwrap_or_default(),
        parent: row.text("parentHex").filter(|parent| parent != "root" && is_somebody(parent)),
        page: page.map(PageRef::Address),
        author: commenter.clone(),
        person: commenter,
        created_at: row.time("creationDate"),
        status: match row.text("state").as_deref() {
            Some("unapproved") => Status::Pending,
            Some("flagged") => Status::Hidden,
            _ => Status::Public,
        },
        // The flag is never set in what Commento exports.
        deleted: row.is_true("deleted") || is_deleted(&text),
        text,
        ..ImportedComment::default()
    }
}

fn version_3(row: &mut Row) -> ImportedComment {
    let user = row.text("userCreated").filter(is_somebody);
    let author_name = row.text("authorName");
    let text = row.raw("markdown");
    ImportedComment {
        line: row.line,
        id: row.text("id").unwrap_or_default(),
        parent: row.text("parentId").filter(is_somebody),
        page: row.text("pageId").map(PageRef::Id),
        // The list of pages has no host.
        page_url: row.text("url"),
        author: user.clone(),
        person: user.filter(|_| author_name.is_none()),
        name: author_name,
        created_at: row.time("createdTime"),
        edited_at: row.time("editedTime"),
        status: match (row.is_true("isApproved"), row.is_true("isPending")) {
            (true, _) => Status::Public,
            (false, true) => Status::Pending,
            (false, false) => Status::Hidden,
        },
        deleted: row.is_true("isDeleted") || is_deleted(&text),
        pinned: row.is_true("isSticky"),
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
