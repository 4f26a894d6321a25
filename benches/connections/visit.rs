//! A crowd comes, waits and goes: what it cost.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use rig::{
    idle::IdleCrowd,
    place::Place,
    process::{Held, Process},
};

use crate::kernel::Kernel;

/// Longest wait for a server to be done with what has come or gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// So long nothing changes, and it is done.
const CALM: Duration = Duration::from_millis(300);

/// Whom they visit.
pub struct Server {
    name: &'static str,
    place: Place,
    process: Process,
    /// What it held before anybody came.
    pub first: Held,
}

/// All of a crowd's connections together; bytes.
pub struct Cost {
    pub took: Duration,
    /// The server's, resident; since before anybody came if it keeps some for the next.
    pub rss: f64,
    /// The server's page tables.
    pub tables: f64,
    /// Everybody's kernel stacks.
    pub stacks: f64,
    /// Everybody's kernel objects.
    pub slab: f64,
    /// The server's processor time, of a second, if it was left in peace.
    pub cpu_at_rest: Option<f64>,
    pub left: Held,
}

impl Server {
    pub fn new(name: &'static str, address: SocketAddr, process: Process) -> Server {
        let place = Place { address, target: "/ws/comments/?page={page}".into() };
        Server { name, place, process, first: process.held() }
    }

    /// Waits until the number of its threads and open files stays as it is.
    fn calm(&self) -> Held {
        let start = Instant::now();
        let mut held = self.process.held();
        loop {
            thread::sleep(CALM);
            let now = self.process.held();
            if (now.threads, now.files) == (held.threads, held.files) || start.elapsed() > PATIENCE
            {
                return now;
            }
            held = now;
        }
    }
}

/// # Errors
/// Where not everybody could come and stay, or something is left of them.
pub fn once(server: &Server, count: usize, rest: Duration) -> Result<Cost, String> {
    let first = server.first;
    let fault = |why: String| format!("{}, {count} connections: {why}", server.name);
    let (before, kernel_before) = (server.calm(), Kernel::now());
    let crowd = IdleCrowd::connect(&server.place, count).map_err(fault)?;
    let (held, kernel) = (server.calm(), Kernel::now());
    let cpu = server.process.cpu();
    thread::sleep(rest);
    let cpu = server.process.cpu().saturating_sub(cpu).as_secs_f64();
    let took = crowd.took;
    crowd.leave().map_err(fault)?;
    let is_gone = server.process.settles(before.files, PATIENCE);
    let left = server.calm();
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
