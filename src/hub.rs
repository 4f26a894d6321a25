//! All state, and the one thread that changes it.
//!
//! It takes what lies in its inbox, gives each draft its `seq` and time, makes the whole batch durable with one write and one
//! sync, then tells everyone, then takes the next: idle, a batch is one comment; busy, batches grow by themselves. Who only
//! wants to read is served after the batch, so that nobody sees what is not on disk. Knows no sockets and no HTTP.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant, SystemTime},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::{
    audience::{Audience, Fresh, counts_message},
    comment::{Author, Comment, Line, Status},
    config::{Config, Hold},
    draft::{Draft, Text},
    history::{History, redacted},
    index::{Entry, Index, Item, Sight},
    limits::{HISTORY_LINES_MAX, RESUME_BYTES_MAX, RESUME_LINES_MAX},
    log::{Fault, Log},
    address::Counted,
    fanout::ReaderId,
    rates::{Payer, Rates},
    reject::Reject,
    request::{By, Change, Done, Follow, From, Join, Part, Pulse, Read, Reply, Request, Welcome, What},
};

/// Bytes of lines after which a batch is written: a send of it still fits a socket's buffer.
const BATCH_BYTES_MAX: usize = 128 * 1024;
/// Requests taken into one batch, so that a flood of reads can't keep posts from being written.
const BATCH_REQUESTS_MAX: usize = 1_024;
/// Readers and counts are told this often at most.
const TELL_INTERVAL: Duration = Duration::from_secs(1);
/// How often each page is told its highest `seq`.
const SEQ_INTERVAL: Duration = Duration::from_secs(25);
/// Bytes of an HTTP answer's lines; with the rest of it below the relay's 1 MiB.
const ANSWER_BYTES_MAX: usize = 900 * 1024;
/// How far back an author's own waiting comments are looked for when a socket says whose it is.
const OWN_PENDING_SEARCHED_MAX: usize = 1_000;

/// What a posting client is and isn't allowed to, as configured.
#[derive(Debug, Clone)]
pub struct Rules {
    /// See `--hold`.
    pub hold: Hold,
    /// See `--page-prefix`.
    pub page_prefix: Vec<String>,
    /// See `--max-pages`.
    pub max_pages: u32,
}

impl Rules {
    /// The configured ones.
    pub fn of(config: &Config) -> Rules {
        Rules { hold: config.hold, page_prefix: config.page_prefix.clone(), max_pages: config.max_pages }
    }
}

/// See the [module](self). One thread owns it and ends it by dropping.
pub struct Keeper<S> {
    log: Log,
    log_id: Arc<str>,
    index: Index,
    audience: Audience<S>,
    rates: Option<Rates>,
    rules: Rules,
    /// Authors of a comment that everyone sees; only kept for `--hold new`.
    approved: HashSet<Author>,
    pulse: Arc<Pulse>,
    batch: Batch<S>,
    /// `created_at` of the batch's lines.
    now: String,
    started: Instant,
    stopping: bool,
}

/// What one turn has taken in.
struct Batch<S> {
    lines: Vec<Staged>,
    /// Public lines one after another.
    bytes: Vec<u8>,
    replies: Vec<(Reply, Done)>,
    /// Requests that change nothing, for after the commit.
    later: Vec<Request<S>>,
}

struct Staged {
    page: Box<str>,
    range: std::ops::Range<usize>,
    sight: Sight,
    /// What it was before; `None` for a new comment.
    before: Option<Sight>,
    /// The author who asked, by key.
    author: Option<Author>,
    /// The reader who asked.
    reader: Option<ReaderId>,
}

