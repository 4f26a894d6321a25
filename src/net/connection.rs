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
use crate::http::forwarded::{self, ClientKey, Network, TrustedProxies};
use crate::http::request::{HttpError, RequestHead, Version};
use crate::http::response::Response;
use crate::http::stream::{Closed, HttpStream, Transport};
use crate::net::connection_limits::{ConnectionLimits, Permit};
use crate::util::threads::{self, HTTP_STACK_BYTES};

/// Where the WebSocket is, below the base path, with or without a slash at the end.
const WEBSOCKET_PATH: &str = "/ws/comments";

/// Where requests are answered.
pub trait Handler: Send + Sync {
    /// Answers one request whose whole body has come.
    ///
    /// # Errors
    /// What is answered instead.
    fn handle(
        &self,
        head: &RequestHead,
        body: &[u8],
        client: IpAddr,
    ) -> Result<Response, HttpError>;

    /// Takes over a connection that asks to go on as a WebSocket.
    ///
    /// # Errors
    /// What is answered instead; the connection goes on as it was.
    fn upgrade(&self, head: &RequestHead, guest: Upgrade) -> Result<(), HttpError>;
}

/// Who wants to go on as a WebSocket.
pub struct Upgrade {
    /// The connection, as in its thread's name.
    pub number: u64,
    /// Its only descriptor, with whatever timeouts are set.
    pub stream: Arc<TcpStream>,
    /// What was read already behind the head.
    pub rest: Vec<u8>,
    /// Whom the connection counts for.
    pub client: IpAddr,
    /// To be kept as long as the connection lasts.
    pub permits: Box<dyn Send>,
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
pub struct Connections {
    base_path: String,
    trusted: TrustedProxies,
    limits: Arc<ConnectionLimits>,
    handler: Box<dyn Handler>,
    closed: AtomicBool,
    /// Connections that still speak HTTP, so that closing can reach them.
    active: Mutex<HashMap<u64, Weak<TcpStream>>>,
    /// Notified when one of them is done.
    done: Condvar,
}

/// Where a connection counts: among all and, where its peer is no proxy, for its peer.
type Permits = (Permit, Option<Permit>);

/// One connection.
struct Connection {
    number: u64,
    stream: Arc<TcpStream>,
    peer: SocketAddr,
    /// Shared with the session, which keeps them when the visit has ended.
    permits: Arc<Permits>,
}

impl Connections {
    /// For at most `reachable` connections, or fewer if the configuration says so.
    pub fn new(options: Options, reachable: u32, handler: Box<dyn Handler>) -> Connections {
        Connections {
            base_path: options.base_path,
            trusted: TrustedProxies::new(options.trust_proxy),
            limits: ConnectionLimits::new(
                options.max_connections.min(reachable),
                options.max_per_address,
            ),
            handler,
            closed: AtomicBool::new(false),
            active: Mutex::default(),
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
    pub fn spawn(
        self: &Arc<Connections>,
        number: u64,
        stream: Arc<TcpStream>,
        peer: SocketAddr,
    ) -> Result<(), HttpError> {
        let permits = Arc::new(self.permits(peer.ip())?);
        self.active().insert(number, Arc::downgrade(&stream));
        let active = ActiveGuard { connections: self.clone(), number };
        let connection = Connection { number, stream, peer, permits };
        let started = threads::start_connection(number, HTTP_STACK_BYTES, move || {
            active.connections.serve(connection)
        });
        started.map(drop).map_err(|error| {
            HttpError::new(503, format!("the server has no thread for another connection: {error}"))
        })
    }

    /// Lets nobody begin another request, waits for those in the making, and then ends them. Only once nobody is
    /// received any more.
    pub fn drain(&self, timeout: Duration) {
        let mut active = self.active();
        let shut = |active: &HashMap<u64, Weak<TcpStream>>, how| {
            for stream in active.values().filter_map(Weak::upgrade) {
                // Who has gone already needs no more.
                let _ = stream.shutdown(how);
            }
        };
        shut(&active, Shutdown::Read);
        let deadline = Instant::now() + timeout;
        while !active.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                log::info!("{} requests were still in the making", active.len());
                break;
            }
            let waited = self.done.wait_timeout(active, left);
            active = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        shut(&active, Shutdown::Both);
    }

    fn permits(&self, peer: IpAddr) -> Result<Permits, HttpError> {
        let all = self.limits.acquire()?;
        let own = match self.trusted.contains(peer) {
            true => None,
            false => Some(self.limits.acquire_for(ClientKey::of(peer))?),
        };
        Ok((all, own))
    }

    fn serve(&self, connection: Connection) {
        // Answers are whole when they are written, so waiting for more of them only costs time.
        if connection.stream.set_nodelay(true).is_err() {
            return;
        }
        let mut http = HttpStream::new(Socket::new(connection.stream.clone()));
        if let Err(end) = self.serve_requests(&connection, &mut http) {
            if let Closed::Refused(refusal) = &end {
                log::debug!("conn-{}: {} {}", connection.number, refusal.status, refusal.message);
            }
            http.end(&end);
        }
    }

    /// Answers request after request; `Ok` where a session has taken the connection over.
    fn serve_requests<L: Transport>(
        &self,
        connection: &Connection,
        http: &mut HttpStream<L>,
    ) -> Result<(), Closed> {
        loop {
            let head = http.head()?;
            let forwarded = head.get_all("x-forwarded-for");
            let seen = forwarded::client(connection.peer.ip(), forwarded, &self.trusted);
            let client = seen.address;
            let answered = if self.is_websocket(&head) {
                let upgraded = self.upgrade(connection, &head, http.buffered(), client);
                let Err(refusal) = upgraded else { return Ok(()) };
                http.body(&head)?;
                Err(refusal)
            } else {
                let body = http.body(&head)?;
                let permit = self.permit_for_client(connection, client);
                let is_mirror = self.path(&head) == Some(echo::PATH);
                permit.and_then(|_seat| match is_mirror {
                    true => Ok(echo::echo(&head, connection.peer.port(), seen)),
                    false => self.handler.handle(&head, &body, client),
                })
            };
            let answer = answered.unwrap_or_else(|refusal| Response::refusal(&refusal));
            http.answer(&head, &answer, !self.is_closed())?;
        }
    }

    fn is_websocket(&self, head: &RequestHead) -> bool {
        let path = self.path(head).and_then(|path| path.strip_prefix(WEBSOCKET_PATH));
        matches!(path, Some("" | "/")) && head.asks_for_websocket()
    }

    /// Below the base path.
    fn path<'h>(&self, head: &'h RequestHead) -> Option<&'h str> {
        head.path().strip_prefix(self.base_path.as_str())
    }

