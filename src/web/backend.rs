//! Runs tiny_http on private Unix sockets and restarts it if it dies. The only file that names tiny_http.
//!
//! A few threads receive requests and send commands to the hub; one more builds and writes the responses once the hub has replied, and
//! it alone reads the log. None of them waits for a client, which `http::upstream` does. Knows no public socket, and decides by the
//! socket that a request came over, never by what it says, whether it is the owner's.

use std::{
    collections::VecDeque,
    fs, io,
    os::unix::{
        fs::{DirBuilderExt, symlink},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::Mode,
    io::Errno,
    process::umask,
};
use tiny_http::{Header, Request, Server, StatusCode};

use crate::{
    error::Error,
    http::response::Response,
    http::upstream::{CLIENT_HEADER, UNNAMED_CLIENT},
    limits::MESSAGE_BYTES_MAX,
    util::{clock::is_representable, threads},
    web::request::{self, Peer},
    web::{BuildResponse, Reply, Router},
};

/// Threads that receive clients' requests. Each serves a page in well under a millisecond.
const RECEIVING_THREADS: usize = 3;
/// Threads that receive the owner's requests, who is one person or script.
const CONTROL_THREADS: usize = 1;
/// How many responses may wait to be written: more than the exchanges that `http::upstream` allows at once.
const FINISHED_MAX: usize = 128;
/// The shortest time between two restarts.
const RESTART_INTERVAL: Duration = Duration::from_secs(1);
/// The longest path of a Unix socket, in bytes: `sun_path` has 108 bytes on Linux and 104 elsewhere, with a zero at the end.
const SOCKET_PATH_BYTES_MAX: usize = 100;

/// A request that the hub has replied to, and what builds its response.
type Finished = (Request, BuildResponse);

/// Puts finished requests into a queue of at most [`FINISHED_MAX`]. A channel only says how many there are: one for the requests themselves
/// would be several KB of code.
#[derive(Clone)]
struct FinishedQueue {
    queue: Arc<Mutex<VecDeque<Finished>>>,
    counted: Sender<()>,
}

impl FinishedQueue {
    /// Drops the request if the queue is full. The lock is released before, since tiny_http responds to a dropped request.
    fn put(&self, finished: Finished) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.len() < FINISHED_MAX {
            queue.push_back(finished);
            drop(queue);
            let _ = self.counted.try_send(());
            return;
        }
        drop(queue);
        drop(finished);
    }
}

/// A socket in the data folder, and whose requests come over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Socket {
    /// That of `http::upstream`, which passes on the requests of clients, each with the client's address.
    Relay,
    /// That of sayso's own commands. Whoever can open it owns the folder, so their requests are the owner's.
    Control,
}

impl Socket {
    fn file_name(self) -> &'static str {
        match self {
            Socket::Relay => ".web.sock",
            Socket::Control => ".ctl.sock",
        }
    }

    /// The name of the supervisor's thread, and what the names of the others begin with.
    fn thread_name(self) -> &'static str {
        match self {
            Socket::Relay => "web",
            Socket::Control => "ctl",
        }
    }

    fn receiving_threads(self) -> usize {
        match self {
            Socket::Relay => RECEIVING_THREADS,
            Socket::Control => CONTROL_THREADS,
        }
    }

    /// The path at which a server is to listen: in the data folder, or in a private temporary folder if that path is too long. A link in
    /// the data folder then leads to it. The caller must hold the lock of the data folder.
    ///
    /// # Errors
    /// Fails if the temporary folder or the link can't be created.
    pub fn create_path(self, data: &Path) -> Result<PathBuf, Error> {
        let absolute = self.path_in(data);
        if absolute.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
            return Ok(absolute);
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random)
            .map_err(|error| Error::Other(format!("no random bytes: {error}")))?;
        let folder =
            std::env::temp_dir().join(format!("sayso-{:016x}", u64::from_be_bytes(random)));
        let io_error = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io { what: "create", path, source }
        };
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(io_error(&folder))?;
        let socket = folder.join("sock");
        // A server that was killed has left its link.
        self.remove(data);
        symlink(&socket, &absolute).map_err(io_error(&absolute))?;
        Ok(socket)
    }

    /// The path at which the server that uses the data folder listens, as [`Socket::create_path`] returned it there.
    pub fn find(self, data: &Path) -> PathBuf {
        let path = self.path_in(data);
        fs::read_link(&path).unwrap_or(path)
    }

    /// Removes the socket, or the link to it and its folder. The caller must hold the lock of the data folder.
    pub fn remove(self, data: &Path) {
        let path = self.path_in(data);
        // A link that sayso has not created may lead anywhere.
        let linked = fs::read_link(&path).ok();
        if let Some(socket) = linked.filter(|socket| socket.starts_with(std::env::temp_dir())) {
            let _ = fs::remove_file(&socket);
            let _ = socket.parent().map(fs::remove_dir);
        }
        let _ = fs::remove_file(path);
    }

    fn path_in(self, data: &Path) -> PathBuf {
        let path = data.join(self.file_name());
        std::path::absolute(&path).unwrap_or(path)
    }
}

