//! Programs of every kind beside the server: ones that hang, that are not there, that are slow. None of them keeps it from anything.

use std::fs;

use rustix::process::{Pid, test_kill_process};
use serde_json::json;

use super::{Program, TELLS, until};
use crate::support::{
    client::{JSON, get, posted},
    server::Server,
};

/// Comments that come while a program is busy.
const FLOOD: usize = 10_000;
/// Bytes of each: together they are more than the server may take.
const FLOOD_CONTENT_BYTES: usize = 4_000;
/// By how much the server may grow meanwhile, in KiB: half of what a backlog would take.
const FLOOD_KIB_MAX: u64 = 20_000;

fn start(program: &Program) -> Server {
    let [flag, path] = program.flags();
    Server::builder().flags(&[&flag, &path]).shell("").start()
}

fn resident_kib(server: &Server) -> u64 {
    let path = format!("/proc/{}/status", server.pid().as_raw_nonzero());
    let status = fs::read_to_string(path).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_flood_while_a_program_is_slow_is_taken_at_once_and_costs_no_memory() {
    let program = Program::new(&format!("{TELLS}; read _ <\"$D/go\""));
    let [flag, path] = program.flags();
    let server = Server::start(&[&flag, &path, "--sync", "never"]);
    posted(&server, "first");
    assert_eq!(program.next_text(), "first");
    let mut connection = server.connection();
    let mut post = |number: usize| {
        let body =
            json!({"content": format!("{number} {}", "x".repeat(FLOOD_CONTENT_BYTES))}).to_string();
        let head = format!(
            "POST /api/comments HTTP/1.1\r\nHost: {}\r\n{JSON}Content-Length: {}\r\n\r\n",
            server.address,
            body.len()
        );
        assert_eq!(connection.exchange(head + &body).status, 201);
    };
    // Until what is bounded is full.
    (0..FLOOD / 10).for_each(&mut post);
    let before = resident_kib(&server);
    (FLOOD / 10..FLOOD).for_each(&mut post);
    let grown = resident_kib(&server).saturating_sub(before);
    assert!(grown < FLOOD_KIB_MAX, "it has grown by {grown} KiB");
    assert_eq!(program.runs(), 1, "all were answered while the program was busy with the first");
    let metrics = get(&server, "/metrics").body;
    let lag = metrics.lines().find(|line| line.starts_with("sayso_notify_lag{program=\"program-"));
    assert!(lag.is_some_and(|line| line.ends_with(&format!("\"}} {}", FLOOD + 1))), "{metrics}");
    for number in 0..3 {
        program.let_go();
        assert!(program.next_text().starts_with(&format!("{number} x")));
    }
    program.let_go();
}

#[test]
fn a_program_that_hangs_is_killed_when_sayso_stops_and_told_again_later() {
    let program =
        Program::new(&format!("{TELLS}; echo \"{{\\\"pid\\\":$$}}\" >\"$D/told\"; sleep 1000"));
    let mut server = start(&program);
    posted(&server, "one");
    assert_eq!(program.next_text(), "one");
    let pid = program.next()["pid"].as_i64().unwrap();
    assert!(server.stop().success());
    let said = server.stderr();
    assert!(!said.contains("took too long") && !said.contains(" warn "), "{said}");
    let pid = Pid::from_raw(pid as i32).unwrap();
    assert!(test_kill_process(pid).is_err(), "{pid:?} lives");
    program.write(TELLS);
    server.restart();
    assert_eq!(program.next_text(), "one");
}

#[test]
fn a_program_that_is_not_there_is_said_at_the_start_and_tried_again() {
    let program = Program::new(TELLS);
    fs::remove_file(program.path()).unwrap();
    let server = start(&program);
    let path = program.path().display().to_string();
    let said = server.stderr();
    assert!(said.contains(&format!("is not there, {path}")), "{said}");
    posted(&server, "one");
    let is_tried = || server.stderr().contains("the next try is in 1 s: No such file");
    until("it is not tried", is_tried);
    program.write(TELLS);
    assert_eq!(program.next_text(), "one");
    let metrics = get(&server, "/metrics").body;
    assert!(!metrics.contains("sayso_notify_failures_total{program=\"program-\"} 0"), "{metrics}");
}

#[test]
fn a_program_inherits_no_variable_of_sayso() {
    let program =
        Program::new("env >\"$D/env\"; echo '{\"line\":{\"content\":\"done\"}}' >\"$D/told\"");
    let [_, path] = program.flags();
    let server = Server::builder()
        .env("SAYSO_NOTIFY", format!("{path} 'an argument'"))
        .env("SAYSO_TITLE", "Secret")
        .env("HOME", "/nowhere")
        .start();
    posted(&server, "one");
    assert_eq!(program.next_text(), "done");
    let env = fs::read_to_string(program.folder.join("env")).unwrap();
    assert!(env.contains("HOME=/nowhere") && !env.contains("SAYSO_"), "{env}");
}

#[test]
fn two_programs_are_told_each_at_its_own_pace() {
    let quick = Program::new(TELLS);
    let slow = Program::new(&format!("{TELLS}; read _ <\"$D/go\""));
    let ([_, one], [_, other]) = (quick.flags(), slow.flags());
    let server = Server::start(&["--notify", &one, "--notify", &other]);
    for number in 1..=5 {
        posted(&server, &format!("comment {number}"));
        assert_eq!(quick.next_text(), format!("comment {number}"));
    }
    for number in 1..=5 {
        assert_eq!(slow.next_text(), format!("comment {number}"));
        slow.let_go();
    }
}

#[test]
fn a_digest_has_everything_since_the_last_one_and_is_told_once_an_hour_at_most() {
    let program = Program::new(TELLS);
    let path = program.flags()[1].clone();
    let mut server = Server::start(&["--notify", &format!("digest:{path}")]);
    posted(&server, "one");
    let digest = program.next();
    assert_eq!((&digest["event"], &digest["more"]), (&json!("digest"), &json!(0)));
    let texts = |digest: &serde_json::Value| -> Vec<String> {
        digest["events"].as_array().unwrap().iter().map(super::text).collect()
    };
    assert_eq!(texts(&digest), ["one"]);
    for number in 0..150 {
        posted(&server, &format!("comment {number}"));
    }
    // Neither now, nor after a start, but an hour later.
    for is_later in [false, true] {
        assert!(server.stop().success());
        assert_eq!(program.runs(), 1);
        if is_later {
            let folder = fs::read_dir(server.data().join("notify")).unwrap();
            let file = folder.last().unwrap().unwrap().path();
            let cursor = fs::read_to_string(&file).unwrap();
            let (place, told_at) = cursor.trim_end().rsplit_once(' ').unwrap();
            let earlier = told_at.parse::<u64>().unwrap() - 3_601;
            fs::write(file, format!("{place} {earlier}\n")).unwrap();
        }
        server.restart();
    }
    let digest = program.next();
    assert_eq!(digest["more"], 50);
    let expected: Vec<String> = (0..100).map(|number| format!("comment {number}")).collect();
    assert_eq!(texts(&digest), expected);
}