impl<S> Keeper<S> {
    /// The state on top of an opened log.
    pub fn new(log: Log, index: Index, audience: Audience<S>, rates: Option<Rates>, rules: Rules, pulse: Arc<Pulse>) -> Keeper<S> {
        let log_id = log.id().into();
        let batch = Batch { lines: Vec::new(), bytes: Vec::new(), replies: Vec::new(), later: Vec::new() };
        let mut keeper = Keeper {
            log,
            log_id,
            index,
            audience,
            rates,
            rules,
            approved: HashSet::new(),
            pulse,
            batch,
            now: String::new(),
            started: Instant::now(),
            stopping: false,
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
            let next = if self.audience.has_changes() { tell_at.min(seqs_at) } else { seqs_at };
            match inbox.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(first) => self.turn(std::iter::once(first).chain(inbox.try_iter())),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Instant::now();
            if now >= tell_at && self.audience.has_changes() {
                tell_at = now + TELL_INTERVAL;
                self.audience.tell_changes(|page| self.index.count(page));
            }
            if now >= seqs_at {
                seqs_at = now + SEQ_INTERVAL;
                self.audience.tell_seqs(|page| self.index.seq(page));
            }
        }
    }

    /// One batch.
    pub fn turn(&mut self, requests: impl Iterator<Item = Request<S>>) {
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
            Request::Change { id, change, by, from, reply } => (self.change(id, change, by, from), reply),
            other => return self.batch.later.push(other),
        };
        match outcome {
            Ok(done) => {
                if let (Some(staged), Reply::Reader(reader, _)) = (self.batch.lines.get_mut(staged_before), &reply) {
                    staged.reader = Some(*reader);
                }
                self.batch.replies.push((reply, done));
            }
            Err(reject) => self.reject(reply, &reject),
        }
    }

    fn post(&mut self, draft: Draft, from: Counted) -> Result<Done, Reject> {
        if self.stopping {
            return Err(Reject::Stopping);
        }
        if let Some(line) = draft.nonce.as_deref().and_then(|nonce| self.line_with_nonce(nonce)) {
            return Ok(Done { line, what: What::Known });
        }
        self.check_page(&draft.page)?;
        if let Some(parent) = draft.parent {
            let parent_item = self.index.find_on(&draft.page, parent);
            parent_item.filter(|item| item.sight == Sight::Public).ok_or(Reject::UnknownParent(parent))?;
        }
        self.pay(from, draft.author)?;
        let status = if self.must_wait(draft.links, draft.author) { Status::Pending } else { Status::Public };
        let seq = self.log.next_seq();
        let start = self.batch.bytes.len();
        Line {
            seq,
            id: seq,
            body: &draft.body,
            created_at: &self.now,
            edited_at: None,
            deleted: false,
            nonce: draft.nonce.as_deref(),
            status,
        }
        .encode(&mut self.batch.bytes);
        let sight = Sight::of(status, false);
        let line = self.stage(start, seq, seq, &draft.page, sight, None, draft.author, draft.nonce.as_deref());
        Ok(Done { line, what: if status == Status::Pending { What::Held } else { What::Posted } })
    }

    fn change(&mut self, id: u64, change: Change, by: By, from: Counted) -> Result<Done, Reject> {
        if self.stopping {
            return Err(Reject::Stopping);
        }
        let item = self.index.find(id).ok_or(Reject::UnknownComment(id))?;
        let line = self.log.read(item.place).map_err(|error| self.unreadable(&error))?;
        let mut comment = Comment::parse(&line).map_err(|error| self.unreadable(&error.into()))?;
        if comment.deleted {
            let gone = if change == Change::Delete { Ok(Done { line, what: What::Known }) } else { Err(Reject::Deleted(id)) };
            return if item.sight.is_shared() || by.moderator { gone } else { Err(Reject::UnknownComment(id)) };
        }
        let author = comment.author.clone();
        let is_author = by.author.is_some_and(|by| author.as_deref() == Some(&by.to_string()));
        if !is_author && !by.moderator {
            return Err(if item.sight.is_shared() { Reject::NotAuthor(id) } else { Reject::UnknownComment(id) });
        }
        match change {
            Change::Delete => comment.bury(),
            Change::Text(text) => {
                self.pay(from, by.author)?;
                self.retext(&mut comment, text, by);
            }
            Change::Status(_) if !by.moderator => return Err(Reject::NotModerator),
            Change::Status(status) => comment.status = status,
        }
        comment.seq = self.log.next_seq();
        let start = self.batch.bytes.len();
        comment.encode(&mut self.batch.bytes);
        let sight = Sight::of(comment.status, comment.deleted);
        let by_author = by.author.filter(|_| is_author);
        let line = self.stage(start, id, comment.seq, &comment.page, sight, Some(item.sight), by_author, None);
        Ok(Done { line, what: What::Changed })
    }

    fn retext(&self, comment: &mut Comment, text: Text, by: By) {
        // What would have had to wait as a new comment doesn't get in by an edit.
        if !by.moderator && comment.status == Status::Public && self.must_wait(text.has_links(), by.author) {
            comment.status = Status::Hidden;
        }
        comment.content = text.content;
        comment.html = text.html;
        comment.edited_at = Some(self.now.clone());
    }

    #[allow(clippy::too_many_arguments)]
    fn stage(
        &mut self,
        start: usize,
        id: u64,
        seq: u64,
        page: &str,
        sight: Sight,
        before: Option<Sight>,
        author: Option<Author>,
        nonce: Option<&str>,
    ) -> Vec<u8> {
        let range = start..self.batch.bytes.len();
        let line = self.batch.bytes[range.clone()].to_vec();
        let place = self.log.stage(&line);
        self.index.put(Entry { id, seq, place, sight, page, nonce });
        self.batch.lines.push(Staged { page: page.into(), range, sight, before, author, reader: None });
        line
    }

    /// Makes the batch durable, and only then known.
    fn finish(&mut self) {
        let written = if self.batch.lines.is_empty() { Ok(()) } else { self.log.commit() };
        let replies = std::mem::take(&mut self.batch.replies);
        match written {
            Ok(()) => {
                self.index.keep();
                self.publish();
                for (reply, done) in replies {
                    self.acknowledge(reply, done);
                }
            }
            Err(fault) => {
                self.index.roll_back();
                let reject = self.storage_fault(fault);
                for (reply, _) in replies {
                    self.reject(reply, &reject);
                }
            }
        }
        self.batch.lines.clear();
        self.batch.bytes.clear();
    }

    fn publish(&mut self) {
        self.pulse.full.store(false, Relaxed);
        let mut reduced = Vec::new();
        for staged in &self.batch.lines {
            let line = &self.batch.bytes[staged.range.clone()];
            reduced.push((staged.sight == Sight::Hidden).then(|| redacted(line).expect("a staged line is a comment's")));
            if staged.before.is_none_or(|before| (before == Sight::Public) != (staged.sight == Sight::Public)) {
                self.audience.recount(&staged.page);
            }
            if let Some(author) = staged.author.filter(|_| self.rules.hold == Hold::New && staged.sight == Sight::Public) {
                self.approved.insert(author);
            }
        }
        let shared = self.batch.lines.iter().zip(&reduced).filter(|(staged, _)| staged.sight.is_shared());
        self.audience.publish(shared.map(|(staged, reduced)| Fresh {
            page: &staged.page,
            line: reduced.as_deref().unwrap_or(&self.batch.bytes[staged.range.clone()]),
            has_content: staged.sight == Sight::Public,
        }));
        for staged in self.batch.lines.iter().filter(|staged| !staged.sight.is_shared()) {
            let mut readers = staged.author.map_or(Vec::new(), |author| self.audience.readers_of(&staged.page, author));
            readers.extend(staged.reader.filter(|reader| !readers.contains(reader)));
            for reader in readers {
                self.audience.tell(reader, &self.batch.bytes[staged.range.clone()]);
            }
        }
    }

    fn acknowledge(&self, reply: Reply, done: Done) {
        match reply {
            Reply::Call(call) => call(Ok(done)),
            Reply::Reader(reader, _) if done.what == What::Known => self.audience.tell(reader, &done.line),
            // The line itself, sent by `publish`, is the acknowledgement.
            Reply::Reader(..) => {}
        }
    }

    fn reject(&self, reply: Reply, reject: &Reject) {
        match reply {
            Reply::Call(call) => call(Err(reject.clone())),
            Reply::Reader(reader, nonce) => self.audience.tell(reader, reject.to_json(nonce.as_deref()).as_bytes()),
        }
    }

    fn storage_fault(&self, fault: Fault) -> Reject {
        log::error!("{fault}");
        match fault {
            Fault::Full => {
                self.pulse.full.store(true, Relaxed);
                Reject::StorageFull
            }
            Fault::Failed(why) => {
                let _ = self.pulse.failed.set(why);
                Reject::StorageFailed
            }
        }
    }

    fn unreadable(&self, error: &std::io::Error) -> Reject {
        log::error!("reading a comment: {error}");
        Reject::StorageFailed
    }

    fn check_page(&self, page: &str) -> Result<(), Reject> {
        let prefixes = &self.rules.page_prefix;
        if !prefixes.is_empty() && !prefixes.iter().any(|prefix| page.starts_with(&**prefix)) {
            return Err(Reject::PageNotAllowed(page.into()));
        }
        if self.index.page_count() >= self.rules.max_pages as usize && !self.index.has_page(page) {
            return Err(Reject::TooManyPages(self.rules.max_pages));
        }
        Ok(())
    }

    fn pay(&mut self, from: Counted, author: Option<Author>) -> Result<(), Reject> {
        let Some(rates) = &mut self.rates else { return Ok(()) };
        let payers = [Some(Payer::Address(from)), author.map(Payer::Author)];
        let payers: Vec<Payer> = payers.into_iter().flatten().collect();
        rates.take(&payers, self.started.elapsed()).map_err(Reject::TooFast)
    }

    fn must_wait(&self, links: bool, author: Option<Author>) -> bool {
        match self.rules.hold {
            Hold::None => false,
            Hold::Links => links,
            Hold::New => !author.is_some_and(|author| self.approved.contains(&author)),
            Hold::All => true,
        }
    }

    /// The present line of the comment that was posted with this nonce, as everyone may see it: nonces are public once a
    /// comment is.
    fn line_with_nonce(&self, nonce: &str) -> Option<Vec<u8>> {
        let mut found = None;
        let item = self.index.find_nonce(nonce, |item| {
            let line = self.log.read(item.place).ok();
            found = line.filter(|line| Comment::parse(line).is_ok_and(|comment| comment.nonce.as_deref() == Some(nonce)));
            found.is_some()
        })?;
        if item.sight == Sight::Hidden { redacted(&found?).ok() } else { found }
    }

    fn serve(&mut self, request: Request<S>) {
        match request {
            Request::Join(join) => self.join(join),
            Request::Leave(reader) => self.audience.leave(reader),
            Request::Bind(reader, author) => self.bind(reader, author),
            Request::Typing(reader, name) => self.audience.typing(reader, name.as_deref()),
            Request::Read(read) => self.read(read),
            Request::Count(pages, answer) => {
                let counts = pages.into_iter().map(|page| (self.index.count(&page), page));
                answer(counts.map(|(count, page)| (page, count)).collect());
            }
            Request::Stop => {
                self.stopping = true;
                self.audience.goodbye();
            }
            Request::Post { .. } | Request::Change { .. } => unreachable!("these are in the batch"),
        }
    }

    fn join(&mut self, join: Join<S>) {
        let Join { reader, sink, tier, follow, welcome } = join;
        let welcome_message = match follow {
            Follow::Page(page, from) => {
                let (items, resumed) = self.first_items(&page, &from);
                let history = self.history(&page, items, false, false);
                let readers = self.audience.join(reader, sink, tier, &page);
                Welcome { history, readers, resumed }
            }
            Follow::Counts(pages) => {
                let counts = counts_message(pages.iter().map(|page| (&**page, self.index.count(page))));
                self.audience.watch(reader, sink, pages);
                self.audience.tell(reader, counts.as_bytes());
                Welcome { history: self.history("", Vec::new(), false, false), readers: 0, resumed: None }
            }
        };
        let _ = welcome.try_send(welcome_message);
    }

    /// What a new reader gets first, and whether that begins at its cursor.
    fn first_items(&self, page: &str, from: &From) -> (Vec<Item>, Option<bool>) {
        match from {
            From::Live => (Vec::new(), None),
            From::Last(count) => {
                let newest = self.index.newest(page, None).filter(|item| item.sight.is_shared());
                let (mut items, _) = bounded(newest, (*count).min(HISTORY_LINES_MAX), RESUME_BYTES_MAX);
                items.reverse();
                (items, None)
            }
            From::Since(seq, log) if **log == *self.log_id && *seq < self.log.next_seq() => {
                let newer = self.index.since(page, *seq).filter(|item| item.sight.is_shared());
                match bounded(newer, RESUME_LINES_MAX, RESUME_BYTES_MAX) {
                    (items, false) => (items, Some(true)),
                    (_, true) => (Vec::new(), Some(false)),
                }
            }
            From::Since(..) => (Vec::new(), Some(false)),
        }
    }

    fn bind(&mut self, reader: ReaderId, author: Author) {
        let Some(page) = self.audience.bind(reader, author) else { return };
        let searched = self.index.newest(page, None).take(OWN_PENDING_SEARCHED_MAX);
        let mut waiting: Vec<Item> = searched.filter(|item| item.sight == Sight::Pending).collect();
        waiting.reverse();
        let pseudonym = author.to_string();
        for line in waiting.iter().filter_map(|item| self.log.read(item.place).ok()) {
            if Comment::parse(&line).is_ok_and(|comment| comment.author.as_deref() == Some(&pseudonym)) {
                self.audience.tell(reader, &line);
            }
        }
    }

    fn read(&mut self, read: Read) {
        let Read { page, part, limit, moderator, answer } = read;
        let seen = |item: &Item| moderator || item.sight.is_shared();
        let (items, more) = match part {
            Part::Before(before) => {
                let (mut items, more) = bounded(self.index.newest(&page, before).filter(seen), limit, ANSWER_BYTES_MAX);
                items.reverse();
                (items, more)
            }
            Part::Since(seq) => bounded(self.index.since(&page, seq).filter(seen), limit, ANSWER_BYTES_MAX),
        };
        answer(self.history(&page, items, more, moderator));
    }

    fn history(&self, page: &str, items: Vec<Item>, more: bool, moderator: bool) -> History {
        History {
            log: self.log_id.clone(),
            seq: self.index.seq(page),
            count: self.index.count(page),
            items,
            more,
            file: self.log.reader(),
            moderator,
        }
    }

    fn beat(&mut self) {
        self.pulse.seq.store(self.log.next_seq() - 1, Relaxed);
        self.pulse.comments.store(self.index.comment_count() as u64, Relaxed);
        self.pulse.readers.store(self.audience.len() as u64, Relaxed);
    }
}

/// As many items as fit, and whether there are more.
fn bounded(items: impl Iterator<Item = Item>, count: usize, bytes: usize) -> (Vec<Item>, bool) {
    let (mut taken, mut sum) = (Vec::new(), 0);
    for item in items {
        sum += item.place.len as usize + 2;
        if taken.len() == count || (sum > bytes && !taken.is_empty()) {
            return (taken, true);
        }
        taken.push(item);
    }
    (taken, false)
}
