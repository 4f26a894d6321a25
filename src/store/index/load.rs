//! Builds the index while a log is read.

use super::{
    Entry, Index,
    comments::{Comments, Meta, Place},
    page::{Page, Rare},
    seq_delta_of,
};
use crate::{log::scan::Location, store::visibility::PackedLocation};

/// What is only needed until the whole log is read.
#[derive(Default)]
pub(super) struct Loading {
    /// Comments whose first line was compacted away, so that they come in the order of their newest lines.
    orphans: Vec<(u64, PackedLocation, Meta)>,
    /// Ids of answers and of what they answer, where that was not known when the answer came.
    pub parents: Vec<(u64, u64)>,
    /// Ids of comments with a time of their own, and these.
    times: Vec<(u64, u64)>,
}

impl Index {
    /// Adds a line while the log is read. The index is usable only after [`Index::finish_loading`].
    pub fn load(&mut self, entry: Entry) {
        let packed = PackedLocation::new(entry.location, entry.visibility);
        let seq_delta = seq_delta_of(entry.seq, entry.id);
        let known = if seq_delta == 0 { None } else { self.comments.ids.find(entry.id) };
        if let Some(number) = known {
            self.comments.locations[number as usize] = packed;
            self.comments.meta[number as usize].seq_delta = seq_delta;
            return;
        }
        let place = Place::on_page(self.page_number(entry.page));
        let meta = Meta { seq_delta, place, fingerprint: self.fingerprint(entry.nonce) };
        let mut parent = entry.parent;
        if seq_delta == 0 {
            self.comments.push(entry.id, packed, meta);
            let number = self.comments.len() - 1;
            parent = parent.filter(|&parent| !self.comments.link(number, parent));
        } else {
            self.loading.orphans.push((entry.id, packed, meta));
        }
        self.loading.parents.extend(parent.map(|parent| (entry.id, parent)));
        self.loading.times.extend(entry.time.map(|time| (entry.id, time)));
    }

