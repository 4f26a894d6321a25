//! The node as the hub sees it, and what the two threads and the hub share.
//!
//! The hub never waits here for Redis: the lock is held while the node takes one step. The longest one looks through the newest 1,000 lines of
//! the log, which its thread has read into memory before.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{
    node::{Node, Parting},
    presence::PresenceChannel,
};
use crate::{
    hub::cluster_stats::ClusterStats,
    hub::order::{LogEnd, Order, Ordered, Presence, Readiness},
    log::chain::ChainedLine,
};

/// After Redis has refused lines, whether it takes others is tried once in this time, and whoever posts meanwhile is told why.
const REFUSED_INTERVAL: Duration = Duration::from_secs(1);

/// What is said where somebody else has written to the stream.
const FOREIGN_ENTRY: &str = "the stream in Redis has an entry that no node has written, or lacks one; delete the three keys while all nodes run, and they fill them again";

/// Why lines can't be ordered.
#[derive(Default)]
struct Failures {
    /// Why Redis can't be reached or used, or why lines can't be stored here. Lasts until a connection is attached again.
    lasting: Option<Arc<str>>,
    /// When and why Redis has refused lines last. Lasts until it has appended some.
    append: Option<(Instant, Arc<str>)>,
}

/// What hub and threads share.
pub struct NodeHandle {
    node: Mutex<Node>,
    failures: Mutex<Failures>,
    /// Wakes the thread that calls the script. No wake-up is lost: whoever wakes it has changed the node before, and the thread looks at
    /// the node after it has taken the token, so that a token which lies there already stands for that change, too.
    waker: Sender<()>,
    /// See `waker`.
    pub(super) woken: Receiver<()>,
    /// Whether the threads are to end.
    pub(super) stopping: AtomicBool,
    /// The mark that another machine has named last, until the thread that calls the script has looked at it.
    seen_run: Mutex<Option<String>>,
    /// Where other machines are told about this one's readers, once the threads run.
    presence: Mutex<Option<PresenceChannel>>,
    /// What anybody may know of it.
    pub(super) stats: Arc<ClusterStats>,
    parted: OnceLock<Parting>,
    on_parted: Box<dyn Fn() + Send + Sync>,
}

impl NodeHandle {
    pub(super) fn new(node: Node, on_parted: Box<dyn Fn() + Send + Sync>) -> NodeHandle {
        let (waker, woken) = bounded(1);
        NodeHandle {
            node: Mutex::new(node),
            failures: Mutex::default(),
            waker,
            woken,
            stopping: AtomicBool::new(false),
            seen_run: Mutex::default(),
            presence: Mutex::default(),
            stats: Arc::default(),
            parted: OnceLock::new(),
            on_parted,
        }
    }

    /// The node, for one step.
    pub fn node(&self) -> MutexGuard<'_, Node> {
        // A step that has panicked has ended its process or its connection.
        self.node.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes what anybody may know.
    pub(super) fn publish_stats(&self) {
        // First, so that whoever is told that it is not connected is also told why.
        self.stats.set_error(self.why_unavailable());
        let node = self.node();
        let is_connected = node.is_attached() && !node.has_foreign_entry();
        self.stats.connected.store(is_connected, Relaxed);
        self.stats.stream_seq.store(node.stream_seq(), Relaxed);
        self.stats.in_flight.store(node.proposed_lines() as u64, Relaxed);
        self.stats.attaches.store(node.attaches, Relaxed);
        self.stats.heals.store(node.heals, Relaxed);
    }

    /// Where other machines are told about this one's readers.
    pub(super) fn presence(&self) -> MutexGuard<'_, Option<PresenceChannel>> {
        self.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another machine has seen the stream in the run with this mark. It is kept until nothing is asked: a node that waits for a reply passes
    /// a mark over, and might then learn of the run too late to bring it what it lacks.
    pub(super) fn saw_run(&self, mark: &str) {
        *self.seen_run() = Some(mark.into());
        self.wake();
    }

    /// Lets the node look at the mark that was seen last. Nothing may be under way through the connection for commands.
    pub(super) fn look_at_seen_run(&self) {
        let mark = self.seen_run().take();
        if let Some(mark) = mark {
            self.node().saw_run(&mark);
        }
    }

