//! Arranges comments in threads and renders them as nested lists.
//!
//! Pure.

use std::collections::HashMap;
use std::fmt;

use super::avatar::avatar;
use super::put;
use crate::comment::{Comment, Status};
use crate::util::html::Escaped;

/// The number of levels that replies are indented; deeper replies stay at the last one.
pub(super) const DEPTH_MAX: usize = 4;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Appends the comments, newest thread first.
pub(super) fn push_thread(out: &mut String, comments: &[Comment], likes: &[(u64, u64)]) {
    let thread = Thread::new(comments, likes);
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
    comments: &'a [Comment],
    likes: &'a [(u64, u64)],
    /// The comments at the top level, oldest first.
    roots: Vec<usize>,
    /// The replies shown below each comment, oldest first.
    children: Vec<Vec<usize>>,
    /// The parent of each comment, if the view contains it.
    parents: Vec<Option<usize>>,
    /// Whether a comment is shown elsewhere than directly below its parent.
    is_detached: Vec<bool>,
}

impl<'a> Thread<'a> {
    fn new(comments: &'a [Comment], likes: &'a [(u64, u64)]) -> Thread<'a> {
        let indices: HashMap<u64, usize> =
            comments.iter().enumerate().map(|(i, comment)| (comment.id, i)).collect();
        // A parent must be an earlier comment. Therefore there are no cycles, whatever the log contains.
        let parents: Vec<Option<usize>> = comments
            .iter()
            .enumerate()
            .map(|(i, comment)| indices.get(&comment.parent?).copied().filter(|&parent| parent < i))
            .collect();
        let is_shown = find_shown(comments, &parents);

        let mut thread = Thread {
            comments,
            likes,
            roots: Vec::new(),
            children: vec![Vec::new(); comments.len()],
            parents,
            is_detached: vec![false; comments.len()],
        };
        // For each comment: its depth, and the comment that it is shown below.
        let mut positions: Vec<(usize, Option<usize>)> = Vec::with_capacity(comments.len());
        for (i, &is_shown) in is_shown.iter().enumerate() {
            let (depth, above) = match thread.parents[i] {
                None => (0, None),
                Some(parent) if positions[parent].0 < DEPTH_MAX => {
                    (positions[parent].0 + 1, Some(parent))
                }
                Some(parent) => positions[parent],
            };
            positions.push((depth, above));
            thread.is_detached[i] = above.is_none() || above != thread.parents[i];
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
                "<article class=\"comment gone\"><p class=\"meta\">Deleted {}</p></article>",
                Time(comment)
            ),
        );
    }
    if !thread.children[index].is_empty() {
        out.push_str("<ol class=\"answers\" role=\"list\">");
        for &child in &thread.children[index] {
            push_item(out, thread, child);
        }
        out.push_str("</ol>");
    }
    out.push_str("</li>");
}

fn push_article(out: &mut String, thread: &Thread, index: usize) {
    let comment = &thread.comments[index];
    out.push_str("<article class=\"comment\">");
    avatar(out, comment.author.as_deref());
    put(
        out,
        format_args!(
            "<p class=\"meta\"><bdi class=\"name\">{}</bdi> {}",
            Escaped(comment.name.as_deref().filter(|name| !name.is_empty()).unwrap_or("Anonymous")),
            Time(comment)
        ),
    );
    if comment.edited_at.is_some() {
        out.push_str(" <span class=\"edited\">edited</span>");
    }
    if let (Some(parent), true) = (comment.parent, thread.is_detached[index]) {
        let name = thread.parents[index]
            .map(|parent| thread.comments[parent].name.as_deref().unwrap_or("Anonymous"));
        put(
            out,
            format_args!(
                " <a class=\"to\" href=\"#sayso-{parent}\">to <bdi>{}</bdi></a>",
                Escaped(name.unwrap_or("an older comment"))
            ),
        );
    }
    match &comment.html {
        Some(html) => put(out, format_args!("</p><div class=\"text\" dir=\"auto\">{html}</div>")),
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

/// Displays the time of a comment as a link to the comment.
struct Time<'a>(&'a Comment);

impl fmt::Display for Time<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = &self.0.created_at;
        write!(
            f,
            "<a class=\"when\" href=\"#sayso-{}\"><time datetime=\"{}\">",
            self.0.id,
            Escaped(at)
        )?;
        match split_time(at) {
            Some((date, month, year, clock)) => write!(f, "{date} {month} {year}, {clock} UTC")?,
            None => write!(f, "{}", Escaped(at))?,
        }
        f.write_str("</time></a>")
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
