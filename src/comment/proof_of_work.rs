//! Proof of work: a comment that has cost its sender a moment of computing (Back, "Hashcash", 2002).
//!
//! Pure. Nothing is remembered: the proof belongs to the nonce, which is good for one comment, and to what was written.

use sha2::{Digest, Sha256};

use crate::{comment::draft::ClientMessage, comment::rejection::Rejection};

/// SHA-256(SHA-256(nonce, a byte of zero, content) as 32 bytes, proof) must begin with `bits` zero bits; nonce, content and proof as
/// the message has them.
///
/// # Errors
/// [`Rejection::ProofMissing`]
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
    fn a_proof_is_good_for_its_nonce_and_text_alone() {
        let is_good = |message: &ClientMessage| check(Some(12), message).is_ok();
        let proof = (0..)
            .map(|n| message("n".repeat(16).as_str(), "hello", &n.to_string()))
            .find(is_good)
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
    fn the_bits_are_counted_from_the_front() {
        // Made with Python's hashlib: SHA-256(SHA-256(nonce + "\0" + content) + "90") begins with 0x00d2.
        let good = message("0123456789abcdef", "First!", "90");
        assert_eq!(check(Some(8), &good), Ok(()));
        assert_eq!(check(Some(9), &good), Err(Rejection::ProofMissing(9)));
    }
}
