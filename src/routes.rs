//! What each path does: from a request to an answer, or to a question for the hub and what to answer when it is done.
//!
//! Knows neither sockets nor files, and never waits for the hub: whoever serves calls [`Turn::Later`] and goes on.

use std::{
    collections::HashMap,
    io,
    net::TcpStream,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::Ordering::Relaxed,
    },
};

use sha2::{Digest, Sha256};

use crate::{
    address::Counted,
    assets,
    comment::{Comment, Status},
    config::Config,
    draft::{Message, Text, author, check_page},
    history::History,
    http::{Answer, Asked},
    limits::{COUNTED_PAGES_MAX, HISTORY_LINES_MAX},
    origin::{self, Origins},
    page::{Rendered, View, render},
    query::{Query, encode},
    reject::Reject,
    request::{By, Call, Change, Done, Hub, Part, Read, Reply, Request, What},
};

/// Comments on the served page.
const PAGE_COMMENTS: usize = 50;
/// Bytes of a rendered page: with its headers below the 1 MiB that the relay passes on.
const PAGE_BYTES_MAX: usize = 1_000_000;
/// Rendered pages that are kept: the ones that are read now, not all there are.
const RENDERED_PAGES_MAX: usize = 64;
/// Bytes of random in a form's hidden nonce; 22 characters of base64url.
const FORM_NONCE_BYTES: usize = 16;
/// Nothing but sayso's own script and style, no frames elsewhere.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'self'";
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
    rendered: Mutex<HashMap<String, Arc<Kept>>>,
}

