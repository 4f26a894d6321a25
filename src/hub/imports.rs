//! Comments that were written elsewhere, in another comment system or another log: stages their lines.
//!
//! The owner of the folder brings them, so nothing is asked of them that is asked of posts: no rate, no `--hold`, no ban, no closed
//! page, no number of pages. Readers receive them as they receive posts. Does not know where they come from.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Hub,
    batch::{EncodedLine, Outcome},
    moderation::Effect,
    posts::Stored,
};
use crate::{
    comment::{Author, Comment, Status, rejection::Rejection},
    hub::command::Decision,
    log::scan::Location,
    store::index::CommentRef,
    store::moderation::PINS_A_PAGE_MAX,
    store::visibility::Visibility,
};

/// Comments that are imported in one step: their lines are written with one sync, and others wait for that long.
pub const IMPORTED_AT_ONCE_MAX: usize = 200;

/// What is to be imported in one step.
#[cfg_attr(feature = "redis", derive(Clone))]
pub struct Import {
    /// Comments, one after another.
    pub comments: Vec<Imported>,
    /// Whether they come from a sayso, which knows what has become of each: a tombstone deletes the comment here too, and other
    /// differences are told.
    pub is_own: bool,
    /// Pages that are to be closed, unless a moderator has closed or opened them before.
    pub closed: Vec<Box<str>>,
    /// Who is named as the one who closes them.
    pub by: Arc<str>,
}

/// A comment that is to be imported. It is valid but for what the hub knows.
#[cfg_attr(feature = "redis", derive(Clone))]
pub struct Imported {
    /// The comment, with the nonce by which it is known again; `seq` and `id` are still to be given, and `parent` is the id of a comment
    /// that is stored already.
    pub comment: Comment,
    /// The number of the comment that it answers, if that is imported in the same step before it.
    pub answers: Option<usize>,
    /// The log that it is from and its id there, if it has no nonce there.
    pub origin: Option<(Box<str>, u64)>,
    /// When it was written, in ms since 1970.
    pub time: u64,
}

/// What the owner is answered.
#[derive(Default, Serialize, Deserialize)]
pub struct Answer {
    /// The id of each of the comments, also of those that were there.
    pub ids: Vec<u64>,
    /// How many of them are new.
    pub added: u64,
    /// How many were deleted here because they are deleted there.
    pub deleted: u64,
    /// Those that were there with another text, status or pin, and stay so.
    pub differing: Vec<u64>,
    /// How many are not pinned, since their page has as many pinned comments as it may have.
    pub unpinned: u64,
    /// How many pages stay open, since a moderator has opened them.
    pub opened: u64,
    /// Why a page could not be closed.
    pub refused: Vec<String>,
}

impl<S> Hub<S> {
    pub(super) fn import(&mut self, import: Import) -> Result<Outcome, Rejection> {
        if self.stopping {
            return Err(Rejection::Stopping);
        }
        let Import { comments, is_own, closed, by } = import;
        if comments.len().max(closed.len()) > IMPORTED_AT_ONCE_MAX {
            let what = "comments that are imported at once";
            return Err(Rejection::ModerationFull(IMPORTED_AT_ONCE_MAX, what));
        }
        let lines_before = self.log.next_seq();
        let mut answer = Answer::default();
        for imported in comments {
            if let Some(known) = self.imported_before(&imported) {
                answer.ids.push(known.item.id);
                if is_own {
                    self.compare(known, &imported.comment, &mut answer);
                }
                continue;
            }
            let Imported { mut comment, answers, time, .. } = imported;
            if let Some(parent) = answers.and_then(|number| answer.ids.get(number)) {
                comment.parent = Some(*parent);
            }
            let page = self.moderation.resolve(&comment.page);
            comment.parent =
                comment.parent.filter(|parent| self.index.find_on(page, *parent).is_some());
            let is_pinned = comment.pinned && comment.is_visible();
            comment.pinned = is_pinned && self.pinned(page).len() < PINS_A_PAGE_MAX;
            answer.unpinned += u64::from(is_pinned && !comment.pinned);
            answer.ids.push(self.stage_imported(comment, time));
            answer.added += 1;
        }
        for page in closed {
            self.close(page, &by, &mut answer);
        }
        let has_changed = self.log.next_seq() > lines_before;
        let answer = serde_json::to_vec(&answer).expect("numbers can be encoded");
        Ok(Outcome::Recorded { answer, has_changed })
    }

