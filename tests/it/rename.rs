//! Pages that move, and the order of a page whose comments were not all written here: on the real program.

use serde_json::{Value, json};

use sayso::log::trailer::append_trailer;

use crate::support::{
    client::{KEY, TOKEN, bearer, get, post, request},
    frames::Client,
    server::Server,
};

fn say(server: &Server, page: &str, parent: Option<u64>) -> u64 {
    let mut message = json!({"page": page, "content": format!("on {page}"), "key": KEY});
    if let Some(parent) = parent {
        message["parent"] = parent.into();
    }
    let response = post(server, &message);
    assert_eq!(response.status, 201, "{response:?}");
    response.json()["id"].as_u64().unwrap()
}

fn ids(server: &Server, query: &str) -> Vec<u64> {
    let response = get(server, &format!("/api/comments?{query}"));
    assert_eq!(response.status, 200, "{query}: {response:?}");
    let comments = response.json()["comments"].as_array().unwrap().clone();
    comments.iter().map(|comment| comment["id"].as_u64().unwrap()).collect()
}

/// What a command prints on either output, and its exit code.
fn run(server: &Server, arguments: &[&str]) -> (String, i32) {
    let output = server.run(arguments);
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.code().unwrap())
}

#[track_caller]
fn rename(server: &Server, old: &str, new: &str, comments: &str) {
    let said = format!("page {old:?} lives at {new:?} now, with {comments}\n");
    assert_eq!(run(server, &["rename", old, new]), (said, 0));
}

#[test]
fn a_page_that_has_moved_is_read_and_written_under_both_names_for_ever() {
    let mut server = Server::start(&["--rate", "off"]);
    let (a, b, c) =
        (say(&server, "old", None), say(&server, "new", None), say(&server, "old", None));
    say(&server, "elsewhere", None);
    rename(&server, "old", "new", "2 comments");
    let answer = say(&server, "new", Some(a));
    let other = say(&server, "old", Some(b));
    let last = say(&server, "old", None);
    let check = |server: &Server| {
        for page in ["old", "new"] {
            assert_eq!(ids(server, &format!("page={page}")), [a, b, c, answer, other, last]);
            let threads = ids(server, &format!("page={page}&threads=50"));
            assert_eq!(threads, [a, answer, b, other, c, last], "{page}");
            assert_eq!(ids(server, &format!("page={page}&thread={other}")), [b, other]);
            assert_eq!(ids(server, &format!("page={page}&before={c}")), [a, b]);
            assert_eq!(ids(server, &format!("page={page}&since={c}")), [answer, other, last]);
        }
        let counts = get(server, "/api/counts?page=old&page=new&page=elsewhere").json();
        assert_eq!(counts, json!({"old": 6, "new": 6, "elsewhere": 1}));
        let shown = get(server, "/?page=old").body;
        assert_eq!(shown.matches("on new</").count(), 2);
    };
    check(&server);
    // Lines keep the page they were written with.
    let line = get(&server, "/api/comments?page=new").json()["comments"][0].clone();
    assert_eq!(line["page"], "old");
    server.restart();
    check(&server);
    server.compact();
    check(&server);
    server.restart();
    check(&server);
    server.check();
    // What is done to a comment may be done on either page.
    for page in ["old", "new"] {
        let mut reader = Client::full(&server, &format!("page={page}"));
        reader.send(&json!({"like": b, "on": page == "old", "key": KEY}));
        let likes = u8::from(page == "old");
        reader.until(&json!({"likes": {b.to_string(): likes}}));
        reader.send(&json!({"edit": c, "content": format!("on {page}: edited"), "key": KEY}));
        assert_eq!(reader.line()["page"], "old");
    }
    let already = "page \"old\" lives where \"new\" does already\n".to_owned();
    assert_eq!(run(&server, &["rename", "old", "new"]), (already, 0));
    for (old, new, why) in [
        ("new", "old", "can't be moved to itself"),
        ("new", "new", "can't be moved to itself"),
        ("old", "third", "has moved to \"new\" already"),
    ] {
        let (said, code) = run(&server, &["rename", old, new]);
        assert!(code == 1 && said.contains(why), "{said}");
    }
    rename(&server, "new", "third", "6 comments");
    assert_eq!(ids(&server, "page=old"), ids(&server, "page=third"));
    assert!(server.stop().success());
    // The same with nobody at work.
    let said = "page \"elsewhere\" lives at \"third\" now, with 1 comment\n".to_owned();
    assert_eq!(run(&server, &["rename", "elsewhere", "old"]), (said, 0));
    server.restart();
    assert_eq!(ids(&server, "page=elsewhere"), [a, b, c, 4, answer, other, last]);
    assert_eq!(ids(&server, "page=new"), ids(&server, "page=third"));
}

