//! `sayso comments`: lists comments as a moderator sees them, newest first, for people or as JSON lines.
//!
//! Changes nothing.

use std::fmt;

use crate::{
    cli::control::{Api, Printable, parse, unknown},
    cli::stdout,
    comment::did::Did,
    comment::{Comment, Status},
    error::Error,
    limits::HISTORY_LINES_MAX,
    store::moderation::line::ModerationLine,
};

/// How many comments are listed without `--limit`.
pub const COMMENTS_DEFAULT: usize = 50;
/// The highest `--limit`: a list that is longer than anybody reads.
pub const LISTED_MAX: usize = 1_000_000;

/// Which comments are listed, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// What selects them: parts of a query, each behind `&`.
    pub query: String,
    /// At most so many.
    pub limit: usize,
    /// Whether each is printed as the server's JSON line.
    pub is_json: bool,
}

/// A comment as it is shown to people.
struct Shown {
    comment: Comment,
    /// The newest note about it.
    note: Option<ModerationLine>,
    /// How many flags nobody has looked at.
    flags: Option<String>,
}

impl Shown {
    fn parse(line: &str) -> Result<Shown, Error> {
        let json = line.as_bytes();
        let answer = parse(json)?;
        let note = match answer.note {
            Some(note) => Some(ModerationLine::parse(note.get().as_bytes()).map_err(unknown)?),
            None => None,
        };
        let comment = Comment::parse(json).map_err(unknown)?;
        Ok(Shown { comment, note, flags: answer.flags.map(|flags| flags.get().to_owned()) })
    }
}

/// Prints the comments that the filter lets through.
///
/// # Errors
/// The server's sentence, or whatever keeps it from being asked.
pub fn print(api: &Api, filter: &Filter) -> Result<(), Error> {
    let more = read(api, filter, &mut |line| match filter.is_json {
        true => stdout::line(format_args!("{line}")),
        false => stdout::line(format_args!("{}", Shown::parse(line)?)),
    })?;
    if more && filter.limit < LISTED_MAX {
        let limit = (filter.limit * 10).min(LISTED_MAX);
        eprintln!("sayso: there are more; --limit {limit} lists them, too");
    }
    Ok(())
}

/// The id and `seq` of each comment that is hidden because of a repair.
pub(super) fn repaired(api: &Api) -> Result<Vec<(u64, Option<u64>)>, Error> {
    let filter = Filter { query: "&status=hidden".into(), limit: usize::MAX, is_json: true };
    let mut found = Vec::new();
    read(api, &filter, &mut |line| {
        let shown = Shown::parse(line)?;
        if shown.note.as_ref().is_some_and(|note| note.why.as_deref() == Some("repair")) {
            found.push((shown.comment.id, Some(shown.comment.seq)));
        }
        Ok(())
    })?;
    Ok(found)
}

/// Hands on each line, and returns whether there are more than the limit.
fn read(
    api: &Api,
    filter: &Filter,
    each: &mut dyn FnMut(&str) -> Result<(), Error>,
) -> Result<bool, Error> {
    let (mut left, mut before) = (filter.limit, String::new());
    loop {
        let count = left.min(HISTORY_LINES_MAX);
        let target = format!("/api/admin/comments?limit={count}{}{before}", filter.query);
        let body = api.ask("GET", &target, "")?;
        let part = parse(&body)?;
        for line in part.comments.iter().take(left) {
            each(line.get())?;
        }
        left = left.saturating_sub(part.comments.len());
        let next = part.before.map(|id| format!("&before={id}"));
        match next {
            // Without progress it would go on for ever.
            Some(next) if left > 0 && next != before => before = next,
            next => return Ok(next.is_some()),
        }
    }
}

impl fmt::Display for Shown {
    /// A line of facts, and the text below it, indented.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown { comment, note, flags } = self;
        let time = |text: &str| text.get(..19).unwrap_or(text).replace('T', " ");
        let did = |did| note.as_ref().is_some_and(|note| note.did == Some(did));
        let status = match comment.status {
            _ if comment.deleted => "deleted",
            Status::Public => "public",
            // It was public until an edit that somebody must look at.
            Status::Hidden if did(Did::Hold) => "pending",
            Status::Hidden => "hidden",
            // Nobody has ever seen it, and nobody will.
            Status::Pending if did(Did::Hide) => "rejected",
            Status::Pending => "pending",
        };
        write!(f, "{}  {}  {status}", comment.id, Printable(&time(&comment.created_at)))?;
        let mut reasons: Vec<&str> = Vec::new();
        if let Some(ModerationLine { why, reason, by, .. }) = note {
            for said in [why, reason, by] {
                reasons.extend(said.as_deref());
            }
        }
        if !reasons.is_empty() {
            write!(f, " ({})", Printable(&reasons.join(", ")))?;
        }
        if comment.pinned {
            f.write_str("  pinned")?;
        }
        if let Some(parent) = comment.parent {
            write!(f, "  answers {parent}")?;
        }
        for (word, text) in [
            ("flags", flags.as_ref()),
            ("on", Some(&comment.page)),
            ("by", comment.name.as_ref()),
            ("moderator", comment.moderator.as_ref()),
            ("author", comment.author.as_ref()),
            ("edited", comment.edited_at.as_ref().map(|text| time(text)).as_ref()),
        ] {
            if let Some(text) = text {
                write!(f, "  {word} {}", Printable(text))?;
            }
        }
        comment.content.lines().try_for_each(|line| write!(f, "\n    {}", Printable(line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str) -> String {
        Shown::parse(json).unwrap().to_string()
    }

    #[test]
    fn a_comment_is_a_line_of_facts_and_its_text() {
        let json = r#"{"seq":9,"id":3,"page":"/a b","parent":1,"name":"Ada","author":"q83vEjRWeJCrze8SNFZ4kA",
            "content":"one\ntwo","created_at":"2026-11-22T05:08:00.001Z","nonce":"x","status":"pending",
            "note":{"did":"hold","why":"word: casino","created_at":"2026-11-22T05:08:00.001Z"},"flags":2}"#;
        assert_eq!(
            shown(json),
            "3  2026-11-22 05:08:00  pending (word: casino)  answers 1  flags 2  on /a b  by Ada  \
             author q83vEjRWeJCrze8SNFZ4kA\n    one\n    two"
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
