//! A day in fast motion: honest writers and readers, hostile clients of every kind, and restarts, orderly ones and `kill -9`.
//!
//! `cargo bench --bench soak -- 1800` runs for so many seconds (60 if none are given) and prints what was asked, what was refused and why,
//! and what memory was needed; without `--bench` (`cargo test --benches`) it takes three seconds. It fails where an acknowledged comment is
//! not there exactly once, where a reader has missed one, or where the log has problems.

#[path = "soak/call.rs"]
mod call;
#[path = "soak/honest.rs"]
mod honest;
#[path = "soak/hostile.rs"]
mod hostile;
#[allow(dead_code, reason = "each bench uses its part")]
#[path = "rig/program.rs"]
mod program;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    process::{Command, ExitCode},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use program::{Folder, Memory, Program};
use rig::table;

const SECONDS: u64 = 60;
const SECONDS_TINY: u64 = 3;
/// Lives of the server in one run; the orderly and the sudden ends take turns.
const LIVES: u32 = 8;
const WRITERS: u64 = 8;
const READERS: u64 = 40;
const VISITORS: u64 = 4;
const ATTACKERS: u64 = 6;
const FLAGS: [&str; 6] =
    ["--rate", "600/60", "--max-connections", "1000", "--max-per-address", "200"];

/// What everybody shares.
pub struct World {
    /// Where the server listens, in each of its lives.
    pub port: AtomicU64,
    /// The end has come: finish what was begun.
    pub over: AtomicBool,
    /// What happened, by name.
    pub counts: Mutex<BTreeMap<String, u64>>,
    /// Each nonce that was acknowledged, and its comment.
    pub acknowledged: Mutex<HashMap<String, u64>>,
}

impl World {
    /// Counts what happened.
    pub fn count(&self, what: impl Into<String>) {
        *self.counts.lock().expect("nobody panics with it").entry(what.into()).or_default() += 1;
    }

    /// Whether to go on.
    pub fn goes_on(&self) -> bool {
        !self.over.load(Relaxed)
    }
}

fn main() -> ExitCode {
    let measures = std::env::args().any(|argument| argument == "--bench");
    let asked = std::env::args().filter_map(|argument| argument.parse().ok()).next();
    let seconds = asked.unwrap_or(if measures { SECONDS } else { SECONDS_TINY });
    match run(Duration::from_secs(seconds)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(duration: Duration) -> Result<(), String> {
    let folder = Folder::new();
    println!("{}", table::machine("soak", &folder.0, "no peer"));
    let data = folder.join("data");
    let mut program =
        Program::start_again(&data, &[&FLAGS[..], &["--listen", "127.0.0.1:0"]].concat());
    let world = Arc::new(World {
        port: AtomicU64::new(program.address.port().into()),
        over: AtomicBool::new(false),
        counts: Mutex::default(),
        acknowledged: Mutex::default(),
    });
    let mut threads = Vec::new();
    for (count, work) in [
        (WRITERS, honest::write as fn(&World, u64)),
        (READERS, honest::read),
        (VISITORS, honest::visit),
        (ATTACKERS, hostile::attack),
    ] {
        for n in 0..count {
            let world = world.clone();
            threads.push(thread::spawn(move || work(&world, n)));
        }
    }
    let mut lives = Vec::new();
    let start = Instant::now();
    for life in 1..=LIVES {
        let first = program.memory();
        let end = start + duration * life / LIVES;
        thread::sleep(end.saturating_duration_since(Instant::now()));
        lives.push((first, program.memory()));
        if life < LIVES {
            let listen = program.address.to_string();
            if life % 2 == 0 {
                program.kill()
            } else {
                program.stop()
            }
            let flags = [&FLAGS[..], &["--listen", &listen]].concat();
            program = Program::start_again(&data, &flags);
        }
    }
    world.over.store(true, Relaxed);
    for thread in threads {
        thread.join().map_err(|_| "a client has panicked".to_string())?;
    }
    report(&world, &lives, start.elapsed());
    quiet(&program)?;
    let found = honest::all(program.address)?;
    program.stop();
    judge(&world, &found, &data)
}

fn report(world: &World, lives: &[(Memory, Memory)], took: Duration) {
    println!("\n| in {} s | |\n|---|---|", took.as_secs());
    for (what, count) in &*world.counts.lock().expect("nobody panics with it") {
        println!("| {what} | {count} |");
    }
    let mb = |bytes: u64| bytes as f64 / 1e6;
    for (n, (first, last)) in lives.iter().enumerate() {
        println!(
            "| life {}: MB resident at its start, its end, at most | {:.1}, {:.1}, {:.1} |",
            n + 1,
            mb(first.rss),
            mb(last.rss),
            mb(last.peak)
        );
    }
}

/// When all have gone, nothing of them is left.
fn quiet(program: &Program) -> Result<(), String> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (threads, memory) = (program.threads(), program.memory());
        if threads <= 24 {
            println!(
                "| when all have gone: threads, MB | {threads}, {:.1} |",
                memory.rss as f64 / 1e6
            );
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("{threads} threads are left a minute after all have gone"));
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn judge(world: &World, found: &[(u64, String)], data: &Path) -> Result<(), String> {
    let mut by_nonce: HashMap<&str, Vec<u64>> = HashMap::new();
    for (id, nonce) in found {
        by_nonce.entry(nonce).or_default().push(*id);
    }
    let acknowledged = world.acknowledged.lock().expect("nobody panics with it");
    let lost =
        acknowledged.iter().filter(|(nonce, id)| by_nonce.get(&***nonce) != Some(&vec![**id]));
    let lost = lost.count();
    let counts = world.counts.lock().expect("nobody panics with it");
    let missed = counts.get("readers: missed or doubled").copied().unwrap_or(0);
    println!("| comments acknowledged, lost or doubled | {}, {lost} |", acknowledged.len());
    println!("| comments that readers missed or got twice | {missed} |");
    let check = Command::new(env!("CARGO_BIN_EXE_sayso"))
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
