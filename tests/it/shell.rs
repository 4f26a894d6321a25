//! The commands that moderate, as somebody types them: beside a running server, on a stopped one's folder, and from elsewhere.

use std::{
    fs::{Permissions, read_to_string, set_permissions, write},
    os::unix::fs::PermissionsExt,
    process::Output,
    thread,
};

use serde_json::{Value, json};

use crate::support::{
    client::{KEY, TOKEN, get, history_since, post, posted},
    frames::Client,
    server::{Folder, Server, TIMEOUT, command, output, sayso},
};

/// What a command says on stdout and stderr, if it ends with this code.
#[track_caller]
fn said(output: &Output, code: i32) -> (String, String) {
    let (out, error) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{error}");
    (out.into_owned(), error.into_owned())
}

/// What a command prints that must succeed on the server's folder, whether it runs or not.
#[track_caller]
fn prints(server: &Server, arguments: &[&str]) -> String {
    let (out, error) = said(&server.run(arguments), 0);
    assert_eq!(error, "", "{arguments:?}");
    out
}

/// The status in a comment's line, as readers see it.
fn state(server: &Server, id: u64) -> String {
    let lines = history_since(server, "/", 0);
    let line = lines.iter().find(|line| line["id"] == id).unwrap_or(&Value::Null);
    match (&line["deleted"], &line["status"]) {
        (Value::Bool(true), status) => format!("{} gone", status.as_str().unwrap_or("public")),
        (_, status) => status.as_str().unwrap_or("public").to_owned(),
    }
}

/// Runs a command as at another machine, with the moderators' token file.
fn remotely(server: &Server, arguments: &[&str]) -> Output {
    let url = format!("http://{}", server.address);
    let file = server.token_file_path();
    let mut command = command();
    command.args(arguments).args(["--server", &url, "--admin-token-file"]).arg(file);
    output(&mut command, TIMEOUT)
}

#[test]
fn comments_are_hidden_approved_and_deleted_whether_a_server_runs_or_not() {
    let mut server = Server::start(&["--rate", "1000/1", "--base-path", "/"]);
    for n in 1..=4 {
        posted(&server, &format!("comment {n}"));
    }
    for is_running in [true, false] {
        assert_eq!(
            prints(&server, &["hide", "1", "2", "--reason", "Off topic"]),
            "comment 1 is hidden now\ncomment 2 is hidden now\n"
        );
        assert_eq!(prints(&server, &["approve", "1"]), "comment 1 is public now\n");
        // What is so already is no error.
        assert_eq!(prints(&server, &["approve", "1"]), "comment 1 is public now\n");
        let id = if is_running { "3" } else { "4" };
        assert_eq!(prints(&server, &["delete", id]), format!("comment {id} is deleted\n"));
        if is_running {
            let states = [1, 2, 3, 4].map(|id| state(&server, id));
            assert_eq!(states, ["public", "hidden gone", "public gone", "public"]);
            assert_eq!(prints(&server, &["approve", "2"]), "comment 2 is public now\n");
            assert!(server.stop().success());
        }
    }
    server.check();
    server.restart();
    let states = [1, 2, 3, 4].map(|id| state(&server, id));
    assert_eq!(states, ["public", "hidden gone", "public gone", "public gone"]);
}

#[test]
fn readers_of_a_running_server_see_it_at_once() {
    let server = Server::start(&[]);
    posted(&server, "first");
    let mut reader = Client::full(&server, "");
    prints(&server, &["hide", "1"]);
    assert_eq!(reader.line()["status"], "hidden");
    prints(&server, &["approve", "1"]);
    assert_eq!(reader.line()["content"], "first");
}

