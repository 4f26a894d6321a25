//! What is changed on one node holds on the others: edits, likes, flags, bans, locks, renames and decisions; and an edit that crosses a
//! deletion brings nothing back.

use std::thread;

use serde_json::{Value, json};

use super::nodes::{Cluster, node, until};
use crate::support::{
    client::{KEY, OTHER_KEY, Response, TOKEN, bearer, encoded, get, post, request},
    frames::Client,
    redis::Redis,
    server::{Builder, Server},
};

/// Edits that cross deletions.
const CROSSINGS: usize = 100;

/// As a moderator.
fn admin(node: &Server, method: &str, path: &str, body: &Value) -> Response {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    request(node, method, path, &bearer(TOKEN), &body)
}

#[track_caller]
fn done(response: Response) -> Value {
    assert!(matches!(response.status, 200..=202), "{response:?}");
    response.json()
}

fn post_id(node: &Server, body: &Value) -> u64 {
    done(post(node, body))["id"].as_u64().unwrap()
}

/// Waits until a request to each node is answered as it should be.
#[track_caller]
fn on_all(nodes: &[Server], ask: impl Fn(&Server) -> Response, is_so: impl Fn(&Response) -> bool) {
    for (at, node) in nodes.iter().enumerate() {
        until(|| is_so(&ask(node)).then_some(()), || format!("node {at}: {:?}", ask(node)));
    }
}

/// The comments of the page `/` with this id, as a node has them.
fn of_id(response: &Response, id: u64) -> Value {
    let comments = response.json()["comments"].as_array().unwrap().clone();
    comments.into_iter().find(|comment| comment["id"] == id).unwrap_or_default()
}

fn three(url: &str, flags: &[&str]) -> Cluster {
    Cluster::of((0..3).map(|_| node(url).flags(flags)).map(Builder::start).collect())
}

#[test]
fn what_authors_and_readers_change_on_one_node_is_so_on_all() {
    let Some(redis) = Redis::start(&[]) else { return };
    let cluster = three(&redis.url(), &[]);
    let [a, b, c] = &cluster.nodes[..] else { unreachable!() };
    let list = |node: &Server| get(node, "/api/comments?page=/");
    let id = post_id(a, &json!({"content": "a typo", "key": KEY, "nonce": "nonce-of-16-bytes"}));
    on_all(&cluster.nodes, list, |said| of_id(said, id)["content"] == "a typo");

    // The same post on another node is the same comment.
    let again = post(b, &json!({"content": "a typo", "key": KEY, "nonce": "nonce-of-16-bytes"}));
    assert_eq!((again.status, &again.json()["id"]), (200, &json!(id)));

    let path = format!("/api/comments/{id}");
    done(request(b, "PATCH", &path, &bearer(KEY), "{\"content\":\"no typo\"}"));
    on_all(&cluster.nodes, list, |said| of_id(said, id)["content"] == "no typo");
    for (node, key) in [(b, KEY), (c, OTHER_KEY)] {
        done(request(node, "POST", &format!("{path}/like"), &bearer(key), "{\"on\":true}"));
    }
    on_all(&cluster.nodes, list, |said| said.json()["likes"][id.to_string()] == 2);
    done(request(a, "POST", &format!("{path}/like"), &bearer(KEY), "{\"on\":false}"));
    on_all(&cluster.nodes, list, |said| said.json()["likes"][id.to_string()] == 1);

    // Three flags, one on each node, hide it everywhere.
    for (at, node) in cluster.nodes.iter().enumerate() {
        let headers = format!("X-Forwarded-For: 10.0.0.{at}\r\n{}", bearer(&format!("{KEY}{at}")));
        let flagged = request(node, "POST", &format!("{path}/flag"), &headers, "");
        assert_eq!(flagged.status, 204, "{flagged:?}");
    }
    on_all(&cluster.nodes, list, |said| !said.body.contains("no typo"));
    done(admin(c, "PATCH", &path, &json!({"status": "public"})));
    on_all(&cluster.nodes, list, |said| of_id(said, id)["content"] == "no typo");
    done(request(c, "DELETE", &path, &bearer(KEY), ""));
    on_all(&cluster.nodes, list, |said| !said.body.contains("typo"));
    cluster.agree();
    cluster.agree_after_compaction();
}

