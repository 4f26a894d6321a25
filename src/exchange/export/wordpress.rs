//! WordPress' WXR, which Disqus, Commento and many others import too: a channel with an item for each page.
//!
//! Held and hidden comments are unapproved there. Deleted ones have no place.

use std::io::{self, Write};

use super::{Comments, Exported, date_and_time, html_of, url_of};
use crate::comment::{Comment, Status};
use crate::util::html::Escaped;

/// Writes the channel. Comments of one page must follow each other.
///
/// # Errors
/// Fails if a comment can't be read or the channel can't be written.
pub fn write(comments: Comments, title: &str, out: &mut dyn Write) -> io::Result<Exported> {
    let mut exported = Exported::default();
    let mut pages = 0_u64;
    let mut page = String::new();
    writeln!(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" \
         xmlns:dsq=\"http://www.disqus.com/\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" \
         xmlns:wp=\"http://wordpress.org/export/1.2/\">\n<channel>\n<title>{}</title>\n<wp:wxr_version>1.2</wp:wxr_version>",
        Escaped(title)
    )?;
    for comment in comments {
        let comment = comment?;
        let is_written = comment.kind.is_none() && !comment.deleted;
        exported.count(is_written);
        if !is_written {
            continue;
        }
        if pages == 0 || page != comment.page {
            if pages > 0 {
                out.write_all(b"</item>\n")?;
            }
            pages += 1;
            page.clone_from(&comment.page);
            open_item(out, &page, pages)?;
        }
        one(out, &comment)?;
    }
    if pages > 0 {
        out.write_all(b"</item>\n")?;
    }
    out.write_all(b"</channel>\n</rss>\n")?;
    Ok(exported)
}

fn open_item(out: &mut dyn Write, page: &str, number: u64) -> io::Result<()> {
    let url = url_of(page);
    writeln!(
        out,
        "<item>\n<title>{page}</title>\n<link>{url}</link>\n<dsq:thread_identifier>{page}</dsq:thread_identifier>\n\
         <wp:post_id>{number}</wp:post_id>\n<wp:comment_status>open</wp:comment_status>\n<wp:status>publish</wp:status>\n\
         <wp:post_type>post</wp:post_type>",
        page = Escaped(&xml(page)),
        url = Escaped(&xml(&url)),
    )
}

fn one(out: &mut dyn Write, comment: &Comment) -> io::Result<()> {
    let time = date_and_time(&comment.created_at);
    writeln!(
        out,
        "<wp:comment>\n<wp:comment_id>{id}</wp:comment_id>\n<wp:comment_author>{name}</wp:comment_author>\n\
         <wp:comment_author_email></wp:comment_author_email>\n<wp:comment_author_IP></wp:comment_author_IP>\n\
         <wp:comment_date>{time}</wp:comment_date>\n<wp:comment_date_gmt>{time}</wp:comment_date_gmt>\n\
         <wp:comment_content>{content}</wp:comment_content>\n<wp:comment_approved>{approved}</wp:comment_approved>\n\
         <wp:comment_type></wp:comment_type>\n<wp:comment_parent>{parent}</wp:comment_parent>\n\
         <wp:comment_user_id>0</wp:comment_user_id>\n</wp:comment>",
        id = comment.id,
        name = cdata(comment.name.as_deref().unwrap_or_default()),
        content = cdata(&html_of(comment)),
        approved = u8::from(comment.status == Status::Public),
        parent = comment.parent.unwrap_or(0),
    )
}

/// A text as CDATA, which ends at the first `]]>`.
fn cdata(text: &str) -> String {
    format!("<![CDATA[{}]]>", xml(text).replace("]]>", "]]]]><![CDATA[>"))
}

/// A text without what XML 1.0 does not allow.
fn xml(text: &str) -> String {
    let is_allowed = |char: &char| {
        matches!(char, '\t' | '\n')
            || !char.is_control() && !matches!(char, '\u{fffe}' | '\u{ffff}')
    };
    text.chars().filter(is_allowed).collect()
}
