//! The command line: one line on stdout, sentences on stderr, three exit codes, and an orderly end.

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    client::{get, post, posted, request},
    frames::Client,
    server::{Folder, LOG, Server, Signal, TIMEOUT, command, output, run_to_end, sayso},
};

/// A stop takes at most this long, whoever is connected.
const STOP_MAX: Duration = Duration::from_secs(5);

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    output(command().args(arguments).envs(environment.iter().copied()), TIMEOUT)
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
    std::fs::write(folder.join("file"), "").unwrap();
    folder.join("file/data")
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
        let data = folder.join("data");
        let arguments = ["--listen", "127.0.0.1:0", "--hold", hold, "--data", &data];
        // It must not start: if it did, it would not end.
        let output = sayso(&arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.stdout.is_empty(),
            "--hold {hold} starts, and nobody can ever release anything"
        );
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

    let builder = Server::builder().bare();
    let data = builder.data_path().to_owned();
    let mut server = builder
        .env("SAYSO_LISTEN", "127.0.0.1:0")
        .env("SAYSO_DATA", data)
        .env("SAYSO_TITLE", "From outside")
        .env("SAYSO_ALLOW_ORIGIN", "https://a.example,https://b.example")
        .env("SAYSO_RATE", "")
        .env("SAYSO_LOG_LEVEL", "warn")
        .start();
    assert!(get(&server, "/").body.contains("From outside"));
    for origin in ["https://a.example", "https://b.example"] {
        let answer = request(&server, "GET", "/api/comments", &format!("Origin: {origin}\r\n"), "");
        assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(origin));
    }
    assert!(server.log().exists());
    assert!(server.stop().success());

    let mut server = Server::builder()
        .env("SAYSO_LISTEN", "nonsense")
        .env("SAYSO_DATA", &file)
        .env("SAYSO_TITLE", "From outside")
        .env("SAYSO_BASE_PATH", "/outer")
        .flags(&["--title=From inside", "--base-path", "/inner"])
        .start();
    assert!(get(&server, "/inner/").body.contains("From inside"));
    assert_eq!(get(&server, "/outer/").status, 404);
    assert!(server.stop().success());
}

#[test]
fn both_signals_end_with_0_in_time_whoever_is_connected() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start(&[]);
        let mut sockets: Vec<Client> = (0..50)
            .map(|n| if n % 2 == 0 { Client::plain(&server) } else { Client::full(&server, "") })
            .collect();
        let host = server.address;
        let mut kept: Vec<_> = (0..50)
            .map(|_| {
                let mut connection = server.connection();
                let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
                assert_eq!(connection.exchange(request).status, 200);
                connection.into_parts().0
            })
            .collect();
        // Some that are in the middle of something.
        let unfinished: Vec<_> = ["", "GET / HTTP/1.1\r\nHo", "POST /api/comments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"]
            .into_iter()
            .map(|part| {
                let mut stream = server.connect();
                stream.write_all(part.as_bytes()).unwrap();
                stream
            })
            .collect();
        posted(&server, "the last one");
        let started = Instant::now();
        server.signal(signal);
        let status = server.wait();
        let took = started.elapsed();
        assert_eq!(status.code(), Some(0), "{signal:?}");
        assert!(took < STOP_MAX, "{signal:?}: {took:?}");
        for (number, client) in sockets.iter_mut().enumerate() {
            assert_eq!(client.close_code(), Some(1001), "socket {number} at {signal:?}");
        }
        for stream in &mut kept {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).unwrap();
            assert!(rest.is_empty(), "nothing but the end: {:?}", String::from_utf8_lossy(&rest));
        }
        drop(unfinished);
        assert!(!server.data().join(".web.sock").exists(), "the private socket is gone");
        // What was answered is there, and the folder is free.
        server.restart();
        assert_eq!(get(&server, "/api/comments").json()["comments"][0]["content"], "the last one");
    }
}

