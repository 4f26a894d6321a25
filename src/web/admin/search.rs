//! Searches through comments of all pages: reads the lines that the hub finds, in a thread of its own.
//!
//! Two may run at once, each for a bounded time and over a bounded number of bytes, so that neither a hub that is stuck nor a large log
//! keeps anybody else from being served. Knows no route and not what is looked for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::AcqRel},
    },
    time::{Duration, Instant},
};

use super::super::{Reply, Router, history::unreadable};
use crate::{
    comment::did::Did,
    comment::rejection::Rejection,
    http::request::HttpError,
    http::response::Response,
    hub::command::{Callback, Edge, HubHandle, Operation, Query, ReplyTo, Write, Written},
    hub::measure::{Find, Found, Lines, Wanted},
    log::{line_at, read_line, scan::Location, storage::ReadAt},
    store::index::CommentRef,
    store::moderation::line::ModerationLine,
    store::visibility::Visibility,
    util::slot::{Slot, slot},
    util::stream::Stream,
    util::threads,
    web::request::Request,
};

/// Bytes of lines that one request reads. What it has not seen then, it says how to ask for.
const SEARCHED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Searches at once. The others wait for their turn with `Retry-After`.
const SEARCHES_MAX: usize = 2;
/// How long one request searches, well below the time that a response may take.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(10);
/// Comments that the hub is asked for at once.
const FOUND_AT_ONCE: usize = 1_024;
/// `Retry-After` while as many searches run as may, in seconds.
const BUSY_RETRY_SECONDS: u32 = 1;
/// `Retry-After` if the hub does not answer, in seconds.
const STUCK_RETRY_SECONDS: u32 = 5;

/// What a search does.
pub(in crate::web) type Work = Box<dyn FnOnce(Search) -> Result<Response, Response> + Send>;

/// A search that runs.
pub(in crate::web) struct Search {
    hub: HubHandle<Arc<Stream>>,
    request: Arc<Request>,
    bytes_left: usize,
    deadline: Instant,
    _permit: Permit,
}

/// One of the searches that may run at once.
struct Permit(Arc<AtomicUsize>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, AcqRel);
    }
}

/// A comment that was found.
pub(in crate::web) struct Hit<'a> {
    /// Where it lies, and who sees it.
    pub item: CommentRef,
    /// Its line.
    pub line: &'a [u8],
    /// The line of its newest note.
    pub note: Option<Vec<u8>>,
    /// How many unsettled flags it has.
    pub flags: usize,
}

impl Hit<'_> {
    /// Whether a comment that not everybody sees waits for a moderator.
    pub(in crate::web) fn waits(&self) -> bool {
        let note = self.note.as_deref().and_then(|note| ModerationLine::parse(note).ok());
        let did = note.and_then(|note| note.did);
        match self.item.visibility {
            Visibility::Pending => did != Some(Did::Hide),
            Visibility::Hidden => did == Some(Did::Hold),
            _ => false,
        }
    }
}

/// The log that was searched, as it was at the start.
pub(in crate::web) struct Searched {
    pub log: Arc<str>,
    pub mark: Arc<str>,
    pub seq: u64,
    /// The id to go on from in the same direction; `None` if everything was searched.
    pub next: Option<u64>,
}

impl Router {
    /// Runs `work` in a thread of its own and answers with what it returns. `searches` counts those that run beside it.
    ///
    /// # Errors
    /// 503 while [`SEARCHES_MAX`] searches run.
    pub(in crate::web) fn search(
        &self,
        searches: &Arc<AtomicUsize>,
        request: &Arc<Request>,
        work: Work,
    ) -> Result<Reply, Response> {
        let permit = search_permit(searches)?;
        let search = Search {
            hub: self.hub.clone(),
            request: request.clone(),
            bytes_left: SEARCHED_BYTES_MAX,
            deadline: Instant::now() + SEARCH_TIMEOUT,
            _permit: permit,
        };
        Ok(Reply::Deferred(Box::new(move |respond| {
            let started = threads::start("search", move || {
                let response = work(search).unwrap_or_else(|error| error);
                respond(Box::new(move || response));
            });
            // Whoever asks is answered with 500, since the function that responds is dropped.
            if let Err(error) = started {
                log::warn!("a search could not begin, because no thread could be started: {error}");
            }
        })))
    }
}

fn search_permit(searches: &Arc<AtomicUsize>) -> Result<Permit, Response> {
    let permit = Permit(searches.clone());
    if searches.fetch_add(1, AcqRel) < SEARCHES_MAX {
        return Ok(permit);
    }
    let message = format!("{SEARCHES_MAX} searches are running, try again");
    Err(busy(message, BUSY_RETRY_SECONDS))
}

fn busy(message: impl Into<String>, seconds: u32) -> Response {
    let error = HttpError::new(503, message);
    Response::from_error(&HttpError { retry_after: Some(seconds), ..error })
}

fn stuck() -> Response {
    busy("the comments can't be searched now, try again", STUCK_RETRY_SECONDS)
}

