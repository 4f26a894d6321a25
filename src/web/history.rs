//! `GET /api/comments`: the history of a page as JSON.
//!
//! Knows no other path.

use std::{io, sync::Arc};

use super::{
    PAGE_COMMENTS, Reply, Router,
    bodies::history_json,
    parameters::{number_parameter, page_parameter, parse_query},
};
use crate::{
    comment::rejection::Rejection,
    http::query::Query,
    http::request::HttpError,
    http::response::Response,
    hub::command::{Cursor, Edge, HistoryRange, Query as HubQuery, ReadHistory},
    limits::{HISTORY_LINES_MAX, THREADS_MAX},
    store::history::History,
    web::request::{Request, ResponseExt, weak_tag},
};

/// `Retry-After` if the log can't be read, in seconds.
const UNREADABLE_RETRY_SECONDS: u32 = 5;

impl Router {
    pub(super) fn history(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        let query = parse_query(request)?;
        let page = page_parameter(&query)?;
        let (range, limit) = parse_range(&query)?;
        let moderator = match self.moderator(request) {
            None => false,
            Some(Ok(_)) => true,
            Some(Err(why)) => match why.refuse(request.client()) {
                // What everybody may read is refused to nobody.
                Rejection::WrongToken => false,
                too_many => return Err(too_many.into()),
            },
        };
        let (request, challenge) = (request.clone(), self.challenge);
        let build = move |history: History| match history_json(&history, challenge) {
            Ok(body) => {
                let etag = weak_tag(&body);
                Response::json(200, body).with_etag(&etag, &request).compressed(&request)
            }
            Err(error) => unreadable(&error),
        };
        Ok(self.read_history(page, range, limit, moderator, Box::new(build)))
    }

    /// Asks the hub for a history. `build` makes the response from it.
    pub(super) fn read_history(
        &self,
        page: String,
        range: HistoryRange,
        limit: usize,
        moderator: bool,
        build: Box<dyn FnOnce(History) -> Response + Send>,
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
                range,
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

/// The part of a history that a query asks for, and how many comments at most.
fn parse_range(query: &Query) -> Result<(HistoryRange, usize), Response> {
    let id = |name| number_parameter(query, name, "a comment's id", 0, u64::MAX);
    let up_to = |name, max: usize, allowed| number_parameter(query, name, allowed, 1, max as u64);
    let limit = up_to("limit", HISTORY_LINES_MAX, "a number from 1 to 200")?;
    let threads = up_to("threads", THREADS_MAX, "a number from 1 to 50")?;
    let since = number_parameter(query, "since", "a sequence number", 0, u64::MAX)?;
    let (before, after, thread) = (id("before")?, id("after")?, id("thread")?);
    // Of each line, at most one is given.
    for group in [
        &["threads", "thread", "since"][..],
        &["threads", "limit"],
        &["thread", "before"],
        &["since", "before", "after"],
    ] {
        let mut given = group.iter().filter(|name| query.get(name).is_some());
        if let (Some(one), Some(other)) = (given.next(), given.next()) {
            return Err(Response::error(400, format!("{one} and {other} can't be used together")));
        }
    }
    let limit = limit.map_or(PAGE_COMMENTS, |limit| limit as usize);
    let range = match (threads, thread, since) {
        (Some(count), ..) => {
            let edge = after.map_or(Edge::Before(before), Edge::After);
            HistoryRange::Threads(edge, count as usize)
        }
        (_, Some(id), _) => {
            HistoryRange::Thread { id, after: after.unwrap_or(0), with_first: false }
        }
        (.., Some(since)) => HistoryRange::Since(cursor(query, since)),
        _ if after.is_some() => {
            return Err(Response::error(400, "after can be used with threads or thread only"));
        }
        _ => HistoryRange::Before(before),
    };
    Ok((range, limit))
}

/// The error response if comments can't be read from the log.
pub(super) fn unreadable(error: &io::Error) -> Response {
    log::error!("can't read comments: {error}");
    let error = HttpError::new(503, "comments can't be read now, try again");
    Response::from_error(&HttpError { retry_after: Some(UNREADABLE_RETRY_SECONDS), ..error })
}
