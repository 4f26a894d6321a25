//! The starts of sayso that have appended to this log, in `<data>/runs`: with them a client's cursor proves that it is of this log's past.
//!
//! A log can go back: a backup is restored, or a machine loses what was never synced. Its `seq`s are then given out a second time,
//! and a cursor from before says nothing any more. So each start is a run with a random mark, and knows the first `seq` that it may
//! give. Reads no line of the log, so compaction changes nothing.

#[cfg(feature = "redis")]
mod stream;

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use crc32c::{crc32c, crc32c_append};

use super::storage::{sync_folder, write_whole};
use crate::error::Error;

/// Name of the file in the data folder.
pub const FILE_NAME: &str = "runs";
/// Runs that are kept, the newest ones. Whoever comes back after more starts than that loads the comments anew.
const RUNS_MAX: usize = 1_024;
/// Longest file that is read: a line has at most 16 + 1 + 19 + 1 + 8 + 1 bytes.
const FILE_BYTES_MAX: u64 = 48 * 1024;
/// Hex digits of a mark.
const MARK_DIGITS: usize = 16;

/// One start of sayso.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    mark: u64,
    /// The first `seq` that it may give.
    first: u64,
}

/// The runs of a log, the present one included. `Runs::default()` knows none and proves nothing.
#[derive(Debug, Default)]
pub struct Runs {
    /// From the oldest to the present one; `first` never falls.
    runs: Vec<Run>,
    mark: Arc<str>,
    /// The highest number of a run that is known, if the runs are those of a stream.
    #[cfg(feature = "redis")]
    number: Option<u64>,
}

impl Runs {
    /// Begins a run of the log `log`, of which `next` is the next `seq`, and writes it durably into the folder `data`. Runs that
    /// begin above `next` are dropped: what they have appended is gone. A file that is missing, damaged or of another log is begun
    /// anew; cursors with its marks are then not proved.
    ///
    /// # Errors
    /// [`Error::Io`] if the file can be neither written nor removed, or if there are no random bytes.
    pub fn begin(data: &Path, log: &str, next: u64) -> Result<Runs, Error> {
        let path = data.join(FILE_NAME);
        let mut runs = read(&path, log).unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                let path = path.display();
                ::log::warn!("{path} is begun anew, so clients load their comments again: {error}");
            }
            Vec::new()
        });
        let mark = random_mark().map_err(Error::io("begin a run in", &path))?;
        push(&mut runs, Run { mark, first: next });
        write(&path, &encode(log, &runs))?;
        Ok(Runs {
            runs,
            mark: format_mark(mark).into(),
            #[cfg(feature = "redis")]
            number: None,
        })
    }

    /// Returns the present run's mark, 16 hex digits.
    pub fn mark(&self) -> &Arc<str> {
        &self.mark
    }

    /// Whether a client that has received everything up to `since`, last in the run `mark`, has received what is in the log, of which
    /// `next` is the next `seq`. That is so below the first `seq` of the run that came next: from there on, others were given out. What the
    /// newest run of a stream has given may not have come to this log yet.
    pub fn proves(&self, mark: &str, since: u64, next: u64) -> bool {
        let Some(mark) = parse_mark(mark) else { return false };
        // Most clients come from the newest runs.
        let Some(at) = self.runs.iter().rposition(|run| run.mark == mark) else { return false };
        #[cfg(feature = "redis")]
        let next = if self.number.is_some() { u64::MAX } else { next };
        since < self.runs.get(at + 1).map_or(next, |run| run.first)
    }
}

/// Returns the highest first `seq` of a run that the file in the folder `data` names, of whatever log and however damaged the file is.
/// `None`: it names none. A run is written only once its log has a header.
pub fn highest_first(data: &Path) -> Option<u64> {
    let mut text = Vec::new();
    File::open(data.join(FILE_NAME)).ok()?.take(FILE_BYTES_MAX).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let firsts = text.lines().filter_map(|line| {
        let (mark, rest) = line.split_once(' ')?;
        parse_mark(mark)?;
        rest.split_once(' ')?.0.parse().ok()
    });
    firsts.max()
}

/// Returns a fresh mark.
///
/// # Errors
/// Fails if the operating system provides no random bytes.
#[cfg(feature = "redis")]
pub fn random_mark_text() -> io::Result<String> {
    random_mark().map(format_mark)
}

/// Adds the newest run. Those that begin above its first `seq` are dropped, and the oldest if there are too many.
fn push(runs: &mut Vec<Run>, run: Run) {
    runs.retain(|before| before.first <= run.first);
    runs.drain(..(runs.len() + 1).saturating_sub(RUNS_MAX));
    runs.push(run);
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    if let Err(error) = write_whole(path, text.as_bytes()) {
        // A full disk must not keep readers from being served. But a file without this run would later prove cursors that it
        // should not, and no file proves none.
        remove(path).map_err(Error::io("write", path))?;
        let path = path.display();
        ::log::warn!("{path} can't be written, so clients load their comments again: {error}");
    }
    Ok(())
}

fn random_mark() -> io::Result<u64> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::from)?;
    Ok(u64::from_be_bytes(random))
}

fn format_mark(mark: u64) -> String {
    format!("{mark:016x}")
}

fn parse_mark(text: &str) -> Option<u64> {
    let is_mark = text.len() == MARK_DIGITS
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_mark.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

/// Writes the lines `MARK FIRST CRC`, newest first, so that a file that has lost its end only proves less. As in the log, a checksum
/// continues from that of the line before; the first one continues from that of the log's id, so that the file of another log is
/// not believed.
fn encode(log: &str, runs: &[Run]) -> String {
    let mut text = String::new();
    encode_behind(crc32c(log.as_bytes()), runs, &mut text);
    text
}

fn encode_behind(mut crc: u32, runs: &[Run], text: &mut String) {
    for run in runs.iter().rev() {
        let fields = format!("{} {}", format_mark(run.mark), run.first);
        crc = crc32c_append(crc, fields.as_bytes());
        text.push_str(&format!("{fields} {crc:08x}\n"));
    }
}

/// Returns the runs, or `None` if the text is not exactly what [`encode`] wrote for this log.
fn parse(log: &str, text: &str) -> Option<Vec<Run>> {
    let runs = parse_lines(text)?;
    Some(runs).filter(|runs| encode(log, runs) == text)
}

/// Returns the runs, if there are no others above them and nothing else is there. Checksums are not verified.
fn parse_lines(text: &str) -> Option<Vec<Run>> {
    let runs: Option<Vec<Run>> = text
        .lines()
        .rev()
        .map(|line| {
            let (mark, rest) = line.split_once(' ')?;
            let (first, _) = rest.split_once(' ')?;
            Some(Run { mark: parse_mark(mark)?, first: first.parse().ok()? })
        })
        .collect();
    runs.filter(|runs| runs.is_sorted_by_key(|run| run.first))
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    Ok(text)
}

fn read(path: &Path, log: &str) -> io::Result<Vec<Run>> {
    let text = read_text(path)?;
    let invalid = || {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "it is damaged, of another log, or of several machines",
        )
    };
    parse(log, &text).ok_or_else(invalid)
}

/// Removes the file durably; there may be none.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => sync_folder(path),
    }
}

#[cfg(test)]
mod tests;
