//! The one table of `cargo bench`: each of the project's bars, measured briefly, in less than three minutes altogether.

use std::time::{Duration, Instant};

use rig::{
    process::{self, Process},
    table::{Rows, Table},
};

use crate::{
    connections, fanout, log, page_loads,
    program::{self, Folder},
    queue,
};

/// Other programs that use more cores than this falsify the numbers.
const OTHERS_CORES_MAX: f64 = 0.1;

/// # Errors
/// Where something that was sent is not received as it must be. A missed bar is no error.
pub fn run(measures: bool) -> Result<(), String> {
    let (start, others) = (Instant::now(), others_cpu());
    let folder = Folder::new();
    println!("{}\n", program::caption(&folder));
    let mut table = Table::new(Rows::WithBar, measures);
    let log_plan = if measures { &log::BRIEF } else { &log::TINY };
    log::posts::measure(log_plan, &folder.join("posts"), &mut table);
    let options = fanout::Options::brief(measures);
    let pushed = fanout::measure(&options, &folder, &mut table);
    let plan = if measures { &connections::BRIEF } else { &connections::TINY };
    let connected = connections::measure(plan, &folder, &mut table);
    log::stored(log_plan, &folder, &mut table);
    let window = Duration::from_millis(if measures { 1_500 } else { 50 });
    let loaded = page_loads::measure(&page_loads::TARGETS[..1], window, &folder, &mut table);
    let plan = if measures { &queue::FULL } else { &queue::TINY };
    queue::measure(plan, &folder.join("queue"), &mut table);
    let cores = others_cpu().saturating_sub(others).as_secs_f64() / start.elapsed().as_secs_f64();
    if measures && cores > OTHERS_CORES_MAX {
        println!("\nother programs used {cores:.1} cores meanwhile: measure again when they don't");
    }
    // One row that can't be measured does not keep the others from being measured.
    pushed.and(connected).and(loaded)
}

/// The processor time of all programs but this one and its servers, which have ended whenever this is called.
fn others_cpu() -> Duration {
    process::machine().saturating_sub(Process::own().cpu_with_children())
}
