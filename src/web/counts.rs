//! `GET /api/counts`: the number of comments of up to 100 pages.
//!
//! Knows no other path.

use std::sync::Arc;

use super::{Reply, Router, bodies::to_json, parameters::parse_query};
use crate::{
    comment::draft::check_page,
    comment::server_message::Counts,
    http::query::distinct,
    http::response::Response,
    hub::command::Query as HubQuery,
    limits::COUNTED_PAGES_MAX,
    web::request::{Request, ResponseExt, weak_tag},
};

impl Router {
    pub(super) fn counts(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        let query = parse_query(request)?;
        let pages: Vec<String> = query.all("page").map(str::to_owned).collect();
        if pages.is_empty() || pages.len() > COUNTED_PAGES_MAX {
            let message = format!(
                "page is given {} times, 1 to {COUNTED_PAGES_MAX} are allowed",
                pages.len()
            );
            return Err(Response::error(400, message));
        }
        pages.iter().try_for_each(|page| check_page(page))?;
        let pages = distinct(pages);
        let (hub, request) = (self.hub.clone(), request.clone());
        Ok(Reply::Deferred(Box::new(move |respond| {
            let answer = move |counts: Vec<(String, u64)>| {
                respond(Box::new(move || {
                    let body = to_json(&Counts(&counts));
                    let etag = weak_tag(&body);
                    Response::json(200, body).with_etag(&etag, &request)
                }));
            };
            let _ = hub.query(HubQuery::Count(pages, Box::new(answer)));
        })))
    }
}
