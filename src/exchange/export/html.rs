//! Pages that open without a server: one for each page of comments, and one that lists them. They load nothing and run nothing.
//!
//! Knows no other form, and no file: the caller opens [`file_name`].

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::{Comments, Exported, html_of};
use crate::comment::Comment;
use crate::http::page_url::named_url;
use crate::util::html::Escaped;

/// How much of a page's name its file's name has, characters.
const FILE_NAME_CHARS_MAX: usize = 80;

/// The colours and sizes of the widget.
const STYLE: &str = ":root{color-scheme:light dark;--soft:light-dark(#5f6670,#9aa2ad);--line:light-dark(#e6e8ec,#2a2e35);--fill:light-dark(#f6f7f9,#1c1f25)}\
body{max-width:42rem;margin:0 auto;padding:1rem;background:light-dark(#fff,#14161a);color:light-dark(#1c1e21,#e6e8eb);\
font:16px/1.55 system-ui,sans-serif;overflow-wrap:anywhere}h1{font-size:1.25rem;font-weight:650}a{color:light-dark(#2457d6,#8fb0ff)}\
article{margin:1.1rem 0}article.answer{margin-inline-start:1rem;padding-inline-start:.9rem;border-inline-start:2px solid var(--line)}\
header,header a,.gone{color:var(--soft);font-size:.8125rem}b{color:light-dark(#1c1e21,#e6e8eb);font-size:1rem;font-weight:600}\
p,pre,ul,ol,blockquote{margin:.5rem 0}:is(code,pre){background:var(--fill);font:.8125rem/1.55 ui-monospace,monospace}\
pre{white-space:pre-wrap;padding:.6rem .9rem;border:1px solid var(--line);border-radius:8px}\
blockquote{padding-inline-start:.75rem;border-inline-start:3px solid var(--line);color:var(--soft)}\
article:target{outline:2px solid;outline-offset:.5rem}";

/// The name of the file of a page: readable, and different for different pages.
pub fn file_name(page: &str) -> String {
    let readable = |char: char| if char.is_ascii_alphanumeric() { char } else { '-' };
    let name: String = page.chars().take(FILE_NAME_CHARS_MAX).map(readable).collect();
    let digest = Sha256::digest(page);
    let mark: String = digest[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{mark}.html", name.trim_matches('-'))
}

/// Writes the comments of one page, in the order in which they come: an answer behind what it answers. Public ones are shown,
/// and the places of deleted ones.
///
/// # Errors
/// Fails if a comment can't be read or the document can't be written.
pub fn write_page(page: &str, comments: Comments, out: &mut dyn Write) -> io::Result<Exported> {
    let mut exported = Exported::default();
    open(out, page)?;
    out.write_all(b"<p><a href=\"index.html\">All pages</a></p>\n")?;
    let name = Escaped(page);
    match named_url(page) {
        Some(url) => writeln!(out, "<h1><a href=\"{}\">{name}</a></h1>", Escaped(&url))?,
        None => writeln!(out, "<h1>{name}</h1>")?,
    }
    for comment in comments {
        let comment = comment?;
        let is_written = comment.is_visible();
        exported.count(is_written);
        if is_written
            || comment.deleted && comment.kind.is_none() && comment.status == Default::default()
        {
            article(out, &comment)?;
        }
    }
    out.write_all(b"</main>\n</body>\n</html>\n")?;
    Ok(exported)
}

/// Writes the list of pages with the number of their comments.
///
/// # Errors
/// Fails if the document can't be written.
pub fn write_index(
    title: &str,
    pages: &mut dyn Iterator<Item = (String, u64)>,
    out: &mut dyn Write,
) -> io::Result<()> {
    open(out, title)?;
    writeln!(out, "<h1>{}</h1>\n<ul>", Escaped(title))?;
    for (page, count) in pages {
        let file = file_name(&page);
        writeln!(out, "<li><a href=\"{file}\">{}</a> ({count})</li>", Escaped(&page))?;
    }
    out.write_all(b"</ul>\n</main>\n</body>\n</html>\n")
}

fn open(out: &mut dyn Write, title: &str) -> io::Result<()> {
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>{}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>{STYLE}</style>\n</head>\n<body>\n<main>",
        Escaped(title)
    )
}

fn article(out: &mut dyn Write, comment: &Comment) -> io::Result<()> {
    let id = comment.id;
    let class = if comment.parent.is_some() { " class=\"answer\"" } else { "" };
    write!(out, "<article id=\"c{id}\"{class}><header>")?;
    if !comment.deleted {
        write!(
            out,
            "<b dir=\"auto\">{}</b> ",
            Escaped(comment.name.as_deref().unwrap_or("Anonymous"))
        )?;
    }
    let time = Escaped(&comment.created_at);
    let shown = comment.created_at.get(..16).unwrap_or(&comment.created_at).replace('T', " ");
    write!(out, "<a href=\"#c{id}\"><time datetime=\"{time}\">{}</time></a>", Escaped(&shown))?;
    if comment.edited_at.is_some() && !comment.deleted {
        out.write_all(b" edited")?;
    }
    if let Some(parent) = comment.parent {
        write!(out, " <a href=\"#c{parent}\">answers this one</a>")?;
    }
    let text = match comment.deleted {
        true => "<p class=\"gone\">Deleted</p>".to_owned(),
        false => html_of(comment),
    };
    writeln!(out, "</header><div dir=\"auto\">{text}</div></article>")
}
