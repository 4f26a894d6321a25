//! Flags, values and the environment, and what is printed.

use std::process::{Command, Stdio};

use super::{below_a_file, fails, run};
use crate::support::{
    client::{get, posted, request},
    server::{Folder, Server, TIMEOUT, command, run_to_end, sayso},
};

/// The commit that this was built from with its date, as git tells it of that commit; outside a repository, `unknown`.
fn built_from() -> String {
    let commit = sayso::util::version::COMMIT;
    let git = ["log", "-1", "--abbrev=12", "--date=short", "--format=%h, %cd", commit];
    let output = Command::new("git").args(git).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    match output.ok().filter(|output| output.status.success()) {
        Some(output) => String::from_utf8(output.stdout).unwrap().trim().into(),
        None => "unknown".into(),
    }
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
        assert_eq!(said.trim_end(), sayso::cli::config::HELP.trim_end(), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}");
    }
    for arguments in [&["--version"][..], &["-V"]] {
        let output = run(arguments, &[]);
        assert_eq!(output.status.code(), Some(0));
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said, format!("sayso {} ({})\n", env!("CARGO_PKG_VERSION"), built_from()));
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
        "--block-file",
        "--max-links",
        "--flags-hold",
        "--close-after",
        "--admin-token-file",
        "--sign-on-file",
        "--title",
        "--log-level",
        "--log-format",
        "--no-page",
        "--notify",
        "--metrics",
        "--redis",
        "--redis-name",
        "--redis-keep",
        "--log-addresses",
    ] {
        assert!(sayso::cli::config::HELP.contains(flag), "{flag}");
    }
    assert!(sayso::cli::config::HELP.lines().all(|line| line.chars().count() <= 100));
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
        (&["--max-links", "-1"], &["--max-links", "-1", "off", "10000"]),
        (&["--max-links", "10001"], &["--max-links", "10001", "10000"]),
        (&["--flags-hold", "0"], &["--flags-hold", "0", "off", "1", "1000"]),
        (&["--flags-hold", "1001"], &["--flags-hold", "1001", "1000"]),
        (&["--close-after", "0"], &["--close-after", "0", "off", "36500"]),
        (&["--close-after", "36501"], &["--close-after", "36501", "36500"]),
        (&["--notify", "digest:"], &["--notify", "program"]),
        (&["--notify", "mail 'a"], &["--notify", "does not end"]),
        (&["--notify", "mail", "--notify", "mail"], &["--notify", "twice"]),
        (&["--metrics", "all"], &["--metrics", "all", "local", "public"]),
        (&["--redis-name", "talk"], &["--redis-name", "without --redis"]),
        (&["--redis-keep", "5000"], &["--redis-keep", "without --redis"]),
        (&["--no-page=off"], &["--no-page", "no value"]),
        (&["--log-level", "loud"], &["--log-level", "loud", "info"]),
        (&["--log-format", "xml"], &["--log-format", "xml", "text", "json"]),
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

/// What may be wrong with the address of Redis, and what the sentence says in a build with the feature `redis`.
const WRONG_REDIS: [(&[&str], &[&str]); 6] = [
    (&["--redis", "rediss://:s3cret@h"], &["--redis", "a tunnel"]),
    (&["--redis", "http://:s3cret@h"], &["--redis", "redis://", "redis+unix:///PATH"]),
    (&["--redis", "redis://:s3cret@h:0"], &["--redis", "65535"]),
    (&["--redis", "redis://:s3cret@h", "--redis-keep", "999"], &["--redis-keep", "999", "1000"]),
    (&["--redis", "redis://:s3cret@h", "--redis-name", "a:b"], &["--redis-name", "a:b", "64"]),
    (&["--redis", "redis://:s3cret@h", "--sync", "never"], &["--sync never", "--redis"]),
];

#[test]
fn a_wrong_address_of_redis_ends_with_2_and_its_password_is_in_no_sentence() {
    for (arguments, parts) in WRONG_REDIS {
        let parts = if cfg!(feature = "redis") { parts } else { &["--redis", "--features redis"] };
        fails(arguments, &[], 2, parts);
        let output = run(arguments, &[]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("s3cret") && output.stdout.is_empty(), "{said}");
    }
    let parts = if cfg!(feature = "redis") { "a tunnel" } else { "--features redis" };
    fails(&[], &[("SAYSO_REDIS", "rediss://:s3cret@h")], 2, &["SAYSO_REDIS", parts]);
    fails(&[], &[("SAYSO_REDIS_NAME", "talk")], 2, &["SAYSO_REDIS_NAME", "without --redis"]);
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
        ("SAYSO_MAX_LINKS", "many"),
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
        let response =
            request(&server, "GET", "/api/comments", &format!("Origin: {origin}\r\n"), "");
        assert_eq!(response.header("access-control-allow-origin").as_deref(), Some(origin));
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
