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
    /// The lines of each copy that was ever proposed, but for those whose `seq` another line has taken.
    sent: Vec<SentLine>,
    /// What it is answered once the last line of a copy has come back.
    decided: Option<Decided>,
}

#[derive(Clone, Copy)]
struct SentLine {
    seq: u64,
    chain: ChainHash,
    /// Whether its write has no line behind it.
    is_last: bool,
}

struct Decided {
    answer: Answer,
    /// Why a comment must wait for a moderator.
    held_for: Option<HoldReason>,
}

enum Answer {
    /// The line that it made.
    Line(Vec<u8>, WriteKind),
    Other(Outcome),
}

/// Whether an error would be no other one behind what is still to come: it is about the client, not about what is stored.
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

    /// Heeds what has come up, refuses what has waited too long, and proposes what is next, if it can.
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
            Readiness::Unavailable(why) => self.refuse_waiting(&why),
            Readiness::Refused(why) => {
                self.refuse_all(&Rejection::StreamUnavailable(why.to_string()));
            }
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
                self.refuse_all(&Rejection::StreamUnavailable(why.to_string()));
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
            decided: None,
        };
        if self.stopping {
            return self.reject_waiting(waiting, &Rejection::Stopping);
        }
        let why = match &self.proposals().parted {
            Some(why) => why.clone(),
            None if is_full => {
                format!("{WAITING_WRITES_MAX} comments and changes wait already").into()
            }
            None => return self.proposals().waiting.push_back(waiting),
        };
        self.refuse(waiting, &why);
    }

    /// Validates what waits, and proposes the lines that it makes.
    fn propose(&mut self, run: u64) {
        self.read_clock();
        let base = self.log.next_seq();
        let Proposals { waiting, in_flight, .. } = self.proposals();
        let mut candidates: VecDeque<Waiting> = mem::take(in_flight).into();
        let room = BATCH_COMMANDS_MAX.saturating_sub(candidates.len()).min(waiting.len());
        candidates.extend(waiting.drain(..room));
        let (mut kept, mut answers, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
        self.index.begin();
        while let Some(mut waiting) = candidates.pop_front() {
            let before = self.log.next_seq();
            let outcome = self.validate(&mut waiting);
            waiting.is_proposed = false;
            // What is stored at such a place is another line.
            waiting.sent.retain(|line| line.seq >= base);
            let after = self.log.next_seq();
            let is_import = waiting.operation.is_import();
            match outcome {
                Ok(outcome) if after > before => {
                    waiting.decided = Some(self.decided(outcome));
                    waiting.is_proposed = true;
                    ranges.push((kept.len(), before..after));
                    kept.push(waiting);
                }
                Err(rejection) if before == base || is_final(&rejection) => {
                    answers.push((waiting, Err(rejection)));
                }
                Ok(outcome) if before == base => answers.push((waiting, Ok(outcome))),
                // What it says may be about lines that are not stored yet: it is validated again behind them.
                _ => kept.push(waiting),
            }
            if is_import
                || !self.batch.moves.is_empty()
                || self.batch.bytes.len() >= BATCH_BYTES_MAX
            {
                break;
            }
        }
        let room = self.log.reserve();
        let lines = self.log.unstage();
        self.roll_back();
        self.end_batch();
        self.give_back(candidates);
        match room {
            Ok(()) => self.propose_lines(chained(base, self.log.chain(), run, lines), kept, ranges),
            Err(error) => self.refuse_unstorable(error, kept),
        }
        for (waiting, outcome) in answers {
            self.answer_at_once(waiting, outcome);
        }
    }

    /// Proposes the lines of these writes, each with its number and the `seq`s of its lines.
    fn propose_lines(
        &mut self,
        lines: Vec<ChainedLine>,
        mut kept: Vec<Waiting>,
        ranges: Vec<(usize, Range<u64>)>,
    ) {
        let base = lines.first().map_or(0, |line| line.seq);
        for (number, range) in ranges {
            let own = &lines[(range.start - base) as usize..(range.end - base) as usize];
            let sent = own.iter().map(|line| SentLine {
                seq: line.seq,
                chain: line.chain,
                is_last: line.seq + 1 == range.end,
            });
            kept[number].sent.extend(sent);
        }
        let proposals = self.proposals();
        proposals.in_flight.splice(0..0, kept);
        if !lines.is_empty() {
            proposals.order.propose(lines);
        } else if proposals.in_flight.is_empty() {
            proposals.order.settle();
        }
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
