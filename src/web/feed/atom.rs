//! Writes a feed as Atom (RFC 4287).
//!
//! Knows no comment.

use super::{Entry, FEED_BYTES_MAX, Feed};

pub(super) const CONTENT_TYPE: &str = "application/atom+xml; charset=utf-8";

pub(super) fn encode(feed: &Feed) -> String {
    let mut out = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
                   <feed xmlns=\"http://www.w3.org/2005/Atom\">\n"
        .to_owned();
    element(&mut out, "id", &feed.id);
    element(&mut out, "title", &feed.title);
    element(&mut out, "updated", feed.updated());
    link(&mut out, "self\" type=\"application/atom+xml", feed.own_url.as_deref());
    link(&mut out, "alternate\" type=\"text/html", feed.home_url.as_deref());
    for entry in &feed.entries {
        let end = out.len();
        push_entry(&mut out, entry);
        if out.len() > FEED_BYTES_MAX {
            out.truncate(end);
            break;
        }
    }
    out + "</feed>\n"
}

fn push_entry(out: &mut String, entry: &Entry) {
    out.push_str("<entry>\n");
    element(out, "id", &entry.id);
    element(out, "title", &entry.title);
    link(out, "alternate\" type=\"text/html", entry.url.as_deref());
    element(out, "published", &entry.published);
    element(out, "updated", &entry.updated);
    out.push_str("<author>");
    element(out, "name", &entry.author);
    out.push_str("</author>\n<content type=\"html\">");
    push_text(out, &entry.html);
    out.push_str("</content>\n</entry>\n");
}

fn element(out: &mut String, name: &str, text: &str) {
    for part in ["<", name, ">"] {
        out.push_str(part);
    }
    push_text(out, text);
    for part in ["</", name, ">\n"] {
        out.push_str(part);
    }
}

/// `rel` goes on with further attributes.
fn link(out: &mut String, rel: &str, url: Option<&str>) {
    let Some(url) = url else { return };
    for part in ["<link rel=\"", rel, "\" href=\""] {
        out.push_str(part);
    }
    push_text(out, url);
    out.push_str("\"/>\n");
}

/// Escapes a text for XML 1.0, and replaces the characters that can't be in it at all (§2.2).
fn push_text(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Else parsers make a line feed of it (§2.11).
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(character),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_that_xml_has_is_kept_or_escaped_and_every_other_one_is_replaced() {
        // XML 1.0 §2.2.
        let is_allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        let escapes =
            [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&#13;", '\r')];
        for character in (0..=0x10ffff).filter_map(char::from_u32) {
            let mut out = String::new();
            push_text(&mut out, character.encode_utf8(&mut [0; 4]));
            let escape = escapes.iter().find(|(escape, _)| *escape == out);
            let expected = if is_allowed(character) { character } else { '\u{fffd}' };
            let read = escape.map_or_else(|| out.chars().next(), |(_, meant)| Some(*meant));
            assert_eq!(read, Some(expected), "{character:?}");
            assert!(escape.is_some() || !"<>&\"\r".contains(character), "{character:?}");
        }
    }

    #[test]
    fn a_feed_that_would_be_too_long_lacks_its_oldest_entries() {
        let entry = |n: u32| Entry {
            id: format!("urn:sayso:log:{n}"),
            title: "\"".repeat(100),
            url: None,
            author: "Ada".into(),
            // The longest HTML, all of it escaped twice.
            html: "&quot;".repeat(32 * 1024 / 6),
            published: "2026-11-22T05:08:00.001Z".into(),
            updated: "2026-11-22T05:08:00.001Z".into(),
        };
        let feed = Feed {
            id: "urn:sayso:log".into(),
            title: "Comments".into(),
            own_url: None,
            home_url: None,
            entries: (0..50).map(entry).collect(),
        };
        let text = encode(&feed);
        assert!(text.len() <= FEED_BYTES_MAX + 10 && text.len() > FEED_BYTES_MAX - 60_000);
        assert!(text.ends_with("</entry>\n</feed>\n"), "{}", &text[text.len() - 40..]);
        let json = super::super::json::encode(&feed);
        assert!(json.len() <= FEED_BYTES_MAX + 10 && json.len() > FEED_BYTES_MAX - 60_000);
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["items"][0]["id"], "urn:sayso:log:0");
    }
}
