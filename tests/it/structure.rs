//! The shape of the source: who may import whom, who may name which crate, and how much there may be of anything.
//!
//! Reads `src` as text. The table of ranks is the one in the crate documentation, so it can't go stale.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LINES_MAX: usize = 450;
/// With sayso itself; promised in the README.
const CRATES_MAX: usize = 56;
/// Words that must not stand in code.
const NEVER: [&str; 5] = ["unsafe", "todo!", "unimplemented!", "dbg!", "#[ignore"];

/// One source file.
struct File {
    /// `hub.rs`, or `markup/attacks.rs`: a file of a folder belongs to the file of the folder's name.
    name: String,
    text: String,
}

impl File {
    fn new(name: &str, text: &str) -> File {
        File { name: name.into(), text: text.into() }
    }

    /// The module right below the crate that the file belongs to.
    fn room(&self) -> &str {
        self.name.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }
}

#[test]
fn every_file_has_one_rank_and_imports_only_from_higher_ones() {
    let files = files("src");
    let docs = &files.iter().find(|file| file.name == "lib.rs").expect("there is a library").text;
    let ranks = ranks(docs).unwrap();
    assert_eq!(complaints_about_ranks(&files, &ranks), [""; 0]);
}

#[test]
fn crates_are_named_only_where_they_belong() {
    assert_eq!(complaints_about_names(&files("src")), [""; 0]);
}

#[test]
fn every_file_says_what_it_is_and_stays_short() {
    assert_eq!(complaints_about_form(&files("src")), [""; 0]);
}

#[test]
fn nothing_unsafe_unfinished_or_ignored_stands_anywhere() {
    for folder in ["src", "tests/it", "benches"] {
        assert_eq!(complaints_about_words(&files(folder)), [""; 0], "{folder}");
    }
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

/// All `.rs` files below a folder of the crate; none where there is no such folder.
fn files(folder: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path: PathBuf = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("it was found there");
                let text = fs::read_to_string(&path).expect("source is text");
                found.push(File::new(&name.to_string_lossy(), &text));
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Rows such as ``//! | 3 | `hub.rs` | …`` → room and rank.
fn ranks(docs: &str) -> Result<BTreeMap<String, u32>, String> {
    let mut ranks = BTreeMap::new();
    for row in docs.lines().filter_map(|line| line.strip_prefix("//! |")) {
        let mut cells = row.split('|').map(str::trim);
        let Some(rank) = cells.next().and_then(|cell| cell.parse::<u32>().ok()) else { continue };
        for file in cells.next().unwrap_or_default().split('`') {
            let Some(room) = file.strip_suffix(".rs") else { continue };
            if ranks.insert(room.to_string(), rank).is_some() {
                return Err(format!("{file} has two ranks"));
            }
        }
    }
    Ok(ranks)
}

/// `lib.rs` puts everything together, so it may be missing from the table and then stands before all others.
fn complaints_about_ranks(files: &[File], ranks: &BTreeMap<String, u32>) -> Vec<String> {
    let mut complaints = Vec::new();
    for room in
        ranks.keys().filter(|room| !files.iter().any(|file| file.name == format!("{room}.rs")))
    {
        complaints.push(format!("the table has {room}.rs, which is no file"));
    }
    for file in files {
        let File { name, .. } = file;
        let rank = ranks.get(file.room()).copied();
        let Some(rank) = rank.or((file.room() == "lib").then_some(0)) else {
            complaints.push(format!("{name} has no rank"));
            continue;
        };
        let code = code(&file.text);
        for import in imports(&code).iter().filter(|import| *import != file.room()) {
            match ranks.get(import) {
                None => complaints
                    .push(format!("{name} imports crate::{import}, which is no file with a rank")),
                Some(other) if *other <= rank => {
                    complaints
                        .push(format!("{name} of rank {rank} imports {import}.rs of rank {other}"));
                }
                Some(_) => {}
            }
        }
        // In a file right below the crate, `super` outside of its tests is the crate by another name.
        let before_tests = code.split("#[cfg(test)]").next().unwrap_or_default();
        if !name.contains('/') && before_tests.contains("super::") {
            complaints.push(format!("{name} says super:: where crate:: can be checked"));
        }
    }
    complaints
}

fn complaints_about_names(files: &[File]) -> Vec<String> {
    let may = |room: &str, named: &str| match named {
        "tungstenite" => ["session", "frame"].contains(&room),
        _ => room.starts_with("web"),
    };
    let mut complaints = Vec::new();
    for file in files {
        for named in ["tungstenite", "tiny_http"] {
            if has_word(&code(&file.text), named) && !may(file.room(), named) {
                complaints.push(format!("{} names {named}", file.name));
            }
        }
    }
    complaints
}

fn complaints_about_form(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for File { name, text } in files {
        if !text.starts_with("//! ") {
            complaints.push(format!("{name} does not begin with what it is for"));
        }
        let lines = text.lines().count();
        if lines > LINES_MAX {
            complaints.push(format!("{name} has {lines} lines, at most {LINES_MAX} are allowed"));
        }
    }
    complaints
}

fn complaints_about_words(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        let code = code(&file.text);
        for word in NEVER.into_iter().filter(|word| has_word(&code, word)) {
            complaints.push(format!("{} has {word}", file.name));
        }
    }
    complaints
}

fn is_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + word.len()..]);
        let begins_inside = before.ends_with(is_name) && word.starts_with(is_name);
        let ends_inside = after.starts_with(is_name) && word.ends_with(is_name);
        !begins_inside && !ends_inside
    })
}

