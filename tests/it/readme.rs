//! The READMEs can't rot: what they quote is compared, what they say to run is run.

use std::{
    collections::BTreeSet, fs, io::Write, os::unix::fs::PermissionsExt, path::Path,
    process::Command,
};

use serde_json::json;

use crate::support::{
    client::{KEY, TOKEN, bearer, get, history_since, post, posted, request},
    server::{Folder, Server, TIMEOUT, output, program, sayso},
};

/// What a newcomer reads in one go.
const README_LINES_MAX: usize = 180;
/// The README and those of folders, from the root.
const READMES: [&str; 11] = [
    "README.md",
    "static/README.md",
    "src/web/README.md",
    "src/ws/README.md",
    "src/cli/README.md",
    "src/log/README.md",
    "src/exchange/README.md",
    "src/notify/README.md",
    "src/cluster/README.md",
    "tests/README.md",
    "benches/README.md",
];

fn read(readme: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(readme)).expect(readme)
}

/// The fenced blocks of a language in all READMEs.
fn blocks(language: &str) -> Vec<String> {
    let start = format!("```{language}\n");
    READMES
        .iter()
        .flat_map(|readme| {
            let text = read(readme);
            let blocks = text.split(&start).skip(1);
            blocks.map(|rest| rest.split("```").next().unwrap().to_owned()).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= README_LINES_MAX, "{lines} lines, at most {README_LINES_MAX} are allowed");
}

#[test]
fn the_readme_quotes_the_help_word_for_word() {
    let help = String::from_utf8(sayso(&["--help"]).stdout).unwrap();
    assert!(
        read("README.md").contains(&format!("```text\n{help}```\n")),
        "run sayso --help and copy it"
    );
}

/// Without one, rustdoc takes a block for Rust.
#[test]
fn every_block_of_the_readmes_names_its_language() {
    for readme in READMES {
        let text = read(readme);
        let fences: Vec<&str> = text.lines().filter(|line| line.starts_with("```")).collect();
        assert!(fences.len().is_multiple_of(2), "{readme}");
        for pair in fences.chunks(2) {
            assert!(pair[0].len() > 3 && pair[1] == "```", "{readme}: {pair:?}");
        }
    }
}

#[test]
fn every_link_between_the_readmes_leads_somewhere() {
    for readme in READMES {
        let text = read(readme);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(readme);
        let links = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
        for link in links.filter(|link| !link.starts_with("http")) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = folder.parent().unwrap().join(path);
            assert!(target.exists(), "{readme}: {link}");
            if !heading.is_empty() {
                let found = fs::read_to_string(target).unwrap().lines().any(|line| {
                    line.starts_with('#')
                        && line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-")
                            == heading
                });
                assert!(found, "{readme}: {link}");
            }
        }
    }
}

