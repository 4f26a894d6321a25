//! Serves each HTTP connection in its own thread: counts it against the limits and passes its requests to a [`Handler`].
//!
//! Knows nothing of comments, of how requests are handled, or of how connections are accepted. A panic ends only its own
//! connection: dropping the permits and the guard releases whatever the connection held.

use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::http::echo;
use crate::http::error_code::ErrorCode;
use crate::http::forwarded::{self, ClientKey, Network, TrustedProxies};
use crate::http::request::{HttpError, RequestHead, Version};
use crate::http::response::Response;
use crate::http::stream::{Closed, HttpStream, Transport};
use crate::net::connection_limits::{ConnectionLimits, Permit};
use crate::net::counters::{Counters, Refused};
use crate::net::socket::{Socket, prepare};
use crate::util::activity;
use crate::util::stream::Stream;
use crate::util::threads::{self, HTTP_STACK_BYTES};

/// The path of the WebSocket below the base path; a trailing slash is optional.
const WEBSOCKET_PATHS: [&str; 2] = ["/ws/comments", "/ws/admin"];
/// The paths below the base path that are answered even over the limit of connections.
const MONITORING_PATHS: [&str; 2] = ["/healthz", "/metrics"];
/// The time for the head of a connection that is refused. Few threads do that, so none waits for long.
const REFUSED_HEAD_DEADLINE: Duration = Duration::from_secs(2);

/// Handles the requests of all connections.
pub trait Handler: Send + Sync {
    /// Handles one request whose body has been read.
    ///
    /// # Errors
    /// Returns the error that is sent to the client.
    fn handle(
        &self,
        head: &RequestHead,
        body: &[u8],
        client: Option<IpAddr>,
    ) -> Result<Response, HttpError>;

    /// Takes over a connection that requests a WebSocket.
    ///
    /// # Errors
    /// Returns the error that is sent to the client; the connection then stays an HTTP connection.
    fn upgrade(&self, head: &RequestHead, upgrade: Upgrade) -> Result<(), HttpError>;
}

/// A connection that requests a WebSocket.
pub struct Upgrade {
    /// The connection's number, as in its thread's name.
    pub number: u64,
    /// The connection's only descriptor. Timeouts may be set on it.
    pub stream: Arc<Stream>,
    /// Bytes that were read after the head.
    pub buffered: Vec<u8>,
    /// The address that the connection counts for; `None` if it came over a Unix socket without one.
    pub client: Option<IpAddr>,
    /// To be dropped when the connection ends.
    pub permits: Box<dyn Send>,
}

/// The settings of the public port.
#[derive(Debug, Clone)]
pub struct Options {
    /// The prefix of every path: empty, or `/x` or `/x/y`.
    pub base_path: String,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trust_proxy: Vec<Network>,
    /// Connections at once, at least 1.
    pub max_connections: u32,
    /// Connections at once from one address, at least 1.
    pub max_per_address: u32,
    /// What is counted for monitoring.
    pub counters: Arc<Counters>,
}

/// The state that all connections share.
pub struct Connections {
    base_path: String,
    trusted: TrustedProxies,
    limits: Arc<ConnectionLimits>,
    counters: Arc<Counters>,
    handler: Box<dyn Handler>,
    /// The number of the latest connection.
    latest: AtomicU64,
    closed: AtomicBool,
    /// Connections that still speak HTTP, by number, so that [`drain`](Self::drain) can shut them down.
    active: Mutex<HashMap<u64, Weak<Stream>>>,
    /// Notified when one of them ends.
    ended: Condvar,
}

/// The permits of a connection.
struct Permits {
    _all: Permit,
    /// `None`: its peer is a trusted proxy.
    of_peer: Option<Permit>,
    counters: Arc<Counters>,
}

