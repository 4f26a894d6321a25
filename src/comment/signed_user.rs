//! A user of a host page, once it is sure that the host page has signed them.
//!
//! Knows no secret and no signature: `hub::sign_on` checks those.

use std::sync::Arc;

use crate::comment::{Author, append_text};

/// Whom a host page vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedUser {
    /// Their pseudonym, which follows from the site and from their id there.
    pub author: Author,
    /// Their name there, a valid display name.
    pub name: String,
    /// As whom they hide, show and delete others' comments, if they may: the name with the site's host in brackets, so that it is no
    /// name that a token file can give.
    pub moderator: Option<Arc<str>>,
    /// Until when the signature is good, in seconds since 1970.
    pub until: u64,
}

impl SignedUser {
    /// `{"user":{"author":…,"name":…,"moderator":true,"until":…}}`: tells a client who it is.
    pub fn to_json(&self) -> String {
        let mut out = Vec::new();
        append_text(&mut out, "{\"user\":{\"author\":", Some(&self.author.to_string()));
        append_text(&mut out, ",\"name\":", Some(&self.name));
        let moderator = if self.moderator.is_some() { ",\"moderator\":true" } else { "" };
        let rest = format!("{moderator},\"until\":{}}}}}", self.until);
        out.extend_from_slice(rest.as_bytes());
        String::from_utf8_lossy(&out).into_owned()
    }
}
