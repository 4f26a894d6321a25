//! A histogram of durations in fixed memory, exact to 0.8 %.

use std::time::Duration;

/// Buckets for each doubling.
const FINE: usize = 128;
const FINE_BITS: u32 = FINE.ilog2();
/// Up to 2^38 ns, four and a half minutes; what takes longer counts as that.
const BUCKETS: usize = (38 - FINE_BITS as usize) * FINE;

/// Numbers of nanoseconds, in buckets that widen with what they hold.
#[derive(Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: vec![0; BUCKETS], count: 0, max: 0 }
    }
}

impl Histogram {
    pub fn record(&mut self, nanos: u64) {
        self.counts[bucket(nanos)] += 1;
        self.count += 1;
        self.max = self.max.max(nanos);
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn clear(&mut self) {
        self.counts.fill(0);
        (self.count, self.max) = (0, 0);
    }

    /// What this part of all is not above: the upper end of its bucket.
    pub fn percentile(&self, part: f64) -> Duration {
        assert!(self.count > 0, "something was measured");
        let rank = ((self.count as f64 * part).ceil() as u64).max(1);
        let mut seen = 0;
        let reaches = |&count: &u64| {
            seen += count;
            seen >= rank
        };
        let bucket = self.counts.iter().position(reaches).expect("all are in a bucket");
        Duration::from_nanos(upper_end(bucket).min(self.max))
    }

    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.max)
    }
}

/// The first `2 * FINE` numbers have a bucket each; from there on, each doubling has `FINE`.
fn bucket(nanos: u64) -> usize {
    let shift = (nanos | 1).ilog2().saturating_sub(FINE_BITS);
    ((shift as usize * FINE) + (nanos >> shift) as usize).min(BUCKETS - 1)
}

fn upper_end(bucket: usize) -> u64 {
    let shift = (bucket / FINE).saturating_sub(1);
    ((bucket - shift * FINE + 1) as u64) << shift
}
