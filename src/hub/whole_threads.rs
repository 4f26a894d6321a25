//! Selects threads of a page, and of each the oldest and the newest answers.
//!
//! Works on the index alone.

use super::reads::{ANSWER_BYTES_MAX, bounded};
use crate::{
    hub::command::Edge,
    limits::{FIRST_ANSWERS, NEWEST_ANSWERS},
    store::index::{CommentRef, Index, Thread},
};

/// Ids of threads' first comments, and how many answers each thread has; only of those that have more than were selected.
pub(super) type Answers = Vec<(u64, u64)>;

/// As many whole threads as `count`, `limit` in comments and the size of a response allow, at least one, oldest first, and whether
/// there are more. After each first comment come its answers.
pub(super) fn select(
    index: &Index,
    page: &str,
    edge: Edge,
    count: usize,
    limit: usize,
    answers: &mut Answers,
) -> (Vec<CommentRef>, bool) {
    match edge {
        Edge::Before(before) => {
            let (mut threads, more) =
                take(index.threads_before(page, before), count, limit, answers);
            threads.reverse();
            (threads.concat(), more)
        }
        Edge::After(after) => {
            let (threads, more) = take(index.threads_after(page, after), count, limit, answers);
            (threads.concat(), more)
        }
    }
}

fn take<'a>(
    threads: impl Iterator<Item = Thread<'a>>,
    count: usize,
    limit: usize,
    answers: &mut Answers,
) -> (Vec<Vec<CommentRef>>, bool) {
    let (mut taken, mut comments, mut bytes) = (Vec::new(), 0, 0);
    for thread in threads {
        // A single thread fits into a response unless nearly all of its lines are as long as a line can be.
        let mut newest = NEWEST_ANSWERS;
        let mut items = ends(thread, newest);
        while size(&items) > ANSWER_BYTES_MAX && newest > 0 {
            newest -= 1;
            items = ends(thread, newest);
        }
        comments += items.len();
        bytes += size(&items);
        let is_over = comments > limit || bytes > ANSWER_BYTES_MAX;
        if taken.len() == count || (is_over && !taken.is_empty()) {
            return (taken, true);
        }
        if thread.len() > FIRST_ANSWERS + newest {
            answers.push((thread.id(), thread.len() as u64));
        }
        taken.push(items);
    }
    (taken, false)
}

fn ends(thread: Thread, newest: usize) -> Vec<CommentRef> {
    thread.first().into_iter().chain(thread.ends(FIRST_ANSWERS, newest)).collect()
}

fn size(items: &[CommentRef]) -> usize {
    items.iter().map(|item| item.location.len as usize + 2).sum()
}

/// As many comments of a thread with an id above `after` as fit, at least one, and whether there are more.
pub(super) fn select_one(
    thread: Thread,
    after: u64,
    with_first: bool,
    limit: usize,
    answers: &mut Answers,
) -> (Vec<CommentRef>, bool) {
    let first = thread.first().filter(|first| with_first || first.id > after);
    let mut items = first.into_iter().chain(thread.after(after));
    let (items, more) = bounded(&mut items, limit, ANSWER_BYTES_MAX);
    if more {
        answers.push((thread.id(), thread.len() as u64));
    }
    (items, more)
}
