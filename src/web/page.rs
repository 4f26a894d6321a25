//! `GET /`: the served page, which is rendered once for each change and cached, and whose form works without JavaScript.
//!
//! Knows no other path.

use std::{
    io,
    sync::{Arc, OnceLock, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant, SystemTime},
};

use crc32c::{crc32c, crc32c_append};

use super::{
    BuildResponse, PAGE_COMMENTS, Reply, Router, form,
    history::unreadable,
    parameters::{number_parameter, page_parameter, parse_query},
    pinned::newest_with_pinned,
};
use crate::{
    comment::Comment,
    comment::draft::{ClientMessage, check_page},
    comment::rejection::Rejection,
    http::query::encode,
    http::response::Response,
    hub::command::{Callback, Command, Edge, HistoryRange, Query as HubQuery},
    limits::THREADS_MAX,
    store::history::History,
    web::assets,
    web::gzip::Template,
    web::html::{Rendered, View, namesake::namesake, render},
    web::request::Request,
};

/// The longest rendered page, in bytes. With its headers it stays below [`RESPONSE_BYTES_MAX`](crate::http::response::RESPONSE_BYTES_MAX).
const PAGE_BYTES_MAX: usize = 1_000_000;
/// For how long a page is taken for unchanged while nothing is written to the log: with `--close-after` it closes by itself.
const UNCHANGED_FOR: Duration = Duration::from_secs(60);
/// How many rendered pages are cached: those that are read at the moment.
const RENDERED_PAGES_MAX: usize = 64;
/// Allows only sayso's own scripts and styles, and frames on the same site.
pub(super) const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'self'";

/// A rendered page without the nonce of its form.
pub(super) struct CachedPage {
    rendering: Arc<Rendering>,
    seq: u64,
    likes: Vec<(u64, u64)>,
    locked: bool,
    moderators: Vec<String>,
    /// The highest `seq` of the log when the page was last found unchanged, and when that was.
    checked_seq: u64,
    checked_at: Instant,
}

/// The document, plain and compressed.
struct Rendering {
    plain: Rendered,
    /// Compressed for the first client that accepts gzip.
    gzip: OnceLock<Template>,
    /// The same for both forms; weak, since the nonce differs in each response.
    etag: String,
}

impl Router {
    pub(super) fn page(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        let query = parse_query(request)?;
        if query.get("view") == Some("wall") {
            let wall = assets::find(assets::WALL).expect("the wall is embedded");
            return Ok(Reply::Ready(self.asset(&wall, request)));
        }
        let page = page_parameter(&query)?;
        let id = |name| number_parameter(&query, name, "a comment's id", 0, u64::MAX);
        let (before, after, thread) = (id("before")?, id("after")?, id("thread")?);
        let range = match thread {
            Some(id) => HistoryRange::Thread { id, after: after.unwrap_or(0), with_first: true },
            None => HistoryRange::Threads(Edge::Before(before), THREADS_MAX),
        };
        let is_newest = before.is_none() && thread.is_none();
        let log_seq = self.hub.stats.seq.load(Relaxed);
        let cached = is_newest.then(|| self.find_cached(&page)).flatten();
        if let Some(cached) = cached.filter(|cached| cached.is_fresh(log_seq)) {
            return Ok(Reply::Ready(cached.respond(request, self.hub.stats.now())));
        }
        let (router, request) = (self.clone(), request.clone());
        let name = page.clone();
        let thread = thread.map(|_| after.unwrap_or(0));
        let build = move |histories: Vec<History>| match router
            .render_cached(&page, thread, &histories, log_seq, is_newest)
        {
            Ok(cached) => cached.respond(&request, router.hub.stats.now()),
            Err(error) => unreadable(&error),
        };
        if is_newest {
            return Ok(self.read_newest(name, build));
        }
        let build = Box::new(move |history| build(vec![history]));
        Ok(self.read_history(name, range, PAGE_COMMENTS, false, build))
    }

    /// Asks the hub for the newest threads of a page and those of its pinned comments.
    fn read_newest(
        &self,
        page: String,
        build: impl FnOnce(Vec<History>) -> Response + Send + 'static,
    ) -> Reply {
        let hub = self.hub.clone();
        Reply::Deferred(Box::new(move |respond| {
            let done = Box::new(move |read: Result<Vec<History>, Rejection>| {
                respond(Box::new(move || read.map_or_else(Response::from, build)));
            });
            let read = newest_with_pinned(hub.clone(), page, done);
            let _ = hub.query(HubQuery::ReadHistory(read));
        }))
    }

