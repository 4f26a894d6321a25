//! Bans: nothing new is taken from an author or an address, or it waits, and what they wrote may be hidden in the same step.
//!
//! Does not know how a moderator proves to be one.

use std::{sync::Arc, time::Duration};

use super::{Hub, moderation::NoteText};
use crate::{
    comment::{Author, Status, did::Did, rejection::Rejection},
    http::forwarded::ClientKey,
    hub::measure::{BanRequest, Whom},
    store::index::CommentRef,
    store::moderation::{BANS_MAX, Ban, BanKey, encode_address, line::ModerationLine},
    store::visibility::Visibility,
    util::clock::rfc3339,
};

/// The end of a ban that has none: the latest time that RFC 3339 can write.
const FOR_EVER: &str = "9999-12-31T23:59:59.999Z";
/// Comments that one ban hides, or the end of one shows again, in one step. Their readers are told of all at once.
pub const HIDDEN_AT_ONCE_MAX: usize = 500;

impl<S> Hub<S> {
    pub(super) fn set_ban(
        &mut self,
        request: &BanRequest,
        by: &Arc<str>,
    ) -> Result<Vec<u8>, Rejection> {
        let (author, address) = self.banned(request)?;
        let hash = address.map(|address| BanKey::Address(self.addresses.hash(address)));
        let keys: Vec<BanKey> = author.map(BanKey::Author).into_iter().chain(hash).collect();
        self.moderation.forget_ended_bans(&self.now);
        let new = keys.iter().filter(|key| self.moderation.bans.get(*key).is_none()).count();
        if self.moderation.bans.len() + new > BANS_MAX {
            return Err(Rejection::ModerationFull(BANS_MAX, "bans"));
        }
        let until = request.seconds.map_or(FOR_EVER.into(), |seconds| {
            let end = self.time().checked_add(Duration::from_secs(seconds));
            end.map_or(FOR_EVER.into(), rfc3339)
        });
        let mut lines = Vec::new();
        for key in keys {
            lines.push(self.write_ban(key, &until, request.hold, by));
        }
        let mut hidden = Vec::new();
        if let Some(hide) = &request.hide {
            let near = address.map(|from| self.addresses.comments_from(from).collect::<Vec<_>>());
            let near = near.unwrap_or_default();
            let near = &near[near.len().saturating_sub(HIDDEN_AT_ONCE_MAX)..];
            hidden = self.hide_all(near, None, by);
            hidden.append(&mut self.hide_all(hide, author, by));
        }
        let mut answer = b"{\"bans\":[".to_vec();
        answer.extend_from_slice(&lines.join(&b','));
        answer.extend_from_slice(format!("],\"hidden\":{hidden:?}}}").as_bytes());
        Ok(answer)
    }

    /// Hides those of these comments that are public or wait; with an author, only theirs. Returns which.
    pub(super) fn hide_all(
        &mut self,
        ids: &[u64],
        author: Option<Author>,
        by: &Arc<str>,
    ) -> Vec<u64> {
        let mut hidden = Vec::new();
        for id in ids.iter().take(HIDDEN_AT_ONCE_MAX) {
            if let Some(item) = self.index.find(*id)
                && self.can_hide(item)
                && (author.is_none() || self.is_by(item, author))
                && self.hide(item, "ban", Some(by)) == Ok(true)
            {
                hidden.push(*id);
            }
        }
        hidden
    }

    /// Shows those of these comments again that a ban has hidden. Returns which.
    pub(super) fn restore_all(&mut self, ids: &[u64], by: &Arc<str>) -> Vec<u64> {
        let mut restored = Vec::new();
        for id in ids.iter().take(HIDDEN_AT_ONCE_MAX) {
            if let Some(item) = self.index.find(*id)
                && self.restore(item, by) == Ok(true)
            {
                restored.push(*id);
            }
        }
        restored
    }

