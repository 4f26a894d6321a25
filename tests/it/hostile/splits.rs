//! Requests in any pieces: cut at every byte, byte by byte, and all at once.

use serde_json::json;

use super::Calm;
use crate::support::{
    client::Connection,
    frames::{Client, FIN, TEXT, frame, upgrade},
    server::Server,
};

/// What has been sent elsewhere so far is most probably read when this is answered: a cut is a cut only if the server sees it.
fn settle(elsewhere: &mut Connection) {
    let response = elsewhere.exchange("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(response.status, 404);
}

fn count_of(page: &str) -> String {
    format!("GET /api/counts?page={page} HTTP/1.1\r\nHost: x\r\n\r\n")
}

fn post(page: &str, content: &str) -> String {
    let body = json!({"page": page, "content": content}).to_string();
    let length = body.len();
    format!(
        "POST /api/comments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn comment(content: &str) -> Vec<u8> {
    frame(FIN | TEXT, json!({ "content": content }).to_string().as_bytes())
}

/// Takes the connection over behind its 101, and reads these comments' lines and nothing before them.
fn says(connection: Connection, contents: &[String]) {
    let mut client = Client::behind_101(connection);
    for content in contents {
        assert_eq!(client.json()["content"], content.as_str());
    }
}

#[test]
fn a_get_a_post_and_an_upgrade_cut_at_any_byte_are_answered_each_with_its_own() {
    let server = Server::start(&[]);
    let calm = Calm::of(&server);
    let mut elsewhere = server.connection();
    let mut connection = server.connection();
    let gets = |at: usize| count_of(&format!("{at:04}"));
    for at in 1..gets(0).len() {
        let (first, second) = (&gets(at)[..at], &gets(at)[at..]);
        connection.send(first);
        settle(&mut elsewhere);
        connection.send(second);
        assert_eq!(connection.receive().body, format!("{{\"{at:04}\":0}}"), "cut at {at}");
    }
    let posts = |at: usize| post("split", &format!("post {at:04}"));
    for at in 1..posts(0).len() {
        let (first, second) = (&posts(at)[..at], &posts(at)[at..]);
        connection.send(first);
        settle(&mut elsewhere);
        connection.send(second);
        let response = connection.receive();
        assert_eq!(response.status, 201, "cut at {at}: {response:?}");
        assert_eq!(response.json()["content"], format!("post {at:04}"));
    }
    let handshake = upgrade("page=split");
    for at in 1..handshake.len() + comment("0000").len() {
        let content = format!("{at:04}");
        let whole = [handshake.as_bytes(), &comment(&content)].concat();
        let mut connection = server.connection();
        connection.send(&whole[..at]);
        settle(&mut elsewhere);
        connection.send(&whole[at..]);
        assert_eq!(connection.receive_head().status, 101, "cut at {at}");
        says(connection, &[content]);
    }
    drop((elsewhere, connection));
    calm.returns(&server);
}

#[test]
fn two_hundred_requests_at_once_and_an_upgrade_behind_them_are_answered_in_order() {
    let server = Server::start(&[]);
    let calm = Calm::of(&server);
    let contents: Vec<String> = (0..20).map(|n| format!("frame {n}")).collect();
    let frames: Vec<u8> = contents.iter().flat_map(|content| comment(content)).collect();
    let mut bytes = Vec::new();
    for n in 0..50 {
        let head = "HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET /none HTTP/1.1\r\nHost: x\r\n\r\n";
        let posted = post("sent-ahead", &format!("post {n}"));
        bytes.extend_from_slice(format!("{posted}{head}{}", count_of("sent-ahead")).as_bytes());
    }
    bytes.extend_from_slice(upgrade("page=split").as_bytes());
    bytes.extend_from_slice(&frames);
    let mut connection = server.connection();
    connection.send(&bytes);
    for n in 0..50 {
        assert_eq!(connection.receive().json()["content"], format!("post {n}"));
        assert_eq!(connection.receive_head().status, 200);
        assert_eq!(connection.receive().status, 404);
        assert_eq!(connection.receive().json(), json!({"sent-ahead": n + 1}));
    }
    assert_eq!(connection.receive_head().status, 101);
    says(connection, &contents);
    calm.returns(&server);
}

#[test]
fn requests_that_come_byte_by_byte_are_answered_in_order() {
    let server = Server::start(&[]);
    let calm = Calm::of(&server);
    let text =
        [count_of("first"), post("first", "one by one"), count_of("first"), upgrade("page=split")]
            .concat();
    let mut connection = server.connection();
    for byte in text.bytes().chain(comment("and frames")) {
        connection.send([byte]);
    }
    assert_eq!(connection.receive().json(), json!({"first": 0}));
    assert_eq!(connection.receive().json()["content"], "one by one");
    assert_eq!(connection.receive().json(), json!({"first": 1}));
    assert_eq!(connection.receive_head().status, 101);
    says(connection, &["and frames".into()]);
    calm.returns(&server);
}
