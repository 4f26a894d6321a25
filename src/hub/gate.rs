//! Tells the threads that read requests whose buckets are empty, so that they refuse a post before they render it: rendering hostile
//! markup takes milliseconds, looking here takes nanoseconds and no lock.
//!
//! Knows no comment. The hub's [`RateLimiter`](super::rate_limit::RateLimiter) decides; this is its shadow, of the buckets that were
//! empty lately. It may forget one, which costs a rendering, since the hub then refuses the post. It never refuses for long what the
//! hub would accept: tokens are only taken here from the bucket of posts, which the hub publishes after each post.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::{
    comment::{Author, draft::Post, rejection::Rejection},
    http::forwarded::ClientKey,
    hub::command::Operation,
    hub::rate_limit::{BucketKey, REFUSED_RATE},
    hub::screen::Screen,
    limits::Rate,
};

/// Buckets that are remembered: 32 KiB in all. Of two that share a slot, the later stays.
const SLOTS: usize = 4_096;
/// The bits of a slot that say when its bucket has a token again, in milliseconds: 34 years. The others tell keys apart.
const TIME_BITS: u32 = 40;
/// Those bits.
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

/// Which of a key's buckets is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// That of posts and edits.
    Posts,
    /// That of writes that changed nothing.
    Refused,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Gate {
    started: Instant,
    hasher: RandomState,
    slots: Box<[AtomicU64]>,
    /// The rate of posts; none is set if there is no limit.
    posts: OnceLock<Rate>,
}

impl Default for Gate {
    fn default() -> Gate {
        Gate {
            started: Instant::now(),
            hasher: RandomState::new(),
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            posts: OnceLock::new(),
        }
    }
}

impl Gate {
    /// The moment from which all times here are counted.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Sets the rate of posts.
    pub fn set_post_rate(&self, rate: Rate) {
        let _ = self.posts.set(rate);
    }

    /// Takes note that a bucket has a token from `free_at` on. Only the hub calls this.
    pub fn publish(&self, bucket: Bucket, key: BucketKey, free_at: Duration, now: Duration) {
        let (slot, tag) = self.slot(bucket, key);
        let is_known = slot.load(Relaxed) >> TIME_BITS == tag;
        if is_known || free_at > now {
            slot.store((tag << TIME_BITS) | milliseconds(free_at), Relaxed);
        }
    }

    /// Renders a post and looks it through if the hub may accept it; of one that is too fast, only its nonce is looked up, since a client may repeat a post
    /// whose answer was lost.
    ///
    /// # Errors
    /// [`Rejection::TooFast`] without a nonce, or if the address has had too many writes that changed nothing.
    pub fn post(
        &self,
        post: Post<'_>,
        from: ClientKey,
        screen: &Screen,
    ) -> Result<Operation, Rejection> {
        let now = self.started.elapsed();
        self.check_refused(from, now)?;
        let Err(otherwise) = self.check_posts(from, post.author, now) else {
            return Ok(Operation::Post(post.render_with(screen.block_list().as_deref())));
        };
        match post.nonce() {
            Some(nonce) => {
                Ok(Operation::Repeat { nonce: nonce.into(), author: post.author, otherwise })
            }
            None => Err(otherwise),
        }
    }

    /// Checks whether the hub may accept an edit by this address and author.
    ///
    /// # Errors
    /// [`Rejection::TooFast`] if one of the buckets is empty.
    pub fn check_edit(&self, from: ClientKey, author: Option<Author>) -> Result<(), Rejection> {
        let now = self.started.elapsed();
        self.check_refused(from, now)?;
        self.check_posts(from, author, now)
    }

    /// Only looks: the hub charges this bucket for writes that changed nothing, and this one may well change something.
    fn check_refused(&self, from: ClientKey, now: Duration) -> Result<(), Rejection> {
        match self.wait(Bucket::Refused, BucketKey::Address(from), now) {
            0 => Ok(()),
            wait => Err(Rejection::too_many_refused(wait, REFUSED_RATE)),
        }
    }

    /// Each token is given to one caller only, so that of many who ask at once no more are rendered than may be accepted.
    fn check_posts(
        &self,
        from: ClientKey,
        author: Option<Author>,
        now: Duration,
    ) -> Result<(), Rejection> {
        let address = BucketKey::Address(from);
        let Some(rate) = self.posts.get().copied() else { return Ok(()) };
        let take = |key| self.take(Bucket::Posts, key, rate, now);
        take(address)
            .and_then(|()| author.map_or(Ok(()), |author| take(BucketKey::Author(author))))
            .map_err(|wait| Rejection::TooFast { wait, rate, what: "comments" })
    }

    /// Seconds until a bucket has a token; 0 if it has one or is not known here.
    fn wait(&self, bucket: Bucket, key: BucketKey, now: Duration) -> u32 {
        let (slot, tag) = self.slot(bucket, key);
        let present = slot.load(Relaxed);
        if present >> TIME_BITS != tag {
            return 0;
        }
        (present & TIME_MASK).saturating_sub(milliseconds(now)).div_ceil(1_000) as u32
    }

