//! Who closes, half closes or resets in the middle of anything: after each byte of a request, an upgrade and a frame, and while
//! something is on its way to them.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
};

use serde_json::json;

use super::{Calm, reset};
use crate::support::{
    client::{get, posted},
    frames::{Client, FIN, TEXT, frame, upgrade},
    server::Server,
};

/// The ways to go.
const ENDS: [fn(TcpStream); 3] = [drop, reset, half_close];

/// Says nothing more, and hears only the end: what is half said is no request, and half a frame none either.
fn half_close(mut stream: TcpStream) {
    stream.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
}

/// Everybody sends as much as they are going to; what has been answered elsewhere since then has most probably been read. Then all go.
fn begin_and_end(server: &Server, whole: &[u8], open: impl Fn() -> TcpStream) {
    for end in ENDS {
        let begin = |length: usize| {
            let mut stream = open();
            stream.write_all(&whole[..length]).unwrap();
            stream
        };
        let begun: Vec<TcpStream> = (0..whole.len()).map(begin).collect();
        assert_eq!(get(server, "/").status, 200);
        begun.into_iter().for_each(end);
    }
}

#[test]
fn who_goes_after_any_byte_of_a_request_an_upgrade_or_a_frame_leaves_nothing_behind() {
    let server = Server::start(&[]);
    let calm = Calm::of(&server);
    let mut stays = Client::full(&server, "page=resets");
    assert_eq!(stays.json()["hello"]["readers"], 1);
    let body = "{\"page\":\"resets\",\"content\":\"half\"}";
    let post = format!(
        "POST /api/comments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    begin_and_end(&server, post.as_bytes(), || server.connect());
    begin_and_end(&server, upgrade("page=resets").as_bytes(), || server.connect());
    let reader = || {
        let mut connection = server.connection();
        assert_eq!(connection.exchange(upgrade("page=resets")).status, 101);
        let (stream, _) = connection.into_parts();
        stream
    };
    let comment = frame(FIN | TEXT, body.as_bytes());
    begin_and_end(&server, &comment, reader);
    // Of a frame that is longer than any buffer, at its ends only.
    let long = frame(FIN | TEXT, &[b' '; 65_536]);
    for end in ENDS {
        for length in [1, 9, 14, 4_096, 65_536, long.len() - 1] {
            let mut stream = reader();
            stream.write_all(&long[..length]).unwrap();
            end(stream);
        }
    }
    stays.until(&json!({"readers": 1}));
    stays.send(&json!({"content": "the only one"}));
    assert_eq!(stays.line()["content"], "the only one");
    assert_eq!(get(&server, "/api/counts?page=resets").json(), json!({"resets": 1}));
    drop(stays);
    calm.returns(&server);
}

#[test]
fn who_goes_while_something_is_sent_to_them_leaves_nothing_behind() {
    let server = Server::builder().shell("").start();
    let calm = Calm::of(&server);
    for n in 0..100 {
        posted(&server, &format!("{n} {}", "long ".repeat(1_500)));
    }
    let history = "GET /api/comments?limit=200 HTTP/1.1\r\nHost: x\r\n\r\n";
    let full = upgrade("last=200");
    let refused = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let too_long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(100_000));
    let comment = String::from_utf8(frame(FIN | TEXT, b"")).unwrap_or_default();
    let acts = [
        String::new(),
        history.to_owned(),
        history.repeat(50),
        format!("{history}{full}"),
        full.clone(),
        format!("{full}{comment}"),
        refused.to_owned(),
        format!("{refused}{}", history.repeat(1_000)),
        too_long,
        "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100),
    ];
    for act in &acts {
        for reads in [0, 1, 100, 100_000] {
            for end in [drop as fn(TcpStream), reset] {
                let mut stream = server.connect();
                // The server may refuse and close before it has read everything.
                let _ = stream.write_all(act.as_bytes());
                // And say less than this one would read.
                stream.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
                let _ = stream.read_exact(&mut vec![0; reads]);
                end(stream);
            }
        }
    }
    // Readers, who go while comments are on their way to them.
    for end in [drop as fn(TcpStream), reset] {
        let readers: Vec<TcpStream> = (0..100)
            .map(|_| {
                let mut stream = server.connect();
                stream.write_all(upgrade("").as_bytes()).unwrap();
                stream
            })
            .collect();
        let mut connection = server.connection();
        for (n, reader) in readers.into_iter().enumerate() {
            if n % 10 == 0 {
                posted(&server, "to whom it may concern");
            }
            end(reader);
        }
        assert_eq!(connection.exchange(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    }
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 120}));
    calm.returns(&server);
    let told = server.stderr();
    assert!(told.lines().count() < 10, "a line for each who goes would fill the disk: {told}");
}
