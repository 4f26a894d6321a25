//! The HTTP routes: turns a request into a response, or into a command for the hub and a function that builds the response.
//!
//! Knows neither sockets nor files, and never waits for the hub: the caller runs [`Reply::Deferred`] and serves the next request.
#![doc = include_str!("README.md")]

mod admin;
pub mod assets;
pub mod backend;
pub(crate) mod bodies;
mod comments;
mod counts;
mod crc32;
mod feed;
mod files;
mod form;
mod gzip;
mod health;
mod history;
pub mod html;
mod like;
mod links;
mod metrics;
mod mine;
mod newest;
mod page;
mod parameters;
mod pinned;
mod posts;
mod preview;
pub mod request;
mod sign_on;

use std::sync::{Arc, Mutex};

use bodies::{Compacted, to_json};
use feed::Format;
use page::CachedPage;
use parameters::{check_method, not_found};
use preview::Previews;

use crate::{
    comment::rejection::Rejection,
    http::error_code::ErrorCode,
    http::origin::{self, Origins},
    http::page_url::PageUrls,
    http::response::Response,
    hub::command::{Callback, HubHandle, Operation, Query as HubQuery, ReplyTo, Write, Written},
    hub::link::Signer,
    hub::moderators::{Moderators, NotModerator, OWNER_NAME},
    hub::sign_on::SignOn,
    util::stream::Stream,
    util::{activity, logger},
    web::request::Request,
};

/// The path at which `sayso compact` reaches a running server, on its control socket only.
pub const COMPACT_PATH: &str = "/.compact";
/// How many comments the served page has, and a history without `limit=`.
const PAGE_COMMENTS: usize = 50;
/// How long browsers may cache the response to a preflight request.
const PREFLIGHT_SECONDS: &str = "600";

/// Builds the response to a request. May read files, so it must not run in the hub's thread.
pub type BuildResponse = Box<dyn FnOnce() -> Response + Send>;

/// How a request is served.
pub enum Reply {
    /// With a response that is complete.
    Ready(Response),
    /// By the hub: sends it a command, and passes on what builds the response once the hub has replied. If the hub has stopped, it
    /// drops the command and with it the callback.
    Deferred(Callback<Callback<BuildResponse>>),
}

/// The options of the routes.
#[derive(Debug, Clone)]
pub struct Options {
    /// Sites that may embed the comments, normalized by [`origin::normalize`].
    pub allow_origin: Vec<String>,
    /// The prefix of every path: empty, or like `/x` or `/x/y`.
    pub base_path: String,
    /// The heading of the served page.
    pub title: String,
    /// Where pages are found from outside.
    pub page_urls: PageUrls,
    /// The moderators, if there may be any.
    pub moderators: Option<Arc<Moderators>>,
    /// What reads the links by which moderators decide from messages, if there are any.
    pub links: Option<Arc<Signer>>,
    /// Who checks users of host pages, if host pages may have any.
    pub sign_on: Option<Arc<SignOn>>,
    /// How many bits of proof of work a new comment needs.
    pub challenge: Option<u8>,
    /// Whether `--rate` limits how fast a client may post.
    pub is_limited: bool,
    /// Whether the page and the demo are served.
    pub has_page: bool,
    /// Whether everybody may read the metrics, and not only programs on this machine.
    pub metrics_are_public: bool,
}

impl Options {
    /// For the owner of the data folder alone, who has no page, no moderators beside them, and no limits.
    pub fn of_owner() -> Options {
        Options {
            allow_origin: Vec::new(),
            base_path: String::new(),
            title: String::new(),
            page_urls: PageUrls::default(),
            moderators: None,
            links: None,
            sign_on: None,
            challenge: None,
            is_limited: false,
            has_page: false,
            metrics_are_public: false,
        }
    }
}

