//! Accepts connections on the public port, or several sockets, and refuses those over the limit with 503 or 429.
//!
//! Knows nothing of requests and comments. Nothing that a client does, and no limit of the operating system, ends the
//! accept loop.

use std::fs::File;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::RecvFlags;

use crate::error::Error;
use crate::http::request::{HttpError, Version};
use crate::http::response::Response;
use crate::net::connection::{Connections, Handler, Options};
use crate::net::connection_limits::ConnectionLimits;
use crate::net::counters::Refused;
use crate::net::listen_socket::ListenSocket;
use crate::net::resource_limits::{FdBudget, reachable_connections};
use crate::util::stream::Stream;
use crate::util::threads::{self, HTTP_STACK_BYTES};

/// The time that current requests have to finish on shutdown.
pub const DRAIN_TIMEOUT: Duration = Duration::from_millis(800);

/// The pause after a failed accept that nothing can be done about, so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// The time between two warnings about refused connections.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// The name of the thread that accepts.
const THREAD_NAME: &str = "listener";

/// The open sockets. [`Listener::shutdown`] closes them; dropping it leaves them open until the process ends.
pub struct Listener {
    connections: Arc<Connections>,
    sockets: Vec<(Arc<ListenSocket>, JoinHandle<()>)>,
}

impl Listener {
    /// Starts accepting connections, at most as many as the options and the system's present limits allow.
    ///
    /// # Errors
    /// [`Error::Thread`] if a thread `listener` can't be started.
    pub fn open(
        sockets: Vec<ListenSocket>,
        options: Options,
        handler: Box<dyn Handler>,
    ) -> Result<Listener, Error> {
        let budget = FdBudget::now();
        let (reachable, _) = reachable_connections(options.max_connections);
        let connections = Arc::new(Connections::new(options, reachable, handler));
        let mut listener = Listener { connections, sockets: Vec::new() };
        for socket in sockets {
            let socket = Arc::new(socket);
            let accept_loop = AcceptLoop {
                connections: listener.connections.clone(),
                socket: socket.clone(),
                reserve_fd: reserve_fd(),
                refusal_limits: ConnectionLimits::new(budget.refused, budget.refused),
                refused: 0,
                warned: None,
            };
            let thread = threads::start(THREAD_NAME, move || accept_loop.run())
                .map_err(|source| Error::Thread { name: THREAD_NAME.into(), source })?;
            listener.sockets.push((socket, thread));
        }
        Ok(listener)
    }

    /// Closes the sockets, waits up to [`DRAIN_TIMEOUT`] for current requests, and then ends all HTTP connections. WebSockets
    /// stay open; their shards close them.
    pub fn shutdown(self) {
        self.connections.close();
        for (socket, _) in &self.sockets {
            socket.wake_accept();
        }
        for (socket, thread) in self.sockets {
            if thread.join().is_err() {
                log::error!("thread {THREAD_NAME} has panicked");
            }
            socket.remove();
        }
        self.connections.drain(DRAIN_TIMEOUT);
    }
}

/// The state of the thread `listener`.
struct AcceptLoop {
    connections: Arc<Connections>,
    socket: Arc<ListenSocket>,
    /// A spare descriptor. Closing it makes room to accept one more connection when the process has no descriptor left.
    reserve_fd: Option<File>,
    /// Limits the threads that write refusals.
    refusal_limits: Arc<ConnectionLimits>,
    /// Connections refused with 503 since the last warning.
    refused: u64,
    /// When the last warning was logged.
    warned: Option<Instant>,
}

impl AcceptLoop {
    fn run(mut self) {
        while !self.connections.is_closed() {
            match self.socket.accept() {
                Ok((stream, peer)) => self.spawn(stream, peer),
                Err(error) => self.recover(&error),
            }
        }
    }

    fn spawn(&mut self, stream: Stream, peer: Option<SocketAddr>) {
        if self.connections.is_closed() {
            return;
        }
        if self.reserve_fd.is_none() {
            self.reserve_fd = reserve_fd();
        }
        let (number, stream) = (self.connections.next_number(), Arc::new(stream));
        if let Err(error) = self.connections.spawn(number, stream.clone(), peer) {
            self.warn(&error);
            self.refuse(number, stream, peer, error);
        }
    }

    /// Refuses a connection in a thread of its own, which answers monitoring and waits until the client has read the response. Without
    /// a permit for such a thread, refuses it without waiting.
    fn refuse(&self, number: u64, stream: Arc<Stream>, peer: Option<SocketAddr>, error: HttpError) {
        if let Ok(permit) = self.refusal_limits.acquire() {
            let (connections, reason) = (self.connections.clone(), error.clone());
            let refused = stream.clone();
            let thread = threads::start_connection(number, HTTP_STACK_BYTES, move || {
                let _permit = permit;
                connections.refuse(refused, peer, reason);
            });
            if thread.is_ok() {
                return;
            }
        }
        refuse_without_waiting(&stream, &error);
    }