/// The modules that code names as `crate::x` or as `crate::{x, y::{…}}`.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, path) in code.match_indices("crate::") {
        if code[..at].ends_with(is_name) {
            continue;
        }
        let rest = &code[at + path.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push(rest.chars().take_while(|char| is_name(*char)).collect());
            continue;
        };
        let (mut depth, mut name, mut first) = (1, String::new(), true);
        for char in group.chars() {
            match char {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 1 && first && is_name(char) {
                name.push(char);
                continue;
            }
            if !name.is_empty() {
                found.push(std::mem::take(&mut name));
                first = false;
            }
            first |= depth == 1 && char == ',';
            if depth == 0 {
                break;
            }
        }
    }
    found
}

/// The source with comments, strings and characters blanked, so that only what the compiler acts on is left.
fn code(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        let raw = rest.trim_start_matches(['b', 'c']).strip_prefix('r');
        let raw = raw
            .filter(|raw| !code.ends_with(is_name) && raw.trim_start_matches('#').starts_with('"'));
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(raw) = raw {
            let marks = raw.len() - raw.trim_start_matches('#').len();
            let begin = rest.len() - raw.len() + marks + 1;
            let end = format!("\"{}", "#".repeat(marks));
            rest[begin..].find(&end).map_or(rest.len(), |at| begin + at + end.len())
        } else if next == '"' {
            quoted(rest, '"')
        } else if next == '\'' && (rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\''))
        {
            quoted(rest, '\'')
        } else {
            code.push(next);
            rest = &rest[next.len_utf8()..];
            continue;
        };
        code.extend(rest[..length].chars().map(|char| if char == '\n' { '\n' } else { ' ' }));
        rest = &rest[length..];
    }
    code
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in rest.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            char if char == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