#[test]
fn what_a_moderator_decides_on_one_node_holds_on_all() {
    let Some(redis) = Redis::start(&[]) else { return };
    let cluster = three(&redis.url(), &["--hold", "links"]);
    let [a, b, c] = &cluster.nodes[..] else { unreachable!() };
    let list = |node: &Server| get(node, "/api/comments?page=/");
    let held = post_id(a, &json!({"content": "see https://x.example", "key": KEY}));
    let waiting =
        |node: &Server| admin(node, "GET", "/api/admin/comments?status=pending", &Value::Null);
    on_all(&cluster.nodes, waiting, |said| of_id(said, held)["status"] == "pending");
    assert!(!list(b).body.contains("x.example"));
    done(admin(b, "PATCH", &format!("/api/comments/{held}"), &json!({"status": "public"})));
    on_all(&cluster.nodes, list, |said| said.body.contains("x.example"));

    let lock = |is_locked: bool| json!({"page": "/", "locked": is_locked});
    done(admin(c, "PATCH", "/api/admin/pages", &lock(true)));
    let try_to_post = |node: &Server| post(node, &json!({"content": "too late?"}));
    on_all(&cluster.nodes, try_to_post, |said| said.status == 403);
    done(admin(a, "PATCH", "/api/admin/pages", &lock(false)));
    on_all(&cluster.nodes, try_to_post, |said| said.status == 201);

    // The address of a ban is hashed with one salt on all nodes.
    let ban = json!({"comment": held, "address": true, "seconds": 3_600});
    done(admin(a, "POST", "/api/admin/bans", &ban));
    let of_author = |node: &Server| {
        let headers = format!("X-Forwarded-For: 10.1.2.3\r\n{}", bearer(KEY));
        let body = json!({"content": "by the author", "key": KEY}).to_string();
        request(node, "POST", "/api/comments", &headers, &body)
    };
    on_all(&cluster.nodes, of_author, |said| said.status == 403);
    on_all(&cluster.nodes, try_to_post, |said| said.status == 403);
    let bans = |node: &Server| admin(node, "GET", "/api/admin/bans", &Value::Null);
    for ban in bans(c).json()["bans"].as_array().unwrap() {
        let name = ban["author"].as_str().or(ban["address"].as_str()).unwrap();
        done(admin(c, "DELETE", &format!("/api/admin/bans/{name}"), &Value::Null));
    }
    on_all(&cluster.nodes, try_to_post, |said| said.status == 201);

    let renamed = a.run(&["rename", "/", "moved"]);
    assert!(renamed.status.success(), "{renamed:?}");
    let moved = |node: &Server| get(node, "/api/comments?page=moved");
    on_all(&cluster.nodes, moved, |said| said.body.contains("x.example"));
    let there = post_id(b, &json!({"content": "under the old name", "page": "/"}));
    on_all(&cluster.nodes, moved, |said| of_id(said, there)["content"] == "under the old name");
    cluster.agree();
    cluster.agree_after_compaction();
}

#[test]
fn a_text_that_is_edited_on_one_node_while_it_is_deleted_on_another_does_not_come_back() {
    let Some(redis) = Redis::start(&[]) else { return };
    let cluster = Cluster::start(&redis.url(), 3);
    let [a, b, c] = &cluster.nodes[..] else { unreachable!() };
    let mut readers: Vec<Client> =
        cluster.nodes.iter().map(|node| Client::full(node, "page=crossing")).collect();
    let mut ids = Vec::new();
    let mut edits = [0; 2];
    for n in 0..CROSSINGS {
        let body = json!({"page": "crossing", "content": format!("text {n}"), "key": KEY});
        let id = post_id(a, &body);
        until(
            || {
                get(b, "/api/comments?page=crossing")
                    .body
                    .contains(&format!("\"id\":{id},"))
                    .then_some(())
            },
            || format!("comment {id} does not come to node 1"),
        );
        let path = format!("/api/comments/{id}");
        let body = json!({"content": format!("edited {n}")}).to_string();
        let (edited, deleted) = thread::scope(|scope| {
            // Either may be the first.
            let (first, second) = if n % 2 == 0 { (a, b) } else { (c, a) };
            let edit = scope.spawn(|| request(first, "PATCH", &path, &bearer(KEY), &body).status);
            let delete = scope.spawn(|| request(second, "DELETE", &path, &bearer(KEY), "").status);
            (edit.join().unwrap(), delete.join().unwrap())
        });
        assert_eq!(deleted, 200);
        assert!(matches!(edited, 200 | 404 | 409 | 410), "{edited}");
        edits[usize::from(edited == 200)] += 1;
        ids.push(id);
    }
    assert!(edits[0] + edits[1] == CROSSINGS, "{edits:?}");
    let lines = cluster.agree();
    for id in &ids {
        let of_comment = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of_comment: Vec<Value> = of_comment.filter(|line| line["id"] == *id).collect();
        assert_eq!(of_comment.last().unwrap()["deleted"], true, "{of_comment:?}");
        let deleted = of_comment.iter().filter(|line| line["deleted"] == true).count();
        assert_eq!(deleted, 1, "{of_comment:?}");
    }
    let last = lines.last().map(|line| serde_json::from_str::<Value>(line).unwrap()).unwrap();
    for (at, reader) in readers.iter_mut().enumerate() {
        let mut gone = Vec::new();
        loop {
            let line = reader.line();
            assert!(
                !gone.contains(&line["id"]),
                "a reader of node {at} gets {line} after its deletion"
            );
            if line.get("content").is_none() {
                gone.push(line["id"].clone());
            }
            if line["seq"] == last["seq"] {
                break;
            }
        }
        assert_eq!(gone.len(), CROSSINGS, "a reader of node {at}");
    }
    cluster.agree_after_compaction();
    for node in &cluster.nodes {
        let history =
            get(node, &format!("/api/comments?page={}&since=0", encoded("crossing"))).body;
        assert!(!history.contains("\"content\""), "{history}");
    }
}
