//! The file under the log: one growing file with positioned reads, behind a trait so that tests can substitute a disk that lies.
//!
//! Knows nothing of lines.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::error::Error;

/// Suffix of a log that is being written and will replace the current one.
const NEW_SUFFIX: &str = ".new";
/// Symbolic links in a row that are followed, as many as Linux follows.
const LINKS_MAX: usize = 40;
/// Bytes that are allocated beyond the end of the file, so that a sync rarely has to record new blocks: that is a quarter of its
/// time on ext4. They are released when the file is closed.
const PREALLOCATED_BYTES: u64 = 4 << 20;

/// Positioned reads, from any thread. A handle still reads the same file after the log was replaced by a compacted one.
pub trait ReadAt: Send + Sync {
    /// Fills all of `bytes` from `offset` on.
    ///
    /// # Errors
    /// Fails if reading fails, with `UnexpectedEof` past the end.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
}

/// One file that is only appended to, truncated, or replaced as a whole.
///
/// The log assumes of the medium: what was written before a successful [`Storage::sync`] survives a crash; what was written after
/// it may be there, missing or zero in any part; a [`Storage::replace`] survives as a whole or not at all, and survives for sure
/// once it has succeeded.
pub trait Storage: Send {
    /// Returns the length of the file, in bytes.
    ///
    /// # Errors
    /// Fails if the file can't be measured.
    fn length(&self) -> io::Result<u64>;

    /// Returns the length of the file, and whether any name leads to it: one system call, for use before each write.
    ///
    /// # Errors
    /// Fails if the file can't be measured.
    fn length_and_link(&self) -> io::Result<(u64, bool)> {
        Ok((self.length()?, true))
    }

    /// Returns what is wrong if the log's name no longer leads to this file: it was removed, moved or replaced. `None`: it does, or
    /// the operating system does not say.
    fn misplaced(&self) -> Option<&'static str>;

    /// Returns another handle of the same file, for another thread.
    fn another(&self) -> Box<dyn Storage>;

    /// Returns a handle for positioned reads.
    fn reader(&self) -> Arc<dyn ReadAt>;

    /// Writes all of `bytes` at `offset`, which is the end of the file.
    ///
    /// # Errors
    /// Fails if writing fails; part of `bytes` may then be in the file.
    fn append(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes sure that so many bytes have room behind `end`, as far as can be told. The file's length stays the same.
    ///
    /// # Errors
    /// Fails if there is no room, or if nobody can tell.
    #[cfg(feature = "redis")]
    fn reserve(&mut self, end: u64, bytes: u64) -> io::Result<()> {
        let _ = (end, bytes);
        Ok(())
    }

    /// Returns once everything written is on the medium.
    ///
    /// # Errors
    /// Fails if syncing fails. Whatever was written since the last success must then be considered lost, even if a later sync
    /// succeeds (PostgreSQL's "fsyncgate").
    fn sync(&mut self) -> io::Result<()>;

    /// Truncates the file to `length` bytes.
    ///
    /// # Errors
    /// Fails if truncating fails.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Creates an empty file beside this one, which may replace it later.
    ///
    /// # Errors
    /// Fails if the file can't be created.
    fn create_sibling(&self) -> io::Result<Box<dyn Storage>>;

    /// Replaces the file that this one was created beside, durably, all or nothing. This file must be synced. Read handles of the
    /// replaced file still read the replaced file.
    ///
    /// # Errors
    /// Fails if renaming or syncing the folder fails; it is then unknown which of the two files a restart finds.
    fn replace(&mut self) -> io::Result<()>;

    /// Saves `bytes` durably in a new file beside the log and returns its path. `suffix` is appended to the log's name.
    ///
    /// # Errors
    /// Fails if the file exists or can't be written.
    fn save_copy(&mut self, suffix: &str, bytes: &mut dyn io::Read) -> io::Result<PathBuf>;
}

impl ReadAt for File {
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, bytes, offset)
    }
}