    fn seen_run(&self) -> MutexGuard<'_, Option<String>> {
        self.seen_run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the thread that calls the script.
    pub(super) fn wake(&self) {
        // It is full if the thread has not taken the last token yet.
        let _ = self.waker.try_send(());
    }

    /// Whether the threads are to end.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    /// Whether something is in flight.
    pub(super) fn is_proposing(&self) -> bool {
        self.node().is_proposing()
    }

    /// Notes why lines can't be ordered, and logs it once.
    pub(super) fn note_failure(&self, why: &str) {
        let mut failures = self.failures();
        if failures.lasting.as_deref() != Some(why) {
            failures.lasting = Some(why.into());
            log::warn!("{why}; comments can be read, and are refused until it can be used");
        }
    }

    /// Notes that Redis can be used.
    pub(super) fn note_attached(&self) {
        if self.failures().lasting.take().is_some() {
            log::info!("comments can be ordered");
        }
    }

    /// Logs that the stream has an entry that no node has written, or has it no more.
    pub(super) fn log_foreign_entry(&self, is_there: bool) {
        match is_there {
            true => log::error!("{FOREIGN_ENTRY}; comments are refused until then"),
            false => log::info!("comments can be ordered"),
        }
    }

    /// Notes that Redis has refused lines.
    pub(super) fn note_append_refused(&self, why: &str) {
        let before = self.failures().append.replace((Instant::now(), why.into()));
        if before.is_none() {
            log::error!("{why}; comments are refused until it takes them");
        }
    }

    /// Notes that Redis has taken lines.
    pub(super) fn note_appended(&self) {
        if self.failures().append.take().is_some() {
            log::info!("Redis takes comments again");
        }
    }

    /// Notes that the log has parted from the stream, if it has.
    pub(super) fn note_parting(&self, parting: Parting) {
        if self.parted.set(parting).is_ok() {
            log::error!("{}", parting.sentence());
            let _ = self.stats.parted.set(parting.sentence().into());
            (self.on_parted)();
        }
    }

    /// Why the log has parted from the stream, if it has.
    pub fn parted(&self) -> Option<Parting> {
        self.parted.get().copied()
    }

    /// Whether nothing can be ordered now.
    pub(super) fn is_unavailable(&self) -> bool {
        self.why_unavailable().is_some() || self.parted().is_some()
    }

    /// Why nothing can be ordered now, if that is known.
    fn why_unavailable(&self) -> Option<Arc<str>> {
        let is_foreign = self.node().has_foreign_entry();
        let failures = self.failures();
        let append = failures.append.as_ref();
        let append = append.filter(|(since, _)| since.elapsed() < REFUSED_INTERVAL);
        let foreign = is_foreign.then(|| FOREIGN_ENTRY.into());
        failures.lasting.clone().or(foreign).or(append.map(|(_, why)| why.clone()))
    }
}

/// How the hub orders its lines.
pub(super) struct StreamOrder(pub(super) Arc<NodeHandle>);

impl Order for StreamOrder {
    fn news(&mut self) -> Vec<Ordered> {
        let (news, parted) = {
            let mut node = self.0.node();
            (node.take_news(), node.parted())
        };
        for news in &news {
            if let (Ordered::Runs(runs, _), Some(channel)) = (news, &*self.0.presence())
                && let Some((mark, _)) = runs.last()
            {
                channel.set_run(mark);
            }
        }
        if let Some(parting) = parted {
            self.0.note_parting(parting);
        }
        news
    }

    fn readiness(&mut self) -> Readiness {
        let is_unavailable = self.0.why_unavailable().is_some();
        let node = self.0.node();
        match is_unavailable {
            true if node.is_refused() => Readiness::Refused,
            true => Readiness::Unavailable,
            false => node.readiness(),
        }
    }

    fn propose(&mut self, lines: Vec<ChainedLine>) {
        self.0.node().propose(lines);
        self.0.wake();
    }

    fn settle(&mut self) {
        self.0.node().settle();
        self.0.publish_stats();
    }

    fn may_compact(&self) -> bool {
        self.0.node().may_compact()
    }

    fn moved(&mut self, end: LogEnd) {
        self.0.node().moved(end);
        self.0.publish_stats();
        self.0.wake();
    }

    fn now(&self) -> SystemTime {
        self.0.stats.clock.now()
    }

    fn tell(&mut self, presence: Presence) {
        if let Some(channel) = &*self.0.presence() {
            channel.tell(presence);
        }
    }
}
