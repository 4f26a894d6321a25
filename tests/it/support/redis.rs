//! A Redis or Valkey server of a test's own, on a port of loopback and on a Unix socket, with its data in a temporary folder; all of it
//! ends with the test. Every wait has a limit. Knows nothing of sayso.

use std::{
    collections::VecDeque,
    env,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering::Relaxed},
        mpsc,
    },
    thread,
};

use rustix::process::{Pid, kill_process};

use super::{
    clock::Clock,
    server::{Folder, Signal, TIMEOUT},
};

/// What starts it: Redis, or what took its place.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];
/// Whoever sets this variable wants no test left out because there is no such program; `tests/all` does.
const REQUIRED: &str = "SAYSO_TEST_REDIS";
/// It keeps nothing on disk unless a test says so, and drops nothing for want of memory.
const DEFAULTS: &str = "bind 127.0.0.1\ndaemonize no\nlogfile \"\"\nsave \"\"\nappendonly no\nmaxmemory-policy noeviction\n";
/// What it says once it can be connected to.
const READY: &str = "Ready to accept connections";
/// Lines of what it says that are kept for when it doesn't start.
const LINES_KEPT_MAX: usize = 40;
/// Ports are below those that the system gives to connections, so that nobody else has one's port between a kill and a restart.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// A server. It may have been killed, and be started again with the same address and folder.
pub struct Redis {
    /// Before the folder, so that it has ended when that is removed.
    process: Option<Process>,
    folder: Folder,
    port: u16,
    config: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Redis {
    /// Starts a server with these further lines of configuration. Without such a program it returns `None` and says on stderr that the
    /// test does nothing; it panics instead if `SAYSO_TEST_REDIS` is set.
    pub fn start(config: &[&str]) -> Option<Redis> {
        Redis::start_with(config, Vec::new())
    }

    /// The same, with this clock.
    pub fn start_with_clock(config: &[&str], clock: &Clock) -> Option<Redis> {
        Redis::start_with(config, clock.environment().into())
    }

    fn start_with(config: &[&str], environment: Vec<(&'static str, String)>) -> Option<Redis> {
        if find_program().is_none() {
            assert!(env::var_os(REQUIRED).is_none(), "none of {PROGRAMS:?} is in PATH");
            let name = thread::current().name().unwrap_or("a test").to_owned();
            eprintln!("{name} does nothing: none of {PROGRAMS:?} is in PATH");
            return None;
        }
        let config = config.iter().map(ToString::to_string).collect();
        let mut redis =
            Redis { process: None, folder: Folder::new(), port: 0, config, environment };
        // Somebody else may take the port between looking and starting.
        for _ in 0..5 {
            redis.port = free_port();
            match redis.start_process() {
                Ok(process) => redis.process = Some(process),
                Err(said) if said.contains("in use") => continue,
                Err(said) => panic!("redis-server does not start:\n{said}"),
            }
            return Some(redis);
        }
        panic!("all ports are in use");
    }

    /// Its address on loopback.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its Unix socket.
    pub fn unix_url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Its port on loopback, for `replicaof 127.0.0.1 PORT`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it keeps what it writes to disk.
    pub fn data(&self) -> &Path {
        self.folder.path()
    }

    /// A new connection, whose reads and writes have a limit.
    pub fn connection(&self) -> redis::Connection {
        let client = redis::Client::open(self.url()).unwrap();
        let connection = client.get_connection_with_timeout(TIMEOUT).unwrap();
        connection.set_read_timeout(Some(TIMEOUT)).unwrap();
        connection.set_write_timeout(Some(TIMEOUT)).unwrap();
        connection
    }

    /// Runs a command, such as `["CONFIG", "SET", "maxmemory", "1mb"]`, on a new connection. Panics if it fails.
    #[track_caller]
    pub fn run<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(word);
        }
        command.query(&mut self.connection()).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Adds lines of configuration, which apply from the next start on.
    pub fn configure(&mut self, config: &[&str]) {
        self.config.extend(config.iter().map(ToString::to_string));
    }

    /// Ends it as `kill -9` does. What it has not written to disk is lost.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Ends it as `SIGTERM` does: it saves what it was configured to save.
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        super::server::wait(&mut self.process.as_mut().expect("it was started").child);
        self.process = None;
    }

    /// Starts it again with what it has on disk, once it has ended, or been killed.
    pub fn restart(&mut self) {
        self.process = None;
        let started = self.start_process();
        self.process = Some(started.unwrap_or_else(|said| panic!("it does not start:\n{said}")));
    }

    /// Kills it, and starts it again with nothing.
    pub fn restart_empty(&mut self) {
        self.process = None;
        for entry in std::fs::read_dir(self.data()).unwrap() {
            let path = entry.unwrap().path();
            let _ = if path.is_dir() {
                std::fs::remove_dir_all(path)
            } else {
                std::fs::remove_file(path)
            };
        }
        self.restart();
    }

    /// Sends it a signal: `Signal::STOP` makes it stand still with its sockets open, `Signal::CONT` go on.
    pub fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("it was started");
        kill_process(Pid::from_child(&process.child), signal).unwrap();
    }

    fn start_process(&self) -> Result<Process, String> {
        Process::start(&self.write_config(), &self.environment)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn write_config(&self) -> PathBuf {
        let (path, folder) = (self.folder.path().join("conf"), self.folder.path().display());
        let own =
            format!("port {}\nunixsocket {}\ndir {folder}\n", self.port, self.socket().display());
        std::fs::write(&path, format!("{DEFAULTS}{own}{}\n", self.config.join("\n"))).unwrap();
        path
    }
}

/// A server that takes connections; dropping it kills it, even if it stands still.
struct Process {
    child: Child,
}

impl Process {
    /// # Errors
    /// What the server has said, if it ended instead.
    fn start(config: &Path, environment: &[(&str, String)]) -> Result<Process, String> {
        let mut command = Command::new(find_program().expect("it was there"));
        command
            .arg(config)
            .envs(environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let process = Process { child };
        let said = Arc::new(Mutex::new(VecDeque::new()));
        let (sender, receiver) = mpsc::channel();
        let lines = Arc::clone(&said);
        thread::spawn(move || follow_output(output, &lines, &sender));
        match receiver.recv_timeout(TIMEOUT) {
            Ok(()) => Ok(process),
            Err(_) => Err(said.lock().unwrap().iter().cloned().collect()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads what a server says until it ends, so that it never waits for a full pipe, and tells once it is ready.
fn follow_output(
    output: BufReader<ChildStdout>,
    said: &Mutex<VecDeque<String>>,
    ready: &mpsc::Sender<()>,
) {
    for line in output.lines().map_while(Result::ok) {
        if line.contains(READY) {
            let _ = ready.send(());
        }
        let mut said = said.lock().unwrap();
        said.push_back(line + "\n");
        if said.len() > LINES_KEPT_MAX {
            said.pop_front();
        }
    }
}

fn find_program() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let all = PROGRAMS.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    all.into_iter().find(|program| program.is_file())
}

/// A port that nobody listens on now.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let count = PORTS.end - PORTS.start;
    let first = (std::process::id() % u32::from(count)) as u16;
    let mut ports = std::iter::repeat_with(|| {
        // 97 and the number of ports have no common divisor: tests that run side by side seldom look at the same ones.
        let number = u32::from(NEXT.fetch_add(1, Relaxed)) * 97 + u32::from(first);
        PORTS.start + (number % u32::from(count)) as u16
    });
    ports.by_ref().take(1_000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}
