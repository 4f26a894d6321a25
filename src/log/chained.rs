//! A log whose lines carry the hash that binds them: see [`chain`](super::chain).
//!
//! Knows no machine but this one: who orders the lines, and in which run, is said by whoever stages them.

pub mod check;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{
    error::Error,
    log::{
        CommitError, Log, SyncMode, TornTail,
        chain::{ChainHash, FIELD},
        dated, is_full,
        scan::{Header, Location, ScanError, scan, seq_of},
        storage::{Storage, sync_folder, without_links},
        trailer::{TRAILER_BYTES_MAX, Trailer},
        writer::LogWriter,
    },
};

/// What a log is called that was set aside, in front of its time: see [`set_aside`].
pub const DIVERGED: &str = ".diverged";

/// What a log knows of its hashes.
#[derive(Default)]
pub(super) struct Chain {
    /// The hash of the last durable line that has one.
    last: ChainHash,
    /// The same, lines that are staged included.
    staged: ChainHash,
    /// `seq` of the last durable line, of any kind.
    last_seq: u64,
    /// The same, lines that are staged included.
    staged_seq: u64,
    whole_from: u64,
    /// The line before has no hash.
    is_interrupted: bool,
}

impl Chain {
    /// Takes in the next line of a log that is being opened.
    fn read(&mut self, seq: u64, line: &[u8]) {
        (self.last_seq, self.staged_seq) = (seq, seq);
        let Some((open, chain)) = Trailer::of(line).and_then(|it| Some((it.open, it.chain()?)))
        else {
            (self.whole_from, self.is_interrupted) = (seq + 1, true);
            return;
        };
        if std::mem::take(&mut self.is_interrupted) || chain != self.last.next_open(chain.run, open)
        {
            self.whole_from = seq;
        }
        self.last = chain;
    }

    /// Keeps what was staged, if it `is_durable`, or goes back.
    pub(super) fn end_batch(&mut self, is_durable: bool) {
        if is_durable {
            (self.last, self.last_seq) = (self.staged, self.staged_seq);
        } else {
            (self.staged, self.staged_seq) = (self.last, self.last_seq);
        }
    }

    /// The `seq` that comes behind what is staged, as far as lines with a hash tell.
    pub(super) fn next_staged_seq(&self) -> u64 {
        self.staged_seq + 1
    }

    /// The `seq` that comes next, as far as lines with a hash tell.
    pub(super) fn next_seq(&self) -> u64 {
        self.last_seq + 1
    }
}

impl Log {
    /// Opens the log as [`Log::open`] does, and verifies the lines' hashes.
    ///
    /// # Errors
    /// As [`Log::open`]. Hashes that don't follow from each other are no error: see [`Log::whole_from`].
    pub fn open_chained(
        storage: Box<dyn Storage>,
        path: &Path,
        sync: SyncMode,
        now: SystemTime,
        mut each: impl FnMut(&[u8], Location) -> Result<u64, String>,
    ) -> Result<(Log, Option<TornTail>), Error> {
        let mut chain = Chain::default();
        let (mut log, torn) = Log::open(storage, path, sync, now, |line, location| {
            let seq = each(line, location)?;
            chain.read(seq, line);
            Ok(seq)
        })?;
        chain.staged = chain.last;
        log.chain = chain;
        Ok((log, torn))
    }

    /// Whether the last line has no hash: it was appended by a sayso that is alone.
    pub fn lacks_hashes(&self) -> bool {
        self.chain.is_interrupted
    }