#[test]
fn who_reads_a_page_while_it_moves_goes_on_and_learns_what_came_from_the_other_one() {
    let server = Server::start(&["--rate", "off"]);
    say(&server, "old", None);
    say(&server, "new", None);
    let history = get(&server, "/api/comments?page=new").json();
    let [log, mark] = ["log", "mark"].map(|name| history[name].as_str().unwrap().to_owned());
    let cursor =
        |page: &str, since: u64| format!("page={page}&since={since}&log={log}&mark={mark}");
    let mut counter =
        Client::open(&server, "/ws/comments/?count=old&count=new&count=x", "").unwrap();
    assert_eq!(counter.json(), json!({"counts": {"old": 1, "new": 1, "x": 0}}));
    let mut readers = ["old", "new"].map(|page| Client::full(&server, &format!("page={page}")));
    let mut third = Client::full(&server, "page=elsewhere");
    rename(&server, "old", "new", "1 comment");
    for reader in &mut readers {
        // The move's own line: nobody has received it, so everybody looks for what is missing.
        reader.until(&json!({"seq": 3}));
    }
    for (page, id) in [("old", 4), ("new", 5)] {
        assert_eq!(say(&server, page, None), id);
        for reader in &mut readers {
            let line = reader.line();
            assert_eq!((&line["id"], &line["page"]), (&json!(id), &json!(page)));
        }
    }
    // What a reader posts goes to all, too, and how many there are is told to all.
    readers[0].send(&json!({"content": "by a reader"}));
    for reader in &mut readers {
        assert_eq!(reader.line()["content"], "by a reader");
        reader.send(&json!({"typing": true}));
    }
    let mut newcomer = Client::full(&server, "page=old");
    assert_eq!(newcomer.json()["hello"]["readers"], 3);
    readers[1].until(&json!({"readers": 3}));
    counter.until(&json!({"counts": {"old": 5, "new": 5}}));
    // Comments with a lower seq have come to the page: no cursor from before it proves anything.
    for (page, since, is_good) in
        [("old", 2, false), ("new", 2, false), ("old", 3, true), ("new", 4, true)]
    {
        let query = cursor(page, since);
        let mut reader = Client::full(&server, &query);
        assert_eq!(reader.json()["hello"]["resumed"], is_good, "{query}");
        let response = get(&server, &format!("/api/comments?{query}"));
        assert_eq!(response.status, if is_good { 200 } else { 409 }, "{response:?}");
    }
    say(&server, "elsewhere", None);
    assert_eq!(third.line()["page"], "elsewhere", "nobody else is told");
}

#[test]
fn a_page_that_moves_to_an_empty_one_takes_its_readers_and_their_cursors_along() {
    let server = Server::start(&["--rate", "off"]);
    say(&server, "old", None);
    let history = get(&server, "/api/comments?page=old").json();
    let [log, mark] = ["log", "mark"].map(|name| history[name].as_str().unwrap().to_owned());
    let mut readers = ["old", "new"].map(|page| Client::full(&server, &format!("page={page}")));
    assert_eq!(run(&server, &["lock", "old"]).1, 0);
    readers[0].until(&json!({"locked": true}));
    rename(&server, "old", "new", "1 comment");
    // The new page is closed as the old one was.
    readers[1].until(&json!({"locked": true}));
    let seq = json!({"seq": 1});
    readers.iter_mut().for_each(|reader| reader.until(&seq));
    let closed = post(&server, &json!({"page": "new", "content": "words"}));
    assert_eq!((closed.status, &closed.json()["code"]), (403, &json!("page_locked")));
    assert_eq!(run(&server, &["unlock", "old"]).1, 0);
    readers.iter_mut().for_each(|reader| reader.until(&json!({"locked": false})));
    assert_eq!(say(&server, "new", None), 6);
    let mut reader = Client::full(&server, &format!("page=old&since=1&log={log}&mark={mark}"));
    assert_eq!(reader.json()["hello"]["resumed"], true);
    assert_eq!(reader.line()["id"], 6);
}

