//! Parses the head of a request strictly: refuses whatever two programs could read differently (RFC 9112 §11.2).
//!
//! Pure. Knows no socket, no clock and no route. `httparse` finds the parts; what it is lenient about is checked before.

use crate::http::error_code::ErrorCode;
use crate::limits::MESSAGE_BYTES_MAX;
use crate::util::error_body::{Value, Values};
use crate::util::text::{QUOTE_CHARS_MAX, is_decimal, parse_decimal, quote, shorten};

/// The longest head including its empty line, in bytes. Browsers send less than 2 KiB, or 8 KiB with many cookies.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of a request. Browsers behind two proxies send about 40.
pub const HEADERS_MAX: usize = 64;
/// `Retry-After` of 429 and 503, in seconds: what is full now has room again within moments.
const RETRY_SECONDS: u32 = 2;
/// The longest body, in bytes.
pub const BODY_BYTES_MAX: usize = MESSAGE_BYTES_MAX;

/// Headers that must not be repeated, since programs could differ in which one they use. `Host` and `Content-Length` are
/// checked separately.
const SINGLE_HEADERS: [&str; 6] = [
    "authorization",
    "content-type",
    "expect",
    "origin",
    "sec-websocket-key",
    "sec-websocket-version",
];

/// Why a request is refused: an HTTP status, a code, and a message with the value and the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpError {
    /// The status code (RFC 9110 §15, RFC 6585).
    pub status: u16,
    /// Lower case, no full stop.
    pub message: String,
    /// Names the kind of error; see [`ErrorCode`].
    pub code: &'static str,
    /// What the message states, for programs.
    pub values: Values,
    /// After how many seconds the same may succeed, if waiting helps.
    pub retry_after: Option<u32>,
}

impl HttpError {
    /// An error with this status and message, and the code that belongs to the status.
    pub fn new(status: u16, message: impl Into<String>) -> HttpError {
        HttpError {
            status,
            message: message.into(),
            code: ErrorCode::of(status).name(),
            values: Values::default(),
            retry_after: matches!(status, 429 | 503).then_some(RETRY_SECONDS),
        }
    }

    /// An error with this code, its status, and this message.
    pub fn of(code: ErrorCode, message: impl Into<String>) -> HttpError {
        HttpError { code: code.name(), ..HttpError::new(code.status(), message) }
    }

    /// Adds a value that the message states.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> HttpError {
        self.values = self.values.with(name, value);
        self
    }
}

/// The head of a request, which can be read in one way only. Owns its text, in one allocation.
///
/// Header values may contain bytes from 0x80 on, since browsers send cookies and proxies send place names in UTF-8. Each
/// such byte is replaced by `?`, which occurs in no value that sayso interprets.
#[derive(Debug, Clone)]
pub struct RequestHead {
    text: String,
    method: Span,
    target: Span,
    headers: Vec<(Span, Span)>,
    version: Version,
    content_length: usize,
}

/// The supported versions of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// A range of the head's text. 16 bits are enough for [`HEAD_BYTES_MAX`].
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u16,
    end: u16,
}

impl RequestHead {
    /// The method as sent, such as `GET`.
    pub fn method(&self) -> &str {
        self.part(self.method)
    }

    /// Path and query as sent: printable ASCII that begins with `/`.
    pub fn target(&self) -> &str {
        self.part(self.target)
    }

    /// The part of the target before the first `?`, still percent-encoded.
    pub fn path(&self) -> &str {
        self.target().split_once('?').map_or(self.target(), |(path, _)| path)
    }

    /// The part of the target after the first `?`, still percent-encoded; empty if there is none.
    pub fn query(&self) -> &str {
        self.target().split_once('?').map_or("", |(_, query)| query)
    }

    /// The version of HTTP.
    pub fn version(&self) -> Version {
        self.version
    }

    /// All headers in order, with names as sent and values trimmed.
    pub fn headers(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        self.headers.iter().map(|&(name, value)| (self.part(name), self.part(value)))
    }

