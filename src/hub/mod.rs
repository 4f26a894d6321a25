//! All state, and the one thread that changes it.
//!
//! It takes what lies in its inbox, gives each draft its `seq` and time, makes the whole batch durable with one write and one
//! sync, then tells everyone, then takes the next: idle, a batch is one comment; busy, batches grow by themselves. Who only
//! wants to read is served after the batch, so that nobody sees what is not on disk. Knows no sockets and no HTTP.

pub mod command;
mod compaction;
mod likes;
pub mod line_cache;
mod posts;
pub mod rate_limit;
mod reads;
pub mod rules;

use std::{
    borrow::Cow,
    collections::HashSet,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant, SystemTime},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::{
    comment::Author,
    comment::rejection::Rejection,
    fanout::ReaderId,
    fanout::subscribers::{Published, Subscribers},
    hub::command::{Command, ReplyTo, Stats, WriteKind, Written},
    hub::line_cache::LineCache,
    hub::rate_limit::{DuplicateFilter, RateLimiter},
    hub::rules::{Hold, Rules},
    log::{CommitError, Log},
    store::history::redacted,
    store::index::{Entry, Index},
    store::likes::Likes,
    store::visibility::Visibility,
    util::threads,
};

/// Bytes of lines after which a batch is written: a send of it still fits a socket's buffer.
const BATCH_BYTES_MAX: usize = 128 * 1024;
/// Requests taken into one batch, so that a flood of reads can't keep posts from being written.
const BATCH_COMMANDS_MAX: usize = 1_024;
/// Readers and counts are told this often at most.
const TELL_INTERVAL: Duration = Duration::from_secs(1);
/// How often each page is told its highest `seq`.
const SEQ_INTERVAL: Duration = Duration::from_secs(25);

/// How often the hub looks whether a compaction is done, while one is under way.
const COMPACTION_LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// See the [module](self). One thread owns it and ends it by dropping.
pub struct Hub<S> {
    log: Log,
    log_id: Arc<str>,
    index: Index,
    likes: Likes,
    subscribers: Subscribers<S>,
    rates: Option<RateLimiter>,
    like_rates: Option<RateLimiter>,
    /// None where anybody may be as fast as they like.
    said: Option<DuplicateFilter>,
    rules: Rules,
    /// Authors of a comment that everyone sees; only kept for `--hold new`.
    approved: HashSet<Author>,
    stats: Arc<Stats>,
    batch: Batch<S>,
    /// `created_at` of the batch's lines.
    now: String,
    started: Instant,
    stopping: bool,
    compaction: compaction::Compaction,
    recent: LineCache,
}

/// What one turn has taken in.
struct Batch<S> {
    lines: Vec<StagedLine>,
    /// Page and id of each comment that another number likes.
    liked: Vec<(Box<str>, u64)>,
    /// Public lines one after another.
    bytes: Vec<u8>,
    /// In the order of their requests, each with the number of lines before it.
    replies: Vec<(usize, ReplyTo, Result<Outcome, Rejection>)>,
    /// Lines that were sent.
    published: usize,
    /// Requests that change nothing, for after the commit.
    later: Vec<Command<S>>,
}

/// What becomes of a draft or a change that is in order.
enum Outcome {
    /// The batch's line with this number, if the batch becomes durable.
    StagedLine(usize, WriteKind),
    /// Nothing new: this is the present line; one that was durable before this batch is so whatever becomes of it.
    Known { line: Vec<u8>, durable: bool },
    /// A heart, if the batch becomes durable or it was so before.
    Liked(likes::Liked),
}

/// A line that was just encoded.
struct EncodedLine<'a> {
    id: u64,
    seq: u64,
    page: &'a str,
    visibility: Visibility,
    before: Option<Visibility>,
    author: Option<Author>,
    nonce: Option<&'a str>,
}

struct StagedLine {
    id: u64,
    page: Box<str>,
    range: std::ops::Range<usize>,
    /// In the log.
    offset: u64,
    visibility: Visibility,
    /// What it was before; `None` for a new comment.
    before: Option<Visibility>,
    /// Whose comment it is.
    author: Option<Author>,
    /// The reader who asked.
    reader: Option<ReaderId>,
}

impl<S> Hub<S> {
    /// The state on top of an opened log.
    pub fn new(
        log: Log,
        (index, likes): (Index, Likes),
        subscribers: Subscribers<S>,
        rates: Option<RateLimiter>,
        rules: Rules,
        stats: Arc<Stats>,
    ) -> Hub<S> {
        let log_id = log.id().into();
        let batch = Batch {
            lines: Vec::new(),
            liked: Vec::new(),
            published: 0,
            bytes: Vec::new(),
            replies: Vec::new(),
            later: Vec::new(),
        };
        let mut hub = Hub {
            log,
            log_id,
            index,
            likes,
            subscribers,
            like_rates: likes::rates(rates.as_ref()),
            said: rates.as_ref().map(|_| DuplicateFilter::default()),
            rates,
            rules,
            approved: HashSet::new(),
            stats,
            batch,
            now: String::new(),
            started: Instant::now(),
            stopping: false,
            compaction: compaction::Compaction::default(),
            recent: LineCache::default(),
        };
        hub.publish_stats();
        hub
    }

