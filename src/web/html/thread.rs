//! Arranges comments in threads and renders them as nested lists.
//!
//! Pure.

use std::collections::HashMap;

use super::article::{Time, push_article};
use super::{View, put};
use crate::comment::{Comment, Status};
use crate::http::query;
use crate::limits::FIRST_ANSWERS;
use crate::util::html::Escaped;
use crate::util::order::order_by_key;

/// The number of levels that replies are indented; deeper replies stay at the last one.
pub(super) const DEPTH_MAX: usize = 4;

/// Likewise in a narrow window, where `static/embed.css` no longer indents.
const NARROW_DEPTH_MAX: usize = 2;

/// Appends the comments, pinned threads first, then the newest.
pub(super) fn push_thread(out: &mut String, view: &View) {
    let thread = Thread::new(view);
    if thread.roots.is_empty() {
        if !view.is_closed {
            out.push_str("<p class=\"empty\">No comments yet. Say the first word.</p>");
        }
        return;
    }
    out.push_str("<ol class=\"list\" role=\"list\">");
    for root in thread.in_order_of_reading() {
        push_item(out, &thread, root);
    }
    out.push_str("</ol>");
}

/// Which comment is shown below which. Comments are named by their index.
pub(super) struct Thread<'a> {
    pub(super) view: &'a View<'a>,
    pub(super) comments: Vec<&'a Comment>,
    pub(super) likes: &'a [(u64, u64)],
    /// The comments at the top level, oldest first.
    roots: Vec<usize>,
    /// The replies shown below each comment, oldest first.
    children: Vec<Vec<usize>>,
    /// The parent of each comment, if the view contains it.
    pub(super) parents: Vec<Option<usize>>,
    /// What says whom each comment answers, where the indentation does not.
    pub(super) addressed: Vec<Addressed>,
    /// For each comment, the highest id of those in its thread that are pinned, or 0; of threads' first comments alone.
    pins: Vec<u64>,
}

/// Whether a comment names whom it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Addressed {
    /// It is no answer, or it is indented below its parent.
    Never,
    /// It does in a narrow window.
    Narrow,
    /// It is shown elsewhere than directly below its parent.
    Always,
}

