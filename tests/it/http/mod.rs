//! Every route with every status it has, its headers, and what hostile text becomes.

use std::io::{Read, Write};

use serde_json::{Value, json};

use crate::support::{
    client::{
        FORM, JSON, KEY, OTHER_KEY, Response, TOKEN, bearer, encoded, form, form_value, get, post,
        posted, request,
    },
    frames::Client,
    server::Server,
};

/// Checks that an answer is an error with this status and a sentence that has these parts.
fn says(answer: &Response, status: u16, parts: &[&str]) {
    assert_eq!(answer.status, status, "{answer:?}");
    let sentence = answer.error();
    assert!(
        !sentence.is_empty() && !sentence.ends_with('.') && !sentence.contains('\n'),
        "{sentence:?}"
    );
    // A method may stand first.
    let lower = status == 405 || !sentence.starts_with(|first: char| first.is_uppercase());
    assert!(lower, "{sentence:?}");
    for part in parts {
        assert!(sentence.contains(part), "{sentence:?} does not say {part:?}");
    }
}

/// The value of the page's hidden nonce.
fn hidden_nonce(page: &Response) -> String {
    form_value(page, "nonce")
}

/// All comments of a page, in pages of `limit` up to `more:false`; `step` makes the next query from the last answer's comments.
fn paged(server: &Server, start: &str, step: impl Fn(&[Value]) -> String) -> Vec<Vec<Value>> {
    let (mut query, mut pages) = (start.to_owned(), Vec::new());
    loop {
        let answer = get(server, &format!("/api/comments?{query}")).json();
        let comments = answer["comments"].as_array().unwrap().clone();
        let more = answer["more"].as_bool().unwrap();
        assert!(!more || !comments.is_empty(), "more, but nothing to go on from: {answer}");
        query = format!("{start}&{}", step(&comments));
        pages.push(comments);
        assert!(pages.len() < 1_000, "no end");
        if !more {
            return pages;
        }
    }
}

#[test]
fn a_post_is_201_with_the_line_and_200_when_its_nonce_is_known() {
    let server = Server::start(&[]);
    let body =
        json!({"content": "hi", "page": "a page", "name": "Ada", "nonce": "nonce-nonce-nonce"});
    let first = post(&server, &body);
    assert_eq!(
        (first.status, first.header("content-type").as_deref()),
        (201, Some("application/json"))
    );
    assert_eq!(
        (first.json()["page"].clone(), first.json()["id"].clone()),
        (json!("a page"), json!(1))
    );
    let again = post(&server, &body);
    assert_eq!((again.status, &again.body), (200, &first.body));
    for content_type in
        ["application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"]
    {
        let headers = format!("Content-Type: {content_type}\r\n");
        let answer = request(
            &server,
            "POST",
            "/api/comments",
            &headers,
            &json!({"content": "x"}).to_string(),
        );
        assert_eq!(answer.status, 201, "{content_type}: {answer:?}");
    }
}

#[test]
fn bad_posts_are_400_with_a_sentence_that_has_value_and_limit() {
    let server = Server::start(&[]);
    for (body, parts) in [
        (
            json!({"content": "x".repeat(8193)}),
            &["content is 8193 bytes, at most 8192 are allowed"][..],
        ),
        (json!({"content": ""}), &["content"]),
        (json!({"content": " \n"}), &["content"]),
        (json!({"name": "x"}), &["content"]),
        (json!({"content": "x", "name": "n".repeat(65)}), &["65", "64"]),
        (json!({"content": "x", "key": "k".repeat(15)}), &["key", "15", "16"]),
        (json!({"content": "x", "key": "k".repeat(129)}), &["key", "129", "128"]),
        (json!({"content": "x", "nonce": "n".repeat(15)}), &["nonce", "15", "16"]),
        (json!({"content": "x", "nonce": "n".repeat(65)}), &["nonce", "65", "64"]),
        (json!({"content": "x", "page": ""}), &["page"]),
        (json!({"content": "x", "page": "p".repeat(513)}), &["page", "513", "512"]),
        (json!({"content": "x", "page": "a\nb"}), &["page"]),
        (json!({"content": "x", "parent": 7}), &["7"]),
        (json!({"content": 1}), &[]),
        (json!([]), &[]),
        (json!("content"), &[]),
    ] {
        let answer = post(&server, &body);
        // Too long is too long, by whichever limit.
        says(
            &answer,
            if parts.iter().any(|part| part.contains("8193")) { 413 } else { 400 },
            parts,
        );
    }
    for body in [
        "",
        "{",
        "{\"content\":\"x\"",
        "{\"content\":\"x\"}x",
        "content=x",
        "\u{feff}{}",
        "{\"content\":\"\\ud800\"}",
    ] {
        says(&request(&server, "POST", "/api/comments", JSON, body), 400, &[]);
    }
    assert_eq!(get(&server, "/api/comments").json()["comments"], json!([]));
    assert_eq!(
        post(&server, &json!({"content": "x".repeat(8192), "page": "p".repeat(512)})).status,
        201
    );
}

#[test]
fn only_json_and_forms_are_taken() {
    let server = Server::start(&[]);
    let body = json!({"content": "x"}).to_string();
    for headers in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: multipart/form-data; boundary=b\r\n",
        "Content-Type: text/json\r\n",
    ] {
        says(
            &request(&server, "POST", "/api/comments", headers, &body),
            415,
            &["application/json"],
        );
    }
    let id = posted(&server, "x")["id"].clone();
    let headers = format!("Authorization: Bearer {KEY}\r\nContent-Type: text/plain\r\n");
    says(&request(&server, "PATCH", &format!("/api/comments/{id}"), &headers, &body), 415, &[]);
}

