//! The WebSocket at its limits: sentences for what is refused, close codes for what is no WebSocket, silence for whom a
//! comment is not meant.

use std::{
    io::{Read, Write},
    net::Shutdown,
    time::Instant,
};

use serde_json::{Value, json};
use tungstenite::{Error, Message};

use crate::support::{
    client::{JSON, KEY, OTHER_KEY, Response, TOKEN, bearer, encoded, get, post, posted, request},
    frames::{
        BINARY, CLOSE, CONTINUE, Client, FIN, PING, SUBPROTOCOL, TEXT, UPGRADE, frame, frame_head,
        upgrade,
    },
    server::Server,
};

/// Checks that an error is one sentence with these parts, and gives its nonce.
fn says(error: &Value, parts: &[&str]) -> Value {
    let sentence = error["error"].as_str().unwrap_or_else(|| panic!("no error: {error}"));
    assert!(
        !sentence.is_empty() && !sentence.ends_with('.') && !sentence.contains('\n'),
        "{sentence:?}"
    );
    assert!(!sentence.starts_with(|first: char| first.is_uppercase()), "{sentence:?}");
    for part in parts {
        assert!(sentence.contains(part), "{sentence:?} does not say {part:?}");
    }
    error["nonce"].clone()
}

/// Sends what must be refused with a sentence that has these parts and echoes the nonce; then the connection still works.
fn refused(client: &mut Client, mut message: Value, parts: &[&str]) {
    let nonce = format!("refused-{:016x}", message.to_string().len());
    message["nonce"] = json!(nonce);
    client.send(&message);
    assert_eq!(says(&client.line(), parts), nonce, "the error of {message} echoes its nonce");
    works(client);
}

/// The connection takes a comment and gives its line back as the next thing it says about comments.
fn works(client: &mut Client) {
    client.send(&json!({"content": "still here"}));
    assert_eq!(client.line()["content"], "still here");
}

/// Asks for a WebSocket in a way that must be refused.
fn refused_upgrade(server: &Server, target: &str, headers: &str) -> Response {
    Client::open(server, target, headers).err().unwrap_or_else(|| panic!("{target} is upgraded"))
}

/// A handshake without the header lines that start with `without`, and with `with`.
fn handshake(server: &Server, without: &str, with: &str) -> Response {
    let lines = format!("Host: {}\r\n{UPGRADE}", server.address);
    let is_kept = |line: &&str| without.is_empty() || !line.starts_with(without);
    let kept: String = lines.split_inclusive('\n').filter(is_kept).collect();
    server.connection().exchange(format!("GET /ws/comments/ HTTP/1.1\r\n{kept}{with}\r\n"))
}

#[test]
fn content_of_8192_bytes_passes_and_one_byte_more_is_refused() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    for longest in ["x".repeat(8192), "ü".repeat(4096), "\u{1F600}".repeat(2048)] {
        client.send(&json!({ "content": longest }));
        assert_eq!(client.line()["content"], *longest);
        // What is trimmed away doesn't count.
        client.send(&json!({ "content": format!(" \n{longest}\t ") }));
        assert_eq!(client.line()["content"], *longest);
    }
    refused(
        &mut client,
        json!({"content": "x".repeat(8193)}),
        &["content is 8193 bytes, at most 8192 are allowed"],
    );
    refused(
        &mut client,
        json!({"content": "x".repeat(9000)}),
        &["content is 9000 bytes, at most 8192 are allowed"],
    );
    refused(&mut client, json!({"content": "ü".repeat(4096) + "x"}), &["8193", "8192"]);
    for empty in ["", " ", "\n\t \r\n"] {
        refused(&mut client, json!({ "content": empty }), &["content"]);
    }
}

#[test]
fn names_have_64_characters_and_not_65() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    for name in ["n".repeat(64), "ß".repeat(64), "\u{1F600}".repeat(64), "A".into()] {
        client.send(&json!({"content": "x", "name": format!("  {name}\t")}));
        assert_eq!(client.line()["name"], *name);
    }
    for nobody in ["", "   ", "\t"] {
        client.send(&json!({"content": "x", "name": nobody}));
        assert!(client.line().get("name").is_none(), "{nobody:?} is anonymous");
    }
    refused(&mut client, json!({"content": "x", "name": "n".repeat(65)}), &["name", "65", "64"]);
    refused(&mut client, json!({"content": "x", "name": "ß".repeat(65)}), &["name", "65", "64"]);
    refused(&mut client, json!({"typing": true, "name": "n".repeat(65)}), &["name", "65", "64"]);
}

#[test]
fn keys_have_16_to_128_bytes() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    for key in ["k".repeat(16), "k".repeat(128), "ü".repeat(8), "ü".repeat(64)] {
        client.send(&json!({"content": "x", "key": key}));
        let line = client.line();
        assert_eq!(line["author"].as_str().map(str::len), Some(22), "{line}");
        assert!(!line.to_string().contains(&key), "a key is never in a line: {line}");
        client.send(&json!({"edit": line["id"], "content": "y", "key": key}));
        assert_eq!(client.line()["content"], "y");
        client.send(&json!({ "key": key }));
        works(&mut client);
    }
    for (key, is) in [
        ("k".repeat(15), "15"),
        ("k".repeat(129), "129"),
        ("ü".repeat(64) + "k", "129"),
        (String::new(), "0"),
    ] {
        let limit = if key.len() < 16 { "16" } else { "128" };
        refused(&mut client, json!({"content": "x", "key": key}), &["key", is, limit]);
        refused(&mut client, json!({ "key": key }), &["key", is, limit]);
        refused(&mut client, json!({"edit": 1, "content": "x", "key": key}), &["key", is, limit]);
        refused(&mut client, json!({"delete": 1, "key": key}), &["key", is, limit]);
    }
}

#[test]
fn the_author_is_the_hash_that_the_contract_says() {
    let server = Server::start(&[]);
    // python3: base64.urlsafe_b64encode(hashlib.sha256(b'sayso author\0' + key).digest()[:16])
    let line = post(&server, &json!({"content": "x", "key": KEY})).json();
    assert_eq!(line["author"], "iBDu8sWvp_EC_okWlvSH0Q");
}

