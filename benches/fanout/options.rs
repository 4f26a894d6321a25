//! What of the fan-out is measured, and how long: the arguments behind `cargo bench fanout --`.

use std::time::Duration;

use lexopt::{Arg::Long, ValueExt};

use rig::crowd::Timing;

use super::{JUDGED_READERS, matrix::Mode};
use crate::Arguments;

const USAGE: &str = "write --readers N, --pages N, --mode paced|saturated|N, --rounds N, --seconds N, --only slow|matrix";

/// A value of `--sync`, and what the server is called that runs with it.
type SyncMode = (&'static str, &'static str);
const SYNC_MODES: [SyncMode; 2] = [("always", "sayso, always"), ("never", "sayso, never")];

/// What is measured.
pub struct Options {
    /// False where numbers are tiny and say nothing.
    pub measures: bool,
    /// Whether every row is printed, not only those with bars.
    pub prints_matrix: bool,
    pub sync_modes: &'static [SyncMode],
    readers: Vec<usize>,
    pages: Vec<usize>,
    pub modes: Vec<Mode>,
    rounds: Option<usize>,
    window: Option<Duration>,
    /// Appends that are timed, before and after everything.
    pub syncs: usize,
    matrix: bool,
    /// Slow readers too.
    pub slow: bool,
    /// Readers who keep up, and who don't.
    pub slow_readers: [usize; 2],
    pub slow_rounds: usize,
}

impl Options {
    /// # Errors
    /// A sentence that says what to write.
    pub fn parse(arguments: &Arguments) -> Result<Options, String> {
        let mut options = Options {
            measures: arguments.measures,
            prints_matrix: true,
            sync_modes: &SYNC_MODES,
            readers: vec![100, JUDGED_READERS, 10_000],
            pages: vec![1, 100],
            modes: vec![Mode::Calibrated, Mode::Saturated],
            rounds: None,
            window: None,
            syncs: 200,
            matrix: true,
            slow: true,
            slow_readers: [900, 100],
            slow_rounds: 5,
        };
        if !options.measures {
            options = options.tiny();
        }
        let parser = lexopt::Parser::from_args(arguments.rest.iter().cloned());
        options.read(parser).map_err(|error| format!("{error}; {USAGE}"))?;
        Ok(options)
    }

    /// What the summary needs: the rows with bars.
    pub fn brief(measures: bool) -> Options {
        let arguments = Arguments { measures, rest: Vec::new() };
        let full = Options::parse(&arguments).expect("there are no arguments");
        Options {
            prints_matrix: false,
            sync_modes: &SYNC_MODES[..1],
            readers: vec![full.readers[full.readers.len() / 2]],
            pages: vec![1],
            slow_rounds: full.slow_rounds.min(3),
            ..full
        }
    }

    fn tiny(self) -> Options {
        Options {
            readers: vec![6],
            pages: vec![1, 3],
            rounds: Some(1),
            window: Some(Duration::from_millis(100)),
            syncs: 5,
            slow_readers: [6, 2],
            slow_rounds: 1,
            ..self
        }
    }

    fn read(&mut self, mut parser: lexopt::Parser) -> Result<(), lexopt::Error> {
        while let Some(argument) = parser.next()? {
            // Whoever chooses rows of the matrix wants only those.
            self.slow &= matches!(argument, Long("rounds" | "only"));
            match argument {
                Long("readers") => self.readers = vec![parser.value()?.parse()?],
                Long("pages") => self.pages = vec![parser.value()?.parse()?],
                Long("rounds") => {
                    self.slow_rounds = parser.value()?.parse()?;
                    self.rounds = Some(self.slow_rounds);
                }
                Long("seconds") => {
                    let seconds = parser.value()?.parse_with(str::parse::<f64>)?;
                    self.window = Some(Duration::from_secs_f64(seconds));
                }
                Long("mode") => {
                    self.modes = vec![match parser.value()?.string()?.as_str() {
                        "paced" => Mode::Calibrated,
                        "saturated" => Mode::Saturated,
                        rate => match rate.parse() {
                            Ok(rate @ 1..) => Mode::Paced(rate),
                            _ => return Err(format!("there is no mode {rate}").into()),
                        },
                    }];
                }
                Long("only") => match parser.value()?.string()?.as_str() {
                    "slow" => self.matrix = false,
                    "matrix" => self.slow = false,
                    other => return Err(format!("there is no part {other}").into()),
                },
                other => return Err(other.unexpected()),
            }
        }
        Ok(())
    }

    /// Readers and pages.
    pub fn crowds(&self) -> Vec<(usize, usize)> {
        if !self.matrix {
            return Vec::new();
        }
        let pages = |readers| self.pages.iter().map(move |pages| (readers, *pages));
        self.readers.iter().flat_map(|readers| pages(*readers)).collect()
    }

    /// The number of readers of one page for whom there are bars: any, where numbers are tiny.
    pub fn judged_readers(&self) -> usize {
        if self.measures { JUDGED_READERS } else { self.readers[0] }
    }

    /// Whether the rows with bars are among what is measured.
    pub fn is_judged(&self) -> bool {
        self.crowds().contains(&(self.judged_readers(), 1))
    }

    pub fn rounds(&self, readers: usize, pages: usize) -> usize {
        self.rounds.unwrap_or(match (readers, pages) {
            (JUDGED_READERS, 1) => 5,
            (..=JUDGED_READERS, _) => 3,
            // Everybody connects anew for each round.
            _ => 2,
        })
    }

    pub fn timing(&self, readers: usize, pages: usize) -> Timing {
        let is_judged = (readers, pages) == (JUDGED_READERS, 1);
        let window = Duration::from_millis(if is_judged { 2_000 } else { 1_000 });
        let window = self.window.unwrap_or(window);
        Timing { warm_up: window / 5, window }
    }
}
