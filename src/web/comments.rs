//! `PATCH` and `DELETE /api/comments/ID`: edits or deletes a comment, or changes who may see it.
//!
//! Knows no other path.

use std::sync::Arc;

use super::{
    Reply, Router,
    request::{VALUE_ECHO_CHARS, check_method, not_found},
};
use crate::{
    comment::draft::{ClientMessage, PlainText, author},
    comment::rejection::Rejection,
    comment::{Author, Status},
    http::response::Response,
    hub::command::{Actor, Change, Operation, Target, WriteKind},
    util::activity,
    util::text::{parse_decimal, shorten},
    web::message::{Request, rejected},
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
        let moderator = self.is_moderator(request);
        let message = match request.method.as_str() {
            "DELETE" => None,
            _ => Some(self.json_message(request)?),
        };
        let nonce = message.as_ref().and_then(|message| message.nonce.clone());
        let refuse = |rejection: Rejection| rejected(&rejection, nonce.as_deref());
        // A token of any length: what is no moderator's is refused as another author's key.
        let bearer = request.bearer_token().filter(|_| !moderator);
        let author = match (bearer, message.as_ref().and_then(|message| message.key.as_deref())) {
            (Some(bearer), _) => Some(Author::from_key(bearer)),
            (None, key) => author(key).map_err(refuse)?,
        };
        let change = match &message {
            None => Change::Delete,
            Some(message) => parse_change(message, || {
                if moderator {
                    return Ok(());
                }
                self.hub.stats.gate.check_edit(request.client_key(), author)
            })
            .map_err(refuse)?,
        };
        if matches!(change, Change::Status(_)) && !moderator {
            return Err(refuse(self.not_moderator(request)));
        }
        let done = match &change {
            Change::Status(Status::Public) => "published",
            Change::Status(_) => "hidden",
            Change::Text(_) => "edited",
            Change::Delete => "deleted",
        };
        let (id, client) = (target.id, request.client);
        let is_token_wrong = bearer.is_some() && self.token.is_some();
        let operation = Operation::Change { target, change, by: Actor { author, moderator } };
        Ok(self.write(operation, request, move |outcome| {
            match &outcome {
                Ok(written) if moderator && written.what == WriteKind::Changed => {
                    activity::moderated(done, id, client);
                }
                Err(Rejection::NotAuthor(_) | Rejection::WrittenWithoutKey(_))
                    if is_token_wrong =>
                {
                    activity::wrong_token(client);
                }
                _ => {}
            }
            match outcome {
                Ok(written) => Response::json(200, written.line),
                Err(rejection) => rejected(&rejection, nonce.as_deref()),
            }
        }))
    }

    /// Why a request that needs a moderator's token is refused.
    fn not_moderator(&self, request: &Request) -> Rejection {
        if self.token.is_none() || request.bearer_token().is_none() {
            return Rejection::NotModerator;
        }
        activity::wrong_token(request.client);
        Rejection::WrongToken
    }
}

/// The comment that `id` names, a part of the request's path.
pub(super) fn target(id: &str, request: &Request) -> Result<Target, Response> {
    match parse_decimal(id) {
        Some(id) => Ok(Target { id, page: None }),
        None => Err(not_found(request)),
    }
}

/// What a request asks for. `may_edit` is called before a text is rendered, which takes longer than all checks.
fn parse_change(
    message: &ClientMessage,
    may_edit: impl FnOnce() -> Result<(), Rejection>,
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
        None => {
            let text = PlainText::of(message.content.as_deref())?;
            may_edit()?;
            Ok(Change::Text(text.render()))
        }
    }
}
