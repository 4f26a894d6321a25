//! The arguments of the commands that moderate: which flags and operands each takes, and what their values mean.
//!
//! Opens no file, and asks nobody.

use serde::Serialize;

use crate::{
    cli::args::Args,
    cli::config,
    cli::control::Place,
    cli::listing::{self, Filter},
    cli::values::{self, author, choice, number},
    error::Error,
    http::query::encode,
    limits::BAN_SECONDS_MAX,
    util::text::{is_false, parse_decimal},
};

/// The flags that all of these commands take.
const PLACE_FLAGS: [&str; 3] = ["data", "server", "admin-token-file"];

/// What one of the commands does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Lists comments.
    List(Filter),
    /// Changes comments, one after the other.
    Change(Change, Vec<u64>, Option<String>),
    /// Approves what a repair has hidden.
    ApproveRepaired,
    /// Bans.
    Ban(Ban),
    /// Lifts a ban of an author or an address; with `true`, what the ban has hidden becomes public again.
    Unban(String, bool),
    /// Closes a page to posts, or opens it again.
    Lock(String, bool),
    /// Makes the comments of a page live at another one.
    Rename(Rename),
}

/// The body of `POST /api/admin/moves`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rename {
    /// Where the comments live.
    pub page: String,
    /// Where they are to live.
    pub to: String,
    /// Whether both are only what the names of pages begin with.
    #[serde(skip_serializing_if = "is_false")]
    pub prefix: bool,
}

/// What becomes of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Everybody may see it.
    Approve,
    /// Only moderators may see it, for now.
    Hide,
    /// It is gone for good.
    Delete,
}

/// The body of `POST /api/admin/bans`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Ban {
    /// The comment whose author is banned, unless `author` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<u64>,
    /// The author who is banned, unless `comment` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Whether the address is banned, too.
    #[serde(skip_serializing_if = "is_false")]
    pub address: bool,
    /// Whether what they write is only held.
    #[serde(skip_serializing_if = "is_false")]
    pub hold: bool,
    /// Whether all of their comments are hidden.
    #[serde(skip_serializing_if = "is_false")]
    pub hide: bool,
    /// For how long; `None` means for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

/// Parses the arguments of the command `name`.
///
/// # Errors
/// [`Error::Usage`] with a message that says what to write instead.
pub fn parse(name: &str, args: &Args) -> Result<(Place, Action), Error> {
    let taken: &[&str] = match name {
        "comments" => &["status", "page", "author", "limit", "json"],
        "approve" => &["repaired"],
        "hide" | "delete" => &["reason"],
        "ban" => &["comment", "author", "address", "hide", "hold", "for"],
        "unban" => &["restore"],
        "rename" => &["prefix"],
        _ => &[],
    };
    let is_taken = |flag: &str| PLACE_FLAGS.contains(&flag) || taken.contains(&flag);
    if let Some(flag) = args.flags().find(|flag| !is_taken(flag)) {
        let taken: Vec<String> =
            taken.iter().chain(&PLACE_FLAGS).map(|flag| format!("--{flag}")).collect();
        let taken = taken.join(" ");
        return Err(usage(format!("sayso {name} does not take --{flag}, only {taken}")));
    }
    let action = match name {
        "comments" => Action::List(parse_filter(args)?),
        "approve" if args.has("repaired") => match args.operands() {
            [] => Action::ApproveRepaired,
            _ => return Err(usage("write sayso approve --repaired, or sayso approve ID")),
        },
        "approve" => Action::Change(Change::Approve, parse_ids(name, args)?, None),
        "hide" => Action::Change(Change::Hide, parse_ids(name, args)?, parse_reason(args)?),
        "delete" => Action::Change(Change::Delete, parse_ids(name, args)?, parse_reason(args)?),
        "ban" => Action::Ban(parse_ban(args)?),
        "unban" => match args.operands() {
            [key] => Action::Unban(parse_key(key)?, args.has("restore")),
            _ => return Err(usage("write sayso unban AUTHOR, or the hash of an address")),
        },
        "rename" => match args.operands() {
            [page, to] => Action::Rename(Rename {
                page: page.clone(),
                to: to.clone(),
                prefix: args.has("prefix"),
            }),
            _ => return Err(usage("write sayso rename OLD NEW, in quotes if they have spaces")),
        },
        _ => match args.operands() {
            [page] => Action::Lock(page.clone(), name == "lock"),
            _ => return Err(usage(format!("write sayso {name} PAGE, in quotes if it has spaces"))),
        },
    };
    Ok((parse_place(args)?, action))
}

fn parse_place(args: &Args) -> Result<Place, Error> {
    let is_given = |flag| args.flags().any(|given| given == flag);
    let Some(server) = args.value("server").filter(|_| !is_given("data")) else {
        return match is_given("admin-token-file") || is_given("server") {
            true => {
                Err(usage("--server URL and --admin-token-file FILE go together, without --data"))
            }
            false => Ok(Place::Folder(config::data(args))),
        };
    };
    let Some(file) = args.value("admin-token-file") else {
        return Err(usage("--server takes a moderator's token; add --admin-token-file FILE"));
    };
    Ok(Place::Server { url: server.parse(values::public_url)?, token_file: file.text.into() })
}

