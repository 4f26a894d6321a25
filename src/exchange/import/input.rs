//! Reads a file or a stream once, from front to back: unpacks gzip, counts lines, and limits how long one entry may be.
//!
//! Knows no format beyond the first bytes that tell what a file is not.

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, Cursor, Read};
use std::rc::Rc;

use flate2::read::MultiGzDecoder;

use super::checksums::Checksums;
use super::error::ImportError;

/// The longest entry, bytes: one JSON object, or one text in XML. A parser holds it in memory, twice at most.
pub const ENTRY_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// How much is read at once, bytes.
const BUFFER_BYTES: usize = 64 * 1024;
/// How many bytes at the start of a file tell what it is.
const MAGIC_BYTES: usize = 16;

/// Where a reader is; shared by the reader and whoever reports a position.
#[derive(Debug, Default)]
pub struct Position {
    line_feeds: Cell<u64>,
    bytes: Cell<u64>,
    entry_ends: Cell<u64>,
    too_long: Cell<bool>,
}

impl Position {
    /// The current line, counted from 1.
    pub fn line(&self) -> u64 {
        self.line_feeds.get() + 1
    }

    /// How many bytes were read, unpacked.
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Begins an entry, which may have [`ENTRY_BYTES_MAX`] bytes.
    pub fn begin_entry(&self) {
        self.entry_ends.set(self.bytes.get().saturating_add(ENTRY_BYTES_MAX));
    }

    /// Passes over something of any length that is not kept in memory.
    pub fn begin_skipped(&self) {
        self.entry_ends.set(u64::MAX);
    }

    /// The error of an entry that was too long, if one was.
    pub fn too_long(&self) -> Option<ImportError> {
        let what = || format!("an entry is longer than {ENTRY_BYTES_MAX} bytes");
        self.too_long.get().then(|| ImportError::at(self.line(), what()))
    }
}

/// An export, unpacked.
pub struct Input {
    inner: Box<dyn Read>,
    buffer: Vec<u8>,
    start: usize,
    position: Rc<Position>,
    checksums: Option<Rc<RefCell<Checksums>>>,
}

impl Input {
    /// Opens an export; gzip is known by its first bytes, whatever the file's name is.
    ///
    /// # Errors
    /// Fails if the first bytes can't be read or belong to something else, such as a database.
    pub fn open(file: Box<dyn Read>) -> Result<Input, ImportError> {
        let (magic, file) = read_magic(file)?;
        let (magic, file) = if magic.starts_with(&[0x1f, 0x8b]) {
            read_magic(Box::new(MultiGzDecoder::new(file)))?
        } else {
            (magic, file)
        };
        let refused = |what: &str| Err(ImportError::at(1, what));
        if magic.starts_with(b"SQLite format 3\0") {
            return refused(
                "this is an SQLite database; give what `sqlite3 -json` prints of it, as the documentation says",
            );
        }
        if magic.starts_with(b"PK\x03\x04") {
            return refused("this is a ZIP archive; unpack it and give the file in it");
        }
        if magic.starts_with(&[0xff, 0xfe]) || magic.starts_with(&[0xfe, 0xff]) {
            return refused("this is UTF-16; convert it to UTF-8");
        }
        let mut input = Input {
            inner: file,
            buffer: Vec::new(),
            start: 0,
            position: Rc::default(),
            checksums: None,
        };
        input.position.begin_entry();
        if magic.starts_with("\u{feff}".as_bytes()) {
            let _ = input.peek(3).map_err(ImportError::Read)?;
            input.consume(3);
        }
        Ok(input)
    }

    /// The position, which goes on with the reader.
    pub fn position(&self) -> Rc<Position> {
        self.position.clone()
    }

    /// The checksums of the lines, which are verified as the lines are read from now on.
    pub fn checksums(&mut self) -> Rc<RefCell<Checksums>> {
        self.checksums.get_or_insert_default().clone()
    }

    /// The next `length` bytes, or fewer at the end; they stay to be read.
    pub fn peek(&mut self, length: usize) -> io::Result<&[u8]> {
        while self.buffer.len() - self.start < length {
            self.buffer.drain(..self.start);
            self.start = 0;
            let filled = self.buffer.len();
            self.buffer.resize(length.max(BUFFER_BYTES), 0);
            let read = read_some(&mut self.inner, &mut self.buffer[filled..]);
            self.buffer.truncate(filled + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                break;
            }
        }
        let end = self.buffer.len().min(self.start + length);
        Ok(&self.buffer[self.start..end])
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.buffer.len() {
            if self.position.bytes.get() > self.position.entry_ends.get() {
                self.position.too_long.set(true);
                return Err(io::Error::other("an entry is too long"));
            }
            self.start = 0;
            self.buffer.resize(BUFFER_BYTES, 0);
            let read = read_some(&mut self.inner, &mut self.buffer);
            self.buffer.truncate(*read.as_ref().unwrap_or(&0));
            read?;
        }
        Ok(&self.buffer[self.start..])
    }

    fn consume(&mut self, amount: usize) {
        let end = self.buffer.len().min(self.start + amount);
        let consumed = &self.buffer[self.start..end];
        let line_feeds = consumed.iter().filter(|byte| **byte == b'\n').count() as u64;
        if let Some(checksums) = &self.checksums {
            checksums.borrow_mut().take(consumed);
        }
        let position = &self.position;
        position.line_feeds.set(position.line_feeds.get() + line_feeds);
        position.bytes.set(position.bytes.get() + consumed.len() as u64);
        self.start = end;
    }
}

impl Read for Input {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(out.len());
        out[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

/// Reads the first bytes, and puts them back.
fn read_magic(mut file: Box<dyn Read>) -> Result<(Vec<u8>, Box<dyn Read>), ImportError> {
    let mut magic = Vec::with_capacity(MAGIC_BYTES);
    file.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut magic).map_err(ImportError::Read)?;
    let file = Cursor::new(magic.clone()).chain(file);
    Ok((magic, Box::new(file)))
}

fn read_some(file: &mut dyn Read, out: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(out) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
