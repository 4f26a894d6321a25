//! What moderators find: by status, page, author and words, in parts, and what is known of an author.

use serde_json::{Value, json};

use super::{admin, builder, done, found, ids, patch, post_id, refused};
use crate::support::client::{KEY, OTHER_KEY, bearer, encoded, request};

fn author(key: &str) -> String {
    sayso::comment::Author::from_key(key).to_string()
}

#[test]
fn what_waits_is_read_from_the_oldest_on_as_well() {
    let server = builder(&["--hold", "all"]).start();
    for n in 1..=5 {
        post_id(&server, json!({"content": format!("number {n}")}));
    }
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let found = found(&server, &format!("status=pending&limit=2&after={after}"));
        let lines = found["comments"].as_array().unwrap();
        seen.extend(lines.iter().map(|line| line["content"].as_str().unwrap().to_owned()));
        match found["after"].as_u64() {
            Some(next) => after = next,
            None => break assert_eq!(found["more"], false),
        }
    }
    assert_eq!(seen, ["number 1", "number 2", "number 3", "number 4", "number 5"]);
    for wrong in ["after=0&before=9", "after=0&page=/", "after=x"] {
        let path = format!("/api/admin/comments?{wrong}");
        refused(&admin(&server, "GET", &path, Value::Null), 400, "bad_parameter");
    }
}

#[test]
fn comments_are_found_by_status_page_author_and_words() {
    let server = builder(&["--hold", "links"]).start();
    let post = |content: &str, page: &str, key: &str, name: &str| {
        post_id(&server, json!({"content": content, "page": page, "key": key, "name": name}))
    };
    let one = post("The Crème brûlée is good", "/a", KEY, "Zoë");
    let two = post("second", "/b", KEY, "Zoë");
    let three = post("third http://a.example/", "/b", OTHER_KEY, "Bob");
    let four = post("fourth", "/b", OTHER_KEY, "Bob");
    let five = post("fifth", "/a", OTHER_KEY, "creme fan");
    patch(&server, two, json!({"status": "hidden"}));
    done(&server, "DELETE", &format!("/api/comments/{four}"), Value::Null, 200);
    let by_zoe = format!("author={}", author(KEY));
    for (query, expected) in [
        ("", &[five, four, three, two, one][..]),
        ("status=public", &[five, one]),
        ("status=pending", &[three]),
        ("status=hidden", &[two]),
        ("status=deleted", &[four]),
        ("status=flagged", &[]),
        ("page=/b", &[four, three, two]),
        ("page=/b&status=hidden", &[two]),
        ("page=/nowhere", &[]),
        (&by_zoe, &[two, one]),
        (&format!("{by_zoe}&status=public"), &[one]),
        // A moderator's note says whose the deleted one was.
        (&format!("author={}&page=/b", author(OTHER_KEY)), &[four, three]),
        ("q=creme", &[five, one]),
        ("q=BR%C3%9BL%C3%89E", &[one]),
        ("q=zoe", &[two, one]),
        ("q=nothing", &[]),
        (&format!("before={three}"), &[two, one]),
    ] {
        assert_eq!(ids(&server, query), expected, "{query}");
    }
    for link in [
        format!("http://{}/?page=/b#sayso-{three}", server.address),
        format!("https://blog.example/a/post?x=y#sayso-{three}"),
        format!("{}#sayso-{three}", "x".repeat(500)),
    ] {
        let found = found(&server, &format!("q={}", encoded(&link)));
        assert_eq!((&found["comments"][0]["id"], &found["more"]), (&json!(three), &json!(false)));
    }
    assert_eq!(ids(&server, "q=%23sayso-99"), [0; 0]);
    for (query, code) in [
        ("status=gone", "bad_parameter"),
        ("author=ada", "bad_parameter"),
        ("limit=0", "bad_parameter"),
        ("limit=201", "bad_parameter"),
        ("before=x", "bad_parameter"),
        (&*format!("q={}", "x".repeat(201)), "text_too_long"),
        (&*format!("page={}", "x".repeat(513)), "page_length"),
    ] {
        let response = admin(&server, "GET", &format!("/api/admin/comments?{query}"), Value::Null);
        refused(&response, 400, code);
    }
    assert_eq!(found(&server, &format!("q={}", "x".repeat(200)))["comments"], json!([]));
}

