//! `POST /api/admin/import`: comments that were written elsewhere, from the owner of the folder alone.
//!
//! Checks them as it checks posts, and renders their texts, so that the hub has little to do. Knows no format of another system.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::{
    Reply, Router,
    parameters::{check_json, check_method, not_found},
};
use crate::{
    comment::draft::{PlainText, check_nonce_length, check_page, parse_name},
    comment::rejection::Rejection,
    comment::{Author, Comment},
    http::response::Response,
    hub::command::{Operation, Written},
    hub::imports::{Import, Imported},
    hub::moderators::OWNER_NAME,
    store::record::parse_time,
    util::text::{parse_decimal, shorten_middle},
    web::admin::ERROR_END_CHARS,
    web::request::Request,
};

/// What a comment is said to come from that was written in another sayso.
const OWN_FORMAT: &str = "sayso";

/// Numbers of comments, each with the number of that one before it which it answers; numbers of comments that have no nonce in the
/// sayso that they are from, each with the log's id and its own: `LOG/17`; and pages that are to be closed.
type Others = (Vec<(usize, usize)>, Vec<(usize, String)>, Vec<Box<str>>);

/// Comments as lines have them; `parent` is an id of this log.
#[derive(Deserialize)]
struct Body<'b> {
    #[serde(borrow)]
    comments: Vec<&'b RawValue>,
    /// What is said besides.
    #[serde(default)]
    others: Others,
    /// Whether the comments are from a sayso.
    #[serde(default)]
    own: bool,
}

impl Router {
    pub(super) fn import(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        if !request.is_owner() {
            return Err(not_found(request));
        }
        check_method(request, &["POST"])?;
        check_json(request)?;
        let malformed = |error: serde_json::Error| {
            Rejection::Malformed(shorten_middle(&error.to_string(), ERROR_END_CHARS))
        };
        let body: Body = serde_json::from_slice(&request.body).map_err(malformed)?;
        let parse =
            |line: &RawValue| check(Comment::parse(line.get().as_bytes()).map_err(malformed)?);
        let (answers, origins, closed) = body.others;
        let comments = body.comments.into_iter().map(parse);
        let mut comments = comments.collect::<Result<Vec<Imported>, Rejection>>()?;
        for (answer, parent) in answers {
            if parent < answer
                && let Some(comment) = comments.get_mut(answer)
            {
                comment.answers = Some(parent);
            }
        }
        for (number, origin) in origins {
            let origin =
                origin.rsplit_once('/').and_then(|(log, id)| Some((log, parse_decimal(id)?)));
            if let (Some(comment), Some((log, id))) = (comments.get_mut(number), origin) {
                comment.origin = Some((log.into(), id));
            }
        }
        closed.iter().try_for_each(|page| check_page(page))?;
        let import = Import { comments, is_own: body.own, closed, by: OWNER_NAME.into() };
        let build = |outcome| match outcome {
            Ok(Written { line, .. }) => Response::json(200, line),
            Err(rejection) => Response::from(rejection),
        };
        Ok(self.write(Operation::Import(import), request, Box::new(build)))
    }
}

fn check(mut comment: Comment) -> Result<Imported, Rejection> {
    let wrong = |field: &str| Rejection::Malformed(format!("{field} is missing or wrong"));
    check_page(&comment.page)?;
    check_nonce_length(comment.nonce.as_deref().ok_or_else(|| wrong("nonce"))?)?;
    let time = parse_time(&comment.created_at).ok_or_else(|| wrong("created_at"))?;
    if comment.edited_at.as_deref().is_some_and(|time| parse_time(time).is_none()) {
        return Err(wrong("edited_at"));
    }
    if comment.author.as_deref().is_some_and(|author| Author::parse(author).is_none()) {
        return Err(wrong("author"));
    }
    comment.name = parse_name(comment.name.as_deref())?;
    comment.moderator = parse_name(comment.moderator.as_deref())?;
    comment.imported = Some(parse_name(comment.imported.as_deref())?.unwrap_or(OWN_FORMAT.into()));
    (comment.kind, comment.on) = (None, false);
    if comment.deleted {
        comment.make_tombstone();
    } else {
        let text = PlainText::of(Some(&comment.content))?.render();
        (comment.content, comment.html) = (text.content, text.html);
    }
    Ok(Imported { comment, answers: None, origin: None, time })
}
