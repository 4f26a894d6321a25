//! The commands that moderate, from `sayso comments` to `sayso unlock`: carries them out through the HTTP API of moderators.
//!
//! Does not know whether a server runs: [`control`](crate::cli::control) does.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    cli::control::{Api, Place, Printable, parse, success, unknown},
    cli::listing,
    cli::moderation_args::{Action, Ban, Change, Rename},
    cli::stdout,
    error::Error,
    store::moderation::line::ModerationLine,
    util::json::{self, Slot},
    util::logger,
    util::text::counted,
    web::bodies,
};

/// The body of `PATCH` and `DELETE /api/comments/ID`.
#[derive(Serialize)]
struct ChangeBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<u64>,
}

/// The body of `PATCH /api/admin/pages`.
#[derive(Serialize)]
struct LockBody<'a> {
    page: &'a str,
    locked: bool,
}

/// Carries out a command.
///
/// # Errors
/// The server's sentence, or whatever keeps it from being asked.
pub fn run(place: &Place, action: &Action) -> Result<(), Error> {
    // What opening a log warns of, and a token that others may read.
    logger::init(log::LevelFilter::Warn).map_err(|error| Error::Other(error.to_string()))?;
    let api = Api::open(place, !matches!(action, Action::List(_)))?;
    let outcome = match action {
        Action::List(filter) => listing::print(&api, filter),
        Action::Change(change, ids, reason) => {
            let ids = ids.iter().map(|id| (*id, None));
            change_all(&api, *change, ids.collect(), reason.as_deref())
        }
        Action::ApproveRepaired => approve_repaired(&api),
        Action::Ban(ban) => start_ban(&api, ban),
        Action::Unban(key, restore) => end_ban(&api, key, *restore),
        Action::Lock(page, locked) => lock(&api, page, *locked),
        Action::Rename(asked) => rename(&api, asked),
    };
    api.close();
    outcome
}

/// Changes each of these comments, also behind one that can't be changed. With a `seq`, only if no newer line of it is there.
fn change_all(
    api: &Api,
    change: Change,
    comments: Vec<(u64, Option<u64>)>,
    reason: Option<&str>,
) -> Result<(), Error> {
    let (method, status, done) = match change {
        Change::Approve => ("PATCH", Some("public"), "public now"),
        Change::Hide => ("PATCH", Some("hidden"), "hidden now"),
        Change::Delete => ("DELETE", None, "deleted"),
    };
    let mut failed = 0;
    for (id, seen) in &comments {
        let body = ChangeBody { status, reason, seen: *seen };
        let is_empty = method == "DELETE" && reason.is_none();
        let body = if is_empty { String::new() } else { to_json(&body) };
        let response = api.call(method, &format!("/api/comments/{id}"), &body)?;
        match success(response) {
            Ok(_) => stdout::line(format_args!("comment {id} is {done}"))?,
            Err(error) if comments.len() == 1 => return Err(error),
            Err(error) => {
                eprintln!("sayso: comment {id}: {error}");
                failed += 1;
            }
        }
    }
    match failed {
        0 => Ok(()),
        _ => Err(Error::Other(format!(
            "{failed} of {} were not changed",
            counted(comments.len(), "comment")
        ))),
    }
}

fn approve_repaired(api: &Api) -> Result<(), Error> {
    let comments = listing::repaired(api)?;
    if comments.is_empty() {
        return stdout::line(format_args!("no comment is hidden by a repair"));
    }
    change_all(api, Change::Approve, comments, None)
}

fn start_ban(api: &Api, ban: &Ban) -> Result<(), Error> {
    let body = api.ask("POST", "/api/admin/bans", &to_json(ban))?;
    let answer = parse(&body)?;
    for ban in &answer.bans {
        let ban = ModerationLine::parse(ban.get().as_bytes()).map_err(unknown)?;
        let kind = if ban.author.is_some() { "author" } else { "address" };
        let who = ban.author.as_deref().or(ban.address.as_deref()).unwrap_or_default();
        let until = ban.until.as_deref().unwrap_or_default();
        let what = if ban.hold { "held: all that they write waits" } else { "banned" };
        // A ban without an end ends in the year 9999.
        let end = match until.starts_with("9999") {
            true => "for ever".to_owned(),
            false => format!("until {}", Printable(until)),
        };
        stdout::line(format_args!("{kind} {} is {what}, {end}", Printable(who)))?;
    }
    print_ids("hidden", &answer.hidden)
}

fn end_ban(api: &Api, key: &str, restore: bool) -> Result<(), Error> {
    let query = if restore { "?restore=true" } else { "" };
    let body = api.ask("DELETE", &format!("/api/admin/bans/{key}{query}"), "")?;
    let answer = parse(&body)?;
    stdout::line(format_args!("{key} is not banned any more"))?;
    print_ids("restored", &answer.restored)
}

fn lock(api: &Api, page: &str, locked: bool) -> Result<(), Error> {
    api.ask("PATCH", "/api/admin/pages", &to_json(&LockBody { page, locked }))?;
    let state = if locked { "locked" } else { "open" };
    stdout::line(format_args!("page {page:?} is {state} now"))
}

fn rename(api: &Api, asked: &Rename) -> Result<(), Error> {
    let mut count = 0;
    loop {
        let body = api.ask("POST", "/api/admin/moves", &to_json(asked))?;
        let answer = parse(&body)?;
        count += answer.moved.len();
        for moved in &answer.moved {
            let (mut page, mut to, mut comments) = (String::new(), String::new(), 0);
            let mut fields = [
                ("page", Slot::Text(&mut page)),
                ("to", Slot::Text(&mut to)),
                ("comments", Slot::Number(&mut comments)),
            ];
            json::read(moved.get().as_bytes(), 3, &mut fields).map_err(unknown)?;
            let comments = counted(comments as usize, "comment");
            stdout::line(format_args!("page {page:?} lives at {to:?} now, with {comments}"))?;
        }
        match (&answer.refused, answer.more) {
            (Some(why), _) => return Err(Error::Other(Printable(why).to_string())),
            (None, true) => {}
            (None, false) => break,
        }
    }
    match (count, asked.prefix) {
        (0, true) => {
            stdout::line(format_args!("no page with comments begins with {:?}", asked.page))
        }
        (0, false) => stdout::line(format_args!(
            "page {:?} lives where {:?} does already",
            asked.page, asked.to
        )),
        _ => Ok(()),
    }
}

/// `1 comment is`, `2 comments are`.
pub(super) fn are(count: usize) -> String {
    format!("{} {}", counted(count, "comment"), if count == 1 { "is" } else { "are" })
}

/// Prints what has become of comments, if there are any.
fn print_ids(what: &str, ids: &[&RawValue]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut list = String::new();
    for id in ids {
        list.push(' ');
        list.push_str(id.get());
    }
    stdout::line(format_args!("{} {what}:{list}", are(ids.len())))
}

fn to_json(value: &impl Serialize) -> String {
    String::from_utf8(bodies::to_json(value)).expect("JSON is UTF-8")
}
