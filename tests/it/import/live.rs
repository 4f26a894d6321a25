//! `sayso import` into a running server while people read and write, and what becomes of it when the server is killed.

use std::{fs, io, thread};

use serde_json::{Value, json};

use super::program::{comments, ids, import, imports, lines, stopped};
use crate::support::{
    client::{TOKEN, bearer, get, history_since, post, request},
    frames::Client,
    server::{Folder, Server},
};

/// Comments in one step of an import at most.
const STEP_MAX: usize = sayso::hub::imports::IMPORTED_AT_ONCE_MAX;

fn say(server: &Server, page: &str, content: &str) -> u64 {
    let response = post(server, &json!({"page": page, "content": content}));
    assert_eq!(response.status, 201, "{response:?}");
    response.json()["id"].as_u64().unwrap()
}

/// Follows a page on a thread of its own, and returns the ids of what comes up to a comment that says "the end".
fn read_to_the_end(mut reader: Client) -> thread::JoinHandle<Vec<u64>> {
    thread::spawn(move || {
        let mut ids = Vec::new();
        loop {
            let line = reader.line();
            ids.push(line["id"].as_u64().unwrap());
            if line["content"] == "the end" {
                return ids;
            }
        }
    })
}

/// Each third line answers the one before it.
fn with_answers(text: &str, count: u64) -> String {
    let mut text = text.to_owned();
    for n in (3..=count).step_by(3) {
        text = text.replace(&format!("\"id\":{n},"), &format!("\"id\":{n},\"parent\":{},", n - 1));
    }
    text
}

#[test]
fn an_import_into_a_long_page_that_is_read_reaches_everyone_once_and_stands_at_its_place() {
    const OLD: u64 = 600;
    const NEW: u64 = 1_200;
    let folder = Folder::new();
    let (old, new) = (folder.join("old"), folder.join("new"));
    let mut server = Server::builder().moderator(TOKEN).stopped();
    fs::write(&old, lines("p", 1_000, OLD)).unwrap();
    imports(&server, &["--from", "sayso", &old]);
    server.restart();
    let here = say(&server, "p", "here");
    // Half of them are older than all that there is, the others stand among it.
    let text = lines("p", 400, NEW).replace("elsewhere-p", "elsewhere-q");
    fs::write(&new, with_answers(&text, NEW)).unwrap();
    let mut late = Client::full(&server, "page=p&last=3");
    let hello = late.json()["hello"].clone();
    for id in [OLD - 1, OLD, here] {
        assert_eq!(late.line()["id"], id);
    }
    let plain = Client::open(&server, "/ws/comments/?page=p", "").unwrap();
    let readers = [late, plain, Client::full(&server, "page=p")].map(read_to_the_end);
    let mut counter = Client::full(&server, "count=p");
    imports(&server, &["--from", "sayso", &new]);
    let end = say(&server, "p", "the end");
    let imported = here + 1..=here + NEW;
    assert_eq!(end, here + NEW + 1);
    for reader in readers {
        assert!(reader.join().unwrap().into_iter().eq(imported.clone().chain([end])));
    }
    counter.until(&json!({"counts": {"p": OLD + NEW + 2}}));

    let mut order: Vec<(u64, u64)> = (1..=OLD).map(|id| (1_000 + id, id)).collect();
    order.extend((1..=NEW).map(|n| (400 + n, here + n)));
    order.extend([(u64::MAX, here), (u64::MAX, end)]);
    order.sort_unstable();
    let order: Vec<u64> = order.into_iter().map(|(_, id)| id).collect();
    let is_answer = |id: &u64| imported.contains(id) && (id - here).is_multiple_of(3);
    let roots: Vec<u64> = order.iter().copied().filter(|id| !is_answer(id)).collect();
    for _ in 0..2 {
        for (query, expected) in [("limit=200", &order), ("threads=50", &roots)] {
            let (mut found, mut before) = (Vec::new(), String::new());
            loop {
                let mut part = ids(&server, &format!("page=p&{query}{before}"));
                if query == "threads=50" {
                    part.retain(|id| !is_answer(id));
                }
                let Some(first) = part.first() else { break };
                before = format!("&before={first}");
                found.splice(0..0, part);
            }
            assert!(found == *expected, "{query}: {found:?}");
        }
        let missed: Vec<u64> = history_since(&server, "p", here)
            .iter()
            .map(|line| line["id"].as_u64().unwrap())
            .collect();
        assert!(missed.into_iter().eq(imported.clone().chain([end])));
        assert_eq!(get(&server, "/api/counts?page=p").json()["p"], OLD + NEW + 2);
        assert_eq!(ids(&server, &format!("page=p&thread={}", here + 3)), [here + 2, here + 3]);
        let target = format!("/api/admin/comments?q=%23sayso-{}", here + 600);
        let found = request(&server, "GET", &target, &bearer(TOKEN), "").json();
        assert_eq!(found["comments"][0]["content"], "imported 600");
        let mut newest = Client::full(&server, "page=p&last=2");
        assert_eq!([newest.line(), newest.line()].map(|line| line["id"].clone()), [here, end]);
        // Who has missed more than a resume may bring begins anew, who has missed less goes on.
        for (since, resumed) in [(here, false), (end - 1_001, false), (end - 1_000, true)] {
            let log = hello["log"].as_str().unwrap();
            let mut back = Client::full(&server, &format!("page=p&since={since}&log={log}"));
            assert_eq!(back.json()["hello"]["resumed"], resumed, "{since}");
            let mut brought = (since + 1..=end).filter(|_| resumed);
            assert!(brought.all(|id| back.line()["id"] == id), "{since}");
        }
        server.restart();
    }
}

