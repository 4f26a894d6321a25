//! A comment that a line brings back after its deletion. No sayso writes such a line; one that is in the order all the same counts, as it
//! does for a start, which then counts again what likes and flags the log still has.
//!
//! Reads the whole log, on the hub's thread.

use crate::{
    comment::Author,
    hub::Hub,
    log::scan::{Location, scan},
    store::likes::{self, Key},
    store::moderation::{Note, line::ModerationLine},
    store::record::LineSummary,
};

impl<S> Hub<S> {
    /// Counts the likes and flags of a comment that has none, from all lines before that at `end`.
    ///
    /// # Errors
    /// A sentence, if the log can't be read.
    pub(super) fn recount(&mut self, key: Key, end: Location) -> Result<(), String> {
        let (reader, durable) = (self.log.reader(), self.log.end());
        self.moderation.notes.set(key.1, None);
        let mut each = |line: &[u8], at: Location| Ok(self.recount_line(key, line, at));
        scan(reader, durable, &mut each).map_err(|error| format!("reading the log: {error:?}"))?;
        let len = (end.offset - durable) as u32;
        let staged = self.log.read(Location { offset: durable, len });
        let staged = staged.map_err(|error| format!("reading the batch: {error}"))?;
        let mut offset = durable;
        for line in staged[..len as usize].split(|byte| *byte == b'\n') {
            self.recount_line(key, line, Location { offset, len: open_len(line) });
            offset += line.len() as u64 + 1;
        }
        Ok(())
    }

    /// Returns the line's `seq`.
    fn recount_line(&mut self, key: Key, line: &[u8], location: Location) -> u64 {
        let Ok(summary) = LineSummary::parse(line) else { return 0 };
        let (seq, author) = (summary.seq, Author::parse(&summary.author));
        if summary.id != key.1 || summary.id > seq || summary.kind.is_empty() {
            return seq;
        }
        if summary.kind == likes::KIND {
            author.into_iter().for_each(|author| self.likes.set(key, author, summary.on));
            return seq;
        }
        let Ok(line) = ModerationLine::parse(line) else { return seq };
        match (&*line.kind, author, line.did) {
            ("flag", Some(author), _) if line.on == Some(false) => {
                self.moderation.unflag(key.1, author);
            }
            ("flag", Some(author), _) => drop(self.moderation.flag(key.1, author, location)),
            ("note", _, Some(did)) => {
                let note = Note { did, is_moderators: line.by.is_some(), location };
                self.moderation.note(key.1, note, None);
            }
            _ => {}
        }
        seq
    }
}

/// The length of the part of a line in the file that is before its trailer.
fn open_len(line: &[u8]) -> u32 {
    crate::log::trailer::Trailer::of(line).map_or(0, |trailer| trailer.open.len() as u32)
}
