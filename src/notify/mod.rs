//! Runs programs for new comments, held ones and flagged ones: `--notify`.
//!
//! A thread a program, beside the hub and never in its way: the hub only says that there is something new, and the thread reads the log from
//! its own cursor at its own pace. So a slow program costs no memory, and a flood of comments no backlog. Knows no route and no reader.
#![doc = include_str!("README.md")]

pub mod child;
pub mod cursor;
pub mod event;
mod follow;
pub mod program;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use crossbeam_channel::{Receiver, bounded};

use crate::{
    hub::command::HubHandle,
    hub::news::Listener,
    notify::{
        child::RUN_TIMEOUT, cursor::Cursor, event::Addresses, follow::Follower, program::Program,
    },
    util::{stream::Stream, threads},
};

/// Name of the folder with the cursors in the data folder.
pub const FOLDER: &str = "notify";
/// The first and the longest time between two tries of a program that fails. It doubles with each.
const RETRY_INTERVALS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));
/// The shortest time between two digests of a program.
const DIGEST_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// Events in full of one digest. Those beyond are counted.
const DIGEST_EVENTS_MAX: usize = 100;
/// Bytes of the events of one digest, and one more event.
const DIGEST_BYTES_MAX: usize = 1024 * 1024;

/// Why something was not told.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// sayso stops.
    Stopping,
    /// Something else; in words.
    Why(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Why(error.to_string())
    }
}

/// The threads that run programs.
pub struct Notifiers {
    hub: HubHandle<Arc<Stream>>,
    /// Whether they are to end.
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Notifiers {
    /// Starts a thread for each program. `folder` is that of their cursors. Where a program has no cursor yet, or one of another log, its
    /// cursor is the log's present end, the id of the log and its highest `seq`.
    ///
    /// # Errors
    /// Fails if a thread can't be started.
    pub fn start(
        programs: &[Program],
        folder: &Path,
        (log, end): (&str, u64),
        hub: &HubHandle<Arc<Stream>>,
        addresses: Addresses,
    ) -> io::Result<Notifiers> {
        let stop = Arc::<AtomicBool>::default();
        let follower = Arc::new(Follower { hub: hub.clone(), addresses });
        let (mut threads, mut listeners) = (Vec::new(), Vec::new());
        for (number, program) in programs.iter().enumerate() {
            let (wake, woken) = bounded(1);
            let (seq, failures) = (AtomicU64::new(end), AtomicU64::new(0));
            let listener = Arc::new(Listener { name: program.name.clone(), wake, seq, failures });
            listeners.push(listener.clone());
            let mut notifier = Notifier {
                path: folder.join(&program.name),
                program: program.clone(),
                follower: follower.clone(),
                listener,
                cursor: Cursor { log: log.to_owned(), seq: end, told_at: 0 },
                has_begun: false,
                is_saved: false,
                woken,
                stop: stop.clone(),
            };
            if !notifier.program.is_there() {
                let path = &notifier.program.words[0];
                notifier.warn(&format!("is not there, {path}; it is tried all the same"));
            }
            // Before anybody can post. What fails now is tried again before anything is told.
            if notifier.begin().is_ok() {
                let _ = notifier.save();
            }
            threads.push(threads::start(format!("notify-{number}"), move || notifier.run())?);
        }
        hub.stats.listeners.set(listeners).expect("the programs are started once");
        Ok(Notifiers { hub: hub.clone(), stop, threads })
    }

    /// Ends the threads. A program that runs has [`child::STOP_TIMEOUT`] left; if it is killed then, its event is told again after the next
    /// start.
    pub fn stop(self) {
        let Notifiers { hub, stop, threads } = self;
        stop.store(true, Relaxed);
        for listener in hub.stats.listeners.get().into_iter().flatten() {
            // It may be full, and the thread awake.
            let _ = listener.wake.try_send(());
        }
        for thread in threads {
            if thread.join().is_err() {
                ::log::error!("a thread has panicked");
            }
        }
    }
}

/// What one thread owns.
struct Notifier {
    program: Program,
    follower: Arc<Follower>,
    listener: Arc<Listener>,
    /// The file with the cursor.
    path: PathBuf,
    cursor: Cursor,
    /// Whether the file was read; before that, it must not be replaced.
    has_begun: bool,
    /// Whether the file has what was told last.
    is_saved: bool,
    woken: Receiver<()>,
    stop: Arc<AtomicBool>,
}

impl Notifier {
    fn run(mut self) {
        let mut failures = 0;
        while !self.has_ended(Duration::ZERO) {
            match self.tell_next() {
                Ok(true) => failures = 0,
                Ok(false) => {
                    failures = 0;
                    // Whoever could close it keeps it open; when sayso stops, a last message comes.
                    let _ = self.woken.recv();
                }
                Err(Failure::Stopping) => break,
                Err(Failure::Why(why)) => {
                    failures += 1;
                    self.listener.failures.fetch_add(1, Relaxed);
                    let wait = retry_interval(failures);
                    self.warn(&format!(
                        "has failed, the next try is in {} s: {why}",
                        wait.as_secs()
                    ));
                    self.has_ended(wait);
                }
            }
        }
        // What was passed over need not be looked at again.
        if self.has_begun
            && let Err(error) = self.cursor.write(&self.path)
        {
            self.warn(&error.to_string());
        }
    }

