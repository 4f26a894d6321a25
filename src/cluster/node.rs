//! One machine's part in the order: what it asks the stream, and what follows from each reply.
//!
//! A pure state machine: whoever owns the two connections calls the script, reads the stream, and tells the node what came of it, step by
//! step. So tests can stop it between any two steps. Waits for nobody, and knows neither Redis' protocol nor what a line says. The rules are in
//! the README, "How the order is kept".

mod calls;
mod replies;

use std::{mem, sync::Arc};

use super::call::{Call, Run};
use crate::{
    hub::order::{LogEnd, Ordered, Readiness},
    log::chain::{ChainHash, ChainedLine},
    log::salt::Salt,
    store::compact::NEWEST_LINES_KEPT,
};

/// Lines of one heal.
const HEALED_LINES_MAX: usize = 500;
/// Bytes of the lines of one heal.
const HEALED_BYTES_MAX: usize = 1024 * 1024;

/// After so many reads in a row from which nothing followed, with an attach between each two, it is the stream that is wrong.
const UNFOLLOWED_MAX: u32 = 3;

/// Which of the two connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// The one that the script is called through, to append.
    Commands,
    /// The one that the stream is read through.
    Lines,
}

/// An entry of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The line.
    pub line: ChainedLine,
    /// Mark of the run that put it into this stream.
    pub run: Arc<str>,
}

/// Why a node must not go on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parting {
    /// Its lines are other ones than the stream's.
    Diverged,
    /// It has been away for so long that the stream no longer has what it lacks.
    Trimmed,
    /// Its log and the stream have no line that can be compared, since one of them was compacted.
    Incomparable,
    /// The stream is of another log.
    OtherLog,
}

#[derive(Default)]
struct LinkState {
    /// See [`Introduction::identity`]; `None` while it is not connected.
    identity: Option<Arc<str>>,
    is_attached: bool,
    /// Whether it was attached before.
    was_attached: bool,
    is_busy: bool,
    /// Mark of the run in which it was attached last.
    run: Option<Arc<str>>,
    /// What is to be called next instead of an attach.
    take: Option<Call>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// To be sent.
    Ready,
    /// The reply has not come.
    Sent,
    /// It was appended, and is still to be read.
    Appended,
    /// The connection was lost: nobody knows whether it was appended.
    Unknown,
    /// It was not appended, or may have been lost: to be made anew.
    Again,
    /// Redis has refused it: to be made anew, if anybody still waits for it.
    Refused,
}

struct Proposal {
    after: (u64, ChainHash),
    lines: Vec<ChainedLine>,
    stage: Stage,
}

/// See the [module](self).
pub struct Node {
    end: LogEnd,
    salt: Salt,
    keep: u64,
    /// The highest number of a run that is known.
    highest: u64,
    commands: LinkState,
    lines: LinkState,
    proposal: Option<Proposal>,
    /// `seq` of the last line that was read and may still be stored; 0 if there is none.
    handed: u64,
    /// Whether the stream has lost lines that are in the log.
    is_ahead: bool,
    /// The stream's last `seq`, as far as the connection for commands knows.
    known_seq: u64,
    /// The stream's last `seq` when it was looked at last.
    seen_seq: u64,
    /// Mark and number of the run in which it is attached.
    run: Option<(Arc<str>, u64)>,
    /// Up to where the stream must be read before lines are proposed.
    target: u64,
    /// Runs that the stream has, spoken once it holds the log's last line under the newest of them.
    pending: Option<Vec<Run>>,
    /// Runs that are spoken.
    runs: Vec<Run>,
    /// Whether new lines must wait although all is well.
    is_waiting: bool,
    /// The log's last `seq` when the stream was found to begin right behind it, so that the first entry must follow from it.
    base_seen: Option<u64>,
    parted: Option<Parting>,
    news: Vec<Ordered>,
    /// How often in a row nothing followed from what was read.
    unfollowed: u32,
    /// How often it was attached.
    pub attaches: u64,
    /// How often it has brought the stream what that had lost.
    pub heals: u64,
    /// Newest lines of the log that a stream of its own begins with.
    pub newest_kept: u64,
    /// Lines of one heal at most.
    pub healed_lines_max: usize,
}

impl Node {
    /// A node with this log. `runs` are those that it has spoken last, `highest` is the highest number of a run that it knows of, `salt` the
    /// one of its address hashes; the stream is to keep about `keep` entries.
    pub fn new(end: LogEnd, runs: Vec<Run>, highest: u64, salt: Salt, keep: u64) -> Node {
        Node {
            end,
            salt,
            keep,
            highest,
            commands: LinkState::default(),
            lines: LinkState::default(),
            proposal: None,
            handed: 0,
            is_ahead: false,
            known_seq: 0,
            seen_seq: 0,
            run: None,
            target: 0,
            pending: None,
            runs,
            is_waiting: false,
            base_seen: None,
            parted: None,
            news: Vec::new(),
            unfollowed: 0,
            attaches: 0,
            heals: 0,
            newest_kept: NEWEST_LINES_KEPT,
            healed_lines_max: HEALED_LINES_MAX,
        }
    }

