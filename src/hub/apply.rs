//! Lines that were ordered elsewhere: takes each into the batch and into memory, with what follows from the line alone.
//!
//! After the commit, the state is the one that a start reads from the log, but for three things that no sayso writes: a comment whose
//! lines have different times, one that is taken out of what everyone gets, and an answer to a comment on another page that is moved to
//! its page later. Knows nobody who asked for a line, nor where its order comes from.

mod returned;

use super::{Hub, batch::EncodedLine, moderation::Effect};
use crate::{
    comment::{Author, Comment, did::Did, server_message::ServerMessage},
    limits::LINE_BYTES_MAX,
    log::{chain::ChainedLine, scan::Location, trailer::Trailer, trailer::append_trailer},
    store::index::CommentRef,
    store::likes,
    store::moderation::line::{KINDS, ModerationLine},
    store::moderation::moves::CantMove,
    store::moderation::{Ban, BanKey, Note, PageState, parse_address},
    store::record::LineSummary,
    store::visibility::Visibility,
};

/// What a line was that is in the batch now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Applied {
    /// Its position in the log.
    pub seq: u64,
    /// What it says.
    pub what: LineKind,
    /// Its number among the batch's lines, if it is a comment's.
    pub staged: Option<usize>,
    /// Whose bucket it charges: that of posts for what was written, that of likes for a like or a flag. A moderator's second edit of a
    /// comment can't be told from its author's, and charges the author too.
    pub charged: Option<Author>,
}

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineKind {
    /// A new comment.
    Posted,
    /// Another text of a known comment.
    Edited,
    /// Another status, a pin, or a tombstone.
    Changed,
    /// A like, given or taken back.
    Liked,
    /// A flag, given or taken back.
    Flagged,
    /// What was done to a comment, or a note about an author.
    Noted,
    /// A ban, or its end.
    Banned,
    /// A page was closed or opened.
    Locked,
    /// A page has moved. Before anything but other pages' lines, the batch is to be committed: see [`Hub::must_commit_before`].
    Moved,
    /// Something that is stored and changes nothing.
    Other,
}

impl<S> Hub<S> {
    /// Whether the batch must be committed before it can take this line. Pages move after the commit, so nothing but moves, and pages
    /// that are closed with them, comes behind a move.
    pub(super) fn must_commit_before(&self, line: &ChainedLine) -> bool {
        let is_pages = |line: &[u8]| ModerationLine::parse(line).is_ok_and(|l| l.kind == "page");
        !self.batch.moves.is_empty() && !is_pages(&line.line)
    }

    /// Takes a line into the batch. It must not be one that [`Hub::must_commit_before`] names, and the index must have begun a batch.
    ///
    /// # Errors
    /// A sentence, if the line can't follow the log's end: it is not a line, its `seq` does not rise, its hash does not follow, or it
    /// changes a comment that this log does not have. Nothing of it is in the batch then, unless the log could not be read.
    pub(super) fn apply(&mut self, ordered: &ChainedLine) -> Result<Applied, String> {
        let seq = ordered.seq;
        let refused = |why: String| format!("line {seq} can't be stored: {why}");
        let line = &*ordered.line;
        let bytes = in_file(line).map_err(refused)?;
        let summary = LineSummary::parse(&bytes).map_err(refused)?;
        let (next, found) = (self.log.next_seq(), summary.seq);
        // Another machine may have left some out.
        if seq < next || found != seq {
            return Err(refused(format!("its seq is {found}, and the next one is {next}")));
        }
        if !self.log.is_next(line, ordered.chain) {
            return Err(refused("its hash does not follow from the line before".into()));
        }
        if summary.kind.is_empty() {
            return self.apply_comment(ordered, &summary).map_err(refused);
        }
        let location = self.log.stage_chained(line, ordered.chain);
        self.batch.records += 1;
        let (is_like, is_known) = (summary.kind == likes::KIND, KINDS.contains(&&*summary.kind));
        if is_like || is_known {
            self.show_moderators(line);
        }
        // What is about a comment that comes later makes no sense, to a start neither.
        let (what, charged) = match Author::parse(&summary.author) {
            _ if summary.id > seq => (LineKind::Other, None),
            Some(author) if is_like => self.apply_like(summary.id, author, summary.on),
            author if is_known => self.apply_moderation(&bytes, location, author),
            _ => (LineKind::Other, None),
        };
        Ok(Applied { seq, what, staged: None, charged })
    }

