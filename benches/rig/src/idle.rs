//! Idle WebSocket connections, held by a process of their own so that their memory is not counted as the server's.
//!
//! That process is the bench's program, started with [`ARGUMENT`], an address, a target and a count.

use std::{
    io::{self, BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    endpoint::{Endpoint, connect},
    wire,
};

/// Starts the bench's program as this process.
pub const ARGUMENT: &str = "--idle-crowd";
/// What it prints when all its connections were still open.
const ALL_OPEN: &str = "all open";

/// A running process with idle connections; dropping it ends the process.
pub struct IdleConnections {
    child: Child,
    output: BufReader<ChildStdout>,
    /// From the first connection's beginning to the last one's handshake.
    pub took: Duration,
}

impl IdleConnections {
    /// Opens so many connections to a server.
    ///
    /// # Errors
    /// Where a handshake fails.
    pub fn connect(endpoint: &Endpoint, count: usize) -> Result<IdleConnections, String> {
        let program = std::env::current_exe().expect("a program knows where it is");
        let mut command = Command::new(program);
        command.args([
            ARGUMENT,
            &endpoint.address.to_string(),
            &endpoint.target,
            &count.to_string(),
        ]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the bench's program starts");
        let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut crowd = IdleConnections { child, output, took: Duration::ZERO };
        let line = crowd.line();
        match line.parse().map(Duration::from_micros) {
            Ok(took) => crowd.took = took,
            Err(_) => return Err(line),
        }
        Ok(crowd)
    }

    /// Closes all connections.
    ///
    /// # Errors
    /// Where the server has closed one before.
    pub fn close(mut self) -> Result<(), String> {
        drop(self.child.stdin.take());
        match self.line() {
            line if line == ALL_OPEN => Ok(()),
            line => Err(line),
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(1..) => line.trim_end().to_owned(),
            _ => "the process with idle connections has ended".into(),
        }
    }
}

impl Drop for IdleConnections {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Holds idle connections until the parent wants them closed or has ended.
pub fn run() {
    let mut arguments = std::env::args().skip_while(|argument| argument != ARGUMENT).skip(1);
    let mut next = || arguments.next().expect("the parent passes all arguments");
    let address = next().parse().expect("the parent passes an address");
    let endpoint = Endpoint { address, target: next() };
    let count = next().parse().expect("the parent passes a number");
    let start = Instant::now();
    let mut streams = match connect(&[endpoint], count, 1) {
        Ok(streams) => streams,
        Err(sentence) => return println!("{sentence}"),
    };
    println!("{}", start.elapsed().as_micros());
    let _ = io::stdin().read_to_end(&mut Vec::new());
    for (number, (stream, bytes)) in streams.iter_mut().enumerate() {
        stream.set_nonblocking(true).expect("a socket need not wait");
        let end = stream.read_to_end(bytes).map_err(|error| error.kind());
        let mut at = 0;
        while let Some(frame) = wire::frame(bytes, at).filter(|frame| frame.kind == wire::PING) {
            at = frame.payload.end;
        }
        if end != Err(io::ErrorKind::WouldBlock) || at < bytes.len() {
            let received = String::from_utf8_lossy(&bytes[at..]);
            return println!("idle connection {number} received {received:?}, then {end:?}");
        }
    }
    println!("{ALL_OPEN}");
}
