//! What only moderators may reach: the page at `/admin`, and everything below `/api/admin`.
//!
//! Answers its own site alone, never those of `--allow-origin`, and is not there at all without `--admin-token-file`.

mod authors;
mod bans;
pub(super) mod comments;
#[cfg(feature = "exchange")]
mod import;
pub(super) mod search;

use std::sync::{Arc, atomic::AtomicUsize};

use serde::Serialize;

use super::{
    Reply, Router,
    bodies::to_json,
    files,
    parameters::{check_json, check_method, not_found, number_parameter, parse_query},
};
use crate::{
    comment::draft::check_page,
    comment::rejection::Rejection,
    http::error_code::ErrorCode,
    http::origin::Origins,
    http::request::HttpError,
    http::response::Response,
    hub::command::{Operation, Query as HubQuery, Written},
    hub::measure::{Measure, PageState},
    util::activity,
    util::json::{self, Slot},
    util::text::shorten_middle,
    web::assets,
    web::request::{Request, ResponseExt},
};

/// What the moderators' page may load, and that no page may frame it.
const ADMIN_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     form-action 'none'; base-uri 'none'; frame-ancestors 'none'";
/// Pages of one answer.
const PAGES_MAX: u64 = 100;
/// How much of the start and of the end of a parser's error message is repeated, in characters.
const ERROR_END_CHARS: usize = 80;

/// What the routes for moderators share.
#[derive(Debug, Default)]
pub(super) struct Admin {
    /// Searches that run.
    searches: Arc<AtomicUsize>,
}

