//! Sends comments to a crowd from each server in turn, and compares some of the results with a bar.

use std::{fmt, net::SocketAddr, time::Duration};

use rig::{
    crowd::{Crowd, Outcome, Pace, Size},
    endpoint::Endpoint,
    messages::Format,
    process::Process,
    table::{Bar, Table, digits, markdown, median, percentile},
};

use super::{Options, calibration};

/// On one page.
const AUTHORS: usize = 8;
/// Of each author, saturated.
const IN_FLIGHT: usize = 16;
/// This process may have so many connections open for the crowds of all servers at once; with more readers, each round connects anew.
const CONNECTIONS_MAX: usize = 9_000;
/// Longest wait for a server to close a crowd's connections.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The rate where numbers are tiny: nothing is calibrated.
const RATE_TINY: usize = 100;

/// How many comments there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// At the rate at which the bare loop uses about 40 % of its core.
    Calibrated,
    /// So many a second.
    Paced(usize),
    /// As many as possible.
    Saturated,
}

/// A server under test, or the bare loop.
pub struct Server {
    name: &'static str,
    endpoint: Endpoint,
    pub process: Process,
    /// Open files without a crowd.
    files: u64,
}

/// What a row of the matrix measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Load {
    readers: usize,
    pages: usize,
    mode: Mode,
}

/// What one server's rounds gave.
struct Row {
    load: Load,
    server: &'static str,
    rates: Vec<f64>,
    /// Microseconds a delivery.
    cpu: Vec<f64>,
    /// p50, p99, p99.9 and the longest, milliseconds.
    latencies: [Vec<f64>; 4],
    /// The part of one core that the crowd used.
    crowd_load: Vec<f64>,
    /// The part of one core that the server used.
    server_load: Vec<f64>,
}

/// The medians of a row's rounds; of the longest latencies, the longest.
struct Medians {
    rate: f64,
    cpu: f64,
    latencies: [f64; 4],
    crowd_load: f64,
    server_load: f64,
}

/// All rows: of each load as many as there are servers, the bare loop's first.
pub struct Results {
    servers: usize,
    rows: Vec<(Load, &'static str, Medians)>,
    /// Of each line.
    bytes: Option<u64>,
}

impl Mode {
    fn name(self) -> String {
        match self {
            Mode::Calibrated => "paced".into(),
            Mode::Paced(rate) => rate.to_string(),
            Mode::Saturated => "saturated".into(),
        }
    }
}

impl Server {
    pub fn new(name: &'static str, address: SocketAddr, process: Process) -> Server {
        let endpoint = Endpoint { address, target: "/ws/comments/?page={page}".into() };
        Server { name, endpoint, process, files: process.files() }
    }

    pub fn join(&self, size: Size) -> Result<Crowd, String> {
        Crowd::join(&self.endpoint, Format::Lines, size).map_err(|why| self.error(why))
    }

    fn wait_until_left(&self) -> Result<(), String> {
        match self.process.wait_for_files(self.files + 8, TIMEOUT) {
            true => Ok(()),
            false => Err(self.error("connections stay open after their peers have closed them")),
        }
    }

    fn error(&self, why: impl fmt::Display) -> String {
        format!("{}: {why}", self.name)
    }
}

impl Load {
    fn size(self) -> Size {
        // About as many comments in flight on many pages as on one.
        let authors = if self.pages == 1 { AUTHORS } else { self.pages };
        Size { readers: self.readers, authors, pages: self.pages }
    }