    /// Takes a token as the hub will (GCRA), where the bucket is known; the hub publishes what it has really charged.
    fn take(&self, bucket: Bucket, key: BucketKey, rate: Rate, now: Duration) -> Result<(), u32> {
        let (slot, tag) = self.slot(bucket, key);
        let (window, now) = (u64::from(rate.seconds) * 1_000, milliseconds(now));
        let interval = window / u64::from(rate.posts);
        // `None` leaves the slot as it is: the bucket is not known, or empty. Losing a race against another caller is no reason to refuse.
        let next = |present: u64| {
            let free_at = present & TIME_MASK;
            let is_free = present >> TIME_BITS == tag && free_at <= now;
            let next = free_at.max((now + interval).saturating_sub(window)) + interval;
            is_free.then_some((tag << TIME_BITS) | next)
        };
        match slot.fetch_update(Relaxed, Relaxed, next) {
            Err(present) if present >> TIME_BITS == tag => {
                Err(((present & TIME_MASK) - now).div_ceil(1_000) as u32)
            }
            _ => Ok(()),
        }
    }

    /// A bucket's slot, and the tag by which it is recognised there; never 0, as in an empty slot.
    fn slot(&self, bucket: Bucket, key: BucketKey) -> (&AtomicU64, u64) {
        let hash = self.hasher.hash_one((bucket, key));
        (&self.slots[hash as usize % SLOTS], (hash >> TIME_BITS).max(1))
    }
}

fn milliseconds(time: Duration) -> u64 {
    (time.as_millis() as u64).min(TIME_MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { posts: 10, seconds: 60 };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn from(address: &str) -> ClientKey {
        ClientKey::of(address.parse().unwrap())
    }

    fn gate() -> Gate {
        let gate = Gate::default();
        gate.set_post_rate(RATE);
        gate
    }

    #[test]
    fn who_has_never_been_too_fast_passes() {
        let author = Some(Author::from_key("0123456789abcdef"));
        for _ in 0..100 {
            assert_eq!(gate().check_posts(from("192.0.2.1"), author, at(1)), Ok(()));
        }
    }

    #[test]
    fn an_empty_bucket_is_refused_until_its_next_token_which_one_caller_gets() {
        let (gate, empty) = (gate(), BucketKey::Address(from("192.0.2.1")));
        gate.publish(Bucket::Posts, empty, at(106), at(100));
        let check = |address, now| gate.check_posts(from(address), None, at(now));
        let refused = |wait| Err(Rejection::TooFast { wait, rate: RATE, what: "comments" });
        assert_eq!(check("192.0.2.1", 100), refused(6));
        assert_eq!(check("192.0.2.1", 105), refused(1));
        assert_eq!(check("192.0.2.2", 105), Ok(()));
        assert_eq!(check("192.0.2.1", 106), Ok(()));
        assert_eq!(check("192.0.2.1", 106), refused(6), "before the hub has charged the first");
    }

    #[test]
    fn a_bucket_that_has_filled_up_again_gives_all_its_tokens_at_once() {
        let (gate, key) = (gate(), BucketKey::Author(Author::from_key("0123456789abcdef")));
        gate.publish(Bucket::Posts, key, at(106), at(100));
        for n in 0..20 {
            let author = Some(Author::from_key("0123456789abcdef"));
            assert_eq!(gate.check_posts(from("192.0.2.1"), author, at(500)).is_ok(), n < 10, "{n}");
        }
        gate.publish(Bucket::Posts, key, at(0), at(501));
        let author = Some(Author::from_key("0123456789abcdef"));
        assert_eq!(
            gate.check_posts(from("192.0.2.1"), author, at(501)),
            Ok(()),
            "the hub knows best"
        );
    }

    #[test]
    fn who_is_refused_all_the_time_is_held_back_even_without_a_rate() {
        let (gate, key) = (Gate::default(), BucketKey::Address(from("192.0.2.1")));
        gate.publish(Bucket::Posts, key, at(106), at(100));
        assert_eq!(gate.check_posts(from("192.0.2.1"), None, at(100)), Ok(()));
        gate.publish(Bucket::Refused, key, at(101), at(100));
        assert!(gate.check_refused(from("192.0.2.1"), at(100)).is_err());
    }

    #[test]
    fn whoever_was_refused_often_may_write_as_before_once_that_is_over() {
        let (gate, key) = (Gate::default(), BucketKey::Address(from("192.0.2.1")));
        gate.publish(Bucket::Refused, key, at(101), at(100));
        for _ in 0..1_000 {
            assert_eq!(gate.check_refused(from("192.0.2.1"), at(101)), Ok(()));
        }
    }

    #[test]
    fn callers_who_ask_at_once_get_all_tokens_and_no_more() {
        let (gate, key) = (gate(), BucketKey::Address(from("192.0.2.1")));
        gate.publish(Bucket::Posts, key, at(100), at(99));
        let accepted = std::thread::scope(|scope| {
            let ask = || {
                (0..20)
                    .filter(|_| gate.check_posts(from("192.0.2.1"), None, at(500)).is_ok())
                    .count()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(accepted, 10);
    }
}
