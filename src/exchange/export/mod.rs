//! Writes comments in the forms that other systems import, and in forms that need no system at all.
//!
//! Each form takes comments one by one and keeps none, so an export takes the same memory however many there are. Knows neither the
//! log nor who asks: the caller chooses the comments and their order. Those that a form has no room for are counted.

pub mod csv;
pub mod html;
pub mod isso;
pub mod remark42;
pub mod sayso;
pub mod wordpress;

use std::io::{self, Write};

use crate::comment::Comment;

/// What comments come from: the newest line of each, with errors of reading them.
pub type Comments<'c> = &'c mut dyn Iterator<Item = io::Result<Comment>>;

/// What an export has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exported {
    /// Comments that were written.
    pub comments: u64,
    /// Comments that the form has no place for: deleted, held or hidden ones, by form.
    pub left_out: u64,
}

impl Exported {
    fn count(&mut self, is_written: bool) {
        self.comments += u64::from(is_written);
        self.left_out += u64::from(!is_written);
    }
}

/// Appends a field of a JSON object: a comma unless it is the first, the name and a text.
fn json_field(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    write!(out, "\"{name}\":")?;
    json_text(out, value)
}

fn json_text(out: &mut dyn Write, value: &str) -> io::Result<()> {
    out.write_all(serde_json::to_string(value)?.as_bytes())
}

/// The URL of a page.
fn url_of(page: &str) -> String {
    if page.contains("://") {
        return page.to_owned();
    }
    match page.strip_prefix('/') {
        Some(path) => format!("http://localhost/{path}"),
        None => format!("https://{page}"),
    }
}

/// The path of a page.
fn path_of(page: &str) -> &str {
    let page = page.split_once("://").map_or(page, |(_, rest)| rest);
    page.find('/').map_or("/", |at| &page[at..])
}

/// A time as `2026-11-22 05:08:00`.
fn date_and_time(rfc3339: &str) -> String {
    let (date, time) = rfc3339.split_once('T').unwrap_or((rfc3339, "00:00:00"));
    format!("{date} {}", time.get(..8).unwrap_or(time))
}

/// The HTML of a comment's text.
fn html_of(comment: &Comment) -> String {
    comment.html.clone().unwrap_or_else(|| {
        let text = crate::util::html::Escaped(&comment.content).to_string();
        format!("<p>{}</p>", text.replace("\n\n", "</p><p>").replace('\n', "<br>"))
    })
}

#[cfg(test)]
mod tests;
