//! The index of comments: which ones each page has, in what order, who may see them, and where their newest lines lie.
//!
//! Holds no text and reads no file. A comment costs 28 bytes here, 4 in its page's list and at most 6.5 in the table of nonces;
//! a comment that was changed costs 16 more.

mod rollback;

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use crate::{
    log::scan::Location,
    store::index::rollback::Undo,
    store::nonces::Nonces,
    store::visibility::{PackedLocation, Visibility},
};

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
    /// The client's own mark for the post.
    pub nonce: Option<&'a str>,
}

/// A page that has comments, deleted ones included.
#[derive(Debug, Default)]
struct Page {
    /// Numbers of all its comments, by rising id.
    by_id: Vec<u32>,
    /// `seq` and number of each changed comment, by rising `seq`. An entry stays after the comment was changed again, until half
    /// of the entries are stale.
    changed: Vec<(u64, u32)>,
    /// Number of stale entries in `changed`.
    stale: usize,
    /// Number of public comments.
    count: u64,
    /// The highest `seq` of a line that everyone gets.
    seq: u64,
}

/// The index. Comments are numbered from 0 by rising `id`; pages are numbered in the order in which they came.
#[derive(Default)]
pub struct Index {
    ids: Vec<u64>,
    locations: Vec<PackedLocation>,
    meta: Vec<Meta>,
    page_numbers: HashMap<Box<str>, u32>,
    pages: Vec<Page>,
    nonces: Nonces,
    hasher: RandomState,
    live_bytes: u64,
    /// What was changed since [`Index::begin`]; `None` outside of a batch.
    undo: Option<Vec<Undo>>,
    /// While a log is read: comments whose first line was compacted away, so that they come in the order of their newest lines.
    orphans: Vec<(u64, PackedLocation, Meta)>,
}

/// The rest of what is kept of a comment.
#[derive(Debug, Clone, Copy)]
struct Meta {
    /// `seq` of the newest line minus `id`. At 80 bytes a line, 2³² lines behind a comment's first are 344 GB of log.
    seq_delta: u32,
    page: u32,
    /// Fingerprint of the nonce, or 0 if there is none.
    fingerprint: u32,
}

impl Index {
    /// Adds a line while the log is read. The index is usable only after [`Index::finish_loading`].
    pub fn load(&mut self, entry: Entry) {
        let packed = PackedLocation::new(entry.location, entry.visibility);
        let meta = Meta {
            seq_delta: seq_delta_of(entry.seq, entry.id),
            page: self.page_number(entry.page),
            fingerprint: self.fingerprint(entry.nonce),
        };
        if entry.id == entry.seq {
            self.ids.push(entry.id);
            self.locations.push(packed);
            self.meta.push(meta);
        } else if let Ok(number) = self.ids.binary_search(&entry.id) {
            self.locations[number] = packed;
            self.meta[number].seq_delta = meta.seq_delta;
        } else {
            self.orphans.push((entry.id, packed, meta));
        }
    }

    /// Builds the pages' lists and the table of nonces from what was loaded.
    pub fn finish_loading(&mut self) {
        self.merge_orphans();
        self.live_bytes = self.locations.iter().map(|packed| packed.bytes()).sum();
        let with_nonce = self.meta.iter().filter(|meta| meta.fingerprint != 0).count();
        self.nonces.reserve(with_nonce, |n| self.meta[n as usize].fingerprint);
        for number in 0..self.ids.len() as u32 {
            let comment = self.comment(number);
            let page = &mut self.pages[self.meta[number as usize].page as usize];
            page.by_id.push(number);
            if comment.seq != comment.id {
                page.changed.push((comment.seq, number));
            }
            page.update(None, comment.visibility, comment.seq);
            self.insert_nonce(number);
        }
        for page in &mut self.pages {
            page.changed.sort_unstable();
        }
    }

    /// Sorts orphans in among the other comments.
    fn merge_orphans(&mut self) {
        if self.orphans.is_empty() {
            return;
        }
        let orphans = std::mem::take(&mut self.orphans);
        let known = (0..self.ids.len()).map(|n| (self.ids[n], self.locations[n], self.meta[n]));
        let all: Vec<_> = known.chain(orphans).collect();
        // Of several lines with the same id, the last one that came counts.
        let mut order: Vec<(u64, u32)> =
            (0u32..).zip(&all).map(|(n, entry)| (entry.0, n)).collect();
        order.sort_unstable();
        order.reverse();
        order.dedup_by_key(|(id, _)| *id);
        order.reverse();
        let sorted = || order.iter().map(|(_, n)| &all[*n as usize]);
        self.ids = sorted().map(|entry| entry.0).collect();
        self.locations = sorted().map(|entry| entry.1).collect();
        self.meta = sorted().map(|entry| entry.2).collect();
    }

