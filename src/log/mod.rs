//! The JSON-lines file: open, recover, append, sync, read.
//!
//! Owns the file's end: which lines are durable, which are staged, what the next `seq` is. Does not know what a comment
//! means, nor that anybody waits for it.

pub mod scan;
pub mod storage;
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

use crate::{
    error::Error,
    log::scan::{Header, Location, ScanReport, Tail, scan},
    log::storage::{ReadAt, Storage},
    log::trailer::append_trailer,
    log::writer::{FinishedLog, LogWriter, copy, header_line},
};

/// When a comment counts as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncMode {
    /// After `fdatasync`: it survives a crash of the machine.
    Always,
    /// After `write`: it survives a crash of sayso, not of the machine.
    Never,
}

/// The file's name in the data folder.
pub const FILE_NAME: &str = "comments.jsonl";
/// A staged batch keeps at most this much memory when it is done.
const BATCH_BYTES_KEPT: usize = 1 << 20;

/// Why a batch did not become durable. Nothing of it is in the file that will be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitError {
    /// There is no room, for now: the next batch is tried again.
    Full,
    /// The medium failed; no later success is believed until sayso is started anew. The text says how it failed.
    Failed(String),
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommitError::Full => write!(f, "storage is full"),
            CommitError::Failed(why) => write!(f, "storage has failed: {why}"),
        }
    }
}

/// A torn tail that was kept aside when the log was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// Where the bytes are now.
    pub kept: PathBuf,
    /// How many.
    pub bytes: u64,
}

/// A log that another has taken the place of; gone when this and all its readers are dropped.
pub struct Replaced {
    _disk: Box<dyn Storage>,
    _reader: Arc<dyn ReadAt>,
}

/// An open log. One thread has it; any thread may read through [`Log::reader`].
pub struct Log {
    disk: Box<dyn Storage>,
    reader: Arc<dyn ReadAt>,
    sync: SyncMode,
    header: Header,
    /// Bytes that are written, synced and good.
    end: u64,
    /// The same, for a compaction that catches up with it.
    shared_end: Arc<AtomicU64>,
    next: u64,
    crc: u32,
    staged: StagedBytes,
    failed: Option<String>,
}

/// A batch that is not written yet. Its last line is open: whether it carries `more` is known only when the next one comes.
#[derive(Default)]
struct StagedBytes {
    bytes: Vec<u8>,
    open_line: Option<usize>,
    lines: u64,
    crc: u32,
}

impl Log {
    /// Opens the log on `disk`, or begins one. Every good line goes to `each`, see [`mod@scan`]; a torn tail is kept aside and cut.
    ///
    /// # Errors
    /// [`Error::Damaged`] and [`Error::NotALog`] leave the file as it is; others come from the medium.
    pub fn open(
        mut disk: Box<dyn Storage>,
        path: &Path,
        sync: SyncMode,
        now: SystemTime,
        mut each: impl FnMut(&[u8], Location) -> Result<u64, String>,
    ) -> Result<(Log, Option<TornTail>), Error> {
        let io_error = |what| {
            let path = path.to_owned();
            move |source| Error::Io { what, path, source }
        };
        let length = disk.length().map_err(io_error("measure"))?;
        let found = scan(disk.reader(), length, &mut each).map_err(|failure| match failure {
            Ok(why) => Error::NotALog { path: path.to_owned(), why },
            Err(source) => Error::Io { what: "read", path: path.to_owned(), source },
        })?;
        if let Tail::Damaged { why } = &found.tail {
            return Err(Error::Damaged {
                path: path.to_owned(),
                line: found.lines + 1,
                why: why.clone(),
            });
        }
        let torn = (found.end < length)
            .then(|| set_torn_tail_aside(&mut *disk, found.end, length, now))
            .transpose()
            .map_err(io_error("repair"))?;
        let mut log = Log {
            reader: disk.reader(),
            disk,
            sync,
            header: Header::default(),
            end: found.end,
            shared_end: Arc::default(),
            next: found.last_seq + 1,
            crc: found.crc,
            staged: StagedBytes::default(),
            failed: None,
        };
        log.begin(found, now).map_err(io_error("begin"))?;
        Ok((log, torn))
    }

