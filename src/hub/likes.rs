//! What the hub does with hearts: may it be, the line, and who hears of it.
//!
//! Like everything else a heart is told only once its line is on disk.

use super::{Keeper, Outcome};
use crate::{
    cli::values::Rate,
    comment::rejection::Reject,
    comment::server_message::{Counts, ServerMessage},
    comment::{Author, Comment},
    http::forwarded::Counted,
    hub::command::{Asked, Done, Reply, What},
    hub::rate_limit::{Payer, Rates},
    limits::LIKED_COMMENTS_MAX,
    store::index::{Index, Item},
    store::likes::{Full, Key, LIKES_A_COMMENT_MAX, LIKES_MAX, Likes, encode},
    store::visibility::Sight,
};

/// Hearts that may be given or taken where one comment may be posted: they are one tap each, and a line of 90 bytes.
const LIKES_PER_POST: u32 = 6;

/// A heart that was given or taken, or was so already.
pub(super) struct Liked {
    key: Key,
    author: Author,
    on: bool,
}

/// The buckets that hearts pay from, beside those of posts.
pub(super) fn rates(posts: Option<&Rates>) -> Option<Rates> {
    posts.map(|rates| {
        let Rate { posts, seconds } = rates.rate();
        Rates::new(Rate { posts: posts.saturating_mul(LIKES_PER_POST), seconds })
    })
}

/// Hearts of a comment as everyone may see them: none of one that is taken away.
pub(super) fn seen(index: &Index, likes: &Likes, id: u64) -> u64 {
    let is_public = index.find(id).is_some_and(|item| item.sight == Sight::Public);
    let page = index.page_of(id).filter(|_| is_public);
    page.map_or(0, |page| likes.count((page, id)))
}

impl<S> Keeper<S> {
    pub(super) fn like(
        &mut self,
        asked: Asked,
        on: bool,
        author: Author,
        from: Counted,
    ) -> Result<Outcome, Reject> {
        if self.stopping {
            return Err(Reject::Stopping);
        }
        let id = asked.id;
        let item = self.index.find(id).filter(|item| item.sight.is_shared());
        let item = item.ok_or(Reject::UnknownComment(id))?;
        let number = self.index.page_of(id).ok_or(Reject::UnknownComment(id))?;
        if asked.page.as_deref().is_some_and(|page| self.index.page_number_of(page) != Some(number))
        {
            return Err(Reject::NotOnPage(id));
        }
        match item.sight {
            Sight::Public => {}
            Sight::Hidden => return Err(Reject::Hidden(id)),
            _ => return Err(Reject::Deleted(id)),
        }
        let key = (number, id);
        let liked = Outcome::Liked(Liked { key, author, on });
        if self.likes.has(key, author) == on {
            return Ok(liked);
        }
        if on {
            self.likes.check_room(key).map_err(|full| match full {
                Full::Comment => Reject::LikesFull(LIKES_A_COMMENT_MAX, "this comment"),
                Full::All => Reject::LikesFull(LIKES_MAX, "this server"),
            })?;
        }
        let page = match asked.page {
            Some(page) => page,
            None => self.page_named_in(item)?,
        };
        let payers = [Payer::Address(from), Payer::Author(author)];
        if let Some(rates) = &mut self.like_rates {
            let now = self.started.elapsed();
            rates.take(&payers, now).map_err(|wait| Reject::TooFast {
                wait,
                rate: rates.rate(),
                what: "likes",
            })?;
        }
        self.log.stage(&encode(self.log.next_seq(), id, author, on));
        self.likes.set(key, author, on);
        self.batch.liked.push((page, id));
        Ok(liked)
    }

    fn page_named_in(&self, item: Item) -> Result<Box<str>, Reject> {
        let line = self.log.read(item.place).map_err(|error| self.unreadable(&error))?;
        let comment = Comment::parse(&line).map_err(|error| self.unreadable(&error.into()))?;
        Ok(comment.page.into())
    }

    /// Whether it is as was asked for, whatever became of the batch.
    pub(super) fn is_as_asked(&self, liked: &Liked) -> bool {
        self.likes.has(liked.key, liked.author) == liked.on
    }

    /// A reader hears of it with everybody else, within a second.
    pub(super) fn acknowledge_like(&self, reply: Reply, liked: &Liked) {
        if let Reply::Call(call) = reply {
            let counts = [(liked.key.1, self.likes.count(liked.key))];
            let message = ServerMessage::Likes { likes: Counts(&counts) };
            call(Ok(Done { line: message.to_json().into_bytes(), what: What::Changed }));
        }
    }

    /// Hearts of these comments, those that have any.
    pub(super) fn likes_of(&self, items: &[Item]) -> Vec<(u64, u64)> {
        let counts = items.iter().map(|item| (item.id, seen(&self.index, &self.likes, item.id)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Hearts of the page's newest comments that have any.
    pub(super) fn likes_on(&self, page: &str) -> Vec<(u64, u64)> {
        let Some(number) = self.index.page_number_of(page) else { return Vec::new() };
        let seen = |id: &u64| self.index.find(*id).is_some_and(|item| item.sight == Sight::Public);
        let newest = self.likes.newest(number).filter(|(id, _)| seen(id));
        newest.take(LIKED_COMMENTS_MAX).collect()
    }

    /// After the commit: what is told within a second.
    pub(super) fn note_likes(&mut self) {
        for (page, id) in self.batch.liked.drain(..) {
            self.audience.liked(&page, id);
        }
    }
}