#[test]
fn nonces_have_16_to_64_bytes() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    for nonce in ["n".repeat(16), "n".repeat(64), "ü".repeat(8), "ü".repeat(32)] {
        client.send(&json!({"content": "x", "nonce": nonce}));
        assert_eq!(client.line()["nonce"], *nonce);
    }
    for (nonce, is) in [
        ("n".repeat(15), "15"),
        ("n".repeat(65), "65"),
        ("ü".repeat(32) + "n", "65"),
        (String::new(), "0"),
    ] {
        let limit = if nonce.len() < 16 { "16" } else { "64" };
        client.send(&json!({"content": "x", "nonce": nonce}));
        says(&client.line(), &["nonce", is, limit]);
        works(&mut client);
    }
}

#[test]
fn pages_have_1_to_512_bytes_and_no_control_characters() {
    let server = Server::start(&[]);
    for page in ["p".repeat(512), "ü".repeat(256), "a".into(), "host/path ?&=#%+\"<>".into()] {
        let target = format!("/ws/comments/?page={}", encoded(&page));
        let mut client = Client::open(&server, &target, "").unwrap();
        client.send(&json!({"content": "x"}));
        assert_eq!(client.line()["page"], *page);
    }
    for (page, parts) in [
        ("p".repeat(513), vec!["page", "513", "512"]),
        ("ü".repeat(256) + "p", vec!["page", "513", "512"]),
        (String::new(), vec!["page"]),
        ("a\nb".into(), vec!["page"]),
        ("a\0".into(), vec!["page"]),
        ("\u{7f}".into(), vec!["page"]),
        ("\u{85}".into(), vec!["page"]),
    ] {
        for path in ["/ws/comments/?page=", "/ws/comments/?count="] {
            let answer =
                refused_upgrade(&server, &format!("{path}{}", encoded(&page)), SUBPROTOCOL);
            assert_eq!(answer.status, 400, "{path}{page:?}");
            says(&answer.json(), &parts);
        }
    }
    for broken in ["%", "%4", "%zz", "%ff", "%c3", "%ed%a0%80"] {
        let answer = refused_upgrade(&server, &format!("/ws/comments/?page=a{broken}"), "");
        assert_eq!(answer.status, 400, "{broken}");
        says(&answer.json(), &[]);
    }
}

#[test]
fn last_takes_200_and_not_201() {
    let server = Server::start(&[]);
    let mut writer = Client::plain(&server);
    for n in 1..=201 {
        writer.send(&json!({"content": format!("c{n}")}));
    }
    for _ in 1..=201 {
        writer.line();
    }
    let mut reader = Client::full(&server, "last=200");
    assert_eq!(reader.json()["hello"]["seq"], 201);
    for id in 2..=201 {
        assert_eq!(reader.line()["id"], id);
    }
    for query in ["last=201", "last=18446744073709551616", "last=-1", "last=x", "last=", "last=1.5"]
    {
        let answer = refused_upgrade(&server, &format!("/ws/comments/?{query}"), SUBPROTOCOL);
        assert_eq!(answer.status, 400, "{query}");
        says(&answer.json(), &["last"]);
    }
    let answer = refused_upgrade(&server, "/ws/comments/?last=201", "");
    says(&answer.json(), &["201", "200"]);
}

#[test]
fn counts_of_100_pages_are_told_and_not_of_101() {
    let server = Server::start(&[]);
    let pages = |count: usize| (0..count).map(|n| format!("&count=p{n}")).collect::<String>();
    let mut counter =
        Client::open(&server, &format!("/ws/comments/?{}", &pages(100)[1..]), SUBPROTOCOL).unwrap();
    let first = counter.json();
    assert_eq!(first["counts"].as_object().map(serde_json::Map::len), Some(100));
    assert!(first["counts"].as_object().unwrap().values().all(|count| *count == 0), "{first}");
    for n in 0..100 {
        post(&server, &json!({"content": "x", "page": format!("p{n}")}));
    }
    let started = Instant::now();
    let (mut told, mut messages) = (0, 0);
    while told < 100 {
        let counts = counter.json()["counts"].as_object().unwrap().clone();
        assert!(counts.values().all(|count| *count == 1), "only what changed: {counts:?}");
        told += counts.len();
        messages += 1;
    }
    // The posts took less time than this, so these messages are at most one a second from the first post on.
    assert!(
        messages <= 2 + started.elapsed().as_secs(),
        "{messages} messages in {:?}",
        started.elapsed()
    );
    let answer =
        refused_upgrade(&server, &format!("/ws/comments/?{}", &pages(101)[1..]), SUBPROTOCOL);
    assert_eq!(answer.status, 400);
    says(&answer.json(), &["101", "100"]);
}

#[test]
fn a_frame_of_65536_bytes_passes_and_one_byte_more_ends_with_1009() {
    let server = Server::start(&[]);
    let padded = |length: usize| {
        let mut message = json!({"content": "padded"}).to_string();
        message.push_str(&" ".repeat(length - message.len()));
        message.into_bytes()
    };
    let mut client = Client::plain(&server);
    client.send_bytes(&frame(FIN | TEXT, &padded(65_536)));
    assert_eq!(client.line()["content"], "padded");
    // The same in three fragments.
    let message = padded(65_536);
    client.send_bytes(&frame(TEXT, &message[..10]));
    client.send_bytes(&frame(CONTINUE, &message[10..40_000]));
    client.send_bytes(&frame(FIN | CONTINUE, &message[40_000..]));
    assert_eq!(client.line()["content"], "padded");
    client.send_bytes(&frame(FIN | TEXT, &padded(65_537)));
    assert_eq!(client.close_code(), Some(1009));

    let mut client = Client::plain(&server);
    client.send_bytes(&frame(TEXT, &padded(65_536)));
    client.send_bytes(&frame(FIN | CONTINUE, b" "));
    assert_eq!(client.close_code(), Some(1009), "fragments count together");

    // Lengths that are only claimed: nobody waits for, or makes room for, what is too long anyway.
    for length in [65_537, 1 << 32, 1 << 62, (1 << 63) - 1] {
        let mut client = Client::plain(&server);
        client.send_bytes(&frame_head(FIN | TEXT, 0x80, length));
        client.send_bytes(&[1, 2, 3, 4]);
        assert_eq!(client.close_code(), Some(1009), "{length}");
    }
}

