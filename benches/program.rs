//! The real program on a free port, and the folder that it works in. Knows nothing of what is sent to it.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rig::{process::Process, table};

/// Longest wait for any response.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A folder on a real file system, removed at the end of the run.
pub struct Folder(pub PathBuf);

impl Folder {
    /// In `SAYSO_BENCH_DIR`, or in the target folder: the usual temporary folder is in memory on many machines, where a sync is free.
    pub fn new() -> Folder {
        let parent = std::env::var_os("SAYSO_BENCH_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
        let path = parent.join(format!("sayso-bench-{}", std::process::id()));
        fs::create_dir_all(&path).expect("the bench's folder can be made");
        Folder(path)
    }

    /// Creates a folder in it.
    pub fn join(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).expect("a folder can be made in the bench's folder");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The program under test: `SAYSO_BIN`, so that an old and a new build can be measured in the same hour, or the one just built.
pub fn binary() -> OsString {
    std::env::var_os("SAYSO_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_sayso").into())
}

/// The machine, the file system of `folder`, and the program under test where it is another.
pub fn caption(folder: &Folder) -> String {
    let machine = table::machine(&folder.0);
    match std::env::var("SAYSO_BIN") {
        Ok(binary) => format!("{machine} · {binary}"),
        Err(_) => machine,
    }
}

/// A process's memory, bytes.
#[derive(Clone, Copy)]
pub struct Memory {
    /// Resident now.
    pub rss: u64,
    /// Resident at most, so far.
    pub peak: u64,
}

/// A running sayso; dropping it kills the process.
pub struct Program {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// From the start of the process to the line that says it listens.
    pub took: Duration,
}

impl Program {
    /// Starts sayso, durable and without rate limits.
    pub fn start(data: &Path) -> Program {
        Program::start_with(data, &[])
    }

    /// The same with further flags.
    pub fn start_with(data: &Path, flags: &[&str]) -> Program {
        Program::start_as(&binary(), data, flags)
    }

    /// Starts another build of sayso in the same way.
    pub fn start_build(binary: &OsStr, data: &Path) -> Program {
        Program::start_as(binary, data, &[])
    }

    fn start_as(binary: &OsStr, data: &Path, flags: &[&str]) -> Program {
        let mut command = Command::new(binary);
        // Flags win over the environment.
        command.env_clear().env("SAYSO_SYNC", "always").env("SAYSO_RATE", "off");
        command.env("SAYSO_MAX_PER_ADDRESS", "20000").env("SAYSO_LOG_LEVEL", "warn");
        command.args(["--listen", "127.0.0.1:0", "--data"]).arg(data).args(flags);
        Program::spawn(command)
    }

    /// Starts sayso with these flags and its defaults.
    pub fn start_with_flags_only(data: &Path, flags: &[&str]) -> Program {
        let mut command = Command::new(binary());
        command.env_clear().env("SAYSO_LOG_LEVEL", "error");
        command.arg("--data").arg(data).args(flags);
        Program::spawn(command)
    }

    fn spawn(mut command: Command) -> Program {
        let start = Instant::now();
        let mut child = command.stdout(Stdio::piped()).spawn().expect("sayso can be started");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout is piped"))
            .read_line(&mut line)
            .expect("sayso prints where it listens");
        let took = start.elapsed();
        let address = line.trim_end().strip_prefix("sayso listening on http://");
        let address = address.and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("sayso printed {line:?}"));
        Program { child, address, took }
    }

    /// A new connection to it.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("sayso accepts");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout can be set");
        stream.set_write_timeout(Some(TIMEOUT)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("a connection's delay can be switched off");
        stream
    }

    /// The process.
    pub fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Its threads.
    pub fn threads(&self) -> u64 {
        fs::read_dir(format!("/proc/{}/task", self.child.id())).map_or(0, |all| all.count() as u64)
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Stops it with SIGTERM.
    pub fn stop(&mut self) {
        let id = self.child.id().to_string();
        Command::new("kill").arg(id).status().expect("kill is there");
        self.child.wait().expect("a child can be waited for");
    }

    /// What it needs now.
    pub fn memory(&self) -> Memory {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .expect("the status of a running process can be read");
        let bytes = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
            number.and_then(|number| number.parse::<u64>().ok()).expect("it has numbers") * 1024
        };
        Memory { rss: bytes("VmRSS:"), peak: bytes("VmHWM:") }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
