//! Reads the threads of a page's pinned comments that are older than the newest threads, so that the page can show them first.
//!
//! Knows no HTML.

use std::sync::Arc;

use super::PAGE_COMMENTS;
use crate::{
    comment::rejection::Rejection,
    hub::command::{Callback, Command, Edge, HistoryRange, HubHandle, Query, ReadHistory},
    limits::{FIRST_ANSWERS, THREADS_MAX},
    store::history::History,
    util::stream::Stream,
};

/// Makes the command that reads the newest threads of `page`. Behind these, `done` gets each thread of a pinned comment that they lack.
pub(super) fn newest_with_pinned(
    hub: HubHandle<Arc<Stream>>,
    page: String,
    done: Callback<Result<Vec<History>, Rejection>>,
) -> ReadHistory {
    let name = page.clone();
    let answer = Box::new(move |read: Result<History, Rejection>| match read {
        Ok(newest) => {
            let has = |id: u64| newest.items.iter().any(|item| item.id == id);
            let lacks = newest.pinned.iter().filter(|id| !has(**id));
            let missing = lacks.map(|&id| Missing { id, is_answer: false }).collect();
            read_next(hub, name, missing, vec![newest], done);
        }
        Err(rejection) => done(Err(rejection)),
    });
    let range = HistoryRange::Threads(Edge::Before(None), THREADS_MAX);
    ReadHistory { page, range, limit: PAGE_COMMENTS, moderator: false, answer }
}

/// A pinned comment that has not been read.
struct Missing {
    id: u64,
    /// Whether it is known to be an answer. Of its thread all is read that fits, since it may be in the middle.
    is_answer: bool,
}

/// Reads the missing threads one after the other. Runs in the hub's thread, so it doesn't wait for room in the hub's inbox: what can't be
/// read then is left out.
fn read_next(
    hub: HubHandle<Arc<Stream>>,
    page: String,
    mut missing: Vec<Missing>,
    mut found: Vec<History>,
    done: Callback<Result<Vec<History>, Rejection>>,
) {
    let Some(Missing { id, is_answer }) = missing.pop() else { return done(Ok(found)) };
    let (next, name) = (hub.clone(), page.clone());
    let answer = Box::new(move |read: Result<History, Rejection>| {
        if let Ok(mut thread) = read {
            let first = thread.items.first().map(|first| first.id);
            let has =
                |first| found.iter().flat_map(|known| &known.items).any(|item| item.id == first);
            if !is_answer && first != Some(id) {
                missing.push(Missing { id, is_answer: true });
            } else if first.is_some_and(|first| !has(first)) {
                // What is left out stands behind the first answers, as in all other threads.
                if is_answer && thread.more {
                    thread.items.truncate(1 + FIRST_ANSWERS);
                    thread.recent.truncate(1 + FIRST_ANSWERS);
                }
                found.push(thread);
            }
        }
        read_next(next, name, missing, found, done);
    });
    let range = match is_answer {
        false => HistoryRange::Threads(Edge::Before(id.checked_add(1)), 1),
        true => HistoryRange::Thread { id, after: 0, with_first: true },
    };
    let read = ReadHistory { page, range, limit: PAGE_COMMENTS, moderator: false, answer };
    if let Err(full) = hub.commands.try_send(Command::Query(Query::ReadHistory(read)))
        && let Command::Query(Query::ReadHistory(read)) = full.into_inner()
    {
        (read.answer)(Err(Rejection::Stopping));
    }
}
