//! HTTP responses: built by `web`, parsed strictly from the private server, and written for the version and connection of the client.
//!
//! Pure. Knows no socket and no route. Never forwards headers that belong to one connection (RFC 9110 §7.6.1).

use std::borrow::Cow;
use std::io::Write;

use crate::http::request::{HttpError, RequestHead, Version};
use crate::util::error_body::ErrorBody;

/// The longest response of the private server including its head, in bytes. A history ends early, with `more`, far below it.
pub const RESPONSE_BYTES_MAX: usize = 1024 * 1024;
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code (RFC 9110 §15).
    pub status: u16,
    /// Names and values, without `Content-Length` and the headers of a connection: [`Response::head`] writes those.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The whole body; empty for 204 and 304.
    pub body: Vec<u8>,
    /// The code of an error, for the log. Nothing of it is sent.
    pub code: Option<&'static str>,
}

/// The head of a response whose body may not be complete yet.
#[derive(Debug, PartialEq, Eq)]
pub struct ResponseHead {
    status: u16,
    headers: Vec<(Cow<'static, str>, String)>,
    /// The offset of the body, which is the length of the head in bytes.
    pub body_start: usize,
    /// The body's `Content-Length`; without one the body extends to the end of the stream.
    pub content_length: Option<usize>,
}

impl ResponseHead {
    /// Parses the head of a response; `None` if it is incomplete.
    ///
    /// # Errors
    /// Returns a message on what is malformed. That is a bug of the server, not the client's mistake.
    pub fn parse(bytes: &[u8]) -> Result<Option<ResponseHead>, String> {
        let mut parsed = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut parsed);
        let body_start = match response.parse(bytes) {
            Ok(httparse::Status::Complete(end)) => end,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => {
                return Err(format!("the response is malformed: {error}"));
            }
        };
        let status = response.code.unwrap_or_default();
        if !(200..600).contains(&status) {
            return Err(format!("the response's status is {status}, 200 to 599 are expected"));
        }
        let mut headers = Vec::with_capacity(response.headers.len());
        let mut content_length = None;
        for header in response.headers {
            let value = str::from_utf8(header.value)
                .map_err(|_| format!("the response's {} is not UTF-8", header.name))?;
            if header.name.eq_ignore_ascii_case("transfer-encoding") {
                return Err("the response is chunked, which was not requested".into());
            }
            if header.name.eq_ignore_ascii_case("content-length") {
                let length = value.parse().ok();
                if length.is_none() || content_length.is_some() {
                    return Err("the response's Content-Length is not one number".into());
                }
                content_length = length;
            }
            if !DROPPED_HEADERS.iter().any(|name| header.name.eq_ignore_ascii_case(name)) {
                headers.push((header.name.to_owned().into(), value.to_owned()));
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
        bytes.drain(..body_start);
        Response { status, headers, body: bytes, code: None }
    }
}

impl Response {
    /// A response with a body of this media type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Response {
        Response { status, headers: Vec::new(), body: body.into(), code: None }
            .with("Content-Type", content_type)
    }

    /// A JSON response, which caches must revalidate before they use it again.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Response {
        Response::new(status, "application/json", body).with("Cache-Control", "no-cache")
    }

    /// An error with the code that belongs to its status.
    pub fn error(status: u16, message: impl Into<String>) -> Response {
        Response::from_error(&HttpError::new(status, message))
    }

    /// An error as JSON, which caches must not store, with the headers that `web` would add.
    pub fn from_error(error: &HttpError) -> Response {
        let HttpError { status, message, code, values, retry_after } = error;
        let body =
            ErrorBody { error: message, code, values, retry_after: *retry_after, nonce: None };
        let response = Response::json(*status, body.to_json())
            .with_code(code)
            .with("Cache-Control", "no-store")
            .with("X-Content-Type-Options", "nosniff")
            .with_retry_after(*retry_after);
        if error.status != 426 {
            return response;
        }
        response.with("Upgrade", "websocket").with("Sec-WebSocket-Version", "13")
    }

    /// Says which error this is, for the log.
    pub fn with_code(self, code: &'static str) -> Response {
        Response { code: Some(code), ..self }
    }

    /// Sets a header; replaces one of the same name.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.retain(|(other, _)| other != name);
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds `Retry-After` with these seconds, if there are any.
    pub fn with_retry_after(self, seconds: Option<u32>) -> Response {
        match seconds {
            Some(seconds) => self.with("Retry-After", seconds.to_string()),
            None => self,
        }
    }

    /// The value of the header with this name, written as it is set.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| &**value)
    }

    /// The head with its empty line, for a client of this version; `keep_alive` says whether another request may follow.
    pub fn head(&self, version: Version, keep_alive: bool) -> Vec<u8> {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len() + 4);
        let mut head = Vec::with_capacity(headers.sum::<usize>() + 128);
        append(&mut head, format_args!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status)));
        for (name, value) in &self.headers {
            for part in [name.as_ref(), ": ", value.as_str(), "\r\n"] {
                head.extend_from_slice(part.as_bytes());
            }
        }
        if has_body(self.status) {
            append(&mut head, format_args!("Content-Length: {}\r\n", self.body.len()));
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
        if request.method() == "HEAD" || !has_body(self.status) { b"" } else { &self.body }
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
        401 => "Unauthorized",
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
        assert!(
            text(400).ends_with("\r\n\r\n{\"error\":\"say \\\"so\\\"\",\"code\":\"bad_request\"}"),
            "{}",
            text(400)
        );
        assert!(
            text(503).ends_with(",\"code\":\"unavailable\",\"retry_after\":2}"),
            "{}",
            text(503)
        );
        assert!(!text(400).contains("Retry-After"));
        assert!(text(503).contains("\r\nRetry-After: 2\r\n") && text(429).contains("Retry-After"));
    }
}