    /// The value of the first header of this name, compared without case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).next()
    }

    /// The values of all headers of this name in order, compared without case.
    pub fn get_all(&self, name: &str) -> impl DoubleEndedIterator<Item = &str> {
        self.headers()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Whether a list header such as `Connection`, on one line or several, contains the token, compared without case.
    pub fn list_contains(&self, name: &str, token: &str) -> bool {
        let mut tokens = self.get_all(name).flat_map(|value| value.split(','));
        tokens.any(|one| one.trim().eq_ignore_ascii_case(token))
    }

    /// The length of the body in bytes, at most [`BODY_BYTES_MAX`]; 0 without a `Content-Length`.
    pub fn content_length(&self) -> usize {
        self.content_length
    }

    /// Whether the client may send another request on this connection (RFC 9112 §9.3).
    pub fn keep_alive(&self) -> bool {
        let is_persistent =
            self.version == Version::Http11 || self.list_contains("connection", "keep-alive");
        is_persistent && !self.list_contains("connection", "close")
    }

    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1).
    pub fn expects_continue(&self) -> bool {
        self.version == Version::Http11 && self.list_contains("expect", "100-continue")
    }

    /// Whether the client requests an upgrade to a WebSocket (RFC 6455 §4.1).
    pub fn is_websocket_upgrade(&self) -> bool {
        self.method() == "GET"
            && self.list_contains("upgrade", "websocket")
            && self.list_contains("connection", "upgrade")
    }

    fn part(&self, span: Span) -> &str {
        &self.text[usize::from(span.start)..usize::from(span.end)]
    }
}

/// Parses the head at the beginning of `bytes` and returns it with its length; `None` if it is incomplete.
///
/// # Errors
/// 400 for a malformed or ambiguous head, as soon as that shows; 431 or 413 for what is too large.
pub fn parse(bytes: &[u8]) -> Result<Option<(RequestHead, usize)>, HttpError> {
    parse_partial(bytes, &mut 0)
}

/// Like [`parse`], for a buffer that grows between calls. `scanned` must be 0 at first and keeps how many bytes earlier
/// calls have checked, so that a head that arrives byte by byte costs no more than one that arrives at once.
///
/// # Errors
/// The same as those of [`parse`].
pub fn parse_partial(
    bytes: &[u8],
    scanned: &mut usize,
) -> Result<Option<(RequestHead, usize)>, HttpError> {
    let Some(end) = find_end(bytes, scanned)? else { return Ok(None) };
    Ok(Some((parse_complete(&bytes[..end])?, end)))
}

/// Finds the length of the head including its empty line. Refuses a CR without an LF and an LF without a CR, so that no
/// program can see other lines than `httparse` does.
fn find_end(bytes: &[u8], scanned: &mut usize) -> Result<Option<usize>, HttpError> {
    let window = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
    for (at, &byte) in window.iter().enumerate().skip(*scanned) {
        let after_cr = at > 0 && window[at - 1] == b'\r';
        match byte {
            b'\n' if !after_cr => {
                return Err(malformed(format!("byte {at} of the head is a bare LF")));
            }
            _ if after_cr && byte != b'\n' => {
                return Err(malformed(format!("byte {} of the head is a bare CR", at - 1)));
            }
            b'\n' if window[..at].ends_with(b"\r\n\r") => return Ok(Some(at + 1)),
            b'\n' if at == 1 => {
                return Err(malformed("the head begins with an empty line"));
            }
            b'\r' | b'\n' | b'\t' | b' '..=b'~' | 0x80.. => {}
            _ => {
                let message =
                    format!("byte {at} of the head is the control character 0x{byte:02x}");
                return Err(malformed(message));
            }
        }
    }
    *scanned = window.len();
    if window.len() == HEAD_BYTES_MAX {
        let message =
            format!("the head is longer than {HEAD_BYTES_MAX} bytes, no more are allowed");
        return Err(HttpError::new(431, message).with("max", HEAD_BYTES_MAX));
    }
    Ok(None)
}

/// Parses a complete head whose bytes [`find_end`] has checked.
fn parse_complete(bytes: &[u8]) -> Result<RequestHead, HttpError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(end)) if end == bytes.len() => {}
        Ok(_) => return Err(malformed("the head does not end with its empty line")),
        Err(error) => return Err(explain(error, bytes)),
    }
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Err(malformed("the head has no request line"));
    };
    check_target(target)?;
    let text = match bytes.is_ascii() {
        true => String::from_utf8_lossy(bytes).into_owned(),
        false => {
            bytes.iter().map(|&byte| if byte.is_ascii() { char::from(byte) } else { '?' }).collect()
        }
    };
    let mut head = RequestHead {
        method: span(bytes, method.as_bytes()),
        target: span(bytes, target.as_bytes()),
        headers: request
            .headers
            .iter()
            .map(|header| (span(bytes, header.name.as_bytes()), span(bytes, header.value)))
            .collect(),
        version: if minor == 0 { Version::Http10 } else { Version::Http11 },
        content_length: 0,
        text,
    };
    if let Some(value) = head.get("transfer-encoding") {
        let message = format!(
            "Transfer-Encoding {} is not supported, send Content-Length instead",
            quote(value)
        );
        return Err(malformed(message));
    }
    check_host(&head)?;
    if let Some(name) = SINGLE_HEADERS.iter().find(|name| head.get_all(name).nth(1).is_some()) {
        return Err(malformed(format!(
            "the head has more than one {name} header, only 1 is allowed"
        )));
    }
    head.content_length = content_length(&head)?;
    Ok(head)
}

