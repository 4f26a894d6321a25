//! What moderators and readers' flags do besides changing one comment: bans, closed pages, notes, flags.
//!
//! Stages their lines; they become true when the batch is committed. Does not know how a moderator proves to be one.

use std::sync::Arc;

use super::{Hub, batch::Outcome};
use crate::{
    comment::{
        Author, Comment, Status, did::Did, rejection::Rejection, server_message::ServerMessage,
    },
    fanout::frame,
    http::forwarded::ClientKey,
    hub::command::{Callback, Target},
    hub::measure::{Measure, PageState, Totals},
    hub::rate_limit::BucketKey,
    log::scan::Location,
    store::index::CommentRef,
    store::moderation::{
        self as stored, AUTHOR_NOTES_MAX, BanKey, FLAGS_A_COMMENT_MAX, FLAGS_MAX, Flags, Note,
        PAGE_STATES_MAX,
        line::{ModerationLine, annotate},
    },
    store::visibility::Visibility,
};

/// Among how many of a page's comments that were never public, or that have changed, those that wait or are hidden are counted.
const COUNTED_MAX: usize = 1_000;
/// Flags of comments and addresses that are remembered in this run, about 2 MB.
const FLAGGED_FROM_MAX: usize = 65_536;

/// What follows from a batch once it is committed, besides its lines.
pub(super) enum Effect {
    /// A page was closed (`true`) or opened.
    Locked(Box<str>, bool),
    /// What the author of a comment on this page alone is told.
    Reason { page: Box<str>, author: Author, message: String },
    /// A comment of this author was rejected, so that `--hold new` trusts them no longer.
    Distrust(Author),
}

/// What a note says besides what was done.
#[derive(Default)]
pub(super) struct NoteText {
    pub why: Option<String>,
    pub reason: Option<Box<str>>,
    pub by: Option<Arc<str>>,
}

impl<S> Hub<S> {
    /// Refuses who is banned. Returns whether what is written must wait.
    pub(super) fn check_ban(
        &self,
        from: ClientKey,
        author: Option<Author>,
    ) -> Result<bool, Rejection> {
        let bans = &self.moderation.bans;
        if bans.is_empty() {
            return Ok(false);
        }
        let address = BanKey::Address(self.addresses.hash(from));
        let keys = [Some(address), author.map(BanKey::Author)];
        let mut must_wait = false;
        for ban in keys.into_iter().flatten().filter_map(|key| self.moderation.ban(key, &self.now))
        {
            if !ban.hold {
                return Err(Rejection::Banned(ban.until.to_string()));
            }
            must_wait = true;
        }
        Ok(must_wait)
    }

    /// Stages a line of another kind than a comment. Returns it, and where it will lie.
    pub(super) fn record(&mut self, kind: &str, line: ModerationLine) -> (Vec<u8>, Location) {
        let (seq, created_at) = (self.log.next_seq(), self.now.clone());
        let line = ModerationLine { seq, kind: kind.into(), created_at, ..line }.encode();
        let location = self.log.stage(&line);
        self.batch.records += 1;
        self.show_moderators(&line);
        (line, location)
    }

    /// Sends a staged line to all moderators, once it is on disk.
    pub(super) fn show_moderators(&mut self, line: &[u8]) {
        if self.subscribers.has_moderators() {
            frame::text(line, &mut self.batch.for_moderators);
        }
    }

    /// Stages a note about a comment.
    pub(super) fn note(
        &mut self,
        (id, page): (u64, &str),
        author: Option<Author>,
        did: Did,
        text: NoteText,
    ) {
        let NoteText { why, reason, by } = text;
        let told = author.filter(|_| reason.is_some());
        let names_author = told.is_some() || (did == Did::Delete && by.is_some());
        let line = ModerationLine {
            id: Some(id),
            author: author.filter(|_| names_author).map(|author| author.to_string()),
            did: Some(did),
            why,
            reason: reason.as_deref().map(str::to_owned),
            by: by.as_deref().map(str::to_owned),
            ..ModerationLine::default()
        };
        let (_, location) = self.record("note", line);
        let note = Note { did, is_moderators: by.is_some(), location };
        let is_hidden =
            self.index.find(id).is_some_and(|item| item.visibility == Visibility::Hidden);
        self.moderation.set_held_edit(id, is_hidden && did == Did::Hold);
        self.moderation.note(id, note, told);
        if let (Some(author), Some(reason)) = (told, reason) {
            let message = ServerMessage::note(id, did, &reason).to_json();
            let page = self.moderation.resolve(page).into();
            self.batch.effects.push(Effect::Reason { page, author, message });
        }
    }

