//! A cursor proves itself: a client is resumed if the log still is what it has received, and told to load anew if not.

use std::{fs, net::TcpListener};

use serde_json::{Value, json};

use crate::support::{
    client::{KEY, Response, bearer, get, posted, request},
    frames::Client,
    server::Server,
};

/// What a client keeps: the highest `seq` that it has received, and of which log and run.
#[derive(Debug, Clone)]
struct Cursor {
    log: String,
    mark: String,
    since: u64,
}

impl Cursor {
    /// From what carries both: a hello or a history.
    #[track_caller]
    fn of(source: &Value) -> Cursor {
        let text = |name: &str| source[name].as_str().unwrap_or_else(|| panic!("{source}")).into();
        Cursor { log: text("log"), mark: text("mark"), since: source["seq"].as_u64().unwrap() }
    }

    fn query(&self) -> String {
        format!("since={}&log={}&mark={}", self.since, self.log, self.mark)
    }

    fn without_mark(&self) -> String {
        format!("since={}&log={}", self.since, self.log)
    }
}

fn hello(server: &Server) -> Value {
    Client::full(server, "").json()["hello"].clone()
}

/// What a hello says of a resume, and the client that goes on.
fn resume(server: &Server, query: &str) -> (Value, Client) {
    let mut client = Client::full(server, query);
    (client.json()["hello"]["resumed"].clone(), client)
}

fn history(server: &Server, query: &str) -> Response {
    get(server, &format!("/api/comments?{query}"))
}

/// Both ways of asking on, with the lines that must come.
#[track_caller]
fn is_good(server: &Server, cursor: &Cursor, lines: &[&str]) {
    let (resumed, mut client) = resume(server, &cursor.query());
    assert_eq!(resumed, true, "{cursor:?}");
    let history = history(server, &cursor.query());
    assert_eq!(history.status, 200, "{history:?}");
    let comments = history.json()["comments"].as_array().unwrap().clone();
    assert_eq!(comments.len(), lines.len());
    for (line, content) in comments.iter().zip(lines) {
        assert_eq!((&line["content"], &client.line()), (&json!(content), line));
    }
}

#[track_caller]
fn is_stale(server: &Server, cursor: &Cursor) {
    let (resumed, mut client) = resume(server, &cursor.query());
    assert_eq!(resumed, false, "{cursor:?}");
    // Nothing of a history comes, only what is new.
    let new = posted(server, "news");
    assert_eq!(client.line(), new);
    let refused = history(server, &cursor.query());
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(refused.json()["code"], "stale_cursor");
    assert!(refused.error().contains(&format!("seq {}", cursor.since)), "{refused:?}");
}

/// Three comments, a backup, three more, of which a client has all, and the backup restored.
fn restored(server: &mut Server) -> (Cursor, Cursor) {
    (1..=3).for_each(|n| drop(posted(server, &format!("c{n}"))));
    let (backup, old) = (server.log_bytes(), Cursor::of(&hello(server)));
    (4..=6).for_each(|n| drop(posted(server, &format!("c{n}"))));
    let ahead = Cursor::of(&hello(server));
    assert_eq!((old.since, ahead.since), (3, 6));
    server.kill();
    server.write_log(&backup);
    server.restart();
    (old, ahead)
}

#[test]
fn a_restored_backup_is_noticed_by_whoever_has_more_than_it() {
    let mut server = Server::start(&[]);
    let (old, ahead) = restored(&mut server);
    // Before the restored log has caught up with the client, while it does, and behind it.
    is_stale(&server, &ahead);
    let names: Vec<String> = (1..=5).map(|n| format!("after {n}")).collect();
    names.iter().for_each(|name| drop(posted(&server, name)));
    is_stale(&server, &ahead);
    assert_eq!(hello(&server)["seq"].as_u64().unwrap(), 10);
    // What the backup holds is as it was, so whoever has no more than that goes on.
    let lines: Vec<&str> =
        ["news", "after 1", "after 2", "after 3", "after 4", "after 5", "news"].to_vec();
    is_good(&server, &old, &lines);
    // Whoever loads anew gets all of it, and a cursor that is good.
    let anew = history(&server, "").json();
    assert_eq!(anew["comments"].as_array().unwrap().len(), 3 + lines.len());
    is_good(&server, &Cursor::of(&anew), &[]);
    // And over another restart.
    server.kill();
    server.restart();
    is_stale(&server, &ahead);
    is_good(&server, &Cursor::of(&anew), &["news"]);
}

