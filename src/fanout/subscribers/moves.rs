//! A page moves while it is read: its readers follow the page that it lives at now, beside those who read that one already.
//!
//! Does not know why.

use super::{Follows, Subscribers};
use crate::{comment::server_message::ServerMessage, fanout::ShardCommand};

/// A page whose number of comments somebody follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The name that was asked for.
    pub page: Box<str>,
    /// The page that it lives at now, if that is another one.
    pub lives_at: Option<Box<str>>,
}

impl Watched {
    pub(super) fn key(&self) -> &str {
        self.lives_at.as_deref().unwrap_or(&self.page)
    }
}

impl<S> Subscribers<S> {
    /// Makes the readers of `old`, and those who follow its number of comments, follow `new`.
    pub fn move_page(&mut self, old: &str, new: &str) {
        self.move_readers(old, new);
        let Some(watchers) = self.watchers.remove(old) else { return };
        for id in &watchers {
            let Some(Follows::Counts(pages)) =
                self.readers.get_mut(id).map(|reader| &mut reader.follows)
            else {
                continue;
            };
            for page in pages.iter_mut().filter(|page| page.key() == old) {
                page.lives_at = Some(new.into());
            }
        }
        self.watchers.get_or_default(new.into()).extend(watchers);
        self.dirty_counts.remove(old);
    }

    fn move_readers(&mut self, old: &str, new: &str) {
        let Some(moved) = self.pages.remove(old) else { return };
        for reader in self.readers.values_mut() {
            if matches!(&reader.follows, Follows::Page(page) if **page == *old) {
                (reader.follows, reader.name) = (Follows::Page(new.into()), None);
            }
        }
        self.dirty_pages.remove(old);
        self.dirty_pages.insert(new.into());
        self.elsewhere.note_own(old);
        self.elsewhere.note_own(new);
        let topic = moved.topic;
        let Some(to) = self.pages.get_mut(new) else {
            self.pages.insert(new.into(), moved);
            return;
        };
        to.readers += moved.readers;
        let by_shard = to.readers_by_shard.iter_mut().zip(&moved.readers_by_shard);
        by_shard.for_each(|(to, moved)| *to += moved);
        to.liked.extend(moved.liked);
        // Those who came along were told another number.
        to.announced_readers = 0;
        let to = to.topic;
        for shard in 0..self.shards.len() {
            self.send_command(shard, ShardCommand::Merge { from: topic, to });
        }
    }

    /// Tells the readers of a page its highest `seq`: whoever has not received it looks for what is missing.
    pub fn tell_seq(&self, page: &str, seq: u64) {
        if let Some(page) = self.pages.get(page) {
            self.broadcast(page, &ServerMessage::Seq { seq });
        }
    }
}