impl Search {
    /// Asks the hub and waits for its answer.
    ///
    /// # Errors
    /// 503 if it does not answer in time.
    pub(in crate::web) fn ask<T: Send + 'static>(
        &self,
        query: impl FnOnce(Callback<T>) -> Query<Arc<Stream>>,
    ) -> Result<T, Response> {
        let (callback, slot) = slot();
        self.hub.query(query(callback))?;
        self.wait(slot)
    }

    /// Has the hub write something, and waits until it is durable.
    ///
    /// # Errors
    /// The hub's rejection, or 503 if it does not answer in time.
    pub(in crate::web) fn write(&self, operation: Operation) -> Result<Written, Response> {
        Ok(self.wait(self.start_write(operation)?)??)
    }

    /// Has the hub write several things, which it may do at once, and waits until they are durable.
    ///
    /// # Errors
    /// 503 if it does not answer in time.
    pub(in crate::web) fn write_all(
        &self,
        operations: impl Iterator<Item = Operation>,
    ) -> Result<Vec<Result<Written, Rejection>>, Response> {
        let mut slots = Vec::new();
        for operation in operations {
            slots.push(self.start_write(operation)?);
        }
        let mut outcomes = Vec::new();
        for slot in slots {
            outcomes.push(self.wait(slot)?);
        }
        Ok(outcomes)
    }

    fn start_write(
        &self,
        operation: Operation,
    ) -> Result<Slot<Result<Written, Rejection>>, Response> {
        let (callback, slot) = slot();
        let (from, client) = (self.request.client_key(), self.request.client());
        self.hub.write(Write { operation, from, client, reply: ReplyTo::Callback(callback) })?;
        Ok(slot)
    }

    fn wait<T>(&self, slot: Slot<T>) -> Result<T, Response> {
        slot.wait_until(self.deadline).ok_or_else(stuck)
    }

    /// Reads lines that the hub has named.
    ///
    /// # Errors
    /// 503 if the log can't be read.
    pub(in crate::web) fn read(&self, lines: Lines) -> Result<Vec<Option<Vec<u8>>>, Response> {
        let Lines { lines, file } = lines;
        let mut read = Vec::with_capacity(lines.len());
        for location in lines {
            read.push(read_note(&*file, location)?);
        }
        Ok(read)
    }

    /// Passes comments to `each`, in the order that `from` says, until it returns `false`: then the search goes on with that comment.
    ///
    /// # Errors
    /// 503 if the hub does not answer in time, or if the log can't be read.
    pub(in crate::web) fn run(
        &mut self,
        wanted: Wanted,
        page: Option<&str>,
        mut from: Edge,
        each: &mut dyn FnMut(Hit) -> bool,
    ) -> Result<Searched, Response> {
        let mut start = None;
        loop {
            let (page, limit) = (page.map(str::to_owned), FOUND_AT_ONCE);
            let found =
                self.ask(|answer| Query::Find(Find { wanted, page, from, limit, answer }))?;
            let Found { log, mark, seq, items, next, file } = found;
            let (log, mark, seq) = start.get_or_insert((log, mark, seq)).clone();
            let searched = |next| Searched { log, mark, seq, next };
            let mut line = Vec::new();
            for (item, note, flags) in items {
                let length = item.location.len as usize + note.map_or(0, |note| note.len as usize);
                if length > self.bytes_left {
                    return Ok(searched(Some(from.at(item.id))));
                }
                self.bytes_left -= length;
                line.clear();
                read_line(&*file, item.location, &mut line).map_err(|e| unreadable(&e))?;
                let note = read_note(&*file, note)?;
                if !each(Hit { item, line: &line, note, flags }) {
                    return Ok(searched(Some(from.at(item.id))));
                }
            }
            match next.filter(|_| Instant::now() < self.deadline) {
                Some(next) => from = from.moved_to(next),
                None => return Ok(searched(next)),
            }
        }
    }
}

/// Reads the line there, if there is one.
fn read_note(file: &dyn ReadAt, location: Option<Location>) -> Result<Option<Vec<u8>>, Response> {
    let Some(location) = location else { return Ok(None) };
    line_at(file, location).map(Some).map_err(|error| unreadable(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;

    use crate::{
        hub::command::Command,
        web::{Options, request::Peer},
    };

    #[test]
    fn searches_that_a_stuck_hub_does_not_answer_keep_nobody_else_waiting() {
        let (commands, inbox) = bounded(8);
        let hub = HubHandle { commands, stats: Arc::default() };
        let router = Arc::new(Router::new(Options::of_owner(), hub));
        let serve = || {
            router.serve(Request {
                method: "GET".into(),
                path: "/api/admin/comments".into(),
                query: String::new(),
                headers: Vec::new(),
                body: Vec::new(),
                peer: Peer::Owner,
            })
        };
        let (sender, responses) = bounded(8);
        for _ in 0..2 {
            for _ in 0..SEARCHES_MAX {
                let Reply::Deferred(start) = serve() else { panic!("it is not refused") };
                let sender = sender.clone();
                start(Box::new(move |build| sender.send(build()).unwrap()));
            }
            let Reply::Ready(refused) = serve() else { panic!("one too many is refused at once") };
            assert_eq!((refused.status, refused.header("Retry-After")), (503, Some("1")));
            for _ in 0..SEARCHES_MAX {
                let command = inbox.recv().unwrap();
                assert!(matches!(command, Command::Query(Query::Find(_))));
            }
            let answers = || (0..SEARCHES_MAX).map(|_| responses.recv().unwrap());
            assert!(answers().all(|response| response.status == 503), "the hub has dropped them");
        }
    }
}
