//! Any bytes as requests on one connection, cut in any places: all is read in one way, and what is accepted can be read in no
//! other.
//!
//! The first byte says where the others are cut. Reads a second time by a few lines of its own, and a third with `httparse` alone.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, Read, Write},
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use sayso::{
    http::forwarded::{self, TrustedProxies, loopback},
    http::origin::{self, Origins},
    http::query::Query,
    http::request::{
        BODY_BYTES_MAX, HEAD_BYTES_MAX, HEADERS_MAX, HttpError, RequestHead, Version, parse,
        parse_partial,
    },
    http::response::Response,
    http::stream::{Closed, HttpStream, Transport},
};

/// Reads a stream at once and in parts; how many requests it has.
pub fn check(data: &[u8]) -> usize {
    let Some((&cut, stream)) = data.split_first() else { return 0 };
    let whole = at_once(stream);
    let in_parts = converse(parts(cut, stream));
    assert_eq!(in_parts, whole, "in parts, and at once");
    whole.0.len()
}

/// A request as both ways of reading tell it.
#[derive(Debug, PartialEq)]
struct Request {
    line: (String, String, Version),
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn of(head: &RequestHead, body: &[u8]) -> Request {
        let line = (head.method().to_owned(), head.target().to_owned(), head.version());
        let headers = head.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Request { line, headers: headers.collect(), body: body.to_vec() }
    }
}

fn at_once(mut rest: &[u8]) -> (Vec<Request>, Closed) {
    let mut requests = Vec::new();
    loop {
        let (head, end) = match parse(rest) {
            Ok(Some(found)) => found,
            Ok(None) => {
                assert!(rest.len() < HEAD_BYTES_MAX, "a head goes on behind its limit");
                assert!(!rest.windows(4).any(|end| end == b"\r\n\r\n"), "its end was passed");
                return (requests, Closed::Gone);
            }
            Err(refusal) => {
                check_refusal(&refusal);
                let end = rest.windows(4).position(|end| end == b"\r\n\r\n");
                if let Some(end) = end.filter(|end| end + 4 <= HEAD_BYTES_MAX) {
                    let plain = read_plainly(&rest[..end + 4]);
                    assert!(!plain.is_some_and(|plain| plain.is_common()), "refused: {refusal:?}");
                }
                return (requests, Closed::Refused(refusal));
            }
        };
        check_head(&head, &rest[..end]);
        let Some(body) = rest[end..].get(..head.content_length()) else {
            return (requests, Closed::Gone);
        };
        requests.push(Request::of(&head, body));
        rest = &rest[end + body.len()..];
        if !head.keep_alive() {
            return (requests, Closed::Done);
        }
    }
}

fn check_refusal(refusal: &HttpError) {
    assert!([400, 413, 431].contains(&refusal.status), "{refusal:?}");
    assert!(refusal.message.len() < 800, "{refusal:?}");
    assert!(!refusal.message.contains(char::is_control), "{refusal:?}");
}

fn check_head(head: &RequestHead, bytes: &[u8]) {
    assert!(bytes.len() <= HEAD_BYTES_MAX && bytes.ends_with(b"\r\n\r\n"));
    let request = Request::of(head, &[]);
    let plain = read_plainly(bytes).expect("what is accepted is plain");
    assert_eq!((&plain.line, &plain.headers), (&request.line, &request.headers));
    assert_eq!(plain.length(), head.content_length());
    assert_eq!(with_httparse(bytes), request);
    // The same from its rebuilt form, and that again from its own: nothing is read out of how it was written.
    let rebuilt = rebuild(head);
    let (again, end) = parse(&rebuilt).expect("it was accepted").expect("it is whole");
    assert_eq!((Request::of(&again, &[]), end), (request, rebuilt.len()));
    assert_eq!(rebuild(&again), rebuilt);
    let said = |head: &RequestHead| {
        let ways = [head.keep_alive(), head.expects_continue(), head.is_websocket_upgrade()];
        (ways, head.content_length())
    };
    assert_eq!(said(&again), said(head));
    let target = head.target();
    assert!(target == head.path() || target == format!("{}?{}", head.path(), head.query()));
    check_origin(head);
    check_client(head);
    if let Ok(query) = Query::parse(head.query()) {
        let text = format!("page={}", sayso::http::query::encode(query.get("page").unwrap_or("")));
        let again = Query::parse(&text).expect("it is encoded");
        assert_eq!(again.get("page"), Some(query.get("page").unwrap_or("")));
    }
}