    fn state(&self, link: Link) -> &LinkState {
        match link {
            Link::Commands => &self.commands,
            Link::Lines => &self.lines,
        }
    }

    fn link(&mut self, link: Link) -> &mut LinkState {
        match link {
            Link::Commands => &mut self.commands,
            Link::Lines => &mut self.lines,
        }
    }

    /// A connection is there, to the process of Redis that says so of itself.
    pub fn connected(&mut self, link: Link, identity: Arc<str>) {
        *self.link(link) = LinkState { identity: Some(identity), ..LinkState::default() };
    }

    /// A connection is gone, and whatever was asked through it may have been done.
    pub fn lost(&mut self, link: Link) {
        *self.link(link) = LinkState::default();
        if link == Link::Commands {
            self.is_ahead = false;
            // Whoever counted the time has lost the connection; the script tells it again.
            self.is_waiting = false;
            self.doubt();
        }
    }

    /// What was sent may have been appended, and what was appended may have been lost.
    fn doubt(&mut self) {
        if let Some(proposal) = &mut self.proposal
            && matches!(proposal.stage, Stage::Sent | Stage::Appended)
        {
            proposal.stage = Stage::Unknown;
        }
    }

    /// Takes what the hub must be told.
    pub fn take_news(&mut self) -> Vec<Ordered> {
        mem::take(&mut self.news)
    }

    /// Where the log ends now.
    pub fn end(&self) -> &LogEnd {
        &self.end
    }

    /// The log has another end.
    pub fn moved(&mut self, end: LogEnd) {
        self.end = end;
        if self.end.seq >= self.handed {
            self.handed = 0;
        }
    }

    /// Lines that [`Node::follow`] has returned are stored, or will not be.
    pub fn stored(&mut self) {
        self.handed = 0;
    }

    /// Why the log has parted from the stream, if it has.
    pub fn parted(&self) -> Option<Parting> {
        self.parted
    }

    /// Mark of the run that is spoken.
    pub fn mark(&self) -> Option<&Arc<str>> {
        self.runs.last().map(|run| &run.0)
    }

    /// Mark of the run in which it is attached.
    pub fn run(&self) -> Option<&Arc<str>> {
        self.run.as_ref().map(|run| &run.0)
    }

    /// The stream's last `seq`, as far as is known.
    pub fn stream_seq(&self) -> u64 {
        self.seen_seq.max(self.known_seq).max(self.target).max(self.end.seq)
    }

    /// Whether a connection stands, and the log and the stream were found to be the same through it.
    pub fn is_link_attached(&self, link: Link) -> bool {
        self.state(link).is_attached
    }

    /// Whether a connection was attached before, so that it may lead to another history of Redis by now.
    pub fn was_attached(&self, link: Link) -> bool {
        self.state(link).was_attached
    }

    /// Whether both connections stand, and the log and the stream are known to be the same.
    pub fn is_attached(&self) -> bool {
        self.commands.is_attached && self.lines.is_attached
    }

    /// Whether the log may be compacted: not while the stream needs lines of it.
    pub fn may_compact(&self) -> bool {
        !self.is_ahead && self.pending.is_none()
    }

    /// Whether the stream lacks lines that are in the log.
    pub fn is_ahead(&self) -> bool {
        self.is_ahead
    }

    /// Whether something is in flight.
    pub fn is_proposing(&self) -> bool {
        self.proposal.is_some()
    }

    /// How many lines were proposed and have not come back.
    pub fn proposed_lines(&self) -> usize {
        self.proposal.as_ref().map_or(0, |proposal| proposal.lines.len())
    }

    /// Whether lines that follow the log's end can be proposed now.
    pub fn readiness(&self) -> Readiness {
        let is_free = self
            .proposal
            .as_ref()
            .is_none_or(|proposal| matches!(proposal.stage, Stage::Again | Stage::Refused));
        let is_ready = self.is_attached()
            && !self.commands.is_busy
            && !self.is_ahead
            && !self.is_waiting
            && self.end.seq >= self.target
            && self.parted.is_none();
        match &self.run {
            Some((_, number)) if is_free && is_ready => Readiness::Ready(*number),
            _ => Readiness::Soon,
        }
    }

    /// Proposes lines that follow the log's end.
    pub fn propose(&mut self, lines: Vec<ChainedLine>) {
        let after = (self.end.seq, self.end.chain);
        self.proposal = Some(Proposal { after, lines, stage: Stage::Ready });
    }

