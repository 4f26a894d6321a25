//! Comments to a crowd, from each server in turn, and what of it is held against a bar.

use std::{fmt, net::SocketAddr, time::Duration};

use rig::{
    crowd::{Crowd, Outcome, Pace, Size},
    place::Place,
    process::Process,
    speech::Tongue,
    table::{Bar, Table, digits, markdown, median, percentile},
};

use crate::{Asked, JUDGED_READERS};

/// On one page.
const AUTHORS: usize = 8;
/// Of each author, saturated.
const ON_THE_WAY: usize = 16;
/// What this process may have open for the crowds of all servers at once; beyond, each turn connects anew.
const CONNECTIONS_MAX: usize = 9_000;
/// How long a server may take to forget a crowd.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than two cores can deliver, by far: sayso would close readers who don't keep up, as it should.
const DELIVERIES_A_SECOND_MAX: usize = 2_000_000;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// So many comments a second.
    Paced(usize),
    /// As much as can be.
    Saturated,
}

/// Somebody who delivers.
pub struct Server {
    name: &'static str,
    place: Place,
    process: Process,
    /// Open files without a crowd.
    files: u64,
}

/// One line of the sheet before its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    readers: usize,
    pages: usize,
    mode: Mode,
}

/// What one server's turns gave.
struct Row {
    work: Work,
    server: &'static str,
    rates: Vec<f64>,
    /// Microseconds a delivery.
    cpu: Vec<f64>,
    /// p50, p99, p99.9, max, milliseconds.
    latencies: [Vec<f64>; 4],
    /// The crowd's share of one core.
    busy: Vec<f64>,
}

/// The middle of a row's turns; of the longest latencies, the longest.
struct Middle {
    rate: f64,
    cpu: f64,
    latencies: [f64; 4],
    busy: f64,
}

/// All that was measured: of each work as many rows as there are servers, the bare loop's first.
pub struct Sheet {
    servers: usize,
    rows: Vec<(Work, &'static str, Middle)>,
    /// Of each line.
    bytes: Option<u64>,
}

impl Mode {
    pub fn name(self) -> String {
        match self {
            Mode::Paced(rate) => rate.to_string(),
            Mode::Saturated => "saturated".into(),
        }
    }
}

impl Server {
    pub fn new(name: &'static str, address: SocketAddr, process: Process) -> Server {
        let place = Place { address, target: "/ws/comments/?page={page}".into() };
        Server { name, place, process, files: process.files() }
    }

    fn join(&self, size: Size) -> Result<Crowd, String> {
        Crowd::join(&self.place, Tongue::Lines, size).map_err(|why| format!("{}: {why}", self.name))
    }

    fn settle(&self) -> Result<(), String> {
        match self.process.settles(self.files + 8, PATIENCE) {
            true => Ok(()),
            false => {
                Err(format!("{}: connections stay open when their peers have gone", self.name))
            }
        }
    }
}

impl Work {
    fn size(self) -> Size {
        // About as many comments on their way on many pages as on one.
        let authors = if self.pages == 1 { AUTHORS } else { self.pages };
        Size { readers: self.readers, authors, pages: self.pages }
    }

    fn pace(self) -> Pace {
        match self.mode {
            Mode::Paced(rate) => Pace::Every(Duration::from_secs(1) / rate as u32),
            Mode::Saturated => {
                let on_the_way = (AUTHORS * ON_THE_WAY).div_ceil(self.size().authors);
                Pace::OnTheWay(on_the_way as u64)
            }
        }
    }

    fn is_beyond(self) -> bool {
        match self.mode {
            Mode::Paced(rate) => self.readers / self.pages * rate > DELIVERIES_A_SECOND_MAX,
            Mode::Saturated => false,
        }
    }
}

/// All modes for so many readers on so many pages, the servers turn by turn.
pub fn measure(
    asked: &Asked,
    readers: usize,
    pages: usize,
    servers: &[Server],
    sheet: &mut Sheet,
) -> Result<(), String> {
    let works = asked.modes.iter().map(|mode| Work { readers, pages, mode: *mode });
    let (beyond, works): (Vec<_>, Vec<_>) = works.partition(|work| work.is_beyond());
    for work in beyond {
        println!("left out: {} comments/s to {readers} readers of one page", work.mode.name());
    }
    let Some(size) = works.first().map(|work| work.size()) else { return Ok(()) };
    let mut rows: Vec<Row> = works
        .iter()
        .flat_map(|work| servers.iter().map(|server| Row::new(*work, server.name)))
        .collect();
    let stays = (readers + size.authors) * servers.len() <= CONNECTIONS_MAX;
    let mut crowds: Vec<Option<Crowd>> = servers.iter().map(|_| None).collect();
    for _ in 0..asked.rounds(readers, pages) {
        for (number, row) in rows.iter_mut().enumerate() {
            let number = number % servers.len();
            let (server, crowd) = (&servers[number], &mut crowds[number]);
            let joined = match crowd.take() {
                Some(crowd) => crowd,
                None => server.join(size)?,
            };
            let joined = crowd.insert(joined);
            let turn = joined.turn(row.work.pace(), asked.spell(readers, pages), &[server.process]);
            let outcome = turn.map_err(|why| format!("{}: {why}", server.name))?;
            sheet.check_length(&outcome, server.name)?;
            row.add(&outcome);
            if !stays {
                *crowd = None;
                server.settle()?;
            }
        }
    }
    drop(crowds);
    servers.iter().try_for_each(Server::settle)?;
    sheet.rows.extend(rows.into_iter().map(|row| (row.work, row.server, row.middle())));
    Ok(())
}

impl Row {
    fn new(work: Work, server: &'static str) -> Row {
        let (rates, cpu, latencies, busy) = Default::default();
        Row { work, server, rates, cpu, latencies, busy }
    }

