//! What a shard is told: which readers there are, which topic each follows, and which frames to send.
//!
//! Does not know what is in a frame, nor what a topic is about.

use crossbeam_channel::Sender;

use crate::fanout::frame::{CloseCode, Frames};

/// A reader: the number of its connection.
pub type ReaderId = u64;
/// What a reader follows; [`Subscribers`](super::subscribers::Subscribers) assigns the numbers.
pub type Topic = u64;

/// Which frames a reader gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Only lines with content.
    Plain,
    /// All messages of subprotocol `sayso.1`.
    Full,
}

impl Tier {
    /// Picks this tier's frames from a pair of plain and full ones.
    pub(super) fn of(self, (plain, full): &(Frames, Frames)) -> &Frames {
        if self == Tier::Plain { plain } else { full }
    }
}

/// Frames for everyone who follows a topic. If one of the two is empty, readers of its tier get nothing.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The topic.
    pub topic: Topic,
    /// Frames for readers of [`Tier::Plain`].
    pub plain: Frames,
    /// Frames for readers of [`Tier::Full`].
    pub full: Frames,
}

/// A command to a shard. Commands from one sender are carried out in the order in which they were sent.
pub enum ShardCommand<S> {
    /// Adds a reader. Its live frames are held back until [`ShardCommand::Live`].
    Join {
        /// The new reader.
        reader: ReaderId,
        /// The write side of its socket.
        sink: S,
        /// Bytes that are sent before any frame.
        greeting: Vec<u8>,
        /// The topic that it follows.
        topic: Topic,
        /// Which frames it gets.
        tier: Tier,
    },
    /// Makes all readers of a topic follow another one.
    Merge {
        /// The topic that is no more.
        from: Topic,
        /// The other one.
        to: Topic,
    },
    /// Sends frames to one reader.
    Send {
        /// The reader.
        reader: ReaderId,
        /// Whole frames.
        frames: Vec<u8>,
        /// Notified once the socket has taken everything in the reader's outbox; dropped if it never will. Needs capacity for one.
        sent: Option<Sender<()>>,
    },
    /// Ends a reader's history: the live frames that were held back follow.
    Live {
        /// The reader.
        reader: ReaderId,
    },
    /// Sends frames to everyone who follows their topics.
    Publish(Vec<Delivery>),
    /// Sends what is left in a reader's outbox, then a close frame, and shuts the write side of its socket.
    Leave {
        /// The reader.
        reader: ReaderId,
        /// The close frame, or `None` if one was sent already.
        close: Option<CloseCode>,
    },
    /// Forgets a reader: nobody reads from its socket any more.
    Gone {
        /// The reader.
        reader: ReaderId,
    },
    /// Closes all readers with 1001, because sayso stops.
    Goodbye,
}