#[test]
fn what_was_done_while_the_server_was_stopped_reaches_who_comes_back() {
    let mut server = Server::start(&[]);
    posted(&server, "first");
    posted(&server, "second");
    let (log, mark) = {
        let history = get(&server, "/api/comments").json();
        (history["log"].clone(), history["mark"].clone())
    };
    assert!(server.stop().success());
    prints(&server, &["hide", "1"]);
    server.restart();
    let query = format!("since=2&log={}&mark={}", log.as_str().unwrap(), mark.as_str().unwrap());
    let mut reader = Client::full(&server, &query);
    assert_eq!(reader.json()["hello"]["resumed"], true);
    assert_eq!(reader.line()["status"], "hidden");
}

/// Otherwise a restored backup that a command has written to would look like what came before.
#[test]
fn a_command_on_a_restored_backup_proves_no_cursor_from_before() {
    let mut server = Server::start(&[]);
    posted(&server, "first");
    let backup = server.log_bytes();
    posted(&server, "lost");
    let mark = get(&server, "/api/comments").json()["mark"].clone();
    assert!(server.stop().success());
    server.write_log(&backup);
    for command in ["hide", "approve", "hide"] {
        prints(&server, &[command, "1"]);
    }
    server.restart();
    let log = get(&server, "/api/comments").json()["log"].clone();
    let cursor = format!("log={}&mark={}", log.as_str().unwrap(), mark.as_str().unwrap());
    let response = get(&server, &format!("/api/comments?since=2&{cursor}"));
    assert_eq!((response.status, &response.json()["code"]), (409, &json!("stale_cursor")));
}

#[test]
fn one_that_can_not_be_changed_is_named_and_the_others_are_changed() {
    let server = Server::start(&[]);
    posted(&server, "first");
    let (out, error) = said(&server.run(&["hide", "9"]), 1);
    assert_eq!((&*out, error.lines().count()), ("", 1), "{error}");
    assert!(error.starts_with("sayso: ") && error.contains('9'), "{error}");
    let (out, error) = said(&server.run(&["hide", "8", "1", "9"]), 1);
    assert_eq!(out, "comment 1 is hidden now\n");
    assert!(error.contains("comment 8: ") && error.contains("comment 9: "), "{error}");
    assert!(error.ends_with("sayso: 2 of 3 comments were not changed\n"), "{error}");
}

#[test]
fn commands_at_once_on_a_stopped_servers_folder_wait_for_each_other() {
    let mut server = Server::start(&[]);
    for n in 1..=8 {
        posted(&server, &format!("comment {n}"));
    }
    assert!(server.stop().success());
    thread::scope(|scope| {
        for id in 1..=8 {
            let server = &server;
            scope.spawn(move || prints(server, &["hide", &id.to_string()]));
        }
    });
    server.check();
    server.restart();
    for id in 1..=8 {
        assert_eq!(state(&server, id), "hidden gone");
    }
}

#[test]
fn a_folder_that_somebody_else_keeps_locked_is_named_after_a_while() {
    let server = Server::start(&[]);
    posted(&server, "first");
    // As a server of a version without this socket.
    std::fs::remove_file(server.data().join(".ctl.sock")).unwrap();
    let (out, error) = said(&server.run(&["hide", "1"]), 1);
    assert_eq!(out, "");
    assert!(error.contains(server.data_flag()) && error.contains("in use"), "{error}");
}

