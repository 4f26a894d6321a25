//! Compaction while serving: a thread does the long part, the hub takes over what it made between two batches.
//!
//! Knows neither files nor what a line says.

use std::{io, thread};

use crossbeam_channel::{Receiver, bounded};

use super::Keeper;
use crate::{
    compact::{Compacted, Job, is_worth_it},
    request::Call,
};

/// Who hears how a compaction ended.
type Listener = Call<Result<(u64, u64), String>>;

/// A compaction that is under way.
#[derive(Default)]
pub(super) struct Upkeep {
    made: Option<Receiver<io::Result<Compacted>>>,
    listeners: Vec<Listener>,
    /// After a failure nothing is tried by itself any more: it would fail again and again.
    has_failed: bool,
}

impl<S> Keeper<S> {
    /// Whether the hub must look again soon.
    pub(super) fn is_compacting(&self) -> bool {
        self.upkeep.made.is_some()
    }

    /// Begins to compact, if that is not under way.
    pub(super) fn compact(&mut self, listener: Listener) {
        self.upkeep.listeners.push(listener);
        if !self.is_compacting() {
            self.begin_to_compact();
        }
    }

    /// Once a turn: takes over what was compacted, or begins if most of the log is stale.
    pub(super) fn keep_up(&mut self) {
        match self.upkeep.made.as_ref().map(Receiver::try_recv) {
            Some(Ok(made)) => {
                self.upkeep.made = None;
                self.take_over(made);
            }
            // Still at it; a thread that panicked is told by its hook, and leaves the old log in use for ever.
            Some(Err(_)) => {}
            None if !self.upkeep.has_failed && is_worth_it(&self.log, &self.index) => {
                self.begin_to_compact()
            }
            None => {}
        }
    }

    fn begin_to_compact(&mut self) {
        let begun = Job::new(&self.log, &self.index).and_then(|job| {
            let (sender, made) = bounded(1);
            let work = move || drop(sender.send(job.work()));
            thread::Builder::new().name("compact".into()).spawn(work).map(|_| made)
        });
        match begun {
            Ok(made) => self.upkeep.made = Some(made),
            Err(error) => self.tell_listeners(Err(error.to_string())),
        }
    }

    fn take_over(&mut self, made: io::Result<Compacted>) {
        let before = self.log.end();
        let done = made.and_then(|made| made.adopt(&mut self.log, &mut self.index));
        match done {
            Ok(replaced) => {
                log::info!("the log was compacted from {before} to {} bytes", self.log.end());
                // Freeing a large file takes a file system many milliseconds; that is nothing the hub should wait for.
                let _ = thread::Builder::new().name("compact".into()).spawn(move || drop(replaced));
                self.tell_listeners(Ok((before, self.log.end())));
            }
            Err(error) => self.tell_listeners(Err(error.to_string())),
        }
    }

    fn tell_listeners(&mut self, outcome: Result<(u64, u64), String>) {
        if let Err(why) = &outcome {
            self.upkeep.has_failed = true;
            log::error!("the log could not be compacted, the old one stays in use: {why}");
        }
        for listener in std::mem::take(&mut self.upkeep.listeners) {
            listener(outcome.clone());
        }
    }
}
