//! Bytes to the head of a request, strictly: what two programs could read differently is refused (RFC 9112 §11.2).
//!
//! Pure. Knows no socket, no clock and no route. `httparse` finds the parts; what it is lenient about is looked for before.

use crate::limits::MESSAGE_BYTES_MAX;

/// The head with its empty line, bytes: browsers send under 2 KiB, with many cookies 8.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Header lines: browsers behind two proxies send about 40.
pub const HEADERS_MAX: usize = 64;
/// The body that a head may announce, bytes.
pub const BODY_BYTES_MAX: usize = MESSAGE_BYTES_MAX;

/// Headers that mean one thing, so that a second one would be another meaning. `Host` and `Content-Length` have their own
/// sentences.
const ONCE: [&str; 6] = [
    "authorization",
    "content-type",
    "expect",
    "origin",
    "sec-websocket-key",
    "sec-websocket-version",
];
/// What is quoted of a client's bytes in a sentence, at most.
const QUOTE_BYTES_MAX: usize = 60;

/// A request that is not done, as its HTTP status and a sentence with the value and the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpError {
    /// RFC 9110 §15, RFC 6585.
    pub status: u16,
    /// Lower case, no full stop.
    pub message: String,
}

impl HttpError {
    /// A refusal with this status.
    pub fn new(status: u16, message: impl Into<String>) -> HttpError {
        HttpError { status, message: message.into() }
    }
}

/// A request's head that can be read in one way only. Owns its bytes, in one piece.
///
/// Header values may have bytes from 0x80, since browsers send cookies and proxies send cities in UTF-8; each is read as
/// `?`, which no value that means something here has.
#[derive(Debug, Clone)]
pub struct RequestHead {
    text: String,
    method: Span,
    target: Span,
    headers: Vec<(Span, Span)>,
    version: Version,
    content_length: usize,
}

/// The two versions that are spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// A part of the head; 16 bits reach over [`HEAD_BYTES_MAX`].
#[derive(Debug, Clone, Copy)]
struct Span {
    from: u16,
    to: u16,
}

impl RequestHead {
    /// As sent: `GET`.
    pub fn method(&self) -> &str {
        self.part(self.method)
    }

    /// Path and query as sent, from the first `/` on, in printable ASCII.
    pub fn target(&self) -> &str {
        self.part(self.target)
    }

    /// The target before the first `?`, still percent-encoded.
    pub fn path(&self) -> &str {
        self.target().split_once('?').map_or(self.target(), |(path, _)| path)
    }

    /// The target behind the first `?`, still percent-encoded; empty where there is none.
    pub fn query(&self) -> &str {
        self.target().split_once('?').map_or("", |(_, query)| query)
    }

    /// Which of the two.
    pub fn version(&self) -> Version {
        self.version
    }

    /// All headers, names as sent, values without the blanks around them, in the order of the head.
    pub fn headers(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        self.headers.iter().map(|&(name, value)| (self.part(name), self.part(value)))
    }

    /// The first header of this name, in any case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).next()
    }

    /// Every header of this name, in the order of the head.
    pub fn get_all(&self, name: &str) -> impl DoubleEndedIterator<Item = &str> {
        self.headers()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Whether a header that is a list (`Connection`, `Upgrade`), in one line or several, has the token, in any case.
    pub fn list_contains(&self, name: &str, token: &str) -> bool {
        let mut tokens = self.get_all(name).flat_map(|value| value.split(','));
        tokens.any(|one| one.trim().eq_ignore_ascii_case(token))
    }

    /// Bytes of the body; 0 where none is announced, at most [`BODY_BYTES_MAX`].
    pub fn content_length(&self) -> usize {
        self.content_length
    }

    /// Whether the client wants to send another request on this connection (RFC 9112 §9.3).
    pub fn keep_alive(&self) -> bool {
        let wanted =
            self.version == Version::Http11 || self.list_contains("connection", "keep-alive");
        wanted && !self.list_contains("connection", "close")
    }

    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1).
    pub fn expects_continue(&self) -> bool {
        self.version == Version::Http11 && self.list_contains("expect", "100-continue")
    }

    /// Whether the client asks to go on in the WebSocket protocol (RFC 6455 §4.1).
    pub fn asks_for_websocket(&self) -> bool {
        self.method() == "GET"
            && self.list_contains("upgrade", "websocket")
            && self.list_contains("connection", "upgrade")
    }

    fn part(&self, span: Span) -> &str {
        &self.text[usize::from(span.from)..usize::from(span.to)]
    }
}

/// Reads the head at the beginning of `bytes` and says how many bytes it is; `None` while its end has not come.
///
/// # Errors
/// 400 for what is malformed or ambiguous, as soon as it is seen; 431 and 413 for what is too large.
pub fn parse(bytes: &[u8]) -> Result<Option<(RequestHead, usize)>, HttpError> {
    parse_partial(bytes, &mut 0)
}

/// Like [`parse`], for a beginning that grows: `seen` is 0 at first and keeps how far earlier calls have looked, so
/// that a head that comes byte by byte costs no more than one that comes at once.
///
/// # Errors
/// As [`parse`].
pub fn parse_partial(
    bytes: &[u8],
    seen: &mut usize,
) -> Result<Option<(RequestHead, usize)>, HttpError> {
    let Some(end) = find_end(bytes, seen)? else { return Ok(None) };
    Ok(Some((read(&bytes[..end])?, end)))
}

