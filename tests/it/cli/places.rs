//! The folder, the port and the files that sayso is pointed at, and the subcommands for what is stored there.

use std::{net::TcpListener, path::Path};

use serde_json::json;

use super::{below_a_file, fails, run};
use crate::support::{
    client::{get, posted},
    server::{Folder, LOG, Server},
};

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
    // The private sockets are elsewhere then. They go with the server, or with the next one where that was killed.
    let sockets = [".web.sock", ".ctl.sock"];
    let elsewhere = || sockets.map(|name| std::fs::read_link(data.join(name)));
    let left = elsewhere().map(Result::unwrap);
    server.kill();
    assert!(left.iter().all(|socket| socket.exists()));
    server.restart();
    assert!(left.iter().all(|socket| !socket.parent().unwrap().exists()));
    let now = elsewhere().map(Result::unwrap);
    assert!(now.iter().all(|socket| socket.exists()));
    assert!(server.stop().success());
    assert!(now.iter().all(|socket| !socket.parent().unwrap().exists()));
    assert!(elsewhere().iter().all(Result::is_err));
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
fn a_file_in_place_of_the_data_folder_is_named_as_that() {
    let folder = Folder::new();
    let file = folder.join(LOG);
    std::fs::write(&file, "").unwrap();
    for arguments in [&["--listen", "127.0.0.1:0"][..], &["check"], &["repair"], &["compact"]] {
        let arguments = [arguments, &["--data", &file]].concat();
        fails(&arguments, &[], 1, &["--data", &file, "is a file", "folder"]);
    }
}
