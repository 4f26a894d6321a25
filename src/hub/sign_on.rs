//! Whom a host page vouches for: checks the users that it signs with the secret of `--sign-on-file`.
//!
//! A user is `BASE64URL(JSON).HEX(HMAC-SHA256 of the BASE64URL text)`. Wrong ones are not counted as wrong tokens are: nobody guesses a
//! MAC of 256 bits, and whoever shares an address with an expired page must not be locked out. Knows no file, no route and no comment.

use std::{
    fmt,
    hint::black_box,
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
    util::hmac::hmac_sha256,
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
/// The hexadecimal digits of an HMAC-SHA256.
const SIGNATURE_DIGITS: usize = 64;
/// How much of the start and of the end of a parser's error is repeated, in characters.
const ERROR_END_CHARS: usize = 80;
/// How much of a site that is none is repeated, in characters.
const SITE_ECHO_CHARS: usize = 80;

/// The secrets that host pages sign with, the first of which also makes authors.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets(Vec<Box<str>>);

/// Parses the file: a secret in the first line, and perhaps another one in the second. Empty lines are passed over.
///
/// # Errors
/// A sentence that repeats nothing of the file.
pub fn parse(text: &str) -> Result<Secrets, String> {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let secrets: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    if secrets.is_empty() || secrets.len() > SECRETS_MAX {
        return Err(format!(
            "it has {} lines, but must have the secret in one, and may have another secret in a second one; make one with: openssl rand -hex 32",
            secrets.len()
        ));
    }
    for (number, secret) in (1..).zip(&secrets) {
        let bytes = secret.len();
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes) {
            return Err(format!(
                "secret {number} has {bytes} bytes, {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} are allowed; make one with: openssl rand -hex 32"
            ));
        }
    }
    Ok(Secrets(secrets.into_iter().map(Box::from).collect()))
}

/// Hides the secrets, so that they can't end up in a log by accident.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl Secrets {
    /// Whether one of them makes this signature of this text. Compares to the end, so that the time taken reveals nothing.
    fn have_signed(&self, text: &str, signature: &str) -> bool {
        let mut found = false;
        for secret in &self.0 {
            let right = hmac_sha256(secret.as_bytes(), &[text.as_bytes()]);
            let digits = right.iter().flat_map(|byte| [byte >> 4, byte & 15]);
            let digits = digits.map(|digit| b"0123456789abcdef"[usize::from(digit)]);
            let pairs = digits.zip(signature.bytes());
            let difference = pairs.fold(0, |difference, (a, b)| black_box(difference | (a ^ b)));
            found |= difference == 0;
        }
        found
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
        let malformed = |why: String| Rejection::UserMalformed(why);
        if user.len() > USER_BYTES_MAX {
            let bytes = user.len();
            return Err(malformed(format!(
                "it is {bytes} bytes, at most {USER_BYTES_MAX} are allowed"
            )));
        }
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let (text, signature) = user
            .rsplit_once('.')
            .filter(|(_, digits)| {
                digits.len() == SIGNATURE_DIGITS && digits.bytes().all(is_digit)
            })
            .ok_or_else(|| {
                malformed(format!(
                    "it must be BASE64URL(JSON), a dot and {SIGNATURE_DIGITS} lower-case hexadecimal digits"
                ))
            })?;
        if !self.have_signed(text, signature) {
            return Err(Rejection::UserForged);
        }
        // From here on the host page itself has made what is wrong, and is told all about it.
        let json = BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|error| {
            malformed(format!("what stands before the dot is no base64url: {error}"))
        })?;
        let Claims { id, name, site, until, moderator } = Claims::parse(&json)?;
        if id.is_empty() || id.len() > USER_ID_BYTES_MAX {
            let bytes = id.len();
            return Err(malformed(format!(
                "id is {bytes} bytes, 1 to {USER_ID_BYTES_MAX} are allowed"
            )));
        }
        let name = match parse_name(Some(&name)) {
            Ok(Some(name)) => name,
            Ok(None) => return Err(malformed("name is empty".into())),
            Err(rejection) => return Err(malformed(rejection.to_string())),
        };
        let site = origin::normalize(&site).map_err(|why| {
            malformed(format!("site is {:?}, {why}", shorten(&site, SITE_ECHO_CHARS)))
        })?;
        if !from.is_page_of(&site) {
            let origin = shorten(from.origin.unwrap_or_default(), SITE_ECHO_CHARS);
            return Err(Rejection::UserOfOtherSite(site, origin));
        }
        // A time beyond all that can be reckoned is far ahead in any case.
        let end = UNIX_EPOCH.checked_add(Duration::from_secs(until));
        let end = end.unwrap_or(now + 2 * USER_AHEAD_MAX);
        if end <= now {
            return Err(Rejection::UserExpired(rfc3339(end), rfc3339(now)));
        }
        if end > now + USER_AHEAD_MAX {
            return Err(Rejection::UserTooFarAhead(rfc3339(end), rfc3339(now + USER_AHEAD_MAX)));
        }
        let (_, host) = site.split_once("://").expect("an origin has a scheme");
        let moderator = moderator.then(|| format!("{name} ({host})").into());
        Ok(SignedUser { author: self.author(&site, &id), name, moderator, until })
    }
}

/// What a host page signs.
#[derive(Default)]
struct Claims {
    /// Who it is at the site.
    id: String,
    name: String,
    /// The origin whose pages may show it to sayso.
    site: String,
    /// Until when it is good, in seconds since 1970.
    until: u64,
    moderator: bool,
}

impl Claims {
    fn parse(json: &[u8]) -> Result<Claims, Rejection> {
        let (mut read, mut moderator) = (Claims::default(), None);
        let mut fields = [
            ("id", Slot::Text(&mut read.id)),
            ("name", Slot::Text(&mut read.name)),
            ("site", Slot::Text(&mut read.site)),
            ("until", Slot::Number(&mut read.until)),
            ("moderator", Slot::OptionalFlag(&mut moderator)),
        ];
        json::read(json, 4, &mut fields).map_err(|error| {
            Rejection::UserMalformed(shorten_middle(&error.to_string(), ERROR_END_CHARS))
        })?;
        read.moderator = moderator == Some(true);
        Ok(read)
    }
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
