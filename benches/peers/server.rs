//! A peer's server, started by its own script, with all the processes that it starts. Knows nothing of what is sent to it.

use std::{
    collections::HashMap,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::Program;
use rig::process::Process;

/// Longest wait for a server that is installed to accept a connection.
const START_DEADLINE: Duration = Duration::from_secs(20);
/// Between two looks whether it does.
const START_LOOK: Duration = Duration::from_millis(20);

/// A running peer; dropping it kills its processes.
pub struct Server {
    child: Child,
    address: SocketAddr,
}

/// Whose deliveries are measured.
pub trait Serves {
    /// Where it listens.
    fn address(&self) -> SocketAddr;
    /// All its processes as they are now, such as its workers and its Redis.
    fn processes(&self) -> Vec<Process>;
}

impl Server {
    /// Installs what is missing, and returns its name and version. Fails with the script's error message.
    pub fn install(name: &str) -> Result<String, String> {
        let output = Command::new(script(name))
            .arg("--install-only")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("its start script can't be run: {error}"))?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().into()),
            false => Err(failure_reason(name, &output.stderr)),
        }
    }

    /// Starts it on a free port, with these variables, and waits until it accepts. Fails with its failure_reason; `log` is the file for all
    /// of them.
    pub fn start(name: &str, log: &Path, variables: &[(&str, &str)]) -> Result<Server, String> {
        let address = free_address();
        let file = fs::File::create(log).expect("a file can be made in the bench's folder");
        let child = Command::new(script(name))
            .arg(address.port().to_string())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .map_err(|error| format!("its start script can't be run: {error}"))?;
        let mut server = Server { child, address };
        let deadline = Instant::now() + START_DEADLINE;
        while TcpStream::connect(address).is_err() {
            let ended = server.child.try_wait().expect("a child can be waited for");
            if ended.is_some() || Instant::now() > deadline {
                let log = fs::read(log).expect("the bench's own file can be read");
                return Err(failure_reason(name, &log));
            }
            thread::sleep(START_LOOK);
        }
        Ok(server)
    }
}

impl Serves for Server {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn processes(&self) -> Vec<Process> {
        tree(self.child.id()).into_iter().map(Process).collect()
    }
}

impl Serves for Program {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn processes(&self) -> Vec<Process> {
        vec![self.process()]
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for id in tree(self.child.id()) {
            let id = i32::try_from(id).ok().and_then(Pid::from_raw).expect("it is a process's id");
            // One may have ended with its parent.
            let _ = kill_process(id, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// A process and its descendants, parents first.
fn tree(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let entries = fs::read_dir("/proc").expect("the processes can be listed").flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    for id in ids {
        if let Some(parent) = stat(id).and_then(|stat| stat.get(1)?.parse().ok()) {
            children.entry(parent).or_default().push(id);
        }
    }
    let mut found = vec![root];
    let mut looked = 0;
    while let Some(id) = found.get(looked) {
        found.extend(children.remove(id).unwrap_or_default());
        looked += 1;
    }
    found
}

/// The fields of `/proc/<id>/stat` behind the name, which may contain anything: the state, then the parent's id.
fn stat(id: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    Some(fields.split(' ').map(String::from).collect())
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers").join(name).join("start")
}

/// A port that is free now, for those who take one and don't pick.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("a listener has an address")
}

/// The line of the output that explains the failure: the script's own, or the first about an error, or the last.
fn failure_reason(name: &str, log: &[u8]) -> String {
    let log = String::from_utf8_lossy(log);
    let lines = || log.lines().map(str::trim).filter(|line| !line.is_empty());
    let own = || lines().rev().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let about_error = |line: &&str| {
        let line = line.to_lowercase();
        ["error", "fail", "panicked"].iter().any(|word| line.contains(word))
    };
    let line = own().or_else(|| lines().find(about_error)).or_else(|| lines().next_back());
    line.unwrap_or("it does not start, and prints nothing").into()
}
