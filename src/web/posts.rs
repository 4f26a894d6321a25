//! `POST /api/comments`: a new comment, as JSON from a program or as a form from a browser without JavaScript.
//!
//! Knows no other path.

use std::sync::Arc;

use super::{Reply, Router, form, page::redirect_to_page, parameters::check_json};
use crate::{
    comment::draft::ClientMessage,
    comment::proof_of_work,
    comment::rejection::Rejection,
    http::request::HttpError,
    http::response::Response,
    hub::command::{Callback, ReplyTo, Write, WriteKind, Written},
    web::request::{Request, rejected},
};

impl Router {
    pub(super) fn post(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        self.check_origin(request)?;
        let is_form = request.content_type() == "application/x-www-form-urlencoded";
        if is_form && request.body.trim_ascii_start().starts_with(b"{") {
            let message = "the body is JSON, but its content type is that of a form; send Content-Type: application/json";
            let error = HttpError::new(415, message).with("allowed", "application/json");
            return Err(Response::from_error(&error));
        }
        let (message, form_check) = match is_form {
            true => form::parse(&request.body, self.is_limited.then(|| self.hub.stats.now()))?,
            false => (self.json_message(request)?, Ok(())),
        };
        let page = message.page.clone().unwrap_or_else(|| "/".to_owned());
        let nonce = message.nonce.clone();
        let (router, from, client) = (self.clone(), request.client_key(), request.client());
        // The cheap checks first: rendering takes longer than all of them.
        let operation = message.post(&page).and_then(|post| {
            form_check?;
            proof_of_work::check(self.challenge, &message)?;
            self.hub.stats.gate.post(post, from, &self.hub.stats.screen)
        });
        // Without a page there is none to show the outcome on.
        let is_form = is_form && self.has_page;
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
                    let reply = ReplyTo::Callback(finish);
                    drop(hub.write(Write { operation, from, client, reply }))
                }
                Err(rejection) => finish(Err(rejection)),
            }
        })))
    }

    /// Parses a JSON body, and checks its user. A bearer token is the author's key, and is compared with no moderator's: each would be a
    /// guess that nobody could count.
    pub(super) fn json_message(&self, request: &Request) -> Result<ClientMessage, Response> {
        let mut message = parse_json(request)?;
        message.signed = self
            .signed_user(message.user.as_deref(), request)
            .map_err(|rejection| rejected(&rejection, message.nonce.as_deref()))?;
        if message.key.is_none() {
            message.key = request.bearer_token().map(str::to_owned);
        }
        Ok(message)
    }
}

/// Parses a JSON body, and leaves the headers alone.
pub(super) fn parse_json(request: &Request) -> Result<ClientMessage, Response> {
    check_json(request)?;
    ClientMessage::parse(&request.body).map_err(|rejection| {
        rejected(&rejection, ClientMessage::nonce_in(&request.body).as_deref())
    })
}

pub(super) fn status_of(what: WriteKind) -> u16 {
    match what {
        WriteKind::Posted => 201,
        WriteKind::Held => 202,
        WriteKind::Known | WriteKind::Changed => 200,
    }
}
