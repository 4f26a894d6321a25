//! One HTTP exchange with the private tiny_http: a request rebuilt from what is known to be good, its whole answer read.
//!
//! Knows no client's socket and no comment. tiny_http 0.12 can't face the open network (see [`crate::http`]), so
//! nothing reaches it that was not written here: one request a connection, headers from a list, a true length.

use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use crate::http::request::{HttpError, RequestHead};
use crate::http::response::{RESPONSE_BYTES_MAX, Response, ResponseHead};

/// From the first byte of the request to the last of the answer.
pub const EXCHANGE_DEADLINE: Duration = Duration::from_secs(20);
/// How long a request waits for one of the exchanges before in turn; each takes a millisecond or so.
pub const PERMIT_TIMEOUT: Duration = Duration::from_secs(2);

/// The header that names the client, and that no client can send.
pub const CLIENT_HEADER: &str = "X-Sayso-Client";
/// What `web` reads. The length and the client are written here, the connection's own headers end at the door.
const FORWARDED_HEADERS: [&str; 10] = [
    "Host",
    "Origin",
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Content-Type",
    "If-None-Match",
    "Access-Control-Request-Method",
    "Access-Control-Request-Headers",
];
/// Exchanges with the private server at once, at most: a few threads answer them, each in a millisecond or so.
pub const EXCHANGES_MAX: usize = 64;
/// Most pages fit, so that one read gets them.
const FIRST_READ_BYTES: usize = 16 * 1024;

/// The way to the private server. Shared by all connections.
#[derive(Debug)]
pub struct Upstream {
    path: PathBuf,
    /// One token for each exchange that may begin; whoever has one gives it back.
    permits: (Sender<()>, Receiver<()>),
    /// Told that the private server is gone. Who listens makes a new one, at most once a second.
    broken: Sender<()>,
}

/// What went wrong between us and ourselves.
#[derive(Debug)]
enum UpstreamError {
    /// Nobody listens on the private socket.
    Gone(io::Error),
    /// The deadline has passed.
    Late,
    /// Anything else.
    Failed(String),
}

impl Upstream {
    /// To the server on the Unix socket at `path`, with at most `exchanges` at once (1 to [`EXCHANGES_MAX`]).
    pub fn new(path: PathBuf, exchanges: usize, broken: Sender<()>) -> Upstream {
        assert!((1..=EXCHANGES_MAX).contains(&exchanges), "{exchanges} exchanges are not 1 to 64");
        let permits = crossbeam_channel::bounded(exchanges);
        for _ in 0..exchanges {
            permits.0.send(()).expect("the channel takes as many tokens as it is long");
        }
        Upstream { path, permits, broken }
    }

    /// Asks the private server for `client`, and reads its whole answer. Waits neither for the client nor without end.
    ///
    /// # Errors
    /// 503 where all exchanges stay taken, where the private server is gone or too slow, and where it answers nonsense.
    pub fn handle(
        &self,
        head: &RequestHead,
        body: &[u8],
        client: IpAddr,
    ) -> Result<Response, HttpError> {
        let permit = Permit::take(self)?;
        let answer = self.ask(&request(head, body, client));
        drop(permit);
        answer.map_err(|fault| self.refusal(&fault))
    }

    fn ask(&self, request: &[u8]) -> Result<Response, UpstreamError> {
        let deadline = Instant::now() + EXCHANGE_DEADLINE;
        let mut stream = UnixStream::connect(&self.path).map_err(|error| match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::NotFound => UpstreamError::Gone(error),
            _ => UpstreamError::Failed(format!("can't connect to the private server: {error}")),
        })?;
        stream.set_write_timeout(Some(EXCHANGE_DEADLINE)).map_err(UpstreamError::of)?;
        stream.write_all(request).map_err(UpstreamError::of)?;
        read_answer(|buffer| {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            stream.set_read_timeout(Some(left))?;
            stream.read(buffer)
        })
    }

    fn refusal(&self, fault: &UpstreamError) -> HttpError {
        match fault {
            UpstreamError::Gone(error) => {
                if self.broken.try_send(()).is_ok() {
                    log::warn!("the private server is gone, it is made anew: {error}");
                }
                HttpError::new(503, "the page is being brought back, try again")
            }
            UpstreamError::Late => {
                let seconds = EXCHANGE_DEADLINE.as_secs();
                log::warn!("the private server has not answered within {seconds} s");
                HttpError::new(503, format!("there was no answer within {seconds} s, try again"))
            }
            UpstreamError::Failed(why) => {
                log::warn!("{why}");
                HttpError::new(503, "the answer could not be made, try again")
            }
        }
    }
}

impl UpstreamError {
    fn of(error: io::Error) -> UpstreamError {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => UpstreamError::Late,
            _ => UpstreamError::Failed(format!("the private server's socket failed: {error}")),
        }
    }
}

/// The right to one exchange.
struct Permit<'r>(&'r Sender<()>);