#[test]
fn readers_that_never_read_do_not_hold_up_the_end() {
    let mut server = Server::start(&[]);
    let deaf: Vec<Client> = (0..10).map(|_| Client::plain(&server)).collect();
    let mut writer = Client::open(&server, "/ws/comments/?page=other", "").unwrap();
    // 4 MiB to each is more than any socket's buffers and less than what is kept for all.
    for _ in 0..100 {
        assert_eq!(post(&server, &json!({"content": "x".repeat(8192)})).status, 201);
    }
    writer.send(&json!({"content": "elsewhere"}));
    writer.line();
    let started = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(started.elapsed() < STOP_MAX, "{:?}", started.elapsed());
    assert_eq!(writer.close_code(), Some(1001));
    drop(deaf);
}

#[test]
fn every_comment_that_was_acknowledged_before_a_stop_is_there_after_it() {
    let mut server = Server::start(&[]);
    let mut writers: Vec<Client> = (0..4).map(|_| Client::plain(&server)).collect();
    for writer in &mut writers {
        for n in 0..50 {
            writer.send(&json!({"content": format!("c{n}")}));
        }
    }
    let mut seen = vec![writers[0].line()["id"].as_u64().unwrap()];
    server.signal(Signal::TERM);
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
    assert_eq!(server.wait().code(), Some(0));
    let log = server.log_text();
    assert!(log.ends_with('\n'));
    for id in seen {
        assert!(log.contains(&format!("\"id\":{id},")), "{id} was seen and is lost");
    }
    server.check();
}

#[test]
fn a_second_signal_is_no_disorder() {
    let mut server = Server::start(&[]);
    let mut socket = Client::plain(&server);
    server.signal(Signal::TERM);
    server.signal(Signal::INT);
    assert_eq!(socket.close_code(), Some(1001));
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_folder_belongs_to_one_process() {
    let mut server = Server::start(&[]);
    let data = server.data_flag();
    posted(&server, "mine");
    fails(&["--listen", "127.0.0.1:0", "--data", data], &[], 1, &[data]);
    fails(&["--listen", "127.0.0.1:0", "--data", &format!("{data}/../data")], &[], 1, &[]);
    // The first goes on as if nothing had been.
    posted(&server, "still mine");
    assert_eq!(get(&server, "/").status, 200);
    let check = server.run(&["check"]);
    assert_eq!(check.status.code(), Some(0), "check reads a live folder: {check:?}");
    server.kill();
    server.restart();
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 2}));
    assert!(server.stop().success());
}

#[test]
fn a_port_in_use_ends_with_1_and_its_name() {
    let mut server = Server::builder().stopped();
    let data = server.data_flag();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    fails(&["--listen", &address, "--data", data], &[], 1, &[&address, "in use"]);
    fails(&["--listen", "192.0.2.1:0", "--data", data], &[], 1, &["192.0.2.1"]);
    // The folder is free again.
    drop(taken);
    server.restart();
    assert!(server.stop().success());
}

#[test]
fn folders_and_files_that_can_not_be_used_end_with_1_and_their_names() {
    let folder = Folder::new();
    let file = below_a_file(&folder);
    fails(&["--listen", "127.0.0.1:0", "--data", &file], &[], 1, &[&file]);
    let file = folder.join("file");
    fails(&["--listen", "127.0.0.1:0", "--data", &file], &[], 1, &[&file]);
    // Not even root makes folders there.
    fails(&["--listen", "127.0.0.1:0", "--data", "/proc/sayso"], &[], 1, &["/proc/sayso"]);
    let data = folder.join("data");
    std::fs::create_dir_all(Path::new(&data).join("comments.jsonl")).unwrap();
    fails(&["--listen", "127.0.0.1:0", "--data", &data], &[], 1, &["comments.jsonl"]);
    let other = folder.join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(
        Path::new(&other).join(LOG),
        "these are my notes, not sayso's\nand more of them\n",
    )
    .unwrap();
    fails(&["--listen", "127.0.0.1:0", "--data", &other], &[], 1, &["comments.jsonl"]);
    let kept = std::fs::read_to_string(Path::new(&other).join(LOG)).unwrap();
    assert_eq!(
        kept, "these are my notes, not sayso's\nand more of them\n",
        "nothing is dropped silently"
    );
    for token in ["/nowhere/token", folder.path().to_str().unwrap()] {
        let good = folder.join("good");
        let output =
            run(&["--listen", "127.0.0.1:0", "--data", &good, "--admin-token-file", token], &[]);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{output:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains(token));
    }
    let empty = folder.join("empty");
    for weak in ["", "\n", "short\n", "   \n"] {
        std::fs::write(&empty, weak).unwrap();
        let good = folder.join("good");
        let output =
            run(&["--listen", "127.0.0.1:0", "--data", &good, "--admin-token-file", &empty], &[]);
        assert!(
            matches!(output.status.code(), Some(1 | 2)),
            "{weak:?} lets anybody in: {output:?}"
        );
        assert!(String::from_utf8(output.stderr).unwrap().contains(&empty));
    }
}