    fn apply_comment(
        &mut self,
        ordered: &ChainedLine,
        summary: &LineSummary<'_>,
    ) -> Result<Applied, String> {
        let (line, seq, id) = (&*ordered.line, summary.seq, summary.id);
        let known = self.index.find(id);
        if known.is_none() && id != seq {
            return Err(format!("it changes comment {id}, which this log does not have"));
        }
        let now = Comment::parse(line).map_err(|error| error.to_string())?;
        let then = known.map(|item| self.comment_of(item)).transpose()?;
        let (what, is_authors) = what_of(then.as_ref(), &now);
        // A tombstone names nobody, but is sent to its author if nobody else may know of it.
        let author_of = |comment: &Comment| comment.author.as_deref().and_then(Author::parse);
        let author = author_of(&now).or_else(|| then.as_ref().and_then(author_of));
        let visibility = Visibility::of(summary.status, summary.deleted);
        let time = summary.time.filter(|_| id == seq);
        // A known comment is on the page that its first line names.
        let page = self.index.page_name(id).filter(|_| known.is_some());
        let page = page.map_or(summary.page.to_string(), |page| page.to_string());
        let page = self.resolve(page);
        let was_open = time.is_some() && self.rules.close_after.is_some() && !self.is_locked(&page);
        let start = self.batch.bytes.len();
        self.batch.bytes.extend_from_slice(line);
        let encoded = EncodedLine {
            id,
            seq,
            page: &page,
            visibility,
            before: known.map(|item| item.visibility),
            author,
            parent: summary.parent.filter(|_| id == seq),
            nonce: Some(&*summary.nonce).filter(|nonce| id == seq && !nonce.is_empty()),
            time,
            // The note that follows tells that.
            is_moderation: false,
            held_for: None,
        };
        let location = self.log.stage_chained(line, ordered.chain);
        let staged = self.take_in(start, location, encoded);
        self.follow_comment(id, visibility, summary.pinned);
        let before = known.map(|item| item.visibility);
        if before.is_some_and(Visibility::is_deleted) && !visibility.is_deleted() {
            self.recount_comment(id)?;
        }
        if time.is_some() {
            self.follow_import(id, page, was_open);
        }
        if visibility.is_public() && !before.is_some_and(Visibility::is_public) {
            // Effects follow the lines, so one of an earlier line would outlast this one.
            let distrusts =
                |effect: &Effect| matches!(effect, Effect::Distrust(whom) if Some(*whom) == author);
            self.batch.effects.retain(|effect| !distrusts(effect));
        }
        let charged = author.filter(|_| is_authors);
        Ok(Applied { seq, what, staged: Some(staged), charged })
    }

    /// What follows from an imported comment for its page: if it is old enough, a page that was open is closed from now on.
    fn follow_import(&mut self, id: u64, page: String, was_open: bool) {
        if let Some(number) = self.index.page_of(id) {
            self.closing_times.remove(&number.into());
        }
        if was_open && self.is_locked(&page) {
            self.batch.effects.push(Effect::Locked(page.into(), true));
        }
    }

    fn comment_of(&self, item: CommentRef) -> Result<Comment, String> {
        self.comment(item).map_err(|rejection| rejection.to_string())
    }

    /// What follows from a comment's newest line for its pin, likes, flags, and whether it waits.
    fn follow_comment(&mut self, id: u64, visibility: Visibility, is_pinned: bool) {
        let Some(number) = self.index.page_of(id) else { return };
        self.moderation.set_pinned(number, id, is_pinned);
        if visibility.is_deleted() {
            self.likes.forget((number, id));
            self.moderation.forget_flags(id);
        }
        self.settle(id);
    }

    fn recount_comment(&mut self, id: u64) -> Result<(), String> {
        if let Some((number, item)) = self.index.page_of(id).zip(self.index.find(id)) {
            self.recount((number, id), item.location)?;
        }
        Ok(())
    }

    /// Derives from a comment's visibility and newest note whether it was rejected, or waits because of an edit.
    fn settle(&mut self, id: u64) {
        let visibility = self.index.find(id).map(|item| item.visibility);
        let did = self.moderation.notes.get(&id).map(|note| note.did);
        let is = |wanted| did.zip(visibility) == Some(wanted);
        self.moderation.set_rejected(id, is((Did::Hide, Visibility::Pending)));
        self.moderation.set_held_edit(id, is((Did::Hold, Visibility::Hidden)));
    }

    /// A comment that can have likes and flags.
    fn find_undeleted(&self, id: u64) -> Option<CommentRef> {
        self.index.find(id).filter(|item| !item.visibility.is_deleted())
    }

    fn apply_like(&mut self, id: u64, author: Author, on: bool) -> (LineKind, Option<Author>) {
        let page = self.index.page_of(id).zip(self.index.page_name(id));
        let Some((number, page)) = page.filter(|_| self.find_undeleted(id).is_some()) else {
            return (LineKind::Other, None);
        };
        self.likes.set((number, id), author, on);
        self.batch.liked.push((page.as_ref().into(), id));
        (LineKind::Liked, Some(author))
    }

