//! What the log stands on: one growing file with positioned reads, behind a trait so that tests can put a lying disk there.
//!
//! Knows nothing of lines.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::error::Error;

/// A log that is being written to take another's place.
const NEW_SUFFIX: &str = ".new";
/// Room that is taken for the file beyond its end, so that not every sync has to note which blocks are its own: a quarter of a
/// sync's time on ext4. Given back when the file is closed.
const AHEAD_BYTES: u64 = 4 << 20;

/// Positioned reads, from any thread, that stay good while the log is replaced by a compacted one.
pub trait ReadAt: Send + Sync {
    /// Fills `bytes` from `offset` on, all of it or an error.
    ///
    /// # Errors
    /// Of the medium, or `UnexpectedEof` past the end.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
}

/// One file that is only ever appended to, cut, or replaced as a whole.
///
/// Assumed of the medium: what was written before a successful [`Storage::sync`] survives a crash; of what was written after it, any
/// part may be there, missing or zero; a successful [`Storage::replace`] survives as a whole or not at all.
pub trait Storage: Send {
    /// Bytes in the file.
    ///
    /// # Errors
    /// Of the medium.
    fn length(&self) -> io::Result<u64>;

    /// A handle for positioned reads.
    fn reader(&self) -> Arc<dyn ReadAt>;

    /// Writes all of `bytes` at `offset`, the end.
    ///
    /// # Errors
    /// Of the medium; then a part of `bytes` may be there.
    fn append(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Returns once everything written is on the medium.
    ///
    /// # Errors
    /// Of the medium; then nothing may be believed of what was written since the last success (fsyncgate).
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file to `length` bytes.
    ///
    /// # Errors
    /// Of the medium.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// An empty disk beside this one, which may take its place later.
    ///
    /// # Errors
    /// Of the medium.
    fn create_sibling(&self) -> io::Result<Box<dyn Storage>>;

    /// Takes the place of the disk that this one was made beside, durably, all or nothing. What it holds must be synced.
    /// Handles given out by the other still read the other.
    ///
    /// # Errors
    /// Of the medium; then nobody knows which of both a restart finds.
    fn replace(&mut self) -> io::Result<()>;

    /// Keeps `bytes` in a file of its own beside the log, durably, and says where.
    ///
    /// # Errors
    /// Of the medium.
    fn save_copy(&mut self, suffix: &str, bytes: &mut dyn io::Read) -> io::Result<PathBuf>;
}

impl ReadAt for File {
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, bytes, offset)
    }
}

/// The folder lock: as long as it lives, no other process uses the data.
#[derive(Debug)]
pub struct DirLock(#[allow(dead_code)] File);

impl DirLock {
    /// Takes the lock of `folder`, which must exist.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has it.
    pub fn take(folder: &Path) -> Result<DirLock, Error> {
        let path = folder.join(".lock");
        let io_error = |what| {
            let path = path.clone();
            move |source| Error::Io { what, path, source }
        };
        let file = open_options().create(true).open(&path).map_err(io_error("open"))?;
        match file.try_lock() {
            Ok(()) => Ok(DirLock(file)),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { path: folder.to_owned() }),
            Err(TryLockError::Error(source)) => Err(io_error("lock")(source)),
        }
    }
}

/// The real file.
#[derive(Debug)]
pub struct FileStorage {
    path: PathBuf,
    file: Arc<File>,
    /// Up to here room is taken, or was not to be had; 0: nothing was tried yet.
    ahead: u64,
}

impl FileStorage {
    /// Opens the file at `path`, making an empty one if there is none.
    ///
    /// # Errors
    /// With the path, where the operating system refuses.
    pub fn open(path: &Path) -> Result<FileStorage, Error> {
        let io_error = |source| Error::Io { what: "open", path: path.to_owned(), source };
        let file = open_options().create(true).open(path).map_err(io_error)?;
        sync_folder(path).map_err(io_error)?;
        let disk = FileStorage { path: path.to_owned(), file: Arc::new(file), ahead: 0 };
        // What a compaction left that did not come to its end.
        let _ = std::fs::remove_file(disk.beside(NEW_SUFFIX));
        Ok(disk)
    }

