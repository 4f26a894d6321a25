//! `--block-file` and `--max-links`: what waits for a moderator, from the first post to the last edit, and who learns why.

use std::{fs, path::PathBuf, time::Instant};

use serde_json::{Value, json};

use crate::support::{
    client::{FORM, KEY, Response, TOKEN, bearer, get, post, posted, request},
    frames::Client,
    server::{Server, Signal, TIMEOUT, sayso},
};

const LIST: &str = "# what we have seen too often\nCasino\nfree money\n/v[i1]agra\\d*/\n";

/// A server with a block list, and the list's file.
fn listing(list: &str, flags: &[&str]) -> (Server, PathBuf) {
    let builder = Server::builder().moderator(TOKEN);
    let file = builder.data_path().parent().unwrap().join("words.txt");
    fs::write(&file, list).unwrap();
    let flags = [&["--block-file", file.to_str().unwrap()], flags].concat();
    (builder.flags(&flags).shell("").start(), file)
}

fn edit(server: &Server, id: &Value, headers: &str, content: &str) -> Response {
    let body = json!({ "content": content }).to_string();
    request(server, "PATCH", &format!("/api/comments/{id}"), headers, &body)
}

/// Posts until it is answered with this status, which must be in time.
fn post_until(server: &Server, content: &str, status: u16) {
    let start = Instant::now();
    while post(server, &json!({ "content": content })).status != status {
        assert!(start.elapsed() < TIMEOUT, "{content} is not {status}: {}", server.stderr());
    }
}

/// Waits until the server has said something so often.
fn wait_for(server: &Server, said: &str, times: usize) {
    let start = Instant::now();
    while server.stderr().matches(said).count() < times {
        assert!(start.elapsed() < TIMEOUT, "{said:?} is not in {}", server.stderr());
        get(server, "/healthz");
    }
}

#[test]
fn what_the_list_has_waits_however_it_is_posted_and_nobody_learns_why() {
    let (mut server, _) = listing(LIST, &[]);
    let mut reader = Client::full(&server, "");
    reader.json();
    let mut author = Client::plain(&server);
    for (content, name, status) in [
        ("nothing of it", "Ada", 201),
        ("casinos, free my money", "Ada", 201),
        ("to the CASINO!", "Ada", 202),
        ("ca\u{200b}sínö", "Ada", 202),
        ("ca**si**no", "Ada", 202),
        ("c&#97;sino", "Ada", 202),
        ("[look](https://casino.example)", "Ada", 202),
        ("Free\nmoney", "Ada", 202),
        ("buy V1AGRA100", "Ada", 202),
        ("hello", "Casino King", 202),
        ("hello", "v1agra", 202),
    ] {
        let message = json!({"content": content, "name": name, "key": KEY});
        let response = post(&server, &message);
        assert_eq!(response.status, status, "{content} by {name}: {response:?}");
        author.send(&message);
        let mut line = author.line();
        // Its author's socket shows no key until it posts, and then both.
        while line["id"].as_u64() <= response.json()["id"].as_u64() {
            line = author.line();
        }
        for line in [line, response.json()] {
            assert_eq!(line["status"] == json!("pending"), status == 202, "{line}");
            let fields: Vec<&String> = line.as_object().unwrap().keys().collect();
            assert!(
                !fields.iter().any(|name| ["why", "held_for", "reason"].contains(&name.as_str()))
            );
        }
    }
    let held = request(&server, "POST", "/api/comments", FORM, "content=a+casino&key=");
    assert_eq!(held.status, 303, "{held:?}");
    let shown = get(&server, "/api/comments").json()["comments"].clone();
    assert_eq!(shown.as_array().unwrap().len(), 4, "{shown}");
    for _ in 0..4 {
        assert!(reader.line()["status"].is_null());
    }
    let last = posted(&server, "the end");
    assert_eq!(reader.line(), last, "nothing of what waits before it");
    server.stop();
    let said = server.stderr();
    assert!(said.contains("words.txt: 2 phrases and 1 expression to hold"), "{said}");
    assert!(said.contains("waits for a moderator (word)"), "{said}");
    assert!(!said.to_lowercase().contains("casino") && !said.contains("agra"), "{said}");
}

