//! What follows from each reply of the script.
//!
//! Knows nobody who waits for one.

use std::{io, sync::Arc};

use super::{
    super::{
        call::{Attached, Call, CallKind, Replaced, Reply, Run},
        own_log::{chain_at, is_whole_behind},
    },
    Link, Node, Parting, Stage,
};
use crate::{hub::order::Ordered, log::runs::random_mark_text};

impl Node {
    /// What came of a call.
    ///
    /// # Errors
    /// Fails if the log can't be read.
    pub fn replied(&mut self, link: Link, kind: CallKind, reply: Reply) -> io::Result<()> {
        self.link(link).is_busy = false;
        match (kind, reply) {
            (CallKind::Attach { own }, reply) => return self.looked(link, own, reply),
            (CallKind::Take, _) => {}
            (CallKind::Heal(run), Reply::Appended(seq)) => self.healed(&run, seq),
            (CallKind::Heal(_), _) => self.attach_again(Link::Commands),
            (CallKind::Append, reply) => self.appended(reply),
        }
        Ok(())
    }

    fn healed(&mut self, run: &Arc<str>, seq: u64) {
        self.known_seq = seq;
        self.heals += 1;
        if seq >= self.end.seq {
            self.is_ahead = false;
            let is_of_run = |runs: &Vec<Run>| runs.last().is_some_and(|last| last.0 == *run);
            if self.pending.as_ref().is_some_and(is_of_run) {
                self.speak();
            }
        }
    }

    fn appended(&mut self, reply: Reply) {
        let stage = match reply {
            Reply::Appended(seq) => {
                self.known_seq = self.known_seq.max(seq);
                Stage::Appended
            }
            Reply::Behind(seq) if self.proposal.as_ref().is_some_and(|it| seq < it.after.0) => {
                // It has lost what was read.
                self.attach_again(Link::Commands);
                Stage::Again
            }
            Reply::Behind(seq) => {
                self.target = self.target.max(seq);
                Stage::Again
            }
            Reply::Wait(_) => {
                self.is_waiting = true;
                Stage::Again
            }
            _ => {
                self.attach_again(Link::Commands);
                Stage::Again
            }
        };
        if let Some(proposal) = &mut self.proposal
            && proposal.stage == Stage::Sent
        {
            proposal.stage = stage;
        }
    }

    fn looked(&mut self, link: Link, own: u64, reply: Reply) -> io::Result<()> {
        match reply {
            Reply::Attached(attached) => self.compare(link, own, *attached),
            Reply::Adopt(log) => {
                // Attaches again once the hub has done so.
                if self.end.seq == 0 {
                    self.news.push(Ordered::Adopt(log));
                }
                Ok(())
            }
            Reply::OtherLog(_) => {
                self.part(Parting::OtherLog);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Compares the log with the stream at the lower one of both last `seq`s.
    fn compare(&mut self, link: Link, own: u64, attached: Attached) -> io::Result<()> {
        let Attached { seq, low, entry, base: (base, base_chain), .. } = attached;
        if own != self.end.seq || self.handed > 0 {
            // A verdict counts only about the log as it was when it was asked for.
            return Ok(());
        }
        let is_other = self.run.as_ref().is_some_and(|(known, _)| *known != attached.run);
        if link == Link::Lines && self.commands.is_attached && is_other {
            // One of the two answers is older than the run, and nobody knows which.
            self.attach_again(Link::Commands);
            return Ok(());
        }
        if entry.is_none() && low != base {
            self.part(Parting::Trimmed);
            return Ok(());
        }
        let here = chain_at(&self.end, low)?;
        let parting = match here {
            None => Some(Parting::Incomparable),
            Some(_) if own > seq && !is_whole_behind(&self.end, low) => Some(Parting::Incomparable),
            // Who has served this log alone meanwhile; what it alone has can't be brought in behind lines that others may have read.
            Some(_) if own > seq && attached.is_minted => Some(Parting::Diverged),
            Some(here) if here != entry.unwrap_or(base_chain) => Some(Parting::Diverged),
            Some(_) => None,
        };
        let Some(parting) = parting else {
            if link == Link::Lines {
                let is_at_base = entry.is_none() && own == base && seq > own;
                self.base_seen = is_at_base.then_some(own);
            }
            self.attached(link, own, attached);
            return Ok(());
        };
        let is_above = (self.end.chain.run, self.end.seq) > (attached.last.run, seq);
        if is_above && !attached.is_minted {
            return self.take_over(link, &attached);
        }
        self.part(parting);
        Ok(())
    }

    fn take_over(&mut self, link: Link, attached: &Attached) -> io::Result<()> {
        let Some(identity) = self.link(link).identity.clone() else { return Ok(()) };
        let mark = random_mark_text()?;
        let replaced = Replaced { run: &attached.run, seq: attached.seq };
        let call = Call::take(&self.introduction(&identity, &mark)?, &replaced);
        self.link(link).take = Some(call);
        Ok(())
    }

    fn attached(&mut self, link: Link, own: u64, attached: Attached) {
        let Attached { seq, run, number, runs, salt, .. } = attached;
        self.link(link).is_attached = true;
        self.link(link).was_attached = true;
        self.link(link).run = Some(run.clone());
        self.attaches += 1;
        let is_higher = number > self.highest;
        self.highest = self.highest.max(number);
        self.pending = Some(runs);
        let has_spoken = own <= self.seq_by_now(link, &run, seq) && self.speak();
        if is_higher && !has_spoken {
            // Kept before any line of that run is proposed.
            self.tell_runs();
        }
        if salt != self.salt {
            self.salt = salt;
            self.news.push(Ordered::Salt(salt));
        }
        if link == Link::Lines {
            return;
        }
        let is_new = self.run.as_ref().is_none_or(|(known, _)| *known != run);
        if is_new {
            // Without a lost connection, what was appended in the run before may be gone with it.
            self.doubt();
            self.is_waiting = false;
        }
        if self.lines.run.as_ref() != Some(&run) {
            // What was read through it may be what this run does not begin behind.
            self.attach_again(Link::Lines);
        }
        (self.known_seq, self.seen_seq) = (seq, seq);
        self.run = Some((run, number));
        self.is_ahead = own > seq;
        self.target = seq;
        if let Some(proposal) = &mut self.proposal
            && matches!(proposal.stage, Stage::Unknown | Stage::Ready)
        {
            proposal.stage = Stage::Again;
        }
    }

    /// How far the stream was in this run when a connection was told of `seq`, or later, if the other one was told more: answers through two
    /// connections may come in another order than they were given.
    fn seq_by_now(&self, link: Link, run: &Arc<str>, seq: u64) -> u64 {
        let commands = &self.commands;
        let is_of_run = commands.is_attached && commands.run.as_ref() == Some(run);
        if link == Link::Lines && is_of_run { seq.max(self.known_seq) } else { seq }
    }

    /// Speaks the newest run, which holds the log's last line. Returns whether anything is new about the runs.
    fn speak(&mut self) -> bool {
        let runs = self.pending.take().filter(|runs| *runs != self.runs);
        let Some(runs) = runs else { return false };
        self.runs = runs;
        self.tell_runs();
        true
    }

    fn tell_runs(&mut self) {
        self.news.push(Ordered::Runs(self.runs.clone(), self.highest));
    }

    pub(super) fn part(&mut self, parting: Parting) {
        self.parted = Some(parting);
        self.news.push(Ordered::Parted(parting.sentence().into()));
    }
}
