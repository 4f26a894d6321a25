//! Readers who never read, among others who do: what the others feel of it, what it costs in memory, and whether the slow ones, told to
//! come back, then miss nothing.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    thread,
};

use serde_json::Value;

use rig::{
    crowd::{Crowd, Outcome, Pace, Size, Spell},
    place::{Place, answer, ask},
    speech::{self, Tongue},
    table::{Bar, Table, median},
    wire,
};

use crate::{
    Asked,
    program::{Program, make_log},
};

const AUTHORS: usize = 8;
const ROUNDS: usize = 3;
/// A slow reader's own, which fills at once.
const RECEIVE_BUFFER_BYTES: usize = 16 * 1024;
/// What sayso may keep for one slow reader, and for all.
const BACKLOG_BYTES_MAX: usize = 256 * 1024;
const BACKLOGS_BYTES_MAX: usize = 64 * 1024 * 1024;
const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol: sayso.1\r\n";
const TRY_AGAIN: u16 = 1013;
/// Every other slow reader catches up by pages until it is so near the end that it can resume.
const RESUMABLE_LINES: u64 = 500;

/// A reader that has fallen behind, and where it has come to.
struct Slow {
    cursor: u64,
    log: String,
    /// How many lines it got before it was let go.
    lines: u64,
}

/// What it means to come back.
#[derive(Default)]
struct Return {
    paged: u64,
    resumed: u64,
}

pub fn measure(asked: &Asked, data: &Path, table: &mut Table) -> Result<(), String> {
    make_log(data);
    let program = Program::start_with(data, &[]);
    let place = Place { address: program.address, target: "/ws/comments/?page={page}".into() };
    let [quick, slow] = asked.slow_readers;
    let rounds = if asked.measures { ROUNDS } else { 1 };
    let mut p99s = [const { Vec::new() }; 2];
    let (mut peaks, mut kernel) = ([0; 2], 0);
    let (mut lines, mut back) = (0, Return::default());
    for _ in 0..rounds {
        for (with, p99s) in p99s.iter_mut().enumerate() {
            // They are asked to listen before anybody speaks.
            let sleepers = sleepers(&place, slow * with)?;
            let size = Size { readers: quick, authors: AUTHORS, pages: 1 };
            let mut crowd = Crowd::join(&place, Tongue::Lines, size)?;
            let (window, pace) = asked.slow_spell;
            let spell = Spell { warm_up: window / 8, window };
            let before = kernel_bytes();
            let outcome = crowd.turn(Pace::Every(pace), spell, &[program.process()])?;
            kernel = kernel.max(kernel_bytes().saturating_sub(before));
            p99s.push(outcome.latency.percentile(0.99).as_secs_f64() * 1e3);
            peaks[with] = peaks[with].max(program.memory().peak);
            for (number, slow) in wake(sleepers, &outcome)?.into_iter().enumerate() {
                lines += slow.lines;
                back.add(come_back(&place, slow, number % 2 == 1)?);
            }
        }
    }
    let [mut without, mut with] = p99s;
    let what = format!("push latency p99, ms, {quick} readers, 1000/s, with {slow} who don't read");
    table.ratio(&what, median(&mut with), "without", median(&mut without), Bar::AtMost(1.2));
    let each = peaks[1].saturating_sub(peaks[0]) as f64 / slow as f64 / 1024.0;
    let bound = BACKLOG_BYTES_MAX.min(BACKLOGS_BYTES_MAX / slow) as f64 / 1024.0;
    let what = "memory for each of them at most, KiB";
    table.ratio(what, each, "backlog", bound, Bar::AtMost(1.0));
    let count = (rounds * slow) as u64;
    table.note(
        what,
        &format!(
            "resident, peak with them less peak without; sockets of the whole machine held {} KiB each besides, in the kernel",
            kernel / slow as u64 / 1024
        ),
    );
    table.note(
        "they",
        &format!(
            "had {} lines each, then {TRY_AGAIN}; came back and missed none: {} by pages, {} resumed",
            lines / count,
            back.paged,
            back.resumed
        ),
    );
    Ok(())
}

/// Readers who will not read until they are woken.
fn sleepers(place: &Place, count: usize) -> Result<Vec<(TcpStream, Vec<u8>)>, String> {
    let sleeper = |_| {
        let asked = ask(place, 0, SUBPROTOCOL, Some(RECEIVE_BUFFER_BYTES));
        let mut stream = asked.map_err(|error| format!("a slow reader can't connect: {error}"))?;
        let rest = answer(&mut stream)?;
        Ok((stream, rest))
    };
    (0..count).map(sleeper).collect()
}

/// Everybody reads, at once since sayso's patience is short, all that there is: lines without a gap, then the close.
fn wake(sleepers: Vec<(TcpStream, Vec<u8>)>, outcome: &Outcome) -> Result<Vec<Slow>, String> {
    let read = |(mut stream, mut bytes): (TcpStream, Vec<u8>)| {
        let end = stream.read_to_end(&mut bytes);
        end.map_err(|error| format!("a slow reader's stream does not end well: {error}"))?;
        let (slow, close) = heard(&bytes)?;
        if close != Some(TRY_AGAIN) {
            return Err(format!("a slow reader's last frame is not a close with {TRY_AGAIN}"));
        }
        match slow.lines < outcome.posts {
            true => Ok(slow),
            false => Err(format!("a slow reader got all {} lines, and was let go", slow.lines)),
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> =
            sleepers.into_iter().map(|sleeper| scope.spawn(move || read(sleeper))).collect();
        threads.into_iter().map(|thread| thread.join().expect("reading does not panic")).collect()
    })
}

