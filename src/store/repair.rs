//! Repair: writes a new log of the newest proven lines of a damaged one, and hides every comment that a lost line may have hidden.
//!
//! A repaired log never shows more than the damaged one did: a lost line may have deleted, hidden or edited a comment whose older
//! lines are intact. Which comments a loss concerns is decided here; which lines are proven, by [`survey`]. Knows neither files'
//! names nor who is told.

mod traces;

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    io,
    sync::Arc,
};

use crate::{
    comment::{Comment, Status},
    log::scan::{Header, Location, ScanError},
    log::storage::{ReadAt, Storage},
    log::survey::{Finding, Gap, Piece, Problem, survey},
    log::trailer::Trailer,
    log::writer::{FinishedLog, LogWriter},
    store::likes,
    store::record::LineSummary,
    store::repair::traces::Traces,
    util::{order::order_by_key, table::Table},
};

/// What a repair would write, and why.
#[derive(Default)]
pub struct Repair {
    /// What is wrong with the log; nothing needs to be repaired if this is empty.
    pub problems: Vec<Problem>,
    /// Comments that become hidden, with their pages, by rising id.
    pub hidden: Vec<(u64, String)>,
    /// Whether lines are lost.
    pub has_loss: bool,
    /// `next` of the damaged log's header, and of the lines.
    next: u64,
    /// The lines that are kept, without their closing `}`.
    kept: Vec<Location>,
    /// Those of them that become hidden, by offset.
    hides: HashSet<u64>,
}

/// A comment's newest line.
struct Known {
    seq: u64,
    location: Location,
    is_public: bool,
    is_deleted: bool,
    /// The line is only likely to be intact, or a lost line may have changed the comment since.
    is_doubtful: bool,
    /// Hash of page and `created_at`, which no later line changes.
    birth: u64,
    /// Hash of the nonce.
    nonce: Option<u64>,
    page: Arc<str>,
}

/// All that is known at some line.
#[derive(Default)]
struct State {
    comments: Table<u64, Known>,
    ids_by_birth: Table<u64, Vec<u64>>,
    nonces: HashSet<u64>,
    /// By hash of comment and author: the comment, and the newest line if it gives a like.
    likes: Table<u64, (u64, Option<Location>)>,
    others: Vec<Location>,
    pages: Table<Arc<str>, ()>,
    /// A line is lost that may concern every comment whose newest line has at most this `seq`.
    doubt_up_to: u64,
    has_loss: bool,
    last_seq: u64,
    hasher: RandomState,
}

/// Which comments a lost line concerns.
enum Concern {
    None,
    Some(Vec<u64>),
    All,
}

impl Repair {
    /// Reads the first `length` bytes of a log and decides what is kept. Changes nothing.
    ///
    /// # Errors
    /// As [`survey`].
    pub fn of(reader: Arc<dyn ReadAt>, length: u64) -> Result<Repair, ScanError> {
        let mut state = State::default();
        let judge = &mut |line: &[u8]| Ok(LineSummary::parse(line)?.seq);
        let survey = survey(reader, length, judge, &mut |finding| match finding {
            Finding::Line(line, location, seq) => state.learn(line, location, seq, false),
            Finding::Gap(gap) => state.judge(&gap),
        })?;
        let next = survey.header.map_or(0, |header| header.next).max(state.last_seq + 1);
        Ok(state.into_repair(next, survey.problems))
    }

    /// Returns how many lines are kept.
    pub fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Writes the repaired log into the empty file `target`. `reader` reads the damaged one. Lines keep their `seq`. A note behind them
    /// for each comment that becomes hidden says that a repair did it.
    ///
    /// # Errors
    /// Fails if reading or writing fails.
    pub fn write(
        &self,
        reader: &dyn ReadAt,
        target: Box<dyn Storage>,
        new: &Header,
    ) -> io::Result<FinishedLog> {
        let next = self.next + self.hidden.len() as u64;
        let mut writer = LogWriter::begin(target, &Header { next, ..new.clone() });
        let mut line = Vec::new();
        for location in &self.kept {
            line.clear();
            line.resize(location.len as usize, 0);
            reader.read_exact_at(&mut line, location.offset)?;
            if self.hides.contains(&location.offset) {
                line = hidden(line)?;
            }
            writer.line(&line, false)?;
        }
        for (seq, id) in (self.next..).zip(self.hidden.iter().map(|(id, _)| *id)) {
            writer.line(&note(seq, id, &new.created_at), false)?;
        }
        writer.finish()
    }
}

/// Says in the log that a repair has hidden a comment.
fn note(seq: u64, id: u64, created_at: &str) -> Vec<u8> {
    let note = format!(
        "{{\"seq\":{seq},\"kind\":\"note\",\"id\":{id},\"did\":\"hide\",\"why\":\"repair\",\"created_at\":\"{created_at}\""
    );
    note.into_bytes()
}