#[test]
fn a_folder_that_is_missing_is_made_and_a_long_one_works() {
    // Longer than the path of a Unix socket may be.
    let below = Path::new(&"a".repeat(100)).join("b c".repeat(30)).join("Grüße");
    let mut server = Server::builder().data(below).start();
    let data = server.data().to_owned();
    posted(&server, "far down");
    assert_eq!(get(&server, "/").status, 200);
    // The private socket is elsewhere then. It goes with the server, or with the next one where that was killed.
    let elsewhere = || std::fs::read_link(data.join(".web.sock"));
    let left = elsewhere().unwrap();
    server.kill();
    assert!(left.exists());
    server.restart();
    assert!(!left.parent().unwrap().exists());
    let socket = elsewhere().unwrap();
    assert!(socket.exists());
    assert!(server.stop().success());
    assert!(!socket.parent().unwrap().exists() && elsewhere().is_err());
    assert!(data.join("comments.jsonl").exists());
    let mode = |path: &Path| {
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions())
    };
    assert_eq!(mode(&data.join("comments.jsonl")) & 0o022, 0, "others don't write it");
}

#[test]
fn the_commands_for_stored_comments_end_with_0_or_1() {
    let mut server = Server::start(&[]);
    for n in 0..5 {
        posted(&server, &format!("c{n}"));
    }
    server.stop();
    for name in ["check", "compact", "check"] {
        let output = server.run(&[name]);
        assert_eq!(output.status.code(), Some(0), "{name}: {output:?}");
    }
    let log = server.log_text();
    let damaged = log.replacen("\"content\":\"c1\"", "\"content\":\"XX\"", 1);
    assert_ne!(damaged, log);
    server.write_log(&damaged);
    let check = server.run(&["check"]);
    assert_eq!(check.status.code(), Some(1), "{check:?}");
    fails(
        &["--listen", "127.0.0.1:0", "--data", server.data_flag()],
        &[],
        1,
        &["comments.jsonl", "line 3", "sayso check", "sayso repair"],
    );
    assert_eq!(server.log_text(), damaged, "refusing changes nothing");
    assert_eq!(server.run(&["repair"]).status.code(), Some(0));
    server.restart();
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 4}));
    let missing = server.data().join("missing");
    for name in ["check", "repair", "compact"] {
        fails(&[name, "--data", missing.to_str().unwrap()], &[], 1, &[missing.to_str().unwrap()]);
    }
    assert!(!missing.exists(), "they make nothing");
}

#[test]
fn ipv6_and_every_address_are_listened_on() {
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        let mut server = Server::start(&["--listen", "[::1]:0"]);
        assert!(server.address.is_ipv6());
        assert_eq!(get(&server, "/").status, 200);
        assert!(server.stop().success());
    }
    let mut server = Server::start(&["--listen", "0.0.0.0:0"]);
    server.address.set_ip("127.0.0.1".parse().unwrap());
    assert_eq!(get(&server, "/").status, 200);
    assert!(server.stop().success());
}

#[test]
fn what_stdout_does_not_take_is_an_error_and_who_has_read_enough_is_none() {
    let mut server = Server::start(&[]);
    posted(&server, "one");
    server.stop();
    for arguments in [&["--help"][..], &["--version"], &["check", "--data", server.data_flag()]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut into_full = command();
        into_full.args(arguments).stdout(full).stderr(Stdio::piped());
        let output = run_to_end(&mut into_full, TIMEOUT);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert_eq!(said, "sayso: can't write to stdout: No space left on device (os error 28)\n");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut into_closed = command();
        into_closed.args(arguments).stdout(writer).stderr(Stdio::piped());
        let output = run_to_end(&mut into_closed, TIMEOUT);
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{arguments:?}");
    }
}
