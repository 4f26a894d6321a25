//! Pages loaded a second over keep-alive connections. Client and server share all cores.

use std::time::Duration;

use rig::{
    crowd::Timing,
    http_load,
    table::{Bar, Rows, Table, median},
};

use crate::{
    Arguments,
    log::clients::Author,
    program::{Folder, Program},
};

/// On two cores.
const LOADS_PER_SECOND_MIN: f64 = 10_000.0;
/// Each with one request in flight.
const CONNECTIONS: usize = 32;
const ROUNDS: usize = 3;
/// What the served page shows at most.
const COMMENTS: usize = 50;

/// What is loaded, and its bar; the page first.
pub const TARGETS: [(&str, Bar); 3] = [
    ("/", Bar::AtLeast(LOADS_PER_SECOND_MIN)),
    ("/embed.js", Bar::None),
    ("/api/comments?page=/&limit=50", Bar::None),
];

pub fn run(arguments: &Arguments, folder: &Folder) -> Result<(), String> {
    let mut table = Table::new(Rows::All, arguments.measures);
    let window = Duration::from_millis(if arguments.measures { 3_000 } else { 50 });
    measure(&TARGETS, window, folder, &mut table)?;
    table.print_notes();
    Ok(())
}

pub fn measure(
    targets: &[(&str, Bar)],
    window: Duration,
    folder: &Folder,
    table: &mut Table,
) -> Result<(), String> {
    let program = Program::start(&folder.join("pages"));
    let mut author = Author::join(&program, "/");
    for _ in 0..COMMENTS {
        author.post();
    }
    let timing = Timing { warm_up: window / 5, window };
    let mut page_rate = 0.0;
    for (target, bar) in targets {
        let (mut rates, mut p99s, mut bytes) = (Vec::new(), Vec::new(), 0);
        for _ in 0..ROUNDS {
            let outcome = http_load::run(program.address, target, CONNECTIONS, timing)?;
            rates.push(outcome.loads as f64 / outcome.window.as_secs_f64());
            if outcome.loads > 0 {
                p99s.push(outcome.latency.percentile(0.99).as_secs_f64() * 1e3);
            }
            bytes = outcome.bytes;
        }
        let what = format!("page loads/s, GET {target} over keep-alive");
        let rate = median(&mut rates);
        match bar {
            Bar::None => table.ratio(&what, rate, "GET /", page_rate, Bar::None),
            bar => {
                page_rate = rate;
                table.limit(&what, rate, *bar);
            }
        }
        if !p99s.is_empty() {
            let p99 = median(&mut p99s);
            let text = format!("{CONNECTIONS} connections, {bytes} bytes each; p99 {p99:.2} ms");
            table.note(&what, &text);
        }
    }
    Ok(())
}
