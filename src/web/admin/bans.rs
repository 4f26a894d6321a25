//! `GET` and `POST /api/admin/bans`, `DELETE /api/admin/bans/KEY`: who is banned, and what a ban hides.
//!
//! Knows no other path.

use std::{mem, sync::Arc};

use serde::Serialize;

use super::{
    super::{
        Reply, Router,
        bodies::to_json,
        parameters::{VALUE_ECHO_CHARS, check_method, parse_query},
    },
    Body,
    comments::{ANSWER_BYTES_MAX, Filter, parse_author},
    search::Search,
};
use crate::{
    comment::rejection::Rejection,
    comment::{Author, Comment, did::Did},
    http::response::Response,
    hub::bans::HIDDEN_AT_ONCE_MAX,
    hub::command::{Edge, Operation, Query},
    hub::measure::{BanRequest, Measure, Wanted, Whom},
    limits::BAN_SECONDS_MAX,
    store::moderation::line::ModerationLine,
    store::moderation::{BanKey, parse_address},
    util::activity,
    util::json::{self, Slot},
    util::text::{is_false, shorten},
    web::request::{Request, ResponseExt},
};

/// A ban as moderators see it.
#[derive(Serialize)]
pub(super) struct ShownBan {
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    hold: bool,
    until: Option<String>,
    by: Option<String>,
    created_at: String,
}

impl ShownBan {
    pub(super) fn of(line: ModerationLine) -> ShownBan {
        let ModerationLine { author, address, hold, until, by, created_at, .. } = line;
        ShownBan { author, address, hold, until, by, created_at }
    }
}

#[derive(Serialize)]
struct Bans {
    bans: Vec<ShownBan>,
    more: bool,
}

/// What the hub answers to a ban, to its end, and to what follows from either.
#[derive(Default)]
struct Done {
    bans: Vec<ShownBan>,
    hidden: Vec<u64>,
    restored: Vec<u64>,
}

#[derive(Serialize)]
struct Banned {
    bans: Vec<ShownBan>,
    hidden: Vec<u64>,
    #[serde(skip_serializing_if = "is_false")]
    more: bool,
}

#[derive(Serialize)]
struct Unbanned {
    restored: Vec<u64>,
    #[serde(skip_serializing_if = "is_false")]
    more: bool,
}

impl Router {
    pub(super) fn list_bans(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        self.require_moderator(request)?;
        let asked = request.clone();
        self.search(
            &self.admin.searches,
            request,
            Box::new(move |search| {
                let lines = search.ask(Query::Bans)?;
                let mut bytes = 0;
                let mut bans = Bans { bans: Vec::new(), more: false };
                for line in search.read(lines)?.into_iter().flatten() {
                    bytes += line.len();
                    if bytes > ANSWER_BYTES_MAX {
                        bans.more = true;
                        break;
                    }
                    show(&line, &mut bans.bans);
                }
                Ok(Response::json(200, to_json(&bans)).compressed(&asked))
            }),
        )
    }

    pub(super) fn ban(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        let name = self.require_moderator(request)?;
        let new = Body::parse(request)?;
        let whom = match (&new.author, new.comment) {
            (Some(author), None) => Whom::Author(parse_author(author)?),
            (None, Some(id)) => Whom::Comment(id),
            _ => {
                let why = "a ban needs either author or comment";
                return Err(Rejection::Malformed(why.into()).into());
            }
        };
        if new.address && new.comment.is_none() {
            let why = "address needs comment, from which it is known";
            return Err(Rejection::Malformed(why.into()).into());
        }
        if let Some(seconds) = new.seconds.filter(|s| !(1..=BAN_SECONDS_MAX).contains(s)) {
            let (name, value) = ("seconds", seconds.to_string());
            let allowed = "a number from 1 to 3153600000";
            return Err(Rejection::BadParameter { name, value, allowed }.into());
        }
        let client = request.client();
        self.search(
            &self.admin.searches,
            request,
            Box::new(move |search| {
                let done = ban(search, &new, whom, &name)?;
                let what = if new.hold { "holds what somebody writes" } else { "banned somebody" };
                activity::measured(&name, what, client);
                Ok(Response::json(201, to_json(&done)))
            }),
        )
    }

    pub(super) fn unban(
        self: &Arc<Router>,
        key: &str,
        request: &Arc<Request>,
    ) -> Result<Reply, Response> {
        check_method(request, &["DELETE"])?;
        let name = self.require_moderator(request)?;
        let restores = match parse_query(request)?.get("restore") {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                let value = shorten(other, VALUE_ECHO_CHARS);
                let (name, allowed) = ("restore", "true or false");
                return Err(Rejection::BadParameter { name, value, allowed }.into());
            }
        };
        let (key, client) = (key.to_owned(), request.client());
        self.search(
            &self.admin.searches,
            request,
            Box::new(move |search| {
                let done = unban(search, &key, restores, &name)?;
                activity::measured(&name, "ended a ban", client);
                Ok(Response::json(200, to_json(&done)))
            }),
        )
    }
}

/// Appends the ban that a line is.
fn show(line: &[u8], bans: &mut Vec<ShownBan>) {
    bans.extend(ModerationLine::parse(line).ok().map(ShownBan::of));
}