/// Without a list, only pages of the same host may come, whatever they write after it.
fn check_origin(head: &RequestHead) {
    let (origin, host) = (head.get("origin"), head.get("host").unwrap_or_default());
    let Some(origin) = origin else { return };
    let message = origin::refusal(origin);
    assert!(message.len() < 800 && !message.contains(char::is_control), "{message}");
    if Origins::new(Vec::new()).allows(Some(origin), host) {
        let lower = |text: &str| text.to_ascii_lowercase();
        let plain = lower(host);
        let plain =
            [":80", ":443"].iter().find_map(|port| plain.strip_suffix(port)).unwrap_or(&plain);
        assert!(lower(origin).contains(&format!("://{plain}")), "{origin} is not {host}");
    }
    if let Ok(normalize) = origin::normalize(origin) {
        assert_eq!(origin::normalize(&normalize).as_ref(), Ok(&normalize));
        assert!(Origins::new(vec![normalize]).allows(Some(origin), "another.example"), "{origin}");
    }
}

/// A stranger is who they are; a proxy's client stands in what the proxy says.
fn check_client(head: &RequestHead) {
    let forwarded = || head.get_all("x-forwarded-for");
    let trusted = TrustedProxies::new(loopback());
    let (stranger, proxy) = (Ipv4Addr::new(192, 0, 2, 7).into(), Ipv4Addr::LOCALHOST.into());
    let of = |peer: IpAddr| forwarded::client(Some(peer), forwarded(), &trusted).address.unwrap();
    assert_eq!(of(stranger), stranger);
    let client = of(proxy);
    let is_there = forwarded().any(|list| {
        list.split(',').any(|entry| {
            let entry = entry.trim().trim_matches('"');
            let plain = entry.trim_start_matches('[').split(']').next().unwrap_or_default();
            let without_port = entry.rsplit_once(':').map_or(entry, |(entry, _)| entry);
            [entry, plain, without_port].iter().any(|text| {
                text.parse::<IpAddr>().is_ok_and(|address| address.to_canonical() == client)
            })
        })
    });
    assert!(client == proxy || is_there, "{client} comes from nowhere");
}

fn rebuild(head: &RequestHead) -> Vec<u8> {
    let version = if head.version() == Version::Http10 { "1.0" } else { "1.1" };
    let mut rebuilt = format!("{} {} HTTP/{version}\r\n", head.method(), head.target());
    for (name, value) in head.headers() {
        rebuilt.push_str(&format!("{name}:{value}\r\n"));
    }
    (rebuilt + "\r\n").into_bytes()
}

/// A head in the words of RFC 9112, without any of what it lets a recipient repair.
struct Plain {
    line: (String, String, Version),
    headers: Vec<(String, String)>,
}

fn is_token(text: &str) -> bool {
    let of_a_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(of_a_token)
}

fn read_plainly(bytes: &[u8]) -> Option<Plain> {
    let text: String =
        bytes.iter().map(|&byte| if byte < 0x80 { char::from(byte) } else { '?' }).collect();
    let of_a_value = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    let line_end = bytes.iter().position(|byte| *byte == b'\r')?;
    if !bytes[..line_end].is_ascii() {
        return None;
    }
    let mut lines = text.strip_suffix("\r\n\r\n")?.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let version = match version {
        "HTTP/1.0" => Version::Http10,
        "HTTP/1.1" => Version::Http11,
        _ => return None,
    };
    let is_line = words.next().is_none() && is_token(method) && target.starts_with('/');
    if !is_line || !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return None;
    }
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        if !is_token(name) || !value.bytes().all(of_a_value) {
            return None;
        }
        headers.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
    }
    let plain = Plain { line: (method.into(), target.into(), version), headers };
    let count = |name: &str| plain.named(name).count();
    let host = plain.named("host").next();
    let of_a_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]%".contains(&byte);
    let has_host = match host {
        Some(host) => count("host") == 1 && !host.is_empty() && host.bytes().all(of_a_host),
        None => version == Version::Http10,
    };
    let once = ["content-length", "content-type", "origin", "authorization", "expect"];
    let is_clear = once.iter().all(|name| count(name) <= 1) && count("transfer-encoding") == 0;
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_number = plain.named("content-length").all(is_digits);
    (has_host && is_clear && is_number).then_some(plain)
}

