//! The newest public comments of all pages, by time and then by id, whatever was held, hidden or deleted since.
//!
//! Of the comments that were written here it is counted how many in each block of numbers are public, so that blocks without any are
//! passed over; those with a time of their own stand in a list, as few servers have any. Knows no page but by its number.

use std::sync::Arc;

use super::{
    CommentRef, Index,
    comments::Comments,
    list::{List, SortKey},
    order::Key,
    reads::merge,
};

/// Comments of a block. A read looks at each block's count and, for each comment that it returns, at one block at most: with 1,000,000
/// comments and 50 to return, 7,800 counts and 6,400 comments, some 15 µs.
const BLOCK_NUMBERS: u32 = 128;
/// Comments that are looked at for those of one page, or of pages whose names begin alike; some 200 µs and 1 ms of work. Older ones are
/// not found if so many newer ones were taken away or stand elsewhere.
pub(crate) const NEWEST_SEARCHED_MAX: usize = 65_536;

/// Whose newest comments are read.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// Those of all pages.
    All,
    /// Those of this page.
    Page(&'a str),
    /// Those of pages whose names begin so.
    Prefix(&'a str),
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Newest {
    /// How many public comments there are of each block of numbers, those with a time of their own left out.
    blocks: Vec<u8>,
    /// The public ones with a time of their own, in their order.
    dated: List,
    /// The highest `seq` of a line that everyone gets, on any page.
    pub seq: u64,
    /// That at the start of the batch.
    pub seq_before: u64,
}

impl Default for Newest {
    fn default() -> Newest {
        Newest { blocks: Vec::new(), dated: List::EMPTY, seq: 0, seq_before: 0 }
    }
}

impl Newest {
    /// Adds a comment that has become public, or removes one that no longer is.
    pub(super) fn set(&mut self, number: u32, adds: bool, comments: &Comments) {
        if comments.order.has_time(number) {
            let key = |number| sort_key(comments, number);
            match adds {
                true => self.dated.insert(number, &key),
                false => self.dated.remove(number, &key),
            }
            return;
        }
        let block = (number / BLOCK_NUMBERS) as usize;
        if self.blocks.len() <= block {
            self.blocks.resize(block + 1, 0);
        }
        if adds {
            self.blocks[block] += 1;
        } else {
            self.blocks[block] -= 1;
        }
    }

    /// The same while the log is read: those with a time of their own are sorted in the end.
    pub(super) fn load(&mut self, number: u32, comments: &Comments) {
        match comments.order.has_time(number) {
            true => self.dated.push(number),
            false => self.set(number, true, comments),
        }
    }

    pub(super) fn finish_loading(&mut self, comments: &Comments) {
        self.dated.sort_by_key(&|number| sort_key(comments, number));
    }
}

fn sort_key(comments: &Comments, number: u32) -> SortKey {
    (comments.key(number), Key::FIRST)
}

impl Index {
    /// Returns the public comments, newest first by time and then by id; of those of some pages, as far as
    /// [`NEWEST_SEARCHED_MAX`] tell.
    pub fn newest_public<'a>(&'a self, of: Of<'a>) -> Box<dyn Iterator<Item = CommentRef> + 'a> {
        let is_public = |comment: &CommentRef| comment.visibility.is_public();
        match of {
            Of::All => Box::new(self.public_numbers().map(|number| self.comments.get(number))),
            Of::Page(page) => {
                Box::new(self.newest(page, None).take(NEWEST_SEARCHED_MAX).filter(is_public))
            }
            Of::Prefix(start) => {
                let searched = self.public_numbers().take(NEWEST_SEARCHED_MAX);
                let wanted = searched.filter(move |&number| {
                    self.names[self.comments.page(number) as usize].starts_with(start)
                });
                Box::new(wanted.map(|number| self.comments.get(number)))
            }
        }
    }

    /// Returns the present name of the page that a comment is on.
    pub fn page_name(&self, id: u64) -> Option<Arc<str>> {
        Some(self.names[self.page_of(id)? as usize].clone())
    }

    /// Returns the highest `seq` of a line that everyone gets, on any page.
    pub fn public_seq(&self) -> u64 {
        self.newest.seq
    }

    fn public_numbers(&self) -> Box<dyn Iterator<Item = u32> + '_> {
        let Newest { blocks, dated, .. } = &self.newest;
        let blocks = (0..blocks.len()).rev().filter(|&block| blocks[block] > 0);
        let numbers = blocks.flat_map(|block| {
            let start = block as u32 * BLOCK_NUMBERS;
            (start..self.comments.len().min(start + BLOCK_NUMBERS)).rev()
        });
        let is_first = |a, b| self.comments.key(a) > self.comments.key(b);
        let undated = numbers.filter(|&number| {
            self.comments.is_public(number) && !self.comments.order.has_time(number)
        });
        merge(Box::new(undated), Box::new(dated.iter().rev()), is_first)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        log::scan::Location,
        store::index::{Entry, comments::visits},
        store::visibility::Visibility,
    };

    /// Comments as they must be found: by id, their time, page and visibility, and the `seq` of their newest line.
    #[derive(Default)]
    struct Model {
        index: Index,
        known: BTreeMap<u64, (u64, &'static str, Visibility, u64)>,
        /// The time in each line, by its `seq`.
        times: Vec<u64>,
    }

    impl Model {
        fn put(
            &mut self,
            id: Option<u64>,
            visibility: Visibility,
            page: &'static str,
            time: Option<u64>,
        ) {
            let seq = self.times.len() as u64 + 1;
            let id = id.unwrap_or(seq);
            let created = self.known.get(&id).map_or(time.unwrap_or(seq * 10), |known| known.0);
            self.times.push(created);
            let entry = entry(id, seq, visibility, page, time);
            let times = &self.times;
            self.index.put(entry, &|at| times.get(at.offset as usize / 100 - 1).copied());
            self.known.insert(id, (created, page, visibility, seq));
        }

        fn expected(&self, is_on: impl Fn(&str) -> bool) -> Vec<u64> {
            let mut all: Vec<_> = (self.known.iter())
                .filter(|(_, known)| known.2.is_public() && is_on(known.1))
                .map(|(&id, known)| (known.0, id))
                .collect();
            all.sort_unstable();
            all.into_iter().rev().map(|(_, id)| id).collect()
        }

        /// An index that has read the newest lines from a log.
        fn loaded(&self, dated: &[u64]) -> Index {
            let mut lines: Vec<_> = self.known.iter().collect();
            lines.sort_unstable_by_key(|(_, known)| known.3);
            let mut index = Index::default();
            for (&id, &(time, page, visibility, seq)) in lines {
                let time = dated.contains(&id).then_some(time);
                index.load(entry(id, seq, visibility, page, time));
            }
            let times = &self.times;
            let time_of = |at: Location| times.get(at.offset as usize / 100 - 1).copied();
            index.finish_loading(std::iter::empty(), &time_of);
            index
        }
    }

    fn entry(
        id: u64,
        seq: u64,
        visibility: Visibility,
        page: &str,
        time: Option<u64>,
    ) -> Entry<'_> {
        let location = Location { offset: seq * 100, len: 90 };
        Entry { id, seq, location, visibility, page, parent: None, nonce: None, time }
    }

    fn ids(index: &Index, of: Of) -> Vec<u64> {
        index.newest_public(of).map(|comment| comment.id).collect()
    }

    #[test]
    fn the_newest_are_those_that_everyone_sees_by_time_whatever_has_happened() {
        const ALL: [Visibility; 5] = [
            Visibility::Public,
            Visibility::Hidden,
            Visibility::Deleted,
            Visibility::Pending,
            Visibility::PendingDeleted,
        ];
        let (mut model, mut dated, mut random) = (Model::default(), Vec::new(), 1u32);
        let mut below = |limit: u32| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) % limit
        };
        for round in 0..4_000u64 {
            let page = ["a", "b/1", "b/2"][below(3) as usize];
            let known = model.known.len() as u32;
            match below(8) {
                0..2 => {
                    let seq = model.times.len() as u64 + 1;
                    dated.push(seq);
                    // Not later than now: it would stand before what is written here in between.
                    let time = u64::from(below(seq as u32 * 10));
                    model.put(None, ALL[below(4) as usize], page, Some(time));
                }
                2..5 if known > 0 => {
                    let at = known - 1 - below(known.min(300));
                    let (&id, &(_, page, ..)) = model.known.iter().nth(at as usize).unwrap();
                    model.put(Some(id), ALL[below(5) as usize], page, None);
                }
                5 => {
                    model.index.begin();
                    let seq = model.times.len() as u64 + 1;
                    let before = model.index.public_seq();
                    let time = (round % 2 == 0).then(|| u64::from(below(seq as u32 * 10)));
                    let new = entry(seq, seq, Visibility::Public, "new", time);
                    let times = &model.times;
                    let time_of = |at: Location| times.get(at.offset as usize / 100 - 1).copied();
                    model.index.put(new, &time_of);
                    assert_eq!(model.index.public_seq(), seq);
                    let known = model.known.iter().nth(below(known.max(1)) as usize);
                    if let Some((&id, &(_, page, visibility, _))) = known {
                        let other = match visibility {
                            Visibility::Public => Visibility::Hidden,
                            _ => Visibility::Public,
                        };
                        model.index.put(entry(id, seq + 1, other, page, None), &time_of);
                    }
                    model.index.roll_back();
                    assert_eq!(model.index.public_seq(), before);
                }
                _ => model.put(None, ALL[below(4) as usize], page, None),
            }
            if round % 97 == 0 {
                let loaded = model.loaded(&dated);
                for index in [&model.index, &loaded] {
                    assert_eq!(ids(index, Of::All), model.expected(|_| true));
                    assert_eq!(ids(index, Of::Page("a")), model.expected(|page| page == "a"));
                    let below = model.expected(|page| page.starts_with("b/"));
                    assert_eq!(ids(index, Of::Prefix("b/")), below);
                }
                assert_eq!(loaded.public_seq(), model.index.public_seq());
            }
        }
        assert!(dated.len() > 300 && model.expected(|_| true).len() > 300);
    }

    #[test]
    fn what_was_taken_away_is_not_looked_at() {
        let mut model = Model::default();
        for _ in 0..30_000 {
            model.put(None, Visibility::Public, "a", None);
        }
        for id in 20_001..=30_000 {
            model.put(Some(id), Visibility::Hidden, "a", None);
        }
        // Every block has one that is still public.
        for id in (1..20_000).filter(|id| id % 128 > 0) {
            model.put(Some(id), Visibility::Deleted, "a", None);
        }
        visits::take();
        let found: Vec<_> = model.index.newest_public(Of::All).take(50).map(|c| c.id).collect();
        let visited = visits::take();
        assert_eq!((found[0], found.len()), (20_000, 50));
        assert!(visited <= 50 * (BLOCK_NUMBERS as usize + 10), "{visited} looked at");
        let of_page = model.index.newest_public(Of::Page("a")).count();
        let visited = visits::take();
        assert!(visited <= 3 * NEWEST_SEARCHED_MAX, "{visited} looked at for {of_page}");
        assert_eq!(model.index.newest_public(Of::Prefix("b")).count(), 0);
        let visited = visits::take();
        assert!(visited <= 5 * NEWEST_SEARCHED_MAX, "{visited} looked at");
    }
}
