//! What has been said: history page by page, counts, and the page itself with whatever was said on it.

use serde_json::{Value, json};

use super::says;
use crate::support::{
    client::{KEY, bearer, encoded, form, get, post, request},
    frames::Client,
    server::Server,
};

/// All comments of a page, in pages of `limit` up to `more:false`; `step` makes the next query from the last answer's comments.
fn paged(server: &Server, start: &str, step: impl Fn(&[Value]) -> String) -> Vec<Vec<Value>> {
    let (mut query, mut pages) = (start.to_owned(), Vec::new());
    loop {
        let response = get(server, &format!("/api/comments?{query}")).json();
        let comments = response["comments"].as_array().unwrap().clone();
        let more = response["more"].as_bool().unwrap();
        assert!(!more || !comments.is_empty(), "more, but nothing to go on from: {response}");
        query = format!("{start}&{}", step(&comments));
        pages.push(comments);
        assert!(pages.len() < 1_000, "no end");
        if !more {
            return pages;
        }
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
            let response =
                get(&server, &format!("/api/comments?since={since}&limit={limit}")).json();
            for comment in response["comments"].as_array().unwrap() {
                assert!(seq(comment) > since, "rising: {response}");
                since = seq(comment);
                on.push(id(comment));
            }
            if response["more"] == false {
                break;
            }
            assert_eq!(response["comments"].as_array().unwrap().len(), limit, "{response}");
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
            let response: Value = serde_json::from_str(&body).unwrap();
            let ids: Vec<u64> = response["comments"]
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
            if response["more"] == false {
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
        let response = get(&server, &target);
        assert!(response.status >= 400, "{response:?}");
        let is_json = response.header("content-type").as_deref() == Some("application/json");
        assert!(is_json || !response.body.contains("<script>"), "{response:?}");
    }
    let response = form(&server, &[("page", hostile), ("content", ""), ("name", hostile)]);
    assert!(
        response.header("content-type").as_deref() == Some("application/json")
            || !response.body.contains("<script>alert"),
        "{response:?}"
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
