//! `sayso repair` as it is run.

use std::fs;

use serde_json::json;

use crate::support::{
    client::{KEY, TOKEN, bearer, get, post, request},
    server::Server,
};

#[test]
fn a_repair_names_what_it_hides_and_the_moderator_lets_it_out() {
    let mut server = Server::builder().moderator(TOKEN).start();
    for n in 1..=3 {
        let nonce = format!("nonce-nonce-nonce-{n}");
        post(&server, &json!({"content": format!("text {n}"), "key": KEY, "nonce": nonce}));
    }
    assert_eq!(request(&server, "DELETE", "/api/comments/2", &bearer(KEY), "").status, 200);
    assert!(server.stop().success());
    let log = server.log_text();
    let damaged = log.replace("\"deleted\":true", "\"deleted\":trux");
    server.write_log(&damaged);
    let check = server.run(&["check"]);
    let said = String::from_utf8(check.stdout).unwrap();
    assert_eq!((check.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.starts_with("line 5: its checksum is not "), "{said}");
    let output = server.run(&["repair"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let advice = "\"sayso approve --repaired\" all";
    for part in ["line 5: ", "comment 2 on \"/\" is hidden now\n", advice, "bans and locks"] {
        assert!(said.contains(part), "{said:?} does not say {part:?}");
    }
    let kept = fs::read_dir(server.data()).unwrap().map(|entry| entry.unwrap().path());
    let kept: Vec<_> = kept.filter(|path| path.to_string_lossy().contains(".damaged-")).collect();
    assert_eq!(fs::read_to_string(&kept[0]).unwrap(), damaged, "the original is kept");
    server.check();
    server.restart();
    let comments = get(&server, "/api/comments").json();
    assert_eq!(comments["comments"][1]["deleted"], true, "{comments}");
    assert!(!comments.to_string().contains("text 2"), "{comments}");
    server.compact();
    let note = "\"kind\":\"note\",\"id\":2,\"did\":\"hide\",\"why\":\"repair\"";
    assert!(server.log_text().contains(note), "the mark outlives a compaction");
    // As the message says.
    let listed = server.run(&["comments", "--status", "hidden"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.starts_with("2  ") && listed.contains("hidden (repair)"), "{listed}");
    for said in ["comment 2 is public now\n", "no comment is hidden by a repair\n"] {
        let approved = server.run(&["approve", "--repaired"]);
        assert_eq!(String::from_utf8(approved.stdout).unwrap(), said);
    }
    assert_eq!(get(&server, "/api/comments").json()["comments"][1]["content"], "text 2");
    server.compact();
    assert!(!server.log_text().contains(note), "and is gone once somebody has looked");
    let again = server.run(&["repair"]);
    assert_eq!(again.status.code(), Some(1), "a server uses the folder");
    assert!(server.stop().success());
    let again = String::from_utf8(server.run(&["repair"]).stdout).unwrap();
    assert!(again.contains("no problems, nothing was changed"), "{again}");
}

#[test]
fn a_log_of_a_later_format_is_not_repaired() {
    let server = Server::builder().stopped();
    let log = "{\"sayso\":2,\"log\":\"9c41f0aa53d7e6b2\",\"crc\":\"00000000\"}\n";
    let crc = {
        let mut line = b"{\"sayso\":2,\"log\":\"9c41f0aa53d7e6b2\"".to_vec();
        sayso::log::trailer::append_trailer(&mut line, 0, false, 0)
    };
    let log = log.replace("00000000", &format!("{crc:08x}"));
    server.write_log(&log);
    let output = server.run(&["repair"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("it has format 2"));
    assert_eq!(server.log_text(), log);
}
