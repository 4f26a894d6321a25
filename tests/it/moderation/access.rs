//! Who reaches what only moderators may: nobody without a token, no other site, and nobody at all without a token file.

use serde_json::{Value, json};

use super::{admin, builder, done, patch, post_id, refused};
use crate::support::{
    client::{JSON, KEY, Response, TOKEN, bearer, get, request},
    server::Server,
};

const AUTHOR: &str = "iBDu8sWvp_EC_okWlvSH0Q";

/// Every request that only a moderator may make, with a body that is valid.
fn requests() -> Vec<(&'static str, String, Value)> {
    vec![
        ("GET", "/api/admin/comments".into(), Value::Null),
        ("POST", "/api/admin/comments".into(), json!({"content": "x"})),
        ("GET", format!("/api/admin/authors/{AUTHOR}"), Value::Null),
        ("PUT", format!("/api/admin/authors/{AUTHOR}/note"), json!({"note": "x"})),
        ("GET", "/api/admin/bans".into(), Value::Null),
        ("POST", "/api/admin/bans".into(), json!({"author": AUTHOR})),
        ("DELETE", format!("/api/admin/bans/{AUTHOR}"), Value::Null),
        ("GET", "/api/admin/pages".into(), Value::Null),
        ("PATCH", "/api/admin/pages".into(), json!({"page": "/", "locked": true})),
    ]
}

fn send(server: &Server, (method, path, body): &(&str, String, Value), headers: &str) -> Response {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    request(server, method, path, headers, &body)
}

#[test]
fn without_a_token_file_there_is_no_admin_at_all() {
    let server = Server::start(&[]);
    post_id(&server, json!({"content": "one"}));
    for one in requests() {
        refused(&send(&server, &one, &bearer(TOKEN)), 404, "not_found");
    }
    for path in ["/admin", "/admin/", "/admin/index.html", "/api/admin", "/api/admin/"] {
        refused(&request(&server, "GET", path, &bearer(TOKEN), ""), 404, "not_found");
    }
}

#[test]
fn a_wrong_token_is_401_and_counted_and_a_missing_one_is_neither() {
    let server = builder(&[]).start();
    for one in requests() {
        refused(&send(&server, &one, JSON), 403, "not_moderator");
        assert_eq!(send(&server, &one, &bearer(TOKEN)).status / 100, 2, "{one:?}");
    }
    let from =
        |address: &str, token: &str| format!("X-Forwarded-For: {address}\r\n{}", bearer(token));
    let all = requests();
    for n in 0..10 {
        let one = &all[n % all.len()];
        let response = send(&server, one, &from("192.0.2.9", "a-wrong-token-of-some-length"));
        refused(&response, 401, "wrong_token");
        assert_eq!(response.header("www-authenticate").as_deref(), Some("Bearer"));
    }
    for one in &all {
        refused(&send(&server, one, &from("192.0.2.9", TOKEN)), 429, "too_fast");
        assert_ne!(send(&server, one, &from("192.0.2.10", TOKEN)).status, 429);
    }
}

#[test]
fn no_other_site_is_answered_not_even_one_that_may_embed_comments() {
    let blog = "https://blog.example";
    let server = builder(&["--allow-origin", blog]).start();
    let own = format!("http://{}", server.address);
    for one in requests() {
        for origin in [blog, "https://evil.example", "null"] {
            let headers = format!("{}Origin: {origin}\r\n", bearer(TOKEN));
            let response = send(&server, &one, &headers);
            refused(&response, 403, "origin_not_allowed");
            assert!(!response.head.to_ascii_lowercase().contains("access-control"), "{response:?}");
        }
        let headers = format!("{}Sec-Fetch-Site: cross-site\r\n", bearer(TOKEN));
        refused(&send(&server, &one, &headers), 403, "origin_not_allowed");
        let headers = format!("{}Origin: {own}\r\nSec-Fetch-Site: same-origin\r\n", bearer(TOKEN));
        let response = send(&server, &one, &headers);
        assert_eq!(response.status / 100, 2, "{one:?} {response:?}");
        assert!(!response.head.to_ascii_lowercase().contains("access-control"), "{response:?}");
        assert_eq!(response.header("cache-control").as_deref(), Some("no-store"), "{one:?}");
        let preflight = format!("Origin: {blog}\r\nAccess-Control-Request-Method: {}\r\n", one.0);
        let response = request(&server, "OPTIONS", &one.1, &preflight, "");
        assert_ne!(response.status / 100, 2, "{response:?}");
        assert!(!response.head.to_ascii_lowercase().contains("access-control"), "{response:?}");
    }
    // What readers' pages may ask for, they still may.
    let headers = format!("Origin: {blog}\r\n");
    let response = request(&server, "GET", "/api/comments", &headers, "");
    assert_eq!(response.header("access-control-allow-origin").as_deref(), Some(blog));
}