    /// Builds the pages' lists and the table of nonces from what was loaded. `moves` are the pages that have moved, each with the old
    /// page, the new one and the `seq` of the line that says so, by rising `seq`; `time_of` reads the times of comments' lines.
    pub fn finish_loading<'m>(
        &mut self,
        moves: impl Iterator<Item = (&'m str, &'m str, u64)>,
        time_of: &dyn Fn(Location) -> Option<u64>,
    ) {
        self.merge_orphans();
        let merged = self.load_moves(moves);
        self.link_answers();
        self.load_times(time_of);
        self.count_listed();
        // What this takes for a moment is used by what comes after it.
        self.list_threads();
        let with_nonce = self.comments.meta.iter().filter(|meta| meta.fingerprint != 0).count();
        self.nonces.reserve(with_nonce, |n| self.comments.meta[n as usize].fingerprint);
        for number in 0..self.comments.len() {
            self.append(number);
            self.insert_nonce(number);
        }
        let comments = &self.comments;
        for page in &mut self.pages {
            if let Some(rare) = &mut page.rare {
                rare.changed.sort_by_key(&|number| comments.line_key(number));
            }
        }
        for (page, seq) in merged {
            let page = &mut self.pages[page as usize];
            page.seq = page.seq.max(seq);
            page.rare.get_or_insert_with(|| Box::new(Rare::EMPTY)).merged = seq;
        }
        self.order_pages();
        self.newest.finish_loading(&self.comments);
        self.newest.seq = self.pages.iter().map(|page| page.seq).max().unwrap_or(0);
        self.live_pages = self.pages.iter().filter(|page| page.live > 0).count();
    }

    /// As [`Index::attach`], for the comment with the highest number so far, and with lists that are sorted in the end.
    fn append(&mut self, number: u32) {
        let comments = &self.comments;
        let packed = comments.locations[number as usize];
        let visibility = packed.visibility();
        let page: &mut Page = &mut self.pages[comments.page(number) as usize];
        self.live_bytes += packed.bytes();
        self.sums[visibility as usize] += 1;
        if visibility.is_public() {
            self.newest.load(number, comments);
        }
        page.count += u32::from(visibility.is_public());
        page.live += u32::from(!visibility.is_deleted());
        if !visibility.is_shared() {
            page.rare.get_or_insert_with(|| Box::new(Rare::EMPTY)).pending.push(number);
            return;
        }
        let seq = comments.seq(number);
        page.seq = page.seq.max(seq);
        if seq == comments.ids.get(number) {
            page.unchanged.push(number);
        } else {
            let rare = page.rare.get_or_insert_with(|| Box::new(Rare::EMPTY));
            rare.changed.push(number);
            rare.changed_by_id.push(number);
        }
    }

    /// Places the comments that have a time of their own among the others.
    fn load_times(&mut self, time_of: &dyn Fn(Location) -> Option<u64>) {
        let mut times = std::mem::take(&mut self.loading.times);
        times.sort_unstable();
        // An orphan may have come with several lines.
        times.dedup_by_key(|(id, _)| *id);
        let Comments { ids, locations, order, .. } = &mut self.comments;
        let dated = times.iter().map(|&(id, time)| (ids.find(id).expect("it was loaded"), time));
        let time_of = |number: u32| time_of(locations[number as usize].location()).unwrap_or(0);
        order.place_all(dated, ids.len(), time_of);
    }

    /// Finds the pages whose order is not that of the ids.
    fn order_pages(&mut self) {
        if self.comments.order.is_by_id() {
            return;
        }
        let mut last = vec![None; self.pages.len()];
        let mut is_ordered = vec![false; self.pages.len()];
        for number in 0..self.comments.len() {
            let (page, key) =
                (self.comments.page(number) as usize, Some(self.comments.key(number)));
            is_ordered[page] |= last[page] > key;
            last[page] = key;
        }
        for page in (0u32..).zip(is_ordered).filter_map(|(page, is)| is.then_some(page)) {
            self.set_order(page);
        }
    }

    /// Sorts orphans in among the other comments.
    fn merge_orphans(&mut self) {
        if self.loading.orphans.is_empty() {
            return;
        }
        let orphans = std::mem::take(&mut self.loading.orphans);
        // All numbers change.
        self.loading.parents.extend(self.comments.unlink());
        let Comments { ids, locations, meta, .. } = std::mem::take(&mut self.comments);
        let known =
            ids.iter().zip(locations).zip(meta).map(|((id, packed), meta)| (id, packed, meta));
        let all: Vec<_> = known.chain(orphans).collect();
        // Of several lines with the same id, the last one that came counts.
        let mut order: Vec<(u64, u64)> = all.iter().map(|entry| entry.0).zip(0..).collect();
        order.sort_unstable();
        order.reverse();
        order.dedup_by_key(|(id, _)| *id);
        for (id, n) in order.into_iter().rev() {
            let (_, packed, meta) = all[n as usize];
            self.comments.push(id, packed, meta);
        }
    }

    fn link_answers(&mut self) {
        let mut parents = std::mem::take(&mut self.loading.parents);
        parents.sort_unstable();
        // An orphan may have come with several lines.
        parents.dedup_by_key(|(id, _)| *id);
        let mut number = 0;
        for (id, parent) in parents {
            while self.comments.ids.get(number) < id {
                number += 1;
            }
            self.comments.link(number, parent);
        }
    }

    fn count_listed(&mut self) {
        let comments = &mut self.comments;
        // What is answered has a lower number than its answers.
        for number in (0..comments.len()).rev() {
            if let Some(parent) = comments.answer_above(number)
                && comments.is_listed(number)
            {
                let count = &mut comments.listed[parent as usize];
                *count = count.saturating_add(1);
            }
        }
    }

    fn list_threads(&mut self) {
        let comments = &self.comments;
        let numbers = (0..comments.len()).filter(|&number| comments.is_listed(number));
        if !comments.has_answers() || !comments.order.is_by_id() {
            numbers.for_each(|number| {
                self.pages[comments.page(number) as usize].threads.push(number);
            });
            if comments.order.is_by_id() {
                return;
            }
            // Page by page, since a key takes as much memory as all else that is kept of a comment.
            for page in &mut self.pages {
                page.threads.sort_by_key(&|number| comments.thread_key(number));
            }
            return;
        }
        // Root and number in one.
        let key = |number| u64::from(comments.root(number)) << 32 | u64::from(number);
        let mut keys: Vec<u64> = numbers.map(key).collect();
        keys.sort_unstable();
        for number in keys.into_iter().map(|key| key as u32) {
            self.pages[comments.page(number) as usize].threads.push(number);
        }
    }
}
