//! Pages that move: everything that names one is resolved here, and a move is made.
//!
//! Lines keep the page they were written with. A move is staged as a line; index, likes, pins and readers follow once that is on disk,
//! and nothing else is written in its batch after it. Does not know how a moderator proves to be one.

use std::sync::Arc;

use serde::Serialize;

use super::Hub;
use crate::{
    comment::draft::check_page,
    comment::rejection::Rejection,
    fanout::subscribers::Watched,
    hub::command::Cursor,
    store::moderation::line::ModerationLine,
    store::moderation::moves::{CantMove, MOVES_IN_A_ROW_MAX, MOVES_MAX},
    util::text::is_false,
};

/// Pages that move in one step: their lines are written with one sync.
pub const MOVES_AT_ONCE_MAX: usize = 500;

/// What a moderator is answered.
#[derive(Serialize)]
struct Answer<'m> {
    moved: Vec<Moved<'m>>,
    /// Why the next one was not, nor those behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    more: bool,
}

/// A page that has moved.
#[derive(Serialize)]
struct Moved<'m> {
    page: &'m str,
    /// Where its comments live now: that page may have moved itself.
    to: Box<str>,
    /// How many public comments came along, unless an earlier move of the same step has brought them to the page.
    comments: u64,
}

impl<S> Hub<S> {
    /// The page that a name stands for. Costs nothing as long as no page has moved.
    pub(super) fn resolve(&self, page: String) -> String {
        match self.moderation.moves.is_empty() {
            true => page,
            false => self.moderation.resolve(&page).to_owned(),
        }
    }

    /// Whether a comment is on the page that a name stands for.
    pub(super) fn is_on(&self, page: &str, id: u64) -> bool {
        self.index.find_on(self.moderation.resolve(page), id).is_some()
    }

    /// Names whose numbers of comments somebody follows, each once.
    pub(super) fn watched(&self, pages: Vec<String>) -> Vec<Watched> {
        let watched = pages.into_iter().map(|page| {
            let lives_at = Some(self.moderation.resolve(&page)).filter(|at| *at != page);
            Watched { lives_at: lives_at.map(Box::from), page: page.into() }
        });
        watched.collect()
    }

    /// Whether other comments have come to the page, beside those that the client has received, with a lower `seq` than its cursor.
    pub(super) fn has_missed(&self, page: &str, cursor: &Cursor) -> bool {
        cursor.since < self.index.merged(page)
    }

    /// Stages moves of pages, up to the first that can't be made.
    pub(super) fn move_pages(
        &mut self,
        pages: &[(Box<str>, Box<str>)],
        more: bool,
        by: &Arc<str>,
    ) -> Result<Vec<u8>, Rejection> {
        if pages.len() > MOVES_AT_ONCE_MAX {
            return Err(Rejection::ModerationFull(MOVES_AT_ONCE_MAX, "pages that move at once"));
        }
        let (mut moved, mut refused) = (Vec::new(), None);
        for (page, to) in pages {
            match self.check_move(page, to) {
                Ok(false) => {}
                Ok(true) => {
                    let comments = self.index.count(page);
                    let to: Box<str> = self.moderation.resolve(to).into();
                    self.move_page(page, to.clone(), by);
                    moved.push(Moved { page, to, comments });
                }
                Err(rejection) if moved.is_empty() => return Err(rejection),
                Err(rejection) => {
                    refused = Some(rejection.to_string());
                    break;
                }
            }
        }
        let answer = Answer { moved, more: more && refused.is_none(), refused };
        Ok(serde_json::to_vec(&answer).expect("names and numbers can be encoded"))
    }

    /// The same for all pages whose names begin alike.
    pub(super) fn move_prefix(
        &mut self,
        old: &str,
        new: &str,
        by: &Arc<str>,
    ) -> Result<Vec<u8>, Rejection> {
        // What has moved would begin so again.
        if new.starts_with(old) {
            return Err(Rejection::CantMove(old.into(), new.into()));
        }
        let mut pages = self.index.pages_below(old, MOVES_AT_ONCE_MAX + 1);
        let more = pages.len() > MOVES_AT_ONCE_MAX;
        pages.truncate(MOVES_AT_ONCE_MAX);
        let rename = |page: &str| -> Result<(Box<str>, Box<str>), Rejection> {
            let to = format!("{new}{}", &page[old.len()..]);
            check_page(&to)?;
            Ok((page.into(), to.into()))
        };
        let pages = pages.into_iter().map(rename).collect::<Result<Vec<_>, _>>()?;
        self.move_pages(&pages, more, by)
    }

    /// Whether a page is still to be moved.
    fn check_move(&self, old: &str, new: &str) -> Result<bool, Rejection> {
        let new = self.moderation.resolve(new);
        let is_to_move = self.moderation.check_move(old, new).map_err(|why| match why {
            CantMove::Circle => Rejection::CantMove(old.into(), new.into()),
            CantMove::Moved(at) => Rejection::MovedAlready(old.into(), at.to_string()),
            CantMove::TooMany => Rejection::ModerationFull(MOVES_MAX, "pages that have moved"),
            CantMove::TooLong => {
                Rejection::ModerationFull(MOVES_IN_A_ROW_MAX.into(), "moves of this page")
            }
        })?;
        self.check_prefix(new)?;
        Ok(is_to_move)
    }

    fn move_page(&mut self, old: &str, new: Box<str>, by: &Arc<str>) {
        let seq = self.log.next_seq();
        let line = ModerationLine {
            page: Some(old.into()),
            moved: Some(new.to_string()),
            by: Some(by.to_string()),
            ..ModerationLine::default()
        };
        let (_, location) = self.record("page", line);
        self.moderation.set_move(old, &new, seq, location);
        let pages = &self.moderation.pages;
        let was_closed = pages.get(old).is_some_and(|state| state.locked);
        if was_closed && pages.get(&*new).is_none() && !self.index.has_page(&new) {
            // If there is no room for that, a moderator can close it once there is.
            let _ = self.lock(new.clone(), true, by);
        }
        self.batch.moves.push((old.into(), new, seq));
    }

    /// After the commit: makes the moves, and tells readers to look for what they have missed.
    pub(super) fn finish_moves(&mut self) {
        for (old, new, seq) in std::mem::take(&mut self.batch.moves) {
            let were_locked = [&old, &new].map(|page| self.is_locked(page));
            if let Some((from, to)) = self.index.merge_pages(&old, &new, seq) {
                self.likes.merge_pages(from, to);
                self.moderation.merge_pins(from, to);
                self.closing_times.remove(&from.into());
                self.closing_times.remove(&to.into());
            }
            self.subscribers.move_page(&old, &new);
            self.subscribers.recount(&new);
            self.learn_closing_time(&new);
            let is_locked = self.is_locked(&new);
            if were_locked != [is_locked; 2] {
                self.subscribers.locked(&new, is_locked);
            }
            self.subscribers.tell_seq(&new, self.index.seq(&new));
        }
    }
}
