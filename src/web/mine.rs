//! `GET` and `DELETE /api/mine`: what somebody has written, for whoever has the key: to take along, or to delete all of it.
//!
//! Looks through all comments, so it is limited more than other requests. Knows no other path.

use std::{sync::Arc, time::Instant};

use serde::Serialize;

use super::{
    Reply, Router,
    admin::{comments::Filter, comments::Listing, search::Search},
    bodies::to_json,
    parameters::{check_method, number_parameter, parse_query},
};
use crate::{
    comment::Author,
    comment::rejection::Rejection,
    http::response::Response,
    hub::command::{Actor, Change, Decision, Edge, Operation, Target},
    hub::measure::Wanted,
    hub::rate_limit::{BucketKey, RateLimiter},
    limits::{HISTORY_LINES_MAX, Rate},
    util::text::{is_false, parse_decimal},
    web::request::Request,
};

/// Requests for one's own comments of one address, and for one author, in [`MINE_SECONDS`]: one a minute, several at once for those who
/// page through.
const MINE_MAX: u32 = 10;
/// The period of [`MINE_MAX`].
const MINE_SECONDS: u32 = 600;
/// Comments that one request deletes. They become so many lines, some seconds of work at most.
const DELETED_MAX: usize = 2_000;
/// Of them, those that the hub is asked to delete before it has answered: a part of its inbox.
const DELETED_AT_ONCE: usize = 64;

/// Who has asked, and how often.
pub(super) struct Limiter(RateLimiter, Instant);

impl Default for Limiter {
    fn default() -> Limiter {
        Limiter(RateLimiter::new(Rate { posts: MINE_MAX, seconds: MINE_SECONDS }), Instant::now())
    }
}

#[derive(Serialize)]
struct Deleted {
    deleted: u64,
    #[serde(skip_serializing_if = "is_false")]
    more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
}

impl Router {
    pub(super) fn mine(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        check_method(request, &["GET", "HEAD", "DELETE"])?;
        self.check_origin(request)?;
        let author = self.author_in_header(request)?;
        let query = parse_query(request)?;
        let before = number_parameter(&query, "before", "a comment's id", 0, u64::MAX)?;
        let max = HISTORY_LINES_MAX as u64;
        let limit = number_parameter(&query, "limit", "a number from 1 to 200", 1, max)?;
        self.charge_mine(request, author)?;
        if request.method == "DELETE" {
            let work = Box::new(move |search| delete_all(search, author, before));
            return self.search(&self.mine_searches, request, work);
        }
        let listing = Listing {
            wanted: Wanted::All,
            page: None,
            from: Edge::Before(before),
            limit: limit.unwrap_or(max) as usize,
            filter: Filter::present_by(author),
            is_moderators: false,
        };
        let asked = request.clone();
        self.search(
            &self.mine_searches,
            request,
            Box::new(move |search| listing.answer(search, &asked)),
        )
    }

    fn charge_mine(&self, request: &Request, author: Author) -> Result<(), Rejection> {
        let mut limiter = self.mine_limiter.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let Limiter(limiter, started) = &mut *limiter;
        let keys = [BucketKey::Address(request.client_key()), BucketKey::Author(author)];
        let rate = limiter.rate();
        limiter.take(&keys, started.elapsed()).map_err(|wait| Rejection::TooFast {
            wait,
            rate,
            what: "requests for one's own comments",
        })
    }
}

/// Deletes somebody's comments, newest first, and in the end takes back their likes and flags.
fn delete_all(
    mut search: Search,
    author: Author,
    before: Option<u64>,
) -> Result<Response, Response> {
    let filter = Filter::present_by(author);
    let mut ids = Vec::new();
    let searched = search.run(Wanted::All, None, Edge::Before(before), &mut |hit| {
        let is_full = ids.len() == DELETED_MAX;
        if !is_full && filter.matches(&hit) {
            ids.push(hit.item.id);
        }
        !is_full
    })?;
    let mut deleted = 0;
    for ids in ids.chunks(DELETED_AT_ONCE) {
        let operations = ids.iter().map(|&id| Operation::Change {
            target: Target { id, page: None },
            change: Change::Delete,
            by: Actor { author: Some(author), moderator: None, is_signed: false },
            decision: Decision::default(),
        });
        for outcome in search.write_all(operations)? {
            match outcome {
                Ok(_) => deleted += 1,
                // Somebody was quicker.
                Err(Rejection::UnknownComment(_) | Rejection::NotAuthor(_)) => {}
                Err(rejection) => return Err(rejection.into()),
            }
        }
    }
    let mut after = searched.next.is_none().then_some((0, 0));
    while let Some(from) = after {
        let written = search.write(Operation::Forget(author, from))?;
        after = parse_place(&written.line);
    }
    let answer = Deleted { deleted, more: searched.next.is_some(), before: searched.next };
    Ok(Response::json(200, to_json(&answer)).with("Cache-Control", "no-store"))
}

/// The place to go on from, `[page,id]`; `null` is none.
fn parse_place(json: &[u8]) -> Option<(u32, u64)> {
    let text = str::from_utf8(json).ok()?.strip_prefix('[')?.strip_suffix(']')?;
    let (page, id) = text.split_once(',')?;
    Some((parse_decimal(page)?, parse_decimal(id)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_to_go_on_from_is_read_as_the_hub_writes_it() {
        for place in [None, Some((0, 1)), Some((u32::MAX, u64::MAX))] {
            assert_eq!(parse_place(&serde_json::to_vec(&place).unwrap()), place);
        }
    }
}