/// All routes and their shared state.
pub struct Router {
    hub: HubHandle<Arc<Stream>>,
    origins: Origins,
    base: String,
    title: String,
    page_urls: PageUrls,
    moderators: Option<Arc<Moderators>>,
    links: Option<Arc<Signer>>,
    sign_on: Option<Arc<SignOn>>,
    challenge: Option<u8>,
    is_limited: bool,
    has_page: bool,
    metrics_are_public: bool,
    /// Rendered pages by name; few enough to search one by one.
    rendered: Mutex<Vec<(String, Arc<CachedPage>)>>,
    previews: Previews,
    admin: admin::Admin,
    /// Searches for one's own comments that run.
    mine_searches: Arc<std::sync::atomic::AtomicUsize>,
    mine_limiter: Mutex<mine::Limiter>,
}

impl Router {
    /// Creates the routes of one server.
    pub fn new(options: Options, hub: HubHandle<Arc<Stream>>) -> Router {
        Router {
            hub,
            origins: Origins::new(options.allow_origin),
            base: options.base_path,
            title: options.title,
            page_urls: options.page_urls,
            moderators: options.moderators,
            links: options.links,
            sign_on: options.sign_on,
            challenge: options.challenge,
            is_limited: options.is_limited,
            has_page: options.has_page,
            metrics_are_public: options.metrics_are_public,
            rendered: Mutex::default(),
            previews: Previews::default(),
            admin: admin::Admin::default(),
            mine_searches: Arc::default(),
            mine_limiter: Mutex::default(),
        }
    }

    /// Serves one request.
    pub fn serve(self: &Arc<Router>, request: Request) -> Reply {
        let request = Arc::new(request);
        match self.route(&request) {
            Ok(Reply::Ready(response)) | Err(response) => {
                Reply::Ready(self.add_common_headers(response, &request))
            }
            Ok(Reply::Deferred(start)) => {
                let router = self.clone();
                Reply::Deferred(Box::new(move |respond| {
                    start(Box::new(move |build| {
                        respond(Box::new(move || router.add_common_headers(build(), &request)))
                    }));
                }))
            }
        }
    }

    /// Adds the headers that every response has.
    fn add_common_headers(&self, response: Response, request: &Request) -> Response {
        // What is not there, bots ask for all the time; a refused origin has a warning of its own.
        let is_noise =
            [ErrorCode::NotFound, ErrorCode::MethodNotAllowed, ErrorCode::OriginNotAllowed]
                .map(ErrorCode::name);
        if let Some(code) = response.code.filter(|code| !is_noise.contains(code)) {
            activity::refused(code, request.client());
        }
        let host = request.header("host").unwrap_or_default();
        let response = response
            .with("X-Content-Type-Options", "nosniff")
            .with("Referrer-Policy", "same-origin")
            .with("Vary", "Origin, Accept-Encoding");
        if self.is_below(links::is_link, request) {
            return links::without_traces(response);
        }
        if self.is_below(admin::is_admin, request) {
            // Nobody else's page may read any of it.
            return admin::without_traces(response);
        }
        let is_public = response.header("Access-Control-Allow-Origin").is_some();
        match self.origins.cors_origin(request.header("origin"), host) {
            Some(origin) if !is_public => response
                .with("Access-Control-Allow-Origin", origin)
                .with("Access-Control-Expose-Headers", "ETag, Retry-After"),
            _ => response,
        }
    }

    /// Whether a request is for one of these paths below the base path.
    fn is_below(&self, is_one: fn(&str) -> bool, request: &Request) -> bool {
        let base = if request.is_owner() { "" } else { &*self.base };
        request.path.strip_prefix(base).is_some_and(is_one)
    }