    fn pace(self) -> Pace {
        match self.mode {
            Mode::Calibrated => calibration::pace(RATE_TINY),
            Mode::Paced(rate) => calibration::pace(rate),
            Mode::Saturated => {
                let in_flight = (AUTHORS * IN_FLIGHT).div_ceil(self.size().authors);
                Pace::InFlight(in_flight as u64)
            }
        }
    }
}

/// All modes for so many readers on so many pages; the servers take turns.
pub fn measure(
    options: &Options,
    readers: usize,
    pages: usize,
    servers: &[Server],
    results: &mut Results,
) -> Result<(), String> {
    let load = |mode| Load { readers, pages, mode };
    let size = load(Mode::Saturated).size();
    let stays_connected = (readers + size.authors) * servers.len() <= CONNECTIONS_MAX;
    let mut crowds: Vec<Option<Crowd>> = servers.iter().map(|_| None).collect();
    let mut modes = options.modes.clone();
    if options.measures && modes.contains(&Mode::Calibrated) {
        let mut crowd = servers[0].join(size)?;
        let rate = calibration::find_rate(&servers[0], &mut crowd, readers.div_ceil(pages))?;
        modes.iter_mut().filter(|mode| **mode == Mode::Calibrated).for_each(|mode| {
            *mode = Mode::Paced(rate);
        });
        drop(crowd);
        servers[0].wait_until_left()?;
    }
    let mut rows: Vec<Row> = modes
        .into_iter()
        .flat_map(|mode| servers.iter().map(move |server| Row::new(load(mode), server.name)))
        .collect();
    for _ in 0..options.rounds(readers, pages) {
        for (number, row) in rows.iter_mut().enumerate() {
            let number = number % servers.len();
            let (server, crowd) = (&servers[number], &mut crowds[number]);
            let joined = match crowd.take() {
                Some(crowd) => crowd,
                None => server.join(size)?,
            };
            let joined = crowd.insert(joined);
            let timing = options.timing(readers, pages);
            let round = joined.round(row.load.pace(), timing, &[server.process]);
            let outcome = round.map_err(|why| server.error(why))?;
            results.check_length(&outcome, server.name)?;
            row.add(&outcome);
            if !stays_connected {
                *crowd = None;
                server.wait_until_left()?;
            }
        }
    }
    drop(crowds);
    servers.iter().try_for_each(Server::wait_until_left)?;
    results.rows.extend(rows.into_iter().map(|row| (row.load, row.server, row.medians())));
    Ok(())
}

impl Row {
    fn new(load: Load, server: &'static str) -> Row {
        let (rates, cpu, latencies, crowd_load, server_load) = Default::default();
        Row { load, server, rates, cpu, latencies, crowd_load, server_load }
    }

    fn add(&mut self, outcome: &Outcome) {
        let (deliveries, window) = (outcome.counts.deliveries as f64, outcome.window.as_secs_f64());
        self.rates.push(deliveries / window);
        self.cpu.push(outcome.cpu.as_secs_f64() * 1e6 / deliveries);
        self.crowd_load.push(outcome.own_cpu.as_secs_f64() / window);
        self.server_load.push(outcome.cpu.as_secs_f64() / window);
        for (at, part) in [0.5, 0.99, 0.999].into_iter().enumerate() {
            self.latencies[at].push(outcome.latency.percentile(part).as_secs_f64() * 1e3);
        }
        self.latencies[3].push(outcome.latency.max().as_secs_f64() * 1e3);
    }

    fn medians(mut self) -> Medians {
        let [p50, p99, p999, max] = &mut self.latencies;
        Medians {
            rate: median(&mut self.rates),
            cpu: median(&mut self.cpu),
            latencies: [median(p50), median(p99), median(p999), percentile(max, 1.0)],
            crowd_load: median(&mut self.crowd_load),
            server_load: median(&mut self.server_load),
        }
    }
}

impl Results {
    /// For so many servers.
    pub fn new(servers: usize) -> Results {
        Results { servers, rows: Vec::new(), bytes: None }
    }

    /// All servers must send lines of the same length, or they could not be compared.
    fn check_length(&mut self, outcome: &Outcome, server: &str) -> Result<(), String> {
        let counts = &outcome.counts;
        if counts.deliveries == 0 {
            return Err(format!("{server}: nothing is delivered in {:?}", outcome.window));
        }
        let bytes = *self.bytes.get_or_insert(counts.bytes / counts.deliveries);
        match bytes * counts.deliveries == counts.bytes {
            true => Ok(()),
            false => Err(format!(
                "{server}: {} bytes in {} lines, which have {bytes} elsewhere",
                counts.bytes, counts.deliveries
            )),
        }
    }

