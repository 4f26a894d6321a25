//! Loads one target over keep-alive connections as fast as the server answers, one request in flight on each. One thread with one epoll;
//! every response is checked: status 200, and the same length as the first.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, EventData, EventFlags},
    time::Timespec,
};

use crate::{crowd::Timing, histogram::Histogram, wire};

/// Longest wait for any response.
const TIMEOUT: Duration = Duration::from_secs(10);
const BUFFER_BYTES: usize = 64 * 1024;

/// What the window showed.
pub struct Outcome {
    pub loads: u64,
    /// Of one response, its head included.
    pub bytes: usize,
    pub window: Duration,
    pub latency: Histogram,
}

/// One keep-alive connection and what it has received of the current response.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    sent_at: Instant,
}

/// # Errors
/// A sentence about the first response that is wrong or does not come.
pub fn run(
    address: SocketAddr,
    target: &str,
    connections: usize,
    timing: Timing,
) -> Result<Outcome, String> {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("there is epoll");
    let mut all = Vec::with_capacity(connections);
    for number in 0..connections {
        let connection = connect(address).map_err(|error| format!("{address}: {error}"))?;
        epoll::add(&epoll, &connection.stream, EventData::new_u64(number as u64), EventFlags::IN)
            .expect("a socket can be waited for");
        all.push(connection);
    }
    for connection in &mut all {
        connection.send(&request)?;
    }
    let wait = Timespec::try_from(TIMEOUT).expect("a timeout is short");
    let mut events = Vec::with_capacity(connections);
    let mut buffer = vec![0; BUFFER_BYTES];
    let begin = Instant::now() + timing.warm_up;
    let end = begin + timing.window;
    let (mut loads, mut length, mut latency) = (0, None, Histogram::default());
    loop {
        events.clear();
        match epoll::wait(&epoll, spare_capacity(&mut events), Some(&wait)) {
            Err(rustix::io::Errno::INTR) => {}
            done => drop(done.expect("sockets can be waited for")),
        }
        if events.is_empty() {
            return Err(format!("no response to GET {target} within {TIMEOUT:?}"));
        }
        for event in &events {
            let connection = &mut all[event.data.u64() as usize];
            let Some(bytes) = connection.receive(&mut buffer)? else { continue };
            if *length.get_or_insert(bytes) != bytes {
                return Err(format!("GET {target}: {bytes} bytes, and before {length:?}"));
            }
            let now = Instant::now();
            if now >= end {
                return Ok(Outcome { loads, bytes, window: timing.window, latency });
            }
            if now >= begin {
                loads += 1;
                latency.record((now - connection.sent_at).as_nanos() as u64);
            }
            connection.send(&request)?;
        }
    }
}

fn connect(address: SocketAddr) -> io::Result<Connection> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(Connection { stream, received: Vec::new(), sent_at: Instant::now() })
}

impl Connection {
    /// The request is short, and the socket is empty.
    fn send(&mut self, request: &str) -> Result<(), String> {
        self.sent_at = Instant::now();
        self.stream.write_all(request.as_bytes()).map_err(|error| format!("a request: {error}"))
    }

    /// Reads what there is; the length of the response, if it is complete.
    fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, String> {
        match self.stream.read(buffer) {
            Ok(0) => return Err("the server closes a keep-alive connection".into()),
            Ok(count) => self.received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(format!("a response: {error}")),
        }
        let Some(head_end) = wire::head_end(&self.received) else { return Ok(None) };
        let head = String::from_utf8_lossy(&self.received[..head_end]);
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(format!("not a page: {head}"));
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())?.ok()
        });
        let end = head_end + length.ok_or_else(|| format!("no length: {head}"))?;
        match self.received.len() {
            count if count < end => Ok(None),
            count if count == end => {
                self.received.clear();
                Ok(Some(end))
            }
            count => Err(format!("{count} bytes came instead of {end}")),
        }
    }
}
