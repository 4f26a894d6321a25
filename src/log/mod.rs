//! The JSON-lines file: opens, recovers, appends, syncs and reads it.
//!
//! Owns the end of the file: which lines are durable, which are staged, and what the next `seq` is. Does not know what a comment
//! means, nor who waits for one to be stored.
//!
#![doc = include_str!("README.md")]

pub mod chain;
#[cfg(feature = "redis")]
pub mod chained;
pub mod ends;
mod lines;
pub mod runs;
pub mod salt;
pub mod scan;
mod staged;
pub mod storage;
pub mod survey;
pub mod tail;
mod torn;
pub mod trailer;
pub mod writer;

use std::{
    fmt, io, mem,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Release},
    },
    time::SystemTime,
};

pub use self::torn::TornTail;
use crate::{
    error::Error,
    log::scan::{Header, Location, ScanError, Tail, scan},
    log::staged::StagedLines,
    log::storage::{ReadAt, Storage},
    log::torn::{FileRange, save_torn_tail},
    log::writer::{FinishedLog, LogWriter, copy, header_line},
    util::clock::rfc3339,
};

/// When a batch counts as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncMode {
    /// After `fdatasync`: the batch survives a crash of the machine.
    Always,
    /// After `write`: the batch survives a crash of sayso, but not one of the machine.
    Never,
}

/// Name of the log in the data folder.
pub const FILE_NAME: &str = "comments.jsonl";

/// What a copy of a lost log is called, in front of its time: see [`Log::rescue`].
pub const RESCUED: &str = ".rescued";

/// Why a batch was not stored. None of its lines will be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitError {
    /// The disk is full. The next batch is tried again.
    Full,
    /// Writing or syncing failed; the text says how. Nothing is appended any more until sayso is restarted, because after a failed
    /// sync a later success proves nothing.
    Failed(String),
    /// The file is not the one that the log's name leads to any more, or another program has changed it; the text says how. As after
    /// `Failed`, nothing is appended any more. What the file still holds is to be saved: see [`Log::rescue`].
    Lost(String),
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommitError::Full => write!(f, "storage is full"),
            CommitError::Failed(why) => write!(f, "storage has failed: {why}"),
            CommitError::Lost(why) => f.write_str(why),
        }
    }
}

/// A log that was replaced. Its file is freed when this and all read handles are dropped.
pub struct Replaced {
    _storage: Box<dyn Storage>,
    _reader: Arc<dyn ReadAt>,
}

/// An open log. One thread owns it; any thread may read through [`Log::reader`].
pub struct Log {
    storage: Box<dyn Storage>,
    reader: Arc<dyn ReadAt>,
    sync: SyncMode,
    header: Header,
    /// Length of what is written and, with [`SyncMode::Always`], synced.
    end: u64,
    /// A copy of `end` for a compaction that follows it from another thread.
    shared_end: Arc<AtomicU64>,
    /// `seq` of the first staged line.
    next: u64,
    /// Checksum of the last durable line.
    crc: u32,
    staged: StagedLines,
    #[cfg(feature = "redis")]
    chain: chained::Chain,
    /// Why nothing is appended any more.
    failed: Option<CommitError>,
}

impl Log {
    /// Opens the log in `storage`, or begins one in an empty file. `each` gets every good line, as in [`mod@scan`]. A torn tail is saved
    /// beside the log and cut off.
    ///
    /// # Errors
    /// [`Error::Damaged`] and [`Error::NotALog`] leave the file as it is; [`Error::Io`] says which operation failed.
    pub fn open(
        mut storage: Box<dyn Storage>,
        path: &Path,
        sync: SyncMode,
        now: SystemTime,
        mut each: impl FnMut(&[u8], Location) -> Result<u64, String>,
    ) -> Result<(Log, Option<TornTail>), Error> {
        let io_error = |what| {
            let path = path.to_owned();
            move |source| Error::Io { what, path, source }
        };
        let length = storage.length().map_err(io_error("measure"))?;
        let report = scan(storage.reader(), length, &mut each).map_err(|error| match error {
            ScanError::NotALog(why) => Error::NotALog { path: path.to_owned(), why },
            ScanError::Io(source) => io_error("read")(source),
        })?;
        if let Tail::Damaged { why } = &report.tail {
            return Err(Error::Damaged {
                path: path.to_owned(),
                line: report.lines + 1,
                why: why.clone(),
            });
        }
        let torn = (report.end < length)
            .then(|| save_torn_tail(&mut *storage, report.end, length, now))
            .transpose()
            .map_err(io_error("repair"))?;
        let mut log = Log {
            reader: storage.reader(),
            storage,
            sync,
            header: Header::default(),
            end: report.end,
            shared_end: Arc::default(),
            next: report.last_seq + 1,
            crc: report.crc,
            staged: StagedLines::default(),
            #[cfg(feature = "redis")]
            chain: chained::Chain::default(),
            failed: None,
        };
        log.begin(report.header, now).map_err(io_error("begin"))?;
        Ok((log, torn))
    }

