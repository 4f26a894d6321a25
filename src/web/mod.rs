//! What each path does: from a request to an answer, or to a question for the hub and what to answer when it is done.
//!
//! Knows neither sockets nor files, and never waits for the hub: whoever serves calls [`Reply::Deferred`] and goes on.
#![doc = include_str!("README.md")]

pub mod assets;
pub mod backend;
mod bodies;
mod comments;
mod files;
mod form;
mod gzip;
mod health;
pub mod html;
mod like;
pub mod message;
mod page;
mod preview;

use std::{
    io,
    net::TcpStream,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use sha2::{Digest, Sha256};

use bodies::{Compacted, history_json, to_json};
use page::{CachedPage, redirect_to_page};
use preview::Previews;

use crate::{
    comment::draft::{ClientMessage, check_page},
    comment::proof_of_work,
    comment::rejection::Rejection,
    comment::server_message::Counts,
    http::origin::{self, Origins},
    http::query::{Query, distinct},
    hub::command::{
        Callback, Cursor, HubHandle, Operation, Query as HubQuery, Range, ReadHistory, ReplyTo,
        Write, WriteKind, Written,
    },
    limits::{COUNTED_PAGES_MAX, HISTORY_LINES_MAX},
    store::history::History,
    util::logger,
    web::message::{Request, Response, weak_tag},
};

/// Where `sayso compact` asks a running server, on its private socket only.
pub const COMPACT_PATH: &str = "/.compact";
/// Comments on the served page.
const PAGE_COMMENTS: usize = 50;
/// What may be answered about a page of another origin, for this long.
const PREFLIGHT_SECONDS: &str = "600";

/// The hub, as routes ask it.
type HubOfSockets = HubHandle<Arc<TcpStream>>;
/// What to do when the hub is done; in a thread that may read files.
pub type Finish = Box<dyn FnOnce() -> Response + Send>;

/// How a request is served.
pub enum Reply {
    /// With this answer.
    Ready(Response),
    /// By giving this somebody who takes what is to be done once the hub is.
    Deferred(Callback<Callback<Finish>>),
}

/// What of the configuration the routes need.
#[derive(Debug, Clone)]
pub struct Options {
    /// Sites that may embed the comments, as [`origin::normalize`] writes them.
    pub allow_origin: Vec<String>,
    /// Empty, or `/x` or `/x/y`: what stands before every path.
    pub base_path: String,
    /// The heading of the served page.
    pub title: String,
    /// The moderator's token.
    pub token: Option<String>,
    /// Bits of the proof of work that a comment needs.
    pub challenge: Option<u8>,
    /// Whether there is a limit to how fast somebody may post.
    pub is_limited: bool,
}

/// Everything that the routes need.
pub struct Router {
    hub: HubOfSockets,
    origins: Origins,
    base: String,
    title: String,
    token: Option<String>,
    challenge: Option<u8>,
    /// There is a limit to how fast somebody may post.
    is_limited: bool,
    /// By page; few enough to look through.
    rendered: Mutex<Vec<(String, Arc<CachedPage>)>>,
    previews: Previews,
}

impl Router {
    /// The routes of one server.
    pub fn new(options: Options, hub: HubOfSockets) -> Router {
        Router {
            hub,
            origins: Origins::new(options.allow_origin),
            base: options.base_path,
            title: options.title,
            token: options.token,
            challenge: options.challenge,
            is_limited: options.is_limited,
            rendered: Mutex::default(),
            previews: Previews::default(),
        }
    }

    /// Serves one request.
    pub fn serve(self: &Arc<Router>, request: Request) -> Reply {
        let request = Arc::new(request);
        match self.route(&request) {
            Ok(Reply::Ready(answer)) => Reply::Ready(self.add_common_headers(answer, &request)),
            Ok(Reply::Deferred(start)) => {
                let router = self.clone();
                Reply::Deferred(Box::new(move |take| {
                    start(Box::new(move |finish| {
                        take(Box::new(move || router.add_common_headers(finish(), &request)))
                    }));
                }))
            }
            Err(answer) => Reply::Ready(self.add_common_headers(answer, &request)),
        }
    }

    /// The headers that every answer has.
    fn add_common_headers(&self, answer: Response, request: &Request) -> Response {
        let host = request.header("host").unwrap_or_default();
        let answer = answer
            .with("X-Content-Type-Options", "nosniff")
            .with("Referrer-Policy", "same-origin")
            .with("Vary", "Origin, Accept-Encoding");
        let is_public =
            answer.headers.iter().any(|(name, _)| *name == "Access-Control-Allow-Origin");
        match self.origins.cors_origin(request.header("origin"), host) {
            Some(origin) if !is_public => answer
                .with("Access-Control-Allow-Origin", origin)
                .with("Access-Control-Expose-Headers", "ETag, Retry-After"),
            _ => answer,
        }
    }

    fn route(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        if request.path == COMPACT_PATH && request.client.is_none() {
            check_method(request, &["POST"])?;
            return Ok(self.compact());
        }
        let Some(path) = request.path.strip_prefix(&*self.base) else {
            return Err(not_found(request));
        };
        if path.is_empty() {
            let here = format!("{}/", self.base);
            return Err(Response::new(308, "text/plain", "").with("Location", here));
        }
        let file = if path == "/demo" { assets::DEMO } else { path };
        if let Some(asset) = assets::find(file) {
            check_method(request, &["GET", "HEAD"])?;
            return Ok(Reply::Ready(self.asset(&asset, request)));
        }
        let comment_id = path.strip_prefix("/api/comments/");
        if path.starts_with("/api/") && request.method == "OPTIONS" {
            return Ok(Reply::Ready(self.preflight(request)));
        }
        match path {
            "/" => {
                check_method(request, &["GET", "HEAD"])?;
                self.page(request)
            }
            "/api/comments" if request.method == "POST" => self.post(request),
            "/api/comments" => {
                check_method(request, &["GET", "HEAD", "POST"])?;
                self.comments(request)
            }
            "/api/preview" => self.preview(request),
            "/api/counts" => {
                check_method(request, &["GET", "HEAD"])?;
                self.counts(request)
            }
            "/healthz" | "/metrics" => {
                check_method(request, &["GET", "HEAD"])?;
                let is_health = path == "/healthz";
                Ok(Reply::Ready(if is_health { self.health() } else { self.metrics() }))
            }
            "/ws/comments/" | "/ws/comments" => Err(Response::error(
                400,
                "this is the address of a WebSocket; connect to it with one",
            )),
            _ => match comment_id {
                Some(id) => match id.strip_suffix("/like") {
                    Some(id) => self.like(id, request),
                    None => self.change(id, request),
                },
                None => Err(not_found(request)),
            },
        }
    }

    fn preflight(&self, request: &Request) -> Response {
        let origin = request.header("origin");
        if !self.origins.allows(origin, request.header("host").unwrap_or_default()) {
            return Response::error(403, &origin::refusal(origin.unwrap_or_default()));
        }
        Response { status: 204, headers: Vec::new(), body: Vec::new() }
            .with("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE")
            .with("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match")
            .with("Access-Control-Max-Age", PREFLIGHT_SECONDS)
    }

    fn compact(&self) -> Reply {
        let hub = self.hub.clone();
        Reply::Deferred(Box::new(move |take| {
            let answer = Box::new(move |outcome: Result<(u64, u64), String>| {
                take(Box::new(move || match outcome {
                    Ok((before, now)) => Response::json(200, to_json(&Compacted { before, now })),
                    Err(why) => Response::error(503, &why),
                }));
            });
            let _ = hub.query(HubQuery::Compact(answer));
        }))
    }

    fn comments(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        let query = query(request)?;
        let page = page_of(&query)?;
        let limit = number(&query, "limit", "a number from 1 to 200", 1, HISTORY_LINES_MAX as u64)?;
        let before = number(&query, "before", "a comment's id", 0, u64::MAX)?;
        let since = number(&query, "since", "a sequence number", 0, u64::MAX)?;
        let part = match (before, since) {
            (Some(_), Some(_)) => {
                return Err(Response::error(400, "before and since can't be asked for together"));
            }
            (_, Some(since)) => Range::Since(cursor(&query, since)),
            (before, None) => Range::Before(before),
        };
        let moderator = self.is_moderator(request);
        let limit = limit.map_or(PAGE_COMMENTS, |limit| limit as usize);
        let (request, challenge) = (request.clone(), self.challenge);
        Ok(self.read(page, part, limit, moderator, move |history| {
            let body = match history_json(&history, challenge) {
                Ok(body) => body,
                Err(error) => return unreadable(&error),
            };
            let etag = weak_tag(&body);
            Response::json(200, body).with_etag(&etag, &request).compressed(&request)
        }))
    }

    fn counts(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        let query = query(request)?;
        let pages: Vec<String> = query.all("page").map(str::to_owned).collect();
        if pages.is_empty() || pages.len() > COUNTED_PAGES_MAX {
            let sentence = format!(
                "page is given {} times, 1 to {COUNTED_PAGES_MAX} are allowed",
                pages.len()
            );
            return Err(Response::error(400, &sentence));
        }
        pages
            .iter()
            .try_for_each(|page| check_page(page))
            .map_err(|reject| Response::reject(&reject, None))?;
        let pages = distinct(pages);
        let (hub, request) = (self.hub.clone(), request.clone());
        Ok(Reply::Deferred(Box::new(move |take| {
            let answer = move |counts: Vec<(String, u64)>| {
                take(Box::new(move || {
                    let body = to_json(&Counts(&counts));
                    let etag = weak_tag(&body);
                    Response::json(200, body).with_etag(&etag, &request)
                }));
            };
            // An ended hub drops the request, which answers it.
            let _ = hub.query(HubQuery::Count(pages, Box::new(answer)));
        })))
    }

    fn post(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        self.check_origin(request)?;
        let is_form = request.content_type() == "application/x-www-form-urlencoded";
        let (message, judged) = match is_form {
            true => form::message(&request.body, self.is_limited.then(SystemTime::now))?,
            false => (self.json_message(request)?, Ok(())),
        };
        let judged = judged.and_then(|()| proof_of_work::check(self.challenge, &message));
        let page = message.page.clone().unwrap_or_else(|| "/".to_owned());
        let nonce = message.nonce.clone();
        let (router, from) = (self.clone(), request.counted());
        let draft = judged.and_then(|()| message.draft(&page));
        Ok(Reply::Deferred(Box::new(move |take| {
            let hub = router.hub.clone();
            let answer: Callback<Result<Written, Rejection>> =
                Box::new(move |outcome| match outcome {
                    Err(reject) if is_form => router.redisplay_form(page, message, reject, take),
                    outcome => take(Box::new(move || match outcome {
                        Ok(_) if is_form => redirect_to_page(&router.base, &page),
                        Ok(done) => Response::json(status_of(done.what), done.line),
                        Err(reject) => Response::reject(&reject, nonce.as_deref()),
                    })),
                });
            match draft {
                Ok(draft) => drop(hub.write(Write {
                    operation: Operation::Post(draft),
                    from,
                    reply: ReplyTo::Callback(answer),
                })),
                Err(reject) => answer(Err(reject)),
            }
        })))
    }

    fn read(
        self: &Arc<Router>,
        page: String,
        part: Range,
        limit: usize,
        moderator: bool,
        then: impl FnOnce(History) -> Response + Send + 'static,
    ) -> Reply {
        let hub = self.hub.clone();
        Reply::Deferred(Box::new(move |take| {
            let answer = Box::new(move |read: Result<History, Rejection>| {
                take(Box::new(move || match read {
                    Ok(history) => then(history),
                    Err(reject) => Response::reject(&reject, None),
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

    fn json_message(&self, request: &Request) -> Result<ClientMessage, Response> {
        check_json(request)?;
        let mut message = ClientMessage::parse(&request.body)
            .map_err(|reject| Response::reject(&reject, None))?;
        if message.key.is_none() && !self.is_moderator(request) {
            message.key = request.bearer().map(str::to_owned);
        }
        Ok(message)
    }

    fn check_origin(&self, request: &Request) -> Result<(), Response> {
        let origin = request.header("origin");
        if self.origins.allows(origin, request.header("host").unwrap_or_default()) {
            return Ok(());
        }
        let sentence = origin::refusal(origin.unwrap_or_default());
        if logger::allow_client_warning() {
            log::warn!("a request was refused: {sentence}");
        }
        Err(Response::error(403, &sentence))
    }

    /// Whether the moderator's token was shown. Digests are compared, so that the time taken tells nothing about the token.
    fn is_moderator(&self, request: &Request) -> bool {
        match (&self.token, request.bearer()) {
            (Some(token), Some(shown)) => {
                Sha256::digest(token.as_bytes()) == Sha256::digest(shown.as_bytes())
            }
            _ => false,
        }
    }
}

fn status_of(what: WriteKind) -> u16 {
    match what {
        WriteKind::Posted => 201,
        WriteKind::Held => 202,
        WriteKind::Known | WriteKind::Changed => 200,
    }
}

fn unreadable(error: &io::Error) -> Response {
    log::error!("reading comments: {error}");
    Response::error(503, "comments can't be read now, try again").with("Retry-After", "5")
}

fn not_found(request: &Request) -> Response {
    let path: String = request.path.chars().take(80).collect();
    Response::error(404, &format!("there is nothing at {path}"))
}

fn check_method(request: &Request, methods: &[&str]) -> Result<(), Response> {
    if methods.contains(&request.method.as_str()) {
        return Ok(());
    }
    let list = methods.join(", ");
    let method: String = request.method.chars().take(20).collect();
    Err(Response::error(405, &format!("method {method} is not allowed; use {list}"))
        .with("Allow", list))
}

fn check_json(request: &Request) -> Result<(), Response> {
    let content_type = request.content_type();
    if content_type == "application/json" {
        return Ok(());
    }
    let sentence =
        format!("content type {content_type:?} is not understood here; send application/json");
    Err(Response::error(415, &sentence))
}

fn query(request: &Request) -> Result<Query, Response> {
    Query::parse(&request.query).map_err(|why| Response::error(400, &why))
}

fn page_of(query: &Query) -> Result<String, Response> {
    let page = query.get("page").unwrap_or("/");
    check_page(page).map_err(|reject| Response::reject(&reject, None))?;
    Ok(page.to_owned())
}

/// Where a client that asks on stands; `log` counts with `mark` only.
fn cursor(query: &Query, since: u64) -> Cursor {
    let mark = query.get("mark").map(str::to_owned);
    let log = query.get("log").filter(|_| mark.is_some()).map(str::to_owned);
    Cursor { since, log, mark }
}

fn number(
    query: &Query,
    name: &'static str,
    allowed: &'static str,
    least: u64,
    most: u64,
) -> Result<Option<u64>, Response> {
    let Some(text) = query.get(name) else { return Ok(None) };
    match text.parse::<u64>() {
        Ok(n) if (least..=most).contains(&n) => Ok(Some(n)),
        _ => {
            let value = text.chars().take(40).collect();
            Err(Response::reject(&Rejection::BadParameter { name, value, allowed }, None))
        }
    }
}
