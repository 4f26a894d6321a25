//! Clients that cost little themselves: WebSocket frames (RFC 6455 §5.2) and HTTP responses on a blocking socket, every one checked.
//! They parse no JSON and only know where in a line its `seq` and its nonce are.

use std::{
    io::{Read, Write},
    net::TcpStream,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::program::Program;
use rig::messages::{CONTENT, NAME};

/// FIN and text; a mask follows, and a length of 16 bits.
const FRAME_START: [u8; 2] = [0x81, 0xfe];
/// A mask of zeros leaves the bytes as they are, which saves the client work and the server none.
const MASK: [u8; 4] = [0; 4];
const NONCE_DIGITS: usize = 32;

/// Bytes that were received, up to `end`, and how many of them are consumed.
struct Inbox {
    bytes: Vec<u8>,
    end: usize,
    taken: usize,
}

/// One connection that follows one page and posts on it.
pub struct Author {
    stream: TcpStream,
    inbox: Inbox,
    /// A whole frame; each post changes the nonce in it.
    frame: Vec<u8>,
    nonce_at: Range<usize>,
    number: u64,
    posts: u64,
    last_seq: u64,
}

impl Author {
    /// Connects and follows `page`.
    pub fn join(program: &Program, page: &str) -> Author {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let mut stream = program.connect();
        let head = format!(
            "GET /ws/comments/?page={page} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            program.address
        );
        stream.write_all(head.as_bytes()).expect("sayso reads");
        let mut inbox = Inbox::new();
        let head = inbox.head(&mut stream);
        assert!(inbox.bytes[head].starts_with(b"HTTP/1.1 101 "), "sayso speaks WebSocket");
        let number = NUMBER.fetch_add(1, Relaxed);
        let (frame, nonce_at) = frame(&format!("{number:032x}"));
        Author { stream, inbox, frame, nonce_at, number, posts: 0, last_seq: 0 }
    }

    /// To be waited for together with others.
    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends the next post.
    pub fn send(&mut self) {
        self.posts += 1;
        let mut digits = &mut self.frame[self.nonce_at.clone()];
        write!(digits, "{:016x}{:016x}", self.number, self.posts).expect("a nonce has its length");
        self.stream.write_all(&self.frame).expect("sayso reads");
    }

    /// Waits for the line of the post that was sent last, and returns its `seq`.
    pub fn receive(&mut self) -> u64 {
        self.receive_nonce(self.nonce_at.clone(), None)
    }

    /// Waits for the line of the post that `author`, on the same page, sent last.
    pub fn receive_of(&mut self, author: &Author) -> u64 {
        self.receive_nonce(author.nonce_at.clone(), Some(&author.frame))
    }

    /// Sends a post and waits for its line.
    pub fn post(&mut self) -> u64 {
        self.send();
        self.receive()
    }

    fn receive_nonce(&mut self, nonce_at: Range<usize>, frame: Option<&[u8]>) -> u64 {
        let message = self.inbox.message(&mut self.stream);
        let line = &self.inbox.bytes[message];
        let nonce = &frame.unwrap_or(&self.frame)[nonce_at];
        let seq = seq(line).filter(|_| {
            let rest = line.strip_suffix(b"\"}").and_then(|line| line.strip_suffix(nonce));
            rest.is_some_and(|rest| rest.ends_with(b"\"nonce\":\""))
        });
        let seq = seq.unwrap_or_else(|| panic!("not the line: {}", String::from_utf8_lossy(line)));
        assert!(seq > self.last_seq, "seq {seq} comes after {}", self.last_seq);
        self.last_seq = seq;
        seq
    }
}

/// A kept-alive connection that loads pages.
pub struct HttpClient {
    stream: TcpStream,
    inbox: Inbox,
    request: Vec<u8>,
}

impl HttpClient {
    /// Connects, to load `target`.
    pub fn new(program: &Program, target: &str) -> HttpClient {
        HttpClient::with_headers(program, target, "")
    }

    /// The same with further header lines.
    pub fn with_headers(program: &Program, target: &str, headers: &str) -> HttpClient {
        let host = program.address;
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");
        HttpClient { stream: program.connect(), inbox: Inbox::new(), request: request.into() }
    }

    /// Loads the page and returns it.
    pub fn get(&mut self) -> &[u8] {
        self.send();
        self.receive()
    }

    /// Asks for the page.
    pub fn send(&mut self) {
        self.stream.write_all(&self.request).expect("sayso reads");
    }

    /// Waits for the page that was asked for.
    pub fn receive(&mut self) -> &[u8] {
        let head = self.inbox.head(&mut self.stream);
        let text = String::from_utf8_lossy(&self.inbox.bytes[head]).to_lowercase();
        assert!(text.starts_with("http/1.1 200 "), "not the page: {text}");
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length = length.and_then(|length| length.trim().parse().ok()).expect("it has a length");
        let body = self.inbox.take(&mut self.stream, length);
        &self.inbox.bytes[body]
    }
}

impl Inbox {
    fn new() -> Inbox {
        Inbox { bytes: vec![0; 64 * 1024], end: 0, taken: 0 }
    }

    /// Waits for `count` bytes and consumes them; what was consumed before may be overwritten.
    fn take(&mut self, stream: &mut TcpStream, count: usize) -> Range<usize> {
        while self.end - self.taken < count {
            self.fill(stream);
        }
        self.taken += count;
        self.taken - count..self.taken
    }

    fn fill(&mut self, stream: &mut TcpStream) {
        if self.taken == self.end {
            (self.taken, self.end) = (0, 0);
        } else if self.end == self.bytes.len() {
            self.bytes.resize(2 * self.end, 0);
        }
        let count = stream.read(&mut self.bytes[self.end..]).expect("an answer comes in time");
        assert!(count > 0, "sayso does not end the connection");
        self.end += count;
    }

    /// The next text message, passing over pings.
    fn message(&mut self, stream: &mut TcpStream) -> Range<usize> {
        loop {
            let start = self.take(stream, 2).start;
            let (kind, mut length) = (self.bytes[start], usize::from(self.bytes[start + 1]));
            assert!(length < 127, "lines are short");
            if length == 126 {
                let at = self.take(stream, 2).start;
                length = usize::from(u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]));
            }
            let message = self.take(stream, length);
            match kind {
                0x81 => return message,
                0x89 => {}
                other => panic!("a frame that begins with {other:#x}"),
            }
        }
    }

    /// An HTTP head with its empty line.
    fn head(&mut self, stream: &mut TcpStream) -> Range<usize> {
        loop {
            let head = &self.bytes[self.taken..self.end];
            match head.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => return self.take(stream, end + 4),
                None => self.fill(stream),
            }
        }
    }
}

/// The number behind `{"seq":`.
fn seq(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(b"{\"seq\":")?;
    let len = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    str::from_utf8(&digits[..len]).ok()?.parse().ok()
}

/// A post as a frame, and where its nonce lies in it.
fn frame(key: &str) -> (Vec<u8>, Range<usize>) {
    let before = format!(r#"{{"content":"{CONTENT}","name":"{NAME}","key":"{key}","nonce":""#);
    let length = before.len() + NONCE_DIGITS + 2;
    let mut frame = FRAME_START.to_vec();
    frame.extend_from_slice(&u16::try_from(length).expect("a post is short").to_be_bytes());
    frame.extend_from_slice(&MASK);
    frame.extend_from_slice(before.as_bytes());
    let start = frame.len();
    frame.extend_from_slice(&[b'0'; NONCE_DIGITS]);
    frame.extend_from_slice(b"\"}");
    (frame, start..start + NONCE_DIGITS)
}