#[test]
fn without_a_mark_all_is_as_before() {
    let mut server = Server::start(&[]);
    let (_, ahead) = restored(&mut server);
    assert_eq!(resume(&server, &ahead.without_mark()).0, false, "seq 6 is not given yet");
    (1..=5).for_each(|n| drop(posted(&server, &format!("after {n}"))));
    let (resumed, mut client) = resume(&server, &ahead.without_mark());
    assert_eq!(resumed, true, "a client without a mark is believed");
    assert_eq!((client.line()["seq"].clone(), client.line()["seq"].clone()), (json!(7), json!(8)));
    for query in ["since=6", "since=6&log=0000000000000000", "since=99", "mark=0000000000000000"] {
        assert_eq!(history(&server, query).status, 200, "{query}");
    }
    let target = "/ws/comments/?last=1&mark=0000000000000000";
    let mut plain = Client::open(&server, target, "").unwrap();
    assert_eq!(plain.json()["content"], "after 5", "a plain client gets its lines and no hello");
}

#[test]
fn kill_and_restart_keep_cursors_good() {
    let mut server = Server::start(&[]);
    posted(&server, "c1");
    let first = Cursor::of(&hello(&server));
    let mut marks = vec![first.mark.clone()];
    for n in 2..=4 {
        posted(&server, &format!("c{n}"));
        server.kill();
        server.restart();
        is_good(&server, &first, &["c2", "c3", "c4"][..n - 1]);
        marks.push(hello(&server)["mark"].as_str().unwrap().to_owned());
    }
    // A cursor of any run, at any place that the log has.
    for mark in &marks {
        for since in 0..=4 {
            let cursor = Cursor { mark: mark.clone(), since, log: first.log.clone() };
            let given = marks.iter().position(|other| other == mark).unwrap() as u64 + 1;
            let resumed = resume(&server, &cursor.query()).0;
            // What a run has not given, nobody can have received in it.
            assert_eq!(resumed, since <= (given + 1).min(4), "{cursor:?}");
        }
    }
    marks.sort_unstable();
    marks.dedup();
    assert_eq!(marks.len(), 4, "each start has a mark of its own");
    assert!(marks.iter().all(|mark| mark.len() == 16), "{marks:?}");
}

#[test]
fn compaction_keeps_cursors_good() {
    let mut server = Server::start(&[]);
    for n in 1..=4 {
        let body = json!({"content": format!("c{n}"), "key": KEY});
        crate::support::client::post(&server, &body);
    }
    let cursor = Cursor::of(&hello(&server));
    // The line that the cursor names goes, and so does the last one of the log.
    for content in ["c4, edited", "c4, edited again"] {
        let body = json!({ "content": content }).to_string();
        request(&server, "PATCH", "/api/comments/4", &bearer(KEY), &body);
    }
    request(&server, "DELETE", "/api/comments/1", &bearer(KEY), "");
    server.compact();
    let (resumed, mut client) = resume(&server, &cursor.query());
    assert_eq!(resumed, true);
    assert_eq!((client.line()["seq"].clone(), client.line()["seq"].clone()), (json!(6), json!(7)));
    server.stop();
    server.compact();
    server.restart();
    assert_eq!(resume(&server, &cursor.query()).0, true);
    assert_eq!(history(&server, &cursor.query()).json()["comments"].as_array().unwrap().len(), 2);
}

