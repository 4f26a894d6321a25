//! What the main thread does once everything runs: waits for a signal to stop, and meanwhile reads files again and tells systemd how it
//! goes.
//!
//! Knows no connection and no comment.

use std::{
    io::{self, Read},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
    low_level::pipe,
};

use crate::{
    cli::block_file::{BlockFile, LOOK_INTERVAL},
    cli::systemd::{Notifier, Watchdog},
    hub::screen::Screen,
};

/// The signals that the process waits for.
pub struct Signals {
    /// Each signal writes a byte. A signal handler may do little more than that.
    bytes: UnixStream,
    /// Whether one of them was a signal to stop.
    stop: Arc<AtomicBool>,
}

/// What there is to do between signals.
pub struct Duties<'a, S> {
    /// What SIGHUP reads again. Each says in the log what it has read, or why it goes on with what it had.
    pub on_hangup: Vec<Box<dyn FnMut()>>,
    /// The block list's file, which is also looked at without a signal.
    pub block_file: Option<BlockFile>,
    /// Where the block list is used.
    pub screen: &'a Screen,
    /// Tells systemd.
    pub notifier: &'a Notifier,
    /// What systemd is told again and again, if it wants that.
    pub watchdog: Option<Watchdog<S>>,
    /// What systemd shows of the service.
    pub status: String,
}

impl Signals {
    /// Catches SIGINT, SIGTERM and SIGHUP from now on.
    ///
    /// # Errors
    /// Returns the operating system's error.
    pub fn install() -> io::Result<Signals> {
        let (bytes, write) = UnixStream::pair()?;
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // Handlers run in this order, so whoever reads the byte finds the flag set.
            flag::register(signal, stop.clone())?;
            pipe::register(signal, write.try_clone()?)?;
        }
        pipe::register(SIGHUP, write)?;
        Ok(Signals { bytes, stop })
    }

    /// Whether a signal to stop has come.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Waits for a signal to stop. SIGHUP, which a closing terminal and scripts that rotate logs send too, is none.
    pub fn wait<S>(mut self, mut duties: Duties<'_, S>) {
        let mut look_at = Instant::now() + LOOK_INTERVAL;
        loop {
            let watch_at = duties.watchdog.as_ref().map(|watchdog| watchdog.due);
            let next =
                duties.block_file.as_ref().map(|_| look_at).into_iter().chain(watch_at).min();
            let now = Instant::now();
            // Zero would be no timeout at all.
            let timeout =
                next.map(|next| next.saturating_duration_since(now).max(Duration::from_millis(1)));
            self.bytes.set_read_timeout(timeout).expect("a socket takes a timeout above zero");
            match self.bytes.read(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(1) if !self.stop.load(Ordering::Relaxed) => duties.hang_up(),
                _ => return,
            }
            let now = Instant::now();
            if now >= look_at {
                look_at = now + LOOK_INTERVAL;
                duties.block_file.iter_mut().for_each(|file| file.look(duties.screen));
            }
            if let Some(watchdog) = duties.watchdog.as_mut().filter(|watchdog| now >= watchdog.due)
            {
                watchdog.look(duties.notifier);
            }
        }
    }
}

impl<S> Duties<'_, S> {
    /// Reads again what can be, and says so.
    fn hang_up(&mut self) {
        self.notifier.reloading();
        let count = self.on_hangup.len() + usize::from(self.block_file.is_some());
        self.on_hangup.iter_mut().for_each(|read_again| read_again());
        self.block_file.iter_mut().for_each(|file| file.reload(self.screen));
        match count {
            0 => ::log::info!(
                "SIGHUP is ignored: there is nothing to read again; flags and variables are read at the start only"
            ),
            _ => ::log::info!(
                "SIGHUP: flags and variables are read at the start only, so a restart is what changes them"
            ),
        }
        self.notifier.ready(&self.status);
    }
}
