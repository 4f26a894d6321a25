//! The command line: one line on stdout, sentences on stderr, three exit codes, and an orderly end.

mod arguments;
mod places;
mod shutdown;

use std::process::Output;

use crate::support::server::{Folder, TIMEOUT, command, output};

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
