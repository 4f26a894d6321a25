//! `/m/LINK`: the page behind a link by which a moderator decides on a comment from a message.
//!
//! GET and HEAD change nothing, since programs that examine mails follow every link: they show the comment and one form. POST decides, once, on
//! exactly the text that the message was about. Without JavaScript. Does not know how links are signed.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    Reply, Router,
    history::unreadable,
    parameters::{check_method, not_found},
};
use crate::{
    comment::{Comment, Status, did::Did, rejection::Rejection},
    http::response::Response,
    hub::command::{
        Actor, Change, Decision, Operation, Query as HubQuery, Target, WriteKind, Written,
    },
    hub::link::{LINK_PATH, Link, Verdict},
    hub::moderators::{NotModerator, too_many},
    hub::news::{News, Sought},
    log::line_at,
    store::moderation::line::ModerationLine,
    util::activity,
    util::html::Escaped,
    web::request::Request,
};

/// What the page may load, and that no page may frame it.
const LINK_POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What is known of a comment, as the page shows it.
struct Known {
    comment: Comment,
    note: Option<ModerationLine>,
}

/// Whether a path below the base path is that of a link.
pub(super) fn is_link(path: &str) -> bool {
    path.starts_with(LINK_PATH)
}

/// Leaves nothing of a link behind: in no cache, no search engine, no frame, and not in what the browser tells the next page.
pub(super) fn without_traces(response: Response) -> Response {
    response
        .with("Cache-Control", "no-store")
        .with("Referrer-Policy", "no-referrer")
        .with("X-Robots-Tag", "noindex, nofollow")
        .with("X-Frame-Options", "DENY")
        .with("Content-Security-Policy", LINK_POLICY)
        .with("Cross-Origin-Resource-Policy", "same-origin")
}

impl Router {
    pub(super) fn link(
        self: &Arc<Router>,
        path: &str,
        request: &Arc<Request>,
    ) -> Result<Reply, Response> {
        let Some((signer, moderators)) = self.links.as_ref().zip(self.moderators.as_ref()) else {
            return Err(not_found(request));
        };
        check_method(request, &["GET", "HEAD", "POST"])?;
        let link = signer.read(&path[LINK_PATH.len()..]);
        if let Err(why) = moderators.check_link(link.is_some(), request.client_key()) {
            return Err(self.refuse_link(why, request));
        }
        let link = link.ok_or_else(|| not_found(request))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        if now >= link.until {
            let why = "This link was good for three days, and they are over.";
            return Err(self.no_longer(410, why));
        }
        if !moderators.has(&link.moderator) {
            let why = format!("This link is {}’s, who is no moderator any more.", link.moderator);
            return Err(self.no_longer(403, &why));
        }
        if request.method == "POST" {
            self.check_link_origin(request)?;
            return Ok(self.decide(link, request));
        }
        let (router, hub, id) = (self.clone(), self.hub.clone(), link.id);
        Ok(Reply::Deferred(Box::new(move |respond| {
            let answer = Box::new(move |news| {
                respond(Box::new(move || router.show_link(&link, &news)));
            });
            let _ = hub.query(HubQuery::News(Sought::Id(id), answer));
        })))
    }

    /// What a link that was not signed here is answered.
    fn refuse_link(&self, why: NotModerator, request: &Request) -> Response {
        match why {
            NotModerator::TooMany(wait) => {
                let rejection = too_many(wait);
                let why =
                    format!("There were too many wrong links and tokens from here: {rejection}.");
                self.no_longer(429, &why).with_retry_after(Some(wait))
            }
            wrong => {
                // It counts, and the log says that there was one, but not which.
                let _ = wrong.refuse(request.client());
                let why = "This link is not one of this server’s. Perhaps it was cut off when it was copied.";
                self.no_longer(403, why)
            }
        }
    }

    /// Refuses a form that another site's page has sent. For a page that tells its address to nobody, browsers send `Origin: null` (Fetch,
    /// “append a request Origin header”), and only `Sec-Fetch-Site`, which no page can forge, says that it was this one.
    fn check_link_origin(&self, request: &Request) -> Result<(), Response> {
        let is_null = request.header("origin") == Some("null");
        if is_null && request.header("sec-fetch-site") == Some("same-origin") {
            return Ok(());
        }
        self.check_own_origin(request, true).map_err(|_| {
            let why = "Only the page behind the link itself may send this. Open the link in a browser that is up to date.";
            self.no_longer(403, why)
        })
    }

    fn show_link(&self, link: &Link, news: &News) -> Response {
        let Some(present) = news.comments.first() else {
            return self.no_longer(404, "This comment is not there any more.");
        };
        let mut lines = [Some(present.item.location), present.note.map(|note| note.location)]
            .into_iter()
            .flatten()
            .map(|location| line_at(&*news.file, location));
        let (line, note) = (lines.next().transpose(), lines.next().transpose());
        let known = line.and_then(|line| {
            let comment = Comment::parse(&line.unwrap_or_default())?;
            let note = note?.and_then(|note| ModerationLine::parse(&note).ok());
            Ok(Known { comment, note })
        });
        match known {
            Err(error) => unreadable(&error),
            Ok(known) if known.has_changed(link) => self.changed(&known),
            Ok(known) => self.ask(link, &known),
        }
    }

