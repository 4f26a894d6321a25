//! What a connection costs that only waits: memory, the kernel's included, time to be accepted, processor time at rest, and what is left
//! when all have gone.
//!
//! `cargo bench --bench connections` measures, in about two minutes; without `--bench` (`cargo test --benches`) everything is done once with
//! tiny numbers. A bare epoll loop stands beside sayso, also to know what the connections' other end costs.

#[path = "connections/kernel.rs"]
mod kernel;
#[allow(dead_code, reason = "each bench uses its part")]
#[path = "rig/program.rs"]
mod program;
#[path = "connections/visit.rs"]
mod visit;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use program::{Folder, Program};
use rig::{
    bare_loop::{self, BareLoop},
    idle,
    process::Held,
    table::{self, Bar, Table},
};
use visit::{Cost, Server};

/// x86-64, with pages of 4 KB.
const BYTES_EACH_MAX: f64 = 32.0 * 1024.0;

/// How much is done.
struct Plan {
    counts: [usize; 2],
    /// So often everybody comes and goes.
    rounds: usize,
    /// How long processor time at rest is counted, for the larger crowd: until everybody has been sent one ping.
    rest: Duration,
}

const FULL: Plan = Plan { counts: [1_000, 10_000], rounds: 5, rest: Duration::from_secs(25) };
const TINY: Plan = Plan { counts: [5, 20], rounds: 1, rest: Duration::from_millis(100) };

fn main() -> ExitCode {
    let is_asked = |what| std::env::args().any(|argument| argument == what);
    if is_asked(bare_loop::ARGUMENT) {
        bare_loop::run();
        return ExitCode::SUCCESS;
    }
    if is_asked(idle::ARGUMENT) {
        idle::run();
        return ExitCode::SUCCESS;
    }
    match measure(is_asked("--bench")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn measure(measures: bool) -> Result<(), String> {
    let start = Instant::now();
    let plan = if measures { FULL } else { TINY };
    let folder = Folder::new();
    println!(
        "{}",
        table::machine("connections", &folder.0, "the bare loop: one thread, one epoll")
    );

    let mut table = Table::new("connections", measures);
    for count in plan.counts {
        let bare_loop = BareLoop::start();
        let data = folder.join(&count.to_string());
        let program = Program::start_with(&data, &["--max-connections", "15000"]);
        let mut bare = Server::new("bare loop", bare_loop.address, bare_loop.process());
        let mut sayso = Server::new("sayso", program.address, program.process());
        // What the first connection makes, others share.
        for server in [&mut bare, &mut sayso] {
            server.first = visit::once(server, 1, Duration::ZERO)?.left;
        }
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..plan.rounds {
            let rests = (round, count) == (0, plan.counts[1]);
            let rest = if rests { plan.rest } else { Duration::ZERO };
            theirs.push(visit::once(&bare, count, rest)?);
            ours.push(visit::once(&sayso, count, rest)?);
        }
        show(count, sayso.first, &ours, &theirs, &mut table);
    }
    print!("{table}");
    println!("took {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn show(count: usize, first: Held, ours: &[Cost], theirs: &[Cost], table: &mut Table) {
    let middle = |costs: &[Cost], part: fn(&Cost) -> f64| {
        table::median(&mut costs.iter().map(part).collect::<Vec<_>>())
    };
    let each = |costs, part| middle(costs, part) / count as f64;
    // A connection has two sockets, of which the bare loop shows what one costs.
    let other_end = each(theirs, |cost| cost.slab) / 2.0;
    let what = format!("memory for each of {count} idle connections, bytes");
    let memory = |costs| {
        let own = each(costs, |cost| cost.rss + cost.tables + cost.stacks);
        own + each(costs, |cost| cost.slab) - other_end
    };
    let (ours_each, theirs_each) = (memory(ours), memory(theirs));
    table.limit(&what, ours_each, Bar::AtMost(BYTES_EACH_MAX));
    table.note(
        &what,
        &format!(
            "resident {:.0}, page tables {:.0}, kernel stacks {:.0}, slab {:.0} without {other_end:.0} for the other end; \
             the bare loop needs {theirs_each:.0}",
            each(ours, |cost| cost.rss),
            each(ours, |cost| cost.tables),
            each(ours, |cost| cost.stacks),
            each(ours, |cost| cost.slab) - other_end,
        ),
    );
    let took = |costs| middle(costs, |cost| cost.took.as_secs_f64());
    let what = format!("accepting {count}, s");
    table.ratio(&what, took(ours), "bare loop", took(theirs), Bar::None);
    if let Some(share) = ours[0].cpu_at_rest {
        let text = format!(
            "{:.2} ms a second, their pings included; the bare loop, which sends none, {:.2}",
            share * 1e3,
            theirs[0].cpu_at_rest.unwrap_or(0.0) * 1e3
        );
        table.note(&format!("CPU at rest with {count}"), &text);
    }

    let (left, last) = (&ours[0].left, &ours[ours.len() - 1].left);
    let what = format!("resident when {count} have gone, KiB");
    let kib = |bytes: u64| bytes as f64 / 1024.0;
    let beside = format!("{} times before", ours.len() - 1);
    table.ratio(&what, kib(last.rss), &beside, kib(left.rss), Bar::None);
    table.note(
        &what,
        &format!(
            "before anybody came {} KiB; threads {} as before, open files {} as before",
            first.rss >> 10,
            last.threads,
            last.files
        ),
    );
}
