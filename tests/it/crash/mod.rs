//! Power cuts at every moment, full and failing media, cut and flipped files: what was acknowledged is there, and nothing is
//! changed or dropped in silence.
//!
//! Everything here runs on the [model disk](crate::model) in memory; nothing waits.

#[cfg(feature = "redis")]
mod chained;
mod damage;
mod index;
mod media;
mod power;
mod writer;

use std::{
    cell::RefCell,
    collections::HashMap,
    path::Path,
    time::{Duration, SystemTime},
};

use sayso::{
    cli::config::SyncMode,
    error::Error,
    log::{Log, TornTail, scan::Location, trailer::Trailer},
    store::record::LineSummary,
};

use crate::model::Machine;

struct Opened {
    log: Log,
    torn: Option<TornTail>,
    /// As they are sent.
    lines: Vec<Vec<u8>>,
}

/// Opens the log on a machine; every call is one second later.
fn open(machine: &Machine, second: u64) -> Result<Opened, Error> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + second);
    let mut lines = Vec::new();
    let each = |line: &[u8], place: Location| {
        let seq = parsed(line)?;
        let open = Trailer::of(line).expect("the scan has checked the trailer").open;
        assert_eq!(open.len(), place.len as usize, "a line lies where it is said to");
        lines.push([open, b"}"].concat());
        Ok(seq)
    };
    let (log, torn) =
        Log::open(machine.disk(), Path::new("model.jsonl"), SyncMode::Always, now, each)?;
    Ok(Opened { log, torn, lines })
}

/// As `parse`, which is pure, with a memory: the same lines come tens of thousands of times.
fn parsed(line: &[u8]) -> Result<u64, String> {
    thread_local!(static KNOWN: RefCell<HashMap<Vec<u8>, u64>> = RefCell::default());
    KNOWN.with_borrow_mut(|known| {
        if let Some(seq) = known.get(line) {
            return Ok(*seq);
        }
        let seq = LineSummary::parse(line)?.seq;
        known.insert(line.to_owned(), seq);
        Ok(seq)
    })
}

/// What is not in the log any more is beside it, byte for byte.
fn nothing_is_dropped(bytes: &[u8], machine: &Machine, opened: &Opened) -> Vec<u8> {
    let asides: Vec<Vec<u8>> = machine.asides().into_values().collect();
    let Some(torn) = &opened.torn else {
        assert!(asides.is_empty());
        assert!(bytes.is_empty() || machine.bytes() == bytes, "a good log is left as it is");
        return bytes.to_vec();
    };
    assert_eq!(asides.len(), 1);
    assert_eq!(torn.bytes, asides[0].len() as u64);
    let cut = bytes.strip_suffix(&asides[0][..]).expect("the end was set aside");
    assert!(cut.is_empty() || machine.bytes() == cut);
    assert_eq!(opened.lines.len(), cut.split_inclusive(|&b| b == b'\n').count().saturating_sub(1));
    cut.to_vec()
}
