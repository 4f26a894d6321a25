//! Reads of a page's history by id and by `seq`. Each looks at what it returns and at hardly anything else.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{CommentRef, Index, list::List, page::Page, page::Rare};

static NO_PAGE: Page = Page::EMPTY;
static NOTHING_RARE: Rare = Rare::EMPTY;

impl Index {
    /// Returns those comments of `page` with an id below `before` that everyone gets a line of, newest first.
    pub fn newest(&self, page: &str, before: Option<u64>) -> impl Iterator<Item = CommentRef> + '_ {
        self.numbers_before(page, before).map(|number| self.comments.get(number))
    }

    /// The same, for moderators: with those that never were public.
    pub fn newest_with_pending(
        &self,
        page: &str,
        before: Option<u64>,
    ) -> impl Iterator<Item = CommentRef> + '_ {
        let pending = self.before(&self.rare(page).pending, before);
        let all = merge(self.numbers_before(page, before), pending, |a, b| a > b);
        all.map(|number| self.comments.get(number))
    }

    /// Returns those comments of `page` that never were public, newest first.
    pub fn pending(&self, page: &str) -> impl Iterator<Item = CommentRef> + '_ {
        self.rare(page).pending.iter().rev().map(|number| self.comments.get(number))
    }

    /// Returns those comments of `page` that everyone gets a line of and that have more lines than their first, newest first.
    pub fn changed(&self, page: &str) -> impl Iterator<Item = CommentRef> + '_ {
        self.rare(page).changed_by_id.iter().rev().map(|number| self.comments.get(number))
    }

    /// Returns the comments of all pages with an id below `before`, newest first.
    pub fn all_before(&self, before: Option<u64>) -> impl Iterator<Item = CommentRef> + '_ {
        let end = before.map_or(self.comments.len(), |id| self.comments.ids.below(id));
        (0..end).rev().map(|number| self.comments.get(number))
    }

    /// Returns the first comment of `page`, whatever became of it.
    pub fn first(&self, page: &str) -> Option<CommentRef> {
        let (lists, rare) = (self.page(page), self.rare(page));
        let lists = [&lists.unchanged, &rare.changed_by_id, &rare.pending];
        let first = lists.iter().filter_map(|list| list.iter().next()).min()?;
        Some(self.comments.get(first))
    }

    /// Returns the names of those `limit` pages whose newest comment has the highest `seq` below `before`, with that, highest first.
    pub fn newest_pages(&self, before: Option<u64>, limit: usize) -> Vec<(&str, u64)> {
        let mut newest = BinaryHeap::with_capacity(limit + 1);
        for (name, &number) in &self.page_numbers {
            let seq = self.newest_seq(number);
            if before.is_none_or(|before| seq < before) {
                newest.push(Reverse((seq, &**name)));
                if newest.len() > limit {
                    newest.pop();
                }
            }
        }
        newest.into_sorted_vec().into_iter().map(|Reverse((seq, name))| (name, seq)).collect()
    }

    /// Returns the highest `seq` of the comments on `page`, those that were never public included.
    pub fn seq_with_pending(&self, page: &str) -> u64 {
        self.page_number_of(page).map_or(0, |number| self.newest_seq(number))
    }

    fn newest_seq(&self, number: u32) -> u64 {
        let page = &self.pages[number as usize];
        let pending = page.rare.as_ref().and_then(|rare| rare.pending.iter().next_back());
        page.seq.max(pending.map_or(0, |number| self.comments.seq(number)))
    }

    /// Returns those comments of `page` whose newest line everyone gets and has a `seq` above `since`, by rising `seq`.
    pub fn since(&self, page: &str, since: u64) -> impl Iterator<Item = CommentRef> + '_ {
        self.numbers_since(page, since).map(|number| self.comments.get(number))
    }

    /// The same, for moderators: with those that never were public.
    pub fn since_with_pending(
        &self,
        page: &str,
        since: u64,
    ) -> impl Iterator<Item = CommentRef> + '_ {
        let pending = self.rare(page).pending.iter();
        let mut pending: Vec<u32> = pending.filter(|&n| self.comments.seq(n) > since).collect();
        pending.sort_unstable_by_key(|&number| self.comments.seq(number));
        let all = self.numbers_since(page, since);
        let all = merge(all, pending.into_iter(), |a, b| self.is_older_line(a, b));
        all.map(|number| self.comments.get(number))
    }

    fn numbers_before(&self, page: &str, before: Option<u64>) -> impl Iterator<Item = u32> + '_ {
        let unchanged = self.before(&self.page(page).unchanged, before);
        let changed = self.before(&self.rare(page).changed_by_id, before);
        merge(unchanged, changed, |a, b| a > b)
    }

    fn numbers_since(&self, page: &str, since: u64) -> impl Iterator<Item = u32> + '_ {
        let first = self.comments.ids.below(since.saturating_add(1));
        let unchanged = &self.page(page).unchanged;
        let unchanged = unchanged.from(unchanged.position(|number| number < first));
        let changed = &self.rare(page).changed;
        let changed = changed.from(changed.position(|number| self.comments.seq(number) <= since));
        merge(unchanged, changed, |a, b| self.is_older_line(a, b))
    }

    /// The numbers in a list that is sorted by id whose ids are below `before`, highest first.
    fn before<'a>(
        &self,
        list: &'a List,
        before: Option<u64>,
    ) -> impl Iterator<Item = u32> + use<'a> {
        let end = before.map_or(self.comments.len(), |id| self.comments.ids.below(id));
        list.up_to(list.position(|number| number < end)).rev()
    }

    fn is_older_line(&self, a: u32, b: u32) -> bool {
        self.comments.seq(a) < self.comments.seq(b)
    }

    pub(super) fn page(&self, page: &str) -> &Page {
        self.page_numbers.get(page).map_or(&NO_PAGE, |&number| &self.pages[number as usize])
    }

    fn rare(&self, page: &str) -> &Rare {
        self.page(page).rare.as_deref().unwrap_or(&NOTHING_RARE)
    }
}

/// Merges two sorted iterators into one. `is_first` says which of two numbers comes first.
fn merge(
    a: impl Iterator<Item = u32>,
    b: impl Iterator<Item = u32>,
    is_first: impl Fn(u32, u32) -> bool,
) -> impl Iterator<Item = u32> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some(&x), Some(&y)) if is_first(x, y) => a.next(),
        (_, Some(_)) => b.next(),
        _ => a.next(),
    })
}
