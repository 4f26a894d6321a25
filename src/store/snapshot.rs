//! The comments in a log as they are at one moment, also while a server writes to it: reads up to the last complete line, changes
//! nothing, and takes no lock.
//!
//! Knows no form in which they are written elsewhere.

use std::{path::Path, sync::Arc};

use super::{
    entry,
    index::{CommentRef, Index},
    moderation::{Moderation, line},
    record::{self, LineSummary},
};
use crate::{
    comment::Comment,
    error::Error,
    log::scan::ScanError,
    log::storage::{FileStorage, ReadAt, Storage},
    log::survey::{Finding, survey},
    log::{FILE_NAME, line_at},
};

/// A log at one moment.
pub struct Snapshot {
    file: Arc<dyn ReadAt>,
    log_id: String,
    index: Index,
    moderation: Moderation,
}

impl Snapshot {
    /// Reads the log in a folder.
    ///
    /// # Errors
    /// Fails if it can't be read, is no log, or is damaged elsewhere than at its end, which may be about to be written.
    pub fn open(data: &Path) -> Result<Snapshot, Error> {
        let path = data.join(FILE_NAME);
        let storage = FileStorage::open_read_only(&path)?;
        let file = storage.reader();
        let length = storage.length().map_err(Error::io("read", &path))?;
        let (mut index, mut moderation) = (Index::default(), Moderation::default());
        let mut is_damaged = false;
        let judge = &mut |line: &[u8]| Ok(LineSummary::parse(line)?.seq);
        let survey = survey(storage.reader(), length, judge, &mut |finding| match finding {
            Finding::Line(line, location, _) => {
                let Ok(summary) = LineSummary::parse(line) else { return };
                if let Some(entry) = entry(&summary, location) {
                    index.load(entry);
                } else if line::KINDS.contains(&&*summary.kind) {
                    moderation.load(line, location);
                }
            }
            Finding::Gap(gap) => is_damaged |= !gap.is_torn_tail(),
        });
        let survey = survey.map_err(|error| match error {
            ScanError::NotALog(why) => Error::NotALog { path: path.clone(), why },
            ScanError::Io(source) => Error::io("read", &path)(source),
        })?;
        let Some(header) = survey.header.filter(|_| !is_damaged) else {
            let (path, data) = (path.display(), data.display());
            return Err(Error::Other(format!(
                "{path} is damaged; sayso check --data {data} says where, and sayso repair makes a repaired copy"
            )));
        };
        let time_of = &|location| record::time_of(&line_at(&*file, location).ok()?);
        index.finish_loading(moderation.moves_made().into_iter(), time_of);
        Ok(Snapshot { file, log_id: header.log, index, moderation })
    }

    /// Id of the log.
    pub fn log_id(&self) -> &str {
        &self.log_id
    }

    /// The pages that have comments, those that have moved left out, in alphabetical order.
    pub fn pages(&self) -> Vec<&str> {
        let pages = self.index.pages_below("", usize::MAX);
        pages.into_iter().filter(|page| self.moderation.resolve(page) == *page).collect()
    }

    /// The page that a name stands for.
    pub fn resolve<'p>(&'p self, page: &'p str) -> &'p str {
        self.moderation.resolve(page)
    }

    /// The pages that moderators have closed, in alphabetical order.
    pub fn locked(&self) -> Vec<&str> {
        let locked = self.moderation.pages.iter().filter(|(_, state)| state.locked);
        let mut locked: Vec<&str> = locked.map(|(page, _)| &**page).collect();
        locked.sort_unstable();
        locked
    }

    /// The newest line of each comment of a page, whoever may see it, in the page's order.
    pub fn comments(&self, page: &str) -> Vec<CommentRef> {
        let mut comments: Vec<_> = self.index.newest_with_pending(page, None).collect();
        comments.reverse();
        comments
    }

    /// How many comments of a page everyone may see.
    pub fn count(&self, page: &str) -> u64 {
        self.index.count(page)
    }

    /// Reads a comment. It names the page that it lives on now.
    ///
    /// # Errors
    /// Fails if the log can't be read.
    pub fn read(&self, comment: CommentRef) -> std::io::Result<Comment> {
        let mut comment = Comment::parse(&line_at(&*self.file, comment.location)?)?;
        let page = self.moderation.resolve(&comment.page);
        if page != comment.page {
            comment.page = page.to_owned();
        }
        Ok(comment)
    }
}