#[test]
fn parts_join_without_a_gap_or_a_repetition() {
    let server = builder(&[]).start();
    for n in 0..30 {
        let key = if n % 3 == 0 { KEY } else { OTHER_KEY };
        post_id(
            &server,
            json!({"content": format!("comment {n}"), "page": format!("/{}", n % 2), "key": key}),
        );
    }
    for filter in ["", "page=/1&", &format!("author={}&", author(KEY)), "q=comment&"] {
        let all = ids(&server, &format!("{filter}limit=200"));
        let (mut joined, mut before, mut parts) = (Vec::new(), String::new(), 0);
        loop {
            let part = found(&server, &format!("{filter}limit=3{before}"));
            let lines = part["comments"].as_array().unwrap();
            joined.extend(lines.iter().map(|line| line["id"].as_u64().unwrap()));
            parts += 1;
            assert_eq!(part["more"].as_bool().unwrap(), part.get("before").is_some());
            match part.get("before") {
                Some(id) => before = format!("&before={id}"),
                None => break,
            }
        }
        assert_eq!((&joined, parts), (&all, all.len().div_ceil(3)), "{filter}");
    }
}

#[test]
fn a_part_is_never_longer_than_a_response_may_be() {
    let server = builder(&[]).start();
    for n in 0..150 {
        post_id(&server, json!({"content": format!("{n} {}", "<".repeat(8_000))}));
    }
    let (mut count, mut before) = (0, String::new());
    loop {
        let part = found(&server, &format!("limit=200{before}"));
        count += part["comments"].as_array().unwrap().len();
        match part.get("before") {
            Some(id) => before = format!("&before={id}"),
            None => break,
        }
    }
    assert_eq!(count, 150);
}

#[test]
fn an_author_is_what_their_comments_say() {
    let mut server = builder(&["--hold", "links"]).start();
    let path = format!("/api/admin/authors/{}", author(KEY));
    let nobody = done(&server, "GET", &path, Value::Null, 200);
    let expected = json!({
        "author": author(KEY), "since": null, "name": null, "public": 0, "pending": 0, "hidden": 0, "deleted": 0,
        "rejected": 0.0, "ban": null, "note": null, "more": false
    });
    assert_eq!(nobody, expected);
    let first = post_id(&server, json!({"content": "one", "key": KEY, "name": "Old"}));
    let two = post_id(&server, json!({"content": "two", "key": KEY, "name": "New"}));
    let three = post_id(&server, json!({"content": "three", "key": KEY}));
    let four = post_id(&server, json!({"content": "http://a.example/", "key": KEY}));
    let five = post_id(&server, json!({"content": "http://a.example/5", "key": KEY}));
    post_id(&server, json!({"content": "six", "key": OTHER_KEY}));
    patch(&server, two, json!({"status": "hidden"}));
    patch(&server, five, json!({"status": "hidden"}));
    done(&server, "DELETE", &format!("/api/comments/{three}"), Value::Null, 200);
    let note = json!({"note": "  knows\nthe rules "});
    let about = done(&server, "PUT", &format!("{path}/note"), note, 200);
    let since = found(&server, &format!("q=%23sayso-{first}"))["comments"][0]["created_at"].clone();
    assert_eq!((&about["since"], &about["name"]), (&since, &json!("New")));
    let counts =
        ["public", "pending", "hidden", "deleted", "rejected"].map(|name| about[name].clone());
    assert_eq!(counts, [json!(1), json!(1), json!(2), json!(1), json!(0.6)], "but not {four}");
    let note = &about["note"];
    assert_eq!((&note["reason"], &note["by"]), (&json!("knows\nthe rules"), &json!("ada")));
    server.kill();
    server.restart();
    server.compact();
    server.check();
    assert_eq!(done(&server, "GET", &path, Value::Null, 200), about);
    // No reader ever sees it.
    let history = request(&server, "GET", "/api/comments?since=0", &bearer(KEY), "");
    assert!(!history.body.contains("rules"), "{history:?}");
    let put =
        |note: String| admin(&server, "PUT", &format!("{path}/note"), json!({ "note": note }));
    refused(&put("ä".repeat(1_001)), 400, "text_too_long");
    assert_eq!(put("ä".repeat(1_000)).status, 200);
    assert_eq!(put(String::new()).json()["note"], Value::Null);
    server.kill();
    server.restart();
    assert_eq!(done(&server, "GET", &path, Value::Null, 200)["note"], Value::Null);
    refused(&admin(&server, "GET", "/api/admin/authors/x", Value::Null), 400, "bad_parameter");
}
