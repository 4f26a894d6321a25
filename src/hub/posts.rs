//! Posts, edits, deletions and changes of status: decides whether each is allowed, and stages the line it makes.
//!
//! Only stages: the line becomes true when its batch is committed.

use super::{
    Hub,
    batch::{EncodedLine, Outcome},
    moderation::NoteText,
};
use crate::{
    comment::draft::{Draft, Text},
    comment::hold_reason::HoldReason,
    comment::rejection::Rejection,
    comment::shown_text::count_addresses,
    comment::{Author, Comment, LineParts, Marks, Status, did::Did},
    http::forwarded::ClientKey,
    hub::command::{Actor, Change, Decision, Target, WriteKind},
    hub::gate::Bucket,
    hub::rate_limit::{BucketKey, DUPLICATE_BYTES_MIN, DUPLICATE_WINDOW},
    hub::rules::Hold,
    store::history::redacted,
    store::index::CommentRef,
    store::moderation::{Note, line::ModerationLine},
    store::visibility::Visibility,
};

/// Pages of all kinds for each page of `--max-pages` that has a comment which is not deleted.
const PAGES_PER_LIVE_PAGE_MAX: u32 = 10;

/// A comment as it is stored.
pub(super) struct Stored {
    pub item: CommentRef,
    pub line: Vec<u8>,
    pub comment: Comment,
    pub author: Option<Author>,
}

impl<S> Hub<S> {
    pub(super) fn post(&mut self, mut draft: Draft, from: ClientKey) -> Result<Outcome, Rejection> {
        if self.stopping {
            return Err(Rejection::Stopping);
        }
        if let Some(nonce) = draft.nonce.as_deref()
            && let Some(known) = self.known_nonce(nonce, draft.author)?
        {
            return Ok(known);
        }
        if !self.moderation.moves.is_empty() {
            // The line keeps the name that it was posted with.
            draft.page = self.moderation.resolve(&draft.page).into();
        }
        self.check_page(&draft.page)?;
        let is_moderator = draft.moderator.is_some();
        let must_wait = !is_moderator && self.check_ban(from, draft.author)?;
        if !is_moderator {
            self.check_lock(&draft.page)?;
        }
        if let Some(parent) = draft.parent {
            self.index
                .find_on(&draft.page, parent)
                .filter(|item| item.visibility == Visibility::Public)
                .ok_or(Rejection::UnknownParent(parent))?;
        }
        let mut held_for = None;
        if !is_moderator {
            self.charge(from, draft.author)?;
            self.check_is_new(from, &draft)?;
            let reason = if must_wait { Some(HoldReason::Author) } else { draft.held_for.take() };
            held_for = self.needs_moderation(reason, || draft.links, draft.author);
        }
        let status = if held_for.is_some() { Status::Pending } else { Status::Public };
        let seq = self.log.next_seq();
        let start = self.batch.bytes.len();
        LineParts {
            seq,
            id: seq,
            body: &draft.body,
            created_at: &self.now,
            edited_at: None,
            deleted: false,
            nonce: draft.nonce.as_deref(),
            status,
            marks: Marks {
                moderator: draft.moderator.as_deref(),
                verified: draft.verified,
                ..Marks::default()
            },
        }
        .encode(&mut self.batch.bytes);
        let visibility = Visibility::of(status, false);
        let (page, nonce) = (&*draft.page, draft.nonce.as_deref());
        let author = draft.author;
        let why = held_for.as_ref().map(HoldReason::why);
        let at = self.stage(
            start,
            EncodedLine {
                id: seq,
                seq,
                page,
                visibility,
                before: None,
                author,
                parent: draft.parent,
                nonce,
                time: None,
                is_moderation: false,
                held_for,
            },
        );
        if !self.is_shared() {
            // A ban of an address must not hide what moderators have written from there.
            self.addresses.remember(seq, (!is_moderator).then_some(from));
        }
        let Some(why) = why else { return Ok(Outcome::Staged(at, WriteKind::Posted)) };
        let text = NoteText { why: Some(why), ..NoteText::default() };
        self.note((seq, &draft.page), author, Did::Hold, text);
        Ok(Outcome::Staged(at, WriteKind::Held))
    }

