//! HTTP requests and WebSockets as the soak needs them: from an address of their own, with short timeouts.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use tungstenite::{Message, WebSocket, protocol::Role};

use super::Shared;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Connects, if the server is running.
pub fn connect(shared: &Shared) -> Option<TcpStream> {
    let port = shared.port.load(Relaxed) as u16;
    let stream = TcpStream::connect(("127.0.0.1", port)).ok();
    shared.count(if stream.is_some() { "connections" } else { "connections: refused" });
    let stream = stream?;
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    stream.set_write_timeout(Some(TIMEOUT)).ok()?;
    stream.set_nodelay(true).ok()?;
    Some(stream)
}

/// Sends one request; returns the status and the body.
pub fn ask(
    shared: &Shared,
    method: &str,
    target: &str,
    from: &str,
    body: &str,
) -> Option<(u16, String)> {
    let mut stream = connect(shared)?;
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: soak\r\nX-Forwarded-For: {from}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    shared.count(format!("requests: {status}"));
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some((status, body.to_owned()))
}

/// Opens a WebSocket, if it is accepted.
pub fn open(shared: &Shared, query: &str, from: &str) -> Option<WebSocket<TcpStream>> {
    let mut stream = connect(shared)?;
    let head = format!(
        "GET /ws/comments/?{query} HTTP/1.1\r\nHost: soak\r\nX-Forwarded-For: {from}\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: sayso.1\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        answer.push(byte[0]);
    }
    let status = String::from_utf8_lossy(&answer).split(' ').nth(1)?.to_owned();
    shared.count(format!("upgrades: {status}"));
    (status == "101").then(|| WebSocket::from_raw_socket(stream, Role::Client, None))
}

/// The next text; `None` where the connection has ended, an empty one where nothing came for a while.
pub fn text(shared: &Shared, socket: &mut WebSocket<TcpStream>) -> Option<String> {
    match socket.read() {
        Ok(Message::Text(text)) => Some(text.to_string()),
        Ok(Message::Close(frame)) => {
            let code = frame.map_or(0, |frame| u16::from(frame.code));
            shared.count(format!("closed: {code}"));
            None
        }
        Ok(_) => Some(String::new()),
        Err(tungstenite::Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
            Some(String::new())
        }
        Err(_) => None,
    }
}
