//! Pages that have moved: where each one lives now.
//!
//! Knows no comments.

use std::sync::Arc;

use super::{Moderation, journal::Logged};
use crate::{log::scan::Location, util::order::order_by_key};

/// Pages that have moved, about 50 MB with the longest names and 10 MB with usual ones.
pub const MOVES_MAX: usize = 50_000;
/// Moves in a row that lead from a page's first address to its present one.
pub const MOVES_IN_A_ROW_MAX: u8 = 32;
/// Where the comments of a page live now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The page that they were moved to; it may have moved since.
    pub to: Arc<str>,
    /// `seq` of its line.
    pub seq: u64,
    /// Its line.
    pub location: Location,
}

/// Why a page can't be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CantMove {
    /// It would come back to itself.
    Circle,
    /// It lives at this page already, so only that one can be moved.
    Moved(Arc<str>),
    /// More than [`MOVES_MAX`].
    TooMany,
    /// More than [`MOVES_IN_A_ROW_MAX`].
    TooLong,
}

/// How many moves in a row lead to a page at most.
#[derive(Debug, Clone, Copy)]
pub struct Depth(u8);

impl Logged for Depth {
    fn each_line(&mut self, _: &mut dyn FnMut(&mut Location)) {}

    fn bytes(&self) -> u64 {
        0
    }
}

impl Moderation {
    /// Returns the page that `page` lives at now; mostly itself.
    pub fn resolve<'p>(&'p self, mut page: &'p str) -> &'p str {
        if self.moves.is_empty() {
            return page;
        }
        // No page comes back to itself, so this ends.
        while let Some(moved) = self.moves.get(page) {
            page = &moved.to;
        }
        page
    }

    /// Returns whether `old` must be moved to live where `new` does; it may have been before.
    ///
    /// # Errors
    /// If it can't be moved there.
    pub fn check_move(&self, old: &str, new: &str) -> Result<bool, CantMove> {
        if leads_to(self, new, old) {
            return Err(CantMove::Circle);
        }
        if leads_to(self, old, new) {
            return Ok(false);
        }
        if let Some(moved) = self.moves.get(old) {
            return Err(CantMove::Moved(self.resolve(&moved.to).into()));
        }
        if self.moves.len() >= MOVES_MAX {
            return Err(CantMove::TooMany);
        }
        if self.depth(old) >= MOVES_IN_A_ROW_MAX {
            return Err(CantMove::TooLong);
        }
        Ok(true)
    }

    /// Makes `old`, which has not moved, live where `new` does. The line that says so has this `seq` and lies at `location`.
    pub fn set_move(&mut self, old: &str, new: &str, seq: u64, location: Location) {
        let (old, to, depth) = self.new_move(old, new);
        self.depths.set(to.clone(), Some(depth));
        self.moves.set(old, Some(Move { to, seq, location }));
    }

    pub(super) fn load_move(&mut self, old: &str, new: &str, seq: u64, location: Location) {
        // The limits are not for what is in the log already.
        if matches!(
            self.check_move(old, new),
            Err(CantMove::Circle | CantMove::Moved(_)) | Ok(false)
        ) {
            return;
        }
        let (old, to, depth) = self.new_move(old, new);
        self.depths.load(to.clone(), Some(depth));
        self.moves.load(old, Some(Move { to, seq, location }));
    }

    /// Makes the pinned comments of the page with the number `from` those of `to`. It can't be taken back.
    pub fn merge_pins(&mut self, from: u32, to: u32) {
        let (from, to) = (u64::from(from), u64::from(to));
        let Some(mut pins) = self.pins.get(&from).cloned() else { return };
        pins.extend(self.pins.get(&to).into_iter().flatten());
        pins.sort_unstable();
        self.pins.load(from, None);
        self.pins.load(to, Some(pins));
    }

    /// Returns the moves in the order in which they were made: the old page, the new one, and the `seq` of the line.
    pub fn moves_made(&self) -> Vec<(&str, &str, u64)> {
        let moves = self.moves.iter().map(|(old, moved)| (&**old, &*moved.to, moved.seq));
        let moves: Vec<_> = moves.collect();
        let order = order_by_key(&mut moves.iter().map(|(_, _, seq)| *seq));
        order.into_iter().map(|at| moves[at as usize]).collect()
    }

    fn new_move(&self, old: &str, new: &str) -> (Arc<str>, Arc<str>, Depth) {
        let to = self.resolve(new);
        let depth = self.depth(to).max(self.depth(old).saturating_add(1));
        // A name that is there already is not kept twice.
        let known = self.depths.get_key(old).map_or_else(|| old.into(), Arc::clone);
        (known, self.depths.get_key(to).map_or_else(|| to.into(), Arc::clone), Depth(depth))
    }

