//! Pages that open without a server: one for each page of comments, and one that lists them. They load nothing and run nothing.
//!
//! Knows no other form, and no file: the caller opens [`file_name`].

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::{Comments, Exported, html_of, url_of};
use crate::comment::Comment;
use crate::util::html::Escaped;

/// How much of a page's name its file's name has, characters.
const FILE_NAME_CHARS_MAX: usize = 80;

const STYLE: &str = ":root{color-scheme:light dark;--faint:#8886}\
body{max-width:42rem;margin:0 auto;padding:1rem;font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}\
article{margin:1rem 0;padding-top:1rem;border-top:1px solid var(--faint)}article.answer{margin-left:2rem}\
header{font-size:.875rem}header b{font-size:1rem}time,header a,.gone{opacity:.7}p,pre,ul,ol,blockquote{margin:.5rem 0}\
pre{overflow:auto;padding:.5rem;background:var(--faint)}blockquote{padding-left:1rem;border-left:3px solid var(--faint)}\
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
    let url = url_of(page);
    let (name, url) = (Escaped(page), Escaped(&url));
    writeln!(
        out,
        "<p><a href=\"index.html\">All pages</a></p>\n<h1><a href=\"{url}\">{name}</a></h1>"
    )?;
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
    out.write_all(b"</body>\n</html>\n")?;
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
    out.write_all(b"</ul>\n</body>\n</html>\n")
}

fn open(out: &mut dyn Write, title: &str) -> io::Result<()> {
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>{}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>{STYLE}</style>\n</head>\n<body>",
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
        write!(out, " <a href=\"#c{parent}\">answer to</a>")?;
    }
    let text = match comment.deleted {
        true => "<p class=\"gone\">Deleted</p>".to_owned(),
        false => html_of(comment),
    };
    writeln!(out, "</header><div dir=\"auto\">{text}</div></article>")
}
