//! The log as a public format: read by others, written by others, cut and damaged by machines.

use std::fs;

use sayso::log::chain::ChainHash;
use serde_json::json;

use crate::support::{
    client::{get, post, posted},
    server::Server,
};

/// The example lines of the format's documentation, byte for byte.
fn vector() -> String {
    let docs =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/log/README.md")).unwrap();
    let lines: Vec<&str> = docs.lines().filter(|line| line.starts_with("{\"")).collect();
    assert_eq!(lines.len(), 4, "a header and three lines");
    lines.join("\n") + "\n"
}

/// CRC-32C bit by bit (polynomial 0x1EDC6F41 reflected), so that the vector does not depend on the crate under test.
fn crc32c(before: u32, bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!before, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82F6_3B78 & 0u32.wrapping_sub(crc & 1))
        })
    })
}

#[test]
fn the_documented_lines_have_the_checksums_that_they_state() {
    assert_eq!(crc32c(0, b"123456789"), 0xE306_9283, "the check value of CRC-32C");
    let mut before = 0;
    for line in vector().lines() {
        let (covered, rest) = line.rsplit_once(",\"crc\":\"").unwrap();
        before = crc32c(before, covered.as_bytes());
        assert_eq!(rest, format!("{before:08x}\"}}"), "{line}");
    }
}

#[test]
fn the_documented_log_is_served_and_goes_on() {
    let mut server = Server::builder().stopped();
    server.write_log(vector());
    server.restart();
    let before = get(&server, "/api/comments").json();
    assert_eq!(before["log"], "9c41f0aa53d7e6b2");
    assert_eq!(before["comments"][0]["content"], "First *indeed*");
    let next = posted(&server, "more");
    assert_eq!(next["seq"], before["seq"].as_u64().unwrap() + 1);
    server.stop();
    let log = server.log_text();
    assert!(log.starts_with(&vector()));
    let last = log.lines().last().unwrap();
    let (covered, rest) = last.rsplit_once(",\"crc\":\"").unwrap();
    let before =
        u32::from_str_radix(&vector()[vector().len() - 11..vector().len() - 3], 16).unwrap();
    assert_eq!(rest, format!("{:08x}\"}}", crc32c(before, covered.as_bytes())));
}

/// The example lines with the hashes that they have where several machines keep the log, and those hashes.
fn chained_vector() -> (String, Vec<ChainHash>) {
    let (mut log, mut before, mut hashes) = (String::new(), 0, vec![ChainHash::default()]);
    for (number, line) in vector().lines().enumerate() {
        let (covered, _) = line.rsplit_once(",\"crc\":\"").unwrap();
        let (open, more) = match covered.strip_suffix(",\"more\":1") {
            Some(open) => (open, ",\"more\":1"),
            None => (covered, ""),
        };
        let mut hash = String::new();
        if number > 0 {
            let next = hashes[number - 1].next_open(7, open.as_bytes());
            hash = format!(",\"h\":\"{next}\"");
            hashes.push(next);
        }
        let covered = format!("{open}{hash}{more}");
        before = crc32c(before, covered.as_bytes());
        log += &format!("{covered},\"crc\":\"{before:08x}\"}}\n");
    }
    (log, hashes)
}

#[test]
fn a_log_of_several_machines_is_served_without_its_hashes_which_a_compaction_keeps() {
    let mut server = Server::builder().stopped();
    let (log, hashes) = chained_vector();
    server.write_log(log);
    server.restart();
    let page = get(&server, "/api/comments?since=0&page=/");
    let text = &page.body;
    assert!(text.contains("First *indeed*") && text.contains("Second."), "{text}");
    assert!(!text.contains("\"h\"") && !text.contains("\"crc\""), "{text}");
    let export = server.run(&["export", "--to", "sayso"]);
    let export = String::from_utf8(export.stdout).unwrap();
    assert!(export.contains("First *indeed*") && !export.contains("\"h\""), "{export}");
    posted(&server, "more");
    server.compact();
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 3}));
    server.check();
    let log = server.log_text();
    // The first line was edited.
    for (hash, is_kept) in hashes[1..].iter().zip([false, true, true]) {
        assert_eq!(log.contains(&hash.to_string()), is_kept, "{hash} in {log}");
    }
    assert!(server.stop().success());
    server.restart();
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 3}));
}

