//! How many connections there are, in all and for each address, and who gets no more.
//!
//! Knows no socket. A place is taken by having a [`Permit`] and given back by dropping it, so a panic gives it back too.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::forwarded::ClientKey;
use crate::http::request::HttpError;

/// The counts. A mutex is enough: it is held for a few instructions, and never on the way of a comment.
#[derive(Debug)]
pub struct ConnectionLimits {
    all_max: u32,
    per_address_max: u32,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: u32,
    /// Only addresses that have a seat, so never more than there are seats.
    per_address: HashMap<ClientKey, u32>,
}

/// One place, for as long as it lives.
#[derive(Debug)]
pub struct Permit {
    limits: Arc<ConnectionLimits>,
    /// Whose; none: one of all.
    address: Option<ClientKey>,
}

impl ConnectionLimits {
    /// At most so many seats in all, and so many for each address.
    pub fn new(all_max: u32, per_address_max: u32) -> Arc<ConnectionLimits> {
        Arc::new(ConnectionLimits { all_max, per_address_max, taken: Mutex::default() })
    }

    /// A place among all.
    ///
    /// # Errors
    /// 503 where all are taken.
    pub fn acquire(self: &Arc<ConnectionLimits>) -> Result<Permit, HttpError> {
        let mut taken = self.lock();
        if taken.all >= self.all_max {
            let message = format!("{} connections are open, no more are allowed", taken.all);
            return Err(HttpError::new(503, message));
        }
        taken.all += 1;
        Ok(Permit { limits: self.clone(), address: None })
    }

    /// One of the places of an address.
    ///
    /// # Errors
    /// 429 where it has taken all of them.
    pub fn acquire_for(
        self: &Arc<ConnectionLimits>,
        address: ClientKey,
    ) -> Result<Permit, HttpError> {
        let mut taken = self.lock();
        let count = taken.per_address.get(&address).copied().unwrap_or(0);
        if count >= self.per_address_max {
            let message =
                format!("{count} connections from your address are open, no more are allowed");
            return Err(HttpError::new(429, message));
        }
        taken.per_address.insert(address, count + 1);
        Ok(Permit { limits: self.clone(), address: Some(address) })
    }

    /// Nothing that holds the lock can panic in the middle of a change.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.limits.lock();
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

    fn counted(text: &str) -> ClientKey {
        ClientKey::of(text.parse().unwrap())
    }

    #[test]
    fn the_last_place_is_given_and_one_more_is_503_until_one_is_free() {
        let limits = ConnectionLimits::new(2, 9);
        let (first, _second) = (limits.acquire().unwrap(), limits.acquire().unwrap());
        let refusal = limits.acquire().unwrap_err();
        assert_eq!(refusal, HttpError::new(503, "2 connections are open, no more are allowed"));
        drop(first);
        assert!(limits.acquire().is_ok());
    }

    #[test]
    fn an_address_has_its_own_places_and_no_trace_is_left_of_it() {
        let limits = ConnectionLimits::new(9, 2);
        let permits = [0; 2].map(|_| limits.acquire_for(counted("2001:db8::1")).unwrap());
        let refusal = limits.acquire_for(counted("2001:db8::2")).unwrap_err();
        let message = "2 connections from your address are open, no more are allowed";
        assert_eq!(refusal, HttpError::new(429, message));
        assert!(limits.acquire_for(counted("2001:db8:0:1::1")).is_ok());
        drop(permits);
        assert!(limits.lock().per_address.is_empty());
    }

    #[test]
    fn a_panic_gives_the_place_back() {
        let limits = ConnectionLimits::new(1, 1);
        let permit = limits.acquire().unwrap();
        let gone = std::thread::spawn(move || {
            let _seat = permit;
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(gone.join().is_err());
        assert!(limits.acquire().is_ok());
    }
}