#[test]
fn each_line_of_json_in_the_readmes_is_json() {
    let blocks = blocks("json");
    assert!(!blocks.is_empty());
    for line in blocks.iter().flat_map(|block| block.lines()) {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
}

#[test]
fn the_curl_commands_of_the_readmes_work() {
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
fn the_readmes_way_to_a_moderator_leads_to_one() {
    let text = read("README.md");
    let (_, section) = text.split_once("## Moderating\n\n```sh\n").unwrap();
    let lines: Vec<&str> = section.split("```").next().unwrap().lines().collect();
    let [make, serve] = lines[..] else { panic!("{lines:?}") };
    let folder = Folder::new();
    let made = Command::new("sh").args(["-c", make]).current_dir(folder.path()).status();
    assert!(made.unwrap().success());
    let file = folder.join("moderators");
    let token = fs::read_to_string(&file).unwrap();
    let token = token.split_whitespace().nth(1).unwrap().to_owned();
    let flags = serve.strip_prefix("sayso ").unwrap().replace("moderators", &file);
    let server = Server::start(&flags.split(' ').collect::<Vec<_>>());
    let held = post(&server, &json!({"content": "see https://x.example"}));
    assert_eq!(held.status, 202, "{held:?}");
    let waiting =
        request(&server, "GET", "/api/admin/comments?status=pending", &bearer(&token), "");
    assert_eq!(waiting.json()["comments"][0]["note"]["why"], "links");
    assert_eq!(get(&server, "/admin").status, 200);
}

/// Those that serve, or ask a server under a name of the internet, are run by other tests: of proxies, of sockets, and of `doctor`.
#[test]
fn the_sayso_commands_of_the_readmes_do_what_they_say() {
    let server = Server::builder().moderator(TOKEN).flags(&["--hold", "links"]).start();
    let write = |content: &str, page: &str| {
        let comment = post(&server, &json!({"content": content, "key": KEY, "page": page}));
        comment.json()["id"].as_u64().unwrap()
    };
    write("moves", "blog.example/2025/talk");
    let held = ["see https://x.example", "and https://y.example"].map(|text| write(text, "/"));
    let hidden = write("off topic", "/");
    // Where they are typed: beside the folder `data`.
    let folder = server.data().parent().unwrap();
    assert!(server.data().ends_with("data"));
    fs::write(folder.join("words.txt"), "casino\n").unwrap();
    fs::write(folder.join("token"), TOKEN).unwrap();
    fs::set_permissions(folder.join("token"), fs::Permissions::from_mode(0o600)).unwrap();
    let export =
        fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/import/samples/disqus.xml"));
    let file = fs::File::create(folder.join("blog-2026.xml.gz")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    packed.write_all(&export.unwrap()).unwrap();
    packed.finish().unwrap();

    let url = format!("http://{}", server.address);
    let commands: Vec<String> = blocks("sh")
        .iter()
        .flat_map(|block| block.lines())
        .filter_map(|line| line.strip_prefix("sayso "))
        .filter(|line| !line.starts_with("--") && !line.starts_with("doctor "))
        .map(|line| line.replace("https://talk.example", &url))
        .map(|line| line.replace("approve 17 18", &format!("approve {} {}", held[0], held[1])))
        .map(|line| line.replace("hide 19", &format!("hide {hidden}")))
        .map(|line| line.replace("--comment 19", &format!("--comment {hidden}")))
        .collect();
    assert!(commands.len() >= 11, "{commands:?}");
    for line in commands {
        let needs_exchange = line.starts_with("import ") || line.contains("--to html");
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec \"$0\" {line}")]).arg(program()).current_dir(folder);
        let output = output(&mut shell, TIMEOUT);
        let can_run = !needs_exchange || cfg!(feature = "exchange");
        assert_eq!(output.status.success(), can_run, "sayso {line}: {output:?}");
        if line.starts_with("approve ") {
            let said = String::from_utf8(output.stdout).unwrap();
            assert_eq!(said.matches("is public now").count(), held.len(), "{said}");
        }
    }
    let lines = history_since(&server, "/", 0);
    let state = |id: u64| lines.iter().find(|line| line["id"] == id).unwrap()["status"].clone();
    // The ban hides all that the author of one of them has written.
    assert_eq!([held[0], held[1], hidden].map(state), ["hidden"; 3].map(|status| json!(status)));
    let target = "/api/admin/comments?status=hidden&page=blog.example/talks/1";
    let moved = request(&server, "GET", target, &bearer(TOKEN), "").json();
    assert_eq!(moved["comments"][0]["content"], "moves");
    assert_eq!(folder.join("site").is_dir(), cfg!(feature = "exchange"));
}

#[test]
fn every_path_and_file_that_the_readmes_name_is_there() {
    let server = Server::start(&[]);
    posted(&server, "hi");
    let text = read("src/web/README.md");
    let named = text.split("`GET ").skip(1).map(|rest| rest.split('`').next().unwrap());
    let named: BTreeSet<&str> = named.collect();
    for path in ["/", "/embed.js", "/embed.css", "/api/comments", "/healthz", "/metrics"] {
        assert!(named.contains(path), "{path} is not in {named:?}");
    }
    for path in named {
        assert_eq!(get(&server, path).status, 200, "{path}");
    }
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 1}));
    for picture in ["light.png", "dark.png", "admin.png"] {
        let path = format!("tests/browser/pictures/{picture}");
        assert!(read("README.md").contains(&path));
        assert!(fs::exists(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap());
    }
}
