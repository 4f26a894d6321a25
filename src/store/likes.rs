//! Who likes what: a heart per comment and author.
//!
//! Holds no pseudonym, only a 64-bit fingerprint of comment and author, keyed by chance so that nobody can choose ones that meet. A heart
//! costs 8 to 16 bytes, a comment that has any about 64 more: with [`LIKES_MAX`] at most some 80 MB. Knows no files.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

use crate::comment::Author;

/// Hearts of one comment; a sorted list of so many is still quick to insert into.
pub const LIKES_A_COMMENT_MAX: usize = 10_000;
/// Hearts in all.
pub const LIKES_MAX: usize = 1_000_000;
/// The `kind` of a heart's line.
pub const KIND: &str = "like";
/// What a heart's line has in the file, about.
const LINE_BYTES: u64 = 90;

/// A comment, as hearts are sorted: the number of its page, and its id.
pub type Key = (u32, u64);

/// Comment and its hearts, sorted; none is empty.
type Hearts = (u64, Vec<u64>);

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Likes {
    /// By page number; each page's by id. Nearly always it is a new comment that gets its first heart, so they come at the end.
    pages: Vec<Vec<Hearts>>,
    count: usize,
    hasher: RandomState,
    undo: Vec<Undo>,
    /// While a log is read: id, fingerprint, given.
    loaded: Vec<(u64, u64, bool)>,
}

#[derive(Debug)]
enum Undo {
    Set(Key, u64, bool),
    Forgotten(Key, Vec<u64>),
}

/// Why there is no room for a heart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// [`LIKES_A_COMMENT_MAX`]
    Comment,
    /// [`LIKES_MAX`]
    All,
}

/// Which of a log's lines about hearts are still wanted: one for each heart there is.
pub struct LiveLikes {
    left: HashSet<u64>,
    hasher: RandomState,
}

/// Appends a heart's line to `out`, from `{` to `}`.
pub fn encode(seq: u64, id: u64, author: Author, on: bool) -> Vec<u8> {
    format!("{{\"seq\":{seq},\"kind\":\"{KIND}\",\"id\":{id},\"author\":\"{author}\",\"on\":{on}}}")
        .into_bytes()
}

fn fingerprint(hasher: &RandomState, id: u64, author: Author) -> u64 {
    hasher.hash_one((id, author))
}

impl Likes {
    /// Takes in a line while the log is read; [`Likes::finish_loading`] must follow before anything is asked.
    pub fn load(&mut self, id: u64, author: Author, on: bool) {
        self.loaded.push((id, fingerprint(&self.hasher, id, author), on));
    }

    /// Brings what was loaded into order: `page_of` says on which page a comment is that can have hearts.
    pub fn finish_loading(&mut self, page_of: impl Fn(u64) -> Option<u32>) {
        let loaded = std::mem::take(&mut self.loaded);
        // By id, so that each comes behind what is there; of a comment in the order of the log.
        let mut order: Vec<(u64, u32)> =
            (0..).zip(&loaded).map(|(n, heart)| (heart.0, n)).collect();
        order.sort_unstable();
        for (id, n) in order {
            let (_, print, on) = loaded[n as usize];
            if let Some(page) = page_of(id) {
                self.put((page, id), print, on);
            }
        }
    }

    fn hearts(&self, (page, id): Key) -> &[u64] {
        let page = self.pages.get(page as usize).map_or(&[][..], |page| page);
        page.binary_search_by_key(&id, |hearts| hearts.0).map_or(&[], |at| &page[at].1)
    }

    /// Whether `author` likes the comment.
    pub fn has(&self, key: Key, author: Author) -> bool {
        let print = fingerprint(&self.hasher, key.1, author);
        self.hearts(key).binary_search(&print).is_ok()
    }

    /// # Errors
    /// Where the comment can't have one more heart.
    pub fn check_room(&self, key: Key) -> Result<(), Full> {
        if self.count(key) >= LIKES_A_COMMENT_MAX as u64 {
            return Err(Full::Comment);
        }
        if self.count >= LIKES_MAX { Err(Full::All) } else { Ok(()) }
    }

    /// Lets `author` like the comment, or not any more.
    pub fn set(&mut self, key: Key, author: Author, on: bool) {
        let print = fingerprint(&self.hasher, key.1, author);
        if self.put(key, print, on) {
            self.undo.push(Undo::Set(key, print, on));
        }
    }