    /// Takes over the header that was found, or writes the header of a new log.
    fn begin(&mut self, header: Option<Header>, now: SystemTime) -> io::Result<()> {
        if let Some(header) = header {
            self.next = self.next.max(header.next);
            self.header = header;
        } else {
            self.header = Header::new(now, self.next)?;
            let (line, crc) = header_line(&self.header);
            self.storage.append(&line, 0)?;
            self.storage.sync()?;
            (self.end, self.crc) = (line.len() as u64, crc);
        }
        self.staged.clear(self.crc);
        self.shared_end.store(self.end, Release);
        Ok(())
    }

    /// Returns the log's id, 16 hex digits.
    pub fn id(&self) -> &str {
        &self.header.log
    }

    /// Returns the `seq` that the next staged line must carry.
    pub fn next_seq(&self) -> u64 {
        let next = self.next + self.staged.count();
        #[cfg(feature = "redis")]
        let next = next.max(self.chain.next_staged_seq());
        next
    }

    /// Whether a batch has begun.
    pub fn has_staged(&self) -> bool {
        !self.staged.is_empty()
    }

    /// Returns a handle for reading durable lines from any thread. It stays valid for all locations returned so far, also after
    /// [`Log::replace_with`].
    pub fn reader(&self) -> Arc<dyn ReadAt> {
        self.reader.clone()
    }

    /// Returns the length of all durable lines in bytes, header included. The next batch is written there.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Returns the checksum of the last durable line.
    pub fn crc(&self) -> u32 {
        self.crc
    }

    /// Returns a handle that any thread can read [`Log::end`] from. [`Log::replace_with`] detaches it: it then keeps its last value.
    pub fn shared_end(&self) -> Arc<AtomicU64> {
        self.shared_end.clone()
    }

    /// Returns the header of a log that is to replace this one: the same id, and `next` keeps used `seq`s from being given out again.
    pub fn next_header(&self) -> Header {
        Header { next: self.next, ..self.header.clone() }
    }

    /// Returns why nothing can be appended any more, or `None` if the log works.
    pub fn failed(&self) -> Option<&str> {
        match self.failed.as_ref()? {
            CommitError::Full => None,
            CommitError::Failed(why) | CommitError::Lost(why) => Some(why),
        }
    }

    /// Whether the file is not the log any more: see [`CommitError::Lost`].
    pub fn is_lost(&self) -> bool {
        matches!(self.failed, Some(CommitError::Lost(_)))
    }

    /// Creates an empty file beside the log, for a log that is to replace this one.
    ///
    /// # Errors
    /// Fails if the file can't be created.
    pub fn create_sibling(&self) -> io::Result<Box<dyn Storage>> {
        self.storage.create_sibling()
    }

    /// Replaces this log with `rewritten`, which holds what is kept of this log's first `from` bytes; `crc` is the checksum of the
    /// last line among these. Lines behind them are copied first. Nothing may be staged.
    ///
    /// Returns how far the copied lines have moved, in bytes, and the old log: freeing a large file takes time, so the caller
    /// chooses the thread that drops it.
    ///
    /// # Errors
    /// Fails if copying fails; the old log then stays in use. If the replacement itself fails, the log has failed for good, because
    /// nobody knows which of the two a restart would find.
    pub fn replace_with(
        &mut self,
        rewritten: FinishedLog,
        from: u64,
        crc: u32,
    ) -> io::Result<(i64, Replaced)> {
        assert!(self.staged.is_empty(), "a log is replaced between two batches");
        let shift = rewritten.end as i64 - from as i64;
        let mut newer = vec![0; (self.end - from) as usize];
        self.reader.read_exact_at(&mut newer, from)?;
        let mut writer = LogWriter::reopen(rewritten);
        let last_crc = copy(&newer, crc, &mut writer)?;
        assert!(last_crc == self.crc, "all lines were copied");
        let mut finished = writer.finish()?;
        if let Err(error) = self.check_file() {
            return Err(io::Error::other(error.to_string()));
        }
        if let Err(error) = finished.disk.replace() {
            self.fail(format!("replacing the log: {error}"));
            return Err(error);
        }
        assert_eq!(finished.end as i64, self.end as i64 + shift, "copied lines keep their length");
        let reader = mem::replace(&mut self.reader, finished.disk.reader());
        let storage = mem::replace(&mut self.storage, finished.disk);
        (self.end, self.crc) = (finished.end, finished.crc);
        self.staged.clear(self.crc);
        self.shared_end = Arc::new(AtomicU64::new(self.end));
        Ok((shift, Replaced { _storage: storage, _reader: reader }))
    }

    /// Adds a public line, from `{` to `}`, to the batch and returns the location it will have.
    pub fn stage(&mut self, line: &[u8]) -> Location {
        let (start, len) = self.staged.push(line);
        Location { offset: self.end + start as u64, len: len as u32 }
    }

