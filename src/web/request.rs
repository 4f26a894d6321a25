//! Requests as the routes see them (RFC 9110), and what a response takes from its request.
//!
//! Knows no path and no server.

use std::net::{IpAddr, Ipv4Addr};

use crc32c::crc32c;

use crate::{
    comment::rejection::Rejection, http::forwarded::ClientKey, http::response::Response,
    web::gzip::gzip,
};

/// The shortest body that is compressed, in bytes: a shorter one fits into one packet anyway.
pub const GZIP_BYTES_MIN: usize = 1_024;

/// Whom a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A client of the public port, with its address as [`http::forwarded`](crate::http::forwarded) found it, if there is one.
    Client(Option<IpAddr>),
    /// The owner of the data folder, through its control socket or in the same process. No origin, no token and no rate is asked of them:
    /// they could as well change the files.
    Owner,
}

/// A request that `http` has checked.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query without `?`; empty if there is none.
    pub query: String,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// Whom it comes from.
    pub peer: Peer,
}

impl Request {
    /// Whether it comes from the owner of the data folder.
    pub fn is_owner(&self) -> bool {
        self.peer == Peer::Owner
    }

    /// The client's address; `None` for the owner of the data folder, and where there is none.
    pub fn client(&self) -> Option<IpAddr> {
        match self.peer {
            Peer::Client(address) => address,
            Peer::Owner => None,
        }
    }

    /// The value of the first header with this name, which must be in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| &**value)
    }

    /// Whether the client accepts gzip, by name or through `*`, with a weight above 0 (RFC 9110 §12.5.3).
    pub fn accepts_gzip(&self) -> bool {
        let mut accepts_any = false;
        let lists = self.headers.iter().filter(|(name, _)| name == "accept-encoding");
        for item in lists.flat_map(|(_, list)| list.split(',')) {
            let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
            let weight = parameters.trim().strip_prefix(['q', 'Q']).unwrap_or_default();
            let weight = weight.trim_start().trim_start_matches('=').trim();
            let is_accepted =
                !weight.starts_with('0') || weight.contains(|c| matches!(c, '1'..='9'));
            match coding.trim() {
                coding if coding.eq_ignore_ascii_case("gzip") => return is_accepted,
                "*" => accepts_any = is_accepted,
                _ => {}
            }
        }
        accepts_any
    }

    /// The client that rate limits count this request for. The owner is none of the clients, as no client has this address.
    pub fn client_key(&self) -> ClientKey {
        match self.peer {
            Peer::Client(address) => ClientKey::of_client(address),
            Peer::Owner => ClientKey::of(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        }
    }

    /// The token of `Authorization: Bearer …` (RFC 6750 §2.1).
    pub fn bearer_token(&self) -> Option<&str> {
        self.credentials("bearer").filter(|token| !token.is_empty())
    }

    /// What `Authorization` has behind the name of this scheme (RFC 9110 §11.4), which may be nothing.
    pub fn credentials(&self, scheme: &str) -> Option<&str> {
        let value = self.header("authorization")?;
        let (given, credentials) = value.split_once(' ').unwrap_or((value, ""));
        given.eq_ignore_ascii_case(scheme).then(|| credentials.trim())
    }

    /// The media type of the body, without parameters, in lower case.
    pub fn content_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Whether `If-None-Match` names `etag`, by weak comparison (RFC 9110 §13.1.2).
    pub fn matches_etag(&self, etag: &str) -> bool {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let wanted = opaque(etag);
        self.header("if-none-match").is_some_and(|tags| {
            tags.split(',').any(|tag| tag.trim() == "*" || opaque(tag) == wanted)
        })
    }
}

/// What a response takes from its request.
pub trait ResponseExt {
    /// Sets `ETag`. Turns the response into 304 if the client has this version already.
    fn with_etag(self, etag: &str, request: &Request) -> Self;

    /// Compresses the body if the client accepts gzip and the body has at least [`GZIP_BYTES_MIN`] bytes.
    fn compressed(self, request: &Request) -> Self;
}

