//! `sayso doctor URL`: asks the server from outside, as a browser would, and says in words what is wrong with the way there.
//!
//! Changes nothing, posts nothing, and knows no more than anybody who has the address.

use std::{
    cell::Cell,
    fmt, io,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    cli::probe::{Address, Answer, Call},
    cli::stdout,
    error::Error,
    http::echo::{self, Echo},
    http::forwarded::Forwarded,
};

/// An address that nobody has (RFC 5737 §3): who believes that it is ours would believe anything.
const FORGED: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// An origin that nobody can have (RFC 2606 §2).
const STRANGER: &str = "https://doctor.invalid";
/// What is sent at once comes within this, unless something keeps it back.
const HELLO_WAIT: Duration = Duration::from_secs(5);
/// sayso says something every 25 s.
const QUIET_WAIT: Duration = Duration::from_secs(35);

// What to do.
const CERTIFICATE: &str = "it is out of date, for another name, or from nobody they know";
const REACH: &str = "is the proxy running, and is the name this server's?";
const UPSTREAM: &str = "is it running, and on the port that the proxy asks?";
const PATH: &str = "does the proxy pass on this path, and is it the same as --base-path?";
const HOST: &str =
    "so browsers that write look like strangers; nginx: proxy_set_header Host $http_host;";
const TRUST: &str = "start sayso with --trust-proxy and the proxy's address";
const FORWARDED: &str = "let it add the address that it sees, \
    nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;";
const UPGRADE: &str = "let the proxy pass on the upgrade, nginx: proxy_http_version 1.1; \
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";";
const BUFFERING: &str = "something in between keeps it back; switch its buffering off";
const QUIET: &str =
    "sayso speaks every 25 s; let the proxy wait longer, nginx: proxy_read_timeout 75s;";
const MIXED: &str = "browsers load nothing from it there; give it a certificate too";

/// Prints a line for each thing that was looked at.
///
/// # Errors
/// [`Error::Other`] with the number of things that are wrong.
pub fn examine(url: &str, site: Option<&str>) -> Result<(), Error> {
    let (to, wrong, unsaid) = (Address::of(url.to_owned()), Cell::new(0), Cell::new(None));
    let mut visit = Visit { to, verify: true, wrong, unsaid };
    visit.look(site);
    visit.unsaid.take().map_or(Ok(()), Err)?;
    match visit.wrong.get() {
        0 => Ok(()),
        1 => Err(Error::Other(format!("1 thing is wrong with {url}"))),
        n => Err(Error::Other(format!("{n} things are wrong with {url}"))),
    }
}

struct Visit {
    to: Address,
    /// The certificate is good.
    verify: bool,
    wrong: Cell<usize>,
    unsaid: Cell<Option<Error>>,
}

/// How a WebSocket began.
enum Begun {
    Open(Call),
    Refused(Answer),
    Failed(io::Error),
}

impl Visit {
    fn look(&mut self, site: Option<&str>) {
        if !self.reach() {
            return;
        }
        if self.connect() {
            self.strangers();
        }
        if let Some(site) = site {
            self.site(site);
        }
    }

    fn good(&self, what: fmt::Arguments<'_>) {
        self.say(format_args!("ok     {what}"));
    }

    /// And what to do about it.
    fn bad(&self, what: fmt::Arguments<'_>, advice: &str) {
        self.wrong.set(self.wrong.get() + 1);
        self.say(format_args!("WRONG  {what}; {advice}"));
    }

    /// What could not be said is an error in the end; what was to be looked at is looked at.
    fn say(&self, line: fmt::Arguments<'_>) {
        if let Err(error) = stdout::line(line) {
            self.unsaid.set(Some(error));
        }
    }

