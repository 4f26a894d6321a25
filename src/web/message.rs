//! A request as the routes see it and an answer as they give it: what HTTP says (RFC 9110), without a server in it.
//!
//! Knows no path.

use std::net::{IpAddr, Ipv4Addr};

use crc32c::crc32c;

use crate::{
    comment::rejection::Rejection, comment::server_message::ServerMessage,
    http::forwarded::ClientKey, web::gzip::gzip,
};

/// What is shorter fits into one packet as it is.
pub const GZIP_BYTES_MIN: usize = 1_024;

/// A request that the door let through.
#[derive(Debug, Clone)]
pub struct Request {
    /// In capitals.
    pub method: String,
    /// Without query.
    pub path: String,
    /// Without `?`; empty if there is none.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// All of it.
    pub body: Vec<u8>,
    /// Who asks, as the door found out; `None` if it did not come through the door: somebody who may open the private socket.
    pub client: Option<IpAddr>,
}

impl Request {
    /// The first header of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| &**value)
    }

    /// Whether the client takes gzip (RFC 9110 §12.5.3): it says so itself, or takes anything, and not with a weight of 0.
    pub fn takes_gzip(&self) -> bool {
        let mut anything = false;
        let lists = self.headers.iter().filter(|(name, _)| name == "accept-encoding");
        for item in lists.flat_map(|(_, list)| list.split(',')) {
            let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
            let weight = parameters.trim().strip_prefix(['q', 'Q']).unwrap_or_default();
            let weight = weight.trim_start().trim_start_matches('=').trim();
            let is_taken = !weight.starts_with('0') || weight.contains(|c| matches!(c, '1'..='9'));
            match coding.trim() {
                coding if coding.eq_ignore_ascii_case("gzip") => return is_taken,
                "*" => anything = is_taken,
                _ => {}
            }
        }
        anything
    }

    /// Whose bucket pays.
    pub fn counted(&self) -> ClientKey {
        ClientKey::of(self.client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)))
    }

    /// The token of `Authorization: Bearer …` (RFC 6750 §2.1).
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// The media type of the body, without parameters, in lower case.
    pub fn content_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Whether the client has `etag` already (RFC 9110 §13.1.2; compared weakly).
    pub fn has(&self, etag: &str) -> bool {
        let weak = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let wanted = weak(etag);
        self.header("if-none-match")
            .is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == "*" || weak(tag) == wanted))
    }
}

/// What goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// RFC 9110 §15.
    pub status: u16,
    /// Without length and connection, which are the server's.
    pub headers: Vec<(&'static str, String)>,
    /// Empty for 204 and 304.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer with a body of this type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Response {
        Response {
            status,
            headers: vec![("Content-Type", content_type.to_owned())],
            body: body.into(),
        }
    }

    /// JSON, not to be kept without asking again.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Response {
        Response::new(status, "application/json", body).with("Cache-Control", "no-cache")
    }

    /// `{"error":"…"}`
    pub fn error(status: u16, sentence: &str) -> Response {
        let message =
            ServerMessage::Error { error: sentence, code: None, retry_after: None, nonce: None };
        Response::json(status, message.to_json()).with("Cache-Control", "no-store")
    }

    /// The sentence of a reject, with `Retry-After` where waiting helps.
    pub fn reject(reject: &Rejection, nonce: Option<&str>) -> Response {
        let answer = Response::json(reject.status(), reject.to_json(nonce));
        answer.with("Cache-Control", "no-store").retrying(reject)
    }

    /// Says `Retry-After` where waiting helps.
    pub fn retrying(self, reject: &Rejection) -> Response {
        match reject.retry_after() {
            Some(seconds) => self.with("Retry-After", seconds.to_string()),
            None => self,
        }
    }

    /// Sets a header, in place of one of the same name.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.retain(|(n, _)| *n != name);
        self.headers.push((name, value.into()));
        self
    }

    /// The answer, or 304 if the client has it already.
    pub fn with_etag(self, etag: &str, request: &Request) -> Response {
        let mut answer = self.with("ETag", etag);
        if request.has(etag) {
            (answer.status, answer.body) = (304, Vec::new());
        }
        answer
    }

    /// The same answer as gzip, for a client that takes it, where that is shorter by more than it costs.
    pub fn compressed(self, request: &Request) -> Response {
        if self.body.len() < GZIP_BYTES_MIN || !request.takes_gzip() {
            return self;
        }
        let mut answer = self.with("Content-Encoding", "gzip");
        answer.body = gzip(&answer.body);
        answer
    }
}

/// The entity tag of these bytes (RFC 9110 §8.8.3).
pub fn tag(bytes: &[u8]) -> String {
    format!("\"{:08x}-{:x}\"", crc32c(bytes), bytes.len())
}

/// The same for what may be said in other bytes.
pub fn weak_tag(bytes: &[u8]) -> String {
    format!("W/{}", tag(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request {
        let headers =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Request {
            method: "GET".into(),
            path: "/".into(),
            query: String::new(),
            headers,
            body: Vec::new(),
            client: None,
        }
    }

    #[test]
    fn an_etag_is_compared_weakly_and_in_lists() {
        for (given, same) in [
            ("W/\"a\"", true),
            ("\"a\"", true),
            ("\"b\", W/\"a\"", true),
            ("*", true),
            ("\"b\"", false),
        ] {
            let answer = Response::json(200, "x")
                .with_etag("W/\"a\"", &request(&[("if-none-match", given)]));
            assert_eq!((answer.status == 304, answer.body.is_empty()), (same, same), "{given}");
        }
    }

    #[test]
    fn gzip_is_for_those_who_take_it() {
        for (given, takes) in [
            ("gzip", true),
            ("gzip, deflate, br, zstd", true),
            ("br;q=1.0, GZip;q=0.001", true),
            ("deflate, *", true),
            ("*;q=0, gzip", true),
            ("gzip;q=0", false),
            ("gzip ; q=0.000", false),
            ("gzip;q=0, *", false),
            ("*;q=0", false),
            ("identity", false),
            ("br", false),
            ("", false),
        ] {
            assert_eq!(request(&[("accept-encoding", given)]).takes_gzip(), takes, "{given}");
        }
        assert!(request(&[("accept-encoding", "br"), ("accept-encoding", "gzip")]).takes_gzip());
        assert!(!request(&[]).takes_gzip());
    }

    #[test]
    fn what_is_long_is_compressed_for_those_who_take_it() {
        let answer = |length: usize, takes| {
            let request = request(&[("accept-encoding", takes)]);
            Response::json(200, vec![b'a'; length]).compressed(&request)
        };
        let min = GZIP_BYTES_MIN;
        assert_eq!(answer(min - 1, "gzip").body.len(), min - 1);
        assert_eq!(answer(min, "br").body.len(), min);
        let packed = answer(min, "gzip");
        assert!(packed.headers.contains(&("Content-Encoding", "gzip".into())));
        assert_eq!(crate::web::gzip::gunzip(&packed.body).unwrap(), vec![b'a'; min]);
    }

    #[test]
    fn a_bearer_token_and_a_media_type_are_read_in_any_case() {
        let request = request(&[
            ("authorization", "bearer  abc"),
            ("content-type", "Application/JSON; charset=utf-8"),
        ]);
        assert_eq!((request.bearer(), &*request.content_type()), (Some("abc"), "application/json"));
    }
}
