//! Publishes the lines of a batch that is on disk: to readers, or of what is not for everyone to its author.
//!
//! Does not know why a line is there.

use std::{borrow::Cow, mem, ops::Range};

use super::{
    Hub,
    batch::{Batch, StagedLine},
};
use crate::{
    fanout::subscribers::Published,
    hub::rules::Hold,
    store::{history::redacted, visibility::Visibility},
};

impl<S> Hub<S> {
    /// Publishes the batch's lines up to number `end`, each once, in their order.
    pub(super) fn publish_up_to(&mut self, end: usize) {
        let start = mem::replace(&mut self.batch.published, end);
        let mut shared_from = start;
        for number in start..end {
            self.note_line(number);
            if !self.batch.lines[number].visibility.is_shared() {
                self.publish_shared(shared_from..number);
                self.send_to_owner(number);
                shared_from = number + 1;
            }
        }
        self.publish_shared(shared_from..end);
    }

    /// Updates what depends on a line besides the index: cache, counts, likes, trusted authors.
    fn note_line(&mut self, number: usize) {
        let StagedLine {
            id, page, range, visibility, before, author, offset, is_moderation, ..
        } = &self.batch.lines[number];
        self.line_cache.push(*offset, &self.batch.bytes[range.clone()]);
        let (is_public, was_public) =
            (*visibility == Visibility::Public, *before == Some(Visibility::Public));
        if is_public && *before == Some(Visibility::Hidden) {
            self.subscribers.liked(page, *id);
        }
        if is_public != was_public {
            self.subscribers.recount(page);
        }
        if self.rules.hold == Hold::New
            && let Some(author) = author
        {
            if is_public && !was_public {
                self.approved.insert(*author);
            } else if !is_public && *is_moderation && *before != Some(*visibility) {
                self.approved.remove(author);
            }
        }
    }

    /// Sends these lines to all readers of their pages; of a hidden comment only that it is gone.
    fn publish_shared(&mut self, numbers: Range<usize>) {
        let Batch { lines, bytes, .. } = &self.batch;
        let lines = lines[numbers].iter().map(|staged| {
            let line = &bytes[staged.range.clone()];
            let is_hidden = staged.visibility == Visibility::Hidden;
            let reduced = is_hidden.then(|| redacted(line).expect("a staged line is a comment's"));
            Published {
                page: &staged.page,
                line: reduced.map_or(Cow::Borrowed(line), Cow::Owned),
                has_content: staged.visibility == Visibility::Public,
            }
        });
        self.subscribers.publish(lines);
    }

    /// Sends a line that is not for everyone to its author and to the reader that asked for it.
    fn send_to_owner(&self, number: usize) {
        let StagedLine { page, author, reader, range, .. } = &self.batch.lines[number];
        let mut readers =
            author.map_or(Vec::new(), |author| self.subscribers.readers_of(page, author));
        readers.extend(reader.filter(|reader| !readers.contains(reader)));
        for reader in readers {
            self.subscribers.send_to(reader, &self.batch.bytes[range.clone()]);
        }
    }
}
