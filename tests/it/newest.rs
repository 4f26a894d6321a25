//! `GET /api/newest`: the newest public comments of all pages.

use serde_json::{Value, json};

use crate::support::{
    client::{KEY, OTHER_KEY, TOKEN, bearer, check_sentence, get, post, request},
    server::Server,
};

/// A comment's id.
fn say(server: &Server, page: &str, content: &str) -> u64 {
    let response = post(server, &json!({"page": page, "content": content, "key": KEY}));
    assert!(matches!(response.status, 201 | 202), "{response:?}");
    response.json()["id"].as_u64().unwrap()
}

fn newest(server: &Server, query: &str) -> Value {
    let response = get(server, &format!("/api/newest{query}"));
    assert_eq!(response.status, 200, "{query}: {response:?}");
    response.json()
}

fn ids(newest: &Value) -> Vec<u64> {
    newest["comments"].as_array().unwrap().iter().map(|c| c["id"].as_u64().unwrap()).collect()
}

#[test]
fn the_newest_comments_of_all_pages_come_newest_first() {
    let mut server = Server::start(&[]);
    assert_eq!(newest(&server, "")["comments"], json!([]));
    let mut all: Vec<u64> = (0..60)
        .map(|n| {
            say(&server, ["blog.example/a", "blog.example/b", "/"][n % 3], &format!("number {n}"))
        })
        .collect();
    all.reverse();
    let check = |server: &Server| {
        let ten = newest(server, "");
        assert_eq!((ids(&ten), &ten["more"]), (all[..10].to_vec(), &json!(true)));
        assert_eq!(ten["seq"], 60);
        let history = get(server, "/api/comments?page=/").json();
        assert_eq!((&ten["log"], &ten["mark"]), (&history["log"], &history["mark"]));
        assert_eq!(
            ten["comments"][0],
            history["comments"].as_array().unwrap().last().unwrap().clone()
        );
        assert_eq!(ids(&newest(server, "?limit=50")), all[..50]);
        let blog = newest(server, "?limit=50&prefix=blog.example/");
        assert_eq!(
            (blog["comments"].as_array().unwrap().len(), &blog["more"]),
            (40, &json!(false))
        );
        assert_eq!(ids(&newest(server, "?limit=1&prefix=blog.example/b")), [all[1]]);
    };
    check(&server);
    server.compact();
    check(&server);
    server.kill();
    server.restart();
    check(&server);
}

#[test]
fn held_hidden_and_deleted_comments_are_not_among_the_newest() {
    let server = Server::builder().moderator(TOKEN).flags(&["--hold", "links"]).start();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|page| say(&server, page, page));
    let before = get(&server, "/api/newest");
    let held = say(&server, "e", "https://casino.example");
    // Nobody learns that there is one.
    let after = get(&server, "/api/newest");
    assert_eq!((before.header("etag"), &before.body), (after.header("etag"), &after.body));
    let path = |id| format!("/api/comments/{id}");
    let set = |id: u64, status: &str| {
        let body = json!({ "status": status }).to_string();
        assert_eq!(request(&server, "PATCH", &path(id), &bearer(TOKEN), &body).status, 200);
    };
    set(d, "hidden");
    assert_eq!(request(&server, "DELETE", &path(b), &bearer(KEY), "").status, 200);
    assert_eq!(ids(&newest(&server, "")), [c, a]);
    assert!(newest(&server, "")["seq"].as_u64() > before.json()["seq"].as_u64());
    set(held, "public");
    set(d, "public");
    assert_eq!(ids(&newest(&server, "?limit=3")), [held, d, c]);
    assert_eq!(newest(&server, "?limit=3")["more"], true);
    assert_eq!(newest(&server, "?limit=4")["more"], false);
}

#[test]
fn a_comment_of_a_page_that_has_moved_has_its_present_name() {
    let mut server = Server::start(&[]);
    let first = say(&server, "old/a", "first");
    say(&server, "new/b", "second");
    for (old, new) in [("old/a", "new/a"), ("new/b", "new/a"), ("new/a", "newer"), ("x", "y")] {
        assert!(server.run(&["rename", old, new]).status.success());
    }
    say(&server, "old/a", "third");
    say(&server, "x", "fourth");
    let check = |server: &Server| {
        let all = newest(server, "");
        let pages: Vec<_> =
            all["comments"].as_array().unwrap().iter().map(|c| &c["page"]).collect();
        assert_eq!(pages, ["y", "newer", "newer", "newer"]);
        assert_eq!(ids(&newest(server, "?prefix=new")).last(), Some(&first));
        assert_eq!(newest(server, "?prefix=old")["comments"], json!([]));
    };
    check(&server);
    server.kill();
    server.restart();
    check(&server);
}

#[test]
fn an_imported_comment_stands_where_its_time_is() {
    let server = Server::start(&[]);
    let now = say(&server, "a", "now");
    let line = |time: &str, nonce: u8| {
        json!({"page": "p", "content": time, "created_at": time, "nonce": format!("import:{nonce:0>22}"),
               "imported": "disqus", "id": nonce, "seq": nonce})
    };
    let path = server.data().join("../old.jsonl");
    let lines = [line("2020-05-05T00:00:00.000Z", 2), line("2019-05-05T00:00:00.000Z", 3)];
    let lines = lines.map(|line| line.to_string()).join("\n") + "\n";
    std::fs::write(&path, lines).unwrap();
    let output = server.run(&["import", "--from", "sayso", path.to_str().unwrap()]);
    if !cfg!(feature = "exchange") {
        return assert!(!output.status.success());
    }
    assert!(output.status.success(), "{output:?}");
    let later = say(&server, "a", "later");
    let all = newest(&server, "");
    let contents: Vec<_> =
        all["comments"].as_array().unwrap().iter().map(|c| &c["content"]).collect();
    assert_eq!(contents, ["later", "now", "2020-05-05T00:00:00.000Z", "2019-05-05T00:00:00.000Z"]);
    assert_eq!((ids(&all)[0], ids(&all)[1]), (later, now));
}

#[test]
fn who_has_the_newest_is_answered_304_and_wrong_parameters_are_named() {
    let server = Server::start(&[]);
    say(&server, "a", &"long ".repeat(300));
    let response = get(&server, "/api/newest");
    let tag = response.header("etag").unwrap();
    let headers = format!("If-None-Match: {tag}\r\n");
    assert_eq!(request(&server, "GET", "/api/newest", &headers, "").status, 304);
    let head = request(&server, "HEAD", "/api/newest", "", "");
    assert_eq!((head.status, head.header("etag")), (200, Some(tag)));
    let edit = json!({"content": "short"}).to_string();
    assert_eq!(request(&server, "PATCH", "/api/comments/1", &bearer(KEY), &edit).status, 200);
    assert_eq!(request(&server, "GET", "/api/newest", &headers, "").status, 200);
    for (query, parts) in [
        ("limit=0", ["limit", "1 to 50"]),
        ("limit=51", ["limit", "1 to 50"]),
        ("prefix=", ["page", "1 to 512"]),
        ("prefix=%00", ["page", "control character"]),
    ] {
        let refused = get(&server, &format!("/api/newest?{query}"));
        assert_eq!(refused.status, 400, "{query}: {refused:?}");
        check_sentence(&refused.error(), &parts);
    }
    let put = request(&server, "PUT", "/api/newest", &bearer(OTHER_KEY), "");
    assert_eq!((put.status, put.header("allow").as_deref()), (405, Some("GET, HEAD")));
}