    pub(super) fn flag(
        &mut self,
        target: Target,
        author: Author,
        from: ClientKey,
    ) -> Result<Outcome, Rejection> {
        let item = self.public_comment(&target, author, from)?;
        let id = item.id;
        let answer = format!("{{\"flagged\":{id}}}").into_bytes();
        let flags = self.moderation.flags.get(&id);
        let is_known = flags.is_some_and(|flags| flags.flags.iter().any(|flag| flag.0 == author));
        if is_known || self.flagged_from.contains(&(id, from)) {
            return Ok(Outcome::Recorded { answer, has_changed: false });
        }
        let of_comment = flags.map_or(0, |flags| flags.flags.len()) >= FLAGS_A_COMMENT_MAX;
        if !self.moderation.make_room_for_flag(id) {
            return Err(match of_comment {
                true => Rejection::FlagsFull(FLAGS_A_COMMENT_MAX, "this comment"),
                false => Rejection::FlagsFull(FLAGS_MAX, "this server"),
            });
        }
        self.charge_like(&[BucketKey::Address(from), BucketKey::Author(author)], "flags")?;
        self.remember_flag(id, from);
        let line = ModerationLine {
            id: Some(id),
            author: Some(author.to_string()),
            ..ModerationLine::default()
        };
        let (_, location) = self.record("flag", line);
        let flags = self.moderation.flag(id, author, location);
        let hides = self.rules.flags_hold.is_some_and(|max| flags.unsettled() >= max as usize);
        if hides && !flags.is_approved {
            self.hide(item, "flags", None)?;
        }
        Ok(Outcome::Recorded { answer, has_changed: true })
    }

    /// Remembers where a flag came from, so that it counts once.
    pub(super) fn remember_flag(&mut self, id: u64, from: ClientKey) {
        if self.flagged_from.len() >= FLAGGED_FROM_MAX {
            self.flagged_from.clear();
        }
        self.flagged_from.insert((id, from));
        self.batch.flagged_from.push((id, from));
    }

    /// Hides a public comment, or rejects one that waits. Returns whether it was either.
    pub(super) fn hide(
        &mut self,
        item: CommentRef,
        why: &str,
        by: Option<&Arc<str>>,
    ) -> Result<bool, Rejection> {
        let mut comment = self.comment(item)?;
        let author = comment.author.as_deref().and_then(Author::parse);
        let text = NoteText { why: Some(why.into()), by: by.cloned(), reason: None };
        let page = comment.page.clone();
        match item.visibility {
            Visibility::Public => {
                comment.status = Status::Hidden;
                comment.pinned = false;
                self.stage_change(item, comment, author, by.is_some(), None);
            }
            Visibility::Pending => self.note_rejection(item.id, author),
            _ => return Ok(false),
        }
        self.note((item.id, &page), author, Did::Hide, text);
        Ok(true)
    }

    /// Notes that a comment which was never public is not to wait any longer.
    pub(super) fn note_rejection(&mut self, id: u64, author: Option<Author>) {
        self.moderation.set_rejected(id, true);
        self.batch.effects.extend(author.map(Effect::Distrust));
    }

    /// The comment's line as moderators see it.
    pub(super) fn as_moderators_see(&self, id: u64, line: Vec<u8>) -> Vec<u8> {
        let note = self.moderation.notes.get(&id);
        let note = note.and_then(|note| self.log.read(note.location).ok());
        let flags = self.moderation.flags.get(&id).map_or(0, Flags::unsettled);
        annotate(line, note.as_deref(), flags)
    }

    pub(super) fn comment(&self, item: CommentRef) -> Result<Comment, Rejection> {
        let line = self.log.read(item.location).map_err(|error| self.unreadable(&error))?;
        Comment::parse(&line).map_err(|error| self.unreadable(&error.into()))
    }

    pub(super) fn take_measure(
        &mut self,
        measure: Measure,
        by: Arc<str>,
    ) -> Result<Outcome, Rejection> {
        if self.stopping {
            return Err(Rejection::Stopping);
        }
        let answer = match measure {
            Measure::Ban(request) => self.set_ban(&request, &by)?,
            Measure::Unban { key, restore } => self.end_ban(key, &restore, &by)?,
            Measure::Hide(author, ids) => {
                let hidden = self.hide_all(&ids, Some(author), &by);
                format!("{{\"hidden\":{hidden:?}}}").into_bytes()
            }
            Measure::Restore(ids) => {
                let restored = self.restore_all(&ids, &by);
                format!("{{\"restored\":{restored:?}}}").into_bytes()
            }
            Measure::Lock(page, locked) => self.lock(page, locked, &by)?,
            Measure::Move(pages) => self.move_pages(&pages, false, &by)?,
            Measure::MovePrefix(old, new) => self.move_prefix(&old, &new, &by)?,
            Measure::AuthorNote(author, text) => self.write_author_note(author, text, &by)?,
        };
        Ok(Outcome::Recorded { answer, has_changed: true })
    }

