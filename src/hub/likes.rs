//! Likes: decides whether one may be given or taken back, stages its line, and counts them for readers.
//!
//! Like a comment, a like is published only once its line is on disk.

use super::{Hub, batch::Outcome};
use crate::{
    comment::Author,
    comment::rejection::Rejection,
    comment::server_message::{Counts, ServerMessage},
    http::forwarded::ClientKey,
    hub::command::{ReplyTo, Target, WriteKind, Written},
    hub::rate_limit::{BucketKey, RateLimiter},
    limits::LIKED_COMMENTS_MAX,
    limits::Rate,
    store::index::{CommentRef, Index},
    store::likes::{Full, Key, LIKES_A_COMMENT_MAX, LIKES_MAX, Likes, encode},
    store::moderation::line::ModerationLine,
    store::visibility::Visibility,
};

/// Likes that may be given or taken back for each comment that may be posted: one is a tap for its reader and a line of 90 bytes.
const LIKES_PER_POST: u32 = 6;

/// How many of a page's newest liked comments are looked at for those that are public: a hidden one keeps its likes. A history
/// has the likes of all that it shows in any case.
const LIKED_SEARCHED_MAX: usize = 2 * LIKED_COMMENTS_MAX;

/// Liked comments that are looked at in one step for those that somebody likes, some ms of work; so many lines at most.
const FORGOTTEN_SEARCHED_MAX: usize = 4_096;

/// A like that was given or taken back, or was so already.
pub(super) struct Liked {
    key: Key,
    author: Author,
    on: bool,
    /// Whether it was so before.
    pub(super) was_so: bool,
}

/// The rate limiter of likes, beside that of posts.
pub(super) fn limiter(posts: Option<&RateLimiter>) -> Option<RateLimiter> {
    posts.map(|limiter| {
        let Rate { posts, seconds } = limiter.rate();
        RateLimiter::new(Rate { posts: posts.saturating_mul(LIKES_PER_POST), seconds })
    })
}

/// A comment's number of likes as everyone may see it: 0 unless the comment is public.
pub(super) fn public_count(index: &Index, likes: &Likes, id: u64) -> u64 {
    let is_public = index.find(id).is_some_and(|item| item.visibility == Visibility::Public);
    let page = index.page_of(id).filter(|_| is_public);
    page.map_or(0, |page| likes.count((page, id)))
}

impl<S> Hub<S> {
    pub(super) fn like(
        &mut self,
        target: Target,
        on: bool,
        author: Author,
        from: ClientKey,
    ) -> Result<Outcome, Rejection> {
        let item = self.public_comment(&target, author, from)?;
        let id = item.id;
        let number = self.index.page_of(id).ok_or(Rejection::UnknownComment(id))?;
        let key = (number, id);
        let was_so = self.likes.has(key, author) == on;
        let liked = Outcome::Liked(Liked { key, author, on, was_so });
        if was_so {
            return Ok(liked);
        }
        if on {
            self.likes.check_room(key).map_err(|full| match full {
                Full::Comment => Rejection::LikesFull(LIKES_A_COMMENT_MAX, "this comment"),
                Full::All => Rejection::LikesFull(LIKES_MAX, "this server"),
            })?;
        }
        let page = match target.page {
            Some(page) => page,
            None => self.page_named_in(item)?,
        };
        let keys = [BucketKey::Address(from), BucketKey::Author(author)];
        self.charge_like(&keys, "likes")?;
        let line = encode(self.log.next_seq(), id, author, on);
        self.log.stage(&line);
        self.show_moderators(&line);
        self.likes.set(key, author, on);
        let page = self.moderation.resolve(&page).into();
        self.batch.liked.push((page, id));
        Ok(liked)
    }

