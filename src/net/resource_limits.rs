//! How many connections this process can have, by the limits that the operating system sets it.
//!
//! Only reads limits, and raises the one that it may. Knows nothing of connections but what one costs: a descriptor, a
//! thread, and that thread's memory maps.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};
use rustix::thread::sched_getaffinity;

use crate::http::upstream::EXCHANGES_MAX;

/// Descriptors for what is opened later: a compaction's files, a torn tail, tiny_http's listener made anew.
const OWN_FILES: u64 = 12;
/// One end of the private socket here; in tiny_http the other, a copy of it, and one that is still being closed.
const FILES_PER_EXCHANGE: u64 = 4;
/// Refused clients that are listened to for a moment.
const REFUSED_MAX: u64 = 32;
/// Threads that are no connection's: tiny_http's, the web, the shards, and those who hand over or turn away.
const OWN_THREADS: u64 = 200;

/// A thread's stack and the one for its overflow handler, each with its guard page (counted in /proc/self/maps). Only
/// this limit can't be met by refusing: where std finds no map for the second stack it ends the process.
const MAPS_PER_THREAD: u64 = 4;

/// How the descriptors that are left are shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FdBudget {
    /// Connections that are served.
    pub connections: u32,
    /// Exchanges with the private server at once.
    pub exchanges: usize,
    /// Connections beyond those, which are told so.
    pub refused: u32,
}

impl FdBudget {
    /// By the present limit and what is open now.
    pub fn now() -> FdBudget {
        let open = fs::read_dir("/proc/self/fd").map_or(32, |entries| entries.count() as u64);
        FdBudget::of(file_limit(), open)
    }

    /// Where everything is scarce each gets its share, so that a page can be had with a limit of 64, too.
    fn of(limit: u64, open: u64) -> FdBudget {
        let left = limit.saturating_sub(open + OWN_FILES);
        let exchanges = (left / 16).clamp(1, EXCHANGES_MAX as u64);
        let refused = (left / 32).clamp(1, REFUSED_MAX);
        let connections = left.saturating_sub(FILES_PER_EXCHANGE * exchanges + refused);
        FdBudget {
            connections: connections.clamp(1, u64::from(u32::MAX)) as u32,
            exchanges: exchanges as usize,
            refused: refused as u32,
        }
    }
}

/// Raises the limit of open files to what this user may have, and says what it is then.
pub fn raise_file_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // Where even that is not allowed, the present limit is what there is.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
    file_limit()
}

/// At most `wish` connections, or fewer with a sentence that names the setting that stands in the way.
pub fn reachable_connections(wish: u32) -> (u32, Option<String>) {
    let mut limits = vec![Limit {
        connections: u64::from(FdBudget::now().connections),
        limit: format!("the limit of {} open files", file_limit()),
        help: "raise LimitNOFILE= of the systemd unit, or ulimit -Hn",
    }];
    let threads = threads_of_the_system();
    for (setting, path, each) in [
        ("kernel.threads-max", "/proc/sys/kernel/threads-max", 1),
        ("kernel.pid_max", "/proc/sys/kernel/pid_max", 1),
        ("vm.max_map_count", "/proc/sys/vm/max_map_count", MAPS_PER_THREAD),
    ] {
        let Some(most) = number(Path::new(path)) else { continue };
        limits.push(Limit {
            connections: threads_left(most / each, if each == 1 { threads } else { 0 }),
            limit: format!("{setting} = {most}"),
            help: "raise it with sysctl",
        });
    }
    // Root is not held to it.
    if !geteuid().is_root()
        && let Some(most) = getrlimit(Resource::Nproc).current
    {
        limits.push(Limit {
            connections: threads_left(most, 0),
            limit: format!("the limit of {most} processes of this user"),
            help: "raise LimitNPROC= of the systemd unit, or ulimit -Hu",
        });
    }
    for group in control_groups(&fs::read_to_string("/proc/self/cgroup").unwrap_or_default()) {
        let Some(most) = number(&group.join("pids.max")) else { continue };
        limits.push(Limit {
            connections: threads_left(most, number(&group.join("pids.current")).unwrap_or(0)),
            limit: format!("the control group's pids.max = {most}"),
            help: "raise TasksMax= of the systemd unit, or the container's limit of processes",
        });
    }
    lowest(wish, &limits)
}

