//! The file of `--block-file`: reads it, and notices when it has changed.
//!
//! Knows no comment; what the lines mean is the block list's.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    comment::block_list::{BLOCK_FILE_BYTES_MAX, BadLine, BlockList},
    error::Error,
    hub::screen::Screen,
    util::text::counted,
};

/// How often the file is looked at.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What tells one version of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(path: &Path) -> Option<Stamp> {
        let found: Metadata = fs::metadata(path).ok()?;
        Some(Stamp {
            device: found.dev(),
            inode: found.ino(),
            bytes: found.len(),
            modified: found.modified().ok(),
        })
    }
}

/// A file that is watched while the server runs.
pub struct BlockFile {
    path: PathBuf,
    /// The version that was read; `None` if there was no file.
    read: Option<Stamp>,
    /// The version that the last look has found.
    seen: Option<Stamp>,
}

impl BlockFile {
    /// Reads the file and watches it from now on.
    ///
    /// # Errors
    /// As [`read`].
    pub fn open(path: &Path) -> Result<(BlockFile, BlockList), Error> {
        let stamp = Stamp::of(path);
        let list = read(path)?;
        log::info!("{}", summary(path, &list));
        Ok((BlockFile { path: path.into(), read: stamp.clone(), seen: stamp }, list))
    }

    /// Reads the file again if it has changed and then stayed as it is for a look, so that one that is just being written is not taken
    /// half.
    pub fn look(&mut self, screen: &Screen) {
        let now = Stamp::of(&self.path);
        let has_settled = now == self.seen;
        self.seen = now;
        if has_settled && self.seen != self.read {
            self.reload(screen);
        }
    }

    /// Reads the file again. If a line of it is wrong, says so and leaves the list as it is.
    pub fn reload(&mut self, screen: &Screen) {
        self.read = Stamp::of(&self.path);
        match read(&self.path) {
            Ok(list) => {
                log::info!("{}", summary(&self.path, &list));
                screen.set_block_list(list);
            }
            Err(error) => log::error!("the block list stays as it was: {error}"),
        }
    }
}

/// Reads a block list.
///
/// # Errors
/// [`Error::Io`] if the file can't be read, [`Error::Usage`] if it is too long or one of its lines is wrong.
pub fn read(path: &Path) -> Result<BlockList, Error> {
    let shown = path.display();
    let found = fs::metadata(path).map_err(Error::io("read", path))?;
    // A pipe would be waited for.
    if !found.is_file() {
        return Err(Error::Usage(format!("--block-file is {shown}, which is no file")));
    }
    let length = found.len();
    if length > BLOCK_FILE_BYTES_MAX as u64 {
        return Err(Error::Usage(format!(
            "{shown} has {length} bytes, at most {BLOCK_FILE_BYTES_MAX} are allowed"
        )));
    }
    let file = fs::read(path).map_err(Error::io("read", path))?;
    BlockList::parse(&file)
        .map_err(|BadLine { number, why }| Error::Usage(format!("{shown}:{number}: {why}")))
}

fn summary(path: &Path, list: &BlockList) -> String {
    let (phrases, expressions) = list.len();
    let phrases = counted(phrases, "phrase");
    format!("{}: {phrases} and {} to hold", path.display(), counted(expressions, "expression"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(screen: &Screen, text: &str) -> bool {
        screen.block_list().is_some_and(|list| list.find(text, None, None).is_some())
    }

    #[test]
    fn a_changed_file_is_read_once_it_stays_as_it_is_and_a_bad_one_changes_nothing() {
        let path = std::env::temp_dir().join(format!("sayso-block-{}", std::process::id()));
        fs::write(&path, "one").unwrap();
        let (mut file, list) = BlockFile::open(&path).unwrap();
        let screen = Screen::default();
        screen.set_block_list(list);
        file.look(&screen);
        assert!(finds(&screen, "one"));

        fs::write(&path, "two and more").unwrap();
        file.look(&screen);
        assert!(finds(&screen, "one"), "it may still be written");
        file.look(&screen);
        assert!(!finds(&screen, "one") && finds(&screen, "two and more"));

        for bad in [&b"three\n/(/"[..], b"\xff", &[b'a'; BLOCK_FILE_BYTES_MAX + 1]] {
            fs::write(&path, bad).unwrap();
            for _ in 0..3 {
                file.look(&screen);
                assert!(finds(&screen, "two and more") && !finds(&screen, "three"));
            }
        }
        fs::remove_file(&path).unwrap();
        for _ in 0..3 {
            file.look(&screen);
            assert!(finds(&screen, "two and more"));
        }
        fs::write(&path, [b'a'; BLOCK_FILE_BYTES_MAX]).unwrap();
        file.reload(&screen);
        assert!(!finds(&screen, "two and more"), "a hangup does not wait");
        fs::write(&path, "").unwrap();
        file.reload(&screen);
        assert!(screen.block_list().is_none(), "nothing is looked for");
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_is_wrong_is_said_with_file_line_and_limit() {
        let folder = std::env::temp_dir();
        let path = folder.join(format!("sayso-block-bad-{}", std::process::id()));
        fs::write(&path, "fine\n#\nc++").unwrap();
        let said = read(&path).unwrap_err().to_string();
        assert!(said.contains(&format!("{}:3: a phrase begins", path.display())), "{said}");
        fs::write(&path, [b'a'; BLOCK_FILE_BYTES_MAX + 1]).unwrap();
        let said = read(&path).unwrap_err().to_string();
        assert!(said.contains("has 1048577 bytes, at most 1048576 are allowed"), "{said}");
        fs::remove_file(&path).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("No such file"));
        assert!(read(&folder).unwrap_err().to_string().contains("which is no file"));
    }
}
