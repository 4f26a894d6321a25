//! `POST /api/preview`: shows a text as it will look, by the renderer that comments go through. Nothing is kept.
//!
//! Knows no other path.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use serde::Serialize;

use super::{Reply, Router, check_json, check_method, html::Escaped};
use crate::{
    comment::draft::{ClientMessage, Text},
    comment::rejection::Rejection,
    http::forwarded::ClientKey,
    hub::rate_limit::{BucketKey, RateLimiter},
    limits::Rate,
    web::message::{Request, Response},
};

/// Previews of one address, whatever `--rate` says: more than anybody looks at, and at most a few milliseconds of work a second.
const PREVIEWS: Rate = Rate { posts: 60, seconds: 60 };

/// How many previews each address has asked for: buckets of their own, so that looking takes nothing from writing.
pub(super) struct Previews {
    rates: Mutex<RateLimiter>,
    started: Instant,
}

impl Default for Previews {
    fn default() -> Previews {
        Previews { rates: Mutex::new(RateLimiter::new(PREVIEWS)), started: Instant::now() }
    }
}

impl Previews {
    fn take(&self, from: ClientKey) -> Result<(), Rejection> {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates
            .take(&[BucketKey::Address(from)], self.started.elapsed())
            .map_err(|wait| Rejection::TooFast { wait, rate: rates.rate(), what: "previews" })
    }
}

/// The answer.
#[derive(Serialize)]
struct Preview<'a> {
    html: &'a str,
}

impl Router {
    pub(super) fn preview(&self, request: &Request) -> Result<Reply, Response> {
        check_method(request, &["POST"])?;
        self.check_origin(request)?;
        check_json(request)?;
        let html = ClientMessage::parse(&request.body)
            .and_then(|message| self.previews.take(request.counted()).map(|()| message))
            .and_then(|message| Text::of(message.content.as_deref()))
            .map(html)
            .map_err(|reject| Response::reject(&reject, None))?;
        let answer = Response::json(
            200,
            serde_json::to_vec(&Preview { html: &html }).expect("text is JSON"),
        );
        Ok(Reply::Ready(answer.with("Cache-Control", "no-store")))
    }
}

/// The text's rendering; plain text without an element around it.
fn html(text: Text) -> String {
    text.html.unwrap_or_else(|| Escaped(&text.content).to_string().replace('\n', "<br>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_escaped_and_keeps_its_line_breaks() {
        let rendered = |content: &str| html(Text::of(Some(content)).unwrap());
        assert_eq!(rendered(" 1 > 0 \"x\"\n\n  y "), "1 &gt; 0 &quot;x&quot;<br><br>  y");
        assert_eq!(rendered("*a*\nb"), "<p><em>a</em><br>b</p>");
    }
}
