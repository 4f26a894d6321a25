//! `POST /api/comments`: a new comment, as JSON from a program or as a form from a browser without JavaScript.
//!
//! Knows no other path.

use std::{sync::Arc, time::SystemTime};

use super::{Reply, Router, form, page::redirect_to_page, request::check_json};
use crate::{
    comment::draft::ClientMessage,
    comment::proof_of_work,
    comment::rejection::Rejection,
    http::response::Response,
    hub::command::{Callback, ReplyTo, Write, WriteKind, Written},
    web::message::{Request, rejected},
};

impl Router {
    pub(super) fn post(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        self.check_origin(request)?;
        let is_form = request.content_type() == "application/x-www-form-urlencoded";
        let (message, form_check) = match is_form {
            true => form::parse(&request.body, self.is_limited.then(SystemTime::now))?,
            false => (self.json_message(request)?, Ok(())),
        };
        let page = message.page.clone().unwrap_or_else(|| "/".to_owned());
        let nonce = message.nonce.clone();
        let (router, from) = (self.clone(), request.client_key());
        // The cheap checks first: rendering takes longer than all of them.
        let operation = message.post(&page).and_then(|post| {
            form_check?;
            proof_of_work::check(self.challenge, &message)?;
            self.hub.stats.gate.post(post, from)
        });
        Ok(Reply::Deferred(Box::new(move |respond| {
            let hub = router.hub.clone();
            let finish: Callback<Result<Written, Rejection>> =
                Box::new(move |outcome| match outcome {
                    Err(rejection) if is_form => {
                        router.redisplay_form(page, message, rejection, respond);
                    }
                    outcome => respond(Box::new(move || match outcome {
                        Ok(_) if is_form => redirect_to_page(&router.base, &page),
                        Ok(done) => Response::json(status_of(done.what), done.line),
                        Err(rejection) => rejected(&rejection, nonce.as_deref()),
                    })),
                });
            match operation {
                Ok(operation) => {
                    drop(hub.write(Write { operation, from, reply: ReplyTo::Callback(finish) }))
                }
                Err(rejection) => finish(Err(rejection)),
            }
        })))
    }

    /// Parses a JSON body. A bearer token that is not the moderator's is the author's key.
    pub(super) fn json_message(&self, request: &Request) -> Result<ClientMessage, Response> {
        check_json(request)?;
        let mut message = ClientMessage::parse(&request.body)?;
        if message.key.is_none() && !self.is_moderator(request) {
            message.key = request.bearer_token().map(str::to_owned);
        }
        Ok(message)
    }
}

fn status_of(what: WriteKind) -> u16 {
    match what {
        WriteKind::Posted => 201,
        WriteKind::Held => 202,
        WriteKind::Known | WriteKind::Changed => 200,
    }
}
