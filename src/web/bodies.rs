//! JSON bodies that only HTTP has.
//!
//! Knows no path. The order of the fields is part of the API.

use std::io;

use serde::Serialize;

use crate::{
    comment::server_message::Counts, hub::newest::Newest, store::history::History,
    util::text::is_false,
};

/// Room for the shortest bodies.
const BODY_BYTES_MIN: usize = 128;

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

/// Encodes `{"log":…,"mark":…,"seq":…,"comments":[…],"more":…}`. A comment of a page that has moved has its present name as `page`.
pub(super) fn newest_json(newest: &Newest) -> io::Result<Vec<u8>> {
    let mut out = history_head(&newest.history);
    newest.read(&mut |comment, line, has_moved| match has_moved {
        false => append_item(&mut out, line),
        true => {
            let mut line = Vec::new();
            comment.encode(&mut line);
            append_item(&mut out, &line);
        }
    })?;
    let more: &[u8] = if newest.history.more { b"],\"more\":true}" } else { b"],\"more\":false}" };
    out.extend_from_slice(more);
    Ok(out)
}

fn history_head(history: &History) -> Vec<u8> {
    let mut out =
        to_json(&HistoryHead { log: &history.log, mark: &history.mark, seq: history.seq });
    out.pop();
    out.extend_from_slice(b",\"comments\":[");
    out
}

/// Appends an item to a list, which ends with `[` as long as it has none.
fn append_item(out: &mut Vec<u8>, item: &[u8]) {
    if out.last() != Some(&b'[') {
        out.push(b',');
    }
    out.extend_from_slice(item);
}

/// Encodes a body.
pub(crate) fn to_json(value: &impl Serialize) -> Vec<u8> {
    encode(&mut |out| serde_json::to_writer(out, value))
}

/// The part of [`to_json`] that is the same for all types.
fn encode(write: &mut dyn FnMut(&mut Vec<u8>) -> serde_json::Result<()>) -> Vec<u8> {
    let mut out = Vec::with_capacity(BODY_BYTES_MIN);
    write(&mut out).expect("names, texts and numbers can be encoded");
    out
}

/// Encodes `{"log":…,"mark":…,"seq":…,"comments":[…],"likes":{…},"more":…}`, and `"answers":{…}` of threads that are not whole. Inserts
/// the lines as they are in the log: they are JSON that was checked when the log was opened, and serde would parse each of them again.
pub(super) fn history_json(history: &History, challenge: Option<u8>) -> io::Result<Vec<u8>> {
    let mut out = history_head(history);
    history.read(|_, line| append_item(&mut out, line))?;
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
