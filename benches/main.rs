//! `cargo bench`: sayso beside its limits and its peers, as one table of ratios. README.md says what is measured and why.
//!
//! Without a name, the summary is measured; with one (`cargo bench fanout`), that part in full; with `-- --full`, all parts in full except
//! those that install something or have no ratios. `cargo test --benches` runs every part once with tiny numbers, which say nothing.

mod builds;
mod cluster;
mod connections;
mod fanout;
mod import;
mod log;
mod log_file;
mod micro;
mod others;
mod page_loads;
mod peers;
mod program;
mod queue;
mod soak;
mod summary;

use std::{process::ExitCode, time::Instant};

use program::Folder;
use rig::{bare_loop, idle};

/// A named part of the benches.
struct Part {
    name: &'static str,
    run: fn(&Arguments, &Folder) -> Result<(), String>,
    /// Whether `--full` includes it.
    is_in_full: bool,
}

/// The arguments of one part.
pub struct Arguments {
    /// False where numbers are tiny and say nothing.
    pub measures: bool,
    /// The arguments behind the part's name.
    pub rest: Vec<String>,
}

const PARTS: [Part; 11] = [
    Part { name: "log", run: log::run, is_in_full: true },
    Part { name: "fanout", run: fanout::run, is_in_full: true },
    Part { name: "connections", run: connections::run, is_in_full: true },
    Part { name: "pages", run: page_loads::run, is_in_full: true },
    Part { name: "queue", run: queue::run, is_in_full: true },
    Part { name: "import", run: import::run, is_in_full: cfg!(feature = "exchange") },
    Part { name: "cluster", run: cluster::run, is_in_full: false },
    Part { name: "micro", run: micro::run, is_in_full: true },
    Part { name: "builds", run: builds::run, is_in_full: false },
    Part { name: "peers", run: peers::run, is_in_full: false },
    Part { name: "soak", run: soak::run, is_in_full: false },
];

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    // This program is also the bare loop, the process with idle connections, and Criterion's process.
    let child: Option<fn()> = match words.first().map(String::as_str) {
        Some(bare_loop::ARGUMENT) => Some(bare_loop::run),
        Some(idle::ARGUMENT) => Some(idle::run),
        _ if micro::is_child() => Some(micro::run_child),
        _ => None,
    };
    if let Some(child) = child {
        child();
        return ExitCode::SUCCESS;
    }
    // Cargo adds it to whatever stands behind `cargo bench --`.
    let measures = words.iter().any(|word| word == "--bench");
    words.retain(|word| word != "--bench");
    match if measures { measure(words) } else { try_out() } {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn measure(mut words: Vec<String>) -> Result<(), String> {
    let start = Instant::now();
    match words.first().map(String::as_str) {
        None => return summary::run(true),
        Some("--full") => {
            for part in PARTS.iter().filter(|part| part.is_in_full) {
                run(part, &Arguments { measures: true, rest: Vec::new() })?;
            }
        }
        Some(name) => {
            let Some(part) = PARTS.iter().find(|part| part.name == name) else {
                let names = PARTS.map(|part| part.name).join(", ");
                return Err(format!("there is no bench {name}; there are {names}, and --full"));
            };
            let rest = words.split_off(1);
            run(part, &Arguments { measures: true, rest })?;
        }
    }
    println!("\ntook {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Whatever the arguments are: they are meant for tests.
fn try_out() -> Result<(), String> {
    summary::run(false)?;
    for part in &PARTS {
        run(part, &Arguments { measures: false, rest: Vec::new() })?;
    }
    Ok(())
}

fn run(part: &Part, arguments: &Arguments) -> Result<(), String> {
    let folder = Folder::new();
    println!("\n{}: {}\n", part.name, program::caption(&folder));
    (part.run)(arguments, &folder)
}
