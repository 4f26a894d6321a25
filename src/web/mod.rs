//! What each path does: from a request to an answer, or to a question for the hub and what to answer when it is done.
//!
//! Knows neither sockets nor files, and never waits for the hub: whoever serves calls [`Turn::Later`] and goes on.

pub mod assets;
pub mod backend;
mod comments;
mod files;
mod form;
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

use page::{Kept, see_page};
use preview::Previews;

use crate::{
    cli::config::Config,
    comment::draft::{Message, check_page},
    comment::proof_of_work,
    comment::rejection::Reject,
    http::origin::{self, Origins},
    http::query::{Query, distinct},
    hub::command::{Call, Done, Hub, Part, Read, Reply, Request, What},
    limits::{COUNTED_PAGES_MAX, HISTORY_LINES_MAX},
    store::history::History,
    util::json,
    util::logger,
    web::message::{Answer, Asked, weak_tag},
};

/// Where `sayso compact` asks a running server, on its private socket only.
pub const COMPACT_PATH: &str = "/.compact";
/// Comments on the served page.
const PAGE_COMMENTS: usize = 50;
/// What may be answered about a page of another origin, for this long.
const PREFLIGHT_SECONDS: &str = "600";

/// The hub, as routes ask it.
type HubOfSockets = Hub<Arc<TcpStream>>;
/// What to do when the hub is done; in a thread that may read files.
pub type Finish = Box<dyn FnOnce() -> Answer + Send>;

/// How a request is served.
pub enum Turn {
    /// With this answer.
    Now(Answer),
    /// By giving this somebody who takes what is to be done once the hub is.
    Later(Call<Call<Finish>>),
}

/// Everything that the routes need.
pub struct Site {
    hub: HubOfSockets,
    origins: Origins,
    base: String,
    title: String,
    token: Option<String>,
    challenge: Option<u8>,
    /// There is a limit to how fast somebody may post.
    is_limited: bool,
    /// By page; few enough to look through.
    rendered: Mutex<Vec<(String, Arc<Kept>)>>,
    previews: Previews,
}

impl Site {
    /// The routes of one server; `token` is the moderator's.
    pub fn new(config: &Config, hub: HubOfSockets, token: Option<String>) -> Site {
        Site {
            hub,
            origins: Origins::new(config.allow_origin.clone()),
            base: config.base_path.clone(),
            title: config.title.clone(),
            token,
            challenge: config.challenge,
            is_limited: config.rate.is_some(),
            rendered: Mutex::default(),
            previews: Previews::default(),
        }
    }

    /// Serves one request.
    pub fn serve(self: &Arc<Site>, asked: Asked) -> Turn {
        let asked = Arc::new(asked);
        match self.route(&asked) {
            Ok(Turn::Now(answer)) => Turn::Now(self.dress(answer, &asked)),
            Ok(Turn::Later(start)) => {
                let site = self.clone();
                Turn::Later(Box::new(move |take| {
                    start(Box::new(move |finish| {
                        take(Box::new(move || site.dress(finish(), &asked)))
                    }));
                }))
            }
            Err(answer) => Turn::Now(self.dress(answer, &asked)),
        }
    }

    /// The headers that every answer has.
    fn dress(&self, answer: Answer, asked: &Asked) -> Answer {
        let host = asked.header("host").unwrap_or_default();
        let answer = answer
            .with("X-Content-Type-Options", "nosniff")
            .with("Referrer-Policy", "same-origin")
            .with("Vary", "Origin, Accept-Encoding");
        let is_public =
            answer.headers.iter().any(|(name, _)| *name == "Access-Control-Allow-Origin");
        match self.origins.cross(asked.header("origin"), host) {
            Some(origin) if !is_public => answer
                .with("Access-Control-Allow-Origin", origin)
                .with("Access-Control-Expose-Headers", "ETag, Retry-After"),
            _ => answer,
        }
    }

    fn route(self: &Arc<Site>, asked: &Arc<Asked>) -> Result<Turn, Answer> {
        if asked.path == COMPACT_PATH && asked.client.is_none() {
            allow(asked, &["POST"])?;
            return Ok(self.compact());
        }
        let Some(path) = asked.path.strip_prefix(&*self.base) else { return Err(not_found(asked)) };
        if path.is_empty() {
            let here = format!("{}/", self.base);
            return Err(Answer::new(308, "text/plain", "").with("Location", here));
        }
        let file = if path == "/demo" { assets::DEMO } else { path };
        if let Some(asset) = assets::find(file) {
            allow(asked, &["GET", "HEAD"])?;
            return Ok(Turn::Now(self.asset(&asset, asked)));
        }
        let comment_id = path.strip_prefix("/api/comments/");
        if path.starts_with("/api/") && asked.method == "OPTIONS" {
            return Ok(Turn::Now(self.preflight(asked)));
        }
        match path {
            "/" => {
                allow(asked, &["GET", "HEAD"])?;
                self.page(asked)
            }
            "/api/comments" if asked.method == "POST" => self.post(asked),
            "/api/comments" => {
                allow(asked, &["GET", "HEAD", "POST"])?;
                self.comments(asked)
            }
            "/api/preview" => self.preview(asked),
            "/api/counts" => {
                allow(asked, &["GET", "HEAD"])?;
                self.counts(asked)
            }
            "/healthz" | "/metrics" => {
                allow(asked, &["GET", "HEAD"])?;
                let is_health = path == "/healthz";
                Ok(Turn::Now(if is_health { self.health() } else { self.metrics() }))
            }
            "/ws/comments/" | "/ws/comments" => Err(Answer::error(
                400,
                "this is the address of a WebSocket; connect to it with one",
            )),
            _ => match comment_id {
                Some(id) => match id.strip_suffix("/like") {
                    Some(id) => self.like(id, asked),
                    None => self.change(id, asked),
                },
                None => Err(not_found(asked)),
            },
        }
    }

