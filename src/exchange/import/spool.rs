//! The temporary files of an import: one of texts, one of entries of a fixed size that say where their texts are, and lists of numbers.
//!
//! All have no name from the start, and their owner alone could have opened them. Knows nothing of formats and order.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::error::ImportError;
pub use super::flags::Flags;

/// The length of an encoded [`Entry`], bytes.
pub const ENTRY_BYTES: usize = 80;
/// How many bytes of entries are read at once.
const READ_BYTES: usize = ENTRY_BYTES * 512;

/// The length of a number in [`Numbers`], bytes.
const NUMBER_BYTES: usize = 8;
/// How many bytes of [`Numbers`] are written at once.
const NEWEST_BYTES_MAX: usize = 4_096;

/// No parent, no author, no person, no time.
pub const NONE: u64 = 0;

/// Everything about an entry but its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Entry {
    /// Hash of site and id.
    pub key: u64,
    /// The key of what it answers, or [`NONE`].
    pub parent: u64,
    /// Hash of the author, or [`NONE`].
    pub author: u64,
    /// Hash of the person whose name counts, or [`NONE`].
    pub person: u64,
    /// ms since 1970; 0 if it has none and is left out.
    pub created_at: u64,
    /// ms since 1970, or [`NONE`].
    pub edited_at: u64,
    /// Where its texts are.
    pub text_at: u64,
    /// The line of the export.
    pub line: u64,
    /// How long its texts are, bytes.
    pub text_length: u32,
    /// The number of its page in the list of the collector.
    pub page: u32,
    /// Why it is left out, as a number of [`Reason`](super::report::Reason); 0 if it is not.
    pub reason: u8,
    /// See [`Flags`].
    pub flags: Flags,
}

impl Entry {
    fn encode(&self) -> [u8; ENTRY_BYTES] {
        let mut out = [0; ENTRY_BYTES];
        let numbers = [
            self.key,
            self.parent,
            self.author,
            self.person,
            self.created_at,
            self.edited_at,
            self.text_at,
            self.line,
            u64::from(self.text_length) << 32 | u64::from(self.page),
            u64::from(self.reason) << 16 | u64::from(self.flags.0),
        ];
        for (bytes, number) in out.chunks_exact_mut(8).zip(numbers) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        out
    }

    fn decode(bytes: &[u8]) -> Entry {
        let number = |at: usize| {
            let bytes = bytes[at * 8..at * 8 + 8].try_into().expect("they are eight");
            u64::from_le_bytes(bytes)
        };
        Entry {
            key: number(0),
            parent: number(1),
            author: number(2),
            person: number(3),
            created_at: number(4),
            edited_at: number(5),
            text_at: number(6),
            line: number(7),
            text_length: (number(8) >> 32) as u32,
            page: number(8) as u32,
            reason: (number(9) >> 16) as u8,
            flags: Flags(number(9) as u16),
        }
    }
}

/// The texts of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Texts {
    /// The nonce.
    pub nonce: String,
    /// The display name; empty if anonymous.
    pub name: String,
    /// The author's pseudonym; empty if there is none.
    pub author: String,
    /// The content; empty if deleted.
    pub content: String,
    /// The moderator who wrote it, if the export comes from sayso.
    pub moderator: String,
    /// Where it was written, if not in sayso.
    pub imported: String,
    /// The log that it is from and its id there, as `LOG/17`, if it is a sayso's and has no nonce.
    pub origin: String,
}

impl Texts {
    fn fields(&self) -> [&String; 7] {
        let Texts { nonce, name, author, content, moderator, imported, origin } = self;
        [nonce, name, author, content, moderator, imported, origin]
    }
}

/// Writes the temporary files.
pub struct SpoolWriter {
    texts: BufWriter<File>,
    text_at: u64,
    entries: BufWriter<File>,
    count: u32,
}

/// Reads them.
pub struct Spool {
    texts: File,
    entries: File,
    count: u32,
}

impl SpoolWriter {
    /// Creates the files in a folder.
    ///
    /// # Errors
    /// Fails if it can't be written to.
    pub fn create(folder: &Path) -> Result<SpoolWriter, ImportError> {
        let create = || unnamed_file(folder).map_err(ImportError::Temporary);
        let (texts, entries) = (BufWriter::new(create()?), BufWriter::new(create()?));
        Ok(SpoolWriter { texts, text_at: 0, entries, count: 0 })
    }