#[test]
fn nothing_is_made_where_there_are_no_comments() {
    let folder = Folder::new();
    for data in [folder.join("missing"), folder.path().to_str().unwrap().to_owned()] {
        for arguments in
            [&["comments"][..], &["hide", "1"], &["lock", "/"], &["approve", "--repaired"]]
        {
            let (out, error) = said(&sayso(&[arguments, &["--data", &data]].concat()), 1);
            assert!(out.is_empty() && error.contains(&data), "{error}");
        }
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_moderator_elsewhere_shows_the_first_token_of_a_file() {
    let lines = format!("# mine\n\n  ada {TOKEN}\nbob another-token-of-some-length\n");
    let server = Server::builder().token_file(&lines).flags(&["--base-path", "/talk"]).start();
    let url = format!("http://{}/talk/", server.address);
    let run = |url: &str, file: &str| {
        sayso(&["delete", "7", "--server", url, "--admin-token-file", file])
    };
    let file = server.token_file_path();
    let (_, error) = said(&run(&url, file.to_str().unwrap()), 1);
    assert!(error.contains("comment 7"), "the server has looked for it: {error}");
    let folder = Folder::new();
    let wrong = folder.join("wrong");
    write(&wrong, "a-token-that-is-nobody's\n").unwrap();
    set_permissions(&wrong, Permissions::from_mode(0o644)).unwrap();
    let hide = ["hide", "7", "--server", &url, "--admin-token-file", &wrong];
    let (_, error) = said(&sayso(&hide), 1);
    assert!(error.contains("chmod o= ") && error.contains("token"), "{error}");
    assert!(!error.contains("nobody's"), "{error}");
    let (_, error) = said(&run(&url, &folder.join("missing")), 1);
    assert!(error.contains("missing"), "{error}");
    // A port on which nobody listens any more.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{free}");
    let (_, error) = said(&run(&nobody, file.to_str().unwrap()), 1);
    assert!(error.contains(&nobody) && error.contains("refused"), "{error}");
}

#[test]
fn a_server_elsewhere_is_moderated_as_one_here() {
    let server = Server::builder().moderator(TOKEN).start();
    post(&server, &json!({"content": "first", "key": KEY}));
    let (out, error) = said(&remotely(&server, &["hide", "1", "--reason", "Off topic"]), 0);
    assert_eq!((&*out, &*error), ("comment 1 is hidden now\n", ""));
    assert_eq!(state(&server, 1), "hidden gone");
    said(&remotely(&server, &["approve", "1"]), 0);
    assert_eq!(state(&server, 1), "public");
    let environment = [("SAYSO_SERVER", format!("http://{}", server.address))];
    let file = server.token_file_path();
    let mut command = command();
    command.args(["delete", "1", "--admin-token-file"]).arg(file).envs(environment);
    said(&output(&mut command, TIMEOUT), 0);
    assert_eq!(state(&server, 1), "public gone");
}

/// The author of [`KEY`].
fn author() -> String {
    sayso::comment::Author::from_key(KEY).to_string()
}

#[test]
fn comments_are_listed_for_people_and_as_json_lines_whether_a_server_runs_or_not() {
    let mut server = Server::builder().moderator(TOKEN).flags(&["--hold", "links"]).start();
    for (comment, status) in [
        (json!({"content": "one\ntwo", "key": KEY, "name": "Ada"}), 201),
        (json!({"content": "gone", "parent": 1}), 201),
        (json!({"content": "see example.com", "page": "/a b"}), 202),
    ] {
        let response = post(&server, &comment);
        assert_eq!(response.status, status, "{response:?}");
    }
    prints(&server, &["delete", "2"]);
    prints(&server, &["hide", "1", "--reason", "Off topic"]);
    let log = server.log_text();
    for is_running in [true, false] {
        let all = prints(&server, &["comments"]);
        let blocks: Vec<&str> = all.lines().filter(|line| !line.starts_with(' ')).collect();
        assert_eq!(blocks.len(), 3, "{all}");
        assert!(blocks[0].starts_with("3  20"), "{all}");
        assert!(blocks[0].contains("pending (links)  on /a b"), "{all}");
        assert!(blocks[1].starts_with("2  20") && blocks[1].contains("  deleted"), "{all}");
        let facts = ["hidden (", "Off topic", "owner", "  on /  ", "by Ada  ", &author()];
        assert!(facts.iter().all(|fact| blocks[2].contains(fact)), "{all}");
        assert!(all.ends_with("\n    one\n    two\n"), "{all}");
        for (filter, ids) in [
            (&["--status", "hidden"][..], &[1][..]),
            (&["--status", "pending"], &[3]),
            (&["--status", "deleted"], &[2]),
            (&["--status", "public"], &[]),
            (&["--page", "/a b"], &[3]),
            (&["--author", &author()], &[1]),
        ] {
            let arguments = [&["comments", "--json"], filter].concat();
            let lines = prints(&server, &arguments);
            let found: Vec<u64> = lines
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_u64().unwrap())
                .collect();
            assert_eq!(found, ids, "{filter:?}");
            assert!(lines.lines().all(|line| line.starts_with("{\"seq\":")), "{lines}");
        }
        let output = server.run(&["comments", "--limit", "2"]);
        let (out, error) = said(&output, 0);
        assert!(out.starts_with("3  ") && out.contains("\n2  ") && !out.contains("\n1  "), "{out}");
        assert!(error.contains("--limit 20"), "{error}");
        if is_running {
            let (out, _) = said(&remotely(&server, &["comments"]), 0);
            assert_eq!(out, all);
            assert!(server.stop().success());
        }
    }
    assert_eq!(server.log_text(), log, "looking changes nothing");
}

#[test]
fn more_comments_than_one_answer_has_are_listed_one_after_the_other() {
    let server = Server::start(&[]);
    (0..450).for_each(|n| drop(posted(&server, &format!("comment {n}"))));
    let listed = |limit: &str| {
        let (out, error) = said(&server.run(&["comments", "--json", "--limit", limit]), 0);
        (out.lines().count(), error.lines().count())
    };
    assert_eq!([listed("199"), listed("200"), listed("201")], [(199, 1), (200, 1), (201, 1)]);
    assert_eq!([listed("449"), listed("450"), listed("451")], [(449, 1), (450, 0), (450, 0)]);
}

#[test]
fn bans_are_made_and_lifted_whether_a_server_runs_or_not() {
    let mut server = Server::start(&[]);
    let write = |server: &Server| {
        post(server, &json!({"content": format!("text {}", server.log_bytes().len()), "key": KEY}))
            .status
    };
    assert_eq!([write(&server), write(&server)], [201, 201]);
    let said_of = prints(&server, &["ban", "--comment", "1", "--hide", "--for", "7d"]);
    let banned = format!("author {} is banned, until 20", author());
    assert!(said_of.starts_with(&banned), "{said_of}");
    assert!(said_of.contains("\n2 comments are hidden: "), "{said_of}");
    assert_eq!(
        (write(&server), state(&server, 1), state(&server, 2)),
        (403, "hidden gone".into(), "hidden gone".into())
    );
    let said_of = prints(&server, &["unban", &author(), "--restore"]);
    assert!(
        said_of.starts_with(&format!(
            "{} is not banned any more\n2 comments are restored: ",
            author()
        )),
        "{said_of}"
    );
    assert_eq!((write(&server), state(&server, 1)), (201, "public".into()));
    assert!(server.stop().success());
    let said_of = prints(&server, &["ban", "--author", &author(), "--for", "ever"]);
    assert_eq!(said_of, format!("author {} is banned, for ever\n", author()));
    // Addresses are remembered by a running server alone.
    let (_, error) = said(&server.run(&["ban", "--comment", "1", "--address", "--for", "1h"]), 1);
    assert!(error.contains("comment 1 came from"), "{error}");
    server.restart();
    assert_eq!(write(&server), 403);
    let said_of = prints(&server, &["ban", "--author", &author(), "--hold", "--for", "1h"]);
    assert!(said_of.contains("held: all that they write waits, until 20"), "{said_of}");
    assert_eq!(write(&server), 202);
    assert!(server.stop().success());
    prints(&server, &["unban", &author()]);
    server.restart();
    assert_eq!(write(&server), 201);
    said(&server.run(&["unban", &author()]), 1);
}

#[test]
fn an_address_is_banned_with_the_author_of_a_comment() {
    let server = Server::builder().moderator(TOKEN).start();
    post(&server, &json!({"content": "first", "key": KEY}));
    let (out, _) =
        said(&remotely(&server, &["ban", "--comment", "1", "--address", "--for", "30m"]), 0);
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines.len() == 2 && out.contains("author ") && out.contains("address "), "{out}");
    assert_eq!(post(&server, &json!({"content": "anonymous"})).status, 403);
    let address = out.split("address ").nth(1).unwrap().split(' ').next().unwrap();
    said(&sayso(&["--data", server.data_flag(), "unban", "--", address]), 0);
    assert_eq!(post(&server, &json!({"content": "anonymous"})).status, 201);
}