    pub(super) fn change(
        &mut self,
        target: Target,
        change: Change,
        by: Actor,
        decision: Decision,
        from: ClientKey,
    ) -> Result<Outcome, Rejection> {
        let Target { id, page } = target;
        if self.stopping {
            return Err(Rejection::Stopping);
        }
        let item = self.index.find(id).ok_or(Rejection::UnknownComment(id))?;
        let line = self.log.read(item.location).map_err(|error| self.unreadable(&error))?;
        let comment = Comment::parse(&line).map_err(|error| self.unreadable(&error.into()))?;
        let is_late = |seen| seen < item.seq || (decision.is_first && seen < self.decided_at(id));
        if by.is_moderator() && decision.seen.is_some_and(is_late) {
            let line = self.as_moderators_see(id, line);
            let line = String::from_utf8_lossy(&line).into_owned();
            return Err(Rejection::ChangedMeanwhile(id, line));
        }
        if comment.deleted {
            let may_know = item.visibility.is_shared() || by.is_moderator();
            return match change {
                _ if !may_know => Err(Rejection::UnknownComment(id)),
                Change::Delete => Ok(self.known(item, line)),
                _ => Err(Rejection::Deleted(id)),
            };
        }
        let author = comment.author.as_deref().and_then(Author::parse);
        let is_author = by.author.is_some() && by.author == author;
        if !is_author && !by.is_moderator() {
            return Err(match author {
                _ if !item.visibility.is_shared() => Rejection::UnknownComment(id),
                Some(_) => Rejection::NotAuthor(id),
                None => Rejection::WrittenWithoutKey(id),
            });
        }
        if page.is_some_and(|page| !self.is_on(&page, id)) {
            return Err(Rejection::NotOnPage(id));
        }
        if by.is_signed && !is_author {
            self.check_ban(from, by.author)?;
        }
        let stored = Stored { item, line, comment, author };
        match (change, by.moderator) {
            (Change::Delete, moderator) => {
                Ok(self.delete(stored, moderator.filter(|_| !is_author), decision))
            }
            (Change::Text(text, _), Some(moderator)) => {
                Ok(self.edit_as_moderator(stored, text, moderator, decision))
            }
            (Change::Text(text, reason), None) => self.edit(stored, text, reason, from),
            (_, None) => Err(Rejection::NotModerator),
            (Change::Status(status), Some(moderator)) => {
                self.set_status(stored, status, moderator, decision)
            }
            (Change::Pinned(is_pinned), Some(moderator)) => {
                self.pin(stored, is_pinned, moderator, decision)
            }
        }
    }

    /// An author's edit. It must not publish what would have been held as a new comment.
    fn edit(
        &mut self,
        stored: Stored,
        text: Text,
        reason: Option<HoldReason>,
        from: ClientKey,
    ) -> Result<Outcome, Rejection> {
        let Stored { item, line, mut comment, author } = stored;
        if text.content == comment.content && text.html == comment.html {
            return Ok(self.known(item, line));
        }
        let must_wait = self.check_ban(from, author)?;
        self.charge(from, author)?;
        let mut held_for = None;
        if comment.status == Status::Public {
            let reason = if must_wait { Some(HoldReason::Author) } else { reason };
            held_for = self.needs_moderation(reason, || text.count_links(), author);
            // `--hold links` does not ask again about a name that a moderator has let pass.
            let in_name = comment.name.as_deref().map_or(0, count_addresses);
            if held_for.is_none() && self.has_too_many_links(|| text.count_links() + in_name) {
                held_for = Some(HoldReason::Links);
            }
        }
        if held_for.is_some() {
            comment.status = Status::Hidden;
            comment.pinned = false;
        }
        self.set_text(&mut comment, text);
        let (id, page) = (item.id, comment.page.clone());
        let why = held_for.as_ref().map(HoldReason::why);
        let at = self.stage_change(item, comment, author, false, held_for);
        let is_rejected = self.moderation.rejected.get(&id).is_some();
        self.moderation.set_rejected(id, false);
        let why = why.or_else(|| is_rejected.then(|| "edited".into()));
        if why.is_some() {
            let text = NoteText { why, ..NoteText::default() };
            self.note((id, &page), author, Did::Hold, text);
        } else if self.moderation.flags.get(&id).is_some()
            || self.moderation.notes.get(&id).is_some_and(Note::approves)
        {
            // What a moderator has said about its flags was said of another text.
            self.note((id, &page), author, Did::Edit, NoteText::default());
        }
        Ok(Outcome::Staged(at, WriteKind::Changed))
    }

