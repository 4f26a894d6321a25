//! Lines that have come back in their order: stores them, publishes them, and answers the writes that made them.
//!
//! Does not know which of them are its own until it has looked.

use std::{
    collections::HashMap,
    time::{Duration, UNIX_EPOCH},
};

use super::{
    super::{
        Hub,
        apply::{Applied, LineKind},
        batch::BATCH_BYTES_MAX,
    },
    Answer, Decided, Proposals, Waiting,
};
use crate::{
    hub::command::{Operation, ReplyTo},
    hub::rate_limit::BucketKey,
    log::chain::{ChainHash, ChainedLine},
    log::scan::seq_of,
    store::record::time_of,
    util::activity,
};

/// Whose line it is.
struct Owner {
    /// Number of the write in flight.
    write: usize,
    /// Number of its copy.
    copy: usize,
    /// Whether that copy has no line behind this one.
    is_last: bool,
}

impl<S> Hub<S> {
    /// Stores lines that were ordered, publishes them, and answers the writes that made them.
    pub(in super::super) fn store(&mut self, lines: Vec<ChainedLine>) -> Result<(), String> {
        if let Some(why) = &self.proposals().parted {
            return Err(why.to_string());
        }
        let mut rest = &lines[..];
        while !rest.is_empty() {
            let taken = self.store_some(rest)?;
            rest = &rest[taken..];
        }
        let Proposals { in_flight, order, .. } = self.proposals();
        if !in_flight.iter().any(|waiting| waiting.is_proposed) {
            order.settle();
        }
        Ok(())
    }

    /// Stores as many of these lines as one batch takes. Returns how many.
    fn store_some(&mut self, lines: &[ChainedLine]) -> Result<usize, String> {
        let owners = self.owners();
        let (mut taken, mut done) = (0, Vec::new());
        self.index.begin();
        for line in lines {
            if self.must_commit_before(line) {
                break;
            }
            let applied = match self.apply(line) {
                Ok(applied) => applied,
                Err(why) => {
                    self.log.unstage();
                    self.roll_back();
                    self.end_batch();
                    return Err(why);
                }
            };
            taken += 1;
            self.saw_time(&line.line, applied.what);
            match owners.get(&(line.seq, line.chain)) {
                Some(owner) => {
                    self.note_own(owner.write, line.seq, &applied);
                    done.extend(owner.is_last.then_some((owner.write, owner.copy)));
                }
                None => self.note_foreign(line.seq, &applied),
            }
            if self.batch.bytes.len() >= BATCH_BYTES_MAX {
                break;
            }
        }
        if let Some(fault) = self.commit_batch() {
            return Err(fault.to_string());
        }
        self.tell_end();
        self.answer_stored(done);
        Ok(taken)
    }

    /// No later comment is to be dated before one of another machine.
    fn saw_time(&mut self, line: &[u8], what: LineKind) {
        let time = Some(line).filter(|_| what == LineKind::Posted).and_then(time_of);
        if let Some(ms) = time {
            self.clock.saw(UNIX_EPOCH + Duration::from_millis(ms), self.time());
        }
    }

    /// Which write in flight each line is of that was ever proposed.
    fn owners(&mut self) -> HashMap<(u64, ChainHash), Owner> {
        let mut owners = HashMap::new();
        for (write, waiting) in self.proposals().in_flight.iter().enumerate() {
            for (copy, sent) in waiting.sent.iter().enumerate() {
                for line in &sent.lines {
                    let is_last = sent.lines.last() == Some(line);
                    owners.insert(*line, Owner { write, copy, is_last });
                }
            }
        }
        owners
    }

    /// Adds to a line of the batch what only this machine knows of it.
    fn note_own(&mut self, number: usize, seq: u64, applied: &Applied) {
        let Waiting { operation, from, reply, .. } = &self.proposals().in_flight[number];
        let from = *from;
        let reader = match reply {
            ReplyTo::Reader(reader, _) => Some(*reader),
            ReplyTo::Callback(_) => None,
        };
        let is_post = matches!(operation, Operation::Post(_));
        let is_moderators = operation.is_moderators();
        let flagged = match operation {
            Operation::Flag { target, .. } => Some(target.id),
            _ => None,
        };
        if let Some(staged) = applied.staged {
            self.batch.lines[staged].reader = reader;
            if is_post && applied.what == LineKind::Posted {
                self.addresses.remember(seq, (!is_moderators).then_some(from));
            }
        }
        if let Some(id) = flagged {
            self.remember_flag(id, from);
        }
    }

    /// Charges the author of a line that another machine has validated.
    fn note_foreign(&mut self, seq: u64, applied: &Applied) {
        if applied.what == LineKind::Posted {
            self.addresses.remember(seq, None);
        }
        let limiter = match applied.what {
            LineKind::Liked | LineKind::Flagged => &mut self.like_limiter,
            _ => &mut self.post_limiter,
        };
        if let (Some(author), Some(limiter)) = (applied.charged, limiter) {
            // It was allowed there; here it only counts.
            let _ = limiter.take(&[BucketKey::Author(author)], self.started.elapsed());
        }
    }

    /// Answers the writes in flight with these numbers, each as the copy with its number says whose lines are stored.
    fn answer_stored(&mut self, mut done: Vec<(usize, usize)>) {
        done.sort_unstable();
        done.dedup_by_key(|(write, _)| *write);
        let mut answered = Vec::new();
        for (write, copy) in done.into_iter().rev() {
            let mut waiting = self.proposals().in_flight.remove(write);
            answered.push((waiting.sent.swap_remove(copy).decided, waiting));
        }
        for (decided, waiting) in answered.into_iter().rev() {
            let moderated = waiting.operation.moderated();
            let Waiting { reply, client, .. } = waiting;
            let Decided { answer, held_for } = decided;
            match answer {
                Answer::Line(line, kind) => {
                    if let Some(reason) = held_for
                        && let Some(id) = seq_of(&line)
                    {
                        activity::held(id, reason.name(), client);
                    }
                    // A reader is answered by the line itself.
                    if matches!(reply, ReplyTo::Callback(_)) {
                        self.answer(reply, line, kind, moderated);
                    }
                }
                Answer::Other(outcome) => self.acknowledge(reply, outcome, moderated),
            }
        }
    }
}
