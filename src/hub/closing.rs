//! Which pages are closed to new comments: those that a moderator has closed, and with `--close-after` those that are old.
//!
//! Knows nobody who asks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Hub;
use crate::{comment::rejection::Rejection, util::table::Table};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// When each page closes by its age, by its number; only pages that were asked for, and only with `--close-after`.
pub(super) type ClosingTimes = Table<u64, SystemTime>;

impl<S> Hub<S> {
    /// Refuses a post to a closed page.
    pub(super) fn check_lock(&mut self, page: &str) -> Result<(), Rejection> {
        self.learn_closing_time(page);
        if self.is_locked(page) { Err(Rejection::PageLocked(page.into())) } else { Ok(()) }
    }

    /// Whether a page takes no comments. What a moderator has said counts more than its age.
    pub(super) fn is_locked(&self, page: &str) -> bool {
        match self.moderation.pages.get(page) {
            Some(state) => state.locked,
            None => self.closing_time(page).is_some_and(|end| end <= self.time()),
        }
    }

    /// Tells the readers of pages that have become too old, once.
    pub(super) fn close_old_pages(&mut self) {
        if self.rules.close_after.is_none() {
            return;
        }
        let now = self.time();
        let before = self.closings_told.replace(now).unwrap_or(UNIX_EPOCH);
        for page in self.subscribers.pages() {
            self.learn_closing_time(&page);
            let end = self.closing_time(&page).filter(|end| before < *end && *end <= now);
            if end.is_some() && self.is_locked(&page) {
                self.subscribers.locked(&page, true);
            }
        }
    }

    fn closing_time(&self, page: &str) -> Option<SystemTime> {
        self.rules.close_after?;
        let number = self.index.page_number_of(page)?;
        let known = self.closing_times.get(&number.into()).copied();
        known.or_else(|| self.read_closing_time(page))
    }

    /// Keeps when a page closes, so that its first comment is read once. While that one is in the batch, nothing is kept: a roll-back takes it
    /// out again, and gives the number of a new page to another one.
    pub(super) fn learn_closing_time(&mut self, page: &str) {
        if let Some(time) = self.closing_time(page)
            && let Some(number) = self.index.page_number_of(page)
            && let Some(first) = self.index.first(page)
            && first.location.offset < self.log.end()
        {
            self.closing_times.insert(number.into(), time);
        }
    }

    fn read_closing_time(&self, page: &str) -> Option<SystemTime> {
        let first = self.comment(self.index.first(page)?).ok()?;
        let first = humantime::parse_rfc3339(&first.created_at).ok()?;
        first.checked_add(DAY * self.rules.close_after?)
    }
}