    fn add(&mut self, outcome: &Outcome) {
        let (deliveries, window) = (outcome.counts.deliveries as f64, outcome.window.as_secs_f64());
        self.rates.push(deliveries / window);
        self.cpu.push(outcome.cpu.as_secs_f64() * 1e6 / deliveries);
        self.busy.push(outcome.own_cpu.as_secs_f64() / window);
        for (at, part) in [0.5, 0.99, 0.999].into_iter().enumerate() {
            self.latencies[at].push(outcome.latency.percentile(part).as_secs_f64() * 1e3);
        }
        self.latencies[3].push(outcome.latency.max().as_secs_f64() * 1e3);
    }

    fn middle(mut self) -> Middle {
        let [p50, p99, p999, max] = &mut self.latencies;
        Middle {
            rate: median(&mut self.rates),
            cpu: median(&mut self.cpu),
            latencies: [median(p50), median(p99), median(p999), percentile(max, 1.0)],
            busy: median(&mut self.busy),
        }
    }
}

impl Sheet {
    /// For so many servers.
    pub fn new(servers: usize) -> Sheet {
        Sheet { servers, rows: Vec::new(), bytes: None }
    }

    /// Everybody's lines are as long, or nothing could be compared.
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

    /// Of sayso's rows that have bars.
    pub fn judge(&self, syncs: &mut [f64], table: &mut Table) {
        let (sync, sync_p99) = (percentile(syncs, 0.5) * 1e3, percentile(syncs, 0.99) * 1e3);
        let pair = |mode| {
            let work = Work { readers: JUDGED_READERS, pages: 1, mode };
            let at = self.rows.iter().position(|row| row.0 == work)?;
            Some((&self.rows[at].2, &self.rows[at + 1].2))
        };
        if let Some((bare, sayso)) = pair(Mode::Saturated) {
            let what = "deliveries/s, saturated, 1000 readers of one page";
            table.ratio(what, sayso.rate, "bare loop", bare.rate, Bar::AtLeast(0.95));
        }
        let Some((bare, sayso)) = pair(Mode::Paced(100)) else { return };
        let what = "server CPU per delivery, µs, 100/s to 1000 readers";
        table.ratio(what, sayso.cpu, "bare loop", bare.cpu, Bar::AtMost(1.1));
        let (what, p99) = ("push latency p99, ms, same work", bare.latencies[1]);
        let limit = 1.2 * p99 + sync;
        table.ratio(what, sayso.latencies[1], "1.2 × bare loop + sync", limit, Bar::AtMost(1.0));
        let by_p99 = sayso.latencies[1] / (1.2 * p99 + sync_p99);
        table.note(
            what,
            &format!(
                "bare loop {p99:.2}; one fdatasync p50 {sync:.2}, p99 {sync_p99:.2}; with the latter the ratio is {by_p99:.2}"
            ),
        );
    }
}

/// Markdown, with columns.
impl fmt::Display for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return Ok(());
        }
        let head =
            "readers|pages|comments/s|server|deliveries/s|×|CPU µs|×|p50 ms|p99|×|p99.9|max|crowd";
        let mut rows = vec![head.split('|').map(String::from).collect::<Vec<_>>()];
        for (at, (work, server, middle)) in self.rows.iter().enumerate() {
            let beside = &self.rows[at - at % self.servers].2;
            let ratio = |value: f64, beside: f64| format!("{:.2}", value / beside);
            let [p50, p99, p999, max] = middle.latencies;
            rows.push(vec![
                work.readers.to_string(),
                work.pages.to_string(),
                work.mode.name(),
                (*server).to_owned(),
                digits(middle.rate),
                ratio(middle.rate, beside.rate),
                digits(middle.cpu),
                ratio(middle.cpu, beside.cpu),
                digits(p50),
                digits(p99),
                ratio(p99, beside.latencies[1]),
                digits(p999),
                digits(max),
                format!("{:.0} %", middle.busy * 100.0),
            ]);
        }
        write!(f, "{}", markdown(&rows, |column| column != 3))?;
        if let Some(bytes) = self.bytes {
            writeln!(
                f,
                "Lines of {bytes} bytes; × is beside the bare loop; CPU is the server's, a delivery; crowd is how busy the one thread is that plays\n\
                 everybody. {AUTHORS} authors, on more pages one each; saturated: at least {} comments on their way. Medians of turns, max of all.",
                AUTHORS * ON_THE_WAY
            )?;
        }
        Ok(())
    }
}
