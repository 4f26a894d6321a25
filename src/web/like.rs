//! A heart over HTTP: `POST /api/comments/17/like`.
//!
//! Knows no other path.

use std::sync::Arc;

use super::{Reply, Router, check_method, comments::comment_of};
use crate::{
    comment::rejection::Rejection,
    hub::command::{Callback, Operation, ReplyTo, Write, Written},
    web::message::{Request, Response},
};

impl Router {
    pub(super) fn like(
        self: &Arc<Router>,
        id: &str,
        request: &Arc<Request>,
    ) -> Result<Reply, Response> {
        let target = comment_of(id, request)?;
        check_method(request, &["POST"])?;
        self.check_origin(request)?;
        let message = self.json_message(request)?;
        let (on, author) = message.heart().map_err(|reject| Response::reject(&reject, None))?;
        let (hub, from, nonce) = (self.hub.clone(), request.counted(), message.nonce);
        Ok(Reply::Deferred(Box::new(move |take| {
            let answer: Callback<Result<Written, Rejection>> = Box::new(move |outcome| {
                take(Box::new(move || match outcome {
                    Ok(done) => Response::json(200, done.line),
                    Err(reject) => Response::reject(&reject, nonce.as_deref()),
                }));
            });
            let reply = ReplyTo::Callback(answer);
            let _ =
                hub.write(Write { operation: Operation::Like { target, on, author }, from, reply });
        })))
    }
}