    /// Takes back an author's flags, and likes from `from` on, as far as one step goes.
    pub(super) fn forget(&mut self, author: Author, from: Key) -> Result<Outcome, Rejection> {
        if self.stopping {
            return Err(Rejection::Stopping);
        }
        let (liked, next) = self.likes.liked_by(author, from, FORGOTTEN_SEARCHED_MAX);
        for key in liked {
            let Some(item) = self.index.find(key.1) else { continue };
            let page = self.page_named_in(item)?;
            let line = encode(self.log.next_seq(), key.1, author, false);
            self.log.stage(&line);
            self.show_moderators(&line);
            self.likes.set(key, author, false);
            let page = self.moderation.resolve(&page).into();
            self.batch.liked.push((page, key.1));
        }
        for id in self.moderation.flagged_by(author) {
            let line = ModerationLine {
                id: Some(id),
                author: Some(author.to_string()),
                on: Some(false),
                ..ModerationLine::default()
            };
            self.record("flag", line);
            self.moderation.unflag(id, author);
        }
        let answer = serde_json::to_vec(&next).expect("numbers can be encoded");
        Ok(Outcome::Recorded { answer, has_changed: true })
    }

    /// The comment that somebody likes or flags, who must not be banned.
    pub(super) fn public_comment(
        &self,
        target: &Target,
        author: Author,
        from: ClientKey,
    ) -> Result<CommentRef, Rejection> {
        if self.stopping {
            return Err(Rejection::Stopping);
        }
        let id = target.id;
        let item = self.index.find(id).filter(|item| item.visibility.is_shared());
        let item = item.ok_or(Rejection::UnknownComment(id))?;
        if target.page.as_deref().is_some_and(|page| !self.is_on(page, id)) {
            return Err(Rejection::NotOnPage(id));
        }
        match item.visibility {
            Visibility::Public => {}
            Visibility::Hidden => return Err(Rejection::Hidden(id)),
            _ => return Err(Rejection::Deleted(id)),
        }
        self.check_ban(from, Some(author))?;
        Ok(item)
    }

    /// Charges a like, or a flag, which costs the same.
    pub(super) fn charge_like(
        &mut self,
        keys: &[BucketKey],
        what: &'static str,
    ) -> Result<(), Rejection> {
        let is_charged = self.is_again();
        let Some(limiter) = self.like_limiter.as_mut().filter(|_| !is_charged) else {
            return Ok(());
        };
        let now = self.started.elapsed();
        let rate = limiter.rate();
        limiter.take(keys, now).map_err(|wait| Rejection::TooFast { wait, rate, what })
    }

    fn page_named_in(&self, item: CommentRef) -> Result<Box<str>, Rejection> {
        Ok(self.comment(item)?.page.into())
    }

    /// Whether the like is as was asked for, whatever became of the batch.
    pub(super) fn is_as_asked(&self, liked: &Liked) -> bool {
        self.likes.has(liked.key, liked.author) == liked.on
    }

    /// Answers a callback; a reader is told together with everybody else, within a second.
    pub(super) fn acknowledge_like(&self, reply: ReplyTo, liked: &Liked) {
        if let ReplyTo::Callback(call) = reply {
            let counts = [(liked.key.1, self.likes.count(liked.key))];
            let message = ServerMessage::Likes { likes: Counts(&counts) };
            call(Ok(Written { line: message.to_json().into_bytes(), what: WriteKind::Changed }));
        }
    }

    /// Ids and likes of those of these comments that have any.
    pub(super) fn likes_of(&self, items: &[CommentRef]) -> Vec<(u64, u64)> {
        let counts =
            items.iter().map(|item| (item.id, public_count(&self.index, &self.likes, item.id)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Ids and likes of the page's newest comments that have any.
    pub(super) fn likes_on(&self, page: &str) -> Vec<(u64, u64)> {
        let Some(number) = self.index.page_number_of(page) else { return Vec::new() };
        let seen = |id: &u64| {
            self.index.find(*id).is_some_and(|item| item.visibility == Visibility::Public)
        };
        let newest = self.likes.newest(number).take(LIKED_SEARCHED_MAX);
        newest.filter(|(id, _)| seen(id)).take(LIKED_COMMENTS_MAX).collect()
    }

    /// After the commit: notes which comments' likes are to be told within a second.
    pub(super) fn note_likes(&mut self) {
        for (page, id) in self.batch.liked.drain(..) {
            self.subscribers.liked(&page, id);
        }
    }
}
