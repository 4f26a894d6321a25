//! The form that works without a script: its fields, and what tells a person from a program that fills in all of them at once.
//!
//! Knows no page and no answer.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use sha2::{Digest, Sha256};

use crate::{
    comment::draft::ClientMessage, comment::rejection::Rejection, http::query::Query,
    web::message::Response,
};

/// Bytes of a form's hidden nonce, 22 characters of base64url: the time at which it was shown, and random.
const NONCE_BYTES: usize = 16;
/// Of those, the time, ms since 1970.
const TIME_BYTES: usize = 6;
/// Nobody reads a page and writes in less time.
pub(super) const FILLED_IN_SECONDS_MIN: u64 = 2;
/// The field that nobody sees, and only a program fills in.
pub(super) const HONEYPOT_FIELD: &str = "website";

/// A nonce for a form that is shown now.
pub(super) fn nonce(now: SystemTime) -> String {
    let mut bytes = [0; NONCE_BYTES];
    getrandom::fill(&mut bytes).expect("the operating system has random bytes once it has booted");
    bytes[..TIME_BYTES].copy_from_slice(&milliseconds(now).to_be_bytes()[8 - TIME_BYTES..]);
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A form's fields, and whether a person may have sent it, `now` if time matters. Its nonce is made from the hidden one and from what was written: sent
/// twice, it is one comment; going back and writing something else is another.
///
/// # Errors
/// Where it is no form; what is wrong with its fields is told with the page.
pub(super) fn message(
    body: &[u8],
    now: Option<SystemTime>,
) -> Result<(ClientMessage, Result<(), Rejection>), Response> {
    let bad = |why: String| Response::error(400, &why);
    let text = str::from_utf8(body).map_err(|_| bad("the form is not UTF-8".into()))?;
    let form = Query::parse(text).map_err(bad)?;
    let field = |name| form.get(name).map(str::to_owned);
    let filled = |name| field(name).filter(|text| !text.is_empty());
    let parent = filled("parent").map(|parent| parent.parse()).transpose();
    let mut message = ClientMessage {
        page: field("page"),
        content: field("content"),
        name: field("name"),
        parent: parent.map_err(|_| bad("parent is no comment's id".into()))?,
        key: filled("key"),
        nonce: filled("nonce"),
        ..ClientMessage::default()
    };
    let hidden = message.nonce.take();
    let judged = judge(hidden.as_deref(), filled(HONEYPOT_FIELD).is_some(), now);
    if let Some(hidden) = &hidden {
        let written =
            [message.page.as_deref(), message.name.as_deref(), message.content.as_deref()];
        let mut digest = Sha256::new().chain_update(hidden);
        for part in written {
            digest.update([0]);
            digest.update(part.unwrap_or_default());
        }
        digest.update(message.parent.unwrap_or_default().to_be_bytes());
        message.nonce = Some(BASE64_URL_SAFE_NO_PAD.encode(&digest.finalize()[..NONCE_BYTES]));
    }
    Ok((message, judged))
}

/// A nonce that was not made here says nothing about time.
fn judge(hidden: Option<&str>, is_trapped: bool, now: Option<SystemTime>) -> Result<(), Rejection> {
    if is_trapped {
        return Err(Rejection::HoneypotFilled);
    }
    let bytes = hidden.and_then(|hidden| BASE64_URL_SAFE_NO_PAD.decode(hidden).ok());
    let bytes = bytes.filter(|bytes| bytes.len() == NONCE_BYTES);
    let (Some(bytes), Some(now)) = (bytes, now) else { return Ok(()) };
    let shown = bytes[..TIME_BYTES].iter().fold(0, |time, byte| (time << 8) | u64::from(*byte));
    let age = milliseconds(now).checked_sub(shown);
    match age.and_then(|age| (FILLED_IN_SECONDS_MIN * 1_000).checked_sub(age)) {
        None | Some(0) => Ok(()),
        Some(left) => Err(Rejection::SubmittedTooSoon(left.div_ceil(1_000) as u32)),
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_form_may_be_sent_two_seconds_after_it_was_shown() {
        let shown = UNIX_EPOCH + Duration::from_millis(1_795_000_000_123);
        let hidden = nonce(shown);
        assert_eq!(hidden.len(), 22);
        let sent = |after| judge(Some(&hidden), false, Some(shown + Duration::from_millis(after)));
        assert_eq!(judge(Some(&hidden), false, None), Ok(()), "nobody looks at the clock");
        assert_eq!(
            (sent(0), sent(1), sent(999)),
            (
                Err(Rejection::SubmittedTooSoon(2)),
                Err(Rejection::SubmittedTooSoon(2)),
                Err(Rejection::SubmittedTooSoon(2))
            )
        );
        assert_eq!(
            (sent(1_000), sent(1_999)),
            (Err(Rejection::SubmittedTooSoon(1)), Err(Rejection::SubmittedTooSoon(1)))
        );
        assert_eq!((sent(2_000), sent(2_001), sent(86_400_000)), (Ok(()), Ok(()), Ok(())));
    }

    #[test]
    fn other_nonces_and_clocks_that_were_set_say_nothing() {
        let now = UNIX_EPOCH + Duration::from_secs(1_795_000_000);
        for other in [None, Some("my-own-nonce-0123456789"), Some("AAAAAAAAAAAAAAAAAAAAAA")] {
            assert_eq!(judge(other, false, Some(now)), Ok(()), "{other:?}");
        }
        let later = nonce(now + Duration::from_secs(60));
        assert_eq!(judge(Some(&later), false, Some(now)), Ok(()));
        assert_eq!(judge(None, true, Some(now)), Err(Rejection::HoneypotFilled));
    }

    #[test]
    fn what_was_written_makes_the_nonce() {
        let nonce_of = |form: &str| message(form.as_bytes(), None).unwrap().0.nonce;
        let one = nonce_of("nonce=0123456789abcdef&content=a");
        assert_eq!(one, nonce_of("content=a&nonce=0123456789abcdef&website="));
        assert_ne!(one, nonce_of("nonce=0123456789abcdef&content=b"));
        assert_eq!(nonce_of("content=a"), None);
    }
}
