//! `sayso comments`: lists comments as a moderator sees them, newest first, for people or as JSON lines.
//!
//! Changes nothing.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    cli::control::{Api, Printable},
    cli::moderate::{from_json, query},
    cli::stdout,
    error::Error,
    limits::HISTORY_LINES_MAX,
};

/// How many comments are listed without `--limit`.
pub const COMMENTS_DEFAULT: usize = 50;

/// Which comments are listed, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Only with this status.
    pub status: Option<String>,
    /// Only on this page.
    pub page: Option<String>,
    /// Only by this author.
    pub author: Option<String>,
    /// At most so many.
    pub limit: usize,
    /// Whether each is printed as the server's JSON line.
    pub is_json: bool,
}

/// The answer to `GET /api/admin/comments`.
#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow)]
    comments: Vec<&'a RawValue>,
    more: bool,
    before: Option<u64>,
}

/// A line as moderators see it.
#[derive(Deserialize)]
struct Line {
    seq: u64,
    id: u64,
    page: String,
    parent: Option<u64>,
    name: Option<String>,
    author: Option<String>,
    #[serde(default)]
    content: String,
    created_at: String,
    edited_at: Option<String>,
    status: Option<String>,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    pinned: bool,
    r#mod: Option<String>,
    note: Option<Note>,
    #[serde(default)]
    flags: u64,
}

/// The newest note about a comment.
#[derive(Deserialize)]
struct Note {
    did: String,
    why: Option<String>,
    reason: Option<String>,
    by: Option<String>,
}

/// Prints the comments that the filter lets through.
///
/// # Errors
/// The server's sentence, or whatever keeps it from being asked.
pub fn print(api: &Api, filter: &Filter) -> Result<(), Error> {
    let more = read(api, filter, |line| match filter.is_json {
        true => stdout::line(format_args!("{}", line.get())),
        false => stdout::line(format_args!("{}", from_json::<Line>(line.get())?)),
    })?;
    if more {
        eprintln!("sayso: there are more; --limit {} lists them, too", filter.limit * 10);
    }
    Ok(())
}

/// The id and `seq` of each comment that is hidden because of a repair.
pub(super) fn repaired(api: &Api) -> Result<Vec<(u64, Option<u64>)>, Error> {
    let (status, limit) = (Some("hidden".to_owned()), usize::MAX);
    let filter = Filter { status, page: None, author: None, limit, is_json: true };
    let mut found = Vec::new();
    read(api, &filter, |line| {
        let Line { id, seq, note, .. } = from_json(line.get())?;
        if note.is_some_and(|note| note.did == "hide" && note.why.as_deref() == Some("repair")) {
            found.push((id, Some(seq)));
        }
        Ok(())
    })?;
    Ok(found)
}

/// Hands on each line, and returns whether there are more than the limit.
fn read(
    api: &Api,
    filter: &Filter,
    mut each: impl FnMut(&RawValue) -> Result<(), Error>,
) -> Result<bool, Error> {
    let Filter { status, page, author, limit, .. } = filter;
    let selected = query(&[
        ("status", status.as_deref()),
        ("page", page.as_deref()),
        ("author", author.as_deref()),
    ]);
    let (mut left, mut before) = (*limit, None::<u64>);
    loop {
        let from = before.map_or(String::new(), |id| format!("&before={id}"));
        let count = left.min(HISTORY_LINES_MAX);
        let target = format!("/api/admin/comments?limit={count}{selected}{from}");
        let body = api.call("GET", &target, "")?.success()?;
        let part: Part = from_json(&body)?;
        for line in part.comments.iter().take(left) {
            each(line)?;
        }
        left = left.saturating_sub(part.comments.len());
        // Without progress it would go on for ever.
        let next = part.before.filter(|next| before.is_none_or(|last| *next < last));
        match next.filter(|_| part.more) {
            Some(next) if left > 0 => before = Some(next),
            _ => return Ok(part.more),
        }
    }
}

impl fmt::Display for Line {
    /// A line of facts, and the text below it, indented.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |text: &str| text.get(..19).unwrap_or(text).replace('T', " ");
        let note = self.note.as_ref();
        let status = match (self.deleted, self.status.as_deref()) {
            (true, _) => "deleted",
            (_, None) => "public",
            // Nobody has ever seen it, and nobody will.
            (_, Some("pending")) if note.is_some_and(|note| note.did == "hide") => "rejected",
            (_, Some(status)) => status,
        };
        write!(f, "{}  {}  {}", self.id, Printable(&time(&self.created_at)), Printable(status))?;
        let reasons = note.into_iter().flat_map(|note| [&note.why, &note.reason, &note.by]);
        let reasons: Vec<&str> = reasons.flatten().map(String::as_str).collect();
        if !reasons.is_empty() {
            write!(f, " ({})", Printable(&reasons.join(", ")))?;
        }
        if self.flags > 0 {
            write!(f, "  flagged {} times", self.flags)?;
        }
        if self.pinned {
            f.write_str("  pinned")?;
        }
        write!(f, "  on {}", Printable(&self.page))?;
        if let Some(parent) = self.parent {
            write!(f, "  answers {parent}")?;
        }
        match (&self.r#mod, &self.name) {
            (Some(name), _) => write!(f, "  by moderator {}", Printable(name))?,
            (_, Some(name)) => write!(f, "  by {}", Printable(name))?,
            _ => {}
        }
        if let Some(author) = &self.author {
            write!(f, "  {}", Printable(author))?;
        }
        if let Some(edited) = &self.edited_at {
            write!(f, "  edited {}", Printable(&time(edited)))?;
        }
        self.content.lines().try_for_each(|line| write!(f, "\n    {}", Printable(line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str) -> String {
        from_json::<Line>(json).unwrap().to_string()
    }

    #[test]
    fn a_comment_is_a_line_of_facts_and_its_text() {
        let json = r#"{"seq":9,"id":3,"page":"/a b","parent":1,"name":"Ada","author":"q83vEjRWeJCrze8SNFZ4kA",
            "content":"one\ntwo","created_at":"2026-11-22T05:08:00.001Z","nonce":"x","status":"pending",
            "note":{"did":"hold","why":"word: casino","created_at":"2026-11-22T05:08:00.001Z"},"flags":2}"#;
        assert_eq!(
            shown(json),
            "3  2026-11-22 05:08:00  pending (word: casino)  flagged 2 times  on /a b  answers 1  by Ada  \
             q83vEjRWeJCrze8SNFZ4kA\n    one\n    two"
        );
        let rejected = json.replace("\"did\":\"hold\"", "\"did\":\"hide\"");
        assert!(shown(&rejected).contains("  rejected (word: casino)"));
    }

    #[test]
    fn a_comment_can_not_move_the_cursor_or_look_like_another() {
        let json = r#"{"seq":1,"id":1,"page":"/","name":"A\u001b[2J","content":"\u202ex\n2  2026\r3",
            "created_at":"2026-11-22T05:08:00.001Z"}"#;
        let shown = shown(json);
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\r']), "{shown:?}");
        assert!(shown.lines().skip(1).all(|line| line.starts_with("    ")), "{shown:?}");
    }
}
