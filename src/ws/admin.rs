//! `/ws/admin/`: a moderator's WebSocket. It shows its token first, and then gets every line of every page.
//!
//! Until it has, neither hub nor shard knows of it. What a moderator does goes over HTTP; here they only listen.

use std::{
    io::Write,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;
use tungstenite::{Message, WebSocket, protocol::Role};

use super::{
    Context, SILENCE_MAX, Session, handshake,
    reader::{MessageLimits, close_code, config},
    stream::SplitStream,
};
use crate::{
    comment::draft::ClientMessage,
    comment::rejection::Rejection,
    fanout::{
        ReaderId, ShardCommand, Tier,
        frame::{self, CloseCode},
    },
    http::{
        error_code::ErrorCode,
        origin::Origins,
        request::{HttpError, RequestHead},
    },
    hub::command::{Joined, Subscription},
    hub::moderators::Moderators,
    net::socket::set_ack_timeout,
    util::{
        activity, logger,
        stream::Stream,
        threads::{self, READER_STACK_BYTES},
    },
};

/// The time from the handshake to the token's last byte.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(10);

/// `{"hello":{…}}`, the answer to a token. The order of the fields is part of the protocol.
#[derive(Serialize)]
struct Hello<'a> {
    hello: HelloFields<'a>,
}

#[derive(Serialize)]
struct HelloFields<'a> {
    log: &'a str,
    mark: &'a str,
    seq: u64,
    name: &'a str,
    pending: u64,
    flagged: u64,
    hold: &'a str,
    public: u64,
    hidden: u64,
    deleted: u64,
    banned: u64,
    readers: u32,
}

/// Whether a handshake is for this socket. Its path is one of the two that there are.
pub(super) fn is_admin(head: &RequestHead) -> bool {
    head.path().trim_end_matches('/').ends_with("/ws/admin")
}

/// Answers the handshake and starts the thread that waits for the token.
///
/// # Errors
/// The HTTP error that the client is answered with instead. The socket is untouched then.
pub(super) fn upgrade(
    context: &Arc<Context>,
    number: ReaderId,
    socket: Arc<Stream>,
    head: &RequestHead,
    buffered: Vec<u8>,
    client: Option<IpAddr>,
    permit: Box<dyn Send>,
) -> Result<(), HttpError> {
    let Some(moderators) = context.moderators.clone() else {
        return Err(HttpError::new(404, "there is nothing at /ws/admin"));
    };
    let accept = handshake::accept_key(head)?;
    let host = head.get("host").unwrap_or_default();
    let own = Origins::default();
    if own.check(head.get("origin"), head.get("sec-fetch-site"), host).is_err() {
        let message = "moderators' addresses answer pages of their own site only";
        return Err(HttpError::of(ErrorCode::OriginNotAllowed, message));
    }
    if !handshake::offers(head, handshake::ADMIN_SUBPROTOCOL) {
        return Err(HttpError::new(400, "this address needs the subprotocol sayso.admin.1"));
    }
    let session = Session::new(context, number, socket, None, client);
    let response = handshake::response(&accept, Some(handshake::ADMIN_SUBPROTOCOL));
    session.open_admin(&response, moderators, buffered, permit);
    Ok(())
}

impl Session {
    fn open_admin(
        self,
        response: &str,
        moderators: Arc<Moderators>,
        buffered: Vec<u8>,
        permit: Box<dyn Send>,
    ) {
        let options = set_ack_timeout(&self.socket, SILENCE_MAX)
            .and_then(|()| self.socket.set_read_timeout(SILENCE_MAX))
            .and_then(|()| (&*self.socket).write_all(response.as_bytes()));
        // A socket that can't be given options or bytes belongs to a peer that has gone, which is no error.
        if options.is_err() {
            return;
        }
        let started = threads::start_connection(self.number, READER_STACK_BYTES, move || {
            if !threads::catch_panic(Box::new(|| self.listen(&moderators, buffered))) {
                self.finish(None);
            }
            moderators.unwatch(self.number);
            drop(permit);
        });
        if let Err(error) = started
            && logger::allow_client_warning()
        {
            log::warn!("a moderator was sent away, because no thread could be started: {error}");
        }
    }