    /// How many entries were written.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Appends an entry with its texts.
    pub fn push(&mut self, mut entry: Entry, texts: Option<&Texts>) -> Result<(), ImportError> {
        entry.text_at = self.text_at;
        for field in texts.iter().flat_map(|texts| texts.fields()) {
            self.push_text(field)?;
        }
        entry.text_length = (self.text_at - entry.text_at) as u32;
        self.entries.write_all(&entry.encode()).map_err(ImportError::Temporary)?;
        let next = self.count.checked_add(1).filter(|next| *next < u32::MAX);
        self.count =
            next.ok_or_else(|| ImportError::at(entry.line, "the file has too many entries"))?;
        Ok(())
    }

    /// Appends a text alone, and returns where it is.
    pub fn push_text(&mut self, text: &str) -> Result<u64, ImportError> {
        let at = self.text_at;
        let length = u16::try_from(text.len()).expect("every text is within its limit");
        let written = self.texts.write_all(&length.to_le_bytes());
        written
            .and_then(|()| self.texts.write_all(text.as_bytes()))
            .map_err(ImportError::Temporary)?;
        self.text_at += 2 + u64::from(length);
        Ok(at)
    }

    /// Ends writing.
    pub fn finish(self) -> Result<Spool, ImportError> {
        let file = |writer: BufWriter<File>| {
            writer.into_inner().map_err(|error| ImportError::Temporary(error.into_error()))
        };
        Ok(Spool { texts: file(self.texts)?, entries: file(self.entries)?, count: self.count })
    }
}

impl Spool {
    /// How many entries there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// One entry.
    pub fn entry(&self, number: u32) -> Result<Entry, ImportError> {
        let mut bytes = [0; ENTRY_BYTES];
        self.entries.read_exact_at(&mut bytes, at(number)).map_err(ImportError::Temporary)?;
        Ok(Entry::decode(&bytes))
    }

    /// Replaces an entry.
    pub fn replace(&self, number: u32, entry: &Entry) -> Result<(), ImportError> {
        self.entries.write_all_at(&entry.encode(), at(number)).map_err(ImportError::Temporary)
    }

    /// Calls `each` with every entry and its number.
    pub fn each(&self, each: &mut dyn FnMut(u32, Entry)) -> Result<(), ImportError> {
        let mut number = 0;
        let mut bytes = vec![0; READ_BYTES];
        while number < self.count {
            let length = READ_BYTES.min((self.count - number) as usize * ENTRY_BYTES);
            self.entries
                .read_exact_at(&mut bytes[..length], at(number))
                .map_err(ImportError::Temporary)?;
            for entry in bytes[..length].chunks_exact(ENTRY_BYTES) {
                each(number, Entry::decode(entry));
                number += 1;
            }
        }
        Ok(())
    }

    /// The texts of an entry.
    pub fn texts(&self, entry: &Entry) -> Result<Texts, ImportError> {
        let mut bytes = vec![0; entry.text_length as usize];
        self.texts.read_exact_at(&mut bytes, entry.text_at).map_err(ImportError::Temporary)?;
        let mut bytes = &bytes[..];
        let mut next = || read_text(&mut bytes).map_err(ImportError::Temporary);
        Ok(Texts {
            nonce: next()?,
            name: next()?,
            author: next()?,
            content: next()?,
            moderator: next()?,
            imported: next()?,
            origin: next()?,
        })
    }

    /// A text that stands alone.
    pub fn text(&self, at: u64) -> Result<String, ImportError> {
        let mut length = [0; 2];
        let read = self.texts.read_exact_at(&mut length, at);
        read.and_then(|()| {
            let mut bytes = vec![0; usize::from(u16::from_le_bytes(length))];
            self.texts.read_exact_at(&mut bytes, at + 2)?;
            String::from_utf8(bytes).map_err(io::Error::other)
        })
        .map_err(ImportError::Temporary)
    }
}

/// A list of numbers in a temporary file: however long it is, it takes 4 KB of memory.
pub struct Numbers {
    file: File,
    /// How many are in the file.
    written: u64,
    /// The others.
    newest: Vec<u8>,
}

