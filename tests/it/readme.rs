//! The README can't rot: what it quotes is compared, what it says to run is run.

use std::{fs, process::Command};

use serde_json::json;

use crate::support::{
    client::{get, posted},
    server::{Server, TIMEOUT, output, sayso},
};

fn readme() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let start = format!("```{language}\n");
    readme()
        .split(&start)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_readme_quotes_the_help_word_for_word() {
    let help = String::from_utf8(sayso(&["--help"]).stdout).unwrap();
    assert!(blocks("text").contains(&help), "run sayso --help and copy it");
}

#[test]
fn the_readme_shows_the_log_of_the_crate_documentation() {
    let docs = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs")).unwrap();
    let lines: String = docs
        .lines()
        .filter_map(|line| line.strip_prefix("//! {"))
        .map(|line| format!("{{{line}\n"))
        .collect();
    assert!(!lines.is_empty() && blocks("json").contains(&lines));
}

#[test]
fn the_curl_commands_of_the_readme_work() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("curl is not here: its commands are not run");
        return;
    }
    let server = Server::start(&[]);
    let commands: Vec<String> = blocks("sh")
        .iter()
        .flat_map(|block| block.lines())
        .filter(|line| line.starts_with("curl "))
        .map(str::to_owned)
        .collect();
    assert_eq!(commands.len(), 2);
    for line in commands {
        let line = line.replace("127.0.0.1:8000", &server.address.to_string());
        let output = output(
            Command::new("sh").args(["-c", &format!("{line} --fail --silent --max-time 20")]),
            TIMEOUT,
        );
        assert!(output.status.success(), "{line}: {output:?}");
        assert!(String::from_utf8(output.stdout).unwrap().contains("Hello from curl"), "{line}");
    }
}

#[test]
fn every_route_and_file_that_the_readme_names_is_there() {
    let server = Server::start(&[]);
    posted(&server, "hi");
    for path in ["/", "/embed.js", "/embed.css", "/api/comments", "/healthz", "/metrics"] {
        assert!(readme().contains(path));
        assert_eq!(get(&server, path).status, 200, "{path}");
    }
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 1}));
    for picture in ["light.png", "dark.png"] {
        let path = format!("tests/browser/pictures/{picture}");
        assert!(readme().contains(&path));
        assert!(fs::exists(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap());
    }
}
