//! Machines, Redis, clients and readers, and whose turn it is: one step after another, as the dice fall.

use std::{
    path::PathBuf,
    sync::mpsc::{Receiver, Sender, channel},
};

use sayso::{
    cluster::node::Link,
    comment::rejection::Rejection,
    fanout::ReaderId,
    hub::command::{Joined, Written},
    hub::order::Readiness,
    store::history::History,
};

use super::{
    clients::{Acknowledged, Attempt, Client},
    config::Config,
    machine::{Folder, Machine, Reading},
    random::Random,
    readers::Reader,
    steps::Connection,
    stream::{Server, Stream},
};

/// Steps that coming to rest may take. It takes some hundred.
const SETTLING_STEPS_MAX: usize = 20_000;

/// What was done in some histories.
#[derive(Debug, Default, Clone)]
pub struct Counts {
    pub histories: u64,
    pub steps: u64,
    pub acknowledged: u64,
    pub heals: u64,
    pub takeovers: u64,
    pub runs: u64,
    pub resumed: u64,
    pub reloaded: u64,
    pub caught_up: u64,
    pub sent_away: u64,
    pub compactions: u64,
    pub torn: u64,
    pub late: u64,
    pub diverged: u64,
    pub trimmed: u64,
    pub incomparable: u64,
    pub other_log: u64,
    pub refused: u64,
    pub alone: u64,
    pub all_stopped: u64,
}

impl Counts {
    /// Adds what was done in other histories.
    pub fn add(&mut self, other: &Counts) {
        self.histories += other.histories;
        self.steps += other.steps;
        self.acknowledged += other.acknowledged;
        self.heals += other.heals;
        self.takeovers += other.takeovers;
        self.runs += other.runs;
        self.resumed += other.resumed;
        self.reloaded += other.reloaded;
        self.caught_up += other.caught_up;
        self.sent_away += other.sent_away;
        self.compactions += other.compactions;
        self.torn += other.torn;
        self.late += other.late;
        self.diverged += other.diverged;
        self.trimmed += other.trimmed;
        self.incomparable += other.incomparable;
        self.other_log += other.other_log;
        self.refused += other.refused;
        self.alone += other.alone;
        self.all_stopped += other.all_stopped;
    }
}

/// What a hub calls back.
pub enum Report {
    Answered(usize, Result<Written, Rejection>),
    Stored(Result<(), String>),
    Joined(ReaderId, Joined),
    Loaded(ReaderId, bool, Result<History, Rejection>),
    Compacted(Result<(u64, u64), String>),
}

/// See the [module](self).
pub struct World<'s> {
    pub config: Config,
    pub seed: u64,
    pub server: &'s mut Server,
    pub random: Random,
    pub stream: Stream,
    pub machines: Vec<Machine>,
    pub connections: Vec<Connection>,
    pub clients: Vec<Client>,
    pub attempts: Vec<Attempt>,
    pub acknowledged: Vec<Acknowledged>,
    pub readers: Vec<Reader>,
    pub last_visit: ReaderId,
    pub is_settling: bool,
    /// How often Redis will still refuse to append.
    pub refusals_left: usize,
    pub counts: Counts,
    pub reports: Sender<Report>,
    pub reported: Receiver<Report>,
    /// What was done, for who must find out why something is wrong.
    trace: Vec<String>,
    pub folder: Folder,
}

/// Something that can happen next.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// Redis does what came through this connection.
    Execute(usize),
    Connect(usize, Link),
    /// A machine notices that a connection is gone.
    Lose(usize, Link),
    /// A machine asks what it has to ask.
    Ask(usize, Link),
    /// A reply comes.
    Deliver(usize),
    /// A machine reads entries.
    Fetch(usize),
    /// It looks whether they follow, and hands them to the hub.
    Follow(usize),
    /// The hub does what lies in its inbox.
    Hub(usize),
    /// The time to wait is over, as far as the machine knows.
    Waited(usize),
    /// A machine looks in which run the stream is.
    Look(usize),
    FinishCompaction(usize),
    /// An old master becomes a replica of the new one.
    Demote(usize),
    Write(usize),
    GiveUp(usize),
    AttachReader(usize),
    /// New lines can be appended.
    Open,
}

