//! Moderators among the readers: they get every line of every page.
//!
//! Knows nothing of what they may do.

use super::{Follows, Reader, Subscribers};
use crate::fanout::{
    command::{Delivery, ReaderId, ShardCommand, Tier, Topic},
    frame::{self, Frames},
};

/// The topic of moderators; those of pages and counts are higher.
pub(super) const TOPIC: Topic = 0;

impl<S> Subscribers<S> {
    /// Adds a moderator. The caller sends what there is.
    pub fn join_moderator(&mut self, reader: ReaderId, sink: S, greeting: Vec<u8>) {
        self.moderators.insert(reader);
        self.told_moderators = Default::default();
        self.has_news_for_moderators = true;
        let new = Reader { follows: Follows::Everything, author: None, name: None };
        self.readers.insert(reader, new);
        self.send_command(
            self.shard_of(reader),
            ShardCommand::Join { reader, sink, greeting, topic: TOPIC, tier: Tier::Full },
        );
    }

    /// Whether any moderator follows.
    pub fn has_moderators(&self) -> bool {
        !self.moderators.is_empty()
    }

    /// Sends frames to all moderators.
    pub fn publish_to_moderators(&mut self, frames: Vec<u8>) {
        self.has_news_for_moderators = true;
        let full = Frames::from(frames);
        let mut is_meant = vec![false; self.shards.len()];
        for moderator in &self.moderators {
            is_meant[self.shard_of(*moderator)] = true;
        }
        for shard in (0..is_meant.len()).filter(|shard| is_meant[*shard]) {
            let delivery = Delivery { topic: TOPIC, plain: full.clone(), full: full.clone() };
            self.send_command(shard, ShardCommand::Publish(vec![delivery]));
        }
    }

    /// Tells moderators these, unless they are what they were told last. The hub calls this at most once a second.
    pub fn tell_moderators(&mut self, messages: [String; 2]) {
        if !self.moderators.is_empty() {
            let mut frames = Vec::new();
            for (message, _) in
                messages.iter().zip(&self.told_moderators).filter(|(new, told)| new != told)
            {
                frame::text(message.as_bytes(), &mut frames);
            }
            if !frames.is_empty() {
                self.publish_to_moderators(frames);
            }
            self.told_moderators = messages;
        }
        self.has_news_for_moderators = false;
    }
}
