//! Who reads: comes to some machine with a cursor, gets what it has missed or loads everything anew, and then each line as it is published.

use std::collections::BTreeMap;

use sayso::{
    comment::{Comment, Status, rejection::Rejection},
    fanout::{Delivery, ReaderId, ShardCommand, Tier},
    hub::command::{
        Command, Cursor, HistoryRange, Join, Joined, Query, ReadHistory, StartAt, Subscription,
    },
    log::scan::seq_of,
    store::history::History,
};

use super::{
    lines::PAGE,
    lines::{Lines, Shown},
    world::Report,
    world::World,
};

/// More comments than any history has.
const ALL_COMMENTS: usize = 10_000;
/// Hex digits of a mark.
const MARK_DIGITS: usize = 16;

/// A reader, and what it has received.
#[derive(Default)]
pub struct Reader {
    /// The machine that it is connected to.
    pub machine: Option<usize>,
    /// The number of its connection.
    pub visit: ReaderId,
    /// Whether it was not told yet whether it may go on.
    waits: bool,
    since: u64,
    log: Option<String>,
    mark: Option<String>,
    seen: BTreeMap<u64, Shown>,
    /// Lines that have come before what it loads, which is still to come.
    early: Option<Vec<Vec<u8>>>,
}

impl World<'_> {
    /// A reader comes to some machine.
    pub fn attach_reader(&mut self, number: usize) {
        let machine = self.pick_machine();
        self.last_visit += 1;
        let visit = self.last_visit;
        let reader = &mut self.readers[number];
        (reader.machine, reader.visit, reader.early) = (Some(machine), visit, None);
        reader.waits = true;
        // Some ask first whether they may go on, others what they have missed.
        let asks = self.random.percent(75);
        let start = match (&reader.log, &reader.mark) {
            (Some(log), Some(mark)) if asks => {
                let (log, mark) = (Some(log.clone()), Some(mark.clone()));
                StartAt::Since(Cursor { since: reader.since, log, mark })
            }
            _ => StartAt::Live,
        };
        let Reader { since, mark, .. } = reader;
        let said = format!("reader {number} comes to {machine} with {since} {mark:?}");
        self.note(said);
        let reports = self.reports.clone();
        let join = Join {
            reader: visit,
            sink: (),
            greeting: Vec::new(),
            tier: Tier::Full,
            subscription: Subscription::Page(PAGE.into(), start),
            joined: Box::new(move |joined| drop(reports.send(Report::Joined(visit, joined)))),
        };
        self.machines[machine].on().inbox.push_back(Command::Query(Query::Join(join)));
    }

    /// A reader goes away.
    pub fn detach_reader(&mut self, number: usize) {
        let Reader { machine, visit, .. } = &mut self.readers[number];
        let Some(machine) = machine.take() else { return };
        let leave = Command::Query(Query::Leave(*visit));
        self.machines[machine].on().inbox.push_back(leave);
        self.note(format!("reader {number} leaves {machine}"));
    }

    fn reader_of(&self, visit: ReaderId) -> Option<(usize, usize)> {
        let found = self.readers.iter().position(|reader| reader.visit == visit)?;
        self.readers[found].machine.map(|machine| (found, machine))
    }

    pub fn joined(&mut self, visit: ReaderId, joined: Joined) {
        let Some((number, machine)) = self.reader_of(visit) else { return };
        self.readers[number].waits = false;
        let lines = &self.machines[machine].lines;
        if joined.resumed == Some(true) {
            self.counts.resumed += 1;
            let reader = &mut self.readers[number];
            reader.check(lines);
            let mut last = reader.since;
            for shown in shown_in(&joined.history, lines) {
                assert!(shown.seq > last, "a resumed reader gets what it has");
                last = shown.seq;
                reader.see(shown);
            }
            reader.take_cursor(&joined.history, last);
            reader.check(lines);
            self.check_cursor(number, machine);
            return self.note(format!("reader {number} goes on at {machine}"));
        }
        let reader = &mut self.readers[number];
        reader.early = Some(Vec::new());
        let cursor =
            Cursor { since: reader.since, log: reader.log.clone(), mark: reader.mark.clone() };
        // A client that is told that it can't go on asks what it has missed, or loads everything.
        let may_catch_up =
            reader.mark.is_some() && reader.log.as_deref() == Some(&joined.history.log);
        let range = match may_catch_up && self.random.percent(50) {
            true => HistoryRange::Since(cursor),
            false => HistoryRange::Before(None),
        };
        self.load(visit, machine, range);
    }

    fn load(&mut self, visit: ReaderId, machine: usize, range: HistoryRange) {
        let reports = self.reports.clone();
        let is_all = range == HistoryRange::Before(None);
        let answer = move |loaded| drop(reports.send(Report::Loaded(visit, is_all, loaded)));
        let read = ReadHistory {
            page: PAGE.into(),
            range,
            limit: ALL_COMMENTS,
            moderator: false,
            answer: Box::new(answer),
        };
        self.machines[machine].on().inbox.push_back(Command::Query(Query::ReadHistory(read)));
    }

    /// A reader gets what it has asked for: all comments, or what it has missed.
    pub fn loaded(&mut self, visit: ReaderId, is_all: bool, loaded: Result<History, Rejection>) {
        let Some((number, machine)) = self.reader_of(visit) else { return };
        let history = match loaded {
            Ok(history) => history,
            Err(Rejection::StaleCursor(_)) if !is_all => {
                return self.load(visit, machine, HistoryRange::Before(None));
            }
            Err(other) => panic!("a reader can't load anything: {other:?}"),
        };
        let lines = &self.machines[machine].lines;
        let reader = &mut self.readers[number];
        if is_all {
            self.counts.reloaded += 1;
            (reader.since, reader.seen) = (0, BTreeMap::new());
        } else {
            self.counts.caught_up += 1;
        }
        shown_in(&history, lines).into_iter().for_each(|shown| reader.see(shown));
        reader.take_cursor(&history, history.seq);
        let early = reader.early.take().expect("only a reader that loads is answered");
        reader.check(lines);
        for message in early {
            reader.receive(&message, lines);
        }
        self.check_cursor(number, machine);
        self.note(format!("reader {number} has loaded from {machine}, all: {is_all}"));
    }

    /// Passes on to readers what a hub has told its shard.
    pub fn deliver_frames(&mut self, machine: usize) {
        let commands: Vec<_> = self.machines[machine].on().frames.try_iter().collect();
        for command in commands {
            let followers = &mut self.machines[machine].on().followers;
            match command {
                ShardCommand::Join { reader, topic, .. } => followers.push((reader, topic)),
                ShardCommand::Publish(deliveries) => {
                    let followers = followers.clone();
                    deliveries.iter().for_each(|it| self.publish(machine, it, &followers));
                }
                ShardCommand::Leave { reader, .. } | ShardCommand::Gone { reader } => {
                    followers.retain(|(follower, _)| *follower != reader);
                    self.send_away(reader);
                }
                ShardCommand::Goodbye => {
                    for (reader, _) in std::mem::take(followers) {
                        self.send_away(reader);
                    }
                }
                ShardCommand::Send { .. }
                | ShardCommand::Live { .. }
                | ShardCommand::Merge { .. } => {}
            }
        }
    }

    fn send_away(&mut self, visit: ReaderId) {
        if let Some((number, machine)) = self.reader_of(visit) {
            self.note(format!("{machine} sends reader {number} away"));
            self.counts.sent_away += 1;
            self.detach_reader(number);
        }
    }

    fn publish(&mut self, machine: usize, delivery: &Delivery, followers: &[(ReaderId, u64)]) {
        for (visit, _) in followers.iter().filter(|(_, topic)| *topic == delivery.topic) {
            let Some((number, _)) = self.reader_of(*visit) else { continue };
            for message in messages_in(&delivery.full) {
                let lines = &self.machines[machine].lines;
                self.readers[number].receive(message, lines);
                self.check_cursor(number, machine);
            }
        }
    }

    /// Checks that what a reader has received up to its cursor is what the stream held in that run, so that the cursor means the same to all.
    fn check_cursor(&self, number: usize, machine: usize) {
        let Reader { since, mark: Some(mark), early: None, .. } = &self.readers[number] else {
            return;
        };
        let at = *since as usize;
        if let Some(held) = self.stream.held_in(mark)
            && at > 0
        {
            let own = self.machines[machine].lines.all().get(at - 1);
            let is_same = held.get(at - 1) == own;
            assert!(
                is_same,
                "reader {number} has line {since} of {machine}, but run {mark} has not"
            );
        }
    }

    /// Checks that all readers have everything, and know the run.
    pub fn check_readers(&self) {
        let now = self.stream.now();
        for (number, reader) in self.readers.iter().enumerate() {
            let machine = reader.machine.expect("each reader comes back");
            let lines = &self.machines[machine].lines;
            if reader.waits {
                // In vain, and only for some seconds: what it has was lost.
                assert!(reader.since > lines.seq(), "reader {number} is not answered");
                continue;
            }
            assert!(reader.early.is_none(), "reader {number} waits for what it loads");
            let expected = lines.seen_at(lines.seq());
            assert_eq!(reader.seen, expected, "reader {number} at {machine} sees other lines");
            let meta = now.meta.as_ref().expect("there is a stream");
            assert_eq!(reader.mark.as_ref(), Some(&meta.run), "the run that reader {number} knows");
            assert_eq!(reader.log.as_ref(), Some(&meta.log), "the log that reader {number} knows");
        }
    }
}

