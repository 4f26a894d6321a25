//! `PATCH` and `DELETE /api/comments/ID`: edits or deletes a comment, or changes who may see it.
//!
//! Knows no other path.

use std::{net::IpAddr, sync::Arc};

use super::{
    Reply, Router,
    moderators::{NotModerator, too_many},
    parameters::{VALUE_ECHO_CHARS, check_method, not_found},
    posts::parse_json,
};
use crate::{
    comment::draft::{ClientMessage, PlainText, author},
    comment::rejection::Rejection,
    comment::{Author, Status},
    http::response::Response,
    hub::command::{Actor, Change, Decision, Operation, Stats, Target, WriteKind},
    util::activity,
    util::text::{parse_decimal, shorten},
    web::request::{Request, rejected},
};

impl Router {
    pub(super) fn change(
        self: &Arc<Router>,
        id: &str,
        request: &Arc<Request>,
    ) -> Result<Reply, Response> {
        let target = target(id, request)?;
        check_method(request, &["PATCH", "DELETE"])?;
        self.check_origin(request)?;
        let (moderator, not_moderator) = match self.moderator(request) {
            None => (None, None),
            Some(Ok(name)) => (Some(name), None),
            Some(Err(why)) => (None, Some(why)),
        };
        let message = match request.method.as_str() {
            "DELETE" => None,
            _ => Some(parse_json(request)?),
        };
        let nonce = message.as_ref().and_then(|message| message.nonce.clone());
        let refuse = |rejection: Rejection| rejected(&rejection, nonce.as_deref());
        // A token of any length: what is no moderator's is refused as another author's key.
        let bearer = request.bearer_token().filter(|_| moderator.is_none());
        let author = match (bearer, message.as_ref().and_then(|message| message.key.as_deref())) {
            (Some(bearer), _) => Some(Author::from_key(bearer)),
            (None, key) => author(key).map_err(refuse)?,
        };
        let change = match &message {
            None => Ok(Change::Delete),
            Some(message) => parse_change(message, |text| {
                // A moderator's text needs no look by another.
                if moderator.is_some() {
                    return Ok(Change::Text(text.render(), None));
                }
                let Stats { gate, screen, .. } = &*self.hub.stats;
                gate.check_edit(request.client_key(), author)?;
                let text = text.render();
                let held_for = screen.check_edit(&text);
                Ok(Change::Text(text, held_for))
            }),
        };
        let (id, client) = (target.id, request.client());
        let change = match change {
            Ok(change) => change,
            Err(rejection) => return Err(refuse(after_guess(not_moderator, rejection, client))),
        };
        if matches!(change, Change::Status(_)) && moderator.is_none() {
            let why = not_moderator.map_or(Rejection::NotModerator, |why| why.refuse(client));
            return Err(refuse(why));
        }
        let done = match &change {
            Change::Status(Status::Public) => "published",
            Change::Status(_) => "hid",
            Change::Pinned(_) => "pinned",
            Change::Text(..) => "edited",
            Change::Delete => "deleted",
        };
        let name = moderator.clone();
        let operation = Operation::Change {
            target,
            change,
            by: Actor { author, moderator },
            decision: Decision::default(),
        };
        Ok(self.write(operation, request, move |outcome| match outcome {
            Ok(written) => {
                if let Some(name) = name.filter(|_| written.what == WriteKind::Changed) {
                    activity::moderated(&name, done, id, client);
                }
                Response::json(200, written.line)
            }
            Err(rejection) => {
                rejected(&after_guess(not_moderator, rejection, client), nonce.as_deref())
            }
        }))
    }
}

/// The error for a request whose bearer token is no moderator's, where `rejection` is that for the author whose key it may be. It counts
/// as a wrong token unless the rejection is one that a moderator would get, too: for an author whose key it is, or before anything was
/// looked up.
fn after_guess(
    not_moderator: Option<NotModerator>,
    rejection: Rejection,
    client: Option<IpAddr>,
) -> Rejection {
    let is_strangers = matches!(
        rejection,
        Rejection::NotAuthor(_) | Rejection::WrittenWithoutKey(_) | Rejection::UnknownComment(_)
    );
    // Moderators are never too fast, so that a token would be recognised by not being refused.
    let counts = is_strangers || matches!(rejection, Rejection::TooFast { .. });
    match not_moderator.filter(|_| counts) {
        None => rejection,
        Some(NotModerator::TooMany(wait)) => too_many(wait),
        Some(NotModerator::Wrong(guess)) => {
            guess.was_wrong();
            if is_strangers {
                activity::wrong_token(client);
            }
            rejection
        }
    }
}

/// The comment that `id` names, a part of the request's path.
pub(super) fn target(id: &str, request: &Request) -> Result<Target, Response> {
    match parse_decimal(id) {
        Some(id) => Ok(Target { id, page: None }),
        None => Err(not_found(request)),
    }
}

/// What a request asks for. `edit` checks whether a text may be changed before it renders it, which takes longer than all checks.
fn parse_change(
    message: &ClientMessage,
    edit: impl FnOnce(PlainText) -> Result<Change, Rejection>,
) -> Result<Change, Rejection> {
    match message.status.as_deref() {
        Some(_) if message.content.is_some() => {
            Err(Rejection::Malformed("content and status can't be changed in one request".into()))
        }
        Some("public") => Ok(Change::Status(Status::Public)),
        Some("hidden") => Ok(Change::Status(Status::Hidden)),
        Some(other) => {
            let value = shorten(other, VALUE_ECHO_CHARS);
            Err(Rejection::BadParameter { name: "status", value, allowed: "public or hidden" })
        }
        None => edit(PlainText::of(message.content.as_deref())?),
    }
}