/// Has the hub do something, and parses its answer.
fn carry_out(search: &Search, measure: Measure, by: &Arc<str>) -> Result<Done, Response> {
    let written = search.write(Operation::Moderate(measure, by.clone()))?;
    let (mut done, mut bans) = (Done::default(), Vec::new());
    let mut fields = [
        ("bans", Slot::List(&mut bans)),
        ("hidden", Slot::Numbers(&mut done.hidden)),
        ("restored", Slot::Numbers(&mut done.restored)),
    ];
    json::read(&written.line, 0, &mut fields).expect("the hub answers an object");
    for ban in bans {
        show(ban.get().as_bytes(), &mut done.bans);
    }
    Ok(done)
}

/// Bans somebody, and hides what they wrote: most of it with the ban in one step, and what they have written meanwhile or what is too much
/// for that afterwards.
fn ban(mut search: Search, new: &Body, whom: Whom, by: &Arc<str>) -> Result<Banned, Response> {
    let author = match whom {
        Whom::Author(author) => Some(author),
        Whom::Comment(id) if new.hide => author_of(&mut search, id)?,
        Whom::Comment(_) => None,
    };
    let hides = author.filter(|_| new.hide);
    let (mut ids, more) = match hides {
        Some(author) => written_by(&mut search, author, None)?,
        None => (Vec::new(), false),
    };
    let newest = ids.first().copied().unwrap_or(0);
    let rest = ids.split_off(ids.len().min(HIDDEN_AT_ONCE_MAX));
    let request = BanRequest {
        whom,
        with_address: new.address,
        hold: new.hold,
        hide: new.hide.then_some(ids),
        seconds: new.seconds,
    };
    let mut done = carry_out(&search, Measure::Ban(request), by)?;
    if let Some(author) = hides {
        let (mut late, _) = written_by(&mut search, author, Some(newest))?;
        late.extend(rest);
        for chunk in late.chunks(HIDDEN_AT_ONCE_MAX) {
            let late = carry_out(&search, Measure::Hide(author, chunk.to_vec()), by)?;
            done.hidden.extend_from_slice(&late.hidden);
        }
    }
    Ok(Banned { bans: done.bans, hidden: done.hidden, more })
}

/// The author of a comment.
fn author_of(search: &mut Search, id: u64) -> Result<Option<Author>, Response> {
    let mut author = None;
    search.run(Wanted::Id(id), None, Edge::Before(None), &mut |hit| {
        let comment = Comment::parse(hit.line).ok();
        author = comment.and_then(|comment| Author::parse(comment.author.as_deref()?));
        true
    })?;
    Ok(author)
}

/// The author's comments that a ban hides, newest first, and whether there may be more. With `after`, only those behind that id.
fn written_by(
    search: &mut Search,
    author: Author,
    after: Option<u64>,
) -> Result<(Vec<u64>, bool), Response> {
    let filter = Filter::by(author);
    let mut ids = Vec::new();
    for wanted in [Wanted::Public, Wanted::Pending] {
        let searched = search.run(wanted, None, Edge::Before(None), &mut |hit| {
            if after.is_some_and(|after| hit.item.id <= after) {
                return false;
            }
            if filter.matches(&hit) {
                ids.push(hit.item.id);
            }
            true
        })?;
        if searched.next.is_some() && after.is_none() {
            return Ok((ids, true));
        }
    }
    ids.sort_unstable();
    ids.reverse();
    Ok((ids, false))
}

/// Ends a ban; with `restores`, shows again what it has hidden: the author's comments that any ban has hidden, and those of others that were
/// hidden in the same step.
fn unban(
    mut search: Search,
    key: &str,
    restores: bool,
    by: &Arc<str>,
) -> Result<Unbanned, Response> {
    let (key, created_at) = find_ban(&search, key)?;
    let (mut ids, mut more) = (Vec::new(), false);
    if restores {
        let filter = match key {
            BanKey::Author(author) => Some(Filter::by(author)),
            BanKey::Address(_) => None,
        };
        let searched = search.run(Wanted::Hidden, None, Edge::Before(None), &mut |hit| {
            let note = hit.note.as_deref().and_then(|note| ModerationLine::parse(note).ok());
            let is_bans = |note: &ModerationLine| {
                note.did == Some(Did::Hide) && note.why.as_deref() == Some("ban")
            };
            let is_wanted = note.filter(is_bans).is_some_and(|note| {
                note.created_at == created_at
                    || filter.as_ref().is_some_and(|filter| filter.matches(&hit))
            });
            if is_wanted {
                ids.push(hit.item.id);
            }
            true
        })?;
        more = searched.next.is_some();
    }
    let rest = ids.split_off(ids.len().min(HIDDEN_AT_ONCE_MAX));
    let mut done = carry_out(&search, Measure::Unban { key, restore: ids }, by)?;
    for chunk in rest.chunks(HIDDEN_AT_ONCE_MAX) {
        let rest = carry_out(&search, Measure::Restore(chunk.to_vec()), by)?;
        done.restored.extend_from_slice(&rest.restored);
    }
    Ok(Unbanned { restored: done.restored, more })
}

/// The ban in force that `key` names, an author or the hash of an address, and when it was made. Both look alike.
fn find_ban(search: &Search, key: &str) -> Result<(BanKey, String), Response> {
    let author = Author::parse(key).map(BanKey::Author);
    let address = parse_address(key).map(BanKey::Address);
    for key in author.into_iter().chain(address) {
        let said = search.ask(|answer| Query::Whom(key, answer))?;
        let lines = search.read(said)?;
        if let Some(Some(line)) = lines.first()
            && let Ok(mut line) = ModerationLine::parse(line)
        {
            return Ok((key, mem::take(&mut line.created_at)));
        }
    }
    Err(Rejection::UnknownBan(shorten(key, VALUE_ECHO_CHARS)).into())
}
