//! The newest public comments of all pages or of some, for start pages and feeds.
//!
//! Only finds where the lines lie; who asked reads them.

use std::{io, sync::Arc};

use super::{
    Hub,
    reads::{ANSWER_BYTES_MAX, bounded},
};
use crate::{
    comment::Comment, hub::command::Callback, store::history::History, store::index::newest::Of,
};

/// The newest public comments, read over HTTP.
pub struct ReadNewest {
    /// Those of this page only.
    pub page: Option<String>,
    /// Those of pages whose names begin so only.
    pub prefix: Option<String>,
    /// Comments at most.
    pub limit: usize,
    /// Takes them.
    pub answer: Callback<Newest>,
}

/// The newest public comments.
pub struct Newest {
    /// The comments, newest first. Its `seq` is that of the page, or the highest of all pages.
    pub history: History,
    /// The present name of the page that was asked for.
    pub page: Option<String>,
    /// Of each, the present name of its page.
    pub pages: Vec<Arc<str>>,
}

impl Newest {
    /// Reads the comments one after another and passes each to `each`: with the present name of its page, its line, and whether that has
    /// another one, as the page has moved since.
    ///
    /// # Errors
    /// Fails if reading the log fails.
    pub fn read(&self, each: &mut dyn FnMut(Comment, &[u8], bool)) -> io::Result<()> {
        let mut pages = self.pages.iter();
        let mut broken = None;
        self.history.read(|_, line| match (Comment::parse(line), pages.next()) {
            (Ok(mut comment), Some(page)) => {
                let has_moved = comment.page != **page;
                if has_moved {
                    comment.page = page.to_string();
                }
                each(comment, line, has_moved);
            }
            (Ok(_), None) => unreachable!("each comment is on a page"),
            (Err(error), _) => broken = Some(error),
        })?;
        broken.map_or(Ok(()), |error| Err(error.into()))
    }
}

impl<S> Hub<S> {
    pub(super) fn read_newest(&self, read: ReadNewest) {
        let ReadNewest { page, prefix, limit, answer } = read;
        let page = page.map(|page| self.resolve(page));
        let of = match (&page, &prefix) {
            (Some(page), _) => Of::Page(page),
            (_, Some(prefix)) => Of::Prefix(prefix),
            _ => Of::All,
        };
        let mut newest = self.index.newest_public(of);
        let (items, more) = bounded(&mut newest, limit, ANSWER_BYTES_MAX);
        let pages = items.iter().filter_map(|item| self.index.page_name(item.id)).collect();
        let mut history = self.history(page.as_deref().unwrap_or_default(), items, more, false);
        if page.is_none() {
            history.seq = self.index.public_seq();
        }
        answer(Newest { history, page: page.clone(), pages });
    }
}
