//! Whose a request is, where a host page has signed its user, and `GET /api/user`, which tells that.
//!
//! Knows no other path and no signature.

use std::sync::Arc;

use super::{Reply, Router, parameters::check_method};
use crate::{
    comment::Author, comment::draft::author, comment::rejection::Rejection,
    comment::signed_user::SignedUser, http::origin::Requester, http::response::Response,
    hub::sign_on, web::request::Request,
};

impl Router {
    /// The user in a body's `user`, or else in the header, once their signature is checked; `None` if there is neither.
    pub(super) fn signed_user(
        &self,
        in_body: Option<&str>,
        request: &Request,
    ) -> Result<Option<SignedUser>, Rejection> {
        let Some(user) = in_body.or_else(|| request.credentials("sayso")) else { return Ok(None) };
        let from = Requester {
            origin: request.header("origin"),
            fetch_site: request.header("sec-fetch-site"),
            host: request.header("host").unwrap_or_default(),
        };
        sign_on::check(self.sign_on.as_deref(), user, from, self.hub.stats.now()).map(Some)
    }

    /// The author whose key or signed user is in the header.
    pub(super) fn author_in_header(&self, request: &Request) -> Result<Author, Rejection> {
        match self.signed_user(None, request)? {
            Some(user) => Ok(user.author),
            None => author(request.bearer_token())?.ok_or(Rejection::KeyMissing),
        }
    }

    pub(super) fn user(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        check_method(request, &["GET", "HEAD"])?;
        self.check_origin(request)?;
        let user = self.signed_user(None, request)?.ok_or_else(|| {
            Rejection::UserMalformed("there is none; send Authorization: Sayso USER".into())
        })?;
        let response = Response::json(200, user.to_json()).with("Cache-Control", "no-store");
        Ok(Reply::Ready(response))
    }
}