    /// Whether a comment is public, or waits and was not rejected.
    pub(super) fn can_hide(&self, item: CommentRef) -> bool {
        match item.visibility {
            Visibility::Public => true,
            Visibility::Pending => self.moderation.rejected.get(&item.id).is_none(),
            _ => false,
        }
    }

    fn is_by(&self, item: CommentRef, author: Option<Author>) -> bool {
        let comment = self.comment(item).ok();
        let written_by = comment.and_then(|comment| Author::parse(comment.author.as_deref()?));
        written_by.is_some() && written_by == author
    }

    /// The author and the address that a ban concerns, at least one of them.
    fn banned(
        &self,
        request: &BanRequest,
    ) -> Result<(Option<Author>, Option<ClientKey>), Rejection> {
        let id = match request.whom {
            Whom::Author(author) => return Ok((Some(author), None)),
            Whom::Comment(id) => id,
        };
        let item = self.index.find(id).ok_or(Rejection::UnknownComment(id))?;
        let author = self.comment(item)?.author.as_deref().and_then(Author::parse);
        let address = self.addresses.of(id).filter(|_| request.with_address);
        match (author, address) {
            (_, None) if request.with_address => Err(Rejection::AddressUnknown(id)),
            (None, None) => Err(Rejection::NobodyToBan(id)),
            both => Ok(both),
        }
    }

    fn write_ban(&mut self, key: BanKey, until: &str, hold: bool, by: &Arc<str>) -> Vec<u8> {
        let (author, address) = match key {
            BanKey::Author(author) => (Some(author.to_string()), None),
            BanKey::Address(hash) => (None, Some(encode_address(hash))),
        };
        let line = ModerationLine {
            author,
            address,
            hold,
            until: Some(until.into()),
            by: Some(by.to_string()),
            ..ModerationLine::default()
        };
        let (line, location) = self.record("ban", line);
        self.moderation.bans.set(key, Some(Ban { until: until.into(), hold, location }));
        line
    }

    pub(super) fn end_ban(
        &mut self,
        key: BanKey,
        restore: &[u64],
        by: &Arc<str>,
    ) -> Result<Vec<u8>, Rejection> {
        let Some(ban) = self.moderation.ban(key, &self.now) else {
            let key = match key {
                BanKey::Author(author) => author.to_string(),
                BanKey::Address(hash) => encode_address(hash),
            };
            return Err(Rejection::UnknownBan(key));
        };
        let (hold, now) = (ban.hold, self.now.clone());
        self.write_ban(key, &now, hold, by);
        self.moderation.bans.set(key, None);
        let restored = self.restore_all(restore, by);
        Ok(format!("{{\"restored\":{restored:?}}}").into_bytes())
    }

    /// Shows a comment again that a ban has hidden, or lets it wait again. Returns whether it was one.
    fn restore(&mut self, item: CommentRef, by: &Arc<str>) -> Result<bool, Rejection> {
        let Some(note) = self.moderation.notes.get(&item.id).filter(|note| note.did == Did::Hide)
        else {
            return Ok(false);
        };
        let line = self.log.read(note.location).map_err(|error| self.unreadable(&error))?;
        if ModerationLine::parse(&line).is_ok_and(|line| line.why.as_deref() != Some("ban")) {
            return Ok(false);
        }
        let mut comment = self.comment(item)?;
        let author = comment.author.as_deref().and_then(Author::parse);
        let text = NoteText { why: Some("ban".into()), by: Some(by.clone()), reason: None };
        let page = comment.page.clone();
        let did = match item.visibility {
            Visibility::Hidden => {
                comment.status = Status::Public;
                self.stage_change(item, comment, author, true, None);
                Did::Approve
            }
            Visibility::Pending => {
                self.moderation.set_rejected(item.id, false);
                Did::Hold
            }
            _ => return Ok(false),
        };
        self.note((item.id, &page), author, did, text);
        Ok(true)
    }
}
