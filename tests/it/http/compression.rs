//! The page and histories, compressed for clients that accept gzip and plain for all others.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::support::{
    client::{fetch, form_value, get, header, posted},
    server::Server,
};

const GZIP: &str = "Accept-Encoding: gzip\r\n";
/// What the clients send that get the plain body.
const PLAIN: [&str; 3] = ["", "Accept-Encoding: br\r\n", "Accept-Encoding: gzip;q=0\r\n"];
const PAGE: &str = "/?page=/";
const HISTORY: &str = "/api/comments?page=/";

/// A server whose page and history are far over 1 KB.
fn server() -> Server {
    let server = Server::start(&[]);
    for n in 0..20 {
        posted(&server, &format!("comment {n}, with words that are in every comment"));
    }
    server
}

fn decompressed(body: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(body).read_to_string(&mut text).expect("the body is gzip");
    text
}

/// The page without the nonce of its form, which differs in each response; a history is as it is.
fn without_nonce(text: &str) -> String {
    let Some((before, rest)) = text.split_once("name=\"nonce\" value=\"") else {
        return text.to_owned();
    };
    let (nonce, after) = rest.split_once('"').unwrap();
    assert_eq!(nonce.len(), 22, "{nonce}");
    [before, after].concat()
}

#[test]
fn page_and_history_are_compressed_for_clients_that_accept_gzip_and_plain_for_all_others() {
    let server = server();
    for target in [PAGE, HISTORY] {
        let (head, body) = fetch(&server, "GET", target, GZIP);
        assert_eq!(header(&head, "content-encoding").as_deref(), Some("gzip"), "{head}");
        let text = decompressed(&body);
        assert!(text.contains("comment 19, with") && body.len() < text.len() / 2, "{target}");
        for accept in PLAIN {
            let (head, plain) = fetch(&server, "GET", target, accept);
            assert_eq!(header(&head, "content-encoding"), None, "{accept}: {head}");
            let plain = String::from_utf8(plain).unwrap();
            assert_eq!(without_nonce(&plain), without_nonce(&text), "{target} {accept}");
        }
    }
}

#[test]
fn content_length_is_that_of_the_form_that_is_sent_for_get_and_head() {
    let server = server();
    for target in [PAGE, HISTORY] {
        for accept in [GZIP, PLAIN[0], PLAIN[1], PLAIN[2]] {
            let (head, body) = fetch(&server, "GET", target, accept);
            assert_eq!(header(&head, "content-length"), Some(body.len().to_string()), "{head}");
            let (head_only, nothing) = fetch(&server, "HEAD", target, accept);
            assert!(nothing.is_empty(), "{target} {accept}");
            for name in ["content-length", "content-encoding", "content-type", "etag", "vary"] {
                assert_eq!(header(&head_only, name), header(&head, name), "{target} {name}");
            }
        }
    }
}

#[test]
fn both_forms_of_a_page_and_of_a_history_have_one_etag_which_is_304_for_either() {
    let server = server();
    for target in [PAGE, HISTORY] {
        let etag = |accept| {
            let (head, _) = fetch(&server, "GET", target, accept);
            assert!(header(&head, "vary").unwrap().contains("Accept-Encoding"), "{head}");
            header(&head, "etag").unwrap()
        };
        let known = etag(GZIP);
        assert!(known.starts_with("W/\""), "{known}");
        assert_eq!(etag(""), known, "{target}");
        for (method, accept) in [("GET", GZIP), ("GET", ""), ("HEAD", GZIP), ("HEAD", "")] {
            let headers = format!("{accept}If-None-Match: {known}\r\n");
            let (head, body) = fetch(&server, method, target, &headers);
            assert!(head.starts_with("HTTP/1.1 304 ") && body.is_empty(), "{head}");
            assert_eq!(header(&head, "content-length"), None, "{head}");
            assert_eq!(header(&head, "content-encoding"), None, "{head}");
        }
    }
}

#[test]
fn a_history_of_less_than_a_kilobyte_is_sent_plain_to_everybody() {
    let server = Server::start(&[]);
    posted(&server, "a short one");
    let (head, body) = fetch(&server, "GET", HISTORY, GZIP);
    assert_eq!(header(&head, "content-encoding"), None, "{head}");
    assert!(body.len() < 1_024, "{}", body.len());
    assert_eq!(body, get(&server, HISTORY).body.as_bytes());
}

#[test]
fn each_response_with_the_page_has_a_nonce_of_its_own_in_either_form() {
    let server = server();
    let mut nonces: Vec<String> =
        (0..2).map(|_| form_value(&get(&server, PAGE), "nonce")).collect();
    for _ in 0..2 {
        let (_, body) = fetch(&server, "GET", PAGE, GZIP);
        let mut page = get(&server, PAGE);
        page.body = decompressed(&body);
        nonces.push(form_value(&page, "nonce"));
    }
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 4, "{nonces:?}");
}
