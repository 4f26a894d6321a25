//! Readers as the widget is one, all in one thread: each follows a node, comes back to another one with its cursor when the node goes,
//! catches up over HTTP where the socket can't, and loads anew only when a cursor is no longer good. What a reader is sent must come
//! once, with rising `seq`.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    mem,
    net::{SocketAddr, TcpStream},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;
use tungstenite::{Error, Message, WebSocket, protocol::Role};

use super::nodes::{Addresses, DEADLINE, LOOK_INTERVAL, ask, connect, sent, until};
use crate::support::frames::{SUBPROTOCOL, UPGRADE};

/// What a reader has of a line: its `seq`, and a hash of its text.
type Seen = (u64, u64);

/// What a line is seen as.
fn seen(line: &str) -> Seen {
    let seq = seq_of(line).unwrap_or_else(|| panic!("not a line: {line}"));
    let mut hasher = DefaultHasher::new();
    line.hash(&mut hasher);
    (seq, hasher.finish())
}

/// The `seq` of a line, with which each begins; `None` if this is another message. Hundreds of readers share a thread, so nothing else of it
/// is parsed.
fn seq_of(text: &str) -> Option<u64> {
    let rest = text.strip_prefix("{\"seq\":")?;
    let (seq, rest) = rest.split_once(',')?;
    rest.starts_with("\"id\":").then(|| seq.parse().ok())?
}

/// How readers came back.
#[derive(Debug, Clone, Default)]
pub struct Returns {
    /// With their cursor, on the socket.
    pub resumed: usize,
    /// With their cursor, over HTTP.
    pub caught_up: usize,
    /// With nothing, since their cursor was no longer good.
    pub reloaded: usize,
}

/// Readers of the page `/`.
pub struct Crowd {
    thread: JoinHandle<(Vec<Vec<Seen>>, Returns)>,
    /// How many lines each is to have before it leaves; known only at the end.
    wanted: Arc<AtomicUsize>,
    /// How many lines each has that is connected; less if one is not.
    had: Arc<AtomicUsize>,
}

impl Crowd {
    /// So many readers, on all nodes alike; returns once each has been told where it begins.
    pub fn join(addresses: &Addresses, count: usize) -> Crowd {
        let wanted = Arc::new(AtomicUsize::new(usize::MAX));
        let had = Arc::new(AtomicUsize::new(0));
        let (nodes, shared) = (addresses.clone(), (wanted.clone(), had.clone()));
        let number = nodes.lock().unwrap().len();
        let mut readers: Vec<Reader> = (0..count).map(|n| Reader::new(n, n % number)).collect();
        let mut returns = Returns::default();
        for reader in &mut readers {
            // A read with a timeout is interrupted where the test itself was stopped and goes on.
            while let Err(error) = reader.come(&nodes, &mut returns) {
                assert_eq!(
                    error.kind(),
                    io::ErrorKind::Interrupted,
                    "all nodes are there: {error}"
                );
            }
        }
        let thread = thread::spawn(move || follow(readers, &nodes, &shared, returns));
        Crowd { thread, wanted, had }
    }

    /// Waits until each reader is connected and has so many lines.
    #[track_caller]
    pub fn wait_for(&self, lines: usize) {
        let has_all = || (self.had.load(Relaxed) >= lines).then_some(());
        until(has_all, || format!("a reader has {} of {lines} lines", self.had.load(Relaxed)));
    }

    /// Lets every reader receive these lines of the log, and checks that each has had them all, once and in their order.
    #[track_caller]
    pub fn leave(self, lines: &[String]) -> Returns {
        self.wanted.store(lines.len(), Relaxed);
        let (readers, returns) = self.thread.join().expect("the readers are content");
        let expected: Vec<Seen> = lines.iter().map(|line| seen(&sent(line))).collect();
        for (at, had) in readers.iter().enumerate() {
            let (count, all) = (had.len(), expected.len());
            assert!(*had == expected, "reader {at} has {count} lines of {all}; {returns:?}");
        }
        returns
    }
}

struct Reader {
    number: usize,
    node: usize,
    socket: Option<WebSocket<TcpStream>>,
    log: String,
    mark: String,
    since: u64,
    /// Up to which `seq` lines have come over HTTP.
    caught_up_to: u64,
    lines: Vec<Seen>,
}

