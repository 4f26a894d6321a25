//! The index beside a naive one that is searched from end to end: with comments that were imported, and with pages that move.

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
    /// When it was written, which of those written here rises with the ids.
    time: u64,
    is_imported: bool,
}

/// All comments by id, searched from end to end, and the pages that have moved with the `seq` of when.
#[derive(Debug, Clone, Default)]
struct Naive(BTreeMap<u64, Known>, Vec<(String, String, u64)>);

impl Naive {
    fn put(&mut self, known: &Known) {
        let nonce = self.0.get(&known.id).and_then(|known| known.nonce.clone());
        let nonce = known.nonce.clone().or(nonce);
        self.0.insert(known.id, Known { nonce, ..known.clone() });
    }

    fn resolve<'p>(&'p self, page: &'p str) -> &'p str {
        let moves = self.1.iter();
        moves.fold(page, |page, (old, new, _)| if page == old { new } else { page })
    }

    /// The comments of a page in its order, whatever they are.
    fn on(&self, page: &str) -> Vec<&Known> {
        let mut here: Vec<&Known> =
            self.0.values().filter(|known| self.resolve(&known.page) == page).collect();
        here.sort_by_key(|known| (known.time, known.id));
        here
    }

    /// Whether a comment is before or behind another. Of an unknown one only its place among those that were written here is known.
    fn is_before(&self, known: &Known, cursor: u64) -> bool {
        let mut later = self.0.range(cursor..).map(|(_, known)| known);
        let first = match self.0.get(&cursor) {
            Some(cursor) => Some(cursor),
            None => later.find(|known| !known.is_imported),
        };
        first.is_none_or(|first| (known.time, known.id) < (first.time, first.id))
    }

    fn is_behind(&self, known: &Known, cursor: u64) -> bool {
        let mut earlier = self.0.range(..=cursor).map(|(_, known)| known).rev();
        let last = match self.0.get(&cursor) {
            Some(cursor) => Some(cursor),
            None => earlier.find(|known| !known.is_imported),
        };
        last.is_none_or(|last| (known.time, known.id) > (last.time, last.id))
    }

