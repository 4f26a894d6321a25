//! Forwards requests to the private tiny_http server: rebuilds each request from its checked parts and reads the whole response.
//!
//! Knows no client's socket and no comment. tiny_http 0.12 can't be exposed to the network (see [`crate::http`]), so
//! every byte that reaches it is written here: one request per connection, only listed headers, and a correct length.

use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use crate::http::forwarded::names_only_loopback;
use crate::http::request::{HttpError, RequestHead};
use crate::http::response::{RESPONSE_BYTES_MAX, Response, ResponseHead};
use crate::util::address_space::{self, RESERVE_BYTES};

/// The time from the first byte of the request to the last of the response.
pub const EXCHANGE_DEADLINE: Duration = Duration::from_secs(20);
/// How long a request waits for a permit. An exchange takes about a millisecond, so permits are released quickly.
pub const PERMIT_TIMEOUT: Duration = Duration::from_secs(2);

/// The header that passes the client's address on. It is not forwarded from clients, so they can't forge it.
pub const CLIENT_HEADER: &str = "X-Sayso-Client";
/// What that header says of a client without an address (as RFC 7239 §6.2 does).
pub const UNNAMED_CLIENT: &str = "unknown";
/// The header that says that a request comes from a program on this machine. It is not forwarded from clients either.
pub const LOCAL_HEADER: &str = "X-Sayso-Local";
/// The headers that `web` reads. Length and client are written anew; headers of the connection are not forwarded.
const FORWARDED_HEADERS: [&str; 11] = [
    "Host",
    "Origin",
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Content-Type",
    "If-None-Match",
    "Sec-Fetch-Site",
    "Access-Control-Request-Method",
    "Access-Control-Request-Headers",
];
/// Exchanges with the private server at once, at most. A few threads are enough to answer them, each in about a millisecond.
pub const EXCHANGES_MAX: usize = 64;
/// The size of the first read, in bytes: most pages fit.
const FIRST_READ_BYTES: usize = 16 * 1024;

/// The private server, shared by all connections.
#[derive(Debug)]
pub struct Upstream {
    path: PathBuf,
    /// A channel that contains one token for each free permit.
    permits: (Sender<()>, Receiver<()>),
    /// Requests a restart of the private server. The supervisor grants at most one a second.
    restart: Sender<()>,
}

/// Why the private server gave no valid response.
#[derive(Debug)]
enum UpstreamError {
    /// Nothing listens on the private socket.
    Unreachable(io::Error),
    /// The deadline has passed.
    TimedOut,
    /// Anything else, as a message for the log.
    Failed(String),
}

impl Upstream {
    /// Uses the server on the Unix socket at `path`, for at most `exchanges` at once (1 to [`EXCHANGES_MAX`]).
    pub fn new(path: PathBuf, exchanges: usize, restart: Sender<()>) -> Upstream {
        assert!(
            (1..=EXCHANGES_MAX).contains(&exchanges),
            "exchanges must be 1 to {EXCHANGES_MAX}, not {exchanges}"
        );
        let permits = crossbeam_channel::bounded(exchanges);
        for _ in 0..exchanges {
            permits.0.try_send(()).expect("the channel has room for all tokens");
        }
        Upstream { path, permits, restart }
    }

    /// Forwards a request of `client` and reads the whole response. Never waits for the client, and only a bounded time for a permit
    /// and the private server.
    ///
    /// # Errors
    /// 503 if no permit becomes free, or if the private server is unreachable, too slow, or sends a malformed response.
    pub fn handle(
        &self,
        head: &RequestHead,
        body: &[u8],
        client: Option<IpAddr>,
    ) -> Result<Response, HttpError> {
        let permit = Permit::acquire(self)?;
        // New connections leave twice as much, so the pages of those that are there still come.
        if !address_space::has_room(RESERVE_BYTES / 2) {
            let message = "the server has no memory for the response now, try again";
            return Err(HttpError::new(503, message));
        }
        let result = self.exchange(&build_request(head, body, client));
        drop(permit);
        result.map_err(|error| self.report(&error))
    }

