//! One conversation on several machines: what its order from Redis costs beside a node alone, and beside Django Channels.
//!
//! `cargo bench --features redis cluster` measures everything in less than four minutes, `-- --appendfsync always --without-peer` behind it a
//! part. Every member of every crowd must receive every comment once, in the same order at all nodes; of Channels, losses are counted.
//! All servers of a row share the cores that the crowd leaves, Redis included: three nodes here are not three machines.

mod contender;
mod redis;
mod results;
mod setup;

use std::time::Duration;

use lexopt::{Arg::Long, ValueExt};

use rig::{
    cores,
    crowd::{Pace, Size, Timing},
    messages::Format,
};

use crate::{
    Arguments, fanout::calibration, others::Others, peers::server::Server, program::Folder,
};
use contender::Contender;
use redis::Appendfsync;
use setup::Setup;

const USAGE: &str = "write --appendfsync always|everysec, --without-peer, --rounds N, --rate N";
/// Whoever sets this wants nothing left out because Redis is not installed; `tests/all` does.
const REDIS_REQUIRED: &str = "SAYSO_REDIS";
/// The folder of the peer's start script.
const PEER: &str = "channels";

/// What the crowd does for a while.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Load {
    /// Authors who each send the next comment when they have their last, to all readers.
    Readers,
    /// The same authors without readers.
    AuthorsAlone,
    /// Comments at a rate at which even the peer loses none.
    Slow,
    /// Comments at a rate that is usual elsewhere in the benches.
    Paced,
}

/// How much is measured.
struct Plan {
    readers: usize,
    authors: usize,
    /// Comments a second: [`Load::Slow`], [`Load::Paced`].
    rates: [usize; 2],
    rounds: usize,
    /// Of saturated loads.
    window: Duration,
    /// The same for the peer, which is so slow that less would not show what it loses.
    peer_window: Duration,
    /// Of paced loads.
    paced_window: Duration,
    appendfsync: Vec<Appendfsync>,
    has_peer: bool,
}

const LOADS: [Load; 4] = [Load::Readers, Load::AuthorsAlone, Load::Slow, Load::Paced];

/// # Errors
/// Fails if sayso was built without `--redis`, there is no Redis, an argument is wrong, or a member of a crowd does not receive what it must.
pub fn run(arguments: &Arguments, folder: &Folder) -> Result<(), String> {
    if !cfg!(feature = "redis") {
        let advice = "several machines are measured with cargo bench --features redis cluster";
        println!("{advice}");
        return if arguments.measures { Err(advice.into()) } else { Ok(()) };
    }
    if redis::program().is_none() {
        let why = "neither redis-server nor valkey-server is in PATH, so nothing is measured";
        println!("{why}");
        let is_required = arguments.measures || std::env::var_os(REDIS_REQUIRED).is_some();
        return if is_required { Err(why.into()) } else { Ok(()) };
    }
    let mut plan = if arguments.measures { Plan::full() } else { Plan::tiny() };
    let parser = lexopt::Parser::from_args(arguments.rest.iter().cloned());
    plan.read(parser).map_err(|error| format!("{error}; {USAGE}"))?;
    measure(&plan, folder)
}

fn measure(plan: &Plan, folder: &Folder) -> Result<(), String> {
    let (_pinned, others) = (cores::keep_off_last(), Others::begin());
    let mut setups = vec![Setup::alone()];
    for appendfsync in &plan.appendfsync {
        setups.extend([1, 3].map(|nodes| Setup::with_redis(nodes, *appendfsync)));
    }
    let mut contenders: Vec<_> = setups.into_iter().map(Contender::new).collect();
    if plan.has_peer {
        let name = Server::install(PEER);
        contenders.extend([1, 3].map(|processes| match &name {
            Ok(name) => Contender::new(Setup::peer(name, processes)),
            Err(why) => Contender::failed(Setup::peer(PEER, processes), why.clone()),
        }));
    }
    let mut bytes = 0;
    // Round by round, so that other work on the machine disturbs all alike.
    for round in 0..plan.rounds {
        for contender in &mut contenders {
            // One round of the peer takes as long as three of the others.
            if round == 0 || !contender.is_peer() {
                contender.round(plan, Format::Echo(bytes), folder);
                bytes = bytes.max(contender.bytes_of_text());
            }
        }
    }
    results::print(plan, &contenders, bytes);
    contenders.iter_mut().for_each(Contender::stop);
    if plan.has_peer {
        others.print();
    }
    let sayso = contenders.iter().filter(|contender| !contender.is_peer());
    let mut failed = sayso.filter_map(|it| Some(format!("{}: {}", it.name(), it.why_failed()?)));
    failed.next().map_or(Ok(()), Err)
}

impl Plan {
    fn full() -> Plan {
        Plan {
            readers: 600,
            authors: 64,
            rates: [3, 100],
            rounds: 3,
            window: Duration::from_millis(1_000),
            peer_window: Duration::from_secs(5),
            paced_window: Duration::from_millis(2_000),
            appendfsync: vec![Appendfsync::Everysec, Appendfsync::Always],
            has_peer: true,
        }
    }

    fn tiny() -> Plan {
        Plan {
            readers: 6,
            authors: 3,
            rates: [100, 200],
            rounds: 1,
            window: Duration::from_millis(100),
            peer_window: Duration::from_millis(100),
            paced_window: Duration::from_millis(100),
            appendfsync: vec![Appendfsync::Everysec],
            has_peer: false,
        }
    }

    fn read(&mut self, mut parser: lexopt::Parser) -> Result<(), lexopt::Error> {
        while let Some(argument) = parser.next()? {
            match argument {
                Long("appendfsync") => {
                    let value = parser.value()?.string()?;
                    self.appendfsync = vec![Appendfsync::parse(&value)?];
                }
                Long("without-peer") => self.has_peer = false,
                Long("rounds") => self.rounds = parser.value()?.parse()?,
                Long("rate") => self.rates[1] = parser.value()?.parse()?,
                other => return Err(other.unexpected()),
            }
        }
        Ok(())
    }

    fn size(&self, load: Load) -> Size {
        let readers = if load == Load::AuthorsAlone { 0 } else { self.readers };
        Size { readers, authors: self.authors, pages: 1 }
    }

    fn pace(&self, load: Load) -> Pace {
        match load {
            Load::Readers | Load::AuthorsAlone => Pace::InFlight(1),
            Load::Slow => calibration::pace(self.rates[0]),
            Load::Paced => calibration::pace(self.rates[1]),
        }
    }

    fn timing(&self, load: Load, is_peer: bool) -> Timing {
        let window = match load {
            Load::Readers | Load::AuthorsAlone if is_peer => self.peer_window,
            Load::Readers | Load::AuthorsAlone => self.window,
            Load::Slow | Load::Paced => self.paced_window,
        };
        Timing { warm_up: window / 5, window }
    }
}
