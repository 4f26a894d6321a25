//! What of it is measured, and how long: the arguments behind `cargo bench --bench fanout --`.

use std::time::Duration;

use lexopt::{Arg::Long, ValueExt};

use rig::crowd::Spell;

use crate::{JUDGED_READERS, Mode};

const USAGE: &str = "write --readers N, --pages N, --mode 100|1000|saturated, --rounds N, --seconds N, --only slow|work, each at most once";

/// How much is done.
pub struct Asked {
    /// Numbers say something.
    pub measures: bool,
    readers: Vec<usize>,
    pages: Vec<usize>,
    pub modes: Vec<Mode>,
    rounds: Option<usize>,
    window: Option<Duration>,
    /// Appends that are timed, before and after everything.
    pub syncs: usize,
    work: bool,
    /// Slow readers too.
    pub slow: bool,
    /// Readers who keep up, and who don't.
    pub slow_readers: [usize; 2],
    /// How long they sleep, and what time lies between two comments: together more than backlog and sockets hold.
    pub slow_spell: (Duration, Duration),
}

impl Asked {
    /// # Errors
    /// A sentence that says what to write.
    pub fn parse() -> Result<Asked, String> {
        let mut asked = Asked {
            measures: std::env::args().any(|argument| argument == "--bench"),
            readers: vec![100, JUDGED_READERS, 10_000],
            pages: vec![1, 100],
            modes: vec![Mode::Paced(100), Mode::Paced(1_000), Mode::Saturated],
            rounds: None,
            window: None,
            syncs: 200,
            work: true,
            slow: true,
            slow_readers: [900, 100],
            slow_spell: (Duration::from_millis(3_500), Duration::from_millis(1)),
        };
        if !asked.measures {
            asked.readers = vec![6];
            asked.pages = vec![1, 3];
            asked.rounds = Some(1);
            asked.window = Some(Duration::from_millis(100));
            asked.syncs = 5;
            asked.slow_readers = [6, 2];
            asked.slow_spell = (Duration::from_millis(500), Duration::from_micros(100));
        }
        asked.take(lexopt::Parser::from_env()).map_err(|error| format!("{error}; {USAGE}"))?;
        Ok(asked)
    }

    fn take(&mut self, mut parser: lexopt::Parser) -> Result<(), lexopt::Error> {
        while let Some(argument) = parser.next()? {
            // Who tunes one row wants that row.
            self.slow &= matches!(argument, Long("bench" | "rounds" | "only"));
            match argument {
                Long("bench") => {}
                Long("readers") => self.readers = vec![parser.value()?.parse()?],
                Long("pages") => self.pages = vec![parser.value()?.parse()?],
                Long("rounds") => self.rounds = Some(parser.value()?.parse()?),
                Long("seconds") => {
                    let seconds = parser.value()?.parse_with(str::parse::<f64>)?;
                    self.window = Some(Duration::from_secs_f64(seconds));
                }
                Long("mode") => {
                    let name = parser.value()?.string()?;
                    self.modes.retain(|mode| mode.name() == name);
                    if self.modes.is_empty() {
                        return Err(format!("there is no mode {name}").into());
                    }
                }
                Long("only") => match parser.value()?.string()?.as_str() {
                    "slow" => self.work = false,
                    "work" => self.slow = false,
                    other => return Err(format!("there is no part {other}").into()),
                },
                other => return Err(other.unexpected()),
            }
        }
        Ok(())
    }

    /// Readers and pages.
    pub fn crowds(&self) -> Vec<(usize, usize)> {
        if !self.work {
            return Vec::new();
        }
        let pages = |readers| self.pages.iter().map(move |pages| (readers, *pages));
        self.readers.iter().flat_map(|readers| pages(*readers)).collect()
    }

    /// Whether the rows with bars are among what is measured.
    pub fn judges(&self) -> bool {
        self.crowds().contains(&(JUDGED_READERS, 1))
            && self.modes.contains(&Mode::Saturated)
            && self.modes.contains(&Mode::Paced(100))
    }

    pub fn rounds(&self, readers: usize, pages: usize) -> usize {
        self.rounds.unwrap_or(match (readers, pages) {
            (JUDGED_READERS, 1) => 5,
            (..=JUDGED_READERS, _) => 3,
            // Everybody connects anew for each turn.
            _ => 2,
        })
    }

    pub fn spell(&self, readers: usize, pages: usize) -> Spell {
        let is_judged = (readers, pages) == (JUDGED_READERS, 1);
        let window = Duration::from_millis(if is_judged { 2_000 } else { 1_000 });
        let window = self.window.unwrap_or(window);
        Spell { warm_up: window / 5, window }
    }
}
