//! A batch: takes commands, makes what they write durable with one write and one sync, and then tells everybody.

use std::{mem, net::IpAddr, ops::Range, sync::atomic::Ordering::Relaxed};

use super::{Hub, likes::Liked};
use crate::{
    comment::{Author, hold_reason::HoldReason, rejection::Rejection},
    fanout::{ReaderId, frame},
    http::forwarded::ClientKey,
    hub::{
        command::{Command, Operation, Query, ReplyTo, Write, WriteKind},
        moderation::Effect,
        rate_limit::DuplicateFilter,
    },
    log::scan::Location,
    store::{index::Entry, record::time_of, visibility::Visibility},
};

/// Bytes of lines after which a batch is written: what is sent of it still fits a socket's buffer.
pub(super) const BATCH_BYTES_MAX: usize = 128 * 1024;
/// Commands taken into one batch, so that a flood of queries can't keep posts from being written.
pub(super) const BATCH_COMMANDS_MAX: usize = 1_024;

/// The batch that is being built.
pub(super) struct Batch<S> {
    /// Its lines, in the order of the log.
    pub(super) lines: Vec<StagedLine>,
    /// Page and id of each comment whose number of likes changes.
    pub(super) liked: Vec<(Box<str>, u64)>,
    /// The lines' bytes one after another, each from `{` to `}`.
    pub(super) bytes: Vec<u8>,
    /// How many lines of other kinds it has, likes excepted.
    pub(super) records: usize,
    /// All its lines as frames, in the order of the log; empty unless a moderator watches.
    pub(super) for_moderators: Vec<u8>,
    /// Pages that move: the old one, the new one and the `seq` of the line. Nothing is written after them.
    pub(super) moves: Vec<(Box<str>, Box<str>, u64)>,
    /// What follows from it besides its lines.
    pub(super) effects: Vec<Effect>,
    /// Flags that it has, by comment and address.
    pub(super) flagged_from: Vec<(u64, ClientKey)>,
    /// In the order of the writes.
    replies: Vec<Pending>,
    /// How many of the lines are published.
    pub(super) published: usize,
    /// Served after the commit.
    pub(super) queries: Vec<Query<S>>,
}

impl<S> Default for Batch<S> {
    fn default() -> Batch<S> {
        Batch {
            lines: Vec::new(),
            liked: Vec::new(),
            bytes: Vec::new(),
            records: 0,
            for_moderators: Vec::new(),
            moves: Vec::new(),
            effects: Vec::new(),
            flagged_from: Vec::new(),
            replies: Vec::new(),
            published: 0,
            queries: Vec::new(),
        }
    }
}

/// A write that is answered after the commit.
struct Pending {
    /// The number of lines up to and with its own.
    lines_before: usize,
    reply: ReplyTo,
    outcome: Result<Outcome, Rejection>,
    client: Option<IpAddr>,
    /// The comment that a moderator has changed, who sees more of it than others.
    moderated: Option<u64>,
}

/// The outcome of a valid write.
pub(super) enum Outcome {
    /// The batch's line with this number, if the batch becomes durable.
    Staged(usize, WriteKind),
    /// Nothing to write: the comment's current line, and whether it was durable before this batch.
    Known { line: Vec<u8>, durable: bool },
    /// Lines of other kinds than comments, if the batch becomes durable; the answer, and whether anything has changed.
    Recorded { answer: Vec<u8>, has_changed: bool },
    /// A like, given or withdrawn by this batch, or already so before.
    Liked(Liked),
}

/// A line that was just encoded.
pub(super) struct EncodedLine<'a> {
    pub(super) id: u64,
    pub(super) seq: u64,
    pub(super) page: &'a str,
    pub(super) visibility: Visibility,
    /// The comment's visibility until now; `None` for a new comment.
    pub(super) before: Option<Visibility>,
    pub(super) author: Option<Author>,
    /// What a new comment answers.
    pub(super) parent: Option<u64>,
    pub(super) nonce: Option<&'a str>,
    /// When a new comment was written elsewhere, in ms since 1970.
    pub(super) time: Option<u64>,
    /// Whether a moderator changes what somebody else wrote.
    pub(super) is_moderation: bool,
    /// Why it waits for a moderator from now on.
    pub(super) held_for: Option<HoldReason>,
}

