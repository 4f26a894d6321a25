//! What a user would take instead of sayso, beside it: one table, with ratios.
//!
//! `benches/peers/run` installs the peers and measures, in less than five minutes; `benches/peers/run bun` only this one. Without `--bench` (`cargo test --benches`) nothing is
//! installed or started but sayso, for tiny numbers. The peers' servers are started by their own scripts and send every text that they
//! get, as it is, to everybody; those texts are as long as sayso's lines. The crowd is the one that `cargo bench --bench fanout` knows.

#[allow(dead_code, reason = "each bench uses its part")]
#[path = "rig/program.rs"]
mod program;
#[path = "peers/server.rs"]
mod server;
#[path = "peers/sheet.rs"]
mod sheet;
#[path = "peers/work.rs"]
mod work;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use program::{Folder, Program};
use rig::{
    cores,
    crowd::{DRAIN_FORGIVEN_MAX, Spell},
    speech::Tongue,
    table,
};
use server::Server;
use sheet::Sheet;
use work::Contender;

/// Somebody else's server: the folder of its start script, and what sayso's deliveries a second are to be of its, at least.
struct Peer {
    folder: &'static str,
    bar: Option<f64>,
}

/// How much is done.
struct Plan {
    readers: usize,
    authors: usize,
    /// Of each author, saturated.
    on_the_way: u64,
    /// Comments a second, paced.
    pace: u32,
    rounds: usize,
    spell: Spell,
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
    on_the_way: 16,
    pace: 100,
    rounds: 3,
    spell: Spell { warm_up: Duration::from_millis(400), window: Duration::from_secs(2) },
};
const TINY: Plan = Plan {
    readers: 6,
    authors: 2,
    on_the_way: 4,
    rounds: 1,
    spell: Spell { warm_up: Duration::from_millis(20), window: Duration::from_millis(100) },
    ..FULL
};

fn main() -> ExitCode {
    let measures = std::env::args().any(|argument| argument == "--bench");
    let start = Instant::now();
    let named: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let done = match measures {
        true => chosen(&named).and_then(|peers| measure(&FULL, &peers)),
        false => measure(&TINY, &[]),
    };
    if let Err(sentence) = done {
        eprintln!("sayso: {sentence}");
        return ExitCode::FAILURE;
    }
    if !measures {
        println!("tiny numbers, which say nothing: `benches/peers/run` measures, beside the peers");
    }
    println!("took {:.0} s", start.elapsed().as_secs_f64());
    ExitCode::SUCCESS
}

/// Those that are named, or all.
fn chosen(named: &[String]) -> Result<Vec<Peer>, String> {
    let is_peer = |name: &String| PEERS.iter().any(|peer| peer.folder == name);
    if let Some(name) = named.iter().find(|name| !is_peer(name)) {
        let known = PEERS.map(|peer| peer.folder).join(", ");
        return Err(format!("there is no peer {name}; write some of {known}, or nothing for all"));
    }
    let is_chosen = |peer: &Peer| named.is_empty() || named.iter().any(|name| peer.folder == name);
    Ok(PEERS.into_iter().filter(is_chosen).collect())
}

fn measure(plan: &Plan, peers: &[Peer]) -> Result<(), String> {
    let folder = Folder::new();
    println!("{}", table::machine("peers", &folder.0, "sayso with --sync always"));
    cores::leave_last();
    let data = folder.join("data");
    program::make_log(&data);
    let sayso = || Ok(Program::start(&data));
    let mut first = Contender::new("sayso".into());
    let mut others: Vec<_> = peers.iter().map(installed).collect();
    let mut last = Contender::new("sayso, again".into());
    // Round by round, so that a machine that has other things to do for a while troubles all alike.
    for _ in 0..plan.rounds {
        first.round(plan, Tongue::Lines, sayso);
        let bytes = first.measured()?.bytes;
        for (peer, other) in peers.iter().zip(&mut others) {
            let words = folder.0.join(peer.folder);
            other.round(plan, Tongue::Echo(bytes), || Server::start(peer.folder, &words));
        }
        last.round(plan, Tongue::Lines, sayso);
    }
    let (first, last) = (first.measured()?, last.measured()?);

    let mut sheet = Sheet::new(&first, &last);
    for (peer, other) in peers.iter().zip(&others) {
        match other.measured() {
            Ok(measured) => sheet.peer(&other.name, &measured, peer.bar),
            Err(why) => sheet.failed(&other.name, &why),
        }
    }
    sheet.again(&last);
    println!("{}\n{sheet}", plan.legend(first.bytes));
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
             Deliveries/s and the first loss: {} authors, {} texts of each on their way. The rest: {} texts a second, latency in ms.\n\
             CPU: of all the server's processes, a delivery. Lost: not delivered {} s after the last text was said.\n\
             Others: cores that other programs used meanwhile; far from 0, the row says little.\n",
            self.readers,
            self.rounds,
            self.spell.window.as_secs_f64(),
            self.authors,
            self.on_the_way,
            self.pace,
            DRAIN_FORGIVEN_MAX.as_secs(),
        )
    }
}
