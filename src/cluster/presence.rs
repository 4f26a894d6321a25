//! Readers and typing of all machines, over the Redis channel `sayso:NAME:live`.
//!
//! A thread of its own, `presence`, with a connection of its own: it publishes what the hub has left for it, at most once a second, and
//! everything every 10 s; and it tells the hub what it hears, at most once a second. Losing a message is harmless. Nobody waits for this
//! thread: the hub only leaves something in a mailbox. Knows no line and no stream.

mod elsewhere;
mod message;

use std::{
    collections::HashMap,
    io, mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded};
use elsewhere::{NODE_PAGES_MAX, ReadersElsewhere, TYPING_PAGES_MAX};
use message::{Message, encode};
use redis::{
    Client, Connection, ConnectionInfo, ErrorKind, ProtocolVersion, PushKind, RedisError,
    RedisResult, Value,
};

use super::{client::ClientError, connector::Connector};
use crate::{hub::order::Presence, util::threads};

/// The shortest time between two publications of a machine, and between two messages to its hub.
const TELL_INTERVAL: Duration = Duration::from_secs(1);
/// How often a machine publishes everything. [`elsewhere::SILENCE_MAX`] is three times as long, so two losses are made good.
const ALL_INTERVAL: Duration = Duration::from_secs(4);
/// How long one read waits, and so how late the mailbox may be looked at.
const READ_TIMEOUT: Duration = Duration::from_millis(250);
/// How long connecting may take, and Redis taking what is published. Longer than [`super::client::CONNECT_TIMEOUT`]: nothing waits for it.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);
/// The time between two tries to connect.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// A connection over which nothing has come for so long is dead, since what is published comes back to whoever has published it.
const DEAF_MAX: Duration = Duration::from_secs(10);

/// How long the end of this machine waits for the thread, which may be connecting or have nobody to say farewell to.
const STOP_DEADLINE: Duration = Duration::from_secs(1);

/// What is done with what is heard. Called by the thread `presence`, which may wait in it.
pub struct Listeners {
    /// Takes how many readers the pages of all other machines have now, those whose numbers have changed, and who types there.
    pub on_presence: Box<dyn FnMut(Presence) + Send>,
    /// Takes the mark of the run that another machine speaks, each time that it says so.
    pub on_run: Box<dyn FnMut(&str) + Send>,
}

/// The thread; dropping this ends it, once it has told the others that this machine's readers are gone.
pub struct PresenceChannel {
    shared: Arc<SharedMailbox>,
    thread: Thread,
    /// Disconnected once the thread has ended.
    end: Receiver<()>,
}

impl PresenceChannel {
    /// Starts the thread for the cluster called `name`. It connects by itself, and again whenever the connection is lost.
    ///
    /// # Errors
    /// Fails if there is no random number, or no thread, or if `redis` names no server.
    pub fn start(
        redis: &ConnectionInfo,
        name: &str,
        listeners: Listeners,
    ) -> io::Result<PresenceChannel> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::from)?;
        // Of this protocol version, messages and replies come over one connection.
        let settings = redis.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(redis.clone().set_redis_settings(settings));
        let client = client.map_err(io::Error::other)?;
        let shared = Arc::<SharedMailbox>::default();
        let mut worker = Worker {
            connector: Connector::new(move || client.get_connection_with_timeout(SEND_TIMEOUT)),
            channel: format!("sayso:{name}:live"),
            shared: shared.clone(),
            listeners,
            own: Own::new(u64::from_be_bytes(random)),
            elsewhere: ReadersElsewhere::new(u64::from_be_bytes(random)),
            hub_told: Instant::now(),
            is_failing: false,
        };
        let (running, end) = bounded(0);
        let thread = threads::start("presence", move || {
            worker.run();
            drop::<Sender<()>>(running);
        })?;
        Ok(PresenceChannel { shared, thread: thread.thread().clone(), end })
    }

    /// Leaves what others are to be told. Waits for nobody.
    pub fn tell(&self, presence: Presence) {
        let mut mailbox = self.shared.mailbox();
        for (page, readers) in presence.readers {
            // The thread empties it several times a second; it is full only while the thread connects.
            if mailbox.readers.len() < NODE_PAGES_MAX || mailbox.readers.contains_key(&page) {
                mailbox.readers.insert(page, readers);
            }
        }
        let room = TYPING_PAGES_MAX - mailbox.typing.len();
        mailbox.typing.extend(presence.typing.into_iter().take(room));
    }

    /// Sets the mark of the run that this machine speaks. Others are told within a second.
    pub fn set_run(&self, run: &Arc<str>) {
        self.shared.mailbox().run = Some(run.clone());
    }
}

impl Drop for PresenceChannel {
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Relaxed);
        self.thread.unpark();
        let _ = self.end.recv_timeout(STOP_DEADLINE);
    }
}

#[derive(Default)]
struct SharedMailbox {
    mailbox: Mutex<Mailbox>,
    is_stopping: AtomicBool,
}