#[test]
fn an_edit_that_brings_in_what_the_list_has_hides_the_comment() {
    let (mut server, _) = listing(LIST, &[]);
    let mut reader = Client::full(&server, "");
    reader.json();
    let over_http = post(&server, &json!({"content": "one", "key": KEY})).json();
    let over_socket = post(&server, &json!({"content": "two", "key": KEY})).json();
    let by_moderator = post(&server, &json!({"content": "three", "key": KEY})).json();
    for _ in 0..3 {
        reader.line();
    }
    assert_eq!(edit(&server, &over_http["id"], &bearer(KEY), "one, as before").status, 200);
    assert_eq!(reader.line()["content"], "one, as before");
    let edited = edit(&server, &over_http["id"], &bearer(KEY), "a *casino*");
    assert_eq!((edited.status, edited.json()["status"].clone()), (200, json!("hidden")));
    assert_eq!(reader.line()["deleted"], true);
    let mut author = Client::plain(&server);
    author.send(&json!({"edit": over_socket["id"], "content": "free money", "key": KEY}));
    assert_eq!(reader.line()["deleted"], true);
    // What a moderator writes needs no other moderator.
    assert_eq!(edit(&server, &by_moderator["id"], &bearer(TOKEN), "no casino here").status, 200);
    assert_eq!(reader.line()["content"], "no casino here");
    let body = get(&server, "/api/comments").body;
    assert!(!body.contains("*casino*") && !body.contains("free money"), "{body}");
    // It stays hidden when the word is taken out again.
    let edited = edit(&server, &over_http["id"], &bearer(KEY), "harmless");
    assert_eq!(edited.json()["status"], "hidden");
    server.stop();
    assert_eq!(server.stderr().matches("waits for a moderator (word)").count(), 1, "once a second");
}

#[test]
fn a_changed_list_is_read_while_the_server_runs_and_a_bad_one_is_named() {
    let (mut server, file) = listing("Casino\n", &[]);
    post_until(&server, "casino", 202);
    fs::write(&file, "roulette\n").unwrap();
    post_until(&server, "roulette", 202);
    assert_eq!(post(&server, &json!({"content": "casino"})).status, 201);
    // As editors do it: another file takes its place.
    let other = file.with_extension("new");
    fs::write(&other, "blackjack\n").unwrap();
    fs::rename(&other, &file).unwrap();
    post_until(&server, "blackjack", 202);

    fs::write(&file, "poker\n\n/(/\n").unwrap();
    wait_for(&server, "words.txt:3: the expression \"/(/\" can't be used", 1);
    assert_eq!(post(&server, &json!({"content": "blackjack"})).status, 202);
    assert_eq!(post(&server, &json!({"content": "poker"})).status, 201);
    fs::remove_file(&file).unwrap();
    wait_for(&server, "the block list stays as it was: can't read", 1);
    assert_eq!(post(&server, &json!({"content": "blackjack"})).status, 202);
    fs::write(&file, "poker\n").unwrap();
    post_until(&server, "poker", 202);
    assert!(server.stop().success());
}

#[test]
fn a_hangup_makes_the_list_be_read_at_once() {
    let (mut server, file) = listing("Casino\n", &[]);
    let read = "words.txt: 1 phrase and 0 expressions to hold";
    for times in 2..=3 {
        server.signal(Signal::HUP);
        wait_for(&server, read, times);
    }
    fs::write(&file, "c++\n").unwrap();
    server.signal(Signal::HUP);
    wait_for(&server, "words.txt:1: a phrase begins and ends with a letter", 1);
    assert_eq!(post(&server, &json!({"content": "casino"})).status, 202);
    assert!(!server.stderr().contains("SIGHUP is ignored"));
    assert!(server.stop().success());
}

