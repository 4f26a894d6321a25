//! What has happened that somebody outside may want to be told: answers those who follow the log from a sequence number on.
//!
//! Only says where lines lie and what stands in memory; who asks reads them. Does not know who that is, nor what is worth telling.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crossbeam_channel::Sender;

use super::Hub;
use crate::{
    hub::command::Callback,
    log::{scan::Location, storage::ReadAt},
    store::index::CommentRef,
    store::moderation::Note,
};

/// Comments of one answer, so that passing over many that nobody is told about takes few questions.
const NEWS_MAX: usize = 64;

/// Somebody who follows the log.
#[derive(Debug)]
pub struct Listener {
    /// What the metrics call it.
    pub name: String,
    /// A channel with room for one: filled after each batch that was written, and never waited for.
    pub wake: Sender<()>,
    /// Up to where it has been told, or has nothing to be told.
    pub seq: AtomicU64,
    /// How often telling it has failed.
    pub failures: AtomicU64,
}

impl Listener {
    /// Tells it that there is something new, unless it knows.
    pub(super) fn wake(&self) {
        // It is full if that was said already.
        let _ = self.wake.try_send(());
    }

    /// How many sequence numbers it is behind the log, whose highest one is `seq`.
    pub fn lag(&self, seq: u64) -> u64 {
        seq.saturating_sub(self.seq.load(Relaxed))
    }
}

/// Which comments are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sought {
    /// The first ones with an id above this.
    After(u64),
    /// The one with this id.
    Id(u64),
}

/// Comments as they are now, by rising id.
pub struct News {
    /// Highest durable `seq` of the log.
    pub seq: u64,
    /// Length of the log, in bytes.
    pub end: u64,
    /// The log.
    pub file: Arc<dyn ReadAt>,
    /// The comments.
    pub comments: Vec<Present>,
    /// Whether there are more.
    pub more: bool,
}

/// A comment as it is now.
pub struct Present {
    /// Its newest line.
    pub item: CommentRef,
    /// The page where it lives now.
    pub page: Arc<str>,
    /// Its newest note.
    pub note: Option<Note>,
    /// How many flags nobody has settled.
    pub flags: usize,
    /// The line of the newest flag, if it is not settled.
    pub newest_flag: Option<Location>,
}

impl<S> Hub<S> {
    pub(super) fn tell_news(&self, sought: Sought, answer: Callback<News>) {
        let mut comments: Vec<Present> = match sought {
            Sought::Id(id) => {
                self.index.find(id).map(|item| self.present(item)).into_iter().collect()
            }
            Sought::After(after) => {
                let all = self.index.all_after(after).take(NEWS_MAX + 1);
                all.map(|item| self.present(item)).collect()
            }
        };
        let more = comments.len() > NEWS_MAX;
        comments.truncate(NEWS_MAX);
        answer(News {
            seq: self.log.next_seq() - 1,
            end: self.log.end(),
            file: self.log.reader(),
            comments,
            more,
        });
    }

    fn present(&self, item: CommentRef) -> Present {
        let flags = self.moderation.flags.get(&item.id).filter(|flags| flags.unsettled() > 0);
        Present {
            item,
            page: self.index.page_name(item.id).unwrap_or_default(),
            note: self.moderation.notes.get(&item.id).copied(),
            flags: flags.map_or(0, |flags| flags.unsettled()),
            newest_flag: flags.and_then(|flags| flags.flags.last()).map(|flag| flag.1),
        }
    }

    /// After a batch, which has written something unless it was empty.
    pub(super) fn wake_listeners(&self, was_empty: bool) {
        if was_empty {
            return;
        }
        self.stats.listeners.get().into_iter().flatten().for_each(|one| one.wake());
    }
}
