//! Links by which a moderator decides on a comment from a message: what they say, and their signatures.
//!
//! A link names the comment, the `seq` up to which its text and decisions were known, what is to be done, in whose name, and until when. Who
//! has it needs no token, so it is a secret as one, but a small one: it is good for one decision on one text, and only in this log. Knows
//! no route and no clock.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};

use crate::{
    log::salt::Salt,
    util::hmac::{hmac_sha256, is_same},
};

/// What stands before a link below the base path.
pub const LINK_PATH: &str = "/m/";
/// For how long a link is good, in seconds: over a weekend.
pub const LINK_SECONDS: u64 = 72 * 60 * 60;
/// Name of the file with the key in the data folder.
pub const KEY_FILE: &str = "links";
/// The longest link that is looked at, in bytes: three numbers and a moderator's name of 32 characters take 204, the signature 43.
const LINK_BYTES_MAX: usize = 250;

/// What a link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everybody sees the comment.
    Approve,
    /// Nobody but moderators sees it.
    Hide,
}

/// What a link says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The comment.
    pub id: u64,
    /// The highest `seq` of what was known of it.
    pub seq: u64,
    /// What is to be done.
    pub verdict: Verdict,
    /// The moderator in whose name.
    pub moderator: String,
    /// Until when, in seconds since 1970.
    pub until: u64,
}

/// Hides the key, so that it can't end up in a log by accident.
impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer(…)")
    }
}

/// Signs links, and reads those that it has signed.
pub struct Signer {
    key: Salt,
    log: Box<str>,
}

impl Signer {
    /// A signer whose links are good for the log with this id only.
    pub fn new(key: Salt, log: &str) -> Signer {
        Signer { key, log: log.into() }
    }

    /// The link, without what stands before it: `BASE64URL.HMAC`.
    pub fn sign(&self, link: &Link) -> String {
        let Link { id, seq, verdict, moderator, until } = link;
        let numbers = [id, seq, until].map(|number| number.to_be_bytes());
        let text = [&numbers.concat()[..], &[*verdict as u8], moderator.as_bytes()].concat();
        let text = BASE64_URL_SAFE_NO_PAD.encode(text);
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.signature(&text));
        format!("{text}.{signature}")
    }

    /// What a link says; `None` if it was not signed with this key for this log.
    pub fn read(&self, link: &str) -> Option<Link> {
        let (text, signature) = link.split_once('.').filter(|_| link.len() <= LINK_BYTES_MAX)?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        if !is_same(&self.signature(text), &signature.try_into().ok()?) {
            return None;
        }
        let text = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (numbers, rest) = text.split_at_checked(3 * 8)?;
        let (verdict, moderator) = rest.split_first()?;
        let mut numbers = numbers.as_chunks().0.iter().map(|number| u64::from_be_bytes(*number));
        Some(Link {
            id: numbers.next()?,
            seq: numbers.next()?,
            until: numbers.next()?,
            verdict: if *verdict == Verdict::Hide as u8 { Verdict::Hide } else { Verdict::Approve },
            moderator: str::from_utf8(moderator).ok()?.into(),
        })
    }

    fn signature(&self, text: &str) -> [u8; 32] {
        hmac_sha256(&self.key, &[self.log.as_bytes(), b" ", text.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "9c41f0aa53d7e6b2";

    fn link() -> Link {
        let moderator = "\u{e9}".repeat(32);
        Link { id: 1 << 62, seq: 1 << 62, verdict: Verdict::Approve, moderator, until: 1 << 40 }
    }

    #[test]
    fn a_link_is_read_by_who_has_signed_it_and_by_nobody_else() {
        let signer = Signer::new([7; 32], LOG);
        for link in [link(), Link { verdict: Verdict::Hide, moderator: "ada".into(), ..link() }] {
            let signed = signer.sign(&link);
            assert!(signed.len() <= LINK_BYTES_MAX, "{}", signed.len());
            assert!(
                signed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            );
            assert_eq!(signer.read(&signed), Some(link));
            assert_eq!(Signer::new([8; 32], LOG).read(&signed), None, "another key");
            assert_eq!(Signer::new([7; 32], "9c41f0aa53d7e6b3").read(&signed), None, "another log");
        }
    }

    #[test]
    fn no_change_of_a_link_is_good() {
        let signer = Signer::new([7; 32], LOG);
        let signed = signer.sign(&link());
        for at in 0..signed.len() {
            for byte in b"AB.-" {
                let mut bytes = signed.clone().into_bytes();
                bytes[at] = *byte;
                let changed = String::from_utf8(bytes).unwrap();
                assert!(changed == signed || signer.read(&changed).is_none(), "{changed}");
            }
            assert_eq!(signer.read(&signed[..at]), None);
            assert_eq!(signer.read(&format!("{}{}", &signed[..at], &signed[at + 1..])), None);
        }
        for wrong in
            ["", ".", "a.b", &format!("{signed}A"), &format!("{signed}."), &"a.".repeat(400)]
        {
            assert_eq!(signer.read(wrong), None, "{wrong}");
        }
    }
}