    fn preflight(&self, asked: &Asked) -> Answer {
        let origin = asked.header("origin");
        if !self.origins.admits(origin, asked.header("host").unwrap_or_default()) {
            return Answer::error(403, &origin::refusal(origin.unwrap_or_default()));
        }
        Answer { status: 204, headers: Vec::new(), body: Vec::new() }
            .with("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE")
            .with("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match")
            .with("Access-Control-Max-Age", PREFLIGHT_SECONDS)
    }

    fn compact(&self) -> Turn {
        let hub = self.hub.clone();
        Turn::Later(Box::new(move |take| {
            let answer = Box::new(move |outcome: Result<(u64, u64), String>| {
                take(Box::new(move || match outcome {
                    Ok((before, now)) => {
                        Answer::json(200, format!("{{\"before\":{before},\"now\":{now}}}"))
                    }
                    Err(why) => Answer::error(503, &why),
                }));
            });
            let _ = hub.ask(Request::Compact(answer));
        }))
    }

    fn comments(self: &Arc<Site>, asked: &Arc<Asked>) -> Result<Turn, Answer> {
        let query = query(asked)?;
        let page = page_of(&query)?;
        let limit = number(&query, "limit", "a number from 1 to 200", 1, HISTORY_LINES_MAX as u64)?;
        let before = number(&query, "before", "a comment's id", 0, u64::MAX)?;
        let since = number(&query, "since", "a sequence number", 0, u64::MAX)?;
        let part = match (before, since) {
            (Some(_), Some(_)) => {
                return Err(Answer::error(400, "before and since can't be asked for together"));
            }
            (_, Some(since)) => Part::Since(since),
            (before, None) => Part::Before(before),
        };
        let moderator = self.is_moderator(asked);
        let limit = limit.map_or(PAGE_COMMENTS, |limit| limit as usize);
        let (asked, challenge) = (asked.clone(), self.challenge);
        Ok(self.read(page, part, limit, moderator, move |history| {
            let body = match history_json(&history, challenge) {
                Ok(body) => body,
                Err(error) => return unreadable(&error),
            };
            let etag = weak_tag(&body);
            Answer::json(200, body).tagged(&etag, &asked)
        }))
    }

    fn counts(self: &Arc<Site>, asked: &Arc<Asked>) -> Result<Turn, Answer> {
        let query = query(asked)?;
        let pages: Vec<String> = query.all("page").map(str::to_owned).collect();
        if pages.is_empty() || pages.len() > COUNTED_PAGES_MAX {
            let sentence = format!(
                "page is given {} times, 1 to {COUNTED_PAGES_MAX} are allowed",
                pages.len()
            );
            return Err(Answer::error(400, &sentence));
        }
        pages
            .iter()
            .try_for_each(|page| check_page(page))
            .map_err(|reject| Answer::reject(&reject, None))?;
        let pages = distinct(pages);
        let (hub, asked) = (self.hub.clone(), asked.clone());
        Ok(Turn::Later(Box::new(move |take| {
            let answer = move |counts: Vec<(String, u64)>| {
                take(Box::new(move || {
                    let body = json::counts(counts.iter().map(|(page, n)| (&**page, *n)));
                    let etag = weak_tag(body.as_bytes());
                    Answer::json(200, body).tagged(&etag, &asked)
                }));
            };
            // An ended hub drops the request, which answers it.
            let _ = hub.ask(Request::Count(pages, Box::new(answer)));
        })))
    }

    fn post(self: &Arc<Site>, asked: &Arc<Asked>) -> Result<Turn, Answer> {
        self.check_origin(asked)?;
        let is_form = asked.content_type() == "application/x-www-form-urlencoded";
        let (message, judged) = match is_form {
            true => form::message(&asked.body, self.is_limited.then(SystemTime::now))?,
            false => (self.json_message(asked)?, Ok(())),
        };
        let judged = judged.and_then(|()| proof_of_work::check(self.challenge, &message));
        let page = message.page.clone().unwrap_or_else(|| "/".to_owned());
        let nonce = message.nonce.clone();
        let (site, from) = (self.clone(), asked.counted());
        let draft = judged.and_then(|()| message.draft(&page));
        Ok(Turn::Later(Box::new(move |take| {
            let hub = site.hub.clone();
            let answer: Call<Result<Done, Reject>> = Box::new(move |outcome| match outcome {
                Err(reject) if is_form => site.form_again(page, message, reject, take),
                outcome => take(Box::new(move || match outcome {
                    Ok(_) if is_form => see_page(&site.base, &page),
                    Ok(done) => Answer::json(status_of(done.what), done.line),
                    Err(reject) => Answer::reject(&reject, nonce.as_deref()),
                })),
            });
            match draft {
                Ok(draft) => {
                    drop(hub.ask(Request::Post { draft, from, reply: Reply::Call(answer) }))
                }
                Err(reject) => answer(Err(reject)),
            }
        })))
    }