fn malformed(message: impl Into<String>) -> HttpError {
    HttpError::new(400, message)
}

/// The range of `part` within `whole`. `httparse` returns slices of its input, except for one static empty value.
fn span(whole: &[u8], part: &[u8]) -> Span {
    if part.is_empty() {
        return Span { start: 0, end: 0 };
    }
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    assert!(
        start + part.len() <= whole.len() && whole.len() <= HEAD_BYTES_MAX,
        "the part lies outside the head"
    );
    Span { start: start as u16, end: (start + part.len()) as u16 }
}

/// Accepts only the origin form in printable ASCII (RFC 9112 §3.2.1), without a fragment.
fn check_target(target: &str) -> Result<(), HttpError> {
    let message = if !target.is_ascii() {
        "contains bytes that are not ASCII, percent-encode them"
    } else if !target.starts_with('/') {
        "does not begin with /"
    } else if target.contains('#') {
        "contains #, which must not be sent"
    } else {
        return Ok(());
    };
    Err(malformed(format!("the target {} {message}", quote(target))))
}

/// Requires exactly one `Host` (RFC 9112 §3.2), except for HTTP/1.0, which may leave it out.
fn check_host(head: &RequestHead) -> Result<(), HttpError> {
    let count = head.get_all("host").count();
    let host = match (head.get("host"), head.version) {
        (Some(host), _) if count == 1 => host,
        (Some(_), _) => {
            return Err(malformed(format!("the head has {count} Host headers, 1 is needed")));
        }
        (None, Version::Http10) => return Ok(()),
        (None, Version::Http11) => {
            return Err(malformed("the head has no Host header, 1 is needed"));
        }
    };
    let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]%".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_host_byte) {
        return Err(malformed(format!(
            "Host {} is not a host name with or without a port",
            quote(host)
        )));
    }
    Ok(())
}

/// Parses `Content-Length` (RFC 9112 §6.2): one header, digits only. Repairs nothing of what §6.3 allows to.
fn content_length(head: &RequestHead) -> Result<usize, HttpError> {
    let mut lengths = head.get_all("content-length");
    let Some(value) = lengths.next() else { return Ok(0) };
    if lengths.next().is_some() {
        let count = 2 + lengths.count();
        return Err(malformed(format!(
            "the head has {count} Content-Length headers, at most 1 is allowed"
        )));
    }
    if !is_decimal(value) {
        return Err(malformed(format!("Content-Length {} is not a number", quote(value))));
    }
    match value.parse() {
        Ok(length) if length <= BODY_BYTES_MAX => Ok(length),
        _ => {
            let message = format!(
                "the body is {} bytes, at most {BODY_BYTES_MAX} are allowed",
                shorten(value, QUOTE_CHARS_MAX)
            );
            let bytes = parse_decimal(value).unwrap_or(u64::MAX);
            Err(HttpError::new(413, message).with("bytes", bytes).with("max", BODY_BYTES_MAX))
        }
    }
}

/// Turns an error of `httparse` into one with a message that quotes the line.
fn explain(error: httparse::Error, bytes: &[u8]) -> HttpError {
    let mut lines = bytes.split(|&byte| byte == b'\n').map(|line| line.trim_ascii_end());
    let request_line = lossy(lines.next().unwrap_or_default());
    let message = match error {
        httparse::Error::TooManyHeaders => {
            let message =
                format!("the head has more than {HEADERS_MAX} headers, no more are allowed");
            return HttpError::new(431, message).with("max", HEADERS_MAX);
        }
        httparse::Error::Version => {
            format!(
                "the version in the request line {} is neither HTTP/1.1 nor HTTP/1.0",
                quote(&request_line)
            )
        }
        httparse::Error::HeaderName | httparse::Error::HeaderValue => {
            let bad = lines.find(|line| !has_name(line)).map(lossy).unwrap_or_default();
            match bad.starts_with([' ', '\t']) {
                true => format!(
                    "the header line {} continues the previous one, send both as one line",
                    quote(&bad)
                ),
                false => format!("the header line {} has no valid name", quote(&bad)),
            }
        }
        _ => format!(
            "the request line {} is not a method, a path and a version",
            quote(&request_line)
        ),
    };
    malformed(message)
}

/// Whether the line begins with a token and a colon (RFC 9110 §5.6.2).
fn has_name(line: &[u8]) -> bool {
    let is_token_byte =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let name = line.iter().take_while(|byte| is_token_byte(byte)).count();
    name > 0 && line.get(name) == Some(&b':')
}

/// The beginning of a line as text, enough of it for [`quote`].
fn lossy(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(2 * QUOTE_CHARS_MAX)]).into_owned()
}

#[cfg(test)]
mod tests;
