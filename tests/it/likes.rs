//! Hearts: one per comment and key, counted live, and as durable as comments.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::{
    support::client::{Answer, Client, get, posted, request},
    support::server::{Folder, Program, command},
};

const ADA: &str = "ada-ada-ada-ada-";
const BOB: &str = "bob-bob-bob-bob-";
/// Nobody gives a heart by leaving something out.
const ON_MISSING: &str =
    "this is not a message sayso understands: on is missing, a like needs true or false";

fn like(program: &Program, id: u64, key: &str, on: bool) -> Answer {
    let headers = format!("Authorization: Bearer {key}\r\nContent-Type: application/json\r\n");
    let body = json!({ "on": on }).to_string();
    request(program, "POST", &format!("/api/comments/{id}/like"), &headers, &body)
}

fn liked(program: &Program, id: u64, key: &str, on: bool) -> Value {
    let answer = like(program, id, key, on);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["likes"][id.to_string()].clone()
}

fn by(program: &Program, key: &str, content: &str) -> u64 {
    let body = json!({ "content": content, "key": key }).to_string();
    let answer =
        request(program, "POST", "/api/comments", "Content-Type: application/json\r\n", &body);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_u64().unwrap()
}

fn delete(program: &Program, id: u64, key: &str) {
    let headers = format!("Authorization: Bearer {key}\r\n");
    assert_eq!(
        request(program, "DELETE", &format!("/api/comments/{id}"), &headers, "").status,
        200
    );
}

fn likes(program: &Program) -> Value {
    get(program, "/api/comments?limit=200").json()["likes"].clone()
}

fn hello(program: &Program) -> Value {
    Client::full(program, "").json()["hello"]["likes"].clone()
}

/// Lines about hearts in the file.
fn lines(folder: &Folder) -> Vec<Value> {
    let text = fs::read_to_string(folder.log()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["kind"] == "like").collect()
}

fn run(folder: &Folder, what: &str) {
    let output = command().args([what, "--data"]).arg(&folder.0).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
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
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    let id = posted(&program, "hi")["id"].as_u64().unwrap();
    assert_eq!((hello(&program), likes(&program)), (json!({}), json!({})));
    let (mut ada, mut bob) = (Client::full(&program, ""), Client::full(&program, ""));
    ada.send(&json!({"like": id, "on": true, "key": ADA}));
    for client in [&mut ada, &mut bob] {
        assert_eq!(told(client), json!({"likes": {"1": 1}}));
    }
    assert_eq!(liked(&program, id, BOB, true), 2);
    for client in [&mut ada, &mut bob] {
        assert_eq!(told(client), json!({"likes": {"1": 2}}));
    }
    assert_eq!((hello(&program), likes(&program)), (json!({"1": 2}), json!({"1": 2})));
    assert!(get(&program, "/").body.contains("♥ 2"));
    ada.send(&json!({"like": id, "on": false, "key": ADA}));
    assert_eq!(told(&mut bob), json!({"likes": {"1": 1}}));
    assert!(get(&program, "/").body.contains("♥ 1"));
    assert_eq!(liked(&program, id, BOB, false), 0);
    assert_eq!(told(&mut bob), json!({"likes": {"1": 0}}));
    assert_eq!((hello(&program), likes(&program)), (json!({}), json!({})));
    assert!(!get(&program, "/").body.contains('♥'));
}

#[test]
fn liking_twice_writes_one_line_and_hearts_use_no_cursor() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    let id = posted(&program, "hi")["id"].as_u64().unwrap();
    assert_eq!(liked(&program, id, ADA, false), 0);
    for _ in 0..3 {
        assert_eq!(liked(&program, id, ADA, true), 1);
    }
    let [line] = &lines(&folder)[..] else { panic!("{:?}", lines(&folder)) };
    assert_eq!((&line["seq"], &line["id"], &line["on"]), (&json!(2), &json!(1), &json!(true)));
    assert!(line.get("page").is_none() && line["author"].as_str().unwrap().len() == 22);
    let newer = get(&program, "/api/comments?since=0").json();
    assert_eq!((&newer["seq"], newer["comments"].as_array().unwrap().len()), (&json!(1), 1));
    assert_eq!(posted(&program, "next")["id"], 3);
    run(&folder, "check");
}

