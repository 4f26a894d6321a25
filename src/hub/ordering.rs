//! Writes whose order comes from elsewhere: validates them here, proposes their lines, and answers them once these lines have come back.
//!
//! What is proposed changes nothing here: it is taken out of log, index, likes and moderation again at once. A write is answered when the
//! last of its lines is stored here, known by `seq` and hash of any copy that was proposed, and never because another line has come. If
//! other lines have come first, it is validated again behind them. Knows neither the stream nor its protocol.

pub mod early;
mod refused;
mod stored;

use std::{
    collections::VecDeque,
    mem,
    net::IpAddr,
    ops::Range,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::{
    Hub,
    batch::{BATCH_BYTES_MAX, BATCH_COMMANDS_MAX, Outcome},
};
use crate::{
    comment::{hold_reason::HoldReason, rejection::Rejection},
    http::forwarded::ClientKey,
    hub::cluster_stats::ClusterStats,
    hub::command::{Command, Operation, ReplyTo, Write, WriteKind},
    hub::order::{LogEnd, Order, Ordered, Readiness},
    log::chain::{ChainHash, ChainedLine},
    log::runs::{Runs, random_mark_text},
    log::salt,
};

/// Writes that may wait to be proposed: four times what the hub's inbox holds. With texts of 8 KiB and their HTML they take some 80 MB.
pub const WAITING_WRITES_MAX: usize = 4_096;
/// How long a write may wait before it is refused. Beyond the 3 s that new lines wait after Redis was replaced, and below the time that a
/// request may take. Whoever repeats it with its nonce finds it, if it was appended after all.
pub const WAITING_TIMEOUT: Duration = Duration::from_secs(8);
/// How often writes that wait are looked through for those that have waited too long.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Writes that are not answered yet.
pub(super) struct Proposals<S> {
    pub(super) order: Box<dyn Order>,
    /// Where marks and salt are kept.
    data: PathBuf,
    /// Not validated yet.
    waiting: VecDeque<Waiting>,
    /// Validated, and proposed unless they wait for another one that is.
    in_flight: Vec<Waiting>,
    /// Whether what is validated was validated before, and charged.
    is_again: bool,
    /// Why nothing can be ordered any more.
    parted: Option<Arc<str>>,
    /// Questions of readers that have received more than there is here.
    early: Vec<early::Early<S>>,
}

/// A write that is not answered yet.
struct Waiting {
    operation: Operation,
    from: ClientKey,
    client: Option<IpAddr>,
    reply: ReplyTo,
    since: Instant,
    /// Whether it was validated before, and charged.
    is_checked: bool,
    /// Whether the present proposal has lines of it.
    is_proposed: bool,
    /// Each copy that was ever proposed and may still come back.
    sent: Vec<SentCopy>,
}

/// The lines that a write has made once, and its answer. It makes others each time that it is validated again: once per connection at most
/// without lines of others before it, so some 20 times within [`WAITING_TIMEOUT`].
struct SentCopy {
    /// `seq` and hash of each line; at least one.
    lines: Vec<(u64, ChainHash)>,
    /// What the write is answered once the last of these lines has come back.
    decided: Decided,
}

struct Decided {
    answer: Answer,
    /// Why a comment must wait for a moderator.
    held_for: Option<HoldReason>,
}

/// What has become of the writes that one batch took.
#[derive(Default)]
struct Validated {
    /// Those that stay in flight, in their order.
    kept: Vec<Waiting>,
    /// What some of these have made.
    made: Vec<Made>,
    /// Those that are answered without a line.
    answers: Vec<(Waiting, Result<Outcome, Rejection>)>,
}

/// The lines that a write has made.
struct Made {
    /// Its number among those that stay in flight.
    number: usize,
    /// Of the lines; at least one.
    seqs: Range<u64>,
    decided: Decided,
}

enum Answer {
    /// The line that it made.
    Line(Vec<u8>, WriteKind),
    Other(Outcome),
}

/// Whether a write would be rejected in the same way whatever is stored before it, since the reason is its client.
fn is_final(rejection: &Rejection) -> bool {
    matches!(rejection, Rejection::TooFast { .. } | Rejection::Duplicate(_) | Rejection::Stopping)
}

impl<S> Hub<S> {
    /// Lets lines be ordered elsewhere. `data` is the folder of the log; `stats` is what is told of it.
    pub fn order_by(&mut self, order: Box<dyn Order>, data: PathBuf, stats: Arc<ClusterStats>) {
        let _ = self.stats.cluster.set(stats);
        self.proposals = Some(Proposals {
            order,
            data,
            waiting: VecDeque::new(),
            in_flight: Vec::new(),
            is_again: false,
            parted: None,
            early: Vec::new(),
        });
    }

    /// Where the log ends.
    pub fn log_end(&self) -> LogEnd {
        LogEnd::of(&self.log)
    }

    /// Tells whoever orders the lines that the log has another end.
    pub(super) fn tell_end(&mut self) {
        let end = self.log_end();
        if let Some(proposals) = &mut self.proposals {
            proposals.order.moved(end);
        }
    }

    /// How long the hub may wait for a command before writes that wait are looked at.
    pub(super) fn longest_order_wait(&self) -> Duration {
        let waits = |it: &Proposals<S>| {
            !it.waiting.is_empty() || !it.in_flight.is_empty() || !it.early.is_empty()
        };
        if self.proposals.as_ref().is_some_and(waits) { LOOK_INTERVAL } else { Duration::MAX }
    }

    fn proposals(&mut self) -> &mut Proposals<S> {
        self.proposals.as_mut().expect("only a hub with an order is asked for its proposals")
    }

    /// As [`Hub::process_batch`]: takes commands, stores what has come back, and proposes what is next.
    pub(super) fn process_ordered(&mut self, commands: &mut dyn Iterator<Item = Command<S>>) {
        for command in commands.take(BATCH_COMMANDS_MAX) {
            match command {
                Command::Write(write) => self.enqueue(write),
                Command::Query(query) => self.batch.queries.push(query),
                Command::Ordered(Ordered::Lines(lines, answer)) => answer(self.store(lines)),
                Command::Ordered(other) => self.handle_news(other),
            }
        }
        self.look_at_order();
        self.serve_queries();
        self.publish_stats();
    }

    /// Takes in what has come up, refuses what has waited too long, and proposes what is next, if it can.
    pub(super) fn look_at_order(&mut self) {
        if self.proposals.is_none() {
            return;
        }
        for news in self.proposals().order.news() {
            self.handle_news(news);
        }
        self.answer_early();
        self.refuse_late();
        if self.proposals().in_flight.is_empty() && self.proposals().waiting.is_empty() {
            return;
        }
        match self.proposals().order.readiness() {
            Readiness::Ready(run) => self.propose(run),
            Readiness::Soon => {}
            Readiness::Unavailable => self.refuse_waiting(),
            Readiness::Refused => self.refuse_all(&Rejection::StreamUnavailable),
        }
    }

    fn handle_news(&mut self, news: Ordered) {
        match news {
            Ordered::Lines(..) | Ordered::Look => {}
            Ordered::Runs(runs, number) => {
                let data = self.proposals().data.clone();
                match Runs::of_stream(&data, &self.log_id, &runs, number) {
                    Ok(runs) if runs.mark() == self.runs.mark() => self.runs = runs,
                    Ok(runs) => {
                        self.subscribers.tell_mark(runs.mark());
                        self.runs = runs;
                    }
                    Err(error) => log::error!("{error}"),
                }
            }
            Ordered::Adopt(log) => match self.log.adopt_id(&log) {
                Ok(()) => {
                    self.log_id = log;
                    self.tell_end();
                    self.subscribers.close_all();
                }
                Err(error) => log::error!("the log can't take the id of the others': {error}"),
            },
            Ordered::Salt(salt) => {
                self.addresses.set_salt(salt);
                if let Err(error) = salt::write(&self.proposals().data, &salt) {
                    log::error!("{error}");
                }
            }
            Ordered::Parted(why) => {
                self.refuse_all(&Rejection::StreamUnavailable);
                self.proposals().parted = Some(why);
            }
            Ordered::Closed => self.refuse_all(&Rejection::Stopping),
            Ordered::Presence(presence) => self.presence_elsewhere(presence),
        }
    }

    fn enqueue(&mut self, write: Write) {
        let Write { mut operation, from, client, reply } = write;
        if let Operation::Post(draft) = &mut operation
            && draft.nonce.is_none()
        {
            // Should the log part from the stream, an import into another one knows it again.
            draft.nonce = random_mark_text().ok().map(Into::into);
        }
        let is_full = self.proposals().waiting.len() >= WAITING_WRITES_MAX;
        let waiting = Waiting {
            operation,
            from,
            client,
            reply,
            since: Instant::now(),
            is_checked: false,
            is_proposed: false,
            sent: Vec::new(),
        };
        if self.stopping {
            return self.reject_waiting(waiting, &Rejection::Stopping);
        }
        if is_full || self.proposals().parted.is_some() {
            return self.reject_waiting(waiting, &Rejection::StreamUnavailable);
        }
        self.proposals().waiting.push_back(waiting);
    }

    /// Validates what waits, and proposes the lines that it makes.
    fn propose(&mut self, run: u64) {
        self.read_clock();
        let base = self.log.next_seq();
        let Proposals { waiting, in_flight, .. } = self.proposals();
        let mut candidates: VecDeque<Waiting> = mem::take(in_flight).into();
        let room = BATCH_COMMANDS_MAX.saturating_sub(candidates.len()).min(waiting.len());
        candidates.extend(waiting.drain(..room));
        self.index.begin();
        let Validated { mut kept, mut made, answers } = self.validate_all(&mut candidates);
        let room = self.log.reserve();
        let mut lines = self.log.unstage();
        self.roll_back();
        self.end_batch();
        self.give_back(candidates);
        if let Err(error) = room {
            (lines, made) = Default::default();
            kept = self.refuse_unstorable(error, kept);
        }
        let lines = chained(base, self.log.chain(), run, lines);
        for Made { number, seqs, decided } in made {
            let own = &lines[(seqs.start - base) as usize..(seqs.end - base) as usize];
            let lines = own.iter().map(|line| (line.seq, line.chain)).collect();
            kept[number].sent.push(SentCopy { lines, decided });
        }
        let proposals = self.proposals();
        proposals.in_flight.splice(0..0, kept);
        if !lines.is_empty() {
            proposals.order.propose(lines);
        } else if proposals.in_flight.is_empty() {
            proposals.order.settle();
        }
        for (waiting, outcome) in answers {
            self.answer_at_once(waiting, outcome);
        }
    }

    /// Validates as many of the candidates as one batch takes, and stages their lines.
    fn validate_all(&mut self, candidates: &mut VecDeque<Waiting>) -> Validated {
        let base = self.log.next_seq();
        let mut validated = Validated::default();
        let Validated { kept, made, answers } = &mut validated;
        while let Some(mut waiting) = candidates.pop_front() {
            let before = self.log.next_seq();
            let outcome = self.validate(&mut waiting);
            let after = self.log.next_seq();
            waiting.is_proposed = after > before && outcome.is_ok();
            // What is stored at such a place is another line.
            waiting.sent.retain(|copy| copy.lines.last().is_some_and(|(seq, _)| *seq >= base));
            let is_import = waiting.operation.is_import();
            // With no line of the batch before it, an answer is about nothing but what is stored.
            let is_first = before == base;
            match outcome {
                Ok(outcome) if after > before => {
                    let (number, decided) = (kept.len(), self.decided(outcome));
                    made.push(Made { number, seqs: before..after, decided });
                    kept.push(waiting);
                }
                Ok(outcome) if is_first => answers.push((waiting, Ok(outcome))),
                Err(rejection) if is_first || is_final(&rejection) => {
                    answers.push((waiting, Err(rejection)));
                }
                // It is validated again behind the lines that it may be about.
                _ => kept.push(waiting),
            }
            let is_full = self.batch.bytes.len() >= BATCH_BYTES_MAX;
            if is_import || is_full || !self.batch.moves.is_empty() {
                break;
            }
        }
        validated
    }

    /// Puts back those for which a batch had no room.
    fn give_back(&mut self, candidates: VecDeque<Waiting>) {
        let Proposals { waiting, in_flight, .. } = self.proposals();
        let (checked, new): (Vec<_>, Vec<_>) =
            candidates.into_iter().partition(|waiting| waiting.is_checked);
        in_flight.extend(checked);
        for one in new.into_iter().rev() {
            waiting.push_front(one);
        }
    }

    fn validate(&mut self, waiting: &mut Waiting) -> Result<Outcome, Rejection> {
        self.proposals().is_again = mem::replace(&mut waiting.is_checked, true);
        let outcome = self.carry_out(waiting.operation.clone(), waiting.from);
        self.proposals().is_again = false;
        outcome
    }

    fn decided(&mut self, outcome: Outcome) -> Decided {
        let Outcome::Staged(number, kind) = outcome else {
            return Decided { answer: Answer::Other(outcome), held_for: None };
        };
        let staged = &mut self.batch.lines[number];
        let held_for = staged.held_for.take();
        let line = self.batch.bytes[staged.range.clone()].to_vec();
        Decided { answer: Answer::Line(line, kind), held_for }
    }

    fn answer_at_once(&mut self, waiting: Waiting, outcome: Result<Outcome, Rejection>) {
        match outcome {
            Ok(outcome) => {
                let moderated = waiting.operation.moderated();
                self.acknowledge(waiting.reply, outcome, moderated);
            }
            Err(rejection) => self.reject_waiting(waiting, &rejection),
        }
    }

    /// Tells other machines what has changed about this one's readers.
    pub(super) fn tell_presence(&mut self) {
        if self.proposals.is_some() {
            let presence = self.own_presence();
            self.proposals().order.tell(presence);
        }
    }

    /// The time of new lines: that of all machines, if there are several.
    pub(super) fn time(&self) -> SystemTime {
        self.proposals.as_ref().map_or_else(SystemTime::now, |proposals| proposals.order.now())
    }

    /// Whether the order of lines comes from elsewhere.
    pub(super) fn is_shared(&self) -> bool {
        self.proposals.is_some()
    }

    /// Whether what is validated now was charged before.
    pub(super) fn is_again(&self) -> bool {
        self.proposals.as_ref().is_some_and(|proposals| proposals.is_again)
    }

    /// Whether nobody needs the log as it is.
    pub(super) fn may_compact(&self) -> bool {
        self.proposals.as_ref().is_none_or(|proposals| proposals.order.may_compact())
    }

    /// Whether something is in flight or waits to be.
    pub fn is_ordering(&self) -> bool {
        let is = |it: &Proposals<S>| !it.waiting.is_empty() || !it.in_flight.is_empty();
        self.proposals.as_ref().is_some_and(is)
    }
}

/// Gives lines that follow the line with the hash `chain` their `seq`s, from `first` on, and their hashes.
fn chained(first: u64, mut chain: ChainHash, run: u64, lines: Vec<Box<[u8]>>) -> Vec<ChainedLine> {
    let seqs = first..;
    let lines = lines.into_iter().zip(seqs);
    let chained = lines.map(|(line, seq)| {
        chain = chain.next(run, &line);
        ChainedLine { seq, chain, line }
    });
    chained.collect()
}

#[cfg(test)]
mod tests;
