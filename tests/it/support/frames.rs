//! WebSockets: the handshake and frames made by hand (RFC 6455 §5.2), also those that no good client would send, and tungstenite
//! for clients that behave.

use std::{io::Write, net::TcpStream, time::Instant};

use serde_json::Value;
use tungstenite::{
    Error, Message, WebSocket,
    protocol::{Role, WebSocketConfig},
};

use super::{
    client::{Connection, Response},
    server::{Server, TIMEOUT},
};

/// The header lines that ask for a WebSocket, with the key of RFC 6455 §1.3.
pub const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
/// What that key is answered with.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// The header line that asks for everything that sayso has to say.
pub const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol: sayso.1\r\n";

/// A whole handshake, to be cut up or left unanswered; `query` is what stands behind `?`.
pub fn upgrade(query: &str) -> String {
    format!("GET /ws/comments/?{query} HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n")
}

pub const FIN: u8 = 0x80;
pub const CONTINUE: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// A client's frame (RFC 6455 §5.2), masked.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = frame_head(first, 0x80, payload.len() as u64);
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    bytes
}

/// The beginning of a frame, which says how long it is whether that is so or not.
pub fn frame_head(first: u8, mask_bit: u8, length: u64) -> Vec<u8> {
    match length {
        0..=125 => vec![first, mask_bit | length as u8],
        126..=0xffff => [&[first, mask_bit | 126][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[first, mask_bit | 127][..], &length.to_be_bytes()].concat(),
    }
}

/// A client's frame with a JSON text.
pub fn text_frame(message: &Value) -> Vec<u8> {
    frame(FIN | TEXT, message.to_string().as_bytes())
}

/// A WebSocket client.
pub struct Client {
    pub socket: WebSocket<TcpStream>,
}

impl Client {
    /// A client of the page `/` without a subprotocol.
    pub fn plain(server: &Server) -> Client {
        Client::open(server, "/ws/comments/", "").unwrap()
    }

    /// A client of subprotocol `sayso.1`; `query` is what stands behind `?`.
    pub fn full(server: &Server, query: &str) -> Client {
        Client::open(server, &format!("/ws/comments/?{query}"), SUBPROTOCOL).unwrap()
    }

    /// The response if it is not 101.
    pub fn open(server: &Server, target: &str, headers: &str) -> Result<Client, Response> {
        Client::open_on(server.connection(), target, headers)
    }

    /// Opens a WebSocket on a connection that may have been used before.
    pub fn open_on(
        mut connection: Connection,
        target: &str,
        headers: &str,
    ) -> Result<Client, Response> {
        let host = connection.stream.peer_addr().unwrap();
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{UPGRADE}{headers}\r\n");
        let response = connection.exchange(head);
        if response.status != 101 {
            return Err(response);
        }
        assert_eq!(response.header("sec-websocket-accept").as_deref(), Some(ACCEPT));
        Ok(Client::behind_101(connection))
    }

    /// Goes on with a connection that has been upgraded, and with the frames that came with the response.
    pub fn behind_101(connection: Connection) -> Client {
        let (stream, buffer) = connection.into_parts();
        let config = WebSocketConfig::default().accept_unmasked_frames(false);
        let socket = WebSocket::from_partially_read(stream, buffer, Role::Client, Some(config));
        Client { socket }
    }

    pub fn send(&mut self, message: &Value) {
        self.socket.send(Message::text(message.to_string())).unwrap();
    }

    /// Puts bytes on the connection past its WebSocket. The server may close before it has read everything.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.socket.get_mut().write_all(bytes);
    }

    /// The next text message as it came.
    pub fn text(&mut self) -> String {
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < TIMEOUT, "no text comes");
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
            assert!(start.elapsed() < TIMEOUT, "{wanted} does not come, and the last is {message}");
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
            assert!(start.elapsed() < TIMEOUT, "no line comes, and the last message is {message}");
        }
    }

    /// The close code with which the server ends the connection, passing over texts; `None` if it ends without one.
    pub fn close_code(&mut self) -> Option<u16> {
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < TIMEOUT, "the connection does not end");
            match self.socket.read() {
                Ok(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Ok(_) => {}
                Err(Error::ConnectionClosed | Error::Protocol(_)) => return None,
                Err(error) => panic!("no close frame: {error}"),
            }
        }
    }
}
