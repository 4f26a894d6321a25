//! `POST /api/comments/ID/like`: likes a comment, or withdraws the like.
//!
//! Knows no other path.

use std::sync::Arc;

use super::{Reply, Router, comments::target, parameters::check_method};
use crate::{
    http::response::Response,
    hub::command::{Operation, Written},
    web::request::{Request, rejected},
};

impl Router {
    pub(super) fn like(
        self: &Arc<Router>,
        id: &str,
        request: &Arc<Request>,
    ) -> Result<Reply, Response> {
        let target = target(id, request)?;
        check_method(request, &["POST"])?;
        self.check_origin(request)?;
        let message = self.json_message(request)?;
        let like = message.like();
        let (on, author) =
            like.map_err(|rejection| rejected(&rejection, message.nonce.as_deref()))?;
        let operation = Operation::Like { target, on, author };
        let build = move |outcome| match outcome {
            Ok(Written { line, .. }) => Response::json(200, line),
            Err(rejection) => rejected(&rejection, message.nonce.as_deref()),
        };
        Ok(self.write(operation, request, Box::new(build)))
    }
}
