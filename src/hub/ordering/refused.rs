//! Writes that can't be ordered, or not in time: tells who sent them.
//!
//! A refused write may have been appended after all. Whoever repeats it with its nonce is then answered with the comment.

use std::{mem, sync::atomic::Ordering::Relaxed};

use super::{super::Hub, Proposals, WAITING_TIMEOUT, Waiting};
use crate::{
    comment::rejection::Rejection, hub::command::ReplyTo, hub::rate_limit::DuplicateFilter,
    log::CommitError, util::activity,
};

impl<S> Hub<S> {
    /// Refuses what is in flight and what waits to be.
    pub(super) fn refuse_all(&mut self, rejection: &Rejection) {
        let Proposals { in_flight, waiting, order, .. } = self.proposals();
        order.settle();
        let all: Vec<_> = mem::take(in_flight).into_iter().chain(mem::take(waiting)).collect();
        for waiting in all {
            self.reject_waiting(waiting, rejection);
        }
    }

    pub(super) fn refuse_waiting(&mut self) {
        let rejection = match self.stats.full.load(Relaxed) {
            // What others have written finds no room here either.
            true => Rejection::StorageFull,
            false => Rejection::StreamUnavailable,
        };
        for waiting in mem::take(&mut self.proposals().waiting) {
            self.reject_waiting(waiting, &rejection);
        }
    }

    /// Refuses writes whose lines could not be stored here, so that none is to be proposed. Returns those of which a copy was proposed before:
    /// it may be in the stream, and is waited for.
    pub(super) fn refuse_unstorable(
        &mut self,
        error: CommitError,
        writes: Vec<Waiting>,
    ) -> Vec<Waiting> {
        self.duplicates.iter_mut().for_each(DuplicateFilter::forget);
        let rejection = self.storage_fault(error);
        let (mut sent, new): (Vec<_>, Vec<_>) =
            writes.into_iter().partition(|waiting| !waiting.sent.is_empty());
        sent.iter_mut().for_each(|waiting| waiting.is_proposed = false);
        for waiting in new {
            self.reject_waiting(waiting, &rejection);
        }
        sent
    }

    pub(super) fn reject_waiting(&mut self, waiting: Waiting, rejection: &Rejection) {
        let Waiting { reply, client, .. } = waiting;
        if let (Rejection::StreamUnavailable, Some(stats)) = (rejection, self.stats.cluster.get()) {
            stats.refused.fetch_add(1, Relaxed);
        }
        if matches!(reply, ReplyTo::Reader(..)) {
            activity::refused(rejection.code(), client);
        }
        self.reject(reply, rejection);
    }

    pub(super) fn refuse_late(&mut self) {
        let is_late = |waiting: &Waiting| waiting.since.elapsed() >= WAITING_TIMEOUT;
        let Proposals { waiting, in_flight, .. } = self.proposals();
        // Those that came first wait longest.
        let late_waiting = waiting.iter().take_while(|one| is_late(one)).count();
        let mut late: Vec<Waiting> = waiting.drain(..late_waiting).collect();
        let (late_in_flight, kept) = mem::take(in_flight).into_iter().partition(is_late);
        *in_flight = kept;
        late.extend::<Vec<_>>(late_in_flight);
        if late.is_empty() {
            return;
        }
        if in_flight.is_empty() {
            self.proposals().order.settle();
        }
        for waiting in late {
            self.reject_waiting(waiting, &Rejection::StreamUnavailable);
        }
    }
}
