//! A page's lists of comments.
//!
//! Every comment is in exactly one of `unchanged`, `changed` and `pending`, so that no read passes over what it doesn't return. What
//! readers see of it is in `threads` as well. Knows no log.

use super::{Index, comments::Comments, list::List};

/// A page that has comments, deleted ones included.
#[derive(Debug)]
pub(super) struct Page {
    /// Comments with one line, which everyone gets, by rising id and so by rising `seq`.
    pub unchanged: List,
    /// What is shown in threads, by the first comment of its thread and then by rising id. See [`is_listed`](super::comments::Comments::is_listed).
    pub threads: List,
    pub rare: Option<Box<Rare>>,
    /// Number of public comments.
    pub count: u32,
    /// Number of comments that are not deleted.
    pub live: u32,
    /// The highest `seq` of a line that everyone gets.
    pub seq: u64,
}

/// What many pages don't have.
#[derive(Debug)]
pub(super) struct Rare {
    /// Comments with a newer line, which everyone gets, by rising `seq`.
    pub changed: List,
    /// The same by rising id.
    pub changed_by_id: List,
    /// Comments that never were public, by rising id.
    pub pending: List,
}

impl Page {
    pub(super) const EMPTY: Page = Page {
        unchanged: List::EMPTY,
        threads: List::EMPTY,
        rare: None,
        count: 0,
        live: 0,
        seq: 0,
    };
}

impl Rare {
    pub(super) const EMPTY: Rare =
        Rare { changed: List::EMPTY, changed_by_id: List::EMPTY, pending: List::EMPTY };
}

impl Index {
    /// Enters a comment into the lists and sums, as its newest line says.
    pub(super) fn attach(&mut self, number: u32) {
        self.update(number, true);
        if self.comments.is_listed(number) {
            self.update_threads(number, true);
        }
    }

    /// Takes a comment out of the lists and sums, before its newest line is another one.
    pub(super) fn detach(&mut self, number: u32) {
        self.update(number, false);
        if self.comments.is_listed(number) {
            self.update_threads(number, false);
        }
    }

    fn update(&mut self, number: u32, adds: bool) {
        let comments = &self.comments;
        let packed = comments.locations[number as usize];
        let (visibility, page) = (packed.visibility(), comments.page(number));
        let page = &mut self.pages[page as usize];
        let add = |sum: u32, is: bool| if adds { sum + u32::from(is) } else { sum - u32::from(is) };
        let sum = &mut self.sums[visibility as usize];
        if adds {
            *sum += 1;
        } else {
            *sum -= 1;
        }
        page.count = add(page.count, visibility.is_public());
        let was_live = page.live > 0;
        page.live = add(page.live, !visibility.is_deleted());
        self.live_pages += usize::from(page.live > 0);
        self.live_pages -= usize::from(was_live);
        if adds {
            self.live_bytes += packed.bytes();
        } else {
            self.live_bytes -= packed.bytes();
        }
        let by_id = |number: u32| number;
        if visibility.is_shared() && comments.meta[number as usize].seq_delta == 0 {
            set(&mut page.unchanged, number, adds, by_id);
            return;
        }
        let rare = page.rare.get_or_insert_with(|| Box::new(Rare::EMPTY));
        if visibility.is_shared() {
            set(&mut rare.changed, number, adds, |number| comments.seq(number));
            set(&mut rare.changed_by_id, number, adds, by_id);
        } else {
            set(&mut rare.pending, number, adds, by_id);
        }
    }

    /// Adds a comment to the list of threads or removes it, and with it the tombstones that only it keeps there.
    fn update_threads(&mut self, number: u32, adds: bool) {
        let page = self.comments.page(number);
        let mut next = Some(number);
        while let Some(number) = next {
            let comments = &mut self.comments;
            let threads = &mut self.pages[page as usize].threads;
            set(threads, number, adds, |number| comments.thread_key(number));
            let Some(parent) = comments.answer_above(number) else { return };
            let was_listed = comments.is_listed(parent);
            comments.listed[parent as usize] = match comments.listed[parent as usize] {
                count if adds => count.saturating_add(1),
                u8::MAX => count_listed(comments, threads, parent),
                count => count - 1,
            };
            next = (comments.is_listed(parent) != was_listed).then_some(parent);
        }
    }
}

/// Counts which answers to an answer are in the list of threads, up to [`u8::MAX`].
fn count_listed(comments: &Comments, threads: &List, parent: u32) -> u8 {
    let key = comments.thread_key(parent);
    let later = threads.from(threads.position(|number| comments.thread_key(number) <= key));
    let thread = later.take_while(|&number| comments.root(number) == key.0);
    let answers = thread.filter(|&number| comments.answer_above(number) == Some(parent));
    answers.take(u8::MAX.into()).count() as u8
}

fn set<K: Ord>(list: &mut List, number: u32, adds: bool, key: impl Fn(u32) -> K) {
    if adds { list.insert(number, key) } else { list.remove(number, key) }
}
