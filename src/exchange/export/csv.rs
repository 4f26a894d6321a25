//! A table (RFC 4180) for spreadsheets: a row for each comment, whatever its status.
//!
//! Knows no other form.

use std::io::{self, Write};

use super::{Comments, Exported};
use crate::comment::Status;

/// Spreadsheets run what begins with one of these.
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Writes a table with a heading.
///
/// # Errors
/// Fails if a comment can't be read or the table can't be written.
pub fn write(comments: Comments, out: &mut dyn Write) -> io::Result<Exported> {
    let mut exported = Exported::default();
    out.write_all(b"id,page,parent,name,author,created_at,edited_at,status,content\r\n")?;
    for comment in comments {
        let comment = comment?;
        exported.count(comment.kind.is_none());
        if comment.kind.is_some() {
            continue;
        }
        let status = match comment.status {
            _ if comment.deleted => "deleted",
            Status::Public => "public",
            Status::Pending => "pending",
            Status::Hidden => "hidden",
        };
        let parent = comment.parent.map(|parent| parent.to_string()).unwrap_or_default();
        write!(out, "{},", comment.id)?;
        field(out, &comment.page)?;
        write!(out, ",{parent},")?;
        field(out, comment.name.as_deref().unwrap_or_default())?;
        // A pseudonym may begin with `-`, but is no formula.
        write!(out, ",{},", comment.author.as_deref().unwrap_or_default())?;
        let edited_at = comment.edited_at.as_deref().unwrap_or_default();
        write!(out, "{},{edited_at},{status},", comment.created_at)?;
        field(out, &comment.content)?;
        out.write_all(b"\r\n")?;
    }
    Ok(exported)
}

fn field(out: &mut dyn Write, text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let guard = if text.starts_with(FORMULA_STARTS) { "'" } else { "" };
    write!(out, "\"{guard}{}\"", text.replace('"', "\"\""))
}
