//! Who follows what: readers, their pages, what they are told about each other.
//!
//! Owns the way to the shards. Does not know the log, nor what a line says.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    mem,
};

use crossbeam_channel::Sender;

use crate::{
    comment::Author,
    comment::server_message::{Counts, ServerMessage},
    fanout::frame::{self, Frames},
    fanout::{Order, Parcel, ReaderId, Tier, Topic},
};

/// Comments whose hearts one message tells; the rest waits a second. 20 KB, far inside a reader's backlog.
const LIKES_TOLD_MAX: usize = 1_000;

/// Everyone who listens.
pub struct Audience<S> {
    shards: Vec<Sender<Order<S>>>,
    readers: HashMap<ReaderId, Reader>,
    pages: HashMap<Box<str>, Page>,
    /// Pages whose number of readers was not told yet.
    crowds: HashSet<Box<str>>,
    watchers: HashMap<Box<str>, HashSet<ReaderId>>,
    /// Pages whose number of comments was not told yet.
    counted: HashSet<Box<str>>,
    next_topic: Topic,
}

struct Reader {
    follows: Follows,
    author: Option<Author>,
}

enum Follows {
    Page(Box<str>),
    Counts(HashSet<Box<str>>),
}

struct Page {
    topic: Topic,
    readers: u32,
    /// Per shard, so that a shard without readers of a page is not woken for it.
    per_shard: Vec<u32>,
    /// What was told last.
    told: u32,
    /// Somebody's typing was told in this second.
    typing_told: bool,
    /// Comments whose number of hearts was not told yet.
    liked: HashSet<u64>,
}

/// The lines of one batch for one page, framed.
struct Bundle<'p> {
    page: &'p Page,
    full: Vec<u8>,
    /// `None` as long as it is the same.
    plain: Option<Vec<u8>>,
}

impl<'p> Bundle<'p> {
    fn of(page: &'p Page, line: &[u8], has_content: bool) -> Bundle<'p> {
        let mut bundle =
            Bundle { page, full: Vec::with_capacity(frame::room_for(line.len())), plain: None };
        bundle.push(line, has_content);
        bundle
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

/// A line that everyone on a page gets.
pub struct Fresh<'a> {
    /// Which page.
    pub page: &'a str,
    /// From `{` to `}`.
    pub line: Cow<'a, [u8]>,
    /// Plain clients get only lines with content.
    pub has_content: bool,
}

impl<S> Audience<S> {
    /// Nobody, yet; `shards` take readers by their number.
    pub fn new(shards: Vec<Sender<Order<S>>>) -> Audience<S> {
        Audience {
            shards,
            readers: HashMap::new(),
            pages: HashMap::new(),
            crowds: HashSet::new(),
            watchers: HashMap::new(),
            counted: HashSet::new(),
            next_topic: 0,
        }
    }

    /// Readers in all.
    pub fn len(&self) -> usize {
        self.readers.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.readers.is_empty()
    }

    /// Puts a reader on a page and returns how many that has now.
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
            let per_shard = vec![0; self.shards.len()];
            let topic = self.new_topic();
            self.pages.insert(
                page.into(),
                Page {
                    topic,
                    readers: 0,
                    per_shard,
                    told: 0,
                    typing_told: false,
                    liked: HashSet::new(),
                },
            );
        }
        let entry = self.pages.get_mut(page).expect("it was inserted");
        entry.readers += 1;
        entry.per_shard[shard] += 1;
        let (topic, readers) = (entry.topic, entry.readers);
        self.crowds.insert(page.into());
        self.readers.insert(reader, Reader { follows: Follows::Page(page.into()), author: None });
        self.order(shard, Order::Join { reader, sink, greeting, topic, tier });
        readers
    }

