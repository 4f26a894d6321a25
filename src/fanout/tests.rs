//! Tests of shards and outboxes, with sinks in memory.

use std::{
    cell::{Cell, RefCell},
    io,
    net::Shutdown,
    rc::Rc,
};

use super::*;
use crate::fanout::outbox::{OUTBOX_BYTES_MAX, OUTBOXES_BYTES_MAX};

/// The write side of a socket that takes `room` more bytes.
#[derive(Default)]
struct Pipe {
    received: RefCell<Vec<u8>>,
    room: Cell<usize>,
    sends: Cell<usize>,
    shut: Cell<Option<Shutdown>>,
}

#[derive(Clone)]
struct End(Rc<Pipe>);

impl Sink for End {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.sends.set(self.0.sends.get() + 1);
        let count = bytes.len().min(self.0.room.get());
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.room.set(self.0.room.get() - count);
        self.0.received.borrow_mut().extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn shut(&self, how: Shutdown) {
        self.0.shut.set(Some(how));
    }
}

struct TestShard {
    inner: Shard<End>,
    total_bytes: Arc<AtomicUsize>,
}

impl TestShard {
    fn new() -> TestShard {
        let total_bytes = Arc::new(AtomicUsize::new(0));
        TestShard { inner: Shard::new(total_bytes.clone()), total_bytes }
    }

    fn turn(&mut self, commands: Vec<ShardCommand<End>>) {
        self.inner.turn(&mut commands.into_iter());
    }

    /// A reader that has joined topic 1 and has its history.
    fn reader(&mut self, reader: ReaderId, tier: Tier, room: usize) -> Rc<Pipe> {
        let pipe = Rc::new(Pipe { room: Cell::new(room), ..Pipe::default() });
        let sink = End(pipe.clone());
        let join = ShardCommand::Join { reader, sink, greeting: Vec::new(), topic: 1, tier };
        self.turn(vec![join, ShardCommand::Live { reader }]);
        pipe
    }

    fn total_bytes(&self) -> usize {
        self.total_bytes.load(std::sync::atomic::Ordering::Relaxed)
    }
}

fn frame_of(text: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    frame::text(text.as_bytes(), &mut frame);
    frame
}

fn publish(text: &str) -> ShardCommand<End> {
    let full: Frames = frame_of(text).into();
    ShardCommand::Publish(vec![Delivery { topic: 1, plain: full.clone(), full }])
}

fn frames(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| frame_of(text)).collect()
}

#[test]
fn all_frames_of_a_batch_go_out_in_one_send() {
    let mut shard = TestShard::new();
    let pipe = shard.reader(1, Tier::Full, usize::MAX);
    shard.turn(vec![publish("a"), publish("b"), publish("c")]);
    assert_eq!((&*pipe.received.borrow(), pipe.sends.get()), (&frames(&["a", "b", "c"]), 1));
}

#[test]
fn a_readers_own_frames_keep_their_order_among_everyones() {
    let mut shard = TestShard::new();
    let (one, two) =
        (shard.reader(1, Tier::Full, usize::MAX), shard.reader(2, Tier::Full, usize::MAX));
    let own = ShardCommand::Send { reader: 1, frames: frame_of("own"), sent: None };
    shard.turn(vec![publish("a"), own, publish("b")]);
    assert_eq!(*one.received.borrow(), frames(&["a", "own", "b"]));
    assert_eq!(*two.received.borrow(), frames(&["a", "b"]));
}

#[test]
fn live_frames_follow_the_history_and_those_before_the_join_are_not_sent() {
    let mut shard = TestShard::new();
    let pipe = Rc::new(Pipe { room: Cell::new(usize::MAX), ..Pipe::default() });
    let sink = End(pipe.clone());
    let greeting = b"101".to_vec();
    shard.reader(9, Tier::Full, usize::MAX);
    let join = ShardCommand::Join { reader: 1, sink, greeting, topic: 1, tier: Tier::Full };
    shard.turn(vec![publish("before"), join, publish("live 1")]);
    shard.turn(vec![publish("live 2")]);
    assert_eq!(*pipe.received.borrow(), b"101");
    let history = ShardCommand::Send { reader: 1, frames: frame_of("history"), sent: None };
    shard.turn(vec![
        history,
        publish("live 3"),
        ShardCommand::Live { reader: 1 },
        publish("live 4"),
    ]);
    let after = frames(&["history", "live 1", "live 2", "live 3", "live 4"]);
    assert_eq!(pipe.received.borrow()[3..], after);
}

