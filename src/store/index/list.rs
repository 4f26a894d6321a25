//! A sorted list of comment numbers, 4 bytes each, that stays fast however long it is.
//!
//! A sequence of blocks, as in a B+ tree with one level: adding and removing moves at most one block's numbers. The caller says by
//! which key the list is sorted; the key of a number must not change while it is in the list. Knows nothing of comments.

use std::{mem, slice};

use super::order::Key;

/// Numbers in a block, 4 KB.
const BLOCK_NUMBERS_MAX: usize = 1_024;

/// What a list is sorted by: one type for all lists, so that there is one code for them.
pub(super) type SortKey = (Key, Key);

/// See the [module](self).
#[derive(Debug, Clone)]
pub(super) enum List {
    /// Most pages' lists: without a list of blocks.
    Short(Vec<u32>),
    /// More than a block. No block is empty.
    Long(Vec<Vec<u32>>),
}

/// A place in a list: before the number there, or at the end. Each has only one form: between two blocks, the start of the later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    block: usize,
    at: usize,
}

/// The numbers from one place up to a later one. What an iterator does besides is left to its few lines, since adapters of the
/// standard library that do the same are several KB of the program.
#[derive(Debug)]
pub(super) struct Range<'l> {
    blocks: &'l [Vec<u32>],
    from: Position,
    to: Position,
}

impl Iterator for Range<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if self.from >= self.to {
            return None;
        }
        let block = &self.blocks[self.from.block];
        let number = block[self.from.at];
        self.from.at += 1;
        if self.from.at == block.len() && self.from.block < self.to.block {
            self.from = Position { block: self.from.block + 1, at: 0 };
        }
        Some(number)
    }
}

impl DoubleEndedIterator for Range<'_> {
    fn next_back(&mut self) -> Option<u32> {
        if self.from >= self.to {
            return None;
        }
        if self.to.at == 0 {
            let block = self.to.block - 1;
            self.to = Position { block, at: self.blocks[block].len() };
        }
        self.to.at -= 1;
        Some(self.blocks[self.to.block][self.to.at])
    }
}

impl List {
    pub(super) const EMPTY: List = List::Short(Vec::new());

    /// Appends a number whose key is above all others.
    pub(super) fn push(&mut self, number: u32) {
        match self {
            List::Short(block) if block.len() < BLOCK_NUMBERS_MAX => block.push(number),
            List::Short(block) => *self = List::Long(vec![mem::take(block), new_block(number)]),
            List::Long(blocks) => match blocks.last_mut() {
                Some(last) if last.len() < BLOCK_NUMBERS_MAX => last.push(number),
                _ => blocks.push(new_block(number)),
            },
        }
    }

    /// Adds a number, which is not in the list.
    pub(super) fn insert(&mut self, number: u32, key: &dyn Fn(u32) -> SortKey) {
        let new = key(number);
        if self.last().is_none_or(|last| key(last) < new) {
            return self.push(number);
        }
        let Position { block, at } = self.position(&|other| key(other) < new);
        if self.blocks()[block].len() == BLOCK_NUMBERS_MAX {
            self.split(block);
            return self.insert(number, key);
        }
        self.block_mut(block).insert(at, number);
    }

    /// Removes a number, which is in the list.
    pub(super) fn remove(&mut self, number: u32, key: &dyn Fn(u32) -> SortKey) {
        let old = key(number);
        let position = match self.last() {
            Some(last) if last == number => self.before(self.end()),
            _ => Some(self.position(&|other| key(other) < old)),
        };
        let Position { block, at } = position.expect("the list is not empty");
        assert_eq!(self.block_mut(block).remove(at), number, "the list is sorted");
        self.tidy(block);
    }

    /// The place before the first number that is not `below`; those that are `below` come first.
    pub(super) fn position(&self, below: &dyn Fn(u32) -> bool) -> Position {
        let blocks = self.blocks();
        let block = blocks.partition_point(|block| block.last().is_some_and(|&last| below(last)));
        match blocks.get(block) {
            Some(numbers) => {
                Position { block, at: numbers.partition_point(|&number| below(number)) }
            }
            None => self.end(),
        }
    }

    /// The place behind the last number.
    pub(super) fn end(&self) -> Position {
        let block = self.blocks().len() - 1;
        Position { block, at: self.blocks()[block].len() }
    }

    /// The place before the first number.
    pub(super) fn start(&self) -> Position {
        Position { block: 0, at: 0 }
    }

    pub(super) fn get(&self, position: Position) -> Option<u32> {
        self.blocks().get(position.block)?.get(position.at).copied()
    }

    /// The place one number before.
    pub(super) fn before(&self, position: Position) -> Option<Position> {
        match position {
            Position { block: 0, at: 0 } => None,
            Position { block, at: 0 } => {
                Some(Position { block: block - 1, at: self.blocks()[block - 1].len() - 1 })
            }
            Position { block, at } => Some(Position { block, at: at - 1 }),
        }
    }

    /// The place so many numbers further, at most the end.
    pub(super) fn skip(&self, mut position: Position, mut count: usize) -> Position {
        let blocks = self.blocks();
        while let Some(block) = blocks.get(position.block) {
            let left = block.len() - position.at;
            if count < left {
                return Position { at: position.at + count, ..position };
            }
            count -= left;
            position = Position { block: position.block + 1, at: 0 };
        }
        self.end()
    }

    /// How many numbers lie from one place to a later one.
    pub(super) fn distance(&self, from: Position, to: Position) -> usize {
        let whole = self.blocks()[from.block.min(to.block)..to.block].iter().map(Vec::len);
        whole.sum::<usize>() + to.at - from.at
    }