#[test]
fn pages_are_locked_and_opened_whether_a_server_runs_or_not() {
    let mut server = Server::start(&[]);
    posted(&server, "first");
    let write = |server: &Server| {
        post(server, &json!({"content": format!("{}", server.log_bytes().len())})).status
    };
    assert_eq!(prints(&server, &["lock", "/"]), "page \"/\" is locked now\n");
    assert_eq!(write(&server), 403);
    assert!(server.stop().success());
    assert_eq!(prints(&server, &["unlock", "/"]), "page \"/\" is open now\n");
    server.restart();
    assert_eq!(write(&server), 201);
    assert!(server.stop().success());
    prints(&server, &["lock", "/"]);
    server.restart();
    assert_eq!(write(&server), 403);
    assert_eq!(get(&server, "/api/comments").json()["locked"], true);
}

#[test]
fn what_a_repair_has_hidden_is_approved_in_one_go_while_the_server_is_stopped() {
    let mut server = Server::start(&[]);
    for n in 1..=3 {
        posted(&server, &format!("text {n}"));
    }
    prints(&server, &["hide", "1"]);
    assert!(server.stop().success());
    let log = server.log_text();
    let line = log.lines().find(|line| line.contains("\"text 3\"")).unwrap();
    server.write_log(log.replace(line, &line.replace("\"id\":3", "\"id\":x")));
    said(&server.run(&["repair"]), 0);
    // The log has a new id, and `runs` begins anew, which is said on stderr.
    let (approved, _) = said(&server.run(&["approve", "--repaired"]), 0);
    assert_eq!(approved, "comment 2 is public now\n", "not what a moderator has hidden");
    assert_eq!(prints(&server, &["approve", "--repaired"]), "no comment is hidden by a repair\n");
    server.restart();
    assert_eq!(state(&server, 2), "public");
}

