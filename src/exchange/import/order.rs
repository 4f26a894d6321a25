//! Finds every comment's parent, decides what stays, and puts it in the order in which it is to be written: by time, then as in the
//! export, and a parent always before its answers.
//!
//! Works on columns of numbers: some 17 bytes for each entry at most, and 9 when it is done. Knows no texts.

use std::collections::HashMap;

use super::error::ImportError;
use super::report::{Change, Reason};
use super::spool::{Entry, Flags, NONE, Spool};

/// How many comments of a page may be pinned; the newest stay so.
pub const PINS_A_PAGE_MAX: usize = 10;
/// After so many entries memory is given back.
const GIVEN_BACK_AT_ONCE: usize = 256 * 1024;
/// In [`Ordered::parents`]: it answers nothing.
pub const NO_PARENT: u32 = u32::MAX;

/// A fate with this bit is kept, but what it answered is not; the rest of it is a [`Change`].
const ORPHANED: u8 = 0x80;
/// This bit is added to one that is kept and loses its pin.
const UNPINNED: u8 = 0x40;
/// The fate of an older line of a comment, whose place the newest line has taken.
const SUPERSEDED: u8 = 0x3f;

/// Which page an entry is on, once pages are named.
#[derive(Debug, Default)]
pub struct PageNumbers {
    /// By the number in the entry.
    pub numbers: Vec<u32>,
}

impl PageNumbers {
    /// The page is deleted.
    pub const DELETED: u32 = u32::MAX - 1;
    /// The page can't be named.
    pub const UNKNOWN: u32 = u32::MAX;

    fn of(&self, entry: &Entry) -> u32 {
        self.numbers.get(entry.page as usize).copied().unwrap_or(PageNumbers::UNKNOWN)
    }
}

/// What stays, in order.
#[derive(Debug, Default)]
pub struct Ordered {
    /// The numbers of the entries, in the order in which they are to be written.
    pub entries: Vec<u32>,
    /// For each of them, the place of its parent in that order, which is lower, or [`NO_PARENT`].
    pub parents: Vec<u32>,
    /// For each entry of the export, what becomes of it.
    fates: Vec<u8>,
}

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is imported.
    Kept(Option<Change>),
    /// It is left out.
    LeftOut(Reason),
    /// A later line of the same comment is imported in its place.
    Superseded,
}

impl Ordered {
    /// What becomes of an entry.
    pub fn fate(&self, entry: u32) -> Fate {
        match self.fates[entry as usize] & !UNPINNED {
            SUPERSEDED => Fate::Superseded,
            0 => Fate::Kept(None),
            fate if fate & ORPHANED != 0 => {
                Fate::Kept(Some(Change::ALL[usize::from(fate & !ORPHANED)]))
            }
            fate => Fate::LeftOut(Reason::ALL[usize::from(fate) - 1]),
        }
    }

    /// Whether an entry loses its pin.
    pub fn is_unpinned(&self, entry: u32) -> bool {
        self.fates[entry as usize] & UNPINNED != 0
    }
}

/// Orders the entries of an import. `newest_wins`: of entries with one id the last counts, and deleted ones stay; else the
/// first counts, and deleted ones stay only if something answers them.
///
/// # Errors
/// Fails if the temporary file can't be read.
pub fn arrange(
    spool: &Spool,
    pages: &PageNumbers,
    newest_wins: bool,
) -> Result<Ordered, ImportError> {
    let mut fates = first_fates(spool, pages)?;
    let keys = unique_keys(spool, &mut fates, newest_wins)?;
    let mut parents = find_parents(spool, keys, &mut fates)?;
    keep_to_pages(spool, pages, &mut parents, &mut fates)?;
    let mut times = vec![0; spool.count() as usize];
    let mut gone = vec![false; spool.count() as usize];
    spool.each(&mut |number, entry| {
        times[number as usize] = entry.created_at;
        gone[number as usize] = entry.flags.has(Flags::DELETED);
    })?;
    break_loops(&times, &mut parents, &mut fates);
    drop(times);
    if !newest_wins {
        drop_unanswered(spool, &parents, gone, &mut fates)?;
    } else {
        drop(gone);
    }
    unpin(spool, pages, &mut fates)?;
    let (entries, parents) = sorted(spool, parents, &fates)?;
    Ok(Ordered { entries, parents, fates })
}

