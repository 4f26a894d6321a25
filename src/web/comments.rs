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
    comment::draft::{ClientMessage, Text, author},
    comment::rejection::Rejection,
    http::response::Response,
    hub::command::{Actor, Change, Operation, Target},
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
        let change = message.as_ref().map_or(Ok(Change::Delete), parse_change).map_err(refuse)?;
        let key = message.as_ref().and_then(|message| message.key.as_deref());
        let key = if moderator { key } else { request.bearer_token().or(key) };
        let by = Actor { author: author(key).map_err(refuse)?, moderator };
        let operation = Operation::Change { target, change, by };
        Ok(self.write(operation, request.client_key(), move |outcome| match outcome {
            Ok(done) => Response::json(200, done.line),
            Err(rejection) => rejected(&rejection, nonce.as_deref()),
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

fn parse_change(message: &ClientMessage) -> Result<Change, Rejection> {
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
        None => Ok(Change::Text(Text::of(message.content.as_deref())?)),
    }
}
