//! The real server on a full disk, on one that fails, killed at any moment, and copied while it writes.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::Instant,
};

use serde_json::{Value, json};

use crate::{
    model::Chance,
    support::{
        client::{KEY, Response, bearer, get, history_since, post, posted, request},
        frames::Client,
        server::{Folder, Server, Signal, TIMEOUT, output},
    },
};

/// A small disk of its own, gone with the test. Only root can have one.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    pub fn mount(path: &Path, bytes: u64) -> Option<SmallDisk> {
        fs::create_dir_all(path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "none"]).arg(path);
        let output = mount.output().ok()?;
        if output.status.success() {
            return Some(SmallDisk(path.to_owned()));
        }
        println!("no small disk: {}", String::from_utf8_lossy(&output.stderr).trim());
        None
    }

    /// A file that leaves less than `bytes` of the disk.
    pub fn fill(&self, bytes: usize) {
        let mut length = 0;
        while fs::write(self.0.join("filler"), vec![1; length + 4_096]).is_ok() {
            length += 4_096;
        }
        fs::write(self.0.join("filler"), vec![1; length - bytes]).unwrap();
    }

    pub fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn post_with(server: &Server, content: &str, nonce: &str) -> Response {
    post(server, &json!({"content": content, "nonce": nonce}))
}

/// Posts until there is no room, and says which post was refused.
fn post_until_full(server: &Server, reader: &mut Client) -> String {
    for n in 0..10_000 {
        let nonce = format!("filling-the-disk-{n:05}");
        let response = post_with(server, &"x".repeat(6_000), &nonce);
        if response.status != 201 {
            assert_eq!(response.status, 503, "{response:?}");
            assert_eq!(response.error(), "storage is full, try again");
            assert_eq!(response.header("retry-after").as_deref(), Some("5"));
            return nonce;
        }
        assert_eq!(reader.line()["nonce"], nonce.as_str());
    }
    panic!("the disk never fills up");
}

/// The whole of it, whatever makes the disk full.
fn a_full_disk(server: &mut Server, fill: &dyn Fn(&Server), make_room: &dyn Fn(&Server)) {
    let mut reader = Client::full(server, "");
    let mut author = Client::full(server, "");
    posted(server, "while there is room");
    assert_eq!(reader.line()["content"], "while there is room");
    let response = post_with(server, "with a nonce", "before-the-disk-is-full");
    assert_eq!((response.status, &reader.line()["content"]), (201, &json!("with a nonce")));
    fill(server);
    let refused = post_until_full(server, &mut reader);
    author.line();
    author.send(&json!({"content": "y".repeat(6_000), "nonce": "over-the-websocket"}));
    let error = std::iter::from_fn(|| Some(author.line()))
        .find(|line| line.get("error").is_some())
        .unwrap();
    let expected = json!({
        "error": "storage is full, try again", "code": "storage_full", "retry_after": 5,
        "nonce": "over-the-websocket"
    });
    assert_eq!(error, expected);
    // What is stored is answered as ever, and makes nothing new.
    let again = post_with(server, "whatever", "before-the-disk-is-full");
    assert_eq!((again.status, &again.json()["content"]), (200, &json!("with a nonce")));
    // Whoever reads notices nothing.
    author.send(&json!({"typing": true, "name": "Ada"}));
    reader.until(&json!({"typing": "Someone"}));
    let newest = get(server, "/api/comments?limit=1");
    assert_eq!(newest.status, 200);
    assert_eq!(get(server, "/").status, 200);
    server.check();
    assert!(server.log_bytes().ends_with(b"\"}\n"), "no half line");
    make_room(server);
    let response = post_with(server, &"x".repeat(6_000), &refused);
    assert_eq!(response.status, 201, "what was refused is new: {response:?}");
    assert_eq!(reader.line()["nonce"], refused.as_str());
    let last = newest.json()["comments"][0]["seq"].as_u64().unwrap();
    assert_eq!(response.json()["seq"], last + 1, "what was refused has used up no seq");
    server.check();
    assert!(server.stop().success());
    server.check();
}

#[test]
fn a_full_disk_refuses_posts_and_nothing_else_until_there_is_room() {
    let mut server = Server::builder().stopped();
    let Some(disk) = SmallDisk::mount(server.data(), 1 << 20) else { return };
    server.restart();
    a_full_disk(&mut server, &|_| disk.fill(50_000), &|_| disk.make_room());
}

#[test]
fn a_limit_of_the_file_size_is_a_full_disk_too() {
    let mut server = Server::start(&[]);
    let fill = |server: &Server| server.limit_file_size(Some(50_000));
    a_full_disk(&mut server, &fill, &|server| server.limit_file_size(None));
}

