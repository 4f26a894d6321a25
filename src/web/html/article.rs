//! Renders one comment, and the times in it.
//!
//! Pure. `static/widget/view.js` and `moderation.js` draw the same.

use std::fmt;

use super::avatar::avatar;
use super::namesake::namesake;
use super::put;
use super::thread::{Addressed, Thread};
use crate::comment::Comment;
use crate::util::html::Escaped;

/// How much of a pseudonym tells it from a moderator's name.
const PSEUDONYM_CHARS: usize = 6;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Appends a comment that everyone may see.
pub(super) fn push_article(out: &mut String, thread: &Thread, index: usize) {
    let comment = thread.comments[index];
    let name = name_of(comment).unwrap_or_default();
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
            "<p class=\"meta\"><bdi class=\"name\">{shown_name}</bdi>{} {}",
            Marks { comment, moderators: thread.view.moderators },
            Time { id: comment.id, at }
        ),
    );
    if comment.mod_edited {
        out.push_str(" <span class=\"edited\">edited by a moderator</span>");
    } else if comment.edited_at.is_some() {
        out.push_str(" <span class=\"edited\">edited</span>");
    }
    let class = match thread.addressed[index] {
        Addressed::Never => None,
        Addressed::Narrow => Some("near-to"),
        Addressed::Always => Some("to"),
    };
    if let (Some(parent), Some(class)) = (comment.parent, class) {
        let name = thread.parents[index]
            .map(|parent| name_of(thread.comments[parent]).unwrap_or("Anonymous"));
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

fn name_of(comment: &Comment) -> Option<&str> {
    comment.name.as_deref().or(comment.moderator.as_deref())
}

/// Displays what stands behind a name: whether the site has written it, or else whose it is if the name is a moderator's; and whether
/// it is pinned.
struct Marks<'a> {
    comment: &'a Comment,
    moderators: &'a [String],
}

impl fmt::Display for Marks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Comment { moderator, name, author, pinned, verified, .. } = self.comment;
        let is_borrowed = |name: &String| {
            !self.moderators.is_empty() && self.moderators.contains(&namesake(name))
        };
        if moderator.is_some() {
            f.write_str(" <span class=\"mark author\">Author</span>")?;
        } else if name.as_ref().is_some_and(is_borrowed) {
            let start = author.as_deref().and_then(|author| author.get(..PSEUDONYM_CHARS));
            let (sign, start) = start.map_or(("", "Anonymous"), |start| ("#", start));
            write!(f, " <span class=\"alias\" dir=\"ltr\">{sign}{}</span>", Escaped(start))?;
        }
        if *verified {
            let mark = " <span class=\"mark verified\" title=\"Verified\"><span aria-hidden=\"true\">✓</span><span class=\"unseen\">Verified</span></span>";
            f.write_str(mark)?;
        }
        if *pinned {
            f.write_str(" <span class=\"mark pinned\">Pinned</span>")?;
        }
        Ok(())
    }
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
pub(super) struct Time<'a> {
    pub(super) id: u64,
    pub(super) at: &'a str,
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
