//! Friendly clients: tungstenite on a socket, and HTTP requests of one answer.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Instant,
};

use serde_json::{Value, json};
use tungstenite::{
    Error, Message, WebSocket,
    protocol::{Role, WebSocketConfig},
};

use crate::support::server::{PATIENCE, Program};

/// The header lines that ask for a WebSocket, with the key of RFC 6455 §1.3.
pub const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A whole handshake, to be cut up or left unanswered.
pub fn upgrade(query: &str) -> String {
    format!("GET /ws/comments/?{query} HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n")
}

/// A WebSocket client.
pub struct Client {
    pub socket: WebSocket<TcpStream>,
}

impl Client {
    /// A plain client of the page `/`.
    pub fn plain(program: &Program) -> Client {
        Client::open(program, "/ws/comments/", "").unwrap()
    }

    /// A client of subprotocol `sayso.1`; `query` is what stands behind `?`.
    pub fn full(program: &Program, query: &str) -> Client {
        let target = format!("/ws/comments/?{query}");
        Client::open(program, &target, "Sec-WebSocket-Protocol: sayso.1\r\n").unwrap()
    }

    /// The answer's head and body if it is not 101.
    pub fn open(program: &Program, target: &str, headers: &str) -> Result<Client, String> {
        Client::open_on(program.connect(), target, headers)
    }

    /// Opens a WebSocket on a connection that may have been used before.
    pub fn open_on(mut stream: TcpStream, target: &str, headers: &str) -> Result<Client, String> {
        let host = stream.peer_addr().unwrap();
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{UPGRADE}{headers}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let (head, rest) = read_head(&mut stream);
        if !head.starts_with("HTTP/1.1 101 ") {
            let length = header(&head, "content-length")
                .map_or(0, |length| length.parse::<usize>().unwrap());
            let mut body = vec![0; length - rest.len()];
            stream.read_exact(&mut body).unwrap();
            return Err(head + &String::from_utf8([rest, body].concat()).unwrap());
        }
        assert_eq!(
            header(&head, "sec-websocket-accept").as_deref(),
            Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        );
        let config = WebSocketConfig::default().accept_unmasked_frames(false);
        Ok(Client {
            socket: WebSocket::from_partially_read(stream, rest, Role::Client, Some(config)),
        })
    }

    pub fn send(&mut self, message: &Value) {
        self.socket.send(Message::text(message.to_string())).unwrap();
    }

    /// The next text message as it came.
    pub fn text(&mut self) -> String {
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < PATIENCE, "no text comes");
            match self.socket.read().unwrap() {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("not a text: {other:?}"),
            }
        }
    }

    /// The next text message as JSON.
    pub fn json(&mut self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    /// Passes over messages up to `wanted`. The server says something every 25 s, so that the socket's time limit alone would
    /// never end this.
    pub fn until(&mut self, wanted: &Value) {
        let start = Instant::now();
        loop {
            let message = self.json();
            if message == *wanted {
                return;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{wanted} does not come, and the last is {message}"
            );
        }
    }

    /// The next comment line or error, passing over what the server says about readers, typing and itself.
    pub fn line(&mut self) -> Value {
        let start = Instant::now();
        loop {
            let message = self.json();
            if message.get("id").is_some() || message.get("error").is_some() {
                return message;
            }
            assert!(start.elapsed() < PATIENCE, "no line comes, and the last message is {message}");
        }
    }

    /// The close code with which the server ends the connection, passing over texts; `None` if it ends without one.
    pub fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.socket.read() {
                Ok(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Ok(_) => {}
                Err(Error::ConnectionClosed | Error::Protocol(_)) => return None,
                Err(error) => panic!("no close frame: {error}"),
            }
        }
    }
}

/// Bytes up to the empty line, and what was read behind it.
pub fn read_head(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return (String::from_utf8(bytes).unwrap(), rest);
        }
        let count = match stream.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count.unwrap(),
        };
        assert!(
            count > 0,
            "the connection ended within a head: {:?}",
            String::from_utf8_lossy(&bytes)
        );
        bytes.extend_from_slice(&chunk[..count]);
    }
}

/// The value of a header in a head's text.
pub fn header(head: &str, name: &str) -> Option<String> {
    head.lines().skip(1).find_map(|line| {
        let (n, value) = line.split_once(':')?;
        n.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// An HTTP answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<String> {
        header(&self.head, name)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_else(|| panic!("no error: {self:?}")).to_owned()
    }
}

/// One request on a connection; the connection can be used again.
pub fn exchange(stream: &mut TcpStream, request: &[u8], has_body: bool) -> Answer {
    stream.write_all(request).unwrap();
    let (head, mut body) = read_head(stream);
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length =
        header(&head, "content-length").map_or(0, |length| length.parse::<usize>().unwrap());
    if has_body && status != 304 {
        let missing = length - body.len();
        let mut rest = vec![0; missing];
        stream.read_exact(&mut rest).unwrap();
        body.extend_from_slice(&rest);
    }
    Answer { status, head, body: String::from_utf8(body).unwrap() }
}

/// One request on a connection of its own.
pub fn request(program: &Program, method: &str, target: &str, headers: &str, body: &str) -> Answer {
    let mut stream = program.connect();
    let length =
        if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let host = program.address;
    let request =
        format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{headers}{length}\r\n{body}");
    exchange(&mut stream, request.as_bytes(), method != "HEAD")
}

pub fn get(program: &Program, target: &str) -> Answer {
    request(program, "GET", target, "", "")
}

pub fn post(program: &Program, body: &Value) -> Answer {
    request(
        program,
        "POST",
        "/api/comments",
        "Content-Type: application/json\r\n",
        &body.to_string(),
    )
}

/// A post that must succeed, and its line.
pub fn posted(program: &Program, content: &str) -> Value {
    let answer = post(program, &json!({ "content": content }));
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}
