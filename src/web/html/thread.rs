//! Arranges comments in threads and renders them as nested lists.
//!
//! Pure.

use std::collections::HashMap;
use std::fmt;

use super::avatar::avatar;
use super::{View, put};
use crate::comment::{Comment, Status};
use crate::http::query;
use crate::limits::FIRST_ANSWERS;
use crate::util::html::Escaped;

/// The number of levels that replies are indented; deeper replies stay at the last one.
pub(super) const DEPTH_MAX: usize = 4;

/// Likewise in a narrow window, where `static/embed.css` no longer indents.
const NARROW_DEPTH_MAX: usize = 2;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Appends the comments, newest thread first.
pub(super) fn push_thread(out: &mut String, view: &View) {
    let thread = Thread::new(view);
    if thread.roots.is_empty() {
        out.push_str("<p class=\"empty\">No comments yet. Say the first word.</p>");
        return;
    }
    out.push_str("<ol class=\"list\" role=\"list\">");
    for &root in thread.roots.iter().rev() {
        push_item(out, &thread, root);
    }
    out.push_str("</ol>");
}

/// Which comment is shown below which. Comments are named by their index.
struct Thread<'a> {
    view: &'a View<'a>,
    comments: &'a [Comment],
    likes: &'a [(u64, u64)],
    /// The comments at the top level, oldest first.
    roots: Vec<usize>,
    /// The replies shown below each comment, oldest first.
    children: Vec<Vec<usize>>,
    /// The parent of each comment, if the view contains it.
    parents: Vec<Option<usize>>,
    /// What says whom each comment answers, where the indentation does not.
    addressed: Vec<Addressed>,
}

/// Whether a comment names whom it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Addressed {
    /// It is no answer, or it is indented below its parent.
    Never,
    /// It does in a narrow window.
    Narrow,
    /// It is shown elsewhere than directly below its parent.
    Always,
}

impl<'a> Thread<'a> {
    fn new(view: &'a View) -> Thread<'a> {
        let (comments, likes) = (view.comments, view.likes);
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
        let is_shown = find_shown(comments, &above);

        let mut thread = Thread {
            view,
            comments,
            likes,
            roots: Vec::new(),
            children: vec![Vec::new(); comments.len()],
            parents,
            addressed: vec![Addressed::Never; comments.len()],
        };
        // For each comment: its depth, and the comment that it is shown below.
        let mut positions: Vec<(usize, Option<usize>)> = Vec::with_capacity(comments.len());
        for (i, &is_shown) in is_shown.iter().enumerate() {
            let (depth, above) = match above[i] {
                None => (0, None),
                Some(parent) if positions[parent].0 < DEPTH_MAX => {
                    (positions[parent].0 + 1, Some(parent))
                }
                Some(parent) => positions[parent],
            };
            positions.push((depth, above));
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
}

/// Decides which comments are shown: those that everyone may see, and the tombstones above a reply that is shown.
fn find_shown(comments: &[Comment], parents: &[Option<usize>]) -> Vec<bool> {
    let mut is_shown: Vec<bool> = comments.iter().map(Comment::is_visible).collect();
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
    let comment = &thread.comments[index];
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

fn push_article(out: &mut String, thread: &Thread, index: usize) {
    let comment = &thread.comments[index];
    let name = comment.name.as_deref().unwrap_or_default();
    let shown_name = Escaped(if name.is_empty() { "Anonymous" } else { name });
    let at = &comment.created_at;
    put(
        out,
        format_args!(
            "<article class=\"comment\" aria-label=\"Comment by {shown_name}, {}\">",
            Moment(at)
        ),
    );
    avatar(out, comment.author.as_deref(), name);
    put(
        out,
        format_args!(
            "<p class=\"meta\"><bdi class=\"name\">{shown_name}</bdi> {}",
            Time { id: comment.id, at }
        ),
    );
    if comment.edited_at.is_some() {
        out.push_str(" <span class=\"edited\">edited</span>");
    }
    let class = match thread.addressed[index] {
        Addressed::Never => None,
        Addressed::Narrow => Some("near-to"),
        Addressed::Always => Some("to"),
    };
    if let (Some(parent), Some(class)) = (comment.parent, class) {
        let name = thread.parents[index]
            .map(|parent| thread.comments[parent].name.as_deref().unwrap_or("Anonymous"));
        put(
            out,
            format_args!(
                " <a class=\"{class}\" href=\"#sayso-{parent}\">to <bdi>{}</bdi></a>",
                Escaped(name.unwrap_or("an older comment"))
            ),
        );
    }
    match &comment.html {
        Some(html) => {
            put(out, format_args!("</p><div class=\"text\" dir=\"auto\">{}</div>", Directed(html)));
        }
        None => {
            put(
                out,
                format_args!(
                    "</p><div class=\"text plain\" dir=\"auto\">{}</div>",
                    Escaped(&comment.content)
                ),
            );
        }
    }
    // The script puts its buttons here; the element reserves their space, so that nothing moves.
    out.push_str("<div class=\"actions\">");
    if let Some((_, count)) = thread.likes.iter().find(|(id, _)| *id == comment.id) {
        let name = if *count == 1 { "1 like".to_owned() } else { format!("{count} likes") };
        put(
            out,
            format_args!(
                "<span class=\"like\" role=\"img\" aria-label=\"{name}\">♥ {count}</span>"
            ),
        );
    }
    out.push_str("</div></article>");
}

/// Displays the HTML of a comment with a direction for each block: lists and quotes by their own first letter, code from the left.
/// Paragraphs have theirs from `static/embed.css`, since the whole comment goes by its first paragraph.
struct Directed<'a>(&'a str);

impl fmt::Display for Directed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        // Text has no `<`, since it is escaped.
        while let Some(at) = rest.find('<') {
            let name = rest[at + 1..].split(['>', ' ']).next().unwrap_or_default();
            let end = at + 1 + name.len();
            f.write_str(&rest[..end])?;
            f.write_str(match name {
                "ul" | "ol" | "blockquote" => " dir=\"auto\"",
                "pre" | "code" => " dir=\"ltr\"",
                _ => "",
            })?;
            rest = &rest[end..];
        }
        f.write_str(rest)
    }
}

/// Displays a time as a link to the comment.
struct Time<'a> {
    id: u64,
    at: &'a str,
}

impl fmt::Display for Time<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Time { id, at } = self;
        write!(
            f,
            "<a class=\"when\" href=\"#sayso-{id}\"><time datetime=\"{}\">{}</time></a>",
            Escaped(at),
            Moment(at)
        )
    }
}

/// Displays a time in words.
struct Moment<'a>(&'a str);

impl fmt::Display for Moment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match split_time(self.0) {
            Some((date, month, year, clock)) => write!(f, "{date} {month} {year}, {clock} UTC"),
            None => write!(f, "{}", Escaped(self.0)),
        }
    }
}

/// Returns day, month, year and `05:08` of `2026-11-22T05:08:00.001Z`.
pub(super) fn split_time(at: &str) -> Option<(u8, &'static str, u16, &str)> {
    let (date, clock) = at.split_once('T')?;
    let mut numbers = date.splitn(3, '-');
    let year = numbers.next()?.parse().ok()?;
    let month: usize = numbers.next()?.parse().ok()?;
    let day = numbers.next()?.parse().ok()?;
    let clock = clock
        .get(..5)
        .filter(|clock| clock.bytes().all(|byte| byte.is_ascii_digit() || byte == b':'))?;
    Some((day, MONTHS.get(month.checked_sub(1)?)?, year, clock))
}
