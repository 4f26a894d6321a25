//! The real program, started on a free port with its data in a temporary folder; both end with the test. Every wait has a limit.

use std::{
    env,
    ffi::OsString,
    fs::Permissions,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    os::{fd::AsFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::Duration,
};

pub use rustix::process::Signal;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Resource, Rlimit, getrlimit, kill_process, pidfd_open, prlimit},
};

use super::client::Connection;

/// Longest wait for anything in these tests: far above what it takes, since timings decide nothing.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// The name of the log in the data folder.
pub const LOG: &str = "comments.jsonl";
/// What a server is started with unless a test says otherwise.
const DEFAULTS: [(&str, &str); 3] =
    [("--listen", "127.0.0.1:0"), ("--rate", "off"), ("--max-per-address", "10000")];

/// The name of the token file, beside the data folder.
const TOKEN_FILE: &str = "token";

/// The name of the file with the secret that host pages sign with, beside the data folder.
const SIGN_ON_FILE: &str = "sign-on";

/// Writes a file that only its owner may read.
fn write_secret_file(folder: &Folder, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// A folder that goes with the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("sayso-it-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A path in the folder, as a flag's value.
    pub fn join(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How a server is started, each time that it is.
pub struct Builder {
    folder: Folder,
    data: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    shell: Option<String>,
    /// Whether it gets no flags but its own.
    is_bare: bool,
}

impl Builder {
    /// Adds flags. Those that are not here are such that it listens on a free port and limits nothing that a test would run into
    /// by chance.
    pub fn flags(mut self, flags: &[&str]) -> Builder {
        self.arguments.extend(flags.iter().map(OsString::from));
        self
    }

    /// Leaves out the flags that a test does not give, even those that make it listen on a free port.
    pub fn bare(mut self) -> Builder {
        self.is_bare = true;
        self
    }

    /// Where the data will be.
    pub fn data_path(&self) -> &Path {
        &self.data
    }

    /// Puts the data elsewhere below the folder, where there is nothing yet.
    pub fn data(mut self, below: impl AsRef<Path>) -> Builder {
        let empty = std::mem::replace(&mut self.data, self.folder.path().join(below));
        std::fs::remove_dir(empty).unwrap();
        self
    }

    /// Lets in the moderator with this token.
    pub fn moderator(self, token: &str) -> Builder {
        self.token_file(&format!("{token}\n"))
    }

    /// Lets in the moderators of this token file.
    pub fn token_file(self, text: &str) -> Builder {
        write_secret_file(&self.folder, TOKEN_FILE, text);
        let file = self.folder.join(TOKEN_FILE);
        self.flags(&["--admin-token-file", &file])
    }

    /// Lets host pages sign users with the secret in this file.
    pub fn sign_on_file(self, text: &str) -> Builder {
        write_secret_file(&self.folder, SIGN_ON_FILE, text);
        let file = self.folder.join(SIGN_ON_FILE);
        self.flags(&["--sign-on-file", &file])
    }

    /// Sets a variable of the environment, in which there is nothing else.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Builder {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Starts sayso behind a line of shell, with its stderr in a file: see [`Server::stderr`].
    pub fn shell(mut self, line: &str) -> Builder {
        self.shell = Some(line.into());
        self
    }

    pub fn start(self) -> Server {
        let mut server = self.stopped();
        server.restart();
        server
    }

    /// A server that has not been started yet, so that its folder can be prepared.
    pub fn stopped(self) -> Server {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Server { process: None, address, builder: self }
    }

    fn command(&self) -> Command {
        let mut command = match &self.shell {
            None => command(),
            Some(line) => {
                let mut command = Command::new("sh");
                let line = format!("{line} exec \"$0\" \"$@\" 2>>\"$STDERR\"");
                command.env_clear().env("PATH", "/usr/bin:/bin").env("STDERR", self.stderr_path());
                command.args(["-c", &line]).arg(program());
                command
            }
        };
        if !self.is_bare {
            command.arg("--data").arg(&self.data);
            let is_given = |flag: &str| self.arguments.iter().any(|argument| argument == flag);
            for (flag, value) in DEFAULTS {
                if !is_given(flag) {
                    command.args([flag, value]);
                }
            }
        }
        command.args(&self.arguments).envs(self.environment.iter().cloned());
        command
    }

    fn stderr_path(&self) -> PathBuf {
        self.folder.path().join("stderr")
    }
}

/// A sayso with its folder. It may have been stopped, and be started again.
pub struct Server {
    /// Before the folder, so that it has ended when that is removed.
    process: Option<Process>,
    pub address: SocketAddr,
    builder: Builder,
}

impl Server {
    /// Starts sayso with these flags, with a new folder.
    pub fn start(flags: &[&str]) -> Server {
        Server::builder().flags(flags).start()
    }

    /// A server with a new folder, which may be prepared before it is started.
    pub fn builder() -> Builder {
        let folder = Folder::new();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        Builder {
            folder,
            data,
            arguments: Vec::new(),
            environment: Vec::new(),
            shell: None,
            is_bare: false,
        }
    }

    /// Starts sayso again with the same flags and data, once the one before has ended, or been killed.
    pub fn restart(&mut self) {
        self.process = None;
        let process = Process::start(&mut self.builder.command());
        self.address = process.address;
        self.process = Some(process);
    }

    /// The folder with the data.
    pub fn data(&self) -> &Path {
        &self.builder.data
    }

    /// The data folder as a flag's value.
    pub fn data_flag(&self) -> &str {
        self.data().to_str().unwrap()
    }

    /// Replaces the moderators' token file.
    pub fn write_token_file(&self, text: &str) {
        write_secret_file(&self.builder.folder, TOKEN_FILE, text);
    }

    /// Replaces the file with the secret that host pages sign with.
    pub fn write_sign_on_file(&self, text: &str) {
        write_secret_file(&self.builder.folder, SIGN_ON_FILE, text);
    }

    /// The moderators' token file.
    pub fn token_file_path(&self) -> PathBuf {
        self.builder.folder.path().join(TOKEN_FILE)
    }

    pub fn log(&self) -> PathBuf {
        self.data().join(LOG)
    }

    pub fn log_bytes(&self) -> Vec<u8> {
        std::fs::read(self.log()).unwrap()
    }

    pub fn log_text(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap()
    }

    pub fn write_log(&self, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.log(), bytes).unwrap();
    }

    /// What a server that was started behind a line of shell has said.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.builder.stderr_path()).unwrap()
    }

    /// Runs another sayso on the same data, which must end by itself.
    pub fn run(&self, arguments: &[&str]) -> Output {
        output(command().args(arguments).arg("--data").arg(self.data()), TIMEOUT)
    }

    /// Starts a second sayso on the same data, which must refuse.
    pub fn run_second(&self) -> Output {
        self.run(&["--listen", "127.0.0.1:0"])
    }

    /// Runs `sayso check`, which must find nothing wrong.
    #[track_caller]
    pub fn check(&self) {
        self.succeeds("check");
    }

    /// Runs `sayso compact`, which must succeed.
    #[track_caller]
    pub fn compact(&self) {
        self.succeeds("compact");
    }

    #[track_caller]
    fn succeeds(&self, subcommand: &str) {
        let output = self.run(&[subcommand]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.process().child)
    }

    /// Whether it has not ended by itself.
    pub fn is_running(&mut self) -> bool {
        self.process_mut().child.try_wait().unwrap().is_none()
    }

    /// Ends sayso as `kill -9` does.
    pub fn kill(&mut self) -> ExitStatus {
        self.signal(Signal::KILL);
        self.wait()
    }

    /// Asks sayso to stop and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let status = self.wait();
        let mut rest = String::new();
        self.process_mut().output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "sayso prints exactly one line");
        status
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits until sayso has ended.
    pub fn wait(&mut self) -> ExitStatus {
        wait(&mut self.process_mut().child)
    }

    /// Lets no file of sayso grow beyond so many bytes, which is like a full disk; `None`: as far as the disk goes.
    pub fn limit_file_size(&self, bytes: Option<u64>) {
        let maximum = getrlimit(Resource::Fsize).maximum;
        let limit = Rlimit { current: bytes.or(maximum), maximum };
        prlimit(Some(self.pid()), Resource::Fsize, limit).unwrap();
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect_timeout(&self.address, TIMEOUT).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.set_write_timeout(Some(TIMEOUT)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// A new connection that is kept alive from one request to the next.
    pub fn connection(&self) -> Connection {
        Connection::on(self.connect())
    }

    /// Sends bytes on a new connection and returns all that comes back until it is closed.
    pub fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // The server may refuse and close before it has read everything.
        let _ = stream.write_all(bytes);
        let mut response = Vec::new();
        let _ = stream.read_to_end(&mut response);
        String::from_utf8_lossy(&response).into_owned()
    }

    fn process(&self) -> &Process {
        self.process.as_ref().expect("the server was started")
    }

    fn process_mut(&mut self) -> &mut Process {
        self.process.as_mut().expect("the server was started")
    }
}

