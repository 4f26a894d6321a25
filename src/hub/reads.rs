//! Queries, served after the batch so that nobody sees what is not on disk. None of them writes a comment.

use super::{Hub, whole_threads};
use crate::{
    comment::rejection::Rejection,
    comment::server_message::{Counts, ServerMessage},
    comment::{Author, Comment},
    fanout::ReaderId,
    http::forwarded::ClientKey,
    hub::command::{Cursor, HistoryRange, Join, Joined, Query, ReadHistory, StartAt, Subscription},
    hub::measure::Totals,
    hub::rate_limit::BucketKey,
    limits::{HISTORY_LINES_MAX, RESUME_BYTES_MAX, RESUME_LINES_MAX},
    store::history::History,
    store::index::CommentRef,
    store::moderation::{BanKey, line::ModerationLine},
    store::visibility::Visibility,
};

/// Bytes of the lines in an HTTP response; with the rest of it, it stays below the upstream's 1 MiB.
pub(super) const ANSWER_BYTES_MAX: usize = 900 * 1024;
/// Among how many of the page's pending comments an author's own are looked for when a socket shows its key.
const OWN_PENDING_SEARCHED_MAX: usize = 1_000;
/// How many pending ones are read: the hub does it itself, and posts wait meanwhile.
const OWN_PENDING_MAX: usize = 50;
/// How many bytes of them.
const OWN_PENDING_BYTES_MAX: usize = 128 * 1024;

impl<S> Hub<S> {
    pub(super) fn serve(&mut self, query: Query<S>) {
        let Some(query) = self.hold_early(query) else { return };
        self.serve_now(query);
    }

    pub(super) fn serve_now(&mut self, query: Query<S>) {
        match query {
            Query::Join(join) => self.join(join),
            Query::Leave(reader) => self.subscribers.leave(reader),
            Query::Identify(reader, author, from) => self.identify(reader, author, from),
            Query::Typing(reader, from) => self.announce_typing(reader, from),
            Query::ReadHistory(read) => self.read(read),
            Query::ReadNewest(read) => self.read_newest(read),
            Query::Count(pages, answer) => {
                let count = |page: &str| self.index.count(self.moderation.resolve(page));
                answer(pages.into_iter().map(|page| (page.clone(), count(&page))).collect());
            }
            Query::Find(find) => self.find(find),
            Query::Whom(key, answer) => self.find_whom(key, answer),
            Query::Bans(answer) => self.find_bans(answer),
            Query::Page(page, answer) => {
                let page = self.resolve(page);
                self.learn_closing_time(&page);
                answer(self.page_state(page));
            }
            Query::Pages(before, limit, answer) => self.find_pages(before, limit, answer),
            Query::News(sought, answer) => self.tell_news(sought, answer),
            Query::Compact(callback) => self.compact(callback),
            Query::Stop => {
                self.stopping = true;
                // Now and after the last batch, since nobody can be sure that all who send commands end in time.
                self.watch_storage();
                self.subscribers.close_all();
            }
        }
    }

    fn join(&mut self, join: Join<S>) {
        if self.stopping {
            return;
        }
        let Join { reader, sink, greeting, tier, subscription, joined } = join;
        let hold = self.rules.hold;
        let first = match subscription {
            Subscription::Page(page, from) => {
                let page = self.resolve(page);
                self.learn_closing_time(&page);
                let (items, resumed) = self.first_items(&page, &from);
                let likes = self.likes_on(&page);
                let history = History { likes, ..self.history(&page, items, false, false) };
                let readers = self.subscribers.join(reader, sink, greeting, tier, &page);
                Joined { history, readers, resumed, totals: Totals::default(), hold }
            }
            Subscription::Moderation => {
                self.subscribers.join_moderator(reader, sink, greeting);
                let mut history = self.history("", Vec::new(), false, true);
                history.seq = self.log.next_seq() - 1;
                let readers = self.subscribers.len_everywhere() as u32;
                Joined { history, readers, resumed: None, totals: self.totals(), hold }
            }
            Subscription::Counts(pages) => {
                let pages = self.watched(pages);
                let counts: Vec<_> = pages
                    .iter()
                    .map(|page| {
                        (&*page.page, self.index.count(self.moderation.resolve(&page.page)))
                    })
                    .collect();
                let message = ServerMessage::Counts { counts: Counts(&counts) }.to_json();
                self.subscribers.watch(reader, sink, greeting, pages);
                self.subscribers.send_to(reader, message.as_bytes());
                Joined {
                    history: self.history("", Vec::new(), false, false),
                    readers: 0,
                    resumed: None,
                    totals: Totals::default(),
                    hold,
                }
            }
        };
        joined(first);
    }

    /// The comments that a new reader is sent first, and whether they begin at its cursor.
    fn first_items(&self, page: &str, from: &StartAt) -> (Vec<CommentRef>, Option<bool>) {
        match from {
            StartAt::Live => (Vec::new(), None),
            StartAt::Last(count) => {
                let mut newest = self.index.newest(page, None);
                let (mut items, _) =
                    bounded(&mut newest, (*count).min(HISTORY_LINES_MAX), RESUME_BYTES_MAX);
                items.reverse();
                (items, None)
            }
            StartAt::Since(cursor) if self.is_good(cursor) && !self.has_missed(page, cursor) => {
                match bounded(
                    &mut self.index.since(page, cursor.since),
                    RESUME_LINES_MAX,
                    RESUME_BYTES_MAX,
                ) {
                    (items, false) => (items, Some(true)),
                    (_, true) => (Vec::new(), Some(false)),
                }
            }
            StartAt::Since(..) => (Vec::new(), Some(false)),
        }
    }