    /// What a comment answers: an earlier comment of its page.
    fn parent(&self, known: &Known) -> Option<&Known> {
        let parent = known.parent.and_then(|id| self.0.get(&id))?;
        let is_here = self.resolve(&parent.page) == self.resolve(&known.page);
        (parent.id < known.id && is_here).then_some(parent)
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

    /// First comment and answers of each thread that has something public, in the page's order.
    fn threads(&self, page: &str) -> Vec<(u64, Vec<CommentRef>)> {
        let here = self.on(page);
        let roots = here.iter().filter(|known| self.parent(known).is_none());
        let threads = roots.map(|root| {
            let in_thread = here.iter().filter(|known| {
                self.root(known) == root.id && self.is_above_public(known) && known.id != root.id
            });
            let answers: Vec<CommentRef> = in_thread.map(|known| item(known)).collect();
            let is_there = !answers.is_empty() || root.visibility == Visibility::Public;
            (root.id, is_there, [vec![item(root)], answers].concat())
        });
        threads.filter(|(_, is_there, _)| *is_there).map(|(id, _, thread)| (id, thread)).collect()
    }

    fn threads_agree(&self, index: &Index, page: &str, cursor: u64) {
        let threads = self.threads(page);
        let agree = |thread: &Thread, (id, expected): &(u64, Vec<CommentRef>)| {
            let (id, (first, answers)) = (*id, expected.split_first().unwrap());
            assert_eq!(thread.id(), id);
            assert_eq!(thread.first(), Some(*first).filter(|first| first.visibility.is_shared()));
            assert_eq!((thread.len(), thread.is_empty()), (answers.len(), answers.is_empty()));
            let after = answers.iter().copied();
            let after = after.filter(|it| id == cursor || self.is_behind(&self.0[&it.id], cursor));
            assert!(thread.after(cursor).eq(after), "{id} after {cursor}");
            for (first, newest) in [(3, 7), (1, 1), (0, 2)] {
                let left_out = first..answers.len().saturating_sub(newest);
                let ends = (0..).zip(answers).filter(|(at, _)| !left_out.contains(at));
                assert!(thread.ends(first, newest).eq(ends.map(|(_, answer)| *answer)), "{id}");
            }
        };
        for before in [Some(cursor), None] {
            let is_before = |root: &u64| before.is_none_or(|id| self.is_before(&self.0[root], id));
            let mut expected = threads.iter().filter(|(root, _)| is_before(root)).rev();
            for thread in index.threads_before(page, before) {
                agree(&thread, expected.next().expect("a thread too many"));
            }
            assert!(expected.next().is_none(), "threads before {before:?}");
        }
        let mut expected = threads.iter().filter(|(root, _)| self.is_behind(&self.0[root], cursor));
        for thread in index.threads_after(page, cursor) {
            agree(&thread, expected.next().expect("a thread too many"));
        }
        assert!(expected.next().is_none(), "threads after {cursor}");
        for known in self.0.values() {
            let root = self.root(known);
            let expected = threads.iter().find(|(id, _)| *id == root);
            let expected = expected
                .filter(|_| known.visibility.is_shared() && self.resolve(&known.page) == page);
            let thread = index.thread_of(page, known.id);
            assert_eq!(thread.is_some(), expected.is_some(), "the thread of {}", known.id);
            if let Some((thread, expected)) = thread.zip(expected) {
                agree(&thread, expected);
            }
        }
    }

    /// Every question the index answers, with the naive answer.
    fn agrees(&self, index: &Index, pages: &[&str], chance: &mut Chance) {
        assert_eq!(index.comment_count(), self.0.len());
        let used: BTreeSet<&str> = self.0.values().map(|k| self.resolve(&k.page)).collect();
        assert_eq!(index.page_count(), used.len());
        let live = self.0.values().filter(|known| !known.visibility.is_deleted());
        let live: BTreeSet<&str> = live.map(|known| self.resolve(&known.page)).collect();
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
            let here = self.on(page);
            assert_eq!(index.has_page(page), !here.is_empty());
            assert_eq!(index.has_live_page(page), live.contains(page));
            let public = here.iter().filter(|known| known.visibility == Visibility::Public).count();
            assert_eq!(index.count(page), public as u64);
            let cursor = chance.below(60) as u64;
            let before = |known: &Known| self.is_before(known, cursor);
            let newest = || here.iter().rev().filter(|known| before(known)).map(|k| item(k));
            assert_eq!(index.first(page), here.first().map(|known| item(known)));
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

/// A world that grows by batches.
struct World {
    chance: Chance,
    index: Index,
    naive: Naive,
    seq: u64,
    end: u64,
    /// What everyone of a page was last told; a line that is taken back was never told.
    seqs: BTreeMap<String, u64>,
    /// From which `seq` on a cursor has missed nothing.
    merged: BTreeMap<String, u64>,
    lines: Vec<Known>,
    /// How many of ten new comments are imported.
    imports: usize,
    moves: bool,
}

const PAGES: [&str; 5] = ["/", "a", "b", "c", "never"];
const VISIBILITIES: [Visibility; 6] = [
    Visibility::Public,
    Visibility::Public,
    Visibility::Hidden,
    Visibility::Pending,
    Visibility::Deleted,
    Visibility::PendingDeleted,
];

impl World {
    fn new(seed: u64) -> World {
        World {
            chance: Chance(seed),
            index: Index::default(),
            naive: Naive::default(),
            seq: 1,
            end: 100,
            seqs: BTreeMap::new(),
            merged: BTreeMap::new(),
            lines: Vec::new(),
            imports: [0, 2, 5, 9][seed as usize % 4],
            moves: !seed.is_multiple_of(3),
        }
    }

    /// A new line, of a new comment or of a known one.
    fn line(&mut self, seed: u64) -> Known {
        let World { chance, naive, seq, .. } = self;
        let ids: Vec<u64> = naive.0.keys().copied().collect();
        let is_new = ids.is_empty() || chance.below(2) == 0;
        let place = Location { offset: self.end, len: 20 + chance.below(900) as u32 };
        let visibility = VISIBILITIES[chance.below(VISIBILITIES.len())];
        if !is_new {
            let known = naive.0[&ids[chance.below(ids.len())]].clone();
            return Known { seq: *seq, place, visibility, nonce: None, ..known };
        }
        let page = PAGES[chance.below(4)].to_owned();
        // Mostly one that can be answered; sometimes one on another page, or none at all.
        let mut parent = match ids.is_empty() || chance.below(3) == 0 {
            true => None,
            false => Some(ids[chance.below(ids.len())] + u64::from(chance.below(9) == 0)),
        };
        if let Some(other) = parent.and_then(|id| naive.0.get(&id))
            && self.moves
            && naive.resolve(&other.page) != naive.resolve(&page)
        {
            // It may come to the same page later.
            parent = None;
        }
        let nonce = (chance.below(3) > 0).then(|| format!("{seed}-nonce-{seq}"));
        let is_imported = chance.below(10) < self.imports;
        let time = match is_imported {
            // Many at the time of a comment that was written here.
            true => chance.below(*seq as usize * 10 + 1) as u64 / 5 * 5,
            false => *seq * 10,
        };
        let (id, seq) = (*seq, *seq);
        Known { id, seq, place, visibility, page, parent, nonce, time, is_imported }
    }

    fn write(&mut self, seed: u64) {
        let known = self.line(seed);
        let page = self.naive.resolve(&known.page).to_owned();
        let entry = Entry { page: &page, ..known_entry(&known) };
        self.index.put(entry, &time_in(&self.lines));
        self.naive.put(&known);
        if known.visibility.is_shared() {
            self.seqs.insert(page, self.seq);
        }
        (self.seq, self.end) = (self.seq + 1, self.end + u64::from(known.place.len) + 19);
        self.lines.push(known);
    }

    /// Moves a page to another one.
    fn move_page(&mut self) {
        let [old, new] = [(); 2].map(|()| PAGES[self.chance.below(4)].to_owned());
        if [&old, &new].iter().any(|page| self.naive.resolve(page) != **page) || old == new {
            return;
        }
        let seq = self.seq;
        self.seq += 1;
        let had = [&old, &new].map(|page| self.index.has_page(page));
        let numbers = self.index.merge_pages(&old, &new, seq);
        assert_eq!(numbers.is_some(), had == [true, true]);
        let seqs = [&old, &new].map(|page| self.seqs.remove(page).unwrap_or(0));
        let merged = [&old, &new].map(|page| self.merged.remove(page).unwrap_or(0));
        let both = if had == [true, true] { seq } else { 0 };
        self.seqs.insert(new.clone(), seqs[0].max(seqs[1]).max(both));
        self.merged.insert(new.clone(), merged[0].max(merged[1]).max(both));
        self.naive.1.push((old, new, seq));
    }

    fn agrees(&mut self) {
        self.naive.agrees(&self.index, &PAGES, &mut self.chance);
    }

    /// The same, for an index that has read these lines.
    fn agrees_when_loaded<'k>(&mut self, lines: impl Iterator<Item = &'k Known>) {
        let mut loaded = Index::default();
        for known in lines {
            let nonce = self.naive.0[&known.id].nonce.clone();
            loaded.load(known_entry(&Known { nonce, ..known.clone() }));
        }
        let moves = self.naive.1.iter().map(|(old, new, seq)| (&**old, &**new, *seq));
        loaded.finish_loading(moves, &time_in(&self.lines));
        self.naive.agrees(&loaded, &PAGES, &mut self.chance);
        for page in PAGES {
            assert_eq!(loaded.merged(page), self.merged.get(page).copied().unwrap_or(0), "{page}");
        }
    }
}

/// Reads when a comment was written from the line at a place.
fn time_in(lines: &[Known]) -> impl Fn(Location) -> Option<u64> + '_ {
    |place| {
        let line = lines.iter().find(|known| known.place == place).expect("there is a line");
        assert!(!line.is_imported, "its time is known");
        Some(line.time)
    }
}

#[test]
fn a_batch_that_is_taken_back_leaves_the_index_as_it_was() {
    let (mut rolled_back, mut moved) = (0, 0);
    for seed in 0..120 {
        let mut world = World::new(seed);
        for _ in 0..30 {
            let before = (world.naive.clone(), world.seqs.clone(), world.seq, world.end);
            let lines = world.lines.len();
            world.index.begin();
            for _ in 0..1 + world.chance.below(6) {
                world.write(seed);
            }
            if world.chance.below(2) == 0 {
                world.index.commit();
            } else {
                world.agrees();
                world.index.roll_back();
                rolled_back += 1;
                (world.naive, world.seqs, world.seq, world.end) = before;
                world.lines.truncate(lines);
            }
            if world.moves && world.chance.below(12) == 0 {
                world.move_page();
            }
            world.agrees();
            for page in PAGES {
                let (seq, merged) = (world.seqs.get(page), world.merged.get(page));
                assert_eq!(world.index.seq(page), seq.copied().unwrap_or(0), "{page}");
                assert_eq!(world.index.merged(page), merged.copied().unwrap_or(0), "{page}");
            }
        }
        moved += world.naive.1.len();
        let lines = world.lines.clone();
        world.agrees_when_loaded(lines.iter());
        // The same after a compaction: only the newest line of each, in the order of the lines.
        let mut newest: Vec<Known> = world.naive.0.values().cloned().collect();
        newest.sort_by_key(|known| known.seq);
        world.agrees_when_loaded(newest.iter());
    }
    println!("{rolled_back} batches taken back, {moved} pages moved");
    assert!(rolled_back > 1_200 && moved > 60);
}

fn known_entry(known: &Known) -> Entry<'_> {
    let Known { id, seq, place, visibility, page, parent, nonce, .. } = known;
    let (id, seq, location, visibility) = (*id, *seq, *place, *visibility);
    let time = Some(known.time).filter(|_| known.is_imported);
    Entry { id, seq, location, visibility, page, parent: *parent, nonce: nonce.as_deref(), time }
}
