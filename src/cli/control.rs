//! How a command reaches the API: over the control socket of the server that uses the folder, in this process if there is none, or
//! over the network.
//!
//! Knows no path of the API. Hub and routes are the server's own, so a command does the same whether a server runs or not.

use std::{
    fmt,
    io::{self, ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::value::RawValue;

#[cfg(feature = "exchange")]
use crate::cli::serve::lock_data_folder;
#[cfg(feature = "redis")]
use crate::log::tail;
use crate::{
    cli::config::Config,
    cli::remote::Remote,
    cli::serve::start_hub,
    error::Error,
    http::response::{RESPONSE_BYTES_MAX, Response, ResponseHead},
    hub::command::Stats,
    hub::command::{HubHandle, Query},
    log::FILE_NAME,
    log::runs::Runs,
    log::salt::{self, Salt},
    log::storage::{DirLock, FileStorage},
    store::Store,
    util::json::{self, Slot},
    util::slot::slot,
    util::stream::Stream,
    util::text::quote,
    web::backend::Socket,
    web::request::{Peer, Request},
    web::{self, Reply, Router},
};

/// How long a command waits for another one that has locked the folder, or for a server that has and does not listen yet.
const ACCESS_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a response that are read at once.
const PIECE_BYTES: usize = 16 * 1024;
/// The pause between two tries.
const ACCESS_INTERVAL: Duration = Duration::from_millis(20);

/// Where a command does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a data folder on this machine.
    Folder(PathBuf),
    /// At a server, as a moderator.
    Server {
        /// The server's address, normalized like [`Config::public_url`].
        url: String,
        /// The file whose first token is shown.
        token_file: PathBuf,
    },
}

/// What the answers that commands read, and the lines in them, may have; each has some of it. Most stays JSON, since it is only printed.
#[derive(Default)]
pub struct Answer<'a> {
    /// The sentence of a refusal.
    pub error: Option<String>,
    /// A part of a list of comments, as lines.
    pub comments: Vec<&'a RawValue>,
    /// If the list goes on: the id that asks for the next part.
    pub before: Option<&'a RawValue>,
    /// Of a line: the newest note about the comment.
    pub note: Option<&'a RawValue>,
    /// Of a line: how many flags nobody has looked at.
    pub flags: Option<&'a RawValue>,
    /// Bans that are new.
    pub bans: Vec<&'a RawValue>,
    /// The ids of comments that a ban has hidden.
    pub hidden: Vec<&'a RawValue>,
    /// Pages that have moved.
    pub moved: Vec<&'a RawValue>,
    /// Why the next page was not moved.
    pub refused: Option<String>,
    /// Whether there is more to do.
    pub more: bool,
    /// The ids of comments that the end of a ban has made public again.
    pub restored: Vec<&'a RawValue>,
}

/// The body of a success.
///
/// # Errors
/// The server's sentence.
pub fn success(response: Response) -> Result<Vec<u8>, Error> {
    let Response { status, body, .. } = response;
    if (200..300).contains(&status) {
        return Ok(body);
    }
    let sentence = parse(&body).ok().and_then(|answer| answer.error);
    Err(Error::Other(match sentence {
        Some(sentence) => Printable(&sentence).to_string(),
        None => {
            format!("the answer has status {status}: {}", quote(&String::from_utf8_lossy(&body)))
        }
    }))
}

/// Reads an answer of the server's, or a line in it.
///
/// # Errors
/// Fails if it isn't what this version of sayso knows.
pub fn parse(json: &[u8]) -> Result<Answer<'_>, Error> {
    let mut answer = Answer::default();
    let mut fields = [
        ("error", Slot::OptionalText(&mut answer.error)),
        ("comments", Slot::List(&mut answer.comments)),
        ("before", Slot::Any(&mut answer.before)),
        ("note", Slot::Any(&mut answer.note)),
        ("flags", Slot::Any(&mut answer.flags)),
        ("bans", Slot::List(&mut answer.bans)),
        ("hidden", Slot::List(&mut answer.hidden)),
        ("moved", Slot::List(&mut answer.moved)),
        ("refused", Slot::OptionalText(&mut answer.refused)),
        ("more", Slot::Flag(&mut answer.more)),
        ("restored", Slot::List(&mut answer.restored)),
    ];
    json::read(json, 0, &mut fields).map_err(unknown)?;
    Ok(answer)
}

/// The error for an answer that this version of sayso doesn't know.
pub fn unknown(error: serde_json::Error) -> Error {
    Error::Other(format!("the answer isn't what this version of sayso knows: {error}"))
}