#[test]
fn the_page_is_there_for_whoever_follows_a_link_and_for_no_frame() {
    let server = builder(&["--base-path", "/talk", "--no-page"]).start();
    let page = get(&server, "/talk/admin");
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
    assert_eq!(page.header("x-frame-options").as_deref(), Some("DENY"));
    assert_eq!(page.header("cache-control").as_deref(), Some("no-cache"));
    assert!(page.header("access-control-allow-origin").is_none());
    assert!(!page.body.contains(TOKEN));
    let tag = page.header("etag").unwrap();
    let again = request(&server, "GET", "/talk/admin", &format!("If-None-Match: {tag}\r\n"), "");
    assert_eq!(again.status, 304);
    let link = "Sec-Fetch-Site: cross-site\r\n";
    assert_eq!(request(&server, "GET", "/talk/admin", link, "").status, 200);
    let evil = "Origin: https://evil.example\r\n";
    refused(&request(&server, "GET", "/talk/admin", evil, ""), 403, "origin_not_allowed");
    refused(&request(&server, "GET", "/talk/admin/admin.js", link, ""), 403, "origin_not_allowed");
    assert_eq!(get(&server, "/talk/admin/admin.js").status, 200);
    let moved = get(&server, "/talk/admin/");
    assert_eq!((moved.status, moved.header("location").as_deref()), (308, Some("/talk/admin")));
    refused(&request(&server, "POST", "/talk/admin", "", ""), 405, "method_not_allowed");
    refused(&get(&server, "/talk/admin/nothing.js"), 404, "not_found");
}

#[test]
fn methods_that_are_not_there_are_405_with_allow() {
    let server = builder(&[]).start();
    for (path, allowed) in [
        ("/api/admin/comments", "GET, HEAD, POST"),
        ("/api/admin/bans", "GET, HEAD, POST"),
        ("/api/admin/pages", "GET, HEAD, PATCH"),
        ("/api/admin/bans/x", "DELETE"),
        ("/api/admin/authors/x", "GET, HEAD"),
        ("/api/admin/authors/x/note", "PUT"),
    ] {
        let response = admin(&server, "OPTIONS", path, Value::Null);
        refused(&response, 405, "method_not_allowed");
        assert_eq!(response.header("allow").as_deref(), Some(allowed));
    }
    for path in ["comments", "bans", "pages", &format!("authors/{AUTHOR}")] {
        let response = admin(&server, "HEAD", &format!("/api/admin/{path}"), Value::Null);
        assert_eq!((response.status, &*response.body), (200, ""), "{path}");
    }
    refused(&admin(&server, "GET", "/api/admin/nothing", Value::Null), 404, "not_found");
}

#[test]
fn the_log_says_what_moderators_do_and_no_token_or_text() {
    let mut server = builder(&[]).shell("").start();
    let id = post_id(&server, json!({"content": "words of a reader", "key": KEY}));
    patch(&server, id, json!({"pinned": true}));
    done(&server, "POST", "/api/admin/bans", json!({"comment": id, "seconds": 60}), 201);
    done(&server, "DELETE", &format!("/api/admin/bans/{AUTHOR}"), Value::Null, 200);
    done(&server, "PATCH", "/api/admin/pages", json!({"page": "/secret", "locked": true}), 200);
    done(&server, "POST", "/api/admin/comments", json!({"content": "words of the site"}), 201);
    assert!(server.stop().success());
    let said = server.stderr();
    for part in [
        "ada pinned comment 1",
        "ada banned somebody",
        "ada ended a ban",
        "ada closed a page",
        "ada wrote as the site",
    ] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    for secret in [TOKEN, "words", "/secret", AUTHOR] {
        assert!(!said.contains(secret), "{secret} is in:\n{said}");
    }
}