fn is_kept(fate: u8) -> bool {
    fate & !UNPINNED == 0 || fate & ORPHANED != 0
}

fn first_fates(spool: &Spool, pages: &PageNumbers) -> Result<Vec<u8>, ImportError> {
    let mut fates = Vec::with_capacity(spool.count() as usize);
    spool.each(&mut |_, entry| {
        fates.push(match pages.of(&entry) {
            _ if entry.reason > 0 => entry.reason,
            PageNumbers::DELETED => Reason::PageDeleted as u8,
            PageNumbers::UNKNOWN => Reason::NoPage as u8,
            _ => 0,
        });
    })?;
    Ok(fates)
}

/// The keys of the entries that are kept, sorted, each as its two halves and the number of the entry.
fn unique_keys(
    spool: &Spool,
    fates: &mut [u8],
    newest_wins: bool,
) -> Result<Vec<[u32; 3]>, ImportError> {
    let mut keys = Vec::with_capacity(fates.iter().filter(|fate| is_kept(**fate)).count());
    spool.each(&mut |number, entry| {
        if is_kept(fates[number as usize]) {
            keys.push(triple(entry.key, number));
        }
    })?;
    sort(&mut keys);
    // Those of one key are in the order of the file.
    let mut first_at = 0;
    for at in 1..keys.len() {
        if keys[first_at][..2] != keys[at][..2] {
            first_at = at;
            continue;
        }
        let (first, number) = (keys[first_at][2], keys[at][2]);
        if newest_wins {
            spool.replace(first, &spool.entry(number)?)?;
        }
        fates[number as usize] = if newest_wins { SUPERSEDED } else { Reason::Repeated as u8 };
    }
    keys.dedup_by_key(|key| [key[0], key[1]]);
    Ok(keys)
}

fn find_parents(
    spool: &Spool,
    keys: Vec<[u32; 3]>,
    fates: &mut [u8],
) -> Result<Vec<u32>, ImportError> {
    let mut parents = vec![NO_PARENT; fates.len()];
    spool.each(&mut |number, entry| {
        let at = number as usize;
        if !is_kept(fates[at]) || entry.parent == NONE {
            return;
        }
        match find(&keys, entry.parent) {
            Some(parent) => parents[at] = parent,
            None => fates[at] = ORPHANED | Change::ParentMissing as u8,
        }
    })?;
    Ok(parents)
}

/// Takes away parents on other pages.
fn keep_to_pages(
    spool: &Spool,
    pages: &PageNumbers,
    parents: &mut [u32],
    fates: &mut [u8],
) -> Result<(), ImportError> {
    let mut page_of = Vec::with_capacity(fates.len());
    spool.each(&mut |_, entry| page_of.push(pages.of(&entry)))?;
    for (at, parent) in parents.iter_mut().enumerate() {
        if *parent != NO_PARENT && page_of[*parent as usize] != page_of[at] {
            *parent = NO_PARENT;
            fates[at] = ORPHANED | Change::ParentElsewhere as u8;
        }
    }
    Ok(())
}

/// Takes its parent from the oldest comment of each loop.
fn break_loops(times: &[u64], parents: &mut [u32], fates: &mut [u8]) {
    const UNSEEN: u8 = 0;
    const ON_PATH: u8 = 1;
    const DONE: u8 = 2;
    let mut states = vec![UNSEEN; parents.len()];
    let mut path = Vec::new();
    for start in 0..parents.len() as u32 {
        let mut at = start;
        while at != NO_PARENT && states[at as usize] == UNSEEN {
            states[at as usize] = ON_PATH;
            path.push(at);
            at = parents[at as usize];
        }
        if at != NO_PARENT && states[at as usize] == ON_PATH {
            let from = path.iter().position(|on_path| *on_path == at).unwrap_or(0);
            let oldest =
                path[from..].iter().min_by_key(|on_loop| (times[**on_loop as usize], **on_loop));
            if let Some(oldest) = oldest {
                parents[*oldest as usize] = NO_PARENT;
                fates[*oldest as usize] = ORPHANED | Change::ParentLoop as u8;
            }
        }
        for seen in path.drain(..) {
            states[seen as usize] = DONE;
        }
    }
}

