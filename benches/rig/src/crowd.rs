//! Everybody at once: one thread that plays all readers and all authors of a server, over as many sockets, and checks every frame on each.
//!
//! Authors read too. For a server that speaks sayso's lines, the first frame that is missing, doubled, disordered or unknown is an error;
//! for one that echoes texts, losses are counted. Knows sockets and time, not what is said.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, EventData, EventFlags},
    fd::OwnedFd,
    time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec},
};

use crate::{
    cores::Apart,
    histogram::Histogram,
    place::{Place, connect},
    process::Process,
    speech::{self, Tongue},
    tally::{Counts, Tally},
    wire,
};

/// Read at once, far more than a socket holds.
const BUFFER_BYTES: usize = 1 << 20;
const EVENTS_MAX: usize = 1_024;
/// When an author whose socket was full tries again.
const RETRY_INTERVAL: Duration = Duration::from_millis(1);
/// No frame for so long, and what is owed will not come.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Likewise where losses are counted, which would be waited for at the end of each turn.
const SILENCE_FORGIVEN_MAX: Duration = Duration::from_secs(1);
/// Nor is a server waited for that is so far behind.
pub const DRAIN_FORGIVEN_MAX: Duration = Duration::from_secs(10);
/// Where losses are counted: an author that has heard none of its own for so long takes them for lost, and says as many again.
const STUCK_MAX: Duration = Duration::from_secs(1);
/// Which event is the clock's.
const CLOCK: u64 = u64::MAX;

/// Who comes.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub readers: usize,
    pub authors: usize,
    /// Readers and authors are spread over these; each must have an author.
    pub pages: usize,
}

/// How much authors say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// One text each time, the authors in turn.
    Every(Duration),
    /// As soon as an author has heard one of its own, so many being on their way.
    OnTheWay(u64),
}

/// How long a turn takes.
#[derive(Debug, Clone, Copy)]
pub struct Spell {
    pub warm_up: Duration,
    pub window: Duration,
}

/// What a turn showed.
pub struct Outcome {
    /// In the window.
    pub counts: Counts,
    pub window: Duration,
    /// The server's processor time in the window.
    pub cpu: Duration,
    /// The crowd's own.
    pub own_cpu: Duration,
    /// From when a text was said to when each member had it, of all that came in the window and after it.
    pub latency: Histogram,
    /// Texts that were said, warm-up included.
    pub posts: u64,
    pub lost: u64,
    pub disordered: u64,
    /// Connections that the server has ended so far.
    pub gone: usize,
}

/// See the [module](self).
pub struct Crowd {
    epoll: OwnedFd,
    clock: OwnedFd,
    start: Instant,
    members: Vec<Member>,
    authors: Vec<Author>,
    tally: Tally,
    tongue: Tongue,
    buffer: Vec<u8>,
    /// Authors with something to send.
    eager: Vec<usize>,
    /// Who says the next text at a pace.
    turn: usize,
    gone: usize,
    last_heard: Instant,
}

struct Member {
    stream: TcpStream,
    /// The beginning of a frame.
    carry: Vec<u8>,
}

struct Author {
    frame: Vec<u8>,
    unsent: Vec<u8>,
    sent: usize,
    /// Texts that it has not heard yet.
    on_the_way: u64,
    /// When it last had reason to believe that they arrive.
    heard_at: Instant,
    is_eager: bool,
}

