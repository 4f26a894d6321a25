//! Tests of `upstream.rs`.

use std::os::unix::net::UnixListener;
use std::thread;

use super::*;

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";

fn head(text: &str) -> RequestHead {
    crate::http::request::parse(text.as_bytes()).unwrap().unwrap().0
}

fn client() -> Option<IpAddr> {
    "192.0.2.7".parse().ok()
}

/// An upstream whose socket has no listener yet, the socket's path, and the channel of restart requests.
fn upstream(name: &str, exchanges: usize) -> (Upstream, PathBuf, Receiver<()>) {
    let folder = std::env::temp_dir().join(format!("sayso-upstream-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("s");
    let _ = std::fs::remove_file(&path);
    let (restart, restart_requests) = crossbeam_channel::bounded(1);
    (Upstream::new(path.clone(), exchanges, restart), path, restart_requests)
}

fn read_in_parts(bytes: &[u8], part_bytes: usize) -> Result<Response, UpstreamError> {
    let mut rest = bytes;
    read_response(|buffer| {
        rest.take(part_bytes as u64).read(buffer).inspect(|n| rest = &rest[*n..])
    })
}

/// Every accepted request in a stream, with a body. Leaves out HTTP/1.0 requests without a Host header, which would not be valid
/// HTTP/1.1, though tiny_http accepts them.
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
fn every_accepted_request_is_forwarded_as_one_request_that_parses_the_same() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/seeds/head");
    // The published crate does not include them.
    let seeds = std::fs::read_dir(seeds)
        .into_iter()
        .flatten()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap().split_off(1));
    let own = b"PUT /?a HTTP/1.0\r\nHOST:a\r\nAccept:\t\xff,\r\naccept: \r\nX: y\r\nContent-Length:003\r\n\r\n";
    for (head, body) in seeds.chain([own.to_vec()]).flat_map(|stream| accepted(&stream)) {
        let bytes = build_request(&head, &body, client());
        let (again, end) = crate::http::request::parse(&bytes).unwrap().unwrap();
        assert_eq!((&bytes[end..], again.content_length()), (&*body, body.len()));
        assert!(again.target() == head.target() && !again.keep_alive());
        let same = |name: &&str| again.get_all(name).eq(head.get_all(name));
        assert!(FORWARDED_HEADERS.iter().all(same), "{}", bytes.escape_ascii());
        let is_forwarded =
            |name: &str| FORWARDED_HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name));
        let others = again.headers().filter(|(name, _)| !is_forwarded(name)).count();
        assert_eq!(others, if body.is_empty() { 2 } else { 3 });
    }
}

#[test]
fn a_forwarded_request_has_the_listed_headers_and_no_others() {
    let head = head(
        "POST /api?x HTTP/1.0\r\nhost: a\r\nX-Sayso-Client: 6.6.6.6\r\nCookie: c\r\nX-Forwarded-For: 6.6.6.6\r\n\
         connection: keep-alive, host\r\nexpect: 100-continue\r\nTE: chunked\r\nACCEPT: */*\r\nupgrade: h2c\r\n\
         content-length: 2\r\nOrigin: http://a\r\n\r\n",
    );
    assert_eq!(
        String::from_utf8(build_request(&head, b"{}", client())).unwrap(),
        "POST /api?x HTTP/1.1\r\nConnection: close\r\nX-Sayso-Client: 192.0.2.7\r\nHost: a\r\nAccept: */*\r\n\
         Origin: http://a\r\nContent-Length: 2\r\n\r\n{}"
    );
}

#[test]
fn head_is_forwarded_as_get() {
    let head = head("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(build_request(&head, b"", client()).starts_with(b"GET / HTTP/1.1\r\n"));
}

#[test]
fn a_response_may_arrive_in_any_parts() {
    let text = format!("{HEAD}page and more");
    for part in 1..text.len() {
        assert_eq!(read_in_parts(text.as_bytes(), part).unwrap().body, b"page");
    }
    let without_length = "HTTP/1.1 200 OK\r\n\r\nto the end";
    for part in 1..without_length.len() {
        assert_eq!(read_in_parts(without_length.as_bytes(), part).unwrap().body, b"to the end");
    }
}

#[test]
fn a_response_that_ends_early_is_an_error_wherever_it_ends() {
    let text = format!("{HEAD}pag");
    for end in 0..text.len() {
        assert!(read_in_parts(&text.as_bytes()[..end], 9).is_err(), "{end}");
    }
}

#[test]
fn the_largest_response_is_read_and_one_byte_more_is_an_error() {
    for (extra, is_ok) in [(0, true), (1, false)] {
        let without_length = "HTTP/1.1 200 OK\r\n\r\n".to_string();
        let text =
            without_length.clone() + &"a".repeat(RESPONSE_BYTES_MAX - without_length.len() + extra);
        assert_eq!(read_in_parts(text.as_bytes(), 8_000).is_ok(), is_ok);
        let head_bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1234567\r\n\r\n".len();
        let length = format!("{:07}", RESPONSE_BYTES_MAX - head_bytes + extra);
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        let text = text + &"a".repeat(RESPONSE_BYTES_MAX - head_bytes + extra);
        assert_eq!(read_in_parts(text.as_bytes(), 8_000).is_ok(), is_ok);
    }
    let huge = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", usize::MAX);
    assert!(read_in_parts(huge.as_bytes(), 9).is_err());
}

#[test]
fn an_unreachable_server_is_503_and_requests_one_restart() {
    let (upstream, path, restart_requests) = upstream("gone", 1);
    let head = head("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for _ in 0..3 {
        assert_eq!(upstream.handle(&head, b"", client()).unwrap_err().status, 503);
    }
    assert_eq!(restart_requests.try_iter().count(), 1);
    drop(UnixListener::bind(&path).unwrap());
    assert_eq!(upstream.handle(&head, b"", client()).unwrap_err().status, 503);
    assert_eq!(restart_requests.try_iter().count(), 1);
}

#[test]
fn a_malformed_response_is_503_and_the_next_exchange_works() {
    let (upstream, path, restart_requests) = upstream("malformed", 1);
    let listener = UnixListener::bind(&path).unwrap();
    let valid = format!("{HEAD}page");
    thread::scope(|scope| {
        scope.spawn(|| {
            for response in ["", "HTTP/1.1 200 OK\r\n", "nonsense\r\n\r\n", &valid] {
                let (mut stream, _) = listener.accept().unwrap();
                assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
                stream.write_all(response.as_bytes()).unwrap();
            }
        });
        let head = head("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        for _ in 0..3 {
            assert_eq!(upstream.handle(&head, b"", client()).unwrap_err().status, 503);
        }
        assert_eq!(upstream.handle(&head, b"", client()).unwrap().body, b"page");
    });
    assert!(restart_requests.is_empty());
}

#[test]
fn the_last_permit_is_granted_and_one_more_waits_until_one_is_released() {
    let (upstream, _, _restart_requests) = upstream("permits", 2);
    let permits = [Permit::acquire(&upstream).unwrap(), Permit::acquire(&upstream).unwrap()];
    let error = Permit::acquire(&upstream).err().unwrap();
    let message = "2 requests are being answered, no more are allowed at once";
    assert_eq!(error, HttpError::new(503, message));
    drop(permits);
    assert!(Permit::acquire(&upstream).is_ok());
}
