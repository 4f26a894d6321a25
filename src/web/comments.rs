//! `PATCH` and `DELETE /api/comments/ID`: edits or deletes a comment, pins it, or changes who may see it; and
//! `POST /api/comments/ID/flag`: tells moderators to look at it.
//!
//! Knows no other path.

use std::{net::IpAddr, sync::Arc};

use super::{
    Reply, Router,
    parameters::{check_method, not_found},
    posts::parse_json,
};
use crate::{
    comment::draft::{ClientMessage, PlainText, author},
    comment::rejection::Rejection,
    comment::{Author, Status},
    http::response::Response,
    hub::command::{Actor, Change, Decision, Operation, Stats, Target, WriteKind, Written},
    hub::moderators::{NotModerator, too_many},
    util::activity,
    util::text::parse_decimal,
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
        let is_deletion = request.method == "DELETE";
        // A deletion needs no body, and what others send with it is passed over.
        let has_message = !is_deletion
            || (!request.body.is_empty() && request.content_type() == "application/json");
        let message = if has_message { Some(parse_json(request)?) } else { None };
        let nonce = message.as_ref().and_then(|message| message.nonce.clone());
        let refuse = |rejection: Rejection| rejected(&rejection, nonce.as_deref());
        let user = message.as_ref().and_then(|message| message.user.as_deref());
        let user = self.signed_user(user, request).map_err(refuse)?;
        let is_signed = user.is_some();
        // A user counts instead of a token.
        let (moderator, not_moderator) = match self.moderator(request).filter(|_| !is_signed) {
            None => (None, None),
            Some(Ok(name)) => (Some(name), None),
            Some(Err(why)) => (None, Some(why)),
        };
        // A token of any length: what is no moderator's is refused as another author's key.
        let bearer = request.bearer_token().filter(|_| moderator.is_none());
        let key = message.as_ref().and_then(|message| message.key.as_deref());
        let author = match (&user, bearer) {
            (Some(user), _) => Some(user.author),
            (None, Some(bearer)) => Some(Author::from_key(bearer)),
            (None, None) => author(key).map_err(refuse)?,
        };
        let signed_moderator = user.and_then(|user| user.moderator);
        let decision = match (&message, moderator.as_ref().or(signed_moderator.as_ref())) {
            (Some(message), Some(_)) => {
                let reason = message.reason().map_err(refuse)?;
                Decision { seen: message.seen, reason, is_first: false }
            }
            _ => Decision::default(),
        };
        let change = match &message {
            Some(message) if !is_deletion => parse_change(message, |text| {
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
            _ => Ok(Change::Delete),
        };
        let (id, client) = (target.id, request.client());
        let change = match change {
            Ok(change) => change,
            Err(rejection) => return Err(refuse(after_guess(not_moderator, rejection, client))),
        };
        // A host page's moderators change what is seen, and no text.
        let is_theirs = matches!(change, Change::Status(_) | Change::Delete);
        let moderator = moderator.or(signed_moderator.filter(|_| is_theirs));
        let is_moderators = matches!(change, Change::Status(_) | Change::Pinned(_));
        if is_moderators && moderator.is_none() {
            let why = not_moderator.map_or(Rejection::NotModerator, |why| why.refuse(client));
            return Err(refuse(why));
        }
        let done = match &change {
            Change::Status(Status::Public) => "published",
            Change::Status(Status::Hidden) => "hid",
            Change::Status(Status::Pending) => "took back the rejection of",
            Change::Pinned(true) => "pinned",
            Change::Pinned(false) => "unpinned",
            Change::Text(..) => "edited",
            Change::Delete => "deleted",
        };
        let name = moderator.clone();
        let operation = Operation::Change {
            target,
            change,
            by: Actor { author, moderator, is_signed },
            decision,
        };
        let build = move |outcome: Result<Written, Rejection>| match outcome {
            Ok(written) => {
                if let Some(name) = name.filter(|_| written.what == WriteKind::Changed) {
                    activity::moderated(&name, done, id, client);
                }
                Response::json(200, written.line)
            }
            Err(rejection) => {
                rejected(&after_guess(not_moderator, rejection, client), nonce.as_deref())
            }
        };
        Ok(self.write(operation, request, Box::new(build)))
    }
}

impl Router {
    /// A reader's flag. Its bearer token is the reader's key, and is compared with no moderator's.
    pub(super) fn flag(
        self: &Arc<Router>,
        id: &str,
        request: &Arc<Request>,
    ) -> Result<Reply, Response> {
        let target = target(id, request)?;
        check_method(request, &["POST"])?;
        self.check_origin(request)?;
        let author = match request.body.is_empty() {
            true => self.author_in_header(request)?,
            false => self.json_message(request)?.author()?.ok_or(Rejection::KeyMissing)?,
        };
        let build = |outcome: Result<_, Rejection>| match outcome {
            Ok(_) => Response { status: 204, headers: Vec::new(), body: Vec::new(), code: None },
            Err(rejection) => rejection.into(),
        };
        Ok(self.write(Operation::Flag { target, author }, request, Box::new(build)))
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
    match (message.status()?, message.pinned, &message.content) {
        (Some(status), None, None) => Ok(Change::Status(status)),
        (None, Some(is_pinned), None) => Ok(Change::Pinned(is_pinned)),
        (None, None, content) => edit(PlainText::of(content.as_deref())?),
        _ => Err(Rejection::Malformed(
            "content, status and pinned can't be changed in one request".into(),
        )),
    }
}