    fn begin(&mut self, found: ScanReport, now: SystemTime) -> io::Result<()> {
        if let Some(header) = found.header {
            self.next = self.next.max(header.next);
            self.header = header;
        } else {
            self.header = Header::new(now, self.next)?;
            let (line, crc) = header_line(&self.header);
            self.disk.append(&line, 0)?;
            self.disk.sync()?;
            (self.end, self.crc) = (line.len() as u64, crc);
        }
        self.staged.crc = self.crc;
        self.shared_end.store(self.end, Release);
        Ok(())
    }

    /// The log's id, 16 hex digits.
    pub fn id(&self) -> &str {
        &self.header.log
    }

    /// The `seq` that the next staged line must carry.
    pub fn next_seq(&self) -> u64 {
        self.next + self.staged.lines
    }

    /// A handle for reading durable lines from any thread; it stays good for places given out so far.
    pub fn reader(&self) -> Arc<dyn ReadAt> {
        self.reader.clone()
    }

    /// Bytes of durable lines, the header's included: where the next batch will lie.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Checksum of the last durable line.
    pub fn crc(&self) -> u32 {
        self.crc
    }

    /// [`Log::end`], from any thread. Stands still for a handle that was taken before [`Log::replace_with`].
    pub fn shared_end(&self) -> Arc<AtomicU64> {
        self.shared_end.clone()
    }

    /// The first line of a log that takes this one's place: the same id, and no `seq` is ever given out again.
    pub fn next_header(&self) -> Header {
        Header { next: self.next, ..self.header.clone() }
    }

    /// Why nothing can be appended any more, if so.
    pub fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// An empty disk beside the log's, for [`Log::replace_with`].
    ///
    /// # Errors
    /// Of the medium.
    pub fn create_sibling(&self) -> io::Result<Box<dyn Storage>> {
        self.disk.create_sibling()
    }

    /// Lets a log that holds what is wanted of the first `from` bytes, the last line of which has the checksum `crc`, take this one's place, with what was appended since. Returns how far
    /// those later lines have moved, and the old log: freeing a large file takes time. Nothing may be staged.
    ///
    /// # Errors
    /// Of the medium, with the old log still in use; but a log that can't be put in its place for sure fails for good, since nobody
    /// knows which of both a restart would find.
    pub fn replace_with(
        &mut self,
        written: FinishedLog,
        from: u64,
        crc: u32,
    ) -> io::Result<(i64, Replaced)> {
        assert!(self.staged.lines == 0, "a log is replaced between two batches");
        let shift = written.end as i64 - from as i64;
        let mut tail = vec![0; (self.end - from) as usize];
        self.reader.read_exact_at(&mut tail, from)?;
        let mut writer = LogWriter::reopen(written);
        let copied_to = copy(&tail, crc, &mut writer)?;
        assert!(copied_to == self.crc, "a whole log was copied");
        let mut written = writer.finish()?;
        if let Err(error) = written.disk.replace() {
            self.fail(format!("replacing the log: {error}"));
            return Err(error);
        }
        assert_eq!(written.end as i64, self.end as i64 + shift, "copied lines keep their length");
        let reader = mem::replace(&mut self.reader, written.disk.reader());
        let disk = mem::replace(&mut self.disk, written.disk);
        (self.end, self.crc) = (written.end, written.crc);
        self.staged.crc = self.crc;
        self.shared_end = Arc::new(AtomicU64::new(self.end));
        Ok((shift, Replaced { _disk: disk, _reader: reader }))
    }

    /// Adds a public line, from `{` to `}`, to the batch and says where it will lie.
    pub fn stage(&mut self, line: &[u8]) -> Location {
        assert!(
            line.first() == Some(&b'{') && line.last() == Some(&b'}'),
            "a line is one JSON object"
        );
        self.staged.close(true);
        let start = self.staged.bytes.len();
        let len = line.len() - 1;
        self.staged.bytes.extend_from_slice(&line[..len]);
        self.staged.open_line = Some(start);
        self.staged.lines += 1;
        Location { offset: self.end + start as u64, len: len as u32 }
    }

