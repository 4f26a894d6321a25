//! What the hub can be asked and what it answers: the one list of everything that can happen to comments.
//!
//! Does not know how a command came in, nor how its answer goes back.

use std::{net::IpAddr, sync::Arc};

use crossbeam_channel::Sender;

#[cfg(feature = "exchange")]
use crate::hub::imports::Import;
#[cfg(feature = "redis")]
use crate::hub::order::Ordered;
pub use crate::hub::stats::Stats;
use crate::{
    comment::draft::{Draft, Text},
    comment::hold_reason::HoldReason,
    comment::rejection::Rejection,
    comment::{Author, Status},
    fanout::{ReaderId, Tier},
    http::forwarded::ClientKey,
    hub::measure::{Find, Lines, Measure, PageState, Totals},
    hub::newest::ReadNewest,
    hub::news::{News, Sought},
    hub::rules::Hold,
    store::history::History,
    store::moderation::BanKey,
};

/// Commands that may wait in the hub's inbox. A batch takes all of them, so a longer inbox would only move the waiting from the
/// senders' sockets to here.
pub const INBOX_COMMANDS_MAX: usize = 1_024;

/// One command. `S` is what the fan-out writes to; the hub only passes it on.
pub enum Command<S> {
    /// Changes what is stored: becomes part of the batch.
    Write(Write),
    /// Changes nothing that is stored: served after the batch, so that nobody sees what is not on disk.
    Query(Query<S>),
    /// What comes from where several machines' lines are ordered.
    #[cfg(feature = "redis")]
    Ordered(Ordered),
}

impl<S> Command<S> {
    /// Whether it adds many comments at once.
    pub(super) fn is_import(&self) -> bool {
        matches!(self, Command::Write(write) if write.operation.is_import())
    }
}

/// A change of what is stored.
pub struct Write {
    /// What is to be done.
    pub operation: Operation,
    /// The client whose rate limit is charged, beside the author's.
    pub from: ClientKey,
    /// Its whole address, for the log.
    pub client: Option<IpAddr>,
    /// Who is told the outcome.
    pub reply: ReplyTo,
}

/// What a [`Write`] does.
#[cfg_attr(feature = "redis", derive(Clone))]
pub enum Operation {
    /// Adds a comment. The draft is valid already.
    Post(Draft),
    /// A post that was too fast, not rendered: answers with the comment that was posted with this nonce before.
    Repeat {
        /// The nonce.
        nonce: Box<str>,
        /// Who asks.
        author: Option<Author>,
        /// The answer if there is none.
        otherwise: Rejection,
    },
    /// Writes a new line for a known comment.
    Change {
        /// The comment.
        target: Target,
        /// What becomes of it.
        change: Change,
        /// Who asks for it.
        by: Actor,
        /// What a moderator says with it.
        decision: Decision,
    },
    /// Gives a like (`on`) or takes it back.
    Like {
        /// The comment.
        target: Target,
        /// Whether the like is given.
        on: bool,
        /// Whose like it is.
        author: Author,
    },
    /// A reader's flag: a moderator should look at the comment. Answered `{"flagged":ID}`.
    Flag {
        /// The comment.
        target: Target,
        /// Who flags it.
        author: Author,
    },
    /// Takes back what likes and flags there are of an author, from that of this comment on, named by page number and id. Answered with
    /// the comment from which on there may be more, or `null`.
    Forget(Author, (u32, u64)),
    /// Adds comments that were written elsewhere, one after another. Answered `{"ids":[…],"added":n,…}`.
    #[cfg(feature = "exchange")]
    Import(Import),
    /// What only a moderator, named by the last part, may do.
    Moderate(Measure, Arc<str>),
}

impl Operation {
    /// Whether a moderator or the owner asks for it.
    pub(super) fn is_moderators(&self) -> bool {
        match self {
            Operation::Change { by, .. } => by.is_moderator(),
            Operation::Post(draft) => draft.moderator.is_some(),
            Operation::Moderate(..) => true,
            #[cfg(feature = "exchange")]
            Operation::Import(_) => true,
            _ => false,
        }
    }

    /// Whether it adds many comments at once.
    pub(super) fn is_import(&self) -> bool {
        #[cfg(feature = "exchange")]
        if let Operation::Import(_) = self {
            return true;
        }
        false
    }

