//! Says in the log what clients and moderators do: each kind once a second at most, so that nobody can fill the disk.
//!
//! Knows no comment and no connection. Names an address only with `--log-addresses`.

use std::{
    net::IpAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use log::Level;

static SHOWS_ADDRESSES: AtomicBool = AtomicBool::new(false);
static SAID: Mutex<Said> = Mutex::new(Said(Vec::new()));
static REFUSED: Tally = Mutex::new(Vec::new());
static HELD: Tally = Mutex::new(Vec::new());

/// How often each of a few things has happened, in the order of their names.
type Tally = Mutex<Vec<(&'static str, u64)>>;

/// What was said of each kind. There are as many kinds as codes, so a list is fast.
struct Said(Vec<Kind>);

struct Kind {
    name: &'static str,
    /// When it was said last, in seconds since 1970.
    second: u64,
    /// How often it has happened since.
    unsaid: u64,
}

impl Said {
    /// Whether a message of this kind may be said, and how many were not since the last one.
    fn allow(&mut self, name: &'static str, second: u64) -> Option<u64> {
        let Some(kind) = self.0.iter_mut().find(|kind| kind.name == name) else {
            self.0.push(Kind { name, second, unsaid: 0 });
            return Some(0);
        };
        if kind.second == second {
            kind.unsaid += 1;
            return None;
        }
        kind.second = second;
        Some(std::mem::take(&mut kind.unsaid))
    }
}

/// Whether clients' addresses are named from now on.
pub fn show_addresses(shows: bool) {
    SHOWS_ADDRESSES.store(shows, Relaxed);
}

/// A client was refused, with the error of this code.
pub fn refused(code: &'static str, client: Option<IpAddr>) {
    count(&REFUSED, code);
    say(code, Level::Info, client, || format!("refused with {code}"));
}

/// A client has shown a token that is no moderator's.
pub fn wrong_token(client: Option<IpAddr>) {
    say("a wrong token", Level::Warn, client, || "refused a wrong token".into());
}

/// A comment waits for a moderator; why, in a word.
pub fn held(id: u64, reason: &'static str, client: Option<IpAddr>) {
    count(&HELD, reason);
    say("held", Level::Info, client, || format!("comment {id} waits for a moderator ({reason})"));
}

/// The moderator with this name has done something, such as "deleted", to a comment.
pub fn moderated(name: &str, done: &'static str, id: u64, client: Option<IpAddr>) {
    say(done, Level::Info, client, || format!("{name} {done} comment {id}"));
}

/// The moderator with this name has done something else, such as "closed a page".
pub fn measured(name: &str, done: &'static str, client: Option<IpAddr>) {
    say(done, Level::Info, client, || format!("{name} {done}"));
}

/// How often clients were refused since the start, by code and in its order.
pub fn refusals() -> Vec<(&'static str, u64)> {
    counts(&REFUSED)
}

/// How many comments were held since the start, by the word for why and in its order.
pub fn holds() -> Vec<(&'static str, u64)> {
    counts(&HELD)
}

fn count(tally: &Tally, name: &'static str) {
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    let at = tally.iter().take_while(|(known, _)| *known < name).count();
    match tally.get_mut(at) {
        Some((known, count)) if *known == name => *count += 1,
        _ => tally.insert(at, (name, 1)),
    }
}

fn counts(tally: &Tally) -> Vec<(&'static str, u64)> {
    tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn say(kind: &'static str, level: Level, client: Option<IpAddr>, what: impl FnOnce() -> String) {
    if level > log::max_level() {
        return;
    }
    let second = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(unsaid) = said.allow(kind, second) else { return };
    drop(said);
    log::log!(
        level,
        "{}",
        sentence(&what(), client.filter(|_| SHOWS_ADDRESSES.load(Relaxed)), unsaid)
    );
}

fn sentence(what: &str, client: Option<IpAddr>, unsaid: u64) -> String {
    let from = client.map_or(String::new(), |client| format!(", from {client}"));
    match unsaid {
        0 => format!("{what}{from}"),
        _ => format!("{what}{from}; the same happened {unsaid} times since the last such message"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_said_once_a_second_with_the_number_left_out() {
        let mut said = Said(Vec::new());
        assert_eq!(said.allow("a", 7), Some(0));
        assert_eq!(said.allow("b", 7), Some(0));
        for _ in 0..3 {
            assert_eq!(said.allow("a", 7), None);
        }
        assert_eq!(said.allow("b", 8), Some(0));
        assert_eq!(said.allow("a", 9), Some(3));
        assert_eq!(said.allow("a", 10), Some(0));
    }

    #[test]
    fn a_sentence_names_what_who_and_how_often() {
        let client = Some("2001:db8::1".parse().unwrap());
        assert_eq!(sentence("refused", None, 0), "refused");
        assert_eq!(sentence("refused", client, 0), "refused, from 2001:db8::1");
        let often = "refused; the same happened 3 times since the last such message";
        assert_eq!(sentence("refused", None, 3), often);
    }
}