/// A sayso that listens; dropping it kills it.
struct Process {
    child: Child,
    address: SocketAddr,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a command line, which must make sayso listen.
    fn start(command: &mut Command) -> Process {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            sender.send((line, output))
        });
        let Ok((line, output)) = receiver.recv_timeout(TIMEOUT) else {
            let _ = child.kill();
            panic!("sayso says nothing");
        };
        let address = line
            .strip_prefix("sayso listening on http://")
            .unwrap_or_else(|| panic!("sayso said {line:?}"))
            .trim_end()
            .parse()
            .unwrap();
        Process { child, address, output }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program under test: `SAYSO_BIN`, such as one for another machine behind an emulator, or the one just built.
pub fn program() -> OsString {
    env::var_os("SAYSO_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_sayso").into())
}

/// The command without arguments, with an environment that sets nothing.
pub fn command() -> Command {
    let mut command = Command::new(program());
    command.env_clear();
    command
}

/// Runs sayso with these arguments, which must make it end by itself.
pub fn sayso(arguments: &[&str]) -> Output {
    output(command().args(arguments), TIMEOUT)
}

/// Runs a command that must end by itself in time, and returns its output.
pub fn output(command: &mut Command, timeout: Duration) -> Output {
    run_to_end(command.stdout(Stdio::piped()).stderr(Stdio::piped()), timeout)
}

/// The same with its output where the command puts it.
pub fn run_to_end(command: &mut Command, timeout: Duration) -> Output {
    command.stdin(Stdio::null());
    let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let pid = Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output().unwrap()));
    receiver.recv_timeout(timeout).unwrap_or_else(|_| {
        let _ = kill_process(pid, Signal::KILL);
        panic!("{command:?} does not end");
    })
}

/// Waits for a process to end, for as long as a test may take.
pub fn wait(child: &mut Child) -> ExitStatus {
    if let Some(status) = child.try_wait().unwrap() {
        return status;
    }
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).unwrap();
    let timeout = Timespec::try_from(TIMEOUT).unwrap();
    let ended = loop {
        match poll(&mut [PollFd::new(&process.as_fd(), PollFlags::IN)], Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => {}
            ended => break ended.unwrap(),
        }
    };
    assert_eq!(ended, 1, "the process does not end");
    child.wait().unwrap()
}
