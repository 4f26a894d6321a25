//! Tests of `request.rs`.

use super::*;

fn head(text: &str) -> RequestHead {
    let (head, end) = parse(text.as_bytes()).unwrap().unwrap();
    assert_eq!(end, text.len());
    head
}

fn refused(bytes: &[u8]) -> HttpError {
    parse(bytes).expect_err(&format!("{} is refused", bytes.escape_ascii()))
}

fn with(header: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n")
}

#[test]
fn a_head_is_parsed_as_it_was_sent() {
    let head = head(
        "POST /a/b%20?page=%2F&x=?y HTTP/1.1\r\nHost: example.org:8000\r\nconTENT-length:  7 \r\nX-A: 1\r\nx-a:\t2\r\nEmpty:\r\n\r\n",
    );
    assert_eq!(
        (head.method(), head.version(), head.content_length()),
        ("POST", Version::Http11, 7)
    );
    assert_eq!(head.target(), "/a/b%20?page=%2F&x=?y");
    assert_eq!((head.path(), head.query()), ("/a/b%20", "page=%2F&x=?y"));
    assert_eq!(head.get("HOST"), Some("example.org:8000"));
    assert_eq!(head.get_all("X-a").collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!((head.get("empty"), head.get("absent")), (Some(""), None));
    assert_eq!(head.headers().count(), 5);
}

#[test]
fn a_head_that_arrives_byte_by_byte_is_parsed_the_same() {
    let text = b"GET /x?y HTTP/1.1\r\nHost: a\r\nCookie: \xc3\xa9\r\n\r\nnext";
    let mut scanned = 0;
    for end in 0..text.len() - 4 {
        assert!(parse(&text[..end]).unwrap().is_none());
        assert!(parse_partial(&text[..end], &mut scanned).unwrap().is_none());
        assert_eq!(scanned, end);
    }
    let (head, end) = parse_partial(text, &mut scanned).unwrap().unwrap();
    assert_eq!((head.target(), end), ("/x?y", text.len() - 4));
}

#[test]
fn the_largest_head_is_accepted_and_one_byte_more_is_431() {
    let empty = with("X: ").len();
    let largest = with(&format!("X: {}", "a".repeat(HEAD_BYTES_MAX - empty)));
    assert_eq!((largest.len(), head(&largest).headers().count()), (HEAD_BYTES_MAX, 2));
    let larger = with(&format!("X: {}", "a".repeat(HEAD_BYTES_MAX - empty + 1)));
    assert!(parse(&larger.as_bytes()[..HEAD_BYTES_MAX - 1]).unwrap().is_none());
    for part in [&larger.as_bytes()[..HEAD_BYTES_MAX], larger.as_bytes()] {
        assert_eq!(refused(part).status, 431);
        assert!(refused(part).message.contains("16384"));
    }
}

#[test]
fn the_last_header_is_accepted_and_one_more_is_431() {
    assert_eq!(head(&with(&["X: y"; HEADERS_MAX - 1].join("\r\n"))).headers().count(), HEADERS_MAX);
    let error = refused(with(&["X: y"; HEADERS_MAX].join("\r\n")).as_bytes());
    assert_eq!(
        error,
        HttpError::new(431, "the head has more than 64 headers, no more are allowed")
            .with("max", 64_u32)
    );
}

#[test]
fn the_largest_body_is_accepted_and_one_byte_more_is_413() {
    assert_eq!(head(&with("Content-Length: 65536")).content_length(), BODY_BYTES_MAX);
    assert_eq!(head(&with("Content-Length: 0065536")).content_length(), BODY_BYTES_MAX);
    for length in ["65537", "4611686018427387904", "18446744073709551616", &"9".repeat(500)] {
        let error = refused(with(&format!("Content-Length: {length}")).as_bytes());
        assert_eq!(error.status, 413);
        assert!(error.message.contains("at most 65536 are allowed"), "{error:?}");
    }
}

#[test]
fn an_ambiguous_header_is_400() {
    for header in [
        "Content-Length: 1\r\nContent-Length: 1",
        "Content-Length: 1\r\ncontent-length: 2",
        "Content-Length: 1, 1",
        "Content-Length: +1",
        "Content-Length: -1",
        "Content-Length: 0x1",
        "Content-Length: 1 1",
        "Content-Length: ",
        "Content-Length: \u{661}",
        "Content-Length : 1",
        "Transfer-Encoding: chunked",
        "transfer-encoding: identity",
        "TRANSFER-ENCODING:\tgzip, chunked",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding:",
        "Transfer-Encoding : chunked",
        "X: y\r\n Transfer-Encoding: chunked",
        "X: y\r\n\tfolded",
        "X: y\r\n \r\nA: b",
        "Host: b",
        "host: a",
        "Na me: x",
        "N\u{e4}me: x",
        "Name",
        "Origin: http://a\r\nOrigin: http://b",
        "content-type: text/plain\r\nContent-Type: text/plain",
        ": x",
        "X: a\u{0}b",
        "X: a\u{7f}b",
        "X: a\u{1b}b",
        "X: a\nY: b",
        "X: a\rY: b",
    ] {
        let error = refused(with(header).as_bytes());
        assert_eq!(error.status, 400, "{header:?}: {error:?}");
    }
}

#[test]
fn a_request_line_is_a_method_a_path_and_a_known_version() {
    for line in [
        "",
        " GET / HTTP/1.1",
        "GET",
        "GET /",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET\t/ HTTP/1.1",
        "GET / a HTTP/1.1",
        "G(T / HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/0.9",
        "GET / HTTP/1.2",
        "GET / HTTP/11",
        "GET / HTTP/2.0",
        "PRI * HTTP/2.0",
        "OPTIONS * HTTP/1.1",
        "GET http://example.org/ HTTP/1.1",
        "CONNECT example.org:443 HTTP/1.1",
        "GET example.org/ HTTP/1.1",
        "GET /\u{e4} HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET /a\u{0} HTTP/1.1",
        "GET /a\u{7f} HTTP/1.1",
    ] {
        let error = refused(format!("{line}\r\nHost: a\r\n\r\n").as_bytes());
        assert_eq!(error.status, 400, "{line:?}: {error:?}");
    }
}

#[test]
fn a_host_is_one_host_name_with_or_without_a_port() {
    for good in ["a", "example.org:8000", "[::1]:80", "127.0.0.1", "xn--e1afmkfd.example"] {
        assert_eq!(
            head(&format!("GET / HTTP/1.1\r\nHost: {good}\r\n\r\n")).get("host"),
            Some(good)
        );
    }
    for bad in ["", "a/b", "a b", "a,b", "user@a", "a?b", "\u{e4}.example", "a\"b", "http://a"] {
        assert_eq!(
            refused(format!("GET / HTTP/1.1\r\nHost: {bad}\r\n\r\n").as_bytes()).status,
            400,
            "{bad}"
        );
    }
    assert_eq!(head("GET / HTTP/1.0\r\n\r\n").get("host"), None);
    assert_eq!(refused(b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n").status, 400);
    let error = refused(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(error, HttpError::new(400, "the head has no Host header, 1 is needed"));
}

#[test]
fn malformed_bytes_are_refused_as_soon_as_they_arrive() {
    for beginning in
        ["\x16\x03\x01\x02", "GET / HTTP/1.1\n", "GET / HTTP/1.1\rH", "\r\n", "GET /\u{0}"]
    {
        assert_eq!(refused(beginning.as_bytes()).status, 400, "{beginning:?}");
        assert!(
            parse(&beginning.as_bytes()[..beginning.len() - 1]).is_ok()
                || beginning.starts_with('\x16')
        );
    }
}

#[test]
fn messages_quote_at_most_the_beginning_of_what_was_sent() {
    let error = refused(with("X: y\r\n folded").as_bytes());
    assert_eq!(
        error.message,
        r#"the header line " folded" continues the previous one, send both as one line"#
    );
    let error =
        refused(format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9_000)).as_bytes());
    assert!(error.message.len() < 200, "{error:?}");
    let error = refused(b"GET / HTTP/3\r\n\r\n");
    assert!(
        error
            .message
            .starts_with(r#"the version in the request line "GET / HTTP/3" is neither HTTP/1.1"#),
        "{error:?}"
    );
}

#[test]
fn bytes_beyond_ascii_in_values_become_question_marks() {
    let (head, _) =
        parse(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: a=\xc3\xa9\xff;b\r\n\r\n").unwrap().unwrap();
    assert_eq!(head.get("cookie"), Some("a=???;b"));
}

#[test]
fn keep_alive_depends_on_the_version_and_the_connection_header() {
    for (version, connection, keep_alive) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: keep-alive, Close\r\n", false),
        ("1.1", "Connection: Upgrade\r\nConnection: close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let head = head(&format!("GET / HTTP/{version}\r\nHost: a\r\n{connection}\r\n"));
        assert_eq!(head.keep_alive(), keep_alive, "{version} {connection}");
    }
}

#[test]
fn tokens_are_found_in_lists_in_any_case() {
    let upgrade = head(&with(
        "Connection: keep-alive, uPGrade\r\nUpgrade: h2c,WebSocket\r\nExpect: 100-Continue",
    ));
    assert!(upgrade.is_websocket_upgrade() && upgrade.expects_continue());
    assert!(!head(&with("Upgrade: websocket")).is_websocket_upgrade());
    assert!(!head(&with("Connection: upgrade\r\nUpgrade: websockets")).is_websocket_upgrade());
    assert!(!head("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expects_continue());
}