    /// Reads the cursor, once, and begins another one at the log's end where there is none or it is not good.
    ///
    /// # Errors
    /// Fails if there may be a good one that can't be read now: it stays, and what came behind it is told once it can be read.
    fn begin(&mut self) -> Result<(), Failure> {
        if self.has_begun {
            return Ok(());
        }
        let Cursor { log, seq: end, .. } = &self.cursor;
        match Cursor::read(&self.path) {
            Ok(None) => {}
            Ok(Some(cursor)) if cursor.log == *log && cursor.seq <= *end => {
                (self.cursor, self.is_saved) = (cursor, true);
                self.publish();
            }
            Err(error) if error.kind() != io::ErrorKind::InvalidData => {
                return Err(Failure::Why(format!("its cursor can’t be read: {error}")));
            }
            read => {
                let why = match read {
                    Err(_) => "is damaged",
                    Ok(Some(cursor)) if cursor.log != *log => "is of another log",
                    Ok(_) => "is behind the log’s end",
                };
                let what = "begins at the log’s end, what came before is not told: its cursor";
                self.warn(&format!("{what} {why}"));
            }
        }
        self.has_begun = true;
        Ok(())
    }

    /// Tells the next event, or the next digest. Returns whether there was anything to tell.
    fn tell_next(&mut self) -> Result<bool, Failure> {
        self.begin()?;
        // Nothing more is told before this is noted, or it could be told twice.
        self.save()?;
        let (seq, input) = match self.program.is_digest {
            true => self.digest()?,
            false => self.follower.next(self.cursor.seq)?,
        };
        let Some(input) = input else {
            self.cursor.seq = seq;
            self.publish();
            return Ok(false);
        };
        let mut input_path = self.path.clone().into_os_string();
        input_path.push(".input");
        child::run(&self.program.words, &input, Path::new(&input_path), RUN_TIMEOUT, &self.stop)?;
        self.cursor.told(seq, SystemTime::now());
        self.is_saved = false;
        self.publish();
        self.save()?;
        Ok(true)
    }

    /// All events since the last digest, once an hour at most.
    fn digest(&self) -> Result<(u64, Option<Vec<u8>>), Failure> {
        self.has_ended(DIGEST_INTERVAL.saturating_sub(self.cursor.age(SystemTime::now())));
        let mut digest = b"{\"event\":\"digest\",\"events\":[".to_vec();
        let (mut seq, mut count, mut more) = (self.cursor.seq, 0, 0);
        while !self.has_ended(Duration::ZERO) {
            let (at, event) = self.follower.next(seq)?;
            seq = at;
            let Some(event) = event else {
                digest.extend_from_slice(format!("],\"more\":{more}}}").as_bytes());
                return Ok((seq, Some(digest).filter(|_| count > 0)));
            };
            if count == DIGEST_EVENTS_MAX || digest.len() > DIGEST_BYTES_MAX {
                more += 1;
                continue;
            }
            if count > 0 {
                digest.push(b',');
            }
            digest.extend_from_slice(&event);
            count += 1;
        }
        Err(Failure::Stopping)
    }

    fn save(&mut self) -> io::Result<()> {
        if !self.is_saved {
            self.cursor.write(&self.path)?;
            self.is_saved = true;
        }
        Ok(())
    }

    fn publish(&self) {
        self.listener.seq.store(self.cursor.seq, Relaxed);
    }

    /// Says something of the program. Its arguments are not named: they may be secrets.
    fn warn(&self, what: &str) {
        ::log::warn!("--notify {} {what}", self.program.name);
    }

    /// Waits so long, and returns whether sayso stops.
    fn has_ended(&self, wait: Duration) -> bool {
        let end = Instant::now() + wait;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if self.stop.load(Relaxed) || left.is_zero() {
                return self.stop.load(Relaxed);
            }
            // What is new meanwhile is found anyway.
            let _ = self.woken.recv_timeout(left);
        }
    }
}

/// How long to wait after so many failures in a row.
fn retry_interval(failures: u32) -> Duration {
    let (first, longest) = RETRY_INTERVALS;
    longest.min(first * (1 << (failures - 1).min(16)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_is_tried_after_a_second_and_then_ever_more_rarely() {
        let waits: Vec<u64> = (1..=12).map(|failures| retry_interval(failures).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
        assert_eq!(retry_interval(u32::MAX), Duration::from_secs(600));
    }
}
