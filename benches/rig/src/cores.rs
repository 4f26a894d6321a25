//! Pins the crowd to the machine's last core and servers to all others. Left alone, the scheduler sometimes puts a sending server on the
//! core of the client that it wakes and sometimes doesn't, and the cost of a delivery differs by half, whatever the server does.

use std::sync::OnceLock;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// This thread, and what it starts meanwhile, runs on some of the cores until this is dropped.
pub struct Pinned(Option<CpuSet>);

/// Keeps this thread, and every process it starts meanwhile, off the last core.
pub fn keep_off_last() -> Pinned {
    pin(|(others, _)| others)
}

/// Pins this thread to the last core.
pub fn pin_to_last() -> Pinned {
    pin(|(_, last)| last)
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            set_affinity(before);
        }
    }
}

fn pin(choose: fn((CpuSet, CpuSet)) -> CpuSet) -> Pinned {
    let before = sched_getaffinity(None).ok();
    if let Some(parts) = split() {
        set_affinity(&choose(parts));
    }
    Pinned(before)
}

/// All cores that the process was started with but the last, and the last; `None` where it has only one.
fn split() -> Option<(CpuSet, CpuSet)> {
    static ALL: OnceLock<Option<CpuSet>> = OnceLock::new();
    let mut others = (*ALL.get_or_init(|| sched_getaffinity(None).ok()))?;
    let last_core = (0..CpuSet::MAX_CPU).rev().find(|core| others.is_set(*core))?;
    others.unset(last_core);
    let mut last = CpuSet::new();
    last.set(last_core);
    (others.count() > 0).then_some((others, last))
}

fn set_affinity(cores: &CpuSet) {
    sched_setaffinity(None, cores).expect("a thread may choose among its cores");
}
