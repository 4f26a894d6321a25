//! Moves the comments of one page to another, while serving and while a log is read.
//!
//! Knows no rules about who moves where.

use std::{mem, sync::Arc};

use super::{
    Index,
    list::List,
    page::{Page, Rare, by_id},
};

impl Index {
    /// Moves all comments of `old` to `new`, which from then on has them in one order with its own; `seq` is that of the line that says
    /// so. Takes as long as `old` has comments, or both if these are many. If both had comments, returns the number of the page that is
    /// no more and that of the one which has them all.
    ///
    /// It can't be rolled back, so it must not be done within a batch.
    pub fn merge_pages(&mut self, old: &str, new: &str, seq: u64) -> Option<(u32, u32)> {
        assert!(self.undo.is_none(), "a batch could not be rolled back");
        let from = self.page_numbers.remove(old)?;
        let Some(&to) = self.page_numbers.get(new) else {
            self.rename(from, new);
            return None;
        };
        let moved = mem::replace(&mut self.pages[from as usize], Page::EMPTY);
        let rare = moved.rare.map_or(Rare::EMPTY, |rare| *rare);
        for list in [&moved.unchanged, &rare.changed, &rare.pending] {
            for number in list.iter() {
                self.comments.move_root(number, to);
            }
        }
        let comments = &self.comments;
        let page = &mut self.pages[to as usize];
        self.live_pages -= usize::from(page.live > 0 && moved.live > 0);
        page.count += moved.count;
        page.live += moved.live;
        page.seq = page.seq.max(moved.seq).max(seq);
        self.newest.seq = self.newest.seq.max(seq);
        page.unchanged.merge(moved.unchanged, &by_id);
        page.threads.merge(moved.threads, &|number| comments.thread_key(number));
        let here = page.rare.get_or_insert_with(|| Box::new(Rare::EMPTY));
        here.merged = seq.max(here.merged).max(rare.merged);
        here.changed.merge(rare.changed, &|number| comments.line_key(number));
        here.pending.merge(rare.pending, &by_id);
        if here.ordered.is_none() && rare.ordered.is_none() {
            here.changed_by_id.merge(rare.changed_by_id, &by_id);
        }
        let is_ordered = here.ordered.is_some() || rare.ordered.is_some();
        if is_ordered || !self.is_by_id(to) {
            self.set_order(to);
        }
        Some((from, to))
    }

    /// Gives a page, which has no name any more, another one.
    fn rename(&mut self, page: u32, new: &str) {
        let name: Arc<str> = new.into();
        self.names[page as usize] = name.clone();
        self.page_numbers.insert(name, page);
    }

    /// Whether the order of a page without one of its own is that of the ids.
    fn is_by_id(&self, page: u32) -> bool {
        let is_sorted = |list: &List| list.iter().is_sorted_by_key(|n| self.comments.key(n));
        let by_id = self.comments.order.is_by_id();
        by_id || is_sorted(&self.pages[page as usize].all_by_id())
    }

    /// While the log is read: makes the moves that its lines tell, each with the old page, the new one and the line's `seq`, in the
    /// order of the lines. No comment is an answer then. Returns the pages that have got others' comments, with the `seq` of when.
    pub(super) fn load_moves<'m>(
        &mut self,
        moves: impl Iterator<Item = (&'m str, &'m str, u64)>,
    ) -> Vec<(u32, u64)> {
        let mut moves = moves.peekable();
        if moves.peek().is_none() {
            return Vec::new();
        }
        // Answers to comments of a page that had another name are found only once the names are resolved.
        self.loading.parents.extend(self.comments.unlink());
        // A line keeps the page it was written with, even if it came after the move: what was there at the time is told by the ids.
        let mut first_ids = vec![u64::MAX; self.pages.len()];
        for number in (0..self.comments.len()).rev() {
            first_ids[self.comments.page(number) as usize] = self.comments.ids.get(number);
        }
        // The page itself, if it has not moved.
        let mut targets: Vec<u32> = (0..self.pages.len() as u32).collect();
        let mut merged = Vec::new();
        for (old, new, seq) in moves {
            let Some(from) = self.page_numbers.remove(old) else { continue };
            let Some(&to) = self.page_numbers.get(new) else {
                self.rename(from, new);
                continue;
            };
            let [old_first, new_first] = [from, to].map(|page| first_ids[page as usize]);
            if old_first < seq && new_first < seq {
                merged.push((to, seq));
            }
            first_ids[to as usize] = old_first.min(new_first);
            targets[from as usize] = to;
        }
        let target = |mut page: u32| {
            while targets[page as usize] != page {
                page = targets[page as usize];
            }
            page
        };
        for number in 0..self.comments.len() {
            let page = self.comments.page(number);
            if target(page) != page {
                self.comments.move_root(number, target(page));
            }
        }
        merged.into_iter().map(|(page, seq)| (target(page), seq)).collect()
    }
}