    /// Opens the file at `path` for reading only; it must be there.
    ///
    /// # Errors
    /// With the path, where the operating system refuses.
    pub fn open_read_only(path: &Path) -> Result<FileStorage, Error> {
        let io_error = |source| Error::Io { what: "open", path: path.to_owned(), source };
        let file = File::open(path).map_err(io_error)?;
        Ok(FileStorage { path: path.to_owned(), file: Arc::new(file), ahead: 0 })
    }

    /// Takes room for the next appends. The file does not become longer by it, so that a copy of it stays a log.
    fn preallocate(&mut self, end: u64) {
        if end <= self.ahead {
            return;
        }
        self.ahead = end + AHEAD_BYTES;
        // Where there is none, or the file system knows no such thing, appending itself will tell.
        #[cfg(target_os = "linux")]
        let _ = rustix::fs::fallocate(
            &*self.file,
            rustix::fs::FallocateFlags::KEEP_SIZE,
            end,
            AHEAD_BYTES,
        );
    }

    fn release_preallocated(&mut self) {
        if let Some(length) = self.length().ok().filter(|length| *length < self.ahead) {
            let _ = self.file.set_len(length);
        }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        path.into()
    }
}

/// A log that never came to take another's place leaves the room to those that did.
impl Drop for FileStorage {
    fn drop(&mut self) {
        self.release_preallocated();
        if self.path.to_string_lossy().ends_with(NEW_SUFFIX) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Storage for FileStorage {
    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn reader(&self) -> Arc<dyn ReadAt> {
        self.file.clone()
    }

    fn append(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.preallocate(offset + bytes.len() as u64);
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.ahead = 0;
        self.file.set_len(length)
    }

    fn create_sibling(&self) -> io::Result<Box<dyn Storage>> {
        let path = self.beside(NEW_SUFFIX);
        let file = open_options().create(true).truncate(true).open(&path)?;
        Ok(Box::new(FileStorage { path, file: Arc::new(file), ahead: 0 }))
    }

    fn replace(&mut self) -> io::Result<()> {
        let name = self.path.to_string_lossy();
        let place =
            name.strip_suffix(NEW_SUFFIX).map(PathBuf::from).ok_or(io::ErrorKind::InvalidInput)?;
        std::fs::rename(&self.path, &place)?;
        self.path = place;
        sync_folder(&self.path)
    }

    fn save_copy(&mut self, suffix: &str, bytes: &mut dyn io::Read) -> io::Result<PathBuf> {
        let path = self.beside(suffix);
        let mut file = open_options().create_new(true).open(&path)?;
        io::copy(bytes, &mut file)?;
        file.sync_all()?;
        sync_folder(&path)?;
        Ok(path)
    }
}

/// Comments are their readers' business, not that of other users of the machine.
fn open_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// A name is durable only once its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn room_that_is_taken_ahead_is_not_seen_in_the_file_and_given_back() {
        let path = std::env::temp_dir().join(format!("sayso-disk-{}", std::process::id()));
        let mut disk = FileStorage::open(&path).unwrap();
        let line = [b'x'; 1000];
        let occupied = |path: &Path| std::fs::metadata(path).unwrap().blocks() * 512;
        for at in 0..100 {
            disk.append(&line, at * 1000).unwrap();
            assert_eq!(disk.length().unwrap(), (at + 1) * 1000);
        }
        disk.sync().unwrap();
        // Nothing more where the file system can't.
        assert!(occupied(&path) < AHEAD_BYTES + (1 << 20));
        disk.truncate(50_000).unwrap();
        disk.append(&line, 50_000).unwrap();
        disk.sync().unwrap();
        drop(disk);
        assert_eq!(std::fs::read(&path).unwrap(), [b'x'; 51_000]);
        assert!(occupied(&path) < 1 << 17, "{} bytes are still taken", occupied(&path));
        std::fs::remove_file(&path).unwrap();
    }
}
