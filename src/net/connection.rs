//! A connection from its first request to its last: whom it counts for, and which way each request goes.
//!
//! Knows nothing of comments, and neither where requests are answered nor where connections come from. A panic in one
//! visit ends that one: its seats and its place in the list are given back by being dropped.

use std::collections::HashMap;
use std::io::{self, IoSlice, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::http::echo;
use crate::http::forwarded::{self, Counted, Network, Trusted};
use crate::http::request::{Head, Refusal, Version};
use crate::http::response::Answer;
use crate::http::stream::{Conversation, End, Line};
use crate::net::connection_limits::{Caps, Seat};
use crate::util::threads::{self, VISIT_STACK_BYTES};

/// Where the WebSocket is, below the base path, with or without a slash at the end.
const WEBSOCKET_PATH: &str = "/ws/comments";

/// Where requests are answered.
pub trait Rooms: Send + Sync {
    /// Answers one request whose whole body has come.
    ///
    /// # Errors
    /// What is answered instead.
    fn exchange(&self, head: &Head, body: &[u8], client: IpAddr) -> Result<Answer, Refusal>;

    /// Takes over a connection that asks to go on as a WebSocket.
    ///
    /// # Errors
    /// What is answered instead; the connection goes on as it was.
    fn upgrade(&self, head: &Head, guest: Guest) -> Result<(), Refusal>;
}

/// Who wants to go on as a WebSocket.
pub struct Guest {
    /// The connection, as in its thread's name.
    pub number: u64,
    /// Its only descriptor, with whatever timeouts are set.
    pub stream: Arc<TcpStream>,
    /// What was read already behind the head.
    pub rest: Vec<u8>,
    /// Whom the connection counts for.
    pub client: IpAddr,
    /// To be kept as long as the connection lasts.
    pub seats: Box<dyn Send>,
}

/// What of the configuration the public port needs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Empty, or `/x` or `/x/y`: what stands before every path.
    pub base_path: String,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trust_proxy: Vec<Network>,
    /// At least 1.
    pub max_connections: u32,
    /// At least 1.
    pub max_per_address: u32,
}

/// What all visits share.
pub struct House {
    base_path: String,
    trusted: Trusted,
    caps: Arc<Caps>,
    rooms: Box<dyn Rooms>,
    closed: AtomicBool,
    /// Connections that still speak HTTP, so that closing can reach them.
    talking: Mutex<HashMap<u64, Weak<TcpStream>>>,
    /// Notified when one of them is done.
    done: Condvar,
}

/// Where a connection counts: among all and, where its peer is no proxy, for its peer.
type Places = (Seat, Option<Seat>);

/// One connection.
struct Visitor {
    number: u64,
    stream: Arc<TcpStream>,
    peer: SocketAddr,
    /// Shared with the session, which keeps them when the visit has ended.
    places: Arc<Places>,
}

impl House {
    /// For at most `reachable` connections, or fewer if the configuration says so.
    pub fn new(options: Options, reachable: u32, rooms: Box<dyn Rooms>) -> House {
        House {
            base_path: options.base_path,
            trusted: Trusted::new(options.trust_proxy),
            caps: Caps::new(options.max_connections.min(reachable), options.max_per_address),
            rooms,
            closed: AtomicBool::new(false),
            talking: Mutex::default(),
            done: Condvar::new(),
        }
    }

    /// Whether visits end with the request that they are at.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// From now on every answer is its connection's last.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Serves the connection in a thread of its own, `conn-<number>`.
    ///
    /// # Errors
    /// 503 or 429 where a cap is reached, 503 where the thread can't be started.
    pub fn receive(
        self: &Arc<House>,
        number: u64,
        stream: Arc<TcpStream>,
        peer: SocketAddr,
    ) -> Result<(), Refusal> {
        let places = Arc::new(self.places(peer.ip())?);
        self.talking().insert(number, Arc::downgrade(&stream));
        let talking = Talking { house: self.clone(), number };
        let visitor = Visitor { number, stream, peer, places };
        let started = threads::start_connection(number, VISIT_STACK_BYTES, move || {
            talking.house.serve(visitor)
        });
        started.map(drop).map_err(|error| {
            Refusal::new(503, format!("the server has no thread for another connection: {error}"))
        })
    }