#[test]
fn a_compaction_that_finds_no_room_leaves_nothing_of_itself_behind() {
    let mut server = Server::builder().stopped();
    let Some(disk) = SmallDisk::mount(server.data(), 1 << 20) else { return };
    server.restart();
    for n in 0..60 {
        posted(&server, &format!("{n}: {}", "x".repeat(6_000)));
    }
    disk.fill(100_000);
    let output = server.run(&["compact"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!disk.0.join("comments.jsonl.new").exists(), "what was begun holds the room for ever");
    posted(&server, "there is as much room as before");
    server.check();
    disk.make_room();
    server.compact();
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 61}));
    server.check();
}

/// Makes `fdatasync` fail as long as a file is there.
const FAILING_SYNC: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
int fdatasync(int file) {
    const char *trigger = getenv("SYNC_FAILS_WHILE");
    if (trigger && access(trigger, F_OK) == 0) { errno = EIO; return -1; }
    return syscall(SYS_fdatasync, file);
}
"#;

/// The library that does, or why there is none.
fn failing_sync(folder: &Path) -> Result<PathBuf, String> {
    let (source, library) = (folder.join("sync.c"), folder.join("sync.so"));
    fs::write(&source, FAILING_SYNC).unwrap();
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .output()
        .map_err(|error| format!("no cc: {error}"))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(library)
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_and_readers_are_served_until_a_restart() {
    let tools = Folder::new();
    let library = match failing_sync(tools.path()) {
        Ok(library) => library,
        Err(why) => return println!("skipped: {why}"),
    };
    let trigger = tools.join("trigger");
    let mut server =
        Server::builder().env("LD_PRELOAD", library).env("SYNC_FAILS_WHILE", &trigger).start();
    let mut reader = Client::full(&server, "");
    posted(&server, "before");
    assert_eq!(reader.line()["content"], "before");
    assert_eq!(get(&server, "/healthz").status, 200);
    fs::write(&trigger, "").unwrap();
    let refused = post_with(&server, "meanwhile", "a-nonce-meanwhile");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.header("retry-after"), None, "waiting does not help");
    fs::remove_file(&trigger).unwrap();
    let health = get(&server, "/healthz");
    assert_eq!(health.status, 503);
    assert!(health.body.contains("sync"), "it says why: {}", health.body);
    // The medium says that all is well again; nobody believes it.
    let mut author = Client::full(&server, "");
    for n in 0..5 {
        let nonce = format!("later-later-later-{n}");
        assert_eq!(post_with(&server, "later", &nonce).status, 503);
        author.send(&json!({"content": "later", "nonce": nonce}));
        let answer = author.line();
        assert_eq!(answer["nonce"], nonce.as_str());
        assert!(answer["error"].is_string() && answer.get("retry_after").is_none(), "{answer}");
    }
    let path = "/api/comments/1";
    let delete = request(&server, "DELETE", path, &bearer(KEY), "");
    assert_ne!(delete.status, 200);
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 1}));
    assert_eq!(get(&server, "/").status, 200);
    author.send(&json!({"typing": true, "name": "Ada"}));
    let start = Instant::now();
    loop {
        let message = reader.json();
        if message == json!({"typing": "Someone"}) {
            break;
        }
        assert!(message.get("id").is_none(), "a line that nobody may see: {message}");
        assert!(start.elapsed() < TIMEOUT);
    }
    assert!(server.stop().success());
    server.restart();
    server.check();
    assert_eq!(get(&server, "/healthz").status, 200);
    let first = &get(&server, "/api/comments").json()["comments"][0];
    assert_eq!(first["content"], "before");
    // It may or may not have reached the disk; asked again, it is there once.
    let again = post_with(&server, "meanwhile", "a-nonce-meanwhile");
    assert!([200, 201].contains(&again.status), "{again:?}");
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 2}));
}

const AUTHORS: usize = 12;

fn nonce(author: usize, n: usize) -> String {
    format!("author-{author:03}-comment-{n:05}")
}

/// What an author was promised: the `seq` of each comment, in order.
#[derive(Default)]
struct Author {
    acknowledged: Vec<u64>,
}

impl Author {
    /// Posts one comment after the other until the server is gone. What was not answered is asked again next time.
    fn write(&mut self, number: usize, mut client: Client, count: &AtomicUsize) {
        loop {
            let n = self.acknowledged.len();
            let wanted = nonce(number, n);
            let text = format!("{number}/{n}: {}", "x".repeat(n * 37 % 3_000));
            let message = json!({"content": text, "nonce": wanted}).to_string();
            if client.socket.send(tungstenite::Message::text(message)).is_err() {
                return;
            }
            loop {
                let Ok(received) = client.socket.read() else { return };
                let Ok(text) = received.into_text() else { continue };
                let Ok(line) = serde_json::from_str::<Value>(&text) else { continue };
                assert!(line.get("error").is_none(), "{line}");
                if line["nonce"] == wanted.as_str() {
                    self.acknowledged.push(line["seq"].as_u64().unwrap());
                    count.fetch_add(1, Relaxed);
                    break;
                }
            }
        }
    }
}

