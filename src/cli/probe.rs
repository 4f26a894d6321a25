//! A minimal HTTP and WebSocket client for [`doctor`](crate::cli::doctor): sends one GET request and reads the response or frames.
//!
//! Judges nothing. Uses the `openssl` command for TLS: it is on every server, and a TLS library would be twice the size of sayso.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, TcpStream, ToSocketAddrs},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The longest time to connect, and the longest time to wait for a response.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest head or body that is read, in bytes.
const RESPONSE_BYTES_MAX: usize = 256 * 1024;

/// The address of a server, split into its parts.
pub struct Address {
    /// The whole address, normalized by `values::public_url`: scheme, host, port and base path.
    pub url: String,
    /// The part that a browser sends as `Origin`.
    pub origin: String,
    /// The part that a browser sends as `Host`.
    pub host: String,
    /// The prefix of every path.
    pub base_path: String,
    is_tls: bool,
}

impl Address {
    /// Splits an address that `values::public_url` has accepted.
    pub fn parse(url: String) -> Address {
        let start = url.find("://").map_or(0, |at| at + 3);
        let end = url[start..].find('/').map_or(url.len(), |at| start + at);
        Address {
            origin: url[..end].to_owned(),
            host: url[start..end].to_owned(),
            base_path: url[end..].to_owned(),
            is_tls: url.starts_with("https:"),
            url,
        }
    }

    /// Whether browsers block requests to this address from pages loaded over https (mixed content). They allow the local
    /// machine (W3C Secure Contexts §3.1).
    pub fn is_mixed_content(&self) -> bool {
        let (host, _) = self.host_and_port();
        let is_loopback = host.parse::<IpAddr>().is_ok_and(|host| host.is_loopback());
        !self.is_tls && !is_loopback && host != "localhost"
    }

    /// Whether the scheme is https.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    fn host_and_port(&self) -> (&str, u16) {
        let port = self.host.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let host = match port {
            Some(_) => self.host.rsplit_once(':').map_or(&*self.host, |(host, _)| host),
            None => &*self.host,
        };
        (host.trim_matches(['[', ']']), port.unwrap_or(if self.is_tls { 443 } else { 80 }))
    }
}

/// A connection with one request sent, and the unprocessed bytes received so far.
pub struct Probe {
    stream: Stream,
    received: Vec<u8>,
}

enum Stream {
    Plain(TcpStream),
    Tls(UnixStream, Child),
}

/// The response to a probe's request.
pub struct ProbeResponse {
    /// The status code (RFC 9110 §15).
    pub status: u16,
    head: String,
    /// As much of the body as was received; chunks are not joined.
    pub body: String,
}

impl ProbeResponse {
    /// The value of the first header of this name, compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.trim().eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

impl Probe {
    /// Connects and sends a GET request. Without `verify`, accepts any certificate.
    ///
    /// # Errors
    /// Fails if the connection can't be made, or if https is asked for and there is no `openssl` command.
    pub fn get(server: &Address, path: &str, headers: &str, verify: bool) -> io::Result<Probe> {
        let stream = if server.is_tls {
            connect_tls(server, verify)?
        } else {
            Stream::Plain(connect(server)?)
        };
        let mut probe = Probe { stream, received: Vec::new() };
        let request = format!(
            "GET {}{path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: sayso-doctor\r\n{headers}\r\n",
            server.base_path, server.host
        );
        probe.send(request.as_bytes())?;
        Ok(probe)
    }

    /// The local port of the connection; `None` with TLS, where openssl has the connection.
    pub fn local_port(&self) -> Option<u16> {
        match &self.stream {
            Stream::Plain(stream) => stream.local_addr().ok().map(|address| address.port()),
            Stream::Tls(..) => None,
        }
    }

    /// Reads the response, or only its head if it opens a WebSocket.
    ///
    /// # Errors
    /// Fails if no complete head arrives within [`RESPONSE_TIMEOUT`].
    pub fn read_response(&mut self) -> io::Result<ProbeResponse> {
        let deadline = Instant::now() + RESPONSE_TIMEOUT;
        let mut response = self.read_head(deadline)?;
        if response.status == 101 {
            return Ok(response);
        }
        let length = response.header("content-length").and_then(|length| length.parse().ok());
        let length = length.unwrap_or(RESPONSE_BYTES_MAX).min(RESPONSE_BYTES_MAX);
        while self.received.len() < length && self.fill(deadline).is_ok_and(|more| more) {}
        response.body = String::from_utf8_lossy(&self.received).into_owned();
        Ok(response)
    }

