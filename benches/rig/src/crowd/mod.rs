//! One thread plays all readers and all authors of a server, over as many sockets, and checks every frame on each.
//!
//! Authors read too. For a server that speaks sayso's lines, the first frame that is missing, doubled, out of order or unknown is an
//! error; for one that echoes texts, losses are counted. Knows sockets and time, but not what the texts contain.

mod events;

use std::{
    net::TcpStream,
    slice,
    time::{Duration, Instant},
};

use rustix::{
    event::epoll::{self, EventData, EventFlags},
    fd::OwnedFd,
    time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec},
};

use crate::{
    cores,
    delivery_check::{Counts, DeliveryCheck},
    endpoint::{Endpoint, connect},
    histogram::Histogram,
    messages::Format,
    process::Process,
};

/// Far more than one read returns.
const BUFFER_BYTES: usize = 1 << 20;
/// Where losses are counted, a server that is so far behind is not waited for any longer.
pub const DRAIN_TIMEOUT_LOSSY: Duration = Duration::from_secs(10);
/// The timer's number among the events.
const TIMER: u64 = u64::MAX;

/// How many connect.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub readers: usize,
    pub authors: usize,
    /// Readers and authors are spread over these; each must have an author.
    pub pages: usize,
}

/// How much authors send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// One text at this interval, the authors in turn.
    Every(Duration),
    /// Each author keeps so many of its texts in flight.
    InFlight(u64),
}

/// How long a round takes.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    pub warm_up: Duration,
    pub window: Duration,
}

/// What a round showed.
pub struct Outcome {
    /// In the window.
    pub counts: Counts,
    pub window: Duration,
    /// The server's processor time in the window.
    pub cpu: Duration,
    /// The crowd's own.
    pub own_cpu: Duration,
    /// From when a text was sent to when each member received it, for all that came in the window and after it.
    pub latency: Histogram,
    /// Texts that were sent, warm-up included.
    pub posts: u64,
    pub lost: u64,
    /// The same for each member, authors first.
    pub lost_by_member: Vec<u64>,
    pub out_of_order: u64,
    /// Connections that the server has ended so far.
    pub closed: usize,
}

/// See the [module](self).
pub struct Crowd {
    epoll: OwnedFd,
    timer: OwnedFd,
    start: Instant,
    members: Vec<Member>,
    authors: Vec<Author>,
    check: DeliveryCheck,
    format: Format,
    buffer: Vec<u8>,
    /// Authors with something to send.
    pending: Vec<usize>,
    /// Who sends the next text at a pace.
    next_author: usize,
    closed: usize,
    last_received: Instant,
}

struct Member {
    stream: TcpStream,
    /// The beginning of a frame.
    partial: Vec<u8>,
}

struct Author {
    frame: Vec<u8>,
    unsent: Vec<u8>,
    sent: usize,
    /// Texts of its own that it has not received yet.
    in_flight: u64,
    /// When it last sent a text or received one of its own.
    received_at: Instant,
    is_pending: bool,
}

impl Crowd {
    /// Connects everybody.
    pub fn join(endpoint: &Endpoint, format: Format, size: Size) -> Result<Crowd, String> {
        Crowd::join_all(slice::from_ref(endpoint), format, size)
    }

    /// Connects everybody, to several servers in turn; what is sent to one of them is expected from all.
    pub fn join_all(endpoints: &[Endpoint], format: Format, size: Size) -> Result<Crowd, String> {
        assert!(size.authors >= size.pages, "each page has an author");
        let count = size.authors + size.readers;
        let check = DeliveryCheck::new(format, count, size.authors, size.pages);
        let author = |number| Author {
            frame: check.messages.frame(number),
            unsent: Vec::new(),
            sent: 0,
            in_flight: 0,
            received_at: Instant::now(),
            is_pending: false,
        };
        let authors = (0..size.authors).map(author).collect();
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("there is epoll");
        let timer = rustix::time::timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        );
        let timer = timer.expect("there are timers");
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN)
            .expect("a timer can be waited for");
        let mut members = Vec::with_capacity(count);
        for (number, (stream, partial)) in
            connect(endpoints, count, size.pages)?.into_iter().enumerate()
        {
            stream.set_nonblocking(true).map_err(|error| error.to_string())?;
            epoll::add(&epoll, &stream, EventData::new_u64(number as u64), EventFlags::IN)
                .expect("a socket can be waited for");
            members.push(Member { stream, partial });
        }
        let now = Instant::now();
        Ok(Crowd {
            epoll,
            timer,
            start: now,
            members,
            authors,
            check,
            format,
            buffer: vec![0; BUFFER_BYTES],
            pending: Vec::new(),
            next_author: 0,
            closed: 0,
            last_received: now,
        })
    }

    /// Authors send for a while and everybody receives; then waits until everybody has received everything. Measures the processor time of
    /// `servers`.
    ///
    /// # Errors
    /// A sentence about the first frame that is not right. Where losses are counted they are no error; what was written off may still come, so
    /// after a loss a new crowd should join.
    pub fn round(
        &mut self,
        pace: Pace,
        timing: Timing,
        servers: &[Process],
    ) -> Result<Outcome, String> {
        let _pinned = cores::pin_to_last();
        self.set_timer(pace);
        if let Pace::InFlight(count) = pace {
            (0..self.authors.len()).for_each(|author| self.send_texts(author, count));
        }
        let own = Process::own();
        self.run_until(Instant::now() + timing.warm_up, pace)?;
        let warm_up_posts = self.check.counts.posts;
        self.check.begin();
        let cpu_of_all = || servers.iter().map(|server| server.cpu()).sum::<Duration>();
        let (begin, cpu, own_cpu) = (Instant::now(), cpu_of_all(), own.cpu());
        self.run_until(begin + timing.window, pace)?;
        let window = begin.elapsed();
        let (cpu, own_cpu) = (cpu_of_all().saturating_sub(cpu), own.cpu() - own_cpu);
        let counts = self.check.counts.clone();
        self.set_timer(Pace::InFlight(0));
        self.drain()?;
        let outcome = Outcome {
            posts: warm_up_posts + self.check.counts.posts,
            counts,
            window,
            cpu,
            own_cpu,
            latency: self.check.latency.clone(),
            lost: self.check.lost.iter().sum(),
            lost_by_member: self.check.lost.clone(),
            out_of_order: std::mem::take(&mut self.check.out_of_order),
            closed: self.closed,
        };
        self.check.lost.fill(0);
        self.check.begin();
        Ok(outcome)
    }

    fn set_timer(&self, pace: Pace) {
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let interval = match pace {
            Pace::Every(interval) => Timespec::try_from(interval).expect("a pace is short"),
            Pace::InFlight(_) => zero,
        };
        let setting = Itimerspec { it_interval: interval, it_value: interval };
        rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &setting)
            .expect("a timer can be set");
    }
}