    /// Hands the connection over to a session, which counts for as long as it lasts.
    fn upgrade(
        &self,
        connection: &Connection,
        head: &RequestHead,
        rest: &[u8],
        client: IpAddr,
    ) -> Result<(), HttpError> {
        if head.version() == Version::Http10 {
            let message =
                "a WebSocket needs HTTP/1.1, not HTTP/1.0; nginx wants proxy_http_version 1.1";
            return Err(HttpError::new(400, message));
        }
        let length = head.content_length();
        if length > 0 {
            let message = format!("a WebSocket begins without a body, not with {length} bytes");
            return Err(HttpError::new(400, message));
        }
        let permit = self.permit_for_client(connection, client)?;
        let guest = Upgrade {
            number: connection.number,
            stream: connection.stream.clone(),
            rest: rest.to_vec(),
            client,
            permits: Box::new((connection.permits.clone(), permit)),
        };
        // From here on it is others' to end: a stop must not shut it while it is handed over.
        self.active().remove(&connection.number);
        self.handler.upgrade(head, guest).inspect_err(|_| {
            self.active().insert(connection.number, Arc::downgrade(&connection.stream));
        })
    }

    /// A proxy's request counts for whom it is made; anybody else was counted when they came.
    fn permit_for_client(
        &self,
        connection: &Connection,
        client: IpAddr,
    ) -> Result<Option<Permit>, HttpError> {
        match connection.permits.1 {
            Some(_) => Ok(None),
            None => self.limits.acquire_for(ClientKey::of(client)).map(Some),
        }
    }

    fn active(&self) -> MutexGuard<'_, HashMap<u64, Weak<TcpStream>>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// That a connection speaks HTTP, until it is dropped.
struct ActiveGuard {
    connections: Arc<Connections>,
    number: u64,
}

impl Drop for ActiveGuard {
    fn drop(&mut self) {
        self.connections.active().remove(&self.number);
        self.connections.done.notify_all();
    }
}

/// A client's socket. Its one descriptor is shared, so that a session can take it over.
pub struct Socket {
    stream: Arc<TcpStream>,
    /// What is set for reading and for writing: on a connection in good use neither changes.
    timeout: (Duration, Duration),
}

impl Socket {
    /// Sets nothing yet.
    pub fn new(stream: Arc<TcpStream>) -> Socket {
        Socket { stream, timeout: (Duration::ZERO, Duration::ZERO) }
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

impl Transport for Socket {
    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        if self.timeout.0 != timeout {
            self.stream.set_read_timeout(Some(timeout))?;
            self.timeout.0 = timeout;
        }
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        if self.timeout.1 != timeout {
            self.stream.set_write_timeout(Some(timeout))?;
            self.timeout.1 = timeout;
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
