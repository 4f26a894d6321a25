//! The command line: one line on stdout, sentences on stderr, three exit codes, and an orderly end.

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    support::client::{Client, exchange, get, post, posted, request},
    support::server::{self, Folder, PATIENCE, Program, command, wait},
};

/// A stop takes at most this long, whoever is connected.
const STOP_MAX: Duration = Duration::from_secs(5);

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    server::run(arguments, environment, PATIENCE)
}

/// Checks that a command line ends with this code, nothing on stdout, and these parts on stderr.
fn fails(arguments: &[&str], environment: &[(&str, &str)], code: i32, parts: &[&str]) {
    let output = run(arguments, environment);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?} {environment:?}: {said}");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "",
        "{arguments:?}: stdout is for programs"
    );
    for part in parts {
        assert!(
            said.contains(part),
            "{arguments:?} {environment:?}: {said:?} does not say {part:?}"
        );
    }
    assert!(
        !said.contains("panicked") && !said.contains("RUST_BACKTRACE"),
        "{arguments:?}: {said}"
    );
    assert!((1..=4).contains(&said.lines().count()), "a sentence, not a page: {said}");
}

/// A folder in which nothing can be made, for whoever: it lies below a file.
fn below_a_file(folder: &Folder) -> String {
    std::fs::write(folder.0.join("file"), "").unwrap();
    folder.0.join("file/data").to_str().unwrap().to_owned()
}

#[test]
fn help_and_version_are_printed_and_nothing_is_started() {
    for arguments in [
        &["--help"][..],
        &["-h"],
        &["serve", "--help"],
        &["check", "--help"],
        &["--data", "/nowhere", "--help"],
    ] {
        let output = run(arguments, &[]);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said.trim_end(), sayso::config::HELP.trim_end(), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}");
    }
    for arguments in [&["--version"][..], &["-V"]] {
        let output = run(arguments, &[]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            concat!("sayso ", env!("CARGO_PKG_VERSION"), "\n")
        );
    }
    for flag in [
        "--listen",
        "--data",
        "--sync",
        "--base-path",
        "--public-url",
        "--allow-origin",
        "--trust-proxy",
        "--rate",
        "--max-connections",
        "--max-per-address",
        "--page-prefix",
        "--max-pages",
        "--hold",
        "--admin-token-file",
        "--title",
        "--log-level",
    ] {
        assert!(sayso::config::HELP.contains(flag), "{flag}");
    }
    assert!(sayso::config::HELP.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn unknown_flags_and_values_end_with_2_and_say_what_to_write() {
    for (arguments, parts) in [
        (&["--datta", "x"][..], &["--datta"][..]),
        (&["--data"], &["--data"]),
        (&["-x"], &["--"]),
        (&["nonsense"], &["nonsense"]),
        (&["serve", "nonsense"], &["nonsense"]),
        (&["serve", "check"], &["check"]),
        (&["--data", ""], &["--data"]),
        (&["--listen", "nonsense"], &["--listen", "nonsense"]),
        (&["--listen", "127.0.0.1"], &["--listen", "127.0.0.1"]),
        (&["--listen", "127.0.0.1:65536"], &["--listen", "65536"]),
        (&["--sync", "sometimes"], &["--sync", "sometimes", "always", "never"]),
        (&["--base-path", "talk"], &["--base-path", "talk", "/talk"]),
        (&["--base-path", "/a?b"], &["--base-path", "/a?b"]),
        (&["--base-path", "/a b"], &["--base-path", "/a b"]),
        (&["--public-url", "talk.example"], &["--public-url", "talk.example", "https://"]),
        (&["--public-url", "ftp://talk.example"], &["--public-url", "ftp://"]),
        (&["--allow-origin", "blog.example"], &["--allow-origin", "blog.example", "https://"]),
        (&["--allow-origin", "https://blog.example/path"], &["--allow-origin", "/path"]),
        (&["--allow-origin", "*"], &["--allow-origin", "*"]),
        (&["--allow-origin", "null"], &["--allow-origin", "null"]),
        (&["--trust-proxy", "10.0.0.0/33"], &["--trust-proxy", "10.0.0.0/33", "32"]),
        (&["--trust-proxy", "::/129"], &["--trust-proxy", "129", "128"]),
        (&["--trust-proxy", "proxy.example"], &["--trust-proxy", "proxy.example"]),
        (&["--trust-proxy", "none", "--trust-proxy", "10.0.0.0/8"], &["--trust-proxy", "none"]),
        (&["--rate", "10"], &["--rate", "10", "10/60"]),
        (&["--rate", "0/60"], &["--rate", "0/60"]),
        (&["--rate", "10/0"], &["--rate", "10/0"]),
        (&["--rate", "-1/60"], &["--rate", "-1/60"]),
        (&["--rate", "99999999999999999999/60"], &["--rate"]),
        (&["--max-connections", "0"], &["--max-connections", "0"]),
        (&["--max-connections", "many"], &["--max-connections", "many"]),
        (&["--max-per-address", "0"], &["--max-per-address", "0"]),
        (&["--max-pages", "-5"], &["--max-pages", "-5"]),
        (&["--max-pages", "0"], &["--max-pages", "0"]),
        (&["--page-prefix", ""], &["--page-prefix"]),
        (&["--hold", "some"], &["--hold", "some", "none", "links", "new", "all"]),
        (&["--log-level", "loud"], &["--log-level", "loud", "info"]),
        (&["--data", "a", "--data", "b"], &["--data"]),
        (&["check", "--rate", "off"], &["--rate"]),
        (&["--sync"], &["--sync"]),
    ] {
        fails(arguments, &[], 2, parts);
    }
}

#[test]
fn holding_without_a_moderator_is_a_contradiction() {
    for hold in ["links", "new", "all"] {
        let folder = Folder::new();
        let data = folder.0.join("data");
        let arguments =
            ["--listen", "127.0.0.1:0", "--hold", hold, "--data", data.to_str().unwrap()];
        // It must not start; if it does, it is not left running.
        let mut child = command()
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0];
        let started = child.stdout.as_mut().unwrap().read(&mut first).unwrap() > 0;
        let _ = child.kill();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!started, "--hold {hold} starts, and nobody can ever release anything");
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("--hold") && said.contains("--admin-token-file"), "{said}");
    }
}

