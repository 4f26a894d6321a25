//! Where each page's newest lines lie: which comments there are, in what order, and where to read them.
//!
//! Holds no text and reads no file. A comment costs 28 bytes here, 4 in its page's list and at most 6.5 in the table of nonces;
//! one whose newest line is not its first costs 16 more.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use crate::{
    log::scan::Location,
    store::nonces::Nonces,
    store::visibility::{PackedLocation, Visibility},
};

/// A comment's newest line, as a history answer lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommentRef {
    /// Of the comment.
    pub id: u64,
    /// Of the line.
    pub seq: u64,
    /// Where the line lies.
    pub place: Location,
    /// Who may see it.
    pub visibility: Visibility,
}

/// What the index must know of a line.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Of the comment.
    pub id: u64,
    /// Of the line.
    pub seq: u64,
    /// Where the line lies.
    pub place: Location,
    /// Who may see it.
    pub visibility: Visibility,
    /// What is commented on.
    pub page: &'a str,
    /// The client's mark.
    pub nonce: Option<&'a str>,
}

/// A page that has comments.
#[derive(Debug, Default)]
struct Page {
    /// All of its comments' numbers, by id.
    by_id: Vec<u32>,
    /// (`seq`, number) of lines that are not their comment's first, by `seq`. An entry that a later line has overtaken stays
    /// until half of them are stale.
    changed: Vec<(u64, u32)>,
    stale: usize,
    /// Comments that everyone sees.
    count: u64,
    /// Highest `seq` of a line that everyone gets.
    seq: u64,
}

/// See the [module](self). Comments are numbered from 0 by rising `id`.
#[derive(Default)]
pub struct Index {
    ids: Vec<u64>,
    places: Vec<PackedLocation>,
    rest: Vec<Meta>,
    names: HashMap<Box<str>, u32>,
    pages: Vec<Page>,
    nonces: Nonces,
    hasher: RandomState,
    live_bytes: u64,
    undo: Option<Vec<Undo>>,
    /// While a log is read: comments whose first line is gone, by a compaction.
    orphans: Vec<(u64, PackedLocation, Meta)>,
}

#[derive(Debug, Clone, Copy)]
struct Meta {
    /// `seq - id` of the newest line; at 80 bytes a line, 2³² lines behind a comment's first are 344 GB of log.
    lead: u32,
    page: u32,
    /// Of the nonce; 0 if it has none.
    fingerprint: u32,
}

enum Undo {
    Inserted { page_is_new: bool, page_seq: u64 },
    Changed { number: u32, packed: PackedLocation, lead: u32, page_seq: u64 },
}

impl Index {
    /// Takes in a line while the log is read; [`Index::finish_loading`] must follow before anything is asked.
    pub fn load(&mut self, entry: Entry) {
        let packed = PackedLocation::new(entry.place, entry.visibility);
        let rest = Meta {
            lead: lead(entry.seq, entry.id),
            page: self.page_number(entry.page),
            fingerprint: self.fingerprint(entry.nonce),
        };
        if entry.id == entry.seq {
            self.ids.push(entry.id);
            self.places.push(packed);
            self.rest.push(rest);
        } else if let Ok(number) = self.ids.binary_search(&entry.id) {
            self.places[number] = packed;
            self.rest[number].lead = rest.lead;
        } else {
            self.orphans.push((entry.id, packed, rest));
        }
    }

    /// Brings what was loaded into order.
    pub fn finish_loading(&mut self) {
        self.merge_orphans();
        self.live_bytes = self.places.iter().map(|packed| packed.bytes()).sum();
        let with_nonce = self.rest.iter().filter(|rest| rest.fingerprint != 0).count();
        self.nonces.reserve(with_nonce, |n| self.rest[n as usize].fingerprint);
        for number in 0..self.ids.len() as u32 {
            let item = self.item(number);
            let page = &mut self.pages[self.rest[number as usize].page as usize];
            page.by_id.push(number);
            if item.seq != item.id {
                page.changed.push((item.seq, number));
            }
            page.count += u64::from(item.visibility == Visibility::Public);
            if item.visibility.is_shared() {
                page.seq = page.seq.max(item.seq);
            }
            self.remember_nonce(number);
        }
        for page in &mut self.pages {
            page.changed.sort_unstable();
        }
    }

