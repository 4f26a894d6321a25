//! The public port: one thread accepts, whatever happens, and sends away whom there is no room for.
//!
//! Knows nothing of requests, and nothing of comments. What is full is said (503, 429) and passes; nothing that a client
//! does, and no limit of the system, ends the accepting.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::error::Error;
use crate::http::request::{HttpError, Version};
use crate::http::response::Response;
use crate::http::stream::{Closed, HttpStream};
use crate::net::connection::{Connections, Handler, Options, Socket};
use crate::net::connection_limits::ConnectionLimits;
use crate::net::resource_limits::{FdBudget, reachable_connections};
use crate::util::threads::{self, HTTP_STACK_BYTES};

/// For requests in the making when sayso stops.
pub const STOP_PATIENCE: Duration = Duration::from_millis(800);

/// A pause where accepting fails and nothing can be done about it, so that failing takes no processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// Between two warnings that somebody was turned away.
const WARNING_PAUSE: Duration = Duration::from_secs(60);

/// The open port. Dropping it leaves it open until the process ends; [`Listener::stop`] closes it.
pub struct Listener {
    connections: Arc<Connections>,
    listener: Arc<TcpListener>,
    thread: JoinHandle<()>,
}

impl Listener {
    /// Opens the port: from now on whoever connects is served, as far as the system's limits reach now.
    ///
    /// # Errors
    /// Where the thread `listener` can't be started.
    pub fn open(
        listener: TcpListener,
        options: Options,
        handler: Box<dyn Handler>,
    ) -> Result<Listener, Error> {
        let budget = FdBudget::now();
        let (reachable, _) = reachable_connections(options.max_connections);
        let connections = Arc::new(Connections::new(options, reachable, handler));
        let listener = Arc::new(listener);
        let accept_loop = AcceptLoop {
            connections: connections.clone(),
            listener: listener.clone(),
            reserve_fd: reserve_fd(),
            number: 0,
            told: ConnectionLimits::new(budget.refused, budget.refused),
            refused: 0,
            warned: None,
        };
        let thread = threads::start("listener", move || accept_loop.run())
            .map_err(|source| Error::Thread { name: "listener".into(), source })?;
        Ok(Listener { connections, listener, thread })
    }

    /// Closes the port, lets requests in the making be answered for [`STOP_PATIENCE`], and ends what still speaks HTTP.
    /// WebSocket connections are others' to end.
    pub fn stop(self) {
        self.connections.close();
        // Linux wakes the accept; elsewhere somebody has to come.
        if rustix::net::shutdown(&*self.listener, rustix::net::Shutdown::Both).is_err() {
            self.wake_accept();
        }
        if self.thread.join().is_err() {
            log::error!("the thread listener has panicked");
        }
        drop(self.listener);
        self.connections.drain(STOP_PATIENCE);
    }

    fn wake_accept(&self) {
        let Ok(mut address) = self.listener.local_addr() else { return };
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
                SocketAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
            });
        }
        let _ = TcpStream::connect_timeout(&address, STOP_PATIENCE);
    }
}

/// The thread `listener`.
struct AcceptLoop {
    connections: Arc<Connections>,
    listener: Arc<TcpListener>,
    /// A descriptor that is given up to accept one more where there are no others.
    reserve_fd: Option<File>,
    /// Of the latest connection; also names its thread.
    number: u64,
    /// Seats for those who get none: each is told so by a thread of its own while there are few.
    told: Arc<ConnectionLimits>,
    /// Since the latest warning.
    refused: u64,
    warned: Option<Instant>,
}

impl AcceptLoop {
    fn run(mut self) {
        while !self.connections.is_closed() {
            match self.listener.accept() {
                Ok((stream, peer)) => self.spawn(stream, peer),
                Err(error) => self.recover(&error),
            }
        }
    }

    fn spawn(&mut self, stream: TcpStream, peer: SocketAddr) {
        if self.connections.is_closed() {
            return;
        }
        self.number += 1;
        if self.reserve_fd.is_none() {
            self.reserve_fd = reserve_fd();
        }
        let stream = Arc::new(stream);
        if let Err(refusal) = self.connections.spawn(self.number, stream.clone(), peer) {
            self.warn(&refusal);
            self.refuse(stream, refusal);
        }
    }

    /// Says why, with the patience that it takes to be heard while few have to be told.
    fn refuse(&self, stream: Arc<TcpStream>, refusal: HttpError) {
        if let Ok(permit) = self.told.acquire() {
            let socket = Socket::new(stream.clone());
            let end = Closed::Refused(refusal.clone());
            let told = threads::start_connection(self.number, HTTP_STACK_BYTES, move || {
                let _seat = permit;
                HttpStream::new(socket).end(&end);
            });
            if told.is_ok() {
                return;
            }
        }
        refuse_without_waiting(&stream, &refusal);
    }

