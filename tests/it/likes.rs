//! Hearts: one per comment and key, counted live, and as durable as comments.

use serde_json::{Value, json};

use crate::support::{
    client::{JSON, Response, TOKEN, bearer, get, post, posted, request},
    frames::Client,
    server::Server,
};

const ADA: &str = "ada-ada-ada-ada-";
const BOB: &str = "bob-bob-bob-bob-";
/// Nobody gives a heart by leaving something out.
const ON_MISSING: &str =
    "this is not a message sayso understands: on is missing, a like needs true or false";

fn like(server: &Server, id: u64, key: &str, on: bool) -> Response {
    let headers = bearer(key);
    let body = json!({ "on": on }).to_string();
    request(server, "POST", &format!("/api/comments/{id}/like"), &headers, &body)
}

fn liked(server: &Server, id: u64, key: &str, on: bool) -> Value {
    let response = like(server, id, key, on);
    assert_eq!(response.status, 200, "{response:?}");
    response.json()["likes"][id.to_string()].clone()
}

fn by(server: &Server, key: &str, content: &str) -> u64 {
    let response = post(server, &json!({ "content": content, "key": key }));
    assert_eq!(response.status, 201, "{response:?}");
    response.json()["id"].as_u64().unwrap()
}

fn delete(server: &Server, id: u64, key: &str) {
    let headers = bearer(key);
    assert_eq!(request(server, "DELETE", &format!("/api/comments/{id}"), &headers, "").status, 200);
}

fn likes(server: &Server) -> Value {
    get(server, "/api/comments?limit=200").json()["likes"].clone()
}

fn hello(server: &Server) -> Value {
    Client::full(server, "").json()["hello"]["likes"].clone()
}

/// Lines about hearts in the file.
fn lines(server: &Server) -> Vec<Value> {
    let text = server.log_text();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["kind"] == "like").collect()
}

/// The next message about hearts.
fn told(client: &mut Client) -> Value {
    loop {
        let message = client.json();
        assert!(message.get("error").is_none(), "{message}");
        if message.get("likes").is_some() {
            return message;
        }
    }
}

#[test]
fn two_people_like_a_comment_and_everyone_sees_two_hearts() {
    let server = Server::start(&[]);
    let id = posted(&server, "hi")["id"].as_u64().unwrap();
    assert_eq!((hello(&server), likes(&server)), (json!({}), json!({})));
    let (mut ada, mut bob) = (Client::full(&server, ""), Client::full(&server, ""));
    ada.send(&json!({"like": id, "on": true, "key": ADA}));
    for client in [&mut ada, &mut bob] {
        assert_eq!(told(client), json!({"likes": {"1": 1}}));
    }
    assert_eq!(liked(&server, id, BOB, true), 2);
    for client in [&mut ada, &mut bob] {
        assert_eq!(told(client), json!({"likes": {"1": 2}}));
    }
    assert_eq!((hello(&server), likes(&server)), (json!({"1": 2}), json!({"1": 2})));
    assert!(get(&server, "/").body.contains("♥ 2"));
    ada.send(&json!({"like": id, "on": false, "key": ADA}));
    assert_eq!(told(&mut bob), json!({"likes": {"1": 1}}));
    assert!(get(&server, "/").body.contains("♥ 1"));
    assert_eq!(liked(&server, id, BOB, false), 0);
    assert_eq!(told(&mut bob), json!({"likes": {"1": 0}}));
    assert_eq!((hello(&server), likes(&server)), (json!({}), json!({})));
    assert!(!get(&server, "/").body.contains('♥'));
}

#[test]
fn liking_twice_writes_one_line_and_hearts_use_no_cursor() {
    let server = Server::start(&[]);
    let id = posted(&server, "hi")["id"].as_u64().unwrap();
    assert_eq!(liked(&server, id, ADA, false), 0);
    for _ in 0..3 {
        assert_eq!(liked(&server, id, ADA, true), 1);
    }
    let [line] = &lines(&server)[..] else { panic!("{:?}", lines(&server)) };
    assert_eq!((&line["seq"], &line["id"], &line["on"]), (&json!(2), &json!(1), &json!(true)));
    assert!(line.get("page").is_none() && line["author"].as_str().unwrap().len() == 22);
    let newer = get(&server, "/api/comments?since=0").json();
    assert_eq!((&newer["seq"], newer["comments"].as_array().unwrap().len()), (&json!(1), 1));
    assert_eq!(posted(&server, "next")["id"], 3);
    server.check();
}