/// A private server. Dropping does nothing; [`Web::stop`] ends it.
pub struct Web {
    thread: JoinHandle<()>,
    restart: Sender<()>,
    stopping: Arc<AtomicBool>,
    path: PathBuf,
}

/// When a supervisor begins a server.
enum Begin {
    /// It has begun.
    Now(Backend),
    /// Once somebody connects: most owners never do, and a server takes several threads.
    Once(UnixListener),
}

impl Web {
    /// Serves `router` on the Unix socket `path`, which is `socket` in some data folder. A message through `restart` to
    /// `restart_requests`, the two ends of one channel, requests a restart.
    ///
    /// # Errors
    /// Fails if the socket or a thread can't be created.
    pub fn start(
        socket: Socket,
        path: PathBuf,
        router: Arc<Router>,
        restart: Sender<()>,
        restart_requests: Receiver<()>,
    ) -> Result<Web, Error> {
        let io_error = |source| Error::Io { what: "listen on", path: path.clone(), source };
        let listener = listen(&path).map_err(io_error)?;
        let begin = match socket {
            Socket::Relay => {
                Begin::Now(Backend::start(socket, listener, &router, &restart).map_err(io_error)?)
            }
            Socket::Control => Begin::Once(listener),
        };
        let stopping = Arc::new(AtomicBool::new(false));
        let address = path.clone();
        let supervisor = Supervisor {
            socket,
            path,
            router,
            restart: restart.clone(),
            restart_requests,
            stopping: stopping.clone(),
        };
        let name = socket.thread_name();
        let thread = threads::start(name, move || supervisor.run(begin))
            .map_err(|source| Error::Thread { name: name.into(), source })?;
        Ok(Web { thread, restart, stopping, path: address })
    }

    /// Stops the server. Requests that it is serving may get no response.
    pub fn stop(self) {
        self.stopping.store(true, Release);
        // If the channel is full, the supervisor wakes anyway.
        let _ = self.restart.try_send(());
        // Wakes a supervisor that waits for a first connection; others take it for somebody who says nothing.
        let _ = UnixStream::connect(&self.path);
        let _ = self.thread.join();
    }
}

/// Owns the server and restarts it on request.
struct Supervisor {
    socket: Socket,
    path: PathBuf,
    router: Arc<Router>,
    restart: Sender<()>,
    restart_requests: Receiver<()>,
    stopping: Arc<AtomicBool>,
}

impl Supervisor {
    fn run(self, begin: Begin) {
        let mut backend = match begin {
            Begin::Now(backend) => Some(backend),
            Begin::Once(listener) => {
                await_connection(&listener);
                if self.stopping.load(Acquire) {
                    return;
                }
                self.start(listener)
            }
        };
        while self.restart_requests.recv().is_ok() && !self.stopping.load(Acquire) {
            log::warn!("the private web server has died, restarting it");
            backend.take().into_iter().for_each(Backend::stop);
            // Nothing else can be done without a server, so sleeping delays nobody.
            thread::sleep(RESTART_INTERVAL);
            while self.restart_requests.try_recv().is_ok() {}
            match listen(&self.path) {
                Ok(listener) => backend = self.start(listener),
                Err(error) => self.try_again(&error),
            }
        }
        backend.into_iter().for_each(Backend::stop);
    }

    fn start(&self, listener: UnixListener) -> Option<Backend> {
        let started = Backend::start(self.socket, listener, &self.router, &self.restart);
        started.inspect_err(|error| self.try_again(error)).ok()
    }

    fn try_again(&self, error: &io::Error) {
        log::error!("can't start the private web server: {error}");
        let _ = self.restart.try_send(());
    }
}

/// Waits until somebody connects, who is then still to be accepted.
fn await_connection(listener: &UnixListener) {
    loop {
        let mut polled = [PollFd::new(listener, PollFlags::IN)];
        match poll(&mut polled, None) {
            Err(error) if error == Errno::INTR => {}
            _ => return,
        }
    }
}

/// One tiny_http server and the threads that serve its requests.
struct Backend {
    socket: Socket,
    server: Arc<Server>,
    threads: Vec<JoinHandle<()>>,
}

