//! What is kept of each comment by its number, and which comment answers which.
//!
//! Knows no lists: those are the pages'.

use super::{
    CommentRef,
    ids::Ids,
    list::SortKey,
    order::{Key, Order},
};
use crate::log::scan::Location;
use crate::store::visibility::PackedLocation;

/// Numbers of comments, pages and branches are below this, so that two bits are left to tell them apart.
const NUMBERS_MAX: u32 = 1 << 30;
/// So many comments are looked at to find the first one of a thread, which each eighth answer to an answer to an answer … names.
const STEPS_TO_ROOT_MAX: u32 = 8;

/// All comments. Their numbers rise with their ids.
#[derive(Debug, Default)]
pub(super) struct Comments {
    pub ids: Ids,
    pub locations: Vec<PackedLocation>,
    pub meta: Vec<Meta>,
    /// Of each answer: how many of the answers to it are in the list of threads, at most [`u8::MAX`]; of others, 0.
    pub listed: Vec<u8>,
    pub order: Order,
    /// Of some answers, the first comment of the thread and what they answer.
    branches: Vec<(u32, u32)>,
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
    /// It answers the first comment of a thread, which has this number.
    Root,
    /// It answers the answer with this number.
    Answer,
    /// It answers an answer; the number is that of its branch.
    Branch,
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
            2 => Kind::Answer,
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
        self.listed.push(0);
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
        self.steps_to_root(number).1
    }

    /// How many comments are looked at for the first comment of a thread, and that.
    fn steps_to_root(&self, mut number: u32) -> (u32, u32) {
        for steps in 1.. {
            match self.place(number) {
                (Kind::Page, _) => return (steps, number),
                (Kind::Root, root) => return (steps, root),
                (Kind::Answer, parent) => number = parent,
                (Kind::Branch, branch) => return (steps, self.branches[branch as usize].0),
            }
        }
        unreachable!("a comment answers an earlier one")
    }

    /// The number of a comment's page.
    pub(super) fn page(&self, number: u32) -> u32 {
        match self.place(self.root(number)) {
            (Kind::Page, page) => page,
            _ => unreachable!("the first comment of a thread answers nothing"),
        }
    }

    /// The answer that a comment answers, if it doesn't answer the first comment of the thread.
    pub(super) fn answer_above(&self, number: u32) -> Option<u32> {
        match self.place(number) {
            (Kind::Answer, parent) => Some(parent),
            (Kind::Branch, branch) => Some(self.branches[branch as usize].1),
            _ => None,
        }
    }

    /// Makes a comment an answer, if what it answers is an earlier comment on its page. Returns whether it is.
    pub(super) fn link(&mut self, number: u32, parent: u64) -> bool {
        let Some(parent) = self.ids.find_before(number, parent) else { return false };
        let (steps, root) = self.steps_to_root(parent);
        if self.place(root) != self.place(number) {
            return false;
        }
        self.meta[number as usize].place = if parent == root {
            Place::new(Kind::Root, root)
        } else if steps < STEPS_TO_ROOT_MAX {
            Place::new(Kind::Answer, parent)
        } else {
            self.branches.push((root, parent));
            Place::new(Kind::Branch, self.branches.len() as u32 - 1)
        };
        true
    }

    /// Makes no comment an answer any more. Returns the ids of those that were, and of what they answered.
    pub(super) fn unlink(&mut self) -> Vec<(u64, u64)> {
        let mut answers = Vec::new();
        // What is answered has a lower number than its answers.
        for number in (0..self.len()).rev() {
            let root = self.root(number);
            if root != number {
                let parent = self.answer_above(number).unwrap_or(root);
                answers.push((self.ids.get(number), self.ids.get(parent)));
                self.meta[number as usize].place = self.meta[root as usize].place;
            }
        }
        self.branches.clear();
        answers
    }

    /// Whether any comment is an answer.
    pub(super) fn has_answers(&self) -> bool {
        self.meta.iter().any(|meta| meta.place.get().0 != Kind::Page)
    }

    /// Gives the last comment, or while a log is read a later one than any so far, a time of its own. `time_of` reads that of another
    /// comment's line.
    pub(super) fn date(
        &mut self,
        number: u32,
        time: u64,
        time_of: &dyn Fn(Location) -> Option<u64>,
    ) {
        let locations = &self.locations;
        let time_of = |other: u32| time_of(locations[other as usize].location()).unwrap_or(0);
        self.order.place(number, time, time_of);
    }

    /// Makes the first comment of a thread one of another page. Returns whether it is one.
    pub(super) fn move_root(&mut self, number: u32, page: u32) -> bool {
        let is_root = self.place(number).0 == Kind::Page;
        if is_root {
            self.meta[number as usize].place = Place::on_page(page);
        }
        is_root
    }

    /// Removes the last comment.
    pub(super) fn pop(&mut self) {
        self.order.pop(self.len() - 1);
        if self.place(self.len() - 1).0 == Kind::Branch {
            self.branches.pop();
        }
        self.ids.pop();
        self.locations.pop();
        self.meta.pop();
        self.listed.pop();
    }

    /// Whether a comment belongs in its page's list of threads: everyone sees it, or everyone sees its tombstone above an answer that
    /// is in the list. The first comment of a thread needs no place there to be found.
    pub(super) fn is_listed(&self, number: u32) -> bool {
        let visibility = self.locations[number as usize].visibility();
        visibility.is_public() || (visibility.is_shared() && self.listed[number as usize] > 0)
    }

    /// Whether everyone sees a comment.
    pub(super) fn is_public(&self, number: u32) -> bool {
        visit();
        self.locations[number as usize].visibility().is_public()
    }

    /// By which a page's comments are sorted.
    pub(super) fn key(&self, number: u32) -> Key {
        self.order.key(number)
    }

    /// By which comments are sorted whose newest lines are read in the order of the log.
    pub(super) fn line_key(&self, number: u32) -> SortKey {
        (Key::of_line(self.seq(number)), Key::FIRST)
    }

    /// By which the first comments of a page's threads are sorted.
    pub(super) fn root_key(&self, number: u32) -> Key {
        self.key(self.root(number))
    }

    /// By which a page's list of threads is sorted: the first comment stands before its answers, whatever their times are.
    pub(super) fn thread_key(&self, number: u32) -> SortKey {
        let root = self.root(number);
        let own = if number == root { Key::FIRST } else { self.key(number) };
        (self.key(root), own)
    }

    /// Where those end in a page's order that are before the comment `id`.
    pub(super) fn before(&self, id: u64) -> Key {
        let number = self.ids.below(id);
        let is_known = number < self.len() && self.ids.get(number) == id;
        if is_known { self.key(number) } else { Key::up_to(number) }
    }

    /// Where those begin in a page's order that are behind the comment `id`.
    pub(super) fn behind(&self, id: u64) -> Key {
        let number = self.ids.below(id);
        let is_known = number < self.len() && self.ids.get(number) == id;
        if is_known { self.key(number).next() } else { self.order.behind(number) }
    }
}

/// Counted by tests: what a read costs.
fn visit() {
    #[cfg(test)]
    visits::add();
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