#[test]
fn every_refusal_echoes_the_nonce_and_leaves_the_connection_open() {
    let server = Server::start(&[]);
    let keyless = posted(&server, "without key")["id"].clone();
    let mine = post(&server, &json!({"content": "mine", "key": KEY})).json()["id"].clone();
    let mut client = Client::full(&server, "");
    for (message, parts) in [
        (json!({"content": "x", "parent": 77}), &["77"][..]),
        (json!({"content": "x", "parent": 0}), &["0"]),
        (json!({"content": "x", "parent": -1}), &[]),
        (json!({"content": "x", "parent": "1"}), &[]),
        (json!({"content": "x", "parent": 1.5}), &[]),
        (json!({"content": 5}), &[]),
        (json!({"content": null}), &[]),
        (json!({"content": ["x"]}), &[]),
        (json!({"content": "x", "name": 7}), &[]),
        (json!({"content": "x", "key": 7}), &[]),
        (json!({"edit": mine, "content": "x", "key": OTHER_KEY}), &["another key"]),
        (json!({"edit": mine, "content": "x".repeat(8193), "key": KEY}), &["8193", "8192"]),
        (json!({"edit": mine, "content": " ", "key": KEY}), &["content"]),
        (json!({"edit": mine, "key": KEY}), &["content"]),
        (json!({"edit": mine, "content": "x"}), &["key"]),
        (json!({"edit": keyless, "content": "x", "key": KEY}), &["key"]),
        (json!({"edit": 77, "content": "x", "key": KEY}), &["77"]),
        (json!({"edit": 0, "content": "x", "key": KEY}), &["0"]),
        (json!({"edit": u64::MAX, "content": "x", "key": KEY}), &["18446744073709551615"]),
        (json!({"delete": mine, "key": OTHER_KEY}), &["another key"]),
        (json!({ "delete": mine }), &["key"]),
        (json!({"delete": keyless, "key": KEY}), &["key"]),
        (json!({"delete": 77, "key": KEY}), &["77"]),
        (json!({"typing": "yes"}), &[]),
        (json!({}), &[]),
    ] {
        refused(&mut client, message, parts);
    }
    let history = get(&server, "/api/comments").json();
    for comment in history["comments"].as_array().unwrap() {
        assert!(
            comment.get("edited_at").is_none() && comment.get("deleted").is_none(),
            "{comment}"
        );
    }
}

#[test]
fn an_error_stays_a_sentence_however_long_what_it_is_about() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    // Six bytes each where it is quoted, and where JSON has to escape it.
    let (quoted, escaped) = ("\u{7f}".repeat(60_000), "\u{1}".repeat(60_000));
    for (message, part) in [
        (format!("{{\"edit\":\"{quoted}\"}}"), "expected u64 at line 1 column 60010"),
        (format!("{{\"content\":\"x\",\"nonce\":\"{quoted}\"}}"), "nonce is 60000 bytes"),
        (format!("{{\"nonce\":\"{escaped}\"}}"), "control character"),
    ] {
        client.socket.send(Message::text(message)).unwrap();
        let error = client.text();
        assert!(error.len() < 1_000, "{} bytes of error", error.len());
        says(&serde_json::from_str(&error).unwrap(), &[part]);
    }
    works(&mut client);
}

#[test]
fn twenty_malformed_frames_in_a_row_end_with_1008_and_nineteen_do_not() {
    let server = Server::start(&[]);
    let malformed: [&[u8]; 10] = [
        b"",
        b"x",
        b"{",
        b"[]",
        b"\"content\"",
        b"null",
        b"17",
        b"{\"content\":\"x\"",
        b"{\"content\":\"x\"}}",
        b"{'content':'x'}",
    ];
    let mut client = Client::plain(&server);
    for _round in 0..3 {
        for bytes in malformed.iter().chain(&malformed[1..]) {
            client.send_bytes(&frame(FIN | TEXT, bytes));
            says(&client.line(), &[]);
        }
        works(&mut client);
    }
    for bytes in malformed.iter().chain(&malformed) {
        client.send_bytes(&frame(FIN | TEXT, bytes));
    }
    assert_eq!(client.close_code(), Some(1008));

    // What is well formed and only too long is no reason to go.
    let mut client = Client::plain(&server);
    for _ in 0..25 {
        client.send(&json!({"content": "x".repeat(8193)}));
        says(&client.line(), &["8193"]);
    }
    works(&mut client);
}

#[test]
fn binary_frames_end_with_1003_and_bad_utf8_with_1007() {
    let server = Server::start(&[]);
    for bytes in [
        frame(FIN | BINARY, b"{\"content\":\"x\"}"),
        frame(FIN | BINARY, b""),
        frame(BINARY, b"part"),
    ] {
        let mut client = Client::plain(&server);
        client.send_bytes(&bytes);
        // A fragmented one may be judged when it is whole.
        client.send_bytes(&frame(FIN | CONTINUE, b"rest"));
        assert_eq!(client.close_code(), Some(1003));
    }
    let bad: [&[u8]; 6] = [
        b"\xff",
        b"{\"content\":\"\xc3\"}",
        b"\xed\xa0\x80",
        b"\xc0\x80",
        b"\xf4\x90\x80\x80",
        b"{\"content\":\"x\"}\xe2\x82",
    ];
    for bytes in bad {
        let mut client = Client::plain(&server);
        client.send_bytes(&frame(FIN | TEXT, bytes));
        assert_eq!(client.close_code(), Some(1007), "{bytes:x?}");
        let mut client = Client::plain(&server);
        client.send_bytes(&frame(TEXT, bytes));
        client.send_bytes(&frame(FIN | CONTINUE, b""));
        assert_eq!(client.close_code(), Some(1007), "in fragments: {bytes:x?}");
    }
    // A character that is cut in two by fragments is whole.
    let mut client = Client::plain(&server);
    client.send_bytes(&frame(TEXT, b"{\"content\":\"\xe2\x82"));
    client.send_bytes(&frame(FIN | CONTINUE, b"\xac\"}"));
    assert_eq!(client.line()["content"], "€");
}

