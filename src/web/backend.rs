//! HTTP behind the door: tiny_http on a private Unix socket, made anew when it has died. The only file that names it.
//!
//! A few threads take requests and ask the hub; one more answers those that the hub is done with. None of them waits for a client,
//! since the relay does that, nor for a sync. Knows no public socket.

use std::{
    fs, io,
    os::unix::{
        fs::{DirBuilderExt, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::{fs::Mode, process::umask};
use tiny_http::{Header, Request, Response, Server, StatusCode};

use crate::{
    error::Error,
    limits::MESSAGE_BYTES_MAX,
    util::threads,
    web::message,
    web::{Finish, Reply, Router},
};

/// Threads that take requests: each does a page in well under a millisecond.
const TAKING_THREADS: usize = 3;
/// Answers that may wait to be written; the relay lets no more exchanges in.
const FINISHED_MAX: usize = 128;
/// A server that dies is made anew at most this often.
const RESTART_INTERVAL: Duration = Duration::from_secs(1);
/// `sun_path` has 108 bytes on Linux and 104 elsewhere, with a zero at the end.
const SOCKET_PATH_BYTES_MAX: usize = 100;

/// An answer to be made and written.
type Finished = (Request, Finish);

/// The private server. Dropping does nothing; [`Web::stop`] ends it.
pub struct Web {
    thread: JoinHandle<()>,
    wake: Sender<()>,
    stopping: Arc<AtomicBool>,
}

/// Where the private server is reached: below the data folder, or where that path is too long in a private temporary folder.
///
/// # Errors
/// Where neither can be had.
pub fn socket_path(data: &Path) -> Result<PathBuf, Error> {
    let absolute = path_in(data);
    if absolute.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
        return Ok(absolute);
    }
    let mut random = [0; 8];
    getrandom::fill(&mut random)
        .map_err(|error| Error::Other(format!("no random bytes: {error}")))?;
    let folder = std::env::temp_dir().join(format!("sayso-{:016x}", u64::from_be_bytes(random)));
    let io_error = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { what: "create", path, source }
    };
    fs::DirBuilder::new().mode(0o700).create(&folder).map_err(io_error(&folder))?;
    let socket = folder.join("web.sock");
    // What a server has left that was killed; the folder is locked by this one.
    leave(data);
    symlink(&socket, &absolute).map_err(io_error(&absolute))?;
    Ok(socket)
}

/// Where the server that uses the data folder is reached: what [`socket_path`] gave it.
pub fn find_socket(data: &Path) -> PathBuf {
    let path = path_in(data);
    fs::read_link(&path).unwrap_or(path)
}

/// Removes the private server's socket, or the link to it and its folder; whoever calls this has locked the data folder.
pub fn leave(data: &Path) {
    let path = path_in(data);
    // Somebody else's link may lead anywhere.
    let linked = fs::read_link(&path).ok();
    if let Some(socket) = linked.filter(|socket| socket.starts_with(std::env::temp_dir())) {
        let _ = fs::remove_file(&socket);
        let _ = socket.parent().map(fs::remove_dir);
    }
    let _ = fs::remove_file(path);
}

fn path_in(data: &Path) -> PathBuf {
    let path = data.join(".web.sock");
    std::path::absolute(&path).unwrap_or(path)
}

impl Web {
    /// Serves `router` on the Unix socket `path`. Who finds nobody there says so with `wake`, whose other end is `woken`.
    ///
    /// # Errors
    /// Where the socket or a thread can't be made.
    pub fn start(
        path: PathBuf,
        router: Arc<Router>,
        wake: Sender<()>,
        woken: Receiver<()>,
    ) -> Result<Web, Error> {
        let backend = Backend::build(&path, &router, &wake).map_err(|source| Error::Io {
            what: "listen on",
            path: path.clone(),
            source,
        })?;
        let stopping = Arc::new(AtomicBool::new(false));
        let supervisor =
            Supervisor { path, router, wake: wake.clone(), woken, stopping: stopping.clone() };
        let thread = threads::start("web", move || supervisor.keep(backend))
            .map_err(|source| Error::Thread { name: "web".into(), source })?;
        Ok(Web { thread, wake, stopping })
    }

    /// Ends the server; requests that are under way may get no answer.
    pub fn stop(self) {
        self.stopping.store(true, Release);
        // Full: the keeper is about to wake anyway.
        let _ = self.wake.try_send(());
        let _ = self.thread.join();
    }
}

/// Has the server, and makes a new one when it is broken.
struct Supervisor {
    path: PathBuf,
    router: Arc<Router>,
    wake: Sender<()>,
    woken: Receiver<()>,
    stopping: Arc<AtomicBool>,
}

impl Supervisor {
    fn keep(self, backend: Backend) {
        let mut backend = Some(backend);
        while self.woken.recv().is_ok() && !self.stopping.load(Acquire) {
            log::warn!("the private web server has died and is made anew");
            backend.take().into_iter().for_each(Backend::tear_down);
            // Pausing here delays nobody: without a server there is nothing to do.
            thread::sleep(RESTART_INTERVAL);
            while self.woken.try_recv().is_ok() {}
            match Backend::build(&self.path, &self.router, &self.wake) {
                Ok(new) => backend = Some(new),
                Err(error) => {
                    log::error!("the private web server can't be made anew: {error}");
                    let _ = self.wake.try_send(());
                }
            }
        }
        backend.into_iter().for_each(Backend::tear_down);
    }
}

/// One tiny_http server and the threads that serve it.
struct Backend {
    server: Arc<Server>,
    threads: Vec<JoinHandle<()>>,
}

impl Backend {
    fn build(path: &Path, router: &Arc<Router>, wake: &Sender<()>) -> io::Result<Backend> {
        let listener = listen(path)?;
        let server = Server::from_listener(listener, None).map_err(io::Error::other)?;
        let server = Arc::new(server);
        let (finished, to_finish) = bounded::<Finished>(FINISHED_MAX);
        let mut threads = Vec::new();
        for n in 0..TAKING_THREADS {
            let (server, router, finished, wake) =
                (server.clone(), router.clone(), finished.clone(), wake.clone());
            let take = move || {
                while let Ok(request) = server.recv() {
                    // A panic costs the request that caused it, which tiny_http then answers, and no thread.
                    threads::catch_panic(Box::new(|| serve(&router, request, &finished)));
                }
                // Torn down, or tiny_http's accept has failed: then somebody must know.
                let _ = wake.try_send(());
            };
            threads.push(threads::start(format!("web-{n}"), take)?);
        }
        let finish = move || {
            to_finish.iter().for_each(|(request, finish)| {
                let _ = threads::catch_panic(Box::new(|| respond(request, finish())));
            })
        };
        threads.push(threads::start(format!("web-{TAKING_THREADS}"), finish)?);
        Ok(Backend { server, threads })
    }

    fn tear_down(self) {
        for _ in 0..TAKING_THREADS {
            self.server.unblock();
        }
        drop(self.server);
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

/// A socket that only we can reach, also while it is being made.
fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mask = umask(Mode::RWXG | Mode::RWXO);
    let listener = UnixListener::bind(path);
    umask(mask);
    listener
}

fn serve(router: &Arc<Router>, mut request: Request, finished: &Sender<Finished>) {
    let Some(parsed) = parse(&mut request) else { return };
    match router.serve(parsed) {
        Reply::Ready(answer) => respond(request, answer),
        Reply::Deferred(start) => {
            let finished = finished.clone();
            // Full: the relay has given up on the oldest of them; a dropped request is answered by tiny_http.
            start(Box::new(move |finish| drop(finished.try_send((request, finish)))));
        }
    }
}

/// `None` if the relay has gone: then nobody waits for an answer.
fn parse(request: &mut Request) -> Option<message::Request> {
    let mut body = Vec::new();
    let limit = MESSAGE_BYTES_MAX as u64 + 1;
    io::Read::read_to_end(&mut io::Read::take(request.as_reader(), limit), &mut body).ok()?;
    let headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .map(|header| {
            (header.field.as_str().as_str().to_ascii_lowercase(), header.value.as_str().to_owned())
        })
        .collect();
    let client = headers
        .iter()
        .find(|(name, _)| name == "x-sayso-client")
        .and_then(|(_, value)| value.parse().ok());
    let (path, query) = request.url().split_once('?').unwrap_or((request.url(), ""));
    Some(message::Request {
        method: request.method().to_string(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body,
        client,
    })
}

fn respond(request: Request, answer: message::Response) {
    let header = |(name, value): &(&str, String)| Header::from_bytes(*name, value.as_bytes()).ok();
    let headers = answer.headers.iter().filter_map(header).collect();
    let length = answer.body.len();
    let response =
        Response::new(StatusCode(answer.status), headers, &answer.body[..], Some(length), None)
            .with_chunked_threshold(usize::MAX);
    // A relay that has given up is no error.
    let _ = request.respond(response);
}
