//! Writes to WebSockets: each shard is a thread that owns the write side of its share of the sockets and sends the same encoded
//! frames to all readers of a topic.
//!
//! A shard never waits for a reader. A slow reader gets a bounded outbox; when it overflows, the reader is closed with 1013. Does
//! not know what is in a frame, nor what a topic is about.

mod command;
pub mod counters;
pub mod frame;
pub mod outbox;
mod reader;
pub mod subscribers;

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicUsize},
    time::{Duration, Instant},
};

pub use command::{Delivery, ReaderId, ShardCommand, Tier, Topic};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::{
    fanout::counters::{Counters, Sends},
    fanout::frame::{CloseCode, Frames, PING},
    fanout::outbox::{Flow, Outbox, Sink},
    fanout::reader::Reader,
    util::{table::Table, threads},
};

/// How often every reader is pinged. This keeps proxies from closing a quiet connection, and the pong shows that the peer is alive.
pub const PING_INTERVAL: Duration = Duration::from_secs(25);
/// How long a reader that is being closed may take to read what is left and to answer the close frame.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// The same while sayso stops, which must take less than 5 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// How often full sockets are tried again. A reader on a slow connection waits up to this much longer; the shard wakes up 200 times a
/// second meanwhile.
const SEND_RETRY_INTERVAL: Duration = Duration::from_millis(5);
/// Commands in a shard's inbox: enough for the joins and posts of one of the hub's batches. The hub waits when the inbox is full, so
/// memory is bounded.
pub const SHARD_INBOX_COMMANDS_MAX: usize = 4_096;
/// Commands that are taken in before anything is sent, so that a flood of them can't delay sending for ever.
const TURN_COMMANDS_MAX: usize = 1_024;
/// Bytes of a topic's frames that are joined into one send, well below a socket's send buffer.
const SEND_BYTES_MAX: usize = 128 * 1024;

/// The state of one fan-out thread. Readers are kept in slots, so that a topic can list them by number.
pub struct Shard<S> {
    /// The slot of each reader.
    readers: HashMap<ReaderId, u32>,
    slots: Vec<Option<Reader<S>>>,
    free_slots: Vec<usize>,
    topics: Table<Topic, TopicReaders>,
    /// Topics with pending frames.
    dirty: Vec<Topic>,
    /// Slots of readers with frames of their own to send.
    touched: Vec<usize>,
    /// Slots of readers whose socket was full.
    blocked: Vec<usize>,
    /// Readers that are being closed, and when they are cut off.
    closing: Vec<(Instant, ReaderId)>,
    /// Unsent bytes in the outboxes of all shards.
    total_bytes: Arc<AtomicUsize>,
    sends: Sends,
    counters: Arc<Counters>,
    next_retry: Instant,
}

/// The readers of a topic, and the frames that they are to be sent next.
#[derive(Default)]
struct TopicReaders {
    slots: Vec<usize>,
    /// Frames for plain readers and for full ones.
    pending: Vec<(Frames, Frames)>,
    pending_bytes: usize,
}

impl<S: Sink> Shard<S> {
    /// Makes a shard without readers. `total_bytes` is shared by all shards.
    pub fn new(total_bytes: Arc<AtomicUsize>) -> Shard<S> {
        Shard {
            readers: HashMap::new(),
            slots: Vec::new(),
            free_slots: Vec::new(),
            topics: Table::default(),
            dirty: Vec::new(),
            touched: Vec::new(),
            blocked: Vec::new(),
            closing: Vec::new(),
            total_bytes,
            sends: Sends::default(),
            counters: Arc::default(),
            next_retry: Instant::now(),
        }
    }

