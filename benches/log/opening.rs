//! Opening a large log, beside `wc -l` on the same file.

use std::{fs, path::Path, process::Command, time::Instant};

use rig::table::{Bar, Table, median};

use super::Plan;
use crate::{
    log_file,
    program::{Memory, Program},
};

/// Opens the log in `data` several times and returns the memory that the last time took.
pub fn measure(plan: &Plan, data: &Path, pages: u64, table: &mut Table) -> Memory {
    let path = data.join(log_file::NAME_IN_FOLDER);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut memory = None;
    let bytes = fs::metadata(&path).expect("the log is there").len();
    count_lines(&path, plan.comments + 1);
    for _ in 0..plan.opens {
        theirs.push(count_lines(&path, plan.comments + 1));
        let program = Program::start(data);
        ours.push(program.took.as_secs_f64());
        memory = Some(program.memory());
    }
    let what = format!("opening a log, s ({})", plan.stored_on(pages));
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    table.ratio(&what, ours, "wc -l", theirs, Bar::AtMost(20.0));
    let rate = bytes as f64 / ours / 1e6;
    table.note(&what, &format!("{} MB, {rate:.0} MB/s", bytes / 1_000_000));
    memory.expect("it was opened")
}

/// Measures in seconds how long `wc -l` takes, which must find so many lines.
fn count_lines(path: &Path, lines: u64) -> f64 {
    let start = Instant::now();
    let output = Command::new("wc").arg("-l").arg(path).output().expect("wc runs");
    let took = start.elapsed().as_secs_f64();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.split(' ').next(), Some(&*lines.to_string()), "the log has all its lines");
    took
}
