//! Reads a client's frames, limits them, and turns messages into commands for the hub.

use std::{
    io::Read,
    time::{Duration, Instant},
};

use tungstenite::{
    Error, Message, WebSocket,
    error::ProtocolError,
    protocol::{Role, WebSocketConfig},
};

use super::{Session, stream::SplitStream};
use crate::{
    comment::{
        draft::{Action, ClientMessage},
        proof_of_work,
        rejection::Rejection,
    },
    fanout::{
        ShardCommand,
        frame::{self, CloseCode},
    },
    http::origin::Requester,
    hub::command::{Actor, Change, Decision, Operation, Query, ReplyTo, Stats, Target, Write},
    hub::sign_on,
    limits::MESSAGE_BYTES_MAX,
    util::activity,
};

/// How long a closing connection is still read, so that the peer's last frames arrive.
const READ_ON_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes of the read buffer. tungstenite would take 128 KiB for each connection; most comments fit in this, larger ones grow it.
const READ_BUFFER_BYTES: usize = 512;
/// Messages in a row that are malformed, too fast, or without their proof of work, before the connection is closed.
const REFUSED_IN_A_ROW_MAX: u32 = 20;
/// Messages other than posts, pings and pongs, in one second.
const FRAMES_A_SECOND_MAX: u32 = 20;

impl Session {
    pub(super) fn read_all(&self, buffered: Vec<u8>) {
        let stream = SplitStream::new(&self.socket, &self.shard, self.number, &buffered);
        let mut socket =
            WebSocket::from_partially_read(stream, buffered, Role::Server, Some(config()));
        let mut limits = MessageLimits::default();
        let close = loop {
            match socket.read() {
                Ok(Message::Text(text)) => {
                    if !self.handle_message(&text, &mut limits) {
                        break Some(CloseCode::Policy);
                    }
                }
                Ok(Message::Binary(_)) => break Some(CloseCode::Unsupported),
                Ok(Message::Ping(_) | Message::Pong(_)) if !limits.allows_frame() => {
                    break Some(CloseCode::Policy);
                }
                Ok(_) => {}
                Err(_) if socket.get_ref().is_late() => break Some(CloseCode::Late),
                Err(error) => break close_code(&error),
            }
        };
        drop(socket);
        self.finish(close);
    }

    /// Does what a message asks for; `false` once too many in a row were refused.
    fn handle_message(&self, text: &str, limits: &mut MessageLimits) -> bool {
        let message = ClientMessage::parse(text.as_bytes());
        let (done, nonce) = match message {
            Ok(mut message) => (self.carry_out(&mut message, limits), message.nonce),
            Err(reject) => (Err(reject), ClientMessage::nonce_in(text.as_bytes())),
        };
        limits.count(done.as_ref().err());
        if let Err(reject) = done {
            activity::refused(reject.code(), self.client);
            self.send_to(&reject.to_json(nonce.as_deref()));
        }
        limits.allow_more()
    }

    /// Checks the signature of the message's user, if it has one.
    fn check_user(&self, message: &mut ClientMessage) -> Result<(), Rejection> {
        let Some(user) = message.user.as_deref() else { return Ok(()) };
        let from = Requester { origin: self.origin.as_deref(), ..Requester::default() };
        let sign_on = self.context.sign_on.as_deref();
        message.signed = Some(sign_on::check(sign_on, user, from, self.context.hub.stats.now())?);
        Ok(())
    }

