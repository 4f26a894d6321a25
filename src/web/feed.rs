//! `GET /feed.atom` and `/feed.json`: the newest comments of a page or of all, for feed readers.
//!
//! What a feed says is put together here; how it is written, in the two modules. Knows no other path.

mod atom;
mod json;

use std::{io, mem, sync::Arc};

use super::{
    Reply, Router,
    history::unreadable,
    newest::NEWEST_MAX,
    parameters::{check_method, parse_query},
};
use crate::{
    comment::Comment,
    comment::draft::check_page,
    comment::shown_text::is_direction_override,
    http::query::encode,
    http::response::Response,
    hub::newest::Newest,
    util::html::Escaped,
    web::request::{Request, ResponseExt, weak_tag},
};

/// The longest feed, in bytes: beyond it, the oldest comments are left out. With its headers it stays below
/// [`RESPONSE_BYTES_MAX`](crate::http::response::RESPONSE_BYTES_MAX).
const FEED_BYTES_MAX: usize = 1_000_000;
/// `updated` of a feed without comments.
const NEVER: &str = "1970-01-01T00:00:00.000Z";

/// How a feed is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Atom (RFC 4287).
    Atom,
    /// JSON Feed 1.1.
    Json,
}

/// A feed.
struct Feed {
    id: String,
    title: String,
    /// Its own address, if `--public-url` says where sayso is.
    own_url: Option<String>,
    /// The address of what it is about.
    home_url: Option<String>,
    /// Newest first.
    entries: Vec<Entry>,
}

/// A comment in a feed.
struct Entry {
    /// The same for ever, whatever becomes of the comment and its page.
    id: String,
    title: String,
    url: Option<String>,
    author: String,
    html: String,
    published: String,
    updated: String,
}

impl Feed {
    /// When something in it was written or edited last.
    fn updated(&self) -> &str {
        self.entries.iter().map(|entry| &*entry.updated).max().unwrap_or(NEVER)
    }

    fn encode(&self, format: Format) -> Vec<u8> {
        match format {
            Format::Atom => atom::encode(self).into_bytes(),
            Format::Json => json::encode(self),
        }
    }
}

impl Router {
    /// Serves a feed.
    pub(super) fn feed(
        self: &Arc<Router>,
        format: Format,
        request: &Arc<Request>,
    ) -> Result<Reply, Response> {
        check_method(request, &["GET", "HEAD"])?;
        let page = parse_query(request)?.get("page").map(str::to_owned);
        page.as_deref().map_or(Ok(()), check_page)?;
        let (router, asked) = (self.clone(), request.clone());
        let asked_page = page.clone();
        let build = move |newest: Newest| {
            let feed = match router.make_feed(format, page.as_deref(), &newest) {
                Ok(feed) => feed,
                Err(error) => return unreadable(&error),
            };
            let body = feed.encode(format);
            let etag = weak_tag(&body);
            let content_type = match format {
                Format::Atom => atom::CONTENT_TYPE,
                Format::Json => json::CONTENT_TYPE,
            };
            Response::new(200, content_type, body)
                .with("Cache-Control", "no-cache")
                .with_etag(&etag, &asked)
                .compressed(&asked)
        };
        Ok(self.find_newest(asked_page, None, NEWEST_MAX, Box::new(build)))
    }

    /// `page` is the name that was asked for, by which the feed is known even after the page has moved. What people read and where they
    /// are led is its present name.
    fn make_feed(&self, format: Format, page: Option<&str>, newest: &Newest) -> io::Result<Feed> {
        let log = &*newest.history.log;
        let mut entries = Vec::new();
        newest.read(&mut |comment, _, _| entries.push(self.make_entry(log, comment)))?;
        let public = self.page_urls.public_url.as_deref();
        let path = match format {
            Format::Atom => "feed.atom",
            Format::Json => "feed.json",
        };
        let (id, title, query, home_url) = match page {
            None => {
                let home = public.filter(|_| self.has_page).map(|public| format!("{public}/"));
                (format!("urn:sayso:{log}"), self.title.clone(), String::new(), home)
            }
            Some(page) => {
                let encoded = encode(page);
                let present = newest.page.as_deref().unwrap_or(page);
                (
                    format!("urn:sayso:{log}:page:{encoded}"),
                    one_way(format!("{}: {present}", self.title)),
                    format!("?page={encoded}"),
                    self.page_urls.page(present),
                )
            }
        };
        let own_url = public.map(|public| format!("{public}/{path}{query}"));
        Ok(Feed { id, title, own_url, home_url, entries })
    }

    fn make_entry(&self, log: &str, mut comment: Comment) -> Entry {
        let url = self.page_urls.comment(&comment.page, comment.id);
        let author = comment.name.take().or_else(|| comment.moderator.take());
        let author = author.unwrap_or_else(|| "Anonymous".into());
        let html = comment.html.take().unwrap_or_else(|| {
            let text = Escaped(&comment.content).to_string().replace('\n', "<br>");
            format!("<p>{text}</p>")
        });
        let published = mem::take(&mut comment.created_at);
        let edited = comment.edited_at.take().filter(|edited| *edited > published);
        Entry {
            id: format!("urn:sayso:{log}:{}", comment.id),
            title: one_way(format!("{author} on {}", comment.page)),
            url,
            author,
            html,
            updated: edited.unwrap_or_else(|| published.clone()),
            published,
        }
    }
}

/// Takes out what turns the direction of text: a title stands among others in a reader's list.
fn one_way(mut title: String) -> String {
    title.retain(|char| !is_direction_override(char));
    title
}
