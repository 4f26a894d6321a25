//! Compresses the files of `static/`, but for its documents, with zopfli; the binary embeds and sends them compressed. Says from which
//! commit it is built.
//!
//! Comments and indentation are for those who read the sources. In scripts and styles the former become empty lines, so that every line
//! keeps its number, and the latter goes, in JSON too; they were a sixth and a fiftieth of what a reader loads.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use zopfli::{Format, Options};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=static");
    // Not SAYSO_…: cargo run passes these on, and sayso would take them for flags.
    let (commit, date) = commit().unwrap_or_default();
    println!("cargo::rustc-env=BUILD_COMMIT={commit}");
    println!("cargo::rustc-env=BUILD_COMMIT_DATE={date}");
    let out = env::var_os("OUT_DIR").expect("cargo says where to write");
    embed(Path::new("static"), Path::new(&out)).expect("static/ can be read");
}

/// The commit and its date: in a repository as git says, in a published crate the commit alone, as cargo has noted it. `None`: unknown.
fn commit() -> Option<(String, String)> {
    if let Ok(noted) = fs::read_to_string(".cargo_vcs_info.json") {
        let (_, hash) = noted.split_once("\"sha1\"")?;
        let is_hash = |part: &&str| part.len() >= 40 && part.bytes().all(|b| b.is_ascii_hexdigit());
        return hash.split('"').find(is_hash).map(|hash| (hash[..12].to_owned(), String::new()));
    }
    // A published crate may lie in somebody's repository.
    if !Path::new(".git").exists() {
        return None;
    }
    // Each commit and each checkout writes to both or one of these. Cargo would build anew each time for one that isn't there.
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let line = git(&["log", "-1", "--abbrev=12", "--date=short", "--format=%h %cd"])?;
    line.split_once(' ').map(|(hash, date)| (hash.to_owned(), date.to_owned()))
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|it| it.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
}

/// Compresses every file below `folder` but documents (`.md`) into `out`, and writes `static.rs` there: the list of them, as path and bytes.
fn embed(folder: &Path, out: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    find_files(folder, &mut files)?;
    files.sort();
    let mut list = String::from("&[");
    for file in files {
        let url = file.strip_prefix(folder).expect("it was found there").display().to_string();
        let packed = out.join("static").join(format!("{url}.gz"));
        fs::create_dir_all(packed.parent().expect("it has a folder"))?;
        let mut bytes = fs::read(&file)?;
        if [".js", ".css", ".json"].iter().any(|end| url.ends_with(end)) {
            let text = String::from_utf8(bytes).expect("a file of text is UTF-8");
            bytes = bare_lines(&text).into_bytes();
        }
        zopfli::compress(Options::default(), Format::Gzip, &bytes[..], fs::File::create(&packed)?)?;
        list += &format!("({:?}, include_bytes!({packed:?})),\n", format!("/{url}"));
    }
    fs::write(out.join("static.rs"), list + "]")
}

/// Removes indentation, and empties the lines that are nothing but a comment: those that begin with `//`, and from one that begins with
/// `/*` to the first that ends with `*/`.
fn bare_lines(text: &str) -> String {
    let mut is_inside = false;
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let code = line.trim();
        let begins = !is_inside && code.starts_with("/*");
        let is_comment = is_inside || begins || code.starts_with("//");
        is_inside = (is_inside || begins) && !code.ends_with("*/");
        if !is_comment {
            out += code;
        }
        out.push('\n');
    }
    out
}

/// Adds the files below `folder` that clients are sent.
fn find_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => find_files(&entry.path(), files)?,
            false if entry.path().extension().is_some_and(|extension| extension == "md") => {}
            false => files.push(entry.path()),
        }
    }
    Ok(())
}
