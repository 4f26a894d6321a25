//! What a reader is sent first: `hello`, if its tier gets one, and the history it asked for.

use std::{io, mem, time::Duration};

use crossbeam_channel::bounded;

use super::{Context, Session};
use crate::{
    comment::server_message::{Counts, Hello, ServerMessage},
    fanout::{ShardCommand, Tier, frame},
    hub::command::Joined,
    store::visibility::Visibility,
};

/// How long the socket may take for one piece of the history.
const HISTORY_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a piece of history: well inside a socket's send buffer and a reader's outbox.
const HISTORY_PIECE_BYTES: usize = 64 * 1024;

impl Session {
    pub(super) fn send_welcome(&self, joined: &Joined, tier: Tier) -> io::Result<()> {
        let mut frames = Vec::new();
        if tier == Tier::Full && self.page.is_some() {
            let Context { challenge, moderators, .. } = &*self.context;
            let names = moderators.as_ref().map_or(Vec::new(), |moderators| moderators.names());
            frame::text(hello(joined, *challenge, &names).as_bytes(), &mut frames);
        }
        let mut result = Ok(());
        joined.history.read(|item, line| {
            if tier == Tier::Full || item.visibility == Visibility::Public {
                frame::text(line, &mut frames);
            }
            if frames.len() >= HISTORY_PIECE_BYTES && result.is_ok() {
                result = self.send_and_wait(mem::take(&mut frames));
            }
        })?;
        result?;
        if !frames.is_empty() {
            self.send_to_shard(ShardCommand::Send { reader: self.number, frames, sent: None });
        }
        self.send_to_shard(ShardCommand::Live { reader: self.number });
        Ok(())
    }

    /// Waits until the socket has taken these frames, so that a history of any length waits in the log and not in memory.
    fn send_and_wait(&self, frames: Vec<u8>) -> io::Result<()> {
        let (sender, sent) = bounded(1);
        self.send_to_shard(ShardCommand::Send { reader: self.number, frames, sent: Some(sender) });
        sent.recv_timeout(HISTORY_TIMEOUT).map_err(|_| io::ErrorKind::TimedOut.into())
    }
}

fn hello(joined: &Joined, challenge: Option<u8>, moderators: &[String]) -> String {
    let history = &joined.history;
    let hello = Hello {
        log: &history.log,
        mark: &history.mark,
        seq: history.seq,
        readers: joined.readers,
        resumed: joined.resumed,
        challenge,
        likes: Counts(&history.likes),
        locked: history.locked,
        pinned: &history.pinned,
        moderators,
    };
    ServerMessage::Hello { hello }.to_json()
}