impl Reader {
    fn see(&mut self, shown: Shown) {
        match shown.has_content {
            true => drop(self.seen.insert(shown.id, shown)),
            false => drop(self.seen.remove(&shown.id)),
        }
    }

    fn take_cursor(&mut self, history: &History, seq: u64) {
        self.since = self.since.max(history.seq).max(seq);
        (self.log, self.mark) = (Some(history.log.to_string()), Some(history.mark.to_string()));
    }

    /// Takes a message that was published.
    fn receive(&mut self, line: &[u8], lines: &Lines) {
        if let Some(early) = &mut self.early {
            return early.push(line.to_vec());
        }
        if let Some(mark) = line.strip_prefix(b"{\"mark\":\"") {
            return self.mark = Some(str::from_utf8(&mark[..MARK_DIGITS]).unwrap().into());
        }
        // What it has got elsewhere, and what is no comment.
        if seq_of(line).is_none_or(|seq| seq <= self.since) || !has_id(line) {
            return;
        }
        self.check(lines);
        let next = lines.shown_after(self.since).next().expect("what is published is stored");
        let (expected, got) = (next.line.escape_ascii(), line.escape_ascii());
        assert_eq!(next.line, line, "after {} comes {expected}, not {got}", self.since);
        self.since = next.seq;
        self.see(next.clone());
    }