    /// As [`Moderation::load`](crate::store::moderation::Moderation::load), which passes over the same.
    fn apply_moderation(
        &mut self,
        bytes: &[u8],
        location: Location,
        author: Option<Author>,
    ) -> (LineKind, Option<Author>) {
        let other = (LineKind::Other, None);
        let Ok(line) = ModerationLine::parse(bytes) else { return other };
        match (&*line.kind, line.id) {
            ("flag", Some(id)) => {
                let Some((author, _)) = author.zip(self.find_undeleted(id)) else { return other };
                match line.on {
                    Some(false) => self.moderation.unflag(id, author),
                    _ => drop(self.moderation.flag(id, author, location)),
                }
                (LineKind::Flagged, Some(author))
            }
            ("ban", _) => {
                let address = line.address.as_deref().and_then(parse_address);
                let key = author.map(BanKey::Author).or(address.map(BanKey::Address));
                let Some((key, until)) = key.zip(line.until) else { return other };
                let is_ban = until > line.created_at;
                let ban = Ban { until: until.into(), hold: line.hold, location };
                self.moderation.bans.set(key, Some(ban).filter(|_| is_ban));
                (LineKind::Banned, None)
            }
            ("page", _) => (self.apply_page(line, location), None),
            ("note", Some(id)) => (self.apply_note(id, &line, location, author), None),
            ("note", None) => {
                let Some((author, text)) = author.zip(line.reason) else { return other };
                let note = Note { did: Did::Edit, is_moderators: true, location };
                let note = Some(note).filter(|_| !text.is_empty());
                self.moderation.author_notes.set(BanKey::Author(author), note);
                (LineKind::Noted, None)
            }
            _ => other,
        }
    }

    fn apply_page(&mut self, line: ModerationLine, location: Location) -> LineKind {
        match (line.page, line.locked, line.moved) {
            (Some(old), _, Some(new)) => {
                let check = self.moderation.check_move(&old, &new);
                if matches!(check, Err(CantMove::Circle | CantMove::Moved(_)) | Ok(false)) {
                    return LineKind::Other;
                }
                let to: Box<str> = self.moderation.resolve(&new).into();
                self.moderation.set_move(&old, &to, line.seq, location);
                self.batch.moves.push((old.into(), to, line.seq));
                LineKind::Moved
            }
            (Some(page), Some(locked), None) => {
                let was_locked = self.is_locked(&page);
                let state = PageState { locked, location };
                self.moderation.pages.set(page.as_str().into(), Some(state));
                if was_locked != locked {
                    self.batch.effects.push(Effect::Locked(page.into(), locked));
                }
                LineKind::Locked
            }
            _ => LineKind::Other,
        }
    }

    fn apply_note(
        &mut self,
        id: u64,
        line: &ModerationLine,
        location: Location,
        author: Option<Author>,
    ) -> LineKind {
        let Some(did) = line.did else { return LineKind::Other };
        let note = Note { did, is_moderators: line.by.is_some(), location };
        let told = author.filter(|_| line.reason.is_some());
        self.moderation.note(id, note, told);
        let Some(item) = self.index.find(id) else {
            // Only the authors' lists of reasons keep what is about no comment.
            self.moderation.notes.set(id, None);
            return LineKind::Other;
        };
        self.settle(id);
        if let (Some(author), Some(reason), Some(page)) =
            (told, &line.reason, self.index.page_name(id))
        {
            let message = ServerMessage::note(id, did, reason).to_json();
            let page = page.as_ref().into();
            self.batch.effects.push(Effect::Reason { page, author, message });
        }
        let distrusted = match did {
            // Its tombstone names nobody any more.
            Did::Delete => author,
            Did::Hide if note.is_moderators && !item.visibility.is_public() => {
                let comment = self.comment(item).ok();
                comment.and_then(|comment| Author::parse(comment.author.as_deref()?))
            }
            _ => None,
        };
        self.batch.effects.extend(distrusted.map(Effect::Distrust));
        LineKind::Noted
    }
}

/// Checks that a line, from `{` to `}`, can stand in the file, and returns it as it would, but for its checksum.
fn in_file(line: &[u8]) -> Result<Vec<u8>, String> {
    let len = line.len();
    if len > LINE_BYTES_MAX {
        return Err(format!("it has {len} bytes, at most {LINE_BYTES_MAX} are allowed"));
    }
    let is_object = line.len() > 2 && line.starts_with(b"{") && line.ends_with(b"}");
    if !is_object || line.contains(&b'\n') || str::from_utf8(line).is_err() {
        return Err("it is not one JSON object on one line, in UTF-8".into());
    }
    let mut bytes = line[..len - 1].to_vec();
    append_trailer(&mut bytes, 0, false, 0);
    bytes.pop();
    // A field that looks like part of the trailer would be read as such.
    if Trailer::of(&bytes).is_none_or(|trailer| trailer.open != &line[..len - 1]) {
        return Err("it ends with a field that only the file has".into());
    }
    Ok(bytes)
}

/// What a comment's line says, and whether it is what its author is charged for. `then`: the line before.
fn what_of(then: Option<&Comment>, now: &Comment) -> (LineKind, bool) {
    let Some(then) = then else {
        return (LineKind::Posted, now.moderator.is_none() && now.imported.is_none());
    };
    let is_edit = !now.deleted && (&now.content, &now.html) != (&then.content, &then.html);
    let is_moderators = now.moderator.is_some() || now.mod_edited != then.mod_edited;
    (if is_edit { LineKind::Edited } else { LineKind::Changed }, is_edit && !is_moderators)
}

#[cfg(test)]
mod tests;
