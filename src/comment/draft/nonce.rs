//! Checks nonces.
//!
//! Pure.

use super::check_characters;
use crate::{
    comment::rejection::Rejection,
    limits::{NONCE_BYTES_MAX, NONCE_BYTES_MIN},
};

/// What the nonces of imported comments begin with. No client may take one before the comment comes.
pub const IMPORT_NONCE_PREFIX: &str = "import:";

pub(super) fn check_nonce(nonce: Option<&str>) -> Result<Option<&str>, Rejection> {
    let Some(text) = nonce else { return Ok(None) };
    check_nonce_length(text)?;
    if text.starts_with(IMPORT_NONCE_PREFIX) {
        return Err(Rejection::NonceReserved);
    }
    Ok(nonce)
}

/// Checks a nonce that may be an imported comment's.
///
/// # Errors
/// Fails if it is too short or too long, or has control characters.
pub fn check_nonce_length(nonce: &str) -> Result<(), Rejection> {
    if !(NONCE_BYTES_MIN..=NONCE_BYTES_MAX).contains(&nonce.len()) {
        return Err(Rejection::NonceLength(nonce.len()));
    }
    check_characters("nonce", nonce, |_| false)
}
