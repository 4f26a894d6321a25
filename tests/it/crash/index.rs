//! The index beside a naive one that is searched from end to end.

use std::collections::{BTreeMap, BTreeSet};

use sayso::{
    log::scan::Location,
    store::{
        index::{CommentRef, Entry, Index},
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

    /// Every question the index answers, with the naive answer.
    fn agrees(&self, index: &Index, pages: &[&str], chance: &mut Chance) {
        assert_eq!(index.comment_count(), self.0.len());
        let used: BTreeSet<&str> = self.0.values().map(|known| &*known.page).collect();
        assert_eq!(index.page_count(), used.len());
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
            let public = here.iter().filter(|known| known.visibility == Visibility::Public).count();
            assert_eq!(index.count(page), public as u64);
            let cursor = chance.below(60) as u64;
            let newest = here.iter().rev().filter(|k| k.id < cursor).map(|k| item(k));
            assert!(index.newest(page, Some(cursor)).eq(newest), "before {cursor}");
            let mut since: Vec<CommentRef> =
                here.iter().filter(|known| known.seq > cursor).map(|k| item(k)).collect();
            since.sort_by_key(|item| item.seq);
            assert!(index.since(page, cursor).eq(since), "since {cursor}");
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
    const SIGHTS: [Visibility; 5] = [
        Visibility::Public,
        Visibility::Public,
        Visibility::Hidden,
        Visibility::Pending,
        Visibility::Deleted,
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
                let nonce = (is_new && chance.below(3) > 0).then(|| format!("{seed}-nonce-{seq}"));
                let place = Location { offset: end, len: 20 + chance.below(900) as u32 };
                let known =
                    Known { id, seq, place, visibility: SIGHTS[chance.below(5)], page, nonce };
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
    let Known { id, seq, place, visibility, page, nonce } = known;
    let (id, seq, place, visibility, nonce) = (*id, *seq, *place, *visibility, nonce.as_deref());
    Entry { id, seq, location: place, visibility, page, nonce }
}
