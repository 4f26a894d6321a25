//! Writes logs as sayso would have written them. The only file, besides `micro`, that uses sayso as a library.

use std::{path::Path, time::SystemTime};

use rig::{
    bare_loop::FIRST_SEQ,
    messages::{CONTENT, NAME},
};
use sayso::log::{scan::Header, storage::FileStorage, writer::LogWriter};

/// Its name in the data folder.
pub const NAME_IN_FOLDER: &str = "comments.jsonl";

/// An empty log whose `seq` begins where the bare loop's does.
pub fn write_empty(data: &Path) {
    begin(data, FIRST_SEQ).finish().expect("the log can be synced");
}

/// A log of so many comments, spread evenly over `pages` pages; the first page is `/`.
pub fn write(data: &Path, comments: u64, pages: u64) {
    let mut writer = begin(data, 1);
    for seq in 1..=comments {
        let page = match seq % pages {
            0 => "/".to_owned(),
            number => format!("blog.example/posts/{number}"),
        };
        // As random as a real nonce, in a part of its bytes.
        let nonce = u128::from(seq).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let line = format!(
            "{{\"seq\":{seq},\"id\":{seq},\"page\":\"{page}\",\"name\":\"{NAME}\",\"author\":\"q83vEjRWeJCrze8SNFZ4kA\",\
             \"content\":\"{CONTENT}\",\"created_at\":\"2026-11-22T05:08:00.001Z\",\"nonce\":\"{nonce:032x}\""
        );
        writer.line(line.as_bytes(), false).expect("the log can be written");
    }
    writer.finish().expect("the log can be synced");
}

/// A log of so many comments that wait for a moderator, each with the note that says why.
pub fn write_waiting(data: &Path, comments: u64) {
    let mut writer = begin(data, 1);
    for id in (1..=2 * comments).step_by(2) {
        let line = format!(
            "{{\"seq\":{id},\"id\":{id},\"page\":\"/\",\"name\":\"{NAME}\",\"author\":\"q83vEjRWeJCrze8SNFZ4kA\",\"content\":\"{CONTENT}\",\
             \"created_at\":\"2026-11-22T05:08:00.001Z\",\"status\":\"pending\""
        );
        writer.line(line.as_bytes(), true).expect("the log can be written");
        let note = format!(
            "{{\"seq\":{},\"kind\":\"note\",\"id\":{id},\"did\":\"hold\",\"why\":\"all\",\"created_at\":\"2026-11-22T05:08:00.001Z\"",
            id + 1
        );
        writer.line(note.as_bytes(), false).expect("the log can be written");
    }
    writer.finish().expect("the log can be synced");
}

fn begin(data: &Path, first_seq: u64) -> LogWriter {
    let storage = FileStorage::open(&data.join(NAME_IN_FOLDER)).expect("a log can be created");
    let header = Header::new(SystemTime::now(), first_seq).expect("there are random bytes");
    LogWriter::begin(Box::new(storage), &header)
}
