//! Who may do what, and how much of it: origins, addresses, rates and pages.

use serde_json::{Value, json};

use super::says;
use crate::support::{
    client::{FORM, JSON, KEY, Response, bearer, get, post, request},
    frames::Client,
    server::Server,
};

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
            let response = request(&server, "GET", path, &header, "");
            assert_eq!(
                response.header("access-control-allow-origin").as_deref(),
                Some(origin),
                "{path}: {response:?}"
            );
        }
        let response = request(&server, "POST", "/api/comments", &format!("{header}{JSON}"), &body);
        assert_eq!(
            (response.status, response.header("access-control-allow-origin").as_deref()),
            (201, Some(origin))
        );
        let response = request(&server, "POST", "/api/comments", &format!("{header}{JSON}"), "{}");
        assert_eq!(
            (response.status, response.header("access-control-allow-origin").as_deref()),
            (400, Some(origin))
        );
        for (path, method) in
            [("/api/comments", "POST"), ("/api/comments/1", "PATCH"), ("/api/comments/1", "DELETE")]
        {
            let headers = format!(
                "{header}Access-Control-Request-Method: {method}\r\nAccess-Control-Request-Headers: authorization,content-type\r\n"
            );
            let response = request(&server, "OPTIONS", path, &headers, "");
            assert!(matches!(response.status, 200 | 204), "{response:?}");
            assert_eq!(response.header("access-control-allow-origin").as_deref(), Some(origin));
            let methods = response.header("access-control-allow-methods").unwrap();
            assert!(methods.contains(method), "{methods}");
            let allowed = response.header("access-control-allow-headers").unwrap().to_lowercase();
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
        let response = request(&server, "GET", "/api/comments", &header, "");
        assert_eq!(
            (response.status, response.header("access-control-allow-origin")),
            (200, None),
            "{origin:?}"
        );
        for (method, path, body) in [
            ("POST", "/api/comments", &*body),
            ("PATCH", "/api/comments/1", "{\"content\":\"y\"}"),
            ("DELETE", "/api/comments/1", ""),
        ] {
            let response =
                request(&server, method, path, &format!("{header}{}", bearer(KEY)), body);
            assert!(response.header("access-control-allow-origin").is_none(), "{origin:?}");
            says(&response, 403, &["origin"]);
        }
        let response =
            request(&server, "POST", "/api/comments", &format!("{header}{FORM}"), "content=x");
        assert_eq!(response.status, 403, "a form from {origin:?}");
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
    let refused = |response: &Response| {
        says(response, 429, &["2", "60"]);
        let seconds: u64 = response.header("retry-after").unwrap().parse().unwrap();
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
        let response = request(
            &server,
            "POST",
            "/api/comments",
            &headers,
            &json!({"content": "x"}).to_string(),
        );
        assert_eq!(response.status, status, "{response:?}");
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
fn pages_whose_comments_are_all_deleted_leave_their_room_to_others() {
    let server = Server::start(&["--max-pages", "2", "--rate", "off"]);
    let on = |page: &str| post(&server, &json!({"content": "x", "page": page, "key": KEY}));
    let delete = |comment: Response| {
        let target = format!("/api/comments/{}", comment.json()["id"]);
        assert_eq!(request(&server, "DELETE", &target, &bearer(KEY), "").status, 200);
    };
    let (first, second) = (on("first"), on("second"));
    assert_eq!((first.status, second.status), (201, 201));
    says(&on("third"), 503, &["2 pages"]);
    delete(first);
    let third = on("third");
    assert_eq!(third.status, 201, "{third:?}");
    says(&on("first"), 503, &["2 pages"]);
    delete(third);
    // There are nonces to remember of deleted comments, so that all pages together are limited too.
    for n in 4..=20 {
        delete(on(&format!("page {n}")));
    }
    says(&on("one more"), 503, &["20 pages with comments, deleted ones included"]);
    assert_eq!(on("first").status, 201, "a page that is known");
}

#[test]
fn metrics_are_for_this_machine_unless_they_are_public() {
    let forwarded = |address: &str| format!("X-Forwarded-For: {address}\r\n");
    let server = Server::start(&[]);
    for (address, status) in [
        ("127.0.0.1", 200),
        ("::1", 200),
        ("192.0.2.1", 403),
        ("10.0.0.1", 403),
        ("2001:db8::1", 403),
        ("127.0.0.1, ::1", 200),
        ("unknown", 403),
        ("_hidden", 403),
        ("192.0.2.1, unknown", 403),
        ("unknown, 127.0.0.1", 403),
        ("unknown\r\nX-Sayso-Local: yes", 403),
    ] {
        let response = request(&server, "GET", "/metrics", &forwarded(address), "");
        assert_eq!(response.status, status, "{address}: {response:?}");
        if status == 403 {
            says(&response, 403, &["--metrics public"]);
            assert_eq!(response.json()["code"], "metrics_not_public");
        }
        let health = request(&server, "GET", "/healthz", &forwarded(address), "");
        assert_eq!(health.status, 200);
    }
    assert_eq!(get(&server, "/metrics").status, 200);
    let server = Server::start(&["--metrics", "public"]);
    let response = request(&server, "GET", "/metrics", &forwarded("192.0.2.1"), "");
    assert_eq!(response.status, 200);
}

#[test]
fn without_the_page_everything_else_goes_on() {
    let server = Server::start(&["--no-page"]);
    for target in ["/", "/?page=a", "/?view=wall", "/wall.html", "/demo", "/demo.html"] {
        says(&get(&server, target), 404, &["--no-page"]);
    }
    assert_eq!(get(&server, "/embed.js").status, 200);
    assert_eq!(post(&server, &json!({"content": "x"})).status, 201);
    // A form gets what a program gets, since there is no page to go back to.
    assert_eq!(request(&server, "POST", "/api/comments", FORM, "content=y").status, 201);
    says(&request(&server, "POST", "/api/comments", FORM, "content="), 400, &["content"]);
    assert_eq!(get(&server, "/api/comments").json()["comments"].as_array().unwrap().len(), 2);
    let mut client = Client::open(&server, "/ws/comments/?last=1", "").unwrap();
    assert_eq!(client.line()["content"], "y");
}

#[test]
fn json_with_another_content_type_or_none_is_refused_as_that() {
    let server = Server::start(&[]);
    for (headers, part) in [
        ("", "content type is missing"),
        (FORM, "the body is JSON"),
        ("Content-Type: text/plain\r\n", "text/plain"),
    ] {
        let response = request(&server, "POST", "/api/comments", headers, " {\"content\":\"x\"}");
        says(&response, 415, &[part, "application/json"]);
    }
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 0}));
}

