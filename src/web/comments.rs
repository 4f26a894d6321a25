//! One comment over HTTP: edited, deleted, let out or taken away.
//!
//! Knows no other path.

use std::sync::Arc;

use super::{Site, Turn, allow, not_found};
use crate::{
    comment::Status,
    comment::draft::{Message, Text, author},
    comment::rejection::Reject,
    hub::command::{Asked as Comment, By, Call, Change, Done, Reply, Request},
    web::message::{Answer, Asked},
};

impl Site {
    pub(super) fn change(self: &Arc<Site>, id: &str, asked: &Arc<Asked>) -> Result<Turn, Answer> {
        let comment = comment_of(id, asked)?;
        allow(asked, &["PATCH", "DELETE"])?;
        self.check_origin(asked)?;
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
        let (hub, from, by) = (self.hub.clone(), asked.counted(), By { author, moderator });
        Ok(Turn::Later(Box::new(move |take| {
            let answer: Call<Result<Done, Reject>> = Box::new(move |outcome| {
                take(Box::new(move || match outcome {
                    Ok(done) => Answer::json(200, done.line),
                    Err(reject) => Answer::reject(&reject, None),
                }));
            });
            let _ = hub.ask(Request::Change {
                asked: comment,
                change,
                by,
                from,
                reply: Reply::Call(answer),
            });
        })))
    }
}

/// The comment that a path names.
pub(super) fn comment_of(id: &str, asked: &Asked) -> Result<Comment, Answer> {
    let number = id.parse::<u64>().ok().filter(|_| id.bytes().all(|b| b.is_ascii_digit()));
    Ok(Comment { id: number.ok_or_else(|| not_found(asked))?, page: None })
}

fn change_of(message: &Message) -> Result<Change, Reject> {
    match message.status.as_deref() {
        Some(_) if message.content.is_some() => {
            Err(Reject::Malformed("content and status can't be changed in one request".into()))
        }
        Some("public") => Ok(Change::Status(Status::Public)),
        Some("hidden") => Ok(Change::Status(Status::Hidden)),
        Some(other) => {
            let value = other.chars().take(40).collect();
            Err(Reject::BadParameter { name: "status", value, allowed: "public or hidden" })
        }
        None => Ok(Change::Text(Text::of(message.content.as_deref())?)),
    }
}
