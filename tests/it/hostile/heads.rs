//! Heads that lie about what follows them, and heads without measure.

use std::io::{Read, Write};

use super::Calm;
use crate::support::{
    client::{Connection, get, header},
    frames::UPGRADE,
    server::Server,
};

/// What would be answered if a body were taken for a request.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

/// Sends a head with these lines in every kind of request, as the first and as a later one of its connection: each is refused with
/// the status and a sentence, nothing behind it is read, the connection ends, and the next client is served.
fn refused(server: &Server, lines: &[u8], status: u16) {
    let shown: String = String::from_utf8_lossy(lines).chars().take(200).collect();
    for (request, more) in
        [("GET /", ""), ("POST /api/comments", ""), ("GET /ws/comments/", UPGRADE)]
    {
        for later in [false, true] {
            let mut connection = server.connection();
            if later {
                let healthy = connection.exchange("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
                assert_eq!(healthy.status, 200);
            }
            let (mut stream, _) = connection.into_parts();
            let head = format!("{request} HTTP/1.1\r\nHost: x\r\n{more}");
            let bytes = [head.as_bytes(), lines, b"\r\n", SMUGGLED.as_bytes()].concat();
            // The server may refuse and close before it has read everything.
            let _ = stream.write_all(&bytes);
            let mut response = String::new();
            stream
                .read_to_string(&mut response)
                .unwrap_or_else(|error| panic!("{error}: {shown:?}"));
            assert!(
                response.starts_with(&format!("HTTP/1.1 {status} ")),
                "{shown:?}: {response:?}"
            );
            assert_eq!(header(&response, "connection").as_deref(), Some("close"), "{shown:?}");
            assert_eq!(
                response.matches("HTTP/1.1 ").count(),
                1,
                "one answer: {shown:?}: {response:?}"
            );
            let body = response.split_once("\r\n\r\n").unwrap().1;
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            let sentence = body["error"].as_str().unwrap();
            assert!(
                sentence.len() > 20 && sentence.len() < 300 && !sentence.ends_with('.'),
                "{shown:?}: {sentence:?}"
            );
        }
    }
    assert_eq!(get(server, "/healthz").status, 200, "the next one is served");
}

#[test]
fn a_length_that_is_none_is_400_and_one_that_is_too_much_413() {
    let server = Server::start(&[]);
    let calm = Calm::of(&server);
    let googol = format!("1{}", "0".repeat(100));
    for length in [
        "65537",
        "2147483648",
        "4294967296",
        "4611686018427387903",
        "4611686018427387904",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        // Would be 0 and 1 where digits run over.
        "18446744073709551616",
        "18446744073709551617",
        "340282366920938463463374607431768211457",
        "00000000000000000000000000065537",
        &googol,
    ] {
        refused(&server, format!("Content-Length: {length}\r\n").as_bytes(), 413);
    }
    for lines in [
        "Content-Length: -1\r\n",
        "Content-Length: -4611686018427387904\r\n",
        "Content-Length: -0\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5.0\r\n",
        "Content-Length: 5e0\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5;\r\n",
        "Content-Length: \"5\"\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 5,5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: ,5\r\n",
        "Content-Length: NaN\r\n",
        "Content-Length: inf\r\n",
        "Content-Length: \r\n",
        "Content-Length:\r\n",
        "Content-Length:\t\t\r\n",
        "Content-Length: \u{664}\r\n",
        "Content-Length\u{a0}: 5\r\n",
        "Content-Length : 5\r\n",
        " Content-Length: 5\r\n",
        "Content-Length: 5\0\r\n",
        "Content-Length: 5\x0b\r\n",
        "Content-Length: \r\n 5\r\n",
        "Content-Length: 5\n\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nX: y\r\ncontent-length: 6\r\n",
        "Content-Length: 0\r\nCONTENT-LENGTH: 0\r\nContent-length: 0\r\n",
    ] {
        refused(&server, lines.as_bytes(), 400);
    }
    calm.returns(&server);
}

#[test]
fn a_transfer_encoding_is_400_in_whatever_spelling() {
    let server = Server::start(&[]);
    let calm = Calm::of(&server);
    for lines in [
        "Transfer-Encoding: chunked\r\n",
        "transfer-encoding: chunked\r\n",
        "TRANSFER-ENCODING: CHUNKED\r\n",
        "tRANSFER-eNCODING: cHuNkEd\r\n",
        "Transfer-Encoding:chunked\r\n",
        "Transfer-Encoding:\tchunked\t\r\n",
        "Transfer-Encoding:      chunked      \r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "\tTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Transfer-Encoding:\r\n\tchunked\r\n",
        "Transfer-Encoding: chunked,\r\n identity\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n",
        "X: y\nTransfer-Encoding: chunked\r\n",
        "X: y\rTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: Identity\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding: , chunked\r\n",
        "Transfer-Encoding: chunked;q=0\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked\x0b\r\n",
        "Transfer-Encoding: \0chunked\r\n",
        "Transfer-Encoding: \u{a0}chunked\r\n",
        "Transfer-Encoding: none\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4611686018427387904\r\n",
        "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n",
    ] {
        refused(&server, lines.as_bytes(), 400);
    }
    // HTTP/1.0 has none, and must not be a way around.
    let old = format!("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}");
    let response = server.raw(old.as_bytes());
    assert!(response.starts_with("HTTP/1.1 400 ") && !response.contains(" 404 "), "{response:?}");
    // Another header than that one; what follows would be a request, and is none.
    let other = "POST / HTTP/1.1\r\nHost: x\r\nTransfer_Encoding: chunked\r\n\r\n0\r\n\r\n";
    let response = server.raw(format!("{other}{SMUGGLED}").as_bytes());
    assert_eq!(response.matches("HTTP/1.1 400 ").count(), 1, "{response:?}");
    assert!(!response.contains("HTTP/1.1 404 "), "{response:?}");
    calm.returns(&server);
}

#[test]
fn a_head_of_16_kib_or_64_headers_is_the_most_and_beyond_is_431_however_far() {
    let server = Server::start(&[]);
    let calm = Calm::of(&server);
    let line = "GET /healthz HTTP/1.1\r\nHost: x\r\n";
    let header = |bytes: usize| format!("X: {}\r\n", "x".repeat(bytes - "X: \r\n".len()));
    let many = |count: usize| -> String { (0..count).map(|n| format!("X-{n}: y\r\n")).collect() };
    let left = 16_384 - line.len() - "\r\n".len();
    let mut connection = server.connection();
    // Both at the limit, on one connection.
    for headers in [header(left), many(63)] {
        assert_eq!(connection.exchange(format!("{line}{headers}\r\n")).status, 200);
    }
    drop(connection);
    let small: String = "X: y\r\n".repeat(100_000 / 6);
    let last = [header(left - 6), "X: y\r\n".into(), "Y".into()].concat();
    for headers in [header(left + 1), many(64), header(100_000), many(10_000), small, last] {
        let mut stream = server.connect();
        // Behind a good request, and refused in the middle of being sent.
        let _ = stream.write_all(format!("{line}\r\n{line}{headers}\r\n").as_bytes());
        let mut connection = Connection::on(stream);
        assert_eq!(connection.receive().status, 200);
        let refusal = connection.receive();
        assert_eq!((refusal.status, refusal.header("connection").as_deref()), (431, Some("close")));
        let sentence = refusal.error();
        assert!(sentence.contains("16384 bytes") || sentence.contains("64 headers"), "{sentence}");
        assert_eq!(get(&server, "/healthz").status, 200, "the next one is served");
    }
    calm.returns(&server);
}
