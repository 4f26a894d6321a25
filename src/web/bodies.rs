//! JSON bodies that only HTTP has.
//!
//! Knows no path. The order of the fields is part of the API.

use std::io;

use serde::Serialize;

use crate::{comment::server_message::Counts, store::history::History, util::text::is_false};

/// The size of the log before and after a compaction, in bytes.
#[derive(Serialize)]
pub(super) struct Compacted {
    pub before: u64,
    pub now: u64,
}

/// The fields of a history before its lines.
#[derive(Serialize)]
struct HistoryHead<'a> {
    log: &'a str,
    mark: &'a str,
    seq: u64,
}

/// The fields of a history after its lines.
#[derive(Serialize)]
struct HistoryTail<'a> {
    likes: Counts<'a, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<u8>,
    more: bool,
    #[serde(skip_serializing_if = "is_empty")]
    answers: Counts<'a, u64>,
    #[serde(skip_serializing_if = "is_false")]
    locked: bool,
    #[serde(skip_serializing_if = "<[u64]>::is_empty")]
    pinned: &'a [u64],
}

fn is_empty(counts: &Counts<'_, u64>) -> bool {
    counts.0.is_empty()
}

/// Encodes a body.
pub(super) fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("names, texts and numbers can be encoded")
}

/// Encodes `{"log":…,"mark":…,"seq":…,"comments":[…],"likes":{…},"more":…}`, and `"answers":{…}` of threads that are not whole. Inserts
/// the lines as they are in the log: they are JSON that was checked when the log was opened, and serde would parse each of them again.
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
    let (likes, answers) = (Counts(&history.likes), Counts(&history.answers));
    let tail = HistoryTail {
        likes,
        challenge,
        more: history.more,
        answers,
        locked: history.locked,
        pinned: &history.pinned,
    };
    out.extend_from_slice(b"],");
    out.extend_from_slice(&to_json(&tail)[1..]);
    Ok(out)
}
