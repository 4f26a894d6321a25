//! Which reader follows what, and what readers are told about each other: how many there are, who is typing, likes and counts.
//!
//! Owns the senders to the shards. Does not know the log, nor what a line says.

mod elsewhere;
mod moderators;
mod moves;
mod typing;

use std::{borrow::Cow, collections::HashSet, mem, sync::Arc};

use crossbeam_channel::Sender;
use elsewhere::Elsewhere;
pub use moves::Watched;
pub use typing::Typist;

use crate::{
    comment::Author,
    comment::server_message::{Counts, ServerMessage},
    fanout::frame::{self, Frames},
    fanout::{Delivery, ReaderId, ShardCommand, Tier, Topic},
    util::table::Table,
};

/// Comments in one message about likes; the others follow a second later. 1,000 are 20 KB, far below the limit of an outbox.
const LIKES_A_MESSAGE_MAX: usize = 1_000;

/// All readers, and the shards that write to them.
pub struct Subscribers<S> {
    shards: Vec<Sender<ShardCommand<S>>>,
    readers: Table<ReaderId, Reader>,
    /// Pages that have readers.
    pages: Table<Arc<str>, Page>,
    /// Pages with news for [`Subscribers::tell_changes`].
    dirty_pages: HashSet<Arc<str>>,
    /// Readers that follow the number of comments on each page.
    watchers: Table<Arc<str>, HashSet<ReaderId>>,
    /// Watched pages whose number of comments has changed.
    dirty_counts: HashSet<Arc<str>>,
    last_topic: Topic,
    /// Moderators, who follow every page.
    moderators: HashSet<ReaderId>,
    /// What they were told last, as texts.
    told_moderators: [String; 2],
    has_news_for_moderators: bool,
    elsewhere: Elsewhere,
}

struct Reader {
    follows: Follows,
    author: Option<Author>,
    /// The name that the author was found to have on the page when its highest `seq` was this.
    name: Option<Box<(u64, Option<String>)>>,
}

enum Follows {
    /// The comments on a page.
    Page(Arc<str>),
    /// The numbers of comments on some pages: the names that were asked for.
    Counts(Vec<Watched>),
    /// Everything.
    Everything,
}

/// A page that has readers.
struct Page {
    topic: Topic,
    readers: u32,
    /// Number of readers by shard, so that a shard without readers of a page is not woken for it.
    readers_by_shard: Vec<u32>,
    /// The number of readers that was announced last.
    announced_readers: u32,
    /// Whether somebody's typing was announced in this second.
    typing_announced: bool,
    /// Comments whose number of likes has changed.
    liked: HashSet<u64>,
}

/// The lines of one batch for one page, as frames.
struct PageFrames<'p> {
    page: &'p Page,
    full: Vec<u8>,
    /// `None` as long as plain readers get the same as full ones.
    plain: Option<Vec<u8>>,
}

impl<'p> PageFrames<'p> {
    fn of(page: &'p Page, line: &[u8], has_content: bool) -> PageFrames<'p> {
        let mut frames =
            PageFrames { page, full: Vec::with_capacity(frame::room_for(line.len())), plain: None };
        frames.push(line, has_content);
        frames
    }

    fn push(&mut self, line: &[u8], has_content: bool) {
        if !has_content && self.plain.is_none() {
            self.plain = Some(self.full.clone());
        }
        frame::text(line, &mut self.full);
        if let Some(plain) = self.plain.as_mut().filter(|_| has_content) {
            frame::text(line, plain);
        }
    }
}

/// A line that all readers of a page get.
pub struct Published<'a> {
    /// The page.
    pub page: &'a str,
    /// The line, from `{` to `}`.
    pub line: Cow<'a, [u8]>,
    /// Whether the line has content. Plain readers get only such lines.
    pub has_content: bool,
}

impl<S> Subscribers<S> {
    /// Makes a list without readers. Readers are spread over `shards` by their numbers.
    pub fn new(shards: Vec<Sender<ShardCommand<S>>>) -> Subscribers<S> {
        Subscribers {
            shards,
            readers: Table::default(),
            pages: Table::default(),
            dirty_pages: HashSet::new(),
            watchers: Table::default(),
            dirty_counts: HashSet::new(),
            last_topic: moderators::TOPIC,
            moderators: HashSet::new(),
            told_moderators: Default::default(),
            has_news_for_moderators: false,
            elsewhere: Elsewhere::default(),
        }
    }

    /// Returns the number of readers.
    pub fn len(&self) -> usize {
        self.readers.len()
    }

    /// Returns the number of readers, with those whom the pages of other machines have.
    pub fn len_everywhere(&self) -> u64 {
        self.len() as u64 + self.elsewhere.total()
    }

    /// Whether there are no readers.
    pub fn is_empty(&self) -> bool {
        self.readers.is_empty()
    }

