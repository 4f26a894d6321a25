//! WordPress' WXR of any version: comments inside the items of an RSS channel.
//!
//! Knows no other XML.

use super::super::collect::Collector;
use super::super::error::ImportError;
use super::super::html::decode_entities;
use super::super::input::Input;
use super::super::page;
use super::super::record::{ImportedComment, ImportedPage, Markup, PageRef};
use super::super::report::Reason;
use super::super::time;
use super::super::xml::Xml;
use crate::comment::Status;

pub fn read(input: Input, out: &mut Collector) -> Result<(), ImportError> {
    let mut xml = Xml::new(input)?;
    let root = xml.child()?.filter(|root| root.name == "rss");
    root.ok_or_else(|| {
        ImportError::at(1, "this is no export of WordPress: it does not begin with <rss>")
    })?;
    while let Some(element) = xml.child()? {
        if element.name == "channel" { channel(&mut xml, out)? } else { xml.skip()? }
    }
    Ok(())
}

fn channel(xml: &mut Xml, out: &mut Collector) -> Result<(), ImportError> {
    let mut site = None;
    let mut items = 0_u64;
    while let Some(element) = xml.child()? {
        match &*element.name {
            "link" | "base_blog_url" => site = page::host(&xml.text()?).or(site),
            "item" => {
                items += 1;
                item(xml, items, &site, out)?;
            }
            _ => xml.skip()?,
        }
    }
    Ok(())
}

fn item(
    xml: &mut Xml,
    number: u64,
    site: &Option<String>,
    out: &mut Collector,
) -> Result<(), ImportError> {
    // Items may share a line, and posts of several exports an id.
    let page_id = number.to_string();
    let mut post = String::new();
    let mut page = ImportedPage::default();
    while let Some(element) = xml.child()? {
        match &*element.name {
            "link" => page.address = Some(xml.text()?),
            "post_id" => post = xml.text()?,
            "comment_status" => page.locked = xml.text()? == "closed",
            "status" => match &*xml.text()? {
                // Exports before WXR 1.0 lack it; attachments inherit theirs.
                "" | "publish" | "inherit" => {}
                "trash" => page.deleted = true,
                // `private`, `draft`, `pending`, `future`, and whatever plugins add.
                _ => page.held = true,
            },
            "post_password" => page.held |= !xml.text()?.is_empty(),
            "comment" => {
                let comment = ImportedComment {
                    line: element.line,
                    site: site.clone(),
                    page: Some(PageRef::Id(page_id.clone())),
                    markup: Markup::HtmlLines,
                    ..ImportedComment::default()
                };
                read_comment(xml, comment, &post, out)?;
            }
            _ => xml.skip()?,
        }
    }
    out.page(&page_id, page);
    Ok(())
}

fn read_comment(
    xml: &mut Xml,
    mut comment: ImportedComment,
    post: &str,
    out: &mut Collector,
) -> Result<(), ImportError> {
    let (mut kind, mut approved, mut local_time) = (String::new(), String::new(), None);
    // Ids repeat where exports were put together, but not within a post.
    let scoped = |id: String| format!("{post}/{id}");
    while let Some(element) = xml.child()? {
        match &*element.name {
            "comment_id" => comment.id = scoped(xml.text()?),
            "comment_author" => comment.name = Some(decode_entities(&xml.text()?)),
            "comment_date_gmt" => comment.created_at = time::parse(&xml.text()?),
            "comment_date" => local_time = time::parse(&xml.text()?),
            "comment_content" => comment.text = xml.text()?,
            "comment_approved" => approved = xml.text()?,
            "comment_type" => kind = xml.text()?,
            "comment_parent" => {
                let parent = xml.text()?;
                let is_given = !matches!(&*parent, "" | "0");
                comment.parent = is_given.then(|| scoped(parent));
            }
            "comment_user_id" => {
                comment.author = Some(xml.text()?).filter(|id| !matches!(&**id, "" | "0"));
            }
            _ => xml.skip()?,
        }
    }
    // Old imports have no time in UTC, but `0000-00-00`.
    comment.created_at = comment.created_at.or(local_time);
    match &*approved {
        "1" | "approve" | "approved" => {}
        "spam" => return out.leave_out(comment.line, Reason::Spam),
        "trash" | "post-trashed" => comment.deleted = true,
        _ => comment.status = Status::Pending,
    }
    match &*kind {
        "" | "comment" => out.comment(comment),
        _ => out.leave_out(comment.line, Reason::NoComment),
    }
}
