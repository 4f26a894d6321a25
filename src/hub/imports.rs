//! Comments that were written elsewhere, in another comment system or another log: stages their lines.
//!
//! The owner of the folder brings them, so nothing is asked of them that is asked of posts: no rate, no `--hold`, no ban, no closed
//! page, no number of pages. Readers receive them as they receive posts. Does not know where they come from.

use serde::Serialize;

use super::{
    Hub,
    batch::{EncodedLine, Outcome},
    moderation::Effect,
};
use crate::{
    comment::{Author, Comment, Status, rejection::Rejection},
    store::moderation::PINS_A_PAGE_MAX,
    store::visibility::Visibility,
};

/// Comments that are imported in one step: their lines are written with one sync, and others wait for that long.
pub const IMPORTED_AT_ONCE_MAX: usize = 200;

/// A comment that is to be imported. It is valid but for what the hub knows.
pub struct Imported {
    /// The comment, with the nonce by which it is known again; `seq` and `id` are still to be given, and `parent` is the id of a comment
    /// that is stored already.
    pub comment: Comment,
    /// The number of the comment that it answers, if that is imported in the same step before it.
    pub answers: Option<usize>,
    /// When it was written, in ms since 1970.
    pub time: u64,
}

/// What the owner is answered.
#[derive(Default, Serialize)]
struct Answer {
    /// The id of each of the comments, also of those that were there.
    ids: Vec<u64>,
    /// How many of them are new.
    added: u64,
    /// How many are not pinned, since their page has as many pinned comments as it may have.
    unpinned: u64,
}

impl<S> Hub<S> {
    pub(super) fn import(&mut self, comments: Vec<Imported>) -> Result<Outcome, Rejection> {
        if self.stopping {
            return Err(Rejection::Stopping);
        }
        if comments.len() > IMPORTED_AT_ONCE_MAX {
            let what = "comments that are imported at once";
            return Err(Rejection::ModerationFull(IMPORTED_AT_ONCE_MAX, what));
        }
        let mut answer = Answer::default();
        for Imported { mut comment, answers, time } in comments {
            if let Some(known) = self.imported_before(&comment) {
                answer.ids.push(known);
                continue;
            }
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
        let has_changed = answer.added > 0;
        let answer = serde_json::to_vec(&answer).expect("numbers can be encoded");
        Ok(Outcome::Recorded { answer, has_changed })
    }

    /// The id of the comment that has the same nonce.
    fn imported_before(&self, comment: &Comment) -> Option<u64> {
        let nonce = comment.nonce.as_deref()?;
        let has_nonce = |item| {
            let known = self.comment(item);
            known.is_ok_and(|known| known.nonce.as_deref() == Some(nonce))
        };
        Some(self.index.find_nonce(nonce, has_nonce)?.id)
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
            self.closing_times.remove(&number);
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