impl Plain {
    fn named(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| &**value)
    }

    fn length(&self) -> usize {
        let digits = self.named("content-length").next().unwrap_or("0");
        digits.bytes().fold(0, |number: usize, digit| {
            number.saturating_mul(10).saturating_add(usize::from(digit - b'0'))
        })
    }

    /// Whether browsers and proxies send such heads, so that it must not be refused.
    fn is_common(&self) -> bool {
        let of_a_path = |byte: u8| byte.is_ascii_alphanumeric() || b"/?&=%-._~".contains(&byte);
        let websocket = ["sec-websocket-key", "sec-websocket-version"];
        self.line.1.bytes().all(of_a_path)
            && self.headers.len() <= HEADERS_MAX
            && websocket.iter().all(|name| self.named(name).count() <= 1)
            && self.length() <= BODY_BYTES_MAX
    }
}

fn with_httparse(bytes: &[u8]) -> Request {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let end = request.parse(bytes).expect("what is accepted is no less to httparse");
    assert_eq!(end, httparse::Status::Complete(bytes.len()));
    let question_marks = |value: &[u8]| -> String {
        value.iter().map(|&byte| if byte < 0x80 { char::from(byte) } else { '?' }).collect()
    };
    let version = if request.version == Some(0) { Version::Http10 } else { Version::Http11 };
    let part = |part: Option<&str>| part.unwrap_or_default().to_owned();
    let headers = request.headers.iter();
    Request {
        line: (part(request.method), part(request.path), version),
        headers: headers.map(|one| (one.name.to_owned(), question_marks(one.value))).collect(),
        body: Vec::new(),
    }
}

/// A stream in pieces: 0 leaves it whole, 1 takes it byte by byte, and so on with less and less order.
fn parts(cut: u8, stream: &[u8]) -> VecDeque<Vec<u8>> {
    let most = if cut == 0 { stream.len().max(1) } else { usize::from(cut) };
    let (mut rest, mut parts, mut state) = (stream, VecDeque::new(), u32::from(cut) | 1);
    while !rest.is_empty() {
        state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        let wanted = if cut < 2 { most } else { 1 + (state >> 16) as usize % most };
        let (part, later) = rest.split_at(wanted.min(rest.len()));
        parts.push_back(part.to_vec());
        rest = later;
    }
    parts
}

/// Somebody who sends parts, takes everything, and goes.
struct Peer {
    parts: VecDeque<Vec<u8>>,
    now: Instant,
    written: Vec<u8>,
}

impl Read for &mut Peer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(mut part) = self.parts.pop_front() else { return Ok(0) };
        let n = part.len().min(buffer.len());
        buffer[..n].copy_from_slice(&part[..n]);
        if n < part.len() {
            self.parts.push_front(part.split_off(n));
        }
        Ok(n)
    }
}

impl Write for &mut Peer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        parts.iter().for_each(|part| self.written.extend_from_slice(part));
        Ok(parts.iter().map(|part| part.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for &mut Peer {
    fn set_read_timeout(&mut self, _: Duration) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Duration) -> io::Result<()> {
        Ok(())
    }

    fn set_linger(&mut self, _: Duration) {}

    fn shutdown_write(&mut self) {}

    fn now(&self) -> Instant {
        self.now
    }
}

fn converse(parts: VecDeque<Vec<u8>>) -> (Vec<Request>, Closed) {
    check_growth(&parts);
    let mut peer = Peer { parts, now: Instant::now(), written: Vec::new() };
    let mut http = HttpStream::new(&mut peer);
    let mut requests = Vec::new();
    let response = Response::from_error(&HttpError::new(200, "read"));
    let end = loop {
        let mut one = || {
            let head = http.read_head()?;
            let body = http.read_body(&head)?;
            requests.push(Request::of(&head, &body));
            http.respond(&head, &response, true)
        };
        if let Err(end) = one() {
            break end;
        }
    };
    http.close(&end);
    let written = String::from_utf8(peer.written).expect("answers are text");
    let answered = written.matches("HTTP/1.1 200 OK\r\n").count();
    assert_eq!(answered, requests.len(), "{written}");
    if let Closed::Refused(refusal) = &end {
        let line = format!("HTTP/1.1 {} ", refusal.status);
        assert!(written.contains(&line), "{refusal:?} is said: {written}");
    }
    (requests, end)
}

/// A beginning that grows part by part is judged as soon as it can be, and never otherwise later.
fn check_growth(parts: &VecDeque<Vec<u8>>) {
    let (mut beginning, mut seen, mut judged) = (Vec::new(), 0, None);
    for part in parts {
        beginning.extend_from_slice(part);
        let grown = parse_partial(&beginning, &mut seen).map(|found| found.map(|(_, end)| end));
        let at_once = parse(&beginning).map(|found| found.map(|(_, end)| end));
        assert_eq!(grown, at_once);
        match judged {
            Some(judged) => return assert_eq!(at_once, judged),
            None if at_once == Ok(None) => {}
            None => judged = Some(at_once),
        }
    }
}
