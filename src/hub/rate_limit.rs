//! Limits how often somebody may post, by a bucket per address and per author, and recognises what was posted before.
//!
//! Knows no clock: the caller says what time it is.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use crate::{comment::Author, http::forwarded::ClientKey, limits::Rate, util::table::Table};

/// Buckets kept at most; the oldest go first. 65,536 × 48 bytes are 3 MB.
const BUCKETS_MAX: usize = 65_536;

/// Writes of one address that change nothing, in [`REFUSED_SECONDS`]: refused ones and repeated nonces. Each costs the hub a look into
/// the log, whatever `--rate` says; no person comes near it.
const REFUSED_MAX: u32 = 60;
/// The period of [`REFUSED_MAX`].
const REFUSED_SECONDS: u32 = 60;
/// The rate of writes that change nothing.
pub const REFUSED_RATE: Rate = Rate { posts: REFUSED_MAX, seconds: REFUSED_SECONDS };
/// Keys that the sockets of one address may show in [`KEYS_SECONDS`]: three for each connection that `--max-per-address` allows, since
/// all come back at once after a restart.
const KEYS_MAX: u32 = 300;
/// The period of [`KEYS_MAX`].
const KEYS_SECONDS: u32 = 60;
/// The rate of shown keys.
pub const KEYS_RATE: Rate = Rate { posts: KEYS_MAX, seconds: KEYS_SECONDS };

/// Whose bucket is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BucketKey {
    /// An IPv4 address or an IPv6 /64.
    Address(ClientKey),
    /// A pseudonym.
    Author(Author),
}

/// The buckets. Each is one number, the time until which it is used up (GCRA, ITU-T I.371), which is equal to a token bucket of
/// `posts` tokens that gets one back every `seconds / posts`.
#[derive(Debug)]
pub struct RateLimiter {
    rate: Rate,
    interval: Duration,
    window: Duration,
    /// Two generations of half the buckets: a bucket that is used moves to the young one; when that is full, the old one is dropped.
    young: Table<BucketKey, Duration>,
    old: Table<BucketKey, Duration>,
}

impl RateLimiter {
    /// Full buckets for everyone.
    pub fn new(rate: Rate) -> RateLimiter {
        let window = Duration::from_secs(u64::from(rate.seconds));
        RateLimiter {
            rate,
            interval: window / rate.posts,
            window,
            young: Table::default(),
            old: Table::default(),
        }
    }

    /// The rate that is allowed.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes one token from the bucket of each key, at `now` since any fixed moment.
    ///
    /// # Errors
    /// The seconds to wait, at least 1, if one of the buckets is empty; then none is touched.
    pub fn take(&mut self, keys: &[BucketKey], now: Duration) -> Result<(), u32> {
        self.check(keys, now)?;
        for key in keys {
            let after = self.used_until(key).max(now) + self.interval;
            self.remember(*key, after);
        }
        Ok(())
    }

    /// Checks that the bucket of each key has a token, and takes none.
    ///
    /// # Errors
    /// The seconds to wait, at least 1, if one of the buckets is empty.
    pub fn check(&self, keys: &[BucketKey], now: Duration) -> Result<(), u32> {
        let free_at = keys.iter().map(|key| self.free_at(key)).max().unwrap_or_default();
        match free_at.saturating_sub(now) {
            Duration::ZERO => Ok(()),
            wait => Err(wait.as_millis().div_ceil(1_000).max(1) as u32),
        }
    }

    /// From when on the bucket of this key has a token.
    pub fn free_at(&self, key: &BucketKey) -> Duration {
        (self.used_until(key) + self.interval).saturating_sub(self.window)
    }

    fn used_until(&self, key: &BucketKey) -> Duration {
        self.young.get(key).or_else(|| self.old.get(key)).copied().unwrap_or_default()
    }

    fn remember(&mut self, key: BucketKey, until: Duration) {
        if self.young.len() >= BUCKETS_MAX / 2 && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, until);
    }
}

/// For how long the same text from the same author is refused.
pub const DUPLICATE_WINDOW: Duration = Duration::from_secs(300);
/// Texts kept in each generation: 32,768 × 17 bytes, twice.
const FINGERPRINTS_MAX: usize = 32_768;
/// A shorter text may be posted as often as anybody likes: "me too" is no spam.
pub const DUPLICATE_BYTES_MIN: usize = 24;