    /// The comment that a moderator changes by it.
    pub(super) fn moderated(&self) -> Option<u64> {
        match self {
            Operation::Change { target, by, .. } if by.is_moderator() => Some(target.id),
            _ => None,
        }
    }
}

/// What a moderator says with a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// The `seq` of the line that the decision is about; if the comment has a newer one, it is refused.
    pub seen: Option<u64>,
    /// Whether it is refused also if a moderator has decided since.
    pub is_first: bool,
    /// One line for the comment's author alone.
    pub reason: Option<Box<str>>,
}

/// A command that changes nothing that is stored.
pub enum Query<S> {
    /// A reader has connected.
    Join(Join<S>),
    /// A reader has gone.
    Leave(ReaderId),
    /// A reader has shown its author's key.
    Identify(ReaderId, Author, ClientKey),
    /// A reader is writing.
    Typing(ReaderId, ClientKey),
    /// Reads a part of a page's history, over HTTP.
    ReadHistory(ReadHistory),
    /// Reads the newest public comments.
    ReadNewest(ReadNewest),
    /// Counts the comments of each page.
    Count(Vec<String>, Callback<Vec<(String, u64)>>),
    /// Looks for comments of all pages, for moderators.
    Find(Find),
    /// Tells what moderators have said about an author or an address, as the ban's line and the note's.
    Whom(BanKey, Callback<Lines>),
    /// Tells the bans in force, newest first, as their lines.
    Bans(Callback<Lines>),
    /// Tells one page's state.
    Page(String, Callback<PageState>),
    /// Lists the pages that were written to last, at most so many, of those whose `seq` is below the number.
    Pages(Option<u64>, usize, Callback<(Vec<PageState>, bool)>),
    /// Tells comments as they are now to somebody who follows the log.
    News(Sought, Callback<News>),
    /// Rewrites the log with only the newest lines. Answers how many bytes it had and has now, or why it could not.
    Compact(Callback<Result<(u64, u64), String>>),
    /// Takes no more writes and sends all readers away.
    Stop,
}

/// The comment that is to be changed.
#[cfg_attr(feature = "redis", derive(Clone))]
pub struct Target {
    /// Its id.
    pub id: u64,
    /// The page it must be on, if one is given.
    pub page: Option<Box<str>>,
}

/// What becomes of a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It gets another text. If an author's text must wait, this is why, as far as the text tells without the hub's rules.
    Text(Text, Option<HoldReason>),
    /// It is shown to others, or hidden from them; for moderators only. One that was never public and is hidden is rejected: it stays
    /// pending, and [`Status::Pending`] takes that back.
    Status(Status),
    /// It stands before the other comments of its page (`true`), or no longer; for moderators only.
    Pinned(bool),
    /// It becomes a tombstone.
    Delete,
}

/// Who asks for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The author whose key was shown.
    pub author: Option<Author>,
    /// The name of the moderator who has shown a token, or whom a host page has signed.
    pub moderator: Option<Arc<str>>,
    /// Whether a host page has signed them; then they can be banned.
    pub is_signed: bool,
}

impl Edge {
    /// The edge from which reading in the same direction begins with this comment.
    pub fn at(self, id: u64) -> u64 {
        match self {
            Edge::Before(_) => id + 1,
            Edge::After(_) => id.saturating_sub(1),
        }
    }

    /// An edge of the same direction elsewhere.
    pub fn moved_to(self, id: u64) -> Edge {
        match self {
            Edge::Before(_) => Edge::Before(Some(id)),
            Edge::After(_) => Edge::After(id),
        }
    }
}

impl Actor {
    /// Whether a moderator asks.
    pub fn is_moderator(&self) -> bool {
        self.moderator.is_some()
    }
}

/// Where the outcome of a write goes.
pub enum ReplyTo {
    /// To a socket: an error carries the nonce; a new line reaches it together with everybody else.
    Reader(ReaderId, Option<String>),
    /// To a function.
    Callback(Callback<Result<Written, Rejection>>),
}

/// Takes an answer. It must not wait, since the hub runs it.
pub type Callback<T> = Box<dyn FnOnce(T) + Send>;

/// The outcome of a write that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The comment's present line from `{` to `}`, or the number of its likes.
    pub line: Vec<u8>,
    /// How that line came to be.
    pub what: WriteKind,
}

