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
    comment::rejection::Reject,
    fanout::ReaderId,
    fanout::subscribers::{Audience, Fresh},
    hub::command::{Done, Pulse, Reply, Request, What},
    hub::line_cache::Recent,
    hub::rate_limit::{Rates, Said},
    hub::rules::{Hold, Rules},
    log::{Fault, Log},
    store::history::redacted,
    store::index::{Entry, Index},
    store::likes::Likes,
    store::visibility::Sight,
    util::threads,
};

/// Bytes of lines after which a batch is written: a send of it still fits a socket's buffer.
const BATCH_BYTES_MAX: usize = 128 * 1024;
/// Requests taken into one batch, so that a flood of reads can't keep posts from being written.
const BATCH_REQUESTS_MAX: usize = 1_024;
/// Readers and counts are told this often at most.
const TELL_INTERVAL: Duration = Duration::from_secs(1);
/// How often each page is told its highest `seq`.
const SEQ_INTERVAL: Duration = Duration::from_secs(25);

/// How often the hub looks whether a compaction is done, while one is under way.
const COMPACTION_LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// See the [module](self). One thread owns it and ends it by dropping.
pub struct Keeper<S> {
    log: Log,
    log_id: Arc<str>,
    index: Index,
    likes: Likes,
    audience: Audience<S>,
    rates: Option<Rates>,
    like_rates: Option<Rates>,
    /// None where anybody may be as fast as they like.
    said: Option<Said>,
    rules: Rules,
    /// Authors of a comment that everyone sees; only kept for `--hold new`.
    approved: HashSet<Author>,
    pulse: Arc<Pulse>,
    batch: Batch<S>,
    /// `created_at` of the batch's lines.
    now: String,
    started: Instant,
    stopping: bool,
    upkeep: compaction::Upkeep,
    recent: Recent,
}

/// What one turn has taken in.
struct Batch<S> {
    lines: Vec<Staged>,
    /// Page and id of each comment that another number likes.
    liked: Vec<(Box<str>, u64)>,
    /// Public lines one after another.
    bytes: Vec<u8>,
    /// In the order of their requests, each with the number of lines before it.
    replies: Vec<(usize, Reply, Result<Outcome, Reject>)>,
    /// Lines that were sent.
    published: usize,
    /// Requests that change nothing, for after the commit.
    later: Vec<Request<S>>,
}

/// What becomes of a draft or a change that is in order.
enum Outcome {
    /// The batch's line with this number, if the batch becomes durable.
    Staged(usize, What),
    /// Nothing new: this is the present line; one that was durable before this batch is so whatever becomes of it.
    Known { line: Vec<u8>, durable: bool },
    /// A heart, if the batch becomes durable or it was so before.
    Liked(likes::Liked),
}

/// A line that was just encoded.
struct Made<'a> {
    id: u64,
    seq: u64,
    page: &'a str,
    sight: Sight,
    before: Option<Sight>,
    author: Option<Author>,
    nonce: Option<&'a str>,
}

struct Staged {
    id: u64,
    page: Box<str>,
    range: std::ops::Range<usize>,
    /// In the log.
    offset: u64,
    sight: Sight,
    /// What it was before; `None` for a new comment.
    before: Option<Sight>,
    /// Whose comment it is.
    author: Option<Author>,
    /// The reader who asked.
    reader: Option<ReaderId>,
}

impl<S> Keeper<S> {
    /// The state on top of an opened log.
    pub fn new(
        log: Log,
        (index, likes): (Index, Likes),
        audience: Audience<S>,
        rates: Option<Rates>,
        rules: Rules,
        pulse: Arc<Pulse>,
    ) -> Keeper<S> {
        let log_id = log.id().into();
        let batch = Batch {
            lines: Vec::new(),
            liked: Vec::new(),
            published: 0,
            bytes: Vec::new(),
            replies: Vec::new(),
            later: Vec::new(),
        };
        let mut keeper = Keeper {
            log,
            log_id,
            index,
            likes,
            audience,
            like_rates: likes::rates(rates.as_ref()),
            said: rates.as_ref().map(|_| Said::default()),
            rates,
            rules,
            approved: HashSet::new(),
            pulse,
            batch,
            now: String::new(),
            started: Instant::now(),
            stopping: false,
            upkeep: compaction::Upkeep::default(),
            recent: Recent::default(),
        };
        keeper.beat();
        keeper
    }

