//! The handshake of a WebSocket (RFC 6455 §4.2), and what its address asks for. Pure.

use base64::prelude::{BASE64_STANDARD, Engine};
use sha1::{Digest, Sha1};

use crate::{
    comment::draft::check_page,
    comment::rejection::Rejection,
    fanout::Tier,
    http::query::{Query, distinct},
    http::request::{HttpError, RequestHead},
    hub::command::{Cursor, StartAt, Subscription},
    limits::{COUNTED_PAGES_MAX, HISTORY_LINES_MAX},
    util::text::parse_decimal,
};

/// The subprotocol of clients that want more than lines.
const SUBPROTOCOL: &str = "sayso.1";
/// The subprotocol of moderators.
pub(super) const ADMIN_SUBPROTOCOL: &str = "sayso.admin.1";

/// The value of `Sec-WebSocket-Accept` (RFC 6455 §4.2.1 and §4.2.2, item 5.4). The caller has checked that the request is a GET
/// of HTTP/1.1.
pub(super) fn accept_key(head: &RequestHead) -> Result<String, HttpError> {
    if head.get("sec-websocket-version") != Some("13") {
        return Err(HttpError::new(426, "only WebSocket version 13 is spoken here"));
    }
    let key = head.get("sec-websocket-key").unwrap_or_default();
    let bytes = BASE64_STANDARD.decode(key).unwrap_or_default();
    if bytes.len() != 16 {
        return Err(HttpError::new(
            400,
            format!("the Sec-WebSocket-Key is {} bytes of base64, must be 16", bytes.len()),
        ));
    }
    let digest = Sha1::new()
        .chain_update(key)
        .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    Ok(BASE64_STANDARD.encode(digest))
}

/// Whether the client offers `sayso.1` or is a plain one.
pub(super) fn tier(head: &RequestHead) -> Tier {
    if offers(head, SUBPROTOCOL) { Tier::Full } else { Tier::Plain }
}

/// Whether the client offers a subprotocol.
pub(super) fn offers(head: &RequestHead, subprotocol: &str) -> bool {
    let mut offered = head.get_all("sec-websocket-protocol").flat_map(|list| list.split(','));
    offered.any(|name| name.trim() == subprotocol)
}

/// The subprotocol that a reader is answered with.
pub(super) fn subprotocol(tier: Tier) -> Option<&'static str> {
    (tier == Tier::Full).then_some(SUBPROTOCOL)
}

/// The response that accepts the handshake (RFC 6455 §4.2.2, item 5).
pub(super) fn response(accept: &str, subprotocol: Option<&str>) -> String {
    let subprotocol =
        subprotocol.map_or(String::new(), |name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n{subprotocol}\r\n"
    )
}

/// What the address asks to follow.
pub(super) fn subscription(query: &str, tier: Tier) -> Result<Subscription, HttpError> {
    let bad = |reject: Rejection| HttpError {
        code: reject.code(),
        values: reject.values(),
        ..HttpError::new(reject.status(), reject.to_string())
    };
    let query = Query::parse(query).map_err(|why| HttpError::new(400, why))?;
    let counted: Vec<String> = query.all("count").map(str::to_owned).collect();
    if !counted.is_empty() {
        if counted.len() > COUNTED_PAGES_MAX {
            let message = format!(
                "count is given {} times, at most {COUNTED_PAGES_MAX} are allowed",
                counted.len()
            );
            return Err(HttpError::new(400, message));
        }
        counted.iter().try_for_each(|page| check_page(page)).map_err(bad)?;
        return Ok(Subscription::Counts(distinct(counted)));
    }
    let page = query.get("page").unwrap_or("/");
    check_page(page).map_err(bad)?;
    let number = |name: &'static str, allowed: &'static str| match query.get(name) {
        None => Ok(None),
        Some(text) => parse_decimal(text).map(Some).ok_or_else(|| {
            let end = text.char_indices().nth(40).map_or(text.len(), |(end, _)| end);
            let value = text[..end].to_owned();
            bad(Rejection::BadParameter { name, value, allowed })
        }),
    };
    let last = number("last", "a number from 0 to 200")?;
    let since = number("since", "a sequence number")?;
    let from = match (last, since, query.get("log")) {
        (None, None, _) => StartAt::Live,
        (Some(last), None, _) if last <= HISTORY_LINES_MAX as u64 => StartAt::Last(last as usize),
        (Some(last), None, _) => {
            return Err(HttpError::new(
                400,
                format!("last is {last}, at most {HISTORY_LINES_MAX} are allowed"),
            ));
        }
        (None, Some(_), _) if tier == Tier::Plain => {
            return Err(HttpError::new(400, "since needs the subprotocol sayso.1"));
        }
        (None, Some(since), Some(log)) => {
            let mark = query.get("mark").map(str::to_owned);
            StartAt::Since(Cursor { since, log: Some(log.to_owned()), mark })
        }
        (None, Some(_), None) => {
            return Err(HttpError::new(400, "since needs log, the log's id from hello"));
        }
        (Some(_), Some(_), _) => {
            return Err(HttpError::new(400, "last and since can't be asked for together"));
        }
    };
    Ok(Subscription::Page(page.to_owned(), from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &str) -> RequestHead {
        let text = format!("GET /ws/comments/ HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        crate::http::request::parse(text.as_bytes()).unwrap().unwrap().0
    }

    #[test]
    fn the_accept_key_is_that_of_the_rfc() {
        let target =
            head("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
        assert_eq!(accept_key(&target).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(accept_key(&head("Sec-WebSocket-Version: 8\r\n")).unwrap_err().status, 426);
        assert_eq!(
            accept_key(&head("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n"))
                .unwrap_err()
                .status,
            400
        );
    }

    #[test]
    fn an_address_says_what_is_followed() {
        let page = |from| Ok(Subscription::Page("/".to_owned(), from));
        assert_eq!(subscription("", Tier::Plain), page(StartAt::Live));
        assert_eq!(subscription("last=200", Tier::Plain), page(StartAt::Last(200)));
        for (query, mark) in [("since=7&log=ab", None), ("mark=cd&since=7&log=ab", Some("cd"))] {
            let (log, mark) = (Some("ab".to_owned()), mark.map(str::to_owned));
            let cursor = Cursor { since: 7, log, mark };
            assert_eq!(subscription(query, Tier::Full), page(StartAt::Since(cursor)), "{query}");
        }
        assert_eq!(subscription("mark=cd&log=ab", Tier::Full), page(StartAt::Live));
        assert_eq!(
            subscription("count=a&count=b", Tier::Plain),
            Ok(Subscription::Counts(vec!["a".into(), "b".into()]))
        );
        for wrong in [
            "last=201",
            "last=x",
            "last=-1",
            "since=7",
            "since=7&mark=cd",
            "since=x&log=a",
            "last=1&since=1&log=a",
            "page=",
            "count=%ff",
        ] {
            assert_eq!(subscription(wrong, Tier::Full).unwrap_err().status, 400, "{wrong}");
        }
        assert!(subscription("since=7&log=ab", Tier::Plain).is_err());
        assert!(subscription(&"count=a&".repeat(100), Tier::Plain).is_ok());
        assert!(subscription(&"count=a&".repeat(101), Tier::Plain).is_err());
    }
}