    fn find_cached(&self, page: &str) -> Option<Arc<CachedPage>> {
        let all = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|(name, _)| name == page).map(|(_, cached)| cached.clone())
    }

    /// Renders a history, or reuses the cached rendering if the page has not changed. Caches only the newest comments of a page.
    /// `thread`: see [`View::thread_after`].
    fn render_cached(
        &self,
        page: &str,
        thread: Option<u64>,
        histories: &[History],
        checked_seq: u64,
        is_newest: bool,
    ) -> io::Result<Arc<CachedPage>> {
        let (history, moderators) = (&histories[0], self.moderator_names());
        let unchanged = self.find_cached(page).filter(|cached| {
            is_newest
                && cached.seq == history.seq
                && cached.likes == history.likes
                && cached.locked == history.locked
                && cached.moderators == moderators
        });
        let rendering = match unchanged {
            Some(cached) => cached.rendering.clone(),
            None => {
                let plain = self.render(page, thread, histories, is_newest, None)?;
                let crc = crc32c_append(crc32c(plain.head.as_bytes()), plain.tail.as_bytes());
                let etag = format!("W/\"{}-{}-{crc:08x}\"", history.log, history.seq);
                Arc::new(Rendering { plain, gzip: OnceLock::new(), etag })
            }
        };
        let cached = Arc::new(CachedPage {
            rendering,
            seq: history.seq,
            likes: history.likes.clone(),
            locked: history.locked,
            moderators,
            checked_seq,
            checked_at: Instant::now(),
        });
        if is_newest {
            let mut all = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
            match all.iter_mut().find(|(name, _)| name == page) {
                Some((_, old)) => *old = cached.clone(),
                None => {
                    if all.len() >= RENDERED_PAGES_MAX {
                        all.clear();
                    }
                    all.push((page.to_owned(), cached.clone()));
                }
            }
        }
        Ok(cached)
    }

    /// Renders histories: the first is what was asked for, the others are threads of pinned comments that it lacks.
    fn render(
        &self,
        page: &str,
        thread: Option<u64>,
        histories: &[History],
        is_newest: bool,
        refused: Option<(&ClientMessage, &str)>,
    ) -> io::Result<Rendered> {
        let [history, others @ ..] = histories else { unreachable!("there is what was asked for") };
        let read = |history: &History| {
            let mut comments = Vec::new();
            history.read(|_, line| comments.extend(Comment::parse(line)))?;
            io::Result::Ok(comments)
        };
        let mut comments = read(history)?;
        let mut brought = Vec::new();
        for thread in others {
            brought.extend(read(thread)?);
        }
        let moderators = self.namesakes(comments.iter().chain(&brought));
        let all =
            |of: fn(&History) -> &[(u64, u64)]| histories.iter().flat_map(of).copied().collect();
        let (likes, answers): (Vec<_>, Vec<_>) = (all(|h| &h.likes), all(|h| &h.answers));
        let mut more = history.more;
        loop {
            let rendered = render(&View {
                title: &self.title,
                page,
                base: &self.base,
                log: &history.log,
                mark: &history.mark,
                seq: history.seq,
                count: history.count,
                comments: &comments,
                pinned_threads: is_newest.then_some(&brought[..]),
                likes: &likes,
                answers: &answers,
                moderators: &moderators,
                is_closed: history.locked,
                thread_after: thread,
                more,
                note: refused.map(|(_, note)| note),
                name: refused.and_then(|(message, _)| message.name.as_deref()).unwrap_or_default(),
                draft: refused
                    .and_then(|(message, _)| message.content.as_deref())
                    .unwrap_or_default(),
            });
            if rendered.head.len() + rendered.tail.len() <= PAGE_BYTES_MAX || comments.is_empty() {
                return Ok(rendered);
            }
            // All texts are very long: show fewer, and the others behind a link.
            if !brought.is_empty() {
                brought.clear();
                continue;
            }
            let half = comments.len().div_ceil(2);
            if thread.is_some() {
                comments.truncate(comments.len() - half);
            } else {
                let begins = |comment: &Comment| comment.parent.is_none();
                let rest = comments[half..].iter().position(begins).map(|at| half + at);
                let last = comments.iter().rposition(begins).filter(|&at| at > 0);
                comments.drain(..rest.or(last).unwrap_or(half));
            }
            more = true;
        }
    }

    /// Responds to a refused form with the page, the error message, and what was typed. May run in the hub's thread, so it must not
    /// wait for room in the hub's inbox; if that is full, the request is dropped.
    pub(super) fn redisplay_form(
        self: Arc<Router>,
        page: String,
        message: ClientMessage,
        rejection: Rejection,
        respond: Callback<BuildResponse>,
    ) {
        let page = if check_page(&page).is_ok() { page } else { "/".to_owned() };
        let (hub, name) = (self.hub.clone(), page.clone());
        let build = move |histories: Vec<History>| {
            let refused = Some((&message, &*rejection.to_string()));
            match self.render(&page, None, &histories, true, refused) {
                Ok(rendered) => plain_page(rejection.status(), &rendered, self.hub.stats.now())
                    .with_code(rejection.code())
                    .with("Cache-Control", "no-store")
                    .with_retry_after(rejection.retry_after()),
                Err(error) => unreadable(&error),
            }
        };
        let done = Box::new(move |read: Result<Vec<History>, Rejection>| {
            respond(Box::new(move || read.map_or_else(Response::from, build)));
        });
        let read = newest_with_pinned(hub.clone(), name, done);
        let _ = hub.commands.try_send(Command::Query(HubQuery::ReadHistory(read)));
    }

    /// What moderators are called now, and were when they wrote these comments, as [`namesake`] writes it.
    fn namesakes<'a>(&self, comments: impl Iterator<Item = &'a Comment>) -> Vec<String> {
        let mut names = self.moderator_names();
        names.iter_mut().for_each(|name| *name = namesake(name));
        for comment in comments {
            names.extend(comment.moderator.as_deref().map(namesake));
        }
        names
    }

    fn moderator_names(&self) -> Vec<String> {
        self.moderators.as_ref().map(|moderators| moderators.names()).unwrap_or_default()
    }
}

