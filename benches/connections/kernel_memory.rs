//! What the kernel holds for all processes together, from `/proc/meminfo` and `/proc/slabinfo`.
//!
//! Not `MemAvailable`, nor a memory cgroup: between two looks, pages that wait in the processors' own lists and the page cache change the
//! former by more than 10,000 connections take, and the latter wants rights over the group that the bench runs in.

use std::fs;

/// Bytes.
#[derive(Debug, Clone, Copy)]
pub struct KernelMemory {
    /// Objects: sockets with their inodes, files, tasks, memory areas. No reclaimable ones of other kinds, such as those that looking into
    /// `/proc` makes.
    pub slab: f64,
    /// The threads' stacks in the kernel.
    pub stacks: f64,
}

impl KernelMemory {
    pub fn now() -> KernelMemory {
        let text = fs::read_to_string("/proc/meminfo").expect("there is memory");
        let number = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
            number.expect("the kernel counts it") * 1024.0
        };
        let slab = number("SUnreclaim:") + socket_inodes().unwrap_or(0.0);
        KernelMemory { slab, stacks: number("KernelStack:") }
    }
}

/// Reclaimable by name, but not while their sockets are open. Only root may know; else 0.9 KB of each socket are missed.
fn socket_inodes() -> Option<f64> {
    let text = fs::read_to_string("/proc/slabinfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("sock_inode_cache "))?;
    // Objects in use, objects, bytes of each.
    let mut numbers =
        line.split_whitespace().skip(1).filter_map(|number| number.parse::<f64>().ok());
    Some(numbers.next()? * numbers.next()?)
}
