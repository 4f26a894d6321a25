//! One WebSocket connection's read side: the handshake (RFC 6455 §4.2), the welcome, and then a thread that reads.
//!
//! tungstenite reads frames; what it wants to write goes to the shard, which alone writes to and ends the socket. Knows no files.

mod handshake;

use std::{
    io::{self, Read, Write},
    net::{IpAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Sender, bounded};
use handshake::{accept_key, follow};
use tungstenite::{
    Error, Message as Received, WebSocket,
    error::ProtocolError,
    protocol::{Role, WebSocketConfig},
};

use crate::{
    comment::draft::{Intent, Message},
    comment::proof_of_work,
    comment::rejection::Reject,
    comment::server_message::{Counts, Hello, ServerMessage},
    fanout::frame::{self, CloseCode},
    fanout::{Order, ReaderId, Tier},
    http::forwarded::Counted,
    http::origin::{self, Origins},
    http::request::{Head, Refusal},
    hub::command::{Asked, By, Change, Follow, Hub, Join, Reply, Request, Welcome},
    limits::MESSAGE_BYTES_MAX,
    util::logger,
    util::threads::{self, READER_STACK_BYTES},
};

/// The subprotocol of clients that want more than lines.
const SUBPROTOCOL: &str = "sayso.1";
/// Nothing heard for so long, three pings unanswered, ends a connection. The socket's own read timeout: no timer per connection.
const SILENCE_MAX: Duration = Duration::from_secs(75);
/// How long a connection that is done is read on, so that its last frames arrive.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long the socket may take for one piece of the history.
const HISTORY_PATIENCE: Duration = Duration::from_secs(10);
/// A piece of history, well inside a socket's send buffer and a reader's backlog.
const HISTORY_PIECE_BYTES: usize = 64 * 1024;
/// The kernel doubles it for its own bookkeeping.
const SEND_BUFFER_BYTES: usize = 128 * 1024;
/// tungstenite would take 128 KiB for each connection; most comments fit in this, larger ones grow it.
const READ_BUFFER_BYTES: usize = 512;
/// Malformed messages in a row before the connection is closed.
const MALFORMED_IN_A_ROW_MAX: u32 = 20;
/// Messages other than posts, pings and pongs, in one second.
const FRAMES_A_SECOND_MAX: u32 = 20;

/// What every session needs.
pub struct Wire {
    /// Where requests go.
    pub hub: Hub<Arc<TcpStream>>,
    /// Reader n belongs to shard n modulo their number.
    pub shards: Vec<Sender<Order<Arc<TcpStream>>>>,
    /// Who may connect.
    pub origins: Origins,
    /// Bits of the proof of work that a comment needs.
    pub challenge: Option<u8>,
}

/// Takes a connection over whose head asks for a WebSocket: answers the handshake, sends the welcome, and starts the thread that
/// reads. `rest` is what the client has sent behind the head, `seat` is dropped when the connection has ended.
///
/// # Errors
/// The HTTP answer that the client gets instead; the socket is untouched then.
pub fn upgrade(
    wire: &Arc<Wire>,
    number: ReaderId,
    socket: Arc<TcpStream>,
    head: &Head,
    rest: Vec<u8>,
    client: IpAddr,
    seat: Box<dyn Send>,
) -> Result<(), Refusal> {
    let accept = accept_key(head)?;
    let host = head.get("host").unwrap_or_default();
    if !wire.origins.admits(head.get("origin"), host) {
        let sentence = origin::refusal(head.get("origin").unwrap_or_default());
        if logger::is_time() {
            log::warn!("a WebSocket was refused: {sentence}");
        }
        return Err(Refusal::new(403, sentence));
    }
    let offered = head.get_all("sec-websocket-protocol").flat_map(|list| list.split(','));
    let tier = if offered.map(str::trim).any(|name| name == SUBPROTOCOL) {
        Tier::Full
    } else {
        Tier::Plain
    };
    let follow = follow(head.query(), tier)?;
    let page = match &follow {
        Follow::Page(page, _) => Some(page.as_str().into()),
        Follow::Counts(_) => None,
    };
    let subprotocol = if tier == Tier::Full { "Sec-WebSocket-Protocol: sayso.1\r\n" } else { "" };
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n{subprotocol}\r\n"
    );
    let shard = wire.shards[(number % wire.shards.len() as u64) as usize].clone();
    let session =
        Session { wire: wire.clone(), shard, number, socket, page, from: Counted::of(client) };
    session.open(answer, follow, tier, rest, seat);
    Ok(())
}

/// A connection, as the thread that reads it has it.
struct Session {
    wire: Arc<Wire>,
    shard: Sender<Order<Arc<TcpStream>>>,
    number: ReaderId,
    socket: Arc<TcpStream>,
    /// `None`: only counts are followed.
    page: Option<Box<str>>,
    from: Counted,
}