/// Cores that this process may use, at least 1: those it is allowed on, and no more than its control group has time for. The
/// standard library's way, which also knows the first version of control groups, is 10 KB.
pub fn cores() -> usize {
    let allowed = sched_getaffinity(None).map_or(1, |set| u64::from(set.count()));
    let groups = control_groups(&fs::read_to_string("/proc/self/cgroup").unwrap_or_default());
    let quotas = groups
        .iter()
        .filter_map(|group| quota(&fs::read_to_string(group.join("cpu.max")).unwrap_or_default()));
    quotas.fold(allowed, u64::min).max(1) as usize
}

/// `200000 100000` → 2: time in a period, and the period, both in µs; None for `max 100000`.
fn quota(cpu_max: &str) -> Option<u64> {
    let (time, period) = cpu_max.trim().split_once(' ')?;
    time.parse::<u64>().ok()?.checked_div(period.parse().ok()?)
}

/// One limit of the system.
#[derive(Debug)]
struct Limit {
    connections: u64,
    limit: String,
    help: &'static str,
}

fn lowest(wish: u32, limits: &[Limit]) -> (u32, Option<String>) {
    let lowest = limits.iter().min_by_key(|ceiling| ceiling.connections);
    match lowest {
        Some(Limit { connections, limit, help }) if *connections < u64::from(wish) => {
            let message = format!(
                "--max-connections is {wish}, but {limit} allows about {connections}; {help}"
            );
            (*connections as u32, Some(message))
        }
        _ => (wish, None),
    }
}

/// At least one: with less there is nothing to serve.
fn threads_left(most: u64, used: u64) -> u64 {
    let left = most.saturating_sub(used);
    (left - OWN_THREADS.min(left / 4)).max(1)
}

fn file_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// The fourth field of `/proc/loadavg` is running/existing.
fn threads_of_the_system() -> u64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let existing = text.split_whitespace().nth(3).and_then(|field| field.split_once('/'));
    existing.and_then(|(_, existing)| existing.parse().ok()).unwrap_or(0)
}

/// None where the file is missing, or says `max`.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The folders of the control groups, of both versions, that count this process's threads: its own and all above.
fn control_groups(proc_self_cgroup: &str) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for line in proc_self_cgroup.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let root = match controllers {
            "" => Path::new("/sys/fs/cgroup"),
            _ if controllers.split(',').any(|one| one == "pids") => {
                Path::new("/sys/fs/cgroup/pids")
            }
            _ => continue,
        };
        let below = Path::new(path.trim_start_matches('/'));
        folders.extend(below.ancestors().map(|folder| root.join(folder)));
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_those_of_the_standard_library() {
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
    fn a_limit_of_64_files_still_leaves_room_for_each() {
        let budget = FdBudget::of(64, 16);
        assert_eq!(budget, FdBudget { connections: 27, exchanges: 2, refused: 1 });
        for limit in 0..2_000 {
            let budget = FdBudget::of(limit, 16);
            let used = u64::from(budget.connections + budget.refused) + 4 * budget.exchanges as u64;
            assert!(limit < 40 || used + 16 + OWN_FILES <= limit, "{limit}: {budget:?}");
        }
        assert_eq!(FdBudget::of(u64::MAX, 16).connections, u32::MAX);
        assert_eq!(FdBudget::of(20_000, 16).exchanges, EXCHANGES_MAX);
    }

    #[test]
    fn the_lowest_ceiling_is_named_with_the_setting_that_helps() {
        let ceiling = |connections, limit: &str| Limit {
            connections,
            limit: limit.into(),
            help: "raise it with sysctl",
        };
        let limits = [ceiling(900, "a = 1000"), ceiling(700, "b = 800")];
        assert_eq!(lowest(700, &limits), (700, None));
        let message =
            "--max-connections is 701, but b = 800 allows about 700; raise it with sysctl";
        assert_eq!(lowest(701, &limits), (700, Some(message.into())));
        assert_eq!(lowest(9, &[]), (9, None));
    }

    #[test]
    fn control_groups_of_both_versions_and_all_above_count() {
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
    fn a_small_group_keeps_three_quarters_for_connections() {
        assert_eq!(threads_left(10_000, 1_000), 8_800);
        assert_eq!(threads_left(100, 20), 60);
        assert_eq!(threads_left(1, 20), 1);
    }

    #[test]
    fn this_machine_has_room_for_one() {
        raise_file_limit();
        assert_eq!(reachable_connections(1), (1, None));
    }
}
