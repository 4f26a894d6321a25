//! A heart over HTTP: `POST /api/comments/17/like`.
//!
//! Knows no other path.

use std::sync::Arc;

use super::{Site, Turn, allow, comments::comment_of};
use crate::{
    comment::rejection::Reject,
    hub::command::{Call, Done, Reply, Request},
    web::message::{Answer, Asked},
};

impl Site {
    pub(super) fn like(self: &Arc<Site>, id: &str, asked: &Arc<Asked>) -> Result<Turn, Answer> {
        let comment = comment_of(id, asked)?;
        allow(asked, &["POST"])?;
        self.check_origin(asked)?;
        let message = self.json_message(asked)?;
        let (on, author) = message.heart().map_err(|reject| Answer::reject(&reject, None))?;
        let (hub, from, nonce) = (self.hub.clone(), asked.counted(), message.nonce);
        Ok(Turn::Later(Box::new(move |take| {
            let answer: Call<Result<Done, Reject>> = Box::new(move |outcome| {
                take(Box::new(move || match outcome {
                    Ok(done) => Answer::json(200, done.line),
                    Err(reject) => Answer::reject(&reject, nonce.as_deref()),
                }));
            });
            let reply = Reply::Call(answer);
            let _ = hub.ask(Request::Like { asked: comment, on, author, from, reply });
        })))
    }
}