#[test]
fn all_pages_below_an_address_move_together() {
    let server = Server::builder().flags(&["--rate", "off"]).moderator(TOKEN).start();
    let pages =
        ["old.example/", "old.example/b", "old.example/a/x", "older.example/", "new.example/b"];
    for page in pages {
        say(&server, page, None);
    }
    let said = "page \"old.example/\" lives at \"new.example/\" now, with 1 comment\n\
                page \"old.example/a/x\" lives at \"new.example/a/x\" now, with 1 comment\n\
                page \"old.example/b\" lives at \"new.example/b\" now, with 1 comment\n";
    let rename = ["rename", "--prefix", "old.example/", "new.example/"];
    assert_eq!(run(&server, &rename), (said.into(), 0));
    let none = "no page with comments begins with \"old.example/\"\n";
    assert_eq!(run(&server, &rename), (none.into(), 0));
    assert_eq!(ids(&server, "page=old.example/b"), [2, 5]);
    let (said, code) = run(&server, &["rename", "--prefix", "new.example/", "new.example/blog/"]);
    assert!(code == 1 && said.contains("circle"), "{said}");
    // Over HTTP likewise, for moderators.
    let body = json!({"page": "older.example/", "to": "old.example/b"}).to_string();
    let response = request(&server, "POST", "/api/admin/moves", &bearer(TOKEN), &body);
    let moved = json!([{"page": "older.example/", "to": "new.example/b", "comments": 1}]);
    assert_eq!((response.status, &response.json()["moved"]), (200, &moved), "{response:?}");
    let again = request(&server, "POST", "/api/admin/moves", &bearer(TOKEN), &body);
    assert_eq!(again.json(), json!({"moved": []}));
    let back = json!({"page": "new.example/b", "to": "older.example/"}).to_string();
    let refused = request(&server, "POST", "/api/admin/moves", &bearer(TOKEN), &back);
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("cant_move")));
    let nobody = request(&server, "POST", "/api/admin/moves", &bearer(KEY), &body);
    assert_eq!(nobody.status, 401, "{nobody:?}");
}

#[test]
fn five_hundred_pages_move_at_once_and_the_others_when_asked_again() {
    let flags = ["--rate", "off", "--sync", "never"];
    let server = Server::builder().flags(&flags).moderator(TOKEN).start();
    for number in 0..501 {
        say(&server, &format!("old/{number}"), None);
    }
    let mut body = json!({"page": "old/", "to": "new/", "prefix": true});
    let step = |server: &Server| {
        let body = body.to_string();
        let response = request(server, "POST", "/api/admin/moves", &bearer(TOKEN), &body);
        assert_eq!(response.status, 200, "{response:?}");
        let answer = response.json();
        (answer["moved"].as_array().unwrap().len(), answer["more"] == true)
    };
    assert_eq!([(); 3].map(|()| step(&server)), [(500, true), (1, false), (0, false)]);
    let counts = get(&server, "/api/counts?page=old/0&page=new/0&page=new/500").json();
    assert_eq!(counts, json!({"old/0": 1, "new/0": 1, "new/500": 1}));
    // A name that would be too long moves nothing.
    body = json!({"page": "new/50", "to": "x".repeat(512), "prefix": true});
    let response = request(&server, "POST", "/api/admin/moves", &bearer(TOKEN), &body.to_string());
    assert_eq!((response.status, &response.json()["code"]), (400, &json!("page_length")));
}