/// All lines of all pages, by seq.
fn all(server: &Server) -> BTreeMap<u64, Value> {
    let of_page = |author| history_since(server, &format!("p{author}"), 0);
    let by_seq = |line: Value| (line["seq"].as_u64().unwrap(), line);
    (0..AUTHORS).flat_map(of_page).map(by_seq).collect()
}

#[test]
fn killed_at_any_moment_again_and_again_no_acknowledged_comment_is_lost_or_doubled() {
    let rounds = std::env::var("SAYSO_KILL_ROUNDS").map_or(20, |rounds| rounds.parse().unwrap());
    let mut server = Server::builder().stopped();
    let (mut chance, start) = (Chance(1), Instant::now());
    let mut authors: Vec<Author> = (0..AUTHORS).map(|_| Author::default()).collect();
    let mut torn = 0;
    for _ in 0..rounds {
        server.restart();
        server.check();
        let (count, kill_at) = (AtomicUsize::new(0), chance.below(150));
        thread::scope(|scope| {
            for (number, author) in authors.iter_mut().enumerate() {
                let target = format!("/ws/comments/?page=p{number}");
                let client = Client::open(&server, &target, "").unwrap();
                let count = &count;
                scope.spawn(move || author.write(number, client, count));
            }
            let begin = Instant::now();
            while count.load(Relaxed) < kill_at {
                assert!(begin.elapsed() < TIMEOUT, "nobody can write");
                thread::yield_now();
            }
            // Not only right behind an answer.
            for _ in 0..chance.below(50_000) {
                std::hint::spin_loop();
            }
            server.signal(Signal::KILL);
        });
        assert_eq!(server.wait().signal(), Some(9));
        torn += usize::from(!server.log_bytes().ends_with(b"\n"));
    }
    server.restart();
    let lines = all(&server);
    let mut by_nonce: HashMap<&str, Vec<u64>> = HashMap::new();
    for (seq, line) in &lines {
        by_nonce.entry(line["nonce"].as_str().unwrap()).or_default().push(*seq);
    }
    let mut total = 0;
    for (number, author) in authors.iter().enumerate() {
        assert!(author.acknowledged.is_sorted(), "in the order in which they were written");
        for (n, seq) in author.acknowledged.iter().enumerate() {
            assert_eq!(by_nonce.remove(&*nonce(number, n)), Some(vec![*seq]), "{number}/{n}");
            let content = lines[seq]["content"].as_str().unwrap();
            assert!(content.starts_with(&format!("{number}/{n}:")));
            total += 1;
        }
        // One that was under way may be there, once.
        let under_way = by_nonce.remove(&*nonce(number, author.acknowledged.len()));
        assert!(under_way.is_none_or(|seqs| seqs.len() == 1));
    }
    assert!(by_nonce.is_empty(), "nobody wrote {by_nonce:?}");
    server.stop();
    server.check();
    println!("{rounds} rounds, {total} acknowledged, {torn} torn, {:?}", start.elapsed());
}

#[test]
fn a_copy_of_the_file_made_while_it_grows_is_a_log() {
    let (mut server, count) = (Server::start(&[]), AtomicUsize::new(0));
    let mut copies = Vec::new();
    thread::scope(|scope| {
        for number in 0..AUTHORS {
            let client = Client::open(&server, &format!("/ws/comments/?page=p{number}"), "");
            let (client, count) = (client.unwrap(), &count);
            scope.spawn(move || Author::default().write(number, client, count));
        }
        let start = Instant::now();
        while copies.len() < 10 {
            assert!(start.elapsed() < TIMEOUT);
            let acknowledged = count.load(Relaxed);
            if acknowledged < copies.len() * 40 {
                thread::yield_now();
                continue;
            }
            let copy = Server::builder().stopped();
            let copied = output(Command::new("cp").arg(server.log()).arg(copy.log()), TIMEOUT);
            assert!(copied.status.success(), "{copied:?}");
            copies.push((copy, acknowledged));
        }
        server.kill();
    });
    let log = server.log_bytes();
    for (copy, acknowledged) in &mut copies {
        copy.restart();
        copy.check();
        let there = all(copy).len();
        assert!(there >= *acknowledged, "{there} of {acknowledged} are in the copy");
        assert!(copy.stop().success());
        let copied = copy.log_bytes();
        let differs = copied.iter().zip(&log).position(|(copied, log)| copied != log);
        let lengths = (copied.len(), log.len());
        assert!(log.starts_with(&copied), "not the log's beginning: {differs:?} of {lengths:?}");
    }
}