    /// Nothing that was proposed is waited for any more.
    pub fn settle(&mut self) {
        self.proposal = None;
    }

    /// Redis has refused what was sent last: nothing was appended.
    pub fn refused(&mut self) {
        self.commands.is_busy = false;
        self.attach_again(Link::Commands);
        if let Some(proposal) = &mut self.proposal
            && proposal.stage == Stage::Sent
        {
            proposal.stage = Stage::Refused;
        }
    }

    /// Whether what is in flight was refused.
    pub fn is_refused(&self) -> bool {
        self.proposal.as_ref().is_some_and(|proposal| proposal.stage == Stage::Refused)
    }

    /// The time to wait, which the script has told, is over.
    pub fn waited(&mut self) {
        self.is_waiting = false;
    }

    /// Whether new lines are waiting for [`Node::waited`].
    pub fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// Somebody has looked at the stream: the mark of its run, and its last `seq`.
    pub fn saw_stream(&mut self, run: &str, seq: u64) {
        self.seen_seq = seq;
        self.saw_run(run);
    }

    /// Somebody has seen the stream in the run with this mark: if that is another one than the node knows, it looks again.
    pub fn saw_run(&mut self, mark: &str) {
        let is_known = self.run.as_ref().is_some_and(|(run, _)| **run == *mark);
        if !is_known && self.commands.is_attached && !self.commands.is_busy {
            self.attach_again(Link::Commands);
        }
    }

    fn attach_again(&mut self, link: Link) {
        self.link(link).is_attached = false;
        if link == Link::Commands {
            self.is_ahead = false;
        }
    }

    /// Whether [`Node::next_call`] has something to ask.
    pub fn has_call(&self, link: Link) -> bool {
        let is_ready = |it: &Proposal| it.stage == Stage::Ready;
        let has_lines = self.is_ahead || self.proposal.as_ref().is_some_and(is_ready);
        let state = self.state(link);
        let is_free = state.identity.is_some() && !state.is_busy && self.parted.is_none();
        let has_lines = link == Link::Commands && has_lines;
        let may_attach = !state.is_attached && self.handed == 0;
        is_free && (state.take.is_some() || may_attach || (state.is_attached && has_lines))
    }

    /// The `seq` behind which the stream is to be read, while it can be.
    pub fn read_after(&self) -> Option<u64> {
        let may_read = self.lines.is_attached && !self.lines.is_busy && self.parted.is_none();
        (may_read && !self.is_comparing() && !self.has_untold_run()).then_some(self.end.seq)
    }

    /// Whether the hub has yet to keep and tell a run, before it stores what came in that: else, a cursor of the run before would
    /// stand for lines that it does not have.
    fn has_untold_run(&self) -> bool {
        self.news.iter().any(|news| matches!(news, Ordered::Runs(..)))
    }

    /// Whether the log is about to be compared with the stream, so that it must stay as it is.
    fn is_comparing(&self) -> bool {
        self.commands.identity.is_some() && !self.commands.is_attached
    }

    /// Of entries that were read behind the log's end, those that follow from it. They are on their way until [`Node::stored`]. If the first one
    /// doesn't follow, the connection must attach again.
    pub fn follow(&mut self, entries: Vec<Entry>) -> Vec<ChainedLine> {
        let mut chain = self.end.chain;
        let mut following = Vec::new();
        if entries.is_empty() {
            self.unfollowed = 0;
            return following;
        }
        if !self.lines.is_attached || self.is_comparing() || self.has_untold_run() {
            // Since they were read, a run may have begun that doesn't have them. Those that it has are read again.
            return following;
        }
        for Entry { line, run } in entries {
            let is_known = self.runs.iter().rev().any(|known| known.0 == run);
            let expected = chain.next(line.chain.run, &line.line);
            let is_first = following.is_empty() && self.base_seen == Some(self.end.seq);
            if is_known && expected != line.chain && is_first {
                // Those in between are gone.
                self.part(Parting::Trimmed);
            }
            if !is_known || expected != line.chain {
                break;
            }
            chain = expected;
            following.push(line);
        }
        match following.last() {
            Some(last) => (self.handed, self.unfollowed) = (last.seq, 0),
            None => {
                self.unfollowed = self.unfollowed.saturating_add(1);
                self.attach_again(Link::Lines);
            }
        }
        following
    }

    /// What was read has an entry that no node has written, by its form.
    pub fn saw_foreign_entry(&mut self) {
        self.unfollowed = UNFOLLOWED_MAX;
        self.attach_again(Link::Lines);
    }

    /// Whether the stream has an entry behind the log's end that no node has written, or lacks one. What a takeover or a new run has replaced
    /// doesn't follow either, but does once the connection has attached again.
    pub fn has_foreign_entry(&self) -> bool {
        self.unfollowed >= UNFOLLOWED_MAX
    }
}

#[cfg(test)]
mod tests;