#[test]
fn what_breaks_the_protocol_ends_with_1002() {
    let server = Server::start(&[]);
    let text = b"{\"content\":\"x\"}";
    let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
    cases.push(("unmasked".into(), [frame_head(FIN | TEXT, 0, 15), text.to_vec()].concat()));
    for bit in [0x40, 0x20, 0x10, 0x70] {
        cases.push((format!("reserved bits {bit:x}"), frame(FIN | bit | TEXT, text)));
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        cases.push((format!("opcode {opcode}"), frame(FIN | opcode, b"")));
    }
    cases.push(("fragmented ping".into(), frame(PING, b"x")));
    cases.push(("fragmented close".into(), frame(CLOSE, b"\x03\xe8")));
    cases.push(("ping of 126 bytes".into(), frame(FIN | PING, &[b'x'; 126])));
    cases.push(("close of 126 bytes".into(), frame(FIN | CLOSE, &[3; 126])));
    cases.push(("continuation of nothing".into(), frame(FIN | CONTINUE, text)));
    cases.push(("continuation of nothing, unfinished".into(), frame(CONTINUE, text)));
    cases.push((
        "a text within a text".into(),
        [frame(TEXT, b"{"), frame(FIN | TEXT, text)].concat(),
    ));
    cases.push(("a close of one byte".into(), frame(FIN | CLOSE, b"\x03")));
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        cases.push((format!("close code {code}"), frame(FIN | CLOSE, &code.to_be_bytes())));
    }
    for (what, bytes) in cases {
        let mut client = Client::plain(&server);
        client.send_bytes(&bytes);
        assert_eq!(client.close_code(), Some(1002), "{what}");
    }
    assert_eq!(
        get(&server, "/api/comments").json()["comments"],
        json!([]),
        "none of them was a comment"
    );
}

#[test]
fn fragments_make_one_comment_with_pings_answered_between_them() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    let text = "{\"content\":\"in many pieces: \u{1F600}\"}".as_bytes();
    client.send_bytes(&frame(TEXT, b""));
    for (at, byte) in text.iter().enumerate() {
        client.send_bytes(&frame(CONTINUE, &[*byte]));
        // Not more than the 20 a second that are allowed.
        if at % 4 == 0 {
            client.send_bytes(&frame(FIN | PING, &[*byte]));
            assert_eq!(client.socket.read().unwrap(), Message::Pong(vec![*byte].into()));
        }
    }
    client.send_bytes(&frame(FIN | CONTINUE, b""));
    assert_eq!(client.line()["content"], "in many pieces: \u{1F600}");
    for payload in [vec![], vec![0xff; 125]] {
        client.send_bytes(&frame(FIN | PING, &payload));
        assert_eq!(client.socket.read().unwrap(), Message::Pong(payload.into()));
    }
    // A pong that nobody asked for says nothing.
    client.send_bytes(&frame(FIN | 10, b"unasked"));
    works(&mut client);
}

#[test]
fn one_byte_at_a_time_is_as_good_as_all_at_once() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    let bytes =
        frame(FIN | TEXT, json!({"content": "drop by drop ".repeat(20)}).to_string().as_bytes());
    for byte in bytes {
        client.send_bytes(&[byte]);
    }
    assert!(client.line()["content"].as_str().unwrap().starts_with("drop by drop"));
    let many: Vec<u8> = (0..50)
        .flat_map(|n| frame(FIN | TEXT, json!({"content": format!("c{n}")}).to_string().as_bytes()))
        .collect();
    client.send_bytes(&many);
    for n in 0..50 {
        assert_eq!(client.line()["content"], format!("c{n}"));
    }
}

#[test]
fn a_close_is_echoed_and_the_connection_ended() {
    let server = Server::start(&[]);
    for payload in [&b""[..], b"\x03\xe8", b"\x03\xe9going away", b"\x0b\xb8", b"\x13\x87"] {
        let mut client = Client::plain(&server);
        // Comments behind the close are none.
        let bytes =
            [frame(FIN | CLOSE, payload), frame(FIN | TEXT, b"{\"content\":\"late\"}")].concat();
        client.send_bytes(&bytes);
        let mut answer = Vec::new();
        client.socket.get_mut().read_to_end(&mut answer).unwrap();
        let code = &payload[..payload.len().min(2)];
        assert_eq!(answer.first(), Some(&(FIN | CLOSE)), "{payload:x?}");
        assert_eq!(usize::from(answer[1]), answer.len() - 2, "one frame, unmasked: {answer:x?}");
        assert_eq!(&answer[2..answer.len().min(2 + code.len())], code, "{answer:x?}");
    }
    let mut client = Client::plain(&server);
    client.send_bytes(&frame(FIN | CLOSE, b"\x03\xe8\xff"));
    assert_eq!(client.close_code(), Some(1007), "the reason is UTF-8");
    let mut client = Client::plain(&server);
    client.socket.close(None).unwrap();
    client.close_code();
    assert!(matches!(client.socket.read(), Err(Error::ConnectionClosed | Error::AlreadyClosed)));
    assert_eq!(get(&server, "/api/comments").json()["comments"], json!([]));
}

#[test]
fn who_goes_in_the_middle_of_a_frame_is_a_reader_less() {
    let server = Server::start(&[]);
    let mut stays = Client::full(&server, "");
    assert_eq!(stays.json()["hello"]["readers"], 1);
    let whole = frame(FIN | TEXT, b"{\"content\":\"half a comment\"}");
    let mut gone = Vec::new();
    for (cut, before) in [1, 2, 4, 6, 20, whole.len() - 1].into_iter().zip(1..) {
        let mut goes = Client::full(&server, "");
        assert_eq!(goes.json()["hello"]["readers"], before + 1);
        goes.send_bytes(&whole[..cut]);
        gone.push(goes);
    }
    stays.until(&json!({"readers": 7}));
    for (number, mut goes) in gone.into_iter().enumerate() {
        if number % 2 == 0 {
            // Only the write side: the server ends the rest.
            goes.socket.get_ref().shutdown(Shutdown::Write).unwrap();
            let _ = goes.socket.get_mut().read_to_end(&mut Vec::new());
        }
    }
    stays.until(&json!({"readers": 1}));
    works(&mut stays);
    assert_eq!(get(&server, "/api/comments").json()["comments"].as_array().unwrap().len(), 1);
}