    fn depth(&self, page: &str) -> u8 {
        self.depths.get(page).map_or(0, |depth| depth.0)
    }
}

fn leads_to<'p>(moderation: &'p Moderation, mut from: &'p str, to: &str) -> bool {
    while from != to {
        match moderation.moves.get(from) {
            Some(moved) => from = &moved.to,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Location = Location { offset: 0, len: 1 };

    fn set(moderation: &mut Moderation, old: &str, new: &str) {
        assert_eq!(moderation.check_move(old, new), Ok(true), "{old} to {new}");
        moderation.set_move(old, new, 1, AT);
    }

    #[test]
    fn a_page_lives_where_the_last_of_its_moves_leads_and_never_comes_back() {
        let mut moderation = Moderation::default();
        assert_eq!(moderation.resolve("a"), "a");
        set(&mut moderation, "a", "b");
        set(&mut moderation, "x", "a");
        moderation.commit();
        set(&mut moderation, "b", "c");
        assert!(["a", "b", "x", "c"].iter().all(|page| moderation.resolve(page) == "c"));
        for (old, new) in [("c", "a"), ("c", "x"), ("c", "c"), ("d", "d"), ("c", "b")] {
            assert_eq!(moderation.check_move(old, new), Err(CantMove::Circle), "{old} to {new}");
        }
        for (old, new) in [("a", "b"), ("a", "c"), ("b", "c"), ("x", "c")] {
            assert_eq!(moderation.check_move(old, new), Ok(false), "{old} to {new} again");
        }
        assert_eq!(moderation.check_move("a", "d"), Err(CantMove::Moved("c".into())));
        moderation.roll_back();
        assert_eq!(["a", "b", "x"].map(|page| moderation.resolve(page)), ["b", "b", "b"]);
        set(&mut moderation, "b", "d");
        assert_eq!(moderation.resolve("x"), "d");
    }

    #[test]
    fn so_many_moves_in_a_row_are_taken_and_none_more() {
        let mut moderation = Moderation::default();
        let name = |number: u8| format!("page {number}");
        for number in 0..MOVES_IN_A_ROW_MAX {
            set(&mut moderation, &name(number), &name(number + 1));
        }
        let last = name(MOVES_IN_A_ROW_MAX);
        assert_eq!(moderation.resolve(&name(0)), last);
        assert_eq!(moderation.check_move(&last, "beyond"), Err(CantMove::TooLong));
        // A move to the first of them joins the last: names are resolved when the move is made.
        set(&mut moderation, "other", &name(0));
        assert_eq!(moderation.moves.get("other").map(|moved| &*moved.to), Some(&*last));
    }

    #[test]
    fn so_many_pages_can_move_and_none_more() {
        let mut moderation = Moderation::default();
        for number in 0..MOVES_MAX {
            set(&mut moderation, &format!("old {number}"), &format!("new {}", number % 7));
        }
        assert_eq!(moderation.check_move("old", "new"), Err(CantMove::TooMany));
        assert_eq!(moderation.check_move("old 5", "new 5"), Ok(false));
    }

    #[test]
    fn pinned_comments_come_along() {
        let mut moderation = Moderation::default();
        for (page, id) in [(1, 5), (1, 9), (2, 7)] {
            moderation.set_pinned(page, id, true);
        }
        moderation.commit();
        moderation.merge_pins(1, 2);
        moderation.merge_pins(3, 2);
        moderation.roll_back();
        assert_eq!(
            (moderation.pins.get(&1), moderation.pins.get(&2)),
            (None, Some(&vec![5, 7, 9]))
        );
    }

    #[test]
    fn moves_are_read_back_from_their_lines() {
        let mut moderation = Moderation::default();
        for (seq, old, new) in
            [(9, "a", "b"), (10, "b", "c"), (11, "c", "a"), (12, "a", "d"), (13, "e", "a")]
        {
            let line = format!(
                r#"{{"seq":{seq},"kind":"page","page":"{old}","moved":"{new}","by":"ada","created_at":"T"}}"#
            );
            moderation.load(line.as_bytes(), Location { offset: seq * 100, len: 80 });
        }
        assert_eq!(moderation.moves_made(), [("a", "b", 9), ("b", "c", 10), ("e", "c", 13)]);
        assert_eq!(moderation.offsets(), [900, 1000, 1300]);
        assert_eq!(moderation.live_bytes(), 240);
        assert_eq!(moderation.depth("c"), 2);
    }
}