    /// Checks that it has seen what is in a log, as far as that goes.
    fn check(&self, lines: &Lines) {
        if self.early.is_none() && lines.seq() >= self.since {
            let expected = lines.seen_at(self.since);
            assert_eq!(self.seen, expected, "a reader with cursor {} sees other lines", self.since);
        }
    }
}

/// What a history shows.
fn shown_in(history: &History, lines: &Lines) -> Vec<Shown> {
    let mut all = Vec::new();
    let each = |_: &_, line: &[u8]| {
        let comment = Comment::parse(line).unwrap();
        let has_content = !comment.deleted && comment.status == Status::Public;
        let (seq, id) = (comment.seq, comment.id);
        let shown = Shown { seq, id, line: line.to_vec(), has_content };
        let is_stored = lines.shown_after(seq - 1).next() == Some(&shown);
        assert!(is_stored, "nobody has stored {}", line.escape_ascii());
        all.push(shown);
    };
    history.read(each).unwrap();
    all
}

/// The messages in these frames.
fn messages_in(mut frames: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let [0x81, short, rest @ ..] = frames {
        let (length, rest) = match short {
            126 => (u16::from_be_bytes([rest[0], rest[1]]) as usize, &rest[2..]),
            127 => panic!("no line is that long"),
            short => (usize::from(*short), rest),
        };
        let (payload, rest) = rest.split_at(length);
        messages.push(payload);
        frames = rest;
    }
    assert!(frames.is_empty(), "only texts are published");
    messages
}

/// Whether it is a comment's line; what is told regularly has only a `seq`.
fn has_id(payload: &[u8]) -> bool {
    Comment::parse(payload).is_ok_and(|comment| comment.id > 0)
}
