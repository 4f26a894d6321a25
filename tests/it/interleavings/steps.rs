//! Each single thing that machines, Redis and bad luck do.

use std::{collections::VecDeque, rc::Rc, sync::Arc};

use sayso::{
    cluster::{
        call::{Call, CallKind, Reply},
        node::Link,
        node::Parting,
    },
    hub::command::Command,
    hub::order::Ordered,
};

use super::{
    config::Config,
    machine::{Machine, Process, Reading},
    stream::Moment,
    world::Report,
    world::World,
};

/// A connection between a machine and Redis.
pub struct Connection {
    pub machine: usize,
    pub link: Link,
    /// What Redis has said of itself.
    pub identity: Arc<str>,
    /// Of the process of Redis that it was made to.
    pub incarnation: u32,
    /// What was sent and is not done yet. It may be done when the connection is gone.
    pub requests: VecDeque<Call>,
    /// What was done and is not known yet; `None` was refused, since Redis has no room.
    pub replies: VecDeque<(CallKind, Option<Reply>)>,
    pub is_closed: bool,
    /// It has outlived a failover: it leads to the old master, with what that held until it became a replica of the new one.
    pub zombie: Option<Option<Rc<Moment>>>,
}

impl Machine {
    pub fn is_on(&self) -> bool {
        self.process.is_some()
    }

    /// What runs on it. It must be on.
    pub fn on(&mut self) -> &mut Process {
        self.process.as_mut().expect("the machine is on")
    }
}

