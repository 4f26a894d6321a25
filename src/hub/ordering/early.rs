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
    until: Instant,
    query: Query<S>,
}

impl<S> Hub<S> {
    /// Keeps a question whose cursor is ahead of the log. Returns any other one.
    pub(in super::super) fn hold_early(&mut self, query: Query<S>) -> Option<Query<S>> {
        if let Query::Leave(reader) = &query {
            self.forget_early(*reader);
        }
        if !self.is_early(&query) {
            return Some(query);
        }
        let early = self.proposals.as_mut().map(|proposals| &mut proposals.early);
        let room = early.filter(|early| early.len() < EARLY_QUERIES_MAX);
        let Some(early) = room else { return Some(query) };
        early.push(Early { until: Instant::now() + CATCH_UP_TIMEOUT, query });
        None
    }

    /// Whether a client proves that it has received more than there is here.
    fn is_early(&self, query: &Query<S>) -> bool {
        let cursor = match query {
            Query::Join(Join {
                subscription: Subscription::Page(_, StartAt::Since(cursor)),
                ..
            })
            | Query::ReadHistory(ReadHistory { range: HistoryRange::Since(cursor), .. }) => cursor,
            _ => return false,
        };
        cursor.mark.is_some() && cursor.since >= self.log.next_seq() && self.is_believed(cursor)
    }

    /// Forgets what a reader has asked that leaves before it was answered.
    fn forget_early(&mut self, reader: u64) {
        let is_of =
            |early: &Early<S>| matches!(&early.query, Query::Join(join) if join.reader == reader);
        if let Some(proposals) = &mut self.proposals {
            proposals.early.retain(|early| !is_of(early));
        }
    }

    /// Answers the questions whose cursors the log has reached or no run proves any more, and those that have waited too long.
    pub(super) fn answer_early(&mut self) {
        let now = Instant::now();
        let early = mem::take(&mut self.proposals().early);
        let (due, kept) = early
            .into_iter()
            .partition::<Vec<_>, _>(|early| early.until <= now || !self.is_early(&early.query));
        self.proposals().early = kept;
        for early in due {
            self.serve_now(early.query);
        }
    }
}
