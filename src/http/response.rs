//! HTTP responses: parsed strictly from the private server, and written for the version and connection of the client.
//!
//! Pure. Knows no socket and no route. Never forwards headers that belong to one connection (RFC 9110 §7.6.1).

use std::io::Write;

use serde::Serialize;

use crate::http::request::{HttpError, RequestHead, Version};

/// The longest response of the private server including its head, in bytes. A history ends early, with `more`, far below it.
pub const RESPONSE_BYTES_MAX: usize = 1024 * 1024;
/// `Retry-After` of 429 and 503, in seconds: what is full now has room again within moments.
pub const RETRY_SECONDS: u32 = 2;
/// Headers of a response: twice what tiny_http and a page send.
const HEADERS_MAX: usize = 32;
/// Headers that are not forwarded: written anew for each connection, or of no use to clients.
const DROPPED_HEADERS: [&str; 7] = [
    "connection",
    "content-length",
    "keep-alive",
    "server",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A complete response, independent of the connection that it is written to.
#[derive(Debug)]
pub struct Response {
    status: u16,
    /// The forwarded header lines, each with its line end.
    headers: Vec<u8>,
    /// Contains the body from `body_start` on.
    bytes: Vec<u8>,
    body_start: usize,
}

/// The head of a response whose body may not be complete yet.
#[derive(Debug, PartialEq, Eq)]
pub struct ResponseHead {
    status: u16,
    headers: Vec<u8>,
    /// The offset of the body, which is the length of the head in bytes.
    pub body_start: usize,
    /// The body's `Content-Length`; without one the body extends to the end of the stream.
    pub content_length: Option<usize>,
}

impl ResponseHead {
    /// Parses the head of a response; `None` if it is incomplete.
    ///
    /// # Errors
    /// Returns a message on what is malformed. That is a bug of the private server, not the client's mistake.
    pub fn parse(bytes: &[u8]) -> Result<Option<ResponseHead>, String> {
        let mut parsed = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut parsed);
        let body_start = match response.parse(bytes) {
            Ok(httparse::Status::Complete(end)) => end,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => {
                return Err(format!("the private server's response is malformed: {error}"));
            }
        };
        let status = response.code.unwrap_or_default();
        if !(200..600).contains(&status) {
            return Err(format!(
                "the private server's status is {status}, 200 to 599 are expected"
            ));
        }
        let mut headers = Vec::with_capacity(body_start);
        let mut content_length = None;
        for header in response.headers {
            if header.name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(
                    "the private server's response is chunked, which was not requested".into()
                );
            }
            if header.name.eq_ignore_ascii_case("content-length") {
                let value = str::from_utf8(header.value).ok().and_then(|value| value.parse().ok());
                if value.is_none() || content_length.is_some() {
                    return Err("the private server's Content-Length is not one number".into());
                }
                content_length = value;
            }
            if !DROPPED_HEADERS.iter().any(|name| header.name.eq_ignore_ascii_case(name)) {
                headers.extend_from_slice(header.name.as_bytes());
                headers.extend_from_slice(b": ");
                headers.extend_from_slice(header.value);
                headers.extend_from_slice(b"\r\n");
            }
        }
        // 204 and 304 never have a body, whatever Content-Length says (RFC 9112 §6.3).
        if !has_body(status) {
            content_length = Some(0);
        }
        Ok(Some(ResponseHead { status, headers, body_start, content_length }))
    }

    /// The whole response, where `bytes` is all of it including the head.
    pub fn complete(self, mut bytes: Vec<u8>) -> Response {
        let ResponseHead { status, headers, body_start, content_length } = self;
        assert!(body_start <= bytes.len(), "the head of a response is longer than the response");
        if let Some(length) = content_length {
            bytes.truncate(body_start + length);
        }
        Response { status, headers, bytes, body_start }
    }
}

impl Response {
    /// A JSON response that caches must not store.
    pub fn json(status: u16, body: &impl Serialize) -> Response {
        let headers = b"Content-Type: application/json\r\nCache-Control: no-store\r\n\
            X-Content-Type-Options: nosniff\r\n"
            .to_vec();
        let bytes = serde_json::to_vec(body).expect("it has names, texts and numbers only");
        Response { status, headers, bytes, body_start: 0 }
    }

    /// An error as `{"error":"…"}`.
    pub fn from_error(error: &HttpError) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'a str,
        }
        let mut response = Response::json(error.status, &Body { error: &error.message });
        if matches!(error.status, 429 | 503) {
            append(&mut response.headers, format_args!("Retry-After: {RETRY_SECONDS}\r\n"));
        }
        if error.status == 426 {
            let upgrade = b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
            response.headers.extend_from_slice(upgrade);
        }
        response
    }

    /// The head with its empty line, for a client of this version; `keep_alive` says whether another request may follow.
    pub fn head(&self, version: Version, keep_alive: bool) -> Vec<u8> {
        let mut head = Vec::with_capacity(self.headers.len() + 128);
        append(&mut head, format_args!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status)));
        head.extend_from_slice(&self.headers);
        if has_body(self.status) {
            append(&mut head, format_args!("Content-Length: {}\r\n", self.body().len()));
        }
        head.extend_from_slice(match (version, keep_alive) {
            (_, false) => b"Connection: close\r\n\r\n",
            (Version::Http10, true) => b"Connection: keep-alive\r\n\r\n",
            (Version::Http11, true) => b"\r\n",
        });
        head
    }

    /// The body that follows the head in the response to this request; empty for HEAD.
    pub fn body_for(&self, request: &RequestHead) -> &[u8] {
        if request.method() == "HEAD" || !has_body(self.status) { b"" } else { self.body() }
    }

    /// The whole body.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body_start..]
    }
}