    /// Goes on after a failed accept, whatever it was.
    fn recover(&mut self, error: &io::Error) {
        match Errno::from_io_error(error) {
            // Connections that ended before they were accepted, and what Linux reports early (accept(2)).
            Some(Errno::CONNABORTED | Errno::INTR | Errno::PROTO | Errno::NETDOWN) => {}
            Some(Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::OPNOTSUPP) => {}
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS) => {
                self.accept_with_reserve_fd(error);
            }
            _ if self.connections.is_closed() => {}
            _ => {
                log::warn!("a connection can't be accepted: {error}");
                thread::sleep(ACCEPT_PAUSE);
            }
        }
    }

    /// Linux looks for a descriptor before it looks for a connection, so the next one may come much later, and find room.
    fn accept_with_reserve_fd(&mut self, error: &io::Error) {
        self.reserve_fd = None;
        let accepted = self.listener.accept();
        self.reserve_fd = reserve_fd();
        match accepted {
            Ok((stream, peer)) if self.reserve_fd.is_some() => self.spawn(stream, peer),
            Ok((stream, _)) => {
                let why = format!("the server has no room for another connection: {error}");
                let refusal = HttpError::new(503, why);
                self.warn(&refusal);
                refuse_without_waiting(&stream, &refusal);
                drop(stream);
                self.reserve_fd = reserve_fd();
            }
            Err(_) => thread::sleep(ACCEPT_PAUSE),
        }
    }

    /// Once a minute; one address that wants too much is no reason.
    fn warn(&mut self, refusal: &HttpError) {
        self.refused += u64::from(refusal.status == 503);
        let now = Instant::now();
        let due = self.warned.is_none_or(|warned| now - warned >= WARNING_PAUSE);
        if self.refused > 0 && due {
            log::warn!("{} connections were turned away: {}", self.refused, refusal.message);
            (self.refused, self.warned) = (0, Some(now));
        }
    }
}

fn reserve_fd() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Says why without waiting for anybody. What has come is taken first, since unread bytes would turn the close into a
/// reset; who sends more later may miss the sentence.
fn refuse_without_waiting(mut stream: &TcpStream, refusal: &HttpError) {
    if stream.set_nonblocking(true).is_err() {
        return;
    }
    let _ = stream.read(&mut [0; 4 * 1024]);
    let answer = Response::refusal(refusal);
    let _ = stream.write(&[&answer.head(Version::Http11, false), answer.body()].concat());
    let _ = stream.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{http::request::RequestHead, net::connection::Upgrade};

    /// Answers everything with a word.
    struct Word;

    impl Handler for Word {
        fn handle(&self, _: &RequestHead, _: &[u8], _: IpAddr) -> Result<Response, HttpError> {
            Ok(Response::refusal(&HttpError::new(200, "word")))
        }

        fn upgrade(&self, _: &RequestHead, _: Upgrade) -> Result<(), HttpError> {
            Err(HttpError::new(400, "there are no sessions here"))
        }
    }

    fn door(max_connections: u32) -> (Listener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let options = Options {
            base_path: String::new(),
            trust_proxy: Vec::new(),
            max_connections,
            max_per_address: 100,
        };
        (Listener::open(listener, options, Box::new(Word)).unwrap(), address)
    }

    /// What is answered to one request, after which the other side closes.
    fn asked(stream: &mut TcpStream) -> io::Result<String> {
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text).map(|_| text)
    }

    fn connected(address: SocketAddr) -> TcpStream {
        TcpStream::connect(address).unwrap()
    }

    #[test]
    fn who_finds_no_room_is_told_so_and_served_once_there_is() {
        let (door, address) = door(2);
        let held = [connected(address), connected(address)];
        for _ in 0..9 {
            let text = asked(&mut connected(address)).unwrap();
            assert!(text.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{text}");
            assert!(
                text.contains("\r\nRetry-After: ") && text.contains("2 connections are open"),
                "{text}"
            );
        }
        drop(held);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !asked(&mut connected(address)).unwrap().contains("word") {
            assert!(Instant::now() < deadline, "the places were not given back");
        }
        door.stop();
    }

    #[test]
    fn who_is_told_at_once_reads_it_too() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = connected(listener.local_addr().unwrap());
        let (stream, _) = listener.accept().unwrap();
        refuse_without_waiting(&stream, &HttpError::new(503, "no room"));
        drop(stream);
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert!(text.ends_with("{\"error\":\"no room\"}"), "{text}");
    }

    #[test]
    fn stopping_is_prompt_and_closes_the_port() {
        let (door, address) = door(100);
        let mut idle: Vec<_> = (0..20).map(|_| connected(address)).collect();
        idle[0].write_all(b"GET / HT").unwrap();
        let start = Instant::now();
        door.stop();
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        assert!(TcpStream::connect(address).is_err());
        for stream in &mut idle {
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
        }
    }
}