/// A line of the batch.
pub(super) struct StagedLine {
    pub(super) id: u64,
    pub(super) page: Box<str>,
    /// Where it lies in the batch's bytes.
    pub(super) range: Range<usize>,
    /// Where it lies in the log.
    pub(super) offset: u64,
    pub(super) visibility: Visibility,
    /// The comment's visibility until now; `None` for a new comment.
    pub(super) before: Option<Visibility>,
    /// Whose comment it is.
    pub(super) author: Option<Author>,
    /// Whether a moderator changes what somebody else wrote.
    pub(super) is_moderation: bool,
    /// The reader that asked for it.
    pub(super) reader: Option<ReaderId>,
    /// Why it waits for a moderator from now on.
    pub(super) held_for: Option<HoldReason>,
}

/// Whether a write has made work and changed nothing. What is too fast was charged before, and a fault is not the client's.
fn is_unproductive(outcome: &Result<Outcome, Rejection>) -> bool {
    match outcome {
        Ok(Outcome::Known { .. }) => true,
        Ok(Outcome::Liked(liked)) => liked.was_so,
        Ok(Outcome::Recorded { has_changed, .. }) => !has_changed,
        Ok(Outcome::Staged(..)) => false,
        Err(Rejection::TooFast { .. } | Rejection::Duplicate(_) | Rejection::Stopping) => false,
        Err(Rejection::StorageFull | Rejection::StorageFailed) => false,
        Err(_) => true,
    }
}

impl<S> Hub<S> {
    /// Takes commands into a batch until one of its limits is reached, commits it, and serves the queries among them.
    pub fn process_batch(&mut self, commands: &mut dyn Iterator<Item = Command<S>>) {
        self.read_clock();
        #[cfg(feature = "redis")]
        if self.proposals.is_some() {
            return self.process_ordered(commands);
        }
        self.index.begin();
        for command in commands.take(BATCH_COMMANDS_MAX) {
            // What is imported in one step makes enough of a batch: whoever comes after it is not to wait for a second one.
            let is_full = command.is_import();
            match command {
                Command::Write(write) => self.stage_write(write),
                Command::Query(query) => self.batch.queries.push(query),
                #[cfg(feature = "redis")]
                Command::Ordered(_) => {}
            }
            let has_moves = !self.batch.moves.is_empty();
            if is_full || self.batch.bytes.len() >= BATCH_BYTES_MAX || has_moves {
                break;
            }
        }
        let _ = self.commit_batch();
        self.serve_queries();
        self.publish_stats();
    }

    /// Serves the queries that came with the batch.
    pub(super) fn serve_queries(&mut self) {
        for query in mem::take(&mut self.batch.queries) {
            self.serve(query);
        }
    }

    /// Sets the time of the batch's lines.
    pub(super) fn read_clock(&mut self) {
        let (now, fallen) = self.clock.tick(self.time());
        if let Some(fallen) = fallen {
            log::error!(
                "the machine's clock is {} s behind the newest comment's time; new comments are dated {now} and are older than some before them; \
                 set the clock right",
                fallen.as_secs()
            );
        }
        self.now = now;
    }

    fn stage_write(&mut self, write: Write) {
        let Write { operation, from, client, reply } = write;
        let lines_before = self.batch.lines.len();
        let moderated = operation.moderated();
        let outcome = self.carry_out(operation, from);
        if let (Some(staged), ReplyTo::Reader(reader, _)) =
            (self.batch.lines.get_mut(lines_before), &reply)
        {
            staged.reader = Some(*reader);
        }
        let lines_before = self.batch.lines.len();
        self.batch.replies.push(Pending { lines_before, reply, outcome, client, moderated });
    }

    /// Decides whether an operation is allowed, and stages the lines that it makes.
    pub(super) fn carry_out(
        &mut self,
        operation: Operation,
        from: ClientKey,
    ) -> Result<Outcome, Rejection> {
        let is_moderator = operation.is_moderators();
        let allowed = if is_moderator { Ok(()) } else { self.check_refused(from) };
        let outcome = allowed.and_then(|()| match operation {
            Operation::Post(draft) => self.post(draft, from),
            Operation::Repeat { nonce, author, otherwise } => {
                self.known_nonce(&nonce, author)?.ok_or(otherwise)
            }
            Operation::Change { target, change, by, decision } => {
                self.change(target, change, by, decision, from)
            }
            Operation::Flag { target, author } => self.flag(target, author, from),
            Operation::Forget(author, from) => self.forget(author, from),
            #[cfg(feature = "exchange")]
            Operation::Import(import) => self.import(import),
            Operation::Moderate(measure, by) => self.take_measure(measure, by),
            Operation::Like { target, on, author } => self.like(target, on, author, from),
        });
        if !is_moderator && !self.is_again() && is_unproductive(&outcome) {
            self.charge_refused(from);
        }
        outcome
    }