impl<'a> Thread<'a> {
    fn new(view: &'a View) -> Thread<'a> {
        let brought = view.pinned_threads.unwrap_or_default();
        let comments: Vec<&Comment> = view.comments.iter().chain(brought).collect();
        let indices: HashMap<u64, usize> =
            comments.iter().enumerate().map(|(i, comment)| (comment.id, i)).collect();
        // A parent must be an earlier comment. Therefore there are no cycles, whatever the log contains.
        let parents: Vec<Option<usize>> = comments
            .iter()
            .enumerate()
            .map(|(i, comment)| indices.get(&comment.parent?).copied().filter(|&parent| parent < i))
            .collect();
        let mut first = None;
        // An answer whose parent is not in the view stands below the first comment of its thread.
        let above: Vec<Option<usize>> = comments
            .iter()
            .enumerate()
            .map(|(i, comment)| {
                if comment.parent.is_none() {
                    first = Some(i);
                    return None;
                }
                parents[i].or(first)
            })
            .collect();
        let is_shown = find_shown(&comments, &above);

        let mut thread = Thread {
            view,
            likes: view.likes,
            roots: Vec::new(),
            children: vec![Vec::new(); comments.len()],
            parents,
            addressed: vec![Addressed::Never; comments.len()],
            pins: vec![0; comments.len()],
            comments,
        };
        let mut root_of = Vec::with_capacity(above.len());
        // For each comment: its depth, and the comment that it is shown below.
        let mut positions: Vec<(usize, Option<usize>)> = Vec::with_capacity(above.len());
        for (i, &is_shown) in is_shown.iter().enumerate() {
            let (depth, above) = match above[i] {
                None => (0, None),
                Some(parent) if positions[parent].0 < DEPTH_MAX => {
                    (positions[parent].0 + 1, Some(parent))
                }
                Some(parent) => positions[parent],
            };
            positions.push((depth, above));
            let root = above.map_or(i, |above| root_of[above]);
            root_of.push(root);
            if thread.comments[i].is_visible() && thread.comments[i].pinned {
                thread.pins[root] = thread.pins[root].max(thread.comments[i].id);
            }
            thread.addressed[i] = if above.is_none() || above != thread.parents[i] {
                Addressed::Always
            } else if depth > NARROW_DEPTH_MAX {
                Addressed::Narrow
            } else {
                Addressed::Never
            };
            if is_shown {
                match above {
                    Some(above) => thread.children[above].push(i),
                    None => thread.roots.push(i),
                }
            }
        }
        thread
    }

    /// The comments at the top level, newest first, behind those whose thread has a pinned comment.
    fn in_order_of_reading(&self) -> Vec<usize> {
        let mut roots: Vec<usize> = self.roots.iter().rev().copied().collect();
        if self.view.pinned_threads.is_some() {
            let order = order_by_key(&mut roots.iter().map(|&root| u64::MAX - self.pins[root]));
            roots = order.into_iter().map(|at| roots[at as usize]).collect();
        }
        roots
    }
}

/// Decides which comments are shown: those that everyone may see, and the tombstones above a reply that is shown.
fn find_shown(comments: &[&Comment], parents: &[Option<usize>]) -> Vec<bool> {
    let mut is_shown: Vec<bool> = comments.iter().map(|comment| comment.is_visible()).collect();
    for i in (0..comments.len()).rev() {
        // A pending comment has never been public, and a line with a `kind` is no comment.
        if comments[i].status == Status::Pending || comments[i].kind.is_some() {
            is_shown[i] = false;
        } else if let (true, Some(parent)) = (is_shown[i], parents[i]) {
            is_shown[parent] = true;
        }
    }
    is_shown
}

fn push_item(out: &mut String, thread: &Thread, index: usize) {
    let comment = thread.comments[index];
    put(out, format_args!("\n<li class=\"item\" id=\"sayso-{}\">", comment.id));
    if comment.is_visible() {
        push_article(out, thread, index);
    } else {
        put(
            out,
            format_args!(
                "<article class=\"comment gone\" aria-label=\"Deleted\"><p class=\"meta\">Deleted"
            ),
        );
        // That of the deletion; nothing tells when a comment was hidden.
        if let (true, Some(at)) = (comment.deleted, comment.edited_at.as_deref()) {
            put(out, format_args!(" {}", Time { id: comment.id, at }));
        }
        out.push_str("</p></article>");
    }
    let gap = thread.gap(index);
    if !thread.children[index].is_empty() || gap.is_some() {
        out.push_str("<ol class=\"answers\" role=\"list\">");
        let gap_behind = gap.as_ref().map_or(u64::MAX, |gap| gap.behind);
        let is_before_gap = |&&child: &&usize| thread.comments[child].id <= gap_behind;
        let children = &thread.children[index];
        let before = children.iter().take_while(is_before_gap).count();
        children[..before].iter().for_each(|&child| push_item(out, thread, child));
        if let Some(gap) = gap {
            push_gap(out, thread, index, &gap);
        }
        children[before..].iter().for_each(|&child| push_item(out, thread, child));
        out.push_str("</ol>");
    }
    out.push_str("</li>");
}

/// Answers of a thread that the view does not have.
struct Gap {
    /// The id of the last answer before them.
    behind: u64,
    /// How many they are, if that is known.
    count: Option<u64>,
}

impl Thread<'_> {
    /// What is left out of the thread that this comment begins.
    fn gap(&self, index: usize) -> Option<Gap> {
        let (first, answers) = self.comments[index..].split_first()?;
        let count = answers.iter().take_while(|answer| answer.parent.is_some()).count();
        let answers = &answers[..count];
        let total =
            self.view.answers.iter().find(|(id, _)| *id == first.id).map(|(_, total)| *total);
        let left_out = total.map(|total| total.saturating_sub(count as u64)).filter(|n| *n > 0);
        match self.view.thread_after {
            Some(after) if self.view.more && first.parent.is_none() => {
                let behind = answers.last().map_or(after, |last| last.id);
                Some(Gap { behind, count: left_out.filter(|_| after == 0) })
            }
            None => {
                let behind = answers.get(FIRST_ANSWERS - 1)?.id;
                left_out.map(|count| Gap { behind, count: Some(count) })
            }
            Some(_) => None,
        }
    }
}

fn push_gap(out: &mut String, thread: &Thread, index: usize, gap: &Gap) {
    let View { base, page, thread_after, .. } = thread.view;
    let (base, page, id) = (Escaped(base), query::encode(page), thread.comments[index].id);
    put(out, format_args!("\n<li class=\"gap\"><a href=\"{base}/?page={page}&amp;thread={id}"));
    // With a script, the fragment leads to the same place.
    let step = if thread_after.is_some() { "&amp;after=" } else { "#sayso-" };
    put(out, format_args!("{step}{}", gap.behind));
    match gap.count {
        Some(1) => out.push_str("\">1 more answer</a></li>"),
        Some(count) => put(out, format_args!("\">{count} more answers</a></li>")),
        None => out.push_str("\">More answers</a></li>"),
    }
}
