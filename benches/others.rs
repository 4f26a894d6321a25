//! What other programs than the bench and its servers use of the machine while something is measured.

use std::time::{Duration, Instant};

use rig::process::{self, Process};

/// Other programs that use more cores than this falsify the numbers.
const CORES_MAX: f64 = 0.1;

/// See the [module](self). All servers must have ended when it is made, and when it is asked.
pub struct Others {
    begin: Instant,
    cpu: Duration,
}

impl Others {
    pub fn begin() -> Others {
        Others { begin: Instant::now(), cpu: cpu() }
    }

    /// Prints how many cores they have used since, if that is too much.
    pub fn print(&self) {
        let cores =
            cpu().saturating_sub(self.cpu).as_secs_f64() / self.begin.elapsed().as_secs_f64();
        if cores > CORES_MAX {
            println!(
                "\nother programs used {cores:.1} cores meanwhile: measure again when they don't"
            );
        }
    }
}

/// The processor time of all programs but this one and its servers.
fn cpu() -> Duration {
    process::machine().saturating_sub(Process::own().cpu_with_children())
}