/// A `curl` that keeps what it was given, and answers.
fn fake_curl(folder: &Folder, answer: &str, code: i32) {
    let path = folder.join("curl");
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$@\" > {0}/arguments\n/bin/cat > {0}/config\nprintf '%s' '{answer}'\necho wrong >&2\nexit {code}\n",
        folder.path().display()
    );
    write(&path, script).unwrap();
    set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn over_https_curl_is_told_the_token_where_nobody_else_reads_it() {
    let folder = Folder::new();
    let file = folder.join("token");
    let token = "a-token\\with-\"quotes\"";
    write(&file, format!("ada {token}\n")).unwrap();
    set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let run = |path: &str| {
        let mut command = command();
        command.env("PATH", path).args(["hide", "3", "--reason", "a \"b\" \\ c"]);
        command.args(["--server", "https://talk.example/x", "--admin-token-file", &file]);
        output(&mut command, TIMEOUT)
    };
    let bin = folder.path().to_str().unwrap();
    let (_, error) = said(&run(bin), 1);
    assert!(error.contains("curl; install it"), "{error}");
    fake_curl(&folder, "{}\n200", 0);
    assert_eq!(said(&run(bin), 0).0, "comment 3 is hidden now\n");
    let arguments = read_to_string(folder.join("arguments")).unwrap();
    assert_eq!(arguments, "-q\n--config\n-\n");
    let config = read_to_string(folder.join("config")).unwrap();
    for line in [
        "url = \"https://talk.example/x/api/comments/3\"",
        "request = \"PATCH\"",
        "proto = \"=https\"",
        "header = \"Authorization: Bearer a-token\\\\with-\\\"quotes\\\"\"",
    ] {
        assert!(config.lines().any(|one| one == line), "{line}: {config}");
    }
    assert!(
        config
            .contains(r#"data-raw = "{\"status\":\"hidden\",\"reason\":\"a \\\"b\\\" \\\\ c\"}""#),
        "{config}"
    );
    fake_curl(&folder, "{\"error\":\"no such comment\"}\n404", 0);
    assert_eq!(said(&run(bin), 1).1, "sayso: no such comment\n");
    fake_curl(&folder, "", 6);
    assert_eq!(said(&run(bin), 1).1, "sayso: can't ask https://talk.example/x: wrong\n");
}

#[test]
fn arguments_that_can_not_be_meant_end_with_2_and_say_what_to_write() {
    let author = "q83vEjRWeJCrze8SNFZ4kA";
    let cases: &[(&[&str], &str)] = &[
        (&["comments", "pending"], "flags only"),
        (&["comments", "--status", "held"], "pending, hidden, public, flagged or deleted"),
        (&["comments", "--author", "ada"], "22 letters"),
        (&["comments", "--limit", "0"], "1 to 1000000"),
        (&["comments", "--limit", "1000001"], "1 to 1000000"),
        (&["comments", "--reason", "x"], "does not take --reason"),
        (&["comments", "--hold", "all"], "\"all\""),
        (&["approve"], "approve --repaired"),
        (&["approve", "one"], "\"one\""),
        (&["approve", "0"], "\"0\""),
        (&["approve", "1", "-2"], "behind --"),
        (&["approve", "1", "--", "-2"], "\"-2\""),
        (&["approve", "99999999999999999999"], "number of a comment"),
        (&["approve", "1", "--repaired"], "approve --repaired"),
        (&["approve", "1", "--reason", "x"], "does not take --reason"),
        (&["hide"], "sayso hide ID"),
        (&["hide", "1", "--reason"], "--reason has no value"),
        (&["delete", "1,2"], "\"1,2\""),
        (&["ban"], "--comment ID"),
        (&["ban", "7"], "flags only"),
        (&["ban", "--comment", "7"], "--for 7d"),
        (&["ban", "--comment", "7", "--author", author, "--for", "7d"], "--comment ID"),
        (&["ban", "--author", author, "--address", "--for", "7d"], "--comment ID"),
        (&["ban", "--comment", "7", "--for", "7"], "12h"),
        (&["ban", "--comment", "7", "--for", "0d"], "12h"),
        (&["ban", "--comment", "7", "--for", "36501d"], "36500d"),
        (&["ban", "--comment", "7", "--for", "99999999999999999999w"], "36500d"),
        (&["ban", "--comment", "x", "--for", "7d"], "number of a comment"),
        (&["ban", "--comment", "7", "--hold=all", "--for", "7d"], "no value"),
        (&["unban"], "unban AUTHOR"),
        (&["unban", "../comments/1"], "22 letters"),
        (&["lock"], "lock PAGE"),
        (&["lock", "/a", "b"], "in quotes"),
        (&["unlock", "/", "--for", "7d"], "does not take --for"),
        (&["lock", "/", "--listen", "127.0.0.1:0"], "does not take --listen"),
        (&["lock", "/", "--server", "https://talk.example"], "--admin-token-file"),
        (&["lock", "/", "--admin-token-file", "x"], "--server"),
        (&["lock", "/", "--server", "ftp://x", "--admin-token-file", "x"], "https://talk.example"),
        (
            &["lock", "/", "--server", "http://x", "--admin-token-file", "x", "--data", "y"],
            "without --data",
        ),
        (&["--hide"], "sayso ban --hide"),
        (&["--server", "http://x", "comments"], "behind a command"),
        (&["check", "--server", "http://x"], "behind a command"),
        (&["comments", "--stauts", "pending"], "sayso"),
        (&["aprove", "1"], "write approve"),
    ];
    for (arguments, part) in cases {
        let (out, error) = said(&sayso(arguments), 2);
        assert!(out.is_empty() && error.contains(part), "{arguments:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{arguments:?}: {error}");
    }
}
