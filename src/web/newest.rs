//! `GET /api/newest`: the newest comments of all pages, for a start page.
//!
//! Knows no other path.

use std::sync::Arc;

use super::{
    Reply, Router,
    bodies::newest_json,
    history::unreadable,
    parameters::{check_method, number_parameter, parse_query},
};
use crate::{
    comment::draft::check_page,
    http::response::Response,
    hub::command::Query as HubQuery,
    hub::newest::{Newest, ReadNewest},
    web::request::{Request, ResponseExt, weak_tag},
};

/// Comments of one answer.
pub(super) const NEWEST_MAX: u64 = 50;
/// Comments of an answer without `limit=`.
const NEWEST_DEFAULT: u64 = 10;

impl Router {
    pub(super) fn newest(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        check_method(request, &["GET", "HEAD"])?;
        let query = parse_query(request)?;
        let limit = number_parameter(&query, "limit", "a number from 1 to 50", 1, NEWEST_MAX)?;
        let prefix = query.get("prefix").map(str::to_owned);
        prefix.as_deref().map_or(Ok(()), check_page)?;
        let asked = request.clone();
        let build = move |newest: Newest| match newest_json(&newest) {
            Ok(body) => {
                let etag = weak_tag(&body);
                Response::json(200, body).with_etag(&etag, &asked).compressed(&asked)
            }
            Err(error) => unreadable(&error),
        };
        let limit = limit.unwrap_or(NEWEST_DEFAULT);
        Ok(self.find_newest(None, prefix, limit, Box::new(build)))
    }

    /// Asks the hub for the newest comments. `build` makes the response from them.
    pub(super) fn find_newest(
        &self,
        page: Option<String>,
        prefix: Option<String>,
        limit: u64,
        build: Box<dyn FnOnce(Newest) -> Response + Send>,
    ) -> Reply {
        let (hub, limit) = (self.hub.clone(), limit as usize);
        Reply::Deferred(Box::new(move |respond| {
            let answer = Box::new(move |newest| respond(Box::new(move || build(newest))));
            let _ = hub.query(HubQuery::ReadNewest(ReadNewest { page, prefix, limit, answer }));
        }))
    }
}
