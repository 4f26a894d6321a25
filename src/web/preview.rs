//! `POST /api/preview`: shows a text as it will look, by the renderer that comments go through. Nothing is kept.
//!
//! Knows no other path.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use super::{Site, Turn, allow, check_json, html::Escaped};
use crate::{
    cli::config::Rate,
    comment::draft::{Message, Text},
    comment::rejection::Reject,
    http::forwarded::Counted,
    hub::rate_limit::{Payer, Rates},
    util::json,
    web::message::{Answer, Asked},
};

/// Previews of one address, whatever `--rate` says: more than anybody looks at, and at most a few milliseconds of work a second.
const PREVIEWS: Rate = Rate { posts: 60, seconds: 60 };

/// How many previews each address has asked for: buckets of their own, so that looking takes nothing from writing.
pub(super) struct Previews {
    rates: Mutex<Rates>,
    started: Instant,
}

impl Default for Previews {
    fn default() -> Previews {
        Previews { rates: Mutex::new(Rates::new(PREVIEWS)), started: Instant::now() }
    }
}

impl Previews {
    fn take(&self, from: Counted) -> Result<(), Reject> {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates
            .take(&[Payer::Address(from)], self.started.elapsed())
            .map_err(|wait| Reject::TooFast { wait, rate: rates.rate(), what: "previews" })
    }
}

impl Site {
    pub(super) fn preview(&self, asked: &Asked) -> Result<Turn, Answer> {
        allow(asked, &["POST"])?;
        self.check_origin(asked)?;
        check_json(asked)?;
        let html = Message::parse(&asked.body)
            .and_then(|message| self.previews.take(asked.counted()).map(|()| message))
            .and_then(|message| Text::of(message.content.as_deref()))
            .map(html)
            .map_err(|reject| Answer::reject(&reject, None))?;
        let answer = Answer::json(200, format!("{{\"html\":{}}}", json::text(&html)));
        Ok(Turn::Now(answer.with("Cache-Control", "no-store")))
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