/// Recognises what was posted in the last minutes, by fingerprints and the second of each; two generations as in [`RateLimiter`].
#[derive(Debug, Default)]
pub struct DuplicateFilter {
    young: HashMap<u64, u32>,
    old: HashMap<u64, u32>,
    turned: Duration,
    hasher: RandomState,
}

impl DuplicateFilter {
    /// Whether the owner of `key` posts this text for the first time in [`DUPLICATE_WINDOW`]; then it is remembered.
    pub fn is_new(&mut self, key: BucketKey, text: &[u8], now: Duration) -> bool {
        if now > self.turned + DUPLICATE_WINDOW || self.young.len() >= FINGERPRINTS_MAX {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
        }
        let (fingerprint, second) = (self.hasher.hash_one((key, text)), now.as_secs() as u32);
        let posted = self.young.get(&fingerprint).or_else(|| self.old.get(&fingerprint));
        let is_new =
            posted.is_none_or(|posted| second - posted >= DUPLICATE_WINDOW.as_secs() as u32);
        if is_new {
            self.young.insert(fingerprint, second);
        }
        is_new
    }

    /// Forgets everything: some of what it remembers was not stored.
    pub fn forget(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn author(n: u32) -> BucketKey {
        BucketKey::Author(Author::from_key(&format!("{n:016}")))
    }

    #[test]
    fn ten_a_minute_are_ten_at_once_and_then_one_every_six_seconds() {
        let mut rates = RateLimiter::new(Rate { posts: 10, seconds: 60 });
        let at = Duration::from_secs;
        for _ in 0..10 {
            assert_eq!(rates.take(&[author(1)], at(1000)), Ok(()));
        }
        assert_eq!(rates.take(&[author(1)], at(1000)), Err(6));
        assert_eq!(rates.take(&[author(1)], at(1005)), Err(1));
        assert_eq!(rates.take(&[author(1)], at(1006)), Ok(()));
        assert_eq!(rates.take(&[author(1)], at(1006)), Err(6));
        assert_eq!(rates.take(&[author(2)], at(1006)), Ok(()));
    }

    #[test]
    fn a_refused_post_takes_nothing_from_the_other_bucket() {
        let mut rates = RateLimiter::new(Rate { posts: 1, seconds: 60 });
        assert_eq!(rates.take(&[author(1)], Duration::ZERO), Ok(()));
        assert_eq!(rates.take(&[author(1), author(2)], Duration::ZERO), Err(60));
        assert_eq!(rates.take(&[author(2)], Duration::ZERO), Ok(()));
    }

    #[test]
    fn the_same_is_the_same_for_five_minutes_and_from_one_alone() {
        let mut said = DuplicateFilter::default();
        let at = Duration::from_secs;
        let mut is_new = |n, what: &[u8], now| said.is_new(author(n), what, at(now));
        assert!(is_new(1, b"buy", 0) && is_new(2, b"buy", 0) && is_new(1, b"bye", 0));
        assert!(!is_new(1, b"buy", 0) && !is_new(1, b"buy", 299));
        assert!(is_new(1, b"buy", 300), "what was refused counts no longer than what was said");
        assert!(!is_new(1, b"buy", 400) && !is_new(1, b"buy", 599) && is_new(1, b"buy", 600));
        said.forget();
        assert!(said.is_new(author(1), b"buy", at(601)));
    }

    #[test]
    fn no_more_than_the_stated_number_of_buckets_is_kept_and_the_newest_stay() {
        let mut rates = RateLimiter::new(Rate { posts: 1, seconds: 60 });
        for n in 0..100_000 {
            assert_eq!(rates.take(&[author(n)], Duration::ZERO), Ok(()));
        }
        let mut said = DuplicateFilter::default();
        for n in 0..100_000u32 {
            assert!(said.is_new(author(1), &n.to_le_bytes(), Duration::ZERO));
        }
        assert!(said.young.len() <= FINGERPRINTS_MAX && said.old.len() <= FINGERPRINTS_MAX);
        assert!(rates.young.len() + rates.old.len() <= BUCKETS_MAX);
        assert_eq!(rates.take(&[author(99_999)], Duration::ZERO), Err(60));
        assert_eq!(rates.take(&[author(0)], Duration::ZERO), Ok(()));
    }
}
