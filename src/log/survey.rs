//! Reads a log that may be damaged anywhere, and tells which lines are proven to be what was written.
//!
//! A line is proven if its checksum follows from a proven line's, or from the checksum that a damaged line before it states. Two more
//! are proven in spite of a damaged checksum: a line that the next one's checksum follows from, and one whose trailer differs from
//! the right one in a single byte. So damage costs no line but the one it is in. Changes nothing and knows nothing of comments: a
//! callback judges each line's content, as in [`scan`](mod@super::scan).

mod piece;

use std::{mem, sync::Arc};

pub use self::piece::Piece;
use crate::{
    log::{
        lines::{Lines, RAW_LINE_BYTES_MAX, RawLine},
        scan::{Header, Location, ScanError, parse_header},
        storage::ReadAt,
        trailer::Trailer,
    },
    util::order::order_by_key,
};

/// Bytes of one line that are searched for others: line feeds may be damaged too, and zeros may stand in front of a good line.
const PART_BYTES_MAX: usize = 16 << 20;
/// Lines in a row that are not proven and of which the bytes are kept.
const PIECES_MAX: usize = 4_096;
/// How many unproven lines back the chain is searched for the line that a checksum follows from.
const CHAIN_LINES_MAX: usize = 16;

/// Gets a line as it is in the file, its trailer mended, and returns its `seq`, or a phrase that continues "line 7: ".
pub type Judge<'j> = &'j mut dyn FnMut(&[u8]) -> Result<u64, String>;

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line's number; the header is line 1.
    pub line: u64,
    /// What is wrong, as a phrase that continues "line 7: ".
    pub why: String,
}

/// What a survey comes upon, in the order of the file.
pub enum Finding<'f> {
    /// A proven line, as it is in the file with its trailer mended, where it lies, and its `seq`.
    Line(&'f [u8], Location, u64),
    /// Bytes between two proven lines where at least one line is missing or not proven.
    Gap(Gap<'f>),
}

/// See [`Finding::Gap`].
pub struct Gap<'g> {
    /// `seq` of the proven line before; 0 if there is none.
    pub after: u64,
    /// `seq` of the proven line behind; `None` at the end of the file.
    pub before: Option<u64>,
    /// The log's header, if it was found.
    pub header: Option<&'g Header>,
    /// What lies in the gap.
    pub pieces: &'g [Piece],
}

impl Gap<'_> {
    /// Whether these are the file's last bytes and no line feed is among them. Recovery cuts them off as a torn tail, whatever they are.
    pub fn is_torn_tail(&self) -> bool {
        self.before.is_none() && !self.pieces.iter().any(Piece::has_line_feed)
    }
}

/// What a survey found.
pub struct Survey {
    /// The header, if it is proven.
    pub header: Option<Header>,
    /// The highest `seq` of a proven line.
    pub last_seq: u64,
    /// What is wrong, by rising line number.
    pub problems: Vec<Problem>,
}

/// Reads the first `length` bytes of a log to their end, whatever is in them.
///
/// # Errors
/// [`ScanError::NotALog`] if the log has a format that this sayso does not know, [`ScanError::Io`] if reading fails.
pub fn survey(
    reader: Arc<dyn ReadAt>,
    length: u64,
    judge: Judge,
    visit: &mut dyn FnMut(Finding),
) -> Result<Survey, ScanError> {
    let mut lines = Lines::new(reader, length, PART_BYTES_MAX);
    let mut chain = Chain {
        judge,
        visit,
        found: Survey { header: None, last_seq: 0, problems: Vec::new() },
        crc: 0,
        pending: Vec::new(),
    };
    let mut number = 1;
    while let Some(raw) = lines.next()? {
        if number == 1 && raw.offset == 0 {
            check_format(raw.bytes)?;
        }
        chain.read(number, &raw);
        number += u64::from(raw.ended);
    }
    let rest = mem::take(&mut chain.pending);
    chain.gap(rest, None);
    let mut problems: Vec<_> = mem::take(&mut chain.found.problems).into_iter().map(Some).collect();
    let order = order_by_key(&mut problems.iter().flatten().map(|problem| problem.line));
    chain.found.problems =
        order.into_iter().filter_map(|at| problems[at as usize].take()).collect();
    Ok(chain.found)
}

/// Refuses a log of another format, which must not be taken for damage.
fn check_format(line: &[u8]) -> Result<(), ScanError> {
    let is_whole = Trailer::of(line).is_some_and(|trailer| trailer.verify(0));
    match parse_header(line) {
        Err(why) if is_whole && line.starts_with(b"{\"sayso\":") => Err(ScanError::NotALog(why)),
        _ => Ok(()),
    }
}

struct Chain<'c> {
    judge: Judge<'c>,
    visit: &'c mut dyn FnMut(Finding),
    found: Survey,
    /// Checksum of the last proven line.
    crc: u32,
    /// What lies behind that line.
    pending: Vec<Piece>,
}