#[test]
fn the_environment_is_taken_as_flags_are_and_flags_win() {
    let folder = Folder::new();
    let file = below_a_file(&folder);
    for (name, value) in [
        ("SAYSO_LISTEN", "nonsense"),
        ("SAYSO_SYNC", "sometimes"),
        ("SAYSO_BASE_PATH", "talk"),
        ("SAYSO_PUBLIC_URL", "talk.example"),
        ("SAYSO_ALLOW_ORIGIN", "https://a.example,b.example"),
        ("SAYSO_TRUST_PROXY", "10.0.0.0/33"),
        ("SAYSO_RATE", "10"),
        ("SAYSO_MAX_CONNECTIONS", "many"),
        ("SAYSO_MAX_PER_ADDRESS", "0"),
        ("SAYSO_MAX_PAGES", "-5"),
        ("SAYSO_HOLD", "some"),
        ("SAYSO_LOG_LEVEL", "loud"),
    ] {
        fails(&[], &[(name, value)], 2, &[name, value.rsplit(',').next().unwrap()]);
    }
    fails(&["--listen", "127.0.0.1:0"], &[("SAYSO_DATA", &file)], 1, &[&file]);

    let mut command = command();
    command
        .env("SAYSO_LISTEN", "127.0.0.1:0")
        .env("SAYSO_DATA", folder.0.join("data"))
        .env("SAYSO_TITLE", "From outside");
    command
        .env("SAYSO_ALLOW_ORIGIN", "https://a.example,https://b.example")
        .env("SAYSO_RATE", "")
        .env("SAYSO_LOG_LEVEL", "warn");
    let mut program = Program::spawn(&mut command);
    assert!(get(&program, "/").body.contains("From outside"));
    for origin in ["https://a.example", "https://b.example"] {
        let answer =
            request(&program, "GET", "/api/comments", &format!("Origin: {origin}\r\n"), "");
        assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(origin));
    }
    assert!(folder.0.join("data/comments.jsonl").exists());
    assert!(program.stop().success());

    let mut command = crate::support::server::command();
    command
        .env("SAYSO_LISTEN", "nonsense")
        .env("SAYSO_DATA", &file)
        .env("SAYSO_TITLE", "From outside")
        .env("SAYSO_BASE_PATH", "/outer");
    command
        .args(["--listen", "127.0.0.1:0", "--title=From inside", "--base-path", "/inner", "--data"])
        .arg(folder.0.join("data"));
    let mut program = Program::spawn(&mut command);
    assert!(get(&program, "/inner/").body.contains("From inside"));
    assert_eq!(get(&program, "/outer/").status, 404);
    assert!(program.stop().success());
}

