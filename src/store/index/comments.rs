//! What is kept of each comment by its number, and which comment answers which.
//!
//! Knows no lists: those are the pages'.

use super::{CommentRef, ids::Ids};
use crate::store::visibility::PackedLocation;

/// Numbers of comments, pages and branches are below this, so that two bits are left to tell them apart.
const NUMBERS_MAX: u32 = 1 << 30;

/// All comments. Their numbers rise with their ids.
#[derive(Debug, Default)]
pub(super) struct Comments {
    pub ids: Ids,
    pub locations: Vec<PackedLocation>,
    pub meta: Vec<Meta>,
    /// Of answers that answer an answer or are answered themselves. The last ones belong to the newest comments.
    pub branches: Vec<Branch>,
}

/// The rest of what is kept of a comment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meta {
    /// `seq` of the newest line minus `id`. At 80 bytes a line, 2³² lines behind a comment's first are 344 GB of log.
    pub seq_delta: u32,
    pub place: Place,
    /// Fingerprint of the nonce, or 0 if there is none.
    pub fingerprint: u32,
}

/// What a comment belongs to, packed: a [`Kind`] and a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It begins a thread on the page with this number.
    Page,
    /// It answers the first comment of a thread, which has this number, and nothing answers it.
    Root,
    /// It is any other answer; the number is that of its branch.
    Branch,
}

/// Where an answer belongs that doesn't just answer the first comment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Branch {
    /// The first comment of its thread.
    root: u32,
    /// What it answers.
    parent: u32,
    /// How many of the answers to it are in the list of threads.
    listed: u32,
}

impl Place {
    pub(super) fn on_page(page: u32) -> Place {
        Place::new(Kind::Page, page)
    }

    fn new(kind: Kind, number: u32) -> Place {
        assert!(number < NUMBERS_MAX, "at most 2^30 comments and pages are supported");
        Place((kind as u32) << 30 | number)
    }

    fn get(self) -> (Kind, u32) {
        let kind = match self.0 >> 30 {
            0 => Kind::Page,
            1 => Kind::Root,
            _ => Kind::Branch,
        };
        (kind, self.0 & (NUMBERS_MAX - 1))
    }
}

impl Comments {
    pub(super) fn len(&self) -> u32 {
        self.ids.len()
    }

    pub(super) fn push(&mut self, id: u64, location: PackedLocation, meta: Meta) {
        self.ids.push(id);
        self.locations.push(location);
        self.meta.push(meta);
    }

    pub(super) fn get(&self, number: u32) -> CommentRef {
        visit();
        let packed = self.locations[number as usize];
        CommentRef {
            id: self.ids.get(number),
            seq: self.seq(number),
            location: packed.location(),
            visibility: packed.visibility(),
        }
    }

    pub(super) fn seq(&self, number: u32) -> u64 {
        visit();
        self.ids.get(number) + u64::from(self.meta[number as usize].seq_delta)
    }

    fn place(&self, number: u32) -> (Kind, u32) {
        visit();
        self.meta[number as usize].place.get()
    }

    /// The first comment of a comment's thread, which may be itself.
    pub(super) fn root(&self, number: u32) -> u32 {
        match self.place(number) {
            (Kind::Page, _) => number,
            (Kind::Root, root) => root,
            (Kind::Branch, branch) => self.branches[branch as usize].root,
        }
    }

    /// The number of a comment's page.
    pub(super) fn page(&self, number: u32) -> u32 {
        match self.place(self.root(number)) {
            (Kind::Page, page) => page,
            _ => unreachable!("the first comment of a thread answers nothing"),
        }
    }

    /// What a comment answers, unless that is the first comment of the thread.
    fn branch_above(&self, number: u32) -> Option<u32> {
        let (Kind::Branch, branch) = self.place(number) else { return None };
        let Branch { root, parent, .. } = self.branches[branch as usize];
        (parent != root).then_some(parent)
    }

    /// Makes a comment an answer, if what it answers is an earlier comment on its page.
    pub(super) fn link(&mut self, number: u32, parent: u64) {
        let Some(parent) = self.ids.find(parent).filter(|&parent| parent < number) else { return };
        if self.page(parent) != self.page(number) {
            return;
        }
        let root = self.root(parent);
        self.meta[number as usize].place = if parent == root {
            Place::new(Kind::Root, root)
        } else {
            if self.place(parent).0 == Kind::Root {
                self.meta[parent as usize].place = self.add_branch(root, root);
            }
            self.add_branch(root, parent)
        };
    }

    fn add_branch(&mut self, root: u32, parent: u32) -> Place {
        self.branches.push(Branch { root, parent, listed: 0 });
        Place::new(Kind::Branch, self.branches.len() as u32 - 1)
    }

    /// Removes the last comment, and those of the branches that came with it: all beyond the first `branches`.
    pub(super) fn pop(&mut self, branches: usize) {
        let number = self.len() - 1;
        if let Some(parent) = self.branch_above(number)
            && let (Kind::Branch, branch) = self.place(parent)
            && branch as usize >= branches
        {
            self.meta[parent as usize].place = Place::new(Kind::Root, self.root(parent));
        }
        self.branches.truncate(branches);
        self.ids.pop();
        self.locations.pop();
        self.meta.pop();
    }

    /// Whether a comment belongs in its page's list of threads: everyone sees it, or everyone sees its tombstone above an answer that
    /// is in the list. The first comment of a thread needs no place there to be found.
    pub(super) fn is_listed(&self, number: u32) -> bool {
        let visibility = self.locations[number as usize].visibility();
        visibility.is_public() || (visibility.is_shared() && self.listed_answers(number) > 0)
    }

    fn listed_answers(&self, number: u32) -> u32 {
        match self.place(number) {
            (Kind::Branch, branch) => self.branches[branch as usize].listed,
            _ => 0,
        }
    }

    /// Counts that a comment has come into the list of threads or has left it. Returns what it answers, if that now does the same.
    pub(super) fn count_listed(&mut self, number: u32, is_listed: bool) -> Option<u32> {
        let parent = self.branch_above(number)?;
        let before = self.is_listed(parent);
        let (_, branch) = self.place(parent);
        let listed = &mut self.branches[branch as usize].listed;
        *listed = if is_listed { *listed + 1 } else { *listed - 1 };
        (self.is_listed(parent) != before).then_some(parent)
    }

    /// By which a page's list of threads is sorted.
    pub(super) fn thread_key(&self, number: u32) -> (u32, u32) {
        (self.root(number), number)
    }
}

/// How many comments this thread has looked at.
#[cfg(test)]
pub(super) mod visits {
    use std::cell::Cell;

    thread_local! {
        static COUNT: Cell<usize> = const { Cell::new(0) };
    }

    pub(in super::super) fn add() {
        COUNT.set(COUNT.get() + 1);
    }

    pub(in super::super) fn take() -> usize {
        COUNT.take()
    }
}

/// Counted by tests: what a read costs.
fn visit() {
    #[cfg(test)]
    visits::add();
}
