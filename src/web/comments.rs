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
        let (change, key) = match request.method.as_str() {
            "DELETE" => (Change::Delete, None),
            _ => {
                let message = self.json_message(request)?;
                (parse_change(&message)?, message.key)
            }
        };
        let key =
            if moderator { key.as_deref() } else { request.bearer_token().or(key.as_deref()) };
        let by = Actor { author: author(key)?, moderator };
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