/// Whether a path below the base path is one of moderators.
pub(super) fn is_admin(path: &str) -> bool {
    ["/admin", "/api/admin"].iter().any(|start| {
        path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Keeps an answer out of every cache, unless it is one of the files, which have no secrets.
pub(super) fn without_traces(mut response: Response) -> Response {
    if response.header("X-Frame-Options").is_some() {
        return response;
    }
    response.headers.retain(|(name, _)| name != "Cache-Control");
    response.with("Cache-Control", "no-store")
}

/// The bodies of all requests below `/api/admin` but that of an answer; one struct, so that the binary has the code for one.
#[derive(Default)]
struct Body {
    page: Option<String>,
    locked: Option<bool>,
    to: Option<String>,
    prefix: bool,
    note: Option<String>,
    author: Option<String>,
    comment: Option<u64>,
    address: bool,
    hold: bool,
    hide: bool,
    seconds: Option<u64>,
}

impl Body {
    fn parse(request: &Request) -> Result<Body, Response> {
        check_json(request)?;
        let mut body = Body::default();
        let mut fields = [
            ("page", Slot::OptionalText(&mut body.page)),
            ("locked", Slot::OptionalFlag(&mut body.locked)),
            ("to", Slot::OptionalText(&mut body.to)),
            ("prefix", Slot::Flag(&mut body.prefix)),
            ("note", Slot::OptionalText(&mut body.note)),
            ("author", Slot::OptionalText(&mut body.author)),
            ("comment", Slot::OptionalNumber(&mut body.comment)),
            ("address", Slot::Flag(&mut body.address)),
            ("hold", Slot::Flag(&mut body.hold)),
            ("hide", Slot::Flag(&mut body.hide)),
            ("seconds", Slot::OptionalNumber(&mut body.seconds)),
        ];
        json::read(&request.body, 0, &mut fields).map_err(|error| {
            Rejection::Malformed(shorten_middle(&error.to_string(), ERROR_END_CHARS))
        })?;
        Ok(body)
    }
}

/// What is there of a field that must be.
fn required<T>(field: Option<T>, name: &str) -> Result<T, Response> {
    field.ok_or_else(|| Rejection::Malformed(format!("{name} is missing")).into())
}

#[derive(Serialize)]
struct Pages {
    pages: Vec<PageState>,
    more: bool,
}

impl Router {
    /// Serves one of moderators' paths.
    pub(super) fn admin(
        self: &Arc<Router>,
        path: &str,
        request: &Arc<Request>,
    ) -> Result<Reply, Response> {
        if self.moderators.is_none() && !request.is_owner() {
            return Err(not_found(request));
        }
        let Some(path) = path.strip_prefix("/api/admin") else {
            return self.admin_file(path, request).map(Reply::Ready);
        };
        self.check_own_origin(request, true)?;
        match path.strip_prefix('/').unwrap_or_default() {
            "comments" if request.method == "POST" => self.answer(request),
            "comments" => {
                check_method(request, &["GET", "HEAD", "POST"])?;
                self.find_comments(request)
            }
            "bans" if request.method == "POST" => self.ban(request),
            "bans" => {
                check_method(request, &["GET", "HEAD", "POST"])?;
                self.list_bans(request)
            }
            "pages" if request.method == "PATCH" => self.lock(request),
            "pages" => {
                check_method(request, &["GET", "HEAD", "PATCH"])?;
                self.list_pages(request)
            }
            "moves" => {
                check_method(request, &["POST"])?;
                self.move_pages(request)
            }
            #[cfg(feature = "exchange")]
            "import" => self.import(request),
            other => match (other.strip_prefix("bans/"), other.strip_prefix("authors/")) {
                (Some(key), _) => self.unban(key, request),
                (_, Some(author)) => match author.strip_suffix("/note") {
                    Some(author) => self.note_author(author, request),
                    None => self.describe_author(author, request),
                },
                _ => Err(not_found(request)),
            },
        }
    }

    /// The moderator who sends the request.
    pub(super) fn require_moderator(&self, request: &Request) -> Result<Arc<str>, Response> {
        match self.moderator(request) {
            None => Err(Rejection::NotModerator.into()),
            Some(Ok(name)) => Ok(name),
            Some(Err(why)) => Err(why.refuse(request.client()).into()),
        }
    }

    /// Refuses a request that another site's page has made, also one of `--allow-origin`. Following a link to the page is no such request:
    /// with `strict` left out, only a page that says which it is is refused.
    pub(super) fn check_own_origin(&self, request: &Request, strict: bool) -> Result<(), Response> {
        if request.is_owner() {
            return Ok(());
        }
        let site = request.header("sec-fetch-site").filter(|_| strict);
        let host = request.header("host").unwrap_or_default();
        let own = Origins::default();
        own.check(request.header("origin"), site, host).map_err(|_| {
            let message = "moderators' addresses answer pages of their own site only";
            Response::from_error(&HttpError::of(ErrorCode::OriginNotAllowed, message))
        })
    }

    /// The page, and the files in its folder.
    fn admin_file(&self, path: &str, request: &Request) -> Result<Response, Response> {
        check_method(request, &["GET", "HEAD"])?;
        if path == "/admin/" {
            let location = format!("{}/admin", self.base);
            return Err(Response::new(308, "text/plain", "").with("Location", location));
        }
        let is_page = path == "/admin";
        self.check_own_origin(request, !is_page)?;
        let path = if is_page { assets::ADMIN } else { path };
        let asset = assets::find(path).ok_or_else(|| not_found(request))?;
        let response = files::response(&asset, request);
        Ok(response
            .with("Cache-Control", "no-cache")
            .with("Content-Security-Policy", ADMIN_POLICY)
            .with("X-Frame-Options", "DENY")
            .with("Cross-Origin-Resource-Policy", "same-origin"))
    }

    fn list_pages(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        self.require_moderator(request)?;
        let query = parse_query(request)?;
        let before = number_parameter(&query, "before", "a sequence number", 0, u64::MAX)?;
        let limit = number_parameter(&query, "limit", "a number from 1 to 100", 1, PAGES_MAX)?;
        let (hub, request) = (self.hub.clone(), request.clone());
        Ok(Reply::Deferred(Box::new(move |respond| {
            let answer = Box::new(move |(pages, more)| {
                respond(Box::new(move || {
                    Response::json(200, to_json(&Pages { pages, more })).compressed(&request)
                }));
            });
            let limit = limit.unwrap_or(PAGES_MAX) as usize;
            let _ = hub.query(HubQuery::Pages(before, limit, answer));
        })))
    }

    fn lock(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        let name = self.require_moderator(request)?;
        let mut body = Body::parse(request)?;
        let page = required(body.page.take(), "page")?;
        let locked = required(body.locked, "locked")?;
        check_page(&page)?;
        let done = if locked { "closed a page" } else { "opened a page" };
        self.measure(Measure::Lock(page.into(), locked), name, done, request)
    }

    fn move_pages(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        let name = self.require_moderator(request)?;
        let mut body = Body::parse(request)?;
        let page = required(body.page.take(), "page")?;
        let to = required(body.to.take(), "to")?;
        check_page(&page)?;
        check_page(&to)?;
        let measure = match body.prefix {
            true => Measure::MovePrefix(page.into(), to.into()),
            false => Measure::Move(vec![(page.into(), to.into())]),
        };
        self.measure(measure, name, "moved pages", request)
    }

    /// Does what only a moderator may, and answers as the hub does.
    fn measure(
        &self,
        measure: Measure,
        name: Arc<str>,
        done: &'static str,
        request: &Request,
    ) -> Result<Reply, Response> {
        let client = request.client();
        let operation = Operation::Moderate(measure, name.clone());
        let build = move |outcome| match outcome {
            Ok(Written { line, .. }) => {
                activity::measured(&name, done, client);
                Response::json(200, line)
            }
            Err(rejection) => Response::from(rejection),
        };
        Ok(self.write(operation, request, Box::new(build)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_these_paths_are_moderators() {
        for path in ["/admin", "/admin/", "/admin/admin.js", "/api/admin", "/api/admin/bans"] {
            assert!(is_admin(path), "{path}");
        }
        for path in ["/", "/administer", "/api/administer", "/api/comments", "/x/admin"] {
            assert!(!is_admin(path), "{path}");
        }
    }
}
