//! Who runs where: the crowd has the machine's last core to itself, servers have all others. Left alone, the scheduler now and then
//! puts a server that sends beside the client that it wakes, on one core, and now and then not; a delivery's cost then differs by half,
//! whatever the server does.

use std::sync::OnceLock;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Before anything else is done: puts this thread where servers belong; what it starts from here on inherits that.
pub fn leave_last() {
    if let Some((others, _)) = split() {
        put(&others);
    }
}

/// This thread alone on the last core, until it is dropped.
pub struct Apart(Option<CpuSet>);

impl Apart {
    pub fn step() -> Apart {
        let before = sched_getaffinity(None).ok();
        if let Some((_, last)) = split() {
            put(&last);
        }
        Apart(before)
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            put(before);
        }
    }
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

fn put(cores: &CpuSet) {
    sched_setaffinity(None, cores).expect("a thread may give up cores");
}
