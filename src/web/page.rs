//! The served page: rendered once for each change, and its form, which works without a script.
//!
//! Knows no other path.

use std::{
    io,
    sync::{Arc, PoisonError, atomic::Ordering::Relaxed},
    time::SystemTime,
};

use super::{Finish, PAGE_COMMENTS, Reply, Router, form, number, page_of, query, unreadable};
use crate::{
    comment::Comment,
    comment::draft::{ClientMessage, check_page},
    comment::rejection::Rejection,
    http::query::encode,
    hub::command::{Callback, Command, Query as HubQuery, Range, ReadHistory},
    store::history::History,
    util::crc,
    web::assets,
    web::html::{Rendered, View, render},
    web::message::{Request, Response},
};

/// Bytes of a rendered page: with its headers below the 1 MiB that the relay passes on.
const PAGE_BYTES_MAX: usize = 1_000_000;
/// Rendered pages that are kept: the ones that are read now, not all there are.
const RENDERED_PAGES_MAX: usize = 64;
/// Nothing but sayso's own script and style, no frames elsewhere.
pub(super) const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'self'";

/// A page that was rendered, without its form's nonce.
pub(super) struct CachedPage {
    page: Rendered,
    seq: u64,
    likes: Vec<(u64, u64)>,
    /// The log's highest `seq` before it was found that the page has nothing newer.
    checked: u64,
    etag: String,
}

impl Router {
    pub(super) fn page(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        let query = query(request)?;
        if query.get("view") == Some("wall") {
            let wall = assets::find(assets::WALL).expect("the wall is embedded");
            return Ok(Reply::Ready(self.asset(&wall, request)));
        }
        let page = page_of(&query)?;
        let before = number(&query, "before", "a comment's id", 0, u64::MAX)?;
        let checked = self.hub.stats.seq.load(Relaxed);
        let kept = before.is_none().then(|| self.kept(&page)).flatten();
        if let Some(kept) = kept.filter(|kept| kept.checked == checked) {
            return Ok(Reply::Ready(kept.answer(request)));
        }
        let (router, request) = (self.clone(), request.clone());
        Ok(self.read(page.clone(), Range::Before(before), PAGE_COMMENTS, false, move |history| {
            match router.keep(&page, &history, checked, before.is_none()) {
                Ok(kept) => kept.answer(&request),
                Err(error) => unreadable(&error),
            }
        }))
    }

    fn kept(&self, page: &str) -> Option<Arc<CachedPage>> {
        let all = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|(name, _)| name == page).map(|(_, kept)| kept.clone())
    }

    /// The rendering of what the hub said, made anew only if the page has changed.
    fn keep(
        &self,
        page: &str,
        history: &History,
        checked: u64,
        is_newest: bool,
    ) -> io::Result<Arc<CachedPage>> {
        let old = self
            .kept(page)
            .filter(|kept| is_newest && kept.seq == history.seq && kept.likes == history.likes);
        let (rendered, etag) = match old {
            Some(kept) => (
                Rendered { head: kept.page.head.clone(), tail: kept.page.tail.clone() },
                kept.etag.clone(),
            ),
            None => {
                let rendered = self.render(page, history, None)?;
                let crc =
                    crc::append(crc::crc32c(rendered.head.as_bytes()), rendered.tail.as_bytes());
                (rendered, format!("W/\"{}-{}-{crc:08x}\"", history.log, history.seq))
            }
        };
        let kept = Arc::new(CachedPage {
            page: rendered,
            seq: history.seq,
            likes: history.likes.clone(),
            checked,
            etag,
        });
        if is_newest {
            let mut all = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
            match all.iter_mut().find(|(name, _)| name == page) {
                Some((_, old)) => *old = kept.clone(),
                None => {
                    if all.len() >= RENDERED_PAGES_MAX {
                        all.clear();
                    }
                    all.push((page.to_owned(), kept.clone()));
                }
            }
        }
        Ok(kept)
    }

    fn render(
        &self,
        page: &str,
        history: &History,
        refused: Option<(&ClientMessage, &str)>,
    ) -> io::Result<Rendered> {
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
                likes: &history.likes,
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
            // Longest texts, all of them: show fewer, the rest is behind "older comments".
            comments.drain(..comments.len().div_ceil(2));
            more = true;
        }
    }

    /// The page with what was typed and why it was refused. The hub itself may run this, so it asks without waiting; where its inbox
    /// is full, dropping the request answers it.
    pub(super) fn redisplay_form(
        self: Arc<Router>,
        page: String,
        message: ClientMessage,
        reject: Rejection,
        take: Callback<Finish>,
    ) {
        let page = if check_page(&page).is_ok() { page } else { "/".to_owned() };
        let (hub, asked_page) = (self.hub.clone(), page.clone());
        let answer = Box::new(move |history: History| {
            take(Box::new(move || {
                match self.render(&page, &history, Some((&message, &reject.to_string()))) {
                    Ok(rendered) => {
                        let answer = page_answer(reject.status(), &rendered);
                        answer.with("Cache-Control", "no-store").retrying(&reject)
                    }
                    Err(error) => unreadable(&error),
                }
            }));
        });
        let (part, limit, moderator) = (Range::Before(None), PAGE_COMMENTS, false);
        let read = ReadHistory { page: asked_page, part, limit, moderator, answer };
        let _ = hub.commands.try_send(Command::Query(HubQuery::ReadHistory(read)));
    }
}

impl CachedPage {
    fn answer(&self, request: &Request) -> Response {
        if request.has(&self.etag) {
            return Response::new(304, "text/html; charset=utf-8", "")
                .with("Cache-Control", "no-cache")
                .with("ETag", &*self.etag);
        }
        page_answer(200, &self.page).with("ETag", &*self.etag)
    }
}

fn page_answer(status: u16, page: &Rendered) -> Response {
    let nonce = form::nonce(SystemTime::now());
    let body = [&*page.head, &nonce, &page.tail].concat();
    Response::new(status, "text/html; charset=utf-8", body)
        .with("Cache-Control", "no-cache")
        .with("Content-Security-Policy", PAGE_POLICY)
}

pub(super) fn redirect_to_page(base: &str, page: &str) -> Response {
    Response::new(303, "text/plain", "")
        .with("Location", format!("{base}/?page={}", encode(page)))
        .with("Cache-Control", "no-store")
}
