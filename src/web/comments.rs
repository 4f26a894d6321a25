//! One comment over HTTP: edited, deleted, let out or taken away.
//!
//! Knows no other path.

use std::sync::Arc;

use super::{Reply, Router, check_method, not_found};
use crate::{
    comment::Status,
    comment::draft::{ClientMessage, Text, author},
    comment::rejection::Rejection,
    hub::command::{Actor, Callback, Change, Operation, ReplyTo, Target, Write, Written},
    web::message::{Request, Response},
};

impl Router {
    pub(super) fn change(
        self: &Arc<Router>,
        id: &str,
        request: &Arc<Request>,
    ) -> Result<Reply, Response> {
        let target = comment_of(id, request)?;
        check_method(request, &["PATCH", "DELETE"])?;
        self.check_origin(request)?;
        let moderator = self.is_moderator(request);
        let (change, key) = match request.method.as_str() {
            "DELETE" => (Change::Delete, None),
            _ => {
                let message = self.json_message(request)?;
                (
                    change_of(&message).map_err(|reject| Response::reject(&reject, None))?,
                    message.key,
                )
            }
        };
        let key = if moderator { key.as_deref() } else { request.bearer().or(key.as_deref()) };
        let author = author(key).map_err(|reject| Response::reject(&reject, None))?;
        let (hub, from, by) = (self.hub.clone(), request.counted(), Actor { author, moderator });
        Ok(Reply::Deferred(Box::new(move |take| {
            let answer: Callback<Result<Written, Rejection>> = Box::new(move |outcome| {
                take(Box::new(move || match outcome {
                    Ok(done) => Response::json(200, done.line),
                    Err(reject) => Response::reject(&reject, None),
                }));
            });
            let _ = hub.write(Write {
                operation: Operation::Change { target, change, by },
                from,
                reply: ReplyTo::Callback(answer),
            });
        })))
    }
}

/// The comment that a path names.
pub(super) fn comment_of(id: &str, request: &Request) -> Result<Target, Response> {
    let number = id.parse::<u64>().ok().filter(|_| id.bytes().all(|b| b.is_ascii_digit()));
    Ok(Target { id: number.ok_or_else(|| not_found(request))?, page: None })
}

fn change_of(message: &ClientMessage) -> Result<Change, Rejection> {
    match message.status.as_deref() {
        Some(_) if message.content.is_some() => {
            Err(Rejection::Malformed("content and status can't be changed in one request".into()))
        }
        Some("public") => Ok(Change::Status(Status::Public)),
        Some("hidden") => Ok(Change::Status(Status::Hidden)),
        Some(other) => {
            let value = other.chars().take(40).collect();
            Err(Rejection::BadParameter { name: "status", value, allowed: "public or hidden" })
        }
        None => Ok(Change::Text(Text::of(message.content.as_deref())?)),
    }
}