    /// Makes the batch durable with one write and one sync.
    ///
    /// # Errors
    /// Then nothing of the batch is in the log, and its sequence numbers are given out again.
    pub fn commit(&mut self) -> Result<(), CommitError> {
        self.staged.close(false);
        let written = match &self.failed {
            Some(why) => Err(CommitError::Failed(why.clone())),
            None => self.write(),
        };
        if written.is_ok() {
            self.end += self.staged.bytes.len() as u64;
            self.next += self.staged.lines;
            self.crc = self.staged.crc;
            self.shared_end.store(self.end, Release);
        }
        self.abandon();
        written
    }

    /// Forgets what is staged.
    fn abandon(&mut self) {
        self.staged.bytes.clear();
        self.staged.bytes.shrink_to(BATCH_BYTES_KEPT);
        (self.staged.open_line, self.staged.lines, self.staged.crc) = (None, 0, self.crc);
    }

    fn write(&mut self) -> Result<(), CommitError> {
        if let Err(error) = self.disk.append(&self.staged.bytes, self.end) {
            // Synced, so that what the medium has taken of this can't be mixed with the next write.
            let cut = self.disk.truncate(self.end).and_then(|()| self.disk.sync());
            return Err(match cut {
                Ok(()) if is_full(&error) => CommitError::Full,
                Ok(()) => self.fail(format!("writing: {error}")),
                Err(cut) => self.fail(format!("writing: {error}; cutting back: {cut}")),
            });
        }
        match self.sync {
            SyncMode::Always => self.disk.sync().map_err(|error| {
                // It is refused, so it should not be there after a restart; what the medium makes of that is its own affair.
                let _ = self.disk.truncate(self.end);
                self.fail(format!("syncing: {error}"))
            }),
            SyncMode::Never => Ok(()),
        }
    }

    fn fail(&mut self, why: String) -> CommitError {
        self.failed = Some(why.clone());
        CommitError::Failed(why)
    }

    /// Reads a line, durable or staged, from `{` to `}`.
    ///
    /// # Errors
    /// Of the medium.
    pub fn read(&self, place: Location) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        match place.offset.checked_sub(self.end) {
            Some(staged) => {
                let start = staged as usize;
                line.extend_from_slice(&self.staged.bytes[start..start + place.len as usize]);
                line.push(b'}');
            }
            None => read_line(&*self.reader, place, &mut line)?,
        }
        Ok(line)
    }
}

impl StagedBytes {
    fn close(&mut self, more: bool) {
        if let Some(start) = self.open_line.take() {
            self.crc = append_trailer(&mut self.bytes, start, more, self.crc);
        }
    }
}

/// Appends the public line at `place` to `out`, from `{` to `}`.
///
/// # Errors
/// Of the medium.
pub fn read_line(reader: &dyn ReadAt, place: Location, out: &mut Vec<u8>) -> io::Result<()> {
    let start = out.len();
    // Zeros as the allocator has them; optimised for size, `resize` writes byte after byte.
    out.append(&mut vec![0; place.len as usize]);
    reader.read_exact_at(&mut out[start..], place.offset)?;
    out.push(b'}');
    Ok(())
}

/// What follows the log's name in that of a file that is kept aside: why, and when.
pub fn dated(why: &str, now: SystemTime) -> String {
    format!("{why}-{}", humantime::format_rfc3339_millis(now)).replace(':', "-")
}

fn set_torn_tail_aside(
    disk: &mut dyn Storage,
    from: u64,
    to: u64,
    now: SystemTime,
) -> io::Result<TornTail> {
    let kept =
        disk.save_copy(&dated(".torn", now), &mut FileRange { reader: disk.reader(), from, to })?;
    disk.truncate(from)?;
    disk.sync()?;
    Ok(TornTail { kept, bytes: to - from })
}

/// A part of the file as a stream.
struct FileRange {
    reader: Arc<dyn ReadAt>,
    from: u64,
    to: u64,
}

impl io::Read for FileRange {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = bytes.len().min((self.to - self.from) as usize);
        self.reader.read_exact_at(&mut bytes[..count], self.from)?;
        self.from += count as u64;
        Ok(count)
    }
}

/// EFBIG comes from RLIMIT_FSIZE and from file systems with small maximal files: as temporary as a full disk.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull, WriteZero};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge | WriteZero)
}
