//! The index of comments: which ones each page has, in what order and threads, who may see them, and where their newest lines lie.
//!
//! Holds no text and reads no file. A page's order is that of its comments' times, then of their ids: see [`order`]. A comment costs 25 bytes here, 4 in one of its page's lists of lines, 4 in that of threads, and 5.5
//! to 6.5 in the table of nonces; one that was changed costs 4 more, one with a time of its own 16, and each on a page whose order is
//! another one than that of the ids 4.

mod comments;
mod ids;
mod list;
mod load;
mod merge;
pub mod newest;
mod order;
mod page;
mod reads;
mod rollback;
#[cfg(test)]
mod tests;
mod threads;

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use crate::{
    log::scan::Location,
    store::index::comments::{Comments, Meta, Place},
    store::index::load::Loading,
    store::index::newest::Newest,
    store::index::page::Page,
    store::index::rollback::Undo,
    store::nonces::Nonces,
    store::visibility::{PackedLocation, Visibility},
};

pub use threads::Thread;

/// A comment's newest line, without its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommentRef {
    /// `id` of the comment.
    pub id: u64,
    /// `seq` of the line.
    pub seq: u64,
    /// Where the line lies in the log.
    pub location: Location,
    /// Who may see the comment.
    pub visibility: Visibility,
}

/// What the index needs to know of a line.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// `id` of the comment.
    pub id: u64,
    /// `seq` of the line.
    pub seq: u64,
    /// Where the line lies in the log.
    pub location: Location,
    /// Who may see the comment.
    pub visibility: Visibility,
    /// The page that the comment is on.
    pub page: &'a str,
    /// `id` of the comment that it answers. Counts only in the first line that the index gets of a comment.
    pub parent: Option<u64>,
    /// The client's own mark for the post. As `parent`.
    pub nonce: Option<&'a str>,
    /// The time of a comment that was written elsewhere, in ms since 1970. `None`: it was written here, after all before it. As `parent`.
    pub time: Option<u64>,
}

/// The index. Comments are numbered from 0 by rising `id`; pages are numbered in the order in which they came.
#[derive(Default)]
pub struct Index {
    comments: Comments,
    page_numbers: HashMap<Arc<str>, u32>,
    pages: Vec<Page>,
    /// The present name of each page; of one that is no more, its last.
    names: Vec<Arc<str>>,
    /// How many of the pages have a comment that is not deleted.
    live_pages: usize,
    /// How many comments there are of each [`Visibility`].
    sums: [u64; 5],
    nonces: Nonces,
    newest: Newest,
    hasher: RandomState,
    live_bytes: u64,
    /// What was changed since [`Index::begin`]; `None` outside of a batch.
    undo: Option<Vec<Undo>>,
    loading: Loading,
}

impl Index {
    /// Adds a new line: of a new comment if `id` equals `seq`, else of a known one. For a new comment with a time of its own, `time_of`
    /// reads the times of other comments' lines.
    pub fn put(&mut self, entry: Entry, time_of: &dyn Fn(Location) -> Option<u64>) {
        if entry.id == entry.seq { self.insert(entry, time_of) } else { self.change(entry) }
    }

    fn insert(&mut self, entry: Entry, time_of: &dyn Fn(Location) -> Option<u64>) {
        assert!(
            self.comments.ids.last().is_none_or(|last| last < entry.id),
            "a new comment has the highest id"
        );
        let number = self.comments.len();
        let new_page = (!self.page_numbers.contains_key(entry.page)).then(|| entry.page.into());
        let page = self.page_number(entry.page);
        let meta = Meta {
            seq_delta: 0,
            place: Place::on_page(page),
            fingerprint: self.fingerprint(entry.nonce),
        };
        let packed = PackedLocation::new(entry.location, entry.visibility);
        self.comments.push(entry.id, packed, meta);
        if let Some(parent) = entry.parent {
            self.comments.link(number, parent);
        }
        self.insert_nonce(number);
        if let Some(time) = entry.time {
            self.comments.date(number, time, time_of);
            if !self.pages[page as usize].is_ordered() && !self.stays_by_id(page, number) {
                self.set_order(page);
            }
        }
        self.attach(number);
        let page_seq = self.raise_seq(page, &entry);
        self.record_undo(Undo::Inserted { new_page, page_seq });
    }

    fn change(&mut self, entry: Entry) {
        let number = self.comments.ids.find(entry.id).expect("only a known comment is changed");
        let packed = self.comments.locations[number as usize];
        let seq_delta = self.comments.meta[number as usize].seq_delta;
        let new = PackedLocation::new(entry.location, entry.visibility);
        self.set_line(number, new, seq_delta_of(entry.seq, entry.id));
        let page_seq = self.raise_seq(self.comments.page(number), &entry);
        self.record_undo(Undo::Changed { number, packed, seq_delta, page_seq });
    }

    /// Gives a comment another line.
    fn set_line(&mut self, number: u32, packed: PackedLocation, seq_delta: u32) {
        self.detach(number);
        self.comments.locations[number as usize] = packed;
        self.comments.meta[number as usize].seq_delta = seq_delta;
        self.attach(number);
    }