impl Chain<'_> {
    fn read(&mut self, number: u64, raw: &RawLine) {
        let follows = |trailer: &Trailer| trailer.verify(self.crc);
        let is_good = self.pending.is_empty()
            && self.found.header.is_some()
            && raw.ended
            && raw.bytes.len() <= RAW_LINE_BYTES_MAX;
        if let Some(trailer) = Trailer::of(raw.bytes).filter(|_| is_good).filter(follows) {
            match self.judged(raw.bytes) {
                Ok(seq) => {
                    let location = Location { offset: raw.offset, len: trailer.open.len() as u32 };
                    self.accept(raw.bytes, location, seq, trailer.crc);
                }
                Err(why) => self.pending.push(Piece::of(number, raw, why)),
            }
            return;
        }
        for piece in piece::split(number, raw) {
            let continues = self.pending.last().is_some_and(|last| last.goes_on_with(&piece));
            match self.pending.last_mut() {
                Some(last) if continues => last.append(piece),
                _ => self.place(piece),
            }
        }
    }

    /// Finds the line that a piece follows from.
    fn place(&mut self, mut piece: Piece) {
        let pending = mem::take(&mut self.pending);
        let first = pending.len().saturating_sub(CHAIN_LINES_MAX);
        let reachable = if first == 0 { &pending[..] } else { &[] };
        // Behind the last proven line, perhaps with pieces between that prove each other. What is left over was never written there.
        let mut crc = self.crc;
        for count in 0..=reachable.len() {
            if let Some(end) = piece.end_behind(crc) {
                let mut refused = Vec::new();
                let mut rest = pending.into_iter();
                for proven in rest.by_ref().take(count) {
                    let end = self.crc_behind(&refused, &proven);
                    self.take(proven, end, &mut refused);
                }
                self.report(rest);
                self.finish(piece, end, refused);
                return;
            }
            if let Some(next) = reachable.get(count) {
                crc = next.crc_behind(crc);
            }
        }
        // Behind a damaged line that still states its checksum.
        let stated = pending[first..].iter().rev().filter_map(Piece::stated);
        if let Some(end) = stated.filter_map(|crc| piece.end_behind(crc)).next() {
            self.finish(piece, end, pending);
            return;
        }
        self.pending = pending;
        if self.pending.len() >= PIECES_MAX {
            piece.forget();
        }
        self.pending.push(piece);
    }

    /// The checksum of a piece that is proven by a later one.
    fn crc_behind(&self, refused: &[Piece], proven: &Piece) -> u32 {
        let before = refused.iter().fold(self.crc, |crc, piece| piece.crc_behind(crc));
        proven.crc_behind(before)
    }

    /// Takes in a line that is proven by a later one.
    fn take(&mut self, piece: Piece, crc: u32, refused: &mut Vec<Piece>) {
        let line = piece.mended(crc);
        if self.is_header(&line, crc) {
            self.report([piece]);
            return;
        }
        match self.judged(&line) {
            Ok(seq) => {
                self.gap(mem::take(refused), Some(seq));
                self.accept(&line, piece.location(), seq, crc);
                self.report([piece]);
            }
            Err(_) => refused.push(piece),
        }
    }

    /// Takes in the line that was just read. `before` are the unproven ones before it.
    fn finish(&mut self, mut piece: Piece, end: piece::End, before: Vec<Piece>) {
        let line = piece.mended(end.crc);
        if before.is_empty() && self.is_header(&line, end.crc) {
            if !end.is_exact {
                self.report([piece]);
            }
            return;
        }
        match self.judged(&line) {
            Ok(seq) => {
                self.gap(before, Some(seq));
                self.accept(&line, piece.location(), seq, end.crc);
                let rest = piece.split_off(&end);
                if !end.is_exact || !piece.is_ended() {
                    self.report([piece]);
                }
                self.pending.extend(rest);
            }
            Err(why) => {
                piece.why = why;
                self.pending = before;
                self.pending.push(piece);
            }
        }
    }

    /// Takes in the header, if this is it.
    fn is_header(&mut self, line: &[u8], crc: u32) -> bool {
        if self.found.header.is_some() || self.found.last_seq > 0 {
            return false;
        }
        self.found.header = parse_header(line).ok().map(|(header, _)| header);
        if self.found.header.is_some() {
            self.crc = crc;
        }
        self.found.header.is_some()
    }

    fn judged(&mut self, line: &[u8]) -> Result<u64, String> {
        let (seq, last) = ((self.judge)(line)?, self.found.last_seq);
        if seq > last { Ok(seq) } else { Err(format!("its seq {seq} does not rise above {last}")) }
    }

    fn accept(&mut self, line: &[u8], location: Location, seq: u64, crc: u32) {
        (self.visit)(Finding::Line(line, location, seq));
        (self.found.last_seq, self.crc) = (seq, crc);
    }

    fn gap(&mut self, pieces: Vec<Piece>, before: Option<u64>) {
        if !pieces.is_empty() {
            let (after, header) = (self.found.last_seq, self.found.header.as_ref());
            (self.visit)(Finding::Gap(Gap { after, before, header, pieces: &pieces }));
            self.report(pieces);
        }
    }

    fn report(&mut self, pieces: impl IntoIterator<Item = Piece>) {
        let problems = pieces.into_iter().map(|piece| Problem { line: piece.line, why: piece.why });
        self.found.problems.extend(problems);
    }
}