#[test]
fn plain_readers_get_only_plain_frames() {
    let mut shard = TestShard::new();
    let (plain, full) =
        (shard.reader(1, Tier::Plain, usize::MAX), shard.reader(2, Tier::Full, usize::MAX));
    let delivery = |plain: &[u8], full: &str| {
        let (plain, full) = (plain.to_vec().into(), frame_of(full).into());
        ShardCommand::Publish(vec![Delivery { topic: 1, plain, full }])
    };
    shard.turn(vec![delivery(b"", "tombstone"), delivery(&frame_of("line"), "line")]);
    assert_eq!(*plain.received.borrow(), frames(&["line"]));
    assert_eq!(*full.received.borrow(), frames(&["tombstone", "line"]));
}

#[test]
fn a_slow_reader_gets_everything_later_and_delays_nobody() {
    let mut shard = TestShard::new();
    let (slow, quick) = (shard.reader(1, Tier::Full, 5), shard.reader(2, Tier::Full, usize::MAX));
    shard.turn(vec![publish("first"), publish("second")]);
    let sends = slow.sends.get();
    shard.turn(vec![publish("third")]);
    assert_eq!(slow.sends.get(), sends, "a full socket is not tried again");
    assert!(shard.total_bytes() > 0);
    slow.room.set(usize::MAX);
    shard.inner.retry_blocked();
    for pipe in [slow, quick] {
        assert_eq!(*pipe.received.borrow(), frames(&["first", "second", "third"]));
    }
    assert_eq!(shard.total_bytes(), 0);
}

#[test]
fn an_overflowing_reader_gets_the_rest_of_its_partial_frame_and_1013() {
    let mut shard = TestShard::new();
    let text = "x".repeat(60_000);
    let pipe = shard.reader(1, Tier::Full, 100);
    for _ in 0..10 {
        shard.turn(vec![publish(&text)]);
        assert!(
            shard.total_bytes() <= OUTBOX_BYTES_MAX,
            "{} bytes are unsent",
            shard.total_bytes()
        );
    }
    pipe.room.set(usize::MAX);
    shard.inner.retry_blocked();
    let expected = [frame_of(&text), frame::close(CloseCode::TryAgain)].concat();
    assert!(*pipe.received.borrow() == expected, "{} bytes", pipe.received.borrow().len());
    assert_eq!((pipe.shut.get(), shard.total_bytes()), (Some(Shutdown::Write), 0));
    shard.turn(vec![publish("too late")]);
    assert_eq!(pipe.received.borrow().len(), expected.len());
    shard.inner.close_overdue(Instant::now() + CLOSE_TIMEOUT);
    assert_eq!(pipe.shut.get(), Some(Shutdown::Both));
}

#[test]
fn all_outboxes_together_are_bounded_too() {
    let mut shard = TestShard::new();
    let text = "x".repeat(60_000);
    let pipes: Vec<_> = (0..400).map(|reader| shard.reader(reader, Tier::Full, 100)).collect();
    for _ in 0..3 {
        shard.turn(vec![publish(&text)]);
    }
    assert!(shard.total_bytes() <= OUTBOXES_BYTES_MAX, "{} bytes are unsent", shard.total_bytes());
    shard.inner.retry_blocked();
    assert!(shard.total_bytes() <= OUTBOXES_BYTES_MAX, "{} bytes are unsent", shard.total_bytes());
    let closed = shard.inner.closing.len();
    assert!(closed > 0 && closed < 400, "{closed} were closed");
    pipes.iter().for_each(|pipe| pipe.room.set(usize::MAX));
    shard.inner.retry_blocked();
    assert_eq!(shard.total_bytes(), 0);
}

#[test]
fn a_reader_whose_history_was_dropped_gets_no_later_frame() {
    let mut shard = TestShard::new();
    let pipe = Rc::new(Pipe { room: Cell::new(usize::MAX), ..Pipe::default() });
    let (sink, greeting) = (End(pipe.clone()), Vec::new());
    shard.turn(vec![ShardCommand::Join { reader: 1, sink, greeting, topic: 1, tier: Tier::Full }]);
    shard.total_bytes.store(OUTBOXES_BYTES_MAX, std::sync::atomic::Ordering::Relaxed);
    let history = ShardCommand::Send { reader: 1, frames: frame_of("history"), sent: None };
    shard.turn(vec![history, ShardCommand::Live { reader: 1 }, publish("live")]);
    assert_eq!(*pipe.received.borrow(), frame::close(CloseCode::TryAgain));
    assert_eq!(pipe.shut.get(), Some(Shutdown::Write));
}

