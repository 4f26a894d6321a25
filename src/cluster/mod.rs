//! Several machines with one conversation: each has the whole log, and a stream in Redis or Valkey carries the order of its lines.
//!
//! [`node`] decides, [`script.lua`](call) compares and appends, [`client`] speaks to Redis, and two threads ([`threads`]) join them: one calls
//! the script, the other reads the stream and hands its lines to the hub. Reading, resuming and starting never ask Redis.
//!
#![doc = include_str!("README.md")]

pub mod call;
pub mod client;
mod connector;
mod handle;
pub mod node;
mod own_log;
mod parting;
pub mod presence;
mod threads;

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

pub use self::handle::NodeHandle;
use self::{
    call::Run,
    client::{Client, ClientError},
    handle::StreamOrder,
    node::{Link, Node},
    presence::{Listeners, PresenceChannel},
};
use crate::{
    error::Error,
    hub::cluster_stats::ClusterStats,
    hub::command::{Command, HubHandle},
    hub::order::{LogEnd, Order, Ordered},
    log::salt::Salt,
    util::threads as util_threads,
};

/// How long stopping waits for what is in flight.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
/// How often stopping looks meanwhile, and how often a start that must wait for Redis tries again.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Which stream, and how much of it is kept.
#[derive(Clone)]
pub struct Options {
    /// Where Redis is; may hold a password.
    pub url: String,
    /// Name of the stream.
    pub name: String,
    /// Entries that it keeps, about.
    pub keep: u64,
}

/// What a node knew when it ended last.
pub struct Memory {
    /// The runs that it spoke.
    pub runs: Vec<Run>,
    /// The highest number of a run that it knew of.
    pub highest: u64,
    /// Of its address hashes.
    pub salt: Salt,
}

/// This machine's part, running.
pub struct Cluster {
    handle: Arc<NodeHandle>,
    threads: Vec<JoinHandle<()>>,
    /// Tells the hub that nothing comes back any more.
    close: Box<dyn FnOnce()>,
}

/// Makes the node of a log, and what the hub orders its lines by. `on_parted` is called once the log has parted from the stream.
pub fn join(
    end: LogEnd,
    memory: &Memory,
    keep: u64,
    on_parted: Box<dyn Fn() + Send + Sync>,
) -> (Arc<NodeHandle>, Box<dyn Order>, Arc<ClusterStats>) {
    let Memory { runs, highest, salt } = memory;
    let node = Node::new(end, runs.clone(), *highest, *salt, keep);
    let handle = Arc::new(NodeHandle::new(node, on_parted));
    let stats = handle.stats.clone();
    (handle.clone(), Box::new(StreamOrder(handle)), stats)
}

impl Cluster {
    /// Starts the threads.
    ///
    /// # Errors
    /// Fails if the URL can't be understood, or if no thread can be started.
    pub fn start<S: Send + 'static>(
        handle: Arc<NodeHandle>,
        options: &Options,
        hub: &HubHandle<S>,
    ) -> Result<Cluster, Error> {
        let mut threads = Vec::new();
        for (name, link) in [("order", Link::Commands), ("stream", Link::Lines)] {
            let mut client = client(options)?;
            let (handle, hub) = (handle.clone(), hub.clone());
            let thread =
                util_threads::start(name, move || threads::run(link, &handle, &mut client, &hub));
            threads.push(thread.map_err(|source| Error::Thread { name: name.into(), source })?);
        }
        let (on_presence_hub, on_run_handle) = (hub.clone(), handle.clone());
        let listeners = Listeners {
            on_presence: Box::new(move |presence| {
                let presence = Command::Ordered(Ordered::Presence(presence));
                let _ = on_presence_hub.commands.send(presence);
            }),
            on_run: Box::new(move |mark| on_run_handle.saw_run(mark)),
        };
        let channel = PresenceChannel::start(client(options)?.address(), &options.name, listeners)
            .map_err(|source| Error::Thread { name: "presence".into(), source })?;
        if let Some(mark) = handle.node().mark() {
            channel.set_run(mark);
        }
        *handle.presence() = Some(channel);
        let hub = hub.clone();
        let close = Box::new(move || {
            let _ = hub.commands.send(Command::Ordered(Ordered::Closed));
        });
        Ok(Cluster { handle, threads, close })
    }

    /// Waits a moment for what is in flight, and ends the threads.
    pub fn stop(self) {
        let began = Instant::now();
        while self.handle.is_proposing()
            && !self.handle.is_unavailable()
            && began.elapsed() < STOP_TIMEOUT
        {
            thread::sleep(POLL_INTERVAL);
        }
        // The threads may still wait for a reply, so they are told before anything else is waited for.
        self.handle.stopping.store(true, Relaxed);
        self.handle.wake();
        // The hub must not wait for the lock as long as this takes.
        let channel = self.handle.presence().take();
        drop(channel);
        (self.close)();
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

fn client(options: &Options) -> Result<Client, Error> {
    Client::new(&options.url, &options.name)
        .map_err(|ClientError { why, .. }| Error::Other(format!("--redis can't be used: {why}")))
}

/// Waits until the stream tells which log it is of, for a node whose log has no line. Returns the log's id to take over, or `None` if the
/// stream is of this log now. `goes_on` says whether to wait any longer, and is told why it takes so long.
///
/// # Errors
/// Fails if the URL can't be understood, or if `goes_on` doesn't.
pub fn first_contact(
    options: &Options,
    end: LogEnd,
    memory: &Memory,
    mut goes_on: impl FnMut(Option<&str>) -> bool,
) -> Result<Option<Arc<str>>, Error> {
    let mut client = client(options)?;
    let mut node = Node::new(end, Vec::new(), memory.highest, memory.salt, options.keep);
    let mut why: Option<String> = None;
    while goes_on(why.as_deref()) {
        match try_contact(&mut client, &mut node) {
            Ok(outcome) => return Ok(outcome),
            Err(error) => why = Some(error.why),
        }
        node.lost(Link::Commands);
        thread::sleep(POLL_INTERVAL);
    }
    Err(Error::Other("stopped before Redis has told which log this is".into()))
}

fn try_contact(client: &mut Client, node: &mut Node) -> Result<Option<Arc<str>>, ClientError> {
    let mut connection = client.connect()?;
    node.connected(Link::Commands, connection.identity.clone());
    let failed = |error| threads::log_failed(&error);
    while let Some(call) = node.next_call(Link::Commands).map_err(failed)? {
        let reply = threads::checked(connection.call(&call)?)?;
        node.replied(Link::Commands, call.kind, reply).map_err(failed)?;
        for news in node.take_news() {
            if let Ordered::Adopt(log) = news {
                return Ok(Some(log));
            }
        }
    }
    Ok(None)
}

/// Sets the log in the folder `data` aside, if a log that has parted for this reason must not be gone on with. Returns what a person must do.
///
/// # Errors
/// Fails if the file can't be renamed.
pub fn set_aside(data: &Path, handle: &NodeHandle) -> Result<Option<String>, Error> {
    let has_lines = handle.node().end().seq > 0;
    handle.parted().map(|parting| parting::set_aside(data, parting, has_lines)).transpose()
}
