//! Proof of work: a comment has to cost its sender a moment of computing (Back, "Hashcash", 2002).
//!
//! Pure. Remembers nothing: a proof is valid for one text and one nonce, and a nonce for one comment.

use sha2::{Digest, Sha256};

use crate::{comment::draft::ClientMessage, comment::rejection::Rejection};

/// Checks that SHA-256(SHA-256(nonce, a zero byte, content), proof) begins with `bits` zero bits, where nonce, content and proof are as
/// in the message, and the inner hash is 32 bytes.
///
/// # Errors
/// [`Rejection::ProofMissing`] if it does not, or if nonce or proof is missing.
pub fn check(bits: Option<u8>, message: &ClientMessage) -> Result<(), Rejection> {
    let Some(bits) = bits else { return Ok(()) };
    let (Some(nonce), Some(proof)) = (&message.nonce, &message.proof) else {
        return Err(Rejection::ProofMissing(bits));
    };
    let content = message.content.as_deref().unwrap_or_default();
    let seed = Sha256::new().chain_update(nonce).chain_update([0]).chain_update(content).finalize();
    let hash = Sha256::new().chain_update(seed).chain_update(proof).finalize();
    let first = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    if first.leading_zeros() < u32::from(bits) {
        return Err(Rejection::ProofMissing(bits));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(nonce: &str, content: &str, proof: &str) -> ClientMessage {
        let some = |text: &str| Some(text.to_owned());
        ClientMessage {
            nonce: some(nonce),
            content: some(content),
            proof: some(proof),
            ..ClientMessage::default()
        }
    }

    #[test]
    fn a_proof_is_valid_for_its_nonce_and_text_only() {
        let is_valid = |message: &ClientMessage| check(Some(12), message).is_ok();
        let proof = (0..)
            .map(|n| message("n".repeat(16).as_str(), "hello", &n.to_string()))
            .find(is_valid)
            .unwrap();
        for other in [
            message(&"m".repeat(16), "hello", proof.proof.as_deref().unwrap()),
            message(&"n".repeat(16), "hallo", proof.proof.as_deref().unwrap()),
            ClientMessage { proof: None, ..proof.clone() },
            ClientMessage { nonce: None, ..proof.clone() },
        ] {
            assert_eq!(check(Some(12), &other), Err(Rejection::ProofMissing(12)));
            assert_eq!(check(None, &other), Ok(()));
        }
    }

    #[test]
    fn leading_zero_bits_are_counted() {
        // Computed with Python's hashlib: SHA-256(SHA-256(nonce + "\0" + content) + "90") begins with 0x00d2.
        let good = message("0123456789abcdef", "First!", "90");
        assert_eq!(check(Some(8), &good), Ok(()));
        assert_eq!(check(Some(9), &good), Err(Rejection::ProofMissing(9)));
    }
}
