//! What a shard is told, and by which numbers: readers, topics, frames for everyone or for one.

use crossbeam_channel::Sender;

use crate::fanout::frame::{CloseCode, Frames};

/// Whom a frame is for: the number of a connection.
pub type ReaderId = u64;
/// What a reader listens to; the hub gives the numbers.
pub type Topic = u64;

/// Which frames a reader gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Lines with content only.
    Plain,
    /// Everything of subprotocol `sayso.1`.
    Full,
}

impl Tier {
    /// Of the frames for plain readers and those for all others, the ones for this tier.
    pub(super) fn of(self, (plain, full): &(Frames, Frames)) -> &Frames {
        if self == Tier::Plain { plain } else { full }
    }
}

/// Frames for everyone who listens to a topic; an empty side is for nobody.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// To whom.
    pub topic: Topic,
    /// For [`Tier::Plain`].
    pub plain: Frames,
    /// For [`Tier::Full`].
    pub full: Frames,
}

/// What a shard is told. From one sender, orders are carried out in their order.
pub enum ShardCommand<S> {
    /// A new reader; live frames wait until [`ShardCommand::Live`].
    Join {
        /// Its number.
        reader: ReaderId,
        /// Its socket.
        sink: S,
        /// The first bytes it is sent, before any frame.
        greeting: Vec<u8>,
        /// What it listens to.
        topic: Topic,
        /// Which frames it gets.
        tier: Tier,
    },
    /// Frames for one reader; `sent` hears when the socket has taken everything that the reader was owed.
    Send {
        /// To whom.
        reader: ReaderId,
        /// Whole frames.
        frames: Vec<u8>,
        /// A channel with room for one.
        sent: Option<Sender<()>>,
    },
    /// The reader has its history: live frames follow.
    Live {
        /// Who.
        reader: ReaderId,
    },
    /// Frames for everyone.
    Publish(Vec<Delivery>),
    /// Send what is left, this close frame if one is given, and shut the write side.
    Leave {
        /// Who.
        reader: ReaderId,
        /// `None`: the close frame has been sent already.
        close: Option<CloseCode>,
    },
    /// Nobody reads from the reader's socket any more: forget it.
    Gone {
        /// Who.
        reader: ReaderId,
    },
    /// sayso stops: 1001 for everyone.
    Goodbye,
}
