//! Who a moderator is: the token file's lines, and how often an address may show a token that is none of theirs.
//!
//! Keeps digests of the tokens only. Knows no file, no route and no comment.

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};

use crate::{
    comment::rejection::Rejection,
    http::forwarded::ClientKey,
    limits::Rate,
    util::hmac::is_same,
    util::{activity, table::Table},
};

/// The shortest token, in bytes; a shorter one could be guessed.
const TOKEN_BYTES_MIN: usize = 16;
/// The longest name, in characters. It stands in the log, and before what its owner answers as the site.
const NAME_CHARS_MAX: usize = 32;
/// Moderators in one file: each costs every check a comparison of 32 bytes.
const MODERATORS_MAX: usize = 1_000;
/// The moderator of commands over the control socket.
pub const OWNER_NAME: &str = "owner";
/// The name of a moderator whose line is a token alone.
const NAME_DEFAULT: &str = "moderator";

/// Wrong tokens of one address in [`GUESSES_SECONDS`]. Whoever mistypes a token has noticed by then; 16 random bytes take longer than
/// the universe is old at this rate.
const GUESSES_MAX: u32 = 10;
/// The period of [`GUESSES_MAX`], from the first wrong token on.
const GUESSES_SECONDS: u32 = 60;
const GUESSES: Rate = Rate { posts: GUESSES_MAX, seconds: GUESSES_SECONDS };
/// For how long an address that has shown a right token is never refused, so that nobody behind the same one can lock its moderator out.
const KNOWN_GOOD: Duration = Duration::from_secs(24 * 60 * 60);
/// Addresses kept at most whose wrong tokens are counted; the oldest are forgotten. 65,536 × 32 bytes are 2 MB.
const GUESSERS_MAX: usize = 65_536;
/// Addresses kept at most that have shown a right token. They don't share the room of those who guess, who could push them out.
const KNOWN_GOOD_MAX: usize = 4_096;

type TokenDigest = [u8; 32];

/// One line of the token file.
#[derive(Clone, PartialEq, Eq)]
pub struct Moderator {
    name: Arc<str>,
    token: TokenDigest,
}

/// Hides the token's digest, so that it can't end up in a log by accident.
impl fmt::Debug for Moderator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Moderator({})", self.name)
    }
}

/// Parses the token file: a line is `NAME TOKEN`, or `TOKEN` alone for the moderator called `moderator`. Empty lines and those that begin
/// with `#` are passed over.
///
/// # Errors
/// A sentence that names the line by its number. It repeats no word of it, since any of them may be a token in the wrong place.
pub fn parse(text: &str) -> Result<Vec<Moderator>, String> {
    let mut found: Vec<(usize, Moderator)> = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, token) = match words[..] {
            [] => continue,
            [first, ..] if first.starts_with('#') => continue,
            [token] => (NAME_DEFAULT, token),
            [name, token] => (name, token),
            _ => {
                let count = words.len();
                return Err(format!(
                    "line {number} has {count} words, but must be NAME TOKEN, or TOKEN alone"
                ));
            }
        };
        if token.len() < TOKEN_BYTES_MIN {
            return Err(format!(
                "the token in line {number} has {} bytes, at least {TOKEN_BYTES_MIN} are required; make one with: openssl rand -hex 16",
                token.len()
            ));
        }
        let is_plain = |c: char| c.is_alphanumeric() || "-._".contains(c);
        if name.chars().count() > NAME_CHARS_MAX || !name.chars().all(is_plain) {
            return Err(format!(
                "the name in line {number} must be 1 to {NAME_CHARS_MAX} letters, digits, dots, hyphens and underscores"
            ));
        }
        if name.to_lowercase() == OWNER_NAME {
            return Err(format!(
                "the name in line {number} is {OWNER_NAME}, which stands for whoever uses sayso's commands on this machine; choose another"
            ));
        }
        let moderator = Moderator { name: name.into(), token: digest(token) };
        for (other, known) in &found {
            if known.name.to_lowercase() == moderator.name.to_lowercase() {
                return Err(format!("lines {other} and {number} have the same name"));
            }
            if known.token == moderator.token {
                return Err(format!("lines {other} and {number} have the same token"));
            }
        }
        if found.len() == MODERATORS_MAX {
            return Err(format!(
                "line {number} is one too many, at most {MODERATORS_MAX} moderators are allowed"
            ));
        }
        found.push((number, moderator));
    }
    if found.is_empty() {
        return Err(
            "there is no moderator in it; write a line NAME TOKEN, with a token made by: openssl rand -hex 16"
                .into(),
        );
    }
    Ok(found.into_iter().map(|(_, moderator)| moderator).collect())
}

