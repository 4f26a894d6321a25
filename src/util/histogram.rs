//! Counts values in buckets, for a monitoring system that asks for them now and then.
//!
//! Does not know what is counted, nor how it is written.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Buckets of a histogram, the one above all bounds included.
const BUCKETS: usize = 16;

/// Values counted by the lowest bound that is not below them.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    counts: [AtomicU64; BUCKETS],
    sum: AtomicU64,
}

impl Histogram {
    /// An empty histogram with these bounds: rising, and at most 15.
    pub fn new(bounds: &'static [u64]) -> Histogram {
        assert!(bounds.len() < BUCKETS && bounds.is_sorted(), "bounds rise and leave a bucket");
        Histogram { bounds, counts: Default::default(), sum: AtomicU64::new(0) }
    }

    /// Counts a value.
    pub fn record(&self, value: u64) {
        let bucket = self.bounds.iter().take_while(|bound| **bound < value).count();
        self.counts[bucket].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    /// Each bound with the number of values up to it.
    pub fn cumulative(&self) -> Vec<(u64, u64)> {
        let mut below = 0;
        let sum_up = |(bound, count): (&u64, &AtomicU64)| {
            below += count.load(Relaxed);
            (*bound, below)
        };
        self.bounds.iter().zip(&self.counts).map(sum_up).collect()
    }

    /// Values above all bounds.
    pub fn above(&self) -> u64 {
        self.counts[self.bounds.len()].load(Relaxed)
    }

    /// The sum of all values.
    pub fn sum(&self) -> u64 {
        self.sum.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_from_the_bound_that_equals_it_on() {
        let histogram = Histogram::new(&[1, 10, 100]);
        for value in [0, 1, 2, 10, 100, 101, 5_000] {
            histogram.record(value);
        }
        assert_eq!(histogram.cumulative(), [(1, 2), (10, 4), (100, 5)]);
        assert_eq!((histogram.above(), histogram.sum()), (2, 5_214));
    }
}