    fn merge_orphans(&mut self) {
        if self.orphans.is_empty() {
            return;
        }
        let orphans = std::mem::take(&mut self.orphans);
        let known = (0..self.ids.len()).map(|n| (self.ids[n], self.places[n], self.rest[n]));
        let all: Vec<_> = known.chain(orphans).collect();
        // Of an id's lines the last that came wins.
        let mut order: Vec<(u64, u32)> =
            (0u32..).zip(&all).map(|(n, entry)| (entry.0, n)).collect();
        order.sort_unstable();
        order.reverse();
        order.dedup_by_key(|(id, _)| *id);
        order.reverse();
        let all = || order.iter().map(|(_, n)| &all[*n as usize]);
        self.ids = all().map(|entry| entry.0).collect();
        self.places = all().map(|entry| entry.1).collect();
        self.rest = all().map(|entry| entry.2).collect();
    }

    /// From here on, [`Index::roll_back`] can take everything back.
    pub fn begin(&mut self) {
        self.undo = Some(Vec::new());
    }

    /// Keeps what was put since [`Index::begin`].
    pub fn commit(&mut self) {
        for undo in self.undo.take().unwrap_or_default() {
            if let Undo::Changed { number, .. } = undo {
                self.drop_stale(self.rest[number as usize].page);
            }
        }
    }

    /// Takes back what was put since [`Index::begin`], newest first.
    pub fn roll_back(&mut self) {
        for undo in self.undo.take().unwrap_or_default().into_iter().rev() {
            match undo {
                Undo::Inserted { page_is_new, page_seq } => self.remove_last(page_is_new, page_seq),
                Undo::Changed { number, packed, lead, page_seq } => {
                    self.restore(number, packed, lead, page_seq)
                }
            }
        }
    }

    /// Takes in a new line: of a new comment if `id` is `seq`, else of a known one.
    pub fn put(&mut self, entry: Entry) {
        if entry.id == entry.seq { self.insert(entry) } else { self.change(entry) }
    }

    fn insert(&mut self, entry: Entry) {
        assert!(self.ids.last().is_none_or(|&last| last < entry.id), "ids rise");
        let number = self.ids.len() as u32;
        let page_is_new = !self.names.contains_key(entry.page);
        let page = self.page_number(entry.page);
        let fingerprint = self.fingerprint(entry.nonce);
        self.ids.push(entry.id);
        self.places.push(PackedLocation::new(entry.place, entry.visibility));
        self.live_bytes += u64::from(entry.place.len);
        self.rest.push(Meta { lead: 0, page, fingerprint });
        self.remember_nonce(number);
        let page = &mut self.pages[page as usize];
        let page_seq = page.seq;
        page.by_id.push(number);
        page.account(None, entry.visibility, entry.seq);
        self.note(Undo::Inserted { page_is_new, page_seq });
    }

    fn change(&mut self, entry: Entry) {
        let number = self.ids.binary_search(&entry.id).expect("only known comments are changed");
        let (old, rest) = (self.places[number], self.rest[number]);
        self.places[number] = PackedLocation::new(entry.place, entry.visibility);
        self.live_bytes += u64::from(entry.place.len);
        self.live_bytes -= old.bytes();
        self.rest[number].lead = lead(entry.seq, entry.id);
        let page = &mut self.pages[rest.page as usize];
        let page_seq = page.seq;
        page.changed.push((entry.seq, number as u32));
        page.stale += usize::from(rest.lead != 0);
        page.account(Some(old.visibility()), entry.visibility, entry.seq);
        self.note(Undo::Changed { number: number as u32, packed: old, lead: rest.lead, page_seq });
    }