    /// Adds a new line: of a new comment if `id` equals `seq`, else of a known one.
    pub fn put(&mut self, entry: Entry) {
        if entry.id == entry.seq { self.insert(entry) } else { self.change(entry) }
    }

    fn insert(&mut self, entry: Entry) {
        assert!(
            self.ids.last().is_none_or(|&last| last < entry.id),
            "a new comment has the highest id"
        );
        let number = self.ids.len() as u32;
        let page_is_new = !self.page_numbers.contains_key(entry.page);
        let page = self.page_number(entry.page);
        let fingerprint = self.fingerprint(entry.nonce);
        self.ids.push(entry.id);
        self.locations.push(PackedLocation::new(entry.location, entry.visibility));
        self.live_bytes += u64::from(entry.location.len);
        self.meta.push(Meta { seq_delta: 0, page, fingerprint });
        self.insert_nonce(number);
        let page = &mut self.pages[page as usize];
        let page_seq = page.seq;
        page.by_id.push(number);
        page.update(None, entry.visibility, entry.seq);
        self.record_undo(Undo::Inserted { page_is_new, page_seq });
    }

    fn change(&mut self, entry: Entry) {
        let number = self.ids.binary_search(&entry.id).expect("only a known comment is changed");
        let (old, meta) = (self.locations[number], self.meta[number]);
        self.locations[number] = PackedLocation::new(entry.location, entry.visibility);
        self.live_bytes += u64::from(entry.location.len);
        self.live_bytes -= old.bytes();
        self.meta[number].seq_delta = seq_delta_of(entry.seq, entry.id);
        let page = &mut self.pages[meta.page as usize];
        let page_seq = page.seq;
        page.changed.push((entry.seq, number as u32));
        page.stale += usize::from(meta.seq_delta != 0);
        page.update(Some(old.visibility()), entry.visibility, entry.seq);
        self.record_undo(Undo::Changed {
            number: number as u32,
            packed: old,
            seq_delta: meta.seq_delta,
            page_seq,
        });
    }

    /// Returns the total length of all comments' newest lines in bytes, without their trailers.
    pub fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// Returns the offset of each comment's newest line, by comment number.
    pub fn offsets(&self) -> Vec<u64> {
        self.locations.iter().map(|packed| packed.location().offset).collect()
    }

    /// Updates all locations after the log was rewritten. Lines before `from` now begin at their comment's entry in `offsets`; later
    /// lines have moved by `shift` bytes.
    pub fn relocate(&mut self, offsets: &[u64], from: u64, shift: i64) {
        for (number, packed) in self.locations.iter_mut().enumerate() {
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
        self.pages.len()
    }

    /// Returns the number of comments, deleted ones included.
    pub fn comment_count(&self) -> usize {
        self.ids.len()
    }

    /// Whether `page` has comments, deleted ones included.
    pub fn has_page(&self, page: &str) -> bool {
        self.page_numbers.contains_key(page)
    }

    /// Returns the number of the page that comment `id` is on. It stays the same until the process ends.
    pub fn page_of(&self, id: u64) -> Option<u32> {
        Some(self.meta[self.ids.binary_search(&id).ok()?].page)
    }

    /// Returns the number of `page`, if it has comments.
    pub fn page_number_of(&self, page: &str) -> Option<u32> {
        self.page_numbers.get(page).copied()
    }

    /// Returns the number of public comments on `page`.
    pub fn count(&self, page: &str) -> u64 {
        self.page(page).map_or(0, |page| page.count)
    }

    /// Returns the highest `seq` on `page` among lines that everyone gets, or 0 if there is none.
    pub fn seq(&self, page: &str) -> u64 {
        self.page(page).map_or(0, |page| page.seq)
    }

    /// Returns the comment `id`.
    pub fn find(&self, id: u64) -> Option<CommentRef> {
        Some(self.comment(self.ids.binary_search(&id).ok()? as u32))
    }

    /// Returns the comment `id`, if it is on `page`.
    pub fn find_on(&self, page: &str, id: u64) -> Option<CommentRef> {
        let number = self.ids.binary_search(&id).ok()?;
        (self.page_numbers.get(page) == Some(&self.meta[number].page))
            .then(|| self.comment(number as u32))
    }

    /// Returns the comment with this nonce. The index has only fingerprints, so `matches` decides by reading the line.
    pub fn find_nonce(
        &self,
        nonce: &str,
        mut matches: impl FnMut(CommentRef) -> bool,
    ) -> Option<CommentRef> {
        let fingerprint = self.fingerprint(Some(nonce));
        let found = self.nonces.find(fingerprint, |number| {
            self.meta[number as usize].fingerprint == fingerprint && matches(self.comment(number))
        });
        found.map(|number| self.comment(number))
    }

    /// Returns the comments of `page` with an id below `before`, newest first.
    pub fn newest(&self, page: &str, before: Option<u64>) -> impl Iterator<Item = CommentRef> + '_ {
        let numbers = self.page(page).map_or(&[][..], |page| &page.by_id[..]);
        let end = match before {
            Some(id) => numbers.partition_point(|&number| self.ids[number as usize] < id),
            None => numbers.len(),
        };
        numbers[..end].iter().rev().map(|&number| self.comment(number))
    }

