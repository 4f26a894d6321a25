//! How many connections there are, in all and for each address, and who gets no more.
//!
//! Knows no socket. A place is taken by having a [`Seat`] and given back by dropping it, so a panic gives it back too.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::forwarded::Counted;
use crate::http::request::Refusal;

/// The counts. A mutex is enough: it is held for a few instructions, and never on the way of a comment.
#[derive(Debug)]
pub struct Caps {
    all_max: u32,
    per_address_max: u32,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: u32,
    /// Only addresses that have a seat, so never more than there are seats.
    per_address: HashMap<Counted, u32>,
}

/// One place, for as long as it lives.
#[derive(Debug)]
pub struct Seat {
    caps: Arc<Caps>,
    /// Whose; none: one of all.
    address: Option<Counted>,
}

impl Caps {
    /// At most so many seats in all, and so many for each address.
    pub fn new(all_max: u32, per_address_max: u32) -> Arc<Caps> {
        Arc::new(Caps { all_max, per_address_max, taken: Mutex::default() })
    }

    /// A place among all.
    ///
    /// # Errors
    /// 503 where all are taken.
    pub fn seat(self: &Arc<Caps>) -> Result<Seat, Refusal> {
        let mut taken = self.lock();
        if taken.all >= self.all_max {
            let sentence = format!("{} connections are open, no more are allowed", taken.all);
            return Err(Refusal::new(503, sentence));
        }
        taken.all += 1;
        Ok(Seat { caps: self.clone(), address: None })
    }

    /// One of the places of an address.
    ///
    /// # Errors
    /// 429 where it has taken all of them.
    pub fn seat_of(self: &Arc<Caps>, address: Counted) -> Result<Seat, Refusal> {
        let mut taken = self.lock();
        let count = taken.per_address.get(&address).copied().unwrap_or(0);
        if count >= self.per_address_max {
            let sentence =
                format!("{count} connections from your address are open, no more are allowed");
            return Err(Refusal::new(429, sentence));
        }
        taken.per_address.insert(address, count + 1);
        Ok(Seat { caps: self.clone(), address: Some(address) })
    }

    /// Nothing that holds the lock can panic in the middle of a change.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.caps.lock();
        match self.address {
            None => taken.all -= 1,
            Some(address) => {
                if let Entry::Occupied(mut count) = taken.per_address.entry(address) {
                    *count.get_mut() -= 1;
                    if *count.get() == 0 {
                        count.remove();
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &str) -> Counted {
        Counted::of(text.parse().unwrap())
    }

    #[test]
    fn the_last_place_is_given_and_one_more_is_503_until_one_is_free() {
        let caps = Caps::new(2, 9);
        let (first, _second) = (caps.seat().unwrap(), caps.seat().unwrap());
        let refusal = caps.seat().unwrap_err();
        assert_eq!(refusal, Refusal::new(503, "2 connections are open, no more are allowed"));
        drop(first);
        assert!(caps.seat().is_ok());
    }

    #[test]
    fn an_address_has_its_own_places_and_no_trace_is_left_of_it() {
        let caps = Caps::new(9, 2);
        let seats = [0; 2].map(|_| caps.seat_of(counted("2001:db8::1")).unwrap());
        let refusal = caps.seat_of(counted("2001:db8::2")).unwrap_err();
        let sentence = "2 connections from your address are open, no more are allowed";
        assert_eq!(refusal, Refusal::new(429, sentence));
        assert!(caps.seat_of(counted("2001:db8:0:1::1")).is_ok());
        drop(seats);
        assert!(caps.lock().per_address.is_empty());
    }

    #[test]
    fn a_panic_gives_the_place_back() {
        let caps = Caps::new(1, 1);
        let seat = caps.seat().unwrap();
        let gone = std::thread::spawn(move || {
            let _seat = seat;
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(gone.join().is_err());
        assert!(caps.seat().is_ok());
    }
}