    fn read_head(&mut self, deadline: Instant) -> io::Result<ProbeResponse> {
        loop {
            if let Some(end) = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head: Vec<u8> = self.received.drain(..end + 4).collect();
                let head = String::from_utf8_lossy(&head).into_owned();
                let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
                let status = status.ok_or(io::ErrorKind::InvalidData)?;
                return Ok(ProbeResponse { status, head, body: String::new() });
            }
            if self.received.len() > RESPONSE_BYTES_MAX || !self.fill(deadline)? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads the next WebSocket frame of the server (RFC 6455 §5.2) as its opcode and payload; `None` at the end of the stream.
    ///
    /// # Errors
    /// Fails if none arrives before `deadline`, or if the frame is longer than 64 KiB.
    pub fn read_frame(&mut self, deadline: Instant) -> io::Result<Option<(u8, Vec<u8>)>> {
        loop {
            if let [first, second, rest @ ..] = &*self.received {
                let (extended, length) = match (second, rest) {
                    (127, _) => return Err(io::ErrorKind::InvalidData.into()),
                    (126, [high, low, ..]) => (2, usize::from(u16::from_be_bytes([*high, *low]))),
                    (126, _) => (2, usize::MAX / 2),
                    (length, _) => (0, usize::from(*length)),
                };
                if let Some(payload) = rest.get(extended..extended + length) {
                    let frame = (first & 0x0f, payload.to_vec());
                    self.received.drain(..2 + extended + length);
                    return Ok(Some(frame));
                }
            }
            if !self.fill(deadline)? {
                return Ok(None);
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Tls(stream, _) => stream.write_all(bytes),
        }
    }

    /// Reads once and returns `false` at the end of the stream.
    fn fill(&mut self, deadline: Instant) -> io::Result<bool> {
        let remaining = deadline.saturating_duration_since(Instant::now());
        // Zero would mean no timeout.
        let timeout = Some(remaining.max(Duration::from_millis(1)));
        let mut bytes = vec![0; 16 * 1024];
        let count = match &mut self.stream {
            Stream::Plain(stream) => {
                stream.set_read_timeout(timeout)?;
                stream.read(&mut bytes)?
            }
            Stream::Tls(stream, _) => {
                stream.set_read_timeout(timeout)?;
                stream.read(&mut bytes)?
            }
        };
        self.received.extend_from_slice(&bytes[..count]);
        Ok(count > 0)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Stream::Tls(_, child) = &mut self.stream {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Connects to the first of the host's addresses that accepts.
pub fn connect(server: &Address) -> io::Result<TcpStream> {
    let mut last = io::ErrorKind::NotFound.into();
    for address in server.host_and_port().to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, RESPONSE_TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Connects through `openssl s_client`, whose stdin and stdout are one socket.
fn connect_tls(server: &Address, verify: bool) -> io::Result<Stream> {
    let (host, port) = server.host_and_port();
    // A plain connection first: if the server can't be reached, its error is the operating system's, not openssl's.
    drop(connect(server)?);
    let (ours, theirs) = UnixStream::pair()?;
    let stdin = OwnedFd::from(theirs.try_clone()?);
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-connect", &format!("{host}:{port}")]);
    match host.parse::<IpAddr>() {
        Ok(_) => command.args(["-verify_ip", host]),
        Err(_) => command.args(["-servername", host, "-verify_hostname", host]),
    };
    if verify {
        command.arg("-verify_return_error");
    }
    command.stdin(Stdio::from(stdin)).stdout(OwnedFd::from(theirs)).stderr(Stdio::null());
    let child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::other("https needs the command openssl; install it"),
        _ => error,
    })?;
    Ok(Stream::Tls(ours, child))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_split_and_its_port_defaults_to_that_of_its_scheme() {
        let address = |url: &str| Address::parse(url.to_owned());
        let long = address("https://a.example:8443/talk");
        assert_eq!((&*long.host, &*long.base_path), ("a.example:8443", "/talk"));
        assert_eq!(
            (&*long.origin, long.host_and_port()),
            ("https://a.example:8443", ("a.example", 8443))
        );
        assert_eq!(address("https://a.example").host_and_port(), ("a.example", 443));
        assert_eq!(address("http://127.0.0.1").host_and_port(), ("127.0.0.1", 80));
        assert_eq!(address("http://[::1]:81/x").host_and_port(), ("::1", 81));
        assert_eq!(address("http://[::1]").host_and_port(), ("::1", 80));
    }
}