    /// Does what the link says, once.
    fn decide(self: &Arc<Router>, link: Link, request: &Request) -> Reply {
        let (status, done) = match link.verdict {
            Verdict::Approve => (Status::Public, "published"),
            Verdict::Hide => (Status::Hidden, "hid"),
        };
        let moderator: Arc<str> = link.moderator.into();
        let operation = Operation::Change {
            target: Target { id: link.id, page: None },
            change: Change::Status(status),
            by: Actor { author: None, moderator: Some(moderator.clone()), is_signed: false },
            decision: Decision { seen: Some(link.seq), is_first: true, reason: None },
        };
        let (router, client) = (self.clone(), request.client());
        let build = move |outcome: Result<Written, Rejection>| match outcome {
            Ok(written) => {
                if written.what == WriteKind::Changed {
                    activity::moderated(&moderator, done, link.id, client);
                }
                let (title, text) = match link.verdict {
                    Verdict::Approve => ("Approved", "Everybody sees the comment."),
                    Verdict::Hide => ("Hidden", "Nobody but moderators sees the comment."),
                };
                router.document(200, title, &format!("<p>{text}</p>"))
            }
            Err(Rejection::ChangedMeanwhile(_, line)) => match Known::parse(line.as_bytes()) {
                Some(known) => router.changed(&known),
                None => {
                    router.no_longer(409, "This comment has changed since the message was sent.")
                }
            },
            Err(Rejection::UnknownComment(_)) => {
                router.no_longer(404, "This comment is not there any more.")
            }
            Err(rejection) => {
                let response =
                    router.no_longer(rejection.status(), &format!("It failed: {rejection}."));
                response.with_code(rejection.code()).with_retry_after(rejection.retry_after())
            }
        };
        self.write(operation, request, Box::new(build))
    }

    /// The comment, and the form that decides on it.
    fn ask(&self, link: &Link, known: &Known) -> Response {
        let Comment { name, moderator, created_at, page, content, status, .. } = &known.comment;
        let name = name.as_deref().or(moderator.as_deref()).unwrap_or("Anonymous");
        let why = known.note.as_ref().and_then(|note| note.why.as_deref());
        let state = match status {
            Status::Public => "Everybody sees it now.",
            Status::Pending => "It waits, and nobody sees it.",
            Status::Hidden => "It is hidden now.",
        };
        let why = why.map_or(String::new(), |why| format!(" ({})", Escaped(why)));
        let (title, verb) = match link.verdict {
            Verdict::Approve => ("Show this comment to everybody?", "Approve"),
            Verdict::Hide => ("Hide this comment?", "Hide"),
        };
        let body = format!(
            "<article class=\"comment\"><p class=\"meta\"><bdi class=\"name\">{}</bdi> <time datetime=\"{created_at}\">{created_at}</time> \
             <bdi>{}</bdi></p><div class=\"text plain\" dir=\"auto\">{}</div></article>\n<p>{state}{why}</p>\n\
             <form method=\"post\"><button class=\"send\">{verb}</button></form>",
            Escaped(name),
            Escaped(page),
            Escaped(content)
        );
        self.document(200, title, &body)
    }

    /// Why a link of this server is good no longer, given what has become of the comment.
    fn changed(&self, Known { comment, note }: &Known) -> Response {
        // An edit behind a decision is what counts.
        let by = note.as_ref().and_then(|note| note.by.as_deref().map(|by| (by, note)));
        let by = by.filter(|(_, note)| comment.edited_at.as_deref() <= Some(&note.created_at));
        let why = match by {
            Some((by, note)) => {
                let done = match note.did {
                    Some(Did::Approve) => "approved",
                    Some(Did::Hide) => "hidden",
                    Some(Did::Delete) => "deleted",
                    _ => "decided on",
                };
                format!("{by} has {done} this comment already. A link is good for one decision.")
            }
            None if comment.deleted => "This comment was deleted meanwhile.".into(),
            None if comment.edited_at.is_some() => {
                "This comment was edited after the message was sent, and the link is for the text that was in it.".into()
            }
            None => "This comment has changed since the message was sent.".into(),
        };
        self.no_longer(409, &why)
    }

    fn no_longer(&self, status: u16, why: &str) -> Response {
        self.document(status, "Nothing was done", &format!("<p>{}</p>", Escaped(why)))
    }

    /// A small page. `body` is HTML.
    fn document(&self, status: u16, title: &str, body: &str) -> Response {
        let base = Escaped(&self.base);
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"robots\" content=\"noindex\">\n\
             <link rel=\"stylesheet\" href=\"{base}/embed.css\">\n</head>\n<body class=\"page\">\n<main>\n<section class=\"sayso\">\n\
             <header class=\"head\"><h1 class=\"title\">{title}</h1></header>\n{body}\n\
             <footer class=\"foot\"><a href=\"{base}/admin\">All that waits</a></footer>\n</section>\n</main>\n</body>\n</html>\n"
        );
        Response::new(status, "text/html; charset=utf-8", html)
    }
}

impl Known {
    /// Parses a comment's line as moderators see it.
    fn parse(line: &[u8]) -> Option<Known> {
        let comment = Comment::parse(line).ok()?;
        let mut note = None;
        crate::util::json::read(line, 0, &mut [("note", crate::util::json::Slot::Any(&mut note))])
            .ok()?;
        let note = note.and_then(|note| ModerationLine::parse(note.get().as_bytes()).ok());
        Some(Known { comment, note })
    }

    /// Whether the text is another one than that of the link, or a moderator has decided since.
    fn has_changed(&self, link: &Link) -> bool {
        let is_later = |note: &ModerationLine| note.by.is_some() && note.seq > link.seq;
        self.comment.deleted
            || self.comment.seq > link.seq
            || self.note.as_ref().is_some_and(is_later)
    }
}