#[test]
fn a_plain_client_hears_nothing_of_hearts() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    posted(&program, "hi");
    let (mut plain, mut full) = (Client::plain(&program), Client::full(&program, ""));
    plain.send(&json!({"like": 1, "on": true, "key": ADA}));
    assert_eq!(told(&mut full), json!({"likes": {"1": 1}}));
    posted(&program, "after");
    assert_eq!(plain.json()["content"], "after");
}

#[test]
fn hearts_of_a_second_come_in_one_message() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    for n in 0..30 {
        posted(&program, &format!("{n}"));
    }
    let mut reader = Client::full(&program, "");
    assert_eq!(reader.json()["hello"]["likes"], json!({}));
    for id in 1..=30 {
        assert_eq!(liked(&program, id, ADA, true), 1);
        assert_eq!(liked(&program, id, BOB, true), 2);
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
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    for id in 1..=202 {
        posted(&program, &format!("{id}"));
    }
    for id in 1..=200 {
        assert_eq!(liked(&program, id, ADA, true), 1);
    }
    assert_eq!(hello(&program).as_object().unwrap().len(), 200);
    assert_eq!(liked(&program, 201, ADA, true), 1);
    let hello = hello(&program);
    assert_eq!(hello.as_object().unwrap().len(), 200);
    assert!(hello.get("1").is_none() && hello["2"] == 1 && hello["201"] == 1);
}

#[test]
fn what_cant_be_liked_is_refused_in_words() {
    let folder = Folder::new();
    let token = folder.0.join("token");
    fs::write(&token, "a-moderators-token\n").unwrap();
    let program =
        Program::start(&folder.0.join("data"), &["--admin-token-file", token.to_str().unwrap()]);
    for content in ["public", "deleted", "hidden"] {
        by(&program, ADA, content);
    }
    delete(&program, 2, ADA);
    let headers = "Authorization: Bearer a-moderators-token\r\nContent-Type: application/json\r\n";
    let hide = r#"{"status":"hidden"}"#;
    liked(&program, 3, ADA, true);
    assert_eq!(request(&program, "PATCH", "/api/comments/3", headers, hide).status, 200);
    assert_eq!(likes(&program), json!({}), "what is taken away shows no hearts");
    for (id, status, error) in [
        (2, 409, "comment 2 is deleted"),
        (3, 409, "comment 3 is taken away for now"),
        (99, 404, "there is no comment 99"),
    ] {
        let answer = like(&program, id, BOB, true);
        assert_eq!((answer.status, &*answer.error()), (status, error));
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
        ("", json!({"like": 1}), "key is missing, a like needs one"),
        ("", json!({"like": 1, "key": &BOB[1..]}), "key is 15 bytes, 16 to 128 are allowed"),
        ("", json!({"like": 1, "key": long}), "key is 129 bytes, 16 to 128 are allowed"),
    ] {
        let mut message = message;
        message["nonce"] = "nonce-nonce-nonce".into();
        let mut client = Client::full(&program, page);
        client.send(&message);
        assert_eq!(client.line(), json!({"error": error, "nonce": "nonce-nonce-nonce"}));
    }
    let json = "Content-Type: application/json\r\n";
    let path = "/api/comments/1/like";
    let bearer = format!("{json}Authorization: Bearer {BOB}\r\n");
    let answer = request(&program, "POST", path, &bearer, "{}");
    assert_eq!((answer.status, &*answer.error()), (400, ON_MISSING));
    assert_eq!(request(&program, "POST", path, json, "{}").status, 400);
    assert_eq!(request(&program, "POST", path, "", "{}").status, 415);
    assert_eq!(request(&program, "GET", path, "", "").status, 405);
    assert_eq!(request(&program, "POST", "/api/comments/x/like", json, "{}").status, 404);
    let foreign = format!("{json}Origin: https://elsewhere.example\r\n");
    assert_eq!(request(&program, "POST", path, &foreign, "{}").status, 403);
    assert_eq!(likes(&program), json!({}));
    // What comes back has its hearts again.
    let mut reader = Client::full(&program, "");
    let show = r#"{"status":"public"}"#;
    assert_eq!(request(&program, "PATCH", "/api/comments/3", headers, show).status, 200);
    assert_eq!(told(&mut reader), json!({"likes": {"3": 1}}));
}

