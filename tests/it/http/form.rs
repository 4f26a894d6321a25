//! The form of the page, for browsers without JavaScript.

use crate::support::{
    client::{FORM, Response, TOKEN, form, form_value, get, request},
    server::Server,
};

/// The value of the page's hidden nonce.
fn hidden_nonce(page: &Response) -> String {
    form_value(page, "nonce")
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
        let response = form(
            &server,
            &[
                ("page", page),
                ("content", "x"),
                ("redirect", "https://evil.example"),
                ("next", "//evil"),
            ],
        );
        let location = response.header("location").unwrap_or_else(|| panic!("{response:?}"));
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
        let response = form(&server, bad);
        assert_eq!(response.status, 400, "{bad:?}: {response:?}");
        assert!(response.header("location").is_none() && response.header("x-evil").is_none());
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
        let response = form(&server, &[("page", "/"), ("nonce", &nonce), ("content", content)]);
        assert!(matches!(response.status, 202 | 303), "{response:?}");
    }
    let log = server.log_text();
    assert_eq!(log.matches("\"content\":\"one\"").count(), 1, "{log}");
    assert_eq!(log.matches("\"content\":\"two\"").count(), 1, "{log}");
}
