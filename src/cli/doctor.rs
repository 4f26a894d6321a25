//! `sayso doctor URL`: examines a running server from outside, as a browser would, and reports what the proxies in between
//! do wrong.
//!
//! Changes nothing, posts nothing, and knows no more than anybody who has the address.

use std::{
    cell::Cell,
    fmt, io,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use crate::{
    cli::probe::{Address, Probe, ProbeResponse, RESPONSE_TIMEOUT},
    cli::stdout,
    error::Error,
    http::echo::{self, Echo},
    http::forwarded::Forwarded,
    util::json::{self, Slot},
};

/// An address reserved for documentation (RFC 5737 §3). A proxy that accepts it as the client's accepts any forged address.
const FORGED_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// An origin that no site can have (RFC 2606 §2).
const FOREIGN_ORIGIN: &str = "https://doctor.invalid";
/// The server sends its hello at once. If it takes longer than this, something in between buffers it.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// The server sends a ping every 25 s.
const PING_TIMEOUT: Duration = Duration::from_secs(35);

// Advice, printed after the problem.
const CERTIFICATE: &str =
    "it has expired, is for another name, or is from an authority that they do not trust";
const REACH: &str = "is the proxy running, and does the name point to this server?";
const UPSTREAM: &str = "is it running, and on the port that the proxy connects to?";
const PATH: &str = "does the proxy forward this path, and is it the same as --base-path?";
const HOST: &str =
    "sayso then refuses browsers that post; nginx: proxy_set_header Host $http_host;";
const TRUST: &str = "start sayso with --trust-proxy and the proxy's address";
const FORWARDED: &str = "let it append the address that it sees, \
    nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;";
const UPGRADE: &str = "let the proxy forward the upgrade, nginx: proxy_http_version 1.1; \
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";";
const BUFFERING: &str = "something in between buffers them; turn its buffering off";
const IDLE: &str =
    "sayso sends a ping every 25 s; let the proxy wait longer, nginx: proxy_read_timeout 75s;";
const MIXED_CONTENT: &str = "browsers block such requests; give it a certificate too";

/// Examines the server at `url` and, if `site` is given, whether that site can embed the comments. Prints one line per check.
///
/// # Errors
/// [`Error::Other`] with the number of problems if there are any; [`Error::Io`] if stdout can't be written.
pub fn examine(url: &str, site: Option<&str>) -> Result<(), Error> {
    let mut checkup = Checkup {
        server: Address::parse(url.to_owned()),
        verify: true,
        problems: Cell::new(0),
        print_error: Cell::new(None),
    };
    checkup.run(site);
    checkup.print_error.take().map_or(Ok(()), Err)?;
    match checkup.problems.get() {
        0 => Ok(()),
        1 => Err(Error::Other(format!("1 thing is wrong with {url}"))),
        n => Err(Error::Other(format!("{n} things are wrong with {url}"))),
    }
}

struct Checkup {
    server: Address,
    /// Whether to verify the certificate. Switched off once it has been reported as bad.
    verify: bool,
    problems: Cell<usize>,
    /// The last error of stdout. It does not end the checkup.
    print_error: Cell<Option<Error>>,
}

/// The outcome of a WebSocket handshake.
enum Handshake {
    Open(Probe),
    Refused(ProbeResponse),
    Failed(io::Error),
}

impl Checkup {
    fn run(&mut self, site: Option<&str>) {
        if !self.check_http() {
            return;
        }
        if self.check_websocket() {
            self.check_foreign_site();
        }
        if let Some(site) = site {
            self.check_site(site);
        }
    }

    #[inline(never)]
    fn report_ok(&self, finding: fmt::Arguments<'_>) {
        self.print(format_args!("ok     {finding}"));
    }

    #[inline(never)]
    fn report_problem(&self, problem: fmt::Arguments<'_>, advice: &str) {
        self.problems.set(self.problems.get() + 1);
        self.print(format_args!("WRONG  {problem}; {advice}"));
    }

    fn print(&self, line: fmt::Arguments<'_>) {
        if let Err(error) = stdout::line(line) {
            self.print_error.set(Some(error));
        }
    }

    /// Checks that sayso answers at the address and that the proxy forwards the right headers. Returns whether sayso answers.
    fn check_http(&mut self) -> bool {
        let headers = format!("X-Forwarded-For: {FORGED_ADDRESS}\r\nConnection: close\r\n");
        let request = |checkup: &Checkup| {
            let mut probe = Probe::get(&checkup.server, echo::PATH, &headers, checkup.verify)?;
            Ok((probe.local_port(), probe.read_response()?))
        };
        let mut result: io::Result<(Option<u16>, ProbeResponse)> = request(self);
        if result.as_ref().is_err_and(is_closed) && self.server.is_tls() {
            self.verify = false;
            result = request(self);
            if result.is_ok() {
                self.report_problem(format_args!("browsers refuse this certificate"), CERTIFICATE);
            }
        }
        let (port, response) = match result {
            Ok(result) => result,
            Err(error) => {
                let (url, why) = (&self.server.url, describe(&error));
                self.report_problem(format_args!("{url} can't be reached: {why}"), REACH);
                return false;
            }
        };
        let Some(seen) =
            object(&response.body).and_then(Echo::parse).filter(|_| response.status == 200)
        else {
            self.report_other_server(&response);
            return false;
        };
        self.report_ok(format_args!("sayso {} answers at {}", seen.sayso, self.server.url));
        let (host, expected) = (&*seen.host, &*self.server.host);
        if host.eq_ignore_ascii_case(expected) {
            self.report_ok(format_args!("the Host header arrives unchanged: {host}"));
        } else {
            let problem = format_args!("the proxy sends Host: {host} instead of {expected}");
            self.report_problem(problem, HOST);
        }
        if seen.client == Some(FORGED_ADDRESS) && seen.named != 1 {
            // Doctor's own address is trusted as well, for example because it runs on the proxy's machine.
            self.report_ok(format_args!(
                "the proxy appends the address it sees, here one that sayso trusts"
            ));
        } else {
            self.check_forwarded(port, &seen);
        }
        true
    }

    /// Reports a response that does not come from sayso.
    fn report_other_server(&self, response: &ProbeResponse) {
        let status = response.status;
        let url = &self.server.url;
        match status {
            502..=504 => {
                let problem = format_args!("the proxy answers {status}: it can't reach sayso");
                self.report_problem(problem, UPSTREAM);
            }
            300..=399 => {
                let location = response.header("location").unwrap_or_default();
                let problem = format_args!("{url} redirects to {location}");
                self.report_problem(problem, "run sayso doctor with that address");
            }
            _ => {
                let problem = format_args!("another server than sayso answers at {url} ({status})");
                self.report_problem(problem, PATH);
            }
        }
    }

    /// Checks whose address sayso takes the request to come from. `port` is the port that it was sent from.
    fn check_forwarded(&self, port: Option<u16>, seen: &Echo) {
        match (seen.forwarded, seen.client) {
            _ if port == Some(seen.port) => {
                self.report_ok(format_args!("there is no proxy in between"));
            }
            (Forwarded::Believed, Some(FORGED_ADDRESS)) => {
                let problem =
                    "the proxy forwards X-Forwarded-For unchanged, so clients can forge addresses";
                self.report_problem(format_args!("{problem}"), FORWARDED);
            }
            (Forwarded::Believed, Some(client)) => {
                self.report_ok(format_args!("the proxy forwards the client's address: {client}"));
            }
            (Forwarded::Ignored, _) => {
                let problem = "the proxy forwards the client's address, but sayso does not trust the proxy, \
                               so all readers count as one";
                self.report_problem(format_args!("{problem}"), TRUST);
            }
            _ => {
                let problem =
                    "the proxy does not forward the client's address, so all readers count as one";
                self.report_problem(format_args!("{problem}"), FORWARDED);
            }
        }
    }

    /// Checks that a WebSocket connects, gets messages without delay, and stays open while idle. Returns whether it connects.
    fn check_websocket(&self) -> bool {
        let mut probe = match self.open_websocket(&self.server.origin) {
            Handshake::Open(probe) => probe,
            Handshake::Refused(response) => {
                self.report_refused_websocket(&response);
                return false;
            }
            Handshake::Failed(error) => {
                let why = describe(&error);
                let problem = format_args!("the WebSocket handshake got no response: {why}");
                self.report_problem(problem, UPGRADE);
                return false;
            }
        };
        let started = Instant::now();
        match probe.read_frame(started + HELLO_TIMEOUT) {
            Ok(Some((1, text))) if text.starts_with(b"{\"hello\"") => {
                self.report_ok(format_args!("a WebSocket connects"));
            }
            _ => {
                let problem = "a WebSocket connects, but messages from sayso arrive late or never";
                self.report_problem(format_args!("{problem}"), BUFFERING);
                return true;
            }
        }
        let seconds = PING_TIMEOUT.as_secs();
        self.print(format_args!("       waiting up to {seconds} s for a ping"));
        let is_ping = |frame: &(u8, Vec<u8>)| frame.0 == 9;
        loop {
            match probe.read_frame(started + PING_TIMEOUT) {
                Ok(Some(frame)) if is_ping(&frame) => {
                    self.report_ok(format_args!("an idle WebSocket stays open"));
                    return true;
                }
                Ok(Some((1, _))) => {}
                Err(error) if is_timeout(&error) => {
                    let problem =
                        "an idle WebSocket stays open, but pings from sayso do not arrive";
                    self.report_problem(format_args!("{problem}"), BUFFERING);
                    return true;
                }
                _ => {
                    let seconds = started.elapsed().as_secs();
                    let problem = format_args!("an idle WebSocket was closed after {seconds} s");
                    self.report_problem(problem, IDLE);
                    return true;
                }
            }
        }
    }

    fn report_refused_websocket(&self, response: &ProbeResponse) {
        let status = response.status;
        let error = refusal(response);
        match status {
            403 => {
                let problem = format_args!("sayso refuses browsers on its own page: {error}");
                self.report_problem(problem, "see Host above");
            }
            400 | 426 => {
                let problem = "no WebSocket connects, so pages poll every few seconds instead";
                self.report_problem(format_args!("{problem} ({error})"), UPGRADE);
            }
            _ => {
                let problem = format_args!("no WebSocket connects: {status} {error}");
                self.report_problem(problem, UPGRADE);
            }
        }
    }

    /// Checks that sayso refuses scripts of a site that is not allowed.
    fn check_foreign_site(&self) {
        match self.open_websocket(FOREIGN_ORIGIN) {
            Handshake::Open(_) => {
                let problem = format_args!(
                    "scripts of {FOREIGN_ORIGIN} can post in the name of its visitors"
                );
                let advice =
                    "the proxy removes or changes the Origin header; let it forward Origin";
                self.report_problem(problem, advice);
            }
            _ => self.report_ok(format_args!("other sites are refused")),
        }
    }

    /// Checks that `site` can embed the comments.
    fn check_site(&self, site: &str) {
        if site.starts_with("https:") && self.server.is_mixed_content() {
            let url = &self.server.url;
            let problem = format_args!("{site} is https and {url} is not (mixed content)");
            self.report_problem(problem, MIXED_CONTENT);
        }
        if let Handshake::Refused(response) = self.open_websocket(site)
            && response.status == 403
        {
            let error = refusal(&response);
            self.report_problem(format_args!("{site} can't embed the comments"), &error);
            return;
        }
        let headers = format!("Origin: {site}\r\nConnection: close\r\n");
        let probe = Probe::get(&self.server, "/api/comments?limit=1", &headers, self.verify);
        match probe.and_then(|mut probe| probe.read_response()) {
            Ok(response) if response.header("access-control-allow-origin") == Some(site) => {
                self.report_ok(format_args!("{site} can embed the comments"));
            }
            _ => self.report_problem(
                format_args!("{site} gets no Access-Control-Allow-Origin header with its origin"),
                "something in between removes or caches that header; let it forward the header",
            ),
        }
    }

    fn open_websocket(&self, origin: &str) -> Handshake {
        let headers = format!(
            "Origin: {origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: c2F5c28gZG9jdG9yIDEyMw==\r\nSec-WebSocket-Protocol: sayso.1\r\n"
        );
        let probe = Probe::get(&self.server, "/ws/comments/", &headers, self.verify);
        match probe.and_then(|mut probe| Ok((probe.read_response()?, probe))) {
            Ok((response, probe)) if response.status == 101 => Handshake::Open(probe),
            Ok((response, _)) => Handshake::Refused(response),
            Err(error) => Handshake::Failed(error),
        }
    }
}

/// The JSON object in a body, whatever of chunks is around it.
fn object(body: &str) -> Option<&str> {
    let (start, end) = (body.find('{')?, body.rfind('}')?);
    body.get(start..=end)
}

/// Why something was refused, or nothing if sayso did not say it.
fn refusal(response: &ProbeResponse) -> String {
    let mut error = String::new();
    let json = object(&response.body).unwrap_or_default();
    let _ = json::read(json.as_bytes(), 0, &mut [("error", Slot::Text(&mut error))]);
    error
}

/// Whether the other side closed the connection. With TLS that is how openssl rejects a certificate.
fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        _ if is_closed(error) => "the connection was closed".into(),
        _ if is_timeout(error) => format!("no answer within {} s", RESPONSE_TIMEOUT.as_secs()),
        io::ErrorKind::InvalidData => "the answer is not HTTP".into(),
        _ => error.to_string(),
    }
}
