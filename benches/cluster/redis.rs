//! A Redis or Valkey server of the bench's own, on a port of loopback. Knows nothing of what is stored in it.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rig::process::Process;

use crate::peers::server::free_address;

/// What starts it: Redis, or what took its place.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];
/// Longest wait for its start, and for any reply.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Between two looks whether it accepts.
const START_LOOK: Duration = Duration::from_millis(20);

/// When what it is told is on its disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Appendfsync {
    /// Before it replies.
    Always,
    /// Within a second or two.
    Everysec,
    /// Never: it keeps everything in memory.
    Off,
}

/// A running server; dropping it kills the process.
pub struct Redis {
    child: Child,
    address: SocketAddr,
    /// Bytes that it uses without data.
    empty: u64,
}

impl Appendfsync {
    /// # Errors
    /// Where it is neither `always` nor `everysec`.
    pub fn parse(value: &str) -> Result<Appendfsync, String> {
        match value {
            "always" => Ok(Appendfsync::Always),
            "everysec" => Ok(Appendfsync::Everysec),
            _ => Err(format!("there is no appendfsync {value}")),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Appendfsync::Always => "always",
            Appendfsync::Everysec => "everysec",
            Appendfsync::Off => "off",
        }
    }
}

impl Redis {
    /// Starts one whose files are in `folder`.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start(folder: &Path, appendfsync: Appendfsync) -> Result<Redis, String> {
        let address = free_address();
        let port = address.port().to_string();
        let mut command = Command::new(program().expect("the bench has looked for it"));
        command.args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--dir"]).arg(folder);
        match appendfsync {
            Appendfsync::Off => command.args(["--appendonly", "no"]),
            other => command.args(["--appendonly", "yes", "--appendfsync", other.name()]),
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("Redis can't be run: {error}"))?;
        let mut redis = Redis { child, address, empty: 0 };
        let deadline = Instant::now() + TIMEOUT;
        while TcpStream::connect(address).is_err() {
            if Instant::now() > deadline {
                return Err(format!("Redis does not listen on {address}"));
            }
            thread::sleep(START_LOOK);
        }
        redis.empty = redis.used_memory();
        Ok(redis)
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Bytes that it uses for its data.
    pub fn data_bytes(&self) -> u64 {
        self.used_memory().saturating_sub(self.empty)
    }

    /// Sends a command on a new connection, and returns its reply: a number, or a text.
    pub fn ask(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("Redis accepts");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout can be set");
        stream.write_all(format!("{command}\r\n").as_bytes()).expect("Redis reads");
        let (mut reader, mut line) = (BufReader::new(stream), String::new());
        reader.read_line(&mut line).expect("Redis replies");
        let (kind, rest) = line.trim_end().split_at(1);
        match (kind, rest.parse()) {
            (":", Ok(_)) => rest.to_owned(),
            ("$", Ok(length)) => {
                let mut text = vec![0; length];
                reader.read_exact(&mut text).expect("Redis sends all of a reply");
                String::from_utf8_lossy(&text).into_owned()
            }
            _ => panic!("Redis replies to {command} with {line}"),
        }
    }

    fn used_memory(&self) -> u64 {
        let info = self.ask("INFO memory");
        let bytes = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        bytes.and_then(|bytes| bytes.parse().ok()).expect("Redis says how much memory it uses")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The installed server.
pub fn program() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let find =
        |name| env::split_paths(&path).map(|folder| folder.join(name)).find(|it| it.is_file());
    PROGRAMS.into_iter().find_map(find)
}