#[test]
#[cfg(feature = "exchange")]
fn a_log_of_several_machines_is_imported_elsewhere() {
    let server = Server::start(&[]);
    let (log, _) = chained_vector();
    let file = server.data().join("kept.jsonl");
    fs::write(&file, &log).unwrap();
    let import = server.run(&["import", "--from", "sayso", file.to_str().unwrap()]);
    assert_eq!(import.status.code(), Some(0), "{import:?}");
    let page = get(&server, "/api/comments").json();
    assert_eq!(page["comments"][0]["content"], "First *indeed*");
    assert_eq!(page["comments"][1]["content"], "Second.");
    assert!(!server.log_text().contains("\"h\""), "{}", server.log_text());
    fs::write(&file, log.replace("\"h\":\"7.", "\"h\":\"8.")).unwrap();
    let import = server.run(&["import", "--from", "sayso", file.to_str().unwrap()]);
    assert_eq!(import.status.code(), Some(1), "checksums cover the hash: {import:?}");
}

#[test]
#[cfg(feature = "redis")]
fn a_check_names_a_hash_that_is_not_right_and_an_offline_compaction_keeps_the_newest_lines() {
    let server = Server::builder().stopped();
    let (log, hashes) = chained_vector();
    server.write_log(&log);
    server.check();
    // As a program that knows checksums would write it.
    let wrong = hashes[2].next_open(8, b"{").to_string();
    let (mut changed, mut before) = (String::new(), 0);
    for line in log.replace(&hashes[2].to_string(), &wrong).lines() {
        let (covered, _) = line.rsplit_once(",\"crc\":\"").unwrap();
        before = crc32c(before, covered.as_bytes());
        changed += &format!("{covered},\"crc\":\"{before:08x}\"}}\n");
    }
    server.write_log(changed);
    let check = server.run(&["check"]);
    assert_eq!(check.status.code(), Some(1));
    let said = String::from_utf8(check.stdout).unwrap();
    let named: Vec<&str> = said.lines().collect();
    let what = "its h does not follow from that of the line before";
    assert_eq!(named, [format!("line 3: {what}"), format!("line 4: {what}")]);
    server.write_log(&log);
    server.compact();
    assert_eq!(
        server.log_text().replace(",\"more\":1", "").lines().count(),
        4,
        "all are among the newest"
    );
    server.check();
}

/// A server that has written a log of ten comments, each a write of its own, and was stopped.
fn ten() -> Server {
    let mut server = Server::start(&[]);
    for n in 0..10 {
        posted(&server, &format!("comment {n}"));
    }
    server.stop();
    server
}

#[test]
fn a_torn_last_line_is_kept_aside_and_the_rest_survives() {
    let mut server = ten();
    let whole = server.log_bytes();
    let last_line = whole[..whole.len() - 1].iter().rposition(|&b| b == b'\n').unwrap() + 1;
    for end in [last_line + 1, last_line + 20, whole.len() - 1] {
        server.write_log(&whole[..end]);
        server.restart();
        assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 9}));
        server.stop();
        assert_eq!(server.log_bytes(), &whole[..last_line]);
        let kept: Vec<_> = fs::read_dir(server.data())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().contains("comments.jsonl.torn-"))
            .collect();
        assert_eq!(kept.len(), 1);
        assert_eq!(fs::read(&kept[0]).unwrap(), &whole[last_line..end]);
        fs::remove_file(&kept[0]).unwrap();
    }
}