fn follow(
    mut readers: Vec<Reader>,
    nodes: &Addresses,
    (wanted, had): &(Arc<AtomicUsize>, Arc<AtomicUsize>),
    mut returns: Returns,
) -> (Vec<Vec<Seen>>, Returns) {
    let mut progress = Instant::now();
    let interval = Timespec::try_from(LOOK_INTERVAL).unwrap();
    loop {
        let lines = |readers: &[Reader]| readers.iter().map(|reader| reader.lines.len()).sum();
        let before: usize = lines(&readers);
        let mut ready: Vec<bool> = Vec::new();
        {
            let sockets: Vec<_> = readers.iter().filter_map(|r| r.socket.as_ref()).collect();
            let mut fds: Vec<PollFd> = sockets
                .iter()
                .map(|s| PollFd::from_borrowed_fd(s.get_ref().as_fd(), PollFlags::IN))
                .collect();
            let _ = poll(&mut fds, Some(&interval));
            ready.extend(fds.iter().map(|fd| !fd.revents().is_empty()));
        }
        let mut ready = ready.into_iter();
        for reader in &mut readers {
            if reader.socket.is_some() {
                if ready.next() == Some(true) {
                    reader.read(nodes, &mut returns);
                }
            } else if reader.come(nodes, &mut returns).is_err() {
                reader.node += 1;
            }
        }
        if lines(&readers) != before || wanted.load(Relaxed) == usize::MAX {
            progress = Instant::now();
        }
        let has = |reader: &Reader| reader.socket.as_ref().map_or(0, |_| reader.lines.len());
        had.store(readers.iter().map(has).min().unwrap(), Relaxed);
        let wanted = wanted.load(Relaxed);
        if readers.iter().all(|reader| reader.lines.len() >= wanted) {
            return (readers.into_iter().map(|reader| reader.lines).collect(), returns);
        }
        let fewest = readers.iter().min_by_key(|reader| reader.lines.len()).unwrap();
        let (has, since, node) = (fewest.lines.len(), fewest.since, fewest.node);
        assert!(
            progress.elapsed() < DEADLINE,
            "a reader of node {node} has {has} of {wanted} lines, up to {since}"
        );
    }
}

impl Reader {
    fn new(number: usize, node: usize) -> Reader {
        let (log, mark) = (String::new(), String::new());
        Reader {
            number,
            node,
            socket: None,
            log,
            mark,
            since: 0,
            caught_up_to: 0,
            lines: Vec::new(),
        }
    }

    fn address(&self, nodes: &Addresses) -> io::Result<SocketAddr> {
        let nodes = nodes.lock().unwrap();
        nodes[self.node % nodes.len()].ok_or(io::ErrorKind::ConnectionRefused.into())
    }

    /// Connects, for the first time or again.
    fn come(&mut self, nodes: &Addresses, returns: &mut Returns) -> io::Result<()> {
        let address = self.address(nodes)?;
        let cursor = match &*self.log {
            "" => String::new(),
            log => format!("&since={}&log={log}&mark={}", self.since, self.mark),
        };
        let mut socket = open(address, &format!("/ws/comments/?page=/{cursor}"))?;
        let hello = hello(&mut socket)?;
        let text =
            |name: &str| hello[name].as_str().unwrap_or_else(|| panic!("{hello}")).to_owned();
        match hello["resumed"].as_bool() {
            // It has come before there was anything.
            None => (self.log, self.mark) = (text("log"), text("mark")),
            Some(true) => {
                self.mark = text("mark");
                returns.resumed += 1;
            }
            Some(false) => self.catch_up(address, returns)?,
        }
        socket.get_ref().set_nonblocking(true)?;
        self.socket = Some(socket);
        // What has come with the hello is in the socket's buffer, of which poll knows nothing.
        self.read(nodes, returns);
        Ok(())
    }

