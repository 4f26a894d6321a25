//! Disqus' XML export: flat lists of threads and posts.
//!
//! Knows no other XML.

use super::super::collect::Collector;
use super::super::error::ImportError;
use super::super::input::Input;
use super::super::record::{ImportedComment, ImportedPage, Markup, PageRef};
use super::super::report::Reason;
use super::super::time;
use super::super::xml::{Element, Xml};

pub fn read(input: Input, out: &mut Collector) -> Result<(), ImportError> {
    let mut xml = Xml::new(input)?;
    let root = xml.child()?.filter(|root| root.name == "disqus");
    root.ok_or_else(|| {
        ImportError::at(1, "this is no export of Disqus: it does not begin with <disqus>")
    })?;
    let mut forum = None;
    while let Some(element) = xml.child()? {
        match &*element.name {
            "thread" => thread(&mut xml, &element, &mut forum, out)?,
            "post" => post(&mut xml, &element, &forum, out)?,
            _ => xml.skip()?,
        }
    }
    Ok(())
}

fn thread(
    xml: &mut Xml,
    thread: &Element,
    forum: &mut Option<String>,
    out: &mut Collector,
) -> Result<(), ImportError> {
    let mut page = ImportedPage::default();
    while let Some(element) = xml.child()? {
        match &*element.name {
            "link" => page.address = Some(xml.text()?),
            "forum" => *forum = Some(xml.text()?).filter(|forum| !forum.is_empty()),
            "isClosed" => page.locked = xml.text()? == "true",
            "isDeleted" => page.deleted = xml.text()? == "true",
            _ => xml.skip()?,
        }
    }
    if let Some(id) = thread.attribute("id") {
        out.page(id, page);
    }
    Ok(())
}

fn post(
    xml: &mut Xml,
    post: &Element,
    forum: &Option<String>,
    out: &mut Collector,
) -> Result<(), ImportError> {
    let mut comment = ImportedComment {
        line: post.line,
        site: forum.clone(),
        id: post.attribute("id").unwrap_or_default().to_owned(),
        markup: Markup::Html,
        ..ImportedComment::default()
    };
    let mut is_spam = false;
    while let Some(element) = xml.child()? {
        let id = || element.attribute("id").filter(|id| !id.is_empty()).map(str::to_owned);
        match &*element.name {
            "message" => comment.text = xml.text()?,
            "createdAt" => comment.created_at = time::parse(&xml.text()?),
            "isDeleted" => comment.deleted = xml.text()? == "true",
            "isSpam" => is_spam = xml.text()? == "true",
            "author" => author(xml, &mut comment)?,
            "thread" => {
                comment.page = id().map(PageRef::Id);
                xml.skip()?;
            }
            "parent" => {
                comment.parent = id();
                xml.skip()?;
            }
            _ => xml.skip()?,
        }
    }
    if is_spam { out.leave_out(comment.line, Reason::Spam) } else { out.comment(comment) }
}

fn author(xml: &mut Xml, comment: &mut ImportedComment) -> Result<(), ImportError> {
    let mut username = None;
    let mut is_anonymous = false;
    while let Some(element) = xml.child()? {
        match &*element.name {
            "name" => comment.name = Some(xml.text()?).filter(|name| !name.is_empty()),
            "username" => username = Some(xml.text()?).filter(|name| !name.is_empty()),
            "isAnonymous" => is_anonymous = xml.text()? == "true",
            _ => xml.skip()?,
        }
    }
    // Anybody may call themselves what they like.
    let name = comment.name.clone().filter(|_| !is_anonymous);
    comment.author = username.or(name);
    Ok(())
}