    fn read(
        self: &Arc<Site>,
        page: String,
        part: Part,
        limit: usize,
        moderator: bool,
        then: impl FnOnce(History) -> Answer + Send + 'static,
    ) -> Turn {
        let hub = self.hub.clone();
        Turn::Later(Box::new(move |take| {
            let answer = Box::new(move |history| take(Box::new(move || then(history))));
            let _ = hub.ask(Request::Read(Read { page, part, limit, moderator, answer }));
        }))
    }

    fn json_message(&self, asked: &Asked) -> Result<Message, Answer> {
        check_json(asked)?;
        let mut message =
            Message::parse(&asked.body).map_err(|reject| Answer::reject(&reject, None))?;
        if message.key.is_none() && !self.is_moderator(asked) {
            message.key = asked.bearer().map(str::to_owned);
        }
        Ok(message)
    }

    fn check_origin(&self, asked: &Asked) -> Result<(), Answer> {
        let origin = asked.header("origin");
        if self.origins.admits(origin, asked.header("host").unwrap_or_default()) {
            return Ok(());
        }
        let sentence = origin::refusal(origin.unwrap_or_default());
        if logger::is_time() {
            log::warn!("a request was refused: {sentence}");
        }
        Err(Answer::error(403, &sentence))
    }

    /// Whether the moderator's token was shown. Digests are compared, so that the time taken tells nothing about the token.
    fn is_moderator(&self, asked: &Asked) -> bool {
        match (&self.token, asked.bearer()) {
            (Some(token), Some(shown)) => {
                Sha256::digest(token.as_bytes()) == Sha256::digest(shown.as_bytes())
            }
            _ => false,
        }
    }
}

fn status_of(what: What) -> u16 {
    match what {
        What::Posted => 201,
        What::Held => 202,
        What::Known | What::Changed => 200,
    }
}

/// `{"log":…,"seq":…,"comments":[…],"likes":{…},"more":…}`
fn history_json(history: &History, bits: Option<u8>) -> io::Result<Vec<u8>> {
    let mut out = format!("{{\"log\":\"{}\",\"seq\":{},\"comments\":[", history.log, history.seq)
        .into_bytes();
    let mut is_first = true;
    history.read(|_, line| {
        if !std::mem::take(&mut is_first) {
            out.push(b',');
        }
        out.extend_from_slice(line);
    })?;
    let likes = json::likes(&history.likes);
    let (more, challenge) = (history.more, json::challenge(bits));
    out.extend_from_slice(format!("],\"likes\":{likes}{challenge},\"more\":{more}}}").as_bytes());
    Ok(out)
}

fn unreadable(error: &io::Error) -> Answer {
    log::error!("reading comments: {error}");
    Answer::error(503, "comments can't be read now, try again").with("Retry-After", "5")
}

fn not_found(asked: &Asked) -> Answer {
    let path: String = asked.path.chars().take(80).collect();
    Answer::error(404, &format!("there is nothing at {path}"))
}

fn allow(asked: &Asked, methods: &[&str]) -> Result<(), Answer> {
    if methods.contains(&asked.method.as_str()) {
        return Ok(());
    }
    let list = methods.join(", ");
    let method: String = asked.method.chars().take(20).collect();
    Err(Answer::error(405, &format!("{method} does nothing here, {list} do")).with("Allow", list))
}

fn check_json(asked: &Asked) -> Result<(), Answer> {
    let content_type = asked.content_type();
    if content_type == "application/json" {
        return Ok(());
    }
    let sentence =
        format!("content type {content_type:?} is not understood here; send application/json");
    Err(Answer::error(415, &sentence))
}

fn query(asked: &Asked) -> Result<Query, Answer> {
    Query::parse(&asked.query).map_err(|why| Answer::error(400, &why))
}

fn page_of(query: &Query) -> Result<String, Answer> {
    let page = query.get("page").unwrap_or("/");
    check_page(page).map_err(|reject| Answer::reject(&reject, None))?;
    Ok(page.to_owned())
}

fn number(
    query: &Query,
    name: &'static str,
    allowed: &'static str,
    least: u64,
    most: u64,
) -> Result<Option<u64>, Answer> {
    let Some(text) = query.get(name) else { return Ok(None) };
    match text.parse::<u64>() {
        Ok(n) if (least..=most).contains(&n) => Ok(Some(n)),
        _ => {
            let value = text.chars().take(40).collect();
            Err(Answer::reject(&Reject::BadParameter { name, value, allowed }, None))
        }
    }
}
