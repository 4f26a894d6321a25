//! What it costs to push a comment to everybody who reads, beside the limit: a bare epoll loop that stores nothing.
//!
//! `cargo bench --bench fanout` measures, in about six minutes; `-- --readers 1000 --mode saturated --rounds 5` measures a part of it.
//! Without `--bench` (`cargo test --benches`) everything is done once with tiny numbers. The servers are processes of their own, and
//! take turns; the crowd is this one, and has a core to itself. A frame that is missing, doubled or disordered ends the run with 1.

#[path = "fanout/asked.rs"]
mod asked;
#[path = "fanout/disk.rs"]
mod disk;
#[allow(dead_code, reason = "each bench uses its part")]
#[path = "rig/program.rs"]
mod program;
#[path = "fanout/slow.rs"]
mod slow;
#[path = "fanout/work.rs"]
mod work;

use std::{process::ExitCode, time::Instant};

use asked::Asked;
use program::{Folder, Program};
use rig::{
    bare_loop::{self, BareLoop},
    cores,
    table::{self, Table},
};
use work::{Mode, Server, Sheet};

/// Bars are for so many readers.
pub const JUDGED_READERS: usize = 1_000;

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == bare_loop::ARGUMENT) {
        bare_loop::run();
        return ExitCode::SUCCESS;
    }
    let done = Asked::parse().and_then(|asked| measure(&asked));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn measure(asked: &Asked) -> Result<(), String> {
    let start = Instant::now();
    let folder = Folder::new();
    println!("{}", table::machine("fanout", &folder.0, "the bare loop: one thread, one epoll"));

    cores::leave_last();
    let mut table = Table::new("fanout", asked.measures);
    let mut disk = disk::sync_times(&folder.0, asked.syncs);
    let mut sheet = Sheet::new(3);
    {
        let bare = BareLoop::start();
        let programs = ["always", "never"].map(|sync| {
            let data = folder.join(sync);
            program::make_log(&data);
            Program::start_with(&data, &["--sync", sync, "--max-connections", "15000"])
        });
        let servers = [
            Server::new("bare loop", bare.address, bare.process()),
            Server::new("sayso, always", programs[0].address, programs[0].process()),
            Server::new("sayso, never", programs[1].address, programs[1].process()),
        ];
        for (readers, pages) in asked.crowds() {
            work::measure(asked, readers, pages, &servers, &mut sheet)?;
        }
    }
    disk.extend(disk::sync_times(&folder.0, asked.syncs));
    if asked.judges() {
        sheet.judge(&mut disk, &mut table);
    }
    if asked.slow {
        slow::measure(asked, &folder.join("slow"), &mut table)?;
    }
    print!("{sheet}\n{table}");
    println!("took {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}
