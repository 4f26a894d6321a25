//! What a person must do once a log has parted from the stream.

use std::{path::Path, time::SystemTime};

use super::node::Parting;
use crate::{
    error::Error,
    log::{FILE_NAME, chained},
};

impl Parting {
    /// What has happened, without a name of a file.
    pub fn sentence(self) -> &'static str {
        match self {
            Parting::Diverged => {
                "this node's log has lines that the stream lacks, or they have different lines at the same place, so it must not go on by itself"
            }
            Parting::Trimmed => {
                "this node was away for so long that the stream no longer has what it lacks"
            }
            Parting::Incomparable => {
                "this node's log was compacted where it would have to be compared with the stream"
            }
            Parting::OtherLog => "the stream is of another log than this node's",
        }
    }

    /// Whether the log must be replaced by another node's.
    fn is_set_aside(self) -> bool {
        self != Parting::OtherLog
    }
}

/// See [`set_aside`](super::set_aside).
pub(super) fn set_aside(data: &Path, parting: Parting, has_lines: bool) -> Result<String, Error> {
    let (sentence, data_name) = (parting.sentence(), data.display());
    if !has_lines {
        return Ok(format!(
            "the stream no longer has its first lines; copy another node's {FILE_NAME} into {data_name} and start again"
        ));
    }
    if !parting.is_set_aside() {
        return Ok(format!(
            "{sentence}; to bring its comments in, move {data_name} elsewhere, start with an empty folder, and then run: sayso import --from sayso \
             --data {data_name} with the moved {FILE_NAME}; or choose another --redis-name"
        ));
    }
    let path = data.join(FILE_NAME);
    let kept = chained::set_aside(&path, SystemTime::now()).map_err(Error::io("rename", &path))?;
    let kept = kept.display();
    Ok(format!(
        "{sentence}; its log is kept as {kept}; copy another node's {FILE_NAME} into {data_name}, start again, and then run: sayso import --from sayso \
         --data {data_name} {kept}, since it may hold the only copy of what was acknowledged here; if all nodes have stopped, delete the keys in Redis, \
         and rename what one node has kept to {FILE_NAME} there first"
    ))
}
