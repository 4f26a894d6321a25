//! What a user would take instead of sayso, beside it: one table, with ratios.
//!
//! `benches/peers/run` installs the peers and measures, in less than five minutes. Without `--bench` (`cargo test --benches`) nothing is
//! installed or started but sayso, for tiny numbers. The peers' servers are started by their own scripts and send every text that they
//! get, as it is, to everybody; those texts are as long as sayso's lines. The crowd is the one that `cargo bench --bench fanout` knows.

#[allow(dead_code, reason = "each bench uses its part")]
mod rig;
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

use rig::{
    crowd::Spell,
    program::{Folder, Program},
    speech::Tongue,
    table,
};
use server::Server;
use sheet::{Measured, Sheet};

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
    let done = match measures {
        true => measure(&FULL, &PEERS),
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

fn measure(plan: &Plan, peers: &[Peer]) -> Result<(), String> {
    let folder = Folder::new();
    println!("{}", table::machine("peers", &folder.0, "sayso with --sync always"));
    let sayso = || work::measure(plan, Tongue::Lines, || Ok(Program::start(&folder.join("data"))));
    let first = sayso()?;
    let done: Vec<_> = peers
        .iter()
        .map(|peer| {
            let (name, measured) = measure_peer(plan, peer, first.bytes, &folder);
            (name, measured, peer.bar)
        })
        .collect();
    let last = sayso()?;

    let mut sheet = Sheet::new(&first, &last);
    for (name, measured, bar) in &done {
        match measured {
            Ok(measured) => sheet.peer(name, measured, *bar),
            Err(why) => sheet.failed(name, why),
        }
    }
    sheet.again(&last);
    println!(
        "{} readers of one page, {} bytes a text; saturated: {} authors, {} texts of each on their way; paced: {} texts a second\n",
        plan.readers, first.bytes, plan.authors, plan.on_the_way, plan.pace,
    );
    print!("{sheet}");
    Ok(())
}

/// Its name with its version, and what it did or why it did not.
fn measure_peer(
    plan: &Plan,
    peer: &Peer,
    bytes: usize,
    folder: &Folder,
) -> (String, Result<Measured, String>) {
    let name = match Server::install(peer.folder) {
        Ok(name) => name,
        Err(why) => return (peer.folder.into(), Err(why)),
    };
    eprintln!("measuring {name}");
    let words = folder.0.join(peer.folder);
    let start = || Server::start(peer.folder, &words);
    (name, work::measure(plan, Tongue::Echo(bytes), start))
}