    /// Whether the client has received what is in this log up to there. Without a mark that can't be known if the log has gone back,
    /// so a client without one is believed.
    fn is_good(&self, cursor: &Cursor) -> bool {
        self.is_believed(cursor) && cursor.since < self.log.next_seq()
    }

    /// Whether the cursor is of this log, and of a run that it proves if it names one. It may be ahead of the log.
    pub(super) fn is_believed(&self, Cursor { since, log, mark }: &Cursor) -> bool {
        let next = self.log.next_seq();
        log.as_deref().is_none_or(|log| log == &*self.log_id)
            && mark.as_deref().is_none_or(|mark| self.runs.proves(mark, *since, next))
    }

    fn identify(&mut self, reader: ReaderId, author: Author, from: ClientKey) {
        let limiter = &mut self.key_limiter;
        if let Err(wait) = limiter.take(&[BucketKey::Address(from)], self.started.elapsed()) {
            let rejection = Rejection::TooFast { wait, rate: limiter.rate(), what: "keys" };
            return self.subscribers.send_to(reader, rejection.to_json(None).as_bytes());
        }
        let Some(page) = self.subscribers.identify(reader, author).map(str::to_owned) else {
            return;
        };
        let searched = self.index.pending(&page).take(OWN_PENDING_SEARCHED_MAX);
        let mut waiting = searched.filter(|item| item.visibility == Visibility::Pending);
        let (mut waiting, _) = bounded(&mut waiting, OWN_PENDING_MAX, OWN_PENDING_BYTES_MAX);
        waiting.reverse();
        let pseudonym = author.to_string();
        for line in waiting.iter().filter_map(|item| self.log.read(item.location).ok()) {
            if Comment::parse(&line)
                .is_ok_and(|comment| comment.author.as_deref() == Some(&pseudonym))
            {
                self.subscribers.send_to(reader, &line);
            }
        }
        self.send_reasons(reader, author, &page);
    }

    /// Tells an author what moderators have said about their newest comments on the page.
    fn send_reasons(&self, reader: ReaderId, author: Author, page: &str) {
        for id in self.moderation.reasons.get(&BanKey::Author(author)).into_iter().flatten() {
            let note =
                self.moderation.notes.get(id).filter(|_| self.index.find_on(page, *id).is_some());
            let line = note.and_then(|note| self.log.read(note.location).ok());
            let line = line.and_then(|line| ModerationLine::parse(&line).ok());
            if let Some(ModerationLine { did: Some(did), reason: Some(reason), .. }) = line {
                let message = ServerMessage::note(*id, did, &reason).to_json();
                self.subscribers.send_to(reader, message.as_bytes());
            }
        }
    }

    fn read(&mut self, read: ReadHistory) {
        let ReadHistory { page, range, limit, moderator, answer } = read;
        let page = self.resolve(page);
        self.learn_closing_time(&page);
        // Without a mark, a client that polls is told what there is, wherever it stands.
        if let HistoryRange::Since(cursor) = &range
            && cursor.mark.is_some()
            && (!self.is_good(cursor) || self.has_missed(&page, cursor))
        {
            answer(Err(Rejection::StaleCursor(cursor.since)));
            return;
        }
        // A client that catches up wants to know what has changed, and a like changes no line.
        let newest = matches!(range, HistoryRange::Since(_)).then(|| self.likes_on(&page));
        let index = &self.index;
        let mut answers = Vec::new();
        let (items, more) = match range {
            HistoryRange::Before(before) => {
                let (mut items, more) = match moderator {
                    true => bounded(
                        &mut index.newest_with_pending(&page, before),
                        limit,
                        ANSWER_BYTES_MAX,
                    ),
                    false => bounded(&mut index.newest(&page, before), limit, ANSWER_BYTES_MAX),
                };
                items.reverse();
                (items, more)
            }
            HistoryRange::Since(Cursor { since, .. }) if moderator => {
                bounded(&mut index.since_with_pending(&page, since), limit, ANSWER_BYTES_MAX)
            }
            HistoryRange::Since(Cursor { since, .. }) => {
                bounded(&mut index.since(&page, since), limit, ANSWER_BYTES_MAX)
            }
            HistoryRange::Threads(edge, count) => {
                whole_threads::select(index, &page, edge, count, limit, &mut answers)
            }
            HistoryRange::Thread { id, after, with_first } => {
                let thread = index.thread_of(&page, id);
                thread.map_or((Vec::new(), false), |thread| {
                    whole_threads::select_one(thread, after, with_first, limit, &mut answers)
                })
            }
        };
        let mut history = self.history(&page, items, more, moderator);
        history.answers = answers;
        if let Some(likes) = newest {
            history.likes = likes;
        }
        answer(Ok(history));
    }

    pub(super) fn history(
        &self,
        page: &str,
        items: Vec<CommentRef>,
        more: bool,
        moderator: bool,
    ) -> History {
        History {
            log: self.log_id.clone(),
            mark: self.runs.mark().clone(),
            seq: self.index.seq(page),
            count: self.index.count(page),
            recent: items.iter().map(|item| self.line_cache.get(item.location.offset)).collect(),
            likes: self.likes_of(&items),
            answers: Vec::new(),
            items,
            more,
            file: self.log.reader(),
            moderator,
            locked: self.is_locked(page),
            pinned: self.pinned(page),
        }
    }
}

/// As many items as fit into `count` and `bytes`, at least one, and whether there are more.
pub(super) fn bounded(
    items: &mut dyn Iterator<Item = CommentRef>,
    count: usize,
    bytes: usize,
) -> (Vec<CommentRef>, bool) {
    let (mut taken, mut sum) = (Vec::new(), 0);
    for item in items {
        sum += item.location.len as usize + 2;
        if taken.len() == count || (sum > bytes && !taken.is_empty()) {
            return (taken, true);
        }
        taken.push(item);
    }
    (taken, false)
}
