//! Comments that are held or hidden: silence for whoever a comment is not meant for.

use serde_json::{Value, json};

use crate::support::{
    client::{JSON, KEY, OTHER_KEY, Response, TOKEN, bearer, get, post, posted, request},
    frames::Client,
    server::Server,
};

/// A server that holds, and the headers that let a moderator in.
fn moderated(hold: &str) -> (Server, String) {
    let server = Server::builder().moderator(TOKEN).flags(&["--hold", hold]).start();
    (server, bearer(TOKEN))
}

/// A moderator's answer as everybody else gets the line: without the note.
fn shown(response: &Response) -> Value {
    let mut line = response.json();
    line.as_object_mut().unwrap().remove("note");
    line
}

fn moderate(server: &Server, admin: &str, id: &Value, status: &str) -> Response {
    request(
        server,
        "PATCH",
        &format!("/api/comments/{id}"),
        admin,
        &json!({ "status": status }).to_string(),
    )
}

#[test]
fn a_held_comment_is_its_authors_alone_until_it_is_released() {
    let (server, admin) = moderated("all");
    let mut author = Client::full(&server, "");
    let mut reader = Client::full(&server, "");
    let mut plain = Client::plain(&server);
    let log = author.json()["hello"]["log"].as_str().unwrap().to_owned();
    let post_one =
        json!({"content": "held words", "key": KEY, "name": "Ada", "nonce": "nonce-of-held-one"});
    author.send(&post_one);
    let line = author.line();
    assert_eq!((&line["status"], &line["content"]), (&json!("pending"), &json!("held words")));
    let over_http = post(&server, &json!({"content": "held too", "key": KEY}));
    assert_eq!(
        (over_http.status, over_http.json()["status"].clone()),
        (202, json!("pending")),
        "{over_http:?}"
    );
    assert_eq!(post(&server, &json!({"content": "held and nobody's"})).status, 202);

    // Not in history, counts, the page, by last or by since.
    for target in ["/api/comments", "/api/comments?since=0", "/api/comments?before=99", "/"] {
        let body = get(&server, target).body;
        assert!(!body.contains("held") && !body.contains("Ada"), "{target}: {body}");
    }
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 0}));
    let mut last = Client::full(&server, "last=200");
    let mut since = Client::full(&server, &format!("since=0&log={log}"));
    let mut stranger = Client::full(&server, "");
    stranger.send(&json!({ "key": OTHER_KEY }));
    // Its author sees it on another connection after saying the key.
    let mut again = Client::full(&server, "");
    again.send(&json!({ "key": KEY }));
    assert_eq!(
        (again.line()["content"].clone(), again.line()["content"].clone()),
        (json!("held words"), json!("held too"))
    );

    // Nobody but a moderator releases it.
    for (headers, status) in
        [(JSON, 403), (&bearer(KEY), 401), (&bearer("wrong-token-wrong-token"), 401)]
    {
        let response = moderate(&server, headers, &line["id"], "public");
        assert_eq!(response.status, status, "{response:?}");
        let unknown = moderate(&server, headers, &json!(9_999), "public");
        assert_eq!(unknown.body, response.body, "nobody learns that there is something to release");
    }
    let released = moderate(&server, &admin, &line["id"], "public");
    assert_eq!(released.status, 200, "{released:?}");
    let public = shown(&released);
    assert!(
        public.get("status").is_none()
            && public["id"] == line["id"]
            && public["seq"].as_u64() > line["seq"].as_u64()
    );
    for client in
        [&mut reader, &mut plain, &mut last, &mut since, &mut stranger, &mut author, &mut again]
    {
        let mut seen = client.line();
        while seen["status"] == "pending" && seen["content"] == "held too" {
            // The author's other comment, on the connections that said its key.
            seen = client.line();
        }
        assert_eq!(seen, public, "the first that anybody else hears of it");
    }
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 1}));
    assert_eq!(get(&server, "/api/comments").json()["comments"], json!([public]));
    assert_eq!(post(&server, &post_one).json(), public, "the nonce is known");
}

#[test]
fn the_tombstone_of_a_pending_comment_is_nobody_elses() {
    let (server, admin) = moderated("all");
    let mut author = Client::full(&server, "");
    let mut reader = Client::full(&server, "");
    let log = reader.json()["hello"]["log"].as_str().unwrap().to_owned();
    author.send(&json!({"content": "regretted", "key": KEY}));
    let pending = author.line();
    author.send(&json!({"delete": pending["id"], "key": KEY}));
    let tombstone = author.line();
    assert_eq!((&tombstone["deleted"], &tombstone["status"]), (&json!(true), &json!("pending")));
    author.send(&json!({"content": "kept", "key": KEY}));
    let kept = author.line();
    let kept = shown(&moderate(&server, &admin, &kept["id"], "public"));
    assert_eq!(reader.line(), kept, "no tombstone before it");
    for target in ["/api/comments", "/api/comments?since=0"] {
        assert_eq!(get(&server, target).json()["comments"], json!([kept]), "{target}");
    }
    for query in ["last=200".to_owned(), format!("since=0&log={log}")] {
        assert_eq!(Client::full(&server, &query).line(), kept, "{query}");
    }
}

