//! Nodes of one conversation, each with a folder of its own; where they listen at present; and what their logs must have in common.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    client::{Response, TOKEN},
    server::{Builder, Server, Signal},
};

/// The longest wait for anything that nodes do by themselves: far above what it takes, since timings decide nothing.
pub const DEADLINE: Duration = Duration::from_secs(90);
/// How often it is asked whether something has become so.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// How long a client waits for an answer before it asks another node, as the widget does.
pub const PATIENCE: Duration = Duration::from_secs(4);

/// Where each node listens at present; `None` while it doesn't run.
pub type Addresses = Arc<Mutex<Vec<Option<SocketAddr>>>>;

/// Nodes with one Redis.
pub struct Cluster {
    pub nodes: Vec<Server>,
    pub addresses: Addresses,
}

impl Cluster {
    /// Starts so many nodes without a log.
    pub fn start(url: &str, count: usize) -> Cluster {
        Cluster::of((0..count).map(|_| node(url)).map(Builder::start).collect())
    }

    pub fn of(nodes: Vec<Server>) -> Cluster {
        let addresses = nodes.iter().map(|node| Some(node.address)).collect();
        Cluster { nodes, addresses: Arc::new(Mutex::new(addresses)) }
    }

    /// As `kill -9`.
    pub fn kill(&mut self, node: usize) {
        self.addresses.lock().unwrap()[node] = None;
        self.nodes[node].kill();
    }

    /// As `systemctl stop`.
    pub fn stop(&mut self, node: usize) {
        self.addresses.lock().unwrap()[node] = None;
        self.nodes[node].stop();
    }

    pub fn restart(&mut self, node: usize) {
        self.nodes[node].restart();
        self.addresses.lock().unwrap()[node] = Some(self.nodes[node].address);
    }

    /// Lets a node or Redis stand still for ten seconds, which is the only thing here that takes its time.
    pub fn stand_still(signal: impl Fn(Signal)) {
        signal(Signal::STOP);
        thread::sleep(Duration::from_secs(10));
        signal(Signal::CONT);
    }

    /// Waits until all nodes have the same lines, of which each of these nonces has one, and returns them.
    #[track_caller]
    pub fn agree(&self) -> Vec<String> {
        let logs = until(
            || {
                let logs = self.logs();
                logs.windows(2).all(|pair| pair[0].len() == pair[1].len()).then_some(logs)
            },
            || {
                format!(
                    "the logs have {:?} lines",
                    self.logs().iter().map(Vec::len).collect::<Vec<_>>()
                )
            },
        );
        for (at, log) in logs.iter().enumerate().skip(1) {
            for (here, first) in log.iter().zip(&logs[0]) {
                assert_eq!(here, first, "node {at} has another line than node 0");
            }
        }
        for node in &self.nodes {
            node.check();
        }
        logs.into_iter().next().unwrap()
    }

    /// Compacts each node's log, and checks that the newest line of each key is the same on all nodes, as it was before.
    #[track_caller]
    pub fn agree_after_compaction(&self) {
        let before = newest(&self.logs()[0]);
        for node in &self.nodes {
            // It is refused for as long as the stream may need lines of this log.
            let run = || node.run(&["compact"]);
            until(|| run().status.success().then_some(()), || format!("{:?}", run()));
        }
        for (at, log) in self.logs().iter().enumerate() {
            for (key, line) in newest(log) {
                assert_eq!(before.get(&key), Some(&line), "node {at}, {key}");
            }
        }
        let keys: Vec<Vec<String>> =
            self.logs().iter().map(|log| newest(log).into_keys().collect()).collect();
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]), "{keys:?}");
    }

    pub fn logs(&self) -> Vec<Vec<String>> {
        self.nodes.iter().map(|node| lines(&node.log_text())).collect()
    }
}

/// Checks that a post was refused without a word that is only its owner's business, and that the owner is told.
#[track_caller]
pub fn check_refusal(node: &Server, refused: &Response, why: &str) {
    assert_eq!((refused.status, &refused.json()["code"]), (503, &json!("stream_unavailable")));
    assert_eq!(refused.error(), "nothing can be stored at the moment, try again");
    until(|| node.stderr().contains(why).then_some(()), || node.stderr());
}

/// How a node is started: with moderators, and with what it says in a file.
pub fn node(url: &str) -> Builder {
    Server::builder().shell("").moderator(TOKEN).env("SAYSO_REDIS", url)
}

/// The complete lines of a log behind its header, without what is each node's own: `more` and `crc`.
pub fn lines(log: &str) -> Vec<String> {
    let complete = log.rsplit_once('\n').map_or("", |(complete, _)| complete);
    let own = |line: &str| {
        let (line, _) = line.rsplit_once(",\"crc\":").unwrap_or_else(|| panic!("no crc: {line}"));
        format!("{}}}", line.strip_suffix(",\"more\":1").unwrap_or(line))
    };
    complete.lines().skip(1).map(own).collect()
}

/// A line of a log as readers get it.
pub fn sent(line: &str) -> String {
    let (line, _) = line.rsplit_once(",\"h\":").unwrap_or_else(|| panic!("no h: {line}"));
    format!("{line}}}")
}

/// The newest line of each comment, like, flag, ban, page and note.
pub fn newest(lines: &[String]) -> BTreeMap<String, String> {
    let key = |line: &String| {
        let line: Value = serde_json::from_str(line).unwrap();
        if line.get("kind").is_none() {
            return format!("comment {}", line["id"]);
        }
        let parts = ["kind", "id", "author", "address", "page"].map(|name| line[name].to_string());
        format!("{} {}", parts.join(" "), line.get("moved").is_some())
    };
    lines.iter().map(|line| (key(line), line.clone())).collect()
}

/// Asks until it is so.
#[track_caller]
pub fn until<T>(mut ask: impl FnMut() -> Option<T>, otherwise: impl FnOnce() -> String) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "{}", otherwise());
        thread::sleep(LOOK_INTERVAL);
    }
}

/// A request whose server may die or stand still: status and body.
pub fn ask(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &str,
    body: &str,
) -> io::Result<(u16, String)> {
    let mut stream = connect(address)?;
    let length = body.len();
    let head =
        format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}");
    stream.write_all(format!("{head}Content-Length: {length}\r\n\r\n{body}").as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes).map_err(io::Error::other)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse().ok())?
    });
    if length.is_some_and(|length: usize| length != body.len()) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.to_owned()))
}

/// A connection on which nothing is waited for longer than [`PATIENCE`].
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
