//! Finds what is worth telling behind a sequence number, in the order in which it happened.
//!
//! New comments come from the hub's index, by rising id, so that no compaction hides one; flags and held edits are lines of the log.
//! Each is told as it is when its turn has come. Keeps nothing between two calls. Runs no program.

use std::{io, sync::Arc, time::SystemTime};

use crate::{
    comment::{Comment, did::Did},
    hub::command::{HubHandle, Query},
    hub::news::{News, Present, Sought},
    log::{line_at, scan::Location, storage::ReadAt, tail::lines_after},
    notify::Failure,
    notify::event::{Addresses, Event, Kind},
    store::moderation::line::{ModerationLine, annotate},
    store::visibility::Visibility,
    util::{slot::slot, stream::Stream},
};

/// Lines that are collected before the comments that they are about are looked at.
const RECORDS_MAX: usize = 64;
/// Bytes at the start of a line among which its kind stands, where sayso has written it.
const KIND_BYTES: usize = 48;

/// Follows the log.
pub struct Follower {
    pub hub: HubHandle<Arc<Stream>>,
    pub addresses: Addresses,
}

impl Follower {
    /// Returns the first event behind `after`, encoded, and its place; without one, the place up to which there is none.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn next(&self, mut after: u64) -> Result<(u64, Option<Vec<u8>>), Failure> {
        loop {
            let news = self.news(Sought::After(after))?;
            let (until, comment) = first_comment(&news)?;
            let (reached, records) = records(&news, after, until)?;
            for record in records {
                if let Some(event) = self.judge(&record)? {
                    return Ok((record.seq, Some(event)));
                }
            }
            if reached < until {
                after = reached;
                continue;
            }
            match comment {
                Some((present, kind)) => {
                    return Ok((until, Some(self.encode(kind, present, &*news.file)?)));
                }
                None if news.more => after = until,
                None => return Ok((until, None)),
            }
        }
    }

    /// The event that a line of another kind than comments is, if it is still worth telling.
    fn judge(&self, record: &ModerationLine) -> Result<Option<Vec<u8>>, Failure> {
        let news = self.news(Sought::Id(record.id.unwrap_or_default()))?;
        let Some(present) = news.comments.first() else { return Ok(None) };
        let visibility = present.item.visibility;
        let is_newest = |location: Option<Location>| {
            let line = location.map(|location| line_at(&*news.file, location)).transpose()?;
            let line = line.and_then(|line| ModerationLine::parse(&line).ok());
            io::Result::Ok(line.is_some_and(|line| line.seq == record.seq))
        };
        let note = present.note.map(|note| note.location);
        let why = record.why.as_deref();
        let kind = match (&*record.kind, record.did) {
            // Of those that have come meanwhile, the last one is told. What they have hidden is told by its note.
            ("flag", _) if visibility == Visibility::Public && is_newest(present.newest_flag)? => {
                Kind::Flagged
            }
            ("note", Some(Did::Hide))
                if visibility == Visibility::Hidden && why == Some("flags") && is_newest(note)? =>
            {
                Kind::Flagged
            }
            // An edit waits. A new comment that waits is told by itself.
            ("note", Some(Did::Hold))
                if (visibility == Visibility::Hidden
                    || (visibility == Visibility::Pending && why == Some("edited")))
                    && is_newest(note)? =>
            {
                Kind::Held
            }
            _ => return Ok(None),
        };
        self.encode(kind, present, &*news.file).map(Some)
    }

    fn encode(&self, kind: Kind, present: &Present, file: &dyn ReadAt) -> Result<Vec<u8>, Failure> {
        let line = line_at(file, present.item.location)?;
        let note = present.note.map(|note| line_at(file, note.location)).transpose()?;
        let noted = note.as_deref().and_then(|note| ModerationLine::parse(note).ok());
        let seq = present.item.seq.max(noted.map_or(0, |note| note.seq));
        let line = annotate(line, note.as_deref(), present.flags);
        let event = Event { kind, line: &line, id: present.item.id, seq, page: &present.page };
        Ok(self.addresses.encode(&event, SystemTime::now()))
    }

    /// Asks the hub and waits for its answer.
    fn news(&self, sought: Sought) -> Result<News, Failure> {
        let (answer, slot) = slot();
        self.hub.query(Query::News(sought, answer)).map_err(|_| Failure::Stopping)?;
        slot.wait().ok_or(Failure::Stopping)
    }
}

/// The first comment that is worth telling and its place; without one, the place up to which there is none.
fn first_comment(news: &News) -> io::Result<(u64, Option<(&Present, Kind)>)> {
    for present in &news.comments {
        let kind = match (present.item.visibility, present.note) {
            (Visibility::Public, _) => Kind::Posted,
            (Visibility::Pending, Some(note)) if note.did == Did::Hide => continue,
            (Visibility::Pending, _) => Kind::Held,
            // It is gone, or its note tells why it is hidden.
            _ => continue,
        };
        let line = line_at(&*news.file, present.item.location)?;
        match Comment::parse(&line) {
            Ok(comment) if comment.imported.is_none() => {
                return Ok((present.item.id, Some((present, kind))));
            }
            Ok(_) => {}
            // Trying again would not help, and what came behind it would wait for ever.
            Err(_) => log::warn!("comment {} can't be told, its line is damaged", present.item.id),
        }
    }
    let last = news.comments.last().filter(|_| news.more);
    Ok((last.map_or(news.seq, |last| last.item.id), None))
}

/// The lines behind `after` and up to `until` that may be worth telling, and the place up to which they are all.
fn records(news: &News, after: u64, until: u64) -> io::Result<(u64, Vec<ModerationLine>)> {
    let mut found = Vec::new();
    lines_after(news.file.clone(), news.end, after, &mut |seq, line| {
        if seq <= until && is_record(line) {
            found.extend(ModerationLine::parse(line).ok().filter(|line| line.by.is_none()));
        }
        seq < until && found.len() < RECORDS_MAX
    })?;
    let is_full = found.len() == RECORDS_MAX;
    let reached = found.last().filter(|_| is_full).map_or(until, |last| last.seq);
    Ok((reached, found))
}

/// Whether a line is a flag or a note. A comment's text can't look like one, since its quotation marks are escaped.
fn is_record(line: &[u8]) -> bool {
    let start = &line[..line.len().min(KIND_BYTES)];
    [b"\"kind\":\"flag\"", b"\"kind\":\"note\""]
        .iter()
        .any(|kind| start.windows(kind.len()).any(|part| part == *kind))
}