/// A log with comments that were written here, at minute 10, 20 … of an hour, and with imported ones.
fn log_of(lines: &[(u64, &str, u32, Option<u64>, bool)]) -> Vec<u8> {
    let header = json!({"sayso": 1, "log": "9c41f0aa53d7e6b2", "created_at": "2026-01-01T00:00:00.000Z", "next": 1});
    let lines = lines.iter().map(|(id, page, minute, parent, is_imported)| {
        let parent = parent.map_or(String::new(), |parent| format!(",\"parent\":{parent}"));
        let imported = if *is_imported { ",\"imported\":\"disqus\"" } else { "" };
        format!(
            "{{\"seq\":{id},\"id\":{id},\"page\":\"{page}\"{parent},\"content\":\"c{id}\",\
             \"created_at\":\"2026-01-01T10:{minute:02}:00.000Z\"{imported}"
        )
    });
    let header = header.to_string();
    let (mut bytes, mut crc) = (Vec::new(), 0);
    for line in [header.trim_end_matches('}').to_owned()].into_iter().chain(lines) {
        let start = bytes.len();
        bytes.extend_from_slice(line.as_bytes());
        crc = append_trailer(&mut bytes, start, false, crc);
    }
    bytes
}

#[test]
fn imported_comments_stand_where_their_times_are_and_a_cursor_is_an_id() {
    let mut server = Server::builder().flags(&["--rate", "off"]).moderator(TOKEN).stopped();
    server.write_log(log_of(&[
        (1, "a", 10, None, false),
        (2, "a", 20, None, false),
        (3, "a", 30, Some(1), false),
        (4, "a", 5, None, true),
        (5, "a", 20, None, true),
        (6, "a", 15, Some(1), true),
        (7, "a", 3, Some(4), true),
        (8, "a", 40, None, false),
        (9, "b", 25, None, true),
    ]));
    server.restart();
    let check = |server: &Server| {
        assert_eq!(ids(server, "page=a"), [7, 4, 1, 6, 2, 5, 3, 8]);
        assert_eq!(ids(server, "page=a&limit=3"), [5, 3, 8]);
        assert_eq!(ids(server, "page=a&limit=3&before=5"), [1, 6, 2]);
        assert_eq!(ids(server, "page=a&limit=3&before=1"), [7, 4]);
        assert_eq!(ids(server, "page=a&threads=50"), [4, 7, 1, 6, 3, 2, 5, 8]);
        assert_eq!(ids(server, "page=a&threads=2&before=2"), [4, 7, 1, 6, 3]);
        assert_eq!(ids(server, "page=a&threads=2&after=0"), [4, 7, 1, 6, 3]);
        assert_eq!(ids(server, "page=a&threads=2&after=1"), [2, 5]);
        assert_eq!(ids(server, "page=a&thread=3&limit=2"), [1, 6]);
        assert_eq!(ids(server, "page=a&thread=3&after=6"), [3]);
        assert_eq!(ids(server, "page=a&since=2"), [3, 4, 5, 6, 7, 8]);
        let mut reader = Client::full(server, "page=a&last=2");
        assert_eq!([reader.line()["id"].clone(), reader.line()["id"].clone()], [3, 8]);
    };
    check(&server);
    let edit = json!({"content": "edited"}).to_string();
    let response = request(&server, "PATCH", "/api/comments/4", &bearer(TOKEN), &edit);
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(ids(&server, "page=a&limit=2&before=1"), [7, 4]);
    server.compact();
    server.restart();
    let all = [7, 4, 1, 6, 2, 5, 3, 8];
    assert_eq!(ids(&server, "page=a"), all);
    // A tombstone keeps its place, even when only it is left.
    let response = request(&server, "DELETE", "/api/comments/7", &bearer(TOKEN), "");
    assert_eq!(response.status, 200, "{response:?}");
    server.compact();
    server.restart();
    assert_eq!(ids(&server, "page=a"), all);
    // Another page's comments are sorted in.
    rename(&server, "b", "a", "1 comment");
    for page in ["a", "b"] {
        assert_eq!(ids(&server, &format!("page={page}")), [7, 4, 1, 6, 2, 5, 9, 3, 8]);
    }
    let newest = say(&server, "b", None);
    assert_eq!(
        ids(&server, "page=a&limit=2"),
        [8, newest],
        "the clock goes on from those written here"
    );
    let Value::String(time) =
        get(&server, "/api/comments?page=a&limit=1").json()["comments"][0]["created_at"].clone()
    else {
        panic!("a comment has a time");
    };
    assert!(*time > *"2026-01-01T10:40", "{time}");
    server.restart();
    assert_eq!(ids(&server, "page=a"), [7, 4, 1, 6, 2, 5, 9, 3, 8, newest]);
}