#[test]
fn json_nested_100_000_deep_is_a_sentence_or_too_long_and_never_a_crash() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    for opening in ["[", "{\"a\":", "{\"content\":[", "{\"content\":\"x\",\"other\":["] {
        let tail = if opening.ends_with('[') { "[" } else { "{\"a\":" };
        let open = opening.to_owned() + &tail.repeat((65_000 - opening.len()) / tail.len());
        client.send_bytes(&frame(FIN | TEXT, open.as_bytes()));
        says(&client.line(), &[]);
        works(&mut client);
        let answer = request(&server, "POST", "/api/comments", JSON, &open);
        assert_eq!(answer.status, 400, "{opening}");
        assert!(answer.error().len() < 300, "{}", answer.error().len());
    }
    let closed = "[".repeat(30_000) + &"]".repeat(30_000);
    let message = format!("{{\"content\":\"x\",\"other\":{closed}}}");
    client.send_bytes(&frame(FIN | TEXT, message.as_bytes()));
    client.line();
    works(&mut client);
    client.send_bytes(&frame(FIN | TEXT, "[".repeat(100_000).as_bytes()));
    assert_eq!(client.close_code(), Some(1009));
    let deep = "[".repeat(100_000);
    let answer = request(&server, "POST", "/api/comments", JSON, &deep);
    assert_eq!(answer.status, 413);
}

#[test]
fn deep_markup_is_stored_as_it_was_written_and_the_server_goes_on() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    for part in [
        "> ", "- ", "*", "**a ", "[", "![", "(", "`", "<", "&", "[a](", "1. ", "_a", "\\", "|",
        "~", "[^1]", "\n#", "    ",
    ] {
        let content = part.repeat(8_192 / part.len()) + "";
        client.send(&json!({"content": format!("x{}", &content[..content.len() - part.len()])}));
        let line = client.line();
        assert!(
            line["content"].as_str().is_some_and(|content| content.starts_with('x')),
            "{part:?}: {line}"
        );
        let html = line["html"].as_str().unwrap_or_default();
        assert!(html.len() <= 32 * 1024, "{part:?} makes {} bytes", html.len());
    }
    let quoted = "> ".repeat(40) + "deep";
    client.send(&json!({ "content": quoted }));
    let line = client.line();
    let levels = line["html"].as_str().unwrap_or_default().matches("<blockquote>").count();
    assert!(levels <= 16, "{levels} levels: {line}");
    assert_eq!(line["content"], quoted.trim());
}

