//! The one table of `cargo bench`: each bar of the project, measured as briefly as it can be told, in less than three minutes.

use std::time::Duration;

use rig::table::{self, Rows, Table};

use crate::{connections, fanout, log, page_loads, program::Folder};

/// # Errors
/// Where something that was sent is not received as it must be. A missed bar is none.
pub fn run(measures: bool) -> Result<(), String> {
    let folder = Folder::new();
    println!("{}\n", table::machine(&folder.0));
    let mut table = Table::new(Rows::WithBar, measures);
    let log_plan = if measures { &log::BRIEF } else { &log::TINY };
    log::posts::measure(log_plan, &folder.join("posts"), &mut table);
    fanout::measure(&fanout::Options::brief(measures), &folder, &mut table)?;
    let plan = if measures { &connections::BRIEF } else { &connections::TINY };
    connections::measure(plan, &folder, &mut table)?;
    log::stored(log_plan, &folder, &mut table);
    let window = Duration::from_millis(if measures { 1_500 } else { 50 });
    page_loads::measure(&page_loads::TARGETS[..1], window, &folder, &mut table)
}