    /// What the shard counts; [`run`](Self::run) publishes it once a turn.
    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// Carries out commands until all senders of the inbox are dropped.
    pub fn run(mut self, inbox: Receiver<ShardCommand<S>>) {
        let mut next_ping = Instant::now() + PING_INTERVAL;
        loop {
            let wait = if self.blocked.is_empty() && self.closing.is_empty() {
                next_ping.saturating_duration_since(Instant::now())
            } else {
                SEND_RETRY_INTERVAL
            };
            match inbox.recv_timeout(wait) {
                Ok(first) => {
                    let commands = threads::drain_after_yield(first, &inbox);
                    self.turn(&mut commands.take(TURN_COMMANDS_MAX));
                }
                Err(RecvTimeoutError::Timeout) => self.turn(&mut std::iter::empty()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Instant::now();
            if now >= self.next_retry {
                self.next_retry = now + SEND_RETRY_INTERVAL;
                self.retry_blocked();
                self.close_overdue(now);
            }
            if now >= next_ping {
                next_ping = now + PING_INTERVAL;
                self.ping_all();
            }
            self.counters.publish(&self.sends);
        }
    }

    /// Carries out a batch of commands, then sends: one send per reader for all frames of the batch.
    pub fn turn(&mut self, commands: &mut dyn Iterator<Item = ShardCommand<S>>) {
        for command in commands {
            self.execute(command);
        }
        self.deliver();
    }

    fn execute(&mut self, command: ShardCommand<S>) {
        match command {
            ShardCommand::Join { reader, sink, greeting, topic, tier } => {
                self.join(reader, sink, greeting, topic, tier)
            }
            ShardCommand::Send { reader, frames, sent } => self.send(reader, frames.into(), sent),
            ShardCommand::Merge { from, to } => self.merge(from, to),
            ShardCommand::Live { reader } => self.make_live(reader),
            ShardCommand::Publish(deliveries) => self.publish(deliveries),
            ShardCommand::Leave { reader, close } => self.leave(reader, close, CLOSE_TIMEOUT),
            ShardCommand::Gone { reader } => self.forget(reader),
            ShardCommand::Goodbye => {
                let everyone: Vec<_> = self.readers.keys().copied().collect();
                everyone
                    .into_iter()
                    .for_each(|reader| self.leave(reader, Some(CloseCode::Away), STOP_TIMEOUT));
            }
        }
    }

    fn join(&mut self, id: ReaderId, sink: S, greeting: Vec<u8>, topic: Topic, tier: Tier) {
        let slot = self.free_slots.pop().unwrap_or(self.slots.len());
        let topic_readers = self.topics.get_or_default(topic);
        let topic_index = topic_readers.slots.len();
        topic_readers.slots.push(slot);
        // What is pending now was published before the reader joined, so it is in the reader's history.
        let queued = topic_readers.pending.len();
        let mut outbox = Outbox::new(sink, self.total_bytes.clone());
        outbox.push(greeting.into());
        let reader = Reader {
            id,
            topic,
            topic_index,
            tier,
            outbox,
            queued,
            is_blocked: false,
            is_closing: false,
        };
        if slot == self.slots.len() {
            self.slots.push(Some(reader));
        } else {
            self.slots[slot] = Some(reader);
        }
        self.readers.insert(id, slot as u32);
        self.touched.push(slot);
    }

    fn send(&mut self, id: ReaderId, frames: Frames, sent: Option<Sender<()>>) {
        let Some(slot) = self.catch_up(id) else { return };
        let reader = self.slots[slot].as_mut().expect("a known reader has a slot");
        if reader.is_closing {
            return;
        }
        reader.outbox.push(frames);
        reader.outbox.notify_when_sent(sent);
        self.touched.push(slot);
    }

    fn make_live(&mut self, id: ReaderId) {
        let Some(slot) = self.catch_up(id) else { return };
        let reader = self.slots[slot].as_mut().expect("a known reader has a slot");
        reader.outbox.go_live();
        self.touched.push(slot);
    }

    fn publish(&mut self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            let Some(topic_readers) = self.topics.get_mut(&delivery.topic) else { continue };
            if topic_readers.pending_bytes + delivery.full.len() > SEND_BYTES_MAX
                && !topic_readers.pending.is_empty()
            {
                self.deliver();
            }
            // Delivering may have removed the topic, if its last reader has gone.
            let Some(topic_readers) = self.topics.get_mut(&delivery.topic) else { continue };
            if topic_readers.pending.is_empty() {
                self.dirty.push(delivery.topic);
            }
            topic_readers.pending_bytes += delivery.full.len();
            topic_readers.pending.push((delivery.plain, delivery.full));
        }
    }

    fn merge(&mut self, from: Topic, to: Topic) {
        // What was published before goes to those who followed its topic then.
        self.deliver();
        let Some(moved) = self.topics.remove(&from) else { return };
        let target = self.topics.get_or_default(to);
        for slot in moved.slots {
            let reader = self.slots[slot].as_mut().expect("a listed reader has a slot");
            (reader.topic, reader.topic_index) = (to, target.slots.len());
            target.slots.push(slot);
        }
    }

    fn leave(&mut self, id: ReaderId, close: Option<CloseCode>, timeout: Duration) {
        let Some(slot) = self.catch_up(id) else { return };
        let reader = self.slots[slot].as_mut().expect("a known reader has a slot");
        if reader.is_closing {
            return;
        }
        if let Some(code) = close {
            reader.outbox.push_last(frame::close(code).into());
        }
        reader.is_closing = true;
        self.closing.push((Instant::now() + timeout, id));
        self.touched.push(slot);
    }

    fn forget(&mut self, id: ReaderId) {
        let Some(slot) = self.readers.remove(&id) else { return };
        let slot = slot as usize;
        let Some(mut reader) = self.slots[slot].take() else { return };
        // The answer to the peer's close frame may still be in the outbox.
        reader.outbox.flush(&mut self.sends);
        self.free_slots.push(slot);
        let topic_readers = self.topics.get_mut(&reader.topic).expect("a reader's topic is there");
        topic_readers.slots.swap_remove(reader.topic_index);
        if let Some(&moved) = topic_readers.slots.get(reader.topic_index) {
            self.slots[moved].as_mut().expect("a listed reader has a slot").topic_index =
                reader.topic_index;
        }
        if topic_readers.slots.is_empty() && topic_readers.pending.is_empty() {
            self.topics.remove(&reader.topic);
        }
    }

    /// Queues the topic's pending frames in a reader's outbox, so that frames of its own can follow in order. Returns its slot.
    fn catch_up(&mut self, id: ReaderId) -> Option<usize> {
        let slot = *self.readers.get(&id)? as usize;
        let reader = self.slots[slot].as_mut().expect("a known reader has a slot");
        let pending = &self.topics[&reader.topic].pending;
        reader.queue(&pending[reader.queued..]);
        reader.queued = pending.len();
        Some(slot)
    }

    /// Sends all pending frames, then the readers' own.
    fn deliver(&mut self) {
        for topic in std::mem::take(&mut self.dirty) {
            self.deliver_topic(topic);
        }
        for slot in std::mem::take(&mut self.touched) {
            self.flush(slot);
        }
    }

    fn deliver_topic(&mut self, topic: Topic) {
        let topic_readers = self.topics.get_mut(&topic).expect("a dirty topic is there");
        let pending = std::mem::take(&mut topic_readers.pending);
        topic_readers.pending_bytes = 0;
        let plain = joined(pending.iter().map(|(plain, _)| plain));
        let full = match pending.iter().all(|(plain, full)| Arc::ptr_eq(plain, full)) {
            true => plain.clone(),
            false => joined(pending.iter().map(|(_, full)| full)),
        };
        let plain_count = frame::count(&plain);
        let same = Arc::ptr_eq(&plain, &full);
        let full_count = if same { plain_count } else { frame::count(&full) };
        let joined_frames = [(plain, full)];
        let slots = std::mem::take(&mut topic_readers.slots);
        for &slot in &slots {
            let reader = self.slots[slot].as_mut().expect("a listed reader has a slot");
            let rest = match std::mem::take(&mut reader.queued) {
                0 => &joined_frames[..],
                queued => &pending[queued..],
            };
            self.sends.frames += if reader.tier == Tier::Plain { plain_count } else { full_count };
            match reader.try_send(rest, &mut self.sends) {
                Some(Flow::Clear) => {}
                Some(Flow::Blocked) => self.blocked.push(slot),
                None => {
                    reader.queue(rest);
                    self.flush(slot);
                }
            }
        }
        match slots.is_empty() {
            true => drop(self.topics.remove(&topic)),
            false => self.topics.get_mut(&topic).expect("a dirty topic is there").slots = slots,
        }
    }

    /// Sends what is in a reader's outbox, unless its socket is known to be full.
    fn flush(&mut self, slot: usize) {
        let Some(reader) = self.slots[slot].as_mut() else { return };
        if !reader.is_blocked && reader.advance(&mut self.sends, &mut self.closing) == Flow::Blocked
        {
            reader.is_blocked = true;
            self.blocked.push(slot);
        }
    }

    fn retry_blocked(&mut self) {
        for slot in std::mem::take(&mut self.blocked) {
            // A slot is listed twice if its reader has gone and the next one was blocked too.
            if let Some(reader) = self.slots[slot].as_mut().filter(|reader| reader.is_blocked) {
                reader.is_blocked = false;
                self.flush(slot);
            }
        }
    }

    /// Cuts off the readers whose time to close is over. Their reading threads then end and send [`ShardCommand::Gone`].
    fn close_overdue(&mut self, now: Instant) {
        let (readers, slots) = (&self.readers, &mut self.slots);
        self.closing.retain(|&(deadline, id)| {
            let Some(&slot) = readers.get(&id) else { return false };
            if now >= deadline {
                slots[slot as usize].as_mut().expect("a known reader has a slot").outbox.abort();
            }
            now < deadline
        });
    }

    fn ping_all(&mut self) {
        let ping: Frames = PING.into();
        for slot in 0..self.slots.len() {
            if let Some(reader) = self.slots[slot].as_mut().filter(|reader| !reader.is_closing) {
                reader.outbox.push(ping.clone());
                self.flush(slot);
            }
        }
    }
}

/// Joins frames; a single one is shared, not copied.
fn joined<'a>(mut parts: impl ExactSizeIterator<Item = &'a Frames>) -> Frames {
    if parts.len() == 1 {
        return parts.next().expect("there is one").clone();
    }
    let mut bytes = Vec::new();
    parts.for_each(|part| bytes.extend_from_slice(part));
    bytes.into()
}

#[cfg(test)]
mod tests;
