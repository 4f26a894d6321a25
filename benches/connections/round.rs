//! Connections are made, wait and are closed: what that cost.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use rig::{
    endpoint::Endpoint,
    idle::IdleConnections,
    process::{Process, Resources},
};

use super::kernel_memory::KernelMemory;

/// Longest wait for a server to finish with what was opened or closed.
const TIMEOUT: Duration = Duration::from_secs(30);
/// It has finished when nothing changes for so long.
const STABLE_FOR: Duration = Duration::from_millis(300);

/// sayso, or the bare loop.
pub struct Server {
    name: &'static str,
    endpoint: Endpoint,
    process: Process,
    /// What it held before the first connection.
    pub first: Resources,
}

/// All connections of a round together, in bytes.
pub struct Cost {
    pub took: Duration,
    /// The server's resident memory; compared with the first round, since it keeps some for the next.
    pub rss: f64,
    /// The server's page tables.
    pub tables: f64,
    /// Everybody's kernel stacks.
    pub stacks: f64,
    /// Everybody's kernel objects.
    pub slab: f64,
    /// The server's processor time a second while connections were idle.
    pub cpu_at_rest: Option<f64>,
    pub left: Resources,
}

impl Server {
    pub fn new(name: &'static str, address: SocketAddr, process: Process) -> Server {
        let endpoint = Endpoint { address, target: "/ws/comments/?page={page}".into() };
        Server { name, endpoint, process, first: process.resources() }
    }

    /// Waits until the number of its threads and open files stays as it is.
    fn wait_until_stable(&self) -> Resources {
        let start = Instant::now();
        let mut held = self.process.resources();
        loop {
            thread::sleep(STABLE_FOR);
            let now = self.process.resources();
            if (now.threads, now.files) == (held.threads, held.files) || start.elapsed() > TIMEOUT {
                return now;
            }
            held = now;
        }
    }
}

/// # Errors
/// Where not all connections are accepted and stay open, or something is left of them.
pub fn run(server: &Server, count: usize, rest: Duration) -> Result<Cost, String> {
    let first = server.first;
    let fault = |why: String| format!("{}, {count} connections: {why}", server.name);
    let (before, kernel_before) = (server.wait_until_stable(), KernelMemory::now());
    let crowd = IdleConnections::connect(&server.endpoint, count).map_err(fault)?;
    let (held, kernel) = (server.wait_until_stable(), KernelMemory::now());
    let cpu = server.process.cpu();
    thread::sleep(rest);
    let cpu = server.process.cpu().saturating_sub(cpu).as_secs_f64();
    let took = crowd.took;
    crowd.close().map_err(fault)?;
    let is_gone = server.process.wait_for_files(before.files, TIMEOUT);
    let left = server.wait_until_stable();
    // A thread that answers requests may come or go by itself.
    if !is_gone || left.threads > before.threads + 2 {
        return Err(fault(format!("{left:?} is left, and before there was {before:?}")));
    }
    let more = |now: u64, before: u64| now as f64 - before as f64;
    Ok(Cost {
        took,
        rss: more(held.rss, first.rss),
        tables: more(held.tables, first.tables),
        stacks: kernel.stacks - kernel_before.stacks,
        slab: kernel.slab - kernel_before.slab,
        cpu_at_rest: (!rest.is_zero()).then(|| cpu / rest.as_secs_f64()),
        left,
    })
}
