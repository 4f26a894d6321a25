//! Readers that have received more than there is here, from another machine: their questions wait until this one has caught up, so that they are
//! sent nothing twice.
//!
//! Only a cursor that proves itself waits. One that has waited too long is not good, and its client loads the comments again.

use std::{
    mem,
    time::{Duration, Instant},
};

use super::super::Hub;
use crate::hub::command::{HistoryRange, Join, Query, ReadHistory, StartAt, Subscription};

/// How long such a question waits: a machine that follows the stream is behind for some milliseconds.
pub const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(3);
/// Questions that wait at once; further ones are answered as if they had waited.
pub const EARLY_QUERIES_MAX: usize = 1_024;

/// A question that is about what is not here yet.
pub(super) struct Early<S> {
    /// Up to which `seq` the client has received everything.
    since: u64,
    until: Instant,
    query: Query<S>,
}

impl<S> Hub<S> {
    /// Keeps a question whose cursor is ahead of the log. Returns any other one.
    pub(in super::super) fn hold_early(&mut self, query: Query<S>) -> Option<Query<S>> {
        if let Query::Leave(reader) = &query {
            self.forget_early(*reader);
        }
        let since = self.early_cursor(&query);
        let early = self.proposals.as_mut().map(|proposals| &mut proposals.early);
        let room = early.filter(|early| early.len() < EARLY_QUERIES_MAX);
        let (Some(since), Some(early)) = (since, room) else { return Some(query) };
        early.push(Early { since, until: Instant::now() + CATCH_UP_TIMEOUT, query });
        None
    }

    /// Up to which `seq` a client has received everything, if it proves that and there is less here.
    fn early_cursor(&self, query: &Query<S>) -> Option<u64> {
        let cursor = match query {
            Query::Join(Join {
                subscription: Subscription::Page(_, StartAt::Since(cursor)),
                ..
            })
            | Query::ReadHistory(ReadHistory { range: HistoryRange::Since(cursor), .. }) => cursor,
            _ => return None,
        };
        let is_ahead = cursor.mark.is_some() && cursor.since >= self.log.next_seq();
        (is_ahead && self.is_believed(cursor)).then_some(cursor.since)
    }

    /// Forgets what a reader has asked that leaves before it was answered.
    fn forget_early(&mut self, reader: u64) {
        let is_of =
            |early: &Early<S>| matches!(&early.query, Query::Join(join) if join.reader == reader);
        if let Some(proposals) = &mut self.proposals {
            proposals.early.retain(|early| !is_of(early));
        }
    }

    /// Answers the questions whose cursors the log has reached, and those that have waited too long.
    pub(super) fn answer_early(&mut self) {
        let (next, now) = (self.log.next_seq(), Instant::now());
        let early = mem::take(&mut self.proposals().early);
        let (due, kept) = early
            .into_iter()
            .partition::<Vec<_>, _>(|early| early.since < next || early.until <= now);
        self.proposals().early = kept;
        for early in due {
            self.serve_now(early.query);
        }
    }
}