    /// Waits for the token, and then passes over whatever else comes.
    fn listen(&self, moderators: &Arc<Moderators>, buffered: Vec<u8>) {
        let mut stream = SplitStream::new(&self.socket, &self.shard, self.number, &buffered);
        stream.set_deadline(Some(Instant::now() + TOKEN_TIMEOUT));
        let mut socket =
            WebSocket::from_partially_read(stream, buffered, Role::Server, Some(config()));
        let mut limits = MessageLimits::default();
        let mut is_joined = false;
        let close = loop {
            match socket.read() {
                Ok(Message::Text(text)) if !is_joined => match self.let_in(moderators, &text) {
                    Ok(()) => {
                        is_joined = true;
                        socket.get_mut().set_deadline(None);
                    }
                    Err(rejection) => {
                        activity::refused(rejection.code(), self.client);
                        return self.refuse(Some(&rejection));
                    }
                },
                Ok(Message::Text(text)) => {
                    let refused = ClientMessage::parse(text.as_bytes()).err();
                    limits.count(refused.as_ref());
                    if let Some(refused) = refused {
                        self.send_to(&refused.to_json(None));
                    }
                    if !limits.allow_more() {
                        break Some(CloseCode::Policy);
                    }
                }
                // The shard knows nobody before the token, so it could not say why.
                Ok(Message::Binary(_)) if !is_joined => return self.refuse(None),
                Ok(Message::Binary(_)) => break Some(CloseCode::Unsupported),
                Ok(Message::Ping(_) | Message::Pong(_)) if !limits.allows_frame() => {
                    if !is_joined {
                        return self.refuse(None);
                    }
                    break Some(CloseCode::Policy);
                }
                Ok(_) => {}
                Err(_) if !is_joined => return self.refuse(None),
                Err(_) if socket.get_ref().is_late() => break Some(CloseCode::Late),
                Err(error) => break close_code(&error),
            }
        };
        drop(socket);
        self.finish(close);
    }

    /// Lets in the moderator whose token the message has.
    fn let_in(&self, moderators: &Arc<Moderators>, message: &str) -> Result<(), Rejection> {
        let mut message = ClientMessage::parse(message.as_bytes())?;
        let token = message.token.take().ok_or(Rejection::NotModerator)?;
        let name = moderators.check(&token, self.from).map_err(|why| why.refuse(self.client))?;
        let joined = self.join(Vec::new(), Tier::Full, Subscription::Moderation)?;
        let (reader, shard) = (self.number, self.shard.clone());
        let send_away = move || {
            let close = Some(CloseCode::Token);
            let _ = shard.send(ShardCommand::Leave { reader, close });
        };
        self.send_to(&hello(&joined, &name));
        self.send_to_shard(ShardCommand::Live { reader });
        moderators.watch(self.number, &token, Box::new(send_away));
        Ok(())
    }

    /// Ends a connection that nobody else knows of.
    fn refuse(&self, rejection: Option<&Rejection>) {
        let mut frames = Vec::new();
        if let Some(rejection) = rejection {
            frame::text(rejection.to_json(None).as_bytes(), &mut frames);
        }
        frames.append(&mut frame::close(CloseCode::Token));
        // It may have gone.
        let _ = (&*self.socket).write_all(&frames);
        self.finish(None);
    }
}

fn hello(joined: &Joined, name: &str) -> String {
    let (history, totals) = (&joined.history, &joined.totals);
    let hello = HelloFields {
        log: &history.log,
        mark: &history.mark,
        seq: history.seq,
        name,
        pending: totals.pending,
        flagged: totals.flagged,
        hold: joined.hold.name(),
        public: totals.public,
        hidden: totals.hidden,
        deleted: totals.deleted,
        banned: totals.banned,
        readers: joined.readers,
    };
    serde_json::to_string(&Hello { hello }).expect("names and numbers can be encoded")
}
