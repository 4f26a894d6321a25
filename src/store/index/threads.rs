//! Reads of a page's history as threads: a first comment and all answers below it, of which everyone sees at least one comment.
//!
//! A deleted or hidden answer is among the answers as long as one of them answers it, at any depth. Each read looks at what it returns
//! and at hardly anything else, whatever is deleted or held.

use std::iter;

use super::{
    CommentRef, Index,
    comments::Comments,
    list::{List, Position},
    order::Key,
};

/// A thread.
#[derive(Clone, Copy)]
pub struct Thread<'a> {
    index: &'a Index,
    list: &'a List,
    root: u32,
    /// From its first answer to behind its last.
    start: Position,
    end: Position,
}

impl Index {
    /// Returns the threads of `page` whose first comment is before the comment `before`, newest first.
    pub fn threads_before(
        &self,
        page: &str,
        before: Option<u64>,
    ) -> impl Iterator<Item = Thread<'_>> {
        let (comments, list) = (&self.comments, &self.page(page).threads);
        let mut end = before.map_or(list.end(), |id| {
            let limit = comments.before(id);
            list.position(&|number| comments.root_key(number) < limit)
        });
        iter::from_fn(move || {
            let last = list.before(end)?;
            let number = list.get(last)?;
            let root = comments.root(number);
            let start = match number == root {
                true => last,
                false => begin(comments, list, root),
            };
            let thread = self.thread(list, root, start, end);
            end = start;
            Some(thread)
        })
    }

    /// Returns the threads of `page` whose first comment is behind the comment `after`, oldest first.
    pub fn threads_after(&self, page: &str, after: u64) -> impl Iterator<Item = Thread<'_>> {
        let (comments, list) = (&self.comments, &self.page(page).threads);
        let first = comments.behind(after);
        let mut start = list.position(&|number| comments.root_key(number) < first);
        iter::from_fn(move || {
            let root = comments.root(list.get(start)?);
            let next = list.skip(start, 1);
            let end = match list.get(next).is_some_and(|number| comments.root(number) == root) {
                true => end(comments, list, root),
                false => next,
            };
            let thread = self.thread(list, root, start, end);
            start = end;
            Some(thread)
        })
    }

    /// Returns the thread that comment `id` is in, if it is on `page` and everyone gets a line of it.
    pub fn thread_of(&self, page: &str, id: u64) -> Option<Thread<'_>> {
        self.find_on(page, id).filter(|comment| comment.visibility.is_shared())?;
        let (comments, list) = (&self.comments, &self.page(page).threads);
        let root = comments.root(comments.ids.find(id)?);
        let (start, end) = (begin(comments, list, root), end(comments, list, root));
        (start != end).then(|| self.thread(list, root, start, end))
    }

    /// The thread whose comments in the list are those from `start` to `end`.
    fn thread<'a>(
        &'a self,
        list: &'a List,
        root: u32,
        start: Position,
        end: Position,
    ) -> Thread<'a> {
        let has_root = list.get(start) == Some(root);
        let start = if has_root { list.skip(start, 1) } else { start };
        Thread { index: self, list, root, start, end }
    }
}

/// Where the thread begins whose first comment this is.
fn begin(comments: &Comments, list: &List, root: u32) -> Position {
    let key = comments.key(root);
    list.position(&|number| comments.root_key(number) < key)
}

/// Where it ends.
fn end(comments: &Comments, list: &List, root: u32) -> Position {
    let key = comments.key(root);
    list.position(&|number| comments.root_key(number) <= key)
}

impl<'a> Thread<'a> {
    /// The id of its first comment.
    pub fn id(self) -> u64 {
        self.index.comments.ids.get(self.root)
    }

    /// Its first comment, if everyone gets a line of it.
    pub fn first(self) -> Option<CommentRef> {
        Some(self.index.comments.get(self.root)).filter(|first| first.visibility.is_shared())
    }

    /// The number of its answers.
    pub fn len(self) -> usize {
        self.list.distance(self.start, self.end)
    }

    /// Whether it has no answers.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Its oldest `first` and its newest `newest` answers, in the page's order; all if it has no more.
    pub fn ends(self, first: usize, newest: usize) -> impl Iterator<Item = CommentRef> + use<'a> {
        let left_out = self.len().saturating_sub(first + newest);
        let from = if left_out == 0 { self.end } else { self.list.skip(self.start, first) };
        let to = self.list.skip(from, left_out);
        let numbers = self.list.range(self.start, from).chain(self.list.range(to, self.end));
        numbers.map(move |number| self.index.comments.get(number))
    }

    /// Its answers behind the comment `id`, in the page's order.
    pub fn after(self, id: u64) -> impl Iterator<Item = CommentRef> + use<'a> {
        let comments = &self.index.comments;
        let own = if id == self.id() { Key::FIRST.next() } else { comments.behind(id) };
        let key = (comments.key(self.root), own);
        let from = self.list.position(&|number| comments.thread_key(number) < key);
        let numbers = self.list.range(from.max(self.start), self.end);
        numbers.map(move |number| comments.get(number))
    }
}