#[test]
fn a_hidden_comment_is_a_tombstone_for_everyone_else() {
    let (server, admin) = moderated("none");
    let mut reader = Client::full(&server, "");
    let log = reader.json()["hello"]["log"].as_str().unwrap().to_owned();
    let first = json!({"content": "outrageous *words*", "key": KEY, "name": "Mallory", "nonce": "nonce-of-the-words"});
    let line = post(&server, &first).json();
    assert_eq!(reader.line(), line);
    assert_eq!(moderate(&server, JSON, &line["id"], "hidden").status, 403);
    assert_eq!(moderate(&server, &admin, &line["id"], "hidden").status, 200);
    let is_tombstone = |line: &Value| {
        assert_eq!((&line["id"], &line["deleted"]), (&json!(1), &json!(true)), "{line}");
        for gone in ["content", "html", "name", "author"] {
            assert!(line.get(gone).is_none(), "{gone} in {line}");
        }
    };
    is_tombstone(&reader.line());
    for query in ["last=200".to_owned(), format!("since=0&log={log}"), format!("since=1&log={log}")]
    {
        is_tombstone(&Client::full(&server, &query).line());
    }
    for target in [
        "/api/comments",
        "/api/comments?since=0",
        "/api/comments?since=1",
        "/api/comments?before=2",
    ] {
        let comments = get(&server, target).json()["comments"].clone();
        is_tombstone(&comments[0]);
    }
    for target in ["/", "/api/comments"] {
        let body = get(&server, target).body;
        assert!(!body.contains("outrageous") && !body.contains("Mallory"), "{target}: {body}");
    }
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 0}));
    // Its nonce is public: whoever repeats it learns nothing.
    let repeated = post(&server, &json!({"content": "let me see", "nonce": "nonce-of-the-words"}));
    assert!(
        !repeated.body.contains("outrageous") && !repeated.body.contains("Mallory"),
        "{repeated:?}"
    );
    reader.send(&json!({"content": "let me see", "nonce": "nonce-of-the-words"}));
    is_tombstone(&reader.line());
    let shown = shown(&moderate(&server, &admin, &line["id"], "public"));
    assert_eq!(shown["content"], "outrageous *words*");
    assert_eq!(reader.line(), shown);
}

#[test]
fn what_is_held_stays_held_when_it_is_edited_answered_or_asked_for_by_nonce() {
    let (server, admin) = moderated("all");
    let mut author = Client::full(&server, "");
    author.send(&json!({"content": "held", "key": KEY, "nonce": "nonce-that-is-held"}));
    let held = author.line();
    author.send(&json!({"edit": held["id"], "content": "held and edited", "key": KEY}));
    assert_eq!(author.line()["status"], "pending");
    // A stranger who guesses the nonce, or the number, learns nothing.
    let repeated =
        post(&server, &json!({"content": "x", "key": OTHER_KEY, "nonce": "nonce-that-is-held"}));
    assert!(!repeated.body.contains("held and edited"), "{repeated:?}");
    let response = post(&server, &json!({"content": "x", "parent": held["id"], "key": OTHER_KEY}));
    let unknown = post(&server, &json!({"content": "x", "parent": 9_999, "key": OTHER_KEY}));
    assert_eq!(response.status, unknown.status, "{response:?}");
    let strange = bearer(OTHER_KEY);
    for (method, body) in [("PATCH", "{\"content\":\"x\"}"), ("DELETE", "")] {
        let response =
            request(&server, method, &format!("/api/comments/{}", held["id"]), &strange, body);
        assert!(matches!(response.status, 403 | 404), "{response:?}");
        assert!(!response.body.contains("held and edited"), "{response:?}");
    }
    let released = moderate(&server, &admin, &held["id"], "public").json();
    assert_eq!(released["content"], "held and edited");
}

