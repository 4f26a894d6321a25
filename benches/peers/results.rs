//! The one table: sayso's row first and last, the others' with sayso's ratios to them. Knows nothing of how it was measured.

use std::{fmt, time::Duration};

use rig::table::{digits, markdown};

/// Up to the first loss of the saturated rounds, from there on of the paced ones.
const HEAD: [&str; 14] = [
    "server",
    "deliveries/s",
    "sayso / it",
    "CPU µs",
    "sayso / it",
    "lost",
    "CPU µs",
    "sayso / it",
    "p50",
    "p99",
    "p99.9",
    "max",
    "lost",
    "others",
];

/// What one server did.
#[derive(Clone)]
pub struct Measured {
    /// A text's length as it is delivered, without its frame's header.
    pub bytes: usize,
    /// Deliveries a second, saturated.
    pub rate: f64,
    /// The part of the saturated deliveries that did not come.
    pub lost_saturated: f64,
    /// Processor time of all its processes for one delivery, saturated and paced.
    pub cpu: [Duration; 2],
    /// From an author's write to a reader's read, paced: p50, p99, p99.9 and the longest.
    pub latencies: [Duration; 4],
    /// The part of the paced deliveries that did not come.
    pub lost_paced: f64,
    /// Cores that other programs used meanwhile.
    pub others: f64,
}

/// See the [module](self).
pub struct Results {
    rows: Vec<Vec<String>>,
    /// What the ratios are to.
    sayso: Measured,
    below: Vec<String>,
}

impl Results {
    /// Begins with sayso as it was measured first; the ratios are to the mean of that and of the last.
    pub fn new(first: &Measured, last: &Measured) -> Results {
        let sayso = Measured {
            rate: f64::midpoint(first.rate, last.rate),
            cpu: [0, 1].map(|at| (first.cpu[at] + last.cpu[at]) / 2),
            ..first.clone()
        };
        let mut results =
            Results { rows: vec![HEAD.map(String::from).into()], sayso, below: Vec::new() };
        results.row("sayso", first, Default::default());
        results
    }

    /// Ends with sayso as it was measured last.
    pub fn again(&mut self, last: &Measured) {
        self.row("sayso, again", last, Default::default());
    }

    /// A peer's row. `bar` is what sayso's deliveries a second are to be of the peer's, at least.
    pub fn peer(&mut self, name: &str, measured: &Measured, bar: Option<f64>) {
        let rates = self.sayso.rate / measured.rate;
        let cpu = |at: usize| self.sayso.cpu[at].as_secs_f64() / measured.cpu[at].as_secs_f64();
        self.row(name, measured, [rates, cpu(0), cpu(1)].map(digits));
        if let Some(bar) = bar {
            let missed = if rates < bar { " missed" } else { "" };
            let line =
                format!("deliveries/s, sayso / {name}: {}, bar ≥ {bar}{missed}", digits(rates));
            self.below.push(line);
        }
    }

    /// The row of a peer that was not measured, and why.
    pub fn failed(&mut self, name: &str, why: &str) {
        let mut row = vec![String::new(); HEAD.len()];
        row[0] = name.into();
        row[1] = "failed".into();
        self.rows.push(row);
        self.below.push(format!("{name} failed: {why}"));
    }

    fn row(&mut self, name: &str, measured: &Measured, [rates, saturated, paced]: [String; 3]) {
        let [p50, p99, p999, max] = measured.latencies.map(|time| digits(time.as_secs_f64() * 1e3));
        let cpu = measured.cpu.map(|time| digits(time.as_secs_f64() * 1e6));
        self.rows.push(vec![
            name.into(),
            digits(measured.rate),
            rates,
            cpu[0].clone(),
            saturated,
            part(measured.lost_saturated),
            cpu[1].clone(),
            paced,
            p50,
            p99,
            p999,
            max,
            part(measured.lost_paced),
            digits(measured.others),
        ]);
    }
}

/// Markdown, with columns.
impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", markdown(&self.rows, |column| column > 0))?;
        for line in &self.below {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// A part of all in percent, and nothing only if it is nothing.
fn part(part: f64) -> String {
    match part * 100.0 {
        0.0 => "0".into(),
        percent @ ..0.1 => format!("{percent:.4} %"),
        percent => format!("{percent:.1} %"),
    }
}