fn parse_filter(args: &Args) -> Result<Filter, Error> {
    let mut query = String::new();
    let parsers: [(&str, ParseText); 3] =
        [("status", comment_status), ("page", values::page_prefix), ("author", author)];
    for (name, parse) in parsers {
        if let Some(value) = text(args, name, parse)? {
            query.push_str(&format!("&{name}={}", encode(&value)));
        }
    }
    let limit = args.given("limit").map(|value| value.parse(listed)).transpose()?;
    Ok(Filter {
        query,
        limit: limit.unwrap_or(listing::COMMENTS_DEFAULT),
        is_json: args.has("json"),
    })
}

fn parse_ids(name: &str, args: &Args) -> Result<Vec<u64>, Error> {
    if args.operands().is_empty() {
        let repaired = if name == "approve" { ", or sayso approve --repaired" } else { "" };
        return Err(usage(format!(
            "write sayso {name} ID, with the number of one comment or several{repaired}"
        )));
    }
    let parse = |id: &String| comment_id(id).map_err(|why| usage(format!("ID is {id:?}, {why}")));
    args.operands().iter().map(parse).collect()
}

/// Accepts the text of a flag, and may say what is wrong with it.
type ParseText = fn(&str) -> Result<String, String>;

/// The text of a flag, if it is given.
fn text(args: &Args, flag: &str, parse: ParseText) -> Result<Option<String>, Error> {
    args.given(flag).map(|value| value.parse(parse)).transpose()
}

fn parse_reason(args: &Args) -> Result<Option<String>, Error> {
    text(args, "reason", |text| Ok(text.to_owned()))
}

fn parse_key(key: &str) -> Result<String, Error> {
    author(key).map_err(|why| usage(format!("AUTHOR is {key:?}, {why}")))
}

fn parse_ban(args: &Args) -> Result<Ban, Error> {
    let comment = args.given("comment").map(|value| value.parse(comment_id)).transpose()?;
    let author = text(args, "author", author)?;
    let (address, hold, hide) = (args.has("address"), args.has("hold"), args.has("hide"));
    if comment.is_some() == author.is_some() {
        return Err(usage("write sayso ban --comment ID, or sayso ban --author AUTHOR"));
    }
    if address && comment.is_none() {
        return Err(usage("--address is that of a comment; write --comment ID"));
    }
    let Some(length) = args.given("for") else {
        return Err(usage("sayso ban has no end; add --for 7d, or --for ever"));
    };
    Ok(Ban { comment, author, address, hold, hide, seconds: length.parse(period)? })
}

fn usage(why: impl Into<String>) -> Error {
    Error::Usage(why.into())
}

/// Parses how many comments are listed.
fn listed(text: &str) -> Result<usize, String> {
    number(text, listing::LISTED_MAX as u32).map(|count| count as usize)
}

/// Accepts what moderators call a comment's state.
fn comment_status(text: &str) -> Result<String, String> {
    let known = ["pending", "hidden", "public", "flagged", "deleted"];
    choice(text, &known.map(|name| (name, true))).map(|_| text.to_owned())
}

/// Parses the number of a comment.
fn comment_id(text: &str) -> Result<u64, String> {
    let id = parse_decimal(text).filter(|id| *id > 0);
    id.ok_or_else(|| "but must be the number of a comment".into())
}

/// Parses `ever`, which is `None`, or a number of seconds, minutes, hours, days or weeks.
fn period(text: &str) -> Result<Option<u64>, String> {
    if text == "ever" {
        return Ok(None);
    }
    let units = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 7 * 86_400)];
    let seconds = units.iter().find_map(|(unit, seconds)| {
        let count: u64 = parse_decimal(text.strip_suffix(*unit)?)?;
        count.checked_mul(*seconds).filter(|seconds| (1..=BAN_SECONDS_MAX).contains(seconds))
    });
    seconds.map(Some).ok_or_else(|| {
        let days = BAN_SECONDS_MAX / 86_400;
        format!("but must be ever, or such as 30m, 12h, 7d or 4w, at most {days}d")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_number_and_a_unit_up_to_its_limit() {
        for (text, seconds) in [
            ("1s", 1),
            ("30m", 1_800),
            ("12h", 43_200),
            ("7d", 604_800),
            ("4w", 2_419_200),
            ("36500d", BAN_SECONDS_MAX),
        ] {
            assert_eq!(period(text), Ok(Some(seconds)), "{text}");
        }
        assert_eq!(period("ever"), Ok(None));
        for text in ["", "7", "d", "0d", "-1d", "+1d", "1.5h", "7 d", "7D", "36501d", "3153600001s"]
        {
            assert!(period(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_and_names_are_accepted_up_to_their_limits() {
        assert_eq!((listed("1"), listed("1000000")), (Ok(1), Ok(1_000_000)));
        assert!(listed("0").is_err() && listed("1000001").is_err());
        assert_eq!(comment_id("18446744073709551615"), Ok(u64::MAX));
        assert!(comment_id("0").is_err() && comment_id("18446744073709551616").is_err());
        let name = "-_3vEjRWeJCrze8SNFZ4kA";
        assert_eq!(author(name), Ok(name.into()));
        for text in [&name[1..], "-_3vEjRWeJCrze8SNFZ4kA=", "../comments/1?aaaaaaaa", ""] {
            assert!(author(text).is_err(), "{text}");
        }
    }
}