    /// `--hold new` lets these authors through.
    pub fn approve(&mut self, author: Author) {
        self.approved.insert(author);
    }

    /// Serves until nobody is left who could ask.
    pub fn run(mut self, inbox: Receiver<Request<S>>) {
        let mut tell_at = Instant::now();
        let mut seqs_at = Instant::now() + SEQ_INTERVAL;
        loop {
            let mut next = if self.audience.has_changes() { tell_at.min(seqs_at) } else { seqs_at };
            if self.is_compacting() {
                next = next.min(Instant::now() + COMPACTION_LOOK_INTERVAL);
            }
            match inbox.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(first) => self.turn(&mut threads::after_others(first, &inbox)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.keep_up();
            let now = Instant::now();
            if now >= tell_at && self.audience.has_changes() {
                tell_at = now + TELL_INTERVAL;
                self.audience.tell_changes(
                    |page| self.index.count(page),
                    |id| likes::seen(&self.index, &self.likes, id),
                );
            }
            if now >= seqs_at {
                seqs_at = now + SEQ_INTERVAL;
                self.audience.tell_seqs(|page| self.index.seq(page));
            }
        }
    }

    /// One batch.
    pub fn turn(&mut self, requests: &mut dyn Iterator<Item = Request<S>>) {
        self.now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        self.index.begin();
        for request in requests.take(BATCH_REQUESTS_MAX) {
            self.take(request);
            if self.batch.bytes.len() >= BATCH_BYTES_MAX {
                break;
            }
        }
        self.finish();
        for request in std::mem::take(&mut self.batch.later) {
            self.serve(request);
        }
        self.beat();
    }

    fn take(&mut self, request: Request<S>) {
        let staged_before = self.batch.lines.len();
        let (outcome, reply) = match request {
            Request::Post { draft, from, reply } => (self.post(draft, from), reply),
            Request::Change { asked, change, by, from, reply } => {
                (self.change(asked, change, by, from), reply)
            }
            Request::Like { asked, on, author, from, reply } => {
                (self.like(asked, on, author, from), reply)
            }
            other => return self.batch.later.push(other),
        };
        if let (Some(staged), Reply::Reader(reader, _)) =
            (self.batch.lines.get_mut(staged_before), &reply)
        {
            staged.reader = Some(*reader);
        }
        self.batch.replies.push((self.batch.lines.len(), reply, outcome));
    }

    /// Takes the line that lies in the batch from `start` on into log and index, and returns its number in the batch.
    fn stage(&mut self, start: usize, made: Made) -> usize {
        let Made { id, seq, page, sight, before, author, nonce } = made;
        let range = start..self.batch.bytes.len();
        let place = self.log.stage(&self.batch.bytes[range.clone()]);
        self.index.put(Entry { id, seq, place, sight, page, nonce });
        self.batch.lines.push(Staged {
            id,
            page: page.into(),
            range,
            offset: place.offset,
            sight,
            before,
            author,
            reader: None,
        });
        self.batch.lines.len() - 1
    }

    /// Makes the batch durable, and only then known, in the order of the requests.
    fn finish(&mut self) {
        let is_empty = self.batch.lines.is_empty() && self.batch.liked.is_empty();
        let fault = match if is_empty { Ok(()) } else { self.log.commit() } {
            Ok(()) => {
                self.index.keep();
                self.likes.keep();
                self.pulse.full.fetch_and(is_empty, Relaxed);
                // Before anybody hears of it, so that nobody is then served an older page.
                self.pulse.seq.store(self.log.next_seq() - 1, Relaxed);
                None
            }
            Err(fault) => {
                self.likes.roll_back();
                self.index.roll_back();
                self.said.iter_mut().for_each(Said::forget);
                self.batch.liked.clear();
                Some(self.storage_fault(fault))
            }
        };
        let replies = std::mem::take(&mut self.batch.replies);
        for (lines_before, reply, outcome) in replies {
            // What a reader hears beside the lines keeps its place among them; all else is published at once.
            let beside = !matches!(outcome, Ok(Outcome::Staged(..) | Outcome::Liked(..)));
            if beside && fault.is_none() && matches!(reply, Reply::Reader(..)) {
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
            if !self.batch.lines[at].sight.is_shared() {
                self.publish_shared(shared_from..at);
                self.tell_owner(at);
                shared_from = at + 1;
            }
        }
        self.publish_shared(shared_from..end);
    }

    fn take_note_of(&mut self, at: usize) {
        let Staged { page, range, sight, before, author, offset, .. } = &self.batch.lines[at];
        self.recent.push(*offset, &self.batch.bytes[range.clone()]);
        if *before == Some(Sight::Hidden) && *sight == Sight::Public {
            self.audience.liked(page, self.batch.lines[at].id);
        }
        let counted = *before == Some(Sight::Public);
        if counted != (*sight == Sight::Public) {
            self.audience.recount(page);
        }
        if self.rules.hold == Hold::New && *sight == Sight::Public {
            self.approved.extend(*author);
        }
    }

    fn publish_shared(&mut self, range: std::ops::Range<usize>) {
        let Batch { lines, bytes, .. } = &self.batch;
        let lines = lines[range].iter().map(|staged| {
            let line = &bytes[staged.range.clone()];
            let is_hidden = staged.sight == Sight::Hidden;
            let reduced = is_hidden.then(|| redacted(line).expect("a staged line is a comment's"));
            Fresh {
                page: &staged.page,
                line: reduced.map_or(Cow::Borrowed(line), Cow::Owned),
                has_content: staged.sight == Sight::Public,
            }
        });
        self.audience.publish(lines);
    }

    /// A line that is not for everyone goes to its author and to who asked for it.
    fn tell_owner(&self, at: usize) {
        let Staged { page, author, reader, range, .. } = &self.batch.lines[at];
        let mut readers =
            author.map_or(Vec::new(), |author| self.audience.readers_of(page, author));
        readers.extend(reader.filter(|reader| !readers.contains(reader)));
        for reader in readers {
            self.audience.tell(reader, &self.batch.bytes[range.clone()]);
        }
    }

    fn acknowledge(&self, reply: Reply, outcome: Outcome) {
        match (reply, outcome) {
            (Reply::Call(call), Outcome::Staged(at, what)) => {
                let line = self.batch.bytes[self.batch.lines[at].range.clone()].to_vec();
                call(Ok(Done { line, what }));
            }
            (Reply::Call(call), Outcome::Known { line, .. }) => {
                call(Ok(Done { line, what: What::Known }));
            }
            (Reply::Reader(reader, _), Outcome::Known { line, .. }) => {
                self.audience.tell(reader, &line)
            }
            (reply, Outcome::Liked(liked)) => self.acknowledge_like(reply, &liked),
            // The line itself, sent by `publish`, is the acknowledgement.
            (Reply::Reader(..), Outcome::Staged(..)) => {}
        }
    }

    fn reject(&self, reply: Reply, reject: &Reject) {
        match reply {
            Reply::Call(call) => call(Err(reject.clone())),
            Reply::Reader(reader, nonce) => {
                self.audience.tell(reader, reject.to_json(nonce.as_deref()).as_bytes())
            }
        }
    }

    fn storage_fault(&self, fault: Fault) -> Reject {
        let sentence = fault.to_string();
        let (is_new, reject) = match fault {
            Fault::Full => (!self.pulse.full.swap(true, Relaxed), Reject::StorageFull),
            Fault::Failed(why) => (self.pulse.failed.set(why).is_ok(), Reject::StorageFailed),
        };
        if is_new {
            log::error!("{sentence}");
        }
        reject
    }

    fn unreadable(&self, error: &std::io::Error) -> Reject {
        log::error!("reading a comment: {error}");
        Reject::StorageFailed
    }

    fn beat(&mut self) {
        self.pulse.seq.store(self.log.next_seq() - 1, Relaxed);
        self.pulse.comments.store(self.index.comment_count() as u64, Relaxed);
        self.pulse.readers.store(self.audience.len() as u64, Relaxed);
    }
}
