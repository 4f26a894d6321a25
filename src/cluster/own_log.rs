//! What a node looks up in its own log to compare it with the stream.
//!
//! Reads the newest 1,000 lines at most, or as many as one heal takes.

use std::io;

use crate::{
    hub::order::LogEnd,
    log::chain::{ChainHash, ChainedLine},
    log::tail::{chained_after, chained_at, nth_newest},
};

/// The hash of the line with this `seq`, if the log has it; before the first line, that which the first one follows from.
pub(super) fn chain_at(log: &LogEnd, seq: u64) -> io::Result<Option<ChainHash>> {
    if seq == 0 {
        return Ok(Some(ChainHash::default()));
    }
    if seq == log.seq {
        return Ok(Some(log.chain));
    }
    Ok(chained_at(log.file.clone(), log.end, seq)?.map(|line| line.chain))
}

/// Whether no line behind the one with this `seq` is missing.
pub(super) fn is_whole_behind(log: &LogEnd, seq: u64) -> bool {
    seq >= log.whole_from
}

/// The line that a stream of this log begins behind: the oldest of the newest `newest` lines, or a later one if lines before that are missing;
/// `seq` 0 if the whole log is to be in the stream.
pub(super) fn base_of(log: &LogEnd, newest: u64) -> io::Result<(u64, ChainHash)> {
    let oldest = nth_newest(log.file.clone(), log.end, newest)?;
    let from = oldest.map_or(0, |line| line.seq).max(log.whole_from);
    let Some(before) = from.checked_sub(1) else { return Ok((0, ChainHash::default())) };
    let line = chained_after(log.file.clone(), log.end, before, 1, 0)?.into_iter().next();
    Ok(line.map_or((0, ChainHash::default()), |line| (line.seq, line.chain)))
}

/// The lines behind the one with this `seq`, as many as one heal takes.
pub(super) fn lines_behind(
    log: &LogEnd,
    seq: u64,
    lines_max: usize,
    bytes_max: usize,
) -> io::Result<Vec<ChainedLine>> {
    chained_after(log.file.clone(), log.end, seq, lines_max, bytes_max)
}
