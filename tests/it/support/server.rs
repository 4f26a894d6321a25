//! The real program, started on a free port in a temporary folder, and ended with the test.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering::Relaxed},
        mpsc,
    },
    time::{Duration, Instant},
};

/// Longest wait for anything in these tests: far above what it takes, since timings decide nothing.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that goes with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("sayso-it-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn log(&self) -> PathBuf {
        self.0.join("comments.jsonl")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running sayso.
pub struct Program {
    pub child: Child,
    pub address: SocketAddr,
    output: Option<BufReader<std::process::ChildStdout>>,
}

/// The command without arguments, with an environment that sets nothing.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sayso"));
    command.env_clear();
    command
}

impl Program {
    /// Starts sayso on a free port with its data in `data`, without limits of rate unless `arguments` say otherwise.
    pub fn start(data: &Path, arguments: &[&str]) -> Program {
        let mut command = command();
        command.args(["--listen", "127.0.0.1:0"]).arg("--data").arg(data);
        if !arguments.contains(&"--rate") {
            command.args(["--rate", "off"]);
        }
        if !arguments.contains(&"--max-per-address") {
            command.args(["--max-per-address", "10000"]);
        }
        Program::spawn(command.args(arguments))
    }

    /// Starts a whole command line, which must make sayso listen.
    pub fn spawn(command: &mut Command) -> Program {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line
            .strip_prefix("sayso listening on http://")
            .unwrap_or_else(|| panic!("sayso said {line:?}"))
            .trim_end()
            .parse()
            .unwrap();
        Program { child, address, output: Some(output) }
    }

    /// Ends sayso as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks sayso to stop and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        let status = wait(&mut self.child);
        let mut rest = String::new();
        self.output.take().unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "sayso prints exactly one line");
        status
    }

    pub fn signal(&self, name: &str) {
        let done = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(done.success());
    }

    pub fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket
    }

    /// Sends bytes on a new connection and returns all that comes back until it is closed.
    pub fn raw(&self, bytes: &[u8]) -> String {
        let mut socket = self.connect();
        // The server may refuse and close before it has read everything.
        let _ = socket.write_all(bytes);
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command line that must end by itself.
pub fn run(arguments: &[&str], environment: &[(&str, &str)], patience: Duration) -> Output {
    let mut command = command();
    command.args(arguments).envs(environment.iter().copied());
    let child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id().to_string();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output().unwrap()));
    receiver.recv_timeout(patience).unwrap_or_else(|_| {
        let _ = Command::new("kill").args(["-9", &id]).status();
        panic!("{arguments:?} {environment:?} does not end");
    })
}

/// Waits for a process to end, for as long as a test may take.
pub fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(start.elapsed() < PATIENCE, "the process does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}
