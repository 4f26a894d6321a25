//! What it costs to push a comment to all readers of a page, beside the limit: a bare epoll loop that stores nothing.
//!
//! `cargo bench fanout` measures everything, in about six minutes; `cargo bench fanout -- --readers 1000 --mode saturated --rounds 5` a part
//! of it. The servers are processes of their own and take turns; the crowd is this process and has a core to itself. A frame that is
//! missing, doubled or out of order is an error.

pub mod calibration;
mod matrix;
mod options;
mod slow_readers;
mod sync_time;

use rig::{
    bare_loop::BareLoop,
    cores,
    table::{Rows, Table},
};

use crate::{
    Arguments, log_file,
    program::{Folder, Program},
};
use matrix::{Results, Server};
pub use options::Options;

/// The bars are for so many readers of one page.
pub const JUDGED_READERS: usize = 1_000;

/// # Errors
/// Where the arguments are wrong, or something that was sent is not received as it must be.
pub fn run(arguments: &Arguments, folder: &Folder) -> Result<(), String> {
    let options = Options::parse(arguments)?;
    let mut table = Table::new(Rows::All, options.measures);
    measure(&options, folder, &mut table)?;
    table.print_notes();
    Ok(())
}

pub fn measure(options: &Options, folder: &Folder, table: &mut Table) -> Result<(), String> {
    let _pinned = cores::keep_off_last();
    let mut syncs = sync_time::measure(&folder.0, options.syncs);
    let mut results = Results::new(1 + options.sync_modes.len());
    {
        let bare_loop = BareLoop::start();
        let mut servers = vec![Server::new("bare loop", bare_loop.address, bare_loop.process())];
        let mut programs = Vec::new();
        for (sync, name) in options.sync_modes {
            let data = folder.join(sync);
            log_file::write_empty(&data);
            let flags = ["--sync", sync, "--max-connections", "15000"];
            let program = Program::start_with(&data, &flags);
            servers.push(Server::new(name, program.address, program.process()));
            programs.push(program);
        }
        for (readers, pages) in options.crowds() {
            matrix::measure(options, readers, pages, &servers, &mut results)?;
        }
    }
    syncs.extend(sync_time::measure(&folder.0, options.syncs));
    if options.prints_matrix {
        println!("{results}");
    }
    if options.is_judged() {
        results.judge(options, &mut syncs, table);
    }
    if options.slow {
        slow_readers::measure(options, &folder.join("slow"), table)?;
    }
    Ok(())
}