/// Leaves out the deleted comments below which there is none that isn't.
fn drop_unanswered(
    spool: &Spool,
    parents: &[u32],
    gone: Vec<bool>,
    fates: &mut [u8],
) -> Result<(), ImportError> {
    let mut is_needed = vec![false; parents.len()];
    for start in 0..parents.len() {
        if !is_kept(fates[start]) || gone[start] {
            continue;
        }
        let mut at = parents[start];
        while at != NO_PARENT && !is_needed[at as usize] {
            is_needed[at as usize] = true;
            at = parents[at as usize];
        }
    }
    spool.each(&mut |number, entry| {
        let at = number as usize;
        if is_kept(fates[at]) && gone[at] && !is_needed[at] {
            let is_empty = entry.flags.has(Flags::EMPTY);
            fates[at] = if is_empty { Reason::Empty } else { Reason::Deleted } as u8;
        }
    })
}

fn unpin(spool: &Spool, pages: &PageNumbers, fates: &mut [u8]) -> Result<(), ImportError> {
    let mut pinned = Vec::new();
    spool.each(&mut |number, entry| {
        if is_kept(fates[number as usize]) && entry.flags.has(Flags::PINNED) {
            pinned.push(triple(entry.created_at, number));
        }
    })?;
    sort(&mut pinned);
    let mut counts: HashMap<u64, u32> = HashMap::new();
    for [.., number] in pinned.into_iter().rev() {
        let page = pages.of(&spool.entry(number)?);
        let count = counts.entry(page.into()).or_default();
        *count += 1;
        if *count as usize > PINS_A_PAGE_MAX {
            fates[number as usize] |= UNPINNED;
        }
    }
    Ok(())
}

/// A large number in two halves, and a small one.
pub fn triple(large: u64, small: u32) -> [u32; 3] {
    [(large >> 32) as u32, large as u32, small]
}

/// The small number that belongs to a large one, in sorted triples without another of the same.
#[inline(never)]
pub fn find(triples: &[[u32; 3]], large: u64) -> Option<u32> {
    let at = triples.partition_point(|other| *other < triple(large, 0));
    triples.get(at).filter(|other| other[..2] == triple(large, 0)[..2]).map(|other| other[2])
}

/// Sorts, whatever is sorted here: each type of its own would cost some 10 KB of the binary.
#[inline(never)]
pub fn sort(triples: &mut [[u32; 3]]) {
    triples.sort_unstable();
}

/// The order, and the parents' places in it.
fn sorted(
    spool: &Spool,
    parents: Vec<u32>,
    fates: &[u8],
) -> Result<(Vec<u32>, Vec<u32>), ImportError> {
    let count = fates.iter().filter(|fate| is_kept(**fate)).count();
    let mut by_time = Vec::with_capacity(count);
    spool.each(&mut |number, entry| {
        if is_kept(fates[number as usize]) {
            by_time.push(triple(entry.created_at, number));
        }
    })?;
    sort(&mut by_time);
    // From the end, giving back memory on the way: both at once are too much.
    let mut newest_first = Vec::with_capacity(count);
    while let Some([.., number]) = by_time.pop() {
        newest_first.push(number);
        if by_time.len().is_multiple_of(GIVEN_BACK_AT_ONCE) {
            by_time.shrink_to_fit();
        }
    }
    // The place of each entry in the order, once it has one.
    let mut places = vec![NO_PARENT; fates.len()];
    let mut entries = Vec::with_capacity(count);
    let mut line = Vec::new();
    for number in newest_first.into_iter().rev() {
        let mut at = number;
        // A clock that went wrong may have made an answer older than what it answers.
        while at != NO_PARENT && places[at as usize] == NO_PARENT {
            line.push(at);
            at = parents[at as usize];
        }
        for at in line.drain(..).rev() {
            places[at as usize] = entries.len() as u32;
            entries.push(at);
        }
    }
    let places_of_parents = entries.iter().map(|number| match parents[*number as usize] {
        NO_PARENT => NO_PARENT,
        parent => places[parent as usize],
    });
    let in_order: Vec<u32> = places_of_parents.collect();
    Ok((entries, in_order))
}

#[cfg(test)]
mod tests;
