//! `GET /api/admin/comments`: comments of all pages as moderators see them; and `POST`: an answer in the site's name.
//!
//! Knows no other path.

use std::sync::Arc;

use serde::Serialize;

use super::{
    super::{
        Reply, Router,
        bodies::to_json,
        parameters::{VALUE_ECHO_CHARS, number_parameter, parse_query},
        posts::{parse_json, status_of},
    },
    search::{Hit, Search, Searched},
};
use crate::{
    comment::draft::{check_page, moderators_text},
    comment::folding::fold,
    comment::rejection::Rejection,
    comment::{Author, Comment},
    http::query::Query,
    http::response::Response,
    hub::command::{Edge, Operation, Written},
    hub::measure::Wanted,
    limits::{HISTORY_LINES_MAX, SEARCH_CHARS_MAX},
    store::moderation::line::{ModerationLine, annotate},
    util::activity,
    util::text::{parse_decimal, shorten},
    web::request::{Request, ResponseExt, rejected},
};

/// Comments of an answer without `limit=`.
const COMMENTS_DEFAULT: usize = 50;
/// Bytes of the lines of an answer, which stays below the upstream's 1 MiB.
pub(super) const ANSWER_BYTES_MAX: usize = 900 * 1024;
/// What stands before a hyphen and a comment's id in its permalink, on sayso's own page and on those that embed it.
const PERMALINK: &str = "#sayso";

/// Which of the comments that the hub finds are wanted.
#[derive(Default)]
pub(in crate::web) struct Filter {
    author: Option<String>,
    /// Folded.
    text: Option<String>,
    /// Whether deleted comments are none.
    is_present: bool,
}

#[derive(Serialize)]
struct Head<'a> {
    log: &'a str,
    mark: &'a str,
    seq: u64,
}

#[derive(Serialize)]
struct Tail {
    more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u64>,
}

impl Filter {
    pub(super) fn by(author: Author) -> Filter {
        Filter { author: Some(author.to_string()), ..Filter::default() }
    }

    /// What an author has written and not deleted.
    pub(in crate::web) fn present_by(author: Author) -> Filter {
        Filter { is_present: true, ..Filter::by(author) }
    }

    /// The comment's line, parsed, if it is wanted. Of a deleted comment, only a moderator's note tells whose it was.
    pub(in crate::web) fn matches(&self, hit: &Hit) -> bool {
        if self.is_present && hit.item.visibility.is_deleted() {
            return false;
        }
        let has_author = |author: &String| match &hit.note {
            Some(note) if hit.item.visibility.is_deleted() => {
                ModerationLine::parse(note).is_ok_and(|note| note.author.as_ref() == Some(author))
            }
            _ => {
                // Looking for it in the bytes is much faster than parsing every line.
                let line = std::str::from_utf8(hit.line).unwrap_or_default();
                line.contains(&**author)
                    && Comment::parse(hit.line)
                        .is_ok_and(|comment| comment.author.as_ref() == Some(author))
            }
        };
        let has_text = |text: &String| {
            Comment::parse(hit.line).is_ok_and(|comment| {
                fold(&comment.content).contains(&**text)
                    || comment.name.as_ref().is_some_and(|name| fold(name).contains(&**text))
            })
        };
        self.author.as_ref().is_none_or(has_author) && self.text.as_ref().is_none_or(has_text)
    }
}

impl Router {
    pub(super) fn find_comments(
        self: &Arc<Router>,
        request: &Arc<Request>,
    ) -> Result<Reply, Response> {
        self.require_moderator(request)?;
        let query = parse_query(request)?;
        let page = query.get("page").map(str::to_owned);
        page.as_deref().map(check_page).transpose()?;
        let id = |name| number_parameter(&query, name, "a comment's id", 0, u64::MAX);
        let max = HISTORY_LINES_MAX as u64;
        let limit = number_parameter(&query, "limit", "a number from 1 to 200", 1, max)?;
        let limit = limit.map_or(COMMENTS_DEFAULT, |limit| limit as usize);
        let from = match (id("before")?, id("after")?) {
            (before, None) => Edge::Before(before),
            (None, Some(after)) if page.is_none() => Edge::After(after),
            (_, Some(after)) => {
                let value = after.to_string();
                let allowed = "given without before and page";
                return Err(rejected(
                    &Rejection::BadParameter { name: "after", value, allowed },
                    None,
                ));
            }
        };
        let (wanted, filter) = parse_filter(&query)?;
        let asked = request.clone();
        let listing = Listing { wanted, page, from, limit, filter, is_moderators: true };
        let work = Box::new(move |search| listing.answer(search, &asked));
        self.search(&self.admin.searches, request, work)
    }

    /// A new comment in the site's name.
    pub(super) fn answer(self: &Arc<Router>, request: &Arc<Request>) -> Result<Reply, Response> {
        let name = self.require_moderator(request)?;
        let mut message = parse_json(request)?;
        (message.key, message.name) = (None, None);
        let nonce = message.nonce.clone();
        let page = message.page.clone().unwrap_or_else(|| "/".to_owned());
        let post = message.post(&page).map_err(|rejection| rejected(&rejection, nonce.as_deref()));
        let mut draft = post?.render();
        draft.moderator = Some(name.clone());
        let client = request.client();
        let build = move |outcome| match outcome {
            Ok(Written { line, what }) => {
                activity::measured(&name, "wrote as the site", client);
                Response::json(status_of(what), line)
            }
            Err(rejection) => rejected(&rejection, nonce.as_deref()),
        };
        Ok(self.write(Operation::Post(draft), request, Box::new(build)))
    }
}

