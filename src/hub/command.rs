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
    comment::rejection::Rejection,
    comment::{Author, Status},
    fanout::{ReaderId, Tier},
    http::forwarded::ClientKey,
    store::history::History,
};

/// Requests that may wait for the hub. A batch takes them all; more would only mean that senders wait here instead of at their sockets.
pub const INBOX_COMMANDS_MAX: usize = 1_024;

/// One request; `S` is what the fan-out sends to, which the hub only passes on.
pub enum Command<S> {
    /// A new comment.
    Post {
        /// Already valid.
        draft: Draft,
        /// Whose bucket pays, beside the author's.
        from: ClientKey,
        /// Who hears of it.
        reply: ReplyTo,
    },
    /// A new line for a known comment.
    Change {
        /// Which.
        target: Target,
        /// What becomes of it.
        change: Change,
        /// Who asks.
        by: Actor,
        /// Whose bucket pays.
        from: ClientKey,
        /// Who hears of it.
        reply: ReplyTo,
    },
    /// A heart, given or taken.
    Like {
        /// To which comment.
        target: Target,
        /// Given.
        on: bool,
        /// By whom.
        author: Author,
        /// Whose bucket pays, beside the author's.
        from: ClientKey,
        /// Who hears of it.
        reply: ReplyTo,
    },
    /// A new reader.
    Join(Join<S>),
    /// A reader has gone.
    Leave(ReaderId),
    /// A reader has shown whose it is.
    Identify(ReaderId, Author),
    /// A reader is writing.
    Typing(ReaderId, Option<String>),
    /// A part of a page's history, over HTTP.
    ReadHistory(ReadHistory),
    /// Comments per page.
    Count(Vec<String>, Callback<Vec<(String, u64)>>),
    /// Rewrite the log with only the newest lines; answers how many bytes it had and has, or why not.
    Compact(Callback<Result<(u64, u64), String>>),
    /// Finish, and say goodbye to all readers.
    Stop,
}

/// The comment that is to be changed.
pub struct Target {
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
pub struct Actor {
    /// Whose key was shown.
    pub author: Option<Author>,
    /// The moderator's token was shown.
    pub moderator: bool,
}

/// Where the outcome of a request goes.
pub enum ReplyTo {
    /// To a socket. Its line comes with everyone's; errors carry the nonce.
    Reader(ReaderId, Option<String>),
    /// To whoever made this.
    Callback(Callback<Result<Written, Rejection>>),
}

/// Takes an answer somewhere; must not wait, the hub runs it.
pub type Callback<T> = Box<dyn FnOnce(T) + Send>;

/// What was done: the comment's present line, or how many like it, and how it came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// From `{` to `}`.
    pub line: Vec<u8>,
    /// How.
    pub what: WriteKind,
}

/// See [`Written`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
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
    pub follow: Subscription,
    /// Hears how it went; a channel with room for one.
    pub welcome: Sender<Joined>,
}

/// What a reader follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscription {
    /// A page, from somewhere on.
    Page(String, StartAt),
    /// Only how many comments these pages have, each named once.
    Counts(Vec<String>),
}

/// Where a reader's history begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartAt {
    /// Now.
    Live,
    /// The newest so many comments.
    Last(usize),
    /// Behind this `seq` of this log.
    Since(u64, String),
}

/// A reader is in: what it is sent first. Live frames wait until it has that.
pub struct Joined {
    /// The lines asked for.
    pub history: History,
    /// Readers of the page, this one included.
    pub readers: u32,
    /// Whether the history begins where the reader's cursor is; `None` if it gave none.
    pub resumed: Option<bool>,
}

/// A part of a page's history, over HTTP.
pub struct ReadHistory {
    /// Which page.
    pub page: String,
    /// Which part.
    pub part: Range,
    /// Comments at most.
    pub limit: usize,
    /// Also those that wait for a moderator.
    pub moderator: bool,
    /// Who reads it.
    pub answer: Callback<History>,
}

/// See [`ReadHistory`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// The newest comments, or those before this id.
    Before(Option<u64>),
    /// Lines behind this `seq`.
    Since(u64),
}

/// What anybody may look at without asking the hub.
#[derive(Debug, Default)]
pub struct Stats {
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
pub struct HubHandle<S> {
    /// The hub's inbox.
    pub commands: Sender<Command<S>>,
    /// What the hub lets be seen.
    pub stats: Arc<Stats>,
}

impl<S> Clone for HubHandle<S> {
    fn clone(&self) -> HubHandle<S> {
        HubHandle { commands: self.commands.clone(), stats: self.stats.clone() }
    }
}

impl<S> HubHandle<S> {
    /// Asks, waiting while the inbox is full.
    ///
    /// # Errors
    /// [`Rejection::Stopping`] once the hub has ended.
    pub fn ask(&self, request: Command<S>) -> Result<(), Rejection> {
        self.commands.send(request).map_err(|_| Rejection::Stopping)
    }
}
