//! What a program is told of a comment: the JSON on its standard input, and the addresses in it.
//!
//! Pure, but for the clock's time that links end at. Does not know what is worth telling.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    http::page_url::PageUrls,
    hub::{
        link::{LINK_PATH, LINK_SECONDS, Link, Signer, Verdict},
        moderators::Moderators,
    },
};

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is a new comment that everybody sees.
    Posted,
    /// A comment waits for a moderator.
    Held,
    /// Readers have flagged a comment.
    Flagged,
}

/// How the addresses in an event are made.
#[derive(Default)]
pub struct Addresses {
    /// Where comments are read.
    pub urls: PageUrls,
    /// What links by which a moderator decides need, if there are any.
    pub links: Option<(Arc<Signer>, Arc<Moderators>)>,
}

/// An event.
pub struct Event<'a> {
    /// What has happened.
    pub kind: Kind,
    /// The comment's line as moderators see it.
    pub line: &'a [u8],
    /// Its id.
    pub id: u64,
    /// The highest `seq` of what is known of it.
    pub seq: u64,
    /// The page where it lives now.
    pub page: &'a str,
}

impl Addresses {
    /// Encodes an event as JSON.
    pub fn encode(&self, event: &Event, now: SystemTime) -> Vec<u8> {
        let kind: &[u8] = match event.kind {
            Kind::Posted => b"posted",
            Kind::Held => b"held",
            Kind::Flagged => b"flagged",
        };
        let mut out = Vec::with_capacity(event.line.len() + 1_024);
        let mut push = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
        push(&[b"{\"event\":\"", kind, b"\",\"line\":", event.line]);
        // No address has a character that JSON escapes.
        if let Some(url) = self.urls.comment(event.page, event.id) {
            push(&[b",\"page_url\":\"", url.as_bytes(), b"\""]);
        }
        let approve = self.link(event, Verdict::Approve, now);
        if let Some((approve, hide)) = approve.zip(self.link(event, Verdict::Hide, now)) {
            push(&[b",\"links\":{\"approve\":\"", approve.as_bytes()]);
            push(&[b"\",\"hide\":\"", hide.as_bytes(), b"\"}"]);
        }
        push(&[b"}"]);
        out
    }

    /// The link for one decision, in the name of the first moderator.
    fn link(&self, event: &Event, verdict: Verdict, now: SystemTime) -> Option<String> {
        let (url, (signer, moderators)) =
            self.urls.public_url.as_deref().zip(self.links.as_ref())?;
        let moderator = moderators.names().into_iter().next()?;
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let Event { id, seq, .. } = *event;
        let link = Link { id, seq, verdict, moderator, until: now + LINK_SECONDS };
        Some(format!("{url}{LINK_PATH}{}", signer.sign(&link)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_the_line_and_only_the_addresses_that_there_are() {
        let event =
            |kind| Event { kind, line: b"{\"seq\":9,\"id\":7}", id: 7, seq: 9, page: "a.b/" };
        let encoded = |addresses: &Addresses, kind| {
            String::from_utf8(addresses.encode(&event(kind), UNIX_EPOCH)).unwrap()
        };
        let urls =
            PageUrls::new(Some("https://t.example".into()), true, &["https://a.b".into()], &[]);
        let mut all = Addresses { urls, links: None };
        let none = "{\"event\":\"posted\",\"line\":{\"seq\":9,\"id\":7}}";
        let nowhere = Event { page: "/", ..event(Kind::Posted) };
        assert_eq!(Addresses::default().encode(&nowhere, UNIX_EPOCH), none.as_bytes());
        for (kind, name) in
            [(Kind::Posted, "posted"), (Kind::Held, "held"), (Kind::Flagged, "flagged")]
        {
            let expected = format!(
                "{{\"event\":\"{name}\",\"line\":{{\"seq\":9,\"id\":7}},\"page_url\":\"https://a.b/#sayso-7\"}}"
            );
            assert_eq!(encoded(&all, kind), expected);
        }
        let list =
            crate::hub::moderators::parse("ada 0123456789abcdef\nbob fedcba9876543210").unwrap();
        let signer = Arc::new(Signer::new([1; 32], "0"));
        all.links = Some((signer.clone(), Moderators::new(list)));
        let json = encoded(&all, Kind::Held);
        for (name, verdict) in [("approve", Verdict::Approve), ("hide", Verdict::Hide)] {
            let (_, rest) = json.split_once(&format!("\"{name}\":\"https://t.example/m/")).unwrap();
            let link = signer.read(rest.split('"').next().unwrap()).unwrap();
            let moderator = "ada".to_owned();
            assert_eq!(link, Link { id: 7, seq: 9, verdict, moderator, until: 259_200 });
        }
    }
}