#[test]
fn both_signals_end_with_0_in_time_whoever_is_connected() {
    for signal in ["TERM", "INT"] {
        let folder = Folder::new();
        let mut program = Program::start(&folder.0, &[]);
        let mut sockets: Vec<Client> = (0..50)
            .map(|n| if n % 2 == 0 { Client::plain(&program) } else { Client::full(&program, "") })
            .collect();
        let host = program.address;
        let mut kept: Vec<_> = (0..50)
            .map(|_| {
                let mut stream = program.connect();
                let answer = exchange(
                    &mut stream,
                    format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes(),
                    true,
                );
                assert_eq!(answer.status, 200);
                stream
            })
            .collect();
        // Some that are in the middle of something.
        let unfinished: Vec<_> = ["", "GET / HTTP/1.1\r\nHo", "POST /api/comments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"]
            .into_iter()
            .map(|part| {
                let mut stream = program.connect();
                stream.write_all(part.as_bytes()).unwrap();
                stream
            })
            .collect();
        posted(&program, "the last one");
        let started = Instant::now();
        program.signal(signal);
        let status = wait(&mut program.child);
        let took = started.elapsed();
        assert_eq!(status.code(), Some(0), "{signal}");
        assert!(took < STOP_MAX, "{signal}: {took:?}");
        for (number, client) in sockets.iter_mut().enumerate() {
            assert_eq!(client.close_code(), Some(1001), "socket {number} at {signal}");
        }
        for stream in &mut kept {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).unwrap();
            assert!(rest.is_empty(), "nothing but the end: {:?}", String::from_utf8_lossy(&rest));
        }
        drop(unfinished);
        assert!(!folder.0.join(".web.sock").exists(), "the private socket is gone");
        // What was answered is there, and the folder is free.
        let program = Program::start(&folder.0, &[]);
        assert_eq!(get(&program, "/api/comments").json()["comments"][0]["content"], "the last one");
    }
}

#[test]
fn readers_that_never_read_do_not_hold_up_the_end() {
    let folder = Folder::new();
    let mut program = Program::start(&folder.0, &[]);
    let deaf: Vec<Client> = (0..10).map(|_| Client::plain(&program)).collect();
    let mut writer = Client::open(&program, "/ws/comments/?page=other", "").unwrap();
    // 4 MiB to each is more than any socket's buffers and less than what is kept for all.
    for _ in 0..100 {
        assert_eq!(post(&program, &json!({"content": "x".repeat(8192)})).status, 201);
    }
    writer.send(&json!({"content": "elsewhere"}));
    writer.line();
    let started = Instant::now();
    program.signal("TERM");
    assert_eq!(wait(&mut program.child).code(), Some(0));
    assert!(started.elapsed() < STOP_MAX, "{:?}", started.elapsed());
    assert_eq!(writer.close_code(), Some(1001));
    drop(deaf);
}

#[test]
fn every_comment_that_was_acknowledged_before_a_stop_is_there_after_it() {
    let folder = Folder::new();
    let mut program = Program::start(&folder.0, &[]);
    let mut writers: Vec<Client> = (0..4).map(|_| Client::plain(&program)).collect();
    for writer in &mut writers {
        for n in 0..50 {
            writer.send(&json!({"content": format!("c{n}")}));
        }
    }
    let mut seen = vec![writers[0].line()["id"].as_u64().unwrap()];
    program.signal("TERM");
    while let Ok(message) = writers[0].socket.read() {
        match message {
            tungstenite::Message::Text(text) => {
                let line: serde_json::Value = serde_json::from_str(&text).unwrap();
                seen.extend(line["id"].as_u64());
            }
            tungstenite::Message::Close(frame) => {
                assert_eq!(u16::from(frame.unwrap().code), 1001);
                break;
            }
            _ => {}
        }
    }
    assert_eq!(wait(&mut program.child).code(), Some(0));
    let log = std::fs::read_to_string(folder.log()).unwrap();
    assert!(log.ends_with('\n'));
    for id in seen {
        assert!(log.contains(&format!("\"id\":{id},")), "{id} was seen and is lost");
    }
    let check = run(&["check", "--data", folder.0.to_str().unwrap()], &[]);
    assert_eq!(check.status.code(), Some(0), "{check:?}");
}

