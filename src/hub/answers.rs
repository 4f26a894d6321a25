//! Answers writes, once it is known what has become of them.
//!
//! Knows no sockets and no HTTP.

use std::net::IpAddr;

use super::{
    Hub,
    batch::{Outcome, StagedLine},
};
use crate::{
    comment::rejection::Rejection,
    hub::command::{ReplyTo, WriteKind, Written},
    util::activity,
};

impl<S> Hub<S> {
    /// Says what a moderator must look at, and why a socket's message was refused; `web` says it of requests.
    pub(super) fn log_outcome(
        &self,
        outcome: &Result<Outcome, Rejection>,
        reply: &ReplyTo,
        fault: Option<&Rejection>,
        client: Option<IpAddr>,
    ) {
        match (outcome, fault) {
            (Ok(Outcome::Staged(number, _)), None) => {
                let StagedLine { id, held_for, .. } = &self.batch.lines[*number];
                if let Some(reason) = held_for {
                    activity::held(*id, reason.name(), client);
                }
            }
            (Err(rejection), _) if matches!(reply, ReplyTo::Reader(..)) => {
                activity::refused(rejection.code(), client);
            }
            _ => {}
        }
    }

    /// Answers a write that was carried out. `moderated`: the comment that a moderator has changed, who sees more of it than others.
    pub(super) fn acknowledge(&self, reply: ReplyTo, outcome: Outcome, moderated: Option<u64>) {
        let (line, what) = match outcome {
            Outcome::Liked(liked) => return self.acknowledge_like(reply, &liked),
            // The line itself, once published, is the acknowledgement.
            Outcome::Staged(..) if matches!(reply, ReplyTo::Reader(..)) => return,
            Outcome::Staged(number, what) => {
                (self.batch.bytes[self.batch.lines[number].range.clone()].to_vec(), what)
            }
            Outcome::Known { line, .. } => (line, WriteKind::Known),
            Outcome::Recorded { answer, has_changed: false } => (answer, WriteKind::Known),
            Outcome::Recorded { answer, .. } => (answer, WriteKind::Changed),
        };
        self.answer(reply, line, what, moderated);
    }

    pub(super) fn answer(
        &self,
        reply: ReplyTo,
        line: Vec<u8>,
        what: WriteKind,
        moderated: Option<u64>,
    ) {
        match (reply, moderated) {
            (ReplyTo::Reader(reader, _), _) => self.subscribers.send_to(reader, &line),
            (ReplyTo::Callback(callback), None) => callback(Ok(Written { line, what })),
            (ReplyTo::Callback(callback), Some(id)) => {
                let line = self.as_moderators_see(id, line);
                callback(Ok(Written { line, what }));
            }
        }
    }

    pub(super) fn reject(&self, reply: ReplyTo, rejection: &Rejection) {
        match reply {
            ReplyTo::Callback(callback) => callback(Err(rejection.clone())),
            ReplyTo::Reader(reader, nonce) => {
                self.subscribers.send_to(reader, rejection.to_json(nonce.as_deref()).as_bytes())
            }
        }
    }
}