#[test]
fn the_form_works_without_javascript_and_twice_is_once() {
    let server = Server::start(&[]);
    let page = get(&server, "/?page=a%20%26%20b");
    let nonce = hidden_nonce(&page);
    assert!((16..=64).contains(&nonce.len()), "{nonce}");
    assert_ne!(nonce, hidden_nonce(&get(&server, "/?page=a%20%26%20b")), "fresh at each load");
    assert!(
        page.body.contains("action=\"/api/comments\"") && page.body.contains("method=\"post\"")
    );
    assert!(page.body.contains("name=\"page\" value=\"a &amp; b\""), "{}", page.body);
    let fields = [
        ("page", "a & b"),
        ("nonce", &*nonce),
        ("name", "Ada L."),
        ("content", "Grüße & mehr\r\n100% sure + more"),
    ];
    let first = form(&server, &fields);
    assert_eq!(first.status, 303, "{first:?}");
    let location = first.header("location").unwrap();
    let target = location.strip_prefix("/?page=").unwrap_or_else(|| panic!("leads to {location}"));
    assert!(target.starts_with("a%20%26%20b") || target.starts_with("a+%26+b"), "{location}");
    assert_eq!(form(&server, &fields).status, 303);
    let history = get(&server, "/api/comments?page=a+%26+b").json();
    let comments = history["comments"].as_array().unwrap();
    assert_eq!(comments.len(), 1, "{history}");
    assert_eq!(comments[0]["name"], "Ada L.");
    assert_eq!(
        comments[0]["content"].as_str().unwrap().replace("\r\n", "\n"),
        "Grüße & mehr\n100% sure + more"
    );
    let shown = get(&server, location.split('#').next().unwrap());
    assert!(
        shown.body.contains("Grüße &amp; mehr") && shown.body.contains("Ada L."),
        "{}",
        shown.body
    );
    let spaces = request(&server, "POST", "/api/comments", FORM, "content=a+b%2Bc&name=&parent=");
    assert_eq!(spaces.status, 303, "empty fields of a form are absent ones: {spaces:?}");
    assert_eq!(get(&server, "/api/comments").json()["comments"][0]["content"], "a b+c");
}

#[test]
fn a_form_leads_nowhere_but_to_the_page() {
    let server = Server::start(&[]);
    for page in [
        "//evil.example",
        "https://evil.example/",
        "\\\\evil.example",
        "/?page=x",
        "a&b=c#d",
        "ü \"<>'%",
        "/",
    ] {
        let answer = form(
            &server,
            &[
                ("page", page),
                ("content", "x"),
                ("redirect", "https://evil.example"),
                ("next", "//evil"),
            ],
        );
        let location = answer.header("location").unwrap_or_else(|| panic!("{answer:?}"));
        let rest = location
            .strip_prefix("/?page=")
            .unwrap_or_else(|| panic!("{page} leads to {location}"));
        assert!(
            rest.split('#').next().unwrap().bytes().all(|byte| !b"&\"<>\\ ".contains(&byte)),
            "{location}"
        );
        assert_eq!(get(&server, location.split('#').next().unwrap()).status, 200);
    }
    for bad in [
        &[("content", "")][..],
        &[("content", "x"), ("page", "a\r\nX-Evil: 1")],
        &[("content", "x"), ("page", "")],
        &[("page", "/")],
    ] {
        let answer = form(&server, bad);
        assert_eq!(answer.status, 400, "{bad:?}: {answer:?}");
        assert!(answer.header("location").is_none() && answer.header("x-evil").is_none());
    }
    for broken in ["content=%", "content=%zz", "content=%ff", "content=a%0"] {
        assert_eq!(request(&server, "POST", "/api/comments", FORM, broken).status, 400, "{broken}");
    }
}

#[test]
fn a_second_comment_from_the_same_form_is_not_lost_and_the_same_one_is_one() {
    let server = Server::builder().moderator(TOKEN).flags(&["--hold", "all"]).start();
    // Held ones don't change the page, so a browser that asks with its ETag, or goes back, keeps the nonce.
    let nonce = hidden_nonce(&get(&server, "/"));
    for content in ["one", "one", "two", "one"] {
        let answer = form(&server, &[("page", "/"), ("nonce", &nonce), ("content", content)]);
        assert!(matches!(answer.status, 202 | 303), "{answer:?}");
    }
    let log = server.log_text();
    assert_eq!(log.matches("\"content\":\"one\"").count(), 1, "{log}");
    assert_eq!(log.matches("\"content\":\"two\"").count(), 1, "{log}");
}

#[test]
fn changing_needs_the_authors_key() {
    let server = Server::start(&[]);
    let line = post(&server, &json!({"content": "first", "key": KEY})).json();
    posted(&server, "nobody's");
    let body = json!({"content": "second"}).to_string();
    for headers in [
        JSON.to_owned(),
        bearer(OTHER_KEY),
        format!("Authorization: Basic {KEY}\r\n{JSON}"),
        format!("Authorization: Bearer\r\n{JSON}"),
        format!("Authorization: {KEY}\r\n{JSON}"),
    ] {
        for method in ["PATCH", "DELETE"] {
            let answer = request(
                &server,
                method,
                "/api/comments/1",
                &headers,
                if method == "PATCH" { &body } else { "" },
            );
            // What is no key at all may also be called so.
            assert!(matches!(answer.status, 400 | 401 | 403), "{method} {headers}: {answer:?}");
            assert_eq!(
                answer.status == 403,
                answer.status != 400 && answer.status != 401,
                "{answer:?}"
            );
            answer.error();
        }
    }
    says(&request(&server, "PATCH", "/api/comments/1", &bearer(OTHER_KEY), &body), 403, &["1"]);
    says(&request(&server, "DELETE", "/api/comments/1", &bearer(OTHER_KEY), ""), 403, &["1"]);
    says(&request(&server, "PATCH", "/api/comments/2", &bearer(KEY), &body), 403, &["2"]);
    says(&request(&server, "PATCH", "/api/comments/3", &bearer(KEY), &body), 404, &["3"]);
    says(&request(&server, "DELETE", "/api/comments/3", &bearer(KEY), ""), 404, &["3"]);
    assert_eq!(get(&server, "/api/comments").json()["comments"][0], line, "nothing has changed");
    let edited = request(&server, "PATCH", "/api/comments/1", &bearer(KEY), &body);
    assert_eq!(
        (edited.status, edited.json()["content"].clone(), edited.json()["seq"].clone()),
        (200, json!("second"), json!(3))
    );
    let lower = format!("authorization: bearer {KEY}\r\n{JSON}");
    assert_eq!(
        request(
            &server,
            "PATCH",
            "/api/comments/1",
            &lower,
            &json!({"content": "third"}).to_string()
        )
        .status,
        200
    );
    for (wrong, part) in [
        (json!({"content": ""}), "content"),
        (json!({}), ""),
        (json!({"content": 7}), ""),
        (json!({"status": "nonsense"}), ""),
    ] {
        says(
            &request(&server, "PATCH", "/api/comments/1", &bearer(KEY), &wrong.to_string()),
            400,
            &[part],
        );
    }
    says(
        &request(
            &server,
            "PATCH",
            "/api/comments/1",
            &bearer(KEY),
            &json!({"status": "hidden"}).to_string(),
        ),
        403,
        &[],
    );
    let gone = request(&server, "DELETE", "/api/comments/1", &bearer(KEY), "");
    assert_eq!((gone.status, gone.json()["deleted"].clone()), (200, json!(true)));
    assert!(gone.json().get("content").is_none() && gone.json().get("author").is_none());
    says(&request(&server, "PATCH", "/api/comments/1", &bearer(KEY), &body), 409, &["deleted"]);
    let twice = request(&server, "DELETE", "/api/comments/1", &bearer(KEY), "");
    assert!(matches!(twice.status, 200 | 409), "{twice:?}");
    says(&post(&server, &json!({"content": "x", "parent": 99})), 400, &["99"]);
}