    /// Stores the batch with one write and, with [`SyncMode::Always`], one sync.
    ///
    /// # Errors
    /// [`CommitError`]; then no line of the batch is in the log, and its `seq`s are given out again.
    pub fn commit(&mut self) -> Result<(), CommitError> {
        self.staged.close();
        let written = match &self.failed {
            Some(error) => Err(error.clone()),
            None => self.write(),
        };
        if written.is_ok() {
            self.end += self.staged.bytes().len() as u64;
            self.next += self.staged.count();
            self.crc = self.staged.crc();
            self.shared_end.store(self.end, Release);
        }
        #[cfg(feature = "redis")]
        {
            self.chain.end_batch(written.is_ok());
            self.next = self.next.max(self.chain.next_seq());
        }
        self.staged.clear(self.crc);
        written
    }

    /// Checks that the log's name still leads to this file and that no other program has changed the file's length. If not, the log has
    /// failed for good. Costs two system calls.
    ///
    /// # Errors
    /// [`CommitError::Lost`] says what is wrong.
    pub fn check_file(&mut self) -> Result<(), CommitError> {
        match self.storage.misplaced() {
            Some(why) => Err(self.lose(why.into())),
            None => self.check_open_file(),
        }
    }

    /// Checks what the open file itself shows, without a look at the log's name.
    fn check_open_file(&mut self) -> Result<(), CommitError> {
        let end = self.end;
        match self.storage.length_and_link() {
            Ok((length, _)) if length != end => {
                let how = if length < end { "truncated" } else { "lengthened" };
                Err(self.lose(format!("it was {how} from {end} to {length} bytes")))
            }
            Ok((_, false)) => {
                Err(self.lose("it was removed, or another file was put in its place".into()))
            }
            _ => Ok(()),
        }
    }

    fn lose(&mut self, why: String) -> CommitError {
        let why = format!("{FILE_NAME} was changed while sayso used it: {why}");
        self.failed.insert(CommitError::Lost(why)).clone()
    }

    /// Returns a function, for any thread, that copies all that the file still holds to a new file beside the log and returns its path;
    /// `None` if the file holds nothing.
    pub fn rescue(
        &self,
        now: SystemTime,
    ) -> impl FnOnce() -> io::Result<Option<PathBuf>> + Send + use<> {
        let mut storage = self.storage.another();
        move || {
            let to = storage.length()?;
            let mut all = FileRange::new(storage.reader(), 0, to);
            let copy = (to > 0).then(|| storage.save_copy(&dated(RESCUED, now), &mut all));
            copy.transpose()
        }
    }

    fn write(&mut self) -> Result<(), CommitError> {
        // Writing behind the end of a truncated file would fill it up with zeros, and what a file without a name gets is lost.
        self.check_open_file()?;
        if let Err(error) = self.storage.append(self.staged.bytes(), self.end) {
            // Synced, so that what the disk already has of this batch can't get mixed up with the next write.
            let truncated = self.storage.truncate(self.end).and_then(|()| self.storage.sync());
            return Err(match truncated {
                Ok(()) if is_full(&error) => CommitError::Full,
                Ok(()) => self.fail(format!("writing: {error}")),
                Err(second) => self.fail(format!("writing: {error}; truncating: {second}")),
            });
        }
        match self.sync {
            SyncMode::Always => self.storage.sync().map_err(|error| {
                // The batch is refused, so a restart should not find it. More than trying to remove it can't be done.
                let _ = self.storage.truncate(self.end);
                self.fail(format!("syncing: {error}"))
            }),
            SyncMode::Never => Ok(()),
        }
    }

    fn fail(&mut self, why: String) -> CommitError {
        self.failed.insert(CommitError::Failed(why)).clone()
    }

    /// Reads a line, durable or staged, from `{` to `}`.
    ///
    /// # Errors
    /// Fails if reading the file fails.
    pub fn read(&self, location: Location) -> io::Result<Vec<u8>> {
        let Some(staged) = location.offset.checked_sub(self.end) else {
            return line_at(&*self.reader, location);
        };
        let start = staged as usize;
        let mut line = self.staged.bytes()[start..start + location.len as usize].to_vec();
        line.push(b'}');
        Ok(line)
    }
}

/// Appends the public line at `location` to `out`, from `{` to `}`.
///
/// # Errors
/// Fails if reading fails.
pub fn read_line(reader: &dyn ReadAt, location: Location, out: &mut Vec<u8>) -> io::Result<()> {
    let start = out.len();
    // `vec!` gets zeroed memory from the allocator; `resize`, optimised for size, writes byte after byte.
    out.append(&mut vec![0; location.len as usize]);
    reader.read_exact_at(&mut out[start..], location.offset)?;
    out.push(b'}');
    Ok(())
}

/// The public line at `location`.
///
/// # Errors
/// Fails if reading fails.
pub fn line_at(reader: &dyn ReadAt, location: Location) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    read_line(reader, location, &mut line).map(|()| line)
}

/// Makes the suffix of a file that is saved beside the log: `.torn-2026-11-22T05-07-13.123Z` for `.torn`.
pub fn dated(reason: &str, now: SystemTime) -> String {
    format!("{reason}-{}", rfc3339(now)).replace(':', "-")
}

/// Whether there may be room again later. EFBIG counts: it comes from RLIMIT_FSIZE and from file systems with a small maximal file
/// size, and goes away like a full disk.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull, WriteZero};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge | WriteZero)
}