    /// Returns the comments of `page` whose newest line has a `seq` above `since`, by rising `seq`.
    pub fn since(&self, page: &str, since: u64) -> impl Iterator<Item = CommentRef> + '_ {
        let page = self.page(page);
        let numbers = page.map_or(&[][..], |page| &page.by_id[..]);
        let changed = page.map_or(&[][..], |page| &page.changed[..]);
        let first = numbers.partition_point(|&number| self.ids[number as usize] <= since);
        let unchanged = numbers[first..]
            .iter()
            .map(|&number| self.comment(number))
            .filter(|comment| comment.seq == comment.id);
        let from = changed.partition_point(|&(seq, _)| seq <= since);
        let changed = changed[from..].iter().map(|&(seq, number)| (seq, self.comment(number)));
        let changed = changed.filter(|(seq, comment)| comment.seq == *seq);
        let changed = changed.map(|(_, comment)| comment);
        merge(unchanged, changed)
    }

    fn comment(&self, number: u32) -> CommentRef {
        let at = number as usize;
        let packed = self.locations[at];
        let id = self.ids[at];
        CommentRef {
            id,
            seq: id + u64::from(self.meta[at].seq_delta),
            location: packed.location(),
            visibility: packed.visibility(),
        }
    }

    fn page(&self, page: &str) -> Option<&Page> {
        Some(&self.pages[*self.page_numbers.get(page)? as usize])
    }

    fn page_number(&mut self, page: &str) -> u32 {
        if let Some(&number) = self.page_numbers.get(page) {
            return number;
        }
        let number = self.pages.len() as u32;
        self.page_numbers.insert(page.into(), number);
        self.pages.push(Page::default());
        number
    }

    /// Returns 0 for no nonce, never for a nonce. The hash has a random key, so that nobody can choose nonces that collide.
    fn fingerprint(&self, nonce: Option<&str>) -> u32 {
        nonce.map_or(0, |nonce| (self.hasher.hash_one(nonce) as u32).max(1))
    }

    fn insert_nonce(&mut self, number: u32) {
        if self.meta[number as usize].fingerprint != 0 {
            self.nonces.insert(number, |n| self.meta[n as usize].fingerprint);
        }
    }
}

impl Page {
    /// Updates `count` and `seq` for a new line that changes a comment's visibility from `before` to `now`.
    fn update(&mut self, before: Option<Visibility>, now: Visibility, seq: u64) {
        self.count += u64::from(now == Visibility::Public);
        self.count -= u64::from(before == Some(Visibility::Public));
        if now.is_shared() {
            self.seq = self.seq.max(seq);
        }
    }
}

fn seq_delta_of(seq: u64, id: u64) -> u32 {
    u32::try_from(seq - id).expect("no comment has 2^32 lines behind its first, 344 GB of log")
}

/// Merges two iterators with rising `seq` into one.
fn merge(
    a: impl Iterator<Item = CommentRef>,
    b: impl Iterator<Item = CommentRef>,
) -> impl Iterator<Item = CommentRef> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some(x), Some(y)) if x.seq < y.seq => a.next(),
        (_, Some(_)) => b.next(),
        _ => a.next(),
    })
}
