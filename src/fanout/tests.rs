//! Tests of `fanout.rs` and `outbox.rs`, on sinks in memory.

use std::{
    cell::{Cell, RefCell},
    io,
    net::Shutdown,
    rc::Rc,
};

use super::*;
use crate::fanout::outbox::{OUTBOX_BYTES_MAX, OUTBOXES_BYTES_MAX};

/// A socket's write side that has room for so many bytes.
#[derive(Default)]
struct Pipe {
    taken: RefCell<Vec<u8>>,
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
        self.0.taken.borrow_mut().extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn shut(&self, how: Shutdown) {
        self.0.shut.set(Some(how));
    }
}

struct Hall {
    shard: Shard<End>,
    waiting: Arc<AtomicUsize>,
}

impl Hall {
    fn new() -> Hall {
        let waiting = Arc::new(AtomicUsize::new(0));
        Hall { shard: Shard::new(waiting.clone()), waiting }
    }

    fn turn(&mut self, orders: Vec<ShardCommand<End>>) {
        self.shard.turn(&mut orders.into_iter());
    }

    /// A reader that has joined topic 1 and has its history.
    fn reader(&mut self, reader: ReaderId, tier: Tier, room: usize) -> Rc<Pipe> {
        let pipe = Rc::new(Pipe { room: Cell::new(room), ..Pipe::default() });
        let sink = End(pipe.clone());
        let join = ShardCommand::Join { reader, sink, greeting: Vec::new(), topic: 1, tier };
        self.turn(vec![join, ShardCommand::Live { reader }]);
        pipe
    }

