//! Frames at their limits: close codes for what is no WebSocket, and any pieces for what is one.

use std::{io::Read, net::Shutdown, time::Instant};

use serde_json::json;
use tungstenite::{Error, Message};

use super::{says, works};
use crate::support::{
    client::get,
    frames::{BINARY, CLOSE, CONTINUE, Client, FIN, PING, TEXT, frame, frame_head},
    server::Server,
};

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
        let mut response = Vec::new();
        client.socket.get_mut().read_to_end(&mut response).unwrap();
        let code = &payload[..payload.len().min(2)];
        assert_eq!(response.first(), Some(&(FIN | CLOSE)), "{payload:x?}");
        assert_eq!(
            usize::from(response[1]),
            response.len() - 2,
            "one frame, unmasked: {response:x?}"
        );
        assert_eq!(&response[2..response.len().min(2 + code.len())], code, "{response:x?}");
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