/// The length of the head with its empty line. Every line feed that is passed has a carriage return before it and the
/// other way round, so that nobody can see other lines than `httparse` will.
fn find_end(bytes: &[u8], seen: &mut usize) -> Result<Option<usize>, HttpError> {
    let window = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
    for (at, &byte) in window.iter().enumerate().skip(*seen) {
        let after_return = at > 0 && window[at - 1] == b'\r';
        match byte {
            b'\n' if !after_return => {
                return Err(malformed(format!("byte {at} of the head is a bare LF")));
            }
            _ if after_return && byte != b'\n' => {
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
    *seen = window.len();
    if window.len() == HEAD_BYTES_MAX {
        let message =
            format!("the head is longer than {HEAD_BYTES_MAX} bytes, no more are allowed");
        return Err(HttpError::new(431, message));
    }
    Ok(None)
}

/// Reads a whole head, of which [`find_end`] has looked at every byte.
fn read(bytes: &[u8]) -> Result<RequestHead, HttpError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(end)) if end == bytes.len() => {}
        Ok(_) => return Err(malformed("the head does not end where its empty line is")),
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
            .map(|one| (span(bytes, one.name.as_bytes()), span(bytes, one.value)))
            .collect(),
        version: if minor == 0 { Version::Http10 } else { Version::Http11 },
        content_length: 0,
        text,
    };
    if let Some(value) = head.get("transfer-encoding") {
        let message = format!(
            "Transfer-Encoding {} is not understood, send Content-Length instead",
            quote(value)
        );
        return Err(malformed(message));
    }
    check_host(&head)?;
    if let Some(name) = ONCE.iter().find(|name| head.get_all(name).nth(1).is_some()) {
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

/// Where in `whole` its slice `part` lies. `httparse` gives slices of what it was given, and one static empty value.
fn span(whole: &[u8], part: &[u8]) -> Span {
    if part.is_empty() {
        return Span { from: 0, to: 0 };
    }
    let from = part.as_ptr().addr() - whole.as_ptr().addr();
    assert!(
        from + part.len() <= whole.len() && whole.len() <= HEAD_BYTES_MAX,
        "a part of the head lies outside of it"
    );
    Span { from: from as u16, to: (from + part.len()) as u16 }
}

/// Origin form in printable ASCII (RFC 9112 §3.2.1); a fragment never belongs into a request.
fn check_target(target: &str) -> Result<(), HttpError> {
    let message = if !target.is_ascii() {
        "has bytes that are not ASCII, percent-encode them"
    } else if !target.starts_with('/') {
        "does not begin with /, only paths are answered here"
    } else if target.contains('#') {
        "has a #, which is never sent"
    } else {
        return Ok(());
    };
    Err(malformed(format!("the target {} {message}", quote(target))))
}

/// RFC 9112 §3.2: exactly one; HTTP/1.0 may leave it out.
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
    let of_a_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]%".contains(&byte);
    if host.is_empty() || !host.bytes().all(of_a_host) {
        return Err(malformed(format!(
            "Host {} is not a name with or without a port",
            quote(host)
        )));
    }
    Ok(())
}

/// RFC 9112 §6.2, and nothing of what §6.3 lets a recipient repair: one header, digits only.
fn content_length(head: &RequestHead) -> Result<usize, HttpError> {
    let mut lengths = head.get_all("content-length");
    let Some(value) = lengths.next() else { return Ok(0) };
    if lengths.next().is_some() {
        let count = 2 + lengths.count();
        return Err(malformed(format!(
            "the head has {count} Content-Length headers, at most 1 is allowed"
        )));
    }
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed(format!("Content-Length {} is not a number", quote(value))));
    }
    match value.parse() {
        Ok(length) if length <= BODY_BYTES_MAX => Ok(length),
        _ => {
            let message = format!(
                "the body is {} bytes, at most {BODY_BYTES_MAX} are allowed",
                shorten(value)
            );
            Err(HttpError::new(413, message))
        }
    }
}

/// The sentence to what `httparse` refuses.
fn explain(error: httparse::Error, bytes: &[u8]) -> HttpError {
    let mut lines = bytes.split(|&byte| byte == b'\n').map(|line| line.trim_ascii_end());
    let request_line = lossy(lines.next().unwrap_or_default());
    let message = match error {
        httparse::Error::TooManyHeaders => {
            let message =
                format!("the head has more than {HEADERS_MAX} headers, no more are allowed");
            return HttpError::new(431, message);
        }
        httparse::Error::Version => {
            format!(
                "the request line {} has another version than HTTP/1.1 and HTTP/1.0",
                quote(&request_line)
            )
        }
        httparse::Error::HeaderName | httparse::Error::HeaderValue => {
            let bad = lines.find(|line| !has_name(line)).map(lossy).unwrap_or_default();
            match bad.starts_with([' ', '\t']) {
                true => format!(
                    "the header line {} goes on with the one before, write it as one",
                    quote(&bad)
                ),
                false => format!("the header line {} has no well-formed name", quote(&bad)),
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
    let of_a_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let name = line.iter().take_while(|byte| of_a_token(byte)).count();
    name > 0 && line.get(name) == Some(&b':')
}

fn lossy(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(2 * QUOTE_BYTES_MAX)]).into_owned()
}

/// In quotes, escaped and not too long.
fn quote(text: &str) -> String {
    format!("{:?}", shorten(text))
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(QUOTE_BYTES_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests;
