//! The served page: rendered once for each change, and its form, which works without a script.
//!
//! Knows no other path.

use std::{
    io,
    sync::{Arc, OnceLock, PoisonError, atomic::Ordering::Relaxed},
    time::SystemTime,
};

use crc32c::{crc32c, crc32c_append};

use super::{Finish, PAGE_COMMENTS, Reply, Router, form, number, page_of, query, unreadable};
use crate::{
    comment::Comment,
    comment::draft::{ClientMessage, check_page},
    comment::rejection::Rejection,
    http::query::encode,
    hub::command::{Callback, Command, Query as HubQuery, Range, ReadHistory},
    store::history::History,
    web::assets,
    web::gzip::Gap,
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
    rendering: Arc<Rendering>,
    seq: u64,
    likes: Vec<(u64, u64)>,
    /// The log's highest `seq` before it was found that the page has nothing newer.
    checked: u64,
}

/// Its document, in both forms.
struct Rendering {
    plain: Rendered,
    /// Made when the first client asks for it.
    gzip: OnceLock<Gap>,
    /// Weak, since the nonce is another one each time, so it is the same for both forms.
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
        let rendering = match old {
            Some(kept) => kept.rendering.clone(),
            None => {
                let plain = self.render(page, history, None)?;
                let crc = crc32c_append(crc32c(plain.head.as_bytes()), plain.tail.as_bytes());
                let etag = format!("W/\"{}-{}-{crc:08x}\"", history.log, history.seq);
                Arc::new(Rendering { plain, gzip: OnceLock::new(), etag })
            }
        };
        let kept = Arc::new(CachedPage {
            rendering,
            seq: history.seq,
            likes: history.likes.clone(),
            checked,
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
                mark: &history.mark,
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
        let answer = Box::new(move |read: Result<History, Rejection>| {
            take(Box::new(move || {
                let refused = Some((&message, &*reject.to_string()));
                match read.map(|history| self.render(&page, &history, refused)) {
                    Ok(Ok(rendered)) => {
                        let answer = page_answer(reject.status(), &rendered);
                        answer.with("Cache-Control", "no-store").retrying(&reject)
                    }
                    Ok(Err(error)) => unreadable(&error),
                    Err(reject) => Response::reject(&reject, None),
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
        let Rendering { plain, gzip, etag } = &*self.rendering;
        let answer = if request.has(etag) {
            Response::new(304, "text/html; charset=utf-8", "").with("Cache-Control", "no-cache")
        } else if request.takes_gzip() {
            let gzip = gzip.get_or_init(|| Gap::new(plain.head.as_bytes(), plain.tail.as_bytes()));
            page_of_bytes(200, gzip.filled(form::nonce(SystemTime::now()).as_bytes()))
                .with("Content-Encoding", "gzip")
        } else {
            page_answer(200, plain)
        };
        answer.with("ETag", &**etag)
    }
}

fn page_answer(status: u16, page: &Rendered) -> Response {
    let nonce = form::nonce(SystemTime::now());
    page_of_bytes(status, [&*page.head, &nonce, &page.tail].concat().into_bytes())
}

fn page_of_bytes(status: u16, body: Vec<u8>) -> Response {
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
    use crate::web::gzip::gunzip;

    fn request(name: &str, value: &str) -> Request {
        Request {
            method: "GET".into(),
            path: "/".into(),
            query: String::new(),
            headers: vec![(name.into(), value.into())],
            body: Vec::new(),
            client: None,
        }
    }

    #[test]
    fn a_page_is_the_same_in_both_forms_but_for_its_nonce() {
        let plain = Rendered { head: "<p>before".repeat(200), tail: "<p>after".repeat(2_000) };
        let whole = plain.head.len() + 22 + plain.tail.len();
        let rendering = Rendering { plain, gzip: OnceLock::new(), etag: "W/\"a\"".into() };
        let rendering = Arc::new(rendering);
        let kept = CachedPage { rendering, seq: 1, likes: Vec::new(), checked: 1 };
        let encoding =
            |answer: &Response| answer.headers.iter().any(|(name, _)| *name == "Content-Encoding");
        let without_nonce = |bytes: &[u8]| {
            let head = kept.rendering.plain.head.len();
            [&bytes[..head], &bytes[head + 22..]].concat()
        };
        let plain = kept.answer(&request("accept-encoding", "br"));
        assert_eq!((plain.body.len(), encoding(&plain)), (whole, false));
        for _ in 0..2 {
            let packed = kept.answer(&request("accept-encoding", "gzip"));
            assert!(encoding(&packed) && packed.body.len() < 1_000, "{}", packed.body.len());
            let body = gunzip(&packed.body).unwrap();
            assert!(body != plain.body, "each form has a nonce of its own");
            assert!(without_nonce(&body) == without_nonce(&plain.body));
            let etag = |answer: &Response| {
                answer.headers.iter().find(|(name, _)| *name == "ETag").cloned()
            };
            assert_eq!(etag(&packed), etag(&plain));
        }
        let known = kept.answer(&request("if-none-match", "W/\"a\""));
        assert_eq!((known.status, known.body.len(), encoding(&known)), (304, 0, false));
    }
}