#[test]
fn a_reader_too_slow_for_an_import_is_sent_away_and_finds_the_rest_while_others_stay() {
    const COMMENTS: u64 = 4_000;
    let server = Server::start(&[]);
    let folder = Folder::new();
    let file = folder.join("lines");
    let text = lines("p", 1, COMMENTS).replace("imported ", &"a long text ".repeat(40));
    fs::write(&file, text).unwrap();
    let mut slow = Client::full(&server, "page=p");
    let log = slow.json()["hello"]["log"].as_str().unwrap().to_owned();
    let reader = read_to_the_end(Client::full(&server, "page=p"));
    imports(&server, &["--from", "sayso", &file]);
    let end = say(&server, "p", "the end");
    assert_eq!(reader.join().unwrap(), (1..=COMMENTS + 1).collect::<Vec<_>>());
    let mut last = 0;
    let code = loop {
        let message = match slow.socket.read() {
            Ok(message) => message,
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                panic!("after {last}, neither comments nor an end come: {error}")
            }
            // Whoever takes none of it for 5 s more, as on a busy machine, is cut off without being told why.
            Err(_) => break None,
        };
        match message {
            tungstenite::Message::Text(text) => {
                let line: Value = serde_json::from_str(&text).unwrap();
                if let Some(id) = line["id"].as_u64() {
                    assert_eq!(id, last + 1, "without a gap");
                    last = id;
                }
            }
            tungstenite::Message::Close(frame) => break frame.map(|frame| u16::from(frame.code)),
            _ => {}
        }
    };
    assert!(matches!(code, None | Some(1013)), "{code:?}");
    assert!(0 < last && last + 1_000 < COMMENTS, "{last} came before the outbox was full");
    let mut back = Client::full(&server, &format!("page=p&since={last}&log={log}"));
    assert_eq!(back.json()["hello"]["resumed"], false);
    let missed = history_since(&server, "p", last);
    let missed = missed.iter().map(|line| line["id"].as_u64().unwrap());
    assert!(missed.eq(last + 1..=end));
}

#[test]
fn no_batch_has_more_than_one_step_of_an_import() {
    const COMMENTS: u64 = 3_000;
    const POSTS: u64 = 300;
    let server = Server::start(&[]);
    let folder = Folder::new();
    let files = ["p", "q"].map(|page| {
        let file = folder.join(page);
        fs::write(&file, lines(page, 1, COMMENTS)).unwrap();
        file
    });
    thread::scope(|scope| {
        for file in &files {
            scope.spawn(|| imports(&server, &["--from", "sayso", file]));
        }
        let mut author = Client::full(&server, "page=r");
        for _ in 0..POSTS {
            author.send(&json!({"content": "meanwhile"}));
            assert_eq!(author.line()["content"], "meanwhile");
        }
    });
    let (mut batch, mut longest, mut posts) = (0, 0, 0);
    for line in server.log_text().lines().skip(1) {
        let is_imported = line.contains("\"imported\":");
        batch += usize::from(is_imported);
        posts += u64::from(!is_imported);
        longest = longest.max(batch);
        if !line.contains("\"more\":1") {
            batch = 0;
        }
    }
    assert_eq!(posts, POSTS);
    assert!(0 < longest && longest <= STEP_MAX, "{longest} lines in one batch");
    server.check();
}

#[test]
fn an_import_into_a_server_that_is_killed_goes_on_where_it_was() {
    const COMMENTS: u64 = 3_000;
    let folder = Folder::new();
    let file = folder.join("lines");
    fs::write(&file, with_answers(&lines("p", 1, COMMENTS), COMMENTS)).unwrap();
    let whole = stopped();
    imports(&whole, &["--from", "sayso", &file]);
    let mut server = Server::start(&[]);
    let mut kills = 0;
    loop {
        let before = fs::metadata(server.log()).unwrap().len();
        let killed = thread::scope(|scope| {
            let pid = server.pid();
            let log = server.log();
            let importing = scope.spawn(|| import(&server, &["--from", "sayso", &file]));
            while !importing.is_finished() {
                if fs::metadata(&log).unwrap().len() > before + 20_000 {
                    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
                    break;
                }
                thread::yield_now();
            }
            let (said, code) = importing.join().unwrap();
            assert!(code == 0 || said.contains("the same command goes on"), "{said}");
            code != 0
        });
        if !server.is_running() {
            server.restart();
            server.check();
        }
        if !killed {
            break;
        }
        kills += 1;
    }
    assert!(kills > 0, "it was never killed");
    let again = imports(&server, &["--from", "sayso", &file]);
    assert!(again.contains(": 0 new comments"), "{again}");
    assert_eq!(comments(&server), comments(&whole));
}