/// The line of a public comment, hidden. Both are without their closing `}`. Fields that this sayso does not know stay.
fn hidden(mut open: Vec<u8>) -> io::Result<Vec<u8>> {
    open.push(b'}');
    let mut comment = Comment::parse(&open)?;
    comment.status = Status::Hidden;
    open.pop();
    open.extend_from_slice(b",\"status\":\"hidden\"}");
    if !Comment::parse(&open).is_ok_and(|spliced| spliced == comment) {
        open.clear();
        comment.encode(&mut open);
    }
    open.pop();
    Ok(open)
}

impl State {
    /// Takes in a line that is proven, or `is_doubtful`.
    fn learn(&mut self, line: &[u8], location: Location, seq: u64, is_doubtful: bool) {
        self.last_seq = seq;
        let Ok(comment) = Comment::parse(line) else {
            // Its text is no UTF-8, so nobody can be shown it; it is kept as it is.
            return self.others.push(location);
        };
        match comment.kind.as_deref() {
            None | Some("") => self.learn_comment(comment, location, is_doubtful),
            Some(likes::KIND) if comment.author.is_some() => {
                let key = self.hasher.hash_one((comment.id, &comment.author));
                let line = Some(location).filter(|_| comment.on);
                self.likes.insert(key, (comment.id, line));
            }
            Some(_) => self.others.push(location),
        }
    }

    fn learn_comment(&mut self, comment: Comment, location: Location, is_doubtful: bool) {
        let traces = Traces::of_comment(&comment);
        let (birth, nonce) = (self.birth(&traces), self.nonce(&traces));
        let page = match self.pages.get_key(&*comment.page) {
            Some(page) => page.clone(),
            None => Arc::from(&*comment.page),
        };
        self.pages.insert(page.clone(), ());
        self.nonces.extend(nonce);
        let known = Known {
            seq: comment.seq,
            location,
            is_public: comment.is_visible(),
            is_deleted: comment.deleted,
            is_doubtful,
            birth,
            nonce,
            page,
        };
        let before = self.comments.insert(comment.id, known);
        if before.is_none_or(|before| before.birth != birth) {
            self.ids_by_birth.get_or_default(birth).push(comment.id);
        }
    }

    fn birth(&self, traces: &Traces) -> u64 {
        self.hasher.hash_one((&traces.page, &traces.created_at))
    }

    fn nonce(&self, traces: &Traces) -> Option<u64> {
        traces.nonce.as_ref().map(|nonce| self.hasher.hash_one(nonce))
    }

    /// Decides what of a gap can be kept, and which comments the rest concerns.
    fn judge(&mut self, gap: &Gap) {
        let first = gap.header.map_or(0, |header| header.next).max(gap.after + 1);
        let up_to = self.last_seq;
        let (mut damaged, mut saved) = (Vec::new(), Vec::new());
        let mut last = gap.after;
        for piece in gap.pieces {
            // If something was lost before it, it may itself be intact.
            let is_header_lost = last == 0 && gap.header.is_none();
            let lowest = if is_header_lost { 1 } else { last + 2 };
            let is_possible = |seq| seq >= lowest && gap.before.is_none_or(|end| seq < end);
            match self.plausible(piece, gap).filter(|comment| is_possible(comment.seq)) {
                Some(comment) => {
                    last = comment.seq;
                    saved.push((comment, piece));
                }
                None => damaged.push(piece),
            }
        }
        self.judge_loss(gap, first, up_to, &damaged, &saved);
        for (comment, piece) in saved {
            if let Some(line) = piece.as_line() {
                self.learn(&line, piece.location(), comment.seq, comment.kind.is_none());
            }
        }
    }

    fn judge_loss(
        &mut self,
        gap: &Gap,
        first: u64,
        up_to: u64,
        damaged: &[&Piece],
        saved: &[(Comment, &Piece)],
    ) {
        if gap.is_torn_tail() {
            return;
        }
        let mut concerns = Vec::new();
        if let Some(end) = gap.before {
            // Above `next` every seq has its line, and below it every comment has only one.
            let saved = || saved.iter().map(|(comment, _)| comment.seq).filter(|seq| *seq >= first);
            let missing = end.saturating_sub(first) - saved().count() as u64;
            if missing == 0 {
                return;
            }
            let damaged: Vec<_> = damaged.iter().filter(|piece| piece.has_text()).collect();
            if damaged.len() as u64 != missing {
                concerns.push(Concern::All);
            } else {
                let lost = (first..end).filter(|seq| !saved().any(|known| known == *seq));
                concerns.extend(lost.zip(damaged).map(|(seq, piece)| self.concern(piece, seq, 0)));
            }
        } else {
            let mut last = up_to;
            let next = gap.header.map_or(0, |header| header.next);
            if saved.iter().any(|(comment, _)| comment.seq > first) {
                concerns.push(Concern::All);
            }
            for piece in damaged.iter().filter(|piece| !piece.bytes.is_empty()) {
                // A write that was cut short was never acknowledged: nobody has seen what it did.
                if piece.is_cut_short() {
                    continue;
                }
                let seq = Traces::of_piece(&piece.bytes).seq;
                let follows = |seq: &u64| *seq == last + 1 || (*seq > last && *seq <= next);
                match seq.filter(follows).filter(|_| !piece.has_zeros()) {
                    Some(seq) => {
                        concerns.push(self.concern(piece, seq, next));
                        last = seq;
                    }
                    None => concerns.push(Concern::All),
                }
            }
        }
        self.has_loss |= !concerns.is_empty();
        for concern in concerns {
            self.apply(concern, up_to);
        }
    }

