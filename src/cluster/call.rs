//! Calls of the script, and what it returns: texts on both sides.
//!
//! Knows neither the connection nor what follows from a reply.

use std::sync::Arc;

use crate::{
    hub::order::LogEnd,
    log::chain::{ChainHash, ChainedLine},
};

/// How long new lines wait after a new run has begun, or after a heal: all nodes that are there have looked by then, and one that is ahead of
/// the stream has begun to bring it what it lacks. In ms.
pub const OPEN_MS: u64 = 3_000;

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
    pub fn attach(node: &Introduction, salt: &str) -> Call {
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
            &salt,
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
    /// The salt of all nodes' address hashes, in hex.
    pub salt: String,
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
            // What the script has found in the stream is not what a node has written.
            "attached" => match read_attached(&texts[1..]) {
                Some(attached) => Reply::Attached(Box::new(attached)),
                None => Reply::Broken("an entry or a field that no node has written".into()),
            },
            _ => return None,
        })
    }
}

fn read_attached(texts: &[String]) -> Option<Attached> {
    let [seq, run, low, entry, base, base_chain, minted, number, last, now, salt, runs @ ..] =
        texts
    else {
        return None;
    };
    let chain = |text: &String| ChainHash::parse(text.as_bytes());
    let entry = if entry.is_empty() { None } else { Some(chain(entry)?) };
    let read_run = |text: &String| {
        let (mark, after) = text.split_once(' ')?;
        Some((mark.into(), after.parse::<u64>().ok()?.checked_add(1)?))
    };
    Some(Attached {
        seq: seq.parse().ok()?,
        run: run.as_str().into(),
        low: low.parse().ok()?,
        entry,
        base: (base.parse().ok()?, chain(base_chain)?),
        is_minted: minted != "0",
        number: number.parse().ok()?,
        last: chain(last)?,
        now: now.parse().ok()?,
        salt: salt.clone(),
        runs: runs.iter().map(read_run).collect::<Option<_>>()?,
    })
}
