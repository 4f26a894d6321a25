//! Limits the number of connections in all and per address.
//!
//! Knows no socket. A connection holds [`Permit`]s; dropping one releases it, so a panic releases it too.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::error_code::ErrorCode;
use crate::http::forwarded::ClientKey;
use crate::http::request::HttpError;

/// The limits and the permits in use. A mutex is enough: it is held for a few instructions, and posting a comment never takes it.
#[derive(Debug)]
pub struct ConnectionLimits {
    max: u32,
    max_per_address: u32,
    in_use: Mutex<InUse>,
}

#[derive(Debug, Default)]
struct InUse {
    all: u32,
    /// Has only addresses with a permit, so never more entries than permits.
    per_address: HashMap<ClientKey, u32>,
}

/// The right to have one connection, released on drop.
#[derive(Debug)]
pub struct Permit {
    limits: Arc<ConnectionLimits>,
    /// The address that it counts for; `None` if it counts towards the limit of all.
    address: Option<ClientKey>,
}

impl ConnectionLimits {
    /// Allows at most `max` permits in all and `max_per_address` for each address.
    pub fn new(max: u32, max_per_address: u32) -> Arc<ConnectionLimits> {
        Arc::new(ConnectionLimits { max, max_per_address, in_use: Mutex::default() })
    }

    /// Acquires one of all permits.
    ///
    /// # Errors
    /// 503 if all are in use.
    pub fn acquire(self: &Arc<ConnectionLimits>) -> Result<Permit, HttpError> {
        let mut in_use = self.lock();
        if in_use.all >= self.max {
            let message = format!("{} connections are open, no more are allowed", in_use.all);
            let error = HttpError::of(ErrorCode::TooManyConnections, message);
            return Err(error.with("max", in_use.all));
        }
        in_use.all += 1;
        Ok(Permit { limits: self.clone(), address: None })
    }

    /// Acquires one of the permits of an address.
    ///
    /// # Errors
    /// 429 if all of them are in use.
    pub fn acquire_for(
        self: &Arc<ConnectionLimits>,
        address: ClientKey,
    ) -> Result<Permit, HttpError> {
        let mut in_use = self.lock();
        let count = in_use.per_address.get(&address).copied().unwrap_or(0);
        if count >= self.max_per_address {
            let message =
                format!("{count} connections from your address are open, no more are allowed");
            return Err(HttpError::new(429, message).with("max", count));
        }
        in_use.per_address.insert(address, count + 1);
        Ok(Permit { limits: self.clone(), address: Some(address) })
    }

    /// Ignores poisoning: no holder of the lock can panic in the middle of a change.
    fn lock(&self) -> MutexGuard<'_, InUse> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut in_use = self.limits.lock();
        match self.address {
            None => in_use.all -= 1,
            Some(address) => {
                if let Entry::Occupied(mut count) = in_use.per_address.entry(address) {
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

    fn key(text: &str) -> ClientKey {
        ClientKey::of(text.parse().unwrap())
    }

    #[test]
    fn the_last_permit_is_granted_and_one_more_is_503_until_one_is_released() {
        let limits = ConnectionLimits::new(2, 9);
        let (first, _second) = (limits.acquire().unwrap(), limits.acquire().unwrap());
        let error = limits.acquire().unwrap_err();
        let message = "2 connections are open, no more are allowed";
        let expected = HttpError::of(ErrorCode::TooManyConnections, message).with("max", 2_u32);
        assert_eq!(error, expected);
        drop(first);
        assert!(limits.acquire().is_ok());
    }

    #[test]
    fn an_address_has_its_own_permits_and_is_forgotten_after_the_last() {
        let limits = ConnectionLimits::new(9, 2);
        let permits = [0; 2].map(|_| limits.acquire_for(key("2001:db8::1")).unwrap());
        let error = limits.acquire_for(key("2001:db8::2")).unwrap_err();
        let message = "2 connections from your address are open, no more are allowed";
        assert_eq!(error, HttpError::new(429, message).with("max", 2_u32));
        assert!(limits.acquire_for(key("2001:db8:0:1::1")).is_ok());
        drop(permits);
        assert!(limits.lock().per_address.is_empty());
    }

    #[test]
    fn a_panic_releases_the_permit() {
        let limits = ConnectionLimits::new(1, 1);
        let permit = limits.acquire().unwrap();
        let panicked = std::thread::spawn(move || {
            let _permit = permit;
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(panicked.join().is_err());
        assert!(limits.acquire().is_ok());
    }
}
