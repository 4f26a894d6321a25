//! Making a large log, and opening it, beside `wc -l` on the same file.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Instant, SystemTime},
};

use sayso::{log::scan::Header, log::storage::FileStorage, log::writer::LogWriter};

use rig::{
    speech::{CONTENT, NAME},
    table::{Bar, Table, median},
};

use crate::{
    Plan,
    program::{Memory, Program},
};

/// Writes a log of `comments`, as the program would have written them, in turn on each of `pages` pages; the first is `/`.
pub fn make(data: &Path, comments: u64, pages: u64) {
    let disk = FileStorage::open(&data.join("comments.jsonl")).expect("a log can be made");
    let header = Header::new(SystemTime::now(), 1).expect("there are random bytes");
    let mut writer = LogWriter::begin(Box::new(disk), &header);
    for seq in 1..=comments {
        let page = match seq % pages {
            0 => "/".to_owned(),
            number => format!("blog.example/posts/{number}"),
        };
        // Some of the random bytes of a real nonce.
        let nonce = u128::from(seq).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let line = format!(
            "{{\"seq\":{seq},\"id\":{seq},\"page\":\"{page}\",\"name\":\"{NAME}\",\"author\":\"q83vEjRWeJCrze8SNFZ4kA\",\
             \"content\":\"{CONTENT}\",\"created_at\":\"2026-11-22T05:08:00.001Z\",\"nonce\":\"{nonce:032x}\""
        );
        writer.line(line.as_bytes(), false).expect("the log can be written");
    }
    writer.finish().expect("the log can be synced");
}

/// Opens the log in `data` some times and returns the memory that the last one took.
pub fn measure(plan: &Plan, data: &Path, pages: u64, table: &mut Table) -> Memory {
    let path = data.join("comments.jsonl");
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
    let what = format!("opening {} comments on {pages} pages, s", plan.comments);
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    table.ratio(&what, ours, "wc -l", theirs, Bar::AtMost(20.0));
    let rate = bytes as f64 / ours / 1e6;
    table.note(&what, &format!("{} MB, {rate:.0} MB/s", bytes / 1_000_000));
    memory.expect("it was opened")
}

/// Seconds that `wc -l` takes, which must find so many lines.
fn count_lines(path: &Path, lines: u64) -> f64 {
    let start = Instant::now();
    let output = Command::new("wc").arg("-l").arg(path).output().expect("wc runs");
    let took = start.elapsed().as_secs_f64();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.split(' ').next(), Some(&*lines.to_string()), "the log has all its lines");
    took
}
