//! Where a server listens, and connections to it that have shaken hands. Knows nothing of what is said on them.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use rustix::net::{AddressFamily, SocketType, sockopt};

use crate::wire;

/// Longest wait for anything on a connection that waits.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many shake hands at once; a listener has room for 128.
const WAVE: usize = 64;

/// Where a server is asked for a WebSocket.
#[derive(Clone)]
pub struct Place {
    pub address: SocketAddr,
    /// Path and query; `{page}` stands for a page's name.
    pub target: String,
}

impl Place {
    /// Path and query for a page.
    pub fn target(&self, page: usize) -> String {
        self.target.replace("{page}", &format!("page-{page:02}"))
    }
}

/// A connection on which a WebSocket has been asked for. A small receive buffer is one that fills soon.
pub fn ask(
    place: &Place,
    page: usize,
    more: &str,
    receive_buffer: Option<usize>,
) -> io::Result<TcpStream> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    if let Some(bytes) = receive_buffer {
        // Before the connection is made: afterwards the window has been promised.
        sockopt::set_socket_recv_buffer_size(&socket, bytes)?;
    }
    rustix::net::connect(&socket, &place.address)?;
    let mut stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(wire::request(place.address, &place.target(page), more).as_bytes())?;
    Ok(stream)
}

/// Waits for the answer; what has come behind it.
pub fn answer(stream: &mut TcpStream) -> Result<Vec<u8>, String> {
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
            Err(error) => return Err(format!("no answer to a handshake: {error}")),
        }
    }
}

/// Connects member n to page n modulo `pages`.
pub fn connect(
    place: &Place,
    count: usize,
    pages: usize,
) -> Result<Vec<(TcpStream, Vec<u8>)>, String> {
    let mut streams = Vec::with_capacity(count);
    for wave in 0..count.div_ceil(WAVE) {
        let wave = wave * WAVE..count.min((wave + 1) * WAVE);
        let asked: Result<Vec<_>, _> =
            wave.clone().map(|number| ask(place, number % pages, "", None)).collect();
        let asked = asked
            .map_err(|error| format!("connection {wave:?} of {count} is not made: {error}"))?;
        for mut stream in asked {
            let rest = answer(&mut stream)?;
            streams.push((stream, rest));
        }
    }
    Ok(streams)
}