/// A page that was rendered, without its form's nonce.
struct Kept {
    page: Rendered,
    seq: u64,
    /// The log's highest `seq` before it was found that the page has nothing newer.
    checked: u64,
    etag: String,
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
            rendered: Mutex::default(),
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
                    start(Box::new(move |finish| take(Box::new(move || site.dress(finish(), &asked)))));
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
        let is_public = answer.headers.iter().any(|(name, _)| *name == "Access-Control-Allow-Origin");
        match self.origins.cross(asked.header("origin"), host) {
            Some(origin) if !is_public => answer
                .with("Access-Control-Allow-Origin", origin)
                .with("Access-Control-Expose-Headers", "ETag, Retry-After"),
            _ => answer,
        }
    }

    fn route(self: &Arc<Site>, asked: &Arc<Asked>) -> Result<Turn, Answer> {
        let Some(path) = asked.path.strip_prefix(&*self.base) else { return Err(not_found(asked)) };
        if path.is_empty() {
            return Err(Answer::new(308, "text/plain", "").with("Location", format!("{}/", self.base)));
        }
        if let Some(asset) = assets::find(path) {
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
            "/api/counts" => {
                allow(asked, &["GET", "HEAD"])?;
                self.counts(asked)
            }
            "/healthz" => Ok(Turn::Now(self.health())),
            "/metrics" => Ok(Turn::Now(self.metrics())),
            "/ws/comments/" | "/ws/comments" => {
                Err(Answer::error(400, "this is the address of a WebSocket; connect to it with one"))
            }
            _ => match comment_id {
                Some(id) => self.change(id, asked),
                None => Err(not_found(asked)),
            },
        }
    }

    fn asset(&self, asset: &assets::Asset, asked: &Asked) -> Answer {
        let etag = format!("\"{:08x}-{:x}\"", crc32c::crc32c(asset.bytes), asset.bytes.len());
        // Scripts of type module and fetched styles need leave to be used elsewhere; these hold nothing of anybody.
        Answer::new(200, asset.content_type, asset.bytes)
            .with("Cache-Control", "max-age=300")
            .with("Access-Control-Allow-Origin", "*")
            .with("Cross-Origin-Resource-Policy", "cross-origin")
            .tagged(&etag, asked)
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

    fn comments(self: &Arc<Site>, asked: &Arc<Asked>) -> Result<Turn, Answer> {
        let query = query(asked)?;
        let page = page_of(&query)?;
        let limit = number(&query, "limit", "a number from 1 to 200", 1, HISTORY_LINES_MAX as u64)?;
        let before = number(&query, "before", "a comment's id", 0, u64::MAX)?;
        let since = number(&query, "since", "a sequence number", 0, u64::MAX)?;
        let part = match (before, since) {
            (Some(_), Some(_)) => return Err(Answer::error(400, "before and since can't be asked for together")),
            (_, Some(since)) => Part::Since(since),
            (before, None) => Part::Before(before),
        };
        let moderator = self.is_moderator(asked);
        let limit = limit.map_or(PAGE_COMMENTS, |limit| limit as usize);
        let asked = asked.clone();
        Ok(self.read(page, part, limit, moderator, move |history| {
            let body = match history_json(&history) {
                Ok(body) => body,
                Err(error) => return unreadable(&error),
            };
            let etag = format!("W/\"{:08x}-{:x}\"", crc32c::crc32c(&body), body.len());
            Answer::json(200, body).tagged(&etag, &asked)
        }))
    }

    fn counts(self: &Arc<Site>, asked: &Arc<Asked>) -> Result<Turn, Answer> {
        let query = query(asked)?;
        let pages: Vec<String> = query.all("page").map(str::to_owned).collect();
        if pages.is_empty() || pages.len() > COUNTED_PAGES_MAX {
            let sentence = format!("page is given {} times, 1 to {COUNTED_PAGES_MAX} are allowed", pages.len());
            return Err(Answer::error(400, &sentence));
        }
        pages.iter().try_for_each(|page| check_page(page)).map_err(|reject| Answer::reject(&reject, None))?;
        let (hub, asked) = (self.hub.clone(), asked.clone());
        Ok(Turn::Later(Box::new(move |take| {
            let answer = move |counts: Vec<(String, u64)>| {
                take(Box::new(move || {
                    let counts: serde_json::Map<_, _> = counts.into_iter().map(|(page, n)| (page, n.into())).collect();
                    let body = serde_json::Value::from(counts).to_string();
                    let etag = format!("W/\"{:08x}-{:x}\"", crc32c::crc32c(body.as_bytes()), body.len());
                    Answer::json(200, body).tagged(&etag, &asked)
                }));
            };
            // An ended hub drops the request, which answers it.
            let _ = hub.ask(Request::Count(pages, Box::new(answer)));
        })))
    }

    fn page(self: &Arc<Site>, asked: &Arc<Asked>) -> Result<Turn, Answer> {
        let query = query(asked)?;
        let page = page_of(&query)?;
        let before = number(&query, "before", "a comment's id", 0, u64::MAX)?;
        let checked = self.hub.pulse.seq.load(Relaxed);
        let kept = before.is_none().then(|| self.kept(&page)).flatten();
        if let Some(kept) = kept.filter(|kept| kept.checked == checked) {
            return Ok(Turn::Now(kept.answer(asked)));
        }
        let (site, asked) = (self.clone(), asked.clone());
        Ok(self.read(page.clone(), Part::Before(before), PAGE_COMMENTS, false, move |history| {
            match site.keep(&page, &history, checked, before.is_none()) {
                Ok(kept) => kept.answer(&asked),
                Err(error) => unreadable(&error),
            }
        }))
    }

    fn kept(&self, page: &str) -> Option<Arc<Kept>> {
        self.rendered.lock().unwrap_or_else(PoisonError::into_inner).get(page).cloned()
    }

    /// The rendering of what the hub said, made anew only if the page has changed.
    fn keep(&self, page: &str, history: &History, checked: u64, is_newest: bool) -> io::Result<Arc<Kept>> {
        let old = self.kept(page).filter(|kept| is_newest && kept.seq == history.seq);
        let (rendered, etag) = match old {
            Some(kept) => (Rendered { head: kept.page.head.clone(), tail: kept.page.tail.clone() }, kept.etag.clone()),
            None => {
                let rendered = self.render(page, history, None)?;
                let crc = crc32c::crc32c_append(crc32c::crc32c(rendered.head.as_bytes()), rendered.tail.as_bytes());
                (rendered, format!("W/\"{}-{}-{crc:08x}\"", history.log, history.seq))
            }
        };
        let kept = Arc::new(Kept { page: rendered, seq: history.seq, checked, etag });
        if is_newest {
            let mut all = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= RENDERED_PAGES_MAX && !all.contains_key(page) {
                all.clear();
            }
            all.insert(page.to_owned(), kept.clone());
        }
        Ok(kept)
    }

    fn render(&self, page: &str, history: &History, refused: Option<(&Message, &str)>) -> io::Result<Rendered> {
        let mut comments = Vec::new();
        history.read(|_, line| comments.extend(Comment::parse(line)))?;
        let mut more = history.more;
        loop {
            let rendered = render(&View {
                title: &self.title,
                page,
                base: &self.base,
                log: &history.log,
                seq: history.seq,
                count: history.count,
                comments: &comments,
                more,
                note: refused.map(|(_, note)| note),
                name: refused.and_then(|(message, _)| message.name.as_deref()).unwrap_or_default(),
                draft: refused.and_then(|(message, _)| message.content.as_deref()).unwrap_or_default(),
            });
            if rendered.head.len() + rendered.tail.len() <= PAGE_BYTES_MAX || comments.is_empty() {
                return Ok(rendered);
            }
            // Longest texts, all of them: show fewer, the rest is behind "older comments".
            comments.drain(..comments.len().div_ceil(2));
            more = true;
        }
    }

    fn post(self: &Arc<Site>, asked: &Arc<Asked>) -> Result<Turn, Answer> {
        self.check_origin(asked)?;
        let is_form = asked.content_type() == "application/x-www-form-urlencoded";
        let message = if is_form { form_message(&asked.body)? } else { self.json_message(asked)? };
        let page = message.page.clone().unwrap_or_else(|| "/".to_owned());
        let nonce = message.nonce.clone();
        let (site, from) = (self.clone(), Counted::of(asked.client));
        let draft = message.draft(&page);
        Ok(Turn::Later(Box::new(move |take| {
            let hub = site.hub.clone();
            let answer: Call<Result<Done, Reject>> = Box::new(move |outcome| {
                take(Box::new(move || match outcome {
                    Ok(_) if is_form => see_page(&site.base, &page),
                    Ok(done) => Answer::json(status_of(done.what), done.line),
                    Err(reject) if is_form => site.form_again(&page, &message, &reject),
                    Err(reject) => Answer::reject(&reject, nonce.as_deref()),
                }));
            });
            match draft {
                Ok(draft) => drop(hub.ask(Request::Post { draft, from, reply: Reply::Call(answer) })),
                Err(reject) => answer(Err(reject)),
            }
        })))
    }

    /// The page with what was typed and why it was refused. Waits for the hub: not on the way of anybody else.
    fn form_again(&self, page: &str, message: &Message, reject: &Reject) -> Answer {
        let (sender, history) = crossbeam_channel::bounded(1);
        let answer = Box::new(move |history| drop(sender.try_send(history)));
        let shown = if check_page(page).is_ok() { page } else { "/" };
        let read = Read { page: shown.to_owned(), part: Part::Before(None), limit: PAGE_COMMENTS, moderator: false, answer };
        let note = reject.to_string();
        let rendered = self.hub.ask(Request::Read(read)).ok().and_then(|()| history.recv().ok()).map(|history| {
            self.render(shown, &history, Some((message, &note)))
        });
        match rendered {
            Some(Ok(rendered)) => {
                let answer = page_answer(reject.status(), &rendered).with("Cache-Control", "no-store");
                match reject.retry_after() {
                    Some(seconds) => answer.with("Retry-After", seconds.to_string()),
                    None => answer,
                }
            }
            Some(Err(error)) => unreadable(&error),
            None => Answer::reject(reject, None),
        }
    }

    fn change(self: &Arc<Site>, id: &str, asked: &Arc<Asked>) -> Result<Turn, Answer> {
        allow(asked, &["PATCH", "DELETE"])?;
        self.check_origin(asked)?;
        let number = id.parse::<u64>().ok().filter(|_| id.bytes().all(|b| b.is_ascii_digit()));
        let id = number.ok_or_else(|| not_found(asked))?;
        let moderator = self.is_moderator(asked);
        let (change, key) = match asked.method.as_str() {
            "DELETE" => (Change::Delete, None),
            _ => {
                let message = self.json_message(asked)?;
                (change_of(&message).map_err(|reject| Answer::reject(&reject, None))?, message.key)
            }
        };
        let key = if moderator { key.as_deref() } else { asked.bearer().or(key.as_deref()) };
        let author = author(key).map_err(|reject| Answer::reject(&reject, None))?;
        let (hub, from, by) = (self.hub.clone(), Counted::of(asked.client), By { author, moderator });
        Ok(Turn::Later(Box::new(move |take| {
            let answer: Call<Result<Done, Reject>> = Box::new(move |outcome| {
                take(Box::new(move || match outcome {
                    Ok(done) => Answer::json(200, done.line),
                    Err(reject) => Answer::reject(&reject, None),
                }));
            });
            let _ = hub.ask(Request::Change { id, change, by, from, reply: Reply::Call(answer) });
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
        let content_type = asked.content_type();
        if content_type != "application/json" {
            let sentence = format!("content type {content_type:?} is not understood; send application/json or a form");
            return Err(Answer::error(415, &sentence));
        }
        let mut message = Message::parse(&asked.body).map_err(|reject| Answer::reject(&reject, None))?;
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
        log::warn!("a request was refused: {sentence}");
        Err(Answer::error(403, &sentence))
    }

    /// Whether the moderator's token was shown. Digests are compared, so that the time taken tells nothing about the token.
    fn is_moderator(&self, asked: &Asked) -> bool {
        match (&self.token, asked.bearer()) {
            (Some(token), Some(shown)) => Sha256::digest(token.as_bytes()) == Sha256::digest(shown.as_bytes()),
            _ => false,
        }
    }

    fn health(&self) -> Answer {
        let pulse = &self.hub.pulse;
        match pulse.failed.get() {
            Some(why) => Answer::json(503, serde_json::json!({ "status": "failing", "reasons": [why] }).to_string()),
            None if pulse.full.load(Relaxed) => {
                let body = serde_json::json!({ "status": "ok", "warnings": ["storage was full at the last post"] });
                Answer::json(200, body.to_string())
            }
            None => Answer::json(200, "{\"status\":\"ok\"}"),
        }
        .with("Cache-Control", "no-store")
    }

    fn metrics(&self) -> Answer {
        let pulse = &self.hub.pulse;
        let rows = [
            ("sayso_comments", "gauge", "Comments in the log, deleted ones included.", pulse.comments.load(Relaxed)),
            ("sayso_readers", "gauge", "Open WebSockets.", pulse.readers.load(Relaxed)),
            ("sayso_seq", "counter", "Highest durable sequence number.", pulse.seq.load(Relaxed)),
            ("sayso_storage_full", "gauge", "1 if the last post found no room.", pulse.full.load(Relaxed).into()),
            ("sayso_storage_failed", "gauge", "1 if storage can't be trusted.", pulse.failed.get().is_some().into()),
        ];
        let text: String = rows
            .iter()
            .map(|(name, kind, help, value)| format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"))
            .collect();
        Answer::new(200, "text/plain; version=0.0.4", text).with("Cache-Control", "no-store")
    }
}

impl Kept {
    fn answer(&self, asked: &Asked) -> Answer {
        if asked.has(&self.etag) {
            return Answer::new(304, "text/html; charset=utf-8", "").with("Cache-Control", "no-cache").with("ETag", &*self.etag);
        }
        page_answer(200, &self.page).with("ETag", &*self.etag)
    }
}

fn page_answer(status: u16, page: &Rendered) -> Answer {
    let mut random = [0; FORM_NONCE_BYTES];
    getrandom::fill(&mut random).expect("the operating system has random bytes once it has booted");
    let nonce = data_encoding::BASE64URL_NOPAD.encode(&random);
    let body = [&*page.head, &nonce, &page.tail].concat();
    Answer::new(status, "text/html; charset=utf-8", body)
        .with("Cache-Control", "no-cache")
        .with("Content-Security-Policy", PAGE_POLICY)
}

fn see_page(base: &str, page: &str) -> Answer {
    Answer::new(303, "text/plain", "").with("Location", format!("{base}/?page={}", encode(page))).with("Cache-Control", "no-store")
}

fn status_of(what: What) -> u16 {
    match what {
        What::Posted => 201,
        What::Held => 202,
        What::Known | What::Changed => 200,
    }
}

fn change_of(message: &Message) -> Result<Change, Reject> {
    match message.status.as_deref() {
        Some("public") => Ok(Change::Status(Status::Public)),
        Some("hidden") => Ok(Change::Status(Status::Hidden)),
        Some(other) => {
            let value = other.chars().take(40).collect();
            Err(Reject::BadParameter { name: "status", value, allowed: "public or hidden" })
        }
        None => Ok(Change::Text(Text::of(message.content.as_deref())?)),
    }
}

/// A form's fields. Its nonce is made from the hidden one and from what was written: sent twice, it is one comment; going back
/// and writing something else is another.
fn form_message(body: &[u8]) -> Result<Message, Answer> {
    let bad = |why: String| Answer::error(400, &why);
    let text = str::from_utf8(body).map_err(|_| bad("the form is not UTF-8".into()))?;
    let form = Query::parse(text).map_err(bad)?;
    let field = |name| form.get(name).map(str::to_owned);
    let parent = field("parent").filter(|parent| !parent.is_empty()).map(|parent| parent.parse());
    let parent = parent.transpose().map_err(|_| bad("parent is no comment's id".into()))?;
    let mut message = Message {
        page: field("page"),
        content: field("content"),
        name: field("name"),
        parent,
        key: field("key").filter(|key| !key.is_empty()),
        nonce: field("nonce").filter(|nonce| !nonce.is_empty()),
        ..Message::default()
    };
    if let Some(hidden) = &message.nonce {
        let written = [message.page.as_deref(), message.name.as_deref(), message.content.as_deref()];
        let mut digest = Sha256::new().chain_update(hidden);
        for part in written {
            digest.update([0]);
            digest.update(part.unwrap_or_default());
        }
        digest.update(message.parent.unwrap_or_default().to_be_bytes());
        message.nonce = Some(data_encoding::BASE64URL_NOPAD.encode(&digest.finalize()[..FORM_NONCE_BYTES]));
    }
    Ok(message)
}

/// `{"log":…,"seq":…,"comments":[…],"more":…}`
fn history_json(history: &History) -> io::Result<Vec<u8>> {
    let mut out = format!("{{\"log\":\"{}\",\"seq\":{},\"comments\":[", history.log, history.seq).into_bytes();
    let mut is_first = true;
    history.read(|_, line| {
        if !std::mem::take(&mut is_first) {
            out.push(b',');
        }
        out.extend_from_slice(line);
    })?;
    out.extend_from_slice(format!("],\"more\":{}}}", history.more).as_bytes());
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

fn query(asked: &Asked) -> Result<Query, Answer> {
    Query::parse(&asked.query).map_err(|why| Answer::error(400, &why))
}

fn page_of(query: &Query) -> Result<String, Answer> {
    let page = query.get("page").unwrap_or("/");
    check_page(page).map_err(|reject| Answer::reject(&reject, None))?;
    Ok(page.to_owned())
}

fn number(query: &Query, name: &'static str, allowed: &'static str, least: u64, most: u64) -> Result<Option<u64>, Answer> {
    let Some(text) = query.get(name) else { return Ok(None) };
    match text.parse::<u64>() {
        Ok(n) if (least..=most).contains(&n) => Ok(Some(n)),
        _ => {
            let value = text.chars().take(40).collect();
            Err(Answer::reject(&Reject::BadParameter { name, value, allowed }, None))
        }
    }
}
