//! The text of a comment: trimmed and checked first, rendered later, since that takes longer than all checks.
//!
//! Knows no message and no other field.

use std::borrow::Cow;

use super::check_characters;
use crate::{
    comment::block_list::BlockList,
    comment::hold_reason::HoldReason,
    comment::markup,
    comment::rejection::Rejection,
    comment::shown_text::{count_addresses, count_links, is_blank},
    limits::CONTENT_BYTES_MAX,
};

/// The text of a new or edited comment, checked and rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The text, trimmed, with `\n` as its only line break.
    pub content: String,
    /// Its safe HTML; `None` if the text has no markup.
    pub html: Option<String>,
}

/// A text that is trimmed and checked, but not rendered yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainText(String);

impl PlainText {
    /// Trims and checks a text.
    ///
    /// # Errors
    /// Fails if the text is empty or shows nothing, is too long, or has control characters.
    pub fn of(content: Option<&str>) -> Result<PlainText, Rejection> {
        let mut content = Cow::Borrowed(content.ok_or(Rejection::ContentEmpty)?);
        if content.contains('\r') {
            content = content.replace("\r\n", "\n").replace('\r', "\n").into();
        }
        let content = content.trim();
        if is_blank(content) {
            return Err(Rejection::ContentEmpty);
        }
        if content.len() > CONTENT_BYTES_MAX {
            return Err(Rejection::ContentTooLong(content.len()));
        }
        check_characters("content", content, |c| c == '\n' || c == '\t')?;
        Ok(PlainText(content.into()))
    }

    /// Renders the text.
    pub fn render(self) -> Text {
        let html = markup::html(&self.0);
        Text { content: self.0, html }
    }
}

impl Text {
    /// How many links and web addresses the text has, as it was written or as it is shown, whichever has more.
    pub fn count_links(&self) -> usize {
        count_addresses(&self.content).max(self.html.as_deref().map_or(0, count_links))
    }

    /// What of a list the text or the name has.
    pub fn blocked_by(&self, list: &BlockList, name: Option<&str>) -> Option<HoldReason> {
        let line = list.find(&self.content, self.html.as_deref(), name)?;
        Some(HoldReason::Word(line.into()))
    }
}
