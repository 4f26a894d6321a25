//! Calls of the script, and what it returns: texts on both sides.
//!
//! Knows neither the connection nor what follows from a reply.

use std::sync::Arc;

use crate::{
    hub::order::LogEnd,
    log::chain::{ChainHash, ChainedLine},
    log::salt::{SALT_BYTES, Salt},
};

/// How long new lines wait after a new run has begun, or after a heal: all nodes that are there have looked by then, and one that is ahead of
/// the stream has begun to bring it what it lacks. In ms.
pub const OPEN_MS: u64 = 3_000;

/// What is named where the script finds in Redis what is no node's, and it is not known what that was to be.
const FOREIGN: &str = "an entry or a field that no node has written";

/// A mark and the first `seq` that its run may append.
pub type Run = (Arc<str>, u64);

/// A call of the script.
#[derive(Debug, Clone)]
pub struct Call {
    /// The texts behind the keys.
    pub arguments: Vec<Vec<u8>>,
    /// What it is, for whoever gets the reply.
    pub kind: CallKind,
}

/// What a call is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallKind {
    /// Compares the log, whose last `seq` is this, with the stream.
    Attach {
        /// The log's last `seq` when it was made.
        own: u64,
    },
    /// Puts a stream of the own lines into the place of one that can't be continued.
    Take,
    /// Appends new lines.
    Append,
    /// Appends lines that the stream has lost, in the run with this mark.
    Heal(Arc<str>),
}

/// What a node says of itself in each attach or takeover.
pub struct Introduction<'a> {
    /// Where its log ends.
    pub end: &'a LogEnd,
    /// The line that a stream of its own would begin behind.
    pub base: (u64, ChainHash),
    /// The highest number of a run that it knows of.
    pub highest: u64,
    /// Which process of Redis it is connected to, and which history of replication that has.
    pub identity: &'a str,
    /// A fresh mark, in case a run begins.
    pub mark: &'a str,
}

/// The stream that a takeover replaces.
pub struct Replaced<'a> {
    /// Mark of its run.
    pub run: &'a str,
    /// Its last `seq`.
    pub seq: u64,
}

fn texts(texts: &[&dyn ToString]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.to_string().into_bytes()).collect()
}

impl Call {
    /// See [`CallKind::Attach`]. `salt` is that of the node's address hashes, in case the stream has none yet.
    pub fn attach(node: &Introduction, salt: &Salt) -> Call {
        let Introduction { end, base: (base, base_chain), highest, identity, mark } = node;
        let arguments = texts(&[
            &"attach",
            &end.log,
            identity,
            mark,
            &end.seq,
            &end.chain.run,
            base,
            base_chain,
            highest,
            &OPEN_MS,
            &format_salt(salt),
        ]);
        Call { arguments, kind: CallKind::Attach { own: end.seq } }
    }

    /// See [`CallKind::Take`].
    pub fn take(node: &Introduction, replaced: &Replaced) -> Call {
        let Introduction { end, base: (base, base_chain), highest, identity, mark } = node;
        let arguments = texts(&[
            &"take",
            &end.log,
            &replaced.run,
            mark,
            base,
            base_chain,
            &replaced.seq,
            &end.chain.run,
            highest,
            &OPEN_MS,
            identity,
        ]);
        Call { arguments, kind: CallKind::Take }
    }

    /// See [`CallKind::Append`] and [`CallKind::Heal`]: appends `lines` behind the line `after`, and keeps about `keep` entries.
    pub fn append(
        log: &str,
        run: &Arc<str>,
        after: (u64, ChainHash),
        lines: &[ChainedLine],
        is_heal: bool,
        keep: u64,
    ) -> Call {
        let (seq, chain) = after;
        let heal = u8::from(is_heal);
        let mut arguments = texts(&[&"append", &log, run, &seq, &chain, &heal, &keep, &OPEN_MS]);
        for line in lines {
            arguments.extend(texts(&[&line.seq, &line.chain]));
            arguments.push(line.line.to_vec());
        }
        let kind = if is_heal { CallKind::Heal(run.clone()) } else { CallKind::Append };
        Call { arguments, kind }
    }
}

/// What the script returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The stream is of the log with this id, and the node's log has no line.
    Adopt(Arc<str>),
    /// The stream is of the log with this id.
    OtherLog(Arc<str>),
    /// Where the stream stands.
    Attached(Box<Attached>),
    /// The node must look again.
    Attach,
    /// Appended; the stream's last `seq`.
    Appended(u64),
    /// The stream has gone on to this `seq`.
    Behind(u64),
    /// New lines can be appended after so many ms.
    Wait(u64),
    /// Somebody else has changed the keys.
    Broken(String),
}

