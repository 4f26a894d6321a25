//! What one setup does under each load, round after round. Knows nothing of how it is started, or how results are shown.

use std::time::Duration;

use rig::{
    crowd::{Crowd, Outcome},
    messages::Format,
    process::Process,
    table::{median, percentile},
};

use super::{
    LOADS, Load, Plan,
    setup::{Running, Setup},
};
use crate::program::Folder;

/// All rounds under one load.
#[derive(Default)]
pub struct Rounds {
    /// Comments a second that everybody received.
    rates: Vec<f64>,
    /// Milliseconds: p50, p99.
    latencies: [Vec<f64>; 2],
    /// Microseconds of processor time for a comment: of the servers, of Redis.
    cpu: [Vec<f64>; 2],
    /// The part of the comments that each member did not receive.
    lost: Vec<f64>,
}

/// See the [module](self).
pub struct Contender {
    setup: Setup,
    running: Option<Running>,
    rounds: [Rounds; LOADS.len()],
    /// Bytes of a text as it is received; 0 before the first.
    bytes: usize,
    failed: Option<String>,
}

impl Rounds {
    fn add(&mut self, members: usize, outcome: &Outcome, cpu: [Duration; 2]) {
        let deliveries = outcome.counts.deliveries as f64;
        self.rates.push(deliveries / members as f64 / outcome.window.as_secs_f64());
        // In the tiny window of a busy machine nothing may be sent.
        let parts = if outcome.latency.is_empty() { &[][..] } else { &[0.5, 0.99] };
        for (all, &part) in self.latencies.iter_mut().zip(parts) {
            all.push(outcome.latency.percentile(part).as_secs_f64() * 1e3);
        }
        for (all, cpu) in self.cpu.iter_mut().zip(cpu) {
            all.push(cpu.as_secs_f64() * 1e6 / outcome.posts as f64);
        }
        let part = |lost: &u64| *lost as f64 / outcome.posts as f64;
        self.lost.extend(outcome.lost_by_member.iter().map(part));
    }

    /// Comments a second that everybody received, if it was measured.
    pub fn rate(&self) -> Option<f64> {
        middle(&self.rates)
    }

    /// Milliseconds: p50 and p99.
    pub fn latency(&self) -> [Option<f64>; 2] {
        self.latencies.each_ref().map(|times| middle(times))
    }

    /// Microseconds of processor time for a comment: of the servers, and of Redis.
    pub fn cpu(&self) -> [Option<f64>; 2] {
        self.cpu.each_ref().map(|times| middle(times))
    }

    /// The part of the comments that a member did not receive: the least of all members, the mean, the most.
    pub fn lost(&self) -> Option<[f64; 3]> {
        let mut all = self.lost.clone();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        (!all.is_empty()).then(|| [percentile(&mut all, 0.0), mean, percentile(&mut all, 1.0)])
    }
}

impl Contender {
    pub fn new(setup: Setup) -> Contender {
        Contender { setup, running: None, rounds: Default::default(), bytes: 0, failed: None }
    }

    /// One that could not be installed.
    pub fn failed(setup: Setup, why: String) -> Contender {
        Contender { failed: Some(why), ..Contender::new(setup) }
    }

    pub fn name(&self) -> &str {
        &self.setup.name
    }

    pub fn is_peer(&self) -> bool {
        self.setup.is_peer
    }

    pub fn why_failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Bytes of a text as it is received; 0 if none was.
    pub fn bytes_of_text(&self) -> usize {
        self.bytes
    }

    /// Ends its servers.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// All rounds under this load.
    pub fn under(&self, load: Load) -> &Rounds {
        let at = LOADS.iter().position(|other| *other == load);
        &self.rounds[at.expect("all loads are listed")]
    }

    /// See [`Running::entry_bytes`].
    pub fn entry_bytes(&self) -> Option<[f64; 2]> {
        self.running.as_ref()?.entry_bytes()
    }

    /// One round of each load. Whoever fails is out. The peer is sent texts of the format `echo`.
    pub fn round(&mut self, plan: &Plan, echo: Format, folder: &Folder) {
        for (at, load) in LOADS.into_iter().enumerate() {
            if self.failed.is_some() || (self.is_peer() && load == Load::Paced) {
                return;
            }
            match self.under_load(plan, load, echo, folder) {
                Ok((outcome, cpu)) => {
                    let size = plan.size(load);
                    self.rounds[at].add(size.readers + size.authors, &outcome, cpu);
                    let length = outcome.counts.bytes.checked_div(outcome.counts.deliveries);
                    self.bytes = length.map_or(self.bytes, |length| length as usize);
                }
                Err(why) => {
                    eprintln!("{} failed: {why}", self.name());
                    self.failed = Some(why);
                }
            }
        }
    }

    fn under_load(
        &mut self,
        plan: &Plan,
        load: Load,
        echo: Format,
        folder: &Folder,
    ) -> Result<(Outcome, [Duration; 2]), String> {
        // The peer starts anew for each load, so that it does not inherit what it has left undone.
        if self.setup.is_peer {
            self.running = None;
        }
        let running = match &mut self.running {
            Some(running) => running,
            empty => empty.insert(self.setup.start(&folder.join(&self.setup.name))?),
        };
        let format = if self.setup.is_peer { echo } else { Format::Lines };
        let mut crowd = Crowd::join_all(&running.endpoints(), format, plan.size(load))?;
        let processes = running.processes();
        let redis = running.redis.as_ref().map(|redis| redis.process());
        let cpu = || {
            let servers: Duration = processes.iter().map(|process| process.cpu()).sum();
            [servers, redis.map_or(Duration::ZERO, Process::cpu)]
        };
        let before = cpu();
        let outcome =
            crowd.round(plan.pace(load), plan.timing(load, self.setup.is_peer), &processes)?;
        let after = cpu();
        eprintln!(
            "{}: {:.0} deliveries/s, {} comments, {} deliveries lost",
            self.setup.name,
            outcome.counts.deliveries as f64 / outcome.window.as_secs_f64(),
            outcome.posts,
            outcome.lost
        );
        match outcome.counts.deliveries {
            0 if self.setup.is_peer => Err("nothing that was sent was delivered".into()),
            _ => Ok((outcome, std::array::from_fn(|at| after[at].saturating_sub(before[at])))),
        }
    }
}

fn middle(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| median(&mut values.to_vec()))
}