/// 204 and 304 end with their head (RFC 9110 §15.3.5, §15.4.5), and 204 has no `Content-Length` either.
fn has_body(status: u16) -> bool {
    !matches!(status, 204 | 304)
}

fn append(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a vector never fails");
}

/// The reason phrase, for people who read the wire; clients go by the number (RFC 9112 §4).
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        303 => "See Other",
        304 => "Not Modified",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(text: &str) -> Response {
        ResponseHead::parse(text.as_bytes()).unwrap().unwrap().complete(text.into())
    }

    fn written(response: &Response, method: &str, version: Version, keep_alive: bool) -> String {
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        let (request, _) = crate::http::request::parse(request.as_bytes()).unwrap().unwrap();
        let mut bytes = response.head(version, keep_alive);
        bytes.extend_from_slice(response.body_for(&request));
        String::from_utf8(bytes).unwrap()
    }

    const PAGE: &str = "HTTP/1.1 200 OK\r\nServer: tiny-http (Rust)\r\nDate: now\r\nETag: \"a\"\r\nconnection: x\r\nContent-Length: 4\r\n\r\npage";

    #[test]
    fn a_response_is_forwarded_without_the_headers_of_its_connection() {
        assert_eq!(
            written(&response(PAGE), "GET", Version::Http11, true),
            "HTTP/1.1 200 OK\r\nDate: now\r\nETag: \"a\"\r\nContent-Length: 4\r\n\r\npage"
        );
    }

    #[test]
    fn the_connection_header_depends_on_version_and_keep_alive() {
        let page = response(PAGE);
        for (version, keep_alive, expected) in [
            (Version::Http11, true, None),
            (Version::Http11, false, Some("Connection: close\r\n")),
            (Version::Http10, true, Some("Connection: keep-alive\r\n")),
            (Version::Http10, false, Some("Connection: close\r\n")),
        ] {
            let text = written(&page, "GET", version, keep_alive);
            let line = text.split_inclusive("\r\n").find(|line| line.starts_with("Connection"));
            assert_eq!(line, expected, "{version:?} {keep_alive}");
        }
    }

    #[test]
    fn a_response_to_head_has_the_length_of_the_body_but_no_body() {
        let text = written(&response(PAGE), "HEAD", Version::Http11, true);
        assert!(text.ends_with("Content-Length: 4\r\n\r\n"), "{text}");
    }

    #[test]
    fn responses_204_and_304_have_neither_body_nor_length() {
        for status in ["204 No Content", "304 Not Modified"] {
            let stray = response(&format!("HTTP/1.1 {status}\r\nContent-Length: 4\r\n\r\npage"));
            assert_eq!(
                written(&stray, "GET", Version::Http11, true),
                format!("HTTP/1.1 {status}\r\n\r\n")
            );
        }
    }

    #[test]
    fn a_response_without_a_length_gets_the_length_of_its_body() {
        let text =
            written(&response("HTTP/1.1 404 Not Found\r\n\r\nno"), "GET", Version::Http11, true);
        assert_eq!(text, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
    }

    #[test]
    fn an_incomplete_head_is_never_a_response() {
        let end = PAGE.find("page").unwrap();
        for end in 0..end {
            assert_eq!(ResponseHead::parse(&PAGE.as_bytes()[..end]), Ok(None));
        }
    }

    #[test]
    fn what_tiny_http_never_sends_is_an_error() {
        for head in [
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 600 No\r\n\r\n",
            "nonsense\r\n\r\n",
        ] {
            assert!(ResponseHead::parse(head.as_bytes()).is_err(), "{head:?}");
        }
    }

    #[test]
    fn an_error_is_json_with_its_message_and_says_when_to_retry() {
        let text = |status| {
            let error = HttpError::new(status, "say \"so\"");
            written(&Response::from_error(&error), "GET", Version::Http11, false)
        };
        assert!(
            text(400).starts_with("HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n")
        );
        assert!(text(400).contains("\r\nCache-Control: no-store\r\n"));
        assert!(text(400).ends_with("\r\n\r\n{\"error\":\"say \\\"so\\\"\"}"), "{}", text(400));
        assert!(!text(400).contains("Retry-After"));
        assert!(text(503).contains("\r\nRetry-After: 2\r\n") && text(429).contains("Retry-After"));
    }
}