/// What somebody heard from their hello on, and the code of the close frame, if that is the end.
fn heard(bytes: &[u8]) -> Result<(Slow, Option<u16>), String> {
    let (hello, mut at) = hello(bytes)?.ok_or("a slow reader hears no hello")?;
    let mut slow = Slow { cursor: hello.seq, log: hello.log, lines: 0 };
    let mut close = None;
    while let Some(frame) = wire::frame(bytes, at) {
        at = frame.payload.end;
        let payload = &bytes[frame.payload];
        match frame.kind {
            wire::TEXT => slow.hear(payload)?,
            wire::CLOSE => {
                close = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                break;
            }
            _ => {}
        }
    }
    match at == bytes.len() {
        true => Ok((slow, close)),
        false => Err("a slow reader's last frame is not whole".into()),
    }
}

/// Comes back as a client of `sayso.1` does, and hears of everything up to what was said last.
fn come_back(place: &Place, mut slow: Slow, resumes: bool) -> Result<Return, String> {
    let mut back = Return::default();
    loop {
        let query = format!("&since={}&log={}", slow.cursor, slow.log);
        let place = Place { target: place.target.clone() + &query, ..place.clone() };
        let asked = ask(&place, 0, SUBPROTOCOL, None);
        let mut stream = asked.map_err(|error| format!("a reader can't come back: {error}"))?;
        let mut bytes = answer(&mut stream)?;
        let (hello, mut at) = loop {
            match hello(&bytes)? {
                Some(hello) => break hello,
                None => fill(&mut stream, &mut bytes)?,
            }
        };
        if hello.resumed {
            while slow.cursor < hello.seq {
                match wire::frame(&bytes, at) {
                    Some(frame) => {
                        at = frame.payload.end;
                        slow.hear(&bytes[frame.payload])?;
                    }
                    None => fill(&mut stream, &mut bytes)?,
                }
            }
            back.resumed += 1;
            return Ok(back);
        }
        back.paged += 1;
        while !(resumes && slow.cursor + RESUMABLE_LINES >= hello.seq) {
            if !page(place.address, &mut slow)? {
                return match slow.cursor == hello.seq {
                    true => Ok(back),
                    false => Err(format!("pages end at {} instead of {}", slow.cursor, hello.seq)),
                };
            }
        }
    }
}

/// Reads one page of what has been missed; whether there is more.
fn page(address: SocketAddr, slow: &mut Slow) -> Result<bool, String> {
    let target = format!("/api/comments?page=page-00&since={}&limit=200", slow.cursor);
    let read = || {
        let mut stream = TcpStream::connect(address)?;
        let head = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        std::io::Result::Ok(bytes)
    };
    let bytes = read().map_err(|error| format!("{target}: {error}"))?;
    let body = wire::head_end(&bytes).map(|end| &bytes[end..]).unwrap_or_default();
    let body: Value = serde_json::from_slice(body).map_err(|error| format!("{target}: {error}"))?;
    for line in body["comments"].as_array().ok_or("an answer without comments")? {
        slow.follow(line["seq"].as_u64().ok_or("a comment without seq")?)?;
    }
    body["more"].as_bool().ok_or_else(|| "an answer that does not say whether there is more".into())
}

/// The first frame of `sayso.1`.
struct Hello {
    log: String,
    seq: u64,
    resumed: bool,
}

/// The hello, if it is there, and where it ends.
fn hello(bytes: &[u8]) -> Result<Option<(Hello, usize)>, String> {
    let Some(frame) = wire::frame(bytes, 0) else { return Ok(None) };
    let end = frame.payload.end;
    let value: Value =
        serde_json::from_slice(&bytes[frame.payload]).map_err(|error| error.to_string())?;
    let hello = &value["hello"];
    let log = hello["log"].as_str().ok_or("a hello without log")?.to_owned();
    let seq = hello["seq"].as_u64().ok_or("a hello without seq")?;
    Ok(Some((Hello { log, seq, resumed: hello["resumed"] == true }, end)))
}

fn fill(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<(), String> {
    let mut some = [0; 16 * 1024];
    match stream.read(&mut some) {
        Ok(0) => Err("the stream of somebody who came back ends".into()),
        Ok(count) => {
            bytes.extend_from_slice(&some[..count]);
            Ok(())
        }
        Err(error) => Err(format!("somebody who came back waits in vain: {error}")),
    }
}

impl Slow {
    /// Heeds lines, passes over counts of readers and the like.
    fn hear(&mut self, text: &[u8]) -> Result<(), String> {
        match speech::seq(text) {
            Some(seq) => self.follow(seq),
            None => Ok(()),
        }
    }

    /// All comments are on the one page, so their numbers have no gaps.
    fn follow(&mut self, seq: u64) -> Result<(), String> {
        if seq != self.cursor + 1 {
            return Err(format!("a slow reader hears of {seq} after {}", self.cursor));
        }
        self.cursor = seq;
        self.lines += 1;
        Ok(())
    }
}

impl Return {
    fn add(&mut self, other: Return) {
        self.paged += other.paged;
        self.resumed += other.resumed;
    }
}

/// What all TCP sockets of the machine hold in buffers.
fn kernel_bytes() -> u64 {
    let text = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let pages = text.lines().find_map(|line| line.strip_prefix("TCP:")?.split_once("mem "));
    pages.and_then(|(_, pages)| pages.trim().parse::<u64>().ok()).unwrap_or(0) * 4096
}
