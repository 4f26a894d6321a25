//! What the hub asks of whoever orders its lines, in a build that knows only one machine: nothing.
//!
//! Stands in for `ordering.rs`, so that the rest of the hub is the same for both.

use std::time::{Duration, SystemTime};

use super::Hub;
use crate::hub::command::Query;

impl<S> Hub<S> {
    /// The order of lines is that of this log.
    pub(super) fn is_shared(&self) -> bool {
        false
    }

    /// Everything is validated once.
    pub(super) fn is_again(&self) -> bool {
        false
    }

    /// Nobody else needs the log as it is.
    pub(super) fn may_compact(&self) -> bool {
        true
    }

    /// The time of new lines.
    pub(super) fn time(&self) -> SystemTime {
        SystemTime::now()
    }

    /// No write waits for its turn.
    pub(super) fn longest_order_wait(&self) -> Duration {
        Duration::MAX
    }

    pub(super) fn look_at_order(&mut self) {}

    pub(super) fn tell_end(&mut self) {}

    pub(super) fn tell_presence(&mut self) {}

    /// Nobody has received more than there is here.
    pub(super) fn hold_early(&mut self, query: Query<S>) -> Option<Query<S>> {
        Some(query)
    }
}
