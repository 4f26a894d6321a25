//! Reads of a page's history in its order and by `seq`. Each looks at what it returns and at hardly anything else.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{CommentRef, Index, list::List, page::Ordered, page::Page, page::Rare};

static NO_PAGE: Page = Page::EMPTY;
static NOTHING_RARE: Rare = Rare::EMPTY;
static NOTHING: List = List::EMPTY;

impl Index {
    /// Returns those comments of `page` before the comment `before` that everyone gets a line of, newest first.
    pub fn newest(&self, page: &str, before: Option<u64>) -> impl Iterator<Item = CommentRef> + '_ {
        self.numbers_before(page, before).map(|number| self.comments.get(number))
    }

    /// The same, for moderators: with those that never were public.
    pub fn newest_with_pending(
        &self,
        page: &str,
        before: Option<u64>,
    ) -> impl Iterator<Item = CommentRef> + '_ {
        let pending = self.before(self.pending_in_order(page), before);
        let is_first = |a, b| self.comments.key(a) > self.comments.key(b);
        let all = merge(self.numbers_before(page, before), pending, is_first);
        all.map(|number| self.comments.get(number))
    }

    /// Returns those comments of `page` that never were public, newest first.
    pub fn pending(&self, page: &str) -> impl Iterator<Item = CommentRef> + '_ {
        self.pending_in_order(page).iter().rev().map(|number| self.comments.get(number))
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

    /// Returns the comments of all pages with an id above `after`, oldest first.
    pub fn all_after(&self, after: u64) -> impl Iterator<Item = CommentRef> + '_ {
        let start = self.comments.ids.below(after.saturating_add(1));
        (start..self.comments.len()).map(|number| self.comments.get(number))
    }

    /// Returns the first comment of `page`, whatever became of it.
    pub fn first(&self, page: &str) -> Option<CommentRef> {
        let (a, b) = self.shared_in_order(page);
        let firsts =
            [a, b, self.pending_in_order(page)].into_iter().filter_map(|list| list.iter().next());
        let first = firsts.min_by_key(|&number| self.comments.key(number))?;
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

    /// Returns the first `limit` names of pages that begin with `start`.
    pub fn pages_below(&self, start: &str, limit: usize) -> Vec<&str> {
        let mut first = BinaryHeap::new();
        for name in self.page_numbers.keys().filter(|name| name.starts_with(start)) {
            first.push(&**name);
            if first.len() > limit {
                first.pop();
            }
        }
        first.into_sorted_vec()
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

    /// Returns the `seq` from which on a cursor has missed nothing on `page`: that at which another page's comments came to those that
    /// it had. 0 if there was none.
    pub fn merged(&self, page: &str) -> u64 {
        self.rare(page).merged
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
        let pending = pending.map(|number| (self.comments.seq(number), u64::from(number)));
        let mut pending: Vec<(u64, u64)> = pending.filter(|&(seq, _)| seq > since).collect();
        pending.sort_unstable();
        let pending = pending.into_iter().map(|(_, number)| number as u32);
        let all = self.numbers_since(page, since);
        let all = merge(all, Box::new(pending), |a, b| self.is_older_line(a, b));
        all.map(|number| self.comments.get(number))
    }

    fn numbers_before(&self, page: &str, before: Option<u64>) -> Numbers<'_> {
        let (a, b) = self.shared_in_order(page);
        let is_first = |a, b| self.comments.key(a) > self.comments.key(b);
        merge(self.before(a, before), self.before(b, before), is_first)
    }

    /// Two lists in the page's order which together have what everyone gets.
    fn shared_in_order(&self, page: &str) -> (&List, &List) {
        let rare = self.rare(page);
        match &rare.ordered {
            Some(Ordered { shared, .. }) => (shared, &NOTHING),
            None => (&self.page(page).unchanged, &rare.changed_by_id),
        }
    }

    fn pending_in_order(&self, page: &str) -> &List {
        let rare = self.rare(page);
        rare.ordered.as_ref().map_or(&rare.pending, |ordered| &ordered.pending)
    }

    fn numbers_since(&self, page: &str, since: u64) -> Numbers<'_> {
        let first = self.comments.ids.below(since.saturating_add(1));
        let unchanged = &self.page(page).unchanged;
        let unchanged = unchanged.from(unchanged.position(&|number| number < first));
        let changed = &self.rare(page).changed;
        let changed = changed.from(changed.position(&|number| self.comments.seq(number) <= since));
        merge(Box::new(unchanged), Box::new(changed), |a, b| self.is_older_line(a, b))
    }

    /// The numbers in a list in a page's order that are before the comment `before`, last first.
    fn before<'a>(&self, list: &'a List, before: Option<u64>) -> Numbers<'a> {
        let end = before.map_or(list.end(), |id| {
            let limit = self.comments.before(id);
            list.position(&|number| self.comments.key(number) < limit)
        });
        Box::new(list.up_to(end).rev())
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

/// Numbers in any order.
pub(super) type Numbers<'a> = Box<dyn Iterator<Item = u32> + 'a>;

/// Merges two sorted iterators into one. `is_first` says which of two numbers comes first.
pub(super) fn merge<'a>(
    a: Numbers<'a>,
    b: Numbers<'a>,
    is_first: impl Fn(u32, u32) -> bool + 'a,
) -> Numbers<'a> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    Box::new(std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some(&x), Some(&y)) if is_first(x, y) => a.next(),
        (_, Some(_)) => b.next(),
        _ => a.next(),
    }))
}