    /// Adds sayso's rows that have bars.
    pub fn judge(&self, options: &Options, syncs: &mut [f64], table: &mut Table) {
        let (sync, sync_p99) = (percentile(syncs, 0.5) * 1e3, percentile(syncs, 0.99) * 1e3);
        let readers = options.judged_readers();
        let pair = |is_saturated| {
            let is_wanted = |load: &Load| {
                let is_of_mode = (load.mode == Mode::Saturated) == is_saturated;
                (load.readers, load.pages) == (readers, 1) && is_of_mode
            };
            let at = self.rows.iter().position(|row| is_wanted(&row.0))?;
            Some((self.rows[at].0.mode.name(), &self.rows[at].2, &self.rows[at + 1].2))
        };
        if let Some((_, bare, sayso)) = pair(true) {
            let what =
                format!("deliveries/s, saturated, {} readers of one page", digits(readers as f64));
            table.ratio(&what, sayso.rate, "bare loop", bare.rate, Bar::AtLeast(0.95));
        }
        let Some((rate, bare, sayso)) = pair(false) else { return };
        let load = bare.server_load * 100.0;
        let what = format!("CPU of a delivery, µs, {rate} comments/s (bare loop {load:.0} % busy)");
        table.ratio(&what, sayso.cpu, "bare loop", bare.cpu, Bar::AtMost(1.1));
        let (what, p99) = (format!("push latency p99, ms, {rate} comments/s"), bare.latencies[1]);
        let limit = 1.2 * p99 + sync;
        table.ratio(&what, sayso.latencies[1], "1.2 × bare loop + sync", limit, Bar::AtMost(1.0));
        let by_p99 = sayso.latencies[1] / (1.2 * p99 + sync_p99);
        table.note(
            &what,
            &format!(
                "bare loop {p99:.2}; one fdatasync p50 {sync:.2}, p99 {sync_p99:.2}; with the latter the ratio is {by_p99:.2}"
            ),
        );
    }
}

/// Markdown, with columns.
impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return Ok(());
        }
        let head = "readers|pages|comments/s|server|deliveries/s|×|CPU µs|×|p50 ms|p99|×|p99.9|max|load|crowd";
        let mut rows = vec![head.split('|').map(String::from).collect::<Vec<_>>()];
        for (at, (load, server, medians)) in self.rows.iter().enumerate() {
            let beside = &self.rows[at - at % self.servers].2;
            let ratio = |value: f64, beside: f64| format!("{:.2}", value / beside);
            let [p50, p99, p999, max] = medians.latencies;
            rows.push(vec![
                load.readers.to_string(),
                load.pages.to_string(),
                load.mode.name(),
                (*server).to_owned(),
                digits(medians.rate),
                ratio(medians.rate, beside.rate),
                digits(medians.cpu),
                ratio(medians.cpu, beside.cpu),
                digits(p50),
                digits(p99),
                ratio(p99, beside.latencies[1]),
                digits(p999),
                digits(max),
                format!("{:.0} %", medians.server_load * 100.0),
                format!("{:.0} %", medians.crowd_load * 100.0),
            ]);
        }
        write!(f, "{}", markdown(&rows, |column| column != 3))?;
        if let Some(bytes) = self.bytes {
            writeln!(
                f,
                "Lines of {bytes} bytes; × is beside the bare loop; CPU is the server's, a delivery; load and crowd: the parts of a core that the\n\
                 server and the crowd's one thread use. {AUTHORS} authors, on more pages one each; saturated: at least {} comments in flight.\n\
                 Medians of rounds; the longest of all.",
                AUTHORS * IN_FLIGHT
            )?;
        }
        Ok(())
    }
}