    /// The numbers from one place up to a later one.
    pub(super) fn range(&self, from: Position, to: Position) -> Range<'_> {
        Range { blocks: self.blocks(), from, to }
    }

    /// The numbers from a place on.
    pub(super) fn from(&self, from: Position) -> Range<'_> {
        self.range(from, self.end())
    }

    /// The numbers before a place.
    pub(super) fn up_to(&self, to: Position) -> Range<'_> {
        self.range(self.start(), to)
    }

    pub(super) fn iter(&self) -> Range<'_> {
        self.range(self.start(), self.end())
    }

    /// Sorts numbers that were appended in any order.
    pub(super) fn sort_by_key(&mut self, key: &dyn Fn(u32) -> SortKey) {
        if !self.iter().is_sorted_by_key(key) {
            let sorted = List::sorted(&mut self.iter(), key);
            *self = sorted;
        }
    }

    /// A list of numbers that come in any order.
    pub(super) fn sorted(
        numbers: &mut dyn Iterator<Item = u32>,
        key: &dyn Fn(u32) -> SortKey,
    ) -> List {
        let mut all: Vec<_> = numbers.map(|number| (key(number), number)).collect();
        all.sort_unstable();
        let mut list = List::EMPTY;
        all.into_iter().for_each(|(_, number)| list.push(number));
        list
    }

    /// Adds the numbers of another list, none of which is in this one.
    pub(super) fn merge(&mut self, other: List, key: &dyn Fn(u32) -> SortKey) {
        if other.iter().nth(BLOCK_NUMBERS_MAX).is_none() {
            other.iter().for_each(|number| self.insert(number, key));
        } else {
            let sorted = List::sorted(&mut self.iter().chain(other.iter()), key);
            *self = sorted;
        }
    }

    pub(super) fn last(&self) -> Option<u32> {
        self.blocks().last().and_then(|block| block.last()).copied()
    }

    fn blocks(&self) -> &[Vec<u32>] {
        match self {
            List::Short(block) => slice::from_ref(block),
            List::Long(blocks) => blocks,
        }
    }

    fn block_mut(&mut self, block: usize) -> &mut Vec<u32> {
        match self {
            List::Short(numbers) => numbers,
            List::Long(blocks) => &mut blocks[block],
        }
    }

    /// Halves a full block.
    fn split(&mut self, block: usize) {
        if let List::Short(numbers) = self {
            *self = List::Long(vec![mem::take(numbers)]);
        }
        let List::Long(blocks) = self else { return };
        let upper = blocks[block].split_off(BLOCK_NUMBERS_MAX / 2);
        blocks[block].shrink_to_fit();
        blocks.insert(block + 1, upper);
    }

    /// Drops a block that has become empty, and joins one that has become small with its neighbour.
    fn tidy(&mut self, block: usize) {
        let List::Long(blocks) = self else {
            let List::Short(numbers) = self else { return };
            if numbers.is_empty() {
                *numbers = Vec::new();
            }
            return;
        };
        let next = if block + 1 < blocks.len() { block } else { block.saturating_sub(1) };
        if next + 1 < blocks.len()
            && blocks[next].len() + blocks[next + 1].len() <= BLOCK_NUMBERS_MAX / 2
        {
            let mut upper = blocks.remove(next + 1);
            blocks[next].append(&mut upper);
        } else if blocks[block].is_empty() {
            blocks.remove(block);
        }
        if let [only] = &mut blocks[..] {
            *self = List::Short(mem::take(only));
        }
    }
}

fn new_block(number: u32) -> Vec<u32> {
    let mut block = Vec::with_capacity(BLOCK_NUMBERS_MAX);
    block.push(number);
    block
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_list_of_blocks_is_like_a_sorted_set() {
        // By a key that is not the number's order.
        let key = |number: u32| number.reverse_bits();
        let sort_key = |number: u32| (Key::of_line(key(number).into()), Key::FIRST);
        let (mut list, mut expected) = (List::EMPTY, BTreeSet::new());
        let mut random = 1u32;
        for round in 0..40_000u32 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = (random >> 8) % 6_000;
            // Grows, then shrinks.
            let adds = random >> 28 < if round < 20_000 { 11 } else { 5 };
            if adds && expected.insert(key(number)) {
                list.insert(number, &sort_key);
            } else if !adds && expected.remove(&key(number)) {
                list.remove(number, &sort_key);
            }
            if round % 1_000 == 0 {
                assert!(list.iter().map(key).eq(expected.iter().copied()));
                let sizes: Vec<usize> = list.blocks().iter().map(Vec::len).collect();
                assert!(sizes.len() == 1 || sizes.iter().all(|&size| size > 0), "{sizes:?}");
                let (from, count) = (random.reverse_bits(), (random >> 16) as usize % 3_000);
                let start = list.position(&|other| key(other) < from);
                let end = list.skip(start, count);
                let range = || expected.range(from..).copied().take(count);
                assert!(list.range(start, end).map(key).eq(range()));
                assert_eq!(list.distance(start, end), range().count());
                assert_eq!(
                    list.get(start).map(key),
                    range().next().filter(|_| count > 0).or(expected.range(from..).next().copied())
                );
                assert!(list.up_to(start).rev().map(key).eq(expected.range(..from).rev().copied()));
            }
        }
        expected.into_iter().for_each(|key| list.remove(key.reverse_bits(), &sort_key));
        assert!(list.iter().next().is_none() && matches!(list, List::Short(_)));
    }
}
