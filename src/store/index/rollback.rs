//! Takes a batch back out of the index when it could not be stored.
//!
//! Each change is recorded with what it replaced; rolling back undoes the changes, newest first.

use crate::{store::index::Index, store::visibility::PackedLocation};

/// A change, with what is needed to undo it.
pub(super) enum Undo {
    /// A comment was added. `new_page` names its page if that was added with it; `page_seq` is the page's `seq` before.
    Inserted { new_page: Option<Box<str>>, page_seq: u64 },
    /// A comment was changed. All but `number` are the values before.
    Changed { number: u32, packed: PackedLocation, seq_delta: u32, page_seq: u64 },
}

impl Index {
    /// Begins a batch: until [`Index::commit`], [`Index::roll_back`] can undo every change.
    pub fn begin(&mut self) {
        self.undo = Some(Vec::new());
        self.newest.seq_before = self.newest.seq;
    }

    /// Ends the batch and keeps its changes.
    pub fn commit(&mut self) {
        self.undo = None;
    }

    /// Ends the batch and undoes its changes.
    pub fn roll_back(&mut self) {
        self.newest.seq = self.newest.seq_before;
        for undo in self.undo.take().unwrap_or_default().into_iter().rev() {
            match undo {
                Undo::Inserted { new_page, page_seq } => self.remove_last(new_page, page_seq),
                Undo::Changed { number, packed, seq_delta, page_seq } => {
                    self.set_line(number, packed, seq_delta);
                    self.pages[self.comments.page(number) as usize].seq = page_seq;
                }
            }
        }
    }

    /// Removes the comment that was added last.
    fn remove_last(&mut self, new_page: Option<Box<str>>, page_seq: u64) {
        let number = self.comments.len() - 1;
        let page = self.comments.page(number);
        self.detach(number);
        self.nonces.remove(number, |n| self.comments.meta[n as usize].fingerprint);
        self.comments.pop();
        self.pages[page as usize].seq = page_seq;
        if let Some(name) = new_page {
            assert_eq!(page as usize + 1, self.pages.len(), "a new page is the last one");
            self.pages.pop();
            self.names.pop();
            self.page_numbers.remove(&*name);
        }
    }

    pub(super) fn record_undo(&mut self, undo: Undo) {
        if let Some(list) = &mut self.undo {
            list.push(undo);
        }
    }
}
