//! `PATCH` and `DELETE /api/comments/ID`: edits or deletes a comment, or changes who may see it.
//!
//! Knows no other path.

use std::sync::Arc;

use super::{
    Reply, Router,
    request::{VALUE_ECHO_CHARS, check_method, not_found},
};
use crate::{
    comment::Status,
    comment::draft::{ClientMessage, PlainText, author},
    comment::rejection::Rejection,
    http::response::Response,
    hub::command::{Actor, Change, Operation, Target},
    util::text::{parse_decimal, shorten},
    web::message::Request,
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
        let key = message.as_ref().and_then(|message| message.key.as_deref());
        let key = if moderator { key } else { request.bearer_token().or(key) };
        let by = Actor { author: author(key)?, moderator };
        let change = match &message {
            None => Change::Delete,
            Some(message) => parse_change(message, || {
                if moderator {
                    return Ok(());
                }
                self.hub.stats.gate.check_edit(request.client_key(), by.author)
            })?,
        };
        let operation = Operation::Change { target, change, by };
        Ok(self.write(operation, request.client_key(), |outcome| match outcome {
            Ok(done) => Response::json(200, done.line),
            Err(rejection) => rejection.into(),
        }))
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
