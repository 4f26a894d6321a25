//! Connections that do nothing, held by a process of its own, whose memory is then none of the server's.
//!
//! It is the bench's program, started with [`ARGUMENT`], an address, a target and a number.

use std::{
    io::{self, BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    place::{Place, connect},
    wire,
};

/// What the bench's program is started with to be this.
pub const ARGUMENT: &str = "--idle-crowd";
/// What it says when all its connections were still there.
const WHOLE: &str = "whole";

/// A running one; gone with its value.
pub struct IdleCrowd {
    child: Child,
    output: BufReader<ChildStdout>,
    /// From the first connection's beginning to the last one's handshake.
    pub took: Duration,
}

impl IdleCrowd {
    /// So many connections to a server.
    ///
    /// # Errors
    /// Where not all of them shake hands.
    pub fn connect(place: &Place, count: usize) -> Result<IdleCrowd, String> {
        let program = std::env::current_exe().expect("a program knows where it is");
        let mut command = Command::new(program);
        command.args([ARGUMENT, &place.address.to_string(), &place.target, &count.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the bench's program starts");
        let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut crowd = IdleCrowd { child, output, took: Duration::ZERO };
        let line = crowd.line();
        match line.parse().map(Duration::from_micros) {
            Ok(took) => crowd.took = took,
            Err(_) => return Err(line),
        }
        Ok(crowd)
    }

    /// Ends all connections.
    ///
    /// # Errors
    /// Where the server has ended one before.
    pub fn leave(mut self) -> Result<(), String> {
        drop(self.child.stdin.take());
        match self.line() {
            line if line == WHOLE => Ok(()),
            line => Err(line),
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(1..) => line.trim_end().to_owned(),
            _ => "the idle crowd has ended".into(),
        }
    }
}

impl Drop for IdleCrowd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is the idle crowd, until the parent wants it to leave or has gone.
pub fn run() {
    let mut arguments = std::env::args().skip_while(|argument| argument != ARGUMENT).skip(1);
    let mut next = || arguments.next().expect("the parent says where, and how many");
    let address = next().parse().expect("the parent says an address");
    let place = Place { address, target: next() };
    let count = next().parse().expect("the parent says a number");
    let start = Instant::now();
    let mut streams = match connect(&place, count, 1) {
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
            let said = String::from_utf8_lossy(&bytes[at..]);
            return println!("idle connection {number} has heard {said:?}, then {end:?}");
        }
    }
    println!("{WHOLE}");
}