#[test]
fn what_is_not_there_is_404_and_what_is_not_done_is_405_with_allow() {
    let server = Server::start(&[]);
    posted(&server, "x");
    for path in [
        "/nothing",
        "/api",
        "/api/",
        "/api/nothing",
        "/embed.js/",
        "//",
        "/index.html",
        "/../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/comments.jsonl",
        "/.web.sock",
        "/embed.js%00",
    ] {
        let answer = get(&server, path);
        says(&answer, 404, &[]);
        assert_eq!(answer.header("content-type").as_deref(), Some("application/json"), "{path}");
    }
    says(
        &request(&server, "DELETE", "/api/comments/99999999999999999999999", &bearer(KEY), ""),
        404,
        &[],
    );
    for (method, path, allowed) in [
        ("POST", "/", "GET"),
        ("DELETE", "/", "GET"),
        ("PUT", "/api/comments", "POST"),
        ("PATCH", "/api/comments", "GET"),
        ("DELETE", "/api/comments", "GET"),
        ("POST", "/api/comments/1", "PATCH"),
        ("PUT", "/api/comments/1", "DELETE"),
        ("POST", "/api/counts", "GET"),
        ("POST", "/healthz", "GET"),
        ("DELETE", "/metrics", "GET"),
        ("POST", "/embed.js", "GET"),
        ("PUT", "/embed.css", "GET"),
        ("TRACE", "/", "GET"),
        ("BREW", "/", "GET"),
        ("get", "/", "GET"),
    ] {
        let body = if matches!(method, "POST" | "PUT" | "PATCH") { "{}" } else { "" };
        let answer = request(&server, method, path, JSON, body);
        says(&answer, 405, &[method]);
        let allow = answer.header("allow").unwrap_or_else(|| panic!("no Allow: {answer:?}"));
        assert!(allow.split(", ").any(|each| each == allowed), "{method} {path}: {allow}");
        assert!(!allow.split(", ").any(|each| each == method), "{method} {path}: {allow}");
    }
}

#[test]
fn what_can_be_no_comment_is_404_by_any_method() {
    let server = Server::start(&[]);
    posted(&server, "x");
    for id in ["", "x", "-1", "0", "1/2", "1x", "+1", "99999999999999999999999", "%31"] {
        for (method, body) in [("GET", ""), ("PATCH", "{\"content\":\"y\"}"), ("DELETE", "")] {
            let answer =
                request(&server, method, &format!("/api/comments/{id}"), &bearer(KEY), body);
            // A number stands for a comment that could be there, and one that is written otherwise may stand for it too.
            let could_be = matches!(id, "0" | "99999999999999999999999" | "%31");
            let allowed: &[u16] = if could_be { &[403, 404, 405] } else { &[404] };
            assert!(allowed.contains(&answer.status), "{method} {id:?}: {answer:?}");
        }
    }
}

#[test]
fn a_body_of_64_kib_passes_and_one_byte_more_is_413() {
    let server = Server::start(&[]);
    let padded = |length: usize| {
        let body = json!({"content": "padded"}).to_string();
        let spaces = " ".repeat(length - body.len());
        body + &spaces
    };
    assert_eq!(request(&server, "POST", "/api/comments", JSON, &padded(65_536)).status, 201);
    says(
        &request(&server, "POST", "/api/comments", JSON, &padded(65_537)),
        413,
        &["65537", "65536"],
    );
    // Only claimed: refused at once, without reading and without making room.
    for length in [
        "65537",
        "4294967296",
        "4611686018427387904",
        "9223372036854775807",
        "18446744073709551615",
    ] {
        let head = format!(
            "POST /api/comments HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: {length}\r\n\r\n"
        );
        let answer = server.raw(head.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 413 "), "{length}: {answer}");
        assert!(answer.contains(length), "{answer}");
    }
    for path in ["/", "/nothing", "/embed.js"] {
        let answer = request(&server, "POST", path, JSON, &padded(65_537));
        assert_eq!(answer.status, 413, "{path}");
    }
    assert_eq!(get(&server, "/healthz").status, 200);
}

#[test]
fn a_head_of_16_kib_and_64_headers_passes_and_more_is_431() {
    let server = Server::start(&[]);
    let of_length = |length: usize| {
        let start = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: ";
        format!("{start}{}\r\n\r\n", "a".repeat(length - start.len() - 4))
    };
    assert!(server.raw(of_length(16_384).as_bytes()).starts_with("HTTP/1.1 200 "));
    let answer = server.raw(of_length(16_385).as_bytes());
    assert!(answer.starts_with("HTTP/1.1 431 ") && answer.contains("16384"), "{answer}");
    let with_headers = |count: usize| {
        let more: String = (2..count).map(|n| format!("X-{n}: y\r\n")).collect();
        format!("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n")
    };
    assert!(server.raw(with_headers(64).as_bytes()).starts_with("HTTP/1.1 200 "));
    let answer = server.raw(with_headers(65).as_bytes());
    assert!(answer.starts_with("HTTP/1.1 431 ") && answer.contains("64"), "{answer}");
    // Megabytes of head: the answer arrives all the same.
    let answer = server.raw(format!("GET /{} HTTP/1.1\r\n", "a".repeat(200_000)).as_bytes());
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[test]
fn anything_ambiguous_in_a_head_is_400_and_the_end_of_the_connection() {
    let server = Server::start(&[]);
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    for head in [
        "GET / HTTP/1.1\nHost: x\n\n",
        "GET / HTTP/1.1\r\nHost: x\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\tc\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: x\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nhost: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /api/comments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\ntransfer-encoding:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: five\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: \u{661}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nNo colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n: empty\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nÜ: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA\u{1}: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: \u{0}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n",
        "GET /ü HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /\u{1} HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /\u{7f} HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.2\r\nHost: x\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        "GET / HTTP/0.9\r\nHost: x\r\n\r\n",
        "GET / http/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1x\r\nHost: x\r\n\r\n",
        "GET /\r\n\r\n",
        "GET\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}\r\n\r\n",
        "G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET nothing HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let answer = server.raw(format!("{head}{smuggled}").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400 "), "{head:?}: {answer}");
        assert_eq!(
            answer.lines().filter(|line| line.starts_with("HTTP/1.1 ")).count(),
            1,
            "nothing behind it is read: {head:?}: {answer}"
        );
        assert!(
            answer.to_ascii_lowercase().contains("connection: close")
                && answer.contains("{\"error\":\""),
            "{head:?}: {answer}"
        );
    }
    assert_eq!(get(&server, "/healthz").status, 200);
}