#[test]
fn the_checker_sees_an_import_against_the_direction() {
    let docs = "//! | rank | file |\n//! |---|---|\n//! | 3 | `hub.rs` | all |\n//! | 4 | `log.rs` `index.rs` | x |";
    let ranks = ranks(docs).unwrap();
    assert_eq!(ranks.len(), 3);
    let check = |name: &str, text: &str| {
        let mut files =
            vec![File::new("hub.rs", ""), File::new("log.rs", ""), File::new("index.rs", "")];
        files.retain(|file| file.name != name);
        files.push(File::new(name, text));
        complaints_about_ranks(&files, &ranks)
    };
    assert_eq!(
        check("hub.rs", "use crate::{index::{Index, Span}, log};\nfn f() { crate::log::g() }"),
        [""; 0]
    );
    assert_eq!(check("log/tests.rs", "use crate::log::Log;\nuse super::*;"), [""; 0]);
    assert_eq!(
        check("log.rs", "use crate::hub::Hub;"),
        ["log.rs of rank 4 imports hub.rs of rank 3"]
    );
    assert_eq!(
        check("log.rs", "fn f() { crate::hub::g() }"),
        ["log.rs of rank 4 imports hub.rs of rank 3"]
    );
    assert_eq!(
        check("log.rs", "use crate::index;"),
        ["log.rs of rank 4 imports index.rs of rank 4"]
    );
    assert_eq!(
        check("log.rs", "use {std::io, crate::{\n    log::{self, Log},\n    hub,\n}};").len(),
        1
    );
    assert_eq!(check("log/tests.rs", "use crate::hub;").len(), 1);
    assert_eq!(check("log.rs", "use super::hub;").len(), 1);
    assert_eq!(check("door.rs", ""), ["door.rs has no rank"]);
    assert_eq!(check("hub.rs", "use crate::Thing;").len(), 1);
    assert_eq!(
        check(
            "hub.rs",
            "// use crate::x;\n/* crate::x /* */ crate::y */\nconst A: &str = \"crate::z\";"
        ),
        [""; 0]
    );
    let without =
        complaints_about_ranks(&[File::new("hub.rs", ""), File::new("log.rs", "")], &ranks);
    assert_eq!(without, ["the table has index.rs, which is no file"]);
}

#[test]
fn the_checker_sees_a_file_with_two_ranks() {
    assert!(ranks("//! | 3 | `hub.rs` | x |\n//! | 4 | `hub.rs` | x |").is_err());
}

#[test]
fn the_checker_sees_names_words_and_form() {
    let one = |name: &str, text: &str| [File::new(name, text)];
    assert_eq!(complaints_about_names(&one("hub.rs", "use tungstenite::Message;")).len(), 1);
    assert_eq!(complaints_about_names(&one("door.rs", "fn f(s: tiny_http::Server) {}")).len(), 1);
    assert_eq!(complaints_about_names(&one("web_page.rs", "use tiny_http::Request;")), [""; 0]);
    assert_eq!(
        complaints_about_names(&one("frame.rs", "use tungstenite::Message; // tiny_http")),
        [""; 0]
    );

    for wrong in [
        "unsafe { f() }",
        "todo!()",
        "unimplemented!()",
        "dbg!(x);",
        "#[ignore]\nfn f() {}",
        "#[ignore = \"x\"]",
    ] {
        assert_eq!(complaints_about_words(&one("a.rs", wrong)).len(), 1, "{wrong}");
    }
    for right in [
        "#![forbid(unsafe_code)]",
        "// todo!()",
        "\"dbg!(\"",
        "r#\"unsafe \" \"#",
        "b'\\'' /* unsafe */",
        "'\"' + '\"'",
    ] {
        assert_eq!(complaints_about_words(&one("a.rs", right)), [""; 0], "{right}");
    }
    assert_eq!(complaints_about_words(&one("a.rs", "fn f<'a>(x: &'a str) { unsafe {} }")).len(), 1);
    assert_eq!(complaints_about_words(&one("a.rs", "let s = \"\\\\\"; unsafe {}")).len(), 1);

    assert_eq!(complaints_about_form(&one("a.rs", "use std::io;")).len(), 1);
    let longest = format!("//! A.\n{}", "\n".repeat(LINES_MAX - 1));
    assert_eq!(complaints_about_form(&one("a.rs", &longest)), [""; 0]);
    assert_eq!(complaints_about_form(&one("a.rs", &format!("{longest}\n"))).len(), 1);
}
