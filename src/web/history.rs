//! `GET /api/comments`: the history of a page as JSON.
//!
//! Knows no other path.

use std::{io, sync::Arc};

use super::{
    PAGE_COMMENTS, Reply, Router,
    bodies::history_json,
    request::{number_parameter, page_parameter, parse_query},
};
use crate::{
    comment::rejection::Rejection,
    http::query::Query,
    http::request::HttpError,
    http::response::Response,
    hub::command::{Cursor, Query as HubQuery, Range, ReadHistory},
    limits::HISTORY_LINES_MAX,
    store::history::History,
    web::message::{Request, ResponseExt, weak_tag},
};

/// `Retry-After` if the log can't be read, in seconds.
const UNREADABLE_RETRY_SECONDS: u32 = 5;

impl Router {
    pub(super) fn history(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        let query = parse_query(request)?;
        let page = page_parameter(&query)?;
        let limit = number_parameter(
            &query,
            "limit",
            "a number from 1 to 200",
            1,
            HISTORY_LINES_MAX as u64,
        )?;
        let before = number_parameter(&query, "before", "a comment's id", 0, u64::MAX)?;
        let since = number_parameter(&query, "since", "a sequence number", 0, u64::MAX)?;
        let range = match (before, since) {
            (Some(_), Some(_)) => {
                return Err(Response::error(400, "before and since can't be used together"));
            }
            (_, Some(since)) => Range::Since(cursor(&query, since)),
            (before, None) => Range::Before(before),
        };
        let moderator = match self.moderator(request) {
            None => false,
            Some(Ok(_)) => true,
            Some(Err(why)) => match why.refuse(request.client) {
                // What everybody may read is refused to nobody.
                Rejection::WrongToken => false,
                too_many => return Err(too_many.into()),
            },
        };
        let limit = limit.map_or(PAGE_COMMENTS, |limit| limit as usize);
        let (request, challenge) = (request.clone(), self.challenge);
        Ok(self.read_history(page, range, limit, moderator, move |history| {
            match history_json(&history, challenge) {
                Ok(body) => {
                    let etag = weak_tag(&body);
                    Response::json(200, body).with_etag(&etag, &request).compressed(&request)
                }
                Err(error) => unreadable(&error),
            }
        }))
    }

    /// Asks the hub for a history. `build` makes the response from it.
    pub(super) fn read_history(
        &self,
        page: String,
        part: Range,
        limit: usize,
        moderator: bool,
        build: impl FnOnce(History) -> Response + Send + 'static,
    ) -> Reply {
        let hub = self.hub.clone();
        Reply::Deferred(Box::new(move |respond| {
            let answer = Box::new(move |read: Result<History, Rejection>| {
                respond(Box::new(move || match read {
                    Ok(history) => build(history),
                    Err(rejection) => rejection.into(),
                }));
            });
            let _ = hub.query(HubQuery::ReadHistory(ReadHistory {
                page,
                part,
                limit,
                moderator,
                answer,
            }));
        }))
    }
}

/// The cursor of a client that polls. Without `mark` it is only a number, and `log` is passed over.
fn cursor(query: &Query, since: u64) -> Cursor {
    let mark = query.get("mark").map(str::to_owned);
    let log = query.get("log").filter(|_| mark.is_some()).map(str::to_owned);
    Cursor { since, log, mark }
}

/// The error response if comments can't be read from the log.
pub(super) fn unreadable(error: &io::Error) -> Response {
    log::error!("can't read comments: {error}");
    let error = HttpError::new(503, "comments can't be read now, try again");
    Response::from_error(&HttpError { retry_after: Some(UNREADABLE_RETRY_SECONDS), ..error })
}
