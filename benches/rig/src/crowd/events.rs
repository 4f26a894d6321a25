//! The crowd's event loop: what is sent, what is read, and what is waited for.

use std::{
    io::{self, Read, Write},
    time::{Duration, Instant},
};

use rustix::{buffer::spare_capacity, event::epoll, time::Timespec};

use super::{Crowd, DRAIN_TIMEOUT_LOSSY, Pace, TIMER};
use crate::{
    messages::{self, Format},
    wire,
};

const EVENTS_MAX: usize = 1_024;
/// An author whose socket was full tries again after this.
const RETRY_INTERVAL: Duration = Duration::from_millis(1);
/// After so long without any frame, the outstanding ones are missing. A node needs some seconds to find Redis again.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// The same where losses are counted: every round may end with that wait.
const SILENCE_LOSSY_MAX: Duration = Duration::from_secs(1);
/// Where losses are counted, an author that has not received any text of its own for so long takes them for lost and sends as many again.
const STUCK_MAX: Duration = Duration::from_secs(1);

impl Crowd {
    pub(super) fn run_until(&mut self, end: Instant, pace: Pace) -> Result<(), String> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.step(left.min(STUCK_MAX), pace)?;
            if let Pace::InFlight(count) = pace {
                self.resend_lost(count);
            }
        }
    }

    /// Lets authors whose texts are lost send new ones; they would wait for ever otherwise.
    fn resend_lost(&mut self, count: u64) {
        if self.format == Format::Lines {
            return;
        }
        for number in 0..self.authors.len() {
            if self.authors[number].received_at.elapsed() > STUCK_MAX {
                self.authors[number].in_flight = 0;
                self.send_texts(number, count);
            }
        }
    }

    pub(super) fn drain(&mut self) -> Result<(), String> {
        let start = Instant::now();
        self.last_received = start;
        let is_lossy = self.format != Format::Lines;
        let silence = if is_lossy { SILENCE_LOSSY_MAX } else { SILENCE_MAX };
        while self.check.outstanding > 0 {
            self.step(RETRY_INTERVAL, Pace::InFlight(0))?;
            let is_silent = self.last_received.elapsed() > silence;
            if is_silent && !is_lossy {
                return Err(format!("{} frames are missing", self.check.outstanding));
            }
            if is_silent || (is_lossy && start.elapsed() > DRAIN_TIMEOUT_LOSSY) {
                self.check.write_off();
            }
        }
        self.authors.iter_mut().for_each(|author| author.in_flight = 0);
        Ok(())
    }

    /// Waits for events once and handles them.
    fn step(&mut self, wait: Duration, pace: Pace) -> Result<(), String> {
        let wait = if self.pending.is_empty() { wait } else { wait.min(RETRY_INTERVAL) };
        let wait = Timespec::try_from(wait).expect("a wait is short");
        let mut events = Vec::with_capacity(EVENTS_MAX);
        match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&wait)) {
            Err(rustix::io::Errno::INTR) => {}
            done => drop(done.expect("sockets can be waited for")),
        }
        for event in events {
            match event.data.u64() {
                TIMER => self.on_timer(),
                member => self.read(member as usize, pace)?,
            }
        }
        for author in std::mem::take(&mut self.pending) {
            self.send(author)?;
        }
        Ok(())
    }

    /// Sends all texts that are due by now.
    fn on_timer(&mut self) {
        let mut count = [0; 8];
        // It may have been set anew since it fired.
        if rustix::io::read(&self.timer, &mut count).is_ok() {
            for _ in 0..u64::from_ne_bytes(count) {
                self.send_texts(self.next_author, 1);
                self.next_author = (self.next_author + 1) % self.authors.len();
            }
        }
    }

    pub(super) fn send_texts(&mut self, number: usize, count: u64) {
        let author = &mut self.authors[number];
        author.in_flight += count;
        author.received_at = Instant::now();
        let now = self.start.elapsed().as_nanos() as u64;
        for _ in 0..count {
            messages::write_number(&mut author.frame, self.check.sent(number, now));
            author.unsent.extend_from_slice(&author.frame);
        }
        if !std::mem::replace(&mut author.is_pending, true) {
            self.pending.push(number);
        }
    }

    /// Servers close readers that don't answer pings.
    fn pong(&mut self, number: usize, pong: &[u8]) {
        match self.authors.get_mut(number) {
            // It may be in the middle of a frame.
            Some(author) => {
                author.unsent.extend_from_slice(pong);
                if !std::mem::replace(&mut author.is_pending, true) {
                    self.pending.push(number);
                }
            }
            // Nothing else is sent here; reading notices a closed connection.
            None => drop(self.members[number].stream.write(pong)),
        }
    }

    fn send(&mut self, number: usize) -> Result<(), String> {
        let author = &mut self.authors[number];
        match self.members[number].stream.write(&author.unsent[author.sent..]) {
            Ok(count) => author.sent += count,
            Err(error) if is_temporary(&error) => {}
            Err(error) => {
                author.sent = author.unsent.len();
                self.closed_by_server(number, &error.to_string())?;
            }
        }
        let author = &mut self.authors[number];
        if author.sent < author.unsent.len() {
            self.pending.push(number);
            return Ok(());
        }
        author.unsent.clear();
        (author.sent, author.is_pending) = (0, false);
        Ok(())
    }

    fn read(&mut self, number: usize, pace: Pace) -> Result<(), String> {
        let member = &mut self.members[number];
        let carried = member.partial.len();
        self.buffer[..carried].copy_from_slice(&member.partial);
        member.partial.clear();
        let count = match member.stream.read(&mut self.buffer[carried..]) {
            Ok(0) => return self.closed_by_server(number, "end of stream"),
            Ok(count) => carried + count,
            Err(error) if is_temporary(&error) => carried,
            Err(error) => return self.closed_by_server(number, &error.to_string()),
        };
        let now = Instant::now();
        self.last_received = now;
        let now = now.duration_since(self.start).as_nanos() as u64;
        let (mut at, mut own) = (0, 0);
        while let Some(frame) = wire::frame(&self.buffer[..count], at) {
            at = frame.payload.end;
            match frame.kind {
                wire::TEXT => {
                    let (author, done) =
                        self.check.received(number, &self.buffer[frame.payload], now)?;
                    own += if author == number { done } else { 0 };
                }
                wire::PING => {
                    let pong = wire::masked(wire::PONG, &self.buffer[frame.payload]);
                    self.pong(number, &pong);
                }
                wire::CLOSE => return self.closed_by_server(number, "a close frame"),
                kind => {
                    return Err(format!(
                        "member {number} received a frame that begins with {kind:#x}"
                    ));
                }
            }
        }
        self.members[number].partial.extend_from_slice(&self.buffer[at..count]);
        if own > 0 {
            let author = &mut self.authors[number];
            author.in_flight = author.in_flight.saturating_sub(own);
            author.received_at = Instant::now();
            if let Pace::InFlight(most) = pace {
                let more = most.saturating_sub(author.in_flight);
                if more > 0 {
                    self.send_texts(number, more);
                }
            }
        }
        Ok(())
    }

    /// The server has closed a connection.
    fn closed_by_server(&mut self, number: usize, why: &str) -> Result<(), String> {
        if self.format == Format::Lines {
            return Err(format!("the server ends the connection of member {number}: {why}"));
        }
        // Both reading and writing may notice it.
        if epoll::delete(&self.epoll, &self.members[number].stream).is_ok() {
            self.closed += 1;
        }
        Ok(())
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