    fn remove_last(&mut self, page_is_new: bool, page_seq: u64) {
        let number = self.ids.len() as u32 - 1;
        let visibility = self.places[number as usize].visibility();
        self.live_bytes -= self.places[number as usize].bytes();
        self.nonces.remove(number, |n| self.rest[n as usize].fingerprint);
        let page_number = self.rest[number as usize].page;
        self.ids.pop();
        self.places.pop();
        self.rest.pop();
        let page = &mut self.pages[page_number as usize];
        page.by_id.pop();
        page.count -= u64::from(visibility == Visibility::Public);
        page.seq = page_seq;
        if page_is_new {
            assert_eq!(page_number as usize + 1, self.pages.len(), "new pages come last");
            self.pages.pop();
            self.names.retain(|_, number| *number != page_number);
        }
    }

    fn restore(&mut self, number: u32, packed: PackedLocation, lead: u32, page_seq: u64) {
        let now = self.places[number as usize].visibility();
        self.live_bytes += packed.bytes();
        self.live_bytes -= self.places[number as usize].bytes();
        self.places[number as usize] = packed;
        self.rest[number as usize].lead = lead;
        let page = &mut self.pages[self.rest[number as usize].page as usize];
        page.changed.pop();
        page.stale -= usize::from(lead != 0);
        page.count += u64::from(packed.visibility() == Visibility::Public);
        page.count -= u64::from(now == Visibility::Public);
        page.seq = page_seq;
    }

    /// Half of the list stale: forget those, so that a comment edited for ever costs no more than one edited twice.
    fn drop_stale(&mut self, page: u32) {
        let (ids, rest) = (&self.ids, &self.rest);
        let page = &mut self.pages[page as usize];
        if page.stale * 2 > page.changed.len() {
            page.changed
                .retain(|&(seq, n)| ids[n as usize] + u64::from(rest[n as usize].lead) == seq);
            page.stale = 0;
        }
    }

    fn note(&mut self, undo: Undo) {
        if let Some(list) = &mut self.undo {
            list.push(undo);
        }
    }

    /// Bytes of every comment's newest line, without what the file has around it.
    pub fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// Where every comment's newest line begins, by number.
    pub fn offsets(&self) -> Vec<u64> {
        self.places.iter().map(|packed| packed.place().offset).collect()
    }

    /// The log was written anew: lines before `from` now begin where `offsets` says by number, later ones moved by `shift`.
    pub fn relocate(&mut self, offsets: &[u64], from: u64, shift: i64) {
        for (number, packed) in self.places.iter_mut().enumerate() {
            let Location { offset, len } = packed.place();
            let offset = if offset < from {
                offsets[number]
            } else {
                offset.checked_add_signed(shift).expect("a line lies in the file")
            };
            *packed = PackedLocation::new(Location { offset, len }, packed.visibility());
        }
    }

    /// Pages that have comments.
    pub fn page_count(&self) -> usize {
        self.pages.len()
    }

    /// Comments, deleted ones included.
    pub fn comment_count(&self) -> usize {
        self.ids.len()
    }

    /// Whether `page` has comments, deleted ones included.
    pub fn has_page(&self, page: &str) -> bool {
        self.names.contains_key(page)
    }

    /// The number of the page that comment `id` is on: rising in the order in which pages came, the same until the process ends.
    pub fn page_of(&self, id: u64) -> Option<u32> {
        Some(self.rest[self.ids.binary_search(&id).ok()?].page)
    }

    /// The number of `page`, if it has comments.
    pub fn page_number_of(&self, page: &str) -> Option<u32> {
        self.names.get(page).copied()
    }

    /// Comments on `page` that everyone sees.
    pub fn count(&self, page: &str) -> u64 {
        self.page(page).map_or(0, |page| page.count)
    }

    /// Highest `seq` of a line of `page` that everyone gets; 0 if there is none.
    pub fn seq(&self, page: &str) -> u64 {
        self.page(page).map_or(0, |page| page.seq)
    }