    fn apply(&mut self, concern: Concern, up_to: u64) {
        match concern {
            Concern::None => {}
            Concern::Some(ids) => {
                for id in ids {
                    if let Some(known) = self.comments.get_mut(&id) {
                        known.is_doubtful = true;
                    }
                }
            }
            Concern::All => self.doubt_up_to = up_to,
        }
    }

    /// Which comments a damaged line with this `seq` concerns. Below `next`, each comment has only one line.
    fn concern(&self, piece: &Piece, seq: u64, next: u64) -> Concern {
        let traces = Traces::of_piece(&piece.bytes);
        // A copy of another line says nothing of the one it was written over.
        if traces.seq.is_some_and(|own| own != seq) {
            return Concern::All;
        }
        if traces.has_kind {
            return Concern::None;
        }
        let (Some(id), Some(_), Some(_)) = (traces.id, &traces.page, &traces.created_at) else {
            return Concern::All;
        };
        let birth = self.birth(&traces);
        let nonce = self.nonce(&traces);
        if let Some(known) = self.comments.get(&id).filter(|known| known.birth == birth) {
            if nonce.is_some() && nonce == known.nonce {
                return Concern::Some(vec![id]);
            }
            // Its id may be damaged too: other comments of the same page may be as old to the millisecond.
            return Concern::Some(self.ids_by_birth.get(&birth).cloned().unwrap_or_default());
        }
        let is_known = match nonce {
            Some(nonce) => self.nonces.contains(&nonce),
            None => self.ids_by_birth.contains_key(&birth),
        };
        let is_first = id == seq && !traces.has_changed;
        let is_only = seq < next && !self.comments.contains_key(&id);
        if (is_first || is_only) && !is_known { Concern::None } else { Concern::All }
    }

    /// The line that a piece would be if it was intact, if it fits what is known.
    fn plausible(&self, piece: &Piece, gap: &Gap) -> Option<Comment> {
        let line = piece.as_line()?;
        let summary = LineSummary::parse(&line).ok()?;
        let comment = Comment::parse(&line).ok()?;
        if comment.kind.is_some() {
            let is_like = summary.kind == likes::KIND && summary.id < summary.seq;
            return Some(comment).filter(|_| is_like);
        }
        let mut encoded = Vec::new();
        comment.encode(&mut encoded);
        encoded.pop();
        let traces = Traces::of_comment(&comment);
        let nonce = self.nonce(&traces);
        let fits = match self.comments.get(&comment.id) {
            Some(known) => known.birth == self.birth(&traces) && known.nonce == nonce,
            None => {
                let is_new = nonce.is_none_or(|nonce| !self.nonces.contains(&nonce));
                // Its first line was compacted away, or is lost.
                let next = gap.header.map_or(0, |header| header.next);
                let is_orphan = gap.after < next || comment.id > gap.after || self.has_loss;
                is_new && (comment.id == comment.seq || is_orphan)
            }
        };
        let is_as_written = Trailer::of(&line).is_some_and(|trailer| trailer.open == encoded);
        Some(comment).filter(|_| fits && is_as_written)
    }

    fn into_repair(self, next: u64, problems: Vec<Problem>) -> Repair {
        let mut repair = Repair { next, problems, has_loss: self.has_loss, ..Repair::default() };
        repair.kept = self.others;
        let is_gone = |id| self.comments.get(id).is_some_and(|known: &Known| known.is_deleted);
        let likes = self.likes.values().filter(|(id, _)| !is_gone(id));
        repair.kept.extend(likes.filter_map(|(_, location)| *location));
        let mut doubtful = Vec::new();
        for (id, known) in self.comments.iter() {
            repair.kept.push(known.location);
            let is_doubtful = known.is_doubtful || known.seq <= self.doubt_up_to;
            if known.is_public && is_doubtful {
                repair.hides.insert(known.location.offset);
                doubtful.push(*id);
            }
        }
        doubtful.sort_unstable();
        let page = |id| self.comments[&id].page.to_string();
        repair.hidden = doubtful.into_iter().map(|id| (id, page(id))).collect();
        let order = order_by_key(&mut repair.kept.iter().map(|location| location.offset));
        repair.kept = order.into_iter().map(|at| repair.kept[at as usize]).collect();
        repair
    }
}
