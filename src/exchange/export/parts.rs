//! What several forms write alike: JSON, times, addresses of pages, and the HTML of a text.
//!
//! Pure.

use std::io::{self, Write};

use crate::comment::Comment;
use crate::http::page_url::named_url;

/// Appends a field of a JSON object: a comma unless it is the first, the name and a text.
pub(super) fn json_field(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    write!(out, "\"{name}\":")?;
    json_text(out, value)
}

pub(super) fn json_text(out: &mut dyn Write, value: &str) -> io::Result<()> {
    out.write_all(serde_json::to_string(value)?.as_bytes())
}

/// The host of pages that have none, in forms that need one. It never exists (RFC 2606 §2), so nobody is sent to a wrong place.
const NO_HOST: &str = "https://sayso.invalid";

/// The URL of a page. One whose name is no address is on [`NO_HOST`].
pub fn url_of(page: &str) -> String {
    let slash = if page.starts_with('/') { "" } else { "/" };
    let on_no_host = || named_url(&[NO_HOST, slash, page].concat());
    named_url(page).or_else(on_no_host).unwrap_or_default()
}

/// The path of a page: that of its address, else its whole name.
pub fn path_of(page: &str) -> String {
    let path = match named_url(page) {
        None => page,
        Some(_) => {
            let rest = page.split_once("://").map_or(page, |(_, rest)| rest);
            rest.find(['/', '?']).map_or("", |at| &rest[at..])
        }
    };
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

/// A time as `2026-11-22 05:08:00`.
pub(super) fn date_and_time(rfc3339: &str) -> String {
    let (date, time) = rfc3339.split_once('T').unwrap_or((rfc3339, "00:00:00"));
    format!("{date} {}", time.get(..8).unwrap_or(time))
}

/// The HTML of a comment's text.
pub(super) fn html_of(comment: &Comment) -> String {
    comment.html.clone().unwrap_or_else(|| {
        let text = crate::util::html::Escaped(&comment.content).to_string();
        format!("<p>{}</p>", text.replace("\n\n", "</p><p>").replace('\n', "<br>"))
    })
}