    /// `--hold new` lets these authors through.
    pub fn approve(&mut self, author: Author) {
        self.approved.insert(author);
    }

    /// Serves until nobody is left who could ask.
    pub fn run(mut self, inbox: Receiver<Command<S>>) {
        let mut tell_at = Instant::now();
        let mut seqs_at = Instant::now() + SEQ_INTERVAL;
        loop {
            let mut next =
                if self.subscribers.has_changes() { tell_at.min(seqs_at) } else { seqs_at };
            if self.is_compacting() {
                next = next.min(Instant::now() + COMPACTION_LOOK_INTERVAL);
            }
            match inbox.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(first) => self.process_batch(&mut threads::drain_after_yield(first, &inbox)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.poll_compaction();
            let now = Instant::now();
            if now >= tell_at && self.subscribers.has_changes() {
                tell_at = now + TELL_INTERVAL;
                self.subscribers.tell_changes(
                    |page| self.index.count(page),
                    |id| likes::seen(&self.index, &self.likes, id),
                );
            }
            if now >= seqs_at {
                seqs_at = now + SEQ_INTERVAL;
                self.subscribers.tell_seqs(|page| self.index.seq(page));
            }
        }
    }

    /// One batch.
    pub fn process_batch(&mut self, commands: &mut dyn Iterator<Item = Command<S>>) {
        self.now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        self.index.begin();
        for request in commands.take(BATCH_COMMANDS_MAX) {
            self.take(request);
            if self.batch.bytes.len() >= BATCH_BYTES_MAX {
                break;
            }
        }
        self.commit_batch();
        for request in std::mem::take(&mut self.batch.later) {
            self.serve(request);
        }
        self.publish_stats();
    }

    fn take(&mut self, request: Command<S>) {
        let staged_before = self.batch.lines.len();
        let (outcome, reply) = match request {
            Command::Post { draft, from, reply } => (self.post(draft, from), reply),
            Command::Change { target, change, by, from, reply } => {
                (self.change(target, change, by, from), reply)
            }
            Command::Like { target, on, author, from, reply } => {
                (self.like(target, on, author, from), reply)
            }
            other => return self.batch.later.push(other),
        };
        if let (Some(staged), ReplyTo::Reader(reader, _)) =
            (self.batch.lines.get_mut(staged_before), &reply)
        {
            staged.reader = Some(*reader);
        }
        self.batch.replies.push((self.batch.lines.len(), reply, outcome));
    }

    /// Takes the line that lies in the batch from `start` on into log and index, and returns its number in the batch.
    fn stage(&mut self, start: usize, made: EncodedLine) -> usize {
        let EncodedLine { id, seq, page, visibility, before, author, nonce } = made;
        let range = start..self.batch.bytes.len();
        let place = self.log.stage(&self.batch.bytes[range.clone()]);
        self.index.put(Entry { id, seq, place, visibility, page, nonce });
        self.batch.lines.push(StagedLine {
            id,
            page: page.into(),
            range,
            offset: place.offset,
            visibility,
            before,
            author,
            reader: None,
        });
        self.batch.lines.len() - 1
    }

    /// Makes the batch durable, and only then known, in the order of the requests.
    fn commit_batch(&mut self) {
        let is_empty = self.batch.lines.is_empty() && self.batch.liked.is_empty();
        let fault = match if is_empty { Ok(()) } else { self.log.commit() } {
            Ok(()) => {
                self.index.commit();
                self.likes.commit();
                self.stats.full.fetch_and(is_empty, Relaxed);
                // Before anybody hears of it, so that nobody is then served an older page.
                self.stats.seq.store(self.log.next_seq() - 1, Relaxed);
                None
            }
            Err(fault) => {
                self.likes.roll_back();
                self.index.roll_back();
                self.said.iter_mut().for_each(DuplicateFilter::forget);
                self.batch.liked.clear();
                Some(self.storage_fault(fault))
            }
        };
        let replies = std::mem::take(&mut self.batch.replies);
        for (lines_before, reply, outcome) in replies {
            // What a reader hears beside the lines keeps its place among them; all else is published at once.
            let beside = !matches!(outcome, Ok(Outcome::StagedLine(..) | Outcome::Liked(..)));
            if beside && fault.is_none() && matches!(reply, ReplyTo::Reader(..)) {
                self.publish_up_to(lines_before);
            }
            match (outcome, &fault) {
                (Ok(outcome), None) => self.acknowledge(reply, outcome),
                (Ok(Outcome::Liked(liked)), Some(_)) if self.is_as_asked(&liked) => {
                    self.acknowledge_like(reply, &liked);
                }
                (Ok(known @ Outcome::Known { durable: true, .. }), _) => {
                    self.acknowledge(reply, known)
                }
                (Ok(_), Some(fault)) => self.reject(reply, fault),
                (Err(reject), _) => self.reject(reply, &reject),
            }
        }
        if fault.is_none() {
            self.publish_up_to(self.batch.lines.len());
            self.note_likes();
        }
        self.batch.published = 0;
        self.batch.lines.clear();
        self.batch.bytes.clear();
    }

    /// Sends the batch's lines up to `end`, each once, in their order.
    fn publish_up_to(&mut self, end: usize) {
        let start = std::mem::replace(&mut self.batch.published, end);
        let mut shared_from = start;
        for at in start..end {
            self.take_note_of(at);
            if !self.batch.lines[at].visibility.is_shared() {
                self.publish_shared(shared_from..at);
                self.tell_owner(at);
                shared_from = at + 1;
            }
        }
        self.publish_shared(shared_from..end);
    }

    fn take_note_of(&mut self, at: usize) {
        let StagedLine { page, range, visibility, before, author, offset, .. } =
            &self.batch.lines[at];
        self.recent.push(*offset, &self.batch.bytes[range.clone()]);
        if *before == Some(Visibility::Hidden) && *visibility == Visibility::Public {
            self.subscribers.liked(page, self.batch.lines[at].id);
        }
        let counted = *before == Some(Visibility::Public);
        if counted != (*visibility == Visibility::Public) {
            self.subscribers.recount(page);
        }
        if self.rules.hold == Hold::New && *visibility == Visibility::Public {
            self.approved.extend(*author);
        }
    }

    fn publish_shared(&mut self, range: std::ops::Range<usize>) {
        let Batch { lines, bytes, .. } = &self.batch;
        let lines = lines[range].iter().map(|staged| {
            let line = &bytes[staged.range.clone()];
            let is_hidden = staged.visibility == Visibility::Hidden;
            let reduced = is_hidden.then(|| redacted(line).expect("a staged line is a comment's"));
            Published {
                page: &staged.page,
                line: reduced.map_or(Cow::Borrowed(line), Cow::Owned),
                has_content: staged.visibility == Visibility::Public,
            }
        });
        self.subscribers.publish(lines);
    }

    /// A line that is not for everyone goes to its author and to who asked for it.
    fn tell_owner(&self, at: usize) {
        let StagedLine { page, author, reader, range, .. } = &self.batch.lines[at];
        let mut readers =
            author.map_or(Vec::new(), |author| self.subscribers.readers_of(page, author));
        readers.extend(reader.filter(|reader| !readers.contains(reader)));
        for reader in readers {
            self.subscribers.send_to(reader, &self.batch.bytes[range.clone()]);
        }
    }

    fn acknowledge(&self, reply: ReplyTo, outcome: Outcome) {
        match (reply, outcome) {
            (ReplyTo::Callback(call), Outcome::StagedLine(at, what)) => {
                let line = self.batch.bytes[self.batch.lines[at].range.clone()].to_vec();
                call(Ok(Written { line, what }));
            }
            (ReplyTo::Callback(call), Outcome::Known { line, .. }) => {
                call(Ok(Written { line, what: WriteKind::Known }));
            }
            (ReplyTo::Reader(reader, _), Outcome::Known { line, .. }) => {
                self.subscribers.send_to(reader, &line)
            }
            (reply, Outcome::Liked(liked)) => self.acknowledge_like(reply, &liked),
            // The line itself, sent by `publish`, is the acknowledgement.
            (ReplyTo::Reader(..), Outcome::StagedLine(..)) => {}
        }
    }

    fn reject(&self, reply: ReplyTo, reject: &Rejection) {
        match reply {
            ReplyTo::Callback(call) => call(Err(reject.clone())),
            ReplyTo::Reader(reader, nonce) => {
                self.subscribers.send_to(reader, reject.to_json(nonce.as_deref()).as_bytes())
            }
        }
    }

    fn storage_fault(&self, fault: CommitError) -> Rejection {
        let sentence = fault.to_string();
        let (is_new, reject) = match fault {
            CommitError::Full => (!self.stats.full.swap(true, Relaxed), Rejection::StorageFull),
            CommitError::Failed(why) => {
                (self.stats.failed.set(why).is_ok(), Rejection::StorageFailed)
            }
        };
        if is_new {
            log::error!("{sentence}");
        }
        reject
    }

    fn unreadable(&self, error: &std::io::Error) -> Rejection {
        log::error!("reading a comment: {error}");
        Rejection::StorageFailed
    }

    fn publish_stats(&mut self) {
        self.stats.seq.store(self.log.next_seq() - 1, Relaxed);
        self.stats.comments.store(self.index.comment_count() as u64, Relaxed);
        self.stats.readers.store(self.subscribers.len() as u64, Relaxed);
    }
}
