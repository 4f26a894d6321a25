//! What a moderator decides about one comment, each with a note of who did it: shows, hides, pins, edits, deletes.
//!
//! Whether somebody may decide is [`posts`](super::posts)' matter, and so are deletions by authors, except for what they change.

use std::sync::Arc;

use super::{
    Hub,
    batch::Outcome,
    moderation::{Effect, NoteText},
    posts::Stored,
};
use crate::{
    comment::draft::Text,
    comment::{Status, did::Did, rejection::Rejection},
    hub::command::{Decision, WriteKind},
    store::moderation::PINS_A_PAGE_MAX,
};

impl<S> Hub<S> {
    pub(super) fn delete(
        &mut self,
        stored: Stored,
        moderator: Option<Arc<str>>,
        Decision { reason, .. }: Decision,
    ) -> Outcome {
        let Stored { item, mut comment, author, .. } = stored;
        let page = comment.page.clone();
        comment.make_tombstone();
        comment.edited_at = Some(self.now.clone());
        if let Some(number) = self.index.page_of(item.id) {
            self.likes.forget((number, item.id));
        }
        let at = self.stage_change(item, comment, author, moderator.is_some(), None);
        self.moderation.forget_flags(item.id);
        if moderator.is_some() {
            let text = NoteText { by: moderator, reason, why: None };
            self.note((item.id, &page), author, Did::Delete, text);
        }
        Outcome::Staged(at, WriteKind::Changed)
    }

    /// Lets everybody see a comment, or hides it. One that waits is rejected instead of hidden: to everybody else a hidden comment is a
    /// tombstone, and that would be the first they hear of this one.
    pub(super) fn set_status(
        &mut self,
        stored: Stored,
        status: Status,
        moderator: Arc<str>,
        Decision { reason, .. }: Decision,
    ) -> Result<Outcome, Rejection> {
        let Stored { item, line, mut comment, author } = stored;
        let id = item.id;
        let page = comment.page.clone();
        let is_rejected = self.moderation.rejected.get(&id).is_some();
        let is_held_edit = self.moderation.held_edits.get(&id).is_some();
        let has_flags = self.moderation.flags.get(&id).is_some_and(|flags| flags.unsettled() > 0);
        let did = match (comment.status, status) {
            (Status::Pending, Status::Hidden) if is_rejected => return Ok(self.known(item, line)),
            (Status::Public, Status::Public) if has_flags => Did::Approve,
            (Status::Pending, Status::Pending) if is_rejected => Did::Hold,
            (Status::Hidden, Status::Hidden) if is_held_edit => Did::Hide,
            (Status::Hidden, Status::Pending) if is_held_edit => return Ok(self.known(item, line)),
            (Status::Hidden, Status::Pending) => Did::Hold,
            (before, after) if before == after => return Ok(self.known(item, line)),
            (_, Status::Pending) => return Err(Rejection::NotRejected(id)),
            (_, Status::Public) => Did::Approve,
            (_, Status::Hidden) => Did::Hide,
        };
        let mut outcome = Outcome::Recorded { answer: line, has_changed: true };
        match (comment.status, did) {
            (Status::Pending, Did::Hide) => self.note_rejection(id, author),
            (Status::Pending, Did::Hold) => self.moderation.set_rejected(id, false),
            // It stays hidden; only whether it waits changes.
            (Status::Hidden, Did::Hide | Did::Hold) => {
                let distrusted = author.filter(|_| did == Did::Hide);
                self.batch.effects.extend(distrusted.map(Effect::Distrust));
            }
            (before, _) if before != status => {
                comment.status = status;
                comment.pinned &= status == Status::Public;
                let at = self.stage_change(item, comment, author, true, None);
                outcome = Outcome::Staged(at, WriteKind::Changed);
            }
            _ => {}
        }
        let why = (did == Did::Hold).then(|| "undo".into());
        let text = NoteText { why, reason, by: Some(moderator) };
        self.note((id, &page), author, did, text);
        Ok(outcome)
    }

    pub(super) fn pin(
        &mut self,
        stored: Stored,
        is_pinned: bool,
        moderator: Arc<str>,
        Decision { reason, .. }: Decision,
    ) -> Result<Outcome, Rejection> {
        let Stored { item, line, mut comment, author } = stored;
        if comment.pinned == is_pinned {
            return Ok(self.known(item, line));
        }
        if is_pinned && comment.status != Status::Public {
            return Err(Rejection::NotYetPublic(item.id));
        }
        let page = self.moderation.resolve(&comment.page);
        if is_pinned && self.pinned(page).len() >= PINS_A_PAGE_MAX {
            return Err(Rejection::PinsFull(PINS_A_PAGE_MAX));
        }
        comment.pinned = is_pinned;
        let page = comment.page.clone();
        let at = self.stage_change(item, comment, author, false, None);
        let did = if is_pinned { Did::Pin } else { Did::Unpin };
        let text = NoteText { why: None, reason, by: Some(moderator) };
        self.note((item.id, &page), author, did, text);
        Ok(Outcome::Staged(at, WriteKind::Changed))
    }

    pub(super) fn edit_as_moderator(
        &mut self,
        stored: Stored,
        text: Text,
        moderator: Arc<str>,
        Decision { reason, .. }: Decision,
    ) -> Outcome {
        let Stored { item, line, mut comment, author } = stored;
        if text.content == comment.content && text.html == comment.html {
            return self.known(item, line);
        }
        self.set_text(&mut comment, text);
        comment.mod_edited |= comment.moderator.is_none();
        let page = comment.page.clone();
        let is_held_edit = self.moderation.held_edits.get(&item.id).is_some();
        let at = self.stage_change(item, comment, author, false, None);
        // Its newest note no longer says that it was rejected.
        self.moderation.set_rejected(item.id, false);
        let text = NoteText { why: None, reason, by: Some(moderator.clone()) };
        self.note((item.id, &page), author, Did::Edit, text);
        if is_held_edit {
            let text = NoteText { why: Some("edited".into()), reason: None, by: Some(moderator) };
            self.note((item.id, &page), author, Did::Hold, text);
        }
        Outcome::Staged(at, WriteKind::Changed)
    }
}
