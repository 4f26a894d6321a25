//! The shape of the source: which folder may import which, who may name which crate, and how much there may be of anything.
//!
//! Reads `src` as text. Folders and their groups are those of the crate documentation.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A file imports from its own folder or from a later group, never from an earlier one or from a neighbour of its group.
const GROUPS: [&[&str]; 7] = [
    &["main", "cli"],
    &["web", "ws", "notify", "exchange", "cluster"],
    &["hub"],
    &["net", "fanout", "store"],
    &["http", "comment", "log"],
    &["util"],
    &["limits", "error"],
];
/// The only files that may name these crates.
const NAMED_ONLY_IN: [(&str, &[&str]); 3] = [
    ("tiny_http", &["web/backend.rs"]),
    ("tungstenite", &["ws/", "fanout/frame.rs"]),
    ("redis", &["cluster/"]),
];
const LINES_MAX: usize = 450;
/// With sayso itself; promised in the README.
const CRATES_MAX: usize = 64;

/// Path below `src` and text of every source file.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("src can be read") {
            let path: PathBuf = entry.expect("src can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("it is below src").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("src can be read")));
            }
        }
    }
    assert!(found.len() > 60, "only {} source files were found", found.len());
    found
}

/// The folders named in `crate::…` paths of a text.
fn imports(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for (at, found) in text.match_indices("crate::") {
        let rest = &text[at + found.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.push(first_name(rest));
            continue;
        };
        names.push(first_name(group));
        let mut depth = 0;
        for (at, character) in group.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => names.push(first_name(&group[at + 1..])),
                _ => {}
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn first_name(text: &str) -> &str {
    let text = text.trim_start();
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// The group of a file or folder; `lib.rs` imports nothing.
fn group(name: &str) -> Option<usize> {
    GROUPS.iter().position(|group| group.contains(&name))
}

fn wrong_imports(file: &str, text: &str) -> Vec<String> {
    let folder = file.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    let allowed = |import: &str| {
        import == folder
            || matches!((group(folder), group(import)), (Some(own), Some(other)) if own < other)
    };
    let wrong = imports(text).into_iter().filter(|import| !allowed(import));
    wrong.map(|import| format!("{file} imports {import}")).collect()
}

#[test]
fn every_file_imports_from_its_own_folder_or_from_a_later_group() {
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|(name, _)| name != "lib.rs")
        .flat_map(|(name, text)| wrong_imports(name, text))
        .collect();
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn an_import_against_the_direction_is_found_in_each_way_of_writing_it() {
    for text in [
        "use crate::hub::Hub;",
        "use crate::{hub::Hub, util::json};",
        "use crate::{\n    util::{json, threads},\n    hub::{self, Hub},\n};",
        "fn f() { crate::hub::start() }",
    ] {
        assert_eq!(wrong_imports("store/index.rs", text), ["store/index.rs imports hub"], "{text}");
    }
    assert_eq!(wrong_imports("web/mod.rs", "use crate::ws::Context;").len(), 1, "a neighbour");
    assert_eq!(wrong_imports("lodger.rs", "use crate::util::json;").len(), 1, "no group");
    assert!(wrong_imports("hub/mod.rs", "use crate::{hub::reads, store::Store};").is_empty());
}

#[test]
fn crates_are_named_only_where_they_belong() {
    for (name, text) in sources() {
        for (named, places) in NAMED_ONLY_IN {
            let is_code = |line: &&str| !line.trim_start().starts_with("//");
            let path = format!("{named}::");
            // In a string it is the name of a log target.
            let names_it =
                |line: &str| line.contains(&path) && !line.contains(&format!("\"{path}"));
            let is_named = text.lines().filter(is_code).any(names_it);
            let belongs = places.iter().any(|place| name.starts_with(place));
            assert!(belongs || !is_named, "{name} names {named}, which only {places:?} may");
        }
    }
}

#[test]
fn every_file_says_what_it_is_and_stays_short() {
    for (name, text) in sources() {
        let is_tests = name.ends_with("/tests.rs");
        assert!(is_tests || text.starts_with("//!"), "{name} does not begin with //!");
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{name} has {lines} lines, at most {LINES_MAX} are allowed");
    }
}

#[test]
fn a_release_can_log_every_level() {
    let manifest = include_str!("../../Cargo.toml");
    assert!(!manifest.contains("max_level_"), "a feature of log would leave levels out");
}

#[test]
fn the_default_build_stays_within_its_budget_of_crates() {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["tree", "--offline", "--locked", "-e", "normal", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs the tests, so it is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("crates have ASCII names");
    let mut crates: Vec<&str> = tree.lines().collect();
    crates.sort_unstable();
    crates.dedup();
    assert!(crates.len() > 1 && crates.len() <= CRATES_MAX, "{} crates: {crates:#?}", crates.len());
}