impl Drop for Permits {
    fn drop(&mut self) {
        self.counters.open.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Connection {
    number: u64,
    stream: Arc<Stream>,
    /// `None`: it came over a Unix socket.
    peer: Option<SocketAddr>,
    /// Shared with the WebSocket after an upgrade, which outlives this connection's thread.
    permits: Arc<Permits>,
}

impl Connections {
    /// Accepts at most `reachable` connections, or fewer if `options` say so.
    pub fn new(options: Options, reachable: u32, handler: Box<dyn Handler>) -> Connections {
        let max = options.max_connections.min(reachable);
        options.counters.max.store(max.into(), Ordering::Relaxed);
        Connections {
            base_path: options.base_path,
            trusted: TrustedProxies::new(options.trust_proxy),
            limits: ConnectionLimits::new(max, options.max_per_address),
            counters: options.counters,
            handler,
            latest: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            active: Mutex::default(),
            ended: Condvar::new(),
        }
    }

    /// Whether [`close`](Self::close) has been called.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// The number of the next connection, which also names its thread.
    pub(super) fn next_number(&self) -> u64 {
        self.latest.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// What is counted for monitoring.
    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Makes every connection end after its current request.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Serves a connection in a thread of its own, named `conn-<number>`.
    ///
    /// # Errors
    /// 503 or 429 if a limit is reached, 503 if the thread can't be started.
    pub fn spawn(
        self: &Arc<Connections>,
        number: u64,
        stream: Arc<Stream>,
        peer: Option<SocketAddr>,
    ) -> Result<(), HttpError> {
        let permits = Arc::new(self.acquire(peer.map(|peer| peer.ip()))?);
        self.active().insert(number, Arc::downgrade(&stream));
        let active = ActiveGuard { connections: self.clone(), number };
        let connection = Connection { number, stream, peer, permits };
        let started = threads::start_connection(number, HTTP_STACK_BYTES, move || {
            active.connections.serve(connection)
        });
        started.map(drop).map_err(|error| {
            self.counters.count_refused(Refused::Threads);
            HttpError::new(
                503,
                format!("the server can't start a thread for another connection: {error}"),
            )
        })
    }

    /// Refuses a connection that there is no permit for. Reads the head of its first request, since monitoring must be answered even
    /// when the server is full: an outage is something else.
    pub fn refuse(&self, stream: Arc<Stream>, peer: Option<SocketAddr>, error: HttpError) {
        if prepare(&stream).is_err() {
            return;
        }
        let mut http = HttpStream::with_head_deadline(Socket::new(stream), REFUSED_HEAD_DEADLINE);
        let closed = match http.read_head() {
            Ok(head) if self.is_monitoring(&head) => {
                let forwarded = head.get_all("x-forwarded-for");
                let client =
                    forwarded::client(peer.map(|peer| peer.ip()), forwarded, &self.trusted);
                let result = self.handler.handle(&head, &[], client.address);
                let response = result.unwrap_or_else(|error| Response::from_error(&error));
                self.counters.count_request(response.status);
                http.respond(&head, &response, false).err()
            }
            _ => Some(Closed::Refused(error)),
        };
        http.close(&closed.unwrap_or(Closed::Done));
    }

    /// Stops reading from all HTTP connections, waits for their current requests until `timeout`, and then shuts them down.
    /// Must be called after the last [`spawn`](Self::spawn).
    pub fn drain(&self, timeout: Duration) {
        let mut active = self.active();
        let shutdown_all = |active: &HashMap<u64, Weak<Stream>>, how| {
            for stream in active.values().filter_map(Weak::upgrade) {
                // Fails if the peer has gone already.
                let _ = stream.shutdown(how);
            }
        };
        shutdown_all(&active, Shutdown::Read);
        let deadline = Instant::now() + timeout;
        while !active.is_empty() {
            let remaining = deadline.saturating_duration_since(Instant::now());
            if remaining.is_zero() {
                log::info!("{} requests were unfinished at shutdown", active.len());
                break;
            }
            let waited = self.ended.wait_timeout(active, remaining);
            active = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        shutdown_all(&active, Shutdown::Both);
    }

    fn acquire(&self, peer: Option<IpAddr>) -> Result<Permits, HttpError> {
        let refused = |why| move |_: &HttpError| self.counters.count_refused(why);
        let all = self.limits.acquire().inspect_err(refused(Refused::MaxConnections))?;
        // Whoever may open a Unix socket is trusted as a proxy.
        let of_peer = match peer.filter(|peer| !self.trusted.contains(*peer)) {
            None => None,
            Some(peer) => {
                let permit = self.limits.acquire_for(ClientKey::of(peer));
                Some(permit.inspect_err(refused(Refused::MaxPerAddress))?)
            }
        };
        self.counters.open.fetch_add(1, Ordering::Relaxed);
        Ok(Permits { _all: all, of_peer, counters: self.counters.clone() })
    }

    fn serve(&self, connection: Connection) {
        if prepare(&connection.stream).is_err() {
            return;
        }
        let mut http = HttpStream::new(Socket::new(connection.stream.clone()));
        if let Err(reason) = self.serve_requests(&connection, &mut http) {
            if let Closed::Refused(error) = &reason {
                self.counters.count_request(error.status);
                activity::refused(error.code, connection.peer.map(|peer| peer.ip()));
                log::debug!("conn-{}: {} {}", connection.number, error.status, error.message);
            }
            http.close(&reason);
        }
    }

    /// Serves requests until the connection ends. Returns `Ok` if a WebSocket has taken it over.
    fn serve_requests<T: Transport>(
        &self,
        connection: &Connection,
        http: &mut HttpStream<T>,
    ) -> Result<(), Closed> {
        loop {
            let head = http.read_head()?;
            let forwarded = head.get_all("x-forwarded-for");
            let client =
                forwarded::client(connection.peer.map(|peer| peer.ip()), forwarded, &self.trusted);
            let result = if self.is_websocket(&head) {
                let upgraded = self.upgrade(connection, &head, http.buffered(), client.address);
                let Err(error) = upgraded else {
                    self.counters.count_request(101);
                    return Ok(());
                };
                http.read_body(&head)?;
                Err(error)
            } else {
                let body = http.read_body(&head)?;
                let permit = self.acquire_for_client(connection, client.address);
                let is_echo = self.path(&head) == Some(echo::PATH);
                permit.and_then(|_permit| match is_echo {
                    true => {
                        Ok(echo::echo(&head, connection.peer.map_or(0, |peer| peer.port()), client))
                    }
                    false => self.handler.handle(&head, &body, client.address),
                })
            };
            let response = result.unwrap_or_else(|error| {
                if error.code != ErrorCode::OriginNotAllowed.name() {
                    activity::refused(error.code, client.address);
                }
                Response::from_error(&error)
            });
            self.counters.count_request(response.status);
            http.respond(&head, &response, !self.is_closed())?;
        }
    }

    fn is_websocket(&self, head: &RequestHead) -> bool {
        let path = self.path(head).unwrap_or_default();
        WEBSOCKET_PATHS.contains(&path.strip_suffix('/').unwrap_or(path))
            && head.is_websocket_upgrade()
    }

    /// Whether a request without a body asks how the server is.
    fn is_monitoring(&self, head: &RequestHead) -> bool {
        matches!(head.method(), "GET" | "HEAD")
            && head.content_length() == 0
            && self.path(head).is_some_and(|path| MONITORING_PATHS.contains(&path))
    }

    /// The request's path below the base path.
    fn path<'h>(&self, head: &'h RequestHead) -> Option<&'h str> {
        head.path().strip_prefix(self.base_path.as_str())
    }

    /// Hands the connection and its permits over to a WebSocket.
    fn upgrade(
        &self,
        connection: &Connection,
        head: &RequestHead,
        buffered: &[u8],
        client: Option<IpAddr>,
    ) -> Result<(), HttpError> {
        if head.version() == Version::Http10 {
            let message =
                "a WebSocket needs HTTP/1.1, not HTTP/1.0; nginx: proxy_http_version 1.1;";
            return Err(HttpError::new(400, message));
        }
        let length = head.content_length();
        if length > 0 {
            let message =
                format!("a WebSocket handshake must have no body, but has one of {length} bytes");
            return Err(HttpError::new(400, message));
        }
        let permit = self.acquire_for_client(connection, client)?;
        let upgrade = Upgrade {
            number: connection.number,
            stream: connection.stream.clone(),
            buffered: buffered.to_vec(),
            client,
            permits: Box::new((connection.permits.clone(), permit)),
        };
        // A WebSocket is closed by its shard, so `drain` must not shut it down from here on.
        self.active().remove(&connection.number);
        self.handler.upgrade(head, upgrade).inspect_err(|_| {
            self.active().insert(connection.number, Arc::downgrade(&connection.stream));
        })
    }

    /// Acquires a permit for the client of a trusted proxy's request. Any other peer got its permit with the connection.
    fn acquire_for_client(
        &self,
        connection: &Connection,
        client: Option<IpAddr>,
    ) -> Result<Option<Permit>, HttpError> {
        match connection.permits.of_peer {
            Some(_) => Ok(None),
            None => self.limits.acquire_for(ClientKey::of_client(client)).map(Some),
        }
    }

    fn active(&self) -> MutexGuard<'_, HashMap<u64, Weak<Stream>>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes a connection from the active ones when it is dropped.
struct ActiveGuard {
    connections: Arc<Connections>,
    number: u64,
}

impl Drop for ActiveGuard {
    fn drop(&mut self) {
        self.connections.active().remove(&self.number);
        self.connections.ended.notify_all();
    }
}

#[cfg(test)]
mod tests;
