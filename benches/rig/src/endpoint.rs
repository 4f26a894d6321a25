//! Where a server listens, and WebSocket connections to it. Knows nothing of what is sent on them.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use rustix::net::{AddressFamily, SocketType, sockopt};

use crate::wire;

/// Longest wait for a read or write on a blocking connection.
const TIMEOUT: Duration = Duration::from_secs(30);
/// So many handshakes at once; a listener's queue holds 128.
const HANDSHAKES_AT_ONCE: usize = 64;

/// A server's WebSocket address.
#[derive(Clone)]
pub struct Endpoint {
    pub address: SocketAddr,
    /// Path and query; `{page}` stands for a page's name.
    pub target: String,
}

impl Endpoint {
    /// Path and query for a page.
    pub fn target(&self, page: usize) -> String {
        self.target.replace("{page}", &format!("page-{page:02}"))
    }
}

/// Connects and sends the upgrade request, with `more` header lines. A small receive buffer fills soon.
pub fn request_upgrade(
    endpoint: &Endpoint,
    page: usize,
    more: &str,
    receive_buffer: Option<usize>,
) -> io::Result<TcpStream> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    if let Some(bytes) = receive_buffer {
        // Before the connection is made: afterwards the window has been promised.
        sockopt::set_socket_recv_buffer_size(&socket, bytes)?;
    }
    rustix::net::connect(&socket, &endpoint.address)?;
    let mut stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(wire::request(endpoint.address, &endpoint.target(page), more).as_bytes())?;
    Ok(stream)
}

/// Waits for the response to the upgrade request, and returns the bytes that came after it.
pub fn read_upgrade(stream: &mut TcpStream) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = wire::head_end(&bytes) {
            let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
            return match text.starts_with("HTTP/1.1 101 ") {
                true => Ok(bytes.split_off(end)),
                false => Err(format!("a WebSocket is refused: {text}")),
            };
        }
        let mut some = [0; 4096];
        match stream.read(&mut some) {
            Ok(0) => return Err("a connection ends before its handshake".into()),
            Ok(count) => bytes.extend_from_slice(&some[..count]),
            Err(error) => return Err(format!("no response to a handshake: {error}")),
        }
    }
}

/// Connects `count` members, member n to page n modulo `pages`, and to the endpoints in turn.
pub fn connect(
    endpoints: &[Endpoint],
    count: usize,
    pages: usize,
) -> Result<Vec<(TcpStream, Vec<u8>)>, String> {
    let mut streams = Vec::with_capacity(count);
    for wave in 0..count.div_ceil(HANDSHAKES_AT_ONCE) {
        let wave = wave * HANDSHAKES_AT_ONCE..count.min((wave + 1) * HANDSHAKES_AT_ONCE);
        let asked: Result<Vec<_>, _> = wave
            .clone()
            .map(|number| {
                let endpoint = &endpoints[number % endpoints.len()];
                request_upgrade(endpoint, number % pages, "", None)
            })
            .collect();
        let asked = asked
            .map_err(|error| format!("connection {wave:?} of {count} is not made: {error}"))?;
        for mut stream in asked {
            let rest = read_upgrade(&mut stream)?;
            streams.push((stream, rest));
        }
    }
    Ok(streams)
}
