//! `GET /api/admin/authors/AUTHOR`: what is known of an author; `PUT …/note`: what moderators have noted about them.
//!
//! Knows no other path.

use std::sync::Arc;

use serde::Serialize;

use super::{
    super::{Reply, Router, bodies::to_json, parameters::check_method},
    Body,
    bans::ShownBan,
    comments::{Filter, parse_author},
    required,
    search::Search,
};
use crate::{
    comment::draft::moderators_text,
    comment::{Author, Comment},
    http::response::Response,
    hub::command::{Edge, Operation, Query},
    hub::measure::{Measure, Wanted},
    limits::AUTHOR_NOTE_CHARS_MAX,
    store::moderation::BanKey,
    store::moderation::line::ModerationLine,
    store::visibility::Visibility,
    util::activity,
    web::request::Request,
};

/// What is known of an author, as far as one search has come.
#[derive(Serialize)]
struct Known {
    author: String,
    /// When their oldest comment was written.
    since: Option<String>,
    /// The name over their newest comment that has one.
    name: Option<String>,
    public: u64,
    pending: u64,
    /// With those that were never public and rejected.
    hidden: u64,
    /// By moderators: of others, nobody knows whose they were.
    deleted: u64,
    /// The share of theirs that moderators took away or rejected.
    rejected: f64,
    ban: Option<ShownBan>,
    note: Option<Note>,
    /// Whether there may be older comments that were not looked at.
    more: bool,
}

#[derive(Serialize)]
struct Note {
    reason: String,
    by: Option<String>,
    created_at: String,
}

impl Router {
    pub(super) fn describe_author(
        self: &Arc<Router>,
        author: &str,
        request: &Arc<Request>,
    ) -> Result<Reply, Response> {
        check_method(request, &["GET", "HEAD"])?;
        self.require_moderator(request)?;
        let author = parse_author(author)?;
        self.search(&self.admin.searches, request, Box::new(move |search| describe(search, author)))
    }

    pub(super) fn note_author(
        self: &Arc<Router>,
        author: &str,
        request: &Arc<Request>,
    ) -> Result<Reply, Response> {
        check_method(request, &["PUT"])?;
        let name = self.require_moderator(request)?;
        let author = parse_author(author)?;
        let mut body = Body::parse(request)?;
        let note = required(body.note.take(), "note")?;
        let note = moderators_text("note", Some(&note), AUTHOR_NOTE_CHARS_MAX, true)?.to_owned();
        let client = request.client();
        self.search(
            &self.admin.searches,
            request,
            Box::new(move |search| {
                let measure = Measure::AuthorNote(author, note);
                search.write(Operation::Moderate(measure, name.clone()))?;
                activity::measured(&name, "wrote a note about an author", client);
                describe(search, author)
            }),
        )
    }
}

fn describe(mut search: Search, author: Author) -> Result<Response, Response> {
    let said = search.ask(|answer| Query::Whom(BanKey::Author(author), answer))?;
    let said = search.read(said)?;
    let line = |at: usize| ModerationLine::parse(said.get(at)?.as_deref()?).ok();
    let note = line(1).map(|line| Note {
        reason: line.reason.unwrap_or_default(),
        by: line.by,
        created_at: line.created_at,
    });
    let mut known = Known {
        author: author.to_string(),
        since: None,
        name: None,
        public: 0,
        pending: 0,
        hidden: 0,
        deleted: 0,
        rejected: 0.0,
        ban: line(0).map(ShownBan::of),
        note,
        more: false,
    };
    let filter = Filter::by(author);
    let searched = search.run(Wanted::All, None, Edge::Before(None), &mut |hit| {
        if !filter.matches(&hit) {
            return true;
        }
        let comment = Comment::parse(hit.line).unwrap_or_default();
        let count = match hit.item.visibility {
            Visibility::Public => &mut known.public,
            Visibility::Hidden | Visibility::Pending if hit.waits() => &mut known.pending,
            Visibility::Hidden | Visibility::Pending => &mut known.hidden,
            Visibility::Deleted | Visibility::PendingDeleted => &mut known.deleted,
        };
        *count += 1;
        known.since = Some(comment.created_at);
        if known.name.is_none() {
            known.name = comment.name;
        }
        true
    })?;
    known.more = searched.next.is_some();
    let all = known.public + known.pending + known.hidden + known.deleted;
    if all > 0 {
        let share = (known.hidden + known.deleted) as f64 / all as f64;
        known.rejected = (share * 1_000.0).round() / 1_000.0;
    }
    Ok(Response::json(200, to_json(&known)))
}