    /// The newest line of comment `id`.
    pub fn find(&self, id: u64) -> Option<CommentRef> {
        Some(self.item(self.ids.binary_search(&id).ok()? as u32))
    }

    /// The newest line of comment `id`, if that is on `page`.
    pub fn find_on(&self, page: &str, id: u64) -> Option<CommentRef> {
        let number = self.ids.binary_search(&id).ok()?;
        (self.names.get(page) == Some(&self.rest[number].page)).then(|| self.item(number as u32))
    }

    /// The comment whose nonce is `nonce`, as `is` confirms by reading the line.
    pub fn find_nonce(
        &self,
        nonce: &str,
        mut is: impl FnMut(CommentRef) -> bool,
    ) -> Option<CommentRef> {
        let fingerprint = self.fingerprint(Some(nonce));
        let hit = self.nonces.find(fingerprint, |number| {
            self.rest[number as usize].fingerprint == fingerprint && is(self.item(number))
        });
        hit.map(|number| self.item(number))
    }

    /// The newest comments of `page` with an id below `before`, walked from the newest to the oldest.
    pub fn newest(&self, page: &str, before: Option<u64>) -> impl Iterator<Item = CommentRef> + '_ {
        let numbers = self.page(page).map_or(&[][..], |page| &page.by_id[..]);
        let end = match before {
            Some(id) => numbers.partition_point(|&number| self.ids[number as usize] < id),
            None => numbers.len(),
        };
        numbers[..end].iter().rev().map(|&number| self.item(number))
    }

    /// The newest lines of `page` with a `seq` above `since`, by rising `seq`.
    pub fn since(&self, page: &str, since: u64) -> impl Iterator<Item = CommentRef> + '_ {
        let page = self.page(page);
        let numbers = page.map_or(&[][..], |page| &page.by_id[..]);
        let changed = page.map_or(&[][..], |page| &page.changed[..]);
        let first = numbers.partition_point(|&number| self.ids[number as usize] <= since);
        let unchanged = numbers[first..]
            .iter()
            .map(|&number| self.item(number))
            .filter(|item| item.seq == item.id);
        let from = changed.partition_point(|&(seq, _)| seq <= since);
        let changed = changed[from..].iter().map(|&(seq, number)| (seq, self.item(number)));
        let changed = changed.filter(|(seq, item)| item.seq == *seq).map(|(_, item)| item);
        merge(unchanged, changed)
    }

    fn item(&self, number: u32) -> CommentRef {
        let at = number as usize;
        let packed = self.places[at];
        let id = self.ids[at];
        CommentRef {
            id,
            seq: id + u64::from(self.rest[at].lead),
            place: packed.place(),
            visibility: packed.visibility(),
        }
    }

    fn page(&self, page: &str) -> Option<&Page> {
        Some(&self.pages[*self.names.get(page)? as usize])
    }

    fn page_number(&mut self, page: &str) -> u32 {
        if let Some(&number) = self.names.get(page) {
            return number;
        }
        let number = self.pages.len() as u32;
        self.names.insert(page.into(), number);
        self.pages.push(Page::default());
        number
    }

    /// Never 0 for a nonce. Keyed by chance, so that nobody can choose nonces that meet.
    fn fingerprint(&self, nonce: Option<&str>) -> u32 {
        nonce.map_or(0, |nonce| (self.hasher.hash_one(nonce) as u32).max(1))
    }

    fn remember_nonce(&mut self, number: u32) {
        if self.rest[number as usize].fingerprint != 0 {
            self.nonces.insert(number, |n| self.rest[n as usize].fingerprint);
        }
    }
}

impl Page {
    fn account(&mut self, before: Option<Visibility>, now: Visibility, seq: u64) {
        self.count += u64::from(now == Visibility::Public);
        self.count -= u64::from(before == Some(Visibility::Public));
        if now.is_shared() {
            self.seq = self.seq.max(seq);
        }
    }
}

fn lead(seq: u64, id: u64) -> u32 {
    u32::try_from(seq - id).expect("no comment has 2^32 lines behind its first, 344 GB of log")
}

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