    /// The comment is gone, and its hearts with it.
    pub fn forget(&mut self, key: Key) {
        let Some(page) = self.pages.get_mut(key.0 as usize) else { return };
        if let Ok(at) = page.binary_search_by_key(&key.1, |hearts| hearts.0) {
            let (_, hearts) = page.remove(at);
            self.count -= hearts.len();
            self.undo.push(Undo::Forgotten(key, hearts));
        }
    }

    /// From here on, [`Likes::roll_back`] can't take back what was done so far.
    pub fn commit(&mut self) {
        self.undo.clear();
    }

    /// Takes back what was done since [`Likes::commit`], newest first.
    pub fn roll_back(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Set(key, print, on) => {
                    self.put(key, print, !on);
                }
                Undo::Forgotten(key, hearts) => {
                    for print in hearts {
                        self.put(key, print, true);
                    }
                }
            }
        }
    }

    /// How many like the comment.
    pub fn count(&self, key: Key) -> u64 {
        self.hearts(key).len() as u64
    }

    /// Id and hearts of a page's comments that have any, newest first.
    pub fn newest(&self, page: u32) -> impl Iterator<Item = (u64, u64)> + '_ {
        let page = self.pages.get(page as usize).map_or(&[][..], |page| page);
        page.iter().rev().map(|(id, hearts)| (*id, hearts.len() as u64))
    }

    /// Bytes of the lines that say what there is, about.
    pub fn live_bytes(&self) -> u64 {
        self.count as u64 * LINE_BYTES
    }

    /// For a compaction.
    pub fn wanted(&self) -> LiveLikes {
        let left = self.pages.iter().flatten().flat_map(|hearts| &hearts.1).copied().collect();
        LiveLikes { left, hasher: self.hasher.clone() }
    }

    /// Returns whether that is a change.
    fn put(&mut self, (page, id): Key, print: u64, on: bool) -> bool {
        while self.pages.len() <= page as usize {
            self.pages.push(Vec::new());
        }
        let page = &mut self.pages[page as usize];
        let at = page.binary_search_by_key(&id, |hearts| hearts.0).unwrap_or_else(|at| {
            page.insert(at, (id, Vec::new()));
            at
        });
        let hearts = &mut page[at].1;
        let changes = match (hearts.binary_search(&print), on) {
            (Err(at), true) => {
                if hearts.is_empty() {
                    hearts.reserve_exact(1);
                }
                hearts.insert(at, print);
                self.count += 1;
                true
            }
            (Ok(at), false) => {
                hearts.remove(at);
                self.count -= 1;
                true
            }
            _ => false,
        };
        if hearts.is_empty() {
            page.remove(at);
        }
        changes
    }
}

impl LiveLikes {
    /// Whether this line is the first about a heart that there is.
    pub fn takes(&mut self, id: u64, author: Author, on: bool) -> bool {
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
    fn a_heart_is_there_once_however_often_it_is_given_and_gone_when_taken() {
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
    fn a_batch_is_taken_back_whole() {
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
    fn a_pages_hearts_come_newest_first() {
        let mut likes = Likes::default();
        for (page, id, by) in [(1, 9, 1), (1, 4, 1), (1, 4, 2), (2, 5, 1), (0, 6, 1)] {
            likes.set((page, id), author(by), true);
        }
        assert_eq!(likes.newest(1).collect::<Vec<_>>(), [(9, 1), (4, 2)]);
        assert_eq!(likes.newest(3).count(), 0);
    }

    #[test]
    fn a_comment_has_so_many_hearts_and_no_more() {
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
    fn what_was_loaded_counts_for_comments_that_can_have_hearts() {
        let mut likes = Likes::default();
        for (id, by, on) in [(1, 1, true), (1, 2, true), (1, 2, false), (2, 1, true), (1, 1, true)]
        {
            likes.load(id, author(by), on);
        }
        likes.finish_loading(|id| (id == 1).then_some(7));
        assert_eq!((likes.count((7, 1)), likes.count), (1, 1));
    }

    #[test]
    fn of_a_hearts_lines_one_is_wanted() {
        let mut likes = Likes::default();
        likes.set((0, 1), author(1), true);
        let mut wanted = likes.wanted();
        assert!(!wanted.takes(1, author(1), false) && wanted.takes(1, author(1), true));
        assert!(!wanted.takes(1, author(1), true) && !wanted.takes(1, author(2), true));
    }
}
