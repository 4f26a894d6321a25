//! Who likes which comment: at most one like per comment and author.
//!
//! Holds no pseudonyms, only a 64-bit fingerprint of each comment and author. Its hash has a random key, so that nobody can choose
//! authors that collide. A like costs 8 to 16 bytes, and a liked comment about 64 more: at most some 80 MB with [`LIKES_MAX`]. Knows
//! no files.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

use crate::{comment::Author, util::order::order_by_key};

/// Likes of one comment. Inserting into a sorted list of this length is still fast.
pub const LIKES_A_COMMENT_MAX: usize = 10_000;
/// Likes of all comments together.
pub const LIKES_MAX: usize = 1_000_000;
/// The `kind` of a like's line.
pub const KIND: &str = "like";
/// Typical length of a like's line in the file.
const LINE_BYTES: u64 = 90;

/// A comment: the number of its page, and its id.
pub type Key = (u32, u64);

/// A comment's id and the sorted fingerprints of its likes, at least one.
type LikedComment = (u64, Vec<u64>);

/// All likes there are.
#[derive(Debug, Default)]
pub struct Likes {
    /// The liked comments of each page by rising id, by page number. Mostly a new comment gets its first like, so that inserting
    /// happens near the end.
    pages: Vec<Vec<LikedComment>>,
    count: usize,
    hasher: RandomState,
    /// What was changed since [`Likes::commit`].
    undo: Vec<Undo>,
    /// While a log is read: comment id, fingerprint, and whether the like was given.
    loaded: Vec<(u64, u64, bool)>,
}

#[derive(Debug)]
enum Undo {
    /// A like was given (`true`) or taken back.
    Set(Key, u64, bool),
    /// A comment's likes were dropped.
    Forgotten(Key, Vec<u64>),
}

/// Which limit leaves no room for another like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The comment has [`LIKES_A_COMMENT_MAX`].
    Comment,
    /// All comments together have [`LIKES_MAX`].
    All,
}

/// The likes that a compaction still has to write a line for.
pub struct LiveLikes {
    left: HashSet<u64>,
    hasher: RandomState,
}

/// Encodes a like's line, from `{` to `}`. `on` is `false` if the like was taken back.
pub fn encode(seq: u64, id: u64, author: Author, on: bool) -> Vec<u8> {
    format!("{{\"seq\":{seq},\"kind\":\"{KIND}\",\"id\":{id},\"author\":\"{author}\",\"on\":{on}}}")
        .into_bytes()
}

impl Likes {
    /// Adds a line while the log is read. The likes are usable only after [`Likes::finish_loading`].
    pub fn load(&mut self, id: u64, author: Author, on: bool) {
        self.loaded.push((id, fingerprint(&self.hasher, id, author), on));
    }

    /// Builds the table from what was loaded. `page_of` returns the page number of a comment, or `None` if it can't have likes.
    pub fn finish_loading(&mut self, page_of: impl Fn(u64) -> Option<u32>) {
        let loaded = std::mem::take(&mut self.loaded);
        // By id, so that each insert happens at the end; the likes of one comment stay in the order of the log.
        for n in order_by_key(&mut loaded.iter().map(|like| like.0)) {
            let (id, fingerprint, on) = loaded[n as usize];
            if let Some(page) = page_of(id) {
                self.put((page, id), fingerprint, on);
            }
        }
    }

    /// Makes the liked comments of the page with the number `from` those of `to`. It can't be rolled back.
    pub fn merge_pages(&mut self, from: u32, to: u32) {
        let Some(moved) = self.pages.get_mut(from as usize).map(std::mem::take) else { return };
        if moved.is_empty() {
            return;
        }
        if self.pages.len() <= to as usize {
            self.pages.resize_with(to as usize + 1, Vec::new);
        }
        let all = &mut self.pages[to as usize];
        all.extend(moved);
        let order = order_by_key(&mut all.iter().map(|comment| comment.0));
        let sorted = order.iter().map(|&at| std::mem::take(&mut all[at as usize])).collect();
        *all = sorted;
    }

    fn liked_comments(&self, page: u32) -> &[LikedComment] {
        self.pages.get(page as usize).map_or(&[], |page| page)
    }

    /// Returns the fingerprints of a comment's likes.
    fn fingerprints(&self, (page, id): Key) -> &[u64] {
        let page = self.liked_comments(page);
        page.binary_search_by_key(&id, |comment| comment.0).map_or(&[], |at| &page[at].1)
    }

