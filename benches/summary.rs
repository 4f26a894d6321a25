//! The one table of `cargo bench`: each of the project's bars, measured briefly, in less than three minutes altogether.

use std::time::Duration;

use rig::table::{Rows, Table};

use crate::{
    connections, fanout, log,
    others::Others,
    page_loads,
    program::{self, Folder},
    queue,
};

/// # Errors
/// Where something that was sent is not received as it must be. A missed bar is no error.
pub fn run(measures: bool) -> Result<(), String> {
    let others = Others::begin();
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
    if measures {
        others.print();
    }
    // One row that can't be measured does not keep the others from being measured.
    pushed.and(connected).and(loaded)
}
