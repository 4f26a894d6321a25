//! The control socket: who can open it owns the data folder, and nobody gets these rights by the public port or the relay's socket.

use std::{
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
};

use serde_json::json;

use crate::support::{
    client::{JSON, KEY, Response, get, post, posted, request},
    server::{Server, TIMEOUT},
};

const CONTROL: &str = ".ctl.sock";
const RELAY: &str = ".web.sock";
const HIDE: &str = "{\"status\":\"hidden\"}";
/// What a client may say of itself to look like the relay, or like the owner.
const FORGED: [&str; 6] = [
    "",
    "X-Sayso-Client: 127.0.0.1\r\n",
    "X-Sayso-Client:\r\n",
    "X-Sayso-Local: yes\r\n",
    "X-Forwarded-For: unix\r\nX-Sayso-Owner: yes\r\n",
    "Authorization: Bearer owner\r\n",
];

/// One request over a socket in the data folder.
fn over(server: &Server, socket: &str, start: &str, headers: &str, body: &str) -> Response {
    let mut stream = UnixStream::connect(server.data().join(socket)).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let length = body.len();
    let head = format!(
        "{start} HTTP/1.1\r\nHost: sayso\r\nConnection: close\r\n{headers}{JSON}Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Response { status, head: head.to_owned(), body: body.to_owned() }
}

#[test]
fn only_the_owner_can_open_the_sockets_and_what_a_killed_server_left_is_replaced() {
    let mut server = Server::start(&[]);
    let paths = [CONTROL, RELAY].map(|name| server.data().join(name));
    for _ in 0..2 {
        for path in &paths {
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{path:?}");
        }
        assert_eq!(over(&server, CONTROL, "GET /healthz", "", "").status, 200);
        server.kill();
        assert!(paths.iter().all(|path| path.exists()), "they are left");
        assert!(UnixStream::connect(&paths[0]).is_err(), "and nobody listens");
        server.restart();
    }
    let second = server.run_second();
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    server.compact();
    assert!(server.stop().success());
    assert!(paths.iter().all(|path| !path.exists()), "an orderly end leaves none");
}

#[test]
fn the_owner_moderates_without_a_token_an_origin_or_a_base_path() {
    let server = Server::start(&["--base-path", "/talk", "--rate", "1/3600"]);
    let comment = json!({"content": "first", "key": KEY}).to_string();
    let posted = request(&server, "POST", "/talk/api/comments", JSON, &comment);
    assert_eq!(posted.status, 201, "{posted:?}");
    let foreign = "Origin: https://elsewhere.example\r\nSec-Fetch-Site: cross-site\r\n";
    let hidden = over(&server, CONTROL, "PATCH /api/comments/1", foreign, HIDE);
    assert_eq!((hidden.status, &hidden.json()["status"]), (200, &json!("hidden")), "{hidden:?}");
    let seen = get(&server, "/talk/api/comments").json();
    assert_eq!(seen["comments"][0]["deleted"], true, "{seen}");
    let seen = over(&server, CONTROL, "GET /api/comments", "", "").json();
    assert_eq!(seen["comments"][0]["content"], "first", "{seen}");
    // More often than anybody else may ask for what changes nothing; wrong tokens are not even looked at.
    for _ in 0..100 {
        let bearer = "Authorization: Bearer a-token-that-is-nobody's\r\n";
        let response = over(&server, CONTROL, "PATCH /api/comments/1", bearer, HIDE);
        assert_eq!(response.status, 200, "{response:?}");
        let response = over(&server, CONTROL, "DELETE /api/comments/99", "", "");
        assert_eq!(response.status, 404, "{response:?}");
    }
    assert_eq!(over(&server, CONTROL, "DELETE /api/comments/1", "", "").status, 200);
    assert_eq!(over(&server, CONTROL, "POST /.compact", "", "").status, 200);
    assert_eq!(over(&server, CONTROL, "GET /.compact", "", "").status, 405);
}

#[test]
fn nobody_gets_the_owners_rights_by_the_public_port() {
    let server = Server::start(&[]);
    let comment = post(&server, &json!({"content": "first", "key": KEY}));
    assert_eq!(comment.status, 201);
    for forged in FORGED {
        for method in ["POST", "GET"] {
            for path in ["/.compact", "/.compact/", "//.compact", "/.%63ompact", "/.compact?x=1"] {
                let response = request(&server, method, path, forged, "");
                assert_eq!(response.status, 404, "{method} {path} {forged:?}: {response:?}");
            }
        }
        let headers = format!("{forged}{JSON}");
        for (method, body) in [("PATCH", HIDE), ("PATCH", "{\"content\":\"x\"}"), ("DELETE", "")] {
            let response = request(&server, method, "/api/comments/1", &headers, body);
            assert_eq!(response.status, 403, "{method} {body} {forged:?}: {response:?}");
        }
    }
    assert_eq!(get(&server, "/api/comments").json()["comments"][0]["content"], "first");
}

#[test]
fn a_request_over_the_relays_socket_is_a_clients_or_nobodys() {
    let server = Server::start(&[]);
    posted(&server, "first");
    for (start, body) in [
        ("GET /", ""),
        ("GET /api/comments", ""),
        ("POST /.compact", ""),
        ("PATCH /api/comments/1", HIDE),
        ("DELETE /api/comments/1", ""),
    ] {
        for headers in
            ["", "X-Sayso-Client: unix\r\n", "X-Sayso-Client:\r\n", "X-Sayso-Local: yes\r\n"]
        {
            let response = over(&server, RELAY, start, headers, body);
            assert_eq!(response.status, 500, "{start} {headers:?}: {response:?}");
        }
    }
    let client = "X-Sayso-Client: 127.0.0.1\r\n";
    assert_eq!(over(&server, RELAY, "POST /.compact", client, "").status, 404);
    assert_eq!(over(&server, RELAY, "PATCH /api/comments/1", client, HIDE).status, 403);
    assert_eq!(get(&server, "/api/comments").json()["comments"][0]["content"], "first");
}