/// The moderators, and what was guessed lately.
pub struct Moderators {
    state: Mutex<State>,
    started: Instant,
}

/// Shows no names, tokens or addresses.
impl fmt::Debug for Moderators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Moderators(…)")
    }
}

struct State {
    list: Vec<Moderator>,
    guesses: Guesses,
    /// Who listens with which token, by the number of the connection, and how they are sent away.
    watching: Vec<(u64, TokenDigest, SendAway)>,
}

/// Ends a connection, without waiting for it.
type SendAway = Box<dyn Fn() + Send>;

/// Why a token makes nobody a moderator.
pub enum NotModerator {
    /// It is none of theirs.
    Wrong(Guess),
    /// The address has shown too many wrong ones, so it was not compared. The seconds until it is again.
    TooMany(u32),
}

impl NotModerator {
    /// The error for something that only moderators may do. A wrong token counts, and the log says that `client` has shown one.
    pub fn refuse(self, client: Option<IpAddr>) -> Rejection {
        match self {
            NotModerator::Wrong(guess) => {
                guess.was_wrong();
                activity::wrong_token(client);
                Rejection::WrongToken
            }
            NotModerator::TooMany(wait) => too_many(wait),
        }
    }
}

/// The error for an address that has shown too many wrong tokens.
pub fn too_many(wait: u32) -> Rejection {
    Rejection::TooFast { wait, rate: GUESSES, what: "wrong tokens" }
}

/// A token that is no moderator's, but may be an author's key. It counts from the start, so that of many sent at once no more are
/// compared than one after another, and is taken back when this is dropped, unless [`Guess::was_wrong`] was called.
#[must_use = "a guess that is dropped is taken back"]
pub struct Guess {
    moderators: Arc<Moderators>,
    from: ClientKey,
    /// When the minute began in which it counts.
    began: Duration,
    is_wrong: bool,
}

impl Guess {
    /// It was no author's key either, or the answer differs from that to a moderator: it counts.
    pub fn was_wrong(mut self) {
        self.is_wrong = true;
    }
}

impl Drop for Guess {
    fn drop(&mut self) {
        if !self.is_wrong {
            self.moderators.state().guesses.take_back(self.from, self.began);
        }
    }
}

impl Moderators {
    /// Nothing has been guessed yet.
    pub fn new(list: Vec<Moderator>) -> Arc<Moderators> {
        let state = State { list, guesses: Guesses::default(), watching: Vec::new() };
        Arc::new(Moderators { state: Mutex::new(state), started: Instant::now() })
    }

    /// The names of all of them.
    pub fn names(&self) -> Vec<String> {
        self.state().list.iter().map(|one| one.name.to_string()).collect()
    }

    /// Whether one of them has this name.
    pub fn has(&self, name: &str) -> bool {
        self.state().list.iter().any(|one| *one.name == *name)
    }

    /// Calls `send_away` as soon as this token is let in no longer, which may be at once.
    pub fn watch(&self, connection: u64, token: &str, send_away: SendAway) {
        let (token, mut state) = (digest(token), self.state());
        match find(&state.list, &token) {
            Some(_) => state.watching.push((connection, token, send_away)),
            None => send_away(),
        }
    }

    /// Forgets a connection that has ended.
    pub fn unwatch(&self, connection: u64) {
        self.state().watching.retain(|(one, ..)| *one != connection);
    }

    /// Lets in these and nobody else from now on. Who listens with another token is sent away.
    pub fn replace(&self, list: Vec<Moderator>) {
        let mut state = self.state();
        let is_kept = |token: &TokenDigest| list.iter().any(|one| one.token == *token);
        // Or somebody who has left could guess the others' tokens for a day.
        state.guesses.known_good.retain(|(_, token)| is_kept(token));
        state.watching.retain(|(_, token, send_away)| {
            let stays = is_kept(token);
            if !stays {
                send_away();
            }
            stays
        });
        state.list = list;
    }

    /// The name of the moderator whose token this is, shown by this address.
    ///
    /// # Errors
    /// [`NotModerator::TooMany`] without a look at the token, if the address has shown too many wrong ones.
    pub fn check(
        self: &Arc<Moderators>,
        token: &str,
        from: ClientKey,
    ) -> Result<Arc<str>, NotModerator> {
        let (token, now) = (digest(token), self.started.elapsed());
        let mut state = self.state();
        state.guesses.check(from, now).map_err(NotModerator::TooMany)?;
        let Some(name) = find(&state.list, &token) else {
            let began = state.guesses.count(from, now);
            let guess = Guess { moderators: self.clone(), from, began, is_wrong: false };
            return Err(NotModerator::Wrong(guess));
        };
        state.guesses.known_good.insert(from, (now, token));
        Ok(name)
    }