#[test]
fn more_than_20_other_frames_a_second_are_refused_and_comments_still_pass() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    let started = Instant::now();
    let frames: Vec<u8> =
        (0..100).flat_map(|_| frame(FIN | TEXT, br#"{"typing":true,"name":"Ada"}"#)).collect();
    client.send_bytes(&frames);
    client.send(&json!({"content": "after all of them"}));
    let mut errors = 0;
    loop {
        let message = client.json();
        if message["content"] == "after all of them" {
            break;
        }
        says(&message, &["20"]);
        errors += 1;
    }
    let passed = 100 - errors;
    let seconds = started.elapsed().as_secs() as i32;
    assert!((20..=20 * (2 + seconds)).contains(&passed), "{passed} passed in {seconds} s");
    assert!(errors > 0 || seconds > 3, "nothing was refused");
}

#[test]
fn resuming_needs_the_subprotocol_and_the_log() {
    let server = Server::start(&[]);
    let log = Client::full(&server, "").json()["hello"]["log"].as_str().unwrap().to_owned();
    for (query, headers, part) in [
        (format!("since=0&log={log}"), "", "sayso.1"),
        ("since=0".into(), SUBPROTOCOL, "log"),
        (format!("since=x&log={log}"), SUBPROTOCOL, "since"),
        (format!("since=-1&log={log}"), SUBPROTOCOL, "since"),
        (format!("since=&log={log}"), SUBPROTOCOL, "since"),
        (format!("since=18446744073709551616&log={log}"), SUBPROTOCOL, "since"),
    ] {
        let answer = refused_upgrade(&server, &format!("/ws/comments/?{query}"), headers);
        assert_eq!(answer.status, 400, "{query}");
        says(&answer.json(), &[part]);
    }
    let mut resumed = Client::full(&server, &format!("since=0&log={log}"));
    assert_eq!(resumed.json()["hello"]["resumed"], true);
}

#[test]
fn only_the_subprotocol_that_is_known_is_spoken() {
    let server = Server::start(&[]);
    for offered in
        ["sayso.1", "chat, sayso.1", "sayso.1,chat", "chat\r\nSec-WebSocket-Protocol: sayso.1"]
    {
        let answer = handshake(&server, "", &format!("Sec-WebSocket-Protocol: {offered}\r\n"));
        assert_eq!(
            (answer.status, answer.header("sec-websocket-protocol").as_deref()),
            (101, Some("sayso.1")),
            "{offered}"
        );
    }
    for offered in ["chat", "sayso.2", "sayso.10", "Sayso.1", "graphql-ws, sayso"] {
        let answer = handshake(&server, "", &format!("Sec-WebSocket-Protocol: {offered}\r\n"));
        assert_eq!(
            (answer.status, answer.header("sec-websocket-protocol")),
            (101, None),
            "{offered}"
        );
    }
    let answer = handshake(&server, "", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    assert_eq!((answer.status, answer.header("sec-websocket-extensions")), (101, None));
}

#[test]
fn a_handshake_is_taken_in_any_spelling_and_refused_with_the_reason() {
    let server = Server::start(&[]);
    for (without, with) in [
        ("Upgrade", "upgrade: WebSocket\r\n"),
        ("Upgrade", "UPGRADE: h2c, websocket\r\n"),
        ("Connection", "connection: keep-alive, upgrade\r\n"),
        ("Connection", "Connection: keep-alive\r\nConnection: Upgrade\r\n"),
        ("Sec-WebSocket-Version", "sec-websocket-version:13\r\n"),
        ("", "Content-Length: 0\r\n"),
    ] {
        assert_eq!(handshake(&server, without, with).status, 101, "{with:?}");
    }
    for version in ["12", "8", "130", "x", ""] {
        let answer = handshake(
            &server,
            "Sec-WebSocket-Version",
            &format!("Sec-WebSocket-Version: {version}\r\n"),
        );
        assert_eq!(
            (answer.status, answer.header("sec-websocket-version").as_deref()),
            (426, Some("13")),
            "{version:?}"
        );
        says(&answer.json(), &["13"]);
    }
    for key in [
        "",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZQ",
        "not base64, not at all!!",
        "dGhlIHNhbXBsZSBub25jZQ==,x",
    ] {
        let answer =
            handshake(&server, "Sec-WebSocket-Key", &format!("Sec-WebSocket-Key: {key}\r\n"));
        assert_eq!(answer.status, 400, "{key:?}");
        says(&answer.json(), &[]);
    }
    assert_eq!(handshake(&server, "Sec-WebSocket-Key", "").status, 400);
    let twice = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    assert_eq!(handshake(&server, "", twice).status, 400, "two keys");
    for path in
        ["/ws/", "/ws/nothing/", "/ws/comments/more", "/ws/commentsx", "/WS/comments/", "/nothing"]
    {
        let answer = refused_upgrade(&server, path, SUBPROTOCOL);
        assert_eq!(answer.status, 404, "{path}");
        says(&answer.json(), &[]);
    }
    let answer = get(&server, "/ws/comments/");
    assert!(matches!(answer.status, 400 | 426), "{answer:?}");
}

#[test]
fn the_connection_of_a_refused_handshake_can_be_used_again() {
    let server = Server::start(&[]);
    let mut connection = server.connection();
    let host = server.address;
    let wrong = upgrade("last=201");
    let answer = connection.exchange(wrong);
    assert_eq!(answer.status, 400);
    if answer.header("connection").as_deref() != Some("close") {
        let page = connection.exchange(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(page.status, 200);
        let mut client = Client::open_on(connection, "/ws/comments/", "").unwrap();
        works(&mut client);
    }
}

#[test]
fn frames_sent_together_with_the_handshake_are_not_lost() {
    let server = Server::start(&[]);
    let mut reader = Client::plain(&server);
    let mut eager = server.connect();
    let mut bytes = upgrade("").into_bytes();
    for n in 0..20 {
        bytes.extend(frame(
            FIN | TEXT,
            json!({"content": format!("eager {n}")}).to_string().as_bytes(),
        ));
    }
    eager.write_all(&bytes).unwrap();
    for n in 0..20 {
        assert_eq!(reader.line()["content"], format!("eager {n}"));
    }
}

#[test]
fn readers_are_counted_per_page_and_counters_are_none() {
    let server = Server::start(&[]);
    let readers = |page: &str| {
        let mut client = Client::full(&server, &format!("page={page}"));
        let count = client.json()["hello"]["readers"].clone();
        (client, count)
    };
    let (mut first, one) = readers("a");
    let mut counter = Client::full(&server, "count=a");
    counter.json();
    let (_elsewhere, alone) = readers("b");
    let (second, two) = readers("a");
    let plain = Client::open(&server, "/ws/comments/?page=a", "").unwrap();
    first.until(&json!({"readers": 3}));
    assert_eq!((one, alone, two), (json!(1), json!(1), json!(2)));
    drop((second, plain));
    first.until(&json!({"readers": 1}));
}

#[test]
fn typing_is_told_at_most_once_a_second() {
    let server = Server::start(&[]);
    let mut reader = Client::full(&server, "");
    let mut elsewhere = Client::full(&server, "page=b");
    let mut writers = [Client::plain(&server), Client::plain(&server)];
    let started = Instant::now();
    for _ in 0..8 {
        for writer in &mut writers {
            writer.send(&json!({"typing": true, "name": "Ada"}));
        }
    }
    writers[0].send(&json!({"content": "done"}));
    writers[0].line();
    let (mut told, mut seen) = (0, Value::Null);
    // It may be told when the second is over: wait for one, and for the comment.
    while told == 0 || seen != "done" {
        let message = reader.json();
        if message.get("typing").is_some() {
            assert_eq!(message, json!({"typing": "Ada"}));
            told += 1;
        }
        if message.get("content").is_some() {
            seen = message["content"].clone();
        }
    }
    assert!(
        told <= 1 + started.elapsed().as_secs(),
        "told {told} times within {:?}",
        started.elapsed()
    );
    elsewhere.json();
    elsewhere.send(&json!({"content": "only this"}));
    let next = elsewhere.json();
    assert_eq!(next["content"], "only this", "other pages don't hear it: {next}");
}

#[test]
fn plain_clients_get_nothing_but_lines_with_content_and_errors() {
    let server = Server::start(&[]);
    for n in 0..3 {
        post(&server, &json!({"content": format!("old {n}"), "key": KEY}));
    }
    request(&server, "DELETE", "/api/comments/2", &bearer(KEY), "");
    let mut plain = Client::open(&server, "/ws/comments/?last=200", "").unwrap();
    let mut counter = Client::full(&server, "count=/");
    let mut full = Client::full(&server, "");
    counter.json();
    full.json();
    full.send(&json!({"typing": true, "name": "Ada"}));
    full.send(&json!({"content": "typed", "key": KEY}));
    let typed = full.line()["id"].clone();
    full.send(&json!({"edit": typed, "content": "edited", "key": KEY}));
    full.send(&json!({"delete": typed, "key": KEY}));
    // By the time a count is told, and a reader less, a plain client would have been told too.
    counter.json();
    let mut other = Client::full(&server, "");
    full.until(&json!({"readers": 3}));
    other.send(&json!({"content": "last"}));
    plain.send(&json!({"content": ""}));
    let mut contents = Vec::new();
    let mut errors = 0;
    while contents.last().is_none_or(|last| last != "last") || errors == 0 {
        let message = plain.json();
        if message.get("error").is_some() {
            errors += 1;
            continue;
        }
        contents
            .push(message["content"].as_str().unwrap_or_else(|| panic!("{message}")).to_owned());
    }
    assert_eq!(contents, ["old 0", "old 2", "typed", "edited", "last"]);
    assert_eq!(errors, 1);
}

#[test]
fn odd_unicode_comes_back_as_it_was_and_control_characters_are_refused() {
    let server = Server::start(&[]);
    let mut client = Client::plain(&server);
    let content = "a\u{200b}\u{202e}\u{feff}\u{fffd}\u{10ffff}\u{2028}\u{2029}\n\n\tz";
    client.send(&json!({ "content": content }));
    let text = client.text();
    assert!(!text.bytes().any(|byte| byte < 0x20), "{text:?}");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["content"], content);
    for control in ["\0", "\u{1}", "\u{8}", "\u{1b}", "\u{7f}", "\u{85}", "\u{9f}"] {
        refused(&mut client, json!({ "content": format!("a{control}b") }), &["control"]);
        refused(&mut client, json!({"content": "x", "name": format!("a{control}b")}), &["control"]);
    }
    refused(&mut client, json!({"content": "x", "name": "a\nb"}), &["name"]);
    // Escapes that are no characters.
    for escape in [r"\ud800", r"\udfff\ud800", r"\u12", r"\x41"] {
        client.send_bytes(&frame(FIN | TEXT, format!("{{\"content\":\"{escape}\"}}").as_bytes()));
        says(&client.line(), &[]);
    }
    works(&mut client);
}

#[test]
fn a_known_nonce_is_answered_to_its_sender_only_with_the_present_line() {
    let server = Server::start(&[]);
    let mut author = Client::full(&server, "");
    let mut reader = Client::full(&server, "");
    let first = json!({"content": "once", "key": KEY, "nonce": "nonce-of-a-comment"});
    author.send(&first);
    let line = author.line();
    assert_eq!(reader.line(), line);
    author.send(&first);
    assert_eq!(author.line(), line);
    author.send(&json!({"edit": line["id"], "content": "edited", "key": KEY}));
    let edited = author.line();
    assert_eq!(reader.line(), edited, "nothing between them");
    author.send(&json!({"content": "something else", "nonce": "nonce-of-a-comment"}));
    assert_eq!(author.line(), edited);
    author.send(&json!({"delete": line["id"], "key": KEY}));
    let tombstone = author.line();
    assert_eq!(reader.line(), tombstone, "nothing between them");
    author.send(&first);
    assert_eq!(author.line(), tombstone);
    assert_eq!(post(&server, &first).json(), tombstone);
    // Two of one nonce in one write, from two connections: one comment.
    let twin = json!({"content": "twin", "nonce": "nonce-of-the-twins"});
    let both = frame(FIN | TEXT, twin.to_string().as_bytes()).repeat(2);
    author.send_bytes(&both);
    reader.send_bytes(&both);
    let twins: Vec<Value> = (0..2).map(|_| author.line()).collect();
    assert_eq!(twins[0], twins[1]);
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 1}));
}

