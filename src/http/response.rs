//! An HTTP answer: read strictly from the private server, written for the version and the wishes of whoever asked.
//!
//! Pure. Knows no socket and no route. What belongs to one connection (RFC 9110 §7.6.1) is never passed on.

use std::io::Write;

use serde::Serialize;

use crate::http::request::{Head, Refusal, Version};

/// An answer of the private server with its head, bytes; a history stops early, with `more`, far below.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// `Retry-After` of 429 and 503, seconds: what is full here empties by itself, mostly within moments.
pub const RETRY_SECONDS: u32 = 2;
/// What tiny_http's own headers and those of a page come to, twice.
const HEADERS_MAX: usize = 32;
/// Written anew for each connection, or nobody's business.
const NOT_PASSED_ON: [&str; 7] = [
    "connection",
    "content-length",
    "keep-alive",
    "server",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A whole answer, not yet tied to a connection.
#[derive(Debug)]
pub struct Answer {
    status: u16,
    /// Header lines that are passed on, each with its line end.
    fields: Vec<u8>,
    /// The body is what stands here from `body` on.
    bytes: Vec<u8>,
    body: usize,
}

/// The head of an answer whose body may still be coming.
#[derive(Debug, PartialEq, Eq)]
pub struct Beginning {
    status: u16,
    fields: Vec<u8>,
    /// Where the body begins, bytes.
    pub body: usize,
    /// Its `Content-Length`; without one it goes on to the end of the stream.
    pub length: Option<usize>,
}

impl Beginning {
    /// Reads the head of an answer; `None` while its end has not come.
    ///
    /// # Errors
    /// A sentence on what is wrong, which is a fault of ours.
    pub fn parse(bytes: &[u8]) -> Result<Option<Beginning>, String> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let body = match response.parse(bytes) {
            Ok(httparse::Status::Complete(body)) => body,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(format!("the private server's answer is malformed: {error}")),
        };
        let status = response.code.unwrap_or_default();
        if !(200..600).contains(&status) {
            return Err(format!(
                "the private server's status is {status}, 200 to 599 are expected"
            ));
        }
        let mut fields = Vec::with_capacity(body);
        let mut length = None;
        for header in response.headers {
            if header.name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(
                    "the private server's answer is chunked, which is never asked for".into()
                );
            }
            if header.name.eq_ignore_ascii_case("content-length") {
                let value = str::from_utf8(header.value).ok().and_then(|value| value.parse().ok());
                if value.is_none() || length.is_some() {
                    return Err("the private server's Content-Length is not one number".into());
                }
                length = value;
            }
            if !NOT_PASSED_ON.iter().any(|name| header.name.eq_ignore_ascii_case(name)) {
                fields.extend_from_slice(header.name.as_bytes());
                fields.extend_from_slice(b": ");
                fields.extend_from_slice(header.value);
                fields.extend_from_slice(b"\r\n");
            }
        }
        // These never have one, whatever length stands there (RFC 9112 §6.3).
        if !has_body(status) {
            length = Some(0);
        }
        Ok(Some(Beginning { status, fields, body, length }))
    }

    /// The whole answer, once `bytes` has all of it.
    pub fn complete(self, mut bytes: Vec<u8>) -> Answer {
        assert!(self.body <= bytes.len(), "the head of an answer is longer than the answer");
        if let Some(length) = self.length {
            bytes.truncate(self.body + length);
        }
        Answer { status: self.status, fields: self.fields, bytes, body: self.body }
    }
}

impl Answer {
    /// JSON that nobody keeps.
    pub fn json(status: u16, body: &impl Serialize) -> Answer {
        let fields = b"Content-Type: application/json\r\nCache-Control: no-store\r\n\
            X-Content-Type-Options: nosniff\r\n"
            .to_vec();
        let bytes = serde_json::to_vec(body).expect("it has names, texts and numbers only");
        Answer { status, fields, bytes, body: 0 }
    }

    /// What was refused, as `{"error":"…"}`.
    pub fn refusal(refusal: &Refusal) -> Answer {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'a str,
        }
        let body = Body { error: &refusal.sentence };
        let Answer { mut fields, bytes, .. } = Answer::json(refusal.status, &body);
        if matches!(refusal.status, 429 | 503) {
            write_into(&mut fields, format_args!("Retry-After: {RETRY_SECONDS}\r\n"));
        }
        if refusal.status == 426 {
            fields.extend_from_slice(b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
        }
        Answer { status: refusal.status, fields, bytes, body: 0 }
    }

