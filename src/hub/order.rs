//! Where the order of lines comes from, if not from this disk alone: a stream that several machines append to.
//!
//! Without one, the hub appends what it has validated. With one, it validates a batch, takes it back out of the index and proposes its
//! lines; they come back, among those of other machines, as [`Ordered::Lines`], and only then are they appended, published and
//! acknowledged. Knows neither the stream nor its protocol.

use std::{sync::Arc, time::SystemTime};

use super::command::Callback;
use crate::log::{Log, chain::ChainHash, chain::ChainedLine, salt::Salt, storage::ReadAt};

/// Where a log ends.
#[derive(Clone)]
pub struct LogEnd {
    /// The log's id.
    pub log: Arc<str>,
    /// `seq` of the last line; 0 if there is none.
    pub seq: u64,
    /// The hash of the last line.
    pub chain: ChainHash,
    /// `seq` of the first line behind which no line is missing; 0 if none was ever missing.
    pub whole_from: u64,
    /// The log.
    pub file: Arc<dyn ReadAt>,
    /// Its length in bytes.
    pub end: u64,
}

impl LogEnd {
    /// Where this log ends, as far as it is durable.
    pub fn of(log: &Log) -> LogEnd {
        LogEnd {
            log: log.id().into(),
            seq: log.last_seq(),
            chain: log.chain(),
            whole_from: log.whole_from(),
            file: log.reader(),
            end: log.end(),
        }
    }
}

/// Whether lines can be proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// They can, in the run with this number.
    Ready(u64),
    /// Soon: [`Ordered::Look`] tells when.
    Soon,
    /// Nobody knows when.
    Unavailable,
    /// The same, and what was proposed was refused and is nowhere.
    Refused,
}

/// What readers of all machines see of each other. Losing one of these is harmless.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presence {
    /// Pages, and how many readers they have.
    pub readers: Vec<(Arc<str>, u32)>,
    /// Pages on which somebody with this name types.
    pub typing: Vec<(Arc<str>, Box<str>)>,
}

/// What orders the hub's lines. No method waits for another machine.
pub trait Order: Send {
    /// Takes what has come up: [`Ordered::Runs`], [`Ordered::Adopt`], [`Ordered::Salt`] or [`Ordered::Parted`]. Everything else is sent to the
    /// hub as a command.
    fn news(&mut self) -> Vec<Ordered>;

    /// Whether lines that follow the log's present end can be proposed.
    fn readiness(&mut self) -> Readiness;

    /// Proposes lines that follow the log's present end. They are in flight until [`Order::settle`].
    fn propose(&mut self, lines: Vec<ChainedLine>);

    /// Nothing that was proposed is waited for any more.
    fn settle(&mut self);

    /// Whether the log may be compacted now.
    fn may_compact(&self) -> bool;

    /// The log has another end: lines were appended, or it was compacted.
    fn moved(&mut self, end: LogEnd);

    /// The time that all machines agree on.
    fn now(&self) -> SystemTime;

    /// Tells other machines about this one's readers: all pages whose numbers have changed.
    fn tell(&mut self, presence: Presence);
}

/// What the hub is told by what orders its lines.
pub enum Ordered {
    /// Lines that follow the log's end, in their order. Answered when they are stored, with an error if they could not be.
    Lines(Vec<ChainedLine>, Callback<Result<(), String>>),
    /// [`Order::news`] or [`Order::readiness`] may have changed.
    Look,
    /// The marks that prove cursors, the present one last, each with the first `seq` of its run; and the highest number of a run that is
    /// known.
    Runs(Vec<(Arc<str>, u64)>, u64),
    /// The log, which has no line, takes this id.
    Adopt(Arc<str>),
    /// The salt of address hashes that all machines use.
    Salt(Salt),
    /// Nothing can be ordered by this process any more, since its log has parted from the others'; the sentence says what a person must do.
    Parted(Arc<str>),
    /// Nothing comes back any more, since sayso is stopping.
    Closed,
    /// How many readers the pages of other machines have, all of these together, and who types there.
    Presence(Presence),
}