/// A server that holds, and the headers that let a moderator in.
fn moderated(hold: &str) -> (Server, String) {
    let server = Server::builder().moderator(TOKEN).flags(&["--hold", hold]).start();
    (server, bearer(TOKEN))
}

fn moderate(server: &Server, admin: &str, id: &Value, status: &str) -> Response {
    request(
        server,
        "PATCH",
        &format!("/api/comments/{id}"),
        admin,
        &json!({ "status": status }).to_string(),
    )
}

#[test]
fn a_held_comment_is_its_authors_alone_until_it_is_released() {
    let (server, admin) = moderated("all");
    let mut author = Client::full(&server, "");
    let mut reader = Client::full(&server, "");
    let mut plain = Client::plain(&server);
    let log = author.json()["hello"]["log"].as_str().unwrap().to_owned();
    let post_one =
        json!({"content": "held words", "key": KEY, "name": "Ada", "nonce": "nonce-of-held-one"});
    author.send(&post_one);
    let line = author.line();
    assert_eq!((&line["status"], &line["content"]), (&json!("pending"), &json!("held words")));
    let over_http = post(&server, &json!({"content": "held too", "key": KEY}));
    assert_eq!(
        (over_http.status, over_http.json()["status"].clone()),
        (202, json!("pending")),
        "{over_http:?}"
    );
    assert_eq!(post(&server, &json!({"content": "held and nobody's"})).status, 202);

    // Not in history, counts, the page, by last or by since.
    for target in ["/api/comments", "/api/comments?since=0", "/api/comments?before=99", "/"] {
        let body = get(&server, target).body;
        assert!(!body.contains("held") && !body.contains("Ada"), "{target}: {body}");
    }
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 0}));
    let mut last = Client::full(&server, "last=200");
    let mut since = Client::full(&server, &format!("since=0&log={log}"));
    let mut stranger = Client::full(&server, "");
    stranger.send(&json!({ "key": OTHER_KEY }));
    // Its author sees it on another connection after saying the key.
    let mut again = Client::full(&server, "");
    again.send(&json!({ "key": KEY }));
    assert_eq!(
        (again.line()["content"].clone(), again.line()["content"].clone()),
        (json!("held words"), json!("held too"))
    );

    // Nobody but a moderator releases it.
    for headers in [JSON, &bearer(KEY), &bearer("wrong-token-wrong-token")] {
        let answer = moderate(&server, headers, &line["id"], "public");
        // 404 is as good: that there is something to release is nobody else's business.
        assert!(matches!(answer.status, 403 | 404), "{answer:?}");
    }
    let released = moderate(&server, &admin, &line["id"], "public");
    assert_eq!(released.status, 200, "{released:?}");
    let public = released.json();
    assert!(
        public.get("status").is_none()
            && public["id"] == line["id"]
            && public["seq"].as_u64() > line["seq"].as_u64()
    );
    for client in
        [&mut reader, &mut plain, &mut last, &mut since, &mut stranger, &mut author, &mut again]
    {
        let mut seen = client.line();
        while seen["status"] == "pending" && seen["content"] == "held too" {
            // The author's other comment, on the connections that said its key.
            seen = client.line();
        }
        assert_eq!(seen, public, "the first that anybody else hears of it");
    }
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 1}));
    assert_eq!(get(&server, "/api/comments").json()["comments"], json!([public]));
    assert_eq!(post(&server, &post_one).json(), public, "the nonce is known");
}

#[test]
fn the_tombstone_of_a_pending_comment_is_nobody_elses() {
    let (server, admin) = moderated("all");
    let mut author = Client::full(&server, "");
    let mut reader = Client::full(&server, "");
    let log = reader.json()["hello"]["log"].as_str().unwrap().to_owned();
    author.send(&json!({"content": "regretted", "key": KEY}));
    let pending = author.line();
    author.send(&json!({"delete": pending["id"], "key": KEY}));
    let tombstone = author.line();
    assert_eq!((&tombstone["deleted"], &tombstone["status"]), (&json!(true), &json!("pending")));
    author.send(&json!({"content": "kept", "key": KEY}));
    let kept = author.line();
    let kept = moderate(&server, &admin, &kept["id"], "public").json();
    assert_eq!(reader.line(), kept, "no tombstone before it");
    for target in ["/api/comments", "/api/comments?since=0"] {
        assert_eq!(get(&server, target).json()["comments"], json!([kept]), "{target}");
    }
    for query in ["last=200".to_owned(), format!("since=0&log={log}")] {
        assert_eq!(Client::full(&server, &query).line(), kept, "{query}");
    }
}

