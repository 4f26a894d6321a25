//! Responses: statuses, headers and tags of every path, below a base path too.

use serde_json::json;

use super::says;
use crate::support::{
    client::{FORM, JSON, KEY, bearer, get, post, posted, request},
    frames::Client,
    server::Server,
};

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
        "/.ctl.sock",
        "/.compact",
        "/embed.js%00",
    ] {
        let response = get(&server, path);
        says(&response, 404, &[]);
        assert_eq!(response.header("content-type").as_deref(), Some("application/json"), "{path}");
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
        let response = request(&server, method, path, JSON, body);
        says(&response, 405, &[method]);
        let allow = response.header("allow").unwrap_or_else(|| panic!("no Allow: {response:?}"));
        assert!(allow.split(", ").any(|each| each == allowed), "{method} {path}: {allow}");
        assert!(!allow.split(", ").any(|each| each == method), "{method} {path}: {allow}");
    }
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
            assert!(connection.buffer().is_empty(), "{path} has a body");
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
            let response =
                request(&server, "GET", path, &format!("If-None-Match: {condition}\r\n"), "");
            assert_eq!(
                (response.status, &*response.body),
                (304, ""),
                "{path} {condition}: {response:?}"
            );
            assert!(
                response.header("etag").is_some() && response.header("cache-control").is_some(),
                "{response:?}"
            );
            assert!(response.header("vary").is_some(), "{response:?}");
        }
        for other in ["\"other\"", "\"\"", "nonsense", ""] {
            let response =
                request(&server, "GET", path, &format!("If-None-Match: {other}\r\n"), "");
            assert_eq!(response.status, 200, "{path} {other:?}");
        }
        let head = request(&server, "HEAD", path, &format!("If-None-Match: {etag}\r\n"), "");
        assert_eq!(head.status, 304, "{path}");
    }
    posted(&server, "changes it");
    for (path, etag) in paths.iter().zip(&etags).filter(|(path, _)| !path.starts_with("/embed")) {
        let response = request(&server, "GET", path, &format!("If-None-Match: {etag}\r\n"), "");
        assert_eq!(response.status, 200, "{path}");
        assert_ne!(response.header("etag").as_ref(), Some(etag), "{path}");
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
        let response = get(&server, path);
        assert_eq!(response.header("content-type").as_deref(), Some(content_type), "{path}");
        assert!(response.header("cache-control").unwrap().contains(cache), "{path}");
        let vary = response.header("vary").unwrap();
        assert!(vary.contains("Origin") && vary.contains("Accept-Encoding"), "{path}: {vary}");
        assert_eq!(response.header("x-content-type-options").as_deref(), Some("nosniff"), "{path}");
        assert_eq!(response.header("referrer-policy").as_deref(), Some("same-origin"), "{path}");
        assert!(response.header("date").is_some(), "{path}");
        for name in ["server", "set-cookie"] {
            assert!(response.header(name).is_none(), "{name} of {path}");
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
        let asked = get(&server, &format!("{base}?page=%2Fa%3Fb&before=7"));
        let location = format!("{base}/?page=%2Fa%3Fb&before=7");
        assert_eq!((asked.status, asked.header("location")), (308, Some(location)));
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
fn health_is_told() {
    let server = Server::start(&[]);
    assert_eq!(get(&server, "/healthz").status, 200);
    assert_eq!(get(&server, "/healthz").header("cache-control").as_deref(), Some("no-store"));
}
