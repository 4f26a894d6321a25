//! The JSON bodies that only HTTP has.
//!
//! Knows no path. The order of fields is a part of the wire.

use std::io;

use serde::Serialize;

use crate::{comment::server_message::Counts, store::history::History};

/// Bytes of the log before a compaction and after it.
#[derive(Serialize)]
pub(super) struct Compacted {
    pub before: u64,
    pub now: u64,
}

/// What stands before the lines of a history.
#[derive(Serialize)]
struct HistoryHead<'a> {
    log: &'a str,
    mark: &'a str,
    seq: u64,
}

/// What stands behind them.
#[derive(Serialize)]
struct HistoryTail<'a> {
    likes: Counts<'a, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<u8>,
    more: bool,
}

pub(super) fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("it has names, texts and numbers only")
}

/// `{"log":…,"mark":…,"seq":…,"comments":[…],"likes":{…},"more":…}`. The lines are spliced in: they are JSON already, were checked when the log
/// was opened, and serde would read each of them again before it believes that.
pub(super) fn history_json(history: &History, challenge: Option<u8>) -> io::Result<Vec<u8>> {
    let mut out =
        to_json(&HistoryHead { log: &history.log, mark: &history.mark, seq: history.seq });
    out.pop();
    out.extend_from_slice(b",\"comments\":[");
    let mut is_first = true;
    history.read(|_, line| {
        if !std::mem::take(&mut is_first) {
            out.push(b',');
        }
        out.extend_from_slice(line);
    })?;
    let tail = HistoryTail { likes: Counts(&history.likes), challenge, more: history.more };
    out.extend_from_slice(b"],");
    out.extend_from_slice(&to_json(&tail)[1..]);
    Ok(out)
}