    /// Takes the line that lies in the batch from `start` on into log and index, and returns its number in the batch.
    pub(super) fn stage(&mut self, start: usize, encoded: EncodedLine) -> usize {
        let location = self.log.stage(&self.batch.bytes[start..]);
        self.take_in(start, location, encoded)
    }

    /// The same for a line that the log has staged already.
    pub(super) fn take_in(
        &mut self,
        start: usize,
        location: Location,
        encoded: EncodedLine,
    ) -> usize {
        let EncodedLine {
            id,
            seq,
            page,
            visibility,
            before,
            author,
            parent,
            nonce,
            time,
            is_moderation,
            held_for,
        } = encoded;
        let page = self.moderation.resolve(page);
        let range = start..self.batch.bytes.len();
        let entry = Entry { id, seq, location, visibility, page, parent, nonce, time };
        let log = &self.log;
        self.index.put(entry, &|location| time_of(&log.read(location).ok()?));
        if self.subscribers.has_moderators() {
            frame::text(&self.batch.bytes[range.clone()], &mut self.batch.for_moderators);
        }
        self.batch.lines.push(StagedLine {
            id,
            page: page.into(),
            range,
            offset: location.offset,
            visibility,
            before,
            author,
            is_moderation,
            reader: None,
            held_for,
        });
        self.batch.lines.len() - 1
    }

    /// Takes the batch's lines back out of everything but the log's buffer.
    pub(super) fn roll_back(&mut self) {
        self.likes.roll_back();
        self.moderation.roll_back();
        self.index.roll_back();
        self.batch.liked.clear();
        self.batch.effects.clear();
        self.batch.moves.clear();
        self.batch.for_moderators.clear();
        for flag in &self.batch.flagged_from {
            self.flagged_from.remove(flag);
        }
    }

    /// Forgets the batch, after it was published or rolled back.
    pub(super) fn end_batch(&mut self) {
        self.batch.published = 0;
        self.batch.records = 0;
        self.batch.flagged_from.clear();
        self.batch.lines.clear();
        self.batch.bytes.clear();
    }

    /// Makes the batch durable, and only then publishes it and answers its writes, in their order. Returns why it could not be stored.
    pub(super) fn commit_batch(&mut self) -> Option<Rejection> {
        let is_empty = !self.log.has_staged();
        let fault = match if is_empty { Ok(()) } else { self.commit_log() } {
            Ok(()) => {
                self.index.commit();
                self.likes.commit();
                self.moderation.commit();
                self.stats.full.fetch_and(is_empty, Relaxed);
                // Set before anybody is told, so that nobody is then served an outdated page.
                self.stats.seq.store(self.log.next_seq() - 1, Relaxed);
                None
            }
            Err(error) => {
                self.roll_back();
                self.duplicates.iter_mut().for_each(DuplicateFilter::forget);
                Some(self.storage_fault(error))
            }
        };
        for Pending { lines_before, reply, outcome, client, moderated } in
            mem::take(&mut self.batch.replies)
        {
            // An error or a known line must reach its reader between the right lines, so the lines before it are published first.
            let is_beside_lines = !matches!(outcome, Ok(Outcome::Staged(..) | Outcome::Liked(..)));
            if is_beside_lines && fault.is_none() && matches!(reply, ReplyTo::Reader(..)) {
                self.publish_up_to(lines_before);
            }
            self.log_outcome(&outcome, &reply, fault.as_ref(), client);
            match (outcome, &fault) {
                (Ok(outcome), None) => self.acknowledge(reply, outcome, moderated),
                (Ok(Outcome::Liked(liked)), Some(_)) if self.is_as_asked(&liked) => {
                    self.acknowledge_like(reply, &liked);
                }
                (Ok(known @ Outcome::Known { durable: true, .. }), _) => {
                    self.acknowledge(reply, known, moderated)
                }
                (Ok(_), Some(fault)) => self.reject(reply, fault),
                (Err(rejection), _) => self.reject(reply, &rejection),
            }
        }
        if fault.is_none() {
            self.publish_up_to(self.batch.lines.len());
            self.note_likes();
            self.tell_effects();
            self.wake_listeners(is_empty);
        }
        self.end_batch();
        fault
    }
}