impl Permit<'_> {
    fn take(upstream: &Upstream) -> Result<Permit<'_>, HttpError> {
        match upstream.permits.1.recv_timeout(PERMIT_TIMEOUT) {
            Ok(()) => Ok(Permit(&upstream.permits.0)),
            Err(_) => {
                let most = upstream.permits.0.capacity().unwrap_or_default();
                let message =
                    format!("{most} requests are being answered, no more are allowed at once");
                Err(HttpError::new(503, message))
            }
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.try_send(()).expect("the channel has room for the token that was taken from it");
    }
}

/// The request as the private server gets it. HEAD is asked for as GET: only the door knows that no body follows.
fn request(head: &RequestHead, body: &[u8], client: IpAddr) -> Vec<u8> {
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
    line(&[CLIENT_HEADER, ": ", &client.to_string()]);
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

/// Reads until the answer is whole: by its length, or to the end of the stream.
fn read_answer(
    mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
) -> Result<Response, UpstreamError> {
    let mut bytes = vec![0; FIRST_READ_BYTES];
    let mut filled = 0;
    let mut beginning: Option<ResponseHead> = None;
    loop {
        if beginning.is_none() {
            beginning = ResponseHead::parse(&bytes[..filled]).map_err(UpstreamError::Failed)?;
        }
        let length = beginning.as_ref().and_then(|beginning| beginning.length);
        let end = beginning.as_ref().zip(length).map(|(b, length)| b.body.saturating_add(length));
        if filled.max(end.unwrap_or(0)) > RESPONSE_BYTES_MAX {
            let why = format!("an answer is longer than {RESPONSE_BYTES_MAX} bytes");
            return Err(UpstreamError::Failed(why));
        }
        if end.is_some_and(|end| filled >= end) {
            break;
        }
        let room = end.unwrap_or(if filled == bytes.len() { 2 * filled } else { bytes.len() });
        bytes.truncate(room);
        // Zeros as the allocator has them; optimised for size, `resize` writes byte after byte.
        bytes.append(&mut vec![0; room - bytes.len()]);
        match read(&mut bytes[filled..]) {
            Ok(0) if beginning.is_some() && end.is_none() => break,
            Ok(0) => {
                return Err(UpstreamError::Failed(format!("an answer ended after {filled} bytes")));
            }
            Ok(n) => filled += n,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(UpstreamError::of(error)),
        }
    }
    bytes.truncate(filled);
    let beginning = beginning.expect("the loop ends only behind the head of the answer");
    Ok(beginning.complete(bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";

    fn head(text: &str) -> RequestHead {
        crate::http::request::parse(text.as_bytes()).unwrap().unwrap().0
    }

    fn client() -> IpAddr {
        "192.0.2.7".parse().unwrap()
    }

    /// A relay to nobody yet, with its socket's path in a folder of its own, and what it reports.
    fn upstream(name: &str, exchanges: usize) -> (Upstream, PathBuf, Receiver<()>) {
        let folder =
            std::env::temp_dir().join(format!("sayso-relay-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("s");
        let _ = std::fs::remove_file(&path);
        let (sender, broken) = crossbeam_channel::bounded(1);
        (Upstream::new(path.clone(), exchanges, sender), path, broken)
    }

    fn read_in_parts(bytes: &[u8], part: usize) -> Result<Response, UpstreamError> {
        let mut left = bytes;
        read_answer(|buffer| left.take(part as u64).read(buffer).inspect(|n| left = &left[*n..]))
    }

    /// Every head that is accepted, with a body. What HTTP/1.0 says without a host is no well-formed HTTP/1.1, though tiny_http takes it.
    fn accepted(stream: &[u8]) -> Vec<(RequestHead, Vec<u8>)> {
        let (mut rest, mut accepted) = (stream, Vec::new());
        while let Ok(Some((head, end))) = crate::http::request::parse(rest) {
            let body = vec![b'\n'; head.content_length()];
            rest = &rest[end..];
            if head.get("host").is_some() {
                accepted.push((head, body));
            }
        }
        accepted
    }

    #[test]
    fn whatever_was_accepted_is_passed_on_as_one_request_that_is_read_the_same() {
        let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/seeds/head");
        // The crate as it is published comes without them.
        let kept = std::fs::read_dir(seeds)
            .into_iter()
            .flatten()
            .map(|entry| std::fs::read(entry.unwrap().path()).unwrap().split_off(1));
        let own = b"PUT /?a HTTP/1.0\r\nHOST:a\r\nAccept:\t\xff,\r\naccept: \r\nX: y\r\nContent-Length:003\r\n\r\n";
        for (head, body) in kept.chain([own.to_vec()]).flat_map(|stream| accepted(&stream)) {
            let bytes = request(&head, &body, client());
            let (again, end) = crate::http::request::parse(&bytes).unwrap().unwrap();
            assert_eq!((&bytes[end..], again.content_length()), (&*body, body.len()));
            assert!(again.target() == head.target() && !again.keep_alive());
            let same = |name: &&str| again.get_all(name).eq(head.get_all(name));
            assert!(FORWARDED_HEADERS.iter().all(same), "{}", bytes.escape_ascii());
            let passed =
                |name: &str| FORWARDED_HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name));
            let others = again.headers().filter(|(name, _)| !passed(name)).count();
            assert_eq!(others, if body.is_empty() { 2 } else { 3 });
        }
    }

    #[test]
    fn the_request_has_what_is_on_the_list_and_nothing_else() {
        let head = head(
            "POST /api?x HTTP/1.0\r\nhost: a\r\nX-Sayso-Client: 6.6.6.6\r\nCookie: c\r\nX-Forwarded-For: 6.6.6.6\r\n\
             connection: keep-alive, host\r\nexpect: 100-continue\r\nTE: chunked\r\nACCEPT: */*\r\nupgrade: h2c\r\n\
             content-length: 2\r\nOrigin: http://a\r\n\r\n",
        );
        assert_eq!(
            String::from_utf8(request(&head, b"{}", client())).unwrap(),
            "POST /api?x HTTP/1.1\r\nConnection: close\r\nX-Sayso-Client: 192.0.2.7\r\nHost: a\r\nAccept: */*\r\n\
             Origin: http://a\r\nContent-Length: 2\r\n\r\n{}"
        );
    }

    #[test]
    fn head_is_asked_for_as_get() {
        let head = head("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(request(&head, b"", client()).starts_with(b"GET / HTTP/1.1\r\n"));
    }

    #[test]
    fn an_answer_may_come_in_any_parts() {
        let text = format!("{HEAD}page and more");
        for part in 1..text.len() {
            assert_eq!(read_in_parts(text.as_bytes(), part).unwrap().body(), b"page");
        }
        let unmeasured = "HTTP/1.1 200 OK\r\n\r\nto the end";
        for part in 1..unmeasured.len() {
            assert_eq!(read_in_parts(unmeasured.as_bytes(), part).unwrap().body(), b"to the end");
        }
    }

    #[test]
    fn an_answer_that_ends_early_is_a_fault_wherever_it_ends() {
        let text = format!("{HEAD}pag");
        for end in 0..text.len() {
            assert!(read_in_parts(&text.as_bytes()[..end], 9).is_err(), "{end}");
        }
    }

    #[test]
    fn the_largest_answer_is_read_and_one_byte_more_is_a_fault() {
        for (more, good) in [(0, true), (1, false)] {
            let unmeasured = "HTTP/1.1 200 OK\r\n\r\n".to_string();
            let text =
                unmeasured.clone() + &"a".repeat(RESPONSE_BYTES_MAX - unmeasured.len() + more);
            assert_eq!(read_in_parts(text.as_bytes(), 8_000).is_ok(), good);
            let measured = "HTTP/1.1 200 OK\r\nContent-Length: 1234567\r\n\r\n".len();
            let length = format!("{:07}", RESPONSE_BYTES_MAX - measured + more);
            let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            let text = text + &"a".repeat(RESPONSE_BYTES_MAX - measured + more);
            assert_eq!(read_in_parts(text.as_bytes(), 8_000).is_ok(), good);
        }
        let huge = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", usize::MAX);
        assert!(read_in_parts(huge.as_bytes(), 9).is_err());
    }

    #[test]
    fn a_gone_server_is_503_and_reported_once() {
        let (upstream, path, broken) = upstream("gone", 1);
        let head = head("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        for _ in 0..3 {
            assert_eq!(upstream.handle(&head, b"", client()).unwrap_err().status, 503);
        }
        assert_eq!(broken.try_iter().count(), 1);
        drop(UnixListener::bind(&path).unwrap());
        assert_eq!(upstream.handle(&head, b"", client()).unwrap_err().status, 503);
        assert_eq!(broken.try_iter().count(), 1);
    }

    #[test]
    fn a_server_that_hangs_up_or_answers_nonsense_is_503_and_the_next_exchange_is_good() {
        let (upstream, path, broken) = upstream("nonsense", 1);
        let listener = UnixListener::bind(&path).unwrap();
        let good = format!("{HEAD}page");
        thread::scope(|scope| {
            scope.spawn(|| {
                for answer in ["", "HTTP/1.1 200 OK\r\n", "nonsense\r\n\r\n", &good] {
                    let (mut stream, _) = listener.accept().unwrap();
                    assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            });
            let head = head("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            for _ in 0..3 {
                assert_eq!(upstream.handle(&head, b"", client()).unwrap_err().status, 503);
            }
            assert_eq!(upstream.handle(&head, b"", client()).unwrap().body(), b"page");
        });
        assert!(broken.is_empty());
    }

    #[test]
    fn the_last_exchange_is_had_and_one_more_waits_for_its_turn() {
        let (upstream, _, _broken) = upstream("turns", 2);
        let permits = [Permit::take(&upstream).unwrap(), Permit::take(&upstream).unwrap()];
        let refusal = Permit::take(&upstream).err().unwrap();
        let message = "2 requests are being answered, no more are allowed at once";
        assert_eq!(refusal, HttpError::new(503, message));
        drop(permits);
        assert!(Permit::take(&upstream).is_ok());
    }
}