impl Session {
    /// All that touches more than a little stack happens here, in the thread that ends; a fresh one then reads. The answer to the
    /// handshake goes with the join, so that whoever has read it misses nothing from then on.
    fn open(self, answer: String, follow: Follow, tier: Tier, rest: Vec<u8>, seat: Box<dyn Send>) {
        let options =
            rustix::net::sockopt::set_socket_send_buffer_size(&*self.socket, SEND_BUFFER_BYTES)
                .map_err(io::Error::from)
                .and_then(|()| self.socket.set_read_timeout(Some(SILENCE_MAX)));
        // A peer that has gone by now is no error; one that can't be given options has gone.
        if options.is_err() {
            return;
        }
        let (sender, welcome) = bounded(1);
        let (reader, sink, greeting) = (self.number, self.socket.clone(), answer.into_bytes());
        let join = Join { reader, sink, greeting, tier, follow, welcome: sender };
        if self.wire.hub.ask(Request::Join(join)).is_err() {
            return;
        }
        let Ok(welcome) = welcome.recv() else { return };
        let end = match self.send_welcome(&welcome, tier) {
            Ok(()) => None,
            Err(error) => {
                // Who goes or does not read is no error, and could fill the disk with such lines.
                if error.kind() != io::ErrorKind::TimedOut {
                    log::warn!("a reader's history was not sent: {error}");
                }
                Some(CloseCode::TryAgain)
            }
        };
        drop(welcome);
        let handle = Arc::new(self);
        let reading = handle.clone();
        let thread = threads::start_connection(handle.number, READER_STACK_BYTES, move || {
            match end {
                // A panic in a connection ends that connection, and properly: its reader must not stay behind.
                None => {
                    if !threads::survive(Box::new(|| reading.read_all(rest))) {
                        reading.finish(None);
                    }
                }
                Some(code) => reading.finish(Some(code)),
            }
            drop(seat);
        });
        if thread.is_err() {
            log::warn!("no thread could be started for a reader");
            handle.finish(Some(CloseCode::TryAgain));
        }
    }

    fn send_welcome(&self, welcome: &Welcome, tier: Tier) -> io::Result<()> {
        let mut frames = Vec::new();
        if tier == Tier::Full && self.page.is_some() {
            frame::text(hello(welcome, self.wire.challenge).as_bytes(), &mut frames);
        }
        let mut result = Ok(());
        welcome.history.read(|item, line| {
            if tier == Tier::Full || item.sight == crate::store::visibility::Sight::Public {
                frame::text(line, &mut frames);
            }
            if frames.len() >= HISTORY_PIECE_BYTES && result.is_ok() {
                result = self.send_and_wait(std::mem::take(&mut frames));
            }
        })?;
        result?;
        if !frames.is_empty() {
            self.order(Order::Send { reader: self.number, frames, sent: None });
        }
        self.order(Order::Live { reader: self.number });
        Ok(())
    }

    /// The socket takes one piece before the next is made, so that a history of any length waits in the log and not in memory.
    fn send_and_wait(&self, frames: Vec<u8>) -> io::Result<()> {
        let (sender, sent) = bounded(1);
        self.order(Order::Send { reader: self.number, frames, sent: Some(sender) });
        sent.recv_timeout(HISTORY_PATIENCE).map_err(|_| io::ErrorKind::TimedOut.into())
    }

    fn read_all(&self, rest: Vec<u8>) {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let stream = Ends { socket: &self.socket, shard: &self.shard, reader: self.number };
        let mut socket = WebSocket::from_partially_read(stream, rest, Role::Server, Some(config));
        let mut patience = Patience::default();
        let close = loop {
            match socket.read() {
                Ok(Received::Text(text)) => {
                    if !self.heed(&text, &mut patience) {
                        break Some(CloseCode::Policy);
                    }
                }
                Ok(Received::Binary(_)) => break Some(CloseCode::Unsupported),
                Ok(Received::Ping(_) | Received::Pong(_)) if !patience.allows_frame() => {
                    break Some(CloseCode::Policy);
                }
                Ok(_) => {}
                Err(error) => break farewell_code(&error),
            }
        };
        drop(socket);
        self.finish(close);
    }

    /// Does what a message says; `false` if there have been too many bad ones.
    fn heed(&self, text: &str, patience: &mut Patience) -> bool {
        let message = Message::parse(text.as_bytes());
        let (done, nonce) = match message {
            Ok(message) => (self.request(&message, patience), message.nonce),
            Err(reject) => (Err(reject), Message::nonce_in(text.as_bytes())),
        };
        patience.judge(done.as_ref().err());
        if let Err(reject) = done {
            self.tell(&reject.to_json(nonce.as_deref()));
        }
        patience.is_left()
    }