    fn carry_out(
        &self,
        message: &mut ClientMessage,
        limits: &mut MessageLimits,
    ) -> Result<(), Rejection> {
        self.check_user(message)?;
        let message = &*message;
        let page = self
            .page
            .as_deref()
            .ok_or_else(|| Rejection::Malformed("a socket with count only listens".into()))?;
        let action = message.action(page)?;
        if !matches!(action, Action::Post(_)) && !limits.allows_frame() {
            return Err(Rejection::TooManyFrames(FRAMES_A_SECOND_MAX));
        }
        let Stats { gate, screen, .. } = &*self.context.hub.stats;
        let target = |id| Target { id, page: self.page.clone() };
        let change = |id, change, author, moderator| Operation::Change {
            target: target(id),
            change,
            by: Actor { author, moderator, is_signed: message.signed.is_some() },
            decision: Decision::default(),
        };
        // A host page's moderators change what is seen, and no text.
        let moderator = || message.signed.as_ref().and_then(|user| user.moderator.clone());
        let operation = match action {
            // Rendering takes longer than all checks, so it comes last.
            Action::Post(post) => {
                proof_of_work::check(self.context.challenge, message)?;
                let operation = gate.post(post, self.from, screen)?;
                limits.is_too_fast = matches!(operation, Operation::Repeat { .. });
                operation
            }
            Action::Edit(id, text, author) => {
                gate.check_edit(self.from, author)?;
                let text = text.render();
                let held_for = screen.check_edit(&text);
                change(id, Change::Text(text, held_for), author, None)
            }
            Action::Delete(id, author) => change(id, Change::Delete, author, moderator()),
            Action::Status(id, status, author) => {
                let moderator = moderator().ok_or(Rejection::NotModerator)?;
                change(id, Change::Status(status), author, Some(moderator))
            }
            Action::Like(id, on, author) => Operation::Like { target: target(id), on, author },
            Action::Flag(id, author) => Operation::Flag { target: target(id), author },
            Action::Identify(author) => {
                if let Some(user) = &message.signed {
                    self.send_to(&user.to_json());
                }
                return self.context.hub.query(Query::Identify(self.number, author, self.from));
            }
            Action::Typing => return self.context.hub.query(Query::Typing(self.number, self.from)),
            Action::Nothing => return Ok(()),
        };
        let reply = ReplyTo::Reader(self.number, message.nonce.clone());
        let (from, client) = (self.from, self.client);
        self.context.hub.write(Write { operation, from, client, reply })
    }

    pub(super) fn send_to(&self, message: &str) {
        let mut frames = Vec::new();
        frame::text(message.as_bytes(), &mut frames);
        self.send_to_shard(ShardCommand::Send { reader: self.number, frames, sent: None });
    }

    /// Asks the shard to end the connection and reads on until the peer has ended it too.
    pub(super) fn finish(&self, close: Option<CloseCode>) {
        self.send_to_shard(ShardCommand::Leave { reader: self.number, close });
        let deadline = Instant::now() + READ_ON_TIMEOUT;
        let mut unread = [0; 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.socket.set_read_timeout(left).is_err() {
                break;
            }
            match (&*self.socket).read(&mut unread) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        self.send_to_shard(ShardCommand::Gone { reader: self.number });
        // The hub may have ended before: then nobody counts readers any more.
        let _ = self.context.hub.query(Query::Leave(self.number));
    }
}

/// How a connection's messages are read.
pub(super) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
}

/// The code to close with when reading has ended with `error`; `None` if the peer has gone or tungstenite has answered it.
pub(super) fn close_code(error: &Error) -> Option<CloseCode> {
    match error {
        Error::Capacity(_) => Some(CloseCode::TooBig),
        Error::Utf8(_) => Some(CloseCode::Invalid),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(CloseCode::Protocol),
        _ => None,
    }
}

/// How many more messages a client may send that are malformed or no posts.
pub(super) struct MessageLimits {
    /// Messages that were malformed, too fast or without proof, since the last good one.
    refused: u32,
    /// Whether the present message is a post that is too fast, which the hub refuses unless its nonce is known.
    is_too_fast: bool,
    second: Instant,
    frames: u32,
}

impl Default for MessageLimits {
    fn default() -> MessageLimits {
        MessageLimits { refused: 0, is_too_fast: false, second: Instant::now(), frames: 0 }
    }
}

impl MessageLimits {
    pub(super) fn allows_frame(&mut self) -> bool {
        if self.second.elapsed() >= Duration::from_secs(1) {
            (self.second, self.frames) = (Instant::now(), 0);
        }
        self.frames += 1;
        self.frames <= FRAMES_A_SECOND_MAX
    }

    pub(super) fn count(&mut self, rejection: Option<&Rejection>) {
        match rejection {
            None if std::mem::take(&mut self.is_too_fast) => self.refused += 1,
            Some(
                Rejection::Malformed(_) | Rejection::TooFast { .. } | Rejection::ProofMissing(_),
            ) => self.refused += 1,
            // A person may do that again and again; it is no reason to go, and none to forget what was refused before.
            Some(_) => {}
            None => self.refused = 0,
        }
    }

    pub(super) fn allow_more(&self) -> bool {
        self.refused < REFUSED_IN_A_ROW_MAX
    }
}