    /// The address leads to sayso, and what the proxy tells it is right.
    fn reach(&mut self) -> bool {
        let headers = format!("X-Forwarded-For: {FORGED}\r\nConnection: close\r\n");
        let ask = |visit: &Visit| {
            let mut call = Call::new(&visit.to, echo::PATH, &headers, visit.verify)?;
            Ok((call.port(), call.answer()?))
        };
        let mut asked: io::Result<(Option<u16>, Answer)> = ask(self);
        if asked.as_ref().is_err_and(hangs_up) && self.to.is_tls() {
            self.verify = false;
            asked = ask(self);
            if asked.is_ok() {
                self.bad(format_args!("browsers refuse this certificate"), CERTIFICATE);
            }
        }
        let (port, answer) = match asked {
            Ok(asked) => asked,
            Err(error) => {
                let (url, why) = (&self.to.url, words(&error));
                self.bad(format_args!("{url} can't be reached: {why}"), REACH);
                return false;
            }
        };
        let Some(told) = object::<Echo>(&answer.body).filter(|_| answer.status == 200) else {
            self.somebody_else(&answer);
            return false;
        };
        self.good(format_args!("sayso {} answers at {}", told.sayso, self.to.url));
        let (host, wanted) = (&*told.host, &*self.to.host);
        if host.eq_ignore_ascii_case(wanted) {
            self.good(format_args!("Host comes through: {host}"));
        } else {
            self.bad(format_args!("the proxy says Host: {host} instead of {wanted}"), HOST);
        }
        if told.client == Some(FORGED) && told.named != 1 {
            // Who asks is trusted too, as everybody on the proxy's own machine is.
            self.good(format_args!("the proxy adds whom it sees, here one whom sayso trusts"));
        } else {
            self.forwarded(port, &told);
        }
        true
    }

    fn somebody_else(&self, answer: &Answer) {
        let status = answer.status;
        let url = &self.to.url;
        match status {
            502..=504 => {
                self.bad(format_args!("the proxy answers {status}: it finds no sayso"), UPSTREAM)
            }
            300..=399 => {
                let place = answer.header("location").unwrap_or_default();
                self.bad(format_args!("{url} leads on to {place}"), "examine that");
            }
            _ => {
                self.bad(format_args!("somebody answers at {url} ({status}), but not sayso"), PATH)
            }
        }
    }

    fn forwarded(&self, port: Option<u16>, told: &Echo) {
        match (told.forwarded, told.client) {
            _ if port == Some(told.port) => {
                self.good(format_args!("there is no proxy in between"));
            }
            (Forwarded::Believed, Some(FORGED)) => {
                let what =
                    "the proxy passes on X-Forwarded-For as it comes, so anybody can be anybody";
                self.bad(format_args!("{what}"), FORWARDED);
            }
            (Forwarded::Believed, Some(client)) => {
                self.good(format_args!("the proxy says who asks: {client}"));
            }
            (Forwarded::Ignored, _) => {
                let what = "the proxy says who asks, but sayso does not trust it, so all readers count as one";
                self.bad(format_args!("{what}"), TRUST);
            }
            _ => {
                let what = "the proxy does not say who asks, so all readers count as one";
                self.bad(format_args!("{what}"), FORWARDED);
            }
        }
    }

    /// A WebSocket gets through, and stays.
    fn connect(&self) -> bool {
        let mut call = match self.begin(&self.to.origin) {
            Begun::Open(call) => call,
            Begun::Refused(answer) => {
                self.no_websocket(&answer);
                return false;
            }
            Begun::Failed(error) => {
                self.bad(format_args!("no answer to a WebSocket: {}", words(&error)), UPGRADE);
                return false;
            }
        };
        let started = Instant::now();
        match call.frame(started + HELLO_WAIT) {
            Ok(Some((1, text))) if text.starts_with(b"{\"hello\"") => {
                self.good(format_args!("a WebSocket gets through"));
            }
            _ => {
                let what = "a WebSocket gets through, but what sayso says comes late or never";
                self.bad(format_args!("{what}"), BUFFERING);
                return true;
            }
        }
        let seconds = QUIET_WAIT.as_secs();
        self.say(format_args!("       waiting up to {seconds} s for what a quiet page hears"));
        let is_ping = |frame: &(u8, Vec<u8>)| frame.0 == 9;
        loop {
            match call.frame(started + QUIET_WAIT) {
                Ok(Some(frame)) if is_ping(&frame) => {
                    self.good(format_args!("a quiet WebSocket stays open"));
                    return true;
                }
                Ok(Some((1, _))) => {}
                Err(error)
                    if [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut]
                        .contains(&error.kind()) =>
                {
                    let what = "a quiet WebSocket stays open, but what sayso says every 25 s does not come";
                    self.bad(format_args!("{what}"), BUFFERING);
                    return true;
                }
                _ => {
                    let seconds = started.elapsed().as_secs();
                    self.bad(format_args!("a quiet WebSocket was closed after {seconds} s"), QUIET);
                    return true;
                }
            }
        }
    }