impl<'s> World<'s> {
    pub fn new(config: &Config, seed: u64, server: &'s mut Server) -> World<'s> {
        let folder = Folder::new(config.name, seed);
        let mut random = Random::new(seed);
        let stream = Stream::new(server);
        let path = |number: usize| -> PathBuf { folder.path().join(number.to_string()) };
        let machines = (0..config.machines).map(|number| {
            let prefilled = if config.empty == Some(number) { 0 } else { config.prefilled };
            let mut machine = Machine::new(number, path(number), prefilled);
            machine.start(config);
            machine
        });
        let machines = machines.collect();
        let clients = (0..config.clients)
            .map(|number| Client::new(number, config.writes_max, &mut random))
            .collect();
        let (reports, reported) = channel();
        World {
            config: config.clone(),
            seed,
            server,
            random,
            stream,
            machines,
            connections: Vec::new(),
            clients,
            attempts: Vec::new(),
            acknowledged: Vec::new(),
            readers: (0..config.readers).map(|_| Reader::default()).collect(),
            last_visit: 0,
            is_settling: false,
            refusals_left: 0,
            counts: Counts { histories: 1, ..Counts::default() },
            reports,
            reported,
            trace: Vec::new(),
            folder,
        }
    }

    pub fn note(&mut self, what: String) {
        self.trace.push(what);
    }

    /// A machine that is on.
    pub fn pick_machine(&mut self) -> usize {
        let on: Vec<usize> =
            self.machines.iter().filter(|it| it.is_on()).map(|it| it.number).collect();
        self.random.pick(&on)
    }

    /// Lets things happen, some of them wrong, and then come to rest.
    pub fn run(&mut self) {
        let mut faults_left = self.config.faults_max;
        for _ in 0..self.config.steps {
            if faults_left > 0 && self.random.percent(5) {
                faults_left -= 1;
                self.fault();
                continue;
            }
            let mut events = self.events();
            if events.is_empty() || self.random.percent(25) {
                let others = self.other_events();
                events = if others.is_empty() { events } else { others };
            }
            if !events.is_empty() {
                let event = self.random.pick(&events);
                self.step(event);
            }
        }
        self.settle();
    }

    /// Starts what is off, and lets everything come to rest.
    fn settle(&mut self) {
        self.note("== settles".into());
        self.is_settling = true;
        for number in 0..self.machines.len() {
            self.start(number);
        }
        for connection in &mut self.connections {
            connection.zombie = None;
        }
        let mut steps = 0;
        loop {
            let (events, others) = (self.events(), self.other_events());
            let chosen = match (events.is_empty(), others.is_empty()) {
                (true, true) => break,
                (false, false) if self.random.percent(80) => &events,
                (false, true) => &events,
                _ => &others,
            };
            let event = self.random.pick(chosen);
            self.step(event);
            steps += 1;
            assert!(steps < SETTLING_STEPS_MAX, "no progress; next could be {events:?} {others:?}");
        }
        self.check_end();
    }

    /// What machines and Redis can do next.
    fn events(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for (number, connection) in self.connections.iter().enumerate() {
            let is_current = connection.incarnation == self.stream.incarnation;
            if is_current && !connection.requests.is_empty() {
                events.push(Event::Execute(number));
            }
        }
        for machine in 0..self.machines.len() {
            if self.machines[machine].is_on() {
                self.link_events(machine, Link::Commands, &mut events);
                self.link_events(machine, Link::Lines, &mut events);
                self.hub_events(machine, &mut events);
            }
        }
        events
    }

    fn link_events(&mut self, machine: usize, link: Link, events: &mut Vec<Event>) {
        let moment = self.stream.now().clone();
        // Each looks only now and then.
        let may_look = self.is_settling || self.random.percent(10);
        let process = self.machines[machine].on();
        let is_reading = link == Link::Lines && !matches!(process.reading, Reading::Nothing);
        if is_reading {
            if let Reading::Fetched(..) = process.reading {
                events.push(Event::Follow(machine));
            }
            return;
        }
        let Some(number) = *process.link(link) else {
            return events.push(Event::Connect(machine, link));
        };
        let connection = &self.connections[number];
        let is_current = connection.incarnation == self.stream.incarnation;
        let zombie = connection.zombie.as_ref().filter(|_| !is_current);
        let node = process.shared.node();
        if !connection.replies.is_empty() {
            return events.push(Event::Deliver(number));
        }
        let is_attached = node.is_link_attached(link);
        let is_of_use = is_current || (zombie.is_some() && is_attached);
        if !is_of_use {
            return events.push(Event::Lose(machine, link));
        }
        if connection.requests.is_empty() {
            if node.has_call(link) {
                events.push(Event::Ask(machine, link));
            }
            let run = moment.meta.as_ref().map(|meta| &*meta.run);
            let knows_run = run.is_none() || run == node.run().map(|run| &**run);
            let is_same = connection.identity == self.stream.identity();
            if link == Link::Commands && is_attached && may_look && !(knows_run && is_same) {
                events.push(Event::Look(machine));
            }
        }
        if let Some(after) = node.read_after().filter(|_| link == Link::Lines) {
            let moment = zombie.and_then(|zombie| zombie.as_ref()).unwrap_or(&moment);
            if moment.has_entries_after(after) {
                events.push(Event::Fetch(machine));
            }
            if zombie.is_some_and(Option::is_some) {
                events.push(Event::Demote(number));
            }
        }
    }

    fn hub_events(&mut self, machine: usize, events: &mut Vec<Event>) {
        let process = self.machines[machine].on();
        let is_turn = process.hub.is_ordering()
            && matches!(process.shared.node().readiness(), Readiness::Ready(_));
        if !process.inbox.is_empty() || process.must_look || is_turn {
            events.push(Event::Hub(machine));
        }
        if process.shared.node().is_waiting() {
            events.push(Event::Waited(machine));
        }
        if process.is_compacting {
            events.push(Event::FinishCompaction(machine));
        }
    }

    /// What others can do next.
    fn other_events(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for client in 0..self.clients.len() {
            if self.may_write(client) {
                events.push(Event::Write(client));
            } else if self.waits_in_vain(client) {
                events.push(Event::GiveUp(client));
            }
        }
        let some_are_on = self.machines.iter().any(Machine::is_on);
        for (number, reader) in self.readers.iter().enumerate() {
            if reader.machine.is_none() && some_are_on {
                events.push(Event::AttachReader(number));
            }
        }
        if self.may_open() {
            events.push(Event::Open);
        }
        events
    }

    fn step(&mut self, event: Event) {
        self.counts.steps += 1;
        match event {
            Event::Execute(connection) => self.execute(connection),
            Event::Connect(machine, link) => self.connect(machine, link),
            Event::Lose(machine, link) => self.lose(machine, link),
            Event::Ask(machine, link) => self.ask(machine, link),
            Event::Deliver(connection) => self.deliver(connection),
            Event::Fetch(machine) => self.fetch(machine),
            Event::Follow(machine) => self.follow(machine),
            Event::Hub(machine) => self.hub(machine),
            Event::Waited(machine) => {
                let process = self.machines[machine].on();
                process.shared.node().waited();
                process.must_look = true;
            }
            Event::Look(machine) => {
                self.look(machine);
            }
            Event::FinishCompaction(machine) => self.finish_compaction(machine),
            Event::Demote(connection) => self.connections[connection].zombie = Some(None),
            Event::Write(client) => self.write(client),
            Event::GiveUp(client) => self.give_up(client),
            Event::AttachReader(reader) => self.attach_reader(reader),
            Event::Open => self.open(),
        }
    }
}

impl Drop for World<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let tail = self.trace.len().saturating_sub(400);
            eprintln!("{}", self.trace[tail..].join("\n"));
            let (name, seed) = (self.config.name, self.seed);
            eprintln!("configuration {name}, again with SAYSO_SEED={seed}");
        }
    }
}
