//! The form of the served page: parses its fields, and refuses programs that fill in all of them at once.
//!
//! Knows no page and no HTML.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use sha2::{Digest, Sha256};

use crate::{
    comment::draft::ClientMessage, comment::rejection::Rejection, http::query::Query,
    http::response::Response, util::text::parse_decimal,
};

/// The length of a form's hidden nonce before base64url makes it 22 characters: the time at which the form was shown, and random bytes.
const NONCE_BYTES: usize = 16;
/// How many of those bytes are the time, in ms since 1970.
const TIME_BYTES: usize = 6;
/// The shortest time between showing and sending a form: no person is faster.
pub(super) const FILLED_IN_SECONDS_MIN: u64 = 2;
/// A field that is invisible, so that only programs fill it in.
pub(super) const HONEYPOT_FIELD: &str = "website";

/// Makes the nonce of a form that is shown `now`.
pub(super) fn nonce(now: SystemTime) -> String {
    let mut bytes = [0; NONCE_BYTES];
    getrandom::fill(&mut bytes).expect("the operating system has random bytes once it has booted");
    bytes[..TIME_BYTES].copy_from_slice(&milliseconds(now).to_be_bytes()[8 - TIME_BYTES..]);
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Parses a form, and checks whether a person may have sent it. `now` is `None` if the time since it was shown doesn't matter. The
/// message's nonce is a hash of the hidden nonce and the fields: the same form sent twice is one comment, while going back and writing
/// something else makes another.
///
/// # Errors
/// The response to a body that is not a form. The inner error belongs on the page, beside what was typed.
pub(super) fn parse(
    body: &[u8],
    now: Option<SystemTime>,
) -> Result<(ClientMessage, Result<(), Rejection>), Response> {
    let malformed = |message: String| Response::error(400, message);
    let text = str::from_utf8(body).map_err(|_| malformed("the form is not UTF-8".into()))?;
    let form = Query::parse(text).map_err(malformed)?;
    let field = |name: &str| form.get(name).map(str::to_owned);
    let non_empty = |name| form.get(name).filter(|text| !text.is_empty());
    let mut message = ClientMessage::default();
    if let Some(text) = non_empty("parent") {
        let parent = parse_decimal(text);
        message.parent = Some(parent.ok_or_else(|| malformed("parent is no comment's id".into()))?);
    }
    for (name, slot) in [
        ("page", &mut message.page),
        ("content", &mut message.content),
        ("name", &mut message.name),
    ] {
        *slot = field(name);
    }
    message.key = non_empty("key").map(str::to_owned);
    let hidden = non_empty("nonce");
    let check = check_sender(hidden, non_empty(HONEYPOT_FIELD).is_some(), now);
    if let Some(hidden) = hidden {
        let fields = [message.page.as_deref(), message.name.as_deref(), message.content.as_deref()];
        let mut digest = Sha256::new().chain_update(hidden);
        for field in fields {
            digest.update([0]);
            digest.update(field.unwrap_or_default());
        }
        digest.update(message.parent.unwrap_or_default().to_be_bytes());
        message.nonce = Some(BASE64_URL_SAFE_NO_PAD.encode(&digest.finalize()[..NONCE_BYTES]));
    }
    Ok((message, check))
}

/// Refuses a form with a filled honeypot, and one that was sent too soon. A hidden nonce that sayso has not made contains no time.
fn check_sender(
    hidden: Option<&str>,
    is_honeypot_filled: bool,
    now: Option<SystemTime>,
) -> Result<(), Rejection> {
    if is_honeypot_filled {
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
        let sent =
            |after| check_sender(Some(&hidden), false, Some(shown + Duration::from_millis(after)));
        assert_eq!(
            check_sender(Some(&hidden), false, None),
            Ok(()),
            "without a rate limit the time is not checked"
        );
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
    fn foreign_nonces_and_nonces_from_the_future_are_accepted() {
        let now = UNIX_EPOCH + Duration::from_secs(1_795_000_000);
        for other in [None, Some("my-own-nonce-0123456789"), Some("AAAAAAAAAAAAAAAAAAAAAA")] {
            assert_eq!(check_sender(other, false, Some(now)), Ok(()), "{other:?}");
        }
        let later = nonce(now + Duration::from_secs(60));
        assert_eq!(check_sender(Some(&later), false, Some(now)), Ok(()));
        assert_eq!(check_sender(None, true, Some(now)), Err(Rejection::HoneypotFilled));
    }

    #[test]
    fn the_nonce_depends_on_the_fields() {
        let nonce_of = |form: &str| parse(form.as_bytes(), None).unwrap().0.nonce;
        let one = nonce_of("nonce=0123456789abcdef&content=a");
        assert_eq!(one, nonce_of("content=a&nonce=0123456789abcdef&website="));
        assert_ne!(one, nonce_of("nonce=0123456789abcdef&content=b"));
        assert_eq!(nonce_of("content=a"), None);
    }
}
