//! `POST /api/preview`: renders a text as a comment would be rendered. Stores nothing.
//!
//! Knows no other path.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use serde::Serialize;

use super::{
    Reply, Router,
    bodies::to_json,
    parameters::{check_json, check_method},
};
use crate::{
    comment::draft::{ClientMessage, PlainText, Text},
    comment::rejection::Rejection,
    http::forwarded::ClientKey,
    http::response::Response,
    hub::rate_limit::{BucketKey, RateLimiter},
    limits::Rate,
    util::html::Escaped,
    web::request::Request,
};

/// How many previews one address may request in [`PREVIEW_SECONDS`], whatever `--rate` is: more than a person looks at, and at most a
/// few milliseconds of work a second.
const PREVIEWS_MAX: u32 = 60;
/// The period of [`PREVIEWS_MAX`].
const PREVIEW_SECONDS: u32 = 60;
const RATE: Rate = Rate { posts: PREVIEWS_MAX, seconds: PREVIEW_SECONDS };

/// The rate limits of previews. They are separate from those of comments, so that a preview never costs a comment.
pub(super) struct Previews {
    rates: Mutex<RateLimiter>,
    started: Instant,
}

impl Default for Previews {
    fn default() -> Previews {
        Previews { rates: Mutex::new(RateLimiter::new(RATE)), started: Instant::now() }
    }
}

impl Previews {
    fn charge(&self, client: ClientKey) -> Result<(), Rejection> {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates
            .take(&[BucketKey::Address(client)], self.started.elapsed())
            .map_err(|wait| Rejection::TooFast { wait, rate: rates.rate(), what: "previews" })
    }
}

/// The body of the response.
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
            .and_then(|message| self.previews.charge(request.client_key()).map(|()| message))
            .and_then(|message| PlainText::of(message.content.as_deref()))
            .map(|text| render(text.render()))?;
        let response = Response::json(200, to_json(&Preview { html: &html }));
        Ok(Reply::Ready(response.with("Cache-Control", "no-store")))
    }
}

/// The HTML of a text; plain text gets no element around it.
fn render(text: Text) -> String {
    text.html.unwrap_or_else(|| Escaped(&text.content).to_string().replace('\n', "<br>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_escaped_and_keeps_its_line_breaks() {
        let rendered = |content: &str| render(PlainText::of(Some(content)).unwrap().render());
        assert_eq!(rendered(" 1 > 0 \"x\"\n\n  y "), "1 &gt; 0 &quot;x&quot;<br><br>  y");
        assert_eq!(rendered("*a*\nb"), "<p><em>a</em><br>b</p>");
    }
}