#[test]
fn requests_of_one_connection_are_answered_in_order() {
    let server = Server::start(&[]);
    let body = json!({"content": "in between"}).to_string();
    let post = format!(
        "POST /api/comments HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let bytes = format!(
        "GET /api/counts?page=first HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\n{post}\
         GET /nothing HTTP/1.1\r\nHost: x\r\n\r\nGET /api/counts?page=/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n\
         GET /after-the-end HTTP/1.1\r\nHost: x\r\n\r\n"
    );
    let answer = server.raw(bytes.as_bytes());
    let statuses: Vec<&str> = answer.split("HTTP/1.1 ").skip(1).map(|each| &each[..3]).collect();
    assert_eq!(statuses, ["200", "200", "201", "404", "200"], "{answer}");
    assert!(answer.contains("{\"first\":0}") && answer.ends_with("{\"/\":1}"), "{answer}");
    // HTTP/1.0 ends by itself, and stays on request.
    let answer = server.raw(b"GET /healthz HTTP/1.0\r\nHost: x\r\n\r\n");
    assert!(answer.contains(" 200 ") && answer.ends_with("{\"status\":\"ok\"}"), "{answer}");
    let answer = server.raw(
        b"GET /healthz HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\nGET /nothing HTTP/1.0\r\nHost: x\r\n\r\n",
    );
    assert!(answer.contains(" 200 ") && answer.contains(" 404 "), "{answer}");
}