    fn exchange(&self, request: &[u8]) -> Result<Response, UpstreamError> {
        let deadline = Instant::now() + EXCHANGE_DEADLINE;
        let mut stream = UnixStream::connect(&self.path).map_err(|error| match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::NotFound => UpstreamError::Unreachable(error),
            _ => UpstreamError::Failed(format!("can't connect: {error}")),
        })?;
        stream.set_write_timeout(Some(EXCHANGE_DEADLINE)).map_err(UpstreamError::from_io)?;
        stream.write_all(request).map_err(UpstreamError::from_io)?;
        read_response(|buffer| {
            let remaining = deadline.saturating_duration_since(Instant::now());
            if remaining.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            stream.set_read_timeout(Some(remaining))?;
            stream.read(buffer)
        })
    }

    /// Logs an error, requests a restart if the server is unreachable, and returns the error for the client.
    fn report(&self, error: &UpstreamError) -> HttpError {
        match error {
            UpstreamError::Unreachable(error) => {
                if self.restart.try_send(()).is_ok() {
                    log::warn!("the private server is unreachable, restarting it: {error}");
                }
                HttpError::new(503, "the web server is restarting, try again")
            }
            UpstreamError::TimedOut => {
                let seconds = EXCHANGE_DEADLINE.as_secs();
                log::warn!("the private server did not respond within {seconds} s");
                HttpError::new(
                    503,
                    format!("the web server did not respond within {seconds} s, try again"),
                )
            }
            UpstreamError::Failed(why) => {
                log::warn!("the private server has failed: {why}");
                HttpError::new(503, "the web server failed to respond, try again")
            }
        }
    }
}

impl UpstreamError {
    fn from_io(error: io::Error) -> UpstreamError {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => UpstreamError::TimedOut,
            _ => UpstreamError::Failed(format!("its socket failed: {error}")),
        }
    }
}

/// The right to one exchange.
struct Permit<'u>(&'u Sender<()>);

impl Permit<'_> {
    fn acquire(upstream: &Upstream) -> Result<Permit<'_>, HttpError> {
        match upstream.permits.1.recv_timeout(PERMIT_TIMEOUT) {
            Ok(()) => Ok(Permit(&upstream.permits.0)),
            Err(_) => {
                let max = upstream.permits.0.capacity().unwrap_or_default();
                let message =
                    format!("{max} requests are being answered, no more are allowed at once");
                Err(HttpError::new(503, message))
            }
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.try_send(()).expect("the channel has room for the token taken from it");
    }
}

/// Builds the request for the private server. HEAD becomes GET; the body is left out when the response is written to the client.
fn build_request(head: &RequestHead, body: &[u8], client: Option<IpAddr>) -> Vec<u8> {
    let method = if head.method() == "HEAD" { "GET" } else { head.method() };
    let mut request = Vec::with_capacity(head.target().len() + body.len() + 512);
    let mut line = |parts: &[&str]| {
        for part in parts {
            request.extend_from_slice(part.as_bytes());
        }
        request.extend_from_slice(b"\r\n");
    };
    line(&[method, " ", head.target(), " HTTP/1.1"]);
    line(&["Connection: close"]);
    let name = client.map_or(UNNAMED_CLIENT.to_owned(), |client| client.to_string());
    line(&[CLIENT_HEADER, ": ", &name]);
    let is_loopback = client.is_some_and(|client| client.to_canonical().is_loopback());
    if is_loopback && names_only_loopback(head.get_all("x-forwarded-for")) {
        line(&[LOCAL_HEADER, ": yes"]);
    }
    for (name, value) in head.headers() {
        if let Some(name) = FORWARDED_HEADERS.iter().find(|known| known.eq_ignore_ascii_case(name))
        {
            line(&[name, ": ", value]);
        }
    }
    if head.content_length() > 0 {
        line(&["Content-Length: ", &body.len().to_string()]);
    }
    line(&[]);
    request.extend_from_slice(body);
    request
}

/// Reads a whole response, up to its `Content-Length` or the end of the stream.
fn read_response(
    mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
) -> Result<Response, UpstreamError> {
    let mut bytes = vec![0; FIRST_READ_BYTES];
    let mut filled = 0;
    let mut head: Option<ResponseHead> = None;
    loop {
        if head.is_none() {
            head = ResponseHead::parse(&bytes[..filled]).map_err(UpstreamError::Failed)?;
        }
        let end = head.as_ref().and_then(|head| {
            head.content_length.map(|length| head.body_start.saturating_add(length))
        });
        if filled.max(end.unwrap_or(0)) > RESPONSE_BYTES_MAX {
            let why = format!("the response is longer than {RESPONSE_BYTES_MAX} bytes");
            return Err(UpstreamError::Failed(why));
        }
        if end.is_some_and(|end| filled >= end) {
            break;
        }
        let size = end.unwrap_or(if filled == bytes.len() { 2 * filled } else { bytes.len() });
        bytes.truncate(size);
        // The allocator has zeroed memory ready, while `resize`, optimised for size, writes byte by byte.
        bytes.append(&mut vec![0; size - bytes.len()]);
        match read(&mut bytes[filled..]) {
            Ok(0) if head.is_some() && end.is_none() => break,
            Ok(0) => {
                let why = format!("the response ended after {filled} bytes");
                return Err(UpstreamError::Failed(why));
            }
            Ok(n) => filled += n,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(UpstreamError::from_io(error)),
        }
    }
    bytes.truncate(filled);
    let head = head.expect("the loop ends only after the head");
    Ok(head.complete(bytes))
}

#[cfg(test)]
mod tests;
