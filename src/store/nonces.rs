//! Finds comments by nonce: open-addressing hash tables of comment numbers, a few bytes for each nonce ever used.
//!
//! Holds no nonces: the caller keeps a 32-bit fingerprint per comment and compares the real nonce on a hit. The tables use linear
//! probing (Knuth, TAOCP 6.4) and grow by a quarter, so that a nonce costs 5 to 6.5 bytes; doubling would cost up to 12. There are many, chosen by
//! the fingerprint's first byte, so that growing moves a 256th of all numbers: with one table, a post that made it grow took up to 17 ms at a
//! million comments.

/// How full the table may get.
const LOAD_PERCENT_MAX: usize = 80;
/// Number of slots in a new table.
const SLOTS_MIN: usize = 16;
/// Bits of a fingerprint that choose its table.
const TABLE_BITS: u32 = 8;
/// The number of tables.
const TABLES: usize = 1 << TABLE_BITS;
const EMPTY: u32 = u32::MAX;

/// Finds comment numbers by fingerprint.
#[derive(Debug)]
pub struct Nonces {
    tables: [Bucket; TABLES],
}

/// The numbers whose fingerprints begin alike.
#[derive(Debug, Default)]
struct Bucket {
    slots: Vec<u32>,
    used: usize,
}

impl Default for Nonces {
    fn default() -> Nonces {
        Nonces { tables: std::array::from_fn(|_| Bucket::default()) }
    }
}

impl Nonces {
    /// Returns the first number that `matches` accepts. It gets every number with this fingerprint, and possibly others.
    pub fn find(&self, fingerprint: u32, matches: impl FnMut(u32) -> bool) -> Option<u32> {
        self.tables[table_of(fingerprint)].find(fingerprint, matches)
    }

    /// Adds `number`. `fingerprint_of` returns the fingerprint of `number` and of every number in the tables.
    pub fn insert(&mut self, number: u32, fingerprint_of: impl Fn(u32) -> u32) {
        self.tables[table_of(fingerprint_of(number))].insert(number, fingerprint_of);
    }

    /// Removes `number`, if it is there.
    pub fn remove(&mut self, number: u32, fingerprint_of: impl Fn(u32) -> u32) {
        self.tables[table_of(fingerprint_of(number))].remove(number, fingerprint_of);
    }

    /// Makes room for `count` more numbers, and a tenth on top, so that the next inserts don't resize a table again.
    pub fn reserve(&mut self, count: usize, fingerprint_of: impl Fn(u32) -> u32) {
        for table in &mut self.tables {
            table.reserve(count.div_ceil(TABLES), &fingerprint_of);
        }
    }
}

fn table_of(fingerprint: u32) -> usize {
    (fingerprint >> (u32::BITS - TABLE_BITS)) as usize
}

impl Bucket {
    fn find(&self, fingerprint: u32, mut matches: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut at = self.home(fingerprint)?;
        while self.slots[at] != EMPTY {
            if matches(self.slots[at]) {
                return Some(self.slots[at]);
            }
            at = self.after(at);
        }
        None
    }

    fn insert(&mut self, number: u32, fingerprint_of: impl Fn(u32) -> u32) {
        assert!(number != EMPTY, "the highest number marks empty slots");
        if (self.used + 1) * 100 > self.slots.len() * LOAD_PERCENT_MAX {
            self.grow(&fingerprint_of);
        }
        self.place(number, fingerprint_of(number));
        self.used += 1;
    }

    fn remove(&mut self, number: u32, fingerprint_of: impl Fn(u32) -> u32) {
        let Some(mut hole) = self.home(fingerprint_of(number)) else { return };
        while self.slots[hole] != number {
            if self.slots[hole] == EMPTY {
                return;
            }
            hole = self.after(hole);
        }
        // Closes the hole by moving back the numbers that were inserted by probing over it (Knuth's algorithm R).
        self.used -= 1;
        let mut at = hole;
        loop {
            self.slots[hole] = EMPTY;
            loop {
                at = self.after(at);
                if self.slots[at] == EMPTY {
                    return;
                }
                let home = self.home(fingerprint_of(self.slots[at])).expect("the table has slots");
                let stays =
                    if hole <= at { hole < home && home <= at } else { hole < home || home <= at };
                if !stays {
                    break;
                }
            }
            self.slots[hole] = self.slots[at];
            hole = at;
        }
    }

    fn reserve(&mut self, count: usize, fingerprint_of: impl Fn(u32) -> u32) {
        let slots = (self.used + count) * 110 / LOAD_PERCENT_MAX;
        if slots > self.slots.len() {
            self.resize(slots.max(SLOTS_MIN), &fingerprint_of);
        }
    }

    fn grow(&mut self, fingerprint_of: &impl Fn(u32) -> u32) {
        self.resize((self.slots.len() + self.slots.len() / 4).max(SLOTS_MIN), fingerprint_of);
    }

    fn resize(&mut self, slots: usize, fingerprint_of: &impl Fn(u32) -> u32) {
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; slots]);
        for number in old.into_iter().filter(|&number| number != EMPTY) {
            self.place(number, fingerprint_of(number));
        }
    }

    fn place(&mut self, number: u32, fingerprint: u32) {
        let mut at = self.home(fingerprint).expect("a grown table has slots");
        while self.slots[at] != EMPTY {
            at = self.after(at);
        }
        self.slots[at] = number;
    }

    /// Returns the slot where probing begins, or `None` if the table has no slots. Maps what is left of the fingerprint evenly onto the slots without a
    /// division (Lemire, "A fast alternative to the modulo reduction").
    fn home(&self, fingerprint: u32) -> Option<usize> {
        if self.slots.is_empty() {
            None
        } else {
            let rest = u64::from(fingerprint << TABLE_BITS);
            Some(((rest * self.slots.len() as u64) >> 32) as usize)
        }
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Few fingerprints, so that chains are long and run around the table's end.
    fn fingerprint(number: u32) -> u32 {
        (number % 7).wrapping_mul(0x9E37_79B9) | 0xF000_0000
    }

    #[test]
    fn inserted_numbers_are_found_and_removed_ones_are_not() {
        let mut nonces = Nonces::default();
        let mut expected = std::collections::BTreeSet::new();
        let mut random = 1u32;
        for round in 0..20_000u32 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = (random >> 16) % 300;
            if round % 3 == 0 {
                nonces.remove(number, fingerprint);
                expected.remove(&number);
            } else if expected.insert(number) {
                nonces.insert(number, fingerprint);
            }
            assert_eq!(
                nonces.find(fingerprint(number), |n| n == number).is_some(),
                expected.contains(&number)
            );
        }
        for number in 0..300 {
            assert_eq!(
                nonces.find(fingerprint(number), |n| n == number).is_some(),
                expected.contains(&number)
            );
        }
    }

    #[test]
    fn an_insert_moves_a_small_part_of_the_numbers_at_most() {
        const NUMBERS: u32 = 200_000;
        let spread = |number: u32| number.wrapping_mul(0x9E37_79B9);
        let mut nonces = Nonces::default();
        for number in 0..NUMBERS {
            let asked = std::cell::Cell::new(0);
            nonces.insert(number, |number| {
                asked.set(asked.get() + 1);
                spread(number)
            });
            assert!(asked.get() <= NUMBERS / 100, "{number} moved {} others", asked.get());
        }
        assert!((0..NUMBERS).all(|number| nonces.find(spread(number), |n| n == number).is_some()));
    }
}