impl SharedMailbox {
    fn mailbox(&self) -> MutexGuard<'_, Mailbox> {
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the hub leaves for the thread.
#[derive(Default)]
struct Mailbox {
    readers: HashMap<Arc<str>, u32>,
    typing: Vec<(Arc<str>, Box<str>)>,
    /// A mark that others have not been told of.
    run: Option<Arc<str>>,
}

/// This machine's readers, as others are told of them.
struct Own {
    node: u64,
    run: Option<Arc<str>>,
    /// Pages with readers.
    pages: HashMap<Arc<str>, u32>,
    /// Pages whose number others have not been told of.
    changed: HashMap<Arc<str>, u32>,
    typing: Vec<(Arc<str>, Box<str>)>,
    /// Whether this machine may have missed what others have said.
    asks: bool,
    /// When others were told last.
    told: Option<Instant>,
    /// When they are told everything.
    all_due: Option<Instant>,
}

impl Own {
    fn new(node: u64) -> Own {
        Own {
            node,
            run: None,
            pages: HashMap::new(),
            changed: HashMap::new(),
            typing: Vec::new(),
            asks: false,
            told: None,
            all_due: None,
        }
    }

    fn take_in(&mut self, mailbox: Mailbox) {
        for (page, readers) in mailbox.readers {
            if readers == 0 {
                self.pages.remove(&page);
            } else if self.pages.len() < NODE_PAGES_MAX || self.pages.contains_key(&page) {
                self.pages.insert(page.clone(), readers);
            } else {
                continue;
            }
            if self.changed.len() < NODE_PAGES_MAX || self.changed.contains_key(&page) {
                self.changed.insert(page, readers);
            } else {
                self.all_due = None;
            }
        }
        let room = TYPING_PAGES_MAX - self.typing.len();
        self.typing.extend(mailbox.typing.into_iter().take(room));
        if mailbox.run.is_some() {
            (self.run, self.all_due) = (mailbox.run, None);
        }
    }

    /// Returns the messages that are due: what has changed, or everything.
    fn due(&mut self, now: Instant) -> Vec<String> {
        if self.told.is_some_and(|told| now < told + TELL_INTERVAL) {
            return Vec::new();
        }
        let is_all = self.all_due.is_none_or(|due| now >= due);
        if !is_all && self.changed.is_empty() && self.typing.is_empty() {
            return Vec::new();
        }
        let mut readers = mem::take(&mut self.changed);
        if is_all {
            self.all_due = Some(now + ALL_INTERVAL);
            readers.extend(self.pages.iter().map(|(page, readers)| (page.clone(), *readers)));
        }
        self.told = Some(now);
        let (asks, typing) = (mem::take(&mut self.asks), mem::take(&mut self.typing));
        encode(
            self.node,
            self.run.as_deref(),
            asks,
            &Presence { readers: readers.into_iter().collect(), typing },
        )
    }