/// The lock of a data folder: while it lives, no other process can take it. Dropping it releases the lock.
#[derive(Debug)]
pub struct DirLock(#[allow(dead_code)] File);

impl DirLock {
    /// Locks `folder`, which must exist.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process holds the lock, [`Error::Io`] if the lock file can't be opened.
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

/// A file of the operating system.
#[derive(Debug)]
pub struct FileStorage {
    /// The file's path without symbolic links.
    path: PathBuf,
    /// The path it was opened by; a symbolic link there leads to `path`.
    name: PathBuf,
    file: Arc<File>,
    /// Offset up to which blocks were allocated, or could not be; 0 before the first try.
    preallocated_to: u64,
}

impl FileStorage {
    /// Opens the file at `path`, and creates it if there is none. If `path` is a symbolic link, all that follows happens in the folder
    /// of the file that it leads to: that file is replaced, not the link.
    ///
    /// # Errors
    /// [`Error::Io`] with the path if the file or its folder can't be opened.
    pub fn open(path: &Path) -> Result<FileStorage, Error> {
        let io_error = |source| Error::Io { what: "open", path: path.to_owned(), source };
        let file = open_options().create(true).open(path).map_err(io_error)?;
        let storage = FileStorage::new(path, file).map_err(io_error)?;
        sync_folder(&storage.path).map_err(io_error)?;
        // An interrupted compaction may have left its unfinished file.
        let _ = std::fs::remove_file(storage.beside(NEW_SUFFIX));
        Ok(storage)
    }

    /// Opens the existing file at `path` for reading only.
    ///
    /// # Errors
    /// [`Error::Io`] with the path if there is no such file or it can't be opened.
    pub fn open_read_only(path: &Path) -> Result<FileStorage, Error> {
        let io_error = |source| Error::Io { what: "open", path: path.to_owned(), source };
        let file = File::open(path).map_err(io_error)?;
        FileStorage::new(path, file).map_err(io_error)
    }

    fn new(name: &Path, file: File) -> io::Result<FileStorage> {
        let path = without_links(name)?;
        Ok(FileStorage { path, name: name.to_owned(), file: Arc::new(file), preallocated_to: 0 })
    }

    /// Allocates blocks for the next appends. The file's length stays the same, so that a copy of the file is still a log.
    fn preallocate(&mut self, end: u64) {
        if end <= self.preallocated_to {
            return;
        }
        self.preallocated_to = end + PREALLOCATED_BYTES;
        // An error doesn't matter: if the disk is full, the append itself fails; if the file system can't allocate, nothing is lost.
        #[cfg(target_os = "linux")]
        let _ = rustix::fs::fallocate(
            &*self.file,
            rustix::fs::FallocateFlags::KEEP_SIZE,
            end,
            PREALLOCATED_BYTES,
        );
    }

    fn release_preallocated(&mut self) {
        if let Some(length) = self.length().ok().filter(|length| *length < self.preallocated_to) {
            let _ = self.file.set_len(length);
        }
    }

    /// The log's path with `suffix` appended.
    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        path.into()
    }
}

/// Releases preallocated blocks, and removes a new log that never replaced the current one.
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

    fn length_and_link(&self) -> io::Result<(u64, bool)> {
        let own = self.file.metadata()?;
        Ok((own.len(), own.nlink() > 0))
    }

    fn misplaced(&self) -> Option<&'static str> {
        let own = self.file.metadata().ok()?;
        match std::fs::metadata(&self.name) {
            Ok(there) if (there.dev(), there.ino()) != (own.dev(), own.ino()) => {
                Some("another file is in its place")
            }
            Ok(_) if own.nlink() == 0 => Some("it was removed"),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Some("it was removed or moved")
            }
            _ => None,
        }
    }

    fn another(&self) -> Box<dyn Storage> {
        let (path, name, file) = (self.path.clone(), self.name.clone(), self.file.clone());
        Box::new(FileStorage { path, name, file, preallocated_to: 0 })
    }

    fn reader(&self) -> Arc<dyn ReadAt> {
        self.file.clone()
    }

    fn append(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.preallocate(offset + bytes.len() as u64);
        self.file.write_all_at(bytes, offset)
    }

    #[cfg(feature = "redis")]
    fn reserve(&mut self, end: u64, bytes: u64) -> io::Result<()> {
        use rustix::process::{Resource, getrlimit};
        if getrlimit(Resource::Fsize).current.is_some_and(|limit| end + bytes > limit) {
            return Err(ErrorKind::FileTooLarge.into());
        }
        #[cfg(target_os = "linux")]
        rustix::fs::fallocate(
            &*self.file,
            rustix::fs::FallocateFlags::KEEP_SIZE,
            end,
            bytes.max(1),
        )?;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.preallocated_to = 0;
        self.file.set_len(length)
    }

    fn create_sibling(&self) -> io::Result<Box<dyn Storage>> {
        let path = self.beside(NEW_SUFFIX);
        let file = open_options().create(true).truncate(true).open(&path)?;
        let name = self.name.clone();
        Ok(Box::new(FileStorage { path, name, file: Arc::new(file), preallocated_to: 0 }))
    }

    fn replace(&mut self) -> io::Result<()> {
        let name = self.path.to_string_lossy();
        let target =
            name.strip_suffix(NEW_SUFFIX).map(PathBuf::from).ok_or(ErrorKind::InvalidInput)?;
        std::fs::rename(&self.path, &target)?;
        self.path = target;
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

/// Options for files that only the owner may read: comments are not for other users of the machine.
pub fn open_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// Writes a small file that only the owner may read, durably, whole or not at all; it replaces the one that is there.
///
/// # Errors
/// Fails if it can't be written. Unless the last sync failed, the file is then as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = path.to_owned().into_os_string();
    new.push(NEW_SUFFIX);
    // A process that was killed may have left its file, which others may have been allowed to read.
    let _ = std::fs::remove_file(&new);
    let written = open_options().create_new(true).open(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written.and_then(|()| sync_folder(path))
}

/// Returns the path of the file that `name` leads to, even where that does not exist.
///
/// # Errors
/// Fails if links lead in a circle.
pub fn without_links(name: &Path) -> io::Result<PathBuf> {
    let mut path = name.to_owned();
    for _ in 0..LINKS_MAX {
        match std::fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("symbolic links lead in a circle"))
}

/// Returns the files beside `path` that are called like it, with `reason` and a time appended, the newest first.
pub fn newest_first_beside(path: &Path, reason: &str) -> Vec<PathBuf> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    let name = format!("{name}{reason}-");
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = files.filter_map(|entry| entry.file_name().into_string().ok());
    let names: Vec<String> = names.filter(|own| own.starts_with(&name)).collect();
    let mut found: Vec<&str> = names.iter().map(|name| &**name).collect();
    found.sort_unstable();
    found.into_iter().rev().map(|name| folder.join(name)).collect()
}

/// Syncs the folder of `path`: a file's name is durable only after that.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
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
    fn preallocated_blocks_do_not_lengthen_the_file_and_are_released() {
        let path = std::env::temp_dir().join(format!("sayso-storage-{}", std::process::id()));
        let mut storage = FileStorage::open(&path).unwrap();
        let line = [b'x'; 1000];
        let allocated = |path: &Path| std::fs::metadata(path).unwrap().blocks() * 512;
        for at in 0..100 {
            storage.append(&line, at * 1000).unwrap();
            assert_eq!(storage.length().unwrap(), (at + 1) * 1000);
        }
        storage.sync().unwrap();
        // Some file systems can't preallocate; then there are only the written blocks.
        assert!(allocated(&path) < PREALLOCATED_BYTES + (1 << 20));
        storage.truncate(50_000).unwrap();
        storage.append(&line, 50_000).unwrap();
        storage.sync().unwrap();
        drop(storage);
        assert_eq!(std::fs::read(&path).unwrap(), [b'x'; 51_000]);
        assert!(allocated(&path) < 1 << 17, "{} bytes are still allocated", allocated(&path));
        std::fs::remove_file(&path).unwrap();
    }
}
