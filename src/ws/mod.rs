//! One WebSocket connection's read side: the handshake (RFC 6455 §4.2), the welcome, and then a thread that reads.
//!
//! tungstenite reads frames. What it wants to write goes to the shard, which alone writes to the socket and ends it. Knows no files.
#![doc = include_str!("README.md")]

mod admin;
mod handshake;
mod reader;
mod stream;
mod welcome;

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use crossbeam_channel::Sender;

use crate::{
    comment::rejection::Rejection,
    fanout::{ReaderId, ShardCommand, Tier, frame::CloseCode},
    http::{
        forwarded::ClientKey,
        origin::{self, Origins},
        request::{HttpError, RequestHead},
    },
    hub::command::{HubHandle, Join, Joined, Query, Subscription},
    hub::moderators::Moderators,
    hub::sign_on::SignOn,
    net::socket::set_ack_timeout,
    util::{
        logger,
        slot::slot,
        stream::Stream,
        threads::{self, READER_STACK_BYTES},
    },
};

/// A connection ends when nothing was heard for so long, which is three pings without an answer. It is the socket's own read
/// timeout, so that no connection needs a timer.
const SILENCE_MAX: Duration = Duration::from_secs(75);

/// What all WebSocket connections share.
pub struct Context {
    /// Where commands go.
    pub hub: HubHandle<Arc<Stream>>,
    /// Reader n belongs to shard n modulo their number.
    pub shards: Vec<Sender<ShardCommand<Arc<Stream>>>>,
    /// The sites whose pages may connect.
    pub origins: Origins,
    /// The moderators, if there may be any.
    pub moderators: Option<Arc<Moderators>>,
    /// Who checks users of host pages, if host pages may have any.
    pub sign_on: Option<Arc<SignOn>>,
    /// Bits of the proof of work that a comment needs.
    pub challenge: Option<u8>,
}

/// Takes over a connection whose head asks for a WebSocket: answers the handshake, sends the welcome, and starts the thread that
/// reads. `buffered` is what the client has sent behind the head; `permit` is dropped when the connection has ended.
///
/// # Errors
/// The HTTP error that the client is answered with instead. The socket is untouched then.
pub fn upgrade(
    context: &Arc<Context>,
    number: ReaderId,
    socket: Arc<Stream>,
    head: &RequestHead,
    buffered: Vec<u8>,
    client: Option<IpAddr>,
    permit: Box<dyn Send>,
) -> Result<(), HttpError> {
    if admin::is_admin(head) {
        return admin::upgrade(context, number, socket, head, buffered, client, permit);
    }
    let accept = handshake::accept_key(head)?;
    let host = head.get("host").unwrap_or_default();
    let origin = head.get("origin");
    if let Err(why) = context.origins.check(origin, head.get("sec-fetch-site"), host) {
        let error = origin::refused(origin, why);
        if logger::allow_client_warning() {
            log::warn!("a WebSocket was refused: {}", error.message);
        }
        return Err(error);
    }
    let tier = handshake::tier(head);
    let subscription = handshake::subscription(head.query(), tier)?;
    let page = match &subscription {
        Subscription::Page(page, _) => Some(page.as_str().into()),
        Subscription::Counts(_) | Subscription::Moderation => None,
    };
    let mut session = Session::new(context, number, socket, page, client);
    session.origin = origin.filter(|_| context.sign_on.is_some()).map(Box::from);
    session.open(
        handshake::response(&accept, handshake::subprotocol(tier)),
        subscription,
        tier,
        buffered,
        permit,
    );
    Ok(())
}

/// A connection, as its reading thread has it.
struct Session {
    context: Arc<Context>,
    shard: Sender<ShardCommand<Arc<Stream>>>,
    number: ReaderId,
    socket: Arc<Stream>,
    /// `None`: only counts are followed.
    page: Option<Box<str>>,
    from: ClientKey,
    /// For the log.
    client: Option<IpAddr>,
    /// What the handshake says of the page that has opened it, kept for users that host pages sign.
    origin: Option<Box<str>>,
}

impl Session {
    fn new(
        context: &Arc<Context>,
        number: ReaderId,
        socket: Arc<Stream>,
        page: Option<Box<str>>,
        client: Option<IpAddr>,
    ) -> Session {
        let shard = context.shards[(number % context.shards.len() as u64) as usize].clone();
        let from = ClientKey::of_client(client);
        let (context, origin) = (context.clone(), None);
        Session { context, shard, number, socket, page, from, client, origin }
    }

    /// Joins, sends the welcome, and starts the thread that reads. All that touches more than a little stack happens here, in a
    /// thread that ends soon. The handshake's response travels with the join, so that whoever has read it misses nothing from then
    /// on.
    fn open(
        self,
        response: String,
        subscription: Subscription,
        tier: Tier,
        buffered: Vec<u8>,
        permit: Box<dyn Send>,
    ) {
        let options = set_ack_timeout(&self.socket, SILENCE_MAX)
            .and_then(|()| self.socket.set_read_timeout(SILENCE_MAX));
        // A socket that can't be given options belongs to a peer that has gone, which is no error.
        if options.is_err() {
            return;
        }
        let Ok(joined) = self.join(response.into_bytes(), tier, subscription) else { return };
        let close = match self.send_welcome(&joined, tier) {
            Ok(()) => None,
            Err(error) => {
                // A peer that goes or does not read is no error, and many of them would fill the log.
                if error.kind() != io::ErrorKind::TimedOut {
                    log::warn!("a reader's history was not sent: {error}");
                }
                Some(CloseCode::TryAgain)
            }
        };
        drop(joined);
        let session = Arc::new(self);
        let reading = session.clone();
        let started = threads::start_connection(session.number, READER_STACK_BYTES, move || {
            match close {
                // A panic in a connection ends that connection, in order: the hub must not keep its reader.
                None => {
                    if !threads::catch_panic(Box::new(|| reading.read_all(buffered))) {
                        reading.finish(None);
                    }
                }
                Some(code) => reading.finish(Some(code)),
            }
            drop(permit);
        });
        if let Err(error) = started {
            if logger::allow_client_warning() {
                log::warn!("a reader was sent away, because no thread could be started: {error}");
            }
            session.finish(Some(CloseCode::TryAgain));
        }
    }

    /// Joins, and returns what comes first.
    fn join(
        &self,
        greeting: Vec<u8>,
        tier: Tier,
        subscription: Subscription,
    ) -> Result<Joined, Rejection> {
        let (joined, slot) = slot();
        let (reader, sink) = (self.number, self.socket.clone());
        let join = Join { reader, sink, greeting, tier, subscription, joined };
        self.context.hub.query(Query::Join(join))?;
        slot.wait().ok_or(Rejection::Stopping)
    }

    fn send_to_shard(&self, command: ShardCommand<Arc<Stream>>) {
        // Shards end last; if one is gone, the process is ending.
        let _ = self.shard.send(command);
    }
}