impl ResponseExt for Response {
    fn with_etag(self, etag: &str, request: &Request) -> Response {
        let mut response = self.with("ETag", etag);
        if request.matches_etag(etag) {
            (response.status, response.body) = (304, Vec::new());
        }
        response
    }

    fn compressed(self, request: &Request) -> Response {
        if self.body.len() < GZIP_BYTES_MIN || !request.accepts_gzip() {
            return self;
        }
        let mut response = self.with("Content-Encoding", "gzip");
        response.body = gzip(&response.body);
        response
    }
}

/// The JSON error of a rejection, with `Retry-After` if waiting helps. `nonce` is the client's own, if it sent one.
pub fn rejected(rejection: &Rejection, nonce: Option<&str>) -> Response {
    let response = Response::json(rejection.status(), rejection.to_json(nonce))
        .with_code(rejection.code())
        .with("Cache-Control", "no-store")
        .with_retry_after(rejection.retry_after());
    // RFC 9110 §15.5.2
    if response.status == 401 { response.with("WWW-Authenticate", "Bearer") } else { response }
}

/// For `?` in routes: the error without a nonce.
impl From<Rejection> for Response {
    fn from(rejection: Rejection) -> Response {
        rejected(&rejection, None)
    }
}

/// The strong entity tag of these bytes (RFC 9110 §8.8.3).
pub fn strong_tag(bytes: &[u8]) -> String {
    format!("\"{:08x}-{:x}\"", crc32c(bytes), bytes.len())
}

/// The weak entity tag of these bytes, for content that may also be sent compressed.
pub fn weak_tag(bytes: &[u8]) -> String {
    format!("W/{}", strong_tag(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    fn request(headers: &[(&str, &str)]) -> Request {
        let headers =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Request {
            method: "GET".into(),
            path: "/".into(),
            query: String::new(),
            headers,
            body: Vec::new(),
            peer: Peer::Client(Some(Ipv6Addr::LOCALHOST.into())),
        }
    }

    #[test]
    fn the_owner_shares_limits_and_bans_with_no_client() {
        let owner = Request { peer: Peer::Owner, ..request(&[]) };
        assert_ne!(owner.client_key(), request(&[]).client_key());
    }

    #[test]
    fn an_etag_is_compared_weakly_and_in_lists() {
        for (given, matches) in [
            ("W/\"a\"", true),
            ("\"a\"", true),
            ("\"b\", W/\"a\"", true),
            ("*", true),
            ("\"b\"", false),
        ] {
            let response = Response::json(200, "x")
                .with_etag("W/\"a\"", &request(&[("if-none-match", given)]));
            let outcome = (response.status == 304, response.body.is_empty());
            assert_eq!(outcome, (matches, matches), "{given}");
        }
    }

    #[test]
    fn gzip_is_accepted_by_name_or_wildcard_unless_its_weight_is_zero() {
        for (given, accepts) in [
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
            assert_eq!(request(&[("accept-encoding", given)]).accepts_gzip(), accepts, "{given}");
        }
        assert!(request(&[("accept-encoding", "br"), ("accept-encoding", "gzip")]).accepts_gzip());
        assert!(!request(&[]).accepts_gzip());
    }

    #[test]
    fn a_long_body_is_compressed_if_the_client_accepts_gzip() {
        let response = |length: usize, accepted| {
            let request = request(&[("accept-encoding", accepted)]);
            Response::json(200, vec![b'a'; length]).compressed(&request)
        };
        let min = GZIP_BYTES_MIN;
        assert_eq!(response(min - 1, "gzip").body.len(), min - 1);
        assert_eq!(response(min, "br").body.len(), min);
        let compressed = response(min, "gzip");
        assert_eq!(compressed.header("Content-Encoding"), Some("gzip"));
        assert_eq!(crate::web::gzip::gunzip(&compressed.body).unwrap(), vec![b'a'; min]);
    }

    #[test]
    fn a_bearer_token_and_a_media_type_are_read_in_any_case() {
        let request = request(&[
            ("authorization", "bearer  abc"),
            ("content-type", "Application/JSON; charset=utf-8"),
        ]);
        let found = (request.bearer_token(), &*request.content_type());
        assert_eq!(found, (Some("abc"), "application/json"));
    }
}
