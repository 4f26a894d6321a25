//! Whom a host page vouches for: checks the users that it signs with the secret of `--sign-on-file`.
//!
//! A user is `BASE64URL(JSON).HEX(HMAC-SHA256 of the BASE64URL text)`. Wrong ones are not counted as wrong tokens are: nobody guesses a
//! MAC of 256 bits, and whoever shares an address with an expired page must not be locked out. Knows no file, no route and no comment.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};

use crate::{
    comment::Author,
    comment::draft::parse_name,
    comment::rejection::Rejection,
    comment::signed_user::SignedUser,
    http::origin::{self, Requester},
    util::clock::rfc3339,
    util::hmac::{hmac_sha256, is_same},
    util::json::{self, Slot},
    util::text::{shorten, shorten_middle},
};

/// The shortest secret, in bytes: as many as its hash has, so that guessing it is no shorter way than guessing that.
const SECRET_BYTES_MIN: usize = 32;
/// The longest secret, in bytes.
const SECRET_BYTES_MAX: usize = 1_024;
/// Secrets in one file: the one that makes authors, and another one that is accepted too while hosts change over.
const SECRETS_MAX: usize = 2;
/// The longest signed user, in bytes. Its longest id, name and origin are 128, 256 and 300 bytes, and base64 adds a third.
const USER_BYTES_MAX: usize = 2_048;
/// A user's id at the host site, bytes; at least 1.
const USER_ID_BYTES_MAX: usize = 128;
/// How long a host page may vouch for a user: whoever gets hold of a page is its user for so long.
const USER_AHEAD_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Beyond all times that can be written, and within those that can be reckoned with, in seconds since 1970.
const SECONDS_MAX: u64 = 1 << 40;
/// What a user must look like.
const FORM: &str = "it must be BASE64URL(JSON), a dot and 64 lower-case hexadecimal digits";
/// The hexadecimal digits of an HMAC-SHA256.
const SIGNATURE_DIGITS: usize = 64;
/// How much of the start and of the end of a parser's error is repeated, in characters.
const ERROR_END_CHARS: usize = 80;
/// How much of a site that is none is repeated, in characters.
const SITE_ECHO_CHARS: usize = 80;

/// The secrets that host pages sign with, the first of which also makes authors.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets(Vec<Box<str>>);

/// Parses the file: a secret in the first line, and perhaps another one in the second. Empty lines behind each are passed over.
///
/// # Errors
/// A sentence that repeats nothing of the file.
pub fn parse(text: &str) -> Result<Secrets, String> {
    let mut secrets: Vec<Box<str>> = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines().map(str::trim) {
        if !line.is_empty() {
            secrets.push(line.into());
        }
    }
    let is_wrong = |secret: &str| !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&secret.len());
    let wrong = match secrets.iter().position(|secret| is_wrong(secret)) {
        None if secrets.is_empty() => 0,
        None if secrets.len() > SECRETS_MAX => SECRETS_MAX,
        None => return Ok(Secrets(secrets)),
        Some(at) => at,
    };
    let bytes = secrets.get(wrong).map_or(0, |secret| secret.len());
    Err(format!(
        "secret {} of {} has {bytes} bytes, but there must be 1 or {SECRETS_MAX}, a line each, of {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes; make one with: openssl rand -hex 32",
        wrong + 1,
        secrets.len()
    ))
}