impl Numbers {
    /// Creates an empty list in a folder.
    ///
    /// # Errors
    /// Fails if the folder can't be written to.
    pub fn create(folder: &Path) -> Result<Numbers, ImportError> {
        let file = unnamed_file(folder).map_err(ImportError::Temporary)?;
        Ok(Numbers { file, written: 0, newest: Vec::with_capacity(NEWEST_BYTES_MAX) })
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.written as usize + self.newest.len() / NUMBER_BYTES
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a number.
    ///
    /// # Errors
    /// Fails if the temporary file can't be written.
    pub fn push(&mut self, number: u64) -> Result<(), ImportError> {
        self.newest.extend_from_slice(&number.to_le_bytes());
        if self.newest.len() >= NEWEST_BYTES_MAX {
            let at = self.written * NUMBER_BYTES as u64;
            self.file.write_all_at(&self.newest, at).map_err(ImportError::Temporary)?;
            self.written += (self.newest.len() / NUMBER_BYTES) as u64;
            self.newest.clear();
        }
        Ok(())
    }

    /// The number at a place, which there is.
    ///
    /// # Errors
    /// Fails if the temporary file can't be read.
    pub fn get(&self, place: usize) -> Result<u64, ImportError> {
        let mut bytes = [0; NUMBER_BYTES];
        match place.checked_sub(self.written as usize) {
            Some(at) => bytes.copy_from_slice(&self.newest[at * NUMBER_BYTES..][..NUMBER_BYTES]),
            None => {
                let at = (place * NUMBER_BYTES) as u64;
                self.file.read_exact_at(&mut bytes, at).map_err(ImportError::Temporary)?;
            }
        }
        Ok(u64::from_le_bytes(bytes))
    }
}

fn at(number: u32) -> u64 {
    u64::from(number) * ENTRY_BYTES as u64
}

fn read_text(bytes: &mut &[u8]) -> io::Result<String> {
    let mut length = [0; 2];
    bytes.read_exact(&mut length)?;
    let mut text = vec![0; usize::from(u16::from_le_bytes(length))];
    bytes.read_exact(&mut text)?;
    String::from_utf8(text).map_err(io::Error::other)
}

/// A new file that only its owner may open, whose name is gone at once.
fn unnamed_file(folder: &Path) -> io::Result<File> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let path = folder.join(format!(".import-{:016x}", u64::from_le_bytes(random)));
    let file =
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comment::Status;

    #[test]
    fn entries_and_texts_are_read_as_they_were_written() {
        let mut writer = SpoolWriter::create(&std::env::temp_dir()).unwrap();
        let texts = |number: u32| Texts {
            nonce: format!("nonce {number}"),
            name: "é".repeat(number as usize % 64),
            author: String::new(),
            content: "x".repeat(number as usize % 8_193),
            moderator: "ada".into(),
            imported: "isso".into(),
            origin: format!("log/{number}"),
        };
        let flags = Flags(Flags::PINNED | Flags::HIDDEN | Flags::VERIFIED);
        for number in 0..2_000 {
            let entry = Entry {
                key: u64::from(number),
                line: u64::MAX,
                page: u32::MAX,
                reason: 9,
                flags,
                ..Entry::default()
            };
            writer.push(entry, Some(&texts(number))).unwrap();
        }
        let at = writer.push_text("alone").unwrap();
        let spool = writer.finish().unwrap();
        let mut seen = 0;
        spool
            .each(&mut |number, entry| {
                assert_eq!((number, entry.key), (seen, u64::from(seen)));
                assert_eq!((entry.line, entry.page, entry.reason), (u64::MAX, u32::MAX, 9));
                assert_eq!(entry.flags.status(), Status::Hidden);
                seen += 1;
            })
            .unwrap();
        assert_eq!(seen, spool.count());
        for number in [0, 1, 63, 1_999] {
            assert_eq!(spool.texts(&spool.entry(number).unwrap()).unwrap(), texts(number));
        }
        assert_eq!(spool.text(at).unwrap(), "alone");
    }

    #[test]
    fn numbers_are_read_as_they_were_written_from_file_and_memory() {
        let mut numbers = Numbers::create(&std::env::temp_dir()).unwrap();
        for number in 0..3_000u64 {
            assert_eq!(numbers.len() as u64, number);
            numbers.push(number * number).unwrap();
            for place in [number, number / 2, 0] {
                assert_eq!(numbers.get(place as usize).unwrap(), place * place);
            }
            assert!(numbers.newest.len() < NEWEST_BYTES_MAX);
        }
    }

    #[test]
    fn a_folder_without_room_is_an_error() {
        let error = SpoolWriter::create(Path::new("/nowhere")).err().unwrap().to_string();
        assert!(error.starts_with("can't keep what was read in a temporary file: "), "{error}");
    }
}