/// How the line of a [`Written`] came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
    /// A new public comment.
    Posted,
    /// A new comment that waits for a moderator.
    Held,
    /// Nothing new: the nonce was known, or the comment was as asked for already.
    Known,
    /// A known comment has a new line.
    Changed,
}

/// A reader that has connected.
pub struct Join<S> {
    /// Its number, which also chooses its shard.
    pub reader: ReaderId,
    /// Its write side.
    pub sink: S,
    /// The first bytes it is sent, before any frame.
    pub greeting: Vec<u8>,
    /// Which frames it gets.
    pub tier: Tier,
    /// What it follows.
    pub subscription: Subscription,
    /// Takes what the reader is to be sent first.
    pub joined: Callback<Joined>,
}

/// What a reader follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscription {
    /// A page.
    Page(String, StartAt),
    /// Every line of every page as it is stored, for a moderator.
    Moderation,
    /// Only how many comments these pages have; each is named once.
    Counts(Vec<String>),
}

/// Where a reader's history begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartAt {
    /// Now.
    Live,
    /// With the newest so many comments.
    Last(usize),
    /// Behind what the client has received already.
    Since(Cursor),
}

/// What a client has received already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The highest `seq` that it has received.
    pub since: u64,
    /// The log that this `seq` is of, if the client says so.
    pub log: Option<String>,
    /// The run in which it received it, if the client says so: only this proves that the log has not gone back meanwhile.
    pub mark: Option<String>,
}

/// What a reader that has joined is sent first. Live frames wait behind it.
pub struct Joined {
    /// The lines it asked for.
    pub history: History,
    /// Readers of the page, this one included.
    pub readers: u32,
    /// Whether the history begins at the reader's cursor; `None` if it gave none.
    pub resumed: Option<bool>,
    /// For a moderator, how much there is.
    pub totals: Totals,
    /// Which comments wait.
    pub hold: Hold,
}

/// A part of a page's history, read over HTTP.
pub struct ReadHistory {
    /// The page.
    pub page: String,
    /// The part of it.
    pub range: HistoryRange,
    /// Comments at most.
    pub limit: usize,
    /// Whether comments that wait for a moderator are included.
    pub moderator: bool,
    /// Takes the history, or [`Rejection::StaleCursor`].
    pub answer: Callback<Result<History, Rejection>>,
}

/// The part of a history that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryRange {
    /// The newest comments, or the newest of those before this id.
    Before(Option<u64>),
    /// Lines behind what the client has received already.
    Since(Cursor),
    /// At most so many threads, the oldest and newest answers of each. Beyond `limit` comments, no further thread is begun.
    Threads(Edge, usize),
    /// One thread, its answers by rising id.
    Thread {
        /// Any comment in it.
        id: u64,
        /// The answers behind this id.
        after: u64,
        /// Whether its first comment is included even if `after` is behind it.
        with_first: bool,
    },
}

/// Where threads, or comments of all pages, are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The newest threads, or the newest of those whose first comment is before this id.
    Before(Option<u64>),
    /// The oldest threads whose first comment is behind this id.
    After(u64),
}

/// The way to the hub, held by everyone who asks it.
pub struct HubHandle<S> {
    /// The hub's inbox.
    pub commands: Sender<Command<S>>,
    /// What the hub publishes.
    pub stats: Arc<Stats>,
}

impl<S> Clone for HubHandle<S> {
    fn clone(&self) -> HubHandle<S> {
        HubHandle { commands: self.commands.clone(), stats: self.stats.clone() }
    }
}

impl<S> HubHandle<S> {
    /// Sends a write, waiting while the inbox is full.
    ///
    /// # Errors
    /// [`Rejection::Stopping`] once the hub has ended.
    pub fn write(&self, write: Write) -> Result<(), Rejection> {
        self.send(Command::Write(write))
    }

    /// Sends a query, waiting while the inbox is full.
    ///
    /// # Errors
    /// [`Rejection::Stopping`] once the hub has ended.
    pub fn query(&self, query: Query<S>) -> Result<(), Rejection> {
        self.send(Command::Query(query))
    }

    fn send(&self, command: Command<S>) -> Result<(), Rejection> {
        self.commands.send(command).map_err(|_| Rejection::Stopping)
    }
}