    /// Adds a reader of a page and returns how many the page has now, on all machines.
    pub fn join(
        &mut self,
        reader: ReaderId,
        sink: S,
        greeting: Vec<u8>,
        tier: Tier,
        page: &str,
    ) -> u32 {
        let shard = self.shard_of(reader);
        if !self.pages.contains_key(page) {
            let readers_by_shard = vec![0; self.shards.len()];
            let topic = self.new_topic();
            self.pages.insert(
                page.into(),
                Page {
                    topic,
                    readers: 0,
                    readers_by_shard,
                    announced_readers: 0,
                    typing_announced: false,
                    liked: HashSet::new(),
                },
            );
        }
        let entry = self.pages.get_mut(page).expect("it was inserted");
        entry.readers += 1;
        entry.readers_by_shard[shard] += 1;
        let (topic, readers) = (entry.topic, entry.readers);
        self.dirty_pages.insert(page.into());
        self.elsewhere.note_own(page);
        self.readers.insert(
            reader,
            Reader { follows: Follows::Page(page.into()), author: None, name: None },
        );
        self.send_command(shard, ShardCommand::Join { reader, sink, greeting, topic, tier });
        readers.saturating_add(self.elsewhere.readers(page))
    }

    /// Adds a reader that follows the numbers of comments on `pages`. The caller sends it the present numbers.
    pub fn watch(&mut self, reader: ReaderId, sink: S, greeting: Vec<u8>, pages: Vec<Watched>) {
        self.has_news_for_moderators |= !self.moderators.is_empty();
        for page in &pages {
            self.watchers.get_or_default(page.key().into()).insert(reader);
        }
        self.readers
            .insert(reader, Reader { follows: Follows::Counts(pages), author: None, name: None });
        let topic = self.new_topic();
        self.send_command(
            self.shard_of(reader),
            ShardCommand::Join { reader, sink, greeting, topic, tier: Tier::Full },
        );
    }

    /// Tells the readers of a page that it was closed (`true`) or opened.
    pub fn locked(&self, page: &str, locked: bool) {
        if let Some(page) = self.pages.get(page) {
            self.broadcast(page, &ServerMessage::Locked { locked });
        }
    }

    /// Returns the pages that have readers.
    pub fn pages(&self) -> Vec<Arc<str>> {
        self.pages.keys().cloned().collect()
    }

    /// Removes a reader.
    pub fn leave(&mut self, reader: ReaderId) {
        let shard = self.shard_of(reader);
        self.has_news_for_moderators |= !self.moderators.is_empty();
        match self.readers.remove(&reader).map(|reader| reader.follows) {
            Some(Follows::Page(name)) => {
                let page = self.pages.get_mut(&*name).expect("a reader's page is there");
                page.readers -= 1;
                page.readers_by_shard[shard] -= 1;
                self.elsewhere.note_own(&name);
                if page.readers == 0 {
                    self.pages.remove(&*name);
                    self.dirty_pages.remove(&*name);
                } else {
                    self.dirty_pages.insert(name);
                }
            }
            Some(Follows::Counts(pages)) => {
                for page in pages {
                    // Two names of one page are watched once.
                    let Some(readers) = self.watchers.get_mut(page.key()) else { continue };
                    readers.remove(&reader);
                    if readers.is_empty() {
                        self.watchers.remove(page.key());
                    }
                }
            }
            Some(Follows::Everything) => drop(self.moderators.remove(&reader)),
            None => {}
        }
    }

    /// Records the author behind a reader. Returns the page that it follows, or `None` if the author was known already or the reader
    /// follows counts.
    pub fn identify(&mut self, reader: ReaderId, author: Author) -> Option<&str> {
        let reader = self.readers.get_mut(&reader)?;
        if reader.author.replace(author) == Some(author) {
            return None;
        }
        reader.name = None;
        match &reader.follows {
            Follows::Page(page) => Some(page),
            Follows::Counts(_) | Follows::Everything => None,
        }
    }

    /// Returns the readers of `page` behind which `author` is.
    pub fn readers_of(&self, page: &str, author: Author) -> Vec<ReaderId> {
        let matches = |reader: &Reader| {
            matches!(&reader.follows, Follows::Page(p) if **p == *page)
                && reader.author == Some(author)
        };
        self.readers.iter().filter(|(_, reader)| matches(reader)).map(|(id, _)| *id).collect()
    }

    /// Sends one message to one reader.
    pub fn send_to(&self, reader: ReaderId, message: &[u8]) {
        let mut frames = Vec::with_capacity(frame::room_for(message.len()));
        frame::text(message, &mut frames);
        self.send_command(self.shard_of(reader), ShardCommand::Send { reader, frames, sent: None });
    }

