//! Pages: closed to posts, opened again, and listed.

use serde_json::{Value, json};

use super::{admin, builder, done, patch, post_id, refused};
use crate::support::{
    client::{KEY, bearer, get, post, request},
    frames::Client,
    server::Server,
};

fn lock(server: &Server, page: &str, locked: bool) -> Value {
    done(server, "PATCH", "/api/admin/pages", json!({"page": page, "locked": locked}), 200)
}

#[test]
fn a_closed_page_takes_no_posts_and_its_readers_are_told() {
    let mut server = builder(&[]).start();
    let id = post_id(
        &server,
        json!({"content": "before", "page": "/a", "key": KEY, "nonce": "0123456789abcdef"}),
    );
    let mut reader = Client::full(&server, "page=/a");
    assert_eq!(reader.json()["hello"]["locked"], Value::Null);
    let page = lock(&server, "/a", true);
    assert_eq!(
        (&page["page"], &page["locked"], &page["count"]),
        (&json!("/a"), &json!(true), &json!(1))
    );
    reader.until(&json!({"locked": true}));
    assert_eq!(lock(&server, "/a", true), page, "it is closed already");
    for _ in 0..2 {
        let refused_post = post(&server, &json!({"content": "x", "page": "/a"}));
        refused(&refused_post, 403, "page_locked");
        assert_eq!(refused_post.json()["page"], "/a");
        post_id(&server, json!({"content": format!("{}", server.log_bytes().len()), "page": "/b"}));
        // All else goes on, and what was posted already is known.
        let again = json!({"content": "x", "page": "/a", "nonce": "0123456789abcdef"});
        assert_eq!(post(&server, &again).status, 200);
        let path = format!("/api/comments/{id}");
        let edit = format!("{{\"content\":\"better {}\"}}", server.log_bytes().len());
        assert_eq!(request(&server, "PATCH", &path, &bearer(KEY), &edit).status, 200);
        let like = request(&server, "POST", &format!("{path}/like"), &bearer(KEY), "{\"on\":true}");
        assert_eq!(like.status, 200);
        assert_eq!(get(&server, "/api/comments?page=/a").json()["locked"], true);
        assert_eq!(get(&server, "/api/comments?page=/b").json()["locked"], Value::Null);
        let mut late = Client::full(&server, "page=/a");
        assert_eq!(late.json()["hello"]["locked"], true);
        late.send(&json!({"content": "x", "page": "/a"}));
        assert_eq!(late.line()["code"], "page_locked");
        server.kill();
        server.restart();
        server.compact();
        server.check();
    }
    // A moderator answers even there.
    done(&server, "POST", "/api/admin/comments", json!({"content": "closed", "page": "/a"}), 201);
    let mut reader = Client::full(&server, "page=/a");
    assert_eq!(lock(&server, "/a", false)["locked"], Value::Null);
    reader.until(&json!({"locked": false}));
    assert_eq!(post(&server, &json!({"content": "open again", "page": "/a"})).status, 201);
    server.kill();
    server.restart();
    assert_eq!(post(&server, &json!({"content": "still open", "page": "/a"})).status, 201);
}

#[test]
fn a_page_can_be_closed_before_anybody_writes_there() {
    let mut server = builder(&[]).start();
    assert_eq!(lock(&server, "/new", true)["count"], 0);
    server.kill();
    server.restart();
    refused(&post(&server, &json!({"content": "x", "page": "/new"})), 403, "page_locked");
    for (body, code) in [
        (json!({"page": "", "locked": true}), "page_length"),
        (json!({"page": "x".repeat(513), "locked": true}), "page_length"),
        (json!({"page": "/"}), "malformed"),
        (json!({"locked": true}), "malformed"),
        (json!({"page": "/", "locked": "yes"}), "malformed"),
    ] {
        refused(&admin(&server, "PATCH", "/api/admin/pages", body), 400, code);
    }
    assert_eq!(lock(&server, &"x".repeat(512), true)["locked"], true);
}

#[test]
fn a_closed_page_where_nobody_wrote_is_listed_after_all_others() {
    let server = builder(&[]).start();
    for page in ["/b", "/new", "/a"] {
        lock(&server, page, true);
    }
    lock(&server, "/a", false);
    post_id(&server, json!({"content": "one", "page": "/written"}));
    let names = |query: &str| -> Vec<Value> {
        let path = format!("/api/admin/pages{query}");
        let list = done(&server, "GET", &path, Value::Null, 200);
        let pages = list["pages"].as_array().unwrap().iter();
        pages
            .map(|page| json!([page["page"], page["count"], page["locked"], page["seq"]]))
            .collect()
    };
    let closed = [json!(["/b", 0, true, 0]), json!(["/new", 0, true, 0])];
    assert_eq!(names("")[0][0], "/written");
    assert_eq!(names("")[1..], closed);
    assert_eq!(names("?limit=1").len(), 2);
}

#[test]
fn pages_are_listed_by_what_was_written_there_last() {
    let server = builder(&["--hold", "links"]).start();
    for n in 0..7 {
        post_id(&server, json!({"content": "one", "page": format!("/{n}"), "key": KEY}));
    }
    post_id(&server, json!({"content": "http://a.example/1", "page": "/2"}));
    let rejected = post_id(&server, json!({"content": "http://a.example/2", "page": "/2"}));
    let hidden = post_id(&server, json!({"content": "two", "page": "/2"}));
    patch(&server, rejected, json!({"status": "hidden"}));
    patch(&server, hidden, json!({"status": "hidden"}));
    lock(&server, "/5", true);
    let list =
        |query: &str| done(&server, "GET", &format!("/api/admin/pages{query}"), Value::Null, 200);
    let names = |list: &Value| -> Vec<String> {
        let pages = list["pages"].as_array().unwrap();
        pages.iter().map(|page| page["page"].as_str().unwrap().to_owned()).collect()
    };
    let all = list("");
    assert_eq!((names(&all).join(""), &all["more"]), ("/2/6/5/4/3/1/0".into(), &json!(false)));
    let two = &all["pages"][0];
    assert_eq!(
        (&two["count"], &two["pending"], &two["hidden"], &two["locked"]),
        (&json!(1), &json!(1), &json!(2), &Value::Null)
    );
    assert_eq!(all["pages"][2]["locked"], true);
    let first = list("?limit=3");
    assert_eq!((names(&first).join(""), &first["more"]), ("/2/6/5".into(), &json!(true)));
    let next = list(&format!("?limit=4&before={}", first["pages"][2]["seq"]));
    assert_eq!((names(&next).join(""), &next["more"]), ("/4/3/1/0".into(), &json!(false)));
    for query in ["?limit=0", "?limit=101", "?before=x"] {
        let path = format!("/api/admin/pages{query}");
        refused(&admin(&server, "GET", &path, Value::Null), 400, "bad_parameter");
    }
}
