//! Finds out how many connections the operating system's limits allow, and how many cores this process may use.
//!
//! Reads limits and raises only that of open files. Knows of a connection only what it costs: a descriptor, a thread, and
//! that thread's memory maps.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};
use rustix::thread::sched_getaffinity;

use crate::http::upstream::EXCHANGES_MAX;
use crate::util::address_space;
use crate::util::text::parse_decimal;

/// Descriptors reserved for files opened later: a compaction's files, a torn tail, a new listener of tiny_http.
const OWN_FILES: u64 = 12;
/// Descriptors per exchange: our end of the private socket; tiny_http's end, a copy of it, and one that is still being closed.
const FILES_PER_EXCHANGE: u64 = 4;
/// Refused connections that stay open for a moment, at most.
const REFUSED_MAX: u64 = 32;
/// Threads reserved for everything but connections: tiny_http, the web threads, the shards, upgrades and refusals.
const OWN_THREADS: u64 = 200;

/// Memory maps per thread: its stack and that of its overflow handler, each with a guard page (counted in /proc/self/maps).
/// This limit must not be reached: std aborts the process if it can't map the second stack.
const MAPS_PER_THREAD: u64 = 4;

/// Address space of a connection: 256 KiB of stack, the overflow handler's 16, their guard pages, and what is allocated for it.
const ADDRESS_BYTES_PER_CONNECTION: u64 = 352 * 1024;
/// Address space of an exchange: an answer of 1 MiB while it is made, sent and received.
const ADDRESS_BYTES_PER_EXCHANGE: u64 = 16 * 1024 * 1024;
/// How the free descriptors are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FdBudget {
    /// Connections served at once.
    pub connections: u32,
    /// Exchanges with the private server at once, 1 to [`EXCHANGES_MAX`].
    pub exchanges: usize,
    /// Refused connections that are open at once while their response is written.
    pub refused: u32,
}

impl FdBudget {
    /// Divides the descriptors that are free now.
    pub fn now() -> FdBudget {
        let open = fs::read_dir("/proc/self/fd").map_or(32, |entries| entries.count() as u64);
        let mut budget = FdBudget::divide(file_limit(), open);
        if let Some(free) = address_space::free() {
            let room = (free / ADDRESS_BYTES_PER_EXCHANGE).max(1);
            budget.exchanges = budget.exchanges.min(room as usize);
        }
        budget
    }

    /// Divides proportionally, so that pages can be served even with a limit of 64 open files.
    fn divide(limit: u64, open: u64) -> FdBudget {
        let free = limit.saturating_sub(open + OWN_FILES);
        let exchanges = (free / 16).clamp(1, EXCHANGES_MAX as u64);
        let refused = (free / 32).clamp(1, REFUSED_MAX);
        let connections = free.saturating_sub(FILES_PER_EXCHANGE * exchanges + refused);
        FdBudget {
            connections: connections.clamp(1, u64::from(u32::MAX)) as u32,
            exchanges: exchanges as usize,
            refused: refused as u32,
        }
    }
}

/// Raises the limit of open files as far as this user may, and returns the new limit.
pub fn raise_file_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // If that fails, the present limit stays.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
    file_limit()
}