impl Crowd {
    /// Everybody connects.
    pub fn join(place: &Place, tongue: Tongue, size: Size) -> Result<Crowd, String> {
        assert!(size.authors >= size.pages, "each page has an author");
        let count = size.authors + size.readers;
        let tally = Tally::new(tongue, count, size.authors, size.pages);
        let author = |number| Author {
            frame: tally.speech.frame(number),
            unsent: Vec::new(),
            sent: 0,
            on_the_way: 0,
            heard_at: Instant::now(),
            is_eager: false,
        };
        let authors = (0..size.authors).map(author).collect();
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("there is epoll");
        let clock = rustix::time::timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        );
        let clock = clock.expect("there are timers");
        epoll::add(&epoll, &clock, EventData::new_u64(CLOCK), EventFlags::IN)
            .expect("a timer can be waited for");
        let mut members = Vec::with_capacity(count);
        for (number, (stream, carry)) in connect(place, count, size.pages)?.into_iter().enumerate()
        {
            stream.set_nonblocking(true).map_err(|error| error.to_string())?;
            epoll::add(&epoll, &stream, EventData::new_u64(number as u64), EventFlags::IN)
                .expect("a socket can be waited for");
            members.push(Member { stream, carry });
        }
        let now = Instant::now();
        Ok(Crowd {
            epoll,
            clock,
            start: now,
            members,
            authors,
            tally,
            tongue,
            buffer: vec![0; BUFFER_BYTES],
            eager: Vec::new(),
            turn: 0,
            gone: 0,
            last_heard: now,
        })
    }

    /// Authors say and everybody hears, for a spell; then waits until everybody has heard everything. `servers` are whose processor time
    /// is taken.
    ///
    /// # Errors
    /// A sentence about the first frame that is not right. Losses, where they are counted, are none; what was given up may still come, so
    /// after them a new crowd should join.
    pub fn turn(
        &mut self,
        pace: Pace,
        spell: Spell,
        servers: &[Process],
    ) -> Result<Outcome, String> {
        let _apart = Apart::step();
        self.set_clock(pace);
        if let Pace::OnTheWay(count) = pace {
            (0..self.authors.len()).for_each(|author| self.say(author, count));
        }
        let own = Process::own();
        self.listen_until(Instant::now() + spell.warm_up, pace)?;
        let warm_up_posts = self.tally.counts.posts;
        self.tally.begin();
        let cpu_of_all = || servers.iter().map(|server| server.cpu()).sum::<Duration>();
        let (begin, cpu, own_cpu) = (Instant::now(), cpu_of_all(), own.cpu());
        self.listen_until(begin + spell.window, pace)?;
        let window = begin.elapsed();
        let (cpu, own_cpu) = (cpu_of_all().saturating_sub(cpu), own.cpu() - own_cpu);
        let counts = self.tally.counts.clone();
        self.set_clock(Pace::OnTheWay(0));
        self.drain()?;
        let outcome = Outcome {
            posts: warm_up_posts + self.tally.counts.posts,
            counts,
            window,
            cpu,
            own_cpu,
            latency: self.tally.latency.clone(),
            lost: std::mem::take(&mut self.tally.lost),
            disordered: std::mem::take(&mut self.tally.disordered),
            gone: self.gone,
        };
        self.tally.begin();
        Ok(outcome)
    }

    fn set_clock(&self, pace: Pace) {
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let interval = match pace {
            Pace::Every(interval) => Timespec::try_from(interval).expect("a pace is short"),
            Pace::OnTheWay(_) => zero,
        };
        let setting = Itimerspec { it_interval: interval, it_value: interval };
        rustix::time::timerfd_settime(&self.clock, TimerfdTimerFlags::empty(), &setting)
            .expect("a timer can be set");
    }

    fn listen_until(&mut self, end: Instant, pace: Pace) -> Result<(), String> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.step(left.min(STUCK_MAX), pace)?;
            if let Pace::OnTheWay(count) = pace {
                self.unstick(count);
            }
        }
    }

    /// Lets authors whose texts are lost go on, or they would wait for them for ever.
    fn unstick(&mut self, count: u64) {
        if self.tongue == Tongue::Lines {
            return;
        }
        for number in 0..self.authors.len() {
            if self.authors[number].heard_at.elapsed() > STUCK_MAX {
                self.authors[number].on_the_way = 0;
                self.say(number, count);
            }
        }
    }

    fn drain(&mut self) -> Result<(), String> {
        let start = Instant::now();
        self.last_heard = start;
        let forgives = self.tongue != Tongue::Lines;
        let silence = if forgives { SILENCE_FORGIVEN_MAX } else { SILENCE_MAX };
        while self.tally.owed > 0 {
            self.step(RETRY_INTERVAL, Pace::OnTheWay(0))?;
            let is_silent = self.last_heard.elapsed() > silence;
            if is_silent && !forgives {
                return Err(format!("{} frames are missing", self.tally.owed));
            }
            if is_silent || (forgives && start.elapsed() > DRAIN_FORGIVEN_MAX) {
                self.tally.give_up();
            }
        }
        self.authors.iter_mut().for_each(|author| author.on_the_way = 0);
        Ok(())
    }

    /// Waits for events and lets everybody do what is to be done.
    fn step(&mut self, wait: Duration, pace: Pace) -> Result<(), String> {
        let wait = if self.eager.is_empty() { wait } else { wait.min(RETRY_INTERVAL) };
        let wait = Timespec::try_from(wait).expect("a wait is short");
        let mut events = Vec::with_capacity(EVENTS_MAX);
        match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&wait)) {
            Err(rustix::io::Errno::INTR) => {}
            done => drop(done.expect("sockets can be waited for")),
        }
        for event in events {
            match event.data.u64() {
                CLOCK => self.tick(),
                member => self.read(member as usize, pace)?,
            }
        }
        for author in std::mem::take(&mut self.eager) {
            self.send(author)?;
        }
        Ok(())
    }

    /// Says all that is due by now.
    fn tick(&mut self) {
        let mut count = [0; 8];
        // It may have been set anew since it rang.
        if rustix::io::read(&self.clock, &mut count).is_ok() {
            for _ in 0..u64::from_ne_bytes(count) {
                self.say(self.turn, 1);
                self.turn = (self.turn + 1) % self.authors.len();
            }
        }
    }

    fn say(&mut self, number: usize, count: u64) {
        let author = &mut self.authors[number];
        author.on_the_way += count;
        author.heard_at = Instant::now();
        let now = self.start.elapsed().as_nanos() as u64;
        for _ in 0..count {
            speech::number(&mut author.frame, self.tally.say(number, now));
            author.unsent.extend_from_slice(&author.frame);
        }
        if !std::mem::replace(&mut author.is_eager, true) {
            self.eager.push(number);
        }
    }

    /// Without pongs, servers take a silent reader for gone.
    fn answer(&mut self, number: usize, pong: &[u8]) {
        match self.authors.get_mut(number) {
            // It may be in the middle of a frame.
            Some(author) => {
                author.unsent.extend_from_slice(pong);
                if !std::mem::replace(&mut author.is_eager, true) {
                    self.eager.push(number);
                }
            }
            // Nothing else is sent here; an end will be noticed by reading.
            None => drop(self.members[number].stream.write(pong)),
        }
    }

    fn send(&mut self, number: usize) -> Result<(), String> {
        let author = &mut self.authors[number];
        match self.members[number].stream.write(&author.unsent[author.sent..]) {
            Ok(count) => author.sent += count,
            Err(error) if is_soon(&error) => {}
            Err(error) => {
                author.sent = author.unsent.len();
                self.lose(number, &error.to_string())?;
            }
        }
        let author = &mut self.authors[number];
        if author.sent < author.unsent.len() {
            self.eager.push(number);
            return Ok(());
        }
        author.unsent.clear();
        (author.sent, author.is_eager) = (0, false);
        Ok(())
    }

    fn read(&mut self, number: usize, pace: Pace) -> Result<(), String> {
        let member = &mut self.members[number];
        let carried = member.carry.len();
        self.buffer[..carried].copy_from_slice(&member.carry);
        member.carry.clear();
        let count = match member.stream.read(&mut self.buffer[carried..]) {
            Ok(0) => return self.lose(number, "end of stream"),
            Ok(count) => carried + count,
            Err(error) if is_soon(&error) => carried,
            Err(error) => return self.lose(number, &error.to_string()),
        };
        let now = Instant::now();
        self.last_heard = now;
        let now = now.duration_since(self.start).as_nanos() as u64;
        let (mut at, mut own) = (0, 0);
        while let Some(frame) = wire::frame(&self.buffer[..count], at) {
            at = frame.payload.end;
            match frame.kind {
                wire::TEXT => {
                    let (author, done) =
                        self.tally.hear(number, &self.buffer[frame.payload], now)?;
                    own += if author == number { done } else { 0 };
                }
                wire::PING => {
                    let pong = wire::masked(wire::PONG, &self.buffer[frame.payload]);
                    self.answer(number, &pong);
                }
                wire::CLOSE => return self.lose(number, "a close frame"),
                kind => {
                    return Err(format!(
                        "member {number} received a frame that begins with {kind:#x}"
                    ));
                }
            }
        }
        self.members[number].carry.extend_from_slice(&self.buffer[at..count]);
        if own > 0 {
            let author = &mut self.authors[number];
            author.on_the_way = author.on_the_way.saturating_sub(own);
            author.heard_at = Instant::now();
            if let Pace::OnTheWay(most) = pace {
                let more = most.saturating_sub(author.on_the_way);
                if more > 0 {
                    self.say(number, more);
                }
            }
        }
        Ok(())
    }

    /// The server has ended a connection.
    fn lose(&mut self, number: usize, why: &str) -> Result<(), String> {
        if self.tongue == Tongue::Lines {
            return Err(format!("the server ends the connection of member {number}: {why}"));
        }
        // It may be told twice, by reading and by writing.
        if epoll::delete(&self.epoll, &self.members[number].stream).is_ok() {
            self.gone += 1;
        }
        Ok(())
    }
}

fn is_soon(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
