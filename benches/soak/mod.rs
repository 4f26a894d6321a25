//! A day in fast motion: well-behaved writers and readers, hostile clients of every kind, and restarts, both orderly and by `kill -9`.
//!
//! `cargo bench soak -- 1800` runs for so many seconds (60 if none are given) and prints how many requests there were, what was refused
//! and why, and how much memory was needed. It fails where an acknowledged comment is not there exactly once, where a reader has missed
//! one, or where the log has problems.

mod hostile;
mod requests;
mod well_behaved;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    Arguments,
    program::{self, Folder, Memory, Program},
};

const SECONDS: u64 = 60;
const SECONDS_TINY: u64 = 3;
/// The server is started so often; it is stopped and killed alternately.
const STARTS: u32 = 8;
const WRITERS: u64 = 8;
const READERS: u64 = 40;
const VISITORS: u64 = 4;
const ATTACKERS: u64 = 6;
const FLAGS: [&str; 6] =
    ["--rate", "600/60", "--max-connections", "1000", "--max-per-address", "200"];

/// What all clients share.
pub struct Shared {
    /// Where the server listens, each time it is started.
    pub port: AtomicU64,
    /// Set at the end: clients finish what they have begun.
    pub over: AtomicBool,
    /// What happened, by name.
    pub counts: Mutex<BTreeMap<String, u64>>,
    /// Each nonce that was acknowledged, and its comment.
    pub acknowledged: Mutex<HashMap<String, u64>>,
}

impl Shared {
    /// Counts what happened.
    pub fn count(&self, what: impl Into<String>) {
        *self.counts.lock().expect("no thread panics with it").entry(what.into()).or_default() += 1;
    }

    /// Whether to go on.
    pub fn goes_on(&self) -> bool {
        !self.over.load(Relaxed)
    }
}

/// # Errors
/// Where the argument is no number of seconds, or something was lost.
pub fn run(arguments: &Arguments, folder: &Folder) -> Result<(), String> {
    let seconds = match arguments.rest.first() {
        Some(word) => word.parse().map_err(|_| format!("{word} is not a number of seconds"))?,
        None if arguments.measures => SECONDS,
        None => SECONDS_TINY,
    };
    run_for(Duration::from_secs(seconds), folder)
}

fn run_for(duration: Duration, folder: &Folder) -> Result<(), String> {
    let data = folder.join("data");
    let mut program =
        Program::start_with_flags_only(&data, &[&FLAGS[..], &["--listen", "127.0.0.1:0"]].concat());
    let shared = Arc::new(Shared {
        port: AtomicU64::new(program.address.port().into()),
        over: AtomicBool::new(false),
        counts: Mutex::default(),
        acknowledged: Mutex::default(),
    });
    let mut threads = Vec::new();
    for (count, work) in [
        (WRITERS, well_behaved::write as fn(&Shared, u64)),
        (READERS, well_behaved::read),
        (VISITORS, well_behaved::visit),
        (ATTACKERS, hostile::attack),
    ] {
        for n in 0..count {
            let shared = shared.clone();
            threads.push(thread::spawn(move || work(&shared, n)));
        }
    }
    let mut starts = Vec::new();
    let start = Instant::now();
    for number in 1..=STARTS {
        let first = program.memory();
        let end = start + duration * number / STARTS;
        thread::sleep(end.saturating_duration_since(Instant::now()));
        starts.push((first, program.memory()));
        if number < STARTS {
            let listen = program.address.to_string();
            if number % 2 == 0 {
                program.kill()
            } else {
                program.stop()
            }
            let flags = [&FLAGS[..], &["--listen", &listen]].concat();
            program = Program::start_with_flags_only(&data, &flags);
        }
    }
    shared.over.store(true, Relaxed);
    for thread in threads {
        thread.join().map_err(|_| "a client has panicked".to_string())?;
    }
    report(&shared, &starts, start.elapsed());
    wait_until_quiet(&program)?;
    let found = well_behaved::all(program.address)?;
    program.stop();
    judge(&shared, &found, &data)
}

fn report(shared: &Shared, starts: &[(Memory, Memory)], took: Duration) {
    println!("\n| in {} s | |\n|---|---|", took.as_secs());
    for (what, count) in &*shared.counts.lock().expect("no thread panics with it") {
        println!("| {what} | {count} |");
    }
    let mb = |bytes: u64| bytes as f64 / 1e6;
    for (n, (first, last)) in starts.iter().enumerate() {
        println!(
            "| start {}: MB resident at its start, its end, at most | {:.1}, {:.1}, {:.1} |",
            n + 1,
            mb(first.rss),
            mb(last.rss),
            mb(last.peak)
        );
    }
}

/// Waits until nothing is left of the clients.
fn wait_until_quiet(program: &Program) -> Result<(), String> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (threads, memory) = (program.threads(), program.memory());
        if threads <= 24 {
            println!(
                "| when all have left: threads, MB | {threads}, {:.1} |",
                memory.rss as f64 / 1e6
            );
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("{threads} threads are left a minute after all have left"));
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn judge(shared: &Shared, found: &[(u64, String)], data: &Path) -> Result<(), String> {
    let mut by_nonce: HashMap<&str, Vec<u64>> = HashMap::new();
    for (id, nonce) in found {
        by_nonce.entry(nonce).or_default().push(*id);
    }
    let acknowledged = shared.acknowledged.lock().expect("no thread panics with it");
    let lost =
        acknowledged.iter().filter(|(nonce, id)| by_nonce.get(&***nonce) != Some(&vec![**id]));
    let lost = lost.count();
    let counts = shared.counts.lock().expect("no thread panics with it");
    let missed = counts.get("readers: missed or doubled").copied().unwrap_or(0);
    println!("| comments acknowledged, lost or doubled | {}, {lost} |", acknowledged.len());
    println!("| comments that readers missed or got twice | {missed} |");
    let check = Command::new(program::binary())
        .args(["check", "--data"])
        .arg(data)
        .output()
        .map_err(|error| format!("sayso check: {error}"))?;
    println!("| sayso check | {} |", String::from_utf8_lossy(&check.stdout).trim());
    match (lost, missed, check.status.success(), acknowledged.is_empty()) {
        (0, 0, true, false) => Ok(()),
        _ => Err("something was lost".into()),
    }
}
