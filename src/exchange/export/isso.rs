//! Isso's generic JSON, for `isso import -t generic`: a list of pages with their comments.
//!
//! Isso shows all of what it imports, so it gets public comments only. It takes no answers; `parent` is for others who read this.

use std::io::{self, Write};

use super::{Comments, Exported, date_and_time, json_field, path_of};
use crate::comment::Comment;

/// Writes the list. Comments of one page must follow each other.
///
/// # Errors
/// Fails if a comment can't be read or the list can't be written.
pub fn write(comments: Comments, out: &mut dyn Write) -> io::Result<Exported> {
    let mut exported = Exported::default();
    let mut page: Option<String> = None;
    out.write_all(b"[")?;
    for comment in comments {
        let comment = comment?;
        exported.count(comment.is_visible());
        if !comment.is_visible() {
            continue;
        }
        if page.as_deref() == Some(&*comment.page) {
            out.write_all(b",\n  ")?;
        } else {
            out.write_all(if page.is_some() { b"]},\n{" } else { b"{" })?;
            json_field(out, "id", &path_of(&comment.page))?;
            out.write_all(b",")?;
            json_field(out, "title", &comment.page)?;
            out.write_all(b",\"comments\":[\n  ")?;
            page = Some(comment.page.clone());
        }
        one(out, &comment)?;
    }
    out.write_all(if page.is_some() { b"]}]\n" } else { b"]\n" })?;
    Ok(exported)
}

fn one(out: &mut dyn Write, comment: &Comment) -> io::Result<()> {
    write!(out, "{{\"id\":{},", comment.id)?;
    if let Some(parent) = comment.parent {
        write!(out, "\"parent\":{parent},")?;
    }
    json_field(out, "author", comment.name.as_deref().unwrap_or_default())?;
    out.write_all(b",\"email\":\"\",\"website\":\"\",\"remote_addr\":\"0.0.0.0\",")?;
    json_field(out, "created", &date_and_time(&comment.created_at))?;
    out.write_all(b",")?;
    json_field(out, "text", &comment.content)?;
    out.write_all(b"}")
}
