//! The index beside a naive one that is searched from end to end.

use std::collections::{BTreeMap, BTreeSet};

use sayso::{
    log::scan::Location,
    store::{
        index::{CommentRef, Entry, Index, Thread},
        visibility::Visibility,
    },
};

use crate::model::Chance;

/// A comment as the naive index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    id: u64,
    seq: u64,
    place: Location,
    visibility: Visibility,
    page: String,
    parent: Option<u64>,
    nonce: Option<String>,
}

/// All comments by id, searched from end to end.
#[derive(Debug, Clone, Default)]
struct Naive(BTreeMap<u64, Known>);

impl Naive {
    fn put(&mut self, known: &Known) {
        let nonce = self.0.get(&known.id).and_then(|known| known.nonce.clone());
        let nonce = known.nonce.clone().or(nonce);
        self.0.insert(known.id, Known { nonce, ..known.clone() });
    }

    /// What a comment answers: an earlier comment of its page.
    fn parent(&self, known: &Known) -> Option<&Known> {
        let parent = known.parent.and_then(|id| self.0.get(&id))?;
        (parent.id < known.id && parent.page == known.page).then_some(parent)
    }

    fn root(&self, known: &Known) -> u64 {
        self.parent(known).map_or(known.id, |parent| self.root(parent))
    }

    /// Whether everyone sees a comment, or something that answers it.
    fn is_above_public(&self, known: &Known) -> bool {
        known.visibility == Visibility::Public
            || (known.visibility.is_shared()
                && self.0.values().any(|other| {
                    self.parent(other).is_some_and(|parent| parent.id == known.id)
                        && self.is_above_public(other)
                }))
    }

    /// First comment and answers of each thread that has something public, by its first comment's id.
    fn threads(&self, page: &str) -> BTreeMap<u64, Vec<CommentRef>> {
        let mut threads: BTreeMap<u64, Vec<CommentRef>> = BTreeMap::new();
        for known in self.0.values().filter(|known| known.page == page) {
            let is_first = self.parent(known).is_none();
            if self.is_above_public(known) && !(is_first && known.visibility != Visibility::Public)
            {
                threads.entry(self.root(known)).or_default().push(item(known));
            }
        }
        for (id, thread) in &mut threads {
            let first = item(&self.0[id]);
            if thread[0].id != *id {
                thread.insert(0, first);
            }
        }
        threads
    }

    fn threads_agree(&self, index: &Index, page: &str, cursor: u64) {
        let threads = self.threads(page);
        let agree = |thread: &Thread, id: u64| {
            let (first, answers) = threads[&id].split_first().unwrap();
            assert_eq!(thread.id(), id);
            assert_eq!(thread.first(), Some(*first).filter(|first| first.visibility.is_shared()));
            assert_eq!((thread.len(), thread.is_empty()), (answers.len(), answers.is_empty()));
            let after = answers.iter().copied().filter(|answer| answer.id > cursor);
            assert!(thread.after(cursor).eq(after), "{id} after {cursor}");
            for (first, newest) in [(3, 7), (1, 1), (0, 2)] {
                let left_out = first..answers.len().saturating_sub(newest);
                let ends = (0..).zip(answers).filter(|(at, _)| !left_out.contains(at));
                assert!(thread.ends(first, newest).eq(ends.map(|(_, answer)| *answer)), "{id}");
            }
        };
        for (before, newest) in [(Some(cursor), cursor), (None, u64::MAX)] {
            let mut expected = threads.range(..newest).rev();
            for thread in index.threads_before(page, before) {
                agree(&thread, *expected.next().expect("a thread too many").0);
            }
            assert!(expected.next().is_none(), "threads before {before:?}");
        }
        let mut expected = threads.range(cursor + 1..);
        for thread in index.threads_after(page, cursor) {
            agree(&thread, *expected.next().expect("a thread too many").0);
        }
        assert!(expected.next().is_none(), "threads after {cursor}");
        for known in self.0.values() {
            let root = self.root(known);
            let is_there =
                known.page == page && known.visibility.is_shared() && threads.contains_key(&root);
            let thread = index.thread_of(page, known.id);
            assert_eq!(thread.is_some(), is_there, "the thread of {}", known.id);
            if let Some(thread) = thread {
                agree(&thread, root);
            }
        }
    }

