//! Says how much address space this process may still take, where it is limited (`RLIMIT_AS`, `ulimit -v`, `LimitAS=`).
//!
//! The standard library aborts the process when an allocation or the second stack of a new thread can't be mapped, so whoever
//! needs much asks here before. Without a limit that costs one system call.

use std::{env, fs, io, os::unix::process::CommandExt, process::Command};

use rustix::process::{Resource, getrlimit};

/// Stays free for everything but new connections, in bytes: a few answers of a megabyte and what they are made from, the hub's
/// batches, and readers' outboxes, which share their frames.
pub const RESERVE_BYTES: u64 = 16 * 1024 * 1024;

/// The limit in bytes, if there is one.
pub fn limit() -> Option<u64> {
    getrlimit(Resource::As).current
}

/// The bytes that are left, if there is a limit.
pub fn free() -> Option<u64> {
    let limit = limit()?;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    Some(limit.saturating_sub(vsize(&stat)?))
}

/// Whether so many bytes are left.
pub fn has_room(bytes: u64) -> bool {
    free().is_none_or(|free| free >= bytes)
}

/// The variable that says how many arenas glibc's malloc may have.
const ARENAS_VARIABLE: &str = "MALLOC_ARENA_MAX";

/// Where address space is limited, runs the program again with one arena of glibc's malloc, unless the environment says how many it
/// has. Each takes 64 MiB of address space, as long as there are any, so that nothing would be left for stacks. glibc reads the variable only
/// when a program begins.
///
/// # Errors
/// Returns the operating system's error; then the program goes on as it is.
pub fn run_with_one_arena() -> io::Result<()> {
    if limit().is_none() || env::var_os(ARENAS_VARIABLE).is_some() {
        return Ok(());
    }
    let mut arguments = env::args_os();
    let mut command = Command::new(env::current_exe()?);
    command.arg0(arguments.next().unwrap_or_default()).args(arguments);
    Err(command.env(ARENAS_VARIABLE, "1").exec())
}

/// The virtual size in bytes, field 23 of `/proc/self/stat` (proc_pid_stat(5)). The second field, a name, may have spaces and brackets.
fn vsize(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(20)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_virtual_size_is_field_23_whatever_the_process_is_called() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 187 0 0 0 0 0 0 0 20 0 1 0 5160 3330048 434 18446744073709551615";
        assert_eq!(vsize(stat), Some(3_330_048));
        assert_eq!(vsize("7 (a) S"), None);
        assert!(vsize(&fs::read_to_string("/proc/self/stat").unwrap()).unwrap() > 1024 * 1024);
    }
}