    /// Lets a reader follow how many comments `pages` have; [`Audience::tell`] says it first.
    pub fn watch(&mut self, reader: ReaderId, sink: S, greeting: Vec<u8>, pages: Vec<String>) {
        let pages: HashSet<Box<str>> = pages.into_iter().map(Box::from).collect();
        for page in &pages {
            self.watchers.entry(page.clone()).or_default().insert(reader);
        }
        self.readers.insert(reader, Reader { follows: Follows::Counts(pages), author: None });
        let topic = self.new_topic();
        self.order(
            self.shard_of(reader),
            Order::Join { reader, sink, greeting, topic, tier: Tier::Full },
        );
    }

    /// Forgets a reader.
    pub fn leave(&mut self, reader: ReaderId) {
        let shard = self.shard_of(reader);
        match self.readers.remove(&reader).map(|reader| reader.follows) {
            Some(Follows::Page(name)) => {
                let page = self.pages.get_mut(&name).expect("a reader's page is there");
                page.readers -= 1;
                page.per_shard[shard] -= 1;
                if page.readers == 0 {
                    self.pages.remove(&name);
                    self.crowds.remove(&name);
                } else {
                    self.crowds.insert(name);
                }
            }
            Some(Follows::Counts(pages)) => {
                for page in pages {
                    let readers = self.watchers.get_mut(&page).expect("a watched page is there");
                    readers.remove(&reader);
                    if readers.is_empty() {
                        self.watchers.remove(&page);
                    }
                }
            }
            None => {}
        }
    }

    /// Remembers whose a reader is; returns the page it follows, unless it was known.
    pub fn bind(&mut self, reader: ReaderId, author: Author) -> Option<&str> {
        let reader = self.readers.get_mut(&reader)?;
        if reader.author.replace(author) == Some(author) {
            return None;
        }
        match &reader.follows {
            Follows::Page(page) => Some(page),
            Follows::Counts(_) => None,
        }
    }

    /// Readers of `page` that are `author`.
    pub fn readers_of(&self, page: &str, author: Author) -> Vec<ReaderId> {
        let is = |reader: &Reader| {
            matches!(&reader.follows, Follows::Page(p) if **p == *page)
                && reader.author == Some(author)
        };
        self.readers.iter().filter(|(_, reader)| is(reader)).map(|(id, _)| *id).collect()
    }

    /// Sends one message to one reader.
    pub fn tell(&self, reader: ReaderId, message: &[u8]) {
        let mut frames = Vec::with_capacity(frame::room_for(message.len()));
        frame::text(message, &mut frames);
        self.order(self.shard_of(reader), Order::Send { reader, frames, sent: None });
    }