    fn no_websocket(&self, answer: &Answer) {
        let status = answer.status;
        let said = refusal(answer);
        match status {
            403 => {
                let what = "browsers are turned away from their own page";
                self.bad(format_args!("{what}: {said}"), "see Host above");
            }
            400 | 426 => {
                let what = "no WebSocket gets through, so pages ask every few seconds instead";
                self.bad(format_args!("{what} ({said})"), UPGRADE);
            }
            _ => self.bad(format_args!("no WebSocket gets through: {status} {said}"), UPGRADE),
        }
    }

    /// Other sites' scripts are kept out.
    fn strangers(&self) {
        match self.begin(STRANGER) {
            Begun::Open(_) => {
                let what = format_args!("a page of {STRANGER} may write as its readers");
                self.bad(what, "the proxy removes or changes Origin; let it pass it on");
            }
            _ => self.good(format_args!("other sites are kept out")),
        }
    }

    /// The site that embeds the comments is let in.
    fn site(&self, site: &str) {
        if site.starts_with("https:") && self.to.is_mixed() {
            let url = &self.to.url;
            self.bad(format_args!("{site} is https and {url} is not (mixed content)"), MIXED);
        }
        if let Begun::Refused(answer) = self.begin(site)
            && answer.status == 403
        {
            self.bad(format_args!("{site} can't embed the comments"), &refusal(&answer));
            return;
        }
        let headers = format!("Origin: {site}\r\nConnection: close\r\n");
        let asked = Call::new(&self.to, "/api/comments?limit=1", &headers, self.verify);
        match asked.and_then(|mut call| call.answer()) {
            Ok(answer) if answer.header("access-control-allow-origin") == Some(site) => {
                self.good(format_args!("{site} can embed the comments"));
            }
            _ => self.bad(
                format_args!("{site} gets no Access-Control-Allow-Origin for itself"),
                "something in between removes or keeps it; let it pass it on",
            ),
        }
    }

    fn begin(&self, origin: &str) -> Begun {
        let headers = format!(
            "Origin: {origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: c2F5c28gZG9jdG9yIDEyMw==\r\nSec-WebSocket-Protocol: sayso.1\r\n"
        );
        let begun = Call::new(&self.to, "/ws/comments/", &headers, self.verify);
        match begun.and_then(|mut call| Ok((call.answer()?, call))) {
            Ok((answer, call)) if answer.status == 101 => Begun::Open(call),
            Ok((answer, _)) => Begun::Refused(answer),
            Err(error) => Begun::Failed(error),
        }
    }
}

/// The JSON object in a body, whatever of chunks is around it.
fn object<T: DeserializeOwned>(body: &str) -> Option<T> {
    let (start, end) = (body.find('{')?, body.rfind('}')?);
    serde_json::from_str(body.get(start..=end)?).ok()
}

/// Why something was refused, or nothing if sayso did not say it.
fn refusal(answer: &Answer) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    object::<Refusal>(&answer.body).map_or(String::new(), |refusal| refusal.error)
}

/// Somebody was there, and went: with TLS, openssl has not liked the certificate.
fn hangs_up(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

fn words(error: &io::Error) -> String {
    match error.kind() {
        _ if hangs_up(error) => "it hangs up".into(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "nothing came in time".into(),
        io::ErrorKind::InvalidData => "what comes is no HTTP".into(),
        _ => error.to_string(),
    }
}