#[test]
fn a_second_signal_is_no_disorder() {
    let folder = Folder::new();
    let mut program = Program::start(&folder.0, &[]);
    let mut socket = Client::plain(&program);
    program.signal("TERM");
    program.signal("INT");
    assert_eq!(socket.close_code(), Some(1001));
    assert_eq!(wait(&mut program.child).code(), Some(0));
}

#[test]
fn a_folder_belongs_to_one_process() {
    let folder = Folder::new();
    let data = folder.0.to_str().unwrap();
    let mut program = Program::start(&folder.0, &[]);
    posted(&program, "mine");
    fails(&["--listen", "127.0.0.1:0", "--data", data], &[], 1, &[data]);
    fails(
        &[
            "--listen",
            "127.0.0.1:0",
            "--data",
            &format!("{data}/../{}", folder.0.file_name().unwrap().to_str().unwrap()),
        ],
        &[],
        1,
        &[],
    );
    // The first goes on as if nothing had been.
    posted(&program, "still mine");
    assert_eq!(get(&program, "/").status, 200);
    let check = run(&["check", "--data", data], &[]);
    assert_eq!(check.status.code(), Some(0), "check reads a live folder: {check:?}");
    program.kill();
    let mut next = Program::start(&folder.0, &[]);
    assert_eq!(get(&next, "/api/counts?page=/").json(), json!({"/": 2}));
    assert!(next.stop().success());
}

#[test]
fn a_port_in_use_ends_with_1_and_its_name() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    fails(
        &["--listen", &address, "--data", folder.0.to_str().unwrap()],
        &[],
        1,
        &[&address, "in use"],
    );
    fails(
        &["--listen", "192.0.2.1:0", "--data", folder.0.to_str().unwrap()],
        &[],
        1,
        &["192.0.2.1"],
    );
    // The folder is free again.
    drop(taken);
    assert!(Program::start(&folder.0, &[]).stop().success());
}