    pub(super) fn lock(
        &mut self,
        page: Box<str>,
        locked: bool,
        by: &Arc<str>,
    ) -> Result<Vec<u8>, Rejection> {
        let page: Box<str> = self.moderation.resolve(&page).into();
        let pages = &self.moderation.pages;
        if pages.get(&*page).is_none() && pages.len() >= PAGE_STATES_MAX {
            let what = "pages that were closed or opened";
            return Err(Rejection::ModerationFull(PAGE_STATES_MAX, what));
        }
        if self.is_locked(&page) != locked {
            let line = ModerationLine {
                page: Some(page.to_string()),
                locked: Some(locked),
                by: Some(by.to_string()),
                ..ModerationLine::default()
            };
            let (_, location) = self.record("page", line);
            let state = stored::PageState { locked, location };
            self.moderation.pages.set(page.as_ref().into(), Some(state));
            self.batch.effects.push(Effect::Locked(page.clone(), locked));
        }
        let state = self.page_state(page.into());
        Ok(serde_json::to_vec(&state).expect("names and numbers can be encoded"))
    }

    fn write_author_note(
        &mut self,
        author: Author,
        text: String,
        by: &Arc<str>,
    ) -> Result<Vec<u8>, Rejection> {
        let is_removed = text.is_empty();
        let notes = &self.moderation.author_notes;
        let key = BanKey::Author(author);
        if !is_removed && notes.get(&key).is_none() && notes.len() >= AUTHOR_NOTES_MAX {
            return Err(Rejection::ModerationFull(AUTHOR_NOTES_MAX, "notes about authors"));
        }
        let line = ModerationLine {
            author: Some(author.to_string()),
            reason: Some(text),
            by: Some(by.to_string()),
            ..ModerationLine::default()
        };
        let (line, location) = self.record("note", line);
        let note = Note { did: Did::Edit, is_moderators: true, location };
        self.moderation.author_notes.set(key, Some(note).filter(|_| !is_removed));
        Ok(line)
    }

    /// A page as moderators see it.
    pub(super) fn page_state(&self, page: String) -> PageState {
        let pending = self.index.pending(&page).take(COUNTED_MAX);
        let pending = pending.filter(|item| item.visibility == Visibility::Pending);
        let (waiting, rejected): (Vec<_>, Vec<_>) = pending.partition(|item| self.can_hide(*item));
        let changed = self.index.changed(&page).take(COUNTED_MAX);
        let hidden = changed.filter(|item| item.visibility == Visibility::Hidden);
        let is_held = |item: &CommentRef| self.moderation.held_edits.get(&item.id).is_some();
        let (held, hidden): (Vec<_>, Vec<_>) = hidden.partition(is_held);
        PageState {
            count: self.index.count(&page),
            pending: (waiting.len() + held.len()) as u64,
            hidden: (hidden.len() + rejected.len()) as u64,
            locked: self.is_locked(&page),
            pinned: self.pinned(&page),
            seq: self.index.seq_with_pending(&page),
            page: page.into(),
        }
    }

    /// The page's pinned comments, by rising id.
    pub(super) fn pinned(&self, page: &str) -> Vec<u64> {
        let number = self.index.page_number_of(page);
        number
            .and_then(|number| self.moderation.pins.get(&number.into()))
            .cloned()
            .unwrap_or_default()
    }

    /// How much there is for moderators.
    pub(super) fn totals(&self) -> Totals {
        let rejected = self.moderation.rejected.len() as u64;
        let held_edits = self.moderation.held_edits.len() as u64;
        let count = |visibility| self.index.count_of(visibility);
        Totals {
            pending: count(Visibility::Pending) + held_edits - rejected,
            flagged: self.moderation.flagged_count(),
            public: count(Visibility::Public),
            hidden: count(Visibility::Hidden) + rejected - held_edits,
            deleted: count(Visibility::Deleted) + count(Visibility::PendingDeleted),
            banned: self.moderation.bans.len() as u64,
        }
    }

    /// Tells moderators how much there is, if that has changed.
    pub(super) fn tell_totals(&mut self) {
        if self.subscribers.has_moderators() {
            let totals = serde_json::to_string(&self.totals()).expect("numbers can be encoded");
            let readers = self.subscribers.len_everywhere();
            self.subscribers.tell_moderators([
                format!("{{\"totals\":{totals}}}"),
                format!("{{\"readers\":{readers}}}"),
            ]);
        }
    }

    /// After the commit: tells readers and moderators what is more than a line.
    pub(super) fn tell_effects(&mut self) {
        for effect in std::mem::take(&mut self.batch.effects) {
            match effect {
                Effect::Locked(page, locked) => self.subscribers.locked(&page, locked),
                Effect::Distrust(author) => drop(self.approved.remove(&author)),
                Effect::Reason { page, author, message } => {
                    for reader in self.subscribers.readers_of(&page, author) {
                        self.subscribers.send_to(reader, message.as_bytes());
                    }
                }
            }
        }
        self.finish_moves();
        let frames = std::mem::take(&mut self.batch.for_moderators);
        if !frames.is_empty() {
            self.subscribers.publish_to_moderators(frames);
        }
    }

    /// Passes lines that are read elsewhere to `answer`.
    pub(super) fn answer_lines(
        &self,
        lines: Vec<Option<Location>>,
        answer: Callback<crate::hub::measure::Lines>,
    ) {
        answer(crate::hub::measure::Lines { lines, file: self.log.reader() });
    }
}
