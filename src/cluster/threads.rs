//! The two threads of a node: `order` calls the script, `stream` reads the stream and hands its lines to the hub.
//!
//! Know what Redis is asked, not what follows from a reply.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use super::{
    call::{CallKind, Reply},
    client::{Client, ClientError, Connection},
    handle::NodeHandle,
    node::Link,
    own_log::base_of,
};
use crate::{
    hub::command::{Command, HubHandle},
    hub::order::Ordered,
    log::chain::ChainedLine,
    store::compact::NEWEST_LINES_KEPT,
    util::slot::slot,
};

/// The pauses before the first, the second and each further try to connect.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(50), Duration::from_millis(150), Duration::from_millis(400)];
/// The pause where nothing can be asked, since the hub has something to do first.
const SHORT_PAUSE: Duration = Duration::from_millis(20);
/// The pause before lines that could not be stored, here or in Redis, are tried again.
const STORAGE_PAUSE: Duration = Duration::from_millis(500);
/// How often it is looked whether the stream is in another run, without having anything to append.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// Runs one of the threads until the node stops.
pub(super) fn run<S>(link: Link, handle: &NodeHandle, client: &mut Client, hub: &HubHandle<S>) {
    let mut tries = 0;
    while !handle.is_stopping() {
        let served = client.connect().and_then(|mut connection| {
            handle.node().connected(link, connection.identity.clone());
            let thread = Thread { link, handle, hub };
            match link {
                Link::Commands => thread.call(&mut connection, &mut tries),
                Link::Lines => thread.read(&mut connection, &mut tries),
            }
        });
        handle.node().lost(link);
        if let Err(ClientError { why, is_refusal }) = served {
            // A connection that stood may have been cut by anybody; it is worth telling only if it can't be made again.
            if is_refusal || tries > 0 {
                handle.note_failure(&why);
            }
            log::debug!("{why}");
        }
        look(handle, hub);
        thread::sleep(PAUSES[tries.min(PAUSES.len() - 1)]);
        tries += 1;
    }
}

/// Makes the hub look whether it can propose, after each step of the node that may allow it: a reply, a wait that is over, a lost connection.
/// The hub looks by itself after it has stored lines. If its inbox is full, it is about to look.
fn look<S>(handle: &NodeHandle, hub: &HubHandle<S>) {
    handle.publish_stats();
    let _ = hub.commands.try_send(Command::Ordered(Ordered::Look));
}

pub(super) fn log_failed(error: &io::Error) -> ClientError {
    ClientError::refusal(format!("the log can't be read: {error}"))
}

/// Refuses a reply that says that somebody else has changed what the nodes keep.
pub(super) fn checked(reply: Reply) -> Result<Reply, ClientError> {
    match reply {
        Reply::Broken(what) => Err(ClientError::refusal(format!(
            "somebody has changed what the nodes keep in Redis ({what}); restore the three keys, or remove all of them"
        ))),
        reply => Ok(reply),
    }
}

struct Thread<'t, S> {
    link: Link,
    handle: &'t NodeHandle,
    hub: &'t HubHandle<S>,
}