#[test]
fn a_change_from_another_site_that_does_not_say_which_is_refused() {
    let server = Server::start(&["--allow-origin", "https://blog.example"]);
    let change = |method: &str, target: &str, headers: &str| {
        let headers = format!("{headers}{}", bearer(KEY));
        request(&server, method, target, &headers, &json!({"content": "x", "on": true}).to_string())
    };
    let cross = "Sec-Fetch-Site: cross-site\r\n";
    let own = format!("{cross}Origin: http://{}\r\n", server.address);
    let allowed = format!("{cross}Origin: https://blog.example\r\n");
    for headers in
        ["", "Sec-Fetch-Site: same-origin\r\n", "Sec-Fetch-Site: none\r\n", &own, &allowed]
    {
        assert_eq!(change("POST", "/api/comments", headers).status, 201, "{headers}");
    }
    let changes = [
        ("POST", "/api/comments"),
        ("PATCH", "/api/comments/1"),
        ("POST", "/api/comments/1/like"),
        ("DELETE", "/api/comments/1"),
    ];
    for (method, target) in changes {
        let response = change(method, target, cross);
        says(&response, 403, &["another site", "--allow-origin"]);
        let other = format!("{cross}Origin: https://other.example\r\n");
        assert_eq!(change(method, target, &other).status, 403, "{method} {target}");
    }
    let read = request(&server, "GET", "/api/comments", cross, "");
    assert_eq!(read.status, 200, "reading changes nothing: {read:?}");
    assert_eq!(read.json()["comments"].as_array().unwrap().len(), 5);
}
