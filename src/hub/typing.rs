//! Who is shown as typing: the name that stands over the author's public comments, never one that was only claimed.
//!
//! Stores nothing. The hub does it all itself, so the work is bounded: one search a second for each page, and for all pages together.

use std::time::Duration;

use super::Hub;
use crate::{
    comment::{Author, Comment},
    fanout::ReaderId,
    http::forwarded::ClientKey,
    store::{record::LineSummary, visibility::Visibility},
};

/// Who is typing if their name is not known.
const UNKNOWN_NAME: &str = "Someone";
/// How many of a page's newest comments are searched for the author's.
const NAME_SEARCHED_MAX: usize = 1_000;
/// How many comments are searched in one second for all pages together: about 10 ms of work. Whoever types beyond that is
/// shown without a name.
const NAMES_SEARCHED_A_SECOND_MAX: usize = 4_000;

/// How many more comments may be searched in this second.
#[derive(Debug, Default)]
pub(super) struct SearchBudget {
    /// Since the start of the hub.
    second: u64,
    searched: usize,
}

impl SearchBudget {
    /// How many comments the next search may look at; fewer than [`NAME_SEARCHED_MAX`] once most is used up.
    fn left(&mut self, now: Duration) -> usize {
        if self.second != now.as_secs() {
            *self = SearchBudget { second: now.as_secs(), searched: 0 };
        }
        NAME_SEARCHED_MAX.min(NAMES_SEARCHED_A_SECOND_MAX - self.searched)
    }
}

impl<S> Hub<S> {
    /// Tells the reader's page that somebody is typing, unless who types is banned.
    pub(super) fn announce_typing(&mut self, reader: ReaderId, from: ClientKey) {
        let Some(typist) = self.subscribers.typist(reader) else { return };
        if self.check_ban(from, typist.author).is_err() {
            return;
        }
        let (page, author) = (Box::<str>::from(typist.page), typist.author);
        let name = match (author, typist.known_name(self.index.seq(&page))) {
            (None, _) => None,
            (Some(_), Some(known)) => known.map(str::to_owned),
            (Some(author), None) => {
                let left = self.search_budget.left(self.started.elapsed());
                let name = self.public_name(&page, author, left);
                if left == NAME_SEARCHED_MAX {
                    self.subscribers.remember_name(reader, self.index.seq(&page), name.clone());
                }
                name
            }
        };
        self.subscribers.typing(&page, name.as_deref().unwrap_or(UNKNOWN_NAME));
    }

    /// The name over the author's newest public comment among the `count` newest of the page.
    fn public_name(&mut self, page: &str, author: Author, count: usize) -> Option<String> {
        let pseudonym = author.to_string();
        let mut searched = 0;
        let newest = self.index.newest(page, None).take(count).inspect(|_| searched += 1);
        let line = newest.filter(|item| item.visibility == Visibility::Public).find_map(|item| {
            let line = match self.line_cache.get(item.location.offset) {
                Some(line) => line.to_vec(),
                None => self.log.read(item.location).ok()?,
            };
            LineSummary::parse(&line).is_ok_and(|line| line.author == pseudonym).then_some(line)
        });
        self.search_budget.searched += searched;
        Comment::parse(&line?).ok()?.name
    }
}
