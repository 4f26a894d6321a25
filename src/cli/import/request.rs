//! The requests of an import, one after another: what fits into one, and what was written.
//!
//! Knows neither the plan nor what is said of it.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    cli::control::{Api, success, unknown},
    error::Error,
    exchange::import::spool::Numbers,
    hub::imports::{Answer, IMPORTED_AT_ONCE_MAX},
    limits::MESSAGE_BYTES_MAX,
};

/// Bytes of comments in one request, below [`MESSAGE_BYTES_MAX`]; the longest comment alone stays below that too.
const REQUEST_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 2;
/// What a running server does for others after each request: as long as the request took, at most this.
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// Comments for one request, or pages that are to be closed.
#[derive(Default)]
pub(super) struct Request {
    /// Lines behind one another, with commas in between.
    comments: String,
    pub count: usize,
    /// Which of them answers which.
    pub answers: Vec<(usize, usize)>,
    /// Which of them have no nonce where they are from, and what they are called there.
    pub origins: Vec<(usize, String)>,
    /// Names of pages.
    pub closed: Vec<String>,
    closed_bytes: usize,
    /// Whether they are from a sayso.
    is_own: bool,
}

impl Request {
    pub fn new(is_own: bool) -> Request {
        Request { is_own, ..Request::default() }
    }

    pub fn is_full(&self, length: usize) -> bool {
        let bytes = self.comments.len() + self.closed_bytes;
        self.count == IMPORTED_AT_ONCE_MAX || (bytes > 0 && bytes + length > REQUEST_BYTES_MAX)
    }

    pub fn add(&mut self, line: &str) {
        self.comments.push_str(if self.count > 0 { "," } else { "" });
        self.comments.push_str(line);
        self.count += 1;
    }

    pub fn close(&mut self, page: &str) {
        // Each character may need a backslash, and the name quotes and a comma.
        self.closed_bytes += 2 * page.len() + 3;
        self.closed.push(page.to_owned());
    }

    /// Sends what there is, and gives a running server the same time for others.
    pub fn send(
        &mut self,
        api: &Api,
        ids: &mut Numbers,
        written: &mut Written,
    ) -> Result<(), Error> {
        let next = Request::new(self.is_own);
        let Request { comments, count, answers, origins, closed, is_own, .. } =
            std::mem::replace(self, next);
        if count == 0 && closed.is_empty() {
            return Ok(());
        }
        let others = serde_json::to_string(&(answers, origins, closed));
        let others = others.expect("numbers and texts can be encoded");
        let body = format!("{{\"comments\":[{comments}],\"others\":{others},\"own\":{is_own}}}");
        let started = Instant::now();
        let answer = api.call("POST", "/api/admin/import", &body)?;
        if answer.status == 404 {
            let why = "the server that uses the folder was built without imports; stop it, or start one that has them";
            return Err(Error::Other(why.into()));
        }
        let answer = success(answer)?;
        let answer: Answer = serde_json::from_slice(&answer).map_err(unknown)?;
        if answer.ids.len() != count {
            return Err(Error::Other("the server has not told the numbers of all comments".into()));
        }
        for id in answer.ids {
            ids.push(id).map_err(|error| Error::Other(error.to_string()))?;
        }
        written.added += answer.added;
        written.known += count as u64 - answer.added;
        written.unpinned += answer.unpinned;
        written.deleted += answer.deleted;
        written.differing.extend(answer.differing);
        written.opened += answer.opened;
        written.refused.extend(answer.refused);
        if matches!(api, Api::Socket(_)) {
            thread::sleep(started.elapsed().min(PAUSE_MAX));
        }
        Ok(())
    }
}

/// What was written.
#[derive(Default)]
pub(super) struct Written {
    pub added: u64,
    pub known: u64,
    pub unpinned: u64,
    /// Comments that were deleted here because they are deleted in the file.
    pub deleted: u64,
    /// Comments that are another way in the file and stay as they are here.
    pub differing: Vec<u64>,
    /// Pages that stay open, since a moderator has opened them.
    pub opened: u64,
    /// Why pages could not be closed.
    pub refused: Vec<String>,
}
