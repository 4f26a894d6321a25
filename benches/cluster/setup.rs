//! What a row of the table is measured with: so many servers of one kind, and their Redis. Knows nothing of crowds.

use std::{
    io::{Read, Write},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rig::{endpoint::Endpoint, process::Process};

use super::{
    PEER,
    redis::{Appendfsync, Redis},
};
use crate::{
    peers::server::{Server, Serves},
    program::Program,
};

/// Longest wait until a node takes posts: Redis keeps a new run closed for three seconds.
const READY_DEADLINE: Duration = Duration::from_secs(20);
/// Between two attempts to post.
const READY_LOOK: Duration = Duration::from_millis(50);
/// The name of the conversation in Redis.
const NAME: &str = "bench";

/// See the [module](self).
pub struct Setup {
    pub name: String,
    pub is_peer: bool,
    servers: usize,
    redis: Option<Appendfsync>,
}

/// Servers that run; dropping it kills them, and then their Redis.
pub struct Running {
    servers: Vec<Box<dyn Serves>>,
    pub redis: Option<Redis>,
}

impl Setup {
    /// One node, whose order comes from its own disk.
    pub fn alone() -> Setup {
        Setup { name: "one node without Redis".into(), is_peer: false, servers: 1, redis: None }
    }

    /// Nodes, whose order comes from Redis.
    pub fn with_redis(nodes: usize, appendfsync: Appendfsync) -> Setup {
        let count = if nodes == 1 { "one node".into() } else { format!("{nodes} nodes") };
        let name = format!("{count}, Redis {}", appendfsync.name());
        Setup { name, is_peer: false, servers: nodes, redis: Some(appendfsync) }
    }

    /// Processes of the peer, whose Redis keeps nothing on disk.
    pub fn peer(version: &str, processes: usize) -> Setup {
        let count = if processes == 1 { "one process" } else { &format!("{processes} processes") };
        let redis = Some(Appendfsync::Off);
        Setup { name: format!("{version}, {count}"), is_peer: true, servers: processes, redis }
    }

    /// Starts everything in an empty folder, and waits until it takes posts.
    ///
    /// # Errors
    /// Where it does not start, or takes no posts.
    pub fn start(&self, folder: &Path) -> Result<Running, String> {
        let start = |appendfsync| Redis::start(folder, appendfsync);
        let redis = self.redis.map(start).transpose()?;
        let url = redis.as_ref().map(Redis::url);
        let mut servers: Vec<Box<dyn Serves>> = Vec::new();
        for number in 0..self.servers {
            let own = folder.join(number.to_string());
            if self.is_peer {
                let redis = url.as_deref().unwrap_or_default();
                let variables = [("SAYSO_PEERS_REDIS", redis)];
                servers.push(Box::new(Server::start(PEER, &own, &variables)?));
                continue;
            }
            let flags = url.as_deref().map(|url| ["--redis", url, "--redis-name", NAME]);
            let program = Program::start_with(&own, flags.as_ref().map_or(&[], |flags| &flags[..]));
            wait_until_ready(&program)?;
            servers.push(Box::new(program));
        }
        Ok(Running { servers, redis })
    }
}

impl Running {
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let endpoint = |address| Endpoint { address, target: "/ws/comments/?page={page}".into() };
        self.servers.iter().map(|server| endpoint(server.address())).collect()
    }

    /// All but Redis.
    pub fn processes(&self) -> Vec<Process> {
        self.servers.iter().flat_map(|server| server.processes()).collect()
    }

    /// What an entry of the stream takes in Redis, bytes: of the memory that it uses, and as it estimates itself. `None` without a stream.
    pub fn entry_bytes(&self) -> Option<[f64; 2]> {
        let redis = self.redis.as_ref()?;
        let stream = format!("sayso:{{{NAME}}}:stream");
        let number = |command: &str| redis.ask(command).parse::<f64>().ok();
        let entries = number(&format!("XLEN {stream}")).filter(|entries| *entries > 0.0)?;
        let estimated = number(&format!("MEMORY USAGE {stream} SAMPLES 0"))?;
        Some([redis.data_bytes() as f64, estimated].map(|bytes| bytes / entries))
    }
}

/// Posts a comment, again and again until it is taken.
fn wait_until_ready(program: &Program) -> Result<(), String> {
    let body = "{\"page\":\"ready\",\"content\":\"Ready?\"}";
    let request = format!(
        "POST /api/comments HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        program.address,
        body.len()
    );
    let deadline = Instant::now() + READY_DEADLINE;
    loop {
        let (mut stream, mut answer) = (program.connect(), String::new());
        let sent = stream.write_all(request.as_bytes());
        sent.and_then(|()| stream.read_to_string(&mut answer)).map_err(|why| why.to_string())?;
        if answer.starts_with("HTTP/1.1 201 ") {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("it takes no posts: {answer}"));
        }
        thread::sleep(READY_LOOK);
    }
}