    /// Sends the lines of a batch to all readers of their pages. Each line is framed once, and each shard gets one command.
    pub fn publish<'a>(&self, lines: impl Iterator<Item = Published<'a>>) {
        // A batch concerns few pages, mostly one, so searching a list is fast.
        let mut pages: Vec<PageFrames> = Vec::new();
        for Published { page, line, has_content } in lines {
            let Some(page) = self.pages.get(page) else { continue };
            match pages.iter_mut().rfind(|frames| frames.page.topic == page.topic) {
                Some(frames) => frames.push(&line, has_content),
                None => pages.push(PageFrames::of(page, &line, has_content)),
            }
        }
        self.send_frames(pages);
    }

    fn send_frames(&self, pages: Vec<PageFrames>) {
        let mut deliveries: Vec<Vec<Delivery>> = self.shards.iter().map(|_| Vec::new()).collect();
        for PageFrames { page, full, plain } in pages {
            let full: Frames = full.into();
            let plain = plain.map_or_else(|| full.clone(), Frames::from);
            for (deliveries, _) in deliveries
                .iter_mut()
                .zip(&page.readers_by_shard)
                .filter(|(_, readers)| **readers > 0)
            {
                let (plain, full) = (plain.clone(), full.clone());
                deliveries.push(Delivery { topic: page.topic, plain, full });
            }
        }
        for (shard, deliveries) in
            deliveries.into_iter().enumerate().filter(|(_, deliveries)| !deliveries.is_empty())
        {
            self.send_command(shard, ShardCommand::Publish(deliveries));
        }
    }

    /// Notes that a page's number of comments has changed.
    pub fn recount(&mut self, page: &str) {
        if self.watchers.contains_key(page) {
            self.dirty_counts.insert(page.into());
        }
    }

    /// Notes that a comment's number of likes has changed.
    pub fn liked(&mut self, page: &str, id: u64) {
        if let Some(entry) = self.pages.get_mut(page) {
            entry.liked.insert(id);
            self.dirty_pages.insert(page.into());
        }
    }

    /// Tells readers what has changed: numbers of readers, comments and likes. The hub calls this once a second.
    pub fn tell_changes(&mut self, count: impl Fn(&str) -> u64, likes: impl Fn(u64) -> u64) {
        for name in mem::take(&mut self.dirty_pages) {
            let Some(page) = self.pages.get_mut(&*name) else { continue };
            page.typing_announced = false;
            let ids: Vec<u64> = page.liked.iter().take(LIKES_A_MESSAGE_MAX).copied().collect();
            for id in &ids {
                page.liked.remove(id);
            }
            let rest = !page.liked.is_empty();
            let readers = page.readers.saturating_add(self.elsewhere.readers(&name));
            if mem::replace(&mut page.announced_readers, readers) != readers {
                self.broadcast(&self.pages[&*name], &ServerMessage::Readers { readers });
            }
            if !ids.is_empty() {
                let counts: Vec<_> = ids.into_iter().map(|id| (id, likes(id))).collect();
                let message = ServerMessage::Likes { likes: Counts(&counts) };
                self.broadcast(&self.pages[&*name], &message);
            }
            if rest {
                self.dirty_pages.insert(name);
            }
        }
        let changed = mem::take(&mut self.dirty_counts);
        if changed.is_empty() {
            return;
        }
        for (id, reader) in self.readers.iter() {
            let Follows::Counts(pages) = &reader.follows else { continue };
            let news = pages.iter().filter(|page| changed.contains(page.key()));
            let counts: Vec<_> = news.map(|page| (&*page.page, count(page.key()))).collect();
            if !counts.is_empty() {
                let message = ServerMessage::Counts { counts: Counts(&counts) };
                self.send_to(*id, message.to_json().as_bytes());
            }
        }
    }

    /// Whether [`Subscribers::tell_changes`] has anything to tell.
    pub fn has_changes(&self) -> bool {
        !self.dirty_pages.is_empty()
            || !self.dirty_counts.is_empty()
            || (self.has_news_for_moderators && !self.moderators.is_empty())
            || self.elsewhere.has_own_news()
    }

    /// Tells the readers of every page its highest `seq`, so that they notice a gap, and moderators that of the log.
    pub fn tell_seqs(&mut self, of_log: u64, seq: impl Fn(&str) -> u64) {
        if self.has_moderators() {
            let mut frames = Vec::new();
            frame::text(ServerMessage::Seq { seq: of_log }.to_json().as_bytes(), &mut frames);
            self.publish_to_moderators(frames);
        }
        for (name, page) in self.pages.iter() {
            self.broadcast(page, &ServerMessage::Seq { seq: seq(name) });
        }
    }

    /// Closes all readers, because sayso stops.
    pub fn close_all(&self) {
        for shard in 0..self.shards.len() {
            self.send_command(shard, ShardCommand::Goodbye);
        }
    }

    /// Tells all readers the mark of a new run.
    #[cfg(feature = "redis")]
    pub fn tell_mark(&self, mark: &str) {
        for (_, page) in self.pages.iter() {
            self.broadcast(page, &ServerMessage::Mark { mark });
        }
    }

    /// Sends a message of subprotocol `sayso.1` to the full readers of a page.
    fn broadcast(&self, page: &Page, message: &ServerMessage) {
        self.send_frames(vec![PageFrames::of(page, message.to_json().as_bytes(), false)]);
    }

    fn shard_of(&self, reader: ReaderId) -> usize {
        (reader % self.shards.len() as u64) as usize
    }

    fn send_command(&self, shard: usize, command: ShardCommand<S>) {
        // A shard ends after the hub, unless it has panicked; then the process ends anyway.
        let _ = self.shards[shard].send(command);
    }

    fn new_topic(&mut self) -> Topic {
        self.last_topic += 1;
        self.last_topic
    }
}