    /// Returns the messages that tell others of no readers any more.
    fn farewell(&self) -> Vec<String> {
        let readers = self.pages.keys().map(|page| (page.clone(), 0)).collect();
        encode(self.node, self.run.as_deref(), false, &Presence { readers, typing: Vec::new() })
    }
}

struct Worker {
    connector: Connector<Connection>,
    channel: String,
    shared: Arc<SharedMailbox>,
    listeners: Listeners,
    own: Own,
    elsewhere: ReadersElsewhere,
    /// When the hub was told last.
    hub_told: Instant,
    /// Whether the log has been told that there is no connection.
    is_failing: bool,
}

impl Worker {
    fn run(&mut self) {
        while !self.is_stopping() {
            match self.connect().and_then(|connection| self.talk(connection)) {
                Ok(()) => return,
                Err(error) => self.fail(error),
            }
            let retry = Instant::now() + RETRY_INTERVAL;
            while Instant::now() < retry && !self.is_stopping() {
                self.tell_hub();
                thread::park_timeout(READ_TIMEOUT);
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.shared.is_stopping.load(Relaxed)
    }

    fn fail(&mut self, error: RedisError) {
        if !mem::replace(&mut self.is_failing, true) {
            let ClientError { why, .. } = error.into();
            log::warn!("readers of other machines are not counted: {why}");
        }
    }

    fn connect(&mut self) -> RedisResult<Connection> {
        let mut connection = self.connector.connect(SEND_TIMEOUT)?;
        connection.set_read_timeout(Some(READ_TIMEOUT))?;
        connection.set_write_timeout(Some(SEND_TIMEOUT))?;
        connection.subscribe_resp3(&self.channel)?;
        self.take_mail();
        // Who typed while there was no connection doesn't any more.
        self.own.typing.clear();
        (self.own.all_due, self.own.asks) = (None, true);
        Ok(connection)
    }

    /// Speaks and listens until this machine stops.
    fn talk(&mut self, mut connection: Connection) -> RedisResult<()> {
        let mut heard = Instant::now();
        loop {
            if self.is_stopping() {
                let farewell = self.own.farewell();
                return self.publish(&mut connection, &farewell);
            }
            self.take_mail();
            let now = Instant::now();
            let due = self.own.due(now);
            self.publish(&mut connection, &due)?;
            match connection.recv_response() {
                Ok(Value::Push { kind: PushKind::Message, data }) => {
                    heard = now;
                    self.hear(&data, now);
                }
                Ok(Value::ServerError(error)) => return Err(error.into()),
                // The subscription, and the replies to what was published.
                Ok(_) => {}
                Err(error) if error.is_timeout() => {}
                Err(error) => return Err(error),
            }
            if now > heard + DEAF_MAX {
                return Err((ErrorKind::Io, "Redis passes on nothing").into());
            }
            self.tell_hub();
        }
    }

    fn take_mail(&mut self) {
        let mailbox = mem::take(&mut *self.shared.mailbox());
        self.own.take_in(mailbox);
    }

    fn publish(&self, connection: &mut Connection, messages: &[String]) -> RedisResult<()> {
        for message in messages {
            let mut command = redis::cmd("PUBLISH");
            command.arg(&self.channel).arg(message);
            // Its reply is read among the messages: waiting for it would lose those that come before.
            connection.send_packed_command(&command.get_packed_command())?;
        }
        Ok(())
    }

    /// Takes in a message: the channel's name and the text.
    fn hear(&mut self, data: &[Value], now: Instant) {
        if mem::take(&mut self.is_failing) {
            log::info!("readers of other machines are counted again");
        }
        let [_, Value::BulkString(bytes)] = data else { return };
        let Some(message) = Message::parse(bytes) else { return };
        if !self.elsewhere.hear(&message, now) {
            return;
        }
        if message.asks {
            self.own.all_due = None;
        }
        if let Some(run) = &message.run {
            (self.listeners.on_run)(run);
        }
    }

    /// Tells the hub what has changed elsewhere, at most once a second.
    fn tell_hub(&mut self) {
        let now = Instant::now();
        if now < self.hub_told + TELL_INTERVAL {
            return;
        }
        self.hub_told = now;
        self.elsewhere.forget(now);
        let presence = self.elsewhere.take_changes();
        if presence != Presence::default() {
            (self.listeners.on_presence)(presence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{message::PRESENCE_MESSAGE_BYTES_MAX, *};

    fn readers(page: &str, readers: u32) -> Mailbox {
        Mailbox { readers: HashMap::from([(page.into(), readers)]), ..Mailbox::default() }
    }

    /// What is due, of at most one message.
    fn due(own: &mut Own, now: Instant) -> Option<Message> {
        let texts = own.due(now);
        assert!(texts.len() <= 1);
        let mut message = Message::parse(texts.first()?.as_bytes()).unwrap();
        message.readers.sort();
        Some(message)
    }

    #[test]
    fn what_has_changed_is_said_once_a_second_and_everything_every_4_seconds() {
        let (mut own, start) = (Own::new(1), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(due(&mut own, at(0)).unwrap().readers, [], "it says that it is there");
        own.take_in(readers("a", 1));
        assert_eq!(due(&mut own, at(999)), None);
        own.take_in(readers("a", 2));
        own.take_in(readers("b", 1));
        assert_eq!(due(&mut own, at(1_000)).unwrap().readers, [("a".into(), 2), ("b".into(), 1)]);
        assert_eq!(due(&mut own, at(3_999)), None, "nothing has changed");
        own.take_in(readers("a", 0));
        let all = due(&mut own, at(4_000)).unwrap();
        assert_eq!(all.readers, [("a".into(), 0), ("b".into(), 1)]);
        assert_eq!(due(&mut own, at(8_000)).unwrap().readers, [("b".into(), 1)]);
        let typing = vec![("b".into(), "Ada".into())];
        own.take_in(Mailbox { typing, ..Mailbox::default() });
        let message = due(&mut own, at(9_000)).unwrap();
        assert_eq!((message.readers.len(), message.typing.len()), (0, 1));
        own.take_in(Mailbox { run: Some("00ff".into()), ..Mailbox::default() });
        let message = due(&mut own, at(10_000)).unwrap();
        assert_eq!((message.run.as_deref(), message.readers.len()), (Some("00ff"), 1));
        let farewell = Message::parse(own.farewell()[0].as_bytes()).unwrap();
        assert_eq!(farewell.readers, [("b".into(), 0)]);
    }

    #[test]
    fn a_machine_tells_of_so_many_pages_at_most() {
        let mut own = Own::new(1);
        for page in 0..=NODE_PAGES_MAX {
            own.take_in(readers(&page.to_string(), 1));
        }
        assert_eq!((own.pages.len(), own.changed.len()), (NODE_PAGES_MAX, NODE_PAGES_MAX));
        own.take_in(readers("0", 7));
        assert_eq!(own.changed["0"], 7);
        let typing = vec![("a".into(), "Ada".into()); TYPING_PAGES_MAX + 1];
        own.take_in(Mailbox { typing, ..Mailbox::default() });
        assert_eq!(own.typing.len(), TYPING_PAGES_MAX);
        let texts = own.due(Instant::now());
        assert!(texts.iter().all(|text| text.len() <= PRESENCE_MESSAGE_BYTES_MAX));
    }
}