    /// Whether `author` likes the comment.
    pub fn has(&self, key: Key, author: Author) -> bool {
        let fingerprint = fingerprint(&self.hasher, key.1, author);
        self.fingerprints(key).binary_search(&fingerprint).is_ok()
    }

    /// Returns the comments that `author` likes among the first `max` liked ones from `from` on, and where to go on if there are more.
    pub fn liked_by(&self, author: Author, from: Key, max: usize) -> (Vec<Key>, Option<Key>) {
        let (mut liked, mut searched) = (Vec::new(), 0);
        for (page, comments) in (0u32..).zip(&self.pages).skip(from.0 as usize) {
            let first = if page == from.0 { from.1 } else { 0 };
            for (id, fingerprints) in &comments[comments.partition_point(|(id, _)| *id < first)..] {
                if searched == max {
                    return (liked, Some((page, *id)));
                }
                searched += 1;
                let fingerprint = fingerprint(&self.hasher, *id, author);
                if fingerprints.binary_search(&fingerprint).is_ok() {
                    liked.push((page, *id));
                }
            }
        }
        (liked, None)
    }

    /// Checks that the comment can get one more like.
    ///
    /// # Errors
    /// [`Full`] says which limit is reached.
    pub fn check_room(&self, key: Key) -> Result<(), Full> {
        if self.count(key) >= LIKES_A_COMMENT_MAX as u64 {
            return Err(Full::Comment);
        }
        if self.count >= LIKES_MAX { Err(Full::All) } else { Ok(()) }
    }

    /// Records that `author` likes the comment, or no longer does.
    pub fn set(&mut self, key: Key, author: Author, on: bool) {
        let fingerprint = fingerprint(&self.hasher, key.1, author);
        if self.put(key, fingerprint, on) {
            self.undo.push(Undo::Set(key, fingerprint, on));
        }
    }

    /// Drops all likes of a comment that was deleted.
    pub fn forget(&mut self, key: Key) {
        let Some(page) = self.pages.get_mut(key.0 as usize) else { return };
        if let Ok(at) = page.binary_search_by_key(&key.1, |comment| comment.0) {
            let (_, fingerprints) = page.remove(at);
            self.count -= fingerprints.len();
            self.undo.push(Undo::Forgotten(key, fingerprints));
        }
    }

    /// Keeps the changes made so far: [`Likes::roll_back`] can't undo them any more.
    pub fn commit(&mut self) {
        self.undo.clear();
    }

    /// Undoes the changes made since [`Likes::commit`], newest first.
    pub fn roll_back(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Set(key, fingerprint, on) => {
                    self.put(key, fingerprint, !on);
                }
                Undo::Forgotten(key, fingerprints) => {
                    for fingerprint in fingerprints {
                        self.put(key, fingerprint, true);
                    }
                }
            }
        }
    }

    /// Returns the comment's number of likes.
    pub fn count(&self, key: Key) -> u64 {
        self.fingerprints(key).len() as u64
    }

    /// Returns the ids of a page's liked comments with their numbers of likes, newest comment first.
    pub fn newest(&self, page: u32) -> impl Iterator<Item = (u64, u64)> + '_ {
        let comments = self.liked_comments(page).iter().rev();
        comments.map(|(id, fingerprints)| (*id, fingerprints.len() as u64))
    }

    /// Returns about how many bytes the lines of all likes take in a compacted log.
    pub fn live_bytes(&self) -> u64 {
        self.count as u64 * LINE_BYTES
    }

    /// Returns a copy of all likes for a compaction.
    pub fn live(&self) -> LiveLikes {
        let left = self.pages.iter().flatten().flat_map(|comment| &comment.1).copied().collect();
        LiveLikes { left, hasher: self.hasher.clone() }
    }

    /// Adds or removes a like, and returns whether that changed anything.
    fn put(&mut self, (page, id): Key, fingerprint: u64, on: bool) -> bool {
        while self.pages.len() <= page as usize {
            self.pages.push(Vec::new());
        }
        let page = &mut self.pages[page as usize];
        let at = page.binary_search_by_key(&id, |comment| comment.0).unwrap_or_else(|at| {
            page.insert(at, (id, Vec::new()));
            at
        });
        let fingerprints = &mut page[at].1;
        let changed = match (fingerprints.binary_search(&fingerprint), on) {
            (Err(at), true) => {
                if fingerprints.is_empty() {
                    fingerprints.reserve_exact(1);
                }
                fingerprints.insert(at, fingerprint);
                self.count += 1;
                true
            }
            (Ok(at), false) => {
                fingerprints.remove(at);
                self.count -= 1;
                true
            }
            _ => false,
        };
        if fingerprints.is_empty() {
            page.remove(at);
        }
        changed
    }
}

