//! `sayso export` on the real program: beside a running server and on a stopped folder, in every form.

use std::fs;

use serde_json::{Value, json};

use crate::support::{
    client::{KEY, TOKEN, bearer, post, request},
    server::{Folder, Server},
};

/// Exports to stdout.
#[track_caller]
fn export(server: &Server, arguments: &[&str]) -> String {
    let output = server.run(&[&["export"], arguments].concat());
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(server: &Server, arguments: &[&str]) -> String {
    let output = server.run(&[&["export"], arguments].concat());
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn say(server: &Server, page: &str, content: &str) -> u64 {
    let response =
        post(server, &json!({"page": page, "content": content, "name": "Ada", "key": KEY}));
    assert_eq!(response.status, 201, "{response:?}");
    response.json()["id"].as_u64().unwrap()
}

fn change(server: &Server, method: &str, id: u64, body: &Value) {
    let target = format!("/api/comments/{id}");
    let response = request(server, method, &target, &bearer(TOKEN), &body.to_string());
    assert_eq!(response.status, 200, "{response:?}");
}

/// A server with comments of every kind: two public ones on a page that has moved, a hidden one, a deleted one, and one elsewhere.
fn filled() -> Server {
    let server = Server::builder().moderator(TOKEN).start();
    say(&server, "old", "first *one*");
    say(&server, "old", "second");
    let (hidden, deleted) = (say(&server, "old", "taken away"), say(&server, "old", "wiped out"));
    say(&server, "b.example/x", "elsewhere");
    change(&server, "PATCH", hidden, &json!({"status": "hidden"}));
    change(&server, "DELETE", deleted, &json!({}));
    let renamed = server.run(&["rename", "old", "a.example/new"]);
    assert!(renamed.status.success(), "{renamed:?}");
    server
}

#[test]
fn lines_are_exported_with_the_page_they_live_on_beside_a_server_and_without_one() {
    let mut server = filled();
    for _ in 0..2 {
        let text = export(&server, &["--to", "sayso"]);
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0]["sayso"], lines.len()), (&json!(1), 6));
        let pages: Vec<&str> =
            lines[1..].iter().map(|line| line["page"].as_str().unwrap()).collect();
        assert_eq!(
            pages,
            ["a.example/new", "a.example/new", "a.example/new", "a.example/new", "b.example/x"]
        );
        assert!(text.contains("taken away") && !text.contains("wiped out"), "{text}");
        assert!(!text.contains("\"crc\"") && !text.contains("\"more\""), "{text}");
        let one = export(&server, &["--to", "sayso", "--page", "old"]);
        assert_eq!(one.lines().count(), 5);
        assert_eq!(export(&server, &["--to", "sayso", "--page", "nowhere"]).lines().count(), 1);
        let author = lines[1]["author"].as_str().unwrap();
        assert_eq!(export(&server, &["--to", "sayso", "--author", author]).lines().count(), 5);
        assert_eq!(
            export(&server, &["--to", "sayso", "--author", &"A".repeat(22)]).lines().count(),
            1
        );
        let _ = server.is_running() && server.stop().success();
    }
}

#[test]
fn an_export_has_no_bans_addresses_or_notes() {
    let server = filled();
    let id = say(&server, "old", "banned");
    let banned = server.run(&["ban", "--comment", &id.to_string(), "--address", "--for", "7d"]);
    assert!(banned.status.success(), "{banned:?}");
    assert!(server.log_text().contains("\"kind\":\"ban\""));
    let text = export(&server, &["--to", "sayso"]);
    assert!(!text.contains("\"kind\"") && !text.contains("address"), "{text}");
}

#[test]
fn closed_pages_are_exported_as_closed() {
    let server = filled();
    assert!(server.run(&["lock", "b.example/x"]).status.success());
    let locked = json!({"kind": "page", "page": "b.example/x", "locked": true});
    let text = export(&server, &["--to", "sayso"]);
    assert_eq!(serde_json::from_str::<Value>(text.lines().last().unwrap()).unwrap(), locked);
    assert!(!export(&server, &["--to", "sayso", "--page", "old"]).contains("locked"));
}

#[test]
fn a_table_has_a_row_for_each_comment_and_a_file_is_never_replaced() {
    let server = filled();
    let folder = Folder::new();
    let file = folder.join("comments.csv");
    assert_eq!(export(&server, &["--to", "csv", &file]), "");
    let table = fs::read_to_string(&file).unwrap();
    assert_eq!(table.lines().count(), 6);
    assert!(
        table.contains(",hidden,\"taken away\"\r\n") && table.contains(",deleted,\r\n"),
        "{table}"
    );
    assert!(refused(&server, &["--to", "csv", &file]).contains("File exists"));
    assert_eq!(fs::read_to_string(&file).unwrap(), table);
}

#[test]
fn a_damaged_log_is_not_exported_but_a_torn_end_is_passed_over() {
    let mut server = filled();
    server.stop();
    let whole = server.log_bytes();
    server.write_log([&whole[..], b"{\"seq\":9"].concat());
    assert_eq!(export(&server, &["--to", "csv"]).lines().count(), 6);
    let mut damaged = whole;
    let at = damaged.iter().position(|byte| *byte == b'*').unwrap();
    damaged[at] = b'_';
    server.write_log(&damaged);
    assert!(refused(&server, &["--to", "csv"]).contains("sayso repair"));
}

