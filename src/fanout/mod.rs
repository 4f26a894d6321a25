//! The sockets' write side: a shard owns that of its share of the readers and sends the same encoded frames to each.
//!
//! Never waits for a reader: sends don't block, and who does not keep up gets a backlog, then a close frame. Does not know what
//! is in a frame, nor what a topic is about.

mod command;
pub mod frame;
pub mod outbox;
pub mod subscribers;

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicUsize},
    time::{Duration, Instant},
};

pub use command::{Delivery, ReaderId, ShardCommand, Tier, Topic};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::{
    fanout::frame::{CloseCode, Frames, PING},
    fanout::outbox::{Flow, Outbox, Sink},
    util::threads,
};

/// Server pings keep proxies from closing a quiet connection; they and their pongs are what "nothing heard" is measured by.
pub const PING_INTERVAL: Duration = Duration::from_secs(25);
/// How long a reader that is being closed may take to read what is left and to answer.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Likewise, where sayso stops: it must have ended within 5 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// When a socket that was full is tried again: a reader on a slow line waits this much longer, at 200 wake-ups a second.
const RETRY_INTERVAL: Duration = Duration::from_millis(5);
/// Orders that may wait for a shard. Enough for a turn's joins and posts; the hub waits when it is full, so memory is bounded.
pub const SHARD_INBOX_COMMANDS_MAX: usize = 4_096;
/// Orders taken before anything is sent, so that a flood can't delay sending for ever.
const BATCH_COMMANDS_MAX: usize = 1_024;
/// Bytes joined into one send for everybody, well below a socket's send buffer.
const BATCH_BYTES_MAX: usize = 128 * 1024;

/// One fan-out thread's state.
pub struct Shard<S> {
    readers: HashMap<ReaderId, usize>,
    slots: Vec<Option<Reader<S>>>,
    free: Vec<usize>,
    topics: HashMap<Topic, Listeners>,
    /// Topics with something fresh in this turn.
    dirty: Vec<Topic>,
    /// Readers with something of their own in this turn.
    touched: Vec<usize>,
    /// Readers whose socket was full.
    blocked: Vec<usize>,
    closing: Vec<(Instant, ReaderId)>,
    /// Bytes that wait in all shards.
    waiting: Arc<AtomicUsize>,
    scratch: Vec<u8>,
    next_retry: Instant,
}

struct Reader<S> {
    id: ReaderId,
    topic: Topic,
    /// Position in its topic's list.
    listed_at: usize,
    tier: Tier,
    outbox: Outbox<S>,
    /// How many of the topic's fresh parcels are in the backlog already.
    taken: usize,
    is_late: bool,
    is_closing: bool,
}

#[derive(Default)]
struct Listeners {
    slots: Vec<usize>,
    fresh: Vec<(Frames, Frames)>,
    fresh_bytes: usize,
}

impl<S: Sink> Shard<S> {
    /// A shard without readers; `waiting` is shared by all shards.
    pub fn new(waiting: Arc<AtomicUsize>) -> Shard<S> {
        Shard {
            readers: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            topics: HashMap::new(),
            dirty: Vec::new(),
            touched: Vec::new(),
            blocked: Vec::new(),
            closing: Vec::new(),
            waiting,
            scratch: Vec::new(),
            next_retry: Instant::now(),
        }
    }

