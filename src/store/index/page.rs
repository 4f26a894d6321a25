//! A page's lists of comments.
//!
//! Every comment is in exactly one of `unchanged`, `changed` and `pending`, so that no read passes over what it doesn't return. What
//! readers see of it is in `threads` as well. Knows no log.

use super::{
    Index,
    comments::Comments,
    list::{List, SortKey},
    order::Key,
};

/// A page that has comments, deleted ones included.
#[derive(Debug)]
pub(super) struct Page {
    /// Comments with one line, which everyone gets, by rising id and so by rising `seq`.
    pub unchanged: List,
    /// What is shown in threads, by the first comment of its thread and then in the page's order. See [`is_listed`](super::comments::Comments::is_listed).
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
    /// The same by rising id; empty if there is an order besides.
    pub changed_by_id: List,
    /// Comments that never were public, by rising id.
    pub pending: List,
    /// The page's order, if that is another one than that of the ids.
    pub ordered: Option<Ordered>,
    /// The `seq` at which another page's comments came to those that were here: a cursor below it has missed some.
    pub merged: u64,
}

/// All comments of a page in its order.
#[derive(Debug)]
pub(super) struct Ordered {
    /// Those that everyone gets.
    pub shared: List,
    /// Those that never were public.
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

impl Page {
    /// The lists that together have all comments, each once, by rising id, as long as that is the page's order.
    fn lists_by_id(&self) -> impl Iterator<Item = &List> {
        let rare = self.rare.iter().flat_map(|rare| [&rare.changed_by_id, &rare.pending]);
        std::iter::once(&self.unchanged).chain(rare)
    }

    /// All comments by rising id, as long as that is the page's order.
    pub(super) fn all_by_id(&self) -> List {
        List::sorted(&mut self.lists_by_id().flat_map(List::iter), &by_id)
    }

    /// Whether the page has an order besides that of the ids.
    pub(super) fn is_ordered(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.ordered.is_some())
    }
}

impl Rare {
    pub(super) const EMPTY: Rare = Rare {
        changed: List::EMPTY,
        changed_by_id: List::EMPTY,
        pending: List::EMPTY,
        ordered: None,
        merged: 0,
    };
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
        if visibility.is_public() {
            self.newest.set(number, adds, comments);
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
        if let Some(ordered) = page.rare.as_mut().and_then(|rare| rare.ordered.as_mut()) {
            let list =
                if visibility.is_shared() { &mut ordered.shared } else { &mut ordered.pending };
            set(list, number, adds, &|number| (comments.key(number), Key::FIRST));
        }
        if visibility.is_shared() && comments.meta[number as usize].seq_delta == 0 {
            set(&mut page.unchanged, number, adds, &by_id);
            return;
        }
        let rare = page.rare.get_or_insert_with(|| Box::new(Rare::EMPTY));
        if !visibility.is_shared() {
            set(&mut rare.pending, number, adds, &by_id);
            return;
        }
        set(&mut rare.changed, number, adds, &|number| comments.line_key(number));
        if rare.ordered.is_none() {
            set(&mut rare.changed_by_id, number, adds, &by_id);
        }
    }

    /// Whether a page's order stays that of the ids if a comment with a higher id is added.
    pub(super) fn stays_by_id(&self, page: u32, number: u32) -> bool {
        let (page, key) = (&self.pages[page as usize], self.comments.key(number));
        page.lists_by_id().all(|list| list.last().is_none_or(|last| self.comments.key(last) < key))
    }

    /// Gives a page an order of its own besides that of the ids.
    pub(super) fn set_order(&mut self, page: u32) {
        let (comments, page) = (&self.comments, &mut self.pages[page as usize]);
        let rare = page.rare.get_or_insert_with(|| Box::new(Rare::EMPTY));
        rare.changed_by_id = List::EMPTY;
        let key = |number| (comments.key(number), Key::FIRST);
        let shared = List::sorted(&mut page.unchanged.iter().chain(rare.changed.iter()), &key);
        let pending = List::sorted(&mut rare.pending.iter(), &key);
        rare.ordered = Some(Ordered { shared, pending });
    }

    /// Adds a comment to the list of threads or removes it, and with it the tombstones that only it keeps there.
    fn update_threads(&mut self, number: u32, adds: bool) {
        let page = self.comments.page(number);
        let mut next = Some(number);
        while let Some(number) = next {
            let comments = &mut self.comments;
            let threads = &mut self.pages[page as usize].threads;
            set(threads, number, adds, &|number| comments.thread_key(number));
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

/// What lists are sorted by whose order is that of the ids.
pub(super) fn by_id(number: u32) -> SortKey {
    (Key::up_to(number), Key::FIRST)
}

/// Counts which answers to an answer are in the list of threads, up to [`u8::MAX`].
fn count_listed(comments: &Comments, threads: &List, parent: u32) -> u8 {
    let (root, own) = comments.thread_key(parent);
    // With a time of its own, an answer may stand before what it answers.
    let key = (root, if comments.order.is_by_id() { own } else { Key::FIRST });
    let later = threads.from(threads.position(&|number| comments.thread_key(number) <= key));
    let thread = later.take_while(|&number| comments.root_key(number) == root);
    let answers = thread.filter(|&number| comments.answer_above(number) == Some(parent));
    answers.take(u8::MAX.into()).count() as u8
}

fn set(list: &mut List, number: u32, adds: bool, key: &dyn Fn(u32) -> SortKey) {
    if adds { list.insert(number, key) } else { list.remove(number, key) }
}
