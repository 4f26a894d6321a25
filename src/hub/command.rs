//! What the hub can be asked, and what it answers: the one list of everything that happens to comments.
//!
//! Knows neither how a request came nor how its answer goes back.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicU64},
};

use crossbeam_channel::Sender;

use crate::{
    comment::draft::{Draft, Text},
    comment::rejection::Reject,
    comment::{Author, Status},
    fanout::{ReaderId, Tier},
    http::forwarded::Counted,
    store::history::History,
};

/// Requests that may wait for the hub. A batch takes them all; more would only mean that senders wait here instead of at their sockets.
pub const INBOX_REQUESTS_MAX: usize = 1_024;

/// One request; `S` is what the fan-out sends to, which the hub only passes on.
pub enum Request<S> {
    /// A new comment.
    Post {
        /// Already valid.
        draft: Draft,
        /// Whose bucket pays, beside the author's.
        from: Counted,
        /// Who hears of it.
        reply: Reply,
    },
    /// A new line for a known comment.
    Change {
        /// Which.
        asked: Asked,
        /// What becomes of it.
        change: Change,
        /// Who asks.
        by: By,
        /// Whose bucket pays.
        from: Counted,
        /// Who hears of it.
        reply: Reply,
    },
    /// A heart, given or taken.
    Like {
        /// To which comment.
        asked: Asked,
        /// Given.
        on: bool,
        /// By whom.
        author: Author,
        /// Whose bucket pays, beside the author's.
        from: Counted,
        /// Who hears of it.
        reply: Reply,
    },
    /// A new reader.
    Join(Join<S>),
    /// A reader has gone.
    Leave(ReaderId),
    /// A reader has shown whose it is.
    Bind(ReaderId, Author),
    /// A reader is writing.
    Typing(ReaderId, Option<String>),
    /// A part of a page's history, over HTTP.
    Read(Read),
    /// Comments per page.
    Count(Vec<String>, Call<Vec<(String, u64)>>),
    /// Rewrite the log with only the newest lines; answers how many bytes it had and has, or why not.
    Compact(Call<Result<(u64, u64), String>>),
    /// Finish, and say goodbye to all readers.
    Stop,
}

/// The comment that is to be changed.
pub struct Asked {
    /// Its id.
    pub id: u64,
    /// It must be on this page, if one is given.
    pub page: Option<Box<str>>,
}

/// What becomes of a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Another text.
    Text(Text),
    /// Another audience; moderators only.
    Status(Status),
    /// A tombstone.
    Delete,
}

/// Who asks for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct By {
    /// Whose key was shown.
    pub author: Option<Author>,
    /// The moderator's token was shown.
    pub moderator: bool,
}

/// Where the outcome of a request goes.
pub enum Reply {
    /// To a socket. Its line comes with everyone's; errors carry the nonce.
    Reader(ReaderId, Option<String>),
    /// To whoever made this.
    Call(Call<Result<Done, Reject>>),
}

/// Takes an answer somewhere; must not wait, the hub runs it.
pub type Call<T> = Box<dyn FnOnce(T) + Send>;

/// What was done: the comment's present line, or how many like it, and how it came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// From `{` to `}`.
    pub line: Vec<u8>,
    /// How.
    pub what: What,
}

/// See [`Done`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A new public comment.
    Posted,
    /// A new comment that waits for a moderator.
    Held,
    /// The nonce was known, or the comment is deleted already: nothing new.
    Known,
    /// A known comment has a new line.
    Changed,
}

/// A new reader.
pub struct Join<S> {
    /// Its number; chooses the shard.
    pub reader: ReaderId,
    /// Its write side.
    pub sink: S,
    /// The first bytes it is sent, before any frame.
    pub greeting: Vec<u8>,
    /// Which frames it gets.
    pub tier: Tier,
    /// What it wants to follow.
    pub follow: Follow,
    /// Hears how it went; a channel with room for one.
    pub welcome: Sender<Welcome>,
}

/// What a reader follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Follow {
    /// A page, from somewhere on.
    Page(String, From),
    /// Only how many comments these pages have, each named once.
    Counts(Vec<String>),
}

/// Where a reader's history begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// Now.
    Live,
    /// The newest so many comments.
    Last(usize),
    /// Behind this `seq` of this log.
    Since(u64, String),
}

/// A reader is in: what it is sent first. Live frames wait until it has that.
pub struct Welcome {
    /// The lines asked for.
    pub history: History,
    /// Readers of the page, this one included.
    pub readers: u32,
    /// Whether the history begins where the reader's cursor is; `None` if it gave none.
    pub resumed: Option<bool>,
}

/// A part of a page's history, over HTTP.
pub struct Read {
    /// Which page.
    pub page: String,
    /// Which part.
    pub part: Part,
    /// Comments at most.
    pub limit: usize,
    /// Also those that wait for a moderator.
    pub moderator: bool,
    /// Who reads it.
    pub answer: Call<History>,
}

/// See [`Read`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The newest comments, or those before this id.
    Before(Option<u64>),
    /// Lines behind this `seq`.
    Since(u64),
}

/// What anybody may look at without asking the hub.
#[derive(Debug, Default)]
pub struct Pulse {
    /// Highest durable `seq` of the log.
    pub seq: AtomicU64,
    /// The last batch found no room.
    pub full: AtomicBool,
    /// Why storage can't be trusted any more.
    pub failed: OnceLock<String>,
    /// Comments, deleted ones included.
    pub comments: AtomicU64,
    /// Sockets that follow something.
    pub readers: AtomicU64,
}

/// What everyone who asks the hub holds.
pub struct Hub<S> {
    /// The hub's inbox.
    pub requests: Sender<Request<S>>,
    /// What the hub lets be seen.
    pub pulse: Arc<Pulse>,
}

impl<S> Clone for Hub<S> {
    fn clone(&self) -> Hub<S> {
        Hub { requests: self.requests.clone(), pulse: self.pulse.clone() }
    }
}

impl<S> Hub<S> {
    /// Asks, waiting while the inbox is full.
    ///
    /// # Errors
    /// [`Reject::Stopping`] once the hub has ended.
    pub fn ask(&self, request: Request<S>) -> Result<(), Reject> {
        self.requests.send(request).map_err(|_| Reject::Stopping)
    }
}