#[test]
fn a_plain_client_hears_nothing_of_hearts() {
    let server = Server::start(&[]);
    posted(&server, "hi");
    let (mut plain, mut full) = (Client::plain(&server), Client::full(&server, ""));
    plain.send(&json!({"like": 1, "on": true, "key": ADA}));
    assert_eq!(told(&mut full), json!({"likes": {"1": 1}}));
    posted(&server, "after");
    assert_eq!(plain.json()["content"], "after");
}

#[test]
fn hearts_of_a_second_come_in_one_message() {
    let server = Server::start(&[]);
    for n in 0..30 {
        posted(&server, &format!("{n}"));
    }
    let mut reader = Client::full(&server, "");
    assert_eq!(reader.json()["hello"]["likes"], json!({}));
    for id in 1..=30 {
        assert_eq!(liked(&server, id, ADA, true), 1);
        assert_eq!(liked(&server, id, BOB, true), 2);
    }
    let (mut seen, mut messages) = (json!({}), 0);
    while (1..=30).any(|id: u64| seen[id.to_string()] != 2) {
        for (id, count) in told(&mut reader)["likes"].as_object().unwrap() {
            seen[id] = count.clone();
        }
        messages += 1;
    }
    assert!(messages < 10, "{messages} messages for 60 hearts");
}

#[test]
fn a_new_reader_is_told_the_newest_two_hundred_comments_with_hearts() {
    let server = Server::start(&[]);
    for id in 1..=202 {
        posted(&server, &format!("{id}"));
    }
    for id in 1..=200 {
        assert_eq!(liked(&server, id, ADA, true), 1);
    }
    assert_eq!(hello(&server).as_object().unwrap().len(), 200);
    assert_eq!(liked(&server, 201, ADA, true), 1);
    let hello = hello(&server);
    assert_eq!(hello.as_object().unwrap().len(), 200);
    assert!(hello.get("1").is_none() && hello["2"] == 1 && hello["201"] == 1);
}

#[test]
fn what_cant_be_liked_is_refused_in_words() {
    let server = Server::builder().moderator(TOKEN).start();
    for content in ["public", "deleted", "hidden"] {
        by(&server, ADA, content);
    }
    delete(&server, 2, ADA);
    let headers = &bearer(TOKEN);
    let hide = r#"{"status":"hidden"}"#;
    liked(&server, 3, ADA, true);
    assert_eq!(request(&server, "PATCH", "/api/comments/3", headers, hide).status, 200);
    assert_eq!(likes(&server), json!({}), "what is taken away shows no hearts");
    for (id, status, error) in [
        (2, 409, "comment 2 is deleted"),
        (3, 409, "comment 3 is hidden"),
        (99, 404, "there is no comment 99"),
    ] {
        let response = like(&server, id, BOB, true);
        assert_eq!((response.status, &*response.error()), (status, error));
    }
    let long = "k".repeat(129);
    for (page, message, error) in [
        (
            "page=there",
            json!({"like": 1, "on": true, "key": BOB}),
            "there is no comment 1 on this page",
        ),
        ("", json!({"like": 99, "on": true, "key": BOB}), "there is no comment 99"),
        ("", json!({"like": 1, "key": BOB}), ON_MISSING),
        ("", json!({"like": 1}), "key is missing, likes, flags and one's own comments need one"),
        ("", json!({"like": 1, "key": &BOB[1..]}), "key is 15 bytes, 16 to 128 are allowed"),
        ("", json!({"like": 1, "key": long}), "key is 129 bytes, 16 to 128 are allowed"),
    ] {
        let mut message = message;
        message["nonce"] = "nonce-nonce-nonce".into();
        let mut client = Client::full(&server, page);
        client.send(&message);
        let answer = client.line();
        assert_eq!(
            (&answer["error"], &answer["nonce"]),
            (&json!(error), &json!("nonce-nonce-nonce"))
        );
    }
    let path = "/api/comments/1/like";
    let by_bob = bearer(BOB);
    let response = request(&server, "POST", path, &by_bob, "{}");
    assert_eq!((response.status, &*response.error()), (400, ON_MISSING));
    assert_eq!(request(&server, "POST", path, JSON, "{}").status, 400);
    assert_eq!(request(&server, "POST", path, "", "{}").status, 415);
    assert_eq!(request(&server, "GET", path, "", "").status, 405);
    assert_eq!(request(&server, "POST", "/api/comments/x/like", JSON, "{}").status, 404);
    let foreign = format!("{JSON}Origin: https://elsewhere.example\r\n");
    assert_eq!(request(&server, "POST", path, &foreign, "{}").status, 403);
    assert_eq!(likes(&server), json!({}));
    // What comes back has its hearts again.
    let mut reader = Client::full(&server, "");
    let show = r#"{"status":"public"}"#;
    assert_eq!(request(&server, "PATCH", "/api/comments/3", headers, show).status, 200);
    assert_eq!(told(&mut reader), json!({"likes": {"3": 1}}));
}