#[test]
fn only_a_write_that_has_no_end_is_called_never_acknowledged() {
    let mut server = Server::builder().shell("").start();
    (0..3).for_each(|n| drop(posted(&server, &format!("comment {n}"))));
    assert!(server.stop().success());
    let whole = server.log_bytes();
    let cut_short = whole[..whole.len() - 40].to_vec();
    let (mut damaged, mut zeros) = (whole.clone(), whole.clone());
    *damaged.iter_mut().rev().nth(60).unwrap() ^= 1;
    zeros[whole.len() - 40..].fill(0);
    for (log, is_certain) in [(cut_short, true), (damaged, false), (zeros, false)] {
        let before = server.stderr().len();
        server.write_log(log);
        server.restart();
        assert!(server.stop().success());
        let said = server.stderr().split_off(before);
        assert_eq!(said.contains("never acknowledged"), is_certain, "{said}");
        assert_eq!(said.contains("may have been acknowledged"), !is_certain, "{said}");
    }
}

#[test]
fn damage_in_the_middle_is_refused_with_its_line() {
    let server = ten();
    let whole = server.log_bytes();
    for line in [2, 5, 9] {
        let starts: Vec<usize> = std::iter::once(0)
            .chain(whole.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1))
            .collect();
        let mut damaged = whole.clone();
        damaged[starts[line - 1] + 30] ^= 1;
        server.write_log(&damaged);
        let output = server.run_second();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains(&format!("line {line}"))
                && said.contains("sayso check")
                && said.contains("sayso repair"),
            "{said}"
        );
        assert_eq!(server.log_bytes(), damaged, "nothing is changed");
    }
}

#[test]
fn one_torn_write_of_several_lines_is_cut_as_a_whole() {
    let mut server = ten();
    // Lines of one write: all but the last carry `more`. Its first page did not reach the disk.
    let mut log = server.log_bytes();
    let good = log.len();
    log.extend_from_slice(&[0; 100]);
    log.push(b'\n');
    let mut before = 7;
    for (seq, more) in [(12, ",\"more\":1"), (13, "")] {
        let covered = format!(
            "{{\"seq\":{seq},\"id\":{seq},\"page\":\"/\",\"content\":\"x\",\"created_at\":\"2026-11-22T05:07:13.123Z\"{more}"
        );
        before = crc32c(before, covered.as_bytes());
        log.extend_from_slice(format!("{covered},\"crc\":\"{before:08x}\"}}\n").as_bytes());
    }
    server.write_log(&log);
    server.restart();
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 10}));
    assert_eq!(posted(&server, "next")["seq"], 11);
    server.stop();
    assert!(server.log_bytes().len() > good);
}

#[test]
fn what_is_not_a_log_is_refused_and_left_alone() {
    let server = Server::builder().stopped();
    for text in [
        "hello\n",
        "{\"sayso\":2,\"log\":\"9c41f0aa53d7e6b2\",\"next\":1,\"crc\":\"00000000\"}\n",
        "{}\n",
    ] {
        server.write_log(text);
        let output = server.run_second();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert_eq!(server.log_text(), text);
    }
}

#[test]
fn lines_of_kinds_to_come_are_passed_over() {
    let mut server = Server::builder().stopped();
    let mut log = vector();
    let before = u32::from_str_radix(&log[log.len() - 11..log.len() - 3], 16).unwrap();
    let covered =
        "{\"seq\":50,\"kind\":\"like\",\"id\":1,\"author\":\"q83vEjRWeJCrze8SNFZ4kA\",\"on\":true";
    log.push_str(&format!("{covered},\"crc\":\"{:08x}\"}}\n", crc32c(before, covered.as_bytes())));
    server.write_log(&log);
    server.restart();
    assert_eq!(posted(&server, "next")["seq"], 51);
}

#[test]
fn a_second_process_on_the_same_folder_is_refused() {
    let server = Server::start(&[]);
    let output = server.run_second();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("another"), "it says why");
    assert_eq!(post(&server, &json!({"content": "still here"})).status, 201);
}

#[test]
fn without_sync_the_log_is_the_same() {
    let mut server = Server::start(&["--sync", "never"]);
    posted(&server, "unsynced");
    server.kill();
    server.restart();
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 1}));
}
