//! What a browser would do over the network, and nothing more: a request and its answer, a WebSocket and what it says.
//!
//! Knows no question and no advice. TLS is openssl's: the command is on every server, a library would be twice sayso.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, TcpStream, ToSocketAddrs},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Nothing that is asked for takes longer than this, unless nobody answers.
const PATIENCE: Duration = Duration::from_secs(10);
/// Of an answer's head and body, what is looked at.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Where sayso is to be found.
pub struct Address {
    /// `http://` or `https://`, host, port and base path, as `values::public_url` writes them.
    pub url: String,
    /// Of `url`, what a browser sends as `Origin`.
    pub origin: String,
    /// Of `url`, what a browser sends as `Host`.
    pub host: String,
    /// Of `url`, what stands before every path.
    base: String,
    is_tls: bool,
}

impl Address {
    /// Takes apart what `values::public_url` has accepted.
    pub fn of(url: String) -> Address {
        let start = url.find("://").map_or(0, |at| at + 3);
        let end = url[start..].find('/').map_or(url.len(), |at| start + at);
        Address {
            origin: url[..end].to_owned(),
            host: url[start..end].to_owned(),
            base: url[end..].to_owned(),
            is_tls: url.starts_with("https:"),
            url,
        }
    }

    /// Whether a page that came over https may not ask there: mixed content, but for this machine itself
    /// (W3C Secure Contexts §3.1).
    pub fn is_mixed(&self) -> bool {
        let (host, _) = self.target();
        let is_here = host.parse::<IpAddr>().is_ok_and(|host| host.is_loopback());
        !self.is_tls && !is_here && host != "localhost"
    }

    /// Whether there is a certificate.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    fn target(&self) -> (&str, u16) {
        let port = self.host.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let host = match port {
            Some(_) => self.host.rsplit_once(':').map_or(&*self.host, |(host, _)| host),
            None => &*self.host,
        };
        (host.trim_matches(['[', ']']), port.unwrap_or(if self.is_tls { 443 } else { 80 }))
    }
}

/// A connection, and what has come over it so far.
pub struct Probe {
    line: Line,
    read: Vec<u8>,
}

enum Line {
    Plain(TcpStream),
    Tls(UnixStream, Child),
}

/// How an answer begins, and the rest of it.
pub struct Answer {
    /// RFC 9110 §15.
    pub status: u16,
    head: String,
    /// As much as has come; chunks are not put together.
    pub body: String,
}

impl Answer {
    /// The first header of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.trim().eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

impl Probe {
    /// Connects, and sends a request; without `verify`, whatever certificate there is.
    ///
    /// # Errors
    /// Of the network, of the operating system, or that there is no `openssl`.
    pub fn new(to: &Address, path: &str, headers: &str, verify: bool) -> io::Result<Probe> {
        let line = if to.is_tls { tls(to, verify)? } else { plain(to)? };
        let mut probe = Probe { line, read: Vec::new() };
        let request = format!(
            "GET {}{path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: sayso-doctor\r\n{headers}\r\n",
            to.base, to.host
        );
        probe.send(request.as_bytes())?;
        Ok(probe)
    }

    /// The port that this end has; none with TLS.
    pub fn port(&self) -> Option<u16> {
        match &self.line {
            Line::Plain(stream) => stream.local_addr().ok().map(|address| address.port()),
            Line::Tls(..) => None,
        }
    }

    /// Reads the answer; of one that begins a WebSocket, the head.
    ///
    /// # Errors
    /// Where none comes in time.
    pub fn answer(&mut self) -> io::Result<Answer> {
        let until = Instant::now() + PATIENCE;
        let mut answer = self.head(until)?;
        if answer.status == 101 {
            return Ok(answer);
        }
        let length = answer.header("content-length").and_then(|length| length.parse().ok());
        let length = length.unwrap_or(ANSWER_BYTES_MAX).min(ANSWER_BYTES_MAX);
        while self.read.len() < length && self.fill(until).is_ok_and(|more| more) {}
        answer.body = String::from_utf8_lossy(&self.read).into_owned();
        Ok(answer)
    }

    fn head(&mut self, until: Instant) -> io::Result<Answer> {
        loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.read.drain(..end + 4).collect();
                let head = String::from_utf8_lossy(&head).into_owned();
                let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
                let status = status.ok_or(io::ErrorKind::InvalidData)?;
                return Ok(Answer { status, head, body: String::new() });
            }
            if self.read.len() > ANSWER_BYTES_MAX || !self.fill(until)? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The next server frame of a WebSocket (RFC 6455 §5.2), its opcode and payload; `None` where the stream ends.
    ///
    /// # Errors
    /// Where none comes before `until`.
    pub fn frame(&mut self, until: Instant) -> io::Result<Option<(u8, Vec<u8>)>> {
        loop {
            if let [first, second, rest @ ..] = &*self.read {
                let (extra, length) = match (second, rest) {
                    (127, _) => return Err(io::ErrorKind::InvalidData.into()),
                    (126, [high, low, ..]) => (2, usize::from(u16::from_be_bytes([*high, *low]))),
                    (126, _) => (2, usize::MAX / 2),
                    (length, _) => (0, usize::from(*length)),
                };
                if let Some(payload) = rest.get(extra..extra + length) {
                    let frame = (first & 0x0f, payload.to_vec());
                    self.read.drain(..2 + extra + length);
                    return Ok(Some(frame));
                }
            }
            if !self.fill(until)? {
                return Ok(None);
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.line {
            Line::Plain(stream) => stream.write_all(bytes),
            Line::Tls(stream, _) => stream.write_all(bytes),
        }
    }

    /// Reads once; `false` at the end of the stream.
    fn fill(&mut self, until: Instant) -> io::Result<bool> {
        let left = until.saturating_duration_since(Instant::now());
        let wait = Some(left.max(Duration::from_millis(1)));
        let mut bytes = vec![0; 16 * 1024];
        let count = match &mut self.line {
            Line::Plain(stream) => {
                stream.set_read_timeout(wait)?;
                stream.read(&mut bytes)?
            }
            Line::Tls(stream, _) => {
                stream.set_read_timeout(wait)?;
                stream.read(&mut bytes)?
            }
        };
        self.read.extend_from_slice(&bytes[..count]);
        Ok(count > 0)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Line::Tls(_, child) = &mut self.line {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn plain(to: &Address) -> io::Result<Line> {
    let mut last = io::ErrorKind::NotFound.into();
    for address in to.target().to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(Line::Plain(stream)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn tls(to: &Address, verify: bool) -> io::Result<Line> {
    let (host, port) = to.target();
    // What can't be reached at all is told in the words of the operating system.
    drop(plain(to)?);
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
    Ok(Line::Tls(ours, child))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_parts_and_the_schemes_port() {
        let address = |url: &str| Address::of(url.to_owned());
        let long = address("https://a.example:8443/talk");
        assert_eq!((&*long.host, &*long.base), ("a.example:8443", "/talk"));
        assert_eq!((&*long.origin, long.target()), ("https://a.example:8443", ("a.example", 8443)));
        assert_eq!(address("https://a.example").target(), ("a.example", 443));
        assert_eq!(address("http://127.0.0.1").target(), ("127.0.0.1", 80));
        assert_eq!(address("http://[::1]:81/x").target(), ("::1", 81));
        assert_eq!(address("http://[::1]").target(), ("::1", 80));
    }
}
