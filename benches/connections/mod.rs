//! What an idle connection costs: memory, the kernel's included, time to accept, processor time at rest, and what is left when all
//! connections have closed.
//!
//! `cargo bench connections` measures, in about two minutes. The bare loop stands beside sayso, also to find out what the clients' ends cost.

mod kernel_memory;
pub mod round;

use std::time::Duration;

use rig::{
    bare_loop::BareLoop,
    process::Resources,
    table::{Bar, Rows, Table, digits, median},
};

use crate::{
    Arguments,
    program::{Folder, Program},
};
use round::{Cost, Server};

/// On x86-64 with pages of 4 KB; a thread's kernel stack, its bookkeeping and the socket take 25 KB of it.
const BYTES_EACH_MAX: f64 = 36.0 * 1024.0;

/// How much is measured.
pub struct Plan {
    /// Connections at once.
    counts: &'static [usize],
    /// So often all connect and leave.
    rounds: usize,
    /// How long processor time at rest is measured, with the most connections: until everybody has been sent one ping.
    rest: Duration,
}

const FULL: Plan = Plan { counts: &[1_000, 10_000], rounds: 5, rest: Duration::from_secs(25) };
/// What the summary needs.
pub const BRIEF: Plan = Plan { counts: &[2_000], rounds: 3, rest: Duration::ZERO };
pub const TINY: Plan = Plan { counts: &[5, 20], rounds: 1, rest: Duration::from_millis(100) };

/// # Errors
/// Where connections are refused or closed, or something is left of them.
pub fn run(arguments: &Arguments, folder: &Folder) -> Result<(), String> {
    let plan = if arguments.measures { &FULL } else { &TINY };
    let mut table = Table::new(Rows::All, arguments.measures);
    measure(plan, folder, &mut table)?;
    table.print_notes();
    Ok(())
}

pub fn measure(plan: &Plan, folder: &Folder, table: &mut Table) -> Result<(), String> {
    for &count in plan.counts {
        let bare_loop = BareLoop::start();
        let data = folder.join(&format!("connections-{count}"));
        let program = Program::start_with(&data, &["--max-connections", "15000"]);
        let mut bare = Server::new("bare loop", bare_loop.address, bare_loop.process());
        let mut sayso = Server::new("sayso", program.address, program.process());
        // What the first connection allocates is shared by all others.
        for server in [&mut bare, &mut sayso] {
            server.first = round::run(server, 1, Duration::ZERO)?.left;
        }
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..plan.rounds {
            let rests = round == 0 && Some(&count) == plan.counts.last();
            let rest = if rests { plan.rest } else { Duration::ZERO };
            theirs.push(round::run(&bare, count, rest)?);
            ours.push(round::run(&sayso, count, rest)?);
        }
        show(count, sayso.first, &ours, &theirs, table);
    }
    Ok(())
}

fn show(count: usize, first: Resources, ours: &[Cost], theirs: &[Cost], table: &mut Table) {
    let middle = |costs: &[Cost], part: fn(&Cost) -> f64| {
        median(&mut costs.iter().map(part).collect::<Vec<_>>())
    };
    let each = |costs, part| middle(costs, part) / count as f64;
    // A connection has two sockets; the bare loop shows what one costs.
    let other_end = each(theirs, |cost| cost.slab) / 2.0;
    let what = format!("memory of an idle connection, bytes ({})", digits(count as f64));
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
    let what = format!("resident when {count} have closed, KiB");
    let kib = |bytes: u64| bytes as f64 / 1024.0;
    let beside = format!("{} times before", ours.len() - 1);
    table.ratio(&what, kib(last.rss), &beside, kib(left.rss), Bar::None);
    table.note(
        &what,
        &format!(
            "before the first connection {} KiB; threads {} as before, open files {} as before",
            first.rss >> 10,
            last.threads,
            last.files
        ),
    );
}