    /// Raises the page's `seq` to that of a line that everyone gets. Returns what it was before.
    fn raise_seq(&mut self, page: u32, entry: &Entry) -> u64 {
        let seq = &mut self.pages[page as usize].seq;
        let before = *seq;
        if entry.visibility.is_shared() {
            *seq = before.max(entry.seq);
            self.newest.seq = self.newest.seq.max(entry.seq);
        }
        before
    }

    /// Returns the total length of all comments' newest lines in bytes, without their trailers.
    pub fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// Returns the offset of each comment's newest line, by comment number.
    pub fn offsets(&self) -> Vec<u64> {
        self.comments.locations.iter().map(|packed| packed.location().offset).collect()
    }

    /// Updates all locations after the log was rewritten. Lines before `from` now begin at their comment's entry in `offsets`; later
    /// lines have moved by `shift` bytes.
    pub fn relocate(&mut self, offsets: &[u64], from: u64, shift: i64) {
        for (number, packed) in self.comments.locations.iter_mut().enumerate() {
            let Location { offset, len } = packed.location();
            let offset = if offset < from {
                offsets[number]
            } else {
                offset.checked_add_signed(shift).expect("a line stays within the file")
            };
            *packed = PackedLocation::new(Location { offset, len }, packed.visibility());
        }
    }

    /// Returns the number of pages that have comments, deleted ones included.
    pub fn page_count(&self) -> usize {
        self.page_numbers.len()
    }

    /// Returns the number of pages that have a comment which is not deleted.
    pub fn live_page_count(&self) -> usize {
        self.live_pages
    }

    /// Returns the number of comments that are seen by so many.
    pub fn count_of(&self, visibility: Visibility) -> u64 {
        self.sums[visibility as usize]
    }

    /// Returns the number of comments, deleted ones included.
    pub fn comment_count(&self) -> usize {
        self.comments.len() as usize
    }

    /// Whether `page` has comments, deleted ones included.
    pub fn has_page(&self, page: &str) -> bool {
        self.page_numbers.contains_key(page)
    }

    /// Whether `page` has a comment that is not deleted.
    pub fn has_live_page(&self, page: &str) -> bool {
        self.page(page).live > 0
    }

    /// Returns the number of the page that comment `id` is on. It stays the same until the process ends, or the page is merged.
    pub fn page_of(&self, id: u64) -> Option<u32> {
        Some(self.comments.page(self.comments.ids.find(id)?))
    }

    /// Returns the number of `page`, if it has comments.
    pub fn page_number_of(&self, page: &str) -> Option<u32> {
        self.page_numbers.get(page).copied()
    }

    /// Returns the number of public comments on `page`.
    pub fn count(&self, page: &str) -> u64 {
        self.page(page).count.into()
    }

    /// Returns the highest `seq` on `page` among lines that everyone gets, or 0 if there is none.
    pub fn seq(&self, page: &str) -> u64 {
        self.page(page).seq
    }

    /// Returns the comment `id`.
    pub fn find(&self, id: u64) -> Option<CommentRef> {
        Some(self.comments.get(self.comments.ids.find(id)?))
    }

    /// Returns the comment `id`, if it is on `page`.
    pub fn find_on(&self, page: &str, id: u64) -> Option<CommentRef> {
        let number = self.comments.ids.find(id)?;
        let page = self.page_numbers.get(page)?;
        (*page == self.comments.page(number)).then(|| self.comments.get(number))
    }

    /// Returns the comment with this nonce. The index has only fingerprints, so `matches` decides by reading the line.
    pub fn find_nonce(
        &self,
        nonce: &str,
        mut matches: impl FnMut(CommentRef) -> bool,
    ) -> Option<CommentRef> {
        let fingerprint = self.fingerprint(Some(nonce));
        let comments = &self.comments;
        let found = self.nonces.find(fingerprint, |number| {
            comments.meta[number as usize].fingerprint == fingerprint
                && matches(comments.get(number))
        });
        found.map(|number| comments.get(number))
    }

    fn page_number(&mut self, page: &str) -> u32 {
        if let Some(&number) = self.page_numbers.get(page) {
            return number;
        }
        let number = self.pages.len() as u32;
        let name: Arc<str> = page.into();
        self.page_numbers.insert(name.clone(), number);
        self.names.push(name);
        self.pages.push(Page::EMPTY);
        number
    }

    /// Returns 0 for no nonce, never for a nonce. The hash has a random key, so that nobody can choose nonces that collide.
    fn fingerprint(&self, nonce: Option<&str>) -> u32 {
        nonce.map_or(0, |nonce| (self.hasher.hash_one(nonce) as u32).max(1))
    }

    fn insert_nonce(&mut self, number: u32) {
        let fingerprint_of = |n: u32| self.comments.meta[n as usize].fingerprint;
        if fingerprint_of(number) != 0 {
            self.nonces.insert(number, fingerprint_of);
        }
    }
}

fn seq_delta_of(seq: u64, id: u64) -> u32 {
    u32::try_from(seq - id).expect("no comment has 2^32 lines behind its first, 344 GB of log")
}