/// The number of connections that the system's limits allow, at most `wanted`. If it is lower, returns also a warning that
/// names the setting to change.
pub fn reachable_connections(wanted: u32) -> (u32, Option<String>) {
    let mut limits = vec![Limit {
        connections: u64::from(FdBudget::now().connections),
        limit: format!("the limit of {} open files", file_limit()),
        help: "raise LimitNOFILE= of the systemd unit, or ulimit -Hn",
    }];
    let threads = count_system_threads();
    for (setting, path, per_thread) in [
        ("kernel.threads-max", "/proc/sys/kernel/threads-max", 1),
        ("kernel.pid_max", "/proc/sys/kernel/pid_max", 1),
        ("vm.max_map_count", "/proc/sys/vm/max_map_count", MAPS_PER_THREAD),
    ] {
        let Some(max) = read_number(Path::new(path)) else { continue };
        limits.push(Limit {
            connections: free_threads(max / per_thread, if per_thread == 1 { threads } else { 0 }),
            limit: format!("{setting} = {max}"),
            help: "raise it with sysctl",
        });
    }
    if let (Some(max), Some(free)) = (address_space::limit(), address_space::free()) {
        limits.push(Limit {
            connections: connections_in(free),
            limit: format!("the limit of {max} bytes of address space"),
            help: "raise LimitAS= of the systemd unit, or ulimit -Hv",
        });
    }
    // This limit does not apply to root.
    if !geteuid().is_root()
        && let Some(max) = getrlimit(Resource::Nproc).current
    {
        limits.push(Limit {
            connections: free_threads(max, 0),
            limit: format!("the limit of {max} processes of this user"),
            help: "raise LimitNPROC= of the systemd unit, or ulimit -Hu",
        });
    }
    for group in control_groups(&fs::read_to_string("/proc/self/cgroup").unwrap_or_default()) {
        let Some(max) = read_number(&group.join("pids.max")) else { continue };
        limits.push(Limit {
            connections: free_threads(max, read_number(&group.join("pids.current")).unwrap_or(0)),
            limit: format!("the control group's pids.max = {max}"),
            help: "raise TasksMax= of the systemd unit, or the container's limit of processes",
        });
    }
    lowest(wanted, &limits)
}

/// The cores that this process may use, at least 1: those in its affinity mask, and no more than its control groups' CPU quotas
/// allow. The standard library's function also knows version 1 of control groups, but adds 10 KB to the binary.
pub fn cores() -> usize {
    let allowed = sched_getaffinity(None).map_or(1, |set| u64::from(set.count()));
    let groups = control_groups(&fs::read_to_string("/proc/self/cgroup").unwrap_or_default());
    let quotas = groups
        .iter()
        .filter_map(|group| quota(&fs::read_to_string(group.join("cpu.max")).unwrap_or_default()));
    quotas.fold(allowed, u64::min).max(1) as usize
}

/// Parses `cpu.max`, the CPU time per period and the period, both in µs: `200000 100000` is 2 cores, `max 100000` no quota.
fn quota(cpu_max: &str) -> Option<u64> {
    let (time, period) = cpu_max.trim().split_once(' ')?;
    parse_decimal::<u64>(time)?.checked_div(parse_decimal(period)?)
}

/// A limit of the operating system.
#[derive(Debug)]
struct Limit {
    /// The connections that it allows.
    connections: u64,
    /// Its name and value, for the warning.
    limit: String,
    /// How to raise it.
    help: &'static str,
}

fn lowest(wanted: u32, limits: &[Limit]) -> (u32, Option<String>) {
    let lowest = limits.iter().min_by_key(|limit| limit.connections);
    match lowest {
        Some(Limit { connections, limit, help }) if *connections < u64::from(wanted) => {
            let message = format!(
                "--max-connections is {wanted}, but {limit} allows about {connections}; {help}"
            );
            (*connections as u32, Some(message))
        }
        _ => (wanted, None),
    }
}

/// The threads left for connections, at least 1. Reserves [`OWN_THREADS`], or a quarter if there are few.
fn free_threads(max: u64, used: u64) -> u64 {
    let free = max.saturating_sub(used);
    (free - OWN_THREADS.min(free / 4)).max(1)
}

/// The connections that so many free bytes of address space allow, at least 1.
fn connections_in(free: u64) -> u64 {
    (free.saturating_sub(address_space::RESERVE_BYTES) / ADDRESS_BYTES_PER_CONNECTION).max(1)
}

fn file_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Reads the number of existing threads from the fourth field of `/proc/loadavg`, running/existing.
fn count_system_threads() -> u64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let existing = text.split(' ').nth(3).and_then(|field| field.split_once('/'));
    existing.and_then(|(_, existing)| parse_decimal(existing)).unwrap_or(0)
}