#[test]
fn wrong_flags_are_refused_with_what_to_write() {
    let server = filled();
    for (arguments, advice) in [
        (&[][..], "write sayso export --to FORM [FILE]"),
        (&["--to", "disqus"], "isso, wordpress, remark42 or html"),
        (&["--to", "csv", "a", "b"], "write sayso export --to csv FILE"),
        (&["--to", "csv", "--from", "isso"], "does not take --from"),
        (&["--to", "csv", "--author", "Ada"], "22 letters"),
    ] {
        let said = refused(&server, arguments);
        assert!(said.contains(advice), "{arguments:?}: {said}");
    }
}

#[cfg(not(feature = "exchange"))]
#[test]
fn a_build_without_the_feature_names_it() {
    let server = filled();
    for arguments in [
        &["import", "--from", "disqus", "x"][..],
        &["export", "--to", "isso"],
        &["export", "--to", "html", "x"],
    ] {
        let output = server.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("cargo install sayso --features exchange"), "{said}");
    }
}

#[cfg(feature = "exchange")]
#[test]
fn other_systems_get_what_everyone_may_see() {
    let server = filled();
    for (form, held) in [("isso", false), ("remark42", false), ("wordpress", true)] {
        let text = export(&server, &["--to", form]);
        assert!(text.contains("second") && text.contains("a.example/new"), "{form}: {text}");
        assert_eq!(text.contains("taken away"), held, "{form}: {text}");
        assert!(!text.contains("wiped out"), "{form}: {text}");
    }
}

#[cfg(feature = "exchange")]
#[test]
fn documents_are_written_into_a_new_folder() {
    let server = filled();
    let folder = Folder::new();
    let site = folder.join("site");
    assert!(refused(&server, &["--to", "html"]).contains("FOLDER"));
    export(&server, &["--to", "html", &site]);
    let index = fs::read_to_string(format!("{site}/index.html")).unwrap();
    assert_eq!(index.matches("<li>").count(), 2, "{index}");
    let mut texts = String::new();
    for file in fs::read_dir(&site).unwrap() {
        texts.push_str(&fs::read_to_string(file.unwrap().path()).unwrap());
    }
    assert!(texts.contains("first <em>one</em>") && !texts.contains("taken away"), "{texts}");
    assert!(!texts.contains("<script") && !texts.contains("src="), "{texts}");
    assert!(refused(&server, &["--to", "html", &site]).contains("File exists"));
}

#[cfg(feature = "exchange")]
#[test]
fn pages_that_a_form_can_not_tell_apart_are_not_put_together() {
    let server = Server::start(&[]);
    for page in ["post-1", "post-2", "blog/x", "/y", "c.example/z?p=1"] {
        say(&server, page, &format!("on {page}"));
    }
    let text = export(&server, &["--to", "isso"]);
    let pages: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut ids: Vec<&str> = pages.iter().map(|page| page["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["/blog/x", "/post-1", "/post-2", "/y", "/z?p=1"]);
    say(&server, "a.example/p", "on one");
    say(&server, "b.example/p", "on the other");
    let folder = Folder::new();
    let file = folder.join("isso.json");
    let said = refused(&server, &["--to", "isso", &file]);
    let sentence = "the pages \"a.example/p\" and \"b.example/p\" would be one there, \"/p\"";
    assert!(said.contains(sentence) && said.contains("--page"), "{said}");
    assert!(fs::metadata(&file).is_err());
    let one = export(&server, &["--to", "isso", "--page", "b.example/p"]);
    assert!(one.contains("\"id\":\"/p\"") && one.contains("on the other"), "{one}");
}

#[cfg(feature = "exchange")]
#[test]
fn no_address_is_made_of_a_name_that_is_none() {
    let server = Server::start(&[]);
    for (page, url) in [
        ("blog.example/a b", "https://blog.example/a%20b"),
        ("http://blog.example/x", "http://blog.example/x"),
        ("/about", "https://sayso.invalid/about"),
        ("post-1", "https://sayso.invalid/post-1"),
        ("../x", "https://sayso.invalid/../x"),
    ] {
        say(&server, page, "hello");
        let wordpress = export(&server, &["--to", "wordpress", "--page", page]);
        assert!(wordpress.contains(&format!("<link>{url}</link>")), "{wordpress}");
        let remark42 = export(&server, &["--to", "remark42", "--page", page]);
        assert!(remark42.contains(&format!("\"url\":\"{url}\"")), "{remark42}");
    }
    let folder = Folder::new();
    let site = folder.join("site");
    export(&server, &["--to", "html", &site]);
    let mut heads: Vec<String> = fs::read_dir(&site)
        .unwrap()
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .filter_map(|text| text.lines().find(|line| line.starts_with("<h1>")).map(str::to_owned))
        .collect();
    heads.sort_unstable();
    assert_eq!(
        heads,
        [
            "<h1>../x</h1>",
            "<h1>/about</h1>",
            "<h1><a href=\"http://blog.example/x\">http://blog.example/x</a></h1>",
            "<h1><a href=\"https://blog.example/a%20b\">blog.example/a b</a></h1>",
            "<h1>Comments</h1>",
            "<h1>post-1</h1>",
        ]
    );
    say(&server, "https://blog.example/x", "hello");
    say(&server, "blog.example/x", "hello");
    for form in ["wordpress", "remark42"] {
        let said = refused(&server, &["--to", form]);
        assert!(said.contains("would be one there, \"https://blog.example/x\""), "{said}");
    }
}