fn fingerprint(hasher: &RandomState, id: u64, author: Author) -> u64 {
    hasher.hash_one((id, author))
}

impl LiveLikes {
    /// Returns whether this line is to be kept: it is the first that gives a like which still exists.
    pub fn claim(&mut self, id: u64, author: Author, on: bool) -> bool {
        on && self.left.remove(&fingerprint(&self.hasher, id, author))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn author(n: usize) -> Author {
        Author::from_key(&format!("{n:016}"))
    }

    #[test]
    fn a_like_counts_once_however_often_it_is_given_until_it_is_taken_back() {
        let mut likes = Likes::default();
        for on in [true, true] {
            likes.set((3, 17), author(1), on);
        }
        likes.set((3, 17), author(2), true);
        assert_eq!((likes.count((3, 17)), likes.count((3, 18)), likes.count), (2, 0, 2));
        likes.set((3, 17), author(1), false);
        likes.set((3, 17), author(1), false);
        assert!(!likes.has((3, 17), author(1)) && likes.has((3, 17), author(2)));
        likes.set((3, 17), author(2), false);
        assert!(likes.pages.iter().all(Vec::is_empty) && likes.count == 0);
    }

    #[test]
    fn a_rolled_back_batch_leaves_no_trace() {
        let mut likes = Likes::default();
        likes.set((0, 1), author(1), true);
        likes.set((0, 2), author(1), true);
        likes.commit();
        let before = likes.pages.clone();
        likes.set((0, 1), author(2), true);
        likes.set((0, 1), author(1), false);
        likes.forget((0, 1));
        likes.forget((0, 2));
        likes.forget((0, 3));
        likes.set((1, 4), author(1), true);
        assert_eq!(likes.count, 1);
        likes.roll_back();
        likes.pages.pop();
        assert_eq!((&likes.pages, likes.count), (&before, 2));
    }

    #[test]
    fn the_liked_comments_of_two_pages_become_those_of_one() {
        let mut likes = Likes::default();
        for (page, id) in [(0, 1), (0, 5), (1, 3), (1, 7)] {
            likes.set((page, id), author(1), true);
        }
        likes.commit();
        likes.merge_pages(1, 0);
        likes.merge_pages(0, 4);
        likes.merge_pages(9, 4);
        assert!(likes.newest(4).eq([(7, 1), (5, 1), (3, 1), (1, 1)]));
        assert!(likes.newest(0).next().is_none() && likes.has((4, 3), author(1)));
    }

    #[test]
    fn a_pages_liked_comments_come_newest_first() {
        let mut likes = Likes::default();
        for (page, id, by) in [(1, 9, 1), (1, 4, 1), (1, 4, 2), (2, 5, 1), (0, 6, 1)] {
            likes.set((page, id), author(by), true);
        }
        assert_eq!(likes.newest(1).collect::<Vec<_>>(), [(9, 1), (4, 2)]);
        assert_eq!(likes.newest(3).count(), 0);
    }

    #[test]
    fn likes_are_limited_per_comment_and_in_all() {
        let mut likes = Likes::default();
        for n in 0..LIKES_A_COMMENT_MAX {
            assert_eq!(likes.check_room((0, 1)), Ok(()));
            likes.set((0, 1), author(n), true);
        }
        assert_eq!(likes.check_room((0, 1)), Err(Full::Comment));
        assert_eq!(likes.check_room((0, 2)), Ok(()));
        likes.count = LIKES_MAX - 1;
        assert_eq!(likes.check_room((0, 2)), Ok(()));
        likes.count = LIKES_MAX;
        assert_eq!(likes.check_room((0, 2)), Err(Full::All));
    }

    #[test]
    fn loaded_likes_count_only_for_comments_that_can_have_likes() {
        let mut likes = Likes::default();
        for (id, by, on) in [(1, 1, true), (1, 2, true), (1, 2, false), (2, 1, true), (1, 1, true)]
        {
            likes.load(id, author(by), on);
        }
        likes.finish_loading(|id| (id == 1).then_some(7));
        assert_eq!((likes.count((7, 1)), likes.count), (1, 1));
    }

    #[test]
    fn compaction_keeps_one_line_for_each_like() {
        let mut likes = Likes::default();
        likes.set((0, 1), author(1), true);
        let mut live = likes.live();
        assert!(!live.claim(1, author(1), false) && live.claim(1, author(1), true));
        assert!(!live.claim(1, author(1), true) && !live.claim(1, author(2), true));
    }
}