    fn request(&self, message: &Message, patience: &mut Patience) -> Result<(), Reject> {
        let page = self
            .page
            .as_deref()
            .ok_or_else(|| Reject::Malformed("a socket with count only listens".into()))?;
        let intent = message.intent(page)?;
        if !matches!(intent, Intent::Post(_)) && !patience.allows_frame() {
            return Err(Reject::TooManyFrames(FRAMES_A_SECOND_MAX));
        }
        let reply = || Reply::Reader(self.number, message.nonce.clone());
        let from = self.from;
        let change = |id, change, author| {
            let by = By { author, moderator: false };
            let asked = Asked { id, page: self.page.clone() };
            Request::Change { asked, change, by, from, reply: reply() }
        };
        self.wire.hub.ask(match intent {
            Intent::Post(draft) => {
                proof_of_work::check(self.wire.challenge, message)?;
                Request::Post { draft, from, reply: reply() }
            }
            Intent::Edit(id, text, author) => change(id, Change::Text(text), author),
            Intent::Delete(id, author) => change(id, Change::Delete, author),
            Intent::Like(id, on, author) => {
                let asked = Asked { id, page: self.page.clone() };
                Request::Like { asked, on, author, from, reply: reply() }
            }
            Intent::Bind(author) => Request::Bind(self.number, author),
            Intent::Typing(name) => Request::Typing(self.number, name),
            Intent::Nothing => return Ok(()),
        })
    }

    fn tell(&self, message: &str) {
        let mut frames = Vec::new();
        frame::text(message.as_bytes(), &mut frames);
        self.order(Order::Send { reader: self.number, frames, sent: None });
    }

    /// Asks the shard to end the connection and reads on until the peer has ended it too.
    fn finish(&self, close: Option<CloseCode>) {
        self.order(Order::Leave { reader: self.number, close });
        let deadline = Instant::now() + FAREWELL;
        let mut unread = [0; 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.socket.set_read_timeout(Some(left)).is_err() {
                break;
            }
            match (&*self.socket).read(&mut unread) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        self.order(Order::Gone { reader: self.number });
        // The hub may have ended before: then nobody counts readers any more.
        let _ = self.wire.hub.ask(Request::Leave(self.number));
    }

    fn order(&self, order: Order<Arc<TcpStream>>) {
        // Shards end last; if one is gone, the process is ending.
        let _ = self.shard.send(order);
    }
}

fn hello(welcome: &Welcome, challenge: Option<u8>) -> String {
    let Welcome { history, readers, resumed } = welcome;
    let hello = Hello {
        log: &history.log,
        seq: history.seq,
        readers: *readers,
        resumed: *resumed,
        challenge,
        likes: Counts(&history.likes),
    };
    ServerMessage::Hello { hello }.to_json()
}

/// What the client hears when reading has ended with `error`; `None` if nothing, or if tungstenite has answered it.
fn farewell_code(error: &Error) -> Option<CloseCode> {
    match error {
        Error::Capacity(_) => Some(CloseCode::TooBig),
        Error::Utf8(_) => Some(CloseCode::Invalid),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(CloseCode::Protocol),
        _ => None,
    }
}

/// How much nonsense a client may still say.
struct Patience {
    malformed: u32,
    second: Instant,
    frames: u32,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { malformed: 0, second: Instant::now(), frames: 0 }
    }
}

impl Patience {
    fn allows_frame(&mut self) -> bool {
        if self.second.elapsed() >= Duration::from_secs(1) {
            (self.second, self.frames) = (Instant::now(), 0);
        }
        self.frames += 1;
        self.frames <= FRAMES_A_SECOND_MAX
    }

    fn judge(&mut self, reject: Option<&Reject>) {
        match reject {
            Some(Reject::Malformed(_)) => self.malformed += 1,
            Some(Reject::TooManyFrames(_)) => {}
            _ => self.malformed = 0,
        }
    }

    fn is_left(&self) -> bool {
        self.malformed < MALFORMED_IN_A_ROW_MAX
    }
}

/// Reads from the socket, writes to the shard.
struct Ends<'s> {
    socket: &'s TcpStream,
    shard: &'s Sender<Order<Arc<TcpStream>>>,
    reader: ReaderId,
}

impl Read for Ends<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.socket.read(bytes)
    }
}

/// tungstenite writes whole frames: pongs, and the answer to a close frame.
impl Write for Ends<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let order = Order::Send { reader: self.reader, frames: bytes.to_vec(), sent: None };
        self.shard.send(order).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