#[test]
fn six_hearts_are_allowed_for_each_comment_and_a_repeated_one_costs_nothing() {
    let server = Server::start(&["--rate", "2/600"]);
    by(&server, ADA, "hi");
    for n in 0..12 {
        let key = format!("{n:016}");
        assert_eq!(liked(&server, 1, &key, true), n + 1);
        assert_eq!(liked(&server, 1, &key, true), n + 1);
    }
    let response = like(&server, 1, BOB, true);
    assert_eq!(response.status, 429);
    assert!(response.error().starts_with("at most 12 likes in 600 s are allowed"), "{response:?}");
    assert!(response.header("retry-after").is_some());
    by(&server, ADA, "comments pay from another bucket");
}

#[test]
fn hearts_outlive_restart_kill_and_compaction_but_not_their_comment() {
    let mut server = Server::start(&[]);
    for content in ["one", "two", "three"] {
        by(&server, ADA, content);
    }
    // Stays; goes and comes back; goes; goes with its comment.
    liked(&server, 1, ADA, true);
    for on in [true, false, true] {
        liked(&server, 1, BOB, on);
    }
    liked(&server, 2, ADA, true);
    liked(&server, 2, ADA, false);
    liked(&server, 3, ADA, true);
    delete(&server, 3, ADA);
    // Now the comment's line lies behind its hearts.
    let headers = bearer(ADA);
    let edit = r#"{"content":"one, indeed"}"#;
    assert_eq!(request(&server, "PATCH", "/api/comments/1", &headers, edit).status, 200);
    let expected = json!({"1": 2});
    let is_as_expected = |server: &Server, when: &str| {
        assert_eq!((likes(server), hello(server)), (expected.clone(), expected.clone()), "{when}");
    };
    is_as_expected(&server, "at first");
    server.kill();
    server.restart();
    is_as_expected(&server, "after a kill");
    assert_eq!(lines(&server).len(), 7);
    server.compact();
    is_as_expected(&server, "after compaction");
    let left = lines(&server);
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.iter().all(|line| line["id"] == 1 && line["on"] == true), "{left:?}");
    server.check();
    assert!(server.stop().success());
    server.restart();
    is_as_expected(&server, "after compaction and restart");
    assert_eq!(liked(&server, 1, BOB, true), 2, "it is known whose they are");
    assert_eq!(liked(&server, 1, BOB, false), 1);
    assert!(server.stop().success());
    server.compact();
    assert_eq!(lines(&server).len(), 1);
    server.restart();
    assert_eq!(likes(&server), json!({"1": 1}));
}

#[test]
fn a_heart_that_found_no_room_is_not_there_and_comes_when_there_is() {
    let server = Server::start(&[]);
    posted(&server, "hi");
    liked(&server, 1, ADA, true);
    server.limit_file_size(Some(100));
    let response = like(&server, 1, BOB, true);
    assert_eq!((response.status, &*response.error()), (503, "storage is full, try again"));
    assert_eq!(like(&server, 1, ADA, false).status, 503);
    assert_eq!(liked(&server, 1, ADA, true), 1, "what is stored is answered as ever");
    assert_eq!((likes(&server), hello(&server)), (json!({"1": 1}), json!({"1": 1})));
    server.limit_file_size(None);
    assert_eq!(liked(&server, 1, BOB, true), 2);
    assert_eq!(lines(&server).len(), 2);
    server.check();
}