    /// Gets what is missing over HTTP; all of it, if the cursor is no longer good.
    fn catch_up(&mut self, address: SocketAddr, returns: &mut Returns) -> io::Result<()> {
        let mut is_new = false;
        loop {
            let proof = match is_new {
                true => String::new(),
                false => format!("&log={}&mark={}", self.log, self.mark),
            };
            let target = format!("/api/comments?page=/&since={}{proof}&limit=200", self.since);
            let (status, body) = ask(address, "GET", &target, "", "")?;
            if status == 409 && !is_new {
                is_new = true;
                (self.since, self.lines) = (0, Vec::new());
                continue;
            }
            if status != 200 {
                return Err(io::Error::other(format!("{status} {body}")));
            }
            let history: Value = serde_json::from_str(&body).map_err(io::Error::other)?;
            let text = |name: &str| history[name].as_str().unwrap_or_else(|| panic!("{body}"));
            (self.log, self.mark) = (text("log").into(), text("mark").into());
            // As they were sent: the order of fields is kept.
            let lines: Vec<Box<serde_json::value::RawValue>> =
                serde_json::from_str::<Lines>(&body)?.comments;
            for line in lines {
                self.take(seen(line.get()));
            }
            if history["more"] == false {
                self.since = self.since.max(history["seq"].as_u64().unwrap());
                self.caught_up_to = self.since;
                *(if is_new { &mut returns.reloaded } else { &mut returns.caught_up }) += 1;
                return Ok(());
            }
        }
    }

    /// Takes all that has come.
    fn read(&mut self, nodes: &Addresses, returns: &mut Returns) {
        loop {
            let Some(socket) = &mut self.socket else { return };
            let text = match socket.read() {
                Ok(Message::Text(text)) => text,
                Ok(Message::Ping(_) | Message::Pong(_)) => continue,
                Ok(Message::Close(_)) => continue,
                Ok(other) => panic!("not a text: {other:?}"),
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.socket = None;
                    // Not all to the same one.
                    self.node += 1 + self.number % 2;
                    return;
                }
            };
            if seq_of(&text).is_some() {
                let line = seen(&text);
                match line.0 > self.caught_up_to {
                    true => self.take(line),
                    // It came live, too, while it was caught up with over HTTP.
                    false => {
                        assert!(self.lines.contains(&line), "{text} is missing in the history")
                    }
                }
                continue;
            }
            let message: Value = serde_json::from_str(&text).unwrap();
            if let Some(mark) = message["mark"].as_str() {
                self.mark = mark.to_owned();
            } else if let Some(seq) = message["seq"].as_u64()
                && seq > self.since
            {
                // The server says that something is missing; the reader comes back with its cursor, and the count is checked at the end.
                let address = self.address(nodes);
                if address.and_then(|address| self.catch_up(address, returns)).is_err() {
                    self.socket = None;
                }
            }
        }
    }

    fn take(&mut self, line: Seen) {
        let last = self.lines.last().map_or(0, |line| line.0);
        assert!(
            line.0 > last,
            "seq {} comes behind {last} at a reader of node {}",
            line.0,
            self.node
        );
        self.since = self.since.max(line.0);
        self.lines.push(line);
    }
}

#[derive(serde::Deserialize)]
struct Lines {
    comments: Vec<Box<serde_json::value::RawValue>>,
}

/// Opens a WebSocket to a node that may go at any moment.
pub fn open(address: SocketAddr, target: &str) -> io::Result<WebSocket<TcpStream>> {
    let mut stream = connect(address)?;
    let head = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n{UPGRADE}{SUBPROTOCOL}\r\n");
    stream.write_all(head.as_bytes())?;
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        let mut chunk = [0; 1024];
        match io::Read::read(&mut stream, &mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    };
    if !bytes.starts_with(b"HTTP/1.1 101") {
        return Err(io::Error::other(String::from_utf8_lossy(&bytes).into_owned()));
    }
    let rest = mem::take(&mut bytes).split_off(end);
    Ok(WebSocket::from_partially_read(stream, rest, Role::Client, None))
}

/// What a new socket is told first.
pub fn hello(socket: &mut WebSocket<TcpStream>) -> io::Result<Value> {
    loop {
        match socket.read().map_err(io::Error::other)? {
            Message::Text(text) => {
                let message: Value = serde_json::from_str(&text).map_err(io::Error::other)?;
                return Ok(message["hello"].clone());
            }
            Message::Ping(_) | Message::Pong(_) => {}
            other => return Err(io::Error::other(format!("{other:?}"))),
        }
    }
}
