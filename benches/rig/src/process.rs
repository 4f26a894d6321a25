//! What a process has used and holds, from `/proc`.

use std::{
    fs, io,
    time::{Duration, Instant},
};

/// Clock ticks a second in `/proc/<pid>/stat`, on every Linux that there is.
const TICKS_A_SECOND: f64 = 100.0;
/// Up to here each thread's own nanoseconds are added up; beyond, reading them would take longer than a tick.
const THREADS_READ_MAX: usize = 64;

/// A running process.
#[derive(Clone, Copy)]
pub struct Process(pub u32);

/// What a process holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resources {
    pub threads: u64,
    pub files: u64,
    /// Bytes resident now.
    pub rss: u64,
    /// Bytes resident at most, so far.
    pub peak: u64,
    /// Bytes of page tables.
    pub tables: u64,
}

/// Processor time of everything on the machine so far, of the kernel's own work too, to the tick.
pub fn machine() -> Duration {
    let text = fs::read_to_string("/proc/stat").expect("the machine has statistics");
    let fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<u64> = fields.filter_map(|field| field.parse().ok()).collect();
    // User, nice and system; then idle and waiting for disks, which is none; then interrupts, and what the host took away.
    let ticks: u64 = ticks.iter().take(3).chain(ticks.iter().skip(5).take(3)).sum();
    Duration::from_secs_f64(ticks as f64 / TICKS_A_SECOND)
}

impl Process {
    /// The one that asks.
    pub fn own() -> Process {
        Process(std::process::id())
    }

    /// Processor time so far: to the nanosecond if it has few threads, which all must still be there when it is asked again, else to the
    /// tick.
    pub fn cpu(self) -> Duration {
        let tasks: Vec<_> = fs::read_dir(format!("/proc/{}/task", self.0))
            .expect("a running process has threads")
            .take(THREADS_READ_MAX + 1)
            .collect();
        if tasks.len() > THREADS_READ_MAX {
            return self.ticks();
        }
        let nanos = |task: io::Result<fs::DirEntry>| {
            let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        };
        // A kernel without statistics says 0.
        match tasks.into_iter().filter_map(nanos).sum() {
            0 => self.ticks(),
            nanos => Duration::from_nanos(nanos),
        }
    }

    /// Its processor time so far and that of its children which have ended and were waited for, to the tick.
    pub fn cpu_with_children(self) -> Duration {
        self.stat_ticks(4)
    }

    fn ticks(self) -> Duration {
        self.stat_ticks(2)
    }

    /// The first of these times: user, system, children's user, children's system.
    fn stat_ticks(self, count: usize) -> Duration {
        let text = self.read("stat");
        // The name, in parentheses, may hold anything.
        let fields = text.rsplit_once(')').expect("it has a name").1.split_whitespace();
        let ticks: u64 =
            fields.skip(11).take(count).filter_map(|field| field.parse::<u64>().ok()).sum();
        Duration::from_secs_f64(ticks as f64 / TICKS_A_SECOND)
    }

    pub fn resources(self) -> Resources {
        let status = self.read("status");
        let number = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
            let number = line.split_whitespace().next().and_then(|number| number.parse().ok());
            number.unwrap_or(0)
        };
        Resources {
            threads: number("Threads:"),
            files: self.files(),
            rss: number("VmRSS:") * 1024,
            peak: number("VmHWM:") * 1024,
            tables: number("VmPTE:") * 1024,
        }
    }

    /// Open files.
    pub fn files(self) -> u64 {
        let files = fs::read_dir(format!("/proc/{}/fd", self.0));
        files.expect("a running process has files").count() as u64
    }

    /// Waits until it has at most so many open files; `false` if that takes too long.
    pub fn wait_for_files(self, files: u64, timeout: Duration) -> bool {
        let start = Instant::now();
        while self.files() > files {
            if start.elapsed() > timeout {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    fn read(self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.0))
            .expect("a running process has a status")
    }
}
