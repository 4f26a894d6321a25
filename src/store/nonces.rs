//! Every nonce ever used, in a few bytes each: an open-addressing table of comment numbers.
//!
//! Holds no nonce: the caller keeps a 32-bit fingerprint per comment and compares the real thing on a hit. Linear probing
//! (Knuth, TAOCP 6.4) over a table that grows by a quarter, so that a million nonces cost 5 to 6.5 bytes each, where doubling
//! would cost up to 12.

/// Slots in use per 100.
const LOAD_PERCENT_MAX: usize = 80;
/// Slots of a new table.
const SLOTS_MIN: usize = 16;
const EMPTY: u32 = u32::MAX;

/// Finds comment numbers by fingerprint.
#[derive(Debug, Default)]
pub struct Nonces {
    slots: Vec<u32>,
    used: usize,
}

impl Nonces {
    /// Numbers whose fingerprint may be `fingerprint`, each to be checked by `is`; the first that passes.
    pub fn find(&self, fingerprint: u32, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut at = self.home(fingerprint)?;
        while self.slots[at] != EMPTY {
            if is(self.slots[at]) {
                return Some(self.slots[at]);
            }
            at = self.after(at);
        }
        None
    }

    /// Adds `number`, whose fingerprint is `fingerprints(number)`, as that of every number added before.
    pub fn insert(&mut self, number: u32, fingerprints: impl Fn(u32) -> u32) {
        assert!(number != EMPTY, "the last number marks empty slots");
        if (self.used + 1) * 100 > self.slots.len() * LOAD_PERCENT_MAX {
            self.grow(&fingerprints);
        }
        self.place(number, fingerprints(number));
        self.used += 1;
    }

    /// Takes `number` out again, if it is in.
    pub fn remove(&mut self, number: u32, fingerprints: impl Fn(u32) -> u32) {
        let Some(mut hole) = self.home(fingerprints(number)) else { return };
        while self.slots[hole] != number {
            if self.slots[hole] == EMPTY {
                return;
            }
            hole = self.after(hole);
        }
        // Close the hole: what probed over it moves back (Knuth's algorithm R).
        self.used -= 1;
        let mut at = hole;
        loop {
            self.slots[hole] = EMPTY;
            loop {
                at = self.after(at);
                if self.slots[at] == EMPTY {
                    return;
                }
                let home = self.home(fingerprints(self.slots[at])).expect("the table has slots");
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

    /// Makes room for so many at once, and a tenth more, so that the next ones don't move everything again.
    pub fn reserve(&mut self, count: usize, fingerprints: impl Fn(u32) -> u32) {
        let slots = (self.used + count) * 110 / LOAD_PERCENT_MAX;
        if slots > self.slots.len() {
            self.resize(slots.max(SLOTS_MIN), &fingerprints);
        }
    }

    fn grow(&mut self, fingerprints: &impl Fn(u32) -> u32) {
        self.resize((self.slots.len() + self.slots.len() / 4).max(SLOTS_MIN), fingerprints);
    }

    fn resize(&mut self, slots: usize, fingerprints: &impl Fn(u32) -> u32) {
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; slots]);
        for number in old.into_iter().filter(|&number| number != EMPTY) {
            self.place(number, fingerprints(number));
        }
    }

    fn place(&mut self, number: u32, fingerprint: u32) {
        let mut at = self.home(fingerprint).expect("a grown table has slots");
        while self.slots[at] != EMPTY {
            at = self.after(at);
        }
        self.slots[at] = number;
    }

    /// Maps 0..2³² onto the slots evenly without a division (Lemire, "A fast alternative to the modulo reduction").
    fn home(&self, fingerprint: u32) -> Option<usize> {
        if self.slots.is_empty() {
            None
        } else {
            Some(((u64::from(fingerprint) * self.slots.len() as u64) >> 32) as usize)
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
    fn what_is_inserted_is_found_and_what_is_removed_is_not() {
        let mut nonces = Nonces::default();
        let mut inside = std::collections::BTreeSet::new();
        let mut random = 1u32;
        for round in 0..20_000u32 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = (random >> 16) % 300;
            if round % 3 == 0 {
                nonces.remove(number, fingerprint);
                inside.remove(&number);
            } else if inside.insert(number) {
                nonces.insert(number, fingerprint);
            }
            assert_eq!(
                nonces.find(fingerprint(number), |n| n == number).is_some(),
                inside.contains(&number)
            );
        }
        for number in 0..300 {
            assert_eq!(
                nonces.find(fingerprint(number), |n| n == number).is_some(),
                inside.contains(&number)
            );
        }
    }
}