/// What of all comments is answered.
pub(in crate::web) struct Listing {
    /// Which of them the hub finds.
    pub wanted: Wanted,
    /// On this page only.
    pub page: Option<String>,
    /// From where on.
    pub from: Edge,
    /// At most.
    pub limit: usize,
    /// Which of those that are found.
    pub filter: Filter,
    /// Whether each has its newest note and the number of its flags.
    pub is_moderators: bool,
}

impl Listing {
    /// Searches, and answers with the lines.
    pub(in crate::web) fn answer(
        self,
        mut search: Search,
        asked: &Request,
    ) -> Result<Response, Response> {
        let (mut lines, mut last) = (Vec::new(), None);
        let (mut count, mut is_cut) = (0, false);
        let Listing { wanted, page, from, limit, filter, is_moderators } = self;
        let searched = search.run(wanted, page.as_deref(), from, &mut |hit| {
            if !filter.matches(&hit) {
                return true;
            }
            let line = match is_moderators {
                true => annotate(hit.line.to_vec(), hit.note.as_deref(), hit.flags),
                false => hit.line.to_vec(),
            };
            if count == limit || (lines.len() + line.len() > ANSWER_BYTES_MAX && count > 0) {
                is_cut = true;
                return false;
            }
            if count > 0 {
                lines.push(b',');
            }
            lines.extend_from_slice(&line);
            (count, last) = (count + 1, Some(hit.item.id));
            true
        })?;
        // Where it was cut, the next answer begins behind the last comment of this one.
        let next = if is_cut { last } else { searched.next };
        let body = answer_json(&searched, &lines, next.map(|id| from.moved_to(id)));
        let answer = Response::json(200, body);
        Ok(answer.with("Cache-Control", "no-store").compressed(asked))
    }
}

fn answer_json(searched: &Searched, lines: &[u8], next: Option<Edge>) -> Vec<u8> {
    let Searched { log, mark, seq, .. } = searched;
    let mut out = to_json(&Head { log, mark, seq: *seq });
    out.pop();
    out.extend_from_slice(b",\"comments\":[");
    out.extend_from_slice(lines);
    out.extend_from_slice(b"],");
    let (before, after) = match next {
        Some(Edge::After(id)) => (None, Some(id)),
        Some(Edge::Before(id)) => (id, None),
        None => (None, None),
    };
    out.extend_from_slice(&to_json(&Tail { more: next.is_some(), before, after })[1..]);
    out
}

/// What a query asks for.
fn parse_filter(query: &Query) -> Result<(Wanted, Filter), Response> {
    let bad = |name, text: &str, allowed| {
        Response::from(Rejection::BadParameter {
            name,
            value: shorten(text, VALUE_ECHO_CHARS),
            allowed,
        })
    };
    let mut wanted = match query.get("status") {
        None | Some("") => Wanted::All,
        Some("pending") => Wanted::Pending,
        Some("hidden") => Wanted::Hidden,
        Some("public") => Wanted::Public,
        Some("flagged") => Wanted::Flagged,
        Some("deleted") => Wanted::Deleted,
        Some(other) => {
            return Err(bad("status", other, "pending, hidden, public, flagged or deleted"));
        }
    };
    let author = match query.get("author") {
        None | Some("") => None,
        Some(text) => Some(parse_author(text)?.to_string()),
    };
    // Of a link that somebody pastes, only the end matters, however long it is.
    let text = query.get("q").unwrap_or_default().trim();
    let permalink = text.rsplit_once('-').filter(|(start, _)| start.ends_with(PERMALINK));
    let permalink = permalink.and_then(|(_, id)| parse_decimal(id));
    let mut filter = Filter { author, ..Filter::default() };
    if let Some(id) = permalink {
        (wanted, filter) = (Wanted::Id(id), Filter::default());
    } else if !text.is_empty() {
        let text = moderators_text("q", Some(text), SEARCH_CHARS_MAX, false)?;
        filter.text = Some(fold(text).into_owned());
    }
    Ok((wanted, filter))
}

/// An author's pseudonym.
pub(super) fn parse_author(text: &str) -> Result<Author, Response> {
    Author::parse(text).ok_or_else(|| {
        let value = shorten(text, VALUE_ECHO_CHARS);
        let allowed = "an author as lines have it, 22 letters, digits, - and _";
        Rejection::BadParameter { name: "author", value, allowed }.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permalink_names_a_comment_whatever_page_it_is_on() {
        for (text, id) in [
            ("http://127.0.0.1:8000/?page=/a%20b#sayso-17", Some(17)),
            ("https://blog.example/post?x=1#sayso-9", Some(9)),
            (" #sayso-1 ", Some(1)),
            ("#sayso-", None),
            ("#sayso-1x", None),
            ("17", None),
        ] {
            let query = Query::parse(&format!("q={}", crate::http::query::encode(text))).unwrap();
            let (wanted, filter) = parse_filter(&query).unwrap();
            assert_eq!(wanted, id.map_or(Wanted::All, Wanted::Id), "{text}");
            assert_eq!(filter.text.is_none(), id.is_some(), "{text}");
        }
    }
}