    /// Every question the index answers, with the naive answer.
    fn agrees(&self, index: &Index, pages: &[&str], chance: &mut Chance) {
        assert_eq!(index.comment_count(), self.0.len());
        let used: BTreeSet<&str> = self.0.values().map(|known| &*known.page).collect();
        assert_eq!(index.page_count(), used.len());
        let live: BTreeSet<&str> =
            self.0.values().filter(|k| !k.visibility.is_deleted()).map(|k| &*k.page).collect();
        assert_eq!(index.live_page_count(), live.len());
        assert_eq!(
            index.live_bytes(),
            self.0.values().map(|k| u64::from(k.place.len)).sum::<u64>()
        );
        assert_eq!(
            index.offsets(),
            self.0.values().map(|known| known.place.offset).collect::<Vec<_>>()
        );
        for known in self.0.values() {
            let item = item(known);
            assert_eq!(index.find(known.id), Some(item));
            if let Some(nonce) = &known.nonce {
                assert_eq!(index.find_nonce(nonce, |hit| hit.id == known.id), Some(item));
            }
        }
        assert_eq!(index.find(self.0.len() as u64 * 9 + 1), None);
        for &page in pages {
            let here: Vec<&Known> = self.0.values().filter(|known| known.page == page).collect();
            assert_eq!(index.has_page(page), !here.is_empty());
            assert_eq!(index.has_live_page(page), live.contains(page));
            let public = here.iter().filter(|known| known.visibility == Visibility::Public).count();
            assert_eq!(index.count(page), public as u64);
            let cursor = chance.below(60) as u64;
            let newest = || here.iter().rev().filter(|known| known.id < cursor).map(|k| item(k));
            let mut since: Vec<CommentRef> =
                here.iter().filter(|known| known.seq > cursor).map(|k| item(k)).collect();
            since.sort_by_key(|item| item.seq);
            let is_shared = |item: &CommentRef| item.visibility.is_shared();
            let shared = newest().filter(is_shared);
            assert!(index.newest(page, Some(cursor)).eq(shared), "before {cursor}");
            assert!(index.newest_with_pending(page, Some(cursor)).eq(newest()), "before {cursor}");
            let pending = here.iter().rev().map(|k| item(k)).filter(|item| !is_shared(item));
            assert!(index.pending(page).eq(pending));
            let shared = since.iter().copied().filter(is_shared);
            assert!(index.since(page, cursor).eq(shared), "since {cursor}");
            assert!(index.since_with_pending(page, cursor).eq(since), "since {cursor}");
            self.threads_agree(index, page, cursor);
            assert!(here.iter().all(|known| index.find_on(page, known.id) == Some(item(known))));
        }
    }
}

fn item(known: &Known) -> CommentRef {
    CommentRef { id: known.id, seq: known.seq, location: known.place, visibility: known.visibility }
}

#[test]
fn a_batch_that_is_taken_back_leaves_the_index_as_it_was() {
    const PAGES: [&str; 5] = ["/", "a", "b", "c", "never"];
    const VISIBILITIES: [Visibility; 6] = [
        Visibility::Public,
        Visibility::Public,
        Visibility::Hidden,
        Visibility::Pending,
        Visibility::Deleted,
        Visibility::PendingDeleted,
    ];
    let mut rolled_back = 0;
    for seed in 0..40 {
        let mut chance = Chance(seed);
        let (mut index, mut naive) = (Index::default(), Naive::default());
        let (mut seq, mut end, mut lines) = (1, 100, Vec::new());
        // What everyone of a page was last told; a line that is taken back was never told.
        let mut seqs: BTreeMap<String, u64> = BTreeMap::new();
        for _ in 0..30 {
            let before = (naive.clone(), seqs.clone(), seq, end, lines.len());
            index.begin();
            for _ in 0..1 + chance.below(6) {
                let ids: Vec<u64> = naive.0.keys().copied().collect();
                let is_new = ids.is_empty() || chance.below(2) == 0;
                let id = if is_new { seq } else { ids[chance.below(ids.len())] };
                let page = match naive.0.get(&id) {
                    Some(known) => known.page.clone(),
                    None => PAGES[chance.below(4)].to_owned(),
                };
                // Mostly one that can be answered; sometimes one on another page, or none at all.
                let parent = match naive.0.get(&id) {
                    Some(known) => known.parent,
                    None if ids.is_empty() || chance.below(3) == 0 => None,
                    None => Some(ids[chance.below(ids.len())] + u64::from(chance.below(9) == 0)),
                };
                let nonce = (is_new && chance.below(3) > 0).then(|| format!("{seed}-nonce-{seq}"));
                let place = Location { offset: end, len: 20 + chance.below(900) as u32 };
                let known = Known {
                    id,
                    seq,
                    place,
                    visibility: VISIBILITIES[chance.below(VISIBILITIES.len())],
                    page,
                    parent,
                    nonce,
                };
                index.put(known_entry(&known));
                naive.put(&known);
                if known.visibility.is_shared() {
                    seqs.insert(known.page.clone(), seq);
                }
                lines.push(known);
                (seq, end) = (seq + 1, end + u64::from(place.len) + 19);
            }
            if chance.below(2) == 0 {
                index.commit();
            } else {
                naive.agrees(&index, &PAGES, &mut chance);
                index.roll_back();
                rolled_back += 1;
                (naive, seqs, seq, end) = (before.0, before.1, before.2, before.3);
                lines.truncate(before.4);
            }
            naive.agrees(&index, &PAGES, &mut chance);
            for page in PAGES {
                assert_eq!(index.seq(page), seqs.get(page).copied().unwrap_or(0), "{page}");
            }
        }
        let mut loaded = Index::default();
        for known in &lines {
            let nonce = naive.0[&known.id].nonce.clone();
            loaded.load(known_entry(&Known { nonce, ..known.clone() }));
        }
        loaded.finish_loading();
        naive.agrees(&loaded, &PAGES, &mut chance);
        // The same after a compaction: only the newest line of each, in the order of the lines.
        let mut compacted = Index::default();
        let mut newest: Vec<&Known> = naive.0.values().collect();
        newest.sort_by_key(|known| known.seq);
        newest.iter().for_each(|known| compacted.load(known_entry(known)));
        compacted.finish_loading();
        naive.agrees(&compacted, &PAGES, &mut chance);
    }
    println!("{rolled_back} batches taken back");
    assert!(rolled_back > 400);
}

fn known_entry(known: &Known) -> Entry<'_> {
    let Known { id, seq, place, visibility, page, parent, nonce } = known;
    let (id, seq, location, visibility) = (*id, *seq, *place, *visibility);
    Entry { id, seq, location, visibility, page, parent: *parent, nonce: nonce.as_deref() }
}
