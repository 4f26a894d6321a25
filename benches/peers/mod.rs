//! sayso beside what one would take instead: one table, with ratios.
//!
//! `benches/peers/run` installs the peers and measures, in less than five minutes; `benches/peers/run bun` only this one. With tiny numbers
//! nothing is installed and only sayso is started. The peers' servers are started by their own scripts and send every text that they get,
//! unchanged, to everybody; those texts are as long as sayso's lines. The crowd is the one of `cargo bench fanout`.

mod results;
mod rounds;
pub mod server;

use std::time::Duration;

use rig::{
    cores,
    crowd::{DRAIN_TIMEOUT_LOSSY, Size, Timing},
    messages::Format,
};

use crate::{
    Arguments,
    fanout::calibration,
    log_file,
    program::{Folder, Program},
};
use results::Results;
use rounds::Contender;
use server::Server;

/// Somebody else's server: the folder of its start script, and the least ratio of sayso's deliveries a second to its own.
struct Peer {
    folder: &'static str,
    bar: Option<f64>,
}

/// How much is measured.
struct Plan {
    readers: usize,
    authors: usize,
    /// Of each author, saturated.
    in_flight: u64,
    /// Comments a second, paced; the bare loop uses about 40 % of its core then.
    rate: usize,
    rounds: usize,
    timing: Timing,
}

const PEERS: [Peer; 5] = [
    Peer { folder: "bun", bar: Some(1.5) },
    Peer { folder: "axum", bar: None },
    Peer { folder: "nchan", bar: None },
    Peer { folder: "ws", bar: None },
    Peer { folder: "channels", bar: Some(500.0) },
];

const FULL: Plan = Plan {
    readers: 1_000,
    authors: 8,
    in_flight: 16,
    rate: 100,
    rounds: 3,
    timing: Timing { warm_up: Duration::from_millis(400), window: Duration::from_secs(2) },
};
const TINY: Plan = Plan {
    readers: 6,
    authors: 2,
    in_flight: 4,
    rounds: 1,
    timing: Timing { warm_up: Duration::from_millis(20), window: Duration::from_millis(100) },
    ..FULL
};

/// # Errors
/// Where an unknown peer is named, or sayso itself does not run.
pub fn run(arguments: &Arguments, folder: &Folder) -> Result<(), String> {
    if arguments.measures {
        return measure(FULL, &chosen(&arguments.rest)?, folder);
    }
    measure(TINY, &[], folder)?;
    println!("tiny numbers, which say nothing: `benches/peers/run` measures, beside the peers");
    Ok(())
}

/// The named ones, or all.
fn chosen(named: &[String]) -> Result<Vec<Peer>, String> {
    let is_peer = |name: &String| PEERS.iter().any(|peer| peer.folder == name);
    if let Some(name) = named.iter().find(|name| !is_peer(name)) {
        let known = PEERS.map(|peer| peer.folder).join(", ");
        return Err(format!("there is no peer {name}; write some of {known}, or nothing for all"));
    }
    let is_chosen = |peer: &Peer| named.is_empty() || named.iter().any(|name| peer.folder == name);
    Ok(PEERS.into_iter().filter(is_chosen).collect())
}

fn measure(mut plan: Plan, peers: &[Peer], folder: &Folder) -> Result<(), String> {
    let _pinned = cores::keep_off_last();
    if !peers.is_empty() {
        let size = Size { readers: plan.readers, authors: plan.authors, pages: 1 };
        plan.rate = calibration::rate_for(size)?;
    }
    let data = folder.join("data");
    log_file::write_empty(&data);
    let sayso = || Ok(Program::start(&data));
    let mut first = Contender::new("sayso".into());
    let mut others: Vec<_> = peers.iter().map(installed).collect();
    let mut last = Contender::new("sayso, again".into());
    // Round by round, so that other work on the machine disturbs all alike.
    for _ in 0..plan.rounds {
        first.round(&plan, Format::Lines, sayso);
        let bytes = first.measured()?.bytes;
        for (peer, other) in peers.iter().zip(&mut others) {
            let logged = folder.0.join(peer.folder);
            other.round(&plan, Format::Echo(bytes), || Server::start(peer.folder, &logged, &[]));
        }
        last.round(&plan, Format::Lines, sayso);
    }
    let (first, last) = (first.measured()?, last.measured()?);

    let mut results = Results::new(&first, &last);
    for (peer, other) in peers.iter().zip(&others) {
        match other.measured() {
            Ok(measured) => results.peer(&other.name, &measured, peer.bar),
            Err(why) => results.failed(&other.name, &why),
        }
    }
    results.again(&last);
    println!("{}\n{results}", plan.legend(first.bytes));
    Ok(())
}

fn installed(peer: &Peer) -> Contender {
    match Server::install(peer.folder) {
        Ok(name) => Contender::new(name),
        Err(why) => Contender::failed(peer.folder.into(), why),
    }
}

impl Plan {
    fn legend(&self, bytes: usize) -> String {
        format!(
            "{} readers of one page, {bytes} bytes a text, {} rounds of {} s each.\n\
             Deliveries/s and the first loss: {} authors, {} texts of each in flight. The rest: {} texts a second, latency in ms.\n\
             CPU: of all the server's processes, a delivery. Lost: not delivered {} s after the last text was sent.\n\
             Others: cores that other programs used meanwhile; far from 0, the row says little.\n",
            self.readers,
            self.rounds,
            self.timing.window.as_secs_f64(),
            self.authors,
            self.in_flight,
            self.rate,
            DRAIN_TIMEOUT_LOSSY.as_secs(),
        )
    }
}