/// The number in a file; `None` if the file is missing or contains `max`.
fn read_number(path: &Path) -> Option<u64> {
    parse_decimal(fs::read_to_string(path).ok()?.trim())
}

/// The folders of the control groups (versions 1 and 2) that count this process's threads: its own group and all its ancestors.
fn control_groups(proc_self_cgroup: &str) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for line in proc_self_cgroup.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let root = match controllers {
            "" => Path::new("/sys/fs/cgroup"),
            _ if controllers.split(',').any(|name| name == "pids") => {
                Path::new("/sys/fs/cgroup/pids")
            }
            _ => continue,
        };
        let relative = Path::new(path.trim_start_matches('/'));
        folders.extend(relative.ancestors().map(|folder| root.join(folder)));
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_agree_with_the_standard_library() {
        assert_eq!(cores(), std::thread::available_parallelism().unwrap().get());
        for (text, cores) in [
            ("max 100000\n", None),
            ("200000 100000\n", Some(2)),
            ("150000 100000", Some(1)),
            ("50000 100000", Some(0)),
            ("1 0", None),
            ("", None),
        ] {
            assert_eq!(quota(text), cores, "{text:?}");
        }
    }

    #[test]
    fn a_limit_of_64_files_still_leaves_some_for_each_use() {
        let budget = FdBudget::divide(64, 16);
        assert_eq!(budget, FdBudget { connections: 27, exchanges: 2, refused: 1 });
        for limit in 0..2_000 {
            let budget = FdBudget::divide(limit, 16);
            let used = u64::from(budget.connections + budget.refused) + 4 * budget.exchanges as u64;
            assert!(limit < 40 || used + 16 + OWN_FILES <= limit, "{limit}: {budget:?}");
        }
        assert_eq!(FdBudget::divide(u64::MAX, 16).connections, u32::MAX);
        assert_eq!(FdBudget::divide(20_000, 16).exchanges, EXCHANGES_MAX);
    }

    #[test]
    fn the_lowest_limit_is_reported_with_how_to_raise_it() {
        let limit = |connections, limit: &str| Limit {
            connections,
            limit: limit.into(),
            help: "raise it with sysctl",
        };
        let limits = [limit(900, "a = 1000"), limit(700, "b = 800")];
        assert_eq!(lowest(700, &limits), (700, None));
        let message =
            "--max-connections is 701, but b = 800 allows about 700; raise it with sysctl";
        assert_eq!(lowest(701, &limits), (700, Some(message.into())));
        assert_eq!(lowest(9, &[]), (9, None));
    }

    #[test]
    fn control_groups_of_both_versions_and_their_ancestors_are_found() {
        let found = |text| -> Vec<String> {
            control_groups(text).iter().map(|path| path.display().to_string()).collect()
        };
        assert_eq!(
            found("0::/system.slice/sayso.service\n"),
            [
                "/sys/fs/cgroup/system.slice/sayso.service",
                "/sys/fs/cgroup/system.slice",
                "/sys/fs/cgroup/"
            ]
        );
        assert_eq!(
            found("12:cpu,cpuacct:/a\n11:pids:/docker/f\n1:name=systemd:/b\nnonsense\n"),
            ["/sys/fs/cgroup/pids/docker/f", "/sys/fs/cgroup/pids/docker", "/sys/fs/cgroup/pids/"]
        );
    }

    #[test]
    fn a_low_limit_leaves_three_quarters_to_connections() {
        assert_eq!(free_threads(10_000, 1_000), 8_800);
        assert_eq!(free_threads(100, 20), 60);
        assert_eq!(free_threads(1, 20), 1);
    }

    #[test]
    fn address_space_is_divided_behind_its_reserve() {
        let reserve = address_space::RESERVE_BYTES;
        assert_eq!((connections_in(0), connections_in(reserve)), (1, 1));
        assert_eq!(connections_in(reserve + 1000 * 352 * 1024), 1000);
    }

    #[test]
    fn this_machine_allows_one_connection() {
        raise_file_limit();
        assert_eq!(reachable_connections(1), (1, None));
    }
}
