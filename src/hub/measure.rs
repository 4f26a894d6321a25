//! What moderators can ask of the hub besides changing one comment, and what it answers: bans, closed pages, notes, and searches.
//!
//! Does not know how a moderator proves to be one.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    comment::Author,
    hub::command::{Callback, Edge},
    log::{scan::Location, storage::ReadAt},
    store::index::CommentRef,
    store::moderation::BanKey,
    util::text::is_false,
};

/// What a moderator does besides changing one comment.
#[cfg_attr(feature = "redis", derive(Clone))]
pub enum Measure {
    /// Bans somebody. Answered `{"bans":[lines],"hidden":[ids]}`.
    Ban(BanRequest),
    /// Ends a ban, and shows those of `restore` again that a ban has hidden. Answered `{"restored":[ids]}`.
    Unban {
        /// Who was banned.
        key: BanKey,
        /// Comments that the ban may have hidden; others are passed over.
        restore: Vec<u64>,
    },
    /// Hides comments of a banned author, as a ban does; others are passed over. Answered `{"hidden":[ids]}`.
    Hide(Author, Vec<u64>),
    /// Shows those of these comments again that a ban has hidden. Answered `{"restored":[ids]}`.
    Restore(Vec<u64>),
    /// Closes a page to posts (`true`) or opens it. Answered with its [`PageState`].
    Lock(Box<str>, bool),
    /// Makes pages live elsewhere, each with all its comments: pairs of old and new names, one after another up to the first that can't
    /// be moved; at most [`MOVES_AT_ONCE_MAX`](super::moves::MOVES_AT_ONCE_MAX). Answered
    /// `{"moved":[{"page":OLD,"to":NEW,"comments":n}]}`, with those that had not moved there already, and with `"refused":"why"` if
    /// there is one that can't. If that is the first, it is refused.
    Move(Vec<(Box<str>, Box<str>)>),
    /// The same for all pages whose name begins with the first text: there, theirs begins with the second one. Answered likewise, with
    /// `"more":true` if it is to be asked again for those that are left.
    MovePrefix(Box<str>, Box<str>),
    /// Writes a private note about an author; an empty one removes it. Answered with its line.
    AuthorNote(Author, String),
}

/// Whom a ban concerns, and how.
#[cfg_attr(feature = "redis", derive(Clone))]
pub struct BanRequest {
    /// Its author.
    pub whom: Whom,
    /// Also the address that the comment came from.
    pub with_address: bool,
    /// What is written waits instead of being refused.
    pub hold: bool,
    /// Comments of the banned author that are hidden in the same step; others are passed over. Those known to come from a banned
    /// address are added if this is given.
    pub hide: Option<Vec<u64>>,
    /// For so many seconds; `None`: for ever.
    pub seconds: Option<u64>,
}

/// Who is to be banned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// This author.
    Author(Author),
    /// The author of this comment, and with `with_address` whoever writes from where it came.
    Comment(u64),
}

/// How much there is for moderators.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Comments that wait.
    pub pending: u64,
    /// Comments with flags that nobody has settled.
    pub flagged: u64,
    /// Comments that everyone sees.
    pub public: u64,
    /// Comments that were taken away or rejected.
    pub hidden: u64,
    /// Comments that are deleted.
    pub deleted: u64,
    /// Bans, ended ones too until the next start.
    pub banned: u64,
}

/// What moderators look for.
pub struct Find {
    /// Which comments.
    pub wanted: Wanted,
    /// On this page only.
    pub page: Option<String>,
    /// Where to begin, and whether with the newest or with the oldest. With a page, only newest first.
    pub from: Edge,
    /// Comments at most.
    pub limit: usize,
    /// Takes what was found.
    pub answer: Callback<Found>,
}

/// Which comments moderators look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All, deleted ones included.
    All,
    /// Those that wait and are not rejected.
    Pending,
    /// Those that were taken away or rejected.
    Hidden,
    /// Those that everyone sees.
    Public,
    /// Those with flags that nobody has settled.
    Flagged,
    /// Deleted ones.
    Deleted,
    /// The one with this id.
    Id(u64),
}

/// Comments that moderators looked for, in the order that was asked for.
pub struct Found {
    /// Id of the log.
    pub log: Arc<str>,
    /// Mark of the run.
    pub mark: Arc<str>,
    /// Highest durable `seq` of the log.
    pub seq: u64,
    /// The comments, with the line of the newest note and the number of unsettled flags of each.
    pub items: Vec<(CommentRef, Option<Location>, usize)>,
    /// The id to continue from in the same direction; `None` if there are no more.
    pub next: Option<u64>,
    /// The log.
    pub file: Arc<dyn ReadAt>,
}

/// Lines of the log that are still to be read.
pub struct Lines {
    /// Where they lie; what is asked for and isn't there is `None`.
    pub lines: Vec<Option<Location>>,
    /// The log.
    pub file: Arc<dyn ReadAt>,
}

/// A page as moderators see it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PageState {
    /// Its name.
    pub page: Box<str>,
    /// Public comments.
    pub count: u64,
    /// Comments that wait, as far as 1,000 tell.
    pub pending: u64,
    /// Comments that were taken away or rejected, as far as 1,000 that have changed tell.
    pub hidden: u64,
    /// Whether it is closed to posts.
    #[serde(skip_serializing_if = "is_false")]
    pub locked: bool,
    /// Ids of its pinned comments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pinned: Vec<u64>,
    /// The highest `seq` of its comments.
    pub seq: u64,
}