/// Shows text from elsewhere on a terminal: what would move the cursor, or turn the order of what follows, becomes a replacement
/// character.
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_safe = |c: char| {
            !c.is_control()
                && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        self.0
            .chars()
            .try_for_each(|c| fmt::Write::write_char(f, if is_safe(c) { c } else { '\u{fffd}' }))
    }
}

/// Who works in a data folder.
pub enum Access {
    /// Nobody but this process.
    Locked(DirLock),
    /// The server that listens on this control socket.
    Server(PathBuf),
}

/// Locks the data folder, or finds the server that uses it.
///
/// # Errors
/// Fails if the folder has no log, if the socket may not be opened, or with [`Error::Locked`] if the process that uses the folder neither
/// ends nor listens within [`ACCESS_TIMEOUT`].
pub fn access(data: &Path) -> Result<Access, Error> {
    // Nothing is created in a folder that was mistyped.
    FileStorage::open_read_only(&data.join(FILE_NAME))?;
    let deadline = Instant::now() + ACCESS_TIMEOUT;
    loop {
        let locked = match DirLock::take(data) {
            Ok(lock) => return Ok(Access::Locked(lock)),
            Err(error @ Error::Locked { .. }) => error,
            Err(error) => return Err(error),
        };
        let path = Socket::Control.find(data);
        match UnixStream::connect(&path) {
            Ok(_) => return Ok(Access::Server(path)),
            Err(error)
                if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
            {
                return Err(Error::io("ask the server on", &path)(error));
            }
            Err(_) if Instant::now() < deadline => thread::sleep(ACCESS_INTERVAL),
            Err(_) => return Err(locked),
        }
    }
}

/// A way to the API.
pub enum Api {
    /// A running server's control socket.
    Socket(PathBuf),
    /// The server's parts in this process.
    Folder(LocalServer),
    /// A server elsewhere.
    Remote(Remote),
}

impl Api {
    /// Finds the way. With `writes`, the log may get new lines.
    ///
    /// # Errors
    /// Those of [`access`], and of opening the log or the token file.
    pub fn open(place: &Place, writes: bool) -> Result<Api, Error> {
        match place {
            Place::Server { url, token_file } => Remote::new(url, token_file).map(Api::Remote),
            Place::Folder(data) => Ok(match access(data)? {
                Access::Server(path) => Api::Socket(path),
                Access::Locked(lock) => Api::Folder(LocalServer::start(data, lock, writes)?),
            }),
        }
    }

    /// The same for a data folder that may have no log yet, or may not be there: then it is created.
    ///
    /// # Errors
    /// Those of [`Api::open`], and of creating the folder.
    #[cfg(feature = "exchange")]
    pub fn open_or_create(data: &Path) -> Result<Api, Error> {
        if !data.join(FILE_NAME).exists() {
            let lock = lock_data_folder(data)?;
            return LocalServer::start(data, lock, true).map(Api::Folder);
        }
        Api::open(&Place::Folder(data.to_owned()), true)
    }

    /// Sends one request, whose body is JSON or empty.
    ///
    /// # Errors
    /// Fails if there is no answer, whatever it says.
    pub fn call(&self, method: &str, target: &str, body: &str) -> Result<Response, Error> {
        match self {
            Api::Folder(server) => server.call(method, target, body),
            Api::Remote(remote) => remote.call(method, target, body),
            Api::Socket(path) => {
                let failed = Error::io("ask the server on", path);
                let stream = UnixStream::connect(path).map_err(&failed)?;
                let request = request(method, target, "sayso", "", body);
                exchange(&stream.into(), &request).map_err(failed)
            }
        }
    }

    /// The body of the answer to a request.
    ///
    /// # Errors
    /// The server's sentence, or those of [`Api::call`].
    pub fn ask(&self, method: &str, target: &str, body: &str) -> Result<Vec<u8>, Error> {
        success(self.call(method, target, body)?)
    }

    /// Ends what [`Api::open`] has started.
    pub fn close(self) {
        if let Api::Folder(server) = self {
            server.stop();
        }
    }
}

/// Refuses to write to a log that other machines keep too: its lines would part from theirs.
#[cfg(feature = "redis")]
fn check_is_alone(data: &Path, store: &Store) -> Result<(), Error> {
    let is_shared = tail::is_chained(store.log.reader(), store.log.end());
    match is_shared.map_err(Error::io("read", data))? {
        false => Ok(()),
        true => Err(Error::Other(format!(
            "the log in {} is kept by several machines, so only a running server may write to it; start this one, or name another with --server",
            data.display()
        ))),
    }
}