impl Backend {
    fn start(
        socket: Socket,
        listener: UnixListener,
        router: &Arc<Router>,
        restart: &Sender<()>,
    ) -> io::Result<Backend> {
        let server = Server::from_listener(listener, None).map_err(io::Error::other)?;
        let server = Arc::new(server);
        let (counted, count_of_finished) = bounded(FINISHED_MAX);
        let queue = Arc::<Mutex<VecDeque<Finished>>>::default();
        let finished = FinishedQueue { queue: queue.clone(), counted };
        let mut threads = Vec::new();
        let (name, count) = (socket.thread_name(), socket.receiving_threads());
        for n in 0..count {
            let (server, router, finished, restart) =
                (server.clone(), router.clone(), finished.clone(), restart.clone());
            let receive = move || {
                while let Ok(request) = server.recv() {
                    // A panic ends the request that caused it, to which tiny_http then responds with 500, but not the thread.
                    threads::catch_panic(Box::new(|| serve(socket, &router, request, &finished)));
                }
                // Either the server was stopped, or tiny_http failed to accept: then the supervisor must restart it.
                let _ = restart.try_send(());
            };
            threads.push(threads::start(format!("{name}-{n}"), receive)?);
        }
        let finish = move || {
            while count_of_finished.recv().is_ok() {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some((request, build)) = next else { continue };
                let _ = threads::catch_panic(Box::new(|| respond(request, build())));
            }
        };
        threads.push(threads::start(format!("{name}-{count}"), finish)?);
        Ok(Backend { socket, server, threads })
    }

    fn stop(self) {
        for _ in 0..self.socket.receiving_threads() {
            self.server.unblock();
        }
        drop(self.server);
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

/// Listens on a socket that only this user can open, from its creation on.
fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mask = umask(Mode::XUSR | Mode::RWXG | Mode::RWXO);
    let listener = UnixListener::bind(path);
    umask(mask);
    listener
}

fn serve(socket: Socket, router: &Arc<Router>, mut request: Request, finished: &FinishedQueue) {
    let Some(parsed) = parse(socket, &mut request) else { return };
    match router.serve(parsed) {
        Reply::Ready(response) => respond(request, response),
        Reply::Deferred(start) => {
            let finished = finished.clone();
            // If the queue is full, `http::upstream` has given up on the oldest requests. tiny_http responds to a dropped request.
            start(Box::new(move |build| finished.put((request, build))));
        }
    }
}

/// Returns `None` if whoever sends the request has disconnected, or if a request over the relay's socket is of no client: it isn't from
/// `http::upstream`. tiny_http responds to a dropped request with 500.
fn parse(socket: Socket, request: &mut Request) -> Option<request::Request> {
    let mut body = Vec::new();
    let limit = MESSAGE_BYTES_MAX as u64 + 1;
    io::Read::read_to_end(&mut io::Read::take(request.as_reader(), limit), &mut body).ok()?;
    let mut headers = Vec::new();
    for header in request.headers() {
        let name = header.field.as_str().as_str().to_ascii_lowercase();
        headers.push((name, header.value.as_str().to_owned()));
    }
    let peer = match socket {
        Socket::Control => Peer::Owner,
        Socket::Relay => {
            let is_client = |name: &str| name.eq_ignore_ascii_case(CLIENT_HEADER);
            let (_, address) = headers.iter().find(|(name, _)| is_client(name))?;
            Peer::Client(match &**address {
                UNNAMED_CLIENT => None,
                address => Some(address.parse().ok()?),
            })
        }
    };
    let (path, query) = request.url().split_once('?').unwrap_or((request.url(), ""));
    Some(request::Request {
        method: request.method().to_string(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body,
        peer,
    })
}

fn respond(request: Request, response: Response) {
    let Response { status, headers, body, .. } = response;
    let mut given = Vec::new();
    for (name, value) in &headers {
        given.extend(Header::from_bytes(name.as_bytes(), value.as_bytes()).ok());
    }
    // tiny_http adds the date by itself, and panics if HTTP can't write it.
    if !is_representable(SystemTime::now()) {
        let (name, never) = (&b"Date"[..], &b"Thu, 01 Jan 1970 00:00:00 GMT"[..]);
        given.extend(Header::from_bytes(name, never).ok());
    }
    let length = Some(body.len());
    let response = tiny_http::Response::new(StatusCode(status), given, &body[..], length, None)
        .with_chunked_threshold(usize::MAX);
    // It is no error if `http::upstream` has given up.
    let _ = request.respond(response);
}