    /// Gives the lines without a hash one, in the run of the line before: run 0 if no line has any. Every line stays as it is otherwise. A
    /// crash leaves the old log or the new one. Every line then lies elsewhere, so the log is to be opened again.
    ///
    /// # Errors
    /// As [`Log::replace_with`].
    pub fn add_hashes(mut self) -> io::Result<()> {
        let mut writer = LogWriter::begin(self.create_sibling()?, &self.header);
        let mut last = ChainHash::default();
        let mut failure = None;
        let report = scan(self.reader(), self.end, &mut |line, _| {
            let trailer = Trailer::of(line).expect("a scanned line has a trailer");
            last = trailer.chain().unwrap_or_else(|| last.next_open(last.run, trailer.open));
            if failure.is_none() {
                failure = writer.line(&[trailer.open, &field(last)].concat(), trailer.more).err();
            }
            seq_of(line).ok_or_else(String::new)
        });
        match (report, failure) {
            (_, Some(error)) | (Err(ScanError::Io(error)), _) => return Err(error),
            (Ok(report), _) if report.end == self.end => {}
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        self.replace_with(writer.finish()?, self.end, self.crc)?;
        Ok(())
    }

    /// Returns `next` of the log's header when it was opened: below it, there is at most one line of each comment.
    pub fn header_next(&self) -> u64 {
        self.header.next
    }

    /// Returns the hash of the last durable line that has one; the default if there is none, or if the log was not opened by
    /// [`Log::open_chained`].
    pub fn chain(&self) -> ChainHash {
        self.chain.last
    }

    /// Returns the `seq` of the last durable line; 0 if there is none.
    pub fn last_seq(&self) -> u64 {
        self.chain.last_seq
    }

    /// Returns the `seq` of the first line from which on no line is missing: each line behind it has the hash that follows from the line
    /// before. 0 if the first line follows from `ChainHash::default()`, so that none was ever missing.
    pub fn whole_from(&self) -> u64 {
        self.chain.whole_from
    }

    /// A compaction has dropped lines before the one with this `seq`, and none from there on.
    pub fn drop_lines_before(&mut self, seq: u64) {
        self.chain.whole_from = self.chain.whole_from.max(seq);
    }

    /// Whether a line with this hash may be staged next.
    pub fn is_next(&self, line: &[u8], chain: ChainHash) -> bool {
        chain == self.chain.staged.next(chain.run, line)
    }

    /// Adds a public line to the batch as [`Log::stage`] does. In the file, it has this hash, which follows from that of the line before.
    pub fn stage_chained(&mut self, line: &[u8], chain: ChainHash) -> Location {
        debug_assert!(self.is_next(line, chain), "the hub has checked it");
        self.chain.staged = chain;
        // Another machine may have left some out.
        self.chain.staged_seq = seq_of(line).unwrap_or_default().max(self.chain.staged_seq);
        let location = self.stage(line);
        self.staged.extend_last(&field(chain));
        location
    }

    /// Checks that the staged lines could be stored now, and keeps the room for them where the operating system can.
    ///
    /// # Errors
    /// [`CommitError`], as [`Log::commit`] would fail.
    pub fn reserve(&mut self) -> Result<(), CommitError> {
        if !self.has_staged() {
            return Ok(());
        }
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let bytes = self.staged.bytes().len() + self.staged.count() as usize * TRAILER_BYTES_MAX;
        match self.storage.reserve(self.end, bytes as u64) {
            Err(error) if is_full(&error) => Err(CommitError::Full),
            _ => Ok(()),
        }
    }

    /// Takes the staged lines out of the batch again, each from `{` to `}`. Their `seq`s are given out again.
    pub fn unstage(&mut self) -> Vec<Box<[u8]>> {
        self.staged.close();
        let lines = self.staged.bytes().split_inclusive(|byte| *byte == b'\n').map(|line| {
            let trailer = Trailer::of(&line[..line.len() - 1]).expect("a staged line has one");
            [trailer.open, b"}"].concat().into_boxed_slice()
        });
        let lines = lines.collect();
        self.chain.end_batch(false);
        self.staged.clear(self.crc);
        lines
    }

    /// Gives a log that never had a line another id, durably: a crash leaves the old header or the new one. Handles from
    /// [`Log::reader`] and [`Log::shared_end`] are of the old file then. Nothing may be staged.
    ///
    /// # Errors
    /// Fails with `InvalidInput` if the log has or had lines, or if the id is not 16 hex digits; otherwise as [`Log::replace_with`].
    pub fn adopt_id(&mut self, log: &str) -> io::Result<()> {
        let is_id = log.len() == 16 && log.bytes().all(|byte| byte.is_ascii_hexdigit());
        if self.next != 1 || !is_id {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let header = Header { log: log.to_owned(), ..self.next_header() };
        let rewritten = LogWriter::begin(self.create_sibling()?, &header).finish()?;
        self.replace_with(rewritten, self.end, self.crc)?;
        self.header = header;
        Ok(())
    }
}

/// Renames the log that `path` leads to, durably, because its lines have parted from those of other machines. Returns its new path. Nobody may
/// be appending to it.
///
/// # Errors
/// Fails if the file can't be renamed or its folder can't be synced; no file is written over.
pub fn set_aside(path: &Path, now: SystemTime) -> io::Result<PathBuf> {
    let file = without_links(path)?;
    let mut kept = file.clone().into_os_string();
    kept.push(dated(DIVERGED, now));
    let kept = PathBuf::from(kept);
    if kept.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(&file, &kept)?;
    sync_folder(&kept)?;
    Ok(kept)
}

/// The field as it stands in the file.
pub(super) fn field(chain: ChainHash) -> Vec<u8> {
    let mut field = FIELD.to_vec();
    field.extend_from_slice(format!("{chain}\"").as_bytes());
    field
}

#[cfg(test)]
mod tests;
