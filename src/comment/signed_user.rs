//! A user of a host page, once it is sure that the host page has signed them.
//!
//! Knows no secret and no signature: `hub::sign_on` checks those.

use std::sync::Arc;

use crate::comment::Author;

/// Whom a host page vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedUser {
    /// Their pseudonym, which follows from the site and from their id there.
    pub author: Author,
    /// Their name there, a valid display name.
    pub name: String,
    /// As whom they hide, show and delete others' comments, if they may: the name with the site in brackets, so that it is no
    /// name that a token file can give.
    pub moderator: Option<Arc<str>>,
    /// Until when the signature is good, in seconds since 1970.
    pub until: u64,
}

impl SignedUser {
    /// `{"user":{"author":…,"name":…,"moderator":true,"until":…}}`: tells a client who it is.
    pub fn to_json(&self) -> String {
        let SignedUser { author, name, until, .. } = self;
        let name = serde_json::to_string(name).expect("a name can be encoded");
        let moderator = if self.moderator.is_some() { ",\"moderator\":true" } else { "" };
        format!(
            "{{\"user\":{{\"author\":\"{author}\",\"name\":{name}{moderator},\"until\":{until}}}}}"
        )
    }
}
