//! One reader of a shard: its outbox, and when it is closed.
//!
//! Does not know other readers.

use std::time::Instant;

use crate::{
    fanout::counters::Sends,
    fanout::frame::{self, CloseCode, Frames},
    fanout::outbox::{Flow, Outbox, Sink},
    fanout::{CLOSE_TIMEOUT, ReaderId, Tier, Topic},
};

/// A reader, as its shard knows it.
pub(super) struct Reader<S> {
    pub(super) id: ReaderId,
    pub(super) topic: Topic,
    /// Index of the reader's slot in `TopicReaders::slots`.
    pub(super) topic_index: usize,
    pub(super) tier: Tier,
    pub(super) outbox: Outbox<S>,
    /// How many of the topic's pending frames are in the outbox already.
    pub(super) queued: usize,
    /// Whether the reader is listed in `Shard::blocked`.
    pub(super) is_blocked: bool,
    pub(super) is_closing: bool,
}

impl<S: Sink> Reader<S> {
    /// Does the same as [`Outbox::try_send`] if there is only one pair of frames; else returns `None`.
    pub(super) fn try_send(
        &mut self,
        pending: &[(Frames, Frames)],
        sends: &mut Sends,
    ) -> Option<Flow> {
        let [both] = pending else { return None };
        let frames = self.tier.of(both);
        let flow = if self.is_closing { None } else { self.outbox.try_send(frames, sends) };
        self.is_blocked |= flow == Some(Flow::Blocked);
        flow
    }

    /// Appends live frames to the outbox, unless the reader is being closed.
    pub(super) fn queue(&mut self, pending: &[(Frames, Frames)]) {
        for both in pending.iter().filter(|_| !self.is_closing) {
            self.outbox.push_live(self.tier.of(both));
        }
    }

    /// Sends what is in the outbox, and begins to close the reader with 1013 if the outbox has overflowed.
    pub(super) fn advance(
        &mut self,
        sends: &mut Sends,
        closing: &mut Vec<(Instant, ReaderId)>,
    ) -> Flow {
        let must_close = |reader: &Self| reader.outbox.has_overflowed() && !reader.is_closing;
        let mut flow = Flow::Blocked;
        if !must_close(self) {
            flow = self.outbox.flush(sends);
        }
        if must_close(self) {
            self.is_closing = true;
            sends.closed_slow += 1;
            closing.push((Instant::now() + CLOSE_TIMEOUT, self.id));
            self.outbox.drop_for_close(frame::close(CloseCode::TryAgain).into());
            flow = self.outbox.flush(sends);
        }
        if flow == Flow::Clear && self.is_closing {
            self.outbox.shutdown_write();
        }
        flow
    }
}
