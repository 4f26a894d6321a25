//! Remark42's backup: a line about users and posts, then a line for each comment.
//!
//! Remark42 knows no comments that wait, so it gets public ones, and deleted ones because of their answers.

use std::io::{self, Write};

use super::{Comments, Exported, html_of, json_field, json_text, url_of};
use crate::comment::{Comment, Status};

/// Writes the lines, for a site of that name.
///
/// # Errors
/// Fails if a comment can't be read or a line can't be written.
pub fn write(comments: Comments, site: &str, out: &mut dyn Write) -> io::Result<Exported> {
    let mut exported = Exported::default();
    out.write_all(b"{\"version\":1,\"users\":[],\"posts\":[]}\n")?;
    for comment in comments {
        let comment = comment?;
        let is_written = comment.kind.is_none() && comment.status == Status::Public;
        exported.count(is_written);
        if is_written {
            one(out, &comment, site)?;
        }
    }
    Ok(exported)
}

fn one(out: &mut dyn Write, comment: &Comment, site: &str) -> io::Result<()> {
    let parent = comment.parent.map(|parent| parent.to_string()).unwrap_or_default();
    let (text, name, user) = if comment.deleted {
        (String::new(), "deleted", "deleted".to_owned())
    } else {
        let name = comment.name.as_deref().unwrap_or("anonymous");
        let author = comment.author.as_ref();
        (
            html_of(comment),
            name,
            author.map_or("anonymous".into(), |author| format!("sayso_{author}")),
        )
    };
    write!(out, "{{\"id\":\"{}\",\"pid\":\"{parent}\",", comment.id)?;
    json_field(out, "text", &text)?;
    out.write_all(b",")?;
    json_field(out, "orig", &comment.content)?;
    out.write_all(b",\"user\":{")?;
    json_field(out, "name", name)?;
    out.write_all(b",")?;
    json_field(out, "id", &user)?;
    out.write_all(b",\"picture\":\"\",\"ip\":\"\",\"admin\":")?;
    out.write_all(if comment.moderator.is_some() { b"true" } else { b"false" })?;
    out.write_all(b"},\"locator\":{")?;
    json_field(out, "site", site)?;
    out.write_all(b",")?;
    json_field(out, "url", &url_of(&comment.page))?;
    write!(out, "}},\"score\":0,\"votes\":{{}},\"time\":\"{}\"", comment.created_at)?;
    if comment.pinned {
        out.write_all(b",\"pin\":true")?;
    }
    if let Some(edited_at) = comment.edited_at.as_ref().filter(|_| !comment.deleted) {
        out.write_all(b",\"edit\":{\"time\":")?;
        json_text(out, edited_at)?;
        out.write_all(b",\"summary\":\"\"}")?;
    }
    out.write_all(if comment.deleted { b",\"delete\":true}\n" } else { b"}\n" })
}