#[test]
fn folders_and_files_that_can_not_be_used_end_with_1_and_their_names() {
    let folder = Folder::new();
    let file = below_a_file(&folder);
    fails(&["--listen", "127.0.0.1:0", "--data", &file], &[], 1, &[&file]);
    let file = folder.0.join("file");
    fails(
        &["--listen", "127.0.0.1:0", "--data", file.to_str().unwrap()],
        &[],
        1,
        &[file.to_str().unwrap()],
    );
    // Not even root makes folders there.
    fails(&["--listen", "127.0.0.1:0", "--data", "/proc/sayso"], &[], 1, &["/proc/sayso"]);
    let data = folder.0.join("data");
    std::fs::create_dir_all(data.join("comments.jsonl")).unwrap();
    fails(
        &["--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()],
        &[],
        1,
        &["comments.jsonl"],
    );
    let other = folder.0.join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(
        other.join("comments.jsonl"),
        "these are my notes, not sayso's\nand more of them\n",
    )
    .unwrap();
    fails(
        &["--listen", "127.0.0.1:0", "--data", other.to_str().unwrap()],
        &[],
        1,
        &["comments.jsonl"],
    );
    let kept = std::fs::read_to_string(other.join("comments.jsonl")).unwrap();
    assert_eq!(
        kept, "these are my notes, not sayso's\nand more of them\n",
        "nothing is dropped silently"
    );
    for token in ["/nowhere/token", folder.0.to_str().unwrap()] {
        let good = folder.0.join("good");
        let output = run(
            &[
                "--listen",
                "127.0.0.1:0",
                "--data",
                good.to_str().unwrap(),
                "--admin-token-file",
                token,
            ],
            &[],
        );
        assert!(matches!(output.status.code(), Some(1 | 2)), "{output:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains(token));
    }
    let empty = folder.0.join("empty");
    for weak in ["", "\n", "short\n", "   \n"] {
        std::fs::write(&empty, weak).unwrap();
        let good = folder.0.join("good");
        let path = empty.to_str().unwrap();
        let output = run(
            &[
                "--listen",
                "127.0.0.1:0",
                "--data",
                good.to_str().unwrap(),
                "--admin-token-file",
                path,
            ],
            &[],
        );
        assert!(
            matches!(output.status.code(), Some(1 | 2)),
            "{weak:?} lets anybody in: {output:?}"
        );
        assert!(String::from_utf8(output.stderr).unwrap().contains(path));
    }
}

#[test]
fn a_folder_that_is_missing_is_made_and_a_long_one_works() {
    let folder = Folder::new();
    // Longer than the path of a Unix socket may be.
    let data = folder.0.join("a".repeat(100)).join("b c".repeat(30)).join("Grüße");
    let mut program = Program::start(&data, &[]);
    posted(&program, "far down");
    assert_eq!(get(&program, "/").status, 200);
    // The private socket is elsewhere then. It goes with the server, or with the next one where that was killed.
    let elsewhere = || std::fs::read_link(data.join(".web.sock"));
    let left = elsewhere().unwrap();
    program.kill();
    assert!(left.exists());
    let mut program = Program::start(&data, &[]);
    assert!(!left.parent().unwrap().exists());
    let socket = elsewhere().unwrap();
    assert!(socket.exists());
    assert!(program.stop().success());
    assert!(!socket.parent().unwrap().exists() && elsewhere().is_err());
    assert!(data.join("comments.jsonl").exists());
    let mode = |path: &Path| {
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions())
    };
    assert_eq!(mode(&data.join("comments.jsonl")) & 0o022, 0, "others don't write it");
}

#[test]
fn the_commands_for_stored_comments_end_with_0_or_1() {
    let folder = Folder::new();
    let data = folder.0.to_str().unwrap();
    let mut program = Program::start(&folder.0, &[]);
    for n in 0..5 {
        posted(&program, &format!("c{n}"));
    }
    program.stop();
    for name in ["check", "compact", "check"] {
        let output = run(&[name, "--data", data], &[]);
        assert_eq!(output.status.code(), Some(0), "{name}: {output:?}");
    }
    let log = std::fs::read_to_string(folder.log()).unwrap();
    let damaged = log.replacen("\"content\":\"c1\"", "\"content\":\"XX\"", 1);
    assert_ne!(damaged, log);
    std::fs::write(folder.log(), &damaged).unwrap();
    let check = run(&["check", "--data", data], &[]);
    assert_eq!(check.status.code(), Some(1), "{check:?}");
    fails(
        &["--listen", "127.0.0.1:0", "--data", data],
        &[],
        1,
        &["comments.jsonl", "line 3", "sayso check", "sayso repair"],
    );
    assert_eq!(std::fs::read_to_string(folder.log()).unwrap(), damaged, "refusing changes nothing");
    assert_eq!(run(&["repair", "--data", data], &[]).status.code(), Some(0));
    let program = Program::start(&folder.0, &[]);
    assert_eq!(get(&program, "/api/counts?page=/").json(), json!({"/": 4}));
    let missing = folder.0.join("missing");
    for name in ["check", "repair", "compact"] {
        fails(&[name, "--data", missing.to_str().unwrap()], &[], 1, &[missing.to_str().unwrap()]);
    }
    assert!(!missing.exists(), "they make nothing");
}

#[test]
fn ipv6_and_every_address_are_listened_on() {
    let folder = Folder::new();
    let mut command = command();
    command.args(["--listen", "[::1]:0", "--data"]).arg(folder.0.join("six"));
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        let mut program = Program::spawn(&mut command);
        assert!(program.address.is_ipv6());
        assert_eq!(get(&program, "/").status, 200);
        assert!(program.stop().success());
    }
    let mut command = crate::support::server::command();
    command.args(["--listen", "0.0.0.0:0", "--data"]).arg(folder.0.join("all"));
    let mut program = Program::spawn(&mut command);
    program.address.set_ip("127.0.0.1".parse().unwrap());
    assert_eq!(get(&program, "/").status, 200);
    assert!(program.stop().success());
}

#[test]
fn what_stdout_does_not_take_is_an_error_and_who_has_read_enough_is_none() {
    let folder = Folder::new();
    let mut program = Program::start(&folder.0, &[]);
    posted(&program, "one");
    program.stop();
    let data = folder.0.to_str().unwrap();
    for arguments in [&["--help"][..], &["--version"], &["check", "--data", data]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = command().args(arguments).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert_eq!(said, "sayso: can't write to stdout: No space left on device (os error 28)\n");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command().args(arguments).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{arguments:?}");
    }
}