    /// Sends a batch's lines to all who follow their pages: each line is framed once, each shard told once.
    pub fn publish<'a>(&self, lines: impl Iterator<Item = Fresh<'a>>) {
        // A batch has few pages: most often one.
        let mut bundles: Vec<Bundle> = Vec::new();
        for Fresh { page, line, has_content } in lines {
            let Some(page) = self.pages.get(page) else { continue };
            match bundles.iter_mut().rfind(|bundle| bundle.page.topic == page.topic) {
                Some(bundle) => bundle.push(&line, has_content),
                None => bundles.push(Bundle::of(page, &line, has_content)),
            }
        }
        self.send_bundles(bundles);
    }

    fn send_bundles(&self, bundles: Vec<Bundle>) {
        let mut parcels: Vec<Vec<Parcel>> = self.shards.iter().map(|_| Vec::new()).collect();
        for Bundle { page, full, plain } in bundles {
            let full: Frames = full.into();
            let plain = plain.map_or_else(|| full.clone(), Frames::from);
            for (parcels, _) in
                parcels.iter_mut().zip(&page.per_shard).filter(|(_, readers)| **readers > 0)
            {
                let (plain, full) = (plain.clone(), full.clone());
                parcels.push(Parcel { topic: page.topic, plain, full });
            }
        }
        for (shard, parcels) in
            parcels.into_iter().enumerate().filter(|(_, parcels)| !parcels.is_empty())
        {
            self.order(shard, Order::Publish(parcels));
        }
    }

    /// Somebody writes: tells the reader's page, at most once a second.
    pub fn typing(&mut self, reader: ReaderId, name: Option<&str>) {
        let Some(Reader { follows: Follows::Page(name_of_page), .. }) = self.readers.get(&reader)
        else {
            return;
        };
        let page = self.pages.get_mut(name_of_page).expect("a reader's page is there");
        if mem::replace(&mut page.typing_told, true) {
            return;
        }
        self.crowds.insert(name_of_page.clone());
        let page = &self.pages[name_of_page];
        self.notice(page, &ServerMessage::Typing { typing: name.unwrap_or_default() });
    }

    /// A page's number of comments has changed.
    pub fn recount(&mut self, page: &str) {
        if self.watchers.contains_key(page) {
            self.counted.insert(page.into());
        }
    }

    /// A comment's number of hearts has changed.
    pub fn liked(&mut self, page: &str, id: u64) {
        if let Some(entry) = self.pages.get_mut(page) {
            entry.liked.insert(id);
            self.crowds.insert(page.into());
        }
    }

    /// Once a second: what has changed about readers, counts and hearts.
    pub fn tell_changes(&mut self, count: impl Fn(&str) -> u64, likes: impl Fn(u64) -> u64) {
        for name in mem::take(&mut self.crowds) {
            let Some(page) = self.pages.get_mut(&name) else { continue };
            page.typing_told = false;
            let ids: Vec<u64> = page.liked.iter().take(LIKES_TOLD_MAX).copied().collect();
            for id in &ids {
                page.liked.remove(id);
            }
            let rest = !page.liked.is_empty();
            if mem::replace(&mut page.told, page.readers) != page.readers {
                let page = &self.pages[&name];
                self.notice(page, &ServerMessage::Readers { readers: page.readers });
            }
            if !ids.is_empty() {
                let counts: Vec<_> = ids.into_iter().map(|id| (id, likes(id))).collect();
                let message = ServerMessage::Likes { likes: Counts(&counts) };
                self.notice(&self.pages[&name], &message);
            }
            if rest {
                self.crowds.insert(name);
            }
        }
        let counted = mem::take(&mut self.counted);
        if counted.is_empty() {
            return;
        }
        for (id, reader) in &self.readers {
            let Follows::Counts(pages) = &reader.follows else { continue };
            let news = pages.iter().filter(|page| counted.contains(*page));
            let counts: Vec<_> = news.map(|page| (&**page, count(page))).collect();
            if !counts.is_empty() {
                let message = ServerMessage::Counts { counts: Counts(&counts) };
                self.tell(*id, message.to_json().as_bytes());
            }
        }
    }

    /// Whether [`Audience::tell_changes`] has something to tell.
    pub fn has_changes(&self) -> bool {
        !self.crowds.is_empty() || !self.counted.is_empty()
    }

    /// Tells every page the highest `seq` it has, so that a gap is noticed.
    pub fn tell_seqs(&self, seq: impl Fn(&str) -> u64) {
        for (name, page) in &self.pages {
            self.notice(page, &ServerMessage::Seq { seq: seq(name) });
        }
    }

    /// sayso stops.
    pub fn goodbye(&self) {
        for shard in 0..self.shards.len() {
            self.order(shard, Order::Goodbye);
        }
    }

    /// Sends a message of subprotocol `sayso.1` to a page.
    fn notice(&self, page: &Page, message: &ServerMessage) {
        self.send_bundles(vec![Bundle::of(page, message.to_json().as_bytes(), false)]);
    }

    fn shard_of(&self, reader: ReaderId) -> usize {
        (reader % self.shards.len() as u64) as usize
    }

    fn order(&self, shard: usize, order: Order<S>) {
        // A shard ends after the hub, unless it panicked; then the process is ending.
        let _ = self.shards[shard].send(order);
    }

    fn new_topic(&mut self) -> Topic {
        self.next_topic += 1;
        self.next_topic
    }
}
