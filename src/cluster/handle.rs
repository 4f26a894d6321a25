//! The node as the hub sees it, and what the two threads and the hub share.
//!
//! The hub waits here for no machine: the lock is held for as long as a step of the node takes, which reads the newest 1,000 lines of the log at
//! most, when a connection is made.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{
    node::{News, Node, Parting},
    presence::PresenceChannel,
    unhex,
};
use crate::{
    hub::cluster_stats::ClusterStats,
    hub::order::{LogEnd, Order, Ordered, Presence, Turn},
    log::chain::ChainedLine,
};

/// After Redis has refused lines, whether it takes others is tried once in this time, and whoever posts meanwhile is told why.
const REFUSED_INTERVAL: Duration = Duration::from_secs(1);

/// Why lines can't be ordered.
#[derive(Default)]
struct Obstacles {
    /// Redis can't be reached, or can't be used.
    trouble: Option<Arc<str>>,
    /// It has refused lines, since when and why.
    refused: Option<(Instant, Arc<str>)>,
}

/// What hub and threads share.
pub struct Shared {
    node: Mutex<Node>,
    obstacles: Mutex<Obstacles>,
    /// Wakes the thread that calls the script.
    waker: Sender<()>,
    /// See `waker`.
    pub(super) woken: Receiver<()>,
    /// Whether the threads are to end.
    pub(super) stopping: AtomicBool,
    /// Where other machines are told about this one's readers, once the threads run.
    presence: Mutex<Option<PresenceChannel>>,
    /// What anybody may know of it.
    pub(super) stats: Arc<ClusterStats>,
    parted: OnceLock<Parting>,
    on_parted: Box<dyn Fn() + Send + Sync>,
}

impl Shared {
    pub(super) fn new(node: Node, on_parted: Box<dyn Fn() + Send + Sync>) -> Shared {
        let (waker, woken) = bounded(1);
        Shared {
            node: Mutex::new(node),
            obstacles: Mutex::default(),
            waker,
            woken,
            stopping: AtomicBool::new(false),
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

    fn obstacles(&self) -> MutexGuard<'_, Obstacles> {
        self.obstacles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what anybody may know.
    pub(super) fn publish_stats(&self) {
        // First, so that nobody is told that it is not connected without a word why.
        self.stats.set_error(self.obstacle());
        let node = self.node();
        self.stats.connected.store(node.is_attached(), Relaxed);
        self.stats.stream_seq.store(node.stream_seq(), Relaxed);
        self.stats.in_flight.store(node.proposed_lines() as u64, Relaxed);
        self.stats.attaches.store(node.attaches, Relaxed);
        self.stats.heals.store(node.heals, Relaxed);
    }

    /// Where other machines are told about this one's readers.
    pub(super) fn presence(&self) -> MutexGuard<'_, Option<PresenceChannel>> {
        self.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody has seen the stream in the run with this mark.
    pub(super) fn saw_run(&self, mark: &str) {
        self.node().saw_run(mark);
        self.wake();
    }

    /// Wakes the thread that calls the script.
    pub(super) fn wake(&self) {
        // It is full if that was said already.
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

    /// Notes why Redis can't be used, and says it once.
    pub(super) fn note_trouble(&self, why: &str) {
        let mut obstacles = self.obstacles();
        if obstacles.trouble.as_deref() != Some(why) {
            obstacles.trouble = Some(why.into());
            log::warn!("{why}; comments can be read, and are refused until it can be used");
        }
    }

    /// Notes that Redis can be used.
    pub(super) fn note_attached(&self) {
        if self.obstacles().trouble.take().is_some() {
            log::info!("comments can be ordered");
        }
    }

    /// Notes that Redis has refused lines.
    pub(super) fn note_refused(&self, why: &str) {
        let before = self.obstacles().refused.replace((Instant::now(), why.into()));
        if before.is_none() {
            log::error!("{why}; comments are refused until it takes them");
        }
    }

    /// Notes that Redis has taken lines.
    pub(super) fn note_appended(&self) {
        if self.obstacles().refused.take().is_some() {
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
    pub(super) fn has_obstacle(&self) -> bool {
        self.obstacle().is_some() || self.parted().is_some()
    }

    /// Why nothing can be ordered now, if that is known.
    fn obstacle(&self) -> Option<Arc<str>> {
        let obstacles = self.obstacles();
        let refused = obstacles.refused.as_ref();
        let refused = refused.filter(|(since, _)| since.elapsed() < REFUSED_INTERVAL);
        obstacles.trouble.clone().or(refused.map(|(_, why)| why.clone()))
    }
}

/// How the hub orders its lines.
pub(super) struct Handle(pub(super) Arc<Shared>);

impl Order for Handle {
    fn news(&mut self) -> Vec<Ordered> {
        let news = self.0.node().take_news();
        let ordered = news.into_iter().filter_map(|news| match news {
            News::Ordered(ordered) => {
                if let (Ordered::Runs(runs, _), Some(channel)) = (&ordered, &*self.0.presence())
                    && let Some((mark, _)) = runs.last()
                {
                    channel.set_run(mark);
                }
                Some(ordered)
            }
            News::Salt(salt) => unhex(&salt).map(Ordered::Salt),
            News::Parted(parting) => {
                self.0.note_parting(parting);
                Some(Ordered::Parted(parting.sentence().into()))
            }
        });
        ordered.collect()
    }

    fn turn(&mut self) -> Turn {
        match self.0.obstacle() {
            Some(why) if self.0.node().is_refused() => Turn::Refused(why),
            Some(why) => Turn::Unknown(why),
            None => self.0.node().turn(),
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
        let offset = self.0.node().clock_offset();
        let by = Duration::from_millis(offset.unsigned_abs());
        let now = SystemTime::now();
        let shifted = if offset < 0 { now.checked_sub(by) } else { now.checked_add(by) };
        shifted.unwrap_or(now)
    }

    fn tell(&mut self, presence: Presence) {
        if let Some(channel) = &*self.0.presence() {
            channel.tell(presence);
        }
    }
}