    /// Carries out orders until nobody is left who could give one.
    pub fn run(mut self, inbox: Receiver<ShardCommand<S>>) {
        let mut next_ping = Instant::now() + PING_INTERVAL;
        loop {
            let wait = if self.blocked.is_empty() && self.closing.is_empty() {
                next_ping.saturating_duration_since(Instant::now())
            } else {
                RETRY_INTERVAL
            };
            match inbox.recv_timeout(wait) {
                Ok(first) => {
                    let orders = threads::drain_after_yield(first, &inbox);
                    self.turn(&mut orders.take(BATCH_COMMANDS_MAX));
                }
                Err(RecvTimeoutError::Timeout) => self.turn(&mut std::iter::empty()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Instant::now();
            if now >= self.next_retry {
                self.next_retry = now + RETRY_INTERVAL;
                self.retry_blocked();
                self.close_overdue(now);
            }
            if now >= next_ping {
                next_ping = now + PING_INTERVAL;
                self.ping_all();
            }
        }
    }

    /// Takes orders in, then sends: one send per reader for everything that has queued up.
    pub fn turn(&mut self, orders: &mut dyn Iterator<Item = ShardCommand<S>>) {
        for order in orders {
            self.take(order);
        }
        self.deliver();
    }

    fn take(&mut self, order: ShardCommand<S>) {
        match order {
            ShardCommand::Join { reader, sink, greeting, topic, tier } => {
                self.join(reader, sink, greeting, topic, tier)
            }
            ShardCommand::Send { reader, frames, sent } => self.send(reader, frames.into(), sent),
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
        let slot = self.free.pop().unwrap_or(self.slots.len());
        let listeners = self.topics.entry(topic).or_default();
        let listed_at = listeners.slots.len();
        listeners.slots.push(slot);
        // What is fresh in this turn was published before the reader joined: its history has it.
        let taken = listeners.fresh.len();
        let mut outbox = Outbox::new(sink, self.waiting.clone());
        outbox.push(greeting.into());
        let reader =
            Reader { id, topic, listed_at, tier, outbox, taken, is_late: false, is_closing: false };
        if slot == self.slots.len() {
            self.slots.push(Some(reader));
        } else {
            self.slots[slot] = Some(reader);
        }
        self.readers.insert(id, slot);
        self.touched.push(slot);
    }

    fn send(&mut self, id: ReaderId, frames: Frames, sent: Option<Sender<()>>) {
        let Some(slot) = self.catch_up(id) else { return };
        let reader = self.slots[slot].as_mut().expect("a known reader has a slot");
        if reader.is_closing {
            return;
        }
        reader.outbox.push(frames);
        reader.outbox.tell_when_sent(sent);
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
            let Some(listeners) = self.topics.get_mut(&delivery.topic) else { continue };
            if listeners.fresh_bytes + delivery.full.len() > BATCH_BYTES_MAX
                && !listeners.fresh.is_empty()
            {
                self.deliver();
            }
            // Its last listener may have gone in this turn.
            let Some(listeners) = self.topics.get_mut(&delivery.topic) else { continue };
            if listeners.fresh.is_empty() {
                self.dirty.push(delivery.topic);
            }
            listeners.fresh_bytes += delivery.full.len();
            listeners.fresh.push((delivery.plain, delivery.full));
        }
    }

    fn leave(&mut self, id: ReaderId, close: Option<CloseCode>, patience: Duration) {
        let Some(slot) = self.catch_up(id) else { return };
        let reader = self.slots[slot].as_mut().expect("a known reader has a slot");
        if reader.is_closing {
            return;
        }
        if let Some(code) = close {
            reader.outbox.push_last(frame::close(code).into());
        }
        reader.is_closing = true;
        self.closing.push((Instant::now() + patience, id));
        self.touched.push(slot);
    }

    fn forget(&mut self, id: ReaderId) {
        let Some(slot) = self.readers.remove(&id) else { return };
        let Some(mut reader) = self.slots[slot].take() else { return };
        // The answer to a close frame may still be here.
        reader.outbox.flush(&mut self.scratch);
        self.free.push(slot);
        let listeners = self.topics.get_mut(&reader.topic).expect("a reader's topic is there");
        listeners.slots.swap_remove(reader.listed_at);
        if let Some(&moved) = listeners.slots.get(reader.listed_at) {
            self.slots[moved].as_mut().expect("a listed reader has a slot").listed_at =
                reader.listed_at;
        }
        if listeners.slots.is_empty() && listeners.fresh.is_empty() {
            self.topics.remove(&reader.topic);
        }
    }

    /// Puts what the reader's topic has fresh into its backlog, so that something of its own can follow in order.
    fn catch_up(&mut self, id: ReaderId) -> Option<usize> {
        let slot = *self.readers.get(&id)?;
        let reader = self.slots[slot].as_mut().expect("a known reader has a slot");
        let fresh = &self.topics[&reader.topic].fresh;
        reader.queue(&fresh[reader.taken..]);
        reader.taken = fresh.len();
        Some(slot)
    }

    fn deliver(&mut self) {
        for topic in std::mem::take(&mut self.dirty) {
            self.deliver_topic(topic);
        }
        for slot in std::mem::take(&mut self.touched) {
            self.flush(slot);
        }
    }

    fn deliver_topic(&mut self, topic: Topic) {
        let listeners = self.topics.get_mut(&topic).expect("a dirty topic is there");
        let fresh = std::mem::take(&mut listeners.fresh);
        listeners.fresh_bytes = 0;
        let plain = joined(fresh.iter().map(|(plain, _)| plain));
        let full = match fresh.iter().all(|(plain, full)| Arc::ptr_eq(plain, full)) {
            true => plain.clone(),
            false => joined(fresh.iter().map(|(_, full)| full)),
        };
        let whole = [(plain, full)];
        let slots = std::mem::take(&mut listeners.slots);
        for &slot in &slots {
            let reader = self.slots[slot].as_mut().expect("a listed reader has a slot");
            let rest = match std::mem::take(&mut reader.taken) {
                0 => &whole[..],
                taken => &fresh[taken..],
            };
            match reader.pass(rest) {
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
            false => self.topics.get_mut(&topic).expect("it was there").slots = slots,
        }
    }

    /// Sends what waits for a reader, unless its socket is known to be full.
    fn flush(&mut self, slot: usize) {
        let Some(reader) = self.slots[slot].as_mut() else { return };
        if !reader.is_late && reader.advance(&mut self.scratch, &mut self.closing) == Flow::Blocked
        {
            reader.is_late = true;
            self.blocked.push(slot);
        }
    }

    fn retry_blocked(&mut self) {
        for slot in std::mem::take(&mut self.blocked) {
            // A slot that was given to another reader meanwhile may be listed twice.
            if let Some(reader) = self.slots[slot].as_mut().filter(|reader| reader.is_late) {
                reader.is_late = false;
                self.flush(slot);
            }
        }
    }

    /// Who has not gone by now is shut out; its reading thread then ends and says [`ShardCommand::Gone`].
    fn close_overdue(&mut self, now: Instant) {
        let (readers, slots) = (&self.readers, &mut self.slots);
        self.closing.retain(|&(deadline, id)| {
            let Some(&slot) = readers.get(&id) else { return false };
            if now >= deadline {
                slots[slot].as_mut().expect("a known reader has a slot").outbox.abort();
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

impl<S: Sink> Reader<S> {
    /// As [`Outbox::try_send`], where there is one thing to pass.
    fn pass(&mut self, fresh: &[(Frames, Frames)]) -> Option<Flow> {
        let [both] = fresh else { return None };
        let flow = if self.is_closing { None } else { self.outbox.try_send(self.tier.of(both)) };
        self.is_late |= flow == Some(Flow::Blocked);
        flow
    }

    fn queue(&mut self, fresh: &[(Frames, Frames)]) {
        for both in fresh.iter().filter(|_| !self.is_closing) {
            self.outbox.push_live(self.tier.of(both));
        }
    }

    fn advance(&mut self, scratch: &mut Vec<u8>, closing: &mut Vec<(Instant, ReaderId)>) -> Flow {
        let gives_up = |reader: &Self| reader.outbox.has_overflown() && !reader.is_closing;
        let mut flow = Flow::Blocked;
        if !gives_up(self) {
            flow = self.outbox.flush(scratch);
        }
        if gives_up(self) {
            self.is_closing = true;
            closing.push((Instant::now() + CLOSE_TIMEOUT, self.id));
            self.outbox.drop_for_close(frame::close(CloseCode::TryAgain).into());
            flow = self.outbox.flush(scratch);
        }
        if flow == Flow::Clear && self.is_closing {
            self.outbox.end();
        }
        flow
    }
}

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