#[test]
fn a_hidden_comment_is_a_tombstone_for_everyone_else() {
    let (server, admin) = moderated("none");
    let mut reader = Client::full(&server, "");
    let log = reader.json()["hello"]["log"].as_str().unwrap().to_owned();
    let first = json!({"content": "outrageous *words*", "key": KEY, "name": "Mallory", "nonce": "nonce-of-the-words"});
    let line = post(&server, &first).json();
    assert_eq!(reader.line(), line);
    assert_eq!(moderate(&server, JSON, &line["id"], "hidden").status, 403);
    assert_eq!(moderate(&server, &admin, &line["id"], "hidden").status, 200);
    let is_tombstone = |line: &Value| {
        assert_eq!((&line["id"], &line["deleted"]), (&json!(1), &json!(true)), "{line}");
        for gone in ["content", "html", "name", "author"] {
            assert!(line.get(gone).is_none(), "{gone} in {line}");
        }
    };
    is_tombstone(&reader.line());
    for query in ["last=200".to_owned(), format!("since=0&log={log}"), format!("since=1&log={log}")]
    {
        is_tombstone(&Client::full(&server, &query).line());
    }
    for target in [
        "/api/comments",
        "/api/comments?since=0",
        "/api/comments?since=1",
        "/api/comments?before=2",
    ] {
        let comments = get(&server, target).json()["comments"].clone();
        is_tombstone(&comments[0]);
    }
    for target in ["/", "/api/comments"] {
        let body = get(&server, target).body;
        assert!(!body.contains("outrageous") && !body.contains("Mallory"), "{target}: {body}");
    }
    assert_eq!(get(&server, "/api/counts?page=/").json(), json!({"/": 0}));
    // Its nonce is public: whoever repeats it learns nothing.
    let repeated = post(&server, &json!({"content": "let me see", "nonce": "nonce-of-the-words"}));
    assert!(
        !repeated.body.contains("outrageous") && !repeated.body.contains("Mallory"),
        "{repeated:?}"
    );
    reader.send(&json!({"content": "let me see", "nonce": "nonce-of-the-words"}));
    is_tombstone(&reader.line());
    let shown = moderate(&server, &admin, &line["id"], "public").json();
    assert_eq!(shown["content"], "outrageous *words*");
    assert_eq!(reader.line(), shown);
}

#[test]
fn what_is_held_stays_held_when_it_is_edited_answered_or_asked_for_by_nonce() {
    let (server, admin) = moderated("all");
    let mut author = Client::full(&server, "");
    author.send(&json!({"content": "held", "key": KEY, "nonce": "nonce-that-is-held"}));
    let held = author.line();
    author.send(&json!({"edit": held["id"], "content": "held and edited", "key": KEY}));
    assert_eq!(author.line()["status"], "pending");
    // A stranger who guesses the nonce, or the number, learns nothing.
    let repeated =
        post(&server, &json!({"content": "x", "key": OTHER_KEY, "nonce": "nonce-that-is-held"}));
    assert!(!repeated.body.contains("held and edited"), "{repeated:?}");
    let answer = post(&server, &json!({"content": "x", "parent": held["id"], "key": OTHER_KEY}));
    let unknown = post(&server, &json!({"content": "x", "parent": 9_999, "key": OTHER_KEY}));
    assert_eq!(answer.status, unknown.status, "{answer:?}");
    let strange = bearer(OTHER_KEY);
    for (method, body) in [("PATCH", "{\"content\":\"x\"}"), ("DELETE", "")] {
        let answer =
            request(&server, method, &format!("/api/comments/{}", held["id"]), &strange, body);
        assert!(matches!(answer.status, 403 | 404), "{answer:?}");
        assert!(!answer.body.contains("held and edited"), "{answer:?}");
    }
    let released = moderate(&server, &admin, &held["id"], "public").json();
    assert_eq!(released["content"], "held and edited");
}

#[test]
fn links_and_newcomers_can_be_held_alone() {
    let (server, _) = moderated("links");
    for (content, status) in [
        ("no link here", 201),
        ("see https://spam.example/", 202),
        ("see [this](http://spam.example)", 202),
        ("see <https://spam.example>", 202),
    ] {
        assert_eq!(post(&server, &json!({ "content": content })).status, status, "{content}");
    }
    let mine = post(&server, &json!({"content": "harmless", "key": KEY})).json();
    let headers = bearer(KEY);
    let target = format!("/api/comments/{}", mine["id"]);
    let edited = request(
        &server,
        "PATCH",
        &target,
        &headers,
        &json!({"content": "https://spam.example/"}).to_string(),
    );
    let shown = get(&server, "/api/comments").body;
    assert!(
        !shown.contains("spam.example"),
        "a link that is edited in is held too: {edited:?} {shown}"
    );

    let (server, admin) = moderated("new");
    let first = post(&server, &json!({"content": "hello", "key": KEY}));
    assert_eq!(first.status, 202);
    assert_eq!(
        post(&server, &json!({"content": "me again", "key": KEY})).status,
        202,
        "nothing of it was released yet"
    );
    assert_eq!(moderate(&server, &admin, &first.json()["id"], "public").status, 200);
    assert_eq!(post(&server, &json!({"content": "now I am known", "key": KEY})).status, 201);
    assert_eq!(post(&server, &json!({"content": "I am not", "key": OTHER_KEY})).status, 202);
    assert_eq!(post(&server, &json!({"content": "nobody is"})).status, 202);
}

#[test]
fn a_change_is_acknowledged_or_refused_from_whichever_page_it_comes() {
    let server = Server::start(&[]);
    let line = post(&server, &json!({"content": "first", "key": KEY, "page": "a"})).json();
    let mut elsewhere = Client::full(&server, "page=b");
    elsewhere.send(&json!({"edit": line["id"], "content": "second", "key": KEY}));
    elsewhere.send(&json!({"content": "on b"}));
    let first = elsewhere.line();
    let acknowledged = first["content"] == "second" || first.get("error").is_some();
    assert!(acknowledged, "the edit is passed over in silence: {first}");
    assert_eq!(elsewhere.line()["content"], "on b");
}

#[test]
fn a_moderators_change_of_two_things_is_done_whole_or_refused() {
    let (server, admin) = moderated("none");
    let id = posted(&server, "first")["id"].clone();
    let both = json!({"content": "second", "status": "hidden"}).to_string();
    let answer = request(&server, "PATCH", &format!("/api/comments/{id}"), &admin, &both);
    let done = answer.status == 200 && answer.json()["content"] == "second";
    assert!(done || answer.status == 400, "half of it is dropped in silence: {answer:?}");
}