    /// The head as this connection needs it, with its empty line; `stays` says whether another request may follow.
    pub fn head(&self, version: Version, stays: bool) -> Vec<u8> {
        let mut head = Vec::with_capacity(self.fields.len() + 128);
        write_into(&mut head, format_args!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status)));
        head.extend_from_slice(&self.fields);
        if has_body(self.status) {
            write_into(&mut head, format_args!("Content-Length: {}\r\n", self.body().len()));
        }
        head.extend_from_slice(match (version, stays) {
            (_, false) => b"Connection: close\r\n\r\n",
            (Version::Http10, true) => b"Connection: keep-alive\r\n\r\n",
            (Version::Http11, true) => b"\r\n",
        });
        head
    }

    /// What follows the head for this request: nothing where it was asked for the head only.
    pub fn body_for(&self, request: &Head) -> &[u8] {
        if request.method() == "HEAD" || !has_body(self.status) { b"" } else { self.body() }
    }

    /// The whole body.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body..]
    }
}

/// RFC 9110 §15.3.5, §15.4.5: these two end with their head, and 204 has no length either.
fn has_body(status: u16) -> bool {
    !matches!(status, 204 | 304)
}

fn write_into(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a vector takes every text");
}

/// For people who read the wire; programs go by the number (RFC 9112 §4).
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

    fn answer(text: &str) -> Answer {
        Beginning::parse(text.as_bytes()).unwrap().unwrap().complete(text.into())
    }

    fn written(answer: &Answer, method: &str, version: Version, stays: bool) -> String {
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        let (request, _) = crate::http::request::parse(request.as_bytes()).unwrap().unwrap();
        let mut bytes = answer.head(version, stays);
        bytes.extend_from_slice(answer.body_for(&request));
        String::from_utf8(bytes).unwrap()
    }

    const PAGE: &str = "HTTP/1.1 200 OK\r\nServer: tiny-http (Rust)\r\nDate: now\r\nETag: \"a\"\r\nconnection: x\r\nContent-Length: 4\r\n\r\npage";

    #[test]
    fn an_answer_is_passed_on_without_what_belongs_to_its_connection() {
        assert_eq!(
            written(&answer(PAGE), "GET", Version::Http11, true),
            "HTTP/1.1 200 OK\r\nDate: now\r\nETag: \"a\"\r\nContent-Length: 4\r\n\r\npage"
        );
    }

    #[test]
    fn the_connection_header_fits_the_version_and_the_wish() {
        let page = answer(PAGE);
        for (version, stays, expected) in [
            (Version::Http11, true, None),
            (Version::Http11, false, Some("Connection: close\r\n")),
            (Version::Http10, true, Some("Connection: keep-alive\r\n")),
            (Version::Http10, false, Some("Connection: close\r\n")),
        ] {
            let text = written(&page, "GET", version, stays);
            let line = text.split_inclusive("\r\n").find(|line| line.starts_with("Connection"));
            assert_eq!(line, expected, "{version:?} {stays}");
        }
    }

    #[test]
    fn head_has_the_length_of_the_body_and_no_body() {
        let text = written(&answer(PAGE), "HEAD", Version::Http11, true);
        assert!(text.ends_with("Content-Length: 4\r\n\r\n"), "{text}");
    }

    #[test]
    fn answers_that_end_with_their_head_have_neither_body_nor_length() {
        for status in ["204 No Content", "304 Not Modified"] {
            let stray = answer(&format!("HTTP/1.1 {status}\r\nContent-Length: 4\r\n\r\npage"));
            assert_eq!(
                written(&stray, "GET", Version::Http11, true),
                format!("HTTP/1.1 {status}\r\n\r\n")
            );
        }
    }

    #[test]
    fn an_answer_without_length_is_as_long_as_it_came() {
        let text =
            written(&answer("HTTP/1.1 404 Not Found\r\n\r\nno"), "GET", Version::Http11, true);
        assert_eq!(text, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
    }

    #[test]
    fn every_part_of_a_head_is_partial_or_a_fault_but_never_an_answer() {
        let end = PAGE.find("page").unwrap();
        for end in 0..end {
            assert_eq!(Beginning::parse(&PAGE.as_bytes()[..end]), Ok(None));
        }
    }

    #[test]
    fn what_tiny_http_never_sends_is_a_fault() {
        for head in [
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 600 No\r\n\r\n",
            "nonsense\r\n\r\n",
        ] {
            assert!(Beginning::parse(head.as_bytes()).is_err(), "{head:?}");
        }
    }

    #[test]
    fn a_refusal_is_json_with_its_sentence_and_says_when_to_come_again() {
        let text = |status| {
            let refusal = Refusal::new(status, "say \"so\"");
            written(&Answer::refusal(&refusal), "GET", Version::Http11, false)
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