    fn waiting(&self) -> usize {
        self.waiting.load(std::sync::atomic::Ordering::Relaxed)
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
fn what_has_queued_up_goes_out_as_one_send() {
    let mut hall = Hall::new();
    let pipe = hall.reader(1, Tier::Full, usize::MAX);
    hall.turn(vec![publish("a"), publish("b"), publish("c")]);
    assert_eq!((&*pipe.taken.borrow(), pipe.sends.get()), (&frames(&["a", "b", "c"]), 1));
}

#[test]
fn a_readers_own_frames_keep_their_place_among_everyones() {
    let mut hall = Hall::new();
    let (one, two) =
        (hall.reader(1, Tier::Full, usize::MAX), hall.reader(2, Tier::Full, usize::MAX));
    let own = ShardCommand::Send { reader: 1, frames: frame_of("own"), sent: None };
    hall.turn(vec![publish("a"), own, publish("b")]);
    assert_eq!(*one.taken.borrow(), frames(&["a", "own", "b"]));
    assert_eq!(*two.taken.borrow(), frames(&["a", "b"]));
}

#[test]
fn live_frames_wait_behind_the_history_and_what_was_before_the_join_is_not_sent() {
    let mut hall = Hall::new();
    let pipe = Rc::new(Pipe { room: Cell::new(usize::MAX), ..Pipe::default() });
    let sink = End(pipe.clone());
    let greeting = b"101".to_vec();
    hall.reader(9, Tier::Full, usize::MAX);
    let join = ShardCommand::Join { reader: 1, sink, greeting, topic: 1, tier: Tier::Full };
    hall.turn(vec![publish("before"), join, publish("live 1")]);
    hall.turn(vec![publish("live 2")]);
    assert_eq!(*pipe.taken.borrow(), b"101");
    let history = ShardCommand::Send { reader: 1, frames: frame_of("history"), sent: None };
    hall.turn(vec![
        history,
        publish("live 3"),
        ShardCommand::Live { reader: 1 },
        publish("live 4"),
    ]);
    let after = frames(&["history", "live 1", "live 2", "live 3", "live 4"]);
    assert_eq!(pipe.taken.borrow()[3..], after);
}

#[test]
fn plain_readers_get_only_what_is_for_them() {
    let mut hall = Hall::new();
    let (plain, full) =
        (hall.reader(1, Tier::Plain, usize::MAX), hall.reader(2, Tier::Full, usize::MAX));
    let delivery = |plain: &[u8], full: &str| {
        let (plain, full) = (plain.to_vec().into(), frame_of(full).into());
        ShardCommand::Publish(vec![Delivery { topic: 1, plain, full }])
    };
    hall.turn(vec![delivery(b"", "tombstone"), delivery(&frame_of("line"), "line")]);
    assert_eq!(*plain.taken.borrow(), frames(&["line"]));
    assert_eq!(*full.taken.borrow(), frames(&["tombstone", "line"]));
}

#[test]
fn a_slow_reader_gets_everything_later_and_costs_the_others_no_send() {
    let mut hall = Hall::new();
    let (slow, quick) = (hall.reader(1, Tier::Full, 5), hall.reader(2, Tier::Full, usize::MAX));
    hall.turn(vec![publish("first"), publish("second")]);
    let sends = slow.sends.get();
    hall.turn(vec![publish("third")]);
    assert_eq!(slow.sends.get(), sends, "a socket that is full is left alone");
    assert!(hall.waiting() > 0);
    slow.room.set(usize::MAX);
    hall.shard.retry_blocked();
    for pipe in [slow, quick] {
        assert_eq!(*pipe.taken.borrow(), frames(&["first", "second", "third"]));
    }
    assert_eq!(hall.waiting(), 0);
}

#[test]
fn a_reader_that_does_not_keep_up_is_sent_its_partial_frame_and_1013() {
    let mut hall = Hall::new();
    let text = "x".repeat(60_000);
    let pipe = hall.reader(1, Tier::Full, 100);
    for _ in 0..10 {
        hall.turn(vec![publish(&text)]);
        assert!(hall.waiting() <= OUTBOX_BYTES_MAX, "{} bytes wait", hall.waiting());
    }
    pipe.room.set(usize::MAX);
    hall.shard.retry_blocked();
    let expected = [frame_of(&text), frame::close(CloseCode::TryAgain)].concat();
    assert!(*pipe.taken.borrow() == expected, "{} bytes", pipe.taken.borrow().len());
    assert_eq!((pipe.shut.get(), hall.waiting()), (Some(Shutdown::Write), 0));
    hall.turn(vec![publish("too late")]);
    assert_eq!(pipe.taken.borrow().len(), expected.len());
    hall.shard.close_overdue(Instant::now() + CLOSE_TIMEOUT);
    assert_eq!(pipe.shut.get(), Some(Shutdown::Both));
}

#[test]
fn all_backlogs_together_are_bounded_too() {
    let mut hall = Hall::new();
    let text = "x".repeat(60_000);
    let pipes: Vec<_> = (0..400).map(|reader| hall.reader(reader, Tier::Full, 100)).collect();
    for _ in 0..3 {
        hall.turn(vec![publish(&text)]);
    }
    assert!(hall.waiting() <= OUTBOXES_BYTES_MAX, "{} bytes wait", hall.waiting());
    hall.shard.retry_blocked();
    assert!(hall.waiting() <= OUTBOXES_BYTES_MAX, "{} bytes wait", hall.waiting());
    let closed = hall.shard.closing.len();
    assert!(closed > 0 && closed < 400, "{closed} were given up");
    pipes.iter().for_each(|pipe| pipe.room.set(usize::MAX));
    hall.shard.retry_blocked();
    assert_eq!(hall.waiting(), 0);
}

#[test]
fn who_was_refused_a_history_is_sent_nothing_behind_the_gap() {
    let mut hall = Hall::new();
    let pipe = Rc::new(Pipe { room: Cell::new(usize::MAX), ..Pipe::default() });
    let (sink, greeting) = (End(pipe.clone()), Vec::new());
    hall.turn(vec![ShardCommand::Join { reader: 1, sink, greeting, topic: 1, tier: Tier::Full }]);
    hall.waiting.store(OUTBOXES_BYTES_MAX, std::sync::atomic::Ordering::Relaxed);
    let history = ShardCommand::Send { reader: 1, frames: frame_of("history"), sent: None };
    hall.turn(vec![history, ShardCommand::Live { reader: 1 }, publish("live")]);
    assert_eq!(*pipe.taken.borrow(), frame::close(CloseCode::TryAgain));
    assert_eq!(pipe.shut.get(), Some(Shutdown::Write));
}

#[test]
fn who_leaves_is_sent_what_is_left_and_who_has_gone_is_forgotten() {
    let mut hall = Hall::new();
    let pipe = hall.reader(1, Tier::Full, usize::MAX);
    let other = hall.reader(2, Tier::Full, usize::MAX);
    hall.turn(vec![
        publish("last"),
        ShardCommand::Leave { reader: 1, close: Some(CloseCode::Policy) },
        publish("not any more"),
    ]);
    assert_eq!(*pipe.taken.borrow(), [frame_of("last"), frame::close(CloseCode::Policy)].concat());
    assert_eq!(pipe.shut.get(), Some(Shutdown::Write));
    hall.turn(vec![ShardCommand::Gone { reader: 1 }, publish("more")]);
    assert_eq!(*other.taken.borrow(), frames(&["last", "not any more", "more"]));
    hall.turn(vec![
        ShardCommand::Gone { reader: 2 },
        ShardCommand::Gone { reader: 2 },
        publish("nobody"),
    ]);
    assert_eq!(Rc::strong_count(&pipe) + Rc::strong_count(&other), 2, "the sinks are dropped");
    assert!(hall.shard.topics.is_empty() && hall.shard.readers.is_empty());
}

#[test]
fn a_history_in_pieces_waits_for_the_socket() {
    let mut hall = Hall::new();
    let pipe = hall.reader(1, Tier::Full, 3);
    let (sender, sent) = crossbeam_channel::bounded(1);
    hall.turn(vec![ShardCommand::Send {
        reader: 1,
        frames: frame_of("piece"),
        sent: Some(sender),
    }]);
    assert!(sent.try_recv().is_err());
    pipe.room.set(usize::MAX);
    hall.shard.retry_blocked();
    assert!(sent.try_recv().is_ok());
    let (sender, sent) = crossbeam_channel::bounded(1);
    let gone = ShardCommand::Send { reader: 77, frames: frame_of("piece"), sent: Some(sender) };
    hall.turn(vec![gone]);
    assert!(sent.recv().is_err(), "nobody will ever say so");
}

#[test]
fn a_topic_whose_last_reader_goes_between_two_long_publishes_is_no_harm() {
    let mut hall = Hall::new();
    hall.reader(1, Tier::Full, usize::MAX);
    let text = "x".repeat(90_000);
    hall.turn(vec![
        publish(&text),
        ShardCommand::Gone { reader: 1 },
        publish(&text),
        publish(&text),
    ]);
    assert!(hall.shard.topics.is_empty());
}

#[test]
fn a_close_frame_reaches_a_reader_whose_backlog_is_nearly_full() {
    let mut hall = Hall::new();
    let pipe = hall.reader(1, Tier::Full, 100);
    let text = "x".repeat(OUTBOX_BYTES_MAX / 2 - 60);
    hall.turn(vec![publish(&text)]);
    hall.turn(vec![publish(&text)]);
    hall.turn(vec![ShardCommand::Leave { reader: 1, close: Some(CloseCode::Away) }]);
    pipe.room.set(usize::MAX);
    hall.shard.retry_blocked();
    assert!(pipe.taken.borrow().ends_with(&frame::close(CloseCode::Away)));
    assert_eq!(pipe.shut.get(), Some(Shutdown::Write));
}
