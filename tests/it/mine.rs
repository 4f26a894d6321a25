//! `/api/mine`: somebody's own comments, for whoever has the key.

use serde_json::{Value, json};

use crate::support::{
    client::{KEY, Response, TOKEN, bearer, get, post, request},
    frames::Client,
    server::Server,
};

/// Another key.
const OTHER: &str = "another-key-of-16-bytes-and-more";

fn mine(server: &Server, method: &str, key: &str, query: &str) -> Response {
    request(server, method, &format!("/api/mine{query}"), &bearer(key), "")
}

fn say(server: &Server, key: &str, content: &str) -> Response {
    post(server, &json!({"page": "p", "content": content, "key": key, "name": "Ada"}))
}

fn ids(response: &Response) -> Vec<u64> {
    assert_eq!(response.status, 200, "{response:?}");
    let comments = response.json()["comments"].as_array().unwrap().clone();
    comments.iter().map(|line| line["id"].as_u64().unwrap()).collect()
}

fn id(response: Response) -> u64 {
    response.json()["id"].as_u64().unwrap_or_else(|| panic!("{response:?}"))
}

#[test]
fn an_author_gets_all_of_their_own_comments_and_nobody_elses() {
    let server = Server::builder().moderator(TOKEN).flags(&["--hold", "links"]).start();
    let public = id(say(&server, KEY, "mine"));
    let others = id(say(&server, OTHER, "theirs"));
    let held = say(&server, KEY, "https://a.example");
    assert_eq!(held.status, 202);
    let held = id(held);
    let (hidden, deleted) = (id(say(&server, KEY, "hidden")), id(say(&server, KEY, "deleted")));
    let target = format!("/api/comments/{hidden}");
    request(&server, "PATCH", &target, &bearer(TOKEN), "{\"status\":\"hidden\"}");
    request(&server, "DELETE", &format!("/api/comments/{deleted}"), &bearer(KEY), "");
    let all = mine(&server, "GET", KEY, "");
    assert_eq!(ids(&all), [hidden, held, public]);
    assert_eq!(all.header("Cache-Control").unwrap(), "no-store");
    assert_eq!(all.json()["comments"][1]["status"], "pending");
    assert!(!all.body.contains("\"note\""), "{all:?}");
    assert_eq!(ids(&mine(&server, "GET", OTHER, "")), [others]);
    let first = mine(&server, "GET", KEY, "?limit=1");
    assert_eq!((ids(&first), &first.json()["more"]), (vec![hidden], &json!(true)));
    let before = first.json()["before"].clone();
    assert_eq!(ids(&mine(&server, "GET", KEY, &format!("?before={before}&limit=1"))), [held]);
    assert_eq!(ids(&mine(&server, "GET", "nobody-has-this-key", "")), [0; 0]);
}

#[test]
fn an_author_deletes_all_of_their_own_with_likes_and_flags_for_everyone_at_once() {
    let mut server = Server::builder().moderator(TOKEN).start();
    let others = id(say(&server, OTHER, "theirs"));
    let own: Vec<u64> = (0..150).map(|n| id(say(&server, KEY, &format!("mine {n}")))).collect();
    let mut reader = Client::full(&server, "page=p");
    let like = json!({"on": true, "key": KEY}).to_string();
    let json = bearer(KEY);
    request(&server, "POST", &format!("/api/comments/{others}/like"), &json, &like);
    let flagged = request(&server, "POST", &format!("/api/comments/{others}/flag"), &json, "");
    assert_eq!(flagged.status, 204, "{flagged:?}");
    let flags = |server: &Server| {
        let target = "/api/admin/comments?status=flagged";
        ids(&request(server, "GET", target, &bearer(TOKEN), "")).len()
    };
    assert_eq!(flags(&server), 1);
    reader.until(&json!({"likes": {others.to_string(): 1}}));
    let deleted = mine(&server, "DELETE", KEY, "");
    assert_eq!((deleted.status, deleted.json()), (200, json!({"deleted": 150})), "{deleted:?}");
    for id in own.iter().rev() {
        let line = reader.line();
        assert_eq!((&line["id"], &line["deleted"]), (&json!(id), &json!(true)));
    }
    reader.until(&json!({"likes": {others.to_string(): 0}}));
    let check = |server: &Server| {
        let page = get(server, "/api/comments?page=p&limit=200").json();
        assert_eq!(page["likes"], json!({}));
        let with_text = |line: &&Value| line["content"].is_string();
        assert_eq!(page["comments"].as_array().unwrap().iter().filter(with_text).count(), 1);
        assert_eq!(flags(server), 0);
    };
    check(&server);
    assert_eq!(mine(&server, "DELETE", KEY, "").json(), json!({"deleted": 0}));
    assert_eq!(ids(&mine(&server, "GET", KEY, "")), [0; 0]);
    server.check();
    server.restart();
    check(&server);
    server.compact();
    server.restart();
    check(&server);
    assert!(!server.log_text().contains("mine 7"));
}

#[test]
fn without_a_key_or_with_another_method_there_is_nothing() {
    let server = Server::start(&[]);
    let refused = request(&server, "GET", "/api/mine", "", "");
    assert_eq!((refused.status, refused.json()["code"].clone()), (400, json!("key_missing")));
    assert_eq!(mine(&server, "GET", "short", "").json()["code"], "key_length");
    assert_eq!(mine(&server, "POST", KEY, "").status, 405);
    let foreign = format!("{}Origin: https://evil.example\r\n", bearer(KEY));
    assert_eq!(request(&server, "DELETE", "/api/mine", &foreign, "").status, 403);
    assert_eq!(mine(&server, "GET", KEY, "?limit=201").status, 400);
}

#[test]
fn ten_requests_are_allowed_and_the_next_is_told_when_to_come_back() {
    let server = Server::start(&[]);
    for _ in 0..10 {
        assert_eq!(mine(&server, "GET", KEY, "").status, 200);
    }
    for key in [KEY, OTHER] {
        let refused = mine(&server, "GET", key, "");
        assert_eq!(refused.status, 429, "{refused:?}");
        let wait: u64 = refused.header("Retry-After").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
    }
}
