//! The code that `src/web/README.md` gives to host pages: run, and shown to a server.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use super::{HOUR, SECRET, SITE, builder, done, in_an_hour};
use crate::support::server::{Folder, TIMEOUT, output};

/// A name that each language would write differently if it were written carelessly.
const NAME: &str = "Zoë \"O/'Neil\" 王";
const ID: &str = "42";

/// The block of a language in the section about users.
fn snippet(language: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/README.md");
    let readme = fs::read_to_string(path).unwrap();
    let (_, section) = readme.split_once("\n## Users of a host page\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let (_, block) = section.split_once(&format!("```{language}\n")).expect(language);
    block.split("```").next().unwrap().to_owned()
}

/// What a program prints that signs for NAME as a moderator; `None` where it is not installed.
fn signed_by(program: &str, file: &str, code: &str) -> Option<String> {
    let folder = Folder::new();
    let path = folder.join(file);
    fs::write(&path, code).unwrap();
    if Command::new(program).arg("--version").output().is_err() {
        eprintln!("{program} is not here: its code is not run");
        return None;
    }
    let output = output(Command::new(program).arg(&path).args([SECRET, ID, NAME, SITE]), TIMEOUT);
    assert!(output.status.success(), "{program}: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn php_python_and_javascript_sign_the_same_user() {
    let (php, python, js) = (snippet("php"), snippet("python"), snippet("js"));
    let signed = [
        signed_by(
            "php",
            "sign.php",
            &format!(
                "<?php\n{php}\n[, $secret, $id, $name, $site] = $argv;\necho sayso_user($secret, (int) $id, $name, $site, true);\n"
            ),
        ),
        signed_by(
            "python3",
            "sign.py",
            &format!(
                "{python}\nimport sys\n_, secret, id, name, site = sys.argv\nprint(sayso_user(secret, int(id), name, site, True))\n"
            ),
        ),
        signed_by(
            "node",
            "sign.mjs",
            &format!(
                "{js}\nconst [secret, id, name, site] = process.argv.slice(2);\nconsole.log(saysoUser(secret, Number(id), name, site, true));\n"
            ),
        ),
    ];
    let server = builder(&[]).start();
    let own = super::sign_with(
        SECRET,
        &json!({"id": ID, "name": NAME, "site": SITE, "until": in_an_hour(), "moderator": true}),
    );
    let mut expected = done(&server, &own, "GET", "/api/user", Value::Null)["user"].clone();
    for user in signed.iter().flatten() {
        let mut told = done(&server, user, "GET", "/api/user", Value::Null)["user"].clone();
        let until = told["until"].take().as_u64().unwrap();
        assert!((in_an_hour() - HOUR..=in_an_hour()).contains(&until), "{until}");
        expected["until"] = Value::Null;
        assert_eq!(told, expected);
    }
}
