//! `--redis` of `sayso serve`: what a node needs before it listens, and what is left to say when it ends.
//!
//! Knows in which order that happens, not how the order of lines is kept.

use std::{mem, path::Path, sync::Arc};

use signal_hook::{consts::SIGTERM, low_level::raise};

use super::{
    config::{Config, Hold, RedisOptions},
    signals::Signals,
};
pub(super) use crate::cluster::Cluster as Running;
use crate::{
    cluster::{self, Memory, NodeHandle, Options},
    error::Error,
    hub::order::LogEnd,
    hub::{Hub, command::HubHandle},
    log::{Log, runs::Runs, salt, tail},
    store::Store,
};

/// Opens the log, with its lines' hashes if several machines keep it.
pub(super) fn open_store(config: &Config) -> Result<Store, Error> {
    let with_authors = config.hold == Hold::New;
    match config.redis {
        Some(_) => Store::open_chained(&config.data, config.sync, with_authors),
        None => {
            let store = Store::open(&config.data, config.sync, with_authors)?;
            let file = store.log.reader();
            let is_shared = tail::is_chained(file, store.log.end());
            if is_shared.map_err(Error::io("read", &config.data))? {
                log::warn!(
                    "the log in {} is kept by several machines; what is written without --redis parts it from theirs",
                    config.data.display()
                );
            }
            Ok(store)
        }
    }
}

/// A node that is not running yet.
pub(super) struct PreparedNode {
    options: Options,
    memory: Memory,
    /// The marks that it spoke last.
    runs: Runs,
    handle: Option<Arc<NodeHandle>>,
}

impl PreparedNode {
    /// The node, if there is `--redis`; see [`PreparedNode::prepare`].
    pub(super) fn open(
        config: &Config,
        store: &mut Store,
        signals: &Signals,
    ) -> Result<Option<PreparedNode>, Error> {
        let redis = config.redis.as_ref();
        redis
            .map(|redis| PreparedNode::prepare(redis, &config.data, &mut store.log, signals))
            .transpose()
    }

    /// The marks that it spoke last, for the hub.
    pub(super) fn take_runs(&mut self) -> Runs {
        mem::take(&mut self.runs)
    }

    /// Reads what the node knew when it ended last. One whose log has no line waits until Redis tells which log it is to be.
    ///
    /// # Errors
    /// Fails if a file can't be read or written, or if a signal ends the wait.
    fn prepare(
        redis: &RedisOptions,
        data: &Path,
        log: &mut Log,
        signals: &Signals,
    ) -> Result<PreparedNode, Error> {
        let RedisOptions { url, address, name, keep } = redis.clone();
        let options = Options { url, name, keep: keep.into() };
        let salt = salt::open(data)?;
        let mut memory = Memory { runs: Vec::new(), highest: 0, salt };
        if log.last_seq() == 0 {
            let mut said = None;
            let id = cluster::first_contact(&options, LogEnd::of(log), &memory, |why| {
                if let Some(why) = why.filter(|why| said.as_deref() != Some(*why)) {
                    log::warn!(
                        "waiting for the Redis at {address}, since there is no comment here yet: {why}"
                    );
                    said = Some(why.to_owned());
                }
                !signals.is_stopped()
            })?;
            if let Some(id) = id {
                log.adopt_id(&id).map_err(Error::io("begin", data))?;
            }
        }
        let runs = Runs::open_of_stream(data, log.id())?;
        (memory.runs, memory.highest) = (runs.list(), runs.number());
        Ok(PreparedNode { options, memory, runs, handle: None })
    }

    /// Lets the hub order its lines by the stream.
    pub(super) fn join<S>(&mut self, hub: &mut Hub<S>, data: &Path) {
        let on_parted = Box::new(|| {
            // As a person would: readers are sent away, and what was written is on disk.
            let _ = raise(SIGTERM);
        });
        let (handle, order, stats) =
            cluster::join(hub.log_end(), &self.memory, self.options.keep, on_parted);
        hub.order_by(order, data.to_owned(), stats);
        self.handle = Some(handle);
    }

    /// Starts the node's threads, once the hub runs.
    ///
    /// # Errors
    /// Fails if no thread can be started.
    pub(super) fn start<S: Send + 'static>(&self, hub: &HubHandle<S>) -> Result<Running, Error> {
        let handle = self.handle.clone().expect("it has joined the hub that runs");
        Running::start(handle, &self.options, hub)
    }

    /// After everything has ended: says what a person must do, if the log has parted from the stream.
    ///
    /// # Errors
    /// [`Error::Other`] if it has.
    pub(super) fn end(&self, data: &Path) -> Result<(), Error> {
        let Some(handle) = &self.handle else { return Ok(()) };
        match cluster::set_aside(data, handle)? {
            Some(what) => Err(Error::Other(what)),
            None => Ok(()),
        }
    }
}
