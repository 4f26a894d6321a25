//! What moderators ask: comments of all pages, what is known of an author, bans and pages.
//!
//! Only finds where the lines lie; who asked reads them, so that the hub never waits for the disk.

use super::Hub;
use crate::{
    hub::command::{Callback, Edge},
    hub::measure::{Find, Found, Lines, PageState, Wanted},
    store::index::CommentRef,
    store::moderation::{BanKey, Flags},
    store::visibility::Visibility,
    util::order::order_by_key,
};

/// Comments that one search looks at, some 200 µs of work; the answer says where to continue.
const SEARCHED_MAX: usize = 65_536;

impl<S> Hub<S> {
    pub(super) fn find(&self, find: Find) {
        let Find { wanted, page, from, limit, answer } = find;
        let mut items = Vec::new();
        let mut next = None;
        let mut take = |item: CommentRef, searched: usize| {
            if items.len() == limit || searched == SEARCHED_MAX {
                next = Some(from.at(item.id));
                return false;
            }
            if self.is_wanted(item, wanted) {
                let note = self.moderation.notes.get(&item.id).map(|note| note.location);
                let flags = self.moderation.flags.get(&item.id).map_or(0, Flags::unsettled);
                items.push((item, note, flags));
            }
            true
        };
        let mut searched = 0..;
        let mut take_all = |all: &mut dyn Iterator<Item = CommentRef>| {
            for item in all {
                if !take(item, searched.next().unwrap_or(usize::MAX)) {
                    break;
                }
            }
        };
        let page = page.map(|page| self.resolve(page));
        let before = match from {
            Edge::Before(before) => before,
            Edge::After(_) => None,
        };
        match (wanted, page, from) {
            (Wanted::Id(id), _, _) => take_all(&mut self.index.find(id).into_iter()),
            (_, Some(page), _) => take_all(&mut self.index.newest_with_pending(&page, before)),
            (Wanted::Flagged, None, _) => {
                let mut ids: Vec<u64> = self.moderation.flags.iter().map(|(id, _)| *id).collect();
                ids.sort_unstable();
                let find = |id| self.index.find(id);
                match from {
                    Edge::Before(before) => {
                        ids.retain(|id| before.is_none_or(|before| *id < before));
                        take_all(&mut ids.into_iter().rev().filter_map(find));
                    }
                    Edge::After(after) => {
                        take_all(&mut ids.into_iter().filter(|id| *id > after).filter_map(find));
                    }
                }
            }
            (_, None, Edge::Before(_)) => take_all(&mut self.index.all_before(before)),
            (_, None, Edge::After(after)) => take_all(&mut self.index.all_after(after)),
        }
        answer(Found {
            log: self.log_id.clone(),
            mark: self.runs.mark().clone(),
            seq: self.log.next_seq() - 1,
            items,
            next,
            file: self.log.reader(),
        });
    }

    fn is_wanted(&self, item: CommentRef, wanted: Wanted) -> bool {
        let is_held_edit = || self.moderation.held_edits.get(&item.id).is_some();
        let is_rejected = || self.moderation.rejected.get(&item.id).is_some();
        match wanted {
            Wanted::All | Wanted::Id(_) => true,
            Wanted::Pending => match item.visibility {
                Visibility::Pending => !is_rejected(),
                Visibility::Hidden => is_held_edit(),
                _ => false,
            },
            Wanted::Hidden => match item.visibility {
                Visibility::Hidden => !is_held_edit(),
                Visibility::Pending => is_rejected(),
                _ => false,
            },
            Wanted::Public => item.visibility == Visibility::Public,
            Wanted::Flagged => {
                self.moderation.flags.get(&item.id).is_some_and(|flags| flags.unsettled() > 0)
            }
            Wanted::Deleted => item.visibility.is_deleted(),
        }
    }

    /// The lines of the ban and the note of an author, or of an address, which has no note.
    pub(super) fn find_whom(&self, key: BanKey, answer: Callback<Lines>) {
        let ban = self.moderation.ban(key, &self.now);
        let note = self.moderation.author_notes.get(&key);
        let lines = vec![ban.map(|ban| ban.location), note.map(|note| note.location)];
        self.answer_lines(lines, answer);
    }

    /// The lines of the bans in force, newest first.
    pub(super) fn find_bans(&self, answer: Callback<Lines>) {
        let in_force = self.moderation.bans.iter().filter(|(_, ban)| *ban.until > *self.now);
        let lines: Vec<_> = in_force.map(|(_, ban)| ban.location).collect();
        let order = order_by_key(&mut lines.iter().map(|location| location.offset));
        let newest_first = order.into_iter().rev().map(|at| Some(lines[at as usize]));
        self.answer_lines(newest_first.collect(), answer);
    }

    /// The pages that were written to last, and whether there are more; behind the last of them those that are closed and empty.
    pub(super) fn find_pages(
        &self,
        before: Option<u64>,
        limit: usize,
        answer: Callback<(Vec<PageState>, bool)>,
    ) {
        let mut pages = self.index.newest_pages(before, limit + 1);
        let more = pages.len() > limit;
        pages.truncate(limit);
        let mut names: Vec<_> = pages.into_iter().map(|(page, _)| page).collect();
        if !more {
            names.extend(self.closed_and_empty(limit));
        }
        let states = names.into_iter().map(|page| self.page_state(page.to_owned()));
        answer((states.collect(), more));
    }

    /// Pages that are closed though nobody has written there: else no list would tell how to open them.
    fn closed_and_empty(&self, limit: usize) -> Vec<&str> {
        let closed = self.moderation.pages.iter().filter(|(_, state)| state.locked);
        let empty = closed.filter(|(page, _)| self.index.page_number_of(page).is_none());
        let mut names: Vec<_> = empty.map(|(page, _)| &**page).collect();
        names.sort_unstable();
        names.truncate(limit);
        names
    }
}
