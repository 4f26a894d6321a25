//! `sayso import` on the real program: into a new folder, into one that has comments, and into a running server.

use std::{fs, process::Stdio, thread, time::Duration};

use sayso::exchange::import::Format;
use serde_json::{Value, json};

use super::SAMPLES;
use crate::support::{
    client::{KEY, TOKEN, bearer, get, post, request},
    frames::Client,
    server::{Folder, Server, Signal, TIMEOUT, command, output, program},
};

/// The name of a format as `--from` takes it.
fn name_of(format: Format) -> &'static str {
    format.name()
}

fn sample_path(name: &str) -> String {
    format!("{}/tests/it/import/samples/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Imports, and returns what is printed, with the exit code.
pub fn import(server: &Server, arguments: &[&str]) -> (String, i32) {
    let output = server.run(&[&["import"], arguments].concat());
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.code().unwrap())
}

#[track_caller]
pub fn imports(server: &Server, arguments: &[&str]) -> String {
    let (text, code) = import(server, arguments);
    assert_eq!(code, 0, "{text}");
    text
}

fn import_sample(server: &Server, sample: (&str, Format, Option<&str>, Option<&str>)) -> String {
    let (name, format, site, only) = sample;
    let path = sample_path(name);
    let mut arguments = vec!["--from", name_of(format), &path];
    arguments.extend(site.into_iter().flat_map(|site| ["--site", site]));
    arguments.extend(only.into_iter().flat_map(|only| ["--only", only]));
    imports(server, &arguments)
}

pub fn stopped() -> Server {
    Server::builder().stopped()
}

/// The comments in a log, without what depends on their place in it.
pub fn comments(server: &Server) -> Vec<Value> {
    let output = server.run(&["export", "--to", "sayso"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<Value> =
        text.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    let nonces: Vec<(Value, Value)> =
        lines.iter().map(|line| (line["id"].clone(), line["nonce"].clone())).collect();
    for line in &mut lines {
        let parent = line["parent"].take();
        let parent = nonces.iter().find(|(id, _)| !parent.is_null() && *id == parent);
        line["parent"] = parent.map_or(Value::Null, |(_, nonce)| nonce.clone());
        for field in ["seq", "id"] {
            line.as_object_mut().unwrap().remove(field);
        }
    }
    lines.sort_by_key(|line| line["nonce"].as_str().map(str::to_owned));
    lines
}

/// sayso's own lines, a second apart from this one on.
pub fn lines(page: &str, start: u64, count: u64) -> String {
    let mut text = "{\"sayso\":1,\"log\":\"elsewhere\"}\n".to_owned();
    for n in 1..=count {
        let time = humantime(start + n);
        let line = json!({"seq": n, "id": n, "page": page, "content": format!("imported {n}"), "created_at": time,
            "nonce": format!("elsewhere-{page}-{n:06}")});
        text.push_str(&format!("{line}\n"));
    }
    text
}

/// Seconds since 2020 as RFC 3339.
fn humantime(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    assert!(days < 28);
    format!(
        "2020-01-{:02}T{:02}:{:02}:{:02}.000Z",
        days + 1,
        rest / 3_600,
        rest / 60 % 60,
        rest % 60
    )
}

pub fn ids(server: &Server, query: &str) -> Vec<u64> {
    let response = get(server, &format!("/api/comments?{query}"));
    assert_eq!(response.status, 200, "{query}: {response:?}");
    let comments = response.json()["comments"].as_array().unwrap().clone();
    comments.iter().map(|comment| comment["id"].as_u64().unwrap()).collect()
}

#[test]
fn every_sample_is_imported_once_and_nothing_private_of_it_is_kept() {
    for sample in SAMPLES {
        let server = stopped();
        import_sample(&server, sample);
        let first = server.log_bytes();
        let again = import_sample(&server, sample);
        assert!(again.contains(": 0 new comments"), "{}: {again}", sample.0);
        assert_eq!(server.log_bytes(), first, "{}", sample.0);
        server.check();
        for file in fs::read_dir(server.data()).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            let text = String::from_utf8_lossy(&bytes).to_lowercase();
            assert!(!text.contains("canary") && !text.contains("203.0.113"), "{}", sample.0);
        }
    }
}

#[test]
fn a_running_server_takes_the_same_comments_as_a_folder_and_shows_them_at_once() {
    for sample in SAMPLES {
        let (folder, server) = (stopped(), Server::start(&[]));
        fs::copy(server.data().join("salt"), folder.data().join("salt")).unwrap();
        for _ in 0..2 {
            import_sample(&folder, sample);
            import_sample(&server, sample);
        }
        assert_eq!(comments(&server), comments(&folder), "{}", sample.0);
        server.check();
    }
}

#[test]
fn what_is_exported_can_be_imported_and_is_the_same() {
    let (one, other) = (stopped(), stopped());
    for sample in SAMPLES {
        import_sample(&one, sample);
    }
    let file = one.data().join("exported").display().to_string();
    let exported = one.run(&["export", "--to", "sayso", &file]);
    assert!(exported.status.success(), "{exported:?}");
    imports(&other, &["--from", "sayso", &file]);
    assert_eq!(comments(&other), comments(&one));
    // And into where it came from: nothing.
    let before = one.log_bytes();
    imports(&one, &["--from", "sayso", &file]);
    assert_eq!(one.log_bytes(), before);
}

#[test]
fn a_file_that_is_broken_anywhere_writes_nothing() {
    let folder = Folder::new();
    let server = Server::start(&[]);
    post(&server, &json!({"content": "here"}));
    let before = server.log_bytes();
    let missing = stopped();
    fs::remove_dir(missing.data()).unwrap();
    for (name, format, site, only) in SAMPLES {
        let text = fs::read(sample_path(name)).unwrap();
        let path = folder.join("broken");
        let cut = text.len() - 20;
        fs::write(&path, &text[..cut]).unwrap();
        let mut arguments = vec!["--from", name_of(format), &path];
        arguments.extend(site.into_iter().flat_map(|site| ["--site", site]));
        arguments.extend(only.into_iter().flat_map(|only| ["--only", only]));
        for server in [&server, &missing] {
            let (said, code) = import(server, &arguments);
            assert_eq!(code, 1, "{name}: {said}");
            assert!(said.contains("nothing was imported") && said.contains("line "), "{said}");
        }
        assert_eq!(server.log_bytes(), before, "{name}");
        assert!(!missing.data().exists(), "{name}");
    }
}

#[test]
fn a_dry_run_writes_nothing_and_names_what_is_left_out() {
    let server = stopped();
    let path = sample_path("disqus.xml");
    let said = imports(&server, &["--from", "disqus", &path, "--dry-run"]);
    assert!(said.starts_with("4 comments on 2 pages would be imported\n"), "{said}");
    assert!(said.contains("is left out: it is marked as spam"), "{said}");
    let path = sample_path("sayso.jsonl");
    let said = imports(&server, &["--from", "sayso", &path, "--dry-run"]);
    assert!(said.contains("\n1 different author\n"), "{said}");
    assert_eq!(fs::read_dir(server.data()).unwrap().count(), 0);
}

#[test]
fn flags_of_an_import_that_make_no_sense_are_refused_with_what_to_write() {
    let server = stopped();
    for (arguments, advice) in [
        (&["x"][..], "--from FORMAT FILE"),
        (&["--from", "disqus"], "write sayso import --from FORMAT FILE"),
        (&["--from", "blog", "x"], "disqus, wordpress"),
        (&["--from", "isso", "x", "--map", "a"], "OLD=NEW"),
        (&["--from", "isso", "x", "--shift", "27"], "at most 26"),
        (&["--from", "isso", "x", "--page-from", "title"], "host-path, path or url"),
        (&["--from", "isso", "x", "--to", "isso"], "does not take --to"),
        (&["--from", "isso", "no-such-file"], "no-such-file"),
    ] {
        let (said, code) = import(&server, arguments);
        assert!(code > 0 && said.contains(advice), "{arguments:?}: {said}");
    }
}

#[test]
fn imported_comments_stand_among_the_others_by_their_time_live_too() {
    let mut server = Server::builder().moderator(TOKEN).start();
    let folder = Folder::new();
    let (old, older) = (folder.join("old"), folder.join("older"));
    fs::write(&old, lines("p", 1_000, 3)).unwrap();
    fs::write(&older, lines("p", 1, 3).replace("elsewhere-p", "elsewhere-q")).unwrap();
    let mut reader = Client::full(&server, "page=p");
    let here = post(&server, &json!({"page": "p", "content": "here"})).json()["id"].clone();
    assert_eq!(reader.line()["id"], here);
    for file in [&old, &older] {
        imports(&server, &["--from", "sayso", file]);
        for n in 1..=3 {
            let line = reader.line();
            assert_eq!(
                (&line["content"], &line["imported"]),
                (&json!(format!("imported {n}")), &json!("sayso"))
            );
        }
    }
    let here = here.as_u64().unwrap();
    let in_order = [here + 4, here + 5, here + 6, here + 1, here + 2, here + 3, here];
    for _ in 0..2 {
        assert_eq!(ids(&server, "page=p"), in_order);
        assert_eq!(ids(&server, "page=p&threads=50"), in_order);
        assert_eq!(ids(&server, &format!("page=p&before={}&limit=2", here + 1)), in_order[1..3]);
        assert_eq!(
            ids(&server, &format!("page=p&since={here}")),
            [1, 2, 3, 4, 5, 6].map(|n| here + n)
        );
        let mut late = Client::full(&server, "page=p&last=2");
        assert_eq!(
            [late.line(), late.line()].map(|line| line["id"].as_u64().unwrap()),
            [here + 3, here]
        );
        server.restart();
    }
}

#[test]
fn answers_are_answers_pins_are_pinned_and_deleted_ones_keep_their_place() {
    let server = Server::builder().moderator(TOKEN).start();
    let folder = Folder::new();
    let file = folder.join("lines");
    let line = |id: u64, rest: Value| {
        let mut line = json!({"seq": id, "id": id, "page": "p", "created_at": humantime(id), "nonce": format!("nonce-of-line-{id:04}")});
        line.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        format!("{line}\n")
    };
    let mut text = String::new();
    for id in 1..=12 {
        text.push_str(&line(id, json!({"content": "pinned", "pinned": true})));
    }
    text.push_str(&line(20, json!({"deleted": true})));
    text.push_str(&line(21, json!({"content": "answers", "parent": 20})));
    text.push_str(&line(22, json!({"content": "waits", "status": "pending"})));
    text.push_str(&line(23, json!({"content": "hidden", "status": "hidden"})));
    text.push_str("{\"kind\":\"page\",\"page\":\"p\",\"locked\":true}\n");
    fs::write(&file, text).unwrap();
    let said = imports(&server, &["--from", "sayso", &file]);
    assert!(said.contains("16 new comments on 1 page\n"), "{said}");
    assert!(said.contains("\n1 page closed to new comments\n"), "{said}");
    let page = get(&server, "/api/comments?page=p").json();
    assert_eq!(page["locked"], true);
    assert_eq!(page["pinned"].as_array().unwrap().len(), 10);
    let shown = page["comments"].as_array().unwrap();
    let deleted =
        shown.iter().find(|line| line["deleted"] == true && line["status"].is_null()).unwrap();
    let answer = shown.iter().find(|line| line["content"] == "answers").unwrap();
    assert_eq!(answer["parent"], deleted["id"]);
    for text in ["waits", "\"content\":\"hidden\""] {
        assert!(!page.to_string().contains(text), "{page}");
    }
    let queue =
        request(&server, "GET", "/api/admin/comments?status=pending", &bearer(TOKEN), "").json();
    assert_eq!(queue["comments"][0]["content"], "waits");
    let closed = post(&server, &json!({"page": "p", "content": "late"}));
    assert_eq!((closed.status, closed.json()["code"].clone()), (403, json!("page_locked")));
}

#[test]
fn no_limit_for_clients_keeps_an_import_out() {
    let flags = [
        "--rate",
        "1/3600",
        "--max-pages",
        "1",
        "--page-prefix",
        "x",
        "--close-after",
        "1",
        "--hold",
        "all",
    ];
    let server = Server::builder().moderator(TOKEN).flags(&flags).start();
    let folder = Folder::new();
    for page in ["a", "b"] {
        let file = folder.join(page);
        fs::write(&file, lines(page, 1, 20)).unwrap();
        imports(&server, &["--from", "sayso", &file]);
        assert_eq!(ids(&server, &format!("page={page}")).len(), 20);
    }
}

#[test]
fn clients_can_neither_import_nor_take_the_nonces_of_imports() {
    let server = Server::builder().moderator(TOKEN).start();
    let body = "{\"comments\":[]}";
    for headers in [bearer(TOKEN), bearer(KEY)] {
        assert_eq!(request(&server, "POST", "/api/admin/import", &headers, body).status, 404);
    }
    let nonce = "import:AAAAAAAAAAAAAAAAAAAAAA";
    let refused = post(&server, &json!({"content": "x", "nonce": nonce}));
    assert_eq!((refused.status, refused.json()["code"].clone()), (400, json!("nonce_reserved")));
    assert_eq!(
        refused.error(),
        "the nonce begins with \"import:\", which only imported comments' do"
    );
    let mut reader = Client::full(&server, "");
    reader.send(&json!({"content": "x", "nonce": nonce}));
    assert_eq!(reader.line()["code"], "nonce_reserved");
}

#[test]
fn an_import_that_was_killed_goes_on_where_it_was() {
    const COMMENTS: u64 = 3_000;
    let folder = Folder::new();
    let file = folder.join("lines");
    let mut text = lines("p", 1, COMMENTS);
    // Each answers the one before it.
    for n in 2..=COMMENTS {
        text = text.replace(&format!("\"id\":{n},"), &format!("\"id\":{n},\"parent\":{},", n - 1));
    }
    fs::write(&file, text).unwrap();
    let whole = stopped();
    imports(&whole, &["--from", "sayso", &file]);
    let mut server = stopped();
    let mut kills = 0;
    loop {
        let mut child = command()
            .args(["import", "--from", "sayso", &file, "--data", server.data_flag()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Killed once it has written more than there was.
        let before = fs::metadata(server.log()).map_or(0, |log| log.len());
        let written = loop {
            if child.try_wait().unwrap().is_some() {
                break false;
            }
            if fs::metadata(server.log()).map_or(0, |log| log.len()) > before + 50_000 {
                break true;
            }
            thread::sleep(Duration::from_millis(1));
        };
        let _ = child.kill();
        child.wait().unwrap();
        if !written {
            break;
        }
        kills += 1;
    }
    assert!(kills > 0, "it was never killed");
    imports(&server, &["--from", "sayso", &file]);
    assert_eq!(comments(&server), comments(&whole));
    server.check();
    server.restart();
    server.signal(Signal::TERM);
    assert!(server.wait().success());
}

#[test]
fn stdin_is_a_file_too() {
    let server = stopped();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "exec \"$0\" import --from disqus - --data \"$1\" < \"$2\""]);
    shell.arg(program()).args([server.data_flag(), &sample_path("disqus.xml")]);
    let output = output(&mut shell, TIMEOUT);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("5 new comments on 2 pages"));
}