impl<S> Thread<'_, S> {
    /// Calls the script whenever there is something to ask.
    fn call(&self, connection: &mut Connection, tries: &mut usize) -> Result<(), ClientError> {
        let mut wait_until = None;
        let mut look_at = Instant::now() + LOOK_INTERVAL;
        while !self.handle.is_stopping() {
            let now = Instant::now();
            if wait_until.is_some_and(|until| until <= now) {
                wait_until = None;
                self.handle.node().waited();
                look(self.handle, self.hub);
            }
            self.handle.look_at_seen_run();
            if look_at <= now {
                look_at = now + LOOK_INTERVAL;
                self.look_at_stream(connection)?;
            }
            if self.ask(connection, tries, &mut wait_until)? {
                continue;
            }
            let _ = self.handle.woken.recv_deadline(wait_until.unwrap_or(look_at).min(look_at));
        }
        Ok(())
    }

    /// Looks at what may have changed although nothing was asked: the history, the run, the time.
    fn look_at_stream(&self, connection: &mut Connection) -> Result<(), ClientError> {
        connection.check_identity()?;
        let time = connection.time()?;
        self.handle.stats.clock.set(time);
        if let Some((run, seq)) = connection.look()? {
            self.handle.node().saw_stream(&run, seq);
        }
        self.handle.publish_stats();
        Ok(())
    }

    /// Asks the next question, if there is one. Returns whether there was.
    fn ask(
        &self,
        connection: &mut Connection,
        tries: &mut usize,
        wait_until: &mut Option<Instant>,
    ) -> Result<bool, ClientError> {
        self.read_ahead()?;
        let (call, has_call) = {
            let mut node = self.handle.node();
            let call = node.next_call(self.link).map_err(|e| log_failed(&e))?;
            (call, node.has_call(self.link))
        };
        // A heal that can't go on has nothing to call, but the attach that it takes instead is to be called at once.
        let Some(call) = call else { return Ok(has_call) };
        let is_attach = matches!(call.kind, CallKind::Attach { .. });
        if is_attach && self.handle.node().was_attached(self.link) {
            connection.check_identity()?;
        }
        let appends = matches!(call.kind, CallKind::Append | CallKind::Heal(_));
        let reply = match connection.call(&call) {
            Err(ClientError { why, is_refusal: true }) if appends => {
                self.refused(&why);
                return Ok(true);
            }
            reply => checked(reply?)?,
        };
        match &reply {
            Reply::Wait(ms) => *wait_until = Some(Instant::now() + Duration::from_millis(*ms)),
            Reply::Appended(seq) => {
                if let CallKind::Heal(_) = call.kind {
                    log::info!("brought Redis lines that it had lost, up to {seq}");
                }
                self.handle.note_appended();
            }
            Reply::Attached(attached) => self.handle.stats.clock.set(attached.now),
            _ => {}
        }
        let is_attached = self.take_reply(call.kind, reply)?;
        if is_attached {
            *tries = 0;
            self.handle.note_attached();
        }
        look(self.handle, self.hub);
        if is_attach && !is_attached {
            // The hub must take over the log's id first, or the log has gone on meanwhile.
            thread::sleep(SHORT_PAUSE);
        }
        Ok(true)
    }

    /// Before an attach, reads what it needs of the log. The node reads that under the lock that the hub takes; by then it is in memory, so that
    /// the hub waits for no slow disk.
    fn read_ahead(&self) -> Result<(), ClientError> {
        let end = {
            let node = self.handle.node();
            let attaches = node.has_call(self.link) && !node.is_link_attached(self.link);
            attaches.then(|| node.end().clone())
        };
        let read = end.map_or(Ok(()), |end| base_of(&end, NEWEST_LINES_KEPT).map(drop));
        read.map_err(|error| log_failed(&error))
    }

    /// Redis has refused lines. The connection stands, but what else is true there is to be found out.
    fn refused(&self, why: &str) {
        self.handle.note_append_refused(why);
        self.handle.node().refused();
        look(self.handle, self.hub);
        thread::sleep(STORAGE_PAUSE);
    }

    /// Gives the node a reply. Returns whether the connection is attached then.
    fn take_reply(&self, kind: CallKind, reply: Reply) -> Result<bool, ClientError> {
        let mut node = self.handle.node();
        node.replied(self.link, kind, reply).map_err(|e| log_failed(&e))?;
        Ok(node.is_link_attached(self.link))
    }

    /// Reads the stream, and hands its lines to the hub.
    fn read(&self, connection: &mut Connection, tries: &mut usize) -> Result<(), ClientError> {
        let mut has_failed = false;
        while !self.handle.is_stopping() {
            if self.ask(connection, tries, &mut None)? {
                continue;
            }
            let Some(after) = self.handle.node().read_after() else {
                thread::sleep(SHORT_PAUSE);
                continue;
            };
            let entries = connection.read(after)?;
            let is_empty = entries.as_ref().is_some_and(Vec::is_empty);
            let (lines, was_foreign, is_foreign) = {
                let mut node = self.handle.node();
                let was_foreign = node.has_foreign_entry();
                let lines = entries.map(|entries| node.follow(entries)).unwrap_or_else(|| {
                    node.saw_foreign_entry();
                    Vec::new()
                });
                (lines, was_foreign, node.has_foreign_entry())
            };
            if is_foreign != was_foreign {
                self.handle.log_foreign_entry(is_foreign);
                look(self.handle, self.hub);
            }
            if lines.is_empty() {
                if !is_empty {
                    // It must attach again first, or has parted, of which the hub must hear.
                    look(self.handle, self.hub);
                    thread::sleep(if is_foreign { STORAGE_PAUSE } else { SHORT_PAUSE });
                }
                continue;
            }
            match self.store(lines) {
                Some(Ok(())) if has_failed => {
                    has_failed = false;
                    self.handle.note_attached();
                }
                Some(Ok(())) => {}
                Some(Err(why)) => {
                    has_failed = true;
                    self.handle.note_failure(&format!("lines can't be stored here: {why}"));
                    thread::sleep(STORAGE_PAUSE);
                }
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Waits until the hub has stored lines, or could not. `None`: there is no hub any more.
    fn store(&self, lines: Vec<ChainedLine>) -> Option<Result<(), String>> {
        let (answer, stored) = slot();
        self.hub.commands.send(Command::Ordered(Ordered::Lines(lines, answer))).ok()?;
        let stored = stored.wait();
        self.handle.node().stored();
        self.handle.wake();
        stored
    }
}