#[test]
fn a_client_that_expects_100_is_told_to_go_on() {
    let server = Server::start(&[]);
    let mut connection = server.connection();
    let body = json!({"content": "expected"}).to_string();
    let head = format!(
        "POST /api/comments HTTP/1.1\r\nHost: x\r\n{JSON}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let first = connection.exchange(head);
    assert!(first.status == 100 && connection.buffer().is_empty(), "{first:?}");
    assert_eq!(connection.exchange(body).status, 201);
    let head = format!(
        "POST /api/comments HTTP/1.1\r\nHost: x\r\n{JSON}Expect: 100-continue\r\nContent-Length: 65537\r\n\r\n"
    );
    assert!(
        server.raw(head.as_bytes()).starts_with("HTTP/1.1 413 "),
        "not told to go on with what is refused"
    );
}

#[test]
fn head_is_get_without_the_body() {
    let server = Server::start(&[]);
    posted(&server, "x");
    let host = server.address;
    for path in [
        "/",
        "/?page=b",
        "/api/comments",
        "/api/counts?page=/",
        "/embed.js",
        "/embed.css",
        "/healthz",
        "/metrics",
        "/nothing",
        "/api/comments?limit=0",
    ] {
        let full = get(&server, path);
        // On one connection: a body that came all the same would be taken for the next answer.
        let mut connection = server.connection();
        for _ in 0..2 {
            connection.send(format!("HEAD {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
            let head = connection.receive_head();
            assert_eq!((head.status, &*head.body), (full.status, ""), "{path}");
            for name in [
                "content-type",
                "content-length",
                "cache-control",
                "vary",
                "content-security-policy",
                "x-content-type-options",
            ] {
                assert_eq!(head.header(name), full.header(name), "{name} of {path}");
            }
            assert_eq!(head.header("etag").is_some(), full.header("etag").is_some(), "{path}");
        }
    }
}

#[test]
fn etags_answer_304_until_something_changes() {
    let server = Server::start(&[]);
    posted(&server, "x");
    post(&server, &json!({"content": "y", "page": "other"}));
    let paths = [
        "/",
        "/api/comments",
        "/api/comments?limit=1",
        "/api/comments?since=0",
        "/api/counts?page=/",
        "/embed.js",
        "/embed.css",
    ];
    let etags: Vec<String> =
        paths.iter().map(|path| get(&server, path).header("etag").expect("an ETag")).collect();
    for (path, etag) in paths.iter().zip(&etags) {
        let strong = etag.trim_start_matches("W/");
        for condition in [
            etag.clone(),
            format!("W/{strong}"),
            strong.to_owned(),
            format!("\"other\", {etag}"),
            "*".to_owned(),
        ] {
            let answer =
                request(&server, "GET", path, &format!("If-None-Match: {condition}\r\n"), "");
            assert_eq!((answer.status, &*answer.body), (304, ""), "{path} {condition}: {answer:?}");
            assert!(
                answer.header("etag").is_some() && answer.header("cache-control").is_some(),
                "{answer:?}"
            );
            assert!(answer.header("vary").is_some(), "{answer:?}");
        }
        for other in ["\"other\"", "\"\"", "nonsense", ""] {
            let answer = request(&server, "GET", path, &format!("If-None-Match: {other}\r\n"), "");
            assert_eq!(answer.status, 200, "{path} {other:?}");
        }
        let head = request(&server, "HEAD", path, &format!("If-None-Match: {etag}\r\n"), "");
        assert_eq!(head.status, 304, "{path}");
    }
    posted(&server, "changes it");
    for (path, etag) in paths.iter().zip(&etags).filter(|(path, _)| !path.starts_with("/embed")) {
        let answer = request(&server, "GET", path, &format!("If-None-Match: {etag}\r\n"), "");
        assert_eq!(answer.status, 200, "{path}");
        assert_ne!(answer.header("etag").as_ref(), Some(etag), "{path}");
    }
}

#[test]
fn headers_say_how_long_to_keep_and_what_a_browser_may_do() {
    let server = Server::start(&[]);
    posted(&server, "x");
    for (path, content_type, cache) in [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/api/comments", "application/json", "no-cache"),
        ("/api/counts?page=/", "application/json", "no-cache"),
        ("/embed.js", "text/javascript; charset=utf-8", "max-age=300"),
        ("/embed.css", "text/css; charset=utf-8", "max-age=300"),
    ] {
        let answer = get(&server, path);
        assert_eq!(answer.header("content-type").as_deref(), Some(content_type), "{path}");
        assert!(answer.header("cache-control").unwrap().contains(cache), "{path}");
        let vary = answer.header("vary").unwrap();
        assert!(vary.contains("Origin") && vary.contains("Accept-Encoding"), "{path}: {vary}");
        assert_eq!(answer.header("x-content-type-options").as_deref(), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy").as_deref(), Some("same-origin"), "{path}");
        assert!(answer.header("date").is_some(), "{path}");
        for name in ["server", "set-cookie"] {
            assert!(answer.header(name).is_none(), "{name} of {path}");
        }
    }
    let page = get(&server, "/");
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.contains("default-src 'none'") && policy.contains("base-uri 'none'"),
        "{policy}"
    );
    for loose in ["unsafe-inline", "unsafe-eval", "*", "http:", "https:"] {
        assert!(!policy.contains(loose), "{policy}");
    }
    // What the policy forbids the page must not need.
    for inline in ["<script>", "<style", " style=", " onclick=", " onload=", "javascript:"] {
        assert!(!page.body.contains(inline), "{inline}");
    }
}

#[test]
fn sites_that_are_allowed_may_read_and_write_and_others_not() {
    let server = Server::start(&[
        "--allow-origin",
        "https://blog.example",
        "--allow-origin",
        "http://localhost:3000",
    ]);
    let body = json!({"content": "x", "key": KEY}).to_string();
    for origin in ["https://blog.example", "http://localhost:3000"] {
        let header = format!("Origin: {origin}\r\n");
        for path in ["/api/comments", "/api/counts?page=/", "/api/comments?limit=0", "/api/nothing"]
        {
            let answer = request(&server, "GET", path, &header, "");
            assert_eq!(
                answer.header("access-control-allow-origin").as_deref(),
                Some(origin),
                "{path}: {answer:?}"
            );
        }
        let answer = request(&server, "POST", "/api/comments", &format!("{header}{JSON}"), &body);
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin").as_deref()),
            (201, Some(origin))
        );
        let answer = request(&server, "POST", "/api/comments", &format!("{header}{JSON}"), "{}");
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin").as_deref()),
            (400, Some(origin))
        );
        for (path, method) in
            [("/api/comments", "POST"), ("/api/comments/1", "PATCH"), ("/api/comments/1", "DELETE")]
        {
            let headers = format!(
                "{header}Access-Control-Request-Method: {method}\r\nAccess-Control-Request-Headers: authorization,content-type\r\n"
            );
            let answer = request(&server, "OPTIONS", path, &headers, "");
            assert!(matches!(answer.status, 200 | 204), "{answer:?}");
            assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(origin));
            let methods = answer.header("access-control-allow-methods").unwrap();
            assert!(methods.contains(method), "{methods}");
            let allowed = answer.header("access-control-allow-headers").unwrap().to_lowercase();
            assert!(
                allowed.contains("content-type") && allowed.contains("authorization"),
                "{allowed}"
            );
        }
        assert!(Client::open(&server, "/ws/comments/", &header).is_ok());
    }
    let host = server.address;
    for origin in [
        "https://evil.example".to_owned(),
        "http://blog.example".into(),
        "https://blog.example:444".into(),
        "https://blog.example.evil.example".into(),
        "https://evilblog.example".into(),
        "https://sub.blog.example".into(),
        "null".into(),
        "https://".into(),
        "".into(),
        "*".into(),
        format!("http://{host}.evil.example"),
        format!("http://{host}@evil.example"),
        format!("http://evil.example/{host}"),
        format!("http://{}:1", host.ip()),
        format!("http://{}", host.ip()),
    ] {
        let header = format!("Origin: {origin}\r\n");
        let answer = request(&server, "GET", "/api/comments", &header, "");
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin")),
            (200, None),
            "{origin:?}"
        );
        for (method, path, body) in [
            ("POST", "/api/comments", &*body),
            ("PATCH", "/api/comments/1", "{\"content\":\"y\"}"),
            ("DELETE", "/api/comments/1", ""),
        ] {
            let answer = request(&server, method, path, &format!("{header}{}", bearer(KEY)), body);
            assert!(answer.header("access-control-allow-origin").is_none(), "{origin:?}");
            says(&answer, 403, &["origin"]);
        }
        let answer =
            request(&server, "POST", "/api/comments", &format!("{header}{FORM}"), "content=x");
        assert_eq!(answer.status, 403, "a form from {origin:?}");
        let preflight = request(
            &server,
            "OPTIONS",
            "/api/comments",
            &format!("{header}Access-Control-Request-Method: POST\r\n"),
            "",
        );
        assert!(
            preflight.header("access-control-allow-origin").is_none(),
            "{origin:?}: {preflight:?}"
        );
        let refusal = Client::open(&server, "/ws/comments/", &header)
            .err()
            .unwrap_or_else(|| panic!("{origin:?} is let in"));
        assert!(refusal.status == 403 && refusal.body.starts_with("{\"error\":\""), "{refusal:?}");
    }
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 2}));
    // The page's own origin, also behind a proxy that ends TLS, and whoever is no browser.
    for own in
        [format!("Origin: http://{host}\r\n"), format!("Origin: https://{host}\r\n"), String::new()]
    {
        assert_eq!(
            request(&server, "POST", "/api/comments", &format!("{own}{JSON}"), &body).status,
            201,
            "{own}"
        );
        assert_eq!(
            request(&server, "POST", "/api/comments", &format!("{own}{FORM}"), "content=x").status,
            303,
            "{own}"
        );
        assert!(Client::open(&server, "/ws/comments/", &own).is_ok(), "{own}");
    }
    let two = format!("Origin: http://{host}\r\nOrigin: https://evil.example\r\n{JSON}");
    assert!(
        matches!(request(&server, "POST", "/api/comments", &two, &body).status, 400 | 403),
        "two origins"
    );
}