#[test]
fn links_and_newcomers_can_be_held_alone() {
    let (server, _) = moderated("links");
    for (content, status) in [
        ("no link here", 201),
        ("see https://spam.example/", 202),
        ("see [this](http://spam.example)", 202),
        ("see <https://spam.example>", 202),
        ("see example.com", 202),
        ("see example&#46;com", 202),
        ("see h&#116;tps&#58;//spam", 202),
        ("see exam**ple**.com", 202),
        ("see www\\.spam", 202),
        ("see exam\u{200b}ple.c\u{ad}om", 202),
        ("see `example.com`", 202),
        ("e.g. README.md, i.e. a file", 201),
    ] {
        assert_eq!(post(&server, &json!({ "content": content })).status, status, "{content}");
    }
    for (name, status) in [("spam.shop", 202), ("https://x", 202), ("J. R. R.", 201)] {
        assert_eq!(post(&server, &json!({"content": "hi", "name": name})).status, status, "{name}");
    }
    let mine = post(&server, &json!({"content": "harmless", "key": KEY})).json();
    let headers = bearer(KEY);
    let target = format!("/api/comments/{}", mine["id"]);
    let edited = request(
        &server,
        "PATCH",
        &target,
        &headers,
        &json!({"content": "https://spam.example/"}).to_string(),
    );
    let shown = get(&server, "/api/comments").body;
    assert!(
        !shown.contains("spam.example"),
        "a link that is edited in is held too: {edited:?} {shown}"
    );

    let (server, admin) = moderated("new");
    let first = post(&server, &json!({"content": "hello", "key": KEY}));
    assert_eq!(first.status, 202);
    assert_eq!(
        post(&server, &json!({"content": "me again", "key": KEY})).status,
        202,
        "nothing of it was released yet"
    );
    assert_eq!(moderate(&server, &admin, &first.json()["id"], "public").status, 200);
    assert_eq!(post(&server, &json!({"content": "now I am known", "key": KEY})).status, 201);
    assert_eq!(post(&server, &json!({"content": "I am not", "key": OTHER_KEY})).status, 202);
    assert_eq!(post(&server, &json!({"content": "nobody is"})).status, 202);
}

#[test]
fn a_moderators_change_of_two_things_is_done_whole_or_refused() {
    let (server, admin) = moderated("none");
    let id = posted(&server, "first")["id"].clone();
    let both = json!({"content": "second", "status": "hidden"}).to_string();
    let response = request(&server, "PATCH", &format!("/api/comments/{id}"), &admin, &both);
    let done = response.status == 200 && response.json()["content"] == "second";
    assert!(done || response.status == 400, "half of it is dropped in silence: {response:?}");
}

#[test]
fn a_newcomer_who_was_let_in_is_held_again_once_a_moderator_hides_or_deletes_something() {
    let (mut server, admin) = moderated("new");
    let say = |server: &Server, n: u32| {
        let response = post(server, &json!({"content": format!("words {n}"), "key": KEY}));
        (response.status, response.json()["id"].clone())
    };
    let delete = |server: &Server, id: &Value, headers: &str| {
        let response = request(server, "DELETE", &format!("/api/comments/{id}"), headers, "");
        assert_eq!(response.status, 200, "{response:?}");
    };
    let (status, first) = say(&server, 1);
    assert_eq!(status, 202);
    assert_eq!(moderate(&server, &admin, &first, "public").status, 200);
    let (status, second) = say(&server, 2);
    assert_eq!(status, 201);
    // What its author edits or deletes says nothing against it.
    let (_, regretted) = say(&server, 3);
    delete(&server, &regretted, &bearer(KEY));
    let edit = json!({"content": "better words"}).to_string();
    let edited =
        request(&server, "PATCH", &format!("/api/comments/{second}"), &bearer(KEY), &edit).json();
    assert_eq!((&edited["content"], edited.get("status")), (&json!("better words"), None));
    assert_eq!(say(&server, 4).0, 201);

    assert_eq!(moderate(&server, &admin, &second, "hidden").status, 200);
    let (status, fifth) = say(&server, 5);
    assert_eq!(status, 202, "one was hidden");
    server.restart();
    assert_eq!(say(&server, 6).0, 202, "one was hidden before the start");
    server.compact();
    server.restart();
    assert_eq!(say(&server, 7).0, 202, "a compacted log tells it too");

    assert_eq!(moderate(&server, &admin, &fifth, "public").status, 200);
    let (status, eighth) = say(&server, 8);
    assert_eq!(status, 201, "one was approved since");
    server.restart();
    let (status, _) = say(&server, 9);
    assert_eq!(status, 201, "one was approved since, before the start");
    delete(&server, &eighth, &admin);
    let (status, tenth) = say(&server, 10);
    assert_eq!(status, 202, "one was deleted");
    delete(&server, &tenth, &admin);
    assert_eq!(moderate(&server, &admin, &second, "public").status, 200);
    assert_eq!(say(&server, 11).0, 201, "one is shown again");
}