    /// Lets a link in that was signed here, and counts one that was not as a wrong token. A right one exempts its address from nothing, as
    /// whoever examines mails for viruses may have sent it.
    ///
    /// # Errors
    /// As [`Moderators::check`].
    pub fn check_link(
        self: &Arc<Moderators>,
        is_signed: bool,
        from: ClientKey,
    ) -> Result<(), NotModerator> {
        let now = self.started.elapsed();
        let mut state = self.state();
        state.guesses.check(from, now).map_err(NotModerator::TooMany)?;
        if is_signed {
            return Ok(());
        }
        let began = state.guesses.count(from, now);
        Err(NotModerator::Wrong(Guess { moderators: self.clone(), from, began, is_wrong: false }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(token: &str) -> TokenDigest {
    Sha256::digest(token.as_bytes()).into()
}

/// Compares with every moderator's, so that the time taken reveals nothing about a token.
fn find(list: &[Moderator], token: &TokenDigest) -> Option<Arc<str>> {
    let mut found = None;
    for moderator in list {
        if is_same(&moderator.token, token) {
            found = Some(&moderator.name);
        }
    }
    found.cloned()
}

/// Counts wrong tokens by address. Knows no clock: the caller says what time it is.
struct Guesses {
    /// When the address's minute began, and how many wrong tokens it has shown in it.
    wrong: Latest<(Duration, u32)>,
    /// When the address has shown a right token last, and which.
    known_good: Latest<(Duration, TokenDigest)>,
}

impl Default for Guesses {
    fn default() -> Guesses {
        Guesses { wrong: Latest::new(GUESSERS_MAX), known_good: Latest::new(KNOWN_GOOD_MAX) }
    }
}

impl Guesses {
    /// The seconds to wait, at least 1, if the address may not show a token now.
    fn check(&self, from: ClientKey, now: Duration) -> Result<(), u32> {
        let is_good = |(shown, _): &(Duration, _)| now < *shown + KNOWN_GOOD;
        match self.minute(from, now) {
            (began, GUESSES_MAX..) if !self.known_good.get(from).is_some_and(is_good) => {
                let end = began + Duration::from_secs(GUESSES_SECONDS.into());
                Err(end.saturating_sub(now).as_millis().div_ceil(1_000).max(1) as u32)
            }
            _ => Ok(()),
        }
    }

    /// Returns when the minute began in which this one counts.
    fn count(&mut self, from: ClientKey, now: Duration) -> Duration {
        let (began, wrong) = self.minute(from, now);
        self.wrong.insert(from, (began, wrong.saturating_add(1)));
        began
    }

    fn take_back(&mut self, from: ClientKey, minute: Duration) {
        if let Some((_, wrong)) = self.wrong.get_mut(from).filter(|(began, _)| *began == minute) {
            *wrong = wrong.saturating_sub(1);
        }
    }

    fn minute(&self, from: ClientKey, now: Duration) -> (Duration, u32) {
        let period = Duration::from_secs(GUESSES_SECONDS.into());
        let present = self.wrong.get(from).copied();
        present.filter(|(began, _)| now < *began + period).unwrap_or((now, 0))
    }
}

/// Something about each of the latest addresses, in two generations as those of `hub::rate_limit::RateLimiter`.
struct Latest<V> {
    max: usize,
    young: Table<ClientKey, V>,
    old: Table<ClientKey, V>,
}

impl<V> Latest<V> {
    fn new(max: usize) -> Latest<V> {
        Latest { max, young: Table::default(), old: Table::default() }
    }

    fn get(&self, key: ClientKey) -> Option<&V> {
        self.young.get(&key).or_else(|| self.old.get(&key))
    }

    fn get_mut(&mut self, key: ClientKey) -> Option<&mut V> {
        self.young.get_mut(&key).or_else(|| self.old.get_mut(&key))
    }

    fn insert(&mut self, key: ClientKey, value: V) {
        if self.young.len() >= self.max / 2 && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        self.young.retain(|_, value| keep(value));
        self.old.retain(|_, value| keep(value));
    }
}

#[cfg(test)]
mod tests;