impl World<'_> {
    pub fn connect(&mut self, machine: usize, link: Link) {
        let identity = self.stream.identity();
        let process = self.machines[machine].on();
        process.shared.node().connected(link, identity.clone());
        *process.link(link) = Some(self.connections.len());
        self.connections.push(Connection {
            machine,
            link,
            identity,
            incarnation: self.stream.incarnation,
            requests: VecDeque::new(),
            replies: VecDeque::new(),
            is_closed: false,
            zombie: None,
        });
        self.note(format!("{machine} connects for {link:?}"));
    }

    pub fn lose(&mut self, machine: usize, link: Link) {
        let process = self.machines[machine].on();
        let Some(number) = process.link(link).take() else { return };
        process.shared.node().lost(link);
        process.must_look = true;
        self.connections[number].is_closed = true;
        self.note(format!("{machine} loses its connection for {link:?}"));
    }

    pub fn ask(&mut self, machine: usize, link: Link) {
        let healed = self.random.between(1, 3);
        let process = self.machines[machine].on();
        process.shared.node().healed_lines_max = healed;
        let call = process.shared.node().next_call(link).unwrap();
        let number = process.link(link).expect("who asks is connected");
        let Some(call) = call else { return };
        let is_attach = matches!(call.kind, CallKind::Attach { .. });
        let was_attached = process.shared.node().was_attached(link);
        // Redis is asked again who it is.
        if is_attach && was_attached && self.connections[number].identity != self.stream.identity()
        {
            return self.lose(machine, link);
        }
        self.note(format!("{machine} asks {}", shown(&call)));
        self.connections[number].requests.push_back(call);
    }

    pub fn execute(&mut self, number: usize) {
        let Connection { machine, ref mut requests, is_closed, .. } = self.connections[number];
        let call = requests.pop_front().expect("something was sent");
        let appends = matches!(call.kind, CallKind::Append | CallKind::Heal(_));
        if self.refusals_left > 0 && appends {
            self.refusals_left -= 1;
            self.counts.refused += 1;
            if !is_closed {
                self.connections[number].replies.push_back((call.kind, None));
            }
            return self.note(format!("Redis has no room for what {machine} appends"));
        }
        let (said, kind) = (shown(&call), call.kind.clone());
        let own = self.machines[machine].lines.all();
        let run = |world: &Self| world.stream.now().meta.as_ref().map(|meta| meta.run.clone());
        let before = run(self);
        let reply = self.stream.execute(self.server, machine, call, own);
        if before != run(self) {
            self.counts.runs += 1;
            self.counts.takeovers += u64::from(kind == CallKind::Take);
        }
        self.counts.late += u64::from(is_closed);
        let late = if is_closed { " late" } else { "" };
        self.note(format!("Redis does{late} for {machine}: {said} -> {reply:?}"));
        if !is_closed {
            self.connections[number].replies.push_back((kind, Some(reply)));
        }
    }

    /// A machine looks whether Redis is the one that it was, and in which run the stream is.
    pub fn look(&mut self, machine: usize) {
        let process = self.machines[machine].on();
        let number = process.commands().expect("who looks is connected");
        if self.connections[number].identity != self.stream.identity() {
            return self.lose(machine, Link::Commands);
        }
        if let Some(meta) = &self.stream.now().meta {
            process.shared.node().saw_run(&meta.run);
        }
    }

    pub fn deliver(&mut self, number: usize) {
        let Connection { machine, link, ref mut replies, .. } = self.connections[number];
        let (kind, reply) = replies.pop_front().expect("something has come");
        self.note(format!("{machine} is told {reply:?} about {kind:?}"));
        // Clocks differ, and none is right.
        let ahead = self.random.between(0, 5_000) as u64;
        let process = self.machines[machine].on();
        process.must_look = true;
        let mut node = process.shared.node();
        let Some(reply) = reply else { return node.refused() };
        if let Reply::Attached(attached) = &reply {
            process.cluster_stats.clock.set(attached.now + ahead);
        }
        node.replied(link, kind, reply).unwrap();
    }

    pub fn fetch(&mut self, machine: usize) {
        let count = self.random.between(1, 3);
        let process = self.machines[machine].on();
        let after = process.shared.node().read_after().expect("it may read");
        let number = process.link(Link::Lines).expect("who reads is connected");
        let Connection { incarnation, zombie, .. } = &self.connections[number];
        let zombie = zombie.as_ref().filter(|_| *incarnation != self.stream.incarnation);
        let old = zombie.and_then(|zombie| zombie.clone());
        let mut entries = self.stream.read(self.server, machine, after, old.as_deref());
        entries.truncate(count);
        let lines = old.unwrap_or_else(|| self.stream.now().clone()).lines.clone();
        let seqs: Vec<_> =
            entries.iter().map(|it| format!("{} {}", it.line.seq, it.line.chain)).collect();
        let is_zombie = zombie.is_some();
        self.note(format!("{machine} reads {seqs:?}{}", if is_zombie { " late" } else { "" }));
        self.machines[machine].on().reading = Reading::Fetched(entries, lines);
    }

    pub fn follow(&mut self, machine: usize) {
        let process = self.machines[machine].on();
        let reading = std::mem::replace(&mut process.reading, Reading::Nothing);
        let Reading::Fetched(entries, of_stream) = reading else { panic!("nothing was read") };
        let lines = process.shared.node().follow(entries);
        let Some(first) = lines.first() else {
            process.must_look = true;
            return self.note(format!("{machine} must attach before it reads on"));
        };
        let before = &of_stream[..first.seq as usize - 1];
        let reports = self.reports.clone();
        let stored = move |stored| drop(reports.send(Report::Stored(stored)));
        let command = Command::Ordered(Ordered::Lines(lines.clone(), Box::new(stored)));
        process.inbox.push_back(command);
        process.reading = Reading::Handed(lines);
        let own = self.machines[machine].lines.all();
        assert!(own == before, "{machine} goes on behind other lines than the stream's");
    }

    /// The hub takes some commands, and whatever follows from them is seen by everybody.
    pub fn hub(&mut self, machine: usize) {
        self.process(machine);
        self.note_stored(machine);
        assert!(self.take_reports(machine).is_none(), "a compaction was not waited for");
        self.deliver_frames(machine);
        if let Some(parting) = self.machines[machine].on().shared.parted() {
            self.stop(machine, parting);
        }
    }

    /// Tells everybody what a hub has called back. Returns what has come of a compaction.
    pub fn take_reports(&mut self, machine: usize) -> Option<Result<(u64, u64), String>> {
        let mut compacted = None;
        while let Ok(report) = self.reported.try_recv() {
            match report {
                Report::Answered(attempt, outcome) => self.answered(attempt, outcome),
                Report::Stored(stored) => {
                    self.machines[machine].on().reading = Reading::Nothing;
                    self.machines[machine].on().shared.node().stored();
                    let is_parted = self.machines[machine].on().shared.parted().is_some();
                    assert!(stored.is_ok() || is_parted, "{machine} can't store: {stored:?}");
                }
                Report::Joined(visit, joined) => self.joined(visit, joined),
                Report::Loaded(visit, is_all, loaded) => self.loaded(visit, is_all, loaded),
                Report::Compacted(outcome) => compacted = Some(outcome),
            }
        }
        compacted
    }

    pub fn process(&mut self, machine: usize) {
        let waiting = self.machines[machine].on().inbox.len();
        let count = if waiting == 0 { 0 } else { self.random.between(1, waiting) };
        let process = self.machines[machine].on();
        let commands: Vec<_> = process.inbox.drain(..count).collect();
        process.must_look = false;
        process.hub.process_batch(&mut commands.into_iter());
    }

    /// Adds to what a machine's log has held what it has stored of what was handed to it.
    pub fn note_stored(&mut self, machine: usize) {
        let Machine { process, lines, .. } = &mut self.machines[machine];
        let process = process.as_mut().expect("the machine is on");
        let end = process.hub.log_end();
        let first = lines.seq() + 1;
        if let Reading::Handed(handed) = &process.reading {
            let new = handed.iter().filter(|line| (first..=end.seq).contains(&line.seq));
            new.cloned().for_each(|line| lines.push(line));
        }
        assert_eq!((end.seq, end.chain), (lines.seq(), lines.chain()), "where its log ends");
        if end.seq >= first {
            self.note(format!("{machine} stores up to {} {}", end.seq, end.chain));
        }
    }

    fn stop(&mut self, machine: usize, parting: Parting) {
        self.note(format!("{machine} stops: {parting:?}"));
        let counts = &mut self.counts;
        *match parting {
            Parting::Diverged => &mut counts.diverged,
            Parting::Trimmed => &mut counts.trimmed,
            Parting::Incomparable => &mut counts.incomparable,
            Parting::OtherLog => &mut counts.other_log,
        } += 1;
        let Config { keep, newest_kept, .. } = self.config;
        // Where Redis has lost everything twice, two runs may have the same number: that of a machine which is away now, and that of one
        // which was away then. Of these, the longer log goes on.
        let own = self.machines[machine].lines.chain().run;
        let is_same_number =
            self.stream.now().lines.last().is_some_and(|line| line.chain.run == own);
        let is_one_away = self.machines.iter().any(|machine| machine.is_away);
        let is_fine = match parting {
            // Where a stream has all lines, it lacks none.
            Parting::Trimmed => keep.min(newest_kept) < 1_000,
            Parting::OtherLog => self.machines[machine].is_away,
            Parting::Diverged | Parting::Incomparable => {
                // A log that was served alone may be of a higher rank than what all others have.
                let is_alone = self.counts.alone > 0;
                let is_away = self.machines[machine].is_away || (is_one_away && is_same_number);
                is_away || !self.config.is_timely || is_alone
            }
        };
        assert!(is_fine, "{machine} stops though it was there all the time: {parting:?}");
        self.kill(machine, None);
        self.machines[machine].stopped = Some(parting);
    }

    pub fn kill(&mut self, machine: usize, cut: Option<u64>) {
        self.finish_compaction(machine);
        for number in 0..self.readers.len() {
            if self.readers[number].machine == Some(machine) {
                self.readers[number].machine = None;
            }
        }
        for connection in &mut self.connections {
            connection.is_closed |= connection.machine == machine;
        }
        self.machines[machine].kill(cut);
        self.reported.try_iter().for_each(drop);
        self.note(format!(
            "{machine} is killed{}",
            if cut.is_some() { " while it writes" } else { "" }
        ));
    }

    pub fn start(&mut self, machine: usize) {
        let it = &mut self.machines[machine];
        if !it.is_on() && it.stopped.is_none() {
            it.start(&self.config);
            self.note(format!("{machine} starts"));
        }
    }

    /// Whether all machines that are there have looked, if that takes less time than new lines wait.
    pub fn may_open(&self) -> bool {
        let moment = self.stream.now();
        let Some(meta) = moment.meta.as_ref().filter(|_| self.stream.is_waiting()) else {
            return false;
        };
        if !self.config.is_timely {
            return true;
        }
        self.machines.iter().all(|machine| {
            let Some(process) = &machine.process else { return true };
            let node = process.shared.node();
            let Some(number) = process.commands() else { return false };
            let Connection { incarnation, requests, replies, .. } = &self.connections[number];
            if *incarnation != self.stream.incarnation || !node.is_link_attached(Link::Commands) {
                return false;
            }
            let knows_run = node.run().is_some_and(|run| **run == *meta.run);
            let is_late = node.is_ahead()
                || (!knows_run && node.end().seq > meta.seq)
                || !requests.is_empty()
                || !replies.is_empty();
            (!is_late || self.stream.looked.contains(&machine.number))
                && *node.end().log == meta.log
        })
    }

    pub fn open(&mut self) {
        self.stream.open(self.server);
        self.note("-- new lines can be appended".into());
        for machine in &mut self.machines {
            machine.is_away |= !machine.is_on() && machine.stopped.is_none();
        }
    }

    pub fn finish_compaction(&mut self, machine: usize) {
        let mut outcome = None;
        let reported = &self.reported;
        let is_on = self.machines[machine].is_on();
        if !is_on || !self.machines[machine].on().is_compacting {
            return;
        }
        self.machines[machine].finish_compaction(|| match reported.try_recv() {
            Ok(Report::Compacted(compacted)) => {
                outcome = Some(compacted);
                true
            }
            _ => false,
        });
        self.counts.compactions += u64::from(matches!(outcome, Some(Ok(_))));
        self.note(format!("{machine} has compacted its log: {outcome:?}"));
    }
}

fn shown(call: &Call) -> String {
    let texts = call.arguments.iter().map(|text| String::from_utf8_lossy(text));
    texts.filter(|text| !text.starts_with('{')).collect::<Vec<_>>().join(" ")
}