#[cfg(not(feature = "redis"))]
fn check_is_alone(_: &Path, _: &Store) -> Result<(), Error> {
    Ok(())
}

/// The hub and the routes of a folder that no server uses. Nobody else reaches them.
pub struct LocalServer {
    hub: HubHandle<Arc<Stream>>,
    router: Arc<Router>,
    thread: JoinHandle<()>,
    /// Released when all else has ended.
    _lock: DirLock,
}

impl LocalServer {
    fn start(data: &Path, lock: DirLock, writes: bool) -> Result<LocalServer, Error> {
        let config = Config { data: data.to_owned(), rate: None, ..Config::default() };
        let store = Store::open(data, config.sync, false)?;
        if writes {
            check_is_alone(data, &store)?;
        }
        // What is written here belongs to no run before, or a cursor from before a restored backup could seem to be good.
        let (runs, salt) = match writes {
            true => (Runs::begin(data, store.log.id(), store.log.next_seq())?, salt::open(data)?),
            false => (Runs::default(), Salt::default()),
        };
        let (hub, thread) =
            start_hub(&config, store, runs, Vec::new(), Stats::default(), salt, None)?;
        let router = Arc::new(Router::new(web::Options::of_owner(), hub.clone()));
        Ok(LocalServer { hub, router, thread, _lock: lock })
    }

    fn call(&self, method: &str, target: &str, body: &str) -> Result<Response, Error> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: vec![("content-type".into(), "application/json".into())],
            body: body.as_bytes().to_vec(),
            peer: Peer::Owner,
        };
        Ok(match self.router.serve(request) {
            Reply::Ready(response) => response,
            Reply::Deferred(start) => {
                let (respond, slot) = slot();
                start(respond);
                let stopped = || Error::Other("the log can't be written any more".into());
                slot.wait().ok_or_else(stopped)?()
            }
        })
    }

    fn stop(self) {
        let LocalServer { hub, router, thread, _lock } = self;
        let _ = hub.query(Query::Stop);
        drop((hub, router));
        let _ = thread.join();
    }
}

/// A request in HTTP/1.0, so that its answer comes in one piece, whatever proxy is in between.
pub(super) fn request(method: &str, target: &str, host: &str, headers: &str, body: &str) -> String {
    let length = match body {
        "" => String::new(),
        _ => format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()),
    };
    format!("{method} {target} HTTP/1.0\r\nHost: {host}\r\n{headers}{length}\r\n{body}")
}

/// Sends a request and reads the response to the end of the stream.
pub(super) fn exchange(mut stream: &Stream, request: &str) -> io::Result<Response> {
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    let mut piece = [0; PIECE_BYTES];
    while bytes.len() < RESPONSE_BYTES_MAX {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let head = ResponseHead::parse(&bytes).map_err(io::Error::other)?;
    let head = head.ok_or(ErrorKind::UnexpectedEof)?;
    if head.content_length.is_some_and(|length| bytes.len() - head.body_start < length) {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(head.complete(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_whole_or_not_at_all() {
        let answer = |text: &str| {
            let (ours, mut theirs) = UnixStream::pair()?;
            theirs.write_all(text.as_bytes())?;
            drop(theirs);
            let response = exchange(&ours.into(), "")?;
            io::Result::Ok((response.status, String::from_utf8(response.body).unwrap()))
        };
        let whole = answer("HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}");
        assert_eq!(whole.unwrap(), (404, "{}".into()));
        assert_eq!(answer("HTTP/1.0 204 No Content\r\n\r\n").unwrap(), (204, String::new()));
        for cut in [
            "",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
            "SSH-2.0-OpenSSH\r\n\r\n",
        ] {
            assert!(answer(cut).is_err(), "{cut:?}");
        }
    }

    #[test]
    fn an_error_is_the_servers_sentence_without_what_a_terminal_obeys() {
        let error =
            |status, body: &str| success(Response::json(status, body)).unwrap_err().to_string();
        assert_eq!(
            error(404, r#"{"error":"there is no comment 9","code":"x"}"#),
            "there is no comment 9"
        );
        assert_eq!(
            error(400, r#"{"error":"a\u001b[2J\u202eb\n"}"#),
            "a\u{fffd}[2J\u{fffd}b\u{fffd}"
        );
        assert_eq!(error(502, "<html>\u{1b}"), "the answer has status 502: \"<html>\\u{1b}\"");
        assert_eq!(success(Response::json(204, "")).unwrap(), b"");
    }
}
