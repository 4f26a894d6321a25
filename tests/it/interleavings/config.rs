//! What can go wrong in which histories: the configurations of the model.

use Fault::*;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A machine is killed between two steps, or while it stores something.
    Crash,
    /// A machine that was killed starts again.
    Start,
    /// A connection to Redis is cut; what was sent through it may be done later.
    Cut,
    /// Redis is killed, and starts with what its disk has.
    Restart,
    /// Redis starts with nothing.
    Empty,
    /// A replica takes over, with what it has.
    Failover,
    /// Redis is a replica for a moment; connections stay.
    Demote,
    /// The replica gets more of what Redis has.
    Replicate,
    /// Redis' disk gets more of what Redis has.
    Persist,
    /// Redis has no room for what it is to append next.
    Full,
    /// A machine that is off is served without Redis meanwhile, and gets a line of its own.
    Alone,
    /// A machine compacts its log.
    Compact,
    /// A reader goes away, to come back.
    ReaderLeaves,
    /// A client no longer waits for an answer, and asks again elsewhere.
    GiveUp,
}

/// A kind of histories.
#[derive(Debug, Clone)]
pub struct Config {
    pub name: &'static str,
    pub machines: usize,
    pub clients: usize,
    /// Writes of each client at most.
    pub writes_max: usize,
    pub readers: usize,
    /// How often something goes wrong at most.
    pub faults_max: usize,
    pub faults: Vec<Fault>,
    /// Steps before everything is let come to rest.
    pub steps: usize,
    /// Writes that Redis loses at most when it is restarted.
    pub lost_max: usize,
    /// Whether `open` is over only once all machines that are there have looked.
    pub is_timely: bool,
    /// Entries that the stream keeps.
    pub keep: u64,
    /// Newest lines with which a stream begins, and which a compaction leaves alone.
    pub newest_kept: u64,
    /// Lines that all machines have at first.
    pub prefilled: u64,
    /// The machine that has none.
    pub empty: Option<usize>,
    /// Whether connections for reading outlive a failover.
    pub has_zombies: bool,
}

const USUAL: [Fault; 12] = [
    Crash,
    Start,
    Start,
    Cut,
    Cut,
    Demote,
    Replicate,
    Replicate,
    Persist,
    Full,
    ReaderLeaves,
    GiveUp,
];

/// The configuration with this name.
pub fn config(name: &'static str) -> Config {
    let usual = Config {
        name,
        machines: 3,
        clients: 3,
        writes_max: 5,
        readers: 2,
        faults_max: 15,
        faults: Vec::new(),
        steps: 600,
        lost_max: 0,
        is_timely: true,
        keep: 100_000,
        newest_kept: 1_000,
        prefilled: 2,
        empty: None,
        has_zombies: false,
    };
    let (more, mut config): (&[Fault], Config) = match name {
        "conn" => (&[], usual),
        "failover" => (
            &[Failover, Failover, Replicate],
            Config { machines: 2, clients: 2, faults_max: 14, ..usual },
        ),
        "failover3" => (&[Failover, Failover, Replicate], usual),
        "everysec" => (
            &[Restart, Restart, Persist],
            Config { clients: 2, faults_max: 14, lost_max: 3, ..usual },
        ),
        "fullloss" => {
            (&[Empty, Restart], Config { clients: 2, faults_max: 14, lost_max: 2, ..usual })
        }
        // Each is off in turn, while the other one goes on in runs of its own.
        "turns" => (
            &[Failover, Failover, Empty, Crash, Crash, Crash, Start, Start, Start],
            Config { machines: 2, clients: 2, writes_max: 8, faults_max: 24, ..usual },
        ),
        "newnode" => {
            (&[Empty], Config { clients: 2, readers: 1, faults_max: 13, empty: Some(2), ..usual })
        }
        "untimely" => (
            &[Failover, Restart, Crash],
            Config { faults_max: 17, lost_max: 3, is_timely: false, ..usual },
        ),
        "trim" => (&[Failover], Config { writes_max: 6, keep: 3, ..usual }),
        "trimnew" => (&[Empty], Config { writes_max: 6, keep: 4, empty: Some(2), ..usual }),
        "compact" => (
            &[Compact, Compact, Empty, Restart],
            Config {
                writes_max: 6,
                faults_max: 17,
                lost_max: 2,
                prefilled: 5,
                newest_kept: 3,
                ..usual
            },
        ),
        "alone" => (
            &[Alone, Alone, Alone, Restart, Crash],
            Config { writes_max: 4, faults_max: 18, ..usual },
        ),
        "split" => (
            &[Alone, Alone, Empty, Empty, Restart, Persist],
            Config { faults_max: 22, lost_max: 3, is_timely: false, ..usual },
        ),
        "zombie" => (
            &[Failover, Failover, Replicate],
            Config { faults_max: 16, has_zombies: true, ..usual },
        ),
        other => panic!("there is no configuration {other:?}"),
    };
    config.faults = USUAL.iter().chain(more).copied().collect();
    config
}