#[test]
fn a_runs_file_that_is_lost_or_damaged_proves_no_cursor_and_is_begun_anew() {
    let mut server = Server::start(&[]);
    posted(&server, "c1");
    let file = server.data().join("runs");
    let damages: [&dyn Fn(); 4] = [
        &|| fs::remove_file(&file).unwrap(),
        &|| fs::write(&file, "").unwrap(),
        &|| fs::write(&file, b"\xff\x00 not what was written\n".repeat(10_000)).unwrap(),
        &|| {
            let text = fs::read_to_string(&file).unwrap();
            fs::write(&file, text.replacen(" 2 ", " 1 ", 1)).unwrap();
        },
    ];
    for damage in damages {
        let cursor = Cursor::of(&hello(&server));
        server.kill();
        damage();
        server.restart();
        assert_eq!(resume(&server, &cursor.query()).0, false);
        assert_eq!(history(&server, &cursor.query()).status, 409);
        assert_eq!(resume(&server, &cursor.without_mark()).0, true);
        let cursor = Cursor::of(&hello(&server));
        server.stop();
        server.restart();
        is_good(&server, &cursor, &[]);
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_full_disk_keeps_no_reader_away_and_proves_no_cursor_later() {
    let builder = Server::builder();
    let full = builder.data_path().with_file_name("full");
    let line = "if [ -e \"$FULL\" ]; then ulimit -f 0; fi;";
    let mut server = builder.shell(line).env("FULL", &full).start();
    posted(&server, "c1");
    let before = Cursor::of(&hello(&server));
    server.kill();
    fs::write(&full, "").unwrap();
    server.restart();
    is_good(&server, &before, &[]);
    let here = Cursor::of(&hello(&server));
    is_good(&server, &here, &[]);
    assert!(!server.data().join("runs").exists(), "without this run it would prove too much");
    server.kill();
    fs::remove_file(&full).unwrap();
    server.restart();
    for cursor in [before, here] {
        assert_eq!(resume(&server, &cursor.query()).0, false, "{cursor:?}");
    }
    is_good(&server, &Cursor::of(&hello(&server)), &[]);
}

#[test]
fn another_log_in_the_same_folder_proves_no_cursor_of_the_one_before() {
    let mut server = Server::start(&[]);
    posted(&server, "c1");
    let cursor = Cursor::of(&hello(&server));
    server.kill();
    fs::remove_file(server.log()).unwrap();
    server.restart();
    (1..=3).for_each(|n| drop(posted(&server, &format!("new {n}"))));
    for query in [cursor.query(), format!("since=0&log={}&mark={}", cursor.log, cursor.mark)] {
        assert_eq!(resume(&server, &query).0, false, "{query}");
        assert_eq!(history(&server, &query).status, 409, "{query}");
    }
    // Even where the client does not say which log it comes from.
    let query = format!("since=1&mark={}", cursor.mark);
    assert_eq!(history(&server, &query).status, 409);
}

#[test]
fn a_cursor_of_1024_starts_ago_is_not_proved() {
    let mut server = Server::start(&[]);
    posted(&server, "c1");
    let first = Cursor::of(&hello(&server));
    let file = server.data().join("runs");
    let lines = || fs::read_to_string(&file).unwrap().lines().count();
    assert_eq!(lines(), 1);
    server.stop();
    // Starts that find their port taken use up none.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = server.run(&["--listen", &taken.local_addr().unwrap().to_string()]);
    assert_eq!((output.status.code(), lines()), (Some(1), 1), "{output:?}");
    // As the documentation describes the file: the newest run first, each checksum going on from the one before.
    let newer = (2..1_024).rev().map(|n| format!("{n:016x} 2"));
    let (mut text, mut crc) = (String::new(), crc32c::crc32c(first.log.as_bytes()));
    for fields in newer.chain([format!("{} 1", first.mark)]) {
        crc = crc32c::crc32c_append(crc, fields.as_bytes());
        text.push_str(&format!("{fields} {crc:08x}\n"));
    }
    fs::write(&file, text).unwrap();
    assert_eq!(lines(), 1_023);
    server.restart();
    assert_eq!(lines(), 1_024);
    is_good(&server, &first, &[]);
    server.kill();
    server.restart();
    assert_eq!(lines(), 1_024);
    assert_eq!(resume(&server, &first.query()).0, false, "1,024 starts ago");
}

#[test]
fn everything_that_carries_the_log_carries_the_mark() {
    let mut server = Server::start(&[]);
    posted(&server, "c1");
    let hello_1 = hello(&server);
    assert_eq!(hello_1["resumed"], Value::Null, "nothing was asked for");
    assert!(hello_1.as_object().unwrap().contains_key("resumed"));
    let (log, mark) = (hello_1["log"].as_str().unwrap(), hello_1["mark"].as_str().unwrap());
    for query in ["", "before=9", "since=0", "page=elsewhere"] {
        let history = history(&server, query).json();
        assert_eq!((&history["log"], &history["mark"]), (&json!(log), &json!(mark)), "{query}");
    }
    let page = get(&server, "/");
    let cursor = format!("data-log=\"{log}\" data-mark=\"{mark}\" data-seq=\"1\"");
    assert!(page.body.contains(&cursor), "{}", page.body);
    let etag = format!("If-None-Match: {}\r\n", page.header("etag").unwrap());
    assert_eq!(request(&server, "GET", "/", &etag, "").status, 304);
    let kept = Cursor::of(&history(&server, "").json());
    server.stop();
    server.restart();
    // A page that a browser keeps would have the mark of a run that has ended.
    assert_eq!(request(&server, "GET", "/", &etag, "").status, 200);
    assert_ne!(hello(&server)["mark"], mark);
    is_good(&server, &kept, &[]);
}