/// Hides the secrets, so that they can't end up in a log by accident.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl Secrets {
    /// Whether one of them makes this signature of this text, of which each digit is a hexadecimal one. Compares with each, so that
    /// the time taken reveals nothing.
    fn have_signed(&self, text: &[u8], digits: &[u8]) -> bool {
        let mut signature = [0; SIGNATURE_DIGITS / 2];
        for (at, digit) in digits.iter().enumerate() {
            let value = if *digit < b'a' { digit - b'0' } else { digit - b'a' + 10 };
            signature[at / 2] |= value << (4 - 4 * (at % 2));
        }
        let makes = |secret: &str| is_same(&hmac_sha256(secret.as_bytes(), &[text]), &signature);
        self.0.iter().fold(false, |found, secret| makes(secret) | found)
    }

    /// The author that a site's user is.
    fn author(&self, site: &str, id: &str) -> Author {
        let parts: [&[u8]; 4] = [b"author\0", site.as_bytes(), b"\0", id.as_bytes()];
        let mac = hmac_sha256(self.0[0].as_bytes(), &parts);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&mac[..16]);
        Author::from_bytes(bytes)
    }

    fn check(
        &self,
        user: &str,
        from: Requester<'_>,
        now: SystemTime,
    ) -> Result<SignedUser, Rejection> {
        if user.len() > USER_BYTES_MAX {
            return Err(wrong_length("it", user.len(), 0, USER_BYTES_MAX));
        }
        let dot = user.len().saturating_sub(SIGNATURE_DIGITS + 1);
        let (text, signature) = user.as_bytes().split_at(dot);
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let digits = match signature {
            [b'.', digits @ ..]
                if digits.len() == SIGNATURE_DIGITS && digits.iter().all(is_digit) =>
            {
                digits
            }
            _ => return Err(malformed(FORM)),
        };
        if !self.have_signed(text, digits) {
            return Err(Rejection::UserForged);
        }
        // From here on the host page itself has made what is wrong, and is told all about it. Some programs fill base64 up.
        let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
        let Ok(json) = BASE64_URL_SAFE_NO_PAD.decode(&text[..end]) else {
            return Err(malformed(FORM));
        };
        let (mut id, mut name, mut site) = (String::new(), String::new(), String::new());
        let (mut until, mut moderator) = (0, None);
        let mut fields = [
            ("id", Slot::Text(&mut id)),
            ("name", Slot::Text(&mut name)),
            ("site", Slot::Text(&mut site)),
            ("until", Slot::Number(&mut until)),
            ("moderator", Slot::OptionalFlag(&mut moderator)),
        ];
        if let Err(error) = json::read(&json, 4, &mut fields) {
            return Err(malformed(&shorten_middle(&error.to_string(), ERROR_END_CHARS)));
        }
        if id.is_empty() || id.len() > USER_ID_BYTES_MAX {
            return Err(wrong_length("id", id.len(), 1, USER_ID_BYTES_MAX));
        }
        let name = parse_name(Some(&name))?.ok_or_else(|| malformed("name is empty"))?;
        let site =
            origin::normalize(&site).map_err(|why| malformed(&format!("site is wrong, {why}")))?;
        if !from.is_page_of(&site) {
            let origin = shorten(from.origin.unwrap_or_default(), SITE_ECHO_CHARS);
            return Err(Rejection::UserOfOtherSite(site, origin));
        }
        let present = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let latest = present + USER_AHEAD_MAX.as_secs();
        if until <= present {
            return Err(Rejection::UserExpired(written(until), written(present)));
        }
        if until > latest {
            return Err(Rejection::UserTooFarAhead(written(until), written(latest)));
        }
        let moderator = (moderator == Some(true)).then(|| format!("{name} ({site})").into());
        Ok(SignedUser { author: self.author(&site, &id), name, moderator, until })
    }
}

fn malformed(why: &str) -> Rejection {
    Rejection::UserMalformed(why.into())
}

fn wrong_length(what: &str, bytes: usize, min: usize, max: usize) -> Rejection {
    malformed(&format!("{what} is {bytes} bytes, {min} to {max} are allowed"))
}

/// A time in seconds since 1970 as RFC 3339 writes it, or the latest that it can write.
fn written(seconds: u64) -> String {
    rfc3339(UNIX_EPOCH + Duration::from_secs(seconds.min(SECONDS_MAX)))
}

/// The secrets, which SIGHUP may replace.
pub struct SignOn(RwLock<Secrets>);

/// Shows no secret.
impl fmt::Debug for SignOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignOn(…)")
    }
}

impl SignOn {
    /// Takes users that are signed with these secrets.
    pub fn new(secrets: Secrets) -> Arc<SignOn> {
        Arc::new(SignOn(RwLock::new(secrets)))
    }

    /// Takes those that are signed with these and no others from now on. Returns whether users are other authors than before.
    pub fn replace(&self, secrets: Secrets) -> bool {
        let mut present = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let has_new_authors = present.0[0] != secrets.0[0];
        *present = secrets;
        has_new_authors
    }
}

/// Whom a host page has signed; `sign_on` is `None` without `--sign-on-file`.
///
/// # Errors
/// One of the rejections of users: what they mean stands beside them.
pub fn check(
    sign_on: Option<&SignOn>,
    user: &str,
    from: Requester<'_>,
    now: SystemTime,
) -> Result<SignedUser, Rejection> {
    let sign_on = sign_on.ok_or(Rejection::NoSignOn)?;
    sign_on.0.read().unwrap_or_else(PoisonError::into_inner).check(user, from, now)
}

#[cfg(test)]
mod tests;