    /// The `seq` of the newest note about a comment if it is a moderator's, or else 0.
    fn decided_at(&self, id: u64) -> u64 {
        let note = self.moderation.notes.get(&id).filter(|note| note.is_moderators);
        let line = note.and_then(|note| self.log.read(note.location).ok());
        let line = line.and_then(|line| ModerationLine::parse(&line).ok());
        line.map_or(0, |line| line.seq)
    }

    pub(super) fn set_text(&self, comment: &mut Comment, text: Text) {
        comment.content = text.content;
        comment.html = text.html;
        comment.edited_at = Some(self.now.clone());
    }

    /// Stages a new line of a known comment, and what follows from it for pins. Returns its number in the batch.
    pub(super) fn stage_change(
        &mut self,
        item: CommentRef,
        mut comment: Comment,
        author: Option<Author>,
        is_moderation: bool,
        held_for: Option<HoldReason>,
    ) -> usize {
        let (id, before) = (item.id, Some(item.visibility));
        comment.seq = self.log.next_seq();
        if comment.status != Status::Pending || comment.deleted {
            self.moderation.set_rejected(id, false);
        }
        if comment.status != Status::Hidden || comment.deleted {
            self.moderation.set_held_edit(id, false);
        }
        if let Some(number) = self.index.page_of(id) {
            self.moderation.set_pinned(number, id, comment.pinned);
        }
        let start = self.batch.bytes.len();
        comment.encode(&mut self.batch.bytes);
        let visibility = Visibility::of(comment.status, comment.deleted);
        let (seq, page) = (comment.seq, &*comment.page);
        let (parent, nonce, time) = (None, None, None);
        self.stage(
            start,
            EncodedLine {
                id,
                seq,
                page,
                visibility,
                before,
                author,
                parent,
                nonce,
                time,
                is_moderation,
                held_for,
            },
        )
    }

    /// Whether `--page-prefix` allows comments on a page.
    pub(super) fn check_prefix(&self, page: &str) -> Result<(), Rejection> {
        let prefixes = &self.rules.page_prefix;
        if !prefixes.is_empty() && !prefixes.iter().any(|prefix| page.starts_with(&**prefix)) {
            return Err(Rejection::PageNotAllowed(page.into()));
        }
        Ok(())
    }

    fn check_page(&self, page: &str) -> Result<(), Rejection> {
        self.check_prefix(page)?;
        let max = self.rules.max_pages;
        let all_max = max.saturating_mul(PAGES_PER_LIVE_PAGE_MAX);
        if self.index.live_page_count() >= max as usize && !self.index.has_live_page(page) {
            return Err(Rejection::TooManyPages(max, false));
        }
        // A page whose comments are all deleted still takes memory: its nonces stay known.
        if self.index.page_count() >= all_max as usize && !self.index.has_page(page) {
            return Err(Rejection::TooManyPages(all_max, true));
        }
        Ok(())
    }

    fn charge(&mut self, from: ClientKey, author: Option<Author>) -> Result<(), Rejection> {
        let is_charged = self.is_again();
        let Some(limiter) = self.post_limiter.as_mut().filter(|_| !is_charged) else {
            return Ok(());
        };
        let address = BucketKey::Address(from);
        // Without a key, the address alone is charged.
        let keys = [address, author.map_or(address, BucketKey::Author)];
        let (keys, now) = (&keys[..1 + usize::from(author.is_some())], self.started.elapsed());
        let taken = limiter.take(keys, now);
        for key in keys {
            self.stats.gate.publish(Bucket::Posts, *key, limiter.free_at(key), now);
        }
        taken.map_err(|wait| Rejection::TooFast { wait, rate: limiter.rate(), what: "comments" })
    }

