//! The order of a page's comments: by time, then by id.
//!
//! Comments that were written here come in the order of their ids, so nothing is kept of their times. A comment that was written
//! elsewhere and imported has a time of its own: it stands behind the last comment with a lower id that was written here at that time
//! or before. What is found out for it once holds for ever, on whatever page it is. Knows no pages.

use std::collections::HashMap;

use crate::util::order::order_by_key;

/// Times of comments that were written here which are kept while imported ones are placed among them, 2 MB.
const TIMES_KEPT_MAX: usize = 65_536;

/// A place in the order: behind so many comments' numbers; among those that were imported there, by time; then by number.
/// One number, 32 + 64 + 32 bits, so that comparing takes no branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u128);

impl Key {
    /// The first place.
    pub(super) const FIRST: Key = Key(0);

    fn new(behind: u32, time: u64, number: u32) -> Key {
        Key(u128::from(behind) << 96 | u128::from(time) << 32 | u128::from(number))
    }

    /// What a line is sorted by whose place is that of its `seq`.
    pub(super) fn of_line(seq: u64) -> Key {
        Key(seq.into())
    }

    /// The place right behind this one.
    pub(super) fn next(self) -> Key {
        Key(self.0 + 1)
    }

    /// Where those end that are before a comment which would have this number.
    pub(super) fn up_to(number: u32) -> Key {
        Key::new(number + 1, 0, number)
    }
}

/// Where the comments stand that have a time of their own.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// By rising number.
    dated: Vec<Dated>,
    /// Times of others, by how many of these are before.
    known: HashMap<u32, u64>,
    /// Where the last one was placed, and from which time up to which it is the same.
    last: Option<Gap>,
}

#[derive(Debug, Clone, Copy)]
struct Dated {
    number: u32,
    /// See [`Key`].
    behind: u32,
    /// In ms since 1970.
    time: u64,
}

/// Between two comments that were written here.
#[derive(Debug, Clone, Copy)]
struct Gap {
    /// How many of them are before it.
    before: u32,
    from: u64,
    /// `None`: there is no comment behind it.
    to: Option<u64>,
    /// How many there were.
    count: u32,
}

impl Order {
    /// Whether the order is that of the ids.
    pub(super) fn is_by_id(&self) -> bool {
        self.dated.is_empty()
    }

    /// Whether a comment has a time of its own.
    pub(super) fn has_time(&self, number: u32) -> bool {
        !self.dated.is_empty() && self.find(number).is_ok()
    }

    pub(super) fn key(&self, number: u32) -> Key {
        let at = if self.dated.is_empty() { Err(0) } else { self.find(number) };
        match at {
            Ok(at) => Key::new(self.dated[at].behind, self.dated[at].time, number),
            Err(_) => Key::up_to(number),
        }
    }

    /// Where those begin that are behind the comments with lower numbers than this one which were written here.
    pub(super) fn behind(&self, number: u32) -> Key {
        let count = number - self.dated.partition_point(|dated| dated.number < number) as u32;
        let behind = count.checked_sub(1).map_or(0, |last| self.number_of(last) + 1);
        Key::new(behind, 0, behind)
    }

    /// Gives a comment a time of its own; its number is above all those that have one. `time_of` returns that of a comment with a lower
    /// number that was written here.
    pub(super) fn place(&mut self, number: u32, time: u64, mut time_of: impl FnMut(u32) -> u64) {
        let count = number - self.dated.len() as u32;
        let gap = match self.last {
            Some(gap) if gap.holds(time, count) => gap,
            _ => self.find_gap(time, count, &mut time_of),
        };
        self.last = Some(gap);
        let behind = gap.before.checked_sub(1).map_or(0, |last| self.number_of(last) + 1);
        self.dated.push(Dated { number, behind, time });
    }

    /// The same for all comments with a time of their own, by rising number, where there are `all` comments.
    pub(super) fn place_all(
        &mut self,
        dated: impl Iterator<Item = (u32, u64)>,
        all: u32,
        time_of: impl Fn(u32) -> u64,
    ) {
        self.dated = dated.map(|(number, time)| Dated { number, behind: 0, time }).collect();
        let count = all - self.dated.len() as u32;
        let by_time = order_by_key(&mut self.dated.iter().map(|dated| dated.time));
        let mut before = 0;
        let mut next = None;
        for at in by_time {
            let Dated { number, time, .. } = self.dated[at as usize];
            if next.is_none_or(|next| next <= time) {
                (before, next) = self.search(before, count, time, &time_of);
            }
            let before = before.min(number - at);
            let behind = before.checked_sub(1).map_or(0, |last| self.number_of(last) + 1);
            self.dated[at as usize].behind = behind;
        }
    }