#[test]
fn more_links_than_allowed_wait_for_a_moderator() {
    let start =
        |max| Server::builder().moderator(TOKEN).flags(&["--max-links", max]).shell("").start();
    let mut server = start("2");
    for (content, name, status) in [
        ("http://a.example/x.html?y=http and www.b.example", "Ada", 201),
        ("http://a.example http://b.example c.com", "Ada", 202),
        ("[a](http://a.example) [b](http://b.example) exam**ple**.com", "Ada", 202),
        ("a.com, b.com", "c.com", 202),
        ("a.com", "c.com", 201),
        ("e.g. README.md, i.e. main.rs or lib.rs", "Ada", 201),
    ] {
        let response = post(&server, &json!({"content": content, "name": name}));
        assert_eq!(response.status, status, "{content} by {name}: {response:?}");
    }
    let named = post(&server, &json!({"content": "a.com", "name": "b.com", "key": KEY})).json();
    assert_eq!(edit(&server, &named["id"], &bearer(KEY), "x.com").json()["status"], Value::Null);
    let edited = edit(&server, &named["id"], &bearer(KEY), "x.com y.com").json();
    assert_eq!(edited["status"], "hidden", "the name counts as it did when it was posted");
    server.stop();
    assert!(server.stderr().contains("waits for a moderator (links)"), "{}", server.stderr());

    for (max, statuses) in [("0", [202, 201]), ("off", [201, 201])] {
        let server = start(max);
        for (content, status) in ["a.com", "none"].into_iter().zip(statuses) {
            assert_eq!(post(&server, &json!({ "content": content })).status, status, "{max}");
        }
    }
}

#[test]
fn check_names_the_stored_comments_that_a_list_would_hold() {
    let server = Server::start(&[]);
    let list = server.data().join("words.txt");
    fs::write(&list, LIST).unwrap();
    let post = |message: Value| post(&server, &message).json()["id"].clone();
    post(json!({"content": "nothing of it"}));
    let shown = post(json!({"content": "ca**si**no", "page": "a/\"b\""}));
    let named = post(json!({"content": "hello", "name": "V1AGRA"}));
    let later = post(json!({"content": "harmless", "key": KEY}));
    let before = post(json!({"content": "free money", "key": KEY}));
    let deleted = post(json!({"content": "casino", "key": KEY}));
    edit(&server, &later, &bearer(KEY), "not harmless: free  money");
    edit(&server, &before, &bearer(KEY), "now harmless");
    request(&server, "DELETE", &format!("/api/comments/{deleted}"), &bearer(KEY), "");
    let before = server.log_bytes();
    // Beside the server, which goes on.
    let output = server.run(&["check", "--block-file", list.to_str().unwrap()]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[..4],
        [
            format!("comment {shown} on \"a/\\\"b\\\"\" would be held for \"Casino\""),
            format!("comment {named} on \"/\" would be held for \"/v[i1]agra\\\\d*/\""),
            format!("comment {later} on \"/\" would be held for \"free money\""),
            "3 comments would be held".into(),
        ]
    );
    assert!(lines[4].ends_with("9 lines, no problems"), "{said}");
    assert_eq!(server.log_bytes(), before);
    posted(&server, "still here");

    fs::write(&list, "fine\nc++").unwrap();
    let output = server.run(&["check", "--block-file", list.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("words.txt:2: a phrase"), "{said}");
}

#[test]
fn a_list_that_can_not_be_used_keeps_the_server_from_starting() {
    let server = Server::builder().moderator(TOKEN).stopped();
    let folder = server.data().parent().unwrap();
    let (list, token) = (folder.join("words.txt"), folder.join("token"));
    let start = || {
        let (list, token) = (list.to_str().unwrap(), token.to_str().unwrap());
        let flags = ["--listen", "127.0.0.1:0", "--data", server.data_flag()];
        let output =
            sayso(&[&flags[..], &["--block-file", list, "--admin-token-file", token]].concat());
        assert!(output.stdout.is_empty(), "it must not start");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = start();
    assert!(code == Some(1) && said.contains("words.txt: No such file"), "{said}");
    for (lines, why) in [
        (b"ok\n/[/\n".to_vec(), "words.txt:2: the expression \"/[/\" can't be used: "),
        (b"ok\n\n\xff".to_vec(), "words.txt:3: this line is not UTF-8"),
        (b"x".repeat(1024 * 1024 + 1), "has 1048577 bytes, at most 1048576 are allowed"),
    ] {
        fs::write(&list, lines).unwrap();
        let (code, said) = start();
        assert!(code == Some(2) && said.contains(why), "{said}");
    }
}