#[test]
fn a_leaving_reader_gets_what_is_left_and_a_gone_one_is_forgotten() {
    let mut shard = TestShard::new();
    let pipe = shard.reader(1, Tier::Full, usize::MAX);
    let other = shard.reader(2, Tier::Full, usize::MAX);
    shard.turn(vec![
        publish("last"),
        ShardCommand::Leave { reader: 1, close: Some(CloseCode::Policy) },
        publish("not any more"),
    ]);
    assert_eq!(
        *pipe.received.borrow(),
        [frame_of("last"), frame::close(CloseCode::Policy)].concat()
    );
    assert_eq!(pipe.shut.get(), Some(Shutdown::Write));
    shard.turn(vec![ShardCommand::Gone { reader: 1 }, publish("more")]);
    assert_eq!(*other.received.borrow(), frames(&["last", "not any more", "more"]));
    shard.turn(vec![
        ShardCommand::Gone { reader: 2 },
        ShardCommand::Gone { reader: 2 },
        publish("nobody"),
    ]);
    assert_eq!(Rc::strong_count(&pipe) + Rc::strong_count(&other), 2, "the sinks are dropped");
    assert!(shard.inner.topics.is_empty() && shard.inner.readers.is_empty());
}

#[test]
fn a_sender_is_notified_once_the_socket_has_taken_its_frames() {
    let mut shard = TestShard::new();
    let pipe = shard.reader(1, Tier::Full, 3);
    let (sender, sent) = crossbeam_channel::bounded(1);
    shard.turn(vec![ShardCommand::Send {
        reader: 1,
        frames: frame_of("piece"),
        sent: Some(sender),
    }]);
    assert!(sent.try_recv().is_err());
    pipe.room.set(usize::MAX);
    shard.inner.retry_blocked();
    assert!(sent.try_recv().is_ok());
    let (sender, sent) = crossbeam_channel::bounded(1);
    let gone = ShardCommand::Send { reader: 77, frames: frame_of("piece"), sent: Some(sender) };
    shard.turn(vec![gone]);
    assert!(sent.recv().is_err(), "the channel of an unknown reader is dropped");
}

#[test]
fn readers_of_a_topic_that_becomes_part_of_another_one_get_what_came_before_and_all_that_comes_then()
 {
    let mut shard = TestShard::new();
    let join = |shard: &mut TestShard, reader, topic| {
        let pipe = Rc::new(Pipe { room: Cell::new(10_000), ..Pipe::default() });
        let (sink, tier) = (End(pipe.clone()), Tier::Full);
        let join = ShardCommand::Join { reader, sink, greeting: Vec::new(), topic, tier };
        shard.turn(vec![join, ShardCommand::Live { reader }]);
        pipe
    };
    let others = [2, 3].map(|reader| join(&mut shard, reader, 2));
    let own = join(&mut shard, 1, 1);
    let of_other = |text| {
        let full: Frames = frame_of(text).into();
        ShardCommand::Publish(vec![Delivery { topic: 2, plain: full.clone(), full }])
    };
    let merge = ShardCommand::Merge { from: 2, to: 1 };
    shard.turn(vec![publish("a"), of_other("b"), merge, publish("c"), of_other("nobody's")]);
    assert_eq!(*own.received.borrow(), frames(&["a", "c"]));
    for other in &others {
        assert_eq!(*other.received.borrow(), frames(&["b", "c"]));
    }
    // One that nobody follows here, and one whose target nobody follows.
    shard
        .turn(vec![ShardCommand::Merge { from: 7, to: 1 }, ShardCommand::Merge { from: 1, to: 9 }]);
    shard.turn(vec![ShardCommand::Gone { reader: 2 }, publish("nobody's")]);
    let full: Frames = frame_of("d").into();
    shard.turn(vec![ShardCommand::Publish(vec![Delivery { topic: 9, plain: full.clone(), full }])]);
    assert_eq!(*own.received.borrow(), frames(&["a", "c", "d"]));
    assert_eq!(*others[1].received.borrow(), frames(&["b", "c", "d"]));
    assert_eq!(*others[0].received.borrow(), frames(&["b", "c"]));
}

#[test]
fn the_last_reader_of_a_topic_may_leave_between_two_long_publishes() {
    let mut shard = TestShard::new();
    shard.reader(1, Tier::Full, usize::MAX);
    let text = "x".repeat(90_000);
    shard.turn(vec![
        publish(&text),
        ShardCommand::Gone { reader: 1 },
        publish(&text),
        publish(&text),
    ]);
    assert!(shard.inner.topics.is_empty());
}

#[test]
fn a_close_frame_reaches_a_reader_whose_outbox_is_nearly_full() {
    let mut shard = TestShard::new();
    let pipe = shard.reader(1, Tier::Full, 100);
    let text = "x".repeat(OUTBOX_BYTES_MAX / 2 - 60);
    shard.turn(vec![publish(&text)]);
    shard.turn(vec![publish(&text)]);
    shard.turn(vec![ShardCommand::Leave { reader: 1, close: Some(CloseCode::Away) }]);
    pipe.room.set(usize::MAX);
    shard.inner.retry_blocked();
    assert!(pipe.received.borrow().ends_with(&frame::close(CloseCode::Away)));
    assert_eq!(pipe.shut.get(), Some(Shutdown::Write));
}