impl CachedPage {
    fn is_fresh(&self, log_seq: u64) -> bool {
        self.checked_seq == log_seq && self.checked_at.elapsed() < UNCHANGED_FOR
    }

    fn respond(&self, request: &Request, now: SystemTime) -> Response {
        let Rendering { plain, gzip, etag } = &*self.rendering;
        let response = if request.matches_etag(etag) {
            Response::new(304, "text/html; charset=utf-8", "").with("Cache-Control", "no-cache")
        } else if request.accepts_gzip() {
            let template =
                gzip.get_or_init(|| Template::new(plain.head.as_bytes(), plain.tail.as_bytes()));
            page_response(200, template.fill(nonce(plain, now).as_bytes()))
                .with("Content-Encoding", "gzip")
        } else {
            plain_page(200, plain, now)
        };
        response.with("ETag", &**etag)
    }
}

fn plain_page(status: u16, page: &Rendered, now: SystemTime) -> Response {
    page_response(status, [&*page.head, &nonce(page, now), &page.tail].concat().into_bytes())
}

fn nonce(page: &Rendered, now: SystemTime) -> String {
    if page.has_form { form::nonce(now) } else { String::new() }
}

fn page_response(status: u16, body: Vec<u8>) -> Response {
    Response::new(status, "text/html; charset=utf-8", body)
        .with("Cache-Control", "no-cache")
        .with("Content-Security-Policy", PAGE_POLICY)
}

pub(super) fn redirect_to_page(base: &str, page: &str) -> Response {
    Response::new(303, "text/plain", "")
        .with("Location", format!("{base}/?page={}", encode(page)))
        .with("Cache-Control", "no-store")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::{gzip::gunzip, request::Peer};

    fn request(name: &str, value: &str) -> Request {
        Request {
            method: "GET".into(),
            path: "/".into(),
            query: String::new(),
            headers: vec![(name.into(), value.into())],
            body: Vec::new(),
            peer: Peer::Owner,
        }
    }

    #[test]
    fn a_page_is_the_same_plain_and_compressed_except_for_its_nonce() {
        let (head, tail) = ("<p>before".repeat(200), "<p>after".repeat(2_000));
        let plain = Rendered { head, tail, has_form: true };
        let whole = plain.head.len() + 22 + plain.tail.len();
        let rendering = Rendering { plain, gzip: OnceLock::new(), etag: "W/\"a\"".into() };
        let rendering = Arc::new(rendering);
        let cached = CachedPage {
            rendering,
            seq: 1,
            likes: Vec::new(),
            locked: false,
            moderators: Vec::new(),
            checked_seq: 1,
            checked_at: Instant::now(),
        };
        let is_encoded = |response: &Response| response.header("Content-Encoding").is_some();
        let without_nonce = |bytes: &[u8]| {
            let head = cached.rendering.plain.head.len();
            [&bytes[..head], &bytes[head + 22..]].concat()
        };
        let plain = cached.respond(&request("accept-encoding", "br"), SystemTime::now());
        assert_eq!((plain.body.len(), is_encoded(&plain)), (whole, false));
        for _ in 0..2 {
            let compressed = cached.respond(&request("accept-encoding", "gzip"), SystemTime::now());
            assert!(
                is_encoded(&compressed) && compressed.body.len() < 1_000,
                "{}",
                compressed.body.len()
            );
            let body = gunzip(&compressed.body).unwrap();
            assert!(body != plain.body, "every response has a nonce of its own");
            assert!(without_nonce(&body) == without_nonce(&plain.body));
            assert_eq!(compressed.header("ETag"), plain.header("ETag"));
        }
        let known = cached.respond(&request("if-none-match", "W/\"a\""), SystemTime::now());
        assert_eq!((known.status, known.body.len(), is_encoded(&known)), (304, 0, false));
    }
}
