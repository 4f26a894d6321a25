//! Two builds of sayso beside each other: the one just built, or `SAYSO_BIN`, and another program, such as a static one.
//!
//! `cargo bench builds -- PROGRAM` measures; the two take turns in everything. What has no bar is for comparison only.

use std::{ffi::OsStr, path::Path, time::Duration};

use rig::{
    crowd::{Crowd, Pace, Size, Timing},
    endpoint::Endpoint,
    messages::Format,
    table::{Bar, Rows, Table, median},
};

use crate::{
    Arguments,
    connections::round,
    log::posts::{self, Turns},
    program::{self, Folder, Program},
};

/// How much is measured.
struct Plan {
    rounds: usize,
    readers: usize,
    authors: usize,
    /// The length of one turn.
    window: Duration,
}

const FULL: Plan =
    Plan { rounds: 5, readers: 1_000, authors: 64, window: Duration::from_millis(1_500) };
const TINY: Plan = Plan { rounds: 1, readers: 5, authors: 2, window: Duration::from_millis(50) };
/// Comments that 8 authors keep in flight to saturate the server.
const PACE: Pace = Pace::InFlight(16);

/// What one build's turns gave.
#[derive(Default)]
struct Results {
    posts: Turns,
    deliveries: Vec<f64>,
    /// Resident bytes: before anybody came, of each reader, and when they have gone.
    at_rest: Vec<f64>,
    each: Vec<f64>,
    left: Vec<f64>,
}

/// # Errors
/// Where no other program is named, or one of the two does not do what it should.
pub fn run(arguments: &Arguments, folder: &Folder) -> Result<(), String> {
    let plan = if arguments.measures { &FULL } else { &TINY };
    let other = match &arguments.rest[..] {
        [path] => path.clone().into(),
        [] if !arguments.measures => program::binary(),
        _ => return Err("write: cargo bench builds -- PROGRAM, the path of another build".into()),
    };
    let binaries = [program::binary(), other];
    let mut results = [Results::default(), Results::default()];
    for turn in 0..plan.rounds {
        for (build, results) in results.iter_mut().enumerate() {
            let data = folder.join(&format!("build-{build}-{turn}"));
            measure(plan, &binaries[build], &data, results)?;
        }
    }
    let mut table = Table::new(Rows::All, arguments.measures);
    show(plan, &mut results, &mut table);
    table.print_notes();
    Ok(())
}

/// One turn of one build, from its start to its end.
fn measure(plan: &Plan, binary: &OsStr, data: &Path, results: &mut Results) -> Result<(), String> {
    let program = Program::start_build(binary, data);
    results.at_rest.push(program.memory().rss as f64);
    let mut server = round::Server::new("sayso", program.address, program.process());
    // What the first connection allocates is shared by all others.
    server.first = round::run(&server, 1, Duration::ZERO)?.left;
    let cost = round::run(&server, plan.readers, Duration::ZERO)?;
    results.each.push(cost.rss / plan.readers as f64);
    results.left.push(cost.left.rss as f64);

    let endpoint =
        Endpoint { address: program.address, target: "/ws/comments/?page={page}".into() };
    let size = Size { readers: plan.readers, authors: 8, pages: 1 };
    let timing = Timing { warm_up: plan.window / 5, window: plan.window };
    let mut crowd = Crowd::join(&endpoint, Format::Lines, size)?;
    let outcome = crowd.round(PACE, timing, &[program.process()])?;
    results.deliveries.push(outcome.counts.deliveries as f64 / outcome.window.as_secs_f64());
    drop(crowd);

    posts::post(&program, plan.authors, plan.window, &mut results.posts);
    Ok(())
}

fn show(plan: &Plan, results: &mut [Results; 2], table: &mut Table) {
    let [ours, theirs] = results;
    let mut row = |what: &str, part: fn(&mut Results) -> &mut Vec<f64>| {
        let (value, beside) = (median(part(ours)), median(part(theirs)));
        table.ratio(what, value, "the other build", beside, Bar::None);
    };
    let what = format!("deliveries/s, saturated, {} readers", plan.readers);
    row(&what, |results| &mut results.deliveries);
    let what = format!("durable posts/s, {} authors", plan.authors);
    row(&what, |results| &mut results.posts.rates);
    row("resident at rest, bytes", |results| &mut results.at_rest);
    row("resident for a reader, bytes", |results| &mut results.each);
    row("resident when all have gone, bytes", |results| &mut results.left);
}
