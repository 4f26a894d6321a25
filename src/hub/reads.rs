//! What the hub does for those who only read: after the batch, so that nobody sees what is not on disk.
//!
//! Changes nothing but who listens.

use super::Keeper;
use crate::{
    comment::server_message::{Counts, ServerMessage},
    comment::{Author, Comment},
    fanout::ReaderId,
    hub::command::{Follow, From, Join, Part, Read, Request, Welcome},
    limits::{HISTORY_LINES_MAX, RESUME_BYTES_MAX, RESUME_LINES_MAX},
    store::history::History,
    store::index::Item,
    store::visibility::Sight,
};

/// Bytes of an HTTP answer's lines; with the rest of it below the relay's 1 MiB.
const ANSWER_BYTES_MAX: usize = 900 * 1024;
/// How far back an author's own waiting comments are looked for when a socket says whose it is.
const OWN_PENDING_SEARCHED_MAX: usize = 1_000;
/// How many of them are looked at: the hub reads them itself, which few posts may cost.
const OWN_PENDING_MAX: usize = 50;
/// Likewise, bytes.
const OWN_PENDING_BYTES_MAX: usize = 128 * 1024;

impl<S> Keeper<S> {
    pub(super) fn serve(&mut self, request: Request<S>) {
        match request {
            Request::Join(join) => self.join(join),
            Request::Leave(reader) => self.audience.leave(reader),
            Request::Bind(reader, author) => self.bind(reader, author),
            Request::Typing(reader, name) => self.audience.typing(reader, name.as_deref()),
            Request::Read(read) => self.read(read),
            Request::Count(pages, answer) => {
                let counts = pages.into_iter().map(|page| (self.index.count(&page), page));
                answer(counts.map(|(count, page)| (page, count)).collect());
            }
            Request::Compact(listener) => self.compact(listener),
            Request::Stop => {
                self.stopping = true;
                self.audience.goodbye();
            }
            Request::Post { .. } | Request::Change { .. } | Request::Like { .. } => {
                unreachable!("these are in the batch")
            }
        }
    }

    fn join(&mut self, join: Join<S>) {
        if self.stopping {
            return;
        }
        let Join { reader, sink, greeting, tier, follow, welcome } = join;
        let welcome_message = match follow {
            Follow::Page(page, from) => {
                let (items, resumed) = self.first_items(&page, &from);
                let likes = self.likes_on(&page);
                let history = History { likes, ..self.history(&page, items, false, false) };
                let readers = self.audience.join(reader, sink, greeting, tier, &page);
                Welcome { history, readers, resumed }
            }
            Follow::Counts(pages) => {
                let counts: Vec<_> =
                    pages.iter().map(|page| (&**page, self.index.count(page))).collect();
                let message = ServerMessage::Counts { counts: Counts(&counts) }.to_json();
                self.audience.watch(reader, sink, greeting, pages);
                self.audience.tell(reader, message.as_bytes());
                Welcome {
                    history: self.history("", Vec::new(), false, false),
                    readers: 0,
                    resumed: None,
                }
            }
        };
        let _ = welcome.try_send(welcome_message);
    }

    /// What a new reader gets first, and whether that begins at its cursor.
    fn first_items(&self, page: &str, from: &From) -> (Vec<Item>, Option<bool>) {
        match from {
            From::Live => (Vec::new(), None),
            From::Last(count) => {
                let newest = self.index.newest(page, None).filter(|item| item.sight.is_shared());
                let (mut items, _) =
                    bounded(newest, (*count).min(HISTORY_LINES_MAX), RESUME_BYTES_MAX);
                items.reverse();
                (items, None)
            }
            From::Since(seq, log) if **log == *self.log_id && *seq < self.log.next_seq() => {
                let newer = self.index.since(page, *seq).filter(|item| item.sight.is_shared());
                match bounded(newer, RESUME_LINES_MAX, RESUME_BYTES_MAX) {
                    (items, false) => (items, Some(true)),
                    (_, true) => (Vec::new(), Some(false)),
                }
            }
            From::Since(..) => (Vec::new(), Some(false)),
        }
    }

    fn bind(&mut self, reader: ReaderId, author: Author) {
        let Some(page) = self.audience.bind(reader, author) else { return };
        let searched = self.index.newest(page, None).take(OWN_PENDING_SEARCHED_MAX);
        let waiting = searched.filter(|item| item.sight == Sight::Pending);
        let (mut waiting, _) = bounded(waiting, OWN_PENDING_MAX, OWN_PENDING_BYTES_MAX);
        waiting.reverse();
        let pseudonym = author.to_string();
        for line in waiting.iter().filter_map(|item| self.log.read(item.place).ok()) {
            if Comment::parse(&line)
                .is_ok_and(|comment| comment.author.as_deref() == Some(&pseudonym))
            {
                self.audience.tell(reader, &line);
            }
        }
    }

    fn read(&mut self, read: Read) {
        let Read { page, part, limit, moderator, answer } = read;
        let seen = |item: &Item| moderator || item.sight.is_shared();
        // Who catches up wants to know of what has changed, and a heart changes no line.
        let newest = matches!(part, Part::Since(_)).then(|| self.likes_on(&page));
        let (items, more) = match part {
            Part::Before(before) => {
                let (mut items, more) =
                    bounded(self.index.newest(&page, before).filter(seen), limit, ANSWER_BYTES_MAX);
                items.reverse();
                (items, more)
            }
            Part::Since(seq) => {
                bounded(self.index.since(&page, seq).filter(seen), limit, ANSWER_BYTES_MAX)
            }
        };
        let mut history = self.history(&page, items, more, moderator);
        if let Some(likes) = newest {
            history.likes = likes;
        }
        answer(history);
    }

    fn history(&self, page: &str, items: Vec<Item>, more: bool, moderator: bool) -> History {
        History {
            log: self.log_id.clone(),
            seq: self.index.seq(page),
            count: self.index.count(page),
            recent: items.iter().map(|item| self.recent.get(item.place.offset)).collect(),
            likes: self.likes_of(&items),
            items,
            more,
            file: self.log.reader(),
            moderator,
        }
    }
}

/// As many items as fit, and whether there are more.
fn bounded(items: impl Iterator<Item = Item>, count: usize, bytes: usize) -> (Vec<Item>, bool) {
    let (mut taken, mut sum) = (Vec::new(), 0);
    for item in items {
        sum += item.place.len as usize + 2;
        if taken.len() == count || (sum > bytes && !taken.is_empty()) {
            return (taken, true);
        }
        taken.push(item);
    }
    (taken, false)
}