/// Where the stream stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// Its last `seq`.
    pub seq: u64,
    /// Mark of its run.
    pub run: Arc<str>,
    /// The lower one of both last `seq`s.
    pub low: u64,
    /// The hash of the entry with that `seq`, if there is one.
    pub entry: Option<ChainHash>,
    /// The line behind which the stream begins.
    pub base: (u64, ChainHash),
    /// Whether new lines have been appended in this run.
    pub is_minted: bool,
    /// Number of the run.
    pub number: u64,
    /// The hash of the stream's last line.
    pub last: ChainHash,
    /// Redis' time, in ms since 1970.
    pub now: u64,
    /// The salt of all nodes' address hashes.
    pub salt: Salt,
    /// All runs, oldest first.
    pub runs: Vec<Run>,
}

impl Reply {
    /// Parses what the script returned, lists in it opened up.
    ///
    /// # Errors
    /// A phrase, if no version of this script returns that.
    pub fn parse(texts: &[String]) -> Result<Reply, String> {
        Reply::read(texts).ok_or_else(|| {
            let shown: String = texts.join(" ").chars().take(200).collect();
            format!("the script has returned {shown:?}")
        })
    }

    fn read(texts: &[String]) -> Option<Reply> {
        let second = texts.get(1).map_or("", |text| text);
        Some(match texts.first()?.as_str() {
            "adopt" => Reply::Adopt(second.into()),
            "other log" => Reply::OtherLog(second.into()),
            "again" | "attach" => Reply::Attach,
            "ok" => Reply::Appended(second.parse().ok()?),
            "behind" => Reply::Behind(second.parse().ok()?),
            "wait" => Reply::Wait(second.parse().ok()?),
            "broken" => Reply::Broken(second.into()),
            "attached" => match read_attached(&texts[1..]) {
                Ok(attached) => Reply::Attached(Box::new(attached)),
                Err(what) => Reply::Broken(what.into()),
            },
            _ => return None,
        })
    }
}

/// # Errors
/// Names what no node has written.
fn read_attached(texts: &[String]) -> Result<Attached, &'static str> {
    let [seq, run, low, entry, base, base_chain, minted, number, last, now, salt, runs @ ..] =
        texts
    else {
        return Err(FOREIGN);
    };
    let salt = parse_salt(salt).ok_or("salt")?;
    let chain = |text: &String| ChainHash::parse(text.as_bytes());
    let read_run = |text: &String| {
        let (mark, after) = text.split_once(' ')?;
        Some((mark.into(), after.parse::<u64>().ok()?.checked_add(1)?))
    };
    let read = || {
        Some(Attached {
            seq: seq.parse().ok()?,
            run: run.as_str().into(),
            low: low.parse().ok()?,
            entry: if entry.is_empty() { None } else { Some(chain(entry)?) },
            base: (base.parse().ok()?, chain(base_chain)?),
            is_minted: minted != "0",
            number: number.parse().ok()?,
            last: chain(last)?,
            now: now.parse().ok()?,
            salt,
            runs: runs.iter().map(read_run).collect::<Option<_>>()?,
        })
    };
    read().ok_or(FOREIGN)
}

/// The salt as it stands in `meta`: two hex digits for each byte.
fn format_salt(salt: &Salt) -> String {
    salt.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse_salt(text: &str) -> Option<Salt> {
    if text.len() != 2 * SALT_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut salt = Salt::default();
    for (byte, digits) in salt.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(salt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(salt: &str, seq: &str) -> Reply {
        let texts = [
            "attached",
            seq,
            "f0",
            "7",
            "",
            "0",
            "0.0000000000000000",
            "0",
            "1",
            "0.0000000000000000",
            "5",
            salt,
            "f0 0",
        ];
        Reply::parse(&texts.map(String::from)).unwrap()
    }

    #[test]
    fn a_salt_in_redis_is_read_as_it_was_written_and_named_if_it_is_none() {
        let mut salt = Salt::default();
        salt.iter_mut().zip(0_u8..).for_each(|(byte, n)| *byte = n.rotate_left(4) | 15);
        let text = format_salt(&salt);
        assert!(text.starts_with("0f1f2f3f") && text.len() == 2 * SALT_BYTES, "{text}");
        match reply(&text, "7") {
            Reply::Attached(attached) => assert_eq!(attached.salt, salt),
            other => panic!("{other:?}"),
        }
        let wrong = [
            "",
            &text[1..],
            &format!("{text}00"),
            &text.replace('f', "+"),
            &"é".repeat(SALT_BYTES),
        ];
        for text in wrong {
            assert_eq!(reply(text, "7"), Reply::Broken("salt".into()), "{text}");
        }
        assert_eq!(reply(&text, "x"), Reply::Broken(FOREIGN.into()));
    }
}
