//! Takes a batch back out of the index when it could not be stored.
//!
//! Each change is recorded with what it replaced; rolling back undoes the changes, newest first.

use crate::{
    store::index::Index,
    store::visibility::{PackedLocation, Visibility},
};

/// A change, with what is needed to undo it.
pub(super) enum Undo {
    /// A comment was added. `page_seq` is the page's `seq` before.
    Inserted { page_is_new: bool, page_seq: u64 },
    /// A comment was changed. All but `number` are the values before.
    Changed { number: u32, packed: PackedLocation, seq_delta: u32, page_seq: u64 },
}

impl Index {
    /// Begins a batch: until [`Index::commit`], [`Index::roll_back`] can undo every change.
    pub fn begin(&mut self) {
        self.undo = Some(Vec::new());
    }

    /// Ends the batch and keeps its changes.
    pub fn commit(&mut self) {
        for undo in self.undo.take().unwrap_or_default() {
            if let Undo::Changed { number, .. } = undo {
                self.drop_stale(self.meta[number as usize].page);
            }
        }
    }

    /// Ends the batch and undoes its changes.
    pub fn roll_back(&mut self) {
        for undo in self.undo.take().unwrap_or_default().into_iter().rev() {
            match undo {
                Undo::Inserted { page_is_new, page_seq } => self.remove_last(page_is_new, page_seq),
                Undo::Changed { number, packed, seq_delta, page_seq } => {
                    self.restore(number, packed, seq_delta, page_seq)
                }
            }
        }
    }

    /// Removes the comment that was added last.
    fn remove_last(&mut self, page_is_new: bool, page_seq: u64) {
        let number = self.ids.len() as u32 - 1;
        let visibility = self.locations[number as usize].visibility();
        self.live_bytes -= self.locations[number as usize].bytes();
        self.nonces.remove(number, |n| self.meta[n as usize].fingerprint);
        let page_number = self.meta[number as usize].page;
        self.ids.pop();
        self.locations.pop();
        self.meta.pop();
        let page = &mut self.pages[page_number as usize];
        page.by_id.pop();
        page.count -= u64::from(visibility == Visibility::Public);
        page.seq = page_seq;
        if page_is_new {
            assert_eq!(page_number as usize + 1, self.pages.len(), "a new page is the last one");
            self.pages.pop();
            self.page_numbers.retain(|_, number| *number != page_number);
        }
    }

    /// Gives a comment back its line before the last change.
    fn restore(&mut self, number: u32, packed: PackedLocation, seq_delta: u32, page_seq: u64) {
        let now = self.locations[number as usize].visibility();
        self.live_bytes += packed.bytes();
        self.live_bytes -= self.locations[number as usize].bytes();
        self.locations[number as usize] = packed;
        self.meta[number as usize].seq_delta = seq_delta;
        let page = &mut self.pages[self.meta[number as usize].page as usize];
        page.changed.pop();
        page.stale -= usize::from(seq_delta != 0);
        page.count += u64::from(packed.visibility() == Visibility::Public);
        page.count -= u64::from(now == Visibility::Public);
        page.seq = page_seq;
    }

    /// Removes the stale entries of a page's `changed` once they are more than half of it, so that a comment edited for ever costs no
    /// more than one edited twice.
    fn drop_stale(&mut self, page: u32) {
        let (ids, meta) = (&self.ids, &self.meta);
        let page = &mut self.pages[page as usize];
        if page.stale * 2 > page.changed.len() {
            page.changed
                .retain(|&(seq, n)| ids[n as usize] + u64::from(meta[n as usize].seq_delta) == seq);
            page.stale = 0;
        }
    }

    pub(super) fn record_undo(&mut self, undo: Undo) {
        if let Some(list) = &mut self.undo {
            list.push(undo);
        }
    }
}
