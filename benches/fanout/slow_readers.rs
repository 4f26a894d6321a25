//! Readers that never read, beside others that do: whether the others notice, what it costs in memory, and whether the slow ones miss
//! nothing when they come back.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    thread,
    time::Duration,
};

use serde_json::Value;

use rig::{
    crowd::{Crowd, Pace, Size, Timing},
    endpoint::{Endpoint, read_upgrade, request_upgrade},
    messages::{self, Format},
    table::{Bar, Table, median},
    wire,
};

use super::{Options, calibration};
use crate::{log_file, program::Program};

const AUTHORS: usize = 8;
/// The rate where numbers are tiny: nothing is calibrated.
const RATE_TINY: usize = 100;
/// A slow reader's sockets take about 1,060 lines and its outbox 1,080 more. The first phase fills the sockets and some of the outbox, so
/// that sayso has slow readers to retry while it is measured; the last phase makes every outbox overflow.
const FILL_INTERVAL: Duration = Duration::from_millis(1);
const FILL_TIME: Duration = Duration::from_millis(1_300);
const MEASURED: Duration = Duration::from_millis(2_000);
const MEASURED_TINY: Duration = Duration::from_millis(100);
/// At a high rate, an outbox may overflow while it is measured; sayso closes its reader 5 s later, and by then the reader must read.
const OVERFLOW_TIME: Duration = Duration::from_millis(1_200);
/// A slow reader's receive buffer, which fills at once.
const RECEIVE_BUFFER_BYTES: usize = 16 * 1024;
/// What sayso may keep for one slow reader, and for all.
const OUTBOX_BYTES_MAX: usize = 256 * 1024;
const OUTBOXES_BYTES_MAX: usize = 64 * 1024 * 1024;
const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol: sayso.1\r\n";
const TRY_AGAIN: u16 = 1013;
/// Every other slow reader catches up by pages of history until it is so near the end that it can resume.
const RESUMABLE_LINES: u64 = 500;

/// A reader that has fallen behind, and how far it has come.
struct SlowReader {
    cursor: u64,
    log: String,
    /// How many lines it got before it was closed.
    lines: u64,
}

/// How readers came back.
#[derive(Default)]
struct Returns {
    paged: u64,
    resumed: u64,
}

/// Readers that keep up, and how fast they get comments.
struct Load {
    size: Size,
    /// While it is measured.
    pace: Pace,
}

pub fn measure(options: &Options, data: &Path, table: &mut Table) -> Result<(), String> {
    log_file::write_empty(data);
    let program = Program::start_with(data, &[]);
    let endpoint =
        Endpoint { address: program.address, target: "/ws/comments/?page={page}".into() };
    let [quick, slow] = options.slow_readers;
    let size = Size { readers: quick, authors: AUTHORS, pages: 1 };
    let rate = if options.measures { calibration::rate_for(size)? } else { RATE_TINY };
    let load = Load { size, pace: calibration::pace(rate) };
    let mut p99s = [const { Vec::new() }; 2];
    let (mut peaks, mut kernel) = ([0; 2], 0);
    let (mut lines, mut returns) = (0, Returns::default());
    for number in 0..options.slow_rounds {
        for (with, p99s) in p99s.iter_mut().enumerate() {
            let stalled = connect_stalled(&endpoint, slow * with)?;
            let before = kernel_bytes();
            let (p99, posts) = round(options, &endpoint, &load, &program)?;
            kernel = kernel.max(kernel_bytes().saturating_sub(before));
            p99s.push(p99);
            // A peak lasts for the process's life: without slow readers, only the first one counts.
            if with == 1 || number == 0 {
                peaks[with] = peaks[with].max(program.memory().peak);
            }
            for (at, slow) in read_all(stalled, posts)?.into_iter().enumerate() {
                lines += slow.lines;
                returns.add(come_back(&endpoint, slow, at % 2 == 1)?);
            }
        }
    }
    let [mut without, mut with] = p99s;
    let what = format!("p99, ms, {quick} readers beside {slow} that never read, {rate} comments/s");
    table.ratio(&what, median(&mut with), "without them", median(&mut without), Bar::AtMost(1.2));
    let each = peaks[1].saturating_sub(peaks[0]) as f64 / slow as f64 / 1024.0;
    let bound = OUTBOX_BYTES_MAX.min(OUTBOXES_BYTES_MAX / slow) as f64 / 1024.0;
    let what = "memory for each that never reads, KiB";
    table.ratio(what, each, "its outbox's limit", bound, Bar::AtMost(1.0));
    let count = (options.slow_rounds * slow) as u64;
    let kernel = kernel / slow as u64 / 1024;
    table.note(
        what,
        &format!(
            "peak resident memory with them less the peak without; TCP buffers of the whole machine held {kernel} KiB each besides"
        ),
    );
    table.note(
        "those that never read",
        &format!(
            "had {} lines each when they were closed with {TRY_AGAIN}; they came back and missed none: {} by pages, {} resumed",
            lines / count,
            returns.paged,
            returns.resumed
        ),
    );
    Ok(())
}

/// Fills the sockets and part of the outboxes, measures, then overflows the outboxes. Returns p99 in milliseconds, and all posts.
fn round(
    options: &Options,
    endpoint: &Endpoint,
    load: &Load,
    program: &Program,
) -> Result<(f64, u64), String> {
    let mut crowd = Crowd::join(endpoint, Format::Lines, load.size)?;
    let fill = Pace::Every(FILL_INTERVAL);
    let mut run =
        |pace, window, warm_up| crowd.round(pace, Timing { warm_up, window }, &[program.process()]);
    let measured = if options.measures { MEASURED } else { MEASURED_TINY };
    let first = run(fill, FILL_TIME, Duration::ZERO)?;
    let outcome = run(load.pace, measured, measured / 8)?;
    let last = run(fill, OVERFLOW_TIME, Duration::ZERO)?;
    let p99 = outcome.latency.percentile(0.99).as_secs_f64() * 1e3;
    Ok((p99, first.posts + outcome.posts + last.posts))
}

