//! Tests of `stream.rs`.

use std::collections::VecDeque;

use super::*;

/// A client that sends each part after a delay, and then closes the connection or stays silent.
struct Script {
    incoming: VecDeque<(Duration, Vec<u8>)>,
    stays_silent: bool,
    now: Instant,
    timeout: Duration,
    /// The bytes that the client takes per write, and how long that takes.
    takes: (usize, Duration),
    written: Vec<u8>,
    writes: usize,
    write_is_shut_down: bool,
    /// How long closing waits, and when that was set.
    linger: Option<(Duration, Instant)>,
}

impl Script {
    fn of<B: AsRef<[u8]>>(parts: impl IntoIterator<Item = B>, every: Duration) -> Script {
        Script {
            incoming: parts.into_iter().map(|part| (every, part.as_ref().to_vec())).collect(),
            stays_silent: false,
            now: Instant::now(),
            timeout: Duration::MAX,
            takes: (usize::MAX, Duration::ZERO),
            written: Vec::new(),
            writes: 0,
            write_is_shut_down: false,
            linger: None,
        }
    }
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some((wait, mut part)) = self.incoming.pop_front() else {
            if !self.stays_silent {
                return Ok(0);
            }
            self.now += self.timeout;
            return Err(ErrorKind::WouldBlock.into());
        };
        if wait > self.timeout {
            self.now += self.timeout;
            self.incoming.push_front((wait - self.timeout, part));
            return Err(ErrorKind::WouldBlock.into());
        }
        self.now += wait;
        let n = part.len().min(buffer.len());
        buffer[..n].copy_from_slice(&part[..n]);
        if n < part.len() {
            self.incoming.push_front((Duration::ZERO, part.split_off(n)));
        }
        Ok(n)
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let all = parts.iter().flat_map(|part| part.iter().copied()).collect::<Vec<_>>();
        if self.takes.1 > self.timeout {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.now += self.takes.1;
        let n = all.len().min(self.takes.0);
        self.written.extend_from_slice(&all[..n]);
        self.writes += 1;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for &mut Script {
    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        assert!(!timeout.is_zero());
        self.timeout = timeout;
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.set_read_timeout(timeout)
    }

    fn shutdown_write(&mut self) {
        self.write_is_shut_down = true;
    }

    fn set_linger(&mut self, timeout: Duration) {
        self.linger = Some((timeout, self.now));
    }

    fn now(&self) -> Instant {
        self.now
    }
}

/// Responds to every request with its method, target and body, and returns what was written.
fn echo(script: &mut Script) -> (String, Closed) {
    let mut http = HttpStream::new(script);
    let closed = loop {
        let mut next = || {
            let head = http.read_head()?;
            let body = String::from_utf8(http.read_body(&head)?).unwrap();
            let message = format!("[{} {} {body}]", head.method(), head.target());
            http.respond(&head, &Response::from_error(&HttpError::new(200, message)), true)
        };
        if let Err(closed) = next() {
            break closed;
        }
    };
    let script = &mut *http.transport;
    let written = String::from_utf8(std::mem::take(&mut script.written)).unwrap();
    http.close(&closed);
    (written, closed)
}

const MOMENT: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";

/// The bracketed parts of what was written, one per response.
fn responses(written: &str) -> Vec<&str> {
    written.split('[').skip(1).map(|one| one.split(']').next().unwrap()).collect()
}

#[test]
fn pipelined_requests_are_answered_in_order_wherever_they_are_split() {
    let all = [GET, POST, GET].concat();
    let whole = echo(&mut Script::of([&all], MOMENT));
    assert_eq!(responses(&whole.0), ["GET /a ", "POST /b body", "GET /a "]);
    assert_eq!(whole.1, Closed::Gone);
    for split in 1..all.len() {
        assert_eq!(echo(&mut Script::of([&all[..split], &all[split..]], MOMENT)), whole, "{split}");
    }
    assert_eq!(echo(&mut Script::of(all.as_bytes().chunks(1), MOMENT)), whole);
}

#[test]
fn a_response_is_one_write_and_the_same_if_taken_byte_by_byte() {
    let mut script = Script::of([GET], MOMENT);
    let whole = echo(&mut script);
    assert_eq!(script.writes, 1);
    let mut script = Script { takes: (1, MOMENT), ..Script::of([GET], MOMENT) };
    assert_eq!(echo(&mut script), whole);
    assert!(script.writes > 100);
}

#[test]
fn a_head_has_ten_seconds_in_all_however_many_parts_it_has() {
    let drip = |n: usize| Script::of(GET.as_bytes()[..n].chunks(1), SECOND);
    let mut slow = Script { stays_silent: true, ..drip(11) };
    let (_, closed) = echo(&mut slow);
    let message = "only 10 bytes of the head arrived within 10 s";
    assert_eq!(closed, Closed::Refused(HttpError::new(408, message).with("seconds", 10_u32)));
    assert!(String::from_utf8_lossy(&slow.written).starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    let quarter = GET.len().div_ceil(4);
    let (written, _) = echo(&mut Script::of(GET.as_bytes().chunks(quarter), 2 * SECOND));
    assert_eq!(responses(&written), ["GET /a "]);
}

#[test]
fn a_later_head_has_its_ten_seconds_from_its_first_byte() {
    let mut script = Script::of([GET, GET], 9 * SECOND);
    script.incoming.extend(GET.as_bytes()[..9].chunks(1).map(|part| (SECOND, part.to_vec())));
    script.incoming.push_back((MOMENT, GET.as_bytes()[9..].to_vec()));
    script.incoming[1].0 = KEEP_ALIVE_IDLE;
    assert_eq!(responses(&echo(&mut script).0).len(), 3);
}

#[test]
fn a_silent_client_is_disconnected_without_a_response() {
    let mut fresh = Script { stays_silent: true, ..Script::of([""; 0], MOMENT) };
    let start = fresh.now;
    assert_eq!(echo(&mut fresh), (String::new(), Closed::Gone));
    assert_eq!(
        (fresh.now - start, fresh.write_is_shut_down, fresh.written.len()),
        (HEAD_DEADLINE, false, 0)
    );
    assert_eq!(fresh.linger, None, "nothing was sent that it could take");
    let mut idle = Script { stays_silent: true, ..Script::of([GET], Duration::ZERO) };
    let start = idle.now;
    assert_eq!(echo(&mut idle).1, Closed::Idle);
    assert!(idle.write_is_shut_down);
    // It has the usual time to close too.
    let reset_at = start + KEEP_ALIVE_IDLE + DISCARD_DEADLINE;
    assert_eq!(idle.linger, Some((Duration::ZERO, reset_at)));
}

#[test]
fn a_body_has_ten_seconds_in_all() {
    let (head, body) = POST.split_at(POST.len() - 4);
    let mut script = Script { stays_silent: true, ..Script::of([head], MOMENT) };
    script.incoming.extend(body[..3].bytes().map(|byte| (4 * SECOND, vec![byte])));
    let message = "only 2 of 4 bytes of the body arrived within 10 s";
    assert_eq!(
        echo(&mut script).1,
        Closed::Refused(HttpError::new(408, message).with("seconds", 10_u32))
    );
    let mut script = Script::of([head], MOMENT);
    script.incoming.extend(body.bytes().map(|byte| (2 * SECOND, vec![byte])));
    assert_eq!(responses(&echo(&mut script).0), ["POST /b body"]);
}

#[test]
fn a_response_that_is_not_taken_in_twenty_seconds_ends_the_connection() {
    let slowly = |seconds| Script { takes: (80, seconds * SECOND), ..Script::of([GET], MOMENT) };
    let (written, closed) = echo(&mut slowly(2));
    assert_eq!((responses(&written).len(), closed), (1, Closed::Gone));
    let mut script = slowly(15);
    let (written, closed) = echo(&mut script);
    assert_eq!((written.len(), closed), (80, Closed::NotTaken));
    assert_eq!(script.linger, Some((Duration::ZERO, script.now)), "the rest is dropped");
}

#[test]
fn a_last_response_has_its_twenty_seconds_and_then_ends_with_a_reset() {
    let last = GET.replace("Host", "Connection: close\r\nHost");
    let mut script = Script { stays_silent: true, ..Script::of([&last], MOMENT) };
    let start = script.now + MOMENT;
    assert_eq!(echo(&mut script).1, Closed::Done);
    assert!(script.write_is_shut_down);
    assert_eq!(script.linger, Some((Duration::ZERO, start + WRITE_DEADLINE)));
}

#[test]
fn a_client_that_only_reads_on_has_its_twenty_seconds_too() {
    let mut script = Script::of([GET], MOMENT);
    assert_eq!(echo(&mut script).1, Closed::Gone);
    assert_eq!(script.linger, Some((WRITE_DEADLINE, script.now)));
}

#[test]
fn a_100_continue_is_sent_once_and_only_if_a_body_is_still_to_come() {
    let (head, body) = POST.split_at(POST.len() - 4);
    let head = head.replace("Host", "Expect: 100-continue\r\nHost");
    let (written, _) = echo(&mut Script::of([&head, body], MOMENT));
    assert!(written.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{written}");
    assert_eq!(responses(&written), ["POST /b body"]);
    for parts in
        [[&format!("{head}{body}"), ""], [&GET.replace("Host", "Expect: 100-continue\r\nHost"), ""]]
    {
        let (written, _) =
            echo(&mut Script::of(parts.iter().filter(|part| !part.is_empty()), MOMENT));
        assert!(written.starts_with("HTTP/1.1 200 OK\r\n"), "{written}");
    }
    let too_large = head.replace("Length: 4", "Length: 65537");
    let mut script = Script::of([&too_large], MOMENT);
    assert!(matches!(echo(&mut script).1, Closed::Refused(error) if error.status == 413));
    assert!(String::from_utf8_lossy(&script.written).starts_with("HTTP/1.1 413 "));
}

#[test]
fn the_last_response_says_close_and_nothing_after_it_is_read_as_a_request() {
    for last in
        ["GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n"]
    {
        let mut script = Script::of([last, GET], MOMENT);
        let (written, closed) = echo(&mut script);
        assert_eq!((responses(&written).len(), closed), (1, Closed::Done));
        assert!(written.contains("\r\nConnection: close\r\n"));
        assert!(script.write_is_shut_down && script.incoming.is_empty());
    }
    let keep_alive = "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let (written, _) = echo(&mut Script::of([keep_alive, GET], MOMENT));
    assert_eq!(
        (responses(&written).len(), written.matches("Connection: keep-alive").count()),
        (2, 1)
    );
}

#[test]
fn the_rest_of_a_refused_request_is_discarded_up_to_a_limit() {
    let mut flood = Script::of(["\n"], MOMENT);
    flood.incoming.extend(vec![(MOMENT, vec![b'x'; READ_BYTES]); 100]);
    assert!(matches!(echo(&mut flood).1, Closed::Refused(_)));
    assert!(flood.write_is_shut_down);
    assert_eq!(flood.incoming.len(), 100 - DISCARD_BYTES_MAX / READ_BYTES);
    let mut drip = Script::of(["\n"; 9], SECOND);
    let start = drip.now;
    assert!(matches!(echo(&mut drip).1, Closed::Refused(_)));
    assert_eq!(drip.now - start, SECOND + DISCARD_DEADLINE);
}

#[test]
fn bytes_after_a_head_are_kept_for_another_protocol() {
    let mut script = Script::of([format!("{GET}frames")], MOMENT);
    let mut http = HttpStream::new(&mut script);
    http.read_head().unwrap();
    assert_eq!(http.buffered(), b"frames");
}