    fn route(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        if request.path == COMPACT_PATH && request.is_owner() {
            check_method(request, &["POST"])?;
            return Ok(self.compact());
        }
        // Commands don't know what the server's paths begin with.
        let base = if request.is_owner() { "" } else { &*self.base };
        let Some(path) = request.path.strip_prefix(base) else {
            return Err(not_found(request));
        };
        if path.is_empty() {
            let mark = if request.query.is_empty() { "" } else { "?" };
            let location = format!("{}/{mark}{}", self.base, request.query);
            return Err(Response::new(308, "text/plain", "").with("Location", location));
        }
        if admin::is_admin(path) {
            return self.admin(path, request);
        }
        if links::is_link(path) {
            return self.link(path, request);
        }
        if !self.has_page && matches!(path, "/" | "/demo" | assets::DEMO | assets::WALL) {
            let message =
                "there is no page here, only comments for other pages to embed (--no-page)";
            return Err(Response::error(404, message));
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
                self.history(request)
            }
            "/api/preview" => self.preview(request),
            "/api/mine" => self.mine(request),
            "/api/user" => self.user(request),
            "/api/newest" => self.newest(request),
            "/feed.atom" => self.feed(Format::Atom, request),
            "/feed.json" => self.feed(Format::Json, request),
            "/api/counts" => {
                check_method(request, &["GET", "HEAD"])?;
                self.counts(request)
            }
            "/healthz" | "/metrics" => {
                check_method(request, &["GET", "HEAD"])?;
                let is_health = path == "/healthz";
                Ok(Reply::Ready(if is_health { self.health() } else { self.metrics(request)? }))
            }
            "/ws/admin/" | "/ws/admin" if self.moderators.is_none() => Err(not_found(request)),
            "/ws/comments/" | "/ws/comments" | "/ws/admin/" | "/ws/admin" => Err(Response::error(
                400,
                "this is the address of a WebSocket; connect to it with one",
            )),
            _ => match comment_id {
                Some(id) => match (id.strip_suffix("/like"), id.strip_suffix("/flag")) {
                    (Some(id), _) => self.like(id, request),
                    (_, Some(id)) => self.flag(id, request),
                    _ => self.change(id, request),
                },
                None => Err(not_found(request)),
            },
        }
    }

    fn preflight(&self, request: &Request) -> Response {
        let origin = request.header("origin");
        if !self.origins.allows(origin, request.header("host").unwrap_or_default()) {
            return Response::from_error(&origin::refused(
                origin,
                origin::refusal(origin.unwrap_or_default()),
            ));
        }
        Response { status: 204, headers: Vec::new(), body: Vec::new(), code: None }
            .with("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE")
            .with("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match")
            .with("Access-Control-Max-Age", PREFLIGHT_SECONDS)
    }

    fn compact(&self) -> Reply {
        let hub = self.hub.clone();
        Reply::Deferred(Box::new(move |respond| {
            let answer = Box::new(move |outcome: Result<(u64, u64), String>| {
                respond(Box::new(move || match outcome {
                    Ok((before, now)) => Response::json(200, to_json(&Compacted { before, now })),
                    Err(message) => Response::error(503, message),
                }));
            });
            let _ = hub.query(HubQuery::Compact(answer));
        }))
    }

    /// Sends a write to the hub. `build` makes the response from the outcome.
    fn write(
        &self,
        operation: Operation,
        request: &Request,
        build: Box<dyn FnOnce(Result<Written, Rejection>) -> Response + Send>,
    ) -> Reply {
        let (hub, from, client) = (self.hub.clone(), request.client_key(), request.client());
        Reply::Deferred(Box::new(move |respond| {
            let reply = ReplyTo::Callback(Box::new(move |outcome| {
                respond(Box::new(move || build(outcome)));
            }));
            let _ = hub.write(Write { operation, from, client, reply });
        }))
    }

    /// Refuses a request that another site's page has made.
    fn check_origin(&self, request: &Request) -> Result<(), Response> {
        if request.is_owner() {
            return Ok(());
        }
        let (origin, fetch_site) = (request.header("origin"), request.header("sec-fetch-site"));
        let host = request.header("host").unwrap_or_default();
        let Err(message) = self.origins.check(origin, fetch_site, host) else { return Ok(()) };
        let error = origin::refused(origin, message);
        if logger::allow_client_warning() {
            log::warn!("a request was refused: {}", error.message);
        }
        Err(Response::from_error(&error))
    }

    /// The name of the moderator whose token the request has, or why it is nobody's. `None` if it has no token, or there are no moderators.
    /// The owner is a moderator without a token, even if there is no other.
    fn moderator(&self, request: &Request) -> Option<Result<Arc<str>, NotModerator>> {
        if request.is_owner() {
            return Some(Ok(OWNER_NAME.into()));
        }
        let (moderators, token) = (self.moderators.as_ref()?, request.bearer_token()?);
        Some(moderators.check(token, request.client_key()))
    }
}
