//! The newest public comments of all pages or of some, for start pages and feeds.
//!
//! Only finds where the lines lie; who asked reads them.

use super::{
    Hub,
    reads::{ANSWER_BYTES_MAX, bounded},
};
use crate::{
    hub::command::{Newest, ReadNewest},
    store::index::newest::Of,
};

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
        answer(Newest { history, pages });
    }
}