    /// How many of those that were written here are not later than `time`, at least `low`, and the time of the next one.
    fn search(
        &self,
        mut low: u32,
        count: u32,
        time: u64,
        time_of: impl Fn(u32) -> u64,
    ) -> (u32, Option<u64>) {
        let (mut step, mut next, mut grows) = (1, None, true);
        while step > 0 {
            let found = (low + step <= count).then(|| time_of(self.number_of(low + step - 1)));
            if found.is_some_and(|found| found <= time) {
                low += step;
            } else {
                next = found.or(next);
                grows = false;
            }
            step = if grows { step * 2 } else { step / 2 };
        }
        (low, next)
    }

    /// Forgets the comment with the highest number.
    pub(super) fn pop(&mut self, number: u32) {
        self.dated.pop_if(|dated| dated.number == number);
        // Another comment may come in its place.
        self.known.clear();
        self.last = None;
    }

    fn find(&self, number: u32) -> Result<usize, usize> {
        // Mostly all were imported at once.
        let guess = number.wrapping_sub(self.dated[0].number) as usize;
        if self.dated.get(guess).is_some_and(|dated| dated.number == number) {
            return Ok(guess);
        }
        self.dated.binary_search_by_key(&number, |dated| dated.number)
    }

    /// The number of the comment that was written here and has so many of these before it.
    fn number_of(&self, rank: u32) -> u32 {
        let (mut low, mut high) = (0, self.dated.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.dated[middle].number - middle as u32 <= rank {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        rank + low as u32
    }

    fn find_gap(&mut self, time: u64, count: u32, time_of: &mut impl FnMut(u32) -> u64) -> Gap {
        let mut gap = Gap { before: 0, from: 0, to: None, count };
        // In steps that are the same however many there are, so that the same times are asked for again and again.
        let mut step = count.checked_ilog2().map_or(0, |bits| 1 << bits);
        while step > 0 {
            let rank = gap.before + step - 1;
            if rank < count {
                let found = self.known.get(&rank).copied().unwrap_or_else(|| {
                    let found = time_of(self.number_of(rank));
                    if self.known.len() < TIMES_KEPT_MAX {
                        self.known.insert(rank, found);
                    }
                    found
                });
                if found <= time {
                    (gap.before, gap.from) = (rank + 1, found);
                } else {
                    gap.to = Some(found);
                }
            }
            step /= 2;
        }
        gap
    }
}

impl Gap {
    fn holds(self, time: u64, count: u32) -> bool {
        self.from <= time && self.to.map_or(count == self.count, |to| time < to)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn imported_comments_stand_among_the_others_by_time_and_few_times_are_read() {
        // Written here: every third comment, at ten times its number.
        let is_dated = |number: u32| number % 3 != 2;
        let time_of = |number: u32| match is_dated(number) {
            true => u64::from(number.wrapping_mul(2_654_435_761) % (number * 10 + 1)),
            false => u64::from(number) * 10,
        };
        let (mut order, mut read) = (Order::default(), 0);
        for number in (0..900).filter(|&number| is_dated(number)) {
            order.place(number, time_of(number), |other| {
                assert!(!is_dated(other) && other < number);
                read += 1;
                time_of(other)
            });
        }
        let mut numbers: Vec<u32> = (0..900).collect();
        numbers.sort_by_key(|&number| order.key(number));
        let times: Vec<u64> = numbers.iter().map(|&number| time_of(number)).collect();
        assert!(times.is_sorted(), "{times:?}");
        assert!(numbers.iter().all(|&number| order.find(number).is_ok() == is_dated(number)));
        assert!(read <= 300, "{read} read for 600");
        let (mut loaded, read) = (Order::default(), Cell::new(0));
        let dated = (0..900).filter(|&number| is_dated(number));
        loaded.place_all(dated.map(|number| (number, time_of(number))), 900, |other| {
            read.set(read.get() + 1);
            time_of(other)
        });
        assert!((0..900).all(|number| loaded.key(number) == order.key(number)));
        assert!(read.get() <= 900, "{} read for 600", read.get());
        order.pop(899);
        assert!(order.find(898).is_ok(), "only the highest number is forgotten");
        order.pop(898);
        order.pop(897);
        assert!(order.find(897).is_err() && order.find(895).is_ok());
    }

    #[test]
    fn those_in_the_same_gap_need_no_time_read_again() {
        let (mut order, mut read) = (Order::default(), 0);
        for number in 1_000..5_000 {
            order.place(number, 7_000 + u64::from(number) % 10, |other| {
                read += 1;
                u64::from(other) * 10
            });
        }
        assert!(read <= 11, "{read}");
    }
}