    /// Lets nobody begin another request, waits for those in the making, and then ends them. Only once nobody is
    /// received any more.
    pub fn empty(&self, patience: Duration) {
        let mut talking = self.talking();
        let shut = |talking: &HashMap<u64, Weak<TcpStream>>, how| {
            for stream in talking.values().filter_map(Weak::upgrade) {
                // Who has gone already needs no more.
                let _ = stream.shutdown(how);
            }
        };
        shut(&talking, Shutdown::Read);
        let deadline = Instant::now() + patience;
        while !talking.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                log::info!("{} requests were still in the making", talking.len());
                break;
            }
            let waited = self.done.wait_timeout(talking, left);
            talking = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        shut(&talking, Shutdown::Both);
    }

    fn places(&self, peer: IpAddr) -> Result<Places, Refusal> {
        let all = self.caps.seat()?;
        let own = match self.trusted.contains(peer) {
            true => None,
            false => Some(self.caps.seat_of(Counted::of(peer))?),
        };
        Ok((all, own))
    }

    fn serve(&self, visitor: Visitor) {
        // Answers are whole when they are written, so waiting for more of them only costs time.
        if visitor.stream.set_nodelay(true).is_err() {
            return;
        }
        let mut conversation = Conversation::new(Socket::new(visitor.stream.clone()));
        if let Err(end) = self.converse(&visitor, &mut conversation) {
            if let End::Refused(refusal) = &end {
                log::debug!("conn-{}: {} {}", visitor.number, refusal.status, refusal.sentence);
            }
            conversation.end(&end);
        }
    }

    /// Answers request after request; `Ok` where a session has taken the connection over.
    fn converse<L: Line>(
        &self,
        visitor: &Visitor,
        conversation: &mut Conversation<L>,
    ) -> Result<(), End> {
        loop {
            let head = conversation.head()?;
            let forwarded = head.get_all("x-forwarded-for");
            let seen = forwarded::client(visitor.peer.ip(), forwarded, &self.trusted);
            let client = seen.address;
            let answered = if self.is_for_session(&head) {
                let upgraded = self.upgrade(visitor, &head, conversation.rest(), client);
                let Err(refusal) = upgraded else { return Ok(()) };
                conversation.body(&head)?;
                Err(refusal)
            } else {
                let body = conversation.body(&head)?;
                let seat = self.seat_of_client(visitor, client);
                let is_mirror = self.path(&head) == Some(echo::PATH);
                seat.and_then(|_seat| match is_mirror {
                    true => Ok(echo::reflect(&head, visitor.peer.port(), seen)),
                    false => self.rooms.exchange(&head, &body, client),
                })
            };
            let answer = answered.unwrap_or_else(|refusal| Answer::refusal(&refusal));
            conversation.answer(&head, &answer, !self.is_closed())?;
        }
    }

    fn is_for_session(&self, head: &Head) -> bool {
        let path = self.path(head).and_then(|path| path.strip_prefix(WEBSOCKET_PATH));
        matches!(path, Some("" | "/")) && head.asks_for_websocket()
    }

    /// Below the base path.
    fn path<'h>(&self, head: &'h Head) -> Option<&'h str> {
        head.path().strip_prefix(self.base_path.as_str())
    }

    /// Hands the connection over to a session, which counts for as long as it lasts.
    fn upgrade(
        &self,
        visitor: &Visitor,
        head: &Head,
        rest: &[u8],
        client: IpAddr,
    ) -> Result<(), Refusal> {
        if head.version() == Version::Http10 {
            let sentence =
                "a WebSocket needs HTTP/1.1, not HTTP/1.0; nginx wants proxy_http_version 1.1";
            return Err(Refusal::new(400, sentence));
        }
        let length = head.content_length();
        if length > 0 {
            let sentence = format!("a WebSocket begins without a body, not with {length} bytes");
            return Err(Refusal::new(400, sentence));
        }
        let seat = self.seat_of_client(visitor, client)?;
        let guest = Guest {
            number: visitor.number,
            stream: visitor.stream.clone(),
            rest: rest.to_vec(),
            client,
            seats: Box::new((visitor.places.clone(), seat)),
        };
        // From here on it is others' to end: a stop must not shut it while it is handed over.
        self.talking().remove(&visitor.number);
        self.rooms.upgrade(head, guest).inspect_err(|_| {
            self.talking().insert(visitor.number, Arc::downgrade(&visitor.stream));
        })
    }

    /// A proxy's request counts for whom it is made; anybody else was counted when they came.
    fn seat_of_client(&self, visitor: &Visitor, client: IpAddr) -> Result<Option<Seat>, Refusal> {
        match visitor.places.1 {
            Some(_) => Ok(None),
            None => self.caps.seat_of(Counted::of(client)).map(Some),
        }
    }

    fn talking(&self) -> MutexGuard<'_, HashMap<u64, Weak<TcpStream>>> {
        self.talking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// That a connection speaks HTTP, until it is dropped.
struct Talking {
    house: Arc<House>,
    number: u64,
}

impl Drop for Talking {
    fn drop(&mut self) {
        self.house.talking().remove(&self.number);
        self.house.done.notify_all();
    }
}

/// A client's socket. Its one descriptor is shared, so that a session can take it over.
pub struct Socket {
    stream: Arc<TcpStream>,
    /// What is set for reading and for writing: on a connection in good use neither changes.
    patience: (Duration, Duration),
}

impl Socket {
    /// Sets nothing yet.
    pub fn new(stream: Arc<TcpStream>) -> Socket {
        Socket { stream, patience: (Duration::ZERO, Duration::ZERO) }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.stream).read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.stream).write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self.stream).write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Line for Socket {
    fn read_within(&mut self, patience: Duration) -> io::Result<()> {
        if self.patience.0 != patience {
            self.stream.set_read_timeout(Some(patience))?;
            self.patience.0 = patience;
        }
        Ok(())
    }

    fn write_within(&mut self, patience: Duration) -> io::Result<()> {
        if self.patience.1 != patience {
            self.stream.set_write_timeout(Some(patience))?;
            self.patience.1 = patience;
        }
        Ok(())
    }

    fn finish(&mut self) {
        // Who has gone already can't be told.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}

#[cfg(test)]
mod tests;