    /// The comment that has the same nonce, or that is the same because it is from this log.
    fn imported_before(&self, imported: &Imported) -> Option<Stored> {
        let Imported { comment, origin, .. } = imported;
        let read = |location: Location| {
            let line = self.log.read(location).ok()?;
            let known = Comment::parse(&line).ok()?;
            Some((line, known))
        };
        let nonce = comment.nonce.as_deref()?;
        let mut found = None;
        let has_nonce = |item: CommentRef| {
            found = read(item.location).filter(|(_, known)| known.nonce.as_deref() == Some(nonce));
            found.is_some()
        };
        let mut item = self.index.find_nonce(nonce, has_nonce);
        if item.is_none()
            && let Some((log, id)) = origin
            && **log == *self.log_id
        {
            item = self.index.find(*id);
            found = item.and_then(|item| read(item.location));
            // A restored backup has the log's id, and may have given the comment's id to another one.
            found = found.filter(|(_, known)| {
                let resolve = |page| self.moderation.resolve(page);
                known.nonce.is_none()
                    && known.created_at == comment.created_at
                    && resolve(&known.page) == resolve(&comment.page)
            });
        }
        let (item, (line, comment)) = item.zip(found)?;
        let author = comment.author.as_deref().and_then(Author::parse);
        Some(Stored { item, line, comment, author })
    }

    /// Deletes a known comment that is deleted where it comes from, and notes one that is otherwise there. One that is deleted here
    /// stays so.
    fn compare(&mut self, known: Stored, there: &Comment, answer: &mut Answer) {
        let here = &known.comment;
        if here.deleted {
            return;
        }
        if there.deleted {
            // Nobody here has decided it, so it says nothing about the author.
            self.delete(known, None, Decision::default());
            answer.deleted += 1;
        } else if here.content != there.content
            || here.status != there.status
            || here.pinned != there.pinned
        {
            answer.differing.push(known.item.id);
        }
    }

    /// Closes a page about which no moderator has decided.
    fn close(&mut self, page: Box<str>, by: &Arc<str>, answer: &mut Answer) {
        let state = self.moderation.pages.get(self.moderation.resolve(&page));
        match state.map(|state| state.locked) {
            Some(true) => {}
            Some(false) => answer.opened += 1,
            None => {
                if let Err(rejection) = self.lock(page, true, by) {
                    answer.refused.push(rejection.to_string());
                }
            }
        }
    }

    /// Stages the line of a new comment, and returns its id.
    fn stage_imported(&mut self, mut comment: Comment, time: u64) -> u64 {
        let page = self.moderation.resolve(&comment.page).to_owned();
        // A page that was open and is old with this comment in it is closed from now on.
        let was_open = self.rules.close_after.is_some() && !self.is_locked(&page);
        let seq = self.log.next_seq();
        (comment.seq, comment.id) = (seq, seq);
        let start = self.batch.bytes.len();
        comment.encode(&mut self.batch.bytes);
        let line = EncodedLine {
            id: seq,
            seq,
            page: &comment.page,
            visibility: Visibility::of(comment.status, comment.deleted),
            before: None,
            author: comment.author.as_deref().and_then(Author::parse),
            parent: comment.parent,
            nonce: comment.nonce.as_deref(),
            time: Some(time),
            is_moderation: false,
            held_for: None,
        };
        self.stage(start, line);
        if let Some(number) = self.index.page_of(seq) {
            self.closing_times.remove(&number.into());
            if comment.pinned && comment.status == Status::Public {
                self.moderation.set_pinned(number, seq, true);
            }
        }
        if was_open && self.is_locked(&page) {
            self.batch.effects.push(Effect::Locked(page.into(), true));
        }
        seq
    }
}