    /// Handles a failed accept, so that the loop can go on.
    fn recover(&mut self, error: &io::Error) {
        match Errno::from_io_error(error) {
            // The connection ended before it was accepted, or Linux reports its pending network error (accept(2)).
            Some(Errno::CONNABORTED | Errno::INTR | Errno::PROTO | Errno::NETDOWN) => {}
            Some(Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::OPNOTSUPP) => {}
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS) => {
                self.accept_with_reserve_fd(error);
            }
            _ if self.connections.is_closed() => {}
            _ => {
                log::warn!("can't accept a connection: {error}");
                thread::sleep(ACCEPT_PAUSE);
            }
        }
    }

    /// Accepts one connection with the reserve descriptor and refuses it unless there is room by then. Linux looks for a free
    /// descriptor before it waits for a connection, so the connection may arrive much later.
    fn accept_with_reserve_fd(&mut self, error: &io::Error) {
        self.reserve_fd = None;
        let accepted = self.socket.accept();
        self.reserve_fd = reserve_fd();
        match accepted {
            Ok((stream, peer)) if self.reserve_fd.is_some() => self.spawn(stream, peer),
            Ok((stream, _)) => {
                self.connections.counters().count_refused(Refused::OpenFiles);
                let message = format!("the server can't open another connection: {error}");
                let error = HttpError::new(503, message);
                self.warn(&error);
                refuse_without_waiting(&stream, &error);
                drop(stream);
                self.reserve_fd = reserve_fd();
            }
            Err(_) => thread::sleep(ACCEPT_PAUSE),
        }
    }

    /// Logs refused connections at most once per [`WARNING_INTERVAL`]. Does not count 429: one address over its limit is no reason
    /// to warn.
    fn warn(&mut self, error: &HttpError) {
        self.refused += u64::from(error.status == 503);
        let now = Instant::now();
        let due = self.warned.is_none_or(|warned| now - warned >= WARNING_INTERVAL);
        if self.refused > 0 && due {
            log::warn!("{} connections were refused: {}", self.refused, error.message);
            (self.refused, self.warned) = (0, Some(now));
        }
    }
}

/// Opens the spare descriptor.
fn reserve_fd() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Writes the refusal without blocking. Reads first what has arrived, since closing a socket with unread bytes sends a reset;
/// a client that sends more afterwards may miss the response.
fn refuse_without_waiting(stream: &Stream, error: &HttpError) {
    let _ = rustix::net::recv(stream, &mut [0; 4 * 1024], RecvFlags::DONTWAIT);
    let response = Response::from_error(error);
    let _ = stream.send_now(&[&response.head(Version::Http11, false)[..], &response.body].concat());
    let _ = stream.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{IpAddr, TcpListener, TcpStream};

    use super::*;
    use crate::{http::request::RequestHead, net::connection::Upgrade};

    /// Responds to everything with a fixed word.
    struct FixedHandler;

    impl Handler for FixedHandler {
        fn handle(
            &self,
            _: &RequestHead,
            _: &[u8],
            _: Option<IpAddr>,
        ) -> Result<Response, HttpError> {
            Ok(Response::from_error(&HttpError::new(200, "word")))
        }

        fn upgrade(&self, _: &RequestHead, _: Upgrade) -> Result<(), HttpError> {
            Err(HttpError::new(400, "this handler takes no WebSocket"))
        }
    }

    fn listener(max_connections: u32) -> (Listener, SocketAddr) {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let options = Options {
            base_path: String::new(),
            trust_proxy: Vec::new(),
            max_connections,
            max_per_address: 100,
            counters: Arc::default(),
        };
        let sockets = vec![socket.into()];
        (Listener::open(sockets, options, Box::new(FixedHandler)).unwrap(), address)
    }

    /// Sends one request and reads the response until the server closes.
    fn exchange(stream: &mut TcpStream) -> io::Result<String> {
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text).map(|_| text)
    }

    fn connect(address: SocketAddr) -> TcpStream {
        TcpStream::connect(address).unwrap()
    }

    #[test]
    fn a_connection_over_the_limit_is_refused_until_another_one_ends() {
        let (listener, address) = listener(2);
        let held = [connect(address), connect(address)];
        for _ in 0..9 {
            let text = exchange(&mut connect(address)).unwrap();
            assert!(text.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{text}");
            assert!(
                text.contains("\r\nRetry-After: ") && text.contains("2 connections are open"),
                "{text}"
            );
        }
        drop(held);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !exchange(&mut connect(address)).unwrap().contains("word") {
            assert!(Instant::now() < deadline, "the permits were not released");
        }
        listener.shutdown();
    }

    #[test]
    fn a_refusal_without_waiting_arrives() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = connect(listener.local_addr().unwrap());
        let (stream, _) = listener.accept().unwrap();
        refuse_without_waiting(&stream.into(), &HttpError::new(503, "full"));
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert!(text.contains("\r\n\r\n{\"error\":\"full\",") && text.ends_with('}'), "{text}");
    }

    #[test]
    fn shutdown_is_prompt_and_closes_the_port() {
        let (listener, address) = listener(100);
        let mut idle: Vec<_> = (0..20).map(|_| connect(address)).collect();
        idle[0].write_all(b"GET / HT").unwrap();
        let start = Instant::now();
        listener.shutdown();
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        assert!(TcpStream::connect(address).is_err());
        for stream in &mut idle {
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
        }
    }
}