#[test]
fn the_third_post_of_an_address_or_an_author_is_429_with_retry_after() {
    let server = Server::start(&["--rate", "2/60"]);
    let from = |address: &str, body: Value| {
        let headers = format!("X-Forwarded-For: {address}\r\n{JSON}");
        request(&server, "POST", "/api/comments", &headers, &body.to_string())
    };
    let refused = |answer: &Response| {
        says(answer, 429, &["2", "60"]);
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
    };
    for n in 0..2 {
        assert_eq!(from("192.0.2.1", json!({"content": n.to_string()})).status, 201);
    }
    refused(&from("192.0.2.1", json!({"content": "third"})));
    // What stands left of the address that the proxy saw is the client's own invention.
    refused(&from("198.51.100.1, 192.0.2.1", json!({"content": "third"})));
    assert_eq!(from("192.0.2.1, 192.0.2.2", json!({"content": "another address"})).status, 201);
    // An IPv6 client has its whole /64.
    for address in ["2001:db8::1", "2001:db8:0:0:ffff::2"] {
        assert_eq!(from(address, json!({"content": "v6"})).status, 201);
    }
    refused(&from("2001:db8::3", json!({"content": "v6"})));
    assert_eq!(from("2001:db8:0:1::1", json!({"content": "v6"})).status, 201);
    // An author from many addresses.
    for address in ["203.0.113.1", "203.0.113.2"] {
        assert_eq!(from(address, json!({"content": "x", "key": KEY})).status, 201);
    }
    refused(&from("203.0.113.3", json!({"content": "x", "key": KEY})));
    // What was refused as bad costs nothing, and reading goes on.
    says(&from("203.0.113.9", json!({"content": ""})), 400, &[]);
    assert_eq!(get(&server, "/").status, 200);
    // A WebSocket hears the same, with the seconds as a number.
    let mut client =
        Client::open(&server, "/ws/comments/", "X-Forwarded-For: 203.0.113.77\r\n").unwrap();
    for n in 0..3 {
        client.send(
            &json!({"content": format!("ws {n}"), "nonce": format!("nonce-nonce-nonce-{n}")}),
        );
    }
    assert_eq!(
        (client.line()["content"].clone(), client.line()["content"].clone()),
        (json!("ws 0"), json!("ws 1"))
    );
    let error = client.line();
    assert!((1..=60).contains(&error["retry_after"].as_u64().unwrap()), "{error}");
    assert_eq!(error["nonce"], "nonce-nonce-nonce-2");
    assert!(error["error"].as_str().unwrap().contains("60"), "{error}");
    // A repeated nonce makes nothing new and is answered all the same: a client may retry after a lost answer.
    client.send(&json!({"content": "ws 0", "nonce": "nonce-nonce-nonce-0"}));
    assert_eq!(client.line()["content"], "ws 0");
}

#[test]
fn an_untrusted_peer_can_not_say_who_it_is() {
    let server = Server::start(&["--rate", "1/60", "--trust-proxy", "none"]);
    for (n, status) in [(1, 201), (2, 429), (3, 429)] {
        let headers = format!("X-Forwarded-For: 192.0.2.{n}\r\n{JSON}");
        let answer = request(
            &server,
            "POST",
            "/api/comments",
            &headers,
            &json!({"content": "x"}).to_string(),
        );
        assert_eq!(answer.status, status, "{answer:?}");
    }
}

#[test]
fn history_is_paged_back_by_id_and_on_by_seq_without_gap_or_double() {
    let server = Server::start(&[]);
    for n in 1..=7 {
        post(&server, &json!({"content": format!("c{n}"), "key": KEY}));
        post(&server, &json!({"content": "elsewhere", "page": "other"}));
    }
    let ids: Vec<u64> = (0..7).map(|n| 1 + 2 * n).collect();
    let edited = request(
        &server,
        "PATCH",
        "/api/comments/3",
        &bearer(KEY),
        &json!({"content": "edited"}).to_string(),
    );
    assert_eq!(edited.json()["seq"], 15);
    let id = |comment: &Value| comment["id"].as_u64().unwrap();
    let seq = |comment: &Value| comment["seq"].as_u64().unwrap();
    for limit in [1, 2, 3, 6, 7, 8, 200] {
        let start = format!("limit={limit}");
        let pages = paged(&server, &start, |page| format!("before={}", id(&page[0])));
        let back: Vec<u64> = pages.iter().rev().flatten().map(id).collect();
        assert_eq!(back, ids, "limit {limit}");
        assert!(pages.iter().all(|page| page.len() <= limit), "limit {limit}");
        // By seq: each comment's present line, the edited one last.
        let (mut since, mut on) = (0, Vec::new());
        loop {
            let answer = get(&server, &format!("/api/comments?since={since}&limit={limit}")).json();
            for comment in answer["comments"].as_array().unwrap() {
                assert!(seq(comment) > since, "rising: {answer}");
                since = seq(comment);
                on.push(id(comment));
            }
            if answer["more"] == false {
                break;
            }
            assert_eq!(answer["comments"].as_array().unwrap().len(), limit, "{answer}");
        }
        assert_eq!(on, [1, 5, 7, 9, 11, 13, 3], "limit {limit}");
    }
    let newest = get(&server, "/api/comments?limit=2").json();
    assert_eq!(
        (&newest["comments"][0]["id"], &newest["comments"][1]["id"], &newest["more"]),
        (&json!(11), &json!(13), &json!(true))
    );
    assert_eq!(get(&server, "/api/comments?before=1").json()["comments"], json!([]));
    assert_eq!(get(&server, "/api/comments?since=15").json()["comments"], json!([]));
    assert_eq!(get(&server, "/api/comments?page=never").json()["comments"], json!([]));
    for query in [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "limit=",
        "before=x",
        "since=x",
        "since=-1",
        "page=",
        "page=%00",
    ] {
        says(
            &get(&server, &format!("/api/comments?{query}")),
            400,
            &[query.split('=').next().unwrap()],
        );
    }
    says(&get(&server, "/api/comments?limit=201"), 400, &["201", "200"]);
    says(&get(&server, &format!("/api/comments?page={}", "p".repeat(513))), 400, &["513", "512"]);
}

