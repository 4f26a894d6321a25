//! What systemd, or whatever plays it, passes on and is told (sd_listen_fds(3), sd_notify(3)): sockets that it has opened, and how the
//! service is. Without it, nothing here does anything.
//!
//! Knows nothing of what is served.

use std::{
    env, fs,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    path::Path,
    process,
    task::Poll,
    time::{Duration, Instant},
};

use crate::{
    error::Error,
    hub::command::{Command, HubHandle, Query},
    net::listen_socket::ListenSocket,
    util::slot::{Slot, slot},
};

/// Sockets that systemd passes, at most: a unit has one or two.
const PASSED_SOCKETS_MAX: u64 = 16;
/// The number of the first one (sd_listen_fds(3)).
const FIRST_PASSED: u64 = 3;
/// How many looks at the hub fit into the time that systemd's watchdog waits. An answer is told at the next look, so that half of the
/// time is over at most.
const LOOKS_PER_WATCHDOG: u32 = 4;

/// Takes over the sockets that were passed to this process, with the names of their units. Must be called before any file is opened.
///
/// # Errors
/// [`Error::Other`] if one of them is none to listen on.
pub fn passed_sockets() -> Result<Vec<ListenSocket>, Error> {
    // What is meant for another process, such as the shell that has started this one, is not looked at.
    if number("LISTEN_PID") != Some(process::id().into()) {
        return Ok(Vec::new());
    }
    let count = number("LISTEN_FDS").unwrap_or(0);
    if count > PASSED_SOCKETS_MAX {
        let why = format!("LISTEN_FDS is {count}, at most {PASSED_SOCKETS_MAX} are allowed");
        return Err(Error::Other(why));
    }
    let has_proc = Path::new("/proc/self/fd").exists();
    for fd in (FIRST_PASSED..).take(count as usize).filter(|_| has_proc) {
        // A link to no file's name, so only the link itself can be looked at.
        if fs::symlink_metadata(format!("/proc/self/fd/{fd}")).is_err() {
            let why = format!(
                "LISTEN_FDS is {count}, but file {fd} is not open; leave LISTEN_FDS and LISTEN_PID to systemd"
            );
            return Err(Error::Other(why));
        }
    }
    let passed = sd_listen_fds::get().map_err(|error| Error::Other(error.to_string()))?;
    let mut sockets = Vec::new();
    for (name, fd) in passed {
        let name = name.as_deref().unwrap_or("unknown");
        let number = FIRST_PASSED + sockets.len() as u64;
        let socket = ListenSocket::passed(fd.into_std()).map_err(|why| {
            Error::Other(format!("file {number} that systemd passes, {name:?}, {why}"))
        })?;
        if let Ok(address) = socket.address() {
            ::log::info!("listening on {address}, which systemd has opened as {name:?}");
        }
        sockets.push(socket);
    }
    Ok(sockets)
}

/// The number in a variable, if there is one.
fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// Tells systemd how the service is.
#[derive(Debug, Default)]
pub struct Notifier(Option<(UnixDatagram, SocketAddr)>);

impl Notifier {
    /// Tells it over `NOTIFY_SOCKET`: a path, or behind `@` a name without a file. Without that variable, tells nothing.
    pub fn from_env() -> Notifier {
        let Some(name) = env::var_os("NOTIFY_SOCKET") else { return Notifier(None) };
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(&name),
        };
        match address.and_then(|address| Ok((UnixDatagram::unbound()?, address))) {
            Ok(socket) => Notifier(Some(socket)),
            Err(error) => {
                ::log::warn!("NOTIFY_SOCKET is {name:?}, which can't be written to: {error}");
                Notifier(None)
            }
        }
    }

    /// The service answers from now on.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    /// Files are being read again, until the next [`ready`](Self::ready). When that began is left out: only a unit with `Type=notify-reload`
    /// needs `MONOTONIC_USEC`, and sayso's has `Type=notify`.
    pub fn reloading(&self) {
        self.send("RELOADING=1");
    }

    /// The service ends.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=stopping");
    }

    fn send(&self, state: &str) {
        if let Some((socket, address)) = &self.0
            && let Err(error) = socket.send_to_addr(state.as_bytes(), address)
        {
            ::log::warn!("systemd can't be told how the service is: {error}");
        }
    }
}

/// Tells systemd's watchdog that the hub answers, so that a hub that hangs ends the process.
pub struct Watchdog<S> {
    hub: HubHandle<S>,
    interval: Duration,
    /// When it looks next.
    pub due: Instant,
    /// Gets the hub's answer to the last look.
    answer: Option<Slot<Vec<(String, u64)>>>,
}

impl<S> Watchdog<S> {
    /// The watchdog that `WATCHDOG_USEC` asks for, unless it asks another process (`WATCHDOG_PID`).
    pub fn from_env(hub: HubHandle<S>) -> Option<Watchdog<S>> {
        let is_other = number("WATCHDOG_PID").is_some_and(|pid| pid != u64::from(process::id()));
        let micros = number("WATCHDOG_USEC").filter(|micros| *micros > 0 && !is_other)?;
        Some(Watchdog::new(hub, Duration::from_micros(micros)))
    }

    fn new(hub: HubHandle<S>, limit: Duration) -> Watchdog<S> {
        Watchdog { hub, interval: limit / LOOKS_PER_WATCHDOG, due: Instant::now(), answer: None }
    }

    /// Tells systemd if the hub has answered since the last look, and asks it again. Waits for nobody.
    pub fn look(&mut self, notifier: &Notifier) {
        self.due = Instant::now() + self.interval;
        if self.has_answered() {
            notifier.send("WATCHDOG=1");
        }
    }

    /// Whether the hub has answered the last look. One that has not been answered stays open.
    fn has_answered(&mut self) -> bool {
        let answered = match self.answer.as_ref().map(Slot::look) {
            Some(Poll::Pending) => return false,
            Some(Poll::Ready(answer)) => answer.is_some(),
            None => false,
        };
        let (take, slot) = slot();
        let query = Command::Query(Query::Count(Vec::new(), take));
        self.answer = self.hub.commands.try_send(query).is_ok().then_some(slot);
        answered
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crossbeam_channel::bounded;

    use super::*;
    use crate::hub::command::Stats;

    #[test]
    fn the_watchdog_is_told_only_of_a_hub_that_answers() {
        let (commands, inbox) = bounded::<Command<()>>(1);
        let hub = HubHandle { commands, stats: Arc::new(Stats::default()) };
        let mut watchdog = Watchdog::new(hub, Duration::from_secs(40));
        assert!(!watchdog.has_answered(), "it was not asked yet");
        for _ in 0..3 {
            assert!(!watchdog.has_answered(), "it hangs");
        }
        let answer = || match inbox.try_recv() {
            Ok(Command::Query(Query::Count(pages, answer))) => {
                answer(pages.into_iter().map(|page| (page, 0)).collect())
            }
            _ => panic!("the hub was not asked"),
        };
        answer();
        assert!(watchdog.has_answered());
        assert!(!watchdog.has_answered(), "each answer counts once");
        answer();
        assert!(watchdog.has_answered());
        drop(inbox);
        assert!(!watchdog.has_answered() && !watchdog.has_answered(), "it has ended");
        assert_eq!(watchdog.interval, Duration::from_secs(10));
    }
}
