//! From which address each of the newest comments came, so that a moderator can ban it. Only in memory, and only for this run.
//!
//! In the log, a banned address is a hash that only the folder's owner can compute.

use std::collections::VecDeque;

use crate::{
    http::forwarded::ClientKey, log::salt::Salt, store::moderation::AddressHash,
    util::hmac::hmac_sha256,
};

/// Comments whose address is known, the newest.
pub const ADDRESSES_KNOWN_MAX: usize = 10_000;

/// See the [module](self).
pub(super) struct Addresses {
    salt: Salt,
    /// Comments and where they came from, by rising id.
    newest: VecDeque<(u64, ClientKey)>,
}

impl Addresses {
    pub(super) fn new(salt: Salt) -> Addresses {
        Addresses { salt, newest: VecDeque::new() }
    }

    /// Hashes with another salt from now on.
    #[cfg(feature = "redis")]
    pub(super) fn set_salt(&mut self, salt: Salt) {
        self.salt = salt;
    }

    /// Remembers where a new comment came from; `None` for one that must not be found by its address. If its batch fails, a later comment
    /// with the same id takes its place.
    pub(super) fn remember(&mut self, id: u64, from: Option<ClientKey>) {
        while self.newest.back().is_some_and(|(last, _)| *last >= id) {
            self.newest.pop_back();
        }
        let Some(from) = from.filter(|from| *from != ClientKey::Unnamed) else { return };
        if self.newest.len() == ADDRESSES_KNOWN_MAX {
            self.newest.pop_front();
        }
        self.newest.push_back((id, from));
    }

    /// Where a comment came from, if that is known.
    pub(super) fn of(&self, id: u64) -> Option<ClientKey> {
        let at = self.newest.binary_search_by_key(&id, |known| known.0).ok()?;
        Some(self.newest[at].1)
    }

    /// The comments that came from there, as far as that is known, by rising id.
    pub(super) fn comments_from(&self, from: ClientKey) -> impl Iterator<Item = u64> + '_ {
        self.newest.iter().filter(move |known| known.1 == from).map(|known| known.0)
    }

    /// The first 16 bytes of HMAC-SHA256 over the address with the salt.
    pub(super) fn hash(&self, from: ClientKey) -> AddressHash {
        let digest = match from {
            ClientKey::V4(address) => hmac_sha256(&self.salt, &[b"4", &address]),
            ClientKey::V6(half) => hmac_sha256(&self.salt, &[b"6", &half]),
            // No ban names it, since what came without an address is not remembered.
            ClientKey::Unnamed => hmac_sha256(&self.salt, &[b"0"]),
        };
        let mut hash = [0; 16];
        hash.copy_from_slice(&digest[..16]);
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> ClientKey {
        ClientKey::of(address.parse().unwrap())
    }

    #[test]
    fn the_newest_addresses_are_known_and_no_more() {
        let mut addresses = Addresses::new([7; 32]);
        for id in 1..=ADDRESSES_KNOWN_MAX as u64 {
            addresses.remember(id, Some(from("192.0.2.1")));
        }
        assert_eq!(addresses.of(1), Some(from("192.0.2.1")));
        addresses.remember(20_000, Some(from("192.0.2.2")));
        assert_eq!((addresses.of(1), addresses.of(20_000)), (None, Some(from("192.0.2.2"))));
        addresses.remember(20_000, Some(from("192.0.2.3")));
        assert_eq!(addresses.of(20_000), Some(from("192.0.2.3")), "the first was rolled back");
        assert_eq!(addresses.comments_from(from("192.0.2.3")).collect::<Vec<_>>(), [20_000]);
    }

    #[test]
    fn a_hash_depends_on_address_and_salt() {
        let hash = |salt, address| Addresses::new([salt; 32]).hash(from(address));
        assert_eq!(hash(1, "192.0.2.1"), hash(1, "::ffff:192.0.2.1"));
        assert_eq!(hash(1, "2001:db8::1"), hash(1, "2001:db8::2"), "one /64 is one client");
        assert_ne!(hash(1, "192.0.2.1"), hash(1, "192.0.2.2"));
        assert_ne!(hash(1, "192.0.2.1"), hash(2, "192.0.2.1"));
    }
}
