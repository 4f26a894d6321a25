//! What `sayso serve` asks of several machines, in a build that knows only one: nothing.
//!
//! Stands in for `cluster.rs`, so that `serve` is the same for both.

use std::path::Path;

use super::{
    config::{Config, Hold},
    signals::Signals,
};
use crate::{
    error::Error,
    hub::{Hub, command::HubHandle},
    log::runs::Runs,
    store::Store,
};

/// Opens the log.
pub(super) fn open_store(config: &Config) -> Result<Store, Error> {
    Store::open(&config.data, config.sync, config.hold == Hold::New)
}

/// There is none.
pub(super) enum PreparedNode {}

/// There is none.
pub(super) enum Running {}

impl PreparedNode {
    pub(super) fn open(
        _: &Config,
        _: &mut Store,
        _: &Signals,
    ) -> Result<Option<PreparedNode>, Error> {
        Ok(None)
    }

    pub(super) fn take_runs(&mut self) -> Runs {
        match *self {}
    }

    pub(super) fn join<S>(&mut self, _: &mut Hub<S>, _: &Path) {
        match *self {}
    }

    pub(super) fn start<S>(&self, _: &HubHandle<S>) -> Result<Running, Error> {
        match *self {}
    }

    pub(super) fn end(&self, _: &Path) -> Result<(), Error> {
        match *self {}
    }
}

impl Running {
    pub(super) fn stop(self) {
        match self {}
    }
}