#[test]
fn six_hearts_are_allowed_for_each_comment_and_a_repeated_one_costs_nothing() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &["--rate", "2/600"]);
    by(&program, ADA, "hi");
    for n in 0..12 {
        let key = format!("{n:016}");
        assert_eq!(liked(&program, 1, &key, true), n + 1);
        assert_eq!(liked(&program, 1, &key, true), n + 1);
    }
    let answer = like(&program, 1, BOB, true);
    assert_eq!(answer.status, 429);
    assert!(answer.error().starts_with("at most 12 likes in 600 s are allowed"), "{answer:?}");
    assert!(answer.header("retry-after").is_some());
    by(&program, ADA, "comments pay from another bucket");
}

#[test]
fn hearts_outlive_restart_kill_and_compaction_but_not_their_comment() {
    let folder = Folder::new();
    let mut program = Program::start(&folder.0, &[]);
    for content in ["one", "two", "three"] {
        by(&program, ADA, content);
    }
    // Stays; goes and comes back; goes; goes with its comment.
    liked(&program, 1, ADA, true);
    for on in [true, false, true] {
        liked(&program, 1, BOB, on);
    }
    liked(&program, 2, ADA, true);
    liked(&program, 2, ADA, false);
    liked(&program, 3, ADA, true);
    delete(&program, 3, ADA);
    // Now the comment's line lies behind its hearts.
    let headers = format!("Authorization: Bearer {ADA}\r\nContent-Type: application/json\r\n");
    let edit = r#"{"content":"one, indeed"}"#;
    assert_eq!(request(&program, "PATCH", "/api/comments/1", &headers, edit).status, 200);
    let expected = json!({"1": 2});
    let is_as_expected = |program: &Program, when: &str| {
        assert_eq!(
            (likes(program), hello(program)),
            (expected.clone(), expected.clone()),
            "{when}"
        );
    };
    is_as_expected(&program, "at first");
    program.kill();
    let mut program = Program::start(&folder.0, &[]);
    is_as_expected(&program, "after a kill");
    assert_eq!(lines(&folder).len(), 7);
    run(&folder, "compact");
    is_as_expected(&program, "after compaction");
    let left = lines(&folder);
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.iter().all(|line| line["id"] == 1 && line["on"] == true), "{left:?}");
    run(&folder, "check");
    assert!(program.stop().success());
    let mut program = Program::start(&folder.0, &[]);
    is_as_expected(&program, "after compaction and restart");
    assert_eq!(liked(&program, 1, BOB, true), 2, "it is known whose they are");
    assert_eq!(liked(&program, 1, BOB, false), 1);
    assert!(program.stop().success());
    run(&folder, "compact");
    assert_eq!(lines(&folder).len(), 1);
    let program = Program::start(&folder.0, &[]);
    assert_eq!(likes(&program), json!({"1": 1}));
}

#[test]
fn a_heart_that_found_no_room_is_not_there_and_comes_when_there_is() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    posted(&program, "hi");
    liked(&program, 1, ADA, true);
    let pid = program.child.id().to_string();
    let limit = |bytes: &str| {
        let limit = format!("--fsize={bytes}:");
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    };
    limit("100");
    let answer = like(&program, 1, BOB, true);
    assert_eq!((answer.status, &*answer.error()), (503, "storage is full, try again"));
    assert_eq!(like(&program, 1, ADA, false).status, 503);
    assert_eq!(liked(&program, 1, ADA, true), 1, "what is stored is answered as ever");
    assert_eq!((likes(&program), hello(&program)), (json!({"1": 1}), json!({"1": 1})));
    limit("unlimited");
    assert_eq!(liked(&program, 1, BOB, true), 2);
    assert_eq!(lines(&folder).len(), 2);
    run(&folder, "check");
}
