//! What one server does, round after round, each with the server and its crowd anew, so that none inherits what another has left undone.
//! Knows nothing of how a server is started.

use std::time::{Duration, Instant};

use rig::{
    crowd::{Crowd, Outcome, Pace, Size},
    endpoint::Endpoint,
    messages::Format,
    process::{Process, machine},
    table::median,
};

use crate::fanout::calibration;

use super::{Plan, results::Measured, server::Serves};

/// Where sayso speaks WebSocket; the peers ignore the page.
const TARGET: &str = "/ws/comments/?page={page}";

/// All rounds at one pace.
#[derive(Default)]
struct Rounds {
    /// Deliveries a second.
    rates: Vec<f64>,
    others: Vec<f64>,
    /// Seconds of processor time a delivery.
    cpu: Vec<f64>,
    /// Seconds: p50, p99, p99.9, longest.
    latencies: [Vec<f64>; 4],
    /// Deliveries that there were to be.
    outstanding: u64,
    lost: u64,
    deliveries: u64,
    bytes: u64,
}

/// One round of a server at one pace.
struct Round {
    outcome: Outcome,
    /// Cores that other programs used meanwhile.
    others: f64,
}

/// A server and all that it did.
pub struct Contender {
    /// With its version.
    pub name: String,
    saturated: Rounds,
    paced: Rounds,
    /// Why it is out.
    failed: Option<String>,
}

impl Contender {
    pub fn new(name: String) -> Contender {
        Contender { name, saturated: Rounds::default(), paced: Rounds::default(), failed: None }
    }

    /// One that could not be installed.
    pub fn failed(name: String, why: String) -> Contender {
        Contender { failed: Some(why), ..Contender::new(name) }
    }

    /// One round saturated and one paced. Whoever fails is out.
    pub fn round<S: Serves>(
        &mut self,
        plan: &Plan,
        format: Format,
        start: impl Fn() -> Result<S, String>,
    ) {
        if self.failed.is_some() {
            return;
        }
        let every = calibration::pace(plan.rate);
        let paces =
            [(Pace::InFlight(plan.in_flight), &mut self.saturated), (every, &mut self.paced)];
        for (pace, rounds) in paces {
            match start().and_then(|server| run(plan, format, pace, &server)) {
                Ok(round) => {
                    eprintln!("{}, {}", self.name, round.progress(pace));
                    rounds.add(plan, round);
                }
                Err(why) => {
                    eprintln!("{} failed: {why}", self.name);
                    self.failed = Some(why);
                    return;
                }
            }
        }
    }

    /// What it did in all rounds, or why not.
    pub fn measured(&self) -> Result<Measured, String> {
        let (saturated, paced) = (&self.saturated, &self.paced);
        if let Some(why) = &self.failed {
            return Err(why.clone());
        }
        let [p50, p99, p999, longest] = paced.latencies.each_ref();
        let longest = longest.iter().copied().fold(0.0, f64::max);
        let others = saturated.others.iter().chain(&paced.others).sum::<f64>();
        let latencies = [middle(p50), middle(p99), middle(p999), longest];
        let bytes = (saturated.bytes + paced.bytes) / (saturated.deliveries + paced.deliveries);
        Ok(Measured {
            bytes: usize::try_from(bytes).expect("a text fits in memory"),
            rate: middle(&saturated.rates),
            lost_saturated: saturated.lost as f64 / saturated.outstanding as f64,
            cpu: [saturated, paced].map(|rounds| Duration::from_secs_f64(middle(&rounds.cpu))),
            latencies: latencies.map(Duration::from_secs_f64),
            lost_paced: paced.lost as f64 / paced.outstanding as f64,
            others: others / (saturated.others.len() + paced.others.len()) as f64,
        })
    }
}

fn middle(values: &[f64]) -> f64 {
    median(&mut values.to_vec())
}

fn run(plan: &Plan, format: Format, pace: Pace, server: &impl Serves) -> Result<Round, String> {
    let endpoint = Endpoint { address: server.address(), target: TARGET.into() };
    let size = Size { readers: plan.readers, authors: plan.authors, pages: 1 };
    let mut crowd = Crowd::join(&endpoint, format, size)?;
    let processes = server.processes();
    let server = || processes.iter().map(|process| process.cpu()).sum();
    let all = || [machine(), server(), Process::own().cpu()];
    let (begin, before) = (Instant::now(), all());
    let outcome = crowd.round(pace, plan.timing, &processes)?;
    let after = all();
    let [machine, server, own] = std::array::from_fn(|at| after[at].saturating_sub(before[at]));
    let others = machine.saturating_sub(server + own).as_secs_f64() / begin.elapsed().as_secs_f64();
    match outcome.counts.deliveries {
        0 => Err("nothing that was sent was delivered".into()),
        _ => Ok(Round { outcome, others }),
    }
}

impl Round {
    /// A line of progress, printed before the table.
    fn progress(&self, pace: Pace) -> String {
        let seconds = self.outcome.window.as_secs_f64();
        let rate = self.outcome.counts.deliveries as f64 / seconds;
        let cores = [self.outcome.cpu, self.outcome.own_cpu];
        let [server, crowd] = cores.map(|time| time.as_secs_f64() / seconds);
        let pace = if matches!(pace, Pace::InFlight(_)) { "saturated" } else { "paced" };
        let (others, closed) = (self.others, self.outcome.closed);
        format!(
            "{pace}: {rate:.0} deliveries/s; cores: {server:.2}, crowd {crowd:.2}, others {others:.2}; {closed} connections ended"
        )
    }
}

impl Rounds {
    fn add(&mut self, plan: &Plan, round: Round) {
        let Round { outcome, others } = round;
        self.others.push(others);
        let deliveries = outcome.counts.deliveries as f64;
        self.rates.push(deliveries / outcome.window.as_secs_f64());
        self.cpu.push(outcome.cpu.as_secs_f64() / deliveries);
        let latency = &outcome.latency;
        let parts = [0.5, 0.99, 0.999].map(|part| latency.percentile(part));
        let latencies = parts.into_iter().chain([latency.max()]);
        for (all, latency) in self.latencies.iter_mut().zip(latencies) {
            all.push(latency.as_secs_f64());
        }
        self.outstanding += outcome.posts * (plan.readers + plan.authors) as u64;
        self.lost += outcome.lost;
        self.deliveries += outcome.counts.deliveries;
        self.bytes += outcome.counts.bytes;
    }
}