#[test]
fn history_of_the_longest_comments_stops_early_and_says_more() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    for n in 0..60 {
        client.send(&json!({"content": format!("{n:03}{}", "\"\\*".repeat(2_729)), "key": KEY}));
        client.line();
    }
    for (start, by_seq) in [("limit=200", false), ("limit=200&since=0", true)] {
        let mut seen = Vec::new();
        let mut query = start.to_owned();
        loop {
            let body = get(&server, &format!("/api/comments?{query}")).body;
            assert!(body.len() <= 1024 * 1024, "{} bytes", body.len());
            let answer: Value = serde_json::from_str(&body).unwrap();
            let ids: Vec<u64> = answer["comments"]
                .as_array()
                .unwrap()
                .iter()
                .map(|comment| comment["id"].as_u64().unwrap())
                .collect();
            assert!(!ids.is_empty(), "{query}");
            query = if by_seq {
                format!("limit=200&since={}", ids[ids.len() - 1])
            } else {
                format!("limit=200&before={}", ids[0])
            };
            seen = if by_seq { [seen, ids].concat() } else { [ids, seen].concat() };
            if answer["more"] == false {
                break;
            }
        }
        assert_eq!(seen, (1..=60).collect::<Vec<u64>>(), "{start}");
    }
}

#[test]
fn a_page_of_fifty_longest_comments_loads() {
    for text in ["\"", "&", "<", "*a*", "x\n\n", "- a\n", "\u{1F600}", "https://a.example "] {
        let server = Server::start(&[]);
        let mut client = Client::plain(&server);
        let content = text.repeat(8_100 / text.len());
        for n in 0..50 {
            client.send(&json!({"content": format!("c{n} {content}"), "name": "\"".repeat(64)}));
            assert!(client.line().get("id").is_some());
        }
        let page = get(&server, "/");
        assert_eq!(page.status, 200, "{text:?}: {}", &page.body[..page.body.len().min(300)]);
        assert!(page.body.len() <= 1024 * 1024, "{text:?}: {} bytes", page.body.len());
        assert!(page.body.contains("c49 "), "{text:?}: the newest is there");
        assert!(page.body.trim_end().ends_with("</html>"), "{text:?}: whole");
    }
}

#[test]
fn hostile_text_is_shown_as_text_wherever_it_comes_from() {
    let hostile =
        "\"'><script>alert(1)</script><img src=x onerror=alert(1)></textarea></title><!--&amp;";
    let server = Server::start(&["--title", hostile]);
    let page = &format!("{hostile}page");
    let fields = json!({
        "content": format!("{hostile} [a](javascript:alert(1)) [b](data:text/html,x) <a href=\"javascript:alert(1)\">c</a> ![d](x\" onerror=\"alert(1))"),
        "name": &hostile[..64],
        "page": page,
        "nonce": &hostile[..64],
        "key": hostile,
    });
    let line = post(&server, &fields);
    assert_eq!(line.status, 201, "{line:?}");
    post(&server, &json!({"content": "answer **bold**", "page": page, "parent": 1}));
    let parts = [
        "<script>",
        "<img",
        "<a href=\"javascript",
        "href=\"javascript",
        "<a href=\"data:",
        "</textarea><",
        "<!--&",
    ];
    for target in [
        format!("/?page={}", encoded(page)),
        format!("/?page={}&nonce={0}&name={0}&x={0}", encoded(page)),
    ] {
        let shown = get(&server, &target);
        assert_eq!(shown.status, 200, "{shown:?}");
        for part in parts {
            assert!(!shown.body.contains(part), "{part} in {}", shown.body);
        }
        assert!(shown.body.contains("&lt;script&gt;"), "{}", shown.body);
    }
    let html = line.json()["html"].as_str().unwrap_or_default().to_owned();
    for part in parts {
        assert!(!html.contains(part), "{part} in {html}");
    }
    // Errors repeat what was wrong as text, never as a page of their own.
    for target in [
        format!("/?page={}", encoded(&hostile.repeat(10))),
        format!("/{}", encoded(hostile)),
        format!("/?page={}", encoded("a\n<script>")),
    ] {
        let answer = get(&server, &target);
        assert!(answer.status >= 400, "{answer:?}");
        let is_json = answer.header("content-type").as_deref() == Some("application/json");
        assert!(is_json || !answer.body.contains("<script>"), "{answer:?}");
    }
    let answer = form(&server, &[("page", hostile), ("content", ""), ("name", hostile)]);
    assert!(
        answer.header("content-type").as_deref() == Some("application/json")
            || !answer.body.contains("<script>alert"),
        "{answer:?}"
    );
}