    /// Refuses an address that has had too many writes that changed nothing.
    pub(super) fn check_refused(&self, from: ClientKey) -> Result<(), Rejection> {
        if self.is_again() {
            return Ok(());
        }
        let limiter = &self.refused_limiter;
        limiter
            .check(&[BucketKey::Address(from)], self.started.elapsed())
            .map_err(|wait| Rejection::too_many_refused(wait, limiter.rate()))
    }

    /// Charges an address for a write that changed nothing.
    pub(super) fn charge_refused(&mut self, from: ClientKey) {
        let (key, now) = (BucketKey::Address(from), self.started.elapsed());
        // It had a token before the write, and only the hub takes any.
        let _ = self.refused_limiter.take(&[key], now);
        let free_at = self.refused_limiter.free_at(&key);
        self.stats.gate.publish(Bucket::Refused, key, free_at, now);
    }

    /// Refuses what the same author, or without a key the same address, has posted in the last minutes: page, text and name alike.
    fn check_is_new(&mut self, from: ClientKey, draft: &Draft) -> Result<(), Rejection> {
        let may_repeat = draft.length < DUPLICATE_BYTES_MIN || self.is_again();
        let Some(duplicates) = self.duplicates.as_mut().filter(|_| !may_repeat) else {
            return Ok(());
        };
        let key = draft.author.map_or(BucketKey::Address(from), BucketKey::Author);
        let is_new = duplicates.is_new(key, &draft.body, self.started.elapsed());
        if is_new { Ok(()) } else { Err(Rejection::Duplicate(DUPLICATE_WINDOW.as_secs())) }
    }

    /// Why a comment must wait. `reason` is what its text alone tells.
    fn needs_moderation(
        &self,
        reason: Option<HoldReason>,
        links: impl Fn() -> usize,
        author: Option<Author>,
    ) -> Option<HoldReason> {
        let is_known = || author.is_some_and(|author| self.approved.contains(&author));
        reason.or_else(|| match self.rules.hold {
            Hold::All => Some(HoldReason::All),
            Hold::New if !is_known() => Some(HoldReason::New),
            Hold::Links if links() > 0 => Some(HoldReason::Links),
            _ => self.has_too_many_links(links).then_some(HoldReason::Links),
        })
    }

    fn has_too_many_links(&self, links: impl FnOnce() -> usize) -> bool {
        self.rules.max_links.is_some_and(|max| links() > max as usize)
    }

    /// The present line of the comment that was posted with this nonce, as `author` may see it. A nonce is as public as its
    /// comment: of one that waits only its author may learn that it exists.
    pub(super) fn known_nonce(
        &self,
        nonce: &str,
        author: Option<Author>,
    ) -> Result<Option<Outcome>, Rejection> {
        let mut found = None;
        let item = self.index.find_nonce(nonce, |item| {
            let line = self.log.read(item.location).ok();
            let comment = line.as_deref().and_then(|line| Comment::parse(line).ok());
            let has_nonce =
                comment.as_ref().is_some_and(|comment| comment.nonce.as_deref() == Some(nonce));
            found = line.zip(comment).filter(|_| has_nonce);
            has_nonce
        });
        let Some((item, (line, comment))) = item.zip(found) else { return Ok(None) };
        let owner = comment.author.as_deref().and_then(Author::parse);
        match item.visibility {
            Visibility::Hidden => {
                let line = redacted(&line).map_err(|error| self.unreadable(&error))?;
                Ok(Some(self.known(item, line)))
            }
            Visibility::Pending | Visibility::PendingDeleted if owner != author => {
                Err(Rejection::NonceTaken)
            }
            _ => Ok(Some(self.known(item, line))),
        }
    }

    pub(super) fn known(&self, item: CommentRef, line: Vec<u8>) -> Outcome {
        Outcome::Known { line, durable: item.location.offset < self.log.end() }
    }
}
