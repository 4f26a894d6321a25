//! Writes a feed as JSON Feed 1.1 (<https://www.jsonfeed.org/version/1.1/>).
//!
//! Knows no comment.

use super::{Entry, FEED_BYTES_MAX, Feed};
use crate::comment::append_text;

pub(super) const CONTENT_TYPE: &str = "application/feed+json";

pub(super) fn encode(feed: &Feed) -> Vec<u8> {
    let mut out = b"{\"version\":\"https://jsonfeed.org/version/1.1\"".to_vec();
    append_text(&mut out, ",\"title\":", Some(&feed.title));
    append_text(&mut out, ",\"home_page_url\":", feed.home_url.as_deref());
    append_text(&mut out, ",\"feed_url\":", feed.own_url.as_deref());
    out.extend_from_slice(b",\"items\":[");
    for (number, entry) in feed.entries.iter().enumerate() {
        let end = out.len();
        if number > 0 {
            out.push(b',');
        }
        push_item(&mut out, entry);
        if out.len() > FEED_BYTES_MAX {
            out.truncate(end);
            break;
        }
    }
    out.extend_from_slice(b"]}");
    out
}

fn push_item(out: &mut Vec<u8>, entry: &Entry) {
    append_text(out, "{\"id\":", Some(&entry.id));
    append_text(out, ",\"url\":", entry.url.as_deref());
    append_text(out, ",\"title\":", Some(&entry.title));
    append_text(out, ",\"content_html\":", Some(&entry.html));
    append_text(out, ",\"date_published\":", Some(&entry.published));
    append_text(out, ",\"date_modified\":", Some(&entry.updated));
    append_text(out, ",\"authors\":[{\"name\":", Some(&entry.author));
    out.extend_from_slice(b"}]}");
}