/// Connects readers that read nothing so far.
fn connect_stalled(endpoint: &Endpoint, count: usize) -> Result<Vec<(TcpStream, Vec<u8>)>, String> {
    let connect = |_| {
        let stream = request_upgrade(endpoint, 0, SUBPROTOCOL, Some(RECEIVE_BUFFER_BYTES));
        let mut stream = stream.map_err(|error| format!("a slow reader can't connect: {error}"))?;
        let rest = read_upgrade(&mut stream)?;
        Ok((stream, rest))
    };
    (0..count).map(connect).collect()
}

/// Reads all that there is, at all readers at once since sayso closes them soon: lines without a gap, then the close frame.
fn read_all(stalled: Vec<(TcpStream, Vec<u8>)>, posts: u64) -> Result<Vec<SlowReader>, String> {
    let read = |(mut stream, mut bytes): (TcpStream, Vec<u8>)| {
        let end = stream.read_to_end(&mut bytes);
        end.map_err(|error| format!("a slow reader's stream does not end well: {error}"))?;
        let (slow, close) = parse(&bytes)?;
        if close != Some(TRY_AGAIN) {
            return Err(format!("a slow reader's last frame is not a close with {TRY_AGAIN}"));
        }
        match slow.lines < posts {
            true => Ok(slow),
            false => Err(format!("a slow reader got all {} lines, and was closed", slow.lines)),
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> =
            stalled.into_iter().map(|reader| scope.spawn(move || read(reader))).collect();
        threads.into_iter().map(|thread| thread.join().expect("reading does not panic")).collect()
    })
}

/// Parses what a reader received, from the hello on, and the code of the close frame at its end.
fn parse(bytes: &[u8]) -> Result<(SlowReader, Option<u16>), String> {
    let (hello, mut at) = hello(bytes)?.ok_or("a slow reader gets no hello")?;
    let mut slow = SlowReader { cursor: hello.seq, log: hello.log, lines: 0 };
    let mut close = None;
    while let Some(frame) = wire::frame(bytes, at) {
        at = frame.payload.end;
        let payload = &bytes[frame.payload];
        match frame.kind {
            wire::TEXT => slow.receive(payload)?,
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

/// Comes back as a client of `sayso.1` does, and catches up to the last line.
fn come_back(endpoint: &Endpoint, mut slow: SlowReader, resumes: bool) -> Result<Returns, String> {
    let mut returns = Returns::default();
    loop {
        let query = format!("&since={}&log={}", slow.cursor, slow.log);
        let endpoint = Endpoint { target: endpoint.target.clone() + &query, ..endpoint.clone() };
        let stream = request_upgrade(&endpoint, 0, SUBPROTOCOL, None);
        let mut stream = stream.map_err(|error| format!("a reader can't come back: {error}"))?;
        let mut bytes = read_upgrade(&mut stream)?;
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
                        slow.receive(&bytes[frame.payload])?;
                    }
                    None => fill(&mut stream, &mut bytes)?,
                }
            }
            returns.resumed += 1;
            return Ok(returns);
        }
        returns.paged += 1;
        while !(resumes && slow.cursor + RESUMABLE_LINES >= hello.seq) {
            if !page(endpoint.address, &mut slow)? {
                return match slow.cursor == hello.seq {
                    true => Ok(returns),
                    false => Err(format!("pages end at {} instead of {}", slow.cursor, hello.seq)),
                };
            }
        }
    }
}

/// Reads one page of what was missed; returns whether there is more.
fn page(address: SocketAddr, slow: &mut SlowReader) -> Result<bool, String> {
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
    for line in body["comments"].as_array().ok_or("a response without comments")? {
        slow.follow(line["seq"].as_u64().ok_or("a comment without seq")?)?;
    }
    body["more"].as_bool().ok_or_else(|| "a response without `more`".into())
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
        Ok(0) => Err("the stream of a reader that came back ends".into()),
        Ok(count) => {
            bytes.extend_from_slice(&some[..count]);
            Ok(())
        }
        Err(error) => Err(format!("a reader that came back gets nothing: {error}")),
    }
}

impl SlowReader {
    /// Notes lines, and skips the number of readers and the like.
    fn receive(&mut self, text: &[u8]) -> Result<(), String> {
        match messages::seq(text) {
            Some(seq) => self.follow(seq),
            None => Ok(()),
        }
    }

    /// All comments are on the one page, so their numbers have no gaps.
    fn follow(&mut self, seq: u64) -> Result<(), String> {
        if seq != self.cursor + 1 {
            return Err(format!("a slow reader gets {seq} after {}", self.cursor));
        }
        self.cursor = seq;
        self.lines += 1;
        Ok(())
    }
}

impl Returns {
    fn add(&mut self, other: Returns) {
        self.paged += other.paged;
        self.resumed += other.resumed;
    }
}

/// The buffers of all TCP sockets of the machine.
fn kernel_bytes() -> u64 {
    let text = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let pages = text.lines().find_map(|line| line.strip_prefix("TCP:")?.split_once("mem "));
    pages.and_then(|(_, pages)| pages.trim().parse::<u64>().ok()).unwrap_or(0) * 4096
}