#[test]
fn counts_are_told_for_up_to_100_pages() {
    let server = Server::start(&[]);
    post(&server, &json!({"content": "x", "page": "a \"&\" b", "key": KEY}));
    post(&server, &json!({"content": "x", "page": "a \"&\" b"}));
    let counts = |pages: &[&str]| {
        let query: Vec<String> =
            pages.iter().map(|page| format!("page={}", encoded(page))).collect();
        get(&server, &format!("/api/counts?{}", query.join("&")))
    };
    assert_eq!(counts(&["a \"&\" b", "none"]).json(), json!({"a \"&\" b": 2, "none": 0}));
    assert_eq!(counts(&["none", "none"]).body.matches("none").count(), 1, "a key stands once");
    request(&server, "DELETE", "/api/comments/1", &bearer(KEY), "");
    assert_eq!(counts(&["a \"&\" b"]).json(), json!({"a \"&\" b": 1}));
    let names: Vec<String> = (0..101).map(|n| format!("p{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(counts(&names[..100]).json().as_object().unwrap().len(), 100);
    says(&counts(&names), 400, &["101", "100"]);
    says(&counts(&[""]), 400, &["page"]);
    assert!(matches!(get(&server, "/api/counts").status, 200 | 400));
}

#[test]
fn everything_stands_below_the_base_path() {
    for base in ["/talk", "/talk/", "/a/b"] {
        let server = Server::start(&["--base-path", base]);
        let base = base.trim_end_matches('/');
        let page = get(&server, &format!("{base}/"));
        assert_eq!(page.status, 200, "{page:?}");
        for (attribute, path) in
            [("src", "/embed.js"), ("href", "/embed.css"), ("action", "/api/comments")]
        {
            assert!(
                page.body.contains(&format!("{attribute}=\"{base}{path}")),
                "{path}: {}",
                page.body
            );
        }
        for path in ["/embed.js", "/embed.css", "/api/comments", "/api/counts?page=/", "/?page=x"] {
            assert_eq!(get(&server, &format!("{base}{path}")).status, 200, "{path}");
            assert_eq!(get(&server, path).status, 404, "{path} without base");
            assert_eq!(get(&server, &format!("{base}ative{path}")).status, 404, "{path}");
        }
        let bare = get(&server, base);
        assert!(
            bare.status == 200
                || bare.header("location").is_some_and(|to| to.starts_with(&format!("{base}/"))),
            "{bare:?}"
        );
        let sent =
            request(&server, "POST", &format!("{base}/api/comments"), FORM, "content=x&page=%2F");
        let location = sent.header("location").unwrap_or_else(|| panic!("{sent:?}"));
        assert!(
            sent.status == 303 && location.starts_with(&format!("{base}/?page=")),
            "{location}"
        );
        let mut client = Client::open(&server, &format!("{base}/ws/comments/?last=1"), "").unwrap();
        assert_eq!(client.line()["content"], "x");
        assert_eq!(Client::open(&server, "/ws/comments/", "").err().unwrap().status, 404);
        let changed =
            request(&server, "DELETE", &format!("{base}/api/comments/1"), &bearer(KEY), "");
        assert_eq!(changed.status, 403);
    }
}

#[test]
fn only_pages_with_an_allowed_prefix_and_only_so_many_are_commented_on() {
    let server = Server::start(&[
        "--page-prefix",
        "blog.example/",
        "--page-prefix",
        "/",
        "--max-pages",
        "2",
    ]);
    let on = |page: &str| post(&server, &json!({"content": "x", "page": page}));
    assert_eq!(on("blog.example/a").status, 201);
    for page in ["evil.example/a", "blog.example", "xblog.example/a"] {
        says(&on(page), 403, &[page]);
    }
    assert_eq!(on("/").status, 201);
    let third = on("blog.example/b");
    assert!(matches!(third.status, 400 | 403 | 409 | 503), "{third:?}");
    assert!(third.error().contains('2'), "{third:?}");
    assert_eq!(on("blog.example/a").status, 201, "pages that are known go on");
}

#[test]
fn health_and_metrics_are_told() {
    let server = Server::start(&[]);
    let number = |name: &str| {
        let metrics = get(&server, "/metrics");
        assert!(
            metrics.status == 200
                && metrics.header("content-type").unwrap().starts_with("text/plain"),
            "{metrics:?}"
        );
        let mut found = None;
        for line in metrics.body.lines() {
            if line.starts_with('#') {
                continue;
            }
            let (key, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?}"));
            assert!(value.parse::<f64>().is_ok() && key.starts_with("sayso_"), "{line:?}");
            assert!(
                metrics.body.contains(&format!("# TYPE {} ", key.split('{').next().unwrap())),
                "{line:?}"
            );
            if key == name {
                found = value.parse::<f64>().ok();
            }
        }
        assert!(metrics.body.ends_with('\n'));
        found.unwrap_or_else(|| panic!("no {name}: {}", metrics.body))
    };
    assert_eq!(
        (number("sayso_comments"), number("sayso_seq"), number("sayso_readers")),
        (0.0, 0.0, 0.0)
    );
    posted(&server, "x");
    let mut reader = Client::full(&server, "");
    reader.json();
    assert_eq!(
        (number("sayso_comments"), number("sayso_seq"), number("sayso_readers")),
        (1.0, 1.0, 1.0)
    );
    assert_eq!(get(&server, "/healthz").status, 200);
    assert_eq!(get(&server, "/healthz").header("cache-control").as_deref(), Some("no-store"));
}

#[test]
fn a_slow_client_and_one_that_goes_hold_up_nobody() {
    let server = Server::start(&[]);
    // More than web threads and exchanges, each in the middle of something.
    let mut stuck = Vec::new();
    for n in 0..150 {
        let mut stream = server.connect();
        let part = match n % 3 {
            0 => "GET / HT",
            1 => {
                "POST /api/comments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"content\""
            }
            _ => "GET /embed.js HTTP/1.1\r\nHost: x\r\n\r\n",
        };
        stream.write_all(part.as_bytes()).unwrap();
        stuck.push(stream);
    }
    assert_eq!(get(&server, "/").status, 200);
    assert_eq!(posted(&server, "goes through")["id"], 1);
    drop(stuck);
    assert_eq!(
        get(&server, "/api/comments").json()["comments"].as_array().unwrap().len(),
        1,
        "half a post is none"
    );
}

#[test]
fn the_answer_to_a_refusal_arrives_though_the_client_goes_on_sending() {
    let server = Server::start(&[]);
    let mut stream = server.connect();
    let head =
        format!("POST /api/comments HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: 200000\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&[b'x'; 200_000]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("200000"), "{answer}");
}
