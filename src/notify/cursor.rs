//! How far a program has been told, in `<data>/notify/NAME`: over `kill -9` nothing is forgotten, and one event at most is told twice.
//!
//! Knows neither events nor programs.

use std::{
    fs, io,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{log::storage::write_whole, util::text::parse_decimal};

/// A place in a log. Its file has these three, separated by spaces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    /// Id of the log.
    pub log: String,
    /// Everything up to this has been told.
    pub seq: u64,
    /// When the program was told last, in seconds since 1970; 0: never.
    pub told_at: u64,
}

impl Cursor {
    /// Reads a cursor; `None` if there is no file.
    ///
    /// # Errors
    /// Fails if the file can't be read; with [`InvalidData`](io::ErrorKind::InvalidData) if it is not a cursor's.
    pub fn read(path: &Path) -> io::Result<Option<Cursor>> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let cursor = text.strip_suffix('\n').and_then(|line| {
            let mut words = line.split(' ');
            Some(Cursor {
                log: words.next()?.into(),
                seq: parse_decimal(words.next()?)?,
                told_at: parse_decimal(words.next()?)?,
            })
        });
        cursor.map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Replaces the file, durably.
    ///
    /// # Errors
    /// Fails if it can't be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let Cursor { log, seq, told_at } = self;
        write_whole(path, format!("{log} {seq} {told_at}\n").as_bytes())
    }

    /// Notes that the program has been told up to `seq`.
    pub fn told(&mut self, seq: u64, now: SystemTime) {
        self.seq = seq;
        self.told_at = now.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    }

    /// How long ago the program was told, as far as the machine's clock tells. One that was set back counts as none having passed.
    pub fn age(&self, now: SystemTime) -> Duration {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        now.saturating_sub(Duration::from_secs(self.told_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_a_damaged_one_is_said_to_be() {
        let folder = std::env::temp_dir().join(format!("sayso-cursor-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("mail.sh-0011");
        assert_eq!(Cursor::read(&path).unwrap(), None);
        let mut cursor = Cursor { log: "9c41f0aa53d7e6b2".into(), seq: 17, told_at: 0 };
        // A process that was killed has left this.
        fs::write(folder.join("mail.sh-0011.new"), "9").unwrap();
        for seq in [17, 18] {
            cursor.told(seq, UNIX_EPOCH + Duration::from_secs(100));
            cursor.write(&path).unwrap();
            assert_eq!(Cursor::read(&path).unwrap().as_ref(), Some(&cursor));
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        for (seconds, age) in [(100, 0), (99, 0), (160, 60)] {
            let now = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(cursor.age(now), Duration::from_secs(age));
        }
        for damaged in ["", "\n", "a 1\n", "a 1 2", "a b 2\n", "a 1 -2\n"] {
            fs::write(&path, damaged).unwrap();
            assert!(Cursor::read(&path).is_err(), "{damaged}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
